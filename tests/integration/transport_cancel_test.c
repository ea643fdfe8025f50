/* Cancelling in every phase: at once, without a callback, and the provider sees the connection close within 100 ms. */
#include "probe.h"

#include "certificates.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SILENT_S = 3, LIMIT_MS = 100 };

/* ---- a resolver that does not answer: ours and libcurl's ---- */

static atomic_int silent_lookups;

/* Of the server that reads late. */
static atomic_bool has_begun;
static atomic_bool may_read;
static atomic_int has_ended;
static atomic_int ended_with;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    if (node != NULL && strstr(node, "silent.test") != NULL) {
        atomic_fetch_add(&silent_lookups, 1);
        sleep(SILENT_S);
        return EAI_AGAIN;
    }
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, found);
}

struct fixture {
    struct client client;
    struct raw_server *server;
    struct probe probe;
};

static int setup(void **state)
{
    static struct fixture fixture;
    atomic_store(&silent_lookups, 0);
    fixture.server = NULL;
    client_init(&fixture.client, NULL);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uint64_t before_ns = test_now_ns();
    client_fini(&f->client);
    assert_true(test_now_ns() - before_ns < LIMIT_MS * REMORA_NS_PER_MS);
    probe_fini(&f->probe);
    if (f->server != NULL) {
        raw_server_stop(f->server);
    }
    return 0;
}

static void begin(struct fixture *f, raw_serve_fn serve)
{
    f->server = raw_server_start(serve, NULL);
    probe_init(&f->probe, &f->client, f->server->url, "/");
    probe_start(&f->probe);
}

/* Cancels, and lets the loop turn: any callback after this fails in the probe. */
static void cancel_in_time(struct fixture *f)
{
    uint64_t before_ns = test_now_ns();
    probe_cancel(&f->probe);
    remora_loop_run_once(f->client.loop, 0);
    assert_true(test_now_ns() - before_ns < LIMIT_MS * REMORA_NS_PER_MS);
}

static void assert_server_sees_it(struct fixture *f)
{
    uint64_t before_ns = test_now_ns();
    client_run_until_closed(&f->client, f->server);
    assert_true(test_now_ns() - before_ns < LIMIT_MS * REMORA_NS_PER_MS);
}

static void answer_nothing(struct raw_connection *c)
{
    if (raw_read_request(c)) {
        raw_wait_closed(c);
    }
}

static void answer_half(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")) {
        raw_wait_closed(c);
    }
}

static void before_anything_happened(void **state)
{
    struct fixture *f = *state;
    begin(f, answer_nothing);
    cancel_in_time(f);
    assert_false(f->probe.was_sent);
    client_run_ms(&f->client, 20);
    assert_int_equal(atomic_load(&f->server->requests), 0);
}

static void while_waiting_for_the_first_byte(void **state)
{
    struct fixture *f = *state;
    begin(f, answer_nothing);
    client_run_until(&f->client, &f->server->requests, 1);
    cancel_in_time(f);
    assert_server_sees_it(f);
}

/* A small body leaves with the head, a large one piece by piece: in full it is either way. */
static void a_request_that_went_out_in_full_is_told(void **state)
{
    static char body[1 << 20];
    static const size_t lengths[] = {2, sizeof body};
    struct fixture *f = *state;
    memset(body, 'x', sizeof body);
    for (size_t i = 0; i < REMORA_COUNT_OF(lengths); i++) {
        if (f->server != NULL) {
            probe_fini(&f->probe);
            raw_server_stop(f->server);
        }
        f->server = raw_server_start(answer_nothing, NULL);
        probe_init(&f->probe, &f->client, f->server->url, "/");
        probe_post(&f->probe, body, lengths[i]);
        probe_start(&f->probe);
        client_run_until(&f->client, &f->server->requests, 1);
        cancel_in_time(f);
        assert_true(f->probe.was_sent);
        assert_server_sees_it(f);
    }
}

static void in_the_middle_of_the_body(void **state)
{
    struct fixture *f = *state;
    begin(f, answer_half);
    client_run_until(&f->client, &f->server->requests, 1);
    while (f->probe.bodies == 0) {
        remora_loop_run_once(f->client.loop, 10);
    }
    cancel_in_time(f);
    assert_server_sees_it(f);
}

static void from_inside_on_head(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_half, NULL);
    probe_init(&f->probe, &f->client, f->server->url, "/");
    f->probe.on_head = PROBE_CANCEL;
    probe_start(&f->probe);
    probe_finish(&f->probe);
    assert_server_sees_it(f);
    assert_int_equal(f->probe.bodies, 0);
}

static void from_inside_on_body(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_half, NULL);
    probe_init(&f->probe, &f->client, f->server->url, "/");
    f->probe.on_body = PROBE_CANCEL;
    probe_start(&f->probe);
    probe_finish(&f->probe);
    assert_server_sees_it(f);
    assert_int_equal(f->probe.bodies, 1);
}

/*
 * A provider that is slow to read: what it gets after the caller has left must not be the rest of the request, of which the
 * kernel holds megabytes by then.
 */
static void read_late(struct raw_connection *c)
{
    char bytes[4096];
    if (!raw_read_some(c, 1000)) {
        return;
    }
    atomic_store(&has_begun, true);
    for (int i = 0; i < PROBE_PATIENCE_MS && !atomic_load(&may_read); i++) {
        usleep(1000);
    }
    ssize_t got = recv(c->fd, bytes, sizeof bytes, 0);
    while (got > 0) {
        got = recv(c->fd, bytes, sizeof bytes, 0);
    }
    atomic_store(&ended_with, got < 0 ? errno : 0);
    atomic_store(&has_ended, 1);
}

static void in_the_middle_of_an_upload(void **state)
{
    struct fixture *f = *state;
    static char body[8 << 20];
    memset(body, 'x', sizeof body);
    f->server = raw_server_start_small(read_late, 64 << 10);
    probe_init(&f->probe, &f->client, f->server->url, "/");
    probe_post(&f->probe, body, sizeof body);
    probe_start(&f->probe);
    for (int i = 0; i < PROBE_PATIENCE_MS && !atomic_load(&has_begun); i++) {
        client_run_ms(&f->client, 1);
    }
    client_run_ms(&f->client, 50); /* the kernel takes what it takes */
    cancel_in_time(f);
    assert_false(f->probe.was_sent);
    atomic_store(&may_read, true);
    client_run_until(&f->client, &has_ended, 1);
    assert_int_equal(atomic_load(&ended_with), ECONNRESET);
}

static void while_paused(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_half, NULL);
    probe_init(&f->probe, &f->client, f->server->url, "/");
    f->probe.on_body = PROBE_PAUSE;
    probe_start(&f->probe);
    while (f->probe.bodies == 0) {
        remora_loop_run_once(f->client.loop, 10);
    }
    probe_resume(&f->probe); /* not carried out yet when the cancel comes */
    cancel_in_time(f);
    assert_server_sees_it(f);
}

static void silent_server(struct raw_connection *c)
{
    (void)raw_read_some(c, 1); /* the first byte of a client hello; no answer to it */
    atomic_fetch_add(&c->server->requests, 1);
    raw_wait_closed(c);
}

static void in_the_tls_handshake(void **state)
{
    struct fixture *f = *state;
    struct test_authority authority;
    test_authority_init(&authority, "own");
    f->server = raw_server_start(silent_server, NULL);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", (unsigned)f->server->port);
    probe_init(&f->probe, &f->client, url, "/");
    f->probe.provider.ca_pem = remora_slice_of(authority.pem);
    probe_start(&f->probe);
    client_run_until(&f->client, &f->server->requests, 1);
    cancel_in_time(f);
    assert_server_sees_it(f);
    test_authority_fini(&authority);
}

static void while_connecting(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    int full = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(full, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(full, 0), 0);
    getsockname(full, (struct sockaddr *)&address, &length);
    int fillers[4];
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    probe_init(&f->probe, &f->client, url, "/");
    probe_start(&f->probe);
    client_run_ms(&f->client, 20);
    cancel_in_time(f);
    for (int i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(full);
}

static void while_the_name_is_looked_up(void **state)
{
    struct fixture *f = *state;
    probe_init(&f->probe, &f->client, "http://a.silent.test", "/");
    probe_start(&f->probe);
    client_run_until(&f->client, &silent_lookups, 1);
    cancel_in_time(f);
}

/* The name of a proxy is libcurl's to look up: this is where QUICK_EXIT counts. */
static void while_libcurl_looks_up_the_name_of_a_proxy(void **state)
{
    struct fixture *f = *state;
    probe_init(&f->probe, &f->client, "http://api.example.test", "/");
    f->probe.provider.proxy = REMORA_SLICE("http://b.silent.test:3128");
    probe_start(&f->probe);
    client_run_until(&f->client, &silent_lookups, 1);
    cancel_in_time(f);
}

static void connect_timeout_does_not_freeze_the_loop(void **state)
{
    struct fixture *f = *state;
    probe_init(&f->probe, &f->client, "http://api.example.test", "/");
    f->probe.provider.proxy = REMORA_SLICE("http://c.silent.test:3128");
    f->probe.connect_timeout_ms = 200;
    uint64_t before_ns = test_now_ns();
    probe_start(&f->probe);
    probe_finish(&f->probe);
    assert_in_range((test_now_ns() - before_ns) / REMORA_NS_PER_MS, 150, 1000);
    assert_int_equal(f->probe.end.cause, REMORA_CAUSE_CONNECT_TIMEOUT);
    assert_false(f->probe.end.was_sent);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (remora_transport_global_init() != REMORA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(before_anything_happened),
        CASE(while_waiting_for_the_first_byte),
        CASE(a_request_that_went_out_in_full_is_told),
        CASE(in_the_middle_of_the_body),
        CASE(from_inside_on_head),
        CASE(from_inside_on_body),
        CASE(in_the_middle_of_an_upload),
        CASE(while_paused),
        CASE(in_the_tls_handshake),
        CASE(while_connecting),
        CASE(while_the_name_is_looked_up),
        CASE(while_libcurl_looks_up_the_name_of_a_proxy),
        CASE(connect_timeout_does_not_freeze_the_loop),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sleep(
        SILENT_S); /* the lookups' threads end, so that the leak checker finds nothing of theirs */
    return failed;
}
