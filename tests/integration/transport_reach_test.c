/*
 * Whom a transfer may be connected to: addresses of URLs, of names, of connections that served before, and with a proxy. The
 * resolver and connect(2) are this file's: whatever address is connected to, the peer is the server on loopback.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC_ADDRESS   "1.1.1.1"
#define METADATA_ADDRESS "169.254.169.254"

static atomic_llong ahead_s; /* of the real clock */
static char
    answer[2]
          [16]; /* addresses of host.test, the second may be empty; written while no look-up runs */
static char connected[256]; /* " address" of each connect */
static atomic_int lookups_by_curl;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += (time_t)atomic_load(&ahead_s);
    return result;
}

struct found {
    struct addrinfo info;
    struct sockaddr_in address;
};

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)node;
    (void)hints;
    atomic_fetch_add(&lookups_by_curl, service == NULL ? 0 : 1);
    in_port_t port = htons(service == NULL ? 0 : (uint16_t)strtoul(service, NULL, 10)); /* curl's */
    struct found *found = calloc(2, sizeof *found);
    for (int i = 0; i < 2; i++) {
        found[i].address.sin_family = AF_INET;
        inet_pton(AF_INET, answer[i], &found[i].address.sin_addr);
        found[i].address.sin_port = port;
        found[i].info.ai_family = AF_INET;
        found[i].info.ai_socktype = SOCK_STREAM;
        found[i].info.ai_addrlen = sizeof found[i].address;
        found[i].info.ai_addr = (void *)&found[i].address;
    }
    found[0].info.ai_next = answer[1][0] == '\0' ? NULL : &found[1].info;
    *out = &found[0].info;
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    free(found);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*real)(int, const struct sockaddr *, socklen_t) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "connect");
    if (address->sa_family != AF_INET) {
        return real(fd, address, length);
    }
    struct sockaddr_in there = *(const struct sockaddr_in *)(const void *)address;
    char text[INET_ADDRSTRLEN];
    size_t used = strlen(connected);
    inet_ntop(AF_INET, &there.sin_addr, text, sizeof text);
    snprintf(connected + used, sizeof connected - used, " %s", text);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return real(fd, (void *)&there, sizeof there);
}

struct fixture {
    struct client client;
    struct raw_server *server;
    struct raw_server *proxy;
};

static void answer_all(struct raw_connection *c)
{
    while (raw_read_request(c) && raw_write(c, RAW_OK)) {
    }
}

static void answer_one(struct raw_connection *c)
{
    if (raw_read_request(c)) {
        raw_write(c, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n"
                     "Content-Length: 0\r\n\r\n");
    }
}

static void resolve_to(const char *first, const char *second)
{
    snprintf(answer[0], sizeof answer[0], "%s", first);
    snprintf(answer[1], sizeof answer[1], "%s", second);
}

static int setup(void **state)
{
    static struct fixture fixture;
    atomic_store(&ahead_s, 0);
    atomic_store(&lookups_by_curl, 0);
    connected[0] = '\0';
    resolve_to(PUBLIC_ADDRESS, "");
    client_init(&fixture.client, NULL);
    fixture.server = raw_server_start(answer_all, NULL);
    fixture.proxy = raw_server_start(answer_all, NULL);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    client_fini(&f->client);
    raw_server_stop(f->server);
    raw_server_stop(f->proxy);
    return 0;
}

static struct remora_transfer_end ask(struct fixture *f, enum remora_reach reach, const char *host)
{
    char url[128];
    struct probe p;
    snprintf(url, sizeof url, "http://%s:%u", host, (unsigned)f->server->port);
    probe_init(&p, &f->client, url, "/");
    p.reach = reach;
    probe_start(&p);
    probe_finish(&p);
    probe_fini(&p);
    return p.end;
}

static void assert_refused(struct fixture *f, enum remora_reach reach, const char *host)
{
    int before = atomic_load(&f->server->requests) + atomic_load(&f->proxy->requests);
    connected[0] = '\0';
    struct remora_transfer_end end = ask(f, reach, host);
    assert_string_equal(remora_cause_name(end.cause), "forbidden_address");
    assert_false(end.was_sent);
    assert_string_equal(connected, "");
    assert_int_equal(atomic_load(&f->server->requests) + atomic_load(&f->proxy->requests), before);
}

static void assert_reached(struct fixture *f, enum remora_reach reach, const char *host,
                           const char *addresses)
{
    connected[0] = '\0';
    assert_string_equal(remora_cause_name(ask(f, reach, host).cause), "none");
    assert_string_equal(connected, addresses);
}

/* ---- public ---- */

static void public_takes_no_address_inside(void **state)
{
    static const char *const INSIDE[] = {"127.0.0.1",         "localhost",       "[::1]",
                                         "10.1.2.3",          "192.168.0.1",     "[fd00::1]",
                                         "[::ffff:10.0.0.1]", "169.254.169.254", "LOCALHOST"};
    struct fixture *f = *state;
    for (size_t i = 0; i < REMORA_COUNT_OF(INSIDE); i++) {
        assert_refused(f, REMORA_REACH_PUBLIC, INSIDE[i]);
    }
    assert_reached(f, REMORA_REACH_PUBLIC, PUBLIC_ADDRESS, " " PUBLIC_ADDRESS);
}

static void public_takes_no_name_that_leads_inside(void **state)
{
    struct fixture *f = *state;
    resolve_to("10.0.0.1", "");
    assert_refused(f, REMORA_REACH_PUBLIC, "host.test");
    assert_reached(f, REMORA_REACH_PROVIDER, "host.test", " 10.0.0.1");
}

static void of_a_name_with_both_only_the_public_address_is_connected_to(void **state)
{
    struct fixture *f = *state;
    resolve_to("10.0.0.1", PUBLIC_ADDRESS);
    assert_reached(f, REMORA_REACH_PUBLIC, "host.test", " " PUBLIC_ADDRESS);
}

/* DNS rebinding: the name was public when it was looked at first. */
static void name_that_changes_its_answer_gains_nothing(void **state)
{
    struct fixture *f = *state;
    raw_server_stop(f->server);
    f->server = raw_server_start(answer_one, NULL);
    assert_reached(f, REMORA_REACH_PUBLIC, "host.test", " " PUBLIC_ADDRESS);
    resolve_to("127.0.0.1", "");
    atomic_store(&ahead_s, 60);
    (void)ask(f, REMORA_REACH_PUBLIC, "host.test"); /* with what was known; asks again */
    client_run_ms(&f->client, 50);
    assert_refused(f, REMORA_REACH_PUBLIC, "host.test");
}

/* No socket is opened for it, so nothing is judged where sockets are opened. */
static void connection_that_leads_inside_is_not_lent_to_public(void **state)
{
    struct fixture *f = *state;
    resolve_to("10.0.0.1", "");
    assert_reached(f, REMORA_REACH_PROVIDER, "host.test", " 10.0.0.1");
    assert_refused(f, REMORA_REACH_PUBLIC, "host.test");
    assert_int_equal(atomic_load(&f->server->requests), 1);
    assert_reached(f, REMORA_REACH_PROVIDER, "host.test", " 10.0.0.1");
}

static void redirect_inside_is_shown_and_the_way_there_is_closed(void **state)
{
    struct fixture *f = *state;
    raw_server_stop(f->server);
    f->server = raw_server_start(answer_one, NULL);
    assert_reached(f, REMORA_REACH_PUBLIC, "host.test", " " PUBLIC_ADDRESS); /* not followed */
    assert_refused(f, REMORA_REACH_PUBLIC, "127.0.0.1");
}

/* ---- metadata ---- */

static void metadata_takes_the_services_of_the_host_and_nothing_else(void **state)
{
    static const char *const OTHERS[] = {"127.0.0.1", "10.0.0.1", PUBLIC_ADDRESS, "169.254.1.1"};
    struct fixture *f = *state;
    assert_reached(f, REMORA_REACH_METADATA, METADATA_ADDRESS, " " METADATA_ADDRESS);
    for (size_t i = 0; i < REMORA_COUNT_OF(OTHERS); i++) {
        assert_refused(f, REMORA_REACH_METADATA, OTHERS[i]);
    }
    resolve_to(METADATA_ADDRESS, ""); /* metadata.google.internal */
    assert_reached(f, REMORA_REACH_METADATA, "host.test", " " METADATA_ADDRESS);
}

static void metadata_is_for_nobody_else(void **state)
{
    struct fixture *f = *state;
    assert_reached(f, REMORA_REACH_METADATA, METADATA_ADDRESS, " " METADATA_ADDRESS);
    assert_refused(f, REMORA_REACH_PROVIDER, METADATA_ADDRESS); /* its connection stands open */
    assert_refused(f, REMORA_REACH_PUBLIC, METADATA_ADDRESS);
}

/* ---- proxies ---- */

static void with_proxy(struct fixture *f, const char *no_proxy)
{
    setenv("http_proxy", f->proxy->url, 1);
    setenv("no_proxy", no_proxy, 1);
    client_fini(&f->client);
    client_init(&f->client, NULL);
}

static int teardown_proxy(void **state)
{
    unsetenv("http_proxy");
    unsetenv("no_proxy");
    return teardown(state);
}

static void metadata_goes_through_no_proxy(void **state)
{
    struct fixture *f = *state;
    with_proxy(f, "");
    assert_reached(f, REMORA_REACH_PROVIDER, "host.test", " 127.0.0.1");
    assert_int_equal(atomic_load(&f->proxy->requests), 1);
    assert_reached(f, REMORA_REACH_METADATA, METADATA_ADDRESS, " " METADATA_ADDRESS);
    resolve_to("169.254.170.2", "");
    assert_reached(f, REMORA_REACH_METADATA, "host.test", " 169.254.170.2");
    assert_int_equal(atomic_load(&f->proxy->requests), 1);
    assert_int_equal(atomic_load(&lookups_by_curl), 0); /* nor is its name left to libcurl */
}

static void public_names_are_the_proxy_s_also_where_no_proxy_lists_them(void **state)
{
    struct fixture *f = *state;
    with_proxy(f, "host.test");
    resolve_to("10.0.0.1", "");
    assert_reached(f, REMORA_REACH_PROVIDER, "host.test", " 10.0.0.1");
    assert_reached(f, REMORA_REACH_PUBLIC, "host.test", " 127.0.0.1");
    assert_int_equal(atomic_load(&f->proxy->requests), 1);
    assert_int_equal(atomic_load(&f->server->requests), 1);
}

/* CURLOPT_NOPROXY(3): names, domains with and without a dot in front, in any case. */
static void names_that_no_proxy_lists_are_resolved_here_as_others_are(void **state)
{
    static const char *const LISTS[] = {"host.test", "a.test,Host.Test.",   "a.test .test", "test",
                                        "*",         "10.0.0.0/8,host.test"};
    struct fixture *f = *state;
    resolve_to("10.0.0.1", "");
    for (size_t i = 0; i < REMORA_COUNT_OF(LISTS); i++) {
        with_proxy(f, LISTS[i]);
        assert_reached(f, REMORA_REACH_PROVIDER, "host.test", " 10.0.0.1");
    }
    assert_int_equal(atomic_load(&f->proxy->requests), 0);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
}

static void names_that_no_proxy_does_not_list_are_the_proxy_s(void **state)
{
    static const char *const LISTS[] = {"ost.test", "a.host.test", "host.tes", "*,", ".", "host"};
    struct fixture *f = *state;
    for (size_t i = 0; i < REMORA_COUNT_OF(LISTS); i++) {
        with_proxy(f, LISTS[i]);
        assert_reached(f, REMORA_REACH_PROVIDER, "host.test", " 127.0.0.1");
    }
    assert_int_equal(atomic_load(&f->proxy->requests), REMORA_COUNT_OF(LISTS));
}

static void proxy_is_not_asked_for_an_address_inside(void **state)
{
    struct fixture *f = *state;
    with_proxy(f, "10.0.0.1");
    assert_refused(f, REMORA_REACH_PUBLIC, "10.0.0.1");
    assert_refused(f, REMORA_REACH_PUBLIC, "10.0.0.2");
    assert_refused(f, REMORA_REACH_PUBLIC, "localhost");
    assert_refused(f, REMORA_REACH_PROVIDER, METADATA_ADDRESS);
}

/* ---- whose trust ---- */

static void provider_s_trust_is_for_its_own_reach_only(void **state)
{
    struct fixture *f = *state;
    struct probe p;
    struct remora_transfer *transfer = NULL;
    probe_init(&p, &f->client, f->server->url, "/");
    struct remora_transfer_input input = {.request = &p.request, .provider = &p.provider};
    for (int reach = REMORA_REACH_METADATA; reach <= REMORA_REACH_PUBLIC; reach++) {
        input.reach = (enum remora_reach)reach;
        assert_int_equal(f->client.transport->ops->start(f->client.transport, &input, &transfer),
                         REMORA_INTERNAL);
    }
    p.is_nobodys = true; /* without a provider: a token's address */
    probe_start(&p);
    probe_finish(&p);
    assert_int_equal(p.status, 200);
    probe_fini(&p);
}

#define CASE(name)       cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PROXY_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_proxy)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (remora_transport_global_init() != REMORA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(public_takes_no_address_inside),
        CASE(public_takes_no_name_that_leads_inside),
        CASE(of_a_name_with_both_only_the_public_address_is_connected_to),
        CASE(name_that_changes_its_answer_gains_nothing),
        CASE(connection_that_leads_inside_is_not_lent_to_public),
        CASE(redirect_inside_is_shown_and_the_way_there_is_closed),
        CASE(metadata_takes_the_services_of_the_host_and_nothing_else),
        CASE(metadata_is_for_nobody_else),
        PROXY_CASE(metadata_goes_through_no_proxy),
        PROXY_CASE(public_names_are_the_proxy_s_also_where_no_proxy_lists_them),
        PROXY_CASE(names_that_no_proxy_lists_are_resolved_here_as_others_are),
        PROXY_CASE(names_that_no_proxy_does_not_list_are_the_proxy_s),
        PROXY_CASE(proxy_is_not_asked_for_an_address_inside),
        CASE(provider_s_trust_is_for_its_own_reach_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
