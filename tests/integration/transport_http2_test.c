/*
 * HTTP/2, for providers that opted in: what the server did not take is told apart from what it may have taken, so that the
 * one free re-send is made there and nowhere else, and is always the engine's: libcurl never sends twice by itself.
 */
#include "probe.h"

#include "certificates.h"
#include "h2_server.h"

#include <signal.h>

struct fixture {
    struct test_authority ca;
    SSL_CTX *context;
    struct raw_server *server;
    struct client client;
};

static int setup(void **state)
{
    static struct fixture f;
    test_authority_init(&f.ca, "own");
    f.context = test_server_context(&f.ca, NULL);
    h2_offer(f.context);
    client_init(&f.client, NULL);
    f.server = NULL;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    client_fini(&f->client);
    raw_server_stop(f->server);
    SSL_CTX_free(f->context);
    test_authority_fini(&f->ca);
    return 0;
}

/* A POST of a few bytes, which leaves in one write with its head. */
static void begin(struct fixture *f, struct probe *p, bool http2)
{
    probe_init(p, &f->client, f->server->url, "/");
    probe_post(p, "{\"a\":1}", 7);
    p->provider.http2 = http2;
    p->provider.ca_pem = remora_slice_of(f->ca.pem);
    probe_start(p);
}

static struct remora_transfer_end ask(struct fixture *f, bool http2)
{
    struct probe p;
    begin(f, &p, http2);
    probe_finish(&p);
    probe_fini(&p);
    return p.end;
}

static int requests(const struct fixture *f)
{
    return atomic_load(&f->server->requests);
}

static int connections(const struct fixture *f)
{
    return atomic_load(&f->server->accepted);
}

/* ---- the opt-in ---- */

static atomic_int spoke_h2;

static void answer_in_either(struct raw_connection *c)
{
    if (h2_begin(c)) {
        atomic_fetch_add(&spoke_h2, 1);
        for (uint32_t stream; (stream = h2_read_request(c)) != 0;) {
            h2_answer(c, stream);
        }
        return;
    }
    while (raw_read_request(c) && raw_write(c, RAW_OK)) {
    }
}

static void without_the_opt_in_http_1_1_is_spoken_with_who_has_both(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_in_either, f->context);
    atomic_store(&spoke_h2, 0);
    assert_int_equal(ask(f, false).cause, REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&spoke_h2), 0);
    assert_int_equal(requests(f), 1);
}

static void with_the_opt_in_http_2_is_spoken_and_its_connection_used_again(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_in_either, f->context);
    atomic_store(&spoke_h2, 0);
    assert_false(ask(f, true).was_reused);
    struct remora_transfer_end end = ask(f, true);
    assert_int_equal(end.cause, REMORA_CAUSE_NONE);
    assert_true(end.was_reused);
    assert_int_equal(atomic_load(&spoke_h2), 1);
    assert_int_equal(requests(f), 2);
}

static void who_asked_speaks_http_1_1_with_a_server_that_has_nothing_else(void **state)
{
    struct fixture *f = *state;
    SSL_CTX *plain = test_server_context(&f->ca, NULL);
    f->server = raw_server_start(answer_in_either, plain);
    atomic_store(&spoke_h2, 0);
    assert_int_equal(ask(f, true).cause, REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&spoke_h2), 0);
    SSL_CTX_free(plain);
}

/* ---- what was not taken ---- */

static void refuse_the_first(struct raw_connection *c)
{
    if (h2_begin(c)) {
        h2_reset(c, h2_read_request(c), H2_REFUSED_STREAM);
        raw_wait_closed(c);
    }
}

static void a_stream_refused_on_a_new_connection_is_a_free_resend(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(refuse_the_first, f->context);
    struct remora_transfer_end end = ask(f, true);
    assert_true(end.is_free_resend);
    assert_false(end.was_reused);
    assert_int_equal(requests(f), 1); /* the engine sends again, nobody else */
}

/* Answers one; what becomes of the next is the test's. */
static bool answer_one(struct raw_connection *c, uint32_t *next)
{
    if (!h2_begin(c) || !h2_answer(c, h2_read_request(c))) {
        return false;
    }
    *next = h2_read_request(c);
    return *next != 0;
}

static void refuse_the_second(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        h2_reset(c, stream, H2_REFUSED_STREAM);
        raw_wait_closed(c);
    }
}

static void go_away_before_the_second(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        h2_goaway(c, stream - 2);
        raw_wait_closed(c);
    }
}

static struct remora_transfer_end second_of(struct fixture *f, raw_serve_fn serve)
{
    f->server = raw_server_start(serve, f->context);
    assert_int_equal(ask(f, true).cause, REMORA_CAUSE_NONE);
    struct remora_transfer_end end = ask(f, true);
    assert_true(end.was_reused);
    assert_true(end.was_sent);
    assert_int_equal(requests(f), 2);
    return end;
}

static void a_stream_refused_on_a_reused_connection_is_a_free_resend(void **state)
{
    struct remora_transfer_end end = second_of(*state, refuse_the_second);
    assert_true(end.is_free_resend);
    assert_int_equal(end.cause, REMORA_CAUSE_RESET);
}

static void the_only_stream_above_a_goaway_is_a_free_resend(void **state)
{
    struct remora_transfer_end end = second_of(*state, go_away_before_the_second);
    assert_true(end.is_free_resend);
    assert_int_equal(end.cause, REMORA_CAUSE_RESET);
}

static void go_away_at_once(struct raw_connection *c)
{
    if (h2_begin(c) && h2_read_request(c) != 0) {
        h2_goaway(c, 0);
        raw_wait_closed(c);
    }
}

static void the_first_stream_above_a_goaway_is_a_free_resend(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(go_away_at_once, f->context);
    struct remora_transfer_end end = ask(f, true);
    assert_true(end.is_free_resend);
    assert_false(end.was_reused);
    assert_int_equal(requests(f), 1);
}

/* Of two that are under way the first is answered, in the end. */
static void serve_one_of_two(struct raw_connection *c, bool goes_away)
{
    uint32_t first;
    if (!answer_one(c, &first)) {
        return;
    }
    uint32_t second = h2_read_request(c);
    if (goes_away) {
        h2_goaway(c, first);
    } else {
        h2_reset(c, second, H2_REFUSED_STREAM);
    }
    h2_answer(c, first);
    raw_wait_closed(c);
}

static void refuse_the_second_of_two(struct raw_connection *c)
{
    serve_one_of_two(c, false);
}

static void go_away_between_two(struct raw_connection *c)
{
    serve_one_of_two(c, true);
}

static void expect_one_of_two(struct fixture *f, raw_serve_fn serve)
{
    struct probe first;
    struct probe second;
    f->server = raw_server_start(serve, f->context);
    assert_int_equal(ask(f, true).cause, REMORA_CAUSE_NONE);
    begin(f, &first, true);
    begin(f, &second, true);
    probe_finish(&first);
    probe_finish(&second);
    assert_int_equal(first.end.cause, REMORA_CAUSE_NONE);
    assert_true(second.end.was_reused);
    assert_true(second.end.is_free_resend);
    assert_int_equal(requests(f), 3);
    probe_fini(&first);
    probe_fini(&second);
}

static void a_stream_refused_beside_another_is_a_free_resend(void **state)
{
    expect_one_of_two(*state, refuse_the_second_of_two);
}

static void a_stream_above_a_goaway_beside_another_is_a_free_resend(void **state)
{
    expect_one_of_two(*state, go_away_between_two);
}

static void after_a_refusal_the_next_one_is_answered(void **state)
{
    struct fixture *f = *state;
    (void)second_of(f, refuse_the_second);
    struct remora_transfer_end end = ask(f, true); /* the engine's re-send */
    assert_int_equal(end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(requests(f), 3);
}

/* ---- what may have been taken ---- */

static void break_the_second(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        h2_reset(c, stream, H2_INTERNAL_ERROR);
        raw_wait_closed(c);
    }
}

static void close_in_the_second(struct raw_connection *c)
{
    uint32_t stream;
    (void)answer_one(c, &stream); /* close_notify and FIN follow */
}

/* close_notify alone: whether more of the connection ends is not known yet. */
static void fall_silent_in_the_second(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        SSL_shutdown(c->ssl);
        raw_wait_closed(c);
    }
}

static void reset_in_the_second(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        raw_reset(c);
    }
}

static void talk_nonsense_in_the_second(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        raw_write_bytes(c, "HTTP/1.1 200 OK\r\n\r\nthis is no frame at all", 42);
        raw_wait_closed(c);
    }
}

static void assert_not_free(struct fixture *f, raw_serve_fn serve)
{
    struct remora_transfer_end end = second_of(f, serve);
    assert_false(end.is_free_resend);
    assert_int_not_equal(end.cause, REMORA_CAUSE_NONE);
}

static void a_stream_that_broke_is_no_free_resend(void **state)
{
    assert_not_free(*state, break_the_second);
}

static void a_connection_that_closed_over_a_request_is_no_free_resend(void **state)
{
    assert_not_free(*state, close_in_the_second);
}

static void a_connection_that_tls_has_closed_is_no_free_resend(void **state)
{
    assert_not_free(*state, fall_silent_in_the_second);
}

static void a_connection_that_was_reset_is_no_free_resend(void **state)
{
    assert_not_free(*state, reset_in_the_second);
}

static void a_connection_that_talks_nonsense_is_no_free_resend(void **state)
{
    assert_not_free(*state, talk_nonsense_in_the_second);
}

/* Its stream may have been taken, although the connection goes away. */
static void go_away_behind_the_second_and_close(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        h2_goaway(c, stream);
    }
}

static void go_away_behind_the_second_and_break_it(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        h2_goaway(c, stream);
        h2_reset(c, stream, H2_INTERNAL_ERROR);
        raw_wait_closed(c);
    }
}

static void a_stream_within_a_goaway_that_breaks_is_no_free_resend(void **state)
{
    struct fixture *f = *state;
    assert_not_free(f, go_away_behind_the_second_and_close);
    raw_server_stop(f->server);
    assert_not_free(f, go_away_behind_the_second_and_break_it);
}

/* HTTP/1.1 with whoever did not ask for h2; its second request is taken and never answered. */
static void close_over_the_second_of_http_1_1(struct raw_connection *c)
{
    if (!h2_begin(c)) {
        (void)(raw_read_request(c) && raw_write(c, RAW_OK) && raw_read_request(c));
        return;
    }
    for (uint32_t stream; (stream = h2_read_request(c)) != 0;) {
        h2_answer(c, stream);
    }
}

/*
 * libcurl may lend a transfer that asks for HTTP/2 the connection that one without the opt-in has left: HTTP/1.1 is spoken then, and
 * its rules of what is sent again hold.
 */
static void over_a_kept_http_1_1_connection_nothing_is_sent_twice(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(close_over_the_second_of_http_1_1, f->context);
    assert_int_equal(ask(f, false).cause, REMORA_CAUSE_NONE);
    struct remora_transfer_end end = ask(f, true);
    assert_false(end.is_free_resend);
    assert_int_equal(end.cause, end.was_reused ? REMORA_CAUSE_RESET : REMORA_CAUSE_NONE);
    assert_int_equal(requests(f), 2);
}

/* A GOAWAY that counts our stream in says nothing against it: it is answered, and the connection takes no further one. */
static void go_away_behind_the_second(struct raw_connection *c)
{
    uint32_t stream;
    if (answer_one(c, &stream)) {
        h2_goaway(c, stream);
        h2_answer(c, stream);
        raw_wait_closed(c);
    }
}

static void a_stream_within_a_goaway_is_answered(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(second_of(f, go_away_behind_the_second).cause, REMORA_CAUSE_NONE);
    assert_false(ask(f, true).was_reused);
    assert_int_equal(connections(f), 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- who leaves ---- */

static atomic_int told; /* that nobody waits for the stream any more */

static void say_nothing(struct raw_connection *c)
{
    if (h2_begin(c) && h2_read_request(c) != 0) {
        h2_wait_reset(c);
        atomic_fetch_add(&told, 1);
    }
}

/* libcurl 7.88 would tell it when the connection is used next, and the provider would answer until then, for money. */
static void a_cancelled_stream_is_told_to_its_server(void **state)
{
    struct fixture *f = *state;
    struct probe p;
    atomic_store(&told, 0);
    f->server = raw_server_start(say_nothing, f->context);
    begin(f, &p, true);
    client_run_until(&f->client, &f->server->requests, 1);
    probe_cancel(&p);
    client_run_until(&f->client, &told, 1);
    probe_fini(&p);
}

static void answer_the_second(struct raw_connection *c)
{
    if (h2_begin(c)) {
        (void)h2_read_request(c);
        uint32_t second = h2_read_request(c);
        h2_wait_reset(c);
        atomic_fetch_add(&told, 1);
        h2_answer(c, second);
        raw_wait_closed(c);
    }
}

static void others_of_its_connection_go_on(void **state)
{
    struct fixture *f = *state;
    struct probe p;
    struct probe q;
    atomic_store(&told, 0);
    f->server = raw_server_start(answer_the_second, f->context);
    begin(f, &p, true);
    client_run_until(&f->client, &f->server->requests, 1);
    begin(f, &q, true);
    client_run_until(&f->client, &f->server->requests, 2);
    assert_int_equal(connections(f), 1);
    probe_cancel(&p);
    probe_finish(&q);
    assert_int_equal(q.end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&told), 1);
    assert_int_equal(connections(f), 1);
    probe_fini(&p);
    probe_fini(&q);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (remora_transport_global_init() != REMORA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(without_the_opt_in_http_1_1_is_spoken_with_who_has_both),
        CASE(with_the_opt_in_http_2_is_spoken_and_its_connection_used_again),
        CASE(who_asked_speaks_http_1_1_with_a_server_that_has_nothing_else),
        CASE(a_stream_refused_on_a_new_connection_is_a_free_resend),
        CASE(a_stream_refused_on_a_reused_connection_is_a_free_resend),
        CASE(the_only_stream_above_a_goaway_is_a_free_resend),
        CASE(the_first_stream_above_a_goaway_is_a_free_resend),
        CASE(a_stream_refused_beside_another_is_a_free_resend),
        CASE(a_stream_above_a_goaway_beside_another_is_a_free_resend),
        CASE(after_a_refusal_the_next_one_is_answered),
        CASE(a_stream_that_broke_is_no_free_resend),
        CASE(a_connection_that_closed_over_a_request_is_no_free_resend),
        CASE(a_connection_that_tls_has_closed_is_no_free_resend),
        CASE(a_connection_that_was_reset_is_no_free_resend),
        CASE(a_connection_that_talks_nonsense_is_no_free_resend),
        CASE(a_stream_within_a_goaway_that_breaks_is_no_free_resend),
        CASE(over_a_kept_http_1_1_connection_nothing_is_sent_twice),
        CASE(a_stream_within_a_goaway_is_answered),
        CASE(a_cancelled_stream_is_told_to_its_server),
        CASE(others_of_its_connection_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
