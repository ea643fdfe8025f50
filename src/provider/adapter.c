/*
 * Which adapter speaks which wire, and what every adapter is told of the policy. A wire without a row is not built: no request
 * reaches its providers.
 */
#include "openai.h"

static const struct remora_adapter *const adapters[REMORA_WIRE_COUNT] = {
    [REMORA_WIRE_OPENAI] = &openai_adapter,
};

const struct remora_adapter *remora_adapter_for(enum remora_wire wire)
{
    return (unsigned)wire < REMORA_WIRE_COUNT ? adapters[wire] : NULL;
}

void remora_build_take_policy(struct remora_build_input *input,
                              const struct remora_policy_effective *policy)
{
    input->data_collection = policy->data_collection;
    input->zdr = policy->zdr;
    input->require_parameters = policy->require_parameters;
    input->is_alone = policy->keeps_first;
    input->enforce_distillable_text = policy->enforce_distillable_text;
    input->ignored = (struct remora_lists){policy->ignored, policy->ignored_count};
    input->only = (struct remora_lists){policy->only, policy->only_count};
    input->quantizations =
        (struct remora_lists){policy->quantizations, policy->quantizations_count};
    input->bound_orders = (struct remora_lists){policy->bound_orders, policy->bound_orders_count};
    input->max_price_pico_usd = policy->max_price_pico_usd;
}
