/*
 * error.availability {code, retryable, retry_after, requested_models, fallback_models, affected_providers, excluded_by,
 * constraint {field, detail}, docs_url}: members that say nothing are left out. OpenRouter names them and gives no meaning
 * (openrouter.md 10.1); docs/http-answers.md says what they hold here. Cannot fail: the buffer carries failure.
 */
#include "availability.h"

#include <stdio.h>

#include "outcome.h"
#include "remora/catalog.h"

#define DOCS "docs/errors.md#"

bool availability_filters_left_nothing(const struct remora_outcome *outcome)
{
    return outcome != NULL && outcome->plan != NULL && remora_plan_usable(outcome->plan) == 0 &&
           outcome->plan->candidate_count > 0 && outcome->attempt_count == 0;
}

static int64_t whole_seconds(int64_t ms)
{
    return (ms + 999) / 1000;
}

/* ---- models ---- */

/* As the caller spelt them, in the order in which they were tried. */
static void write_models(struct remora_json_writer *w, const char *key,
                         const struct remora_plan *plan, size_t from)
{
    if (plan->model_count <= from) {
        return;
    }
    remora_json_key(w, key);
    remora_json_array_open(w);
    for (size_t i = from; i < plan->model_count; i++) {
        remora_json_write_string(w, plan->models[i].asked);
    }
    remora_json_array_close(w);
}

/* ---- providers ---- */

enum { PROVIDERS_TOLD = 64 };

struct providers {
    struct remora_slice slugs[PROVIDERS_TOLD];
    size_t count;
};

static void add_provider(struct providers *providers, struct remora_slice slug)
{
    for (size_t i = 0; i < providers->count; i++) {
        if (remora_slice_equal(providers->slugs[i], slug)) {
            return;
        }
    }
    if (providers->count < PROVIDERS_TOLD) {
        providers->slugs[providers->count++] = slug;
    }
}

/* Those that were tried, then those whose endpoints are out or rest. */
static void write_providers(struct remora_json_writer *w, const struct remora_outcome *outcome)
{
    struct providers providers;
    providers.count = 0;
    for (size_t i = 0; i < outcome->attempt_count; i++) {
        add_provider(&providers, outcome->attempts[i].provider);
    }
    size_t candidates = outcome->plan == NULL ? 0 : outcome->plan->candidate_count;
    for (size_t i = 0; i < candidates; i++) {
        const struct remora_candidate *candidate = &outcome->plan->candidates[i];
        if (candidate->exclusion.rule != REMORA_RULE_NONE) {
            add_provider(&providers, candidate->endpoint->facts.provider);
        }
    }
    if (providers.count == 0) {
        return;
    }
    remora_json_key(w, "affected_providers");
    remora_json_array_open(w);
    for (size_t i = 0; i < providers.count; i++) {
        remora_json_write_string(w, providers.slugs[i]);
    }
    remora_json_array_close(w);
}

/* ---- the constraint ---- */

/*
 * The field of a request, or of a policy, by which each rule removes; NULL: nobody asked for it. With a subject behind it
 * where the name ends in a dot.
 */
static const char *const fields[REMORA_RULE_COUNT] = {
    [REMORA_RULE_MODEL_ALLOW_LIST] = "models",
    [REMORA_RULE_FREE_VARIANT] = "model",
    [REMORA_RULE_MODALITY] = "messages",
    [REMORA_RULE_OUTPUT_MODALITY] = "modalities",
    [REMORA_RULE_CONTEXT_LENGTH] = "messages",
    [REMORA_RULE_OUTPUT_LIMIT] = "max_tokens",
    [REMORA_RULE_ALLOWED_PROVIDERS] = "provider.only",
    [REMORA_RULE_IGNORED_PROVIDER] = "provider.ignore",
    [REMORA_RULE_TRAINING] = "provider.data_collection",
    [REMORA_RULE_ZDR] = "provider.zdr",
    [REMORA_RULE_DISTILLABLE] = "provider.enforce_distillable_text",
    [REMORA_RULE_DATA_REGION] = "provider.regions",
    [REMORA_RULE_GEO] = "provider.regions",
    [REMORA_RULE_QUANTIZATION] = "provider.quantizations",
    [REMORA_RULE_MAX_PRICE] = "provider.max_price.",
    [REMORA_RULE_REQUIRE_PARAMETERS] = "provider.require_parameters",
    [REMORA_RULE_SUPPORTED_PARAMETERS] = "",
    [REMORA_RULE_NOT_IN_ORDER] = "provider.order",
};

/* The rule that removed most of them, of those that somebody asked for; the first of several. */
static const struct remora_rule_count *heaviest(const struct remora_rule_count *rules, size_t count)
{
    const struct remora_rule_count *most = NULL;
    for (size_t i = 0; i < count; i++) {
        bool is_asked = fields[rules[i].exclusion.rule] != NULL;
        if (is_asked && (most == NULL || rules[i].count > most->count)) {
            most = &rules[i];
        }
    }
    return most;
}

static void write_printed(struct remora_json_writer *w, const char *key, const char *text,
                          int length, size_t capacity)
{
    size_t kept = (size_t)length < capacity ? (size_t)length : capacity - 1;
    remora_json_key(w, key);
    remora_json_write_string(w, remora_slice(text, kept));
}

static void write_constraint(struct remora_json_writer *w, const struct remora_plan *plan)
{
    struct remora_rule_count rules[REMORA_RULES_TOLD];
    size_t told = remora_plan_rules(plan->candidates, plan->candidate_count, rules);
    const struct remora_rule_count *most = heaviest(rules, told);
    char text[160];
    if (most == NULL) {
        return;
    }
    const char *subject = most->exclusion.subject == NULL ? "" : most->exclusion.subject;
    const char *field = fields[most->exclusion.rule];
    bool has_subject = field[0] == '\0' || field[strlen(field) - 1] == '.';
    remora_json_key(w, "constraint");
    remora_json_object_open(w);
    int length = snprintf(text, sizeof text, "%s%s", field, has_subject ? subject : "");
    write_printed(w, "field", text, length, sizeof text);
    length = snprintf(text, sizeof text, "%s%s of %s removed %zu of %zu endpoints",
                      remora_rule_name(most->exclusion.rule), subject,
                      remora_layer_name(most->exclusion.layer), most->count, plan->candidate_count);
    write_printed(w, "detail", text, length, sizeof text);
    remora_json_object_close(w);
}

/* ---- the whole ---- */

/* The row of the reason in the table of outcomes; relative to this repository, which has no address of its own. */
static void write_docs(struct remora_json_writer *w, const char *reason)
{
    char text[sizeof DOCS + 64] = DOCS;
    size_t length = sizeof DOCS - 1;
    for (const char *c = reason; *c != '\0' && length < sizeof text - 1; c++) {
        text[length++] = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
    remora_json_key(w, "docs_url");
    remora_json_write_string(w, remora_slice(text, length));
}

static void write_plan(struct remora_json_writer *w, const struct remora_outcome *outcome)
{
    if (outcome->plan != NULL) {
        write_models(w, "requested_models", outcome->plan, 0);
        write_models(w, "fallback_models", outcome->plan, 1);
    }
    write_providers(w, outcome);
    if (availability_filters_left_nothing(outcome)) {
        remora_json_key(w, "excluded_by");
        outcome_write_excluded_by(w, outcome->plan);
        write_constraint(w, outcome->plan);
    }
}

void availability_write(struct remora_json_writer *w, const struct remora_fail *fail,
                        const struct remora_outcome *outcome)
{
    const struct remora_code_row *row = remora_code_row(fail->code);
    if (row->availability == NULL && !availability_filters_left_nothing(outcome)) {
        return;
    }
    remora_json_key(w, "availability");
    remora_json_object_open(w);
    if (row->availability != NULL) {
        remora_json_key(w, "code");
        remora_json_write_text(w, row->availability);
    }
    remora_json_key(w, "retryable");
    remora_json_write_bool(w, row->fail_class == REMORA_CLASS_TRANSIENT);
    if (fail->retry_after_ms >= 0) {
        remora_json_key(w, "retry_after");
        remora_json_write_i64(w, whole_seconds(fail->retry_after_ms));
    }
    if (outcome != NULL) {
        write_plan(w, outcome);
    }
    write_docs(w, row->name);
    remora_json_object_close(w);
}
