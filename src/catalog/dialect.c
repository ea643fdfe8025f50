/*
 * Names of the dialects of the openai-chat wire and what they do not take, from tbl/dialects.h.
 *
 * The catalog says `openai` of every server without quirks, also of those that know neither max_completion_tokens nor the
 * developer role; the dialect `openai` is therefore OpenAI's own and is taken only for its slug or its host.
 */
#include "remora/catalog.h"

#include "remora/betas.h"
#include "remora/text.h"

struct dialect_row {
    struct remora_slice name;
    remora_parameter_set refused;
};

#define PARAMETER(name) (UINT64_C(1) << REMORA_PARAMETER_##name)
static const struct dialect_row dialect_rows[REMORA_DIALECT_COUNT] = {
#define REMORA_DIALECT(name, text, refused) \
    [REMORA_DIALECT_##name] = {REMORA_SLICE_INIT(text), refused},
#include "remora/tbl/dialects.h"
#undef REMORA_DIALECT
};
#undef PARAMETER

const char *remora_dialect_name(enum remora_dialect dialect)
{
    return dialect_rows[dialect].name.data;
}

enum remora_dialect remora_dialect_by_name(struct remora_slice name)
{
    for (size_t i = 0; i < REMORA_DIALECT_COUNT; i++) {
        if (remora_slice_equal(name, dialect_rows[i].name)) {
            return (enum remora_dialect)i;
        }
    }
    return REMORA_DIALECT_COUNT;
}

static bool is_openai_itself(const struct remora_provider_facts *provider)
{
    return remora_slice_is(provider->slug, "openai") ||
           remora_slice_starts_with(provider->base_url, REMORA_SLICE("https://api.openai.com/"));
}

enum remora_dialect remora_dialect_of(const struct remora_provider_facts *provider)
{
    enum remora_dialect dialect = remora_dialect_by_name(provider->dialect);
    bool is_foreign = dialect == REMORA_DIALECT_OPENAI && !is_openai_itself(provider);
    return dialect == REMORA_DIALECT_COUNT || is_foreign ? REMORA_DIALECT_GENERIC : dialect;
}

bool remora_routes_further(const struct remora_provider_facts *provider)
{
    /* As remora_dialect_of has it; asked of every endpoint for `regions`. */
    const struct dialect_row *row = &dialect_rows[REMORA_DIALECT_OPENROUTER];
    return provider->is_router || remora_slice_equal(provider->dialect, row->name);
}

remora_parameter_set remora_dialect_refused(enum remora_dialect dialect)
{
    return dialect_rows[dialect].refused;
}

/* ---- fields that no table of ours names ---- */

/* Fields of each provider that nobody else has (providers.md section 8, its rows). */
static const struct {
    enum remora_dialect dialect;
    const char *names[12];
} own_extras[] = {
    {REMORA_DIALECT_OPENAI, {"store"}},
    {REMORA_DIALECT_AZURE, {"store"}},
    {REMORA_DIALECT_MISTRAL, {"safe_prompt", "prompt_mode"}},
    {REMORA_DIALECT_GROQ, {"reasoning_format", "search_settings"}},
    {REMORA_DIALECT_XAI, {"search_parameters", "deferred"}},
    {REMORA_DIALECT_TOGETHER,
     {"safety_model", "chat_template_kwargs", "context_length_exceeded_behavior"}},
    {REMORA_DIALECT_FIREWORKS, {"context_length_exceeded_behavior"}},
    {REMORA_DIALECT_CEREBRAS, {"clear_thinking", "disable_reasoning"}},
    {REMORA_DIALECT_PERPLEXITY,
     {"search_mode", "search_domain_filter", "search_recency_filter", "search_after_date_filter",
      "search_before_date_filter", "return_images", "return_related_questions", "disable_search"}},
    {REMORA_DIALECT_NIM, {"nvext", "chat_template_kwargs"}},
    {REMORA_DIALECT_ZAI, {"do_sample", "tool_stream"}},
    {REMORA_DIALECT_QWEN, {"enable_search", "search_options"}},
    {REMORA_DIALECT_MINIMAX, {"mask_sensitive_info"}},
    {REMORA_DIALECT_HUGGINGFACE, {"chat_template_kwargs"}},
};

/* Servers of the operator's own, and routers: what they take is theirs to say, unless the endpoint has a list. */
bool remora_dialect_takes_anything(enum remora_dialect dialect, remora_parameter_set supported)
{
    static const enum remora_dialect open[] = {REMORA_DIALECT_GENERIC, REMORA_DIALECT_VLLM,
                                               REMORA_DIALECT_LLAMACPP, REMORA_DIALECT_OLLAMA,
                                               REMORA_DIALECT_OPENROUTER};
    for (size_t i = 0; i < REMORA_COUNT_OF(open); i++) {
        if (dialect == open[i]) {
            return supported == REMORA_PARAMETERS_ALL;
        }
    }
    return false;
}

static bool is_own_extra(enum remora_dialect dialect, struct remora_slice name)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(own_extras); i++) {
        for (size_t k = 0;
             dialect == own_extras[i].dialect && k < REMORA_COUNT_OF(own_extras[i].names); k++) {
            if (own_extras[i].names[k] != NULL && remora_slice_is(name, own_extras[i].names[k])) {
                return true;
            }
        }
    }
    return false;
}

/* In any case: a server that tells no capitals from small letters would read two fields as one. */
static bool is_alike(struct remora_slice name, const char *written)
{
    return remora_names_alike(name, remora_slice_of(written));
}

bool remora_dialect_writes_field(enum remora_dialect dialect, struct remora_slice name)
{
    static const char *const names[] = {"model",    "messages",        "stream",
                                        "tools",    "tool_choice",     "stream_options",
                                        "provider", "response_format", "max_completion_tokens"};
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (is_alike(name, names[i])) {
            return true;
        }
    }
    for (int i = 0; i < REMORA_PARAMETER_COUNT; i++) {
        if (is_alike(name, remora_parameter_name((enum remora_parameter)i))) {
            return true;
        }
    }
    return (dialect == REMORA_DIALECT_MISTRAL && is_alike(name, "random_seed")) ||
           (dialect == REMORA_DIALECT_MINIMAX && is_alike(name, "reasoning_split"));
}

bool remora_dialect_takes_field(enum remora_dialect dialect, remora_parameter_set supported,
                                struct remora_slice name)
{
    bool is_known =
        remora_dialect_takes_anything(dialect, supported) || is_own_extra(dialect, name);
    return is_known && !remora_dialect_writes_field(dialect, name);
}

bool remora_is_reasoning_field(struct remora_slice name)
{
    static const char *const fields[] = {
        "reasoning",       "reasoning_effort", "reasoning_format",  "thinking",
        "enable_thinking", "thinking_budget",  "disable_reasoning", "chat_template_kwargs",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(fields); i++) {
        if (is_alike(name, fields[i])) {
            return true;
        }
    }
    return false;
}

bool remora_endpoint_takes_names(const struct remora_endpoint *endpoint)
{
    enum remora_dialect dialect = remora_dialect_of(&endpoint->provider->facts);
    return dialect == REMORA_DIALECT_OPENAI || dialect == REMORA_DIALECT_AZURE ||
           dialect == REMORA_DIALECT_OPENROUTER ||
           (endpoint->model != NULL && remora_slice_is(endpoint->model->facts.author, "openai"));
}

bool remora_endpoint_takes_betas(const struct remora_endpoint *endpoint)
{
    const struct remora_provider *provider = endpoint->provider;
    enum remora_dialect dialect = remora_dialect_of(&provider->facts);
    for (size_t i = 0; i < provider->header_count; i++) {
        if (provider->headers[i].secret != NULL &&
            remora_is_beta_header(provider->headers[i].name)) {
            return false;
        }
    }
    return dialect == REMORA_DIALECT_OPENROUTER ||
           (dialect == REMORA_DIALECT_GENERIC &&
            endpoint->facts.supported == REMORA_PARAMETERS_ALL);
}

/* ---- what an assistant has said before ---- */

/* Providers.md section 8, its rows; a server of one's own takes pictures as they came, since nobody knows better. */
static const struct remora_dialect_history histories[REMORA_DIALECT_COUNT] = {
    [REMORA_DIALECT_GENERIC] = {.reasoning = REMORA_ECHO_ANY,
                                .takes_images = true,
                                .signs_calls = true},
    [REMORA_DIALECT_MISTRAL] = {.mark = "prefix"},
    [REMORA_DIALECT_DEEPSEEK] = {.reasoning = REMORA_ECHO_CONTENT, .mark = "prefix"},
    [REMORA_DIALECT_GROQ] = {.reasoning = REMORA_ECHO_FIELD},
    [REMORA_DIALECT_XAI] = {.reasoning = REMORA_ECHO_CONTENT},
    [REMORA_DIALECT_TOGETHER] = {.reasoning = REMORA_ECHO_FIELD},
    [REMORA_DIALECT_FIREWORKS] = {.reasoning = REMORA_ECHO_CONTENT},
    [REMORA_DIALECT_DEEPINFRA] = {.reasoning = REMORA_ECHO_CONTENT},
    [REMORA_DIALECT_CEREBRAS] = {.reasoning = REMORA_ECHO_FIELD},
    [REMORA_DIALECT_OPENROUTER] = {.reasoning = REMORA_ECHO_DETAILS,
                                   .takes_annotations = true,
                                   .takes_images = true},
    [REMORA_DIALECT_VERCEL] = {.reasoning = REMORA_ECHO_ANY},
    [REMORA_DIALECT_NIM] = {.reasoning = REMORA_ECHO_CONTENT},
    [REMORA_DIALECT_MOONSHOT] = {.reasoning = REMORA_ECHO_CONTENT, .mark = "partial"},
    [REMORA_DIALECT_ZAI] = {.reasoning = REMORA_ECHO_CONTENT},
    [REMORA_DIALECT_QWEN] = {.reasoning = REMORA_ECHO_CONTENT},
    [REMORA_DIALECT_MINIMAX] = {.reasoning = REMORA_ECHO_ANY},
    [REMORA_DIALECT_OLLAMA] = {.reasoning = REMORA_ECHO_FIELD},
    [REMORA_DIALECT_VLLM] = {.reasoning = REMORA_ECHO_CONTENT},
    [REMORA_DIALECT_LLAMACPP] = {.reasoning = REMORA_ECHO_CONTENT},
};

const struct remora_dialect_history *remora_dialect_history(enum remora_dialect dialect)
{
    return &histories[dialect];
}

bool remora_echo_loses(enum remora_echo echo, bool is_opaque)
{
    bool is_text = echo == REMORA_ECHO_CONTENT || echo == REMORA_ECHO_FIELD;
    return echo == REMORA_ECHO_NONE || (is_text && is_opaque);
}

bool remora_model_has_sound(const struct remora_model_facts *model)
{
    uint32_t known = model->input_modalities | model->output_modalities;
    return known == 0 || (known & REMORA_MODALITY_AUDIO) != 0;
}

/* Fireworks switches only where it knows of nothing but a switch: efforts and switch refuse each other. */
bool remora_dialect_says_off(enum remora_dialect dialect,
                             const struct remora_endpoint_facts *endpoint)
{
    bool has_word =
        endpoint->efforts == 0 || (endpoint->efforts & remora_effort_bit(REMORA_EFFORT_NONE)) != 0;
    if (has_word && !remora_endpoint_lacks_effort(endpoint)) {
        return true;
    }
    bool is_torn = dialect == REMORA_DIALECT_FIREWORKS && !has_word;
    return remora_dialect_has_switch(dialect, true) && !is_torn;
}

/* Providers.md section 8, its rows. */
bool remora_dialect_has_switch(enum remora_dialect dialect, bool is_off)
{
    static const enum remora_dialect switched[] = {
        REMORA_DIALECT_OPENROUTER, REMORA_DIALECT_TOGETHER, REMORA_DIALECT_DEEPINFRA,
        REMORA_DIALECT_DEEPSEEK,   REMORA_DIALECT_MOONSHOT, REMORA_DIALECT_ZAI,
        REMORA_DIALECT_FIREWORKS,  REMORA_DIALECT_QWEN,     REMORA_DIALECT_VLLM};
    for (size_t i = 0; i < REMORA_COUNT_OF(switched); i++) {
        if (dialect == switched[i]) {
            return true;
        }
    }
    return is_off && dialect == REMORA_DIALECT_CEREBRAS;
}

/* ---- words that few servers know ---- */

bool remora_dialect_is_open(enum remora_dialect dialect, remora_parameter_set supported)
{
    return dialect == REMORA_DIALECT_OPENROUTER ||
           remora_dialect_takes_anything(dialect, supported);
}

/* Grammars: Fireworks, "Grammar-based structured output"; regular expressions: Together, "Structured outputs"; read 2026-11. */
bool remora_dialect_takes_format(enum remora_dialect dialect, remora_parameter_set supported,
                                 enum remora_format_kind kind)
{
    switch (kind) {
    case REMORA_FORMAT_UNSET:
    case REMORA_FORMAT_TEXT:
    case REMORA_FORMAT_JSON_OBJECT:
    case REMORA_FORMAT_JSON_SCHEMA:
        return true;
    case REMORA_FORMAT_REGEX:
        return dialect == REMORA_DIALECT_TOGETHER || remora_dialect_is_open(dialect, supported);
    case REMORA_FORMAT_GRAMMAR:
        return dialect == REMORA_DIALECT_FIREWORKS || remora_dialect_is_open(dialect, supported);
    case REMORA_FORMAT_PYTHON:
        return remora_dialect_is_open(dialect, supported);
    }
    return false;
}

/* OpenRouter's own flag; OpenAI's wire says the same by response_format. */
bool remora_dialect_takes_structured_flag(enum remora_dialect dialect)
{
    return dialect == REMORA_DIALECT_OPENROUTER;
}

/* Of a wish that the model reasons. Which words a server has: providers.md 8, its rows. */
static const char *degree_lost(enum remora_dialect dialect,
                               const struct remora_endpoint_facts *endpoint,
                               const struct remora_reasoning_options *r, int64_t answer_tokens)
{
    bool has_effort = r->effort != REMORA_EFFORT_UNSET;
    bool is_budget_only = dialect == REMORA_DIALECT_QWEN;
    bool takes_budget = !endpoint->lacks_budget &&
                        (is_budget_only || (dialect == REMORA_DIALECT_FIREWORKS && !has_effort));
    if (r->max_tokens.is_set && !takes_budget) {
        return "reasoning.max_tokens";
    }
    bool is_told_as_budget = takes_budget && !r->max_tokens.is_set && answer_tokens > 0;
    return has_effort && is_budget_only && !is_told_as_budget ? "reasoning.effort" : NULL;
}

const char *remora_dialect_reasoning_lost(enum remora_dialect dialect,
                                          const struct remora_endpoint_facts *endpoint,
                                          const struct remora_reasoning_options *reasoning,
                                          int64_t answer_tokens)
{
    if (dialect == REMORA_DIALECT_OPENROUTER) {
        return NULL; /* the object reasoning has a word for all of it */
    }
    const char *lost = remora_reasoning_is_off(reasoning)
                           ? NULL
                           : degree_lost(dialect, endpoint, reasoning, answer_tokens);
    if (lost == NULL && reasoning->summary.length > 0) {
        lost = "reasoning.summary";
    }
    return lost == NULL && reasoning->context.length > 0 ? "reasoning.context" : lost;
}

const char *remora_dialect_cache_mark(enum remora_dialect dialect, bool is_explicit)
{
    switch ((int)dialect) {
    case REMORA_DIALECT_GENERIC:
    case REMORA_DIALECT_OPENROUTER:
    case REMORA_DIALECT_QWEN:
        return "cache_control";
    case REMORA_DIALECT_OPENAI:
    case REMORA_DIALECT_AZURE:
        /* Older models refuse the mark: it goes only where the caller spelt it so. */
        return is_explicit ? "prompt_cache_breakpoint" : NULL;
    default:
        return NULL;
    }
}
