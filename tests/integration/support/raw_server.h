/*
 * A server that does exactly what a test says, byte by byte: an accepting thread and one thread for each connection, which
 * runs the test's function. Plain TCP on 127.0.0.1 or ::1, or TLS with a certificate of certificates.h.
 */
#ifndef REMORA_TEST_RAW_SERVER_H
#define REMORA_TEST_RAW_SERVER_H

#include "remora/base.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

enum { RAW_CONNECTIONS = 192, RAW_RECORD_BYTES = 4 << 20 };

struct raw_server;

struct raw_connection {
    struct raw_server *server;
    int fd;
    SSL *ssl;
    int index; /* 0 for the first */
    pthread_t thread;
};

typedef void (*raw_serve_fn)(struct raw_connection *connection);

struct raw_server {
    raw_serve_fn serve;
    SSL_CTX *tls;
    int listen_fd;
    int buffer_bytes; /* SO_SNDBUF and SO_RCVBUF of connections, 0: as they are */
    uint16_t port;
    char url[64]; /* "http://127.0.0.1:PORT", or [::1] */
    pthread_t thread;
    struct raw_connection connections[RAW_CONNECTIONS];
    atomic_int accepted;
    atomic_int ended; /* connections that the server has shut down */
    atomic_int requests; /* complete ones */
    atomic_int failed_handshakes;
    atomic_int resumed_sessions;
    atomic_llong closed_at_ns; /* when raw_wait_closed last saw an end, else 0 */
    atomic_llong written;
    atomic_bool is_stopping;
    char *last; /* the last request, head and body; NUL behind */
    atomic_size_t last_bytes;
};

/* tls_context may be NULL and is not owned. */
struct raw_server *raw_server_start(raw_serve_fn serve, SSL_CTX *tls_context);
struct raw_server *raw_server_start_small(raw_serve_fn serve, int buffer_bytes);
/* On ::1 and nowhere else; NULL where this machine has no IPv6. */
struct raw_server *raw_server_start_v6(raw_serve_fn serve);
void raw_server_stop(struct raw_server *server);

/* For serve functions; false when the peer is gone. */
/* Reads one request with its body; the count goes up when it is complete. */
bool raw_read_request(struct raw_connection *connection);
/* Reads at most until `bytes` have come. */
bool raw_read_some(struct raw_connection *connection, size_t bytes);
/* Exactly so many. */
bool raw_read_bytes(struct raw_connection *connection, char *to, size_t bytes);
bool raw_write(struct raw_connection *connection, const char *text);
bool raw_write_bytes(struct raw_connection *connection, const char *data, size_t length);
/* Blocks until the peer closes, and notes when. */
void raw_wait_closed(struct raw_connection *connection);
/* The connection ends with a reset instead of a FIN. */
void raw_reset(struct raw_connection *connection);

#define RAW_OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

#endif
