/* The header of trial features. */
#include "support.h"

#include "remora/betas.h"

#include <stdio.h>

static enum remora_code add(struct remora_betas *betas, struct remora_slice value)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    enum remora_code code = remora_betas_add(betas, value, &fail);
    assert_int_equal(fail.code, code);
    if (code != REMORA_OK) {
        assert_int_equal(code, REMORA_INVALID_REQUEST);
        assert_string_equal(fail.param, "x-anthropic-beta");
    }
    return code;
}

static void both_names_of_the_header_are_known(void **state)
{
    static const char *const others[] = {"",
                                         "x",
                                         "beta",
                                         "-anthropic-beta",
                                         "x_anthropic-beta",
                                         "y-anthropic-beta",
                                         "xx-anthropic-beta",
                                         "anthropic-betas",
                                         "x-anthropic-bets",
                                         "anthropic-version"};
    (void)state;
    assert_true(remora_is_beta_header(REMORA_SLICE("x-anthropic-beta")));
    assert_true(remora_is_beta_header(REMORA_SLICE("X-Anthropic-Beta")));
    assert_true(remora_is_beta_header(REMORA_SLICE("anthropic-beta")));
    assert_true(remora_is_beta_header(REMORA_SLICE("Anthropic-Beta")));
    for (size_t i = 0; i < REMORA_COUNT_OF(others); i++) {
        assert_false(remora_is_beta_header(remora_slice_of(others[i])));
    }
}

static void names_are_read_in_their_order_each_once(void **state)
{
    struct remora_betas betas = {.count = 0};
    (void)state;
    assert_int_equal(add(&betas, REMORA_SLICE("")), REMORA_OK);
    assert_int_equal(betas.count, 0);
    assert_int_equal(add(&betas, REMORA_SLICE(" b-2025-05-14 ,, a_1.2,\tb-2025-05-14,")),
                     REMORA_OK);
    assert_int_equal(add(&betas, REMORA_SLICE("B-2025-05-14,a_1.2")), REMORA_OK);
    assert_int_equal(betas.count, 3);
    assert_slice_equal(betas.names[0], "b-2025-05-14");
    assert_slice_equal(betas.names[1], "a_1.2");
    assert_slice_equal(betas.names[2], "B-2025-05-14");
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {"a b", "a;q=1", "a,\"b\"", "a\x7f", "\xc3\xa4", "{}", "a=b"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        struct remora_betas betas = {.count = 0};
        assert_int_equal(add(&betas, remora_slice_of(bad[i])), REMORA_INVALID_REQUEST);
    }
    struct remora_betas betas = {.count = 0};
    assert_int_equal(add(&betas, remora_slice("a\0b", 3)), REMORA_INVALID_REQUEST);
    assert_int_equal(add(&betas, REMORA_SLICE("!#$%&'*+-.^_`|~")), REMORA_OK);
}

static void names_have_a_length_and_a_number(void **state)
{
    struct remora_betas betas = {.count = 0};
    char name[REMORA_LIMIT_ID_BYTES + 1];
    (void)state;
    memset(name, 'n', sizeof name);
    assert_int_equal(add(&betas, remora_slice(name, sizeof name)), REMORA_INVALID_REQUEST);
    assert_int_equal(add(&betas, remora_slice(name, sizeof name - 1)), REMORA_OK);
    char names[REMORA_LIMIT_BETAS][8];
    for (size_t i = 1; i < REMORA_LIMIT_BETAS; i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        assert_int_equal(add(&betas, remora_slice_of(names[i])), REMORA_OK);
    }
    assert_int_equal(betas.count, REMORA_LIMIT_BETAS);
    assert_int_equal(add(&betas, REMORA_SLICE("n1")), REMORA_OK); /* is there already */
    assert_int_equal(add(&betas, REMORA_SLICE("more")), REMORA_INVALID_REQUEST);
}

static void what_is_kept_is_a_copy(void **state)
{
    struct remora_arena arena;
    struct remora_betas betas = {.count = 0};
    char header[] = "a,b";
    (void)state;
    remora_arena_init(&arena, 1024, 1 << 20);
    assert_null(remora_betas_keep(&betas, &arena));
    assert_int_equal(arena.taken_bytes, 0);
    assert_int_equal(add(&betas, remora_slice_of(header)), REMORA_OK);
    const struct remora_slices *kept = remora_betas_keep(&betas, &arena);
    memset(header, 'z', sizeof header);
    assert_true(kept->is_set);
    assert_int_equal(kept->count, 2);
    assert_slice_equal(kept->items[0], "a");
    assert_slice_equal(kept->items[1], "b");
    remora_arena_fini(&arena);
    remora_arena_init(&arena, 16, 16); /* no room */
    assert_null(remora_betas_keep(&betas, &arena));
    assert_int_equal(arena.failed, REMORA_TOO_LARGE);
    remora_arena_fini(&arena);
}

static void what_is_joined_has_each_name_once(void **state)
{
    static const struct {
        const char *first;
        const char *joined;
    } cases[] = {
        {"", "a-1,b-2"},
        {"c-3", "c-3,a-1,b-2"},
        {"b-2", "b-2,a-1"},
        {"x , a-1,b-2 ,", "x , a-1,b-2 ,"},
        {"A-1,a-11", "A-1,a-11,a-1,b-2"}, /* names are compared as they are, and whole */
    };
    const struct remora_slice items[] = {REMORA_SLICE("a-1"), REMORA_SLICE("b-2")};
    const struct remora_slices names = {.items = items, .count = 2, .is_set = true};
    struct remora_arena arena;
    (void)state;
    remora_arena_init(&arena, 1024, 1 << 20);
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_slice_equal(remora_betas_join(remora_slice_of(cases[i].first), &names, &arena),
                           cases[i].joined);
    }
    remora_arena_fini(&arena);
    remora_arena_init(&arena, 4, 4); /* no room */
    assert_null(remora_betas_join(REMORA_SLICE(""), &names, &arena).data);
    remora_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_names_of_the_header_are_known),
        cmocka_unit_test(names_are_read_in_their_order_each_once),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(names_have_a_length_and_a_number),
        cmocka_unit_test(what_is_kept_is_a_copy),
        cmocka_unit_test(what_is_joined_has_each_name_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
