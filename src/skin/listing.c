/*
 * The GET endpoints of the catalog. Every one takes the shortlist of the caller's models: what the plan of a request that asks
 * for nothing would try, in that order. Contracts: remora/listing.h.
 */
#include "listing.h"

#include "remora/request.h"
#include "remora/route.h"

#define PAGE_DEFAULT 500

/* A request that asks for nothing, or for zero data retention only. */
struct asker {
    struct remora_policy own;
    struct remora_policy_stack stack;
    struct remora_shortlist shortlist;
};

/* Of models that have so many endpoints. */
static enum remora_code ask(struct asker *asker, const struct remora_listing *listing, size_t room,
                            bool zdr, struct remora_fail *fail)
{
    asker->stack = *listing->stack;
    if (zdr) {
        remora_policy_init(&asker->own);
        asker->own.provider.zdr = REMORA_YES;
        asker->stack.layers[REMORA_LAYER_REQUEST] = &asker->own;
    }
    enum remora_code code =
        remora_shortlist_init(&asker->shortlist, &asker->stack, room, listing->arena);
    return code == REMORA_OK
               ? REMORA_OK
               : remora_fail_set(fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
}

/* False: nothing of the model may be used in this variant. */
static bool describe(struct asker *asker, const struct listing_query *query,
                     const struct remora_model *model, enum remora_variant variant,
                     struct remora_listed *out)
{
    struct remora_shortlist *shortlist = &asker->shortlist;
    *out = (struct remora_listed){.model = model, .variant = variant};
    remora_shortlist_model(shortlist, model, variant);
    for (size_t i = 0; i < shortlist->usable; i++) {
        const struct remora_endpoint *endpoint = remora_shortlist_at(shortlist, i);
        out->top = out->top == NULL ? endpoint : out->top;
        out->supported |= endpoint->facts.supported;
        out->is_hosted = out->is_hosted || query == NULL || listing_query_hosts(query, endpoint);
    }
    return out->top != NULL;
}

static const enum remora_variant variants[] = {REMORA_VARIANT_STANDARD, REMORA_VARIANT_FREE};

static bool has_free(const struct remora_model *model)
{
    for (size_t i = 0; i < model->endpoint_count; i++) {
        if (model->endpoints[i].facts.is_free) {
            return true;
        }
    }
    return false;
}

/* ---- lists ---- */

struct listed {
    struct listing_query query;
    struct remora_listed *entries;
    size_t count;
};

static enum remora_code collect(const struct remora_listing *listing, struct listed *out,
                                struct remora_fail *fail)
{
    struct asker asker;
    struct remora_listed entry;
    enum remora_code code = ask(&asker, listing, REMORA_LIMIT_CANDIDATES, out->query.zdr, fail);
    if (code != REMORA_OK) {
        return code;
    }
    for (size_t i = 0; i < listing->config->model_count; i++) {
        const struct remora_model *model = &listing->config->models[i];
        for (size_t v = 0; v < REMORA_COUNT_OF(variants); v++) {
            if (variants[v] == REMORA_VARIANT_FREE && !has_free(model)) {
                continue; /* a free id of its own, as OpenRouter lists it */
            }
            if (describe(&asker, &out->query, model, variants[v], &entry) &&
                listing_query_takes(&out->query, &entry)) {
                out->entries[out->count++] = entry;
            }
        }
    }
    return REMORA_OK;
}

static enum remora_code list(const struct remora_listing *listing, struct listed *out,
                             struct remora_fail *fail)
{
    size_t room = listing->config->model_count * REMORA_COUNT_OF(variants) + 1;
    enum remora_code code = listing_query_read(listing->query, listing->arena, &out->query, fail);
    if (code != REMORA_OK) {
        return code;
    }
    out->entries = remora_arena_array(listing->arena, room, sizeof *out->entries);
    struct remora_listed *scratch = remora_arena_array(listing->arena, room, sizeof *scratch);
    if (out->entries == NULL || scratch == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
    }
    code = collect(listing, out, fail);
    listing_sort(out->query.sort, out->entries, out->count, scratch);
    return code;
}

enum remora_code remora_listing_collect(const struct remora_listing *listing,
                                        const struct remora_listed **out, size_t *count,
                                        struct remora_fail *fail)
{
    struct listed listed = {.count = 0};
    enum remora_code code = list(listing, &listed, fail);
    *out = listed.entries;
    *count = listed.count;
    return code;
}

/* Neither offset nor limit: the whole list, and no next page. */
static void page_of(const struct listed *listed, size_t *first, size_t *end)
{
    const struct listing_query *query = &listed->query;
    bool is_paged = query->offset >= 0 || query->limit >= 0;
    size_t offset = query->offset > 0 ? (size_t)query->offset : 0;
    size_t limit = query->limit > 0 ? (size_t)query->limit : PAGE_DEFAULT;
    *first = offset < listed->count ? offset : listed->count;
    *end = !is_paged || listed->count - *first < limit ? listed->count : *first + limit;
}

/* The same query with another offset. */
static struct remora_slice next_page(const struct remora_listing *listing, size_t offset,
                                     size_t limit)
{
    struct remora_buf rest;
    struct remora_slice query = listing->query;
    remora_buf_init(&rest, REMORA_LIMIT_HTTP_TARGET_BYTES);
    for (size_t at = 0; at < query.length;) {
        size_t end = remora_slice_find(query, '&', at);
        struct remora_slice pair = remora_slice(query.data + at, end - at);
        at = end + 1;
        if (!remora_slice_starts_with(pair, REMORA_SLICE("offset=")) &&
            !remora_slice_starts_with(pair, REMORA_SLICE("limit="))) {
            remora_buf_append_byte(&rest, '&');
            remora_buf_append(&rest, pair);
        }
    }
    struct remora_slice tail = remora_buf_slice(&rest);
    struct remora_slice link =
        remora_arena_printf(listing->arena, "%.*s?offset=%zu&limit=%zu%.*s",
                            REMORA_SLICE_ARG(listing->path), offset, limit, REMORA_SLICE_ARG(tail));
    remora_buf_fini(&rest);
    return link;
}

static void write_page_links(struct remora_json_writer *w, const struct remora_listing *listing,
                             const struct listed *listed, size_t first, size_t end)
{
    remora_json_key(w, "total_count");
    remora_json_write_i64(w, (int64_t)listed->count);
    remora_json_key(w, "links");
    remora_json_object_open(w);
    remora_json_key(w, "next");
    if (end < listed->count) {
        remora_json_write_string(w, next_page(listing, end, end - first));
    } else {
        remora_json_write_null(w);
    }
    remora_json_object_close(w);
}

enum remora_code remora_listing_models(const struct remora_listing *listing,
                                       struct remora_slice asked, struct remora_buf *out,
                                       struct remora_fail *fail)
{
    struct listed listed = {.count = 0};
    struct remora_json_writer w;
    size_t first = 0;
    size_t end = 0;
    (void)asked;
    enum remora_code code = list(listing, &listed, fail);
    if (code != REMORA_OK) {
        return code;
    }
    page_of(&listed, &first, &end);
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    remora_json_key(&w, "object");
    remora_json_write_text(&w, "list");
    remora_json_key(&w, "data");
    remora_json_array_open(&w);
    for (size_t i = first; i < end; i++) {
        listing_write_model(&w, listing, &listed.entries[i]);
    }
    remora_json_array_close(&w);
    write_page_links(&w, listing, &listed, first, end);
    remora_json_object_close(&w);
    return REMORA_OK;
}

enum remora_code remora_listing_count(const struct remora_listing *listing,
                                      struct remora_slice asked, struct remora_buf *out,
                                      struct remora_fail *fail)
{
    struct listed listed = {.count = 0};
    struct remora_json_writer w;
    (void)asked;
    enum remora_code code = list(listing, &listed, fail);
    if (code != REMORA_OK) {
        return code;
    }
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    remora_json_key(&w, "data");
    remora_json_object_open(&w);
    remora_json_key(&w, "count");
    remora_json_write_i64(&w, (int64_t)listed.count);
    remora_json_object_close(&w);
    remora_json_object_close(&w);
    return REMORA_OK;
}

/* ---- one model ---- */

/* Nothing of it is left: the list, or the first endpoint's rule and layer. */
static enum remora_code refuse(const struct asker *asker, const struct remora_model *model,
                               enum remora_variant variant, struct remora_fail *fail)
{
    struct remora_exclusion exclusion = {.rule = REMORA_RULE_NONE};
    enum remora_layer layer = REMORA_LAYER_UNSET;
    const struct remora_shortlist *shortlist = &asker->shortlist;
    if (!remora_policy_allows_model(&asker->stack, model->facts.id, variant, &layer)) {
        return remora_fail_set(fail, REMORA_MODEL_NOT_ALLOWED, NULL,
                               "This service may not use '%.*s' (%s).",
                               REMORA_SLICE_ARG(model->facts.id), remora_layer_name(layer));
    }
    if (shortlist->count > 0) {
        exclusion = shortlist->candidates[0].exclusion;
    }
    if (exclusion.rule == REMORA_RULE_NONE) {
        return remora_fail_set(fail, REMORA_NO_ENDPOINTS, NULL, "Nobody here serves '%.*s'.",
                               REMORA_SLICE_ARG(model->facts.id));
    }
    return remora_fail_set(fail, remora_rule_family(exclusion.rule), NULL,
                           "No endpoint of '%.*s' may be used now; the first is out by %s%s (%s).",
                           REMORA_SLICE_ARG(model->facts.id), remora_rule_name(exclusion.rule),
                           exclusion.subject == NULL ? "" : exclusion.subject,
                           remora_layer_name(exclusion.layer));
}

enum remora_code remora_listing_find(const struct remora_listing *listing,
                                     struct remora_slice asked, struct remora_listed *out,
                                     struct remora_fail *fail)
{
    struct asker asker;
    const struct remora_model *model = NULL;
    enum remora_variant variant = REMORA_VARIANT_STANDARD;
    enum remora_code code =
        remora_resolve_model(listing->config, listing->stack, asked, &model, &variant, fail);
    if (code == REMORA_OK) {
        code = ask(&asker, listing, model->endpoint_count, false, fail);
    }
    if (code != REMORA_OK) {
        return code;
    }
    return describe(&asker, NULL, model, variant, out) ? REMORA_OK
                                                       : refuse(&asker, model, variant, fail);
}

/* A path that leads nowhere is a 404, whatever a request with that model would get. */
static enum remora_code find_by_path(const struct remora_listing *listing,
                                     struct remora_slice asked, struct remora_listed *out,
                                     struct remora_fail *fail)
{
    enum remora_code code = remora_listing_find(listing, asked, out, fail);
    fail->param[0] = '\0';
    if (code == REMORA_MODEL_NOT_FOUND) {
        code = fail->code = REMORA_NOT_FOUND;
    }
    return code;
}

size_t remora_listed_endpoints(const struct remora_listing *listing,
                               const struct remora_listed *listed,
                               const struct remora_endpoint *const **out)
{
    struct asker asker;
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_shortlist *shortlist = &asker.shortlist;
    *out = NULL;
    if (ask(&asker, listing, listed->model->endpoint_count, false, &fail) != REMORA_OK) {
        return 0;
    }
    remora_shortlist_model(&asker.shortlist, listed->model, listed->variant);
    const struct remora_endpoint **found =
        remora_arena_array(listing->arena, shortlist->usable + 1, sizeof *found);
    if (found == NULL) {
        return 0;
    }
    for (size_t i = 0; i < shortlist->usable; i++) {
        found[i] = remora_shortlist_at(shortlist, i);
    }
    *out = found;
    return shortlist->usable;
}

enum remora_code remora_listing_model(const struct remora_listing *listing,
                                      struct remora_slice asked, struct remora_buf *out,
                                      struct remora_fail *fail)
{
    struct remora_listed entry;
    struct remora_json_writer w;
    enum remora_code code = find_by_path(listing, asked, &entry, fail);
    if (code == REMORA_OK) {
        remora_json_write_begin(&w, out);
        listing_write_model(&w, listing, &entry);
    }
    return code;
}

enum remora_code remora_listing_model_data(const struct remora_listing *listing,
                                           struct remora_slice asked, struct remora_buf *out,
                                           struct remora_fail *fail)
{
    remora_buf_append(out, REMORA_SLICE("{\"data\":"));
    enum remora_code code = remora_listing_model(listing, asked, out, fail);
    remora_buf_append_byte(out, '}');
    return code;
}

static void write_endpoints(struct remora_json_writer *w, const struct remora_listing *listing,
                            const struct remora_listed *listed)
{
    const struct remora_endpoint *const *endpoints = NULL;
    size_t count = remora_listed_endpoints(listing, listed, &endpoints);
    for (size_t i = 0; i < count; i++) {
        listing_write_endpoint(w, listing, endpoints[i], listed->variant);
    }
}

enum remora_code remora_listing_endpoints(const struct remora_listing *listing,
                                          struct remora_slice asked, struct remora_buf *out,
                                          struct remora_fail *fail)
{
    struct remora_listed entry;
    struct remora_json_writer w;
    enum remora_code code = find_by_path(listing, asked, &entry, fail);
    if (code != REMORA_OK) {
        return code;
    }
    const struct remora_model_facts *facts = &entry.model->facts;
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    remora_json_key(&w, "data");
    remora_json_object_open(&w);
    listing_write_slice(&w, "id", remora_listed_id(listing->arena, facts, entry.variant));
    listing_write_slice(&w, "name", remora_listed_name(listing->arena, facts, entry.variant));
    remora_json_key(&w, "created");
    remora_json_write_i64(&w, facts->created_unix_s);
    remora_json_key(&w, "description");
    remora_json_write_text(&w, "");
    listing_write_architecture(&w, facts);
    remora_json_key(&w, "endpoints");
    remora_json_array_open(&w);
    write_endpoints(&w, listing, &entry);
    remora_json_array_close(&w);
    remora_json_object_close(&w);
    remora_json_object_close(&w);
    return REMORA_OK;
}

/* ---- endpoints and providers over all models ---- */

typedef void (*visit_fn)(void *context, const struct remora_endpoint *endpoint,
                         enum remora_variant variant);

static void visit_model(struct remora_shortlist *shortlist, const struct remora_model *model,
                        visit_fn see, void *context)
{
    for (size_t v = 0; v < REMORA_COUNT_OF(variants); v++) {
        remora_shortlist_model(shortlist, model, variants[v]);
        for (size_t i = 0; i < shortlist->usable; i++) {
            const struct remora_endpoint *endpoint = remora_shortlist_at(shortlist, i);
            if (endpoint->facts.is_free == (variants[v] == REMORA_VARIANT_FREE)) {
                see(context, endpoint, variants[v]);
            }
        }
    }
}

static enum remora_code visit(const struct remora_listing *listing, bool zdr, visit_fn see,
                              void *context, struct remora_fail *fail)
{
    struct asker asker;
    enum remora_code code = ask(&asker, listing, REMORA_LIMIT_CANDIDATES, zdr, fail);
    for (size_t i = 0; code == REMORA_OK && i < listing->config->model_count; i++) {
        visit_model(&asker.shortlist, &listing->config->models[i], see, context);
    }
    return code;
}

static void begin_data(struct remora_json_writer *w, struct remora_buf *out)
{
    remora_json_write_begin(w, out);
    remora_json_object_open(w);
    remora_json_key(w, "data");
    remora_json_array_open(w);
}

static void end_data(struct remora_json_writer *w)
{
    remora_json_array_close(w);
    remora_json_object_close(w);
}

struct endpoints_context {
    struct remora_json_writer w;
    const struct remora_listing *listing;
};

static void see_endpoint(void *context, const struct remora_endpoint *endpoint,
                         enum remora_variant variant)
{
    struct endpoints_context *c = context;
    listing_write_endpoint(&c->w, c->listing, endpoint, variant);
}

enum remora_code remora_listing_zdr(const struct remora_listing *listing, struct remora_slice asked,
                                    struct remora_buf *out, struct remora_fail *fail)
{
    struct endpoints_context context = {.listing = listing};
    (void)asked;
    begin_data(&context.w, out);
    enum remora_code code = visit(listing, true, see_endpoint, &context, fail);
    end_data(&context.w);
    return code;
}

struct providers_context {
    const struct remora_config *config;
    bool *serves; /* by index of config->providers */
};

/* By slug: an endpoint of another wire or address has a provider of its own with the same slug. */
static void see_provider(void *context, const struct remora_endpoint *endpoint,
                         enum remora_variant variant)
{
    struct providers_context *c = context;
    (void)variant;
    const struct remora_provider *provider =
        remora_config_provider(c->config, endpoint->facts.provider);
    if (provider != NULL) {
        c->serves[provider - c->config->providers] = true;
    }
}

static void write_provider(struct remora_json_writer *w, const struct remora_provider_facts *facts)
{
    static const char *const unknown[] = {"privacy_policy_url", "terms_of_service_url",
                                          "status_page_url", "datacenters"};
    remora_json_object_open(w);
    remora_json_key(w, "name");
    remora_json_write_string(w, facts->name.length > 0 ? facts->name : facts->slug);
    remora_json_key(w, "slug");
    remora_json_write_string(w, facts->slug);
    remora_json_key(w, "headquarters");
    if (facts->headquarters.length > 0) {
        remora_json_write_string(w, facts->headquarters);
    } else {
        remora_json_write_null(w);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(unknown); i++) {
        remora_json_key(w, unknown[i]);
        remora_json_write_null(w);
    }
    remora_json_object_close(w);
}

enum remora_code remora_listing_providers(const struct remora_listing *listing,
                                          struct remora_slice asked, struct remora_buf *out,
                                          struct remora_fail *fail)
{
    const struct remora_config *config = listing->config;
    struct remora_json_writer w;
    bool *serves = remora_arena_array(listing->arena, config->provider_count + 1, sizeof *serves);
    (void)asked;
    if (serves == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
    }
    struct providers_context context = {.config = config, .serves = serves};
    enum remora_code code = visit(listing, false, see_provider, &context, fail);
    begin_data(&w, out);
    for (size_t i = 0; i < config->provider_count; i++) {
        if (serves[i]) {
            write_provider(&w, &config->providers[i].facts);
        }
    }
    end_data(&w);
    return code;
}
