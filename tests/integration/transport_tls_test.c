/* Whom a connection trusts: the public CAs, or the provider's own, and never one in place of the other. */
#include "probe.h"

#include "certificates.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often anybody, libcrypto too, opened the distribution's bundle: libcurl's default CAINFO. */
static atomic_int bundle_opens;
/* How often its folder was asked for the certificate of an issuer: libcurl's default CAPATH. */
static atomic_int issuer_lookups;
/* How often a context was given a store. */
static atomic_int stores_set;

static FILE *watched_open(const char *symbol, const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, symbol);
    if (strncmp(path, "/etc/ssl/certs", 14) == 0) {
        atomic_fetch_add(&bundle_opens, 1);
    }
    return real(path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return watched_open("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return watched_open("fopen64", path, mode);
}

int stat(const char *path, struct stat *status)
{
    int (*real)(const char *, struct stat *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "stat");
    if (strncmp(path, "/etc/ssl/certs/", 15) == 0) {
        atomic_fetch_add(&issuer_lookups, 1);
    }
    return real(path, status);
}

void SSL_CTX_set_cert_store(SSL_CTX *context, X509_STORE *store)
{
    void (*real)(SSL_CTX *, X509_STORE *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "SSL_CTX_set_cert_store");
    atomic_fetch_add(&stores_set, 1);
    real(context, store);
}

struct fixture {
    struct test_authority public_ca; /* stands for the distribution's bundle */
    struct test_authority own_ca;
    SSL_CTX *public_context;
    SSL_CTX *own_context;
    SSL_CTX *misnamed_context;
    struct raw_server *public_server;
    struct raw_server *own_server;
    struct raw_server *misnamed_server;
    struct remora_trust *trust;
    struct client client;
};

static void answer_all(struct raw_connection *c)
{
    while (raw_read_request(c) && raw_write(c, RAW_OK)) {
    }
}

static void write_bundle(const char *path, const char *pem)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(pem, file);
    fclose(file);
}

static int setup(void **state)
{
    static struct fixture f;
    char path[] = "/tmp/remora-bundle-XXXXXX";
    int fd = mkstemp(path);
    test_authority_init(&f.public_ca, "public");
    test_authority_init(&f.own_ca, "own");
    write_bundle(path, f.public_ca.pem);
    setenv("SSL_CERT_FILE", path, 1);
    f.trust = remora_trust_load_begin(NULL, NULL);
    client_init(&f.client, f.trust);
    f.public_context = test_server_context(&f.public_ca, NULL);
    f.own_context = test_server_context(&f.own_ca, NULL);
    f.misnamed_context = test_server_context(&f.public_ca, "elsewhere.test");
    f.public_server = raw_server_start(answer_all, f.public_context);
    f.own_server = raw_server_start(answer_all, f.own_context);
    f.misnamed_server = raw_server_start(answer_all, f.misnamed_context);
    *state = &f;
    /* The first exchange waits for the bundle; the file is not needed after it. */
    struct probe p;
    probe_init(&p, &f.client, f.public_server->url, "/");
    probe_start(&p);
    probe_finish(&p);
    probe_fini(&p);
    close(fd);
    unlink(path);
    return p.end.cause == REMORA_CAUSE_NONE ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    client_fini(&f->client);
    remora_trust_free(f->trust);
    raw_server_stop(f->public_server);
    raw_server_stop(f->own_server);
    raw_server_stop(f->misnamed_server);
    SSL_CTX_free(f->public_context);
    SSL_CTX_free(f->own_context);
    SSL_CTX_free(f->misnamed_context);
    test_authority_fini(&f->public_ca);
    test_authority_fini(&f->own_ca);
    return 0;
}

/* own_pem: the provider's CA, or NULL for the public ones. */
static struct remora_transfer_end ask(struct fixture *f, struct raw_server *server,
                                      const char *own_pem)
{
    struct probe p;
    probe_init(&p, &f->client, server->url, "/");
    p.provider.ca_pem = remora_slice_of(own_pem);
    probe_start(&p);
    probe_finish(&p);
    probe_fini(&p);
    return p.end;
}

static void assert_cause(struct remora_transfer_end end, enum remora_cause cause)
{
    assert_string_equal(remora_cause_name(end.cause), remora_cause_name(cause));
}

static void public_ca_does_not_vouch_for_an_own_server(void **state)
{
    struct fixture *f = *state;
    struct remora_transfer_end end = ask(f, f->own_server, NULL);
    assert_cause(end, REMORA_CAUSE_TLS);
    assert_string_equal(end.tls_reason, "the issuer is not known: if it is meant, make its "
                                        "certificate the provider's ca_file");
    assert_int_equal(atomic_load(&f->own_server->requests), 0);
}

static void own_ca_vouches_for_its_server_and_for_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct remora_transfer_end end = ask(f, f->own_server, f->own_ca.pem);
    assert_cause(end, REMORA_CAUSE_NONE);
    assert_null(end.tls_reason);
    int before = atomic_load(&f->public_server->requests);
    assert_cause(ask(f, f->public_server, f->own_ca.pem), REMORA_CAUSE_TLS);
    assert_int_equal(atomic_load(&f->public_server->requests), before);
}

/* The fault of 7.88: the first store of the multi handle was put over all later ones. Both orders, on fresh connections. */
static void order_of_providers_does_not_change_whom_they_trust(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        assert_cause(ask(f, f->own_server, f->own_ca.pem), REMORA_CAUSE_NONE);
        assert_cause(ask(f, f->own_server, NULL), REMORA_CAUSE_TLS);
        assert_cause(ask(f, f->public_server, f->own_ca.pem), REMORA_CAUSE_TLS);
        assert_cause(ask(f, f->public_server, NULL), REMORA_CAUSE_NONE);
    }
}

/* The connection of one trust domain stands open, to the same host and port. */
static void connection_of_another_trust_is_not_reused(void **state)
{
    struct fixture *f = *state;
    assert_cause(ask(f, f->own_server, f->own_ca.pem), REMORA_CAUSE_NONE);
    assert_true(ask(f, f->own_server, f->own_ca.pem).was_reused);
    struct remora_transfer_end end = ask(f, f->own_server, NULL);
    assert_false(end.was_reused);
    assert_cause(end, REMORA_CAUSE_TLS);
}

static void connection_of_the_public_trust_is_not_reused_by_an_own_one(void **state)
{
    struct fixture *f = *state;
    assert_cause(ask(f, f->public_server, NULL), REMORA_CAUSE_NONE);
    assert_true(ask(f, f->public_server, NULL).was_reused);
    struct remora_transfer_end end = ask(f, f->public_server, f->own_ca.pem);
    assert_false(end.was_reused);
    assert_cause(end, REMORA_CAUSE_TLS);
}

/* ---- sessions ---- */

static void answer_one(struct raw_connection *c)
{
    if (raw_read_request(c)) {
        raw_write(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    }
}

static void session_is_resumed_by_the_handle_that_made_it(void **state)
{
    struct fixture *f = *state;
    struct raw_server *server = raw_server_start(answer_one, f->public_context);
    for (int i = 0; i < 3; i++) {
        assert_cause(ask(f, server, NULL), REMORA_CAUSE_NONE);
        assert_int_equal(atomic_load(&server->resumed_sessions), i);
    }
    raw_server_stop(server);
}

/* Whoever resumes a session is not shown a certificate: it would be believed unseen. */
static void session_of_one_trust_is_not_resumed_under_another(void **state)
{
    struct fixture *f = *state;
    struct raw_server *own = raw_server_start(answer_one, f->own_context);
    struct raw_server *public = raw_server_start(answer_one, f->public_context);
    assert_cause(ask(f, own, f->own_ca.pem), REMORA_CAUSE_NONE);
    assert_cause(ask(f, own, NULL), REMORA_CAUSE_TLS);
    assert_cause(ask(f, public, NULL), REMORA_CAUSE_NONE);
    assert_cause(ask(f, public, f->own_ca.pem), REMORA_CAUSE_TLS);
    assert_int_equal(atomic_load(&own->resumed_sessions), 0);
    assert_int_equal(atomic_load(&public->resumed_sessions), 0);
    raw_server_stop(own);
    raw_server_stop(public);
}

static void hold_the_first(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, c->index == 0 ? "HTTP/1.1 200 OK\r\n" : RAW_OK)) {
        raw_wait_closed(c);
    }
}

/*
 * A cache for all handles would mix trust (ARCHITECTURE 3): the session of a busy one serves nobody else. Since 8.12 libcurl
 * keeps sessions beside the multi handle, by host, CA and client certificate: there a handle of the same trust gets it, and
 * that no other does is the test before this one.
 */
static void session_is_not_lent_to_another_handle(void **state)
{
    struct fixture *f = *state;
    bool keeps_by_trust = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080c00;
    struct raw_server *server = raw_server_start(hold_the_first, f->public_context);
    struct probe busy;
    probe_init(&busy, &f->client, server->url, "/");
    probe_start(&busy);
    client_run_until(&f->client, &server->requests, 1);
    client_run_ms(&f->client, 20); /* its session arrives with the first line */
    assert_cause(ask(f, server, NULL), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&server->resumed_sessions), keeps_by_trust ? 1 : 0);
    probe_cancel(&busy);
    probe_fini(&busy);
    raw_server_stop(server);
}

/* ---- the version of HTTP ---- */

/* Protocols of the last client hello, each behind its length (RFC 7301, 3.1). */
static char offered[64];

static int take_offer(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                      const unsigned char *in, unsigned in_length, void *context)
{
    (void)ssl;
    (void)context;
    static const unsigned char HTTP_1_1[] = "http/1.1";
    snprintf(offered, sizeof offered, "%.*s", (int)in_length, (const char *)in);
    *out = HTTP_1_1;
    *out_length = sizeof HTTP_1_1 - 1;
    return SSL_TLSEXT_ERR_OK;
}

static void offer_to(struct fixture *f, struct raw_server *server, bool http2)
{
    struct probe p;
    probe_init(&p, &f->client, server->url, "/");
    p.provider.http2 = http2;
    probe_start(&p);
    probe_finish(&p);
    assert_cause(p.end, REMORA_CAUSE_NONE);
    probe_fini(&p);
}

static void http_2_is_offered_to_those_who_asked_for_it_only(void **state)
{
    struct fixture *f = *state;
    SSL_CTX *context = test_server_context(&f->public_ca, NULL);
    SSL_CTX_set_alpn_select_cb(context, take_offer, NULL);
    struct raw_server *server = raw_server_start(answer_one, context);
    offer_to(f, server, false);
    assert_string_equal(offered, "\x08http/1.1");
    offer_to(f, server, true);
    assert_string_equal(offered, "\x02h2\x08http/1.1");
    raw_server_stop(server);
    SSL_CTX_free(context);
}

static void certificate_for_another_name_is_refused(void **state)
{
    struct fixture *f = *state;
    struct remora_transfer_end end = ask(f, f->misnamed_server, NULL);
    assert_cause(end, REMORA_CAUSE_TLS);
    assert_string_equal(end.tls_reason,
                        "the certificate is for another name: base_url needs one that it has");
    assert_int_equal(atomic_load(&f->misnamed_server->requests), 0);
}

static void bundle_is_never_read_again_for_a_connection(void **state)
{
    struct fixture *f = *state;
    assert_cause(ask(f, f->public_server, NULL), REMORA_CAUSE_NONE);
    assert_cause(ask(f, f->own_server, f->own_ca.pem), REMORA_CAUSE_NONE);
    assert_int_equal(atomic_load(&bundle_opens), 0); /* the fixture's bundle lies elsewhere */
}

/* Else the distribution's authorities would vouch for the server of an own one, too. */
static void system_s_folder_is_not_asked_for_an_issuer(void **state)
{
    struct fixture *f = *state;
    assert_cause(ask(f, f->public_server, f->own_ca.pem), REMORA_CAUSE_TLS); /* an unknown one */
    assert_cause(ask(f, f->own_server, NULL), REMORA_CAUSE_TLS);
    assert_int_equal(atomic_load(&issuer_lookups), 0);
}

/* libcurl's cache of stores gave the first one to every later connection, over what SSL_CTX_FUNCTION had set. */
static void store_of_the_first_connection_is_not_put_over_that_of_the_next(void **state)
{
    struct fixture *f = *state;
    struct client fresh;
    client_init(&fresh, f->trust);
    struct raw_server *server = raw_server_start(answer_one, f->public_context);
    int calls[2];
    for (int i = 0; i < 2; i++) {
        struct probe p;
        atomic_store(&stores_set, 0);
        probe_init(&p, &fresh, server->url, "/");
        probe_start(&p);
        probe_finish(&p);
        probe_fini(&p);
        assert_cause(p.end, REMORA_CAUSE_NONE);
        calls[i] = atomic_load(&stores_set);
    }
    assert_int_equal(calls[1], calls[0]);
    client_fini(&fresh);
    raw_server_stop(server);
}

static void plain_server_on_a_tls_url_is_a_tls_failure(void **state)
{
    struct fixture *f = *state;
    struct raw_server *plain = raw_server_start(answer_all, NULL);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", (unsigned)plain->port);
    struct probe p;
    probe_init(&p, &f->client, url, "/");
    p.connect_timeout_ms = 300;
    probe_start(&p);
    client_run_ms(&f->client, 20);
    raw_server_stop(plain);
    probe_finish(&p);
    assert_false(p.end.was_sent);
    assert_int_equal(p.heads, 0);
    probe_fini(&p);
}

static void old_protocol_is_refused(void **state)
{
    struct fixture *f = *state;
    SSL_CTX *old = test_server_context(&f->public_ca, NULL);
    SSL_CTX_set_min_proto_version(old, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(old, "ALL:@SECLEVEL=0");
    struct raw_server *server = raw_server_start(answer_all, old);
    assert_cause(ask(f, server, NULL), REMORA_CAUSE_TLS);
    raw_server_stop(server);
    SSL_CTX_free(old);
}

static void answer_without_close_notify(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{}")) {
        SSL_set_quiet_shutdown(c->ssl, 1);
    }
}

static void body_cut_without_close_notify_is_not_clean(void **state)
{
    struct fixture *f = *state;
    struct raw_server *server = raw_server_start(answer_without_close_notify, f->public_context);
    struct remora_transfer_end end = ask(f, server, NULL);
    assert_cause(end, REMORA_CAUSE_TRUNCATED);
    assert_true(end.tls_ns >= end.connect_ns);
    raw_server_stop(server);
}

struct found {
    char path[64];
    size_t count;
    int calls;
};

static void on_found(void *context, const struct remora_trust_found *found)
{
    struct found *out = context;
    snprintf(out->path, sizeof out->path, "%s", found->path == NULL ? "" : found->path);
    out->count = found->certificate_count;
    out->calls++;
}

static void what_the_bundle_holds_is_told_once(void **state)
{
    char path[] = "/tmp/remora-bundle-XXXXXX";
    struct fixture *f = *state;
    struct found found = {0};
    int fd = mkstemp(path);
    write_bundle(path, f->public_ca.pem);
    setenv("SSL_CERT_FILE", path, 1);
    remora_trust_free(remora_trust_load_begin(on_found, &found));
    assert_string_equal(found.path, path);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.calls, 1);
    close(fd);
    unlink(path); /* and now there is none: an empty store, which nobody would notice */
    remora_trust_free(remora_trust_load_begin(on_found, &found));
    assert_int_equal(found.count, 0);
    assert_int_equal(found.calls, 2);
}

/* A transport whose CAs never arrive in time: what needs none is not held up. */
static void plaintext_does_not_wait_for_the_bundle(void **state)
{
    (void)state;
    char path[] = "/tmp/remora-fifo-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* opening it for reading blocks: a very slow disk */
    setenv("SSL_CERT_FILE", path, 1);
    struct remora_trust *trust = remora_trust_load_begin(NULL, NULL);
    struct client client;
    client_init(&client, trust);
    struct raw_server *server = raw_server_start(answer_all, NULL);
    struct probe plain;
    struct probe tls;
    probe_init(&tls, &client, "https://127.0.0.1:1", "/"); /* with more time than the other needs */
    probe_init(&plain, &client, server->url, "/");
    probe_start(&tls);
    probe_start(&plain);
    probe_finish(&plain);
    assert_cause(plain.end, REMORA_CAUSE_NONE);
    assert_false(tls.is_over);
    probe_cancel(&tls);
    probe_fini(&tls);
    probe_init(&tls, &client, "https://127.0.0.1:1", "/");
    tls.connect_timeout_ms = 100;
    probe_start(&tls);
    probe_finish(&tls);
    assert_cause(tls.end, REMORA_CAUSE_CONNECT_TIMEOUT);
    FILE *writer = fopen(path, "w"); /* the thread goes on, with nothing */
    fclose(writer);
    probe_init(&tls, &client, "https://127.0.0.1:1", "/");
    probe_start(&tls);
    probe_finish(&tls);
    assert_cause(tls.end, REMORA_CAUSE_REFUSED); /* it was tried */
    probe_fini(&plain);
    client_fini(&client);
    remora_trust_free(trust);
    raw_server_stop(server);
    unlink(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (remora_transport_global_init() != REMORA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(public_ca_does_not_vouch_for_an_own_server),
        CASE(own_ca_vouches_for_its_server_and_for_nobody_else),
        CASE(order_of_providers_does_not_change_whom_they_trust),
        CASE(connection_of_another_trust_is_not_reused),
        CASE(connection_of_the_public_trust_is_not_reused_by_an_own_one),
        CASE(session_is_resumed_by_the_handle_that_made_it),
        CASE(session_of_one_trust_is_not_resumed_under_another),
        CASE(session_is_not_lent_to_another_handle),
        CASE(http_2_is_offered_to_those_who_asked_for_it_only),
        CASE(certificate_for_another_name_is_refused),
        CASE(bundle_is_never_read_again_for_a_connection),
        CASE(system_s_folder_is_not_asked_for_an_issuer),
        CASE(store_of_the_first_connection_is_not_put_over_that_of_the_next),
        CASE(plain_server_on_a_tls_url_is_a_tls_failure),
        CASE(old_protocol_is_refused),
        CASE(body_cut_without_close_notify_is_not_clean),
        CASE(what_the_bundle_holds_is_told_once),
        cmocka_unit_test(plaintext_does_not_wait_for_the_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
