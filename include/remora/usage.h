/*
 * Usage and money (ARCHITECTURE 7). Token classes are disjoint inside and inclusive on both public surfaces. Absent is -1
 * and is not zero. Prices are integer pico-USD per token or item; costs are integer pico-USD, published in nano-USD
 * rounded half up at the edge. No floats. All functions are pure (any thread). Plain data: prices that a list points to live as
 * long as the catalog or the snapshot that it came from.
 */
#ifndef REMORA_USAGE_H
#define REMORA_USAGE_H

#include "remora/base.h"

enum remora_usage_class {
#define REMORA_USAGE_CLASS(name, ...) REMORA_USAGE_##name,
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
    REMORA_USAGE_CLASS_COUNT
};

enum remora_price {
#define REMORA_PRICE(name, ...) REMORA_PRICE_##name,
#include "remora/tbl/prices.h"
#undef REMORA_PRICE
    REMORA_PRICE_COUNT
};

/* Numbers are those of proto Certainty. */
enum remora_certainty {
    REMORA_CERTAINTY_UNSET = 0,
    REMORA_CERTAINTY_ACTUAL,
    REMORA_CERTAINTY_ESTIMATED,
    REMORA_CERTAINTY_UNKNOWN,
};

/* What a report of a provider says about those before it. */
enum remora_usage_extent {
    REMORA_USAGE_WHOLE, /* it stands for itself: what it leaves out is none */
    REMORA_USAGE_PART, /* it states what has changed (Anthropic's message_delta after message_start) */
};

/* How long what is written to a cache lives: as the marks of a request ask for. */
enum remora_cache_life {
    REMORA_CACHE_LIFE_UNSAID, /* no mark was sent */
    REMORA_CACHE_LIFE_SHORT,  /* five minutes, or the provider's default */
    REMORA_CACHE_LIFE_HOUR,
    REMORA_CACHE_LIFE_MIXED, /* some marks say an hour, and some do not */
};

struct remora_usage {
    int64_t tokens[REMORA_USAGE_CLASS_COUNT]; /* disjoint; -1 absent */
    int64_t
        cached_audio_tokens; /* of CACHE_READ, where audio cannot lie beside it; -1 none known */
    int64_t accepted_prediction_tokens; /* within the output, as reported; -1 absent */
    int64_t rejected_prediction_tokens; /* likewise: billed, though not in the text */
    int64_t image_count;                /* images that the model was sent; -1 not known */
    int64_t search_count; /* web searches; -1: there may have been some, and nobody said how many */
    enum remora_certainty certainty;
    enum remora_usage_extent extent; /* of one report, said by the adapter */
    int64_t reported_pico_usd;       /* what the provider says it charged, -1 none */
};

#define REMORA_TOKENS_MAX (INT64_C(1) << 53) /* more is a lie (reliability.md F29) */

/* All absent, certainty UNKNOWN. */
void remora_usage_init(struct remora_usage *usage);
/* Sum of a direction's classes; -1 when every one is absent. */
int64_t remora_usage_input_total(const struct remora_usage *usage);
int64_t remora_usage_output_total(const struct remora_usage *usage);
/* Audio of the input, what came from the cache included; -1 absent. */
int64_t remora_usage_audio_input(const struct remora_usage *usage);
/*
 * The later report wins (Perplexity reports cumulatively in every chunk: providers.md 0.1). A WHOLE one replaces what was known
 * of each direction that it counts, a PART class by class; a direction that neither counts stays as it was.
 */
void remora_usage_merge(struct remora_usage *into, const struct remora_usage *later);

/* Adds the token classes of another call; the weaker certainty is the sum's. Other counts are left as they are. */
void remora_usage_add(struct remora_usage *into, const struct remora_usage *other);

/*
 * A price list. -1: none is stated, which tbl/prices.h says how to bill (its fallback, nothing, or not at all).
 * REMORA_PRICE_UNKNOWN: there is one and nobody knows it (`request: null`); what needs it has no cost and passes no cap.
 */
#define REMORA_PRICE_UNKNOWN (-2)
struct remora_price_tier {
    int64_t
        min_prompt_tokens; /* strictly more than this: the tier's rates apply to the whole request */
    int64_t pico_usd[REMORA_PRICE_COUNT]; /* -1 inherits */
};
struct remora_prices {
    const int64_t
        *pico_usd; /* REMORA_PRICE_COUNT of them; never NULL; many endpoints may share them */
    const struct remora_price_tier *tiers; /* ascending */
    size_t tier_count;
};
/* Nothing is known. */
void remora_prices_init(struct remora_prices *prices);

/* Parts of a cost; -1 when the price or the count is not known. total is -1 as soon as a counted class has no price. */
struct remora_cost {
    int64_t total_pico_usd;
    int64_t input_pico_usd; /* uncached input, media included */
    int64_t cache_read_pico_usd;
    int64_t cache_write_pico_usd;
    int64_t output_pico_usd; /* without reasoning */
    int64_t reasoning_pico_usd;
    int64_t other_pico_usd; /* per request, image, search */
    enum remora_certainty certainty;
};
void remora_cost_init(struct remora_cost *cost);
/* Adds the cost of another call, part by part: one that is not known makes the sum's unknown. The weaker certainty is the sum's. */
void remora_cost_add(struct remora_cost *into, const struct remora_cost *other);
/*
 * The pure cost function: usage x prices. Overflow gives -1. A number of images or searches that is not known, and has a price,
 * is taken for one and makes the cost ESTIMATED. So does what is billed at another's price because its own is not stated, and
 * nobody bills it so (GUESS in tbl/prices.h: cache writes, sound; pictures that were written), and a search, or one that may have
 * been, without a price.
 */
void remora_cost_compute(const struct remora_usage *usage, const struct remora_prices *prices,
                         struct remora_cost *out);
/*
 * Whether the provider says that it charged something else: by more than half a micro-USD, which is what six decimal places
 * round away. False where it does not say, or the cost is not known.
 */
bool remora_cost_is_contested(const struct remora_cost *cost, const struct remora_usage *usage);
/* pico -> nano, half up; -1 stays -1. */
int64_t remora_nano_usd(int64_t pico_usd);

#endif
