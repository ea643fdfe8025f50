/*
 * The two ways from the gRPC core to a worker.
 *
 * Functor (old core)
 *   1. a call arrives on the poller's own queue: pushed to the inbox, and the first push wakes the loop
 *   2. a completion of the call runs the tag's functor, nearly always on the worker inside its own grpc_call_start_batch:
 *      appended to a plain list that `later` empties at the end of the round, so nothing is woken
 *      else on a thread of the core's executor (the poller's has no place to run functors): pushed like an arrival
 * Mover (new core)
 *   1. the lane's thread takes one event, then drains what is there with deadline 0
 *   2. all of it goes to the inbox, one wake
 *
 * In both, `done` of every tag runs on the worker's thread, never from inside a call into the core.
 *
 * Failures: no memory for a queue or no thread at open (SHEDDING). Nothing fails afterwards.
 *
 * Source: reference/grpc-core.md section 2 for why each core has its way; grpc/grpc.h for the queues.
 */
#include "handoff.h"

#include <stdatomic.h>

/* ---- on the worker ---- */

static void run_one(struct remora_grpc_tag *tag)
{
    tag->next = NULL;
    tag->done(tag, tag->ok);
}

/* Newest first in the inbox; completions of one call are handled in the order in which they came. */
static void run_inbox(struct remora_grpc_lane *lane)
{
    struct remora_grpc_tag *newest = atomic_exchange(&lane->inbox, NULL);
    struct remora_grpc_tag *oldest = NULL;
    while (newest != NULL) {
        struct remora_grpc_tag *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct remora_grpc_tag *next = oldest->next;
        run_one(oldest);
        oldest = next;
    }
}

static void on_wake(struct remora_message_node *message)
{
    run_inbox(REMORA_CONTAINER_OF(message, struct remora_grpc_lane, wake));
}

static void on_later(struct remora_later *later)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(later, struct remora_grpc_lane, later);
    while (lane->first != NULL) {
        struct remora_grpc_tag *tag = lane->first;
        lane->first = tag->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
        run_one(tag);
    }
}

static void on_hello(struct remora_message_node *message)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(message, struct remora_grpc_lane, hello);
    lane->thread = pthread_self();
    atomic_store_explicit(&lane->has_thread, true, memory_order_release);
}

static bool is_on_worker(struct remora_grpc_lane *lane)
{
    return atomic_load_explicit(&lane->has_thread, memory_order_acquire) &&
           pthread_equal(lane->thread, pthread_self()) != 0;
}

/* ---- from any thread ---- */

/* True when the inbox was empty: the pusher is the one to wake the loop. */
static bool push(struct remora_grpc_lane *lane, struct remora_grpc_tag *tag)
{
    struct remora_grpc_tag *head = atomic_load(&lane->inbox);
    do {
        tag->next = head;
    } while (!atomic_compare_exchange_weak(&lane->inbox, &head, tag));
    return head == NULL;
}

static void wake(struct remora_grpc_lane *lane)
{
    remora_loop_post(lane->worker->loop, &lane->wake);
}

static void on_functor(grpc_completion_queue_functor *functor, int ok)
{
    struct remora_grpc_tag *tag = REMORA_CONTAINER_OF(functor, struct remora_grpc_tag, functor);
    remora_grpc_tag_take(tag);
    struct remora_grpc_lane *lane = tag->lane;
    tag->ok = ok != 0;
    if (!is_on_worker(lane)) {
        if (push(lane, tag)) {
            wake(lane);
        }
        return;
    }
    tag->next = NULL;
    *lane->last = tag;
    lane->last = &tag->next;
    remora_later_arm(lane->worker->loop, &lane->later);
}

void remora_grpc_tag_init(struct remora_grpc_tag *tag, struct remora_grpc_lane *lane,
                          void (*done)(struct remora_grpc_tag *tag, bool ok))
{
    *tag = (struct remora_grpc_tag){.lane = lane, .done = done};
    tag->functor.functor_run = on_functor;
    tag->functor.inlineable = 1;
}

/* ---- the mover ---- */

static bool take(struct remora_grpc_lane *lane, const grpc_event *event, bool *must_wake)
{
    if (event->type != GRPC_OP_COMPLETE) {
        return false;
    }
    struct remora_grpc_tag *tag = event->tag;
    remora_grpc_tag_take(tag);
    tag->ok = event->success != 0;
    if (push(lane, tag)) {
        *must_wake = true;
    }
    return true;
}

static void *move(void *context)
{
    struct remora_grpc_lane *lane = context;
    pthread_setname_np(pthread_self(), "grpc-mover");
    for (;;) {
        bool must_wake = false;
        grpc_event event =
            grpc_completion_queue_next(lane->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        while (take(lane, &event, &must_wake)) {
            event = grpc_completion_queue_next(lane->queue, gpr_time_0(GPR_CLOCK_REALTIME), NULL);
        }
        if (must_wake) {
            wake(lane);
        }
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return NULL;
        }
    }
}

/* ---- opening and closing ---- */

static void on_queue_shut_down(grpc_completion_queue_functor *functor, int ok)
{
    (void)ok;
    struct remora_grpc_lane *lane =
        REMORA_CONTAINER_OF(functor, struct remora_grpc_lane, on_shutdown);
    sem_post(&lane->has_shut_down);
}

static enum remora_code open_queue(struct remora_grpc_lane *lane)
{
    if (lane->way == REMORA_GRPC_FUNCTOR) {
        lane->on_shutdown.functor_run = on_queue_shut_down;
        lane->on_shutdown.inlineable = 1;
        lane->queue = grpc_completion_queue_create_for_callback(&lane->on_shutdown, NULL);
        return lane->queue == NULL ? REMORA_SHEDDING : REMORA_OK;
    }
    lane->queue = grpc_completion_queue_create_for_next(NULL);
    if (lane->queue == NULL) {
        return REMORA_SHEDDING;
    }
    lane->has_mover = pthread_create(&lane->mover, NULL, move, lane) == 0;
    return lane->has_mover ? REMORA_OK : REMORA_SHEDDING;
}

enum remora_code remora_grpc_lane_open(struct remora_grpc_lane *lane, struct remora_worker *worker,
                                       struct remora_grpc_poller *poller)
{
    lane->worker = worker;
    lane->way = poller != NULL ? REMORA_GRPC_FUNCTOR : REMORA_GRPC_MOVER;
    lane->last = &lane->first;
    lane->wake.run = on_wake;
    lane->later.run = on_later;
    lane->hello.run = on_hello;
    if (sem_init(&lane->has_shut_down, 0, 0) != 0) {
        return REMORA_SHEDDING;
    }
    enum remora_code code = open_queue(lane);
    if (code == REMORA_OK) {
        lane->arrivals = poller != NULL ? poller->queue : lane->queue;
        remora_loop_post(worker->loop, &lane->hello);
    }
    return code;
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
        /* Interrupted by a signal: wait on. */
    }
}

void remora_grpc_lane_close(struct remora_grpc_lane *lane)
{
    if (lane->queue != NULL) {
        grpc_completion_queue_shutdown(lane->queue);
        if (lane->has_mover) {
            pthread_join(lane->mover, NULL);
        } else if (lane->way == REMORA_GRPC_FUNCTOR) {
            wait_for(&lane->has_shut_down);
        }
        grpc_completion_queue_destroy(lane->queue);
        lane->queue = NULL;
    }
    sem_destroy(&lane->has_shut_down);
}

struct settle {
    struct remora_message_node message;
    struct remora_grpc_lane *lane;
    sem_t has_run;
};

static void on_settle(struct remora_message_node *message)
{
    struct settle *settle = REMORA_CONTAINER_OF(message, struct settle, message);
    struct remora_grpc_lane *lane = settle->lane;
    remora_timers_disarm(remora_loop_timers(lane->worker->loop), &lane->arriving);
    sem_post(&settle->has_run);
}

void remora_grpc_lane_settle(struct remora_grpc_lane *lane)
{
    struct settle settle = {.message.run = on_settle, .lane = lane};
    sem_init(&settle.has_run, 0, 0);
    remora_loop_post(lane->worker->loop, &settle.message);
    wait_for(&settle.has_run);
    sem_destroy(&settle.has_run);
}

/* No draining before the wake as in `move`: one more call into the core costs more than a worker that is woken early. */
static void *poll_for_ever(void *context)
{
    grpc_event event;
    pthread_setname_np(pthread_self(), "grpc-poller");
    do {
        event = grpc_completion_queue_next(context, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            struct remora_grpc_tag *tag = event.tag;
            remora_grpc_tag_take(tag);
            struct remora_grpc_lane *lane = tag->lane;
            tag->ok = event.success != 0;
            if (push(lane, tag)) {
                wake(lane);
            }
        }
    } while (event.type != GRPC_QUEUE_SHUTDOWN);
    return NULL;
}

enum remora_code remora_grpc_poller_open(struct remora_grpc_poller *poller)
{
    poller->queue = grpc_completion_queue_create_for_next(NULL);
    if (poller->queue == NULL) {
        return REMORA_SHEDDING;
    }
    if (pthread_create(&poller->thread, NULL, poll_for_ever, poller->queue) != 0) {
        grpc_completion_queue_shutdown(poller->queue);
        grpc_completion_queue_destroy(poller->queue);
        poller->queue = NULL;
        return REMORA_SHEDDING;
    }
    return REMORA_OK;
}

void remora_grpc_poller_close(struct remora_grpc_poller *poller)
{
    if (poller->queue != NULL) {
        grpc_completion_queue_shutdown(poller->queue);
        pthread_join(poller->thread, NULL);
        grpc_completion_queue_destroy(poller->queue);
        poller->queue = NULL;
    }
}
