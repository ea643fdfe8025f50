/*
 * The plan of a request that is not sent: ExplainRouteResponse of proto/remora/v1/gateway.proto in protobuf's JSON mapping
 * with proto field names. Candidates are those of the error envelope, written by the same function.
 */
#include "outcome.h"
#include "remora/skin.h"

static const char *data_collection_name(enum remora_data_collection value)
{
    switch (value) {
    case REMORA_DATA_UNSET:
        return "DATA_COLLECTION_UNSPECIFIED";
    case REMORA_DATA_ALLOW:
        return "DATA_COLLECTION_ALLOW";
    case REMORA_DATA_DENY:
        return "DATA_COLLECTION_DENY";
    }
    return "DATA_COLLECTION_UNSPECIFIED";
}

/* Unknown names have no canonical one and are left out. */
static void write_models(struct remora_json_writer *w, const struct remora_plan *plan)
{
    remora_json_array_open(w);
    for (size_t i = 0; i < plan->model_count; i++) {
        if (plan->models[i].resolved.length > 0) {
            remora_json_write_string(w, plan->models[i].resolved);
        }
    }
    remora_json_array_close(w);
}

/* What would be passed over before the first of the order; where nothing is left the candidates tell all. */
static void write_skipped(struct remora_json_writer *w, const struct remora_plan *plan)
{
    struct remora_skipped skipped[REMORA_SKIPPED_MAX];
    if (plan->order_count > 0) {
        const struct remora_endpoint *first = plan->candidates[plan->order[0]].endpoint;
        outcome_write_skipped(w, skipped, remora_plan_skipped(plan, first, skipped));
    }
}

void remora_explain_body(const struct remora_explanation *explanation, struct remora_buf *out)
{
    struct remora_json_writer w;
    const struct remora_plan *plan = explanation->plan;
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    remora_json_key(&w, "resolved_models");
    write_models(&w, plan);
    remora_json_key(&w, "candidates");
    outcome_write_candidates(&w, plan);
    write_skipped(&w, plan);
    remora_json_key(&w, "effective_data_collection");
    remora_json_write_text(&w, data_collection_name(plan->policy.data_collection));
    remora_json_key(&w, "service");
    remora_json_write_string(&w, explanation->service);
    remora_json_key(&w, "policy_revision");
    remora_json_write_string(&w, explanation->policy_revision);
    if (explanation->fail->code != REMORA_OK) {
        remora_json_key(&w, "reason");
        remora_json_write_text(&w, remora_code_row(explanation->fail->code)->name);
        remora_json_key(&w, "message");
        remora_json_write_text(&w, explanation->fail->message);
    }
    remora_json_object_close(&w);
}
