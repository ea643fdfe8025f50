/*
 * A chat over a scripted connection with the real engine behind it and a scripted transport behind that: unary and streamed,
 * fallback, held heads, in-band errors, back-pressure, a caller that leaves at every point, HTTP/1.0, bodies in every framing.
 */
#include "http_fixture.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define UNARY "{\"model\":\"t/m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAM \
    "{\"model\":\"t/m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

static void post_with(struct http_fixture *f, const char *version, const char *headers,
                      const char *body, size_t piece)
{
    char *text = NULL;
    int length = asprintf(&text,
                          "POST /v1/chat/completions HTTP/%s\r\nHost: localhost\r\n"
                          "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                          version, headers, strlen(body), body);
    assert_true(length > 0);
    http_fixture_send(f, remora_slice(text, (size_t)length), piece);
    free(text);
}

static void post(struct http_fixture *f, const char *body)
{
    post_with(f, "1.1", "", body, 0);
}

static bool was_written(const struct http_fixture *f, const char *what)
{
    struct remora_slice all = conn_script_written(&f->script);
    return all.length > 0 && memmem(all.data, all.length, what, strlen(what)) != NULL;
}

static void a_unary_answer_comes_whole(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post(f, UNARY);
    assert_int_equal(http_fixture_status(f), 0);
    play_good_unary(f->engine, 0, "Hello");
    assert_int_equal(http_fixture_status(f), 200);
    assert_true(was_written(f, "\"content\":\"Hello\""));
    assert_true(was_written(f, "X-Generation-Id: gen-"));
    assert_true(was_written(f, "\"provider\":\"a\",\"model\":\"t/m\""));
    assert_false(was_written(f, "\"remora\""));
    assert_false(http_fixture_is_closing(f));
    http_fixture_free(f);
}

static void a_body_is_read_in_every_framing(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post_with(f, "1.1", "", UNARY, 1);
    play_good_unary(f->engine, 0, "one");
    assert_true(was_written(f, "\"content\":\"one\""));
    conn_script_take(&f->script);
    http_fixture_send(
        f,
        REMORA_SLICE("POST /api/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Type: application/json; charset=utf-8\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"
                     "2\r\n{\"\r\n2a\r\nmessages\":[{\"role\":\"user\",\"content\":\"hi\"}]\r\n"
                     "f\r\n,\"model\":\"t/m\"}\r\n0\r\n\r\n"),
        1);
    play_good_unary(f->engine, 1, "two");
    assert_true(was_written(f, "\"content\":\"two\""));
    http_fixture_free(f);
}

/* The engine withholds it (engine/decode.c): what comes to the encoder is told. */
static void excluded_reasoning_does_not_reach_the_caller(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
        char body[256];
        snprintf(body, sizeof body,
                 "{\"model\":\"t/m\",\"stream\":true,\"reasoning\":{\"exclude\":%s},"
                 "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                 i == 0 ? "true" : "false");
        post(f, body);
        play_head(f->engine, 0, 200, NULL);
        (void)play_body(f->engine, 0, CHUNK_REASONING("ponder") CHUNK_TEXT("42"));
        (void)play_body(f->engine, 0, CHUNK_STOP CHUNK_DONE);
        assert_int_equal(was_written(f, "ponder"), i);
        assert_true(was_written(f, "42"));
        assert_true(was_written(f, "[DONE]"));
        http_fixture_free(f);
    }
}

/* Observed under its id like any other request, and only then is it told: once, not by the access log as well. */
static void a_body_that_grows_too_large_is_refused_under_its_id(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    size_t size = 1 << 20;
    char *chunk = malloc(size + 32);
    assert_non_null(chunk);
    size_t head = (size_t)sprintf(chunk, "%zx\r\n", size);
    memset(chunk + head, ' ', size);
    memcpy(chunk + head + size, "\r\n", 2);
    http_fixture_send(f,
                      REMORA_SLICE("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                                   "Content-Type: application/json\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n"),
                      0);
    for (int i = 0; i <= REMORA_LIMIT_MESSAGE_BYTES >> 20 && http_fixture_status(f) == 0; i++) {
        http_fixture_send(f, remora_slice(chunk, head + size + 2), 0);
    }
    free(chunk);
    assert_int_equal(http_fixture_status(f), 413);
    assert_true(was_written(f, "X-Generation-Id: gen-"));
    http_fixture_free(f);
}

static void a_body_that_breaks_its_framing_has_no_id(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    http_fixture_send(f,
                      REMORA_SLICE("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                                   "Content-Type: application/json\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
                      0);
    assert_int_equal(http_fixture_status(f), 400);
    assert_false(was_written(f, "X-Generation-Id"));
    http_fixture_free(f);
}

static void pipelined_chats_are_answered_in_order(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    char two[1024];
    const char *one = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                      "Content-Type: application/json\r\nContent-Length: 59\r\n\r\n" UNARY;
    assert_int_equal(strlen(UNARY), 59);
    snprintf(two, sizeof two, "%s%s", one, one);
    http_fixture_send(f, remora_slice_of(two), 0);
    assert_int_equal(f->engine->transfer_count, 1);
    play_good_unary(f->engine, 0, "first");
    assert_int_equal(f->engine->transfer_count, 2);
    assert_true(was_written(f, "first"));
    play_good_unary(f->engine, 1, "second");
    assert_true(was_written(f, "second"));
    http_fixture_free(f);
}

static void a_stream_holds_its_head_until_content(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    static const char *const headers[] = {"content-type: text/event-stream", NULL};
    post(f, STREAM);
    play_head(f->engine, 0, 200, headers);
    play_body(f->engine, 0, CHUNK_ROLE);
    assert_int_equal(http_fixture_status(f), 0);
    play_body(f->engine, 0, CHUNK_TEXT("Hel"));
    assert_int_equal(http_fixture_status(f), 200);
    assert_true(was_written(f, "Content-Type: text/event-stream\r\n"));
    assert_true(was_written(f, "\"content\":\"Hel\""));
    play_body(f->engine, 0, CHUNK_TEXT("lo") CHUNK_STOP CHUNK_DONE);
    assert_true(was_written(f, "data: [DONE]\n\n\r\n0\r\n\r\n"));
    assert_false(http_fixture_is_closing(f));
    http_fixture_free(f);
}

static void a_failure_before_content_falls_back_unseen_and_is_told_at_the_end(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post(f, STREAM);
    play_answer(f->engine, 0, 503, "{}");
    assert_int_equal(http_fixture_status(f), 0);
    play_good_stream(f->engine, 1, "Hi");
    assert_int_equal(http_fixture_status(f), 200);
    assert_true(was_written(f, "\"provider\":\"b\""));
    assert_false(was_written(f, "\"choices\":[]")); /* on the last finish */
    assert_true(was_written(f, "\"reason\":\"UPSTREAM_OVERLOADED\""));
    http_fixture_free(f);
}

static void a_final_failure_is_a_status_with_retry_after(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    static const char *const headers[] = {"retry-after: 7", NULL};
    post(f, STREAM);
    for (size_t i = 0; i < 2; i++) {
        play_head(f->engine, i, 429, headers);
        play_body(f->engine, i, "{}");
        play_end(f->engine, i, REMORA_CAUSE_NONE);
    }
    assert_int_equal(http_fixture_status(f), 429);
    assert_true(was_written(f, "Retry-After: 7\r\n"));
    assert_true(was_written(f, "\"reason\":\"CAPACITY_EXHAUSTED\""));
    assert_false(was_written(f, "x-should-retry"));
    assert_false(http_fixture_is_closing(f));
    http_fixture_free(f);
}

static void a_lasting_failure_asks_clients_not_to_retry(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post(f, UNARY);
    play_answer(f->engine, 0, 401, "{}");
    play_answer(f->engine, 1, 401, "{}");
    assert_int_equal(http_fixture_status(f), 502);
    assert_true(was_written(f, "x-should-retry: false\r\n"));
    http_fixture_free(f);
}

static void ten_seconds_of_silence_spend_the_status_but_not_the_fallback(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post(f, STREAM);
    fixture_pass_ms(f->engine, 9999);
    assert_int_equal(http_fixture_status(f), 0);
    fixture_pass_ms(f->engine, 2);
    assert_int_equal(http_fixture_status(f), 200);
    assert_true(was_written(f, ": REMORA PROCESSING\n\n"));
    play_answer(f->engine, 0, 503, "{}");
    play_answer(f->engine, 1, 503, "{}");
    assert_true(was_written(f, "\"code\":502")); /* in a stream that has begun (codes.md) */
    assert_true(was_written(f, "\"http_status\":503"));
    assert_true(was_written(f, "\"finish_reason\":\"error\""));
    assert_true(f->engine->outcome.has_begun);
    assert_false(was_written(f, "[DONE]"));
    assert_false(http_fixture_is_closing(f));
    http_fixture_free(f);
}

static void a_cut_after_content_is_one_error_event(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    static const char *const headers[] = {"content-type: text/event-stream", NULL};
    post(f, STREAM);
    play_head(f->engine, 0, 200, headers);
    play_body(f->engine, 0, CHUNK_TEXT("Hel"));
    play_end(f->engine, 0, REMORA_CAUSE_RESET);
    assert_true(was_written(f, "\"code\":502"));
    assert_true(was_written(f, "\"reason\":\"STREAM_BROKEN\""));
    assert_true(was_written(f, "\n\n\r\n0\r\n\r\n"));
    assert_false(was_written(f, "[DONE]"));
    http_fixture_free(f);
}

static void a_slow_reader_pauses_the_upstream_and_resumes_it(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    static const char *const headers[] = {"content-type: text/event-stream", NULL};
    post(f, STREAM);
    play_head(f->engine, 0, 200, headers);
    conn_script_stall(&f->script);
    size_t pieces = 0;
    while (play_body(f->engine, 0, CHUNK_TEXT("some text that nobody reads")) == REMORA_FLOW_GO) {
        pieces++;
        assert_true(pieces < 1000);
    }
    assert_true(f->script.queued_bytes > REMORA_LIMIT_STREAM_BUFFER_BYTES);
    assert_true(f->script.queued_bytes < REMORA_LIMIT_STREAM_BUFFER_BYTES + 1024);
    assert_int_equal(f->engine->transfers[0].resumed, 0);
    conn_script_drain(&f->script);
    assert_int_equal(f->engine->transfers[0].resumed, 1);
    http_fixture_free(f);
}

static void a_reader_that_takes_nothing_for_a_minute_is_dropped(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    static const char *const headers[] = {"content-type: text/event-stream", NULL};
    post(f, STREAM);
    play_head(f->engine, 0, 200, headers);
    conn_script_stall(&f->script);
    while (play_body(f->engine, 0, CHUNK_TEXT("some text that nobody reads")) == REMORA_FLOW_GO) {
    }
    fixture_pass_ms(f->engine, 59000);
    assert_false(http_fixture_is_closing(f));
    fixture_pass_ms(f->engine, 1001);
    assert_true(http_fixture_is_closing(f));
    assert_true(f->engine->transfers[0].was_cancelled);
    http_fixture_free(f);
}

/* The minute begins with output that waits, not with output that has left since. */
static void each_output_that_waits_has_its_own_minute(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    static const char *const headers[] = {"content-type: text/event-stream", NULL};
    post(f, STREAM);
    play_head(f->engine, 0, 200, headers);
    conn_script_stall(&f->script);
    (void)play_body(f->engine, 0, CHUNK_TEXT("first"));
    fixture_pass_ms(f->engine, 30000);
    conn_script_drain(&f->script);
    fixture_pass_ms(f->engine, 20000);
    while (play_body(f->engine, 0, CHUNK_TEXT("some text that nobody reads")) == REMORA_FLOW_GO) {
    }
    fixture_pass_ms(f->engine, 10001); /* a minute after the first */
    fixture_pass_ms(f->engine, 49000);
    assert_false(http_fixture_is_closing(f));
    fixture_pass_ms(f->engine, 1000);
    assert_true(http_fixture_is_closing(f));
    http_fixture_free(f);
}

static void a_caller_that_leaves_cancels_the_upstream_at_once(void **state)
{
    (void)state;
    static const char *const headers[] = {"content-type: text/event-stream", NULL};
    for (int stage = 0; stage < 3; stage++) {
        struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
        post(f, stage == 0 ? UNARY : STREAM);
        if (stage == 2) {
            play_head(f->engine, 0, 200, headers);
            play_body(f->engine, 0, CHUNK_TEXT("Hel"));
        }
        conn_script_gone(&f->script, REMORA_CONN_PEER_CLOSED);
        assert_true(f->engine->transfers[0].was_cancelled);
        assert_int_equal(f->engine->settled, 1);
        assert_int_equal(f->engine->outcome.fail.code, REMORA_CLIENT_GONE);
        http_fixture_free(f);
    }
}

static void a_caller_that_leaves_in_the_middle_of_its_body_costs_nothing(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    http_fixture_send(
        f,
        REMORA_SLICE("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"),
        0);
    conn_script_gone(&f->script, REMORA_CONN_RESET);
    assert_int_equal(f->engine->transfer_count, 0);
    assert_int_equal(remora_admission_inflight(f->engine->admission), 0);
    http_fixture_free(f);
}

static void http_1_0_streams_until_the_close(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post_with(f, "1.0", "Connection: keep-alive\r\n", STREAM, 0);
    play_good_stream(f->engine, 0, "Hi");
    assert_true(was_written(f, "Connection: close\r\n"));
    assert_false(was_written(f, "chunked"));
    assert_true(was_written(f, "data: [DONE]\n\n"));
    assert_true(http_fixture_is_closing(f));
    assert_true(f->script.linger_ms > 0);
    http_fixture_free(f);
}

static void expect_continue_is_answered_before_the_body(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    http_fixture_send(f,
                      REMORA_SLICE("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                                   "Content-Type: application/json\r\nExpect: 100-continue\r\n"
                                   "Content-Length: 59\r\n\r\n"),
                      0);
    assert_slice_equal(conn_script_written(&f->script), "HTTP/1.1 100 Continue\r\n\r\n");
    http_fixture_send(f, REMORA_SLICE(UNARY), 0);
    play_good_unary(f->engine, 0, "Hi");
    assert_true(was_written(f, "HTTP/1.1 200 OK"));
    http_fixture_free(f);
}

static void the_callers_deadline_is_read_from_its_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"x-request-timeout-ms: 400\r\n",
                                          "x-stainless-timeout: 3\r\n",
                                          "X-Stainless-Timeout: 3.5\r\n",
                                          "x-stainless-timeout: 0.5\r\n",
                                          "x-stainless-timeout: 1.9\r\n",
                                          "x-request-timeout-ms: 0\r\nx-stainless-timeout: 2\r\n",
                                          "x-request-timeout-ms: 7\r\nx-stainless-timeout: 2\r\n"};
    static const int64_t due_ms[] = {400, 3000, 3500, 500, 1900, 2000, 7};
    for (size_t i = 0; i < REMORA_COUNT_OF(headers); i++) {
        struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
        post_with(f, "1.1", headers[i], UNARY, 0);
        fixture_pass_ms(f->engine, due_ms[i] - 1);
        assert_int_equal(http_fixture_status(f), 0);
        fixture_pass_ms(f->engine, 2);
        assert_int_equal(http_fixture_status(f), 504);
        assert_true(was_written(f, "\"reason\":\"DEADLINE\""));
        http_fixture_free(f);
    }
}

static void a_deadline_that_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {"x-request-timeout-ms: abc\r\n",
                                          "x-request-timeout-ms: -5\r\n",
                                          "x-request-timeout-ms: 500.0\r\n",
                                          "x-request-timeout-ms: 1e3\r\n",
                                          "x-request-timeout-ms: 18446744073709551616\r\n",
                                          "x-request-timeout-ms:\r\n",
                                          "x-request-timeout-ms: 5\r\nX-Request-Timeout-Ms: 5\r\n",
                                          "x-stainless-timeout: soon\r\n",
                                          "x-stainless-timeout: -1\r\n"};
    for (size_t i = 0; i < REMORA_COUNT_OF(headers); i++) {
        struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
        post_with(f, "1.1", headers[i], UNARY, 0);
        assert_int_equal(http_fixture_status(f), 400);
        assert_true(was_written(f, "\"reason\":\"INVALID_REQUEST\""));
        assert_true(was_written(f, headers[i][2] == 'r' ? "\"param\":\"x-request-timeout-ms\""
                                                        : "\"param\":\"x-stainless-timeout\""));
        assert_true(was_written(f, "0 sets no deadline"));
        assert_int_equal(f->engine->transfer_count, 0);
        http_fixture_free(f);
    }
}

static void the_surface_decides_about_usage(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    char text[512];
    snprintf(text, sizeof text,
             "POST /api/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(STREAM), STREAM);
    http_fixture_send(f, remora_slice_of(text), 0);
    play_good_stream(f->engine, 0, "Hi");
    assert_true(was_written(f, "\"usage\":{\"prompt_tokens\":"));
    conn_script_take(&f->script);
    post(f, STREAM);
    play_good_stream(f->engine, 1, "Hi");
    assert_true(was_written(f, "[DONE]"));
    assert_false(was_written(f, "\"usage\""));
    http_fixture_free(f);
}

static void a_drain_ends_the_connection_after_its_answer(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post(f, UNARY);
    http_fixture_drain(f, 0);
    assert_false(http_fixture_is_closing(f));
    play_good_unary(f->engine, 0, "Hi");
    assert_true(was_written(f, "Connection: close\r\n"));
    assert_true(http_fixture_is_closing(f));
    http_fixture_free(f);
}

static void a_front_that_goes_away_takes_its_calls_with_it(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    post(f, STREAM);
    http_fixture_leave(f);
    assert_true(f->engine->transfers[0].was_cancelled);
    http_fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_answer_comes_whole),
        cmocka_unit_test(a_body_is_read_in_every_framing),
        cmocka_unit_test(excluded_reasoning_does_not_reach_the_caller),
        cmocka_unit_test(a_body_that_grows_too_large_is_refused_under_its_id),
        cmocka_unit_test(a_body_that_breaks_its_framing_has_no_id),
        cmocka_unit_test(pipelined_chats_are_answered_in_order),
        cmocka_unit_test(a_stream_holds_its_head_until_content),
        cmocka_unit_test(a_failure_before_content_falls_back_unseen_and_is_told_at_the_end),
        cmocka_unit_test(a_final_failure_is_a_status_with_retry_after),
        cmocka_unit_test(a_lasting_failure_asks_clients_not_to_retry),
        cmocka_unit_test(ten_seconds_of_silence_spend_the_status_but_not_the_fallback),
        cmocka_unit_test(a_cut_after_content_is_one_error_event),
        cmocka_unit_test(a_slow_reader_pauses_the_upstream_and_resumes_it),
        cmocka_unit_test(a_reader_that_takes_nothing_for_a_minute_is_dropped),
        cmocka_unit_test(each_output_that_waits_has_its_own_minute),
        cmocka_unit_test(a_caller_that_leaves_cancels_the_upstream_at_once),
        cmocka_unit_test(a_caller_that_leaves_in_the_middle_of_its_body_costs_nothing),
        cmocka_unit_test(http_1_0_streams_until_the_close),
        cmocka_unit_test(expect_continue_is_answered_before_the_body),
        cmocka_unit_test(the_callers_deadline_is_read_from_its_headers),
        cmocka_unit_test(a_deadline_that_is_no_number_is_refused),
        cmocka_unit_test(the_surface_decides_about_usage),
        cmocka_unit_test(a_drain_ends_the_connection_after_its_answer),
        cmocka_unit_test(a_front_that_goes_away_takes_its_calls_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
