/* What a chunk and a whole answer have in common: head, tail, tool calls, reasoning, annotations, log probabilities. */
#include <stdio.h>

#include "chat.h"
#include "outcome.h"
#include "remora/catalog.h"
#include "remora/text.h"

static void copy_text(char *out, size_t bytes, struct remora_slice text)
{
    size_t length = remora_utf8_cut(text, bytes - 1);
    if (length > 0) {
        memcpy(out, text.data, length);
    }
    out[length] = '\0';
}

void chat_encoder_start(struct remora_encoder *encoder, const struct remora_event *event)
{
    const struct remora_endpoint *served = event->started.served;
    encoder->has_started = true;
    if (served != NULL) {
        encoder->model = served->model->facts.id;
        encoder->provider = served->provider->facts.name.length > 0 ? served->provider->facts.name
                                                                    : served->provider->facts.slug;
    }
    if (encoder->route != NULL && event->started.plan != NULL) {
        outcome_write_route(encoder->route, event->started.plan, served);
    }
    copy_text(encoder->system_fingerprint, sizeof encoder->system_fingerprint,
              event->started.system_fingerprint);
    copy_text(encoder->service_tier, sizeof encoder->service_tier, event->started.service_tier);
}

void chat_write_head(struct remora_json_writer *w, const struct remora_encoder *encoder,
                     const char *object)
{
    struct remora_buf *out = w->buf;
    remora_buf_append(out, REMORA_SLICE("{\"id\":\""));
    remora_buf_append(out, remora_slice_of(encoder->id));
    remora_buf_append(out, REMORA_SLICE("\""));
    if (encoder->provider.length > 0) {
        remora_buf_append(out, REMORA_SLICE(",\"provider\":"));
        w->comma = false;
        remora_json_write_string(w, encoder->provider);
    }
    remora_buf_append(out, REMORA_SLICE(",\"model\":"));
    w->comma = false;
    remora_json_write_string(w, encoder->model);
    remora_buf_append(out, REMORA_SLICE(",\"object\":\""));
    remora_buf_append_text(out, object);
    remora_buf_append(out, REMORA_SLICE("\",\"created\":"));
    remora_buf_append_i64(out, encoder->created_unix_s);
    w->comma = true;
}

void chat_write_tail(struct remora_json_writer *w, const struct remora_encoder *encoder)
{
    if (encoder->system_fingerprint[0] != '\0') {
        remora_json_key(w, "system_fingerprint");
        remora_json_write_text(w, encoder->system_fingerprint);
    }
    if (encoder->service_tier[0] != '\0') {
        remora_json_key(w, "service_tier");
        remora_json_write_text(w, encoder->service_tier);
    }
}

void chat_write_finish(struct remora_json_writer *w, enum remora_finish reason,
                       struct remora_slice native)
{
    w->comma = true;
    remora_json_key(w, "finish_reason");
    if (reason == REMORA_FINISH_UNSET) {
        remora_json_write_null(w);
    } else {
        remora_json_write_text(w, remora_finish_name(reason));
    }
    remora_json_key(w, "native_finish_reason");
    if (native.length == 0) {
        remora_json_write_null(w);
    } else {
        remora_json_write_string(w, native);
    }
}

static void write_optional(struct remora_json_writer *w, const char *key, struct remora_slice text)
{
    if (text.length > 0) {
        remora_json_key(w, key);
        remora_json_write_string(w, text);
    }
}

/* Where Google's own openai-chat wire has it, and where clients that send a message back as it came keep it (providers.md 4). */
static void write_signature(struct remora_json_writer *w, struct remora_slice signature)
{
    if (signature.length == 0) {
        return;
    }
    remora_json_key(w, "extra_content");
    remora_json_object_open(w);
    remora_json_key(w, "google");
    remora_json_object_open(w);
    write_optional(w, "thought_signature", signature);
    remora_json_object_close(w);
    remora_json_object_close(w);
}

void chat_write_tool_call(struct remora_json_writer *w, const struct chat_call *call)
{
    remora_json_object_open(w);
    remora_json_key(w, "index");
    remora_json_write_i64(w, call->index);
    write_optional(w, "id", call->id);
    if (call->id.length > 0 || call->name.length > 0) {
        remora_json_key(w, "type");
        remora_json_write_text(w, "function");
    }
    remora_json_key(w, "function");
    remora_json_object_open(w);
    write_optional(w, "name", call->name);
    remora_json_key(w, "arguments");
    remora_json_write_string(w, call->arguments);
    remora_json_object_close(w);
    write_signature(w, call->signature);
    remora_json_object_close(w);
}

/* Type and name of the text by kind: openrouter.md section 9, `reasoning_details`. */
void chat_write_reasoning_block(struct remora_json_writer *w,
                                const struct remora_reasoning_block *block, int32_t index)
{
    static const char *const types[] = {"reasoning.text", "reasoning.summary",
                                        "reasoning.encrypted"};
    static const char *const texts[] = {"text", "summary", "data"};
    if (block->kind == REMORA_REASONING_OTHER) {
        chat_write_indexed(w, block->raw, index);
        return;
    }
    remora_json_object_open(w);
    remora_json_key(w, "type");
    remora_json_write_text(w, types[block->kind]);
    remora_json_key(w, texts[block->kind]);
    remora_json_write_string(w, block->text);
    write_optional(w, "signature", block->signature);
    write_optional(w, "id", block->id);
    write_optional(w, "format", block->format);
    remora_json_key(w, "index");
    remora_json_write_i64(w, index);
    remora_json_object_close(w);
}

static void write_url_citation(struct remora_json_writer *w, const struct remora_annotation *a)
{
    remora_json_key(w, "url_citation");
    remora_json_object_open(w);
    write_optional(w, "url", a->url);
    write_optional(w, "title", a->title);
    write_optional(w, "content", a->content);
    if (a->start_index.is_set) {
        remora_json_key(w, "start_index");
        remora_json_write_i64(w, a->start_index.value);
    }
    if (a->end_index.is_set) {
        remora_json_key(w, "end_index");
        remora_json_write_i64(w, a->end_index.value);
    }
    remora_json_object_close(w);
}

static void write_index(struct remora_json_writer *w, int32_t index)
{
    if (index >= 0) {
        remora_json_key(w, "index");
        remora_json_write_i64(w, index);
    }
}

/* A line break between two values would end a line of the stream; within a string JSON has none. */
void chat_write_object(struct remora_json_writer *w, struct remora_slice object)
{
    size_t at = 0;
    remora_json_write_raw(w, remora_slice(object.data, 0));
    while (at < object.length) {
        size_t end = at;
        while (end < object.length && object.data[end] != '\n' && object.data[end] != '\r') {
            end++;
        }
        remora_buf_append(w->buf, remora_slice(object.data + at, end - at));
        if (end < object.length) {
            remora_buf_append_text(w->buf, " ");
        }
        at = end + 1;
    }
}

/* Past the string that begins at `at`, in valid JSON. */
static size_t string_end(struct remora_slice json, size_t at)
{
    for (at++; at < json.length && json.data[at] != '"'; at++) {
        at += json.data[at] == '\\';
    }
    return at + 1;
}

static size_t blanks_end(struct remora_slice json, size_t at)
{
    while (at < json.length && (json.data[at] == ' ' || json.data[at] == '\t' ||
                                json.data[at] == '\n' || json.data[at] == '\r')) {
        at++;
    }
    return at;
}

/* Past the value that begins at `at`, in a valid JSON object. */
static size_t value_end(struct remora_slice json, size_t at)
{
    size_t depth = 0;
    while (at < json.length) {
        char c = json.data[at];
        if (depth == 0 && (c == ',' || c == '}')) {
            break;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        at = c == '"' ? string_end(json, at) : at + 1;
    }
    return at;
}

/* The value of the object's own member `index`; one of an object within it says nothing. Empty: none. */
static struct remora_slice own_index(struct remora_slice object)
{
    size_t depth = 0;
    size_t at = 0;
    while (at < object.length) {
        char c = object.data[at];
        size_t end = c == '"' ? string_end(object, at) : at + 1;
        size_t colon = blanks_end(object, end);
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (depth == 1 && remora_slice_is(remora_slice(object.data + at, end - at), "\"index\"") &&
            colon < object.length && object.data[colon] == ':') {
            size_t from = blanks_end(object, colon + 1);
            return remora_slice(object.data + from, value_end(object, from) - from);
        }
        at = end;
    }
    return (struct remora_slice){0};
}

/* The object with this index instead of its own, or before its members. */
static void append_indexed(struct remora_buf *out, struct remora_slice object, int32_t index)
{
    struct remora_slice own = own_index(object);
    size_t open = remora_slice_find(object, '{', 0);
    size_t at = open < object.length ? open + 1 : 0;
    if (own.length > 0) {
        size_t before = (size_t)(own.data - object.data);
        at = before + own.length;
        remora_buf_append(out, remora_slice(object.data, before));
        remora_buf_append_i64(out, index);
    } else if (at > 0) {
        bool is_empty = object.data[blanks_end(object, at)] == '}';
        remora_buf_printf(out, "{\"index\":%d%s", (int)index, is_empty ? "" : ",");
    }
    remora_buf_append(out, remora_slice(object.data + at, object.length - at));
}

void chat_write_indexed(struct remora_json_writer *w, struct remora_slice object, int32_t index)
{
    if (index < 0) {
        chat_write_object(w, object);
        return;
    }
    struct remora_buf out;
    remora_buf_init(&out, REMORA_LIMIT_UPSTREAM_BODY_BYTES);
    append_indexed(&out, object, index);
    if (remora_buf_code(&out) != REMORA_OK && w->buf->failed == REMORA_OK) {
        w->buf->failed = remora_buf_code(&out);
    }
    chat_write_object(w, remora_buf_slice(&out));
    remora_buf_fini(&out);
}

void chat_write_annotation(struct remora_json_writer *w, const struct remora_annotation *annotation,
                           int32_t index)
{
    if (annotation->raw.length > 0) {
        chat_write_indexed(w, annotation->raw, index);
        return;
    }
    remora_json_object_open(w);
    write_index(w, index);
    write_optional(w, "type", annotation->type);
    if (remora_slice_is(annotation->type, "url_citation")) {
        write_url_citation(w, annotation);
    }
    remora_json_object_close(w);
}

/* An image as a URL or as a data URL (RFC 2397). */
void chat_write_image(struct remora_json_writer *w, const struct remora_media *media, int32_t index)
{
    struct remora_buf url;
    remora_buf_init(&url, REMORA_LIMIT_UPSTREAM_BODY_BYTES);
    if (media->source == REMORA_MEDIA_BASE64 || media->source == REMORA_MEDIA_BYTES) {
        remora_buf_append(&url, REMORA_SLICE("data:"));
        remora_buf_append(&url, media->mime_type);
        remora_buf_append(&url, REMORA_SLICE(";base64,"));
    }
    if (media->source == REMORA_MEDIA_BYTES) {
        remora_append_base64(&url, media->value);
    } else {
        remora_buf_append(&url, media->value);
    }
    if (remora_buf_code(&url) != REMORA_OK && w->buf->failed == REMORA_OK) {
        w->buf->failed = remora_buf_code(&url);
    }
    remora_json_object_open(w);
    write_index(w, index);
    remora_json_key(w, "type");
    remora_json_write_text(w, "image_url");
    remora_json_key(w, "image_url");
    remora_json_object_open(w);
    remora_json_key(w, "url");
    remora_json_write_string(w, remora_buf_slice(&url));
    remora_json_object_close(w);
    remora_json_object_close(w);
    remora_buf_fini(&url);
}

void chat_write_sound(struct remora_json_writer *w, const struct remora_event *event)
{
    const struct remora_media *media = &event->media.media;
    if (event->kind == REMORA_EVENT_TEXT) {
        remora_json_key(w, "transcript");
        remora_json_write_string(w, event->text.text);
        return;
    }
    write_optional(w, media->source == REMORA_MEDIA_FILE_ID ? "id" : "data", media->value);
    if (event->media.expires_at_unix_s > 0) {
        remora_json_key(w, "expires_at");
        remora_json_write_i64(w, event->media.expires_at_unix_s);
    }
}

/* token, logprob and bytes; the caller closes the object. */
static void write_alternative(struct remora_json_writer *w,
                              const struct remora_logprob_alternative *alternative)
{
    remora_json_object_open(w);
    remora_json_key(w, "token");
    remora_json_write_string(w, alternative->token);
    remora_json_key(w, "logprob");
    remora_json_write_double(w, alternative->logprob);
    remora_json_key(w, "bytes");
    if (!alternative->has_bytes) {
        remora_json_write_null(w);
        return;
    }
    remora_json_array_open(w);
    for (size_t i = 0; i < alternative->bytes.length; i++) {
        remora_json_write_i64(w, (unsigned char)alternative->bytes.data[i]);
    }
    remora_json_array_close(w);
}

void chat_write_logprob_items(struct remora_json_writer *w, const struct remora_logprob *items,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_alternative(w, &items[i].chosen);
        remora_json_key(w, "top_logprobs");
        remora_json_array_open(w);
        for (size_t j = 0; j < items[i].alternative_count; j++) {
            write_alternative(w, &items[i].alternatives[j]);
            remora_json_object_close(w);
        }
        remora_json_array_close(w);
        remora_json_object_close(w);
    }
}

void chat_write_logprobs(struct remora_json_writer *w, const struct remora_event *event)
{
    bool is_refusal = event->kind == REMORA_EVENT_REFUSAL;
    remora_json_object_open(w);
    if (is_refusal) {
        remora_json_key(w, "content");
        remora_json_write_null(w);
    }
    remora_json_key(w, is_refusal ? "refusal" : "content");
    remora_json_array_open(w);
    chat_write_logprob_items(w, event->text.logprobs, event->text.logprob_count);
    remora_json_array_close(w);
    if (!is_refusal) {
        remora_json_key(w, "refusal");
        remora_json_write_null(w);
    }
    remora_json_object_close(w);
}
