/*
 * The end of an answer that its client does not read. While an exchange runs its deadlines bound the call; when it has ended,
 * what has still to leave waits for the client alone.
 *
 *   1. the status is final (send.c): from now on the client has REMORA_LIMIT_WRITE_IDLE_MS for all that waits, as over HTTP for
 *      any piece, and a second more for each SLOW_BYTES of it: the core does not tell how far a message has come. Once the
 *      front drains it is half a second, and a second more for each HURRIED_BYTES
 *   2. what waits is counted among the bytes that the process carries (remora/exchange.h), until it leaves
 *   3. there is no room left for answers: every such call of the process is hurried as in a drain, those that come meanwhile,
 *      too; what is asked or answered then is refused with SHEDDING
 *   4. the status has left, or the caller: nothing more is awaited
 *   5. not taken in time: the call is cut off
 *
 * The call has left the limits of its service and key with its exchange, so it is not counted there while it waits here.
 *
 * Failure: no memory for the timer. The call waits without one until it is read or hurried, and is then cut off.
 *
 * Source: include/remora/tbl/limits.h; reference/grpc-core.md section 5 (a send completes when it fits the peer's window).
 */
#include "call.h"
#include "remora/exchange.h"
#include "remora/limits.h"

#define GOODBYE_NS    (REMORA_NS_PER_S / 2)
#define WRITE_IDLE_NS (REMORA_LIMIT_WRITE_IDLE_MS * REMORA_NS_PER_MS)

enum { SLOW_BYTES = 64 << 10, HURRIED_BYTES = 1 << 20, SMALL_BYTES = 16 << 10 };

static struct remora_admission *admission_of(const struct remora_grpc_call *call)
{
    return call->front->process->admission;
}

static size_t held_bytes(const struct remora_grpc_call *call)
{
    return call->outgoing_bytes + call->queue_bytes;
}

static uint64_t time_ns(const struct remora_grpc_call *call)
{
    uint64_t bytes = held_bytes(call);
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
    cut_off(REMORA_CONTAINER_OF(patience, struct remora_grpc_call, patience));
}

/* ---- bytes ---- */

static void on_press(struct remora_message_node *message)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(message, struct remora_grpc_lane, press);
    atomic_store(&lane->is_pressed, false);
    remora_grpc_unread_drain(lane);
}

/* Every worker has its own calls. */
static void press(struct remora_grpc_front *front)
{
    for (unsigned i = 0; i < front->lane_count; i++) {
        struct remora_grpc_lane *lane = &front->lanes[i];
        if (!atomic_exchange(&lane->is_pressed, true)) {
            remora_loop_post(lane->worker->loop, &lane->press);
        }
    }
}

bool remora_grpc_unread_has_room(const struct remora_grpc_call *call)
{
    return remora_admission_has_room(admission_of(call));
}

bool remora_grpc_unread_takes(const struct remora_grpc_call *call, grpc_slice packed)
{
    return GRPC_SLICE_LENGTH(packed) <= SMALL_BYTES || remora_grpc_unread_has_room(call);
}

/* What has left is given back. */
static void settle(struct remora_grpc_call *call, size_t bytes)
{
    remora_admission_give_answer(admission_of(call), call->unread_bytes - bytes);
    call->unread_bytes = bytes;
}

/* ---- from the beginning to the end ---- */

void remora_grpc_unread_open(struct remora_grpc_lane *lane)
{
    remora_list_init(&lane->unread);
    lane->press.run = on_press;
    atomic_init(&lane->is_pressed, false);
}

void remora_grpc_unread_begin(struct remora_grpc_call *call)
{
    call->unread_bytes = held_bytes(call);
    bool has_room = remora_admission_hold_answer(admission_of(call), call->unread_bytes);
    call->is_hurried = !has_room || atomic_load(&call->front->is_draining);
    remora_list_append(&call->lane->unread, &call->unread);
    (void)!remora_grpc_wait(call, time_ns(call), on_time);
    if (!has_room) {
        press(call->front);
    }
}

void remora_grpc_unread_sent(struct remora_grpc_call *call)
{
    if (remora_list_is_empty(&call->unread)) {
        return;
    }
    if (call->has_ended && !call->is_sending) {
        remora_grpc_unread_end(call);
    } else {
        settle(call, held_bytes(call));
    }
}

void remora_grpc_unread_end(struct remora_grpc_call *call)
{
    if (!remora_list_is_empty(&call->unread)) {
        settle(call, 0);
        remora_list_remove(&call->unread);
        remora_timers_disarm(remora_loop_timers(call->lane->worker->loop), &call->patience);
    }
}

void remora_grpc_unread_hurry(struct remora_grpc_call *call)
{
    if (!remora_list_is_empty(&call->unread) && !call->is_hurried) {
        call->is_hurried = true;
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
