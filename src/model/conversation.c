/*
 * Which parts a role has, and the order of tool calls and their results. OpenAI and Anthropic refuse a result without its call and a call without its
 * result; said here, the caller learns which message is wrong, and no provider is asked.
 */
#include "remora/request.h"

/* How far the calls of one assistant message have been answered. */
struct open_calls {
    const struct remora_message *message; /* NULL: none is open */
    size_t at;
    size_t answered;
};

/* The position of the call, or the count of calls. */
static size_t find_call(const struct remora_message *message, struct remora_slice id)
{
    size_t i = 0;
    while (i < message->tool_call_count && !remora_slice_equal(message->tool_calls[i].id, id)) {
        i++;
    }
    return i;
}

static bool was_answered(const struct remora_request *request, const struct open_calls *open,
                         size_t now)
{
    for (size_t i = open->at + 1; i < now; i++) {
        if (remora_slice_equal(request->messages[i].tool_call_id,
                               request->messages[now].tool_call_id)) {
            return true;
        }
    }
    return false;
}

static const char *take_result(const struct remora_request *request, struct open_calls *open,
                               size_t now)
{
    const struct remora_message *result = &request->messages[now];
    if (open->message == NULL) {
        return "is a tool result without an assistant message with tool calls before it.";
    }
    if (find_call(open->message, result->tool_call_id) == open->message->tool_call_count) {
        return "answers a tool call that the assistant message before it does not have; check its "
               "tool_call_id.";
    }
    if (was_answered(request, open, now)) {
        return "answers a tool call that was answered already.";
    }
    open->answered++;
    return NULL;
}

static const char *begin_calls(const struct remora_message *message, size_t at,
                               struct open_calls *open)
{
    for (size_t i = 0; i < message->tool_call_count; i++) {
        if (find_call(message, message->tool_calls[i].id) != i) {
            return "has two tool calls with one id.";
        }
    }
    *open = (struct open_calls){.message = message->tool_call_count > 0 ? message : NULL, .at = at};
    return NULL;
}

static bool is_waiting(const struct open_calls *open)
{
    return open->message != NULL && open->answered < open->message->tool_call_count;
}

const char *remora_conversation_check(const struct remora_request *request, size_t *at)
{
    static const char unanswered[] = "has a tool call without a result; each one needs a tool "
                                     "message behind it.";
    struct open_calls open = {0};
    for (size_t i = 0; i < request->message_count; i++) {
        const struct remora_message *message = &request->messages[i];
        *at = i;
        if (message->role != REMORA_ROLE_TOOL && is_waiting(&open)) {
            *at = open.at;
            return unanswered;
        }
        const char *why = message->role == REMORA_ROLE_TOOL ? take_result(request, &open, i)
                                                            : begin_calls(message, i, &open);
        if (why != NULL) {
            return why;
        }
    }
    *at = open.at;
    return is_waiting(&open) ? unanswered : NULL;
}

const char *remora_role_refuses_part(enum remora_role role, enum remora_part_kind kind)
{
    if (kind == REMORA_PART_REFUSAL) {
        return role == REMORA_ROLE_ASSISTANT ? NULL
                                             : "is a refusal, which only the role assistant has.";
    }
    bool is_instruction = role == REMORA_ROLE_SYSTEM || role == REMORA_ROLE_DEVELOPER;
    return is_instruction && kind != REMORA_PART_TEXT
               ? "must be text; media belong into a message of the role user."
               : NULL;
}

const char *remora_tool_choice_check(const struct remora_request *request)
{
    const struct remora_tool_choice *choice = &request->tool_choice;
    if (request->tool_count == 0 && choice->kind >= REMORA_TOOL_CHOICE_REQUIRED) {
        return "asks for a tool, but tools is empty; send the tools.";
    }
    if (choice->kind != REMORA_TOOL_CHOICE_FUNCTION) {
        return NULL;
    }
    for (size_t i = 0; i < request->tool_count; i++) {
        if (remora_slice_equal(request->tools[i].name, choice->function_name)) {
            return NULL;
        }
    }
    return "names a function that tools does not have.";
}
