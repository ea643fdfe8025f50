/* Names are found in a list with an index as they are without one. */
#include "support.h"

#include <stdio.h>

#include "remora/clock.h"
#include "remora/preferences.h"

enum { NAMES = REMORA_LIMIT_PROVIDERS_LISTED, ROUNDS = 3000 };

static const char *const providers[] = {"a",          "ab",          "openai",        "OpenAI",
                                        "provider-1", "provider-11", "google-vertex", "google"};
static const char *const variants[] = {"", "/turbo", "/flex", "/us-east5", "/turbo#2", "#2"};

static struct remora_random dice;

static size_t roll(size_t sides)
{
    return (size_t)remora_random_below(&dice, sides);
}

static struct remora_slice name_of(char *room, size_t bytes, const char **provider)
{
    *provider = providers[roll(REMORA_COUNT_OF(providers))];
    int length =
        snprintf(room, bytes, "%s%s", *provider, variants[roll(REMORA_COUNT_OF(variants))]);
    return remora_slice(room, (size_t)length);
}

static void an_index_finds_what_a_search_finds(void **state)
{
    static char names[NAMES][32];
    struct remora_slice items[NAMES];
    struct remora_arena arena;
    (void)state;
    remora_random_seed(&dice, 7);
    remora_arena_init(&arena, 4096, 1 << 20);
    for (size_t round = 0; round < ROUNDS; round++) {
        char room[32];
        const char *provider = NULL;
        struct remora_slices plain = {.items = items, .count = roll(NAMES + 1), .is_set = true};
        for (size_t i = 0; i < plain.count; i++) {
            items[i] = name_of(names[i], sizeof names[i], &provider);
        }
        struct remora_slices indexed = plain;
        remora_arena_reset(&arena);
        assert_int_equal(remora_names_index(&indexed, &arena), REMORA_OK);
        assert_true((indexed.index != NULL) == (plain.count > 4));
        struct remora_slice tag = name_of(room, sizeof room, &provider);
        assert_int_equal(remora_slugs_find(&indexed, remora_slice_of(provider), tag),
                         remora_slugs_find(&plain, remora_slice_of(provider), tag));
        assert_int_equal(remora_names_have(&indexed, tag), remora_names_have(&plain, tag));
    }
    remora_arena_fini(&arena);
}

static void the_first_of_several_names_counts(void **state)
{
    const struct remora_slice items[] = {
        REMORA_SLICE("b"),   REMORA_SLICE("a/x"),       REMORA_SLICE("a/y"), REMORA_SLICE("a"),
        REMORA_SLICE("a/y"), REMORA_SLICE("Eu-West-1"), REMORA_SLICE("")};
    struct remora_slices list = {.items = items, .count = REMORA_COUNT_OF(items), .is_set = true};
    struct remora_arena arena;
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(remora_names_index(&list, &arena), REMORA_OK);
    assert_int_equal(remora_slugs_find(&list, REMORA_SLICE("a"), REMORA_SLICE("a/y")), 2);
    assert_int_equal(remora_slugs_find(&list, REMORA_SLICE("a"), REMORA_SLICE("a/z")), 3);
    assert_int_equal(remora_slugs_find(&list, REMORA_SLICE("c"), REMORA_SLICE("c/y")), 7);
    assert_true(remora_names_have(&list, REMORA_SLICE("eu-west-1")));
    assert_false(remora_names_have(&list, REMORA_SLICE("eu-west-2")));
    remora_arena_fini(&arena);
}

static void no_room_for_an_index_is_said_and_the_list_is_whole(void **state)
{
    const struct remora_slice items[5] = {REMORA_SLICE_INIT("a"), REMORA_SLICE_INIT("b")};
    struct remora_slices list = {.items = items, .count = 5, .is_set = true};
    struct remora_arena arena;
    (void)state;
    remora_arena_init(&arena, 64, 64);
    assert_int_equal(remora_names_index(&list, &arena), REMORA_TOO_LARGE);
    assert_null(list.index);
    assert_int_equal(remora_slugs_find(&list, REMORA_SLICE("b"), REMORA_SLICE("b/y")), 1);
    remora_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_finds_what_a_search_finds),
        cmocka_unit_test(the_first_of_several_names_counts),
        cmocka_unit_test(no_room_for_an_index_is_said_and_the_list_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
