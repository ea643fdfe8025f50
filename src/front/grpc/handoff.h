/*
 * The hand-off: completions of the gRPC core reach the worker that owns the call. One file (handoff.c) hides the two ways
 * (reference/grpc-core.md section 2): on cores before the event engine a callback queue, whose functor runs on the worker
 * itself, and the poller's own queue for calls that arrive; on later cores a thread that drains a queue before it wakes the
 * worker.
 */
#ifndef REMORA_GRPC_HANDOFF_H
#define REMORA_GRPC_HANDOFF_H

#include <grpc/grpc.h>
#include <pthread.h>
#include <semaphore.h>

#include "flood.h"
#include "remora/worker.h"

/* Core numbers below this have the poller of the old generation: releases before 1.83 were not measured above 29. */
#define REMORA_GRPC_OLD_CORE_BELOW 40u

enum remora_grpc_way {
    REMORA_GRPC_FUNCTOR, /* old core */
    REMORA_GRPC_MOVER,   /* new core */
};

struct remora_grpc_lane;
struct remora_grpc_front;

/* One completion that is awaited. Its address is the tag given to the core. `done` runs on the worker's thread. */
struct remora_grpc_tag {
    grpc_completion_queue_functor functor; /* first: the core hands back its address */
    struct remora_grpc_tag *next;
    struct remora_grpc_lane *lane;
    void (*done)(struct remora_grpc_tag *tag, bool ok);
    bool ok;
};
void remora_grpc_tag_init(struct remora_grpc_tag *tag, struct remora_grpc_lane *lane,
                          void (*done)(struct remora_grpc_tag *tag, bool ok));

/*
 * A tag goes to the core and comes back, on another thread perhaps, with what its owner wrote behind it. The core orders the
 * two, but with means that ThreadSanitizer does not see (abseil's mutexes in a library that is not instrumented), so under
 * TSan this is said here; elsewhere it is nothing. Every tag: `give` before the call that hands it to the core, `take` first
 * of all when it comes back.
 */
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
static inline void remora_grpc_tag_give(struct remora_grpc_tag *tag)
{
    __tsan_release(tag);
}
static inline void remora_grpc_tag_take(struct remora_grpc_tag *tag)
{
    __tsan_acquire(tag);
}
#else
static inline void remora_grpc_tag_give(struct remora_grpc_tag *tag)
{
    (void)tag;
}
static inline void remora_grpc_tag_take(struct remora_grpc_tag *tag)
{
    (void)tag;
}
#endif

/* The way from the core to one worker. */
struct remora_grpc_lane {
    struct remora_worker *worker;
    grpc_completion_queue *queue; /* of the calls */
    grpc_completion_queue
        *arrivals; /* of new calls and the server's end; registered with the server */
    enum remora_grpc_way way;
    /* Any thread pushes; the worker takes all. */
    _Atomic(struct remora_grpc_tag *) inbox;
    struct remora_message_node wake;
    /* The worker's own. */
    struct remora_list watchers; /* calls of Health/Watch */
    unsigned watcher_count;
    struct remora_grpc_traffic traffic;
    struct remora_list
        receivers; /* calls that wait for a message of their caller, the oldest first */
    struct remora_grpc_front *front;  /* arriving.c, and all up to `unread` */
    struct remora_timer arriving;     /* until the next look at them */
    _Atomic unsigned slow;            /* of them, at the last look; the other workers read it */
    unsigned to_shed;                 /* at that look */
    uint64_t slow_ns;                 /* who is to be judged began to wait before */
    struct remora_message_node judge; /* behind what has come by now */
    bool is_judged;                   /* it is on its way */
    struct remora_list unread;        /* calls whose status waits for their caller (unread.c) */
    struct remora_message_node press; /* to hurry them, from any worker */
    _Atomic bool is_pressed;          /* it is on its way */
    struct remora_list packed;        /* calls whose message is compressed, in line (packed.c) */
    struct remora_list large;         /* those of them that are not small */
    struct remora_grpc_unpacking *unpacking; /* the first of these, once begun */
    struct remora_message_node unpack;       /* the lines' next turn */
    unsigned unpack_turns;                   /* taken */
    unsigned missing;                        /* calls that found no memory to be armed */
    struct remora_arena scratch; /* for messages being packed; reset by its user before use */
    struct remora_grpc_tag *first;
    struct remora_grpc_tag **last;
    struct remora_later later;
    struct remora_list
        leaving; /* calls whose batch is handed to the core at the end of the round (send.c) */
    struct remora_later leave;
    struct remora_message_node hello;
    _Atomic bool has_thread;
    pthread_t thread; /* of the worker, once has_thread */
    pthread_t mover;
    bool has_mover;
    grpc_completion_queue_functor on_shutdown;
    sem_t has_shut_down;
};
/*
 * Shuts the queue down and waits for it. No tag may be awaited any more and the loop must have let go of the lane
 * (remora_grpc_lane_settle). Not on a worker's thread.
 */
void remora_grpc_lane_close(struct remora_grpc_lane *lane);
/* Waits until everything that was posted to the lane's loop has run, and disarms its timer. Not on the worker's thread; the loop must run. */
void remora_grpc_lane_settle(struct remora_grpc_lane *lane);

/*
 * Old cores poll only when somebody waits on a queue: a thread that waits on one of its own, for ever. What arrives there is
 * on the right thread already; a functor that completes on this thread would first be carried to the core's executor.
 */
struct remora_grpc_poller {
    grpc_completion_queue *queue;
    pthread_t thread;
};
/* Before grpc_server_start. */
REMORA_MUST_CHECK enum remora_code remora_grpc_poller_open(struct remora_grpc_poller *poller);
void remora_grpc_poller_close(struct remora_grpc_poller *poller);

/*
 * Makes the queue and, on new cores, the thread; with a poller arrivals come through its queue. Before grpc_server_start.
 * Any thread; the loop need not run yet.
 */
REMORA_MUST_CHECK enum remora_code remora_grpc_lane_open(struct remora_grpc_lane *lane,
                                                         struct remora_worker *worker,
                                                         struct remora_grpc_poller *poller);

#endif
