/*
 * A model and an endpoint in OpenRouter's fields (openrouter.md 15.1, 15.3, 15.4; OpenAPI document, schemas Model and
 * PublicEndpoint). Required fields that we know nothing of are null; a price that is not known is "-1", as OpenRouter's is
 * where a price is not fixed, because its SDK refuses a list with a null price. Cannot fail: the buffer carries failure.
 */
#include "listing.h"

#include "remora/decimal.h"
#include "remora/request.h"

/* ---- pieces ---- */

static void write_null(struct remora_json_writer *w, const char *key)
{
    remora_json_key(w, key);
    remora_json_write_null(w);
}

void listing_write_slice(struct remora_json_writer *w, const char *key, struct remora_slice text)
{
    remora_json_key(w, key);
    remora_json_write_string(w, text);
}

static void write_slice_or_null(struct remora_json_writer *w, const char *key,
                                struct remora_slice text)
{
    remora_json_key(w, key);
    if (text.length > 0) {
        remora_json_write_string(w, text);
    } else {
        remora_json_write_null(w);
    }
}

static void write_count_or_null(struct remora_json_writer *w, const char *key, int64_t count)
{
    remora_json_key(w, key);
    if (count > 0) {
        remora_json_write_i64(w, count);
    } else {
        remora_json_write_null(w);
    }
}

static struct remora_slice with_variant(struct remora_arena *arena, struct remora_slice text,
                                        const char *suffix, enum remora_variant variant)
{
    return variant == REMORA_VARIANT_STANDARD
               ? text
               : remora_arena_printf(arena, "%.*s%s", REMORA_SLICE_ARG(text), suffix);
}

struct remora_slice remora_listed_id(struct remora_arena *arena,
                                     const struct remora_model_facts *facts,
                                     enum remora_variant variant)
{
    return with_variant(arena, facts->id, ":free", variant);
}

struct remora_slice remora_listed_name(struct remora_arena *arena,
                                       const struct remora_model_facts *facts,
                                       enum remora_variant variant)
{
    return with_variant(arena, facts->name.length > 0 ? facts->name : facts->id, " (free)",
                        variant);
}

static const struct {
    enum remora_modality modality;
    struct remora_slice name;
} modalities[] = {
    {REMORA_MODALITY_TEXT, REMORA_SLICE_INIT("text")},
    {REMORA_MODALITY_IMAGE, REMORA_SLICE_INIT("image")},
    {REMORA_MODALITY_FILE, REMORA_SLICE_INIT("file")},
    {REMORA_MODALITY_AUDIO, REMORA_SLICE_INIT("audio")},
    {REMORA_MODALITY_VIDEO, REMORA_SLICE_INIT("video")},
    {REMORA_MODALITY_EMBEDDINGS, REMORA_SLICE_INIT("embeddings")},
};

uint32_t listing_modality(struct remora_slice name)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(modalities); i++) {
        if (remora_slice_equal(modalities[i].name, name)) {
            return (uint32_t)modalities[i].modality;
        }
    }
    return 0;
}

uint32_t remora_listed_set(uint32_t set)
{
    return (set & REMORA_MODALITY_UNSTATED) != 0 ? REMORA_MODALITY_TEXT : set;
}

size_t remora_listed_modalities(uint32_t set,
                                struct remora_slice names[static REMORA_LISTED_NAMES_MOST])
{
    size_t count = 0;
    set = remora_listed_set(set);
    for (size_t i = 0; i < REMORA_COUNT_OF(modalities); i++) {
        if ((set & (uint32_t)modalities[i].modality) != 0) {
            names[count++] = modalities[i].name;
        }
    }
    return count;
}

static void write_names(struct remora_json_writer *w, const char *key,
                        const struct remora_slice *names, size_t count)
{
    remora_json_key(w, key);
    remora_json_array_open(w);
    for (size_t i = 0; i < count; i++) {
        remora_json_write_string(w, names[i]);
    }
    remora_json_array_close(w);
}

struct remora_slice listing_tokenizer(const struct remora_model_facts *facts)
{
    return facts->tokenizer.length > 0 ? facts->tokenizer : REMORA_SLICE("Other");
}

static void append_kinds(struct remora_buf *out, const struct remora_slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        remora_buf_append(out, i == 0 ? REMORA_SLICE("") : REMORA_SLICE("+"));
        remora_buf_append(out, names[i]);
    }
}

void listing_write_architecture(struct remora_json_writer *w,
                                const struct remora_model_facts *facts)
{
    struct remora_slice input[REMORA_LISTED_NAMES_MOST];
    struct remora_slice output[REMORA_LISTED_NAMES_MOST];
    size_t input_count = remora_listed_modalities(facts->input_modalities, input);
    size_t output_count = remora_listed_modalities(facts->output_modalities, output);
    struct remora_buf kinds; /* "text+image->text" */
    remora_buf_init(&kinds, REMORA_LIMIT_MODEL_ID_BYTES);
    append_kinds(&kinds, input, input_count);
    remora_buf_append(&kinds, REMORA_SLICE("->"));
    append_kinds(&kinds, output, output_count);
    remora_json_key(w, "architecture");
    remora_json_object_open(w);
    listing_write_slice(w, "modality", remora_buf_slice(&kinds));
    write_names(w, "input_modalities", input, input_count);
    write_names(w, "output_modalities", output, output_count);
    listing_write_slice(w, "tokenizer", listing_tokenizer(facts));
    write_null(w, "instruct_type");
    remora_json_object_close(w);
    remora_buf_fini(&kinds);
}

/* ---- prices ---- */

static const struct {
    enum remora_price price;
    const char *key;
    bool is_required;
    bool is_overridden; /* OpenRouter's PricingOverride has it */
} price_keys[] = {
    {REMORA_PRICE_PROMPT, "prompt", true, true},
    {REMORA_PRICE_COMPLETION, "completion", true, true},
    {REMORA_PRICE_REQUEST, "request", false, false},
    {REMORA_PRICE_IMAGE, "image", false, false},
    {REMORA_PRICE_INPUT_AUDIO, "audio", false, true},
    {REMORA_PRICE_OUTPUT_AUDIO, "audio_output", false, false},
    {REMORA_PRICE_CACHED_READ, "input_cache_read", false, true},
    {REMORA_PRICE_CACHED_WRITE, "input_cache_write", false, true},
    {REMORA_PRICE_CACHED_WRITE_1H, "input_cache_write_1h", false, true},
    {REMORA_PRICE_REASONING, "internal_reasoning", false, false},
    {REMORA_PRICE_WEB_SEARCH, "web_search", false, false},
};

/* USD per token or item as decimal text; where none is stated it is left out, if it need not be there. */
static void write_price(struct remora_json_writer *w, const char *key, int64_t pico_usd,
                        bool is_required)
{
    char text[48];
    if (pico_usd >= 0) {
        listing_write_slice(w, key, remora_slice(text, remora_decimal_format(pico_usd, 12, text)));
    } else if (is_required || pico_usd == REMORA_PRICE_UNKNOWN) {
        listing_write_slice(w, key, REMORA_SLICE("-1"));
    }
}

static void write_overrides(struct remora_json_writer *w, const struct remora_prices *prices)
{
    remora_json_key(w, "overrides");
    remora_json_array_open(w);
    for (size_t i = 0; i < prices->tier_count; i++) {
        remora_json_object_open(w);
        remora_json_key(w, "min_prompt_tokens");
        remora_json_write_i64(w, prices->tiers[i].min_prompt_tokens);
        for (size_t k = 0; k < REMORA_COUNT_OF(price_keys); k++) {
            if (price_keys[k].is_overridden) {
                write_price(w, price_keys[k].key, prices->tiers[i].pico_usd[price_keys[k].price],
                            false);
            }
        }
        remora_json_object_close(w);
    }
    remora_json_array_close(w);
}

void listing_write_pricing(struct remora_json_writer *w, const struct remora_prices *prices)
{
    remora_json_key(w, "pricing");
    remora_json_object_open(w);
    for (size_t i = 0; i < REMORA_COUNT_OF(price_keys); i++) {
        write_price(w, price_keys[i].key, prices->pico_usd[price_keys[i].price],
                    price_keys[i].is_required);
    }
    if (prices->tier_count > 0) {
        write_overrides(w, prices);
    }
    remora_json_object_close(w);
}

/* Only OpenRouter's vocabulary (15.1), which ends with `verbosity` in our table; its SDK knows no other names. */
size_t remora_listed_parameters(remora_parameter_set set,
                                struct remora_slice names[static REMORA_LISTED_NAMES_MOST])
{
    size_t count = 0;
    for (unsigned i = 0; i <= REMORA_PARAMETER_VERBOSITY; i++) {
        enum remora_parameter parameter = (enum remora_parameter)i;
        if (!remora_parameter_set_has(set, parameter)) {
            continue;
        }
        if (parameter == REMORA_PARAMETER_REASONING) {
            names[count++] = REMORA_SLICE("include_reasoning");
        }
        names[count++] = remora_slice_of(remora_parameter_name(parameter));
    }
    return count;
}

void listing_write_parameters(struct remora_json_writer *w, remora_parameter_set set)
{
    struct remora_slice names[REMORA_LISTED_NAMES_MOST];
    write_names(w, "supported_parameters", names, remora_listed_parameters(set, names));
}

/* ---- a model ---- */

int64_t remora_listed_window(const struct remora_endpoint *endpoint)
{
    return endpoint->facts.context_length > 0 ? endpoint->facts.context_length
                                              : endpoint->model->facts.context_length;
}

static void write_top_provider(struct remora_json_writer *w, const struct remora_endpoint *top)
{
    remora_json_key(w, "top_provider");
    remora_json_object_open(w);
    write_count_or_null(w, "context_length", remora_listed_window(top));
    write_count_or_null(w, "max_completion_tokens", top->facts.max_completion_tokens);
    remora_json_key(w, "is_moderated");
    remora_json_write_bool(w, false);
    remora_json_object_close(w);
}

static void write_links(struct remora_json_writer *w, const struct remora_listing *listing,
                        struct remora_slice id)
{
    struct remora_slice details =
        remora_arena_printf(listing->arena, "%.*s/models/%.*s/endpoints",
                            REMORA_SLICE_ARG(listing->base), REMORA_SLICE_ARG(id));
    remora_json_key(w, "links");
    remora_json_object_open(w);
    listing_write_slice(w, "details", details);
    remora_json_object_close(w);
}

void listing_write_model(struct remora_json_writer *w, const struct remora_listing *listing,
                         const struct remora_listed *entry)
{
    const struct remora_model_facts *facts = &entry->model->facts;
    remora_json_object_open(w);
    listing_write_slice(w, "id", remora_listed_id(listing->arena, facts, entry->variant));
    remora_json_key(w, "object");
    remora_json_write_text(w, "model");
    remora_json_key(w, "created");
    remora_json_write_i64(w, facts->created_unix_s);
    listing_write_slice(w, "owned_by", facts->author);
    listing_write_slice(w, "canonical_slug",
                        facts->canonical_slug.length > 0 ? facts->canonical_slug : facts->id);
    listing_write_slice(w, "name", remora_listed_name(listing->arena, facts, entry->variant));
    listing_write_slice(w, "description", REMORA_SLICE(""));
    write_count_or_null(w, "context_length", facts->context_length);
    listing_write_architecture(w, facts);
    listing_write_pricing(w, &entry->top->facts.prices);
    write_top_provider(w, entry->top);
    write_null(w, "per_request_limits");
    listing_write_parameters(w, entry->supported);
    write_null(w, "default_parameters");
    write_null(w, "supported_voices");
    write_slice_or_null(w, "knowledge_cutoff", facts->knowledge_cutoff);
    write_slice_or_null(w, "expiration_date", facts->expiration_date);
    write_links(w, listing, facts->id);
    remora_json_object_close(w);
}

/* ---- an endpoint ---- */

/* 0: in its place in the order; -1: it rests (429, model gone, open breaker). OpenRouter's other numbers are undocumented. */
static int status_of(const struct remora_listing *listing, const struct remora_endpoint *endpoint)
{
    uint64_t until_ns = 0;
    enum remora_condition condition =
        remora_health_condition(listing->health, endpoint->health, listing->now_ns, &until_ns);
    return condition == REMORA_CONDITION_WELL || condition == REMORA_CONDITION_PROBE ? 0 : -1;
}

/* What later milestones measure. */
static void write_statistics(struct remora_json_writer *w)
{
    static const char *const keys[] = {"uptime_last_5m", "uptime_last_30m", "uptime_last_1d",
                                       "latency_last_30m", "throughput_last_30m"};
    for (size_t i = 0; i < REMORA_COUNT_OF(keys); i++) {
        write_null(w, keys[i]);
    }
}

/* Which values of tool_choice it takes, as far as the two parameters say; in OpenRouter's SDK 1.3.19, not yet in its document. */
static void write_tool_choice(struct remora_json_writer *w, remora_parameter_set supported)
{
    static const struct {
        const char *key;
        enum remora_parameter needs;
    } values[] = {{"auto", REMORA_PARAMETER_TOOLS},
                  {"none", REMORA_PARAMETER_TOOL_CHOICE},
                  {"required", REMORA_PARAMETER_TOOL_CHOICE},
                  {"function", REMORA_PARAMETER_TOOL_CHOICE}};
    remora_json_key(w, "supports_tool_choice");
    remora_json_object_open(w);
    for (size_t i = 0; i < REMORA_COUNT_OF(values); i++) {
        remora_json_key(w, values[i].key);
        remora_json_write_bool(w, remora_parameter_set_has(supported, values[i].needs));
    }
    remora_json_object_close(w);
}

void listing_write_endpoint(struct remora_json_writer *w, const struct remora_listing *listing,
                            const struct remora_endpoint *endpoint, enum remora_variant variant)
{
    const struct remora_endpoint_facts *facts = &endpoint->facts;
    const struct remora_provider_facts *provider = &endpoint->provider->facts;
    const struct remora_model_facts *model = &endpoint->model->facts;
    struct remora_slice shown = provider->name.length > 0 ? provider->name : provider->slug;
    struct remora_slice name = remora_arena_printf(
        listing->arena, "%.*s: %.*s", REMORA_SLICE_ARG(shown),
        REMORA_SLICE_ARG(remora_listed_name(listing->arena, model, REMORA_VARIANT_STANDARD)));
    remora_json_object_open(w);
    listing_write_slice(w, "name", name);
    listing_write_slice(w, "model_id", remora_listed_id(listing->arena, model, variant));
    listing_write_slice(w, "model_name", remora_listed_name(listing->arena, model, variant));
    listing_write_slice(w, "provider_name", shown);
    listing_write_slice(w, "tag", facts->tag);
    remora_json_key(w, "context_length");
    remora_json_write_i64(w, remora_listed_window(endpoint));
    write_count_or_null(w, "max_prompt_tokens", facts->max_prompt_tokens);
    write_count_or_null(w, "max_completion_tokens", facts->max_completion_tokens);
    listing_write_pricing(w, &facts->prices);
    listing_write_slice(w, "quantization",
                        facts->quantization.length > 0 ? facts->quantization
                                                       : REMORA_SLICE("unknown"));
    listing_write_parameters(w, facts->supported);
    write_tool_choice(w, facts->supported);
    remora_json_key(w, "supports_implicit_caching");
    remora_json_write_bool(w, false);
    remora_json_key(w, "supports_voice_cloning");
    remora_json_write_bool(w, false);
    remora_json_key(w, "status");
    remora_json_write_i64(w, status_of(listing, endpoint));
    write_statistics(w);
    remora_json_object_close(w);
}
