/*
 * Models of a snapshot: those of the document and those of the catalog that a configured provider serves, by id.
 *
 * First drafts (an id, its place in the catalog, its place in the document) are collected and sorted; then each model gets
 * its endpoints: the operator's as written, then the catalog's by price, without those that the operator replaced. A catalog
 * endpoint that speaks another wire or lives elsewhere than its provider points at a variant of that provider, made once.
 */
#include "loader.h"

#include "remora/buf.h"
#include "remora/limits.h"

#include <stdlib.h>

struct model_draft {
    struct remora_slice id;
    size_t catalog_index; /* or NOT_IN_CATALOG */
    const struct config_node *node;
};

enum { MODALITY_COUNT = 6 };
#define NOT_IN_CATALOG SIZE_MAX

/* A provider as one of its catalog endpoints sees it. */
struct provider_variant {
    struct provider_variant *next;
    const struct remora_provider *base;
    struct remora_slice wire;
    struct remora_slice base_url;
    struct remora_provider provider;
};

static const struct remora_deadlines default_deadlines = {
    .connect_ms = 5000,
    .first_byte_ms = 30000,
    .response_ms = 300000,
    .idle_ms = 60000,
    .total_ms = 600000,
};
enum { REASONING_WAIT_MS = 300000 };

static int compare_drafts(const void *left, const void *right)
{
    const struct model_draft *a = left;
    const struct model_draft *b = right;
    return remora_slice_compare(a->id, b->id);
}

/* How many endpoints of a catalog model belong to configured providers. */
static size_t served_count(const struct config_loader *loader, size_t index)
{
    struct remora_model_facts facts;
    size_t count = 0;
    remora_catalog_model(index, &facts);
    for (size_t at = 0; at < facts.endpoint_count; at++) {
        count += loader->by_catalog[remora_catalog_endpoint_provider(index, at)] != NULL ? 1 : 0;
    }
    return count;
}

static size_t collect(struct config_loader *loader, const struct config_node *nodes,
                      struct model_draft *drafts)
{
    size_t count = 0;
    const struct config_node *node = nodes == NULL ? NULL : nodes->first;
    for (; node != NULL; node = node->next) {
        struct model_draft *draft = &drafts[count++];
        *draft = (struct model_draft){node->key, NOT_IN_CATALOG, node};
        if (remora_catalog_find_model(node->key, &draft->catalog_index)) {
            struct remora_model_facts facts;
            remora_catalog_model(draft->catalog_index, &facts);
            draft->id = facts.id;
        }
    }
    for (size_t i = 0; i < remora_catalog_model_count(); i++) {
        struct remora_model_facts facts;
        remora_catalog_model(i, &facts);
        if (served_count(loader, i) > 0 && config_get_named(nodes, facts.id.data) == NULL) {
            drafts[count++] = (struct model_draft){facts.id, i, NULL};
        }
    }
    qsort(drafts, count, sizeof *drafts, compare_drafts);
    return count;
}

/* ---- facts of a model ---- */

static enum remora_code read_modalities(struct config_loader *loader,
                                        const struct config_node *list, uint32_t *out)
{
    static const char *const names[MODALITY_COUNT] = {"text",  "image", "audio",
                                                      "video", "file",  "embeddings"};
    if (list == NULL) {
        return REMORA_OK;
    }
    *out = 0;
    for (const struct config_node *node = list->first; node != NULL; node = node->next) {
        size_t at = 0;
        while (at < MODALITY_COUNT && !remora_slice_is(node->text, names[at])) {
            at++;
        }
        if (at == MODALITY_COUNT) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "expected text, image, audio, video, file or embeddings");
        }
        *out |= UINT32_C(1) << at; /* enum remora_modality has them in this order */
    }
    return REMORA_OK;
}

static bool is_model_id(struct remora_slice id)
{
    for (size_t i = 0; i < id.length; i++) {
        unsigned char byte = (unsigned char)id.data[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '*') {
            return false;
        }
    }
    return id.length > 0 && id.length <= REMORA_LIMIT_MODEL_ID_BYTES;
}

static enum remora_code own_facts(struct config_loader *loader, const struct model_draft *draft,
                                  struct remora_model_facts *out)
{
    if (!is_model_id(draft->id)) {
        return config_fail_at(draft->node, REMORA_INVALID_REQUEST, loader->fail,
                              "a model id is 1 to 256 printable characters without blanks or *");
    }
    struct remora_slice id = config_keep(loader, draft->id);
    size_t slash = remora_slice_find(id, '/', 0);
    *out = (struct remora_model_facts){
        .id = id,
        .name = id,
        .canonical_slug = id,
        .author = slash < id.length ? remora_slice(id.data, slash) : REMORA_SLICE(""),
        .input_modalities = REMORA_MODALITY_TEXT | REMORA_MODALITY_IMAGE | REMORA_MODALITY_AUDIO |
                            REMORA_MODALITY_VIDEO | REMORA_MODALITY_FILE | REMORA_MODALITY_UNSTATED,
        .output_modalities = REMORA_MODALITY_TEXT,
    };
    return REMORA_OK;
}

static enum remora_code model_facts(struct config_loader *loader, const struct model_draft *draft,
                                    struct remora_model_facts *out)
{
    const struct config_node *modalities = config_get(draft->node, CONFIG_MODEL_MODALITIES);
    const struct config_node *name = config_get(draft->node, CONFIG_MODEL_NAME);
    if (draft->catalog_index != NOT_IN_CATALOG) {
        remora_catalog_model(draft->catalog_index, out);
    } else {
        enum remora_code rc = own_facts(loader, draft, out);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    if (name != NULL) {
        out->name = config_keep(loader, name->text);
    }
    out->context_length =
        config_integer(draft->node, CONFIG_MODEL_CONTEXT_LENGTH, out->context_length);
    out->distillable = config_tristate(draft->node, CONFIG_MODEL_DISTILLABLE);
    enum remora_code rc = read_modalities(loader, config_get(modalities, CONFIG_MODALITIES_INPUT),
                                          &out->input_modalities);
    if (rc == REMORA_OK) {
        rc = read_modalities(loader, config_get(modalities, CONFIG_MODALITIES_OUTPUT),
                             &out->output_modalities);
    }
    return rc;
}

/* ---- endpoints of the catalog ---- */

static bool is_stated(const struct config_loader *loader, const struct remora_provider *provider,
                      enum config_key key)
{
    const struct config_node *node =
        config_get_named(loader->provider_nodes, provider->facts.slug.data);
    return config_get(node, key) != NULL;
}

static void apply_override(struct config_loader *loader, struct provider_variant *variant)
{
    struct remora_provider_facts *facts = &variant->provider.facts;
    if (variant->wire.length > 0) {
        enum remora_wire wire = remora_wire_by_name(variant->wire);
        if (wire == REMORA_WIRE_COUNT) {
            /* The catalog's two spellings that are dialects of a wire. */
            wire = remora_slice_is(variant->wire, "vertex-anthropic") ? REMORA_WIRE_VERTEX
                                                                      : REMORA_WIRE_BEDROCK;
        }
        facts->wire = wire;
        facts->dialect = variant->wire;
    }
    if (variant->base_url.length > 0) {
        const char *why = NULL;
        struct remora_slice url = config_expand_url(loader, variant->base_url, &why);
        if (url.data == NULL) {
            variant->provider.disabled_why = why;
        } else {
            facts->base_url = url;
        }
    }
}

static const struct remora_provider *variant_of(struct config_loader *loader,
                                                const struct remora_provider *base,
                                                struct remora_slice wire,
                                                struct remora_slice base_url)
{
    struct provider_variant *variant = loader->variants;
    while (variant != NULL) {
        if (variant->base == base && remora_slice_equal(variant->wire, wire) &&
            remora_slice_equal(variant->base_url, base_url)) {
            return &variant->provider;
        }
        variant = variant->next;
    }
    variant = remora_arena_alloc(loader->arena, sizeof *variant);
    if (variant == NULL) {
        return NULL;
    }
    variant->base = base;
    variant->wire = wire;
    variant->base_url = base_url;
    variant->provider = *base;
    apply_override(loader, variant);
    variant->next = loader->variants;
    loader->variants = variant;
    return &variant->provider;
}

/*
 * An address or kind that the operator stated holds for every endpoint of the provider: an override of the catalog must not
 * lead past a proxy of theirs.
 */
static const struct remora_provider *provider_for(struct config_loader *loader,
                                                  const struct remora_provider *base,
                                                  const struct remora_endpoint_override *stated)
{
    struct remora_slice wire = stated->wire;
    struct remora_slice base_url = stated->base_url;
    if (wire.length == 0 && base_url.length == 0) {
        return base;
    }
    if (is_stated(loader, base, CONFIG_PROVIDER_KIND) ||
        remora_slice_is(wire, remora_wire_name(base->facts.wire))) {
        wire = REMORA_SLICE("");
    }
    if (is_stated(loader, base, CONFIG_PROVIDER_BASE_URL)) {
        base_url = REMORA_SLICE("");
    }
    if (wire.length == 0 && base_url.length == 0) {
        return base;
    }
    return variant_of(loader, base, wire, base_url);
}

static bool is_taken(const struct remora_endpoint *endpoints, size_t count, struct remora_slice tag)
{
    for (size_t i = 0; i < count; i++) {
        if (remora_slice_equal(endpoints[i].facts.tag, tag)) {
            return true;
        }
    }
    return false;
}

/* Prompt and completion together; unknown ones last. */
static int64_t sort_price(const struct remora_endpoint *endpoint)
{
    int64_t prompt = endpoint->facts.prices.pico_usd[REMORA_PRICE_PROMPT];
    int64_t completion = endpoint->facts.prices.pico_usd[REMORA_PRICE_COMPLETION];
    int64_t sum = 0;
    if (prompt < 0 || completion < 0 || __builtin_add_overflow(prompt, completion, &sum)) {
        return INT64_MAX;
    }
    return sum;
}

/* Stable, and the lists are short. */
static void sort_by_price(struct remora_endpoint *endpoints, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct remora_endpoint moving = endpoints[i];
        size_t at = i;
        while (at > 0 && sort_price(&endpoints[at - 1]) > sort_price(&moving)) {
            endpoints[at] = endpoints[at - 1];
            at--;
        }
        endpoints[at] = moving;
    }
}

/* Those of one kind, behind what is there; `own` come from the document, and their tags are taken. */
static enum remora_code add_of_kind(struct config_loader *loader, size_t index, bool is_deprecated,
                                    size_t own, struct remora_endpoint *endpoints, size_t *count)
{
    size_t first = *count;
    struct remora_model_facts facts;
    remora_catalog_model(index, &facts);
    for (size_t at = 0; at < facts.endpoint_count; at++) {
        const struct remora_provider *provider =
            loader->by_catalog[remora_catalog_endpoint_provider(index, at)];
        struct remora_endpoint *out = &endpoints[*count];
        struct remora_endpoint_override override;
        if (remora_catalog_endpoint_is_deprecated(index, at) != is_deprecated || provider == NULL ||
            is_taken(endpoints, own, remora_catalog_endpoint_tag(index, at))) {
            continue;
        }
        enum remora_code rc = remora_catalog_endpoint(index, at, loader->arena, &out->facts);
        if (rc != REMORA_OK) {
            return config_no_room(loader);
        }
        remora_catalog_endpoint_override(index, at, &override);
        out->provider = provider_for(loader, provider, &override);
        if (out->provider == NULL) {
            return config_no_room(loader);
        }
        (*count)++;
    }
    sort_by_price(endpoints + first, *count - first);
    return REMORA_OK;
}

/* Most of those that are deprecated answer only that they are gone: they stand behind the others. */
static enum remora_code add_catalog_endpoints(struct config_loader *loader, size_t index,
                                              struct remora_endpoint *endpoints, size_t *count)
{
    size_t own = *count;
    enum remora_code rc = add_of_kind(loader, index, false, own, endpoints, count);
    return rc == REMORA_OK ? add_of_kind(loader, index, true, own, endpoints, count) : rc;
}

/* ---- all of a model ---- */

static int64_t first_stated(const int64_t *values, size_t count, int64_t otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i] > 0) {
            return values[i];
        }
    }
    return otherwise;
}

/* From the narrowest scope to the widest: endpoint, model, provider, document. */
static void resolve_deadlines(const struct remora_deadlines *scopes[4], bool reasons,
                              struct remora_deadlines *out)
{
#define RESOLVE(field, otherwise)                                                                  \
    first_stated(                                                                                  \
        (const int64_t[]){scopes[0]->field, scopes[1]->field, scopes[2]->field, scopes[3]->field}, \
        4, otherwise)
    out->connect_ms = RESOLVE(connect_ms, default_deadlines.connect_ms);
    out->first_byte_ms =
        RESOLVE(first_byte_ms, reasons ? REASONING_WAIT_MS : default_deadlines.first_byte_ms);
    out->response_ms = RESOLVE(response_ms, default_deadlines.response_ms);
    out->idle_ms = RESOLVE(idle_ms, reasons ? REASONING_WAIT_MS : default_deadlines.idle_ms);
    out->total_ms = RESOLVE(total_ms, default_deadlines.total_ms);
#undef RESOLVE
}

/* Whether the facts say so; "takes everything" says nothing. */
static bool says_reasoning(remora_parameter_set supported)
{
    return supported != REMORA_PARAMETERS_ALL &&
           remora_parameter_set_has(supported, REMORA_PARAMETER_REASONING);
}

/* "All that the dialect can express" is the most that an endpoint supports. */
static remora_parameter_set refused_by_dialect(const struct remora_provider *provider)
{
    enum remora_wire wire = provider->facts.wire;
    bool has_dialects = wire == REMORA_WIRE_OPENAI || wire == REMORA_WIRE_AZURE;
    return has_dialects ? remora_dialect_refused(remora_dialect_of(&provider->facts)) : 0;
}

/* What a tag has behind its provider and is no place. */
static bool is_variant(struct remora_slice word)
{
    static const char *const names[] = {
        "turbo",   "fast", "flex",     "priority", "batch",    "scale", "auto",  "standard",
        "default", "free", "extended", "thinking", "instruct", "lite",  "high",  "low",
        "base",    "beta", "preview",  "official", "nitro",    "floor", "exacto"};
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_is(word, names[i])) {
            return true;
        }
    }
    return config_is_quantization(word);
}

/*
 * The part of "amazon-bedrock/eu", "google-vertex/us-east5#2" that names a region; empty when none does. A word that is not
 * known is taken for a region: whether the provider's seat says where it lies is not known either.
 */
static struct remora_slice region_of_tag(struct remora_slice tag)
{
    tag.length = remora_slice_find(tag, '#', 0);
    size_t from = remora_slice_find(tag, '/', 0);
    while (from < tag.length) {
        size_t to = remora_slice_find(tag, '/', from + 1);
        struct remora_slice word = remora_slice(tag.data + from + 1, to - from - 1);
        if (word.length > 0 && !is_variant(word)) {
            return word;
        }
        from = to;
    }
    return remora_slice(NULL, 0);
}

/* Deadlines that endpoints share: one of each kind in the snapshot. */
struct shared_deadlines {
    struct shared_deadlines *next;
    struct remora_deadlines deadlines;
};

static bool are_equal(const struct remora_deadlines *a, const struct remora_deadlines *b)
{
    return a->connect_ms == b->connect_ms && a->first_byte_ms == b->first_byte_ms &&
           a->response_ms == b->response_ms && a->idle_ms == b->idle_ms &&
           a->total_ms == b->total_ms;
}

/* NULL without memory. */
static const struct remora_deadlines *share_deadlines(struct config_loader *loader,
                                                      const struct remora_deadlines *wanted)
{
    struct shared_deadlines *shared = loader->deadlines;
    for (; shared != NULL; shared = shared->next) {
        if (are_equal(&shared->deadlines, wanted)) {
            return &shared->deadlines;
        }
    }
    shared = remora_arena_alloc(loader->arena, sizeof *shared);
    if (shared == NULL) {
        return NULL;
    }
    *shared = (struct shared_deadlines){.next = loader->deadlines, .deadlines = *wanted};
    loader->deadlines = shared;
    return &shared->deadlines;
}

/* What is stated for all endpoints of a model; of its own ones each may state more (`own`, in their order). */
struct model_scope {
    struct remora_deadlines document;
    struct remora_deadlines of_model;
    const struct config_node *own;
    bool reasons;
};

static enum remora_code finish_endpoint(struct config_loader *loader, struct model_scope *scope,
                                        struct remora_endpoint *endpoint)
{
    struct remora_deadlines stated = {0};
    struct remora_deadlines resolved;
    const struct remora_deadlines *scopes[4] = {&stated, &scope->of_model,
                                                &endpoint->provider->deadlines, &scope->document};
    if (endpoint->is_own) {
        config_read_deadlines(config_get(scope->own, CONFIG_ENDPOINT_DEADLINES), &stated);
        scope->own = scope->own->next;
    }
    endpoint->facts.supported &= ~refused_by_dialect(endpoint->provider);
    if (endpoint->facts.region.length == 0) {
        endpoint->facts.region = region_of_tag(endpoint->facts.tag);
    }
    remora_place_country(endpoint->facts.region, endpoint->facts.country);
    resolve_deadlines(scopes, scope->reasons, &resolved);
    endpoint->deadlines = share_deadlines(loader, &resolved);
    config_note_endpoint(loader, endpoint);
    return endpoint->deadlines == NULL ? config_no_room(loader) : REMORA_OK;
}

static enum remora_code finish_endpoints(struct config_loader *loader,
                                         const struct model_draft *draft,
                                         struct remora_model *model, bool reasons,
                                         struct remora_endpoint *endpoints)
{
    const struct config_node *own = config_get(draft->node, CONFIG_MODEL_ENDPOINTS);
    struct model_scope scope = {.own = own == NULL ? NULL : own->first, .reasons = reasons};
    config_read_deadlines(config_get(loader->root, CONFIG_DOCUMENT_DEADLINES), &scope.document);
    config_read_deadlines(config_get(draft->node, CONFIG_MODEL_DEADLINES), &scope.of_model);
    for (size_t i = 0; i < model->endpoint_count; i++) {
        endpoints[i].model = model;
        enum remora_code rc = finish_endpoint(loader, &scope, &endpoints[i]);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code add_own_endpoints(struct config_loader *loader,
                                          const struct config_node *list,
                                          struct remora_model *model,
                                          struct remora_endpoint *endpoints)
{
    const struct config_node *node = list == NULL ? NULL : list->first;
    for (; node != NULL; node = node->next) {
        struct remora_endpoint *out = &endpoints[model->endpoint_count];
        enum remora_code rc = config_read_endpoint(loader, node, &model->facts, out);
        if (rc != REMORA_OK) {
            return rc;
        }
        if (is_taken(endpoints, model->endpoint_count, out->facts.tag)) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "the model has two endpoints \"%.*s\": give one a tag",
                                  REMORA_SLICE_ARG(out->facts.tag));
        }
        model->facts.supported |= out->facts.supported;
        model->endpoint_count++;
    }
    return REMORA_OK;
}

static enum remora_code build_model(struct config_loader *loader, const struct model_draft *draft,
                                    struct remora_model *model)
{
    const struct config_node *own = config_get(draft->node, CONFIG_MODEL_ENDPOINTS);
    bool is_replaced = config_boolean(draft->node, CONFIG_MODEL_REPLACE_ENDPOINTS, false);
    bool has_catalog = draft->catalog_index != NOT_IN_CATALOG && !is_replaced;
    size_t most = (own == NULL ? 0 : own->count) +
                  (has_catalog ? served_count(loader, draft->catalog_index) : 0);
    enum remora_code rc = model_facts(loader, draft, &model->facts);
    if (rc != REMORA_OK) {
        return rc;
    }
    struct remora_endpoint *endpoints =
        remora_arena_array(loader->arena, most == 0 ? 1 : most, sizeof *endpoints);
    if (endpoints == NULL) {
        return config_no_room(loader);
    }
    model->endpoints = endpoints;
    bool reasons = says_reasoning(model->facts.supported);
    rc = add_own_endpoints(loader, own, model, endpoints);
    if (rc == REMORA_OK && has_catalog) {
        rc = add_catalog_endpoints(loader, draft->catalog_index, endpoints, &model->endpoint_count);
    }
    model->facts.endpoint_count = (uint32_t)model->endpoint_count;
    for (size_t i = 0; i < model->endpoint_count && endpoints[i].is_own; i++) {
        reasons = reasons || says_reasoning(endpoints[i].facts.supported);
    }
    return rc == REMORA_OK ? finish_endpoints(loader, draft, model, reasons, endpoints) : rc;
}

static enum remora_code build_models(struct config_loader *loader, const struct model_draft *drafts,
                                     size_t count)
{
    struct remora_model *models = remora_arena_array(loader->arena, count + 1, sizeof *models);
    if (models == NULL) {
        return config_no_room(loader);
    }
    loader->config->models = models;
    for (size_t i = 0; i < count; i++) {
        struct remora_model *model = &models[loader->config->model_count];
        *model = (struct remora_model){0};
        enum remora_code rc = build_model(loader, &drafts[i], model);
        if (rc != REMORA_OK) {
            return rc;
        }
        if (model->endpoint_count == 0) {
            config_warn(loader, drafts[i].node,
                        "no configured provider serves the model: it is left out");
            continue;
        }
        loader->config->model_count++;
    }
    return REMORA_OK;
}

enum remora_code config_read_models(struct config_loader *loader)
{
    const struct config_node *nodes = config_get(loader->root, CONFIG_DOCUMENT_MODELS);
    size_t most = remora_catalog_model_count() + (nodes == NULL ? 0 : nodes->count);
    struct model_draft *drafts = remora_arena_array(loader->scratch, most, sizeof *drafts);
    if (drafts == NULL) {
        return config_no_room(loader);
    }
    struct remora_deadlines stated;
    config_read_deadlines(config_get(loader->root, CONFIG_DOCUMENT_DEADLINES), &stated);
    const struct remora_deadlines none = {0};
    const struct remora_deadlines *scopes[4] = {&none, &none, &none, &stated};
    resolve_deadlines(scopes, false, &loader->config->deadlines);
    return build_models(loader, drafts, collect(loader, nodes, drafts));
}
