/*
 * Decoding an openai-chat answer: framing, and how it ended.
 *
 * Happy path of a stream: bytes -> SSE events -> one JSON object each (openai_chunk.c) -> events, until `[DONE]`.
 * Of a unary answer: bytes are gathered, and decoded as one object at the end.
 * Which of the two it is, the first byte that is not blank decides, not what was asked for: servers answer streams with a
 * JSON body and the other way round (reliability.md F31). `<` is a page for people: refused at once.
 *
 * Ends (ARCHITECTURE 6 "End of stream"): `[DONE]`, or every choice asked for finished, whether the body then ended cleanly
 * or not. Else: nothing at all is EMPTY, anything cut is TRUNCATED. A JSON body that does not parse is BAD_JSON.
 * Fewer choices than asked for behind an end that is proven are what the provider gives: an answer, and counted as missing.
 * Content behind the finish reason of its choice shows that it ended nothing: the next one counts, and where that has been so a cut is
 * one, whatever the reasons say. After `[DONE]` nothing is read. A last SSE event whose lines are whole counts where the body's end is proven, although its
 * blank line is missing (servers forget it behind usage and `[DONE]`); else it is dropped, as the WHATWG standard says.
 */
#include "openai.h"

#include "envelope.h"
#include "openai_parts.h"

enum { SEATS_BYTES = 256 << 10 }; /* of tool calls or reasoning blocks of one answer */

enum remora_code openai_refuse(struct remora_fail *fail, enum remora_cause cause, const char *what)
{
    if (fail != NULL && fail->code == REMORA_OK) {
        fail->cause = cause;
    }
    return remora_fail_set(fail, REMORA_UPSTREAM_UNAVAILABLE, NULL, "%s", what);
}

enum remora_code openai_no_memory(struct remora_fail *fail)
{
    if (fail != NULL && fail->code == REMORA_OK) {
        fail->cause = REMORA_CAUSE_MEMORY;
    }
    return remora_fail_set(fail, REMORA_SHEDDING, NULL, "%s",
                           remora_code_row(REMORA_SHEDDING)->summary);
}

/* Content behind a held end: of the same choice it shows that it was none, of another that it was. */
static enum remora_code meet_end(struct openai_feed *feed, int32_t choice)
{
    struct openai_decoder *decoder = feed->decoder;
    if (decoder->ending.choice != choice) {
        return openai_release_end(feed);
    }
    decoder->ending.is_held = false;
    decoder->ends_early = true;
    feed->is_stateful = true;
    openai_bit_clear(&decoder->finished, choice);
    return REMORA_OK;
}

enum remora_code openai_put(struct openai_feed *feed, const struct remora_event *event)
{
    if (feed->decoder->ending.is_held && remora_event_is_content(event->kind)) {
        enum remora_code code = meet_end(feed, event->choice_index);
        if (code != REMORA_OK) {
            return code;
        }
    }
    feed->events++;
    if (remora_event_is_content(event->kind)) {
        feed->decoder->has_content = true;
        openai_bit_set(&feed->decoder->seen, event->choice_index);
    }
    enum remora_code code = feed->out->put(feed->out->context, event);
    feed->put_failed |= code != REMORA_OK;
    return code;
}

enum remora_code openai_put_alive(struct openai_feed *feed)
{
    const struct remora_event alive = {.kind = REMORA_EVENT_ALIVE};
    return openai_put(feed, &alive);
}

void openai_decode_begin(struct remora_decoder *base)
{
    struct openai_decoder *decoder = REMORA_CONTAINER_OF(base, struct openai_decoder, base);
    decoder->dialect = base->endpoint == NULL ? dialect_row(REMORA_DIALECT_GENERIC)
                                              : dialect_for(&base->endpoint->provider->facts);
    remora_sse_init(&decoder->sse, REMORA_LIMIT_UPSTREAM_EVENT_BYTES);
    remora_buf_init(&decoder->whole, REMORA_LIMIT_UPSTREAM_BODY_BYTES);
    remora_buf_init(&decoder->calls.buf, SEATS_BYTES);
    remora_buf_init(&decoder->blocks.buf, SEATS_BYTES);
    remora_buf_init(&decoder->held_id, REMORA_LIMIT_UPSTREAM_EVENT_BYTES);
    remora_buf_init(&decoder->held_arguments, REMORA_LIMIT_UPSTREAM_EVENT_BYTES);
    remora_buf_init(&decoder->ending.words, REMORA_LIMIT_UPSTREAM_EVENT_BYTES);
    openai_mold_init(&decoder->mold);
}

void openai_decode_fini(struct remora_decoder *base)
{
    struct openai_decoder *decoder = REMORA_CONTAINER_OF(base, struct openai_decoder, base);
    remora_sse_fini(&decoder->sse);
    remora_buf_fini(&decoder->whole);
    remora_buf_fini(&decoder->calls.buf);
    remora_buf_fini(&decoder->blocks.buf);
    remora_buf_fini(&decoder->held_id);
    remora_buf_fini(&decoder->held_arguments);
    remora_buf_fini(&decoder->ending.words);
    openai_mold_fini(&decoder->mold);
}

/* ---- framing ---- */

/* Steps over a byte order mark and blanks; true when something else stands at *at. */
static bool skip_blanks(struct openai_decoder *decoder, struct remora_slice bytes, size_t *at)
{
    static const char bom[] = "\xef\xbb\xbf";
    for (; *at < bytes.length; (*at)++) {
        char byte = bytes.data[*at];
        bool is_blank = byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
        if (decoder->bom_seen < 3 && byte == bom[decoder->bom_seen]) {
            decoder->bom_seen++;
        } else if (!is_blank) {
            return true;
        }
    }
    return false;
}

static enum remora_code choose_mode(struct openai_feed *feed, char first)
{
    struct openai_decoder *decoder = feed->decoder;
    if (first == '<') {
        return openai_refuse(feed->fail, REMORA_CAUSE_CONTENT_TYPE,
                             "The provider answered with a page instead of data.");
    }
    bool is_field = first == 'd' || first == 'e' || first == 'i' || first == 'r' || first == ':';
    bool is_json = first == '{' || first == '[';
    bool is_stream = decoder->base.delivery == REMORA_STREAM;
    decoder->mode = is_json || (!is_stream && !is_field) ? OPENAI_MODE_WHOLE : OPENAI_MODE_EVENTS;
    return REMORA_OK;
}

static bool is_done_marker(struct remora_slice data)
{
    return remora_slice_is(remora_slice_trim(data), "[DONE]");
}

static int64_t count_finished(const struct openai_decoder *decoder)
{
    int64_t count = 0;
    for (size_t i = 0; i < REMORA_COUNT_OF(decoder->finished.words); i++) {
        count += __builtin_popcountll(decoder->finished.words[i]);
    }
    return count;
}

/* How many of the choices asked for have not ended. */
static int64_t count_missing(const struct openai_decoder *decoder)
{
    int64_t finished = count_finished(decoder);
    return finished < decoder->base.choice_count ? decoder->base.choice_count - finished : 0;
}

static bool is_complete(const struct openai_decoder *decoder)
{
    return openai_unfinished(decoder) < 0 && count_finished(decoder) > 0;
}

/* A marker behind content ends choices that have no finish reason; behind nothing at all it ends nothing. */
static enum remora_code take_done(struct openai_feed *feed)
{
    struct openai_decoder *decoder = feed->decoder;
    decoder->base.is_done = true;
    decoder->base.had_terminator = true;
    if (!decoder->has_content && count_finished(decoder) == 0) {
        return openai_refuse(feed->fail, REMORA_CAUSE_EMPTY, "The provider's answer was empty.");
    }
    enum remora_code code = openai_release_end(feed);
    return code == REMORA_OK ? openai_finish_rest(feed) : code;
}

static enum remora_code on_event(void *context, const struct remora_sse_event *event)
{
    struct openai_feed *feed = context;
    if (feed->life != REMORA_OK) {
        return feed->life;
    }
    if (feed->decoder->base.is_done) {
        feed->decoder->base.ignored++;
        return REMORA_OK;
    }
    struct openai_plain plain;
    if (openai_mold_match(&feed->decoder->mold, event->data, feed->scratch, &plain)) {
        return openai_put_plain(feed, &plain);
    }
    if (is_done_marker(event->data)) {
        return take_done(feed);
    }
    if (remora_slice_trim(event->data).length == 0) {
        feed->decoder->base.ignored++;
        return openai_put_alive(feed);
    }
    return openai_decode_object(feed, event->data);
}

static void on_comment(void *context, struct remora_slice text)
{
    struct openai_feed *feed = context;
    (void)text;
    if (feed->life == REMORA_OK && !feed->decoder->base.is_done) {
        feed->life = openai_put_alive(feed);
    }
}

/* What reading events returned, as a fault of the answer. */
static enum remora_code judge_events(struct openai_feed *feed, enum remora_code code)
{
    if (code == REMORA_OK) {
        code = feed->life;
    }
    if (feed->put_failed) {
        return code;
    }
    if (code == REMORA_TOO_LARGE) {
        return openai_refuse(feed->fail, REMORA_CAUSE_TOO_LARGE,
                             "The provider sent an event that is too large.");
    }
    return code == REMORA_SHEDDING ? openai_no_memory(feed->fail) : code;
}

static enum remora_code feed_events(struct openai_feed *feed, struct remora_slice bytes)
{
    const struct remora_sse_handler handler = {on_event, on_comment, feed};
    return judge_events(feed, remora_sse_feed(&feed->decoder->sse, bytes, &handler));
}

static enum remora_code end_events(struct openai_feed *feed)
{
    const struct remora_sse_handler handler = {on_event, on_comment, feed};
    return judge_events(feed, remora_sse_end(&feed->decoder->sse, &handler));
}

static enum remora_code feed_whole(struct openai_feed *feed, struct remora_slice bytes)
{
    remora_buf_append(&feed->decoder->whole, bytes);
    enum remora_code code = remora_buf_code(&feed->decoder->whole);
    if (code == REMORA_TOO_LARGE) {
        return openai_refuse(feed->fail, REMORA_CAUSE_TOO_LARGE,
                             "The provider's answer is too large.");
    }
    return code == REMORA_OK ? REMORA_OK : openai_no_memory(feed->fail);
}

/* Blanks before the answer are what some servers send to keep a unary call alive (providers.md 8, DeepSeek). */
static enum remora_code begin(struct openai_feed *feed, struct remora_slice bytes, size_t *at)
{
    enum remora_code code = REMORA_OK;
    bool has_more = skip_blanks(feed->decoder, bytes, at);
    if (*at > 0) {
        code = openai_put_alive(feed);
    }
    return code == REMORA_OK && has_more ? choose_mode(feed, bytes.data[*at]) : code;
}

enum remora_code openai_decode_feed(struct remora_decoder *base, struct remora_slice bytes,
                                    struct remora_arena *scratch,
                                    const struct remora_event_out *out, struct remora_fail *fail)
{
    struct openai_decoder *decoder = REMORA_CONTAINER_OF(base, struct openai_decoder, base);
    struct openai_feed feed = {
        .decoder = decoder, .scratch = scratch, .out = out, .fail = fail, .life = REMORA_OK};
    size_t at = 0;
    if (base->is_done) {
        return REMORA_OK;
    }
    if (decoder->mode == OPENAI_MODE_UNDECIDED) {
        enum remora_code code = begin(&feed, bytes, &at);
        if (code != REMORA_OK || decoder->mode == OPENAI_MODE_UNDECIDED) {
            return code;
        }
    }
    bytes = remora_slice(bytes.data + at, bytes.length - at);
    if (decoder->mode != OPENAI_MODE_EVENTS) {
        return feed_whole(&feed, bytes);
    }
    enum remora_code code = feed_events(&feed, bytes);
    base->is_answered = decoder->has_usage && decoder->has_content && !decoder->ends_early &&
                        is_complete(decoder) && count_missing(decoder) == 0;
    return code;
}

/* ---- ends ---- */

static enum remora_code judge_rest(struct openai_feed *feed, enum remora_end end)
{
    if (end == REMORA_END_CLEAN && !feed->decoder->has_content) {
        return openai_refuse(feed->fail, REMORA_CAUSE_EMPTY, "The provider's answer was empty.");
    }
    return openai_refuse(feed->fail, REMORA_CAUSE_TRUNCATED,
                         "The provider's answer ended before it was complete.");
}

static enum remora_code end_whole(struct openai_feed *feed, enum remora_end end)
{
    struct openai_decoder *decoder = feed->decoder;
    feed->is_whole = true;
    feed->is_proven = end == REMORA_END_CLEAN;
    enum remora_code code = openai_decode_object(feed, remora_buf_slice(&decoder->whole));
    if (code == REMORA_OK) {
        decoder->base.is_done = true;
        decoder->base.had_terminator = end == REMORA_END_CLEAN;
        decoder->base.missing_choices = count_missing(decoder);
        return is_complete(decoder) ? REMORA_OK : judge_rest(feed, end);
    }
    /* Half a JSON text is no malformed one: the cut is the cause. */
    if (end == REMORA_END_CUT && feed->fail != NULL && feed->fail->cause == REMORA_CAUSE_BAD_JSON) {
        feed->fail->cause = REMORA_CAUSE_TRUNCATED;
    }
    return code;
}

static enum remora_code judge_end(struct openai_feed *feed, enum remora_end end)
{
    struct openai_decoder *decoder = feed->decoder;
    decoder->base.missing_choices = count_missing(decoder);
    if (decoder->base.is_done) {
        return REMORA_OK;
    }
    if (end == REMORA_END_CUT && decoder->ends_early) {
        return judge_rest(feed, end);
    }
    enum remora_code code = openai_release_end(feed);
    bool is_short = end == REMORA_END_CUT && decoder->base.missing_choices > 0;
    if (code != REMORA_OK) {
        return code;
    }
    if (is_short || !is_complete(decoder)) {
        return judge_rest(feed, end);
    }
    /* The end of the body is the marker of a server that has no other. */
    decoder->base.had_terminator =
        end == REMORA_END_CLEAN && decoder->dialect->done_marker == DONE_OPTIONAL;
    return REMORA_OK;
}

enum remora_code openai_decode_end(struct remora_decoder *base, enum remora_end end,
                                   struct remora_arena *scratch, const struct remora_event_out *out,
                                   struct remora_fail *fail)
{
    struct openai_decoder *decoder = REMORA_CONTAINER_OF(base, struct openai_decoder, base);
    struct openai_feed feed = {
        .decoder = decoder, .scratch = scratch, .out = out, .fail = fail, .life = REMORA_OK};
    if (decoder->mode == OPENAI_MODE_WHOLE && !base->is_done) {
        return end_whole(&feed, end);
    }
    if (decoder->mode == OPENAI_MODE_EVENTS && !base->is_done && end == REMORA_END_CLEAN) {
        enum remora_code code = end_events(&feed);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return judge_end(&feed, end);
}
