/*
 * accept4(2) of this process. On a listener with TLS the core accepts by itself and asks nobody how many descriptors are left;
 * the old one never accepts again after any error, one of which (no descriptor left) is in the hands of whoever connects. It
 * finds the function by its name, and a program's own comes before the C library's.
 *
 *   any other listener   as the kernel does it: ours see to themselves (loop/listener.c)
 *   the core's           1. a connection that leaves too few descriptors, or comes beyond the limit of a listener (the old core
 *                           has none), is closed and counted, and the next one taken
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
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "remora/descriptors.h"
#include "remora/limits.h"

enum { NO_FD = -1 };

/* Of the process, as what it stands for is. */
static struct {
    _Atomic(struct remora_metrics *) metrics; /* NULL: the core accepts nothing */
    atomic_uint port;
    atomic_int reserve_fd;
    pthread_mutex_t lock; /* guards the two below: either core may accept on several threads */
    struct handed {
        int fd;
        ino_t inode;
    } handed[REMORA_LIMIT_CONNECTIONS]; /* to the core, which closes them without a word */
    size_t handed_count;
} accepting = {.reserve_fd = NO_FD, .lock = PTHREAD_MUTEX_INITIALIZER};

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
    accepting.handed_count = 0;
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

static void refuse(struct remora_metrics *metrics, int fd, const char *why)
{
    close(fd);
    remora_grpc_count_refused(metrics, why);
}

/* The number stands for its socket still. */
static bool is_open(const struct handed *handed)
{
    struct stat status;
    return fstat(handed->fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
           status.st_ino == handed->inode;
}

static void look_locked(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < accepting.handed_count; i++) {
        if (is_open(&accepting.handed[i])) {
            accepting.handed[kept++] = accepting.handed[i];
        }
    }
    accepting.handed_count = kept;
}

/* Noted as open, else there are as many as a listener has. Looked for those that have gone only when there seems to be no room. */
static bool has_room(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return false;
    }
    pthread_mutex_lock(&accepting.lock);
    if (accepting.handed_count == REMORA_LIMIT_CONNECTIONS) {
        look_locked();
    }
    bool has = accepting.handed_count < REMORA_LIMIT_CONNECTIONS;
    if (has) {
        accepting.handed[accepting.handed_count++] =
            (struct handed){.fd = fd, .inode = status.st_ino};
    }
    pthread_mutex_unlock(&accepting.lock);
    return has;
}

/* NULL: it may come in. */
static const char *why_not(int fd)
{
    if (!remora_descriptor_leaves(fd, REMORA_DESCRIPTORS_OF_CALLERS)) {
        return "descriptors";
    }
    return has_room(fd) ? NULL : "full";
}

/*
 * With the descriptor held in reserve. False: nobody is there, which accept4 does not say while it has no descriptor, or there is
 * no reserve, nor one to be had.
 */
static bool shed_one(struct remora_metrics *metrics, int listen_fd)
{
    int held = atomic_exchange(&accepting.reserve_fd, NO_FD);
    int fd = NO_FD;
    if (held != NO_FD) {
        close(held);
        fd = accept_next(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            refuse(metrics, fd, "descriptors");
        }
    }
    int next = open_reserve();
    atomic_store(&accepting.reserve_fd, next);
    return fd >= 0 || (held == NO_FD && next != NO_FD);
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
        const char *why = fd < 0 ? NULL : why_not(fd);
        if (fd >= 0 && why == NULL) {
            return fd;
        }
        if (fd >= 0) {
            refuse(metrics, fd, why);
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
