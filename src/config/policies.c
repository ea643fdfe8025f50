/*
 * Policy layers of the document: mesh, namespaces, services, one shape (ARCHITECTURE 8). What a layer names and nobody knows
 * (a provider, a model) is a warning, because it narrows nothing that exists.
 */
#include "loader.h"

#include "remora/decimal.h"
#include "remora/text.h"

/* As remora_policy_init, which stands in a room above. */
void config_policy_begin(struct remora_policy *policy)
{
    *policy = (struct remora_policy){.limits = {-1, -1, -1}};
    remora_preferences_init(&policy->provider);
}

/* A tag that no endpoint has, of a provider that is known: `ignore` would ignore nothing by it. */
static void warn_of_tag(struct config_loader *loader, const struct config_node *node)
{
    char hint[REMORA_GUESS_BYTES];
    if (!remora_config_knows_tag(loader->config, node->text)) {
        config_warn(loader, node, "no endpoint has the tag \"%.*s\"%s",
                    REMORA_SLICE_ARG(node->text),
                    remora_config_tag_hint(loader->config, node->text, hint));
    }
}

static void warn_of_slugs(struct config_loader *loader, const struct config_node *list)
{
    const struct config_node *node = list == NULL ? NULL : list->first;
    for (; node != NULL; node = node->next) {
        struct remora_slice base = remora_slug_provider(node->text);
        char hint[REMORA_GUESS_BYTES];
        if (!remora_config_knows_provider(loader->config, base)) {
            config_warn(loader, node, "no provider has the slug \"%.*s\"%s", REMORA_SLICE_ARG(base),
                        remora_config_provider_hint(loader->config, base, hint));
        } else if (base.length < node->text.length) {
            warn_of_tag(loader, node);
        }
    }
}

static enum remora_code read_names(struct config_loader *loader, const struct config_node *list,
                                   struct remora_slices *out)
{
    enum remora_code rc = config_read_texts(loader, list, out);
    if (rc != REMORA_OK) {
        return rc;
    }
    return remora_names_index(out, loader->arena) == REMORA_OK ? REMORA_OK : config_no_room(loader);
}

static enum remora_code read_slugs(struct config_loader *loader, const struct config_node *object,
                                   enum config_key key, struct remora_slices *out)
{
    warn_of_slugs(loader, config_get(object, key));
    return read_names(loader, config_get(object, key), out);
}

static enum remora_code read_quantizations(struct config_loader *loader,
                                           const struct config_node *list,
                                           struct remora_slices *out)
{
    const struct config_node *node = list == NULL ? NULL : list->first;
    for (; node != NULL; node = node->next) {
        if (!config_is_quantization(node->text)) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "no such quantization");
        }
    }
    return config_read_texts(loader, list, out);
}

static enum remora_code read_lists(struct config_loader *loader, const struct config_node *object,
                                   struct remora_preferences *out)
{
    enum remora_code rc = read_slugs(loader, object, CONFIG_PREFERENCES_ORDER, &out->order);
    if (rc == REMORA_OK) {
        rc = read_slugs(loader, object, CONFIG_PREFERENCES_ONLY, &out->only);
    }
    if (rc == REMORA_OK) {
        rc = read_slugs(loader, object, CONFIG_PREFERENCES_IGNORE, &out->ignore);
    }
    if (rc == REMORA_OK) {
        rc = read_quantizations(loader, config_get(object, CONFIG_PREFERENCES_QUANTIZATIONS),
                                &out->quantizations);
    }
    if (rc == REMORA_OK) {
        rc = read_names(loader, config_get(object, CONFIG_PREFERENCES_REGIONS), &out->regions);
    }
    return rc;
}

static enum remora_code read_data_collection(struct config_loader *loader,
                                             const struct config_node *node,
                                             enum remora_data_collection *out)
{
    if (node == NULL) {
        return REMORA_OK;
    }
    bool is_deny = remora_slice_is(node->text, "deny");
    if (!is_deny && !remora_slice_is(node->text, "allow")) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail, "expected allow or deny");
    }
    *out = is_deny ? REMORA_DATA_DENY : REMORA_DATA_ALLOW;
    return REMORA_OK;
}

/* USD per million tokens are pico-USD per token times 10^6; the rest is USD per item. */
static enum remora_code read_cap(struct config_loader *loader, const struct config_node *node,
                                 unsigned scale, int64_t *out)
{
    enum remora_decimal_exactness exactness = REMORA_DECIMAL_EXACT;
    if (node == NULL) {
        return REMORA_OK;
    }
    if (!remora_decimal_floor(node->text, scale, out, &exactness)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail, "not a price");
    }
    if (exactness == REMORA_DECIMAL_ROUNDED) {
        config_warn(loader, node, "is finer than a cap can be and is rounded down");
    }
    return REMORA_OK;
}

static enum remora_code read_max_price(struct config_loader *loader,
                                       const struct config_node *object,
                                       int64_t out[REMORA_CAP_COUNT])
{
    static const struct {
        enum config_key key;
        unsigned scale;
    } caps[REMORA_CAP_COUNT] = {
        [REMORA_CAP_PROMPT] = {CONFIG_MAX_PRICE_PROMPT, 6},
        [REMORA_CAP_COMPLETION] = {CONFIG_MAX_PRICE_COMPLETION, 6},
        [REMORA_CAP_REQUEST] = {CONFIG_MAX_PRICE_REQUEST, 12},
        [REMORA_CAP_IMAGE] = {CONFIG_MAX_PRICE_IMAGE, 12},
        [REMORA_CAP_AUDIO] = {CONFIG_MAX_PRICE_AUDIO, 12},
    };
    for (size_t i = 0; i < REMORA_CAP_COUNT; i++) {
        enum remora_code rc =
            read_cap(loader, config_get(object, caps[i].key), caps[i].scale, &out[i]);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code read_preferences(struct config_loader *loader,
                                         const struct config_node *object,
                                         struct remora_preferences *out)
{
    out->allow_fallbacks = config_tristate(object, CONFIG_PREFERENCES_ALLOW_FALLBACKS);
    out->require_parameters = config_tristate(object, CONFIG_PREFERENCES_REQUIRE_PARAMETERS);
    out->zdr = config_tristate(object, CONFIG_PREFERENCES_ZDR);
    out->enforce_distillable_text =
        config_tristate(object, CONFIG_PREFERENCES_ENFORCE_DISTILLABLE_TEXT);
    out->attempt_timeout_ms = config_integer(object, CONFIG_PREFERENCES_ATTEMPT_TIMEOUT_MS, 0);
    out->max_attempts = (int32_t)config_integer(object, CONFIG_PREFERENCES_MAX_ATTEMPTS, 0);
    enum remora_code rc = read_lists(loader, object, out);
    if (rc == REMORA_OK) {
        rc = read_data_collection(loader, config_get(object, CONFIG_PREFERENCES_DATA_COLLECTION),
                                  &out->data_collection);
    }
    if (rc == REMORA_OK) {
        rc = read_max_price(loader, config_get(object, CONFIG_PREFERENCES_MAX_PRICE),
                            out->max_price_pico_usd);
    }
    return rc;
}

/* Without ":free": the variant of a model is no other model. */
static struct remora_slice without_variant(struct remora_slice id)
{
    struct remora_slice suffix = REMORA_SLICE(":free");
    size_t stem = id.length > suffix.length ? id.length - suffix.length : 0;
    bool is_free =
        stem > 0 && remora_slice_equal(remora_slice(id.data + stem, suffix.length), suffix);
    return is_free ? remora_slice(id.data, stem) : id;
}

/* A name with a `*` is no name that could be misspelt. */
static const char *model_hint(const struct config_loader *loader, struct remora_slice name,
                              char out[REMORA_GUESS_BYTES])
{
    struct remora_guess guess;
    remora_guess_begin(&guess, name);
    bool is_pattern = remora_slice_find(name, '*', 0) < name.length;
    for (size_t i = 0; i < loader->config->model_count && !is_pattern; i++) {
        remora_guess_offer_model(&guess, loader->config->models[i].facts.id);
    }
    return remora_guess_hint(&guess, out);
}

static void warn_of_pattern(struct config_loader *loader, const struct config_node *node)
{
    struct remora_slice stem = without_variant(node->text);
    for (size_t i = 0; i < loader->config->model_count; i++) {
        struct remora_slice id = loader->config->models[i].facts.id;
        if (remora_wildcard_match(node->text, id) || remora_wildcard_match(stem, id)) {
            return;
        }
    }
    char hint[REMORA_GUESS_BYTES];
    config_warn(loader, node, "no configured model matches \"%.*s\"%s",
                REMORA_SLICE_ARG(node->text), model_hint(loader, node->text, hint));
}

/* A name in `deny` that is misspelt would forbid nothing, in silence. */
static void warn_of_patterns(struct config_loader *loader, const struct config_node *list)
{
    const struct config_node *node = list == NULL ? NULL : list->first;
    for (; node != NULL; node = node->next) {
        warn_of_pattern(loader, node);
    }
}

static bool matches(const struct remora_slices *patterns, struct remora_slice id)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (remora_wildcard_match(patterns->items[i], id)) {
            return true;
        }
    }
    return false;
}

static struct remora_slice alias_target(const struct remora_config *config, struct remora_slice id)
{
    for (size_t i = 0; i < config->alias_count; i++) {
        if (remora_slice_equal(config->aliases[i].from, id)) {
            return config->aliases[i].to;
        }
    }
    return id;
}

/* A pattern with ":free" speaks of that variant alone, one without of all (policy/models.c). */
static bool names_variant(const struct remora_slices *patterns, struct remora_slice asked)
{
    return matches(patterns, asked) || matches(patterns, without_variant(asked));
}

static void warn_of_default(struct config_loader *loader, const struct config_node *at,
                            const struct remora_policy *policy)
{
    struct remora_slice asked = alias_target(loader->config, policy->models_default);
    struct remora_slice id = without_variant(asked);
    if (remora_config_model(loader->config, id) == NULL) {
        char hint[REMORA_GUESS_BYTES];
        config_warn(loader, at, "no configured model is called \"%.*s\"%s", REMORA_SLICE_ARG(id),
                    model_hint(loader, id, hint));
    } else if ((policy->models_allow.is_set && !names_variant(&policy->models_allow, asked)) ||
               names_variant(&policy->models_deny, asked)) {
        config_warn(loader, at, "\"%.*s\" is not allowed by the same policy", REMORA_SLICE_ARG(id));
    }
}

static enum remora_code read_models(struct config_loader *loader, const struct config_node *object,
                                    struct remora_policy *out)
{
    const struct config_node *allow = config_get(object, CONFIG_POLICY_MODELS_ALLOW);
    const struct config_node *preset = config_get(object, CONFIG_POLICY_MODELS_DEFAULT);
    const struct config_node *deny = config_get(object, CONFIG_POLICY_MODELS_DENY);
    warn_of_patterns(loader, allow);
    warn_of_patterns(loader, deny);
    enum remora_code rc = config_read_texts(loader, allow, &out->models_allow);
    if (rc == REMORA_OK) {
        rc = config_read_texts(loader, deny, &out->models_deny);
    }
    if (rc == REMORA_OK && preset != NULL) {
        out->models_default = config_keep(loader, preset->text);
        warn_of_default(loader, preset, out);
    }
    return rc;
}

/* By spelling: every object that holds a policy (a layer, a gateway key) has these keys. */
enum remora_code config_read_policy(struct config_loader *loader, const struct config_node *node,
                                    struct remora_policy *out)
{
    const struct config_node *limits = config_get_named(node, "limits");
    config_policy_begin(out);
    out->limits.concurrency = config_integer(limits, CONFIG_LIMITS_CONCURRENCY, -1);
    out->limits.requests_per_minute = config_integer(limits, CONFIG_LIMITS_REQUESTS_PER_MINUTE, -1);
    out->limits.tokens_per_minute = config_integer(limits, CONFIG_LIMITS_TOKENS_PER_MINUTE, -1);
    enum remora_code rc = read_models(loader, config_get_named(node, "models"), out);
    if (rc == REMORA_OK) {
        rc = read_preferences(loader, config_get_named(node, "provider"), &out->provider);
    }
    return rc;
}

static enum remora_code read_mesh(struct config_loader *loader)
{
    struct remora_policy *mesh = &loader->config->mesh;
    return loader->policy_files.of[REMORA_POLICY_FILE_MESH].stated != NULL
               ? config_read_policy_file(loader, REMORA_POLICY_FILE_MESH, mesh)
               : config_read_policy(loader, config_get(loader->root, CONFIG_DOCUMENT_POLICY), mesh);
}

/* The policies of a mapping by name, and the one of a file under the own name. */
struct named_source {
    const struct config_node *map;
    unsigned file; /* its layer */
    struct remora_slice own_name;
};

static enum remora_code read_named(struct config_loader *loader, const struct named_source *from,
                                   const struct remora_named_policy **out, size_t *count)
{
    size_t most = (from->map == NULL ? 0 : from->map->count) + 1;
    struct remora_named_policy *policies =
        remora_arena_array(loader->arena, most, sizeof *policies);
    if (policies == NULL) {
        return config_no_room(loader);
    }
    *out = policies;
    const struct config_node *node = from->map == NULL ? NULL : from->map->first;
    for (; node != NULL; node = node->next) {
        if (node->key.length == 0 || node->key.length > 128) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "a name has 1 to 128 bytes");
        }
        policies[*count].name = config_keep(loader, node->key);
        enum remora_code rc = config_read_policy(loader, node, &policies[*count].policy);
        if (rc != REMORA_OK) {
            return rc;
        }
        (*count)++;
    }
    if (loader->policy_files.of[from->file].stated == NULL) {
        return REMORA_OK;
    }
    policies[*count].name = from->own_name;
    return config_read_policy_file(loader, from->file, &policies[(*count)++].policy);
}

static enum remora_code read_namespaces(struct config_loader *loader)
{
    struct remora_config *config = loader->config;
    const struct named_source from = {config_get(loader->root, CONFIG_DOCUMENT_NAMESPACES),
                                      REMORA_POLICY_FILE_NAMESPACE, config->namespace_name};
    return read_named(loader, &from, &config->namespaces, &config->namespace_count);
}

static enum remora_code read_services(struct config_loader *loader)
{
    struct remora_config *config = loader->config;
    const struct named_source from = {config_get(loader->root, CONFIG_DOCUMENT_SERVICES),
                                      REMORA_POLICY_FILE_SERVICE, config->service};
    return read_named(loader, &from, &config->services, &config->service_count);
}

static enum remora_code read_aliases(struct config_loader *loader)
{
    const struct config_node *map = config_get(loader->root, CONFIG_DOCUMENT_ALIASES);
    if (map == NULL || map->count == 0) {
        return REMORA_OK;
    }
    struct remora_alias *aliases = remora_arena_array(loader->arena, map->count, sizeof *aliases);
    if (aliases == NULL) {
        return config_no_room(loader);
    }
    loader->config->aliases = aliases;
    for (const struct config_node *node = map->first; node != NULL; node = node->next) {
        struct remora_alias *alias = &aliases[loader->config->alias_count++];
        alias->from = config_keep(loader, node->key);
        alias->to = config_keep(loader, node->text);
        if (remora_config_model(loader->config, without_variant(node->text)) == NULL) {
            char hint[REMORA_GUESS_BYTES];
            config_warn(loader, node, "no configured model is called \"%.*s\"%s",
                        REMORA_SLICE_ARG(node->text), model_hint(loader, node->text, hint));
        }
    }
    return REMORA_OK;
}

static void warn_of_service(struct config_loader *loader)
{
    const struct remora_config *config = loader->config;
    struct remora_guess guess;
    remora_guess_begin(&guess, config->service);
    for (size_t i = 0; i < config->service_count; i++) {
        remora_guess_offer(&guess, config->services[i].name, config->services[i].name);
        if (remora_slice_equal(config->services[i].name, config->service)) {
            return;
        }
    }
    if (config->service_count > 0 && config->mode == REMORA_MODE_SIDECAR) {
        char hint[REMORA_GUESS_BYTES];
        config_warn_path(loader, "service", "services has no policy for \"%.*s\"%s",
                         REMORA_SLICE_ARG(config->service), remora_guess_hint(&guess, hint));
    }
}

enum remora_code config_read_policies(struct config_loader *loader)
{
    enum remora_code rc = read_aliases(loader);
    if (rc == REMORA_OK) {
        rc = read_mesh(loader);
    }
    if (rc == REMORA_OK) {
        rc = read_namespaces(loader);
    }
    if (rc == REMORA_OK) {
        rc = read_services(loader);
    }
    if (rc == REMORA_OK) {
        warn_of_service(loader);
    }
    return rc;
}
