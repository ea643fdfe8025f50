/*
 * A transfer leaves curl. Over HTTP/1.1 curl closes the connection of one that has not ended; over HTTP/2 the server has to hear
 * of it, or it goes on, for money.
 *
 * Not from inside curl. Nothing is told to the transfer's user.
 */
#include "inside.h"

void transport_remove(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    transport->inside++;
    curl_multi_remove_handle(transport->multi, transfer->easy);
    transport->inside--;
    remora_socket_leave(transfer);
}

static bool may_nudge(const struct remora_transfer *transfer,
                      const struct remora_transfer *for_whom)
{
    return transfer != for_whom && transfer->fd == for_whom->fd &&
           transfer->state == REMORA_TRANSFER_RUNNING && !transfer->is_paused && !transfer->is_held;
}

/* Another stream of its connection; NULL: there is none that runs. */
static struct remora_transfer *find_other(const struct remora_transfer *transfer)
{
    struct remora_list *running = &transfer->transport->running;
    struct remora_list *node = running->next;
    while (node != running &&
           !may_nudge(REMORA_CONTAINER_OF(node, struct remora_transfer, node), transfer)) {
        node = node->next;
    }
    return node == running ? NULL : REMORA_CONTAINER_OF(node, struct remora_transfer, node);
}

/* It lets its window go and takes it again, and with that leaves what the connection has to send. Nothing is held for it, so nothing
 * is delivered here. */
static void nudge(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    transport->inside++;
    curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
    curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    transport->inside--;
}

/*
 * libcurl 7.88 makes a RST_STREAM for a stream that is removed and sends it when the connection is used next: so another
 * stream uses it at once, and where there is none it ends.
 */
static void remove_stream(struct remora_transfer *transfer)
{
    struct remora_transfer *other = find_other(transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, other == NULL ? 1L : 0L);
    transport_remove(transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 0L);
    if (other != NULL) {
        nudge(other);
    }
}

void transport_remove_early(struct remora_transfer *transfer)
{
    bool is_stream = transfer->route.is_http2 && transfer->fd >= 0;
    if (is_stream && !transfer->transport->curl_trusts_idle) {
        remove_stream(transfer);
    } else {
        transport_remove(transfer);
    }
}
