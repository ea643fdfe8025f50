/* What the process carries at once: requests and bytes. */
#include "support.h"

#include <pthread.h>

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
    assert_int_equal(enter(1), REMORA_SHEDDING);
    assert_int_equal(enter(0), REMORA_OK);
}

static void answers_that_are_not_read_leave_less_to_new_requests(void **state)
{
    (void)state;
    remora_admission_set_bytes(admission, 100);
    assert_true(remora_admission_hold_answer(admission, 60));
    assert_int_equal(enter(41), REMORA_SHEDDING);
    assert_int_equal(enter(40), REMORA_OK);
    assert_true(remora_admission_has_room(admission)); /* bodies take nothing from answers */
    assert_false(remora_admission_hold_answer(admission, 90));
    assert_false(remora_admission_has_room(admission));
    assert_int_equal(remora_admission_unread_bytes(admission), 150);
    assert_int_equal(enter(1), REMORA_SHEDDING);
    remora_admission_give_answer(admission, 50);
    assert_false(remora_admission_has_room(admission)); /* all of it is taken */
    remora_admission_give_answer(admission, 1);
    assert_true(remora_admission_has_room(admission));
    assert_false(remora_admission_hold_answer(admission, 1)); /* and again */
    remora_admission_give_answer(admission, 40);
    assert_true(remora_admission_has_room(admission));
    remora_admission_give_answer(admission, 60);
    assert_int_equal(enter(60), REMORA_OK);
    assert_int_equal(remora_admission_bytes(admission), 100);
}

static void what_would_never_fit_is_too_large_and_not_worth_a_retry(void **state)
{
    (void)state;
    assert_int_equal(enter(REMORA_LIMIT_PROCESS_BYTES + UINT64_C(1)), REMORA_TOO_LARGE);
    assert_int_equal(fail_of.retry_after_ms, -1);
    assert_int_equal(enter(SIZE_MAX), REMORA_TOO_LARGE);
    assert_int_equal(remora_admission_inflight(admission), 0);
    assert_int_equal(remora_admission_bytes(admission), 0);
}

static void a_smaller_budget_holds_for_what_comes_next(void **state)
{
    (void)state;
    assert_int_equal(enter(60), REMORA_OK);
    remora_admission_set_bytes(admission, 100);
    assert_int_equal(enter(41), REMORA_SHEDDING);
    assert_int_equal(enter(40), REMORA_OK);
    remora_admission_set_bytes(admission, 50); /* what is there already stays */
    assert_int_equal(remora_admission_bytes(admission), 100);
    assert_int_equal(enter(1), REMORA_SHEDDING);
    assert_int_equal(enter(51), REMORA_TOO_LARGE);
    remora_admission_leave(admission, 60);
    assert_int_equal(enter(10), REMORA_OK);
}

static void a_body_that_grows_is_counted_as_it_grows(void **state)
{
    (void)state;
    remora_admission_set_bytes(admission, 100);
    assert_int_equal(enter(10), REMORA_OK);
    assert_int_equal(remora_admission_take_bytes(admission, 90, &fail_of), REMORA_OK);
    assert_int_equal(remora_admission_take_bytes(admission, 1, &fail_of), REMORA_SHEDDING);
    remora_admission_leave(admission, 100);
    assert_int_equal(remora_admission_bytes(admission), 0);
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
    remora_admission_set_bytes(admission, 1);
    assert_int_equal(enter(1), REMORA_OK);
    assert_int_equal(enter(1), REMORA_SHEDDING);
    assert_int_equal(fail_of.code, REMORA_INVALID_REQUEST);
    assert_int_equal(fail_of.retry_after_ms, -1);
    assert_int_equal(remora_admission_enter(admission, 1, NULL), REMORA_SHEDDING);
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 3000 };

static void *enter_and_leave(void *most)
{
    for (int i = 0; i < TURNS; i++) {
        struct remora_fail none = REMORA_FAIL_INIT;
        if (remora_admission_enter(admission, 7, &none) == REMORA_OK) {
            uint64_t inflight = remora_admission_inflight(admission);
            *(uint64_t *)most = inflight > *(uint64_t *)most ? inflight : *(uint64_t *)most;
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
        assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, &most[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_in_range(most[i], 1, THREADS);
    }
    assert_int_equal(remora_admission_inflight(admission), 0);
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
        CASE(answers_that_are_not_read_leave_less_to_new_requests),
        CASE(what_would_never_fit_is_too_large_and_not_worth_a_retry),
        CASE(a_smaller_budget_holds_for_what_comes_next),
        CASE(a_body_that_grows_is_counted_as_it_grows),
        CASE(bytes_given_back_early_make_room),
        CASE(a_shed_request_does_not_overwrite_an_earlier_failure),
        CASE(nothing_is_lost_among_threads),
        CASE(no_memory_at_start_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
