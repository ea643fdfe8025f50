/*
 * Listening sockets: bind, listen, and accept until the kernel has no more.
 *
 * A listener has one socket, or two for "localhost" (127.0.0.1 and ::1 under one port, without the family that the machine
 * does not have). A burst is accepted in batches of BATCH, so that connections already open get their turn.
 *
 * Ways to fail
 *   at start        address in use, not allowed, not ours: INVALID_REQUEST, with a message. Of "localhost" that is said of
 *                   either address: whoever else holds ::1 would get the prompts of those who call "localhost". A unix
 *                   socket's file left behind by a dead process (connect: ECONNREFUSED) is removed; one that somebody
 *                   serves, or that is no socket, never.
 *   no descriptors  EMFILE leaves the connection in the queue and the poller would report it for ever. A descriptor held
 *                   in reserve is given up to accept and close it; when that fails too, accepting rests for REST_MS.
 * Sources: accept(2), section "Error handling"; unix(7), "Pathname socket ownership and permissions".
 */
#include "inside.h"

#include "remora/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, BATCH = 64, REST_MS = 100, SOCKETS = 2, UNIX_MODE = 0660 };
/* A port that the kernel picks for 127.0.0.1 may be taken of ::1. */
enum { NO_FD = -1, PORT_TRIES = 16 };

struct listener_socket {
    uv_poll_t poll; /* data: the listener */
    int fd;
};

struct remora_listener {
    struct remora_list node;
    struct remora_loop *loop;
    remora_accept_fn on_accept;
    void *context;
    struct listener_socket sockets[SOCKETS];
    size_t socket_count;
    size_t closes_left;
    struct remora_timer rest;
    int reserve_fd;
    uint16_t port;
    const char *tried; /* the host that was bound last, or could not be; NULL: a unix socket */
    bool is_unix;
    bool is_closing;
    dev_t file_device; /* of the unix socket's file as we made it */
    ino_t file_inode;
    char path[128];
};

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

/* ---- accepting ---- */

static void on_readable(uv_poll_t *handle, int status, int events);

static void set_polling(struct remora_listener *listener, bool on)
{
    for (size_t i = 0; i < listener->socket_count; i++) {
        uv_poll_t *poll = &listener->sockets[i].poll;
        if (on) {
            uv_poll_start(poll, UV_READABLE, on_readable);
        } else {
            uv_poll_stop(poll);
        }
    }
}

static void end_rest(struct remora_timer *timer)
{
    set_polling(REMORA_CONTAINER_OF(timer, struct remora_listener, rest), true);
}

static void begin_rest(struct remora_listener *listener)
{
    struct remora_loop *loop = listener->loop;
    uint64_t due_ns = loop->clock.now_ns(&loop->clock) + REST_MS * REMORA_NS_PER_MS;
    if (remora_timers_arm(&loop->timers, &listener->rest, due_ns, end_rest) == REMORA_OK) {
        set_polling(listener, false);
    }
}

/* Accepts one connection with the descriptor held in reserve and closes it. False: there is no end in sight. */
static bool shed_one(struct remora_listener *listener, int listen_fd)
{
    if (listener->reserve_fd < 0) {
        listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return listener->reserve_fd >= 0;
    }
    close(listener->reserve_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
    listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static int64_t peer_uid_of(const struct remora_listener *listener, int fd)
{
    struct ucred peer = {0};
    socklen_t length = sizeof peer;
    if (!listener->is_unix || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        return -1;
    }
    return (int64_t)peer.uid;
}

static void hand_over(struct remora_listener *listener, int fd)
{
    int one = 1;
    if (!listener->is_unix) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    listener->on_accept(listener->context, fd, peer_uid_of(listener, fd));
}

/* False when there is nothing more to do now. */
static bool accept_one(struct remora_listener *listener, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        hand_over(listener, fd);
        return true;
    }
    if (errno == EAGAIN) {
        return false;
    }
    if (errno == EMFILE || errno == ENFILE) {
        if (shed_one(listener, listen_fd)) {
            return true;
        }
        begin_rest(listener);
        return false;
    }
    if (errno == ENOBUFS || errno == ENOMEM) {
        begin_rest(listener);
        return false;
    }
    return true; /* the connection itself failed: aborted, or an error of its network */
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct remora_listener *listener = handle->data;
    struct listener_socket *own = REMORA_CONTAINER_OF(handle, struct listener_socket, poll);
    for (int i = 0; i < BATCH && !listener->is_closing; i++) {
        if (!accept_one(listener, own->fd)) {
            return;
        }
    }
}

/* ---- closing ---- */

static void free_listener(struct remora_listener *listener)
{
    if (listener->reserve_fd >= 0) {
        close(listener->reserve_fd);
    }
    remora_free(listener);
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct remora_listener *listener = handle->data;
    listener->closes_left--;
    if (listener->closes_left == 0) {
        free_listener(listener);
    }
}

static void remove_file(const struct remora_listener *listener)
{
    struct stat found;
    if (listener->is_unix && lstat(listener->path, &found) == 0 &&
        found.st_dev == listener->file_device && found.st_ino == listener->file_inode) {
        unlink(listener->path);
    }
}

/* Who is in the kernel's queue is connected, as far as he knows: closing the socket would reset him. */
static void accept_last(struct remora_listener *listener)
{
    for (size_t i = 0; i < listener->socket_count; i++) {
        for (int n = 0; n < BACKLOG && accept_one(listener, listener->sockets[i].fd); n++) {
        }
    }
}

static void close_listener(struct remora_listener *listener)
{
    listener->is_closing = true;
    remora_list_remove(&listener->node);
    remora_timers_disarm(&listener->loop->timers, &listener->rest);
    remove_file(listener);
    listener->closes_left = listener->socket_count;
    for (size_t i = 0; i < listener->socket_count; i++) {
        struct listener_socket *own = &listener->sockets[i];
        uv_poll_stop(&own->poll);
        uv_close((uv_handle_t *)&own->poll, on_socket_closed);
        close(own->fd);
    }
    if (listener->socket_count == 0) {
        free_listener(listener);
    }
}

void remora_listener_close(struct remora_listener *listener)
{
    if (listener != NULL && !listener->is_closing) {
        accept_last(listener);
        close_listener(listener);
    }
}

void remora_listener_abandon(struct remora_list *node)
{
    close_listener(REMORA_CONTAINER_OF(node, struct remora_listener, node));
}

/* ---- opening ---- */

static const char *why_not(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "the address is in use";
    case EACCES:
    case EPERM:
        return "permission denied";
    case EADDRNOTAVAIL:
        return "no interface has this address";
    case ENOENT:
    case ENOTDIR:
        return "its folder does not exist";
    case ENAMETOOLONG:
        return "the path is too long";
    }
    return "the address cannot be used";
}

/* Of "localhost" the one of its two addresses. */
static enum remora_code refuse(struct remora_fail *fail, const struct remora_address *address,
                               const char *tried, int error)
{
    if (tried == NULL || strcmp(tried, address->host) == 0) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "cannot listen on %s: %s",
                               address->text, why_not(error));
    }
    bool is_v6 = strchr(tried, ':') != NULL;
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "cannot listen on %s%s%s:%u: %s",
                           is_v6 ? "[" : "", tried, is_v6 ? "]" : "", (unsigned)address->port,
                           why_not(error));
}

/* Watches a socket that listens; the fd is the listener's from here on, or closed. */
static int add_socket(struct remora_listener *listener, int fd)
{
    struct listener_socket *own = &listener->sockets[listener->socket_count];
    int status = uv_poll_init(&listener->loop->uv, &own->poll, fd);
    if (status != 0) {
        close(fd);
        return -status;
    }
    own->fd = fd;
    own->poll.data = listener;
    listener->socket_count++;
    status = uv_poll_start(&own->poll, UV_READABLE, on_readable);
    return status == 0 ? 0 : -status;
}

/* 0 or errno. */
static int bind_and_listen(int fd, const union any_address *address, socklen_t length)
{
    if (bind(fd, &address->any, length) != 0 || listen(fd, BACKLOG) != 0) {
        return errno;
    }
    return 0;
}

static uint16_t port_of(const union any_address *address)
{
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

/* 0 or errno. A socket that listens; a port of 0 becomes the one that the kernel picked. */
static int bind_inet(union any_address *address, uint16_t *port, int *out)
{
    bool is_v4 = address->any.sa_family == AF_INET;
    socklen_t length = is_v4 ? sizeof address->v4 : sizeof address->v6;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int error = bind_and_listen(fd, address, length);
    if (error == 0 && getsockname(fd, &address->any, &length) != 0) {
        error = errno;
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    *port = port_of(address);
    *out = fd;
    return 0;
}

static int bind_host(struct remora_listener *listener, const char *host, uint16_t *port, int *out)
{
    union any_address address = {.v4 = {.sin_family = AF_INET, .sin_port = htons(*port)}};
    void *binary = &address.v4.sin_addr;
    listener->tried = host;
    if (strchr(host, ':') != NULL) {
        address = (union any_address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)}};
        binary = &address.v6.sin6_addr;
    }
    return inet_pton(address.any.sa_family, host, binary) == 1 ? bind_inet(&address, port, out)
                                                               : EINVAL;
}

static bool has_no_family(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* Both loopback addresses under one port; a machine without one of the two families has the other. */
static int bind_localhost(struct remora_listener *listener, uint16_t *port, int fds[SOCKETS])
{
    int error_v4 = bind_host(listener, "127.0.0.1", port, &fds[0]);
    if (error_v4 != 0 && !has_no_family(error_v4)) {
        return error_v4;
    }
    int error = bind_host(listener, "::1", port, &fds[1]);
    return has_no_family(error) ? error_v4 : error;
}

static void close_all(int fds[SOCKETS])
{
    for (size_t i = 0; i < SOCKETS; i++) {
        if (fds[i] != NO_FD) {
            close(fds[i]);
            fds[i] = NO_FD;
        }
    }
}

/* A port that the kernel has picked for one family may be somebody's in the other: then another one. */
static int bind_all(struct remora_listener *listener, const struct remora_address *address,
                    uint16_t *port, int fds[SOCKETS])
{
    if (strcmp(address->host, "localhost") != 0) {
        return bind_host(listener, address->host, port, &fds[0]);
    }
    int error = EADDRINUSE;
    int tries = address->port == 0 ? PORT_TRIES : 1;
    for (int i = 0; i < tries && error == EADDRINUSE; i++) {
        close_all(fds);
        *port = address->port;
        error = bind_localhost(listener, port, fds);
    }
    return error;
}

static int open_host(struct remora_listener *listener, const struct remora_address *address)
{
    int fds[SOCKETS] = {NO_FD, NO_FD};
    listener->port = address->port;
    int error = bind_all(listener, address, &listener->port, fds);
    for (size_t i = 0; i < SOCKETS && error == 0; i++) {
        if (fds[i] != NO_FD) {
            error = add_socket(listener, fds[i]);
            fds[i] = NO_FD;
        }
    }
    close_all(fds);
    return error;
}

/* True when the file is a socket that nobody serves. */
static bool is_stale(const union any_address *address)
{
    struct stat found;
    if (lstat(address->local.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    bool stale = connect(fd, &address->any, sizeof address->local) != 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int bind_unix(int fd, const union any_address *address)
{
    /* Whatever the umask is, the file is never more open than UNIX_MODE, not for a moment: bind takes the mode of the
     * socket's own inode, chmod gives back what the umask took. */
    (void)fchmod(fd, UNIX_MODE);
    int error = bind_and_listen(fd, address, sizeof address->local);
    if (error == EADDRINUSE && is_stale(address)) {
        unlink(address->local.sun_path);
        error = bind_and_listen(fd, address, sizeof address->local);
    }
    if (error == 0 && chmod(address->local.sun_path, UNIX_MODE) != 0) {
        error = errno;
    }
    return error;
}

static int open_unix(struct remora_listener *listener, const char *path)
{
    union any_address address = {.local = {.sun_family = AF_UNIX}};
    if (strlen(path) >= sizeof address.local.sun_path || strlen(path) >= sizeof listener->path) {
        return ENAMETOOLONG;
    }
    memcpy(address.local.sun_path, path, strlen(path) + 1);
    memcpy(listener->path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    int error = bind_unix(fd, &address);
    if (error != 0) {
        close(fd);
        return error;
    }
    struct stat made;
    if (lstat(path, &made) == 0) {
        listener->is_unix = true;
        listener->file_device = made.st_dev;
        listener->file_inode = made.st_ino;
    }
    return add_socket(listener, fd);
}

enum remora_code remora_listener_open(struct remora_loop *loop,
                                      const struct remora_address *address,
                                      remora_accept_fn on_accept, void *context,
                                      struct remora_listener **out, struct remora_fail *fail)
{
    struct remora_listener *listener = remora_alloc(sizeof *listener);
    if (listener == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "out of memory");
    }
    listener->loop = loop;
    listener->on_accept = on_accept;
    listener->context = context;
    listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    remora_list_append(&loop->listeners, &listener->node);
    static const char PREFIX[] = "unix:";
    int error = address->is_unix ? open_unix(listener, address->text + sizeof PREFIX - 1)
                                 : open_host(listener, address);
    if (error != 0) {
        const char *tried = listener->tried;
        remora_listener_close(listener);
        return refuse(fail, address, tried, error);
    }
    *out = listener;
    return REMORA_OK;
}

uint16_t remora_listener_port(const struct remora_listener *listener)
{
    return listener->port;
}
