/* Settling usage and cost. */
#include "support.h"

#include "remora/account.h"

struct fixture {
    struct remora_endpoint endpoint;
    int64_t prices[REMORA_PRICE_COUNT];
    struct remora_usage usage;
    struct remora_cost cost;
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    remora_prices_init(&f->endpoint.facts.prices);
    memcpy(f->prices, f->endpoint.facts.prices.pico_usd, sizeof f->prices);
    f->endpoint.facts.prices.pico_usd = f->prices;
    f->prices[REMORA_PRICE_PROMPT] = 10;
    f->prices[REMORA_PRICE_COMPLETION] = 100;
    remora_usage_init(&f->usage);
}

static void settle(struct fixture *f, size_t text_bytes, size_t answer_bytes, int64_t cap)
{
    const struct remora_estimate_input estimate = {
        .text_bytes = text_bytes, .answer_bytes = answer_bytes, .max_output_tokens = cap};
    remora_account_settle(&f->usage, &estimate, &f->endpoint, &f->cost);
}

static void reported_usage_is_not_touched(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    f.usage.tokens[REMORA_USAGE_INPUT] = 0;
    f.usage.tokens[REMORA_USAGE_OUTPUT] = 3;
    f.usage.certainty = REMORA_CERTAINTY_ACTUAL;
    settle(&f, 4000, 4000, 0);
    assert_int_equal(f.usage.tokens[REMORA_USAGE_INPUT], 0);
    assert_int_equal(f.usage.certainty, REMORA_CERTAINTY_ACTUAL);
    assert_int_equal(f.cost.total_pico_usd, 300);
    assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_ACTUAL);
}

static void an_estimate_is_a_quarter_of_the_bytes_rounded_up_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(remora_account_estimate(0), 0);
    assert_int_equal(remora_account_estimate(1), 1);
    assert_int_equal(remora_account_estimate(4), 1);
    assert_int_equal(remora_account_estimate(5), 2);
    assert_int_equal(remora_account_estimate(SIZE_MAX), REMORA_TOKENS_MAX);
}

static void missing_usage_is_estimated_at_four_bytes_a_token(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    settle(&f, 9, 8, 0);
    assert_int_equal(f.usage.tokens[REMORA_USAGE_INPUT], 3);
    assert_int_equal(f.usage.tokens[REMORA_USAGE_OUTPUT], 2);
    assert_int_equal(f.cost.total_pico_usd, 230);
    assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_ESTIMATED);
}

static void estimate_never_exceeds_what_was_asked_for(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    settle(&f, 4, 4000, 50);
    assert_int_equal(f.usage.tokens[REMORA_USAGE_OUTPUT], 50);
}

static void only_the_missing_direction_is_estimated(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    f.usage.tokens[REMORA_USAGE_CACHE_READ] = 7;
    f.usage.certainty = REMORA_CERTAINTY_ACTUAL;
    settle(&f, 4000, 40, 0);
    assert_int_equal(f.usage.tokens[REMORA_USAGE_INPUT], -1);
    assert_int_equal(remora_usage_input_total(&f.usage), 7);
    assert_int_equal(f.usage.tokens[REMORA_USAGE_OUTPUT], 10);
    assert_int_equal(f.usage.certainty, REMORA_CERTAINTY_ESTIMATED);
}

static void with_nothing_to_estimate_from_it_stays_unknown(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    settle(&f, 0, 0, 0);
    assert_int_equal(f.usage.certainty, REMORA_CERTAINTY_UNKNOWN);
    assert_int_equal(f.cost.total_pico_usd, -1);
}

static void unknown_price_stays_unknown(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    f.prices[REMORA_PRICE_COMPLETION] = -1;
    settle(&f, 4, 4, 0);
    assert_int_equal(f.cost.total_pico_usd, -1);
    assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_UNKNOWN);
}

/* A number of tokens written that nobody has divided lives as long as the marks ask. */
static void cache_writes_live_as_long_as_was_asked(void **state)
{
    static const struct {
        enum remora_cache_life life;
        int64_t told_1h, written_5m, written_1h, cost;
        enum remora_certainty certainty;
    } cases[] = {
        {REMORA_CACHE_LIFE_UNSAID, -1, 8, -1, 80, REMORA_CERTAINTY_ACTUAL},
        {REMORA_CACHE_LIFE_SHORT, -1, 8, -1, 80, REMORA_CERTAINTY_ACTUAL},
        {REMORA_CACHE_LIFE_HOUR, -1, -1, 8, 800, REMORA_CERTAINTY_ACTUAL},
        {REMORA_CACHE_LIFE_MIXED, -1, 8, -1, 80, REMORA_CERTAINTY_ESTIMATED},
        {REMORA_CACHE_LIFE_HOUR, 0, 8, 0, 80, REMORA_CERTAINTY_ACTUAL}, /* told apart */
        {REMORA_CACHE_LIFE_MIXED, 1, 8, 1, 180, REMORA_CERTAINTY_ACTUAL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_estimate_input estimate = {.cache_life = cases[i].life};
        struct fixture f;
        begin(&f);
        f.prices[REMORA_PRICE_CACHED_WRITE] = 10;
        f.prices[REMORA_PRICE_CACHED_WRITE_1H] = 100;
        f.usage.tokens[REMORA_USAGE_CACHE_WRITE_5M] = 8;
        f.usage.tokens[REMORA_USAGE_CACHE_WRITE_1H] = cases[i].told_1h;
        f.usage.tokens[REMORA_USAGE_OUTPUT] = 0;
        f.usage.certainty = REMORA_CERTAINTY_ACTUAL;
        remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
        assert_int_equal(f.usage.tokens[REMORA_USAGE_CACHE_WRITE_5M], cases[i].written_5m);
        assert_int_equal(f.usage.tokens[REMORA_USAGE_CACHE_WRITE_1H], cases[i].written_1h);
        assert_int_equal(f.cost.cache_write_pico_usd, cases[i].cost);
        assert_int_equal(f.cost.certainty, cases[i].certainty);
    }
}

/* The prices are those of one tier. */
static void what_another_service_tier_has_served_is_an_estimate(void **state)
{
    static const struct {
        bool asked_other;
        const char *served, *tag;
        enum remora_certainty usage, cost;
    } cases[] = {
        {false, "", "p", REMORA_CERTAINTY_ACTUAL, REMORA_CERTAINTY_ACTUAL},
        {true, "", "p", REMORA_CERTAINTY_ACTUAL, REMORA_CERTAINTY_ESTIMATED},
        {true, "default", "p", REMORA_CERTAINTY_ACTUAL, REMORA_CERTAINTY_ACTUAL},
        {false, "priority", "p", REMORA_CERTAINTY_ACTUAL, REMORA_CERTAINTY_ESTIMATED},
        {false, "priority", "p/priority", REMORA_CERTAINTY_ACTUAL, REMORA_CERTAINTY_ACTUAL},
        {false, "default", "p/priority", REMORA_CERTAINTY_ACTUAL, REMORA_CERTAINTY_ESTIMATED},
        {false, "priority", "p/priority", REMORA_CERTAINTY_ESTIMATED, REMORA_CERTAINTY_ESTIMATED},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_estimate_input estimate = {.served_tier = remora_slice_of(cases[i].served),
                                                 .asked_other_tier = cases[i].asked_other};
        struct fixture f;
        begin(&f);
        f.endpoint.facts.tag = remora_slice_of(cases[i].tag);
        f.usage.tokens[REMORA_USAGE_INPUT] = 1;
        f.usage.tokens[REMORA_USAGE_OUTPUT] = 1;
        f.usage.certainty = cases[i].usage;
        remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
        assert_int_equal(f.cost.total_pico_usd, 110);
        assert_int_equal(f.cost.certainty, cases[i].cost);
        assert_int_equal(f.usage.certainty, cases[i].usage);
        f.prices[REMORA_PRICE_PROMPT] = -1;
        remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
        assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_UNKNOWN);
    }
}

/* Ours is told all the same, but not for certain. */
static void a_cost_that_the_provider_contests_is_an_estimate(void **state)
{
    static const struct {
        int64_t reported;
        enum remora_certainty cost;
    } cases[] = {
        {-1, REMORA_CERTAINTY_ACTUAL},           {11000000, REMORA_CERTAINTY_ACTUAL},
        {11500000, REMORA_CERTAINTY_ACTUAL}, /* six decimal places */
        {10500000, REMORA_CERTAINTY_ACTUAL},     {11500001, REMORA_CERTAINTY_ESTIMATED},
        {10499999, REMORA_CERTAINTY_ESTIMATED},  {0, REMORA_CERTAINTY_ESTIMATED},
        {INT64_MAX, REMORA_CERTAINTY_ESTIMATED},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_estimate_input estimate = {0};
        struct fixture f;
        begin(&f);
        f.usage.tokens[REMORA_USAGE_INPUT] = 100000;
        f.usage.tokens[REMORA_USAGE_OUTPUT] = 100000;
        f.usage.certainty = REMORA_CERTAINTY_ACTUAL;
        f.usage.reported_pico_usd = cases[i].reported;
        remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
        assert_int_equal(f.cost.total_pico_usd, 11000000);
        assert_int_equal(f.cost.certainty, cases[i].cost);
        f.prices[REMORA_PRICE_PROMPT] = -1;
        remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
        assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_UNKNOWN);
    }
}

static void images_and_searches_are_billed_by_the_piece(void **state)
{
    struct remora_estimate_input estimate = {.image_count = 2};
    struct fixture f;
    (void)state;
    begin(&f);
    f.prices[REMORA_PRICE_IMAGE] = 1000;
    f.prices[REMORA_PRICE_WEB_SEARCH] = 50000;
    f.usage.tokens[REMORA_USAGE_INPUT] = 1;
    f.usage.tokens[REMORA_USAGE_OUTPUT] = 1;
    f.usage.certainty = REMORA_CERTAINTY_ACTUAL;
    remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
    assert_int_equal(f.cost.other_pico_usd, 2000);
    assert_int_equal(f.cost.total_pico_usd, 2110);
    assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_ACTUAL);
    estimate.may_have_searched = true;
    f.usage.search_count = 3; /* as reported */
    remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
    assert_int_equal(f.cost.total_pico_usd, 152110);
    assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_ACTUAL);
    f.usage.search_count = -1;
    remora_account_settle(&f.usage, &estimate, &f.endpoint, &f.cost);
    assert_int_equal(f.cost.total_pico_usd, 52110);
    assert_int_equal(f.cost.certainty, REMORA_CERTAINTY_ESTIMATED);
    assert_int_equal(f.usage.certainty, REMORA_CERTAINTY_ACTUAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reported_usage_is_not_touched),
        cmocka_unit_test(an_estimate_is_a_quarter_of_the_bytes_rounded_up_and_bounded),
        cmocka_unit_test(missing_usage_is_estimated_at_four_bytes_a_token),
        cmocka_unit_test(estimate_never_exceeds_what_was_asked_for),
        cmocka_unit_test(only_the_missing_direction_is_estimated),
        cmocka_unit_test(with_nothing_to_estimate_from_it_stays_unknown),
        cmocka_unit_test(unknown_price_stays_unknown),
        cmocka_unit_test(cache_writes_live_as_long_as_was_asked),
        cmocka_unit_test(what_another_service_tier_has_served_is_an_estimate),
        cmocka_unit_test(a_cost_that_the_provider_contests_is_an_estimate),
        cmocka_unit_test(images_and_searches_are_billed_by_the_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
