/*
 * The layers of a request merged into one, tighten-only, for what is not asked endpoint by endpoint: an inner layer can
 * narrow an outer one and never widen it (ARCHITECTURE 8 "Merging the layers"). `order`, `sort` and `default` say what is
 * preferred, not what is allowed: there the innermost layer that states one is heard. Cannot fail.
 *
 * Lists that intersect or unite (allow, only, ignore, ...) are not merged: judge.c asks each layer, which comes to the same
 * and keeps the name of the layer. Some are kept side by side, for a router behind this one.
 */
#include "remora/policy.h"

static void take_smaller(int64_t *into, int64_t value, int64_t none)
{
    if (value != none && (*into == none || value < *into)) {
        *into = value;
    }
}

static void merge_switches(const struct remora_preferences *p, enum remora_layer layer,
                           struct remora_policy_effective *out)
{
    if (p->data_collection == REMORA_DATA_DENY) {
        out->data_collection = REMORA_DATA_DENY;
    }
    if (p->zdr == REMORA_YES) {
        out->zdr = REMORA_YES;
    }
    if (p->require_parameters == REMORA_YES) {
        out->require_parameters = REMORA_YES;
    }
    if (p->enforce_distillable_text == REMORA_YES) {
        out->enforce_distillable_text = REMORA_YES;
    }
    if (p->allow_fallbacks == REMORA_NO && out->allow_fallbacks != REMORA_NO) {
        out->allow_fallbacks = REMORA_NO;
        out->fallbacks_layer = layer;
    }
}

/* What is preferred. An empty order prefers nothing, so it does not hide one of an outer layer. */
static void merge_wishes(const struct remora_policy *policy, enum remora_layer layer,
                         struct remora_policy_effective *out)
{
    const struct remora_preferences *p = &policy->provider;
    if (p->order.count != 0) {
        out->order = &p->order;
        out->order_layer = layer;
    }
    if (p->sort != REMORA_SORT_UNSET) {
        out->sort = p->sort;
    }
    if (!remora_slice_is_empty(policy->models_default)) {
        out->models_default = policy->models_default;
    }
}

static void keep(const struct remora_slices *kept[REMORA_LAYER_COUNT], size_t *count,
                 const struct remora_slices *list, bool is_stated)
{
    if (is_stated) {
        kept[(*count)++] = list;
    }
}

static void merge_lists(const struct remora_preferences *p, struct remora_policy_effective *out)
{
    bool is_bound = p->allow_fallbacks == REMORA_NO && p->order.count != 0;
    keep(out->ignored, &out->ignored_count, &p->ignore, p->ignore.count != 0);
    keep(out->only, &out->only_count, &p->only, p->only.is_set);
    keep(out->quantizations, &out->quantizations_count, &p->quantizations, p->quantizations.is_set);
    keep(out->bound_orders, &out->bound_orders_count, &p->order, is_bound);
    out->keeps_first |= p->allow_fallbacks == REMORA_NO && p->order.count == 0;
}

static void merge_bounds(const struct remora_policy *policy, struct remora_policy_effective *out)
{
    const struct remora_preferences *p = &policy->provider;
    take_smaller(&out->limits.concurrency, policy->limits.concurrency, -1);
    take_smaller(&out->limits.requests_per_minute, policy->limits.requests_per_minute, -1);
    take_smaller(&out->limits.tokens_per_minute, policy->limits.tokens_per_minute, -1);
    for (size_t cap = 0; cap < REMORA_CAP_COUNT; cap++) {
        take_smaller(&out->max_price_pico_usd[cap], p->max_price_pico_usd[cap], -1);
    }
    take_smaller(&out->attempt_timeout_ms, p->attempt_timeout_ms, 0);
    if (p->max_attempts != 0 && (out->max_attempts == 0 || p->max_attempts < out->max_attempts)) {
        out->max_attempts = p->max_attempts;
    }
}

void remora_policy_merge(const struct remora_policy_stack *stack,
                         struct remora_policy_effective *out)
{
    *out = (struct remora_policy_effective){
        .data_collection = REMORA_DATA_ALLOW,
        .allow_fallbacks = REMORA_YES,
        .zdr = REMORA_NO,
        .require_parameters = REMORA_NO,
        .enforce_distillable_text = REMORA_NO,
        .limits = {-1, -1, -1},
    };
    for (size_t cap = 0; cap < REMORA_CAP_COUNT; cap++) {
        out->max_price_pico_usd[cap] = -1;
    }
    for (int layer = REMORA_LAYER_MESH; layer <= REMORA_LAYER_REQUEST; layer++) {
        const struct remora_policy *policy = stack->layers[layer];
        if (policy != NULL) {
            merge_switches(&policy->provider, (enum remora_layer)layer, out);
            merge_wishes(policy, (enum remora_layer)layer, out);
            merge_lists(&policy->provider, out);
            merge_bounds(policy, out);
        }
    }
}
