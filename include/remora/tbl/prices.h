/*
 * REMORA_PRICE(name, catalog key, fallback, unit, what a bill at the fallback is). An absent price is billed at its fallback
 * (NONE: not known); a fallback of SELF means that absence costs nothing (per-item prices that most endpoints do not have); there
 * an operator's `null` is no absence but a price that is not known.
 * RULE: absence says that it is not priced apart. GUESS: those who bill it bill it otherwise, as far as is known: writing to a
 * cache (1.25 and 2 times the prompt's price), sound, a search that was made. What was used of it makes the cost an estimate.
 * Source: catalog README "pricing"; openrouter.md 12.1 (multipliers), 15.3.
 */
REMORA_PRICE(PROMPT, "prompt", NONE, "token", RULE)
REMORA_PRICE(COMPLETION, "completion", NONE, "token", RULE)
REMORA_PRICE(CACHED_READ, "cached_read", PROMPT, "token", RULE)
REMORA_PRICE(CACHED_WRITE, "cached_write", PROMPT, "token", GUESS)
REMORA_PRICE(CACHED_WRITE_1H, "cached_write_1h", CACHED_WRITE, "token", GUESS)
REMORA_PRICE(REASONING, "reasoning", COMPLETION, "token", RULE)
REMORA_PRICE(INPUT_AUDIO, "input_audio", PROMPT, "token", GUESS)
REMORA_PRICE(OUTPUT_AUDIO, "output_audio", COMPLETION, "token", GUESS)
REMORA_PRICE(REQUEST, "request", SELF, "request", RULE)
REMORA_PRICE(IMAGE, "image", SELF, "image", RULE)
REMORA_PRICE(WEB_SEARCH, "web_search", SELF, "search", GUESS)
