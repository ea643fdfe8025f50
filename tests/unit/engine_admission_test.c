/* What the process carries at once: requests, bytes and slots of services. */
#include "support.h"

#include <pthread.h>
#include <stdio.h>

#include "../../src/engine/admission.h"
#include "remora/exchange.h"
#include "remora/limits.h"
#include "remora/memory.h"

static struct remora_admission *admission;
static struct remora_fail fail_of;

static int set_up(void **state)
{
    (void)state;
    admission = remora_admission_new();
    assert_non_null(admission);
    fail_of = (struct remora_fail)REMORA_FAIL_INIT;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_admission_free(admission);
    return 0;
}

static enum remora_code enter(size_t bytes)
{
    return remora_admission_enter(admission, bytes, &fail_of);
}

static bool take(const char *service, int64_t limit)
{
    return remora_admission_slot_take(admission, remora_slice_of(service), limit);
}

static void give(const char *service)
{
    remora_admission_slot_give(admission, remora_slice_of(service));
}

static void requests_are_counted_in_and_out(void **state)
{
    (void)state;
    assert_int_equal(remora_admission_inflight(admission), 0);
    assert_int_equal(enter(10), REMORA_OK);
    assert_int_equal(enter(20), REMORA_OK);
    assert_int_equal(remora_admission_inflight(admission), 2);
    remora_admission_leave(admission, 10);
    remora_admission_leave(admission, 20);
    assert_int_equal(remora_admission_inflight(admission), 0);
}

static void more_requests_than_allowed_are_shed(void **state)
{
    (void)state;
    for (int i = 0; i < REMORA_LIMIT_EXCHANGES; i++) {
        assert_int_equal(enter(1), REMORA_OK);
    }
    assert_int_equal(enter(1), REMORA_SHEDDING);
    assert_int_equal(fail_of.code, REMORA_SHEDDING);
    assert_int_equal(fail_of.retry_after_ms, 1000);
    assert_int_equal(remora_admission_inflight(admission), REMORA_LIMIT_EXCHANGES);
    remora_admission_leave(admission, 1);
    assert_int_equal(enter(1), REMORA_OK);
}

static void more_bytes_than_allowed_are_shed_and_not_counted(void **state)
{
    (void)state;
    assert_int_equal(enter(REMORA_LIMIT_PROCESS_BYTES - 1), REMORA_OK);
    assert_int_equal(enter(2), REMORA_SHEDDING);
    assert_int_equal(remora_admission_inflight(admission), 1);
    assert_int_equal(enter(1), REMORA_OK);
    assert_int_equal(enter(SIZE_MAX), REMORA_SHEDDING);
    assert_int_equal(enter(1), REMORA_SHEDDING);
    assert_int_equal(enter(0), REMORA_OK);
}

static void bytes_given_back_early_make_room(void **state)
{
    (void)state;
    assert_int_equal(enter(REMORA_LIMIT_PROCESS_BYTES), REMORA_OK);
    remora_admission_give_bytes(admission, 100);
    assert_int_equal(enter(101), REMORA_SHEDDING);
    assert_int_equal(enter(100), REMORA_OK);
    remora_admission_leave(admission, REMORA_LIMIT_PROCESS_BYTES - 100);
    assert_int_equal(enter(REMORA_LIMIT_PROCESS_BYTES - 100), REMORA_OK);
}

static void a_shed_request_does_not_overwrite_an_earlier_failure(void **state)
{
    (void)state;
    (void)remora_fail_set(&fail_of, REMORA_INVALID_REQUEST, NULL, "first");
    assert_int_equal(enter(SIZE_MAX), REMORA_SHEDDING);
    assert_int_equal(fail_of.code, REMORA_INVALID_REQUEST);
    assert_int_equal(fail_of.retry_after_ms, -1);
    assert_int_equal(remora_admission_enter(admission, SIZE_MAX, NULL), REMORA_SHEDDING);
}

static void a_service_has_as_many_slots_as_its_limit(void **state)
{
    (void)state;
    assert_true(take("checkout", 2));
    assert_true(take("checkout", 2));
    assert_false(take("checkout", 2));
    assert_true(take("search", 1));
    assert_false(take("search", 1));
    give("checkout");
    assert_true(take("checkout", 2));
    assert_false(take("checkout", 2));
    assert_false(take("idle", 0));
}

static void an_unlimited_service_is_counted_for_a_limit_to_come(void **state)
{
    (void)state;
    assert_true(take("checkout", -1));
    assert_true(take("checkout", -1));
    assert_false(take("checkout", 2));
    assert_true(take("checkout", 3));
    give("checkout");
    assert_false(take("checkout", 2));
    give("checkout");
    assert_true(take("checkout", 2));
}

static void giving_what_was_not_taken_changes_nothing(void **state)
{
    (void)state;
    give("nobody");
    assert_true(take("checkout", 1));
    give("checkout");
    give("checkout");
    assert_true(take("checkout", 1));
    assert_false(take("checkout", 1));
}

static void a_service_that_cannot_be_counted_has_no_limited_slot(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        remora_alloc_fail_at(nth, false);
        assert_false(take("checkout", 5));
        remora_alloc_fail_at(nth, false);
        assert_true(take("checkout", -1));
        remora_alloc_fail_at(0, false);
        give("checkout");
    }
    assert_true(take("checkout", 1));
}

static void services_are_bounded(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 4095; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_true(take(name, 1));
    }
    assert_false(take("one too many", 1));
    assert_true(take("one too many", -1));
    give("s4094");
    assert_true(take("s4094", 1));
    assert_false(take("s0", 1));
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 3000, LIMIT = 3 };

static void *take_and_give(void *most)
{
    char name[16];
    for (int i = 0; i < TURNS; i++) {
        struct remora_fail none = REMORA_FAIL_INIT;
        snprintf(name, sizeof name, "t%d", i % 64);
        if (remora_admission_enter(admission, 7, &none) == REMORA_OK) {
            uint64_t inflight = remora_admission_inflight(admission);
            *(uint64_t *)most = inflight > *(uint64_t *)most ? inflight : *(uint64_t *)most;
            if (take(name, LIMIT)) {
                give(name);
            }
            remora_admission_leave(admission, 7);
        }
    }
    return NULL;
}

static void nothing_is_lost_among_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint64_t most[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &most[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_in_range(most[i], 1, THREADS);
    }
    assert_int_equal(remora_admission_inflight(admission), 0);
    for (int i = 0; i < LIMIT; i++) {
        assert_true(take("t0", LIMIT));
    }
    assert_false(take("t0", LIMIT));
    assert_int_equal(enter(REMORA_LIMIT_PROCESS_BYTES), REMORA_OK);
}

static void no_memory_at_start_is_said(void **state)
{
    (void)state;
    remora_alloc_fail_at(1, false);
    assert_null(remora_admission_new());
    remora_alloc_fail_at(0, false);
    remora_admission_free(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(requests_are_counted_in_and_out),
        CASE(more_requests_than_allowed_are_shed),
        CASE(more_bytes_than_allowed_are_shed_and_not_counted),
        CASE(bytes_given_back_early_make_room),
        CASE(a_shed_request_does_not_overwrite_an_earlier_failure),
        CASE(a_service_has_as_many_slots_as_its_limit),
        CASE(an_unlimited_service_is_counted_for_a_limit_to_come),
        CASE(giving_what_was_not_taken_changes_nothing),
        CASE(a_service_that_cannot_be_counted_has_no_limited_slot),
        CASE(services_are_bounded),
        CASE(nothing_is_lost_among_threads),
        CASE(no_memory_at_start_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
