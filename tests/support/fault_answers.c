// Behaviours that are good answers, or good HTTP with odd content.
#include "fault_openai.h"

#include <string.h>

#define FAULT(pattern, function, argument, moment, description) \
    void function(struct script *script, const struct demand *demand);
#include "fault_table.h"
#undef FAULT

#define JSON_TYPE "Content-Type: application/json\r\n"

static unsigned words_of(const char *text)
{
    unsigned words = 1;
    for (; *text != '\0'; text++) {
        words += *text == ' ' && text[1] != '\0';
    }
    return words;
}

void answer_ok(struct script *script, const struct demand *demand)
{
    openai_answer(script, demand, demand->text ? words_of(demand->text) : FAULT_WORDS);
}

void answer_words(struct script *script, const struct demand *demand)
{
    struct demand numbered = *demand;
    numbered.text = NULL;
    openai_answer(script, &numbered, demand->number[0]);
}

void answer_echo(struct script *script, const struct demand *demand)
{
    struct text content = {0};
    text_puts(&content, "{\"role\":\"assistant\",\"content\":\"");
    text_add(&content, demand->asked.data, demand->asked.length);
    text_add(&content, "\"}", 3);
    openai_parts(script, demand, (const char *[]){content.data, NULL}, content.data, "stop");
    text_free(&content);
}

#define TOOL_OPEN(index, id)                                                         \
    "{\"tool_calls\":[{\"index\":" index ",\"id\":\"" id "\",\"type\":\"function\"," \
    "\"function\":{\"name\":\"get_weather\",\"arguments\":\"\"}}]}"
#define TOOL_MORE(index, arguments) \
    "{\"tool_calls\":[{\"index\":" index ",\"function\":{\"arguments\":\"" arguments "\"}}]}"
#define TOOL_CALL(id, city)                                                            \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\"," \
    "\"arguments\":\"{\\\"city\\\":\\\"" city "\\\"}\"}}"
// Google, "Gemini API", "Thought signatures", OpenAI compatibility: of parallel calls the first is signed (read 2026-11).
#define TOOL_SIGNED(index)                                                      \
    "{" index "\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":" \
    "\"get_weather\",\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"},"           \
    "\"extra_content\":{\"google\":{\"thought_signature\":\"c2lnbmVk\"}}}"
#define TOOL_MESSAGE(calls) "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" calls "]}"
#define TOOL_BARE                                                \
    "{\"id\":\"call_1\",\"function\":{\"name\":\"get_weather\"," \
    "\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"}}"

void answer_tools(struct script *script, const struct demand *demand)
{
    static const char *const one[] = {TOOL_OPEN("0", "call_1"), TOOL_MORE("0", "{\\\"ci"),
                                      TOOL_MORE("0", "ty\\\":\\\"Os"), TOOL_MORE("0", "lo\\\"}"),
                                      NULL};
    static const char *const two[] = {TOOL_OPEN("0", "call_1"),
                                      TOOL_OPEN("1", "call_2"),
                                      TOOL_MORE("0", "{\\\"city\\\":"),
                                      TOOL_MORE("1", "{\\\"city\\\":"),
                                      TOOL_MORE("0", "\\\"Oslo\\\"}"),
                                      TOOL_MORE("1", "\\\"Rome\\\"}"),
                                      NULL};
    static const char *const whole[] = {"{\"tool_calls\":[" TOOL_BARE "]}", NULL};
    static const char *const marked[] = {"{\"tool_calls\":[" TOOL_SIGNED("\"index\":0,") "]}",
                                         TOOL_OPEN("1", "call_2"),
                                         TOOL_MORE("1", "{\\\"city\\\":\\\"Rome\\\"}"), NULL};
    static const char *const same[] = {
        TOOL_OPEN("0", "call_1"), TOOL_MORE("0", "{\\\"city\\\":\\\"Oslo\\\"}"),
        TOOL_OPEN("1", "call_1"), TOOL_MORE("1", "{\\\"city\\\":\\\"Rome\\\"}"), NULL};
    static const char *const *const deltas[] = {one, two, whole, marked, same};
    static const char single[] = TOOL_MESSAGE(TOOL_CALL("call_1", "Oslo"));
    static const char pair[] =
        TOOL_MESSAGE(TOOL_CALL("call_1", "Oslo") "," TOOL_CALL("call_2", "Rome"));
    static const char bare[] = TOOL_MESSAGE(TOOL_BARE);
    static const char both[] = TOOL_MESSAGE(TOOL_SIGNED("") "," TOOL_CALL("call_2", "Rome"));
    static const char twice[] =
        TOOL_MESSAGE(TOOL_CALL("call_1", "Oslo") "," TOOL_CALL("call_1", "Rome"));
    static const char *const messages[] = {single, pair, bare, both, twice};
    int kind = demand->argument;
    openai_parts(script, demand, deltas[kind], messages[kind], "tool_calls");
}

// OpenRouter API reference, "Reasoning tokens", reasoning_details (read 2026-11).
#define BLOCK_TEXT(text, more)                                                \
    "{\"type\":\"reasoning.text\",\"text\":\"" text "\"" more ",\"index\":0," \
    "\"format\":\"anthropic-claude-v1\"}"
#define BLOCK_SIGNATURE ",\"signature\":\"c2ln\""
#define BLOCK_ENCRYPTED                                                                \
    "{\"type\":\"reasoning.encrypted\",\"data\":\"AAEC\",\"id\":\"rs_1\",\"index\":1," \
    "\"format\":\"anthropic-claude-v1\"}"
// OpenRouterTeam/ai-sdk-provider, issue 519 (read 2026-11): in a stream every block of OpenAI's models has the index 0, in a whole answer
// its place.
#define BLOCK_OF(type, member, text, more, index)                                           \
    "{\"type\":\"reasoning." type "\",\"" member "\":\"" text "\"" more ",\"index\":" index \
    ",\"format\":\"openai-responses-v1\"}"
#define BLOCK_SUMMARY(text, index)  BLOCK_OF("summary", "summary", text, "", index)
#define BLOCK_DATA(data, id, index) BLOCK_OF("encrypted", "data", data, ",\"id\":\"" id "\"", index)

void answer_reasoning(struct script *script, const struct demand *demand)
{
    static const char *const content[] = {"{\"reasoning_content\":\"Let me \"}",
                                          "{\"reasoning_content\":\"think.\"}",
                                          "{\"content\":\"Done.\"}", NULL};
    static const char *const plain[] = {"{\"reasoning\":\"Let me \"}", "{\"reasoning\":\"think.\"}",
                                        "{\"content\":\"Done.\"}", NULL};
    static const char *const both[] = {
        "{\"reasoning\":\"Let me \",\"reasoning_content\":\"Let me \"}",
        "{\"reasoning\":\"think.\",\"reasoning_content\":\"think.\"}", "{\"content\":\"Done.\"}",
        NULL};
    static const char *const details[] = {
        "{\"reasoning_details\":[" BLOCK_TEXT("Let me ", "") "]}",
        "{\"reasoning_details\":[" BLOCK_TEXT("think.", BLOCK_SIGNATURE) "]}",
        "{\"reasoning_details\":[" BLOCK_ENCRYPTED "]}", "{\"content\":\"Done.\"}", NULL};
    static const char *const same[] = {
        "{\"reasoning_details\":[" BLOCK_SUMMARY("Let me ", "0") "]}",
        "{\"reasoning_details\":[" BLOCK_SUMMARY("think.", "0") "]}",
        "{\"reasoning_details\":[" BLOCK_DATA("AAEC", "rs_1", "0") "]}",
        "{\"reasoning_details\":[" BLOCK_SUMMARY(" More.", "0") "]}",
        "{\"reasoning_details\":[" BLOCK_DATA("AwQF", "rs_2", "0") "]}",
        "{\"content\":\"Done.\"}",
        NULL};
    static const char *const *const deltas[] = {content, plain, both, details, same};
    static const char *const messages[] = {
        "{\"role\":\"assistant\",\"content\":\"Done.\",\"reasoning_content\":\"Let me think.\"}",
        "{\"role\":\"assistant\",\"content\":\"Done.\",\"reasoning\":\"Let me think.\"}",
        ("{\"role\":\"assistant\",\"content\":\"Done.\",\"reasoning\":\"Let me think.\","
         "\"reasoning_content\":\"Let me think.\"}"),
        "{\"role\":\"assistant\",\"content\":\"Done.\",\"reasoning_details\":[" BLOCK_TEXT(
            "Let me think.", BLOCK_SIGNATURE) "," BLOCK_ENCRYPTED "]}",
        ("{\"role\":\"assistant\",\"content\":\"Done.\",\"reasoning_details\":[" BLOCK_SUMMARY(
            "Let me think.",
            "0") "," BLOCK_DATA("AAEC", "rs_1",
                                "1") "," BLOCK_SUMMARY(" More.", "2") "," BLOCK_DATA("AwQF", "rs_2",
                                                                                     "3") "]}")};
    int kind = demand->argument;
    openai_parts(script, demand, deltas[kind], messages[kind], "stop");
}

void answer_refusal(struct script *script, const struct demand *demand)
{
    static const char *const deltas[] = {"{\"refusal\":\"I cannot \"}",
                                         "{\"refusal\":\"do that.\"}", NULL};
    openai_parts(script, demand, deltas,
                 "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"I cannot do that.\"}",
                 "stop");
}

void answer_finish(struct script *script, const struct demand *demand)
{
    static const char *const reasons[] = {"length", "content_filter", "error", "bored"};
    static const char *const deltas[] = {"{\"content\":\"w0 \"}", NULL};
    openai_parts(script, demand, deltas, "{\"role\":\"assistant\",\"content\":\"w0 \"}",
                 reasons[demand->argument]);
}

void answer_utf8(struct script *script, const struct demand *demand)
{
    static const char *const good[] = {"{\"content\":\"a\xc3\xa9\"}",
                                       "{\"content\":\"\xe2\x82\xac\xf0\x9f\x90\x9f\"}", NULL};
    static const char *const bad[] = {"{\"content\":\"a\xc3\"}", "{\"content\":\"\xff\xfe\"}",
                                      NULL};
    static const char *const messages[] = {
        "{\"role\":\"assistant\",\"content\":\"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9f\"}",
        "{\"role\":\"assistant\",\"content\":\"a\xc3\"}"};
    openai_parts(script, demand, demand->argument ? bad : good, messages[demand->argument], "stop");
}

static void choices_unary(struct script *script, const struct demand *demand)
{
    struct text body = {0};
    text_puts(&body, "{\"id\":\"chatcmpl-fault\",\"object\":\"chat.completion\","
                     "\"created\":1700000000,\"model\":\"m\",\"choices\":[");
    for (unsigned i = 0; i < demand->number[0]; i++) {
        text_printf(&body,
                    "%s{\"index\":%u,\"message\":{\"role\":\"assistant\",\"content\":\"c%u w0 w1 "
                    "\"},\"finish_reason\":\"stop\"}",
                    i ? "," : "", i, i);
    }
    text_puts(&body,
              "],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":6,\"total_tokens\":17}}");
    openai_reply(script, "200 OK", JSON_TYPE, &body);
    text_free(&body);
}

void answer_choices(struct script *script, const struct demand *demand)
{
    if (!demand->stream) {
        choices_unary(script, demand);
        return;
    }
    openai_head(script);
    for (unsigned word = 0; word < 3; word++) {
        for (unsigned i = 0; i < demand->number[0]; i++) {
            struct text delta = {0};
            if (word == 0) {
                text_printf(&delta, "{\"role\":\"assistant\",\"content\":\"c%u \"}", i);
            } else {
                text_printf(&delta, "{\"content\":\"w%u \"}", word - 1);
            }
            text_add(&delta, "", 1);
            openai_chunk(script, demand, i, delta.data, "null");
            text_free(&delta);
        }
    }
    for (unsigned i = 0; i < demand->number[0]; i++) {
        openai_chunk(script, demand, i, "{}", "\"stop\"");
    }
    openai_usage_if_asked(script, demand, 6);
    openai_done(script);
    script_body_end(script);
}

static void with_usage(struct script *script, const struct demand *demand, const char *usage)
{
    if (!demand->stream) {
        struct text body = {0};
        openai_body(&body, demand, "{\"role\":\"assistant\",\"content\":\"w0 w1 w2 \"}", "\"stop\"",
                    usage);
        openai_reply(script, "200 OK", JSON_TYPE, &body);
        text_free(&body);
        return;
    }
    openai_head(script);
    openai_role(script, demand);
    openai_words(script, demand, 0, FAULT_WORDS);
    openai_finish(script, demand, "stop");
    if (usage != NULL) {
        openai_usage_chunk(script, demand, usage);
    }
    openai_done(script);
    script_body_end(script);
}

void answer_usage(struct script *script, const struct demand *demand)
{
    static const char *const usages[] = {
        "{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,"
        "\"prompt_tokens_details\":{\"cached_tokens\":64,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":32,\"audio_tokens\":0,"
        "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
        "{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}",
        "{\"prompt_tokens\":-11,\"completion_tokens\":-3,\"total_tokens\":-14}",
        "{\"prompt_tokens\":11.0,\"completion_tokens\":3.5,\"total_tokens\":14.5}",
        "{\"prompt_tokens\":\"11\",\"completion_tokens\":\"3\",\"total_tokens\":\"14\"}",
        "null",
        "{\"prompt_tokens\":18446744073709551616,\"completion_tokens\":3,\"total_tokens\":4}"};
    with_usage(script, demand, usages[demand->argument]);
}

void answer_usage_missing(struct script *script, const struct demand *demand)
{
    with_usage(script, demand, NULL);
}

void answer_usage_repeated(struct script *script, const struct demand *demand)
{
    if (!demand->stream) {
        openai_answer(script, demand, FAULT_WORDS);
        return;
    }
    openai_head(script);
    openai_role(script, demand);
    for (unsigned i = 0; i < FAULT_WORDS; i++) {
        script_event(script,
                     "{\"id\":\"chatcmpl-fault\",\"object\":\"chat.completion.chunk\","
                     "\"created\":1700000000,\"model\":\"m\",\"choices\":[{\"index\":0,"
                     "\"delta\":{\"content\":\"w%u \"},\"finish_reason\":null}],\"usage\":"
                     "{\"prompt_tokens\":11,\"completion_tokens\":%u,\"total_tokens\":%u}}",
                     i, i + 1, 12 + i);
    }
    openai_tail(script, demand, FAULT_WORDS);
}
