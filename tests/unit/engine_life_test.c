/* What counts as a sign of life, and how long the body of an error may take. */
#include "engine_fixture.h"

static const enum remora_delivery both[] = {REMORA_UNARY, REMORA_STREAM};
static const char *const retry_after_7[] = {"Retry-After: 7", NULL};

/* b answers in the way that was asked for. */
static void answer_from_b(struct engine_fixture *f, enum remora_delivery delivery)
{
    assert_int_equal(f->transfer_count, 2);
    assert_true(f->transfers[0].was_cancelled);
    if (delivery == REMORA_STREAM) {
        play_good_stream(f, 1, "x");
    } else {
        play_good_unary(f, 1, "x");
    }
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
}

/* ---- errors ---- */

static void an_error_that_drips_is_judged_after_five_seconds(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, both[i], "t/m");
        play_head(f, 0, 429, retry_after_7);
        for (int ms = 0; ms < 4900; ms += 100) {
            (void)play_body(f, 0, " ");
            fixture_pass_ms(f, 100);
        }
        assert_int_equal(f->transfer_count, 1);
        fixture_pass_ms(f, 100);
        answer_from_b(f, both[i]);
        assert_int_equal(f->outcome.attempts[0].code, REMORA_CAPACITY_EXHAUSTED);
        assert_int_equal(f->outcome.attempts[0].retry_after_ms, 7000);
        fixture_free(f);
    }
}

static void a_caller_with_little_time_gets_another_provider_within_it(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start_with(f, both[i], "t/m", none, 1000);
        fixture_pass_ms(f, 200);
        play_head(f, 0, 500, NULL);
        fixture_pass_ms(f, 399); /* of the 800 that are left half */
        assert_int_equal(f->transfer_count, 1);
        fixture_pass_ms(f, 1);
        answer_from_b(f, both[i]);
        assert_int_equal(f->outcome.attempts[0].code, REMORA_UPSTREAM_OVERLOADED);
        fixture_free(f);
    }
}

static void an_error_without_a_body_that_never_ends_is_judged_too(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    fixture_pass_ms(f, 20000); /* the head is late, and in time */
    play_head(f, 0, 503, NULL);
    fixture_pass_ms(f, 4999);
    assert_int_equal(f->transfer_count, 1);
    fixture_pass_ms(f, 1);
    answer_from_b(f, REMORA_STREAM);
    assert_int_equal(f->outcome.attempts[0].code, REMORA_UPSTREAM_OVERLOADED);
    fixture_free(f);
}

static void an_error_without_end_is_judged_at_the_limit_of_bytes(void **state)
{
    (void)state;
    char block[1025];
    memset(block, 'x', sizeof block - 1);
    block[sizeof block - 1] = '\0';
    for (size_t i = 0; i < 2; i++) {
        struct engine_fixture *f = fixture_new("");
        fixture_start(f, both[i], "t/m");
        play_head(f, 0, 500, NULL);
        for (size_t sent = 0; sent < REMORA_LIMIT_UPSTREAM_ERROR_BYTES; sent += sizeof block - 1) {
            assert_int_equal(f->transfer_count, 1);
            (void)play_body(f, 0, block);
        }
        answer_from_b(f, both[i]);
        assert_int_equal(f->outcome.attempts[0].code, REMORA_UPSTREAM_OVERLOADED);
        fixture_free(f);
    }
}

static void the_policy_s_attempt_timeout_is_for_errors_as_well(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("policy: {provider: {attempt_timeout_ms: 1000}}\n");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 500, NULL);
    fixture_pass_ms(f, 1000);
    answer_from_b(f, REMORA_STREAM);
    fixture_free(f);
}

/* ---- life ---- */

/* `bytes` every five seconds for a minute and ten seconds, after `first`; how many transfers were started. */
static size_t transfers_after(const char *first, const char *bytes)
{
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, first);
    for (int i = 0; i < 14 && f->transfer_count == 1; i++) {
        fixture_pass_ms(f, 5000);
        if (f->transfer_count == 1) {
            (void)play_body(f, 0, bytes);
        }
    }
    size_t count = f->transfer_count;
    if (count == 2) {
        assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_NONE); /* not settled yet */
        play_good_stream(f, 1, "x");
        assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_IDLE_TIMEOUT);
    }
    fixture_free(f);
    return count;
}

static void bytes_that_make_no_event_are_no_sign_of_life(void **state)
{
    (void)state;
    assert_int_equal(transfers_after("data: {", " "), 2);
    assert_int_equal(transfers_after(": a comment without end", "."), 2);
    assert_int_equal(transfers_after(CHUNK_ROLE, "\n"), 2);
    assert_int_equal(transfers_after(CHUNK_ROLE, "retry: 1\n"), 2);
}

static void events_comments_and_pings_are(void **state)
{
    (void)state;
    assert_int_equal(transfers_after(CHUNK_ROLE, CHUNK_ROLE), 1);
    assert_int_equal(transfers_after(CHUNK_ROLE, ": ping\n"), 1);
    assert_int_equal(transfers_after(CHUNK_ROLE, "data: \n\n"), 1);
    assert_int_equal(transfers_after(": ping\n", "data: {\"choices\":[]}\n\n"), 1);
}

static void a_drip_after_content_breaks_the_stream_at_the_idle_deadline(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT("hel") "data: {");
    for (int i = 0; i < 59; i++) {
        fixture_pass_ms(f, 1000);
        (void)play_body(f, 0, " ");
    }
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1000);
    assert_int_equal(f->outcome.fail.code, REMORA_STREAM_BROKEN);
    assert_int_equal(f->outcome.attempts[0].cause, REMORA_CAUSE_IDLE_TIMEOUT);
    fixture_free(f);
}

/* ---- the end alone is missing ---- */

#define CHUNK_AGAIN CHUNK_TEXT("!") CHUNK_STOP

/* A stream of these bytes, then silence for `ms`; whether it was over then. */
static bool is_over_after(struct engine_fixture *f, const char *bytes, uint64_t ms)
{
    fixture_start(f, REMORA_STREAM, "t/m");
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, bytes);
    while (ms > 0 && f->settled == 0) {
        uint64_t step = ms < 1000 ? ms : 1000;
        fixture_pass_ms(f, step);
        ms -= step;
    }
    return f->settled > 0;
}

static void a_stream_that_lacks_only_its_end_waits_a_second_for_it(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    assert_false(is_over_after(f, CHUNK_TEXT("hi") CHUNK_STOP CHUNK_USAGE, 999));
    (void)play_body(f, 0, ": a ping changes nothing\n\n");
    fixture_pass_ms(f, 1);
    assert_said(f, "started um by a\ntext 0 hi\nfinished 0 stop\ncompleted 5+2\n");
    assert_true(f->transfers[0].was_cancelled);
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    assert_int_equal(f->outcome.usage.certainty, REMORA_CERTAINTY_ACTUAL);
    assert_false(f->outcome.attempts[0].had_terminator);
    fixture_free(f);
}

static void without_usage_or_with_content_behind_its_finish_the_idle_deadline_judges(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum remora_code code;
    } rows[] = {
        {CHUNK_TEXT("hi") CHUNK_STOP, REMORA_OK}, /* usage is estimated */
        {CHUNK_TEXT("hi") CHUNK_USAGE, REMORA_STREAM_BROKEN},
        {CHUNK_TEXT("hi") CHUNK_STOP CHUNK_USAGE CHUNK_AGAIN, REMORA_STREAM_BROKEN},
        {CHUNK_TEXT("hi") CHUNK_STOP CHUNK_USAGE CHUNK_TEXT("!"), REMORA_STREAM_BROKEN},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct engine_fixture *f = fixture_new("");
        assert_false(is_over_after(f, rows[i].bytes, 59999));
        fixture_pass_ms(f, 1);
        assert_int_equal(f->settled, 1);
        assert_int_equal(f->outcome.fail.code, rows[i].code);
        assert_int_equal(f->outcome.attempts[0].cause,
                         rows[i].code == REMORA_OK ? REMORA_CAUSE_NONE : REMORA_CAUSE_IDLE_TIMEOUT);
        fixture_free(f);
    }
}

static void one_of_two_choices_is_no_whole_answer(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    f->choice_count = 2;
    assert_false(is_over_after(f, CHUNK_TEXT("hi") CHUNK_STOP CHUNK_USAGE, 59999));
    fixture_pass_ms(f, 1);
    assert_int_equal(f->outcome.fail.code, REMORA_STREAM_BROKEN);
    fixture_free(f);
}

/* The finish came first, and the content in time behind it. */
static void what_goes_on_within_the_second_is_waited_for(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    assert_false(is_over_after(f, CHUNK_TEXT("hi") CHUNK_STOP CHUNK_USAGE, 500));
    (void)play_body(f, 0, CHUNK_AGAIN);
    fixture_pass_ms(f, 30000);
    assert_int_equal(f->settled, 0);
    (void)play_body(f, 0, CHUNK_DONE);
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_that_drips_is_judged_after_five_seconds),
        cmocka_unit_test(a_caller_with_little_time_gets_another_provider_within_it),
        cmocka_unit_test(an_error_without_a_body_that_never_ends_is_judged_too),
        cmocka_unit_test(an_error_without_end_is_judged_at_the_limit_of_bytes),
        cmocka_unit_test(the_policy_s_attempt_timeout_is_for_errors_as_well),
        cmocka_unit_test(bytes_that_make_no_event_are_no_sign_of_life),
        cmocka_unit_test(events_comments_and_pings_are),
        cmocka_unit_test(a_drip_after_content_breaks_the_stream_at_the_idle_deadline),
        cmocka_unit_test(a_stream_that_lacks_only_its_end_waits_a_second_for_it),
        cmocka_unit_test(without_usage_or_with_content_behind_its_finish_the_idle_deadline_judges),
        cmocka_unit_test(one_of_two_choices_is_no_whole_answer),
        cmocka_unit_test(what_goes_on_within_the_second_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
