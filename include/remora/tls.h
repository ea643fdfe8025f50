/*
 * TLS on our own listeners: a certificate with its key, and of whom client certificates are asked. A remora_tls is immutable and
 * counted, so that connections go on with the one that they began with while a newer one is published: any thread.
 *
 * Sources: RFC 9325, sections 3.1 and 4 (versions, cipher suites), RFC 7301 (ALPN), RFC 8446, section 6.1 (close_notify).
 *
 * Minimum TLS 1.2 with AEAD and forward secrecy, no renegotiation, no tickets, no sessions kept. Of the protocols that a client
 * offers (ALPN) only http/1.1 is taken here; gRPC listeners hand what is below to the core, which does its own TLS.
 */
#ifndef REMORA_TLS_H
#define REMORA_TLS_H

#include "remora/codes.h"
#include "remora/loop.h"
#include "remora/secret.h"

struct remora_tls;

struct remora_tls_input {
    struct remora_slice
        certificate; /* PEM: the server's own first, then those that lead to the root */
    const struct remora_secret *key; /* PEM, without a passphrase */
    struct remora_slice client_ca;   /* PEM; empty: clients show no certificate */
};
/* Copies what it needs. INVALID_REQUEST: no certificate, no key, or one that does not fit the other; SHEDDING. */
REMORA_MUST_CHECK enum remora_code remora_tls_new(const struct remora_tls_input *input,
                                                  struct remora_tls **out,
                                                  struct remora_fail *fail);
struct remora_tls *remora_tls_acquire(struct remora_tls *tls);
/* NULL is allowed. The last one wipes the key. */
void remora_tls_release(struct remora_tls *tls);
/* Whether a client has to show a certificate of client_ca. */
bool remora_tls_asks_clients(const struct remora_tls *tls);
/* When the server's own certificate ends. */
int64_t remora_tls_end_unix_s(const struct remora_tls *tls);
/* When the first certificate of a PEM text ends (notAfter). False, and *end_unix_s untouched, where it holds none. */
bool remora_certificate_end(struct remora_slice pem, int64_t *end_unix_s);
/* Whether a PEM text holds one that an authority may be taken from, "TRUSTED CERTIFICATE" included (PEM_read_bio_X509_AUX(3)). */
bool remora_certificate_is_in(struct remora_slice pem);

struct remora_tls_text {
    struct remora_slice certificate;
    struct remora_slice key;
    struct remora_slice client_ca;
};
/* Calls `use` with what it was made from; a copy of the key is wiped by whoever makes it. */
void remora_tls_use(const struct remora_tls *tls,
                    void (*use)(void *context, const struct remora_tls_text *text), void *context);

/*
 * As remora_conn_adopt, with TLS between the socket and the owner: the handshake comes first, by itself. A peer that says
 * something else than TLS, or shows no certificate where one is asked, is on_gone(RESET); one that speaks TLS is told why by an alert. A
 * close_notify is the end of file. Loop's thread.
 */
REMORA_MUST_CHECK enum remora_code
remora_conn_adopt_tls(struct remora_loop *loop, int fd, const struct remora_tls *tls,
                      const struct remora_conn_callbacks *callbacks, void *owner,
                      struct remora_conn **out);

/*
 * The client's side, for tools that ask once: TLS on a connected socket that blocks and whose own time limits hold for every step
 * here. One thread; the socket stays the caller's and outlives this.
 *
 * The server's certificate has to lead to an authority of ca_file (PEM) and to be of `host`, a name or an address. INVALID_REQUEST: no
 * authority in the file; UPSTREAM_UNAVAILABLE: no handshake, or a certificate of somebody else; SHEDDING. TLS 1.2 at least.
 */
struct remora_tls_dialled;
REMORA_MUST_CHECK enum remora_code remora_tls_dial(int fd, const char *host, const char *ca_file,
                                                   struct remora_tls_dialled **out,
                                                   struct remora_fail *fail);
/* All of it; false when the connection ended or took too long. SIGPIPE has to be ignored. */
REMORA_MUST_CHECK bool remora_tls_say(struct remora_tls_dialled *to, struct remora_slice bytes);
/* *got 0: the server said that it is done. False for every other end, a socket closed without that word among them. */
REMORA_MUST_CHECK bool remora_tls_hear(struct remora_tls_dialled *to, char *room, size_t room_bytes,
                                       size_t *got);
/* NULL is allowed. */
void remora_tls_hang_up(struct remora_tls_dialled *to);

#endif
