/*
 * Counting connections that somebody else closes: looked at again when one comes while the table is full, and every few
 * seconds while there are any, so that the gauge is true.
 *
 * Source: reference/grpc-core.md section 3 (the core owns and closes the fd; no callback).
 */
#include "connections.h"

#include <sys/stat.h>

#include "remora/limits.h"

#define LOOK_NS (5 * REMORA_NS_PER_S)

struct connection {
    int fd;
    ino_t inode;
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
    connections->open[connections->count++] = (struct connection){fd, status.st_ino};
    tell(connections);
    arm(connections);
    return true;
}
