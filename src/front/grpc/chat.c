/*
 * Chat and StreamChat: a message becomes a request, an exchange runs it, and this sink encodes what comes back.
 *
 *   1. an exchange is asked for (SHEDDING, DRAINING); the message is checked and unpacked into its arena (decode.c)
 *   2. identity, trace, request id and deadline are filled in; it starts
 *   3. stream: every event with a message of its own is sent; text deltas that wait are merged; more than
 *      REMORA_LIMIT_STREAM_BUFFER_BYTES waiting stops the upstream until the queue has drained
 *      unary: events are collected, the answer goes with the status in one batch
 *   4. completed or failed ends the call with its status and trailers
 *
 * Ways to fail: refused before the exchange begins; failed by the engine, before or after content; the caller leaves or
 * its deadline passes (the exchange is cancelled in the same round); no memory to encode (SHEDDING).
 *
 * Source: ARCHITECTURE 5 and 6; proto/remora/v1/chat.proto for the grammar.
 */
#include "decode.h"
#include "encode.h"
#include "remora/limits.h"
#include "remora/text.h"
#include "services.h"

/* Our own DEADLINE_EXCEEDED, which tells what was tried, should arrive before the core's bare one. */
enum { DEADLINE_SLACK_MOST_MS = 20, DEADLINE_SLACK_SHARE = 20 };

static struct remora_grpc_call *call_of(struct remora_sink *sink)
{
    return REMORA_CONTAINER_OF(sink, struct remora_grpc_call, sink);
}

static void end_with(struct remora_grpc_call *call, const struct remora_fail *fail,
                     const struct remora_outcome *outcome)
{
    if (call->is_over) {
        return;
    }
    remora_arena_fini(&call->answer_arena);
    remora_grpc_status_fail(&call->status, fail, outcome, remora_grpc_time_left_ms(call),
                            &call->lane->scratch);
    remora_grpc_finish(call);
}

static void no_room(struct remora_fail *fail)
{
    *fail = (struct remora_fail)REMORA_FAIL_INIT;
    remora_fail_set(fail, REMORA_SHEDDING, NULL, "The gateway has no room for the answer.");
}

static void on_failed(struct remora_sink *sink, const struct remora_outcome *outcome)
{
    struct remora_grpc_call *call = call_of(sink);
    struct remora_fail fail = outcome->fail;
    /* Before it began, the decoder has told the place in the message itself. */
    if (call->exchange != NULL) {
        remora_grpc_status_place(&fail, outcome->delivery == REMORA_STREAM);
    }
    call->exchange = NULL;
    end_with(call, &fail, outcome);
}

static void on_gone(struct remora_grpc_call *call, enum remora_code why)
{
    if (call->exchange != NULL) {
        struct remora_exchange *exchange = call->exchange;
        call->exchange = NULL;
        remora_exchange_cancel(exchange, why);
    }
}

/* ---- stream ---- */

/* The stream cannot go on: the upstream ends, the caller is told. */
static void stream_break(struct remora_grpc_call *call)
{
    struct remora_fail fail;
    no_room(&fail);
    on_gone(call, REMORA_SHEDDING);
    end_with(call, &fail, NULL);
}

static enum remora_sink_state stream_state(struct remora_grpc_call *call)
{
    call->is_full = call->queue_bytes > REMORA_LIMIT_STREAM_BUFFER_BYTES;
    return call->is_full ? REMORA_SINK_FULL : REMORA_SINK_READY;
}

static void stream_completed(struct remora_grpc_call *call, const struct remora_event *event,
                             grpc_slice packed)
{
    call->exchange = NULL;
    if (call->is_over) {
        grpc_slice_unref(packed);
        return;
    }
    remora_metric_add(call->lane->worker->metrics, REMORA_METRIC_GRPC_MESSAGES, NULL, 0, 1);
    remora_grpc_status_ok(&call->status, event->outcome);
    remora_grpc_answer(call, packed);
}

/* Of the kinds that are sent; text among them where it has logprobs. */
static int32_t choice_of(const struct remora_event *event)
{
    switch (event->kind) {
    case REMORA_EVENT_TEXT:
    case REMORA_EVENT_REASONING:
    case REMORA_EVENT_REFUSAL:
    case REMORA_EVENT_TOOL_CALL:
    case REMORA_EVENT_ANNOTATION:
    case REMORA_EVENT_MEDIA:
    case REMORA_EVENT_CHOICE_FINISHED:
        return event->choice_index;
    case REMORA_EVENT_STARTED:
    case REMORA_EVENT_RAW:
    case REMORA_EVENT_ATTEMPT_FAILED:
    case REMORA_EVENT_COMPLETED:
    case REMORA_EVENT_ALIVE:
    case REMORA_EVENT_USAGE:
    case REMORA_EVENT_FURTHER:
    case REMORA_EVENT_EMBEDDING:
        return REMORA_GRPC_NO_CHOICE;
    }
    return REMORA_GRPC_NO_CHOICE;
}

static enum remora_sink_state stream_event(struct remora_sink *sink,
                                           const struct remora_event *event)
{
    struct remora_grpc_call *call = call_of(sink);
    if (!remora_grpc_event_is_sent(event) || call->is_over) {
        return REMORA_SINK_READY;
    }
    if (event->kind == REMORA_EVENT_TEXT && event->text.logprob_count == 0) {
        remora_grpc_send_text(call, event);
        return stream_state(call);
    }
    const char *id = call->exchange == NULL ? "" : remora_exchange_generation_id(call->exchange);
    grpc_slice packed;
    bool done = event->kind == REMORA_EVENT_COMPLETED;
    if (!remora_grpc_encode_event(event, id, &call->lane->scratch, &packed)) {
        call->exchange = done ? NULL : call->exchange;
        stream_break(call);
        return REMORA_SINK_READY;
    }
    if (done) {
        stream_completed(call, event, packed);
        return REMORA_SINK_READY;
    }
    remora_grpc_send_event(call, choice_of(event), packed);
    return stream_state(call);
}

/* gRPC has no status to hold back and its own keepalive: a stream that waits says nothing. */
static bool stream_waiting(struct remora_sink *sink)
{
    (void)sink;
    return false;
}

static void stream_writable(struct remora_grpc_call *call)
{
    if (call->is_full && call->exchange != NULL) {
        call->is_full = false;
        remora_exchange_resume(call->exchange);
    }
}

static const struct remora_sink_ops STREAM_OPS = {
    .event = stream_event, .waiting = stream_waiting, .failed = on_failed};

/* ---- unary ---- */

/* Packed, or false: there is no room. What was collected goes, for the answer may have to wait for its caller. */
static bool pack_answer(struct remora_grpc_call *call, const struct remora_outcome *outcome,
                        grpc_slice *out)
{
    bool is_packed = remora_grpc_encode_answer(&call->answer, outcome, &call->lane->scratch, out);
    remora_arena_fini(&call->answer_arena);
    if (is_packed && !remora_grpc_unread_takes(call, *out)) {
        grpc_slice_unref(*out);
        is_packed = false;
    }
    return is_packed;
}

static void unary_completed(struct remora_grpc_call *call, const struct remora_outcome *outcome)
{
    grpc_slice packed;
    call->exchange = NULL;
    if (call->is_over) {
        return;
    }
    if (!pack_answer(call, outcome, &packed)) {
        struct remora_fail fail;
        no_room(&fail);
        end_with(call, &fail, outcome);
        return;
    }
    remora_grpc_status_ok(&call->status, outcome);
    remora_grpc_answer(call, packed);
}

static enum remora_sink_state unary_event(struct remora_sink *sink,
                                          const struct remora_event *event)
{
    struct remora_grpc_call *call = call_of(sink);
    if (event->kind == REMORA_EVENT_COMPLETED) {
        unary_completed(call, event->outcome);
        return REMORA_SINK_READY;
    }
    if (event->kind == REMORA_EVENT_ATTEMPT_FAILED) { /* what it brought is void */
        remora_arena_reset(&call->answer_arena);
        remora_answer_init(&call->answer, &call->answer_arena);
        return REMORA_SINK_READY;
    }
    if (call->exchange != NULL && remora_answer_add(&call->answer, event) != REMORA_OK) {
        stream_break(call);
    }
    return REMORA_SINK_READY;
}

static const struct remora_sink_ops UNARY_OPS = {
    .event = unary_event, .waiting = stream_waiting, .failed = on_failed};

/* ---- the request ---- */

static int64_t timeout_of(const struct remora_grpc_call *call)
{
    int64_t left_ms = remora_grpc_time_left_ms(call);
    if (left_ms < 0) {
        return -1;
    }
    int64_t slack_ms = left_ms / DEADLINE_SLACK_SHARE;
    slack_ms = slack_ms < DEADLINE_SLACK_MOST_MS ? slack_ms : DEADLINE_SLACK_MOST_MS;
    return left_ms > slack_ms + 1 ? left_ms - slack_ms : 1;
}

/* Under which ids: what the message does not say. */
static void fill(struct remora_grpc_call *call, const struct remora_hops *hops,
                 struct remora_exchange *exchange, struct remora_request *request)
{
    struct remora_arena *arena = remora_exchange_arena(exchange);
    request->api = REMORA_SLICE("grpc");
    request->wants_further = true;
    if (hops->count > 0) {
        request->hops = remora_arena_copy(arena, remora_hops_text(hops));
    }
    request->timeout_ms = timeout_of(call);
    request->unbuilt_headers = remora_grpc_unbuilt(call);
    struct remora_slice request_id = remora_grpc_metadata(call, "x-request-id");
    if (remora_request_id_is_valid(request_id)) {
        request->request_id = remora_arena_copy(arena, request_id);
    }
    if (remora_trace_parse(remora_grpc_metadata(call, "traceparent"), &request->trace)) {
        request->tracestate =
            remora_grpc_metadata_list(call, "tracestate", remora_tracestate_is_valid, arena);
    }
    request->baggage = remora_grpc_metadata_list(call, "baggage", remora_baggage_is_valid, arena);
}

/* The message's beats the metadata's, which is judged as the header over HTTP. */
static enum remora_code read_session(const struct remora_grpc_call *call,
                                     struct remora_exchange *exchange,
                                     struct remora_request *request, struct remora_fail *fail)
{
    struct remora_slice told = remora_grpc_metadata(call, "x-session-id");
    if (request->session_id.length > 0 || told.length == 0) {
        return REMORA_OK;
    }
    if (told.length > REMORA_LIMIT_ID_BYTES) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, "x-session-id",
                               "The metadata x-session-id must be at most %d bytes.",
                               (int)REMORA_LIMIT_ID_BYTES);
    }
    request->session_id = remora_arena_copy(remora_exchange_arena(exchange), told);
    return REMORA_OK;
}

static void start(struct remora_grpc_call *call, struct remora_slice bytes,
                  enum remora_delivery delivery)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_exchange *exchange = NULL;
    REMORA_NOT_ZEROED struct remora_hops hops;
    enum remora_code code = remora_grpc_hops(call, &hops, &fail);
    if (code == REMORA_OK) {
        code = remora_exchange_new(remora_grpc_engine(call), bytes.length, &exchange, &fail);
    }
    if (code != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return;
    }
    struct remora_request *request = remora_exchange_request(exchange);
    remora_exchange_whole(exchange);
    fill(call, &hops, exchange, request);
    /* Again, though the call was admitted: the snapshot may have changed since, and the key with it. */
    code = remora_grpc_identify(call, &request->identity, &fail);
    if (code == REMORA_OK) {
        code = remora_grpc_decode_chat(bytes, delivery, remora_exchange_arena(exchange), request,
                                       &fail);
    }
    if (code == REMORA_OK) {
        code = read_session(call, exchange, request, &fail);
    }
    if (code == REMORA_OK) {
        code = remora_grpc_betas(call, remora_exchange_arena(exchange), request, &fail);
    }
    if (code != REMORA_OK) {
        request->delivery = delivery;
        remora_exchange_refuse(exchange, &fail, &call->sink);
        return;
    }
    call->exchange = exchange;
    call->on_gone = on_gone;
    remora_exchange_start(exchange, &call->sink);
}

void remora_grpc_chat(struct remora_grpc_call *call, struct remora_slice bytes)
{
    call->sink.ops = &UNARY_OPS;
    remora_answer_init(&call->answer, &call->answer_arena);
    start(call, bytes, REMORA_UNARY);
}

void remora_grpc_stream_chat(struct remora_grpc_call *call, struct remora_slice bytes)
{
    call->sink.ops = &STREAM_OPS;
    call->on_writable = stream_writable;
    start(call, bytes, REMORA_STREAM);
}
