/*
 * The loop of a worker on libuv.
 *
 * A round of libuv is: timers, prepare, poll, check, closes. We hang on to it so:
 *   timer    one uv_timer stands for the whole heap; it may be early (then nothing is due), never late by more than a
 *            millisecond. A timer that moves further away, as idle time-outs do with every byte, costs no call of libuv.
 *   wake     messages of other threads: a lock-free stack, emptied in the order in which they were sent
 *   check    after the sockets: what was put off (`later`), then the output of connections, each flushed once
 *   prepare  the same again, for what timers made; then the timer is set, what can wait is done (`rest`), and the clock is
 *            forgotten, because time passes in poll
 * What arms itself again and again is given up after SETTLE_PASSES and goes on in the next round, which then does not block:
 * sockets and timers get their turn.
 *
 * Ways to fail: no memory or descriptors at start (SHEDDING). Later nothing can fail but arming a timer.
 * Sources: libuv 1.44 documentation, "Design overview" (order of a round), "uv_async_t", "uv_timer_t".
 */
#include "inside.h"

#include "remora/memory.h"

enum { SETTLE_PASSES = 4, CLOSE_ROUNDS = 64 };

/* ---- clock ---- */

static uint64_t loop_now_ns(const struct remora_clock *clock)
{
    /* The cache is filled behind a const interface; the loop itself is never const. */
    struct remora_loop *loop = REMORA_CONTAINER_OF(clock, struct remora_loop, clock);
    if (loop->round_ns == 0) {
        loop->round_ns = uv_hrtime();
    }
    return loop->round_ns;
}

static int64_t loop_unix_ms(const struct remora_clock *clock)
{
    struct remora_loop *loop = REMORA_CONTAINER_OF(clock, struct remora_loop, clock);
    if (loop->round_unix_ms == 0) {
        const struct remora_clock *system = remora_clock_system();
        loop->round_unix_ms = system->unix_ms(system);
    }
    return loop->round_unix_ms;
}

static void forget_clocks(struct remora_loop *loop)
{
    loop->round_ns = 0;
    loop->round_unix_ms = 0;
}

const struct remora_clock *remora_loop_clock(struct remora_loop *loop)
{
    return &loop->clock;
}

struct remora_timers *remora_loop_timers(struct remora_loop *loop)
{
    return &loop->timers;
}

void *remora_loop_uv(struct remora_loop *loop)
{
    return &loop->uv;
}

/* ---- the passes of a round ---- */

static void run_later(struct remora_loop *loop)
{
    struct remora_list batch;
    remora_list_init(&batch);
    for (struct remora_list *node; (node = remora_list_take(&loop->later)) != NULL;) {
        remora_list_append(&batch, node);
    }
    for (struct remora_list *node; (node = remora_list_take(&batch)) != NULL;) {
        struct remora_later *later = REMORA_CONTAINER_OF(node, struct remora_later, node);
        later->is_armed = false;
        later->run(later);
    }
}

static void flush_output(struct remora_loop *loop)
{
    struct remora_list batch;
    remora_list_init(&batch);
    for (struct remora_list *node; (node = remora_list_take(&loop->flush)) != NULL;) {
        remora_list_append(&batch, node);
    }
    for (struct remora_list *node; (node = remora_list_take(&batch)) != NULL;) {
        remora_conn_flush_node(node);
    }
}

static bool is_settled(const struct remora_loop *loop)
{
    return remora_list_is_empty(&loop->later) && remora_list_is_empty(&loop->flush);
}

static void settle(struct remora_loop *loop)
{
    for (int pass = 0; pass < SETTLE_PASSES && !is_settled(loop); pass++) {
        run_later(loop);
        flush_output(loop);
    }
}

static void rest(struct remora_loop *loop)
{
    if (loop->rest != NULL) {
        loop->rest(loop->rest_context);
    }
}

static void on_timer(uv_timer_t *handle)
{
    struct remora_loop *loop = handle->data;
    loop->timer_ns = REMORA_NEVER_NS;
    forget_clocks(loop);
    remora_timers_run(&loop->timers, loop_now_ns(&loop->clock));
}

static void set_timer(struct remora_loop *loop)
{
    uint64_t due_ns = remora_timers_next_ns(&loop->timers);
    if (due_ns >= loop->timer_ns) {
        return;
    }
    /* libuv counts whole milliseconds of the same clock, from its cached time. */
    uv_update_time(&loop->uv);
    uint64_t due_ms = due_ns / REMORA_NS_PER_MS + (due_ns % REMORA_NS_PER_MS != 0);
    uint64_t now_ms = uv_now(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    loop->timer_ns = due_ns;
}

static void on_busy(uv_idle_t *handle)
{
    (void)handle;
}

static void on_prepare(uv_prepare_t *handle)
{
    struct remora_loop *loop = handle->data;
    settle(loop);
    if (is_settled(loop)) {
        uv_idle_stop(&loop->busy);
    } else {
        uv_idle_start(&loop->busy, on_busy);
    }
    set_timer(loop);
    rest(loop);
    forget_clocks(loop);
}

static void on_check(uv_check_t *handle)
{
    settle(handle->data);
}

/* ---- messages ---- */

static struct remora_message_node *take_inbox(struct remora_loop *loop)
{
    struct remora_message_node *newest = atomic_exchange(&loop->inbox, NULL);
    struct remora_message_node *oldest = NULL;
    while (newest != NULL) {
        struct remora_message_node *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void run_inbox(struct remora_loop *loop)
{
    struct remora_message_node *message = take_inbox(loop);
    while (message != NULL) {
        struct remora_message_node *next = message->next; /* run may free it */
        message->run(message);
        message = next;
    }
}

static void on_wake(uv_async_t *handle)
{
    struct remora_loop *loop = handle->data;
    run_inbox(loop);
    if (atomic_load(&loop->is_stopping)) {
        uv_stop(&loop->uv);
    }
}

void remora_loop_post(struct remora_loop *loop, struct remora_message_node *message)
{
    struct remora_message_node *head = atomic_load(&loop->inbox);
    do {
        message->next = head;
    } while (!atomic_compare_exchange_weak(&loop->inbox, &head, message));
    /* Whoever found the stack empty wakes; the loop has not looked since, so it will see this one, too. */
    if (head == NULL) {
        uv_async_send(&loop->wake);
    }
}

void remora_loop_stop(struct remora_loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    uv_async_send(&loop->wake);
}

/* ---- later ---- */

void remora_later_arm(struct remora_loop *loop, struct remora_later *later)
{
    if (!later->is_armed) {
        later->is_armed = true;
        remora_list_append(&loop->later, &later->node);
    }
}

void remora_later_disarm(struct remora_later *later)
{
    if (later->is_armed) {
        later->is_armed = false;
        remora_list_remove(&later->node);
    }
}

void remora_loop_set_rest(struct remora_loop *loop, void (*run)(void *context), void *context)
{
    loop->rest = run;
    loop->rest_context = context;
}

/* ---- life ---- */

static enum remora_code start_handles(struct remora_loop *loop)
{
    if (uv_loop_init(&loop->uv) != 0) {
        return REMORA_SHEDDING;
    }
    if (uv_async_init(&loop->uv, &loop->wake, on_wake) != 0) {
        uv_loop_close(&loop->uv);
        return REMORA_SHEDDING;
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->busy);
    uv_timer_init(&loop->uv, &loop->timer);
    uv_timer_init(&loop->uv, &loop->limit);
    loop->wake.data = loop->prepare.data = loop->check.data = loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    return REMORA_OK;
}

enum remora_code remora_loop_new(struct remora_loop **out)
{
    struct remora_loop *loop = remora_alloc(sizeof *loop);
    if (loop == NULL) {
        return REMORA_SHEDDING;
    }
    loop->clock = (struct remora_clock){loop_now_ns, loop_unix_ms};
    loop->timer_ns = REMORA_NEVER_NS;
    remora_timers_init(&loop->timers);
    remora_list_init(&loop->later);
    remora_list_init(&loop->flush);
    remora_list_init(&loop->conns);
    remora_list_init(&loop->listeners);
    loop->read_buffer = remora_alloc_private(REMORA_LOOP_READ_BYTES);
    enum remora_code code = loop->read_buffer == NULL ? REMORA_SHEDDING : start_handles(loop);
    if (code != REMORA_OK) {
        remora_free_private(loop->read_buffer, REMORA_LOOP_READ_BYTES);
        remora_free(loop);
        return code;
    }
    *out = loop;
    return REMORA_OK;
}

void remora_loop_run(struct remora_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    atomic_store(&loop->is_stopping, false);
    settle(loop);
    rest(loop);
}

static void on_limit(uv_timer_t *handle)
{
    (void)handle;
}

void remora_loop_run_once(struct remora_loop *loop, int timeout_ms)
{
    forget_clocks(loop);
    if (timeout_ms <= 0) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    } else {
        uv_update_time(&loop->uv);
        uv_timer_start(&loop->limit, on_limit, (uint64_t)timeout_ms, 0);
        uv_run(&loop->uv, UV_RUN_ONCE);
        uv_timer_stop(&loop->limit);
    }
    settle(loop); /* libuv runs timers last when it runs once */
    rest(loop);
    forget_clocks(loop);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void remora_loop_free(struct remora_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    run_inbox(loop); /* a message is run, whatever happens: its memory is waiting for that */
    for (struct remora_list *node; (node = remora_list_take(&loop->listeners)) != NULL;) {
        remora_listener_abandon(node);
    }
    for (struct remora_list *node; (node = remora_list_take(&loop->conns)) != NULL;) {
        remora_conn_abandon(node);
    }
    /* Conns and listeners first, with our own handles alive: their last callbacks may still arm something. */
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_walk(&loop->uv, close_handle, NULL);
    for (int round = 0; round < CLOSE_ROUNDS && uv_loop_close(&loop->uv) != 0; round++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    remora_timers_fini(&loop->timers);
    remora_free_private(loop->read_buffer, REMORA_LOOP_READ_BYTES);
    remora_free(loop);
}
