/*
 * Easy handles between two transfers: at most REMORA_LIMIT_EASY_HANDLES are kept, the one used last in front.
 */
#include "inside.h"

#include "remora/limits.h"
#include "remora/memory.h"

enum { POOL_LOOK = 8 };

static struct remora_transfer *transfer_of(struct remora_list *node)
{
    return REMORA_CONTAINER_OF(node, struct remora_transfer, node);
}

static void destroy(struct remora_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    remora_route_fini(&transfer->route);
    remora_free(transfer);
}

static struct remora_transfer *make(struct remora_curl *transport)
{
    struct remora_transfer *transfer = remora_alloc(sizeof *transfer);
    if (transfer == NULL) {
        return NULL;
    }
    transfer->transport = transport;
    transfer->easy = remora_easy_new(transport);
    if (transfer->easy == NULL) {
        remora_free(transfer);
        return NULL;
    }
    remora_transfer_hook(transfer);
    return transfer;
}

/* One that went the same way before, if such a one is near the front: its options stand, and it holds the TLS session. */
struct remora_transfer *transport_pool_take(struct remora_curl *transport,
                                            const struct remora_transfer_input *input)
{
    struct remora_list *node = transport->pool.next;
    struct remora_list *other = node;
    if (remora_list_is_empty(&transport->pool)) {
        return make(transport);
    }
    for (size_t i = 0; i < POOL_LOOK && other != &transport->pool; i++, other = other->next) {
        if (remora_route_is(&transfer_of(other)->route, input)) {
            node = other;
            break;
        }
    }
    remora_list_remove(node);
    transport->pooled--;
    return transfer_of(node);
}

void transport_pool_put(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    if (transport->pooled < REMORA_LIMIT_EASY_HANDLES) {
        /* To the front: the handle used last holds the TLS session used last. */
        remora_list_append(transport->pool.next, &transfer->node);
        transport->pooled++;
    } else {
        destroy(transfer);
    }
}

void transport_pool_fini(struct remora_curl *transport)
{
    for (struct remora_list *node; (node = remora_list_take(&transport->pool)) != NULL;) {
        destroy(transfer_of(node));
    }
}
