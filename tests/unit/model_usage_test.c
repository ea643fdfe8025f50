/* Usage, prices and the pure cost function. */
#include "support.h"

#include "remora/usage.h"

static struct remora_usage usage_of(int64_t input, int64_t output)
{
    struct remora_usage usage;
    remora_usage_init(&usage);
    usage.tokens[REMORA_USAGE_INPUT] = input;
    usage.tokens[REMORA_USAGE_OUTPUT] = output;
    usage.search_count = 0;
    usage.certainty = REMORA_CERTAINTY_ACTUAL;
    return usage;
}

static int64_t list[REMORA_PRICE_COUNT]; /* of the prices that were made last */

static struct remora_prices prices_of(int64_t prompt, int64_t completion)
{
    struct remora_prices prices;
    remora_prices_init(&prices);
    memcpy(list, prices.pico_usd, sizeof list);
    prices.pico_usd = list;
    list[REMORA_PRICE_PROMPT] = prompt;
    list[REMORA_PRICE_COMPLETION] = completion;
    return prices;
}

static void fresh_usage_is_absent_and_not_zero(void **state)
{
    struct remora_usage usage;
    (void)state;
    remora_usage_init(&usage);
    assert_int_equal(remora_usage_input_total(&usage), -1);
    assert_int_equal(remora_usage_output_total(&usage), -1);
    assert_int_equal(usage.certainty, REMORA_CERTAINTY_UNKNOWN);
    assert_int_equal(usage.reported_pico_usd, -1);
}

static void totals_are_inclusive(void **state)
{
    struct remora_usage usage = usage_of(10, 4);
    (void)state;
    usage.tokens[REMORA_USAGE_CACHE_READ] = 90;
    usage.tokens[REMORA_USAGE_REASONING] = 6;
    assert_int_equal(remora_usage_input_total(&usage), 100);
    assert_int_equal(remora_usage_output_total(&usage), 10);
    usage.tokens[REMORA_USAGE_INPUT] = INT64_MAX;
    assert_int_equal(remora_usage_input_total(&usage), -1);
}

static void a_later_report_replaces_what_it_counts(void **state)
{
    struct remora_usage usage = usage_of(50, 10);
    struct remora_usage later = usage_of(100, 30);
    (void)state;
    usage.tokens[REMORA_USAGE_CACHE_READ] = 50;
    usage.tokens[REMORA_USAGE_REASONING] = 4;
    usage.accepted_prediction_tokens = 3;
    later.rejected_prediction_tokens = 2;
    usage.cached_audio_tokens = 9;
    remora_usage_merge(&usage, &later);
    assert_int_equal(remora_usage_input_total(&usage), 100);
    assert_int_equal(remora_usage_output_total(&usage), 30);
    assert_int_equal(usage.tokens[REMORA_USAGE_CACHE_READ], -1);
    assert_int_equal(usage.accepted_prediction_tokens, -1);
    assert_int_equal(usage.rejected_prediction_tokens, 2);
    assert_int_equal(usage.cached_audio_tokens, -1);
}

static void audio_from_the_cache_is_audio_of_the_input(void **state)
{
    struct remora_usage usage = usage_of(10, 1);
    struct remora_usage later = usage_of(-1, 7);
    (void)state;
    assert_int_equal(remora_usage_audio_input(&usage), -1);
    usage.cached_audio_tokens = 30;
    assert_int_equal(remora_usage_audio_input(&usage), 30);
    usage.tokens[REMORA_USAGE_AUDIO_INPUT] = 20;
    assert_int_equal(remora_usage_audio_input(&usage), 50);
    assert_int_equal(remora_usage_input_total(&usage), 30); /* it is counted as cached */
    remora_usage_merge(&usage, &later);
    assert_int_equal(remora_usage_audio_input(&usage), 50);
    usage.cached_audio_tokens = -1;
    assert_int_equal(remora_usage_audio_input(&usage), 20);
}

static void a_direction_that_a_later_report_does_not_count_stays(void **state)
{
    struct remora_usage usage = usage_of(10, 1);
    struct remora_usage later = usage_of(-1, 7);
    (void)state;
    usage.tokens[REMORA_USAGE_CACHE_READ] = 50;
    later.reported_pico_usd = 5;
    remora_usage_merge(&usage, &later);
    assert_int_equal(remora_usage_input_total(&usage), 60);
    assert_int_equal(usage.tokens[REMORA_USAGE_OUTPUT], 7);
    assert_int_equal(usage.reported_pico_usd, 5);
    remora_usage_init(&later);
    remora_usage_merge(&usage, &later);
    assert_int_equal(usage.tokens[REMORA_USAGE_OUTPUT], 7);
    assert_int_equal(usage.reported_pico_usd, 5);
    assert_int_equal(usage.certainty, REMORA_CERTAINTY_ACTUAL);
}

/* Anthropic: the cache by its time to live in message_start, the output in message_delta. */
static void a_report_that_is_a_part_is_laid_over(void **state)
{
    struct remora_usage usage = usage_of(10, 1);
    struct remora_usage later = usage_of(12, 7);
    (void)state;
    usage.tokens[REMORA_USAGE_CACHE_WRITE_1H] = 50;
    later.extent = REMORA_USAGE_PART;
    remora_usage_merge(&usage, &later);
    assert_int_equal(remora_usage_input_total(&usage), 62);
    assert_int_equal(usage.tokens[REMORA_USAGE_OUTPUT], 7);
}

static void cost_is_tokens_times_price_per_class(void **state)
{
    struct remora_usage usage = usage_of(1000, 100);
    struct remora_prices prices = prices_of(2500000, 10000000);
    struct remora_cost cost;
    (void)state;
    usage.tokens[REMORA_USAGE_CACHE_READ] = 200;
    usage.tokens[REMORA_USAGE_REASONING] = 50;
    list[REMORA_PRICE_CACHED_READ] = 250000;
    list[REMORA_PRICE_REQUEST] = 7;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.input_pico_usd, INT64_C(2500000000));
    assert_int_equal(cost.cache_read_pico_usd, 50000000);
    assert_int_equal(cost.cache_write_pico_usd, -1);
    assert_int_equal(cost.output_pico_usd, 1000000000);
    assert_int_equal(cost.reasoning_pico_usd, 500000000); /* no price of its own: completion's */
    assert_int_equal(cost.other_pico_usd, 7);
    assert_int_equal(cost.total_pico_usd, INT64_C(4050000007));
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
}

static void pieces_are_priced_and_a_number_nobody_told_is_a_guess(void **state)
{
    struct remora_usage usage = usage_of(0, 0);
    struct remora_prices prices = prices_of(3, 5);
    struct remora_cost cost;
    (void)state;
    list[REMORA_PRICE_IMAGE] = 7;
    list[REMORA_PRICE_WEB_SEARCH] = 100;
    usage.image_count = 2;
    usage.search_count = 0;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.other_pico_usd, 14);
    assert_int_equal(cost.total_pico_usd, 14);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
    usage.search_count = -1;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, 114);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ESTIMATED);
    usage.image_count = REMORA_TOKENS_MAX;
    list[REMORA_PRICE_IMAGE] = INT64_MAX;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.other_pico_usd, -1);
    assert_int_equal(cost.total_pico_usd, -1);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_UNKNOWN);
}

/* `request: null` of an operator: there is a price, and nobody knows it. */
static void a_piece_without_a_known_price_makes_the_total_unknown(void **state)
{
    static const struct {
        enum remora_price price;
        int64_t images;
        int64_t searches;
        int64_t total;
    } cases[] = {
        {REMORA_PRICE_REQUEST, 0, 0, -1},    {REMORA_PRICE_IMAGE, 0, 0, 80},
        {REMORA_PRICE_IMAGE, 1, 0, -1},      {REMORA_PRICE_IMAGE, -1, 0, -1},
        {REMORA_PRICE_WEB_SEARCH, 0, 0, 80}, {REMORA_PRICE_WEB_SEARCH, 0, -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_usage usage = usage_of(10, 10);
        struct remora_prices prices = prices_of(3, 5);
        struct remora_cost cost;
        list[cases[i].price] = REMORA_PRICE_UNKNOWN;
        usage.image_count = cases[i].images;
        usage.search_count = cases[i].searches;
        remora_cost_compute(&usage, &prices, &cost);
        assert_int_equal(cost.total_pico_usd, cases[i].total);
        assert_int_equal(cost.other_pico_usd, cases[i].total < 0 ? -1 : 0);
        assert_int_equal(cost.input_pico_usd, 30);
        assert_int_equal(cost.certainty,
                         cases[i].total < 0 ? REMORA_CERTAINTY_UNKNOWN : REMORA_CERTAINTY_ACTUAL);
    }
}

/* Whoever states no price at all has not said that requests cost nothing. */
static void of_a_list_that_knows_nothing_no_part_is_nothing(void **state)
{
    struct remora_usage usage = usage_of(10, 10);
    struct remora_prices prices = prices_of(-1, -1);
    struct remora_cost cost;
    (void)state;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.other_pico_usd, -1);
    assert_int_equal(cost.total_pico_usd, -1);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_UNKNOWN);
    list[REMORA_PRICE_REQUEST] = 0; /* it is said */
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.other_pico_usd, 0);
    assert_int_equal(cost.total_pico_usd, -1);
    list[REMORA_PRICE_REQUEST] = 7;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.other_pico_usd, 7);
}

/* A tier states its own, or that it is not known, or nothing. */
static void a_tier_may_know_what_the_list_does_not(void **state)
{
    struct remora_usage usage = usage_of(10, 10);
    struct remora_prices prices = prices_of(3, 5);
    struct remora_price_tier tier = {.min_prompt_tokens = 1};
    struct remora_cost cost;
    (void)state;
    memset(tier.pico_usd, 0xff, sizeof tier.pico_usd);
    prices.tiers = &tier;
    prices.tier_count = 1;
    list[REMORA_PRICE_REQUEST] = REMORA_PRICE_UNKNOWN;
    usage.image_count = 0;
    usage.search_count = 0;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, -1);
    tier.pico_usd[REMORA_PRICE_REQUEST] = 2;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, 82);
    list[REMORA_PRICE_REQUEST] = 7;
    tier.pico_usd[REMORA_PRICE_REQUEST] = REMORA_PRICE_UNKNOWN;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, -1);
}

static void absent_cache_prices_fall_back_along_their_chain(void **state)
{
    struct remora_usage usage = usage_of(0, 0);
    struct remora_prices prices = prices_of(3, 5);
    struct remora_cost cost;
    (void)state;
    usage.tokens[REMORA_USAGE_CACHE_READ] = 10;
    usage.tokens[REMORA_USAGE_CACHE_WRITE_5M] = 10;
    usage.tokens[REMORA_USAGE_CACHE_WRITE_1H] = 10;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.cache_read_pico_usd, 30);
    assert_int_equal(cost.cache_write_pico_usd, 60);
    list[REMORA_PRICE_CACHED_WRITE] = 4;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.cache_write_pico_usd, 80);
}

/* Whoever bills these bills them otherwise: what they cost at another's price is no cost that is known. */
static void what_is_billed_at_anothers_price_is_an_estimate(void **state)
{
    static const struct {
        enum remora_usage_class used;
        enum remora_price price;
        enum remora_certainty without;
    } cases[] = {
        {REMORA_USAGE_AUDIO_INPUT, REMORA_PRICE_INPUT_AUDIO, REMORA_CERTAINTY_ESTIMATED},
        {REMORA_USAGE_AUDIO_OUTPUT, REMORA_PRICE_OUTPUT_AUDIO, REMORA_CERTAINTY_ESTIMATED},
        {REMORA_USAGE_CACHE_WRITE_5M, REMORA_PRICE_CACHED_WRITE, REMORA_CERTAINTY_ESTIMATED},
        {REMORA_USAGE_CACHE_WRITE_1H, REMORA_PRICE_CACHED_WRITE_1H, REMORA_CERTAINTY_ESTIMATED},
        {REMORA_USAGE_CACHE_READ, REMORA_PRICE_CACHED_READ, REMORA_CERTAINTY_ACTUAL},
        {REMORA_USAGE_REASONING, REMORA_PRICE_REASONING, REMORA_CERTAINTY_ACTUAL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_usage usage = usage_of(10, 10);
        struct remora_prices prices = prices_of(3, 5);
        struct remora_cost cost;
        usage.tokens[cases[i].used] = 0; /* counted, and there was none */
        remora_cost_compute(&usage, &prices, &cost);
        assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
        usage.tokens[cases[i].used] = 1;
        remora_cost_compute(&usage, &prices, &cost);
        assert_int_equal(cost.certainty, cases[i].without);
        list[cases[i].price] = 7;
        remora_cost_compute(&usage, &prices, &cost);
        assert_int_equal(cost.total_pico_usd, 87);
        assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
        prices = prices_of(0, 0); /* what costs nothing needs no guess */
        remora_cost_compute(&usage, &prices, &cost);
        assert_int_equal(cost.total_pico_usd, 0);
        assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
    }
}

/* The completion's price may be the text's or the picture's: a list has one. */
static void a_picture_that_was_written_is_an_estimate(void **state)
{
    struct remora_usage usage = usage_of(10, 10);
    struct remora_prices prices = prices_of(3, 5);
    struct remora_cost cost;
    (void)state;
    usage.tokens[REMORA_USAGE_IMAGE_INPUT] = 1; /* as the prompt, whoever bills it (catalog) */
    usage.tokens[REMORA_USAGE_IMAGE_OUTPUT] = 0;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
    usage.tokens[REMORA_USAGE_IMAGE_OUTPUT] = 1;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, 88);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ESTIMATED);
    prices = prices_of(0, 0);
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
}

/* The five minutes' price is not the hour's; the tier's or the list's own is. */
static void an_hour_in_the_cache_at_the_price_of_minutes_is_an_estimate(void **state)
{
    struct remora_usage usage = usage_of(10, 10);
    struct remora_prices prices = prices_of(4, 5);
    struct remora_price_tier tier = {.min_prompt_tokens = 1};
    struct remora_cost cost;
    (void)state;
    list[REMORA_PRICE_CACHED_WRITE] = 5;
    usage.tokens[REMORA_USAGE_CACHE_WRITE_1H] = 10;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.cache_write_pico_usd, 50);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ESTIMATED);
    memset(tier.pico_usd, 0xff, sizeof tier.pico_usd);
    tier.pico_usd[REMORA_PRICE_CACHED_WRITE_1H] = 8;
    prices.tiers = &tier;
    prices.tier_count = 1;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.cache_write_pico_usd, 80);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
}

/* A search that was made, or that may have been, costs something: nobody knows what. */
static void a_search_without_a_price_is_an_estimate(void **state)
{
    static const int64_t searches[] = {0, 4, -1};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(searches); i++) {
        struct remora_usage usage = usage_of(10, 10);
        struct remora_prices prices = prices_of(3, 5);
        struct remora_cost cost;
        usage.search_count = searches[i];
        remora_cost_compute(&usage, &prices, &cost);
        assert_int_equal(cost.total_pico_usd, 80);
        assert_int_equal(cost.certainty,
                         i == 0 ? REMORA_CERTAINTY_ACTUAL : REMORA_CERTAINTY_ESTIMATED);
        list[REMORA_PRICE_WEB_SEARCH] = 0; /* it is said that it costs nothing */
        remora_cost_compute(&usage, &prices, &cost);
        assert_int_equal(cost.certainty, REMORA_CERTAINTY_ACTUAL);
    }
}

static void unknown_price_makes_the_total_unknown_and_not_zero(void **state)
{
    struct remora_usage usage = usage_of(10, 10);
    struct remora_prices prices = prices_of(3, -1);
    struct remora_cost cost;
    (void)state;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.input_pico_usd, 30);
    assert_int_equal(cost.output_pico_usd, -1);
    assert_int_equal(cost.total_pico_usd, -1);
    assert_int_equal(cost.certainty, REMORA_CERTAINTY_UNKNOWN);
}

static void no_tokens_cost_nothing_whatever_the_price(void **state)
{
    struct remora_usage usage = usage_of(10, 0);
    struct remora_prices prices = prices_of(3, -1);
    struct remora_cost cost;
    (void)state;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, 30);
}

static void direction_that_was_not_counted_makes_the_total_unknown(void **state)
{
    struct remora_usage usage = usage_of(10, -1);
    struct remora_prices prices = prices_of(3, 3);
    struct remora_cost cost;
    (void)state;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, -1);
}

static void tier_applies_to_the_whole_request_above_its_threshold(void **state)
{
    struct remora_price_tier tiers[2] = {{.min_prompt_tokens = 100}, {.min_prompt_tokens = 200}};
    struct remora_prices prices = prices_of(1, 1);
    struct remora_cost cost;
    (void)state;
    memset(tiers[0].pico_usd, 0xff, sizeof tiers[0].pico_usd);
    memset(tiers[1].pico_usd, 0xff, sizeof tiers[1].pico_usd);
    tiers[0].pico_usd[REMORA_PRICE_PROMPT] = 2;
    tiers[1].pico_usd[REMORA_PRICE_PROMPT] = 3;
    prices.tiers = tiers;
    prices.tier_count = 2;
    struct remora_usage usage = usage_of(100, 10);
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, 110);
    usage.tokens[REMORA_USAGE_CACHE_READ] = 1; /* the cache counts towards the threshold */
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, 200 + 2 + 10);
    usage.tokens[REMORA_USAGE_INPUT] = 200;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.total_pico_usd, 600 + 3 + 10);
}

static void overflow_is_unknown(void **state)
{
    struct remora_usage usage = usage_of(REMORA_TOKENS_MAX, REMORA_TOKENS_MAX);
    struct remora_prices prices = prices_of(INT64_MAX, INT64_MAX);
    struct remora_cost cost;
    (void)state;
    remora_cost_compute(&usage, &prices, &cost);
    assert_int_equal(cost.input_pico_usd, -1);
    assert_int_equal(cost.total_pico_usd, -1);
}

static void nano_usd_rounds_half_up(void **state)
{
    (void)state;
    assert_int_equal(remora_nano_usd(-1), -1);
    assert_int_equal(remora_nano_usd(0), 0);
    assert_int_equal(remora_nano_usd(499), 0);
    assert_int_equal(remora_nano_usd(500), 1);
    assert_int_equal(remora_nano_usd(1499), 1);
    assert_int_equal(remora_nano_usd(INT64_MAX), INT64_MAX / 1000 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_usage_is_absent_and_not_zero),
        cmocka_unit_test(totals_are_inclusive),
        cmocka_unit_test(a_later_report_replaces_what_it_counts),
        cmocka_unit_test(audio_from_the_cache_is_audio_of_the_input),
        cmocka_unit_test(a_direction_that_a_later_report_does_not_count_stays),
        cmocka_unit_test(a_report_that_is_a_part_is_laid_over),
        cmocka_unit_test(cost_is_tokens_times_price_per_class),
        cmocka_unit_test(pieces_are_priced_and_a_number_nobody_told_is_a_guess),
        cmocka_unit_test(a_piece_without_a_known_price_makes_the_total_unknown),
        cmocka_unit_test(of_a_list_that_knows_nothing_no_part_is_nothing),
        cmocka_unit_test(a_tier_may_know_what_the_list_does_not),
        cmocka_unit_test(absent_cache_prices_fall_back_along_their_chain),
        cmocka_unit_test(what_is_billed_at_anothers_price_is_an_estimate),
        cmocka_unit_test(a_picture_that_was_written_is_an_estimate),
        cmocka_unit_test(an_hour_in_the_cache_at_the_price_of_minutes_is_an_estimate),
        cmocka_unit_test(a_search_without_a_price_is_an_estimate),
        cmocka_unit_test(unknown_price_makes_the_total_unknown_and_not_zero),
        cmocka_unit_test(no_tokens_cost_nothing_whatever_the_price),
        cmocka_unit_test(direction_that_was_not_counted_makes_the_total_unknown),
        cmocka_unit_test(tier_applies_to_the_whole_request_above_its_threshold),
        cmocka_unit_test(overflow_is_unknown),
        cmocka_unit_test(nano_usd_rounds_half_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
