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

/*
 * Nothing was tried: health took out what the plan had left, and gives the reason. Where all that was tried failed for a
 * lasting cause, endpoints that only rest are the transient class: a retry may help.
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
    if (is_lasting && remora_plan_rest(x->plan, now, &rest) != REMORA_OK) {
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
    judge_rest(x, out);
}
