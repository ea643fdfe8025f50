/*
 * Events -> SSE of chat completions (openrouter.md sections 8 and 9; OpenAI's API reference, "Chat completion chunk").
 *
 *   content event    one chunk with one choice and its delta
 *   choice finished  a chunk with an empty delta, finish_reason and the provider's own word
 *   completed        usage, in a chunk with choices [], where it is owed; the `remora` object and the route, in that chunk,
 *                    else in the last finish; then [DONE]
 *   failed           a chunk with the error, and finish_reason "error" for each choice that has none yet; no [DONE]
 *
 * What a client adds up is told once: the role with the first delta of a choice, id and format with the first of a block of
 * reasoning. (OpenRouter repeats them; OpenAI's Python client then makes "assistantassistant" of them.) A delta has content
 * only where there is text, so that a message without any adds up to null, as it is in a unary answer.
 * Who asks for no usage gets no chunk without a choice, as from OpenAI: many a client looks at choices[0] of every chunk. So
 * there a finish is held until the next event says whether it is the last chunk, and what is owed goes with it.
 * What never changes is appended as it stands; nothing here is formatted.
 * Of plain text, which is nearly all of a stream, all but the text is written once and copied from then on.
 * Cannot fail: the buffer carries failure.
 */
#include "chat.h"
#include "outcome.h"

static void chunk_begin(struct remora_json_writer *w, const struct remora_encoder *encoder,
                        struct remora_buf *out)
{
    remora_buf_append(out, REMORA_SLICE("data: "));
    remora_json_write_begin(w, out);
    chat_write_head(w, encoder, "chat.completion.chunk");
    remora_buf_append(out, REMORA_SLICE(",\"choices\":["));
}

static void chunk_end(struct remora_json_writer *w, const struct remora_encoder *encoder)
{
    w->comma = true;
    chat_write_tail(w, encoder);
    remora_buf_append(w->buf, REMORA_SLICE("}\n\n"));
}

/* The guard holds choice indexes below REMORA_LIMIT_CHOICES. */
static bool has(const uint64_t *choices, int32_t choice_index)
{
    return (choices[(unsigned)choice_index / 64] >> ((unsigned)choice_index % 64) & 1) != 0;
}

static void add(uint64_t *choices, int32_t choice_index)
{
    choices[(unsigned)choice_index / 64] |= UINT64_C(1) << ((unsigned)choice_index % 64);
}

static bool has_begun(const struct remora_encoder *encoder, int32_t choice_index)
{
    return has(encoder->begun, choice_index);
}

static bool begin_choice(struct remora_encoder *encoder, int32_t choice_index)
{
    bool is_first = !has_begun(encoder, choice_index);
    add(encoder->begun, choice_index);
    return is_first;
}

/* Up to and with the role, where it is due: whatever the delta holds follows as its next member. */
static void delta_begin(struct remora_json_writer *w, struct remora_encoder *encoder,
                        int32_t choice_index)
{
    remora_buf_append(w->buf, REMORA_SLICE("{\"index\":"));
    remora_buf_append_i64(w->buf, choice_index);
    remora_buf_append(w->buf, REMORA_SLICE(",\"delta\":{"));
    w->comma = begin_choice(encoder, choice_index);
    if (w->comma) {
        remora_buf_append(w->buf, REMORA_SLICE("\"role\":\"assistant\""));
    }
}

static void delta_end(struct remora_json_writer *w)
{
    remora_buf_append(w->buf, REMORA_SLICE("},\"finish_reason\":null,"
                                           "\"native_finish_reason\":null,\"logprobs\":null}]"));
}

static void write_logprobs_end(struct remora_json_writer *w, const struct remora_event *event)
{
    remora_buf_append(w->buf, REMORA_SLICE("},\"finish_reason\":null,"
                                           "\"native_finish_reason\":null,\"logprobs\":"));
    w->comma = false;
    chat_write_logprobs(w, event);
    remora_buf_append(w->buf, REMORA_SLICE("}]"));
}

static void write_text(struct remora_json_writer *w, const struct remora_event *event)
{
    remora_json_key(w, event->kind == REMORA_EVENT_REFUSAL ? "refusal" : "content");
    remora_json_write_string(w, event->text.text);
}

static void write_reasoning(struct remora_json_writer *w, const struct remora_event *event)
{
    struct remora_reasoning_block block = event->reasoning.block;
    block.id.length = event->reasoning.had_id ? 0 : block.id.length;
    block.format.length = event->reasoning.had_format ? 0 : block.format.length;
    if (block.kind == REMORA_REASONING_TEXT || block.kind == REMORA_REASONING_SUMMARY) {
        remora_json_key(w, "reasoning");
        remora_json_write_string(w, block.text);
    }
    remora_json_key(w, "reasoning_details");
    remora_json_array_open(w);
    chat_write_reasoning_block(w, &block, event->reasoning.block_index);
    remora_json_array_close(w);
}

static void write_tool_call(struct remora_json_writer *w, const struct remora_event *event)
{
    const struct chat_call call = {.index = event->tool_call.index,
                                   .id = event->tool_call.id,
                                   .name = event->tool_call.name,
                                   .arguments = event->tool_call.arguments,
                                   .signature = event->tool_call.signature};
    remora_json_key(w, "tool_calls");
    remora_json_array_open(w);
    chat_write_tool_call(w, &call);
    remora_json_array_close(w);
}

/* OpenAI's Python client adds up no list whose elements have no index. */
static void write_list_of(struct remora_json_writer *w, struct remora_encoder *encoder,
                          const struct remora_event *event)
{
    remora_json_key(w, event->kind == REMORA_EVENT_ANNOTATION ? "annotations" : "images");
    remora_json_array_open(w);
    if (event->kind == REMORA_EVENT_ANNOTATION) {
        chat_write_annotation(w, &event->annotation, encoder->annotations++);
    } else {
        chat_write_image(w, &event->media.media, encoder->images++);
    }
    remora_json_array_close(w);
}

static void write_raw(struct remora_json_writer *w, struct remora_encoder *encoder,
                      const struct remora_event *event)
{
    remora_json_key(w, "raw");
    remora_json_array_open(w);
    chat_write_indexed(w, event->raw, encoder->raws++);
    remora_json_array_close(w);
}

static bool is_audio(const struct remora_event *event)
{
    return remora_event_is_sound(event) ||
           (event->kind == REMORA_EVENT_TEXT && event->text.is_transcript);
}

static void write_audio(struct remora_json_writer *w, const struct remora_event *event)
{
    remora_json_key(w, "audio");
    remora_json_object_open(w);
    chat_write_sound(w, event);
    remora_json_object_close(w);
}

static void stream_content(struct remora_encoder *encoder, const struct remora_event *event,
                           struct remora_buf *out)
{
    struct remora_json_writer w;
    chunk_begin(&w, encoder, out);
    delta_begin(&w, encoder, event->choice_index);
    bool has_logprobs = false;
    if (is_audio(event)) {
        write_audio(&w, event);
    } else if (event->kind == REMORA_EVENT_TEXT || event->kind == REMORA_EVENT_REFUSAL) {
        write_text(&w, event);
        has_logprobs = event->text.logprob_count > 0;
    } else if (event->kind == REMORA_EVENT_REASONING) {
        write_reasoning(&w, event);
    } else if (event->kind == REMORA_EVENT_TOOL_CALL) {
        write_tool_call(&w, event);
    } else if (event->kind == REMORA_EVENT_RAW) {
        write_raw(&w, encoder, event);
    } else {
        write_list_of(&w, encoder, event);
    }
    if (has_logprobs) {
        write_logprobs_end(&w, event);
    } else {
        delta_end(&w);
    }
    chunk_end(&w, encoder);
}

/* ---- plain text ---- */

/* A chunk of a choice that has begun. False when it is too long to be kept; nothing was appended then. */
static bool make_frame(struct remora_encoder *encoder, int32_t choice, struct chat_frame *frame,
                       struct remora_buf *out)
{
    static const struct remora_event none = {.kind = REMORA_EVENT_TEXT};
    struct remora_json_writer w;
    size_t begin = out->length;
    chunk_begin(&w, encoder, out);
    delta_begin(&w, encoder, choice);
    write_text(&w, &none);
    size_t text_at = out->length - begin - 2; /* before the quotes of "" */
    delta_end(&w);
    chunk_end(&w, encoder);
    size_t length = out->length - begin;
    bool fits = remora_buf_code(out) == REMORA_OK && length - 2 <= sizeof frame->bytes;
    if (fits) {
        memcpy(frame->bytes, out->data + begin, text_at);
        memcpy(frame->bytes + text_at, out->data + begin + text_at + 2, length - text_at - 2);
        frame->choice = choice;
        frame->text_at = (uint16_t)text_at;
        frame->length = (uint16_t)(length - 2);
    }
    out->length = begin;
    return fits;
}

static void stream_text(struct remora_encoder *encoder, const struct remora_event *event,
                        struct remora_buf *out)
{
    struct chat_frame *frame = encoder->own;
    bool is_plain =
        frame != NULL && event->text.logprob_count == 0 && has_begun(encoder, event->choice_index);
    bool is_made = is_plain && frame->length > 0 && frame->choice == event->choice_index;
    if (!is_made && (!is_plain || !make_frame(encoder, event->choice_index, frame, out))) {
        stream_content(encoder, event, out);
        return;
    }
    struct remora_json_writer w;
    remora_json_write_begin(&w, out);
    remora_buf_append(out, remora_slice(frame->bytes, frame->text_at));
    remora_json_write_string(&w, event->text.text);
    remora_buf_append(
        out, remora_slice(frame->bytes + frame->text_at, (size_t)frame->length - frame->text_at));
}

static void forget_frame(struct remora_encoder *encoder)
{
    struct chat_frame *frame = encoder->own;
    if (frame != NULL) {
        frame->length = 0;
    }
}

static bool has_held(const struct remora_encoder *encoder)
{
    const struct chat_frame *frame = encoder->own;
    return frame != NULL && frame->held > 0;
}

static void flush_held(struct remora_encoder *encoder, struct remora_buf *out)
{
    struct chat_frame *frame = encoder->own;
    if (has_held(encoder)) {
        remora_buf_append(out, remora_slice(frame->bytes, frame->held));
        frame->held = 0;
    }
}

/* Takes back the chunk that begins at `begin`. One that is too long to be kept is sent as it is. */
static void hold(struct remora_encoder *encoder, size_t begin, struct remora_buf *out)
{
    struct chat_frame *frame = encoder->own;
    size_t length = out->length - begin;
    if (frame != NULL && remora_buf_code(out) == REMORA_OK && length <= sizeof frame->bytes) {
        memcpy(frame->bytes, out->data + begin, length);
        frame->held = (uint16_t)length;
        frame->length = 0;
        out->length = begin;
    }
}

static void stream_finish(struct remora_encoder *encoder, const struct remora_event *event,
                          struct remora_buf *out)
{
    struct remora_json_writer w;
    size_t begin = out->length;
    chunk_begin(&w, encoder, out);
    delta_begin(&w, encoder, event->choice_index);
    if (w.comma) { /* nothing came before: an empty message, not none */
        remora_buf_append(out, REMORA_SLICE(",\"content\":\"\""));
    }
    remora_buf_append_byte(out, '}');
    chat_write_finish(&w, event->finished.reason, event->finished.native);
    add(encoder->finished, event->choice_index);
    remora_buf_append(out, REMORA_SLICE(",\"logprobs\":null}]"));
    chunk_end(&w, encoder);
    if (!encoder->wants_usage_chunk) {
        hold(encoder, begin, out);
    }
}

/* What is owed at the end goes into the last finish, opened again (true), else into a chunk without a choice. */
static bool last_begin(struct remora_json_writer *w, struct remora_encoder *encoder,
                       struct remora_buf *out)
{
    static const struct remora_slice end = REMORA_SLICE_INIT("}\n\n"); /* of chunk_end */
    bool is_finish = has_held(encoder);
    if (is_finish) {
        flush_held(encoder, out);
        if (remora_buf_code(out) == REMORA_OK) {
            out->length -= end.length;
        }
        remora_json_write_begin(w, out);
    } else {
        chunk_begin(w, encoder, out);
        remora_buf_append_byte(out, ']');
    }
    w->comma = true;
    return is_finish;
}

static void stream_completed(struct remora_encoder *encoder, const struct remora_outcome *outcome,
                             struct remora_buf *out)
{
    bool is_notable = remora_outcome_is_notable(outcome);
    if (encoder->wants_usage_chunk || is_notable || encoder->route != NULL) {
        struct remora_json_writer w;
        bool is_finish = last_begin(&w, encoder, out);
        if (encoder->wants_usage_chunk) {
            outcome_write_usage(&w, &outcome->usage, &outcome->cost);
        }
        if (is_notable) {
            remora_json_key(&w, "remora");
            outcome_write_remora(&w, outcome);
        }
        outcome_write_metadata(&w, encoder->route, outcome);
        if (is_finish) { /* which has its tail */
            remora_buf_append(out, REMORA_SLICE("}\n\n"));
        } else {
            chunk_end(&w, encoder);
        }
    }
    flush_held(encoder, out);
    remora_buf_append(out, REMORA_SLICE("data: [DONE]\n\n"));
}

/* Whether the event says that a finish was not the last chunk. */
static bool goes_on(enum remora_event_kind kind)
{
    return kind != REMORA_EVENT_COMPLETED && kind != REMORA_EVENT_USAGE &&
           kind != REMORA_EVENT_FURTHER && kind != REMORA_EVENT_ALIVE;
}

void chat_stream_event(struct remora_encoder *encoder, const struct remora_event *event,
                       struct remora_buf *out)
{
    if (goes_on(event->kind)) {
        flush_held(encoder, out);
    }
    switch (event->kind) {
    case REMORA_EVENT_STARTED:
        chat_encoder_start(encoder, event);
        forget_frame(encoder);
        break;
    case REMORA_EVENT_TEXT:
        if (is_audio(event)) {
            stream_content(encoder, event, out);
        } else {
            stream_text(encoder, event, out);
        }
        break;
    case REMORA_EVENT_REASONING:
    case REMORA_EVENT_REFUSAL:
    case REMORA_EVENT_TOOL_CALL:
    case REMORA_EVENT_MEDIA:
    case REMORA_EVENT_ANNOTATION:
    case REMORA_EVENT_RAW:
        stream_content(encoder, event, out);
        break;
    case REMORA_EVENT_CHOICE_FINISHED:
        stream_finish(encoder, event, out);
        break;
    case REMORA_EVENT_COMPLETED:
        stream_completed(encoder, event->outcome, out);
        break;
    case REMORA_EVENT_ALIVE:
    case REMORA_EVENT_EMBEDDING:
    case REMORA_EVENT_USAGE:
    case REMORA_EVENT_FURTHER:
    case REMORA_EVENT_ATTEMPT_FAILED:
        break;
    }
}

void chat_stream_comment(struct remora_encoder *encoder, struct remora_buf *out)
{
    flush_held(encoder, out); /* whoever waits so long should know as much */
    remora_buf_append(out, REMORA_SLICE(": REMORA PROCESSING\n\n"));
}

/* Asked for (`state`, one where that is not said) or begun, and without a finish reason. */
static bool is_owed(const struct remora_encoder *encoder, int32_t choice_index)
{
    bool is_expected = choice_index == 0 || (uint32_t)choice_index < encoder->state ||
                       has_begun(encoder, choice_index);
    return is_expected && !has(encoder->finished, choice_index);
}

/* A finish reason that a caller has got is not taken back. */
static void write_broken_choices(struct remora_json_writer *w, struct remora_encoder *encoder)
{
    bool is_first = true;
    for (int32_t i = 0; i < REMORA_LIMIT_CHOICES; i++) {
        if (!is_owed(encoder, i)) {
            continue;
        }
        if (!is_first) {
            remora_buf_append_byte(w->buf, ',');
        }
        is_first = false;
        delta_begin(w, encoder, i);
        remora_json_key(w, "content");
        remora_json_write_text(w, "");
        remora_buf_append(w->buf, REMORA_SLICE("},\"finish_reason\":\"error\","
                                               "\"native_finish_reason\":null,\"logprobs\":null}"));
    }
    remora_buf_append_byte(w->buf, ']');
}

void chat_stream_failed(struct remora_encoder *encoder, const struct remora_outcome *outcome,
                        struct remora_buf *out)
{
    struct remora_json_writer w;
    flush_held(encoder, out);
    if (encoder->model.length == 0) {
        encoder->model = remora_slice_of(outcome->requested_model);
    }
    chunk_begin(&w, encoder, out);
    write_broken_choices(&w, encoder);
    w.comma = true;
    remora_json_key(&w, "error");
    error_write(&w, &outcome->fail, outcome, ERROR_IN_BAND);
    if (encoder->route != NULL && outcome->plan != NULL) { /* nobody answered */
        outcome_write_route(encoder->route, outcome->plan, NULL);
    }
    if (outcome->fail.code != REMORA_INTERNAL) {
        outcome_write_metadata(&w, encoder->route, outcome);
    }
    chunk_end(&w, encoder);
}
