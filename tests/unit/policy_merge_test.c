/* The layers merged: what is narrowed stays narrow, what is preferred comes from the innermost. */
#include "support.h"

#include "plan_fixture.h"

static struct remora_policy layers[REMORA_LAYER_COUNT];
static struct remora_policy_stack stack;
static struct remora_policy_effective merged;

static int set_up(void **state)
{
    (void)state;
    stack = (struct remora_policy_stack){0};
    return 0;
}

static struct remora_policy *layer(enum remora_layer at)
{
    remora_policy_init(&layers[at]);
    stack.layers[at] = &layers[at];
    return &layers[at];
}

static void no_layers_are_the_defaults(void **state)
{
    (void)state;
    remora_policy_merge(&stack, &merged);
    assert_int_equal(merged.data_collection, REMORA_DATA_ALLOW);
    assert_int_equal(merged.allow_fallbacks, REMORA_YES);
    assert_int_equal(merged.fallbacks_layer, REMORA_LAYER_UNSET);
    assert_int_equal(merged.zdr, REMORA_NO);
    assert_int_equal(merged.require_parameters, REMORA_NO);
    assert_int_equal(merged.enforce_distillable_text, REMORA_NO);
    assert_null(merged.order);
    assert_int_equal(merged.sort, REMORA_SORT_UNSET);
    assert_int_equal(merged.models_default.length, 0);
    assert_int_equal(merged.limits.concurrency, -1);
    assert_int_equal(merged.limits.requests_per_minute, -1);
    assert_int_equal(merged.limits.tokens_per_minute, -1);
    assert_int_equal(merged.attempt_timeout_ms, 0);
    assert_int_equal(merged.max_attempts, 0);
}

static void an_inner_layer_does_not_relax_a_switch(void **state)
{
    (void)state;
    struct remora_preferences *outer = &layer(REMORA_LAYER_MESH)->provider;
    outer->data_collection = REMORA_DATA_DENY;
    outer->zdr = REMORA_YES;
    outer->require_parameters = REMORA_YES;
    outer->enforce_distillable_text = REMORA_YES;
    outer->allow_fallbacks = REMORA_NO;
    struct remora_preferences *inner = &layer(REMORA_LAYER_REQUEST)->provider;
    inner->data_collection = REMORA_DATA_ALLOW;
    inner->zdr = REMORA_NO;
    inner->require_parameters = REMORA_NO;
    inner->enforce_distillable_text = REMORA_NO;
    inner->allow_fallbacks = REMORA_YES;
    remora_policy_merge(&stack, &merged);
    assert_int_equal(merged.data_collection, REMORA_DATA_DENY);
    assert_int_equal(merged.zdr, REMORA_YES);
    assert_int_equal(merged.require_parameters, REMORA_YES);
    assert_int_equal(merged.enforce_distillable_text, REMORA_YES);
    assert_int_equal(merged.allow_fallbacks, REMORA_NO);
    assert_int_equal(merged.fallbacks_layer, REMORA_LAYER_MESH);
}

static void a_switch_that_no_layer_sets_stays_off(void **state)
{
    (void)state;
    layer(REMORA_LAYER_MESH)->provider.data_collection = REMORA_DATA_ALLOW;
    struct remora_preferences *inner = &layer(REMORA_LAYER_REQUEST)->provider;
    inner->zdr = REMORA_NO;
    inner->require_parameters = REMORA_NO;
    inner->enforce_distillable_text = REMORA_NO;
    inner->allow_fallbacks = REMORA_YES;
    remora_policy_merge(&stack, &merged);
    assert_int_equal(merged.data_collection, REMORA_DATA_ALLOW);
    assert_int_equal(merged.zdr, REMORA_NO);
    assert_int_equal(merged.require_parameters, REMORA_NO);
    assert_int_equal(merged.enforce_distillable_text, REMORA_NO);
    assert_int_equal(merged.allow_fallbacks, REMORA_YES);
}

static void an_inner_layer_tightens_a_switch(void **state)
{
    (void)state;
    layer(REMORA_LAYER_MESH);
    struct remora_preferences *inner = &layer(REMORA_LAYER_KEY)->provider;
    inner->data_collection = REMORA_DATA_DENY;
    inner->allow_fallbacks = REMORA_NO;
    layer(REMORA_LAYER_REQUEST)->provider.allow_fallbacks = REMORA_NO;
    remora_policy_merge(&stack, &merged);
    assert_int_equal(merged.data_collection, REMORA_DATA_DENY);
    assert_int_equal(merged.fallbacks_layer, REMORA_LAYER_KEY);
}

/* An order of another layer, perhaps the request's own, does not lift it. */
static void a_layer_without_an_order_of_its_own_keeps_the_first(void **state)
{
    (void)state;
    struct remora_preferences *outer = &layer(REMORA_LAYER_MESH)->provider;
    struct remora_preferences *inner = &layer(REMORA_LAYER_REQUEST)->provider;
    inner->order = LIST(S("alpha"));
    remora_policy_merge(&stack, &merged);
    assert_false(merged.keeps_first);
    outer->allow_fallbacks = REMORA_NO;
    remora_policy_merge(&stack, &merged);
    assert_true(merged.keeps_first);
    outer->order = LIST(S("alpha"));
    remora_policy_merge(&stack, &merged);
    assert_false(merged.keeps_first);
}

static void wishes_come_from_the_innermost_layer(void **state)
{
    (void)state;
    struct remora_policy *outer = layer(REMORA_LAYER_SERVICE);
    outer->provider.order = LIST(S("alpha"));
    outer->provider.sort = REMORA_SORT_PRICE;
    outer->models_default = S("acme/one");
    struct remora_policy *inner = layer(REMORA_LAYER_KEY);
    inner->provider.order = LIST(S("beta"));
    inner->provider.sort = REMORA_SORT_LATENCY;
    inner->models_default = S("acme/two");
    layer(REMORA_LAYER_REQUEST)->provider.order = (struct remora_slices){.is_set = true};
    remora_policy_merge(&stack, &merged);
    assert_slice_equal(merged.order->items[0], "beta");
    assert_int_equal(merged.order_layer, REMORA_LAYER_KEY);
    assert_int_equal(merged.sort, REMORA_SORT_LATENCY);
    assert_slice_equal(merged.models_default, "acme/two");
}

static void the_smallest_limit_wins_wherever_it_stands(void **state)
{
    (void)state;
    struct remora_policy *outer = layer(REMORA_LAYER_MESH);
    outer->limits = (struct remora_limits_policy){8, -1, 0};
    outer->provider.attempt_timeout_ms = 100;
    outer->provider.max_attempts = 5;
    outer->provider.max_price_pico_usd[REMORA_CAP_PROMPT] = 5;
    struct remora_policy *inner = layer(REMORA_LAYER_SERVICE);
    inner->limits = (struct remora_limits_policy){64, 7, 9};
    inner->provider.attempt_timeout_ms = 50;
    inner->provider.max_attempts = 6;
    inner->provider.max_price_pico_usd[REMORA_CAP_PROMPT] = 8;
    inner->provider.max_price_pico_usd[REMORA_CAP_IMAGE] = 0;
    layer(REMORA_LAYER_REQUEST);
    remora_policy_merge(&stack, &merged);
    assert_int_equal(merged.limits.concurrency, 8);
    assert_int_equal(merged.limits.requests_per_minute, 7);
    assert_int_equal(merged.limits.tokens_per_minute, 0);
    assert_int_equal(merged.attempt_timeout_ms, 50);
    assert_int_equal(merged.max_attempts, 5);
    assert_int_equal(merged.max_price_pico_usd[REMORA_CAP_PROMPT], 5);
    assert_int_equal(merged.max_price_pico_usd[REMORA_CAP_IMAGE], 0);
    assert_int_equal(merged.max_price_pico_usd[REMORA_CAP_COMPLETION], -1);
}

static void the_layer_that_refuses_a_model_is_told(void **state)
{
    (void)state;
    enum remora_layer by = REMORA_LAYER_UNSET;
    assert_true(remora_policy_allows_model(&stack, S("acme/one"), REMORA_VARIANT_STANDARD, &by));
    layer(REMORA_LAYER_NAMESPACE)->models_allow = LIST(S("acme/*"));
    layer(REMORA_LAYER_REQUEST)->models_deny = LIST(S("acme/two"));
    assert_true(remora_policy_allows_model(&stack, S("acme/one"), REMORA_VARIANT_STANDARD, &by));
    assert_int_equal(by, REMORA_LAYER_UNSET);
    assert_false(remora_policy_allows_model(&stack, S("acme/two"), REMORA_VARIANT_STANDARD, &by));
    assert_int_equal(by, REMORA_LAYER_REQUEST);
    assert_false(remora_policy_allows_model(&stack, S("x/one"), REMORA_VARIANT_STANDARD, &by));
    assert_int_equal(by, REMORA_LAYER_NAMESPACE);
    assert_false(remora_policy_allows_model(&stack, S("x/one"), REMORA_VARIANT_STANDARD, NULL));
}

static void names_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_string_equal(remora_layer_name(REMORA_LAYER_MESH), "POLICY_LAYER_MESH");
    assert_string_equal(remora_layer_name(REMORA_LAYER_HEALTH), "POLICY_LAYER_HEALTH");
    assert_string_equal(remora_layer_name(REMORA_LAYER_COUNT), "POLICY_LAYER_UNSPECIFIED");
    assert_string_equal(remora_rule_name(REMORA_RULE_NONE), "");
    assert_string_equal(remora_rule_name(REMORA_RULE_TRAINING), "data_policy:training");
    assert_string_equal(remora_rule_name(REMORA_RULE_MAX_PRICE), "max_price:");
    assert_string_equal(remora_rule_name(REMORA_RULE_COUNT), "");
    assert_int_equal(remora_rule_family(REMORA_RULE_CONTEXT_LENGTH), REMORA_CONTEXT_LENGTH);
    assert_int_equal(remora_rule_family(REMORA_RULE_OUTPUT_LIMIT), REMORA_CONSTRAINT_FILTERED);
    assert_int_equal(remora_rule_family(REMORA_RULE_NONE), REMORA_OK);
    assert_int_equal(remora_rule_family(REMORA_RULE_COUNT), REMORA_OK);
}

#define CASE(name) cmocka_unit_test_setup(name, set_up)

static void what_layers_ignore_is_kept_side_by_side(void **state)
{
    static const struct remora_slice slugs[] = {REMORA_SLICE_INIT("a"), REMORA_SLICE_INIT("b")};
    (void)state;
    layer(REMORA_LAYER_MESH)->provider.ignore =
        (struct remora_slices){.items = slugs, .count = 1, .is_set = true};
    layer(REMORA_LAYER_SERVICE)->provider.ignore =
        (struct remora_slices){.items = slugs, .count = 0, .is_set = true};
    layer(REMORA_LAYER_REQUEST)->provider.ignore =
        (struct remora_slices){.items = slugs, .count = 2, .is_set = true};
    remora_policy_merge(&stack, &merged);
    assert_int_equal(merged.ignored_count, 2);
    assert_int_equal(merged.ignored[0]->count, 1);
    assert_int_equal(merged.ignored[1]->count, 2);
}

static void what_a_router_must_hear_is_kept_side_by_side(void **state)
{
    static const struct remora_slice slugs[] = {REMORA_SLICE_INIT("a"), REMORA_SLICE_INIT("b")};
    (void)state;
    struct remora_preferences *outer = &layer(REMORA_LAYER_MESH)->provider;
    struct remora_preferences *inner = &layer(REMORA_LAYER_REQUEST)->provider;
    outer->only = (struct remora_slices){.items = slugs, .count = 0, .is_set = true};
    inner->only = (struct remora_slices){.items = slugs, .count = 2, .is_set = true};
    inner->quantizations = (struct remora_slices){.items = slugs, .count = 1, .is_set = true};
    outer->order = (struct remora_slices){.items = slugs, .count = 1, .is_set = true};
    inner->order = (struct remora_slices){.items = slugs, .count = 2, .is_set = true};
    inner->allow_fallbacks = REMORA_NO;
    outer->enforce_distillable_text = REMORA_YES;
    inner->enforce_distillable_text = REMORA_NO;
    remora_policy_merge(&stack, &merged);
    assert_int_equal(merged.only_count, 2);
    assert_ptr_equal(merged.only[0], &outer->only);
    assert_int_equal(merged.quantizations_count, 1);
    assert_ptr_equal(merged.quantizations[0], &inner->quantizations);
    assert_int_equal(merged.bound_orders_count, 1);
    assert_ptr_equal(merged.bound_orders[0], &inner->order);
    assert_int_equal(merged.enforce_distillable_text, REMORA_YES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(no_layers_are_the_defaults),
        CASE(an_inner_layer_does_not_relax_a_switch),
        CASE(a_switch_that_no_layer_sets_stays_off),
        CASE(an_inner_layer_tightens_a_switch),
        CASE(a_layer_without_an_order_of_its_own_keeps_the_first),
        CASE(wishes_come_from_the_innermost_layer),
        CASE(what_layers_ignore_is_kept_side_by_side),
        CASE(what_a_router_must_hear_is_kept_side_by_side),
        CASE(the_smallest_limit_wins_wherever_it_stands),
        CASE(the_layer_that_refuses_a_model_is_told),
        CASE(names_are_those_of_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
