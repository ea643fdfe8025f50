/*
 * Which health an endpoint has: that of the same tag, model and upstream model, as long as all that shapes its calls is as it was: address,
 * wire, headers, authorities, client certificate, proxy, deadlines and what it takes. What was learnt of an endpoint that was mended since is
 * another's. Of files what they hold counts, since they are mended without a word of the document.
 *
 * Failures: none; an endpoint for which no place is left goes without, and the first one is warned of.
 */
#include "loader.h"

#include "remora/buf.h"
#include "remora/health.h"
#include "remora/limits.h"

#include <openssl/sha.h>

/* ---- fingerprints ---- */

/* So many bytes of a SHA-256 tell two texts apart and give nothing away. What was mixed before counts, and so does the order. */
static void mix_bytes(void *context, struct remora_slice bytes)
{
    uint64_t *settings = context;
    struct {
        unsigned char digest[SHA256_DIGEST_LENGTH];
        uint64_t before;
    } both = {.before = *settings};
    const char *data = bytes.data == NULL ? "" : bytes.data;
    SHA256((const unsigned char *)data, bytes.length, both.digest);
    SHA256((const unsigned char *)&both, sizeof both, both.digest);
    memcpy(settings, both.digest, sizeof *settings);
    explicit_bzero(&both, sizeof both);
}

void config_mix_text(uint64_t *settings, struct remora_slice text)
{
    mix_bytes(settings, text);
}

void config_mix_secret(uint64_t *settings, const struct remora_secret *secret)
{
    if (secret != NULL) {
        remora_secret_use(secret, mix_bytes, settings);
    }
}

static void mix_numbers(uint64_t *settings, const uint64_t *numbers, size_t count)
{
    mix_bytes(settings, remora_slice((const char *)numbers, count * sizeof *numbers));
}

/* What stands in two files was mixed when they were read. */
void config_mix_transport(struct remora_provider *provider)
{
    uint64_t *settings = &provider->settings;
    const uint64_t numbers[] = {provider->http2, provider->sends_trace, provider->header_count};
    mix_numbers(settings, numbers, REMORA_COUNT_OF(numbers));
    config_mix_text(settings, provider->ca_pem);
    config_mix_text(settings, provider->client_certificate_file);
    config_mix_text(settings, provider->client_key_file);
    config_mix_text(settings, provider->proxy);
    for (size_t i = 0; i < provider->header_count; i++) {
        config_mix_text(settings, provider->headers[i].name);
        config_mix_text(settings, provider->headers[i].value);
        config_mix_secret(settings, provider->headers[i].secret);
    }
}

static uint64_t settings_of(const struct remora_endpoint *endpoint)
{
    const struct remora_endpoint_facts *facts = &endpoint->facts;
    const struct remora_deadlines *deadlines = endpoint->deadlines;
    const uint64_t numbers[] = {
        endpoint->provider->settings,
        endpoint->provider->facts.wire,
        facts->supported,
        facts->efforts,
        facts->lacks_budget,
        facts->always_reasons,
        facts->stream_only,
        (uint64_t)facts->max_completion_tokens,
        (uint64_t)deadlines->connect_ms,
        (uint64_t)deadlines->first_byte_ms,
        (uint64_t)deadlines->response_ms,
        (uint64_t)deadlines->idle_ms,
        (uint64_t)deadlines->total_ms,
    };
    uint64_t settings = 0;
    mix_numbers(&settings, numbers, REMORA_COUNT_OF(numbers));
    config_mix_text(&settings, endpoint->provider->facts.base_url);
    config_mix_text(&settings, endpoint->provider->facts.dialect);
    return settings;
}

/* ---- slots ---- */

void config_note_endpoint(struct config_loader *loader, struct remora_endpoint *endpoint)
{
    if (loader->input->health == NULL || endpoint->deadlines == NULL) {
        return;
    }
    struct config_endpoint_slot *slot = remora_arena_alloc(loader->scratch, sizeof *slot);
    if (slot == NULL) {
        return; /* the arena remembers and fails the build */
    }
    *slot = (struct config_endpoint_slot){.endpoint = endpoint};
    if (loader->endpoint_slots == NULL) {
        loader->endpoint_slots_end = &loader->endpoint_slots;
    }
    *loader->endpoint_slots_end = slot;
    loader->endpoint_slots_end = &slot->next;
}

static void look_up(struct config_loader *loader, struct remora_endpoint *endpoint)
{
    REMORA_NOT_ZEROED char text[4 * REMORA_LIMIT_MODEL_ID_BYTES];
    const struct remora_health_content content = {.settings = settings_of(endpoint)};
    bool is_changed = false;
    struct remora_buf name;
    remora_buf_init_over(&name, text, sizeof text);
    remora_buf_append(&name, endpoint->facts.tag);
    remora_buf_append_byte(&name, '|');
    remora_buf_append(&name, endpoint->model->facts.id);
    remora_buf_append_byte(&name, '|');
    remora_buf_append(&name, endpoint->facts.upstream_model);
    endpoint->health = remora_health_slot_of(loader->input->health, remora_buf_slice(&name),
                                             &content, &is_changed);
    if (endpoint->health == 0 && !loader->has_unwatched) {
        loader->has_unwatched = true;
        config_warn_path(loader, "models",
                         "there are more endpoints than health is kept of, and others of earlier "
                         "documents: from %.*s on they have no circuit breaker; restart",
                         REMORA_SLICE_ARG(endpoint->model->facts.id));
    }
}

void config_look_up_endpoints(struct config_loader *loader)
{
    for (struct config_endpoint_slot *slot = loader->endpoint_slots; slot != NULL;
         slot = slot->next) {
        look_up(loader, slot->endpoint);
    }
}
