/*
 * remora models, remora providers: what the configuration gives a service, one line each, and why the rest is not usable.
 * A model has the endpoints that the plan of a request that asks for nothing would try.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"

static bool make_shortlist(struct offline *offline, struct remora_shortlist *list)
{
    bool is_made = remora_shortlist_init(list, &offline->stack, REMORA_LIMIT_CANDIDATES,
                                         &offline->arena) == REMORA_OK;
    if (!is_made) {
        fputs("remora: out of memory\n", stderr);
    }
    return is_made;
}

/* ---- models ---- */

struct verdict {
    const struct remora_endpoint *first; /* the first that may be used, or NULL */
    size_t usable;
    struct remora_exclusion why; /* of the first that is out */
};

static struct verdict judge_model(struct remora_shortlist *list, const struct remora_model *model)
{
    struct verdict verdict = {.first = NULL};
    remora_shortlist_model(list, model, REMORA_VARIANT_STANDARD);
    verdict.usable = list->usable;
    verdict.first = list->usable > 0 ? remora_shortlist_at(list, 0) : NULL;
    for (size_t i = 0; i < list->count && verdict.why.rule == REMORA_RULE_NONE; i++) {
        verdict.why = list->candidates[i].exclusion;
    }
    return verdict;
}

static void print_model(const struct remora_model *model, const struct verdict *verdict)
{
    char window[24] = "-";
    char prompt[48];
    char completion[48];
    if (model->facts.context_length > 0) {
        snprintf(window, sizeof window, "%lld", (long long)model->facts.context_length);
    }
    const struct remora_endpoint *shown =
        verdict->first == NULL ? &model->endpoints[0] : verdict->first;
    const int64_t *prices = shown->facts.prices.pico_usd;
    printf("%-48.*s %9s %10s %10s %5zu/%zu", REMORA_SLICE_ARG(model->facts.id), window,
           offline_price(prices[REMORA_PRICE_PROMPT], prompt),
           offline_price(prices[REMORA_PRICE_COMPLETION], completion), verdict->usable,
           model->endpoint_count);
    if (verdict->why.rule != REMORA_RULE_NONE) {
        printf("  %s%s (%s)", remora_rule_name(verdict->why.rule),
               verdict->why.subject == NULL ? "" : verdict->why.subject,
               remora_layer_name(verdict->why.layer));
    }
    putchar('\n');
}

static void print_models(const struct offline *offline, struct remora_shortlist *list)
{
    const struct remora_config *config = offline->config;
    size_t usable = 0;
    printf("%-48s %9s %10s %10s %7s  %s\n", "MODEL", "CONTEXT", "PROMPT", "COMPLETION", "USABLE",
           "OUT BY (USD per million tokens)");
    for (size_t i = 0; i < config->model_count; i++) {
        const struct remora_model *model = &config->models[i];
        struct verdict verdict = judge_model(list, model);
        usable += verdict.usable > 0 ? 1 : 0;
        if (model->endpoint_count > 0) {
            print_model(model, &verdict);
        }
    }
    printf("%zu of %zu models are usable by service %.*s\n", usable, config->model_count,
           REMORA_SLICE_ARG(offline->identity.service));
}

int app_models(int argc, char **argv)
{
    struct offline offline;
    const char *config = NULL;
    struct offline_who who = {NULL, NULL, NULL};
    const struct offline_option options[] = {{"--config", &config},
                                             {"--service", &who.service},
                                             {"--namespace", &who.namespace_name},
                                             {"--key", &who.key}};
    int status = offline_options(
        options, REMORA_COUNT_OF(options),
        "remora models [--config FILE] [--service NAME] [--namespace NAME] [--key NAME]", argc,
        argv);
    if (status >= 0) {
        return status;
    }
    struct remora_shortlist list;
    bool is_open = offline_open(&offline, config, OFFLINE_KEYS_AS_HERE, &who) &&
                   make_shortlist(&offline, &list);
    if (is_open) {
        print_models(&offline, &list);
    }
    offline_close(&offline);
    return is_open ? 0 : 2;
}

/* ---- providers ---- */

/* "usable", or what is missing. */
static const char *state_of(const struct remora_provider *provider)
{
    if (!remora_wire_is_built(provider->facts.wire)) {
        return "unsupported_wire: this wire is not built yet";
    }
    return provider->disabled_why == NULL ? "usable" : provider->disabled_why;
}

static bool is_usable(const struct remora_provider *provider)
{
    return remora_wire_is_built(provider->facts.wire) && provider->disabled_why == NULL;
}

/* Whether the service may use an endpoint of it, and otherwise why the first one is out. */
struct use {
    bool is_there;
    struct remora_exclusion why;
};

static void look_for_use(const struct remora_shortlist *list, struct remora_slice slug,
                         struct use *use)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct remora_candidate *candidate = &list->candidates[i];
        if (!remora_slice_equal(candidate->endpoint->facts.provider, slug)) {
            continue;
        }
        use->is_there |= candidate->exclusion.rule == REMORA_RULE_NONE;
        if (use->why.rule == REMORA_RULE_NONE) {
            use->why = candidate->exclusion;
        }
    }
}

static struct use use_of(struct remora_shortlist *list, const struct remora_config *config,
                         struct remora_slice slug)
{
    static const enum remora_variant variants[] = {REMORA_VARIANT_STANDARD, REMORA_VARIANT_FREE};
    struct use use = {.is_there = false};
    for (size_t i = 0; i < config->model_count; i++) {
        for (size_t v = 0; v < REMORA_COUNT_OF(variants); v++) {
            remora_shortlist_model(list, &config->models[i], variants[v]);
            look_for_use(list, slug, &use);
        }
    }
    return use;
}

static size_t count_endpoints(const struct remora_config *config, struct remora_slice slug)
{
    size_t count = 0;
    for (size_t i = 0; i < config->model_count; i++) {
        for (size_t at = 0; at < config->models[i].endpoint_count; at++) {
            count +=
                remora_slice_equal(config->models[i].endpoints[at].facts.provider, slug) ? 1 : 0;
        }
    }
    return count;
}

/* Of the catalog, not configured: what would enable it. */
static void print_others(const struct remora_config *config)
{
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        struct remora_provider_facts facts;
        remora_catalog_provider(i, &facts);
        if (remora_config_provider(config, facts.slug) != NULL) {
            continue;
        }
        printf("%-24.*s %-18s %5s %9s  not configured", REMORA_SLICE_ARG(facts.slug),
               remora_wire_name(facts.wire), "-", "-");
        if (facts.api_key_env.length > 0) {
            printf(": %.*s enables it", REMORA_SLICE_ARG(facts.api_key_env));
        }
        puts(remora_wire_is_built(facts.wire) ? "" : "; unsupported_wire");
    }
}

/* Whether it counts as usable. */
static bool print_provider(const struct offline *offline, struct remora_shortlist *list,
                           const struct remora_provider *provider)
{
    const struct remora_config *config = offline->config;
    size_t endpoints = count_endpoints(config, provider->facts.slug);
    printf("%-24.*s %-18s %5zu %9zu  ", REMORA_SLICE_ARG(provider->facts.slug),
           remora_wire_name(provider->facts.wire), provider->credential_count, endpoints);
    struct use use = use_of(list, config, provider->facts.slug);
    if (!is_usable(provider) || endpoints == 0 || use.is_there) {
        puts(state_of(provider));
        return is_usable(provider);
    }
    printf("%s%s (%s): nothing of it is left for service %.*s\n", remora_rule_name(use.why.rule),
           use.why.subject == NULL ? "" : use.why.subject, remora_layer_name(use.why.layer),
           REMORA_SLICE_ARG(offline->identity.service));
    return false;
}

static void print_providers(const struct offline *offline, struct remora_shortlist *list,
                            bool with_others)
{
    const struct remora_config *config = offline->config;
    size_t usable = 0;
    printf("%-24s %-18s %5s %9s  %s\n", "PROVIDER", "WIRE", "KEYS", "ENDPOINTS", "STATE");
    for (size_t i = 0; i < config->provider_count; i++) {
        usable += print_provider(offline, list, &config->providers[i]) ? 1 : 0;
    }
    if (with_others) {
        print_others(config);
    }
    printf("%zu of %zu configured providers are usable; the catalog knows %zu%s\n", usable,
           config->provider_count, remora_catalog_provider_count(),
           with_others ? "" : " (--all lists them)");
}

int app_providers(int argc, char **argv)
{
    struct offline offline;
    const char *config = NULL;
    const struct offline_option options[] = {{"--config", &config}};
    bool with_others = argc > 1 && strcmp(argv[argc - 1], "--all") == 0;
    int status = offline_options(options, REMORA_COUNT_OF(options),
                                 "remora providers [--config FILE] [--all]",
                                 with_others ? argc - 1 : argc, argv);
    if (status >= 0) {
        return status;
    }
    const struct offline_who who = {NULL, NULL, NULL};
    struct remora_shortlist list;
    bool is_open = offline_open(&offline, config, OFFLINE_KEYS_AS_HERE, &who) &&
                   make_shortlist(&offline, &list);
    if (is_open) {
        print_providers(&offline, &list, with_others);
    }
    offline_close(&offline);
    return is_open ? 0 : 2;
}
