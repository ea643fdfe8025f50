/* Answers that are no failures of an endpoint: what they do to its breaker, and to a probe that was claimed. */
#include "engine_fixture.h"

enum { IN_A_ROW = 5, WINDOW_MS = 30000, BENCH_MS = 300000 };

#define ONE                                                                          \
    "service: checkout\nproviders:\n"                                                \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: {env: A_KEY}}\n" \
    "models:\n  t/m: {endpoints: [{provider: a, model_id: m}]}\n"
#define TWO_KEYS                                                                           \
    "service: checkout\nproviders:\n"                                                      \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: [{env: A_KEY}, {env: " \
    "B_KEY}]}\n"                                                                           \
    "models:\n  t/m: {endpoints: [{provider: a, model_id: m}]}\n"

static uint32_t slot(const struct engine_fixture *f)
{
    return f->config->models[0].endpoints[0].health;
}

static uint32_t key_slot(const struct engine_fixture *f)
{
    return f->config->models[0].endpoints[0].provider->credentials[0].health;
}

static void expect(const struct engine_fixture *f, uint32_t of, enum remora_condition condition)
{
    uint64_t until_ns = 0;
    assert_int_equal(remora_health_condition(f->health, of, f->now_ns, &until_ns), condition);
}

/* One request, answered once by the only endpoint. */
static void answer(struct engine_fixture *f, int status, const char *body)
{
    fixture_forget(f);
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_int_equal(f->transfer_count, 1);
    play_answer(f, 0, status, body);
    assert_null(f->exchange);
}

/* Five failures, and the window is over. */
static struct engine_fixture *half_open(const char *yaml)
{
    struct engine_fixture *f = fixture_new_yaml(yaml);
    for (int i = 0; i < IN_A_ROW; i++) {
        answer(f, 500, "{}");
    }
    expect(f, slot(f), REMORA_CONDITION_BREAKER_OPEN);
    fixture_pass_ms(f, WINDOW_MS);
    expect(f, slot(f), REMORA_CONDITION_PROBE);
    return f;
}

#define CONTEXT "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}"
#define CONTENT "{\"error\":{\"message\":\"no\",\"code\":\"content_policy_violation\"}}"

static void a_probe_that_is_refused_for_the_request_closes_the_breaker(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum remora_code code;
    } refusals[] = {{400, "{}", REMORA_UPSTREAM_REFUSED_REQUEST},
                    {422, "{}", REMORA_UPSTREAM_REFUSED_REQUEST},
                    {400, CONTEXT, REMORA_CONTEXT_LENGTH},
                    {400, CONTENT, REMORA_CONTENT_POLICY}};
    for (size_t i = 0; i < REMORA_COUNT_OF(refusals); i++) {
        struct engine_fixture *f = half_open(ONE);
        answer(f, refusals[i].status, refusals[i].body);
        assert_int_equal(f->outcome.fail.code, refusals[i].code);
        expect(f, slot(f), REMORA_CONDITION_WELL);
        fixture_free(f);
    }
}

static void a_probe_without_the_model_closes_the_breaker_and_rests(void **state)
{
    (void)state;
    struct engine_fixture *f = half_open(ONE);
    answer(f, 404, "{}");
    expect(f, slot(f), REMORA_CONDITION_GONE);
    fixture_pass_ms(f, 120000);
    expect(f, slot(f), REMORA_CONDITION_WELL);
    fixture_free(f);
}

static void a_probe_that_is_limited_cools_and_is_due_again(void **state)
{
    (void)state;
    struct engine_fixture *f = half_open(ONE);
    answer(f, 429, "{}");
    expect(f, slot(f), REMORA_CONDITION_COOLING);
    fixture_pass_ms(f, 6000); /* the longest without a hint, and far from a window */
    expect(f, slot(f), REMORA_CONDITION_PROBE);
    answer(f, 500, "{}");
    expect(f, slot(f), REMORA_CONDITION_BREAKER_OPEN);
    fixture_free(f);
}

static void a_probe_whose_key_is_refused_is_made_with_the_next_key(void **state)
{
    (void)state;
    struct engine_fixture *f = half_open(TWO_KEYS);
    fixture_forget(f);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 401, "{}");
    assert_int_equal(f->transfer_count, 2);
    play_good_unary(f, 1, "x");
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    expect(f, slot(f), REMORA_CONDITION_WELL);
    expect(f, key_slot(f), REMORA_CONDITION_BENCHED);
    fixture_free(f);
}

/* The key is refused to somebody else while the endpoint in front is tried. */
static void a_probe_that_found_no_key_is_due_again(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(
        "service: checkout\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: {env: A_KEY}}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"
        "models:\n  t/m:\n    endpoints:\n"
        "      - {provider: b, model_id: m}\n      - {provider: a, model_id: m}\n");
    const struct remora_endpoint *behind = &f->config->models[0].endpoints[1];
    for (int i = 0; i < IN_A_ROW; i++) {
        remora_health_failure(f->health, behind->health, f->now_ns);
    }
    fixture_pass_ms(f, WINDOW_MS);
    fixture_start(f, REMORA_UNARY, "t/m");
    remora_health_bench(f->health, behind->provider->credentials[0].health, f->now_ns);
    play_answer(f, 0, 500, "{}");
    assert_int_equal(f->transfer_count, 1);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_OVERLOADED);
    expect(f, behind->health, REMORA_CONDITION_PROBE);
    fixture_free(f);
}

static void a_probe_that_could_not_be_sent_is_due_again(void **state)
{
    (void)state;
    struct engine_fixture *f = half_open(ONE);
    f->next_start = REMORA_SHEDDING;
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_null(f->exchange);
    expect(f, slot(f), REMORA_CONDITION_PROBE);

    fixture_forget(f);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_end(f, 0, REMORA_CAUSE_DNS);
    expect(f, slot(f), REMORA_CONDITION_PROBE);
    fixture_free(f);
}

static void a_probe_that_is_cut_short_ends_with_its_window(void **state)
{
    (void)state;
    struct engine_fixture *f = half_open(ONE);
    fixture_start_with(f, REMORA_UNARY, "t/m", NULL, 1000);
    fixture_pass_ms(f, 1000);
    assert_int_equal(f->outcome.fail.code, REMORA_DEADLINE);
    expect(f, slot(f), REMORA_CONDITION_BREAKER_OPEN);
    fixture_pass_ms(f, WINDOW_MS);
    expect(f, slot(f), REMORA_CONDITION_PROBE);
    fixture_free(f);
}

enum stopped_by { STOPPED_BY_CALLER, STOPPED_BY_DEADLINE, STOPPED_BY_DRAIN, STOPPED_BY_KINDS };

/* A stream that has given content, and is ended by its reader, the total or a drain. */
static void stop_a_stream(struct engine_fixture *f, enum stopped_by by)
{
    fixture_forget(f);
    fixture_start_with(f, REMORA_STREAM, "t/m", NULL, 1000);
    assert_int_equal(f->transfer_count, 1);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("content"));
    if (by == STOPPED_BY_CALLER) {
        remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
        f->exchange = NULL;
    } else if (by == STOPPED_BY_DEADLINE) {
        fixture_pass_ms(f, 1000);
        assert_int_equal(f->outcome.fail.code, REMORA_DEADLINE);
    } else {
        remora_engine_abort_all(f->engine);
        assert_int_equal(f->outcome.fail.code, REMORA_DRAINING);
    }
    assert_true(f->outcome.has_begun);
}

static void a_stream_that_is_stopped_after_content_proves_that_the_endpoint_works(void **state)
{
    (void)state;
    for (int by = 0; by < STOPPED_BY_KINDS; by++) {
        struct engine_fixture *f = half_open(ONE);
        stop_a_stream(f, (enum stopped_by)by);
        expect(f, slot(f), REMORA_CONDITION_WELL);
        for (int n = 0; n < IN_A_ROW && by != STOPPED_BY_DRAIN; n++) {
            answer(f, 500, "{}");
            stop_a_stream(f, (enum stopped_by)by);
        }
        expect(f, slot(f), REMORA_CONDITION_WELL);
        fixture_free(f);
    }
}

/* By itself, and not because we or the caller ended it. */
static void streams_that_break_after_content_open_the_breaker(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(ONE);
    for (int n = 0; n < IN_A_ROW; n++) {
        fixture_forget(f);
        fixture_start(f, REMORA_STREAM, "t/m");
        play_head(f, 0, 200, NULL);
        (void)play_body(f, 0, CHUNK_TEXT("x"));
        play_end(f, 0, REMORA_CAUSE_RESET);
        assert_null(f->exchange);
    }
    expect(f, slot(f), REMORA_CONDITION_BREAKER_OPEN);
    fixture_free(f);
}

/* The caller has left before there was content: that says nothing. */
static void a_probe_that_is_left_before_content_proves_nothing(void **state)
{
    (void)state;
    struct engine_fixture *f = half_open(ONE);
    fixture_forget(f);
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_ROLE);
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    f->exchange = NULL;
    expect(f, slot(f), REMORA_CONDITION_BREAKER_OPEN);
    fixture_free(f);
}

static void a_key_s_probe_without_a_verdict_is_due_again(void **state)
{
    (void)state;
    static const int statuses[] = {400, 429, 500};
    for (size_t i = 0; i < REMORA_COUNT_OF(statuses); i++) {
        struct engine_fixture *f = fixture_new_yaml(ONE);
        answer(f, 401, "{}");
        expect(f, key_slot(f), REMORA_CONDITION_BENCHED);
        fixture_pass_ms(f, BENCH_MS);
        answer(f, statuses[i], "{}");
        expect(f, key_slot(f), REMORA_CONDITION_PROBE);
        fixture_free(f);
    }
}

static void a_key_that_works_again_is_well(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(ONE);
    answer(f, 401, "{}");
    fixture_pass_ms(f, BENCH_MS);
    expect(f, key_slot(f), REMORA_CONDITION_PROBE);
    fixture_forget(f);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_good_unary(f, 0, "x");
    expect(f, key_slot(f), REMORA_CONDITION_WELL);
    fixture_free(f);
}

/* A fault of the configuration, and a 404 that may be of one request alone: no verdict on the endpoint. */
static void a_probe_that_tells_nothing_of_the_endpoint_is_due_again(void **state)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {
        {400, "{\"error\":{\"message\":\"m\",\"param\":\"remora-hop\",\"code\":400,\"metadata\":{"
              "\"reason\":\"WRONG_ENDPOINT\"}}}"},
        {404, "{\"error\":{\"message\":\"no Route matched\"}}"},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct engine_fixture *f = half_open(ONE);
        answer(f, cases[i].status, cases[i].body);
        expect(f, slot(f), REMORA_CONDITION_PROBE);
        fixture_free(f);
    }
}

static void an_answer_between_failures_breaks_the_row(void **state)
{
    (void)state;
    static const int between[] = {400, 404, 422};
    for (size_t i = 0; i < REMORA_COUNT_OF(between); i++) {
        struct engine_fixture *f = fixture_new_yaml(ONE);
        for (int n = 0; n < IN_A_ROW; n++) {
            answer(f, 500, "{}");
            answer(f, between[i], "{}");
            fixture_pass_ms(f, 120000); /* the rest of one without the model */
        }
        expect(f, slot(f), REMORA_CONDITION_WELL);
        fixture_free(f);
    }
}

static void a_429_and_a_refused_key_break_the_row(void **state)
{
    (void)state;
    static const int between[] = {429, 401};
    for (size_t i = 0; i < REMORA_COUNT_OF(between); i++) {
        struct engine_fixture *f = fixture_new_yaml(ONE);
        for (int n = 0; n < IN_A_ROW; n++) {
            answer(f, 500, "{}");
            answer(f, between[i], "{}");
            fixture_pass_ms(f, 3600000);
        }
        expect(f, slot(f), REMORA_CONDITION_WELL);
        fixture_free(f);
    }
}

/* At least half of at least 20: the 400s are what makes 20 of them. */
static void answers_that_refuse_count_in_the_window(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(ONE);
    for (int n = 0; n < 9; n++) {
        answer(f, 400, "{}");
        answer(f, 500, "{}");
    }
    answer(f, 400, "{}");
    expect(f, slot(f), REMORA_CONDITION_WELL);
    answer(f, 500, "{}");
    expect(f, slot(f), REMORA_CONDITION_BREAKER_OPEN);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_that_is_refused_for_the_request_closes_the_breaker),
        cmocka_unit_test(a_probe_without_the_model_closes_the_breaker_and_rests),
        cmocka_unit_test(a_probe_that_is_limited_cools_and_is_due_again),
        cmocka_unit_test(a_probe_whose_key_is_refused_is_made_with_the_next_key),
        cmocka_unit_test(a_probe_that_found_no_key_is_due_again),
        cmocka_unit_test(a_probe_that_could_not_be_sent_is_due_again),
        cmocka_unit_test(a_probe_that_is_cut_short_ends_with_its_window),
        cmocka_unit_test(a_stream_that_is_stopped_after_content_proves_that_the_endpoint_works),
        cmocka_unit_test(streams_that_break_after_content_open_the_breaker),
        cmocka_unit_test(a_probe_that_is_left_before_content_proves_nothing),
        cmocka_unit_test(a_key_s_probe_without_a_verdict_is_due_again),
        cmocka_unit_test(a_key_that_works_again_is_well),
        cmocka_unit_test(a_probe_that_tells_nothing_of_the_endpoint_is_due_again),
        cmocka_unit_test(an_answer_between_failures_breaks_the_row),
        cmocka_unit_test(a_429_and_a_refused_key_break_the_row),
        cmocka_unit_test(answers_that_refuse_count_in_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
