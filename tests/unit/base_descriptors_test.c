/* How many file descriptors there are, and whether any are left. */
#include "support.h"

#include "remora/descriptors.h"

#include <sys/resource.h>

static uint64_t soft(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

static void set_soft(uint64_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void the_soft_limit_is_raised_as_far_as_the_hard_one_goes_and_never_lowered(void **state)
{
    (void)state;
    struct rlimit limit;
    set_soft(64);
    assert_int_equal(remora_descriptors_raise(100), 100);
    assert_int_equal(soft(), 100);
    assert_int_equal(remora_descriptors_raise(80), 100);
    assert_int_equal(soft(), 100);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_max = 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(remora_descriptors_raise(5000), 200);
    assert_int_equal(soft(), 200);
}

static void full_listeners_and_requests_fit(void **state)
{
    (void)state;
    assert_true(remora_descriptors_needed(1) >= 5 * 1024);
    assert_true(remora_descriptors_needed(64) > remora_descriptors_needed(1));
}

static void a_number_tells_how_many_are_left(void **state)
{
    (void)state;
    set_soft(100);
    assert_true(remora_descriptor_leaves(3, 96));
    assert_false(remora_descriptor_leaves(4, 96));
    assert_false(remora_descriptor_leaves(99, 1));
    assert_true(remora_descriptor_leaves(99, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soft_limit_is_raised_as_far_as_the_hard_one_goes_and_never_lowered),
        cmocka_unit_test(full_listeners_and_requests_fit),
        cmocka_unit_test(a_number_tells_how_many_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
