/*
 * What happened, as messages: usage with its cost, attempts, candidates and the route. Counts are inclusive on the wire
 * and disjoint inside; absent is -1 inside and no field outside (ARCHITECTURE 7, proto/remora/v1/usage.proto).
 */
#include <stdio.h>

#include "pb.h"
#include "remora/clock.h"
#include "remora/decimal.h"

static Remora__V1__Cost *cost_of(struct remora_arena *arena, const struct remora_usage *usage,
                                 const struct remora_cost *cost)
{
    Remora__V1__Cost *out = remora_pb_new(arena, &remora__v1__cost__descriptor);
    if (out == NULL) {
        return NULL;
    }
    REMORA_PB_COUNT(out, total_nano_usd, remora_nano_usd(cost->total_pico_usd));
    REMORA_PB_COUNT(out, input_nano_usd, remora_nano_usd(cost->input_pico_usd));
    REMORA_PB_COUNT(out, cache_read_nano_usd, remora_nano_usd(cost->cache_read_pico_usd));
    REMORA_PB_COUNT(out, cache_write_nano_usd, remora_nano_usd(cost->cache_write_pico_usd));
    REMORA_PB_COUNT(out, output_nano_usd, remora_nano_usd(cost->output_pico_usd));
    REMORA_PB_COUNT(out, reasoning_nano_usd, remora_nano_usd(cost->reasoning_pico_usd));
    REMORA_PB_COUNT(out, other_nano_usd, remora_nano_usd(cost->other_pico_usd));
    REMORA_PB_COUNT(out, provider_reported_nano_usd, remora_nano_usd(usage->reported_pico_usd));
    REMORA_PB_NUMBER(out, certainty, (Remora__V1__Certainty)cost->certainty);
    return out;
}

Remora__V1__Usage *remora_pb_usage(struct remora_arena *arena, const struct remora_usage *usage,
                                   const struct remora_cost *cost, struct remora_slice native)
{
    Remora__V1__Usage *out = remora_pb_new(arena, &remora__v1__usage__descriptor);
    if (out == NULL) {
        return NULL;
    }
    const int64_t *tokens = usage->tokens;
    REMORA_PB_COUNT(out, input_tokens, remora_usage_input_total(usage));
    REMORA_PB_COUNT(out, output_tokens, remora_usage_output_total(usage));
    REMORA_PB_COUNT(out, cache_read_input_tokens, tokens[REMORA_USAGE_CACHE_READ]);
    REMORA_PB_COUNT(out, cache_write_5m_input_tokens, tokens[REMORA_USAGE_CACHE_WRITE_5M]);
    REMORA_PB_COUNT(out, cache_write_1h_input_tokens, tokens[REMORA_USAGE_CACHE_WRITE_1H]);
    REMORA_PB_COUNT(out, reasoning_output_tokens, tokens[REMORA_USAGE_REASONING]);
    REMORA_PB_COUNT(out, audio_input_tokens, remora_usage_audio_input(usage));
    REMORA_PB_COUNT(out, audio_output_tokens, tokens[REMORA_USAGE_AUDIO_OUTPUT]);
    REMORA_PB_COUNT(out, image_input_tokens, tokens[REMORA_USAGE_IMAGE_INPUT]);
    REMORA_PB_COUNT(out, image_output_tokens, tokens[REMORA_USAGE_IMAGE_OUTPUT]);
    REMORA_PB_COUNT(out, video_input_tokens, tokens[REMORA_USAGE_VIDEO_INPUT]);
    REMORA_PB_NUMBER(out, certainty, (Remora__V1__Certainty)usage->certainty);
    REMORA_PB_COUNT(out, accepted_prediction_output_tokens, usage->accepted_prediction_tokens);
    REMORA_PB_COUNT(out, rejected_prediction_output_tokens, usage->rejected_prediction_tokens);
    out->cost = cost_of(arena, usage, cost);
    out->native_usage = remora_pb_struct(arena, native);
    return out;
}

static bool has_usage(const struct remora_usage *usage)
{
    return usage->certainty == REMORA_CERTAINTY_ACTUAL ||
           usage->certainty == REMORA_CERTAINTY_ESTIMATED;
}

Remora__V1__Attempt *remora_pb_attempt(struct remora_arena *arena,
                                       const struct remora_attempt *attempt)
{
    Remora__V1__Attempt *out = remora_pb_new(arena, &remora__v1__attempt__descriptor);
    if (out == NULL) {
        return NULL;
    }
    REMORA_PB_TEXT(out, provider, attempt->provider);
    REMORA_PB_TEXT(out, endpoint_tag, attempt->endpoint_tag);
    REMORA_PB_TEXT(out, model, attempt->model);
    REMORA_PB_TEXT(out, upstream_model, attempt->upstream_model);
    REMORA_PB_TEXT(out, upstream_request_id, remora_slice_of(attempt->upstream_request_id));
    REMORA_PB_NUMBER(out, http_status, attempt->http_status);
    if (attempt->code != REMORA_OK) {
        REMORA_PB_TEXT(out, reason, remora_slice_of(remora_code_row(attempt->code)->name));
    }
    out->elapsed = remora_pb_duration(arena, attempt->elapsed_ns);
    if (has_usage(&attempt->usage)) {
        out->usage = remora_pb_usage(arena, &attempt->usage, &attempt->cost, remora_slice(NULL, 0));
    }
    return out;
}

struct remora_slice remora_pb_price(struct remora_arena *arena,
                                    const struct remora_endpoint *endpoint, enum remora_price price)
{
    int64_t pico_usd = endpoint->facts.prices.pico_usd[price];
    char text[48];
    if (pico_usd < 0) {
        return remora_slice(NULL, 0);
    }
    return remora_arena_copy(arena, remora_slice(text, remora_decimal_format(pico_usd, 12, text)));
}

static struct remora_slice excluded_by(struct remora_arena *arena,
                                       const struct remora_exclusion *exclusion)
{
    if (exclusion->rule == REMORA_RULE_NONE) {
        return remora_slice(NULL, 0);
    }
    return remora_arena_printf(arena, "%s%s", remora_rule_name(exclusion->rule),
                               exclusion->subject == NULL ? "" : exclusion->subject);
}

Remora__V1__Candidate *remora_pb_candidate(struct remora_arena *arena,
                                           const struct remora_candidate *candidate)
{
    Remora__V1__Candidate *out = remora_pb_new(arena, &remora__v1__candidate__descriptor);
    if (out == NULL) {
        return NULL;
    }
    const struct remora_endpoint *endpoint = candidate->endpoint;
    REMORA_PB_TEXT(out, model, endpoint->model->facts.id);
    REMORA_PB_TEXT(out, provider, endpoint->facts.provider);
    REMORA_PB_TEXT(out, endpoint_tag, endpoint->facts.tag);
    REMORA_PB_NUMBER(out, position, candidate->position);
    REMORA_PB_TEXT(out, prompt_price, remora_pb_price(arena, endpoint, REMORA_PRICE_PROMPT));
    REMORA_PB_TEXT(out, completion_price,
                   remora_pb_price(arena, endpoint, REMORA_PRICE_COMPLETION));
    REMORA_PB_TEXT(out, excluded_by, excluded_by(arena, &candidate->exclusion));
    if (candidate->exclusion.rule != REMORA_RULE_NONE) {
        REMORA_PB_NUMBER(out, layer, (Remora__V1__PolicyLayer)candidate->exclusion.layer);
    }
    return out;
}

static void put_attempts(struct remora_arena *arena, const struct remora_outcome *outcome,
                         Remora__V1__RouteInfo *out)
{
    out->attempts = remora_pb_list(arena, outcome->attempt_count);
    for (size_t i = 0; out->attempts != NULL && i < outcome->attempt_count; i++) {
        Remora__V1__Attempt *attempt = remora_pb_attempt(arena, &outcome->attempts[i]);
        if (attempt != NULL) {
            out->attempts[out->n_attempts++] = attempt;
        }
    }
}

static void put_dropped(struct remora_arena *arena, const struct remora_outcome *outcome,
                        Remora__V1__RouteInfo *out)
{
    out->dropped = remora_pb_list(arena, outcome->dropped_count);
    for (size_t i = 0; out->dropped != NULL && i < outcome->dropped_count; i++) {
        Remora__V1__DroppedField *dropped =
            remora_pb_new(arena, &remora__v1__dropped_field__descriptor);
        if (dropped != NULL) {
            const struct remora_dropped *from = &outcome->dropped[i];
            REMORA_PB_TEXT(dropped, field, remora_dropped_name(from));
            REMORA_PB_TEXT(dropped, why, remora_slice_of(from->why));
            out->dropped[out->n_dropped++] = dropped;
        }
    }
}

static Remora__V1__Skipped *skipped_of(struct remora_arena *arena,
                                       const struct remora_skipped *skipped)
{
    Remora__V1__Skipped *out = remora_pb_new(arena, &remora__v1__skipped__descriptor);
    if (out == NULL) {
        return NULL;
    }
    REMORA_PB_TEXT(out, model, skipped->model);
    if (skipped->endpoint != NULL) {
        REMORA_PB_TEXT(out, provider, skipped->endpoint->facts.provider);
        REMORA_PB_TEXT(out, endpoint_tag, skipped->endpoint->facts.tag);
    }
    REMORA_PB_TEXT(out, reason, remora_slice_of(remora_code_row(skipped->code)->name));
    REMORA_PB_TEXT(out, excluded_by, excluded_by(arena, &skipped->exclusion));
    REMORA_PB_NUMBER(out, layer, (Remora__V1__PolicyLayer)skipped->exclusion.layer);
    return out;
}

Remora__V1__Skipped **remora_pb_skipped_list(struct remora_arena *arena,
                                             const struct remora_skipped *skipped, size_t count,
                                             size_t *used)
{
    Remora__V1__Skipped **out = remora_pb_list(arena, remora_skipped_kept(count));
    *used = 0;
    for (size_t i = 0; out != NULL && i < remora_skipped_kept(count); i++) {
        Remora__V1__Skipped *one = skipped_of(arena, &skipped[i]);
        if (one != NULL) {
            out[(*used)++] = one;
        }
    }
    return out;
}

Remora__V1__RouteInfo *remora_pb_route(struct remora_arena *arena,
                                       const struct remora_outcome *outcome)
{
    Remora__V1__RouteInfo *out = remora_pb_new(arena, &remora__v1__route_info__descriptor);
    if (out == NULL) {
        return NULL;
    }
    if (outcome->served != NULL) {
        REMORA_PB_TEXT(out, provider, outcome->served->facts.provider);
        REMORA_PB_TEXT(out, endpoint_tag, outcome->served->facts.tag);
        REMORA_PB_TEXT(out, upstream_model, outcome->served->facts.upstream_model);
    }
    put_attempts(arena, outcome, out);
    put_dropped(arena, outcome, out);
    out->skipped =
        remora_pb_skipped_list(arena, outcome->skipped, outcome->skipped_count, &out->n_skipped);
    REMORA_PB_NUMBER(out, skipped_total, (int32_t)outcome->skipped_count);
    REMORA_PB_NUMBER(out, effective_data_collection,
                     (Remora__V1__DataCollection)outcome->data_collection);
    if (outcome->content_events > 0) { /* within one round of the loop the time is 0 */
        out->time_to_first_content = remora_pb_duration(arena, outcome->first_content_ns);
    }
    out->total_time = remora_pb_duration(arena, outcome->total_ns);
    REMORA_PB_NUMBER(out, finish_reason_missing, remora_outcome_lacks_finish(outcome));
    REMORA_PB_NUMBER(out, finish_reason_unknown, remora_outcome_has_unknown_finish(outcome));
    REMORA_PB_NUMBER(out, tool_arguments_invalid, remora_outcome_has_broken_arguments(outcome));
    REMORA_PB_NUMBER(out, choices_missing, (int32_t)remora_outcome_missing_choices(outcome));
    REMORA_PB_TEXT(out, service, outcome->identity.service);
    REMORA_PB_TEXT(out, policy_revision, outcome->policy_revision);
    return out;
}
