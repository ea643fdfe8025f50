/* Breakers, cooling and benches, with the clock as a number. */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "remora/clock.h"
#include "remora/health.h"
#include "remora/memory.h"

#define S REMORA_NS_PER_S
enum { IN_A_ROW = 5 };

static struct remora_health *health;
static uint32_t slot;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    health = remora_health_new();
    assert_non_null(health);
    slot = remora_health_slot(health, REMORA_SLICE("alpha|acme/echo-1"));
    now = 1000 * S;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_health_free(health);
    return 0;
}

static void expect(enum remora_condition condition, uint64_t until)
{
    uint64_t until_ns = 7;
    assert_int_equal(remora_health_condition(health, slot, now, &until_ns), condition);
    bool is_timed = condition != REMORA_CONDITION_WELL && condition != REMORA_CONDITION_PROBE;
    assert_int_equal(until_ns, is_timed ? until : 7);
}

static void fail_times(int times)
{
    for (int i = 0; i < times; i++) {
        remora_health_failure(health, slot, now);
    }
}

static void succeed_times(int times)
{
    for (int i = 0; i < times; i++) {
        remora_health_success(health, slot, now);
    }
}

static bool claim(void)
{
    return remora_health_claim_probe(health, slot, now);
}

/* ---- slots ---- */

static void a_name_keeps_its_slot(void **state)
{
    (void)state;
    uint32_t other = remora_health_slot(health, REMORA_SLICE("beta|acme/echo-1"));
    assert_int_not_equal(slot, 0);
    assert_int_not_equal(other, 0);
    assert_int_not_equal(other, slot);
    assert_int_equal(remora_health_slot(health, REMORA_SLICE("alpha|acme/echo-1")), slot);
    assert_int_equal(remora_health_slot(health, REMORA_SLICE("beta|acme/echo-1")), other);
}

static void slots_do_not_share_their_health(void **state)
{
    (void)state;
    uint32_t other = remora_health_slot(health, REMORA_SLICE("beta|acme/echo-1"));
    uint64_t until_ns;
    fail_times(IN_A_ROW);
    assert_int_equal(remora_health_condition(health, other, now, &until_ns), REMORA_CONDITION_WELL);
}

static void a_full_table_gives_the_slot_that_is_always_well(void **state)
{
    (void)state;
    char name[32];
    for (int i = 1; i < 8191; i++) {
        int length = snprintf(name, sizeof name, "name %d", i);
        assert_int_not_equal(remora_health_slot(health, remora_slice(name, (size_t)length)), 0);
    }
    assert_int_equal(remora_health_slot(health, REMORA_SLICE("one too many")), 0);
    assert_int_equal(remora_health_slot(health, REMORA_SLICE("alpha|acme/echo-1")), slot);
    assert_int_not_equal(remora_health_slot(health, REMORA_SLICE("name 8190")), 0);
}

static void the_first_slot_is_always_well(void **state)
{
    (void)state;
    slot = 0;
    fail_times(100);
    remora_health_cool(health, slot, now, S);
    remora_health_bench(health, slot, now);
    remora_health_success(health, slot, now);
    remora_health_answer(health, slot, now);
    remora_health_release_probe(health, slot, now);
    expect(REMORA_CONDITION_WELL, 0);
    assert_true(claim());
}

static void no_memory_is_survived(void **state)
{
    (void)state;
    remora_alloc_fail_at(1, false);
    assert_null(remora_health_new());
    remora_alloc_fail_at(1, false); /* a name takes none */
    assert_int_not_equal(remora_health_slot(health, REMORA_SLICE("new")), 0);
    remora_alloc_fail_at(0, false);
    remora_health_free(NULL);
}

/* ---- breaker ---- */

static void five_failures_in_a_row_open_the_breaker(void **state)
{
    (void)state;
    fail_times(IN_A_ROW - 1);
    expect(REMORA_CONDITION_WELL, 0);
    fail_times(1);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 30 * S);
}

static void a_success_between_failures_keeps_it_closed(void **state)
{
    (void)state;
    fail_times(IN_A_ROW - 1);
    succeed_times(1);
    fail_times(IN_A_ROW - 1);
    expect(REMORA_CONDITION_WELL, 0);
}

/* Success and failure in turns, beginning with `first` successes; never two failures in a row. */
static void alternate(int pairs, int first)
{
    succeed_times(first);
    for (int i = 0; i < pairs; i++) {
        succeed_times(1);
        fail_times(1);
    }
}

static void half_of_twenty_open_the_breaker(void **state)
{
    (void)state;
    alternate(9, 0);
    expect(REMORA_CONDITION_WELL, 0);
    succeed_times(1);
    expect(REMORA_CONDITION_WELL, 0);
    fail_times(1);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 30 * S);
}

static void less_than_half_keeps_it_closed(void **state)
{
    (void)state;
    alternate(10, 1);
    expect(REMORA_CONDITION_WELL, 0);
    alternate(100, 0);
    expect(REMORA_CONDITION_WELL, 0);
}

static void failures_older_than_ten_seconds_do_not_count(void **state)
{
    (void)state;
    alternate(9, 0);
    now += 10 * S;
    succeed_times(1);
    fail_times(1);
    expect(REMORA_CONDITION_WELL, 0);
}

static void failures_of_nine_seconds_ago_count(void **state)
{
    (void)state;
    alternate(9, 0);
    now += 9 * S;
    succeed_times(1);
    fail_times(1);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 30 * S);
}

static void more_attempts_than_a_cell_holds_are_survived(void **state)
{
    (void)state;
    succeed_times(70000);
    fail_times(4);
    expect(REMORA_CONDITION_WELL, 0);
    now += 1 * S;
    alternate(20, 0);
    expect(REMORA_CONDITION_WELL, 0);
}

static void a_window_gives_one_probe(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    now += 30 * S - 1;
    expect(REMORA_CONDITION_BREAKER_OPEN, 1030 * S);
    assert_false(claim());
    now += 1;
    expect(REMORA_CONDITION_PROBE, 0);
    assert_true(claim());
    assert_false(claim());
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 30 * S);
}

static void a_good_probe_closes_the_breaker(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    now += 30 * S;
    assert_true(claim());
    succeed_times(1);
    expect(REMORA_CONDITION_WELL, 0);
    assert_true(claim());
    fail_times(IN_A_ROW - 1);
    expect(REMORA_CONDITION_WELL, 0);
    fail_times(1);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 30 * S);
}

static void windows_grow_with_each_failed_probe_up_to_five_minutes(void **state)
{
    (void)state;
    static const uint64_t windows[] = {60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300};
    fail_times(IN_A_ROW);
    now += 30 * S;
    for (size_t i = 0; i < REMORA_COUNT_OF(windows); i++) {
        assert_true(claim());
        fail_times(1);
        expect(REMORA_CONDITION_BREAKER_OPEN, now + windows[i] * S);
        now += windows[i] * S;
        expect(REMORA_CONDITION_PROBE, 0);
    }
}

static void a_failed_probe_opens_it_again_though_the_row_was_broken(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    succeed_times(1); /* an attempt from before the breaker opened */
    now += 30 * S;
    assert_true(claim());
    fail_times(1);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 60 * S);
}

static void a_probe_without_an_answer_ends_with_its_window(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    now += 30 * S;
    assert_true(claim());
    now += 30 * S;
    expect(REMORA_CONDITION_PROBE, 0);
    assert_true(claim());
    assert_false(claim());
}

static void a_released_probe_is_due_at_once(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    now += 30 * S + 1; /* no whole millisecond */
    assert_true(claim());
    remora_health_release_probe(health, slot, now);
    expect(REMORA_CONDITION_PROBE, 0);
    assert_true(claim());
    fail_times(1);
    expect(REMORA_CONDITION_BREAKER_OPEN, 1090 * S + REMORA_NS_PER_MS); /* the second window */
    remora_health_release_probe(health, slot, now);                     /* nothing is claimed */
    expect(REMORA_CONDITION_BREAKER_OPEN, 1090 * S + REMORA_NS_PER_MS);
}

static void an_answer_breaks_the_row_and_ends_no_probe(void **state)
{
    (void)state;
    fail_times(IN_A_ROW - 1);
    remora_health_answer(health, slot, now);
    fail_times(IN_A_ROW - 1);
    expect(REMORA_CONDITION_WELL, 0);
    fail_times(1);
    now += 30 * S;
    assert_true(claim());
    remora_health_answer(health, slot, now);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 30 * S);
}

static void attempts_from_before_say_nothing_while_the_window_runs(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    now += 1 * S;
    fail_times(20);
    expect(REMORA_CONDITION_BREAKER_OPEN, 1030 * S);
    succeed_times(20);
    expect(REMORA_CONDITION_BREAKER_OPEN, 1030 * S);
}

/* ---- cooling ---- */

static void cooling_ends_by_itself(void **state)
{
    (void)state;
    remora_health_cool(health, slot, now, 3 * S);
    expect(REMORA_CONDITION_COOLING, now + 3 * S);
    now += 3 * S - 1;
    expect(REMORA_CONDITION_COOLING, 1003 * S);
    now += 1;
    expect(REMORA_CONDITION_WELL, 0);
}

static void the_longer_cooling_stays(void **state)
{
    (void)state;
    remora_health_cool(health, slot, now, 3 * S);
    remora_health_cool(health, slot, now, 1 * S);
    expect(REMORA_CONDITION_COOLING, now + 3 * S);
    remora_health_cool(health, slot, now, 5 * S);
    expect(REMORA_CONDITION_COOLING, now + 5 * S);
    succeed_times(1);
    expect(REMORA_CONDITION_COOLING, now + 5 * S);
}

static void cooling_for_ever_does_not_overflow(void **state)
{
    (void)state;
    remora_health_cool(health, slot, now, UINT64_MAX);
    expect(REMORA_CONDITION_COOLING, REMORA_NEVER_NS);
}

static void a_dropped_model_is_remembered_beside_a_cooling(void **state)
{
    (void)state;
    remora_health_cool(health, slot, now, 3 * S);
    remora_health_gone(health, slot, now, 2 * S);
    expect(REMORA_CONDITION_GONE, now + 2 * S);
    remora_health_gone(health, slot, now, 1 * S);
    expect(REMORA_CONDITION_GONE, now + 2 * S);
    now += 2 * S;
    expect(REMORA_CONDITION_COOLING, 1003 * S);
}

static void cooling_is_told_before_the_breaker(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    remora_health_cool(health, slot, now, 3 * S);
    expect(REMORA_CONDITION_COOLING, now + 3 * S);
    now += 3 * S;
    expect(REMORA_CONDITION_BREAKER_OPEN, 1030 * S);
}

/* ---- bench ---- */

static void a_refused_key_rests_for_five_minutes_doubling_to_an_hour(void **state)
{
    (void)state;
    static const uint64_t minutes[] = {5, 10, 20, 40, 60, 60};
    for (size_t i = 0; i < REMORA_COUNT_OF(minutes); i++) {
        assert_true(claim());
        remora_health_bench(health, slot, now);
        expect(REMORA_CONDITION_BENCHED, now + minutes[i] * 60 * S);
        assert_false(claim());
        now += minutes[i] * 60 * S;
        expect(REMORA_CONDITION_PROBE, 0);
    }
}

static void requests_that_are_refused_together_bench_a_key_once(void **state)
{
    (void)state;
    remora_health_bench(health, slot, now);
    now += 1 * S;
    remora_health_bench(health, slot, now);
    expect(REMORA_CONDITION_BENCHED, 1300 * S);
}

static uint32_t key_slot(const char *name, uint64_t content, bool is_changed)
{
    bool told = !is_changed;
    const struct remora_health_content both = {.secret = content};
    uint32_t found = remora_health_slot_of(health, remora_slice_of(name), &both, &told);
    assert_int_equal(told, is_changed);
    return found;
}

static void a_key_whose_content_changed_is_not_benched(void **state)
{
    (void)state;
    slot = key_slot("alpha|/key", 1, false);
    remora_health_bench(health, slot, now);
    assert_int_equal(key_slot("alpha|/key", 1, false), slot);
    expect(REMORA_CONDITION_BENCHED, now + 300 * S);
    uint32_t old = slot;
    slot = key_slot("alpha|/key", 2, true);
    expect(REMORA_CONDITION_WELL, 0);
    remora_health_bench(health, old, now); /* by a request that began with the old content */
    expect(REMORA_CONDITION_WELL, 0);
    assert_int_equal(key_slot("alpha|/key", 2, false), slot);
}

/* An endpoint, or a key that holds what it held and is sent with another header. */
static void what_is_called_in_another_way_is_anew_and_its_secret_the_same(void **state)
{
    (void)state;
    struct remora_health_content content = {.secret = 1, .settings = 1};
    bool is_changed = true;
    slot = remora_health_slot_of(health, REMORA_SLICE("alpha|m"), &content, &is_changed);
    fail_times(IN_A_ROW);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 30 * S);
    assert_int_equal(remora_health_slot_of(health, REMORA_SLICE("alpha|m"), &content, &is_changed),
                     slot);
    content.settings = 2;
    slot = remora_health_slot_of(health, REMORA_SLICE("alpha|m"), &content, &is_changed);
    expect(REMORA_CONDITION_WELL, 0);
    assert_false(is_changed);
}

static void the_slots_of_a_key_take_turns_and_come_back_clean(void **state)
{
    (void)state;
    uint32_t first = key_slot("alpha|/key", 1, false);
    slot = first;
    remora_health_bench(health, slot, now);
    fail_times(IN_A_ROW);
    remora_health_cool(health, slot, now, S);
    remora_health_gone(health, slot, now, S);
    uint32_t second = key_slot("alpha|/key", 2, true);
    assert_int_not_equal(second, first);
    assert_int_equal(key_slot("alpha|/key", 3, true), first);
    expect(REMORA_CONDITION_WELL, 0);
    fail_times(IN_A_ROW - 1);
    expect(REMORA_CONDITION_WELL, 0);
    assert_int_equal(key_slot("alpha|/key", 4, true), second);
    uint32_t other = remora_health_slot(health, REMORA_SLICE("beta"));
    assert_int_not_equal(other, first); /* neither is anybody else's */
    assert_int_not_equal(other, second);
}

static void a_full_table_turns_a_key_within_its_slot(void **state)
{
    (void)state;
    char name[16];
    slot = key_slot("alpha|/key", 1, false);
    for (int i = 0; i < 8192; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)remora_health_slot(health, remora_slice_of(name));
    }
    remora_health_bench(health, slot, now);
    assert_int_equal(key_slot("alpha|/key", 2, true), slot);
    expect(REMORA_CONDITION_WELL, 0);
    assert_int_equal(key_slot("beta|/key", 1, false), 0);
    assert_int_equal(key_slot("beta|/key", 2, false), 0);
}

static void a_success_clears_the_bench(void **state)
{
    (void)state;
    remora_health_bench(health, slot, now);
    now += 300 * S;
    assert_true(claim());
    assert_false(claim());
    succeed_times(1);
    expect(REMORA_CONDITION_WELL, 0);
    remora_health_bench(health, slot, now);
    expect(REMORA_CONDITION_BENCHED, now + 300 * S);
}

/* ---- threads ---- */

enum { THREADS = 4, CLAIMS = 2000 };

static void *claim_all(void *claimed)
{
    for (uint64_t i = 1; i <= CLAIMS; i++) {
        *(int *)claimed += remora_health_claim_probe(health, slot, 1000 * S + i * 30 * S);
    }
    return NULL;
}

/* Threads run apart in time, so a slow one finds windows that others have taken: never more claims than windows. */
static void a_probe_is_claimed_once_among_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int claimed[THREADS] = {0};
    int sum = 0;
    fail_times(IN_A_ROW);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, claim_all, &claimed[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += claimed[i];
    }
    assert_int_equal(sum, CLAIMS);
}

/* The moment in which the window ends is no part of it. */
static void a_failure_as_the_window_ends_takes_the_next_step(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    now += 30 * S;
    fail_times(1);
    expect(REMORA_CONDITION_BREAKER_OPEN, now + 60 * S);
}

static void however_often_it_fails_a_breaker_stays_open(void **state)
{
    (void)state;
    fail_times(IN_A_ROW);
    for (int i = 0; i < 300; i++) {
        now += 300 * S;
        fail_times(1);
        expect(REMORA_CONDITION_BREAKER_OPEN, now + (i < 8 ? 60 + 30 * (uint64_t)i : 300) * S);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_failure_as_the_window_ends_takes_the_next_step),
        CASE(however_often_it_fails_a_breaker_stays_open),
        CASE(a_name_keeps_its_slot),
        CASE(slots_do_not_share_their_health),
        CASE(a_full_table_gives_the_slot_that_is_always_well),
        CASE(the_first_slot_is_always_well),
        CASE(no_memory_is_survived),
        CASE(five_failures_in_a_row_open_the_breaker),
        CASE(a_success_between_failures_keeps_it_closed),
        CASE(half_of_twenty_open_the_breaker),
        CASE(less_than_half_keeps_it_closed),
        CASE(failures_older_than_ten_seconds_do_not_count),
        CASE(failures_of_nine_seconds_ago_count),
        CASE(more_attempts_than_a_cell_holds_are_survived),
        CASE(a_window_gives_one_probe),
        CASE(a_good_probe_closes_the_breaker),
        CASE(windows_grow_with_each_failed_probe_up_to_five_minutes),
        CASE(a_failed_probe_opens_it_again_though_the_row_was_broken),
        CASE(a_probe_without_an_answer_ends_with_its_window),
        CASE(a_released_probe_is_due_at_once),
        CASE(an_answer_breaks_the_row_and_ends_no_probe),
        CASE(attempts_from_before_say_nothing_while_the_window_runs),
        CASE(cooling_ends_by_itself),
        CASE(the_longer_cooling_stays),
        CASE(a_dropped_model_is_remembered_beside_a_cooling),
        CASE(cooling_for_ever_does_not_overflow),
        CASE(cooling_is_told_before_the_breaker),
        CASE(a_refused_key_rests_for_five_minutes_doubling_to_an_hour),
        CASE(requests_that_are_refused_together_bench_a_key_once),
        CASE(a_success_clears_the_bench),
        CASE(a_key_whose_content_changed_is_not_benched),
        CASE(what_is_called_in_another_way_is_anew_and_its_secret_the_same),
        CASE(the_slots_of_a_key_take_turns_and_come_back_clean),
        CASE(a_full_table_turns_a_key_within_its_slot),
        CASE(a_probe_is_claimed_once_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
