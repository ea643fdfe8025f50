/*
 * remora models, remora providers: what the configuration gives a service, one line each, and why the rest is not usable.
 * A model is judged as the plan judges a request that asks for nothing.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"

/* ---- models ---- */

struct verdict {
    const struct remora_endpoint *first; /* the first that may be used, or NULL */
    size_t usable;
    struct remora_exclusion why; /* of the first that is out */
};

static struct verdict judge_model(struct remora_judge *judge, const struct remora_model *model)
{
    struct verdict verdict = {.first = NULL};
    remora_judge_model(judge, model, REMORA_VARIANT_STANDARD);
    for (size_t i = 0; i < model->endpoint_count; i++) {
        struct remora_exclusion exclusion = {.rule = REMORA_RULE_NONE};
        remora_policy_judge(judge, &model->endpoints[i], &exclusion);
        if (exclusion.rule == REMORA_RULE_NONE) {
            verdict.first = verdict.first == NULL ? &model->endpoints[i] : verdict.first;
            verdict.usable++;
        } else if (verdict.why.rule == REMORA_RULE_NONE) {
            verdict.why = exclusion;
        }
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

static void print_models(const struct offline *offline)
{
    const struct remora_config *config = offline->config;
    struct remora_request bare;
    struct remora_judge judge;
    size_t usable = 0;
    remora_request_init(&bare);
    remora_judge_init(&judge, &offline->stack, &bare);
    printf("%-48s %9s %10s %10s %7s  %s\n", "MODEL", "CONTEXT", "PROMPT", "COMPLETION", "USABLE",
           "OUT BY (USD per million tokens)");
    for (size_t i = 0; i < config->model_count; i++) {
        const struct remora_model *model = &config->models[i];
        struct verdict verdict = judge_model(&judge, model);
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
    bool is_open = offline_open(&offline, config, OFFLINE_KEYS_AS_HERE, &who);
    if (is_open) {
        print_models(&offline);
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

static void print_providers(const struct remora_config *config, bool with_others)
{
    size_t usable = 0;
    printf("%-24s %-18s %5s %9s  %s\n", "PROVIDER", "WIRE", "KEYS", "ENDPOINTS", "STATE");
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct remora_provider *provider = &config->providers[i];
        usable += is_usable(provider) ? 1 : 0;
        printf("%-24.*s %-18s %5zu %9zu  %s\n", REMORA_SLICE_ARG(provider->facts.slug),
               remora_wire_name(provider->facts.wire), provider->credential_count,
               count_endpoints(config, provider->facts.slug), state_of(provider));
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
    bool is_open = offline_open(&offline, config, OFFLINE_KEYS_AS_HERE, &who);
    if (is_open) {
        print_providers(offline.config, with_others);
    }
    offline_close(&offline);
    return is_open ? 0 : 2;
}
