/*
 * REMORA_PRICE(name, catalog key, fallback, unit). An absent price is billed at its fallback (NONE: not known); a fallback
 * of SELF means that absence costs nothing (per-item prices that most endpoints do not have); there an operator's `null` is no
 * absence but a price that is not known.
 * Source: catalog README "pricing"; openrouter.md 15.3.
 */
REMORA_PRICE(PROMPT, "prompt", NONE, "token")
REMORA_PRICE(COMPLETION, "completion", NONE, "token")
REMORA_PRICE(CACHED_READ, "cached_read", PROMPT, "token")
REMORA_PRICE(CACHED_WRITE, "cached_write", PROMPT, "token")
REMORA_PRICE(CACHED_WRITE_1H, "cached_write_1h", CACHED_WRITE, "token")
REMORA_PRICE(REASONING, "reasoning", COMPLETION, "token")
REMORA_PRICE(INPUT_AUDIO, "input_audio", PROMPT, "token")
REMORA_PRICE(OUTPUT_AUDIO, "output_audio", COMPLETION, "token")
REMORA_PRICE(REQUEST, "request", SELF, "request")
REMORA_PRICE(IMAGE, "image", SELF, "image")
REMORA_PRICE(WEB_SEARCH, "web_search", SELF, "search")
