#include "raw_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static ssize_t receive(struct raw_connection *c, char *to, size_t size)
{
    if (c->ssl != NULL) {
        return SSL_read(c->ssl, to, (int)size);
    }
    return recv(c->fd, to, size, 0);
}

bool raw_write_bytes(struct raw_connection *c, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t wrote = c->ssl != NULL ? SSL_write(c->ssl, data, (int)length)
                                       : send(c->fd, data, length, MSG_NOSIGNAL);
        if (wrote <= 0) {
            return false;
        }
        atomic_fetch_add(&c->server->written, wrote);
        data += wrote;
        length -= (size_t)wrote;
    }
    return true;
}

bool raw_write(struct raw_connection *c, const char *text)
{
    return raw_write_bytes(c, text, strlen(text));
}

bool raw_read_some(struct raw_connection *c, size_t bytes)
{
    char block[4096];
    while (bytes > 0) {
        ssize_t got = receive(c, block, bytes < sizeof block ? bytes : sizeof block);
        if (got <= 0) {
            return false;
        }
        bytes -= (size_t)got;
    }
    return true;
}

bool raw_read_bytes(struct raw_connection *c, char *to, size_t bytes)
{
    while (bytes > 0) {
        ssize_t got = receive(c, to, bytes);
        if (got <= 0) {
            return false;
        }
        to += got;
        bytes -= (size_t)got;
    }
    return true;
}

static size_t body_length(const char *head)
{
    const char *line = strcasestr(head, "\r\ncontent-length:");
    return line == NULL ? 0 : strtoul(line + 17, NULL, 10);
}

bool raw_read_request(struct raw_connection *c)
{
    char *bytes = calloc(1, RAW_RECORD_BYTES + 1);
    size_t used = 0;
    size_t need = 0;
    while (need == 0 || used < need) {
        ssize_t got = receive(c, bytes + used, RAW_RECORD_BYTES - used);
        if (got <= 0) {
            free(bytes);
            return false;
        }
        used += (size_t)got;
        char *blank = need == 0 ? strstr(bytes, "\r\n\r\n") : NULL;
        if (blank != NULL) {
            need = (size_t)(blank - bytes) + 4 + body_length(bytes);
        }
    }
    memcpy(c->server->last, bytes, used + 1);
    atomic_store(&c->server->last_bytes, used);
    atomic_fetch_add(&c->server->requests, 1);
    free(bytes);
    return true;
}

void raw_wait_closed(struct raw_connection *c)
{
    char block[4096];
    while (receive(c, block, sizeof block) > 0) {
    }
    atomic_store(&c->server->closed_at_ns, now_ns());
}

void raw_reset(struct raw_connection *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->fd);
    c->fd = -1;
}

static void *run_connection(void *context)
{
    struct raw_connection *c = context;
    if (c->server->tls != NULL) {
        c->ssl = SSL_new(c->server->tls);
        SSL_set_fd(c->ssl, c->fd);
        if (SSL_accept(c->ssl) != 1) {
            atomic_fetch_add(&c->server->failed_handshakes, 1);
            goto out;
        }
        atomic_fetch_add(&c->server->resumed_sessions, SSL_session_reused(c->ssl));
    }
    c->server->serve(c);
    if (c->ssl != NULL) {
        SSL_shutdown(c->ssl);
    }
out:
    SSL_free(c->ssl);
    c->ssl = NULL;
    if (c->fd >= 0) {
        shutdown(c->fd, SHUT_RDWR);
    }
    atomic_fetch_add(&c->server->ended, 1);
    return NULL;
}

static void *run_server(void *context)
{
    struct raw_server *server = context;
    while (!atomic_load(&server->is_stopping)) {
        int fd = accept(server->listen_fd, NULL, NULL);
        int index = atomic_load(&server->accepted);
        if (fd < 0 || index == RAW_CONNECTIONS) {
            if (fd >= 0) {
                close(fd);
            }
            continue;
        }
        if (server->buffer_bytes > 0) {
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &server->buffer_bytes, sizeof(int));
        }
        struct raw_connection *c = &server->connections[index];
        *c = (struct raw_connection){.server = server, .fd = fd, .index = index};
        atomic_store(&server->accepted, index + 1); /* before an answer can come */
        pthread_create(&c->thread, NULL, run_connection, c);
    }
    return NULL;
}

/* A listener on a free port of loopback; -1 where that family is not to be had. */
static int listen_on(int family, uint16_t *port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool is_v6 = family == AF_INET6;
    struct sockaddr *address = is_v6 ? (void *)&v6 : (void *)&v4;
    socklen_t length = is_v6 ? sizeof v6 : sizeof v4;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, address, length) != 0 || listen(fd, RAW_CONNECTIONS) != 0 ||
        getsockname(fd, address, &length) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
    return fd;
}

static struct raw_server *start(raw_serve_fn serve, SSL_CTX *tls, int buffer_bytes, int family)
{
    uint16_t port = 0;
    int fd = listen_on(family, &port);
    if (fd < 0) {
        return NULL;
    }
    struct raw_server *server = calloc(1, sizeof *server);
    server->serve = serve;
    server->tls = tls;
    server->buffer_bytes = buffer_bytes;
    server->last = calloc(1, RAW_RECORD_BYTES + 1);
    server->listen_fd = fd;
    server->port = port;
    snprintf(server->url, sizeof server->url, "http%s://%s:%u", tls == NULL ? "" : "s",
             family == AF_INET6 ? "[::1]" : "127.0.0.1", (unsigned)port);
    if (pthread_create(&server->thread, NULL, run_server, server) != 0) {
        abort();
    }
    return server;
}

static struct raw_server *must(struct raw_server *server)
{
    if (server == NULL) {
        abort();
    }
    return server;
}

struct raw_server *raw_server_start(raw_serve_fn serve, SSL_CTX *tls)
{
    return must(start(serve, tls, 0, AF_INET));
}

struct raw_server *raw_server_start_small(raw_serve_fn serve, int buffer_bytes)
{
    return must(start(serve, NULL, buffer_bytes, AF_INET));
}

struct raw_server *raw_server_start_v6(raw_serve_fn serve)
{
    return start(serve, NULL, 0, AF_INET6);
}

void raw_server_stop(struct raw_server *server)
{
    atomic_store(&server->is_stopping, true);
    shutdown(server->listen_fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    for (int i = 0; i < atomic_load(&server->accepted); i++) {
        struct raw_connection *c = &server->connections[i];
        if (c->fd >= 0) {
            shutdown(c->fd, SHUT_RDWR); /* wakes whoever reads or writes */
        }
    }
    for (int i = 0; i < atomic_load(&server->accepted); i++) {
        pthread_join(server->connections[i].thread, NULL);
        if (server->connections[i].fd >= 0) {
            close(server->connections[i].fd);
        }
    }
    free(server->last);
    free(server);
}
