/*
 * One client connection: requests one after another, input that comes early waits.
 *
 *   HEAD  bytes collect in `in` and are scanned as they come; the whole head is judged, guarded and routed
 *   BODY  llhttp frames it, pieces go to the call
 *   BUSY  the call works and writes; reading is off (the loop keeps what comes and still notices a peer that goes away)
 *   then HEAD again, or the close; while more output waits than a stream may have, what has come already waits, too
 *
 * Time: 10 s for a head, 30 s between pieces of a body and for all of it but what comes at a rate, 75 s idle, 60 s without
 * progress of our output (tbl/limits.h); a head or body that is too slow is answered 408, an idle connection is closed. Every
 * refusal of framing closes.
 */
#include "http.h"

#include "remora/memory.h"

/* What a closing connection waits for its peer in silence: enough for a client to read an answer it did not ask for. One that goes on
 * sending a body that was refused has 30 s, within which it should find the answer. */
enum { LINGER_MS = 2000 };

/* A head, or one read of the loop behind it. */
#define INPUT_LIMIT_BYTES (REMORA_LIMIT_HTTP_HEAD_BYTES + 2 * REMORA_LIMIT_HTTP_PIPELINE_BYTES)

static void run(struct http_connection *c);
static void refuse(struct http_connection *c, const struct remora_fail *fail);

static struct http_connection *connection_of(struct remora_timer *timer)
{
    return REMORA_CONTAINER_OF(timer, struct http_connection, timer);
}

static void close_conn(struct http_connection *c, int64_t linger_ms)
{
    if (c->state == HTTP_STATE_CLOSED) {
        return;
    }
    c->state = HTTP_STATE_CLOSED;
    c->is_held = false;
    if (c->site != NULL) {
        remora_timers_disarm(c->site->timers, &c->timer);
    }
    remora_buf_fini(&c->in);
    c->conn->ops->close(c->conn, linger_ms);
}

/* Ends the call without an answer. */
static void drop_call(struct http_connection *c)
{
    const struct http_call_ops *call = c->call;
    void *context = c->call_context;
    http_call_end(c);
    if (call != NULL) {
        call->gone(context);
    }
}

/* ---- time ---- */

static void on_time(struct remora_timer *timer);

void http_connection_arm_at(struct http_connection *c, uint64_t due_ns)
{
    if (remora_timers_arm(c->site->timers, &c->timer, due_ns, on_time) != REMORA_OK) {
        drop_call(c);
        close_conn(c, 0);
    }
}

static void arm(struct http_connection *c, int64_t ms)
{
    http_connection_arm_at(c, http_now_ns(c) + (uint64_t)ms * REMORA_NS_PER_MS);
}

/* Between two requests. */
static bool is_idle(const struct http_connection *c)
{
    return c->state == HTTP_STATE_HEAD && remora_buf_slice(&c->in).length == 0;
}

static void on_time(struct remora_timer *timer)
{
    struct http_connection *c = connection_of(timer);
    if (c->state == HTTP_STATE_BUSY || c->is_held) {
        if (!http_output_moves(c)) {
            drop_call(c);
            close_conn(c, 0);
        }
    } else if (is_idle(c)) {
        close_conn(c, LINGER_MS);
    } else if (c->state != HTTP_STATE_CLOSED) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        (void)http_refuse(&fail, 408, "The request took too long to arrive.");
        refuse(c, &fail);
    }
}

/*
 * A body has 30 s, and a second more for each 16 KiB that have come: what it is going to need of the process's memory is set aside
 * at its head, and a drip would hold that for ever. Source: reliability.md F43.
 */
static void arm_body(struct http_connection *c)
{
    const uint64_t grace_ns = (uint64_t)REMORA_LIMIT_HTTP_BODY_MS * REMORA_NS_PER_MS;
    uint64_t earned_ns = c->body_bytes * (REMORA_NS_PER_S / REMORA_LIMIT_HTTP_BODY_BYTES_PER_S);
    uint64_t whole_ns = c->body_began_ns + grace_ns + earned_ns;
    uint64_t piece_ns = http_now_ns(c) + grace_ns;
    http_connection_arm_at(c, whole_ns < piece_ns ? whole_ns : piece_ns);
}

/* ---- calls ---- */

void http_call_begin(struct http_connection *c, const struct http_call_ops *ops, void *context)
{
    c->call = ops;
    c->call_context = context;
}

void http_call_end(struct http_connection *c)
{
    c->call = NULL;
    c->call_context = NULL;
}

/* The request is refused where it stands; what is left of it is thrown away with the connection. */
static void refuse(struct http_connection *c, const struct remora_fail *fail)
{
    char id[REMORA_GENERATION_ID_BYTES] = "";
    bool may_have_id = c->call != NULL && c->call->refused_id != NULL;
    const char *refused_id = may_have_id ? c->call->refused_id(c->call_context) : NULL;
    if (refused_id != NULL) {
        memcpy(id, refused_id, sizeof id); /* it goes with the call */
    }
    drop_call(c);
    c->keeps_alive = false;
    http_respond_fail(c, fail, NULL, refused_id == NULL ? NULL : id);
}

static enum remora_code on_body(void *context, struct remora_slice bytes)
{
    struct http_connection *c = context;
    struct remora_fail fail = REMORA_FAIL_INIT;
    c->body_bytes += bytes.length;
    if (c->call == NULL || c->call->body == NULL) {
        return REMORA_OK;
    }
    enum remora_code code = c->call->body(c->call_context, bytes, &fail);
    if (code != REMORA_OK) {
        refuse(c, &fail);
    }
    return code;
}

/* ---- input ---- */

/* The head went to the handler, which began a call or answered. */
static void begin_body(struct http_connection *c, const struct http_head *head)
{
    if (c->state == HTTP_STATE_CLOSED || c->call == NULL) {
        return;
    }
    c->body_is_pending = !c->parser.is_complete;
    if (!c->body_is_pending) {
        c->state = HTTP_STATE_BUSY;
        remora_timers_disarm(c->site->timers, &c->timer);
        if (c->call->whole != NULL) {
            c->call->whole(c->call_context);
        }
        return;
    }
    c->state = HTTP_STATE_BODY;
    if (head->expects_continue && remora_buf_slice(&c->in).length == 0) {
        http_connection_write(c, REMORA_SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    c->body_began_ns = http_now_ns(c);
    arm_body(c);
}

/* False: refused and answered. */
static bool judge_head(struct http_connection *c, struct remora_slice bytes, struct http_head *head)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    size_t used = 0;
    c->keeps_alive = false;
    c->minor = 1;
    c->route = REMORA_SLICE("other");
    c->skin = &remora_skin_chat_completions;
    c->body_bytes = 0;
    if (!http_head_read(bytes, head, &fail)) {
        refuse(c, &fail);
        return false;
    }
    c->minor = (uint8_t)head->minor;
    http_parser_begin(&c->parser, on_body, c);
    enum remora_code code = http_parser_feed(&c->parser, bytes, &used, &fail);
    if (code != REMORA_OK || used != bytes.length) {
        (void)http_refuse(&fail, 400, "The head is not one of HTTP/1.1.");
        refuse(c, &fail);
        return false;
    }
    c->keeps_alive = head->keeps_alive && !http_site_is_leaving(c->site);
    c->body_is_pending = !c->parser.is_complete;
    return true;
}

/* A whole head lies at the front of `in`, which must stay as it is until the handler has read it. */
static void take_head(struct http_connection *c, size_t end)
{
    REMORA_NOT_ZEROED struct http_head head; /* read only when judge_head has filled it */
    struct remora_buf in = c->in;
    remora_buf_init_secret(&c->in, INPUT_LIMIT_BYTES);
    c->scan = (struct http_head_scan){0};
    struct remora_slice all = remora_buf_slice(&in);
    bool is_fine = judge_head(c, remora_slice(all.data, end), &head);
    if (is_fine) {
        c->state = HTTP_STATE_BUSY; /* a handler may answer at once */
        http_route(c, &head);
    }
    if (!is_fine || c->state == HTTP_STATE_CLOSED || all.length == end) {
        remora_buf_fini(&in);
    } else {
        remora_buf_consume(&in, end);
        c->in = in; /* nothing came meanwhile: bytes come from the loop only */
    }
    if (is_fine) {
        begin_body(c, &head);
    }
}

/* One empty line before a request is forgiven (RFC 9112 section 2.2). */
static void skip_empty_line(struct http_connection *c)
{
    struct remora_slice bytes = remora_buf_slice(&c->in);
    if (!c->has_skipped_line && c->scan.line_at == 0 && bytes.length >= 2 &&
        bytes.data[0] == '\r' && bytes.data[1] == '\n') {
        remora_buf_consume(&c->in, 2);
        c->has_skipped_line = true;
    }
}

/* True: something happened and there may be more to do. */
static bool run_head(struct http_connection *c)
{
    if (http_connection_is_full(c)) {
        return false;
    }
    struct remora_fail fail = REMORA_FAIL_INIT;
    size_t end = 0;
    skip_empty_line(c);
    struct remora_slice bytes = remora_buf_slice(&c->in);
    if (bytes.length == 0 || (bytes.length == 1 && bytes.data[0] == '\r')) {
        return false;
    }
    /* Known before the head is read, for what refuses it unread. */
    c->is_head = remora_slice_starts_with(bytes, REMORA_SLICE("HEAD "));
    switch (http_head_scan(&c->scan, bytes, &end, &fail)) {
    case HTTP_SCAN_MORE:
        return false;
    case HTTP_SCAN_REFUSED:
        c->minor = 1;
        refuse(c, &fail);
        return false;
    case HTTP_SCAN_WHOLE:
        take_head(c, end);
        break;
    }
    return true;
}

static void body_is_whole(struct http_connection *c)
{
    c->body_is_pending = false;
    c->state = HTTP_STATE_BUSY;
    remora_timers_disarm(c->site->timers, &c->timer);
    c->conn->ops->set_reading(c->conn, false);
    if (c->call != NULL && c->call->whole != NULL) {
        c->call->whole(c->call_context);
    }
}

static bool run_body(struct http_connection *c)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    size_t used = 0;
    struct remora_buf in = c->in;
    struct remora_slice bytes = remora_buf_slice(&in);
    if (bytes.length == 0) {
        return false;
    }
    remora_buf_init_secret(&c->in, INPUT_LIMIT_BYTES);
    enum remora_code code = http_parser_feed(&c->parser, bytes, &used, &fail);
    if (c->state == HTTP_STATE_BODY && code != REMORA_OK) {
        refuse(c, &fail);
    } else if (c->state == HTTP_STATE_BODY) {
        remora_buf_append(&c->in, remora_slice(bytes.data + used, bytes.length - used));
        if (c->parser.is_complete) {
            body_is_whole(c);
        } else {
            arm_body(c);
        }
    }
    remora_buf_fini(&in);
    return true;
}

/* A client may have sent its next request when it was told last that this connection stays: it has time to find out. */
static void wait_for_request(struct http_connection *c)
{
    const uint64_t idle_ns = REMORA_LIMIT_HTTP_IDLE_MS * REMORA_NS_PER_MS;
    bool is_short = c->site->is_draining && c->site->courtesy_ns < idle_ns;
    uint64_t end_ns = c->idle_since_ns + (is_short ? c->site->courtesy_ns : idle_ns);
    if (c->site->is_draining && end_ns <= http_now_ns(c)) {
        /* Its last answer may still be on the way. */
        close_conn(c, http_output_queued(c) > 0 ? LINGER_MS : 0);
    } else {
        http_connection_arm_at(c, end_ns);
    }
}

/*
 * Who pipelines and does not read would have every answer in our memory, and all of them made in one round of the loop: so the
 * next request is begun when the kernel has taken the answers before it. It has the time of a write for that.
 */
static void hold(struct http_connection *c)
{
    c->is_held = true;
    c->conn->ops->set_reading(c->conn, false);
    http_output_watch(c);
}

/* What to wait for when all input is used up. */
static void settle(struct http_connection *c)
{
    if (c->state == HTTP_STATE_HEAD && http_connection_is_full(c) &&
        remora_buf_slice(&c->in).length > 0) {
        hold(c);
    } else if (c->state == HTTP_STATE_HEAD) {
        c->conn->ops->set_reading(c->conn, true);
        if (remora_buf_slice(&c->in).length > 0) {
            if (!remora_timer_is_armed(&c->timer)) {
                arm(c,
                    REMORA_LIMIT_HTTP_HEAD_MS); /* from its first byte; later ones give no more */
            }
        } else {
            remora_buf_reset(&c->in, 0);
            wait_for_request(c);
        }
    } else if (c->state == HTTP_STATE_BODY) {
        c->conn->ops->set_reading(c->conn, true);
    } else if (c->state == HTTP_STATE_BUSY) {
        c->conn->ops->set_reading(c->conn, false);
        http_output_watch(c);
    }
}

/* `bytes` are the loop's and lent for this round of run(): most requests are read from there, and none of it is copied. */
static void lend(struct http_connection *c, struct remora_slice bytes)
{
    remora_buf_init_over(&c->in, (char *)(uintptr_t)bytes.data, bytes.length);
    c->in.length = bytes.length;
}

/* What was lent and is not used up becomes the connection's own. */
static void keep_rest(struct http_connection *c)
{
    if (c->in.is_borrowed) {
        struct remora_slice rest = remora_buf_slice(&c->in);
        remora_buf_init_secret(&c->in, INPUT_LIMIT_BYTES);
        remora_buf_append(&c->in, rest);
    }
}

/* Everything that can be done with the bytes at hand. Answers given on the way come back here, not onto the stack. */
static void run(struct http_connection *c)
{
    if (c->is_running) {
        return;
    }
    c->is_running = true;
    bool goes_on = true;
    while (goes_on) {
        goes_on = (c->state == HTTP_STATE_HEAD && run_head(c)) ||
                  (c->state == HTTP_STATE_BODY && run_body(c));
        if (!goes_on) {
            keep_rest(c);
        }
        if (remora_buf_code(&c->in) != REMORA_OK) {
            drop_call(c);
            close_conn(c, 0);
        }
    }
    c->is_running = false;
    settle(c);
}

void http_connection_next(struct http_connection *c)
{
    if (c->state == HTTP_STATE_CLOSED) {
        return;
    }
    bool is_over = c->site->is_draining && c->site->courtesy_ns == 0;
    if (!c->keeps_alive || c->body_is_pending || is_over) {
        close_conn(c, LINGER_MS);
        return;
    }
    c->state = HTTP_STATE_HEAD;
    c->idle_since_ns = http_now_ns(c);
    c->scan = (struct http_head_scan){0};
    c->has_skipped_line = false;
    c->has_output = false;
    remora_timers_disarm(c->site->timers, &c->timer);
    run(c);
}

/* ---- what the loop says ---- */

static void on_read(struct remora_conn *conn, struct remora_slice bytes)
{
    struct http_connection *c = conn->owner;
    if (c->state == HTTP_STATE_CLOSED) {
        return;
    }
    if (c->state == HTTP_STATE_HEAD && remora_buf_slice(&c->in).length == 0) {
        remora_timers_disarm(c->site->timers, &c->timer); /* idle no more: the head's time begins */
    }
    if (remora_buf_slice(&c->in).length == 0 && !c->is_running) {
        remora_buf_fini(&c->in);
        lend(c, bytes);
    } else {
        remora_buf_append(&c->in, bytes);
    }
    run(c);
}

static void on_drain(struct remora_conn *conn)
{
    struct http_connection *c = conn->owner;
    c->has_output = false;
    if (c->is_held) {
        c->is_held = false;
        remora_timers_disarm(c->site->timers, &c->timer);
        run(c);
    } else if (c->state == HTTP_STATE_BUSY) {
        if (c->call != NULL && c->call->drained != NULL) {
            c->call->drained(c->call_context);
        }
    }
}

static void on_gone(struct remora_conn *conn, enum remora_conn_end end)
{
    struct http_connection *c = conn->owner;
    (void)end;
    drop_call(c);
    close_conn(c, 0);
}

/*
 * Requests that were pipelined behind a call that takes long are lost, and so the connection ends with the answer of that call.
 * RFC 9112 section 9.3.2: nobody should pipeline behind a POST, and who does sends again what was not answered.
 */
static bool on_overrun(struct remora_conn *conn)
{
    struct http_connection *c = conn->owner;
    if (c->state == HTTP_STATE_BUSY) {
        c->keeps_alive = false;
    }
    return c->state == HTTP_STATE_BUSY;
}

static void on_closed(struct remora_conn *conn)
{
    struct http_connection *c = conn->owner;
    if (c->site != NULL) {
        remora_timers_disarm(c->site->timers, &c->timer); /* the loop may end without asking us */
        remora_list_remove(&c->node);
        if (c->site->open != NULL) {
            atomic_fetch_sub(c->site->open, 1);
        }
        atomic_fetch_sub(&c->site->worker->connections, 1);
    }
    remora_buf_fini(&c->in);
    remora_free(c);
}

const struct remora_conn_callbacks http_connection_callbacks = {
    .on_read = on_read,
    .on_drain = on_drain,
    .on_overrun = on_overrun,
    .on_gone = on_gone,
    .on_closed = on_closed,
};

/* ---- its life ---- */

struct http_connection *http_connection_new(struct http_site *site)
{
    struct http_connection *c = remora_alloc(sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->site = site;
    c->state = HTTP_STATE_HEAD;
    c->route = REMORA_SLICE("other");
    c->skin = &remora_skin_chat_completions;
    remora_list_init(&c->node);
    remora_buf_init_secret(&c->in, INPUT_LIMIT_BYTES);
    return c;
}

void http_connection_discard(struct http_connection *c)
{
    remora_buf_fini(&c->in);
    remora_free(c);
}

void http_connection_attach(struct http_connection *c, struct remora_conn *conn)
{
    c->conn = conn;
    remora_list_append(&c->site->connections, &c->node);
    conn->ops->set_reading(conn, true);
    c->idle_since_ns = http_now_ns(c);
    arm(c, REMORA_LIMIT_HTTP_HEAD_MS); /* a client that connects means to speak */
}

void http_connection_drain(struct http_connection *c)
{
    if (is_idle(c)) {
        wait_for_request(c);
    }
}

bool http_connection_is_busy(const struct http_connection *c)
{
    return c->state == HTTP_STATE_CLOSED ? http_output_queued(c) > 0
                                         : !is_idle(c) || c->site->is_draining;
}

void http_connection_give_up(struct http_connection *c)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    http_connection_drain(c);
    if (c->state == HTTP_STATE_HEAD || c->state == HTTP_STATE_BODY) {
        (void)remora_fail_set(&fail, REMORA_DRAINING, NULL,
                              "The gateway is shutting down; send the request again.");
        refuse(c, &fail);
    }
}

void http_connection_cut(struct http_connection *c)
{
    drop_call(c);
    if (c->state == HTTP_STATE_CLOSED) {
        c->conn->ops->close(c->conn, 0); /* its linger is over */
    } else {
        close_conn(c, 0);
    }
}

void http_connection_abandon(struct http_connection *c)
{
    drop_call(c);
    close_conn(c, 0);
    remora_list_remove(&c->node);
    c->site = NULL;
}
