/* `require_parameters` removes exactly those endpoints that would drop something: what the judge says is held against what the
 * adapter does with the same request, in every dialect, for an endpoint with and without a list of its own. */
#include "support.h"

#include "plan_fixture.h"
#include "remora/provider.h"

static const struct remora_part plain = {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("Hi")};
static const struct remora_part marked = {
    .kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("Hi"), .cache = {.is_set = true}};
static const struct remora_part marked_explicitly = {
    .kind = REMORA_PART_TEXT,
    .text = REMORA_SLICE_INIT("Hi"),
    .cache = {.is_set = true, .is_explicit = true}};
static const struct remora_message said = {
    .role = REMORA_ROLE_USER, .parts = &plain, .part_count = 1, .content_is_text = true};
static const struct remora_message said_marked = {
    .role = REMORA_ROLE_USER, .parts = &marked, .part_count = 1};
static const struct remora_message said_marked_explicitly = {
    .role = REMORA_ROLE_USER, .parts = &marked_explicitly, .part_count = 1};
static const struct remora_tool marked_last[] = {
    {.kind = REMORA_TOOL_FUNCTION, .name = REMORA_SLICE_INIT("e")},
    {.kind = REMORA_TOOL_FUNCTION, .name = REMORA_SLICE_INIT("f"), .cache = {.is_set = true}}};
static const struct remora_pair fields[] = {
    {REMORA_SLICE_INIT("store"), REMORA_SLICE_INIT("true")},
    {REMORA_SLICE_INIT("random_seed"), REMORA_SLICE_INIT("1")},
    {REMORA_SLICE_INIT("reasoning_split"), REMORA_SLICE_INIT("false")},
    {REMORA_SLICE_INIT("chat_template_kwargs"), REMORA_SLICE_INIT("{}")},
    {REMORA_SLICE_INIT("stream_options"), REMORA_SLICE_INIT("{}")},
    {REMORA_SLICE_INIT("thinking"), REMORA_SLICE_INIT("{}")},
};

static struct remora_reasoning_options *reasoning_of(struct remora_request *request)
{
    remora_request_ask(request, REMORA_PARAMETER_REASONING);
    return &request->reasoning;
}

static void ask_nothing(struct remora_request *request)
{
    (void)request;
}

static void ask_effort(struct remora_request *request)
{
    reasoning_of(request)->effort = REMORA_EFFORT_LOW;
}

static void ask_effort_of_an_answer(struct remora_request *request)
{
    ask_effort(request);
    request->sampling.max_output_tokens = (struct remora_opt_i64){1000, true};
    remora_request_ask(request, REMORA_PARAMETER_MAX_TOKENS);
}

static void ask_budget(struct remora_request *request)
{
    reasoning_of(request)->max_tokens = (struct remora_opt_i64){100, true};
}

static void ask_budget_and_effort(struct remora_request *request)
{
    ask_effort(request);
    ask_budget(request);
}

static void ask_none(struct remora_request *request)
{
    ask_budget(request);
    request->reasoning.effort = REMORA_EFFORT_NONE;
}

static void ask_on(struct remora_request *request)
{
    reasoning_of(request)->enabled = REMORA_YES;
}

static void ask_summary(struct remora_request *request)
{
    reasoning_of(request)->summary = S("auto");
}

static void ask_context(struct remora_request *request)
{
    reasoning_of(request)->context = S("auto");
}

static void ask_hidden(struct remora_request *request)
{
    request->reasoning.exclude_from_response = true;
}

static void ask_structured(struct remora_request *request)
{
    request->structured_outputs = REMORA_YES;
    remora_request_ask(request, REMORA_PARAMETER_STRUCTURED_OUTPUTS);
}

static void ask_structured_by_schema(struct remora_request *request)
{
    ask_structured(request);
    request->response_format.kind = REMORA_FORMAT_JSON_SCHEMA;
    request->response_format.name = S("n");
    request->response_format.schema_json = S("{}");
    remora_request_ask(request, REMORA_PARAMETER_RESPONSE_FORMAT);
}

static void ask_cache(struct remora_request *request)
{
    request->cache.is_set = true;
}

static void ask_cache_explicitly(struct remora_request *request)
{
    request->cache = (struct remora_cache_breakpoint){.is_set = true, .is_explicit = true};
}

static void ask_cache_of_part(struct remora_request *request)
{
    request->messages = &said_marked;
}

static void ask_cache_of_part_explicitly(struct remora_request *request)
{
    request->messages = &said_marked_explicitly;
}

static void ask_cache_of_tool(struct remora_request *request)
{
    request->tools = marked_last;
    request->tool_count = REMORA_COUNT_OF(marked_last);
}

static void ask_betas(struct remora_request *request)
{
    static const struct remora_slice names[] = {REMORA_SLICE_INIT("a-2025-01-01")};
    static const struct remora_slices betas = {.items = names, .count = 1, .is_set = true};
    request->betas = &betas;
}

static void ask_field(struct remora_request *request, size_t at)
{
    request->extra = fields + at;
    request->extra_count = 1;
}

#define FIELD(name, at)                              \
    static void name(struct remora_request *request) \
    {                                                \
        ask_field(request, at);                      \
    }
FIELD(ask_store, 0)
FIELD(ask_random_seed, 1)
FIELD(ask_reasoning_split, 2)
FIELD(ask_template, 3)
FIELD(ask_stream_options, 4)
FIELD(ask_thinking, 5)
#undef FIELD

static void ask_template_and_effort(struct remora_request *request)
{
    ask_effort(request);
    ask_template(request);
}

/* What the catalog's lists have no word for. */
#define WORD(name, member, asked, value)                       \
    static void name(struct remora_request *request)           \
    {                                                          \
        request->member = S(value);                            \
        remora_request_ask(request, REMORA_PARAMETER_##asked); \
    }
WORD(ask_user, end_user_id, USER, "u")
WORD(ask_safety, safety_identifier, SAFETY_IDENTIFIER, "u")
WORD(ask_tier, service_tier, SERVICE_TIER, "flex")
WORD(ask_cache_key, prompt_cache_key, PROMPT_CACHE_KEY, "k")
WORD(ask_audio, audio_json, AUDIO, "{}")
WORD(ask_image, image_config_json, IMAGE_CONFIG, "{}")
WORD(ask_prediction, prediction_json, PREDICTION, "{}")
WORD(ask_search, web_search_options_json, WEB_SEARCH_OPTIONS, "{}")
WORD(ask_cache_options, prompt_cache_options_json, PROMPT_CACHE_OPTIONS, "{}")
#undef WORD

static void ask_choices(struct remora_request *request)
{
    request->sampling.choice_count = (struct remora_opt_i64){2, true};
    remora_request_ask(request, REMORA_PARAMETER_N);
}

static void ask_parallel(struct remora_request *request)
{
    request->tools = marked_last;
    request->tool_count = 1;
    request->parallel_tool_calls = REMORA_NO;
    remora_request_ask(request, REMORA_PARAMETER_PARALLEL_TOOL_CALLS);
}

/* ---- what an assistant has said before ---- */

static const struct remora_annotation citation[] = {{.raw = REMORA_SLICE_INIT("{\"type\":\"x\"}")}};
static const struct remora_part cited = {.kind = REMORA_PART_TEXT,
                                         .text = REMORA_SLICE_INIT("Hi"),
                                         .annotations = citation,
                                         .annotation_count = 1};
static const struct remora_part picture = {
    .kind = REMORA_PART_IMAGE,
    .media = {.source = REMORA_MEDIA_URI, .value = REMORA_SLICE_INIT("https://a.example/p")}};
static const struct remora_part sound = {
    .kind = REMORA_PART_AUDIO,
    .media = {.source = REMORA_MEDIA_FILE_ID, .value = REMORA_SLICE_INIT("audio_1")}};
static const struct remora_part nameless_sound = {
    .kind = REMORA_PART_AUDIO,
    .media = {.source = REMORA_MEDIA_BASE64, .value = REMORA_SLICE_INIT("AAAA")}};
static const struct remora_reasoning_block thought = {.kind = REMORA_REASONING_TEXT,
                                                      .text = REMORA_SLICE_INIT("hm")};
static const struct remora_reasoning_block signed_thought = {.kind = REMORA_REASONING_TEXT,
                                                             .text = REMORA_SLICE_INIT("hm"),
                                                             .signature = REMORA_SLICE_INIT("s")};

static const struct remora_tool_call marked_calls[] = {
    {.id = REMORA_SLICE_INIT("b"), .name = REMORA_SLICE_INIT("f")},
    {.id = REMORA_SLICE_INIT("c"), .name = REMORA_SLICE_INIT("f"), .cache = {.is_set = true}}};

#define USER_SAID                                                  \
    {                                                              \
        .role = REMORA_ROLE_USER, .parts = &plain, .part_count = 1 \
    }
#define EARLIER(name, ...)                                                                        \
    static void name(struct remora_request *request)                                              \
    {                                                                                             \
        static const struct remora_message messages[] = {                                         \
            USER_SAID, {.role = REMORA_ROLE_ASSISTANT, .part_count = 1, __VA_ARGS__}, USER_SAID}; \
        request->messages = messages;                                                             \
        request->message_count = REMORA_COUNT_OF(messages);                                       \
    }
EARLIER(ask_after_citation, .parts = &cited)
static const struct remora_part unknown_part = {.kind = REMORA_PART_RAW,
                                                .text = REMORA_SLICE_INIT("{}")};
EARLIER(ask_after_raw, .parts = &unknown_part)
EARLIER(ask_after_picture, .parts = &picture)
EARLIER(ask_after_sound, .parts = &sound)
EARLIER(ask_after_nameless_sound, .parts = &nameless_sound)
EARLIER(ask_after_thought, .parts = &plain, .reasoning = &thought, .reasoning_count = 1)
EARLIER(ask_after_signed_thought, .parts = &plain, .reasoning = &signed_thought,
        .reasoning_count = 1)
EARLIER(ask_after_marked_call, .parts = &plain, .tool_calls = marked_calls, .tool_call_count = 2)
EARLIER(ask_after_member, .parts = &plain, .extra = REMORA_SLICE_INIT("{\"weird\":1}"))
EARLIER(ask_after_no_member, .parts = &plain, .extra = REMORA_SLICE_INIT("{}"))
EARLIER(ask_after_prefix, .parts = &plain, .extra = REMORA_SLICE_INIT("{\"prefix\":true}"))
EARLIER(ask_after_partial, .parts = &plain, .extra = REMORA_SLICE_INIT("{\"partial\":false}"))
EARLIER(ask_after_more, .parts = &plain,
        .extra = REMORA_SLICE_INIT("{\"prefix\":true,\"weird\":1}"))
static const struct remora_part refused = {.kind = REMORA_PART_REFUSAL,
                                           .text = REMORA_SLICE_INIT("no")};
EARLIER(ask_after_named_refusal, .parts = &refused, .name = REMORA_SLICE_INIT("bot"))
EARLIER(ask_after_named_text, .parts = &plain, .name = REMORA_SLICE_INIT("bot"))
#undef EARLIER

static void ask_with_member(struct remora_request *request)
{
    static const struct remora_message message = {.role = REMORA_ROLE_USER,
                                                  .parts = &plain,
                                                  .part_count = 1,
                                                  .extra = REMORA_SLICE_INIT("{\"prefix\":true}")};
    request->messages = &message;
}

static void ask_after_late_citation(struct remora_request *request)
{
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("Hi")},
        {.kind = REMORA_PART_TEXT,
         .text = REMORA_SLICE_INIT("Hi"),
         .annotations = citation,
         .annotation_count = 1}};
    static const struct remora_message messages[] = {
        USER_SAID, {.role = REMORA_ROLE_ASSISTANT, .parts = parts, .part_count = 2}, USER_SAID};
    request->messages = messages;
    request->message_count = REMORA_COUNT_OF(messages);
}

static const struct {
    const char *name;
    void (*ask)(struct remora_request *request);
} asks[] = {
    {"after citations", ask_after_citation},
    {"after citations of the second part", ask_after_late_citation},
    {"after a picture", ask_after_picture},
    {"after content of an unknown type", ask_after_raw},
    {"after sound", ask_after_sound},
    {"after sound without an id", ask_after_nameless_sound},
    {"after a thought", ask_after_thought},
    {"after a signed thought", ask_after_signed_thought},
    {"after a refusal with a name", ask_after_named_refusal},
    {"after a text with a name", ask_after_named_text},
    {"after a call with a mark", ask_after_marked_call},
    {"after a further member", ask_after_member},
    {"after an empty object of members", ask_after_no_member},
    {"after the mark prefix", ask_after_prefix},
    {"after the mark partial", ask_after_partial},
    {"after a mark and more", ask_after_more},
    {"with a further member of a user", ask_with_member},
    {"nothing", ask_nothing},
    {"an effort", ask_effort},
    {"an effort, an answer of known length", ask_effort_of_an_answer},
    {"a budget", ask_budget},
    {"a budget and an effort", ask_budget_and_effort},
    {"no reasoning", ask_none},
    {"reasoning", ask_on},
    {"a summary", ask_summary},
    {"a context", ask_context},
    {"hidden reasoning", ask_hidden},
    {"structured outputs", ask_structured},
    {"structured outputs by a schema", ask_structured_by_schema},
    {"a cache", ask_cache},
    {"a cache, as OpenAI spells it", ask_cache_explicitly},
    {"a cache of a part", ask_cache_of_part},
    {"a cache of a part, as OpenAI spells it", ask_cache_of_part_explicitly},
    {"a cache of a tool", ask_cache_of_tool},
    {"trial features", ask_betas},
    {"the field store", ask_store},
    {"the field random_seed", ask_random_seed},
    {"the field reasoning_split", ask_reasoning_split},
    {"the field chat_template_kwargs", ask_template},
    {"the field stream_options", ask_stream_options},
    {"the field thinking", ask_thinking},
    {"chat_template_kwargs and an effort", ask_template_and_effort},
    {"user", ask_user},
    {"safety_identifier", ask_safety},
    {"a service tier", ask_tier},
    {"prompt_cache_key", ask_cache_key},
    {"audio", ask_audio},
    {"image_config", ask_image},
    {"a prediction", ask_prediction},
    {"a search", ask_search},
    {"prompt_cache_options", ask_cache_options},
    {"two choices", ask_choices},
    {"no parallel calls", ask_parallel},
};

struct world {
    struct plan_fixture f;
    struct remora_provider *provider;
    struct remora_endpoint *endpoint;
};

static void begin(struct world *w, enum remora_dialect dialect, remora_parameter_set supported)
{
    plan_fixture_init(&w->f);
    w->provider = plan_provider(&w->f, "alpha");
    struct remora_model *model = plan_model(&w->f, "acme/echo-1");
    model->facts.input_modalities = REMORA_MODALITY_TEXT | REMORA_MODALITY_AUDIO;
    w->endpoint = plan_endpoint(&w->f, model, w->provider, "alpha");
    w->provider->facts.slug = remora_slice_of(remora_dialect_name(dialect));
    w->provider->facts.dialect = remora_slice_of(remora_dialect_name(dialect));
    w->provider->facts.base_url = S("https://api.example/v1");
    w->endpoint->facts.upstream_model = S("echo-1");
    /* As a configuration builds it. */
    w->endpoint->facts.supported = supported & ~remora_dialect_refused(dialect);
    w->endpoint->is_own = true;
    w->f.request.messages = &said;
    w->f.request.message_count = 1;
    plan_layer(&w->f, REMORA_LAYER_SERVICE)->provider.require_parameters = REMORA_YES;
}

/* What the adapter drops first, or "". */
static struct remora_slice dropped(struct world *w)
{
    struct remora_build_output built;
    const struct remora_build_input input = {
        .request = &w->f.request, .endpoint = w->endpoint, .delivery = REMORA_UNARY};
    assert_int_equal(
        remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &w->f.arena, &built, &w->f.fail),
        REMORA_OK);
    return built.dropped_count == 0 ? REMORA_SLICE("") : remora_dropped_name(&built.dropped[0]);
}

static struct remora_exclusion judged(const struct world *w)
{
    struct remora_judge judge;
    struct remora_exclusion out;
    remora_judge_init(&judge, &w->f.stack, &w->f.request);
    remora_judge_model(&judge, w->endpoint->model, REMORA_VARIANT_STANDARD);
    remora_policy_judge(&judge, w->endpoint, &out);
    return out;
}

static void compare_with_the_adapter(remora_effort_set efforts, bool lacks_budget)
{
    static const remora_parameter_set lists[] = {
        REMORA_PARAMETERS_ALL, REMORA_PARAMETERS_ALL & ~(UINT64_C(1) << REMORA_PARAMETER_TOP_K),
        UINT64_C(1) << REMORA_PARAMETER_SEED | UINT64_C(1) << REMORA_PARAMETER_REASONING |
            UINT64_C(1) << REMORA_PARAMETER_RESPONSE_FORMAT};
    for (size_t i = 0; i < REMORA_COUNT_OF(asks) * REMORA_COUNT_OF(lists); i++) {
        for (int dialect = 0; dialect < REMORA_DIALECT_COUNT; dialect++) {
            struct world w;
            begin(&w, (enum remora_dialect)dialect, lists[i % REMORA_COUNT_OF(lists)]);
            w.endpoint->is_own = i % REMORA_COUNT_OF(lists) < 2;
            asks[i / REMORA_COUNT_OF(lists)].ask(&w.f.request);
            w.endpoint->facts.efforts = efforts;
            w.endpoint->facts.lacks_budget = lacks_budget;
            struct remora_slice lost = dropped(&w);
            struct remora_exclusion out = judged(&w);
            if ((out.rule == REMORA_RULE_REQUIRE_PARAMETERS) != (lost.length > 0)) {
                fail_msg("%s, asked for %s: drops '%.*s', %s",
                         remora_dialect_name((enum remora_dialect)dialect),
                         asks[i / REMORA_COUNT_OF(lists)].name, REMORA_SLICE_ARG(lost),
                         out.rule == REMORA_RULE_NONE ? "stays" : "is out");
            }
            plan_fixture_fini(&w.f);
        }
    }
}

static void who_would_drop_something_is_out_and_nobody_else(void **state)
{
    (void)state;
    compare_with_the_adapter(0, false);
    compare_with_the_adapter(remora_effort_bit(REMORA_EFFORT_NONE), true);  /* a switch alone */
    compare_with_the_adapter(remora_effort_bit(REMORA_EFFORT_NONE), false); /* or a budget */
}

/* What agents send of habit, to an endpoint that takes tools and knows no choice. */
static void a_choice_that_is_made_anyway_is_not_lost(void **state)
{
    static const struct {
        enum remora_tool_choice_kind kind;
        bool is_lost;
    } cases[] = {{REMORA_TOOL_CHOICE_AUTO, false},
                 {REMORA_TOOL_CHOICE_NONE, false},
                 {REMORA_TOOL_CHOICE_REQUIRED, true}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct world w;
        begin(&w, REMORA_DIALECT_ZAI, UINT64_C(1) << REMORA_PARAMETER_TOOLS);
        w.endpoint->is_own = false;
        w.f.request.tools = marked_last;
        w.f.request.tool_count = 1;
        w.f.request.tool_choice.kind = cases[i].kind;
        remora_request_ask(&w.f.request, REMORA_PARAMETER_TOOLS);
        remora_request_ask(&w.f.request, REMORA_PARAMETER_TOOL_CHOICE);
        struct remora_exclusion out = judged(&w);
        assert_int_equal(out.rule,
                         cases[i].is_lost ? REMORA_RULE_REQUIRE_PARAMETERS : REMORA_RULE_NONE);
        assert_int_equal(dropped(&w).length > 0, cases[i].is_lost);
        plan_fixture_fini(&w.f);
    }
}

static void a_format_of_text_is_not_lost(void **state)
{
    (void)state;
    struct world w;
    begin(&w, REMORA_DIALECT_GROQ, UINT64_C(1) << REMORA_PARAMETER_SEED);
    w.endpoint->is_own = false;
    w.f.request.response_format.kind = REMORA_FORMAT_TEXT;
    remora_request_ask(&w.f.request, REMORA_PARAMETER_RESPONSE_FORMAT);
    assert_int_equal(judged(&w).rule, REMORA_RULE_NONE);
    assert_slice_equal(dropped(&w), "");
    plan_fixture_fini(&w.f);
}

/* "none" is near to nothing: who has no word for it is out, where the adapter would drop it. */
static void no_reasoning_is_lost_where_there_is_no_word_for_it(void **state)
{
    size_t lost_by = 0;
    (void)state;
    for (int dialect = 0; dialect < REMORA_DIALECT_COUNT; dialect++) {
        struct world w;
        struct remora_exclusion out;
        begin(&w, (enum remora_dialect)dialect, REMORA_PARAMETERS_ALL);
        ask_none(&w.f.request);
        w.endpoint->facts.efforts = remora_effort_bit(REMORA_EFFORT_HIGH);
        w.endpoint->facts.lacks_budget = true;
        bool is_lost = dropped(&w).length > 0;
        out = judged(&w);
        assert_int_equal(out.rule == REMORA_RULE_REQUIRE_PARAMETERS, is_lost);
        lost_by += is_lost;
        plan_fixture_fini(&w.f);
    }
    assert_in_range(lost_by, 8, REMORA_DIALECT_COUNT - 8);
}

static void what_is_lost_is_named(void **state)
{
    static const struct {
        enum remora_dialect dialect;
        void (*ask)(struct remora_request *request);
        const char *subject; /* NULL: stays */
    } cases[] = {
        {REMORA_DIALECT_OPENAI, ask_budget, "reasoning.max_tokens"},
        {REMORA_DIALECT_FIREWORKS, ask_budget, NULL},
        {REMORA_DIALECT_QWEN, ask_effort, "reasoning.effort"},
        {REMORA_DIALECT_QWEN, ask_effort_of_an_answer, NULL},
        {REMORA_DIALECT_OPENAI, ask_summary, "reasoning.summary"},
        {REMORA_DIALECT_OPENAI, ask_context, "reasoning.context"},
        {REMORA_DIALECT_OPENROUTER, ask_context, NULL},
        {REMORA_DIALECT_OPENAI, ask_structured, "structured_outputs"},
        {REMORA_DIALECT_OPENAI, ask_cache_of_tool, "cache_control"},
        {REMORA_DIALECT_OPENAI, ask_cache_of_part_explicitly, NULL},
        {REMORA_DIALECT_OPENROUTER, ask_after_marked_call, "messages[].tool_calls[].cache_control"},
        {REMORA_DIALECT_OPENAI, ask_betas, "x-anthropic-beta"},
        {REMORA_DIALECT_OPENROUTER, ask_betas, NULL},
        {REMORA_DIALECT_GENERIC, ask_betas, NULL},
        {REMORA_DIALECT_MISTRAL, ask_random_seed, "further_fields"},
        {REMORA_DIALECT_VLLM, ask_random_seed, NULL},
        {REMORA_DIALECT_MISTRAL, ask_after_thought, "messages[].reasoning_details"},
        {REMORA_DIALECT_GROQ, ask_after_thought, NULL},
        {REMORA_DIALECT_GROQ, ask_after_signed_thought, "messages[].reasoning_details"},
        {REMORA_DIALECT_GROQ, ask_after_picture, "messages[].images"},
        {REMORA_DIALECT_GENERIC, ask_after_picture, NULL},
        {REMORA_DIALECT_GENERIC, ask_after_raw, "messages[].raw"},
        {REMORA_DIALECT_GENERIC, ask_after_citation, "messages[].annotations"},
        {REMORA_DIALECT_OPENROUTER, ask_after_citation, NULL},
        {REMORA_DIALECT_OPENAI, ask_after_sound, NULL},
        {REMORA_DIALECT_OPENAI, ask_after_nameless_sound, "messages[].audio"},
        {REMORA_DIALECT_MISTRAL, ask_after_member, "further_fields"},
        {REMORA_DIALECT_MISTRAL, ask_after_prefix, NULL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct world w;
        begin(&w, cases[i].dialect, REMORA_PARAMETERS_ALL);
        cases[i].ask(&w.f.request);
        struct remora_exclusion out = judged(&w);
        assert_int_equal(out.rule, cases[i].subject == NULL ? REMORA_RULE_NONE
                                                            : REMORA_RULE_REQUIRE_PARAMETERS);
        if (cases[i].subject != NULL) {
            assert_string_equal(out.subject, cases[i].subject);
            assert_int_equal(out.layer, REMORA_LAYER_SERVICE);
        }
        plan_fixture_fini(&w.f);
    }
}

/* Perplexity has no tools, so it takes no calls of them and no results either. */
static void who_takes_no_tools_takes_no_messages_of_them(void **state)
{
    static const struct remora_tool_call call = {.id = REMORA_SLICE_INIT("c"),
                                                 .name = REMORA_SLICE_INIT("f")};
    static const struct remora_message messages[] = {
        USER_SAID,
        {.role = REMORA_ROLE_ASSISTANT, .tool_calls = &call, .tool_call_count = 1},
        {.role = REMORA_ROLE_TOOL,
         .parts = &plain,
         .part_count = 1,
         .tool_call_id = REMORA_SLICE_INIT("c")}};
    static const struct {
        enum remora_dialect dialect;
        enum remora_rule rule;
    } cases[] = {{REMORA_DIALECT_PERPLEXITY, REMORA_RULE_SUPPORTED_PARAMETERS},
                 {REMORA_DIALECT_GROQ, REMORA_RULE_NONE}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct world w;
        begin(&w, cases[i].dialect, REMORA_PARAMETERS_ALL);
        w.f.request.messages = messages;
        w.f.request.message_count = REMORA_COUNT_OF(messages);
        struct remora_exclusion out = judged(&w);
        assert_int_equal(out.rule, cases[i].rule);
        if (out.rule != REMORA_RULE_NONE) {
            assert_string_equal(out.subject, "tools");
        }
        plan_fixture_fini(&w.f);
    }
}

/* A conversation goes on from a model that shows and speaks to one that does neither. */
static void what_was_shown_need_not_be_read(void **state)
{
    static void (*const shown[])(struct remora_request *) = {ask_after_picture, ask_after_sound,
                                                             ask_after_nameless_sound};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(shown); i++) {
        struct world w;
        begin(&w, REMORA_DIALECT_GROQ, REMORA_PARAMETERS_ALL);
        shown[i](&w.f.request);
        ((struct remora_model *)w.endpoint->model)->facts.input_modalities = REMORA_MODALITY_TEXT;
        ((struct remora_model *)w.endpoint->model)->facts.output_modalities = REMORA_MODALITY_TEXT;
        assert_true(dropped(&w).length > 0);
        assert_int_equal(judged(&w).rule, REMORA_RULE_REQUIRE_PARAMETERS);
        w.f.layers[REMORA_LAYER_SERVICE].provider.require_parameters = REMORA_NO;
        assert_int_equal(judged(&w).rule, REMORA_RULE_NONE);
        plan_fixture_fini(&w.f);
    }
}

/* openrouter.md 2.1 `exclude`: the text is withheld here, whoever answers. */
static void hiding_needs_no_reasoning(void **state)
{
    struct world w;
    (void)state;
    begin(&w, REMORA_DIALECT_OPENROUTER,
          REMORA_PARAMETERS_ALL & ~(UINT64_C(1) << REMORA_PARAMETER_REASONING));
    ask_hidden(&w.f.request);
    assert_int_equal(dropped(&w).length, 0);
    assert_int_equal(judged(&w).rule, REMORA_RULE_NONE);
    plan_fixture_fini(&w.f);
}

/* A format that a server has no word for cannot be left out, so that nobody without one is asked. */
static void rare_formats_go_to_who_knows_them(void **state)
{
    static const struct {
        enum remora_dialect dialect;
        enum remora_format_kind kind;
        bool is_listed; /* the endpoint has a list of its own */
        bool stays;
    } cases[] = {
        {REMORA_DIALECT_OPENAI, REMORA_FORMAT_GRAMMAR, false, false},
        {REMORA_DIALECT_OPENAI, REMORA_FORMAT_PYTHON, false, false},
        {REMORA_DIALECT_OPENAI, REMORA_FORMAT_REGEX, false, false},
        {REMORA_DIALECT_OPENAI, REMORA_FORMAT_JSON_OBJECT, true, true},
        {REMORA_DIALECT_OPENAI, REMORA_FORMAT_JSON_SCHEMA, true, true},
        {REMORA_DIALECT_OPENAI, REMORA_FORMAT_TEXT, true, true},
        {REMORA_DIALECT_FIREWORKS, REMORA_FORMAT_GRAMMAR, true, true},
        {REMORA_DIALECT_FIREWORKS, REMORA_FORMAT_REGEX, true, false},
        {REMORA_DIALECT_TOGETHER, REMORA_FORMAT_REGEX, true, true},
        {REMORA_DIALECT_TOGETHER, REMORA_FORMAT_GRAMMAR, true, false},
        {REMORA_DIALECT_OPENROUTER, REMORA_FORMAT_PYTHON, true, true},
        {REMORA_DIALECT_VLLM, REMORA_FORMAT_GRAMMAR, false, true},
        {REMORA_DIALECT_VLLM, REMORA_FORMAT_GRAMMAR, true, false},
        {REMORA_DIALECT_GENERIC, REMORA_FORMAT_REGEX, false, true},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct world w;
        begin(&w, cases[i].dialect,
              cases[i].is_listed ? REMORA_PARAMETERS_ALL & ~(UINT64_C(1) << REMORA_PARAMETER_TOP_K)
                                 : REMORA_PARAMETERS_ALL);
        w.f.layers[REMORA_LAYER_SERVICE].provider.require_parameters = REMORA_NO;
        w.f.request.response_format.kind = cases[i].kind;
        remora_request_ask(&w.f.request, REMORA_PARAMETER_TOOLS); /* is not told instead of it */
        remora_request_ask(&w.f.request, REMORA_PARAMETER_RESPONSE_FORMAT);
        struct remora_exclusion out = judged(&w);
        assert_int_equal(out.rule,
                         cases[i].stays ? REMORA_RULE_NONE : REMORA_RULE_SUPPORTED_PARAMETERS);
        if (!cases[i].stays) {
            assert_string_equal(out.subject, "response_format");
        }
        plan_fixture_fini(&w.f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_would_drop_something_is_out_and_nobody_else),
        cmocka_unit_test(a_choice_that_is_made_anyway_is_not_lost),
        cmocka_unit_test(a_format_of_text_is_not_lost),
        cmocka_unit_test(what_was_shown_need_not_be_read),
        cmocka_unit_test(who_takes_no_tools_takes_no_messages_of_them),
        cmocka_unit_test(no_reasoning_is_lost_where_there_is_no_word_for_it),
        cmocka_unit_test(what_is_lost_is_named),
        cmocka_unit_test(hiding_needs_no_reasoning),
        cmocka_unit_test(rare_formats_go_to_who_knows_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
