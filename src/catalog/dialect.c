/*
 * Names of the dialects of the openai-chat wire and what they do not take, from tbl/dialects.h.
 *
 * The catalog says `openai` of every server without quirks, also of those that know neither max_completion_tokens nor the
 * developer role; the dialect `openai` is therefore OpenAI's own and is taken only for its slug or its host.
 */
#include "remora/catalog.h"

struct dialect_row {
    const char *name;
    remora_parameter_set refused;
};

#define PARAMETER(name) (UINT64_C(1) << REMORA_PARAMETER_##name)
static const struct dialect_row dialect_rows[REMORA_DIALECT_COUNT] = {
#define REMORA_DIALECT(name, text, refused) [REMORA_DIALECT_##name] = {text, refused},
#include "remora/tbl/dialects.h"
#undef REMORA_DIALECT
};
#undef PARAMETER

const char *remora_dialect_name(enum remora_dialect dialect)
{
    return dialect_rows[dialect].name;
}

enum remora_dialect remora_dialect_by_name(struct remora_slice name)
{
    for (size_t i = 0; i < REMORA_DIALECT_COUNT; i++) {
        if (remora_slice_is(name, dialect_rows[i].name)) {
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
    {REMORA_DIALECT_AZURE, {"store", "data_sources"}},
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
    {REMORA_DIALECT_MINIMAX, {"reasoning_split", "mask_sensitive_info"}},
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

bool remora_dialect_takes_field(enum remora_dialect dialect, remora_parameter_set supported,
                                struct remora_slice name)
{
    return remora_dialect_takes_anything(dialect, supported) || is_own_extra(dialect, name);
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
