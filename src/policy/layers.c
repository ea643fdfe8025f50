/* One policy layer: an empty one, and the names of the layers (proto PolicyLayer). */
#include "remora/policy.h"

static const char *const layer_names[REMORA_LAYER_COUNT] = {
    [REMORA_LAYER_UNSET] = "POLICY_LAYER_UNSPECIFIED",
    [REMORA_LAYER_CATALOG] = "POLICY_LAYER_CATALOG",
    [REMORA_LAYER_MESH] = "POLICY_LAYER_MESH",
    [REMORA_LAYER_NAMESPACE] = "POLICY_LAYER_NAMESPACE",
    [REMORA_LAYER_SERVICE] = "POLICY_LAYER_SERVICE",
    [REMORA_LAYER_KEY] = "POLICY_LAYER_KEY",
    [REMORA_LAYER_REQUEST] = "POLICY_LAYER_REQUEST",
    [REMORA_LAYER_HEALTH] = "POLICY_LAYER_HEALTH",
};

const char *remora_layer_name(enum remora_layer layer)
{
    return (unsigned)layer < REMORA_LAYER_COUNT ? layer_names[layer] : layer_names[0];
}

void remora_policy_init(struct remora_policy *policy)
{
    *policy = (struct remora_policy){0};
    remora_preferences_init(&policy->provider);
    policy->limits = (struct remora_limits_policy){-1, -1, -1};
}
