// Answers with something beside the text: citations, pictures, sound, log probabilities, the tier that served; and a tool call
// that is never finished. Sources: OpenAI API reference, "The chat completion chunk object" and "Audio" (read 2026-11);
// OpenRouter API reference, "Image generation" (read 2026-11).
#include "fault_openai.h"

#include <string.h>

#define FAULT(pattern, function, argument, moment, description) \
    void function(struct script *script, const struct demand *demand);
#include "fault_table.h"
#undef FAULT

#define JSON_TYPE "Content-Type: application/json\r\n"
#define CITATION(at, url, title)                                                          \
    "{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"" url "\",\"title\":\"" title \
    "\",\"start_index\":" at ",\"end_index\":7}}"
#define ONE CITATION("0", "https://a.example/1", "One")
#define TWO CITATION("4", "https://a.example/2", "Two")
#define PICTURE \
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}"
#define SPOKEN                                          \
    "\"id\":\"audio_1\",\"data\":\"AAECAwQFBgcICQ==\"," \
    "\"transcript\":\"Good day.\",\"expires_at\":1700003600"

// 0: citations, 1: a picture, 2: sound.
void answer_beside(struct script *script, const struct demand *demand)
{
    static const char *const cited[] = {"{\"content\":\"As said\"}", "{\"annotations\":[" ONE "]}",
                                        "{\"annotations\":[" TWO "]}", NULL};
    static const char *const drawn[] = {"{\"content\":\"Here.\"}", "{\"images\":[" PICTURE "]}",
                                        NULL};
    static const char *const said[] = {"{\"audio\":{\"id\":\"audio_1\",\"transcript\":\"Good \"}}",
                                       "{\"audio\":{\"transcript\":\"day.\"}}",
                                       "{\"audio\":{\"data\":\"AAECAwQF\"}}",
                                       "{\"audio\":{\"data\":\"BgcICQ==\"}}",
                                       "{\"audio\":{\"expires_at\":1700003600}}",
                                       NULL};
    static const char *const *const deltas[] = {cited, drawn, said};
    static const char *const messages[] = {
        "{\"role\":\"assistant\",\"content\":\"As said\",\"annotations\":[" ONE "," TWO "]}",
        "{\"role\":\"assistant\",\"content\":\"Here.\",\"images\":[" PICTURE "]}",
        "{\"role\":\"assistant\",\"content\":null,\"audio\":{" SPOKEN "}}"};
    int kind = demand->argument;
    openai_parts(script, demand, deltas[kind], messages[kind], "stop");
}

#define HEAD(object) \
    "{\"id\":\"chatcmpl-fault\",\"object\":\"" object "\",\"created\":1700000000,\"model\":\"m\","
#define USAGE "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3,\"total_tokens\":14}"
#define TOKEN(text, probability, bytes, top)                               \
    "{\"token\":\"" text "\",\"logprob\":" probability ",\"bytes\":" bytes \
    ",\"top_logprobs\":[" top "]}"
#define OTHER    "{\"token\":\"No\",\"logprob\":-2.5,\"bytes\":[78,111]}"
#define YES      TOKEN("Yes", "-0.25", "[89,101,115]", OTHER)
#define STOP     TOKEN(".", "-0.001", "null", "")
#define BY(list) "{\"content\":[" list "],\"refusal\":null}"
#define PIECE(text, list)                                      \
    HEAD("chat.completion.chunk")                              \
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text \
    "\"},\"logprobs\":" BY(list) ",\"finish_reason\":null}]}"

static void reply(struct script *script, const char *json)
{
    struct text body = {0};
    text_puts(&body, json);
    openai_reply(script, "200 OK", JSON_TYPE, &body);
    text_free(&body);
}

// A stream that begins with ready-made chunks, or the unary answer.
static void answer_chunks(struct script *script, const struct demand *demand,
                          const char *const *chunks, const char *whole)
{
    if (!demand->stream) {
        reply(script, whole);
        return;
    }
    openai_head(script);
    for (; *chunks != NULL; chunks++) {
        script_event(script, "%s", *chunks);
    }
    openai_tail(script, demand, FAULT_WORDS);
}

void answer_logprobs(struct script *script, const struct demand *demand)
{
    static const char *const chunks[] = {PIECE("Yes", YES), PIECE(".", STOP), NULL};
    static const char whole[] =
        HEAD("chat.completion") "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                                "\"content\":\"Yes.\"},"
                                "\"logprobs\":" BY(
                                    YES "," STOP) ",\"finish_reason\":\"stop\"}]," USAGE "}";
    answer_chunks(script, demand, chunks, whole);
}

#define TIER "\"service_tier\":\"flex\","

void answer_tier(struct script *script, const struct demand *demand)
{
    static const char *const chunks[] = {
        HEAD("chat.completion.chunk") TIER
        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Yes.\"},\"finish_reason\":null}]}",
        NULL};
    static const char whole[] = HEAD("chat.completion") TIER
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Yes.\"},"
        "\"finish_reason\":\"stop\"}]," USAGE "}";
    answer_chunks(script, demand, chunks, whole);
}

enum tools_end { TOOLS_CUT, TOOLS_DONE, TOOLS_WHOLE_DONE, TOOLS_LENGTH };

#define TOOL_ANSWER(arguments, finish)                                                         \
    HEAD("chat.completion")                                                                    \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":" \
    "[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":\"" \
    arguments "\"}}]},\"finish_reason\":" finish "}]," USAGE "}"

static void reply_tools_end(struct script *script, enum tools_end end)
{
    static const char *const answers[] = {
        // half of the answer, whose length was told right
        [TOOLS_CUT] = HEAD("chat.completion") "\"choices\":[{\"index\":0,\"message\":{\"role\":"
                                              "\"assistant\",\"content\":null,\"tool_calls\":[{",
        [TOOLS_DONE] = TOOL_ANSWER("{\\\"ci", "null"),
        [TOOLS_WHOLE_DONE] = TOOL_ANSWER("{\\\"city\\\":\\\"Oslo\\\"}", "null"),
        [TOOLS_LENGTH] = TOOL_ANSWER("{\\\"ci", "\"length\""),
    };
    reply(script, answers[end]);
}

// How a tool call ends that nobody says is finished; `tools-length` is told to have run out of tokens.
void answer_tools_end(struct script *script, const struct demand *demand)
{
    enum tools_end end = (enum tools_end)demand->argument;
    if (!demand->stream) {
        reply_tools_end(script, end);
        return;
    }
    openai_head(script);
    openai_role(script, demand);
    openai_chunk(script, demand, 0,
                 "{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\","
                 "\"function\":{\"name\":\"get_weather\",\"arguments\":\"\"}}]}",
                 "null");
    openai_chunk(script, demand, 0,
                 "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"ci\"}}]}",
                 "null");
    if (end == TOOLS_WHOLE_DONE) {
        openai_chunk(
            script, demand, 0,
            "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"ty\\\":\\\"Oslo\\\"}\"}}]}",
            "null");
    }
    if (end == TOOLS_LENGTH) {
        openai_finish(script, demand, "length");
    }
    if (end != TOOLS_CUT) {
        openai_usage_if_asked(script, demand, FAULT_WORDS);
        openai_done(script);
    }
    script_body_end(script);
}
