/*
 * What callers may send: every field that is read, and a table of refusals with the field that is named. Rows 61 to 65, 78 to
 * 88 of reference/reliability.md 3.9 are among them.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "remora/limits.h"
#include "remora/skin.h"

struct parsed {
    struct remora_arena arena;
    struct remora_request request;
    struct remora_encoder encoder;
    struct remora_fail fail;
    enum remora_code code;
};

static void parse_on(struct parsed *p, const char *body, enum remora_surface surface)
{
    *p = (struct parsed){.fail = REMORA_FAIL_INIT};
    remora_arena_init(&p->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    remora_request_init(&p->request);
    const struct remora_skin_input input = {.body = remora_slice_of(body), .surface = surface};
    p->code =
        remora_skin_chat_completions.parse(&input, &p->arena, &p->request, &p->encoder, &p->fail);
}

static void parse(struct parsed *p, const char *body)
{
    parse_on(p, body, REMORA_SURFACE_OPENAI);
    if (p->code != REMORA_OK) {
        fail_msg("%s: %s\n%s", p->fail.param, p->fail.message, body);
    }
}

/* One user message and `more` members, which begin with a comma. */
#define M    "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define R(x) "{" M "," x "}"

/* ---- what is read ---- */

static void the_smallest_request_is_one_message(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "{" M "}");
    assert_int_equal(p.request.operation, REMORA_OPERATION_CHAT);
    assert_int_equal(p.request.delivery, REMORA_UNARY);
    assert_int_equal(p.request.message_count, 1);
    assert_int_equal(p.request.messages[0].role, REMORA_ROLE_USER);
    assert_true(p.request.messages[0].content_is_text);
    assert_slice_equal(p.request.messages[0].parts[0].text, "hi");
    assert_int_equal(p.request.asked_count, 0);
    assert_int_equal(p.request.model.length, 0);
    remora_arena_fini(&p.arena);
}

static void what_only_looks_doubtful_is_taken(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, R("\"x\":{\"a\":[{\"b\":1},{\"b\":1}],\"A\":\"\\\\u0000\\u0001\\u2000\",\"n\":[1e-"
                "999,-1e308,"
                "18446744073709551616,100000,0.0000001]}"));
    assert_int_equal(p.request.extra_count, 1);
    remora_arena_fini(&p.arena);
}

static void sampling_is_read_and_noted_in_order(void **state)
{
    (void)state;
    struct parsed p;
    parse(
        &p,
        R("\"top_p\":0.5,\"temperature\":0,\"max_tokens\":7,\"seed\":-3,\"top_k\":40,\"min_p\":0.1,"
          "\"top_a\":1,\"frequency_penalty\":-2,\"presence_penalty\":2,\"repetition_penalty\":1.1,"
          "\"n\":2,\"stop\":[\"a\",\"b\"],\"logit_bias\":{\"50256\":-100,\"7\":0.5},\"logprobs\":"
          "true,"
          "\"top_logprobs\":5"));
    const struct remora_sampling *s = &p.request.sampling;
    assert_true(s->temperature.is_set && s->temperature.value == 0.0);
    assert_true(s->top_p.value == 0.5);
    assert_int_equal(s->max_output_tokens.value, 7);
    assert_int_equal(s->seed.value, -3);
    assert_int_equal(s->top_k.value, 40);
    assert_true(s->repetition_penalty.value == 1.1);
    assert_int_equal(s->choice_count.value, 2);
    assert_int_equal(s->stop.count, 2);
    assert_slice_equal(s->stop.items[1], "b");
    assert_int_equal(s->logit_bias_count, 2);
    assert_int_equal(s->logit_bias[0].token, 50256);
    assert_true(s->logit_bias[1].bias == 0.5);
    assert_int_equal(p.request.top_logprobs.value, 5);
    const enum remora_parameter order[] = {REMORA_PARAMETER_TOP_P, REMORA_PARAMETER_TEMPERATURE,
                                           REMORA_PARAMETER_MAX_TOKENS, REMORA_PARAMETER_SEED};
    for (size_t i = 0; i < REMORA_COUNT_OF(order); i++) {
        assert_int_equal(p.request.asked[i], order[i]);
    }
    assert_true(remora_request_asks(&p.request, REMORA_PARAMETER_LOGIT_BIAS));
    remora_arena_fini(&p.arena);
}

static void values_that_ask_for_nothing_are_not_noted(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p,
          R("\"n\":1,\"logprobs\":false,\"tools\":[],\"stop\":[],\"logit_bias\":{},"
            "\"response_format\":{\"type\":\"text\"},\"temperature\":null,\"plugins\":[],"
            "\"functions\":[],\"user\":\"\",\"safety_identifier\":\"\",\"prompt_cache_key\":\"\","
            "\"preset\":null"));
    assert_int_equal(p.request.asked_count, 0);
    remora_arena_fini(&p.arena);
}

static void both_names_of_the_output_limit_are_one(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, R("\"max_tokens\":7,\"max_completion_tokens\":7"));
    assert_int_equal(p.request.sampling.max_output_tokens.value, 7);
    assert_int_equal(p.request.asked_count, 1);
    remora_arena_fini(&p.arena);
    parse(&p, R("\"max_completion_tokens\":1e2"));
    assert_int_equal(p.request.sampling.max_output_tokens.value, 100);
    remora_arena_fini(&p.arena);
}

static void tools_and_calls_make_the_round_trip_raw(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p,
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
          "{\"type\":\"text\",\"text\":\"b\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":"
          "\"1h\"}}]},"
          "{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"annotations\":[],\"tool_"
          "calls\":[{\"id\":\"c1\","
          "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1}\"}}]},"
          "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"ok\",\"x_vendor\":{\"a\": "
          "1},\"y\":2}],"
          "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
          "\"strict\":true,"
          "\"parameters\":{ \"type\" : \"object\" }}}],"
          "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}},\"parallel_tool_"
          "calls\":false}");
    const struct remora_message *m = p.request.messages;
    assert_int_equal(m[0].part_count, 2);
    assert_false(m[0].content_is_text);
    assert_int_equal(m[0].parts[1].cache.ttl_s, 3600);
    assert_int_equal(m[1].tool_call_count, 1);
    assert_slice_equal(m[1].tool_calls[0].arguments_json, "{\"x\": 1}");
    assert_slice_equal(m[2].tool_call_id, "c1");
    assert_slice_equal(m[2].extra, "{\"x_vendor\":{\"a\": 1},\"y\":2}");
    assert_slice_equal(p.request.tools[0].parameters_json, "{ \"type\" : \"object\" }");
    assert_int_equal(p.request.tools[0].strict, REMORA_YES);
    assert_int_equal(p.request.tool_choice.kind, REMORA_TOOL_CHOICE_FUNCTION);
    assert_slice_equal(p.request.tool_choice.function_name, "f");
    assert_int_equal(p.request.parallel_tool_calls, REMORA_NO);
    remora_arena_fini(&p.arena);
}

static void reasoning_and_refusals_of_earlier_turns_are_kept(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p,
          "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\",\"reasoning\":\"why\"},"
          "{\"role\":\"assistant\",\"content\":\"x\",\"reasoning\":\"why\",\"reasoning_details\":["
          "{\"type\":\"reasoning.encrypted\",\"data\":\"AA==\",\"format\":\"f\",\"id\":null,"
          "\"index\":3},"
          "{\"type\":\"reasoning.text\",\"text\":\"t\",\"signature\":\"s\"},"
          "{\"type\":\"reasoning.server_tool_call\",\"tool_name\":\"search\",\"arguments\":{},"
          "\"text\":{},\"index\":\"a\"}]},"
          "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"}]}");
    const struct remora_message *m = p.request.messages;
    assert_slice_equal(m[0].reasoning[0].text, "why");
    assert_int_equal(m[1].reasoning_count, 3);
    assert_int_equal(m[1].reasoning[2].kind, REMORA_REASONING_OTHER);
    assert_slice_equal(m[1].reasoning[2].raw,
                       "{\"type\":\"reasoning.server_tool_call\",\"tool_name\":\"search\","
                       "\"arguments\":{},\"text\":{},\"index\":\"a\"}");
    assert_int_equal(m[1].reasoning[0].kind, REMORA_REASONING_ENCRYPTED);
    assert_slice_equal(m[1].reasoning[0].text, "AA==");
    assert_int_equal(m[1].reasoning[0].index.value, 3);
    assert_slice_equal(m[1].reasoning[1].signature, "s");
    assert_int_equal(m[2].parts[0].kind, REMORA_PART_REFUSAL);
    remora_arena_fini(&p.arena);
}

#define SIGNED(id, signature)                                                               \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"  \
    "\"{}\",\"parsed_arguments\":{}},\"extra_content\":{\"google\":{\"thought_signature\":" \
    "\"" signature "\"}}}"

/* As a block behind the others, once: what reasoning_details say of the call counts. */
static void signatures_of_calls_are_blocks(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "{\"messages\":[{\"role\":\"assistant\",\"reasoning_details\":[{\"type\":"
              "\"reasoning.encrypted\",\"data\":\"A\",\"id\":\"c1\",\"format\":"
              "\"google-gemini-v1\"}],\"tool_calls\":[" SIGNED("c1", "B") "," SIGNED(
                  "c2", "C") "]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"1\"},"
                             "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"2\"}]}");
    const struct remora_message *m = p.request.messages;
    assert_int_equal(m[0].reasoning_count, 2);
    assert_slice_equal(m[0].reasoning[0].text, "A");
    assert_int_equal(m[0].reasoning[1].kind, REMORA_REASONING_ENCRYPTED);
    assert_slice_equal(m[0].reasoning[1].text, "C");
    assert_slice_equal(m[0].reasoning[1].id, "c2");
    assert_slice_equal(m[0].reasoning[1].format, "google-gemini-v1");
    assert_slice_equal(m[0].tool_calls[1].id, "c2");
    assert_int_equal(m[0].tool_calls[1].index, 1);
    remora_arena_fini(&p.arena);
}

/* Content of a type that is not known here, as answers tell it: behind the content, as it came. */
static void raw_of_an_earlier_answer_is_read(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"raw\":[{\"type\":"
              "\"x\"},{\"y\":1}]},{\"role\":\"assistant\",\"content\":\"\",\"raw\":null}]}");
    const struct remora_message *m = p.request.messages;
    assert_int_equal(m[0].part_count, 3);
    assert_int_equal(m[0].parts[0].kind, REMORA_PART_TEXT);
    assert_int_equal(m[0].parts[2].kind, REMORA_PART_RAW);
    assert_slice_equal(m[0].parts[2].text, "{\"y\":1}");
    assert_int_equal(m[0].extra.length, 0);
    assert_int_equal(m[1].part_count, 1);
    remora_arena_fini(&p.arena);
    parse_on(&p, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"raw\":[{}]}]}",
             REMORA_SURFACE_OPENAI);
    assert_int_equal(p.code, REMORA_INVALID_REQUEST);
    assert_string_equal(p.fail.param, "messages[0]");
    remora_arena_fini(&p.arena);
    parse_on(&p, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"raw\":[1]}]}",
             REMORA_SURFACE_OPENAI);
    assert_string_equal(p.fail.param, "messages[0].raw[0]");
    remora_arena_fini(&p.arena);
}

static void provider_preferences_are_read(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, R("\"provider\":{\"order\":[\"a\",\"b/"
                "x\"],\"only\":[],\"ignore\":[\"c\"],\"allow_fallbacks\":false,"
                "\"data_collection\":\"deny\",\"require_parameters\":true,\"zdr\":false,"
                "\"quantizations\":[\"fp8\"],"
                "\"max_price\":{\"prompt\":2.5,\"completion\":\"9.9999999\",\"request\":0.01,"
                "\"image\":null}},"
                "\"models\":[\"x/y\"],\"model\":\"a/b\""));
    const struct remora_preferences *o = &p.request.provider;
    assert_int_equal(o->order.count, 2);
    assert_slice_equal(o->order.items[1], "b/x");
    assert_true(o->only.is_set && o->only.count == 0);
    assert_int_equal(o->allow_fallbacks, REMORA_NO);
    assert_int_equal(o->data_collection, REMORA_DATA_DENY);
    assert_int_equal(o->require_parameters, REMORA_YES);
    assert_int_equal(o->zdr, REMORA_NO);
    assert_true(o->max_price_pico_usd[REMORA_CAP_PROMPT] == 2500000);
    assert_true(o->max_price_pico_usd[REMORA_CAP_COMPLETION] == 9999999);
    assert_true(o->max_price_pico_usd[REMORA_CAP_REQUEST] == 10000000000);
    assert_true(o->max_price_pico_usd[REMORA_CAP_IMAGE] == -1);
    assert_slice_equal(p.request.models.items[0], "x/y");
    remora_arena_fini(&p.arena);
}

static void reasoning_formats_and_labels_are_read(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, R("\"reasoning\":{\"effort\":\"high\",\"max_tokens\":2000,\"exclude\":true,"
                "\"enabled\":true,\"summary\":\"auto\"},"
                "\"reasoning_effort\":\"high\",\"verbosity\":\"low\",\"service_tier\":\"flex\","
                "\"user\":\"u\","
                "\"session_id\":\"s\",\"prompt_cache_key\":\"k\",\"metadata\":{\"a\":\"b\"},"
                "\"modalities\":[\"text\"],"
                "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
                "\"schema\":{\"a\":1},\"strict\":true}},"
                "\"usage\":{\"include\":true},\"stream_options\":{\"include_usage\":true},"
                "\"stream\":true"));
    assert_int_equal(p.request.reasoning.effort, REMORA_EFFORT_HIGH);
    assert_int_equal(p.request.reasoning.max_tokens.value, 2000);
    assert_true(p.request.reasoning.exclude_from_response);
    assert_slice_equal(p.request.verbosity, "low");
    assert_slice_equal(p.request.service_tier, "flex");
    assert_int_equal(p.request.output_modalities.count, 1);
    assert_false(remora_request_asks(&p.request, REMORA_PARAMETER_MODALITIES)); /* of anybody */
    assert_slice_equal(p.request.end_user_id, "u");
    assert_slice_equal(p.request.tags[0].value, "b");
    assert_int_equal(p.request.tag_count, 1);
    assert_int_equal(p.request.response_format.kind, REMORA_FORMAT_JSON_SCHEMA);
    assert_slice_equal(p.request.response_format.schema_json, "{\"a\":1}");
    assert_int_equal(p.request.delivery, REMORA_STREAM);
    assert_true(p.encoder.wants_usage_chunk);
    remora_arena_fini(&p.arena);
}

static void the_usage_chunk_depends_on_the_surface(void **state)
{
    (void)state;
    struct parsed p;
    parse_on(&p, "{" M "}", REMORA_SURFACE_OPENAI);
    assert_false(p.encoder.wants_usage_chunk);
    remora_arena_fini(&p.arena);
    parse_on(&p, R("\"stream_options\":{\"include_usage\":false}"), REMORA_SURFACE_OPENROUTER);
    assert_true(p.encoder.wants_usage_chunk);
    remora_arena_fini(&p.arena);
}

static void unknown_top_level_fields_are_kept_raw(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, R("\"safe_prompt\":true,\"raw_mode\":{ \"a\" : [1] }"));
    assert_int_equal(p.request.extra_count, 2);
    assert_slice_equal(p.request.extra[1].key, "raw_mode");
    assert_slice_equal(p.request.extra[1].value, "{ \"a\" : [1] }");
    remora_arena_fini(&p.arena);
}

/* ---- what is refused ---- */

struct refusal {
    const char *body;
    enum remora_code code;
    const char *param;
};
#define MSG(x) "{\"messages\":[" x "]}"
#define BAD(x, f)                         \
    {                                     \
        R(x), REMORA_INVALID_REQUEST, (f) \
    }
#define BADM(x, f)                          \
    {                                       \
        MSG(x), REMORA_INVALID_REQUEST, (f) \
    }
#define LATER(f)                                     \
    {                                                \
        R("\"" f "\":{}"), REMORA_UNIMPLEMENTED, (f) \
    }
#define HOST(f)                                           \
    {                                                     \
        R("\"" f "\":\"x\""), REMORA_INVALID_REQUEST, (f) \
    }

static const struct refusal refusals[] = {
    {"", REMORA_INVALID_REQUEST, ""},
    {"[]", REMORA_INVALID_REQUEST, ""},
    {"\"x\"", REMORA_INVALID_REQUEST, ""},
    {"{", REMORA_INVALID_REQUEST, ""},
    {"{}", REMORA_INVALID_REQUEST, "messages"},
    {"{\"messages\":null}", REMORA_INVALID_REQUEST, "messages"},
    {"{\"messages\":[]}", REMORA_INVALID_REQUEST, "messages"},
    {"{\"messages\":\"hi\"}", REMORA_INVALID_REQUEST, "messages"},
    /* rows 78, 79 */
    {R("\"model\":\"a\",\"model\":\"b\""), REMORA_INVALID_REQUEST, "model"},
    {R("\"model\":\"a\",\"mod\\u0065l\":\"b\""), REMORA_INVALID_REQUEST, "model"},
    {R("\"x\":1,\"x\":2"), REMORA_INVALID_REQUEST, "x"},
    /* the same inside what is sent on as it came: which one counts would be the provider's guess */
    BAD("\"x\":{\"a\":[{},{\"b\":1,\"\\u0062\":2}]}", "x.a[1].b"),
    BAD("\"image_config\":{\"a\":1,\"a\":1}", "image_config.a"),
    BAD("\"web_search_options\":{\"a\":{\"b\":1,\"b\":2}}", "web_search_options.a.b"),
    BAD("\"trace\":{\"free\":{\"a\":1,\"a\":2}}", "trace.free.a"),
    BAD("\"metadata\":{\"a\":\"1\",\"a\":\"2\"}", "metadata.a"),
    BAD("\"logit_bias\":{\"5\":1,\"05\":2}", "logit_bias.05"),
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":"
        "\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"type\":\"number\"}}}}}]",
        "tools[0].function.parameters.properties.a.type"),
    BAD("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{"
        "\"$defs\":{\"a\":{},\"a\":{}}}}}",
        "response_format.json_schema.schema.$defs.a"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"more\":{\"a\":1,\"a\":2}}", "messages[0].more.a"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"reasoning_details\":[{\"type\":\"new\",\"a\":"
         "1,"
         "\"a\":2}]}",
         "messages[0].reasoning_details[0].a"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"annotations\":[{\"type\":\"t\",\"type\":"
         "\"u\"}]}",
         "messages[0].annotations[0].type"),
    /* row 81, 82, 83 */
    BAD("\"temperature\":1e400", "temperature"),
    BAD("\"seed\":1e999999999", "seed"),
    BAD("\"x\":1e400", "x"),
    /* row 106 over HTTP: a NUL ends a text for some, so it is in none; what only looks like one is taken elsewhere */
    BADM("{\"role\":\"user\",\"content\":\"a\\u0000b\"}", "messages[0].content"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\\u0000\"}]}",
         "messages[0].content[0].text"),
    BAD("\"stop\":[\"\\n\",\"\\\\\\u0000\"]", "stop[1]"),
    BAD("\"metadata\":{\"a\":\"1\",\"b\":\"2\\u0000\"}", "metadata.b"),
    BAD("\"x\":{\"y\":[\"\\u0000\"]}", "x.y[0]"),
    BAD("\"x\":{\"y\\u0000\":1}", "x.y"),
    BAD("\"x\":[0,{\"y\":-1e999999999}]", "x[1].y"),
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{"
        "\"maximum\":"
        "1e400}}}]",
        "tools[0].function.parameters.maximum"),
    BAD("\"seed\":18446744073709551616", "seed"),
    BAD("\"max_tokens\":-1", "max_tokens"),
    BAD("\"max_tokens\":0", "max_tokens"),
    BAD("\"max_tokens\":2147483648", "max_tokens"),
    BAD("\"max_tokens\":\"10\"", "max_tokens"),
    BAD("\"max_tokens\":1.5", "max_tokens"),
    BAD("\"max_completion_tokens\":true", "max_completion_tokens"),
    BAD("\"max_tokens\":1,\"max_completion_tokens\":2", "max_tokens"),
    {R("\"temperature\":NaN"), REMORA_INVALID_REQUEST, ""},
    BAD("\"temperature\":3", "temperature"),
    BAD("\"temperature\":-0.1", "temperature"),
    BAD("\"temperature\":\"hot\"", "temperature"),
    BAD("\"top_p\":0", "top_p"),
    BAD("\"top_p\":1.01", "top_p"),
    BAD("\"top_k\":-1", "top_k"),
    BAD("\"min_p\":2", "min_p"),
    BAD("\"frequency_penalty\":-2.1", "frequency_penalty"),
    BAD("\"repetition_penalty\":[]", "repetition_penalty"),
    BAD("\"top_logprobs\":21,\"logprobs\":true", "top_logprobs"),
    BAD("\"top_logprobs\":2", "top_logprobs"),
    /* row 85 */
    BADM("{\"role\":\"robot\",\"content\":\"x\"}", "messages[0].role"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"api_key\":\"k\"}", "messages[0].api_key"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"opts\":{\"base_url\":\"u\"}}",
         "messages[0].opts.base_url"),
    BADM("{\"content\":\"x\"}", "messages[0]"),
    BADM("{\"role\":null,\"content\":\"x\"}", "messages[0].role"),
    BADM("{\"role\":\"user\"}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":null}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":[]}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":5}", "messages[0].content"),
    BADM("{\"role\":\"user\",\"content\":[5]}", "messages[0].content[0]"),
    BADM("{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}", "messages[0].content[0]"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}", "messages[0].content[0]"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":1}]}",
         "messages[0].content[0].text"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"poem\",\"text\":\"x\"}]}",
         "messages[0].content[0].type"),
    BADM("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"tool\",\"content\":\"x\"}",
         "messages[1]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"tool_call_id\":\"c\"}", "messages[0]"),
    BADM("{\"role\":\"assistant\"}", "messages[0]"),
    BADM("{\"role\":\"assistant\",\"tool_calls\":[]}", "messages[0]"),
    BADM("{\"role\":\"assistant\",\"tool_calls\":[{}]}", "messages[0].tool_calls[0]"),
    BADM("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\"}}]}",
         "messages[0].tool_calls[0].function"),
    BADM("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"custom\"}]}",
         "messages[0].tool_calls[0].type"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[{\"id\":\"a\",\"function\":{"
         "\"name\":\"f\",\"arguments\":\"\"}}]}",
         "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"content\":\"y\"}", "messages[0].content"),
    /* row 69, 70 */
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "169.254.169.254/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "100.100.100.200/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "168.63.129.16/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "127.0.0.1/a.png\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "127.1/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "0x7f000001/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "2130706433/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "localhost/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "a.localhost:80/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "[::1]/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "u:p@a.example/i.png\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http:///"
         "x\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://"
         "\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "a.example:99999/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"file:///"
         "etc/passwd\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"gopher:/"
         "/a.example/\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"unix:/"
         "run/x\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"ftp://"
         "a.example/i.png\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"a."
         "example/i.png\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "image/png,AAAA\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "text/plain;base64,AAAA\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "image/svg+xml;base64,AAAA\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:;"
         "base64,AAAA\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "image/png;base64,\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "image/png;base64,AAA\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "image/png;base64,AA_-\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "image/png;base64,AAAB==A=\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:"
         "image/png;base64,AB==\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
         "a.example/a b\"}}]}",
         "messages[0].content[0].image_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"https://"
         "a.example/i.png\"}]}",
         "messages[0].content[0].image_url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}",
         "messages[0].content[0].image_url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}", "messages[0].content[0]"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":null}]}",
         "messages[0].content[0].image_url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://"
         "a.example/i.png\",\"detail\":\"huge\"}}]}",
         "messages[0].content[0].image_url.detail"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://"
         "a.example/i.png\"},\"text\":\"x\"}]}",
         "messages[0].content[0].text"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
         "\"UklG\"}}]}",
         "messages[0].content[0].input_audio"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
         "\"UklG\",\"format\":\"midi\"}}]}",
         "messages[0].content[0].input_audio.format"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
         "\"https://a.example/a.wav\",\"format\":\"wav\"}}]}",
         "messages[0].content[0].input_audio.data"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
         "\"data:audio/wav;base64,UklG\",\"format\":\"wav\"}}]}",
         "messages[0].content[0].input_audio.data"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"url\":"
         "\"https://a.example/a.wav\"}}]}",
         "messages[0].content[0].input_audio.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"video_url\",\"video_url\":{\"url\":\"data:"
         "image/png;base64,AAAA\"}}]}",
         "messages[0].content[0].video_url.url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"video_url\",\"video_url\":{}}]}",
         "messages[0].content[0].video_url"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\"}}]}",
         "messages[0].content[0].file"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_data\":\"JVBE\"}}]}",
         "messages[0].content[0].file.file_data"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_data\":\"data:"
         "application/pdf;base64,JVBE\",\"file_id\":\"f\"}}]}",
         "messages[0].content[0].file.file_id"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"f\",\"file_"
         "data\":\"data:application/pdf;base64,JVBE\"}}]}",
         "messages[0].content[0].file.file_data"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"\"}}]}",
         "messages[0].content[0].file.file_id"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a\\u0000b\","
         "\"file_id\":\"f\"}}]}",
         "messages[0].content[0].file.filename"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{"
         "\"type\":\"forever\"}}]}",
         "messages[0].content[0].cache_control.type"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{"
         "\"type\":\"ephemeral\",\"ttl\":\"2h\"}}]}",
         "messages[0].content[0].cache_control.ttl"),
    BADM(
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{}}]}",
        "messages[0].content[0].cache_control"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"prompt_cache_"
         "breakpoint\":{\"mode\":\"auto\"}}]}",
         "messages[0].content[0].prompt_cache_breakpoint.mode"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"prompt_cache_"
         "breakpoint\":{}}]}",
         "messages[0].content[0].prompt_cache_breakpoint"),
    BADM("{\"role\":\"system\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https:"
         "//a.example/i.png\"}}]}",
         "messages[0].content[0]"),
    BADM("{\"role\":\"developer\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
         "\"https://a.example/i.png\"}}]}",
         "messages[0].content[0]"),
    BADM("{\"role\":\"user\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}",
         "messages[0].content[0]"),
    /* what follows what */
    BADM("{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"x\"}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"tool\",\"tool_call_id\":\"a\","
         "\"content\":\"x\"}",
         "messages[1]"),
    BADM("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"b\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
         "\"tool_call_id\":\"c\",\"content\":\"x\"}",
         "messages[1]"),
    BADM("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"b\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
         "\"tool_call_id\":\"a\",\"content\":\"x\"},{\"role\":\"tool\",\"tool_call_id\":\"a\","
         "\"content\":\"x\"}",
         "messages[2]"),
    BADM("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"b\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
         "\"tool_call_id\":\"a\",\"content\":\"x\"}",
         "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":null,\"tool_"
         "calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
         "\"{}\"}},{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
         "\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"x\"},{\"role\":"
         "\"user\",\"content\":\"x\"}",
         "messages[1]"),
    BADM("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"b\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
         "\"tool_call_id\":\"a\",\"content\":\"x\"},{\"role\":\"tool\",\"tool_call_id\":\"b\","
         "\"content\":\"x\"},{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"tool\",\"tool_call_"
         "id\":\"a\",\"content\":\"x\"}",
         "messages[4]"),
    BADM("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"a\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
         "\"tool_call_id\":\"a\",\"content\":\"x\"}",
         "messages[0]"),
    /* of another role */
    BADM("{\"role\":\"user\",\"content\":\"x\",\"reasoning\":\"x\"}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"reasoning_details\":[{\"type\":\"reasoning.text\","
         "\"text\":\"x\"}]}",
         "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"images\":[{\"image_url\":{\"url\":\"https://"
         "a.example/i.png\"}}]}",
         "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"audio\":{\"id\":\"a\"}}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"annotations\":[{\"type\":\"x\"}]}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"refusal\":\"x\"}", "messages[0]"),
    BADM("{\"role\":\"user\",\"content\":\"x\",\"model\":\"a/b\"}", "messages[0]"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"audio\":{\"data\":\"x\"}}",
         "messages[0].audio.id"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"audio\":\"a\"}", "messages[0].audio"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"images\":[{\"image_url\":{\"url\":\"x\"}}]}",
         "messages[0].images[0].image_url.url"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"images\":[{}]}", "messages[0].images[0]"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"annotations\":[{\"url\":\"x\"}]}",
         "messages[0].annotations[0].type"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"reasoning_details\":[{\"text\":\"x\"}]}",
         "messages[0].reasoning_details[0].type"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"reasoning_details\":[{\"type\":1,"
         "\"text\":\"x\"}]}",
         "messages[0].reasoning_details[0].type"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"reasoning_details\":[\"x\"]}",
         "messages[0].reasoning_details[0]"),
    BADM("{\"role\":\"assistant\",\"content\":\"x\",\"reasoning_details\":[{\"type\":"
         "\"reasoning.text\",\"text\":{}}]}",
         "messages[0].reasoning_details[0].text"),
    BADM("{\"role\":\"function\",\"name\":\"f\",\"content\":\"x\"}", "messages[0].role"),
    {MSG("{\"role\":\"assistant\",\"content\":\"x\",\"function_call\":{\"name\":\"f\"}}"),
     REMORA_UNIMPLEMENTED, "messages[0].function_call"},
    /* row 86, 87 */
    BAD("\"stream\":\"true\"", "stream"),
    BAD("\"stream\":1", "stream"),
    BAD("\"n\":1000000", "n"),
    BAD("\"n\":0", "n"),
    BAD("\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\"]", "stop"),
    BAD("\"stop\":5", "stop"),
    BAD("\"stop\":[\"a\",1]", "stop[1]"),
    BAD("\"logit_bias\":{\"a\":1}", "logit_bias.a"),
    BAD("\"logit_bias\":{\"1\":101}", "logit_bias.1"),
    BAD("\"logit_bias\":{\"1\":1,\"1\":2}", "logit_bias.1"),
    BAD("\"model\":5", "model"),
    BAD("\"model\":\"\"", "model"),
    BAD("\"models\":[\"a\",\"b\",\"c\",\"d\"]", "models"),
    BAD("\"models\":[\"a\",5]", "models[1]"),
    BAD("\"stream_options\":{\"include_usage\":\"yes\"}", "stream_options.include_usage"),
    BAD("\"stream_options\":{\"include_use\":true}", "stream_options.include_use"),
    BAD("\"provider\":{\"orders\":[]}", "provider.orders"),
    BAD("\"provider\":{\"order\":\"a\"}", "provider.order"),
    BAD("\"provider\":{\"order\":[\"\"]}", "provider.order[0]"),
    BAD("\"provider\":{\"data_collection\":\"maybe\"}", "provider.data_collection"),
    BAD("\"provider\":{\"allow_fallbacks\":\"no\"}", "provider.allow_fallbacks"),
    BAD("\"provider\":{\"max_price\":{\"prompt\":-1}}", "provider.max_price.prompt"),
    BAD("\"provider\":{\"max_price\":{\"prompt\":\"cheap\"}}", "provider.max_price.prompt"),
    BAD("\"provider\":{\"quantizations\":[\"q4\"]}", "provider.quantizations[0]"),
    BAD("\"provider\":{\"url\":\"http://x\"}", "provider.url"),
    {R("\"provider\":{\"sort\":\"price\"}"), REMORA_UNIMPLEMENTED, "provider.sort"},
    {R("\"provider\":{\"preferred_max_latency\":1}"), REMORA_UNIMPLEMENTED,
     "provider.preferred_max_latency"},
    BAD("\"tools\":[{\"type\":\"function\"}]", "tools[0]"),
    BAD("\"tools\":[{\"function\":{\"name\":\"f\"}}]", "tools[0]"),
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]",
        "tools[0].function.name"),
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":[]}}]",
        "tools[0].function.parameters"),
    {R("\"tools\":[{\"type\":\"openrouter:web_search\",\"x\":1}]"), REMORA_UNIMPLEMENTED,
     "tools[0].type"},
    {R("\"tools\":[{\"type\":\"mcp\"}]"), REMORA_UNIMPLEMENTED, "tools[0].type"},
    BAD("\"tool_choice\":\"maybe\"", "tool_choice"),
    BAD("\"tool_choice\":\"required\"", "tool_choice"),
    BAD("\"tool_choice\":{\"type\":\"function\"}", "tool_choice"),
    BAD("\"response_format\":{}", "response_format"),
    BAD("\"response_format\":{\"type\":\"xml\"}", "response_format.type"),
    BAD("\"response_format\":{\"type\":\"json_schema\"}", "response_format"),
    BAD("\"response_format\":{\"type\":\"text\",\"json_schema\":{\"name\":\"a\"}}",
        "response_format"),
    BAD("\"response_format\":{\"type\":\"grammar\"}", "response_format"),
    BAD("\"response_format\":{\"type\":\"grammar\",\"grammar\":\"\"}", "response_format.grammar"),
    BAD("\"response_format\":{\"type\":\"python\",\"grammar\":\"x\"}", "response_format"),
    BAD("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a.b\"}}",
        "response_format.json_schema.name"),
    BAD("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",\"schema\":["
        "]}}",
        "response_format.json_schema.schema"),
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{"
        "\"type\":\"function\",\"function\":{\"name\":\"g\"}}",
        "tool_choice"),
    BAD("\"tools\":[{\"type\":\"poem\"}]", "tools[0].type"),
    {R("\"tools\":[{\"type\":\"web_search\"}]"), REMORA_UNIMPLEMENTED, "tools[0].type"},
    {R("\"tools\":[{\"type\":\"custom\",\"custom\":{}}]"), REMORA_UNIMPLEMENTED, "tools[0].type"},
    {R("\"tool_choice\":{\"type\":\"openrouter:web_search\"}"), REMORA_UNIMPLEMENTED,
     "tool_choice.type"},
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"},\"cache_control\":{"
        "\"type\":\"x\"}}]",
        "tools[0].cache_control.type"),
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"},\"cache_control\":{}}]",
        "tools[0].cache_control"),
    BAD("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
        "\"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"}}]",
        "tools[0].function.name"),
    BAD("\"reasoning\":{\"effort\":\"much\"}", "reasoning.effort"),
    BAD("\"reasoning\":{\"effort\":\"low\"},\"reasoning_effort\":\"high\"", "reasoning_effort"),
    {R("\"reasoning\":{\"mode\":\"pro\"}"), REMORA_UNIMPLEMENTED, "reasoning.mode"},
    BAD("\"verbosity\":\"loud\"", "verbosity"),
    BAD("\"service_tier\":\"gold\"", "service_tier"),
    BAD("\"user\":5", "user"),
    BAD("\"user\":\"a\\r\\nX-Evil: 1\"", "user"),
    BAD("\"metadata\":{\"a[0]\":\"x\"}", "metadata.a[0]"),
    BAD("\"metadata\":{\"a\":1}", "metadata.a"),
    BAD("\"modalities\":[\"text\",\"text\",\"text\",\"text\"]", "modalities"),
    BAD("\"modalities\":[\"smell\"]", "modalities[0]"),
    BAD("\"modalities\":[\"text\",\"text\"]", "modalities[1]"),
    BAD("\"modalities\":[\"audio\",\"text\",\"audio\"]", "modalities[2]"),
    {R("\"prompt\":\"x\""), REMORA_UNIMPLEMENTED, "prompt"},
    {R("\"route\":\"sort\""), REMORA_UNIMPLEMENTED, "route"},
    BAD("\"route\":\"random\"", "route"),
    LATER("plugins"),
    {R("\"preset\":[]"), REMORA_UNIMPLEMENTED, "preset"},
    {R("\"prompt\":[]"), REMORA_UNIMPLEMENTED, "prompt"},
    {R("\"function_call\":[]"), REMORA_UNIMPLEMENTED, "function_call"},
    {R("\"max_tool_calls\":[]"), REMORA_UNIMPLEMENTED, "max_tool_calls"},
    {R("\"x_search_filter\":[]"), REMORA_UNIMPLEMENTED, "x_search_filter"},
    {R("\"provider\":{\"sort\":[]}"), REMORA_UNIMPLEMENTED, "provider.sort"},
    {R("\"provider\":{\"preferred_max_latency\":[]}"), REMORA_UNIMPLEMENTED,
     "provider.preferred_max_latency"},
    LATER("preset"),
    LATER("functions"),
    LATER("function_call"),
    LATER("max_tool_calls"),
    LATER("stop_server_tools_when"),
    LATER("x_search_filter"),
    {R("\"transforms\":[\"middle-out\"]"), REMORA_UNIMPLEMENTED, "transforms"},
    {R("\"debug\":{\"echo_upstream_body\":true}"), REMORA_UNIMPLEMENTED,
     "debug.echo_upstream_body"},
    BAD("\"debug\":{\"echo\":true}", "debug.echo"),
    BAD("\"prediction\":{}", "prediction"),
    BAD("\"prediction\":{\"type\":\"content\"}", "prediction"),
    BAD("\"prediction\":{\"type\":\"x\",\"content\":\"y\"}", "prediction.type"),
    BAD("\"prediction\":{\"type\":\"content\",\"content\":5}", "prediction.content"),
    BAD("\"prediction\":{\"type\":\"content\",\"content\":[{\"type\":\"file\",\"file\":{\"file_"
        "id\":\"f\"}}]}",
        "prediction.content[0]"),
    BAD("\"audio\":{\"voice\":\"alloy\"}", "audio"),
    BAD("\"audio\":{\"voice\":\"alloy\",\"format\":\"midi\"}", "audio.format"),
    BAD("\"audio\":{\"voice\":5,\"format\":\"wav\"}", "audio.voice"),
    BAD("\"audio\":\"wav\"", "audio"),
    BAD("\"image_config\":[]", "image_config"),
    BAD("\"web_search_options\":true", "web_search_options"),
    BAD("\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1d\"}", "cache_control.ttl"),
    BAD("\"cache_control\":true", "cache_control"),
    BAD("\"cache_control\":{}", "cache_control"),
    BAD("\"cache_control\":{\"ttl\":\"5m\"}", "cache_control"),
    BAD("\"cache_control\":{\"type\":null}", "cache_control.type"),
    BAD("\"prompt_cache_options\":{}", "prompt_cache_options"),
    BAD("\"prompt_cache_options\":{\"mode\":\"implicit\"}", "prompt_cache_options.mode"),
    BAD("\"structured_outputs\":\"yes\"", "structured_outputs"),
    BAD("\"safety_identifier\":5", "safety_identifier"),
    BAD("\"session_id\":"
        "\"ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
        "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
        "sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\"",
        "session_id"),
    BAD("\"trace\":\"x\"", "trace"),
    BAD("\"trace\":{\"trace_id\":5}", "trace.trace_id"),
    BAD("\"reasoning\":{\"context\":\"some\"}", "reasoning.context"),
    BAD("\"reasoning\":{\"mode\":\"cheap\"}", "reasoning.mode"),
    BAD("\"reasoning\":{\"max_tokens\":0}", "reasoning.max_tokens"),
    BAD("\"reasoning\":{\"tokens\":1}", "reasoning.tokens"),
    /* rows 61, 62, 64, 65 */
    HOST("api_base"),
    HOST("base_url"),
    HOST("api_key"),
    HOST("organization"),
    HOST("endpoint"),
    HOST("extra_headers"),
    HOST("API_BASE"),
    HOST("headers"),
    HOST("aws_session_token"),
    HOST("azure_endpoint"),
    HOST("deployment_id"),
    BAD("\"reasoning\":{\"effort\":\"high\",\"enabled\":false}", "reasoning.enabled"),
    BAD("\"reasoning\":{\"effort\":\"none\",\"enabled\":true}", "reasoning.enabled"),
    BAD("\"reasoning\":{\"enabled\":false},\"reasoning_effort\":\"low\"", "reasoning.enabled"),
    BAD("\"reasoning\":{\"exclude\":false},\"include_reasoning\":false", "include_reasoning"),
    BAD("\"include_reasoning\":true,\"reasoning\":{\"exclude\":true}", "include_reasoning"),
    BAD("\"web_search_options\":{\"api_key\":\"k\"}", "web_search_options.api_key"),
    BAD("\"image_config\":{\"a\":[{\"Base-URL\":\"http://e\"}]}", "image_config.a[0].Base-URL"),
};

static void what_is_refused_names_the_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(refusals); i++) {
        struct parsed p;
        parse_on(&p, refusals[i].body, REMORA_SURFACE_OPENAI);
        if (p.code != refusals[i].code || strcmp(p.fail.param, refusals[i].param) != 0) {
            fail_msg("%s\nis %s \"%s\" (%s), expected %s \"%s\"", refusals[i].body,
                     remora_code_row(p.code)->name, p.fail.param, p.fail.message,
                     remora_code_row(refusals[i].code)->name, refusals[i].param);
        }
        assert_true(p.fail.message[0] != '\0');
        remora_arena_fini(&p.arena);
    }
    print_message("%zu refusals\n", REMORA_COUNT_OF(refusals));
}

/* Go's encoding/json and others take names for one that differ in capitals: what is not read here may not be read there. */
static void every_field_is_taken_in_its_own_capitals_only(void **state)
{
    static const char *const names[] = {
#define REMORA_CHAT_FIELD(name, ...) name,
#include "remora/tbl/chat_fields.h"
#undef REMORA_CHAT_FIELD
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        char other[80];
        char body[200];
        char spelling[100];
        struct parsed p;
        snprintf(other, sizeof other, "%s", names[i]);
        other[0] = (char)(other[0] - 'a' + 'A');
        snprintf(body, sizeof body, R("\"%s\":null"), other);
        snprintf(spelling, sizeof spelling, "%s is spelt \"%s\";", other, names[i]);
        parse_on(&p, body, REMORA_SURFACE_OPENAI);
        assert_int_equal(p.code, REMORA_INVALID_REQUEST);
        assert_string_equal(p.fail.param, other);
        assert_non_null(strstr(p.fail.message, spelling));
        remora_arena_fini(&p.arena);
    }
}

static void a_member_is_taken_in_its_own_capitals_only(void **state)
{
#define SAID(members) "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"," members "}]}"
#define PART(members) "{\"messages\":[{\"role\":\"user\",\"content\":[{" members "}]}]}"
#define TOOL(members) R("\"tools\":[{" members "}]")
    static const struct {
        const char *body;
        const char *param;
        const char *spelling;
    } rows[] = {
        {SAID("\"Content\":\"b\""), "messages[0].Content", "content"},
        {SAID("\"ROLE\":\"system\""), "messages[0].ROLE", "role"},
        {SAID("\"Tool_Calls\":[]"), "messages[0].Tool_Calls", "tool_calls"},
        {SAID("\"\\u0052efusal\":\"b\""), "messages[0].Refusal", "refusal"},
        {SAID("\"tool_call\\u017f\":[]"), "messages[0].tool_call\u017f", "tool_calls"},
        {SAID("\"tool_calls\":[{\"Id\":\"x\"}]"), "messages[0].tool_calls[0].Id", "id"},
        {SAID("\"tool_calls\":[{\"id\":\"x\",\"function\":{\"NAME\":\"f\"}}]"),
         "messages[0].tool_calls[0].function.NAME", "name"},
        {SAID("\"audio\":{\"id\":\"a\",\"ID\":\"b\"}"), "messages[0].audio.ID", "id"},
        {SAID("\"images\":[{\"Image_Url\":{\"url\":\"http://a\"}}]"),
         "messages[0].images[0].Image_Url", "image_url"},
        {SAID("\"annotations\":[{\"type\":\"x\",\"Type\":\"y\"}]"),
         "messages[0].annotations[0].Type", "type"},
        {SAID("\"reasoning_details\":[{\"Type\":\"x\"}]"), "messages[0].reasoning_details[0].Type",
         "type"},
        {SAID(
             "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"a\",\"Text\":\"b\"}]"),
         "messages[0].reasoning_details[0].Text", "text"},
        {PART("\"type\":\"text\",\"text\":\"a\",\"TEXT\":\"b\""), "messages[0].content[0].TEXT",
         "text"},
        {PART("\"Type\":\"text\",\"text\":\"a\""), "messages[0].content[0].Type", "type"},
        {PART("\"type\":\"image_url\",\"image_url\":{\"Url\":\"http://a\"}"),
         "messages[0].content[0].image_url.Url", "url"},
        {TOOL("\"Type\":\"function\""), "tools[0].Type", "type"},
        {TOOL("\"type\":\"function\",\"Function\":{}"), "tools[0].Function", "function"},
        {TOOL("\"type\":\"function\",\"function\":{\"name\":\"f\",\"Parameters\":{}}"),
         "tools[0].function.Parameters", "parameters"},
        {R("\"tool_choice\":{\"TYPE\":\"function\"}"), "tool_choice.TYPE", "type"},
        {R("\"provider\":{\"Only\":[]}"), "provider.Only", "only"},
        {R("\"provider\":{\"max_price\":{\"PROMPT\":1}}"), "provider.max_price.PROMPT", "prompt"},
        {R("\"response_format\":{\"type\":\"json_schema\",\"JSON_Schema\":{}}"),
         "response_format.JSON_Schema", "json_schema"},
        {R("\"reasoning\":{\"Effort\":\"low\"}"), "reasoning.Effort", "effort"},
        {R("\"stream_options\":{\"Include_Usage\":true}"), "stream_options.Include_Usage",
         "include_usage"},
        {R("\"prediction\":{\"type\":\"content\",\"Content\":\"x\"}"), "prediction.Content",
         "content"},
        {R("\"trace\":{\"Trace_Id\":\"x\"}"), "trace.Trace_Id", "trace_id"},
        {R("\"web_search_options\":{\"Search_Context_Size\":\"high\"}"),
         "web_search_options.Search_Context_Size", "search_context_size"},
        {R("\"web_search_options\":{\"a\":1,\"user_location\":{\"Type\":\"approximate\"}}"),
         "web_search_options.user_location.Type", "type"},
        {R("\"web_search_options\":{\"user_location\":{\"approximate\":{\"\\u0043ity\":\"x\"}}}"),
         "web_search_options.user_location.approximate.City", "city"},
        {R("\"image_config\":{\"aspect_ratio\":\"1:1\",\"Aspect_Ratio\":\"2:1\"}"),
         "image_config.Aspect_Ratio", "aspect_ratio"},
        {R("\"max_to\\u212Aens\":1"), "max_to\u212Aens", "max_tokens"},
        {R("\"\\u017ftream\":true"), "\u017ftream", "stream"},
        {R("\"m\\u0130n_p\":1"), "m\u0130n_p", "min_p"},
        {R("\"top_\\u0131\":1,\"log\\u0131t_bias\":{}"), "log\u0131t_bias", "logit_bias"},
    };
#undef SAID
#undef PART
#undef TOOL
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        char spelling[80];
        struct parsed p;
        snprintf(spelling, sizeof spelling, " is spelt \"%s\";", rows[i].spelling);
        parse_on(&p, rows[i].body, REMORA_SURFACE_OPENAI);
        assert_int_equal(p.code, REMORA_INVALID_REQUEST);
        assert_string_equal(p.fail.param, rows[i].param);
        assert_non_null(strstr(p.fail.message, spelling));
        remora_arena_fini(&p.arena);
    }
}

static void a_misspelt_field_is_answered_with_the_right_one(void **state)
{
    (void)state;
    struct parsed p;
    parse_on(&p, R("\"provider\":{\"oder\":[]}"), REMORA_SURFACE_OPENAI);
    assert_string_equal(p.fail.message,
                        "provider.oder is not a known field; did you mean \"order\"?");
    remora_arena_fini(&p.arena);
}

#define SAID(members) \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"," members "}]}"

/* Of two that mean one thing neither is taken in silence. */
static void switches_of_reasoning_that_differ_are_both_named(void **state)
{
    static const struct {
        const char *body;
        const char *message; /* NULL: they agree */
    } rows[] = {
        {R("\"reasoning\":{\"effort\":\"high\",\"enabled\":false}"),
         "reasoning.enabled: false and reasoning.effort: high contradict each other; send one of "
         "them."},
        {R("\"reasoning\":{\"enabled\":true},\"reasoning_effort\":\"none\""),
         "reasoning.enabled: true and reasoning_effort: none contradict each other; send one of "
         "them."},
        {R("\"reasoning\":{\"exclude\":false},\"include_reasoning\":false"),
         "include_reasoning: false and reasoning.exclude: false contradict each other; send one of "
         "them."},
        {R("\"reasoning\":{\"effort\":\"none\",\"enabled\":false,\"exclude\":false}"), NULL},
        {R("\"reasoning\":{\"effort\":\"low\",\"enabled\":true,\"exclude\":true},"
           "\"include_reasoning\":false"),
         NULL},
        {R("\"reasoning\":{\"enabled\":false},\"include_reasoning\":true"), NULL},
        {R("\"reasoning\":{\"exclude\":null},\"include_reasoning\":false"), NULL},
        {R("\"reasoning\":{\"summary\":\"auto\",\"generate_summary\":\"detailed\"}"),
         "reasoning.generate_summary differs: summary and generate_summary are two names of one "
         "setting; send one of them."},
        {R("\"reasoning\":{\"generate_summary\":\"auto\",\"summary\":\"auto\"}"), NULL},
        {SAID("\"reasoning\":\"A\",\"reasoning_content\":\"B\""),
         "messages[0].reasoning_content differs: reasoning and reasoning_content are two names of "
         "one text; send one of them."},
        {SAID("\"reasoning_content\":\"B\",\"reasoning\":\"A\""),
         "messages[0].reasoning differs: reasoning and reasoning_content are two names of one "
         "text; "
         "send one of them."},
        {SAID("\"reasoning\":\"A\",\"reasoning_content\":\"A\""), NULL},
        {SAID("\"reasoning\":\"A\",\"reasoning_content\":\"\""), NULL},
        {SAID("\"reasoning\":null,\"reasoning_content\":\"A\""), NULL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct parsed p;
        parse_on(&p, rows[i].body, REMORA_SURFACE_OPENAI);
        assert_int_equal(p.code, rows[i].message == NULL ? REMORA_OK : REMORA_INVALID_REQUEST);
        if (rows[i].message != NULL) {
            assert_string_equal(p.fail.message, rows[i].message);
        }
        remora_arena_fini(&p.arena);
    }
}

static void a_refusal_names_the_cure_that_works(void **state)
{
    static const char unbuilt[] = "is documented, but this gateway does not support it yet; ";
    static const struct {
        const char *body;
        const char *said;
        const char *cure;
    } rows[] = {
        {"{\"prompt\":\"x\"}", unbuilt, "send messages instead."},
        {R("\"functions\":[{}]"), unbuilt, "send tools instead."},
        {R("\"function_call\":\"auto\""), unbuilt, "send tool_choice instead."},
        {R("\"preset\":\"x\""), unbuilt, "remove it."},
        {R("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a b\"}}"),
         "must be ", "1 to 64 letters, digits, _ or -."},
        {R("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a.b\"}}"),
         "must be ", "1 to 64 letters, digits, _ or -."},
        {R("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]"), "must be ",
         "1 to 64 letters, digits, _, - or dots."},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct parsed p;
        char expected[200];
        parse_on(&p, rows[i].body, REMORA_SURFACE_OPENAI);
        snprintf(expected, sizeof expected, "%s %s%s", p.fail.param, rows[i].said, rows[i].cure);
        assert_string_equal(p.fail.message, expected);
        remora_arena_fini(&p.arena);
    }
}

/* ---- media ---- */

static void every_kind_of_part_is_read(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, MSG("{\"role\":\"user\",\"content\":["
                  "{\"type\":\"text\",\"text\":\"look\",\"prompt_cache_breakpoint\":{\"mode\":"
                  "\"explicit\"}},"
                  "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https:\\/\\/a.example/"
                  "i.png?a=1#f\",\"detail\":\"original\"}},"
                  "{\"image_url\":{\"url\":\"data:IMAGE/PNG;name=x;base64,iVBO\"},\"type\":"
                  "\"image_url\",\"cache_control\":{\"type\":\"ephemeral\"}},"
                  "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\",\"format\":"
                  "\"wav\"}},"
                  "{\"type\":\"video_url\",\"video_url\":{\"url\":\"data:video/mp4;base64,AAAA\"}},"
                  "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":"
                  "\"data:application/pdf;base64,JVBE\"}},"
                  "{\"type\":\"file\",\"file\":{\"file_data\":\"http://10.1.2.3:8080/a.pdf\"}},"
                  "{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]}"));
    const struct remora_part *part = p.request.messages[0].parts;
    assert_int_equal(p.request.messages[0].part_count, 8);
    assert_true(part[0].cache.is_set && part[0].cache.is_explicit);
    assert_int_equal(part[1].kind, REMORA_PART_IMAGE);
    assert_int_equal(part[1].media.source, REMORA_MEDIA_URI);
    assert_slice_equal(part[1].media.value, "https://a.example/i.png?a=1#f");
    assert_slice_equal(part[1].media.detail, "original");
    assert_int_equal(part[2].media.source, REMORA_MEDIA_BASE64);
    assert_slice_equal(part[2].media.value, "iVBO");
    assert_slice_equal(part[2].media.mime_type, "IMAGE/PNG");
    assert_true(part[2].cache.is_set && !part[2].cache.is_explicit);
    assert_int_equal(part[3].kind, REMORA_PART_AUDIO);
    assert_slice_equal(part[3].media.value, "UklGRg==");
    assert_slice_equal(part[3].media.detail, "wav");
    assert_int_equal(part[4].kind, REMORA_PART_VIDEO);
    assert_slice_equal(part[4].media.mime_type, "video/mp4");
    assert_int_equal(part[5].kind, REMORA_PART_FILE);
    assert_slice_equal(part[5].media.filename, "a.pdf");
    assert_slice_equal(part[5].media.mime_type, "application/pdf");
    assert_int_equal(part[6].media.source, REMORA_MEDIA_URI);
    assert_int_equal(part[7].media.source, REMORA_MEDIA_FILE_ID);
    assert_slice_equal(part[7].media.value, "file-1");
    remora_arena_fini(&p.arena);
}

static void an_answer_with_everything_in_it_can_be_sent_back(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, MSG("{\"role\":\"assistant\",\"content\":\"x\",\"model\":\"a/b\",\"name\":\"bot\","
                  "\"audio\":{\"id\":\"audio_1\",\"data\":\"AA==\",\"expires_at\":1},"
                  "\"images\":[{\"type\":\"image_url\",\"index\":0,\"image_url\":{\"url\":"
                  "\"data:image/png;base64,AAAA\"}}],"
                  "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{ \"url\":\"u\"}}],"
                  "\"reasoning_details\":[{ \"data\":\"ZZ\",\"type\":\"reasoning.encrypted\", "
                  "\"x\":[1.0]}],\"function_call\":null}"));
    const struct remora_message *m = &p.request.messages[0];
    assert_int_equal(m->part_count, 3);
    assert_true(m->content_is_text);
    assert_int_equal(m->parts[0].annotation_count, 1);
    assert_slice_equal(m->parts[0].annotations[0].raw,
                       "{\"type\":\"url_citation\",\"url_citation\":{ \"url\":\"u\"}}");
    assert_int_equal(m->parts[1].kind, REMORA_PART_AUDIO);
    assert_slice_equal(m->parts[1].media.value, "audio_1");
    assert_slice_equal(m->parts[1].text, "{\"id\":\"audio_1\",\"data\":\"AA==\",\"expires_at\":1}");
    assert_int_equal(m->parts[2].kind, REMORA_PART_IMAGE);
    assert_slice_equal(m->reasoning[0].raw,
                       "{ \"data\":\"ZZ\",\"type\":\"reasoning.encrypted\", \"x\":[1.0]}");
    assert_slice_equal(m->model, "a/b");
    assert_slice_equal(m->name, "bot");
    assert_int_equal(m->extra.length, 0);
    remora_arena_fini(&p.arena);
}

static void citations_of_a_message_without_content_make_none(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, MSG("{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null,"
                  "\"annotations\":[{\"type\":\"x\"}],\"tool_calls\":[{\"id\":\"c\",\"function\":{"
                  "\"name\":\"f\",\"arguments\":\"\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\","
                  "\"content\":\"1\"}"));
    assert_int_equal(p.request.messages[1].part_count, 1);
    assert_null(p.request.messages[1].parts[0].text.data);
    assert_int_equal(p.request.messages[1].parts[0].annotation_count, 1);
    remora_arena_fini(&p.arena);
}

static void tool_results_may_hold_parts_and_a_beginning_may_stand_last(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p,
          MSG("{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"assistant\",\"tool_calls\":"
              "[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}},{\"id\":\"b\","
              "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]},"
              "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":[{\"type\":\"text\",\"text\":"
              "\"x\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a.example/i\"}}]},"
              "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"y\"},"
              "{\"role\":\"assistant\",\"content\":\"The answer is\"}"));
    assert_int_equal(p.request.messages[0].role, REMORA_ROLE_DEVELOPER);
    assert_int_equal(p.request.messages[2].part_count, 2);
    assert_int_equal(p.request.messages[4].role, REMORA_ROLE_ASSISTANT);
    remora_arena_fini(&p.arena);
}

/* ---- the other fields ---- */

static void the_fields_that_only_json_has_are_read(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, R("\"prediction\":{ \"type\":\"content\",\"content\":[{\"type\":\"text\",\"text\":"
                "\"x\"}]},\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":{\"id\":\"v\"},"
                "\"format\":\"pcm16\"},\"image_config\":{\"aspect_ratio\":\"1:1\"},"
                "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"},"
                "\"prompt_cache_options\":{\"mode\":\"explicit\",\"ttl\":\"30m\"},"
                "\"safety_identifier\":\"s\",\"structured_outputs\":true,"
                "\"web_search_options\":{},\"trace\":{\"trace_id\":\"t\",\"team\":{\"a\":1}},"
                "\"route\":\"fallback\",\"transforms\":[],\"debug\":{\"echo_upstream_body\":false},"
                "\"service_tier\":\"fast\",\"reasoning\":{\"context\":\"all_turns\",\"mode\":"
                "\"standard\"}"));
    const struct remora_request *r = &p.request;
    assert_slice_equal(r->prediction_json, "{ \"type\":\"content\",\"content\":[{\"type\":\"text\","
                                           "\"text\":\"x\"}]}");
    assert_int_equal(r->output_modalities.count, 2);
    assert_true(remora_request_asks(r, REMORA_PARAMETER_MODALITIES));
    assert_slice_equal(r->audio_json, "{\"voice\":{\"id\":\"v\"},\"format\":\"pcm16\"}");
    assert_slice_equal(r->image_config_json, "{\"aspect_ratio\":\"1:1\"}");
    assert_int_equal(r->cache.ttl_s, 3600);
    assert_slice_equal(r->prompt_cache_options_json, "{\"mode\":\"explicit\",\"ttl\":\"30m\"}");
    assert_slice_equal(r->safety_identifier, "s");
    assert_int_equal(r->structured_outputs, REMORA_YES);
    assert_slice_equal(r->web_search_options_json, "{}");
    assert_slice_equal(r->trace_labels.trace_id, "t");
    assert_slice_equal(r->trace_labels.raw, "{\"trace_id\":\"t\",\"team\":{\"a\":1}}");
    assert_slice_equal(r->service_tier, "priority");
    assert_slice_equal(r->reasoning.context, "all_turns");
    assert_int_equal(r->extra_count, 0);
    const enum remora_parameter asked[] = {
        REMORA_PARAMETER_PREDICTION,
        REMORA_PARAMETER_MODALITIES,
        REMORA_PARAMETER_AUDIO,
        REMORA_PARAMETER_IMAGE_CONFIG,
        REMORA_PARAMETER_PROMPT_CACHE_OPTIONS,
        REMORA_PARAMETER_SAFETY_IDENTIFIER,
        REMORA_PARAMETER_STRUCTURED_OUTPUTS,
        REMORA_PARAMETER_WEB_SEARCH_OPTIONS,
        REMORA_PARAMETER_SERVICE_TIER,
        REMORA_PARAMETER_REASONING,
    };
    assert_int_equal(r->asked_count, REMORA_COUNT_OF(asked));
    for (size_t i = 0; i < REMORA_COUNT_OF(asked); i++) {
        assert_int_equal(r->asked[i], asked[i]);
    }
    remora_arena_fini(&p.arena);
}

static void hiding_reasoning_asks_nothing_of_an_endpoint(void **state)
{
    static const struct {
        const char *body;
        bool asks;
    } cases[] = {
        {R("\"reasoning\":{\"exclude\":true}"), false},
        {R("\"include_reasoning\":false"), false},
        {R("\"reasoning\":{}"), true},
        {R("\"include_reasoning\":true"), true},
        {R("\"reasoning\":{\"exclude\":true,\"effort\":\"low\"}"), true},
        {R("\"reasoning\":{\"exclude\":true,\"enabled\":true}"), true},
        {R("\"reasoning\":{\"exclude\":true,\"max_tokens\":9}"), true},
        {R("\"reasoning\":{\"exclude\":true,\"summary\":\"auto\"}"), true},
        {R("\"reasoning\":{\"exclude\":true,\"context\":\"auto\"}"), true},
        {R("\"reasoning\":{\"exclude\":true},\"reasoning_effort\":\"low\""), true},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct parsed p;
        parse(&p, cases[i].body);
        assert_int_equal(remora_request_asks(&p.request, REMORA_PARAMETER_REASONING),
                         cases[i].asks);
        remora_arena_fini(&p.arena);
    }
}

static void formats_beyond_json_are_read(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, R("\"response_format\":{\"type\":\"grammar\",\"grammar\":\"root ::= x\"}"));
    assert_int_equal(p.request.response_format.kind, REMORA_FORMAT_GRAMMAR);
    assert_slice_equal(p.request.response_format.pattern, "root ::= x");
    remora_arena_fini(&p.arena);
    parse(&p, R("\"response_format\":{\"type\":\"python\"}"));
    assert_int_equal(p.request.response_format.kind, REMORA_FORMAT_PYTHON);
    remora_arena_fini(&p.arena);
}

static void the_session_of_the_body_beats_the_header_s(void **state)
{
    static const struct {
        const char *body;
        size_t header_bytes;
        enum remora_code code;
        const char *session;
    } cases[] = {
        {"{" M "}", 5, REMORA_OK, "sssss"},
        {R("\"session_id\":\"b\""), 5, REMORA_OK, "b"},
        {R("\"session_id\":\"b\""), 257, REMORA_OK, "b"},
        {"{" M "}", 257, REMORA_INVALID_REQUEST, ""},
    };
    char header[257];
    (void)state;
    memset(header, 's', sizeof header);
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct parsed p = {.fail = REMORA_FAIL_INIT};
        const struct remora_skin_input input = {.body = remora_slice_of(cases[i].body)};
        remora_arena_init(&p.arena, 4096, 1 << 20);
        remora_request_init(&p.request);
        p.request.session_id = remora_slice(header, cases[i].header_bytes);
        p.code =
            remora_skin_chat_completions.parse(&input, &p.arena, &p.request, &p.encoder, &p.fail);
        assert_int_equal(p.code, cases[i].code);
        if (p.code == REMORA_OK) {
            assert_slice_equal(p.request.session_id, cases[i].session);
        } else {
            assert_string_equal(p.fail.param, "x-session-id");
        }
        remora_arena_fini(&p.arena);
    }
}

/* tbl/chat_fields.h is what docs/http-api.md and the gRPC front go by: the skin must know the same names. */
static void every_row_of_the_table_is_known_to_the_skin(void **state)
{
    static const struct {
        const char *name;
        bool is_built;
    } rows[] = {
#define TYPED                                 true
#define READ                                  true
#define UNBUILT                               false
#define REMORA_CHAT_FIELD(name, verdict, ...) {name, verdict},
#include "remora/tbl/chat_fields.h"
#undef REMORA_CHAT_FIELD
#undef TYPED
#undef READ
#undef UNBUILT
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        char body[160];
        struct parsed p;
        bool is_messages = strcmp(rows[i].name, "messages") == 0;
        /* No field takes this: an object with a member that nobody knows, as text. */
        snprintf(body, sizeof body, "{%s\"%s\":\"{?}\"}", is_messages ? "" : M ",", rows[i].name);
        parse_on(&p, body, REMORA_SURFACE_OPENAI);
        if (p.code == REMORA_OK && p.request.extra_count > 0) {
            fail_msg("%s is no field of the skin's", rows[i].name);
        }
        bool is_later = strcmp(rows[i].name, "plugins") == 0 ||
                        strcmp(rows[i].name, "preset") == 0 ||
                        strcmp(rows[i].name, "transforms") == 0;
        if (rows[i].is_built && !is_later) {
            assert_int_not_equal(p.code, REMORA_UNIMPLEMENTED);
        } else {
            assert_int_equal(p.code, REMORA_UNIMPLEMENTED);
            assert_string_equal(p.fail.param, rows[i].name);
        }
        remora_arena_fini(&p.arena);
    }
}

static void with_extra(const char *before, const char *name, const char *after,
                       enum remora_code code)
{
    char body[240];
    struct parsed p;
    snprintf(body, sizeof body, "{" M ",%s\"%s\":\"x\"%s}", before, name, after);
    parse_on(&p, body, REMORA_SURFACE_OPENAI);
    if (p.code != code) {
        fail_msg("%s: %d", body, (int)p.code);
    }
    remora_arena_fini(&p.arena);
}

/* The name with another separator (0: none), and the letter behind it in the other case. */
static void spell(char *out, const char *name, char separator)
{
    for (bool begins = false; *name != 0; name++) {
        if (*name != '_') {
            *out++ = begins ? (char)(*name - 'a' + 'A') : *name;
        } else if (separator != 0) {
            *out++ = separator;
        }
        begins = *name == '_';
    }
    *out = 0;
}

static void every_refused_name_is_refused_in_any_spelling(void **state)
{
    enum where { ANYWHERE, TOP };
    static const struct {
        const char *name;
        enum where where;
    } rows[] = {
#define REMORA_REFUSED_FIELD(name, where) {name, where},
#include "remora/tbl/refused_fields.h"
#undef REMORA_REFUSED_FIELD
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        char other[80];
        with_extra("", rows[i].name, "", REMORA_INVALID_REQUEST);
        spell(other, rows[i].name, 0);
        with_extra("", other, "", REMORA_INVALID_REQUEST);
        spell(other, rows[i].name, '-');
        with_extra("", other, "", REMORA_INVALID_REQUEST);
        snprintf(other, sizeof other, "OpenAI_%s", rows[i].name);
        with_extra("", other, "", REMORA_INVALID_REQUEST);
        with_extra("\"a\":[{\"b\":1,", other, "}]", REMORA_INVALID_REQUEST);
        with_extra("\"extra_body\":{", rows[i].name, "}", REMORA_INVALID_REQUEST);
        with_extra("\"documents\":[1,{", rows[i].name, "}]",
                   rows[i].where == TOP ? REMORA_OK : REMORA_INVALID_REQUEST);
    }
}

static void a_refused_name_is_told_where_it_stands(void **state)
{
    struct parsed p;
    (void)state;
    parse_on(&p, "{" M ",\"others\":[{\"model\":\"m\"},{\"api\\u005fbase\":\"http://h\"}]}",
             REMORA_SURFACE_OPENAI);
    assert_int_equal(p.code, REMORA_INVALID_REQUEST);
    assert_string_equal(p.fail.param, "others[1].api_base");
    remora_arena_fini(&p.arena);
    with_extra("", "api_\\u212Aey", "", REMORA_INVALID_REQUEST);
    with_extra("", "ba\\u017fe_url", "", REMORA_INVALID_REQUEST);
    with_extra("\"\\u017ferver\":{", "url", "}", REMORA_INVALID_REQUEST);
    with_extra("", "vertex_region", "", REMORA_INVALID_REQUEST);
    with_extra("", "tokens", "", REMORA_OK);
    with_extra("\"chat_template_kwargs\":{", "enable_thinking", "}", REMORA_OK);
}

/* None of them stands in a table: their words tell. */
static void further_names_are_refused_by_their_words(void **state)
{
    static const char *const names[] = {
        "api_base_url",
        "base_urls",
        "service_url",
        "request_headers",
        "deployment",
        "deployments",
        "unix_socket",
        "unix_socket_path",
        "fallbacks",
        "fallback",
        "router_fallbacks",
        "context_window_fallbacks",
        "serviceUrl",
        "serviceURL",
        "ServiceURLs",
        "SERVICE_URL",
        "service-url",
        "service.url",
        "service url",
        "serviceurl",
        "apibaseurl",
        "requestheaders",
        "requestHeaders",
        "x-request-headers",
        "my_service_url",
        "upstream",
        "upstream_host",
        "hostname",
        "server_hostname",
        "bootstrap_host",
        "openai_key",
        "hf_key",
        "groqKey",
        "APIKey2Url",
        "subscription-key",
        "Ocp-Apim-Subscription-Key",
        "ssh_private_key",
        "sasToken",
        "oauthToken",
        "gateway_token",
        "app_secret",
        "shared_secret",
        "basic_auth",
        "http_auth",
        "passphrase",
        "client_certificate",
        "tls_cert",
        "session_cookie",
        "cookies",
        "socks_proxy",
        "no_proxies",
        "api_path",
        "upstream_server",
        "server_address",
        "target_ip",
        "mcp_servers",
        "backend_servers",
        "endpoint_uri",
        "inference_endpoints",
        "success_callback",
        "model_callbacks",
        "webhooks",
        "project_id",
        "organizationId",
        "base_url2",
        "base2_url",
        "baseUrl2",
        "apiKey1",
        "api_key_1",
        "openaiKey2",
        "api_key_value",
        "apikeyvalue",
        "api_keys_map",
        "base_url_override",
        "endpoint_id",
        "endpointName",
        "deployment_name",
        "header_list",
        "credential_ref",
        "proxy_settings",
        "oauth2_token",
        "url_value",
        "key",
        "Key",
        "key1",
        "address",
        "addr",
        "ip",
        "domain",
        "keys",
        "addresses",
        "oauth_request_token",
        "aws_dataset_key",
        "data_sources",
        "dataSources",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        with_extra("", names[i], "", REMORA_INVALID_REQUEST);
        with_extra("\"extra_body\":{", names[i], "}", REMORA_INVALID_REQUEST);
    }
    char longer[200];
    snprintf(longer, sizeof longer, "%0150d_service_url", 0);
    with_extra("", longer, "", REMORA_INVALID_REQUEST);
}

/* What other servers document, and names that only look alike. */
static void harmless_names_are_kept(void **state)
{
    static const char *const names[] = {
        "guided_json",
        "guided_regex",
        "guided_choice",
        "chat_template",
        "chat_template_kwargs",
        "documents",
        "stop_token_ids",
        "bad_words",
        "cache_salt",
        "cache_key",
        "sort_key",
        "eos_token",
        "stop_tokens",
        "lora_path",
        "request_id",
        "search_mode",
        "search_domain_filter",
        "include_domains",
        "exclude_domains",
        "language_preference",
        "samplers",
        "grammar",
        "regex",
        "response_fields",
        "thinking",
        "translation_options",
        "result_format",
        "prefix",
        "ghost",
        "curl",
        "support",
        "report_format",
        "keyboard",
        "base_model",
        "knowledge_base",
        "author",
        "hosting",
        "urls_seen",
        "service_name",
        "server_tools",
        "headerless",
        "region_hint",
        "store",
        "data_source_notes",
        "safe_prompt",
        "prompt_mode",
        "reasoning_format",
        "search_settings",
        "search_parameters",
        "deferred",
        "safety_model",
        "context_length_exceeded_behavior",
        "clear_thinking",
        "search_recency_filter",
        "return_images",
        "nvext",
        "do_sample",
        "tool_stream",
        "enable_search",
        "search_options",
        "mask_sensitive_info",
        "dataset_url",
        "datasetUrl",
        "image_urls",
        "source_document_uri",
        "client_request_token",
        "clientRequestToken",
        "idempotency_key",
        "api_idempotency_key",
        "aws_client_request_token",
        "gemini_stop_token",
        "tokens",
        "token_ids",
        "prompt_token_ids",
        "domains",
        "key_name",
        "image_base64",
        "list",
        "value2",
        "",
        "_",
        "__",
        "1",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        with_extra("", names[i], "", REMORA_OK);
    }
    /* A number or a flag chooses nothing; what the tables name is refused all the same. */
    struct parsed p;
    parse(&p, R("\"max_api_keys\":3,\"include_urls\":true,\"timings_per_auth_token\":false,"
                "\"allow_fallbacks\":true,\"base_urls\":null"));
    assert_int_equal(p.request.extra_count, 4); /* null is not there */
    remora_arena_fini(&p.arena);
}

/* Words that stand in several tables: each of them doubles the ways through a name, unless its ends are tried once. */
static void names_of_many_words_are_judged_at_once(void **state)
{
    char name[65];
    (void)state;
    for (size_t i = 0; i < 63; i += 3) {
        memcpy(name + i, "api", 3);
    }
    name[63] = 'q';
    name[64] = '\0';
    clock_t began = clock(); /* the processor's time: what else runs here takes none of it */
    with_extra("", name, "", REMORA_OK);
    with_extra("\"further\":{", name, "}", REMORA_OK);
    assert_true(clock() - began < CLOCKS_PER_SEC / 2);
    memcpy(name + 60, "key", 4);
    with_extra("", name, "", REMORA_INVALID_REQUEST);
}

/* Inside a further field a common word needs another one, its own or that of what holds it. */
static void members_of_further_fields_are_judged_by_their_words(void **state)
{
    static const struct {
        const char *json;
        enum remora_code code;
    } cases[] = {
        {"\"options\":{\"endpoint\":\"http://h\"}", REMORA_INVALID_REQUEST},
        {"\"kv_transfer_params\":{\"remote_host\":\"h\"}", REMORA_INVALID_REQUEST},
        {"\"kv_transfer_params\":{\"remote_port\":\"80\"}", REMORA_INVALID_REQUEST},
        {"\"kv_transfer_params\":{\"remote_engine_id\":\"e\",\"remote_port\":80}", REMORA_OK},
        {"\"options\":{\"url\":\"http://h\"}", REMORA_INVALID_REQUEST},
        {"\"options\":[[{\"url\":\"http://h\"}]]", REMORA_INVALID_REQUEST},
        {"\"extra_body\":{\"options\":{\"url\":\"http://h\"}}", REMORA_INVALID_REQUEST},
        {"\"backend\":{\"address\":\"h:80\"}", REMORA_INVALID_REQUEST},
        {"\"server\":{\"base\":\"http://h\"}", REMORA_INVALID_REQUEST},
        {"\"mistral\":{\"key\":\"k\"}", REMORA_INVALID_REQUEST},
        {"\"mistral\":{\"key_value\":\"k\"}", REMORA_INVALID_REQUEST},
        {"\"a\":{\"api_key_value\":\"k\"}", REMORA_INVALID_REQUEST},
        {"\"a\":{\"b\":{\"baseUrl2\":\"http://h\"}}", REMORA_INVALID_REQUEST},
        {"\"parameters\":{\"headers\":{\"X\":\"y\"}}", REMORA_INVALID_REQUEST},
        {"\"web_search_options\":{\"url\":\"http://h\"}", REMORA_INVALID_REQUEST},
        {"\"image_config\":{\"server_url\":\"http://h\"}", REMORA_INVALID_REQUEST},
        {"\"image_config\":{\"font_inputs\":[{\"font_url\":\"http://h\"}]}", REMORA_OK},
        {"\"items\":[{\"url\":\"http://h\",\"headers\":[\"a\"]}]", REMORA_OK},
        {"\"image\":{\"url\":\"http://h\"}", REMORA_OK},
        {"\"sort\":{\"key\":\"k\"},\"a\":{\"address\":\"x\",\"token\":\"t\"}", REMORA_OK},
        {"\"mistral\":{\"stop_token\":\"</s>\"}", REMORA_OK},
        {"\"documents\":[{\"data\":{\"host\":\"h\",\"endpoint\":\"e\"}}]", REMORA_OK},
        {"\"chat_template_kwargs\":{\"service\":{\"url\":\"u\"}}", REMORA_OK},
        {"\"documents\":[{\"api_key\":\"k\"}]", REMORA_INVALID_REQUEST},
        {"\"documents_url\":\"x\"", REMORA_OK},
        {"\"guided_json\":{\"properties\":{\"endpoint\":{\"type\":\"string\"}}}", REMORA_OK},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char body[512];
        struct parsed p;
        snprintf(body, sizeof body, "{" M ",%s}", cases[i].json);
        parse_on(&p, body, REMORA_SURFACE_OPENAI);
        if (p.code != cases[i].code) {
            fail_msg("%s: %d", body, (int)p.code);
        }
        remora_arena_fini(&p.arena);
    }
}

/* As names alone: what is documented reaches its reader before any judge of names. */
static void no_documented_field_is_refused_by_its_name(void **state)
{
    static const char *const names[] = {
#define REMORA_CHAT_FIELD(name, ...) name,
#include "remora/tbl/chat_fields.h"
#undef REMORA_CHAT_FIELD
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        with_extra("\"extra_body\":{", names[i], "}", REMORA_OK);
    }
}

/* A property of a schema may have any name: what it is called chooses nothing. What is no schema may not hide there. */
static void a_schema_names_its_properties_as_it_likes(void **state)
{
    static const struct {
        const char *json;
        enum remora_code code;
    } cases[] = {
        {"\"guided_json\":{\"type\":\"object\",\"properties\":{\"api_key\":{\"type\":\"string\"}},"
         "\"required\":[\"api_key\"]}",
         REMORA_OK},
        {"\"guided_json\":{\"$defs\":{\"base_url\":{\"properties\":{\"api_key\":{}}}}}", REMORA_OK},
        {"\"x\":{\"properties\":{\"api_key\":\"sk-1\"}}", REMORA_INVALID_REQUEST},
        {"\"x\":{\"properties\":{\"a\":{\"api_key\":{}}}}", REMORA_INVALID_REQUEST},
        {"\"x\":{\"properties\":[{\"api_key\":{}}]}", REMORA_INVALID_REQUEST},
        {"\"x\":{\"api_key\":{}}", REMORA_INVALID_REQUEST},
        {"\"api_key\":{\"properties\":{}}", REMORA_INVALID_REQUEST},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char body[512];
        struct parsed p;
        snprintf(body, sizeof body, "{" M ",%s}", cases[i].json);
        parse_on(&p, body, REMORA_SURFACE_OPENAI);
        assert_int_equal(p.code, cases[i].code);
        remora_arena_fini(&p.arena);
    }
}

/* What gRPC's extra_body goes through. */
static void a_field_alone_is_read_as_in_a_body(void **state)
{
    (void)state;
    struct parsed p = {.fail = REMORA_FAIL_INIT};
    remora_arena_init(&p.arena, 4096, 1 << 20);
    remora_request_init(&p.request);
#define FIELD(name, json)                                                                   \
    remora_chat_read_field(REMORA_SLICE(name), REMORA_SLICE(json), "chat.extra_body." name, \
                           &p.arena, &p.request, &p.fail)
    assert_int_equal(FIELD("safety_identifier", "\"s\""), REMORA_OK);
    assert_slice_equal(p.request.safety_identifier, "s");
    assert_int_equal(FIELD("top_secret", "{\"a\":1}"), REMORA_OK);
    assert_slice_equal(p.request.extra[0].key, "top_secret");
    assert_slice_equal(p.request.extra[0].value, "{\"a\":1}");
    assert_int_equal(FIELD("audio", "{\"format\":\"x\"}"), REMORA_INVALID_REQUEST);
    assert_string_equal(p.fail.param, "chat.extra_body.audio.format");
    p.fail = (struct remora_fail)REMORA_FAIL_INIT;
    assert_int_equal(FIELD("Api_Key", "1"), REMORA_INVALID_REQUEST);
    p.fail = (struct remora_fail)REMORA_FAIL_INIT;
    assert_int_equal(FIELD("image_config", "{\"base_url\":\"x\"}"), REMORA_INVALID_REQUEST);
    assert_string_equal(p.fail.param, "chat.extra_body.image_config.base_url");
    p.fail = (struct remora_fail)REMORA_FAIL_INIT;
    assert_int_equal(FIELD("trace", "{"), REMORA_INVALID_REQUEST);
#undef FIELD
    remora_arena_fini(&p.arena);
}

static char *many(const char *before, const char *item, size_t count, const char *after)
{
    size_t length = strlen(item);
    char *text = malloc(strlen(before) + count * (length + 1) + strlen(after) + 1);
    assert_non_null(text);
    char *at = text + sprintf(text, "%s", before);
    for (size_t i = 0; i < count; i++) {
        at += sprintf(at, "%s%s", i == 0 ? "" : ",", item);
    }
    sprintf(at, "%s", after);
    return text;
}

static void assert_refused(char *body, enum remora_code code)
{
    struct parsed p;
    parse_on(&p, body, REMORA_SURFACE_OPENAI);
    if (p.code != code) {
        fail_msg("%s: %s", remora_code_row(p.code)->name, p.fail.message);
    }
    remora_arena_fini(&p.arena);
    free(body);
}

static void counts_and_depth_are_bounded(void **state)
{
    (void)state;
    assert_refused(many("{\"messages\":[", "{\"role\":\"user\",\"content\":\"x\"}", 10001, "]}"),
                   REMORA_TOO_LARGE);
    assert_refused(many("{\"messages\":[{\"role\":\"user\",\"content\":[",
                        "{\"type\":\"text\",\"text\":\"x\"}", 10001, "]}]}"),
                   REMORA_TOO_LARGE);
    assert_refused(many("{\"messages\":[", "1", 100001, "]}"), REMORA_TOO_LARGE);
    assert_refused(many("{\"stop\":[", "\"a\"", 50000, "]}"), REMORA_INVALID_REQUEST);
    assert_refused(
        many("{\"tools\":[", "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", 513, "]}"),
        REMORA_TOO_LARGE);
    char *fields = malloc(4096);
    assert_non_null(fields);
    char *at = fields + sprintf(fields, "{" M);
    for (int i = 0; i < 65; i++) {
        at += sprintf(at, ",\"x%d\":1", i);
    }
    sprintf(at, "}");
    assert_refused(fields, REMORA_TOO_LARGE);
    assert_refused(many("{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[",
                        "{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}", 129,
                        "]}]}"),
                   REMORA_TOO_LARGE);
    char *deep = malloc(100001);
    assert_non_null(deep);
    memset(deep, '[', 100000);
    deep[100000] = '\0';
    struct parsed p;
    parse_on(&p, deep, REMORA_SURFACE_OPENAI);
    assert_true(p.code == REMORA_INVALID_REQUEST || p.code == REMORA_TOO_LARGE);
    remora_arena_fini(&p.arena);
    free(deep);
}

/* Each used to copy all before it: 5,000 of them took 118 MB for a body of 59 KB. */
static void further_members_of_a_message_take_memory_once(void **state)
{
    (void)state;
    struct parsed p;
    struct remora_buf body;
    remora_buf_init(&body, 1 << 20);
    remora_buf_append_text(&body, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"");
    for (int i = 0; i < 5000; i++) {
        remora_buf_printf(&body, ",\"k%d\":1", i);
    }
    remora_buf_append(&body, REMORA_SLICE("}]}\0"));
    parse(&p, remora_buf_slice(&body).data);
    assert_in_range(p.request.messages[0].extra.length, 5000 * 7, body.length);
    assert_in_range(p.arena.taken_bytes, 1, 2 << 20);
    remora_arena_fini(&p.arena);
    remora_buf_fini(&body);
}

/* OpenAI's Python client leaves `parsed` in what `parse` and `stream` answer, null without a format: no endpoint may be lost by it. */
static void what_is_null_and_what_was_parsed_are_no_further_fields(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p,
          "{\"store\":null,\"foo\":null,\"messages\":[{\"role\":\"assistant\",\"content\":\"b\","
          "\"parsed\":null,\"foo\":null},{\"role\":\"assistant\",\"content\":\"c\","
          "\"parsed\":{\"a\":1}},{\"role\":\"user\",\"content\":\"d\",\"foo\":null,\"bar\":1}]}");
    assert_int_equal(p.code, REMORA_OK);
    assert_int_equal(p.request.extra_count, 0);
    assert_slice_equal(p.request.messages[0].extra, "");
    assert_slice_equal(p.request.messages[1].extra, "");
    assert_slice_equal(p.request.messages[2].extra, "{\"bar\":1}");
    remora_arena_fini(&p.arena);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const char *body = R("\"model\":\"a\\u0062\",\"tools\":[{\"type\":\"function\",\"function\":{"
                         "\"name\":\"f\"}}],\"stop\":\"x\","
                         "\"x_a\":1,\"logit_bias\":{\"1\":2},\"metadata\":{\"a\":\"b\"},"
                         "\"provider\":{\"order\":[\"a\"]}");
    for (uint64_t nth = 1;; nth++) {
        struct parsed p;
        remora_alloc_fail_at(nth, true);
        parse_on(&p, body, REMORA_SURFACE_OPENAI);
        remora_alloc_fail_at(0, false);
        remora_arena_fini(&p.arena);
        if (p.code == REMORA_OK) {
            break;
        }
        assert_int_equal(p.code, REMORA_SHEDDING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_request_is_one_message),
        cmocka_unit_test(what_only_looks_doubtful_is_taken),
        cmocka_unit_test(sampling_is_read_and_noted_in_order),
        cmocka_unit_test(values_that_ask_for_nothing_are_not_noted),
        cmocka_unit_test(both_names_of_the_output_limit_are_one),
        cmocka_unit_test(tools_and_calls_make_the_round_trip_raw),
        cmocka_unit_test(reasoning_and_refusals_of_earlier_turns_are_kept),
        cmocka_unit_test(signatures_of_calls_are_blocks),
        cmocka_unit_test(raw_of_an_earlier_answer_is_read),
        cmocka_unit_test(provider_preferences_are_read),
        cmocka_unit_test(reasoning_formats_and_labels_are_read),
        cmocka_unit_test(the_usage_chunk_depends_on_the_surface),
        cmocka_unit_test(unknown_top_level_fields_are_kept_raw),
        cmocka_unit_test(what_is_refused_names_the_field),
        cmocka_unit_test(every_kind_of_part_is_read),
        cmocka_unit_test(an_answer_with_everything_in_it_can_be_sent_back),
        cmocka_unit_test(citations_of_a_message_without_content_make_none),
        cmocka_unit_test(tool_results_may_hold_parts_and_a_beginning_may_stand_last),
        cmocka_unit_test(the_fields_that_only_json_has_are_read),
        cmocka_unit_test(hiding_reasoning_asks_nothing_of_an_endpoint),
        cmocka_unit_test(formats_beyond_json_are_read),
        cmocka_unit_test(the_session_of_the_body_beats_the_header_s),
        cmocka_unit_test(every_row_of_the_table_is_known_to_the_skin),
        cmocka_unit_test(every_refused_name_is_refused_in_any_spelling),
        cmocka_unit_test(further_names_are_refused_by_their_words),
        cmocka_unit_test(harmless_names_are_kept),
        cmocka_unit_test(names_of_many_words_are_judged_at_once),
        cmocka_unit_test(members_of_further_fields_are_judged_by_their_words),
        cmocka_unit_test(no_documented_field_is_refused_by_its_name),
        cmocka_unit_test(a_refused_name_is_told_where_it_stands),
        cmocka_unit_test(a_schema_names_its_properties_as_it_likes),
        cmocka_unit_test(a_field_alone_is_read_as_in_a_body),
        cmocka_unit_test(every_field_is_taken_in_its_own_capitals_only),
        cmocka_unit_test(a_member_is_taken_in_its_own_capitals_only),
        cmocka_unit_test(a_misspelt_field_is_answered_with_the_right_one),
        cmocka_unit_test(switches_of_reasoning_that_differ_are_both_named),
        cmocka_unit_test(a_refusal_names_the_cure_that_works),
        cmocka_unit_test(counts_and_depth_are_bounded),
        cmocka_unit_test(further_members_of_a_message_take_memory_once),
        cmocka_unit_test(what_is_null_and_what_was_parsed_are_no_further_fields),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
