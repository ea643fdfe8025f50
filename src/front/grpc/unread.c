/*
 * The end of an answer that its client does not read. While an exchange runs its deadlines bound the call; when it has ended,
 * what has still to leave waits for the client alone.
 *
 *   1. the status is final (send.c): from now on the client has REMORA_LIMIT_WRITE_IDLE_MS for the message that is under way,
 *      as over HTTP for any piece, and then as long for the next; once the front drains, half a second each
 *   2. the core does not tell how far a message has come, so a large one has more time: a second for each SLOW_BYTES of it,
 *      in a drain for each HURRIED_BYTES
 *   3. the status has left, or the caller: nothing more is awaited
 *   4. not taken in time: the call is cut off
 *
 * The call has left admission's limits with its exchange, so it is not counted there while it waits here.
 *
 * Failure: no memory for the timer. The call waits without one until it is read or the front drains, and is then cut off.
 *
 * Source: include/remora/tbl/limits.h; reference/grpc-core.md section 5 (a send completes when it fits the peer's window).
 */
#include "call.h"
#include "remora/limits.h"

#define GOODBYE_NS    (REMORA_NS_PER_S / 2)
#define WRITE_IDLE_NS (REMORA_LIMIT_WRITE_IDLE_MS * REMORA_NS_PER_MS)

enum { SLOW_BYTES = 64 << 10, HURRIED_BYTES = 1 << 20 };

static uint64_t now_ns(const struct remora_grpc_call *call)
{
    const struct remora_clock *clock = remora_loop_clock(call->lane->worker->loop);
    return clock->now_ns(clock);
}

/* For what is under way. */
static uint64_t time_ns(const struct remora_grpc_call *call)
{
    uint64_t bytes = call->outgoing_bytes;
    return call->is_hurried ? GOODBYE_NS + bytes * REMORA_NS_PER_S / HURRIED_BYTES
                            : WRITE_IDLE_NS + bytes * REMORA_NS_PER_S / SLOW_BYTES;
}

static void cut_off(struct remora_grpc_call *call)
{
    grpc_call_cancel_with_status(call->call, GRPC_STATUS_UNAVAILABLE,
                                 "The gateway waits no longer.", NULL);
}

static void on_time(struct remora_timer *patience)
{
    struct remora_grpc_call *call =
        REMORA_CONTAINER_OF(patience, struct remora_grpc_call, patience);
    uint64_t waited_ns = now_ns(call) - call->stuck_ns;
    uint64_t most_ns = time_ns(call);
    if (waited_ns >= most_ns || !remora_grpc_wait(call, most_ns - waited_ns, on_time)) {
        cut_off(call);
    }
}

void remora_grpc_unread_begin(struct remora_grpc_call *call)
{
    call->is_hurried = atomic_load(&call->front->is_draining);
    call->stuck_ns = now_ns(call);
    remora_list_append(&call->lane->unread, &call->unread);
    (void)!remora_grpc_wait(call, time_ns(call), on_time);
}

/* The timer stays: it finds out what has left since it was set. */
void remora_grpc_unread_sent(struct remora_grpc_call *call)
{
    call->stuck_ns = now_ns(call);
    if (call->has_ended && !call->is_sending) {
        remora_grpc_unread_end(call);
    }
}

void remora_grpc_unread_end(struct remora_grpc_call *call)
{
    if (!remora_list_is_empty(&call->unread)) {
        remora_list_remove(&call->unread);
        remora_timers_disarm(remora_loop_timers(call->lane->worker->loop), &call->patience);
    }
}

void remora_grpc_unread_hurry(struct remora_grpc_call *call)
{
    if (!remora_list_is_empty(&call->unread) && !call->is_hurried) {
        call->is_hurried = true;
        call->stuck_ns = now_ns(call);
        if (!remora_grpc_wait(call, time_ns(call), on_time)) {
            cut_off(call);
        }
    }
}

void remora_grpc_unread_drain(struct remora_grpc_lane *lane)
{
    for (struct remora_list *node = lane->unread.next; node != &lane->unread; node = node->next) {
        remora_grpc_unread_hurry(REMORA_CONTAINER_OF(node, struct remora_grpc_call, unread));
    }
}
