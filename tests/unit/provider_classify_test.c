/* What an answer that is not a success means, and what of it a caller may read. */
#include "support.h"

#include "remora/provider.h"
#include "remora/secret.h"

#include "../../src/provider/envelope.h"

#include <stdio.h>

struct expectation {
    int status;
    const char *body;
    enum remora_code code;
    enum remora_cause cause;
};

static struct remora_fail classify_of(const struct remora_endpoint *endpoint, int status,
                                      const char *body, const struct remora_http_response *head)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_arena scratch;
    const struct remora_upstream_error error = {.status = status,
                                                .head = head,
                                                .body = remora_slice_of(body),
                                                .now_unix_ms = INT64_C(1700000000000)};
    remora_arena_init(&scratch, 1024, 1 << 20);
    remora_adapter_for(REMORA_WIRE_OPENAI)->classify(endpoint, &error, &scratch, &fail);
    remora_arena_fini(&scratch);
    return fail;
}

static struct remora_fail classify(int status, const char *body,
                                   const struct remora_http_response *head)
{
    return classify_of(NULL, status, body, head);
}

static void expect_all(const struct expectation *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct remora_fail fail = classify(cases[i].status, cases[i].body, NULL);
        if (fail.code != cases[i].code || fail.cause != cases[i].cause) {
            print_error("%d %s: is %s %s\n", cases[i].status, cases[i].body,
                        remora_code_row(fail.code)->name, remora_cause_name(fail.cause));
        }
        assert_int_equal(fail.code, cases[i].code);
        assert_int_equal(fail.cause, cases[i].cause);
        assert_int_equal(fail.upstream_status, cases[i].status);
        assert_true(fail.message[0] != '\0');
    }
}

static void status_alone_gives_the_class(void **state)
{
    static const struct expectation cases[] = {
        {400, "", REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        {401, "", REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL},
        {402, "", REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL},
        {403, "", REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_CLIENT_ERROR}, /* of whom? */
        {403, "<html>Access denied</html>", REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_CLIENT_ERROR},
        {403, "{}", REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL},
        {401, "<html>", REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL},
        {404, "", REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR},
        {405, "", REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        {408, "", REMORA_UPSTREAM_TIMEOUT, REMORA_CAUSE_CLIENT_ERROR},
        {409, "", REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_CLIENT_ERROR},
        {410, "", REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR},
        {413, "", REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR},
        {422, "", REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        {429, "", REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        {498, "", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {500, "", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {502, "<html>", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {503, "", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {504, "", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {524, "", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {529, "", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {599, "", REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {600, "", REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_BAD_RESPONSE},
        {302, "", REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_REDIRECT},
        {101, "", REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_BAD_RESPONSE},
        {999, "", REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_BAD_RESPONSE},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

#define HOP_ERROR(reason, param)                       \
    "{\"error\":{\"message\":\"m\",\"param\":\"" param \
    "\",\"code\":400,\"metadata\":{\"reason\":\"" reason "\"}}}"

/* Both words are needed: what a vendor writes into `param` may be a caller's. */
static void a_remora_that_found_a_loop_is_told_from_every_other_refusal(void **state)
{
    static const struct expectation cases[] = {
        {400, HOP_ERROR("WRONG_ENDPOINT", "remora-hop"), REMORA_MODEL_UNAVAILABLE_UPSTREAM,
         REMORA_CAUSE_LOOP},
        {404, HOP_ERROR("MODEL_UNAVAILABLE_UPSTREAM", "remora-hop"),
         REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_LOOP},
        {400, HOP_ERROR("INVALID_REQUEST", "remora-hop"), REMORA_UPSTREAM_REFUSED_REQUEST,
         REMORA_CAUSE_CLIENT_ERROR},
        {400, HOP_ERROR("WRONG_ENDPOINT", "model"), REMORA_UPSTREAM_REFUSED_REQUEST,
         REMORA_CAUSE_CLIENT_ERROR},
        {400, "{\"error\":{\"message\":\"m\",\"param\":\"remora-hop\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
    struct remora_fail fail = classify(400, HOP_ERROR("WRONG_ENDPOINT", "remora-hop"), NULL);
    assert_string_equal(fail.param, "remora-hop");
    assert_non_null(strstr(fail.message, "base_url leads back"));
}

static void body_tells_a_closer_class_of_a_refusal(void **state)
{
    static const struct expectation cases[] = {
        {400, "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\"}}",
         REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR},
        {400, "{\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}",
         REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR},
        {422, "{\"detail\":[{\"msg\":\"prompt is too long\",\"loc\":[\"body\"]}]}",
         REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR},
        {400,
         "{\"error\":{\"message\":\"no\",\"code\":\"content_filter\",\"innererror\":"
         "{\"content_filter_result\":{}}}}",
         REMORA_CONTENT_POLICY, REMORA_CAUSE_CLIENT_ERROR},
        {400, "{\"error\":{\"message\":\"The model `x` does not exist\"}}",
         REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR},
        {422, "{\"error\":{\"message\":\"x not found\",\"param\":\"model\"}}",
         REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR},
        {400, "{\"error\":{\"message\":\"file not found\",\"param\":\"messages\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        {403, "{\"error\":{\"message\":\"Your input was flagged\",\"code\":403}}",
         REMORA_CONTENT_POLICY, REMORA_CAUSE_CLIENT_ERROR},
        {400, "{\"error\":{\"message\":\"x\",\"code\":\"model_not_found\"}}",
         REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR},
        /* An error that is an empty text takes no message away that stands elsewhere. */
        {400, "{\"error\":\"\",\"message\":\"prompt is too long\",\"choices\":[]}",
         REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR},
        {400, "{\"base_resp\":{\"status_code\":7777,\"status_msg\":\"prompt is too long\"}}",
         REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR},
        {400, "{\"error\":{\"message\":\"echo-9 is not a valid model ID\",\"code\":400}}",
         REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR},
        {400,
         "{\"error\":{\"message\":\"temperature must be below "
         "2\",\"type\":\"invalid_request_error\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

#define LENGTH     REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR
#define POLICY     REMORA_CONTENT_POLICY, REMORA_CAUSE_CLIENT_ERROR
#define REFUSED    REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR
#define SAID(text) "{\"error\":{\"message\":\"" text "\",\"type\":\"invalid_request_error\"}}"
#define NAMED(text, param, code)                                                                 \
    "{\"error\":{\"message\":\"" text "\",\"type\":\"invalid_request_error\",\"param\":\"" param \
    "\",\"code\":" code "}}"

/* A parameter, a tool or a value may be named as a class of refusal is: a word alone makes none. */
static void a_bad_parameter_is_no_verdict_about_the_prompt(void **state)
{
    static const struct expectation cases[] = {
        {400, NAMED("Unknown parameter: 'moderation'", "moderation", "\"unknown_parameter\""),
         REFUSED},
        {400, NAMED("Your input was flagged", "", "\"unsupported_parameter\""), REFUSED},
        {422, NAMED("Your input was flagged", "messages[0].name", "\"invalid_value\""), REFUSED},
        {400, NAMED("no tool: prompt is too long", "tools[0].function.name", "null"), REFUSED},
        {400, NAMED("no such mode: your prompt was flagged", "moderation", "null"), REFUSED},
        {400, SAID("Invalid value 'not found' for tool named flagged_orders"), REFUSED},
        {400, SAID("Unknown parameter: moderation"), REFUSED},
        {400, SAID("No tool is named context window"), REFUSED},
        {400, SAID("context length must be a number"), REFUSED},
        {400, SAID("no function: content policy"), REFUSED},
        {400, SAID("too many tokens in stop"), REFUSED},
        {400, SAID("Model  not found"), REFUSED}, /* a name is a word, and no blank */
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

static void vendors_sentences_about_the_prompt_are_understood(void **state)
{
    static const struct expectation cases[] = {
        {400, NAMED("This model's maximum context length is 9 tokens", "messages", "null"), LENGTH},
        {400, NAMED("This model's maximum context length is 9 tokens", "input_tokens", "400"),
         LENGTH},
        {400, NAMED("too large: the model's context length is 9", "max_tokens", "400"), LENGTH},
        {400, NAMED("prompt is too long: 9 > 8", "messages[2].content", "null"), LENGTH},
        {400, SAID("Your input exceeds the context window of this model."), LENGTH},
        {400, SAID("the request exceeds the available context size"), LENGTH},
        {400, SAID("input length and `max_tokens` exceed context limit: 9 + 9 > 9"), LENGTH},
        {400, SAID("Input is too long for requested model."), LENGTH},
        {400, SAID("too many tokens: size limit exceeded by 9 tokens"), LENGTH},
        {400, SAID("This model's maximum prompt length is 9 but the request has 10"), LENGTH},
        {400, SAID("The input token count (9) exceeds the maximum number of tokens allowed (8)."),
         LENGTH},
        {400, SAID("filtered due to Azure OpenAI's content management policy"), POLICY},
        {400, SAID("Output blocked by content filtering policy"), POLICY},
        {400, SAID("Your request was rejected as a result of our safety system."), POLICY},
        {400, SAID("Invalid prompt: your prompt was flagged as potentially violating"), POLICY},
        {400, NAMED("Your input was flagged", "input[0].content", "null"), POLICY},
        {422, SAID("Content violates usage guidelines."), POLICY},
        /* The vendor's code goes before all. */
        {400, NAMED("x", "tools", "\"context_length_exceeded\""), LENGTH},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}
#undef REFUSED

/* Other callers would feel it, so nothing that a caller wrote may make it: vendors quote schemas, names and ids. */
static void quoted_words_of_a_caller_bench_neither_key_nor_endpoint(void **state)
{
    static const char *const words[] = {
        "incorrect api key",         "invalid api key",          "API key not valid",
        "not a valid model",         "the model does not exist", "The model `x` does not exist",
        "x is not a valid model ID", "authentication_error",
    };
    static const int statuses[] = {400, 422, 404, 410};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(words) * REMORA_COUNT_OF(statuses); i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"error\":{\"message\":\"Invalid schema for function 'f': '%s' is not valid "
                 "under any of the given schemas.\",\"type\":\"invalid_request_error\",\"param\":"
                 "\"tools[0].function.parameters\",\"code\":\"invalid_function_parameters\"}}",
                 words[i / REMORA_COUNT_OF(statuses)]);
        struct remora_fail fail = classify(statuses[i % REMORA_COUNT_OF(statuses)], body, NULL);
        assert_int_equal(fail.code, REMORA_UPSTREAM_REFUSED_REQUEST);
        assert_int_equal(fail.cause, REMORA_CAUSE_CLIENT_ERROR);
    }
}

#define GOOGLE_KEY_ERROR                                                               \
    "[{\"error\":{\"code\":400,\"message\":\"API key not "                             \
    "valid.\",\"status\":\"INVALID_ARGUMENT\","                                        \
    "\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":" \
    "\"API_KEY_INVALID\",\"domain\":\"googleapis.com\"}]}}]"

static void a_key_that_is_refused_under_400_is_known_by_its_code(void **state)
{
    static const struct expectation cases[] = {
        {400, GOOGLE_KEY_ERROR, REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL},
        {400, "{\"error\":{\"message\":\"x\",\"code\":\"invalid_api_key\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL},
        {422, "{\"error\":{\"message\":\"x\",\"type\":\"authentication_error\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL},
        {400, "{\"error\":{\"code\":400,\"message\":\"API key not valid.\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

/* xAI has no code for it: its own sentence counts, at its own endpoints and at the start only. */
static void xai_says_in_a_sentence_that_a_key_is_refused(void **state)
{
    static const struct remora_provider xai = {
        .facts = {.slug = REMORA_SLICE_INIT("xai"), .dialect = REMORA_SLICE_INIT("xai")}};
    static const struct remora_provider acme = {
        .facts = {.slug = REMORA_SLICE_INIT("acme"), .dialect = REMORA_SLICE_INIT("openai")}};
    const struct remora_endpoint at_xai = {.provider = &xai};
    const struct remora_endpoint at_acme = {.provider = &acme};
    static const char said[] = "{\"code\":\"Client specified an invalid argument\",\"error\":"
                               "\"Incorrect API key provided: xa***12.\"}";
    static const char quoted[] = "{\"code\":\"Client specified an invalid argument\",\"error\":"
                                 "\"Invalid schema: Incorrect API key provided: xa***12.\"}";
    (void)state;
    assert_int_equal(classify_of(&at_xai, 400, said, NULL).code, REMORA_UPSTREAM_CREDENTIAL);
    assert_int_equal(classify_of(&at_xai, 400, quoted, NULL).code, REMORA_UPSTREAM_REFUSED_REQUEST);
    assert_int_equal(classify_of(&at_acme, 400, said, NULL).code, REMORA_UPSTREAM_REFUSED_REQUEST);
}

static void forbidden_is_about_the_key_unless_it_says_content_or_model(void **state)
{
#define FORBIDDEN(members) "{\"error\":{\"code\":403," members "}}"
#define CONTENT            REMORA_CONTENT_POLICY, REMORA_CAUSE_CLIENT_ERROR
#define KEY                REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_CREDENTIAL
#define PLACE              REMORA_UPSTREAM_UNAVAILABLE, REMORA_CAUSE_CLIENT_ERROR
    static const struct expectation cases[] = {
        {403, FORBIDDEN("\"message\":\"Request blocked: prompt injection patterns detected\""),
         CONTENT},
        {403, FORBIDDEN("\"message\":\"x\",\"metadata\":{\"patterns\":[\"p\"]}"), CONTENT},
        {403, FORBIDDEN("\"message\":\"x\",\"metadata\":{\"reasons\":[\"violence\"]}"), CONTENT},
        {403, FORBIDDEN("\"message\":\"x\",\"metadata\":{\"flagged_input\":\"f\"}"), CONTENT},
        {403, FORBIDDEN("\"message\":\"x\",\"metadata\":{\"patterns\":[],\"flagged_input\":\"\"}"),
         KEY},
        {403, FORBIDDEN("\"message\":\"Request blocked by content filter: hate\""), CONTENT},
        {403, FORBIDDEN("\"message\":\"Blocked PII detected: PERSON\""), CONTENT},
        {403, FORBIDDEN("\"message\":\"Your input was flagged\""), CONTENT},
        {403,
         "{\"code\":\"The caller does not have permission\",\"error\":\"Content violates usage "
         "guidelines. Failed check: X\"}",
         CONTENT},
        {403, "{\"error\":{\"message\":\"x\",\"code\":\"content_filter\"}}", CONTENT},
        {403,
         FORBIDDEN("\"message\":\"x\",\"metadata\":{\"error_type\":"
                   "\"content_policy_violation\"}"),
         CONTENT},
        {403, FORBIDDEN("\"message\":\"Your account was flagged: it broke our content policy\""),
         KEY},
        {403, FORBIDDEN("\"message\":\"Key limit exceeded (total limit)\""), KEY},
        {403, "{\"error\":{\"message\":\"x\",\"type\":\"permission_error\"}}", KEY},
        {403,
         "{\"error\":{\"code\":\"403\",\"message\":\"Access denied due to Virtual Network/Firewall "
         "rules.\"}}",
         PLACE},
        {403,
         "{\"error\":{\"code\":\"403\",\"message\":\"Public access is disabled. Please configure "
         "private endpoint.\"}}",
         PLACE},
        {403,
         "{\"error\":{\"message\":\"x\",\"code\":\"unsupported_country_region_territory\",\"type\":"
         "\"request_forbidden\"}}",
         PLACE},
        {403, FORBIDDEN("\"message\":\"No access to 'access denied due to virtual network'\""),
         KEY},
        {403, "{\"error\":{\"message\":\"x\",\"code\":\"model_not_found\"}}",
         REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

static void missing_is_the_model_unless_something_else_is_named(void **state)
{
#define GONE    REMORA_MODEL_UNAVAILABLE_UPSTREAM, REMORA_CAUSE_CLIENT_ERROR
#define REFUSED REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR
    static const struct expectation cases[] = {
        {404,
         "{\"error\":{\"message\":\"No such File object: nope\",\"type\":"
         "\"invalid_request_error\",\"param\":\"id\",\"code\":null}}",
         REFUSED},
        {404, "{\"error\":{\"message\":\"model 'x' not found\",\"param\":\"file_id\"}}", REFUSED},
        {404, "{\"error\":{\"message\":\"No such File object: model 'x' not found\"}}", REFUSED},
        {404, "{\"error\":{\"type\":\"not_found_error\",\"message\":\"File not found: file-1\"}}",
         REFUSED},
        {410, "{\"error\":{\"message\":\"Container expired\",\"code\":\"container_expired\"}}",
         REFUSED},
        {404, "{\"error\":{\"message\":\"Previous response with id 'resp_1' not found.\"}}",
         REFUSED},
        {404, "{\"error\":{\"message\":\"The requested image could not be found\"}}", REFUSED},
        {404, "{\"error\":{\"message\":\"x\",\"code\":\"previous_response_not_found\"}}", REFUSED},
        {404, "{\"error\":{\"message\":\"x\",\"type\":\"vector_store_not_found\"}}", REFUSED},
        {404, "{\"error\":{\"message\":\"x\",\"param\":\"previous_response_id\"}}", REFUSED},
        {404, "{\"error\":{\"param\":\"file_id\"}}", REFUSED},
        /* Names that only begin so. */
        {404, "{\"error\":{\"message\":\"file0 is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"file9 is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"fileZ is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"file-x is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"file/x is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"file.x is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"file: gone\"}}", REFUSED},
        {404, "{\"error\":{\"message\":\"file2 is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"filea is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"vectorXstore is gone\"}}", GONE},
        {404, "{\"error\":{\"message\":\"Vector store vs_1 is gone\"}}", REFUSED},
        {404, "{\"error\":{\"message\":\"x\",\"param\":\"model\"}}", GONE},
        {404, "{\"error\":{\"message\":\"x\",\"code\":\"model_not_found\"}}", GONE},
        {404, "{\"error\":{\"message\":\"model 'x' not found\",\"type\":\"not_found_error\"}}",
         GONE},
        {404, "{\"message\":\"Model x not found, make sure the correct id was used\"}", GONE},
        {404,
         "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: "
         "claude-9\"}}",
         GONE},
        {404, "{\"object\":\"error\",\"message\":\"The model `x` does not exist.\",\"code\":404}",
         GONE},
        {404, "{\"error\":{\"code\":404,\"message\":\"No endpoints found for a/x.\"}}", GONE},
        {404,
         "{\"error\":{\"code\":404,\"message\":\"x\",\"availability\":{\"code\":\"no_endpoints\"}}"
         "}",
         GONE},
        {404, "{\"error\":{\"code\":404,\"message\":\"models/x is not found for API version v1\"}}",
         GONE},
        {404, "{\"detail\":\"Not Found\"}", GONE},
        {404, "{\"error\":{\"code\":404}}", GONE},
        {404, "<html>", GONE},
        {410, "", GONE},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

static void expect_spared(int status, const char *body, bool is_spared)
{
    struct remora_fail fail = classify(status, body, NULL);
    if (fail.code != REMORA_MODEL_UNAVAILABLE_UPSTREAM || fail.spares_health != is_spared) {
        print_error("%d %s: is %s, spared %d\n", status, body, remora_code_row(fail.code)->name,
                    fail.spares_health);
    }
    assert_int_equal(fail.code, REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    assert_int_equal(fail.spares_health, is_spared);
}

/* Vendors' words for a model that is gone; then what may concern one request: others are asked, and nothing rests. */
static void an_endpoint_rests_only_where_the_model_is_named(void **state)
{
    static const char *const gone[] = {
        "{\"error\":{\"message\":\"Not found the model kimi-k2 or Permission denied\",\"type\":"
        "\"resource_not_found_error\"}}",
        "{\"error\":{\"code\":404,\"message\":\"Publisher Model `projects/p/models/x` was not "
        "found or "
        "your project does not have access to it.\",\"status\":\"NOT_FOUND\"}}",
        "{\"error\":{\"message\":\"Model foo/bar does not exist\"}}",
        "{\"code\":404,\"reason\":\"MODEL_NOT_FOUND\",\"message\":\"nothing of this name\"}",
        "{\"error\":{\"message\":\"This model has been deprecated\",\"type\":"
        "\"invalid_request_error\"}}",
        "{\"error\":{\"message\":\"The model `x` has been deprecated, learn more here\"}}",
        "{\"error\":{\"code\":404}}",
        "<html>",
        "",
    };
    static const char *const unclear[] = {
        "{\"message\":\"no Route matched with those values\"}",
        "{\"error\":{\"message\":\"No allowed providers are available for the selected model.\"}}",
        "{\"error\":{\"code\":404,\"message\":\"No endpoints found that support tool use.\"}}",
        "{\"error\":{\"message\":\"x\",\"availability\":{\"code\":\"privacy_restricted\"}}}",
        "{\"error\":{\"message\":\"Image model x is gone\"}}",
        "{\"error\":{\"message\":\"tool-llm-2 is gone\"}}",
        "{\"error\":{\"message\":\"x says: The model `y` does not exist\"}}",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(gone); i++) {
        expect_spared(404, gone[i], false);
        expect_spared(410, gone[i], false);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(unclear); i++) {
        expect_spared(404, unclear[i], true);
        expect_spared(410, unclear[i], true);
    }
}

/* That the model is gone is told only where somebody said it. */
static void an_unclear_404_does_not_say_that_the_model_is_gone(void **state)
{
    static const struct {
        int status;
        const char *body;
        const char *begins;
    } cases[] = {
        {404, "{\"error\":{\"message\":\"The model `x` does not exist\"}}",
         "The provider no longer"},
        {404, "{\"error\":{\"message\":\"x\",\"code\":\"model_not_found\"}}",
         "The provider no longer"},
        {404, "{\"error\":{\"message\":\"x\",\"param\":\"model\"}}", "The provider no longer"},
        {404, "{\"message\":\"no Route matched with those values\"}", "The provider found nothing"},
        {404, "{\"detail\":\"Not Found\"}", "The provider found nothing"},
        {404, "<html>", "The provider found nothing"},
        {410, "", "The provider found nothing"},
        {403, FORBIDDEN("\"message\":\"m\",\"availability\":{\"code\":\"region_restricted\"}"),
         "A policy of the provider's"},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_fail fail = classify(cases[i].status, cases[i].body, NULL);
        assert_int_equal(fail.code, REMORA_MODEL_UNAVAILABLE_UPSTREAM);
        assert_memory_equal(fail.message, cases[i].begins, strlen(cases[i].begins));
    }
}

static void a_policy_behind_us_benches_neither_key_nor_endpoint(void **state)
{
    static const char *const reasons[] = {"MODEL_NOT_ALLOWED", "REGION_RESTRICTED",
                                          "PRIVACY_RESTRICTED", "PERMISSION_DENIED"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(reasons); i++) {
        char body[256];
        snprintf(body, sizeof body,
                 FORBIDDEN("\"message\":\"m\",\"error_type\":\"permission_denied\",\"metadata\":"
                           "{\"error_type\":\"permission_denied\",\"reason\":\"%s\"}"),
                 reasons[i]);
        expect_spared(403, body, true);
    }
    expect_spared(403,
                  FORBIDDEN("\"message\":\"This model is not available in your region.\","
                            "\"availability\":{\"code\":\"region_restricted\"}"),
                  true);
    expect_spared(403, "{\"error\":{\"message\":\"x\",\"code\":\"model_permission_blocked_org\"}}",
                  false);
    expect_spared(403,
                  "{\"error\":{\"message\":\"x\",\"code\":\"model_permission_blocked_project\"}}",
                  false);
    expect_spared(
        403, "{\"message\":\"You don't have access to the model with the specified model ID.\"}",
        false);
}

static void body_cannot_soften_a_status_of_the_server(void **state)
{
    static const struct expectation cases[] = {
        {500, "{\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\"}}",
         REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
        {429, "{\"error\":{\"message\":\"context length\"}}", REMORA_CAPACITY_EXHAUSTED,
         REMORA_CAUSE_RATE_LIMIT},
        {401, "{\"error\":{\"message\":\"flagged\"}}", REMORA_UPSTREAM_CREDENTIAL,
         REMORA_CAUSE_CREDENTIAL},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

/* reliability.md F20: a quota that is used up is a matter of the key, and no time of the provider's cures it. */
static void a_quota_that_is_used_up_is_the_keys(void **state)
{
    static const struct expectation cases[] = {
        {429,
         "{\"error\":{\"message\":\"You exceeded your current quota.\",\"type\":"
         "\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {429, "{\"error\":{\"message\":\"x\",\"type\":\"exceeded_current_quota_error\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {429, "{\"error\":{\"message\":\"Your organization has reached its Spend Limit.\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {403, "{\"error\":{\"message\":\"x\",\"code\":\"billing_hard_limit_reached\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {402, "{\"error\":{\"message\":\"Your credit balance is too low.\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {400, "{\"error\":{\"message\":\"x\",\"type\":\"insufficient_quota\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {400,
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your "
         "credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
         "upgrade or purchase credits.\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {402, "{\"error\":{\"type\":\"billing_error\",\"message\":\"x\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {429, "{\"error\":{\"code\":\"billing_not_active\",\"message\":\"x\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        /* A caller's words: quoted, about a field, or raised by a template. */
        {400,
         "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Invalid: Your credit "
         "balance "
         "is too low to access the Anthropic API.\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        {400,
         "{\"error\":{\"type\":\"invalid_request_error\",\"param\":\"messages\",\"message\":\"Your "
         "credit balance is too low to access the API.\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        {400,
         "{\"error\":{\"type\":\"BadRequestError\",\"message\":\"Your credit balance is too low to "
         "access the API.\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        /* It may be a prompt that is quoted. */
        {400, "{\"error\":{\"message\":\"cannot parse 'spend limit'\"}}",
         REMORA_UPSTREAM_REFUSED_REQUEST, REMORA_CAUSE_CLIENT_ERROR},
        {429, "{\"error\":{\"message\":\"You've reached your spending limit.\"}}",
         REMORA_UPSTREAM_CREDENTIAL, REMORA_CAUSE_QUOTA},
        {429,
         "{\"error\":{\"message\":\"Slow down, \\\"raise my spending limit\\\" is too much\"}}",
         REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        {429, "{\"error\":{\"message\":\"Slow down, `raise my spending limit` is too much\"}}",
         REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        {429, "{\"error\":{\"message\":\"Slow down: raise my spending limit is too much\"}}",
         REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        {429, "{\"error\":{\"message\":\"Slow down, 'raise my spending limit' is too much\"}}",
         REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        {429,
         "{\"error\":{\"message\":\"Below your spending limit, above your rate\",\"code\":"
         "\"rate_limit_exceeded\"}}",
         REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        /* What a minute allows. */
        {429,
         "{\"error\":{\"message\":\"You exceeded your current quota. Please retry in 32 s.\","
         "\"status\":\"RESOURCE_EXHAUSTED\",\"code\":429}}",
         REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        {500, "{\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}",
         REMORA_UPSTREAM_OVERLOADED, REMORA_CAUSE_SERVER_ERROR},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

static void refusal_tells_the_providers_words_and_field(void **state)
{
    struct remora_fail fail = classify(
        400,
        "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens'.\",\"type\":"
        "\"invalid_request_error\",\"param\":\"max_tokens\",\"code\":\"unsupported_parameter\"}}",
        NULL);
    (void)state;
    assert_string_equal(fail.message,
                        "The provider refused the request: Unsupported parameter: 'max_tokens'.");
    assert_string_equal(fail.param, "max_tokens");
}

static const char *const shapes[] = {
    "{\"error\":{\"message\":\"bad thing\"}}",
    "{\"error\":\"bad thing\",\"code\":\"x\"}",
    "[{\"error\":{\"code\":400,\"message\":\"bad thing\",\"status\":\"INVALID_ARGUMENT\"}}]",
    "{\"message\":\"bad thing\"}",
    "{\"object\":\"error\",\"message\":\"bad thing\",\"code\":3051}",
    "{\"detail\":\"bad thing\"}",
    "{\"detail\":[{\"loc\":[\"body\",\"n\"],\"msg\":\"bad thing\",\"type\":\"value_error\"}]}",
    "{\"success\":false,\"errors\":[{\"code\":1,\"message\":\"bad thing\"}]}",
    "{\"base_resp\":{\"status_code\":2013,\"status_msg\":\"bad thing\"}}",
    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"bad thing\"}}",
};

static void every_shape_of_envelope_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(shapes); i++) {
        struct remora_fail fail = classify(400, shapes[i], NULL);
        assert_string_equal(fail.message, "The provider refused the request: bad thing");
    }
}

static void words_of_a_server_error_or_credential_are_not_told(void **state)
{
    static const int statuses[] = {401, 402, 403, 429, 500, 503, 504};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(statuses); i++) {
        struct remora_fail fail = classify(
            statuses[i], "{\"error\":{\"message\":\"secret internals\",\"param\":\"p\"}}", NULL);
        assert_null(strstr(fail.message, "secret"));
        assert_string_equal(fail.param, "");
    }
}

/* Far behind the start of a message stands what a caller wrote. */
static void only_the_start_of_a_message_is_read(void **state)
{
    (void)state;
    for (int blanks = 160; blanks <= 220; blanks += 60) {
        char body[512];
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"%*sprompt is too long\"}}", blanks,
                 "");
        assert_int_equal(classify(400, body, NULL).code,
                         blanks < 200 ? REMORA_CONTEXT_LENGTH : REMORA_UPSTREAM_REFUSED_REQUEST);
        snprintf(body, sizeof body,
                 "{\"error\":{\"message\":\"%*sYou've reached your spending limit\"}}", blanks, "");
        assert_int_equal(classify(429, body, NULL).code,
                         blanks < 200 ? REMORA_UPSTREAM_CREDENTIAL : REMORA_CAPACITY_EXHAUSTED);
    }
}

/* A sentence may quote what the caller wrote, a code cannot. */
static void a_code_that_is_known_stands_above_the_sentence(void **state)
{
    static const struct expectation cases[] = {
        {429, "{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"prompt is too long\"}}",
         REMORA_CAPACITY_EXHAUSTED, REMORA_CAUSE_RATE_LIMIT},
        {400,
         "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"Your input was "
         "flagged\"}}",
         REMORA_CONTEXT_LENGTH, REMORA_CAUSE_CLIENT_ERROR},
    };
    (void)state;
    expect_all(cases, REMORA_COUNT_OF(cases));
}

/* Who asks for the code alone gets it, and what was found first stays. */
static void a_verdict_is_given_once(void **state)
{
    const struct envelope refused = {.message = REMORA_SLICE("prompt is too long")};
    const struct envelope loop = {.param = REMORA_SLICE("remora-hop"),
                                  .reason = REMORA_SLICE("WRONG_ENDPOINT")};
    struct remora_fail first = REMORA_FAIL_INIT;
    (void)state;
    assert_int_equal(envelope_judge(&refused, 400, NULL, REMORA_CAUSE_NONE, NULL),
                     REMORA_CONTEXT_LENGTH);
    assert_int_equal(envelope_judge(&loop, 400, NULL, REMORA_CAUSE_NONE, NULL),
                     REMORA_MODEL_UNAVAILABLE_UPSTREAM);
    (void)remora_fail_set(&first, REMORA_SHEDDING, NULL, "First.");
    first.cause = REMORA_CAUSE_MEMORY;
    (void)envelope_judge(&refused, 400, NULL, REMORA_CAUSE_NONE, &first);
    (void)envelope_judge(&loop, 400, NULL, REMORA_CAUSE_NONE, &first);
    assert_int_equal(first.code, REMORA_SHEDDING);
    assert_int_equal(first.cause, REMORA_CAUSE_MEMORY);
    assert_int_equal(first.upstream_status, 0);
    assert_string_equal(first.message, "First.");
}

static void keys_and_urls_are_taken_out_of_the_words(void **state)
{
    static const char *const hidden[] = {
        "sk-abcdef1234567890",
        "'sk-proj-a*****9xyz'.",
        "key=AIzaSyD4hidden",
        "Bearer topsecrettoken",
        "https://internal.example:8443/v1/chat",
        "(http://10.0.0.7/)",
        "eyJhbGciOiJIUzI1NiJ9.eyJ4IjoxfQ.abc",
        "0123456789abcdef0123456789abcdef",
        "gsk_abcdefgh",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AAAABBBBCCCCDDDDEEEEFFFFGGGGHH7A",
        "zzzzyyyyxxxxwwwwvvvvuuuuttttss9+",
        "0123456789ab-def_0123456789abcdef", /* 33 bytes, whatever stands between them */
        "sk-abcd",
        "0ZZZZZZZZZZZZZZZ0ZZZZZZZZZZZZZZZ",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(hidden); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"before %s after\"}}", hidden[i]);
        struct remora_fail fail = classify(400, body, NULL);
        assert_non_null(strstr(fail.message, "before "));
        assert_non_null(strstr(fail.message, " after"));
        assert_non_null(strstr(fail.message, "[removed]"));
        const char *tail =
            strrchr(hidden[i], ' ') == NULL ? hidden[i] : strrchr(hidden[i], ' ') + 1;
        assert_null(strstr(fail.message, tail));
    }
}

/* Keys and headers of a provider are known by their bytes, whatever they look like. */
/* What has no digit within its run of letters is a word, however long it is. */
static void long_words_are_no_keys(void **state)
{
    static const char *const kept[] = {
        "pneumonoultramicroscopicsilicovolcanoconiosis",
        "gpt4.pneumonoultramicroscopicsilicovolcanoconiosis",
        "a1b2c3d4e5f6g7h8.a1b2c3d4e5f6g7h8",
        "desk-bound", /* a prefix within a word begins no key */
        "sk-abc",     /* three more bytes make no key */
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(kept); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"before %s after\"}}", kept[i]);
        struct remora_fail fail = classify(400, body, NULL);
        assert_non_null(strstr(fail.message, kept[i]));
        assert_null(strstr(fail.message, "[removed]"));
    }
}

static void the_providers_own_secrets_are_removed(void **state)
{
    (void)state;
    struct remora_secret *secrets[] = {remora_secret_new(REMORA_SLICE("acme-canary")),
                                       remora_secret_new(REMORA_SLICE("other-key")),
                                       remora_secret_new(REMORA_SLICE("canary,tail")),
                                       remora_secret_new(REMORA_SLICE("q7")),
                                       remora_secret_new(REMORA_SLICE("token.of.session")),
                                       remora_secret_new(REMORA_SLICE("sixsix"))};
    const struct remora_credential credentials[] = {
        {.secret = secrets[0]}, {.secret = secrets[1], .session_token = secrets[4]}};
    const struct remora_header headers[] = {
        {.name = REMORA_SLICE_INIT("x-open"), .value = REMORA_SLICE_INIT("shown")},
        {.name = REMORA_SLICE_INIT("x-sec"), .secret = secrets[2]},
        {.name = REMORA_SLICE_INIT("x-short"), .secret = secrets[3]},
        {.name = REMORA_SLICE_INIT("x-six"), .secret = secrets[5]}};
    const struct remora_provider provider = {
        .headers = headers, .header_count = 4, .credentials = credentials, .credential_count = 2};
    static const struct {
        const char *said;
        const char *told;
    } cases[] = {
        {"a acme-canary b", "a [removed] b"},
        {"a key='acme-canary', b", "a [removed] b"},
        {"a xacme-canaryx b", "a [removed] b"},
        {"a token.of.session b xsixsixx", "a [removed] b [removed]"},
        {"a other-key canary,tail b", "a [removed] [removed] b"},
        {"acme-canary,tail b", "[removed] b"}, /* two that overlap */
        {"a other- key b", "a other- key b"},
        {"acme-canary", "[removed]"},
        {"acme-canar", "acme-canar"},
        {"a q7, b", "a [removed] b"},
        {"a (q7) b", "a [removed] b"},
        {"a q7x xq7 b shown", "a q7x xq7 b shown"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char out[64];
        scrub_text(remora_slice_of(cases[i].said), &provider, out, sizeof out);
        assert_string_equal(out, cases[i].told);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(secrets); i++) {
        remora_secret_free(secrets[i]);
    }
}

/* A word that does not fit is cut, and the text ends within its room. */
static void scrubbed_words_stay_in_their_room(void **state)
{
    static const char *const told[] = {"", "a", "ab", "abc", "abc", "abc d", "abc de", "abc def"};
    (void)state;
    for (size_t room = 1; room <= REMORA_COUNT_OF(told); room++) {
        char out[32];
        memset(out, '#', sizeof out);
        scrub_text(REMORA_SLICE("abc  def ghi"), NULL, out, room);
        assert_string_equal(out, told[room - 1]);
        for (size_t i = room; i < sizeof out; i++) {
            assert_int_equal(out[i], '#');
        }
    }
}

static void words_are_one_line_and_cut_at_a_character(void **state)
{
    char body[2048] = "{\"error\":{\"message\":\"a\\n\\u0000b\\t";
    (void)state;
    for (int i = 0; i < 400; i++) {
        strcat(body, "\xc3\xa9");
    }
    strcat(body, "\"}}");
    struct remora_fail fail = classify(400, body, NULL);
    assert_null(strchr(fail.message, '\n'));
    assert_non_null(strstr(fail.message, ": a b \xc3\xa9"));
    assert_true(strlen(fail.message) < sizeof fail.message);
    assert_true((unsigned char)fail.message[strlen(fail.message) - 1] == 0xa9);
}

static void header_hint_wins_over_the_bodys(void **state)
{
    struct remora_header ms[] = {
        {.name = REMORA_SLICE_INIT("Retry-After"), .value = REMORA_SLICE_INIT("7")},
        {.name = REMORA_SLICE_INIT("retry-after-ms"), .value = REMORA_SLICE_INIT("250")},
    };
    const char *body = "{\"error\":{\"code\":429,\"message\":\"x\",\"details\":[{\"@type\":"
                       "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34.4s\"}]}}";
    struct remora_http_response head = {.headers = ms, .header_count = 2};
    (void)state;
    assert_int_equal(classify(429, body, &head).retry_after_ms, 250);
    head.header_count = 1;
    assert_int_equal(classify(429, body, &head).retry_after_ms, 7000);
    assert_int_equal(classify(429, body, NULL).retry_after_ms, 34400);
    ms[0].value = REMORA_SLICE("0");
    assert_int_equal(classify(429, body, &head).retry_after_ms, 0); /* at once is no absence */
    assert_int_equal(classify(429, "", NULL).retry_after_ms, -1);
    assert_int_equal(
        classify(429, "{\"error\":{\"details\":[{\"reason\":\"RATE_LIMIT_EXCEEDED\"}]}}", NULL)
            .retry_after_ms,
        -1);
    assert_int_equal(
        classify(429,
                 "{\"error\":{\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
                 "\"retryDelay\":\"0s\"}]}}",
                 NULL)
            .retry_after_ms,
        0);
}

static void retry_after_may_be_a_date(void **state)
{
    const struct remora_header date[] = {
        {.name = REMORA_SLICE_INIT("Retry-After"),
         .value = REMORA_SLICE_INIT("Tue, 14 Nov 2023 22:13:30 GMT")}, /* 10 s after now */
    };
    const struct remora_http_response head = {.headers = date, .header_count = 1};
    (void)state;
    assert_int_equal(classify(503, "", &head).retry_after_ms, 10000);
}

static void error_under_200_is_in_band(void **state)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {{200, "{\"error\":{\"message\":\"x\",\"code\":503}}"},
                 {299, "{\"error\":{\"message\":\"x\",\"code\":503}}"},
                 {200, "{\"error\":{\"message\":\"x\",\"code\":599}}"}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_fail fail = classify(cases[i].status, cases[i].body, NULL);
        assert_int_equal(fail.code, REMORA_UPSTREAM_OVERLOADED);
        assert_int_equal(fail.cause, REMORA_CAUSE_IN_BAND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_alone_gives_the_class),
        cmocka_unit_test(a_remora_that_found_a_loop_is_told_from_every_other_refusal),
        cmocka_unit_test(body_tells_a_closer_class_of_a_refusal),
        cmocka_unit_test(a_bad_parameter_is_no_verdict_about_the_prompt),
        cmocka_unit_test(vendors_sentences_about_the_prompt_are_understood),
        cmocka_unit_test(quoted_words_of_a_caller_bench_neither_key_nor_endpoint),
        cmocka_unit_test(a_key_that_is_refused_under_400_is_known_by_its_code),
        cmocka_unit_test(xai_says_in_a_sentence_that_a_key_is_refused),
        cmocka_unit_test(forbidden_is_about_the_key_unless_it_says_content_or_model),
        cmocka_unit_test(missing_is_the_model_unless_something_else_is_named),
        cmocka_unit_test(an_endpoint_rests_only_where_the_model_is_named),
        cmocka_unit_test(an_unclear_404_does_not_say_that_the_model_is_gone),
        cmocka_unit_test(a_policy_behind_us_benches_neither_key_nor_endpoint),
        cmocka_unit_test(body_cannot_soften_a_status_of_the_server),
        cmocka_unit_test(a_quota_that_is_used_up_is_the_keys),
        cmocka_unit_test(refusal_tells_the_providers_words_and_field),
        cmocka_unit_test(every_shape_of_envelope_is_read),
        cmocka_unit_test(words_of_a_server_error_or_credential_are_not_told),
        cmocka_unit_test(only_the_start_of_a_message_is_read),
        cmocka_unit_test(a_code_that_is_known_stands_above_the_sentence),
        cmocka_unit_test(a_verdict_is_given_once),
        cmocka_unit_test(keys_and_urls_are_taken_out_of_the_words),
        cmocka_unit_test(long_words_are_no_keys),
        cmocka_unit_test(the_providers_own_secrets_are_removed),
        cmocka_unit_test(scrubbed_words_stay_in_their_room),
        cmocka_unit_test(words_are_one_line_and_cut_at_a_character),
        cmocka_unit_test(header_hint_wins_over_the_bodys),
        cmocka_unit_test(retry_after_may_be_a_date),
        cmocka_unit_test(error_under_200_is_in_band),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
