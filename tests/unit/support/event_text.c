#include "event_text.h"

#include "support.h"

#include "remora/json.h"
#include "remora/text.h"

#include <stdlib.h>

static void text_of(struct remora_buf *out, const char *label, struct remora_slice text)
{
    struct remora_json_writer writer;
    if (text.length == 0) {
        return;
    }
    remora_buf_append_text(out, " ");
    remora_buf_append_text(out, label);
    if (label[0] != '\0') {
        remora_buf_append_text(out, "=");
    }
    remora_json_write_begin(&writer, out);
    remora_json_write_string(&writer, text);
}

static void number_of(struct remora_buf *out, const char *label, struct remora_opt_i64 value)
{
    if (value.is_set) {
        remora_buf_printf(out, " %s=%lld", label, (long long)value.value);
    }
}

/* Of what most wires have one of: told behind the first. */
static void index_of(struct remora_buf *out, const char *label, int32_t index)
{
    if (index != 0) {
        remora_buf_printf(out, " %s=%d", label, (int)index);
    }
}

static void alternative_of(struct remora_buf *out, const struct remora_logprob_alternative *item)
{
    remora_buf_printf(out, " %g", item->logprob);
    text_of(out, "token", item->token);
    if (item->has_bytes) {
        remora_buf_append_text(out, " bytes=");
        remora_append_hex(out, item->bytes);
    }
}

static void logprobs_of(struct remora_buf *out, const struct remora_logprob *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        remora_buf_append_text(out, " {");
        alternative_of(out, &items[i].chosen);
        for (size_t k = 0; k < items[i].alternative_count; k++) {
            remora_buf_append_text(out, " |");
            alternative_of(out, &items[i].alternatives[k]);
        }
        remora_buf_append_text(out, " }");
    }
}

static void usage_of(struct remora_buf *out, const struct remora_usage *usage)
{
    static const char *const names[] = {
#define REMORA_USAGE_CLASS(name, direction, price, label, ...) label,
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
    };
    remora_buf_append_text(out, "usage");
    for (size_t i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        if (usage->tokens[i] >= 0) {
            remora_buf_printf(out, " %s=%lld", names[i], (long long)usage->tokens[i]);
        }
    }
    if (usage->accepted_prediction_tokens >= 0) {
        remora_buf_printf(out, " accepted_prediction=%lld",
                          (long long)usage->accepted_prediction_tokens);
    }
    if (usage->rejected_prediction_tokens >= 0) {
        remora_buf_printf(out, " rejected_prediction=%lld",
                          (long long)usage->rejected_prediction_tokens);
    }
    if (usage->search_count >= 0) {
        remora_buf_printf(out, " searches=%lld", (long long)usage->search_count);
    }
    remora_buf_printf(out, " certainty=%d", (int)usage->certainty);
    if (usage->reported_pico_usd >= 0) {
        remora_buf_printf(out, " reported_pico_usd=%lld", (long long)usage->reported_pico_usd);
    }
}

static void reasoning_of(struct remora_buf *out, const struct remora_event *event)
{
    static const char *const kinds[] = {"text", "summary", "encrypted", "other"};
    const struct remora_reasoning_block *block = &event->reasoning.block;
    remora_buf_printf(out, "reasoning[%d.%d] %s", (int)event->choice_index,
                      (int)event->reasoning.block_index, kinds[block->kind]);
    text_of(out, "", block->text);
    text_of(out, "signature", block->signature);
    text_of(out, event->reasoning.had_format ? "format again" : "format", block->format);
    text_of(out, event->reasoning.had_id ? "id again" : "id", block->id);
    number_of(out, "index", block->index);
    text_of(out, "raw", block->raw);
}

static void annotation_of(struct remora_buf *out, const struct remora_event *event)
{
    const struct remora_annotation *annotation = &event->annotation;
    remora_buf_printf(out, "annotation[%d]", (int)event->choice_index);
    text_of(out, "type", annotation->type);
    text_of(out, "url", annotation->url);
    text_of(out, "title", annotation->title);
    text_of(out, "content", annotation->content);
    number_of(out, "start", annotation->start_index);
    number_of(out, "end", annotation->end_index);
    index_of(out, "text", annotation->text_index);
    text_of(out, "raw", annotation->raw);
}

static void started_of(struct remora_buf *out, const struct remora_event *event)
{
    remora_buf_append_text(out, "started");
    text_of(out, "id", event->started.upstream_id);
    text_of(out, "model", event->started.model);
    text_of(out, "fingerprint", event->started.system_fingerprint);
    text_of(out, "tier", event->started.service_tier);
    remora_buf_printf(out, " created=%lld", (long long)event->started.created_unix_s);
}

static void media_of(struct remora_buf *out, const struct remora_event *event)
{
    static const char *const sources[] = {"bytes", "base64", "uri", "file_id"};
    const struct remora_media *media = &event->media.media;
    remora_buf_printf(out, "media[%d.%d] %s", (int)event->choice_index, (int)event->media.index,
                      sources[media->source]);
    text_of(out, "", media->value);
    text_of(out, "mime", media->mime_type);
    if (event->media.expires_at_unix_s > 0) {
        remora_buf_printf(out, " expires=%lld", (long long)event->media.expires_at_unix_s);
    }
}

static void line_of(struct remora_buf *out, const struct remora_event *event)
{
    switch (event->kind) {
    case REMORA_EVENT_STARTED:
        started_of(out, event);
        break;
    case REMORA_EVENT_ALIVE:
        remora_buf_append_text(out, "alive");
        break;
    case REMORA_EVENT_TEXT:
    case REMORA_EVENT_REFUSAL:
        remora_buf_printf(out, "%s%s[%d]", event->text.is_transcript ? "spoken " : "",
                          event->kind == REMORA_EVENT_TEXT ? "text" : "refusal",
                          (int)event->choice_index);
        index_of(out, "block", event->text.block_index);
        text_of(out, "", event->text.text);
        logprobs_of(out, event->text.logprobs, event->text.logprob_count);
        break;
    case REMORA_EVENT_REASONING:
        reasoning_of(out, event);
        break;
    case REMORA_EVENT_TOOL_CALL:
        remora_buf_printf(out, "tool_call[%d.%d]", (int)event->choice_index,
                          (int)event->tool_call.index);
        text_of(out, "id", event->tool_call.id);
        text_of(out, "name", event->tool_call.name);
        text_of(out, "arguments", event->tool_call.arguments);
        text_of(out, "signature", event->tool_call.signature);
        break;
    case REMORA_EVENT_MEDIA:
        media_of(out, event);
        break;
    case REMORA_EVENT_ANNOTATION:
        annotation_of(out, event);
        break;
    case REMORA_EVENT_EMBEDDING:
        remora_buf_printf(out, "embedding[%d] count=%zu", (int)event->embedding.index,
                          event->embedding.count);
        break;
    case REMORA_EVENT_RAW:
        remora_buf_printf(out, "raw[%d]", (int)event->choice_index);
        text_of(out, "", event->raw);
        break;
    case REMORA_EVENT_CHOICE_FINISHED:
        remora_buf_printf(out, "finished[%d] %s", (int)event->choice_index,
                          remora_finish_name(event->finished.reason));
        text_of(out, "native", event->finished.native);
        text_of(out, "stop", event->finished.stop);
        break;
    case REMORA_EVENT_FURTHER:
        remora_buf_append_text(out, "further ");
        remora_buf_append(out, event->further.name);
        remora_buf_append_text(out, "=");
        remora_buf_append(out, event->further.value);
        break;
    case REMORA_EVENT_USAGE:
        usage_of(out, &event->usage);
        break;
    case REMORA_EVENT_ATTEMPT_FAILED:
        remora_buf_append_text(out, "attempt_failed");
        break;
    case REMORA_EVENT_COMPLETED:
        remora_buf_append_text(out, "completed");
        break;
    }
    remora_buf_append_byte(out, '\n');
}

static bool ends_with_alive(const struct remora_buf *out)
{
    static const struct remora_slice last = REMORA_SLICE_INIT("alive\n");
    struct remora_slice all = remora_buf_slice(out);
    return all.length >= last.length &&
           memcmp(all.data + all.length - last.length, last.data, last.length) == 0;
}

void event_text_append(struct remora_buf *out, const struct remora_event *event)
{
    /* The report of usage is the answer's own bytes; its counts are told. */
    bool is_report = event->kind == REMORA_EVENT_FURTHER && event->further.name.length == 0;
    bool is_again = event->kind == REMORA_EVENT_ALIVE && ends_with_alive(out);
    if (!is_report && !is_again) {
        line_of(out, event);
    }
}

struct reader {
    struct remora_buf *out;
    struct remora_guard guard;
    struct remora_answer *answer;
    struct remora_fail *fail;
};

static enum remora_code put(void *context, const struct remora_event *event)
{
    struct reader *reader = context;
    bool pass = true;
    enum remora_code code = remora_guard_check(&reader->guard, event, &pass, reader->fail);
    if (code != REMORA_OK || !pass) {
        return code;
    }
    event_text_append(reader->out, event);
    return reader->answer == NULL ? REMORA_OK : remora_answer_add(reader->answer, event);
}

/* As many pieces of a few bytes as of thousands: first how many bits a size has, then the bits (xorshift64). */
static size_t next_piece(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    uint64_t bits = *seed >> 32;
    size_t most = (size_t)1 << (*seed % 13);
    return 1 + (size_t)(bits % most);
}

static enum remora_code feed_all(const struct decode_input *input, struct remora_decoder *decoder,
                                 const struct remora_event_out *out, struct remora_fail *fail)
{
    size_t step = input->chunk_bytes == 0 ? input->bytes.length : input->chunk_bytes;
    struct remora_arena scratch;
    enum remora_code code = REMORA_OK;
    uint64_t seed = input->piece_seed;
    remora_arena_init(&scratch, REMORA_LIMIT_SCRATCH_CHUNK_BYTES, REMORA_LIMIT_SCRATCH_ARENA_BYTES);
    for (size_t at = 0; at < input->bytes.length && code == REMORA_OK; at += step) {
        size_t left = input->bytes.length - at;
        step = seed != 0 ? next_piece(&seed) : step;
        size_t length = left < step ? left : step;
        /* A copy of exactly these bytes, so that a reader that looks beyond them is found out. */
        char *piece = malloc(length);
        assert_non_null(piece);
        memcpy(piece, input->bytes.data + at, length);
        code =
            input->adapter->decode_feed(decoder, remora_slice(piece, length), &scratch, out, fail);
        free(piece);
        remora_arena_reset(&scratch);
    }
    if (code == REMORA_OK) {
        code = input->adapter->decode_end(decoder, input->end, &scratch, out, fail);
    }
    remora_arena_fini(&scratch);
    return code;
}

enum remora_code decode_to_text(const struct decode_input *input, struct remora_buf *out)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct reader reader = {.out = out, .answer = input->answer, .fail = &fail};
    const struct remora_event_out sink = {put, &reader};
    struct remora_decoder *decoder = calloc(1, input->adapter->decoder_bytes);
    assert_non_null(decoder);
    decoder->delivery = input->delivery;
    decoder->endpoint = input->endpoint;
    decoder->choice_count = input->choice_count;
    decoder->generation_id = input->generation_id;
    remora_guard_init(&reader.guard);
    input->adapter->decode_begin(decoder);
    enum remora_code code = feed_all(input, decoder, &sink, &fail);
    if (code == REMORA_OK) {
        remora_buf_printf(out, "ok terminator=%s%s%s%s%s", decoder->had_terminator ? "yes" : "no",
                          decoder->lacks_finish ? " finish=missing" : "",
                          decoder->unknown_finish ? " finish=unknown" : "",
                          decoder->broken_arguments ? " arguments=broken" : "",
                          remora_guard_is_complete(&reader.guard) ? "" : " GUARD INCOMPLETE");
        if (decoder->missing_choices > 0) {
            remora_buf_printf(out, " choices_missing=%lld", (long long)decoder->missing_choices);
        }
        remora_buf_append_byte(out, '\n');
    } else {
        assert_int_equal(fail.code, code);
        remora_buf_printf(out, "%s cause=%s status=%d retry=%lld message=%s\n",
                          remora_code_row(code)->name, remora_cause_name(fail.cause),
                          fail.upstream_status, (long long)fail.retry_after_ms, fail.message);
    }
    input->adapter->decode_fini(decoder);
    free(decoder);
    return code;
}

void append_unlike(struct remora_buf *out, struct remora_slice stream)
{
    unsigned blanks = 0;
    for (size_t at = 0; at < stream.length;) {
        size_t newline = remora_slice_find(stream, '\n', at);
        size_t end = newline < stream.length ? newline + 1 : newline;
        struct remora_slice line = remora_slice(stream.data + at, end - at);
        size_t brace = remora_slice_starts_with(line, REMORA_SLICE("data: {"))  ? 7
                       : remora_slice_starts_with(line, REMORA_SLICE("data:{")) ? 6
                                                                                : 0;
        remora_buf_append(out, remora_slice(line.data, brace));
        blanks = brace > 0 ? blanks % 97 + 1 : blanks;
        for (unsigned i = 0; brace > 0 && i < blanks; i++) {
            remora_buf_append_byte(out, ' ');
        }
        remora_buf_append(out, remora_slice(line.data + brace, line.length - brace));
        at = end;
    }
}
