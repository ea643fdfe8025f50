/* A plan while it is carried out: what health takes out, and what was passed over without an attempt. */
#include "support.h"

#include "plan_fixture.h"
#include "remora/limits.h"

static struct plan_fixture f;
static struct remora_model *echo, *parrot;
static struct remora_endpoint *a, *b, *p;
static struct remora_skipped skipped[REMORA_SKIPPED_MAX];

static int set_up(void **state)
{
    (void)state;
    plan_fixture_init(&f);
    struct remora_provider *alpha = plan_provider(&f, "alpha");
    struct remora_provider *beta = plan_provider(&f, "beta");
    echo = plan_model(&f, "acme/echo-1");
    a = plan_endpoint(&f, echo, alpha, "alpha");
    b = plan_endpoint(&f, echo, beta, "beta/fast");
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

static void cool(const struct remora_endpoint *endpoint)
{
    remora_health_cool(f.health, endpoint->health, f.now_ns, 5 * REMORA_NS_PER_S);
}

static size_t index_of(const char *tag)
{
    return (size_t)(plan_candidate(&f, tag) - f.plan.candidates);
}

static void expect_endpoint(size_t i, const struct remora_endpoint *endpoint, enum remora_rule rule)
{
    assert_ptr_equal(skipped[i].endpoint, endpoint);
    assert_slice_equal(skipped[i].model, "acme/echo-1");
    assert_string_equal(remora_rule_name(skipped[i].exclusion.rule), remora_rule_name(rule));
    assert_int_equal(skipped[i].exclusion.layer, REMORA_LAYER_HEALTH);
}

static void every_condition_has_its_rule(void **state)
{
    (void)state;
    static const enum remora_rule rules[] = {
        [REMORA_CONDITION_WELL] = REMORA_RULE_NONE,
        [REMORA_CONDITION_PROBE] = REMORA_RULE_NONE,
        [REMORA_CONDITION_COOLING] = REMORA_RULE_COOLING,
        [REMORA_CONDITION_GONE] = REMORA_RULE_MODEL_GONE,
        [REMORA_CONDITION_BREAKER_OPEN] = REMORA_RULE_BREAKER_OPEN,
        [REMORA_CONDITION_BENCHED] = REMORA_RULE_CREDENTIAL_BENCHED,
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rules); i++) {
        assert_int_equal(remora_condition_rule((enum remora_condition)i), rules[i]);
    }
}

static void nothing_is_passed_over_where_the_first_answers(void **state)
{
    (void)state;
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, a, skipped), 0);
    assert_int_equal(remora_plan_skipped(&f.plan, b, skipped),
                     0); /* a was tried: an attempt tells that */
}

static void a_resting_endpoint_before_who_answered_is_told(void **state)
{
    (void)state;
    cool(a);
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, b, skipped), 1);
    expect_endpoint(0, a, REMORA_RULE_COOLING);
    assert_false(skipped[0].is_asked);
}

static void a_resting_endpoint_behind_who_answered_is_no_matter(void **state)
{
    (void)state;
    cool(b);
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, a, skipped), 0);
    assert_int_equal(remora_plan_skipped(&f.plan, NULL, skipped),
                     1); /* nobody answered: of the whole plan */
    expect_endpoint(0, b, REMORA_RULE_COOLING);
}

static void what_rests_behind_a_second_who_answered_is_no_matter(void **state)
{
    (void)state;
    f.request.models = LIST(S("acme/parrot-2"));
    cool(p);
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, b, skipped), 0);
}

static void an_endpoint_taken_out_meanwhile_keeps_its_place_among_the_others(void **state)
{
    (void)state;
    assert_int_equal(plan_build(&f), REMORA_OK);
    remora_plan_pass_over(&f.plan, index_of("beta/fast"), REMORA_RULE_COOLING, f.now_ns + 7);
    assert_int_equal(remora_plan_skipped(&f.plan, a, skipped), 0);
}

static void an_endpoint_taken_out_meanwhile_is_told_like_one_that_was_out(void **state)
{
    (void)state;
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_usable(&f.plan), 2);
    remora_plan_pass_over(&f.plan, index_of("alpha"), REMORA_RULE_BREAKER_OPEN, f.now_ns + 7);
    remora_plan_pass_over(&f.plan, index_of("alpha"), REMORA_RULE_COOLING,
                          f.now_ns + 9); /* it is out already */
    assert_int_equal(remora_plan_usable(&f.plan), 1);
    assert_int_equal(plan_candidate(&f, "alpha")->until_ns, f.now_ns + 7);
    assert_int_equal(plan_candidate(&f, "alpha")->position, 0);
    assert_int_equal(remora_plan_skipped(&f.plan, b, skipped), 1);
    expect_endpoint(0, a, REMORA_RULE_BREAKER_OPEN);
}

static void expect_place(const char *tag, int position, int behind)
{
    assert_int_equal(plan_candidate(&f, tag)->position, position);
    assert_int_equal(plan_candidate(&f, tag)->behind, behind);
}

/* Positions have no hole, and what rests stands behind the same ones as before. */
static void expect_moved_up(void)
{
    expect_place("alpha", 1, 0);
    expect_place("beta/fast", 0, 1);
    expect_place("alpha/slow", 0, 1);
    expect_place("beta/parrot", 2, 0);
    assert_int_equal(remora_plan_skipped(&f.plan, p, skipped), 2);
    assert_int_equal(remora_plan_skipped(&f.plan, a, skipped), 0);
}

static void who_stands_behind_one_that_is_taken_out_moves_up_as_in_a_plan_made_so(void **state)
{
    (void)state;
    cool(plan_endpoint(&f, echo, a->provider, "alpha/slow"));
    f.request.models = LIST(S("acme/parrot-2"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    expect_place("alpha/slow", 0, 2);
    expect_place("beta/parrot", 3, 0);
    remora_plan_pass_over(&f.plan, index_of("beta/fast"), REMORA_RULE_COOLING, f.now_ns);
    expect_moved_up();
    cool(b);
    assert_int_equal(plan_build(&f), REMORA_OK);
    expect_moved_up();
}

static void a_plan_that_loses_its_last_endpoint_has_the_verdict_of_one_made_so(void **state)
{
    (void)state;
    assert_int_equal(plan_build(&f), REMORA_OK);
    remora_plan_pass_over(&f.plan, index_of("alpha"), REMORA_RULE_COOLING,
                          f.now_ns + REMORA_NS_PER_S);
    assert_int_equal(f.plan.models[0].code, REMORA_OK);
    remora_plan_pass_over(&f.plan, index_of("beta/fast"), REMORA_RULE_COOLING,
                          f.now_ns + 3 * REMORA_NS_PER_S);
    assert_int_equal(remora_plan_usable(&f.plan), 0);
    assert_int_equal(f.plan.models[0].code, REMORA_CAPACITY_EXHAUSTED);
    struct remora_fail fail = {0};
    assert_int_equal(remora_plan_verdict(&f.plan, f.now_ns, &fail), REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(fail.retry_after_ms, 1000);
}

static void endpoints_that_rest_beside_failed_ones_are_worth_waiting_for(void **state)
{
    (void)state;
    struct remora_fail fail = {0};
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_rest(&f.plan, f.now_ns, &fail), REMORA_OK); /* none rests */
    assert_int_equal(fail.code, REMORA_OK);
    cool(b);
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_rest(&f.plan, f.now_ns, &fail), REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(fail.retry_after_ms, 5000);
    remora_plan_pass_over(&f.plan, index_of("alpha"), REMORA_RULE_BREAKER_OPEN,
                          f.now_ns + REMORA_NS_PER_S);
    fail = (struct remora_fail){0};
    assert_int_equal(remora_plan_rest(&f.plan, f.now_ns, &fail), REMORA_UPSTREAM_OVERLOADED);
    assert_non_null(strstr(fail.message, "2 endpoints of the plan rest"));
    assert_int_equal(fail.retry_after_ms, 1000);
}

static void a_model_that_nobody_knows_is_told_as_it_was_asked(void **state)
{
    (void)state;
    f.request.model = S("acme/unheard-of");
    f.request.models = LIST(S("acme/parrot-2"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, p, skipped), 1);
    assert_slice_equal(skipped[0].model, "acme/unheard-of");
    assert_true(skipped[0].is_asked);
    assert_null(skipped[0].endpoint);
    assert_int_equal(skipped[0].code, REMORA_MODEL_NOT_FOUND);
}

static void endpoints_of_all_models_count_as_usable(void **state)
{
    (void)state;
    f.request.models = LIST(S("acme/parrot-2"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_usable(&f.plan), 3);
}

/* What is wrong with the request or with us leaves nothing to explain. */
static void codes_tell_whether_there_is_a_plan(void **state)
{
    static const enum remora_code none[] = {REMORA_INVALID_REQUEST, REMORA_UNIMPLEMENTED,
                                            REMORA_TOO_LARGE, REMORA_SHEDDING};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(none); i++) {
        assert_false(remora_plan_is_made(none[i]));
    }
    assert_true(remora_plan_is_made(REMORA_OK));
    assert_true(remora_plan_is_made(REMORA_CONSTRAINT_FILTERED));
}

static void every_model_before_who_answered_is_looked_at(void **state)
{
    (void)state;
    f.request.model = S("acme/unheard-of");
    f.request.models = LIST(S("acme/echo-1"), S("acme/parrot-2"));
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("acme/echo-1"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, p, skipped), 2);
    assert_slice_equal(skipped[1].model, "acme/echo-1");
    assert_int_equal(skipped[1].exclusion.rule, REMORA_RULE_MODEL_ALLOW_LIST);
}

static void a_model_that_one_rule_removed_is_told_with_it(void **state)
{
    (void)state;
    f.request.models = LIST(S("acme/parrot-2"));
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_allow = LIST(S("acme/parrot-*"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, p, skipped), 1);
    assert_slice_equal(skipped[0].model, "acme/echo-1");
    assert_false(skipped[0].is_asked);
    assert_int_equal(skipped[0].exclusion.layer, REMORA_LAYER_SERVICE);
}

static void a_model_that_several_rules_removed_is_told_without_one(void **state)
{
    (void)state;
    f.request.models = LIST(S("acme/parrot-2"));
    plan_layer(&f, REMORA_LAYER_SERVICE)->provider.ignore = LIST(S("alpha"));
    plan_layer(&f, REMORA_LAYER_MESH)->provider.ignore = LIST(S("beta/fast"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, p, skipped), 1);
    assert_int_equal(skipped[0].exclusion.rule, REMORA_RULE_NONE);
    assert_true(skipped[0].code != REMORA_OK);
}

static void more_than_are_told_are_counted(void **state)
{
    (void)state;
    enum { REST = REMORA_SKIPPED_MAX + 3 };
    struct remora_skipped told[REMORA_SKIPPED_MAX + 1] = {0}; /* the last is nobody's to write */
    for (int i = 0; i < REST - 2; i++) {
        cool(plan_endpoint(&f, echo, a->provider, "alpha"));
    }
    cool(a);
    cool(b);
    f.request.models = LIST(S("acme/parrot-2"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(remora_plan_skipped(&f.plan, p, told), REST);
    assert_slice_equal(told[REMORA_SKIPPED_MAX - 1].model, "acme/echo-1");
    assert_null(told[REMORA_SKIPPED_MAX].model.data);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_condition_has_its_rule),
        CASE(nothing_is_passed_over_where_the_first_answers),
        CASE(a_resting_endpoint_before_who_answered_is_told),
        CASE(a_resting_endpoint_behind_who_answered_is_no_matter),
        CASE(what_rests_behind_a_second_who_answered_is_no_matter),
        CASE(an_endpoint_taken_out_meanwhile_keeps_its_place_among_the_others),
        CASE(an_endpoint_taken_out_meanwhile_is_told_like_one_that_was_out),
        CASE(who_stands_behind_one_that_is_taken_out_moves_up_as_in_a_plan_made_so),
        CASE(a_plan_that_loses_its_last_endpoint_has_the_verdict_of_one_made_so),
        CASE(endpoints_that_rest_beside_failed_ones_are_worth_waiting_for),
        CASE(a_model_that_nobody_knows_is_told_as_it_was_asked),
        CASE(endpoints_of_all_models_count_as_usable),
        CASE(codes_tell_whether_there_is_a_plan),
        CASE(every_model_before_who_answered_is_looked_at),
        CASE(a_model_that_one_rule_removed_is_told_with_it),
        CASE(a_model_that_several_rules_removed_is_told_without_one),
        CASE(more_than_are_told_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
