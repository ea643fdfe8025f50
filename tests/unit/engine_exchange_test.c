/* The exchange beyond the public faults: hold-back, limits, deadlines, back-pressure, cancellation in every phase, memory. */
#include "engine_fixture.h"

#include "remora/memory.h"
#include "remora/telemetry.h"

#include <stdio.h>

/* ---- commit and hold-back ---- */

static void nothing_reaches_the_sink_before_the_first_content_event(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_ROLE ": ping\n\n" CHUNK_USAGE);
    assert_said(f, "");
    (void)play_body(f, 0, CHUNK_TEXT("h"));
    assert_said(f, "started um by a\ntext 0 h\n");
    fixture_free(f);
}

static void what_was_said_of_an_answer_s_origin_is_held_until_there_is_content(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(
        f, 0,
        "data: {\"id\":\"c9\",\"created\":77,\"model\":\"um\",\"system_fingerprint\":"
        "\"fp_1\",\"service_tier\":\"flex, cut at 15 bytes\",\"choices\":[{\"index\":0,\"delta\":{"
        "\"role\":\"assistant\",\"content\":\"\"}}]}\n\n");
    (void)play_body(f, 0, CHUNK_TEXT("h"));
    assert_said(f, "started um by a\norigin c9 at 77, fp_1, flex, cut at 15\ntext 0 h\n");
    fixture_free(f);
}

static void the_bytes_of_a_request_are_free_for_others_once_it_is_answered(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    assert_int_equal(remora_admission_bytes(f->admission), 64);
    (void)play_body(f, 0, CHUNK_TEXT("h"));
    assert_int_equal(remora_admission_bytes(f->admission), 0);
    fixture_free(f);
}

/* A whole answer within one round of the loop: the cached clock says that no time went by. */
static void content_at_time_0_is_content(void **state)
{
    (void)state;
    struct remora_metrics *metrics = remora_metrics_new();
    struct remora_observer *observer = remora_observer_new(metrics);
    struct engine_fixture *f = fixture_new("");
    struct remora_buf text;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_good_stream(f, 0, "x");
    assert_int_equal(f->outcome.first_content_ns, 0);
    observer->settled(observer, &f->outcome);
    remora_buf_init(&text, 4 << 20);
    remora_metrics_write(metrics, &text);
    remora_buf_append_byte(&text, '\0');
    assert_non_null(strstr(remora_buf_slice(&text).data,
                           "remora_time_to_first_chunk_seconds_count{provider=\"a\"} 1\n"));
    remora_buf_fini(&text);
    fixture_free(f);
    remora_observer_free(observer);
    remora_metrics_free(metrics);
}

static void times_are_by_the_precise_clock(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    f->precise_ahead_ns = 7000;
    play_good_stream(f, 0, "x");
    assert_int_equal(f->outcome.total_ns, 7000);
    assert_int_equal(f->outcome.overhead_ns, 0); /* it was sent before */
    assert_int_equal(f->outcome.attempts[0].elapsed_ns, 7000);
    assert_int_equal(f->outcome.first_content_ns, 7000);
    assert_int_equal(f->outcome.attempts[0].first_content_ns, 7000);
    assert_int_equal(f->outcome.last_content_ns, 7000);
    fixture_free(f);
}

static void an_in_band_error_before_content_falls_back(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_ROLE "data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n");
    play_good_stream(f, 1, "x");
    assert_said(f, "attempt_failed a UPSTREAM_OVERLOADED\n"
                   "started um by b\ntext 0 x\nfinished 0 stop\ncompleted 5+2\n");
    fixture_free(f);
}

static void an_in_band_error_after_content_is_told_once(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0,
                    CHUNK_TEXT("x") "data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n");
    assert_said(f, "started um by a\ntext 0 x\nfailed STREAM_BROKEN after content\n");
    assert_int_equal(f->outcome.fail.upstream_status, 503);
    assert_int_equal(f->transfer_count, 1);
    fixture_free(f);
}

static void an_empty_completion_falls_back(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_answer(f, 0, 200, CHUNK_ROLE CHUNK_DONE);
    play_good_stream(f, 1, "x");
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n"
                   "started um by b\ntext 0 x\nfinished 0 stop\ncompleted 5+2\n");
    fixture_free(f);
}

static void a_finish_without_content_is_an_answer_and_is_held_until_the_end(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_ROLE CHUNK_STOP);
    assert_said(f, "");
    (void)play_body(f, 0, CHUNK_DONE);
    assert_said(f, "started um by a\nfinished 0 stop\ncompleted 1+0\n");
    fixture_free(f);
}

#define CHUNK_STOPPED                                                                            \
    "data: {\"model\":\"um\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"," \
    "\"stop_reason\":\"###\"}]}\n\n"

/* It came with the finish that was held, whose bytes are gone by then; or straight through, behind content. */
static void the_stop_text_reaches_the_sink_held_or_not(void **state)
{
    (void)state;
    static const char yaml[] =
        "version: 1\nproviders:\n  a: {kind: openai, dialect: vllm, base_url: "
        "\"http://127.0.0.1:9001/v1\"}\nmodels:\n  t/m:\n    endpoints:\n      - {provider: a, "
        "model_id: um-a}\n";
    struct engine_fixture *f = fixture_new_yaml(yaml);
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_STOPPED);
    assert_said(f, "");
    (void)play_body(f, 0, CHUNK_DONE);
    assert_said(f, "started um by a\nfinished 0 stop at ###\ncompleted 1+0\n");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 1, 200, NULL);
    (void)play_body(f, 1, CHUNK_TEXT("x") CHUNK_STOPPED CHUNK_USAGE CHUNK_DONE);
    assert_said(f, "started um by a\nfinished 0 stop at ###\ncompleted 1+0\n"
                   "started um by a\ntext 0 x\nfinished 0 stop at ###\ncompleted 5+2\n");
    fixture_free(f);
}

static void the_request_s_memory_goes_at_the_commit_point(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    assert_true(remora_exchange_arena(f->exchange)->taken_bytes > 0);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("h"));
    assert_int_equal(f->arena_bytes_at_content, 0);
    for (int i = 0; i < 1000; i++) { /* a long stream does not grow */
        (void)play_body(f, 0, CHUNK_TEXT("more"));
        assert_int_equal(remora_exchange_arena(f->exchange)->taken_bytes, 0);
    }
    fixture_free(f);
}

static void a_second_done_and_data_behind_it_are_ignored(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0,
                    CHUNK_TEXT("x") CHUNK_STOP CHUNK_USAGE CHUNK_DONE CHUNK_DONE CHUNK_TEXT("y"));
    assert_said(f, "started um by a\ntext 0 x\nfinished 0 stop\ncompleted 5+2\n");
    assert_true(f->transfers[0].was_released);
    fixture_free(f);
}

/* ---- limits of attempts ---- */

static const char *const many_endpoints = "      - {provider: a, tag: a/3, model_id: um}\n"
                                          "      - {provider: b, tag: b/4, model_id: um}\n"
                                          "      - {provider: a, tag: a/5, model_id: um}\n"
                                          "  t/second: {endpoints: [{provider: a, model_id: s1}, "
                                          "{provider: b, model_id: s2}, {provider: a, tag: a/s, "
                                          "model_id: s3}, {provider: b, tag: b/s, model_id: s4}]}\n"
                                          "  t/third: {endpoints: [{provider: b, model_id: t1}]}\n";

static void at_most_three_attempts_per_model(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new(many_endpoints);
    fixture_start(f, REMORA_UNARY, "t/m");
    for (size_t i = 0; i < 3; i++) {
        play_answer(f, i, 500, "{}");
    }
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 3);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_OVERLOADED);
    fixture_free(f);
}

static void at_most_six_attempts_per_request_and_one_is_kept_for_each_model_to_come(void **state)
{
    (void)state;
    static const char *const models[] = {"t/second", "t/third", NULL};
    struct engine_fixture *f = fixture_new(many_endpoints);
    fixture_start_with(f, REMORA_UNARY, "t/m", models, -1);
    for (size_t i = 0; i < 6; i++) {
        play_answer(f, i, 500, "{}");
    }
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 6);
    /* 3 of t/m, 2 of t/second, and the one that was kept for t/third. */
    assert_slice_equal(f->outcome.attempts[2].model, "t/m");
    assert_slice_equal(f->outcome.attempts[3].model, "t/second");
    assert_slice_equal(f->outcome.attempts[4].model, "t/second");
    assert_slice_equal(f->outcome.attempts[5].model, "t/third");
    fixture_free(f);
}

static void the_next_model_is_tried_after_a_moderated_prompt(void **state)
{
    (void)state;
    static const char *const models[] = {"t/third", NULL};
    struct engine_fixture *f = fixture_new(many_endpoints);
    fixture_start_with(f, REMORA_STREAM, "t/m", models, -1);
    play_answer(f, 0, 400, "{\"error\":{\"message\":\"filtered\",\"code\":\"content_filter\"}}");
    assert_int_equal(f->transfer_count, 2);
    play_good_stream(f, 1, "x");
    assert_slice_equal(f->outcome.attempts[1].model, "t/third");
    fixture_free(f);
}

static void a_stale_connection_is_resent_once_and_recorded(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_stale(f, 0);
    assert_string_equal(f->transfers[1].provider, "a");
    play_good_stream(f, 1, "x");
    assert_int_equal(f->outcome.attempt_count, 2);
    assert_true(f->outcome.attempts[1].is_resend);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_STALE_CONNECTION);
    assert_true(f->outcome.attempts[0].was_reused);
    assert_false(f->outcome.attempts[1].was_reused);
    fixture_free(f);

    f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_stale(f, 0);
    play_stale(f, 1);
    assert_string_equal(f->transfers[2].provider, "b");
    play_good_stream(f, 2, "x");
    fixture_free(f);
}

static void a_refused_key_is_benched_never_shown_and_falls_back(void **state)
{
    (void)state;
    const int statuses[] = {401, 402, 403};
    for (size_t i = 0; i < 3; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, REMORA_UNARY, "t/m");
        play_answer(f, 0, statuses[i], "{\"error\":{\"message\":\"bad key secret-canary\"}}");
        play_answer(f, 1, statuses[i], "{\"error\":{\"message\":\"bad key secret-canary\"}}");
        assert_said(f, "attempt_failed a UPSTREAM_CREDENTIAL\nfailed UPSTREAM_CREDENTIAL\n");
        assert_int_equal(remora_fail_http_status(&f->outcome.fail), 502);
        assert_null(strstr(f->outcome.fail.message, "canary"));
        fixture_start(f, REMORA_UNARY, "t/m"); /* both keys rest */
        assert_null(f->exchange);
        assert_int_equal(f->transfer_count, 2);
        fixture_pass_ms(f, 300001); /* re-probed after five minutes */
        fixture_start(f, REMORA_UNARY, "t/m");
        assert_int_equal(f->transfer_count, 3);
        play_good_unary(f, 2, "x");
        fixture_free(f);
    }
}

static void every_upstream_call_names_who_it_went_through(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_answer(f, 0, 500, "{}");
    play_stale(f, 1);
    play_good_stream(f, 2, "x");
    f->hops = "edge,sidecar";
    fixture_start(f, REMORA_UNARY, "t/m");
    play_good_unary(f, 3, "x");
    assert_string_equal(f->transfers[0].hops, "this-engine");
    assert_string_equal(f->transfers[1].hops, "this-engine");
    assert_string_equal(f->transfers[2].hops, "this-engine");
    assert_string_equal(f->transfers[3].hops, "edge,sidecar,this-engine");
    fixture_free(f);
}

#define LOOP_REFUSAL                                                                     \
    "{\"error\":{\"message\":\"m\",\"param\":\"remora-hop\",\"code\":400,\"metadata\":{" \
    "\"reason\":"                                                                        \
    "\"WRONG_ENDPOINT\"}}}"

/* Nothing rests: the same is told the next time, and an endpoint whose base_url was mended serves at once. */
static void a_loop_is_one_attempt_each_time_and_no_event_for_health(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    for (size_t i = 0; i < 6; i++) {
        fixture_start(f, REMORA_UNARY, "t/m");
        play_answer(f, 2 * i, 400, LOOP_REFUSAL);
        assert_string_equal(f->transfers[2 * i + 1].provider, "b"); /* falls back */
        play_good_unary(f, 2 * i + 1, "x");
        assert_int_equal(f->outcome.attempt_count, 2);
        assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_LOOP);
        assert_int_equal(f->outcome.skipped_count, 0);
    }
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 12, 400, LOOP_REFUSAL);
    play_answer(f, 13, 400, LOOP_REFUSAL);
    assert_int_equal(f->outcome.fail.code, REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    assert_string_equal(f->outcome.fail.param, "remora-hop");
    assert_non_null(strstr(f->outcome.fail.message, "base_url leads back"));
    fixture_free(f);
}

static void a_spent_quota_benches_the_key_and_not_only_the_endpoint(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 429, "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"x\"}}");
    play_good_unary(f, 1, "x");
    assert_int_equal(f->outcome.attempts[0].code, REMORA_UPSTREAM_CREDENTIAL);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_QUOTA);
    fixture_pass_ms(f, 299000); /* long after a 429 alone would be forgotten */
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_string_equal(f->transfers[2].provider, "b");
    play_good_unary(f, 2, "x");
    assert_int_equal(f->outcome.skipped[0].exclusion.rule, REMORA_RULE_CREDENTIAL_BENCHED);
    fixture_pass_ms(f, 1001);
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_string_equal(f->transfers[3].provider, "a");
    play_good_unary(f, 3, "x");
    fixture_free(f);
}

/* `a` has two keys and serves t/m first; `b` has none. */
#define TWO_KEYS                                                                            \
    "service: checkout\nproviders:\n"                                                       \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: [{env: K1_KEY}, {env: " \
    "K2_KEY}]}\n"                                                                           \
    "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"                               \
    "models:\n  t/m:\n    endpoints:\n"                                                     \
    "      - {provider: a, model_id: m}\n      - {provider: b, model_id: m}\n"

static void a_refused_key_gives_way_to_the_next_of_its_provider(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_KEYS);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 401, "{}");
    assert_string_equal(f->transfers[1].provider, "a");
    play_good_unary(f, 1, "x");
    assert_int_equal(f->outcome.attempt_count, 2);
    assert_slice_equal(f->outcome.attempts[0].credential, "K1_KEY");
    assert_slice_equal(f->outcome.attempts[1].credential, "K2_KEY");
    fixture_start(f, REMORA_UNARY, "t/m"); /* the first rests */
    play_good_unary(f, 2, "x");
    assert_int_equal(f->outcome.attempt_count, 1);
    assert_slice_equal(f->outcome.attempts[0].credential, "K2_KEY");
    fixture_pass_ms(f, 300001); /* and is asked again after five minutes */
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 3, 401, "{}");
    play_good_unary(f, 4, "x");
    assert_slice_equal(f->outcome.attempts[0].credential, "K1_KEY");
    fixture_pass_ms(f, 300001); /* the second bench is twice as long */
    fixture_start(f, REMORA_UNARY, "t/m");
    play_good_unary(f, 5, "x");
    assert_slice_equal(f->outcome.attempts[0].credential, "K2_KEY");
    fixture_free(f);
}

static void when_every_key_is_refused_the_next_provider_is_asked(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(TWO_KEYS);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 403, "{}");
    play_answer(f, 1, 402, "{}");
    assert_string_equal(f->transfers[2].provider, "b");
    play_good_unary(f, 2, "x");
    assert_int_equal(f->outcome.attempt_count, 3);
    assert_slice_equal(f->outcome.attempts[2].credential, "");
    fixture_free(f);
}

static void a_class_that_a_retry_could_help_wins_over_the_others(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 401, "{}");
    play_end(f, 1, REMORA_CAUSE_RESET);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_UNAVAILABLE);
    fixture_free(f);

    f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 429, "{}");
    play_end(f, 1, REMORA_CAUSE_CONNECT_TIMEOUT);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_OVERLOADED);
    fixture_free(f);

    f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 429, "{}");
    play_answer(f, 1, 503, "{}");
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_OVERLOADED);
    fixture_free(f);

    static const char *const hint[] = {"retry-after: 7", NULL};
    f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    for (size_t i = 0; i < 2; i++) {
        play_head(f, i, 401, hint);
        play_end(f, i, REMORA_CAUSE_NONE);
    }
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_CREDENTIAL);
    assert_int_equal(f->outcome.fail.retry_after_ms, -1); /* no waiting cures it */
    fixture_free(f);

    f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 401, "{}"); /* no time-out, and no transient failure either */
    play_end(f, 1, REMORA_CAUSE_CONNECT_TIMEOUT);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_TIMEOUT);
    fixture_free(f);

    f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_end(f, 0, REMORA_CAUSE_CONNECT_TIMEOUT);
    play_end(f, 1, REMORA_CAUSE_CONNECT_TIMEOUT);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_TIMEOUT);
    fixture_free(f);
}

static void a_transfer_that_cannot_start_is_our_failure(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->next_start = REMORA_SHEDDING;
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_said(f, "failed SHEDDING\n");
    fixture_free(f);
}

/* ---- deadlines ---- */

static void the_caller_s_deadline_ends_everything(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start_with(f, REMORA_UNARY, "t/m", NULL, 1500);
    fixture_pass_ms(f, 1499);
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1);
    assert_said(f, "failed DEADLINE\n");
    assert_true(f->transfers[0].was_cancelled);
    assert_int_equal(f->transfer_count, 1);
    fixture_free(f);
}

static void the_caller_s_deadline_after_content_is_told_in_band(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start_with(f, REMORA_STREAM, "t/m", NULL, 1500);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x"));
    fixture_pass_ms(f, 1500);
    assert_said(f, "started um by a\ntext 0 x\nfailed DEADLINE after content\n");
    fixture_free(f);
}

static void the_total_deadline_is_the_configuration_s_when_the_caller_has_none(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("deadlines: {total_ms: 2000}\n");
    fixture_start(f, REMORA_UNARY, "t/m");
    fixture_pass_ms(f, 2000);
    assert_said(f, "failed DEADLINE\n");
    fixture_free(f);
}

static void a_caller_without_time_has_a_millisecond(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start_with(f, REMORA_UNARY, "t/m", NULL, 0);
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1);
    assert_said(f, "failed DEADLINE\n");
    fixture_free(f);
}

#define SLOW_A                                                                             \
    "service: checkout\nproviders:\n"                                                      \
    "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", deadlines: {total_ms: 3000}}\n" \
    "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"                              \
    "deadlines: {total_ms: 8000}\n"                                                        \
    "models:\n  t/m:\n    endpoints:\n"                                                    \
    "      - {provider: a, model_id: m}\n      - {provider: b, model_id: m}\n"

static void the_total_of_an_endpoint_bounds_an_attempt_there(void **state)
{
    (void)state;
    static const enum remora_delivery deliveries[] = {REMORA_UNARY, REMORA_STREAM};
    for (size_t i = 0; i < REMORA_COUNT_OF(deliveries); i++) {
        struct engine_fixture *f = fixture_new_yaml(SLOW_A);
        fixture_start(f, deliveries[i], "t/m");
        fixture_pass_ms(f, 2999);
        assert_int_equal(f->transfer_count, 1);
        fixture_pass_ms(f, 1);
        assert_int_equal(f->transfer_count, 2);
        fixture_pass_ms(f, 4999); /* b has none of its own */
        assert_non_null(f->exchange);
        fixture_pass_ms(f, 1);
        assert_int_equal(f->outcome.fail.code, REMORA_DEADLINE);
        assert_int_equal(f->outcome.attempts[0].code, REMORA_UPSTREAM_TIMEOUT);
        assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_DEADLINE);
        fixture_free(f);
    }
}

static void the_total_of_an_endpoint_ends_a_stream_that_goes_on(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(SLOW_A);
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x"));
    fixture_pass_ms(f, 2999);
    (void)play_body(f, 0, CHUNK_TEXT("y"));
    fixture_pass_ms(f, 1);
    assert_null(f->exchange);
    assert_int_equal(f->outcome.fail.code, REMORA_DEADLINE);
    assert_int_equal(f->transfer_count, 1);
    fixture_free(f);
}

static void the_configured_deadlines_are_used(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new(
        "deadlines: {connect_ms: 111, first_byte_ms: 2000, response_ms: 3000, idle_ms: 4000}\n");
    fixture_start(f, REMORA_STREAM, "t/m");
    assert_int_equal(f->transfers[0].input.connect_timeout_ms, 111);
    fixture_pass_ms(f, 2000);
    assert_int_equal(f->transfer_count, 2);
    play_head(f, 1, 200, NULL);
    (void)play_body(f, 1, CHUNK_TEXT("x"));
    fixture_pass_ms(f, 4000);
    assert_int_equal(f->outcome.attempts[1].cause, REMORA_CAUSE_IDLE_TIMEOUT);
    fixture_free(f);

    f = fixture_new("deadlines: {response_ms: 3000}\n");
    fixture_start(f, REMORA_UNARY, "t/m");
    fixture_pass_ms(f, 3000);
    assert_int_equal(f->transfer_count, 2);
    play_good_unary(f, 1, "x");
    fixture_free(f);
}

/* The first after 10 s, the next 10 s after what was handed over last. */
static void a_stream_is_told_that_it_waits_every_ten_seconds_of_silence(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    fixture_pass_ms(f, 9999);
    assert_said(f, "");
    fixture_pass_ms(f, 1);
    assert_said(f, "waiting\n");
    fixture_pass_ms(f, 5000);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x"));
    fixture_pass_ms(f, 5000);
    assert_int_equal(remora_timers_next_ns(&f->timers), f->now_ns + 5 * REMORA_NS_PER_S);
    fixture_pass_ms(f, 4999);
    assert_said(f, "waiting\nstarted um by a\ntext 0 x\n");
    fixture_pass_ms(f, 1);
    assert_said(f, "waiting\nstarted um by a\ntext 0 x\nwaiting\n");
    fixture_free(f);
}

/* ---- back-pressure ---- */

static void a_full_sink_pauses_the_upstream_until_it_has_room(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    f->is_full = true;
    assert_int_equal(play_body(f, 0, CHUNK_TEXT("x")), REMORA_FLOW_PAUSE);
    fixture_pass_ms(f, 120000); /* a slow caller is not an idle provider */
    assert_non_null(f->exchange);
    f->is_full = false;
    remora_exchange_resume(f->exchange);
    assert_int_equal(f->transfers[0].resumed, 1);
    assert_int_equal(play_body(f, 0, CHUNK_TEXT("y")), REMORA_FLOW_GO);
    fixture_pass_ms(f, 59999); /* and its clock begins anew */
    assert_non_null(f->exchange);
    (void)play_body(f, 0, CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    fixture_free(f);
}

static void silence_is_waited_for_anew_after_a_pause_and_no_longer(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("deadlines: {idle_ms: 1500}\n");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    remora_exchange_resume(f->exchange); /* nothing is paused */
    assert_int_equal(f->transfers[0].resumed, 0);
    f->is_full = true;
    (void)play_body(f, 0, CHUNK_TEXT("x"));
    fixture_pass_ms(f, 5000);
    f->is_full = false;
    remora_exchange_resume(f->exchange);
    fixture_pass_ms(f, 1499);
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1);
    assert_null(f->exchange);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_IDLE_TIMEOUT);
    fixture_free(f);
}

/* ---- the caller goes away ---- */

static void cancelled(struct engine_fixture *f, const char *expected)
{
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    f->exchange = NULL;
    assert_said(f, expected);
    assert_int_equal(f->settled, 1);
    assert_int_equal(f->outcome.fail.code, REMORA_CLIENT_GONE);
    for (size_t i = 0; i < f->transfer_count; i++) {
        assert_false(f->transfers[i].is_live);
    }
    fixture_free(f);
}

static void cancelling_ends_the_upstream_in_every_phase(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m"); /* connecting */
    cancelled(f, "");

    f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL); /* waiting for the first byte */
    cancelled(f, "");

    f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_answer(f, 0, 500, "{}"); /* the second attempt */
    cancelled(f, "attempt_failed a UPSTREAM_OVERLOADED\n");

    f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x")); /* mid-stream */
    cancelled(f, "started um by a\ntext 0 x\n");

    f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    f->is_full = true;
    (void)play_body(f, 0, CHUNK_TEXT("x")); /* paused */
    cancelled(f, "started um by a\ntext 0 x\n");

    f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_head(f, 0, 500, NULL); /* an error's body */
    cancelled(f, "");
}

static void a_sink_may_cancel_from_inside_its_own_call(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    f->cancels_at_content = true;
    (void)play_body(f, 0, CHUNK_TEXT("x") CHUNK_TEXT("y") CHUNK_STOP CHUNK_DONE);
    assert_said(f, "started um by a\ntext 0 x\n");
    assert_int_equal(f->settled, 1);
    assert_true(f->transfers[0].was_cancelled);
    fixture_free(f);
}

static void feed(struct engine_fixture *f, size_t index, const char *bytes)
{
    if (index < f->transfer_count && f->transfers[index].is_live) {
        (void)play_body(f, index, bytes);
    }
}

/* A re-send, an error and an answer: as far as the caller lets them come. */
static void play_three(struct engine_fixture *f, enum remora_delivery delivery)
{
    fixture_start(f, delivery, "t/m");
    play_stale(f, 0);
    if (f->transfer_count > 1) {
        play_answer(f, 1, 500, "{}");
    }
    if (f->transfer_count > 2 && delivery == REMORA_UNARY) {
        play_good_unary(f, 2, "x");
    } else if (f->transfer_count > 2) {
        play_head(f, 2, 200, NULL);
        feed(f, 2, CHUNK_ROLE CHUNK_TEXT("x"));
        feed(f, 2, CHUNK_STOP);
        feed(f, 2, CHUNK_USAGE CHUNK_DONE);
    }
}

static void a_sink_may_cancel_from_inside_any_of_its_events(void **state)
{
    static const enum remora_delivery deliveries[] = {REMORA_UNARY, REMORA_STREAM};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(deliveries); i++) {
        struct engine_fixture *f = fixture_new("");
        play_three(f, deliveries[i]);
        assert_int_equal(f->events,
                         6); /* two failed attempts, started, text, finished, completed */
        fixture_free(f);
        for (unsigned nth = 1; nth < 6; nth++) {
            f = fixture_new("");
            f->cancels_at_event = nth;
            play_three(f, deliveries[i]);
            assert_null(f->exchange);
            assert_int_equal(f->events, nth); /* nothing is told behind it */
            assert_int_equal(f->settled, 1);
            assert_int_equal(f->outcome.fail.code, REMORA_CLIENT_GONE);
            for (size_t at = 0; at < f->transfer_count; at++) {
                assert_false(f->transfers[at].is_live);
            }
            fixture_free(f);
        }
    }
}

static void an_exchange_that_was_never_started_can_be_given_back(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    struct remora_exchange *x = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_exchange_new(f->engine, 10, &x, &fail), REMORA_OK);
    remora_exchange_discard(x);
    assert_int_equal(f->settled, 0);
    fixture_free(f);
}

/* ---- limits, draining ---- */

static void draining_refuses_new_requests_and_lets_the_running_ones_end(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    remora_engine_drain(f->engine);
    struct remora_exchange *x = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_exchange_new(f->engine, 10, &x, &fail), REMORA_DRAINING);
    play_good_stream(f, 0, "x");
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    fixture_free(f);
}

static void the_end_of_grace_ends_everything_with_an_error(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x"));
    remora_engine_abort_all(f->engine);
    assert_said(f, "started um by a\ntext 0 x\nfailed DRAINING after content\n");
    fixture_free(f);
}

static void the_end_of_grace_leaves_to_its_front_what_was_never_started(void **state)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_exchange *unstarted = NULL;
    (void)state;
    struct engine_fixture *f = fixture_new("");
    assert_int_equal(remora_exchange_new(f->engine, 8, &unstarted, &fail), REMORA_OK);
    fixture_start(f, REMORA_STREAM, "t/m");
    remora_engine_abort_all(f->engine);
    assert_int_equal(f->settled, 1);
    assert_int_equal(remora_engine_inflight(f->engine), 1);
    remora_exchange_discard(unstarted);
    fixture_free(f);
}

static void an_exchange_keeps_the_snapshot_that_it_began_with(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    struct engine_fixture *other = fixture_new_yaml(
        "version: 1\nproviders:\n  z: {kind: openai, base_url: \"http://127.0.0.1:9/v1\"}\n"
        "models:\n  t/m: {endpoints: [{provider: z, model_id: zz}]}\n");
    fixture_start(f, REMORA_STREAM, "t/m");
    remora_engine_set_config(f->engine, other->config);
    play_answer(f, 0, 500, "{}");
    assert_string_equal(f->transfers[1].provider, "b"); /* still the old list */
    play_good_stream(f, 1, "x");
    fixture_start(f, REMORA_STREAM, "t/m");
    assert_string_equal(f->transfers[2].provider, "z");
    play_good_stream(f, 2, "x");
    fixture_free(f);
    fixture_free(other);
}

/* ---- what the request says of itself ---- */

static struct remora_request *request_of(struct engine_fixture *f)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_exchange_new(f->engine, 8, &f->exchange, &fail), REMORA_OK);
    struct remora_request *request = remora_exchange_request(f->exchange);
    request->identity.service = f->config->service;
    request->delivery = REMORA_STREAM;
    request->model = REMORA_SLICE("t/m");
    request->api = REMORA_SLICE("test");
    request->request_id = REMORA_SLICE("caller-1");
    return request;
}

static void the_request_is_a_layer_of_its_own(void **state)
{
    static const struct remora_slice ignored[] = {REMORA_SLICE_INIT("a")};
    (void)state;
    struct engine_fixture *f = fixture_new("");
    request_of(f)->provider.ignore =
        (struct remora_slices){.items = ignored, .count = 1, .is_set = true};
    remora_exchange_start(f->exchange, &f->sink);
    assert_string_equal(f->transfers[0].provider, "b");
    play_good_stream(f, 0, "x");
    fixture_free(f);
}

static void the_request_s_own_idle_time_only_shortens_the_endpoint_s(void **state)
{
    static const struct {
        int64_t asked_ms;
        int64_t due_ms;
    } cases[] = {{1500, 1500}, {70000, 60000}, {-1, 60000}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct engine_fixture *f = fixture_new("");
        request_of(f)->idle_timeout_ms = cases[i].asked_ms;
        remora_exchange_start(f->exchange, &f->sink);
        play_head(f, 0, 200, NULL);
        (void)play_body(f, 0, CHUNK_TEXT("x"));
        fixture_pass_ms(f, cases[i].due_ms - 1);
        assert_non_null(f->exchange);
        fixture_pass_ms(f, 1);
        assert_null(f->exchange);
        assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_IDLE_TIMEOUT);
        fixture_free(f);
    }
}

static void the_caller_s_trace_goes_on(void **state)
{
    static const struct remora_trace trace = {
        .trace_id = {1, 2, 3}, .parent_id = {4, 5}, .flags = 1, .is_set = true};
    (void)state;
    struct engine_fixture *f = fixture_new("");
    request_of(f)->trace = trace;
    remora_exchange_start(f->exchange, &f->sink);
    play_good_stream(f, 0, "x");
    assert_memory_equal(f->outcome.trace.trace_id, trace.trace_id, sizeof trace.trace_id);
    assert_memory_equal(f->outcome.trace.parent_id, trace.parent_id, sizeof trace.parent_id);
    fixture_free(f);
}

static void an_outcome_tells_whose_it_was_and_by_which_policy(void **state)
{
    static const uint8_t none[16] = {0};
    (void)state;
    struct engine_fixture *f = fixture_new("");
    request_of(f)->wants_route = true;
    remora_exchange_start(f->exchange, &f->sink);
    play_good_stream(f, 0, "x");
    assert_true(f->outcome.wants_route);
    assert_int_equal(f->outcome.created_unix_s, 1800000000);
    assert_int_equal(f->outcome.data_collection, REMORA_DATA_ALLOW);
    assert_memory_equal(f->outcome.generation_id, "gen-", 4);
    assert_slice_equal(f->outcome.api, "test");
    assert_string_equal(f->outcome.request_id, "caller-1");
    assert_string_equal(f->outcome.requested_model, "t/m");
    assert_true(f->outcome.policy_revision.length > 0);
    assert_true(remora_slice_equal(f->outcome.policy_revision, f->config->revision));
    assert_memory_not_equal(f->outcome.trace.trace_id, none, sizeof none);
    fixture_free(f);
}

static void the_bytes_of_a_request_are_held_once_and_given_back(void **state)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    struct engine_fixture *f = fixture_new("");
    (void)request_of(f);
    assert_int_equal(remora_admission_bytes(f->admission), 8);
    assert_int_equal(remora_exchange_hold(f->exchange, 100, &fail), REMORA_OK);
    assert_int_equal(remora_exchange_hold(f->exchange, 100, &fail), REMORA_OK);
    assert_int_equal(remora_exchange_hold(f->exchange, 50, &fail), REMORA_OK);
    assert_int_equal(remora_admission_bytes(f->admission), 100);
    remora_exchange_discard(f->exchange);
    f->exchange = NULL;
    assert_int_equal(remora_admission_bytes(f->admission), 0);
    fixture_free(f);
}

/* ---- refusals without an upstream call ---- */

/* A front has found that it is no request: it is told, observed and gone, with a sink or without one. */
static void what_a_front_refuses_is_observed_with_the_model_that_it_names(void **state)
{
    static const struct remora_slice listed[] = {REMORA_SLICE_INIT("t/m"),
                                                 REMORA_SLICE_INIT("t/none")};
    static const struct {
        const char *model;
        size_t listed;
        bool is_known;
    } cases[] = {{"t/m", 0, true},
                 {"t/none", 0, false},
                 {"", 2, true},
                 {"t/none", 2, false},
                 {"", 0, false}};
    (void)state;
    for (size_t i = 0; i < 2 * REMORA_COUNT_OF(cases); i++) {
        struct engine_fixture *f = fixture_new("");
        struct remora_fail fail = REMORA_FAIL_INIT;
        struct remora_request *request = request_of(f);
        request->model = remora_slice_of(cases[i / 2].model);
        request->models =
            (struct remora_slices){.items = listed, .count = cases[i / 2].listed, .is_set = true};
        remora_fail_set(&fail, REMORA_INVALID_REQUEST, "n", "no");
        remora_exchange_refuse(f->exchange, &fail, i % 2 == 0 ? &f->sink : NULL);
        f->exchange = NULL;
        assert_said(f, i % 2 == 0 ? "failed INVALID_REQUEST\n" : "");
        assert_int_equal(f->settled, 1);
        assert_int_equal(f->outcome.fail.code, REMORA_INVALID_REQUEST);
        assert_string_equal(f->outcome.request_id, "caller-1");
        assert_int_equal(f->outcome.model != NULL, cases[i / 2].is_known);
        fixture_free(f);
    }
}

static void a_plan_that_leaves_nothing_is_told_with_its_candidates(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("policy: {provider: {data_collection: deny}}\n");
    fixture_start(f, REMORA_STREAM, "t/m");
    assert_said(f, "failed PRIVACY_RESTRICTED\n");
    assert_int_equal(f->transfer_count, 0);
    assert_non_null(f->outcome.plan);
    fixture_free(f);
}

static void no_allocation_that_fails_crashes_or_leaks(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        struct engine_fixture *f = fixture_new("");
        struct remora_fail fail = REMORA_FAIL_INIT;
        (void)remora_alloc_count();
        remora_alloc_fail_at(nth, false);
        bool was_refused = remora_exchange_new(f->engine, 8, &f->exchange, &fail) != REMORA_OK;
        if (!was_refused) {
            remora_exchange_discard(f->exchange);
            f->exchange = NULL;
        }
        uint64_t used = remora_alloc_count();
        remora_alloc_fail_at(0, false);
        fixture_free(f);
        if (!was_refused && used < nth) {
            break;
        }
        assert_true(nth < 100);
    }
}

static void an_estimate_is_bounded_by_the_limit_of_all_choices(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->max_output_tokens = 2;
    f->choice_count = 3;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(
        f, 0, CHUNK_TEXT("twelve bytes") CHUNK_TEXT("and twelve b") CHUNK_TEXT("twelve again"));
    (void)play_body(f, 0, CHUNK_STOP CHUNK_DONE);
    assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ESTIMATED);
    assert_int_equal(remora_usage_output_total(&f->outcome.usage), 6);
    fixture_free(f);
}

/* The prompt of an image is no text, its price is by the piece; a citation says that the web was searched. */
static void images_are_billed_and_searches_are_a_guess(void **state)
{
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_BASE64, .value = REMORA_SLICE_INIT("AAAAAAAAAAAAAAAA")}},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_BASE64, .value = REMORA_SLICE_INIT("AAAAAAAAAAAAAAAA")}},
    };
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = parts, .part_count = 2};
    static const char yaml[] =
        "version: 1\nservice: svc\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1:1/v1\"}\n"
        "models:\n  t/m: {endpoints: [{provider: a, model_id: um, pricing: {prompt: \"0.001\", "
        "completion: \"0.001\", image: \"0.01\", web_search: \"0.1\"}}]}\n";
    static const char cited[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"annotations\":[{\"type\":\"url_citation\","
        "\"url_citation\":{\"url\":\"http://"
        "e\",\"title\":\"t\",\"start_index\":0,\"end_index\":1}}]}}]}"
        "\n\n";
    static const char of_a_file[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"annotations\":[{\"type\":\"file\",\"file\":{"
        "\"hash\":\"h\",\"name\":\"n\"}}]}}]}\n\n";
    static const char *const said[] = {": no citation\n\n", of_a_file, cited};
    (void)state;
    for (int i = 0; i < 3; i++) {
        bool is_searched = i == 2;
        struct engine_fixture *f = fixture_new_yaml(yaml);
        f->message = &message;
        fixture_start(f, REMORA_STREAM, "t/m");
        play_head(f, 0, 200, NULL);
        (void)play_body(f, 0, CHUNK_TEXT("a"));
        (void)play_body(f, 0, said[i]);
        (void)play_body(f, 0, CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
        assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ACTUAL);
        assert_int_equal(f->outcome.cost.certainty,
                         is_searched ? REMORA_CERTAINTY_ESTIMATED : REMORA_CERTAINTY_ACTUAL);
        assert_int_equal(f->outcome.cost.total_pico_usd,
                         is_searched ? INT64_C(127000000000) : INT64_C(27000000000));
        fixture_free(f);
    }
}

/* Pictures that an assistant has answered with go back to few: where they are dropped, nobody was sent one. */
static void pictures_that_are_left_out_are_not_billed(void **state)
{
    static const char *const dialects[] = {"generic", "groq"};
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("a")},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_BASE64, .value = REMORA_SLICE_INIT("AAAA")}},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_BASE64, .value = REMORA_SLICE_INIT("AAAA")}},
    };
    static const struct remora_message message = {
        .role = REMORA_ROLE_ASSISTANT, .parts = parts, .part_count = 3};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(dialects); i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "version: 1\nservice: svc\nproviders:\n"
                 "  a: {kind: openai, dialect: %s, base_url: \"http://127.0.0.1:1/v1\"}\n"
                 "models:\n  t/m: {endpoints: [{provider: a, model_id: um, pricing: {"
                 "prompt: \"0.001\", completion: \"0.001\", image: \"0.01\"}}]}\n",
                 dialects[i]);
        struct engine_fixture *f = fixture_new_yaml(yaml);
        f->message = &message;
        fixture_start(f, REMORA_STREAM, "t/m");
        play_good_stream(f, 0, "x"); /* its usage: 5 + 2 */
        assert_int_equal(f->outcome.dropped_count, i);
        assert_int_equal(f->outcome.cost.total_pico_usd,
                         i == 0 ? INT64_C(27000000000) : INT64_C(7000000000));
        assert_int_equal(f->outcome.cost.certainty, REMORA_CERTAINTY_ACTUAL);
        fixture_free(f);
    }
}

enum leaving { LEFT, LEFT_AFTER_HEAD, LEFT_UNSENT, LEFT_AT_AN_ERROR, LATE, LATE_TWICE, LEAVINGS };

static void leave(struct engine_fixture *f, enum leaving how)
{
    f->is_stuck = how == LEFT_UNSENT;
    fixture_start_with(f, REMORA_STREAM, "t/m", NULL, how == LATE ? 1000 : -1);
    if (how == LEFT_AFTER_HEAD || how == LEFT_AT_AN_ERROR) {
        play_head(f, 0, how == LEFT_AFTER_HEAD ? 200 : 500, NULL);
    }
    if (how == LATE) {
        fixture_pass_ms(f, 1000);
    } else if (how == LATE_TWICE) {
        fixture_pass_ms(f, 30000);
        fixture_pass_ms(f, 30000);
    } else {
        remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
        f->exchange = NULL;
    }
}

/* Nobody waited for the end, and yet a provider was at it: the prompt, the request and its pictures are to be paid for. */
static void what_was_left_is_estimated_unless_it_never_went_out(void **state)
{
    static const char yaml[] =
        "version: 1\nservice: svc\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1:1/v1\"}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1:1/v1\"}\n"
        "models:\n  t/m: {endpoints: [{provider: a, model_id: um, pricing: {prompt: \"0.001\", "
        "completion: \"0.001\", request: \"0.01\"}}, {provider: b, model_id: um, pricing: {prompt: "
        "\"0.002\", completion: \"0.001\"}}]}\n";
    static const struct {
        int64_t input;
        int64_t nano_usd;
        enum remora_certainty certainty;
    } cases[LEAVINGS] = {
        [LEFT] = {1, 11000000, REMORA_CERTAINTY_ESTIMATED},
        [LEFT_AFTER_HEAD] = {1, 11000000, REMORA_CERTAINTY_ESTIMATED},
        [LEFT_UNSENT] = {-1, -1, REMORA_CERTAINTY_UNKNOWN},
        [LEFT_AT_AN_ERROR] = {-1, -1, REMORA_CERTAINTY_UNKNOWN},
        [LATE] = {1, 11000000, REMORA_CERTAINTY_ESTIMATED},
        [LATE_TWICE] = {2, 13000000, REMORA_CERTAINTY_ESTIMATED},
    };
    (void)state;
    for (int how = 0; how < LEAVINGS; how++) {
        struct engine_fixture *f = fixture_new_yaml(yaml);
        leave(f, (enum leaving)how);
        assert_int_equal(f->outcome.usage.tokens[REMORA_USAGE_INPUT], cases[how].input);
        assert_int_equal(f->outcome.usage.certainty, cases[how].certainty);
        assert_int_equal(remora_nano_usd(f->outcome.cost.total_pico_usd), cases[how].nano_usd);
        assert_int_equal(f->outcome.attempts[0].was_left, cases[how].input >= 0);
        fixture_free(f);
    }
}

/* The answer's usage is the answer's: what the late endpoint has cost stands in its own record. */
static void a_late_endpoint_is_paid_beside_the_one_that_answers(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    fixture_pass_ms(f, 30000);
    play_good_stream(f, 1, "x"); /* its usage: 5 + 2 */
    assert_int_equal(f->outcome.usage.tokens[REMORA_USAGE_INPUT], 5);
    assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ACTUAL);
    assert_true(f->outcome.attempts[0].was_left);
    assert_int_equal(f->outcome.attempts[0].usage.tokens[REMORA_USAGE_INPUT], 1);
    assert_false(f->outcome.attempts[1].was_left);
    fixture_free(f);
}

/* Marks of an hour that are dropped say nothing of what the provider has written by itself. */
static void what_is_written_for_an_hour_is_billed_so_where_the_marks_were_sent(void **state)
{
    static const char *const dialects[] = {"openrouter", "groq"};
    static const struct remora_part part = {.kind = REMORA_PART_TEXT,
                                            .text = REMORA_SLICE_INIT("a"),
                                            .cache = {.is_set = true, .ttl_s = 3600}};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(dialects); i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "version: 1\nservice: svc\nproviders:\n"
                 "  a: {kind: openai, dialect: %s, base_url: \"http://127.0.0.1:1/v1\"}\n"
                 "models:\n  t/m: {endpoints: [{provider: a, model_id: um, pricing: {prompt: "
                 "\"0\", completion: \"0\", cached_write: \"0.001\", cached_write_1h: "
                 "\"0.002\"}}]}\n",
                 dialects[i]);
        struct engine_fixture *f = fixture_new_yaml(yaml);
        f->message = &message;
        fixture_start(f, REMORA_STREAM, "t/m");
        play_head(f, 0, 200, NULL);
        (void)play_body(
            f, 0,
            CHUNK_TEXT("a") CHUNK_STOP
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":"
            "1,\"prompt_tokens_details\":{\"cache_write_tokens\":9}}}\n\n" CHUNK_DONE);
        assert_int_equal(f->outcome.cost.total_pico_usd,
                         i == 0 ? INT64_C(18000000000) : INT64_C(9000000000));
        assert_int_equal(f->outcome.cost.certainty, REMORA_CERTAINTY_ACTUAL);
        fixture_free(f);
    }
}

/* web_search_options that the endpoint does not take are dropped: nothing was searched, and nothing is billed. */
static void a_search_is_billed_only_where_it_was_asked_of_the_provider(void **state)
{
    static const char *const supported[] = {"", ", supported_parameters: [seed]"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(supported); i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "version: 1\nservice: svc\nproviders:\n"
                 "  a: {kind: openai, base_url: \"http://127.0.0.1:1/v1\"}\n"
                 "models:\n  t/m: {endpoints: [{provider: a, model_id: um%s, pricing: {"
                 "prompt: \"0.001\", completion: \"0.001\", web_search: \"0.1\"}}]}\n",
                 supported[i]);
        struct engine_fixture *f = fixture_new_yaml(yaml);
        f->search_options = "{}";
        fixture_start(f, REMORA_STREAM, "t/m");
        play_head(f, 0, 200, NULL);
        (void)play_body(f, 0, CHUNK_TEXT("a") CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
        assert_int_equal(f->outcome.dropped_count, i);
        assert_int_equal(f->outcome.cost.total_pico_usd,
                         i == 0 ? INT64_C(107000000000) : INT64_C(7000000000));
        assert_int_equal(f->outcome.cost.certainty,
                         i == 0 ? REMORA_CERTAINTY_ESTIMATED : REMORA_CERTAINTY_ACTUAL);
        fixture_free(f);
    }
}

/* The tier that served is billed; where the provider does not say, the one that it was asked for. */
static void what_a_service_tier_costs_is_known_of_its_own_endpoint_alone(void **state)
{
    static const struct {
        const char *endpoint, *asked, *served;
        enum remora_certainty cost;
    } cases[] = {
        {"model_id: um", NULL, "default", REMORA_CERTAINTY_ACTUAL},
        {"model_id: um", "priority", "priority", REMORA_CERTAINTY_ESTIMATED},
        {"model_id: um", "priority", "default", REMORA_CERTAINTY_ACTUAL},
        {"model_id: um", NULL, "priority", REMORA_CERTAINTY_ESTIMATED}, /* the account's own */
        {"model_id: um", "flex", NULL, REMORA_CERTAINTY_ESTIMATED},
        {"model_id: um, supported_parameters: [seed]", "flex", NULL, REMORA_CERTAINTY_ACTUAL},
        {"model_id: um, tag: a/flex", "flex", "flex", REMORA_CERTAINTY_ACTUAL},
        {"model_id: um, tag: a/flex", "flex", "default", REMORA_CERTAINTY_ESTIMATED},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char yaml[512];
        char start[128] = "";
        snprintf(yaml, sizeof yaml,
                 "version: 1\nservice: svc\nproviders:\n"
                 "  a: {kind: openai, base_url: \"http://127.0.0.1:1/v1\"}\n"
                 "models:\n  t/m: {endpoints: [{provider: a, %s, pricing: {prompt: \"0.001\", "
                 "completion: \"0.001\"}}]}\n",
                 cases[i].endpoint);
        if (cases[i].served != NULL) {
            snprintf(start, sizeof start,
                     "data: {\"id\":\"c1\",\"service_tier\":\"%s\",\"choices\":[]}\n\n",
                     cases[i].served);
        }
        struct engine_fixture *f = fixture_new_yaml(yaml);
        f->service_tier = cases[i].asked;
        fixture_start(f, REMORA_STREAM, "t/m");
        play_head(f, 0, 200, NULL);
        (void)play_body(f, 0, start);
        (void)play_body(f, 0, CHUNK_TEXT("a") CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
        assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ACTUAL);
        assert_int_equal(f->outcome.cost.total_pico_usd, INT64_C(7000000000));
        assert_int_equal(f->outcome.cost.certainty, cases[i].cost);
        fixture_free(f);
    }
}

static void the_last_of_several_usage_reports_counts_as_a_whole(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0,
                    CHUNK_TEXT("a") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,"
                                    "\"completion_tokens\":10,\"total_tokens\":110,"
                                    "\"prompt_tokens_details\":{\"cached_tokens\":50}}}\n\n");
    (void)play_body(f, 0,
                    CHUNK_STOP "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,"
                               "\"completion_tokens\":30,\"total_tokens\":130}}\n\n" CHUNK_DONE);
    assert_said(f, "started um by a\ntext 0 a\nfinished 0 stop\ncompleted 100+30\n");
    assert_int_equal(f->outcome.usage.tokens[REMORA_USAGE_CACHE_READ], -1);
    fixture_free(f);
}

/* A whole answer has the deadline of the whole: pauses within it are not those of a stream. */
static void a_whole_answer_may_pause_as_long_as_it_likes(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("deadlines: {idle_ms: 1000, response_ms: 9000}\n");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, "{\"id\":\"c1\",");
    fixture_pass_ms(f, 8000);
    assert_int_equal(f->transfer_count, 1);
    (void)play_body(f, 0,
                    "\"model\":\"um\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"},"
                    "\"finish_reason\":\"stop\"}]}");
    play_end(f, 0, REMORA_CAUSE_NONE);
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_may_pause_as_long_as_it_likes),
        cmocka_unit_test(nothing_reaches_the_sink_before_the_first_content_event),
        cmocka_unit_test(what_was_said_of_an_answer_s_origin_is_held_until_there_is_content),
        cmocka_unit_test(the_bytes_of_a_request_are_free_for_others_once_it_is_answered),
        cmocka_unit_test(an_estimate_is_bounded_by_the_limit_of_all_choices),
        cmocka_unit_test(images_are_billed_and_searches_are_a_guess),
        cmocka_unit_test(pictures_that_are_left_out_are_not_billed),
        cmocka_unit_test(what_was_left_is_estimated_unless_it_never_went_out),
        cmocka_unit_test(a_late_endpoint_is_paid_beside_the_one_that_answers),
        cmocka_unit_test(what_is_written_for_an_hour_is_billed_so_where_the_marks_were_sent),
        cmocka_unit_test(a_search_is_billed_only_where_it_was_asked_of_the_provider),
        cmocka_unit_test(what_a_service_tier_costs_is_known_of_its_own_endpoint_alone),
        cmocka_unit_test(the_last_of_several_usage_reports_counts_as_a_whole),
        cmocka_unit_test(content_at_time_0_is_content),
        cmocka_unit_test(times_are_by_the_precise_clock),
        cmocka_unit_test(an_in_band_error_before_content_falls_back),
        cmocka_unit_test(an_in_band_error_after_content_is_told_once),
        cmocka_unit_test(an_empty_completion_falls_back),
        cmocka_unit_test(a_finish_without_content_is_an_answer_and_is_held_until_the_end),
        cmocka_unit_test(the_stop_text_reaches_the_sink_held_or_not),
        cmocka_unit_test(the_request_s_memory_goes_at_the_commit_point),
        cmocka_unit_test(a_second_done_and_data_behind_it_are_ignored),
        cmocka_unit_test(at_most_three_attempts_per_model),
        cmocka_unit_test(at_most_six_attempts_per_request_and_one_is_kept_for_each_model_to_come),
        cmocka_unit_test(the_next_model_is_tried_after_a_moderated_prompt),
        cmocka_unit_test(a_stale_connection_is_resent_once_and_recorded),
        cmocka_unit_test(every_upstream_call_names_who_it_went_through),
        cmocka_unit_test(a_loop_is_one_attempt_each_time_and_no_event_for_health),
        cmocka_unit_test(a_refused_key_is_benched_never_shown_and_falls_back),
        cmocka_unit_test(a_spent_quota_benches_the_key_and_not_only_the_endpoint),
        cmocka_unit_test(a_refused_key_gives_way_to_the_next_of_its_provider),
        cmocka_unit_test(when_every_key_is_refused_the_next_provider_is_asked),
        cmocka_unit_test(a_class_that_a_retry_could_help_wins_over_the_others),
        cmocka_unit_test(a_transfer_that_cannot_start_is_our_failure),
        cmocka_unit_test(the_caller_s_deadline_ends_everything),
        cmocka_unit_test(the_caller_s_deadline_after_content_is_told_in_band),
        cmocka_unit_test(the_total_deadline_is_the_configuration_s_when_the_caller_has_none),
        cmocka_unit_test(a_caller_without_time_has_a_millisecond),
        cmocka_unit_test(the_total_of_an_endpoint_bounds_an_attempt_there),
        cmocka_unit_test(the_total_of_an_endpoint_ends_a_stream_that_goes_on),
        cmocka_unit_test(the_configured_deadlines_are_used),
        cmocka_unit_test(a_stream_is_told_that_it_waits_every_ten_seconds_of_silence),
        cmocka_unit_test(a_full_sink_pauses_the_upstream_until_it_has_room),
        cmocka_unit_test(silence_is_waited_for_anew_after_a_pause_and_no_longer),
        cmocka_unit_test(the_request_is_a_layer_of_its_own),
        cmocka_unit_test(the_request_s_own_idle_time_only_shortens_the_endpoint_s),
        cmocka_unit_test(an_outcome_tells_whose_it_was_and_by_which_policy),
        cmocka_unit_test(the_caller_s_trace_goes_on),
        cmocka_unit_test(the_bytes_of_a_request_are_held_once_and_given_back),
        cmocka_unit_test(what_a_front_refuses_is_observed_with_the_model_that_it_names),
        cmocka_unit_test(cancelling_ends_the_upstream_in_every_phase),
        cmocka_unit_test(a_sink_may_cancel_from_inside_its_own_call),
        cmocka_unit_test(a_sink_may_cancel_from_inside_any_of_its_events),
        cmocka_unit_test(an_exchange_that_was_never_started_can_be_given_back),
        cmocka_unit_test(draining_refuses_new_requests_and_lets_the_running_ones_end),
        cmocka_unit_test(the_end_of_grace_ends_everything_with_an_error),
        cmocka_unit_test(the_end_of_grace_leaves_to_its_front_what_was_never_started),
        cmocka_unit_test(an_exchange_keeps_the_snapshot_that_it_began_with),
        cmocka_unit_test(a_plan_that_leaves_nothing_is_told_with_its_candidates),
        cmocka_unit_test(no_allocation_that_fails_crashes_or_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
