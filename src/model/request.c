/* The request as plain data: an empty one, the parameters that its caller stated, and end users by another name. */
#include "remora/request.h"

#include "remora/text.h"

static const char *const parameter_names[REMORA_PARAMETER_COUNT] = {
#define REMORA_PARAMETER(name, text) [REMORA_PARAMETER_##name] = (text),
#include "remora/tbl/parameters.h"
#undef REMORA_PARAMETER
};

const char *remora_parameter_name(enum remora_parameter parameter)
{
    return (unsigned)parameter < REMORA_PARAMETER_COUNT ? parameter_names[parameter] : "";
}

uint32_t remora_unbuilt_header_of(struct remora_slice name, struct remora_slice value)
{
    static const struct remora_slice names[REMORA_UNBUILT_HEADER_COUNT] = {
#define REMORA_UNBUILT_HEADER(name, text, why) \
    [REMORA_UNBUILT_HEADER_##name] = REMORA_SLICE_INIT(text),
#include "remora/tbl/unbuilt_headers.h"
#undef REMORA_UNBUILT_HEADER
    };
    size_t i = 0;
    while (i < REMORA_COUNT_OF(names) && !remora_slice_equal_nocase(names[i], name)) {
        i++;
    }
    bool is_off = value.length == 0 || remora_slice_equal_nocase(value, REMORA_SLICE("false"));
    return i == REMORA_COUNT_OF(names) || is_off ? 0 : UINT32_C(1) << i;
}

const char *remora_effort_name(enum remora_effort effort)
{
    switch (effort) {
    case REMORA_EFFORT_UNSET:
        return "";
    case REMORA_EFFORT_NONE:
        return "none";
    case REMORA_EFFORT_MINIMAL:
        return "minimal";
    case REMORA_EFFORT_LOW:
        return "low";
    case REMORA_EFFORT_MEDIUM:
        return "medium";
    case REMORA_EFFORT_HIGH:
        return "high";
    case REMORA_EFFORT_XHIGH:
        return "xhigh";
    case REMORA_EFFORT_MAX:
        return "max";
    }
    return "";
}

void remora_request_init(struct remora_request *request)
{
    memset(request, 0, sizeof *request);
    remora_preferences_init(&request->provider);
    request->timeout_ms = -1;
    request->idle_timeout_ms = -1;
}

bool remora_request_asks(const struct remora_request *request, enum remora_parameter parameter)
{
    for (size_t i = 0; i < request->asked_count; i++) {
        if (request->asked[i] == (uint8_t)parameter) {
            return true;
        }
    }
    return false;
}

bool remora_asks_beyond_text(const struct remora_slices *modalities)
{
    for (size_t i = 0; i < modalities->count; i++) {
        if (!remora_slice_is(modalities->items[i], "text")) {
            return true;
        }
    }
    return false;
}

void remora_request_pseudonym(const struct remora_request *request, struct remora_slice id,
                              char out[REMORA_PSEUDONYM_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    const struct remora_slice parts[] = {request->identity.namespace_name,
                                         request->identity.service, id};
    struct remora_sha256 hash;
    uint8_t digest[REMORA_SHA256_BYTES];
    if (id.length == 0) {
        out[0] = '\0';
        return;
    }
    remora_sha256_begin(&hash);
    for (size_t i = 0; i < REMORA_COUNT_OF(parts); i++) {
        remora_sha256_add(&hash, parts[i]);
        remora_sha256_add(&hash,
                          remora_slice("", 1)); /* a NUL between them: none can run into the next */
    }
    remora_sha256_end(&hash, digest);
    memcpy(out, "user-", 5);
    for (size_t i = 0; i < 16; i++) {
        out[5 + 2 * i] = hex[digest[i] >> 4];
        out[6 + 2 * i] = hex[digest[i] & 15];
    }
    out[37] = '\0';
}

void remora_request_ask(struct remora_request *request, enum remora_parameter parameter)
{
    if ((unsigned)parameter < REMORA_PARAMETER_COUNT && !remora_request_asks(request, parameter)) {
        request->asked[request->asked_count++] = (uint8_t)parameter;
    }
}

bool remora_reasoning_block_signs_call(const struct remora_reasoning_block *block)
{
    return block->kind == REMORA_REASONING_ENCRYPTED && block->id.length > 0 &&
           block->text.length > 0 && remora_slice_is(block->format, REMORA_GEMINI_FORMAT);
}

bool remora_message_name_is_unspoken(const struct remora_message *message)
{
    for (size_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].kind == REMORA_PART_TEXT && message->parts[i].text.data != NULL) {
            return false;
        }
    }
    return message->name.length > 0 && message->role != REMORA_ROLE_TOOL;
}

bool remora_message_is_opaque(const struct remora_message *message)
{
    for (size_t i = 0; i < message->reasoning_count; i++) {
        const struct remora_reasoning_block *block = &message->reasoning[i];
        if (block->kind == REMORA_REASONING_ENCRYPTED || block->kind == REMORA_REASONING_OTHER ||
            block->signature.length > 0 || block->format.length > 0) {
            return true;
        }
    }
    return false;
}
