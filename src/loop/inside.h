/* What the files of this room share: the loop's struct and the two passes of a round that connections take part in. */
#ifndef REMORA_LOOP_INSIDE_H
#define REMORA_LOOP_INSIDE_H

#include "remora/loop.h"

#include <stdatomic.h>
#include <uv.h>

/* One read of a connection; the buffer is the loop's and lent for the length of a callback. */
#define REMORA_LOOP_READ_BYTES ((size_t)64 << 10)

struct remora_loop {
    struct remora_clock clock; /* first: the loop is its own clock */
    uint64_t round_ns;         /* 0: not read in this round yet */
    int64_t round_unix_ms;     /* the same of the wall clock */
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t busy;    /* active while work is left for the next round: the poll does not block */
    uv_timer_t timer;  /* the heap's head, or earlier */
    uint64_t timer_ns; /* for when it is set; REMORA_NEVER_NS: not */
    uv_timer_t limit;  /* of a single round */
    uv_async_t wake;
    struct remora_timers timers;
    struct remora_list later;
    struct remora_list flush; /* connections with output of this round */
    struct remora_list conns;
    struct remora_list listeners;
    _Atomic(struct remora_message_node *) inbox; /* newest first */
    atomic_bool is_stopping;
    void (*rest)(void *context); /* at the end of a round, or NULL */
    void *rest_context;
    char *read_buffer; /* REMORA_LOOP_READ_BYTES, private: callers' keys come through it */
};

/* Hands the queued output of one connection, taken off loop->flush, to the kernel. */
void remora_conn_flush_node(struct remora_list *node);
/* Closes a connection that its owner has left open, by its node in loop->conns. */
void remora_conn_abandon(struct remora_list *node);
/* The same for a listener in loop->listeners. */
void remora_listener_abandon(struct remora_list *node);

#endif
