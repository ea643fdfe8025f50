/*
 * A plan while it is carried out: what health takes out behind its back, and what was passed over without an attempt. A
 * fallback that cost no attempt is told like any other (ARCHITECTURE 1 "Never silent").
 */
#include "verdict.h"

enum remora_rule remora_condition_rule(enum remora_condition condition)
{
    switch (condition) {
    case REMORA_CONDITION_WELL:
    case REMORA_CONDITION_PROBE:
        return REMORA_RULE_NONE;
    case REMORA_CONDITION_COOLING:
        return REMORA_RULE_COOLING;
    case REMORA_CONDITION_GONE:
        return REMORA_RULE_MODEL_GONE;
    case REMORA_CONDITION_BREAKER_OPEN:
        return REMORA_RULE_BREAKER_OPEN;
    case REMORA_CONDITION_BENCHED:
        return REMORA_RULE_CREDENTIAL_BENCHED;
    }
    return REMORA_RULE_NONE;
}

/* Positions count what may be tried: whoever stood behind the place that goes moves up. */
static void close_gap(struct remora_plan *plan, uint16_t place)
{
    for (size_t i = 0; i < plan->candidate_count; i++) {
        struct remora_candidate *other = &plan->candidates[i];
        other->position = (uint16_t)(other->position - (other->position > place));
        other->behind = (uint16_t)(other->behind - (other->behind >= place));
    }
}

void remora_plan_pass_over(struct remora_plan *plan, size_t candidate, enum remora_rule rule,
                           uint64_t until_ns)
{
    struct remora_candidate *out = &plan->candidates[candidate];
    struct remora_plan_model *model = &plan->models[out->model];
    if (out->exclusion.rule != REMORA_RULE_NONE) {
        return;
    }
    out->exclusion = (struct remora_exclusion){.rule = rule, .layer = REMORA_LAYER_HEALTH};
    out->until_ns = until_ns;
    uint16_t place = out->position;
    out->position = 0;
    close_gap(plan, place);
    out->behind = (uint16_t)(place - 1);
    model->usable--;
    if (model->usable == 0) {
        model->code = route_model_code(&plan->candidates[model->first], model->count);
    }
}

size_t remora_plan_usable(const struct remora_plan *plan)
{
    size_t usable = 0;
    for (size_t i = 0; i < plan->model_count; i++) {
        usable += plan->models[i].usable;
    }
    return usable;
}

/* ---- what was passed over ---- */

struct skipping {
    const struct remora_plan *plan;
    struct remora_skipped *out;
    size_t count;
};

static void add(struct skipping *s, const struct remora_skipped *one)
{
    if (s->count < REMORA_SKIPPED_MAX) {
        s->out[s->count] = *one;
    }
    s->count++;
}

static void add_resting(struct skipping *s, const struct remora_candidate *candidate)
{
    const struct remora_skipped one = {
        .model = candidate->endpoint->model->facts.id,
        .endpoint = candidate->endpoint,
        .code = remora_rule_family(candidate->exclusion.rule),
        .exclusion = candidate->exclusion,
    };
    add(s, &one);
}

/* The rule and layer that all candidates of the model are out by; none when they differ. */
static struct remora_exclusion common_rule(const struct remora_plan *plan,
                                           const struct remora_plan_model *m)
{
    struct remora_exclusion common = {0};
    for (size_t i = 0; i < m->count; i++) {
        const struct remora_exclusion *one = &plan->candidates[m->first + i].exclusion;
        if (i == 0) {
            common = *one;
        }
        if (one->rule != common.rule || one->layer != common.layer ||
            one->subject != common.subject) {
            return (struct remora_exclusion){0};
        }
    }
    return common;
}

static void add_model(struct skipping *s, const struct remora_plan_model *m)
{
    bool is_asked = m->resolved.length == 0;
    const struct remora_skipped one = {
        .model = is_asked ? m->asked : m->resolved,
        .is_asked = is_asked,
        .code = m->code,
        .exclusion = common_rule(s->plan, m),
    };
    add(s, &one);
}

/* Those of a model that rest and stood before `position` (of all models). How many. */
static size_t add_resting_before(struct skipping *s, const struct remora_plan_model *m,
                                 uint16_t position)
{
    size_t before = s->count;
    for (size_t i = 0; i < m->count; i++) {
        const struct remora_candidate *candidate = &s->plan->candidates[m->first + i];
        if (candidate->exclusion.layer == REMORA_LAYER_HEALTH && candidate->behind < position) {
            add_resting(s, candidate);
        }
    }
    return s->count - before;
}

static const struct remora_candidate *candidate_of(const struct remora_plan *plan,
                                                   const struct remora_endpoint *endpoint)
{
    for (size_t i = 0; i < plan->order_count; i++) {
        const struct remora_candidate *candidate = &plan->candidates[plan->order[i]];
        if (candidate->endpoint == endpoint) {
            return candidate;
        }
    }
    return NULL;
}

size_t remora_plan_skipped(const struct remora_plan *plan, const struct remora_endpoint *served,
                           struct remora_skipped out[REMORA_SKIPPED_MAX])
{
    struct skipping s = {.plan = plan, .out = out};
    const struct remora_candidate *end = served == NULL ? NULL : candidate_of(plan, served);
    size_t models = end == NULL ? plan->model_count : end->model + 1u;
    uint16_t position = end == NULL ? UINT16_MAX : end->position;
    for (size_t i = 0; i < models; i++) {
        const struct remora_plan_model *m = &plan->models[i];
        if (add_resting_before(&s, m, position) == 0 && m->usable == 0) {
            add_model(&s, m);
        }
    }
    return s.count;
}
