/*
 * Which rule, if any, removes an endpoint, and which layer set it.
 *
 * Happy path: init() notes once per request which rules may remove anything at all; judge() then asks those in the order of
 * tbl/rules.h, each over all layers from the outermost, and stops at the first that holds. Asking each layer by itself is
 * what makes lists intersect (`only`, `quantizations`, ...) or unite (`ignore`, deny) without being merged.
 *
 * A fact that is not known never passes a rule that needs it: unknown training counts as training, an unknown price is
 * above every cap (catalog README; codes.md). One rule is never asked because nothing here knows the fact: geo.
 *
 * Sources: codes.md "Rules that remove an endpoint"; openrouter.md sections 4 and 5. Cannot fail.
 */
#include <assert.h>

#include "needs.h"

/* The layer that removes the endpoint, or UNSET. */
typedef enum remora_layer (*ask_fn)(const struct remora_judge *judge,
                                    const struct remora_endpoint *endpoint, const char **subject);

static enum remora_layer by_facts(bool is_out)
{
    return is_out ? REMORA_LAYER_CATALOG : REMORA_LAYER_UNSET;
}

static bool names_endpoint(const struct remora_slices *slugs,
                           const struct remora_endpoint *endpoint)
{
    return remora_slugs_find(slugs, endpoint->facts.provider, endpoint->facts.tag) < slugs->count;
}

/* ---- facts: what can be reached, what it takes ---- */

static enum remora_layer ask_wire(const struct remora_judge *judge,
                                  const struct remora_endpoint *endpoint, const char **subject)
{
    (void)judge;
    (void)subject;
    return by_facts(!remora_wire_is_built(endpoint->provider->facts.wire));
}

static enum remora_layer ask_credential(const struct remora_judge *judge,
                                        const struct remora_endpoint *endpoint,
                                        const char **subject)
{
    (void)judge;
    (void)subject;
    const struct remora_provider *provider = endpoint->provider;
    return by_facts(provider->disabled_why != NULL ||
                    (provider->needs_credential && provider->credential_count == 0));
}

static enum remora_layer ask_model(const struct remora_judge *judge,
                                   const struct remora_endpoint *endpoint, const char **subject)
{
    (void)endpoint;
    (void)subject;
    return judge->refused_by;
}

static enum remora_layer ask_free(const struct remora_judge *judge,
                                  const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    return by_facts(endpoint->facts.is_free != (judge->variant == REMORA_VARIANT_FREE));
}

static enum remora_layer ask_modality(const struct remora_judge *judge,
                                      const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    uint32_t known = endpoint->model->facts.input_modalities;
    return by_facts(known != 0 && (judge->input_modalities & ~known) != 0);
}

static enum remora_layer ask_output_modality(const struct remora_judge *judge,
                                             const struct remora_endpoint *endpoint,
                                             const char **subject)
{
    (void)subject;
    uint32_t known = endpoint->model->facts.output_modalities;
    bool is_chat = judge->request->operation == REMORA_OPERATION_CHAT;
    return by_facts(known != 0 && ((judge->output_modalities & ~known) != 0 ||
                                   (is_chat && known == REMORA_MODALITY_EMBEDDINGS)));
}

static int64_t window_of(const struct remora_endpoint *endpoint)
{
    int64_t own = endpoint->facts.context_length;
    return own > 0 ? own : endpoint->model->facts.context_length;
}

static enum remora_layer ask_context(const struct remora_judge *judge,
                                     const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    return by_facts(policy_is_too_long(judge, window_of(endpoint)) ||
                    policy_is_too_long(judge, endpoint->facts.max_prompt_tokens));
}

static enum remora_layer ask_output_limit(const struct remora_judge *judge,
                                          const struct remora_endpoint *endpoint,
                                          const char **subject)
{
    (void)subject;
    int64_t asked = judge->request->sampling.max_output_tokens.value;
    int64_t limit = endpoint->facts.max_completion_tokens;
    int64_t window = window_of(endpoint); /* holds the answer too */
    return by_facts((limit > 0 && asked > limit) || (window > 0 && asked > window));
}

/* ---- the layers' lists and switches ---- */

static enum remora_layer ask_only(const struct remora_judge *judge,
                                  const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    for (size_t i = 0; i < judge->layer_count; i++) {
        const struct remora_slices *only = &judge->layers[i]->provider.only;
        if (only->is_set && !names_endpoint(only, endpoint)) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

static enum remora_layer ask_ignore(const struct remora_judge *judge,
                                    const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    for (size_t i = 0; i < judge->layer_count; i++) {
        if (names_endpoint(&judge->layers[i]->provider.ignore, endpoint)) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

static enum remora_layer ask_training(const struct remora_judge *judge,
                                      const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    if (endpoint->provider->facts.data_policy.training == REMORA_NO) {
        return REMORA_LAYER_UNSET;
    }
    for (size_t i = 0; i < judge->layer_count; i++) {
        if (judge->layers[i]->provider.data_collection == REMORA_DATA_DENY) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

static enum remora_layer ask_zdr(const struct remora_judge *judge,
                                 const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    if (endpoint->provider->facts.data_policy.zdr == REMORA_YES) {
        return REMORA_LAYER_UNSET;
    }
    for (size_t i = 0; i < judge->layer_count; i++) {
        if (judge->layers[i]->provider.zdr == REMORA_YES) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

/* The shipped catalog does not say whose authors allow distillation; the operator may (`models.ID.distillable`). */
static enum remora_layer ask_distillable(const struct remora_judge *judge,
                                         const struct remora_endpoint *endpoint,
                                         const char **subject)
{
    (void)subject;
    if (endpoint->model->facts.distillable == REMORA_YES) {
        return REMORA_LAYER_UNSET;
    }
    for (size_t i = 0; i < judge->layer_count; i++) {
        if (judge->layers[i]->provider.enforce_distillable_text == REMORA_YES) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

/* Where the endpoint is known to lie; without a region of its own it is where its provider has its seat, but for a router, which may
 * take any server anywhere. */
static enum remora_layer ask_region(const struct remora_judge *judge,
                                    const struct remora_endpoint *endpoint, const char **subject)
{
    (void)subject;
    struct remora_slice region = endpoint->facts.region;
    const char *country = endpoint->facts.country;
    if (region.length == 0 && !remora_routes_further(&endpoint->provider->facts)) {
        region = endpoint->provider->facts.headquarters; /* two letters, or none */
        country = region.data;
    }
    for (size_t i = 0; i < judge->layer_count; i++) {
        const struct remora_slices *asked = &judge->layers[i]->provider.regions;
        if (asked->is_set && !policy_regions_hold(asked, &judge->regions[i], region, country)) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

static enum remora_layer ask_quantization(const struct remora_judge *judge,
                                          const struct remora_endpoint *endpoint,
                                          const char **subject)
{
    (void)subject;
    struct remora_slice has = endpoint->facts.quantization;
    if (has.length == 0) {
        has = REMORA_SLICE("unknown");
    }
    for (size_t i = 0; i < judge->layer_count; i++) {
        const struct remora_slices *list = &judge->layers[i]->provider.quantizations;
        bool is_in = !list->is_set;
        for (size_t at = 0; at < list->count && !is_in; at++) {
            is_in = remora_quantization_is(list->items[at], has);
        }
        if (!is_in) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

/* ---- price ---- */

static const struct {
    const char *name;
    enum remora_price price;
} caps[REMORA_CAP_COUNT] = {
    [REMORA_CAP_PROMPT] = {"prompt", REMORA_PRICE_PROMPT},
    [REMORA_CAP_COMPLETION] = {"completion", REMORA_PRICE_COMPLETION},
    [REMORA_CAP_REQUEST] = {"request", REMORA_PRICE_REQUEST},
    [REMORA_CAP_IMAGE] = {"image", REMORA_PRICE_IMAGE},
    [REMORA_CAP_AUDIO] = {"audio", REMORA_PRICE_INPUT_AUDIO},
};

/* Whether the provider is asked for a service tier that the endpoint's prices are not of: nobody knows what it costs. One that
 * is left out, since the endpoint does not take it, is not bought. */
static bool buys_another_tier(const struct remora_judge *judge,
                              const struct remora_endpoint *endpoint)
{
    struct remora_slice tier = judge->request->service_tier;
    enum remora_dialect dialect = remora_dialect_of(&endpoint->provider->facts);
    return !remora_tier_has_prices(tier, endpoint->facts.tag) &&
           remora_parameter_set_has(endpoint->facts.supported, REMORA_PARAMETER_SERVICE_TIER) &&
           !remora_parameter_set_has(remora_dialect_refused(dialect),
                                     REMORA_PARAMETER_SERVICE_TIER);
}

/*
 * As it would be billed (fallbacks of tbl/prices.h): what has no price per item costs nothing per item; audio as prompt, but where
 * the request has some: its price is a guess then, and no cap lets a guess pass.
 */
static int64_t billed_price(const struct remora_judge *judge,
                            const struct remora_endpoint *endpoint, enum remora_price_cap cap)
{
    const int64_t *prices = endpoint->facts.prices.pico_usd;
    int64_t price = prices[caps[cap].price];
    if (price >= 0 || price == REMORA_PRICE_UNKNOWN) {
        return price;
    }
    if (cap == REMORA_CAP_AUDIO) {
        bool is_heard = (judge->input_modalities & REMORA_MODALITY_AUDIO) != 0;
        return is_heard && prices[REMORA_PRICE_PROMPT] != 0 ? -1 : prices[REMORA_PRICE_PROMPT];
    }
    return cap == REMORA_CAP_REQUEST || cap == REMORA_CAP_IMAGE ? 0 : -1;
}

/* List prices: which price tier a prompt will fall into is known only after it has been counted. */
static enum remora_layer ask_price(const struct remora_judge *judge,
                                   const struct remora_endpoint *endpoint, const char **subject)
{
    bool is_unknown = judge->cap_count > 0 && buys_another_tier(judge, endpoint);
    for (size_t i = 0; i < judge->cap_count; i++) {
        const struct remora_judge_cap *cap = &judge->caps[i];
        int64_t price = is_unknown ? -1 : billed_price(judge, endpoint, cap->cap);
        if (price < 0 || price > cap->highest_pico_usd) {
            *subject = caps[cap->cap].name;
            return cap->layer;
        }
    }
    return REMORA_LAYER_UNSET;
}

/* Those that are stated, in the order in which they are asked: by key, then from the outermost layer. */
static void collect_caps(struct remora_judge *judge)
{
    for (size_t cap = 0; cap < REMORA_CAP_COUNT; cap++) {
        for (size_t i = 0; i < judge->layer_count; i++) {
            int64_t highest = judge->layers[i]->provider.max_price_pico_usd[cap];
            if (highest >= 0) {
                judge->caps[judge->cap_count++] =
                    (struct remora_judge_cap){.highest_pico_usd = highest,
                                              .cap = (enum remora_price_cap)cap,
                                              .layer = judge->layer_names[i]};
            }
        }
    }
}

/* ---- parameters ---- */

static enum remora_layer ask_require(const struct remora_judge *judge,
                                     const struct remora_endpoint *endpoint, const char **subject)
{
    const char *loses = policy_loses(judge, endpoint);
    for (size_t i = 0; i < judge->layer_count && loses != NULL; i++) {
        if (judge->layers[i]->provider.require_parameters == REMORA_YES) {
            *subject = loses;
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

static enum remora_layer ask_supported(const struct remora_judge *judge,
                                       const struct remora_endpoint *endpoint, const char **subject)
{
    size_t count = policy_may_lack(judge, endpoint) ? judge->request->asked_count : 0;
    for (size_t i = 0; i < count; i++) {
        enum remora_parameter parameter = (enum remora_parameter)judge->request->asked[i];
        const char *lacks = policy_cannot_drop(judge, endpoint, parameter);
        if (lacks != NULL) {
            *subject = lacks;
            return REMORA_LAYER_CATALOG;
        }
    }
    /* Who takes no tools takes no messages of them either. */
    if ((judge->said & POLICY_SAID_TOOLS) != 0 &&
        !remora_parameter_set_has(endpoint->facts.supported, REMORA_PARAMETER_TOOLS)) {
        *subject = remora_parameter_name(REMORA_PARAMETER_TOOLS);
        return REMORA_LAYER_CATALOG;
    }
    return REMORA_LAYER_UNSET;
}

/* ---- the table ---- */

static const ask_fn asks[REMORA_RULE_COUNT] = {
    [REMORA_RULE_UNSUPPORTED_WIRE] = ask_wire,
    [REMORA_RULE_NO_CREDENTIAL] = ask_credential,
    [REMORA_RULE_MODEL_ALLOW_LIST] = ask_model,
    [REMORA_RULE_FREE_VARIANT] = ask_free,
    [REMORA_RULE_MODALITY] = ask_modality,
    [REMORA_RULE_OUTPUT_MODALITY] = ask_output_modality,
    [REMORA_RULE_CONTEXT_LENGTH] = ask_context,
    [REMORA_RULE_OUTPUT_LIMIT] = ask_output_limit,
    [REMORA_RULE_ALLOWED_PROVIDERS] = ask_only,
    [REMORA_RULE_IGNORED_PROVIDER] = ask_ignore,
    [REMORA_RULE_TRAINING] = ask_training,
    [REMORA_RULE_ZDR] = ask_zdr,
    [REMORA_RULE_DISTILLABLE] = ask_distillable,
    [REMORA_RULE_DATA_REGION] = ask_region,
    [REMORA_RULE_QUANTIZATION] = ask_quantization,
    [REMORA_RULE_MAX_PRICE] = ask_price,
    [REMORA_RULE_REQUIRE_PARAMETERS] = ask_require,
    [REMORA_RULE_SUPPORTED_PARAMETERS] = ask_supported,
};

static uint32_t rule_if(bool may_remove, enum remora_rule rule)
{
    return may_remove ? UINT32_C(1) << rule : 0;
}

static uint32_t rules_of_layer(const struct remora_preferences *p)
{
    return rule_if(p->only.is_set, REMORA_RULE_ALLOWED_PROVIDERS) |
           rule_if(p->ignore.count != 0, REMORA_RULE_IGNORED_PROVIDER) |
           rule_if(p->data_collection == REMORA_DATA_DENY, REMORA_RULE_TRAINING) |
           rule_if(p->zdr == REMORA_YES, REMORA_RULE_ZDR) |
           rule_if(p->enforce_distillable_text == REMORA_YES, REMORA_RULE_DISTILLABLE) |
           rule_if(p->regions.is_set, REMORA_RULE_DATA_REGION) |
           rule_if(p->quantizations.is_set, REMORA_RULE_QUANTIZATION) |
           rule_if(p->require_parameters == REMORA_YES, REMORA_RULE_REQUIRE_PARAMETERS);
}

static uint32_t rules_of_request(const struct remora_judge *judge)
{
    const struct remora_request *request = judge->request;
    return rule_if(true, REMORA_RULE_UNSUPPORTED_WIRE) | rule_if(true, REMORA_RULE_NO_CREDENTIAL) |
           rule_if(true, REMORA_RULE_FREE_VARIANT) |
           rule_if(judge->input_modalities != 0, REMORA_RULE_MODALITY) |
           rule_if(true, REMORA_RULE_OUTPUT_MODALITY) |
           rule_if(judge->text_bytes != 0, REMORA_RULE_CONTEXT_LENGTH) |
           rule_if(request->sampling.max_output_tokens.is_set, REMORA_RULE_OUTPUT_LIMIT) |
           rule_if(request->asked_count != 0 || (judge->said & POLICY_SAID_TOOLS) != 0,
                   REMORA_RULE_SUPPORTED_PARAMETERS);
}

void remora_judge_init(struct remora_judge *judge, const struct remora_policy_stack *stack,
                       const struct remora_request *request)
{
    *judge = (struct remora_judge){.request = request};
    policy_needs(judge);
    judge->rules = rules_of_request(judge);
    for (int layer = REMORA_LAYER_MESH; layer <= REMORA_LAYER_REQUEST; layer++) {
        if (stack->layers[layer] != NULL) {
            judge->layers[judge->layer_count] = stack->layers[layer];
            judge->layer_names[judge->layer_count++] = (enum remora_layer)layer;
            judge->rules |= rules_of_layer(&stack->layers[layer]->provider);
            policy_regions_collect(&stack->layers[layer]->provider.regions,
                                   &judge->regions[judge->layer_count - 1]);
        }
    }
    collect_caps(judge);
    judge->rules |= rule_if(judge->cap_count > 0, REMORA_RULE_MAX_PRICE);
}

void remora_policy_judge(const struct remora_judge *judge, const struct remora_endpoint *endpoint,
                         struct remora_exclusion *out)
{
    for (uint32_t left = judge->rules; left != 0; left &= left - 1) {
        enum remora_rule rule = (enum remora_rule)__builtin_ctz(left);
        assert(asks[rule] != NULL);
        const char *subject = NULL;
        enum remora_layer layer = asks[rule](judge, endpoint, &subject);
        if (layer != REMORA_LAYER_UNSET) {
            *out = (struct remora_exclusion){.rule = rule, .layer = layer, .subject = subject};
            return;
        }
    }
    *out = (struct remora_exclusion){.rule = REMORA_RULE_NONE};
}
