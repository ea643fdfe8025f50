/*
 * The fake providers of `remora demo`, spoken to over a loopback port like any other: one that is always overloaded, and one
 * that answers a short text, word by word when it is streamed. What they say is theirs; the gateway in front must not know.
 */
#include "http.h"

#include "remora/json.h"
#include "remora/memory.h"

enum { WORD_MS = 20, BODY_BYTES = 1 << 20, FLAKY_RETRY_MS = 1000 };

static const char *const words[] = {"Hello",  " from", " the", " demo",    " provider:", " the",
                                    " first", " one",  " is",  " busy,",   " so",        " Remora",
                                    " asked", " this", " one", " instead."};
#define WORD_COUNT REMORA_COUNT_OF(words)

struct demo {
    struct http_connection *c;
    struct remora_timer timer; /* of a stream */
    struct remora_buf body;
    char model[REMORA_LIMIT_MODEL_ID_BYTES + 1];
    size_t next_word;
    bool includes_usage;
};

static void demo_free(struct demo *demo)
{
    remora_timers_disarm(demo->c->site->timers, &demo->timer);
    remora_buf_fini(&demo->body);
    remora_free(demo);
}

/* ---- flaky ---- */

static void flaky_whole(void *context)
{
    struct http_answer answer = {
        .status = 503, .content_type = "application/json", .retry_after_ms = FLAKY_RETRY_MS};
    http_respond(context, &answer,
                 REMORA_SLICE("{\"error\":{\"message\":\"This demo provider is always "
                              "overloaded.\",\"type\":\"server_error\"}}"));
}

static void flaky_gone(void *context)
{
    (void)context;
}

void http_demo_flaky(struct http_connection *c, const struct http_head *head)
{
    static const struct http_call_ops ops = {.whole = flaky_whole, .gone = flaky_gone};
    (void)head;
    http_call_begin(c, &ops, c);
}

/* ---- steady ---- */

static void write_head(struct remora_json_writer *w, const struct demo *demo, const char *object)
{
    remora_json_object_open(w);
    remora_json_key(w, "id");
    remora_json_write_text(w, "chatcmpl-demo");
    remora_json_key(w, "object");
    remora_json_write_text(w, object);
    remora_json_key(w, "created");
    remora_json_write_i64(w, demo->c->site->clock->unix_ms(demo->c->site->clock) / 1000);
    remora_json_key(w, "model");
    remora_json_write_text(w, demo->model);
}

static void write_usage(struct remora_json_writer *w)
{
    remora_json_key(w, "usage");
    remora_json_object_open(w);
    remora_json_key(w, "prompt_tokens");
    remora_json_write_i64(w, 12);
    remora_json_key(w, "completion_tokens");
    remora_json_write_i64(w, (int64_t)WORD_COUNT);
    remora_json_key(w, "total_tokens");
    remora_json_write_i64(w, 12 + (int64_t)WORD_COUNT);
    remora_json_object_close(w);
}

/* One choice with `text` under message or delta; NULL finish: it goes on. */
static void write_choice(struct remora_json_writer *w, const char *key, struct remora_slice text,
                         const char *finish)
{
    remora_json_key(w, "choices");
    remora_json_array_open(w);
    remora_json_object_open(w);
    remora_json_key(w, "index");
    remora_json_write_i64(w, 0);
    remora_json_key(w, key);
    remora_json_object_open(w);
    remora_json_key(w, "role");
    remora_json_write_text(w, "assistant");
    remora_json_key(w, "content");
    remora_json_write_string(w, text);
    remora_json_object_close(w);
    remora_json_key(w, "finish_reason");
    if (finish == NULL) {
        remora_json_write_null(w);
    } else {
        remora_json_write_text(w, finish);
    }
    remora_json_object_close(w);
    remora_json_array_close(w);
}

static void answer_whole(struct demo *demo)
{
    struct remora_buf text;
    struct remora_buf out;
    struct remora_json_writer w;
    remora_buf_init(&text, REMORA_LIMIT_HTTP_HEAD_BYTES);
    remora_buf_init(&out, REMORA_LIMIT_HTTP_HEAD_BYTES);
    for (size_t i = 0; i < WORD_COUNT; i++) {
        remora_buf_append_text(&text, words[i]);
    }
    remora_json_write_begin(&w, &out);
    write_head(&w, demo, "chat.completion");
    write_choice(&w, "message", remora_buf_slice(&text), "stop");
    write_usage(&w);
    remora_json_object_close(&w);
    struct http_answer answer = {
        .status = 200, .content_type = "application/json", .retry_after_ms = -1};
    struct http_connection *c = demo->c;
    demo_free(demo);
    http_respond(c, &answer, remora_buf_slice(&out));
    remora_buf_fini(&text);
    remora_buf_fini(&out);
}

static void send_chunk(struct demo *demo, struct remora_slice text, const char *finish)
{
    struct remora_buf *out = &demo->c->site->scratch;
    struct remora_json_writer w;
    remora_buf_reset(out, REMORA_LIMIT_STREAM_BUFFER_BYTES);
    remora_buf_append(out, REMORA_SLICE("data: "));
    remora_json_write_begin(&w, out);
    write_head(&w, demo, "chat.completion.chunk");
    write_choice(&w, "delta", text, finish);
    remora_json_object_close(&w);
    remora_buf_append(out, REMORA_SLICE("\n\n"));
    http_stream_write(demo->c, remora_buf_slice(out));
}

static void send_end(struct demo *demo)
{
    struct remora_buf *out = &demo->c->site->scratch;
    struct http_connection *c = demo->c;
    struct remora_json_writer w;
    send_chunk(demo, REMORA_SLICE(""), "stop");
    remora_buf_reset(out, REMORA_LIMIT_STREAM_BUFFER_BYTES);
    if (demo->includes_usage) {
        remora_buf_append(out, REMORA_SLICE("data: "));
        remora_json_write_begin(&w, out);
        write_head(&w, demo, "chat.completion.chunk");
        remora_json_key(&w, "choices");
        remora_json_array_open(&w);
        remora_json_array_close(&w);
        write_usage(&w);
        remora_json_object_close(&w);
        remora_buf_append(out, REMORA_SLICE("\n\n"));
    }
    remora_buf_append(out, REMORA_SLICE("data: [DONE]\n\n"));
    demo_free(demo);
    http_stream_write(c, remora_buf_slice(out));
    http_stream_end(c);
}

static void on_word(struct remora_timer *timer)
{
    struct demo *demo = REMORA_CONTAINER_OF(timer, struct demo, timer);
    const struct http_site *site = demo->c->site;
    if (demo->next_word == WORD_COUNT) {
        send_end(demo);
        return;
    }
    send_chunk(demo, remora_slice_of(words[demo->next_word++]), NULL);
    uint64_t due = site->clock->now_ns(site->clock) + WORD_MS * REMORA_NS_PER_MS;
    if (remora_timers_arm(site->timers, timer, due, on_word) != REMORA_OK) {
        send_end(demo);
    }
}

/* What the answer depends on: model, stream, stream_options.include_usage. False: no JSON. */
static bool read_request(struct demo *demo, bool *is_stream)
{
    static const struct remora_json_limits limits = {REMORA_LIMIT_JSON_DEPTH,
                                                     REMORA_LIMIT_JSON_NODES};
    struct remora_json_doc doc;
    struct remora_json_error error;
    struct remora_arena arena;
    remora_arena_init(&arena, REMORA_LIMIT_SCRATCH_CHUNK_BYTES, REMORA_LIMIT_SCRATCH_ARENA_BYTES);
    bool is_read = remora_json_parse(remora_buf_slice(&demo->body), &arena, &limits, &doc,
                                     &error) == REMORA_OK;
    if (is_read) {
        struct remora_json root = remora_json_root(&doc);
        struct remora_slice model = {NULL, 0};
        (void)!remora_json_bool(remora_json_get(root, "stream"), is_stream);
        (void)!remora_json_bool(
            remora_json_get(remora_json_get(root, "stream_options"), "include_usage"),
            &demo->includes_usage);
        if (remora_json_string(remora_json_get(root, "model"), &arena, &model) &&
            model.length < sizeof demo->model && model.length > 0) {
            memcpy(demo->model, model.data, model.length);
        }
    }
    remora_arena_fini(&arena);
    return is_read;
}

static void steady_whole(void *context)
{
    struct demo *demo = context;
    bool is_stream = false;
    if (!read_request(demo, &is_stream)) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        struct http_connection *c = demo->c;
        (void)remora_fail_set(&fail, REMORA_INVALID_REQUEST, NULL, "The request is no JSON.");
        demo_free(demo);
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    if (!is_stream) {
        answer_whole(demo);
        return;
    }
    struct http_answer answer = {
        .status = 200, .content_type = "text/event-stream", .retry_after_ms = -1};
    http_stream_begin(demo->c, &answer);
    on_word(&demo->timer);
}

static enum remora_code steady_body(void *context, struct remora_slice bytes,
                                    struct remora_fail *fail)
{
    struct demo *demo = context;
    remora_buf_append(&demo->body, bytes);
    if (remora_buf_code(&demo->body) != REMORA_OK) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL, "The request body is too large.");
    }
    return REMORA_OK;
}

static void steady_gone(void *context)
{
    demo_free(context);
}

void http_demo_steady(struct http_connection *c, const struct http_head *head)
{
    static const struct http_call_ops ops = {
        .body = steady_body, .whole = steady_whole, .gone = steady_gone};
    struct demo *demo = remora_alloc(sizeof *demo);
    (void)head;
    if (demo == NULL) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL, "Out of memory.");
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    demo->c = c;
    remora_buf_init(&demo->body, BODY_BYTES);
    http_call_begin(c, &ops, demo);
}
