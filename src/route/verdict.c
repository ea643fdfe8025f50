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

struct tally {
    size_t cooling;
    size_t broken;
    size_t benched;
    size_t gone;
    size_t refused; /* by the allow list */
    size_t reasons; /* cannot leave out what the request wants left out */
    enum remora_code family;
    bool has_several;
};

bool route_always_reasons(const struct remora_exclusion *exclusion)
{
    return exclusion->rule == REMORA_RULE_SUPPORTED_PARAMETERS &&
           remora_slice_is(remora_slice_of(exclusion->subject),
                           remora_parameter_name(REMORA_PARAMETER_REASONING));
}

static void tally_add(struct tally *tally, const struct remora_exclusion *exclusion)
{
    tally->cooling += exclusion->rule == REMORA_RULE_COOLING;
    tally->broken += exclusion->rule == REMORA_RULE_BREAKER_OPEN;
    tally->benched += exclusion->rule == REMORA_RULE_CREDENTIAL_BENCHED;
    tally->gone += exclusion->rule == REMORA_RULE_MODEL_GONE;
    tally->refused += exclusion->rule == REMORA_RULE_MODEL_ALLOW_LIST;
    tally->reasons += route_always_reasons(exclusion);
    enum remora_code family = remora_rule_family(exclusion->rule);
    if (tally->family == REMORA_OK) {
        tally->family = family;
    }
    tally->has_several = tally->has_several || tally->family != family;
}

/* What time alone heals; REMORA_OK: nothing. */
static enum remora_code resting_code(const struct tally *tally)
{
    if (tally->broken != 0) {
        return REMORA_UPSTREAM_OVERLOADED;
    }
    return tally->cooling != 0 ? REMORA_CAPACITY_EXHAUSTED : REMORA_OK;
}

enum remora_code route_model_code(const struct remora_candidate *candidates, size_t count)
{
    struct tally tally = {0};
    for (size_t i = 0; i < count; i++) {
        tally_add(&tally, &candidates[i].exclusion);
    }
    if (resting_code(&tally) != REMORA_OK) {
        return resting_code(&tally);
    }
    if (tally.benched != 0) {
        return REMORA_UPSTREAM_CREDENTIAL;
    }
    if (tally.gone != 0) {
        return REMORA_MODEL_UNAVAILABLE_UPSTREAM;
    }
    if (tally.refused != 0) {
        return REMORA_MODEL_NOT_ALLOWED;
    }
    if (tally.reasons != 0) {
        return REMORA_INVALID_REQUEST; /* they pass all else: it is the wish that nobody grants */
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

bool remora_plan_is_made(enum remora_code code)
{
    return code != REMORA_INVALID_REQUEST && code != REMORA_UNIMPLEMENTED &&
           code != REMORA_TOO_LARGE && code != REMORA_SHEDDING;
}

/* ---- words ---- */

static bool is_same(const struct remora_exclusion *a, const struct remora_exclusion *b)
{
    return a->rule == b->rule &&
           (a->subject == b->subject ||
            remora_slice_equal(remora_slice_of(a->subject), remora_slice_of(b->subject)));
}

size_t remora_plan_rules(const struct remora_candidate *candidates, size_t count,
                         struct remora_rule_count out[REMORA_RULES_TOLD])
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const struct remora_exclusion *one = &candidates[i].exclusion;
        size_t at = 0;
        if (one->rule == REMORA_RULE_NONE) {
            continue;
        }
        while (at < used && !is_same(&out[at].exclusion, one)) {
            at++;
        }
        if (at == used && used < REMORA_RULES_TOLD) {
            out[used++] = (struct remora_rule_count){.exclusion = *one};
        }
        if (at < used) {
            out[at].count++;
        }
    }
    return used;
}

/* "ignored_provider (2), max_price:prompt (1)"; ends before the first that finds no room. */
static void list_rules(const struct remora_candidate *candidates, size_t count, char *out,
                       size_t capacity)
{
    struct remora_rule_count rules[REMORA_RULES_TOLD];
    size_t told = remora_plan_rules(candidates, count, rules);
    size_t length = 0;
    for (size_t i = 0; i < told; i++) {
        const struct remora_exclusion *one = &rules[i].exclusion;
        int written = snprintf(out + length, capacity - length, "%s%s%s (%zu)",
                               length == 0 ? "" : ", ", remora_rule_name(one->rule),
                               one->subject == NULL ? "" : one->subject, rules[i].count);
        if ((size_t)written >= capacity - length) {
            out[length] = '\0';
            return;
        }
        length += (size_t)written;
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
    char shown[ROUTE_SHOWN_BYTES];
    remora_fail_set(fail, code, NULL, "no endpoint of '%s' can be tried: %s",
                    route_shown(m->asked, shown), rules);
    if (remora_code_row(code)->fail_class == REMORA_CLASS_TRANSIENT) {
        fail->retry_after_ms = retry_after_ms(plan, now_ns);
    }
}

/* "low, medium or high"; empty when nobody knows. */
static void list_efforts(remora_effort_set has, char *out, size_t capacity)
{
    size_t length = 0;
    out[0] = '\0';
    has &= (remora_effort_set)~remora_effort_bit(REMORA_EFFORT_NONE);
    for (int effort = REMORA_EFFORT_MINIMAL; effort <= (int)REMORA_EFFORT_MAX; effort++) {
        remora_effort_set bit = remora_effort_bit((enum remora_effort)effort);
        if ((has & bit) == 0) {
            continue;
        }
        has &= (remora_effort_set)~bit;
        const char *between = length == 0 ? "" : has == 0 ? " or " : ", ";
        int written = snprintf(out + length, capacity - length, "%s%s", between,
                               remora_effort_name((enum remora_effort)effort));
        length += (size_t)written;
    }
}

void route_explain_reasoning(const struct remora_plan *plan, size_t model,
                             const struct remora_reasoning_options *asked, struct remora_fail *fail)
{
    const struct remora_plan_model *m = &plan->models[model];
    bool is_effort = asked->effort == REMORA_EFFORT_NONE;
    const char *effort = asked->is_shorthand ? "reasoning_effort" : "reasoning.effort";
    const char *field = is_effort ? effort : "reasoning.enabled";
    remora_effort_set has = 0;
    char efforts[64];
    for (size_t i = 0; i < m->count; i++) {
        const struct remora_candidate *candidate = &plan->candidates[m->first + i];
        has |= route_always_reasons(&candidate->exclusion) ? candidate->endpoint->facts.efforts : 0;
    }
    list_efforts(has, efforts, sizeof efforts);
    char shown[ROUTE_SHOWN_BYTES];
    remora_fail_set(fail, REMORA_INVALID_REQUEST, field, "'%s' always reasons; leave %s out%s%s%s",
                    route_shown(m->asked, shown), field, efforts[0] == '\0' ? "" : ", or ask for ",
                    efforts[0] == '\0' ? "" : "reasoning effort ", efforts);
}

/* ---- while it is carried out ---- */

enum remora_code remora_plan_verdict(const struct remora_plan *plan, uint64_t now_ns,
                                     struct remora_fail *fail)
{
    size_t model;
    enum remora_code code = route_plan_code(plan, &model);
    route_explain(plan, model, code, now_ns, fail);
    return code;
}

enum remora_code remora_plan_rest(const struct remora_plan *plan, uint64_t now_ns,
                                  struct remora_fail *fail)
{
    struct tally tally = {0};
    for (size_t i = 0; i < plan->candidate_count; i++) {
        tally_add(&tally, &plan->candidates[i].exclusion);
    }
    enum remora_code code = resting_code(&tally);
    if (code != REMORA_OK) {
        remora_fail_set(fail, code, NULL,
                        "what could be tried has failed, %zu endpoints of the plan rest",
                        tally.cooling + tally.broken);
        fail->retry_after_ms = retry_after_ms(plan, now_ns);
    }
    return code;
}
