/*
 * The dialect table. Sources: reference/providers.md section 8, each row's line, and its common rules (developer becomes
 * system and max_completion_tokens becomes max_tokens everywhere except where a row says otherwise).
 *
 * The catalog says `openai` of every server without quirks, also of those that know neither max_completion_tokens nor the
 * developer role; the row `openai` is therefore OpenAI's own and is taken only for its slug or its host.
 */
#include "dialect.h"

#define COMMON                                                                           \
    .max_tokens_field = "max_tokens", .seed_field = "seed", .required_word = "required", \
    .takes_usage_option = true

static const struct dialect generic = {
    .name = "generic",
    COMMON,
    .reasoning_echo = REASONING_ECHO_ANY,
    .takes_cache_control = true,
};

static const struct dialect openai = {
    .name = "openai",
    .max_tokens_field = "max_completion_tokens",
    .seed_field = "seed",
    .required_word = "required",
    .takes_usage_option = true,
    .knows_developer = true,
};

static const struct dialect rows[] = {
    {.name = "azure",
     .max_tokens_field = "max_completion_tokens",
     .seed_field = "seed",
     .required_word = "required",
     .takes_usage_option = true,
     .knows_developer = true},
    {.name = "mistral",
     .max_tokens_field = "max_tokens",
     .seed_field = "random_seed",
     .required_word = "any"},
    {.name = "deepseek",
     COMMON,
     .reasoning_ask = REASONING_ASK_THINKING,
     .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "groq",
     .max_tokens_field = "max_completion_tokens",
     .seed_field = "seed",
     .required_word = "required",
     .takes_usage_option = true,
     .reasoning_echo = REASONING_ECHO_FIELD},
    {.name = "xai", COMMON, .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "together",
     COMMON,
     .reasoning_ask = REASONING_ASK_OBJECT,
     .reasoning_echo = REASONING_ECHO_FIELD},
    {.name = "fireworks", COMMON, .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "deepinfra", COMMON, .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "cerebras",
     .max_tokens_field = "max_completion_tokens",
     .seed_field = "seed",
     .required_word = "required",
     .takes_usage_option = true,
     .reasoning_echo = REASONING_ECHO_FIELD},
    {.name = "perplexity", COMMON},
    {.name = "openrouter",
     COMMON,
     .reasoning_ask = REASONING_ASK_OBJECT,
     .reasoning_echo = REASONING_ECHO_DETAILS,
     .takes_cache_control = true,
     .takes_annotations = true},
    {.name = "cloudflare", COMMON},
    {.name = "huggingface", COMMON},
    {.name = "nim", COMMON, .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "moonshot",
     COMMON,
     .reasoning_ask = REASONING_ASK_THINKING,
     .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "zai",
     COMMON,
     .reasoning_ask = REASONING_ASK_THINKING,
     .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "qwen",
     COMMON,
     .reasoning_ask = REASONING_ASK_BUDGET,
     .reasoning_echo = REASONING_ECHO_CONTENT,
     .takes_cache_control = true},
    {.name = "minimax", COMMON, .reasoning_echo = REASONING_ECHO_ANY},
    {.name = "vllm", COMMON, .reasoning_echo = REASONING_ECHO_CONTENT},
    {.name = "llamacpp", COMMON, .reasoning_echo = REASONING_ECHO_CONTENT},
};

static bool is_openai_itself(const struct remora_provider_facts *provider)
{
    return remora_slice_is(provider->slug, "openai") ||
           remora_slice_starts_with(provider->base_url, REMORA_SLICE("https://api.openai.com/"));
}

const struct dialect *dialect_for(const struct remora_provider_facts *provider)
{
    if (remora_slice_is(provider->dialect, openai.name)) {
        return is_openai_itself(provider) ? &openai : &generic;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        if (remora_slice_is(provider->dialect, rows[i].name)) {
            return &rows[i];
        }
    }
    return &generic;
}
