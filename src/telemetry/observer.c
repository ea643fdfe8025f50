/*
 * The observer that turns outcomes into metrics and the access log: one line a request at info, one a failed attempt.
 * Labels are names from the configuration, never text of a caller (an unknown model is "").
 */
#include "remora/account.h"
#include "remora/memory.h"
#include "remora/route.h"
#include "remora/telemetry.h"

struct observer {
    struct remora_observer ops; /* first */
    struct remora_metrics *metrics;
};

static struct remora_slice code_label(enum remora_code code)
{
    return remora_slice_of(remora_code_row(code)->name);
}

static struct remora_slice operation_label(const struct remora_outcome *outcome)
{
    if (outcome->operation != REMORA_OPERATION_CHAT) {
        return REMORA_SLICE("embeddings");
    }
    return outcome->delivery == REMORA_STREAM ? REMORA_SLICE("chat_stream") : REMORA_SLICE("chat");
}

static struct remora_slice model_label(const struct remora_outcome *outcome)
{
    return outcome->attempt_count == 0 ? REMORA_SLICE("")
                                       : outcome->attempts[outcome->attempt_count - 1].model;
}

static struct remora_slice provider_label(const struct remora_outcome *outcome)
{
    return outcome->served == NULL ? REMORA_SLICE("") : outcome->served->facts.provider;
}

/* ---- attempts ---- */

static void count_fallback(struct remora_metrics *metrics, const struct remora_outcome *outcome,
                           const struct remora_attempt *attempt)
{
    if (attempt != &outcome->attempts[outcome->attempt_count - 1] || outcome->attempt_count < 2) {
        return;
    }
    const struct remora_attempt *before = attempt - 1;
    const struct remora_slice labels[] = {before->provider, attempt->provider,
                                          code_label(before->code)};
    remora_metric_add(metrics, REMORA_METRIC_FALLBACKS, labels, REMORA_COUNT_OF(labels), 1);
}

static void log_failed_attempt(const struct remora_outcome *outcome,
                               const struct remora_attempt *attempt)
{
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("generation_id", remora_slice_of(outcome->generation_id)),
        REMORA_LOG_TEXT("provider", attempt->provider),
        REMORA_LOG_TEXT("endpoint", attempt->endpoint_tag),
        REMORA_LOG_TEXT("model", attempt->model),
        REMORA_LOG_TEXT("code", code_label(attempt->code)),
        REMORA_LOG_TEXT("cause", remora_slice_of(remora_cause_name(attempt->cause))),
        REMORA_LOG_NUMBER("http_status", attempt->http_status),
        REMORA_LOG_NUMBER("elapsed_us", (int64_t)(attempt->elapsed_ns / 1000)),
    };
    remora_log(REMORA_LOG_INFO, "attempt failed", fields, REMORA_COUNT_OF(fields));
}

static void observe_attempt(struct remora_observer *observer, const struct remora_outcome *outcome,
                            const struct remora_attempt *attempt)
{
    struct remora_metrics *metrics = REMORA_CONTAINER_OF(observer, struct observer, ops)->metrics;
    bool is_ok = attempt->code == REMORA_OK;
    const struct remora_slice labels[] = {attempt->provider, attempt->model,
                                          code_label(attempt->code),
                                          remora_slice_of(remora_cause_name(attempt->cause))};
    remora_metric_add(metrics, REMORA_METRIC_ATTEMPTS, labels, REMORA_COUNT_OF(labels), 1);
    count_fallback(metrics, outcome, attempt);
    if (!is_ok) {
        log_failed_attempt(outcome, attempt);
        return;
    }
    if (!attempt->had_terminator && outcome->delivery == REMORA_STREAM) {
        remora_metric_add(metrics, REMORA_METRIC_NO_TERMINATOR, labels, 1, 1);
    }
}

/* ---- settlements ---- */

static const char *const class_labels[] = {
#define REMORA_USAGE_CLASS(name, direction, price, label) [REMORA_USAGE_##name] = (label),
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
};

static void count_money(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    struct remora_slice labels[] = {provider_label(outcome), model_label(outcome),
                                    outcome->identity.service};
    for (int c = 0; c < REMORA_USAGE_CLASS_COUNT; c++) {
        if (outcome->usage.tokens[c] > 0) {
            const struct remora_slice token_labels[] = {labels[0], labels[1],
                                                        remora_slice_of(class_labels[c])};
            remora_metric_add(metrics, REMORA_METRIC_TOKENS, token_labels, 3,
                              (uint64_t)outcome->usage.tokens[c]);
        }
    }
    int64_t nano = remora_nano_usd(outcome->cost.total_pico_usd);
    if (nano >= 0) {
        remora_metric_add(metrics, REMORA_METRIC_COST, labels, 3, (uint64_t)nano);
    } else {
        remora_metric_add(metrics, REMORA_METRIC_COST_UNKNOWN, labels, 2, 1);
    }
    if (outcome->usage.certainty != REMORA_CERTAINTY_ACTUAL) {
        remora_metric_add(metrics, REMORA_METRIC_USAGE_ESTIMATED, labels, 2, 1);
    }
}

static void count_dropped(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    for (size_t i = 0; i < outcome->dropped_count; i++) {
        const struct remora_slice labels[] = {
            provider_label(outcome),
            remora_slice_of(remora_parameter_name(outcome->dropped[i].parameter))};
        remora_metric_add(metrics, REMORA_METRIC_DROPPED, labels, 2, 1);
    }
}

/* The rules that left a plan without an endpoint. */
static void count_rejections(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    if (outcome->plan == NULL || outcome->plan->order_count > 0) {
        return;
    }
    for (size_t i = 0; i < outcome->plan->candidate_count; i++) {
        enum remora_rule rule = outcome->plan->candidates[i].exclusion.rule;
        const struct remora_slice label = remora_slice_of(remora_rule_name(rule));
        remora_metric_add(metrics, REMORA_METRIC_POLICY_REJECTIONS, &label, 1, 1);
    }
}

static void observe_times(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    const struct remora_slice labels[] = {outcome->api, operation_label(outcome)};
    remora_metric_observe_ns(metrics, REMORA_METRIC_REQUEST_DURATION, labels, 2, outcome->total_ns);
    if (outcome->overhead_ns > 0) {
        remora_metric_observe_ns(metrics, REMORA_METRIC_OVERHEAD, labels, 1, outcome->overhead_ns);
    }
    if (outcome->first_content_ns > 0) {
        const struct remora_slice provider = provider_label(outcome);
        remora_metric_observe_ns(metrics, REMORA_METRIC_FIRST_CHUNK, &provider, 1,
                                 outcome->first_content_ns);
    }
}

static void log_request(const struct remora_outcome *outcome)
{
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("generation_id", remora_slice_of(outcome->generation_id)),
        REMORA_LOG_TEXT("api", outcome->api),
        REMORA_LOG_TEXT("operation", operation_label(outcome)),
        REMORA_LOG_TEXT("service", outcome->identity.service),
        REMORA_LOG_TEXT("model", model_label(outcome)),
        REMORA_LOG_TEXT("provider", provider_label(outcome)),
        REMORA_LOG_TEXT("code", code_label(outcome->fail.code)),
        REMORA_LOG_NUMBER("attempts", (int64_t)outcome->attempt_count),
        REMORA_LOG_NUMBER("input_tokens", remora_usage_input_total(&outcome->usage)),
        REMORA_LOG_NUMBER("output_tokens", remora_usage_output_total(&outcome->usage)),
        REMORA_LOG_NUMBER("cost_nano_usd", remora_nano_usd(outcome->cost.total_pico_usd)),
        REMORA_LOG_NUMBER("total_us", (int64_t)(outcome->total_ns / 1000)),
        REMORA_LOG_NUMBER("first_content_us", (int64_t)(outcome->first_content_ns / 1000)),
        REMORA_LOG_NUMBER("overhead_us", (int64_t)(outcome->overhead_ns / 1000)),
    };
    remora_log(REMORA_LOG_INFO, "request", fields, REMORA_COUNT_OF(fields));
}

static void observe_settled(struct remora_observer *observer, const struct remora_outcome *outcome)
{
    struct remora_metrics *metrics = REMORA_CONTAINER_OF(observer, struct observer, ops)->metrics;
    const struct remora_slice labels[] = {
        outcome->api,         operation_label(outcome), outcome->identity.service,
        model_label(outcome), provider_label(outcome),  code_label(outcome->fail.code)};
    remora_metric_add(metrics, REMORA_METRIC_REQUESTS, labels, REMORA_COUNT_OF(labels), 1);
    observe_times(metrics, outcome);
    count_dropped(metrics, outcome);
    count_rejections(metrics, outcome);
    if (outcome->served != NULL) {
        count_money(metrics, outcome);
    }
    if (outcome->was_partial) {
        const struct remora_slice side = outcome->fail.code == REMORA_CLIENT_GONE
                                             ? REMORA_SLICE("client")
                                             : REMORA_SLICE("upstream");
        remora_metric_add(metrics, REMORA_METRIC_STREAM_ABORTS, &side, 1, 1);
    }
    log_request(outcome);
}

struct remora_observer *remora_observer_new(struct remora_metrics *metrics)
{
    struct observer *observer = remora_alloc(sizeof *observer);
    if (observer == NULL) {
        return NULL;
    }
    observer->ops.attempt = observe_attempt;
    observer->ops.settled = observe_settled;
    observer->metrics = metrics;
    return &observer->ops;
}

void remora_observer_free(struct remora_observer *observer)
{
    if (observer != NULL) {
        remora_free(REMORA_CONTAINER_OF(observer, struct observer, ops));
    }
}
