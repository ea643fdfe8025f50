/*
 * Reading error envelopes. Shapes (providers.md 0.3, last paragraph, and 8):
 *   {error: {message, type, param, code}}        OpenAI and most others; code a number or a string
 *   {error: "text", code: "..."}                 xAI
 *   {error: {code, message, status, details}}    Google, possibly inside an array
 *   {message}, {object: "error", message, type}  Cohere, Bedrock, Mistral, vLLM
 *   {detail: "text" | [{msg, loc}] | {error}}    FastAPI servers, Mistral 422, DeepInfra
 *   {base_resp: {status_code, status_msg}}       MiniMax under 200
 *   {success: false, errors: [{code, message}]}  Cloudflare under 200
 */
#include "envelope.h"

#include "remora/text.h"

static void read_text(struct remora_json value, struct remora_arena *arena,
                      struct remora_slice *out)
{
    struct remora_slice text;
    if (remora_json_is(value, REMORA_JSON_STRING) && remora_json_string(value, arena, &text) &&
        text.length > 0) {
        *out = text;
    }
}

/* `code` is a word, an HTTP status, or a number of the provider's own. */
static void read_code(struct remora_json value, struct remora_arena *arena, struct envelope *out)
{
    int64_t number = 0;
    uint64_t digits = 0;
    if (remora_json_is(value, REMORA_JSON_NUMBER)) {
        if (!remora_json_int64(value, &number)) {
            return;
        }
    } else {
        read_text(value, arena, &out->code);
        if (!remora_parse_u64(out->code, &digits) || digits > 999) {
            return;
        }
        number = (int64_t)digits;
    }
    if (number >= 400 && number <= 599) {
        out->status = (int)number;
    }
}

/* Where `code` is a number, the vendor's word for the same stands elsewhere. */
static void read_word(struct remora_json value, struct remora_arena *arena, struct envelope *out)
{
    if (out->code.length == 0) {
        read_text(value, arena, &out->code);
    }
}

/*
 * Google's google.rpc.RetryInfo: details[].retryDelay "34.4s"; its ErrorInfo: details[].reason "API_KEY_INVALID"
 * (google/rpc/error_details.proto).
 */
static void read_details(struct remora_json details, struct remora_arena *arena,
                         struct envelope *out)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, details);
    while (remora_json_iter_next(&it)) {
        struct remora_slice delay = {0};
        read_text(remora_json_get(it.value, "retryDelay"), arena, &delay);
        read_word(remora_json_get(it.value, "reason"), arena, out);
        int64_t delay_ms = 0;
        if (delay.length > 0 && remora_parse_duration_ms(delay, &delay_ms) && delay_ms >= 0) {
            out->retry_after_ms = delay_ms > 3600000 ? 3600000 : delay_ms;
        }
    }
}

static bool is_filled(struct remora_json value)
{
    return (remora_json_is(value, REMORA_JSON_STRING) && !remora_json_equals(value, "")) ||
           !remora_json_is_absent(remora_json_at(value, 0));
}

/* OpenRouter's closer word (openrouter.md 10.1), what its moderation and guardrails say (10.5), and our own reason. */
static void read_metadata(struct remora_json metadata, struct remora_arena *arena,
                          struct envelope *out)
{
    read_text(remora_json_get(metadata, "error_type"), arena, &out->type);
    read_text(remora_json_get(metadata, "reason"), arena, &out->reason);
    out->is_moderated = is_filled(remora_json_get(metadata, "flagged_input")) ||
                        is_filled(remora_json_get(metadata, "reasons")) ||
                        is_filled(remora_json_get(metadata, "patterns"));
}

static void read_object(struct remora_json object, struct remora_arena *arena, struct envelope *out)
{
    read_text(remora_json_get(object, "message"), arena, &out->message);
    read_text(remora_json_get(object, "status"), arena, &out->type);
    read_text(remora_json_get(object, "type"), arena, &out->type);
    read_text(remora_json_get(object, "param"), arena, &out->param);
    read_code(remora_json_get(object, "code"), arena, out);
    read_word(remora_json_get(object, "reason"), arena, out); /* Novita: "MODEL_NOT_FOUND" */
    read_details(remora_json_get(object, "details"), arena, out);
    struct remora_json availability = remora_json_get(object, "availability");
    read_word(remora_json_get(availability, "code"), arena, out); /* openrouter.md 10.4 */
    read_metadata(remora_json_get(object, "metadata"), arena, out);
}

static void read_detail(struct remora_json detail, struct remora_arena *arena, struct envelope *out)
{
    read_text(detail, arena, &out->message);
    read_text(remora_json_get(detail, "message"), arena, &out->message);
    read_text(remora_json_get(detail, "error"), arena, &out->message);
    struct remora_json first = remora_json_is(detail, REMORA_JSON_ARRAY) ? remora_json_at(detail, 0)
                                                                         : (struct remora_json){0};
    read_text(remora_json_get(first, "msg"), arena, &out->message);
}

/* MiniMax' numbers as words that others have for the same ("Error Codes" of its platform documents, read 2026-11-29). */
static const char *base_resp_word(int64_t status)
{
    static const struct {
        int64_t status;
        const char *word;
    } words[] = {
        {1000, "server_error"},         {1001, "timeout"},
        {1002, "rate_limit_error"},     {1004, "authentication_error"},
        {1008, "payment_required"},     {1013, "server_error"},
        {1026, "content_filter"},       {1027, "content_filter"},
        {1039, "rate_limit_error"},     {2013, "invalid_request_error"},
        {2049, "authentication_error"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        if (words[i].status == status) {
            return words[i].word;
        }
    }
    return "";
}

static bool read_base_resp(struct remora_json base, struct remora_arena *arena,
                           struct envelope *out)
{
    int64_t status = 0;
    if (!remora_json_is(base, REMORA_JSON_OBJECT) ||
        !remora_json_int64(remora_json_get(base, "status_code"), &status) || status == 0) {
        return false;
    }
    out->type = remora_slice_of(base_resp_word(status));
    read_text(remora_json_get(base, "status_msg"), arena, &out->message);
    return true;
}

static bool read_failed_success(struct remora_json root, struct remora_arena *arena,
                                struct envelope *out)
{
    bool success = true;
    struct remora_json value = remora_json_get(root, "success");
    if (!remora_json_is(value, REMORA_JSON_BOOL) || !remora_json_bool(value, &success) || success) {
        return false;
    }
    read_object(remora_json_at(remora_json_get(root, "errors"), 0), arena, out);
    return true;
}

static bool read_error_member(struct remora_json root, struct remora_arena *arena,
                              struct envelope *out)
{
    struct remora_json error = remora_json_get(root, "error");
    if (remora_json_is(error, REMORA_JSON_OBJECT)) {
        read_object(error, arena, out);
        return true;
    }
    if (remora_json_is(error, REMORA_JSON_STRING)) {
        read_object(root, arena, out);
        read_text(error, arena, &out->message);
        return out->message.length > 0;
    }
    return false;
}

/* An object that is nothing but an error: {message} or {object: "error"} or {detail}, without choices. */
static bool read_bare(struct remora_json root, struct remora_arena *arena, struct envelope *out)
{
    struct remora_json object = remora_json_get(root, "object");
    bool says_error =
        remora_json_is(object, REMORA_JSON_STRING) && remora_json_equals(object, "error");
    if (!says_error && !remora_json_is_absent(remora_json_get(root, "choices"))) {
        return false;
    }
    read_detail(remora_json_get(root, "detail"), arena, out);
    read_object(root, arena, out);
    return says_error || out->message.length > 0;
}

bool envelope_read(struct remora_json root, struct remora_arena *arena, struct envelope *out)
{
    *out = (struct envelope){.retry_after_ms = -1};
    if (remora_json_is(root, REMORA_JSON_ARRAY)) {
        root = remora_json_at(root, 0);
    }
    if (!remora_json_is(root, REMORA_JSON_OBJECT)) {
        return false;
    }
    return read_error_member(root, arena, out) ||
           read_base_resp(remora_json_get(root, "base_resp"), arena, out) ||
           read_failed_success(root, arena, out) || read_bare(root, arena, out);
}
