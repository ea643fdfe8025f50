/*
 * Plain connections: TCP and unix sockets as streams of libuv.
 *
 * Reading   The socket is always read, so that a peer that goes away is noticed. While the owner's reading is off the
 *           bytes go to `ahead` (at most REMORA_LIMIT_HTTP_PIPELINE_BYTES) and are delivered, from the loop, once it is
 *           on again. When `ahead` is full the socket is left alone and poll(2) asks every WATCH_MS for a hang-up: a
 *           stopped uv_tcp sees neither FIN nor RST (reference/measurements.md, "Prototypes 2: libuv").
 * Overrun   poll(2) tells the end of a unix socket whatever lies before it. A FIN of TCP stands behind all that was sent, in the
 *           peer's own kernel when ours has no room: so the first time nothing is found the owner is told (on_overrun), and what
 *           comes is read and thrown away, REMORA_LIMIT_MESSAGE_BYTES at most.
 * Writing   Bytes collect in `out` and leave once per round by uv_try_write; what the kernel does not take is moved to
 *           `sending` and left to uv_write. An idle connection holds no buffer.
 * Closing   With a linger: what is queued is written, for as long as the peer takes some of it every REMORA_LIMIT_WRITE_IDLE_MS.
 *           Then the sending side is shut down and input thrown away until the peer closes too (RFC 9112, 9.6: else the
 *           kernel answers late input with a reset that can destroy the last response), until nothing has come for the time
 *           given; who goes on sending has LINGER_TIMES as long. Without: at once.
 *
 * Ways to fail: reset, or output beyond OUTPUT_LIMIT or memory: on_gone(RESET). End of file: on_gone(PEER_CLOSED).
 */
#include "inside.h"

#include "remora/buf.h"
#include "remora/limits.h"
#include "remora/memory.h"

#include <assert.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCH_MS = 50, LINGER_TIMES = 15 };
#define OUTPUT_LIMIT ((size_t)REMORA_LIMIT_ANSWER_ARENA_BYTES + REMORA_LIMIT_STREAM_BUFFER_BYTES)

struct plain {
    struct remora_conn base; /* first */
    struct remora_list node; /* in loop->conns */
    struct remora_list flush;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_write_t write;
    struct remora_buf out;
    struct remora_buf sending; /* in the hands of uv_write */
    struct remora_buf ahead;
    struct remora_timer timer; /* hang-up watch, or linger */
    struct remora_later deliver;
    size_t thrown_bytes; /* since the overrun */
    int64_t linger_ms;
    size_t linger_queued; /* when the output was looked at last */
    uint64_t
        linger_end_ns; /* without output: of the linger; with it: when the peer had it all, or took none of it */
    bool has_heard; /* since the linger was looked at last */
    bool is_tcp;
    bool is_overrun;
    bool is_reading;    /* as the owner wants it */
    bool is_uv_reading; /* as libuv does it */
    bool is_sending;
    bool is_gone;
    bool is_broken; /* output makes no sense any more */
    bool is_lingering;
    bool is_closing;
};

static void flush(struct plain *plain);

static struct plain *plain_of(struct remora_conn *conn)
{
    return REMORA_CONTAINER_OF(conn, struct plain, base);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct plain *plain = handle->data;
    remora_buf_fini(&plain->out);
    remora_buf_fini(&plain->sending);
    remora_buf_fini(&plain->ahead);
    if (plain->base.callbacks->on_closed != NULL) {
        plain->base.callbacks->on_closed(&plain->base);
    }
    remora_free(plain);
}

static void close_now(struct plain *plain)
{
    if (plain->is_closing) {
        return;
    }
    plain->is_closing = true;
    remora_list_remove(&plain->node);
    remora_list_remove(&plain->flush);
    remora_later_disarm(&plain->deliver);
    remora_timers_disarm(&plain->base.loop->timers, &plain->timer);
    uv_close(&plain->uv.handle, on_closed);
}

static void stop_uv_reading(struct plain *plain)
{
    if (plain->is_uv_reading) {
        plain->is_uv_reading = false;
        uv_read_stop(&plain->uv.stream);
    }
}

static void set_gone(struct plain *plain, enum remora_conn_end end)
{
    if (plain->is_closing) {
        return;
    }
    bool is_news = !plain->is_gone;
    plain->is_gone = true;
    plain->is_broken = plain->is_broken || end == REMORA_CONN_RESET;
    stop_uv_reading(plain);
    if (plain->is_lingering) {
        /* A peer that only half-closed still takes what is queued. */
        if (plain->is_broken || plain->base.ops->queued(&plain->base) == 0) {
            close_now(plain);
        }
    } else if (is_news) {
        remora_timers_disarm(&plain->base.loop->timers, &plain->timer);
        plain->base.callbacks->on_gone(&plain->base, end);
    }
}

/* ---- input ---- */

static void arm_timer(struct plain *plain, int64_t wait_ms, void (*fire)(struct remora_timer *))
{
    struct remora_loop *loop = plain->base.loop;
    uint64_t due_ns = loop->clock.now_ns(&loop->clock) + (uint64_t)wait_ms * REMORA_NS_PER_MS;
    if (remora_timers_arm(&loop->timers, &plain->timer, due_ns, fire) != REMORA_OK) {
        /* Without a timer nobody would notice the end of this connection. */
        set_gone(plain, REMORA_CONN_RESET);
    }
}

static void start_uv_reading(struct plain *plain);

static bool overrun(struct plain *plain)
{
    if (!plain->base.callbacks->on_overrun(&plain->base)) {
        return false;
    }
    plain->is_overrun = true;
    remora_buf_fini(&plain->ahead);
    start_uv_reading(plain);
    return true;
}

static void watch(struct remora_timer *timer)
{
    struct plain *plain = REMORA_CONTAINER_OF(timer, struct plain, timer);
    uv_os_fd_t fd = -1;
    uv_fileno(&plain->uv.handle, &fd);
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
    (void)poll(&poll_fd, 1, 0);
    if ((poll_fd.revents & (POLLERR | POLLHUP)) != 0) {
        set_gone(plain, REMORA_CONN_RESET);
    } else if ((poll_fd.revents & POLLRDHUP) != 0) {
        set_gone(plain, REMORA_CONN_PEER_CLOSED);
    } else if (!plain->is_tcp || plain->is_reading || !overrun(plain)) {
        arm_timer(plain, WATCH_MS, watch);
    }
}

static size_t ahead_bytes(const struct plain *plain)
{
    return remora_buf_slice(&plain->ahead).length;
}

static void keep_ahead(struct plain *plain, struct remora_slice bytes)
{
    remora_buf_append(&plain->ahead, bytes);
    if (remora_buf_code(&plain->ahead) != REMORA_OK) {
        set_gone(plain, REMORA_CONN_RESET); /* bytes were lost: what follows means nothing */
        return;
    }
    if (ahead_bytes(plain) >= plain->ahead.limit_bytes) {
        stop_uv_reading(plain);
        arm_timer(plain, WATCH_MS, watch);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct plain *plain = handle->data;
    size_t room = REMORA_LOOP_READ_BYTES;
    size_t held = ahead_bytes(plain);
    if (!plain->is_lingering && !plain->is_overrun && (!plain->is_reading || held > 0)) {
        size_t left = plain->ahead.limit_bytes - held;
        room = left < room ? left : room;
    }
    *buffer = uv_buf_init(plain->base.loop->read_buffer, (unsigned)room);
}

static void throw_away(struct plain *plain, size_t bytes)
{
    plain->thrown_bytes += bytes;
    if (plain->thrown_bytes > REMORA_LIMIT_MESSAGE_BYTES) {
        set_gone(plain, REMORA_CONN_RESET);
    }
}

static void on_uv_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct plain *plain = stream->data;
    if (got < 0) {
        set_gone(plain, got == UV_EOF ? REMORA_CONN_PEER_CLOSED : REMORA_CONN_RESET);
        return;
    }
    if (got == 0 || plain->is_lingering) {
        plain->has_heard = plain->has_heard || got > 0;
        return;
    }
    struct remora_slice bytes = remora_slice(buffer->base, (size_t)got);
    if (plain->is_overrun) {
        throw_away(plain, bytes.length);
    } else if (plain->is_reading && ahead_bytes(plain) == 0) {
        plain->base.callbacks->on_read(&plain->base, bytes);
    } else {
        keep_ahead(plain, bytes);
    }
}

static void start_uv_reading(struct plain *plain)
{
    if (plain->is_uv_reading || plain->is_gone || plain->is_closing) {
        return;
    }
    plain->is_uv_reading = true;
    int status = uv_read_start(&plain->uv.stream, on_alloc, on_uv_read);
    assert(status == 0); /* refuses only streams that are closing or were not opened */
}

static void deliver(struct remora_later *later)
{
    struct plain *plain = REMORA_CONTAINER_OF(later, struct plain, deliver);
    if (!plain->is_reading || plain->is_gone || plain->is_closing || plain->is_lingering) {
        return;
    }
    struct remora_buf taken = plain->ahead;
    remora_buf_init_secret(&plain->ahead, taken.limit_bytes);
    remora_timers_disarm(&plain->base.loop->timers, &plain->timer);
    start_uv_reading(plain);
    plain->base.callbacks->on_read(&plain->base, remora_buf_slice(&taken));
    remora_buf_fini(&taken);
}

static void plain_set_reading(struct remora_conn *conn, bool on)
{
    struct plain *plain = plain_of(conn);
    plain->is_reading = on;
    if (on && ahead_bytes(plain) > 0) {
        remora_later_arm(conn->loop, &plain->deliver);
    }
}

/* ---- output ---- */

static size_t plain_queued(const struct remora_conn *conn)
{
    const struct plain *plain = REMORA_CONTAINER_OF(conn, struct plain, base);
    if (plain->is_broken || plain->is_closing) {
        return 0;
    }
    return remora_buf_slice(&plain->out).length + uv_stream_get_write_queue_size(&plain->uv.stream);
}

static void plain_write(struct remora_conn *conn, struct remora_slice bytes)
{
    struct plain *plain = plain_of(conn);
    if (plain->is_broken || plain->is_closing || plain->is_lingering || bytes.length == 0) {
        return;
    }
    remora_buf_append(&plain->out, bytes);
    if (!plain->is_sending && remora_list_is_empty(&plain->flush)) {
        remora_list_append(&conn->loop->flush, &plain->flush);
    }
}

static uint64_t now_ns(const struct plain *plain)
{
    return plain->base.loop->clock.now_ns(&plain->base.loop->clock);
}

static bool has_input(const struct plain *plain)
{
    uv_os_fd_t fd = -1;
    int waiting = 0;
    uv_fileno(&plain->uv.handle, &fd);
    return plain->has_heard || (ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

/* It is taken, however slowly, or it was not long ago. */
static bool output_moves(struct plain *plain, size_t queued)
{
    if (queued != plain->linger_queued) {
        plain->linger_queued = queued;
        plain->linger_end_ns = now_ns(plain) + REMORA_LIMIT_WRITE_IDLE_MS * REMORA_NS_PER_MS;
    }
    return now_ns(plain) < plain->linger_end_ns;
}

static void look_at_linger(struct remora_timer *timer)
{
    struct plain *plain = REMORA_CONTAINER_OF(timer, struct plain, timer);
    size_t queued = plain->base.ops->queued(&plain->base);
    bool goes_on = queued > 0 ? output_moves(plain, queued)
                              : has_input(plain) && now_ns(plain) < plain->linger_end_ns;
    plain->has_heard = false;
    if (goes_on) {
        arm_timer(plain, plain->linger_ms, look_at_linger);
    } else {
        close_now(plain);
    }
}

/* The peer's turn: to read what it has and to close. */
static void begin_linger(struct plain *plain)
{
    uint64_t most_ms = (uint64_t)plain->linger_ms * LINGER_TIMES;
    plain->linger_end_ns = now_ns(plain) + most_ms * REMORA_NS_PER_MS;
    arm_timer(plain, plain->linger_ms, look_at_linger);
}

/* Everything is with the kernel: no more to send, the peer's turn to close. */
static void shut_down(struct plain *plain)
{
    uv_os_fd_t fd = -1;
    uv_fileno(&plain->uv.handle, &fd);
    if (plain->is_gone || plain->is_broken || shutdown(fd, SHUT_WR) != 0) {
        close_now(plain);
        return;
    }
    begin_linger(plain);
    start_uv_reading(plain);
}

static void drained(struct plain *plain)
{
    if (plain->is_lingering) {
        shut_down(plain);
        return;
    }
    if (plain->base.callbacks->on_drain != NULL) {
        plain->base.callbacks->on_drain(&plain->base);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct plain *plain = request->handle->data;
    plain->is_sending = false;
    remora_buf_fini(&plain->sending);
    if (plain->is_closing) {
        return;
    }
    if (status < 0) {
        set_gone(plain, REMORA_CONN_RESET);
    } else if (remora_buf_slice(&plain->out).length > 0) {
        flush(plain);
    } else {
        drained(plain);
    }
}

static void send_rest(struct plain *plain)
{
    plain->sending = plain->out;
    remora_buf_init(&plain->out, OUTPUT_LIMIT);
    struct remora_slice rest = remora_buf_slice(&plain->sending);
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)rest.data, (unsigned)rest.length);
    plain->is_sending = true;
    if (uv_write(&plain->write, &plain->uv.stream, &buffer, 1, on_written) != 0) {
        plain->is_sending = false;
        set_gone(plain, REMORA_CONN_RESET);
    }
}

static void flush(struct plain *plain)
{
    struct remora_slice bytes = remora_buf_slice(&plain->out);
    if (remora_buf_code(&plain->out) != REMORA_OK) {
        set_gone(plain, REMORA_CONN_RESET);
        return;
    }
    if (plain->is_broken || bytes.length == 0) {
        return;
    }
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.length);
    int wrote = uv_try_write(&plain->uv.stream, &buffer, 1);
    if (wrote < 0 && wrote != UV_EAGAIN) {
        set_gone(plain, REMORA_CONN_RESET);
        return;
    }
    remora_buf_consume(&plain->out, wrote > 0 ? (size_t)wrote : 0);
    if (remora_buf_slice(&plain->out).length > 0) {
        send_rest(plain);
    } else {
        remora_buf_fini(&plain->out);
        drained(plain);
    }
}

void remora_conn_flush_node(struct remora_list *node)
{
    flush(REMORA_CONTAINER_OF(node, struct plain, flush));
}

/* ---- closing ---- */

static void plain_close(struct remora_conn *conn, int64_t linger_ms)
{
    struct plain *plain = plain_of(conn);
    if (plain->is_closing) {
        return;
    }
    if (linger_ms <= 0 || plain->is_broken) {
        close_now(plain);
        return;
    }
    if (plain->is_lingering) {
        return;
    }
    bool has_output = plain_queued(conn) > 0;
    plain->is_lingering = true;
    plain->linger_ms = linger_ms;
    remora_later_disarm(&plain->deliver);
    remora_buf_fini(&plain->ahead);
    arm_timer(plain, linger_ms, look_at_linger);
    if (plain->is_closing) {
        return;
    }
    start_uv_reading(plain); /* it rests when `ahead` was full */
    if (!has_output) {
        shut_down(plain);
    }
}

void remora_conn_abandon(struct remora_list *node)
{
    close_now(REMORA_CONTAINER_OF(node, struct plain, node));
}

/* ---- opening ---- */

static const struct remora_conn_ops PLAIN_OPS = {
    .set_reading = plain_set_reading,
    .write = plain_write,
    .close = plain_close,
    .queued = plain_queued,
};

static int open_handle(struct plain *plain, int fd)
{
    int domain = 0;
    socklen_t length = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) {
        return UV_EINVAL;
    }
    uv_loop_t *uv = &plain->base.loop->uv;
    if (domain == AF_UNIX) {
        int status = uv_pipe_init(uv, &plain->uv.pipe, 0);
        return status != 0 ? status : uv_pipe_open(&plain->uv.pipe, fd);
    }
    plain->is_tcp = true;
    int status = uv_tcp_init(uv, &plain->uv.tcp);
    return status != 0 ? status : uv_tcp_open(&plain->uv.tcp, fd);
}

static void on_never_opened(uv_handle_t *handle)
{
    remora_free(handle->data);
}

enum remora_code remora_conn_adopt(struct remora_loop *loop, int fd,
                                   const struct remora_conn_callbacks *callbacks, void *owner,
                                   struct remora_conn **out)
{
    struct plain *plain = remora_alloc(sizeof *plain);
    if (plain == NULL) {
        close(fd);
        return REMORA_SHEDDING;
    }
    plain->base = (struct remora_conn){&PLAIN_OPS, callbacks, owner, loop};
    if (open_handle(plain, fd) != 0) {
        close(fd);
        plain->uv.handle.data = plain;
        if (plain->uv.handle.type == UV_UNKNOWN_HANDLE) {
            remora_free(plain);
        } else {
            uv_close(&plain->uv.handle, on_never_opened);
        }
        return REMORA_SHEDDING;
    }
    plain->uv.handle.data = plain;
    remora_buf_init(&plain->out, OUTPUT_LIMIT);
    remora_buf_init(&plain->sending, OUTPUT_LIMIT);
    remora_buf_init_secret(&plain->ahead, REMORA_LIMIT_HTTP_PIPELINE_BYTES);
    remora_list_init(&plain->flush);
    remora_list_append(&loop->conns, &plain->node);
    plain->deliver.run = deliver;
    start_uv_reading(plain);
    *out = &plain->base;
    return REMORA_OK;
}
