/*
 * `messages`: roles, parts, tool calls and reasoning. The same rules as the HTTP skin's (src/skin/chat_messages.c): no
 * message, an unknown role, a field of another role, a tool message without tool_call_id, nothing to say: refused. Parts
 * other than text and refusal are UNIMPLEMENTED until media are built.
 */
#include <stdio.h>

#include "reader.h"

static const char TEXT_ONLY[] = "is documented, but this gateway only takes text parts yet.";

static enum remora_code read_kind(struct reader *r, const Remora__V1__ContentPart *part,
                                  struct remora_part *out)
{
    switch ((int)part->kind_case) {
    case REMORA__V1__CONTENT_PART__KIND_TEXT:
        out->kind = REMORA_PART_TEXT;
        out->text = remora_pb_slice(part->text);
        return REMORA_OK;
    case REMORA__V1__CONTENT_PART__KIND_REFUSAL:
        out->kind = REMORA_PART_REFUSAL;
        out->text = remora_pb_slice(part->refusal);
        return REMORA_OK;
    case REMORA__V1__CONTENT_PART__KIND_IMAGE:
        return reader_refuse_field(r, REMORA_UNIMPLEMENTED, "image", TEXT_ONLY);
    case REMORA__V1__CONTENT_PART__KIND_AUDIO:
        return reader_refuse_field(r, REMORA_UNIMPLEMENTED, "audio", TEXT_ONLY);
    case REMORA__V1__CONTENT_PART__KIND_VIDEO:
        return reader_refuse_field(r, REMORA_UNIMPLEMENTED, "video", TEXT_ONLY);
    case REMORA__V1__CONTENT_PART__KIND_FILE:
        return reader_refuse_field(r, REMORA_UNIMPLEMENTED, "file", TEXT_ONLY);
    case REMORA__V1__CONTENT_PART__KIND_RAW:
        return reader_refuse_field(r, REMORA_UNIMPLEMENTED, "raw", TEXT_ONLY);
    default:
        return reader_refuse(r, REMORA_INVALID_REQUEST, "must have its text.");
    }
}

static enum remora_code read_part(struct reader *r, const Remora__V1__ContentPart *part,
                                  struct remora_part *out)
{
    if (++r->part_count > REMORA_LIMIT_PARTS) {
        return reader_refuse(r, REMORA_TOO_LARGE, "is one part too many: at most %d in a request.",
                             (int)REMORA_LIMIT_PARTS);
    }
    if (part->n_annotations > 0) {
        return reader_unbuilt(r, "annotations");
    }
    enum remora_code code = read_kind(r, part, out);
    return code == REMORA_OK ? reader_cache(r, part->cache_breakpoint, &out->cache) : code;
}

static enum remora_code read_parts(struct reader *r, const Remora__V1__Message *message,
                                   struct remora_message *out)
{
    struct remora_part *parts =
        remora_arena_array(r->arena, message->n_parts == 0 ? 1 : message->n_parts, sizeof *parts);
    if (parts == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < message->n_parts; i++) {
        size_t mark = reader_enter(r, "parts", (long)i);
        enum remora_code code = read_part(r, message->parts[i], &parts[i]);
        reader_leave(r, mark);
        if (code != REMORA_OK) {
            return code;
        }
    }
    out->parts = parts;
    out->part_count = message->n_parts;
    /* One plain text is what providers take as a string; some take nothing else. */
    out->content_is_text =
        out->part_count == 1 && parts[0].kind == REMORA_PART_TEXT && !parts[0].cache.is_set;
    return REMORA_OK;
}

static enum remora_code read_tool_calls(struct reader *r, const Remora__V1__Message *message,
                                        struct remora_message *out)
{
    size_t count = message->n_tool_calls;
    struct remora_tool_call *calls =
        remora_arena_array(r->arena, count == 0 ? 1 : count, sizeof *calls);
    if (calls == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < count; i++) {
        const Remora__V1__ToolCall *from = message->tool_calls[i];
        size_t mark = reader_enter(r, "tool_calls", (long)i);
        enum remora_code code = REMORA_OK;
        if (from->id.len == 0 || from->name.len == 0) {
            code = reader_refuse(r, REMORA_INVALID_REQUEST, "must have an id and a name.");
        }
        reader_leave(r, mark);
        if (code != REMORA_OK) {
            return code;
        }
        /* The order of the list counts, as over HTTP. */
        calls[i] =
            (struct remora_tool_call){.id = remora_pb_slice(from->id),
                                      .index = (int32_t)i,
                                      .name = remora_pb_slice(from->name),
                                      .arguments_json = remora_pb_slice(from->arguments_json)};
    }
    out->tool_calls = calls;
    out->tool_call_count = count;
    return REMORA_OK;
}

static bool read_block(const Remora__V1__ReasoningBlock *from, struct remora_reasoning_block *out)
{
    switch ((int)from->kind_case) {
    case REMORA__V1__REASONING_BLOCK__KIND_TEXT:
        out->kind = REMORA_REASONING_TEXT;
        out->text = remora_pb_slice(from->text);
        break;
    case REMORA__V1__REASONING_BLOCK__KIND_SUMMARY:
        out->kind = REMORA_REASONING_SUMMARY;
        out->text = remora_pb_slice(from->summary);
        break;
    case REMORA__V1__REASONING_BLOCK__KIND_ENCRYPTED:
        out->kind = REMORA_REASONING_ENCRYPTED;
        out->text = remora_pb_slice(from->encrypted);
        break;
    default: /* a block may be nothing but its signature */
        out->kind = REMORA_REASONING_TEXT;
        break;
    }
    out->signature = remora_pb_slice(from->signature);
    out->format = remora_pb_slice(from->format);
    out->id = remora_pb_slice(from->id);
    out->index = (struct remora_opt_i64){.value = from->index, .is_set = from->has_index != 0};
    return !out->index.is_set || from->index >= 0;
}

static enum remora_code read_reasoning(struct reader *r, const Remora__V1__Message *message,
                                       struct remora_message *out)
{
    size_t count = message->n_reasoning;
    struct remora_reasoning_block *blocks =
        remora_arena_array(r->arena, count == 0 ? 1 : count, sizeof *blocks);
    if (blocks == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_block(message->reasoning[i], &blocks[i])) {
            size_t mark = reader_enter(r, "reasoning", (long)i);
            reader_refuse(r, REMORA_INVALID_REQUEST, "must have an index from 0 to 2147483647.");
            reader_leave(r, mark);
            return REMORA_INVALID_REQUEST;
        }
    }
    out->reasoning = blocks;
    out->reasoning_count = count;
    return REMORA_OK;
}

static bool has_refusal(const struct remora_message *message)
{
    for (size_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].kind == REMORA_PART_REFUSAL) {
            return true;
        }
    }
    return false;
}

/* What the role needs, and what it may not have. */
static enum remora_code check_message(struct reader *r, const struct remora_message *message)
{
    bool is_assistant = message->role == REMORA_ROLE_ASSISTANT;
    if (!is_assistant && (message->tool_call_count > 0 || has_refusal(message))) {
        return reader_refuse(r, REMORA_INVALID_REQUEST,
                             "has tool_calls or a refusal, which only the role assistant has.");
    }
    if (message->role == REMORA_ROLE_TOOL && message->tool_call_id.length == 0) {
        return reader_refuse(r, REMORA_INVALID_REQUEST,
                             "has the role tool and needs tool_call_id: the id of the call that it "
                             "answers.");
    }
    if (message->role != REMORA_ROLE_TOOL && message->tool_call_id.length > 0) {
        return reader_refuse(r, REMORA_INVALID_REQUEST,
                             "has tool_call_id, which only the role tool has.");
    }
    if (message->part_count == 0 && !(is_assistant && message->tool_call_count > 0)) {
        return reader_refuse(r, REMORA_INVALID_REQUEST, "%s",
                             is_assistant ? "needs content or tool_calls." : "needs content.");
    }
    return REMORA_OK;
}

static enum remora_code read_message(struct reader *r, const Remora__V1__Message *message,
                                     struct remora_message *out)
{
    if (message->role < REMORA__V1__ROLE__ROLE_SYSTEM ||
        message->role > REMORA__V1__ROLE__ROLE_TOOL) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "role",
                                   "is missing; send system, developer, user, assistant or tool.");
    }
    if (message->tool_failed) {
        return reader_unbuilt(r, "tool_failed");
    }
    out->role = (enum remora_role)message->role;
    out->name = remora_pb_slice(message->name);
    out->tool_call_id = remora_pb_slice(message->tool_call_id);
    enum remora_code code = read_parts(r, message, out);
    if (code == REMORA_OK) {
        code = read_tool_calls(r, message, out);
    }
    if (code == REMORA_OK) {
        code = read_reasoning(r, message, out);
    }
    if (code == REMORA_OK) {
        code = check_message(r, out);
    }
    return code == REMORA_OK ? reader_struct(r, "extra", message->extra, &out->extra) : code;
}

enum remora_code reader_messages(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    size_t count = chat->n_messages;
    if (count == 0) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "messages",
                                   "is missing; send at least one message.");
    }
    if (count > REMORA_LIMIT_MESSAGES) {
        char text[64];
        snprintf(text, sizeof text, "must have at most %d messages.", (int)REMORA_LIMIT_MESSAGES);
        return reader_refuse_field(r, REMORA_TOO_LARGE, "messages", text);
    }
    struct remora_message *messages = remora_arena_array(r->arena, count, sizeof *messages);
    if (messages == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < count; i++) {
        size_t mark = reader_enter(r, "messages", (long)i);
        enum remora_code code = read_message(r, chat->messages[i], &messages[i]);
        reader_leave(r, mark);
        if (code != REMORA_OK) {
            return code;
        }
    }
    r->request->messages = messages;
    r->request->message_count = count;
    return REMORA_OK;
}
