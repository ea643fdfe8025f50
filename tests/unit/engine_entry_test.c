/* The way in: rates and places of services and keys, waiting in line, and what is given back at the end. */
#include "engine_fixture.h"

#include <stdio.h>

#include "../../src/engine/admission.h"
#include "remora/limits.h"

#define LIMITS(limits) "services: {svc: {limits: {" limits "}}}\n"
/* The key's hash is in no file here: the fixture says who calls. */
#define KEY(limits)                                                            \
    "keys: {ci: {service: svc, hash: {file: /absent}, limits: {" limits "}}, " \
    "other: {service: svc, hash: {file: /absent}, limits: {" limits "}}}\n"

#define TEN_BYTES          "0123456789"
#define FIFTY_BYTES        TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES
#define HUNDRED_BYTES      FIFTY_BYTES FIFTY_BYTES
#define FOUR_HUNDRED_BYTES HUNDRED_BYTES HUNDRED_BYTES HUNDRED_BYTES HUNDRED_BYTES

static struct engine_fixture *f;

static int tear_down(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

/* Starts a stream; its handle, or NULL when it has ended already. */
static struct remora_exchange *start(const char *key_id)
{
    f->key_id = key_id;
    fixture_start(f, REMORA_STREAM, "t/m");
    return f->exchange;
}

static void assert_refused(enum remora_throttle by, bool is_key, int64_t limit)
{
    assert_null(f->exchange);
    assert_int_equal(f->outcome.fail.code, REMORA_RATE_LIMITED);
    assert_int_equal(f->outcome.throttled.by, by);
    assert_int_equal(f->outcome.throttled.is_key, is_key);
    assert_int_equal(f->outcome.throttled.limit, limit);
    assert_true(f->outcome.fail.retry_after_ms > 0);
    assert_slice_equal(f->outcome.model->facts.id, "t/m"); /* though nothing was planned */
}

/* ---- places ---- */

static void who_finds_no_place_waits_and_goes_on_when_one_is_free(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1"));
    struct remora_exchange *first = start(NULL);
    struct remora_exchange *second = start(NULL);
    assert_non_null(second);
    assert_int_equal(f->transfer_count, 1);
    fixture_pass_ms(f, 1200);
    f->exchange = first;
    play_good_stream(f, 0, "one");
    assert_int_equal(f->outcome.waited_ns, 0);
    assert_int_equal(f->woken, 1);
    assert_int_equal(f->transfer_count, 1); /* not from inside somebody else's end */
    remora_engine_admit_waiting(f->engine);
    assert_int_equal(f->transfer_count, 2);
    f->exchange = second;
    play_good_stream(f, 1, "two");
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    assert_int_equal(f->outcome.waited_ns, 1200 * REMORA_NS_PER_MS);
}

static void waiting_ends_in_time_with_a_hint_to_retry(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1"));
    struct remora_exchange *first = start(NULL);
    (void)start(NULL);
    fixture_pass_ms(f, REMORA_LIMIT_WAIT_MS - 1);
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    assert_int_equal(f->outcome.waited_ns, REMORA_LIMIT_WAIT_MS * REMORA_NS_PER_MS);
    assert_non_null(strstr(f->outcome.fail.message, "Service 'svc'"));
    assert_int_equal(f->outcome.attempt_count, 0);
    f->exchange = first;
    play_good_stream(f, 0, "x"); /* nobody waits any more: nothing to wake */
    assert_int_equal(f->woken, 0);
}

/* A second stream waits for 11 s, in vain. */
static void wait_in_vain_for_11_s(bool gives_notice)
{
    f = fixture_new(LIMITS("concurrency: 1") "admission: {wait_ms: 11000}\n");
    f->gives_notice = gives_notice;
    struct remora_exchange *first = start(NULL);
    (void)start(NULL);
    fixture_pass_ms(f, 10000);
    fixture_pass_ms(f, 1000);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    f->exchange = first;
}

/* HTTP's comment has spent the status: what comes then ends a stream. */
static void who_waits_in_vain_and_was_given_a_notice_had_begun(void **state)
{
    (void)state;
    wait_in_vain_for_11_s(true);
    assert_true(f->outcome.has_begun);
    play_good_stream(f, 0, "x");
    assert_true(f->outcome.has_begun);
}

/* gRPC says nothing, and still has a status to give. */
static void who_waits_in_vain_and_was_given_nothing_had_not_begun(void **state)
{
    (void)state;
    wait_in_vain_for_11_s(false);
    assert_false(f->outcome.has_begun);
    play_good_stream(f, 0, "x");
    assert_true(f->outcome.has_begun);
}

static void a_line_that_is_full_takes_nobody(void **state)
{
    (void)state;
    static struct remora_exchange *line[REMORA_LIMIT_WAITING];
    f = fixture_new(LIMITS("concurrency: 1"));
    struct remora_exchange *first = start(NULL);
    for (size_t i = 0; i < REMORA_COUNT_OF(line); i++) {
        line[i] = start(NULL);
        assert_non_null(line[i]);
    }
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    for (size_t i = 0; i < REMORA_COUNT_OF(line); i++) {
        remora_exchange_cancel(line[i], REMORA_CLIENT_GONE);
    }
    f->exchange = first;
}

static void the_line_is_as_long_and_as_patient_as_the_configuration_says(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1") "admission: {waiting: 1, wait_ms: 70}\n");
    struct remora_exchange *first = start(NULL);
    struct remora_exchange *second = start(NULL);
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    f->exchange = second;
    fixture_pass_ms(f, 69);
    assert_non_null(f->exchange);
    fixture_pass_ms(f, 1);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    assert_int_equal(f->outcome.waited_ns, 70 * REMORA_NS_PER_MS);
    f->exchange = first;
}

static void without_a_line_nobody_waits(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1") "admission: {waiting: 0}\n");
    struct remora_exchange *first = start(NULL);
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    assert_int_equal(f->outcome.waited_ns, 0);
    f->exchange = first;
}

static void a_caller_that_leaves_gives_its_turn_to_the_next(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1"));
    struct remora_exchange *first = start(NULL);
    struct remora_exchange *second = start(NULL);
    struct remora_exchange *third = start(NULL);
    remora_exchange_cancel(first, REMORA_CLIENT_GONE); /* the second is granted its place ... */
    assert_int_equal(f->woken, 1);
    remora_exchange_cancel(second, REMORA_CLIENT_GONE); /* ... and leaves before it is let in */
    assert_int_equal(f->woken, 2);
    remora_engine_admit_waiting(f->engine);
    assert_int_equal(f->transfer_count, 2);
    f->exchange = third;
    play_good_stream(f, 1, "x");
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
}

static void the_end_of_grace_ends_those_that_wait(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1"));
    (void)start(NULL);
    (void)start(NULL);
    remora_engine_abort_all(f->engine);
    f->exchange = NULL;
    assert_int_equal(f->settled, 2);
    assert_int_equal(f->outcome.fail.code, REMORA_DRAINING);
}

static void the_caller_s_deadline_holds_while_it_waits(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1"));
    struct remora_exchange *first = start(NULL);
    fixture_start_with(f, REMORA_STREAM, "t/m", NULL, 700);
    fixture_pass_ms(f, 700);
    assert_int_equal(f->outcome.fail.code, REMORA_DEADLINE);
    f->exchange = first;
    play_good_stream(f, 0, "x");
}

static void a_place_that_another_worker_holds_is_waited_for(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1"));
    struct counter_table *table = remora_admission_counters(f->admission);
    struct counter *counter =
        counter_find(table, COUNTER_SERVICE, REMORA_SLICE(""), REMORA_SLICE("svc"));
    struct waiter never = {0};
    assert_int_equal(counter_take(table, counter, 1, &never), COUNTER_TAKEN);
    (void)start(NULL);
    assert_int_equal(f->transfer_count, 0);
    counter_give(table, counter);
    assert_int_equal(f->woken, 1);
    remora_engine_admit_waiting(f->engine);
    play_good_stream(f, 0, "x");
    assert_int_equal(counter->taken, 0);
}

static void a_key_s_places_are_its_own_and_within_its_service(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 2") KEY("concurrency: 1"));
    struct remora_exchange *ci = start("ci");
    struct remora_exchange *waits_for_key = start("ci");
    struct remora_exchange *other = start("other");
    assert_int_equal(f->transfer_count, 2);
    struct remora_exchange *waits_for_service = start(NULL);
    assert_int_equal(f->transfer_count, 2);
    remora_exchange_cancel(other, REMORA_CLIENT_GONE); /* frees the service, not the key */
    remora_engine_admit_waiting(f->engine);
    assert_int_equal(f->transfer_count, 3);
    remora_exchange_cancel(ci, REMORA_CLIENT_GONE); /* the key, then its place of the service */
    remora_engine_admit_waiting(f->engine);
    assert_int_equal(f->transfer_count, 4);
    f->exchange = waits_for_service;
    play_good_stream(f, 2, "x");
    f->exchange = waits_for_key;
    play_good_stream(f, 3, "x");
}

static void who_has_its_key_s_place_waits_on_for_the_service_s(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1") KEY("concurrency: 1"));
    struct remora_exchange *ci = start("ci");
    struct remora_exchange *other = start("other"); /* for the service */
    struct remora_exchange *second = start("ci");   /* for its key */
    remora_exchange_cancel(ci, REMORA_CLIENT_GONE);
    remora_engine_admit_waiting(f->engine);
    assert_int_equal(f->transfer_count, 2);
    f->exchange = other;
    play_good_stream(f, 1, "x");
    remora_engine_admit_waiting(f->engine);
    assert_int_equal(f->transfer_count, 3);
    f->exchange = second;
    play_good_stream(f, 2, "x");
}

static void who_has_its_key_s_place_is_refused_where_the_service_s_line_is_full(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1") KEY("concurrency: 1") "admission: {waiting: 1}\n");
    struct remora_exchange *ci = start("ci");
    struct remora_exchange *other = start("other"); /* for the service */
    (void)start("ci");                              /* for its key */
    remora_exchange_cancel(ci, REMORA_CLIENT_GONE);
    struct remora_exchange *plain = start(NULL); /* its place was granted to the other */
    remora_engine_admit_waiting(f->engine);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    f->exchange = other;
    play_good_stream(f, 1, "x");
    remora_engine_admit_waiting(f->engine);
    f->exchange = plain;
    play_good_stream(f, 2, "x");
}

static void who_waits_for_its_key_occupies_nothing_of_the_service(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 2") KEY("concurrency: 1"));
    struct remora_exchange *ci = start("ci");
    struct remora_exchange *waiting = start("ci");
    struct remora_exchange *plain = start(NULL);
    assert_int_equal(f->transfer_count, 2); /* the second place was left for it */
    remora_exchange_cancel(waiting, REMORA_CLIENT_GONE);
    remora_exchange_cancel(ci, REMORA_CLIENT_GONE);
    f->exchange = plain;
    play_good_stream(f, 1, "x");
}

static void a_limit_of_the_mesh_holds_for_each_service_by_itself(void **state)
{
    (void)state;
    f = fixture_new(
        "policy: {limits: {concurrency: 1}}\nservices: {svc: {limits: {concurrency: 5}}}\n");
    struct counter_table *table = remora_admission_counters(f->admission);
    struct counter *search =
        counter_find(table, COUNTER_SERVICE, REMORA_SLICE(""), REMORA_SLICE("search"));
    struct waiter never = {0};
    assert_int_equal(counter_take(table, search, 1, &never), COUNTER_TAKEN);
    struct remora_exchange *first = start(NULL);
    assert_int_equal(f->transfer_count, 1);
    struct remora_exchange *second = start(NULL);
    assert_int_equal(f->transfer_count, 1); /* the smallest of the layers */
    counter_give(table, search);
    remora_exchange_cancel(second, REMORA_CLIENT_GONE);
    f->exchange = first;
}

/* ---- rates ---- */

static void requests_per_minute_are_counted_per_service(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("requests_per_minute: 2"));
    for (size_t i = 0; i < 2; i++) {
        (void)start(NULL);
        play_good_stream(f, i, "x");
    }
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_REQUESTS, false, 2);
    assert_int_equal(f->outcome.fail.retry_after_ms, 30000);
    assert_non_null(strstr(f->outcome.fail.message, "2 requests per minute; try again in 30 s"));
    assert_int_equal(f->transfer_count, 2);
    fixture_pass_ms(f, 30000);
    (void)start(NULL);
    play_good_stream(f, 2, "x");
}

static void requests_per_minute_are_counted_per_key(void **state)
{
    (void)state;
    f = fixture_new(KEY("requests_per_minute: 1"));
    (void)start("ci");
    play_good_stream(f, 0, "x");
    (void)start("ci");
    assert_refused(REMORA_THROTTLE_REQUESTS, true, 1);
    assert_non_null(strstr(f->outcome.fail.message, "Key 'ci'"));
    (void)start("other");
    play_good_stream(f, 1, "x");
    (void)start(NULL);
    play_good_stream(f, 2, "x");
}

static void what_one_limit_refuses_is_not_charged_to_the_other(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("requests_per_minute: 3") KEY("requests_per_minute: 1"));
    (void)start("ci");
    play_good_stream(f, 0, "x");
    for (int i = 0; i < 5; i++) {
        (void)start("ci");
        assert_refused(REMORA_THROTTLE_REQUESTS, true, 1);
    }
    for (size_t i = 1; i < 3; i++) {
        (void)start(NULL);
        play_good_stream(f, i, "x");
    }
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_REQUESTS, false, 3);
}

static void who_waited_in_vain_is_not_charged(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("concurrency: 1, requests_per_minute: 2, tokens_per_minute: 1100"));
    struct remora_exchange *first = start(NULL);
    (void)start(NULL);
    fixture_pass_ms(f, REMORA_LIMIT_WAIT_MS);
    assert_refused(REMORA_THROTTLE_CONCURRENCY, false, 1);
    f->exchange = first;
    play_good_stream(f, 0, "x");
    (void)start(NULL);
    play_good_stream(f, 1, "x");
}

/* Refused by policy, as a wrong name, or because what could be tried rests: nothing went to a provider. */
static void who_asked_nobody_is_not_charged(void **state)
{
    static const struct {
        const char *model;
        enum remora_code code;
    } cases[] = {
        {"t/rests", REMORA_CAPACITY_EXHAUSTED},
        {"t/denied", REMORA_MODEL_NOT_ALLOWED},
        {"t/mm", REMORA_MODEL_NOT_FOUND},
        {"t/m:nitro", REMORA_UNIMPLEMENTED},
    };
    static const char *const wait[] = {"retry-after: 9", NULL};
    (void)state;
    f = fixture_new_yaml(
        "service: svc\nproviders:\n"
        "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: {env: A_KEY}}\n"
        "models: {t/m: {endpoints: [{provider: a, model_id: m}]},"
        " t/denied: {endpoints: [{provider: a, model_id: m}]},"
        " t/rests: {endpoints: [{provider: a, model_id: m}]}}\n"
        "services: {svc: {models: {deny: [t/denied]}, limits: {requests_per_minute: 2, "
        "tokens_per_minute: 1100}}}\n");
    fixture_start(f, REMORA_STREAM, "t/rests");
    play_head(f, 0, 429, wait);
    play_end(f, 0, REMORA_CAUSE_NONE);
    assert_int_equal(f->outcome.fail.code, REMORA_CAPACITY_EXHAUSTED);
    for (size_t i = 0; i < 3 * REMORA_COUNT_OF(cases); i++) {
        const size_t at = i % REMORA_COUNT_OF(cases);
        fixture_start(f, REMORA_STREAM, cases[at].model);
        assert_null(f->exchange);
        assert_int_equal(f->outcome.fail.code, cases[at].code);
    }
    assert_int_equal(f->transfer_count, 1);
    (void)start(NULL);
    play_good_stream(f, 1, "x");
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_REQUESTS, false, 2);
}

static void tokens_are_estimated_and_then_corrected(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("tokens_per_minute: 600"));
    struct remora_exchange *first = start(NULL); /* 500 until it is known better */
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_TOKENS, false, 600);
    assert_in_range(f->outcome.fail.retry_after_ms, 39000, 41000);
    f->exchange = first;
    play_good_stream(f, 0, "x"); /* its usage: 5 + 2 */
    for (size_t i = 1; i < 14; i++) {
        (void)start(NULL); /* 93 left for estimates of 500: 7 used each time */
        play_good_stream(f, i, "x");
    }
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
}

static void the_tokens_of_all_attempts_are_charged(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("tokens_per_minute: 530")); /* an estimate of 500 and two uses of 14 */
    for (size_t i = 0; i < 6; i += 2) {
        (void)start(NULL);
        play_head(f, i, 200, NULL);
        (void)play_body(f, i, CHUNK_ROLE CHUNK_USAGE "data: {\"error\":{\"code\":503}}\n\n");
        play_good_stream(f, i + 1, "x");
        assert_int_equal(f->outcome.fail.code, REMORA_OK);
    }
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_TOKENS, false, 530);
}

static void a_request_that_failed_gives_its_tokens_back(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("tokens_per_minute: 600"));
    for (size_t i = 0; i < 4; i += 2) {
        (void)start(NULL);
        play_answer(f, i, 500, "{}");
        play_answer(f, i + 1, 500, "{}");
        assert_int_equal(f->outcome.fail.code, REMORA_UPSTREAM_OVERLOADED);
    }
}

static void tokens_of_an_answer_that_broke_are_charged_as_estimated(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("tokens_per_minute: 600"));
    struct remora_exchange *first = start(NULL);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, CHUNK_TEXT(FOUR_HUNDRED_BYTES));
    remora_exchange_cancel(first, REMORA_CLIENT_GONE);
    (void)start(NULL); /* 600 less 64 / 4 and 400 / 4 are no 500 */
    assert_refused(REMORA_THROTTLE_TOKENS, false, 600);
    fixture_pass_ms(f, 2000); /* but nearly */
    (void)start(NULL);
    play_good_stream(f, 1, "x");
}

/* A short time-out is no way around the limit; what never went out in full costs nothing. */
static void a_call_that_was_left_pays_for_its_prompt(void **state)
{
    static const struct remora_part part = {.kind = REMORA_PART_TEXT,
                                            .text = REMORA_SLICE_INIT(FOUR_HUNDRED_BYTES)};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1, .content_is_text = true};
    (void)state;
    for (int is_stuck = 1; is_stuck >= 0; is_stuck--) {
        f = fixture_new(LIMITS("tokens_per_minute: 600"));
        f->is_stuck = is_stuck == 1;
        f->message = &message;
        remora_exchange_cancel(start(NULL), REMORA_CLIENT_GONE); /* 100 and 500 were taken */
        struct remora_exchange *second = start(NULL);
        if (is_stuck == 1) {
            assert_non_null(second);
            remora_exchange_cancel(second, REMORA_CLIENT_GONE);
            f->exchange = NULL;
            fixture_free(f);
        } else {
            assert_refused(REMORA_THROTTLE_TOKENS, false, 600);
            fixture_pass_ms(f, 10000); /* in which 100 flow in */
            assert_non_null(start(NULL));
        }
    }
}

static void a_small_bound_of_the_caller_s_is_a_small_estimate(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("tokens_per_minute: 600"));
    f->max_output_tokens = 100;
    for (int i = 0; i < 6; i++) {
        assert_non_null(start(NULL));
    }
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_TOKENS, false, 600);
    remora_engine_abort_all(f->engine);
}

static void a_reload_that_lifts_a_limit_holds_for_the_next(void **state)
{
    (void)state;
    f = fixture_new(LIMITS("requests_per_minute: 1"));
    struct engine_fixture *lifted = fixture_new(LIMITS("requests_per_minute: 4"));
    (void)start(NULL);
    play_good_stream(f, 0, "x");
    (void)start(NULL);
    assert_refused(REMORA_THROTTLE_REQUESTS, false, 1);
    remora_engine_set_config(f->engine, lifted->config);
    fixture_pass_ms(f, 15000); /* a quarter of a minute is one of four */
    (void)start(NULL);
    play_good_stream(f, 1, "x");
    fixture_free(lifted);
}

static void without_memory_a_limited_service_is_shed_and_an_unlimited_one_served(void **state)
{
    (void)state;
    static const char *const documents[] = {LIMITS("concurrency: 1"), ""};
    for (size_t i = 0; i < 2; i++) {
        f = fixture_new(documents[i]);
        /* The request's own chunks come first; the counter is what may fail. */
        struct counter_table *table = remora_admission_counters(f->admission);
        for (unsigned n = 0; n < 4095; n++) {
            char name[16];
            snprintf(name, sizeof name, "s%u", n);
            assert_non_null(
                counter_find(table, COUNTER_SERVICE, REMORA_SLICE(""), remora_slice_of(name)));
        }
        (void)start(NULL);
        if (i == 0) {
            assert_int_equal(f->outcome.fail.code, REMORA_SHEDDING);
            assert_int_equal(f->outcome.fail.retry_after_ms, 1000);
            fixture_free(f);
        } else {
            play_good_stream(f, 0, "x");
        }
    }
}

/* Half a report is one, and so is a report of nothing. */
static void what_is_told_of_one_direction_corrects_the_estimate(void **state)
{
    static const char *const reports[] = {"\"prompt_tokens\":0", "\"completion_tokens\":0",
                                          "\"prompt_tokens\":3", "\"completion_tokens\":3"};
    (void)state;
    f = fixture_new(LIMITS("tokens_per_minute: 510")); /* an estimate of 500 and what is used */
    for (size_t i = 0; i < REMORA_COUNT_OF(reports); i++) {
        char chunk[160];
        snprintf(chunk, sizeof chunk, "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{%s}}\n\n",
                 reports[i]);
        (void)start(NULL);
        assert_non_null(f->exchange);
        play_head(f, i, 200, NULL);
        (void)play_body(f, i, CHUNK_TEXT("x") CHUNK_STOP);
        (void)play_body(f, i, chunk);
        (void)play_body(f, i, CHUNK_DONE);
        assert_int_equal(f->outcome.fail.code, REMORA_OK);
    }
}

#define CASE(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_told_of_one_direction_corrects_the_estimate),
        CASE(who_finds_no_place_waits_and_goes_on_when_one_is_free),
        CASE(waiting_ends_in_time_with_a_hint_to_retry),
        CASE(who_waits_in_vain_and_was_given_a_notice_had_begun),
        CASE(who_waits_in_vain_and_was_given_nothing_had_not_begun),
        CASE(a_line_that_is_full_takes_nobody),
        CASE(the_line_is_as_long_and_as_patient_as_the_configuration_says),
        CASE(without_a_line_nobody_waits),
        CASE(a_caller_that_leaves_gives_its_turn_to_the_next),
        CASE(the_end_of_grace_ends_those_that_wait),
        CASE(the_caller_s_deadline_holds_while_it_waits),
        CASE(a_place_that_another_worker_holds_is_waited_for),
        CASE(a_key_s_places_are_its_own_and_within_its_service),
        CASE(who_has_its_key_s_place_waits_on_for_the_service_s),
        CASE(who_has_its_key_s_place_is_refused_where_the_service_s_line_is_full),
        CASE(who_waits_for_its_key_occupies_nothing_of_the_service),
        CASE(a_limit_of_the_mesh_holds_for_each_service_by_itself),
        CASE(requests_per_minute_are_counted_per_service),
        CASE(requests_per_minute_are_counted_per_key),
        CASE(what_one_limit_refuses_is_not_charged_to_the_other),
        CASE(who_waited_in_vain_is_not_charged),
        CASE(who_asked_nobody_is_not_charged),
        CASE(tokens_are_estimated_and_then_corrected),
        CASE(the_tokens_of_all_attempts_are_charged),
        CASE(a_request_that_failed_gives_its_tokens_back),
        CASE(tokens_of_an_answer_that_broke_are_charged_as_estimated),
        CASE(a_call_that_was_left_pays_for_its_prompt),
        CASE(a_small_bound_of_the_caller_s_is_a_small_estimate),
        CASE(a_reload_that_lifts_a_limit_holds_for_the_next),
        CASE(without_memory_a_limited_service_is_shed_and_an_unlimited_one_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
