#include "plan_fixture.h"

#include <stdio.h>

#include "support.h"

/* Who reads behind the last of a list finds providers, prices and parameters there that nobody has. */
static void spoil_what_is_not_there(struct plan_fixture *f)
{
    memset(f->providers, 0xff, sizeof f->providers);
    memset(f->models, 0xff, sizeof f->models);
    memset(f->endpoints, 0xff, sizeof f->endpoints);
    memset(f->aliases, 0xff, sizeof f->aliases);
}

void plan_fixture_init(struct plan_fixture *f)
{
    memset(f, 0, sizeof *f);
    spoil_what_is_not_there(f);
    f->config.providers = f->providers;
    f->config.models = f->models;
    f->config.aliases = f->aliases;
    f->health = remora_health_new();
    assert_non_null(f->health);
    f->now_ns = PLAN_NOW_NS;
    remora_arena_init(&f->arena, 8192, 1 << 20);
    remora_random_seed(&f->random, 1);
    remora_request_init(&f->request);
}

void plan_fixture_fini(struct plan_fixture *f)
{
    remora_arena_fini(&f->arena);
    remora_health_free(f->health);
}

struct remora_provider *plan_provider(struct plan_fixture *f, const char *slug)
{
    size_t at = f->config.provider_count++;
    assert_true(at < PLAN_PROVIDERS);
    struct remora_provider *provider = &f->providers[at];
    *provider = (struct remora_provider){0};
    provider->facts.slug = remora_slice_of(slug);
    provider->facts.wire = REMORA_WIRE_OPENAI;
    provider->facts.data_policy.retention_days = -1;
    provider->needs_credential = true;
    provider->credentials = f->credentials[at];
    provider->credential_count = 1;
    for (size_t i = 0; i < 2; i++) {
        char name[64];
        int length = snprintf(name, sizeof name, "%s|key %zu", slug, i);
        f->credentials[at][i].health =
            remora_health_slot(f->health, remora_slice(name, (size_t)length));
    }
    return provider;
}

struct remora_model *plan_model(struct plan_fixture *f, const char *id)
{
    size_t at = f->config.model_count++;
    assert_true(at < PLAN_MODELS);
    struct remora_model *model = &f->models[at];
    *model = (struct remora_model){0};
    model->facts.id = remora_slice_of(id);
    model->facts.context_length = 8192;
    model->facts.input_modalities = REMORA_MODALITY_TEXT;
    model->facts.output_modalities = REMORA_MODALITY_TEXT;
    model->endpoints = f->endpoints[at];
    return model;
}

struct remora_endpoint *plan_endpoint(struct plan_fixture *f, struct remora_model *model,
                                      const struct remora_provider *provider, const char *tag)
{
    size_t at = model->endpoint_count++;
    assert_true(at < PLAN_ENDPOINTS);
    struct remora_endpoint *endpoint = &f->endpoints[model - f->models][at];
    char name[160];
    int length = snprintf(name, sizeof name, "%s|%.*s", tag, REMORA_SLICE_ARG(model->facts.id));
    *endpoint = (struct remora_endpoint){.provider = provider, .model = model};
    endpoint->health = remora_health_slot(f->health, remora_slice(name, (size_t)length));
    endpoint->facts.provider = provider->facts.slug;
    endpoint->facts.tag = remora_slice_of(tag);
    endpoint->facts.supported = REMORA_PARAMETERS_ALL;
    int64_t *prices = f->prices[model - f->models][at];
    remora_prices_init(&endpoint->facts.prices);
    memcpy(prices, endpoint->facts.prices.pico_usd, sizeof f->prices[0][0]);
    endpoint->facts.prices.pico_usd = prices;
    plan_price(endpoint, REMORA_PRICE_PROMPT, 1000000);
    plan_price(endpoint, REMORA_PRICE_COMPLETION, 2000000);
    return endpoint;
}

void plan_price(struct remora_endpoint *endpoint, enum remora_price price, int64_t pico_usd)
{
    ((int64_t *)(uintptr_t)endpoint->facts.prices.pico_usd)[price] = pico_usd;
}

void plan_alias(struct plan_fixture *f, const char *from, const char *to)
{
    f->aliases[f->config.alias_count++] =
        (struct remora_alias){remora_slice_of(from), remora_slice_of(to)};
}

struct remora_policy *plan_layer(struct plan_fixture *f, enum remora_layer layer)
{
    remora_policy_init(&f->layers[layer]);
    f->stack.layers[layer] = &f->layers[layer];
    return &f->layers[layer];
}

enum remora_code plan_build(struct plan_fixture *f)
{
    const struct remora_plan_input input = {
        .config = &f->config,
        .request = &f->request,
        .stack = &f->stack,
        .health = f->health,
        .random = &f->random,
        .now_ns = f->now_ns,
    };
    remora_arena_reset(&f->arena);
    f->fail = (struct remora_fail)REMORA_FAIL_INIT;
    return remora_plan_build(&input, &f->arena, &f->plan, &f->fail);
}

const char *plan_order(struct plan_fixture *f)
{
    char text[512] = "";
    size_t length = 0;
    for (size_t i = 0; i < f->plan.order_count && length < sizeof text; i++) {
        const struct remora_candidate *candidate = &f->plan.candidates[f->plan.order[i]];
        assert_int_equal(candidate->position, i + 1);
        assert_int_equal(candidate->exclusion.rule, REMORA_RULE_NONE);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%.*s", i == 0 ? "" : " ",
                                   REMORA_SLICE_ARG(candidate->endpoint->facts.tag));
    }
    struct remora_slice copy = remora_arena_copy(&f->arena, remora_slice_of(text));
    assert_non_null(copy.data);
    return copy.data;
}

const struct remora_candidate *plan_candidate(const struct plan_fixture *f, const char *tag)
{
    for (size_t i = 0; i < f->plan.candidate_count; i++) {
        if (remora_slice_is(f->plan.candidates[i].endpoint->facts.tag, tag)) {
            return &f->plan.candidates[i];
        }
    }
    fail_msg("no candidate %s", tag);
    return NULL;
}
