/*
 * POST /chat/completions -> struct remora_request. One table of the top-level fields that are documented
 * (reference/openrouter.md section 2, read 2026-11; OpenAI's own on top), most frequent first; a row without a reader is
 * documented but not built and answers UNIMPLEMENTED naming the field. Ranges are those of that section.
 *
 *   1. the body is one JSON object, no key twice
 *   2. each member goes through its row; what it states is noted for require_parameters and `dropped`
 *   3. what needs two fields is judged: max_tokens against max_completion_tokens, top_logprobs against logprobs, effort
 *
 * Fails with INVALID_REQUEST, UNIMPLEMENTED, TOO_LARGE or SHEDDING; fail->param is the path of the value.
 */
#include <limits.h>
#include <stdio.h>

#include "chat.h"
#include "parse.h"

/* What the tables fill: the request and what only the checks at the end need. */
struct chat {
    struct remora_request *request;
    struct remora_opt_i64 max_tokens;
    struct remora_opt_i64 max_completion_tokens;
    enum remora_effort effort;
    enum remora_tristate include_reasoning;
    bool has_messages;
};

static enum remora_code read_model(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice *model = target;
    enum remora_code code = parse_slice(p, value, model);
    if (code != REMORA_OK) {
        return code;
    }
    if (model->length == 0 || model->length > REMORA_LIMIT_MODEL_ID_BYTES) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must hold 1 to %d bytes.",
                            (int)REMORA_LIMIT_MODEL_ID_BYTES);
    }
    return REMORA_OK;
}

static enum remora_code read_models(struct parse *p, struct remora_json value, void *target)
{
    if (remora_json_is(value, REMORA_JSON_ARRAY) &&
        remora_json_count(value) > REMORA_LIMIT_MODELS) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must have %d items or fewer.",
                            (int)REMORA_LIMIT_MODELS);
    }
    struct parse_list list = {0};
    enum remora_code code = parse_array(p, value, sizeof(struct remora_slice), read_model, &list);
    if (code == REMORA_OK) {
        *(struct remora_slices *)target =
            (struct remora_slices){.items = list.items, .count = list.count, .is_set = true};
    }
    return code;
}

static enum remora_code read_messages(struct parse *p, struct remora_json value, void *target)
{
    struct chat *chat = target;
    chat->has_messages = true;
    return chat_read_messages(p, value, chat->request);
}

static enum remora_code read_stream(struct parse *p, struct remora_json value, void *target)
{
    bool is_stream = false;
    enum remora_code code = parse_bool(p, value, &is_stream);
    if (code == REMORA_OK) {
        *(enum remora_delivery *)target = is_stream ? REMORA_STREAM : REMORA_UNARY;
    }
    return code;
}

static enum remora_code read_include_usage(struct parse *p, struct remora_json value, void *target)
{
    (void)target;
    return parse_bool(p, value, &p->includes_usage);
}

static enum remora_code read_stream_options(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("include_usage"), read_include_usage, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("include_obfuscation"), parse_ignored_bool, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

/* usage.include has no effect (openrouter.md 2): usage is always reported. */
static enum remora_code read_usage(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("include"), parse_ignored_bool, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

static enum remora_code read_stop(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slices *stop = target;
    if (remora_json_is(value, REMORA_JSON_STRING)) {
        struct remora_slice *one = remora_arena_alloc(p->arena, sizeof *one);
        if (one == NULL) {
            return parse_no_room(p);
        }
        *stop = (struct remora_slices){.items = one, .count = 1, .is_set = true};
        return parse_slice(p, value, one);
    }
    if (!remora_json_is(value, REMORA_JSON_ARRAY) ||
        remora_json_count(value) > REMORA_LIMIT_STOPS) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must be a string or an array of at most %d strings.",
                            (int)REMORA_LIMIT_STOPS);
    }
    p->is_neutral = remora_json_count(value) == 0;
    return parse_slices(p, value, stop);
}

/* One choice is what everybody gives without being asked. */
static enum remora_code read_n(struct parse *p, struct remora_json value, void *target)
{
    enum remora_code code = parse_opt_i64(p, value, target);
    p->is_neutral = code == REMORA_OK && ((struct remora_opt_i64 *)target)->value == 1;
    return code;
}

static enum remora_code read_logprobs(struct parse *p, struct remora_json value, void *target)
{
    enum remora_code code = parse_tristate(p, value, target);
    p->is_neutral = code == REMORA_OK && *(enum remora_tristate *)target == REMORA_NO;
    return code;
}

static enum remora_code read_verbosity(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"low", "medium", "high", "xhigh", "max"};
    return parse_word_slice(p, value, words, REMORA_COUNT_OF(words), target);
}

/* `fast` is OpenRouter's other word for `priority` (openrouter.md 5.6). */
static enum remora_code read_service_tier(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"auto", "default", "flex", "priority", "scale", "fast"};
    struct remora_slice *tier = target;
    enum remora_code code = parse_word_slice(p, value, words, REMORA_COUNT_OF(words), tier);
    if (code == REMORA_OK && remora_slice_is(*tier, "fast")) {
        *tier = REMORA_SLICE("priority");
    }
    return code;
}

static enum remora_code read_modality(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"text", "image", "audio"};
    return parse_word_slice(p, value, words, REMORA_COUNT_OF(words), target);
}

/* Each is asked for once (openrouter.md 2, `modalities`). */
static enum remora_code refuse_repeated(struct parse *p, const struct parse_list *list)
{
    const struct remora_slice *words = list->items;
    for (size_t i = 1; i < list->count; i++) {
        for (size_t before = 0; before < i; before++) {
            if (remora_slice_equal(words[before], words[i])) {
                size_t mark = parse_enter_index(p, (uint32_t)i);
                enum remora_code code =
                    parse_refuse(p, REMORA_INVALID_REQUEST, "stands there already.");
                parse_leave(p, mark);
                return code;
            }
        }
    }
    return REMORA_OK;
}

static enum remora_code read_modalities(struct parse *p, struct remora_json value, void *target)
{
    struct parse_list list = {0};
    if (remora_json_is(value, REMORA_JSON_ARRAY) && remora_json_count(value) > 3) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must have each of text, image, audio once.");
    }
    enum remora_code code =
        parse_array(p, value, sizeof(struct remora_slice), read_modality, &list);
    if (code == REMORA_OK) {
        code = refuse_repeated(p, &list);
    }
    if (code == REMORA_OK && list.count > 0) {
        *(struct remora_slices *)target =
            (struct remora_slices){.items = list.items, .count = list.count, .is_set = true};
    }
    p->is_neutral = code == REMORA_OK && !remora_asks_beyond_text(target);
    return code;
}

static enum remora_code read_request_reasoning(struct parse *p, struct remora_json value,
                                               void *target)
{
    return chat_read_reasoning(p, value, target);
}

/* ---- the table ---- */

static const struct parse_range from_0_to_2 = {0, 2, false};
static const struct parse_range from_0_to_1 = {0, 1, false};
static const struct parse_range above_0_to_1 = {0, 1, true};
static const struct parse_range penalty = {-2, 2, false};
static const struct parse_range a_count = {1, INT32_MAX, false};
static const struct parse_range from_0 = {0, INT32_MAX, false};
static const struct parse_range up_to_20 = {0, 20, false};
static const struct parse_range choices = {1, REMORA_LIMIT_CHOICES, false};
/* The integers that a double holds exactly: what every JSON client can write. */
static const struct parse_range any_integer = {-9007199254740992.0, 9007199254740992.0, false};

#define FIELD(text, reader, member, parameter)                                                  \
    {                                                                                           \
        .name = REMORA_SLICE_INIT(text), .read = (reader),                                      \
        .offset = offsetof(struct remora_request, member), .asks = REMORA_PARAMETER_##parameter \
    }
#define QUIET(text, reader, member)                                                   \
    {                                                                                 \
        .name = REMORA_SLICE_INIT(text), .read = (reader),                            \
        .offset = offsetof(struct remora_request, member), .asks = PARSE_ASKS_NOTHING \
    }
#define NUMBER(text, reader, member, parameter, bounds)                                          \
    {                                                                                            \
        .name = REMORA_SLICE_INIT(text), .read = (reader),                                       \
        .offset = offsetof(struct remora_request, member), .asks = REMORA_PARAMETER_##parameter, \
        .range = &(bounds)                                                                       \
    }
#define NOT_BUILT(text)                                                           \
    {                                                                             \
        .name = REMORA_SLICE_INIT(text), .read = NULL, .asks = PARSE_ASKS_NOTHING \
    }
#define NO_LIST_BUILT(text)                                                           \
    {                                                                                 \
        .name = REMORA_SLICE_INIT(text), .asks = PARSE_ASKS_NOTHING, .is_list = true, \
    }

/* False is `reasoning: {exclude: true}`: nothing is asked of the model. */
static enum remora_code read_include_reasoning(struct parse *p, struct remora_json value,
                                               void *target)
{
    enum remora_code code = parse_tristate(p, value, target);
    p->is_neutral = code == REMORA_OK && *(enum remora_tristate *)target == REMORA_NO;
    return code;
}

/* Of the chat itself: target is struct chat. */
static const struct parse_field chat_fields[] = {
    {.name = REMORA_SLICE_INIT("messages"),
     .read = read_messages,
     .asks = PARSE_ASKS_NOTHING,
     .null = PARSE_NULL_REFUSED},
    {.name = REMORA_SLICE_INIT("max_tokens"),
     .read = parse_opt_i64,
     .offset = offsetof(struct chat, max_tokens),
     .asks = REMORA_PARAMETER_MAX_TOKENS,
     .range = &a_count},
    {.name = REMORA_SLICE_INIT("max_completion_tokens"),
     .read = parse_opt_i64,
     .offset = offsetof(struct chat, max_completion_tokens),
     .asks = REMORA_PARAMETER_MAX_TOKENS,
     .range = &a_count},
    {.name = REMORA_SLICE_INIT("reasoning_effort"),
     .read = chat_read_effort,
     .offset = offsetof(struct chat, effort),
     .asks = REMORA_PARAMETER_REASONING},
    {.name = REMORA_SLICE_INIT("include_reasoning"),
     .read = read_include_reasoning,
     .offset = offsetof(struct chat, include_reasoning),
     .asks = REMORA_PARAMETER_REASONING},
};

/* Of the request: target is struct remora_request. */
static const struct parse_field request_fields[] = {
    QUIET("model", read_model, model),
    QUIET("stream", read_stream, delivery),
    NUMBER("temperature", parse_opt_f64, sampling.temperature, TEMPERATURE, from_0_to_2),
    FIELD("tools", chat_read_tools, tools, TOOLS),
    FIELD("tool_choice", chat_read_tool_choice, tool_choice, TOOL_CHOICE),
    FIELD("stop", read_stop, sampling.stop, STOP),
    QUIET("stream_options", read_stream_options, model),
    QUIET("models", read_models, models),
    QUIET("provider", chat_read_provider, provider),
    NUMBER("top_p", parse_opt_f64, sampling.top_p, TOP_P, above_0_to_1),
    NUMBER("top_k", parse_opt_i64, sampling.top_k, TOP_K, from_0),
    NUMBER("min_p", parse_opt_f64, sampling.min_p, MIN_P, from_0_to_1),
    NUMBER("top_a", parse_opt_f64, sampling.top_a, TOP_A, from_0_to_1),
    NUMBER("frequency_penalty", parse_opt_f64, sampling.frequency_penalty, FREQUENCY_PENALTY,
           penalty),
    NUMBER("presence_penalty", parse_opt_f64, sampling.presence_penalty, PRESENCE_PENALTY, penalty),
    NUMBER("repetition_penalty", parse_opt_f64, sampling.repetition_penalty, REPETITION_PENALTY,
           from_0_to_2),
    NUMBER("seed", parse_opt_i64, sampling.seed, SEED, any_integer),
    NUMBER("n", read_n, sampling.choice_count, N, choices),
    FIELD("logit_bias", chat_read_logit_bias, sampling, LOGIT_BIAS),
    FIELD("logprobs", read_logprobs, logprobs, LOGPROBS),
    NUMBER("top_logprobs", parse_opt_i64, top_logprobs, TOP_LOGPROBS, up_to_20),
    FIELD("response_format", chat_read_response_format, response_format, RESPONSE_FORMAT),
    FIELD("reasoning", read_request_reasoning, reasoning, REASONING),
    FIELD("parallel_tool_calls", parse_tristate, parallel_tool_calls, PARALLEL_TOOL_CALLS),
    FIELD("user", parse_id, end_user_id, USER),
    QUIET("usage", read_usage, model),
    FIELD("verbosity", read_verbosity, verbosity, VERBOSITY),
    FIELD("service_tier", read_service_tier, service_tier, SERVICE_TIER),
    FIELD("prompt_cache_key", parse_id, prompt_cache_key, PROMPT_CACHE_KEY),
    QUIET("session_id", parse_id, session_id),
    QUIET("metadata", chat_read_metadata, tags),
    FIELD("modalities", read_modalities, output_modalities, MODALITIES),
    NO_LIST_BUILT("plugins"),
    NOT_BUILT("preset"),
};

#undef FIELD
#undef QUIET
#undef NUMBER
#undef NOT_BUILT
#undef NO_LIST_BUILT

/* What the proto lacks has a table of its own, what is not built among it; one without a row there is an extra. */
static enum remora_code read_further_member(struct parse *p, struct remora_json value, void *target)
{
    return parse_member(p, &chat_further_table, value, target);
}

/* A member that is not the chat's own goes to the request's table. */
static enum remora_code read_request_member(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_table table = PARSE_TABLE(request_fields, read_further_member);
    struct chat *chat = target;
    return parse_member(p, &table, value, chat->request);
}

static enum remora_code check_max_tokens(struct parse *p, const struct chat *chat)
{
    if (chat->max_tokens.is_set && chat->max_completion_tokens.is_set &&
        chat->max_tokens.value != chat->max_completion_tokens.value) {
        return remora_fail_set(p->fail, REMORA_INVALID_REQUEST, "max_tokens",
                               "max_tokens and max_completion_tokens are two names of one limit "
                               "and differ; send one of them.");
    }
    p->request->sampling.max_output_tokens =
        chat->max_completion_tokens.is_set ? chat->max_completion_tokens : chat->max_tokens;
    return REMORA_OK;
}

/* Two that say whether there is to be reasoning, or whether it is shown, and differ. */
static enum remora_code check_reasoning_switches(struct parse *p, const struct chat *chat)
{
    const struct remora_reasoning_options *reasoning = &p->request->reasoning;
    if (p->excludes != REMORA_UNSET && p->excludes == chat->include_reasoning) {
        const char *said = p->excludes == REMORA_YES ? "true" : "false";
        return remora_fail_set(p->fail, REMORA_INVALID_REQUEST, "include_reasoning",
                               "include_reasoning: %s and reasoning.exclude: %s contradict each "
                               "other; send one of them.",
                               said, said);
    }
    if (!remora_reasoning_contradicts(reasoning)) {
        return REMORA_OK;
    }
    return remora_fail_set(
        p->fail, REMORA_INVALID_REQUEST, "reasoning.enabled",
        "reasoning.enabled: %s and %s: %s contradict each other; send one of them.",
        reasoning->enabled == REMORA_YES ? "true" : "false",
        reasoning->is_shorthand ? "reasoning_effort" : "reasoning.effort",
        remora_effort_name(reasoning->effort));
}

/* reasoning_effort and include_reasoning are other names for parts of `reasoning` (openrouter.md 2). */
static enum remora_code check_reasoning(struct parse *p, const struct chat *chat)
{
    struct remora_reasoning_options *reasoning = &p->request->reasoning;
    if (chat->effort != REMORA_EFFORT_UNSET && reasoning->effort != REMORA_EFFORT_UNSET &&
        chat->effort != reasoning->effort) {
        return remora_fail_set(p->fail, REMORA_INVALID_REQUEST, "reasoning_effort",
                               "reasoning_effort and reasoning.effort differ; send one of them.");
    }
    if (chat->effort != REMORA_EFFORT_UNSET) {
        reasoning->is_shorthand = reasoning->effort == REMORA_EFFORT_UNSET;
        reasoning->effort = chat->effort;
    }
    if (chat->include_reasoning == REMORA_NO) {
        reasoning->exclude_from_response = true;
    }
    return check_reasoning_switches(p, chat);
}

static enum remora_code check_together(struct parse *p, const struct chat *chat)
{
    const struct remora_request *request = p->request;
    if (!chat->has_messages) {
        return remora_fail_set(p->fail, REMORA_INVALID_REQUEST, "messages",
                               "messages is missing; send an array with at least one message.");
    }
    if (request->top_logprobs.is_set && request->logprobs != REMORA_YES) {
        return remora_fail_set(p->fail, REMORA_INVALID_REQUEST, "top_logprobs",
                               "top_logprobs needs logprobs: true.");
    }
    const char *why = remora_tool_choice_check(request);
    if (why != NULL) {
        return remora_fail_set(p->fail, REMORA_INVALID_REQUEST, "tool_choice", "tool_choice %s",
                               why);
    }
    enum remora_code code = check_max_tokens(p, chat);
    return code == REMORA_OK ? check_reasoning(p, chat) : code;
}

/* The front puts x-session-id there; the body's session beats it (openrouter.md section 2, `session_id`). */
static enum remora_code check_session(struct parse *p)
{
    return p->request->session_id.length <= REMORA_LIMIT_ID_BYTES
               ? REMORA_OK
               : remora_fail_set(p->fail, REMORA_INVALID_REQUEST, "x-session-id",
                                 "The header x-session-id must be at most %d bytes.",
                                 (int)REMORA_LIMIT_ID_BYTES);
}

static void set_encoder(const struct remora_skin_input *input, const struct parse *p)
{
    struct remora_encoder *encoder = p->encoder;
    encoder->surface = input->surface;
    encoder->state = (uint32_t)p->request->sampling.choice_count.value;
    encoder->wants_usage_chunk = input->surface == REMORA_SURFACE_OPENROUTER || p->includes_usage;
}

enum remora_code chat_parse(const struct remora_skin_input *input, struct remora_arena *arena,
                            struct remora_request *request, struct remora_encoder *encoder,
                            struct remora_fail *fail)
{
    static const struct parse_table table = PARSE_TABLE(chat_fields, read_request_member);
    struct remora_json_doc doc;
    struct parse p = {
        .arena = arena, .request = request, .encoder = encoder, .fail = fail, .path = ""};
    if (input->body.length == 0) {
        return parse_refuse(&p, REMORA_INVALID_REQUEST, "is empty; send a JSON object.");
    }
    enum remora_code code = parse_document(&p, input->body, &doc);
    if (code != REMORA_OK) {
        return code;
    }
    struct chat chat = {.request = request};
    request->operation = REMORA_OPERATION_CHAT;
    request->body_bytes = input->body.length;
    code = parse_object(&p, remora_json_root(&doc), &table, &chat);
    if (code != REMORA_OK) {
        return code;
    }
    code = check_together(&p, &chat);
    if (code == REMORA_OK) {
        code = check_session(&p);
    }
    if (code == REMORA_OK) {
        set_encoder(input, &p);
    }
    return code;
}
