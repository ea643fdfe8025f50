/* What is passed over without an attempt is told: by the outcome, past the commit point, and in what is said at the end. */
#include "engine_fixture.h"
#include "remora/text.h"

#define TWO_MODELS                                                                      \
    "service: checkout\nproviders:\n"                                                   \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: {env: A_KEY}}\n"    \
    "  b: {kind: openai, base_url: \"http://127.0.0.1/b\", api_key: {env: B_KEY}}\n"    \
    "models:\n"                                                                         \
    "  t/denied: {endpoints: [{provider: a, model_id: m}]}\n"                           \
    "  t/m:\n    endpoints:\n"                                                          \
    "      - {provider: a, model_id: m, pricing: {prompt: \"0\", completion: \"0\"}}\n" \
    "      - {provider: b, model_id: m, pricing: {prompt: \"0\", completion: \"0\"}}\n" \
    "services:\n  checkout: {models: {deny: [\"t/denied\"]}}\n"

enum { MINUTE_S = 60 };

static const struct remora_endpoint *endpoint(const struct engine_fixture *f, const char *model,
                                              size_t at)
{
    for (size_t i = 0; i < f->config->model_count; i++) {
        if (remora_slice_is(f->config->models[i].facts.id, model)) {
            return &f->config->models[i].endpoints[at];
        }
    }
    fail_msg("no model %s", model);
    return NULL;
}

static void cool(struct engine_fixture *f, size_t at)
{
    remora_health_cool(f->health, endpoint(f, "t/m", at)->health, f->now_ns,
                       MINUTE_S * REMORA_NS_PER_S);
}

static void expect_endpoint(const struct engine_fixture *f, size_t at, const char *tag,
                            enum remora_rule rule)
{
    const struct remora_skipped *one = &f->outcome.skipped[at];
    assert_true(at < f->outcome.skipped_count);
    assert_non_null(one->endpoint);
    assert_slice_equal(one->endpoint->facts.tag, tag);
    assert_slice_equal(one->model, "t/m");
    assert_int_equal(one->exclusion.rule, rule);
    assert_int_equal(one->exclusion.layer, REMORA_LAYER_HEALTH);
    assert_int_equal(one->code, remora_rule_family(rule));
}

static void expect_model(const struct engine_fixture *f, size_t at, const char *model,
                         enum remora_code code, enum remora_rule rule, enum remora_layer layer)
{
    const struct remora_skipped *one = &f->outcome.skipped[at];
    assert_true(at < f->outcome.skipped_count);
    assert_null(one->endpoint);
    assert_slice_equal(one->model, model);
    assert_int_equal(one->code, code);
    assert_int_equal(one->exclusion.rule, rule);
    assert_int_equal(one->exclusion.layer, layer);
}

/* ---- before the plan ---- */

static void an_endpoint_that_rests_is_told_past_the_commit_point(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    cool(f, 0);
    fixture_start(f, REMORA_STREAM, "t/m");
    assert_string_equal(f->transfers[0].provider, "b");
    play_good_stream(f, 0, "x");
    assert_int_equal(f->outcome.skipped_count, 1);
    expect_endpoint(f, 0, "a", REMORA_RULE_COOLING);
    assert_true(remora_outcome_is_notable(&f->outcome));
    fixture_free(f);
}

static void one_that_stood_behind_is_not_told(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    cool(f, 1);
    fixture_start(f, REMORA_STREAM, "t/m");
    play_good_stream(f, 0, "x");
    assert_int_equal(f->outcome.skipped_count, 0);
    assert_false(remora_outcome_is_notable(&f->outcome));
    fixture_free(f);
}

static void a_benched_key_is_told_as_such(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    remora_health_bench(f->health, endpoint(f, "t/m", 0)->provider->credentials[0].health,
                        f->now_ns);
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_string_equal(f->transfers[0].provider, "b");
    play_good_unary(f, 0, "x");
    assert_int_equal(f->outcome.skipped_count, 1);
    expect_endpoint(f, 0, "a", REMORA_RULE_CREDENTIAL_BENCHED);
    fixture_free(f);
}

static void a_model_that_is_unknown_or_denied_is_told_with_its_reason(void **state)
{
    (void)state;
    char unknown[] = "t/nobody-knows";
    const char *const models[] = {"t/denied", "t/m", NULL};
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    fixture_start_with(f, REMORA_STREAM, unknown, models, -1);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x"));
    memset(unknown, '?', sizeof unknown - 1); /* the request's text goes at the commit point */
    (void)play_body(f, 0, CHUNK_STOP CHUNK_DONE);
    assert_int_equal(f->outcome.skipped_count, 2);
    expect_model(f, 0, "t/nobody-knows", REMORA_MODEL_NOT_FOUND, REMORA_RULE_NONE,
                 REMORA_LAYER_UNSET);
    expect_model(f, 1, "t/denied", REMORA_MODEL_NOT_ALLOWED, REMORA_RULE_MODEL_ALLOW_LIST,
                 REMORA_LAYER_SERVICE);
    fixture_free(f);
}

/* ---- between the plan and its turn ---- */

static void one_that_began_to_rest_after_the_plan_is_told(void **state)
{
    (void)state;
    const char *const models[] = {"t/m", NULL};
    struct engine_fixture *f = fixture_new_yaml(
        "service: checkout\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\"}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"
        "models:\n"
        "  t/first: {endpoints: [{provider: a, model_id: m}]}\n"
        "  t/m:\n    endpoints:\n"
        "      - {provider: a, model_id: m}\n      - {provider: b, model_id: m}\n");
    fixture_start_with(f, REMORA_STREAM, "t/first", models, -1);
    cool(f, 0);
    play_answer(f, 0, 500, "{}");
    assert_string_equal(f->transfers[1].provider, "b");
    play_good_stream(f, 1, "x");
    assert_int_equal(f->outcome.attempt_count, 2);
    assert_int_equal(f->outcome.skipped_count, 1);
    expect_endpoint(f, 0, "a", REMORA_RULE_COOLING);
    fixture_free(f);
}

static void
one_whose_keys_were_benched_after_the_plan_is_told_with_the_soonest_of_them(void **state)
{
    const char *const models[] = {"t/m", NULL};
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(
        "service: checkout\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: [{env: A_KEY}, {env: "
        "B_KEY}]}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"
        "models:\n"
        "  t/first: {endpoints: [{provider: b, model_id: m}]}\n"
        "  t/m:\n    endpoints:\n      - {provider: a, model_id: m}\n");
    const struct remora_provider *a = endpoint(f, "t/m", 0)->provider;
    fixture_start_with(f, REMORA_STREAM, "t/first", models, -1);
    remora_health_bench(f->health, a->credentials[1].health, f->now_ns);
    fixture_pass_ms(f, 1000);
    remora_health_bench(f->health, a->credentials[0].health, f->now_ns);
    play_answer(f, 0, 500, "{}");
    assert_null(f->exchange);
    assert_int_equal(f->outcome.skipped_count, 1);
    expect_endpoint(f, 0, "a", REMORA_RULE_CREDENTIAL_BENCHED);
    fixture_free(f);
}

static void an_endpoint_that_was_tried_is_no_skipped_one(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 401, "{}"); /* benches the only key of a */
    play_good_unary(f, 1, "x");
    assert_int_equal(f->outcome.attempt_count, 2);
    assert_int_equal(f->outcome.skipped_count, 0);
    fixture_free(f);
}

/* ---- nobody answers ---- */

static void a_lasting_failure_beside_a_resting_endpoint_is_worth_a_retry(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    cool(f, 1);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 401, "{}");
    assert_null(f->exchange);
    assert_int_equal(f->outcome.fail.code, REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(f->outcome.fail.retry_after_ms, MINUTE_S * 1000);
    assert_int_equal(f->outcome.skipped_count, 1);
    expect_endpoint(f, 0, "b", REMORA_RULE_COOLING);
    fixture_free(f);
}

static void a_refused_request_beside_a_resting_endpoint_is_worth_a_retry(void **state)
{
    (void)state;
    for (size_t resting = 0; resting < 2;
         resting++) { /* in front of the one that refuses, or behind */
        struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
        cool(f, resting);
        fixture_start(f, REMORA_UNARY, "t/m");
        play_answer(f, 0, 400, "{}");
        assert_int_equal(f->outcome.fail.code, REMORA_CAPACITY_EXHAUSTED);
        assert_int_equal(f->outcome.fail.retry_after_ms, MINUTE_S * 1000);
        assert_int_equal(f->outcome.attempts[0].code, REMORA_UPSTREAM_REFUSED_REQUEST);
        fixture_free(f);
    }
}

#define THREE                                                              \
    "service: checkout\nproviders:\n"                                      \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\"}\n"              \
    "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"              \
    "  c: {kind: openai, base_url: \"http://127.0.0.1/c\"}\n"              \
    "models:\n  t/m:\n    endpoints:\n"                                    \
    "      - {provider: a, model_id: m, context_length: 1000}\n"           \
    "      - {provider: b, model_id: m, context_length: 2000}\n"           \
    "      - {provider: a, model_id: n, tag: a/2, context_length: 1000}\n" \
    "      - {provider: c, model_id: m, context_length: 1000}\n"
#define CONTEXT "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}"
#define CONTENT "{\"error\":{\"message\":\"no\",\"code\":\"content_policy_violation\"}}"

/* Of the endpoints behind a, those of `rest` rest. What the last attempt says is the caller's own. */
static void expect_refused(unsigned rest, size_t answers, const char *body, enum remora_code code)
{
    struct engine_fixture *f = fixture_new_yaml(THREE);
    for (size_t i = 0; i < 4; i++) {
        if ((rest & 1U << i) != 0) {
            cool(f, i);
        }
    }
    fixture_start(f, REMORA_UNARY, "t/m");
    for (size_t i = 0; i < answers; i++) {
        play_answer(f, i, 400, body);
    }
    assert_null(f->exchange);
    assert_int_equal(f->outcome.fail.code, code);
    fixture_free(f);
}

static void what_would_not_have_been_asked_is_worth_no_retry(void **state)
{
    (void)state;
    expect_refused(1U << 2, 2, "{}", REMORA_UPSTREAM_REFUSED_REQUEST); /* the same provider */
    expect_refused(1U << 3, 2, "{}", REMORA_UPSTREAM_REFUSED_REQUEST); /* two have refused */
    expect_refused(1U << 1, 1, CONTENT, REMORA_CONTENT_POLICY);
    expect_refused(1U << 3, 2, CONTEXT, REMORA_CONTEXT_LENGTH);     /* no larger window */
    expect_refused(1U << 1, 1, CONTEXT, REMORA_CAPACITY_EXHAUSTED); /* a larger one */
    expect_refused(1U << 0, 1, CONTENT, REMORA_CAPACITY_EXHAUSTED); /* it stood in front */
}

static void a_window_of_the_same_size_is_worth_no_retry(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(
        "service: checkout\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\"}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"
        "models:\n  t/m: {context_length: 1000, endpoints: [{provider: a, model_id: m}, "
        "{provider: b, model_id: m}]}\n");
    cool(f, 1);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 400, CONTEXT);
    assert_int_equal(f->outcome.fail.code, REMORA_CONTEXT_LENGTH);
    fixture_free(f);
}

/* It is worth a retry by itself. */
static void a_transient_failure_beside_a_resting_endpoint_is_itself(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    cool(f, 1);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_end(f, 0, REMORA_CAUSE_RESET);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_UNAVAILABLE);
    fixture_free(f);
}

static void who_leaves_is_told_what_was_passed_over(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
    cool(f, 0);
    fixture_start(f, REMORA_UNARY, "t/m");
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    f->exchange = NULL;
    assert_int_equal(f->outcome.skipped_count, 1);
    expect_endpoint(f, 0, "a", REMORA_RULE_COOLING);
    fixture_free(f);
}

/* Another worker that cools t/m's endpoints when the clock is read for the nth time. */
struct meddler {
    struct remora_clock clock; /* first */
    struct engine_fixture *f;
    unsigned reads;
    unsigned at;
};
static struct meddler meddler;

static uint64_t meddling_now(const struct remora_clock *clock)
{
    struct engine_fixture *f = meddler.f;
    (void)clock;
    if (++meddler.reads == meddler.at) {
        cool(f, 0);
        cool(f, 1);
    }
    return f->now_ns;
}

static void what_rests_before_its_turn_gives_the_verdict(void **state)
{
    (void)state;
    unsigned untried = 0;
    for (unsigned at = 1; at <= 12; at++) {
        struct engine_fixture *f = fixture_new_yaml(TWO_MODELS);
        meddler = (struct meddler){.f = f, .at = at};
        f->clock.now_ns = meddling_now;
        fixture_start(f, REMORA_UNARY, "t/m");
        if (f->transfer_count == 0) {
            untried++;
            assert_int_equal(f->outcome.fail.code, REMORA_CAPACITY_EXHAUSTED);
            assert_int_equal(f->outcome.fail.retry_after_ms, MINUTE_S * 1000);
            assert_string_equal(f->outcome.fail.message,
                                "no endpoint of 't/m' can be tried: cooling (2)");
        } else {
            play_good_unary(f, 0, "x");
        }
        fixture_free(f);
    }
    assert_true(untried > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_that_rests_is_told_past_the_commit_point),
        cmocka_unit_test(one_that_stood_behind_is_not_told),
        cmocka_unit_test(a_benched_key_is_told_as_such),
        cmocka_unit_test(a_model_that_is_unknown_or_denied_is_told_with_its_reason),
        cmocka_unit_test(one_that_began_to_rest_after_the_plan_is_told),
        cmocka_unit_test(
            one_whose_keys_were_benched_after_the_plan_is_told_with_the_soonest_of_them),
        cmocka_unit_test(an_endpoint_that_was_tried_is_no_skipped_one),
        cmocka_unit_test(a_lasting_failure_beside_a_resting_endpoint_is_worth_a_retry),
        cmocka_unit_test(a_refused_request_beside_a_resting_endpoint_is_worth_a_retry),
        cmocka_unit_test(what_would_not_have_been_asked_is_worth_no_retry),
        cmocka_unit_test(a_window_of_the_same_size_is_worth_no_retry),
        cmocka_unit_test(a_transient_failure_beside_a_resting_endpoint_is_itself),
        cmocka_unit_test(who_leaves_is_told_what_was_passed_over),
        cmocka_unit_test(what_rests_before_its_turn_gives_the_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
