/*
 * ChatRequest and StreamChatRequest -> struct remora_request.
 *
 *   1. pre-scan and unpack into the request's arena (unpack.c)
 *   2. every field is judged as the HTTP skin judges it and put into the request; text is borrowed from the arena
 *   3. what the caller stated is noted for require_parameters and `dropped`, in the order of the proto's fields
 *
 * Fails with INVALID_REQUEST and the proto's path, UNIMPLEMENTED naming a documented field that is not built (never ignored
 * in silence: ARCHITECTURE 5), TOO_LARGE or SHEDDING.
 *
 * Sources: proto/remora/v1/chat.proto; ranges: reference/openrouter.md section 2.
 */
#include "decode.h"

#include <stdio.h>
#include <stdlib.h>

#include "reader.h"
#include "schemas.h"
#include "unpack.h"

typedef enum remora_code (*step_fn)(struct reader *r, const Remora__V1__ChatRequest *chat);

static enum remora_code read_model(struct reader *r, const char *field, ProtobufCBinaryData value,
                                   struct remora_slice *out)
{
    struct remora_slice model = remora_pb_slice(value);
    if (model.length == 0 || model.length > REMORA_LIMIT_MODEL_ID_BYTES) {
        char text[40];
        snprintf(text, sizeof text, "must hold 1 to %d bytes.", (int)REMORA_LIMIT_MODEL_ID_BYTES);
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field, text);
    }
    *out = model;
    return REMORA_OK;
}

static enum remora_code read_models(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    enum remora_code code = REMORA_OK;
    struct remora_slice ignored;
    if (chat->model.len > 0) {
        code = read_model(r, "model", chat->model, &r->request->model);
    }
    if (chat->n_fallback_models > REMORA_LIMIT_MODELS) {
        char text[48];
        snprintf(text, sizeof text, "must have %d items or fewer.", (int)REMORA_LIMIT_MODELS);
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "fallback_models", text);
    }
    for (size_t i = 0; code == REMORA_OK && i < chat->n_fallback_models; i++) {
        char place[40];
        snprintf(place, sizeof place, "fallback_models[%zu]", i);
        code = read_model(r, place, chat->fallback_models[i], &ignored);
    }
    return code == REMORA_OK ? reader_slices(r, chat->fallback_models, chat->n_fallback_models,
                                             &r->request->models)
                             : code;
}

/* ---- sampling ---- */

struct number {
    const char *field;
    bool is_set;
    double value;
    struct reader_range range;
    enum remora_parameter asks;
    struct remora_opt_f64 *out;
};

static enum remora_code read_numbers(struct reader *r, const Remora__V1__SamplingOptions *s,
                                     struct remora_sampling *out)
{
#define NUMBER(member, parameter, ...)                                                  \
    {                                                                                   \
#member, s->has_##member, s->member, __VA_ARGS__, REMORA_PARAMETER_##parameter, \
            &out->member                                                                \
    }
    const struct number numbers[] = {
        NUMBER(temperature, TEMPERATURE, {0, 2, false}),
        NUMBER(top_p, TOP_P, {0, 1, true}),
        NUMBER(min_p, MIN_P, {0, 1, false}),
        NUMBER(frequency_penalty, FREQUENCY_PENALTY, {-2, 2, false}),
        NUMBER(presence_penalty, PRESENCE_PENALTY, {-2, 2, false}),
        NUMBER(repetition_penalty, REPETITION_PENALTY, {0, 2, false}),
        NUMBER(top_a, TOP_A, {0, 1, false}),
    };
#undef NUMBER
    for (size_t i = 0; i < REMORA_COUNT_OF(numbers); i++) {
        const struct number *n = &numbers[i];
        enum remora_code code =
            reader_f64(r, n->field, n->is_set, n->value, &n->range, n->asks, n->out);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* The integers that a double holds exactly: the same as over JSON. */
#define SEED_MOST (INT64_C(1) << 53)

static enum remora_code read_integers(struct reader *r, const Remora__V1__SamplingOptions *s,
                                      struct remora_sampling *out)
{
    enum remora_code code =
        reader_i64(r, "max_output_tokens", s->has_max_output_tokens, s->max_output_tokens, 1,
                   INT32_MAX, REMORA_PARAMETER_MAX_TOKENS, &out->max_output_tokens);
    if (code == REMORA_OK) {
        code = reader_i64(r, "top_k", s->has_top_k, s->top_k, 0, INT32_MAX, REMORA_PARAMETER_TOP_K,
                          &out->top_k);
    }
    if (code == REMORA_OK) {
        code = reader_i64(r, "seed", s->has_seed, s->seed, -SEED_MOST, SEED_MOST,
                          REMORA_PARAMETER_SEED, &out->seed);
    }
    if (code == REMORA_OK) {
        /* One choice is what everybody gives without being asked. */
        enum remora_parameter asks =
            s->choice_count == 1 ? REMORA_PARAMETER_COUNT : REMORA_PARAMETER_N;
        code = reader_i64(r, "choice_count", s->has_choice_count, s->choice_count, 1,
                          REMORA_LIMIT_CHOICES, asks, &out->choice_count);
    }
    return code;
}

static enum remora_code read_stop(struct reader *r, const Remora__V1__SamplingOptions *s,
                                  struct remora_sampling *out)
{
    if (s->n_stop > REMORA_LIMIT_STOPS) {
        char text[48];
        snprintf(text, sizeof text, "must have at most %d strings.", (int)REMORA_LIMIT_STOPS);
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "stop", text);
    }
    if (s->n_stop > 0) {
        remora_request_ask(r->request, REMORA_PARAMETER_STOP);
    }
    return reader_slices(r, s->stop, s->n_stop, &out->stop);
}

static enum remora_code read_bias(struct reader *r,
                                  const Remora__V1__SamplingOptions__LogitBiasEntry *from,
                                  const Remora__V1__SamplingOptions__LogitBiasEntry *before,
                                  struct remora_logit_bias *out)
{
    static const struct reader_range RANGE = {-100, 100, false};
    struct remora_opt_f64 bias = {0};
    char place[32];
    snprintf(place, sizeof place, "logit_bias[%ld]", (long)from->key);
    if (from->key < 0) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, place,
                                   "must be the number of a token.");
    }
    if (before != NULL && before->key == from->key) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, place, "is named twice.");
    }
    enum remora_code code =
        reader_f64(r, place, true, from->value, &RANGE, REMORA_PARAMETER_LOGIT_BIAS, &bias);
    *out = (struct remora_logit_bias){.token = from->key, .bias = bias.value};
    return code;
}

static int compare_bias(const void *a, const void *b)
{
    int32_t x = (*(const Remora__V1__SamplingOptions__LogitBiasEntry *const *)a)->key;
    int32_t y = (*(const Remora__V1__SamplingOptions__LogitBiasEntry *const *)b)->key;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* In ascending order of tokens: a map has no order of its own, and one that is named twice is found. */
static enum remora_code read_logit_bias(struct reader *r, const Remora__V1__SamplingOptions *s,
                                        struct remora_sampling *out)
{
    size_t count = s->n_logit_bias;
    if (count == 0) {
        return REMORA_OK;
    }
    struct remora_logit_bias *biases = remora_arena_array(r->arena, count, sizeof *biases);
    if (biases == NULL) {
        return reader_no_room(r);
    }
    qsort(s->logit_bias, count, sizeof s->logit_bias[0], compare_bias);
    for (size_t i = 0; i < count; i++) {
        enum remora_code code =
            read_bias(r, s->logit_bias[i], i == 0 ? NULL : s->logit_bias[i - 1], &biases[i]);
        if (code != REMORA_OK) {
            return code;
        }
    }
    out->logit_bias = biases;
    out->logit_bias_count = count;
    return REMORA_OK;
}

static enum remora_code read_sampling(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    const Remora__V1__SamplingOptions *s = chat->sampling;
    struct remora_sampling *out = &r->request->sampling;
    if (s == NULL) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, "sampling", -1);
    enum remora_code code = read_numbers(r, s, out);
    if (code == REMORA_OK) {
        code = read_integers(r, s, out);
    }
    if (code == REMORA_OK) {
        code = read_stop(r, s, out);
    }
    if (code == REMORA_OK) {
        code = read_logit_bias(r, s, out);
    }
    reader_leave(r, mark);
    return code;
}

/* ---- the other options ---- */

static enum remora_code read_parallel(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    r->request->parallel_tool_calls =
        reader_tristate(chat->has_parallel_tool_calls, chat->parallel_tool_calls);
    if (chat->has_parallel_tool_calls) {
        remora_request_ask(r->request, REMORA_PARAMETER_PARALLEL_TOOL_CALLS);
    }
    return REMORA_OK;
}

static enum remora_code read_format(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    return reader_response_format(r, chat->response_format);
}

static enum remora_code read_reasoning(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    static const char *const SUMMARIES[] = {"auto", "concise", "detailed"};
    static const char *const CONTEXTS[] = {"auto", "all_turns", "current_turn"};
    const Remora__V1__ReasoningOptions *from = chat->reasoning;
    struct remora_reasoning_options *out = &r->request->reasoning;
    if (from == NULL) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, "reasoning", -1);
    enum remora_code code = reader_i64(r, "max_tokens", from->has_max_tokens, from->max_tokens, 1,
                                       INT32_MAX, REMORA_PARAMETER_COUNT, &out->max_tokens);
    if (code == REMORA_OK && (from->effort < 0 || from->effort > (int)REMORA_EFFORT_MAX)) {
        code = reader_refuse_field(r, REMORA_INVALID_REQUEST, "effort",
                                   "must be one of the values of ReasoningOptions.Effort.");
    }
    if (code == REMORA_OK) {
        code = reader_word(r, "summary", from->summary, SUMMARIES, REMORA_COUNT_OF(SUMMARIES),
                           &out->summary);
    }
    if (code == REMORA_OK) {
        code = reader_word(r, "context", from->context, CONTEXTS, REMORA_COUNT_OF(CONTEXTS),
                           &out->context);
    }
    out->effort = (enum remora_effort)from->effort;
    out->exclude_from_response = from->exclude_from_response != 0;
    out->enabled = reader_tristate(from->has_enabled, from->enabled);
    if (code == REMORA_OK && remora_reasoning_contradicts(out)) {
        code = reader_refuse_field(r, REMORA_INVALID_REQUEST, "enabled",
                                   "and effort contradict each other; send one of them.");
    }
    reader_leave(r, mark);
    if (!remora_reasoning_only_hides(out)) {
        remora_request_ask(r->request, REMORA_PARAMETER_REASONING);
    }
    return code;
}

static enum remora_code read_logprobs(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    const Remora__V1__LogprobOptions *from = chat->logprobs;
    if (from == NULL) {
        return REMORA_OK;
    }
    if (from->has_top_count && !from->enabled) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "logprobs.top_count",
                                   "needs logprobs.enabled: true.");
    }
    r->request->logprobs = from->enabled ? REMORA_YES : REMORA_NO;
    if (from->enabled) {
        remora_request_ask(r->request, REMORA_PARAMETER_LOGPROBS);
    }
    return reader_i64(r, "logprobs.top_count", from->has_top_count, from->top_count, 0, 20,
                      REMORA_PARAMETER_TOP_LOGPROBS, &r->request->top_logprobs);
}

static enum remora_code read_cache(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    const Remora__V1__CacheOptions *from = chat->cache;
    if (from == NULL) {
        return REMORA_OK;
    }
    if (from->has_gateway_cache && from->gateway_cache) {
        return reader_unbuilt(r, "cache.gateway_cache");
    }
    if (from->ttl != NULL) {
        return reader_unbuilt(r, "cache.ttl");
    }
    r->request->gateway_cache = reader_tristate(from->has_gateway_cache, from->gateway_cache);
    if (from->prompt_key.len > 0) {
        remora_request_ask(r->request, REMORA_PARAMETER_PROMPT_CACHE_KEY);
    }
    return reader_id(r, "cache.prompt_key", from->prompt_key, &r->request->prompt_cache_key);
}

static enum remora_code read_ids(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    enum remora_code code =
        reader_id(r, "end_user_id", chat->end_user_id, &r->request->end_user_id);
    if (code == REMORA_OK && chat->end_user_id.len > 0) {
        remora_request_ask(r->request, REMORA_PARAMETER_USER);
    }
    return code == REMORA_OK ? reader_id(r, "session_id", chat->session_id, &r->request->session_id)
                             : code;
}

/* ---- tags: at most 16 pairs, key <= 64 bytes without brackets, value <= 512 (openrouter.md 2) ---- */

enum { TAGS_MOST = 16, TAG_KEY_MOST = 64, TAG_VALUE_MOST = 512 };

static enum remora_code read_tag(struct reader *r, const struct remora_pair *tag,
                                 const struct remora_pair *before)
{
    if (tag->key.length > TAG_KEY_MOST || remora_slice_find(tag->key, '[', 0) < tag->key.length ||
        remora_slice_find(tag->key, ']', 0) < tag->key.length) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "tags",
                                   "must have names of at most 64 bytes without brackets.");
    }
    if (tag->value.length > TAG_VALUE_MOST) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "tags",
                                   "must have values of at most 512 bytes.");
    }
    for (const struct remora_pair *other = before; other < tag; other++) {
        if (remora_slice_equal(other->key, tag->key)) {
            return reader_refuse_field(r, REMORA_INVALID_REQUEST, "tags", "names a tag twice.");
        }
    }
    return REMORA_OK;
}

static enum remora_code read_tags(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    size_t count = chat->n_tags;
    if (count > TAGS_MOST) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "tags",
                                   "must have at most 16 pairs.");
    }
    struct remora_pair *tags = remora_arena_array(r->arena, TAGS_MOST, sizeof *tags);
    if (tags == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < count; i++) {
        tags[i].key = remora_pb_slice(chat->tags[i]->key);
        tags[i].value = remora_pb_slice(chat->tags[i]->value);
        enum remora_code code = read_tag(r, &tags[i], tags);
        if (code != REMORA_OK) {
            return code;
        }
    }
    r->request->tags = tags;
    r->request->tag_count = count;
    return REMORA_OK;
}

static enum remora_code read_words(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    static const char *const TIERS[] = {"auto", "default", "flex", "priority", "scale", "fast"};
    static const char *const VERBOSITIES[] = {"low", "medium", "high", "xhigh", "max"};
    struct remora_request *request = r->request;
    enum remora_code code = reader_word(r, "service_tier", chat->service_tier, TIERS,
                                        REMORA_COUNT_OF(TIERS), &request->service_tier);
    if (code == REMORA_OK) {
        code = reader_word(r, "verbosity", chat->verbosity, VERBOSITIES,
                           REMORA_COUNT_OF(VERBOSITIES), &request->verbosity);
    }
    if (remora_slice_is(request->service_tier, "fast")) {
        request->service_tier = REMORA_SLICE("priority"); /* openrouter.md 5.6 */
    }
    if (request->service_tier.length > 0) {
        remora_request_ask(request, REMORA_PARAMETER_SERVICE_TIER);
    }
    if (request->verbosity.length > 0) {
        remora_request_ask(request, REMORA_PARAMETER_VERBOSITY);
    }
    return code;
}

static const char *const modality_words[] = {"text", "image", "audio"};

/* One of the words, and not for the second time. */
static enum remora_code judge_modality(struct reader *r, const Remora__V1__ChatRequest *chat,
                                       size_t at)
{
    struct remora_slice word = {NULL, 0};
    char place[40];
    snprintf(place, sizeof place, "output_modalities[%zu]", at);
    enum remora_code code = reader_word(r, place, chat->output_modalities[at], modality_words,
                                        REMORA_COUNT_OF(modality_words), &word);
    if (code == REMORA_OK && word.length == 0) {
        code = reader_refuse_field(r, REMORA_INVALID_REQUEST, place,
                                   "must be one of text, image, audio.");
    }
    for (size_t i = 0; code == REMORA_OK && i < at; i++) {
        if (remora_slice_equal(remora_pb_slice(chat->output_modalities[i]), word)) {
            code = reader_refuse_field(r, REMORA_INVALID_REQUEST, place, "stands there already.");
        }
    }
    return code;
}

static enum remora_code read_modalities(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    if (chat->n_output_modalities > REMORA_COUNT_OF(modality_words)) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "output_modalities",
                                   "must have each of text, image, audio once.");
    }
    enum remora_code code = REMORA_OK;
    for (size_t i = 0; code == REMORA_OK && i < chat->n_output_modalities; i++) {
        code = judge_modality(r, chat, i);
    }
    if (code == REMORA_OK) {
        code = reader_slices(r, chat->output_modalities, chat->n_output_modalities,
                             &r->request->output_modalities);
    }
    if (code == REMORA_OK && remora_asks_beyond_text(&r->request->output_modalities)) {
        remora_request_ask(r->request, REMORA_PARAMETER_MODALITIES);
    }
    return code;
}

static enum remora_code read_provider(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    return reader_provider(r, chat->provider);
}

static enum remora_code read_extra(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    return reader_extra(r, chat->extra_body);
}

static enum remora_code refuse_unbuilt(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    if (chat->preset.len > 0) {
        return reader_unbuilt(r, "preset");
    }
    if (chat->n_plugins > 0) {
        return reader_unbuilt(r, "plugins");
    }
    return chat->idempotency_key.len > 0 ? reader_unbuilt(r, "idempotency_key") : REMORA_OK;
}

/* In the order of the proto's fields. */
static const step_fn STEPS[] = {
    read_models,    reader_messages, read_sampling, reader_tools, read_parallel, read_format,
    read_reasoning, read_logprobs,   read_cache,    read_ids,     read_tags,     refuse_unbuilt,
    read_words,     read_modalities, read_provider, read_extra,
};

static enum remora_code read_chat(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(STEPS); i++) {
        enum remora_code code = STEPS[i](r, chat);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* A chat request that is a field of another message. */
static enum remora_code read_inner(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    if (chat == NULL) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "chat", "is missing.");
    }
    size_t mark = reader_enter(r, "chat", -1);
    enum remora_code code = read_chat(r, chat);
    reader_leave(r, mark);
    return code;
}

static enum remora_code read_stream(struct reader *r, struct remora_slice bytes)
{
    Remora__V1__StreamChatRequest *stream = NULL;
    enum remora_code code = remora_grpc_unpack(bytes, &remora_schema_remora_v1_StreamChatRequest,
                                               &remora__v1__stream_chat_request__descriptor,
                                               r->arena, &stream, r->fail);
    if (code != REMORA_OK) {
        return code;
    }
    code = reader_duration(r, "idle_timeout", stream->idle_timeout, &r->request->idle_timeout_ms);
    return code == REMORA_OK ? read_inner(r, stream->chat) : code;
}

static enum remora_code read_unary(struct reader *r, struct remora_slice bytes)
{
    Remora__V1__ChatRequest *chat = NULL;
    enum remora_code code =
        remora_grpc_unpack(bytes, &remora_schema_remora_v1_ChatRequest,
                           &remora__v1__chat_request__descriptor, r->arena, &chat, r->fail);
    return code == REMORA_OK ? read_chat(r, chat) : code;
}

enum remora_code remora_grpc_decode_chat(struct remora_slice bytes, enum remora_delivery delivery,
                                         struct remora_arena *arena, struct remora_request *request,
                                         struct remora_fail *fail)
{
    struct reader r = {.arena = arena, .request = request, .fail = fail};
    request->operation = REMORA_OPERATION_CHAT;
    request->delivery = delivery;
    request->body_bytes = bytes.length;
    switch (delivery) {
    case REMORA_STREAM:
        return read_stream(&r, bytes);
    case REMORA_UNARY:
        return read_unary(&r, bytes);
    }
    return REMORA_INTERNAL;
}

enum remora_code remora_grpc_decode_explain(struct remora_slice bytes, struct remora_arena *arena,
                                            struct remora_request *request,
                                            struct remora_fail *fail)
{
    struct reader r = {.arena = arena, .request = request, .fail = fail};
    Remora__V1__ExplainRouteRequest *explain = NULL;
    request->operation = REMORA_OPERATION_CHAT;
    request->body_bytes = bytes.length;
    enum remora_code code =
        remora_grpc_unpack(bytes, &remora_schema_remora_v1_ExplainRouteRequest,
                           &remora__v1__explain_route_request__descriptor, arena, &explain, fail);
    return code == REMORA_OK ? read_inner(&r, explain->chat) : code;
}

enum remora_code remora_grpc_decode_count(struct remora_slice bytes, struct remora_arena *arena,
                                          struct remora_request *request, struct remora_fail *fail)
{
    struct reader r = {.arena = arena, .request = request, .fail = fail};
    Remora__V1__CountTokensRequest *count = NULL;
    request->operation = REMORA_OPERATION_CHAT;
    enum remora_code code =
        remora_grpc_unpack(bytes, &remora_schema_remora_v1_CountTokensRequest,
                           &remora__v1__count_tokens_request__descriptor, arena, &count, fail);
    if (code == REMORA_OK) {
        code = read_inner(&r, count->chat);
    }
    if (code == REMORA_OK) {
        request->body_bytes = protobuf_c_message_get_packed_size(&count->chat->base);
    }
    return code;
}
