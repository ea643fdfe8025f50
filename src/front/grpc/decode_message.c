/*
 * `messages`: roles, parts, tool calls and reasoning. The same rules as the HTTP skin's (src/skin/chat_messages.c): no
 * message, an unknown role, a field or a kind of part of another role, a tool message without tool_call_id, nothing to say,
 * results that do not follow their calls: refused. Raw parts and tool_failed are UNIMPLEMENTED.
 */
#include <stdio.h>

#include "reader.h"
#include "remora/media.h"
#include "remora/skin.h"

/* ---- media ---- */

static const char *read_uri(enum remora_part_kind kind, const Remora__V1__Media *from,
                            struct remora_media *out)
{
    struct remora_slice uri = remora_pb_slice(from->uri);
    const char *why = remora_media_from_url(kind, uri, out);
    /* Audio has a format and no type on every wire so far, as input_audio over HTTP. */
    if (why == NULL && kind == REMORA_PART_AUDIO && out->detail.length == 0) {
        out->detail = remora_media_format(out->mime_type);
    }
    return why;
}

static const char *check_file_id(struct remora_slice id)
{
    return id.length >= 1 && id.length <= REMORA_LIMIT_ID_BYTES ? NULL : "must be 1 to 256 bytes.";
}

static enum remora_code read_source(struct reader *r, enum remora_part_kind kind,
                                    const Remora__V1__Media *from, struct remora_media *out)
{
    const char *field = NULL;
    const char *why = NULL;
    switch ((int)from->source_case) {
    case REMORA__V1__MEDIA__SOURCE_DATA:
        field = "data";
        out->source = REMORA_MEDIA_BYTES;
        out->value = remora_pb_slice(from->data);
        why = remora_media_check_bytes(kind, out);
        break;
    case REMORA__V1__MEDIA__SOURCE_URI:
        field = "uri";
        why = read_uri(kind, from, out);
        break;
    case REMORA__V1__MEDIA__SOURCE_FILE_ID:
        field = "file_id";
        out->source = REMORA_MEDIA_FILE_ID;
        out->value = remora_pb_slice(from->file_id);
        why = check_file_id(out->value);
        break;
    default:
        return reader_refuse(r, REMORA_INVALID_REQUEST, "must have data, a uri or a file_id.");
    }
    return why == NULL ? REMORA_OK : reader_refuse_field(r, REMORA_INVALID_REQUEST, field, why);
}

static enum remora_code read_names(struct reader *r, enum remora_part_kind kind,
                                   struct remora_media *out)
{
    const char *why = NULL;
    const char *field = "detail";
    if (out->detail.length > 0) {
        why = kind == REMORA_PART_AUDIO   ? remora_media_check_format(out->detail)
              : kind == REMORA_PART_IMAGE ? remora_media_check_detail(out->detail)
                                          : "belongs to images and audio only.";
    }
    if (why == NULL && out->filename.length > 0) {
        field = "filename";
        why = kind == REMORA_PART_FILE ? remora_media_check_filename(out->filename)
                                       : "belongs to files only.";
    }
    return why == NULL ? REMORA_OK : reader_refuse_field(r, REMORA_INVALID_REQUEST, field, why);
}

/* Sound of an earlier answer is known to its provider by its id; data of it goes nowhere and is whatever the provider sent. */
static bool read_earlier_sound(const struct reader *r, enum remora_part_kind kind,
                               const Remora__V1__Media *from, struct remora_part *out)
{
    bool has_id = from->source_case == REMORA__V1__MEDIA__SOURCE_FILE_ID;
    if (r->role != REMORA_ROLE_ASSISTANT || kind != REMORA_PART_AUDIO || has_id) {
        return false;
    }
    out->kind = kind;
    out->media = (struct remora_media){.source = REMORA_MEDIA_BYTES};
    if (from->source_case == REMORA__V1__MEDIA__SOURCE_DATA) {
        out->media.value = remora_pb_slice(from->data);
    }
    return true;
}

static enum remora_code read_media(struct reader *r, const char *field, enum remora_part_kind kind,
                                   const Remora__V1__Media *from, struct remora_part *out)
{
    if (read_earlier_sound(r, kind, from, out)) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, field, -1);
    out->kind = kind;
    out->media = (struct remora_media){.mime_type = remora_pb_slice(from->mime_type),
                                       .filename = remora_pb_slice(from->filename),
                                       .detail = remora_pb_slice(from->detail)};
    enum remora_code code = read_names(r, kind, &out->media);
    if (code == REMORA_OK) {
        code = read_source(r, kind, from, &out->media);
    }
    reader_leave(r, mark);
    return code;
}

/* ---- parts ---- */

/* Text that a oneof has, though it be empty: a slice without data is a text that nobody said. */
static struct remora_slice said(ProtobufCBinaryData text)
{
    return text.len == 0 ? REMORA_SLICE("") : remora_pb_slice(text);
}

static enum remora_code read_kind(struct reader *r, const Remora__V1__ContentPart *part,
                                  struct remora_part *out)
{
    switch ((int)part->kind_case) {
    case REMORA__V1__CONTENT_PART__KIND_TEXT:
        out->kind = REMORA_PART_TEXT;
        out->text = said(part->text);
        return REMORA_OK;
    case REMORA__V1__CONTENT_PART__KIND_REFUSAL:
        out->kind = REMORA_PART_REFUSAL;
        out->text = said(part->refusal);
        return REMORA_OK;
    case REMORA__V1__CONTENT_PART__KIND_IMAGE:
        return read_media(r, "image", REMORA_PART_IMAGE, part->image, out);
    case REMORA__V1__CONTENT_PART__KIND_AUDIO:
        return read_media(r, "audio", REMORA_PART_AUDIO, part->audio, out);
    case REMORA__V1__CONTENT_PART__KIND_VIDEO:
        return read_media(r, "video", REMORA_PART_VIDEO, part->video, out);
    case REMORA__V1__CONTENT_PART__KIND_FILE:
        return read_media(r, "file", REMORA_PART_FILE, part->file, out);
    case REMORA__V1__CONTENT_PART__KIND_RAW:
        return reader_unbuilt(r, "raw");
    default:
        return reader_refuse(r, REMORA_INVALID_REQUEST, "must have its text.");
    }
}

static enum remora_code read_annotation(struct reader *r, const Remora__V1__Annotation *from,
                                        struct remora_annotation *out)
{
    *out = (struct remora_annotation){
        .type = remora_pb_slice(from->type),
        .url = remora_pb_slice(from->url),
        .title = remora_pb_slice(from->title),
        .content = remora_pb_slice(from->content),
        .start_index = {.value = from->start_index, .is_set = from->has_start_index != 0},
        .end_index = {.value = from->end_index, .is_set = from->has_end_index != 0}};
    if (out->type.length == 0) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "type", "is missing.");
    }
    enum remora_code code = reader_struct(r, "extra", from->extra, &out->raw);
    bool has_names = remora_slice_is(out->type, "url_citation"); /* the fields here are its */
    return code == REMORA_OK && out->raw.length == 0 && !has_names
               ? reader_refuse_field(r, REMORA_INVALID_REQUEST, "extra",
                                     "is needed: the fields beside it are those of a url_citation.")
               : code;
}

static enum remora_code read_annotations(struct reader *r, const Remora__V1__ContentPart *part,
                                         struct remora_part *out)
{
    size_t count = part->n_annotations;
    if (count == 0) {
        return REMORA_OK;
    }
    struct remora_annotation *annotations =
        remora_arena_array(r->arena, count, sizeof *annotations);
    if (annotations == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < count; i++) {
        size_t mark = reader_enter(r, "annotations", (long)i);
        enum remora_code code = read_annotation(r, part->annotations[i], &annotations[i]);
        reader_leave(r, mark);
        if (code != REMORA_OK) {
            return code;
        }
    }
    out->annotations = annotations;
    out->annotation_count = count;
    return REMORA_OK;
}

static enum remora_code read_part(struct reader *r, const Remora__V1__ContentPart *part,
                                  struct remora_part *out)
{
    if (++r->part_count > REMORA_LIMIT_PARTS) {
        return reader_refuse(r, REMORA_TOO_LARGE, "is one part too many: at most %d in a request.",
                             (int)REMORA_LIMIT_PARTS);
    }
    enum remora_code code = read_kind(r, part, out);
    if (code == REMORA_OK) {
        code = read_annotations(r, part, out);
    }
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
    if (count > REMORA_LIMIT_TOOL_CALLS) {
        char text[48];
        snprintf(text, sizeof text, "must have at most %d calls.", (int)REMORA_LIMIT_TOOL_CALLS);
        return reader_refuse_field(r, REMORA_TOO_LARGE, "tool_calls", text);
    }
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

/* The text under "type"; false: there is none. */
static bool find_type(const Google__Protobuf__Struct *object, struct remora_slice *out)
{
    for (size_t i = 0; i < object->n_fields; i++) {
        const Google__Protobuf__Struct__FieldsEntry *field = object->fields[i];
        if (remora_slice_is(remora_pb_slice(field->key), "type") && field->value != NULL &&
            field->value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE) {
            *out = remora_pb_slice(field->value->string_value);
            return true;
        }
    }
    return false;
}

/* Types that have fields of their own (openrouter.md section 9) are not read from a free object. */
static const char *check_other(const Google__Protobuf__Struct *object)
{
    static const char *const own[] = {"reasoning.text", "reasoning.summary", "reasoning.encrypted"};
    struct remora_slice type;
    if (!find_type(object, &type)) {
        return "must have a type; send blocks as they came.";
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(own); i++) {
        if (remora_slice_is(type, own[i])) {
            return "has a type with a field of its own: send text, summary or encrypted.";
        }
    }
    return NULL;
}

static enum remora_code read_other_block(struct reader *r, const Remora__V1__ReasoningBlock *from,
                                         struct remora_reasoning_block *out)
{
    *out = (struct remora_reasoning_block){.kind = REMORA_REASONING_OTHER};
    const char *why = check_other(from->other);
    return why == NULL ? reader_struct(r, "other", from->other, &out->raw)
                       : reader_refuse_field(r, REMORA_INVALID_REQUEST, "other", why);
}

static enum remora_code read_block(struct reader *r, const Remora__V1__ReasoningBlock *from,
                                   struct remora_reasoning_block *out)
{
    switch ((int)from->kind_case) {
    case REMORA__V1__REASONING_BLOCK__KIND_TEXT:
        out->kind = REMORA_REASONING_TEXT;
        out->text = said(from->text);
        break;
    case REMORA__V1__REASONING_BLOCK__KIND_SUMMARY:
        out->kind = REMORA_REASONING_SUMMARY;
        out->text = said(from->summary);
        break;
    case REMORA__V1__REASONING_BLOCK__KIND_ENCRYPTED:
        out->kind = REMORA_REASONING_ENCRYPTED;
        out->text = said(from->encrypted);
        break;
    case REMORA__V1__REASONING_BLOCK__KIND_OTHER:
        return read_other_block(r, from, out);
    default: /* a block may be nothing but its signature */
        out->kind = REMORA_REASONING_TEXT;
        break;
    }
    out->signature = remora_pb_slice(from->signature);
    out->format = remora_pb_slice(from->format);
    out->id = remora_pb_slice(from->id);
    out->index = (struct remora_opt_i64){.value = from->index, .is_set = from->has_index != 0};
    return !out->index.is_set || from->index >= 0
               ? REMORA_OK
               : reader_refuse(r, REMORA_INVALID_REQUEST,
                               "must have an index from 0 to 2147483647.");
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
        size_t mark = reader_enter(r, "reasoning", (long)i);
        enum remora_code code = read_block(r, message->reasoning[i], &blocks[i]);
        reader_leave(r, mark);
        if (code != REMORA_OK) {
            return code;
        }
    }
    out->reasoning = blocks;
    out->reasoning_count = count;
    return REMORA_OK;
}

static bool has_annotations(const struct remora_message *message)
{
    for (size_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].annotation_count > 0) {
            return true;
        }
    }
    return false;
}

static enum remora_code check_parts(struct reader *r, const struct remora_message *message)
{
    for (size_t i = 0; i < message->part_count; i++) {
        const char *why = remora_role_refuses_part(message->role, message->parts[i].kind);
        if (why != NULL) {
            size_t mark = reader_enter(r, "parts", (long)i);
            enum remora_code code = reader_refuse(r, REMORA_INVALID_REQUEST, "%s", why);
            reader_leave(r, mark);
            return code;
        }
    }
    return REMORA_OK;
}

/* The first field that only an assistant may have, or NULL. */
static const char *assistant_field(const struct remora_message *message)
{
    return message->tool_call_count > 0   ? "tool_calls"
           : message->reasoning_count > 0 ? "reasoning"
           : has_annotations(message)     ? "annotations"
                                          : NULL;
}

/* What the role needs, and what it may not have. */
static enum remora_code check_message(struct reader *r, const struct remora_message *message)
{
    bool is_assistant = message->role == REMORA_ROLE_ASSISTANT;
    const char *field = is_assistant ? NULL : assistant_field(message);
    if (field != NULL) {
        return reader_refuse(r, REMORA_INVALID_REQUEST,
                             "has %s, which only the role assistant has.", field);
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
    if (message->part_count == 0 && !is_assistant) { /* an answer may be empty, or calls alone */
        return reader_refuse(r, REMORA_INVALID_REQUEST, "needs content.");
    }
    return check_parts(r, message);
}

/* proto3 leaves enums open: a number that this contract does not have arrives as it is. */
static enum remora_code read_role(struct reader *r, int number, enum remora_role *out)
{
    if (number == REMORA__V1__ROLE__ROLE_UNSPECIFIED) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "role",
                                   "is missing; send system, developer, user, assistant or tool.");
    }
    if (number < REMORA__V1__ROLE__ROLE_SYSTEM || number > REMORA__V1__ROLE__ROLE_TOOL) {
        size_t mark = reader_enter(r, "role", -1);
        enum remora_code code =
            reader_refuse(r, REMORA_INVALID_REQUEST,
                          "has the unknown number %d; known are 1 (system), 2 (developer), "
                          "3 (user), 4 (assistant) and 5 (tool).",
                          number);
        reader_leave(r, mark);
        return code;
    }
    *out = (enum remora_role)number;
    return REMORA_OK;
}

static bool is_null(const Google__Protobuf__Value *value)
{
    return value != NULL && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
}

static enum remora_code read_author(struct reader *r, const Google__Protobuf__Value *value,
                                    struct remora_message *out)
{
    if (is_null(value)) {
        return REMORA_OK;
    }
    if (value == NULL || value->kind_case != GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "model", "must be text.");
    }
    if (out->role != REMORA_ROLE_ASSISTANT) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "model",
                                   "says who wrote an answer: only the role assistant has it.");
    }
    return reader_id(r, "model", value->string_value, &out->model);
}

/*
 * What clients keep of an answer holds `model`, who wrote it, and `parsed`, its content once more. A message has no field for them, so they
 * stand in `extra`; as over HTTP they are read and never sent on.
 */
static enum remora_code take_ours(struct reader *r, Google__Protobuf__Struct *extra,
                                  struct remora_message *out)
{
    size_t kept = 0;
    bool has_author = false;
    enum remora_code code = REMORA_OK;
    for (size_t i = 0; i < extra->n_fields && code == REMORA_OK; i++) {
        Google__Protobuf__Struct__FieldsEntry *entry = extra->fields[i];
        struct remora_slice key = remora_pb_slice(entry->key);
        if (!has_author && remora_slice_is(key, "model")) {
            has_author = true;
            code = read_author(r, entry->value, out);
        } else if (!remora_slice_is(key, "parsed")) {
            extra->fields[kept++] = entry;
        }
    }
    extra->n_fields = kept;
    return code;
}

/* What is null is not there, once its name was judged. Whether there was any. */
static bool drop_nulls(Google__Protobuf__Struct *extra)
{
    size_t kept = 0;
    size_t before = extra->n_fields;
    for (size_t i = 0; i < before; i++) {
        if (!is_null(extra->fields[i]->value)) {
            extra->fields[kept++] = extra->fields[i];
        }
    }
    extra->n_fields = kept;
    return kept < before;
}

/* Judged as HTTP judges what a message has further: upstream it stands beside the message's own members. */
static enum remora_code read_extra(struct reader *r, const Remora__V1__Message *message,
                                   struct remora_message *out)
{
    if (message->extra == NULL) {
        return REMORA_OK;
    }
    size_t members = message->extra->n_fields;
    size_t ours = reader_enter(r, "extra", -1);
    enum remora_code code = take_ours(r, message->extra, out);
    reader_leave(r, ours);
    bool is_done = members > 0 && message->extra->n_fields == 0;
    if (code == REMORA_OK && !is_done) {
        code = reader_struct(r, "extra", message->extra, &out->extra);
    }
    if (code != REMORA_OK || out->extra.length == 0) {
        return code;
    }
    size_t mark = reader_enter(r, "extra", -1);
    code = remora_chat_check_members(out->extra, r->path, r->arena, r->fail);
    reader_leave(r, mark);
    if (code != REMORA_OK || !drop_nulls(message->extra)) {
        return code;
    }
    out->extra = (struct remora_slice){NULL, 0};
    return message->extra->n_fields == 0 ? REMORA_OK
                                         : reader_struct(r, "extra", message->extra, &out->extra);
}

static enum remora_code read_message(struct reader *r, const Remora__V1__Message *message,
                                     struct remora_message *out)
{
    enum remora_code role = read_role(r, (int)message->role, &out->role);
    if (role != REMORA_OK) {
        return role;
    }
    if (message->tool_failed) {
        return reader_unbuilt(r, "tool_failed");
    }
    r->role = out->role;
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
    return code == REMORA_OK ? read_extra(r, message, out) : code;
}

static enum remora_code check_conversation(struct reader *r)
{
    size_t at = 0;
    const char *why = remora_conversation_check(r->request, &at);
    if (why == NULL) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, "messages", (long)at);
    enum remora_code code = reader_refuse(r, REMORA_INVALID_REQUEST, "%s", why);
    reader_leave(r, mark);
    return code;
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
    return check_conversation(r);
}
