/*
 * A collected answer -> the body of a unary chat completion (openrouter.md section 9; OpenAI's API reference, "The chat
 * completion object"), and the skin itself.
 */
#include "chat.h"
#include "outcome.h"

static void write_joined(struct remora_json_writer *w, const char *key,
                         const struct remora_fragments *fragments, struct remora_arena *arena)
{
    remora_json_key(w, key);
    remora_json_write_string(w, remora_fragments_join(fragments, arena));
}

static bool has_sound(const struct remora_answer_choice *choice)
{
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        if (remora_event_is_sound(&i->event)) {
            return true;
        }
    }
    return choice->transcript.length > 0;
}

/* One string of all pieces of sound: base64 that came in pieces is decoded once they stand together (openrouter.md 2). */
static void write_sound_data(struct remora_json_writer *w,
                             const struct remora_answer_choice *choice)
{
    struct remora_buf data;
    remora_buf_init(&data, REMORA_LIMIT_UPSTREAM_BODY_BYTES);
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        if (!remora_event_is_sound(&i->event)) {
            continue;
        }
        if (i->event.media.media.source == REMORA_MEDIA_FILE_ID) {
            chat_write_sound(w, &i->event);
        } else {
            remora_buf_append(&data, i->event.media.media.value);
        }
    }
    if (remora_buf_code(&data) != REMORA_OK && w->buf->failed == REMORA_OK) {
        w->buf->failed = remora_buf_code(&data);
    }
    remora_json_key(w, "data");
    remora_json_write_string(w, remora_buf_slice(&data));
    remora_buf_fini(&data);
}

static void write_sound(struct remora_json_writer *w, const struct remora_answer_choice *choice,
                        struct remora_arena *arena)
{
    if (!has_sound(choice)) {
        return;
    }
    remora_json_key(w, "audio");
    remora_json_object_open(w);
    write_sound_data(w, choice);
    write_joined(w, "transcript", &choice->transcript, arena);
    remora_json_object_close(w);
}

/* null where there is nothing but tool calls, sound or a refusal: OpenAI's clients tell "" and null apart. */
static void write_content(struct remora_json_writer *w, const struct remora_answer_choice *choice,
                          struct remora_arena *arena)
{
    bool is_null = !choice->has_text &&
                   (choice->tool_call_count > 0 || choice->refusal.length > 0 || has_sound(choice));
    if (!is_null) {
        write_joined(w, "content", &choice->text, arena);
    } else {
        remora_json_key(w, "content");
        remora_json_write_null(w);
    }
    if (choice->refusal.length > 0) {
        write_joined(w, "refusal", &choice->refusal, arena);
    } else {
        remora_json_key(w, "refusal");
        remora_json_write_null(w);
    }
}

/* `reasoning` is the readable text of all blocks. */
static void write_reasoning_text(struct remora_json_writer *w,
                                 const struct remora_answer_choice *choice,
                                 struct remora_arena *arena)
{
    struct remora_buf text;
    remora_buf_init(&text, REMORA_LIMIT_ANSWER_ARENA_BYTES);
    for (const struct remora_answer_block *b = choice->reasoning; b != NULL; b = b->next) {
        if (b->block.kind == REMORA_REASONING_TEXT || b->block.kind == REMORA_REASONING_SUMMARY) {
            remora_buf_append(&text, remora_fragments_join(&b->text, arena));
        }
    }
    if (remora_buf_code(&text) != REMORA_OK && w->buf->failed == REMORA_OK) {
        w->buf->failed = remora_buf_code(&text);
    }
    remora_json_key(w, "reasoning");
    if (remora_buf_slice(&text).length == 0) {
        remora_json_write_null(w);
    } else {
        remora_json_write_string(w, remora_buf_slice(&text));
    }
    remora_buf_fini(&text);
}

static void write_reasoning(struct remora_json_writer *w, const struct remora_answer_choice *choice,
                            struct remora_arena *arena)
{
    write_reasoning_text(w, choice, arena);
    if (choice->reasoning == NULL) {
        return;
    }
    remora_json_key(w, "reasoning_details");
    remora_json_array_open(w);
    for (const struct remora_answer_block *b = choice->reasoning; b != NULL; b = b->next) {
        struct remora_reasoning_block block = b->block;
        block.text = remora_fragments_join(&b->text, arena);
        chat_write_reasoning_block(w, &block, b->index);
    }
    remora_json_array_close(w);
}

static void write_tool_calls(struct remora_json_writer *w,
                             const struct remora_answer_choice *choice, struct remora_arena *arena)
{
    int32_t index = 0;
    if (choice->tool_calls == NULL) {
        return;
    }
    remora_json_key(w, "tool_calls");
    remora_json_array_open(w);
    for (const struct remora_answer_tool_call *c = choice->tool_calls; c != NULL; c = c->next) {
        const struct chat_call call = {.index = index++,
                                       .id = c->id,
                                       .name = c->name,
                                       .arguments = remora_fragments_join(&c->arguments, arena),
                                       .signature = c->signature};
        chat_write_tool_call(w, &call);
    }
    remora_json_array_close(w);
}

/* Items of one kind as a list under `key`; nothing when there are none. */
static void write_items(struct remora_json_writer *w, const struct remora_answer_choice *choice,
                        enum remora_event_kind kind, const char *key)
{
    bool is_open = false;
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        if (i->event.kind != kind || remora_event_is_sound(&i->event)) {
            continue;
        }
        if (!is_open) {
            remora_json_key(w, key);
            remora_json_array_open(w);
            is_open = true;
        }
        if (kind == REMORA_EVENT_ANNOTATION) {
            chat_write_annotation(w, &i->event.annotation, -1);
        } else if (kind == REMORA_EVENT_MEDIA) {
            chat_write_image(w, &i->event.media.media, -1);
        } else {
            chat_write_object(w, i->event.raw);
        }
    }
    if (is_open) {
        remora_json_array_close(w);
    }
}

static void write_message(struct remora_json_writer *w, const struct remora_answer_choice *choice,
                          struct remora_arena *arena)
{
    remora_json_object_open(w);
    remora_json_key(w, "role");
    remora_json_write_text(w, "assistant");
    write_content(w, choice, arena);
    write_reasoning(w, choice, arena);
    write_tool_calls(w, choice, arena);
    write_sound(w, choice, arena);
    write_items(w, choice, REMORA_EVENT_ANNOTATION, "annotations");
    write_items(w, choice, REMORA_EVENT_MEDIA, "images");
    write_items(w, choice, REMORA_EVENT_RAW, "raw");
    remora_json_object_close(w);
}

/* The tokens of the text or of the refusal; null when there are none. */
static void write_logprob_list(struct remora_json_writer *w, const char *key,
                               const struct remora_answer_choice *choice, bool is_refusal)
{
    bool is_open = false;
    remora_json_key(w, key);
    for (const struct remora_answer_logprobs *l = choice->logprobs; l != NULL; l = l->next) {
        if (l->is_refusal != is_refusal) {
            continue;
        }
        if (!is_open) {
            remora_json_array_open(w);
            is_open = true;
        }
        chat_write_logprob_items(w, l->items, l->count);
    }
    if (is_open) {
        remora_json_array_close(w);
    } else {
        remora_json_write_null(w);
    }
}

static void write_choice_logprobs(struct remora_json_writer *w,
                                  const struct remora_answer_choice *choice)
{
    remora_json_key(w, "logprobs");
    if (choice->logprobs == NULL) {
        remora_json_write_null(w);
        return;
    }
    remora_json_object_open(w);
    write_logprob_list(w, "content", choice, false);
    write_logprob_list(w, "refusal", choice, true);
    remora_json_object_close(w);
}

static void write_choice(struct remora_json_writer *w, const struct remora_answer_choice *choice,
                         struct remora_arena *arena)
{
    remora_json_object_open(w);
    remora_json_key(w, "index");
    remora_json_write_i64(w, choice->index);
    remora_json_key(w, "message");
    write_message(w, choice, arena);
    chat_write_finish(w, choice->finish, choice->native_finish);
    write_choice_logprobs(w, choice);
    remora_json_object_close(w);
}

void chat_answer(struct remora_encoder *encoder, const struct remora_answer *answer,
                 const struct remora_outcome *outcome, struct remora_buf *out)
{
    struct remora_json_writer w;
    remora_json_write_begin(&w, out);
    chat_write_head(&w, encoder, "chat.completion");
    remora_json_key(&w, "choices");
    remora_json_array_open(&w);
    for (const struct remora_answer_choice *c = answer->choices; c != NULL; c = c->next) {
        write_choice(&w, c, answer->arena);
    }
    remora_json_array_close(&w);
    chat_write_tail(&w, encoder);
    if (encoder->system_fingerprint[0] == '\0') {
        remora_json_key(&w,
                        "system_fingerprint"); /* OpenRouter's SDK wants it, a chunk may lack it */
        remora_json_write_null(&w);
    }
    outcome_write_usage(&w, &outcome->usage, &outcome->cost);
    if (remora_outcome_is_notable(outcome)) {
        remora_json_key(&w, "remora");
        outcome_write_remora(&w, outcome);
    }
    outcome_write_metadata(&w, encoder->route, outcome);
    remora_json_object_close(&w);
    if (answer->arena->failed != REMORA_OK && out->failed == REMORA_OK) {
        out->failed =
            answer->arena->failed; /* a text that could not be joined must not go out as "" */
    }
}

const struct remora_skin remora_skin_chat_completions = {
    .name = "chat_completions",
    .content_type = "application/json",
    .stream_content_type = "text/event-stream",
    .state_bytes = sizeof(struct chat_frame),
    .parse = chat_parse,
    .stream_event = chat_stream_event,
    .stream_comment = chat_stream_comment,
    .stream_failed = chat_stream_failed,
    .answer = chat_answer,
    .error = remora_error_body,
};
