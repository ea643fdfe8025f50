/* Names and kinds of events. */
#include "remora/event.h"

bool remora_event_is_sound(const struct remora_event *event)
{
    return event->kind == REMORA_EVENT_MEDIA &&
           remora_slice_starts_with(event->media.media.mime_type, REMORA_SLICE("audio/"));
}

bool remora_event_is_content(enum remora_event_kind kind)
{
    switch (kind) {
    case REMORA_EVENT_TEXT:
    case REMORA_EVENT_REASONING:
    case REMORA_EVENT_REFUSAL:
    case REMORA_EVENT_TOOL_CALL:
    case REMORA_EVENT_MEDIA:
    case REMORA_EVENT_ANNOTATION:
    case REMORA_EVENT_EMBEDDING:
    case REMORA_EVENT_RAW:
        return true;
    case REMORA_EVENT_STARTED:
    case REMORA_EVENT_ALIVE:
    case REMORA_EVENT_CHOICE_FINISHED:
    case REMORA_EVENT_USAGE:
    case REMORA_EVENT_FURTHER:
    case REMORA_EVENT_ATTEMPT_FAILED:
    case REMORA_EVENT_COMPLETED:
        return false;
    }
    return false;
}

const char *remora_finish_name(enum remora_finish finish)
{
    switch (finish) {
    case REMORA_FINISH_UNSET:
        return "";
    case REMORA_FINISH_STOP:
        return "stop";
    case REMORA_FINISH_LENGTH:
        return "length";
    case REMORA_FINISH_TOOL_CALLS:
        return "tool_calls";
    case REMORA_FINISH_CONTENT_FILTER:
        return "content_filter";
    case REMORA_FINISH_ERROR:
        return "error";
    case REMORA_FINISH_CANCELLED:
        return "cancelled";
    }
    return "";
}
