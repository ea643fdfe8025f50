// Behaviours of the event stream: its ends, its framing, its amounts, and errors inside a 200.
#include "fault_openai.h"

#include <string.h>

#define FAULT(pattern, function, argument, moment, description) \
    void function(struct script *script, const struct demand *demand);
#include "fault_table.h"
#undef FAULT

#define JSON_TYPE "Content-Type: application/json\r\n"

static void reply_json(struct script *script, const char *json)
{
    struct text body = {0};
    text_puts(&body, json);
    openai_reply(script, "200 OK", JSON_TYPE, &body);
    text_free(&body);
}

static void stream_opening(struct script *script, const struct demand *demand, unsigned words)
{
    openai_head(script);
    openai_role(script, demand);
    openai_words(script, demand, 0, words);
}

static void empty_unary(struct script *script, const struct demand *demand)
{
    static const char *const messages[] = {"{\"role\":\"assistant\",\"content\":\"\"}",
                                           "{\"role\":\"assistant\",\"content\":\"\"}", NULL,
                                           "{\"role\":\"assistant\",\"content\":null}"};
    if (messages[demand->argument] == NULL) {
        reply_json(script, "{\"id\":\"chatcmpl-fault\",\"object\":\"chat.completion\","
                           "\"created\":1700000000,\"model\":\"m\",\"choices\":[]}");
        return;
    }
    struct text body = {0};
    openai_body(&body, demand, messages[demand->argument],
                demand->argument == 0 ? "null" : "\"stop\"",
                "{\"prompt_tokens\":11,\"completion_tokens\":0,\"total_tokens\":11}");
    openai_reply(script, "200 OK", JSON_TYPE, &body);
    text_free(&body);
}

// 0: nothing at all, 1: only a finish reason, 2: chunks without choices, 3: null content.
void answer_empty(struct script *script, const struct demand *demand)
{
    if (!demand->stream) {
        empty_unary(script, demand);
        return;
    }
    openai_head(script);
    switch (demand->argument) {
    case 0:
        openai_role(script, demand);
        break;
    case 1:
        openai_role(script, demand);
        openai_finish(script, demand, "stop");
        break;
    case 2:
        openai_usage_chunk(script, demand, "null");
        openai_usage_chunk(script, demand, "null");
        break;
    default:
        openai_chunk(script, demand, 0, "{\"role\":\"assistant\",\"content\":null}", "null");
        openai_finish(script, demand, "stop");
    }
    openai_usage_if_asked(script, demand, 0);
    openai_done(script);
    script_body_end(script);
}

void stream_ends(struct script *script, const struct demand *demand)
{
    if (!demand->stream) {
        openai_answer(script, demand, FAULT_WORDS);
        return;
    }
    stream_opening(script, demand, FAULT_WORDS);
    if (demand->argument != 1) {
        openai_finish(script, demand, "stop");
    }
    openai_usage_if_asked(script, demand, FAULT_WORDS);
    if (demand->argument != 0) {
        openai_done(script);
    }
    if (demand->argument == 2) {
        openai_done(script);
    }
    if (demand->argument == 3) {
        openai_words(script, demand, FAULT_WORDS, FAULT_WORDS + 1);
    }
    script_body_end(script);
}

void stream_clean_cut(struct script *script, const struct demand *demand)
{
    if (!demand->stream) {
        struct text body = {0};
        struct text half = {0};
        openai_words_body(&body, demand, FAULT_WORDS);
        text_add(&half, body.data, body.length / 2);
        openai_reply(script, "200 OK", JSON_TYPE, &half);
        text_free(&body);
        text_free(&half);
        return;
    }
    stream_opening(script, demand, demand->number[0]);
    script_body_end(script);
}

void stream_lines(struct script *script, const struct demand *demand)
{
    script->line_end = demand->argument ? "\r" : "\r\n";
    openai_answer(script, demand, FAULT_WORDS);
}

void stream_bom(struct script *script, const struct demand *demand)
{
    if (!demand->stream) {
        struct text body = {0};
        text_puts(&body, "\xef\xbb\xbf");
        openai_words_body(&body, demand, FAULT_WORDS);
        openai_reply(script, "200 OK", JSON_TYPE, &body);
        text_free(&body);
        return;
    }
    openai_head(script);
    script_body(script, "\xef\xbb\xbf", 3);
    openai_role(script, demand);
    openai_words(script, demand, 0, FAULT_WORDS);
    openai_tail(script, demand, FAULT_WORDS);
}

void stream_split(struct script *script, const struct demand *demand)
{
    script->split = demand->number[0] ? demand->number[0] : 1;
    openai_answer(script, demand, FAULT_WORDS);
}

#define WORD_JSON                                                                       \
    "{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\"," \
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"w0 \"},\"finish_reason\":null}]}"

void stream_fields(struct script *script, const struct demand *demand)
{
    static const char *const events[] = {
        "data:" WORD_JSON "\n\n",
        "event: chunk\nid: 7\nretry: 1000\nunknown: field\ndata: " WORD_JSON "\n\n",
        "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\n"
        "data: \"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"w0 \"},"
        "\"finish_reason\":null}]}\n\n"};
    if (!demand->stream) {
        openai_answer(script, demand, 1);
        return;
    }
    openai_head(script);
    openai_role(script, demand);
    const char *event = events[demand->argument];
    script_body(script, event, strlen(event));
    openai_tail(script, demand, 1);
}

void stream_comments(struct script *script, const struct demand *demand)
{
    static const char comment[] = ": keep-alive\n\n";
    uint32_t ms = demand->argument ? demand->number[0] : demand->number[1];
    if (!demand->stream) {
        script_wait(script, demand->argument ? 3600000 : ms * demand->number[0]);
        openai_answer(script, demand, FAULT_WORDS);
        return;
    }
    openai_head(script);
    if (demand->argument) {
        size_t first = script->count;
        char chunk[32] = "e\r\n: keep-alive\n\n\r\n";
        script_repeat(script, chunk, strlen(chunk), FAULT_FOR_EVER);
        script_drip(script, first, strlen(chunk), ms);
        return;
    }
    for (unsigned i = 0; i < demand->number[0]; i++) {
        script_body(script, comment, sizeof comment - 1);
        script_wait(script, ms);
    }
    openai_role(script, demand);
    openai_words(script, demand, 0, FAULT_WORDS);
    openai_tail(script, demand, FAULT_WORDS);
}

void stream_burst(struct script *script, const struct demand *demand)
{
    script->one_write = true;
    openai_answer(script, demand, demand->number[0]);
}

void stream_paced(struct script *script, const struct demand *demand)
{
    script->pace_ms = demand->argument ? (uint32_t)demand->argument : demand->number[1];
    if (!demand->stream) {
        script_wait(script, script->pace_ms * demand->number[0]);
    }
    openai_answer(script, demand, demand->number[0]);
}

void stream_endless(struct script *script, const struct demand *demand)
{
    static const char word[] = "data: " WORD_JSON "\n\n";
    if (!demand->stream) {
        // A JSON string that never ends.
        static const char head[] =
            "HTTP/1.1 200 OK\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n1\r\n\"\r\n";
        script_send(script, head, sizeof head - 1);
        script_repeat(script, "8\r\nabcdefgh\r\n", 13, FAULT_FOR_EVER);
        return;
    }
    openai_head(script);
    openai_role(script, demand);
    struct text many = {0};
    for (int i = 0; i < 64; i++) {
        text_printf(&many, "%zx\r\n%s\r\n", sizeof word - 1, word);
    }
    script_repeat(script, many.data, many.length, FAULT_FOR_EVER);
    text_free(&many);
}

#define GIANT_PIECE 65536

static const char giant_opening[] =
    "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
static const char giant_closing[] = "\"},\"finish_reason\":null}]}\n\n";
static const char giant_body_opening[] =
    "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":"
    "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";
static const char giant_body_closing[] = "\"},\"finish_reason\":\"stop\"}]}";

static void giant_unary(struct script *script, unsigned mebibytes)
{
    char piece[GIANT_PIECE];
    memset(piece, 'a', sizeof piece);
    size_t length =
        sizeof giant_body_opening - 1 + sizeof giant_body_closing - 1 + ((size_t)mebibytes << 20);
    script_printf(script, "HTTP/1.1 200 OK\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s", length,
                  giant_body_opening);
    script_repeat(script, piece, sizeof piece, (uint64_t)mebibytes * 16);
    script_send(script, giant_body_closing, sizeof giant_body_closing - 1);
}

void stream_giant(struct script *script, const struct demand *demand)
{
    unsigned mebibytes = demand->argument ? (unsigned)demand->argument : demand->number[0];
    if (!demand->stream) {
        giant_unary(script, mebibytes);
        return;
    }
    openai_head(script);
    openai_role(script, demand);
    script_body(script, giant_opening, sizeof giant_opening - 1);
    struct text piece = {0};
    text_puts(&piece, "10000\r\n");
    size_t start = piece.length;
    text_add(&piece, NULL, GIANT_PIECE);
    memset(piece.data + start, 'a', GIANT_PIECE);
    text_puts(&piece, "\r\n");
    script_repeat(script, piece.data, piece.length, (uint64_t)mebibytes * 16);
    text_free(&piece);
    script_body(script, giant_closing, sizeof giant_closing - 1);
    openai_tail(script, demand, 1);
}

static const char error_object[] = "{\"error\":{\"message\":\"The server had an error\","
                                   "\"type\":\"server_error\",\"param\":null,\"code\":502}}";

void error_in_band(struct script *script, const struct demand *demand)
{
    const char *error = demand->argument == 3 ? "{\"error\":\"overloaded\"}" : error_object;
    if (!demand->stream) {
        reply_json(script, error);
        return;
    }
    openai_head(script);
    if (demand->argument == 1 || demand->argument == 2) {
        openai_role(script, demand);
    }
    openai_words(script, demand, 0, demand->argument == 2 ? demand->number[0] : 0);
    script_event(script, "%s", error);
    script_body_end(script);
}

void error_body(struct script *script, const struct demand *demand)
{
    (void)demand;
    reply_json(script, error_object);
}

void bad_json(struct script *script, const struct demand *demand)
{
    if (!demand->stream) {
        reply_json(script, "{\"id\":\"x\",\"choices\":[{\"index\":0,,}");
        return;
    }
    openai_head(script);
    if (demand->argument) {
        openai_role(script, demand);
        openai_words(script, demand, 0, demand->number[0]);
    }
    script_event(script, "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
    openai_tail(script, demand, 1);
}
