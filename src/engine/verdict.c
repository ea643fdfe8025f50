/*
 * What the caller is told when no candidate is left. Source: design/codes.md, the paragraph below the table: the first
 * class present among transient, lasting, the caller's fault; among transient ones all 429: 429, all time-outs: 504, any
 * 5xx or 429 among others: 503, else 502. What was passed over without an attempt counts where no attempt says more.
 */
#include "exchange_private.h"

void verdict_note(struct remora_exchange *x, const struct remora_fail *fail)
{
    if (fail->retry_after_ms >= 0 &&
        (x->retry_after_ms < 0 || fail->retry_after_ms < x->retry_after_ms)) {
        x->retry_after_ms = fail->retry_after_ms;
    }
    enum remora_fail_class now = remora_code_row(fail->code)->fail_class;
    enum remora_fail_class lead = remora_code_row(x->lead.code)->fail_class;
    if (x->lead.code == REMORA_OK || now < lead) {
        x->lead = *fail;
    }
}

static enum remora_code transient_code(const struct remora_exchange *x)
{
    size_t limited = 0;
    size_t late = 0;
    size_t overloaded = 0;
    size_t all = 0;
    for (size_t i = 0; i < x->outcome.attempt_count; i++) {
        enum remora_code code = x->outcome.attempts[i].code;
        if (remora_code_row(code)->fail_class != REMORA_CLASS_TRANSIENT) {
            continue;
        }
        all++;
        limited += code == REMORA_CAPACITY_EXHAUSTED ? 1 : 0;
        late += code == REMORA_UPSTREAM_TIMEOUT ? 1 : 0;
        overloaded += code == REMORA_UPSTREAM_OVERLOADED ? 1 : 0;
    }
    if (all == 0) {
        return x->lead.code;
    }
    if (limited == all) {
        return REMORA_CAPACITY_EXHAUSTED;
    }
    if (late == all) {
        return REMORA_UPSTREAM_TIMEOUT;
    }
    return limited + overloaded > 0 ? REMORA_UPSTREAM_OVERLOADED : REMORA_UPSTREAM_UNAVAILABLE;
}

static const struct remora_candidate *candidate_of(const struct remora_plan *plan,
                                                   const struct remora_attempt *attempt)
{
    for (size_t i = 0; i < plan->candidate_count; i++) {
        const struct remora_candidate *one = &plan->candidates[i];
        if (remora_slice_equal(one->endpoint->facts.tag, attempt->endpoint_tag) &&
            remora_slice_equal(one->endpoint->model->facts.id, attempt->model)) {
            return one;
        }
    }
    return NULL;
}

/* Whether a failed attempt rules out an endpoint that stands behind it. *refusals: of its model so far. */
static bool bars(const struct remora_attempt *attempt, const struct remora_candidate *tried,
                 const struct remora_candidate *rest, unsigned *refusals)
{
    const struct remora_code_row *row = remora_code_row(attempt->code);
    bool is_same_model = tried->model == rest->model;
    switch (row->next_endpoint) {
    case REMORA_NEXT_YES:
        return false;
    case REMORA_NEXT_LARGER_WINDOW: {
        int64_t window = tried->endpoint->facts.context_length;
        return is_same_model && (window == 0 || rest->endpoint->facts.context_length <= window);
    }
    case REMORA_NEXT_OTHER_PROVIDER:
        *refusals += is_same_model ? 1 : 0;
        return *refusals > 1 || (is_same_model && remora_slice_equal(rest->endpoint->facts.provider,
                                                                     attempt->provider));
    case REMORA_NEXT_NEVER:
        return is_same_model || !row->next_model;
    }
    return false;
}

/* Whether an endpoint that rests would have been asked, had it been well: what was tried before it lets it have its turn. */
static bool had_a_turn(const struct remora_exchange *x, const struct remora_candidate *rest)
{
    unsigned refusals = 0;
    for (size_t i = 0; i < x->outcome.attempt_count; i++) {
        const struct remora_attempt *attempt = &x->outcome.attempts[i];
        const struct remora_candidate *tried = candidate_of(x->plan, attempt);
        if (tried != NULL && tried->position <= rest->behind &&
            bars(attempt, tried, rest, &refusals)) {
            return false;
        }
    }
    return true;
}

static bool may_rest_help(const struct remora_exchange *x)
{
    for (size_t i = 0; i < x->plan->candidate_count; i++) {
        const struct remora_candidate *one = &x->plan->candidates[i];
        bool heals = one->exclusion.rule == REMORA_RULE_COOLING ||
                     one->exclusion.rule == REMORA_RULE_BREAKER_OPEN;
        if (heals && had_a_turn(x, one)) {
            return true;
        }
    }
    return false;
}

/*
 * Nothing was tried: health took out what the plan had left, and gives the reason. Where all that was tried failed for a
 * lasting cause or the caller's fault, endpoints that only rest are the transient class: a retry may help. Where the
 * request was refused, only those count that would have been asked after that.
 */
static void judge_rest(const struct remora_exchange *x, struct remora_fail *out)
{
    struct remora_fail rest = REMORA_FAIL_INIT;
    uint64_t now = exchange_now(x);
    if (out->code == REMORA_OK) {
        (void)remora_plan_verdict(x->plan, now, &rest);
        *out = rest;
        return;
    }
    const struct remora_code_row *row = remora_code_row(out->code);
    bool is_lasting =
        row->fail_class == REMORA_CLASS_LASTING && row->next_endpoint == REMORA_NEXT_YES;
    bool is_caller_s = row->fail_class == REMORA_CLASS_CALLER && may_rest_help(x);
    if ((is_lasting || is_caller_s) && remora_plan_rest(x->plan, now, &rest) != REMORA_OK) {
        *out = rest;
    }
}

void verdict_final(const struct remora_exchange *x, struct remora_fail *out)
{
    *out = x->lead;
    const struct remora_code_row *row = remora_code_row(x->lead.code);
    bool is_ours = x->lead.code == REMORA_SHEDDING || x->lead.code == REMORA_DEADLINE;
    if (row->fail_class == REMORA_CLASS_TRANSIENT && !is_ours) {
        enum remora_code code = transient_code(x);
        if (code != x->lead.code) {
            *out = (struct remora_fail)REMORA_FAIL_INIT;
            remora_fail_set(out, code, NULL, "%s", remora_code_row(code)->summary);
        }
    }
    int status = remora_code_row(out->code)->http_status;
    out->retry_after_ms = status == 429 || status == 503 ? x->retry_after_ms : -1;
    if (out->code == REMORA_CAPACITY_EXHAUSTED && out->retry_after_ms < 0) {
        out->retry_after_ms = x->cools_ms; /* nobody said when, but before that nobody is asked */
    }
    judge_rest(x, out);
}
