// Good answers on the OpenAI chat wire, whole and in parts; the behaviours bend them.
#include "fault_openai.h"

#include <stdio.h>
#include <string.h>

static void chunk_opening(struct text *out, const struct demand *demand)
{
    text_puts(out, "{\"id\":\"chatcmpl-fault\",\"object\":\"chat.completion.chunk\","
                   "\"created\":1700000000,\"model\":\"");
    text_add(out, demand->name.data, demand->name.length);
    text_puts(out, "\",\"system_fingerprint\":\"fp_fault\",");
}

void openai_head(struct script *script)
{
    script_printf(script,
                  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: "
                  "no-cache\r\n%s\r\n",
                  script->until_eof ? "Connection: close\r\n" : "Transfer-Encoding: chunked\r\n");
}

void openai_chunk(struct script *script, const struct demand *demand, unsigned index,
                  const char *delta, const char *finish)
{
    struct text out = {0};
    chunk_opening(&out, demand);
    text_printf(&out, "\"choices\":[{\"index\":%u,\"delta\":%s,\"logprobs\":null,", index, delta);
    text_printf(&out, "\"finish_reason\":%s}]}", finish);
    script_event(script, "%.*s", (int)out.length, out.data);
    text_free(&out);
}

void openai_role(struct script *script, const struct demand *demand)
{
    openai_chunk(script, demand, 0, "{\"role\":\"assistant\",\"content\":\"\"}", "null");
}

// The n-th word of `text` with the space behind it; the last one takes what is left.
static struct slice word_of(const char *text, unsigned n, unsigned words)
{
    const char *at = text;
    for (unsigned i = 0; i < n; i++) {
        const char *space = strchr(at, ' ');
        at = space ? space + 1 : at + strlen(at);
    }
    const char *space = strchr(at, ' ');
    size_t length = space && n + 1 < words ? (size_t)(space + 1 - at) : strlen(at);
    return (struct slice){at, length};
}

static void word_add(struct text *out, const struct demand *demand, unsigned n, unsigned words)
{
    if (demand->text != NULL) {
        struct slice word = word_of(demand->text, n, words);
        text_add(out, word.data, word.length);
    } else {
        text_printf(out, "w%u ", n);
    }
}

static void word_chunk(struct script *script, const struct demand *demand, unsigned n,
                       unsigned words)
{
    struct text delta = {0};
    text_puts(&delta, "{\"content\":\"");
    word_add(&delta, demand, n, words);
    text_add(&delta, "\"}", 3);
    openai_chunk(script, demand, 0, delta.data, "null");
    text_free(&delta);
}

void openai_words(struct script *script, const struct demand *demand, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (script->pace_ms > 0) {
            script_wait(script, script->pace_ms);
        }
        word_chunk(script, demand, i, to);
    }
}

void openai_finish(struct script *script, const struct demand *demand, const char *reason)
{
    char quoted[64] = "\"";
    strncat(quoted, reason, 48);
    strcat(quoted, "\"");
    openai_chunk(script, demand, 0, "{}", quoted);
}

void openai_usage_chunk(struct script *script, const struct demand *demand, const char *usage)
{
    struct text out = {0};
    chunk_opening(&out, demand);
    text_printf(&out, "\"choices\":[],\"usage\":%s}", usage);
    script_event(script, "%.*s", (int)out.length, out.data);
    text_free(&out);
}

static void usage_of(struct text *out, unsigned words)
{
    text_printf(out, "{\"prompt_tokens\":%d,\"completion_tokens\":%u,\"total_tokens\":%u}",
                OPENAI_PROMPT_TOKENS, words, OPENAI_PROMPT_TOKENS + words);
    text_add(out, "", 1);
}

void openai_usage_if_asked(struct script *script, const struct demand *demand, unsigned words)
{
    if (demand->include_usage) {
        struct text usage = {0};
        usage_of(&usage, words);
        openai_usage_chunk(script, demand, usage.data);
        text_free(&usage);
    }
}

void openai_done(struct script *script)
{
    script_event(script, "[DONE]");
}

void openai_tail(struct script *script, const struct demand *demand, unsigned words)
{
    openai_finish(script, demand, "stop");
    openai_usage_if_asked(script, demand, words);
    openai_done(script);
    script_body_end(script);
}

void openai_stream(struct script *script, const struct demand *demand, unsigned words)
{
    openai_head(script);
    openai_role(script, demand);
    openai_words(script, demand, 0, words);
    openai_tail(script, demand, words);
}

void openai_reply(struct script *script, const char *status, const char *headers,
                  const struct text *body)
{
    struct text out = {0};
    text_printf(&out, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
                body->length);
    text_add(&out, body->data, body->length);
    script_send(script, out.data, out.length);
    text_free(&out);
}

void openai_body(struct text *body, const struct demand *demand, const char *message,
                 const char *finish, const char *usage)
{
    text_puts(body, "{\"id\":\"chatcmpl-fault\",\"object\":\"chat.completion\","
                    "\"created\":1700000000,\"model\":\"");
    text_add(body, demand->name.data, demand->name.length);
    text_printf(body,
                "\",\"choices\":[{\"index\":0,\"message\":%s,\"logprobs\":null,"
                "\"finish_reason\":%s}]",
                message, finish);
    if (usage != NULL) {
        text_printf(body, ",\"usage\":%s", usage);
    }
    text_puts(body, "}");
}

void openai_words_body(struct text *body, const struct demand *demand, unsigned words)
{
    struct text message = {0};
    struct text usage = {0};
    text_puts(&message, "{\"role\":\"assistant\",\"content\":\"");
    for (unsigned i = 0; i < words; i++) {
        word_add(&message, demand, i, words);
    }
    text_add(&message, "\",\"refusal\":null}", sizeof "\",\"refusal\":null}");
    usage_of(&usage, words);
    openai_body(body, demand, message.data, "\"stop\"", usage.data);
    text_free(&message);
    text_free(&usage);
}

void openai_answer(struct script *script, const struct demand *demand, unsigned words)
{
    if (demand->stream) {
        openai_stream(script, demand, words);
        return;
    }
    struct text body = {0};
    openai_words_body(&body, demand, words);
    openai_reply(script, "200 OK", "Content-Type: application/json\r\n", &body);
    text_free(&body);
}

void openai_parts(struct script *script, const struct demand *demand, const char *const *deltas,
                  const char *message, const char *finish)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", finish);
    if (!demand->stream) {
        struct text body = {0};
        openai_body(&body, demand, message, quoted,
                    "{\"prompt_tokens\":11,\"completion_tokens\":3,\"total_tokens\":14}");
        openai_reply(script, "200 OK", "Content-Type: application/json\r\n", &body);
        text_free(&body);
        return;
    }
    openai_head(script);
    openai_role(script, demand);
    for (; *deltas != NULL; deltas++) {
        openai_chunk(script, demand, 0, *deltas, "null");
    }
    openai_finish(script, demand, finish);
    openai_usage_if_asked(script, demand, FAULT_WORDS);
    openai_done(script);
    script_body_end(script);
}
