/*
 * POST chat/completions: the sink between an exchange and a connection.
 *
 *   1. the head is judged (chat_head.c); an exchange is made and the body read into its arena
 *   2. the skin parses; what it refuses is answered, nothing went upstream
 *   3. the exchange starts. A unary answer is collected in an arena of its own and written whole. A stream's head is held
 *      until the first content, the 10 s mark or the end; then every event leaves as one chunk
 *   4. a failure before the head is a status and an envelope, after it one event in the stream, without [DONE]
 *
 * Back-pressure: more than REMORA_LIMIT_STREAM_BUFFER_BYTES waiting for the client pauses the upstream until all of it is
 * taken. A client that goes away cancels the exchange at once. After the first content the request's memory is gone: nothing
 * here points into it.
 */
#include "chat_head.h"

#include "remora/memory.h"

struct chat {
    struct remora_sink sink; /* first */
    struct http_connection *c;
    struct http_site *site;
    struct remora_exchange *exchange; /* NULL: none, or its terminal call was made */
    char *body;
    size_t body_bytes;
    size_t body_room;
    enum remora_surface surface;
    bool is_started;
    bool is_stream;
    bool has_head; /* of a stream: the status is spent */
    bool is_full;
    struct remora_encoder encoder;
    struct remora_buf route;   /* encoder.route, where it is asked for */
    struct remora_arena arena; /* of the collected answer */
    struct remora_answer answer;
    enum remora_code answer_code; /* of collecting */
};

/* What a chunked body is counted for before its size is known; its limit is that of every message. */
#define UNKNOWN_BODY_BYTES ((size_t)1 << 20)

static struct chat *chat_of(struct remora_sink *sink)
{
    return REMORA_CONTAINER_OF(sink, struct chat, sink);
}

/* The site's spare one, if it lies there; what is left there is as good as new. */
static void take_arena(struct chat *chat)
{
    struct remora_arena *spare = &chat->site->spare;
    chat->arena = *spare;
    remora_arena_init(spare, chat->arena.chunk_bytes, chat->arena.limit_bytes);
}

static void give_arena(struct chat *chat)
{
    struct remora_arena *spare = &chat->site->spare;
    if (spare->chunks == NULL) {
        remora_arena_reset(&chat->arena);
        *spare = chat->arena;
    } else {
        remora_arena_fini(&chat->arena);
    }
}

static void chat_free(struct chat *chat)
{
    give_arena(chat);
    remora_buf_fini(&chat->route);
    remora_encoder_end(&chat->encoder);
    remora_free(chat);
}

/* Answers with an envelope; chat is gone. The exchange must have ended. */
static void fail_whole(struct chat *chat, const struct remora_fail *fail,
                       const struct remora_outcome *outcome)
{
    struct http_connection *c = chat->c;
    char id[REMORA_GENERATION_ID_BYTES];
    memcpy(id, chat->encoder.id, sizeof id);
    chat_free(chat);
    http_respond_fail(c, fail, outcome, id);
}

/* ---- the sink: streams ---- */

static struct remora_buf *scratch(struct chat *chat)
{
    remora_buf_reset(&chat->c->site->scratch, REMORA_LIMIT_STREAM_BUFFER_BYTES);
    return &chat->c->site->scratch;
}

static void spend_status(struct chat *chat)
{
    if (!chat->has_head) {
        struct http_answer answer = {.status = 200,
                                     .content_type = chat->encoder.skin->stream_content_type,
                                     .generation_id = chat->encoder.id,
                                     .retry_after_ms = -1};
        chat->has_head = true;
        http_stream_begin(chat->c, &answer);
    }
}

/* False: the event could not be built; the connection cannot go on. */
static bool send(struct chat *chat, struct remora_buf *out)
{
    if (remora_buf_code(out) != REMORA_OK) {
        return false;
    }
    http_stream_write(chat->c, remora_buf_slice(out));
    return true;
}

static void end_stream(struct chat *chat, bool is_sound)
{
    struct http_connection *c = chat->c;
    chat_free(chat);
    if (is_sound) {
        http_stream_end(c);
        return;
    }
    c->keeps_alive = false; /* a chunked body without its end: the client sees that it was cut */
    http_call_end(c);
    http_connection_next(c);
}

static enum remora_sink_state stream_event(struct chat *chat, const struct remora_event *event)
{
    const struct remora_skin *skin = chat->encoder.skin;
    bool is_last = event->kind == REMORA_EVENT_COMPLETED;
    if (remora_event_is_content(event->kind) || is_last ||
        event->kind == REMORA_EVENT_CHOICE_FINISHED) {
        spend_status(chat);
    }
    struct remora_buf *out = scratch(chat);
    skin->stream_event(&chat->encoder, event, out);
    bool is_sound = send(chat, out);
    if (is_last) {
        chat->exchange = NULL;
        end_stream(chat, is_sound);
        return REMORA_SINK_READY;
    }
    if (!is_sound) {
        remora_exchange_cancel(chat->exchange, REMORA_SHEDDING);
        chat->exchange = NULL;
        end_stream(chat, false);
        return REMORA_SINK_READY;
    }
    chat->is_full = http_connection_is_full(chat->c);
    return chat->is_full ? REMORA_SINK_FULL : REMORA_SINK_READY;
}

static bool on_waiting(struct remora_sink *sink)
{
    struct chat *chat = chat_of(sink);
    spend_status(chat);
    struct remora_buf *out = scratch(chat);
    chat->encoder.skin->stream_comment(&chat->encoder, out);
    (void)send(chat, out); /* a comment that found no memory is no loss */
    return true;
}

/* ---- the sink: unary ---- */

static void unary_completed(struct chat *chat, const struct remora_outcome *outcome)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_buf *out = scratch(chat);
    enum remora_code code = chat->answer_code;
    if (code == REMORA_OK) {
        chat->encoder.skin->answer(&chat->encoder, &chat->answer, outcome, out);
        code = remora_buf_code(out);
    }
    if (code != REMORA_OK) {
        (void)remora_fail_set(&fail, code == REMORA_TOO_LARGE ? REMORA_UPSTREAM_UNAVAILABLE : code,
                              NULL, "The provider's answer was too large to pass on.");
        fail_whole(chat, &fail, outcome);
        return;
    }
    struct http_answer answer = {.status = 200,
                                 .content_type = chat->encoder.skin->content_type,
                                 .generation_id = chat->encoder.id,
                                 .retry_after_ms = -1};
    struct http_connection *c = chat->c;
    http_respond(c, &answer, remora_buf_slice(out));
    remora_buf_reset(out, REMORA_LIMIT_STREAM_BUFFER_BYTES);
    chat_free(chat);
}

static enum remora_sink_state unary_event(struct chat *chat, const struct remora_event *event)
{
    if (event->kind == REMORA_EVENT_COMPLETED) {
        chat->exchange = NULL;
        unary_completed(chat, event->outcome);
        return REMORA_SINK_READY;
    }
    if (event->kind == REMORA_EVENT_STARTED) {
        /* Names of who answers; an encoder writes nothing for it. */
        chat->encoder.skin->stream_event(&chat->encoder, event, scratch(chat));
    }
    if (chat->answer_code == REMORA_OK) {
        chat->answer_code = remora_answer_add(&chat->answer, event);
    }
    return REMORA_SINK_READY;
}

/* The next attempt's answer is collected from its beginning. */
static void forget_answer(struct chat *chat)
{
    remora_arena_reset(&chat->arena);
    remora_answer_init(&chat->answer, &chat->arena);
    chat->answer_code = REMORA_OK;
}

static enum remora_sink_state on_event(struct remora_sink *sink, const struct remora_event *event)
{
    struct chat *chat = chat_of(sink);
    if (event->kind == REMORA_EVENT_ATTEMPT_FAILED) {
        forget_answer(chat);
        return REMORA_SINK_READY;
    }
    return chat->is_stream ? stream_event(chat, event) : unary_event(chat, event);
}

static void on_failed(struct remora_sink *sink, const struct remora_outcome *outcome)
{
    struct chat *chat = chat_of(sink);
    chat->exchange = NULL;
    if (!chat->has_head) {
        fail_whole(chat, &outcome->fail, outcome);
        return;
    }
    struct remora_buf *out = scratch(chat);
    chat->encoder.skin->stream_failed(&chat->encoder, outcome, out);
    end_stream(chat, send(chat, out));
}

static const struct remora_sink_ops sink_ops = {on_event, on_waiting, on_failed};

/* ---- the call ---- */

/* The request is not acceptable: it ends before it began, and is observed. */
static void refuse_exchange(struct chat *chat, const struct remora_fail *fail)
{
    struct remora_exchange *exchange = chat->exchange;
    chat->exchange = NULL;
    remora_exchange_refuse(exchange, fail, NULL);
}

static enum remora_code grow_body(struct chat *chat, size_t bytes, struct remora_fail *fail)
{
    size_t needed = chat->body_bytes + bytes;
    if (needed > REMORA_LIMIT_MESSAGE_BYTES) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL, "The request body is too large.");
    }
    size_t room = chat->body_room < 4096 ? 4096 : chat->body_room;
    while (room < needed) {
        room *= 2;
    }
    enum remora_code code = remora_exchange_hold(chat->exchange, room, fail);
    if (code != REMORA_OK) {
        return code;
    }
    char *body = remora_arena_resize(remora_exchange_arena(chat->exchange), chat->body,
                                     chat->body_room, room);
    if (body == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL,
                               "The gateway is out of memory; try again.");
    }
    chat->body = body;
    chat->body_room = room;
    return REMORA_OK;
}

static enum remora_code on_body(void *context, struct remora_slice bytes, struct remora_fail *fail)
{
    struct chat *chat = context;
    if (chat->body_bytes + bytes.length > chat->body_room) {
        enum remora_code code = grow_body(chat, bytes.length, fail);
        if (code != REMORA_OK) {
            refuse_exchange(chat, fail);
            return code;
        }
    }
    memcpy(chat->body + chat->body_bytes, bytes.data, bytes.length);
    chat->body_bytes += bytes.length;
    return REMORA_OK;
}

static enum remora_code parse(struct chat *chat, struct remora_fail *fail)
{
    struct remora_request *request = remora_exchange_request(chat->exchange);
    const struct remora_skin_input input = {
        .body = remora_slice(chat->body, chat->body_bytes),
        .surface = chat->surface,
    };
    if (remora_encoder_begin(&chat->encoder) != REMORA_OK) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL,
                               "The gateway is out of memory; try again.");
    }
    enum remora_code code = chat->encoder.skin->parse(&input, remora_exchange_arena(chat->exchange),
                                                      request, &chat->encoder, fail);
    chat->is_stream = code == REMORA_OK && request->delivery == REMORA_STREAM;
    return code;
}

static void on_whole(void *context)
{
    struct chat *chat = context;
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_exchange_whole(chat->exchange);
    if (parse(chat, &fail) != REMORA_OK) {
        refuse_exchange(chat, &fail);
        fail_whole(chat, &fail, NULL);
        return;
    }
    chat->is_started = true;
    remora_exchange_start(chat->exchange, &chat->sink); /* chat may be gone when it returns */
}

static void on_drained(void *context)
{
    struct chat *chat = context;
    if (chat->is_full && chat->exchange != NULL) {
        chat->is_full = false;
        remora_exchange_resume(chat->exchange);
    }
}

static void on_gone(void *context)
{
    struct chat *chat = context;
    if (chat->exchange != NULL && chat->is_started) {
        remora_exchange_cancel(chat->exchange, REMORA_CLIENT_GONE);
    } else if (chat->exchange != NULL) {
        remora_exchange_discard(chat->exchange);
    }
    chat_free(chat);
}

/* Without its exchange before it was started, the request was refused, and that has been observed. */
static const char *refused_id(const void *context)
{
    const struct chat *chat = context;
    return chat->exchange == NULL && !chat->is_started ? chat->encoder.id : NULL;
}

static const struct http_call_ops call_ops = {on_body, on_whole, on_drained, on_gone, refused_id};

/* ---- the beginning ---- */

static void init_chat(struct chat *chat, struct http_connection *c, const struct http_head *head)
{
    chat->sink.ops = &sink_ops;
    chat->c = c;
    chat->surface = remora_slice_starts_with(head->path, REMORA_SLICE("/api/"))
                        ? REMORA_SURFACE_OPENROUTER
                        : REMORA_SURFACE_OPENAI;
    chat->encoder.skin = c->skin;
    memcpy(chat->encoder.id, remora_exchange_generation_id(chat->exchange),
           sizeof chat->encoder.id);
    chat->encoder.created_unix_s = c->site->clock->unix_ms(c->site->clock) / 1000;
    chat->site = c->site;
    take_arena(chat);
    remora_answer_init(&chat->answer, &chat->arena);
    remora_buf_init(&chat->route, REMORA_LIMIT_ROUTE_BYTES);
    bool wants_route = remora_exchange_request(chat->exchange)->wants_route;
    chat->encoder.route = wants_route ? &chat->route : NULL;
}

/* Room for the whole body at once, where its size is known. */
static enum remora_code open_exchange(struct chat *chat, struct http_connection *c,
                                      const struct http_head *head, struct remora_fail *fail)
{
    size_t known = head->content_length > 0 ? (size_t)head->content_length : 0;
    enum remora_code code =
        remora_exchange_new(c->site->worker->engine, head->is_chunked ? UNKNOWN_BODY_BYTES : known,
                            &chat->exchange, fail);
    if (code != REMORA_OK || known == 0) {
        return code;
    }
    chat->body = remora_arena_alloc(remora_exchange_arena(chat->exchange), known);
    if (chat->body == NULL) {
        remora_exchange_discard(chat->exchange);
        return remora_fail_set(fail, REMORA_SHEDDING, NULL,
                               "The gateway is out of memory; try again.");
    }
    chat->body_room = known;
    return REMORA_OK;
}

void http_chat(struct http_connection *c, const struct http_head *head)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct chat *chat = NULL;
    REMORA_NOT_ZEROED struct chat_head judged; /* read only when chat_judge_head has filled it */
    if (!chat_judge_head(c->site, head, &judged, &fail)) {
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    chat = remora_alloc(sizeof *chat);
    if (chat == NULL) {
        (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    if (open_exchange(chat, c, head, &fail) != REMORA_OK) {
        remora_free(chat);
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    chat_fill_request(c, head, &judged, chat->exchange);
    init_chat(chat, c, head);
    http_call_begin(c, &call_ops, chat);
}
