/*
 * The strategy "order": what the list names, in its order; then the configuration's own endpoints as written; then the
 * catalog's by price (ARCHITECTURE 8 "Order of endpoints"). The snapshot holds a model's endpoints in the order of the last
 * two already, so what is left is to move what the list names to the front, keeping the order otherwise.
 */
#include "order.h"

#include <assert.h>

#include "remora/limits.h"

/* By the place of the first slug that names each, behind all where none does. By insertion: stable, and one pass over what is in order already. */
void route_sort_order(const struct remora_strategy_input *input, uint16_t *order, size_t count)
{
    uint16_t ranks[REMORA_LIMIT_CANDIDATES];
    const struct remora_slices *list = input->policy->order;
    assert(count <= REMORA_LIMIT_CANDIDATES);
    if (list == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t candidate = order[i];
        const struct remora_endpoint_facts *facts = &input->candidates[candidate].endpoint->facts;
        uint16_t rank = (uint16_t)remora_slugs_find(list, facts->provider, facts->tag);
        size_t at = i;
        while (at > 0 && ranks[at - 1] > rank) {
            ranks[at] = ranks[at - 1];
            order[at] = order[at - 1];
            at--;
        }
        ranks[at] = rank;
        order[at] = candidate;
    }
}
