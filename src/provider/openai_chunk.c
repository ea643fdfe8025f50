/*
 * One JSON object of an openai-chat answer into events: a chunk (choices[].delta) or a whole answer (choices[].message).
 *
 * Order within an object: an error; started (once); per choice text, reasoning, refusal, tool calls, media, annotations,
 * then its finish; usage; members that have no name here. An object that yields nothing is a sign of life (role, empty delta, filter results).
 * The finish of a stream's choice is held until it is known that nothing of that choice follows (struct openai_ending).
 * Ways to fail: it is no JSON (BAD_JSON), it holds an error (IN_BAND, as what the error says), a choice index is out of
 * range (BAD_EVENT), memory.
 * Sources: providers.md sections 1, 2 (first chunk without id), 8 (reasoning fields, content parts, usage places),
 * 0.2 (finish reasons), 0.3 (errors under 200); openrouter.md 9 (reasoning_details, images, annotations).
 */
#include "openai.h"

#include "openai_members.h"
#include "openai_parts.h"

#include "envelope.h"

struct remora_slice openai_text(struct remora_json object, const char *key,
                                struct remora_arena *scratch)
{
    return openai_text_of(remora_json_get(object, key), scratch);
}

struct remora_slice openai_text_of(struct remora_json value, struct remora_arena *scratch)
{
    struct remora_slice text = {0};
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
    /* What ends an answer that its server gave up: vLLM, SGLang and Z.ai say abort, others the rest. */
    {"abort", REMORA_FINISH_ERROR},
    {"aborted", REMORA_FINISH_ERROR},
    {"cancelled", REMORA_FINISH_ERROR},
    {"canceled", REMORA_FINISH_ERROR},
    {"timeout", REMORA_FINISH_ERROR}, /* Cohere */
    /* Words of other wires, which gateways pass through: Anthropic's, Bedrock's, Cohere's, Google's. */
    {"pause_turn", REMORA_FINISH_STOP},
    {"refusal", REMORA_FINISH_CONTENT_FILTER},
    {"guardrail_intervened", REMORA_FINISH_CONTENT_FILTER},
    {"content_filtered", REMORA_FINISH_CONTENT_FILTER},
    {"complete", REMORA_FINISH_STOP},
    {"tool_call", REMORA_FINISH_TOOL_CALLS},
    {"continuation", REMORA_FINISH_LENGTH},
    {"safety", REMORA_FINISH_CONTENT_FILTER},
    {"recitation", REMORA_FINISH_CONTENT_FILTER},
    {"language", REMORA_FINISH_CONTENT_FILTER},
    {"blocklist", REMORA_FINISH_CONTENT_FILTER},
    {"prohibited_content", REMORA_FINISH_CONTENT_FILTER},
    {"spii", REMORA_FINISH_CONTENT_FILTER},
    {"image_safety", REMORA_FINISH_CONTENT_FILTER},
    {"image_prohibited_content", REMORA_FINISH_CONTENT_FILTER},
    {"image_recitation", REMORA_FINISH_CONTENT_FILTER},
    {"unexpected_tool_call", REMORA_FINISH_ERROR},
    {"too_many_tool_calls", REMORA_FINISH_ERROR},
    {"no_image", REMORA_FINISH_ERROR},
    {"image_other", REMORA_FINISH_ERROR},
    {"other", REMORA_FINISH_ERROR},
};

static bool begins_nocase(struct remora_slice text, struct remora_slice prefix)
{
    return text.length >= prefix.length &&
           remora_slice_equal_nocase(remora_slice(text.data, prefix.length), prefix);
}

/* UNSET: a word that nobody documents. Behind a colon some servers say more ("content_filter: PROHIBITED_CONTENT"). */
static enum remora_finish finish_of(struct remora_slice native)
{
    struct remora_slice word =
        remora_slice_trim(remora_slice(native.data, remora_slice_find(native, ':', 0)));
    for (size_t i = 0; i < REMORA_COUNT_OF(finish_words); i++) {
        if (remora_slice_equal_nocase(word, remora_slice_of(finish_words[i].text))) {
            return finish_words[i].finish;
        }
    }
    /* Google's function_call, Bedrock's model_output and tool_use. */
    return begins_nocase(word, REMORA_SLICE("malformed_")) ? REMORA_FINISH_ERROR
                                                           : REMORA_FINISH_UNSET;
}

static bool is_held(const struct openai_decoder *decoder)
{
    return remora_buf_slice(&decoder->held_arguments).length > 0 ||
           remora_buf_slice(&decoder->held_id).length > 0;
}

/* What a provider says of an end: its own words, and the stop text that it was. */
struct end_words {
    struct remora_slice native;
    struct remora_slice stop;
};

static enum remora_code put_finish(struct openai_feed *feed, int32_t choice,
                                   enum remora_finish finish, const struct end_words *words)
{
    struct openai_decoder *decoder = feed->decoder;
    if (is_held(decoder)) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_EVENT,
                             "The provider's answer has a tool call without a name.");
    }
    if (finish == REMORA_FINISH_STOP && openai_bit(&decoder->has_calls, choice)) {
        finish = REMORA_FINISH_TOOL_CALLS;
    }
    enum remora_code code = openai_think_end(feed, choice);
    if (code == REMORA_OK && finish == REMORA_FINISH_TOOL_CALLS) {
        code = openai_fill_arguments(feed, choice);
        decoder->base.broken_arguments |= !openai_calls_are_whole(decoder, choice);
    }
    if (code != REMORA_OK) {
        return code;
    }
    openai_bit_set(&decoder->seen, choice);
    openai_bit_set(&decoder->finished, choice);
    const struct remora_event event = {
        .kind = REMORA_EVENT_CHOICE_FINISHED,
        .choice_index = choice,
        .finished = {.reason = finish, .native = words->native, .stop = words->stop},
    };
    return openai_put(feed, &event);
}

/* What we guess of an end must not be guessed over half a tool call. */
static enum remora_code refuse_half_call(struct openai_feed *feed, int32_t choice)
{
    if (is_held(feed->decoder) || openai_calls_are_whole(feed->decoder, choice)) {
        return REMORA_OK;
    }
    return openai_refuse(feed->fail, REMORA_CAUSE_TRUNCATED,
                         "The provider's answer ended inside the arguments of a tool call.");
}

/* Its own word is told beside the guess. */
static enum remora_code finish_unknown(struct openai_feed *feed, int32_t choice,
                                       const struct end_words *words)
{
    enum remora_code code = refuse_half_call(feed, choice);
    feed->decoder->base.unknown_finish = true;
    return code == REMORA_OK ? put_finish(feed, choice, REMORA_FINISH_STOP, words) : code;
}

static enum remora_code settle_finish(struct openai_feed *feed, int32_t choice,
                                      enum remora_finish finish, const struct end_words *words)
{
    return finish == REMORA_FINISH_UNSET ? finish_unknown(feed, choice, words)
                                         : put_finish(feed, choice, finish, words);
}

enum remora_code openai_release_end(struct openai_feed *feed)
{
    struct openai_ending *ending = &feed->decoder->ending;
    if (!ending->is_held) {
        return REMORA_OK;
    }
    struct remora_slice all = remora_buf_slice(&ending->words);
    const struct end_words words = {
        .native = remora_slice(all.data, ending->native_length),
        .stop = remora_slice(all.data + ending->native_length, all.length - ending->native_length),
    };
    ending->is_held = false;
    return settle_finish(feed, ending->choice, ending->finish, &words);
}

/* Whether a finish reason stays though another follows it with nothing in between: one that says that the answer is cut or filtered,
 * against any; one that says that tools are called, against all that say less. */
static bool stays(enum remora_finish first, enum remora_finish second)
{
    bool is_vague = second == REMORA_FINISH_STOP || second == REMORA_FINISH_UNSET;
    return first == REMORA_FINISH_LENGTH || first == REMORA_FINISH_CONTENT_FILTER ||
           (first == REMORA_FINISH_TOOL_CALLS && is_vague);
}

/* Of two finish reasons the one that stays counts, else the last; the same once more tells nothing. */
static enum remora_code hold_finish(struct openai_feed *feed, int32_t choice,
                                    enum remora_finish finish, const struct end_words *words)
{
    struct openai_ending *ending = &feed->decoder->ending;
    bool is_same = ending->is_held && ending->choice == choice;
    if (is_same && (ending->finish == finish || stays(ending->finish, finish))) {
        return REMORA_OK;
    }
    enum remora_code code = is_same ? REMORA_OK : openai_release_end(feed);
    remora_buf_reset(&ending->words, 0);
    remora_buf_append(&ending->words, words->native);
    remora_buf_append(&ending->words, words->stop);
    if (code == REMORA_OK && remora_buf_code(&ending->words) != REMORA_OK) {
        code = openai_no_memory(feed->fail);
    }
    ending->is_held = code == REMORA_OK;
    ending->choice = choice;
    ending->finish = finish;
    ending->native_length = words->native.length;
    feed->is_stateful = true;
    openai_bit_set(&feed->decoder->seen, choice);
    openai_bit_set(&feed->decoder->finished, choice);
    return code;
}

static enum remora_code decode_finish(struct openai_feed *feed, int32_t choice,
                                      struct remora_slice word, const struct end_words *words)
{
    enum remora_finish finish = finish_of(word);
    if (finish == REMORA_FINISH_ERROR) {
        bool is_full = remora_slice_is(word, "insufficient_system_resource");
        const struct envelope envelope = {
            .type = is_full ? REMORA_SLICE("overloaded_error") : (struct remora_slice){0},
            .retry_after_ms = -1,
        };
        return envelope_judge(&envelope, 0, feed->decoder->base.endpoint, REMORA_CAUSE_IN_BAND,
                              feed->fail);
    }
    return feed->is_whole ? settle_finish(feed, choice, finish, words)
                          : hold_finish(feed, choice, finish, words);
}

/* Of a choice that has content and no finish reason. What it was is ours to guess then. */
enum remora_code openai_finish_rest(struct openai_feed *feed)
{
    struct openai_decoder *decoder = feed->decoder;
    for (int32_t i = openai_unfinished(decoder); i >= 0; i = openai_unfinished(decoder)) {
        enum remora_code code = refuse_half_call(feed, i);
        decoder->base.lacks_finish = true;
        if (code == REMORA_OK) {
            code = put_finish(feed, i, REMORA_FINISH_STOP, &(struct end_words){0});
        }
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* ---- choices ---- */

static bool read_choice_index(struct remora_json value, uint32_t place, int32_t *out)
{
    int64_t index = place;
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
    return envelope_judge(&envelope, envelope.status, feed->decoder->base.endpoint,
                          REMORA_CAUSE_IN_BAND, feed->fail);
}

/* What ends a choice: an error of its own, or a finish reason with the citations of the chunk before it. */
static enum remora_code decode_choice_end(struct openai_feed *feed, int32_t index,
                                          struct remora_json choice,
                                          const struct remora_json members[CHOICE_MEMBERS],
                                          struct remora_json citations)
{
    struct remora_slice word = openai_text_of(members[CHOICE_FINISH_REASON], feed->scratch);
    enum remora_code code = REMORA_OK;
    if (remora_json_is(members[CHOICE_ERROR], REMORA_JSON_OBJECT)) {
        code = decode_error(feed, choice);
    }
    const struct openai_ending *ending = &feed->decoder->ending;
    bool is_again = openai_bit(&feed->decoder->finished, index);
    bool is_held = ending->is_held && ending->choice == index;
    if (code != REMORA_OK || word.length == 0 || (is_again && !is_held)) {
        return code;
    }
    code = is_again ? REMORA_OK : openai_decode_citations(feed, index, citations);
    struct end_words words = {
        .native = openai_text_of(members[CHOICE_NATIVE_FINISH_REASON], feed->scratch)};
    if (words.native.length == 0) {
        words.native = word;
    }
    if (feed->decoder->dialect->tells_stop_text) {
        words.stop = openai_text_of(members[CHOICE_STOP_REASON], feed->scratch);
    }
    return code == REMORA_OK ? decode_finish(feed, index, word, &words) : code;
}

static enum remora_code decode_choice(struct openai_feed *feed, struct remora_json choice,
                                      uint32_t place, struct remora_json citations)
{
    int32_t index = 0;
    struct remora_json members[CHOICE_MEMBERS];
    if (!remora_json_is(choice, REMORA_JSON_OBJECT)) {
        feed->decoder->base.ignored++;
        return REMORA_OK;
    }
    openai_choice_members(choice, members);
    if (!read_choice_index(members[CHOICE_INDEX], place, &index)) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_EVENT,
                             "The provider's answer has a choice with an impossible index.");
    }
    /* Perplexity repeats the whole text in `message` beside each delta. */
    struct remora_json body = remora_json_is(members[CHOICE_DELTA], REMORA_JSON_OBJECT)
                                  ? members[CHOICE_DELTA]
                                  : members[CHOICE_MESSAGE];
    enum remora_code code = openai_decode_body(feed, index, body, members[CHOICE_LOGPROBS]);
    return code == REMORA_OK ? decode_choice_end(feed, index, choice, members, citations) : code;
}

static enum remora_code decode_choices(struct openai_feed *feed,
                                       const struct remora_json members[CHUNK_MEMBERS])
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, members[CHUNK_CHOICES]);
    while (remora_json_iter_next(&it)) {
        enum remora_code code = decode_choice(feed, it.value, it.index, members[CHUNK_CITATIONS]);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* ---- the object ---- */

/* Azure's first chunk has neither id nor choices: it starts nothing (providers.md section 2). */
static enum remora_code decode_start(struct openai_feed *feed,
                                     const struct remora_json members[CHUNK_MEMBERS])
{
    struct openai_decoder *decoder = feed->decoder;
    struct remora_arena *scratch = feed->scratch;
    struct remora_json choices = members[CHUNK_CHOICES];
    if (decoder->has_started) {
        return REMORA_OK;
    }
    struct remora_slice id = openai_text_of(members[CHUNK_ID], scratch);
    bool has_choices = remora_json_is(choices, REMORA_JSON_ARRAY) && remora_json_count(choices) > 0;
    if (id.length == 0 && !has_choices) {
        return REMORA_OK;
    }
    struct remora_event event = {
        .kind = REMORA_EVENT_STARTED,
        .started = {.upstream_id = id,
                    .model = openai_text_of(members[CHUNK_MODEL], scratch),
                    .system_fingerprint =
                        openai_text_of(members[CHUNK_SYSTEM_FINGERPRINT], scratch),
                    .service_tier = openai_text_of(members[CHUNK_SERVICE_TIER], scratch)},
    };
    int64_t created = 0;
    if (remora_json_int64(members[CHUNK_CREATED], &created) && created > 0) {
        event.started.created_unix_s = created;
    }
    decoder->has_started = true;
    decoder->answer_hash = openai_hash_on(openai_hash(decoder->base.generation_id), id);
    return openai_put(feed, &event);
}

/* Top level; else Groq's x_groq.usage; else Moonshot's choices[0].usage. */
static struct remora_json find_usage(const struct remora_json members[CHUNK_MEMBERS])
{
    struct remora_json usage = members[CHUNK_USAGE];
    struct remora_json choices = members[CHUNK_CHOICES];
    if (!remora_json_is(usage, REMORA_JSON_OBJECT) &&
        remora_json_is(members[CHUNK_X_GROQ], REMORA_JSON_OBJECT)) {
        usage = remora_json_get(members[CHUNK_X_GROQ], "usage");
    }
    if (!remora_json_is(usage, REMORA_JSON_OBJECT) && remora_json_is(choices, REMORA_JSON_ARRAY)) {
        struct remora_json choice[CHOICE_MEMBERS];
        openai_choice_members(remora_json_at(choices, 0), choice);
        usage = choice[CHOICE_USAGE];
    }
    return usage;
}

/* Not counted: a chunk that says something further is alive or plain for what else it says. */
static enum remora_code put_further(struct openai_feed *feed, struct remora_slice name,
                                    struct remora_json value)
{
    const struct remora_event event = {
        .kind = REMORA_EVENT_FURTHER,
        .further = {.name = name, .value = remora_json_raw(value)},
    };
    enum remora_code code = feed->out->put(feed->out->context, &event);
    feed->put_failed |= code != REMORA_OK;
    return code;
}

static enum remora_code decode_usage(struct openai_feed *feed,
                                     const struct remora_json members[CHUNK_MEMBERS])
{
    struct remora_json usage = find_usage(members);
    struct remora_event event = {.kind = REMORA_EVENT_USAGE};
    enum usage_rule rule = feed->decoder->dialect->usage_rule;
    if (!remora_json_is(usage, REMORA_JSON_OBJECT)) {
        return REMORA_OK;
    }
    enum remora_code code = put_further(feed, remora_slice(NULL, 0), usage);
    if (code != REMORA_OK || !openai_read_usage(usage, rule, &event.usage)) {
        return code;
    }
    feed->decoder->has_usage = true;
    return openai_put(feed, &event);
}

/* Members that nothing here reads. null says no more than an absent one. */
static enum remora_code decode_further(struct openai_feed *feed, struct remora_json root)
{
    struct remora_json_iter it;
    enum remora_code code = REMORA_OK;
    remora_json_iter_begin(&it, root);
    while (code == REMORA_OK && remora_json_iter_next(&it)) {
        if (!openai_is_chunk_member(it.key) && !openai_is_padding(it.key) &&
            !remora_json_is_null(it.value)) {
            code = put_further(feed, remora_json_raw(it.key), it.value);
        }
    }
    return code;
}

/* Whether reading an envelope (envelope.c) can find anything at all: seldom, so it is asked first. */
static bool may_be_error(struct remora_json root, const struct remora_json members[CHUNK_MEMBERS])
{
    struct remora_json object = members[CHUNK_OBJECT];
    return remora_json_is(root, REMORA_JSON_ARRAY) ||
           remora_json_is_absent(members[CHUNK_CHOICES]) ||
           !remora_json_is_null(members[CHUNK_ERROR]) ||
           !remora_json_is_absent(members[CHUNK_BASE_RESP]) ||
           !remora_json_is_absent(members[CHUNK_SUCCESS]) ||
           (remora_json_is(object, REMORA_JSON_STRING) && remora_json_equals(object, "error"));
}

static enum remora_code decode_members(struct openai_feed *feed, struct remora_json root,
                                       const struct remora_json members[CHUNK_MEMBERS])
{
    uint64_t before = feed->events;
    enum remora_code code = may_be_error(root, members) ? decode_error(feed, root) : REMORA_OK;
    if (code == REMORA_OK && remora_json_is(members[CHUNK_X_GROQ], REMORA_JSON_OBJECT)) {
        code = decode_error(feed, members[CHUNK_X_GROQ]);
    }
    if (code == REMORA_OK) {
        code = decode_start(feed, members);
    }
    if (code == REMORA_OK) {
        code = decode_choices(feed, members);
    }
    if (code == REMORA_OK && feed->is_whole && feed->is_proven && feed->decoder->has_content) {
        code = openai_finish_rest(feed);
    }
    if (code == REMORA_OK) {
        code = decode_usage(feed, members);
    }
    if (code == REMORA_OK && feed->scratch->failed != REMORA_OK) {
        return openai_no_memory(feed->fail);
    }
    return code == REMORA_OK && feed->events == before ? openai_put_alive(feed) : code;
}

/* One text and nothing else came of it, and no string but that one could have changed what came. */
static bool is_plain(const struct openai_feed *feed, uint64_t events, uint64_t ignored,
                     struct remora_json root, const struct remora_json members[CHUNK_MEMBERS])
{
    return feed->events == events + 1 && feed->plain.text.length > 0 && !feed->is_stateful &&
           !feed->is_whole && feed->decoder->base.ignored == ignored &&
           !may_be_error(root, members) && remora_json_is_null(members[CHUNK_X_GROQ]);
}

static enum remora_code decode_root(struct openai_feed *feed, struct remora_slice text,
                                    struct remora_json root)
{
    uint64_t events = feed->events;
    uint64_t ignored = feed->decoder->base.ignored;
    struct remora_json members[CHUNK_MEMBERS];
    uint32_t further = openai_chunk_members(root, members);
    feed->is_stateful = false;
    feed->plain = (struct openai_plain){0};
    enum remora_code code = decode_members(feed, root, members);
    if (code == REMORA_OK && further > 0) {
        code = decode_further(feed, root);
    }
    if (code == REMORA_OK && is_plain(feed, events, ignored, root, members)) {
        openai_mold_learn(&feed->decoder->mold, text, root, &feed->plain);
    }
    return code;
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
    enum remora_code code =
        remora_json_parse_folded(text, feed->scratch, &limits, &openai_logprobs_fold, doc, &where);
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
    return decode_root(feed, text, root);
}
