/* Requests of the openai-chat wire: whole bodies compared with what a reader of the vendors' documents expects. */
#include "support.h"

#include "remora/json.h"
#include "remora/policy.h"
#include "remora/provider.h"
#include "remora/secret.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct remora_arena arena;
    struct remora_provider provider;
    struct remora_endpoint endpoint;
    struct remora_request request;
    struct remora_build_input policy; /* what it says of providers */
    struct remora_build_output out;
    char *body;
};

static const struct remora_part hello = {.kind = REMORA_PART_TEXT,
                                         .text = REMORA_SLICE_INIT("Hi \"you\"\n")};
static const struct remora_message user = {
    .role = REMORA_ROLE_USER, .parts = &hello, .part_count = 1, .content_is_text = true};

static void begin(struct fixture *f, const char *slug, const char *dialect)
{
    memset(f, 0, sizeof *f);
    remora_arena_init(&f->arena, 4096, 8 << 20);
    f->provider.facts.slug = remora_slice_of(slug);
    f->provider.facts.dialect = remora_slice_of(dialect);
    f->provider.facts.base_url = REMORA_SLICE("https://api.example/v1");
    f->endpoint.provider = &f->provider;
    f->endpoint.facts.upstream_model = REMORA_SLICE("echo-1");
    f->endpoint.facts.supported = REMORA_PARAMETERS_ALL;
    remora_request_init(&f->request);
    f->request.messages = &user;
    f->request.message_count = 1;
}

static enum remora_code build(struct fixture *f, struct remora_fail *fail)
{
    struct remora_build_input input = f->policy;
    input.request = &f->request;
    input.endpoint = &f->endpoint;
    input.delivery = f->request.delivery;
    input.max_price_pico_usd = f->request.provider.max_price_pico_usd;
    return remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &f->arena, &f->out, fail);
}

/* The value of a header of what is built with this trace, or of none. */
static struct remora_slice built_header(struct fixture *f, const char *traceparent,
                                        const char *name)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_build_input input = {.request = &f->request,
                                             .endpoint = &f->endpoint,
                                             .traceparent = remora_slice_of(traceparent)};
    assert_int_equal(
        remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &f->arena, &f->out, &fail),
        REMORA_OK);
    const struct remora_http_response as_response = {.headers = f->out.http.headers,
                                                     .header_count = f->out.http.header_count};
    return remora_response_header(&as_response, name);
}

/* The pieces as one text, which must be valid JSON. */
static const char *body_of(struct fixture *f)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_json_limits limits = {64, 100000};
    struct remora_json_doc doc;
    struct remora_json_error error;
    size_t at = 0;
    assert_int_equal(build(f, &fail), REMORA_OK);
    f->body = calloc(1, f->out.http.body_bytes + 1);
    assert_non_null(f->body);
    for (size_t i = 0; i < f->out.http.body_pieces; i++) {
        memcpy(f->body + at, f->out.http.body[i].data, f->out.http.body[i].length);
        at += f->out.http.body[i].length;
    }
    assert_int_equal(at, f->out.http.body_bytes);
    assert_int_equal(remora_json_parse(remora_slice(f->body, at), &f->arena, &limits, &doc, &error),
                     REMORA_OK);
    assert_true(remora_json_is_absent(remora_json_duplicate(remora_json_root(&doc), &f->arena)));
    return f->body;
}

static void end(struct fixture *f)
{
    free(f->body);
    remora_arena_fini(&f->arena);
}

#define HEAD  "{\"model\":\"echo-1\",\"messages\":["
#define USER  "{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"}"
#define UNARY "],\"stream\":false"

static void plain_request_has_model_messages_and_delivery(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    assert_string_equal(body_of(&f), HEAD USER UNARY "}");
    assert_int_equal(f.out.choice_count, 0);
    assert_slice_equal(f.out.http.url, "https://api.example/v1/chat/completions");
    assert_int_equal(f.out.http.method, REMORA_POST);
    end(&f);
}

static void one_choice_is_not_asked_for(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.sampling.choice_count = (struct remora_opt_i64){1, true};
    assert_string_equal(body_of(&f), HEAD USER UNARY "}");
    assert_int_equal(f.out.choice_count, 0);
    end(&f);
}

static void stream_always_asks_for_usage(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.delivery = REMORA_STREAM;
    assert_string_equal(body_of(&f),
                        HEAD USER "],\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    end(&f);
    begin(&f, "mistral", "mistral"); /* refuses stream_options */
    f.request.delivery = REMORA_STREAM;
    assert_string_equal(body_of(&f), HEAD USER "],\"stream\":true}");
    end(&f);
}

static void build_is_repeatable(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    char *first = strdup(body_of(&f));
    free(f.body);
    assert_string_equal(body_of(&f), first);
    free(first);
    end(&f);
}

static void headers_name_the_key_and_never_hold_it(void **state)
{
    struct fixture f;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_credential credential = {.secret = remora_secret_new(REMORA_SLICE("sk-1"))};
    const struct remora_header extra[] = {
        {.name = REMORA_SLICE_INIT("X-Title"), .value = REMORA_SLICE_INIT("t")},
        {.name = REMORA_SLICE_INIT("accept"), .value = REMORA_SLICE_INIT("application/x")},
    };
    (void)state;
    begin(&f, "acme", "");
    f.provider.headers = extra;
    f.provider.header_count = 2;
    const struct remora_build_input input = {.request = &f.request,
                                             .endpoint = &f.endpoint,
                                             .credential = &credential,
                                             .upstream_request_id = REMORA_SLICE("req-1")};
    assert_int_equal(remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &f.arena, &f.out, &fail),
                     REMORA_OK);
    const struct remora_http_response as_response = {.headers = f.out.http.headers,
                                                     .header_count = f.out.http.header_count};
    assert_int_equal(f.out.http.header_count, 5);
    assert_slice_equal(remora_response_header(&as_response, "content-type"), "application/json");
    assert_slice_equal(remora_response_header(&as_response, "authorization"), "Bearer ");
    assert_ptr_equal(f.out.http.headers[1].secret, credential.secret);
    assert_slice_equal(remora_response_header(&as_response, "x-request-id"), "req-1");
    assert_slice_equal(remora_response_header(&as_response, "x-title"), "t");
    assert_slice_equal(remora_response_header(&as_response, "Accept"), "application/x");
    remora_secret_free(credential.secret);
    end(&f);
}

static struct remora_slice accept_of(enum remora_delivery delivery)
{
    struct fixture f;
    struct remora_fail fail = REMORA_FAIL_INIT;
    begin(&f, "acme", "");
    const struct remora_build_input input = {
        .request = &f.request, .endpoint = &f.endpoint, .delivery = delivery};
    assert_int_equal(remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &f.arena, &f.out, &fail),
                     REMORA_OK);
    const struct remora_http_response as_response = {.headers = f.out.http.headers,
                                                     .header_count = f.out.http.header_count};
    struct remora_slice accept = remora_response_header(&as_response, "accept"); /* a literal */
    end(&f);
    return accept;
}

/* No header goes out that says nothing, nor one beside the operator's of the same name. */
static void only_headers_with_a_value_go_out_and_each_once(void **state)
{
    static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const struct remora_header extra[] = {
        {.name = REMORA_SLICE_INIT("X-Title"), .value = REMORA_SLICE_INIT("t")},
        {.name = REMORA_SLICE_INIT("content-type"), .value = REMORA_SLICE_INIT("a/b")},
    };
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.provider.sends_trace = true;
    assert_slice_equal(built_header(&f, parent, "traceparent"), parent);
    assert_int_equal(f.out.http.header_count, 2); /* and Content-Type */
    f.provider.headers = extra;
    f.provider.header_count = 2;
    assert_slice_equal(built_header(&f, "", "content-type"), "a/b");
    assert_int_equal(f.out.http.header_count, 2);
    end(&f);
}

static void only_a_stream_names_what_it_accepts(void **state)
{
    (void)state;
    assert_slice_equal(accept_of(REMORA_STREAM), "text/event-stream");
    assert_int_equal(accept_of(REMORA_UNARY).length, 0);
}

static void fill_parameters(struct remora_request *request)
{
    static const struct remora_slice stops[] = {REMORA_SLICE_INIT("a"), REMORA_SLICE_INIT("\n")};
    static const struct remora_slice kinds[] = {REMORA_SLICE_INIT("text")};
    static const struct remora_logit_bias bias[] = {{50256, -100}, {7, 0.5}};
    struct remora_sampling *s = &request->sampling;
    s->max_output_tokens = (struct remora_opt_i64){16, true};
    s->temperature = (struct remora_opt_f64){0.7, true};
    s->top_p = (struct remora_opt_f64){0, true};
    s->top_k = (struct remora_opt_i64){40, true};
    s->min_p = (struct remora_opt_f64){0.05, true};
    s->top_a = (struct remora_opt_f64){0.1, true};
    s->frequency_penalty = (struct remora_opt_f64){-1.5, true};
    s->presence_penalty = (struct remora_opt_f64){1, true};
    s->repetition_penalty = (struct remora_opt_f64){1.1, true};
    s->seed = (struct remora_opt_i64){-7, true};
    s->choice_count = (struct remora_opt_i64){2, true};
    s->stop = (struct remora_slices){.items = stops, .count = 2, .is_set = true};
    s->logit_bias = bias;
    s->logit_bias_count = 2;
    request->parallel_tool_calls = REMORA_NO;
    request->logprobs = REMORA_YES;
    request->top_logprobs = (struct remora_opt_i64){3, true};
    request->end_user_id = REMORA_SLICE("u1");
    request->service_tier = REMORA_SLICE("flex");
    request->verbosity = REMORA_SLICE("low");
    request->prompt_cache_key = REMORA_SLICE("k");
    request->output_modalities = (struct remora_slices){.items = kinds, .count = 1, .is_set = true};
    request->reasoning.effort = REMORA_EFFORT_HIGH;
}

#define SAMPLING(max, seed)                                                                      \
    ",\"" max "\":16,\"temperature\":0.7,\"top_p\":0,\"top_k\":40,\"min_p\":0.05,\"top_a\":0.1," \
    "\"frequency_penalty\":-1.5,\"presence_penalty\":1,\"repetition_penalty\":1.1,\"" seed       \
    "\":-7,\"n\":2,\"stop\":[\"a\",\"\\n\"],\"logit_bias\":{\"50256\":-100,\"7\":0.5}"
/* SHA-256 of "\0\0u1\0": no namespace, no service. */
#define U1 "user-4247099791759eecdcf1684828fe6826"
#define OPTIONS                                                                               \
    ",\"parallel_tool_calls\":false,\"reasoning_effort\":\"high\",\"logprobs\":true,"         \
    "\"top_logprobs\":3,\"user\":\"" U1 "\",\"service_tier\":\"flex\",\"verbosity\":\"low\"," \
    "\"prompt_cache_key\":\"k\",\"modalities\":[\"text\"]"

static void every_parameter_is_written_under_its_name(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    fill_parameters(&f.request);
    assert_string_equal(body_of(&f), HEAD USER UNARY SAMPLING("max_tokens", "seed") OPTIONS "}");
    assert_int_equal(f.out.choice_count, 2);
    assert_int_equal(f.out.dropped_count, 0);
    end(&f);
}

static void dialect_names_the_fields(void **state)
{
    struct fixture f;
    (void)state;
    static const struct {
        const char *dialect;
        const char *members;
    } cases[] = {
        {"openai", ",\"max_completion_tokens\":16,\"seed\":-7}"},
        {"mistral", ",\"max_tokens\":16,\"random_seed\":-7}"},
        {"perplexity", ",\"max_tokens\":16,\"frequency_penalty\":1.1,\"seed\":-7}"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char expected[256];
        begin(&f, cases[i].dialect, cases[i].dialect);
        f.request.sampling.max_output_tokens = (struct remora_opt_i64){16, true};
        f.request.sampling.seed = (struct remora_opt_i64){-7, true};
        f.request.sampling.repetition_penalty = (struct remora_opt_f64){1.1, i == 2};
        snprintf(expected, sizeof expected, "%s%s", HEAD USER UNARY, cases[i].members);
        assert_string_equal(body_of(&f), expected);
        end(&f);
    }
}

static void dialect_openai_of_another_host_is_the_generic_one(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "novita", "openai");
    f.request.sampling.max_output_tokens = (struct remora_opt_i64){1, true};
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"max_tokens\":1}");
    end(&f);
    begin(&f, "openai-eu", "openai");
    f.provider.facts.base_url = REMORA_SLICE("https://api.openai.com/v1/");
    f.request.sampling.max_output_tokens = (struct remora_opt_i64){1, true};
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"max_completion_tokens\":1}");
    assert_slice_equal(f.out.http.url, "https://api.openai.com/v1/chat/completions");
    end(&f);
}

static void unsupported_parameter_is_left_out_and_listed(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.endpoint.facts.supported = UINT64_C(1) << REMORA_PARAMETER_MAX_TOKENS;
    f.request.sampling.max_output_tokens = (struct remora_opt_i64){16, true};
    f.request.sampling.temperature = (struct remora_opt_f64){0.5, true};
    f.request.sampling.seed = (struct remora_opt_i64){1, true};
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"max_tokens\":16}");
    assert_int_equal(f.out.dropped_count, 2);
    assert_int_equal(f.out.dropped[0].parameter, REMORA_PARAMETER_TEMPERATURE);
    assert_int_equal(f.out.dropped[1].parameter, REMORA_PARAMETER_SEED);
    assert_non_null(f.out.dropped[0].why);
    end(&f);
}

static void tools_are_sent_even_where_the_list_lacks_them(void **state)
{
    static const struct remora_tool tools[] = {
        {.kind = REMORA_TOOL_FUNCTION,
         .name = REMORA_SLICE_INIT("weather"),
         .description = REMORA_SLICE_INIT("of a city"),
         .parameters_json = REMORA_SLICE_INIT("{\"type\": \"object\"}"),
         .strict = REMORA_YES},
        {.kind = REMORA_TOOL_NATIVE, .native_json = REMORA_SLICE_INIT("{\"type\":\"web_search\"}")},
    };
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.endpoint.facts.supported = 0;
    f.request.tools = tools;
    f.request.tool_count = 2;
    f.request.tool_choice.kind = REMORA_TOOL_CHOICE_FUNCTION;
    f.request.tool_choice.function_name = REMORA_SLICE("weather");
    assert_string_equal(
        body_of(&f), HEAD USER UNARY
        ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":"
        "\"of a city\",\"parameters\":{\"type\": \"object\"},\"strict\":true}},"
        "{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":\"function\",\"function\":"
        "{\"name\":\"weather\"}}}");
    assert_int_equal(f.out.dropped_count, 0);
    end(&f);
}

static void none_is_said_by_sending_no_tools_where_there_is_no_word_for_it(void **state)
{
    static const struct remora_tool tools[] = {
        {.kind = REMORA_TOOL_FUNCTION, .name = REMORA_SLICE_INIT("weather")}};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.endpoint.facts.supported = UINT64_C(1) << REMORA_PARAMETER_TOOLS;
    f.request.tools = tools;
    f.request.tool_count = 1;
    f.request.tool_choice.kind = REMORA_TOOL_CHOICE_NONE;
    assert_string_equal(body_of(&f), HEAD USER UNARY "}");
    assert_int_equal(f.out.dropped_count, 0);
    free(f.body);
    f.endpoint.facts.supported = REMORA_PARAMETERS_ALL;
    assert_non_null(strstr(body_of(&f), "\"tool_choice\":\"none\""));
    end(&f);
}

static void tool_choice_has_the_dialects_word(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.tool_choice.kind = REMORA_TOOL_CHOICE_REQUIRED;
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"tool_choice\":\"required\"}");
    end(&f);
    begin(&f, "mistral", "mistral");
    f.request.tool_choice.kind = REMORA_TOOL_CHOICE_REQUIRED;
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"tool_choice\":\"any\"}");
    end(&f);
}

static void response_format_carries_its_schema_unchanged(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.response_format =
        (struct remora_response_format){.kind = REMORA_FORMAT_JSON_SCHEMA,
                                        .name = REMORA_SLICE("s"),
                                        .description = REMORA_SLICE("d"),
                                        .schema_json = REMORA_SLICE("{ \"a\":1e2 }"),
                                        .strict = REMORA_NO};
    assert_string_equal(
        body_of(&f), HEAD USER UNARY
        ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
        "{\"name\":\"s\",\"description\":\"d\",\"schema\":{ \"a\":1e2 },\"strict\":false}}}");
    end(&f);
}

static void reasoning_is_asked_as_the_dialect_asks(void **state)
{
    static const struct {
        const char *dialect;
        const char *text;
    } cases[] = {
        {"", ",\"reasoning_effort\":\"low\"}"},
        {"openrouter", ",\"reasoning\":{\"effort\":\"low\",\"max_tokens\":99,\"exclude\":true}}"},
        {"zai", ",\"thinking\":{\"type\":\"enabled\"},\"reasoning_effort\":\"low\"}"},
        {"qwen", ",\"enable_thinking\":true,\"thinking_budget\":99}"},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        char expected[512];
        begin(&f, "acme", cases[i].dialect);
        f.request.reasoning.effort = REMORA_EFFORT_LOW;
        f.request.reasoning.max_tokens = (struct remora_opt_i64){99, true};
        f.request.reasoning.exclude_from_response = true;
        snprintf(expected, sizeof expected, "%s%s", HEAD USER UNARY, cases[i].text);
        assert_string_equal(body_of(&f), expected);
        end(&f);
    }
}

/* openrouter.md 2.1: where only one can be said, the other becomes it by its share of the answer's tokens. */
static void budgets_and_efforts_become_each_other(void **state)
{
    static const struct {
        const char *dialect;
        enum remora_effort effort;
        int64_t budget, asked, most; /* tokens; 0: none */
        const char *text;
        size_t dropped;
    } cases[] = {
        {"", REMORA_EFFORT_UNSET, 349, 1000, 0, "\"reasoning_effort\":\"low\"}", 1},
        {"", REMORA_EFFORT_UNSET, 350, 1000, 0, "\"reasoning_effort\":\"medium\"}", 1},
        {"", REMORA_EFFORT_UNSET, 650, 1000, 9999, "\"reasoning_effort\":\"high\"}", 1},
        {"", REMORA_EFFORT_UNSET, 650, 0, 9999, "\"reasoning_effort\":\"low\"}", 1},
        {"", REMORA_EFFORT_UNSET, 650, 0, 0, "\"reasoning_effort\":\"medium\"}", 1},
        {"", REMORA_EFFORT_HIGH, 1, 1000, 0, "\"reasoning_effort\":\"high\"}", 1},
        {"zai", REMORA_EFFORT_UNSET, 900, 1000, 0, "\"reasoning_effort\":\"high\"}", 1},
        {"qwen", REMORA_EFFORT_MINIMAL, 0, 1000, 0, "\"thinking_budget\":100}", 0},
        {"qwen", REMORA_EFFORT_HIGH, 0, 0, 1000, "\"thinking_budget\":800}", 0},
        {"qwen", REMORA_EFFORT_MAX, 0, 0, 1000, "\"thinking_budget\":950}", 0},
        {"qwen", REMORA_EFFORT_HIGH, 0, 0, 0, "\"enable_thinking\":true}", 1},
        {"qwen", REMORA_EFFORT_HIGH, 7, 1000, 0, "\"thinking_budget\":7}", 1},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "acme", cases[i].dialect);
        f.request.reasoning.effort = cases[i].effort;
        f.request.reasoning.max_tokens =
            (struct remora_opt_i64){cases[i].budget, cases[i].budget > 0};
        f.request.sampling.max_output_tokens =
            (struct remora_opt_i64){cases[i].asked, cases[i].asked > 0};
        f.endpoint.facts.max_completion_tokens = cases[i].most;
        const char *body = body_of(&f);
        size_t from = strlen(body) - strlen(cases[i].text);
        assert_string_equal(body + from, cases[i].text);
        assert_int_equal(f.out.dropped_count, cases[i].dropped);
        end(&f);
    }
}

/* openrouter.md 2.1 "unsupported effort": the nearest; of two as near the lower. Told when it is not what was stated. */
static void an_effort_becomes_the_nearest_that_the_endpoint_has(void **state)
{
    enum { LOW = 1 << REMORA_EFFORT_LOW, MEDIUM = 1 << REMORA_EFFORT_MEDIUM };
    enum { HIGH = 1 << REMORA_EFFORT_HIGH, NONE = 1 << REMORA_EFFORT_NONE };
    enum { MAX = 1 << REMORA_EFFORT_MAX, MINIMAL = 1 << REMORA_EFFORT_MINIMAL };
    static const struct {
        const char *dialect;
        enum remora_effort asked;
        int has;
        const char *sent;
        const char *told; /* NULL: nothing */
    } cases[] = {
        {"", REMORA_EFFORT_MAX, LOW | HIGH, "\"reasoning_effort\":\"high\"}", "high, the nearest"},
        {"", REMORA_EFFORT_MINIMAL, NONE | LOW, "\"reasoning_effort\":\"low\"}",
         "low, the nearest"},
        {"", REMORA_EFFORT_MEDIUM, LOW | HIGH, "\"reasoning_effort\":\"low\"}", "low, the nearest"},
        {"", REMORA_EFFORT_LOW, MINIMAL | MEDIUM, "\"reasoning_effort\":\"minimal\"}",
         "minimal, the nearest"},
        {"", REMORA_EFFORT_HIGH, MAX, "\"reasoning_effort\":\"max\"}", "max, the nearest"},
        {"", REMORA_EFFORT_HIGH, LOW | HIGH, "\"reasoning_effort\":\"high\"}", NULL},
        {"", REMORA_EFFORT_HIGH, 0, "\"reasoning_effort\":\"high\"}", NULL},
        {"", REMORA_EFFORT_NONE, NONE | LOW, "\"reasoning_effort\":\"none\"}", NULL},
        {"", REMORA_EFFORT_UNSET, LOW, "\"reasoning_effort\":\"low\"}", NULL},
        {"zai", REMORA_EFFORT_MAX, MEDIUM, "\"reasoning_effort\":\"medium\"}",
         "medium, the nearest"},
        {"openrouter", REMORA_EFFORT_MAX, LOW, "\"effort\":\"max\",\"enabled\":true}}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "acme", cases[i].dialect);
        f.request.reasoning.effort = cases[i].asked;
        f.request.reasoning.enabled =
            cases[i].asked == REMORA_EFFORT_NONE ? REMORA_UNSET : REMORA_YES;
        f.endpoint.facts.efforts = (remora_effort_set)cases[i].has;
        const char *body = body_of(&f);
        assert_string_equal(body + strlen(body) - strlen(cases[i].sent), cases[i].sent);
        assert_int_equal(f.out.dropped_count, cases[i].told == NULL ? 0 : 1);
        if (cases[i].told != NULL) {
            assert_int_equal(f.out.dropped[0].parameter, REMORA_PARAMETER_REASONING);
            assert_non_null(strstr(f.out.dropped[0].why, cases[i].told));
        }
        end(&f);
    }
}

/* The catalog's `toggle` alone: an effort has no word there, whatever the dialect would say beside its switch. */
static void where_there_is_a_switch_alone_no_effort_goes(void **state)
{
    static const struct {
        const char *dialect;
        enum remora_effort effort; /* UNSET: a budget of 2000 */
        const char *rest;
        size_t dropped;
    } cases[] = {
        {"qwen", REMORA_EFFORT_MAX, ",\"enable_thinking\":true}", 1},
        {"qwen", REMORA_EFFORT_UNSET, ",\"enable_thinking\":true}", 1},
        {"qwen", REMORA_EFFORT_NONE, ",\"enable_thinking\":false}", 0},
        {"fireworks", REMORA_EFFORT_UNSET, ",\"thinking\":{\"type\":\"enabled\"}}", 1},
        {"together", REMORA_EFFORT_MAX, ",\"reasoning\":{\"enabled\":true}}", 1},
        {"together", REMORA_EFFORT_NONE, ",\"reasoning\":{\"enabled\":false}}", 0},
        {"moonshot", REMORA_EFFORT_LOW, ",\"thinking\":{\"type\":\"enabled\"}}", 1},
        {"fireworks", REMORA_EFFORT_LOW, ",\"thinking\":{\"type\":\"enabled\"}}", 1},
        {"fireworks", REMORA_EFFORT_NONE, ",\"thinking\":{\"type\":\"disabled\"}}", 0},
        {"minimax", REMORA_EFFORT_HIGH, ",\"reasoning_split\":true}", 1},
        {"generic", REMORA_EFFORT_NONE, "}", 1},
        {"generic", REMORA_EFFORT_HIGH, "}", 1},
        {"cerebras", REMORA_EFFORT_NONE, ",\"disable_reasoning\":true}", 0},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, cases[i].dialect, cases[i].dialect);
        f.endpoint.facts.efforts = remora_effort_bit(REMORA_EFFORT_NONE);
        f.endpoint.facts.lacks_budget = true;
        f.endpoint.facts.max_completion_tokens = 10000;
        f.request.reasoning.effort = cases[i].effort;
        f.request.reasoning.max_tokens =
            (struct remora_opt_i64){2000, cases[i].effort == REMORA_EFFORT_UNSET};
        remora_request_ask(&f.request, REMORA_PARAMETER_REASONING);
        assert_string_equal(body_of(&f) + strlen(HEAD USER UNARY), cases[i].rest);
        assert_int_equal(f.out.dropped_count, cases[i].dropped);
        end(&f);
    }
}

/* Who asks for no reasoning does not want, and pay for, the most that there is. */
static void no_reasoning_is_never_told_as_an_effort(void **state)
{
    static const struct {
        const char *dialect;
        const char *rest;
        size_t dropped;
    } cases[] = {
        {"generic", "}", 1},
        {"huggingface", "}", 1},
        {"xai", "}", 1},
        {"fireworks", "}", 1},
        {"groq", "}", 1},
        {"zai", ",\"thinking\":{\"type\":\"disabled\"}}", 0},
        {"together", ",\"reasoning\":{\"enabled\":false}}", 0},
        {"cerebras", ",\"disable_reasoning\":true}", 0},
        {"openrouter", ",\"reasoning\":{\"effort\":\"none\"}}", 0},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, cases[i].dialect, cases[i].dialect);
        f.endpoint.facts.efforts = remora_effort_bit(REMORA_EFFORT_HIGH);
        f.request.reasoning.effort = REMORA_EFFORT_NONE;
        remora_request_ask(&f.request, REMORA_PARAMETER_REASONING);
        assert_string_equal(body_of(&f) + strlen(HEAD USER UNARY), cases[i].rest);
        assert_int_equal(f.out.dropped_count, cases[i].dropped);
        end(&f);
    }
}

/* The catalog's `budget_tokens`, with a switch or without: the budget goes where there is a word for it, an effort nowhere. */
static void where_there_is_a_budget_alone_no_effort_goes(void **state)
{
    static const struct {
        const char *dialect;
        enum remora_effort effort; /* UNSET: a budget of 2000 */
        const char *rest;
        size_t dropped;
    } cases[] = {
        {"generic", REMORA_EFFORT_MAX, "}", 1},
        {"generic", REMORA_EFFORT_NONE, "}", 1},
        {"generic", REMORA_EFFORT_UNSET, "}", 1},
        {"nim", REMORA_EFFORT_LOW, "}", 1},
        {"fireworks", REMORA_EFFORT_UNSET,
         ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}}", 0},
        {"qwen", REMORA_EFFORT_UNSET, ",\"enable_thinking\":true,\"thinking_budget\":2000}", 0},
        {"qwen", REMORA_EFFORT_MEDIUM, ",\"enable_thinking\":true,\"thinking_budget\":5000}", 0},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, cases[i].dialect, cases[i].dialect);
        f.endpoint.facts.efforts = remora_effort_bit(REMORA_EFFORT_NONE);
        f.endpoint.facts.max_completion_tokens = 10000;
        f.request.reasoning.effort = cases[i].effort;
        f.request.reasoning.max_tokens =
            (struct remora_opt_i64){2000, cases[i].effort == REMORA_EFFORT_UNSET};
        remora_request_ask(&f.request, REMORA_PARAMETER_REASONING);
        assert_string_equal(body_of(&f) + strlen(HEAD USER UNARY), cases[i].rest);
        assert_int_equal(f.out.dropped_count, cases[i].dropped);
        end(&f);
    }
}

/* Fireworks' list of efforts without a budget: as elsewhere an effort stands for it, and that is told. */
static void a_budget_that_the_list_lacks_becomes_an_effort(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "fireworks", "fireworks");
    f.endpoint.facts.efforts =
        remora_effort_bit(REMORA_EFFORT_LOW) | remora_effort_bit(REMORA_EFFORT_HIGH);
    f.endpoint.facts.lacks_budget = true;
    f.endpoint.facts.max_completion_tokens = 10000;
    f.request.reasoning.max_tokens = (struct remora_opt_i64){9000, true};
    assert_string_equal(body_of(&f) + strlen(HEAD USER UNARY), ",\"reasoning_effort\":\"high\"}");
    assert_int_equal(f.out.dropped_count, 1);
    end(&f);
}

static void of_effort_and_budget_fireworks_gets_the_effort_and_says_why(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "fireworks", "fireworks");
    f.request.reasoning.effort = REMORA_EFFORT_LOW;
    f.request.reasoning.max_tokens = (struct remora_opt_i64){9000, true};
    assert_string_equal(body_of(&f) + strlen(HEAD USER UNARY), ",\"reasoning_effort\":\"low\"}");
    assert_int_equal(f.out.dropped_count, 1);
    assert_string_equal(f.out.dropped[0].why,
                        "the provider takes an effort or a budget, not both: the effort counts");
    end(&f);
}

/* OpenAI's scale ends at high; routers, and servers whose operator gave no list, are told what was asked. */
static void verbosity_ends_where_the_scale_of_the_provider_ends(void **state)
{
    static const struct {
        const char *slug;
        const char *dialect;
        const char *asked;
        const char *sent;
        bool is_listed;
    } cases[] = {
        {"openai", "openai", "max", "high", false},
        {"openai", "openai", "xhigh", "high", true},
        {"openai", "openai", "low", "low", true},
        {"acme", "", "max", "high", true},
        {"acme", "", "max", "max", false},
        {"openrouter", "openrouter", "max", "max", true},
        {"groq", "groq", "max", "high", false},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        char expected[64];
        begin(&f, cases[i].slug, cases[i].dialect);
        f.request.verbosity = remora_slice_of(cases[i].asked);
        if (cases[i].is_listed) {
            f.endpoint.facts.supported &= ~(UINT64_C(1) << REMORA_PARAMETER_TOP_K);
        }
        snprintf(expected, sizeof expected, "\"verbosity\":\"%s\"", cases[i].sent);
        assert_non_null(strstr(body_of(&f), expected));
        assert_int_equal(f.out.dropped_count, strcmp(cases[i].asked, cases[i].sent) != 0);
        end(&f);
    }
}

static void reasoning_is_switched_off(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.reasoning.enabled = REMORA_NO;
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"reasoning_effort\":\"none\"}");
    end(&f);
    begin(&f, "acme", "");
    f.request.reasoning.enabled = REMORA_NO;
    f.endpoint.facts.efforts = remora_effort_bit(REMORA_EFFORT_LOW);
    assert_string_equal(body_of(&f), HEAD USER UNARY "}");
    assert_int_equal(f.out.dropped_count, 1);
    end(&f);
    begin(&f, "acme", "moonshot");
    f.request.reasoning.effort = REMORA_EFFORT_NONE;
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"thinking\":{\"type\":\"disabled\"}}");
    end(&f);
}

static void reasoning_as_the_model_does_it_is_told_where_there_is_none(void **state)
{
    struct fixture f;
    (void)state;
    for (int has_reasoning = 0; has_reasoning < 2; has_reasoning++) {
        begin(&f, "acme", "");
        remora_request_ask(&f.request, REMORA_PARAMETER_REASONING);
        if (!has_reasoning) {
            f.endpoint.facts.supported &= ~(UINT64_C(1) << REMORA_PARAMETER_REASONING);
        }
        assert_string_equal(body_of(&f), HEAD USER UNARY "}");
        assert_int_equal(f.out.dropped_count, has_reasoning ? 0 : 1);
        end(&f);
    }
    begin(&f, "acme", ""); /* what there is none of is hidden */
    remora_request_ask(&f.request, REMORA_PARAMETER_REASONING);
    f.request.reasoning.exclude_from_response = true;
    f.endpoint.facts.supported &= ~(UINT64_C(1) << REMORA_PARAMETER_REASONING);
    assert_string_equal(body_of(&f), HEAD USER UNARY "}");
    assert_int_equal(f.out.dropped_count, 0);
    end(&f);
}

static void developer_role_goes_only_where_it_is_known(void **state)
{
    static const struct remora_message message = {
        .role = REMORA_ROLE_DEVELOPER, .parts = &hello, .part_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    assert_string_equal(body_of(&f),
                        HEAD "{\"role\":\"system\",\"content\":\"Hi \\\"you\\\"\\n\"}" UNARY "}");
    end(&f);
    begin(&f, "openai", "openai");
    f.request.messages = &message;
    f.endpoint.facts.upstream_model = REMORA_SLICE("gpt-5");
    assert_string_equal(body_of(&f),
                        "{\"model\":\"gpt-5\",\"messages\":["
                        "{\"role\":\"developer\",\"content\":\"Hi \\\"you\\\"\\n\"}" UNARY "}");
    end(&f);
}

static void parts_go_as_parts(void **state)
{
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT,
         .text = REMORA_SLICE_INIT("look"),
         .cache = {.is_set = true, .ttl_s = 3600}},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_URI,
                   .value = REMORA_SLICE_INIT("https://a.example/i.png"),
                   .detail = REMORA_SLICE_INIT("low")}},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_BASE64,
                   .value = REMORA_SLICE_INIT("iVBO"),
                   .mime_type = REMORA_SLICE_INIT("image/jpeg")}},
        {.kind = REMORA_PART_AUDIO,
         .media = {.source = REMORA_MEDIA_BYTES,
                   .value = REMORA_SLICE_INIT("RIFF"),
                   .mime_type = REMORA_SLICE_INIT("audio/mpeg")}},
        {.kind = REMORA_PART_VIDEO,
         .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a.example/v")}},
        {.kind = REMORA_PART_FILE,
         .media = {.source = REMORA_MEDIA_BASE64,
                   .value = REMORA_SLICE_INIT("JVBE"),
                   .filename = REMORA_SLICE_INIT("a.pdf")}},
        {.kind = REMORA_PART_FILE,
         .media = {.source = REMORA_MEDIA_FILE_ID, .value = REMORA_SLICE_INIT("file-1")}},
        {.kind = REMORA_PART_RAW, .text = REMORA_SLICE_INIT("{\"type\":\"new\"}")},
    };
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = parts, .part_count = REMORA_COUNT_OF(parts)};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.messages = &message;
    assert_string_equal(
        body_of(&f), HEAD
        "{\"role\":\"user\",\"content\":["
        "{\"type\":\"text\",\"text\":\"look\",\"cache_control\":{\"type\":\"ephemeral\","
        "\"ttl\":\"1h\"}},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a.example/i.png\","
        "\"detail\":\"low\"}},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,iVBO\"}},"
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\",\"format\":\"mp3\"}},"
        "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://a.example/v\"}},"
        "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":"
        "\"data:application/pdf;base64,JVBE\"}},"
        "{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}},"
        "{\"type\":\"new\"}]}" UNARY "}");
    end(&f);
}

static const struct remora_reasoning_block blocks[] = {
    {.kind = REMORA_REASONING_TEXT,
     .text = REMORA_SLICE_INIT("hm"),
     .signature = REMORA_SLICE_INIT("sig"),
     .format = REMORA_SLICE_INIT("anthropic-claude-v1"),
     .index = {0, true}},
    {.kind = REMORA_REASONING_ENCRYPTED,
     .text = REMORA_SLICE_INIT("ZZ"),
     .id = REMORA_SLICE_INIT("rs_1")},
};
static const struct remora_tool_call calls[] = {
    {.id = REMORA_SLICE_INIT("call_a"),
     .name = REMORA_SLICE_INIT("f"),
     .arguments_json = REMORA_SLICE_INIT("{\"a\":1}")},
    {.id = REMORA_SLICE_INIT("call_b"), .name = REMORA_SLICE_INIT("g"), .index = 1},
};
static const struct remora_part result = {.kind = REMORA_PART_TEXT,
                                          .text = REMORA_SLICE_INIT("42")};
static const struct remora_message tool_turn[] = {
    {.role = REMORA_ROLE_ASSISTANT,
     .tool_calls = calls,
     .tool_call_count = 2,
     .reasoning = blocks,
     .reasoning_count = 2,
     .extra = REMORA_SLICE_INIT(" {\"prefix\": true} ")},
    {.role = REMORA_ROLE_TOOL,
     .parts = &result,
     .part_count = 1,
     .tool_call_id = REMORA_SLICE_INIT("call_a"),
     .name = REMORA_SLICE_INIT("f"),
     .extra = REMORA_SLICE_INIT("{ }")},
};

#define CALLS                                                                                     \
    "\"content\":null,\"tool_calls\":[{\"id\":\"call_a\",\"type\":\"function\",\"function\":"     \
    "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"call_b\",\"type\":\"function\"," \
    "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]"
#define TOOL "{\"role\":\"tool\",\"content\":\"42\",\"name\":\"f\",\"tool_call_id\":\"call_a\"}"

static void tool_turn_is_echoed_with_what_the_dialect_wants_of_reasoning(void **state)
{
    static const struct {
        const char *dialect;
        const char *reasoning;
        size_t dropped; /* what is lost of the blocks is told, once; so is an unknown member */
        bool takes_prefix;
    } cases[] = {
        {"openai", "", 2, false},
        {"azure", "", 2, false},
        {"deepseek", ",\"reasoning_content\":\"hm\",\"prefix\":true", 1, true},
        {"groq", ",\"reasoning\":\"hm\"", 2, false},
        {"openrouter",
         ",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\",\"signature\":"
         "\"sig\",\"format\":\"anthropic-claude-v1\",\"index\":0},"
         "{\"type\":\"reasoning.encrypted\",\"data\":\"ZZ\",\"id\":\"rs_1\"}],\"prefix\": true",
         0, true},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        char expected[1024];
        begin(&f, "openai", cases[i].dialect);
        f.request.messages = tool_turn;
        f.request.message_count = 2;
        snprintf(expected, sizeof expected, "%s%s%s", HEAD "{\"role\":\"assistant\"," CALLS,
                 cases[i].reasoning, "}," TOOL UNARY "}");
        assert_string_equal(body_of(&f), expected);
        assert_int_equal(f.out.dropped_count, cases[i].dropped);
        if (!cases[i].takes_prefix) {
            assert_true(remora_slice_is(f.out.dropped[1].field, "messages[].prefix"));
        }
        if (cases[i].dropped > 0) {
            assert_true(remora_slice_is(f.out.dropped[0].field, "messages[].reasoning_details"));
        }
        end(&f);
    }
}

static void unknown_dialect_echoes_signed_reasoning_as_details_and_plain_as_text(void **state)
{
    static const struct remora_reasoning_block plain = {.text = REMORA_SLICE_INIT("hm")};
    static const struct remora_message message = {.role = REMORA_ROLE_ASSISTANT,
                                                  .parts = &result,
                                                  .part_count = 1,
                                                  .reasoning = &plain,
                                                  .reasoning_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    assert_string_equal(body_of(&f),
                        HEAD "{\"role\":\"assistant\",\"content\":\"42\",\"reasoning_content\":"
                             "\"hm\"}" UNARY "}");
    free(f.body);
    f.request.messages = tool_turn;
    assert_non_null(strstr(body_of(&f), "reasoning_details"));
    free(f.body);
    /* One opaque block among plain ones is enough, wherever it stands. */
    const struct remora_reasoning_block late[] = {plain, blocks[1]};
    const struct remora_message mixed = {.role = REMORA_ROLE_ASSISTANT,
                                         .parts = &result,
                                         .part_count = 1,
                                         .reasoning = late,
                                         .reasoning_count = 2};
    f.request.messages = &mixed;
    assert_non_null(strstr(body_of(&f), "reasoning_details"));
    free(f.body);
    /* A summary says that it is one. */
    const struct remora_reasoning_block shortened[] = {
        {.kind = REMORA_REASONING_SUMMARY, .text = REMORA_SLICE_INIT("in short")}, blocks[1]};
    const struct remora_message summed = {.role = REMORA_ROLE_ASSISTANT,
                                          .parts = &result,
                                          .part_count = 1,
                                          .reasoning = shortened,
                                          .reasoning_count = 2};
    f.request.messages = &summed;
    assert_non_null(
        strstr(body_of(&f), "{\"type\":\"reasoning.summary\",\"summary\":\"in short\""));
    end(&f);
}

static void a_trace_goes_only_to_who_is_meant_to_see_it(void **state)
{
    static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.tracestate = REMORA_SLICE("a=b");
    f.request.baggage = REMORA_SLICE("c=d");
    assert_int_equal(built_header(&f, parent, "traceparent").length, 0);
    assert_int_equal(built_header(&f, parent, "tracestate").length, 0);
    assert_int_equal(built_header(&f, parent, "baggage").length, 0);
    f.provider.sends_trace = true;
    assert_slice_equal(built_header(&f, parent, "traceparent"), parent);
    assert_slice_equal(built_header(&f, parent, "tracestate"), "a=b");
    assert_slice_equal(built_header(&f, parent, "baggage"), "c=d");
    assert_int_equal(built_header(&f, "", "traceparent").length, 0);
    assert_int_equal(built_header(&f, "", "tracestate").length, 0);
    assert_int_equal(built_header(&f, "", "baggage").length, 0);
    end(&f);
}

/* The id that stands behind `name`, which must be nine letters and digits. */
static struct remora_slice nine_behind(const char *body, const char *name)
{
    const char *id = strstr(body, name);
    assert_non_null(id);
    id += strlen(name);
    for (size_t i = 0; i < 9; i++) {
        assert_true((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'A' && id[i] <= 'Z') ||
                    (id[i] >= 'a' && id[i] <= 'z'));
    }
    assert_int_equal(id[9], '"');
    return remora_slice(id, 9);
}

static void an_id_of_the_right_length_and_the_wrong_letters_is_rewritten(void **state)
{
    static const char *const ids[] = {"call-1234", "call_1234", "0123456.8", "zZaA09[`{"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(ids); i++) {
        const struct remora_tool_call call = {.id = remora_slice_of(ids[i]),
                                              .name = REMORA_SLICE("f"),
                                              .arguments_json = REMORA_SLICE("{}")};
        const struct remora_message turn[] = {
            {.role = REMORA_ROLE_ASSISTANT, .tool_calls = &call, .tool_call_count = 1},
            {.role = REMORA_ROLE_TOOL,
             .tool_call_id = call.id,
             .parts = &hello,
             .part_count = 1,
             .content_is_text = true},
        };
        struct fixture f;
        begin(&f, "mistral", "mistral");
        f.request.messages = turn;
        f.request.message_count = 2;
        const char *body = body_of(&f);
        struct remora_slice made = nine_behind(body, "\"id\":\"");
        assert_true(remora_slice_equal(made, nine_behind(body, "\"tool_call_id\":\"")));
        assert_false(remora_slice_is(made, ids[i]));
        end(&f);
    }
}

static void a_tool_keeps_its_cache_mark(void **state)
{
    static const struct remora_tool tool = {.name = REMORA_SLICE_INIT("f"),
                                            .cache = {.is_set = true, .ttl_s = 3600}};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.tools = &tool;
    f.request.tool_count = 1;
    assert_non_null(
        strstr(body_of(&f), "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}"));
    end(&f);
}

static void sound_of_no_type_is_wav(void **state)
{
    static const struct remora_part part = {
        .kind = REMORA_PART_AUDIO,
        .media = {.source = REMORA_MEDIA_BASE64, .value = REMORA_SLICE_INIT("AAAA")}};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), "{\"data\":\"AAAA\",\"format\":\"wav\"}"));
    end(&f);
}

static void audio_that_lies_elsewhere_is_named(void **state)
{
    static const struct remora_part part = {
        .kind = REMORA_PART_AUDIO,
        .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a.example/a")}};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), "{\"type\":\"audio_url\",\"audio_url\":{\"url\":"
                                        "\"https://a.example/a\"}}"));
    end(&f);
}

static void a_refusal_alone_goes_back_without_content(void **state)
{
    static const struct remora_part refusal = {.kind = REMORA_PART_REFUSAL,
                                               .text = REMORA_SLICE_INIT("No.")};
    static const struct remora_message message = {
        .role = REMORA_ROLE_ASSISTANT, .parts = &refusal, .part_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "openai", "");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), "{\"role\":\"assistant\",\"refusal\":\"No.\"}"));
    end(&f);
}

static const struct remora_pair extra[] = {
    {REMORA_SLICE_INIT("safe_prompt"), REMORA_SLICE_INIT("true")},
    {REMORA_SLICE_INIT("stream"), REMORA_SLICE_INIT("true")},
    {REMORA_SLICE_INIT("model"), REMORA_SLICE_INIT("\"other\"")},
    {REMORA_SLICE_INIT("temperature"), REMORA_SLICE_INIT("9")},
    {REMORA_SLICE_INIT("guided_json"), REMORA_SLICE_INIT("{ }")},
};

static void use_extra(struct fixture *f)
{
    f->request.extra = extra;
    f->request.extra_count = REMORA_COUNT_OF(extra);
}

static void assert_dropped(const struct fixture *f, const char *const *names, size_t count)
{
    assert_int_equal(f->out.dropped_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_slice_equal(remora_dropped_name(&f->out.dropped[i]), names[i]);
        assert_non_null(f->out.dropped[i].why);
    }
}

static void further_fields_go_on_but_cannot_replace_ours(void **state)
{
    static const char *const dropped[] = {"stream", "model", "temperature"};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    use_extra(&f);
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"safe_prompt\":true,\"guided_json\":{ }}");
    assert_dropped(&f, dropped, REMORA_COUNT_OF(dropped));
    end(&f);
}

static bool searches(const char *slug, const char *dialect, const char *key, const char *value)
{
    const struct remora_pair field = {remora_slice_of(key), remora_slice_of(value)};
    struct fixture f;
    begin(&f, slug, dialect);
    f.request.extra = &field;
    f.request.extra_count = 1;
    (void)body_of(&f);
    bool may = f.out.may_search;
    end(&f);
    return may;
}

static void models_that_search_for_every_request_are_known_by_name(void **state)
{
    static const struct {
        const char *model;
        bool may;
    } cases[] = {{"gpt-4o-search-preview", true},
                 {"openai/gpt-4o-mini-search-preview-2025-03-11", true},
                 {"gpt-5-search-api", true},
                 {"perplexity/sonar", true}, /* Perplexity's, through a router */
                 {"sonar-reasoning-pro", true},
                 {"perplexity/llama-3.1-sonar-small-128k-online", true},
                 {"perplexity/sonar:free", false}, /* no such id */
                 {"acme/sonarqube-1", false},
                 {"sonar/echo", false},
                 {"perplexity/r1-1776", false}, /* does not search */
                 {"relace-search", false}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "acme", "");
        f.endpoint.facts.upstream_model = remora_slice_of(cases[i].model);
        (void)body_of(&f);
        assert_int_equal(f.out.may_search, cases[i].may);
        end(&f);
    }
}

static void only_a_switch_that_is_sent_and_on_makes_a_search(void **state)
{
    static const struct {
        const char *slug;
        const char *dialect;
        const char *key;
        const char *value;
        bool may;
    } cases[] = {
        {"qwen", "qwen", "enable_search", "true", true},
        {"qwen", "qwen", "enable_search", "false", false},
        {"qwen", "qwen", "search_options", "{}", false},
        {"openai", "openai", "enable_search", "true", false}, /* dropped */
        {"xai", "xai", "search_parameters", "{\"mode\":\"on\"}", true},
        {"xai", "xai", "search_parameters", "{}", true},
        {"xai", "xai", "search_parameters", "{\"mode\":\"off\"}", false},
        {"xai", "xai", "search_parameters", "null", false},
        {"acme", "", "research_id", "\"r\"", false},
        {"perplexity", "perplexity", "search_mode", "\"web\"", true}, /* as always */
        {"perplexity", "perplexity", "disable_search", "false", true},
        {"perplexity", "perplexity", "disable_search", "true", false},
        {"openai", "openai", "disable_search", "true", false}, /* dropped */
    };
    static const char *const knows_no_off[] = {"gpt-4o-search-preview", "gpt-5-search-api",
                                               "perplexity/sonar-pro"};
    struct fixture f;
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_int_equal(searches(cases[i].slug, cases[i].dialect, cases[i].key, cases[i].value),
                         cases[i].may);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(knows_no_off); i++) { /* whoever is sent the word */
        const struct remora_pair off = {REMORA_SLICE("disable_search"), REMORA_SLICE("true")};
        begin(&f, "acme", "");
        f.endpoint.facts.upstream_model = remora_slice_of(knows_no_off[i]);
        f.request.extra = &off;
        f.request.extra_count = 1;
        assert_non_null(strstr(body_of(&f), "disable_search"));
        assert_true(f.out.may_search);
        end(&f);
    }
    begin(&f, "acme", "");
    f.request.web_search_options_json = REMORA_SLICE("{}");
    assert_non_null(strstr(body_of(&f), "web_search_options"));
    assert_true(f.out.may_search);
    end(&f);
    begin(&f, "acme", "");
    f.endpoint.facts.supported = UINT64_C(1) << REMORA_PARAMETER_SEED;
    f.request.web_search_options_json = REMORA_SLICE("{}");
    assert_null(strstr(body_of(&f), "web_search_options"));
    assert_false(f.out.may_search);
    end(&f);
}

static void further_fields_go_only_where_the_provider_has_them(void **state)
{
    static const char *const by_mistral[] = {"stream", "model", "temperature", "guided_json"};
    static const char *const by_openai[] = {"safe_prompt", "stream", "model", "temperature",
                                            "guided_json"};
    struct fixture f;
    (void)state;
    begin(&f, "mistral", "mistral");
    use_extra(&f);
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"safe_prompt\":true}");
    assert_dropped(&f, by_mistral, REMORA_COUNT_OF(by_mistral));
    end(&f);
    begin(&f, "openai", "openai");
    use_extra(&f);
    assert_string_equal(body_of(&f), HEAD USER UNARY "}");
    assert_dropped(&f, by_openai, REMORA_COUNT_OF(by_openai));
    end(&f);
    begin(&f, "acme", ""); /* an endpoint with a list of its own takes what the list says */
    f.endpoint.facts.supported = UINT64_C(1) << REMORA_PARAMETER_SEED;
    use_extra(&f);
    assert_string_equal(body_of(&f), HEAD USER UNARY "}");
    assert_dropped(&f, by_openai, REMORA_COUNT_OF(by_openai));
    end(&f);
}

static void further_members_of_a_message_go_where_further_fields_go(void **state)
{
    static const struct remora_message said[] = {
        {.role = REMORA_ROLE_USER,
         .parts = &hello,
         .part_count = 1,
         .content_is_text = true,
         .extra = REMORA_SLICE_INIT("{\"a\\u0062\":[1],\"prefix\":true}")},
        {.role = REMORA_ROLE_ASSISTANT,
         .parts = &result,
         .part_count = 1,
         .content_is_text = true,
         .extra = REMORA_SLICE_INIT("{\"x\":1, \"prefix\" : false,\"partial\":false}")},
    };
    static const struct {
        const char *dialect;
        bool has_list;
        const char *user;
        const char *assistant;
        const char *dropped[4];
    } cases[] = {
        {"",
         false,
         ",\"a\\u0062\":[1],\"prefix\":true",
         ",\"x\":1, \"prefix\" : false,\"partial\":false",
         {NULL}},
        {"",
         true,
         "",
         "",
         {"messages[].ab", "messages[].prefix", "messages[].x", "messages[].partial"}},
        {"openai",
         false,
         "",
         "",
         {"messages[].ab", "messages[].prefix", "messages[].x", "messages[].partial"}},
        {"mistral",
         false,
         "",
         ",\"prefix\":false",
         {"messages[].ab", "messages[].prefix", "messages[].x", "messages[].partial"}},
        {"moonshot",
         false,
         "",
         ",\"partial\":false",
         {"messages[].ab", "messages[].prefix", "messages[].x"}},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        char expected[512];
        size_t count = 0;
        begin(&f, cases[i].dialect[0] == '\0' ? "acme" : cases[i].dialect, cases[i].dialect);
        if (cases[i].has_list) {
            f.endpoint.facts.supported = UINT64_C(1) << REMORA_PARAMETER_SEED;
        }
        f.request.messages = said;
        f.request.message_count = 2;
        while (count < 4 && cases[i].dropped[count] != NULL) {
            count++;
        }
        snprintf(expected, sizeof expected,
                 HEAD "{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"%s},"
                      "{\"role\":\"assistant\",\"content\":\"42\"%s}" UNARY "}",
                 cases[i].user, cases[i].assistant);
        assert_string_equal(body_of(&f), expected);
        assert_dropped(&f, cases[i].dropped, count);
        end(&f);
    }
}

static void a_dropped_member_leaves_the_beginning_marked(void **state)
{
    static const struct remora_message said = {.role = REMORA_ROLE_ASSISTANT,
                                               .parts = &result,
                                               .part_count = 1,
                                               .content_is_text = true,
                                               .extra = REMORA_SLICE_INIT("{\"x\":1}")};
    struct fixture f;
    (void)state;
    begin(&f, "mistral", "mistral");
    f.request.messages = &said;
    assert_string_equal(body_of(&f), HEAD
                        "{\"role\":\"assistant\",\"content\":\"42\",\"prefix\":true}" UNARY "}");
    end(&f);
}

static void a_list_of_dropped_fields_never_ends_in_silence(void **state)
{
    struct remora_pair many[60];
    char names[60][8];
    struct fixture f;
    (void)state;
    begin(&f, "openai", "openai");
    for (size_t i = 0; i < REMORA_COUNT_OF(many); i++) {
        snprintf(names[i], sizeof names[i], "x%zu", i);
        many[i] = (struct remora_pair){remora_slice_of(names[i]), REMORA_SLICE("1")};
    }
    f.request.extra = many;
    f.request.extra_count = REMORA_COUNT_OF(many);
    (void)body_of(&f);
    assert_int_equal(f.out.dropped_count, REMORA_DROPPED_MAX);
    assert_slice_equal(remora_dropped_name(&f.out.dropped[0]), "x0");
    assert_slice_equal(remora_dropped_name(&f.out.dropped[REMORA_DROPPED_MAX - 1]), "others");
    end(&f);
}

static void no_end_user_leaves_by_name(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.identity.service = REMORA_SLICE("checkout");
    f.request.identity.namespace_name = REMORA_SLICE("shop");
    f.request.end_user_id = REMORA_SLICE("ann@a.example");
    f.request.safety_identifier = REMORA_SLICE("ann@a.example");
    assert_string_equal(body_of(&f), HEAD USER UNARY
                        ",\"user\":\"user-1e589c7596ed64c9271d0973191363f6\",\"safety_identifier\":"
                        "\"user-1e589c7596ed64c9271d0973191363f6\"}");
    assert_null(strstr(f.body, "a.example"));
    end(&f);
}

static void objects_of_the_caller_go_on_byte_for_byte(void **state)
{
    static const struct remora_slice kinds[] = {REMORA_SLICE_INIT("text"),
                                                REMORA_SLICE_INIT("audio")};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.output_modalities =
        (struct remora_slices){.items = kinds, .count = 2, .is_set = true};
    f.request.audio_json = REMORA_SLICE("{\"voice\":\"alloy\", \"format\":\"wav\"}");
    f.request.image_config_json = REMORA_SLICE("{ \"aspect_ratio\":\"1:1\"}");
    f.request.prediction_json = REMORA_SLICE("{\"content\":\"x\",\"type\":\"content\"}");
    f.request.web_search_options_json = REMORA_SLICE("{}");
    f.request.prompt_cache_options_json = REMORA_SLICE("{\"mode\":\"explicit\"}");
    f.request.structured_outputs = REMORA_YES;
    f.request.cache = (struct remora_cache_breakpoint){.is_set = true};
    assert_string_equal(
        body_of(&f), HEAD USER UNARY
        ",\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":\"alloy\", \"format\":\"wav\"},"
        "\"image_config\":{ \"aspect_ratio\":\"1:1\"},\"prediction\":{\"content\":\"x\",\"type\":"
        "\"content\"},\"web_search_options\":{},\"prompt_cache_options\":{\"mode\":\"explicit\"},"
        "\"cache_control\":{\"type\":\"ephemeral\"}}");
    assert_int_equal(f.out.dropped_count, 1);
    assert_int_equal(f.out.dropped[0].parameter, REMORA_PARAMETER_STRUCTURED_OUTPUTS);
    end(&f);
}

static void structured_outputs_are_said_or_told(void **state)
{
    static const struct {
        const char *dialect;
        enum remora_format_kind format;
        bool is_supported;
        const char *why; /* NULL: not dropped */
    } cases[] = {
        {"", REMORA_FORMAT_UNSET, true, "only as a response_format"},
        {"", REMORA_FORMAT_JSON_SCHEMA, true, NULL},
        {"openrouter", REMORA_FORMAT_UNSET, true, NULL},
        {"openrouter", REMORA_FORMAT_UNSET, false, "the endpoint does not support it"},
        {"", REMORA_FORMAT_JSON_SCHEMA, false, "the endpoint does not support it"},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "acme", cases[i].dialect);
        f.request.structured_outputs = REMORA_YES;
        f.request.response_format.kind = cases[i].format;
        f.request.response_format.name = REMORA_SLICE("n");
        if (!cases[i].is_supported) {
            f.endpoint.facts.supported &= ~(UINT64_C(1) << REMORA_PARAMETER_STRUCTURED_OUTPUTS);
        }
        bool is_sent = strstr(body_of(&f), "\"structured_outputs\":true") != NULL;
        assert_int_equal(is_sent, cases[i].dialect[0] != '\0' && cases[i].is_supported);
        assert_int_equal(f.out.dropped_count, cases[i].why == NULL ? 0 : 1);
        if (cases[i].why != NULL) {
            assert_non_null(strstr(f.out.dropped[0].why, cases[i].why));
        }
        end(&f);
    }
}

static void cache_marks_have_the_provider_s_spelling_or_are_told(void **state)
{
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT,
         .text = REMORA_SLICE_INIT("a"),
         .cache = {.is_set = true, .ttl_s = 300}},
        {.kind = REMORA_PART_TEXT,
         .text = REMORA_SLICE_INIT("b"),
         .cache = {.is_set = true, .is_explicit = true}},
    };
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = parts, .part_count = 2};
    static const char *const told[] = {"cache_control"};
    struct fixture f;
    (void)state;
    begin(&f, "openai", "openai");
    f.request.messages = &message;
    assert_string_equal(body_of(&f),
                        HEAD "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                             "{\"type\":\"text\",\"text\":\"b\",\"prompt_cache_breakpoint\":"
                             "{\"mode\":\"explicit\"}}]}" UNARY "}");
    assert_dropped(&f, told, 1);
    end(&f);
    begin(&f, "openrouter", "openrouter");
    f.request.messages = &message;
    assert_string_equal(
        body_of(&f),
        HEAD "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\","
             "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"5m\"}},{\"type\":"
             "\"text\",\"text\":\"b\",\"cache_control\":{\"type\":\"ephemeral\"}}]}" UNARY "}");
    assert_int_equal(f.out.dropped_count, 0);
    end(&f);
}

/* The marks that are sent, not those that were asked for, say how long what is written will live. */
static void what_is_sent_says_how_long_the_cache_lives(void **state)
{
    static const struct {
        const char *dialect;
        int32_t first_s, second_s; /* of the two marks; -1: no mark */
        enum remora_cache_life life;
    } cases[] = {
        {"openrouter", -1, -1, REMORA_CACHE_LIFE_UNSAID},
        {"openrouter", 3600, -1, REMORA_CACHE_LIFE_HOUR},
        {"openrouter", 3600, 3600, REMORA_CACHE_LIFE_HOUR},
        {"openrouter", -1, 0, REMORA_CACHE_LIFE_SHORT},
        {"openrouter", 300, 0, REMORA_CACHE_LIFE_SHORT},
        {"openrouter", 3600, 0, REMORA_CACHE_LIFE_MIXED},
        {"openrouter", 300, 3600, REMORA_CACHE_LIFE_MIXED},
        {"groq", 3600, 3600, REMORA_CACHE_LIFE_UNSAID}, /* takes no marks */
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        const struct remora_part part = {
            .kind = REMORA_PART_TEXT,
            .text = REMORA_SLICE("a"),
            .cache = {.is_set = cases[i].first_s >= 0, .ttl_s = cases[i].first_s}};
        const struct remora_message message = {
            .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1};
        struct fixture f;
        begin(&f, cases[i].dialect, cases[i].dialect);
        f.request.messages = &message;
        f.request.cache = (struct remora_cache_breakpoint){.is_set = cases[i].second_s >= 0,
                                                           .ttl_s = cases[i].second_s};
        (void)body_of(&f);
        assert_int_equal(f.out.cache_life, cases[i].life);
        end(&f);
    }
}

/* ChatToolCall of OpenRouter's specification has no such member either. */
static void a_mark_on_a_call_is_told(void **state)
{
    static const struct remora_tool_call marked[] = {
        {.id = REMORA_SLICE_INIT("c"), .name = REMORA_SLICE_INIT("f")},
        {.id = REMORA_SLICE_INIT("d"), .name = REMORA_SLICE_INIT("g"), .cache = {.is_set = true}}};
    static const struct remora_message message = {
        .role = REMORA_ROLE_ASSISTANT, .tool_calls = marked, .tool_call_count = 2};
    static const char *const told[] = {"messages[].tool_calls[].cache_control"};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.messages = &message;
    assert_null(strstr(body_of(&f), "cache_control"));
    assert_dropped(&f, told, 1);
    end(&f);
}

static void trial_features_go_to_who_takes_them_and_are_told_elsewhere(void **state)
{
    static const struct remora_slice names[] = {
        REMORA_SLICE_INIT("interleaved-thinking-2025-05-14"),
        REMORA_SLICE_INIT("structured-outputs-2025-11-13")};
    static const struct {
        const char *dialect;
        remora_parameter_set supported;
        bool is_sent;
    } cases[] = {
        {"openrouter", REMORA_PARAMETERS_ALL, true},
        {"openrouter", 0, true},
        {"", REMORA_PARAMETERS_ALL, true},
        {"", 0, false}, /* of the catalog: what it takes is known */
        {"openai", REMORA_PARAMETERS_ALL, false},
        {"vllm", REMORA_PARAMETERS_ALL, false},
    };
    static const char *const told[] = {"x-anthropic-beta"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, cases[i].dialect, cases[i].dialect);
        f.endpoint.facts.supported = cases[i].supported;
        const struct remora_slices betas = {.items = names, .count = 2, .is_set = true};
        f.request.betas = &betas;
        assert_slice_equal(built_header(&f, "", "x-anthropic-beta"),
                           cases[i].is_sent
                               ? "interleaved-thinking-2025-05-14,structured-outputs-2025-11-13"
                               : "");
        assert_dropped(&f, told, cases[i].is_sent ? 0 : 1);
        end(&f);
    }
}

static void trial_features_join_those_of_the_configuration(void **state)
{
    static const struct remora_slice names[] = {REMORA_SLICE_INIT("a"), REMORA_SLICE_INIT("b")};
    static const struct {
        const char *dialect;
        const char *own;
        const char *x_name; /* what goes out under each name */
        const char *name;
    } cases[] = {
        {"openrouter", "X-Anthropic-Beta", "c, a,b", ""},
        {"openrouter", "anthropic-beta", "a,b", "c, a,b"}, /* its own name alone is heard there */
        {"", "x-anthropic-beta", "c, a,b", ""},
        {"", "Anthropic-Beta", "", "c, a,b"},
    };
    const struct remora_slices betas = {.items = names, .count = 2, .is_set = true};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        const struct remora_header own = {.name = remora_slice_of(cases[i].own),
                                          .value = REMORA_SLICE("c, a")};
        struct fixture f;
        begin(&f, cases[i].dialect, cases[i].dialect);
        f.provider.headers = &own;
        f.provider.header_count = 1;
        f.request.betas = &betas;
        assert_slice_equal(built_header(&f, "", "x-anthropic-beta"), cases[i].x_name);
        assert_slice_equal(built_header(&f, "", "anthropic-beta"), cases[i].name);
        assert_dropped(&f, NULL, 0);
        f.request.betas = NULL; /* nobody asked */
        assert_slice_equal(built_header(&f, "", cases[i].own), "c, a");
        end(&f);
    }
}

static void to_trial_features_that_are_a_secret_nothing_is_added(void **state)
{
    static const struct remora_slice names[] = {REMORA_SLICE_INIT("a")};
    static const char *const told[] = {"x-anthropic-beta"};
    const struct remora_slices betas = {.items = names, .count = 1, .is_set = true};
    struct remora_secret *secret = remora_secret_new(REMORA_SLICE("c"));
    const struct remora_header own = {.name = REMORA_SLICE("anthropic-beta"), .secret = secret};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.provider.headers = &own;
    f.provider.header_count = 1;
    f.request.betas = &betas;
    assert_slice_equal(built_header(&f, "", "anthropic-beta"), "");
    assert_slice_equal(built_header(&f, "", "x-anthropic-beta"), "");
    assert_dropped(&f, told, 1);
    assert_string_equal(f.out.dropped[0].why, "the configuration sets this header");
    end(&f);
    remora_secret_free(secret);
}

static void formats_beyond_json_are_written(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.response_format = (struct remora_response_format){.kind = REMORA_FORMAT_GRAMMAR,
                                                                .pattern = REMORA_SLICE("a ::= b")};
    assert_string_equal(body_of(&f), HEAD USER UNARY
                        ",\"response_format\":{\"type\":\"grammar\",\"grammar\":\"a ::= b\"}}");
    end(&f);
    begin(&f, "acme", "");
    f.request.response_format =
        (struct remora_response_format){.kind = REMORA_FORMAT_REGEX, .pattern = REMORA_SLICE("a+")};
    assert_string_equal(body_of(&f), HEAD USER UNARY
                        ",\"response_format\":{\"type\":\"regex\",\"pattern\":\"a+\"}}");
    end(&f);
    begin(&f, "acme", "");
    f.request.response_format.kind = REMORA_FORMAT_PYTHON;
    assert_string_equal(body_of(&f), HEAD USER UNARY ",\"response_format\":{\"type\":\"python\"}}");
    end(&f);
}

static void original_detail_is_high_where_it_is_unknown(void **state)
{
    static const struct remora_part part = {
        .kind = REMORA_PART_IMAGE,
        .media = {.source = REMORA_MEDIA_URI,
                  .value = REMORA_SLICE_INIT("https://a.example/i.png"),
                  .detail = REMORA_SLICE_INIT("original")}};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), "\"detail\":\"high\""));
    end(&f);
    static const char *const known[] = {"openai", "azure", "openrouter"};
    for (size_t i = 0; i < REMORA_COUNT_OF(known); i++) {
        begin(&f, known[i], known[i]);
        f.request.messages = &message;
        assert_non_null(strstr(body_of(&f), "\"detail\":\"original\""));
        end(&f);
    }
}

/* openrouter.md section 3, `name`. */
static void a_speaker_s_name_is_spoken_where_the_model_is_not_openai_s(void **state)
{
    static const struct remora_part two[] = {
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a.example/i")}},
        {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("one")},
        {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("two")},
    };
    static const struct remora_message messages[] = {
        {.role = REMORA_ROLE_USER,
         .parts = &hello,
         .part_count = 1,
         .content_is_text = true,
         .name = REMORA_SLICE_INIT("Ann")},
        {.role = REMORA_ROLE_USER, .parts = two, .part_count = 3, .name = REMORA_SLICE_INIT("Bob")},
    };
    static const struct remora_model gpt = {.facts = {.author = REMORA_SLICE_INIT("openai")}};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = messages;
    f.request.message_count = 2;
    assert_string_equal(body_of(&f), HEAD
                        "{\"role\":\"user\",\"content\":\"Ann: Hi \\\"you\\\"\\n\"},"
                        "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
                        "{\"url\":\"https://a.example/i\"}},{\"type\":\"text\",\"text\":"
                        "\"Bob: one\"},{\"type\":\"text\",\"text\":\"two\"}]}" UNARY "}");
    free(f.body);
    f.endpoint.model = &gpt;
    f.request.message_count = 1;
    assert_string_equal(
        body_of(&f),
        HEAD "{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\",\"name\":\"Ann\"}" UNARY "}");
    end(&f);
}

static void a_name_without_a_text_is_a_member_or_told(void **state)
{
    static const struct remora_tool_call call = {.id = REMORA_SLICE_INIT("c"),
                                                 .name = REMORA_SLICE_INIT("f")};
    static const struct remora_part image = {
        .kind = REMORA_PART_IMAGE,
        .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a.example/i")}};
    static const struct remora_part refusal = {.kind = REMORA_PART_REFUSAL,
                                               .text = REMORA_SLICE_INIT("no")};
    static const struct remora_message messages[] = {
        {.role = REMORA_ROLE_ASSISTANT,
         .tool_calls = &call,
         .tool_call_count = 1,
         .name = REMORA_SLICE_INIT("bot")},
        {.role = REMORA_ROLE_USER,
         .parts = &image,
         .part_count = 1,
         .name = REMORA_SLICE_INIT("Ann")},
        {.role = REMORA_ROLE_ASSISTANT,
         .parts = &refusal,
         .part_count = 1,
         .name = REMORA_SLICE_INIT("bot")},
    };
    static const char *const told[] = {"messages[].name"};
    static const struct remora_model gpt = {.facts = {.author = REMORA_SLICE_INIT("openai")}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(messages); i++) {
        struct fixture f;
        begin(&f, "acme", "");
        f.request.messages = &messages[i];
        f.request.message_count = 1;
        assert_null(strstr(body_of(&f), "\"name\":\"bot\""));
        assert_null(strstr(f.body, "Ann"));
        assert_dropped(&f, told, 1);
        free(f.body);
        f.endpoint.model = &gpt;
        assert_non_null(strstr(body_of(&f), i == 1 ? "\"name\":\"Ann\"" : "\"name\":\"bot\""));
        assert_dropped(&f, NULL, 0);
        end(&f);
    }
}

static void earlier_answers_go_back_in_members_of_their_own(void **state)
{
    static const struct remora_annotation annotations[] = {
        {.type = REMORA_SLICE_INIT("file"), .raw = REMORA_SLICE_INIT("{ \"type\":\"file\"}")},
        {.type = REMORA_SLICE_INIT("url_citation"),
         .url = REMORA_SLICE_INIT("u"),
         .title = REMORA_SLICE_INIT("t"),
         .content = REMORA_SLICE_INIT("c"),
         .start_index = {3, true},
         .end_index = {9, true}},
    };
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT,
         .text = REMORA_SLICE_INIT("42"),
         .annotations = annotations,
         .annotation_count = 2},
        {.kind = REMORA_PART_AUDIO,
         .text = REMORA_SLICE_INIT("{\"id\":\"a1\",\"data\":\"AA==\"}"),
         .media = {.source = REMORA_MEDIA_FILE_ID, .value = REMORA_SLICE_INIT("a1")}},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_BASE64,
                   .value = REMORA_SLICE_INIT("AAAA"),
                   .mime_type = REMORA_SLICE_INIT("image/png")}},
    };
    static const struct remora_message message = {
        .role = REMORA_ROLE_ASSISTANT, .parts = parts, .part_count = 3, .content_is_text = true};
    static const char *const told[] = {"messages[].images", "messages[].annotations"};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.messages = &message;
    assert_string_equal(
        body_of(&f), HEAD
        "{\"role\":\"assistant\",\"content\":\"42\",\"audio\":{\"id\":\"a1\",\"data\":\"AA==\"},"
        "\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
        "png;base64,AAAA\"}}"
        "],\"annotations\":[{ \"type\":\"file\"},{\"type\":\"url_citation\",\"url_citation\":"
        "{\"url\":\"u\",\"title\":\"t\",\"content\":\"c\",\"start_index\":3,\"end_index\":9}}]"
        "}" UNARY "}");
    assert_int_equal(f.out.image_count, 1);
    end(&f);
    begin(&f, "openai", "openai");
    f.request.messages = &message;
    assert_string_equal(
        body_of(&f),
        HEAD "{\"role\":\"assistant\",\"content\":\"42\",\"audio\":{\"id\":\"a1\"}}" UNARY "}");
    assert_dropped(&f, told, 2);
    assert_int_equal(f.out.image_count, 0);
    end(&f);
}

/* A wire that has one text for reasoning gets that of all blocks. */
static void the_texts_of_all_reasoning_blocks_are_one(void **state)
{
    struct remora_reasoning_block thoughts[] = {{.text = REMORA_SLICE_INIT("h")},
                                                {.text = REMORA_SLICE_INIT("m")}};
    const struct remora_message message = {.role = REMORA_ROLE_ASSISTANT,
                                           .parts = &result,
                                           .part_count = 1,
                                           .tool_calls = calls,
                                           .tool_call_count = 1,
                                           .reasoning = thoughts,
                                           .reasoning_count = 2};
    struct fixture f;
    (void)state;
    begin(&f, "deepseek", "deepseek");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), ",\"reasoning_content\":\"hm\"}"));
    end(&f);
    begin(&f, "deepseek", "deepseek");
    f.request.messages = &message;
    thoughts[0].kind = thoughts[1].kind = REMORA_REASONING_ENCRYPTED;
    assert_null(strstr(body_of(&f), "reasoning_content"));
    end(&f);
}

/* One text of a user's is a list where it came as one; anybody else's is a string. */
static void a_list_of_one_text_stays_a_list_of_the_user_s_alone(void **state)
{
    const struct remora_message messages[] = {
        {.role = REMORA_ROLE_USER, .parts = &result, .part_count = 1},
        {.role = REMORA_ROLE_ASSISTANT, .parts = &result, .part_count = 1},
        {.role = REMORA_ROLE_USER, .parts = &result, .part_count = 1, .content_is_text = true}};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = messages;
    f.request.message_count = REMORA_COUNT_OF(messages);
    assert_string_equal(body_of(&f), HEAD
                        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"42\"}]},"
                        "{\"role\":\"assistant\",\"content\":\"42\"},"
                        "{\"role\":\"user\",\"content\":\"42\"}" UNARY "}");
    end(&f);
}

/* What is known by an id is sent by it, and only an answer in sound goes back as one. */
static void what_has_an_id_is_sent_by_it(void **state)
{
    const struct remora_media media = {.source = REMORA_MEDIA_FILE_ID, .value = REMORA_SLICE("f1")};
    const struct remora_part image = {.kind = REMORA_PART_IMAGE, .media = media};
    const struct remora_part sound = {.kind = REMORA_PART_AUDIO, .media = media};
    const struct remora_message messages[] = {
        {.role = REMORA_ROLE_USER, .parts = &image, .part_count = 1},
        {.role = REMORA_ROLE_ASSISTANT, .parts = &image, .part_count = 1},
        {.role = REMORA_ROLE_ASSISTANT, .parts = &sound, .part_count = 1}};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.messages = messages;
    f.request.message_count = 2;
    assert_non_null(
        strstr(body_of(&f), "[{\"type\":\"file\",\"file\":{\"file_id\":\"f1\"}}]},{\"role\""));
    assert_null(strstr(f.body, "\"audio\""));
    end(&f);
    begin(&f, "openrouter", "openrouter");
    f.request.messages = messages + 2;
    assert_non_null(strstr(body_of(&f), ",\"audio\":{\"id\":\"f1\"}}"));
    end(&f);
}

/* Text alone, a text as format and the choice "auto" are what is done without a word. */
static void what_says_nothing_is_left_out_where_the_list_lacks_it(void **state)
{
    static const struct remora_slice kinds[] = {REMORA_SLICE_INIT("text")};
    static const char said[] = ",\"tool_choice\":\"auto\",\"response_format\":{\"type\":\"text\"},"
                               "\"modalities\":[\"text\"]}";
    struct fixture f;
    (void)state;
    for (int lists = 0; lists < 2; lists++) {
        begin(&f, "acme", "generic");
        f.request.tool_choice.kind = REMORA_TOOL_CHOICE_AUTO;
        f.request.response_format.kind = REMORA_FORMAT_TEXT;
        f.request.output_modalities =
            (struct remora_slices){.items = kinds, .count = 1, .is_set = true};
        if (lists == 0) {
            f.endpoint.facts.supported = UINT64_C(1) << REMORA_PARAMETER_TEMPERATURE;
        }
        const char *rest = body_of(&f) + strlen(HEAD USER UNARY);
        assert_string_equal(rest, lists == 0 ? "}" : said);
        assert_int_equal(f.out.dropped_count, 0);
        end(&f);
    }
}

/* Perplexity wants roles that alternate: what several messages hold is one, and what has no place there is told. */
static void messages_in_one_lose_nothing_in_silence(void **state)
{
    static const struct remora_part refusal = {.kind = REMORA_PART_REFUSAL,
                                               .text = REMORA_SLICE_INIT("No")};
    static const struct remora_annotation annotation = {.raw = REMORA_SLICE_INIT("{}")};
    static const struct remora_part earlier[] = {
        {.kind = REMORA_PART_TEXT,
         .text = REMORA_SLICE_INIT("x"),
         .annotations = &annotation,
         .annotation_count = 1},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a/")}},
        {.kind = REMORA_PART_AUDIO,
         .media = {.source = REMORA_MEDIA_FILE_ID, .value = REMORA_SLICE_INIT("a")}}};
    static const struct remora_reasoning_block thought = {.text = REMORA_SLICE_INIT("hm")};
    const struct remora_message messages[] = {
        user,
        {.role = REMORA_ROLE_ASSISTANT, .parts = &refusal, .part_count = 1},
        {.role = REMORA_ROLE_ASSISTANT,
         .parts = earlier,
         .part_count = REMORA_COUNT_OF(earlier),
         .reasoning = &thought,
         .reasoning_count = 1,
         .extra = REMORA_SLICE("{\"weird\":1}")},
        {.role = REMORA_ROLE_ASSISTANT, .parts = &hello, .part_count = 1},
    };
    static const char *const lost[] = {"messages[].reasoning_details", "messages[].audio",
                                       "messages[].images", "messages[].annotations",
                                       "messages[].weird"};
    struct fixture f;
    (void)state;
    begin(&f, "perplexity", "perplexity");
    f.request.messages = messages;
    f.request.message_count = REMORA_COUNT_OF(messages);
    assert_non_null(strstr(body_of(&f),
                           "{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":"
                           "\"No\"},{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"text\",\"text\":"
                           "\"Hi \\\"you\\\"\\n\"}]}"));
    assert_dropped(&f, lost, REMORA_COUNT_OF(lost));
    assert_int_equal(f.out.image_count, 0);
    end(&f);
}

/* A text without data was not said: only its citations are there. */
/* What an earlier message of a run lacks a place for, part by part; of a user's nothing is an answer that goes back. */
static void messages_in_one_tell_of_each_part(void **state)
{
    static const struct remora_annotation annotation = {.raw = REMORA_SLICE_INIT("{}")};
    static const struct remora_part raw = {.kind = REMORA_PART_RAW,
                                           .text = REMORA_SLICE_INIT("{\"type\":\"secret\"}")};
    static const struct remora_part cited[] = {
        {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("x")},
        {.kind = REMORA_PART_TEXT,
         .text = REMORA_SLICE_INIT("y"),
         .annotations = &annotation,
         .annotation_count = 1}};
    static const struct remora_part picture = {
        .kind = REMORA_PART_IMAGE,
        .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a/")}};
    const struct remora_message messages[] = {
        {.role = REMORA_ROLE_USER, .parts = &picture, .part_count = 1},
        user,
        {.role = REMORA_ROLE_ASSISTANT,
         .parts = &raw,
         .part_count = 1,
         .name = REMORA_SLICE_INIT("Ann")},
        {.role = REMORA_ROLE_ASSISTANT,
         .parts = cited,
         .part_count = 2,
         .extra = REMORA_SLICE_INIT("{")},
        {.role = REMORA_ROLE_ASSISTANT, .parts = &hello, .part_count = 1}};
    static const char *const lost[] = {"messages[].name", "messages[].raw",
                                       "messages[].annotations", "messages[].extra"};
    struct fixture f;
    (void)state;
    begin(&f, "perplexity", "perplexity");
    f.request.messages = messages;
    f.request.message_count = 2;
    (void)body_of(&f);
    assert_dropped(&f, NULL, 0);
    end(&f);
    begin(&f, "perplexity", "perplexity");
    f.request.messages = messages;
    f.request.message_count = REMORA_COUNT_OF(messages);
    (void)body_of(&f);
    assert_dropped(&f, lost, REMORA_COUNT_OF(lost));
    end(&f);
}

static void citations_of_every_part_go_back(void **state)
{
    static const struct remora_annotation annotations[] = {
        {.raw = REMORA_SLICE_INIT("{\"type\":\"x\"}")},
        {.raw = REMORA_SLICE_INIT("{\"type\":\"y\"}")}};
    static const struct remora_part parts[] = {{.kind = REMORA_PART_TEXT,
                                                .text = REMORA_SLICE_INIT("1"),
                                                .annotations = annotations,
                                                .annotation_count = 1},
                                               {.kind = REMORA_PART_TEXT,
                                                .text = REMORA_SLICE_INIT("2"),
                                                .annotations = annotations + 1,
                                                .annotation_count = 1}};
    static const struct remora_message message = {
        .role = REMORA_ROLE_ASSISTANT, .parts = parts, .part_count = 2};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), "\"annotations\":[{\"type\":\"x\"},{\"type\":\"y\"}]"));
    end(&f);
}

static void citations_alone_are_no_content(void **state)
{
    static const struct remora_annotation annotation = {.raw =
                                                            REMORA_SLICE_INIT("{\"type\":\"x\"}")};
    static const struct remora_part part = {
        .kind = REMORA_PART_TEXT, .annotations = &annotation, .annotation_count = 1};
    static const struct remora_tool_call call = {.id = REMORA_SLICE_INIT("c"),
                                                 .name = REMORA_SLICE_INIT("f")};
    static const struct remora_part said = {.kind = REMORA_PART_TEXT,
                                            .text = REMORA_SLICE_INIT("1")};
    const struct remora_message messages[] = {user,
                                              {.role = REMORA_ROLE_ASSISTANT,
                                               .parts = &part,
                                               .part_count = 1,
                                               .content_is_text = true,
                                               .tool_calls = &call,
                                               .tool_call_count = 1},
                                              {.role = REMORA_ROLE_TOOL,
                                               .parts = &said,
                                               .part_count = 1,
                                               .content_is_text = true,
                                               .tool_call_id = REMORA_SLICE("c")}};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.messages = messages;
    f.request.message_count = REMORA_COUNT_OF(messages);
    assert_non_null(
        strstr(body_of(&f), "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["));
    assert_non_null(strstr(f.body, "\"annotations\":[{\"type\":\"x\"}]"));
    end(&f);
}

/* Wherever it would be sent: nobody documents a place for it. */
static void content_of_an_unknown_type_is_told_and_goes_to_nobody(void **state)
{
    static const char *const dialects[] = {"", "openrouter", "mistral", "perplexity"};
    static const char *const told[] = {"messages[].raw"};
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("a")},
        {.kind = REMORA_PART_RAW, .text = REMORA_SLICE_INIT("{\"type\":\"secret\"}")}};
    const struct remora_message messages[] = {
        user,
        {.role = REMORA_ROLE_ASSISTANT, .parts = parts, .part_count = 2},
        {.role = REMORA_ROLE_ASSISTANT, .parts = parts + 1, .part_count = 1},
        user};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(dialects); i++) {
        struct fixture f;
        begin(&f, "acme", dialects[i]);
        f.request.messages = messages;
        f.request.message_count = REMORA_COUNT_OF(messages);
        assert_non_null(strstr(body_of(&f), "\"a\""));
        assert_null(strstr(f.body, "secret"));
        assert_dropped(&f, told, 1);
        end(&f);
    }
}

/* A model without sound is not shown an id of it, and a message of which nothing is left says so. */
static void what_an_assistant_showed_is_told_where_it_is_not_taken(void **state)
{
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_AUDIO,
         .media = {.source = REMORA_MEDIA_FILE_ID, .value = REMORA_SLICE_INIT("a")}},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a/")}}};
    static const struct remora_model silent = {
        .facts = {.input_modalities = REMORA_MODALITY_TEXT,
                  .output_modalities = REMORA_MODALITY_TEXT}};
    const struct remora_message messages[] = {
        user,
        {.role = REMORA_ROLE_ASSISTANT, .parts = parts, .part_count = REMORA_COUNT_OF(parts)},
        user};
    static const char *const lost[] = {"messages[].audio", "messages[].images"};
    struct fixture f;
    (void)state;
    begin(&f, "groq", "groq");
    f.endpoint.model = &silent;
    f.request.messages = messages;
    f.request.message_count = REMORA_COUNT_OF(messages);
    assert_non_null(strstr(body_of(&f), ",{\"role\":\"assistant\",\"content\":\"\"},"));
    assert_dropped(&f, lost, REMORA_COUNT_OF(lost));
    end(&f);
    begin(&f, "groq", "groq");
    f.request.messages = messages;
    f.request.message_count = REMORA_COUNT_OF(messages);
    assert_non_null(strstr(body_of(&f), ",{\"role\":\"assistant\",\"content\":null,\"audio\":"
                                        "{\"id\":\"a\"}},"));
    assert_dropped(&f, lost + 1, 1);
    end(&f);
}

static void reasoning_details_go_back_byte_for_byte(void **state)
{
    static const struct remora_reasoning_block raw = {
        .kind = REMORA_REASONING_ENCRYPTED,
        .text = REMORA_SLICE_INIT("ZZ"),
        .raw = REMORA_SLICE_INIT(
            "{ \"data\" : \"ZZ\", \"x\": 1.0, \"type\":\"reasoning.encrypted\"}")};
    static const struct remora_message message = {.role = REMORA_ROLE_ASSISTANT,
                                                  .parts = &result,
                                                  .part_count = 1,
                                                  .reasoning = &raw,
                                                  .reasoning_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    assert_string_equal(
        body_of(&f),
        HEAD "{\"role\":\"assistant\",\"content\":\"42\",\"reasoning_details\":[{ \"data\" "
             ": \"ZZ\", \"x\": 1.0, \"type\":\"reasoning.encrypted\"}]}" UNARY "}");
    end(&f);
}

/* On the call, once, where Google's own endpoint may be behind it; as a block where blocks go back. */
/* Words of layers: of a router itself, of others, and of how weights are kept. */
#define WORDS(name, ...)                                             \
    static const struct remora_slice name##_words[] = {__VA_ARGS__}; \
    static const struct remora_slices name = {                       \
        .items = name##_words, .count = REMORA_COUNT_OF(name##_words), .is_set = true}
WORDS(itself, REMORA_SLICE_INIT("hop"), REMORA_SLICE_INIT("hop/free"));
WORDS(others, REMORA_SLICE_INIT("hop"), REMORA_SLICE_INIT("hopper"));
WORDS(weights, REMORA_SLICE_INIT("fp4"), REMORA_SLICE_INIT("bf16"), REMORA_SLICE_INIT("fp8"));
WORDS(inner_weights, REMORA_SLICE_INIT("mxfp4"), REMORA_SLICE_INIT("fp8"),
      REMORA_SLICE_INIT("int4"));
static const struct remora_slices *const of_itself[] = {&itself};
static const struct remora_slices *const of_both[] = {&itself, &others};
static const struct remora_slices *const of_weights[] = {&weights, &inner_weights};

static void assert_told_of_router(bool is_router, const char *dialect,
                                  const struct remora_build_input *policy, const char *const *told,
                                  size_t count)
{
    struct fixture f;
    begin(&f, "hop", dialect);
    f.provider.facts.is_router = is_router;
    f.policy = *policy;
    (void)body_of(&f);
    assert_dropped(&f, told, count);
    end(&f);
}

/* Of what cannot be held behind it nothing is silent; naming the router itself says nothing of those behind it. */
static void what_a_router_does_not_hear_is_told(void **state)
{
    static const char *const told[] = {"provider.only", "provider.order", "provider.ignore",
                                       "provider.require_parameters", "provider.allow_fallbacks"};
    const struct remora_build_input all = {.only = {of_both, 2},
                                           .bound_orders = {of_both, 2},
                                           .ignored = {of_both, 2},
                                           .require_parameters = REMORA_YES,
                                           .is_alone = true};
    const struct remora_build_input quiet = {
        .only = {of_itself, 1}, .bound_orders = {of_itself, 1}, .ignored = {of_itself, 1}};
    (void)state;
    assert_told_of_router(true, "openai", &all, told, 5);
    assert_told_of_router(false, "openrouter", &all, told, 2);
    assert_told_of_router(false, "openai", &all, told, 0);
    assert_told_of_router(true, "openai", &quiet, told, 0);
}

/* Each with the reason that its row has, in the order of the rows. */
static void headers_for_what_is_not_built_are_told(void **state)
{
    static const char *const told[] = {"X-OpenRouter-Cache-TTL", "X-Provider-API-Keys"};
    struct fixture f;
    (void)state;
    begin(&f, "openrouter", "openrouter");
    f.request.unbuilt_headers =
        1u << REMORA_UNBUILT_HEADER_CACHE_TTL | 1u << REMORA_UNBUILT_HEADER_PROVIDER_KEYS;
    (void)body_of(&f);
    assert_dropped(&f, told, 2);
    assert_string_equal(f.out.dropped[1].why, "credentials are the configuration's");
    end(&f);
}

static void what_the_policy_wants_is_what_a_router_hears(void **state)
{
    const struct remora_policy_effective policy = {
        .data_collection = REMORA_DATA_DENY,
        .zdr = REMORA_YES,
        .require_parameters = REMORA_YES,
        .keeps_first = true,
        .enforce_distillable_text = REMORA_YES,
        .ignored = {&itself, &others},
        .ignored_count = 2,
        .only = {&others, &itself, &others},
        .only_count = 3,
        .quantizations = {&weights},
        .quantizations_count = 1,
        .bound_orders = {&itself},
        .bound_orders_count = 1,
        .max_price_pico_usd = {3, 4},
    };
    struct remora_build_input input = {0};
    (void)state;
    remora_build_take_policy(&input, &policy);
    assert_int_equal(input.data_collection, REMORA_DATA_DENY);
    assert_int_equal(input.zdr, REMORA_YES);
    assert_int_equal(input.require_parameters, REMORA_YES);
    assert_true(input.is_alone);
    assert_int_equal(input.enforce_distillable_text, REMORA_YES);
    const struct remora_lists *const is[] = {&input.ignored, &input.only, &input.quantizations,
                                             &input.bound_orders};
    const struct remora_slices *const *const of[] = {policy.ignored, policy.only,
                                                     policy.quantizations, policy.bound_orders};
    static const size_t counts[] = {2, 3, 1, 1};
    for (size_t i = 0; i < REMORA_COUNT_OF(is); i++) {
        assert_int_equal(is[i]->count, counts[i]);
        assert_memory_equal(is[i]->of, of[i], counts[i] * sizeof of[i][0]);
    }
    assert_ptr_equal(input.max_price_pico_usd, policy.max_price_pico_usd);
}

/* What every layer's list covers; a word once. */
static void a_router_hears_the_common_quantizations(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, "hop", "openrouter");
    f.policy = (struct remora_build_input){.quantizations = {of_weights, 2},
                                           .enforce_distillable_text = REMORA_YES};
    assert_non_null(strstr(body_of(&f), ",\"provider\":{\"quantizations\":[\"fp8\",\"mxfp4\"],"
                                        "\"enforce_distillable_text\":true}}"));
    end(&f);
    begin(&f, "hop", "openrouter");
    f.policy =
        (struct remora_build_input){.enforce_distillable_text = REMORA_NO, .only = {of_itself, 1}};
    assert_null(strstr(body_of(&f), "provider"));
    end(&f);
}

/* Each alone is enough to be said; a cap of nothing is one, and a word that a list has twice is said once. */
static void a_router_hears_each_preference_alone(void **state)
{
    WORDS(twice, REMORA_SLICE_INIT("b"), REMORA_SLICE_INIT("b"));
    static const struct remora_slices *const of_twice[] = {&twice};
    static const struct remora_slices *const of_three[] = {&itself, &twice, &others};
    static const struct remora_slices *const of_weight[] = {&inner_weights};
    static const struct {
        struct remora_build_input policy;
        const char *said;
    } cases[] = {
        {{.data_collection = REMORA_DATA_DENY}, "{\"data_collection\":\"deny\"}"},
        {{.zdr = REMORA_YES}, "{\"zdr\":true}"},
        {{.is_alone = true}, "{\"allow_fallbacks\":false}"},
        {{.require_parameters = REMORA_YES}, "{\"require_parameters\":true}"},
        {{.enforce_distillable_text = REMORA_YES}, "{\"enforce_distillable_text\":true}"},
        {{.ignored = {of_twice, 1}}, "{\"ignore\":[\"b\"]}"},
        {{.ignored = {of_three, 3}}, "{\"ignore\":[\"hop\",\"hop/free\",\"b\",\"hopper\"]}"},
        {{.quantizations = {of_weight, 1}}, "{\"quantizations\":[\"mxfp4\",\"fp8\",\"int4\"]}"},
        {{.zdr = REMORA_NO}, NULL},
    };
    struct fixture f;
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char said[128];
        begin(&f, "hop", "openrouter");
        f.policy = cases[i].policy;
        snprintf(said, sizeof said, ",\"provider\":%s}",
                 cases[i].said == NULL ? "" : cases[i].said);
        assert_int_equal(strstr(body_of(&f), said) != NULL, cases[i].said != NULL);
        end(&f);
    }
    begin(&f, "hop", "openrouter");
    f.request.provider.max_price_pico_usd[REMORA_CAP_COMPLETION] = 0;
    assert_non_null(strstr(body_of(&f), ",\"provider\":{\"max_price\":{\"completion\":0}}}"));
    end(&f);
}

static void signatures_of_gemini_go_back_on_their_calls(void **state)
{
    static const struct remora_reasoning_block signed_by[] = {
        {.text = REMORA_SLICE_INIT("hm")},
        {.kind = REMORA_REASONING_ENCRYPTED,
         .text = REMORA_SLICE_INIT("SIG"),
         .format = REMORA_SLICE_INIT("google-gemini-v1"),
         .id = REMORA_SLICE_INIT("call_b"),
         .raw = REMORA_SLICE_INIT("{\"type\":\"reasoning.encrypted\"}")},
    };
    static const struct remora_message message = {.role = REMORA_ROLE_ASSISTANT,
                                                  .tool_calls = calls,
                                                  .tool_call_count = 2,
                                                  .reasoning = signed_by,
                                                  .reasoning_count = 2};
    static const char on_call[] = ",\"extra_content\":{\"google\":{\"thought_signature\":"
                                  "\"SIG\"}}}],\"reasoning_content\":\"hm\"}";
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    f.endpoint.facts.supported = REMORA_PARAMETERS_ALL >> 1; /* a row of the catalog */
    assert_non_null(strstr(body_of(&f), on_call));
    assert_null(strstr(f.body, "reasoning_details"));
    assert_non_null(strstr(f.body, "}\"}},{\"id\":\"call_b\"")); /* not on the other call */
    assert_int_equal(f.out.dropped_count, 0);
    end(&f);
    /* Of a call that is not there it stays a block. */
    struct remora_reasoning_block of_none = signed_by[1];
    of_none.id = REMORA_SLICE("call_z");
    struct remora_message lost = message;
    lost.reasoning = &of_none;
    lost.reasoning_count = 1;
    begin(&f, "acme", "");
    f.request.messages = &lost;
    assert_non_null(
        strstr(body_of(&f), "\"reasoning_details\":[{\"type\":\"reasoning.encrypted\"}]"));
    assert_null(strstr(f.body, "extra_content"));
    end(&f);
    /* Beside blocks that stay blocks, too. */
    const struct remora_reasoning_block both[] = {blocks[1], signed_by[1]};
    struct remora_message mixed = message;
    mixed.reasoning = both;
    begin(&f, "acme", "");
    f.request.messages = &mixed;
    assert_non_null(strstr(body_of(&f), "\"SIG\"}}}],\"reasoning_details\":[{\"type\":"
                                        "\"reasoning.encrypted\",\"data\":\"ZZ\",\"id\":"
                                        "\"rs_1\"}]}"));
    end(&f);
    begin(&f, "openrouter", "openrouter");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), "{\"type\":\"reasoning.encrypted\"}]"));
    assert_null(strstr(f.body, "extra_content"));
    end(&f);
    begin(&f, "openai", "openai");
    f.request.messages = &message;
    assert_null(strstr(body_of(&f), "SIG"));
    assert_int_equal(f.out.dropped_count, 1);
    end(&f);
}

static void large_values_are_sent_from_where_they_lie(void **state)
{
    struct fixture f;
    const size_t size = 100000;
    char *large = malloc(size);
    (void)state;
    assert_non_null(large);
    memset(large, 'A', size);
    struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT, .text = remora_slice(large, size)},
        {.kind = REMORA_PART_IMAGE,
         .media = {.source = REMORA_MEDIA_BASE64, .value = remora_slice(large, size)}},
    };
    const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = parts, .part_count = 2};
    begin(&f, "acme", "");
    f.request.messages = &message;
    (void)body_of(&f);
    size_t views = 0;
    for (size_t i = 0; i < f.out.http.body_pieces; i++) {
        views += f.out.http.body[i].data == large ? 1 : 0;
    }
    assert_int_equal(views, 2);
    assert_true(f.arena.taken_bytes < 300000); /* the test's own JSON nodes included */
    large[5] = '"';                            /* must be escaped now, and is still valid JSON */
    free(f.body);
    (void)body_of(&f);
    end(&f);
    free(large);
}

static void base64_that_would_break_out_of_its_string_is_not_sent(void **state)
{
    static const struct remora_part part = {
        .kind = REMORA_PART_IMAGE,
        .media = {.source = REMORA_MEDIA_BASE64,
                  .value = REMORA_SLICE_INIT("AA\"},{\"role\":\"system\""),
                  .mime_type = REMORA_SLICE_INIT("image/\"png")}};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1};
    struct fixture f;
    (void)state;
    begin(&f, "acme", "");
    f.request.messages = &message;
    assert_non_null(strstr(body_of(&f), "data:image/png;base64,\"}"));
    end(&f);
}

static void embedding_is_not_of_this_wire_yet(void **state)
{
    struct fixture f;
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    begin(&f, "acme", "");
    f.request.operation = REMORA_OPERATION_EMBED;
    assert_int_equal(build(&f, &fail), REMORA_UNIMPLEMENTED);
    assert_int_equal(fail.cause, REMORA_CAUSE_BUILD);
    end(&f);
}

static void body_that_does_not_fit_is_refused(void **state)
{
    struct fixture f;
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    begin(&f, "acme", "");
    remora_arena_fini(&f.arena);
    remora_arena_init(&f.arena, 64, 128);
    assert_int_equal(build(&f, &fail), REMORA_TOO_LARGE);
    assert_int_equal(fail.code, REMORA_TOO_LARGE);
    end(&f);
}

static void every_failed_allocation_is_told(void **state)
{
    struct fixture f;
    (void)state;
    for (uint64_t nth = 1; nth < 20; nth++) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        begin(&f, "acme", "");
        fill_parameters(&f.request);
        remora_alloc_fail_at(nth, false);
        enum remora_code code = build(&f, &fail);
        remora_alloc_fail_at(0, false);
        assert_true(code == REMORA_OK || (code == REMORA_SHEDDING && fail.code == code));
        assert_true(nth > 1 || code == REMORA_SHEDDING);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_request_has_model_messages_and_delivery),
        cmocka_unit_test(one_choice_is_not_asked_for),
        cmocka_unit_test(stream_always_asks_for_usage),
        cmocka_unit_test(build_is_repeatable),
        cmocka_unit_test(headers_name_the_key_and_never_hold_it),
        cmocka_unit_test(only_headers_with_a_value_go_out_and_each_once),
        cmocka_unit_test(only_a_stream_names_what_it_accepts),
        cmocka_unit_test(every_parameter_is_written_under_its_name),
        cmocka_unit_test(dialect_names_the_fields),
        cmocka_unit_test(dialect_openai_of_another_host_is_the_generic_one),
        cmocka_unit_test(unsupported_parameter_is_left_out_and_listed),
        cmocka_unit_test(tools_are_sent_even_where_the_list_lacks_them),
        cmocka_unit_test(none_is_said_by_sending_no_tools_where_there_is_no_word_for_it),
        cmocka_unit_test(tool_choice_has_the_dialects_word),
        cmocka_unit_test(response_format_carries_its_schema_unchanged),
        cmocka_unit_test(reasoning_is_asked_as_the_dialect_asks),
        cmocka_unit_test(budgets_and_efforts_become_each_other),
        cmocka_unit_test(an_effort_becomes_the_nearest_that_the_endpoint_has),
        cmocka_unit_test(where_there_is_a_switch_alone_no_effort_goes),
        cmocka_unit_test(no_reasoning_is_never_told_as_an_effort),
        cmocka_unit_test(where_there_is_a_budget_alone_no_effort_goes),
        cmocka_unit_test(a_budget_that_the_list_lacks_becomes_an_effort),
        cmocka_unit_test(of_effort_and_budget_fireworks_gets_the_effort_and_says_why),
        cmocka_unit_test(verbosity_ends_where_the_scale_of_the_provider_ends),
        cmocka_unit_test(reasoning_is_switched_off),
        cmocka_unit_test(reasoning_as_the_model_does_it_is_told_where_there_is_none),
        cmocka_unit_test(developer_role_goes_only_where_it_is_known),
        cmocka_unit_test(parts_go_as_parts),
        cmocka_unit_test(tool_turn_is_echoed_with_what_the_dialect_wants_of_reasoning),
        cmocka_unit_test(unknown_dialect_echoes_signed_reasoning_as_details_and_plain_as_text),
        cmocka_unit_test(a_refusal_alone_goes_back_without_content),
        cmocka_unit_test(a_trace_goes_only_to_who_is_meant_to_see_it),
        cmocka_unit_test(an_id_of_the_right_length_and_the_wrong_letters_is_rewritten),
        cmocka_unit_test(a_tool_keeps_its_cache_mark),
        cmocka_unit_test(sound_of_no_type_is_wav),
        cmocka_unit_test(audio_that_lies_elsewhere_is_named),
        cmocka_unit_test(further_fields_go_on_but_cannot_replace_ours),
        cmocka_unit_test(models_that_search_for_every_request_are_known_by_name),
        cmocka_unit_test(only_a_switch_that_is_sent_and_on_makes_a_search),
        cmocka_unit_test(further_fields_go_only_where_the_provider_has_them),
        cmocka_unit_test(further_members_of_a_message_go_where_further_fields_go),
        cmocka_unit_test(a_dropped_member_leaves_the_beginning_marked),
        cmocka_unit_test(a_list_of_dropped_fields_never_ends_in_silence),
        cmocka_unit_test(no_end_user_leaves_by_name),
        cmocka_unit_test(objects_of_the_caller_go_on_byte_for_byte),
        cmocka_unit_test(structured_outputs_are_said_or_told),
        cmocka_unit_test(cache_marks_have_the_provider_s_spelling_or_are_told),
        cmocka_unit_test(a_mark_on_a_call_is_told),
        cmocka_unit_test(trial_features_go_to_who_takes_them_and_are_told_elsewhere),
        cmocka_unit_test(trial_features_join_those_of_the_configuration),
        cmocka_unit_test(to_trial_features_that_are_a_secret_nothing_is_added),
        cmocka_unit_test(what_is_sent_says_how_long_the_cache_lives),
        cmocka_unit_test(formats_beyond_json_are_written),
        cmocka_unit_test(original_detail_is_high_where_it_is_unknown),
        cmocka_unit_test(a_speaker_s_name_is_spoken_where_the_model_is_not_openai_s),
        cmocka_unit_test(a_name_without_a_text_is_a_member_or_told),
        cmocka_unit_test(earlier_answers_go_back_in_members_of_their_own),
        cmocka_unit_test(the_texts_of_all_reasoning_blocks_are_one),
        cmocka_unit_test(a_list_of_one_text_stays_a_list_of_the_user_s_alone),
        cmocka_unit_test(what_has_an_id_is_sent_by_it),
        cmocka_unit_test(what_says_nothing_is_left_out_where_the_list_lacks_it),
        cmocka_unit_test(messages_in_one_tell_of_each_part),
        cmocka_unit_test(citations_of_every_part_go_back),
        cmocka_unit_test(citations_alone_are_no_content),
        cmocka_unit_test(messages_in_one_lose_nothing_in_silence),
        cmocka_unit_test(content_of_an_unknown_type_is_told_and_goes_to_nobody),
        cmocka_unit_test(what_an_assistant_showed_is_told_where_it_is_not_taken),
        cmocka_unit_test(reasoning_details_go_back_byte_for_byte),
        cmocka_unit_test(what_a_router_does_not_hear_is_told),
        cmocka_unit_test(headers_for_what_is_not_built_are_told),
        cmocka_unit_test(what_the_policy_wants_is_what_a_router_hears),
        cmocka_unit_test(a_router_hears_the_common_quantizations),
        cmocka_unit_test(a_router_hears_each_preference_alone),
        cmocka_unit_test(signatures_of_gemini_go_back_on_their_calls),
        cmocka_unit_test(large_values_are_sent_from_where_they_lie),
        cmocka_unit_test(base64_that_would_break_out_of_its_string_is_not_sent),
        cmocka_unit_test(embedding_is_not_of_this_wire_yet),
        cmocka_unit_test(body_that_does_not_fit_is_refused),
        cmocka_unit_test(every_failed_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
