/* Who is asked next where attempts are few, where keys are refused, and after a model is gone. */
#include "engine_fixture.h"

#include <stdio.h>

/* ---- few attempts ---- */

#define THREE_MODELS                                                                           \
    "service: checkout\nproviders:\n"                                                          \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\"}\n"                                  \
    "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"                                  \
    "  c: {kind: openai, base_url: \"http://127.0.0.1/c\"}\n"                                  \
    "models:\n"                                                                                \
    "  t/a: {endpoints: [{provider: a, model_id: m}, {provider: a, tag: a/2, model_id: m}]}\n" \
    "  t/b: {endpoints: [{provider: b, model_id: m}]}\n"                                       \
    "  t/c: {endpoints: [{provider: c, model_id: m}]}\n"

static struct engine_fixture *few(const char *yaml, const char *const *models)
{
    struct engine_fixture *f = fixture_new_yaml(yaml);
    fixture_start_with(f, REMORA_UNARY, "t/a", models, -1);
    return f;
}

static void the_first_model_is_asked_however_few_the_attempts(void **state)
{
    (void)state;
    static const char *const lists[2][3] = {{"t/b", NULL}, {"t/b", "t/c", NULL}};
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = few(THREE_MODELS "attempts: {per_request: 1}\n", lists[i]);
        assert_string_equal(f->transfers[0].provider, "a");
        play_good_unary(f, 0, "x");
        assert_int_equal(f->outcome.attempt_count, 1);
        fixture_free(f);

        f = few(THREE_MODELS "attempts: {per_request: 1}\n", lists[i]);
        play_answer(f, 0, 500, "{}");
        assert_null(f->exchange);
        assert_int_equal(f->transfer_count, 1);
        fixture_free(f);
    }
}

static void the_last_models_go_without_where_attempts_are_too_few_for_all(void **state)
{
    (void)state;
    static const char *const models[] = {"t/b", "t/c", NULL};
    struct engine_fixture *f = few(THREE_MODELS "attempts: {per_request: 2}\n", models);
    play_answer(f, 0, 500, "{}");
    assert_string_equal(f->transfers[0].provider, "a");
    assert_string_equal(f->transfers[1].provider, "b"); /* not a/2: b's place was kept */
    play_answer(f, 1, 500, "{}");
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 2);
    fixture_free(f);
}

static void each_model_to_come_keeps_an_attempt(void **state)
{
    (void)state;
    static const char *const models[] = {"t/b", "t/c", NULL};
    static const char *const turns[] = {"a", "b", "c"};
    struct engine_fixture *f = few(THREE_MODELS "attempts: {per_request: 3}\n", models);
    for (size_t i = 0; i < REMORA_COUNT_OF(turns); i++) {
        assert_string_equal(f->transfers[i].provider, turns[i]);
        play_answer(f, i, 500, "{}");
    }
    assert_null(f->exchange);
    fixture_free(f);
}

static void a_policy_bounds_the_attempts_of_its_requests(void **state)
{
    (void)state;
    struct engine_fixture *f =
        fixture_new_yaml(THREE_MODELS "services: {checkout: {provider: {max_attempts: 1}}}\n");
    fixture_start(f, REMORA_UNARY, "t/a");
    play_answer(f, 0, 500, "{}");
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 1);
    fixture_free(f);
}

#define TWO_OF_TWO                                                                         \
    "service: checkout\nproviders:\n"                                                      \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\"}\n"                              \
    "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"                              \
    "models:\n"                                                                            \
    "  t/a: {context_length: 1000, endpoints: [{provider: a, model_id: m}, {provider: b, " \
    "model_id: m}]}\n"                                                                     \
    "  t/b: {context_length: 1000, endpoints: [{provider: a, model_id: m}, {provider: b, " \
    "model_id: m}]}\n"

/* What one model's endpoints refused says nothing of those of the next: the same providers are asked anew. */
static void refusals_are_of_one_model(void **state)
{
    static const char *const models[] = {"t/b", NULL};
    static const char refused[] =
        "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}";
    static const char too_long[] =
        "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}";
    (void)state;
    struct engine_fixture *f = few(TWO_OF_TWO, models);
    play_answer(f, 0, 400, refused);
    play_answer(f, 1, 400, refused);
    assert_string_equal(f->transfers[2].provider, "a");
    play_good_unary(f, 2, "x");
    assert_slice_equal(f->outcome.attempts[2].model, "t/b");
    fixture_free(f);

    f = few(TWO_OF_TWO, models);
    play_answer(f, 0, 400, too_long); /* b's window is no larger */
    assert_string_equal(f->transfers[1].provider, "a");
    play_good_unary(f, 1, "x");
    assert_slice_equal(f->outcome.attempts[1].model, "t/b");
    fixture_free(f);
}

/* Nor does it shut the last provider that refused out of the next model. */
static void who_refused_one_model_s_request_is_asked_for_the_next(void **state)
{
    static const char *const models[] = {"t/b", NULL};
    (void)state;
    struct engine_fixture *f = few("service: checkout\nproviders:\n"
                                   "  a: {kind: openai, base_url: \"http://127.0.0.1/a\"}\n"
                                   "models:\n"
                                   "  t/a: {endpoints: [{provider: a, model_id: m}]}\n"
                                   "  t/b: {endpoints: [{provider: a, model_id: m}]}\n",
                                   models);
    play_answer(f, 0, 400, "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}");
    assert_int_equal(f->transfer_count, 2);
    play_good_unary(f, 1, "x");
    assert_slice_equal(f->outcome.attempts[1].model, "t/b");
    fixture_free(f);
}

static void a_refused_request_is_not_sent_to_the_same_provider_again(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(
        "service: checkout\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\"}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"
        "models:\n  t/m: {endpoints: [{provider: a, model_id: m}, {provider: a, tag: a/2, "
        "model_id: m}, {provider: b, model_id: m}]}\n");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 400, "{}");
    assert_string_equal(f->transfers[1].provider, "b");
    play_good_unary(f, 1, "x");
    fixture_free(f);
}

/* Nobody's window is known to be larger than one that is not known. */
static void a_text_too_long_for_an_unknown_window_goes_to_nobody_else(void **state)
{
    static const char too_long[] =
        "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}";
    (void)state;
    struct engine_fixture *f = few(THREE_MODELS, NULL);
    play_answer(f, 0, 400, too_long);
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 1);
    assert_int_equal(f->outcome.fail.code, REMORA_CONTEXT_LENGTH);
    fixture_free(f);
}

/* ---- keys ---- */

#define FOUR_KEYS                                                                           \
    "service: checkout\nproviders:\n"                                                       \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: [{env: K1_KEY}, {env: " \
    "K2_KEY}, {env: K3_KEY}, {env: K4_KEY}]}\n"                                             \
    "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"                               \
    "models:\n"                                                                             \
    "  t/a: {endpoints: [{provider: a, model_id: m}]}\n"                                    \
    "  t/m:\n    endpoints:\n"                                                              \
    "      - {provider: a, model_id: m}\n      - {provider: b, model_id: m}\n"

static void refused_keys_leave_the_other_endpoint_its_turn(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(FOUR_KEYS);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 401, "{}");
    assert_string_equal(f->transfers[1].provider, "a");
    play_answer(f, 1, 401, "{}");
    assert_string_equal(f->transfers[2].provider, "b");
    play_good_unary(f, 2, "x");
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    fixture_free(f);
}

static void with_two_attempts_the_second_is_the_other_endpoint_s(void **state)
{
    (void)state;
    static const char *const limits[] = {"attempts: {per_model: 2}\n",
                                         "attempts: {per_request: 2}\n"};
    for (size_t i = 0; i < 2; i++) {
        char yaml[2048];
        snprintf(yaml, sizeof yaml, "%s%s", FOUR_KEYS, limits[i]);
        struct engine_fixture *f = fixture_new_yaml(yaml);
        fixture_start(f, REMORA_UNARY, "t/m");
        play_answer(f, 0, 401, "{}");
        assert_string_equal(f->transfers[1].provider, "b");
        play_good_unary(f, 1, "x");
        fixture_free(f);
    }
}

#define MANY_ATTEMPTS "attempts: {per_model: 8, per_request: 8}\n"

/* However many attempts are left. */
static void an_endpoint_has_two_keys_refused_before_the_next_has_its_turn(void **state)
{
    (void)state;
    static const char *const turns[] = {"a", "a", "c", "c", "b"};
    struct engine_fixture *f = fixture_new_yaml(
        "service: checkout\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: [{env: K1_KEY}, {env: "
        "K2_KEY}, {env: K3_KEY}]}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"
        "  c: {kind: openai, base_url: \"http://127.0.0.1/c\", api_key: [{env: K4_KEY}, {env: "
        "K5_KEY}, {env: K6_KEY}]}\n"
        "models:\n  t/m:\n    endpoints:\n      - {provider: a, model_id: m}\n"
        "      - {provider: c, model_id: m}\n      - {provider: b, model_id: m}\n" MANY_ATTEMPTS);
    fixture_start(f, REMORA_UNARY, "t/m");
    for (size_t i = 0; i < REMORA_COUNT_OF(turns); i++) {
        assert_string_equal(f->transfers[i].provider, turns[i]);
        play_answer(f, i, 401, "{}");
    }
    fixture_free(f);
}

static void an_endpoint_without_a_key_has_no_next_one(void **state)
{
    (void)state;
    struct engine_fixture *f = few(THREE_MODELS MANY_ATTEMPTS, NULL);
    play_answer(f, 0, 401, "{}");
    play_answer(f, 1, 401, "{}");
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 2); /* a, and a/2 */
    assert_slice_equal(f->outcome.attempts[1].endpoint_tag, "a/2");
    fixture_free(f);
}

static void a_next_key_takes_no_place_that_is_kept_for_another_model(void **state)
{
    static const char *const models[] = {"t/b", "t/c", NULL};
    (void)state;
    struct engine_fixture *f =
        fixture_new_yaml(FOUR_KEYS "  t/b: {endpoints: [{provider: b, model_id: m}]}\n"
                                   "  t/c: {endpoints: [{provider: b, model_id: m}]}\n"
                                   "attempts: {per_model: 3, per_request: 4}\n");
    fixture_start_with(f, REMORA_UNARY, "t/m", models, -1);
    play_answer(f, 0, 401, "{}");
    assert_string_equal(f->transfers[1].provider, "b");
    play_good_unary(f, 1, "x");
    fixture_free(f);
}

static void keys_go_on_where_nobody_else_serves_the_model(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(FOUR_KEYS);
    fixture_start(f, REMORA_UNARY, "t/a");
    play_answer(f, 0, 401, "{}");
    play_answer(f, 1, 401, "{}");
    play_good_unary(f, 2, "x");
    assert_slice_equal(f->outcome.attempts[2].credential, "K3_KEY");
    fixture_free(f);
}

static void a_resting_endpoint_takes_no_key_its_place(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(FOUR_KEYS "attempts: {per_model: 2}\n");
    const struct remora_model *model = NULL;
    for (size_t i = 0; i < f->config->model_count; i++) {
        if (remora_slice_is(f->config->models[i].facts.id, "t/m")) {
            model = &f->config->models[i];
        }
    }
    assert_non_null(model);
    fixture_start(f, REMORA_UNARY, "t/m");
    remora_health_cool(f->health, model->endpoints[1].health, f->now_ns, 60 * REMORA_NS_PER_S);
    play_answer(f, 0, 401, "{}");
    assert_string_equal(f->transfers[1].provider, "a");
    play_good_unary(f, 1, "x");
    fixture_free(f);
}

/* ---- hints ---- */

static void a_hint_of_no_time_rests_nobody(void **state)
{
    (void)state;
    static const char *const headers[] = {"retry-after: 0", NULL};
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_head(f, 0, 429, headers);
    play_end(f, 0, REMORA_CAUSE_NONE);
    play_good_unary(f, 1, "x");
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_string_equal(f->transfers[2].provider, "a");
    play_good_unary(f, 2, "x");
    fixture_free(f);
}

/* ---- ids ---- */

static void expect_request_id(const char *header, const char *kept)
{
    const char *const headers[] = {"request-id: second-choice", header, NULL};
    bool is_only = strncmp(header, "request-id", 10) == 0;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_head(f, 0, 503, is_only ? headers + 1 : headers);
    play_end(f, 0, REMORA_CAUSE_NONE);
    play_good_unary(f, 1, "x");
    assert_string_equal(f->outcome.attempts[0].upstream_request_id, kept);
    fixture_free(f);
}

static void a_request_id_that_holds_a_secret_is_left_out(void **state)
{
    (void)state;
    expect_request_id("x-request-id: req-1", "req-1");
    expect_request_id("x-request-id: req-secret-canary", "");
    expect_request_id("request-id: secret-canary", "");
}

static void a_request_id_is_kept_as_printable_text(void **state)
{
    (void)state;
    expect_request_id("request-id: req-2", "req-2");
    expect_request_id("x-request-id: ! a\tb\x7f\x01~\xc3\xa9", "!ab~");
    expect_request_id(
        "x-request-id: 123456789-123456789-123456789-123456789-123456789-123456789-12345",
        "123456789-123456789-123456789-123456789-123456789-123456789-123");
}

/* ---- gone ---- */

static void a_model_that_is_gone_is_told_as_such_while_it_rests(void **state)
{
    (void)state;
    static const char gone[] = "{\"error\":{\"message\":\"no\",\"code\":\"model_not_found\"}}";
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 404, gone);
    play_answer(f, 1, 404, gone);
    assert_int_equal(f->outcome.fail.code, REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 2);
    assert_int_equal(f->outcome.fail.code, REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    assert_int_equal(f->outcome.fail.retry_after_ms, -1);
    fixture_pass_ms(f, 120001);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_good_unary(f, 2, "x");
    fixture_free(f);
}

/* It may concern one caller's request alone: the other endpoint answers, and the next request finds both. */
static void a_404_that_does_not_name_the_model_rests_nothing(void **state)
{
    (void)state;
    static const char unclear[] = "{\"error\":{\"message\":\"no Route matched\"}}";
    struct engine_fixture *f = fixture_new("");
    for (size_t i = 0; i < 3; i++) {
        fixture_start(f, REMORA_UNARY, "t/m");
        play_answer(f, 2 * i, 404, unclear);
        play_good_unary(f, 2 * i + 1, "x");
        assert_int_equal(f->outcome.attempts[0].code, REMORA_MODEL_UNAVAILABLE_UPSTREAM);
        assert_int_equal(f->outcome.attempt_count, 2);
        assert_int_equal(f->outcome.skipped_count, 0);
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_model_is_asked_however_few_the_attempts),
        cmocka_unit_test(the_last_models_go_without_where_attempts_are_too_few_for_all),
        cmocka_unit_test(each_model_to_come_keeps_an_attempt),
        cmocka_unit_test(a_policy_bounds_the_attempts_of_its_requests),
        cmocka_unit_test(refusals_are_of_one_model),
        cmocka_unit_test(who_refused_one_model_s_request_is_asked_for_the_next),
        cmocka_unit_test(a_refused_request_is_not_sent_to_the_same_provider_again),
        cmocka_unit_test(a_text_too_long_for_an_unknown_window_goes_to_nobody_else),
        cmocka_unit_test(refused_keys_leave_the_other_endpoint_its_turn),
        cmocka_unit_test(with_two_attempts_the_second_is_the_other_endpoint_s),
        cmocka_unit_test(an_endpoint_has_two_keys_refused_before_the_next_has_its_turn),
        cmocka_unit_test(an_endpoint_without_a_key_has_no_next_one),
        cmocka_unit_test(a_next_key_takes_no_place_that_is_kept_for_another_model),
        cmocka_unit_test(keys_go_on_where_nobody_else_serves_the_model),
        cmocka_unit_test(a_resting_endpoint_takes_no_key_its_place),
        cmocka_unit_test(a_hint_of_no_time_rests_nobody),
        cmocka_unit_test(a_request_id_that_holds_a_secret_is_left_out),
        cmocka_unit_test(a_request_id_is_kept_as_printable_text),
        cmocka_unit_test(a_404_that_does_not_name_the_model_rests_nothing),
        cmocka_unit_test(a_model_that_is_gone_is_told_as_such_while_it_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
