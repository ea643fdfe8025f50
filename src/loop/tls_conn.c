/*
 * Connections with TLS: the four operations of remora/loop.h once more, over a plain connection that knows nothing of it.
 *
 *   input    ciphertext of the inner connection -> `in` of the session -> handshake, then plaintext -> the owner, or `ahead`
 *            while it does not read. When `ahead` is full the inner connection is not read either, which still notices a peer
 *            that goes away; when it throws records away nothing more can be opened, and the owner is told the same
 *   output   collects in `out` and is sealed once at the end of the round: a burst of small writes is one record
 *   closing  what is queued is sealed, close_notify follows, the inner connection lingers as plain ones do
 *
 * Ways to fail: a handshake or a record that is none (an alert is on its way, on_gone(RESET)), more output than OUTPUT_LIMIT or
 * no memory (the same). close_notify is on_gone(PEER_CLOSED); an end without it is what the inner connection says: HTTP's own
 * framing tells a whole message from a cut one.
 *
 * Sources: RFC 8446 section 6.1 (close_notify), OpenSSL manual SSL_read(3), BIO_s_mem(3).
 */
#include "inside.h"
#include "tls.h"

#include "remora/buf.h"
#include "remora/limits.h"
#include "remora/memory.h"

#include <openssl/err.h>
#include <unistd.h>

enum { SEAL_BYTES = 65536, ALERT_LINGER_MS = 200 };
#define OUTPUT_LIMIT ((size_t)REMORA_LIMIT_ANSWER_ARENA_BYTES + REMORA_LIMIT_STREAM_BUFFER_BYTES)

struct secure {
    struct remora_conn base; /* first */
    struct remora_conn *inner;
    SSL *ssl;
    BIO *in; /* the session's, as is `sealed` */
    BIO *sealed;
    struct remora_buf out;
    struct remora_buf ahead;
    struct remora_later work;
    bool is_reading; /* as the owner wants it */
    bool is_open;    /* the handshake is over */
    bool has_output; /* the owner wrote and was not told yet that the kernel has it all */
    bool is_overrun; /* records are missing: nothing is opened any more, sealing goes on */
    bool has_alert;
    bool is_gone;
    bool is_broken; /* no more records either way */
    bool is_closing;
};

static struct secure *secure_of(struct remora_conn *conn)
{
    return REMORA_CONTAINER_OF(conn, struct secure, base);
}

static void set_gone(struct secure *s, enum remora_conn_end end)
{
    s->is_broken = s->is_broken || end == REMORA_CONN_RESET;
    if (!s->is_gone && !s->is_closing) {
        s->is_gone = true;
        s->base.callbacks->on_gone(&s->base, end);
    }
}

/* ---- output ---- */

/* What the session made goes to the socket. */
static void push(struct secure *s)
{
    char *data = NULL;
    long length = BIO_get_mem_data(s->sealed, &data);
    if (length > 0) {
        s->inner->ops->write(s->inner, remora_slice(data, (size_t)length));
        (void)BIO_reset(s->sealed);
    }
}

static void fail(struct secure *s)
{
    ERR_clear_error();
    s->has_alert = BIO_pending(s->sealed) > 0;
    push(s);
    set_gone(s, REMORA_CONN_RESET);
}

/* A memory BIO takes whole records, so a write is never half done. */
static bool seal_piece(struct secure *s, struct remora_slice bytes)
{
    int length = (int)(bytes.length < SEAL_BYTES ? bytes.length : SEAL_BYTES);
    ERR_clear_error();
    if (SSL_write(s->ssl, bytes.data, length) != length) {
        return false;
    }
    remora_buf_consume(&s->out, (size_t)length);
    push(s);
    return true;
}

static void seal(struct secure *s)
{
    if (remora_buf_code(&s->out) != REMORA_OK) {
        fail(s);
        return;
    }
    struct remora_slice bytes = remora_buf_slice(&s->out);
    while (s->is_open && !s->is_broken && bytes.length > 0) {
        if (!seal_piece(s, bytes)) {
            fail(s);
            return;
        }
        bytes = remora_buf_slice(&s->out);
    }
    if (bytes.length == 0) {
        remora_buf_fini(&s->out);
    }
}

static size_t secure_queued(const struct remora_conn *conn)
{
    const struct secure *s = REMORA_CONTAINER_OF(conn, struct secure, base);
    return s->is_broken ? 0 : remora_buf_slice(&s->out).length + s->inner->ops->queued(s->inner);
}

static void secure_write(struct remora_conn *conn, struct remora_slice bytes)
{
    struct secure *s = secure_of(conn);
    if (s->is_broken || s->is_closing || bytes.length == 0) {
        return;
    }
    s->has_output = true;
    remora_buf_append(&s->out, bytes);
    remora_later_arm(conn->loop, &s->work);
}

static void on_drain(struct remora_conn *inner)
{
    struct secure *s = inner->owner;
    if (s->is_closing || !s->has_output || remora_buf_slice(&s->out).length > 0) {
        return;
    }
    s->has_output = false;
    if (s->base.callbacks->on_drain != NULL) {
        s->base.callbacks->on_drain(&s->base);
    }
}

/* ---- input ---- */

static bool takes_input(const struct secure *s)
{
    return s->is_open && !s->is_overrun && !s->is_gone && !s->is_closing &&
           remora_buf_slice(&s->ahead).length < s->ahead.limit_bytes;
}

static void hand_on(struct secure *s, struct remora_slice bytes)
{
    if (s->is_reading && remora_buf_slice(&s->ahead).length == 0) {
        s->base.callbacks->on_read(&s->base, bytes);
        return;
    }
    remora_buf_append(&s->ahead, bytes);
    if (remora_buf_code(&s->ahead) != REMORA_OK) {
        set_gone(s, REMORA_CONN_RESET);
    }
}

/* Why SSL_read or the handshake did not go on: it waits for more, or the connection is at its end. */
static void judge(struct secure *s, int status)
{
    switch (SSL_get_error(s->ssl, status)) {
    case SSL_ERROR_WANT_READ:
        return;
    case SSL_ERROR_ZERO_RETURN:
        set_gone(s, REMORA_CONN_PEER_CLOSED);
        return;
    default:
        fail(s);
    }
}

/* True: a piece was handed on and there may be more. */
static bool take_piece(struct secure *s)
{
    /* The inner connection's bytes were copied into `in`: its buffer, which core dumps leave out, is free again. */
    char *room = s->base.loop->read_buffer;
    size_t left = s->ahead.limit_bytes - remora_buf_slice(&s->ahead).length;
    size_t most = left < REMORA_LOOP_READ_BYTES ? left : REMORA_LOOP_READ_BYTES;
    ERR_clear_error();
    int got = SSL_read(s->ssl, room, (int)most);
    if (got <= 0) {
        judge(s, got);
        return false;
    }
    hand_on(s, remora_slice(room, (size_t)got));
    return true;
}

static void shake(struct secure *s)
{
    if (s->is_open || s->is_broken || s->is_closing) {
        return;
    }
    ERR_clear_error();
    int status = SSL_do_handshake(s->ssl);
    s->is_open = status == 1;
    if (!s->is_open) {
        judge(s, status);
    }
}

static void advance(struct secure *s)
{
    shake(s);
    while (takes_input(s) && take_piece(s)) {
    }
    push(s); /* answers of the protocol itself */
    if (!s->is_gone && !s->is_closing) {
        s->inner->ops->set_reading(s->inner, !s->is_open || takes_input(s));
    }
}

static void on_read(struct remora_conn *inner, struct remora_slice bytes)
{
    struct secure *s = inner->owner;
    if (s->is_closing || s->is_broken) {
        return;
    }
    if (BIO_write(s->in, bytes.data, (int)bytes.length) != (int)bytes.length) {
        fail(s);
        return;
    }
    advance(s);
}

static void on_gone(struct remora_conn *inner, enum remora_conn_end end)
{
    set_gone(inner->owner, end);
}

static bool on_overrun(struct remora_conn *inner)
{
    struct secure *s = inner->owner;
    if (!s->is_gone && !s->is_closing && !s->base.callbacks->on_overrun(&s->base)) {
        return false;
    }
    s->is_overrun = true;
    remora_buf_fini(&s->ahead);
    return true;
}

static void deliver_ahead(struct secure *s)
{
    if (!s->is_reading || s->is_gone || s->is_closing || remora_buf_slice(&s->ahead).length == 0) {
        return;
    }
    struct remora_buf taken = s->ahead;
    remora_buf_init_secret(&s->ahead, taken.limit_bytes);
    s->base.callbacks->on_read(&s->base, remora_buf_slice(&taken));
    remora_buf_fini(&taken);
}

static void secure_set_reading(struct remora_conn *conn, bool on)
{
    struct secure *s = secure_of(conn);
    if (on && !s->is_reading) {
        remora_later_arm(conn->loop, &s->work);
    }
    s->is_reading = on;
}

static void on_work(struct remora_later *later)
{
    struct secure *s = REMORA_CONTAINER_OF(later, struct secure, work);
    deliver_ahead(s);
    if (!s->is_closing && !s->is_broken) {
        seal(s);
        advance(s);
    }
}

/* ---- closing ---- */

static void on_closed(struct remora_conn *inner)
{
    struct secure *s = inner->owner;
    remora_later_disarm(&s->work);
    SSL_free(s->ssl);
    remora_buf_fini(&s->out);
    remora_buf_fini(&s->ahead);
    if (s->base.callbacks->on_closed != NULL) {
        s->base.callbacks->on_closed(&s->base);
    }
    remora_free(s);
}

static void say_goodbye(struct secure *s)
{
    seal(s);
    if (s->is_open && !s->is_broken) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
        push(s);
    }
}

static void secure_close(struct remora_conn *conn, int64_t linger_ms)
{
    struct secure *s = secure_of(conn);
    if (!s->is_closing) {
        s->is_closing = true; /* nothing is told to the owner any more */
        remora_later_disarm(&s->work);
        if (linger_ms > 0 && !s->is_broken) {
            say_goodbye(s);
        }
        linger_ms = linger_ms <= 0 && s->has_alert ? ALERT_LINGER_MS : linger_ms;
    }
    s->inner->ops->close(s->inner, linger_ms);
}

/* ---- opening ---- */

static const struct remora_conn_ops SECURE_OPS = {
    .set_reading = secure_set_reading,
    .write = secure_write,
    .close = secure_close,
    .queued = secure_queued,
};

static const struct remora_conn_callbacks INNER_CALLBACKS = {
    .on_read = on_read,
    .on_drain = on_drain,
    .on_overrun = on_overrun,
    .on_gone = on_gone,
    .on_closed = on_closed,
};

static bool make_session(struct secure *s, const struct remora_tls *tls)
{
    s->in = BIO_new(BIO_s_mem());
    s->sealed = BIO_new(BIO_s_mem());
    s->ssl = loop_tls_session(tls);
    if (s->in == NULL || s->sealed == NULL || s->ssl == NULL) {
        BIO_free(s->in);
        BIO_free(s->sealed);
        SSL_free(s->ssl);
        return false;
    }
    BIO_set_mem_eof_return(s->in, -1); /* empty means more will come, not the end */
    SSL_set_bio(s->ssl, s->in, s->sealed);
    SSL_set_accept_state(s->ssl);
    return true;
}

enum remora_code remora_conn_adopt_tls(struct remora_loop *loop, int fd,
                                       const struct remora_tls *tls,
                                       const struct remora_conn_callbacks *callbacks, void *owner,
                                       struct remora_conn **out)
{
    struct secure *s = remora_alloc(sizeof *s);
    if (s == NULL || !make_session(s, tls)) {
        remora_free(s);
        close(fd);
        return REMORA_SHEDDING;
    }
    s->base = (struct remora_conn){&SECURE_OPS, callbacks, owner, loop};
    remora_buf_init(&s->out, OUTPUT_LIMIT);
    remora_buf_init_secret(&s->ahead, REMORA_LIMIT_HTTP_PIPELINE_BYTES);
    s->work.run = on_work;
    enum remora_code code = remora_conn_adopt(loop, fd, &INNER_CALLBACKS, s, &s->inner);
    if (code != REMORA_OK) {
        SSL_free(s->ssl);
        remora_free(s);
        return code;
    }
    s->inner->ops->set_reading(s->inner, true);
    *out = &s->base;
    return REMORA_OK;
}
