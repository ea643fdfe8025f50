/*
 * Which health an endpoint has: that of the same provider, tag, model, upstream model and address. What was learnt of an endpoint that
 * was mended since is another's.
 *
 * Failures: none; an endpoint for which no place is left goes without, and the first one is warned of.
 */
#include "loader.h"

#include "remora/buf.h"
#include "remora/health.h"
#include "remora/limits.h"

/* Of an address that is longer than this the end does not count. */
uint32_t config_health_slot(struct config_loader *loader, const struct remora_endpoint *endpoint)
{
    REMORA_NOT_ZEROED char text[4 * REMORA_LIMIT_MODEL_ID_BYTES];
    struct remora_buf name;
    if (loader->input->health == NULL) {
        return 0;
    }
    remora_buf_init_over(&name, text, sizeof text);
    remora_buf_append(&name, endpoint->facts.tag);
    remora_buf_append_byte(&name, '|');
    remora_buf_append(&name, endpoint->model->facts.id);
    remora_buf_append_byte(&name, '|');
    remora_buf_append(&name, endpoint->facts.upstream_model);
    remora_buf_append_byte(&name, '|');
    remora_buf_append(&name, endpoint->provider->facts.base_url);
    uint32_t slot = remora_health_slot(loader->input->health, remora_buf_slice(&name));
    if (slot == 0 && !loader->has_unwatched) {
        loader->has_unwatched = true;
        config_warn_path(loader, "models",
                         "there are more endpoints than health is kept of, and others of earlier "
                         "documents: from %.*s on they have no circuit breaker; restart",
                         REMORA_SLICE_ARG(endpoint->model->facts.id));
    }
    return slot;
}
