/*
 * An endpoint that only streams (stream_only): a unary call goes upstream as a stream and is collected. Nobody was shown
 * anything of it before its end, so what breaks on the way still falls back.
 */
#include "engine_fixture.h"

#include "remora/limits.h"

static const char document[] =
    "version: 1\n"
    "service: svc\n"
    "providers:\n"
    "  a: {kind: openai, base_url: \"http://127.0.0.1:9001/v1\", api_key: {env: A_KEY}}\n"
    "  b: {kind: openai, base_url: \"http://127.0.0.1:9002/v1\", api_key: {env: B_KEY}}\n"
    "deadlines: {first_byte_ms: 10000, idle_ms: 20000, response_ms: 50000, total_ms: 200000}\n"
    "models:\n"
    "  t/m:\n"
    "    endpoints:\n"
    "      - {provider: a, model_id: um-a, stream_only: true, pricing: {prompt: \"0.000001\", "
    "completion: \"0.000002\"}}\n"
    "      - {provider: b, model_id: um-b}\n";

static struct engine_fixture *ask(void)
{
    struct engine_fixture *f = fixture_new_yaml(document);
    fixture_start(f, REMORA_UNARY, "t/m");
    return f;
}

static void a_unary_call_is_asked_for_as_a_stream_and_collected(void **state)
{
    (void)state;
    struct engine_fixture *f = ask();
    assert_non_null(strstr(f->transfers[0].body, "\"stream\":true"));
    assert_non_null(strstr(f->transfers[0].body, "\"include_usage\":true"));
    assert_int_equal(f->transfers[0].input.body_limit_bytes, 0);
    play_good_stream(f, 0, "x");
    assert_said(f, "started um by a\ntext 0 x\nfinished 0 stop\ncompleted 5+2\n");
    assert_int_equal(f->outcome.delivery, REMORA_UNARY);
    assert_int_equal(f->outcome.cost.total_pico_usd, 9000000);
    assert_true(f->transfers[0].was_released);
    fixture_free(f);
}

static void the_next_endpoint_is_asked_as_it_speaks(void **state)
{
    (void)state;
    struct engine_fixture *f = ask();
    play_answer(f, 0, 500, "{}");
    assert_non_null(strstr(f->transfers[1].body, "\"stream\":false"));
    assert_int_equal(f->transfers[1].input.body_limit_bytes, REMORA_LIMIT_UPSTREAM_BODY_BYTES);
    play_good_unary(f, 1, "y");
    assert_said(f, "attempt_failed a UPSTREAM_OVERLOADED\n"
                   "started um by b\ntext 0 y\nfinished 0 stop\ncompleted 5+2\n");
    fixture_free(f);
}

static void a_stream_that_breaks_after_content_falls_back(void **state)
{
    (void)state;
    struct engine_fixture *f = ask();
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("half"));
    play_end(f, 0, REMORA_CAUSE_RESET);
    assert_int_equal(f->transfer_count, 2);
    play_good_unary(f, 1, "y");
    assert_said(f, "started um by a\ntext 0 half\nattempt_failed a UPSTREAM_UNAVAILABLE\n"
                   "started um by b\ntext 0 y\nfinished 0 stop\ncompleted 5+2\n");
    assert_slice_equal(f->outcome.served->facts.provider, "b");
    assert_int_equal(f->outcome.content_events, 1);
    assert_false(f->outcome.has_begun);
    fixture_free(f);
}

static void what_breaks_everywhere_is_told_as_a_failure_and_never_as_half_an_answer(void **state)
{
    (void)state;
    struct engine_fixture *f = ask();
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("half"));
    play_end(f, 0, REMORA_CAUSE_RESET);
    play_answer(f, 1, 500, "{}");
    assert_null(f->exchange);
    assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_OVERLOADED);
    assert_false(f->outcome.has_begun);
    assert_null(f->outcome.served);
    fixture_free(f);
}

static void silence_is_judged_as_a_stream_s(void **state)
{
    (void)state;
    struct engine_fixture *f = ask();
    fixture_pass_ms(f, 9999);
    assert_int_equal(f->transfer_count, 1);
    fixture_pass_ms(f, 1);
    assert_int_equal(f->transfer_count, 2);
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_FIRST_BYTE_TIMEOUT);
    f->exchange = NULL;
    fixture_free(f);

    f = ask();
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("half"));
    fixture_pass_ms(f, 20000);
    assert_int_equal(f->transfer_count, 2);
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_IDLE_TIMEOUT);
    assert_true(f->outcome.attempts[0].was_left); /* and paid for, though nobody saw it */
    assert_int_equal(f->outcome.last_content_ns, 0);
    f->exchange = NULL;
    fixture_free(f);
}

/* Endpoint b is asked for one answer, and sends events all the same. */
static struct engine_fixture *ask_b_that_streams(const char *content_type)
{
    const char *const headers[] = {content_type, NULL};
    struct engine_fixture *f = ask();
    play_answer(f, 0, 500, "{}");
    assert_non_null(strstr(f->transfers[1].body, "\"stream\":false"));
    fixture_pass_ms(f, 14000); /* no first byte is due before response_ms */
    play_head(f, 1, 200, headers);
    fixture_pass_ms(f, 14000);
    assert_non_null(f->exchange);
    (void)play_body(f, 1, CHUNK_TEXT("half"));
    return f;
}

static void a_stream_that_nobody_asked_for_is_judged_by_its_silence(void **state)
{
    static const char *const types[] = {"Content-Type: text/event-stream",
                                        "content-type: Text/Event-Stream; charset=utf-8"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(types); i++) {
        struct engine_fixture *f = ask_b_that_streams(types[i]);
        fixture_pass_ms(f, 19999);
        assert_non_null(f->exchange);
        fixture_pass_ms(f, 1); /* 48 s: idle_ms, before response_ms */
        assert_null(f->exchange);
        assert_int_equal(f->outcome.attempts[1].cause, REMORA_CAUSE_IDLE_TIMEOUT);
        fixture_free(f);
    }
}

static void a_stream_that_nobody_asked_for_has_the_whole_answer_s_deadline(void **state)
{
    (void)state;
    struct engine_fixture *f = ask_b_that_streams("Content-Type: text/event-stream");
    fixture_pass_ms(f, 10000);
    (void)play_body(f, 1, CHUNK_TEXT("more"));
    fixture_pass_ms(f, 11999);
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1); /* 50 s */
    assert_null(f->exchange);
    assert_int_equal(f->outcome.attempts[1].cause, REMORA_CAUSE_RESPONSE_TIMEOUT);
    fixture_free(f);
}

static void the_whole_answer_has_the_deadline_of_one(void **state)
{
    (void)state;
    struct engine_fixture *f = ask();
    play_head(f, 0, 200, NULL);
    for (int i = 0; i < 5; i++) { /* it speaks all the time */
        (void)play_body(f, 0, CHUNK_TEXT("x"));
        assert_int_equal(f->transfer_count, 1);
        fixture_pass_ms(f, 10000);
    }
    assert_int_equal(f->transfer_count, 2);
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_RESPONSE_TIMEOUT);
    f->exchange = NULL;
    fixture_free(f);
}

static void who_leaves_in_the_middle_has_used_what_came(void **state)
{
    (void)state;
    struct engine_fixture *f = ask();
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("words that were paid for"));
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    f->exchange = NULL;
    assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ESTIMATED);
    assert_true(f->outcome.cost.total_pico_usd > 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_is_asked_for_as_a_stream_and_collected),
        cmocka_unit_test(the_next_endpoint_is_asked_as_it_speaks),
        cmocka_unit_test(a_stream_that_breaks_after_content_falls_back),
        cmocka_unit_test(what_breaks_everywhere_is_told_as_a_failure_and_never_as_half_an_answer),
        cmocka_unit_test(silence_is_judged_as_a_stream_s),
        cmocka_unit_test(a_stream_that_nobody_asked_for_is_judged_by_its_silence),
        cmocka_unit_test(a_stream_that_nobody_asked_for_has_the_whole_answer_s_deadline),
        cmocka_unit_test(the_whole_answer_has_the_deadline_of_one),
        cmocka_unit_test(who_leaves_in_the_middle_has_used_what_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
