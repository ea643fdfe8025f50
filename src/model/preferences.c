/* The `provider` object: an empty one, and how its slugs name endpoints (openrouter.md section 4 "Slug matching"). */
#include "remora/preferences.h"

/* Endpoints of a service tier answer only to their full slug. The words: openrouter.md sections 4 and 5.6. */
static const char *const tier_words[] = {"flex", "priority"};

void remora_preferences_init(struct remora_preferences *preferences)
{
    memset(preferences, 0, sizeof *preferences);
    for (size_t i = 0; i < REMORA_CAP_COUNT; i++) {
        preferences->max_price_pico_usd[i] = -1;
    }
}

static bool is_tier_word(struct remora_slice word)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(tier_words); i++) {
        if (remora_slice_is(word, tier_words[i])) {
            return true;
        }
    }
    return false;
}

/* A tag is provider[/region|variant ...][#n]: true when a segment behind the provider is `word`, or any tier where that is empty. */
static bool has_tier(struct remora_slice tag, struct remora_slice word)
{
    tag.length = remora_slice_find(tag, '#', 0);
    size_t from = remora_slice_find(tag, '/', 0);
    while (from < tag.length) {
        size_t to = remora_slice_find(tag, '/', from + 1);
        struct remora_slice segment = remora_slice(tag.data + from + 1, to - from - 1);
        if (word.length == 0 ? is_tier_word(segment) : remora_slice_equal(segment, word)) {
            return true;
        }
        from = to;
    }
    return false;
}

static bool is_tier_tag(struct remora_slice tag)
{
    return has_tier(tag, remora_slice(NULL, 0));
}

bool remora_tier_has_prices(struct remora_slice tier, struct remora_slice tag)
{
    static const char *const plain[] = {"default", "standard", "on_demand"};
    if (tier.length == 0 || remora_slice_is(tier, "auto")) {
        return true;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(plain); i++) {
        if (remora_slice_is(tier, plain[i])) {
            return !is_tier_tag(tag);
        }
    }
    return has_tier(tag, tier);
}

struct remora_slice remora_slug_provider(struct remora_slice slug)
{
    slug.length = remora_slice_find(slug, '/', 0);
    slug.length = remora_slice_find(slug, '#', 0);
    return slug;
}

bool remora_slug_matches(struct remora_slice slug, struct remora_slice provider,
                         struct remora_slice tag)
{
    if (remora_slice_is_empty(slug)) {
        return false;
    }
    if (remora_slice_equal(slug, tag)) {
        return true;
    }
    return remora_slice_equal(slug, provider) && !is_tier_tag(tag);
}

bool remora_quantization_is(struct remora_slice asked, struct remora_slice has)
{
    if (remora_slice_equal(asked, has)) {
        return true;
    }
    if (remora_slice_is(asked, "fp4")) {
        return remora_slice_is(has, "mxfp4") || remora_slice_is(has, "nvfp4");
    }
    return remora_slice_is(asked, "fp8") && remora_slice_is(has, "mxfp8");
}
