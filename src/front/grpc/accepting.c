/*
 * accept4(2) of this process. On a listener with TLS the core accepts by itself and asks nobody how many descriptors are left;
 * the old one never accepts again after any error, one of which (no descriptor left) is in the hands of whoever connects. It
 * finds the function by its name, and a program's own comes before the C library's.
 *
 *   any other listener   as the kernel does it: ours see to themselves (loop/listener.c)
 *   the core's           1. a connection that leaves too few descriptors is closed and counted, and the next one taken
 *                        2. no descriptor: one held in reserve is given up to accept and close it
 *                        3. what else the kernel may lack: as if nobody were there. Who waits is taken with the next that comes
 *
 * A core that calls something else accepts as if this file were not there; scenarios would tell.
 *
 * Sources: accept(2), section "Error handling"; System V ABI, chapter 5, "Shared Object Dependencies" (who is searched first);
 * core 29, src/core/lib/iomgr/tcp_server_posix.cc (an error ends its listener; seen: EMFILE).
 */
#include "accepting.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "remora/descriptors.h"

enum { NO_FD = -1 };

/* Of the process, as what it stands for is. */
static struct {
    _Atomic(struct remora_metrics *) metrics; /* NULL: the core accepts nothing */
    atomic_uint port;
    atomic_int reserve_fd;
} accepting = {.reserve_fd = NO_FD};

void remora_grpc_count_refused(struct remora_metrics *metrics, const char *why)
{
    const struct remora_slice labels[] = {REMORA_SLICE("grpc"), remora_slice_of(why)};
    remora_metric_add(metrics, REMORA_METRIC_CONNECTIONS_REFUSED, labels, REMORA_COUNT_OF(labels),
                      1);
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void close_reserve(void)
{
    int fd = atomic_exchange(&accepting.reserve_fd, NO_FD);
    if (fd != NO_FD) {
        close(fd);
    }
}

void remora_grpc_accepting_begin(struct remora_metrics *metrics, uint16_t port)
{
    atomic_store(&accepting.reserve_fd, open_reserve());
    atomic_store(&accepting.port, port);
    atomic_store(&accepting.metrics, metrics);
}

void remora_grpc_accepting_end(void)
{
    atomic_store(&accepting.metrics, NULL);
    close_reserve();
}

/* By the C library, so that a sanitizer between it and us sees the descriptor. */
static int accept_next(int listen_fd, struct sockaddr *address, socklen_t *length, int flags)
{
    union {
        void *found;
        int (*call)(int, struct sockaddr *, socklen_t *, int);
    } next = {.found = dlsym(RTLD_NEXT, "accept4")};
    return next.found == NULL
               ? (int)syscall(SYS_accept4, listen_fd, address, length, flags) /* a static program */
               : next.call(listen_fd, address, length, flags);
}

static bool is_of_core(int listen_fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } own = {.any = {0}};
    socklen_t length = sizeof own;
    if (getsockname(listen_fd, &own.any, &length) != 0) {
        return false;
    }
    in_port_t port = own.any.sa_family == AF_INET    ? own.v4.sin_port
                     : own.any.sa_family == AF_INET6 ? own.v6.sin6_port
                                                     : 0;
    return ntohs(port) == atomic_load(&accepting.port);
}

static void refuse(struct remora_metrics *metrics, int fd)
{
    close(fd);
    remora_grpc_count_refused(metrics, "descriptors");
}

/* With the descriptor held in reserve. False: there is none, nor one to be had. */
static bool shed_one(struct remora_metrics *metrics, int listen_fd)
{
    int held = atomic_exchange(&accepting.reserve_fd, NO_FD);
    if (held != NO_FD) {
        close(held);
        int fd = accept_next(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            refuse(metrics, fd);
        }
    }
    int next = open_reserve();
    atomic_store(&accepting.reserve_fd, next);
    return next >= 0;
}

/* Errors that say something of the listener itself, or ask for another call. */
static bool is_core_to_know(int error)
{
    return error == EINTR || error == EAGAIN || error == EBADF || error == EINVAL ||
           error == ENOTSOCK;
}

static int accept_for_core(struct remora_metrics *metrics, int listen_fd, struct sockaddr *address,
                           socklen_t *length, int flags)
{
    socklen_t room = *length;
    for (;;) {
        *length = room;
        int fd = accept_next(listen_fd, address, length, flags);
        if (fd >= 0 && remora_descriptor_leaves(fd, REMORA_DESCRIPTORS_OF_CALLERS)) {
            return fd;
        }
        if (fd >= 0) {
            refuse(metrics, fd);
        } else if (is_core_to_know(errno)) {
            return fd;
        } else if ((errno != EMFILE && errno != ENFILE) || !shed_one(metrics, listen_fd)) {
            errno = EAGAIN;
            return fd;
        }
    }
}

/* Under a name of its own, since the header's declaration hides a union in its second argument. */
int remora_accept4(int listen_fd, struct sockaddr *address, socklen_t *length,
                   int flags) __asm__("accept4");

int remora_accept4(int listen_fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct remora_metrics *metrics = atomic_load(&accepting.metrics);
    if (metrics != NULL && length != NULL && is_of_core(listen_fd)) {
        return accept_for_core(metrics, listen_fd, address, length, flags);
    }
    return accept_next(listen_fd, address, length, flags);
}
