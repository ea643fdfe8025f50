/* What policy leaves of one model's endpoints, in order. */
#ifndef REMORA_ROUTE_NARROW_H
#define REMORA_ROUTE_NARROW_H

#include "remora/route.h"

/*
 * The first rule that removes the endpoint, those of the whole order left out that need the other endpoints: policy's
 * (remora_policy_judge), then not_in_order of a layer that insists on its list.
 */
void route_judge(const struct remora_judge *judge, const struct remora_endpoint *endpoint,
                 struct remora_exclusion *out);
/*
 * Judges the candidates that `order` names, `count` of them, of the model that the judge has turned to; keeps in `order`
 * those that stay, in the order in which they are tried. How many do; the others say why not. sorting->candidates are
 * these.
 */
size_t route_narrow(const struct remora_judge *judge, const struct remora_strategy_input *sorting,
                    struct remora_candidate *candidates, uint16_t *order, size_t count);

#endif
