/*
 * The public CAs: one X509_STORE for the process, parsed by a thread (32 to 63 ms) while the loops already serve.
 *
 * It reaches a connection through SSL_CTX_FUNCTION. That takes CAINFO and CAPATH NULL and CA_CACHE_TIMEOUT 0 beside it (see
 * setup.c): else libcurl 7.88 fills or replaces the store afterwards. A transfer over TLS waits for the thread; when no
 * bundle can be read the store is empty, and each such transfer fails verification: never "verify off". Who began the load is
 * told what was found, since an empty store looks like a provider's fault from everywhere else.
 * Sources: reference/measurements.md, "Prototypes 2: TLS"; OpenSSL manual, X509_LOOKUP_file(3), SSL_CTX_set1_cert_store(3).
 */
#include "inside.h"

#include "remora/memory.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct remora_trust_ticket {
    struct remora_list node; /* in trust->tickets until the message is sent; guarded by the lock */
    struct remora_message_node message;
    struct remora_curl *transport; /* NULL: withdrawn; touched on the loop's thread only */
    struct remora_loop *loop;
};

struct remora_trust {
    pthread_t thread;
    X509_STORE *store;
    remora_trust_found_fn on_found; /* or NULL */
    void *found_context;
    atomic_bool is_ready;
    pthread_mutex_t lock; /* guards tickets, and the step to is_ready */
    struct remora_list tickets;
};

/* Where distributions keep the bundle: Debian, Alpine, Fedora and RHEL, openSUSE, BSD. */
static const char *const BUNDLES[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static const char *bundle_path(void)
{
    const char *named = getenv(X509_get_default_cert_file_env()); /* SSL_CERT_FILE */
    if (named != NULL && named[0] != '\0') {
        return named;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(BUNDLES); i++) {
        if (access(BUNDLES[i], R_OK) == 0) {
            return BUNDLES[i];
        }
    }
    return NULL;
}

static void fill(struct remora_trust *trust)
{
    struct remora_trust_found found = {.path = bundle_path()};
    if (found.path != NULL) {
        (void)X509_STORE_load_file(trust->store, found.path);
        found.certificate_count = (size_t)sk_X509_OBJECT_num(X509_STORE_get0_objects(trust->store));
    }
    if (trust->on_found != NULL) {
        trust->on_found(trust->found_context, &found);
    }
}

static void *load(void *context)
{
    struct remora_trust *trust = context;
    fill(trust);
    pthread_mutex_lock(&trust->lock);
    atomic_store(&trust->is_ready, true);
    for (struct remora_list *node; (node = remora_list_take(&trust->tickets)) != NULL;) {
        struct remora_trust_ticket *ticket =
            REMORA_CONTAINER_OF(node, struct remora_trust_ticket, node);
        remora_loop_post(ticket->loop, &ticket->message);
    }
    pthread_mutex_unlock(&trust->lock);
    return NULL;
}

struct remora_trust *remora_trust_load_begin(remora_trust_found_fn on_found, void *context)
{
    struct remora_trust *trust = remora_alloc(sizeof *trust);
    if (trust == NULL) {
        return NULL;
    }
    trust->on_found = on_found;
    trust->found_context = context;
    trust->store = X509_STORE_new();
    if (trust->store == NULL) {
        remora_free(trust);
        return NULL;
    }
    /* As libcurl sets them on its own stores. */
    X509_STORE_set_flags(trust->store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    pthread_mutex_init(&trust->lock, NULL);
    remora_list_init(&trust->tickets);
    if (pthread_create(&trust->thread, NULL, load, trust) != 0) {
        pthread_mutex_destroy(&trust->lock);
        X509_STORE_free(trust->store);
        remora_free(trust);
        return NULL;
    }
    return trust;
}

void remora_trust_free(struct remora_trust *trust)
{
    if (trust == NULL) {
        return;
    }
    pthread_join(trust->thread, NULL);
    pthread_mutex_destroy(&trust->lock);
    X509_STORE_free(trust->store);
    remora_free(trust);
}

bool remora_trust_is_ready(const struct remora_trust *trust)
{
    return atomic_load(&trust->is_ready);
}

static void on_ready(struct remora_message_node *message)
{
    struct remora_trust_ticket *ticket =
        REMORA_CONTAINER_OF(message, struct remora_trust_ticket, message);
    struct remora_curl *transport = ticket->transport;
    remora_free(ticket);
    if (transport != NULL) {
        transport->ticket = NULL;
        remora_curl_advance_waiting(transport);
    }
}

struct remora_trust_ticket *remora_trust_wait(struct remora_trust *trust,
                                              struct remora_curl *transport)
{
    struct remora_trust_ticket *ticket = remora_alloc(sizeof *ticket);
    if (ticket == NULL) {
        return NULL;
    }
    ticket->transport = transport;
    ticket->loop = transport->loop;
    ticket->message.run = on_ready;
    remora_list_init(&ticket->node);
    pthread_mutex_lock(&trust->lock);
    if (atomic_load(&trust->is_ready)) {
        remora_loop_post(ticket->loop, &ticket->message);
    } else {
        remora_list_append(&trust->tickets, &ticket->node);
    }
    pthread_mutex_unlock(&trust->lock);
    return ticket;
}

void remora_trust_withdraw(struct remora_trust *trust, struct remora_trust_ticket *ticket)
{
    pthread_mutex_lock(&trust->lock);
    bool is_unsent = !atomic_load(&trust->is_ready);
    remora_list_remove(&ticket->node);
    pthread_mutex_unlock(&trust->lock);
    ticket->transport = NULL;
    if (is_unsent) {
        remora_free(ticket);
    }
}

CURLcode remora_trust_use(CURL *easy, void *ssl_context, void *context)
{
    (void)easy;
    struct remora_trust *trust = context;
    SSL_CTX_set1_cert_store(ssl_context, trust->store);
    return CURLE_OK;
}
