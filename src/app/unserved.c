/*
 * Models that the document's own policies leave without an endpoint, for `remora check`: each layer may be right by itself, and what
 * they come to together is found by whoever calls.
 *
 *   a layer    under which, with those above it, no model at all is left
 *   a name     in its models.allow or models.default, whose model has no endpoint left there. Layers below may narrow what is named
 *              above them, that is what they are for; so a name is held against its own layer and those above it
 *   a model    with endpoints of the document's own, of which no caller has one. A service or a key that does not list it has chosen
 *
 * Keys that are named and not here count as held: a check in CI has none. What would have no endpoint without any policy either is told
 * elsewhere, by its provider.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/limits.h"

enum { TOLD_MAX = 64, RULES_BYTES = 400, NAME_BYTES = 256 };

struct search {
    const struct remora_config *config;
    const char *path; /* of the document */
    struct remora_arena arena;
    struct remora_policy_stack stack; /* that of `list` */
    struct remora_shortlist list;
    const struct remora_model *told[TOLD_MAX]; /* NULL: of no one model */
    size_t told_count;
};

/* A layer, and the stack that ends with it. */
struct view {
    char name[NAME_BYTES];
    struct remora_policy_stack stack;
    enum remora_layer layer;
};

static const struct remora_policy_stack no_layers = {{NULL}};

/* ---- what is left ---- */

static bool turn_to(struct search *search, const struct remora_policy_stack *stack)
{
    remora_arena_reset(&search->arena);
    search->stack = *stack;
    return remora_shortlist_init(&search->list, &search->stack, REMORA_LIMIT_CANDIDATES,
                                 &search->arena) == REMORA_OK;
}

static bool has_variant(struct search *search, const struct remora_model *model,
                        enum remora_variant variant)
{
    remora_shortlist_model(&search->list, model, variant);
    return search->list.usable > 0;
}

/* In the stack turned to; who asks for no variant may mean each. */
static bool is_left(struct search *search, const struct remora_model *model,
                    enum remora_variant variant)
{
    return has_variant(search, model, REMORA_VARIANT_FREE) ||
           (variant == REMORA_VARIANT_STANDARD && has_variant(search, model, variant));
}

/* The first model that a stack leaves an endpoint, or NULL. */
static const struct remora_model *first_left(struct search *search,
                                             const struct remora_policy_stack *stack)
{
    size_t count = turn_to(search, stack) ? search->config->model_count : 0;
    for (size_t i = 0; i < count; i++) {
        if (is_left(search, &search->config->models[i], REMORA_VARIANT_STANDARD)) {
            return &search->config->models[i];
        }
    }
    return NULL;
}

/* ---- what is told ---- */

static bool is_policy(enum remora_layer layer)
{
    return layer >= REMORA_LAYER_MESH && layer <= REMORA_LAYER_KEY;
}

/* "max_price:prompt (POLICY_LAYER_MESH), ignored_provider (POLICY_LAYER_SERVICE)" of the stack turned to. */
static void list_rules(struct search *search, const struct remora_model *model,
                       enum remora_variant variant, struct remora_buf *out)
{
    struct remora_rule_count rules[REMORA_RULES_TOLD];
    remora_shortlist_model(&search->list, model, variant);
    size_t count = remora_plan_rules(search->list.candidates, search->list.count, rules);
    for (size_t i = 0; i < count; i++) {
        const struct remora_exclusion *one = &rules[i].exclusion;
        if (is_policy(one->layer)) {
            remora_buf_append_text(out, out->length == 0 ? "" : ", ");
            remora_buf_append_text(out, remora_rule_name(one->rule));
            remora_buf_append_text(out, one->subject == NULL ? "" : one->subject);
            remora_buf_append_text(out, " (");
            remora_buf_append_text(out, remora_layer_name(one->layer));
            remora_buf_append_text(out, ")");
        }
    }
}

/* "PATH: warning: WHERE: WHAT: RULES", with the rules that keep `model` from being had in the stack turned to. */
static void tell(struct search *search, const char *where, const char *what,
                 const struct remora_model *model)
{
    if (search->told_count == TOLD_MAX) {
        return;
    }
    struct remora_buf rules;
    remora_buf_init(&rules, RULES_BYTES);
    list_rules(search, model, REMORA_VARIANT_STANDARD, &rules);
    if (rules.length == 0) {
        list_rules(search, model, REMORA_VARIANT_FREE, &rules);
    }
    fprintf(stderr, "%s: warning: %s: %s: %.*s\n", search->path, where, what,
            REMORA_SLICE_ARG(remora_buf_slice(&rules)));
    remora_buf_fini(&rules);
    search->told[search->told_count++] = model;
}

static bool is_told(const struct search *search, const struct remora_model *model)
{
    for (size_t i = 0; i < search->told_count; i++) {
        if (search->told[i] == model) {
            return true;
        }
    }
    return false;
}

/* ---- a layer and the names in it ---- */

static void look_at_name(struct search *search, const struct view *view, const char *key,
                         struct remora_slice name)
{
    const struct remora_model *model = NULL;
    enum remora_variant variant = REMORA_VARIANT_STANDARD;
    struct remora_fail ignored = REMORA_FAIL_INIT; /* told where it is loaded */
    if (remora_slice_find(name, '*', 0) < name.length ||
        remora_resolve_model(search->config, &no_layers, name, &model, &variant, &ignored) !=
            REMORA_OK ||
        !turn_to(search, &no_layers) || !is_left(search, model, variant) ||
        !turn_to(search, &view->stack) || is_left(search, model, variant)) {
        return;
    }
    char where[NAME_BYTES + 16];
    char what[NAME_BYTES];
    snprintf(where, sizeof where, "%s.%s", view->name, key);
    snprintf(what, sizeof what, "\"%.*s\" has no endpoint left", REMORA_SLICE_ARG(name));
    tell(search, where, what, model);
}

/* One that is named in `allow`, too, is told there, and loading warns of one that its own layer's lists refuse. */
static bool is_told_elsewhere(const struct search *search, const struct remora_policy *policy)
{
    const struct remora_policy_stack own = {{[REMORA_LAYER_MESH] = policy}};
    const struct remora_model *model = NULL;
    enum remora_variant variant = REMORA_VARIANT_STANDARD;
    struct remora_fail ignored = REMORA_FAIL_INIT;
    for (size_t i = 0; i < policy->models_allow.count; i++) {
        if (remora_slice_equal(policy->models_allow.items[i], policy->models_default)) {
            return true;
        }
    }
    return remora_resolve_model(search->config, &no_layers, policy->models_default, &model,
                                &variant, &ignored) != REMORA_OK ||
           !remora_policy_allows_model(&own, model->facts.id, variant, NULL);
}

static void look_at_layer(struct search *search, const struct view *view)
{
    const struct remora_policy *policy = view->stack.layers[view->layer];
    struct remora_policy_stack above = view->stack;
    above.layers[view->layer] = NULL;
    const struct remora_model *first = first_left(search, &above);
    if (first == NULL) {
        return; /* nothing is configured, or it is told above */
    }
    if (first_left(search, &view->stack) == NULL) {
        char what[NAME_BYTES];
        snprintf(what, sizeof what, "no model has an endpoint left, the first is %.*s",
                 REMORA_SLICE_ARG(first->facts.id));
        tell(search, view->name, what, first);
        return;
    }
    for (size_t i = 0; i < policy->models_allow.count; i++) {
        look_at_name(search, view, "models.allow", policy->models_allow.items[i]);
    }
    if (policy->models_default.length > 0 && !is_told_elsewhere(search, policy)) {
        look_at_name(search, view, "models.default", policy->models_default);
    }
}

/* Whether a file of policy_files holds the layer of this name. */
static bool is_of_file(const struct remora_config *config, unsigned file, struct remora_slice name,
                       struct remora_slice own)
{
    return config->policy_texts[file].path.length > 0 && remora_slice_equal(name, own);
}

/* ---- who calls ---- */

/* With keys it is they who call, in namespaces of their own; without any all callers are in the configured one. */
static void stack_of_service(const struct remora_config *config, struct remora_slice service,
                             struct remora_policy_stack *out)
{
    struct remora_identity identity = {.service = service};
    if (config->key_count == 0) {
        identity.namespace_name = config->namespace_name;
    }
    remora_config_stack(config, &identity, out);
}

static void stack_of_key(const struct remora_config *config, const struct remora_gateway_key *key,
                         struct remora_policy_stack *out)
{
    const struct remora_identity identity = {.service = key->service,
                                             .namespace_name = key->namespace_name,
                                             .key_id = key->name,
                                             .proof = REMORA_PROOF_KEY};
    remora_config_stack(config, &identity, out);
}

static size_t count_callers(const struct remora_config *config)
{
    return config->key_count > 0 ? config->key_count : config->service_count + 1;
}

/* The keys; without any the configured service, then all that have a policy: a document may be shared by sidecars. */
static void stack_of_caller(const struct remora_config *config, size_t at,
                            struct remora_policy_stack *out)
{
    if (config->key_count > 0) {
        stack_of_key(config, &config->keys[at], out);
    } else {
        stack_of_service(config, at == 0 ? config->service : config->services[at - 1].name, out);
    }
}

/* ---- layers ---- */

static void look_at_mesh(struct search *search)
{
    struct view view = {.layer = REMORA_LAYER_MESH};
    bool is_file = search->config->policy_texts[REMORA_POLICY_FILE_MESH].path.length > 0;
    view.stack.layers[REMORA_LAYER_MESH] = &search->config->mesh;
    snprintf(view.name, sizeof view.name, "%s", is_file ? "policy_files.mesh" : "policy");
    look_at_layer(search, &view);
}

static void look_at_namespace(struct search *search, const struct remora_named_policy *named)
{
    const struct remora_config *config = search->config;
    struct view view = {.layer = REMORA_LAYER_NAMESPACE};
    view.stack.layers[REMORA_LAYER_MESH] = &config->mesh;
    view.stack.layers[REMORA_LAYER_NAMESPACE] = &named->policy;
    if (is_of_file(config, REMORA_POLICY_FILE_NAMESPACE, named->name, config->namespace_name)) {
        snprintf(view.name, sizeof view.name, "policy_files.namespace");
    } else {
        snprintf(view.name, sizeof view.name, "namespaces.%.*s", REMORA_SLICE_ARG(named->name));
    }
    look_at_layer(search, &view);
}

static void look_at_service(struct search *search, const struct remora_named_policy *named)
{
    const struct remora_config *config = search->config;
    struct view view = {.layer = REMORA_LAYER_SERVICE};
    stack_of_service(config, named->name, &view.stack);
    if (is_of_file(config, REMORA_POLICY_FILE_SERVICE, named->name, config->service)) {
        snprintf(view.name, sizeof view.name, "policy_files.service");
    } else {
        snprintf(view.name, sizeof view.name, "services.%.*s", REMORA_SLICE_ARG(named->name));
    }
    look_at_layer(search, &view);
}

static void look_at_key(struct search *search, const struct remora_gateway_key *key)
{
    struct view view = {.layer = REMORA_LAYER_KEY};
    stack_of_key(search->config, key, &view.stack);
    snprintf(view.name, sizeof view.name, "keys.%.*s", REMORA_SLICE_ARG(key->name));
    look_at_layer(search, &view);
}

static void look_at_layers(struct search *search)
{
    const struct remora_config *config = search->config;
    look_at_mesh(search);
    for (size_t i = 0; i < config->namespace_count; i++) {
        look_at_namespace(search, &config->namespaces[i]);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        look_at_service(search, &config->services[i]);
    }
    for (size_t i = 0; i < config->key_count; i++) {
        look_at_key(search, &config->keys[i]);
    }
}

/* ---- models of the document's own ---- */

/* True, too, for a caller whose own layer lists other models, and for one who has nothing at all, which is told. */
static bool is_content(struct search *search, size_t caller, const struct remora_model *model)
{
    struct remora_policy_stack stack;
    stack_of_caller(search->config, caller, &stack);
    bool has_some = first_left(search, &stack) != NULL;
    return !has_some || is_left(search, model, REMORA_VARIANT_STANDARD) ||
           search->list.judge.refused_by >= REMORA_LAYER_SERVICE;
}

static void look_at_model(struct search *search, const struct remora_model *model)
{
    if (is_told(search, model) || !turn_to(search, &no_layers) ||
        !is_left(search, model, REMORA_VARIANT_STANDARD)) {
        return;
    }
    for (size_t i = 0; i < count_callers(search->config); i++) {
        if (is_content(search, i, model)) {
            return;
        }
    }
    char where[NAME_BYTES];
    snprintf(where, sizeof where, "models.%.*s", REMORA_SLICE_ARG(model->facts.id));
    tell(search, where, "no caller has an endpoint left", model);
}

size_t app_warn_of_unserved(const struct remora_config *config, const char *path)
{
    struct search search = {.config = config, .path = path};
    if (config->not_ready_why != NULL) {
        return 0; /* nobody is served until the layer is there */
    }
    remora_arena_init(&search.arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    look_at_layers(&search);
    for (size_t i = 0; i < config->model_count; i++) {
        if (config->models[i].endpoints[0].is_own) {
            look_at_model(&search, &config->models[i]);
        }
    }
    remora_arena_fini(&search.arena);
    return search.told_count;
}
