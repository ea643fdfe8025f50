/* The plan: order, fallbacks, health, and the one code that stands for many endpoints that are out. */
#include "support.h"

#include "plan_fixture.h"
#include "remora/limits.h"

static struct plan_fixture f;
static struct remora_provider *alpha, *beta, *omega;
static struct remora_model *echo, *parrot;
static struct remora_endpoint *a, *b, *c, *p;

static int set_up(void **state)
{
    (void)state;
    plan_fixture_init(&f);
    alpha = plan_provider(&f, "alpha");
    beta = plan_provider(&f, "beta");
    omega = plan_provider(&f, "omega");
    echo = plan_model(&f, "acme/echo-1");
    a = plan_endpoint(&f, echo, alpha, "alpha");
    b = plan_endpoint(&f, echo, beta, "beta/fast");
    c = plan_endpoint(&f, echo, omega, "omega");
    parrot = plan_model(&f, "acme/parrot-2");
    p = plan_endpoint(&f, parrot, beta, "beta/parrot");
    f.request.model = S("acme/echo-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_fixture_fini(&f);
    return 0;
}

static void expect_order(const char *order)
{
    assert_string_equal(remora_code_row(plan_build(&f))->name, "OK");
    assert_string_equal(plan_order(&f), order);
    assert_int_equal(f.fail.code, REMORA_OK);
}

static void expect_code(enum remora_code code)
{
    assert_string_equal(remora_code_row(plan_build(&f))->name, remora_code_row(code)->name);
    assert_int_equal(f.plan.order_count, 0);
    assert_int_equal(f.fail.code, code);
}

static void expect_out(const char *tag, enum remora_rule rule, enum remora_layer layer)
{
    const struct remora_candidate *candidate = plan_candidate(&f, tag);
    assert_string_equal(remora_rule_name(candidate->exclusion.rule), remora_rule_name(rule));
    assert_string_equal(remora_layer_name(candidate->exclusion.layer), remora_layer_name(layer));
    assert_int_equal(candidate->position, 0);
}

static void expect_says(const char *words)
{
    if (strstr(f.fail.message, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f.fail.message, words);
    }
}

static struct remora_preferences *prefer(enum remora_layer layer)
{
    return &plan_layer(&f, layer)->provider;
}

/* ---- rules ---- */

static void distinct_rules_are_counted_in_the_order_of_the_first(void **state)
{
    (void)state;
    char prompt[] = "prompt"; /* the same words at another place */
    const struct remora_candidate candidates[] = {
        {.exclusion = {REMORA_RULE_MAX_PRICE, REMORA_LAYER_MESH, "prompt"}},
        {.exclusion = {REMORA_RULE_NONE, REMORA_LAYER_UNSET, NULL}},
        {.exclusion = {REMORA_RULE_COOLING, REMORA_LAYER_HEALTH, NULL}},
        {.exclusion = {REMORA_RULE_MAX_PRICE, REMORA_LAYER_SERVICE, "image"}},
        {.exclusion = {REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, prompt}},
    };
    struct remora_rule_count rules[REMORA_RULES_TOLD];
    assert_int_equal(remora_plan_rules(candidates, REMORA_COUNT_OF(candidates), rules), 3);
    assert_int_equal(rules[0].count, 2);
    assert_int_equal(rules[0].exclusion.layer, REMORA_LAYER_MESH);
    assert_int_equal(rules[1].exclusion.rule, REMORA_RULE_COOLING);
    assert_string_equal(rules[2].exclusion.subject, "image");
    assert_int_equal(rules[2].count, 1);
}

static void more_rules_than_are_told_are_left_out(void **state)
{
    (void)state;
    struct remora_candidate candidates[REMORA_RULES_TOLD + 2] = {0};
    struct remora_rule_count rules[REMORA_RULES_TOLD];
    for (size_t i = 0; i < REMORA_COUNT_OF(candidates); i++) {
        candidates[i].exclusion =
            (struct remora_exclusion){REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_MESH,
                                      remora_parameter_name((enum remora_parameter)i)};
    }
    assert_int_equal(remora_plan_rules(candidates, REMORA_COUNT_OF(candidates), rules),
                     REMORA_RULES_TOLD);
    assert_int_equal(rules[REMORA_RULES_TOLD - 1].count, 1);
}

/* ---- reasoning ---- */

static void ask_for_no_reasoning(void)
{
    remora_request_ask(&f.request, REMORA_PARAMETER_REASONING);
    f.request.reasoning.effort = REMORA_EFFORT_NONE;
}

static void no_reasoning_goes_to_whoever_can_leave_it_out(void **state)
{
    (void)state;
    a->facts.always_reasons = true;
    ask_for_no_reasoning();
    expect_order("beta/fast omega");
    expect_out("alpha", REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG);
    f.request.reasoning.effort = REMORA_EFFORT_LOW;
    expect_order("alpha beta/fast omega");
}

static void where_all_reason_always_the_field_and_the_cure_are_named(void **state)
{
    (void)state;
    a->facts.always_reasons = b->facts.always_reasons = true;
    a->facts.efforts = remora_effort_bit(REMORA_EFFORT_LOW);
    b->facts.efforts =
        remora_effort_bit(REMORA_EFFORT_MEDIUM) | remora_effort_bit(REMORA_EFFORT_HIGH);
    prefer(REMORA_LAYER_SERVICE)->ignore = LIST(S("omega"));
    ask_for_no_reasoning();
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "reasoning.effort");
    expect_says("always reasons; leave reasoning.effort out, or ask for reasoning effort low, "
                "medium or high");
    p->facts.always_reasons = true;
    p->facts.efforts = remora_effort_bit(REMORA_EFFORT_MAX); /* of another model */
    f.request.models = LIST(S("acme/parrot-2"));
    expect_code(REMORA_INVALID_REQUEST);
    expect_says("or ask for reasoning effort low, medium or high");
    p->facts.always_reasons = false;
    f.request.models = (struct remora_slices){0};
    f.request.reasoning.is_shorthand = true;
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "reasoning_effort");
    f.request.reasoning = (struct remora_reasoning_options){.enabled = REMORA_NO};
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "reasoning.enabled");
    f.request.models = LIST(S("acme/parrot-2")); /* which need not reason */
    expect_order("beta/parrot");
}

/* Only who always reasons makes the wish the caller's fault; who lacks something is filtered, as anybody is. */
static void what_is_lacked_is_a_constraint_and_no_fault_of_the_caller(void **state)
{
    const remora_parameter_set lacked =
        UINT64_C(1) << REMORA_PARAMETER_TOOLS | UINT64_C(1) << REMORA_PARAMETER_REASONING;
    (void)state;
    a->facts.supported &= ~lacked;
    b->facts.supported &= ~lacked;
    c->facts.supported &= ~lacked;
    remora_request_ask(&f.request, REMORA_PARAMETER_TOOLS);
    expect_code(REMORA_CONSTRAINT_FILTERED);
    expect_says("supported_parameters:tools (3)");
    f.request.asked_count = 0;
    remora_request_ask(&f.request, REMORA_PARAMETER_REASONING);
    prefer(REMORA_LAYER_SERVICE)->require_parameters = REMORA_YES;
    expect_code(REMORA_CONSTRAINT_FILTERED);
    expect_says("require_parameters:reasoning (3)");
}

static void every_effort_that_there_is_is_named(void **state)
{
    (void)state;
    a->facts.always_reasons = b->facts.always_reasons = c->facts.always_reasons = true;
    a->facts.efforts = (remora_effort_set) ~(remora_effort_set)1;
    ask_for_no_reasoning();
    expect_code(REMORA_INVALID_REQUEST);
    expect_says("ask for reasoning effort minimal, low, medium, high, xhigh or max");
    a->facts.efforts = remora_effort_bit(REMORA_EFFORT_MAX);
    expect_code(REMORA_INVALID_REQUEST);
    expect_says("ask for reasoning effort max");
}

static void one_that_rests_and_need_not_reason_is_worth_waiting_for(void **state)
{
    (void)state;
    a->facts.always_reasons = b->facts.always_reasons = true;
    ask_for_no_reasoning();
    remora_health_cool(f.health, c->health, f.now_ns, REMORA_NS_PER_S);
    expect_code(REMORA_CAPACITY_EXHAUSTED);
}

/* ---- order ---- */

static void without_a_wish_the_order_is_the_snapshots(void **state)
{
    (void)state;
    expect_order("alpha beta/fast omega");
    assert_int_equal(f.plan.model_count, 1);
    assert_int_equal(f.plan.candidate_count, 3);
    assert_int_equal(f.plan.models[0].usable, 3);
    assert_int_equal(f.plan.models[0].count, 3);
    assert_int_equal(f.plan.models[0].code, REMORA_OK);
    assert_slice_equal(f.plan.models[0].resolved, "acme/echo-1");
}

static void what_order_names_comes_first_in_its_order(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_SERVICE)->order = LIST(S("omega"), S("beta"));
    expect_order("omega beta/fast alpha");
}

static void order_of_the_innermost_layer_is_heard(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_SERVICE)->order = LIST(S("omega"));
    prefer(REMORA_LAYER_REQUEST)->order = LIST(S("beta/fast"));
    expect_order("beta/fast alpha omega");
}

static void order_keeps_several_endpoints_of_one_slug_as_they_stand(void **state)
{
    (void)state;
    plan_endpoint(&f, echo, omega, "omega/eu");
    plan_endpoint(&f, echo, omega, "omega/us");
    prefer(REMORA_LAYER_REQUEST)->order = LIST(S("omega/us"), S("omega"));
    expect_order("omega/us omega omega/eu alpha beta/fast");
}

static void a_slug_that_does_not_serve_the_model_is_skipped(void **state)
{
    (void)state;
    plan_provider(&f, "delta");
    f.request.provider.order = LIST(S("delta"), S("omega"));
    plan_layer(&f, REMORA_LAYER_REQUEST)->provider = f.request.provider;
    expect_order("omega alpha beta/fast");
}

/* ---- allow_fallbacks ---- */

static void without_fallbacks_order_restricts_to_its_list(void **state)
{
    (void)state;
    struct remora_preferences *service = prefer(REMORA_LAYER_SERVICE);
    service->order = LIST(S("omega"), S("alpha"));
    service->allow_fallbacks = REMORA_NO;
    expect_order("omega alpha");
    expect_out("beta/fast", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_SERVICE);
}

static void what_is_out_by_an_earlier_rule_keeps_it(void **state)
{
    (void)state;
    struct remora_preferences *service = prefer(REMORA_LAYER_SERVICE);
    service->order = LIST(S("omega"));
    service->allow_fallbacks = REMORA_NO;
    prefer(REMORA_LAYER_MESH)->ignore = LIST(S("alpha"));
    expect_order("omega");
    expect_out("alpha", REMORA_RULE_IGNORED_PROVIDER, REMORA_LAYER_MESH);
    expect_out("beta/fast", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_SERVICE);
}

static void a_requests_order_does_not_widen_a_list_without_fallbacks(void **state)
{
    (void)state;
    struct remora_preferences *service = prefer(REMORA_LAYER_SERVICE);
    service->order = LIST(S("omega"), S("alpha"));
    service->allow_fallbacks = REMORA_NO;
    prefer(REMORA_LAYER_REQUEST)->order = LIST(S("beta"), S("alpha"));
    expect_order("alpha omega");
    f.layers[REMORA_LAYER_REQUEST].provider.allow_fallbacks = REMORA_NO;
    expect_order("alpha");
    expect_out("beta/fast", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_SERVICE);
    expect_out("omega", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_REQUEST);
}

static void without_fallbacks_and_order_only_the_first_stays(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_KEY)->allow_fallbacks = REMORA_NO;
    prefer(REMORA_LAYER_REQUEST)->allow_fallbacks = REMORA_NO;
    expect_order("alpha");
    expect_out("beta/fast", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_KEY);
    expect_out("omega", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_KEY);
    f.layers[REMORA_LAYER_REQUEST].provider.ignore = LIST(S("alpha"));
    expect_order("beta/fast");
}

static void the_first_is_that_of_the_final_order(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_MESH)->allow_fallbacks = REMORA_NO;
    prefer(REMORA_LAYER_REQUEST)->order = LIST(S("omega"));
    expect_order("omega");
    expect_out("alpha", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_MESH);
}

static void an_only_endpoint_that_cools_is_not_replaced(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_REQUEST)->allow_fallbacks = REMORA_NO;
    remora_health_cool(f.health, a->health, f.now_ns, REMORA_NS_PER_S);
    expect_code(REMORA_CAPACITY_EXHAUSTED);
    expect_out("alpha", REMORA_RULE_COOLING, REMORA_LAYER_HEALTH);
    expect_out("beta/fast", REMORA_RULE_NOT_IN_ORDER, REMORA_LAYER_REQUEST);
}

/* ---- models ---- */

static void models_follow_model_with_continuous_positions(void **state)
{
    (void)state;
    f.request.models = LIST(S("acme/parrot-2"));
    expect_order("alpha beta/fast omega beta/parrot");
    assert_int_equal(plan_candidate(&f, "beta/parrot")->model, 1);
    assert_int_equal(f.plan.models[1].first, 3);
    assert_int_equal(f.plan.models[1].usable, 1);
}

static void a_model_named_twice_is_tried_once(void **state)
{
    (void)state;
    plan_alias(&f, "e", "acme/echo-1");
    f.request.models = LIST(S("e"), S("acme/parrot-2"), S("echo-1"));
    expect_order("alpha beta/fast omega beta/parrot");
    assert_int_equal(f.plan.model_count, 2);
    assert_slice_equal(f.plan.models[0].asked, "acme/echo-1");
}

static void variants_of_a_model_are_two_models(void **state)
{
    (void)state;
    c->facts.is_free = true;
    f.request.models = LIST(S("acme/echo-1:free"));
    expect_order("alpha beta/fast omega");
    assert_int_equal(f.plan.model_count, 2);
    assert_int_equal(f.plan.models[0].usable, 2);
    assert_int_equal(f.plan.models[1].usable, 1);
    assert_int_equal(f.plan.candidate_count, 6);
}

static void models_alone_need_no_model(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_default = S("acme/echo-1");
    f.request.model = S("");
    f.request.models = LIST(S("acme/parrot-2"));
    expect_order("beta/parrot");
}

static void without_its_ceiling_nothing_is_planned(void **state)
{
    (void)state;
    f.config.not_ready_why = "the mesh policy is absent";
    expect_code(REMORA_SHEDDING);
    expect_says("the gateway is not ready: the mesh policy is absent");
    assert_int_equal(f.fail.retry_after_ms, 1000);
    assert_int_equal(remora_config_check_ready(&f.config, NULL), REMORA_SHEDDING);
    struct remora_fail earlier = REMORA_FAIL_INIT;
    remora_fail_set(&earlier, REMORA_DRAINING, NULL, "first");
    assert_int_equal(remora_config_check_ready(&f.config, &earlier), REMORA_SHEDDING);
    assert_int_equal(earlier.retry_after_ms, -1);
}

static void no_model_is_the_default_of_the_innermost_layer(void **state)
{
    (void)state;
    f.request.model = S("");
    plan_layer(&f, REMORA_LAYER_MESH)->models_default = S("acme/echo-1");
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_default = S("parrot-2");
    expect_order("beta/parrot");
    assert_slice_equal(f.plan.models[0].asked, "parrot-2");
}

static void no_model_and_no_default_is_refused_with_the_cure(void **state)
{
    (void)state;
    f.request.model = S("");
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "model");
    expect_says("models.default");
}

static void more_models_than_allowed_are_refused(void **state)
{
    (void)state;
    f.request.models = LIST(S("a"), S("b"), S("c"), S("d"));
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "models");
}

static void an_unknown_model_moves_on_to_the_next(void **state)
{
    (void)state;
    f.request.model = S("acme/eccho-1");
    f.request.models = LIST(S("acme/parrot-2"));
    expect_order("beta/parrot");
    assert_int_equal(f.plan.models[0].code, REMORA_MODEL_NOT_FOUND);
    assert_int_equal(f.plan.models[0].count, 0);
    assert_int_equal(f.plan.models[0].resolved.length, 0);
}

static void an_unknown_model_alone_is_not_found(void **state)
{
    (void)state;
    f.request.model = S("acme/eccho-1");
    f.request.models = LIST(S("acme/eccho-1"));
    expect_code(REMORA_MODEL_NOT_FOUND);
    expect_says("did you mean 'acme/echo-1'?");
    assert_string_equal(f.fail.param, "model");
    assert_int_equal(f.plan.model_count, 1);
}

static void a_wrong_name_is_told_where_it_stands(void **state)
{
    (void)state;
    f.request.models = LIST(S("acme/parrot-2"), S("acme/parrot-2:nitro"));
    expect_code(REMORA_UNIMPLEMENTED);
    assert_string_equal(f.fail.param, "models[1]");
    f.request.model = S("");
    f.request.models = LIST(S("acme/eccho-1"), S("acme/nobody-knows-it"));
    expect_code(REMORA_MODEL_NOT_FOUND);
    assert_string_equal(f.fail.param, "models[0]");
    f.request.model = S("acme/nobody-knows-it");
    f.request.models = LIST(S("acme/nor-this-one"), S("anthropic/claude-opus-4"));
    expect_code(REMORA_NO_ENDPOINTS);
    assert_string_equal(f.fail.param, "models[1]");
}

static void a_variant_to_come_ends_the_plan_wherever_it_stands(void **state)
{
    (void)state;
    f.request.models = LIST(S("acme/parrot-2:nitro"));
    expect_code(REMORA_UNIMPLEMENTED);
    expect_says("':nitro'");
    assert_int_equal(f.plan.policy.data_collection, REMORA_DATA_ALLOW);
}

/* ---- provider slugs of the request ---- */

static void an_unknown_provider_in_the_request_is_refused(void **state)
{
    (void)state;
    f.request.provider.order = LIST(S("beta"), S("alphaa/x"));
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "provider.order[1]");
    expect_says("'alphaa'; did you mean 'alpha'?");
    f.request.provider.order = (struct remora_slices){0};
    f.request.provider.only = LIST(S("nothing-like-any-of-them"));
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "provider.only[0]");
    assert_null(strstr(f.fail.message, "did you mean"));
    f.request.provider.only = (struct remora_slices){0};
    f.request.provider.ignore = LIST(S("opnai"));
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "provider.ignore[0]");
    expect_says("did you mean 'openai'?");
    f.request.provider.ignore = LIST(S("Alibaba"));
    expect_code(REMORA_INVALID_REQUEST);
}

static void an_unknown_tag_of_a_known_provider_in_the_request_is_refused(void **state)
{
    (void)state;
    f.request.provider.ignore = LIST(S("beta/fats"));
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "provider.ignore[0]");
    expect_says("no endpoint has the tag 'beta/fats'; did you mean 'beta/fast'?");
    f.request.provider.ignore = (struct remora_slices){0};
    f.request.provider.order = LIST(S("alpha"), S("alpha/"));
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "provider.order[1]");
    f.request.provider.order = (struct remora_slices){0};
    f.request.provider.only = LIST(S("deepinfra/trubo")); /* of the catalog */
    expect_code(REMORA_INVALID_REQUEST);
    assert_string_equal(f.fail.param, "provider.only[0]");
}

static void a_tag_of_another_model_or_of_the_catalog_is_known(void **state)
{
    (void)state;
    struct remora_model *other = plan_model(&f, "z/other");
    plan_endpoint(&f, other, plan_provider(&f, "gamma"), "gamma/eu");
    f.request.provider.ignore = LIST(S("gamma/eu"), S("deepinfra/turbo"), S("venice#2"));
    expect_order("alpha beta/fast omega");
}

static void of_twins_each_can_be_named(void **state)
{
    (void)state;
    struct remora_preferences *asked = &f.request.provider;
    struct remora_provider *theta = plan_provider(&f, "theta");
    struct remora_model *twins = plan_model(&f, "acme/twins");
    plan_endpoint(&f, twins, theta, "theta");
    plan_endpoint(&f, twins, theta, "theta#2");
    f.request.model = S("acme/twins");
    asked->only = LIST(S("theta"));
    *prefer(REMORA_LAYER_REQUEST) = *asked;
    expect_order("theta theta#2");
    asked->only = LIST(S("theta#2"));
    *prefer(REMORA_LAYER_REQUEST) = *asked;
    expect_order("theta#2");
    asked->only = (struct remora_slices){0};
    asked->order = LIST(S("theta#2"), S("theta"));
    *prefer(REMORA_LAYER_REQUEST) = *asked;
    expect_order("theta#2 theta");
    asked->order = (struct remora_slices){0};
    asked->ignore = LIST(S("theta#2"));
    *prefer(REMORA_LAYER_REQUEST) = *asked;
    expect_order("theta");
    asked->ignore = LIST(S("theta#3"));
    expect_code(REMORA_INVALID_REQUEST);
    expect_says("no endpoint has the tag 'theta#3'; did you mean 'theta#2'?");
    asked->ignore = LIST(S("thtea#2"));
    expect_code(REMORA_INVALID_REQUEST);
    expect_says("no provider is called 'thtea'");
}

static void a_provider_of_the_catalog_need_not_be_configured(void **state)
{
    (void)state;
    f.request.provider.ignore = LIST(S("openai"));
    plan_layer(&f, REMORA_LAYER_REQUEST)->provider = f.request.provider;
    expect_order("alpha beta/fast omega");
}

/* ---- health ---- */

static void a_cooling_endpoint_is_out_until_its_time(void **state)
{
    (void)state;
    remora_health_cool(f.health, b->health, f.now_ns, 5 * REMORA_NS_PER_S);
    expect_order("alpha omega");
    expect_out("beta/fast", REMORA_RULE_COOLING, REMORA_LAYER_HEALTH);
    assert_int_equal(plan_candidate(&f, "beta/fast")->until_ns, f.now_ns + 5 * REMORA_NS_PER_S);
    assert_int_equal(plan_candidate(&f, "omega")->position, 2);
    assert_int_equal(plan_candidate(&f, "omega")->until_ns, 0);
    f.now_ns += 5 * REMORA_NS_PER_S;
    expect_order("alpha beta/fast omega");
}

static void trip(const struct remora_endpoint *endpoint)
{
    for (int i = 0; i < 5; i++) {
        remora_health_failure(f.health, endpoint->health, f.now_ns);
    }
}

static void an_open_breaker_is_out_until_its_probe_is_due(void **state)
{
    (void)state;
    trip(a);
    expect_order("beta/fast omega");
    expect_out("alpha", REMORA_RULE_BREAKER_OPEN, REMORA_LAYER_HEALTH);
    f.now_ns += 30 * REMORA_NS_PER_S;
    expect_order("alpha beta/fast omega");
}

static void a_provider_is_usable_while_one_key_is(void **state)
{
    (void)state;
    alpha->credential_count = 2;
    remora_health_bench(f.health, alpha->credentials[0].health, f.now_ns);
    expect_order("alpha beta/fast omega");
    remora_health_bench(f.health, alpha->credentials[1].health, f.now_ns + REMORA_NS_PER_S);
    expect_order("beta/fast omega");
    expect_out("alpha", REMORA_RULE_CREDENTIAL_BENCHED, REMORA_LAYER_HEALTH);
    assert_int_equal(plan_candidate(&f, "alpha")->until_ns, f.now_ns + 300 * REMORA_NS_PER_S);
    f.now_ns += 300 * REMORA_NS_PER_S;
    expect_order("alpha beta/fast omega");
}

static void a_provider_without_keys_needs_none_to_be_well(void **state)
{
    (void)state;
    alpha->needs_credential = false;
    alpha->credential_count = 0;
    expect_order("alpha beta/fast omega");
}

/* ---- nothing left ---- */

static void cool_all(void)
{
    remora_health_cool(f.health, a->health, f.now_ns, 9 * REMORA_NS_PER_S);
    remora_health_cool(f.health, b->health, f.now_ns, 4 * REMORA_NS_PER_S - 1);
    remora_health_cool(f.health, c->health, f.now_ns, 7 * REMORA_NS_PER_S);
}

static void all_cooling_is_capacity_exhausted_with_the_soonest_time(void **state)
{
    (void)state;
    cool_all();
    expect_code(REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(f.fail.retry_after_ms, 4000);
    expect_says("'acme/echo-1'");
    expect_says("cooling (3)");
    assert_int_equal(f.plan.models[0].code, REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(f.plan.models[0].usable, 0);
}

static void all_breakers_open_is_overloaded_with_the_time_to_the_probe(void **state)
{
    (void)state;
    trip(a);
    trip(b);
    trip(c);
    expect_code(REMORA_UPSTREAM_OVERLOADED);
    assert_int_equal(f.fail.retry_after_ms, 30000);
    expect_says("breaker_open (3)");
}

static void a_breaker_among_cooling_ones_is_overloaded(void **state)
{
    (void)state;
    cool_all();
    trip(p);
    f.request.model = S("acme/parrot-2");
    f.request.models = LIST(S("acme/echo-1"));
    expect_code(REMORA_UPSTREAM_OVERLOADED);
    assert_int_equal(f.fail.retry_after_ms, 4000);
    f.request.model = S("acme/echo-1");
    f.request.models = LIST(S("acme/parrot-2"));
    expect_code(REMORA_UPSTREAM_OVERLOADED);
}

static void a_breaker_beside_cooling_endpoints_of_one_model_is_overloaded(void **state)
{
    (void)state;
    remora_health_cool(f.health, a->health, f.now_ns, 9 * REMORA_NS_PER_S);
    trip(b);
    trip(c);
    expect_code(REMORA_UPSTREAM_OVERLOADED);
    assert_int_equal(f.fail.retry_after_ms, 9000);
    expect_says("cooling (1), breaker_open (2)");
}

static void all_keys_benched_is_our_credential_and_lasting(void **state)
{
    (void)state;
    remora_health_bench(f.health, alpha->credentials[0].health, f.now_ns);
    remora_health_bench(f.health, beta->credentials[0].health, f.now_ns);
    remora_health_bench(f.health, omega->credentials[0].health, f.now_ns);
    expect_code(REMORA_UPSTREAM_CREDENTIAL);
    assert_int_equal(f.fail.retry_after_ms, -1);
    remora_health_cool(f.health, c->health, f.now_ns, REMORA_NS_PER_S);
    expect_code(REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(f.fail.retry_after_ms, 1000);
}

static void a_model_that_its_providers_dropped_is_no_matter_of_waiting(void **state)
{
    (void)state;
    remora_health_gone(f.health, a->health, f.now_ns, 120 * REMORA_NS_PER_S);
    remora_health_gone(f.health, b->health, f.now_ns, 120 * REMORA_NS_PER_S);
    remora_health_gone(f.health, c->health, f.now_ns, 120 * REMORA_NS_PER_S);
    expect_code(REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    assert_int_equal(f.fail.retry_after_ms, -1);
    expect_says("model_gone (3)");
    remora_health_cool(f.health, c->health, f.now_ns, REMORA_NS_PER_S); /* still gone */
    expect_code(REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    f.now_ns += 120 * REMORA_NS_PER_S;
    expect_order("alpha beta/fast omega");
}

/* Those that pass all rules are the candidates left: what holds them back is the answer. */
static void what_health_holds_back_speaks_before_what_rules_removed(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_SERVICE)->provider.ignore = LIST(S("beta"), S("omega"));
    remora_health_bench(f.health, alpha->credentials[0].health, f.now_ns);
    expect_code(REMORA_UPSTREAM_CREDENTIAL);
    expect_says("credential_benched (1), ignored_provider (2)");
    f.now_ns += 300 * REMORA_NS_PER_S;
    remora_health_gone(f.health, a->health, f.now_ns, 120 * REMORA_NS_PER_S);
    expect_code(REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    expect_says("model_gone (1), ignored_provider (2)");
}

static void a_cooling_endpoint_beside_dropped_ones_is_worth_waiting_for(void **state)
{
    (void)state;
    remora_health_gone(f.health, a->health, f.now_ns, 120 * REMORA_NS_PER_S);
    remora_health_gone(f.health, b->health, f.now_ns, 120 * REMORA_NS_PER_S);
    remora_health_cool(f.health, c->health, f.now_ns, REMORA_NS_PER_S);
    expect_code(REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(f.fail.retry_after_ms, 1000);
}

static void nobody_need_want_to_know_why(void **state)
{
    (void)state;
    const struct remora_plan_input input = {.config = &f.config,
                                            .request = &f.request,
                                            .stack = &f.stack,
                                            .health = f.health,
                                            .random = &f.random,
                                            .now_ns = f.now_ns};
    cool_all();
    assert_int_equal(remora_plan_build(&input, &f.arena, &f.plan, NULL), REMORA_CAPACITY_EXHAUSTED);
}

static void what_health_holds_back_decides_over_what_rules_removed(void **state)
{
    (void)state;
    cool_all();
    prefer(REMORA_LAYER_REQUEST)->ignore = LIST(S("alpha"), S("beta"));
    expect_code(REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(f.fail.retry_after_ms, 7000);
    expect_says("ignored_provider (2), cooling (1)");
}

static void one_family_gives_its_code(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_SERVICE)->data_collection = REMORA_DATA_DENY;
    alpha->facts.data_policy.training = REMORA_NO;
    f.layers[REMORA_LAYER_SERVICE].provider.zdr = REMORA_YES;
    expect_code(REMORA_PRIVACY_RESTRICTED);
    expect_says("data_policy:zdr (1), data_policy:training (2)");
    assert_int_equal(f.fail.retry_after_ms, -1);
    assert_int_equal(f.plan.policy.data_collection, REMORA_DATA_DENY);
}

static void several_families_are_constraint_filtered(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_SERVICE)->data_collection = REMORA_DATA_DENY;
    prefer(REMORA_LAYER_REQUEST)->ignore = LIST(S("beta"));
    expect_code(REMORA_CONSTRAINT_FILTERED);
    expect_says("data_policy:training (2), ignored_provider (1)");
}

static void a_rules_subject_is_told(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_REQUEST)->max_price_pico_usd[REMORA_CAP_COMPLETION] = 1;
    expect_code(REMORA_CONSTRAINT_FILTERED);
    expect_says("max_price:completion (3)");
}

static void regions_and_keys_have_codes_of_their_own(void **state)
{
    (void)state;
    prefer(REMORA_LAYER_MESH)->regions = LIST(S("FR"));
    expect_code(REMORA_REGION_RESTRICTED);
    alpha->disabled_why = beta->disabled_why = omega->disabled_why = "no key";
    expect_code(REMORA_NO_ENDPOINTS);
}

static void a_refused_model_is_not_allowed_whatever_else_is_lacking(void **state)
{
    (void)state;
    alpha->disabled_why = "no key";
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("acme/echo-*"));
    expect_code(REMORA_MODEL_NOT_ALLOWED);
    expect_out("alpha", REMORA_RULE_NO_CREDENTIAL, REMORA_LAYER_CATALOG);
    expect_out("omega", REMORA_RULE_MODEL_ALLOW_LIST, REMORA_LAYER_SERVICE);
    f.request.models = LIST(S("acme/parrot-2"));
    expect_order("beta/parrot");
}

static void a_model_without_endpoints_has_none(void **state)
{
    (void)state;
    echo->endpoint_count = 0;
    expect_code(REMORA_NO_ENDPOINTS);
    expect_says("it has none");
}

static void an_embedding_model_does_not_chat(void **state)
{
    (void)state;
    echo->facts.output_modalities = REMORA_MODALITY_EMBEDDINGS;
    expect_code(REMORA_WRONG_ENDPOINT);
    f.request.operation = REMORA_OPERATION_EMBED;
    expect_order("alpha beta/fast omega");
    echo->facts.output_modalities = REMORA_MODALITY_TEXT;
    expect_code(REMORA_WRONG_ENDPOINT);
    echo->facts.output_modalities = 0;
    expect_order("alpha beta/fast omega");
    /* Of the right kind, or of a kind that nobody states: whatever else is wrong is said. */
    prefer(REMORA_LAYER_SERVICE)->ignore = LIST(S("alpha"), S("beta"), S("omega"));
    echo->facts.output_modalities = REMORA_MODALITY_EMBEDDINGS;
    expect_code(REMORA_CONSTRAINT_FILTERED);
    echo->facts.output_modalities = 0;
    expect_code(REMORA_CONSTRAINT_FILTERED);
}

static void a_transient_reason_of_any_model_decides(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("acme/echo-1"));
    remora_health_cool(f.health, p->health, f.now_ns, REMORA_NS_PER_S);
    f.request.models = LIST(S("acme/parrot-2"));
    expect_code(REMORA_CAPACITY_EXHAUSTED);
    expect_says("'acme/parrot-2'");
}

static void of_lasting_reasons_the_first_models_decides(void **state)
{
    (void)state;
    struct remora_policy *service = plan_layer(&f, REMORA_LAYER_SERVICE);
    service->models_deny = LIST(S("acme/echo-1"));
    service->provider.zdr = REMORA_YES;
    f.request.models = LIST(S("acme/parrot-2"));
    expect_code(REMORA_MODEL_NOT_ALLOWED);
    f.request.model = S("acme/parrot-2");
    f.request.models = LIST(S("acme/echo-1"));
    expect_code(REMORA_PRIVACY_RESTRICTED);
    f.request.model = S("acme/unknown");
    expect_code(REMORA_MODEL_NOT_ALLOWED);
    expect_says("'acme/echo-1'");
}

static void of_the_callers_faults_the_primary_models_decides(void **state)
{
    (void)state;
    f.request.model = S("acme/unknown-1");
    f.request.models = LIST(S("acme/unknown-2"));
    expect_code(REMORA_MODEL_NOT_FOUND);
    expect_says("acme/unknown-1");
}

static void a_rule_that_finds_no_room_is_left_out_whole(void **state)
{
    (void)state;
    static const char *const names[] = {"e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e9"};
    static const enum remora_parameter lacks[] = {
        REMORA_PARAMETER_TEMPERATURE, REMORA_PARAMETER_TOP_P, REMORA_PARAMETER_TOP_K,
        REMORA_PARAMETER_MIN_P,       REMORA_PARAMETER_TOP_A, REMORA_PARAMETER_SEED,
        REMORA_PARAMETER_STOP,        REMORA_PARAMETER_N,     REMORA_PARAMETER_USER};
    prefer(REMORA_LAYER_REQUEST)->require_parameters = REMORA_YES;
    echo->endpoint_count = 0;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        struct remora_endpoint *endpoint = plan_endpoint(&f, echo, alpha, names[i]);
        endpoint->is_own = true; /* whose lists have every word */
        endpoint->facts.supported = ~(UINT64_C(1) << lacks[i]);
        remora_request_ask(&f.request, lacks[i]);
    }
    expect_code(REMORA_CONSTRAINT_FILTERED);
    expect_says("require_parameters:temperature (1)");
    size_t length = strlen(f.fail.message);
    assert_string_equal(f.fail.message + length - 4, " (1)");
    assert_null(strstr(f.fail.message, "user"));
}

/* ---- bounds ---- */

static void no_more_candidates_than_the_limit_are_looked_at(void **state)
{
    (void)state;
    static struct remora_endpoint many[REMORA_LIMIT_CANDIDATES + 1];
    for (size_t i = 0; i < REMORA_COUNT_OF(many); i++) {
        many[i] = *a;
    }
    echo->endpoints = many;
    echo->endpoint_count = REMORA_COUNT_OF(many);
    f.request.models = LIST(S("acme/parrot-2"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(f.plan.candidate_count, REMORA_LIMIT_CANDIDATES);
    assert_int_equal(f.plan.order_count, REMORA_LIMIT_CANDIDATES);
    assert_int_equal(f.plan.models[1].count, 0);
    assert_int_equal(f.plan.models[1].code, REMORA_NO_ENDPOINTS);
}

static void an_arena_that_runs_out_is_said(void **state)
{
    (void)state;
    struct remora_arena small;
    const struct remora_plan_input input = {.config = &f.config,
                                            .request = &f.request,
                                            .stack = &f.stack,
                                            .health = f.health,
                                            .random = &f.random,
                                            .now_ns = f.now_ns};
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_arena_init(&small, 16, 16);
    enum remora_code code = remora_plan_build(&input, &small, &f.plan, &fail);
    remora_arena_fini(&small);
    assert_int_equal(code, REMORA_TOO_LARGE);
    assert_int_equal(fail.code, REMORA_TOO_LARGE);
    fail = (struct remora_fail)REMORA_FAIL_INIT;
    remora_arena_init(&small, 16, 400);
    code = remora_plan_build(&input, &small, &f.plan, &fail);
    remora_arena_fini(&small);
    assert_int_equal(code, REMORA_TOO_LARGE);
    assert_int_equal(f.plan.candidate_count, 0);
    assert_int_equal(f.plan.model_count, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(distinct_rules_are_counted_in_the_order_of_the_first),
        CASE(more_rules_than_are_told_are_left_out),
        CASE(no_reasoning_goes_to_whoever_can_leave_it_out),
        CASE(where_all_reason_always_the_field_and_the_cure_are_named),
        CASE(what_is_lacked_is_a_constraint_and_no_fault_of_the_caller),
        CASE(every_effort_that_there_is_is_named),
        CASE(without_its_ceiling_nothing_is_planned),
        CASE(one_that_rests_and_need_not_reason_is_worth_waiting_for),
        CASE(without_a_wish_the_order_is_the_snapshots),
        CASE(what_order_names_comes_first_in_its_order),
        CASE(order_of_the_innermost_layer_is_heard),
        CASE(order_keeps_several_endpoints_of_one_slug_as_they_stand),
        CASE(a_slug_that_does_not_serve_the_model_is_skipped),
        CASE(without_fallbacks_order_restricts_to_its_list),
        CASE(what_is_out_by_an_earlier_rule_keeps_it),
        CASE(a_requests_order_does_not_widen_a_list_without_fallbacks),
        CASE(without_fallbacks_and_order_only_the_first_stays),
        CASE(the_first_is_that_of_the_final_order),
        CASE(an_only_endpoint_that_cools_is_not_replaced),
        CASE(models_follow_model_with_continuous_positions),
        CASE(a_model_named_twice_is_tried_once),
        CASE(variants_of_a_model_are_two_models),
        CASE(models_alone_need_no_model),
        CASE(no_model_is_the_default_of_the_innermost_layer),
        CASE(no_model_and_no_default_is_refused_with_the_cure),
        CASE(more_models_than_allowed_are_refused),
        CASE(an_unknown_model_moves_on_to_the_next),
        CASE(an_unknown_model_alone_is_not_found),
        CASE(a_wrong_name_is_told_where_it_stands),
        CASE(a_variant_to_come_ends_the_plan_wherever_it_stands),
        CASE(an_unknown_provider_in_the_request_is_refused),
        CASE(an_unknown_tag_of_a_known_provider_in_the_request_is_refused),
        CASE(a_tag_of_another_model_or_of_the_catalog_is_known),
        CASE(of_twins_each_can_be_named),
        CASE(a_provider_of_the_catalog_need_not_be_configured),
        CASE(a_cooling_endpoint_is_out_until_its_time),
        CASE(an_open_breaker_is_out_until_its_probe_is_due),
        CASE(a_provider_is_usable_while_one_key_is),
        CASE(a_provider_without_keys_needs_none_to_be_well),
        CASE(all_cooling_is_capacity_exhausted_with_the_soonest_time),
        CASE(all_breakers_open_is_overloaded_with_the_time_to_the_probe),
        CASE(a_breaker_among_cooling_ones_is_overloaded),
        CASE(a_breaker_beside_cooling_endpoints_of_one_model_is_overloaded),
        CASE(all_keys_benched_is_our_credential_and_lasting),
        CASE(a_model_that_its_providers_dropped_is_no_matter_of_waiting),
        CASE(what_health_holds_back_speaks_before_what_rules_removed),
        CASE(a_cooling_endpoint_beside_dropped_ones_is_worth_waiting_for),
        CASE(nobody_need_want_to_know_why),
        CASE(what_health_holds_back_decides_over_what_rules_removed),
        CASE(one_family_gives_its_code),
        CASE(several_families_are_constraint_filtered),
        CASE(a_rules_subject_is_told),
        CASE(regions_and_keys_have_codes_of_their_own),
        CASE(a_refused_model_is_not_allowed_whatever_else_is_lacking),
        CASE(a_model_without_endpoints_has_none),
        CASE(an_embedding_model_does_not_chat),
        CASE(a_transient_reason_of_any_model_decides),
        CASE(of_lasting_reasons_the_first_models_decides),
        CASE(of_the_callers_faults_the_primary_models_decides),
        CASE(a_rule_that_finds_no_room_is_left_out_whole),
        CASE(no_more_candidates_than_the_limit_are_looked_at),
        CASE(an_arena_that_runs_out_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
