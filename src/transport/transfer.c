/*
 * One transfer, as curl sees it: the callbacks of its easy handle.
 *
 *   open     each address is judged after the name was resolved, whoever resolved it
 *   prereq   connected, about to send. A second call means that libcurl sends the request again, on its own, because a
 *            reused connection died (HTTP/1.1) or the server refused the stream (HTTP/2): refused, so that every send is one of our attempts. A reused connection that is seen
 *            to lead where this transfer must not go is refused; one that is dead as well: nothing is sent yet, and transport.c starts once more on a new connection
 *   read     the pieces of a large body; counts what was handed over
 *   header   lines of the head, then on_head
 *   write    on_body; counts, holds back, pauses
 *   debug    over HTTP/2 only: what the server has not taken
 *
 * The user may cancel or release from inside on_head and on_body: curl cannot be called then, so the callback only says
 * "abort" and transport.c takes the handle away later in the same round.
 */
#include "inside.h"

#include "remora/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* The first call from inside curl: it looks for a connection, and what CURLOPT_RESOLVE says lies in its cache. */
static void note_begin(struct remora_transfer *transfer)
{
    if (!transfer->has_begun && transfer->resolve != NULL) {
        remora_names_took(transfer->transport->names, &transfer->route.url, transfer->resolve);
    }
    transfer->has_begun = true;
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool transport_lacks_descriptor(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return is_shortage(errno);
    }
    bool leaves = remora_descriptor_leaves(fd, REMORA_DESCRIPTORS_OF_UPSTREAMS);
    close(fd);
    return !leaves;
}

/* What we lack for it is no fault of the provider's. A few descriptors are left to probes and to files. */
static curl_socket_t open_socket(struct remora_transfer *transfer,
                                 const struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    if (fd < 0) {
        transfer->lacks_descriptor = is_shortage(errno);
        return CURL_SOCKET_BAD;
    }
    if (!remora_descriptor_leaves(fd, REMORA_DESCRIPTORS_OF_UPSTREAMS)) {
        close(fd);
        transfer->lacks_descriptor = true;
        errno = EMFILE;
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct remora_transfer *transfer = context;
    note_begin(transfer);
    if (!transport_address_may(transport_reach_of_hop(transfer), &address->addr)) {
        transfer->veto = REMORA_VETO_ADDRESS;
        errno = EACCES;
        return CURL_SOCKET_BAD;
    }
    return open_socket(transfer, address);
}

/*
 * libcurl 8.22 looks at an idle connection at most once a second (lib/conncache.c, Curl_cpool_conn_seems_healthy); older ones
 * do it before each use, and cannot be asked for the socket here. Bytes on an HTTP/1.1 connection that nobody asked for count
 * as an end, too (sockets.c).
 */
static bool is_stale(const struct remora_transfer *transfer)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    char byte;
    if (!transfer->was_reused || !transfer->transport->curl_trusts_idle ||
        curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK) {
        return false;
    }
    ssize_t got = recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        return errno != EAGAIN && errno != EINTR;
    }
    return got == 0 || !transfer->route.is_http2;
}

/* Made for another transfer, of another reach: its address was never judged for this one. */
static bool is_out_of_reach(const struct remora_transfer *transfer, const char *remote)
{
    return transfer->was_reused &&
           !transport_address_text_may(transport_reach_of_hop(transfer), remote);
}

static int on_prereq(void *context, char *remote, char *local, int remote_port, int local_port)
{
    (void)local;
    (void)remote_port;
    (void)local_port;
    struct remora_transfer *transfer = context;
    note_begin(transfer);
    transfer->send_calls++;
    if (transfer->send_calls > 1) {
        transfer->veto = REMORA_VETO_RESEND;
        return CURL_PREREQFUNC_ABORT;
    }
    long connects = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
    transfer->was_reused = connects == 0;
    if (is_out_of_reach(transfer, remote)) {
        transfer->send_calls = 0;
        transfer->veto = REMORA_VETO_ADDRESS;
        return CURL_PREREQFUNC_ABORT;
    }
    if (is_stale(transfer)) {
        transfer->send_calls = 0;
        transfer->veto = REMORA_VETO_STALE;
        return CURL_PREREQFUNC_ABORT;
    }
    transport_sent_expect(&transfer->sent);
    if (transfer->veto == REMORA_VETO_ADDRESS) {
        transfer->veto = REMORA_VETO_NONE; /* another address of the name was fine */
    }
    return CURL_PREREQFUNC_OK;
}

/*
 * A provider may answer before it has read a body (413, 401), and close. Sent into that, the next piece fails, and curl would
 * report the failure and leave the answer unread: so curl reads first whenever there is something to read.
 */
static bool hold_upload(struct remora_transfer *transfer)
{
    struct pollfd waiting = {.fd = transfer->fd, .events = POLLIN};
    if (transfer->fd < 0 || poll(&waiting, 1, 0) <= 0) {
        return false;
    }
    transfer->is_held = true;
    remora_curl_resume(transfer);
    return true;
}

static size_t on_read(char *to, size_t size, size_t count, void *context)
{
    struct remora_transfer *transfer = context;
    const struct remora_http_request *request = transfer->request;
    if (request == NULL) { /* answered or cancelled: the pieces are no longer ours to read */
        transfer->veto = transfer->head.is_complete ? REMORA_VETO_UPLOAD : transfer->veto;
        return CURL_READFUNC_ABORT;
    }
    if (hold_upload(transfer)) {
        return CURL_READFUNC_PAUSE;
    }
    size_t room = size * count;
    size_t done = 0;
    while (done < room && transfer->piece < request->body_pieces) {
        struct remora_slice piece = request->body[transfer->piece];
        size_t left = piece.length - transfer->piece_at;
        size_t take = left < room - done ? left : room - done;
        if (take > 0) {
            memcpy(to + done, piece.data + transfer->piece_at, take);
        }
        done += take;
        transfer->piece_at += take;
        if (transfer->piece_at == piece.length) {
            transfer->piece++;
            transfer->piece_at = 0;
        }
    }
    transfer->handed_bytes += done;
    return done;
}

static bool is_live(const struct remora_transfer *transfer)
{
    return transfer->state == REMORA_TRANSFER_RUNNING;
}

static void note_tls(struct remora_transfer *transfer)
{
    struct curl_tlssessioninfo *session = NULL;
    if (transfer->route.url.is_tls &&
        curl_easy_getinfo(transfer->easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
        session != NULL && session->backend == CURLSSLBACKEND_OPENSSL) {
        transfer->tls = session->internals;
    }
}

static void deliver_head(struct remora_transfer *transfer)
{
    note_tls(transfer);
    struct remora_http_response response = remora_head_response(&transfer->head);
    transfer->request = NULL;
    remora_transfer_drop_body(transfer);
    if (is_live(transfer)) {
        transfer->callbacks->on_head(transfer->context, &response);
    }
    remora_head_shrink(&transfer->head);
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct remora_transfer *transfer = context;
    size_t bytes = size * count;
    switch (remora_head_line(&transfer->head, remora_slice(data, bytes))) {
    case REMORA_HEAD_MORE:
        return bytes;
    case REMORA_HEAD_FINAL:
        deliver_head(transfer);
        break;
    case REMORA_HEAD_BAD:
        transfer->veto = REMORA_VETO_HEAD;
        return 0;
    case REMORA_HEAD_NO_MEMORY:
        transfer->veto = REMORA_VETO_MEMORY;
        return 0;
    }
    return transfer->state == REMORA_TRANSFER_LEAVING ? 0 : bytes;
}

static size_t discard(struct remora_transfer *transfer, size_t bytes)
{
    transfer->released_bytes += bytes;
    return transfer->released_bytes <= REMORA_RELEASE_BYTES ? bytes : CURL_WRITEFUNC_ERROR;
}

static size_t refuse(struct remora_transfer *transfer, enum remora_veto veto)
{
    transfer->veto = veto;
    return CURL_WRITEFUNC_ERROR;
}

static bool is_over_limit(const struct remora_transfer *transfer, size_t bytes)
{
    return transfer->body_limit_bytes > 0 &&
           (transfer->received_bytes > transfer->body_limit_bytes ||
            bytes > transfer->body_limit_bytes - transfer->received_bytes);
}

static size_t hand_out(struct remora_transfer *transfer, struct remora_slice bytes)
{
    transfer->received_bytes += bytes.length;
    enum remora_flow flow = transfer->callbacks->on_body(transfer->context, bytes);
    if (transfer->state == REMORA_TRANSFER_LEAVING) {
        return CURL_WRITEFUNC_ERROR;
    }
    if (flow == REMORA_FLOW_PAUSE && is_live(transfer)) {
        transfer->is_paused = true;
        curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
    }
    return bytes.length;
}

static size_t on_write(char *data, size_t size, size_t count, void *context)
{
    struct remora_transfer *transfer = context;
    size_t bytes = size * count;
    if (transfer->state == REMORA_TRANSFER_RELEASED) {
        return discard(transfer, bytes);
    }
    if (!is_live(transfer)) {
        return CURL_WRITEFUNC_ERROR;
    }
    if (transfer->is_paused) {
        return CURL_WRITEFUNC_PAUSE; /* curl keeps these bytes */
    }
    if (!transfer->head.is_complete) {
        return refuse(transfer, REMORA_VETO_HEAD);
    }
    if (transfer->head.is_encoded) {
        return refuse(transfer, REMORA_VETO_ENCODING);
    }
    if (is_over_limit(transfer, bytes)) {
        return refuse(transfer, REMORA_VETO_TOO_LARGE);
    }
    return hand_out(transfer, remora_slice(data, bytes));
}

/* The number behind `name` in a text of libcurl's, 0 where there is none. */
static uint32_t number_behind(struct remora_slice text, const char *name)
{
    const char *at = memmem(text.data, text.length, name, strlen(name));
    uint32_t number = 0;
    for (at = at == NULL ? NULL : at + strlen(name);
         at != NULL && at < text.data + text.length && *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint32_t)(*at - '0');
    }
    return number;
}

/*
 * A stream that an HTTP/2 server refused (REFUSED_STREAM) or ruled out by a GOAWAY below it was not taken and may be sent again; a
 * request over which a connection died may not (RFC 9113 sections 6.8 and 8.7). No result tells which it was, only libcurl's words do:
 * those of a refusal are the same from 7.88 to 8.23, and where the only stream of its connection is ruled out 7.88, which does not
 * call that a refusal, says its own number and the last one that the server takes. A libcurl with other words sends nothing for free.
 */
static int on_debug(CURL *easy, curl_infotype kind, char *data, size_t length, void *context)
{
    static const char REFUSED[] = "REFUSED_STREAM, ";
    static const char GOAWAY[] = "received GOAWAY, error=";
    static const char MISSPELT[] = "recveived GOAWAY, error="; /* 7.88 */
    static const char STREAM[] = "Using Stream ID: ";
    struct remora_transfer *transfer = context;
    struct remora_slice text = remora_slice(data, length);
    (void)easy;
    if (kind != CURLINFO_TEXT) {
        return 0;
    }
    if (remora_slice_starts_with(text, remora_slice_of(REFUSED))) {
        transfer->was_refused = true;
    } else if (remora_slice_starts_with(text, remora_slice_of(STREAM))) {
        transfer->stream = number_behind(text, STREAM);
    } else if (remora_slice_starts_with(text, remora_slice_of(GOAWAY)) ||
               remora_slice_starts_with(text, remora_slice_of(MISSPELT))) {
        transfer->was_refused |= number_behind(text, "last_stream=") < transfer->stream;
    }
    return 0;
}

void remora_transfer_hook(struct remora_transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_prereq);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}
