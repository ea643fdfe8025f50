/* The allocation seam, arenas and buffers: limits, sticky failure, and every allocation failing once. */
#include "support.h"

#include "remora/buf.h"
#include "remora/memory.h"

static bool is_zero(const char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (block[i] != 0) {
            return false;
        }
    }
    return true;
}

static void alloc_gives_zeroed_memory_and_fails_when_told(void **state)
{
    (void)state;
    (void)remora_alloc_count();
    char *block = remora_alloc(100);
    assert_non_null(block);
    assert_true(is_zero(block, 100));
    remora_free(block);
    remora_alloc_fail_at(2, false);
    block = remora_alloc(1);
    assert_non_null(block);
    assert_null(remora_realloc(block, 2));
    remora_free(block);
    block = remora_strdup(REMORA_SLICE("abc"));
    assert_string_equal(block, "abc");
    remora_free(block);
    remora_alloc_fail_at(0, false);
    assert_int_equal(remora_alloc_count(), 4);
}

static void alloc_fails_for_ever_until_switched_off(void **state)
{
    (void)state;
    remora_alloc_fail_at(1, true);
    assert_null(remora_alloc(1));
    assert_null(remora_alloc_array(1, 1));
    remora_alloc_fail_at(0, false);
    void *block = remora_alloc(0);
    assert_non_null(block);
    remora_free(block);
    assert_null(remora_alloc_array(SIZE_MAX, 2));
}

static void arena_gives_zeroed_aligned_memory_again_after_a_reset(void **state)
{
    (void)state;
    struct remora_arena arena;
    remora_arena_init(&arena, 1024, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t bytes = 0; bytes < 200; bytes += 7) {
            char *block = remora_arena_alloc(&arena, bytes);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % 16, 0);
            assert_true(is_zero(block, bytes));
            memset(block, 0xAA, bytes);
        }
        remora_arena_reset(&arena);
        assert_true(arena.taken_bytes >= 1024 && arena.taken_bytes < 1200);
    }
    remora_arena_fini(&arena);
    assert_int_equal(arena.taken_bytes, 0);
}

static void arena_refuses_beyond_its_limit_and_remembers(void **state)
{
    (void)state;
    struct remora_arena arena;
    remora_arena_init(&arena, 1024, 4096);
    assert_non_null(remora_arena_alloc(&arena, 2000));
    assert_null(remora_arena_alloc(&arena, 4000));
    assert_int_equal(arena.failed, REMORA_TOO_LARGE);
    assert_non_null(remora_arena_alloc(&arena, 100));
    assert_int_equal(arena.failed, REMORA_TOO_LARGE);
    assert_true(arena.taken_bytes <= 4096);
    assert_null(remora_arena_array(&arena, SIZE_MAX, 2));
    assert_null(remora_arena_alloc(&arena, SIZE_MAX));
    remora_arena_reset(&arena);
    assert_int_equal(arena.failed, REMORA_OK);
    remora_arena_fini(&arena);
}

static void arena_uses_its_limit_to_the_last_small_chunk(void **state)
{
    (void)state;
    struct remora_arena arena;
    size_t given = 0;
    remora_arena_init(&arena, 1024, 3000);
    while (remora_arena_alloc(&arena, 64) != NULL) {
        given += 64;
    }
    assert_true(given > 2600 && arena.taken_bytes <= 3000);
    remora_arena_fini(&arena);
}

static void arena_resize_keeps_contents_in_place_or_moved(void **state)
{
    (void)state;
    struct remora_arena arena;
    remora_arena_init(&arena, 1024, 1 << 20);
    char *block = remora_arena_resize(&arena, NULL, 0, 32);
    memset(block, 'x', 32);
    assert_ptr_equal(remora_arena_resize(&arena, block, 32, 256), block);
    assert_true(is_zero(block + 32, 224));
    assert_ptr_equal(remora_arena_resize(&arena, block, 256, 64), block);
    assert_true(is_zero(remora_arena_alloc(&arena, 192), 192));
    char *moved = remora_arena_resize(&arena, block, 64, 128);
    assert_ptr_not_equal(moved, block);
    assert_int_equal(moved[31], 'x');
    char *large = remora_arena_resize(&arena, moved, 128, 4096);
    large = remora_arena_resize(&arena, large, 4096, 100000);
    assert_int_equal(large[31], 'x');
    assert_true(is_zero(large + 128, 100000 - 128));
    size_t taken = arena.taken_bytes;
    large = remora_arena_resize(&arena, large, 100000, 1000);
    assert_int_equal(arena.taken_bytes, taken - 100000 + 1008);
    assert_null(remora_arena_resize(&arena, large, 1000, 1 << 20));
    assert_int_equal(arena.failed, REMORA_TOO_LARGE);
    assert_int_equal(large[31], 'x');
    remora_arena_fini(&arena);
}

static void arena_copies_and_prints(void **state)
{
    (void)state;
    struct remora_arena arena;
    remora_arena_init(&arena, 1024, 1 << 20);
    struct remora_slice copy = remora_arena_copy(&arena, REMORA_SLICE("key"));
    assert_int_equal(copy.length, 3);
    assert_string_equal(copy.data, "key");
    assert_int_equal(remora_arena_copy(&arena, (struct remora_slice){0}).length, 0);
    assert_slice_equal(remora_arena_printf(&arena, "%s-%d", "n", 7), "n-7");
    remora_arena_fini(&arena);
}

/* Uses an arena in every way; false when an allocation failed. */
static bool use_arena(struct remora_arena *arena)
{
    void *own = remora_arena_alloc(arena, 5000);
    return own != NULL && remora_arena_alloc(arena, 10) != NULL &&
           remora_arena_resize(arena, own, 5000, 9000) != NULL &&
           remora_arena_copy(arena, REMORA_SLICE("x")).data != NULL &&
           remora_arena_printf(arena, "%d", 1).data != NULL;
}

static void arena_survives_each_allocation_failing(void **state)
{
    (void)state;
    bool done = false;
    for (uint64_t nth = 1; !done; nth++) {
        struct remora_arena arena;
        remora_arena_init(&arena, 1024, 1 << 20);
        remora_alloc_fail_at(nth, false);
        done = use_arena(&arena);
        remora_alloc_fail_at(0, false);
        assert_int_equal(arena.failed, done ? REMORA_OK : REMORA_SHEDDING);
        remora_arena_fini(&arena);
        assert_true(done || nth < 10);
        assert_true(!done || nth > 3);
    }
}

static void buf_appends_every_kind_of_value(void **state)
{
    (void)state;
    struct remora_buf buf;
    remora_buf_init(&buf, 1000);
    remora_buf_append(&buf, REMORA_SLICE("a"));
    remora_buf_append(&buf, (struct remora_slice){0});
    remora_buf_append_text(&buf, "b");
    remora_buf_append_byte(&buf, ' ');
    remora_buf_append_u64(&buf, UINT64_MAX);
    remora_buf_append_byte(&buf, ' ');
    remora_buf_append_i64(&buf, INT64_MIN);
    remora_buf_append_i64(&buf, 0);
    remora_buf_printf(&buf, " %s %200d", "p", 5);
    assert_int_equal(remora_buf_code(&buf), REMORA_OK);
    struct remora_slice all = remora_buf_slice(&buf);
    assert_true(remora_slice_starts_with(
        all, REMORA_SLICE("ab 18446744073709551615 -92233720368547758080 p   ")));
    assert_int_equal(all.data[all.length - 1], '5');
    remora_buf_fini(&buf);
    assert_null(buf.data);
}

static void buf_over_memory_of_the_caller_s_allocates_nothing(void **state)
{
    char memory[16];
    struct remora_buf buf;
    (void)state;
    remora_buf_init_over(&buf, memory, sizeof memory);
    remora_alloc_fail_at(1, true);
    remora_buf_append_text(&buf, "0123456789");
    remora_buf_consume(&buf, 4);
    remora_buf_append_text(&buf, "abcdefghij");
    remora_alloc_fail_at(0, false);
    assert_slice_equal(remora_buf_slice(&buf), "456789abcdefghij");
    remora_buf_append_byte(&buf, 'k');
    assert_int_equal(remora_buf_code(&buf), REMORA_TOO_LARGE);
    remora_buf_fini(&buf);
    remora_buf_append_text(&buf, "again");
    assert_slice_equal(remora_buf_slice(&buf), "again");
}

static void buf_failure_is_sticky_until_reset(void **state)
{
    (void)state;
    struct remora_buf buf;
    remora_buf_init(&buf, 10);
    remora_buf_append_text(&buf, "12345678");
    remora_buf_append_text(&buf, "9AB");
    assert_int_equal(remora_buf_code(&buf), REMORA_TOO_LARGE);
    remora_buf_append_text(&buf, "9");
    assert_slice_equal(remora_buf_slice(&buf), "12345678");
    remora_buf_reset(&buf, 10);
    assert_int_equal(remora_buf_code(&buf), REMORA_OK);
    remora_buf_append_text(&buf, "1234567890");
    assert_int_equal(remora_buf_code(&buf), REMORA_OK);
    remora_buf_reset(&buf, 0);
    assert_null(buf.data);
    remora_buf_printf(&buf, "%s", "12345678901");
    assert_int_equal(remora_buf_code(&buf), REMORA_TOO_LARGE);
    remora_buf_fini(&buf);
}

static void buf_limit_counts_only_what_is_not_consumed(void **state)
{
    (void)state;
    struct remora_buf buf;
    remora_buf_init(&buf, 100);
    for (int i = 0; i < 1000; i++) {
        remora_buf_printf(&buf, "%04d", i);
        if (i >= 20) {
            remora_buf_consume(&buf, 4);
        }
    }
    assert_int_equal(remora_buf_code(&buf), REMORA_OK);
    assert_true(buf.capacity <= 100);
    assert_true(remora_slice_starts_with(remora_buf_slice(&buf), REMORA_SLICE("09800981")));
    assert_int_equal(remora_buf_slice(&buf).length, 80);
    remora_buf_consume(&buf, 1000);
    assert_int_equal(remora_buf_slice(&buf).length, 0);
    remora_buf_fini(&buf);
}

static void buf_survives_each_allocation_failing(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        struct remora_buf buf;
        remora_buf_init(&buf, 10000);
        remora_alloc_fail_at(nth, false);
        remora_buf_append_text(&buf, "x");
        remora_buf_printf(&buf, "%1000d", 1);
        remora_alloc_fail_at(0, false);
        assert_int_equal(remora_buf_code(&buf), REMORA_SHEDDING);
        assert_true(buf.length <= 1);
        remora_buf_fini(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_gives_zeroed_memory_and_fails_when_told),
        cmocka_unit_test(alloc_fails_for_ever_until_switched_off),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory_again_after_a_reset),
        cmocka_unit_test(arena_refuses_beyond_its_limit_and_remembers),
        cmocka_unit_test(arena_uses_its_limit_to_the_last_small_chunk),
        cmocka_unit_test(arena_resize_keeps_contents_in_place_or_moved),
        cmocka_unit_test(arena_copies_and_prints),
        cmocka_unit_test(arena_survives_each_allocation_failing),
        cmocka_unit_test(buf_appends_every_kind_of_value),
        cmocka_unit_test(buf_over_memory_of_the_caller_s_allocates_nothing),
        cmocka_unit_test(buf_failure_is_sticky_until_reset),
        cmocka_unit_test(buf_limit_counts_only_what_is_not_consumed),
        cmocka_unit_test(buf_survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
