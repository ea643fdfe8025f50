/*
 * One SSL_CTX for the connections of a listener, from PEM texts.
 *
 *   certificate, then its chain -> key, which must fit -> authorities of clients, whose certificates are then required
 *
 * Ways to fail, each told in words that name the text and nothing of its content: no certificate or key in a text, a key with
 * a passphrase (nobody is there to type it), a key of another certificate, no memory.
 *
 * Sources: RFC 9325 section 3 (versions, no renegotiation), section 4.2 (AEAD with ephemeral keys); RFC 7301 section 3.2 (a
 * client that offers only what we do not speak gets no_application_protocol); OpenSSL manual, SSL_CTX_set_options(3).
 */
#include "tls.h"

#include "remora/memory.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdatomic.h>

struct remora_tls {
    SSL_CTX *context;
    char *certificate;
    char *client_ca;
    struct remora_secret *key;
    int64_t end_unix_s;
    atomic_uint references;
};

/* RFC 9325 section 4.2; those of TLS 1.3 are all of this kind. */
static const char CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static enum remora_code refuse(struct remora_fail *fail, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    enum remora_code code =
        remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "%s%s%s", what,
                        reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
    ERR_clear_error();
    return code;
}

static enum remora_code no_memory(struct remora_fail *fail)
{
    ERR_clear_error();
    return remora_fail_set(fail, REMORA_SHEDDING, NULL, "no memory for TLS");
}

static BIO *reader(struct remora_slice text)
{
    return BIO_new_mem_buf(text.data == NULL ? "" : text.data, (int)text.length);
}

/* Without a terminal to ask at: an empty answer. */
static int no_passphrase(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)context;
    return 0;
}

static X509 *next_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
}

/* ---- our own certificate ---- */

static bool note_end(const X509 *certificate, int64_t *end_unix_s)
{
    struct tm end = {0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) {
        return false;
    }
    *end_unix_s = (int64_t)timegm(&end);
    return true;
}

bool remora_certificate_end(struct remora_slice pem, int64_t *end_unix_s)
{
    BIO *bio = reader(pem);
    X509 *own = bio == NULL ? NULL : next_certificate(bio);
    bool is_good = own != NULL && note_end(own, end_unix_s);
    X509_free(own);
    BIO_free(bio);
    ERR_clear_error();
    return is_good;
}

bool remora_certificate_is_in(struct remora_slice pem)
{
    BIO *bio = reader(pem);
    X509 *first = bio == NULL ? NULL : PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    X509_free(first);
    BIO_free(bio);
    ERR_clear_error();
    return first != NULL;
}

static bool use_chain(struct remora_tls *tls, BIO *bio)
{
    X509 *own = next_certificate(bio);
    bool is_good = own != NULL && SSL_CTX_use_certificate(tls->context, own) == 1 &&
                   note_end(own, &tls->end_unix_s);
    X509_free(own);
    X509 *more = is_good ? next_certificate(bio) : NULL;
    while (is_good && more != NULL) {
        is_good = SSL_CTX_add0_chain_cert(tls->context, more) == 1;
        more = is_good ? next_certificate(bio) : more;
    }
    if (!is_good) {
        X509_free(more);
    } else {
        ERR_clear_error(); /* the end of the text is an error to PEM_read_bio */
    }
    return is_good;
}

static enum remora_code use_certificate(struct remora_tls *tls, struct remora_slice text,
                                        struct remora_fail *fail)
{
    BIO *bio = reader(text);
    if (bio == NULL) {
        return no_memory(fail);
    }
    bool is_good = use_chain(tls, bio);
    BIO_free(bio);
    return is_good ? REMORA_OK : refuse(fail, "cert_file holds no certificate in PEM");
}

struct key_use {
    SSL_CTX *context;
    bool is_key;
    bool fits;
};

static void use_key_bytes(void *context, struct remora_slice bytes)
{
    struct key_use *use = context;
    BIO *bio = reader(bytes);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    use->is_key = key != NULL;
    use->fits = use->is_key && SSL_CTX_use_PrivateKey(use->context, key) == 1 &&
                SSL_CTX_check_private_key(use->context) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
}

static enum remora_code use_key(struct remora_tls *tls, const struct remora_secret *key,
                                struct remora_fail *fail)
{
    struct key_use use = {.context = tls->context};
    remora_secret_use(key, use_key_bytes, &use);
    if (!use.is_key) {
        return refuse(fail, "key_file holds no private key in PEM without a passphrase");
    }
    return use.fits ? REMORA_OK : refuse(fail, "key_file is not the key of cert_file");
}

/* ---- clients ---- */

static bool trust_all(SSL_CTX *context, BIO *bio)
{
    size_t count = 0;
    bool is_good = true;
    for (X509 *ca; is_good && (ca = next_certificate(bio)) != NULL; count++) {
        is_good = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca) == 1 &&
                  SSL_CTX_add_client_CA(context, ca) == 1;
        X509_free(ca);
    }
    return is_good && count > 0;
}

static enum remora_code ask_clients(struct remora_tls *tls, struct remora_slice text,
                                    struct remora_fail *fail)
{
    if (text.length == 0) {
        return REMORA_OK;
    }
    BIO *bio = reader(text);
    if (bio == NULL) {
        return no_memory(fail);
    }
    bool is_good = trust_all(tls->context, bio);
    BIO_free(bio);
    if (!is_good) {
        return refuse(fail, "client_ca_file holds no certificate in PEM");
    }
    ERR_clear_error();
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return REMORA_OK;
}

/* ---- the context ---- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *offered, unsigned length, void *context)
{
    static const unsigned char OURS[] = "\x08http/1.1";
    (void)ssl;
    (void)context;
    int status = SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_length, OURS,
                                       sizeof OURS - 1, offered, length);
    return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool set_rules(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* idle connections hold none */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_cipher_list(context, CIPHERS) == 1;
}

static void copy_key(void *context, struct remora_slice bytes)
{
    *(struct remora_secret **)context = remora_secret_new(bytes);
}

static enum remora_code keep_texts(struct remora_tls *tls, const struct remora_tls_input *input,
                                   struct remora_fail *fail)
{
    tls->certificate = remora_strdup(input->certificate);
    tls->client_ca = remora_strdup(input->client_ca);
    remora_secret_use(input->key, copy_key, &tls->key);
    bool has_all = tls->certificate != NULL && tls->client_ca != NULL && tls->key != NULL;
    return has_all ? REMORA_OK : no_memory(fail);
}

static enum remora_code fill(struct remora_tls *tls, const struct remora_tls_input *input,
                             struct remora_fail *fail)
{
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_server_method());
    if (tls->context == NULL || !set_rules(tls->context)) {
        return no_memory(fail);
    }
    enum remora_code code = keep_texts(tls, input, fail);
    if (code == REMORA_OK) {
        code = use_certificate(tls, input->certificate, fail);
    }
    if (code == REMORA_OK) {
        code = use_key(tls, input->key, fail);
    }
    return code == REMORA_OK ? ask_clients(tls, input->client_ca, fail) : code;
}

enum remora_code remora_tls_new(const struct remora_tls_input *input, struct remora_tls **out,
                                struct remora_fail *fail)
{
    struct remora_tls *tls = remora_alloc(sizeof *tls);
    if (tls == NULL) {
        return no_memory(fail);
    }
    atomic_init(&tls->references, 1);
    enum remora_code code = fill(tls, input, fail);
    if (code != REMORA_OK) {
        remora_tls_release(tls);
        return code;
    }
    *out = tls;
    return REMORA_OK;
}

struct remora_tls *remora_tls_acquire(struct remora_tls *tls)
{
    atomic_fetch_add_explicit(&tls->references, 1, memory_order_relaxed);
    return tls;
}

void remora_tls_release(struct remora_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub_explicit(&tls->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    SSL_CTX_free(tls->context);
    remora_secret_free(tls->key);
    remora_free(tls->certificate);
    remora_free(tls->client_ca);
    remora_free(tls);
}

bool remora_tls_asks_clients(const struct remora_tls *tls)
{
    return tls->client_ca[0] != '\0';
}

int64_t remora_tls_end_unix_s(const struct remora_tls *tls)
{
    return tls->end_unix_s;
}

SSL *loop_tls_session(const struct remora_tls *tls)
{
    return SSL_new(tls->context);
}

struct text_use {
    const struct remora_tls *tls;
    void (*use)(void *context, const struct remora_tls_text *text);
    void *context;
};

static void use_with_key(void *context, struct remora_slice key)
{
    const struct text_use *use = context;
    const struct remora_tls_text text = {.certificate = remora_slice_of(use->tls->certificate),
                                         .key = key,
                                         .client_ca = remora_slice_of(use->tls->client_ca)};
    use->use(use->context, &text);
}

void remora_tls_use(const struct remora_tls *tls,
                    void (*use)(void *context, const struct remora_tls_text *text), void *context)
{
    struct text_use all = {tls, use, context};
    remora_secret_use(tls->key, use_with_key, &all);
}
