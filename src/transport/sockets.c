/*
 * curl's sockets and timer on the loop (multi socket interface, libcurl-multi(3)).
 *
 * One uv_poll per fd in a table. "Remove" from curl is only noted: between two transfers the socket stays registered, and
 * when the same events are wanted again nothing is called; that saves 4 to 7 us per request, because uv_poll_start is a DEL
 * and an ADD even for unchanged events. An event that nobody wants (an idle connection closed by its server) stops the
 * watcher, else the loop would spin. CLOSESOCKETFUNCTION forgets the slot before the fd is closed; the memory lives until
 * libuv's close callback.
 *
 * What comes over HTTP/1.1 while no transfer has the connection is no answer to anything (RFC 9112 section 9.2), and the next
 * request's answer would be taken for it, or an answer for that of the next: libcurl 7.88 looks before each use, but takes
 * a connection with unread bytes, a TLS alert's too, for alive. So it is shut down here, and is found dead by any libcurl:
 * when it is left, where more had come by then, and when more comes. What comes after the next request has left cannot be told
 * from its answer by anybody. Not over HTTP/2, where the server may speak at any time.
 *
 * An error on the socket (RST, refused connect) reaches us once, as UV_EBADF with the watcher already stopped. It is passed
 * on as "readable and writable": told CURL_CSELECT_ERR, curl would report 55 without the true errno.
 *
 * A timer of 0 ms is curl's way to say "go on": it runs at the end of this round, not through a timer.
 * Source of all of this: reference/measurements.md, "Prototypes 2: libuv".
 */
#include "inside.h"

#include "remora/memory.h"

#include <linux/sockios.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

struct remora_socket_slot {
    uv_poll_t poll;
    struct remora_curl *transport;
    int fd;
    int wanted;                          /* UV_READABLE | UV_WRITABLE as curl wants it now */
    int registered;                      /* as the poller has it */
    const struct remora_transfer *owner; /* who was last to want it; NULL: nobody's any more */
    bool is_http1;
    bool
        is_connected; /* curl has wanted to read: from now on its close comes by CLOSESOCKETFUNCTION */
};

/* Read away as well: libcurl 7.88 that sees bytes does not look for the end behind them. What comes after a shutdown is reset. */
static void spoil(int fd)
{
    char bytes[4096];
    (void)shutdown(fd, SHUT_RDWR);
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct remora_socket_slot *slot = handle->data;
    if (status < 0) {
        slot->registered = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (slot->wanted == 0) {
        uv_poll_stop(&slot->poll);
        slot->registered = 0;
        if (slot->owner == NULL && slot->is_http1) {
            spoil(slot->fd);
        }
        return;
    }
    /* Whoever sends looks first for an answer: see on_read in transfer.c. */
    if ((events & UV_WRITABLE) != 0) {
        events |= slot->wanted & UV_READABLE;
    }
    int flags = ((events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                ((events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
    remora_curl_act(slot->transport, slot->fd, flags);
}

static void want(struct remora_socket_slot *slot, int events)
{
    slot->wanted = events;
    if (events != 0 && events != slot->registered) {
        slot->registered = events;
        uv_poll_start(&slot->poll, events, on_event);
    }
}

static bool grow_table(struct remora_sockets *sockets, size_t fd)
{
    if (fd < sockets->count) {
        return true;
    }
    size_t count = (fd + 1) * 2;
    struct remora_socket_slot **slots = remora_realloc(sockets->slots, count * sizeof(void *));
    if (slots == NULL) {
        return false;
    }
    memset(slots + sockets->count, 0, (count - sockets->count) * sizeof(void *));
    sockets->slots = slots;
    sockets->count = count;
    return true;
}

static struct remora_socket_slot *slot_for(struct remora_curl *transport, int fd)
{
    struct remora_sockets *sockets = &transport->sockets;
    if (fd < 0 || !grow_table(sockets, (size_t)fd)) {
        return NULL;
    }
    if (sockets->slots[fd] != NULL) {
        return sockets->slots[fd];
    }
    struct remora_socket_slot *slot = remora_alloc(sizeof *slot);
    if (slot == NULL) {
        return NULL;
    }
    if (uv_poll_init(remora_loop_uv(transport->loop), &slot->poll, fd) != 0) {
        remora_free(slot);
        return NULL;
    }
    slot->poll.data = slot;
    slot->transport = transport;
    slot->fd = fd;
    sockets->slots[fd] = slot;
    return slot;
}

static void on_slot_closed(uv_handle_t *handle)
{
    remora_free(handle->data);
}

static void forget(struct remora_curl *transport, size_t fd)
{
    if (fd >= transport->sockets.count || transport->sockets.slots[fd] == NULL) {
        return;
    }
    struct remora_socket_slot *slot = transport->sockets.slots[fd];
    transport->sockets.slots[fd] = NULL;
    uv_poll_stop(&slot->poll);
    uv_close((uv_handle_t *)&slot->poll, on_slot_closed);
}

int remora_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    (void)unused;
    struct remora_curl *transport = context;
    if (what == CURL_POLL_REMOVE) {
        if ((size_t)fd < transport->sockets.count && transport->sockets.slots[fd] != NULL) {
            transport->sockets.slots[fd]->wanted = 0;
            /* curl 7.88 closes a socket that never connected by itself, without CLOSESOCKETFUNCTION (cf-socket.c). */
            if (!transport->sockets.slots[fd]->is_connected) {
                forget(transport, (size_t)fd);
            }
        }
        return 0;
    }
    struct remora_socket_slot *slot = slot_for(transport, fd);
    if (slot == NULL) {
        return -1; /* curl ends the transfers with an error of the multi handle */
    }
    char *private_data = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private_data) == CURLE_OK &&
        private_data != NULL) {
        struct remora_transfer *transfer = (void *)private_data;
        transfer->fd = fd;
        slot->owner = transfer;
        slot->is_http1 |= !transfer->route.is_http2;
    }
    slot->is_connected |= (what & CURL_POLL_IN) != 0;
    want(slot, ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                   ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0));
    return 0;
}

static bool has_spoken_http1(const struct remora_transfer *transfer)
{
    long version = CURL_HTTP_VERSION_NONE;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

/* What has come with its answer and is not read, or what a libcurl that lets OpenSSL read ahead (8.23) has read of it. */
static bool has_more(const struct remora_transfer *transfer)
{
    char byte;
    return recv(transfer->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (transfer->tls != NULL && SSL_has_pending(transfer->tls) == 1);
}

void remora_socket_leave(const struct remora_transfer *transfer)
{
    const struct remora_sockets *sockets = &transfer->transport->sockets;
    bool is_known = transfer->fd >= 0 && (size_t)transfer->fd < sockets->count;
    struct remora_socket_slot *slot = is_known ? sockets->slots[transfer->fd] : NULL;
    if (slot == NULL || slot->owner != transfer) {
        return;
    }
    slot->owner = NULL;
    slot->is_http1 |= has_spoken_http1(transfer); /* with who might have had HTTP/2 */
    if (slot->is_http1 && has_more(transfer)) {
        spoil(slot->fd);
    } else if (slot->wanted == 0 && (slot->registered & UV_READABLE) == 0) {
        slot->registered = UV_READABLE; /* it had paused */
        uv_poll_start(&slot->poll, UV_READABLE, on_event);
    }
}

/*
 * What the kernel has not sent yet belongs to a request that nobody waits for any more: without this it would go on sending
 * megabytes of a cancelled upload, and the provider would take them for a request (socket(7), SO_LINGER; tcp(7), SIOCOUTQNSD).
 */
static void drop_unsent(curl_socket_t fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int unsent = 0;
    if (ioctl(fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
}

int remora_socket_close(void *context, curl_socket_t fd)
{
    if (fd >= 0) {
        forget(context, (size_t)fd);
        drop_unsent(fd);
    }
    return close(fd);
}

void remora_sockets_fini(struct remora_curl *transport)
{
    for (size_t fd = 0; fd < transport->sockets.count; fd++) {
        forget(transport, fd);
    }
    remora_free(transport->sockets.slots);
    transport->sockets = (struct remora_sockets){0};
}

static void on_curl_timer(struct remora_timer *timer)
{
    struct remora_curl *transport = REMORA_CONTAINER_OF(timer, struct remora_curl, timer);
    remora_curl_act(transport, CURL_SOCKET_TIMEOUT, 0);
}

int remora_curl_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct remora_curl *transport = context;
    struct remora_timers *timers = remora_loop_timers(transport->loop);
    transport->is_timeout_due = timeout_ms == 0;
    if (timeout_ms <= 0) {
        remora_timers_disarm(timers, &transport->timer);
        if (timeout_ms == 0) {
            remora_later_arm(transport->loop, &transport->later);
        }
        return 0;
    }
    uint64_t due_ns = remora_curl_now_ns(transport) + (uint64_t)timeout_ms * REMORA_NS_PER_MS;
    return remora_timers_arm(timers, &transport->timer, due_ns, on_curl_timer) == REMORA_OK ? 0
                                                                                            : -1;
}
