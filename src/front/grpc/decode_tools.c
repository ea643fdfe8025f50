/*
 * tools, tool_choice and response_format. Rules as src/skin/chat_tools.c. Schemas are JSON text, or a Struct that becomes
 * JSON text. Native tools and regex are UNIMPLEMENTED until an adapter can express them.
 */
#include <stdio.h>

#include "reader.h"

static enum remora_code read_parameters(struct reader *r, const Remora__V1__FunctionTool *from,
                                        struct remora_tool *out)
{
    switch ((int)from->parameters_case) {
    case REMORA__V1__FUNCTION_TOOL__PARAMETERS_PARAMETERS_JSON:
        return reader_json_object(r, "parameters_json", from->parameters_json,
                                  &out->parameters_json);
    case REMORA__V1__FUNCTION_TOOL__PARAMETERS_PARAMETERS_STRUCT:
        return reader_struct(r, "parameters_struct", from->parameters_struct,
                             &out->parameters_json);
    default:
        return REMORA_OK;
    }
}

static enum remora_code read_function(struct reader *r, const Remora__V1__FunctionTool *from,
                                      struct remora_tool *out)
{
    out->kind = REMORA_TOOL_FUNCTION;
    out->description = remora_pb_slice(from->description);
    out->strict = reader_tristate(from->has_strict, from->strict);
    size_t mark = reader_enter(r, "function", -1);
    enum remora_code code = reader_name(r, "name", from->name, &out->name);
    if (code == REMORA_OK) {
        code = read_parameters(r, from, out);
    }
    reader_leave(r, mark);
    return code;
}

static enum remora_code read_tool(struct reader *r, const Remora__V1__Tool *tool,
                                  struct remora_tool *out)
{
    enum remora_code code = REMORA_OK;
    switch ((int)tool->kind_case) {
    case REMORA__V1__TOOL__KIND_FUNCTION:
        code = read_function(r, tool->function, out);
        break;
    case REMORA__V1__TOOL__KIND_NATIVE_TOOL:
        return reader_unbuilt(r, "native_tool");
    default:
        return reader_refuse(r, REMORA_INVALID_REQUEST, "must have a function.");
    }
    code = code == REMORA_OK ? reader_cache(r, tool->cache_breakpoint, &out->cache) : code;
    if (code == REMORA_OK && out->cache.is_explicit) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "cache_breakpoint.explicit_mode",
                                   "is a mark on parts of messages.");
    }
    return code;
}

static enum remora_code read_list(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    size_t count = chat->n_tools;
    if (count == 0) {
        return REMORA_OK;
    }
    if (count > REMORA_LIMIT_TOOLS) {
        char text[48];
        snprintf(text, sizeof text, "must have at most %d tools.", (int)REMORA_LIMIT_TOOLS);
        return reader_refuse_field(r, REMORA_TOO_LARGE, "tools", text);
    }
    struct remora_tool *tools = remora_arena_array(r->arena, count, sizeof *tools);
    if (tools == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < count; i++) {
        size_t mark = reader_enter(r, "tools", (long)i);
        enum remora_code code = read_tool(r, chat->tools[i], &tools[i]);
        reader_leave(r, mark);
        if (code != REMORA_OK) {
            return code;
        }
    }
    r->request->tools = tools;
    r->request->tool_count = count;
    remora_request_ask(r->request, REMORA_PARAMETER_TOOLS);
    return REMORA_OK;
}

static enum remora_code read_mode(struct reader *r, Remora__V1__ToolChoice__Mode mode,
                                  struct remora_tool_choice *out)
{
    if (mode < REMORA__V1__TOOL_CHOICE__MODE__MODE_AUTO ||
        mode > REMORA__V1__TOOL_CHOICE__MODE__MODE_REQUIRED) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "mode",
                                   "must be MODE_AUTO, MODE_NONE or MODE_REQUIRED.");
    }
    out->kind = (enum remora_tool_choice_kind)mode;
    return REMORA_OK;
}

static enum remora_code read_choice(struct reader *r, const Remora__V1__ToolChoice *choice,
                                    struct remora_tool_choice *out)
{
    switch ((int)choice->kind_case) {
    case REMORA__V1__TOOL_CHOICE__KIND_MODE:
        return read_mode(r, choice->mode, out);
    case REMORA__V1__TOOL_CHOICE__KIND_FUNCTION_NAME:
        out->kind = REMORA_TOOL_CHOICE_FUNCTION;
        return reader_name(r, "function_name", choice->function_name, &out->function_name);
    default:
        return reader_refuse(r, REMORA_INVALID_REQUEST, "must have a mode or a function_name.");
    }
}

enum remora_code reader_tools(struct reader *r, const Remora__V1__ChatRequest *chat)
{
    struct remora_request *request = r->request;
    enum remora_code code = read_list(r, chat);
    if (code != REMORA_OK || chat->tool_choice == NULL) {
        return code;
    }
    size_t mark = reader_enter(r, "tool_choice", -1);
    code = read_choice(r, chat->tool_choice, &request->tool_choice);
    const char *why = code == REMORA_OK ? remora_tool_choice_check(request) : NULL;
    if (why != NULL) {
        code = reader_refuse(r, REMORA_INVALID_REQUEST, "%s", why);
    }
    reader_leave(r, mark);
    if (code == REMORA_OK) {
        remora_request_ask(request, REMORA_PARAMETER_TOOL_CHOICE);
    }
    return code;
}

/* ---- response_format ---- */

static enum remora_code read_schema(struct reader *r, const Remora__V1__JsonSchemaFormat *from,
                                    struct remora_response_format *out)
{
    size_t mark = reader_enter(r, "json_schema", -1);
    enum remora_code code = reader_name(r, "name", from->name, &out->name);
    if (code == REMORA_OK && remora_slice_find(out->name, '.', 0) < out->name.length) {
        code = reader_refuse_field(r, REMORA_INVALID_REQUEST, "name",
                                   "must be 1 to 64 letters, digits, _ or -.");
    }
    if (code == REMORA_OK) {
        code = reader_json_object(r, "schema_json", from->schema_json, &out->schema_json);
    }
    reader_leave(r, mark);
    out->kind = REMORA_FORMAT_JSON_SCHEMA;
    out->strict = reader_tristate(from->has_strict, from->strict);
    out->description = remora_pb_slice(from->description);
    return code;
}

static enum remora_code read_format(struct reader *r, const Remora__V1__ResponseFormat *format,
                                    struct remora_response_format *out)
{
    switch ((int)format->kind_case) {
    case REMORA__V1__RESPONSE_FORMAT__KIND_TEXT:
        out->kind = REMORA_FORMAT_TEXT;
        return REMORA_OK;
    case REMORA__V1__RESPONSE_FORMAT__KIND_JSON_OBJECT:
        out->kind = REMORA_FORMAT_JSON_OBJECT;
        return REMORA_OK;
    case REMORA__V1__RESPONSE_FORMAT__KIND_JSON_SCHEMA:
        return read_schema(r, format->json_schema, out);
    case REMORA__V1__RESPONSE_FORMAT__KIND_REGEX:
        return reader_unbuilt(r, "regex");
    case REMORA__V1__RESPONSE_FORMAT__KIND_GRAMMAR:
        out->kind = REMORA_FORMAT_GRAMMAR;
        out->pattern = remora_pb_slice(format->grammar);
        return out->pattern.length > 0 ? REMORA_OK
                                       : reader_refuse_field(r, REMORA_INVALID_REQUEST, "grammar",
                                                             "must not be empty.");
    case REMORA__V1__RESPONSE_FORMAT__KIND_PYTHON:
        out->kind = REMORA_FORMAT_PYTHON;
        return REMORA_OK;
    default:
        return reader_refuse(r, REMORA_INVALID_REQUEST, "must have a kind.");
    }
}

enum remora_code reader_response_format(struct reader *r, const Remora__V1__ResponseFormat *format)
{
    if (format == NULL) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, "response_format", -1);
    enum remora_code code = read_format(r, format, &r->request->response_format);
    reader_leave(r, mark);
    if (code == REMORA_OK && r->request->response_format.kind != REMORA_FORMAT_TEXT) {
        remora_request_ask(r->request, REMORA_PARAMETER_RESPONSE_FORMAT);
    }
    return code;
}
