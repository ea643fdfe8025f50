/*
 * The end of a call. Happy path: status OK and the trailers that name the generation, the provider and the number of
 * attempts. A failure adds google.rpc.Status as grpc-status-details-bin: ErrorInfo first, RetryInfo where there is a hint,
 * BadRequest where a field is wrong, QuotaFailure where a budget or limit is, then one Any for each attempt, for what was
 * passed over beside them (Skipped) and, where rules left nothing, for each candidate, until
 * REMORA_LIMIT_GRPC_DETAILS_BYTES, with `truncated` in ErrorInfo.metadata when some did not fit.
 *
 * grpc-retry-pushback-ms is -1 when trying again cannot help, or not before the call's deadline, and the hint when there is one:
 * callers with a retry policy obey it (grpc/proposal A6), so that they do not multiply our attempts.
 *
 * Fails silently in one way only: with no room in the scratch arena the details are left out; the status stands.
 *
 * Sources: design/codes.md; google.aip.dev/193; googleapis google/rpc/error_details.proto.
 */
#include "status.h"

#include <stdio.h>

#include "pb.h"
#include "remora/hop.h"
#include "remora/limits.h"
#include "remora/text.h"

#define ANY_PREFIX "type.googleapis.com/"

/* ---- details ---- */

struct details {
    struct remora_arena *arena;
    Google__Rpc__Status status;
    size_t bytes;
    bool truncated;
};

enum {
    DETAILS_MOST = 8 + REMORA_LIMIT_ATTEMPTS + REMORA_SKIPPED_MAX + REMORA_LIMIT_CANDIDATES,
    ANY_OVERHEAD = 8, /* tags and lengths around a detail, at most */
    METADATA_MOST = 8,
    SHEDDING_RETRY_MS = 1000, /* where whoever sheds gave no hint */
};

/* Packed into the arena, or {0, NULL}. */
static ProtobufCBinaryData pack_into(struct remora_arena *arena, const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = remora_arena_alloc(arena, length == 0 ? 1 : length);
    if (bytes == NULL) {
        return (ProtobufCBinaryData){0};
    }
    protobuf_c_message_pack(message, bytes);
    return (ProtobufCBinaryData){length, bytes};
}

static Google__Protobuf__Any *any_of(struct remora_arena *arena, const ProtobufCMessage *message)
{
    Google__Protobuf__Any *any = remora_pb_new(arena, &google__protobuf__any__descriptor);
    if (any == NULL) {
        return NULL;
    }
    REMORA_PB_TEXT(any, type_url,
                   remora_arena_printf(arena, ANY_PREFIX "%s", message->descriptor->name));
    any->value = pack_into(arena, message);
    any->has_value = any->value.len > 0;
    return any;
}

/* What does not fit is left out, and so is everything behind it. */
static void add(struct details *d, const ProtobufCMessage *message)
{
    Google__Protobuf__Any *any = message == NULL ? NULL : any_of(d->arena, message);
    if (any == NULL) {
        return;
    }
    size_t bytes = any->type_url.len + any->value.len + ANY_OVERHEAD;
    if (d->bytes + bytes > REMORA_LIMIT_GRPC_DETAILS_BYTES || d->status.n_details >= DETAILS_MOST) {
        d->truncated = true;
        return;
    }
    d->bytes += bytes;
    d->status.details[d->status.n_details++] = any;
}

static void add_metadata(struct remora_arena *arena, Google__Rpc__ErrorInfo *info, const char *key,
                         struct remora_slice value)
{
    Google__Rpc__ErrorInfo__MetadataEntry *entry =
        remora_pb_new(arena, &google__rpc__error_info__metadata_entry__descriptor);
    if (entry == NULL || value.length == 0 || info->metadata == NULL) {
        return;
    }
    entry->has_key = entry->has_value = true;
    entry->key = remora_pb_text(remora_slice_of(key));
    entry->value = remora_pb_text(value);
    assert(info->n_metadata < METADATA_MOST);
    info->metadata[info->n_metadata++] = entry;
}

static struct remora_slice last_provider(const struct remora_outcome *outcome)
{
    if (outcome->served != NULL) {
        return outcome->served->facts.provider;
    }
    return outcome->attempt_count == 0 ? remora_slice(NULL, 0)
                                       : outcome->attempts[outcome->attempt_count - 1].provider;
}

static Google__Rpc__ErrorInfo *error_info(struct remora_arena *arena,
                                          const struct remora_fail *fail,
                                          const struct remora_outcome *outcome, bool truncated)
{
    Google__Rpc__ErrorInfo *info = remora_pb_new(arena, &google__rpc__error_info__descriptor);
    if (info == NULL) {
        return NULL;
    }
    const struct remora_code_row *row = remora_code_row(fail->code);
    REMORA_PB_TEXT(info, reason, remora_slice_of(row->name));
    REMORA_PB_TEXT(info, domain, REMORA_SLICE("remora.dev"));
    info->metadata = remora_pb_list(arena, METADATA_MOST);
    add_metadata(arena, info, "error_type", remora_slice_of(row->error_type));
    if (fail->upstream_status > 0) {
        add_metadata(arena, info, "upstream_status",
                     remora_arena_printf(arena, "%d", fail->upstream_status));
    }
    if (outcome != NULL) {
        add_metadata(arena, info, "generation_id", remora_slice_of(outcome->generation_id));
        add_metadata(arena, info, "request_id", remora_slice_of(outcome->request_id));
        add_metadata(arena, info, "provider", last_provider(outcome));
        add_metadata(arena, info, "attempts",
                     remora_arena_printf(arena, "%zu", outcome->attempt_count));
    }
    if (truncated) {
        add_metadata(arena, info, "truncated", REMORA_SLICE("true"));
    }
    return info;
}

/* -1: no hint. Who found us out of room may always come again (codes.md: SHEDDING has a RetryInfo). */
static int64_t retry_after_ms(const struct remora_fail *fail)
{
    return fail->code == REMORA_SHEDDING && fail->retry_after_ms < 0 ? SHEDDING_RETRY_MS
                                                                     : fail->retry_after_ms;
}

static void add_retry(struct details *d, const struct remora_fail *fail)
{
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    int64_t ms = retry_after_ms(fail);
    if (ms < 0) {
        return;
    }
    info.retry_delay = remora_pb_duration(d->arena, (uint64_t)ms * REMORA_NS_PER_MS);
    add(d, &info.base);
}

static void add_bad_request(struct details *d, const struct remora_fail *fail)
{
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    Google__Rpc__BadRequest__FieldViolation violation =
        GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *one = &violation;
    if (fail->param[0] == '\0') {
        return;
    }
    REMORA_PB_TEXT(&violation, field, remora_slice_of(fail->param));
    REMORA_PB_TEXT(&violation, description, remora_slice_of(fail->message));
    bad.field_violations = &one;
    bad.n_field_violations = 1;
    add(d, &bad.base);
}

static void add_quota(struct details *d, const struct remora_fail *fail,
                      const struct remora_outcome *outcome)
{
    Google__Rpc__QuotaFailure quota = GOOGLE__RPC__QUOTA_FAILURE__INIT;
    Google__Rpc__QuotaFailure__Violation violation = GOOGLE__RPC__QUOTA_FAILURE__VIOLATION__INIT;
    Google__Rpc__QuotaFailure__Violation *one = &violation;
    if (fail->code != REMORA_PAYMENT_REQUIRED && fail->code != REMORA_RATE_LIMITED) {
        return;
    }
    if (outcome != NULL) {
        bool is_key = outcome->throttled.is_key;
        const struct remora_identity *who = &outcome->identity;
        REMORA_PB_TEXT(&violation, subject,
                       remora_arena_printf(d->arena, "%s:%.*s", is_key ? "key" : "service",
                                           REMORA_SLICE_ARG(is_key ? who->key_id : who->service)));
    }
    REMORA_PB_TEXT(&violation, description, remora_slice_of(fail->message));
    quota.violations = &one;
    quota.n_violations = 1;
    add(d, &quota.base);
}

/* As the HTTP envelope has it: rules removed every endpoint, so that none was tried. */
static bool has_nothing_left(const struct remora_outcome *outcome)
{
    return outcome->plan != NULL && outcome->attempt_count == 0 &&
           remora_plan_usable(outcome->plan) == 0;
}

/* The lists of the HTTP envelope (codes.md): attempts, candidates where none was left. */
static void add_route(struct details *d, const struct remora_outcome *outcome)
{
    for (size_t i = 0; i < outcome->attempt_count && !d->truncated; i++) {
        Remora__V1__Attempt *attempt = remora_pb_attempt(d->arena, &outcome->attempts[i]);
        add(d, attempt == NULL ? NULL : &attempt->base);
    }
    size_t skipped_count = 0;
    Remora__V1__Skipped **skipped =
        remora_pb_skipped_list(d->arena, outcome->skipped, outcome->skipped_count, &skipped_count);
    for (size_t i = 0; i < skipped_count && !d->truncated; i++) {
        add(d, &skipped[i]->base);
    }
    size_t candidates = has_nothing_left(outcome) ? outcome->plan->candidate_count : 0;
    for (size_t i = 0; i < candidates && !d->truncated; i++) {
        Remora__V1__Candidate *candidate =
            remora_pb_candidate(d->arena, &outcome->plan->candidates[i]);
        add(d, candidate == NULL ? NULL : &candidate->base);
    }
}

static struct remora_slice message_of(const struct remora_fail *fail)
{
    bool is_ours = fail->code == REMORA_INTERNAL; /* masked (codes.md) */
    return remora_slice_of(fail->message[0] != '\0' && !is_ours
                               ? fail->message
                               : remora_code_row(fail->code)->summary);
}

grpc_slice remora_grpc_status_details(const struct remora_fail *fail,
                                      const struct remora_outcome *outcome,
                                      struct remora_arena *scratch)
{
    remora_arena_reset(scratch);
    struct details d = {.arena = scratch, .status = GOOGLE__RPC__STATUS__INIT};
    struct remora_slice message = message_of(fail);
    REMORA_PB_NUMBER(&d.status, code, remora_fail_grpc_status(fail));
    REMORA_PB_TEXT(&d.status, message, message);
    d.status.details = remora_pb_list(scratch, DETAILS_MOST);
    if (d.status.details == NULL) {
        return grpc_empty_slice();
    }
    d.bytes = message.length + ANY_OVERHEAD;
    /* First with room for the mark; replaced below when it is not needed. */
    Google__Rpc__ErrorInfo *info = error_info(scratch, fail, outcome, true);
    add(&d, info == NULL ? NULL : &info->base);
    add_retry(&d, fail);
    add_bad_request(&d, fail);
    add_quota(&d, fail, outcome);
    if (outcome != NULL && fail->code != REMORA_INTERNAL) {
        add_route(&d, outcome);
    }
    if (!d.truncated && info != NULL && d.status.n_details > 0) {
        info->n_metadata--;
        d.status.details[0] = any_of(scratch, &info->base);
    }
    return scratch->failed == REMORA_OK ? remora_pb_pack(&d.status.base) : grpc_empty_slice();
}

void remora_grpc_status_place(struct remora_fail *fail, bool is_in_chat)
{
    /* What is `models` over HTTP is `fallback_models` in chat.proto. */
    bool is_fallback = strncmp(fail->param, "models[", sizeof "models[" - 1) == 0;
    char place[sizeof fail->param + sizeof "chat.fallback_"];
    if (fail->param[0] == '\0' || strcmp(fail->param, REMORA_HOP_HEADER) == 0) {
        return; /* metadata has no place in the message; a Remora in front of itself says so, too */
    }
    snprintf(place, sizeof place, "%s%s%s", is_in_chat ? "chat." : "",
             is_fallback ? "fallback_" : "", fail->param);
    snprintf(fail->param, sizeof fail->param, "%.*s", (int)sizeof fail->param - 1,
             fail->upstream_status > 0 ? "" : place);
}

/* ---- trailers ---- */

/* Takes the value over; one that HTTP/2 does not take as text is left out. */
static void add_trailer(struct remora_grpc_status *status, const char *key, grpc_slice value,
                        bool is_binary)
{
    if (GRPC_SLICE_LENGTH(value) == 0 ||
        (!is_binary && grpc_header_nonbin_value_is_legal(value) == 0)) {
        grpc_slice_unref(value);
        return;
    }
    assert(status->trailer_count < REMORA_GRPC_TRAILERS);
    grpc_metadata *trailer = &status->trailers[status->trailer_count++];
    trailer->key = grpc_slice_from_static_string(key);
    trailer->value = value;
}

static void add_number(struct remora_grpc_status *status, const char *key, long long value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", value);
    add_trailer(status, key, grpc_slice_from_copied_string(text), false);
}

static void add_outcome(struct remora_grpc_status *status, const struct remora_outcome *outcome)
{
    struct remora_slice provider = last_provider(outcome);
    add_trailer(status, "remora-generation-id",
                grpc_slice_from_copied_string(outcome->generation_id), false);
    add_trailer(
        status, "remora-provider",
        grpc_slice_from_copied_buffer(provider.data == NULL ? "" : provider.data, provider.length),
        false);
    add_number(status, "remora-attempts", (long long)outcome->attempt_count);
}

/*
 * Clients with a retry policy look at the status alone, and one of gRPC stands for refusals that come again as well as for
 * those that pass: HTTP has 413 and 402 where this has RESOURCE_EXHAUSTED. ABORTED is not among them: what is in flight ends.
 */
static bool must_not_retry(const struct remora_fail *fail)
{
    int status = remora_fail_grpc_status(fail);
    switch (remora_code_row(fail->code)->fail_class) {
    case REMORA_CLASS_LASTING:
        return true;
    case REMORA_CLASS_CALLER:
        return status == GRPC_STATUS_RESOURCE_EXHAUSTED || status == GRPC_STATUS_UNAVAILABLE;
    case REMORA_CLASS_TRANSIENT:
    case REMORA_CLASS_NONE:
        return false;
    }
    return false;
}

/* A client that obeys sits the hint out, though its call ends before: then it learns nothing of why it was refused. */
static bool is_beyond(int64_t hint_ms, int64_t left_ms)
{
    return left_ms >= 0 && hint_ms >= left_ms;
}

static void add_pushback(struct remora_grpc_status *status, const struct remora_fail *fail,
                         int64_t left_ms)
{
    int64_t hint_ms = retry_after_ms(fail);
    if (must_not_retry(fail) || (hint_ms >= 0 && is_beyond(hint_ms, left_ms))) {
        add_number(status, "grpc-retry-pushback-ms", -1);
    } else if (hint_ms >= 0) {
        add_number(status, "grpc-retry-pushback-ms", (long long)hint_ms);
    }
}

void remora_grpc_status_ok(struct remora_grpc_status *status, const struct remora_outcome *outcome)
{
    *status = (struct remora_grpc_status){
        .code = GRPC_STATUS_OK, .message = grpc_empty_slice(), .is_set = true};
    if (outcome != NULL) {
        add_outcome(status, outcome);
    }
}

void remora_grpc_status_fail(struct remora_grpc_status *status, const struct remora_fail *fail,
                             const struct remora_outcome *outcome, int64_t left_ms,
                             struct remora_arena *scratch)
{
    struct remora_slice message = message_of(fail);
    *status = (struct remora_grpc_status){
        .code = (grpc_status_code)remora_fail_grpc_status(fail),
        .message = grpc_slice_from_copied_buffer(message.data, message.length),
        .is_set = true};
    if (outcome != NULL) {
        add_outcome(status, outcome);
    }
    add_pushback(status, fail, left_ms);
    add_trailer(status, "grpc-status-details-bin",
                remora_grpc_status_details(fail, outcome, scratch), true);
}

void remora_grpc_status_fini(struct remora_grpc_status *status)
{
    if (!status->is_set) {
        return;
    }
    grpc_slice_unref(status->message);
    for (size_t i = 0; i < status->trailer_count; i++) {
        grpc_slice_unref(status->trailers[i].value);
    }
    *status = (struct remora_grpc_status){0};
}
