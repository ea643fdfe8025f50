/* The token bucket: what passes in any stretch of time, giving back, owing; and the same among threads. */
#include "support.h"

#include <pthread.h>

#include "../../src/engine/bucket.h"

#define S     REMORA_NS_PER_S
#define START (1000 * S)

static struct bucket bucket;
static struct bucket_charge charge;
static uint64_t wait_ns;

static int set_up(void **state)
{
    (void)state;
    bucket = (struct bucket){0};
    wait_ns = 0;
    return 0;
}

static bool take(int64_t per_minute, int64_t units, uint64_t now_ns)
{
    return bucket_take(&bucket, per_minute, units, now_ns, &charge, &wait_ns);
}

static void a_full_bucket_holds_one_minute_s_worth(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        assert_true(take(60, 1, START));
    }
    assert_false(take(60, 1, START));
    assert_int_equal(wait_ns, S);
    assert_false(take(60, 1, START + S - 1));
    assert_int_equal(wait_ns, 1);
    assert_true(take(60, 1, START + S));
    assert_false(take(60, 1, START + S));
}

static void what_is_not_used_does_not_pile_up(void **state)
{
    (void)state;
    assert_true(take(10, 10, START));
    assert_true(take(10, 10, START + 3600 * S));
    assert_false(take(10, 1, START + 3600 * S));
}

static void more_than_a_minute_s_worth_needs_a_full_bucket_and_is_owed(void **state)
{
    (void)state;
    assert_true(take(100, 1, START));
    assert_false(take(100, 150, START));
    assert_int_equal(wait_ns, 60 * S / 100);
    assert_true(take(100, 150, START + 60 * S / 100));
    assert_false(take(100, 1, START + 60 * S / 100));
    assert_in_range(wait_ns, 30 * S + 6 * S / 10 - 10, 30 * S + 6 * S / 10 + 10);
}

static void too_high_an_estimate_is_given_back(void **state)
{
    (void)state;
    assert_true(take(100, 100, START));
    bucket_correct(&bucket, 100, 40, START, &charge);
    assert_int_equal(charge.cost_ns, 0);
    struct bucket_charge second;
    assert_true(bucket_take(&bucket, 100, 60, START, &second, &wait_ns));
    assert_false(take(100, 1, START));
}

static void what_flowed_in_meanwhile_is_not_given_back_twice(void **state)
{
    (void)state;
    assert_true(take(100, 100, START));
    struct bucket_charge early = charge;
    assert_true(take(100, 100, START + 60 * S)); /* the first has been made up for */
    bucket_correct(&bucket, 100, 0, START + 60 * S, &early);
    assert_false(take(100, 1, START + 60 * S));
    bucket_correct(&bucket, 100, 0, START + 90 * S, &charge); /* half of it has */
    assert_true(take(100, 100, START + 90 * S));
    assert_false(take(100, 1, START + 90 * S));
}

static void too_low_an_estimate_is_owed(void **state)
{
    (void)state;
    assert_true(take(100, 10, START));
    bucket_correct(&bucket, 100, 160, START, &charge);
    assert_false(take(100, 1, START));
    assert_in_range(wait_ns, 36 * S + 6 * S / 10 - 10, 36 * S + 6 * S / 10 + 10);
}

static void an_absurd_usage_shuts_nobody_out_for_ever(void **state)
{
    (void)state;
    assert_true(take(1, 1, START));
    bucket_correct(&bucket, 1, INT64_MAX, START, &charge);
    assert_false(take(1, 1, START));
    assert_in_range(wait_ns, 1, 600 * S);
    assert_true(take(1, 1, START + 600 * S));
}

static void a_rate_that_changes_keeps_the_share_that_is_used(void **state)
{
    (void)state;
    assert_true(take(100, 50, START));
    assert_true(take(1000, 500, START));
    assert_false(take(1000, 1, START));
}

static void huge_rates_and_nothing_are_taken_exactly(void **state)
{
    (void)state;
    assert_true(take(INT64_C(1000000000000), 1, START));
    assert_int_equal(charge.cost_ns, 1);
    assert_true(take(5, 0, START));
    assert_int_equal(charge.cost_ns, 0);
}

/* In any stretch of t seconds at most per_minute * (1 + t / 60) units pass. */
static void no_stretch_of_time_lets_more_pass_than_its_share(void **state)
{
    (void)state;
    enum { EVENTS = 400 };
    static uint64_t at[EVENTS];
    static int64_t units[EVENTS];
    struct remora_random random;
    remora_random_seed(&random, 7);
    for (int round = 0; round < 40; round++) {
        int64_t rate = 1 + (int64_t)remora_random_below(&random, 300);
        uint64_t now = START;
        size_t passed = 0;
        bucket = (struct bucket){0};
        for (int i = 0; i < EVENTS; i++) {
            now += remora_random_below(&random, 2 * S);
            int64_t wanted = 1 + (int64_t)remora_random_below(&random, (uint64_t)rate);
            if (take(rate, wanted, now)) {
                at[passed] = now;
                units[passed++] = wanted;
            }
        }
        for (size_t from = 0; from < passed; from++) {
            int64_t sum = 0;
            for (size_t to = from; to < passed; to++) {
                sum += units[to];
                double share = (double)rate * (1 + (double)(at[to] - at[from]) / 60e9);
                assert_true((double)sum <= share + 1e-3);
            }
        }
    }
}

/* Whoever waits as long as he was told to is let in, if nobody comes between. */
static void the_wait_that_is_told_is_enough_and_not_more(void **state)
{
    (void)state;
    struct remora_random random;
    uint64_t now = START;
    remora_random_seed(&random, 8);
    for (int i = 0; i < 5000; i++) {
        int64_t wanted = (int64_t)remora_random_below(&random, 70);
        now += remora_random_below(&random, S);
        if (!take(50, wanted, now)) {
            uint64_t told = wait_ns;
            assert_false(take(50, wanted, now + told - 1));
            now += told;
            assert_true(take(50, wanted, now));
        }
    }
}

enum { THREADS = 4, TRIES = 20000, RATE = 5000 };

static void *take_many(void *passed)
{
    for (int i = 0; i < TRIES; i++) {
        struct bucket_charge own;
        uint64_t ignored;
        if (bucket_take(&bucket, RATE, 1, START, &own, &ignored)) {
            ++*(int *)passed;
        }
    }
    return NULL;
}

static void threads_share_it_exactly(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int passed[THREADS] = {0};
    int sum = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &passed[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += passed[i];
    }
    assert_int_equal(sum, RATE);
}

#define CASE(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_full_bucket_holds_one_minute_s_worth),
        CASE(what_is_not_used_does_not_pile_up),
        CASE(more_than_a_minute_s_worth_needs_a_full_bucket_and_is_owed),
        CASE(too_high_an_estimate_is_given_back),
        CASE(what_flowed_in_meanwhile_is_not_given_back_twice),
        CASE(too_low_an_estimate_is_owed),
        CASE(an_absurd_usage_shuts_nobody_out_for_ever),
        CASE(a_rate_that_changes_keeps_the_share_that_is_used),
        CASE(huge_rates_and_nothing_are_taken_exactly),
        CASE(no_stretch_of_time_lets_more_pass_than_its_share),
        CASE(the_wait_that_is_told_is_enough_and_not_more),
        CASE(threads_share_it_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
