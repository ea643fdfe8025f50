/*
 * The observer that turns outcomes into metrics and the access log: one line a request at info, one a failed attempt.
 * Labels are names of the configuration, never text of a caller: a model that it does not know is "other", and where nobody
 * served the provider is "none". Runs on the worker's thread at the end of each attempt and request: no lock, no allocation
 * (but for a series that is new).
 */
#include "remora/account.h"
#include "remora/memory.h"
#include "remora/route.h"
#include "remora/telemetry.h"

#include <assert.h>

enum { TRIED_BYTES = 65 };    /* a slug and its comma; longer ones end the list */
enum { REQUEST_FIELDS = 36 }; /* of the line of a request */

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

/* The model that was tried last, else the first one asked for, if the configuration knows it; also where there was no plan. */
static struct remora_slice model_label(const struct remora_outcome *outcome)
{
    const struct remora_plan *plan = outcome->plan;
    if (outcome->attempt_count > 0) {
        return outcome->attempts[outcome->attempt_count - 1].model;
    }
    bool is_planned = plan != NULL && plan->model_count > 0;
    struct remora_slice model = {0};
    if (is_planned) {
        model = plan->models[0].resolved;
    } else if (outcome->model != NULL) {
        model = outcome->model->facts.id;
    }
    return model.length > 0 ? model : REMORA_SLICE("other");
}

static struct remora_slice provider_label(const struct remora_outcome *outcome)
{
    return outcome->served == NULL ? REMORA_SLICE("none") : outcome->served->facts.provider;
}

static bool is_aborted(const struct remora_outcome *outcome)
{
    return outcome->has_begun && outcome->fail.code != REMORA_OK;
}

/* Who ended a stream that had begun. Where nobody was asked, it was no provider. */
static struct remora_slice abort_side(const struct remora_outcome *outcome)
{
    static const enum remora_code by_gateway[] = {REMORA_DRAINING, REMORA_SHEDDING,
                                                  REMORA_INTERNAL};
    enum remora_code code = outcome->fail.code;
    for (size_t i = 0; i < REMORA_COUNT_OF(by_gateway); i++) {
        if (code == by_gateway[i]) {
            return REMORA_SLICE("gateway");
        }
    }
    if (code == REMORA_CLIENT_GONE || code == REMORA_DEADLINE) {
        return REMORA_SLICE("client");
    }
    return outcome->attempt_count == 0 ? REMORA_SLICE("gateway") : REMORA_SLICE("upstream");
}

/* The HTTP status of the answer, or the one that an API without statuses would have had. */
static int64_t status_of(const struct remora_outcome *outcome)
{
    return outcome->fail.code == REMORA_OK ? 200 : remora_fail_http_status(&outcome->fail);
}

/* ---- attempts ---- */

static void count_fallback(struct remora_metrics *metrics, const struct remora_outcome *outcome,
                           const struct remora_attempt *attempt)
{
    if (attempt == outcome->attempts || attempt->is_resend) {
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
        REMORA_LOG_NUMBER("attempt", attempt - outcome->attempts + 1),
        REMORA_LOG_TEXT("provider", attempt->provider),
        REMORA_LOG_TEXT("endpoint", attempt->endpoint_tag),
        REMORA_LOG_TEXT("model", attempt->model),
        REMORA_LOG_TEXT_IF("credential", attempt->credential),
        REMORA_LOG_TEXT("code", code_label(attempt->code)),
        REMORA_LOG_TEXT("cause", remora_slice_of(remora_cause_name(attempt->cause))),
        REMORA_LOG_TEXT_IF("detail", remora_slice_of(attempt->detail)),
        REMORA_LOG_TEXT_IF("connection",
                           attempt->was_reused ? REMORA_SLICE("reused") : remora_slice(NULL, 0)),
        REMORA_LOG_NUMBER("http_status", attempt->http_status),
        REMORA_LOG_TEXT_IF("upstream_request_id", remora_slice_of(attempt->upstream_request_id)),
        REMORA_LOG_NUMBER("elapsed_us", (int64_t)(attempt->elapsed_ns / 1000)),
        REMORA_LOG_KNOWN("input_tokens", remora_usage_input_total(&attempt->usage)),
        REMORA_LOG_KNOWN("cost_nano_usd", remora_nano_usd(attempt->cost.total_pico_usd)),
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
    if (attempt->code == REMORA_UPSTREAM_CREDENTIAL) {
        const struct remora_slice key_labels[] = {attempt->provider, attempt->credential};
        remora_metric_add(metrics, REMORA_METRIC_KEYS_REFUSED, key_labels, 2, 1);
    }
    if (!is_ok) {
        log_failed_attempt(outcome, attempt);
        return;
    }
    if (!attempt->had_terminator && outcome->delivery == REMORA_STREAM) {
        remora_metric_add(metrics, REMORA_METRIC_NO_TERMINATOR, labels, 1, 1);
    }
    if (attempt->lacks_finish) {
        remora_metric_add(metrics, REMORA_METRIC_NO_FINISH, labels, 1, 1);
    }
    if (attempt->unknown_finish) {
        remora_metric_add(metrics, REMORA_METRIC_UNKNOWN_FINISH, labels, 1, 1);
    }
    if (attempt->broken_arguments) {
        remora_metric_add(metrics, REMORA_METRIC_BROKEN_ARGUMENTS, labels, 1, 1);
    }
    if (attempt->missing_choices > 0) {
        remora_metric_add(metrics, REMORA_METRIC_NO_CHOICE, labels, 1,
                          (uint64_t)attempt->missing_choices);
    }
}

/* ---- settlements ---- */

static const struct {
    struct remora_slice type;
    struct remora_slice modality;
} class_labels[] = {
#define REMORA_USAGE_CLASS(name, direction, price, label, kind, media) \
    [REMORA_USAGE_##name] = {REMORA_SLICE_INIT(kind), REMORA_SLICE_INIT(media)},
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
};

/* `labels`: provider, model, service. */
static void count_spent(struct remora_metrics *metrics, const struct remora_slice labels[3],
                        const struct remora_usage *usage, const struct remora_cost *cost)
{
    for (int c = 0; c < REMORA_USAGE_CLASS_COUNT; c++) {
        if (usage->tokens[c] > 0) {
            const struct remora_slice token_labels[] = {labels[0], labels[1], class_labels[c].type,
                                                        class_labels[c].modality};
            remora_metric_add(metrics, REMORA_METRIC_TOKENS, token_labels,
                              REMORA_COUNT_OF(token_labels), (uint64_t)usage->tokens[c]);
        }
    }
    int64_t nano = remora_nano_usd(cost->total_pico_usd);
    if (nano >= 0) {
        remora_metric_add(metrics, REMORA_METRIC_COST, labels, 3, (uint64_t)nano);
    } else {
        remora_metric_add(metrics, REMORA_METRIC_COST_UNKNOWN, labels, 2, 1);
    }
    if (usage->certainty != REMORA_CERTAINTY_ACTUAL ||
        cost->certainty == REMORA_CERTAINTY_ESTIMATED) {
        remora_metric_add(metrics, REMORA_METRIC_USAGE_ESTIMATED, labels, 2, 1);
    }
}

/* Of who answered, and of the attempts that were left before somebody did, or nobody. */
static void count_money(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    for (size_t i = 0; i < outcome->attempt_count; i++) {
        const struct remora_attempt *attempt = &outcome->attempts[i];
        if (attempt->was_left) {
            const struct remora_slice labels[] = {attempt->provider, attempt->model,
                                                  outcome->identity.service};
            count_spent(metrics, labels, &attempt->usage, &attempt->cost);
        }
    }
    if (outcome->served != NULL) {
        const struct remora_slice labels[] = {provider_label(outcome), model_label(outcome),
                                              outcome->identity.service};
        count_spent(metrics, labels, &outcome->usage, &outcome->cost);
    }
}

static void count_dropped(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    for (size_t i = 0; i < outcome->dropped_count; i++) {
        /* Names that callers invent are no labels. */
        enum remora_parameter parameter = outcome->dropped[i].parameter;
        const struct remora_slice labels[] = {
            provider_label(outcome), parameter == REMORA_PARAMETER_COUNT
                                         ? REMORA_SLICE("other")
                                         : remora_slice_of(remora_parameter_name(parameter))};
        remora_metric_add(metrics, REMORA_METRIC_DROPPED, labels, 2, 1);
    }
}

/* A rule's name without the colon that its subject stands behind elsewhere. */
static struct remora_slice rule_label(enum remora_rule rule)
{
    struct remora_slice label = remora_slice_of(remora_rule_name(rule));
    if (label.length > 0 && label.data[label.length - 1] == ':') {
        label.length--;
    }
    return label;
}

/* What was passed over without an attempt, by the rule or, where there is no one rule, by the reason. */
static void count_skipped(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    for (size_t i = 0; i < remora_skipped_kept(outcome->skipped_count); i++) {
        const struct remora_skipped *one = &outcome->skipped[i];
        const struct remora_slice reason = one->exclusion.rule == REMORA_RULE_NONE
                                               ? remora_slice_of(remora_code_row(one->code)->name)
                                               : rule_label(one->exclusion.rule);
        const struct remora_slice labels[] = {
            one->endpoint == NULL ? REMORA_SLICE("none") : one->endpoint->facts.provider,
            one->is_asked ? REMORA_SLICE("other") : one->model, reason};
        remora_metric_add(metrics, REMORA_METRIC_SKIPPED, labels, REMORA_COUNT_OF(labels), 1);
    }
}

/* The rules that left a plan without an endpoint. */
static void count_rejections(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    if (outcome->plan == NULL || outcome->attempt_count > 0 ||
        remora_plan_usable(outcome->plan) > 0) {
        return;
    }
    for (size_t i = 0; i < outcome->plan->candidate_count; i++) {
        enum remora_rule rule = outcome->plan->candidates[i].exclusion.rule;
        const struct remora_slice label = rule_label(rule);
        remora_metric_add(metrics, REMORA_METRIC_POLICY_REJECTIONS, &label, 1, 1);
    }
}

/* Mean time between two pieces of content; a stream that broke off has no pace to tell. */
static void observe_pace(struct remora_metrics *metrics, const struct remora_outcome *outcome,
                         struct remora_slice provider)
{
    if (outcome->fail.code == REMORA_OK && outcome->content_events > 1) {
        uint64_t span_ns = outcome->last_content_ns - outcome->first_content_ns;
        remora_metric_observe_ns(metrics, REMORA_METRIC_PER_CHUNK, &provider, 1,
                                 span_ns / (outcome->content_events - 1));
    }
}

static struct remora_slice throttle_label(enum remora_throttle by)
{
    switch (by) {
    case REMORA_THROTTLE_NONE:
        break;
    case REMORA_THROTTLE_CONCURRENCY:
        return REMORA_SLICE("concurrency");
    case REMORA_THROTTLE_REQUESTS:
        return REMORA_SLICE("requests");
    case REMORA_THROTTLE_TOKENS:
        return REMORA_SLICE("tokens");
    }
    return REMORA_SLICE("");
}

/* What our own limits did to the request. */
static void count_limits(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    const struct remora_identity *who = &outcome->identity;
    if (outcome->throttled.by != REMORA_THROTTLE_NONE) {
        const struct remora_slice labels[] = {who->service, who->key_id,
                                              outcome->throttled.is_key ? REMORA_SLICE("key")
                                                                        : REMORA_SLICE("service"),
                                              throttle_label(outcome->throttled.by)};
        remora_metric_add(metrics, REMORA_METRIC_THROTTLED, labels, REMORA_COUNT_OF(labels), 1);
    }
    if (outcome->waited_ns > 0) {
        remora_metric_observe_ns(metrics, REMORA_METRIC_WAITED, &who->service, 1,
                                 outcome->waited_ns);
    }
}

static void observe_times(struct remora_metrics *metrics, const struct remora_outcome *outcome)
{
    const struct remora_slice labels[] = {outcome->api, operation_label(outcome)};
    remora_metric_observe_ns(metrics, REMORA_METRIC_REQUEST_DURATION, labels, 2, outcome->total_ns);
    if (outcome->overhead_ns > 0) {
        remora_metric_observe_ns(metrics, REMORA_METRIC_OVERHEAD, labels, 1, outcome->overhead_ns);
    }
    if (outcome->delivery == REMORA_STREAM && outcome->content_events > 0) {
        const struct remora_slice provider = provider_label(outcome);
        remora_metric_observe_ns(metrics, REMORA_METRIC_FIRST_CHUNK, &provider, 1,
                                 outcome->first_content_ns);
        observe_pace(metrics, outcome, provider);
    }
}

/* "a,b": who was tried, in order. */
static struct remora_slice tried(const struct remora_outcome *outcome, struct remora_buf *out)
{
    for (size_t i = 0; i < outcome->attempt_count; i++) {
        if (i > 0) {
            remora_buf_append_byte(out, ',');
        }
        remora_buf_append(out, outcome->attempts[i].provider);
    }
    return remora_buf_slice(out);
}

static struct remora_slice certainty_name(enum remora_certainty certainty)
{
    switch (certainty) {
    case REMORA_CERTAINTY_ACTUAL:
        return REMORA_SLICE("actual");
    case REMORA_CERTAINTY_ESTIMATED:
        return REMORA_SLICE("estimated");
    case REMORA_CERTAINTY_UNSET:
    case REMORA_CERTAINTY_UNKNOWN:
        break;
    }
    return remora_slice(NULL, 0);
}

/* The ids of a line as hex. */
struct trace_text {
    char trace_id[33];
    char span_id[17];
    char parent_id[17]; /* empty: the trace begins here */
};

static void write_trace(const struct remora_trace *trace, struct trace_text *out)
{
    remora_trace_hex(trace->trace_id, sizeof trace->trace_id, out->trace_id);
    remora_trace_hex(trace->span_id, sizeof trace->span_id, out->span_id);
    out->parent_id[0] = '\0';
    if (trace->is_set) {
        remora_trace_hex(trace->parent_id, sizeof trace->parent_id, out->parent_id);
    }
}

/* What the fields of a line point to, for as long as it is written. */
struct request_line {
    char names[REMORA_LIMIT_ATTEMPTS * TRIED_BYTES];
    struct remora_slice tried;
    struct trace_text trace;
    struct remora_log_field fields[REQUEST_FIELDS];
    size_t count;
};

static void add_fields(struct request_line *line, const struct remora_log_field *fields,
                       size_t count)
{
    assert(count <= REQUEST_FIELDS - line->count);
    memcpy(line->fields + line->count, fields, count * sizeof *fields);
    line->count += count;
}

/* Who asked, by which ids it is found again. */
static void add_caller(struct request_line *line, const struct remora_outcome *outcome)
{
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("generation_id", remora_slice_of(outcome->generation_id)),
        REMORA_LOG_TEXT_IF("request_id", remora_slice_of(outcome->request_id)),
        REMORA_LOG_TEXT("trace_id", remora_slice_of(line->trace.trace_id)),
        REMORA_LOG_TEXT("span_id", remora_slice_of(line->trace.span_id)),
        REMORA_LOG_TEXT_IF("parent_span_id", remora_slice_of(line->trace.parent_id)),
        REMORA_LOG_TEXT("api", outcome->api),
        REMORA_LOG_TEXT("operation", operation_label(outcome)),
        REMORA_LOG_TEXT("service", outcome->identity.service),
        REMORA_LOG_TEXT("namespace", outcome->identity.namespace_name),
        REMORA_LOG_TEXT_IF("key_id", outcome->identity.key_id),
        REMORA_LOG_TEXT_IF("requested_model", remora_slice_of(outcome->requested_model)),
    };
    add_fields(line, fields, REMORA_COUNT_OF(fields));
}

/* Who answered, and what became of it. */
static void add_answer(struct request_line *line, const struct remora_outcome *outcome)
{
    const struct remora_endpoint *served = outcome->served;
    const struct remora_slice nothing = {0};
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("model", model_label(outcome)),
        REMORA_LOG_TEXT("provider", provider_label(outcome)),
        REMORA_LOG_TEXT_IF("endpoint", served == NULL ? nothing : served->facts.tag),
        REMORA_LOG_TEXT_IF("tried", line->tried),
        REMORA_LOG_NUMBER("attempts", (int64_t)outcome->attempt_count),
        REMORA_LOG_TEXT("code", code_label(outcome->fail.code)),
        REMORA_LOG_NUMBER("status", status_of(outcome)),
    };
    add_fields(line, fields, REMORA_COUNT_OF(fields));
}

static void add_money(struct request_line *line, const struct remora_outcome *outcome)
{
    const struct remora_usage *usage = &outcome->usage;
    const struct remora_slice nothing = {0};
    const int64_t input = remora_usage_input_total(usage);
    const int64_t output = remora_usage_output_total(usage);
    const int64_t cost_nano_usd = remora_nano_usd(outcome->cost.total_pico_usd);
    const struct remora_log_field fields[] = {
        REMORA_LOG_KNOWN("input_tokens", input),
        REMORA_LOG_KNOWN("cached_tokens", usage->tokens[REMORA_USAGE_CACHE_READ]),
        REMORA_LOG_KNOWN("output_tokens", output),
        REMORA_LOG_KNOWN("reasoning_tokens", usage->tokens[REMORA_USAGE_REASONING]),
        REMORA_LOG_TEXT_IF("usage", certainty_name(usage->certainty)),
        REMORA_LOG_KNOWN("cost_nano_usd", cost_nano_usd),
        REMORA_LOG_TEXT_IF("cost", remora_outcome_cost_is_guess(outcome)
                                       ? certainty_name(outcome->cost.certainty)
                                       : nothing),
    };
    add_fields(line, fields, REMORA_COUNT_OF(fields));
}

static void add_times(struct request_line *line, const struct remora_outcome *outcome)
{
    const bool has_content = outcome->content_events > 0;
    const int64_t first_us = has_content ? (int64_t)(outcome->first_content_ns / 1000) : -1;
    const struct remora_log_field fields[] = {
        REMORA_LOG_NUMBER("total_us", (int64_t)(outcome->total_ns / 1000)),
        REMORA_LOG_KNOWN("first_content_us", first_us),
        REMORA_LOG_US_IF("overhead_us", outcome->overhead_ns),
        REMORA_LOG_US_IF("waited_us", outcome->waited_ns),
    };
    add_fields(line, fields, REMORA_COUNT_OF(fields));
}

/* Why the finish reason that was told is a guess; empty: it is none. */
static struct remora_slice guessed_finish(const struct remora_outcome *outcome)
{
    if (remora_outcome_lacks_finish(outcome)) {
        return REMORA_SLICE("missing");
    }
    return remora_outcome_has_unknown_finish(outcome) ? REMORA_SLICE("unknown")
                                                      : (struct remora_slice){0};
}

/* What nobody may miss. */
static void add_notes(struct request_line *line, const struct remora_outcome *outcome)
{
    const struct remora_slice nothing = {0};
    const int64_t dropped = (int64_t)outcome->dropped_count;
    const int64_t skipped = (int64_t)outcome->skipped_count;
    const int64_t missing = remora_outcome_missing_choices(outcome);
    const struct remora_log_field fields[] = {
        REMORA_LOG_KNOWN("dropped", dropped > 0 ? dropped : -1),
        REMORA_LOG_KNOWN("skipped", skipped > 0 ? skipped : -1),
        REMORA_LOG_TEXT_IF("finish_reason", guessed_finish(outcome)),
        REMORA_LOG_TEXT_IF("tool_arguments", remora_outcome_has_broken_arguments(outcome)
                                                 ? REMORA_SLICE("invalid")
                                                 : nothing),
        REMORA_LOG_KNOWN("choices_missing", missing > 0 ? missing : -1),
        REMORA_LOG_TEXT_IF("aborted_by", is_aborted(outcome) ? abort_side(outcome) : nothing),
        REMORA_LOG_TEXT("policy_revision", outcome->policy_revision),
    };
    add_fields(line, fields, REMORA_COUNT_OF(fields));
}

/* docs/telemetry.md describes each field. */
static void log_request(const struct remora_outcome *outcome)
{
    REMORA_NOT_ZEROED struct request_line line;
    struct remora_buf list;
    if (remora_log_level() < REMORA_LOG_INFO) {
        return;
    }
    line.count = 0;
    remora_buf_init_over(&list, line.names, sizeof line.names);
    line.tried = tried(outcome, &list);
    write_trace(&outcome->trace, &line.trace);
    add_caller(&line, outcome);
    add_answer(&line, outcome);
    add_money(&line, outcome);
    add_times(&line, outcome);
    add_notes(&line, outcome);
    remora_log(REMORA_LOG_INFO, "request", line.fields, line.count);
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
    count_skipped(metrics, outcome);
    count_rejections(metrics, outcome);
    count_limits(metrics, outcome);
    count_money(metrics, outcome);
    if (is_aborted(outcome)) {
        const struct remora_slice side = abort_side(outcome);
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
