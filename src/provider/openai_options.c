/*
 * What a body holds beside messages, tools, sampling and reasoning: log probabilities, identity, tiers, prompt caching,
 * predicted output, how media are to be made, and the further fields that the provider is known to take.
 *
 * An end user's id never leaves as it is (openrouter.md section 2, `user`). A field that the endpoint does not take is left
 * out and listed in `dropped`. Sources: openrouter.md 2 and 12.1; providers.md 8 (further fields of each provider).
 */
#include "openai.h"

#include "envelope.h"

static const char not_taken[] = "the provider does not take it";

static struct remora_json_writer *json_of(struct openai_build *build)
{
    return &build->pieces.json;
}

void openai_note_field(struct openai_build *build, struct remora_slice field, const char *why)
{
    const struct remora_dropped one = {
        .parameter = REMORA_PARAMETER_COUNT, .why = why, .field = field};
    remora_dropped_add(build->out->dropped, &build->out->dropped_count, &one);
}

/* ---- prompt caching: marks are converted into the provider's spelling, the time to live is not (openrouter.md 12.1) ---- */

static const char *cache_mark(const struct openai_build *build,
                              const struct remora_cache_breakpoint *cache)
{
    return remora_dialect_cache_mark(remora_dialect_of(&build->endpoint->provider->facts),
                                     cache->is_explicit);
}

bool openai_has_cache_mark(const struct openai_build *build,
                           const struct remora_cache_breakpoint *cache)
{
    return cache->is_set && cache_mark(build, cache) != NULL;
}

static void write_word(struct openai_build *build, const char *key, const char *word)
{
    remora_json_key(json_of(build), key);
    remora_json_write_text(json_of(build), word);
}

static void note_life(struct openai_build *build, enum remora_cache_life life)
{
    enum remora_cache_life *all = &build->out->cache_life;
    *all = *all == REMORA_CACHE_LIFE_UNSAID || *all == life ? life : REMORA_CACHE_LIFE_MIXED;
}

void openai_write_cache(struct openai_build *build, const struct remora_cache_breakpoint *cache)
{
    if (!cache->is_set) {
        return;
    }
    if (!openai_has_cache_mark(build, cache)) {
        openai_note_field(build, REMORA_SLICE("cache_control"), "the provider takes no such mark");
        return;
    }
    const char *mark = cache_mark(build, cache);
    bool is_control = strcmp(mark, "cache_control") == 0;
    bool is_hour = is_control && cache->ttl_s > 300;
    remora_json_key(json_of(build), mark);
    remora_json_object_open(json_of(build));
    write_word(build, is_control ? "type" : "mode", is_control ? "ephemeral" : "explicit");
    if (is_control && cache->ttl_s > 0) {
        write_word(build, "ttl", is_hour ? "1h" : "5m");
    }
    note_life(build, is_hour ? REMORA_CACHE_LIFE_HOUR : REMORA_CACHE_LIFE_SHORT);
    remora_json_object_close(json_of(build));
}

/* ---- options ---- */

static void write_text(struct openai_build *build, enum remora_parameter parameter,
                       struct remora_slice text)
{
    if (text.length > 0 && openai_takes(build, parameter)) {
        remora_json_key(json_of(build), remora_parameter_name(parameter));
        pieces_string(&build->pieces, text);
    }
}

static void write_raw(struct openai_build *build, enum remora_parameter parameter,
                      struct remora_slice raw)
{
    if (raw.length > 0 && openai_takes(build, parameter)) {
        remora_json_key(json_of(build), remora_parameter_name(parameter));
        pieces_raw(&build->pieces, raw);
    }
}

static bool is_perplexity(const struct openai_build *build)
{
    return remora_dialect_of(&build->endpoint->provider->facts) == REMORA_DIALECT_PERPLEXITY;
}

/* perplexity/sonar-pro, sonar, llama-3.1-sonar-small-128k-online: a word of the last part of the id. */
static bool is_sonar(struct remora_slice model)
{
    size_t from = 0;
    for (size_t at = 0; at < model.length; at++) {
        if (model.data[at] == '/' || model.data[at] == '-') {
            from = at + 1;
        }
        bool is_last = at + 1 == model.length || model.data[at + 1] == '-';
        if (is_last && remora_slice_is(remora_slice(model.data + from, at + 1 - from), "sonar")) {
            return true;
        }
    }
    return false;
}

/*
 * Models that search for every request: Perplexity's ("Sonar API", pricing per request by search context) and those that OpenAI
 * names so ("Web search", Chat Completions: gpt-4o-search-preview, gpt-5-search-api), whoever serves them.
 */
static bool is_search_model(const struct openai_build *build)
{
    static const char *const names[] = {"search-preview", "search-api"};
    struct remora_slice model = build->endpoint->facts.upstream_model;
    bool is_one = is_sonar(model);
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        is_one = is_one || text_has(model, names[i]);
    }
    return is_one;
}

static bool always_searches(const struct openai_build *build)
{
    return is_search_model(build) || is_perplexity(build);
}

static void write_search(struct openai_build *build)
{
    build->out->may_search = always_searches(build);
    struct remora_slice options = build->request->web_search_options_json;
    if (options.length > 0 && openai_takes(build, REMORA_PARAMETER_WEB_SEARCH_OPTIONS)) {
        remora_json_key(json_of(build), remora_parameter_name(REMORA_PARAMETER_WEB_SEARCH_OPTIONS));
        pieces_raw(&build->pieces, options);
        build->out->may_search = true;
    }
}

static void write_logprobs(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    if (request->logprobs == REMORA_YES && openai_takes(build, REMORA_PARAMETER_LOGPROBS)) {
        remora_json_key(json_of(build), "logprobs");
        remora_json_write_bool(json_of(build), true);
    }
    if (request->top_logprobs.is_set && openai_takes(build, REMORA_PARAMETER_TOP_LOGPROBS)) {
        remora_json_key(json_of(build), "top_logprobs");
        remora_json_write_i64(json_of(build), request->top_logprobs.value);
    }
}

static void write_pseudonym(struct openai_build *build, enum remora_parameter parameter,
                            struct remora_slice id)
{
    char name[REMORA_PSEUDONYM_BYTES];
    remora_request_pseudonym(build->request, id, name);
    write_text(build, parameter, remora_slice_of(name));
}

/* OpenRouter's own flag; OpenAI's wire says the same by response_format, and without one has no word for it. */
static void write_structured(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    if (request->structured_outputs != REMORA_YES ||
        !openai_takes(build, REMORA_PARAMETER_STRUCTURED_OUTPUTS)) {
        return;
    }
    if (remora_dialect_takes_structured_flag(
            remora_dialect_of(&build->endpoint->provider->facts))) {
        remora_json_key(json_of(build), "structured_outputs");
        remora_json_write_bool(json_of(build), true);
    } else if (request->response_format.kind != REMORA_FORMAT_JSON_SCHEMA) {
        openai_note_dropped(build, REMORA_PARAMETER_STRUCTURED_OUTPUTS,
                            "the provider takes it only as a response_format with a schema");
    }
}

/* OpenAI's scale ends at high; what lies above is Anthropic's, which routers translate (openrouter.md 2, `verbosity`). */
static void write_verbosity(struct openai_build *build)
{
    struct remora_slice word = build->request->verbosity;
    bool is_beyond = remora_slice_is(word, "xhigh") || remora_slice_is(word, "max");
    if (is_beyond && !remora_dialect_is_open(remora_dialect_of(&build->endpoint->provider->facts),
                                             build->endpoint->facts.supported)) {
        word = REMORA_SLICE("high");
        openai_note_dropped(build, REMORA_PARAMETER_VERBOSITY,
                            "lowered to high, the highest that the provider takes");
    }
    write_text(build, REMORA_PARAMETER_VERBOSITY, word);
}

static void write_tier(struct openai_build *build)
{
    struct remora_slice tier = build->request->service_tier;
    if (tier.length > 0 && openai_takes(build, REMORA_PARAMETER_SERVICE_TIER)) {
        remora_json_key(json_of(build), remora_parameter_name(REMORA_PARAMETER_SERVICE_TIER));
        pieces_string(&build->pieces, tier);
        build->out->service_tier = tier;
    }
}

static void write_modalities(struct openai_build *build)
{
    const struct remora_slices *kinds = &build->request->output_modalities;
    bool is_text = kinds->count == 1 && remora_slice_is(kinds->items[0], "text");
    if (kinds->count == 0 || (is_text && !openai_lists(build, REMORA_PARAMETER_MODALITIES))) {
        return; /* text alone is what everybody writes */
    }
    remora_json_key(json_of(build), "modalities");
    remora_json_array_open(json_of(build));
    for (size_t i = 0; i < kinds->count; i++) {
        pieces_string(&build->pieces, kinds->items[i]);
    }
    remora_json_array_close(json_of(build));
}

void openai_write_options(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    write_logprobs(build);
    write_pseudonym(build, REMORA_PARAMETER_USER, request->end_user_id);
    write_pseudonym(build, REMORA_PARAMETER_SAFETY_IDENTIFIER, request->safety_identifier);
    write_tier(build);
    write_verbosity(build);
    write_text(build, REMORA_PARAMETER_PROMPT_CACHE_KEY, request->prompt_cache_key);
    write_structured(build);
    write_modalities(build);
    write_raw(build, REMORA_PARAMETER_AUDIO, request->audio_json);
    write_raw(build, REMORA_PARAMETER_IMAGE_CONFIG, request->image_config_json);
    write_raw(build, REMORA_PARAMETER_PREDICTION, request->prediction_json);
    write_search(build);
    write_raw(build, REMORA_PARAMETER_PROMPT_CACHE_OPTIONS, request->prompt_cache_options_json);
    openai_write_cache(build, &request->cache);
    if (build->dialect->always_true != NULL) {
        remora_json_key(json_of(build), build->dialect->always_true);
        remora_json_write_bool(json_of(build), true);
    }
}

/* ---- further fields ---- */

bool openai_takes_anything(const struct openai_build *build)
{
    return remora_dialect_takes_anything(remora_dialect_of(&build->endpoint->provider->facts),
                                         build->endpoint->facts.supported);
}

static bool takes_field(const struct openai_build *build, struct remora_slice name)
{
    return remora_dialect_takes_field(remora_dialect_of(&build->endpoint->provider->facts),
                                      build->endpoint->facts.supported, name);
}

/* xAI's search_parameters: an object whose `mode` is "auto" where it is absent (its guide to Live Search). */
static bool has_search_mode(struct openai_build *build, struct remora_slice parameters)
{
    static const struct remora_json_limits limits = {.depth = REMORA_LIMIT_JSON_DEPTH,
                                                     .nodes = REMORA_LIMIT_JSON_NODES};
    struct remora_json_doc doc;
    struct remora_json_error error;
    if (remora_json_parse(parameters, build->pieces.arena, &limits, &doc, &error) != REMORA_OK ||
        !remora_json_is(remora_json_root(&doc), REMORA_JSON_OBJECT)) {
        return false;
    }
    struct remora_json mode = remora_json_get(remora_json_root(&doc), "mode");
    return !remora_json_is(mode, REMORA_JSON_STRING) || !remora_json_equals(mode, "off");
}

/* Further fields that make a provider search, or keep it from it; others only say how. */
static void note_search(struct openai_build *build, const struct remora_pair *field)
{
    bool is_true = remora_slice_is(field->value, "true");
    if (remora_slice_is(field->key, "disable_search")) {
        /* Perplexity; OpenAI's go on searching, and nobody says that a router hands the word on */
        bool goes_on = is_search_model(build) && !is_perplexity(build);
        build->out->may_search = build->out->may_search && (!is_true || goes_on);
    } else if (remora_slice_is(field->key, "enable_search")) { /* Qwen */
        build->out->may_search |= is_true;
    } else if (remora_slice_is(field->key, "search_parameters")) {
        build->out->may_search |= has_search_mode(build, field->value);
    }
}

void openai_write_extra(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    enum remora_dialect dialect = remora_dialect_of(&build->endpoint->provider->facts);
    for (size_t i = 0; i < request->extra_count; i++) {
        const struct remora_pair *pair = &request->extra[i];
        if (remora_dialect_writes_field(dialect, pair->key) ||
            (build->says_reasoning && remora_is_reasoning_field(pair->key))) {
            openai_note_field(build, pair->key, "the gateway writes this field itself");
        } else if (takes_field(build, pair->key)) {
            remora_json_key_slice(json_of(build), pair->key);
            pieces_raw(&build->pieces, pair->value);
            note_search(build, pair);
        } else {
            openai_note_field(build, pair->key, not_taken);
        }
    }
}
