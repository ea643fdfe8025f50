/*
 * A connection without a socket, for testing what stands behind one. It implements the four operations of
 * remora/loop.h: what the owner does is recorded, what the peer does is called by the test.
 *
 *     struct conn_script script;
 *     conn_script_init(&script, &CALLBACKS, owner);   // script.conn is what the front is given
 *     conn_script_feed(&script, REMORA_SLICE("GET / HTTP/1.1\r\n"));
 *     assert_slice_equal(conn_script_written(&script), "...");
 *     conn_script_fini(&script);
 */
#ifndef REMORA_TEST_CONN_SCRIPT_H
#define REMORA_TEST_CONN_SCRIPT_H

#include "remora/buf.h"
#include "remora/loop.h"

struct conn_script {
    struct remora_conn conn;   /* first */
    struct remora_buf written; /* everything the owner wrote since the last take */
    struct remora_buf ahead;   /* fed while reading was off */
    size_t queued_bytes;       /* not taken by the "kernel" yet */
    size_t write_calls;
    bool is_auto_draining; /* the default: a write is taken at once, without on_drain */
    bool is_reading;
    bool is_close_called;
    int64_t linger_ms; /* of the first close, -1 before */
    bool is_closed;    /* on_closed was delivered */
    bool is_gone;
};

void conn_script_init(struct conn_script *script, const struct remora_conn_callbacks *callbacks,
                      void *owner);
/* Frees what the script holds; the connection need not be closed. */
void conn_script_fini(struct conn_script *script);

/* Bytes from the peer: delivered at once when reading is on, else kept until conn_script_pump. */
void conn_script_feed(struct conn_script *script, struct remora_slice bytes);
/* As the loop does at the end of a round: what was kept is delivered when reading is on; a called close completes once
 * nothing is queued. */
void conn_script_pump(struct conn_script *script);
/* The peer goes away. */
void conn_script_gone(struct conn_script *script, enum remora_conn_end end);
/* Writes stay queued from now on, until conn_script_drain. */
void conn_script_stall(struct conn_script *script);
/* The kernel takes all that is queued: on_drain. Writes made from inside it are queued again when stalled. */
void conn_script_drain(struct conn_script *script);
/* What was written and not taken yet by conn_script_take; valid until the next write. */
struct remora_slice conn_script_written(const struct conn_script *script);
/* Forgets what was written so far. */
void conn_script_take(struct conn_script *script);

#endif
