/* Counters of services and keys: places, the line for one, names; alone and among threads. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "../../src/engine/counter.h"
#include "remora/limits.h"
#include "remora/memory.h"

static struct counter_table *table;
static unsigned woken;

static int set_up(void **state)
{
    (void)state;
    table = remora_alloc(sizeof *table);
    assert_true(counter_table_init(table));
    woken = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    counter_table_fini(table);
    remora_free(table);
    return 0;
}

static struct counter *service(const char *name)
{
    return counter_find(table, COUNTER_SERVICE, REMORA_SLICE("shop"), remora_slice_of(name));
}

static void on_wake(void *context)
{
    ++*(unsigned *)context;
}

static struct waiter waiter(void)
{
    return (struct waiter){
        .wake = on_wake, .wake_context = &woken, .longest_line = REMORA_LIMIT_WAITING};
}

/* Takes a place at once; what would wait is taken back. */
static bool take(struct counter *counter, int64_t limit)
{
    struct waiter own = waiter();
    if (counter_take(table, counter, limit, &own) == COUNTER_TAKEN) {
        return true;
    }
    assert_false(counter_leave(table, counter, &own));
    return false;
}

static void a_counter_has_as_many_places_as_the_limit(void **state)
{
    (void)state;
    struct counter *checkout = service("checkout");
    assert_true(take(checkout, 2));
    assert_true(take(checkout, 2));
    assert_false(take(checkout, 2));
    assert_true(take(service("search"), 1));
    counter_give(table, checkout);
    assert_true(take(checkout, 2));
    assert_false(take(checkout, 2));
}

static void an_unlimited_one_is_counted_for_a_limit_to_come(void **state)
{
    (void)state;
    struct counter *checkout = service("checkout");
    assert_true(take(checkout, -1));
    assert_true(take(checkout, -1));
    assert_false(take(checkout, 2));
    assert_true(take(checkout, 3));
}

static void scopes_and_namespaces_are_counted_apart(void **state)
{
    (void)state;
    struct counter *key =
        counter_find(table, COUNTER_KEY, REMORA_SLICE("shop"), REMORA_SLICE("checkout"));
    struct counter *other =
        counter_find(table, COUNTER_SERVICE, REMORA_SLICE("desk"), REMORA_SLICE("checkout"));
    assert_ptr_not_equal(key, service("checkout"));
    assert_ptr_not_equal(other, service("checkout"));
    assert_ptr_equal(service("checkout"), service("checkout"));
}

static void places_are_granted_in_the_order_of_asking(void **state)
{
    (void)state;
    struct counter *checkout = service("checkout");
    struct waiter line[3] = {waiter(), waiter(), waiter()};
    assert_true(take(checkout, 1));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(counter_take(table, checkout, 1, &line[i]), COUNTER_WAITS);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_false(line[i].is_granted);
        counter_give(table, checkout);
        assert_true(line[i].is_granted);
        assert_int_equal(woken, i + 1);
    }
    assert_false(take(checkout, 1));
    counter_give(table, checkout);
    assert_true(take(checkout, 1));
}

/* A reload lifts or removes the limit: who comes with the new one lets those in who wait, before itself. */
static void a_new_limit_holds_for_those_that_wait_already(void **state)
{
    (void)state;
    struct counter *checkout = service("checkout");
    struct waiter line[4] = {waiter(), waiter(), waiter(), waiter()};
    assert_true(take(checkout, 1));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(counter_take(table, checkout, 1, &line[i]), COUNTER_WAITS);
    }
    assert_int_equal(counter_take(table, checkout, 3, &line[3]), COUNTER_WAITS);
    assert_true(line[0].is_granted && line[1].is_granted);
    assert_false(line[2].is_granted || line[3].is_granted);
    assert_true(take(checkout, -1)); /* and is behind the two that waited */
    assert_true(line[2].is_granted && line[3].is_granted);
    assert_int_equal(woken, 4);
    assert_int_equal(atomic_load(&checkout->taken), 6);
}

static void nobody_overtakes_those_that_wait(void **state)
{
    (void)state;
    struct counter *checkout = service("checkout");
    struct waiter first = waiter();
    struct waiter second = waiter();
    assert_true(take(checkout, 1));
    assert_int_equal(counter_take(table, checkout, 1, &first), COUNTER_WAITS);
    /* A higher limit, as after a reload, has room for one: for him who was first. */
    assert_int_equal(counter_take(table, checkout, 2, &second), COUNTER_WAITS);
    assert_true(first.is_granted);
    assert_false(second.is_granted);
    counter_give(table, checkout);
    assert_true(second.is_granted);
}

static void whoever_leaves_with_a_place_owns_it(void **state)
{
    (void)state;
    struct counter *checkout = service("checkout");
    struct waiter own = waiter();
    assert_true(take(checkout, 1));
    assert_int_equal(counter_take(table, checkout, 1, &own), COUNTER_WAITS);
    counter_give(table, checkout);
    assert_true(counter_leave(table, checkout, &own));
    assert_false(take(checkout, 1));
    counter_give(table, checkout);
    assert_true(take(checkout, 1));
}

static void the_line_is_bounded(void **state)
{
    (void)state;
    struct counter *checkout = service("checkout");
    static struct waiter line[REMORA_LIMIT_WAITING];
    struct waiter late = waiter();
    assert_true(take(checkout, 1));
    for (size_t i = 0; i < REMORA_COUNT_OF(line); i++) {
        line[i] = waiter();
        assert_int_equal(counter_take(table, checkout, 1, &line[i]), COUNTER_WAITS);
    }
    assert_int_equal(counter_take(table, checkout, 1, &late), COUNTER_REFUSED);
    for (size_t i = 0; i < REMORA_COUNT_OF(line); i++) {
        assert_false(counter_leave(table, checkout, &line[i]));
    }
    assert_int_equal(counter_take(table, checkout, 1, &late), COUNTER_WAITS);
    assert_false(counter_leave(table, checkout, &late));
}

static void a_name_that_cannot_be_counted_is_said(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        remora_alloc_fail_at(nth, false);
        assert_null(service("checkout"));
        remora_alloc_fail_at(0, false);
    }
    assert_non_null(service("checkout"));
}

static void names_are_bounded(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 4095; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_non_null(service(name));
    }
    assert_null(service("one too many"));
    assert_non_null(service("s0"));
}

/* ---- threads: each place is held by one at a time, and nobody is forgotten ---- */

enum { THREADS = 4, TURNS = 4000, LIMIT = 2 };

/* Outlives the waiters, as workers do. */
static _Atomic int holding;
static _Atomic int most;
static _Atomic unsigned wakes;

static void hold_and_give(struct counter *counter)
{
    int now = atomic_fetch_add(&holding, 1) + 1;
    int seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {
    }
    atomic_fetch_sub(&holding, 1);
    counter_give(table, counter);
}

static void on_thread_wake(void *context)
{
    atomic_fetch_add((_Atomic unsigned *)context, 1);
}

static void *come_and_go(void *unused)
{
    (void)unused;
    char name[8];
    for (int turn = 0; turn < TURNS; turn++) {
        struct waiter own = {
            .wake = on_thread_wake, .wake_context = &wakes, .longest_line = REMORA_LIMIT_WAITING};
        snprintf(name, sizeof name, "t%d", turn % 2 == 0 ? 0 : turn % 64);
        struct counter *counter = service(name);
        int64_t limit = turn % 2 == 0 ? LIMIT : -1;
        switch (counter_take(table, counter, limit, &own)) {
        case COUNTER_TAKEN:
            break;
        case COUNTER_WAITS:
            if (turn % 7 == 0 && !counter_leave(table, counter, &own)) {
                continue;
            }
            while (!atomic_load(&own.is_granted)) {
                (void)sched_yield();
            }
            break;
        case COUNTER_REFUSED:
            continue;
        }
        if (limit >= 0) {
            hold_and_give(counter);
        } else {
            counter_give(table, counter);
        }
    }
    return NULL;
}

static void no_place_is_lost_or_held_twice_among_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    holding = 0;
    most = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_in_range(most, 1, LIMIT);
    struct counter *counter = service("t0");
    assert_int_equal(counter->taken, 0);
    assert_int_equal(counter->waiting, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_counter_has_as_many_places_as_the_limit),
        CASE(an_unlimited_one_is_counted_for_a_limit_to_come),
        CASE(scopes_and_namespaces_are_counted_apart),
        CASE(places_are_granted_in_the_order_of_asking),
        CASE(a_new_limit_holds_for_those_that_wait_already),
        CASE(nobody_overtakes_those_that_wait),
        CASE(whoever_leaves_with_a_place_owns_it),
        CASE(the_line_is_bounded),
        CASE(a_name_that_cannot_be_counted_is_said),
        CASE(names_are_bounded),
        CASE(no_place_is_lost_or_held_twice_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
