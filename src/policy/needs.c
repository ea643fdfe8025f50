/*
 * What a request needs of an endpoint: kinds of input and output, room for its text, parameters.
 *
 * When is a text certainly too long? Exact counts need the model's tokenizer, and what a provider can still say better we
 * leave to it, so the bound must only ever be too kind. Vocabularies have single tokens of up to 128 bytes, but those are
 * runs of blanks or of one mark; words are a few bytes each, and no running text comes near 16 bytes per token. So a text
 * is too long when, without repeated blanks and marks, it has more than 16 bytes for every token of the window. The
 * second look at the bytes is taken only when the plain length says that it may be so.
 *
 * Sources: openrouter.md section 5, steps 2 and 4; codes.md "Rules that remove an endpoint". Cannot fail.
 */
#include "needs.h"

enum { BYTES_PER_TOKEN_MAX = 16 };

static uint32_t part_modality(enum remora_part_kind kind)
{
    switch (kind) {
    case REMORA_PART_IMAGE:
        return REMORA_MODALITY_IMAGE;
    case REMORA_PART_AUDIO:
        return REMORA_MODALITY_AUDIO;
    case REMORA_PART_VIDEO:
        return REMORA_MODALITY_VIDEO;
    case REMORA_PART_FILE:
        return REMORA_MODALITY_FILE;
    case REMORA_PART_TEXT:
    case REMORA_PART_REFUSAL:
    case REMORA_PART_RAW: /* a shape that we do not read: the provider's to judge */
        return 0;
    }
    return 0;
}

/* What an assistant has shown before need not be read: its pictures and sound are left out, and told, where they are not. */
static uint32_t needed_modality(enum remora_role role, enum remora_part_kind kind)
{
    bool was_shown =
        role == REMORA_ROLE_ASSISTANT && (kind == REMORA_PART_IMAGE || kind == REMORA_PART_AUDIO);
    return was_shown ? 0 : part_modality(kind);
}

static void read_mark(struct remora_judge *judge, const struct remora_cache_breakpoint *mark)
{
    judge->has_cache_mark |= mark->is_set && !mark->is_explicit;
    judge->has_explicit_mark |= mark->is_set && mark->is_explicit;
}

static bool is_bool_member(struct remora_slice object, const char *before)
{
    struct remora_slice begin = remora_slice_of(before);
    struct remora_slice rest =
        remora_slice_starts_with(object, begin)
            ? remora_slice(object.data + begin.length, object.length - begin.length)
            : REMORA_SLICE("");
    return remora_slice_is(rest, "true}") || remora_slice_is(rest, "false}");
}

/* A mark to go on from that stands alone, as the fronts write it; anything else may be more. */
static uint32_t further_of(const struct remora_message *message)
{
    bool is_assistant = message->role == REMORA_ROLE_ASSISTANT;
    if (message->extra.length == 0 || remora_slice_is(message->extra, "{}")) {
        return 0;
    }
    if (is_assistant && is_bool_member(message->extra, "{\"prefix\":")) {
        return POLICY_SAID_PREFIX;
    }
    return is_assistant && is_bool_member(message->extra, "{\"partial\":") ? POLICY_SAID_PARTIAL
                                                                           : POLICY_SAID_FURTHER;
}

static uint32_t said_in(const struct remora_part *part)
{
    uint32_t said = part->annotation_count > 0 ? POLICY_SAID_CITATIONS : 0;
    if (part->kind == REMORA_PART_IMAGE) {
        said |= POLICY_SAID_IMAGES;
    }
    said |= part->kind == REMORA_PART_RAW ? POLICY_SAID_RAW : 0;
    if (part->kind == REMORA_PART_AUDIO) {
        said |= part->media.source == REMORA_MEDIA_FILE_ID ? POLICY_SAID_SOUND
                                                           : POLICY_SAID_NAMELESS_SOUND;
    }
    return said;
}

static bool has_marked_call(const struct remora_message *message)
{
    for (size_t i = 0; i < message->tool_call_count; i++) {
        if (message->tool_calls[i].cache.is_set) {
            return true;
        }
    }
    return false;
}

/* What a message holds besides content that everybody takes. */
static uint32_t said_by(const struct remora_message *message)
{
    uint32_t said = further_of(message);
    said |= remora_message_name_is_unspoken(message) ? POLICY_SAID_NAME : 0;
    if (message->tool_call_count > 0 || message->role == REMORA_ROLE_TOOL) {
        said |= POLICY_SAID_TOOLS;
    }
    if (message->role != REMORA_ROLE_ASSISTANT) {
        return said;
    }
    said |= has_marked_call(message) ? POLICY_SAID_CALL_MARK : 0;
    said |= message->reasoning_count > 0 ? POLICY_SAID_REASONING : 0;
    said |= remora_message_is_opaque(message) ? POLICY_SAID_OPAQUE : 0;
    for (size_t i = 0; i < message->part_count; i++) {
        said |= said_in(&message->parts[i]);
    }
    return said;
}

static void read_messages(struct remora_judge *judge)
{
    const struct remora_request *request = judge->request;
    for (size_t i = 0; i < request->message_count; i++) {
        const struct remora_message *message = &request->messages[i];
        judge->said |= said_by(message);
        for (size_t at = 0; at < message->part_count; at++) {
            judge->input_modalities |= needed_modality(message->role, message->parts[at].kind);
            read_mark(judge, &message->parts[at].cache);
            if (message->parts[at].kind == REMORA_PART_TEXT) {
                judge->text_bytes += message->parts[at].text.length;
            }
        }
    }
    for (size_t i = 0; i < request->tool_count; i++) {
        read_mark(judge, &request->tools[i].cache);
    }
    read_mark(judge, &request->cache);
}

/* Each input of an embedding is read on its own. */
static void read_inputs(struct remora_judge *judge)
{
    const struct remora_request *request = judge->request;
    for (size_t i = 0; i < request->input_count; i++) {
        const struct remora_embed_input *input = &request->inputs[i];
        if (input->kind == REMORA_EMBED_IMAGE) {
            judge->input_modalities |= REMORA_MODALITY_IMAGE;
        } else if (input->kind == REMORA_EMBED_TEXT && input->text.length > judge->text_bytes) {
            judge->text_bytes = input->text.length;
        }
    }
}

static uint32_t modality_by_name(struct remora_slice name)
{
    static const struct {
        const char *name;
        uint32_t modality;
    } names[] = {
        {"text", REMORA_MODALITY_TEXT},   {"image", REMORA_MODALITY_IMAGE},
        {"audio", REMORA_MODALITY_AUDIO}, {"video", REMORA_MODALITY_VIDEO},
        {"file", REMORA_MODALITY_FILE},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_is(name, names[i].name)) {
            return names[i].modality;
        }
    }
    return 0;
}

void policy_needs(struct remora_judge *judge)
{
    const struct remora_request *request = judge->request;
    if (request->operation == REMORA_OPERATION_EMBED) {
        judge->output_modalities = REMORA_MODALITY_EMBEDDINGS;
        read_inputs(judge);
    } else {
        read_messages(judge);
    }
    for (size_t i = 0; i < request->output_modalities.count; i++) {
        judge->output_modalities |= modality_by_name(request->output_modalities.items[i]);
    }
    for (size_t i = 0; i < request->asked_count; i++) {
        judge->asked |= UINT64_C(1) << request->asked[i];
    }
}

/* ---- room ---- */

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes without those blanks and marks that repeat the one before. */
static uint64_t telling_bytes(struct remora_slice text)
{
    uint64_t bytes = 0;
    char before = 'x';
    for (size_t i = 0; i < text.length; i++) {
        char c = is_blank(text.data[i]) ? ' ' : text.data[i];
        bytes += is_word_byte(c) || c != before;
        before = c;
    }
    return bytes;
}

static uint64_t telling_bytes_of_messages(const struct remora_request *request)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < request->message_count; i++) {
        for (size_t at = 0; at < request->messages[i].part_count; at++) {
            const struct remora_part *part = &request->messages[i].parts[at];
            bytes += part->kind == REMORA_PART_TEXT ? telling_bytes(part->text) : 0;
        }
    }
    return bytes;
}

static uint64_t telling_bytes_of_inputs(const struct remora_request *request)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < request->input_count; i++) {
        if (request->inputs[i].kind == REMORA_EMBED_TEXT) {
            uint64_t bytes = telling_bytes(request->inputs[i].text);
            longest = bytes > longest ? bytes : longest;
        }
    }
    return longest;
}

bool policy_is_too_long(const struct remora_judge *judge, int64_t tokens)
{
    if (tokens <= 0 || judge->text_bytes / BYTES_PER_TOKEN_MAX <= (uint64_t)tokens) {
        return false;
    }
    uint64_t bytes = judge->request->operation == REMORA_OPERATION_EMBED
                         ? telling_bytes_of_inputs(judge->request)
                         : telling_bytes_of_messages(judge->request);
    return bytes / BYTES_PER_TOKEN_MAX > (uint64_t)tokens;
}

/* ---- parameters ---- */

/* Of all the model's endpoints, whatever the policy says of them: so narrowing never lets one back in. */
static bool anybody_takes(const struct remora_endpoint *endpoint, enum remora_parameter parameter)
{
    const struct remora_model *model = endpoint->model;
    for (size_t i = 0; i < model->endpoint_count; i++) {
        if (remora_parameter_set_has(model->endpoints[i].facts.supported, parameter)) {
            return true;
        }
    }
    return false;
}

bool policy_may_lack(const struct remora_judge *judge, const struct remora_endpoint *endpoint)
{
    const remora_parameter_set has_more_to_it = UINT64_C(1) << REMORA_PARAMETER_RESPONSE_FORMAT |
                                                UINT64_C(1) << REMORA_PARAMETER_STRUCTURED_OUTPUTS |
                                                UINT64_C(1) << REMORA_PARAMETER_REASONING;
    return (judge->asked & (~endpoint->facts.supported | has_more_to_it)) != 0;
}

const char *policy_lacks(const struct remora_judge *judge, const struct remora_endpoint *endpoint,
                         enum remora_parameter parameter)
{
    remora_parameter_set supported = endpoint->facts.supported;
    if (!remora_parameter_set_has(supported, parameter)) {
        return remora_parameter_name(parameter);
    }
    if (parameter != REMORA_PARAMETER_RESPONSE_FORMAT) {
        return NULL;
    }
    enum remora_format_kind kind = judge->request->response_format.kind;
    bool is_rare = kind == REMORA_FORMAT_REGEX || kind == REMORA_FORMAT_GRAMMAR ||
                   kind == REMORA_FORMAT_PYTHON;
    if (is_rare && !remora_dialect_takes_format(remora_dialect_of(&endpoint->provider->facts),
                                                supported, kind)) {
        return remora_parameter_name(parameter);
    }
    if (kind == REMORA_FORMAT_JSON_SCHEMA &&
        !remora_parameter_set_has(supported, REMORA_PARAMETER_STRUCTURED_OUTPUTS) &&
        anybody_takes(endpoint, REMORA_PARAMETER_STRUCTURED_OUTPUTS)) {
        return remora_parameter_name(REMORA_PARAMETER_STRUCTURED_OUTPUTS);
    }
    return NULL;
}

bool policy_is_default(const struct remora_request *request, enum remora_parameter parameter)
{
    if (parameter == REMORA_PARAMETER_RESPONSE_FORMAT) {
        return request->response_format.kind == REMORA_FORMAT_TEXT;
    }
    if (parameter == REMORA_PARAMETER_MODALITIES) {
        return !remora_asks_beyond_text(&request->output_modalities);
    }
    enum remora_tool_choice_kind choice = request->tool_choice.kind;
    return parameter == REMORA_PARAMETER_TOOL_CHOICE &&
           (choice == REMORA_TOOL_CHOICE_AUTO || choice == REMORA_TOOL_CHOICE_NONE);
}

const char *policy_cannot_drop(const struct remora_judge *judge,
                               const struct remora_endpoint *endpoint,
                               enum remora_parameter parameter)
{
    if (policy_is_default(judge->request, parameter)) {
        return NULL;
    }
    if (parameter == REMORA_PARAMETER_REASONING && endpoint->facts.always_reasons &&
        remora_reasoning_is_off(&judge->request->reasoning)) {
        return remora_parameter_name(parameter);
    }
    bool is_vital =
        parameter == REMORA_PARAMETER_TOOLS || parameter == REMORA_PARAMETER_TOOL_CHOICE ||
        parameter == REMORA_PARAMETER_MODALITIES || parameter == REMORA_PARAMETER_RESPONSE_FORMAT;
    bool is_soft =
        parameter == REMORA_PARAMETER_VERBOSITY || parameter == REMORA_PARAMETER_STRUCTURED_OUTPUTS;
    if (is_vital || (is_soft && anybody_takes(endpoint, parameter))) {
        return policy_lacks(judge, endpoint, parameter);
    }
    return NULL;
}
