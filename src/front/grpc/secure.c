/*
 * The certificate of the gRPC listener and its renewal. The core calls `fetch` before each handshake, on a thread of its own,
 * and keeps what it got until it is told of a newer one; what ours is counted by `serial`, under the lock.
 *
 * Fails: no memory for a copy: the core goes on with the certificate that it has.
 *
 * Source: grpc/grpc_security.h, grpc_ssl_server_certificate_config_callback; the core's own rules are TLS 1.2 and 1.3, h2 by
 * ALPN. Keys are handed over as text and NUL-terminated, so a copy is made and wiped.
 */
#include "secure.h"

#include <pthread.h>

#include "remora/memory.h"

struct remora_grpc_tls {
    pthread_mutex_t lock; /* guards the three below */
    struct remora_tls *current;
    unsigned serial; /* of current */
    unsigned taken;  /* by the core */
    bool asks_clients;
};

struct remora_grpc_tls *remora_grpc_tls_new(struct remora_tls *tls)
{
    struct remora_grpc_tls *t = remora_alloc(sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    t->current = remora_tls_acquire(tls);
    t->serial = 1;
    t->asks_clients = remora_tls_asks_clients(tls);
    return t;
}

void remora_grpc_tls_free(struct remora_grpc_tls *tls)
{
    if (tls != NULL) {
        remora_tls_release(tls->current);
        pthread_mutex_destroy(&tls->lock);
        remora_free(tls);
    }
}

void remora_grpc_tls_set(struct remora_grpc_tls *tls, struct remora_tls *next)
{
    pthread_mutex_lock(&tls->lock);
    struct remora_tls *last = tls->current;
    if (next != last) {
        tls->current = remora_tls_acquire(next);
        tls->serial++;
    }
    pthread_mutex_unlock(&tls->lock);
    if (next != last) {
        remora_tls_release(last);
    }
}

bool remora_grpc_tls_asks_clients(const struct remora_grpc_tls *tls)
{
    return tls->asks_clients;
}

static void make_config(void *context, const struct remora_tls_text *text)
{
    size_t bytes = text->key.length + 1;
    char *key = remora_alloc_private(bytes);
    if (key == NULL) {
        return;
    }
    memcpy(key, text->key.data, text->key.length);
    const grpc_ssl_pem_key_cert_pair pair = {.private_key = key,
                                             .cert_chain = text->certificate.data};
    /* The old core wants some even where it asks no client: then they are not used. */
    const char *roots = text->client_ca.length > 0 ? text->client_ca.data : text->certificate.data;
    *(grpc_ssl_server_certificate_config **)context =
        grpc_ssl_server_certificate_config_create(roots, &pair, 1);
    remora_free_private(key, bytes);
}

static grpc_ssl_certificate_config_reload_status fetch(void *context,
                                                       grpc_ssl_server_certificate_config **out)
{
    struct remora_grpc_tls *tls = context;
    grpc_ssl_server_certificate_config *config = NULL;
    pthread_mutex_lock(&tls->lock);
    bool is_new = tls->serial != tls->taken;
    if (is_new) {
        remora_tls_use(tls->current, make_config, &config);
        tls->taken = config != NULL ? tls->serial : tls->taken;
    }
    pthread_mutex_unlock(&tls->lock);
    if (!is_new) {
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    *out = config;
    return config != NULL ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW
                          : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
}

grpc_server_credentials *remora_grpc_tls_credentials(struct remora_grpc_tls *tls)
{
    grpc_ssl_client_certificate_request_type asks =
        tls->asks_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                          : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(asks, fetch, tls));
}
