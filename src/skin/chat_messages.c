/*
 * `messages`: roles, content as one text or as parts, tool calls and their results, reasoning that makes the round trip.
 * Shapes: reference/openrouter.md section 3; OpenAI's API reference, "Create chat completion", `messages`.
 *
 * Refused: no message, an unknown role, a field or a kind of part of another role, a tool message without tool_call_id, an
 * assistant message that says nothing. Whether results follow their calls is judged over the whole conversation
 * (remora_conversation_check).
 */
#include "parse.h"

static const char *const role_words[] = {"system", "developer", "user", "assistant", "tool"};
static const enum remora_role role_values[] = {REMORA_ROLE_SYSTEM, REMORA_ROLE_DEVELOPER,
                                               REMORA_ROLE_USER, REMORA_ROLE_ASSISTANT,
                                               REMORA_ROLE_TOOL};

static enum remora_code read_role(struct parse *p, struct remora_json value, void *target)
{
    size_t index = 0;
    enum remora_code code = parse_word(p, value, role_words, REMORA_COUNT_OF(role_words), &index);
    if (code == REMORA_OK) {
        *(enum remora_role *)target = role_values[index];
    }
    return code;
}

/* What is looked for in objects that go back as they came. */
static const char *const type_name[] = {"type"};

/* ---- content ---- */

struct message {
    struct remora_message *out;
    struct remora_slice refusal;
    struct remora_slice reasoning;
    struct parse_list details;
    struct parse_list signatures;  /* of struct remora_reasoning_block, from the calls */
    struct parse_list images;      /* of struct remora_part */
    struct parse_list raw;         /* of struct remora_part */
    struct parse_list annotations; /* of struct remora_annotation */
    struct remora_part audio;
    struct remora_pair *extra; /* members that have no reader; room for the next power of two */
    size_t extra_count;
};

static enum remora_code read_text_content(struct parse *p, struct remora_json value,
                                          struct remora_message *out)
{
    struct remora_part *part = remora_arena_alloc(p->arena, sizeof *part);
    if (part == NULL) {
        return parse_no_room(p);
    }
    part->kind = REMORA_PART_TEXT;
    out->parts = part;
    out->part_count = 1;
    out->content_is_text = true;
    return parse_slice(p, value, &part->text);
}

static enum remora_code read_content(struct parse *p, struct remora_json value, void *target)
{
    struct remora_message *out = ((struct message *)target)->out;
    if (remora_json_is(value, REMORA_JSON_STRING)) {
        return read_text_content(p, value, out);
    }
    if (!remora_json_is(value, REMORA_JSON_ARRAY)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must be a string or an array of content parts.");
    }
    struct parse_list list = {0};
    enum remora_code code =
        parse_array(p, value, sizeof(struct remora_part), chat_read_part, &list);
    out->parts = list.items;
    out->part_count = list.count;
    return code;
}

static enum remora_code read_tool_calls(struct parse *p, struct remora_json value, void *target)
{
    struct message *message = target;
    return chat_read_calls(p, value, message->out, &message->signatures);
}

/* ---- reasoning: the types of openrouter.md section 9, `reasoning_details` ---- */

static enum remora_reasoning_kind kind_of_block(struct remora_json type)
{
    static const char *const words[] = {"reasoning.text", "reasoning.summary",
                                        "reasoning.encrypted"};
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        if (remora_json_equals(type, words[i])) {
            return (enum remora_reasoning_kind)i;
        }
    }
    return REMORA_REASONING_OTHER;
}

static enum remora_code read_block_index(struct parse *p, struct remora_json value, void *target)
{
    struct remora_opt_i64 *index = target;
    enum remora_code code = parse_integer(p, value, 0, INT32_MAX, &index->value);
    index->is_set = code == REMORA_OK;
    return code;
}

/* What a provider adds to its blocks goes back to it with them. */
static enum remora_code skip_member(struct parse *p, struct remora_json value, void *target)
{
    (void)p;
    (void)value;
    (void)target;
    return REMORA_OK;
}

static enum remora_code read_known_block(struct parse *p, struct remora_json value, void *block)
{
#define BLOCK(text, reader, member)                                                       \
    {                                                                                     \
        REMORA_SLICE_INIT(text), reader, offsetof(struct remora_reasoning_block, member), \
            PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT                              \
    }
    static const struct parse_field fields[] = {
        BLOCK("text", parse_slice, text),
        BLOCK("summary", parse_slice, text),
        BLOCK("data", parse_slice, text),
        BLOCK("signature", parse_slice, signature),
        BLOCK("format", parse_slice, format),
        BLOCK("id", parse_slice, id),
        BLOCK("index", read_block_index, index),
        {REMORA_SLICE_INIT("type"), skip_member, .asks = PARSE_ASKS_NOTHING},
    };
#undef BLOCK
    static const struct parse_table table = PARSE_TABLE(fields, skip_member);
    return parse_object(p, value, &table, block);
}

/* A type that is not known here (reasoning.server_tool_call, what comes next year) goes back as it came. */
static enum remora_code read_reasoning_block(struct parse *p, struct remora_json value,
                                             void *target)
{
    struct remora_reasoning_block *block = target;
    enum remora_code code = parse_raw_object(p, value, &block->raw);
    if (code != REMORA_OK) {
        return code;
    }
    code = parse_check_spelling(p, value, type_name, REMORA_COUNT_OF(type_name));
    if (code != REMORA_OK) {
        return code;
    }
    struct remora_json type = remora_json_get(value, "type");
    if (!remora_json_is(type, REMORA_JSON_STRING)) {
        size_t mark = parse_enter(p, REMORA_SLICE("type"));
        code = parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must be a string; send reasoning_details as they came.");
        parse_leave(p, mark);
        return code;
    }
    block->kind = kind_of_block(type);
    return block->kind == REMORA_REASONING_OTHER ? REMORA_OK : read_known_block(p, value, block);
}

static enum remora_code read_details(struct parse *p, struct remora_json value, void *target)
{
    return parse_array(p, value, sizeof(struct remora_reasoning_block), read_reasoning_block,
                       &((struct message *)target)->details);
}

/* ---- media and citations of earlier answers ---- */

static enum remora_code read_audio(struct parse *p, struct remora_json value, void *target)
{
    return chat_read_assistant_audio(p, value, &((struct message *)target)->audio);
}

static enum remora_code read_images(struct parse *p, struct remora_json value, void *target)
{
    return parse_array(p, value, sizeof(struct remora_part), chat_read_assistant_image,
                       &((struct message *)target)->images);
}

/* Content of a type that is not known here, as an answer told it: kept to be told, it goes to nobody. */
static enum remora_code read_raw_part(struct parse *p, struct remora_json value, void *target)
{
    struct remora_part *part = target;
    part->kind = REMORA_PART_RAW;
    return parse_raw_object(p, value, &part->text);
}

static enum remora_code read_raw(struct parse *p, struct remora_json value, void *target)
{
    return parse_array(p, value, sizeof(struct remora_part), read_raw_part,
                       &((struct message *)target)->raw);
}

static enum remora_code read_annotation(struct parse *p, struct remora_json value, void *target)
{
    struct remora_annotation *annotation = target;
    enum remora_code code = parse_raw_object(p, value, &annotation->raw);
    if (code == REMORA_OK) {
        code = parse_check_spelling(p, value, type_name, REMORA_COUNT_OF(type_name));
    }
    if (code != REMORA_OK) {
        return code;
    }
    size_t mark = parse_enter(p, REMORA_SLICE("type"));
    code = parse_slice(p, remora_json_get(value, "type"), &annotation->type);
    parse_leave(p, mark);
    return code;
}

static enum remora_code read_annotations(struct parse *p, struct remora_json value, void *target)
{
    return parse_array(p, value, sizeof(struct remora_annotation), read_annotation,
                       &((struct message *)target)->annotations);
}

/* ---- one message ---- */

static enum remora_code read_message_role(struct parse *p, struct remora_json value, void *target)
{
    return read_role(p, value, &((struct message *)target)->out->role);
}

static enum remora_code read_name(struct parse *p, struct remora_json value, void *target)
{
    return parse_slice(p, value, &((struct message *)target)->out->name);
}

static enum remora_code read_author(struct parse *p, struct remora_json value, void *target)
{
    return parse_id(p, value, &((struct message *)target)->out->model);
}

/* The content once more, read: what OpenAI's Python client leaves in an answer to `parse` or `stream`. Nobody is sent it. */
static enum remora_code read_parsed(struct parse *p, struct remora_json value, void *target)
{
    (void)p;
    (void)value;
    (void)target;
    return REMORA_OK;
}

static enum remora_code read_tool_call_id(struct parse *p, struct remora_json value, void *target)
{
    return parse_slice(p, value, &((struct message *)target)->out->tool_call_id);
}

static enum remora_code add_extra(struct parse *p, struct remora_json value,
                                  struct message *message)
{
    size_t count = message->extra_count;
    if ((count & (count - 1)) == 0) {
        size_t room = count == 0 ? 1 : 2 * count;
        struct remora_pair *pairs = remora_arena_resize(
            p->arena, message->extra, count * sizeof *pairs, room * sizeof *pairs);
        if (pairs == NULL) {
            return parse_no_room(p);
        }
        message->extra = pairs;
    }
    message->extra[count] = (struct remora_pair){.key = p->key, .value = remora_json_raw(value)};
    message->extra_count = count + 1;
    return REMORA_OK;
}

/*
 * Kept as it came, but for what chooses a host or a credential: whether an endpoint takes it is the adapter's business. Null is as if it
 * were not there.
 */
static enum remora_code read_message_extra(struct parse *p, struct remora_json value, void *target)
{
    enum remora_code code = chat_refuse_choice(p, value);
    bool is_absent = remora_json_is(value, REMORA_JSON_NULL);
    return code == REMORA_OK && !is_absent ? add_extra(p, value, target) : code;
}

/* One object of all of them, written once. */
static enum remora_code keep_extra(struct parse *p, struct message *message)
{
    struct remora_buf text;
    struct remora_json_writer w;
    if (message->extra_count == 0) {
        return REMORA_OK;
    }
    remora_buf_init(&text, REMORA_LIMIT_MESSAGE_BYTES);
    remora_json_write_begin(&w, &text);
    remora_json_object_open(&w);
    for (size_t i = 0; i < message->extra_count; i++) {
        remora_json_key_slice(&w, message->extra[i].key);
        remora_json_write_raw(&w, message->extra[i].value);
    }
    remora_json_object_close(&w);
    if (remora_buf_code(&text) == REMORA_OK) {
        message->out->extra = remora_arena_copy(p->arena, remora_buf_slice(&text));
    }
    remora_buf_fini(&text);
    return message->out->extra.length == 0 ? parse_no_room(p) : REMORA_OK;
}

static void append(struct remora_part *parts, size_t *at, const struct parse_list *list)
{
    if (list->count > 0) {
        memcpy(parts + *at, list->items, list->count * sizeof *parts);
        *at += list->count;
    }
}

/* `refusal`, `audio`, `images` and `raw` of an assistant message are further parts, behind its content. */
static enum remora_code keep_parts(struct parse *p, struct message *message)
{
    struct remora_message *out = message->out;
    size_t more = (message->refusal.data != NULL ? 1U : 0U) +
                  (message->audio.media.value.length > 0 ? 1U : 0U) + message->images.count +
                  message->raw.count;
    if (more == 0) {
        return REMORA_OK;
    }
    struct remora_part *parts = remora_arena_array(p->arena, out->part_count + more, sizeof *parts);
    if (parts == NULL) {
        return parse_no_room(p);
    }
    size_t at = out->part_count;
    if (at > 0) {
        memcpy(parts, out->parts, at * sizeof *parts);
    }
    if (message->refusal.data != NULL) {
        parts[at++] = (struct remora_part){.kind = REMORA_PART_REFUSAL, .text = message->refusal};
        out->content_is_text = false;
    }
    if (message->audio.media.value.length > 0) {
        parts[at++] = message->audio;
    }
    append(parts, &at, &message->images);
    append(parts, &at, &message->raw);
    out->parts = parts;
    out->part_count += more;
    return REMORA_OK;
}

/* Citations hang on the first text; those that stand alone on one that nobody has said: it has no data. */
static enum remora_code keep_annotations(struct parse *p, struct message *message)
{
    struct remora_message *out = message->out;
    if (message->annotations.count == 0) {
        return REMORA_OK;
    }
    size_t at = 0;
    while (at < out->part_count && out->parts[at].kind != REMORA_PART_TEXT) {
        at++;
    }
    size_t count = at < out->part_count ? out->part_count : out->part_count + 1;
    struct remora_part *parts = remora_arena_array(p->arena, count, sizeof *parts);
    if (parts == NULL) {
        return parse_no_room(p);
    }
    if (out->part_count > 0) {
        memcpy(parts, out->parts, out->part_count * sizeof *parts);
    }
    if (at == out->part_count) {
        parts[at] = (struct remora_part){.kind = REMORA_PART_TEXT, .text = {NULL, 0}};
        out->content_is_text = count == 1;
    }
    parts[at].annotations = message->annotations.items;
    parts[at].annotation_count = message->annotations.count;
    out->parts = parts;
    out->part_count = count;
    return REMORA_OK;
}

/* `reasoning` is a block where reasoning_details say no more. */
/* Under either of its names; an empty text says nothing. */
static enum remora_code read_reasoning(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice *reasoning = &((struct message *)target)->reasoning;
    struct remora_slice text = {NULL, 0};
    enum remora_code code = parse_slice(p, value, &text);
    bool is_said = code == REMORA_OK && text.length > 0;
    if (is_said && reasoning->length > 0 && !remora_slice_equal(text, *reasoning)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "differs: reasoning and reasoning_content are two names of one text; "
                            "send one of them.");
    }
    *reasoning = is_said ? text : *reasoning;
    return code;
}

static enum remora_code keep_reasoning(struct parse *p, struct message *message)
{
    struct remora_message *out = message->out;
    if (message->details.count > 0) {
        out->reasoning = message->details.items;
        out->reasoning_count = message->details.count;
        return REMORA_OK;
    }
    if (message->reasoning.length == 0) {
        return REMORA_OK;
    }
    struct remora_reasoning_block *block = remora_arena_alloc(p->arena, sizeof *block);
    if (block == NULL) {
        return parse_no_room(p);
    }
    *block =
        (struct remora_reasoning_block){.kind = REMORA_REASONING_TEXT, .text = message->reasoning};
    out->reasoning = block;
    out->reasoning_count = 1;
    return REMORA_OK;
}

static enum remora_code keep_signatures(struct parse *p, struct message *message)
{
    return chat_add_signatures(p, &message->signatures, message->out);
}

/* The first member that only an assistant may have, or NULL. */
static const char *assistant_member(const struct message *message)
{
    const struct {
        const char *name;
        bool is_there;
    } members[] = {
        {"tool_calls", message->out->tool_call_count > 0},
        {"a refusal", message->refusal.data != NULL},
        {"audio", message->audio.media.value.length > 0},
        {"images", message->images.count > 0},
        {"raw", message->raw.count > 0},
        {"annotations", message->annotations.count > 0},
        {"reasoning", message->reasoning.length > 0},
        {"reasoning_details", message->details.count > 0},
        {"a model", message->out->model.length > 0},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(members); i++) {
        if (members[i].is_there) {
            return members[i].name;
        }
    }
    return NULL;
}

static enum remora_code check_parts(struct parse *p, const struct remora_message *out)
{
    for (size_t i = 0; i < out->part_count; i++) {
        const char *why = remora_role_refuses_part(out->role, out->parts[i].kind);
        if (why != NULL) {
            size_t mark = parse_enter(p, REMORA_SLICE("content"));
            parse_enter_index(p, (uint32_t)i);
            enum remora_code code = parse_refuse(p, REMORA_INVALID_REQUEST, "%s", why);
            parse_leave(p, mark);
            return code;
        }
    }
    return REMORA_OK;
}

/* What the role needs, and what it may not have. */
static enum remora_code check_message(struct parse *p, const struct message *message)
{
    const struct remora_message *out = message->out;
    bool is_assistant = out->role == REMORA_ROLE_ASSISTANT;
    if (out->role == REMORA_ROLE_UNSET) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "has no role; send system, developer, user, assistant or tool.");
    }
    const char *member = is_assistant ? NULL : assistant_member(message);
    if (member != NULL) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "has %s, which only the role assistant has.",
                            member);
    }
    if (out->role == REMORA_ROLE_TOOL && out->tool_call_id.length == 0) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "has the role tool and needs tool_call_id: the id of the call that it "
                            "answers.");
    }
    if (out->role != REMORA_ROLE_TOOL && out->tool_call_id.data != NULL) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "has tool_call_id, which only the role tool has.");
    }
    if (out->part_count == 0 && !(is_assistant && out->tool_call_count > 0)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "%s",
                            is_assistant ? "needs content or tool_calls." : "needs content.");
    }
    return check_parts(p, out);
}

static enum remora_code finish_message(struct parse *p, struct message *message)
{
    static enum remora_code (*const steps[])(struct parse *, struct message *) = {
        keep_parts, keep_annotations, keep_reasoning, keep_signatures, keep_extra};
    enum remora_code code = REMORA_OK;
    for (size_t i = 0; code == REMORA_OK && i < REMORA_COUNT_OF(steps); i++) {
        code = steps[i](p, message);
    }
    return code == REMORA_OK ? check_message(p, message) : code;
}

static const struct parse_field message_fields[] = {
    {REMORA_SLICE_INIT("role"), read_message_role, .asks = PARSE_ASKS_NOTHING,
     .null = PARSE_NULL_REFUSED},
    {REMORA_SLICE_INIT("content"), read_content, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("name"), read_name, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("tool_calls"), read_tool_calls, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("tool_call_id"), read_tool_call_id, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("refusal"), parse_slice, offsetof(struct message, refusal),
     PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT},
    {REMORA_SLICE_INIT("reasoning"), read_reasoning, .asks = PARSE_ASKS_NOTHING,
     .null = PARSE_NULL_IS_ABSENT},
    {REMORA_SLICE_INIT("reasoning_content"), read_reasoning, .asks = PARSE_ASKS_NOTHING,
     .null = PARSE_NULL_IS_ABSENT},
    {REMORA_SLICE_INIT("reasoning_details"), read_details, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("audio"), read_audio, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("images"), read_images, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("raw"), read_raw, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("annotations"), read_annotations, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("model"), read_author, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("parsed"), read_parsed, .asks = PARSE_ASKS_NOTHING},
    {REMORA_SLICE_INIT("function_call"), NULL, .asks = PARSE_ASKS_NOTHING},
};
const struct parse_table chat_message_table = PARSE_TABLE(message_fields, read_message_extra);

static enum remora_code read_message(struct parse *p, struct remora_json value, void *target)
{
    struct message message = {.out = target};
    enum remora_code code = parse_object(p, value, &chat_message_table, &message);
    return code == REMORA_OK ? finish_message(p, &message) : code;
}

static enum remora_code check_conversation(struct parse *p)
{
    size_t at = 0;
    const char *why = remora_conversation_check(p->request, &at);
    if (why == NULL) {
        return REMORA_OK;
    }
    size_t mark = parse_enter_index(p, (uint32_t)at);
    enum remora_code code = parse_refuse(p, REMORA_INVALID_REQUEST, "%s", why);
    parse_leave(p, mark);
    return code;
}

enum remora_code chat_read_messages(struct parse *p, struct remora_json value, void *target)
{
    struct remora_request *request = target;
    if (!remora_json_is(value, REMORA_JSON_ARRAY) || remora_json_count(value) == 0) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must be an array with at least one message.");
    }
    if (remora_json_count(value) > REMORA_LIMIT_MESSAGES) {
        return parse_refuse(p, REMORA_TOO_LARGE, "must have at most %d messages.",
                            (int)REMORA_LIMIT_MESSAGES);
    }
    struct parse_list list = {0};
    enum remora_code code =
        parse_array(p, value, sizeof(struct remora_message), read_message, &list);
    request->messages = list.items;
    request->message_count = list.count;
    return code == REMORA_OK ? check_conversation(p) : code;
}
