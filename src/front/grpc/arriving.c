/*
 * Messages that are on their way. The core hands a message over when it is whole and does not tell how much of it has come, so
 * admission cannot count it; and where the core's own quota ends it ends whatever call it meets, or refuses all that are new. So
 * this looks at what the process holds, and lets go of calls whose message is still coming, long before the core would.
 *
 *   1. while a call of the lane waits for a message there is a look every TICK_NS
 *   2. a call that has waited for SLOW_NS is slow: large, or in no haste. Those that are not are never touched, nor those whose
 *      small message has come and only the end of their side has not
 *   3. what the process has grown by since there was none that is slow, less what admission knows of, may be bytes of such messages
 *   4. beyond a budget of its own (budget_bytes) slow calls are refused with SHEDDING: first those of methods that ask for no
 *      key, then who has waited longest; one, and twice as many at each further look until there is room. What the core has
 *      told by then is taken first: a worker that was late, as with large messages to unpack, makes no call slow
 *   5. when none is slow any more, memory that the allocator has kept is given back, TRIES_MOST times, and what is left is what to
 *      measure from
 *
 * So a process that grows for other reasons than messages may let go of slow ones once: 5 comes after it.
 *
 * Failures: no memory for the timer, or a process that cannot see its own size: nothing is let go, and the core's quota is left.
 *
 * Source: reference/grpc-core.md section 5 (limits of memory).
 */
#include "call.h"
#include "reclaim.h"
#include "remora/exchange.h"
#include "remora/limits.h"

#define TICK_NS       (10 * REMORA_NS_PER_MS)
#define SLOW_NS       (3 * TICK_NS) /* threads of a busy machine wait for a turn as long as that */
#define WEIGH_TRIM_NS (2 * TICK_NS)
#define REST_TRIM_NS  REMORA_NS_PER_S

enum {
    BUDGET_MIN_BYTES = 8 << 20,
    SHED_MOST = 4096, /* at one look */
    LITTLE_BYTES = 64 << 10,
    TRIES_MOST = 4,
};

/* A quarter of what the process may have; so little that no call gets through helps nobody. */
static uint64_t budget_bytes(const struct remora_process *process)
{
    uint64_t share = process->memory_limit_bytes / 4;
    uint64_t most =
        share < REMORA_LIMIT_GRPC_ARRIVING_BYTES ? share : REMORA_LIMIT_GRPC_ARRIVING_BYTES;
    return most > BUDGET_MIN_BYTES ? most : BUDGET_MIN_BYTES;
}

/*
 * The newer core counts read buffers whole, as large as what a connection brought last, and ends calls beside a burst that the
 * process has room for: eight messages of 8 MiB at once, beside which the old one counts half as much.
 */
uint64_t remora_grpc_backstop_bytes(const struct remora_grpc_front *front)
{
    return (front->way == REMORA_GRPC_MOVER ? 6 : 3) * budget_bytes(front->process);
}

/* ---- what the process holds ---- */

static uint64_t less(uint64_t from, uint64_t bytes)
{
    return from > bytes ? from - bytes : 0;
}

/* Of it what admission does not know of. */
static uint64_t unknown_bytes(const struct remora_grpc_front *front)
{
    const struct remora_admission *admission = front->process->admission;
    return less(remora_grpc_resident_bytes(), remora_admission_bytes(admission) +
                                                  remora_admission_unread_bytes(admission) +
                                                  remora_admission_arriving_bytes(admission));
}

/* ---- what to measure from ---- */

static uint64_t now_ns(const struct remora_grpc_lane *lane)
{
    const struct remora_clock *clock = remora_loop_clock(lane->worker->loop);
    return clock->now_ns(clock);
}

static bool has_slow(const struct remora_grpc_front *front)
{
    unsigned slow = 0;
    for (unsigned i = 0; i < front->lane_count; i++) {
        slow += atomic_load(&front->lanes[i].slow);
    }
    return slow > 0;
}

/* What is free goes back to the kernel. False: it has done so within `since_ns`, and what is resident may be free. */
static bool trim(struct remora_grpc_front *front, uint64_t at_ns, uint64_t since_ns)
{
    uint64_t trimmed_ns = atomic_load(&front->trimmed_ns);
    if (at_ns < trimmed_ns + since_ns ||
        !atomic_compare_exchange_strong(&front->trimmed_ns, &trimmed_ns, at_ns)) {
        return false;
    }
    remora_grpc_give_back();
    return true;
}

/*
 * None is slow. False: it holds more than at the least, and may yet give it back: what a worker has not unpacked yet is in use, and
 * the core lets go of what it has read a message into after the message.
 */
static bool rest(struct remora_grpc_front *front, uint64_t at_ns)
{
    uint64_t bytes = unknown_bytes(front);
    uint64_t least = atomic_load(&front->rest_bytes);
    if (bytes > least + budget_bytes(front->process) / 8) {
        if (!trim(front, at_ns, REST_TRIM_NS)) {
            return false;
        }
        if (atomic_fetch_add(&front->rest_tries, 1) + 1 < TRIES_MOST) {
            return false; /* it is looked at again */
        }
        least = unknown_bytes(front); /* it is in use */
    }
    atomic_store(&front->rest_tries, 0);
    atomic_store(&front->rest_bytes, bytes < least ? bytes : least);
    return true;
}

/* ---- letting go ---- */

static struct remora_grpc_call *call_of(struct remora_list *node)
{
    return REMORA_CONTAINER_OF(node, struct remora_grpc_call, receiver);
}

static void let_go(struct remora_grpc_call *call)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_SHEDDING, NULL,
                    "the gateway holds as many bytes of messages that are still coming as it may; "
                    "try again");
    remora_grpc_refuse(call, &fail);
    remora_grpc_unread_hurry(call);
}

/* Its message has come, and only the end of the caller's side is awaited: there is next to nothing to get back. */
static bool is_little(const struct remora_grpc_call *call)
{
    return call->has_message && grpc_byte_buffer_length(call->incoming) <= LITTLE_BYTES;
}

/* At most so many of the slow ones with or without a key; how many are left to let go. */
static unsigned shed(struct remora_grpc_lane *lane, uint64_t before_ns, bool is_open, unsigned most)
{
    struct remora_list *next = NULL;
    for (struct remora_list *node = lane->receivers.next; node != &lane->receivers && most > 0;
         node = next) {
        struct remora_grpc_call *call = call_of(node);
        next = node->next;
        if (call->awaits_ns > before_ns) {
            break;
        }
        if (call->method->is_open == is_open && !call->is_ending && !call->is_over &&
            !is_little(call)) {
            let_go(call);
            most--;
        }
    }
    return most;
}

/* An eighth is for what comes until it is looked at and given back. */
static bool is_beyond(const struct remora_grpc_front *front)
{
    uint64_t budget = budget_bytes(front->process);
    return unknown_bytes(front) > atomic_load(&front->rest_bytes) + budget - budget / 8;
}

/* Behind what the core has told by now. */
static void on_judge(struct remora_message_node *message)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(message, struct remora_grpc_lane, judge);
    lane->is_judged = false;
    if (is_beyond(lane->front)) {
        lane->to_shed = lane->to_shed == 0 ? 1 : lane->to_shed * 2;
        lane->to_shed = lane->to_shed < SHED_MOST ? lane->to_shed : SHED_MOST;
        unsigned left = shed(lane, lane->slow_ns, true, lane->to_shed);
        (void)shed(lane, lane->slow_ns, false, left);
    }
}

/* What was let go at the look before has been freed by now, and is told from what is held by giving it back. */
static void weigh(struct remora_grpc_lane *lane, uint64_t at_ns)
{
    if (!is_beyond(lane->front)) {
        lane->to_shed = 0;
    } else if (!lane->is_judged && trim(lane->front, at_ns, WEIGH_TRIM_NS)) {
        lane->is_judged = true;
        lane->slow_ns = at_ns - SLOW_NS;
        remora_loop_post(lane->worker->loop, &lane->judge);
    }
}

/* ---- looks ---- */

/* The list is in the order in which they began to wait. */
static unsigned count_slow(struct remora_grpc_lane *lane, uint64_t before_ns)
{
    unsigned count = 0;
    for (struct remora_list *node = lane->receivers.next;
         node != &lane->receivers && call_of(node)->awaits_ns <= before_ns; node = node->next) {
        count++;
    }
    return count;
}

static void arm(struct remora_grpc_lane *lane);

static void on_tick(struct remora_timer *timer)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(timer, struct remora_grpc_lane, arriving);
    struct remora_grpc_front *front = lane->front;
    uint64_t at_ns = now_ns(lane);
    unsigned slow = count_slow(lane, at_ns - SLOW_NS);
    bool was_slow = atomic_exchange(&lane->slow, slow) > 0;
    bool rests = true;
    if (slow > 0) {
        weigh(lane, at_ns);
    } else if (!was_slow && !has_slow(front)) {
        rests = rest(front, at_ns);
    }
    if (slow > 0 || was_slow || !rests || !remora_list_is_empty(&lane->receivers)) {
        arm(lane);
    }
}

static void arm(struct remora_grpc_lane *lane)
{
    struct remora_timers *timers = remora_loop_timers(lane->worker->loop);
    (void)!remora_timers_arm(timers, &lane->arriving, now_ns(lane) + TICK_NS, on_tick);
}

void remora_grpc_arriving_begin(struct remora_grpc_call *call)
{
    struct remora_grpc_lane *lane = call->lane;
    call->awaits_ns = now_ns(lane);
    remora_list_append(&lane->receivers, &call->receiver);
    if (!remora_timer_is_armed(&lane->arriving)) {
        arm(lane);
    }
}

void remora_grpc_arriving_open(struct remora_grpc_front *front, struct remora_grpc_lane *lane)
{
    lane->front = front;
    remora_list_init(&lane->receivers);
    lane->judge.run = on_judge;
    atomic_init(&lane->slow, 0);
    atomic_store(&front->rest_bytes, unknown_bytes(front));
}
