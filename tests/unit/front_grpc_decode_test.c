/* ChatRequest and StreamChatRequest -> struct remora_request. Bytes are made by protoc from the public files. */
#include <stdio.h>
#include <stdlib.h>

#include "../../src/front/grpc/decode.h"
#include "protoc.h"
#include "remora/limits.h"

#define USER "messages { role: ROLE_USER parts { text: \"hi\" } } "

struct decoded {
    struct remora_slice bytes;
    struct remora_arena arena;
    struct remora_request request;
    struct remora_fail fail;
    enum remora_code code;
};

static void decode_bytes(struct decoded *d, enum remora_delivery delivery)
{
    remora_arena_init(&d->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    remora_request_init(&d->request);
    d->fail = (struct remora_fail)REMORA_FAIL_INIT;
    d->code = remora_grpc_decode_chat(d->bytes, delivery, &d->arena, &d->request, &d->fail);
}

static void done(struct decoded *d)
{
    remora_arena_fini(&d->arena);
    free((void *)d->bytes.data);
}

static void decode(struct decoded *d, const char *text)
{
    d->bytes = test_proto_encode("remora.v1.ChatRequest", text);
    decode_bytes(d, REMORA_UNARY);
}

static void decode_ok(struct decoded *d, const char *text)
{
    decode(d, text);
    if (d->code != REMORA_OK) {
        fail_msg("refused: %s", d->fail.message);
    }
}

/* One refusal: its code and its path. */
static void refuses(const char *text, enum remora_code code, const char *param)
{
    struct decoded d;
    decode(&d, text);
    if (d.code != code || strcmp(d.fail.param, param) != 0) {
        fail_msg("%s\n is %s at \"%s\" (%s)", text, remora_code_row(d.code)->name, d.fail.param,
                 d.fail.message);
    }
    assert_int_equal(d.fail.code, code);
    assert_true(strlen(d.fail.message) > 0);
    done(&d);
}

static void a_plain_question_becomes_a_request(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d, "model: \"acme/echo-1\" fallback_models: \"acme/echo-2\" " USER);
    assert_slice_equal(d.request.model, "acme/echo-1");
    assert_int_equal(d.request.models.count, 1);
    assert_slice_equal(d.request.models.items[0], "acme/echo-2");
    assert_int_equal(d.request.message_count, 1);
    assert_int_equal(d.request.messages[0].role, REMORA_ROLE_USER);
    assert_true(d.request.messages[0].content_is_text);
    assert_slice_equal(d.request.messages[0].parts[0].text, "hi");
    assert_int_equal(d.request.delivery, REMORA_UNARY);
    assert_int_equal(d.request.body_bytes, d.bytes.length);
    assert_int_equal(d.request.asked_count, 0);
    done(&d);
}

static void a_stream_wraps_the_same_request(void **state)
{
    struct decoded d;
    (void)state;
    d.bytes = test_proto_encode("remora.v1.StreamChatRequest",
                                "chat { " USER " } idle_timeout { seconds: 2 nanos: 500000000 }");
    decode_bytes(&d, REMORA_STREAM);
    assert_int_equal(d.code, REMORA_OK);
    assert_int_equal(d.request.delivery, REMORA_STREAM);
    assert_int_equal(d.request.idle_timeout_ms, 2500);
    assert_int_equal(d.request.message_count, 1);
    done(&d);
}

static void paths_of_a_stream_begin_with_chat(void **state)
{
    struct decoded d;
    (void)state;
    d.bytes = test_proto_encode("remora.v1.StreamChatRequest",
                                "chat { messages { role: ROLE_USER parts { text: \"a\" } } "
                                "messages { role: ROLE_USER parts { image { uri: \"x\" } } } }");
    decode_bytes(&d, REMORA_STREAM);
    assert_int_equal(d.code, REMORA_INVALID_REQUEST);
    assert_string_equal(d.fail.param, "chat.messages[1].parts[0].image.uri");
    done(&d);
    d.bytes = test_proto_encode("remora.v1.StreamChatRequest", "");
    decode_bytes(&d, REMORA_STREAM);
    assert_int_equal(d.code, REMORA_INVALID_REQUEST);
    assert_string_equal(d.fail.param, "chat");
    done(&d);
}

static void sampling_keeps_presence_and_notes_what_was_asked(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d,
              USER "sampling { temperature: 0 top_p: 0.5 max_output_tokens: 12 top_k: 0 seed: -7 "
                   "choice_count: 2 stop: \"a\" stop: \"b\" logit_bias { key: 9 value: -1.5 } "
                   "logit_bias { key: 3 value: 2 } }");
    const struct remora_sampling *s = &d.request.sampling;
    assert_true(s->temperature.is_set && s->temperature.value == 0);
    assert_true(s->top_p.is_set && s->top_p.value == 0.5);
    assert_false(s->min_p.is_set);
    assert_int_equal(s->max_output_tokens.value, 12);
    assert_true(s->top_k.is_set);
    assert_int_equal(s->seed.value, -7);
    assert_int_equal(s->choice_count.value, 2);
    assert_int_equal(s->stop.count, 2);
    assert_slice_equal(s->stop.items[1], "b");
    assert_int_equal(s->logit_bias_count, 2);
    assert_int_equal(s->logit_bias[0].token, 3);
    assert_true(s->logit_bias[1].bias == -1.5);
    const enum remora_parameter asked[] = {
        REMORA_PARAMETER_TEMPERATURE, REMORA_PARAMETER_TOP_P,     REMORA_PARAMETER_MAX_TOKENS,
        REMORA_PARAMETER_TOP_K,       REMORA_PARAMETER_SEED,      REMORA_PARAMETER_N,
        REMORA_PARAMETER_STOP,        REMORA_PARAMETER_LOGIT_BIAS};
    assert_int_equal(d.request.asked_count, REMORA_COUNT_OF(asked));
    for (size_t i = 0; i < REMORA_COUNT_OF(asked); i++) {
        assert_int_equal(d.request.asked[i], asked[i]);
    }
    done(&d);
}

static void one_choice_asks_for_nothing(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d, USER "sampling { choice_count: 1 }");
    assert_false(remora_request_asks(&d.request, REMORA_PARAMETER_N));
    done(&d);
}

static void tools_keep_their_schemas_as_text(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(
        &d, USER
        "tools { function { name: \"sum\" description: \"adds\" strict: false "
        "parameters_json: '{\"b\": 1,  \"a\":2}' } cache_breakpoint { ttl { seconds: 300 } } } "
        "tools { function { name: \"now\" parameters_struct { fields { key: \"type\" value { "
        "string_value: \"object\" } } } } } "
        "tool_choice { function_name: \"sum\" } parallel_tool_calls: false");
    assert_int_equal(d.request.tool_count, 2);
    assert_slice_equal(d.request.tools[0].parameters_json, "{\"b\": 1,  \"a\":2}");
    assert_int_equal(d.request.tools[0].strict, REMORA_NO);
    assert_int_equal(d.request.tools[1].strict, REMORA_UNSET);
    assert_int_equal(d.request.tools[0].cache.ttl_s, 300);
    assert_slice_equal(d.request.tools[1].parameters_json, "{\"type\":\"object\"}");
    assert_int_equal(d.request.tool_choice.kind, REMORA_TOOL_CHOICE_FUNCTION);
    assert_slice_equal(d.request.tool_choice.function_name, "sum");
    assert_int_equal(d.request.parallel_tool_calls, REMORA_NO);
    done(&d);
}

static void modes_of_tool_choice_have_our_numbers(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d, USER "tool_choice { mode: MODE_NONE }");
    assert_int_equal(d.request.tool_choice.kind, REMORA_TOOL_CHOICE_NONE);
    done(&d);
    decode_ok(&d, USER "tools { function { name: \"f\" } } tool_choice { mode: MODE_REQUIRED }");
    assert_int_equal(d.request.tool_choice.kind, REMORA_TOOL_CHOICE_REQUIRED);
    done(&d);
}

static void a_conversation_with_tools_keeps_calls_and_reasoning(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d,
              "messages { role: ROLE_SYSTEM parts { text: \"a\" } parts { text: \"b\" "
              "cache_breakpoint {} } } "
              "messages { role: ROLE_ASSISTANT tool_calls { id: \"c1\" index: 5 name: \"sum\" "
              "arguments_json: \"{not json\" } reasoning { text: \"hm\" signature: \"sig\" "
              "format: \"anthropic-claude-v1\" id: \"r1\" index: 0 } reasoning { encrypted: \"x\" "
              "} extra { fields { key: \"k\" value { bool_value: true } } } } "
              "messages { role: ROLE_TOOL tool_call_id: \"c1\" parts { text: \"3\" } }");
    const struct remora_message *m = d.request.messages;
    assert_int_equal(m[0].part_count, 2);
    assert_false(m[0].content_is_text);
    assert_true(m[0].parts[1].cache.is_set);
    assert_int_equal(m[1].tool_call_count, 1);
    assert_int_equal(m[1].tool_calls[0].index, 0);
    assert_slice_equal(m[1].tool_calls[0].arguments_json, "{not json");
    assert_int_equal(m[1].reasoning_count, 2);
    assert_slice_equal(m[1].reasoning[0].signature, "sig");
    assert_true(m[1].reasoning[0].index.is_set);
    assert_int_equal(m[1].reasoning[1].kind, REMORA_REASONING_ENCRYPTED);
    assert_slice_equal(m[1].extra, "{\"k\":true}");
    assert_slice_equal(m[2].tool_call_id, "c1");
    done(&d);
}

static void formats_reasoning_and_logprobs_are_read(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d, USER
              "response_format { json_schema { name: \"n\" schema_json: '{\"type\":\"object\"}' "
              "strict: true } } "
              "reasoning { effort: EFFORT_XHIGH max_tokens: 100 exclude_from_response: true "
              "enabled: true summary: \"auto\" } logprobs { enabled: true top_count: 20 }");
    assert_int_equal(d.request.response_format.kind, REMORA_FORMAT_JSON_SCHEMA);
    assert_slice_equal(d.request.response_format.schema_json, "{\"type\":\"object\"}");
    assert_int_equal(d.request.response_format.strict, REMORA_YES);
    assert_int_equal(d.request.reasoning.effort, REMORA_EFFORT_XHIGH);
    assert_true(d.request.reasoning.exclude_from_response);
    assert_int_equal(d.request.reasoning.max_tokens.value, 100);
    assert_slice_equal(d.request.reasoning.summary, "auto");
    assert_int_equal(d.request.top_logprobs.value, 20);
    assert_true(remora_request_asks(&d.request, REMORA_PARAMETER_REASONING));
    done(&d);
    decode_ok(&d, USER "reasoning { exclude_from_response: true }");
    assert_false(remora_request_asks(&d.request, REMORA_PARAMETER_REASONING));
    done(&d);
}

static void provider_preferences_are_read(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d,
              USER "provider { order: \"acme\" order: \"openai\" only: \"acme\" ignore: \"x\" "
                   "allow_fallbacks: false require_parameters: true data_collection: "
                   "DATA_COLLECTION_DENY zero_data_retention: true quantizations: \"fp8\" regions: "
                   "\"eu\" max_price { prompt: \"2.4999999\" request: \"0.01\" } attempt_timeout { "
                   "seconds: 3 } max_attempts: 2 }");
    const struct remora_preferences *p = &d.request.provider;
    assert_int_equal(p->order.count, 2);
    assert_slice_equal(p->order.items[1], "openai");
    assert_int_equal(p->allow_fallbacks, REMORA_NO);
    assert_int_equal(p->require_parameters, REMORA_YES);
    assert_int_equal(p->data_collection, REMORA_DATA_DENY);
    assert_int_equal(p->zdr, REMORA_YES);
    assert_int_equal(p->enforce_distillable_text, REMORA_UNSET);
    assert_slice_equal(p->quantizations.items[0], "fp8");
    assert_slice_equal(p->regions.items[0], "eu");
    assert_true(p->max_price_pico_usd[REMORA_CAP_PROMPT] == 2499999);
    assert_true(p->max_price_pico_usd[REMORA_CAP_REQUEST] == INT64_C(10000000000));
    assert_true(p->max_price_pico_usd[REMORA_CAP_COMPLETION] == -1);
    assert_int_equal(p->attempt_timeout_ms, 3000);
    assert_int_equal(p->max_attempts, 2);
    done(&d);
}

static void ids_tags_and_words_are_read(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d,
              USER "end_user_id: \"u\" session_id: \"s\" tags { key: \"team\" value: \"pay\" } "
                   "service_tier: \"flex\" verbosity: \"low\" output_modalities: \"text\" cache { "
                   "prompt_key: \"k\" gateway_cache: false }");
    assert_slice_equal(d.request.end_user_id, "u");
    assert_slice_equal(d.request.session_id, "s");
    assert_int_equal(d.request.tag_count, 1);
    assert_slice_equal(d.request.tags[0].value, "pay");
    assert_slice_equal(d.request.service_tier, "flex");
    assert_slice_equal(d.request.verbosity, "low");
    assert_slice_equal(d.request.prompt_cache_key, "k");
    assert_false(remora_request_asks(&d.request, REMORA_PARAMETER_MODALITIES));
    done(&d);
    decode_ok(&d, USER "output_modalities: \"text\" output_modalities: \"audio\"");
    assert_true(remora_request_asks(&d.request, REMORA_PARAMETER_MODALITIES));
    done(&d);
}

static void extra_body_becomes_raw_json(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d, USER
              "extra_body { fields { key: \"safe_prompt\" value { bool_value: true } } fields { "
              "key: \"deep\" value { struct_value { fields { key: \"a\\\"b\" value { list_value "
              "{ values { number_value: 1 } values { null_value: NULL_VALUE } values { "
              "string_value: \"x\" } values { list_value {} } } } } } } } fields { key: \"num\" "
              "value { number_value: 1.5 } } }");
    assert_int_equal(d.request.extra_count, 3);
    for (size_t i = 0; i < 3; i++) { /* a map has no order */
        const struct remora_pair *pair = &d.request.extra[i];
        if (remora_slice_is(pair->key, "deep")) {
            assert_slice_equal(pair->value, "{\"a\\\"b\":[1,null,\"x\",[]]}");
        } else if (remora_slice_is(pair->key, "num")) {
            assert_slice_equal(pair->value, "1.5");
        } else {
            assert_slice_equal(pair->key, "safe_prompt");
            assert_slice_equal(pair->value, "true");
        }
    }
    done(&d);
}

static enum remora_code code_of_extra(const char *name, const char *value)
{
    char text[256];
    struct decoded d;
    snprintf(text, sizeof text, USER "extra_body { fields { key: \"%s\" value { %s } } }", name,
             value);
    decode(&d, text);
    enum remora_code code = d.code;
    assert_int_equal(d.request.extra_count, 0);
    if (code == REMORA_UNIMPLEMENTED) {
        assert_string_equal(d.fail.param + strlen("extra_body."), name);
    }
    done(&d);
    return code;
}

/* As over HTTP: null is as good as absent, an empty list asks for nothing of a list. */
static void what_is_not_built_may_be_null_in_extra_body(void **state)
{
    static const char *const names[] = {
#define TYPED(name)
#define READ(name)
#define UNBUILT(name)                         name,
#define REMORA_CHAT_FIELD(name, verdict, ...) verdict(name)
#include "remora/tbl/chat_fields.h"
#undef REMORA_CHAT_FIELD
#undef TYPED
#undef READ
#undef UNBUILT
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        assert_int_equal(code_of_extra(names[i], "null_value: NULL_VALUE"), REMORA_OK);
        assert_int_equal(code_of_extra(names[i], "number_value: 1"), REMORA_UNIMPLEMENTED);
    }
    assert_int_equal(code_of_extra("functions", "list_value {}"), REMORA_OK);
    assert_int_equal(code_of_extra("stop_server_tools_when", "list_value {}"), REMORA_OK);
    assert_int_equal(code_of_extra("prompt", "list_value {}"), REMORA_UNIMPLEMENTED);
}

/* One member of a message's extra is refused at its path. */
static void refuses_member(const char *name, const char *value, const char *inside)
{
    char text[256];
    char path[96];
    snprintf(text, sizeof text,
             "messages { role: ROLE_ASSISTANT parts { text: \"hi\" } extra { fields { key: \"%s\" "
             "value { %s } } } }",
             name, value);
    snprintf(path, sizeof path, "messages[0].extra.%s%s", name, inside);
    refuses(text, REMORA_INVALID_REQUEST, path);
}

static void the_extra_of_a_message_cannot_say_what_the_message_says(void **state)
{
    static const char *const names[] = {
        "role",         "content",           "name",      "tool_calls",
        "refusal",      "tool_call_id",      "reasoning", "reasoning_content",
        "audio",        "reasoning_details", "images",    "annotations",
        "function_call"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        refuses_member(names[i], "string_value: \"x\"", "");
        refuses_member(names[i], "null_value: NULL_VALUE", "");
    }
    refuses_member("function_call", "struct_value {}", "");
    refuses_member("Content", "string_value: \"x\"", "");
    refuses_member("tool_call\u017f", "list_value {}", "");
}

/* It has no field, and clients keep it with the answers that they send back (issue 5). */
static void who_wrote_an_answer_stands_in_extra_and_goes_nowhere(void **state)
{
    (void)state;
    struct decoded d;
    decode_ok(&d, "messages { role: ROLE_USER parts { text: \"hi\" } } "
                  "messages { role: ROLE_ASSISTANT parts { text: \"a\" } extra { fields { key: "
                  "\"model\" value { string_value: \"a/b\" } } } } "
                  "messages { role: ROLE_ASSISTANT parts { text: \"b\" } extra { fields { key: "
                  "\"model\" value { string_value: \"c/d\" } } fields { key: \"prefix\" value { "
                  "bool_value: true } } } } "
                  "messages { role: ROLE_ASSISTANT parts { text: \"b\" } extra { fields { key: "
                  "\"model\" value { null_value: NULL_VALUE } } fields { key: \"parsed\" value { "
                  "struct_value { fields { key: \"a\" value { bool_value: true } } } } } fields { "
                  "key: \"x\" value { null_value: NULL_VALUE } } } }");
    assert_slice_equal(d.request.messages[1].model, "a/b");
    assert_slice_equal(d.request.messages[1].extra, "");
    assert_slice_equal(d.request.messages[2].model, "c/d");
    assert_slice_equal(d.request.messages[2].extra, "{\"prefix\":true}");
    assert_slice_equal(d.request.messages[3].model, "");
    assert_slice_equal(d.request.messages[3].extra, ""); /* neither `parsed` nor what is null */
    done(&d);
    refuses_member("Parsed", "string_value: \"x\"", "");
    refuses_member("model", "number_value: 1", "");
    refuses_member("model", "string_value: \"a\\nb\"", "");
    refuses_member("Model", "string_value: \"x\"", "");
    refuses("messages { role: ROLE_USER parts { text: \"hi\" } extra { fields { key: \"model\" "
            "value { string_value: \"x\" } } } }",
            REMORA_INVALID_REQUEST, "messages[0].extra.model");
    refuses(
        "messages { role: ROLE_ASSISTANT parts { text: \"hi\" } extra { fields { key: \"model\" "
        "value { string_value: \"x\" } } fields { key: \"model\" value { string_value: \"y\" } "
        "} } }",
        REMORA_INVALID_REQUEST, "messages[0].extra.model");
}

static void the_extra_of_a_message_cannot_choose_a_host(void **state)
{
    (void)state;
    refuses_member("api_base", "string_value: \"x\"", "");
    refuses_member("apiBase", "string_value: \"x\"", "");
    refuses_member("service_url", "string_value: \"x\"", "");
    refuses_member("a",
                   "struct_value { fields { key: \"base-url\" value { string_value: \"x\" } } }",
                   ".base-url");
    struct decoded d;
    decode_ok(&d,
              "messages { role: ROLE_USER parts { text: \"hi\" } extra { fields { key: \"roles\" "
              "value { number_value: 1 } } fields { key: \"prefix\" value { bool_value: true } "
              "} } } messages { role: ROLE_USER parts { text: \"hi\" } extra {} }");
    assert_slice_equal(d.request.messages[1].extra, "{}");
    done(&d);
    d.bytes =
        test_proto_encode("remora.v1.StreamChatRequest",
                          "chat { messages { role: ROLE_USER parts { text: \"a\" } extra { "
                          "fields { key: \"role\" value { string_value: \"system\" } } } } }");
    decode_bytes(&d, REMORA_STREAM);
    assert_int_equal(d.code, REMORA_INVALID_REQUEST);
    assert_string_equal(d.fail.param, "chat.messages[0].extra.role");
    done(&d);
}

static void a_free_block_of_reasoning_has_no_type_with_a_field_of_its_own(void **state)
{
    (void)state;
#define OTHER(type)                                                                      \
    "messages { role: ROLE_ASSISTANT parts { text: \"a\" } reasoning { other { fields {" \
    " key: \"type\" value { string_value: \"" type "\" } } fields { key: \"text\" value" \
    " { number_value: 5 } } } } }"
    refuses(OTHER("reasoning.text"), REMORA_INVALID_REQUEST, "messages[0].reasoning[0].other");
    refuses(OTHER("reasoning.summary"), REMORA_INVALID_REQUEST, "messages[0].reasoning[0].other");
    refuses(OTHER("reasoning.encrypted"), REMORA_INVALID_REQUEST, "messages[0].reasoning[0].other");
    struct decoded d;
    decode_ok(&d, OTHER("reasoning.server_tool_call"));
    assert_int_equal(d.request.messages[0].reasoning[0].kind, REMORA_REASONING_OTHER);
    done(&d);
#undef OTHER
}

static void extra_body_cannot_choose_a_host_or_override_a_field(void **state)
{
    (void)state;
#define EXTRA(name) USER "extra_body { fields { key: \"" name "\" value { string_value: \"x\" } } }"
    refuses(EXTRA("api_base"), REMORA_INVALID_REQUEST, "extra_body.api_base");
    refuses(EXTRA("API_Key"), REMORA_INVALID_REQUEST, "extra_body.API_Key");
    refuses(EXTRA("apiBase"), REMORA_INVALID_REQUEST, "extra_body.apiBase");
    refuses(EXTRA("openai-organization"), REMORA_INVALID_REQUEST, "extra_body.openai-organization");
    refuses(USER "extra_body { fields { key: \"a\" value { struct_value { fields { key: "
                 "\"base-url\" value { string_value: \"x\" } } } } } }",
            REMORA_INVALID_REQUEST, "extra_body.a.base-url");
    refuses(EXTRA("model"), REMORA_INVALID_REQUEST, "extra_body.model");
    refuses(EXTRA("stream"), REMORA_INVALID_REQUEST, "extra_body.stream");
    refuses(EXTRA("Model"), REMORA_INVALID_REQUEST, "extra_body.Model");
    refuses(EXTRA("Max_To\u212Aens"), REMORA_INVALID_REQUEST, "extra_body.Max_To\u212Aens");
    refuses(EXTRA("Safety_Identifier"), REMORA_INVALID_REQUEST, "extra_body.Safety_Identifier");
    refuses(EXTRA("provider"), REMORA_INVALID_REQUEST, "extra_body.provider");
    refuses(EXTRA("functions"), REMORA_UNIMPLEMENTED, "extra_body.functions");
    refuses(EXTRA("route"), REMORA_INVALID_REQUEST, "extra_body.route");
    refuses(EXTRA("web_search_options"), REMORA_INVALID_REQUEST, "extra_body.web_search_options");
    refuses(USER "extra_body { fields { key: \"k\" value { number_value: nan } } }",
            REMORA_INVALID_REQUEST, "extra_body.k");
    refuses(USER "extra_body { fields { key: \"k\" value { number_value: inf } } }",
            REMORA_INVALID_REQUEST, "extra_body.k");
    refuses(USER "extra_body { fields { key: \"k\" value {} } }", REMORA_INVALID_REQUEST,
            "extra_body.k");
}

static void an_unknown_role_is_not_called_missing(void **state)
{
    static const int numbers[] = {6, 99, -1};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(numbers); i++) {
        struct decoded d;
        char text[80];
        char said[80];
        snprintf(text, sizeof text, "messages { role: %d parts { text: \"x\" } }", numbers[i]);
        snprintf(said, sizeof said, "messages[0].role has the unknown number %d;", numbers[i]);
        decode(&d, text);
        assert_int_equal(d.code, REMORA_INVALID_REQUEST);
        assert_string_equal(d.fail.param, "messages[0].role");
        assert_non_null(strstr(d.fail.message, said));
        assert_non_null(strstr(d.fail.message, "5 (tool)"));
        done(&d);
    }
}

static void messages_are_judged_by_their_role(void **state)
{
    (void)state;
    refuses("model: \"m\"", REMORA_INVALID_REQUEST, "messages");
    refuses("messages { parts { text: \"x\" } }", REMORA_INVALID_REQUEST, "messages[0].role");
    refuses("messages { role: ROLE_USER }", REMORA_INVALID_REQUEST, "messages[0]");
    refuses("messages { role: ROLE_TOOL parts { text: \"x\" } }", REMORA_INVALID_REQUEST,
            "messages[0]");
    refuses("messages { role: ROLE_USER tool_call_id: \"c\" parts { text: \"x\" } }",
            REMORA_INVALID_REQUEST, "messages[0]");
    refuses("messages { role: ROLE_USER parts { refusal: \"x\" } }", REMORA_INVALID_REQUEST,
            "messages[0].parts[0]");
    refuses("messages { role: ROLE_SYSTEM parts { image { uri: \"https://a.example/i\" } } }",
            REMORA_INVALID_REQUEST, "messages[0].parts[0]");
    refuses("messages { role: ROLE_USER parts { text: \"x\" } reasoning { text: \"x\" } }",
            REMORA_INVALID_REQUEST, "messages[0]");
    refuses(
        "messages { role: ROLE_USER parts { text: \"x\" annotations { type: \"url_citation\" } } }",
        REMORA_INVALID_REQUEST, "messages[0]");
    refuses(
        "messages { role: ROLE_ASSISTANT parts { text: \"x\" annotations { type: \"file\" title: "
        "\"n\" } } }",
        REMORA_INVALID_REQUEST, "messages[0].parts[0].annotations[0].extra");
    refuses(USER "tools { function { name: \"f\" } cache_breakpoint { explicit_mode: true } }",
            REMORA_INVALID_REQUEST, "tools[0].cache_breakpoint.explicit_mode");
    refuses("messages { role: ROLE_ASSISTANT parts { text: \"x\" annotations { url: \"u\" } } }",
            REMORA_INVALID_REQUEST, "messages[0].parts[0].annotations[0].type");
    refuses(USER "messages { role: ROLE_TOOL tool_call_id: \"c\" parts { text: \"x\" } }",
            REMORA_INVALID_REQUEST, "messages[1]");
    refuses("messages { role: ROLE_ASSISTANT tool_calls { id: \"c\" name: \"f\" } } " USER,
            REMORA_INVALID_REQUEST, "messages[0]");
    refuses("messages { role: ROLE_USER parts {} }", REMORA_INVALID_REQUEST,
            "messages[0].parts[0]");
    refuses("messages { role: ROLE_ASSISTANT tool_calls { name: \"f\" } }", REMORA_INVALID_REQUEST,
            "messages[0].tool_calls[0]");
    refuses(
        "messages { role: ROLE_ASSISTANT parts { text: \"x\" } reasoning { text: \"y\" index: -1 } "
        "}",
        REMORA_INVALID_REQUEST, "messages[0].reasoning[0]");
}

static void media_are_judged_as_over_http(void **state)
{
    (void)state;
#define PART(text) "messages { role: ROLE_USER parts { " text " } }"
    refuses(PART("image {}"), REMORA_INVALID_REQUEST, "messages[0].parts[0].image");
    refuses(PART("image { data: \"x\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].image.data");
    refuses(PART("image { data: \"x\" mime_type: \"text/plain\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].image.data");
    refuses(PART("image { data: \"\" mime_type: \"image/png\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].image.data");
    refuses(PART("image { uri: \"http://169.254.169.254/\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].image.uri");
    refuses(PART("image { uri: \"file:///etc/passwd\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].image.uri");
    refuses(PART("image { uri: \"https://a.example/i\" detail: \"huge\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].image.detail");
    refuses(PART("image { uri: \"https://a.example/i\" filename: \"x\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].image.filename");
    refuses(PART("audio { data: \"x\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].audio.data");
    refuses(PART("audio { data: \"x\" detail: \"midi\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].audio.detail");
    refuses(PART("audio { uri: \"https://a.example/a.wav\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].audio.uri");
    refuses(PART("video { data: \"x\" mime_type: \"image/png\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].video.data");
    refuses(PART("file { data: \"x\" }"), REMORA_INVALID_REQUEST, "messages[0].parts[0].file.data");
    refuses(PART("file { file_id: \"\" }"), REMORA_INVALID_REQUEST,
            "messages[0].parts[0].file.file_id");
#undef PART
}

static void the_fields_that_only_json_has_travel_in_extra_body(void **state)
{
    struct decoded d;
    (void)state;
    decode_ok(&d, USER
              "extra_body { fields { key: \"safety_identifier\" value { string_value: \"s\" } } "
              "fields { key: \"structured_outputs\" value { bool_value: true } } fields { key: "
              "\"route\" value { null_value: NULL_VALUE } } }");
    assert_slice_equal(d.request.safety_identifier, "s");
    assert_int_equal(d.request.structured_outputs, REMORA_YES);
    assert_int_equal(d.request.extra_count, 0);
    assert_true(remora_request_asks(&d.request, REMORA_PARAMETER_SAFETY_IDENTIFIER));
    done(&d);
}

static void numbers_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    refuses(USER "sampling { temperature: 2.1 }", REMORA_INVALID_REQUEST, "sampling.temperature");
    refuses(USER "sampling { temperature: nan }", REMORA_INVALID_REQUEST, "sampling.temperature");
    refuses(USER "sampling { top_p: 0 }", REMORA_INVALID_REQUEST, "sampling.top_p");
    refuses(USER "sampling { min_p: -0.1 }", REMORA_INVALID_REQUEST, "sampling.min_p");
    refuses(USER "sampling { top_a: 1.1 }", REMORA_INVALID_REQUEST, "sampling.top_a");
    refuses(USER "sampling { frequency_penalty: 3 }", REMORA_INVALID_REQUEST,
            "sampling.frequency_penalty");
    refuses(USER "sampling { presence_penalty: -3 }", REMORA_INVALID_REQUEST,
            "sampling.presence_penalty");
    refuses(USER "sampling { repetition_penalty: 2.5 }", REMORA_INVALID_REQUEST,
            "sampling.repetition_penalty");
    refuses(USER "sampling { max_output_tokens: 0 }", REMORA_INVALID_REQUEST,
            "sampling.max_output_tokens");
    refuses(USER "sampling { top_k: -1 }", REMORA_INVALID_REQUEST, "sampling.top_k");
    refuses(USER "sampling { seed: 9007199254740993 }", REMORA_INVALID_REQUEST, "sampling.seed");
    refuses(USER "sampling { choice_count: 129 }", REMORA_INVALID_REQUEST, "sampling.choice_count");
    refuses(USER "sampling { stop: \"a\" stop: \"b\" stop: \"c\" stop: \"d\" stop: \"e\" }",
            REMORA_INVALID_REQUEST, "sampling.stop");
    refuses(USER "sampling { logit_bias { key: 1 value: 101 } }", REMORA_INVALID_REQUEST,
            "sampling.logit_bias[1]");
    refuses(USER "sampling { logit_bias { key: -1 value: 1 } }", REMORA_INVALID_REQUEST,
            "sampling.logit_bias[-1]");
    refuses(USER "logprobs { enabled: true top_count: 21 }", REMORA_INVALID_REQUEST,
            "logprobs.top_count");
    refuses(USER "logprobs { top_count: 2 }", REMORA_INVALID_REQUEST, "logprobs.top_count");
    refuses(USER "reasoning { max_tokens: 0 }", REMORA_INVALID_REQUEST, "reasoning.max_tokens");
    refuses(USER "provider { max_attempts: 99 }", REMORA_INVALID_REQUEST, "provider.max_attempts");
    refuses(USER "provider { attempt_timeout { seconds: -1 } }", REMORA_INVALID_REQUEST,
            "provider.attempt_timeout");
    refuses(USER "provider { attempt_timeout { seconds: 9223372036854775807 } }",
            REMORA_INVALID_REQUEST, "provider.attempt_timeout");
}

static void words_outside_their_set_are_refused(void **state)
{
    (void)state;
    refuses(USER "service_tier: \"cheap\"", REMORA_INVALID_REQUEST, "service_tier");
    refuses(USER "verbosity: \"loud\"", REMORA_INVALID_REQUEST, "verbosity");
    refuses(USER "output_modalities: \"smell\"", REMORA_INVALID_REQUEST, "output_modalities[0]");
    refuses(USER "output_modalities: \"text\" output_modalities: \"text\"", REMORA_INVALID_REQUEST,
            "output_modalities[1]");
    refuses(USER "reasoning { summary: \"long\" }", REMORA_INVALID_REQUEST, "reasoning.summary");
    refuses(USER "reasoning { effort: 42 }", REMORA_INVALID_REQUEST, "reasoning.effort");
    refuses(USER "reasoning { effort: EFFORT_HIGH enabled: false }", REMORA_INVALID_REQUEST,
            "reasoning.enabled");
    refuses(USER "reasoning { effort: EFFORT_NONE enabled: true }", REMORA_INVALID_REQUEST,
            "reasoning.enabled");
    refuses(USER "provider { quantizations: \"fp7\" }", REMORA_INVALID_REQUEST,
            "provider.quantizations[0]");
    refuses(USER "provider { data_collection: 7 }", REMORA_INVALID_REQUEST,
            "provider.data_collection");
    refuses(USER "provider { max_price { prompt: \"-1\" } }", REMORA_INVALID_REQUEST,
            "provider.max_price.prompt");
    refuses(USER "provider { order: \"\" }", REMORA_INVALID_REQUEST, "provider.order[0]");
    refuses(USER "end_user_id: \"a\\r\\nb\"", REMORA_INVALID_REQUEST, "end_user_id");
    refuses(USER "tags { key: \"a[b\" value: \"x\" }", REMORA_INVALID_REQUEST, "tags");
    refuses(USER "fallback_models: \"a\" fallback_models: \"b\" fallback_models: \"c\" "
                 "fallback_models: \"d\"",
            REMORA_INVALID_REQUEST, "fallback_models");
    refuses(USER "fallback_models: \"\"", REMORA_INVALID_REQUEST, "fallback_models[0]");
}

static void tools_and_schemas_are_judged(void **state)
{
    (void)state;
    refuses(USER "tools { function { name: \"a b\" } }", REMORA_INVALID_REQUEST,
            "tools[0].function.name");
    refuses(USER "tools {}", REMORA_INVALID_REQUEST, "tools[0]");
    refuses(USER "tools { function { name: \"f\" parameters_json: \"[1]\" } }",
            REMORA_INVALID_REQUEST, "tools[0].function.parameters_json");
    refuses(USER "tools { function { name: \"f\" parameters_json: \"{\" } }",
            REMORA_INVALID_REQUEST, "tools[0].function.parameters_json");
    refuses(USER "tools { function { name: \"f\" } cache_breakpoint { ttl { seconds: 7 } } }",
            REMORA_INVALID_REQUEST, "tools[0].cache_breakpoint.ttl");
    refuses(USER "tool_choice { mode: MODE_REQUIRED }", REMORA_INVALID_REQUEST, "tool_choice");
    refuses(USER "tool_choice {}", REMORA_INVALID_REQUEST, "tool_choice");
    refuses(USER "tool_choice { mode: MODE_UNSPECIFIED }", REMORA_INVALID_REQUEST,
            "tool_choice.mode");
    refuses(USER "response_format {}", REMORA_INVALID_REQUEST, "response_format");
    refuses(USER "response_format { json_schema { schema_json: \"{}\" } }", REMORA_INVALID_REQUEST,
            "response_format.json_schema.name");
}

static void what_is_not_built_is_named(void **state)
{
    (void)state;
    refuses(USER "preset: \"p\"", REMORA_UNIMPLEMENTED, "preset");
    refuses(USER "plugins { id: \"web\" }", REMORA_UNIMPLEMENTED, "plugins");
    refuses(USER "idempotency_key: \"k\"", REMORA_UNIMPLEMENTED, "idempotency_key");
    refuses(USER "provider { sort: SORT_BY_PRICE }", REMORA_UNIMPLEMENTED, "provider.sort");
    refuses(USER "provider { partition: PARTITION_NONE }", REMORA_UNIMPLEMENTED,
            "provider.partition");
    refuses(USER "provider { preferred_min_throughput { p50: 1 } }", REMORA_UNIMPLEMENTED,
            "provider.preferred_min_throughput");
    refuses(USER "provider { preferred_max_latency {} }", REMORA_UNIMPLEMENTED,
            "provider.preferred_max_latency");
    refuses(USER "cache { gateway_cache: true }", REMORA_UNIMPLEMENTED, "cache.gateway_cache");
    refuses(USER "cache { ttl { seconds: 1 } }", REMORA_UNIMPLEMENTED, "cache.ttl");
    refuses(USER "tools { native_tool {} }", REMORA_UNIMPLEMENTED, "tools[0].native_tool");
    refuses(USER "response_format { regex: \"a\" }", REMORA_UNIMPLEMENTED, "response_format.regex");
    refuses("messages { role: ROLE_USER parts { raw {} } }", REMORA_UNIMPLEMENTED,
            "messages[0].parts[0].raw");
    refuses(
        "messages { role: ROLE_TOOL tool_call_id: \"c\" tool_failed: true parts { text: \"x\" } }",
        REMORA_UNIMPLEMENTED, "messages[0].tool_failed");
}

static void a_key_on_the_wire_twice_is_refused(void **state)
{
    /* protoc cannot write this: two ChatRequests behind each other merge into one with both entries. */
    struct decoded d;
    struct remora_slice once =
        test_proto_encode("remora.v1.ChatRequest",
                          USER "extra_body { fields { key: \"k\" value { bool_value: true } } }");
    struct remora_slice again = test_proto_encode(
        "remora.v1.ChatRequest", "extra_body { fields { key: \"k\" value { number_value: 1 } } }");
    (void)state;
    char *both = malloc(once.length + again.length);
    assert_non_null(both);
    memcpy(both, once.data, once.length);
    memcpy(both + once.length, again.data, again.length);
    d.bytes = remora_slice(both, once.length + again.length);
    decode_bytes(&d, REMORA_UNARY);
    assert_int_equal(d.code, REMORA_INVALID_REQUEST);
    assert_string_equal(d.fail.param, "extra_body");
    done(&d);
    free((void *)once.data);
    free((void *)again.data);
}

/* `count` times the encoded text, behind each other, decoded. */
static void decode_pieces(struct decoded *d, const char *text, size_t count)
{
    struct remora_slice piece = test_proto_encode("remora.v1.ChatRequest", text);
    char *bytes = malloc(piece.length * count);
    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + i * piece.length, piece.data, piece.length);
    }
    d->bytes = remora_slice(bytes, piece.length * count);
    decode_bytes(d, REMORA_UNARY);
    free((void *)piece.data);
}

static void a_message_in_two_pieces_is_merged(void **state)
{
    struct decoded d;
    (void)state;
    decode_pieces(&d, USER "sampling { stop: \"a\" temperature: 0.5 }", 2);
    assert_int_equal(d.code, REMORA_OK);
    assert_int_equal(d.request.message_count, 2);
    assert_int_equal(d.request.sampling.stop.count, 2);
    assert_slice_equal(d.request.sampling.stop.items[1], "a");
    assert_true(d.request.sampling.temperature.value == 0.5);
    done(&d);
}

/* Each merge copies what came before: 6,000 pieces of 5 bytes took more than 100 MiB. */
static void a_message_in_thousands_of_pieces_is_refused(void **state)
{
    struct decoded d;
    (void)state;
    decode_pieces(&d, "sampling { stop: \"a\" }", 6000);
    assert_int_equal(d.code, REMORA_TOO_LARGE);
    assert_string_equal(d.fail.param, "sampling");
    done(&d);
}

/* Schemas travel as JSON text: judged as over HTTP. */
static void a_schema_that_two_readers_understand_differently_is_refused(void **state)
{
    (void)state;
#define SCHEMA(text) USER "response_format { json_schema { name: \"n\" schema_json: '" text "' } }"
    static const char place[] = "response_format.json_schema.schema_json";
    refuses(SCHEMA("{\"a\":{\"b\":1,\"b\":2}}"), REMORA_INVALID_REQUEST, place);
    refuses(SCHEMA("{\"a\":1e400}"), REMORA_INVALID_REQUEST, place);
    refuses(SCHEMA("{\"a\":\"\\\\u0000\"}"), REMORA_INVALID_REQUEST, place);
#undef SCHEMA
    refuses(USER "tools { function { name: \"f\" parameters_json: '{\"a\":1,\"a\":1}' } }",
            REMORA_INVALID_REQUEST, "tools[0].function.parameters_json");
}

/* Writes tag and length before what stands at bytes + *start: messages are built from the inside out. */
static void wrap(char *bytes, size_t end, size_t *start, unsigned field)
{
    uint64_t numbers[] = {end - *start, field << 3 | 2};
    for (size_t i = 0; i < REMORA_COUNT_OF(numbers); i++) {
        char varint[10];
        size_t digits = 0;
        do {
            varint[digits++] = (char)((numbers[i] & 127) | (numbers[i] > 127 ? 128 : 0));
            numbers[i] >>= 7;
        } while (numbers[i] > 0);
        *start -= digits;
        memcpy(bytes + *start, varint, digits);
    }
}

/* request -> extra_body -> list of list ... : what killed the unguarded parser (reference/kubernetes.md 0.2). */
static void a_struct_nested_8000_deep_is_refused(void **state)
{
    enum {
        DEPTH = 8000,
        ROOM = DEPTH * 12,
        LIST_VALUE = 6,
        VALUES = 1,
        ENTRY_VALUE = 2,
        FIELDS = 1,
        EXTRA_BODY = 30
    };
    char *bytes = malloc(ROOM);
    size_t start = ROOM;
    (void)state;
    assert_non_null(bytes);
    wrap(bytes, ROOM, &start, LIST_VALUE);
    for (int i = 1; i < DEPTH; i++) {
        wrap(bytes, ROOM, &start, VALUES);
        wrap(bytes, ROOM, &start, LIST_VALUE);
    }
    wrap(bytes, ROOM, &start, ENTRY_VALUE);
    wrap(bytes, ROOM, &start, FIELDS);
    wrap(bytes, ROOM, &start, EXTRA_BODY);
    struct decoded d = {.bytes = remora_slice(bytes + start, ROOM - start)};
    decode_bytes(&d, REMORA_UNARY);
    assert_int_equal(d.code, REMORA_INVALID_REQUEST);
    assert_non_null(strstr(d.fail.param, "extra_body"));
    assert_non_null(strstr(d.fail.message, "deep"));
    remora_arena_fini(&d.arena);
    free(bytes);
}

static void malformed_bytes_are_refused(void **state)
{
    static const struct remora_slice bad[] = {
        REMORA_SLICE_INIT("\x0a"),             /* no length */
        REMORA_SLICE_INIT("\x0a\x05xx"),       /* cut */
        REMORA_SLICE_INIT("\x0a\x02\xff\xfe"), /* model is not UTF-8 */
        REMORA_SLICE_INIT("\x0a\x02x\0"),      /* NUL in model */
        REMORA_SLICE_INIT("\x0b"),             /* a group */
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        struct decoded d = {.bytes = bad[i]};
        decode_bytes(&d, REMORA_UNARY);
        assert_int_equal(d.code, REMORA_INVALID_REQUEST);
        remora_arena_fini(&d.arena);
    }
}

static void a_small_arena_refuses_instead_of_growing(void **state)
{
    struct decoded d;
    (void)state;
    d.bytes = test_proto_encode("remora.v1.ChatRequest", USER USER USER USER USER USER USER);
    for (size_t limit = 64; limit < 16384; limit += 64) {
        remora_arena_init(&d.arena, 64, limit);
        remora_request_init(&d.request);
        d.fail = (struct remora_fail)REMORA_FAIL_INIT;
        d.code = remora_grpc_decode_chat(d.bytes, REMORA_UNARY, &d.arena, &d.request, &d.fail);
        assert_true(d.code == REMORA_OK || d.code == REMORA_TOO_LARGE);
        remora_arena_fini(&d.arena);
    }
    assert_int_equal(d.code, REMORA_OK);
    free((void *)d.bytes.data);
}

/* ---- CountTokens ---- */

static void count(struct decoded *d, const char *text)
{
    d->bytes = test_proto_encode("remora.v1.CountTokensRequest", text);
    remora_arena_init(&d->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    remora_request_init(&d->request);
    d->fail = (struct remora_fail)REMORA_FAIL_INIT;
    d->code = remora_grpc_decode_count(d->bytes, &d->arena, &d->request, &d->fail);
}

static void a_count_weighs_what_chat_would_receive(void **state)
{
    struct decoded alone;
    struct decoded inside;
    (void)state;
    decode_ok(&alone, "model: \"t/m\" " USER);
    count(&inside, "chat { model: \"t/m\" " USER "}");
    assert_int_equal(inside.code, REMORA_OK);
    assert_int_equal(inside.request.body_bytes, alone.bytes.length);
    assert_int_equal(inside.request.body_bytes, alone.request.body_bytes);
    assert_int_equal(inside.request.message_count, 1);
    done(&alone);
    done(&inside);
}

static void a_count_is_refused_where_chat_is(void **state)
{
    struct decoded d;
    (void)state;
    count(&d, "");
    assert_int_equal(d.code, REMORA_INVALID_REQUEST);
    assert_string_equal(d.fail.param, "chat");
    done(&d);
    count(&d, "chat { " USER " sampling { temperature: 9 } }");
    assert_int_equal(d.code, REMORA_INVALID_REQUEST);
    assert_string_equal(d.fail.param, "chat.sampling.temperature");
    done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_question_becomes_a_request),
        cmocka_unit_test(a_stream_wraps_the_same_request),
        cmocka_unit_test(paths_of_a_stream_begin_with_chat),
        cmocka_unit_test(sampling_keeps_presence_and_notes_what_was_asked),
        cmocka_unit_test(one_choice_asks_for_nothing),
        cmocka_unit_test(tools_keep_their_schemas_as_text),
        cmocka_unit_test(modes_of_tool_choice_have_our_numbers),
        cmocka_unit_test(a_conversation_with_tools_keeps_calls_and_reasoning),
        cmocka_unit_test(formats_reasoning_and_logprobs_are_read),
        cmocka_unit_test(provider_preferences_are_read),
        cmocka_unit_test(ids_tags_and_words_are_read),
        cmocka_unit_test(extra_body_becomes_raw_json),
        cmocka_unit_test(extra_body_cannot_choose_a_host_or_override_a_field),
        cmocka_unit_test(the_extra_of_a_message_cannot_say_what_the_message_says),
        cmocka_unit_test(who_wrote_an_answer_stands_in_extra_and_goes_nowhere),
        cmocka_unit_test(the_extra_of_a_message_cannot_choose_a_host),
        cmocka_unit_test(a_free_block_of_reasoning_has_no_type_with_a_field_of_its_own),
        cmocka_unit_test(what_is_not_built_may_be_null_in_extra_body),
        cmocka_unit_test(an_unknown_role_is_not_called_missing),
        cmocka_unit_test(messages_are_judged_by_their_role),
        cmocka_unit_test(media_are_judged_as_over_http),
        cmocka_unit_test(the_fields_that_only_json_has_travel_in_extra_body),
        cmocka_unit_test(numbers_out_of_range_are_refused_by_name),
        cmocka_unit_test(words_outside_their_set_are_refused),
        cmocka_unit_test(tools_and_schemas_are_judged),
        cmocka_unit_test(what_is_not_built_is_named),
        cmocka_unit_test(a_key_on_the_wire_twice_is_refused),
        cmocka_unit_test(a_message_in_two_pieces_is_merged),
        cmocka_unit_test(a_message_in_thousands_of_pieces_is_refused),
        cmocka_unit_test(a_schema_that_two_readers_understand_differently_is_refused),
        cmocka_unit_test(a_struct_nested_8000_deep_is_refused),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(a_small_arena_refuses_instead_of_growing),
        cmocka_unit_test(a_count_weighs_what_chat_would_receive),
        cmocka_unit_test(a_count_is_refused_where_chat_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
