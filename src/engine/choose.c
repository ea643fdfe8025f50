/*
 * Which candidate comes next: the plan's order under the attempt limits and what the failures so far have shown.
 * Each endpoint at most once, or once with each key of its provider while keys are refused. Sources: ARCHITECTURE 6 "Attempts" and "Classes"; design/codes.md, columns "next".
 */
#include "exchange_private.h"

/* Models behind the current one that still have a candidate: one attempt is kept for each. */
static int32_t models_to_come(const struct remora_exchange *x, size_t from)
{
    int32_t count = 0;
    int32_t last = -1;
    for (size_t i = from; i < x->plan->order_count; i++) {
        int32_t model = x->plan->candidates[x->plan->order[i]].model;
        if (model != x->model_at && model != last) {
            count++;
            last = model;
        }
    }
    return count;
}

static int32_t attempts_allowed(const struct remora_exchange *x)
{
    int32_t allowed = x->config->attempts_per_request;
    if (x->plan->policy.max_attempts > 0 && x->plan->policy.max_attempts < allowed) {
        allowed = x->plan->policy.max_attempts;
    }
    return allowed < REMORA_LIMIT_ATTEMPTS ? allowed : REMORA_LIMIT_ATTEMPTS;
}

/* What earlier failures of the same model ask of an endpoint. */
static bool suits(const struct remora_exchange *x, const struct remora_endpoint *endpoint)
{
    if (x->window_over > 0 && endpoint->facts.context_length <= x->window_over) {
        return false;
    }
    if (x->refusals == 0) {
        return true;
    }
    return x->refusals < 2 && !remora_slice_equal(x->refused_by, endpoint->facts.provider);
}

/*
 * Health may have changed since the plan; a half-open endpoint is for whoever claims the probe. NONE: the slot may be used,
 * *is_probe: by a claim; else why not, and until when.
 */
static enum remora_rule rests(struct remora_exchange *x, uint32_t slot, uint64_t *until_ns,
                              bool *is_probe)
{
    struct remora_health *health = x->engine->use.health;
    uint64_t now = exchange_now(x);
    enum remora_condition condition = remora_health_condition(health, slot, now, until_ns);
    *is_probe = condition == REMORA_CONDITION_PROBE && remora_health_claim_probe(health, slot, now);
    if (condition == REMORA_CONDITION_PROBE && !*is_probe) {
        condition = remora_health_condition(health, slot, now, until_ns); /* another has it */
    }
    return remora_condition_rule(condition);
}

static void release(struct remora_exchange *x, uint32_t slot, bool *is_probe)
{
    if (*is_probe) {
        remora_health_release_probe(x->engine->use.health, slot, exchange_now(x));
        *is_probe = false;
    }
}

void choose_release(struct remora_exchange *x, const struct remora_endpoint *endpoint)
{
    release(x, endpoint->health, &x->probes_endpoint);
}

void choose_release_key(struct remora_exchange *x, const struct remora_credential *credential)
{
    if (credential != NULL) {
        release(x, credential->health, &x->probes_key);
    }
}

/* Told like a failure, unless the candidate was tried: then its attempt has told already. */
static void pass_over(struct remora_exchange *x, const struct remora_candidate *candidate,
                      enum remora_rule rule, uint64_t until_ns)
{
    if (candidate != x->candidate) {
        remora_plan_pass_over(x->plan, (size_t)(candidate - x->plan->candidates), rule, until_ns);
    }
}

static bool is_well(struct remora_exchange *x, const struct remora_candidate *candidate)
{
    uint64_t until_ns = 0;
    enum remora_rule rule = rests(x, candidate->endpoint->health, &until_ns, &x->probes_endpoint);
    if (rule != REMORA_RULE_NONE) {
        pass_over(x, candidate, rule, until_ns);
    }
    return rule == REMORA_RULE_NONE;
}

bool choose_credential(struct remora_exchange *x, const struct remora_candidate *candidate,
                       const struct remora_credential **out)
{
    const struct remora_provider *provider = candidate->endpoint->provider;
    uint64_t soonest_ns = REMORA_NEVER_NS;
    *out = NULL;
    x->probes_key = false;
    if (!provider->needs_credential && provider->credential_count == 0) {
        return true;
    }
    for (size_t i = 0; i < provider->credential_count; i++) {
        uint64_t until_ns = 0;
        if (rests(x, provider->credentials[i].health, &until_ns, &x->probes_key) ==
            REMORA_RULE_NONE) {
            *out = &provider->credentials[i];
            return true;
        }
        soonest_ns = until_ns < soonest_ns ? until_ns : soonest_ns;
    }
    choose_release(x, candidate->endpoint);
    pass_over(x, candidate, REMORA_RULE_CREDENTIAL_BENCHED, soonest_ns);
    return false;
}

static void enter_model(struct remora_exchange *x, uint16_t model)
{
    x->model_at = model;
    x->attempts_of_model = 0;
    x->refusals = 0;
    x->window_over = 0;
}

/* The first attempt of a model goes before what is kept for those behind it: where there is too little, the last go without. */
static bool has_room(const struct remora_exchange *x)
{
    int32_t kept = x->attempts_of_model == 0 ? 0 : models_to_come(x, x->order_at);
    return x->attempts_of_model < x->config->attempts_per_model &&
           (int32_t)x->outcome.attempt_count + kept < attempts_allowed(x);
}

const struct remora_candidate *choose_next(struct remora_exchange *x)
{
    const struct remora_plan *plan = x->plan;
    while (x->order_at < plan->order_count) {
        const struct remora_candidate *candidate = &plan->candidates[plan->order[x->order_at]];
        if (candidate->model != x->model_at) {
            enter_model(x, candidate->model);
        }
        x->refused_keys = candidate == x->candidate ? x->refused_keys : 0;
        x->order_at++;
        if (has_room(x) && suits(x, candidate->endpoint) && is_well(x, candidate)) {
            return candidate;
        }
    }
    return NULL;
}

/* Skips what is left of the current model. */
static void leave_model(struct remora_exchange *x)
{
    while (x->order_at < x->plan->order_count &&
           x->plan->candidates[x->plan->order[x->order_at]].model == x->model_at) {
        x->order_at++;
    }
}

/* Another endpoint of the model, behind the one just tried, that could be asked now. */
static bool has_other_endpoint(const struct remora_exchange *x)
{
    const struct remora_health *health = x->engine->use.health;
    for (size_t i = x->order_at; i < x->plan->order_count; i++) {
        const struct remora_candidate *other = &x->plan->candidates[x->plan->order[i]];
        uint64_t until = 0;
        enum remora_condition condition =
            remora_health_condition(health, other->endpoint->health, exchange_now(x), &until);
        bool is_usable = condition == REMORA_CONDITION_WELL || condition == REMORA_CONDITION_PROBE;
        if (other->model == x->model_at && is_usable && suits(x, other->endpoint)) {
            return true;
        }
    }
    return false;
}

/*
 * Whether the endpoint whose key was refused is asked again with its next key. Not when the place is needed by another
 * endpoint of the model, which gets its turn after two refused keys at the latest.
 */
static bool may_try_next_key(struct remora_exchange *x, const struct remora_endpoint *endpoint)
{
    if (endpoint->provider->credential_count < 2) {
        return false;
    }
    x->refused_keys++;
    if (!has_other_endpoint(x)) {
        return true;
    }
    int32_t spent = (int32_t)x->outcome.attempt_count + models_to_come(x, x->order_at);
    return x->refused_keys < 2 && x->attempts_of_model + 1 < x->config->attempts_per_model &&
           spent + 1 < attempts_allowed(x);
}

void choose_after(struct remora_exchange *x, const struct remora_candidate *candidate,
                  enum remora_code code)
{
    const struct remora_code_row *row = remora_code_row(code);
    switch (row->next_endpoint) {
    case REMORA_NEXT_YES:
        if (row->effect == REMORA_EFFECT_BENCHES_KEY && may_try_next_key(x, candidate->endpoint)) {
            x->order_at--; /* the same endpoint with its next key; without one it is passed over */
        }
        return;
    case REMORA_NEXT_LARGER_WINDOW:
        if (candidate->endpoint->facts.context_length > x->window_over) {
            x->window_over = candidate->endpoint->facts.context_length;
        }
        if (x->window_over == 0) {
            leave_model(x); /* nobody's window is known to be larger than an unknown one */
        }
        return;
    case REMORA_NEXT_OTHER_PROVIDER:
        x->refusals++;
        x->refused_by = candidate->endpoint->facts.provider;
        return;
    case REMORA_NEXT_NEVER:
        if (row->next_model) {
            leave_model(x);
        } else {
            x->order_at = x->plan->order_count;
        }
        return;
    }
}
