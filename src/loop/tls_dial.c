/*
 * A client's TLS connection for tools that ask once, on a socket that blocks.
 *
 *   authorities of the file -> name or address of the server -> handshake -> bytes -> close_notify
 *
 * Ways to fail: no authority in the file, a server that is not the one that was meant or shows a certificate of somebody else, and
 * whatever ends the socket, its time limit among that.
 *
 * Sources: RFC 9325 section 3 (versions); RFC 6125 section 6.4 and OpenSSL manual, SSL_set1_host(3), X509_VERIFY_PARAM_set1_ip_asc(3);
 * SSL_get_error(3): an end without close_notify is an error. (Read 2026-11.)
 */
#include "remora/memory.h"
#include "remora/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct remora_tls_dialled {
    SSL_CTX *context;
    SSL *ssl;
};

static SSL_CTX *client_context(const char *ca_file, struct remora_fail *fail)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        (void)remora_fail_set(fail, REMORA_SHEDDING, NULL, "no memory for TLS");
    } else if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
        (void)remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL,
                              "%s holds no certificate in PEM that can be read", ca_file);
    } else {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        return context;
    }
    SSL_CTX_free(context);
    return NULL;
}

/* Of whom the certificate has to be. An address is not told to the server (RFC 6066 section 3). */
static bool expect(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1) {
        return true;
    }
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static enum remora_code shake_hands(SSL *ssl, int fd, const char *host, struct remora_fail *fail)
{
    if (!expect(ssl, host) || SSL_set_fd(ssl, fd) != 1) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "no memory for TLS");
    }
    if (SSL_connect(ssl) == 1) {
        return REMORA_OK;
    }
    long verdict = SSL_get_verify_result(ssl);
    const char *reason = verdict == X509_V_OK ? ERR_reason_error_string(ERR_peek_last_error())
                                              : X509_verify_cert_error_string(verdict);
    return remora_fail_set(fail, REMORA_UPSTREAM_UNAVAILABLE, NULL, "no TLS with %s: %s", host,
                           reason == NULL ? "the connection ended" : reason);
}

enum remora_code remora_tls_dial(int fd, const char *host, const char *ca_file,
                                 struct remora_tls_dialled **out, struct remora_fail *fail)
{
    struct remora_tls_dialled *to = remora_alloc(sizeof *to);
    if (to == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "no memory for TLS");
    }
    enum remora_code code = REMORA_INVALID_REQUEST;
    to->context = client_context(ca_file, fail);
    to->ssl = to->context == NULL ? NULL : SSL_new(to->context);
    if (to->ssl != NULL) {
        code = shake_hands(to->ssl, fd, host, fail);
    }
    ERR_clear_error();
    if (code != REMORA_OK) {
        remora_tls_hang_up(to);
        return code;
    }
    *out = to;
    return REMORA_OK;
}

bool remora_tls_say(struct remora_tls_dialled *to, struct remora_slice bytes)
{
    size_t written = 0;
    return SSL_write_ex(to->ssl, bytes.data, bytes.length, &written) == 1 &&
           written == bytes.length;
}

bool remora_tls_hear(struct remora_tls_dialled *to, char *room, size_t room_bytes, size_t *got)
{
    *got = 0;
    bool is_good = SSL_read_ex(to->ssl, room, room_bytes, got) == 1 ||
                   SSL_get_error(to->ssl, 0) == SSL_ERROR_ZERO_RETURN;
    ERR_clear_error();
    return is_good;
}

void remora_tls_hang_up(struct remora_tls_dialled *to)
{
    if (to == NULL) {
        return;
    }
    SSL_free(to->ssl);
    SSL_CTX_free(to->context);
    remora_free(to);
}
