/*
 * `tool_calls` of an assistant message. Shapes: reference/openrouter.md section 3; OpenAI's API reference, "Create chat
 * completion"; providers.md section 4 (thoughtSignature).
 */
#include "parse.h"

struct call {
    struct remora_tool_call out;
    struct remora_slice signature;
    bool has_function;
};

/* extra_content {google {thought_signature}}: Gemini's signature as Google's own openai-chat wire has it (providers.md 4). */
static enum remora_code read_google(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("thought_signature"), parse_slice, 0, PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_IS_ABSENT},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

static enum remora_code read_extra_content(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("google"), read_google, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

/* `arguments` once more, read: what OpenAI's Python client leaves in the message that its stream adds up to. */
static enum remora_code read_parsed(struct parse *p, struct remora_json value, void *target)
{
    (void)p;
    (void)value;
    (void)target;
    return REMORA_OK;
}

static enum remora_code read_call_function(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("name"), parse_slice, offsetof(struct remora_tool_call, name),
         PARSE_ASKS_NOTHING, .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("arguments"), parse_slice,
         offsetof(struct remora_tool_call, arguments_json), PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("parsed_arguments"), read_parsed, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct call *call = target;
    enum remora_code code = parse_object(p, value, &table, &call->out);
    if (code == REMORA_OK &&
        (call->out.name.length == 0 || call->out.arguments_json.data == NULL)) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must have a name and arguments.");
    }
    call->has_function = true;
    return code;
}

static enum remora_code read_call_type(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"function"};
    size_t index = 0;
    (void)target;
    return parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
}

static enum remora_code read_call_id(struct parse *p, struct remora_json value, void *target)
{
    return parse_slice(p, value, &((struct call *)target)->out.id);
}

static enum remora_code read_call_index(struct parse *p, struct remora_json value, void *target)
{
    int64_t index = 0; /* the order of the array counts */
    (void)target;
    return parse_integer(p, value, 0, INT32_MAX, &index);
}

static enum remora_code read_call(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("id"), read_call_id, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("type"), read_call_type, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("function"), read_call_function, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        /* Clients that send back the calls of a stream as they came leave its index in place. */
        {REMORA_SLICE_INIT("index"), read_call_index, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("extra_content"), read_extra_content, offsetof(struct call, signature),
         PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct call *call = target;
    enum remora_code code = parse_object(p, value, &table, call);
    if (code == REMORA_OK && (call->out.id.length == 0 || !call->has_function)) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must have an id and a function.");
    }
    return code;
}

/* The same block that an answer tells the signature as. */
static enum remora_code keep_signatures(struct parse *p, const struct parse_list *list,
                                        struct parse_list *signatures)
{
    const struct call *calls = list->items;
    struct remora_reasoning_block *blocks = NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (calls[i].signature.length == 0) {
            continue;
        }
        if (blocks == NULL) {
            blocks = remora_arena_array(p->arena, list->count, sizeof *blocks);
        }
        if (blocks == NULL) {
            return parse_no_room(p);
        }
        blocks[signatures->count++] =
            (struct remora_reasoning_block){.kind = REMORA_REASONING_ENCRYPTED,
                                            .text = calls[i].signature,
                                            .format = REMORA_SLICE(REMORA_GEMINI_FORMAT),
                                            .id = calls[i].out.id};
    }
    signatures->items = blocks;
    return REMORA_OK;
}

enum remora_code chat_read_calls(struct parse *p, struct remora_json value,
                                 struct remora_message *out, struct parse_list *signatures)
{
    struct parse_list list = {0};
    enum remora_code code = parse_array(p, value, sizeof(struct call), read_call, &list);
    if (code != REMORA_OK) {
        return code;
    }
    if (list.count > REMORA_LIMIT_TOOL_CALLS) {
        return parse_refuse(p, REMORA_TOO_LARGE, "must have at most %d calls.",
                            (int)REMORA_LIMIT_TOOL_CALLS);
    }
    struct remora_tool_call *calls = remora_arena_array(p->arena, list.count, sizeof *calls);
    if (calls == NULL && list.count > 0) {
        return parse_no_room(p);
    }
    for (size_t i = 0; i < list.count; i++) {
        calls[i] = ((const struct call *)list.items)[i].out;
        calls[i].index = (int32_t)i;
    }
    out->tool_calls = calls;
    out->tool_call_count = list.count;
    return keep_signatures(p, &list, signatures);
}

static bool is_told(const struct remora_message *out, const struct remora_reasoning_block *block)
{
    for (size_t i = 0; i < out->reasoning_count; i++) {
        if (out->reasoning[i].kind == block->kind &&
            remora_slice_equal(out->reasoning[i].id, block->id)) {
            return true;
        }
    }
    return false;
}

/* Behind the other blocks, but for calls that reasoning_details hold a block of already. */
enum remora_code chat_add_signatures(struct parse *p, const struct parse_list *list,
                                     struct remora_message *out)
{
    const struct remora_reasoning_block *signatures = list->items;
    size_t count = out->reasoning_count;
    if (list->count == 0) {
        return REMORA_OK;
    }
    struct remora_reasoning_block *blocks =
        remora_arena_array(p->arena, count + list->count, sizeof *blocks);
    if (blocks == NULL) {
        return parse_no_room(p);
    }
    if (count > 0) {
        memcpy(blocks, out->reasoning, count * sizeof *blocks);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!is_told(out, &signatures[i])) {
            blocks[count++] = signatures[i];
        }
    }
    out->reasoning = blocks;
    out->reasoning_count = count;
    return REMORA_OK;
}
