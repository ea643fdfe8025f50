// Behaviours that answer with another status than 200.
// Bodies follow OpenAI's error object (OpenAI API reference, "Error codes", read 2025-11).
#include "fault_openai.h"

#include <string.h>
#include <time.h>

#define FAULT(pattern, function, argument, moment, description) \
    void function(struct script *script, const struct demand *demand);
#include "fault_table.h"
#undef FAULT

#define JSON_TYPE "Content-Type: application/json\r\n"

struct status {
    unsigned number;
    const char *phrase;
    const char *type;
    const char *code; // JSON value
    const char *message;
};

static const struct status statuses[] = {
    {400, "Bad Request", "invalid_request_error", "null", "Invalid value for 'messages'."},
    {401, "Unauthorized", "invalid_request_error", "\"invalid_api_key\"",
     "Incorrect API key provided: sk-upst****cret."},
    {402, "Payment Required", "insufficient_balance", "null", "Insufficient Balance"},
    {403, "Forbidden", "permission_error", "null", "You are not allowed to use this model."},
    {404, "Not Found", "invalid_request_error", "\"model_not_found\"",
     "The model does not exist or you do not have access to it."},
    {413, "Payload Too Large", "invalid_request_error", "null", "Request too large."},
    {422, "Unprocessable Entity", "invalid_request_error", "null", "Unprocessable request."},
    {429, "Too Many Requests", "requests", "\"rate_limit_exceeded\"",
     "Rate limit reached for requests per minute."},
    {500, "Internal Server Error", "server_error", "null", "The server had an error."},
    {502, "Bad Gateway", "server_error", "null", "Bad gateway."},
    {503, "Service Unavailable", "server_error", "null", "The engine is currently overloaded."},
    {529, "Overloaded", "overloaded_error", "null", "Overloaded"},
};
static const struct status other = {0, "Some Status", "error", "null", "Something happened."};

static const struct status *status_of(unsigned number)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i].number == number) {
            return &statuses[i];
        }
    }
    return &other;
}

static void reply_status(struct script *script, unsigned number, const char *headers,
                         const char *body_text)
{
    const struct status *status = status_of(number);
    struct text line = {0};
    struct text body = {0};
    text_printf(&line, "%u %s", number, status->phrase);
    text_add(&line, "", 1);
    if (body_text != NULL) {
        text_puts(&body, body_text);
    } else {
        text_printf(&body,
                    "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":%s}}",
                    status->message, status->type, status->code);
    }
    openai_reply(script, line.data, headers, &body);
    text_free(&line);
    text_free(&body);
}

void status_plain(struct script *script, const struct demand *demand)
{
    unsigned number = demand->argument ? (unsigned)demand->argument : demand->number[0];
    reply_status(script, number, JSON_TYPE, NULL);
}

// 0: seconds, 1: a date, 2: milliseconds, 3: seconds on a 503.
void status_retry(struct script *script, const struct demand *demand)
{
    char headers[160] = JSON_TYPE;
    size_t used = strlen(headers);
    struct text line = {0};
    if (demand->argument == 1) {
        char date[64];
        struct tm parts;
        time_t then = time(NULL) + (time_t)demand->number[0];
        gmtime_r(&then, &parts);
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        text_printf(&line, "Retry-After: %s\r\n", date);
    } else if (demand->argument == 2) {
        text_printf(&line, "retry-after-ms: %u\r\n", demand->number[0]);
    } else {
        text_printf(&line, "Retry-After: %u\r\n", demand->number[0]);
    }
    memcpy(headers + used, line.data, line.length);
    headers[used + line.length] = '\0';
    text_free(&line);
    reply_status(script, demand->argument == 3 ? 503 : 429, headers, NULL);
}

void status_detail(struct script *script, const struct demand *demand)
{
    static const struct {
        unsigned number;
        const char *type;
        const char *body;
    } details[] = {
        {429, JSON_TYPE,
         "{\"error\":{\"message\":\"You exceeded your current quota.\",\"type\":"
         "\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\"}}"},
        {400, JSON_TYPE,
         "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens. However, "
         "your messages resulted in 9000 tokens.\",\"type\":\"invalid_request_error\",\"param\":"
         "\"messages\",\"code\":\"context_length_exceeded\"}}"},
        {400, JSON_TYPE,
         "{\"error\":{\"message\":\"The response was filtered.\",\"type\":null,\"param\":"
         "\"prompt\",\"code\":\"content_filter\",\"status\":400,\"innererror\":{\"code\":"
         "\"ResponsibleAIPolicyViolation\"}}}"},
        {400, JSON_TYPE,
         "{\"error\":{\"message\":\"Unsupported parameter: 'temperature' is not supported with "
         "this model.\",\"type\":\"invalid_request_error\",\"param\":\"temperature\",\"code\":"
         "\"unsupported_parameter\"}}"},
        {400, JSON_TYPE,
         "{\"error\":{\"message\":\"This model does not support assistant message prefill. The "
         "conversation must end with a user message.\",\"type\":\"invalid_request_error\","
         "\"param\":\"messages\",\"code\":null}}"},
        {401, JSON_TYPE,
         "{\"error\":{\"message\":\"Incorrect API key provided: "
         "sk-canary-quoted-0123456789abcdef0123456789.\","
         "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}"},
        {400, JSON_TYPE,
         "{\"error\":{\"message\":\"No access with Bearer "
         "sk-canary-quoted-0123456789abcdef0123456789.\","
         "\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}"},
        {500, "", ""},
        {502, "Content-Type: text/html\r\n",
         "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"},
    };
    size_t kind = (size_t)demand->argument;
    reply_status(script, details[kind].number, details[kind].type, details[kind].body);
}

// 0: as fast as the peer reads, 1: dripping.
void status_endless(struct script *script, const struct demand *demand)
{
    static const char head[] =
        "HTTP/1.1 500 Internal Server Error\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n";
    static const char byte[] = "1\r\n \r\n";
    script_send(script, head, sizeof head - 1);
    size_t first = script->count;
    script_repeat(script, byte, sizeof byte - 1, FAULT_FOR_EVER);
    if (demand->argument) {
        script_drip(script, first, sizeof byte - 1, demand->number[0]);
    }
}

void status_first(struct script *script, const struct demand *demand)
{
    uint64_t bad = demand->argument ? 1 : demand->number[0];
    if (demand->nth < bad) {
        unsigned number = demand->argument ? (unsigned)demand->argument : 500;
        reply_status(script, number, JSON_TYPE, NULL);
    } else {
        openai_answer(script, demand, FAULT_WORDS);
    }
}

void status_flap(struct script *script, const struct demand *demand)
{
    if (demand->nth % 2 == 0) {
        reply_status(script, 500, JSON_TYPE, NULL);
    } else {
        openai_answer(script, demand, FAULT_WORDS);
    }
}

void status_redirect(struct script *script, const struct demand *demand)
{
    reply_status(script, (unsigned)demand->argument,
                 JSON_TYPE "Location: /ok/v1/chat/completions\r\n", "{}");
}

void early_413(struct script *script, const struct demand *demand)
{
    reply_status(script, 413, JSON_TYPE "Connection: close\r\n", NULL);
    enum step_kind end = demand->argument ? STEP_RESET : STEP_DRAIN;
    if (demand->argument) {
        // Long enough for the client's kernel to have the answer before the RST throws it away.
        script_wait(script, 20);
    }
    script_step(script, (struct step){.kind = end});
}
