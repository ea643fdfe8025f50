/*
 * A model id as callers write it -> a model of the snapshot and its variant.
 *
 * In this order: the id as it is (own ids may hold a colon), an alias, the same without a known variant behind the last
 * colon, the canonical slug ("anthropic/claude-4-opus-20250522"), and a bare id ("gpt-4o") when exactly one model that the
 * service may use is called so: one that its lists allow or, where those leave several, one that has an endpoint left when
 * the service asks for nothing in particular. An alias may name a variant, but not another alias.
 *
 * Fails with MODEL_NOT_FOUND (unknown: with the nearest names, of what is configured if any is near, or for `...-latest` the
 * newest of the family; an unknown variant: with what there is of the model; ambiguous: with the candidates), NO_ENDPOINTS (the
 * catalog knows it, nobody configured serves it) and UNIMPLEMENTED (variants, presets, router models and `~...-latest`, not built).
 * Sources: ARCHITECTURE 8; openrouter.md section 6; codes.md.
 */
#include <stdio.h>

#include "names.h"
#include "narrow.h"
#include "remora/limits.h"
#include "remora/text.h"

/* A name as route_shown cuts it, and the words around it. */
enum { CATALOG_HINT_BYTES = 176 };

static const char *const variants_to_come[] = {"nitro",    "floor",    "exacto", "online",
                                               "thinking", "extended", "batch"};
static const char *const routers_to_come[] = {"openrouter/auto",        "openrouter/auto-beta",
                                              "openrouter/free",        "openrouter/pareto-code",
                                              "openrouter/bodybuilder", "openrouter/fusion",
                                              "openrouter/fusion-flash"};

struct name {
    struct remora_slice whole;
    struct remora_slice stem; /* without the variant */
    enum remora_variant variant;
    const char *to_come; /* a variant that is not built */
};

static struct remora_slice bare_id(struct remora_slice id)
{
    size_t slash = remora_slice_find(id, '/', 0);
    return slash == id.length ? id : remora_slice(id.data + slash + 1, id.length - slash - 1);
}

static const char *find_word(const char *const *words, size_t count, struct remora_slice word)
{
    for (size_t i = 0; i < count; i++) {
        if (remora_slice_is(word, words[i])) {
            return words[i];
        }
    }
    return NULL;
}

/* An id of the snapshot is never split: own ids may hold a colon. */
static struct name split(const struct remora_config *config, struct remora_slice whole)
{
    struct name name = {.whole = whole, .stem = whole};
    size_t colon = remora_config_model(config, whole) == NULL ? whole.length : 0;
    while (colon > 0 && whole.data[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return name;
    }
    struct remora_slice word = remora_slice(whole.data + colon, whole.length - colon);
    name.to_come = find_word(variants_to_come, REMORA_COUNT_OF(variants_to_come), word);
    if (remora_slice_is(word, "free")) {
        name.variant = REMORA_VARIANT_FREE;
    }
    if (name.to_come != NULL || name.variant == REMORA_VARIANT_FREE) {
        name.stem.length = colon - 1;
    }
    return name;
}

static struct remora_slice alias_of(const struct remora_config *config, struct remora_slice from)
{
    for (size_t i = 0; i < config->alias_count; i++) {
        if (remora_slice_equal(config->aliases[i].from, from)) {
            return config->aliases[i].to;
        }
    }
    return (struct remora_slice){0};
}

/* ---- bare ids ---- */

struct search {
    const struct remora_config *config;
    const struct remora_policy_stack *stack;
    enum remora_variant variant;
};

static bool is_called(const struct search *search, const struct remora_model *model,
                      struct remora_slice bare)
{
    return remora_slice_equal(bare_id(model->facts.id), bare) &&
           remora_policy_allows_model(search->stack, model->facts.id, search->variant, NULL);
}

/* Whether an endpoint is left when the layers above the request judge one that asks for nothing. */
static bool is_usable(struct remora_judge *judge, const struct remora_model *model,
                      enum remora_variant variant)
{
    remora_judge_model(judge, model, variant);
    for (size_t i = 0; i < model->endpoint_count; i++) {
        struct remora_exclusion exclusion = {.rule = REMORA_RULE_NONE};
        route_judge(judge, &model->endpoints[i], &exclusion);
        if (exclusion.rule == REMORA_RULE_NONE) {
            return true;
        }
    }
    return false;
}

/* Of several models that are called so, the only one that is usable; NULL when there is none or more than one. */
static const struct remora_model *only_usable(const struct search *search, struct remora_slice bare)
{
    struct remora_policy_stack service = *search->stack;
    struct remora_request nothing;
    struct remora_judge judge;
    const struct remora_model *found = NULL;
    service.layers[REMORA_LAYER_REQUEST] = NULL;
    remora_request_init(&nothing);
    remora_judge_init(&judge, &service, &nothing);
    for (size_t i = 0; i < search->config->model_count; i++) {
        const struct remora_model *model = &search->config->models[i];
        if (!is_called(search, model, bare) || !is_usable(&judge, model, search->variant)) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = model;
    }
    return found;
}

static enum remora_code ambiguous(const struct search *search, struct remora_slice bare,
                                  struct remora_fail *fail)
{
    char list[200] = "";
    size_t length = 0;
    for (size_t i = 0; i < search->config->model_count && length < sizeof(list); i++) {
        const struct remora_model *model = &search->config->models[i];
        if (is_called(search, model, bare)) {
            length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%.*s",
                                       length == 0 ? "" : ", ", REMORA_SLICE_ARG(model->facts.id));
        }
    }
    char shown[ROUTE_SHOWN_BYTES];
    return remora_fail_set(fail, REMORA_MODEL_NOT_FOUND, "model",
                           "'%s' is ambiguous; name one of %s", route_shown(bare, shown), list);
}

/* OK with *out NULL when nothing is called so. */
static enum remora_code find_bare(const struct search *search, struct remora_slice bare,
                                  const struct remora_model **out, struct remora_fail *fail)
{
    const struct remora_model *found = NULL;
    for (size_t i = 0; i < search->config->model_count; i++) {
        const struct remora_model *model = &search->config->models[i];
        if (!is_called(search, model, bare)) {
            continue;
        }
        if (found != NULL) {
            *out = only_usable(search, bare);
            return *out == NULL ? ambiguous(search, bare, fail) : REMORA_OK;
        }
        found = model;
    }
    *out = found;
    return REMORA_OK;
}

/* ---- the steps ---- */

static const struct remora_model *find_canonical(const struct remora_config *config,
                                                 struct remora_slice slug)
{
    for (size_t i = 0; i < config->model_count; i++) {
        if (remora_slice_equal(config->models[i].facts.canonical_slug, slug)) {
            return &config->models[i];
        }
    }
    return NULL;
}

/* OK with *out NULL when there is none of this name. */
static enum remora_code find_stem(const struct search *search, const struct name *name,
                                  const struct remora_model **out, struct remora_fail *fail)
{
    *out = remora_config_model(search->config, name->stem);
    if (*out != NULL) {
        return REMORA_OK;
    }
    if (remora_slice_find(name->stem, '/', 0) == name->stem.length) {
        return find_bare(search, name->stem, out, fail);
    }
    *out = find_canonical(search->config, name->stem);
    return REMORA_OK;
}

/* ---- the newest of a family ---- */

static const struct remora_slice latest_suffix = REMORA_SLICE_INIT("-latest");

/* "~anthropic/claude-sonnet-latest" and, as vendors write it, "claude-sonnet-latest" -> the family; empty: it is no such name. */
static struct remora_slice family_of(struct remora_slice name)
{
    if (name.length > 0 && name.data[0] == '~') {
        name = remora_slice(name.data + 1, name.length - 1);
    }
    if (name.length <= latest_suffix.length) {
        return remora_slice(NULL, 0);
    }
    size_t length = name.length - latest_suffix.length;
    struct remora_slice end = remora_slice(name.data + length, latest_suffix.length);
    return remora_slice_equal(end, latest_suffix) ? remora_slice(name.data, length)
                                                  : remora_slice(NULL, 0);
}

/* The word of a name that ends at the next '-'. */
static struct remora_slice next_word(struct remora_slice *rest)
{
    size_t length = remora_slice_find(*rest, '-', 0);
    struct remora_slice word = remora_slice(rest->data, length);
    size_t past = length < rest->length ? length + 1 : length;
    *rest = remora_slice(rest->data + past, rest->length - past);
    return word;
}

static bool is_version(struct remora_slice word)
{
    return word.length > 0 && word.data[0] >= '0' && word.data[0] <= '9';
}

/* gemini-3.6-flash without its version is gemini-flash. */
static bool is_without_version(struct remora_slice id, struct remora_slice family)
{
    while (id.length > 0) {
        struct remora_slice word = next_word(&id);
        if (!is_version(word) && !remora_slice_equal(word, next_word(&family))) {
            return false;
        }
    }
    return family.length == 0;
}

static bool is_of_family(struct remora_slice id, struct remora_slice family)
{
    bool begins = remora_slice_starts_with(id, family) &&
                  (id.length == family.length || id.data[family.length] == '-');
    return begins || is_without_version(id, family);
}

static bool has_family(struct remora_slice id, struct remora_slice family)
{
    return family.length > 0 && (is_of_family(id, family) || is_of_family(bare_id(id), family));
}

/* Nothing is nearer than the one that is meant. */
static struct remora_guess only_guess(struct remora_slice asked, struct remora_slice id)
{
    return (struct remora_guess){.asked = asked, .best = {id}, .count = 1, .distance = 0};
}

/* ---- what is not there ---- */

/* What the catalog has and nobody here serves: "; 'openai/gpt-4o' is in the catalog, but ...", or "". Returns out. */
static const char *hint_of_catalog(const struct search *search, struct remora_slice asked,
                                   char out[CATALOG_HINT_BYTES])
{
    struct remora_guess guess;
    struct remora_slice family = family_of(asked);
    int64_t newest_unix_s = -1;
    out[0] = '\0';
    remora_guess_begin(&guess, asked);
    for (size_t i = 0; i < remora_catalog_model_count(); i++) {
        struct remora_model_facts facts;
        remora_catalog_model(i, &facts);
        if (remora_config_model(search->config, facts.id) == NULL &&
            remora_policy_allows_model(search->stack, facts.id, search->variant, NULL)) {
            remora_guess_offer_model(&guess, facts.id);
            if (has_family(facts.id, family) && facts.created_unix_s > newest_unix_s) {
                newest_unix_s = facts.created_unix_s;
                guess = only_guess(asked, facts.id);
            }
        }
    }
    if (guess.count > 0) {
        char shown[ROUTE_SHOWN_BYTES];
        snprintf(out, CATALOG_HINT_BYTES,
                 "; the catalog has '%s', but no provider that is configured here serves it",
                 route_shown(guess.best[0], shown));
    }
    return out;
}

/* Of those that the service may use; NULL: there is none. */
static const struct remora_model *newest_of(const struct search *search, struct remora_slice family)
{
    const struct remora_model *newest = NULL;
    for (size_t i = 0; i < search->config->model_count; i++) {
        const struct remora_model *model = &search->config->models[i];
        bool is_one = has_family(model->facts.id, family);
        bool is_newer =
            newest == NULL || model->facts.created_unix_s > newest->facts.created_unix_s;
        if (is_one && is_newer &&
            remora_policy_allows_model(search->stack, model->facts.id, search->variant, NULL)) {
            newest = model;
        }
    }
    return newest;
}

static void offer_newest(const struct search *search, struct remora_slice asked,
                         struct remora_guess *guess)
{
    const struct remora_model *newest = newest_of(search, family_of(asked));
    if (newest != NULL) {
        *guess = only_guess(asked, newest->facts.id);
    }
}

/* A documented name that is not built: an alias of the configuration may stand for it. */
static enum remora_code latest_to_come(const struct search *search, struct remora_slice asked,
                                       struct remora_fail *fail)
{
    struct remora_guess guess;
    char hint[REMORA_GUESS_BYTES];
    char shown[ROUTE_SHOWN_BYTES];
    remora_guess_begin(&guess, asked);
    offer_newest(search, asked, &guess);
    return remora_fail_set(fail, REMORA_UNIMPLEMENTED, "model",
                           "'%s' for the newest model of a family is not built yet; name a model%s",
                           route_shown(asked, shown), remora_guess_hint(&guess, hint));
}

static enum remora_code unknown(const struct search *search, struct remora_slice asked,
                                struct remora_fail *fail)
{
    struct remora_guess guess;
    char catalog_hint[CATALOG_HINT_BYTES];
    char hint[REMORA_GUESS_BYTES];
    remora_guess_begin(&guess, asked);
    for (size_t i = 0; i < search->config->model_count; i++) {
        struct remora_slice id = search->config->models[i].facts.id;
        if (remora_policy_allows_model(search->stack, id, search->variant, NULL)) {
            remora_guess_offer_model(&guess, id);
        }
    }
    offer_newest(search, asked, &guess);
    char shown[ROUTE_SHOWN_BYTES];
    return remora_fail_set(fail, REMORA_MODEL_NOT_FOUND, "model", "there is no model '%s'%s",
                           route_shown(asked, shown),
                           guess.count > 0 ? remora_guess_hint(&guess, hint)
                                           : hint_of_catalog(search, asked, catalog_hint));
}

/* The catalog's id of a model that it knows by this id, canonical slug or bare id; empty when it knows none. */
static struct remora_slice id_in_catalog(struct remora_slice name)
{
    struct remora_model_facts facts;
    size_t index;
    if (remora_catalog_find_model(name, &index)) {
        return name;
    }
    for (size_t i = 0; i < remora_catalog_model_count(); i++) {
        remora_catalog_model(i, &facts);
        if (remora_slice_equal(facts.canonical_slug, name) ||
            remora_slice_equal(bare_id(facts.id), name)) {
            return facts.id;
        }
    }
    return remora_slice(NULL, 0);
}

static bool has_preset(struct remora_slice asked)
{
    return remora_wildcard_match(REMORA_SLICE("*@preset/*"), asked);
}

static bool has_free(const struct remora_model *model)
{
    for (size_t i = 0; i < model->endpoint_count; i++) {
        if (model->endpoints[i].facts.is_free) {
            return true;
        }
    }
    return false;
}

/* REMORA_OK: it is no name of a model with a colon and a word behind it that no variant has. */
static enum remora_code unknown_variant(const struct search *search, struct remora_slice asked,
                                        struct remora_fail *fail)
{
    const struct remora_model *model = NULL;
    struct name stem = {.stem = asked};
    while (stem.stem.length > 0 && asked.data[stem.stem.length - 1] != ':') {
        stem.stem.length--;
    }
    if (stem.stem.length < 2) {
        return REMORA_OK;
    }
    struct remora_slice word =
        remora_slice(asked.data + stem.stem.length, asked.length - stem.stem.length);
    stem.stem.length--;
    struct remora_slice to = alias_of(search->config, stem.stem);
    stem.stem = to.length > 0 ? to : stem.stem;
    enum remora_code code = find_stem(search, &stem, &model, fail);
    if (code != REMORA_OK || model == NULL ||
        !remora_policy_allows_model(search->stack, model->facts.id, search->variant, NULL)) {
        return code;
    }
    char variant[ROUTE_SHOWN_BYTES];
    char id[ROUTE_SHOWN_BYTES];
    route_shown(model->facts.id, id);
    return remora_fail_set(fail, REMORA_MODEL_NOT_FOUND, "model",
                           "no model variant is called ':%s'; did you mean '%s'%s%s%s?",
                           route_shown(word, variant), id, has_free(model) ? " or '" : "",
                           has_free(model) ? id : "", has_free(model) ? ":free'" : "");
}

static enum remora_code missing(const struct search *search, const struct name *name,
                                struct remora_fail *fail)
{
    struct remora_slice id = id_in_catalog(name->stem);
    if (id.length > 0 && remora_config_model(search->config, id) == NULL) {
        return remora_fail_set(fail, REMORA_NO_ENDPOINTS, "model",
                               "no provider that is configured here serves '%.*s'",
                               REMORA_SLICE_ARG(id));
    }
    const char *router = find_word(routers_to_come, REMORA_COUNT_OF(routers_to_come), name->stem);
    if (router != NULL) {
        return remora_fail_set(fail, REMORA_UNIMPLEMENTED, "model",
                               "the router model '%s' is not built yet; name a model", router);
    }
    if (has_preset(name->whole)) {
        return remora_fail_set(fail, REMORA_UNIMPLEMENTED, "model",
                               "presets are not built yet; name a model");
    }
    if (remora_slice_starts_with(name->whole, REMORA_SLICE("~")) &&
        family_of(name->whole).length > 0) {
        return latest_to_come(search, name->whole, fail);
    }
    enum remora_code code = unknown_variant(search, name->whole, fail);
    return code == REMORA_OK ? unknown(search, name->whole, fail) : code;
}

/* ---- the whole ---- */

static enum remora_code not_built(const struct name *name, struct remora_fail *fail)
{
    return remora_fail_set(fail, REMORA_UNIMPLEMENTED, "model",
                           "the model variant ':%s' is not built yet", name->to_come);
}

/* Aliases are asked for the whole name, then for its stem (whose variant stays, unless the alias names one). */
static struct name unalias(const struct remora_config *config, struct remora_slice asked)
{
    struct remora_slice to = alias_of(config, asked);
    if (to.length != 0) {
        return split(config, to);
    }
    struct name name = split(config, asked);
    to = alias_of(config, name.stem);
    if (to.length == 0) {
        return name;
    }
    struct name target = split(config, to);
    if (target.to_come == NULL && target.variant == REMORA_VARIANT_STANDARD) {
        target.to_come = name.to_come;
        target.variant = name.variant;
    }
    return target;
}

enum remora_code remora_resolve_model(const struct remora_config *config,
                                      const struct remora_policy_stack *stack,
                                      struct remora_slice asked, const struct remora_model **out,
                                      enum remora_variant *variant, struct remora_fail *fail)
{
    const struct remora_model *model = remora_config_model(config, asked);
    if (model != NULL) {
        *out = model;
        *variant = REMORA_VARIANT_STANDARD;
        return REMORA_OK;
    }
    const struct name name = unalias(config, asked);
    const struct search search = {config, stack, name.variant};
    if (name.to_come != NULL) {
        return not_built(&name, fail);
    }
    enum remora_code code = find_stem(&search, &name, &model, fail);
    if (code != REMORA_OK) {
        return code;
    }
    if (model == NULL) {
        return missing(&search, &name, fail);
    }
    *out = model;
    *variant = name.variant;
    return REMORA_OK;
}

/* The only one that is called so, or NULL. */
static const struct remora_model *only_bare(const struct remora_config *config,
                                            struct remora_slice bare)
{
    const struct remora_model *found = NULL;
    for (size_t i = 0; i < config->model_count; i++) {
        if (!remora_slice_equal(bare_id(config->models[i].facts.id), bare)) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = &config->models[i];
    }
    return found;
}

const struct remora_model *remora_model_named(const struct remora_config *config,
                                              struct remora_slice asked)
{
    const struct remora_model *found = remora_config_model(config, asked);
    if (found != NULL || asked.length == 0) {
        return found;
    }
    struct remora_slice alias = alias_of(config, asked);
    struct name name = split(config, alias.length > 0 ? alias : asked);
    found = remora_config_model(config, name.stem);
    found = found == NULL ? find_canonical(config, name.stem) : found;
    return found == NULL ? only_bare(config, name.stem) : found;
}
