/*
 * REMORA_DIALECT(NAME, "name", refused): servers that speak OpenAI's chat completions, each in its way. `name` is what the
 * catalog and `dialect` of a provider's configuration say; `refused` are the parameters that such a server does not know or
 * answers with an error: an endpoint of it does not support them, whatever its facts say. How the rest is spelt is in
 * src/provider/dialect.c. Source: reference/providers.md section 8, each server's line; for OpenAI and Azure the list of
 * parameters in section 1.
 */
REMORA_DIALECT(GENERIC, "generic", 0)
REMORA_DIALECT(OPENAI, "openai", PARAMETER(TOP_K) | PARAMETER(MIN_P) | PARAMETER(TOP_A) | PARAMETER(REPETITION_PENALTY))
REMORA_DIALECT(AZURE, "azure", PARAMETER(TOP_K) | PARAMETER(MIN_P) | PARAMETER(TOP_A) | PARAMETER(REPETITION_PENALTY))
REMORA_DIALECT(MISTRAL, "mistral", PARAMETER(LOGPROBS) | PARAMETER(TOP_LOGPROBS) | PARAMETER(LOGIT_BIAS) | PARAMETER(USER))
REMORA_DIALECT(DEEPSEEK, "deepseek", 0)
REMORA_DIALECT(GROQ, "groq", PARAMETER(N) | PARAMETER(LOGPROBS) | PARAMETER(TOP_LOGPROBS) | PARAMETER(LOGIT_BIAS))
REMORA_DIALECT(XAI, "xai", 0)
REMORA_DIALECT(TOGETHER, "together", 0)
REMORA_DIALECT(FIREWORKS, "fireworks", 0)
REMORA_DIALECT(DEEPINFRA, "deepinfra", 0)
REMORA_DIALECT(CEREBRAS, "cerebras", PARAMETER(FREQUENCY_PENALTY) | PARAMETER(PRESENCE_PENALTY) | PARAMETER(LOGIT_BIAS) | PARAMETER(LOGPROBS) | PARAMETER(TOP_LOGPROBS) | PARAMETER(PARALLEL_TOOL_CALLS) | PARAMETER(SERVICE_TIER))
REMORA_DIALECT(PERPLEXITY, "perplexity", PARAMETER(FREQUENCY_PENALTY) | PARAMETER(TOOLS) | PARAMETER(TOOL_CHOICE) | PARAMETER(PARALLEL_TOOL_CALLS))
REMORA_DIALECT(OPENROUTER, "openrouter", 0)
REMORA_DIALECT(VERCEL, "vercel", 0)
REMORA_DIALECT(CLOUDFLARE, "cloudflare", 0)
REMORA_DIALECT(HUGGINGFACE, "huggingface", 0)
REMORA_DIALECT(NIM, "nim", 0)
REMORA_DIALECT(MOONSHOT, "moonshot", 0)
REMORA_DIALECT(ZAI, "zai", PARAMETER(TOOL_CHOICE))
REMORA_DIALECT(QWEN, "qwen", 0)
REMORA_DIALECT(MINIMAX, "minimax", 0)
REMORA_DIALECT(OLLAMA, "ollama", 0)
REMORA_DIALECT(VLLM, "vllm", 0)
REMORA_DIALECT(LLAMACPP, "llamacpp", 0)
