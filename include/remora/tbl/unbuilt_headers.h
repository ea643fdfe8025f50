/* REMORA_UNBUILT_HEADER(name, text, why): headers of OpenRouter's API (openrouter.md sections 11 and 12.2) that ask for what this gateway
 * does not do. Refusing them would break clients that set them for good, so they are told as dropped, with this reason. They are no
 * fault of an endpoint: require_parameters removes none for them. */
REMORA_UNBUILT_HEADER(CACHE, "X-OpenRouter-Cache", "the gateway keeps no answers")
REMORA_UNBUILT_HEADER(CACHE_TTL, "X-OpenRouter-Cache-TTL", "the gateway keeps no answers")
REMORA_UNBUILT_HEADER(CACHE_CLEAR, "X-OpenRouter-Cache-Clear", "the gateway keeps no answers")
REMORA_UNBUILT_HEADER(PROVIDER_KEYS, "X-Provider-API-Keys", "credentials are the configuration's")
