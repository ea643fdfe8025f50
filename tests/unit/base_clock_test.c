/* Timers, randomness, the system clock. */
#include "support.h"

#include "remora/clock.h"
#include "remora/memory.h"

struct probe {
    struct remora_timer timer;
    struct remora_timers *timers;
    struct probe *other;
    int *order;
    int place;
    uint64_t again_ns;
    bool disarms;
};

static void fire(struct remora_timer *timer)
{
    struct probe *probe = REMORA_CONTAINER_OF(timer, struct probe, timer);
    assert_false(remora_timer_is_armed(timer));
    probe->place = ++*probe->order;
    if (probe->disarms) {
        remora_timers_disarm(probe->timers, &probe->other->timer);
    }
    if (probe->again_ns != 0) {
        assert_int_equal(remora_timers_arm(probe->timers, timer, probe->again_ns, fire), REMORA_OK);
    }
}

static void arm(struct remora_timers *timers, struct probe *probe, uint64_t due_ns)
{
    probe->timers = timers;
    assert_int_equal(remora_timers_arm(timers, &probe->timer, due_ns, fire), REMORA_OK);
}

static void timers_fire_in_order_of_due_time(void **state)
{
    (void)state;
    struct remora_timers timers;
    struct remora_random random;
    static struct probe probes[500];
    int order = 0;
    remora_timers_init(&timers);
    remora_random_seed(&random, 1);
    for (size_t i = 0; i < 500; i++) {
        probes[i] = (struct probe){.order = &order};
        arm(&timers, &probes[i], 1 + remora_random_below(&random, 1000));
    }
    for (size_t i = 0; i < 500; i += 3) { /* moved */
        arm(&timers, &probes[i], 1 + remora_random_below(&random, 1000));
    }
    for (size_t i = 1; i < 500; i += 3) {
        remora_timers_disarm(&timers, &probes[i].timer);
        remora_timers_disarm(&timers, &probes[i].timer);
    }
    uint64_t last = 0;
    while (timers.count > 0) {
        uint64_t due = remora_timers_next_ns(&timers);
        assert_true(due > last);
        remora_timers_run(&timers, due);
        last = due;
    }
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(probes[i].place != 0, i % 3 != 1);
        for (size_t j = 0; j < 500; j++) {
            if (probes[i].place != 0 && probes[i].place < probes[j].place) {
                assert_true(probes[i].timer.due_ns <= probes[j].timer.due_ns);
            }
        }
    }
    assert_true(remora_timers_next_ns(&timers) == REMORA_NEVER_NS);
    remora_timers_fini(&timers);
}

static void one_run_fires_all_that_is_due_in_order(void **state)
{
    (void)state;
    struct remora_timers timers;
    struct probe probes[4] = {{.again_ns = 0}};
    int order = 0;
    static const uint64_t due[] = {30, 10, 20, 31};
    remora_timers_init(&timers);
    for (size_t i = 0; i < 4; i++) {
        probes[i].order = &order;
        arm(&timers, &probes[i], due[i]);
    }
    remora_timers_run(&timers, 30);
    assert_int_equal(probes[0].place, 3);
    assert_int_equal(probes[1].place, 1);
    assert_int_equal(probes[2].place, 2);
    assert_int_equal(probes[3].place, 0);
    remora_timers_fini(&timers);
    assert_false(remora_timer_is_armed(&probes[3].timer));
}

static void a_timer_armed_for_the_past_waits_for_the_next_run(void **state)
{
    (void)state;
    struct remora_timers timers;
    int order = 0;
    struct probe probe = {.order = &order, .again_ns = 5};
    remora_timers_init(&timers);
    arm(&timers, &probe, 1);
    remora_timers_run(&timers, 10);
    assert_int_equal(order, 1);
    assert_true(remora_timers_next_ns(&timers) == 11);
    probe.again_ns = 0;
    remora_timers_run(&timers, 11);
    assert_int_equal(order, 2);
    remora_timers_fini(&timers);
}

static void a_callback_can_disarm_another_that_is_due(void **state)
{
    (void)state;
    struct remora_timers timers;
    int order = 0;
    struct probe late = {.order = &order};
    struct probe early = {.order = &order, .other = &late, .disarms = true};
    remora_timers_init(&timers);
    arm(&timers, &early, 1);
    arm(&timers, &late, 2);
    remora_timers_run(&timers, 3);
    assert_int_equal(order, 1);
    assert_int_equal(late.place, 0);
    remora_timers_fini(&timers);
}

static void arming_without_memory_fails_but_moving_does_not(void **state)
{
    (void)state;
    struct remora_timers timers;
    struct remora_timer first = {0};
    struct remora_timer more[64] = {{0}};
    remora_timers_init(&timers);
    remora_alloc_fail_at(1, true);
    assert_int_equal(remora_timers_arm(&timers, &first, 1, fire), REMORA_SHEDDING);
    assert_false(remora_timer_is_armed(&first));
    remora_alloc_fail_at(2, true);
    size_t armed = 0;
    while (remora_timers_arm(&timers, &more[armed], armed, fire) == REMORA_OK) {
        armed++;
    }
    assert_true(armed > 0 && armed < 64);
    assert_int_equal(remora_timers_arm(&timers, &more[0], 99, fire), REMORA_OK);
    remora_alloc_fail_at(0, false);
    remora_timers_fini(&timers);
}

/* The outputs for the state {1, 2, 3, 4} were computed by a second program from the generator's definition. */
static void random_follows_its_definition_and_repeats_by_seed(void **state)
{
    (void)state;
    struct remora_random a = {{1, 2, 3, 4}};
    static const uint64_t outputs[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240),
                                       UINT64_C(1216172134540287360)};
    for (size_t i = 0; i < REMORA_COUNT_OF(outputs); i++) {
        assert_true(remora_random_next(&a) == outputs[i]);
    }
    struct remora_random b;
    remora_random_seed(&a, 42);
    remora_random_seed(&b, 42);
    for (int i = 0; i < 100; i++) {
        assert_true(remora_random_next(&a) == remora_random_next(&b));
    }
    remora_random_seed_system(&b);
    assert_true(remora_random_next(&a) != remora_random_next(&b));
}

static void random_below_reaches_everything_evenly(void **state)
{
    (void)state;
    struct remora_random random;
    int seen[7] = {0};
    remora_random_seed(&random, 7);
    for (int i = 0; i < 7000; i++) {
        uint64_t draw = remora_random_below(&random, 7);
        assert_true(draw < 7);
        seen[draw]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 850, 1150);
    }
    assert_int_equal(remora_random_below(&random, 1), 0);
}

static void system_clock_moves_forward(void **state)
{
    (void)state;
    const struct remora_clock *clock = remora_clock_system();
    uint64_t before = clock->now_ns(clock);
    assert_true(clock->now_ns(clock) >= before);
    assert_true(clock->unix_ms(clock) > INT64_C(1600000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_due_time),
        cmocka_unit_test(one_run_fires_all_that_is_due_in_order),
        cmocka_unit_test(a_timer_armed_for_the_past_waits_for_the_next_run),
        cmocka_unit_test(a_callback_can_disarm_another_that_is_due),
        cmocka_unit_test(arming_without_memory_fails_but_moving_does_not),
        cmocka_unit_test(random_follows_its_definition_and_repeats_by_seed),
        cmocka_unit_test(random_below_reaches_everything_evenly),
        cmocka_unit_test(system_clock_moves_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
