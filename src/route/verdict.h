/* Why nothing is left: codes and words for a plan without a usable endpoint. */
#ifndef REMORA_ROUTE_VERDICT_H
#define REMORA_ROUTE_VERDICT_H

#include "remora/route.h"

/* Out because it always reasons and the request wants that it does not (openrouter.md 2.1). */
bool route_always_reasons(const struct remora_exclusion *exclusion);
/* The code of a model none of whose candidates is usable. */
enum remora_code route_model_code(const struct remora_candidate *candidates, size_t count);
/* Of a plan with nothing in its order: the index of the model that decides, and the code. */
enum remora_code route_plan_code(const struct remora_plan *plan, size_t *deciding);
/* Fills fail with the code, the rules that left nothing of this model and, for health, when to come back. */
void route_explain(const struct remora_plan *plan, size_t model, enum remora_code code,
                   uint64_t now_ns, struct remora_fail *fail);

/* The same for INVALID_REQUEST: names the field that asks for no reasoning, and what to send instead. */
void route_explain_reasoning(const struct remora_plan *plan, size_t model,
                             const struct remora_reasoning_options *asked,
                             struct remora_fail *fail);

#endif
