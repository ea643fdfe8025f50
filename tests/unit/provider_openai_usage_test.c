/*
 * What a provider's counts mean: inclusive or beside, with and without a total (reference/providers.md 0.1). Each row is a
 * usage object and the disjoint classes that it becomes; -1 is absent.
 */
#include "support.h"

#include <stdio.h>

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
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"reasoning_tokens\":3}", USAGE_INCLUSIVE, 10,
     -1, -1, 2, 3, ACTUAL},
    /* more reasoning than completion can only be beside it */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_"
     "tokens\":7}}",
     USAGE_INCLUSIVE, 10, -1, -1, 5, 7, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":0,\"completion_tokens_details\":{\"reasoning_"
     "tokens\":7}}",
     USAGE_INCLUSIVE, 10, -1, -1, 0, 7, ACTUAL},
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
    /* the same of what was written to it, which costs more than it would as input */
    {"{\"prompt_tokens\":10,\"completion_tokens\":50,\"prompt_tokens_details\":{\"cached_tokens\":"
     "0,"
     "\"cache_write_tokens\":2000}}",
     USAGE_INCLUSIVE, 10, 0, 2000, 50, -1, ESTIMATED},
    {"{\"prompt_tokens\":10,\"completion_tokens\":50,\"total_tokens\":60,\"prompt_tokens_details\":"
     "{"
     "\"cached_tokens\":0,\"cache_write_tokens\":2000}}",
     USAGE_INCLUSIVE, 10, 0, 2000, 50, -1, ESTIMATED},
    {"{\"prompt_tokens\":10,\"completion_tokens\":50,\"total_tokens\":2060,"
     "\"prompt_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":2000}}",
     USAGE_INCLUSIVE, 10, 0, 2000, 50, -1, ACTUAL},
    {"{\"prompt_tokens\":100,\"completion_tokens\":1,\"prompt_tokens_details\":{"
     "\"cached_tokens\":60,\"cache_write_tokens\":60}}",
     USAGE_INCLUSIVE, 40, 60, 60, 1, -1, ESTIMATED},
    {"{\"prompt_tokens\":100,\"completion_tokens\":1,\"prompt_tokens_details\":{"
     "\"cached_tokens\":60,\"cache_write_tokens\":40}}",
     USAGE_INCLUSIVE, 0, 60, 40, 1, -1, ACTUAL},
    {"{\"prompt_tokens\":2,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":5,"
     "\"cache_write_tokens\":3}}",
     USAGE_INCLUSIVE, 2, 5, 3, 1, -1, ESTIMATED},
    /* of what may have been left out, the one of which a total is just the sum */
    {"{\"prompt_tokens\":1000,\"completion_tokens\":50,\"total_tokens\":2450,"
     "\"prompt_tokens_details\":{\"cached_tokens\":900,\"cache_write_tokens\":500}}",
     USAGE_INCLUSIVE, 1000, 900, 500, 50, -1, ACTUAL},
    {"{\"prompt_tokens\":100,\"completion_tokens\":10,\"total_tokens\":2110,"
     "\"prompt_tokens_details\":{\"cached_tokens\":2000,\"cache_write_tokens\":50}}",
     USAGE_INCLUSIVE, 50, 2000, 50, 10, -1, ACTUAL},
    {"{\"prompt_tokens\":1000,\"completion_tokens\":50,\"total_tokens\":1150,"
     "\"prompt_tokens_details\":{\"cached_tokens\":900,\"cache_write_tokens\":100}}",
     USAGE_INCLUSIVE, 100, 900, 100, 50, -1, ACTUAL},
    {"{\"prompt_tokens\":2,\"completion_tokens\":1,\"total_tokens\":12,"
     "\"prompt_tokens_details\":{\"cached_tokens\":5},\"completion_tokens_details\":{"
     "\"reasoning_tokens\":4}}",
     USAGE_INCLUSIVE, 2, 5, -1, 1, 4, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":19,"
     "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{"
     "\"reasoning_tokens\":4}}",
     USAGE_INCLUSIVE, 6, 4, -1, 5, 4, ACTUAL},
    /* a total that explains nothing is what the completion must have been; one below the sum is nothing */
    {"{\"prompt_tokens\":10,\"completion_tokens\":10,\"total_tokens\":200,"
     "\"prompt_tokens_details\":{\"cached_tokens\":100,\"cache_write_tokens\":50}}",
     USAGE_INCLUSIVE, 10, 100, 50, 40, -1, ESTIMATED},
    {"{\"prompt_tokens\":10,\"completion_tokens\":10,\"total_tokens\":70,"
     "\"prompt_tokens_details\":{\"cached_tokens\":100,\"cache_write_tokens\":50}}",
     USAGE_INCLUSIVE, 10, 100, 50, 10, -1, ESTIMATED},
    {"{\"prompt_tokens\":10,\"completion_tokens\":10,\"total_tokens\":15}", USAGE_INCLUSIVE, 10, -1,
     -1, 10, -1, ACTUAL},
    /* at the edges: reasoning that is the whole completion, a cache as large as the prompt, a prompt that is all cache */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"reasoning_tokens\":5}", USAGE_INCLUSIVE, 10,
     -1, -1, 0, 5, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":"
     "10,"
     "\"cache_write_tokens\":5}}",
     USAGE_INCLUSIVE, 0, 10, 5, 1, -1, ESTIMATED},
    {"{\"prompt_tokens\":0,\"completion_tokens\":1,\"total_tokens\":6,\"prompt_tokens_details\":{"
     "\"cached_tokens\":5}}",
     USAGE_INCLUSIVE, 0, 5, -1, 1, -1, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":1,\"cache_creation\":{"
     "\"ephemeral_5m_input_tokens\":6,\"ephemeral_1h_input_tokens\":6}}",
     USAGE_INCLUSIVE, 10, -1, 6, 1, -1, ESTIMATED},
    /* an answer of nothing: what a total has beyond is the cache's where that is all of it, else output */
    {"{\"prompt_tokens\":10,\"completion_tokens\":0,\"total_tokens\":12,"
     "\"prompt_tokens_details\":{\"cached_tokens\":2}}",
     USAGE_INCLUSIVE, 10, 2, -1, 0, -1, ACTUAL},
    {"{\"prompt_tokens\":10,\"completion_tokens\":0,\"total_tokens\":12}", USAGE_INCLUSIVE, 10, -1,
     -1, 2, -1, ACTUAL},
    /* both readings are exact: what was read and written beside the prompt, or what was read and the thoughts */
    {"{\"prompt_tokens\":10,\"completion_tokens\":4,\"total_tokens\":19,"
     "\"prompt_tokens_details\":{\"cached_tokens\":2,\"cache_write_tokens\":3},"
     "\"completion_tokens_details\":{\"reasoning_tokens\":3}}",
     USAGE_INCLUSIVE, 10, 2, 3, 1, 3, ACTUAL},
    /* the largest count that is believed */
    {"{\"prompt_tokens\":9007199254740992}", USAGE_INCLUSIVE, INT64_C(9007199254740992), -1, -1, -1,
     -1, ACTUAL},
    {"{\"prompt_tokens\":9007199254740993,\"completion_tokens\":1}", USAGE_INCLUSIVE, -1, -1, -1, 1,
     -1, ACTUAL},
    /* one direction alone, and none of it */
    {"{\"completion_tokens\":0}", USAGE_INCLUSIVE, -1, -1, -1, 0, -1, ACTUAL},
    {"{\"prompt_tokens\":0}", USAGE_INCLUSIVE, 0, -1, -1, -1, -1, ACTUAL},
    {"{\"prompt_tokens\":10,\"total_tokens\":30}", USAGE_INCLUSIVE, 10, -1, -1, -1, -1, ACTUAL},
    {"{\"completion_tokens\":5,\"total_tokens\":30}", USAGE_INCLUSIVE, -1, -1, -1, 5, -1, ACTUAL},
    {"{\"prompt_tokens\":0,\"completion_tokens\":5,\"total_tokens\":20}", USAGE_INCLUSIVE, 0, -1,
     -1, 20, -1, ACTUAL},
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

/* Alibaba's names in the details, Anthropic's gateways' at the top; the parts by time to live win over their sum. */
static void what_was_written_to_the_cache_has_several_names(void **state)
{
    static const struct {
        const char *where;
        int64_t input, read, write_5m, write_1h;
    } cases[] = {
        {"\"prompt_tokens_details\":{\"cached_tokens\":0,\"cache_creation_input_tokens\":3000,"
         "\"cache_creation\":{\"ephemeral_5m_input_tokens\":3000}}",
         19, 0, 3000, 0},
        {"\"prompt_tokens_details\":{\"cache_creation_input_tokens\":3000}", 19, -1, 3000, -1},
        {"\"prompt_tokens_details\":{\"cache_creation\":{\"ephemeral_5m_input_tokens\":3000}}", 19,
         -1, 3000, 0},
        {"\"cache_creation_input_tokens\":3000,\"cache_read_input_tokens\":10", 9, 10, 3000, -1},
        {"\"cache_creation_input_tokens\":3000,\"cache_creation\":{\"ephemeral_5m_input_tokens\":"
         "1000,\"ephemeral_1h_input_tokens\":2000}",
         19, -1, 1000, 2000},
        {"\"cache_creation_input_tokens\":1,\"cache_creation\":{\"ephemeral_1h_input_tokens\":2000"
         "}",
         1019, -1, -1, 2000},
        {"\"cache_creation_input_tokens\":3000,\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,"
         "\"ephemeral_1h_input_tokens\":2000}",
         19, -1, 1000, 2000},
        {"\"cache_creation_input_tokens\":-1,\"cache_creation\":null", 3019, -1, -1, -1},
    };
    static const struct remora_json_limits limits = {64, 1000};
    struct remora_arena arena;
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char text[300];
        struct remora_json_doc doc;
        struct remora_usage usage;
        snprintf(text, sizeof text,
                 "{\"prompt_tokens\":3019,\"completion_tokens\":104,\"total_tokens\":3123,%s}",
                 cases[i].where);
        assert_int_equal(remora_json_parse(remora_slice_of(text), &arena, &limits, &doc, NULL),
                         REMORA_OK);
        assert_true(openai_read_usage(remora_json_root(&doc), USAGE_INCLUSIVE, &usage));
        assert_int_equal(usage.tokens[REMORA_USAGE_INPUT], cases[i].input);
        assert_int_equal(usage.tokens[REMORA_USAGE_CACHE_READ], cases[i].read);
        assert_int_equal(usage.tokens[REMORA_USAGE_CACHE_WRITE_5M], cases[i].write_5m);
        assert_int_equal(usage.tokens[REMORA_USAGE_CACHE_WRITE_1H], cases[i].write_1h);
        assert_int_equal(usage.tokens[REMORA_USAGE_OUTPUT], 104);
        assert_int_equal(usage.certainty, ACTUAL);
    }
    remora_arena_fini(&arena);
}

static void searches_are_told_under_several_names(void **state)
{
    static const struct {
        const char *usage;
        int64_t searches;
    } cases[] = {
        {"{\"prompt_tokens\":1}", -1},
        {"{\"prompt_tokens\":1,\"num_search_queries\":3}", 3},
        {"{\"prompt_tokens\":1,\"server_tool_use_details\":{\"web_search_requests\":2}}", 2},
        {"{\"prompt_tokens\":1,\"num_sources_used\":12}", 12},
        {"{\"prompt_tokens\":1,\"num_sources_used\":0}", 0},
        {"{\"prompt_tokens\":1,\"num_sources_used\":9,\"server_tool_use\":{\"web_search_requests\":"
         "2}}",
         2},
    };
    static const struct remora_json_limits limits = {64, 1000};
    struct remora_arena arena;
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_json_doc doc;
        struct remora_usage usage;
        assert_int_equal(
            remora_json_parse(remora_slice_of(cases[i].usage), &arena, &limits, &doc, NULL),
            REMORA_OK);
        assert_true(openai_read_usage(remora_json_root(&doc), USAGE_INCLUSIVE, &usage));
        assert_int_equal(usage.search_count, cases[i].searches);
    }
    remora_arena_fini(&arena);
}

/* Sound of the prompt may have come from the cache: what cannot lie beside it does. */
static void sound_and_cache_may_overlap(void **state)
{
    static const struct {
        int prompt, cached, audio;
        int64_t input, beside, overlap;
        enum remora_certainty certainty;
    } cases[] = {
        {100, 30, 50, 20, 50, -1, ACTUAL},    {100, 50, 50, 0, 50, -1, ACTUAL},
        {100, 80, 50, 0, 20, 30, ESTIMATED},  {100, 100, 50, 0, 0, 50, ESTIMATED},
        {100, 80, 100, 0, 20, 80, ESTIMATED}, {100, 80, 101, 20, -1, -1, ACTUAL}, /* a lie */
        {100, 0, 101, 100, -1, -1, ACTUAL},
    };
    struct remora_arena arena;
    static const struct remora_json_limits limits = {64, 1000};
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char text[200];
        struct remora_json_doc doc;
        struct remora_usage usage;
        snprintf(text, sizeof text,
                 "{\"prompt_tokens\":%d,\"completion_tokens\":1,\"prompt_tokens_details\":"
                 "{\"cached_tokens\":%d,\"audio_tokens\":%d}}",
                 cases[i].prompt, cases[i].cached, cases[i].audio);
        assert_int_equal(remora_json_parse(remora_slice_of(text), &arena, &limits, &doc, NULL),
                         REMORA_OK);
        assert_true(openai_read_usage(remora_json_root(&doc), USAGE_INCLUSIVE, &usage));
        assert_int_equal(usage.tokens[REMORA_USAGE_INPUT], cases[i].input);
        assert_int_equal(usage.tokens[REMORA_USAGE_CACHE_READ], cases[i].cached);
        assert_int_equal(usage.tokens[REMORA_USAGE_AUDIO_INPUT], cases[i].beside);
        assert_int_equal(usage.cached_audio_tokens, cases[i].overlap);
        assert_int_equal(remora_usage_input_total(&usage), cases[i].prompt);
        assert_int_equal(usage.certainty, cases[i].certainty);
    }
    remora_arena_fini(&arena);
}

static struct remora_usage read(const char *text)
{
    static const struct remora_json_limits limits = {64, 1000};
    struct remora_arena arena;
    struct remora_json_doc doc;
    struct remora_usage usage;
    remora_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(remora_json_parse(remora_slice_of(text), &arena, &limits, &doc, NULL),
                     REMORA_OK);
    assert_true(openai_read_usage(remora_json_root(&doc), USAGE_INCLUSIVE, &usage));
    remora_arena_fini(&arena);
    return usage;
}

static void kinds_of_the_answer_are_parts_of_it(void **state)
{
    (void)state;
    struct remora_usage usage =
        read("{\"completion_tokens\":10,\"completion_tokens_details\":{\"audio_tokens\":4,"
             "\"image_tokens\":3,\"accepted_prediction_tokens\":10,"
             "\"rejected_prediction_tokens\":10}}");
    assert_int_equal(usage.tokens[REMORA_USAGE_AUDIO_OUTPUT], 4);
    assert_int_equal(usage.tokens[REMORA_USAGE_IMAGE_OUTPUT], 3);
    assert_int_equal(usage.tokens[REMORA_USAGE_OUTPUT], 3);
    assert_int_equal(usage.accepted_prediction_tokens, 10);
    assert_int_equal(usage.rejected_prediction_tokens, 10);
    usage = read("{\"completion_tokens\":10,\"completion_tokens_details\":{"
                 "\"accepted_prediction_tokens\":11,\"rejected_prediction_tokens\":11}}");
    assert_int_equal(usage.accepted_prediction_tokens, -1);
    assert_int_equal(usage.rejected_prediction_tokens, -1);
}

/* Every kind makes the split a guess. */
static void pictures_and_films_may_come_from_the_cache(void **state)
{
    static const char *const kinds[] = {"audio_tokens", "image_tokens", "video_tokens"};
    static const enum remora_usage_class classes[] = {
        REMORA_USAGE_AUDIO_INPUT, REMORA_USAGE_IMAGE_INPUT, REMORA_USAGE_VIDEO_INPUT};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(kinds); i++) {
        char text[160];
        snprintf(text, sizeof text,
                 "{\"prompt_tokens\":100,\"prompt_tokens_details\":{\"cached_tokens\":80,"
                 "\"%s\":50}}",
                 kinds[i]);
        struct remora_usage usage = read(text);
        assert_int_equal(usage.tokens[classes[i]], 20);
        assert_int_equal(usage.certainty, ESTIMATED);
        assert_int_equal(usage.cached_audio_tokens, i == 0 ? 30 : -1);
    }
}

/* Two kinds that overlap with the cache by as much are no less of a guess. */
static void overlaps_add_up(void **state)
{
    static const char *const kinds[][2] = {{"audio_tokens", "image_tokens"},
                                           {"audio_tokens", "video_tokens"},
                                           {"image_tokens", "video_tokens"}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(kinds); i++) {
        char text[160];
        snprintf(text, sizeof text,
                 "{\"prompt_tokens\":100,\"prompt_tokens_details\":{\"cached_tokens\":80,"
                 "\"%s\":50,\"%s\":30}}",
                 kinds[i][0], kinds[i][1]);
        assert_int_equal(read(text).certainty, ESTIMATED);
    }
}

static void a_cost_of_nothing_is_told_as_one(void **state)
{
    (void)state;
    assert_int_equal(read("{\"prompt_tokens\":1,\"cost_in_usd_ticks\":0}").reported_pico_usd, 0);
    assert_int_equal(read("{\"prompt_tokens\":1,\"cost_in_usd_ticks\":-1}").reported_pico_usd, -1);
    assert_int_equal(read("{\"prompt_tokens\":1}").reported_pico_usd, -1);
    assert_int_equal(read("{\"cost_in_usd_ticks\":0}").reported_pico_usd, 0); /* alone, too */
}

/* What the key of somebody else was charged is added only where the provider says that it was such a key. */
static void costs_of_another_key_are_added_where_that_is_said(void **state)
{
    static const char more[] = ",\"cost\":0.5,\"cost_details\":{\"upstream_inference_cost\":0.25}}";
    static const struct {
        const char *front;
        int64_t pico_usd;
    } cases[] = {{"{\"is_byok\":true", INT64_C(750000000000)},
                 {"{\"is_byok\":false", INT64_C(500000000000)},
                 {"{\"prompt_tokens\":1", INT64_C(500000000000)}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char text[160];
        snprintf(text, sizeof text, "%s%s", cases[i].front, more);
        assert_int_equal(read(text).reported_pico_usd, cases[i].pico_usd);
    }
}

/* What was not written is told as nothing, for both lives, where one of them is told. */
static void nothing_written_is_a_count(void **state)
{
    (void)state;
    struct remora_usage usage =
        read("{\"prompt_tokens\":10,\"cache_creation\":{\"ephemeral_5m_input_tokens\":0}}");
    assert_int_equal(usage.tokens[REMORA_USAGE_CACHE_WRITE_5M], 0);
    assert_int_equal(usage.tokens[REMORA_USAGE_CACHE_WRITE_1H], 0);
    assert_int_equal(usage.tokens[REMORA_USAGE_INPUT], 10);
}

static void costs_that_no_number_holds_are_none(void **state)
{
    (void)state;
    assert_int_equal(
        read("{\"prompt_tokens\":1,\"is_byok\":true,\"cost\":9000000,\"cost_details\":{"
             "\"upstream_inference_cost\":9000000}}")
            .reported_pico_usd,
        -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_written_is_a_count),
        cmocka_unit_test(costs_that_no_number_holds_are_none),
        cmocka_unit_test(counts_become_disjoint_classes),
        cmocka_unit_test(what_was_written_to_the_cache_has_several_names),
        cmocka_unit_test(searches_are_told_under_several_names),
        cmocka_unit_test(sound_and_cache_may_overlap),
        cmocka_unit_test(kinds_of_the_answer_are_parts_of_it),
        cmocka_unit_test(pictures_and_films_may_come_from_the_cache),
        cmocka_unit_test(overlaps_add_up),
        cmocka_unit_test(a_cost_of_nothing_is_told_as_one),
        cmocka_unit_test(costs_of_another_key_are_added_where_that_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
