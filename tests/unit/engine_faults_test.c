/*
 * The sixteen faults of the public yardstick (reference/peers.md), streamed and unary where both exist, against a scripted
 * upstream. Each case says what the caller was told and how many upstream calls were made.
 */
#include "engine_fixture.h"

#include <stdio.h>

static const char *const retry_after_7[] = {"Retry-After: 7", NULL};

#define OK_FROM_B       \
    "started um by b\n" \
    "text 0 hello\n"    \
    "finished 0 stop\n" \
    "completed 5+2\n"

/* a fails with a status, b answers. */
static void falls_back(enum remora_delivery delivery, int status, const char *const *headers,
                       const char *body, const char *reason)
{
    struct engine_fixture *f = fixture_new("");
    char expected[256];
    fixture_start(f, delivery, "t/m");
    play_head(f, 0, status, headers);
    (void)play_body(f, 0, body);
    play_end(f, 0, REMORA_CAUSE_NONE);
    if (delivery == REMORA_STREAM) {
        play_good_stream(f, 1, "hello");
    } else {
        play_good_unary(f, 1, "hello");
    }
    snprintf(expected, sizeof expected, "attempt_failed a %s\n" OK_FROM_B, reason);
    assert_said(f, expected);
    assert_int_equal(f->transfer_count, 2);
    assert_int_equal(f->attempts_observed, 2);
    fixture_free(f);
}

static const enum remora_delivery both[] = {REMORA_UNARY, REMORA_STREAM};

static void fault_01_rate_limit_with_retry_after_falls_back_and_rests(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        falls_back(both[i], 429, retry_after_7, "{\"error\":{\"message\":\"slow down\"}}",
                   "CAPACITY_EXHAUSTED");
    }
    /* The endpoint rests for as long as it asked, not longer. */
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_head(f, 0, 429, retry_after_7);
    play_end(f, 0, REMORA_CAUSE_NONE);
    play_good_unary(f, 1, "x");
    fixture_pass_ms(f, 6900);
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_string_equal(f->transfers[2].provider, "b");
    play_good_unary(f, 2, "x");
    fixture_pass_ms(f, 200);
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_string_equal(f->transfers[3].provider, "a");
    play_good_unary(f, 3, "x");
    fixture_free(f);
}

static void
fault_02_rate_limit_without_retry_after_falls_back_and_is_told_when_all_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        falls_back(both[i], 429, NULL, "{}", "CAPACITY_EXHAUSTED");
    }
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_head(f, 0, 429, retry_after_7);
    play_end(f, 0, REMORA_CAUSE_NONE);
    play_answer(f, 1, 429, "{}");
    assert_said(f, "attempt_failed a CAPACITY_EXHAUSTED\nfailed CAPACITY_EXHAUSTED\n");
    assert_int_equal(f->outcome.fail.retry_after_ms, 7000);
    assert_false(f->outcome.attempts[0].possibly_billed); /* its head says that nothing was done */
    fixture_free(f);
}

/* The endpoints rest all the same, and the next request is told for how long: so is this one. */
static void rate_limits_without_retry_after_tell_how_long_the_shortest_rest_is(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 429, "{}");
    play_answer(f, 1, 429, "{}");
    int64_t told_ms = f->outcome.fail.retry_after_ms;
    assert_int_equal(f->outcome.fail.code, REMORA_CAPACITY_EXHAUSTED);
    assert_in_range(told_ms, 1000, 6000);
    fixture_pass_ms(f, (uint64_t)told_ms - 2);
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_null(f->exchange);
    assert_int_equal(f->transfer_count, 2);
    assert_in_range(f->outcome.fail.retry_after_ms, 1, 2);
    fixture_pass_ms(f, 3);
    fixture_start(f, REMORA_UNARY, "t/m");
    play_good_unary(f, 2, "x");
    fixture_free(f);
}

static void fault_03_one_500_falls_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        falls_back(both[i], 500, NULL, "oops", "UPSTREAM_OVERLOADED");
    }
}

static void fault_04_a_503_falls_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        falls_back(both[i], 503, retry_after_7, "{}", "UPSTREAM_OVERLOADED");
    }
}

static void fault_05_a_reset_before_content_falls_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, both[i], "t/m");
        play_end(f, 0, REMORA_CAUSE_RESET);
        if (both[i] == REMORA_STREAM) {
            play_good_stream(f, 1, "hello");
        } else {
            play_good_unary(f, 1, "hello");
        }
        assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n" OK_FROM_B);
        assert_true(f->outcome.attempts[0].possibly_billed);
        fixture_free(f);
    }
}

static void fault_06_no_response_falls_back_at_the_first_byte_or_response_deadline(void **state)
{
    (void)state;
    const int64_t limit_ms[] = {300000, 30000};
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, both[i], "t/m");
        fixture_pass_ms(f, limit_ms[i] - 1);
        assert_int_equal(f->transfer_count, 1);
        fixture_pass_ms(f, 1);
        assert_int_equal(f->transfer_count, 2);
        assert_true(f->transfers[0].was_cancelled);
        if (both[i] == REMORA_STREAM) {
            play_good_stream(f, 1, "hello");
            assert_said(f, "waiting\nattempt_failed a UPSTREAM_TIMEOUT\n" OK_FROM_B);
        } else {
            play_good_unary(f, 1, "hello");
            assert_said(f, "attempt_failed a UPSTREAM_TIMEOUT\n" OK_FROM_B);
        }
        fixture_free(f);
    }
}

static void fault_07_a_slow_first_token_with_signs_of_life_is_waited_for(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    for (int i = 0; i < 12; i++) {
        fixture_pass_ms(f, 10000);
        (void)play_body(f, 0, ": keep-alive\n\n");
    }
    (void)play_body(f, 0, CHUNK_TEXT("hello") CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    assert_said(f,
                "waiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\n"
                "waiting\nwaiting\nwaiting\n"
                "started um by a\ntext 0 hello\nfinished 0 stop\ncompleted 5+2\n");
    assert_int_equal(f->transfer_count, 1);
    fixture_free(f);
}

static void fault_08_a_cut_after_content_is_told_and_does_not_fall_back(void **state)
{
    (void)state;
    const enum remora_cause ends[] = {REMORA_CAUSE_RESET, REMORA_CAUSE_TRUNCATED,
                                      REMORA_CAUSE_NONE};
    for (size_t i = 0; i < 3; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, REMORA_STREAM, "t/m");
        play_head(f, 0, 200, NULL);
        (void)play_body(f, 0, CHUNK_TEXT("hel"));
        play_end(f, 0, ends[i]);
        assert_said(f, "started um by a\ntext 0 hel\nfailed STREAM_BROKEN after content\n");
        assert_int_equal(f->transfer_count, 1);
        assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ESTIMATED);
        fixture_free(f);
    }
}

static void fault_09_a_stall_after_content_is_told_at_the_idle_deadline(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("hel"));
    for (int i = 0; i < 59; i++) {
        fixture_pass_ms(f, 1000);
    }
    assert_int_equal(f->settled, 0);
    fixture_pass_ms(f, 1000);
    assert_said(f, "started um by a\ntext 0 hel\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\n"
                   "failed STREAM_BROKEN after content\n");
    assert_true(f->transfers[0].was_cancelled);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_IDLE_TIMEOUT);
    fixture_free(f);
}

static void fault_09_a_stall_before_content_falls_back(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_ROLE);
    fixture_pass_ms(f, 10000);
    fixture_pass_ms(f, 50000);
    play_good_stream(f, 1, "hello");
    assert_said(f, "waiting\nattempt_failed a UPSTREAM_TIMEOUT\n" OK_FROM_B);
    fixture_free(f);
}

/* The commit point is content that was handed over: reasoning that the caller does not want is not. */
static void excluded_reasoning_commits_nothing(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->excludes_reasoning = true;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_REASONING("let me think"));
    play_end(f, 0, REMORA_CAUSE_RESET);
    assert_int_equal(f->transfer_count, 2);
    play_head(f, 1, 200, NULL);
    (void)play_body(f, 1, CHUNK_REASONING("again"));
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n");
    (void)play_body(f, 1,
                    CHUNK_TEXT("hello") CHUNK_REASONING("more") CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n" OK_FROM_B);
    fixture_free(f);
}

static void excluded_reasoning_alone_is_an_answer(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->excludes_reasoning = true;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_REASONING("let me think") CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    assert_said(f, "started um by a\nfinished 0 stop\ncompleted 5+2\n");
    fixture_free(f);
}

#define WHOLE_ANSWER(message)                                                                    \
    "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"um\",\"choices\":[{" \
    "\"index\":0,\"message\":{\"role\":\"assistant\"," message "},\"finish_reason\":null}]}"

/* Nothing for the caller and no word of why: an end alone is not taken for a stop. */
static void excluded_reasoning_without_a_finish_is_an_empty_answer(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->excludes_reasoning = true;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_REASONING("let me think") CHUNK_DONE);
    play_good_stream(f, 1, "hello");
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n" OK_FROM_B);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_EMPTY);
    fixture_free(f);

    f = fixture_new("");
    f->excludes_reasoning = true;
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 200, WHOLE_ANSWER("\"content\":\"\",\"reasoning\":\"let me think\""));
    play_good_unary(f, 1, "hello");
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n" OK_FROM_B);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_EMPTY);
    fixture_free(f);
}

static void reasoning_that_is_shown_is_content_without_a_finish(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_REASONING("let me think") CHUNK_USAGE CHUNK_DONE);
    assert_said(f, "started um by a\nevent 3\nfinished 0 stop\ncompleted 5+2\n");
    fixture_free(f);
}

/* A body that nothing but the connection's end delimits may be half: its missing finish reason is not guessed. */
static void a_whole_answer_without_a_finish_needs_a_proven_end(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, WHOLE_ANSWER("\"content\":\"half\""));
    play_end(f, 0, REMORA_CAUSE_TRUNCATED);
    play_good_unary(f, 1, "hello");
    assert_said(f,
                "started um by a\ntext 0 half\nattempt_failed a UPSTREAM_UNAVAILABLE\n" OK_FROM_B);
    fixture_free(f);
}

/* A sign of life for the idle deadline, and silence for the caller: before content and after it. */
static void excluded_reasoning_is_silence_for_the_caller(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->excludes_reasoning = true;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    for (int i = 0; i < 70; i++) {
        (void)play_body(f, 0, CHUNK_REASONING("step"));
        fixture_pass_ms(f, 1000);
    }
    assert_said(f, "waiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\n");
    (void)play_body(f, 0, CHUNK_TEXT("a"));
    for (int i = 0; i < 25; i++) {
        (void)play_body(f, 0, CHUNK_REASONING("step"));
        fixture_pass_ms(f, 1000);
    }
    (void)play_body(f, 0, CHUNK_TEXT("b") CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    assert_said(f, "waiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\nwaiting\n"
                   "started um by a\ntext 0 a\nwaiting\nwaiting\ntext 0 b\nfinished 0 stop\n"
                   "completed 5+2\n");
    fixture_free(f);
}

static void fault_10_a_malformed_chunk_falls_back_before_content_and_is_told_after(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, "data: {\"id\": oops}\n\n");
    play_good_stream(f, 1, "hello");
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n" OK_FROM_B);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_BAD_JSON);
    fixture_free(f);

    f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("hel"));
    (void)play_body(f, 0, "data: {\"id\": oops}\n\n");
    assert_said(f, "started um by a\ntext 0 hel\nfailed STREAM_BROKEN after content\n");
    fixture_free(f);

    f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 200, "{malformed json: <<<chaos>>>");
    play_good_unary(f, 1, "hello");
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n" OK_FROM_B);
    fixture_free(f);
}

static void fault_11_a_missing_done_is_complete_only_with_a_finish_and_a_clean_end(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("hello") CHUNK_STOP CHUNK_USAGE);
    play_end(f, 0, REMORA_CAUSE_NONE);
    assert_said(f, "started um by a\ntext 0 hello\nfinished 0 stop\ncompleted 5+2\n");
    assert_false(f->outcome.attempts[0].had_terminator);
    fixture_free(f);

    /* A reset after every finish settles, with estimated usage when none came. */
    f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("hello") CHUNK_STOP);
    play_end(f, 0, REMORA_CAUSE_RESET);
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ESTIMATED);
    fixture_free(f);
}

/* Issue 3: of two choices one was whole when the provider broke off, and the stream was told as complete. */
static void fault_11_a_cut_before_every_choice_asked_for_is_no_end(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->choice_count = 2;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("hello") CHUNK_STOP);
    play_end(f, 0, REMORA_CAUSE_RESET);
    assert_int_equal(f->outcome.fail.code, REMORA_STREAM_BROKEN);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_RESET);
    fixture_free(f);

    /* Nothing was shown: the next one answers, with fewer than asked for, and that is told. */
    f = fixture_new("");
    f->choice_count = 3;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_STOP);
    play_end(f, 0, REMORA_CAUSE_RESET);
    play_head(f, 1, 200, NULL);
    (void)play_body(f, 1, CHUNK_TEXT("hello") CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    assert_int_equal(remora_outcome_missing_choices(&f->outcome), 2);
    fixture_free(f);
}

#define CONTEXT_BODY                                                                            \
    "{\"error\":{\"message\":\"This model's maximum context length is 1000 tokens.\",\"type\":" \
    "\"invalid_request_error\",\"code\":\"context_length_exceeded\"}}"

static void fault_12_context_length_goes_only_to_a_larger_window(void **state)
{
    (void)state;
    /* b has the same window: not tried. */
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, both[i], "t/m");
        play_answer(f, 0, 400, CONTEXT_BODY);
        assert_said(f, "failed CONTEXT_LENGTH\n");
        assert_int_equal(f->transfer_count, 1);
        fixture_free(f);
    }
    /* c has a larger one: tried, past b. */
    struct engine_fixture *f =
        fixture_new("      - {provider: a, tag: a/large, model_id: um-c, context_length: 9000}\n");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_answer(f, 0, 400, CONTEXT_BODY);
    assert_int_equal(f->transfer_count, 2);
    play_good_stream(f, 1, "hello");
    assert_said(f, "attempt_failed a CONTEXT_LENGTH\n"
                   "started um by a\ntext 0 hello\nfinished 0 stop\ncompleted 5+2\n");
    fixture_free(f);
}

static void fault_13_a_moderated_prompt_stops_the_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, both[i], "t/m");
        play_answer(
            f, 0, 400,
            "{\"error\":{\"message\":\"The response was filtered\",\"code\":\"content_filter\"}}");
        assert_said(f, "failed CONTENT_POLICY\n");
        assert_int_equal(f->transfer_count, 1);
        fixture_free(f);
    }
}

static void fault_14_a_refused_request_goes_once_to_another_provider(void **state)
{
    (void)state;
    const char *const body =
        "{\"error\":{\"message\":\"Prefill is not supported\",\"type\":\"invalid_request_error\"}}";
    for (size_t i = 0; i < 2; i++) {
        falls_back(both[i], 400, NULL, body, "UPSTREAM_REFUSED_REQUEST");
    }
    /* Two refusals are the caller's fault: the first one's words are told and a third endpoint is not asked. */
    struct engine_fixture *f = fixture_new("      - {provider: a, tag: a/third, model_id: um-c}\n");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 400, body);
    play_answer(f, 1, 422, "{\"error\":{\"message\":\"no\"}}");
    assert_said(f, "attempt_failed a UPSTREAM_REFUSED_REQUEST\nfailed UPSTREAM_REFUSED_REQUEST\n");
    assert_non_null(strstr(f->outcome.fail.message, "Prefill is not supported"));
    assert_int_equal(f->transfer_count, 2);
    fixture_free(f);
}

static void fault_15_a_flapping_endpoint_is_taken_out_and_probed(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        fixture_start(f, REMORA_UNARY, "t/m");
        assert_string_equal(f->transfers[at].provider, "a");
        play_answer(f, at++, 503, "{}");
        play_good_unary(f, at++, "x");
    }
    fixture_start(f, REMORA_UNARY, "t/m"); /* the breaker is open */
    assert_string_equal(f->transfers[at].provider, "b");
    play_good_unary(f, at++, "x");
    fixture_pass_ms(f, 30001); /* one probe, by whoever comes first */
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_string_equal(f->transfers[at].provider, "a");
    play_good_unary(f, at++, "x");
    fixture_start(f, REMORA_UNARY, "t/m"); /* it answered: in again */
    assert_string_equal(f->transfers[at].provider, "a");
    play_good_unary(f, at++, "x");
    fixture_free(f);
}

/* A resolver that fails says nothing of the endpoint; the transport benches the name itself, for seconds. */
static void names_that_are_not_found_open_no_breaker(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    for (size_t at = 0; at < FIXTURE_TRANSFERS; at += 2) {
        fixture_start(f, REMORA_UNARY, "t/m");
        assert_string_equal(f->transfers[at].provider, "a");
        play_end(f, at, REMORA_CAUSE_DNS);
        play_good_unary(f, at + 1, "x");
    }
    fixture_free(f);
}

static void fault_16_usage_and_cost_are_those_of_who_served(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_answer(f, 0, 500, "oops");
    play_good_stream(f, 1, "hello");
    assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ACTUAL);
    /* 5 input tokens at 3 and 2 output tokens at 4 micro-USD. */
    assert_int_equal(remora_nano_usd(f->outcome.cost.total_pico_usd), 5 * 3000 + 2 * 4000);
    assert_slice_equal(f->outcome.served->facts.provider, "b");
    assert_int_equal(remora_usage_input_total(&f->outcome.attempts[0].usage), -1);
    fixture_free(f);
}

/* What broke before content had reported 5+2 tokens; who served reports none, and is estimated. */
static void fault_16_usage_of_a_failed_attempt_is_its_own(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_USAGE);
    play_end(f, 0, REMORA_CAUSE_RESET);
    play_head(f, 1, 200, NULL);
    (void)play_body(
        f, 1, CHUNK_TEXT("a longer answer than the other's two tokens") CHUNK_STOP CHUNK_DONE);
    assert_slice_equal(f->outcome.served->facts.provider, "b");
    assert_int_equal(f->outcome.attempts[0].usage.tokens[REMORA_USAGE_OUTPUT], 2);
    assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ESTIMATED);
    assert_true(f->outcome.usage.tokens[REMORA_USAGE_OUTPUT] > 2);
    fixture_free(f);
}

/* "At once" is a hint, and the smallest that there is: no later one stands in its place. */
static void a_hint_of_no_time_is_passed_on(void **state)
{
    static const char *const at_once[] = {"Retry-After: 0", NULL};
    const char *const *const hints[][2] = {
        {at_once, at_once}, {at_once, retry_after_7}, {retry_after_7, at_once}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(hints); i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, REMORA_UNARY, "t/m");
        for (size_t k = 0; k < 2; k++) {
            play_head(f, k, 503, hints[i][k]);
            play_end(f, k, REMORA_CAUSE_NONE);
        }
        assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_OVERLOADED);
        assert_int_equal(f->outcome.fail.retry_after_ms, 0);
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hint_of_no_time_is_passed_on),
        cmocka_unit_test(fault_01_rate_limit_with_retry_after_falls_back_and_rests),
        cmocka_unit_test(
            fault_02_rate_limit_without_retry_after_falls_back_and_is_told_when_all_are),
        cmocka_unit_test(rate_limits_without_retry_after_tell_how_long_the_shortest_rest_is),
        cmocka_unit_test(fault_03_one_500_falls_back),
        cmocka_unit_test(fault_04_a_503_falls_back),
        cmocka_unit_test(fault_05_a_reset_before_content_falls_back),
        cmocka_unit_test(fault_06_no_response_falls_back_at_the_first_byte_or_response_deadline),
        cmocka_unit_test(fault_07_a_slow_first_token_with_signs_of_life_is_waited_for),
        cmocka_unit_test(fault_08_a_cut_after_content_is_told_and_does_not_fall_back),
        cmocka_unit_test(fault_09_a_stall_after_content_is_told_at_the_idle_deadline),
        cmocka_unit_test(fault_09_a_stall_before_content_falls_back),
        cmocka_unit_test(excluded_reasoning_commits_nothing),
        cmocka_unit_test(excluded_reasoning_alone_is_an_answer),
        cmocka_unit_test(excluded_reasoning_without_a_finish_is_an_empty_answer),
        cmocka_unit_test(reasoning_that_is_shown_is_content_without_a_finish),
        cmocka_unit_test(a_whole_answer_without_a_finish_needs_a_proven_end),
        cmocka_unit_test(excluded_reasoning_is_silence_for_the_caller),
        cmocka_unit_test(fault_10_a_malformed_chunk_falls_back_before_content_and_is_told_after),
        cmocka_unit_test(fault_11_a_missing_done_is_complete_only_with_a_finish_and_a_clean_end),
        cmocka_unit_test(fault_11_a_cut_before_every_choice_asked_for_is_no_end),
        cmocka_unit_test(fault_12_context_length_goes_only_to_a_larger_window),
        cmocka_unit_test(fault_13_a_moderated_prompt_stops_the_model),
        cmocka_unit_test(fault_14_a_refused_request_goes_once_to_another_provider),
        cmocka_unit_test(fault_15_a_flapping_endpoint_is_taken_out_and_probed),
        cmocka_unit_test(names_that_are_not_found_open_no_breaker),
        cmocka_unit_test(fault_16_usage_and_cost_are_those_of_who_served),
        cmocka_unit_test(fault_16_usage_of_a_failed_attempt_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
