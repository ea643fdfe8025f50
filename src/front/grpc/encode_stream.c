/*
 * One event as one StreamChatResponse. attempt_failed and completed carry what the outcome knows; the rest is the event's
 * own. Grammar: attempt_failed* started content* choice_finished+ completed (proto/remora/v1/chat.proto).
 */
#include "encode.h"
#include "pb.h"
#include "remora/event.h"

bool remora_grpc_event_is_sent(const struct remora_event *event)
{
    switch (event->kind) {
    case REMORA_EVENT_STARTED:
    case REMORA_EVENT_TEXT:
    case REMORA_EVENT_REASONING:
    case REMORA_EVENT_REFUSAL:
    case REMORA_EVENT_ANNOTATION:
    case REMORA_EVENT_RAW:
    case REMORA_EVENT_CHOICE_FINISHED:
    case REMORA_EVENT_ATTEMPT_FAILED:
    case REMORA_EVENT_COMPLETED:
        return true;
    case REMORA_EVENT_TOOL_CALL: /* a signature alone is told by its block of reasoning */
        return event->tool_call.name.length > 0 || event->tool_call.arguments.length > 0;
    case REMORA_EVENT_MEDIA:
        return event->media.media.value.length > 0 || event->media.expires_at_unix_s > 0;
    case REMORA_EVENT_ALIVE:
    case REMORA_EVENT_USAGE:
    case REMORA_EVENT_FURTHER:
    case REMORA_EVENT_EMBEDDING:
        return false;
    }
    return false;
}

typedef Remora__V1__StreamChatResponse response;

static void put_started(struct remora_arena *arena, const struct remora_event *event,
                        const char *generation_id, response *out)
{
    Remora__V1__StreamStarted *started =
        remora_pb_new(arena, &remora__v1__stream_started__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_STARTED;
    out->started = started;
    if (started == NULL) {
        return;
    }
    REMORA_PB_TEXT(started, id, remora_slice_of(generation_id));
    const struct remora_endpoint *served = event->started.served;
    if (served != NULL) {
        REMORA_PB_TEXT(started, model, served->model->facts.id);
        REMORA_PB_TEXT(started, provider, served->facts.provider);
        REMORA_PB_TEXT(started, endpoint_tag, served->facts.tag);
    } else {
        REMORA_PB_TEXT(started, model, event->started.model);
    }
    REMORA_PB_TEXT(started, service_tier, event->started.service_tier);
    REMORA_PB_TEXT(started, system_fingerprint, event->started.system_fingerprint);
    if (event->started.created_unix_s > 0) {
        started->create_time = remora_pb_timestamp(arena, event->started.created_unix_s * 1000);
    }
}

static void put_text(struct remora_arena *arena, const struct remora_event *event, response *out)
{
    Remora__V1__TextDelta *delta = remora_pb_new(arena, &remora__v1__text_delta__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_TEXT;
    out->text = delta;
    if (delta != NULL) {
        REMORA_PB_NUMBER(delta, choice_index, event->choice_index);
        REMORA_PB_TEXT(delta, text, event->text.text);
        REMORA_PB_NUMBER(delta, block_index, event->text.block_index);
        delta->logprobs =
            remora_pb_logprobs(arena, event->text.logprobs, event->text.logprob_count);
        delta->n_logprobs = delta->logprobs == NULL ? 0 : event->text.logprob_count;
    }
}

static void put_refusal(struct remora_arena *arena, const struct remora_event *event, response *out)
{
    Remora__V1__RefusalDelta *delta = remora_pb_new(arena, &remora__v1__refusal_delta__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_REFUSAL;
    out->refusal = delta;
    if (delta != NULL) {
        REMORA_PB_NUMBER(delta, choice_index, event->choice_index);
        REMORA_PB_TEXT(delta, text, event->text.text);
    }
}

static void put_reasoning(struct remora_arena *arena, const struct remora_event *event,
                          response *out)
{
    Remora__V1__ReasoningDelta *delta =
        remora_pb_new(arena, &remora__v1__reasoning_delta__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_REASONING;
    out->reasoning = delta;
    if (delta != NULL) {
        REMORA_PB_NUMBER(delta, choice_index, event->choice_index);
        REMORA_PB_NUMBER(delta, block_index, event->reasoning.block_index);
        delta->block =
            remora_pb_reasoning(arena, &event->reasoning.block, event->reasoning.block.text);
    }
}

static void put_tool_call(struct remora_arena *arena, const struct remora_event *event,
                          response *out)
{
    Remora__V1__ToolCallDelta *delta =
        remora_pb_new(arena, &remora__v1__tool_call_delta__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_TOOL_CALL;
    out->tool_call = delta;
    if (delta != NULL) {
        REMORA_PB_NUMBER(delta, choice_index, event->choice_index);
        REMORA_PB_NUMBER(delta, tool_call_index, event->tool_call.index);
        REMORA_PB_TEXT(delta, id, event->tool_call.id);
        REMORA_PB_TEXT(delta, name, event->tool_call.name);
        REMORA_PB_TEXT(delta, arguments_json_fragment, event->tool_call.arguments);
    }
}

static void put_media(struct remora_arena *arena, const struct remora_event *event, response *out)
{
    Remora__V1__MediaDelta *delta = remora_pb_new(arena, &remora__v1__media_delta__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_MEDIA;
    out->media = delta;
    if (delta != NULL) {
        REMORA_PB_NUMBER(delta, choice_index, event->choice_index);
        REMORA_PB_NUMBER(delta, media_index, event->media.index);
        delta->media = remora_pb_media(arena, &event->media.media, event->media.expires_at_unix_s);
    }
}

static void put_annotation(struct remora_arena *arena, const struct remora_event *event,
                           response *out)
{
    Remora__V1__AnnotationDelta *delta =
        remora_pb_new(arena, &remora__v1__annotation_delta__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_ANNOTATION;
    out->annotation = delta;
    if (delta != NULL) {
        REMORA_PB_NUMBER(delta, choice_index, event->choice_index);
        delta->annotation = remora_pb_annotation(arena, &event->annotation);
        REMORA_PB_NUMBER(delta, text_block_index, event->annotation.text_index);
    }
}

/* An adapter gives a JSON object; anything else would become an empty one. */
static void put_raw(struct remora_arena *arena, const struct remora_event *event, response *out)
{
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_RAW;
    out->raw = remora_pb_struct(arena, event->raw);
    if (out->raw == NULL) {
        out->raw = remora_pb_new(arena, &google__protobuf__struct__descriptor);
    }
}

static void put_finished(struct remora_arena *arena, const struct remora_event *event,
                         response *out)
{
    Remora__V1__ChoiceFinished *finished =
        remora_pb_new(arena, &remora__v1__choice_finished__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_CHOICE_FINISHED;
    out->choice_finished = finished;
    if (finished != NULL) {
        REMORA_PB_NUMBER(finished, choice_index, event->choice_index);
        REMORA_PB_NUMBER(finished, finish_reason, (Remora__V1__FinishReason)event->finished.reason);
        REMORA_PB_TEXT(finished, native_finish_reason, event->finished.native);
    }
}

static void put_attempt_failed(struct remora_arena *arena, const struct remora_event *event,
                               response *out)
{
    Remora__V1__AttemptFailed *failed =
        remora_pb_new(arena, &remora__v1__attempt_failed__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_ATTEMPT_FAILED;
    out->attempt_failed = failed;
    if (failed != NULL) {
        failed->attempt = remora_pb_attempt(arena, event->attempt);
    }
}

static void put_completed(struct remora_arena *arena, const struct remora_event *event,
                          response *out)
{
    Remora__V1__StreamCompleted *completed =
        remora_pb_new(arena, &remora__v1__stream_completed__descriptor);
    out->event_case = REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_COMPLETED;
    out->completed = completed;
    if (completed != NULL) {
        const struct remora_outcome *outcome = event->outcome;
        completed->usage =
            remora_pb_usage(arena, &outcome->usage, &outcome->cost, outcome->native_usage);
        completed->route = remora_pb_route(arena, outcome);
        completed->extra = remora_pb_struct(arena, outcome->further);
    }
}

static void put_event(struct remora_arena *arena, const struct remora_event *event,
                      const char *generation_id, response *out)
{
    switch (event->kind) {
    case REMORA_EVENT_STARTED:
        put_started(arena, event, generation_id, out);
        return;
    case REMORA_EVENT_TEXT:
        put_text(arena, event, out);
        return;
    case REMORA_EVENT_REFUSAL:
        put_refusal(arena, event, out);
        return;
    case REMORA_EVENT_REASONING:
        put_reasoning(arena, event, out);
        return;
    case REMORA_EVENT_TOOL_CALL:
        put_tool_call(arena, event, out);
        return;
    case REMORA_EVENT_MEDIA:
        put_media(arena, event, out);
        return;
    case REMORA_EVENT_ANNOTATION:
        put_annotation(arena, event, out);
        return;
    case REMORA_EVENT_RAW:
        put_raw(arena, event, out);
        return;
    case REMORA_EVENT_CHOICE_FINISHED:
        put_finished(arena, event, out);
        return;
    case REMORA_EVENT_ATTEMPT_FAILED:
        put_attempt_failed(arena, event, out);
        return;
    case REMORA_EVENT_COMPLETED:
        put_completed(arena, event, out);
        return;
    case REMORA_EVENT_ALIVE:
    case REMORA_EVENT_USAGE:
    case REMORA_EVENT_FURTHER:
    case REMORA_EVENT_EMBEDDING:
        return;
    }
}

bool remora_grpc_encode_event(const struct remora_event *event, const char *generation_id,
                              struct remora_arena *scratch, grpc_slice *out)
{
    remora_arena_reset(scratch);
    response message = REMORA__V1__STREAM_CHAT_RESPONSE__INIT;
    put_event(scratch, event, generation_id, &message);
    if (scratch->failed != REMORA_OK) {
        return false;
    }
    *out = remora_pb_pack(&message.base);
    return true;
}
