/*
 * The one code that stands for many endpoints that are out (codes.md, below the table of outcomes).
 *
 * Of one model: if health alone holds some back, those are "the candidates left", and health gives the code; else one
 * family of rules gives its own, several give CONSTRAINT_FILTERED. A model that the policy refuses is MODEL_NOT_ALLOWED
 * whatever else its endpoints lack.
 * Of several models: transient before lasting before the caller's fault; among lasting ones the first, for the caller's
 * fault the primary model.
 */
#include "verdict.h"

#include <stdio.h>

#include "names.h"

enum { RULES_TOLD = 8 };

struct tally {
    size_t cooling;
    size_t broken;
    size_t benched;
    size_t refused; /* by the allow list */
    enum remora_code family;
    bool has_several;
};

static void tally_add(struct tally *tally, const struct remora_exclusion *exclusion)
{
    tally->cooling += exclusion->rule == REMORA_RULE_COOLING;
    tally->broken += exclusion->rule == REMORA_RULE_BREAKER_OPEN;
    tally->benched += exclusion->rule == REMORA_RULE_CREDENTIAL_BENCHED;
    tally->refused += exclusion->rule == REMORA_RULE_MODEL_ALLOW_LIST;
    enum remora_code family = remora_rule_family(exclusion->rule);
    if (tally->family == REMORA_OK) {
        tally->family = family;
    }
    tally->has_several = tally->has_several || tally->family != family;
}

enum remora_code route_model_code(const struct remora_candidate *candidates, size_t count)
{
    struct tally tally = {0};
    for (size_t i = 0; i < count; i++) {
        tally_add(&tally, &candidates[i].exclusion);
    }
    if (tally.broken != 0) {
        return REMORA_UPSTREAM_OVERLOADED;
    }
    if (tally.cooling != 0) {
        return REMORA_CAPACITY_EXHAUSTED;
    }
    if (tally.benched != 0) {
        return REMORA_UPSTREAM_CREDENTIAL;
    }
    if (tally.refused != 0) {
        return REMORA_MODEL_NOT_ALLOWED;
    }
    if (count == 0) {
        return REMORA_NO_ENDPOINTS;
    }
    return tally.has_several ? REMORA_CONSTRAINT_FILTERED : tally.family;
}

/* The first model of this class, or model_count. */
static size_t first_of_class(const struct remora_plan *plan, enum remora_fail_class fail_class)
{
    for (size_t i = 0; i < plan->model_count; i++) {
        if (remora_code_row(plan->models[i].code)->fail_class == fail_class) {
            return i;
        }
    }
    return plan->model_count;
}

/* All 429: 429; else 503. */
static enum remora_code transient_code(const struct remora_plan *plan)
{
    for (size_t i = 0; i < plan->model_count; i++) {
        if (plan->models[i].code == REMORA_UPSTREAM_OVERLOADED) {
            return REMORA_UPSTREAM_OVERLOADED;
        }
    }
    return REMORA_CAPACITY_EXHAUSTED;
}

enum remora_code route_plan_code(const struct remora_plan *plan, size_t *deciding)
{
    *deciding = first_of_class(plan, REMORA_CLASS_TRANSIENT);
    if (*deciding < plan->model_count) {
        return transient_code(plan);
    }
    *deciding = first_of_class(plan, REMORA_CLASS_LASTING);
    if (*deciding == plan->model_count) {
        *deciding = 0;
    }
    return plan->models[*deciding].code;
}

/* ---- words ---- */

static bool is_same(const struct remora_exclusion *a, const struct remora_exclusion *b)
{
    return a->rule == b->rule && a->subject == b->subject;
}

/* "ignored_provider (2), max_price:prompt (1)", cut after eight. */
static void list_rules(const struct remora_candidate *candidates, size_t count, char *out,
                       size_t capacity)
{
    size_t length = 0;
    size_t told = 0;
    for (size_t i = 0; i < count && told < RULES_TOLD; i++) {
        const struct remora_exclusion *one = &candidates[i].exclusion;
        size_t same = 0;
        bool is_first = true;
        for (size_t at = 0; at < count; at++) {
            bool equal = is_same(one, &candidates[at].exclusion);
            is_first = is_first && !(equal && at < i);
            same += equal;
        }
        if (!is_first || length >= capacity) {
            continue;
        }
        const char *subject = one->subject == NULL ? "" : one->subject;
        length +=
            (size_t)snprintf(out + length, capacity - length, "%s%s%s (%zu)", told == 0 ? "" : ", ",
                             remora_rule_name(one->rule), subject, same);
        told++;
    }
}

/* The soonest that any endpoint of the plan may be well again, in ms from now; -1 when time alone heals none. */
static int64_t retry_after_ms(const struct remora_plan *plan, uint64_t now_ns)
{
    uint64_t soonest_ns = REMORA_NEVER_NS;
    for (size_t i = 0; i < plan->candidate_count; i++) {
        const struct remora_candidate *candidate = &plan->candidates[i];
        bool heals = candidate->exclusion.rule == REMORA_RULE_COOLING ||
                     candidate->exclusion.rule == REMORA_RULE_BREAKER_OPEN;
        if (heals && candidate->until_ns < soonest_ns) {
            soonest_ns = candidate->until_ns;
        }
    }
    if (soonest_ns == REMORA_NEVER_NS) {
        return -1;
    }
    uint64_t wait_ns = soonest_ns > now_ns ? soonest_ns - now_ns : 0;
    return (int64_t)((wait_ns + REMORA_NS_PER_MS - 1) / REMORA_NS_PER_MS);
}

void route_explain(const struct remora_plan *plan, size_t model, enum remora_code code,
                   uint64_t now_ns, struct remora_fail *fail)
{
    if (fail == NULL || fail->code != REMORA_OK) {
        return;
    }
    const struct remora_plan_model *m = &plan->models[model];
    char rules[200] = "it has none";
    list_rules(&plan->candidates[m->first], m->count, rules, sizeof(rules));
    struct remora_slice shown = route_shown(m->asked);
    remora_fail_set(fail, code, NULL, "no endpoint of '%.*s' can be tried: %s",
                    REMORA_SLICE_ARG(shown), rules);
    if (remora_code_row(code)->fail_class == REMORA_CLASS_TRANSIENT) {
        fail->retry_after_ms = retry_after_ms(plan, now_ns);
    }
}
