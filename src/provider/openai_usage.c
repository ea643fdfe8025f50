/*
 * Usage of an openai-chat answer into disjoint classes.
 *
 * Rules (providers.md 0.1): prompt_tokens includes what was cached, completion_tokens includes reasoning. Servers that
 * differ are recognised by their numbers, not by name:
 *   prompt + completion < total       the difference is what was read from the cache, written to it, both, or reasoning (xAI),
 *                                     if it is just that; else it belongs to completion
 *   more cached than prompt           without such a total: prompt excludes the cache (xAI), and if what was read fits, what
 *                                     was written; a guess
 *   more reasoning than completion    completion excludes reasoning (DeepInfra)
 * Without a total the dialect's rule decides whether reasoning comes on top.
 * What was written to the cache is one number (OpenAI's cache_write_tokens; cache_creation_input_tokens of Alibaba and of
 * gateways in front of Anthropic), its parts by time to live (cache_creation), or both. The parts win; what the number has
 * beyond them has the shorter life. Sources: providers.md 0.1 "Anthropic", "Qwen/Alibaba"; Alibaba Cloud Model Studio,
 * "Context cache" (creation at 125 % of the input's price), read 2026-11.
 * A count that is negative, no integer, a string or above 2^53 is absent (reliability.md F29); 0 stays 0. Details that do
 * not fit into their total are dropped rather than believed. Sound, pictures and films of the prompt may have come from the cache:
 * where both together are more than the prompt, what is over is the cache's, and how the rest divides is a guess.
 * Money that the provider says it charged is kept aside: cost (OpenRouter, Perplexity), cost_in_usd_ticks (xAI, 1e-10 USD),
 * estimated_cost (DeepInfra).
 */
#include "openai.h"

#include "openai_members.h"

#include "remora/decimal.h"

/* A usage object and both of its details, each walked once. */
struct spent {
    struct remora_json own[SPENT_MEMBERS];
    struct remora_json prompt[DETAIL_MEMBERS];
    struct remora_json completion[DETAIL_MEMBERS];
};

static void read_spent(struct remora_json usage, struct spent *out)
{
    openai_spent_members(usage, out->own);
    openai_detail_members(out->own[SPENT_PROMPT_TOKENS_DETAILS], out->prompt);
    openai_detail_members(out->own[SPENT_COMPLETION_TOKENS_DETAILS], out->completion);
}

static int64_t count_of(struct remora_json value)
{
    int64_t count = -1;
    if (!remora_json_is(value, REMORA_JSON_NUMBER) || !remora_json_int64(value, &count)) {
        return -1;
    }
    return count < 0 || count > REMORA_TOKENS_MAX ? -1 : count;
}

static int64_t first_of(int64_t a, int64_t b)
{
    return a >= 0 ? a : b;
}

static int64_t known(int64_t count)
{
    return count < 0 ? 0 : count;
}

struct counts {
    int64_t prompt;
    int64_t completion;
    int64_t total;
    int64_t cached;
    int64_t written_5m; /* to the cache; also what nobody says the time to live of */
    int64_t written_1h; /* absent where it is not told apart */
    int64_t reasoning;
};

static int64_t written(const struct counts *c)
{
    return known(c->written_5m) + known(c->written_1h);
}

static void read_writes(struct counts *c, const struct spent *spent)
{
    const struct remora_json *prompt = spent->prompt;
    int64_t sum = count_of(prompt[DETAIL_CACHE_WRITE_TOKENS]);
    sum = first_of(sum, count_of(prompt[DETAIL_CACHE_CREATION_INPUT_TOKENS]));
    sum = first_of(sum, count_of(spent->own[SPENT_CACHE_CREATION_INPUT_TOKENS]));
    bool is_inside = remora_json_is(prompt[DETAIL_CACHE_CREATION], REMORA_JSON_OBJECT);
    struct remora_json parts =
        is_inside ? prompt[DETAIL_CACHE_CREATION] : spent->own[SPENT_CACHE_CREATION];
    c->written_5m = count_of(remora_json_get(parts, "ephemeral_5m_input_tokens"));
    c->written_1h = count_of(remora_json_get(parts, "ephemeral_1h_input_tokens"));
    bool is_divided = c->written_5m >= 0 || c->written_1h >= 0;
    if (sum > written(c) || !is_divided) {
        c->written_5m = sum < 0 ? sum : sum - known(c->written_1h);
    }
    if (is_divided && c->written_1h < 0) {
        c->written_1h = 0;
    }
}

static struct counts read_counts(const struct spent *spent)
{
    const struct remora_json *own = spent->own;
    struct counts c = {
        .prompt = count_of(own[SPENT_PROMPT_TOKENS]),
        .completion = count_of(own[SPENT_COMPLETION_TOKENS]),
        .total = count_of(own[SPENT_TOTAL_TOKENS]),
        .cached = count_of(spent->prompt[DETAIL_CACHED_TOKENS]),
        .reasoning = count_of(spent->completion[DETAIL_REASONING_TOKENS]),
    };
    c.cached = first_of(c.cached, count_of(own[SPENT_PROMPT_CACHE_HIT_TOKENS]));
    c.cached = first_of(c.cached, count_of(own[SPENT_CACHED_TOKENS]));
    c.cached = first_of(c.cached, count_of(own[SPENT_CACHE_READ_INPUT_TOKENS]));
    c.reasoning = first_of(c.reasoning, count_of(own[SPENT_REASONING_TOKENS]));
    read_writes(&c, spent);
    return c;
}

/* What was left out of the prompt, if a total says so exactly: nothing, what was read, what was written, or both; else -1. */
static int64_t told_beside(const struct counts *c, int64_t missing)
{
    const int64_t candidates[] = {0, known(c->cached), written(c), known(c->cached) + written(c)};
    int64_t most = candidates[REMORA_COUNT_OF(candidates) - 1];
    for (size_t i = 0; i < REMORA_COUNT_OF(candidates); i++) {
        if (candidates[i] == missing && c->prompt + missing >= most) {
            return missing;
        }
    }
    return -1;
}

/* False where the total is not just prompt and completion with what one of them, or both, left out: nothing is changed then. */
static bool believe_total(struct counts *c)
{
    if (c->prompt < 0 || c->completion < 0 || c->total < 0) {
        return false;
    }
    int64_t missing = c->total - c->prompt - c->completion;
    int64_t thought = known(c->reasoning);
    int64_t with_thought = told_beside(c, missing - thought);
    int64_t without = told_beside(c, missing);
    if (with_thought < 0 && without < 0) {
        return false;
    }
    /* what is missing may be both: reasoning that is all of it was left out of the completion */
    bool is_thought = with_thought >= 0 && (without < 0 || missing == thought);
    c->completion += is_thought ? thought : 0;
    c->prompt += is_thought ? with_thought : without;
    return true;
}

/* False where the cache had to do with more than the prompt had, which is then taken for having been counted without. */
static bool guess_beside(struct counts *c)
{
    int64_t cache = known(c->cached) + written(c);
    bool fits = c->prompt < 0 || cache <= c->prompt;
    if (!fits) {
        c->prompt += c->cached > c->prompt ? cache : written(c);
    }
    if (c->prompt >= 0 && c->completion >= 0 && c->total > c->prompt + c->completion) {
        c->completion = c->total - c->prompt;
    }
    return fits;
}

/* False when it is a guess. */
static bool make_inclusive(struct counts *c, enum usage_rule rule)
{
    if (rule == USAGE_REASONING_BESIDE && c->total < 0 && c->completion >= 0) {
        c->completion += known(c->reasoning);
    }
    bool is_told = believe_total(c) || guess_beside(c);
    if (c->completion >= 0 && c->reasoning > c->completion) {
        c->completion += c->reasoning;
    }
    return is_told;
}

/* Takes `part` out of *rest into tokens[at], unless it is absent or does not fit. */
static void split_off(struct remora_usage *usage, enum remora_usage_class at, int64_t *rest,
                      int64_t part)
{
    if (part >= 0 && part <= *rest) {
        usage->tokens[at] = part;
        *rest -= part;
    }
}

/* The same of a kind of input, part of which may be in the cache: how many must be, and lie there already. */
static int64_t split_off_kind(struct remora_usage *usage, enum remora_usage_class at, int64_t *rest,
                              int64_t part)
{
    int64_t cached = usage->tokens[REMORA_USAGE_CACHE_READ];
    int64_t over = part - *rest;
    if (over <= 0 || over > cached) {
        split_off(usage, at, rest, part);
        return 0;
    }
    split_off(usage, at, rest, *rest);
    return over;
}

/* False when how it divides is a guess. */
static bool fill_input(struct remora_usage *out, const struct counts *c,
                       const struct remora_json details[DETAIL_MEMBERS])
{
    int64_t rest = c->prompt;
    if (rest < 0) {
        return true;
    }
    split_off(out, REMORA_USAGE_CACHE_READ, &rest, c->cached);
    split_off(out, REMORA_USAGE_CACHE_WRITE_5M, &rest, c->written_5m);
    split_off(out, REMORA_USAGE_CACHE_WRITE_1H, &rest, c->written_1h);
    int64_t audio = split_off_kind(out, REMORA_USAGE_AUDIO_INPUT, &rest,
                                   count_of(details[DETAIL_AUDIO_TOKENS]));
    int64_t image = split_off_kind(out, REMORA_USAGE_IMAGE_INPUT, &rest,
                                   count_of(details[DETAIL_IMAGE_TOKENS]));
    int64_t video = split_off_kind(out, REMORA_USAGE_VIDEO_INPUT, &rest,
                                   count_of(details[DETAIL_VIDEO_TOKENS]));
    out->cached_audio_tokens = audio > 0 ? audio : -1;
    out->tokens[REMORA_USAGE_INPUT] = rest;
    return audio + image + video == 0;
}

static void fill_output(struct remora_usage *out, const struct counts *c,
                        const struct remora_json details[DETAIL_MEMBERS])
{
    int64_t rest = c->completion;
    if (rest < 0) {
        return;
    }
    split_off(out, REMORA_USAGE_REASONING, &rest, c->reasoning);
    split_off(out, REMORA_USAGE_AUDIO_OUTPUT, &rest, count_of(details[DETAIL_AUDIO_TOKENS]));
    split_off(out, REMORA_USAGE_IMAGE_OUTPUT, &rest, count_of(details[DETAIL_IMAGE_TOKENS]));
    out->tokens[REMORA_USAGE_OUTPUT] = rest;
}

/* Counts within completion_tokens that have no price of their own; one that does not fit is dropped. */
static void fill_predictions(struct remora_usage *out, const struct counts *c,
                             const struct remora_json details[DETAIL_MEMBERS])
{
    int64_t accepted = count_of(details[DETAIL_ACCEPTED_PREDICTION_TOKENS]);
    int64_t rejected = count_of(details[DETAIL_REJECTED_PREDICTION_TOKENS]);
    out->accepted_prediction_tokens = accepted <= c->completion ? accepted : -1;
    out->rejected_prediction_tokens = rejected <= c->completion ? rejected : -1;
}

/*
 * OpenRouter (openrouter.md section 9, usage.server_tool_use_details), Perplexity (num_search_queries) and xAI, which charges
 * by the source and says 0 of an answer without any (num_sources_used: providers.md 8).
 */
static int64_t searches_of(const struct remora_json own[SPENT_MEMBERS])
{
    static const enum spent_member places[] = {SPENT_SERVER_TOOL_USE_DETAILS,
                                               SPENT_SERVER_TOOL_USE};
    int64_t count = count_of(own[SPENT_NUM_SEARCH_QUERIES]);
    for (size_t i = 0; i < REMORA_COUNT_OF(places); i++) {
        count = first_of(count, count_of(remora_json_get(own[places[i]], "web_search_requests")));
    }
    return first_of(count, count_of(own[SPENT_NUM_SOURCES_USED]));
}

static bool read_money(struct remora_json value, int64_t *out)
{
    int64_t money = 0;
    if (!remora_json_is(value, REMORA_JSON_NUMBER) ||
        !remora_decimal_parse(remora_json_raw(value), 12, &money, NULL)) {
        return false;
    }
    *out = money;
    return true;
}

static void fill_money(struct remora_usage *out, const struct remora_json own[SPENT_MEMBERS])
{
    struct remora_json cost = own[SPENT_COST];
    struct remora_json details = own[SPENT_COST_DETAILS];
    int64_t ticks = count_of(own[SPENT_COST_IN_USD_TICKS]);
    int64_t upstream = 0;
    bool is_byok = false;
    if (read_money(cost, &out->reported_pico_usd)) {
        /* With the caller's own key, cost is OpenRouter's fee alone (openrouter.md 9 "usage.is_byok"). */
        bool adds = remora_json_bool(own[SPENT_IS_BYOK], &is_byok) && is_byok &&
                    read_money(remora_json_get(details, "upstream_inference_cost"), &upstream);
        if (adds &&
            __builtin_add_overflow(out->reported_pico_usd, upstream, &out->reported_pico_usd)) {
            out->reported_pico_usd = -1;
        }
        return;
    }
    if (read_money(remora_json_get(cost, "total_cost"), &out->reported_pico_usd) ||
        read_money(own[SPENT_ESTIMATED_COST], &out->reported_pico_usd)) {
        return;
    }
    if (ticks >= 0) {
        out->reported_pico_usd = ticks * 100;
    }
}

bool openai_read_usage(struct remora_json usage, enum usage_rule rule, struct remora_usage *out)
{
    remora_usage_init(out);
    if (!remora_json_is(usage, REMORA_JSON_OBJECT)) {
        return false;
    }
    struct spent spent;
    read_spent(usage, &spent);
    struct counts c = read_counts(&spent);
    bool is_told = make_inclusive(&c, rule);
    is_told = fill_input(out, &c, spent.prompt) && is_told;
    fill_output(out, &c, spent.completion);
    fill_predictions(out, &c, spent.completion);
    out->search_count = searches_of(spent.own);
    fill_money(out, spent.own);
    bool has_counts = c.prompt >= 0 || c.completion >= 0;
    if (has_counts) {
        out->certainty = is_told ? REMORA_CERTAINTY_ACTUAL : REMORA_CERTAINTY_ESTIMATED;
    }
    return has_counts || out->reported_pico_usd >= 0;
}
