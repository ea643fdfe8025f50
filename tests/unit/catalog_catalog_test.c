/*
 * The shipped catalog against figures that were counted from data/catalog.json independently of tools/catalog.py: counts, sums
 * over every endpoint (so that no row can go astray), single rows, and the count of prices that had to be rounded.
 */
#include "support.h"

#include "remora/catalog.h"

static struct remora_arena arena;

static int set_up(void **state)
{
    (void)state;
    remora_arena_init(&arena, 4096, 4 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_arena_fini(&arena);
    return 0;
}

static size_t model_index(const char *id)
{
    size_t index = 0;
    if (!remora_catalog_find_model(remora_slice_of(id), &index)) {
        fail_msg("no model %s", id);
    }
    return index;
}

static struct remora_endpoint_facts endpoint_of(const char *id, const char *tag)
{
    struct remora_model_facts model;
    struct remora_endpoint_facts facts = {0};
    size_t index = model_index(id);
    remora_catalog_model(index, &model);
    for (size_t at = 0; at < model.endpoint_count; at++) {
        assert_int_equal(remora_catalog_endpoint(index, at, &arena, &facts), REMORA_OK);
        if (remora_slice_is(facts.tag, tag)) {
            return facts;
        }
    }
    fail_msg("%s has no endpoint %s", id, tag);
    return facts;
}

static struct remora_endpoint_override override_of(const char *id, const char *tag)
{
    struct remora_model_facts model;
    struct remora_endpoint_override override = {0};
    size_t index = model_index(id);
    remora_catalog_model(index, &model);
    for (size_t at = 0; at < model.endpoint_count; at++) {
        if (remora_slice_is(remora_catalog_endpoint_tag(index, at), tag)) {
            remora_catalog_endpoint_override(index, at, &override);
        }
    }
    return override;
}

struct sums {
    size_t endpoints;
    size_t tiers;
    size_t free_ones;
    size_t deprecated;
    size_t with_tools;
    size_t without_cached_read;
    int64_t prompt;
    int64_t completion;
    int64_t cached_read;
    int64_t context;
    int64_t completion_tokens;
};

static void add(struct sums *sums, const struct remora_endpoint_facts *facts)
{
    int64_t cached_read = facts->prices.pico_usd[REMORA_PRICE_CACHED_READ];
    sums->endpoints++;
    sums->tiers += facts->prices.tier_count;
    sums->free_ones += facts->is_free ? 1 : 0;
    sums->with_tools += remora_parameter_set_has(facts->supported, REMORA_PARAMETER_TOOLS) ? 1 : 0;
    sums->without_cached_read += cached_read < 0 ? 1 : 0;
    sums->prompt += facts->prices.pico_usd[REMORA_PRICE_PROMPT];
    sums->completion += facts->prices.pico_usd[REMORA_PRICE_COMPLETION];
    sums->cached_read += cached_read < 0 ? 0 : cached_read;
    sums->context += facts->context_length;
    sums->completion_tokens += facts->max_completion_tokens;
}

static void every_row_of_the_source_is_there(void **state)
{
    (void)state;
    struct sums sums = {0};
    assert_int_equal(remora_catalog_provider_count(), 116);
    assert_int_equal(remora_catalog_model_count(), 638);
    for (size_t i = 0; i < remora_catalog_model_count(); i++) {
        struct remora_model_facts model;
        remora_catalog_model(i, &model);
        for (size_t at = 0; at < model.endpoint_count; at++) {
            struct remora_endpoint_facts facts;
            assert_int_equal(remora_catalog_endpoint(i, at, &arena, &facts), REMORA_OK);
            add(&sums, &facts);
            sums.deprecated += remora_catalog_endpoint_is_deprecated(i, at) ? 1 : 0;
        }
    }
    assert_int_equal(sums.endpoints, 3894);
    assert_int_equal(sums.tiers, 99);
    assert_int_equal(sums.free_ones, 150);
    assert_int_equal(sums.deprecated, 61);
    assert_int_equal(sums.with_tools, 3171);
    assert_int_equal(sums.without_cached_read, 2263);
    assert_int_equal(sums.prompt, INT64_C(7264553588));
    assert_int_equal(sums.completion, INT64_C(33525633785));
    assert_int_equal(sums.cached_read, 564247153);
    assert_int_equal(sums.context, 1413889477);
    assert_int_equal(sums.completion_tokens, 361009805);
}

/* The facts give 13 hosts an image price that is their price of a token: images are counted in tokens there, as prompt. */
static void no_image_costs_what_a_token_of_it_costs(void **state)
{
    (void)state;
    struct remora_endpoint_facts facts = endpoint_of("google/gemini-2.5-pro", "openrouter");
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_IMAGE], -1);
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_PROMPT], 1250000);
}

static void prices_that_were_rounded_are_counted(void **state)
{
    (void)state;
    assert_int_equal(remora_catalog_rounded_prices(), 103);
    /* 0.0000007989999999999999 */
    struct remora_endpoint_facts facts = endpoint_of("aion-labs/aion-1.0-mini", "nano-gpt");
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_PROMPT], 799000);
}

static void models_and_providers_are_sorted_and_each_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < remora_catalog_model_count(); i++) {
        struct remora_model_facts model;
        size_t found = SIZE_MAX;
        remora_catalog_model(i, &model);
        assert_true(remora_catalog_find_model(model.id, &found));
        assert_int_equal(found, i);
    }
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        struct remora_provider_facts provider;
        struct remora_provider_facts found;
        remora_catalog_provider(i, &provider);
        assert_true(remora_catalog_find_provider(provider.slug, &found));
        assert_true(remora_slice_equal(found.base_url, provider.base_url));
        assert_true(provider.base_url.length > 0);
        assert_true(provider.base_url.data[provider.base_url.length - 1] != '/');
    }
    size_t untouched = 7;
    struct remora_provider_facts none;
    assert_false(remora_catalog_find_model(REMORA_SLICE("openai/gpt-none"), &untouched));
    assert_int_equal(untouched, 7);
    assert_false(remora_catalog_find_provider(REMORA_SLICE(""), &none));
}

static void known_models_have_their_facts(void **state)
{
    (void)state;
    struct remora_model_facts model;
    static const struct {
        const char *id;
        uint32_t endpoints;
    } rows[] = {
        {"openai/gpt-4o", 12},
        {"openai/gpt-5", 19},
        {"anthropic/claude-sonnet-4.5", 32},
        {"google/gemini-2.5-pro", 21},
        {"meta-llama/llama-3.3-70b-instruct", 40},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        remora_catalog_model(model_index(rows[i].id), &model);
        assert_slice_equal(model.id, rows[i].id);
        assert_int_equal(model.endpoint_count, rows[i].endpoints);
    }
    remora_catalog_model(model_index("google/gemini-2.5-pro"), &model);
    assert_slice_equal(model.author, "google");
    assert_int_equal(model.input_modalities, REMORA_MODALITY_TEXT | REMORA_MODALITY_IMAGE |
                                                 REMORA_MODALITY_FILE | REMORA_MODALITY_AUDIO |
                                                 REMORA_MODALITY_VIDEO);
    assert_true(remora_parameter_set_has(model.supported, REMORA_PARAMETER_REASONING));
    assert_int_equal(model.expiration_date.length, 0);
    remora_catalog_model(model_index("openai/text-embedding-3-small"), &model);
    assert_int_equal(model.output_modalities, REMORA_MODALITY_EMBEDDINGS);
    remora_catalog_model(model_index("x-ai/grok-4"), &model);
    assert_slice_equal(model.expiration_date, "2026-05-15");
}

static void endpoints_have_their_prices_tiers_and_limits(void **state)
{
    (void)state;
    struct remora_endpoint_facts facts = endpoint_of("openai/gpt-5", "openai");
    assert_slice_equal(facts.provider, "openai");
    assert_slice_equal(facts.upstream_model, "gpt-5");
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_PROMPT], 1250000);
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_COMPLETION], 10000000);
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_CACHED_READ], 125000);
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_CACHED_WRITE], -1);
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_CACHED_WRITE_1H], -1);
    assert_int_equal(facts.context_length, 400000);
    assert_int_equal(facts.max_prompt_tokens, 272000);
    assert_int_equal(facts.max_completion_tokens, 128000);
    assert_int_equal(facts.quantization.length, 0);
    facts = endpoint_of("google/gemini-2.5-pro", "google-vertex");
    assert_int_equal(facts.prices.tier_count, 1);
    assert_int_equal(facts.prices.tiers[0].min_prompt_tokens, 200000);
    assert_int_equal(facts.prices.tiers[0].pico_usd[REMORA_PRICE_PROMPT], 2500000);
    assert_int_equal(facts.prices.tiers[0].pico_usd[REMORA_PRICE_COMPLETION], 15000000);
    assert_int_equal(facts.prices.tiers[0].pico_usd[REMORA_PRICE_CACHED_WRITE], -1);
}

static void endpoints_have_their_flags(void **state)
{
    (void)state;
    struct remora_endpoint_facts facts = endpoint_of("anthropic/claude-haiku-4.5", "llmgateway#2");
    assert_true(facts.is_free);
    facts = endpoint_of("deepseek/deepseek-v3.2", "vultr/nvfp4");
    assert_slice_equal(facts.quantization, "nvfp4");
    assert_false(facts.is_free);
    struct remora_endpoint_override override =
        override_of("anthropic/claude-sonnet-4", "google-vertex");
    assert_slice_equal(override.wire, "vertex-anthropic");
    assert_int_equal(override.base_url.length, 0);
    override = override_of("openai/gpt-4o", "openai");
    assert_int_equal(override.wire.length, 0);
    facts = endpoint_of("openai/gpt-4o", "openai");
    assert_true(remora_parameter_set_has(facts.supported, REMORA_PARAMETER_MAX_TOKENS));
    assert_false(remora_parameter_set_has(facts.supported, REMORA_PARAMETER_REASONING));
}

static void endpoints_have_their_efforts(void **state)
{
    (void)state;
    struct remora_endpoint_facts facts = endpoint_of("openai/o3", "openai");
    assert_int_equal(facts.efforts, remora_effort_bit(REMORA_EFFORT_LOW) |
                                        remora_effort_bit(REMORA_EFFORT_MEDIUM) |
                                        remora_effort_bit(REMORA_EFFORT_HIGH));
    assert_true(facts.always_reasons);
    facts = endpoint_of("openai/gpt-4o", "openai");
    assert_int_equal(facts.efforts, 0);
    assert_false(facts.always_reasons);
    /* A switch alone is that way, and no effort. */
    facts = endpoint_of("moonshotai/kimi-k2.5", "moonshotai");
    assert_true(remora_endpoint_lacks_effort(&facts));
    assert_true(facts.lacks_budget);
    assert_false(facts.always_reasons);
    /* So is a budget, which may be 0. */
    facts = endpoint_of("anthropic/claude-haiku-4.5", "poe");
    assert_true(remora_endpoint_lacks_effort(&facts));
    assert_false(facts.lacks_budget);
    assert_false(facts.always_reasons);
    /* A switch beside efforts is a way to none. */
    facts = endpoint_of("openai/o4-mini", "kilo");
    assert_true((facts.efforts & remora_effort_bit(REMORA_EFFORT_NONE)) != 0);
}

static void reasoning_cannot_be_left_out_where_hosts_agree(void **state)
{
    static const struct {
        const char *model;
        const char *tag;
        bool always;
    } cases[] = {
        {"openai/gpt-5", "openai", true},    /* one reseller of many lists "none" for all */
        {"openai/gpt-5", "requesty", false}, /* that one: by its own list it takes "none" */
        {"openai/gpt-5", "abacus", true},    /* no list of its own */
        {"openai/gpt-5-mini", "openai", true},
        {"openai/gpt-5.2-pro", "openai", true},
        {"openai/o4-mini", "openai", true},
        {"openai/gpt-5.1", "openai", false},    /* its own list has "none" */
        {"openai/gpt-5.1", "zenmux", false},    /* so that a host's list without it says little */
        {"openai/gpt-5.3-codex", "poe", false}, /* the author knows better than seven hosts */
        {"anthropic/claude-opus-4.6", "anthropic", false},
        {"anthropic/claude-opus-4.7", "anthropic", false}, /* half of its hosts know a switch */
        {"stepfun/step-3.5-flash-2603", "stepfun", false}, /* too few lists */
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_endpoint_facts facts = endpoint_of(cases[i].model, cases[i].tag);
        if (facts.always_reasons != cases[i].always) {
            fail_msg("%s at %s", cases[i].model, cases[i].tag);
        }
    }
}

static void authors_take_what_their_models_list_and_hosts_do_not(void **state)
{
    static const enum remora_parameter told[] = {
        REMORA_PARAMETER_LOGPROBS, REMORA_PARAMETER_TOP_LOGPROBS, REMORA_PARAMETER_LOGIT_BIAS,
        REMORA_PARAMETER_WEB_SEARCH_OPTIONS};
    (void)state;
    struct remora_endpoint_facts own = endpoint_of("openai/gpt-4o", "openai");
    struct remora_endpoint_facts other = endpoint_of("openai/gpt-4o", "helicone");
    for (size_t i = 0; i < REMORA_COUNT_OF(told); i++) {
        assert_true(remora_parameter_set_has(own.supported, told[i]));
        assert_false(remora_parameter_set_has(other.supported, told[i]));
    }
    assert_false(remora_parameter_set_has(own.supported, REMORA_PARAMETER_VERBOSITY));
    own = endpoint_of("openai/gpt-5", "openai");
    assert_true(remora_parameter_set_has(own.supported, REMORA_PARAMETER_VERBOSITY));
    assert_false(remora_parameter_set_has(own.supported, REMORA_PARAMETER_LOGPROBS));
    /* Open weights: the model's list is what other hosts take. */
    own = endpoint_of("deepseek/deepseek-chat", "deepseek");
    assert_false(remora_parameter_set_has(own.supported, REMORA_PARAMETER_MIN_P));
    assert_false(remora_parameter_set_has(own.supported, REMORA_PARAMETER_LOGIT_BIAS));
    assert_true(remora_parameter_set_has(own.supported, REMORA_PARAMETER_TOP_LOGPROBS));
    own = endpoint_of("deepseek/deepseek-reasoner", "deepseek");
    assert_false(remora_parameter_set_has(own.supported, REMORA_PARAMETER_LOGPROBS));
}

/* OpenAI bills a search of its search models by the call: 25 USD a thousand, the text found is free. */
static void a_search_of_a_search_model_has_its_price(void **state)
{
    (void)state;
    struct remora_endpoint_facts own = endpoint_of("openai/gpt-4o-search-preview", "openai");
    assert_int_equal(own.prices.pico_usd[REMORA_PRICE_WEB_SEARCH], INT64_C(25000000000));
    own = endpoint_of("openai/gpt-4o-search-preview", "openrouter");
    assert_int_equal(own.prices.pico_usd[REMORA_PRICE_WEB_SEARCH], INT64_C(35000000000));
}

/* openrouter.md 12.1: twice the prompt, in tiers as well, where Anthropic's multiples are billed; nobody says so of a reseller. */
static void an_hour_in_the_cache_costs_twice_the_prompt_where_that_is_billed(void **state)
{
    static const enum remora_price hour = REMORA_PRICE_CACHED_WRITE_1H;
    struct remora_endpoint_facts facts = endpoint_of("anthropic/claude-sonnet-4.5", "openrouter");
    (void)state;
    assert_int_equal(facts.prices.pico_usd[hour], 6000000);
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_CACHED_WRITE], 3750000);
    assert_int_equal(facts.prices.tier_count, 1);
    assert_int_equal(facts.prices.tiers[0].pico_usd[hour], 12000000);
    facts = endpoint_of("anthropic/claude-sonnet-4.5", "anthropic");
    assert_int_equal(facts.prices.pico_usd[hour], 6000000);
    facts = endpoint_of("anthropic/claude-sonnet-4.5", "kilo");
    assert_int_equal(facts.prices.pico_usd[REMORA_PRICE_CACHED_WRITE], 3750000);
    assert_int_equal(facts.prices.pico_usd[hour], -1);
    facts = endpoint_of("anthropic/claude-3-haiku", "openrouter"); /* 1.2 times: rounded by whom? */
    assert_int_equal(facts.prices.pico_usd[hour], -1);
    facts = endpoint_of("anthropic/claude-3.7-sonnet", "openrouter"); /* no price of minutes */
    assert_int_equal(facts.prices.pico_usd[hour], -1);
}

static void providers_have_their_facts(void **state)
{
    (void)state;
    struct remora_provider_facts facts;
    assert_true(remora_catalog_find_provider(REMORA_SLICE("anthropic"), &facts));
    assert_int_equal(facts.wire, REMORA_WIRE_ANTHROPIC);
    assert_slice_equal(facts.api_key_env, "ANTHROPIC_API_KEY");
    assert_slice_equal(facts.headquarters, "US");
    assert_int_equal(facts.data_policy.training, REMORA_NO);
    assert_int_equal(facts.data_policy.retains_prompts, REMORA_YES);
    assert_int_equal(facts.data_policy.retention_days, 30);
    assert_int_equal(facts.data_policy.zdr, REMORA_NO);
    assert_true(remora_catalog_find_provider(REMORA_SLICE("abacus"), &facts));
    assert_int_equal(facts.data_policy.training, REMORA_UNSET);
    assert_int_equal(facts.data_policy.retention_days, -1);
    assert_true(remora_catalog_find_provider(REMORA_SLICE("requesty"), &facts));
    assert_true(facts.is_router);
    assert_int_equal(facts.data_policy.training, REMORA_UNSET); /* false of the router alone */
    assert_int_equal(facts.data_policy.retains_prompts, REMORA_NO);
    assert_true(remora_catalog_find_provider(REMORA_SLICE("openrouter"), &facts));
    assert_true(facts.is_router);
    assert_int_equal(facts.data_policy.training, REMORA_NO); /* and hears what is asked of others */
    assert_true(remora_catalog_find_provider(REMORA_SLICE("groq"), &facts));
    assert_false(facts.is_router);
    assert_true(remora_catalog_find_provider(REMORA_SLICE("ollama"), &facts));
    assert_false(facts.is_router);
    assert_true(facts.is_local);
    assert_true(remora_catalog_find_provider(REMORA_SLICE("alibaba"), &facts));
    assert_slice_equal(facts.dialect, "qwen");
    assert_string_equal(remora_catalog_version(), "2026-11-21");
}

/* A loader replaces ${NAME} and relies on there being no other use of the sign. */
static void placeholders_have_one_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        struct remora_provider_facts facts;
        remora_catalog_provider(i, &facts);
        struct remora_slice url = facts.base_url;
        for (size_t at = remora_slice_find(url, '$', 0); at < url.length;
             at = remora_slice_find(url, '$', at + 1)) {
            assert_int_equal(url.data[at + 1], '{');
            assert_true(remora_slice_find(url, '}', at) < url.length);
        }
    }
}

static void wires_have_names(void **state)
{
    (void)state;
    assert_string_equal(remora_wire_name(REMORA_WIRE_OPENAI_RESPONSES), "openai-responses");
    assert_int_equal(remora_wire_by_name(REMORA_SLICE("bedrock")), REMORA_WIRE_BEDROCK);
    assert_int_equal(remora_wire_by_name(REMORA_SLICE("Bedrock")), REMORA_WIRE_COUNT);
    assert_true(remora_wire_is_built(REMORA_WIRE_OPENAI));
    assert_false(remora_wire_is_built(REMORA_WIRE_OLLAMA));
}

static void a_full_arena_is_told_for_tiers(void **state)
{
    (void)state;
    struct remora_arena small;
    struct remora_endpoint_facts facts = {.context_length = 5};
    size_t index = model_index("google/gemini-2.5-pro");
    remora_arena_init(&small, 64, 64);
    assert_int_equal(remora_catalog_endpoint(index, 1, &small, &facts), REMORA_TOO_LARGE);
    assert_int_equal(facts.context_length, 5);
    remora_arena_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_source_is_there),
        cmocka_unit_test(prices_that_were_rounded_are_counted),
        cmocka_unit_test(models_and_providers_are_sorted_and_each_is_found),
        cmocka_unit_test(known_models_have_their_facts),
        cmocka_unit_test(endpoints_have_their_prices_tiers_and_limits),
        cmocka_unit_test(endpoints_have_their_flags),
        cmocka_unit_test(endpoints_have_their_efforts),
        cmocka_unit_test(no_image_costs_what_a_token_of_it_costs),
        cmocka_unit_test(reasoning_cannot_be_left_out_where_hosts_agree),
        cmocka_unit_test(authors_take_what_their_models_list_and_hosts_do_not),
        cmocka_unit_test(a_search_of_a_search_model_has_its_price),
        cmocka_unit_test(an_hour_in_the_cache_costs_twice_the_prompt_where_that_is_billed),
        cmocka_unit_test(providers_have_their_facts),
        cmocka_unit_test(placeholders_have_one_form),
        cmocka_unit_test(wires_have_names),
        cmocka_unit_test(a_full_arena_is_told_for_tiers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
