/*
 * The dialect table, row by row: whole request bodies, answers, errors, and the page that lists it.
 *
 *   tests/golden/openai_dialects/build/DIALECT.txt       the body of each request below, and what was dropped
 *   tests/golden/openai_dialects/decode/DIALECT.NAME.sse|json     an answer as such servers send it (written by hand from the
 *                                                        vendors' documents), beside it the events (.events)
 *   tests/golden/openai_dialects/decode/DIALECT.NAME.STATUS.error an error body, beside it what it means (.verdict)
 *   docs/providers.md                                    its table of dialects is the table
 * Real answers are in provider_captures_test. With REMORA_GOLDEN_WRITE=1 expectations are written instead: read the
 * difference before committing it.
 */
#include "event_text.h"
#include "support.h"

#include "../../src/provider/dialect.h"

#include "remora/json.h"
#include "remora/provider.h"
#include "remora/secret.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN REMORA_TESTS_DIR "/golden/openai_dialects"

enum { PATH_BYTES = 512 };

static void name_provider(struct remora_provider *provider, enum remora_dialect dialect)
{
    const char *name = remora_dialect_name(dialect);
    *provider =
        (struct remora_provider){.facts = {.slug = remora_slice_of(name),
                                           .dialect = remora_slice_of(name),
                                           .base_url = REMORA_SLICE("https://api.example/v1")}};
}

/* ---- requests ---- */

#define TEXT(words)                                                \
    {                                                              \
        .kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT(words) \
    }
#define SAID(who, part)                                                                      \
    {                                                                                        \
        .role = REMORA_ROLE_##who, .parts = (part), .part_count = 1, .content_is_text = true \
    }

static const struct remora_part rules = TEXT("Be brief.");
static const struct remora_part manners = TEXT("Be kind.");
static const struct remora_part question = TEXT("Hi");
static const struct remora_part more = TEXT("And you?");
static const struct remora_part beginning = TEXT("I am");
static const struct remora_part result = TEXT("42");
static const struct remora_part cached = {
    .kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("Long."), .cache = {.is_set = true}};

static const struct remora_message user_only[] = {SAID(USER, &question)};
static const struct remora_message roles[] = {SAID(SYSTEM, &rules), SAID(DEVELOPER, &manners),
                                              SAID(USER, &question), SAID(USER, &more),
                                              SAID(ASSISTANT, &beginning)};
static const struct remora_message with_cache[] = {SAID(USER, &cached)};

static const struct remora_reasoning_block thoughts[] = {{.kind = REMORA_REASONING_TEXT,
                                                          .text = REMORA_SLICE_INIT("hm"),
                                                          .signature = REMORA_SLICE_INIT("sig")}};
static const struct remora_tool_call calls[] = {
    {.id = REMORA_SLICE_INIT("call_abc"),
     .name = REMORA_SLICE_INIT("weather"),
     .arguments_json = REMORA_SLICE_INIT("{}")},
    {.id = REMORA_SLICE_INIT("gSIMJiOkT"), .name = REMORA_SLICE_INIT("time"), .index = 1}};
static const struct remora_message tool_turn[] = {
    SAID(USER, &question),
    {.role = REMORA_ROLE_ASSISTANT,
     .tool_calls = calls,
     .tool_call_count = 2,
     .reasoning = thoughts,
     .reasoning_count = 1},
    {.role = REMORA_ROLE_TOOL,
     .parts = &result,
     .part_count = 1,
     .tool_call_id = REMORA_SLICE_INIT("call_abc")},
    {.role = REMORA_ROLE_TOOL,
     .parts = &result,
     .part_count = 1,
     .tool_call_id = REMORA_SLICE_INIT("gSIMJiOkT")},
};
static const struct remora_tool tools[] = {
    {.kind = REMORA_TOOL_FUNCTION, .name = REMORA_SLICE_INIT("weather")},
    {.kind = REMORA_TOOL_FUNCTION, .name = REMORA_SLICE_INIT("time")}};

#define MESSAGES(list) request->messages = (list), request->message_count = REMORA_COUNT_OF(list)

static void ask_stream(struct remora_request *request)
{
    MESSAGES(roles);
    request->delivery = REMORA_STREAM;
}

static void ask_everything(struct remora_request *request)
{
    static const struct remora_slice stops[] = {REMORA_SLICE_INIT("END")};
    static const struct remora_logit_bias bias[] = {{7, -100}};
    struct remora_sampling *s = &request->sampling;
    s->max_output_tokens = (struct remora_opt_i64){16, true};
    s->temperature = (struct remora_opt_f64){1.5, true};
    s->top_p = (struct remora_opt_f64){0.5, true};
    s->top_k = (struct remora_opt_i64){40, true};
    s->min_p = (struct remora_opt_f64){0.05, true};
    s->top_a = (struct remora_opt_f64){0.1, true};
    s->frequency_penalty = (struct remora_opt_f64){-1.5, true};
    s->presence_penalty = (struct remora_opt_f64){1, true};
    s->repetition_penalty = (struct remora_opt_f64){1.1, true};
    s->seed = (struct remora_opt_i64){7, true};
    s->choice_count = (struct remora_opt_i64){2, true};
    s->stop = (struct remora_slices){.items = stops, .count = 1, .is_set = true};
    s->logit_bias = bias;
    s->logit_bias_count = 1;
    request->logprobs = REMORA_YES;
    request->top_logprobs = (struct remora_opt_i64){3, true};
    request->parallel_tool_calls = REMORA_NO;
    request->end_user_id = REMORA_SLICE("u1");
    request->service_tier = REMORA_SLICE("flex");
}

static void ask_tools(struct remora_request *request)
{
    request->tools = tools;
    request->tool_count = REMORA_COUNT_OF(tools);
}

static void ask_required_tool(struct remora_request *request)
{
    ask_tools(request);
    request->tool_choice.kind = REMORA_TOOL_CHOICE_REQUIRED;
}

static void ask_named_tool(struct remora_request *request)
{
    ask_tools(request);
    request->tool_choice.kind = REMORA_TOOL_CHOICE_FUNCTION;
    request->tool_choice.function_name = REMORA_SLICE("time");
}

static void ask_no_tool(struct remora_request *request)
{
    ask_tools(request);
    request->tool_choice.kind = REMORA_TOOL_CHOICE_NONE;
}

static void ask_auto_tool(struct remora_request *request)
{
    ask_tools(request);
    request->tool_choice.kind = REMORA_TOOL_CHOICE_AUTO;
}

static void ask_tool_turn(struct remora_request *request)
{
    MESSAGES(tool_turn);
}

static void ask_cache(struct remora_request *request)
{
    MESSAGES(with_cache);
}

static void ask_effort(struct remora_request *request)
{
    request->reasoning.effort = REMORA_EFFORT_HIGH;
}

static void ask_budget(struct remora_request *request)
{
    request->reasoning.max_tokens = (struct remora_opt_i64){2000, true};
}

static void ask_on(struct remora_request *request)
{
    request->reasoning.enabled = REMORA_YES;
}

static void ask_off(struct remora_request *request)
{
    request->reasoning.effort = REMORA_EFFORT_NONE;
}

static void ask_hidden(struct remora_request *request)
{
    request->reasoning.exclude_from_response = true;
}

static void ask_privacy(struct remora_request *request)
{
    request->provider.max_price_pico_usd[REMORA_CAP_PROMPT] = 2500000;
    request->provider.max_price_pico_usd[REMORA_CAP_REQUEST] = 10000000000;
}

static const struct {
    const char *name;
    void (*ask)(struct remora_request *request);
} requests[] = {
    {"roles, a stream, a beginning to go on from", ask_stream},
    {"every parameter", ask_everything},
    {"tools: auto", ask_auto_tool},
    {"tools: none", ask_no_tool},
    {"tools: required", ask_required_tool},
    {"tools: a named one", ask_named_tool},
    {"a tool turn with reasoning", ask_tool_turn},
    {"a cache marker", ask_cache},
    {"reasoning: effort", ask_effort},
    {"reasoning: budget", ask_budget},
    {"reasoning: on", ask_on},
    {"reasoning: off", ask_off},
    {"reasoning: hidden", ask_hidden},
    {"privacy and price caps", ask_privacy},
};

/* ---- building ---- */

static void append_body(struct remora_buf *out, const struct remora_http_request *http,
                        struct remora_arena *arena)
{
    const struct remora_json_limits limits = {64, 100000};
    struct remora_json_doc doc;
    struct remora_json_error error;
    size_t from = remora_buf_slice(out).length;
    for (size_t i = 0; i < http->body_pieces; i++) {
        remora_buf_append(out, http->body[i]);
    }
    struct remora_slice all = remora_buf_slice(out);
    assert_int_equal(remora_json_parse(remora_slice(all.data + from, all.length - from), arena,
                                       &limits, &doc, &error),
                     REMORA_OK);
    assert_true(remora_json_is_absent(remora_json_duplicate(remora_json_root(&doc), arena)));
    remora_buf_append_byte(out, '\n');
}

/* Of two layers. */
static const struct remora_slice slugs[] = {REMORA_SLICE_INIT("deepseek"), REMORA_SLICE_INIT("b"),
                                            REMORA_SLICE_INIT("deepseek"),
                                            REMORA_SLICE_INIT("together/fp8")};
static const struct remora_slices ignored_lists[] = {
    {.items = slugs, .count = 2, .is_set = true}, {.items = slugs + 2, .count = 2, .is_set = true}};
static const struct remora_slices *const ignored[] = {&ignored_lists[0], &ignored_lists[1]};

static void build(struct remora_buf *out, enum remora_dialect dialect, const char *model,
                  void (*ask)(struct remora_request *request))
{
    struct remora_provider provider;
    struct remora_arena arena;
    struct remora_request request;
    struct remora_build_output built;
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_arena_init(&arena, 4096, 8 << 20);
    name_provider(&provider, dialect);
    const struct remora_endpoint endpoint = {
        .provider = &provider,
        .facts = {.upstream_model = remora_slice_of(model), .supported = REMORA_PARAMETERS_ALL}};
    remora_request_init(&request);
    request.messages = user_only;
    request.message_count = 1;
    ask(&request);
    const struct remora_build_input input = {
        .request = &request,
        .endpoint = &endpoint,
        .delivery = request.delivery,
        .data_collection = ask == ask_privacy ? REMORA_DATA_DENY : REMORA_DATA_ALLOW,
        .zdr = ask == ask_privacy ? REMORA_YES : REMORA_UNSET,
        .require_parameters = ask == ask_privacy ? REMORA_YES : REMORA_UNSET,
        .is_alone = ask == ask_privacy,
        .ignored = {ignored, ask == ask_privacy ? REMORA_COUNT_OF(ignored) : 0},
        .max_price_pico_usd = request.provider.max_price_pico_usd};
    assert_int_equal(remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &arena, &built, &fail),
                     REMORA_OK);
    append_body(out, &built.http, &arena);
    for (size_t i = 0; i < built.dropped_count; i++) {
        remora_buf_printf(out, "dropped %.*s: %s\n",
                          REMORA_SLICE_ARG(remora_dropped_name(&built.dropped[i])),
                          built.dropped[i].why);
    }
    remora_arena_fini(&arena);
}

static void every_row_builds_its_bodies(void **state)
{
    (void)state;
    for (int dialect = 0; dialect < REMORA_DIALECT_COUNT; dialect++) {
        char path[PATH_BYTES];
        struct remora_buf out;
        remora_buf_init(&out, 1 << 20);
        for (size_t i = 0; i < REMORA_COUNT_OF(requests); i++) {
            remora_buf_printf(&out, "# %s\n", requests[i].name);
            build(&out, (enum remora_dialect)dialect, "echo-1", requests[i].ask);
        }
        snprintf(path, sizeof path, GOLDEN "/build/%s.txt",
                 remora_dialect_name((enum remora_dialect)dialect));
        test_compare_golden(path, remora_buf_slice(&out));
        remora_buf_fini(&out);
    }
}

static const struct remora_part two_texts[] = {TEXT("a"), TEXT("b")};
static const struct remora_annotation cited = {.raw = REMORA_SLICE_INIT("{\"type\":\"x\"}")};
static const struct remora_part quoted = {.kind = REMORA_PART_TEXT,
                                          .text = REMORA_SLICE_INIT("said"),
                                          .annotations = &cited,
                                          .annotation_count = 1};
static const struct remora_tool_call native_id[] = {{.id = REMORA_SLICE_INIT("azAZ09zZa"),
                                                     .name = REMORA_SLICE_INIT("f"),
                                                     .arguments_json = REMORA_SLICE_INIT("{}")}};
static const struct remora_message odd_turns[] = {
    {.role = REMORA_ROLE_ASSISTANT, .parts = two_texts, .part_count = 2},
    {.role = REMORA_ROLE_ASSISTANT, .parts = &quoted, .part_count = 1},
    {.role = REMORA_ROLE_ASSISTANT, .tool_calls = native_id, .tool_call_count = 1},
    SAID(USER, &question),
};

static void ask_odd_turns(struct remora_request *request)
{
    MESSAGES(odd_turns);
}

#define TWO_TEXTS "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}"
#define ODD_CALL                                                                               \
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"azAZ09zZa\",\"type\":" \
    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}"

/* Several parts stay parts, annotations go back only where they are known, an id of the right form stays, calls join nobody. */
static void messages_keep_their_parts(void **state)
{
    static const struct {
        enum remora_dialect dialect;
        const char *messages;
    } cases[] = {
        {REMORA_DIALECT_MISTRAL, "{\"role\":\"assistant\",\"content\":" TWO_TEXTS
                                 "]},{\"role\":\"assistant\",\"content\":\"said\"}," ODD_CALL},
        {REMORA_DIALECT_OPENROUTER, "{\"role\":\"assistant\",\"content\":" TWO_TEXTS
                                    "]},{\"role\":\"assistant\",\"content\":\"said\","
                                    "\"annotations\":[{\"type\":\"x\"}]}," ODD_CALL},
        {REMORA_DIALECT_PERPLEXITY, "{\"role\":\"assistant\",\"content\":" TWO_TEXTS
                                    ",{\"type\":\"text\",\"text\":\"said\"}]}," ODD_CALL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char expected[1024];
        struct remora_buf out;
        remora_buf_init(&out, 1 << 20);
        build(&out, cases[i].dialect, "echo-1", ask_odd_turns);
        snprintf(expected, sizeof expected,
                 "{\"model\":\"echo-1\",\"messages\":[%s,{\"role\":\"user\",\"content\":\"Hi\"}],"
                 "\"stream\":false}\n%s",
                 cases[i].messages,
                 cases[i].dialect == REMORA_DIALECT_OPENROUTER
                     ? ""
                     : "dropped messages[].annotations: the provider does not take it\n");
        assert_slice_equal(remora_buf_slice(&out), expected);
        remora_buf_fini(&out);
    }
}

static const struct remora_pair further[] = {
    {REMORA_SLICE_INIT("chat_template_kwargs"), REMORA_SLICE_INIT("{\"a\":1}")},
    {REMORA_SLICE_INIT("reasoning_split"), REMORA_SLICE_INIT("false")},
    {REMORA_SLICE_INIT("random_seed"), REMORA_SLICE_INIT("1")},
};

static void ask_further_fields(struct remora_request *request)
{
    request->extra = further;
    request->extra_count = REMORA_COUNT_OF(further);
}

static void ask_everything_twice(struct remora_request *request)
{
    ask_further_fields(request);
    request->reasoning.enabled = REMORA_YES;
    request->sampling.seed = (struct remora_opt_i64){7, true};
}

/* append_body refuses a body with a member twice. */
static void further_fields_do_not_say_again_what_was_said(void **state)
{
    static const struct {
        enum remora_dialect dialect;
        void (*ask)(struct remora_request *request);
        const char *members;
    } cases[] = {
        {REMORA_DIALECT_VLLM, ask_further_fields,
         ",\"chat_template_kwargs\":{\"a\":1},\"reasoning_split\":false,\"random_seed\":1}\n"},
        {REMORA_DIALECT_VLLM, ask_everything_twice,
         ",\"seed\":7,\"chat_template_kwargs\":{\"enable_thinking\":true},\"reasoning_split\":"
         "false,\"random_seed\":1}\n"
         "dropped chat_template_kwargs: the gateway writes this field itself\n"},
        {REMORA_DIALECT_MINIMAX, ask_further_fields,
         ",\"reasoning_split\":true}\n"
         "dropped chat_template_kwargs: the provider does not take it\n"
         "dropped reasoning_split: the gateway writes this field itself\n"
         "dropped random_seed: the provider does not take it\n"},
        {REMORA_DIALECT_MISTRAL, ask_everything_twice,
         ",\"random_seed\":7,\"reasoning_effort\":\"medium\"}\n"
         "dropped chat_template_kwargs: the gateway writes this field itself\n"
         "dropped reasoning_split: the provider does not take it\n"
         "dropped random_seed: the gateway writes this field itself\n"},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char expected[512];
        struct remora_buf out;
        remora_buf_init(&out, 1 << 20);
        build(&out, cases[i].dialect, "echo-1", cases[i].ask);
        snprintf(expected, sizeof expected,
                 "{\"model\":\"echo-1\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
                 "\"stream\":false%s",
                 cases[i].members);
        assert_slice_equal(remora_buf_slice(&out), expected);
        remora_buf_fini(&out);
    }
}

static void a_field_of_ours_in_other_capitals_does_not_go_on(void **state)
{
    static const char *const names[] = {"model",    "Model",           "MESSAGES",
                                        "Provider", "max_To\u212Aens", "Max_Completion_Tokens"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        assert_false(remora_dialect_takes_field(REMORA_DIALECT_OLLAMA, REMORA_PARAMETERS_ALL,
                                                remora_slice_of(names[i])));
    }
    assert_true(remora_dialect_writes_field(REMORA_DIALECT_MISTRAL, REMORA_SLICE("Random_Seed")));
    assert_true(remora_is_reasoning_field(REMORA_SLICE("Enable_Thinking")));
    assert_true(remora_dialect_takes_field(REMORA_DIALECT_OLLAMA, REMORA_PARAMETERS_ALL,
                                           REMORA_SLICE("Num_Ctx")));
}

static void key_goes_into_the_header_of_the_dialect(void **state)
{
    static const struct {
        enum remora_dialect dialect;
        const char *header;
        const char *before;
    } cases[] = {{REMORA_DIALECT_AZURE, "api-key", ""},
                 {REMORA_DIALECT_GROQ, "Authorization", "Bearer "}};
    struct remora_credential credential = {.secret = remora_secret_new(REMORA_SLICE("sk-1"))};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_provider provider;
        struct remora_arena arena;
        struct remora_request request;
        struct remora_build_output built;
        struct remora_fail fail = REMORA_FAIL_INIT;
        int keys = 0;
        remora_arena_init(&arena, 4096, 1 << 20);
        name_provider(&provider, cases[i].dialect);
        const struct remora_endpoint endpoint = {.provider = &provider};
        remora_request_init(&request);
        const struct remora_build_input input = {
            .request = &request, .endpoint = &endpoint, .credential = &credential};
        assert_int_equal(
            remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &arena, &built, &fail),
            REMORA_OK);
        for (size_t k = 0; k < built.http.header_count; k++) {
            if (built.http.headers[k].secret != NULL) {
                assert_slice_equal(built.http.headers[k].name, cases[i].header);
                assert_slice_equal(built.http.headers[k].value, cases[i].before);
                keys++;
            }
        }
        assert_int_equal(keys, 1);
        remora_arena_fini(&arena);
    }
    remora_secret_free(credential.secret);
}

/* ---- OpenAI's models ---- */

static void models_that_reason_are_known_by_their_names(void **state)
{
    static const struct {
        const char *name;
        bool reasons;
    } cases[] = {
        {"o1", true},
        {"o3-mini-2025", true},
        {"o4-mini", true},
        {"o0", true},
        {"o9", true},
        {"glm-5.2", false},
        {"gpt-5", true},
        {"gpt-5-mini", true},
        {"gpt-5.1", true},
        {"gpt-6", true},
        {"gpt-10.2-x", true},
        {"gpt-4o", false},
        {"gpt-4.1", false},
        {"gpt-5-chat", false},
        {"gpt-oss-120b", false},
        {"gpt-5.2-chat-latest", false},
        {"omni", false},
        {"o", false},
        {"", false},
        {"gpt-", false},
        {"chatgpt-4o", false},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        if (dialect_model_reasons(remora_slice_of(cases[i].name)) != cases[i].reasons) {
            fail_msg("%s", cases[i].name);
        }
    }
}

static bool refuses(const char *model, bool is_off, enum remora_parameter parameter)
{
    return remora_parameter_set_has(dialect_refused_by_model(remora_slice_of(model), is_off),
                                    parameter);
}

static void newer_models_take_sampling_parameters_when_they_do_not_reason(void **state)
{
    (void)state;
    assert_false(refuses("gpt-4o", false, REMORA_PARAMETER_TEMPERATURE));
    assert_true(refuses("o3", true, REMORA_PARAMETER_TEMPERATURE));
    assert_true(refuses("gpt-5", true, REMORA_PARAMETER_TOP_P));
    assert_true(refuses("gpt-5-2025-08-07", true, REMORA_PARAMETER_TOP_P));
    assert_false(refuses("gpt-5.9", true, REMORA_PARAMETER_TOP_P));
    assert_true(refuses("gpt-5.1", false, REMORA_PARAMETER_LOGPROBS));
    assert_false(refuses("gpt-5.1", true, REMORA_PARAMETER_LOGPROBS));
    assert_false(refuses("gpt-5.1", true, REMORA_PARAMETER_TOP_LOGPROBS));
    assert_false(refuses("gpt-6", true, REMORA_PARAMETER_TEMPERATURE));
    assert_true(refuses("gpt-5.1", true, REMORA_PARAMETER_LOGIT_BIAS));
    assert_true(refuses("gpt-5.1", true, REMORA_PARAMETER_FREQUENCY_PENALTY));
    assert_true(refuses("gpt-5.1", true, REMORA_PARAMETER_PRESENCE_PENALTY));
    assert_false(refuses("o3", false, REMORA_PARAMETER_SEED));
}

/* A name is a slice of a longer text: what stands behind it is no part of it. */
static void names_end_where_they_end(void **state)
{
    static const char text[] = "gpt-5.12";
    (void)state;
    assert_false(dialect_model_reasons(remora_slice(text, strlen("gpt-"))));
    assert_true(remora_parameter_set_has(
        dialect_refused_by_model(remora_slice(text, strlen("gpt-5.")), true),
        REMORA_PARAMETER_TOP_P));
    assert_true(remora_parameter_set_has(
        dialect_refused_by_model(remora_slice(text, strlen("gpt-5")), true),
        REMORA_PARAMETER_TOP_P));
    assert_false(remora_parameter_set_has(
        dialect_refused_by_model(remora_slice(text, strlen("gpt-5.1")), true),
        REMORA_PARAMETER_TOP_P));
    assert_false(dialect_model_reasons(remora_slice("o1", 1)));
}

static void model_that_reasons_gets_developers_and_no_sampling(void **state)
{
    struct remora_buf out;
    (void)state;
    remora_buf_init(&out, 1 << 20);
    remora_buf_append_text(&out, "# o3: roles\n");
    build(&out, REMORA_DIALECT_OPENAI, "o3", ask_stream);
    remora_buf_append_text(&out, "# o3: every parameter\n");
    build(&out, REMORA_DIALECT_OPENAI, "o3", ask_everything);
    remora_buf_append_text(&out, "# gpt-5.1 of Azure: every parameter\n");
    build(&out, REMORA_DIALECT_AZURE, "gpt-5.1", ask_everything);
    remora_buf_append_text(&out, "# gpt-5 of another server: every parameter\n");
    build(&out, REMORA_DIALECT_GENERIC, "gpt-5", ask_everything);
    test_compare_golden(GOLDEN "/build/models-that-reason.txt", remora_buf_slice(&out));
    remora_buf_fini(&out);
}

/* ---- decoding ---- */

static const size_t sizes[] = {0, 1, 2, 3, 7, 16, 64, 1024, 4096};

/* The part of the name before the first point. */
static enum remora_dialect dialect_of_file(const char *name)
{
    size_t length = strcspn(name, ".");
    enum remora_dialect dialect = remora_dialect_by_name(remora_slice(name, length));
    if (dialect == REMORA_DIALECT_COUNT) {
        fail_msg("%s names no dialect", name);
    }
    return dialect;
}

static void check_answer(const char *name)
{
    char path[PATH_BYTES];
    char events[PATH_BYTES + 8];
    struct remora_provider provider;
    name_provider(&provider, dialect_of_file(name));
    const struct remora_endpoint endpoint = {.provider = &provider};
    snprintf(path, sizeof path, GOLDEN "/decode/%s", name);
    snprintf(events, sizeof events, "%s.events", path);
    struct remora_slice bytes = test_read_file(path);
    for (size_t i = 0; i < REMORA_COUNT_OF(sizes); i++) {
        const struct decode_input input = {
            .adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
            .delivery = test_ends_with(name, ".sse") ? REMORA_STREAM : REMORA_UNARY,
            .endpoint = &endpoint,
            .bytes = bytes,
            .chunk_bytes = sizes[i],
        };
        struct remora_buf out;
        remora_buf_init(&out, 1 << 20);
        (void)decode_to_text(&input, &out);
        test_compare_golden(events, remora_buf_slice(&out));
        remora_buf_fini(&out);
    }
    free((void *)(uintptr_t)bytes.data);
}

/* NAME.STATUS.error */
static int status_of_file(const char *name)
{
    const char *at = name + strlen(name) - strlen("400.error");
    return (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
}

static void check_error(const char *name)
{
    char path[PATH_BYTES];
    char verdict[PATH_BYTES + 8];
    struct remora_provider provider;
    struct remora_arena scratch;
    struct remora_buf out;
    struct remora_fail fail = REMORA_FAIL_INIT;
    name_provider(&provider, dialect_of_file(name));
    const struct remora_endpoint endpoint = {.provider = &provider};
    snprintf(path, sizeof path, GOLDEN "/decode/%s", name);
    snprintf(verdict, sizeof verdict, "%s.verdict", path);
    remora_arena_init(&scratch, 4096, 1 << 20);
    remora_buf_init(&out, 4096);
    const struct remora_upstream_error error = {.status = status_of_file(name),
                                                .body = test_read_file(path)};
    remora_adapter_for(REMORA_WIRE_OPENAI)->classify(&endpoint, &error, &scratch, &fail);
    remora_buf_printf(&out, "%s cause=%s status=%d retry=%lld param=%s message=%s\n",
                      remora_code_row(fail.code)->name, remora_cause_name(fail.cause),
                      fail.upstream_status, (long long)fail.retry_after_ms, fail.param,
                      fail.message);
    test_compare_golden(verdict, remora_buf_slice(&out));
    free((void *)(uintptr_t)error.body.data);
    remora_buf_fini(&out);
    remora_arena_fini(&scratch);
}

/* Every row has a case here, or its captures (provider_captures_test). */
static void every_answer_and_error_means_what_it_should(void **state)
{
    static const char *const captured[] = {"qwen",    "azure",    "deepseek",   "groq",
                                           "mistral", "moonshot", "perplexity", "xai"};
    bool has_case[REMORA_DIALECT_COUNT] = {false};
    DIR *dir = opendir(GOLDEN "/decode");
    (void)state;
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (test_ends_with(entry->d_name, ".sse") || test_ends_with(entry->d_name, ".json")) {
            check_answer(entry->d_name);
            has_case[dialect_of_file(entry->d_name)] = true;
        } else if (test_ends_with(entry->d_name, ".error")) {
            check_error(entry->d_name);
        }
    }
    closedir(dir);
    for (size_t i = 0; i < REMORA_COUNT_OF(captured); i++) {
        has_case[remora_dialect_by_name(remora_slice_of(captured[i]))] = true;
    }
    for (int i = 0; i < REMORA_DIALECT_COUNT; i++) {
        if (!has_case[i]) {
            fail_msg("no answer of %s", remora_dialect_name((enum remora_dialect)i));
        }
    }
}

/* ---- names ---- */

static void every_dialect_of_the_catalog_is_a_row(void **state)
{
    (void)state;
    size_t with_quirks = 0;
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        struct remora_provider_facts facts;
        remora_catalog_provider(i, &facts);
        if (facts.wire != REMORA_WIRE_OPENAI && facts.wire != REMORA_WIRE_AZURE) {
            continue;
        }
        enum remora_dialect dialect = remora_dialect_by_name(facts.dialect);
        if (dialect == REMORA_DIALECT_COUNT) {
            fail_msg("%.*s speaks %.*s", REMORA_SLICE_ARG(facts.slug),
                     REMORA_SLICE_ARG(facts.dialect));
        }
        with_quirks += dialect_for(&facts) != dialect_row(REMORA_DIALECT_GENERIC) ? 1 : 0;
    }
    assert_true(with_quirks >= 20);
}

static void unknown_name_and_openai_of_another_host_are_generic(void **state)
{
    struct remora_provider_facts facts = {.slug = REMORA_SLICE("acme"),
                                          .dialect = REMORA_SLICE("openai"),
                                          .base_url = REMORA_SLICE("https://llm.acme.example/v1")};
    (void)state;
    assert_int_equal(remora_dialect_of(&facts), REMORA_DIALECT_GENERIC);
    facts.base_url = REMORA_SLICE("https://api.openai.com/v1");
    assert_int_equal(remora_dialect_of(&facts), REMORA_DIALECT_OPENAI);
    facts.dialect = REMORA_SLICE("klingon");
    assert_int_equal(remora_dialect_of(&facts), REMORA_DIALECT_GENERIC);
}

/* ---- the page ---- */

static const char *ask_words(enum reasoning_ask ask)
{
    static const char *const words[] = {
        [REASONING_ASK_EFFORT] = "`reasoning_effort`",
        [REASONING_ASK_OBJECT] =
            "`reasoning {effort, max_tokens, enabled, exclude, summary, context}`",
        [REASONING_ASK_ENABLED] = "`reasoning {enabled}`, `reasoning_effort`",
        [REASONING_ASK_THINKING] = "`thinking {type}`, `reasoning_effort`",
        [REASONING_ASK_EITHER] = "`reasoning_effort` or `thinking {type, budget_tokens}`",
        [REASONING_ASK_BUDGET] = "`enable_thinking`, `thinking_budget`",
        [REASONING_ASK_FORMAT] = "`reasoning_effort`, `reasoning_format`",
        [REASONING_ASK_DISABLE] = "`reasoning_effort` or `disable_reasoning`",
        [REASONING_ASK_TEMPLATE] = "`chat_template_kwargs {enable_thinking}`, `reasoning_effort`",
    };
    return words[ask];
}

static const char *echo_words(enum remora_echo echo)
{
    static const char *const words[] = {
        [REMORA_ECHO_NONE] = "no",
        [REMORA_ECHO_CONTENT] = "`reasoning_content`",
        [REMORA_ECHO_FIELD] = "`reasoning`",
        [REMORA_ECHO_DETAILS] = "`reasoning_details`",
        [REMORA_ECHO_ANY] = "`reasoning_details` if signed, else `reasoning_content`",
    };
    return words[echo];
}

static const char *choice_words(enum choice_style style)
{
    static const char *const words[] = {
        [CHOICE_OPENAI] = "all",
        [CHOICE_ANY] = "`any` for required; a named tool is sent alone with `any`",
        [CHOICE_AUTO_ONLY] = "`auto` only; none sends no tools",
    };
    return words[style];
}

static void append_refused(struct remora_buf *out, remora_parameter_set refused)
{
    const char *between = "";
    for (int i = 0; i < REMORA_PARAMETER_COUNT; i++) {
        if (remora_parameter_set_has(refused, (enum remora_parameter)i)) {
            remora_buf_printf(out, "%s`%s`", between,
                              remora_parameter_name((enum remora_parameter)i));
            between = ", ";
        }
    }
}

/* What a row says beside the columns; the words that hold for it, in one cell. */
static void append_quirks(struct remora_buf *out, enum remora_dialect dialect)
{
    const struct dialect *row = dialect_row(dialect);
    const bool takes_marks = remora_dialect_cache_mark(dialect, false) != NULL;
    const struct {
        bool holds;
        const char *words;
        const char *value; /* behind the words, as code, or NULL */
    } quirks[] = {
        {row->role_style == ROLE_BY_MODEL,
         "models that reason get `developer` for `system` and no sampling parameters", NULL},
        {row->key_header != NULL, "the key goes in", row->key_header},
        {strcmp(row->seed_field, "seed") != 0, "`seed` is", row->seed_field},
        {strcmp(row->repetition_field, "repetition_penalty") != 0, "`repetition_penalty` is",
         row->repetition_field},
        {row->temperature_max == 1, "`temperature` at most 1", NULL},
        {row->go_on_field != NULL, "a last assistant message is marked", row->go_on_field},
        {row->always_true != NULL, "always sent as true:", row->always_true},
        {row->reasoning_place == REASONING_IN_TAGS, "`<think>` in the text is reasoning", NULL},
        {row->usage_rule == USAGE_REASONING_BESIDE,
         "reasoning tokens come on top of completion tokens", NULL},
        {row->usage_stream == USAGE_STREAM_ALWAYS,
         "usage comes by itself, without `stream_options`", NULL},
        {row->done_marker == DONE_OPTIONAL, "`[DONE]` may be missing", NULL},
        {row->tool_id_length == 9, "tool ids are 9 letters and digits: others are rewritten", NULL},
        {row->alternates_roles, "messages of one role in a row become one", NULL},
        {takes_marks, "cache markers go on", NULL},
        {remora_dialect_history(dialect)->signs_calls,
         "Gemini's signatures go back on their tool calls "
         "(`extra_content.google.thought_signature`)",
         NULL},
        {remora_dialect_history(dialect)->takes_annotations, "annotations go back", NULL},
        {row->takes_preferences,
         "what narrows its own choice goes on (policy.md, \"Behind a router\")", NULL},
    };
    const char *between = "";
    for (size_t i = 0; i < REMORA_COUNT_OF(quirks); i++) {
        if (quirks[i].holds) {
            remora_buf_printf(out, "%s%s", between, quirks[i].words);
            between = "; ";
        }
        if (quirks[i].holds && quirks[i].value != NULL) {
            remora_buf_printf(out, " `%s`", quirks[i].value);
        }
    }
}

/* The providers of the catalog that speak it; of the generic one only how many. */
static void append_speakers(struct remora_buf *out, enum remora_dialect dialect)
{
    int count = 0;
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        struct remora_provider_facts facts;
        remora_catalog_provider(i, &facts);
        if (facts.wire != REMORA_WIRE_OPENAI || remora_dialect_of(&facts) != dialect) {
            continue;
        }
        if (dialect != REMORA_DIALECT_GENERIC) {
            remora_buf_printf(out, "%s%.*s", count == 0 ? "" : ", ", REMORA_SLICE_ARG(facts.slug));
        }
        count++;
    }
    if (dialect == REMORA_DIALECT_GENERIC) {
        remora_buf_printf(out, "%d others, and every server of your own", count);
    }
}

static void append_row(struct remora_buf *out, enum remora_dialect dialect)
{
    const struct dialect *row = dialect_row(dialect);
    remora_buf_printf(out, "| `%s` | ", remora_dialect_name(dialect));
    append_speakers(out, dialect);
    remora_buf_printf(out, " | `%s` | %s | %s | %s | ", row->max_tokens_field,
                      choice_words(row->choice_style), ask_words(row->reasoning_ask),
                      echo_words(remora_dialect_history(dialect)->reasoning));
    append_refused(out, remora_dialect_refused(dialect));
    remora_buf_append_text(out, " | ");
    append_quirks(out, dialect);
    remora_buf_append_text(out, " |\n");
}

#define PAGE  REMORA_TESTS_DIR "/../docs/providers.md"
#define BEGIN "<!-- dialects: printed by provider_dialect_test -->\n"
#define END   "<!-- end of dialects -->\n"

/* Replaces what stands between the marks of the page, and compares the page with the result. */
static void page_lists_the_table(void **state)
{
    struct remora_buf out;
    struct remora_slice page = test_read_file(PAGE);
    const char *begin = strstr(page.data, BEGIN);
    const char *end = strstr(page.data, END);
    (void)state;
    assert_non_null(begin);
    assert_non_null(end);
    remora_buf_init(&out, 1 << 20);
    remora_buf_append(&out, remora_slice(page.data, (size_t)(begin - page.data) + strlen(BEGIN)));
    remora_buf_append_text(
        &out, "| dialect | providers of the catalog | limit of output | `tool_choice` | "
              "asks for reasoning with | sends it back as | does not take | besides |\n"
              "|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < REMORA_DIALECT_COUNT; i++) {
        append_row(&out, (enum remora_dialect)i);
    }
    remora_buf_append(&out, remora_slice(end, page.length - (size_t)(end - page.data)));
    test_compare_golden(PAGE, remora_buf_slice(&out));
    remora_buf_fini(&out);
    free((void *)(uintptr_t)page.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_builds_its_bodies),
        cmocka_unit_test(messages_keep_their_parts),
        cmocka_unit_test(further_fields_do_not_say_again_what_was_said),
        cmocka_unit_test(a_field_of_ours_in_other_capitals_does_not_go_on),
        cmocka_unit_test(key_goes_into_the_header_of_the_dialect),
        cmocka_unit_test(models_that_reason_are_known_by_their_names),
        cmocka_unit_test(newer_models_take_sampling_parameters_when_they_do_not_reason),
        cmocka_unit_test(names_end_where_they_end),
        cmocka_unit_test(model_that_reasons_gets_developers_and_no_sampling),
        cmocka_unit_test(every_answer_and_error_means_what_it_should),
        cmocka_unit_test(every_dialect_of_the_catalog_is_a_row),
        cmocka_unit_test(unknown_name_and_openai_of_another_host_are_generic),
        cmocka_unit_test(page_lists_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
