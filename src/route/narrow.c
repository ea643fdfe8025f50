/*
 * One model's endpoints -> those that may be tried, in order: judged by policy, kept if a layer's `allow_fallbacks: false`
 * keeps them, sorted by the strategy, and the first alone where a layer allows no fallback and names no order.
 *
 * not_in_order is asked before health, as the table of rules has it: a single endpoint that the caller insists on is not
 * replaced by the second best because it is cooling. "The first of the final order" is per model, since fallback to
 * another model is `models`' own (openrouter.md sections 4 and 7).
 *
 * The plan of a request begins with it; a shortlist is the same of a request that asks for nothing, for whoever shows the
 * catalog. Neither can fail but for the arena.
 */
#include "narrow.h"

#include "remora/limits.h"

static bool is_listed(const struct remora_slices *list, const struct remora_endpoint *endpoint)
{
    return remora_slugs_find(list, endpoint->facts.provider, endpoint->facts.tag) < list->count;
}

/* The outermost layer that insists on its order and does not list the endpoint. */
static enum remora_layer unlisted_by(const struct remora_judge *judge,
                                     const struct remora_endpoint *endpoint)
{
    for (size_t i = 0; i < judge->layer_count; i++) {
        const struct remora_preferences *p = &judge->layers[i]->provider;
        if (p->allow_fallbacks == REMORA_NO && p->order.count != 0 &&
            !is_listed(&p->order, endpoint)) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

/* The outermost layer that allows no fallback and names no order: only the first stays. */
static enum remora_layer first_only_by(const struct remora_judge *judge)
{
    for (size_t i = 0; i < judge->layer_count; i++) {
        const struct remora_preferences *p = &judge->layers[i]->provider;
        if (p->allow_fallbacks == REMORA_NO && p->order.count == 0) {
            return judge->layer_names[i];
        }
    }
    return REMORA_LAYER_UNSET;
}

static void exclude(struct remora_exclusion *out, enum remora_layer layer)
{
    if (layer != REMORA_LAYER_UNSET) {
        *out = (struct remora_exclusion){.rule = REMORA_RULE_NOT_IN_ORDER, .layer = layer};
    }
}

void route_judge(const struct remora_judge *judge, const struct remora_endpoint *endpoint,
                 struct remora_exclusion *out)
{
    remora_policy_judge(judge, endpoint, out);
    if (out->rule == REMORA_RULE_NONE) {
        exclude(out, unlisted_by(judge, endpoint));
    }
}

/* Keeps the first alone where a layer says so. How many stay. */
static size_t keep_first(const struct remora_judge *judge, struct remora_candidate *candidates,
                         const uint16_t *order, size_t count)
{
    enum remora_layer layer = first_only_by(judge);
    if (layer == REMORA_LAYER_UNSET) {
        return count;
    }
    for (size_t i = 1; i < count; i++) {
        exclude(&candidates[order[i]].exclusion, layer);
    }
    return 1;
}

size_t route_narrow(const struct remora_judge *judge, const struct remora_strategy_input *sorting,
                    struct remora_candidate *candidates, uint16_t *order, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct remora_candidate *candidate = &candidates[order[i]];
        route_judge(judge, candidate->endpoint, &candidate->exclusion);
        if (candidate->exclusion.rule == REMORA_RULE_NONE) {
            order[kept++] = order[i];
        }
    }
    remora_strategy_for(sorting->policy)->sort(sorting, order, kept);
    return kept < 2 ? kept : keep_first(judge, candidates, order, kept);
}

/* ---- shortlists ---- */

enum remora_code remora_shortlist_init(struct remora_shortlist *list,
                                       const struct remora_policy_stack *stack, size_t room,
                                       struct remora_arena *arena)
{
    room = room < REMORA_LIMIT_CANDIDATES ? room : REMORA_LIMIT_CANDIDATES;
    *list = (struct remora_shortlist){
        .candidates = remora_arena_array(arena, room + 1, sizeof *list->candidates),
        .order = remora_arena_array(arena, room + 1, sizeof *list->order),
        .room = room,
    };
    if (list->candidates == NULL || list->order == NULL) {
        return arena->failed;
    }
    remora_request_init(&list->request);
    remora_policy_merge(stack, &list->policy);
    remora_judge_init(&list->judge, stack, &list->request);
    return REMORA_OK;
}

void remora_shortlist_model(struct remora_shortlist *list, const struct remora_model *model,
                            enum remora_variant variant)
{
    const struct remora_strategy_input sorting = {
        .request = &list->request, .policy = &list->policy, .candidates = list->candidates};
    list->count = model->endpoint_count < list->room ? model->endpoint_count : list->room;
    for (size_t i = 0; i < list->count; i++) {
        list->candidates[i] = (struct remora_candidate){.endpoint = &model->endpoints[i]};
        list->order[i] = (uint16_t)i;
    }
    remora_judge_model(&list->judge, model, variant);
    list->usable = route_narrow(&list->judge, &sorting, list->candidates, list->order, list->count);
}
