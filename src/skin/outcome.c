/*
 * Usage, attempts, candidates and the `remora` object in JSON. Names are those of proto/remora/v1/routing.proto in
 * snake_case, enum values and durations as in protobuf's JSON mapping (design/codes.md "JSON paths of an error"). Unknown
 * counts and prices are left out or null, never 0 (ARCHITECTURE 7). Cannot fail: the buffer carries failure.
 */
#include "outcome.h"

#include <stdio.h>

#include "remora/catalog.h"
#include "remora/decimal.h"

static void write_decimal(struct remora_json_writer *w, const char *key, int64_t value,
                          unsigned scale)
{
    remora_json_key(w, key);
    if (value < 0) {
        remora_json_write_null(w);
        return;
    }
    char text[48];
    remora_json_write_raw(w, remora_slice(text, remora_decimal_format(value, scale, text)));
}

/* Left out when it is not known. */
static void write_count(struct remora_json_writer *w, const char *key, int64_t count)
{
    if (count >= 0) {
        remora_json_key(w, key);
        remora_json_write_i64(w, count);
    }
}

/* Sum of two counts of which either may be unknown. */
static int64_t add_known(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a + b;
}

struct detail {
    const char *name;
    int64_t count; /* -1: not known */
};

/*
 * A breakdown of which nothing is known is left out. Where a provider gave any of it, its first member is there, 0 when the
 * provider has no such part: OpenRouter's clients refuse an answer whose breakdown lacks it (@openrouter/ai-sdk-provider 2.10,
 * OpenRouterChatCompletionBaseResponseSchema).
 */
static void write_breakdown(struct remora_json_writer *w, const char *key,
                            const struct detail *details, size_t count)
{
    bool is_known = false;
    for (size_t i = 0; i < count; i++) {
        is_known |= details[i].count >= 0;
    }
    if (!is_known) {
        return;
    }
    remora_json_key(w, key);
    remora_json_object_open(w);
    write_count(w, details[0].name, details[0].count < 0 ? 0 : details[0].count);
    for (size_t i = 1; i < count; i++) {
        write_count(w, details[i].name, details[i].count);
    }
    remora_json_object_close(w);
}

static void write_details(struct remora_json_writer *w, const struct remora_usage *usage)
{
    const int64_t *tokens = usage->tokens;
    int64_t written =
        add_known(tokens[REMORA_USAGE_CACHE_WRITE_5M], tokens[REMORA_USAGE_CACHE_WRITE_1H]);
    const struct detail prompt[] = {{"cached_tokens", tokens[REMORA_USAGE_CACHE_READ]},
                                    {"cache_write_tokens", written},
                                    {"audio_tokens", remora_usage_audio_input(usage)},
                                    {"video_tokens", tokens[REMORA_USAGE_VIDEO_INPUT]}};
    const struct detail completion[] = {
        {"reasoning_tokens", tokens[REMORA_USAGE_REASONING]},
        {"audio_tokens", tokens[REMORA_USAGE_AUDIO_OUTPUT]},
        {"image_tokens", tokens[REMORA_USAGE_IMAGE_OUTPUT]},
        {"accepted_prediction_tokens", usage->accepted_prediction_tokens},
        {"rejected_prediction_tokens", usage->rejected_prediction_tokens}};
    write_breakdown(w, "prompt_tokens_details", prompt, REMORA_COUNT_OF(prompt));
    write_breakdown(w, "completion_tokens_details", completion, REMORA_COUNT_OF(completion));
}

/* Sum of the parts that are known; the total is known, so those that are not were not counted either. */
static int64_t known_sum(const int64_t *parts, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += parts[i] > 0 ? parts[i] : 0;
    }
    return sum;
}

/*
 * What is charged per request or image has no place in OpenRouter's two parts: it is in the total only. A cost that is not
 * known is left out here, as counts are (the same clients refuse null), and said in the `remora` object.
 */
static void write_cost(struct remora_json_writer *w, const struct remora_cost *cost)
{
    const int64_t prompt[] = {cost->input_pico_usd, cost->cache_read_pico_usd,
                              cost->cache_write_pico_usd};
    const int64_t completion[] = {cost->output_pico_usd, cost->reasoning_pico_usd};
    if (cost->total_pico_usd >= 0) {
        write_decimal(w, "cost", cost->total_pico_usd, 12);
    }
    remora_json_key(w, "is_byok");
    remora_json_write_bool(w, false);
    if (cost->total_pico_usd < 0) {
        return;
    }
    remora_json_key(w, "cost_details");
    remora_json_object_open(w);
    write_decimal(w, "upstream_inference_cost", cost->total_pico_usd, 12);
    write_decimal(w, "upstream_inference_prompt_cost", known_sum(prompt, REMORA_COUNT_OF(prompt)),
                  12);
    write_decimal(w, "upstream_inference_completions_cost",
                  known_sum(completion, REMORA_COUNT_OF(completion)), 12);
    remora_json_object_close(w);
}

void outcome_write_usage(struct remora_json_writer *w, const struct remora_usage *usage,
                         const struct remora_cost *cost)
{
    int64_t input = remora_usage_input_total(usage);
    int64_t output = remora_usage_output_total(usage);
    if (input < 0 && output < 0) {
        return;
    }
    remora_json_key(w, "usage");
    remora_json_object_open(w);
    write_count(w, "prompt_tokens", input);
    write_count(w, "completion_tokens", output);
    write_count(w, "total_tokens", add_known(input, output));
    write_details(w, usage);
    write_cost(w, cost);
    remora_json_object_close(w);
}

static void write_slice(struct remora_json_writer *w, const char *key, struct remora_slice text)
{
    if (text.length > 0) {
        remora_json_key(w, key);
        remora_json_write_string(w, text);
    }
}

/* "0.034120s": google.protobuf.Duration in JSON. */
static void write_duration(struct remora_json_writer *w, const char *key, uint64_t ns)
{
    char text[40];
    uint64_t us = ns / 1000;
    int length = snprintf(text, sizeof text, "%llu.%06llus", (unsigned long long)(us / 1000000),
                          (unsigned long long)(us % 1000000));
    remora_json_key(w, key);
    remora_json_write_string(w, remora_slice(text, (size_t)length));
}

static void write_attempt(struct remora_json_writer *w, const struct remora_attempt *attempt)
{
    remora_json_object_open(w);
    write_slice(w, "provider", attempt->provider);
    write_slice(w, "endpoint_tag", attempt->endpoint_tag);
    write_slice(w, "model", attempt->model);
    write_slice(w, "upstream_model", attempt->upstream_model);
    write_slice(w, "upstream_request_id", remora_slice_of(attempt->upstream_request_id));
    if (attempt->http_status != 0) {
        remora_json_key(w, "http_status");
        remora_json_write_i64(w, attempt->http_status);
    }
    if (attempt->code != REMORA_OK) {
        remora_json_key(w, "reason");
        remora_json_write_text(w, remora_code_row(attempt->code)->name);
    }
    write_duration(w, "elapsed", attempt->elapsed_ns);
    remora_json_object_close(w);
}

void outcome_write_attempts(struct remora_json_writer *w, const struct remora_outcome *outcome)
{
    remora_json_array_open(w);
    for (size_t i = 0; i < outcome->attempt_count; i++) {
        write_attempt(w, &outcome->attempts[i]);
    }
    remora_json_array_close(w);
}

static void write_rule(struct remora_json_writer *w, const struct remora_exclusion *exclusion)
{
    char text[96];
    int length = snprintf(text, sizeof text, "%s%s", remora_rule_name(exclusion->rule),
                          exclusion->subject == NULL ? "" : exclusion->subject);
    size_t kept = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    remora_json_write_string(w, remora_slice(text, kept));
}

/* USD per token as decimal text; left out when it is not known. */
static void write_price(struct remora_json_writer *w, const char *key, int64_t pico_usd)
{
    char text[48];
    if (pico_usd >= 0) {
        write_slice(w, key, remora_slice(text, remora_decimal_format(pico_usd, 12, text)));
    }
}

static void write_candidate(struct remora_json_writer *w, const struct remora_plan *plan,
                            const struct remora_candidate *candidate)
{
    const struct remora_endpoint_facts *facts = &candidate->endpoint->facts;
    remora_json_object_open(w);
    write_slice(w, "model", plan->models[candidate->model].resolved);
    write_slice(w, "provider", facts->provider);
    write_slice(w, "endpoint_tag", facts->tag);
    remora_json_key(w, "position");
    remora_json_write_i64(w, candidate->position);
    write_price(w, "prompt_price", facts->prices.pico_usd[REMORA_PRICE_PROMPT]);
    write_price(w, "completion_price", facts->prices.pico_usd[REMORA_PRICE_COMPLETION]);
    if (candidate->exclusion.rule != REMORA_RULE_NONE) {
        remora_json_key(w, "excluded_by");
        write_rule(w, &candidate->exclusion);
        remora_json_key(w, "layer");
        remora_json_write_text(w, remora_layer_name(candidate->exclusion.layer));
    }
    remora_json_object_close(w);
}

void outcome_write_candidates(struct remora_json_writer *w, const struct remora_plan *plan)
{
    remora_json_array_open(w);
    for (size_t i = 0; i < plan->candidate_count; i++) {
        write_candidate(w, plan, &plan->candidates[i]);
    }
    remora_json_array_close(w);
}

static void write_passed(struct remora_json_writer *w, const struct remora_skipped *one)
{
    remora_json_object_open(w);
    write_slice(w, "model", one->model);
    if (one->endpoint != NULL) {
        write_slice(w, "provider", one->endpoint->facts.provider);
        write_slice(w, "endpoint_tag", one->endpoint->facts.tag);
    }
    remora_json_key(w, "reason");
    remora_json_write_text(w, remora_code_row(one->code)->name);
    if (one->exclusion.rule != REMORA_RULE_NONE) {
        remora_json_key(w, "excluded_by");
        write_rule(w, &one->exclusion);
        remora_json_key(w, "layer");
        remora_json_write_text(w, remora_layer_name(one->exclusion.layer));
    }
    remora_json_object_close(w);
}

void outcome_write_skipped(struct remora_json_writer *w, const struct remora_skipped *skipped,
                           size_t count)
{
    if (count == 0) {
        return;
    }
    remora_json_key(w, "skipped");
    remora_json_array_open(w);
    for (size_t i = 0; i < remora_skipped_kept(count); i++) {
        write_passed(w, &skipped[i]);
    }
    remora_json_array_close(w);
    remora_json_key(w, "skipped_total");
    remora_json_write_i64(w, (int64_t)count);
}

void outcome_write_excluded_by(struct remora_json_writer *w, const struct remora_plan *plan)
{
    struct remora_rule_count rules[REMORA_RULES_TOLD];
    size_t told = remora_plan_rules(plan->candidates, plan->candidate_count, rules);
    remora_json_array_open(w);
    for (size_t i = 0; i < told; i++) {
        write_rule(w, &rules[i].exclusion);
    }
    remora_json_array_close(w);
}

static void write_dropped(struct remora_json_writer *w, const struct remora_outcome *outcome)
{
    remora_json_array_open(w);
    for (size_t i = 0; i < outcome->dropped_count; i++) {
        remora_json_object_open(w);
        remora_json_key(w, "field");
        remora_json_write_string(w, remora_dropped_name(&outcome->dropped[i]));
        if (outcome->dropped[i].why != NULL) {
            remora_json_key(w, "why");
            remora_json_write_text(w, outcome->dropped[i].why);
        }
        remora_json_object_close(w);
    }
    remora_json_array_close(w);
}

static void write_served(struct remora_json_writer *w, const struct remora_endpoint *served)
{
    if (served != NULL) {
        write_slice(w, "provider", served->facts.provider);
        write_slice(w, "endpoint_tag", served->facts.tag);
        write_slice(w, "upstream_model", served->facts.upstream_model);
    }
}

void outcome_write_remora(struct remora_json_writer *w, const struct remora_outcome *outcome)
{
    remora_json_object_open(w);
    write_served(w, outcome->served);
    remora_json_key(w, "attempts");
    outcome_write_attempts(w, outcome);
    remora_json_key(w, "dropped");
    write_dropped(w, outcome);
    outcome_write_skipped(w, outcome->skipped, outcome->skipped_count);
    if (outcome->usage.certainty == REMORA_CERTAINTY_ESTIMATED) {
        remora_json_key(w, "usage_certainty");
        remora_json_write_text(w, "CERTAINTY_ESTIMATED");
    }
    if (remora_outcome_lacks_finish(outcome)) {
        remora_json_key(w, "finish_reason_missing");
        remora_json_write_bool(w, true);
    }
    if (remora_outcome_has_unknown_finish(outcome)) {
        remora_json_key(w, "finish_reason_unknown");
        remora_json_write_bool(w, true);
    }
    if (remora_outcome_has_broken_arguments(outcome)) {
        remora_json_key(w, "tool_arguments_invalid");
        remora_json_write_bool(w, true);
    }
    if (remora_outcome_missing_choices(outcome) > 0) {
        remora_json_key(w, "choices_missing");
        remora_json_write_i64(w, remora_outcome_missing_choices(outcome));
    }
    if (remora_outcome_cost_is_guess(outcome)) {
        remora_json_key(w, "cost_certainty");
        remora_json_write_text(w, "CERTAINTY_ESTIMATED");
    }
    if (remora_outcome_cost_is_unknown(outcome)) {
        remora_json_key(w, "cost");
        remora_json_write_null(w);
        remora_json_key(w, "cost_certainty");
        remora_json_write_text(w, "CERTAINTY_UNKNOWN");
    }
    if (outcome->usage.reported_pico_usd >= 0) {
        write_decimal(w, "provider_reported_cost", outcome->usage.reported_pico_usd, 12);
    }
    write_duration(w, "time_to_first_content", outcome->first_content_ns);
    write_duration(w, "total_time", outcome->total_ns);
    write_slice(w, "service", outcome->identity.service);
    write_slice(w, "policy_revision", outcome->policy_revision);
    remora_json_object_close(w);
}
