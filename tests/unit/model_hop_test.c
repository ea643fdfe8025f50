/* The header remora-hop: our id, what is read of others', and what is refused. */
#include "support.h"

#include "remora/hop.h"

#include <stdio.h>

static const struct remora_hop_id own = {"AbCdEfGhIjK"};

/* The lines as header lines of one request, ended by NULL. */
static enum remora_code read_lines(const char *const *lines, struct remora_hops *hops,
                                   struct remora_fail *fail)
{
    enum remora_code code = REMORA_OK;
    hops->count = 0;
    hops->length = 0;
    for (size_t i = 0; lines[i] != NULL && code == REMORA_OK; i++) {
        code = remora_hops_add(hops, remora_slice_of(lines[i]), &own, fail);
    }
    return code;
}

static void expect_kept(const char *const *lines, size_t count, const char *text)
{
    struct remora_hops hops;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(read_lines(lines, &hops, &fail), REMORA_OK);
    assert_int_equal(hops.count, count);
    assert_slice_equal(remora_hops_text(&hops), text);
}

static void expect_refused(const char *line, enum remora_code code, const char *words)
{
    const char *const lines[] = {line, NULL};
    struct remora_hops hops;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(read_lines(lines, &hops, &fail), code);
    assert_string_equal(fail.param, "remora-hop");
    assert_non_null(strstr(fail.message, "remora-hop"));
    assert_non_null(strstr(fail.message, words));
}

static void an_id_is_short_random_and_fit_for_a_header(void **state)
{
    struct remora_random random;
    struct remora_hop_id first;
    struct remora_hop_id second;
    const char *const lines[] = {first.text, second.text, NULL};
    char both[2 * REMORA_HOP_ID_BYTES];
    (void)state;
    remora_random_seed_system(&random);
    remora_hop_id_make(&random, &first);
    remora_hop_id_make(&random, &second);
    assert_int_equal(strlen(first.text), 11);
    assert_int_equal(strlen(second.text), 11);
    assert_string_not_equal(first.text, second.text);
    snprintf(both, sizeof both, "%s,%s", first.text, second.text);
    expect_kept(lines, 2, both);
}

static void ids_are_kept_in_order_without_blanks_and_empty_elements(void **state)
{
    (void)state;
    expect_kept((const char *const[]){NULL}, 0, "");
    expect_kept((const char *const[]){"", NULL}, 0, "");
    expect_kept((const char *const[]){" , ,", NULL}, 0, "");
    expect_kept((const char *const[]){"one", NULL}, 1, "one");
    expect_kept((const char *const[]){"one,two", NULL}, 2, "one,two");
    expect_kept((const char *const[]){" one ,\t two,, ", "three", NULL}, 3, "one,two,three");
    expect_kept((const char *const[]){"abcdefghijabcdefghijabcdefghij_-", NULL}, 1,
                "abcdefghijabcdefghijabcdefghij_-");
}

static void longest_list_fits(void **state)
{
    static const char longest[] = "0123456789abcdef0123456789ABCDEF";
    struct remora_hops hops = {0};
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    assert_int_equal(strlen(longest), REMORA_LIMIT_HOP_ID_BYTES);
    for (size_t i = 1; i < REMORA_LIMIT_HOPS; i++) {
        assert_int_equal(remora_hops_add(&hops, remora_slice_of(longest), &own, &fail), REMORA_OK);
    }
    assert_int_equal(hops.count, REMORA_LIMIT_HOPS - 1);
    assert_int_equal(hops.length, (REMORA_LIMIT_HOPS - 1) * sizeof longest - 1);
}

static void own_id_anywhere_is_a_loop(void **state)
{
    (void)state;
    expect_refused("AbCdEfGhIjK", REMORA_WRONG_ENDPOINT, "leads back to this Remora");
    expect_refused("one, AbCdEfGhIjK", REMORA_WRONG_ENDPOINT, "leads back to this Remora");
    expect_refused("AbCdEfGhIjK,one,two,three", REMORA_WRONG_ENDPOINT, "leads back to this Remora");
    expect_kept((const char *const[]){"abcdefghijk,AbCdEfGhIj,AbCdEfGhIjKl", NULL}, 3,
                "abcdefghijk,AbCdEfGhIj,AbCdEfGhIjKl");
}

static void the_fourth_of_a_chain_is_served_and_the_fifth_refused(void **state)
{
    (void)state;
    expect_kept((const char *const[]){"one,two,three", NULL}, 3, "one,two,three");
    expect_refused("one,two,three,four", REMORA_WRONG_ENDPOINT, "passed through 4 Remoras");
    expect_refused("one,two,three,four,five", REMORA_WRONG_ENDPOINT, "passed through 4 Remoras");
}

static void what_no_remora_writes_is_refused(void **state)
{
    static const char *const bad[] = {
        "a b", "a;b=c", "\"one\"", "one,t\xc3w", "one=", "0123456789abcdef0123456789ABCDEFx",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        expect_refused(bad[i], REMORA_INVALID_REQUEST, "leave it out");
    }
    struct remora_hops hops = {0};
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_hops_add(&hops, remora_slice("a\0b", 3), &own, &fail),
                     REMORA_INVALID_REQUEST);
}

static void without_an_id_nobody_is_recognised(void **state)
{
    struct remora_hops hops = {0};
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    assert_int_equal(remora_hops_add(&hops, remora_slice_of(own.text), NULL, &fail), REMORA_OK);
    assert_int_equal(hops.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_short_random_and_fit_for_a_header),
        cmocka_unit_test(ids_are_kept_in_order_without_blanks_and_empty_elements),
        cmocka_unit_test(longest_list_fits),
        cmocka_unit_test(own_id_anywhere_is_a_loop),
        cmocka_unit_test(the_fourth_of_a_chain_is_served_and_the_fifth_refused),
        cmocka_unit_test(what_no_remora_writes_is_refused),
        cmocka_unit_test(without_an_id_nobody_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
