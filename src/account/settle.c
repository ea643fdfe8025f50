/*
 * Settling an attempt: what the provider reported, completed by an estimate, priced.
 *
 * Happy path: both directions were reported and are priced as they stand; a reported 0 is a report.
 * A direction that was not reported at all is estimated from bytes, and the whole is then ESTIMATED. With no bytes of
 * either kind there is nothing to estimate from: usage stays as reported and the cost is not known.
 * Prices are those of one service tier: what another has served is an estimate (openrouter.md 5.6). So is a cost that is not
 * what the provider says it charged: our prices may be old, or not all there. It stays ours (providers.md 0.1).
 * Source of the ratio and the cap: reliability.md F28, F29.
 */
#include "remora/account.h"

enum { BYTES_PER_TOKEN = 4 };

int64_t remora_account_estimate(size_t bytes)
{
    size_t tokens = bytes / BYTES_PER_TOKEN + (bytes % BYTES_PER_TOKEN != 0 ? 1 : 0);
    return tokens > (size_t)REMORA_TOKENS_MAX ? REMORA_TOKENS_MAX : (int64_t)tokens;
}

static int64_t output_of(const struct remora_estimate_input *estimate)
{
    int64_t tokens = remora_account_estimate(estimate->answer_bytes);
    bool is_capped = estimate->max_output_tokens > 0 && tokens > estimate->max_output_tokens;
    return is_capped ? estimate->max_output_tokens : tokens;
}

static void fill(struct remora_usage *usage, enum remora_usage_class at, int64_t tokens)
{
    usage->tokens[at] = tokens;
    usage->certainty = REMORA_CERTAINTY_ESTIMATED;
}

/* Who tells the two lives apart, tells both: an absent one is a number that nobody has divided. */
static void divide_writes(struct remora_usage *usage, enum remora_cache_life life)
{
    int64_t *written = &usage->tokens[REMORA_USAGE_CACHE_WRITE_5M];
    if (*written <= 0 || usage->tokens[REMORA_USAGE_CACHE_WRITE_1H] >= 0) {
        return;
    }
    if (life == REMORA_CACHE_LIFE_HOUR) {
        usage->tokens[REMORA_USAGE_CACHE_WRITE_1H] = *written;
        *written = -1;
    } else if (life == REMORA_CACHE_LIFE_MIXED) {
        usage->certainty = REMORA_CERTAINTY_ESTIMATED;
    }
}

static bool is_of_other_tier(const struct remora_estimate_input *estimate,
                             const struct remora_endpoint *endpoint)
{
    if (estimate->served_tier.length == 0) {
        return estimate->asked_other_tier;
    }
    return !remora_tier_has_prices(estimate->served_tier, endpoint->facts.tag);
}

void remora_account_settle(struct remora_usage *usage, const struct remora_estimate_input *estimate,
                           const struct remora_endpoint *endpoint, struct remora_cost *cost)
{
    bool has_bytes = estimate->text_bytes > 0 || estimate->answer_bytes > 0;
    if (has_bytes && remora_usage_input_total(usage) < 0) {
        fill(usage, REMORA_USAGE_INPUT, remora_account_estimate(estimate->text_bytes));
    }
    if (has_bytes && remora_usage_output_total(usage) < 0) {
        fill(usage, REMORA_USAGE_OUTPUT, output_of(estimate));
    }
    divide_writes(usage, estimate->cache_life);
    usage->image_count = estimate->image_count;
    if (usage->search_count < 0 && !estimate->may_have_searched) {
        usage->search_count = 0;
    }
    remora_cost_compute(usage, &endpoint->facts.prices, cost);
    bool is_doubtful =
        is_of_other_tier(estimate, endpoint) || remora_cost_is_contested(cost, usage);
    if (cost->certainty == REMORA_CERTAINTY_ACTUAL && is_doubtful) {
        cost->certainty = REMORA_CERTAINTY_ESTIMATED;
    }
}
