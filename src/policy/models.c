/*
 * Which models the layers allow: in every layer that lists some, one pattern must match (lists intersect), and no `deny`
 * of any layer may (ARCHITECTURE 8: deny unites and beats allow). Cannot fail.
 */
#include "remora/policy.h"
#include "remora/text.h"

static const struct remora_slice free_suffix = REMORA_SLICE_INIT(":free");

/* A pattern with ":free" behind it speaks of the free variant only. */
static bool pattern_matches(struct remora_slice pattern, struct remora_slice model,
                            enum remora_variant variant)
{
    if (remora_wildcard_match(pattern, model)) {
        return true;
    }
    if (variant != REMORA_VARIANT_FREE || pattern.length < free_suffix.length) {
        return false;
    }
    size_t stem = pattern.length - free_suffix.length;
    return remora_slice_equal(remora_slice(pattern.data + stem, free_suffix.length), free_suffix) &&
           remora_wildcard_match(remora_slice(pattern.data, stem), model);
}

static bool any_matches(const struct remora_slices *patterns, struct remora_slice model,
                        enum remora_variant variant)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (pattern_matches(patterns->items[i], model, variant)) {
            return true;
        }
    }
    return false;
}

static bool layer_allows(const struct remora_policy *policy, struct remora_slice model,
                         enum remora_variant variant)
{
    if (any_matches(&policy->models_deny, model, variant)) {
        return false;
    }
    return !policy->models_allow.is_set || any_matches(&policy->models_allow, model, variant);
}

bool remora_policy_allows_model(const struct remora_policy_stack *stack, struct remora_slice model,
                                enum remora_variant variant, enum remora_layer *layer)
{
    for (int at = REMORA_LAYER_MESH; at <= REMORA_LAYER_REQUEST; at++) {
        if (stack->layers[at] != NULL && !layer_allows(stack->layers[at], model, variant)) {
            if (layer != NULL) {
                *layer = (enum remora_layer)at;
            }
            return false;
        }
    }
    return true;
}

void remora_judge_model(struct remora_judge *judge, const struct remora_model *model,
                        enum remora_variant variant)
{
    const uint32_t bit = UINT32_C(1) << REMORA_RULE_MODEL_ALLOW_LIST;
    judge->variant = variant;
    judge->rules &= ~bit;
    for (size_t i = 0; i < judge->layer_count; i++) {
        if (!layer_allows(judge->layers[i], model->facts.id, variant)) {
            judge->refused_by = judge->layer_names[i];
            judge->rules |= bit;
            return;
        }
    }
}
