/*
 * What an attempt leaves behind and what the next one begins with: nothing of the one before, be it of the same request or of
 * an exchange's last; and what its record says in the end.
 */
#include "engine_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "remora/limits.h"

#define BUSY "data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n"

/* Its first attempt has answered 200, sent `events` and then an error; the second is under way. */
static struct engine_fixture *after_a_busy_stream(const char *events)
{
    struct engine_fixture *f = fixture_new("");
    f->excludes_reasoning = true;
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, events);
    (void)play_body(f, 0, BUSY);
    assert_int_equal(f->transfer_count, 2);
    return f;
}

/* ---- anew ---- */

static void the_second_attempt_waits_for_a_first_byte_of_its_own(void **state)
{
    (void)state;
    struct engine_fixture *f = after_a_busy_stream(CHUNK_ROLE);
    fixture_pass_ms(f, 29999);
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1);
    assert_null(f->exchange);
    assert_int_equal(f->outcome.attempts[1].cause, REMORA_CAUSE_FIRST_BYTE_TIMEOUT);
    fixture_free(f);
}

static void a_second_attempt_without_a_head_was_not_answered(void **state)
{
    (void)state;
    struct engine_fixture *f = after_a_busy_stream(CHUNK_ROLE);
    play_end(f, 1, REMORA_CAUSE_RESET);
    assert_int_equal(f->outcome.attempts[1].cause, REMORA_CAUSE_RESET);
    assert_int_equal(f->outcome.attempts[1].http_status, 0);
    assert_true(f->outcome.attempts[0].possibly_billed);
    assert_false(f->outcome.attempts[0].was_left); /* it failed by itself */
    fixture_free(f);
}

static void finishes_that_were_held_go_with_their_attempt(void **state)
{
    (void)state;
    struct engine_fixture *f = after_a_busy_stream(CHUNK_ROLE CHUNK_STOP);
    play_answer(f, 1, 200, CHUNK_ROLE CHUNK_STOP CHUNK_DONE);
    assert_said(f, "attempt_failed a UPSTREAM_OVERLOADED\n"
                   "started um by b\nfinished 0 stop\ncompleted 1+0\n");
    fixture_free(f);
}

static void what_one_endpoint_wrote_is_not_the_other_s_to_bill(void **state)
{
    (void)state;
    struct engine_fixture *f =
        after_a_busy_stream(CHUNK_REASONING("forty bytes of thought, which"));
    play_answer(f, 1, 200, CHUNK_TEXT("four") CHUNK_STOP CHUNK_DONE);
    assert_int_equal(remora_usage_output_total(&f->outcome.usage), 1);
    fixture_free(f);
}

/* What a failed attempt reported is its own; what the caller left is the outcome's. */
static void only_what_was_left_is_summed_up(void **state)
{
    (void)state;
    struct engine_fixture *f = after_a_busy_stream(CHUNK_ROLE CHUNK_USAGE);
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    f->exchange = NULL;
    assert_int_equal(remora_usage_input_total(&f->outcome.attempts[0].usage), 5);
    assert_true(f->outcome.attempts[1].was_left);
    assert_int_equal(remora_usage_input_total(&f->outcome.usage), 1); /* "hi" */
    fixture_free(f);
}

/* Exchanges are pooled: the next request gets the memory of the last. */
static void a_request_knows_nothing_of_the_one_before(void **state)
{
    static const char *const models[] = {"t/unheard-of", "t/m", NULL};
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->excludes_reasoning = true;
    f->wants_further = true;
    fixture_start_with(f, REMORA_STREAM, "t/never", models, 1000);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_REASONING("a thought") CHUNK_TEXT("x"));
    fixture_pass_ms(f, 1000);
    assert_non_null(f->outcome.served);
    assert_true(f->outcome.skipped_count > 0);
    assert_true(f->outcome.has_begun);

    f->excludes_reasoning = false;
    f->wants_further = false;
    fixture_start(f, REMORA_UNARY, "t/m");
    fixture_pass_ms(f, 2000); /* its time is its own */
    play_answer(f, 1, 500, "{}");
    play_answer(f, 2, 500, "{}");
    assert_null(f->outcome.served);
    assert_false(f->outcome.has_begun);
    assert_int_equal(f->outcome.skipped_count, 0);
    assert_int_equal(f->outcome.attempt_count, 2);
    assert_int_equal(f->outcome.events, 1);
    assert_int_equal(f->outcome.content_events, 0);
    assert_int_equal(f->outcome.last_content_ns, 0);
    assert_int_equal(f->outcome.total_ns, 2000 * REMORA_NS_PER_MS);
    assert_string_equal(f->outcome.requested_model, "t/m");
    fixture_free(f);
}

/* ---- sent again ---- */

static void a_free_re_send_is_told_like_any_attempt(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_stale(f, 0);
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n");
    play_answer(f, 1, 500, "{}");
    assert_string_equal(f->transfers[2].provider, "b");
    play_stale(f, 2); /* each endpoint has one */
    assert_string_equal(f->transfers[3].provider, "b");
    play_good_stream(f, 3, "x");
    assert_int_equal(f->outcome.attempt_count, 4);
    assert_true(f->outcome.attempts[1].is_resend);
    assert_false(f->outcome.attempts[2].is_resend);
    assert_true(f->outcome.attempts[3].is_resend);
    assert_int_equal(f->attempts_observed, 4);
    fixture_free(f);
}

static void a_re_send_that_cannot_start_is_our_failure(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    f->next_start = REMORA_SHEDDING;
    play_stale(f, 0);
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\nfailed SHEDDING\n");
    assert_int_equal(f->outcome.attempts[1].code, REMORA_SHEDDING);
    assert_int_equal(f->outcome.attempts[1].cause, REMORA_CAUSE_BUILD);
    fixture_free(f);
}

static void an_attempt_that_could_not_be_sent_is_recorded_before_the_next(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->next_start = REMORA_UPSTREAM_UNAVAILABLE;
    fixture_start(f, REMORA_STREAM, "t/m");
    assert_string_equal(f->transfers[0].provider, "b");
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\n");
    assert_int_equal(f->attempts_observed, 1);
    play_good_stream(f, 0, "x");
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_BUILD);
    assert_int_equal(f->attempts_observed, 2);
    fixture_free(f);
}

static void no_re_send_goes_beyond_the_attempts_that_a_record_holds(void **state)
{
    char yaml[4096];
    int length = snprintf(yaml, sizeof yaml, "service: svc\nproviders:\n");
    (void)state;
    for (int i = 0; i < REMORA_LIMIT_ATTEMPTS; i++) {
        length += snprintf(yaml + length, sizeof yaml - (size_t)length,
                           "  p%d: {kind: openai, base_url: \"http://127.0.0.1/%d\"}\n", i, i);
    }
    length +=
        snprintf(yaml + length, sizeof yaml - (size_t)length,
                 "attempts: {per_model: %d, per_request: %d}\nmodels:\n  t/m:\n    endpoints:\n",
                 REMORA_LIMIT_ATTEMPTS, REMORA_LIMIT_ATTEMPTS);
    for (int i = 0; i < REMORA_LIMIT_ATTEMPTS; i++) {
        length += snprintf(yaml + length, sizeof yaml - (size_t)length,
                           "      - {provider: p%d, model_id: m}\n", i);
    }
    struct engine_fixture *f = fixture_new_yaml(yaml);
    fixture_start(f, REMORA_UNARY, "t/m");
    for (size_t i = 0; i + 1 < REMORA_LIMIT_ATTEMPTS; i++) {
        play_answer(f, i, 500, "{}");
    }
    play_stale(f, REMORA_LIMIT_ATTEMPTS - 1);
    assert_null(f->exchange);
    assert_int_equal(f->outcome.attempt_count, REMORA_LIMIT_ATTEMPTS);
    assert_int_equal(f->transfer_count, REMORA_LIMIT_ATTEMPTS);
    fixture_free(f);
}

/* ---- what the record says ---- */

static void a_status_that_came_stays_whatever_follows(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x"));
    fixture_pass_ms(f, 60000);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_IDLE_TIMEOUT);
    assert_int_equal(f->outcome.attempts[0].http_status, 200);
    fixture_free(f);
}

static void an_attempt_that_was_left_says_why(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    f->exchange = NULL;
    assert_int_equal(f->outcome.attempts[0].code, REMORA_CLIENT_GONE);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_CANCELLED);
    fixture_start(f, REMORA_STREAM, "t/m");
    remora_engine_abort_all(f->engine);
    assert_int_equal(f->outcome.attempts[0].code, REMORA_DRAINING);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_NONE);
    fixture_start_with(f, REMORA_STREAM, "t/m", NULL, 1000);
    fixture_pass_ms(f, 1000);
    assert_int_equal(f->outcome.attempts[0].code, REMORA_DEADLINE);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_DEADLINE);
    fixture_free(f);
}

static void an_attempt_that_used_nothing_has_no_cost_rather_than_one_of_0(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 500, "{}");
    play_good_unary(f, 1, "x");
    assert_int_equal(f->outcome.attempts[0].cost.total_pico_usd, -1);
    assert_int_equal(f->outcome.attempts[0].usage.certainty, REMORA_CERTAINTY_UNKNOWN);
    fixture_free(f);
}

/* From the whole request to the first byte that goes out; a second attempt adds nothing. */
static void overhead_ends_where_the_first_attempt_is_sent(void **state)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    struct engine_fixture *f = fixture_new("");
    assert_int_equal(remora_exchange_new(f->engine, 8, &f->exchange, &fail), REMORA_OK);
    struct remora_request *request = remora_exchange_request(f->exchange);
    request->model = REMORA_SLICE("t/m");
    request->identity.service = f->config->service;
    remora_exchange_whole(f->exchange);
    f->precise_ahead_ns = 5000;
    remora_exchange_start(f->exchange, &f->sink);
    f->precise_ahead_ns = 9000;
    play_answer(f, 0, 500, "{}");
    play_good_unary(f, 1, "x");
    assert_int_equal(f->outcome.overhead_ns, 5000);
    fixture_free(f);
}

static struct remora_slice sent_header(const struct engine_fixture *f, size_t index,
                                       const char *name)
{
    const struct remora_http_request *request = f->transfers[index].input.request;
    for (size_t i = 0; i < request->header_count; i++) {
        if (remora_slice_is(request->headers[i].name, name)) {
            return request->headers[i].value;
        }
    }
    return REMORA_SLICE("");
}

static void each_attempt_has_an_id_of_its_own(void **state)
{
    char id[64];
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    for (size_t i = 0; i < 2; i++) {
        snprintf(id, sizeof id, "%s-%zu", remora_exchange_generation_id(f->exchange), i + 1);
        assert_slice_equal(sent_header(f, i, "x-request-id"), id);
        play_answer(f, i, 500, "{}");
    }
    fixture_free(f);
}

static void the_trace_goes_to_who_is_to_have_it(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new_yaml(
        "service: svc\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", trace_context: true}\n"
        "  b: {kind: openai, base_url: \"http://127.0.0.1/b\"}\n"
        "models:\n  t/m: {endpoints: [{provider: a, model_id: m}, {provider: b, model_id: m}]}\n");
    fixture_start(f, REMORA_UNARY, "t/m");
    assert_int_equal(sent_header(f, 0, "traceparent").length, REMORA_TRACEPARENT_BYTES - 1);
    play_answer(f, 0, 500, "{}");
    assert_int_equal(sent_header(f, 1, "traceparent").length, 0);
    play_good_unary(f, 1, "x");
    fixture_free(f);
}

/* One that only the operator's order binds goes to nobody else, be it told to a router. */
static void a_router_hears_that_it_has_nobody_to_fall_back_to(void **state)
{
    static const struct {
        const char *policy;
        bool is_told;
    } cases[] = {
        {"", false},
        {"policy: {provider: {allow_fallbacks: false}}\n", true},
        {"policy: {provider: {order: [a]}}\n", false},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml,
                 "service: svc\nproviders:\n"
                 "  a: {kind: openai, dialect: openrouter, base_url: \"http://127.0.0.1/a\"}\n"
                 "models:\n  t/m: {endpoints: [{provider: a, model_id: m}]}\n%s",
                 cases[i].policy);
        struct engine_fixture *f = fixture_new_yaml(yaml);
        fixture_start(f, REMORA_UNARY, "t/m");
        assert_int_equal(strstr(f->transfers[0].body, "\"allow_fallbacks\":false") != NULL,
                         cases[i].is_told);
        fixture_free(f);
    }
}

static void an_answer_says_how_it_ended(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_answer(f, 0, 200, CHUNK_TEXT("x") CHUNK_DONE);
    assert_true(f->outcome.attempts[0].had_terminator);
    assert_true(f->outcome.attempts[0].lacks_finish);
    fixture_start(f, REMORA_STREAM, "t/m");
    play_answer(f, 1, 200, CHUNK_TEXT("x") CHUNK_STOP);
    assert_false(f->outcome.attempts[0].had_terminator);
    assert_false(f->outcome.attempts[0].lacks_finish);
    assert_null(f->outcome.plan); /* it goes with the commit */
    fixture_start(f, REMORA_UNARY, "t/m");
    play_good_unary(f, 2, "x");
    assert_null(f->outcome.plan);
    fixture_free(f);
}

/* ---- heads of failures ---- */

static void only_2xx_is_an_answer(void **state)
{
    static const int statuses[] = {199, 300, 304};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(statuses); i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, REMORA_UNARY, "t/m");
        play_answer(
            f, 0, statuses[i],
            "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"x\"},"
            "\"finish_reason\":\"stop\"}]}"); /* whatever the body looks like */
        assert_string_equal(f->transfers[1].provider, "b");
        play_good_unary(f, 1, "x");
        assert_int_equal(f->outcome.attempts[0].http_status, statuses[i]);
        assert_false(f->outcome.attempts[0].possibly_billed);
        fixture_free(f);
    }
}

static void the_status_of_a_head_is_the_failure_s(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    for (size_t i = 0; i < 2; i++) {
        play_head(f, i, 200, NULL);
        play_end(f, i, REMORA_CAUSE_RESET);
    }
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_UNAVAILABLE);
    assert_int_equal(f->outcome.fail.upstream_status, 200);
    fixture_free(f);
}

/* The event is the provider's, so it is no request that is too large. */
static void an_event_beyond_the_limit_is_the_provider_s_fault(void **state)
{
    const size_t bytes = REMORA_LIMIT_UPSTREAM_EVENT_BYTES + 16;
    char *event = malloc(bytes + 1);
    (void)state;
    assert_non_null(event);
    memset(event, 'x', bytes);
    memcpy(event, "data: ", 6);
    event[bytes] = '\0';
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, event);
    assert_string_equal(f->transfers[1].provider, "b");
    play_good_stream(f, 1, "x");
    assert_int_equal(f->outcome.attempts[0].code, REMORA_UPSTREAM_UNAVAILABLE);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_TOO_LARGE);
    fixture_free(f);
    free(event);
}

#define CHUNK_OF_SECOND(text) \
    "data: {\"id\":\"u1\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"" text "\"}}]}\n\n"

/* The grammar of events: nothing of a choice follows its finish, which words of another have made final. */
static void events_out_of_order_are_refused(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("x") CHUNK_STOP CHUNK_OF_SECOND("z") CHUNK_TEXT("y"));
    assert_said(f, "started um by a\ntext 0 x\nfinished 0 stop\ntext 1 z\nfailed STREAM_BROKEN "
                   "after content\n");
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_BAD_EVENT);
    fixture_free(f);
}

static void the_hint_of_a_head_is_found_behind_other_headers(void **state)
{
    static const char *const headers[] = {"content-type: application/json", "retry-after: 7", NULL};
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    for (size_t i = 0; i < 2; i++) {
        play_head(f, i, 429, headers);
        play_end(f, i, REMORA_CAUSE_NONE);
    }
    assert_int_equal(f->outcome.fail.code, REMORA_CAPACITY_EXHAUSTED);
    assert_int_equal(f->outcome.fail.retry_after_ms, 7000);
    fixture_free(f);
}

/* ---- estimates ---- */

#define CHUNK_CALL                                                                               \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\","     \
    "\"type\":\"function\",\"function\":{\"name\":\"four\",\"arguments\":\"{\\\"a\\\": 12}\"}}]" \
    "}}]}\n\n"
#define CHUNK_REFUSAL \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"I will not\"}}]}\n\n"

static void all_that_a_model_writes_is_estimated(void **state)
{
    static const struct {
        const char *events;
        int64_t tokens;
    } cases[] = {
        {CHUNK_TEXT("12345678"), 2},
        {CHUNK_REASONING("12345678") CHUNK_TEXT("1234"), 3},
        {CHUNK_CALL, 4}, /* the name and the arguments: 13 bytes */
        {CHUNK_REFUSAL, 3},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, REMORA_STREAM, "t/m");
        play_head(f, 0, 200, NULL);
        (void)play_body(f, 0, cases[i].events);
        (void)play_body(f, 0, CHUNK_STOP CHUNK_DONE);
        assert_int_equal(f->outcome.fail.code, REMORA_OK);
        assert_int_equal(remora_usage_output_total(&f->outcome.usage), cases[i].tokens);
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_attempt_waits_for_a_first_byte_of_its_own),
        cmocka_unit_test(a_second_attempt_without_a_head_was_not_answered),
        cmocka_unit_test(finishes_that_were_held_go_with_their_attempt),
        cmocka_unit_test(what_one_endpoint_wrote_is_not_the_other_s_to_bill),
        cmocka_unit_test(only_what_was_left_is_summed_up),
        cmocka_unit_test(a_request_knows_nothing_of_the_one_before),
        cmocka_unit_test(a_free_re_send_is_told_like_any_attempt),
        cmocka_unit_test(a_re_send_that_cannot_start_is_our_failure),
        cmocka_unit_test(an_attempt_that_could_not_be_sent_is_recorded_before_the_next),
        cmocka_unit_test(no_re_send_goes_beyond_the_attempts_that_a_record_holds),
        cmocka_unit_test(a_status_that_came_stays_whatever_follows),
        cmocka_unit_test(an_attempt_that_was_left_says_why),
        cmocka_unit_test(an_attempt_that_used_nothing_has_no_cost_rather_than_one_of_0),
        cmocka_unit_test(overhead_ends_where_the_first_attempt_is_sent),
        cmocka_unit_test(each_attempt_has_an_id_of_its_own),
        cmocka_unit_test(the_trace_goes_to_who_is_to_have_it),
        cmocka_unit_test(a_router_hears_that_it_has_nobody_to_fall_back_to),
        cmocka_unit_test(an_answer_says_how_it_ended),
        cmocka_unit_test(only_2xx_is_an_answer),
        cmocka_unit_test(the_status_of_a_head_is_the_failure_s),
        cmocka_unit_test(an_event_beyond_the_limit_is_the_provider_s_fault),
        cmocka_unit_test(events_out_of_order_are_refused),
        cmocka_unit_test(the_hint_of_a_head_is_found_behind_other_headers),
        cmocka_unit_test(all_that_a_model_writes_is_estimated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
