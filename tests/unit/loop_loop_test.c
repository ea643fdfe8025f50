/* The loop itself: clock, timers, messages of other threads, what is put off. */
#include "support.h"

#include "remora/loop.h"

#include <pthread.h>

enum { LONG_MS = 5000 };

static int setup(void **state)
{
    struct remora_loop *loop = NULL;
    if (remora_loop_new(&loop) != REMORA_OK) {
        return -1;
    }
    *state = loop;
    return 0;
}

static int teardown(void **state)
{
    remora_loop_free(*state);
    return 0;
}

static uint64_t now_of(struct remora_loop *loop)
{
    const struct remora_clock *clock = remora_loop_clock(loop);
    return clock->now_ns(clock);
}

struct fired {
    struct remora_timer timer;
    struct remora_loop *loop;
    int count;
    uint64_t at_ns;
};

static void fire(struct remora_timer *timer)
{
    struct fired *fired = REMORA_CONTAINER_OF(timer, struct fired, timer);
    fired->count++;
    fired->at_ns = now_of(fired->loop);
}

static enum remora_code arm(struct fired *fired, uint64_t wait_ns)
{
    return remora_timers_arm(remora_loop_timers(fired->loop), &fired->timer,
                             now_of(fired->loop) + wait_ns, fire);
}

static void timer_fires_not_before_it_is_due(void **state)
{
    struct fired fired = {.loop = *state};
    assert_int_equal(arm(&fired, 3 * REMORA_NS_PER_MS), REMORA_OK);
    uint64_t due_ns = fired.timer.due_ns;
    for (int i = 0; i < 50 && fired.count == 0; i++) {
        remora_loop_run_once(*state, LONG_MS);
    }
    assert_int_equal(fired.count, 1);
    assert_true(fired.at_ns >= due_ns);
    assert_true(fired.at_ns - due_ns < 1000 * REMORA_NS_PER_MS);
}

static void timer_that_moves_closer_is_not_late(void **state)
{
    struct fired fired = {.loop = *state};
    assert_int_equal(arm(&fired, 3600 * REMORA_NS_PER_S), REMORA_OK);
    remora_loop_run_once(*state, 0);
    assert_int_equal(arm(&fired, REMORA_NS_PER_MS), REMORA_OK);
    for (int i = 0; i < 50 && fired.count == 0; i++) {
        remora_loop_run_once(*state, LONG_MS);
    }
    assert_int_equal(fired.count, 1);
}

static void timer_that_moves_away_does_not_fire_early(void **state)
{
    struct fired moved = {.loop = *state};
    struct fired other = {.loop = *state};
    assert_int_equal(arm(&moved, REMORA_NS_PER_MS), REMORA_OK);
    remora_loop_run_once(*state, 0);
    assert_int_equal(arm(&moved, 3600 * REMORA_NS_PER_S), REMORA_OK);
    assert_int_equal(arm(&other, 5 * REMORA_NS_PER_MS), REMORA_OK);
    for (int i = 0; i < 50 && other.count == 0; i++) {
        remora_loop_run_once(*state, LONG_MS);
    }
    assert_int_equal(other.count, 1);
    assert_int_equal(moved.count, 0);
    remora_timers_disarm(remora_loop_timers(*state), &moved.timer);
}

static void run_once_returns_after_its_timeout(void **state)
{
    uint64_t before_ns = now_of(*state);
    remora_loop_run_once(*state, 5);
    assert_true(now_of(*state) - before_ns >= 4 * REMORA_NS_PER_MS);
}

static void time_stands_still_within_a_callback(void **state)
{
    assert_int_equal(now_of(*state), now_of(*state));
}

struct order {
    struct remora_message_node node;
    int *next;
    int seen_as;
};

static void note_order(struct remora_message_node *message)
{
    struct order *order = REMORA_CONTAINER_OF(message, struct order, node);
    order->seen_as = (*order->next)++;
}

static void messages_run_once_and_in_order(void **state)
{
    int next = 0;
    struct order orders[3];
    for (int i = 0; i < 3; i++) {
        orders[i] = (struct order){.node.run = note_order, .next = &next, .seen_as = -1};
        remora_loop_post(*state, &orders[i].node);
    }
    remora_loop_run_once(*state, LONG_MS);
    remora_loop_run_once(*state, 0);
    assert_int_equal(next, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(orders[i].seen_as, i);
    }
}

static void one_message_wakes_a_loop_that_sleeps(void **state)
{
    int next = 0;
    struct order order = {.node.run = note_order, .next = &next, .seen_as = -1};
    remora_loop_run_once(*state, 0);
    uint64_t before_ns = now_of(*state);
    remora_loop_post(*state, &order.node);
    remora_loop_run_once(*state, LONG_MS);
    assert_int_equal(next, 1);
    assert_true(now_of(*state) - before_ns < (uint64_t)LONG_MS / 2 * REMORA_NS_PER_MS);
}

static void message_that_was_never_reached_is_run_when_the_loop_is_freed(void **state)
{
    (void)state;
    struct remora_loop *loop = NULL;
    assert_int_equal(remora_loop_new(&loop), REMORA_OK);
    int next = 0;
    struct order order = {.node.run = note_order, .next = &next, .seen_as = -1};
    remora_loop_post(loop, &order.node);
    remora_loop_free(loop);
    assert_int_equal(next, 1);
}

enum { SENDERS = 4, PER_SENDER = 5000 };

struct sender {
    struct remora_loop *loop;
    struct count_message *messages;
};

struct count_message {
    struct remora_message_node node;
    int *count;
    struct remora_loop *loop;
};

static void count_one(struct remora_message_node *message)
{
    struct count_message *counted = REMORA_CONTAINER_OF(message, struct count_message, node);
    (*counted->count)++;
    if (*counted->count == SENDERS * PER_SENDER) {
        remora_loop_stop(counted->loop);
    }
}

static void *send_all(void *context)
{
    struct sender *sender = context;
    for (int i = 0; i < PER_SENDER; i++) {
        remora_loop_post(sender->loop, &sender->messages[i].node);
    }
    return NULL;
}

static void no_message_of_many_threads_is_lost(void **state)
{
    static struct count_message messages[SENDERS][PER_SENDER];
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    int count = 0;
    for (int s = 0; s < SENDERS; s++) {
        for (int i = 0; i < PER_SENDER; i++) {
            messages[s][i] = (struct count_message){{NULL, count_one}, &count, *state};
        }
        senders[s] = (struct sender){*state, messages[s]};
        assert_int_equal(pthread_create(&threads[s], NULL, send_all, &senders[s]), 0);
    }
    remora_loop_run(*state);
    for (int s = 0; s < SENDERS; s++) {
        pthread_join(threads[s], NULL);
    }
    assert_int_equal(count, SENDERS * PER_SENDER);
}

static void stop_before_run_makes_it_return(void **state)
{
    remora_loop_stop(*state);
    remora_loop_run(*state);
}

struct put_off {
    struct remora_later later;
    struct remora_loop *loop;
    int count;
    int again;
};

static void run_put_off(struct remora_later *later)
{
    struct put_off *off = REMORA_CONTAINER_OF(later, struct put_off, later);
    off->count++;
    if (off->again > 0) {
        off->again--;
        remora_later_arm(off->loop, later);
    }
}

static void later_armed_twice_runs_once(void **state)
{
    struct put_off off = {.later.run = run_put_off, .loop = *state};
    remora_later_arm(*state, &off.later);
    remora_later_arm(*state, &off.later);
    remora_loop_run_once(*state, 0);
    assert_int_equal(off.count, 1);
    assert_false(off.later.is_armed);
}

static void later_that_is_disarmed_does_not_run(void **state)
{
    struct put_off off = {.later.run = run_put_off, .loop = *state};
    remora_later_arm(*state, &off.later);
    remora_later_disarm(&off.later);
    remora_later_disarm(&off.later);
    remora_loop_run_once(*state, 0);
    assert_int_equal(off.count, 0);
}

static void later_of_a_timer_runs_before_the_loop_sleeps(void **state)
{
    struct put_off off = {.later.run = run_put_off, .loop = *state, .again = 1000};
    struct fired fired = {.loop = *state};
    remora_later_arm(*state, &off.later);
    assert_int_equal(arm(&fired, REMORA_NS_PER_MS), REMORA_OK);
    uint64_t before_ns = now_of(*state);
    for (int i = 0; i < 2000 && (off.count < 1001 || fired.count == 0); i++) {
        remora_loop_run_once(*state, LONG_MS);
    }
    /* A thousand arms from inside the run are a thousand runs, none of them after a sleep; timers are not starved. */
    assert_int_equal(off.count, 1001);
    assert_int_equal(fired.count, 1);
    assert_true(now_of(*state) - before_ns < (uint64_t)LONG_MS * REMORA_NS_PER_MS);
}

struct rested {
    int count;
    int laters; /* that had run by then */
    struct put_off *off;
};

static void note_rest(void *context)
{
    struct rested *rested = context;
    rested->count++;
    rested->laters = rested->off->count;
}

static void rest_comes_once_a_round_behind_what_was_put_off(void **state)
{
    struct put_off off = {.loop = *state, .later = {.run = run_put_off}};
    struct rested rested = {.off = &off};
    remora_loop_set_rest(*state, note_rest, &rested);
    remora_later_arm(*state, &off.later);
    remora_loop_run_once(*state, 0);
    assert_true(rested.count >= 1);
    assert_int_equal(rested.laters, 1);
    remora_loop_set_rest(*state, NULL, NULL);
    int before = rested.count;
    remora_loop_run_once(*state, 0);
    assert_int_equal(rested.count, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timer_fires_not_before_it_is_due, setup, teardown),
        cmocka_unit_test_setup_teardown(timer_that_moves_closer_is_not_late, setup, teardown),
        cmocka_unit_test_setup_teardown(timer_that_moves_away_does_not_fire_early, setup, teardown),
        cmocka_unit_test_setup_teardown(run_once_returns_after_its_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(time_stands_still_within_a_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_run_once_and_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(one_message_wakes_a_loop_that_sleeps, setup, teardown),
        cmocka_unit_test(message_that_was_never_reached_is_run_when_the_loop_is_freed),
        cmocka_unit_test_setup_teardown(no_message_of_many_threads_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_before_run_makes_it_return, setup, teardown),
        cmocka_unit_test_setup_teardown(later_armed_twice_runs_once, setup, teardown),
        cmocka_unit_test_setup_teardown(later_that_is_disarmed_does_not_run, setup, teardown),
        cmocka_unit_test_setup_teardown(rest_comes_once_a_round_behind_what_was_put_off, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(later_of_a_timer_runs_before_the_loop_sleeps, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
