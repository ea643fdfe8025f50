/*
 * Finding in a list of slugs or regions those names that an endpoint has. A plan asks each of 45 endpoints for each list of each layer, and
 * a list may have 64 names: long ones get an index, made once where the list is read.
 *
 * An index is chains of places: names whose provider ("deepinfra" of "deepinfra/turbo#2") looks alike share one, in the list's order. Looking
 * alike is cheap, four bytes and the length; what a chain holds is then compared as it always was. Nothing here allocates but the index.
 */
#include "remora/preferences.h"

/* Up to so many names are compared as quickly as a chain is found. */
enum { FEW_NAMES = 4 };

static size_t chain_of(struct remora_slice key)
{
    const unsigned char *bytes = (const unsigned char *)key.data;
    if (key.length == 0) {
        return 0;
    }
    size_t last = key.length - 1;
    /* 0x20 makes capitals and small letters one. */
    size_t sum = key.length + 3u * (bytes[0] | 0x20u) + 5u * (bytes[key.length / 2] | 0x20u) +
                 7u * (bytes[last] | 0x20u) + 11u * (bytes[last == 0 ? 0 : last - 1] | 0x20u);
    return sum % REMORA_NAME_CHAINS;
}

enum remora_code remora_names_index(struct remora_slices *list, struct remora_arena *arena)
{
    if (list->count <= FEW_NAMES || list->count > REMORA_LIMIT_PROVIDERS_LISTED) {
        return REMORA_OK;
    }
    struct remora_name_index *index = remora_arena_alloc(arena, sizeof *index);
    if (index == NULL) {
        return arena->failed;
    }
    memset(index, 0, sizeof *index);
    for (size_t i = list->count; i > 0; i--) {
        size_t chain = chain_of(remora_slug_provider(list->items[i - 1]));
        index->next[i - 1] = index->first[chain];
        index->first[chain] = (uint8_t)i;
    }
    list->index = index;
    return REMORA_OK;
}

/* The place of the first that may be it, and of the next one behind `at`; list->count: there is none. */
static size_t first_place(const struct remora_slices *list, struct remora_slice key)
{
    if (list->index == NULL) {
        return 0;
    }
    size_t place = list->index->first[chain_of(key)];
    return place == 0 ? list->count : place - 1;
}

static size_t next_place(const struct remora_slices *list, size_t at)
{
    if (list->index == NULL) {
        return at + 1;
    }
    size_t place = list->index->next[at];
    return place == 0 ? list->count : place - 1;
}

size_t remora_slugs_find(const struct remora_slices *list, struct remora_slice provider,
                         struct remora_slice tag)
{
    size_t at = first_place(list, provider);
    while (at < list->count && !remora_slug_matches(list->items[at], provider, tag)) {
        at = next_place(list, at);
    }
    return at;
}

bool remora_names_have(const struct remora_slices *list, struct remora_slice word)
{
    size_t at = first_place(list, remora_slug_provider(word));
    while (at < list->count && !remora_slice_equal_nocase(list->items[at], word)) {
        at = next_place(list, at);
    }
    return at < list->count;
}
