/*
 * The loop of one worker: clock, timers, messages from other threads, and connections behind four operations.
 *
 * Everything here belongs to the loop's thread except remora_loop_post and remora_loop_stop. The process must ignore SIGPIPE:
 * libuv writes to sockets that may be closed. The implementation is libuv's
 * (ARCHITECTURE 3); this header does not show it.
 */
#ifndef REMORA_LOOP_H
#define REMORA_LOOP_H

#include "remora/base.h"
#include "remora/clock.h"
#include "remora/codes.h"
#include "remora/config.h"
#include "remora/list.h"

struct remora_loop;

REMORA_MUST_CHECK enum remora_code remora_loop_new(struct remora_loop **out);
/* Runs until stopped. Order of a round: timers, messages, sockets, output flushed (in check and in prepare). */
void remora_loop_run(struct remora_loop *loop);
/* One round; blocks for at most timeout_ms. For tests and tools. */
void remora_loop_run_once(struct remora_loop *loop, int timeout_ms);
/* Any thread. */
void remora_loop_stop(struct remora_loop *loop);
/* Closes what is left open. */
void remora_loop_free(struct remora_loop *loop);

/* now_ns is that of the round: cheap, the same within one callback chain. */
const struct remora_clock *remora_loop_clock(struct remora_loop *loop);
/* Driven by the loop. */
struct remora_timers *remora_loop_timers(struct remora_loop *loop);
/* The uv_loop_t, for the rooms that may know libuv (transport, front, app). */
void *remora_loop_uv(struct remora_loop *loop);

/* A message from any thread: runs once on the loop's thread. Memory is the sender's until `run` is called. */
struct remora_message_node {
    struct remora_message_node *next;
    void (*run)(struct remora_message_node *message);
};
void remora_loop_post(struct remora_loop *loop, struct remora_message_node *message);

/* Something that is to run once at the end of this round, before the loop sleeps. Arming twice is one run. */
struct remora_later {
    struct remora_list node;
    void (*run)(struct remora_later *later);
    bool is_armed;
};
void remora_later_arm(struct remora_loop *loop, struct remora_later *later);
void remora_later_disarm(struct remora_later *later);

/*
 * Called once at the end of every round, when the round's output is with the kernel and before the loop waits: for work
 * that nobody waits for. NULL: nothing.
 */
void remora_loop_set_rest(struct remora_loop *loop, void (*rest)(void *context), void *context);

/* ---- connections ---- */

struct remora_conn;

enum remora_conn_end {
    REMORA_CONN_PEER_CLOSED, /* end of file; a half-close counts as leaving */
    REMORA_CONN_RESET,       /* or any other error */
};

struct remora_conn_callbacks {
    /* Bytes arrived; valid during the call. */
    void (*on_read)(struct remora_conn *conn, struct remora_slice bytes);
    /* Output that was queued has all been taken by the kernel. */
    void (*on_drain)(struct remora_conn *conn);
    /*
     * More came while reading was off than is kept, and for longer than a moment. Behind it the end of a TCP connection could not
     * be seen. True: input is thrown away from here on: on_read is not called again, output still works, and this is not asked again.
     * False: it is kept where it is for another moment (the owner has an end for that of its own).
     */
    bool (*on_overrun)(struct remora_conn *conn);
    /* The peer is gone: noticed while reading is off, too. At most once; the conn stays until closed by its owner. */
    void (*on_gone)(struct remora_conn *conn, enum remora_conn_end end);
    /* The last call: memory may be freed by the owner. Follows remora_conn_close, never from inside it. */
    void (*on_closed)(struct remora_conn *conn);
};

/* The four operations. Implementations: plain (TCP and unix), TLS over plain (remora/tls.h), test (a script). */
struct remora_conn_ops {
    /* Reading off still notices a peer that goes away. */
    void (*set_reading)(struct remora_conn *conn, bool on);
    /* Queues; flushed once at the end of the round. Bytes are copied. */
    void (*write)(struct remora_conn *conn, struct remora_slice bytes);
    /* After what is queued has been written and the peer has closed its side (RFC 9112, 9.6), or nothing has come from it for
     * `linger_ms` (it has 15 times as long when it goes on sending), or it has not taken any output for WRITE_IDLE_MS;
     * 0: at once, unsent output is lost. */
    void (*close)(struct remora_conn *conn, int64_t linger_ms);
    /* Bytes queued and not yet taken by the kernel. */
    size_t (*queued)(const struct remora_conn *conn);
};

/* First member of the implementation's struct; `owner` and `callbacks` are the user's. */
struct remora_conn {
    const struct remora_conn_ops *ops;
    const struct remora_conn_callbacks *callbacks;
    void *owner;
    struct remora_loop *loop;
};

/* Takes over an accepted non-blocking stream socket (TCP or unix). Reading is off at first. On failure the fd is closed. */
REMORA_MUST_CHECK enum remora_code remora_conn_adopt(struct remora_loop *loop, int fd,
                                                     const struct remora_conn_callbacks *callbacks,
                                                     void *owner, struct remora_conn **out);

/* ---- listeners ---- */

struct remora_listener;
/* fd is non-blocking and now the callee's. On unix sockets peer_uid is that of SO_PEERCRED, else -1. */
typedef void (*remora_accept_fn)(void *context, int fd, int64_t peer_uid);
/*
 * Binds and listens; port 0 picks one. "localhost" is 127.0.0.1 and ::1 under one port; a machine without IPv6 (or IPv4) has
 * the other alone, while one of the two that is taken is refused. UPSTREAM codes are never returned: INVALID_REQUEST with
 * fail->message, which names the address, for one in use or not allowed.
 */
REMORA_MUST_CHECK enum remora_code remora_listener_open(struct remora_loop *loop,
                                                        const struct remora_address *address,
                                                        remora_accept_fn on_accept, void *context,
                                                        struct remora_listener **out,
                                                        struct remora_fail *fail);
/* The port that was bound, 0 for a unix socket. */
uint16_t remora_listener_port(const struct remora_listener *listener);
/* Accepts who has connected already, and then no more; frees itself. A unix socket's file is removed. */
void remora_listener_close(struct remora_listener *listener);

#endif
