/*
 * OpenRouter's `provider` object (reference/openrouter.md section 4): the same shape in every policy layer and in the
 * request. Plain data; slices and arrays belong to whoever built it (snapshot or request arena), and any thread
 * that holds that may read it.
 */
#ifndef REMORA_PREFERENCES_H
#define REMORA_PREFERENCES_H

#include "remora/base.h"
#include "remora/limits.h"
#include "remora/memory.h"

/* Stated or not: absent differs from false everywhere in this product. */
enum remora_tristate { REMORA_UNSET = 0, REMORA_NO, REMORA_YES };

enum remora_data_collection {
    REMORA_DATA_UNSET = 0, /* numbers are those of proto DataCollection */
    REMORA_DATA_ALLOW,
    REMORA_DATA_DENY,
};

enum remora_sort {
    REMORA_SORT_UNSET = 0, /* numbers are those of proto SortBy */
    REMORA_SORT_PRICE,
    REMORA_SORT_LATENCY,
    REMORA_SORT_THROUGHPUT,
    REMORA_SORT_EXACTO,
};

enum remora_partition { REMORA_PARTITION_UNSET = 0, REMORA_PARTITION_MODEL, REMORA_PARTITION_NONE };

/*
 * Where in a list of names those stand that may be the one looked for, so that not all of 64 are compared with each of 45 endpoints: in
 * chains of places, from 1, in the list's order; 0 ends one.
 */
enum { REMORA_NAME_CHAINS = 64 };
struct remora_name_index {
    uint8_t first[REMORA_NAME_CHAINS];
    uint8_t next[REMORA_LIMIT_PROVIDERS_LISTED];
};

struct remora_slices {
    const struct remora_slice *items;
    size_t count;
    bool is_set; /* an empty list that was stated differs from none */
    const struct remora_name_index
        *index; /* of slugs and regions, where remora_names_index made one; else NULL */
};
/* Lists of one kind of several layers, side by side. */
struct remora_lists {
    const struct remora_slices *const *of;
    size_t count;
};

/* `max_price`: pico-USD per token for prompt and completion, per item for the rest; -1 is no cap. */
enum remora_price_cap {
    REMORA_CAP_PROMPT,
    REMORA_CAP_COMPLETION,
    REMORA_CAP_REQUEST,
    REMORA_CAP_IMAGE,
    REMORA_CAP_AUDIO,
    REMORA_CAP_COUNT
};
/* What is said of a cap that is none: as much as 63 bits of pico-USD hold, per million tokens or per item. */
#define REMORA_TOKEN_CAP_WANTED "must be an amount of USD from 0 to 9223372036854, as \"2.5\"."
#define REMORA_ITEM_CAP_WANTED  "must be an amount of USD from 0 to 9223372, as \"0.01\"."

struct remora_preferences {
    struct remora_slices order;
    struct remora_slices only;
    struct remora_slices ignore;
    struct remora_slices quantizations;
    struct remora_slices regions;
    enum remora_tristate allow_fallbacks;
    enum remora_tristate require_parameters;
    enum remora_tristate zdr;
    enum remora_tristate enforce_distillable_text;
    enum remora_data_collection data_collection;
    enum remora_sort sort;
    enum remora_partition partition;
    int64_t max_price_pico_usd[REMORA_CAP_COUNT];
    int64_t attempt_timeout_ms; /* 0 is unset */
    int32_t max_attempts;       /* 0 is unset */
};

/* Nothing stated. (Not all-zero: caps are -1.) */
void remora_preferences_init(struct remora_preferences *preferences);

/* Whether the word `asked` covers `has`: `fp4` also mxfp4 and nvfp4, `fp8` also mxfp8 (openrouter.md section 4 "quantizations"). */
bool remora_quantization_is(struct remora_slice asked, struct remora_slice has);

/*
 * True when the slug names the endpoint: a base slug ("google-vertex") matches every tag of that provider except service
 * tiers, a full one ("deepinfra/turbo") exactly one tag (openrouter.md section 4 "Slug matching").
 */
bool remora_slug_matches(struct remora_slice slug, struct remora_slice provider,
                         struct remora_slice tag);

/* The provider's part of a slug or tag ("google-vertex" of "google-vertex/us-east5#2"), in the same memory: what stands before the
 * first "/" or "#". Of a region all of it. */
struct remora_slice remora_slug_provider(struct remora_slice slug);

/*
 * Whether what is served at this service tier is billed at the prices of the endpoint with this tag. A tier of its own (priority,
 * flex, scale, or any word that is not known) has the prices of the endpoint whose tag names it ("openai/priority") and of no other;
 * the plain one (default; standard: Anthropic's word, on_demand: Groq's) those of any but a tier's. An empty tier, and
 * auto, says nothing: true. Sources: openrouter.md 5.6 (billed by the tier that served); words: captures of groq and anthropic.
 */
bool remora_tier_has_prices(struct remora_slice tier, struct remora_slice tag);

/*
 * Gives a list of slugs or regions that is long enough to be worth it an index, which lives in the arena. Whoever reads a list calls it
 * once; what looks names up works without it, too. TOO_LARGE or SHEDDING as the arena has it; the list is whole then.
 */
REMORA_MUST_CHECK enum remora_code remora_names_index(struct remora_slices *list,
                                                      struct remora_arena *arena);
/*
 * The place in the list of the first slug that names the endpoint; list->count when none does. The tag begins with the provider's slug.
 */
size_t remora_slugs_find(const struct remora_slices *list, struct remora_slice provider,
                         struct remora_slice tag);
/* Whether a word stands in the list, capitals or not. */
bool remora_names_have(const struct remora_slices *list, struct remora_slice word);

#endif
