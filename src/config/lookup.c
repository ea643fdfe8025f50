/* Reading a snapshot: models by binary search, providers and layers by name, and what a misspelt name may have meant. Pure, any thread. */
#include "remora/config.h"

enum { RETRY_READY_MS = 1000 };

const struct remora_model *remora_config_model(const struct remora_config *config,
                                               struct remora_slice id)
{
    size_t low = 0;
    size_t high = config->model_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = remora_slice_compare(config->models[middle].facts.id, id);
        if (order == 0) {
            return &config->models[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct remora_provider *remora_config_provider(const struct remora_config *config,
                                                     struct remora_slice slug)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        if (remora_slice_equal(config->providers[i].facts.slug, slug)) {
            return &config->providers[i];
        }
    }
    return NULL;
}

enum remora_code remora_config_check_ready(const struct remora_config *config,
                                           struct remora_fail *fail)
{
    if (config->not_ready_why == NULL) {
        return REMORA_OK;
    }
    remora_fail_set(fail, REMORA_SHEDDING, NULL, "the gateway is not ready: %s",
                    config->not_ready_why);
    if (fail != NULL && fail->code == REMORA_SHEDDING) {
        fail->retry_after_ms = RETRY_READY_MS;
    }
    return REMORA_SHEDDING;
}

bool remora_config_knows_provider(const struct remora_config *config, struct remora_slice slug)
{
    struct remora_provider_facts facts;
    return remora_config_provider(config, slug) != NULL ||
           remora_catalog_find_provider(slug, &facts);
}

static void offer(struct remora_guess *guess, const struct remora_provider_facts *facts)
{
    remora_guess_offer(guess, facts->slug, facts->slug);
    remora_guess_offer(guess, facts->slug, facts->name);
}

const char *remora_config_provider_hint(const struct remora_config *config,
                                        struct remora_slice slug, char out[REMORA_GUESS_BYTES])
{
    struct remora_guess guess;
    remora_guess_begin(&guess, slug);
    for (size_t i = 0; i < config->provider_count; i++) {
        offer(&guess, &config->providers[i].facts);
    }
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        struct remora_provider_facts facts;
        remora_catalog_provider(i, &facts);
        offer(&guess, &facts);
    }
    return remora_guess_hint(&guess, out);
}

static bool has_tag(const struct remora_model *model, struct remora_slice tag)
{
    for (size_t i = 0; i < model->endpoint_count; i++) {
        if (remora_slice_equal(model->endpoints[i].facts.tag, tag)) {
            return true;
        }
    }
    return false;
}

bool remora_config_knows_tag(const struct remora_config *config, struct remora_slice tag)
{
    for (size_t i = 0; i < config->model_count; i++) {
        if (has_tag(&config->models[i], tag)) {
            return true;
        }
    }
    return remora_catalog_has_tag(tag);
}

const char *remora_config_tag_hint(const struct remora_config *config, struct remora_slice tag,
                                   char out[REMORA_GUESS_BYTES])
{
    struct remora_guess guess;
    remora_guess_begin(&guess, tag);
    for (size_t i = 0; i < config->model_count; i++) {
        const struct remora_model *model = &config->models[i];
        for (size_t at = 0; at < model->endpoint_count; at++) {
            remora_guess_offer(&guess, model->endpoints[at].facts.tag,
                               model->endpoints[at].facts.tag);
        }
    }
    return remora_guess_hint(&guess, out);
}

static const struct remora_policy *find(const struct remora_named_policy *policies, size_t count,
                                        struct remora_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (remora_slice_equal(policies[i].name, name)) {
            return &policies[i].policy;
        }
    }
    return NULL;
}

void remora_config_stack(const struct remora_config *config, const struct remora_identity *identity,
                         struct remora_policy_stack *out)
{
    *out = (struct remora_policy_stack){{NULL}};
    out->layers[REMORA_LAYER_MESH] = &config->mesh;
    out->layers[REMORA_LAYER_NAMESPACE] =
        find(config->namespaces, config->namespace_count, identity->namespace_name);
    out->layers[REMORA_LAYER_SERVICE] =
        find(config->services, config->service_count, identity->service);
    for (size_t i = 0; i < config->key_count && identity->key_id.length > 0; i++) {
        if (remora_slice_equal(config->keys[i].name, identity->key_id)) {
            out->layers[REMORA_LAYER_KEY] = &config->keys[i].policy;
            break;
        }
    }
}
