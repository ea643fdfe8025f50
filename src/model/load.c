/*
 * How many bytes of text a request brings. Media are not text: a megabyte of base64 is no quarter of a million
 * tokens. One walk over what was parsed; cannot fail.
 */
#include "remora/request.h"

static size_t calls_bytes(const struct remora_message *message)
{
    size_t bytes = 0;
    for (size_t i = 0; i < message->tool_call_count; i++) {
        bytes += message->tool_calls[i].name.length + message->tool_calls[i].arguments_json.length;
    }
    for (size_t i = 0; i < message->reasoning_count; i++) {
        bytes += message->reasoning[i].text.length;
    }
    return bytes;
}

static size_t message_bytes(const struct remora_message *message)
{
    size_t bytes = message->name.length + calls_bytes(message);
    for (size_t i = 0; i < message->part_count; i++) {
        bytes += message->parts[i].text.length;
    }
    return bytes;
}

static size_t tools_bytes(const struct remora_request *request)
{
    size_t bytes = 0;
    for (size_t i = 0; i < request->tool_count; i++) {
        const struct remora_tool *tool = &request->tools[i];
        bytes += tool->name.length + tool->description.length + tool->parameters_json.length +
                 tool->native_json.length;
    }
    return bytes;
}

static size_t inputs_bytes(const struct remora_request *request)
{
    size_t bytes = 0;
    for (size_t i = 0; i < request->input_count; i++) {
        bytes += request->inputs[i].text.length;
    }
    return bytes;
}

size_t remora_request_text_bytes(const struct remora_request *request)
{
    size_t bytes = tools_bytes(request) + inputs_bytes(request) +
                   request->response_format.schema_json.length +
                   request->response_format.pattern.length;
    for (size_t i = 0; i < request->message_count; i++) {
        bytes += message_bytes(&request->messages[i]);
    }
    return bytes;
}
