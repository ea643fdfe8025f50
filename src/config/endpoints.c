/*
 * Endpoints that the operator writes: the catalog's keys, with the catalog's meaning. Prices are read from the characters of
 * the document, never through a floating-point number.
 */
#include "loader.h"

#include "remora/decimal.h"
#include "remora/text.h"

enum { SUGGEST_EDITS = 3 };

/* Whether nothing is charged where no price is stated, so that null has to say something else. */
static bool is_free_when_absent(size_t price)
{
    enum fallback { NONE, SELF, PROMPT, COMPLETION, CACHED_WRITE };
    static const enum fallback fallbacks[REMORA_PRICE_COUNT] = {
#define REMORA_PRICE(name, key, fallback, ...) [REMORA_PRICE_##name] = fallback,
#include "remora/tbl/prices.h"
#undef REMORA_PRICE
    };
    return fallbacks[price] == SELF;
}

static enum remora_code read_price(struct config_loader *loader, const struct config_node *node,
                                   size_t price, int64_t *out)
{
    enum remora_decimal_exactness exactness = REMORA_DECIMAL_EXACT;
    if (node == NULL) {
        return REMORA_OK;
    }
    if (config_is_null(node)) {
        if (is_free_when_absent(price)) {
            *out = REMORA_PRICE_UNKNOWN;
            config_warn(loader, node, "is not known: costs that need it are null");
        }
        return REMORA_OK;
    }
    if (!remora_decimal_parse(node->text, 12, out, &exactness)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail, "not a price");
    }
    if (exactness == REMORA_DECIMAL_ROUNDED) {
        config_warn(loader, node, "has more than 12 decimal places and is rounded");
    }
    return REMORA_OK;
}

static enum remora_code read_prices(struct config_loader *loader, const struct config_node *node,
                                    int64_t out[REMORA_PRICE_COUNT])
{
    static const char *const keys[REMORA_PRICE_COUNT] = {
#define REMORA_PRICE(name, key, ...) [REMORA_PRICE_##name] = key,
#include "remora/tbl/prices.h"
#undef REMORA_PRICE
    };
    for (size_t i = 0; i < REMORA_PRICE_COUNT; i++) {
        enum remora_code rc = read_price(loader, config_get_named(node, keys[i]), i, &out[i]);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code read_pricing(struct config_loader *loader, const struct config_node *node,
                                     struct remora_prices *out)
{
    remora_prices_init(out);
    int64_t *pico_usd = remora_arena_array(loader->arena, REMORA_PRICE_COUNT, sizeof *pico_usd);
    if (pico_usd == NULL) {
        return config_no_room(loader);
    }
    memcpy(pico_usd, out->pico_usd, REMORA_PRICE_COUNT * sizeof *pico_usd);
    out->pico_usd = pico_usd;
    return read_prices(loader, node, pico_usd);
}

static enum remora_code read_tier(struct config_loader *loader, const struct config_node *node,
                                  struct remora_price_tier *out)
{
    out->min_prompt_tokens = config_integer(node, CONFIG_PRICING_TIER_MIN_PROMPT_TOKENS, 0);
    if (out->min_prompt_tokens == 0) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                              "needs min_prompt_tokens");
    }
    for (size_t i = 0; i < REMORA_PRICE_COUNT; i++) {
        out->pico_usd[i] = -1;
    }
    return read_prices(loader, node, out->pico_usd);
}

static enum remora_code read_tiers(struct config_loader *loader, const struct config_node *list,
                                   struct remora_prices *out)
{
    if (list == NULL || list->count == 0) {
        return REMORA_OK;
    }
    struct remora_price_tier *tiers = remora_arena_array(loader->arena, list->count, sizeof *tiers);
    if (tiers == NULL) {
        return config_no_room(loader);
    }
    out->tiers = tiers;
    for (const struct config_node *node = list->first; node != NULL; node = node->next) {
        struct remora_price_tier *tier = &tiers[out->tier_count];
        enum remora_code rc = read_tier(loader, node, tier);
        if (rc != REMORA_OK) {
            return rc;
        }
        if (out->tier_count > 0 && tier->min_prompt_tokens <= tier[-1].min_prompt_tokens) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "tiers ascend by min_prompt_tokens");
        }
        out->tier_count++;
    }
    return REMORA_OK;
}

static const char *const parameter_names[REMORA_PARAMETER_COUNT] = {
#define REMORA_PARAMETER(name, text) [REMORA_PARAMETER_##name] = text,
#include "remora/tbl/parameters.h"
#undef REMORA_PARAMETER
};

static size_t find_parameter(struct remora_slice name)
{
    if (remora_slice_is(name, "max_completion_tokens")) {
        return REMORA_PARAMETER_MAX_TOKENS;
    }
    if (remora_slice_is(name, "include_reasoning") || remora_slice_is(name, "reasoning_effort")) {
        return REMORA_PARAMETER_REASONING;
    }
    size_t at = 0;
    while (at < REMORA_PARAMETER_COUNT && !remora_slice_is(name, parameter_names[at])) {
        at++;
    }
    return at;
}

/* Names that OpenRouter lists and that no endpoint can lack. */
static bool is_no_parameter(struct remora_slice name)
{
    return remora_slice_is(name, "stream") || remora_slice_is(name, "input") ||
           remora_slice_is(name, "encoding_format");
}

static enum remora_code unknown_parameter(struct config_loader *loader,
                                          const struct config_node *node)
{
    const char *closest = NULL;
    unsigned best = SUGGEST_EDITS + 1;
    for (size_t i = 0; i < REMORA_PARAMETER_COUNT; i++) {
        unsigned edits =
            remora_edit_distance(node->text, remora_slice_of(parameter_names[i]), SUGGEST_EDITS);
        if (edits < best) {
            best = edits;
            closest = parameter_names[i];
        }
    }
    return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                          "\"%.*s\" is not a request parameter%s%s%s", REMORA_SLICE_ARG(node->text),
                          closest == NULL ? "" : ": did you mean \"",
                          closest == NULL ? "" : closest, closest == NULL ? "" : "\"?");
}

static enum remora_code read_parameters(struct config_loader *loader,
                                        const struct config_node *list, remora_parameter_set *out)
{
    *out = list == NULL ? REMORA_PARAMETERS_ALL : 0;
    const struct config_node *node = list == NULL ? NULL : list->first;
    for (; node != NULL; node = node->next) {
        size_t parameter = find_parameter(node->text);
        if (parameter < REMORA_PARAMETER_COUNT) {
            *out |= UINT64_C(1) << parameter;
        } else if (!is_no_parameter(node->text)) {
            return unknown_parameter(loader, node);
        }
    }
    return REMORA_OK;
}

static enum remora_code read_efforts(struct config_loader *loader, const struct config_node *list,
                                     struct remora_endpoint_facts *out)
{
    const struct config_node *node = list == NULL ? NULL : list->first;
    for (; node != NULL; node = node->next) {
        int effort = REMORA_EFFORT_NONE;
        while (effort <= (int)REMORA_EFFORT_MAX &&
               !remora_slice_is(node->text, remora_effort_name((enum remora_effort)effort))) {
            effort++;
        }
        if (effort > (int)REMORA_EFFORT_MAX) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "expected none, minimal, low, medium, high, xhigh or max");
        }
        out->efforts |= remora_effort_bit((enum remora_effort)effort);
    }
    out->lacks_budget = remora_endpoint_lacks_effort(out); /* a switch is all that it says */
    out->always_reasons =
        out->efforts != 0 && (out->efforts & remora_effort_bit(REMORA_EFFORT_NONE)) == 0;
    return REMORA_OK;
}

static enum remora_code read_provider(struct config_loader *loader, const struct config_node *node,
                                      struct remora_endpoint *out)
{
    const struct config_node *slug = config_get(node, CONFIG_ENDPOINT_PROVIDER);
    if (slug == NULL) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail, "needs a provider");
    }
    out->provider = remora_config_provider(loader->config, slug->text);
    if (out->provider == NULL) {
        char hint[REMORA_GUESS_BYTES];
        if (remora_config_knows_provider(loader->config, slug->text)) {
            return config_fail_at(slug, REMORA_INVALID_REQUEST, loader->fail,
                                  "\"%.*s\" is in the catalog but not enabled: name it under "
                                  "providers",
                                  REMORA_SLICE_ARG(slug->text));
        }
        return config_fail_at(slug, REMORA_INVALID_REQUEST, loader->fail,
                              "\"%.*s\" is not among the providers%s", REMORA_SLICE_ARG(slug->text),
                              remora_config_provider_hint(loader->config, slug->text, hint));
    }
    out->facts.provider = out->provider->facts.slug;
    return REMORA_OK;
}

static enum remora_code read_tag(struct config_loader *loader, const struct config_node *node,
                                 struct remora_endpoint *out)
{
    const struct config_node *tag = config_get(node, CONFIG_ENDPOINT_TAG);
    struct remora_slice slug = out->facts.provider;
    if (tag == NULL) {
        out->facts.tag = slug;
        return REMORA_OK;
    }
    bool is_longer = tag->text.length > slug.length + 1 && tag->text.data[slug.length] == '/';
    if (!remora_slice_starts_with(tag->text, slug) ||
        (tag->text.length != slug.length && !is_longer)) {
        return config_fail_at(tag, REMORA_INVALID_REQUEST, loader->fail,
                              "a tag is the provider's slug, or the slug, \"/\" and a variant: "
                              "\"%.*s/...\"",
                              REMORA_SLICE_ARG(slug));
    }
    out->facts.tag = config_keep(loader, tag->text);
    return REMORA_OK;
}

static enum remora_code read_quantization(struct config_loader *loader,
                                          const struct config_node *node,
                                          struct remora_endpoint_facts *out)
{
    const struct config_node *quantization = config_get(node, CONFIG_ENDPOINT_QUANTIZATION);
    if (quantization == NULL || remora_slice_is(quantization->text, "unknown")) {
        return REMORA_OK;
    }
    if (!config_is_quantization(quantization->text)) {
        return config_fail_at(quantization, REMORA_INVALID_REQUEST, loader->fail,
                              "no such quantization");
    }
    out->quantization = config_keep(loader, quantization->text);
    return REMORA_OK;
}

static enum remora_code read_sizes(struct config_loader *loader, const struct config_node *node,
                                   const struct remora_model_facts *model,
                                   struct remora_endpoint_facts *out)
{
    const struct config_node *model_id = config_get(node, CONFIG_ENDPOINT_MODEL_ID);
    if (model_id == NULL) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                              "needs model_id, the provider's name for the model");
    }
    out->upstream_model = config_keep(loader, model_id->text);
    out->context_length =
        config_integer(node, CONFIG_ENDPOINT_CONTEXT_LENGTH, model->context_length);
    out->max_prompt_tokens = config_integer(node, CONFIG_ENDPOINT_MAX_PROMPT_TOKENS, 0);
    out->max_completion_tokens = config_integer(node, CONFIG_ENDPOINT_MAX_COMPLETION_TOKENS, 0);
    out->is_free = config_boolean(node, CONFIG_ENDPOINT_FREE, false);
    out->stream_only = config_boolean(node, CONFIG_ENDPOINT_STREAM_ONLY, false);
    out->region = config_keep(loader, config_text(node, CONFIG_ENDPOINT_REGION));
    return read_quantization(loader, node, out);
}

enum remora_code config_read_endpoint(struct config_loader *loader, const struct config_node *node,
                                      const struct remora_model_facts *model,
                                      struct remora_endpoint *out)
{
    enum remora_code rc = read_provider(loader, node, out);
    if (rc == REMORA_OK) {
        rc = read_tag(loader, node, out);
    }
    if (rc == REMORA_OK) {
        rc = read_sizes(loader, node, model, &out->facts);
    }
    if (rc == REMORA_OK) {
        rc = read_parameters(loader, config_get(node, CONFIG_ENDPOINT_SUPPORTED_PARAMETERS),
                             &out->facts.supported);
    }
    if (rc == REMORA_OK) {
        rc = read_efforts(loader, config_get(node, CONFIG_ENDPOINT_REASONING_EFFORTS), &out->facts);
    }
    if (rc == REMORA_OK) {
        rc = read_pricing(loader, config_get(node, CONFIG_ENDPOINT_PRICING), &out->facts.prices);
    }
    if (rc == REMORA_OK) {
        rc =
            read_tiers(loader, config_get(node, CONFIG_ENDPOINT_PRICING_TIERS), &out->facts.prices);
    }
    out->is_own = true;
    return rc;
}
