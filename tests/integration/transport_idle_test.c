/* What comes on a connection while nobody has a request on it: it is over, and the next request gets its own answer on another. */
#include "probe.h"

#include "certificates.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct test_authority ca;
    SSL_CTX *context;
    struct raw_server *server;
    struct client client;
};

static atomic_int
    given_up; /* connections that we have ended, after something came on them unasked */
static const char *stray;

static int setup(void **state)
{
    static struct fixture f;
    test_authority_init(&f.ca, "own");
    f.context = test_server_context(&f.ca, NULL);
    client_init(&f.client, NULL);
    f.server = NULL;
    atomic_store(&given_up, 0);
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

static void begin(struct fixture *f, struct probe *p, bool http2)
{
    probe_init(p, &f->client, f->server->url, "/");
    probe_post(p, "{}", 2);
    p->provider.ca_pem = remora_slice_of(f->ca.pem);
    p->provider.http2 = http2;
    probe_start(p);
}

/* Fails the test where the answer is another one's. */
static struct remora_transfer_end finish(struct probe *p)
{
    probe_finish(p);
    assert_int_equal(p->end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(p->status, 200);
    assert_int_equal(p->body.length, 2);
    assert_memory_equal(p->body.data, "{}", 2);
    probe_fini(p);
    return p->end;
}

static struct remora_transfer_end ask(struct fixture *f, bool http2)
{
    struct probe p;
    begin(f, &p, http2);
    return finish(&p);
}

static void wait_given_up(struct raw_connection *c)
{
    char byte;
    while (recv(c->fd, &byte, 1, 0) > 0) {
    }
    atomic_fetch_add(&given_up, 1);
}

/* And would go on answering whatever is asked on it. */
static void stray_after_each(struct raw_connection *c)
{
    while (raw_read_request(c) && raw_write(c, RAW_OK)) {
        usleep(20000); /* in a read of its own */
        raw_write(c, stray);
    }
    atomic_fetch_add(&given_up, 1);
}

static void assert_own_answers(struct fixture *f, bool http2)
{
    for (int i = 1; i <= 3; i++) {
        assert_false(ask(f, http2).was_reused);
        client_run_until(&f->client, &given_up, i);
    }
    assert_int_equal(atomic_load(&f->server->accepted), 3);
}

static const char LATE_ANSWER[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n\"other\"";

static void a_late_answer_is_nobodys(void **state)
{
    struct fixture *f = *state;
    stray = LATE_ANSWER;
    f->server = raw_server_start(stray_after_each, NULL);
    assert_own_answers(f, false);
}

static void a_late_answer_over_tls_is_nobodys(void **state)
{
    struct fixture *f = *state;
    stray = LATE_ANSWER;
    f->server = raw_server_start(stray_after_each, f->context);
    assert_own_answers(f, false);
}

static void who_might_have_had_http_2_is_no_other(void **state)
{
    struct fixture *f = *state;
    stray = LATE_ANSWER;
    f->server = raw_server_start(stray_after_each, f->context);
    assert_own_answers(f, true);
}

static void a_line_end_is_no_beginning_of_an_answer(void **state)
{
    struct fixture *f = *state;
    stray = "\r\n";
    f->server = raw_server_start(stray_after_each, NULL);
    assert_own_answers(f, false);
}

/* More than is read at once. */
static void a_long_one_is_over_as_well(void **state)
{
    static char text[40000];
    struct fixture *f = *state;
    memset(text, 'x', sizeof text - 1);
    stray = text;
    f->server = raw_server_start(stray_after_each, NULL);
    assert_own_answers(f, false);
}

/* Behind the answer, in records of their own: all of it may be there when the answer is read. */
static void say_too_much(struct raw_connection *c)
{
    bool is_open = true;
    while (is_open && raw_read_request(c)) {
        usleep(20000); /* so that nobody reads the one before the other is there */
        is_open = raw_write(c, RAW_OK) && raw_write(c, LATE_ANSWER);
    }
}

/* The next begins in the round in which the one before ended. */
static void assert_own_answers_at_once(struct fixture *f)
{
    for (int i = 1; i <= 3; i++) {
        struct probe p;
        begin(f, &p, false);
        client_run_until(&f->client, &f->server->requests, i);
        usleep(100000); /* both are here by now, and neither is read */
        finish(&p);
    }
}

static void what_comes_with_an_answer_is_nobodys(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(say_too_much, NULL);
    assert_own_answers_at_once(f);
}

static void what_comes_with_an_answer_over_tls_is_nobodys(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(say_too_much, f->context);
    assert_own_answers_at_once(f);
}

/* As load balancers say farewell. */
static void time_out_and_close(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, RAW_OK)) {
        usleep(20000);
        raw_write(c,
                  "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        wait_given_up(c);
    }
}

static void a_time_out_told_while_idle_is_no_answer(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(time_out_and_close, NULL);
    assert_own_answers(f, false);
}

/* The alert close_notify, then FIN: what most servers send (RFC 8446 section 6.1). */
static void close_politely(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, RAW_OK)) {
        usleep(20000);
        SSL_shutdown(c->ssl);
        wait_given_up(c);
    }
}

static void a_polite_end_of_tls_is_noticed(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(close_politely, f->context);
    assert_own_answers(f, false);
}

/* Its connection was not watched while its answer waited for its reader. */
static void who_had_paused_is_watched_again(void **state)
{
    struct fixture *f = *state;
    struct probe p;
    stray = LATE_ANSWER;
    f->server = raw_server_start(stray_after_each, NULL);
    probe_init(&p, &f->client, f->server->url, "/");
    p.on_body = PROBE_PAUSE;
    probe_start(&p);
    client_run_until(&f->client, &f->server->requests, 1);
    client_run_ms(&f->client, 5);
    probe_resume(&p);
    probe_finish(&p);
    client_run_until(&f->client, &given_up, 1);
    assert_false(ask(f, false).was_reused);
    probe_fini(&p);
}

static void answer_all(struct raw_connection *c)
{
    while (raw_read_request(c) && raw_write(c, RAW_OK)) {
    }
}

static void who_says_nothing_is_asked_again(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, f->context);
    assert_false(ask(f, false).was_reused);
    for (int i = 0; i < 20; i++) {
        client_run_ms(&f->client, i % 4);
        assert_true(ask(f, false).was_reused);
    }
    assert_int_equal(atomic_load(&f->server->accepted), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_answer_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_answer_over_tls_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(who_might_have_had_http_2_is_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_end_is_no_beginning_of_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_one_is_over_as_well, setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_with_an_answer_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_with_an_answer_over_tls_is_nobodys, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_time_out_told_while_idle_is_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_polite_end_of_tls_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(who_had_paused_is_watched_again, setup, teardown),
        cmocka_unit_test_setup_teardown(who_says_nothing_is_asked_again, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(remora_transport_global_init(), REMORA_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
