/*
 * tools, tool_choice, response_format and cache markers. Shapes: reference/openrouter.md section 2 (rows `tools`,
 * `tool_choice`, `response_format`, `cache_control`). Schemas are kept raw. Server tools: UNIMPLEMENTED naming the type.
 */
#include "parse.h"

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool is_name(struct remora_slice name, bool may_have_dots)
{
    for (size_t i = 0; i < name.length; i++) {
        if (!is_name_byte(name.data[i]) && !(may_have_dots && name.data[i] == '.')) {
            return false;
        }
    }
    return name.length >= 1 && name.length <= 64;
}

/* OpenAI: letters, digits, _ and -, at most 64 bytes; the dot is Gemini's, which other clients send. */
static enum remora_code read_name(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice *name = target;
    enum remora_code code = parse_slice(p, value, name);
    return code == REMORA_OK && !is_name(*name, true)
               ? parse_refuse(p, REMORA_INVALID_REQUEST,
                              "must be 1 to 64 letters, digits, _, - or dots.")
               : code;
}

/* ---- cache_control {type: "ephemeral", ttl: "5m" | "1h"} ---- */

static enum remora_code read_cache_type(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"ephemeral"};
    size_t index = 0;
    (void)target;
    return parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
}

static enum remora_code read_cache_ttl(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"5m", "1h"};
    size_t index = 0;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    *(int32_t *)target = index == 0 ? 300 : 3600;
    return code;
}

enum remora_code chat_read_cache(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("type"), read_cache_type, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("ttl"), read_cache_ttl, offsetof(struct remora_cache_breakpoint, ttl_s),
         PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct remora_cache_breakpoint *cache = target;
    cache->is_set = true;
    enum remora_code code = parse_object(p, value, &table, cache);
    return code == REMORA_OK && remora_json_is_absent(remora_json_get(value, "type"))
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must have the type \"ephemeral\".")
               : code;
}

/* ---- tools ---- */

static enum remora_code read_function(struct parse *p, struct remora_json value, void *target)
{
#define TOOL(text, reader, member)                                                                 \
    {                                                                                              \
        REMORA_SLICE_INIT(text), reader, offsetof(struct remora_tool, member), PARSE_ASKS_NOTHING, \
            .null = PARSE_NULL_IS_ABSENT                                                           \
    }
    static const struct parse_field fields[] = {
        TOOL("name", read_name, name), TOOL("description", parse_slice, description),
        TOOL("parameters", parse_raw_object, parameters_json),
        TOOL("strict", parse_tristate, strict)};
#undef TOOL
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct remora_tool *tool = target;
    enum remora_code code = parse_object(p, value, &table, tool);
    if (code == REMORA_OK && tool->name.length == 0) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must have a name.");
    }
    return code;
}

/* OpenRouter's server tools, OpenAI's shorthands of them, and OpenAI's tools that are no functions (those of Responses, too). */
static bool is_later_type(struct remora_slice type)
{
    static const char *const words[] = {"web_search",
                                        "web_search_2025_08_26",
                                        "web_search_preview",
                                        "web_search_preview_2025_03_11",
                                        "mcp",
                                        "file_search",
                                        "code_interpreter",
                                        "image_generation",
                                        "computer_use_preview",
                                        "local_shell",
                                        "custom",
                                        "allowed_tools"};
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        if (remora_slice_is(type, words[i])) {
            return true;
        }
    }
    return remora_slice_starts_with(type, REMORA_SLICE("openrouter:"));
}

static enum remora_code read_tool_type(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice type = {NULL, 0};
    (void)target;
    if (remora_json_equals(value, "function")) {
        return REMORA_OK;
    }
    if (remora_json_is(value, REMORA_JSON_STRING) && !remora_json_string(value, p->arena, &type)) {
        return parse_no_room(p);
    }
    return is_later_type(type)
               ? parse_refuse(p, REMORA_UNIMPLEMENTED,
                              "must be \"function\"; server tools are not supported yet.")
               : parse_refuse(p, REMORA_INVALID_REQUEST, "must be \"function\".");
}

static enum remora_code check_tool_type(struct parse *p, struct remora_json value)
{
    static const char *const names[] = {"type"};
    struct remora_json type = remora_json_get(value, "type");
    enum remora_code code = parse_check_spelling(p, value, names, REMORA_COUNT_OF(names));
    if (code == REMORA_OK && remora_json_is_absent(type)) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must have the type \"function\".");
    }
    if (code != REMORA_OK) {
        return code;
    }
    size_t mark = parse_enter(p, REMORA_SLICE("type"));
    code = read_tool_type(p, type, NULL);
    parse_leave(p, mark);
    return code;
}

static enum remora_code read_tool(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("type"), read_tool_type, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("function"), read_function, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("cache_control"), chat_read_cache, offsetof(struct remora_tool, cache),
         PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct remora_tool *tool = target;
    enum remora_code code = REMORA_OK;
    if (remora_json_is(value, REMORA_JSON_OBJECT)) {
        code = check_tool_type(p, value); /* before the members of a kind that is not built */
    }
    if (code == REMORA_OK) {
        code = parse_object(p, value, &table, tool);
    }
    if (code == REMORA_OK && tool->name.length == 0) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must have a function.");
    }
    return code;
}

enum remora_code chat_read_tools(struct parse *p, struct remora_json value, void *target)
{
    (void)target;
    if (remora_json_is(value, REMORA_JSON_ARRAY) && remora_json_count(value) > REMORA_LIMIT_TOOLS) {
        return parse_refuse(p, REMORA_TOO_LARGE, "must have at most %d tools.",
                            (int)REMORA_LIMIT_TOOLS);
    }
    struct parse_list list = {0};
    enum remora_code code = parse_array(p, value, sizeof(struct remora_tool), read_tool, &list);
    p->request->tools = list.items;
    p->request->tool_count = list.count;
    p->is_neutral = list.count == 0;
    return code;
}

/* ---- tool_choice ---- */

static enum remora_code read_choice_function(struct parse *p, struct remora_json value,
                                             void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("name"), read_name, offsetof(struct remora_tool_choice, function_name),
         PARSE_ASKS_NOTHING, .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

static enum remora_code read_choice_object(struct parse *p, struct remora_json value,
                                           struct remora_tool_choice *choice)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("type"), read_tool_type, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("function"), read_choice_function, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    choice->kind = REMORA_TOOL_CHOICE_FUNCTION;
    enum remora_code code = check_tool_type(p, value);
    if (code == REMORA_OK) {
        code = parse_object(p, value, &table, choice);
    }
    if (code == REMORA_OK && choice->function_name.length == 0) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must name the function.");
    }
    return code;
}

enum remora_code chat_read_tool_choice(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"auto", "none", "required"};
    static const enum remora_tool_choice_kind kinds[] = {
        REMORA_TOOL_CHOICE_AUTO, REMORA_TOOL_CHOICE_NONE, REMORA_TOOL_CHOICE_REQUIRED};
    struct remora_tool_choice *choice = target;
    if (remora_json_is(value, REMORA_JSON_OBJECT)) {
        return read_choice_object(p, value, choice);
    }
    size_t index = 0;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    if (code == REMORA_OK) {
        choice->kind = kinds[index];
    }
    return code;
}

/* ---- response_format ---- */

static enum remora_code read_format_type(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"text", "json_object", "json_schema", "grammar", "python"};
    static const enum remora_format_kind kinds[] = {REMORA_FORMAT_TEXT, REMORA_FORMAT_JSON_OBJECT,
                                                    REMORA_FORMAT_JSON_SCHEMA,
                                                    REMORA_FORMAT_GRAMMAR, REMORA_FORMAT_PYTHON};
    struct remora_response_format *format = target;
    size_t index = 0;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    if (code == REMORA_OK) {
        format->kind = kinds[index];
    }
    return code;
}

/* Letters, digits, _ and -: without the dot that names of functions may have. */
static enum remora_code read_schema_name(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice *name = target;
    enum remora_code code = parse_slice(p, value, name);
    return code == REMORA_OK && !is_name(*name, false)
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must be 1 to 64 letters, digits, _ or -.")
               : code;
}

static enum remora_code read_schema(struct parse *p, struct remora_json value, void *target)
{
#define FORMAT(text, reader, member)                                                      \
    {                                                                                     \
        REMORA_SLICE_INIT(text), reader, offsetof(struct remora_response_format, member), \
            PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT                              \
    }
    static const struct parse_field fields[] = {
        FORMAT("name", read_schema_name, name), FORMAT("schema", parse_raw_object, schema_json),
        FORMAT("description", parse_slice, description), FORMAT("strict", parse_tristate, strict)};
#undef FORMAT
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct remora_response_format *format = target;
    enum remora_code code = parse_object(p, value, &table, format);
    if (code == REMORA_OK && format->name.length == 0) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must have a name.");
    }
    return code;
}

static enum remora_code read_grammar(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice *grammar = target;
    enum remora_code code = parse_slice(p, value, grammar);
    return code == REMORA_OK && grammar->length == 0
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must not be empty.")
               : code;
}

enum remora_code chat_read_response_format(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("type"), read_format_type, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("json_schema"), read_schema, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("grammar"), read_grammar,
         offsetof(struct remora_response_format, pattern), PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct remora_response_format *format = target;
    enum remora_code code = parse_object(p, value, &table, format);
    if (code != REMORA_OK) {
        return code;
    }
    if (format->kind == REMORA_FORMAT_UNSET) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must have a type.");
    }
    bool has_schema = format->name.length > 0;
    if (has_schema != (format->kind == REMORA_FORMAT_JSON_SCHEMA)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must have json_schema exactly when its type is \"json_schema\".");
    }
    if ((format->pattern.length > 0) != (format->kind == REMORA_FORMAT_GRAMMAR)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must have a grammar exactly when its type is \"grammar\".");
    }
    p->is_neutral = format->kind == REMORA_FORMAT_TEXT;
    return REMORA_OK;
}
