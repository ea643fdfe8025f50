/*
 * Counting connections that somebody else closes: looked at again when one comes while the table is full, and every few
 * seconds while there are any, so that the gauge is true.
 *
 * A storm of resets (CVE-2023-44487) is ended here: neither core ends it, and the old one keeps 15 KiB of each. The core
 * cannot be asked to say GOAWAY to one connection, so its socket is shut down under it.
 *
 * Source: reference/grpc-core.md section 3 (the core owns and closes the fd; no callback; peers are "fd:N" on the old core,
 * "ipv4:ADDRESS:PORT" on the new, where unix sockets have no name).
 */
#include "connections.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "remora/limits.h"
#include "remora/text.h"

#define LOOK_NS   (5 * REMORA_NS_PER_S)
#define RESETS_NS (10 * REMORA_NS_PER_S)

struct connection {
    int fd;
    ino_t inode;
    uint16_t port; /* of the peer, 0: a unix socket */
    uint16_t resets;
    uint64_t resets_since_ns;
    char address[INET6_ADDRSTRLEN];
};

struct remora_grpc_connections {
    struct remora_worker *worker;
    struct remora_timer timer;
    size_t count;
    struct connection open[REMORA_LIMIT_CONNECTIONS];
};

static bool is_open(const struct connection *connection)
{
    struct stat status;
    return fstat(connection->fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
           status.st_ino == connection->inode;
}

static void look(struct remora_grpc_connections *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (is_open(&c->open[i])) {
            c->open[kept++] = c->open[i];
        }
    }
    c->count = kept;
}

static void tell(struct remora_grpc_connections *c)
{
    const struct remora_slice label = REMORA_SLICE("grpc");
    remora_metric_set(c->worker->metrics, REMORA_METRIC_CONNECTIONS, &label, 1, (int64_t)c->count);
}

static void on_timer(struct remora_timer *timer);

static void arm(struct remora_grpc_connections *c)
{
    const struct remora_clock *clock = remora_loop_clock(c->worker->loop);
    if (c->count == 0 || remora_timer_is_armed(&c->timer)) {
        return;
    }
    /* Without memory for the timer the gauge waits for the next connection. */
    enum remora_code code = remora_timers_arm(remora_loop_timers(c->worker->loop), &c->timer,
                                              clock->now_ns(clock) + LOOK_NS, on_timer);
    (void)code;
}

static void on_timer(struct remora_timer *timer)
{
    struct remora_grpc_connections *c =
        REMORA_CONTAINER_OF(timer, struct remora_grpc_connections, timer);
    look(c);
    tell(c);
    arm(c);
}

static void note_peer(struct connection *connection)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {.any = {0}};
    socklen_t length = sizeof peer;
    if (getpeername(connection->fd, &peer.any, &length) != 0) {
        return;
    }
    const void *address = peer.any.sa_family == AF_INET6 ? (const void *)&peer.v6.sin6_addr
                                                         : (const void *)&peer.v4.sin_addr;
    if (peer.any.sa_family == AF_INET || peer.any.sa_family == AF_INET6) {
        /* The port stands at the same place in both. */
        connection->port = ntohs(peer.v4.sin_port);
        (void)inet_ntop(peer.any.sa_family, address, connection->address,
                        sizeof connection->address);
    }
}

struct remora_grpc_connections *remora_grpc_connections_new(struct remora_worker *worker)
{
    struct remora_grpc_connections *c = remora_alloc(sizeof *c);
    if (c != NULL) {
        c->worker = worker;
    }
    return c;
}

void remora_grpc_connections_free(struct remora_grpc_connections *connections)
{
    if (connections != NULL) {
        remora_timers_disarm(remora_loop_timers(connections->worker->loop), &connections->timer);
        remora_free(connections);
    }
}

bool remora_grpc_connections_add(struct remora_grpc_connections *connections, int fd)
{
    struct stat status;
    if (connections->count == REMORA_LIMIT_CONNECTIONS) {
        look(connections);
    }
    if (connections->count == REMORA_LIMIT_CONNECTIONS || fstat(fd, &status) != 0) {
        return false;
    }
    struct connection *connection = &connections->open[connections->count++];
    *connection = (struct connection){.fd = fd, .inode = status.st_ino};
    note_peer(connection);
    tell(connections);
    arm(connections);
    return true;
}

/* ---- storms of resets ---- */

/* "fd:12": the number; 0: another spelling. */
static uint64_t fd_of(struct remora_slice peer)
{
    uint64_t fd = 0;
    static const struct remora_slice prefix = REMORA_SLICE_INIT("fd:");
    bool is_fd =
        remora_slice_starts_with(peer, prefix) &&
        remora_parse_u64(remora_slice(peer.data + prefix.length, peer.length - prefix.length), &fd);
    return is_fd ? fd : 0;
}

/* "ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000": the port behind the last colon; 0: there is none. */
static uint64_t port_of(struct remora_slice peer)
{
    uint64_t port = 0;
    size_t at = peer.length;
    while (at > 0 && peer.data[at - 1] != ':') {
        at--;
    }
    return remora_parse_u64(remora_slice(peer.data + at, peer.length - at), &port) ? port : 0;
}

static bool holds(struct remora_slice text, struct remora_slice part)
{
    return part.length > 0 && memmem(text.data, text.length, part.data, part.length) != NULL;
}

static struct connection *find(struct remora_grpc_connections *connections,
                               struct remora_slice peer)
{
    uint64_t fd = fd_of(peer);
    uint64_t port = fd == 0 ? port_of(peer) : 0;
    for (size_t i = 0; i < connections->count; i++) {
        struct connection *c = &connections->open[i];
        bool is_it = fd > 0
                         ? (uint64_t)c->fd == fd
                         : port > 0 && c->port == port && holds(peer, remora_slice_of(c->address));
        if (is_it && is_open(c)) {
            return c;
        }
    }
    return NULL;
}

void remora_grpc_connections_reset(struct remora_grpc_connections *connections,
                                   struct remora_slice peer)
{
    const struct remora_clock *clock = remora_loop_clock(connections->worker->loop);
    struct connection *c = find(connections, peer);
    if (c == NULL) {
        return;
    }
    uint64_t now_ns = clock->now_ns(clock);
    if (now_ns - c->resets_since_ns > RESETS_NS) {
        c->resets_since_ns = now_ns;
        c->resets = 0;
    }
    if (++c->resets > REMORA_LIMIT_GRPC_RESETS) {
        c->resets = 0;
        (void)shutdown(c->fd, SHUT_RDWR);
        remora_log(REMORA_LOG_WARN, "grpc connection ended: a storm of resets", NULL, 0);
    }
}
