/*
 * Requests that are not sent. Both are read and checked as Chat does it, and refused the same; the exchange that holds them
 * is given back.
 *
 *   remora.v1.GatewayService/ExplainRoute  the plan that its start would make, for whoever calls, as things stand now. A
 *                                          plan that leaves nothing is an answer with its reason
 *   remora.v1.ChatService/CountTokens      what the account would estimate of it; its model is not looked at
 */
#include "decode.h"
#include "pb.h"
#include "remora/account.h"
#include "services.h"

static void put_models(struct remora_arena *arena, const struct remora_plan *plan,
                       Remora__V1__ExplainRouteResponse *out)
{
    ProtobufCBinaryData *ids = remora_arena_array(arena, plan->model_count + 1, sizeof *ids);
    for (size_t i = 0; ids != NULL && i < plan->model_count; i++) {
        if (plan->models[i].resolved.length > 0) {
            ids[out->n_resolved_models++] = remora_pb_text(plan->models[i].resolved);
        }
    }
    out->resolved_models = ids;
}

static void put_candidates(struct remora_arena *arena, const struct remora_plan *plan,
                           Remora__V1__ExplainRouteResponse *out)
{
    out->candidates = remora_pb_list(arena, plan->candidate_count);
    for (size_t i = 0; out->candidates != NULL && i < plan->candidate_count; i++) {
        Remora__V1__Candidate *candidate = remora_pb_candidate(arena, &plan->candidates[i]);
        if (candidate != NULL) {
            out->candidates[out->n_candidates++] = candidate;
        }
    }
}

/* What would be passed over before the first of the order. */
static void put_skipped(struct remora_arena *arena, const struct remora_plan *plan,
                        Remora__V1__ExplainRouteResponse *out)
{
    struct remora_skipped skipped[REMORA_SKIPPED_MAX];
    if (plan->order_count == 0) {
        return;
    }
    size_t count = remora_plan_skipped(plan, plan->candidates[plan->order[0]].endpoint, skipped);
    out->skipped = remora_pb_skipped_list(arena, skipped, count, &out->n_skipped);
    REMORA_PB_NUMBER(out, skipped_total, (int32_t)count);
}

static void answer(struct remora_grpc_call *call, struct remora_exchange *exchange,
                   const struct remora_plan *plan, const struct remora_fail *fail)
{
    struct remora_arena *arena = remora_exchange_arena(exchange);
    Remora__V1__ExplainRouteResponse response = REMORA__V1__EXPLAIN_ROUTE_RESPONSE__INIT;
    put_models(arena, plan, &response);
    put_candidates(arena, plan, &response);
    put_skipped(arena, plan, &response);
    REMORA_PB_NUMBER(&response, effective_data_collection,
                     (Remora__V1__DataCollection)plan->policy.data_collection);
    REMORA_PB_TEXT(&response, service, remora_exchange_request(exchange)->identity.service);
    REMORA_PB_TEXT(&response, policy_revision,
                   remora_engine_config(remora_grpc_engine(call))->revision);
    if (fail->code != REMORA_OK) {
        REMORA_PB_TEXT(&response, reason, remora_slice_of(remora_code_row(fail->code)->name));
        REMORA_PB_TEXT(&response, message, remora_slice_of(fail->message));
    }
    remora_grpc_answer_built(call, arena, &response.base);
}

/* NULL: refused, and the caller told. Else to be discarded. */
static struct remora_exchange *
take(struct remora_grpc_call *call, struct remora_slice bytes,
     enum remora_code (*decode)(struct remora_slice bytes, struct remora_arena *arena,
                                struct remora_request *request, struct remora_fail *fail))
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_exchange *exchange = NULL;
    if (remora_exchange_new(remora_grpc_engine(call), bytes.length, &exchange, &fail) !=
        REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return NULL;
    }
    struct remora_request *request = remora_exchange_request(exchange);
    struct remora_arena *arena = remora_exchange_arena(exchange);
    enum remora_code code = decode(bytes, arena, request, &fail);
    if (code == REMORA_OK) {
        code = remora_grpc_betas(call, arena, request, &fail);
    }
    if (code == REMORA_OK) {
        code = remora_grpc_identify(call, &request->identity, &fail);
    }
    if (code != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        remora_exchange_discard(exchange);
        return NULL;
    }
    return exchange;
}

void remora_grpc_explain_route(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_plan *plan = NULL;
    struct remora_exchange *exchange = take(call, bytes, remora_grpc_decode_explain);
    if (exchange == NULL) {
        return;
    }
    enum remora_code code = remora_exchange_plan(exchange, &plan, &fail);
    if (plan == NULL || !remora_plan_is_made(code)) {
        remora_grpc_status_place(&fail, true);
        remora_grpc_refuse(call, &fail);
    } else {
        answer(call, exchange, plan, &fail);
    }
    remora_exchange_discard(exchange);
}

void remora_grpc_count_tokens(struct remora_grpc_call *call, struct remora_slice bytes)
{
    Remora__V1__CountTokensResponse response = REMORA__V1__COUNT_TOKENS_RESPONSE__INIT;
    struct remora_exchange *exchange = take(call, bytes, remora_grpc_decode_count);
    if (exchange == NULL) {
        return;
    }
    size_t read = remora_request_text_bytes(remora_exchange_request(exchange));
    REMORA_PB_NUMBER(&response, input_tokens, remora_account_estimate(read));
    REMORA_PB_NUMBER(&response, estimated, true);
    remora_grpc_answer_built(call, remora_exchange_arena(exchange), &response.base);
    remora_exchange_discard(exchange);
}
