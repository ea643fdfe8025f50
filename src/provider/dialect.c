/*
 * The dialect table. Sources: reference/providers.md section 8, each server's line, and its common rules (developer becomes
 * system and max_completion_tokens becomes max_tokens everywhere except where a row says otherwise); section 1 for OpenAI,
 * 2 for Azure, 7 for local servers, 0.1 for usage. Perplexity's missing end marker: its issue tracker, api-discussion 209;
 * its multiplicative frequency_penalty is what everybody else calls repetition_penalty. vLLM's stop_reason: its "OpenAI-Compatible
 * Server", CompletionOutput.stop_reason (the text, or the number of a token); elsewhere the name may hold a finish reason.
 * Parameters that a server does not take at all: include/remora/tbl/dialects.h.
 *
 * What is the same for all is no row: errors are read in every shape (envelope.c), finish reasons in every vendor's words
 * (openai_chunk.c), usage wherever it stands and reasoning under every name (openai_parts.c).
 */
#include "dialect.h"

#define FIELDS(max) \
    .max_tokens_field = (max), .seed_field = "seed", .repetition_field = "repetition_penalty"
#define COMMON FIELDS("max_tokens")

static const struct dialect rows[REMORA_DIALECT_COUNT] = {
    [REMORA_DIALECT_GENERIC] =
        {
            COMMON,
        },
    [REMORA_DIALECT_OPENAI] =
        {
            FIELDS("max_completion_tokens"),
            .role_style = ROLE_BY_MODEL,
        },
    [REMORA_DIALECT_AZURE] =
        {
            FIELDS("max_completion_tokens"),
            .role_style = ROLE_BY_MODEL,
            .key_header = "api-key",
        },
    [REMORA_DIALECT_MISTRAL] =
        {
            .max_tokens_field = "max_tokens",
            .seed_field = "random_seed",
            .repetition_field = "repetition_penalty",
            .choice_style = CHOICE_ANY,
            .usage_stream = USAGE_STREAM_ALWAYS,
            .go_on_field = "prefix",
            .tool_id_length = 9,
        },
    [REMORA_DIALECT_DEEPSEEK] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_THINKING,
        },
    [REMORA_DIALECT_GROQ] =
        {
            FIELDS("max_completion_tokens"),
            .reasoning_ask = REASONING_ASK_FORMAT,
        },
    [REMORA_DIALECT_XAI] =
        {
            COMMON,
            .usage_rule = USAGE_REASONING_BESIDE,
        },
    [REMORA_DIALECT_TOGETHER] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_ENABLED,
        },
    [REMORA_DIALECT_FIREWORKS] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_EITHER,
        },
    [REMORA_DIALECT_DEEPINFRA] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_ENABLED,
        },
    [REMORA_DIALECT_CEREBRAS] =
        {
            FIELDS("max_completion_tokens"),
            .reasoning_ask = REASONING_ASK_DISABLE,
        },
    [REMORA_DIALECT_PERPLEXITY] =
        {
            .max_tokens_field = "max_tokens",
            .seed_field = "seed",
            .repetition_field = "frequency_penalty",
            .usage_stream = USAGE_STREAM_ALWAYS,
            .done_marker = DONE_OPTIONAL,
            .alternates_roles = true,
        },
    [REMORA_DIALECT_OPENROUTER] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_OBJECT,
            .takes_preferences = true,
        },
    [REMORA_DIALECT_VERCEL] = {COMMON},
    [REMORA_DIALECT_CLOUDFLARE] = {COMMON},
    [REMORA_DIALECT_HUGGINGFACE] = {COMMON},
    [REMORA_DIALECT_NIM] = {COMMON},
    [REMORA_DIALECT_MOONSHOT] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_THINKING,
            .go_on_field = "partial",
            .temperature_max = 1,
        },
    [REMORA_DIALECT_ZAI] =
        {
            COMMON,
            .choice_style = CHOICE_AUTO_ONLY,
            .reasoning_ask = REASONING_ASK_THINKING,
        },
    [REMORA_DIALECT_QWEN] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_BUDGET,
        },
    [REMORA_DIALECT_MINIMAX] =
        {
            COMMON,
            .reasoning_place = REASONING_IN_TAGS,
            .always_true = "reasoning_split",
        },
    [REMORA_DIALECT_OLLAMA] = {COMMON},
    [REMORA_DIALECT_VLLM] =
        {
            COMMON,
            .reasoning_ask = REASONING_ASK_TEMPLATE,
            .tells_stop_text = true,
        },
    [REMORA_DIALECT_LLAMACPP] = {COMMON},
};

const struct dialect *dialect_row(enum remora_dialect dialect)
{
    return &rows[dialect];
}

const struct dialect *dialect_for(const struct remora_provider_facts *provider)
{
    return &rows[remora_dialect_of(provider)];
}

/* ---- OpenAI's models ---- */

/* gpt-N or gpt-N.M: major and minor, or 0. */
struct version {
    unsigned major;
    unsigned minor;
};

static unsigned digits_at(struct remora_slice text, size_t *at)
{
    unsigned value = 0;
    for (; *at < text.length && text.data[*at] >= '0' && text.data[*at] <= '9' && value < 1000;
         (*at)++) {
        value = value * 10 + (unsigned)(text.data[*at] - '0');
    }
    return value;
}

static struct version gpt_version(struct remora_slice model)
{
    static const struct remora_slice prefix = REMORA_SLICE_INIT("gpt-");
    struct version version = {0};
    size_t at = prefix.length;
    if (!remora_slice_starts_with(model, prefix)) {
        return version;
    }
    version.major = digits_at(model, &at);
    if (at < model.length && model.data[at] == '.') {
        at++;
        version.minor = digits_at(model, &at);
    }
    return version;
}

static bool is_chat_variant(struct remora_slice model)
{
    static const char word[] = "-chat";
    for (size_t at = 0; at + sizeof word - 1 <= model.length; at++) {
        if (memcmp(model.data + at, word, sizeof word - 1) == 0) {
            return true;
        }
    }
    return false;
}

bool dialect_model_reasons(struct remora_slice upstream_model)
{
    bool is_o = upstream_model.length >= 2 && upstream_model.data[0] == 'o' &&
                upstream_model.data[1] >= '0' && upstream_model.data[1] <= '9';
    return is_o || (gpt_version(upstream_model).major >= 5 && !is_chat_variant(upstream_model));
}

#define BIT(name) (UINT64_C(1) << REMORA_PARAMETER_##name)

remora_parameter_set dialect_refused_by_model(struct remora_slice upstream_model, bool is_off)
{
    static const remora_parameter_set always =
        BIT(FREQUENCY_PENALTY) | BIT(PRESENCE_PENALTY) | BIT(LOGIT_BIAS);
    static const remora_parameter_set thinking =
        BIT(TEMPERATURE) | BIT(TOP_P) | BIT(LOGPROBS) | BIT(TOP_LOGPROBS);
    if (!dialect_model_reasons(upstream_model)) {
        return 0;
    }
    struct version version = gpt_version(upstream_model);
    bool takes_when_off = version.major > 5 || (version.major == 5 && version.minor >= 1);
    return is_off && takes_when_off ? always : always | thinking;
}
