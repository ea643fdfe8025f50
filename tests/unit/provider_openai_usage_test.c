/*
 * What a provider's counts mean: inclusive or beside, with and without a total (reference/providers.md 0.1). Each row is a
 * usage object and the disjoint classes that it becomes; -1 is absent.
 */
#include "support.h"

#include "../../src/provider/openai.h" /* private to its room: this is what is tested */

struct row {
    const char *usage;
    enum usage_rule rule;
    int64_t input;
    int64_t cache_read;
    int64_t cache_write;
    int64_t output;
    int64_t reasoning;
    enum remora_certainty certainty;
};

#define ACTUAL    REMORA_CERTAINTY_ACTUAL
#define ESTIMATED REMORA_CERTAINTY_ESTIMATED

static const struct row rows[] = {
    /* reasoning is part of the completion, or comes on top where the dialect says so and no total says otherwise */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_"
     "tokens\":3}}",
     USAGE_INCLUSIVE, 10, -1, -1, 2, 3, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_"
     "tokens\":3}}",
     USAGE_REASONING_BESIDE, 10, -1, -1, 5, 3, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
     "\"completion_tokens_details\":{\"reasoning_tokens\":3}}",
     USAGE_REASONING_BESIDE, 10, -1, -1, 2, 3, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":18,"
     "\"completion_tokens_details\":{\"reasoning_tokens\":3}}",
     USAGE_INCLUSIVE, 10, -1, -1, 5, 3, ACTUAL},
    /* more reasoning than completion can only be beside it */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_"
     "tokens\":7}}",
     USAGE_INCLUSIVE, 10, -1, -1, 5, 7, ACTUAL},
    /* what a total has beyond both is output, unless it is just what the cache gave */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":20}", USAGE_INCLUSIVE, 10, -1,
     -1, 10, -1, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":19,"
     "\"prompt_tokens_details\":{\"cached_tokens\":4}}",
     USAGE_INCLUSIVE, 10, 4, -1, 5, -1, ACTUAL},
    /* more from the cache than the prompt had: it was counted without; a guess, unless a total says the same */
    {"{\"prompt_tokens\":2,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":5}"
     "}",
     USAGE_INCLUSIVE, 2, 5, -1, 1, -1, ESTIMATED},
    {"{\"prompt_tokens\":0,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":5}"
     "}",
     USAGE_INCLUSIVE, 0, 5, -1, 1, -1, ESTIMATED},
    {"{\"prompt_tokens\":2,\"completion_tokens\":1,\"total_tokens\":8,"
     "\"prompt_tokens_details\":{\"cached_tokens\":5}}",
     USAGE_INCLUSIVE, 2, 5, -1, 1, -1, ACTUAL},
    /* one direction alone, and none of it */
    {"{\"completion_tokens\":0}", USAGE_INCLUSIVE, -1, -1, -1, 0, -1, ACTUAL},
    {"{\"prompt_tokens\":0}", USAGE_INCLUSIVE, 0, -1, -1, -1, -1, ACTUAL},
};

static void check_row(const struct row *row, struct remora_arena *arena)
{
    static const struct remora_json_limits limits = {64, 1000};
    struct remora_json_doc doc;
    struct remora_usage usage;
    assert_int_equal(remora_json_parse(remora_slice_of(row->usage), arena, &limits, &doc, NULL),
                     REMORA_OK);
    assert_true(openai_read_usage(remora_json_root(&doc), row->rule, &usage));
    const int64_t is[] = {
        usage.tokens[REMORA_USAGE_INPUT],          usage.tokens[REMORA_USAGE_CACHE_READ],
        usage.tokens[REMORA_USAGE_CACHE_WRITE_5M], usage.tokens[REMORA_USAGE_OUTPUT],
        usage.tokens[REMORA_USAGE_REASONING],      (int64_t)usage.certainty,
    };
    const int64_t expected[] = {row->input,  row->cache_read, row->cache_write,
                                row->output, row->reasoning,  (int64_t)row->certainty};
    for (size_t i = 0; i < REMORA_COUNT_OF(is); i++) {
        if (is[i] != expected[i]) {
            fail_msg("%s: number %zu is %lld, not %lld", row->usage, i, (long long)is[i],
                     (long long)expected[i]);
        }
    }
}

static void counts_become_disjoint_classes(void **state)
{
    struct remora_arena arena;
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        check_row(&rows[i], &arena);
    }
    remora_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_become_disjoint_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
