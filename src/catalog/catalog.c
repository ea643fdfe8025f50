/*
 * The shipped catalog: read-only tables that tools/catalog.py makes from data/catalog.json.
 *
 * Rows hold integers only. A text is `offset << 8 | length` into one blob, a price list or a parameter set the number of a
 * row that many endpoints share. So there is nothing to relocate, nothing to build at start, and a page that nobody looks
 * at is never read. Providers and models are sorted by name. Looking up copies facts out; the only thing that can fail is
 * memory for price tiers.
 *
 * Source of the meaning of every field: data/README.md.
 */
#include "remora/catalog.h"

#include <assert.h>

struct tier_row {
    int64_t min_prompt_tokens;
    uint32_t prices;
};

struct override_row {
    uint32_t wire;
    uint32_t base_url;
};

struct provider_row {
    uint32_t slug;
    uint32_t name;
    uint32_t dialect;
    uint32_t base_url;
    uint32_t api_key_env;
    uint32_t headquarters;
    int32_t retention_days;
    uint8_t wire;
    uint8_t training;
    uint8_t retains_prompts;
    uint8_t zdr;
    uint8_t is_local;
    uint8_t is_router;
};

struct model_row {
    uint32_t id;
    uint32_t name;
    uint32_t author;
    uint32_t canonical_slug;
    uint32_t tokenizer;
    uint32_t knowledge_cutoff;
    uint32_t expiration_date;
    uint32_t created_unix_s;
    uint32_t context_length;
    uint16_t first_endpoint;
    uint16_t endpoint_count;
    uint8_t input_modalities;
    uint8_t output_modalities;
    uint16_t parameters;
};

struct endpoint_row {
    uint32_t tag;
    uint32_t upstream_model;
    uint32_t quantization;
    uint32_t context_length;
    uint32_t max_prompt_tokens;
    uint32_t max_completion_tokens;
    uint16_t provider;
    uint16_t prices;
    uint16_t parameters;
    uint16_t first_tier;
    uint8_t tier_count;
    uint8_t override_at;
    uint8_t efforts; /* remora_effort_set; bit 0 (UNSET): it always reasons */
    uint8_t
        flags; /* bit 0: it is free; 1: its list has no budget of reasoning; 2: it is deprecated */
};

#define BIT(name) (UINT64_C(1) << REMORA_PARAMETER_##name)
#include "catalog.inc"
#undef BIT

_Static_assert(REMORA_COUNT_OF(endpoint_rows) <= UINT16_MAX, "first_endpoint");
_Static_assert(REMORA_COUNT_OF(price_rows) <= UINT16_MAX, "prices");
_Static_assert(REMORA_COUNT_OF(override_rows) <= UINT8_MAX, "override_at");
_Static_assert(REMORA_PARAMETER_COUNT <= 64, "a parameter set has 64 bits");

static struct remora_slice text_of(uint32_t packed)
{
    return remora_slice(texts + (packed >> 8), packed & 0xff);
}

static enum remora_code tiers_copy(const struct endpoint_row *row, struct remora_arena *arena,
                                   struct remora_prices *out)
{
    if (row->tier_count == 0) {
        return REMORA_OK;
    }
    struct remora_price_tier *tiers = remora_arena_array(arena, row->tier_count, sizeof *tiers);
    if (tiers == NULL) {
        return arena->failed;
    }
    for (size_t i = 0; i < row->tier_count; i++) {
        const struct tier_row *from = &tier_rows[row->first_tier + i];
        tiers[i].min_prompt_tokens = from->min_prompt_tokens;
        memcpy(tiers[i].pico_usd, price_rows[from->prices], sizeof tiers[i].pico_usd);
    }
    out->tiers = tiers;
    out->tier_count = row->tier_count;
    return REMORA_OK;
}

size_t remora_catalog_provider_count(void)
{
    return REMORA_COUNT_OF(provider_rows);
}

void remora_catalog_provider(size_t index, struct remora_provider_facts *out)
{
    assert(index < REMORA_COUNT_OF(provider_rows));
    const struct provider_row *row = &provider_rows[index];
    *out = (struct remora_provider_facts){
        .slug = text_of(row->slug),
        .name = text_of(row->name),
        .dialect = text_of(row->dialect),
        .base_url = text_of(row->base_url),
        .api_key_env = text_of(row->api_key_env),
        .headquarters = text_of(row->headquarters),
        .wire = (enum remora_wire)row->wire,
        .is_local = row->is_local != 0,
        .is_router = row->is_router != 0,
        .data_policy = {.training = (enum remora_tristate)row->training,
                        .retains_prompts = (enum remora_tristate)row->retains_prompts,
                        .zdr = (enum remora_tristate)row->zdr,
                        .retention_days = row->retention_days},
    };
}

bool remora_catalog_find_provider(struct remora_slice slug, struct remora_provider_facts *out)
{
    size_t low = 0;
    size_t high = REMORA_COUNT_OF(provider_rows);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = remora_slice_compare(text_of(provider_rows[middle].slug), slug);
        if (order == 0) {
            remora_catalog_provider(middle, out);
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

size_t remora_catalog_model_count(void)
{
    return REMORA_COUNT_OF(model_rows);
}

void remora_catalog_model(size_t index, struct remora_model_facts *out)
{
    assert(index < REMORA_COUNT_OF(model_rows));
    const struct model_row *row = &model_rows[index];
    *out = (struct remora_model_facts){
        .id = text_of(row->id),
        .name = text_of(row->name),
        .author = text_of(row->author),
        .canonical_slug = text_of(row->canonical_slug),
        .tokenizer = text_of(row->tokenizer),
        .knowledge_cutoff = text_of(row->knowledge_cutoff),
        .expiration_date = text_of(row->expiration_date),
        .created_unix_s = row->created_unix_s,
        .context_length = row->context_length,
        .input_modalities = row->input_modalities,
        .output_modalities = row->output_modalities,
        .endpoint_count = row->endpoint_count,
        .supported = parameter_rows[row->parameters],
    };
}

bool remora_catalog_find_model(struct remora_slice id, size_t *index)
{
    size_t low = 0;
    size_t high = REMORA_COUNT_OF(model_rows);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = remora_slice_compare(text_of(model_rows[middle].id), id);
        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static const struct endpoint_row *endpoint_at(size_t model_index, size_t at)
{
    assert(model_index < REMORA_COUNT_OF(model_rows));
    assert(at < model_rows[model_index].endpoint_count);
    return &endpoint_rows[model_rows[model_index].first_endpoint + at];
}

size_t remora_catalog_endpoint_provider(size_t model_index, size_t at)
{
    return endpoint_at(model_index, at)->provider;
}

bool remora_catalog_endpoint_is_deprecated(size_t model_index, size_t at)
{
    return (endpoint_at(model_index, at)->flags & 4u) != 0;
}

struct remora_slice remora_catalog_endpoint_tag(size_t model_index, size_t at)
{
    return text_of(endpoint_at(model_index, at)->tag);
}

void remora_catalog_endpoint_override(size_t model_index, size_t at,
                                      struct remora_endpoint_override *out)
{
    const struct override_row *row = &override_rows[endpoint_at(model_index, at)->override_at];
    *out = (struct remora_endpoint_override){text_of(row->wire), text_of(row->base_url)};
}

enum remora_code remora_catalog_endpoint(size_t model_index, size_t at, struct remora_arena *arena,
                                         struct remora_endpoint_facts *out)
{
    const struct endpoint_row *row = endpoint_at(model_index, at);
    struct remora_endpoint_facts facts = {
        .provider = text_of(provider_rows[row->provider].slug),
        .tag = text_of(row->tag),
        .upstream_model = text_of(row->upstream_model),
        .quantization = text_of(row->quantization),
        .context_length = row->context_length,
        .max_prompt_tokens = row->max_prompt_tokens,
        .max_completion_tokens = row->max_completion_tokens,
        .supported = parameter_rows[row->parameters],
        .efforts = row->efforts & ~remora_effort_bit(REMORA_EFFORT_UNSET),
        .always_reasons = (row->efforts & remora_effort_bit(REMORA_EFFORT_UNSET)) != 0,
        .lacks_budget = (row->flags & 2u) != 0,
        .is_free = (row->flags & 1u) != 0,
        .prices = {.pico_usd = price_rows[row->prices]},
    };
    enum remora_code rc = tiers_copy(row, arena, &facts.prices);
    if (rc == REMORA_OK) {
        *out = facts;
    }
    return rc;
}

bool remora_catalog_has_tag(struct remora_slice tag)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(endpoint_rows); i++) {
        if (remora_slice_equal(text_of(endpoint_rows[i].tag), tag)) {
            return true;
        }
    }
    return false;
}

size_t remora_catalog_rounded_prices(void)
{
    return catalog_rounded_prices;
}

const char *remora_catalog_version(void)
{
    return catalog_version;
}

int64_t remora_catalog_unix_s(void)
{
    return catalog_unix_s;
}
