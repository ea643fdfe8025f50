/*
 * One JSON object of an openai-chat answer into events: a chunk (choices[].delta) or a whole answer (choices[].message).
 *
 * Order within an object: an error; started (once); per choice text, reasoning, refusal, tool calls, media, annotations,
 * then its finish; usage. An object that yields nothing is a sign of life (role, empty delta, filter results).
 * Ways to fail: it is no JSON (BAD_JSON), it holds an error (IN_BAND, as what the error says), a choice index is out of
 * range (BAD_EVENT), memory.
 * Sources: providers.md sections 1, 2 (first chunk without id), 8 (reasoning fields, content parts, usage places),
 * 0.2 (finish reasons), 0.3 (errors under 200); openrouter.md 9 (reasoning_details, images, annotations).
 */
#include "openai.h"

#include "openai_parts.h"

#include "envelope.h"

struct remora_slice openai_text(struct remora_json object, const char *key,
                                struct remora_arena *scratch)
{
    struct remora_slice text = {0};
    struct remora_json value = remora_json_get(object, key);
    if (remora_json_is(value, REMORA_JSON_STRING) && remora_json_string(value, scratch, &text)) {
        return text;
    }
    return (struct remora_slice){0};
}

/* ---- finish ---- */

struct finish_word {
    const char *text;
    enum remora_finish finish;
};
static const struct finish_word finish_words[] = {
    {"stop", REMORA_FINISH_STOP},
    {"length", REMORA_FINISH_LENGTH},
    {"tool_calls", REMORA_FINISH_TOOL_CALLS},
    {"content_filter", REMORA_FINISH_CONTENT_FILTER},
    {"function_call", REMORA_FINISH_TOOL_CALLS},
    {"error", REMORA_FINISH_ERROR},
    {"eos", REMORA_FINISH_STOP},      /* Together */
    {"end_turn", REMORA_FINISH_STOP}, /* gateways that pass Anthropic's through */
    {"stop_sequence", REMORA_FINISH_STOP},
    {"max_tokens", REMORA_FINISH_LENGTH},
    {"tool_use", REMORA_FINISH_TOOL_CALLS},
    {"model_length", REMORA_FINISH_LENGTH},                  /* Mistral */
    {"model_context_window_exceeded", REMORA_FINISH_LENGTH}, /* Z.ai */
    {"sensitive", REMORA_FINISH_CONTENT_FILTER},             /* Z.ai */
    {"network_error", REMORA_FINISH_ERROR},                  /* Z.ai */
    {"insufficient_system_resource", REMORA_FINISH_ERROR},   /* DeepSeek */
};

/* A word that nobody documents ends the choice as well: the native one is told beside it. */
static enum remora_finish finish_of(struct remora_slice word)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(finish_words); i++) {
        if (remora_slice_equal_nocase(word, remora_slice_of(finish_words[i].text))) {
            return finish_words[i].finish;
        }
    }
    return REMORA_FINISH_STOP;
}

static bool is_held(const struct openai_decoder *decoder)
{
    return remora_buf_slice(&decoder->held_arguments).length > 0 ||
           remora_buf_slice(&decoder->held_id).length > 0;
}

static enum remora_code put_finish(struct openai_feed *feed, int32_t choice,
                                   enum remora_finish finish, struct remora_slice native)
{
    struct openai_decoder *decoder = feed->decoder;
    if (is_held(decoder)) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_EVENT,
                             "The provider's answer has a tool call without a name.");
    }
    if (finish == REMORA_FINISH_STOP && openai_bit(&decoder->has_calls, choice)) {
        finish = REMORA_FINISH_TOOL_CALLS;
    }
    openai_bit_set(&decoder->seen, choice);
    openai_bit_set(&decoder->finished, choice);
    const struct remora_event event = {
        .kind = REMORA_EVENT_CHOICE_FINISHED,
        .choice_index = choice,
        .finished = {.reason = finish, .native = native},
    };
    return openai_put(feed, &event);
}

static enum remora_code decode_finish(struct openai_feed *feed, int32_t choice,
                                      struct remora_json value)
{
    struct remora_slice word = openai_text(value, "finish_reason", feed->scratch);
    struct remora_slice native = openai_text(value, "native_finish_reason", feed->scratch);
    bool is_second = openai_bit(&feed->decoder->finished, choice);
    if (word.length == 0 || is_second) {
        return REMORA_OK;
    }
    enum remora_finish finish = finish_of(word);
    if (finish == REMORA_FINISH_ERROR) {
        bool is_full = remora_slice_is(word, "insufficient_system_resource");
        const struct envelope envelope = {
            .type = is_full ? REMORA_SLICE("overloaded_error") : (struct remora_slice){0},
            .retry_after_ms = -1,
        };
        return envelope_judge(&envelope, 0, REMORA_CAUSE_IN_BAND, feed->fail);
    }
    return put_finish(feed, choice, finish, native.length > 0 ? native : word);
}

enum remora_code openai_finish_rest(struct openai_feed *feed)
{
    struct openai_decoder *decoder = feed->decoder;
    for (int32_t i = 0; i < REMORA_LIMIT_CHOICES; i++) {
        if (!openai_bit(&decoder->seen, i) || openai_bit(&decoder->finished, i)) {
            continue;
        }
        decoder->base.ignored++;
        enum remora_code code = put_finish(feed, i, REMORA_FINISH_STOP, (struct remora_slice){0});
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* ---- choices ---- */

static bool read_choice_index(struct remora_json choice, uint32_t place, int32_t *out)
{
    int64_t index = place;
    struct remora_json value = remora_json_get(choice, "index");
    if (!remora_json_is_null(value) && !remora_json_int64(value, &index)) {
        return false;
    }
    if (index < 0 || index >= REMORA_LIMIT_CHOICES) {
        return false;
    }
    *out = (int32_t)index;
    return true;
}

static enum remora_code decode_error(struct openai_feed *feed, struct remora_json holder)
{
    struct envelope envelope;
    if (!envelope_read(holder, feed->scratch, &envelope)) {
        return REMORA_OK;
    }
    return envelope_judge(&envelope, envelope.status, REMORA_CAUSE_IN_BAND, feed->fail);
}

static enum remora_code decode_choice(struct openai_feed *feed, struct remora_json chunk,
                                      struct remora_json choice, uint32_t place)
{
    int32_t index = 0;
    enum remora_code code = REMORA_OK;
    if (!remora_json_is(choice, REMORA_JSON_OBJECT)) {
        feed->decoder->base.ignored++;
        return REMORA_OK;
    }
    if (!read_choice_index(choice, place, &index)) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_EVENT,
                             "The provider's answer has a choice with an impossible index.");
    }
    struct remora_json delta = remora_json_get(choice, "delta");
    /* Perplexity repeats the whole text in `message` beside each delta. */
    struct remora_json body =
        remora_json_is(delta, REMORA_JSON_OBJECT) ? delta : remora_json_get(choice, "message");
    code = openai_decode_body(feed, index, body, remora_json_get(choice, "logprobs"));
    if (code == REMORA_OK && remora_json_is(remora_json_get(choice, "error"), REMORA_JSON_OBJECT)) {
        code = decode_error(feed, choice);
    }
    struct remora_slice finish = openai_text(choice, "finish_reason", feed->scratch);
    bool ends = finish.length > 0 && !openai_bit(&feed->decoder->finished, index);
    if (code == REMORA_OK && ends) {
        code = openai_decode_citations(feed, index, remora_json_get(chunk, "citations"));
    }
    return code == REMORA_OK ? decode_finish(feed, index, choice) : code;
}

static enum remora_code decode_choices(struct openai_feed *feed, struct remora_json chunk)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, remora_json_get(chunk, "choices"));
    while (remora_json_iter_next(&it)) {
        enum remora_code code = decode_choice(feed, chunk, it.value, it.index);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* ---- the object ---- */

/* Azure's first chunk has neither id nor choices: it starts nothing (providers.md section 2). */
static enum remora_code decode_start(struct openai_feed *feed, struct remora_json chunk)
{
    struct openai_decoder *decoder = feed->decoder;
    struct remora_arena *scratch = feed->scratch;
    struct remora_slice id = openai_text(chunk, "id", scratch);
    bool has_choices = remora_json_count(remora_json_get(chunk, "choices")) > 0;
    if (decoder->has_started || (id.length == 0 && !has_choices)) {
        return REMORA_OK;
    }
    struct remora_event event = {
        .kind = REMORA_EVENT_STARTED,
        .started = {.upstream_id = id,
                    .model = openai_text(chunk, "model", scratch),
                    .system_fingerprint = openai_text(chunk, "system_fingerprint", scratch),
                    .service_tier = openai_text(chunk, "service_tier", scratch)},
    };
    int64_t created = 0;
    if (remora_json_int64(remora_json_get(chunk, "created"), &created) && created > 0) {
        event.started.created_unix_s = created;
    }
    decoder->has_started = true;
    decoder->answer_hash = openai_hash(id);
    return openai_put(feed, &event);
}

/* Top level; else Groq's x_groq.usage; else Moonshot's choices[0].usage. */
static enum remora_code decode_usage(struct openai_feed *feed, struct remora_json chunk)
{
    struct remora_json usage = remora_json_get(chunk, "usage");
    if (!remora_json_is(usage, REMORA_JSON_OBJECT)) {
        usage = remora_json_get(remora_json_get(chunk, "x_groq"), "usage");
    }
    if (!remora_json_is(usage, REMORA_JSON_OBJECT)) {
        struct remora_json choices = remora_json_get(chunk, "choices");
        usage = remora_json_is(choices, REMORA_JSON_ARRAY)
                    ? remora_json_get(remora_json_at(choices, 0), "usage")
                    : usage;
    }
    struct remora_event event = {.kind = REMORA_EVENT_USAGE};
    if (!openai_read_usage(usage, &event.usage)) {
        return REMORA_OK;
    }
    return openai_put(feed, &event);
}

static enum remora_code decode_members(struct openai_feed *feed, struct remora_json root)
{
    uint64_t before = feed->events;
    enum remora_code code = decode_error(feed, root);
    if (code == REMORA_OK) {
        code = decode_start(feed, root);
    }
    if (code == REMORA_OK) {
        code = decode_choices(feed, root);
    }
    if (code == REMORA_OK && feed->is_whole && feed->decoder->has_content) {
        code = openai_finish_rest(feed);
    }
    if (code == REMORA_OK) {
        code = decode_usage(feed, root);
    }
    if (code == REMORA_OK && feed->scratch->failed != REMORA_OK) {
        return openai_no_memory(feed->fail);
    }
    return code == REMORA_OK && feed->events == before ? openai_put_alive(feed) : code;
}

enum remora_code openai_decode_object(struct openai_feed *feed, struct remora_slice text)
{
    const struct remora_json_limits limits = {.depth = REMORA_LIMIT_JSON_DEPTH,
                                              .nodes = REMORA_LIMIT_JSON_UPSTREAM_NODES};
    struct remora_json_doc *doc = remora_arena_alloc(feed->scratch, sizeof *doc);
    struct remora_json_error where;
    if (doc == NULL) {
        return openai_no_memory(feed->fail);
    }
    enum remora_code code = remora_json_parse(text, feed->scratch, &limits, doc, &where);
    if (code == REMORA_SHEDDING) {
        return openai_no_memory(feed->fail);
    }
    if (code == REMORA_TOO_LARGE) {
        return openai_refuse(feed->fail, REMORA_CAUSE_TOO_LARGE,
                             "The provider sent an answer that is too large.");
    }
    if (code != REMORA_OK) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_JSON,
                             "The provider's answer is not valid JSON.");
    }
    struct remora_json root = remora_json_root(doc);
    bool is_container =
        remora_json_is(root, REMORA_JSON_OBJECT) || remora_json_is(root, REMORA_JSON_ARRAY);
    if (!is_container) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_JSON,
                             "The provider's answer is not a JSON object.");
    }
    return decode_members(feed, root);
}
