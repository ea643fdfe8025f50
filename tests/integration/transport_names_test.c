/* Host names: asked for in the background, once, and never by libcurl. The resolver is this file's. */
#include "probe.h"

#include "remora/config.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_llong ahead_s; /* of the real clock */
static atomic_bool is_lost;  /* nobody knows any name */
static atomic_int lookups;
static atomic_int lookups_by_curl;
static int names_given;     /* to curl, to keep */
static int names_withdrawn; /* from it */
static atomic_bool is_slow;
static atomic_bool is_away;   /* what ends in good.test, at 127.0.0.2 where nobody listens */
static atomic_bool is_silent; /* the servers of names that begin with "dead" */
static atomic_int let_go;     /* so many of them fail all the same */
static atomic_int dead_asked;
static atomic_int asked_before_late; /* of "late.good.test" */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += (time_t)atomic_load(&ahead_s);
    return result;
}

/* What leaves in CURLOPT_RESOLVE: "host:port:address", or "-host:port". */
struct curl_slist *curl_slist_append(struct curl_slist *list, const char *entry)
{
    struct curl_slist *(*real)(struct curl_slist *, const char *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "curl_slist_append");
    *(entry[0] == '-' ? &names_withdrawn : &names_given) += 1;
    return real(list, entry);
}

/* As the resolver does when nobody answers it, but until the test lets go. */
static void ask_in_vain(void)
{
    atomic_fetch_add(&dead_asked, 1);
    while (atomic_load(&is_silent)) {
        int left = atomic_load(&let_go);
        if (left > 0 && atomic_compare_exchange_strong(&let_go, &left, left - 1)) {
            return;
        }
        usleep(1000);
    }
}

/* good.test and what ends in it are 127.0.0.1, six.test ::1, meta.test a metadata address; the rest does not exist. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    (void)hints;
    atomic_fetch_add(service == NULL ? &lookups : &lookups_by_curl, 1);
    for (int i = 0; i < 1000 && atomic_load(&is_slow); i++) {
        usleep(2000);
    }
    if (strncmp(node, "dead", 4) == 0) {
        ask_in_vain();
        return EAI_AGAIN;
    }
    if (strcmp(node, "late.good.test") == 0) {
        atomic_store(&asked_before_late, atomic_load(&dead_asked));
    }
    bool is_good = strcmp(node, "good.test") == 0 || strstr(node, ".good.test") != NULL;
    const char *good = atomic_load(&is_away) ? "127.0.0.2" : "127.0.0.1";
    const char *address = is_good ? good : NULL;
    address = strcmp(node, "meta.test") == 0 ? "169.254.169.254" : address;
    if (atomic_load(&is_lost)) {
        return EAI_AGAIN;
    }
    struct addrinfo *one = calloc(1, sizeof *one + sizeof(struct sockaddr_in6));
    one->ai_addr = (void *)(one + 1);
    if (address != NULL) {
        struct sockaddr_in *v4 = (void *)one->ai_addr;
        v4->sin_family = AF_INET;
        inet_pton(AF_INET, address, &v4->sin_addr);
        one->ai_family = AF_INET;
    } else if (strcmp(node, "six.test") == 0) {
        struct sockaddr_in6 *v6 = (void *)one->ai_addr;
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
        one->ai_family = AF_INET6;
    } else {
        free(one);
        return EAI_NONAME;
    }
    *found = one;
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    free(found);
}

struct fixture {
    struct client client;
    struct raw_server *server;
};

static void answer_all(struct raw_connection *c)
{
    while (raw_read_request(c) && raw_write(c, RAW_OK)) {
    }
}

static int setup(void **state)
{
    static struct fixture fixture;
    atomic_store(&lookups, 0);
    atomic_store(&lookups_by_curl, 0);
    atomic_store(&is_slow, false);
    atomic_store(&is_lost, false);
    atomic_store(&is_away, false);
    atomic_store(&is_silent, false);
    atomic_store(&let_go, 0);
    atomic_store(&dead_asked, 0);
    atomic_store(&asked_before_late, 0);
    atomic_store(&ahead_s, 0);
    client_init(&fixture.client, NULL);
    fixture.server = raw_server_start(answer_all, NULL);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    atomic_store(&is_slow, false);
    atomic_store(&is_silent, false);
    client_fini(&f->client);
    raw_server_stop(f->server);
    return 0;
}

static void url_of(const struct fixture *f, const char *host, char *url, size_t size)
{
    snprintf(url, size, "http://%s:%u", host, (unsigned)f->server->port);
}

static void start_to(struct fixture *f, struct probe *p, const char *host)
{
    char url[128];
    url_of(f, host, url, sizeof url);
    probe_init(p, &f->client, url, "/");
    p->connect_timeout_ms = 1000;
    probe_start(p);
}

static enum remora_cause ask(struct fixture *f, const char *host)
{
    struct probe p;
    start_to(f, &p, host);
    probe_finish(&p);
    probe_fini(&p);
    return p.end.cause;
}

static void many_transfers_share_one_lookup(void **state)
{
    enum { MANY = 20 };
    struct fixture *f = *state;
    static struct probe probes[MANY];
    for (int i = 0; i < MANY; i++) {
        start_to(f, &probes[i], "good.test");
    }
    for (int i = 0; i < MANY; i++) {
        probe_finish(&probes[i]);
        assert_int_equal(probes[i].end.cause, REMORA_CAUSE_NONE);
        probe_fini(&probes[i]);
    }
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&lookups), 1);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
    assert_non_null(strstr(f->server->last, "\r\nHost: good.test"));
}

static void addresses_serve_new_connections_and_other_handles_too(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    struct probe a;
    struct probe b;
    start_to(f, &a, "good.test");
    start_to(f, &b, "good.test");
    probe_finish(&a);
    probe_finish(&b);
    assert_int_equal(a.end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(b.end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
    probe_fini(&a);
    probe_fini(&b);
}

static void name_that_fails_is_not_asked_for_again_at_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(f, "absent.test"), REMORA_CAUSE_DNS);
    }
    assert_int_equal(atomic_load(&lookups), 1);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE); /* only that name is benched */
}

static void name_that_failed_is_asked_for_again_after_seconds(void **state)
{
    struct fixture *f = *state;
    atomic_store(&is_lost, true);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_DNS);
    atomic_store(&is_lost, false);
    atomic_store(&ahead_s, 3);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_DNS);
    assert_int_equal(atomic_load(&lookups), 1);
    atomic_store(&ahead_s, 10);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&lookups), 2);
}

/* The next descriptor is the last but nine. */
static struct rlimit use_up_descriptors(void)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    const struct rlimit few = {.rlim_cur = (rlim_t)next + 10, .rlim_max = before.rlim_max};
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    return before;
}

/* The resolver says neither to whom it could not speak nor why. */
static void without_descriptors_a_name_is_not_taken_for_one_that_does_not_exist(void **state)
{
    struct fixture *f = *state;
    struct rlimit before = use_up_descriptors();
    atomic_store(&is_lost, true);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_DESCRIPTORS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    atomic_store(&is_lost, false);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_DESCRIPTORS); /* within a second */
    assert_int_equal(atomic_load(&lookups), 1);
    atomic_store(&ahead_s, 2);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    assert_int_equal(ask(f, "absent.test"), REMORA_CAUSE_DNS);
}

static enum remora_cause ask_by_proxy(struct fixture *f)
{
    struct probe p;
    probe_init(&p, &f->client, "http://good.test", "/");
    p.provider.proxy = REMORA_SLICE("http://proxy.test:1");
    p.connect_timeout_ms = 1000;
    probe_start(&p);
    probe_finish(&p);
    probe_fini(&p);
    return p.end.cause;
}

static void without_descriptors_the_name_of_a_proxy_is_not_blamed_either(void **state)
{
    struct fixture *f = *state;
    struct rlimit before = use_up_descriptors();
    assert_int_equal(ask_by_proxy(f), REMORA_CAUSE_DESCRIPTORS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(ask_by_proxy(f), REMORA_CAUSE_DNS);
    assert_int_equal(atomic_load(&lookups), 0);
}

enum { HOSTS = 16 };

/* A configuration of these hosts, in their order; all of them on the port of the server. */
static void keep_all(struct fixture *f, const char *const *hosts, size_t count)
{
    static char urls[HOSTS][128];
    static struct remora_provider providers[HOSTS];
    for (size_t i = 0; i < count; i++) {
        url_of(f, hosts[i], urls[i], sizeof urls[i]);
        providers[i] = (struct remora_provider){.facts.base_url = remora_slice_of(urls[i])};
    }
    struct remora_config config = {.providers = providers, .provider_count = count};
    remora_transport_set_config(f->client.transport, &config);
}

static void keep(struct fixture *f, const char *host)
{
    keep_all(f, &host, 1);
}

/* Twelve whose servers do not answer, then one that does. */
static void keep_dead_and(struct fixture *f, const char *last)
{
    static const char *const dead[] = {"dead0.test", "dead1.test", "dead2.test",  "dead3.test",
                                       "dead4.test", "dead5.test", "dead6.test",  "dead7.test",
                                       "dead8.test", "dead9.test", "dead10.test", "dead11.test"};
    const char *hosts[REMORA_COUNT_OF(dead) + 1];
    memcpy(hosts, dead, sizeof dead);
    hosts[REMORA_COUNT_OF(dead)] = last;
    keep_all(f, hosts, REMORA_COUNT_OF(hosts));
}

static void names_that_nobody_answers_for_hold_up_no_other(void **state)
{
    struct fixture *f = *state;
    atomic_store(&is_silent, true);
    keep_dead_and(f, "good.test");
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    client_run_until(&f->client, &dead_asked, 12); /* and they are all asked */
}

/* They have failed before, so they leave threads to others, and of their own those that have failed less often come first. */
static void names_that_failed_wait_behind_others(void **state)
{
    struct fixture *f = *state;
    keep_dead_and(f, "absent.test");
    client_run_until(&f->client, &lookups, 13);
    client_run_ms(&f->client, 20); /* the answers come home */
    atomic_store(&ahead_s, 10);
    client_run_until(&f->client, &lookups, 26);
    atomic_store(&is_lost, true);
    assert_int_equal(ask(f, "late.good.test"), REMORA_CAUSE_DNS); /* once, the others twice */
    atomic_store(&is_lost, false);
    client_run_ms(&f->client, 20);
    atomic_store(&is_silent, true);
    atomic_store(&ahead_s, 20);
    client_run_until(&f->client, &dead_asked, 24 + 8);
    client_run_ms(&f->client, 300); /* so many times the patience */
    assert_int_equal(atomic_load(&dead_asked), 24 + 8);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    struct probe late;
    start_to(f, &late, "late.good.test");
    client_run_ms(&f->client, 20);
    atomic_store(&let_go, 1);
    probe_finish(&late);
    assert_int_equal(late.end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&asked_before_late), 24 + 8);
    probe_fini(&late);
}

/* The old address refuses. Who comes next is served; nobody asks more than once a second. */
static void name_that_has_moved_is_asked_for_when_a_connection_fails(void **state)
{
    struct fixture *f = *state;
    atomic_store(&is_away, true);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_REFUSED);
    atomic_store(&is_away, false);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_REFUSED);
    client_run_ms(&f->client, 20);
    assert_int_equal(atomic_load(&lookups), 1);
    atomic_store(&ahead_s, 2);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_REFUSED);
    client_run_until(&f->client, &lookups, 2);
    client_run_ms(&f->client, 20); /* the answer comes home */
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&lookups), 2);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
}

static void configured_hosts_are_resolved_before_they_are_needed(void **state)
{
    struct fixture *f = *state;
    keep(f, "good.test");
    keep(f, "good.test");
    client_run_until(&f->client, &lookups, 1);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&lookups), 1);
}

/* Nobody waits for a name that has been known, and a resolver that is gone takes nothing away. */
static void configured_hosts_are_kept_resolved_without_being_used(void **state)
{
    struct fixture *f = *state;
    keep(f, "good.test");
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    atomic_store(&is_lost, true);
    for (int i = 1; i <= 3; i++) {
        atomic_store(&ahead_s, 60 * i);
        client_run_until(&f->client, &lookups, 1 + i);
        client_run_ms(&f->client, 20); /* the answer comes home */
    }
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
}

static void cancel_the_other(void *context, const struct remora_transfer_end *end)
{
    assert_int_equal(end->cause, REMORA_CAUSE_FORBIDDEN_ADDRESS);
    probe_cancel(context);
}

/* A transfer that brings addresses to libcurl and is cancelled before that has looked at it. */
static void addresses_are_not_lost_with_the_transfer_that_brings_them(void **state)
{
    static const struct remora_transfer_callbacks CALLBACKS = {.on_end = cancel_the_other};
    struct fixture *f = *state;
    struct probe first;
    struct probe second;
    struct remora_transfer *transfer = NULL;
    keep(f, "good.test");
    client_run_until(&f->client, &lookups, 1);
    client_run_ms(&f->client, 20); /* the answer comes home */
    start_to(f, &first, "good.test");
    probe_init(&second, &f->client, "http://169.254.169.254", "/");
    const struct remora_transfer_input input = {.request = &second.request,
                                                .provider = &second.provider,
                                                .connect_timeout_ms = 1000,
                                                .callbacks = &CALLBACKS,
                                                .context = &first};
    assert_int_equal(f->client.transport->ops->start(f->client.transport, &input, &transfer),
                     REMORA_OK);
    client_run_ms(&f->client, 20);
    assert_null(first.transfer);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
    assert_int_equal(atomic_load(&lookups), 1);
    probe_fini(&first);
    probe_fini(&second);
}

/* The name is found, and nobody listens there. */
static void find_only(struct fixture *f, const char *host)
{
    char url[128];
    struct probe p;
    snprintf(url, sizeof url, "http://%s:1", host);
    probe_init(&p, &f->client, url, "/");
    probe_start(&p);
    probe_finish(&p);
    probe_fini(&p);
    assert_int_equal(p.end.cause, REMORA_CAUSE_REFUSED);
}

/* Hosts of callers' URLs are without number; a configured one is not lost to them. */
static void names_of_callers_take_each_other_s_place(void **state)
{
    enum { NAMES_KEPT = 512 /* names.c */, MANY = NAMES_KEPT + 8 };
    struct fixture *f = *state;
    keep(f, "good.test");
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    names_given = 0;
    names_withdrawn = 0;
    for (int i = 0; i < MANY; i++) {
        char host[32];
        snprintf(host, sizeof host, "n%d.good.test", i);
        find_only(f, host);
    }
    assert_int_equal(names_given, MANY);
    assert_int_equal(names_withdrawn, MANY - (NAMES_KEPT - 1));
    int before = atomic_load(&lookups);
    assert_int_equal(ask(f, "good.test"), REMORA_CAUSE_NONE);
    find_only(f, "n519.good.test");
    assert_int_equal(atomic_load(&lookups), before);
    find_only(f, "n0.good.test"); /* asked for again */
    assert_int_equal(atomic_load(&lookups), before + 1);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
}

static void slow_name_is_waited_for(void **state)
{
    struct fixture *f = *state;
    atomic_store(&is_slow, true);
    struct probe p;
    start_to(f, &p, "good.test");
    client_run_ms(&f->client, 50);
    assert_false(p.is_over);
    atomic_store(&is_slow, false);
    probe_finish(&p);
    assert_int_equal(p.end.cause, REMORA_CAUSE_NONE);
    assert_true(p.end.connect_ns >= 40 * REMORA_NS_PER_MS); /* the wait is part of it */
    probe_fini(&p);
}

/* The time-out is that of the connect phase; what it is told of is the name: nobody has been asked for a connection. */
static void slow_name_ends_with_the_connect_timeout_and_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    atomic_store(&is_slow, true);
    struct probe p;
    start_to(f, &p, "good.test");
    assert_int_equal(ask(f, "127.0.0.1"), REMORA_CAUSE_NONE);
    assert_int_equal(ask(f, "localhost"), REMORA_CAUSE_NONE);
    probe_finish(&p);
    assert_int_equal(p.end.cause, REMORA_CAUSE_DNS);
    probe_fini(&p);
}

static void name_that_leads_to_a_metadata_address_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "meta.test"), REMORA_CAUSE_FORBIDDEN_ADDRESS);
}

/* An IPv6-only network: by name and by address. */
static void where_there_is_only_ipv6_it_is_used(void **state)
{
    struct fixture *f = *state;
    struct raw_server *six = raw_server_start_v6(answer_all);
    if (six == NULL) {
        print_message("no IPv6 on this machine\n");
        skip();
    }
    raw_server_stop(f->server);
    f->server = six;
    assert_int_equal(ask(f, "six.test"), REMORA_CAUSE_NONE);
    assert_int_equal(ask(f, "[::1]"), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&six->requests), 2);
    assert_int_equal(atomic_load(&lookups_by_curl), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    if (remora_transport_global_init() != REMORA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(many_transfers_share_one_lookup),
        CASE(addresses_serve_new_connections_and_other_handles_too),
        CASE(configured_hosts_are_resolved_before_they_are_needed),
        CASE(configured_hosts_are_kept_resolved_without_being_used),
        CASE(addresses_are_not_lost_with_the_transfer_that_brings_them),
        CASE(name_that_fails_is_not_asked_for_again_at_once),
        CASE(name_that_failed_is_asked_for_again_after_seconds),
        CASE(without_descriptors_a_name_is_not_taken_for_one_that_does_not_exist),
        CASE(without_descriptors_the_name_of_a_proxy_is_not_blamed_either),
        CASE(names_of_callers_take_each_other_s_place),
        CASE(slow_name_is_waited_for),
        CASE(slow_name_ends_with_the_connect_timeout_and_holds_up_nobody),
        CASE(names_that_nobody_answers_for_hold_up_no_other),
        CASE(names_that_failed_wait_behind_others),
        CASE(name_that_has_moved_is_asked_for_when_a_connection_fails),
        CASE(name_that_leads_to_a_metadata_address_is_refused),
        CASE(where_there_is_only_ipv6_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
