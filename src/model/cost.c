/*
 * The pure cost function: disjoint token classes times a price list, in integers.
 *
 * Happy path: the tier is chosen by the whole input, each class that was counted finds its price (the tier's, else the
 * list's, else its fallback's: tbl/prices.h), products are summed per part in 128 bits. A fallback that is a guess, and that
 * something was counted for, makes the cost an estimate.
 * Not known (-1), never 0: a part whose counts are all absent or whose price is; the total when a counted class has no
 * price, when a direction was not counted at all, or when it does not fit.
 * The price of one request is added as it stands, those of images and searches as often as there were any; where nobody said
 * how often, once, and then the cost is an estimate. Is one of these prices not known and was there any, the total is not.
 * Sources: ARCHITECTURE 7; catalog README "Fields" (tiers apply to the whole request; null prices).
 */
#include "remora/usage.h"

enum {
    FALLBACK_PROMPT = REMORA_PRICE_PROMPT,
    FALLBACK_COMPLETION = REMORA_PRICE_COMPLETION,
    FALLBACK_CACHED_WRITE = REMORA_PRICE_CACHED_WRITE,
    FALLBACK_NONE = REMORA_PRICE_COUNT,
    FALLBACK_SELF,
};

static const int fallbacks[REMORA_PRICE_COUNT] = {
#define REMORA_PRICE(name, key, fallback, ...) [REMORA_PRICE_##name] = FALLBACK_##fallback,
#include "remora/tbl/prices.h"
#undef REMORA_PRICE
};

/* What a bill at the fallback of an absent price is. */
enum { ABSENCE_RULE, ABSENCE_GUESS };

static const int absences[REMORA_PRICE_COUNT] = {
#define REMORA_PRICE(name, key, fallback, unit, absence) [REMORA_PRICE_##name] = ABSENCE_##absence,
#include "remora/tbl/prices.h"
#undef REMORA_PRICE
};

static const enum remora_price class_prices[REMORA_USAGE_CLASS_COUNT] = {
#define REMORA_USAGE_CLASS(name, direction, price, label, ...) \
    [REMORA_USAGE_##name] = REMORA_PRICE_##price,
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
};

enum part {
    PART_INPUT,
    PART_CACHE_READ,
    PART_CACHE_WRITE,
    PART_OUTPUT,
    PART_REASONING,
    PART_COUNT
};

static enum part part_of(enum remora_usage_class token_class)
{
    switch (token_class) {
    case REMORA_USAGE_INPUT:
    case REMORA_USAGE_AUDIO_INPUT:
    case REMORA_USAGE_IMAGE_INPUT:
    case REMORA_USAGE_VIDEO_INPUT:
        return PART_INPUT;
    case REMORA_USAGE_CACHE_READ:
        return PART_CACHE_READ;
    case REMORA_USAGE_CACHE_WRITE_5M:
    case REMORA_USAGE_CACHE_WRITE_1H:
        return PART_CACHE_WRITE;
    case REMORA_USAGE_REASONING:
        return PART_REASONING;
    case REMORA_USAGE_OUTPUT:
    case REMORA_USAGE_AUDIO_OUTPUT:
    case REMORA_USAGE_IMAGE_OUTPUT:
    case REMORA_USAGE_CLASS_COUNT:
        return PART_OUTPUT;
    }
    return PART_OUTPUT;
}

static const int64_t unknown_prices[REMORA_PRICE_COUNT] = {
#define REMORA_PRICE(name, ...) [REMORA_PRICE_##name] = -1,
#include "remora/tbl/prices.h"
#undef REMORA_PRICE
};

void remora_prices_init(struct remora_prices *prices)
{
    *prices = (struct remora_prices){.pico_usd = unknown_prices};
}

void remora_cost_init(struct remora_cost *cost)
{
    *cost = (struct remora_cost){
        .total_pico_usd = -1,
        .input_pico_usd = -1,
        .cache_read_pico_usd = -1,
        .cache_write_pico_usd = -1,
        .output_pico_usd = -1,
        .reasoning_pico_usd = -1,
        .other_pico_usd = -1,
        .certainty = REMORA_CERTAINTY_UNKNOWN,
    };
}

/* The last tier whose threshold the whole input exceeds, or NULL. */
static const struct remora_price_tier *tier_for(const struct remora_prices *prices,
                                                int64_t input_tokens)
{
    const struct remora_price_tier *tier = NULL;
    for (size_t i = 0; i < prices->tier_count; i++) {
        if (input_tokens > prices->tiers[i].min_prompt_tokens) {
            tier = &prices->tiers[i];
        }
    }
    return tier;
}

/* What the tier, else the list states; -1 nothing. */
static int64_t stated_price(const struct remora_prices *prices,
                            const struct remora_price_tier *tier, int price)
{
    bool is_of_tier = tier != NULL && tier->pico_usd[price] != -1;
    return is_of_tier ? tier->pico_usd[price] : prices->pico_usd[price];
}

/* A price that is not stated, and whose fallback is nobody's bill. */
static bool is_guessed(const struct remora_prices *prices, const struct remora_price_tier *tier,
                       int price)
{
    return absences[price] == ABSENCE_GUESS && stated_price(prices, tier, price) == -1;
}

/* Below 0: not known. Fallbacks form chains without a ring (cached_write_1h, cached_write, prompt), so this ends. */
static int64_t price_of(const struct remora_prices *prices, const struct remora_price_tier *tier,
                        int price)
{
    while (price < REMORA_PRICE_COUNT) {
        int64_t stated = stated_price(prices, tier, price);
        if (stated != -1) {
            return stated;
        }
        price = fallbacks[price];
    }
    return price == FALLBACK_SELF ? 0 : -1;
}

struct sum {
    __int128 pico_usd;
    bool is_counted;
    bool has_no_price;
    bool is_guessed; /* a price was another's */
};

static int64_t sum_value(const struct sum *sum)
{
    if (!sum->is_counted || sum->has_no_price || sum->pico_usd > INT64_MAX) {
        return -1;
    }
    return (int64_t)sum->pico_usd;
}

/* A picture's tokens have a price of their own where they are billed (openrouter.md 15.3 `image_output`), which no list here has. */
static bool is_guessed_class(const struct remora_prices *prices,
                             const struct remora_price_tier *tier, int token_class)
{
    return token_class == REMORA_USAGE_IMAGE_OUTPUT ||
           is_guessed(prices, tier, (int)class_prices[token_class]);
}

static void add_classes(const struct remora_usage *usage, const struct remora_prices *prices,
                        const struct remora_price_tier *tier, struct sum parts[PART_COUNT])
{
    for (int i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        int64_t tokens = usage->tokens[i];
        struct sum *part = &parts[part_of((enum remora_usage_class)i)];
        if (tokens < 0) {
            continue;
        }
        int64_t price = price_of(prices, tier, (int)class_prices[i]);
        part->is_counted = true;
        part->is_guessed |= tokens > 0 && price > 0 && is_guessed_class(prices, tier, i);
        part->has_no_price |= price < 0 && tokens > 0;
        part->pico_usd += price < 0 ? 0 : (__int128)tokens * price;
    }
}

/* What is not priced by the token. */
struct pieces {
    __int128 pico_usd;
    bool is_guessed;
    bool has_no_price;
    bool is_stated; /* a price of them, be it 0 */
};

static void add_pieces(struct pieces *pieces, int64_t count, const struct remora_prices *prices,
                       const struct remora_price_tier *tier, enum remora_price of)
{
    int64_t price = price_of(prices, tier, (int)of);
    pieces->is_stated |= stated_price(prices, tier, (int)of) >= 0;
    pieces->has_no_price |= price < 0 && count != 0;
    pieces->is_guessed |= count != 0 && is_guessed(prices, tier, (int)of);
    if (price > 0) {
        pieces->is_guessed |= count < 0;
        pieces->pico_usd += (__int128)price * (count < 0 ? 1 : count);
    }
}

static struct pieces pieces_of(const struct remora_usage *usage, const struct remora_prices *prices,
                               const struct remora_price_tier *tier)
{
    struct pieces pieces = {0};
    add_pieces(&pieces, 1, prices, tier, REMORA_PRICE_REQUEST);
    add_pieces(&pieces, usage->image_count, prices, tier, REMORA_PRICE_IMAGE);
    add_pieces(&pieces, usage->search_count, prices, tier, REMORA_PRICE_WEB_SEARCH);
    return pieces;
}

static int64_t fitting(__int128 pico_usd)
{
    return pico_usd > INT64_MAX ? -1 : (int64_t)pico_usd;
}

static int64_t pieces_value(const struct pieces *pieces)
{
    return pieces->has_no_price ? -1 : fitting(pieces->pico_usd);
}

static int64_t total_of(const struct sum parts[PART_COUNT], const struct pieces *pieces)
{
    __int128 total = pieces->pico_usd;
    if (pieces->has_no_price) {
        return -1;
    }
    for (size_t i = 0; i < PART_COUNT; i++) {
        if (parts[i].has_no_price) {
            return -1;
        }
        total += parts[i].pico_usd;
    }
    return fitting(total);
}

static enum remora_certainty certainty_of(const struct remora_usage *usage,
                                          const struct sum parts[PART_COUNT],
                                          const struct pieces *pieces)
{
    bool is_estimate = pieces->is_guessed;
    for (size_t i = 0; i < PART_COUNT; i++) {
        is_estimate |= parts[i].is_guessed;
    }
    return is_estimate ? REMORA_CERTAINTY_ESTIMATED : usage->certainty;
}

void remora_cost_compute(const struct remora_usage *usage, const struct remora_prices *prices,
                         struct remora_cost *out)
{
    struct sum parts[PART_COUNT] = {0};
    int64_t input_tokens = remora_usage_input_total(usage);
    const struct remora_price_tier *tier = tier_for(prices, input_tokens);
    add_classes(usage, prices, tier, parts);
    remora_cost_init(out);
    out->input_pico_usd = sum_value(&parts[PART_INPUT]);
    out->cache_read_pico_usd = sum_value(&parts[PART_CACHE_READ]);
    out->cache_write_pico_usd = sum_value(&parts[PART_CACHE_WRITE]);
    out->output_pico_usd = sum_value(&parts[PART_OUTPUT]);
    out->reasoning_pico_usd = sum_value(&parts[PART_REASONING]);
    if (input_tokens < 0 || remora_usage_output_total(usage) < 0) {
        return;
    }
    struct pieces pieces = pieces_of(usage, prices, tier);
    out->other_pico_usd = pieces_value(&pieces);
    out->total_pico_usd = total_of(parts, &pieces);
    if (out->total_pico_usd >= 0) {
        out->certainty = certainty_of(usage, parts, &pieces);
    } else if (!pieces.is_stated) {
        out->other_pico_usd = -1; /* who does not know what tokens cost does not say 0 */
    }
}

bool remora_cost_is_contested(const struct remora_cost *cost, const struct remora_usage *usage)
{
    enum { ROUNDING_PICO_USD = 500000 };
    if (cost->total_pico_usd < 0 || usage->reported_pico_usd < 0) {
        return false;
    }
    int64_t difference = cost->total_pico_usd - usage->reported_pico_usd; /* neither is below 0 */
    return difference > ROUNDING_PICO_USD || difference < -ROUNDING_PICO_USD;
}

int64_t remora_nano_usd(int64_t pico_usd)
{
    return pico_usd < 0 ? -1 : pico_usd / 1000 + (pico_usd % 1000 >= 500 ? 1 : 0);
}

static void add_part(int64_t *into, int64_t part)
{
    if (*into < 0 || part < 0 || __builtin_add_overflow(*into, part, into)) {
        *into = -1;
    }
}

void remora_cost_add(struct remora_cost *into, const struct remora_cost *other)
{
    add_part(&into->total_pico_usd, other->total_pico_usd);
    add_part(&into->input_pico_usd, other->input_pico_usd);
    add_part(&into->cache_read_pico_usd, other->cache_read_pico_usd);
    add_part(&into->cache_write_pico_usd, other->cache_write_pico_usd);
    add_part(&into->output_pico_usd, other->output_pico_usd);
    add_part(&into->reasoning_pico_usd, other->reasoning_pico_usd);
    add_part(&into->other_pico_usd, other->other_pico_usd);
    into->certainty = other->certainty > into->certainty ? other->certainty : into->certainty;
}
