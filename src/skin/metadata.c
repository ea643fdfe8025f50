/*
 * openrouter_metadata: how a request was routed, for callers that ask for it (openrouter.md 9.1; OpenAPI document, schema
 * OpenRouterMetadata; generation_time as in OpenRouter's SDK 1.3.19), with every candidate and its rule beside. What only
 * the plan knows is written while there is a plan, the rest when it is over. Cannot fail: a route that found no memory is
 * left out, the answer goes on.
 */
#include <stdio.h>

#include "outcome.h"
#include "remora/catalog.h"

static struct remora_slice shown(const struct remora_endpoint *endpoint)
{
    const struct remora_provider_facts *facts = &endpoint->provider->facts;
    return facts->name.length > 0 ? facts->name : facts->slug;
}

static void write_text(struct remora_json_writer *w, const char *key, struct remora_slice text)
{
    remora_json_key(w, key);
    remora_json_write_string(w, text);
}

static void write_count(struct remora_json_writer *w, const char *key, int64_t count)
{
    remora_json_key(w, key);
    remora_json_write_i64(w, count);
}

/* ---- the plan's part: members without the braces ---- */

/* Whether anything stood before the endpoint that answered: it was tried, or it was passed over. */
static bool is_fallback(const struct remora_plan *plan, const struct remora_endpoint *served)
{
    struct remora_skipped skipped[REMORA_SKIPPED_MAX];
    if (served == NULL) {
        return plan->model_count > 1;
    }
    return plan->candidates[plan->order[0]].endpoint != served ||
           remora_plan_skipped(plan, served, skipped) > 0;
}

/* Another name than was asked for is "alias". */
static const char *strategy_of(const struct remora_plan *plan, const struct remora_endpoint *served)
{
    const struct remora_plan_model *first = &plan->models[0];
    if (is_fallback(plan, served)) {
        return "fallback";
    }
    return first->resolved.length == 0 || remora_slice_starts_with(first->asked, first->resolved)
               ? "direct"
               : "alias";
}

static void write_available(struct remora_json_writer *w, const struct remora_plan *plan,
                            const struct remora_endpoint *served)
{
    remora_json_key(w, "endpoints");
    remora_json_object_open(w);
    write_count(w, "total", (int64_t)plan->candidate_count);
    remora_json_key(w, "available");
    remora_json_array_open(w);
    for (size_t i = 0; i < plan->order_count; i++) {
        const struct remora_candidate *candidate = &plan->candidates[plan->order[i]];
        const struct remora_endpoint *endpoint = candidate->endpoint;
        if (candidate->position == 0) { /* passed over when its turn came */
            continue;
        }
        remora_json_object_open(w);
        write_text(w, "provider", shown(endpoint));
        write_text(w, "model", endpoint->model->facts.id);
        remora_json_key(w, "selected");
        remora_json_write_bool(w, endpoint == served);
        remora_json_object_close(w);
    }
    remora_json_array_close(w);
    remora_json_object_close(w);
}

/*
 * No floor was asked for (preferred_* is not built) and no stage of OpenRouter's kinds ran: the object holds what the name
 * stands for, the list nothing.
 */
static void write_params(struct remora_json_writer *w, const struct remora_plan *plan)
{
    remora_json_key(w, "params");
    remora_json_object_open(w);
    if (plan->models[0].resolved.length > 0) {
        write_text(w, "version_group", plan->models[0].resolved);
    }
    remora_json_object_close(w);
    remora_json_key(w, "pipeline");
    remora_json_array_open(w);
    remora_json_array_close(w);
}

void outcome_write_route(struct remora_buf *out, const struct remora_plan *plan,
                         const struct remora_endpoint *served)
{
    struct remora_json_writer w;
    if (plan->model_count == 0) {
        return;
    }
    remora_json_write_begin(&w, out);
    write_text(&w, "requested", plan->models[0].asked);
    write_text(&w, "strategy", remora_slice_of(strategy_of(plan, served)));
    remora_json_key(&w, "region");
    remora_json_write_null(&w);
    remora_json_key(&w, "is_byok");
    remora_json_write_bool(&w, false);
    write_available(&w, plan, served);
    write_params(&w, plan);
    remora_json_key(&w, "candidates");
    outcome_write_candidates(&w, plan);
}

/* ---- how it ended ---- */

/* OpenRouter's status is a number always: an attempt without an answer has that of its code. */
static int status_of(const struct remora_attempt *attempt)
{
    int status = attempt->http_status;
    if (attempt->code != REMORA_OK && (status == 0 || status == 200)) {
        status = remora_code_row(attempt->code)->http_status;
    }
    return status == 200 && attempt->code != REMORA_OK ? 502 : status;
}

static void write_attempts(struct remora_json_writer *w, const struct remora_outcome *outcome)
{
    remora_json_key(w, "attempts");
    remora_json_array_open(w);
    for (size_t i = 0; i < outcome->attempt_count; i++) {
        const struct remora_attempt *attempt = &outcome->attempts[i];
        remora_json_object_open(w);
        write_text(w, "provider", attempt->provider);
        write_text(w, "model", attempt->model);
        write_count(w, "status", status_of(attempt));
        remora_json_object_close(w);
    }
    remora_json_array_close(w);
}

static void write_summary(struct remora_json_writer *w, const struct remora_outcome *outcome)
{
    char text[160];
    const struct remora_endpoint *served = outcome->served;
    int length = 0;
    if (served != NULL && outcome->fail.code == REMORA_OK) {
        length = snprintf(text, sizeof text, "attempts=%zu, selected=%.*s", outcome->attempt_count,
                          REMORA_SLICE_ARG(served->facts.tag));
    } else {
        length = snprintf(text, sizeof text, "attempts=%zu, failed=%s", outcome->attempt_count,
                          remora_code_row(outcome->fail.code)->name);
    }
    bool is_cut = length >= (int)sizeof text;
    write_text(w, "summary", remora_slice(text, is_cut ? sizeof text - 1 : (size_t)length));
}

void outcome_write_metadata(struct remora_json_writer *w, const struct remora_buf *route,
                            const struct remora_outcome *outcome)
{
    if (route == NULL || route->length == 0 || remora_buf_code(route) != REMORA_OK) {
        return;
    }
    remora_json_key(w, "openrouter_metadata");
    remora_json_object_open(w);
    remora_buf_append(w->buf, remora_buf_slice(route));
    w->comma = true;
    write_summary(w, outcome);
    write_count(w, "attempt", (int64_t)outcome->attempt_count);
    write_attempts(w, outcome);
    outcome_write_skipped(w, outcome->skipped, outcome->skipped_count);
    if (outcome->attempt_count > 0) {
        const struct remora_attempt *last = &outcome->attempts[outcome->attempt_count - 1];
        write_count(w, "generation_time", (int64_t)(last->elapsed_ns / 1000000));
    }
    remora_json_object_close(w);
}
