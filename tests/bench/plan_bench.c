/*
 * What one plan costs: one model with 45 endpoints of 15 providers, four layers of policy, a request that asks for tools.
 * Then the same with what a service may ask for besides: places, long lists of providers, parameters that nobody may drop.
 * Prints the fastest and the median of many rounds (of as many as the argument says). Not a test: build/tests/bench/plan_bench. Instructions, which
 * a busy machine does not change: valgrind --tool=callgrind --toggle-collect=remora_plan_build build/tests/bench/plan_bench 1. The exit status is 1 where
 * the fastest takes more than 5 us in a release build (design, "Plan at most 5 us for 45 endpoints").
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "plan_fixture.h"
#include "remora/text.h"

enum { ENDPOINTS = 45, PROVIDERS = 15, ROUNDS = 401, PLANS = 500 };

static struct plan_fixture f;
static char names[PROVIDERS][16];
static char tags[ENDPOINTS][24];

static void build_world(void)
{
    plan_fixture_init(&f);
    for (size_t i = 0; i < PROVIDERS; i++) {
        snprintf(names[i], sizeof names[i], "provider-%zu", i);
        struct remora_provider *provider = plan_provider(&f, names[i]);
        provider->facts.data_policy.training = i % 5 == 4 ? REMORA_UNSET : REMORA_NO;
        provider->facts.headquarters = S("DE");
    }
    plan_model(&f, "acme/a");
    struct remora_model *model = plan_model(&f, "acme/echo-1");
    for (size_t i = 0; i < ENDPOINTS; i++) {
        snprintf(tags[i], sizeof tags[i], "%s/%zu", names[i % PROVIDERS], i / PROVIDERS);
        struct remora_endpoint *endpoint =
            plan_endpoint(&f, model, &f.providers[i % PROVIDERS], tags[i]);
        endpoint->facts.quantization = S("fp8");
        plan_price(endpoint, REMORA_PRICE_PROMPT, (int64_t)(i + 1) * 100000);
    }
}

static void narrow(struct remora_preferences *mesh, struct remora_preferences *service)
{
    mesh->data_collection = REMORA_DATA_DENY;
    service->max_price_pico_usd[REMORA_CAP_PROMPT] = 4000000;
    service->max_price_pico_usd[REMORA_CAP_COMPLETION] = 20000000;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t round_count = ROUNDS;

/* Sorted: the first is what the machine can do, the middle what it did while it was busy. */
static const uint64_t *measure(void)
{
    static uint64_t rounds[ROUNDS];
    const struct remora_clock *clock = remora_clock_system();
    for (size_t round = 0; round < round_count; round++) {
        uint64_t began_ns = clock->now_ns(clock);
        for (size_t i = 0; i < PLANS; i++) {
            if (plan_build(&f) != REMORA_OK) {
                abort();
            }
        }
        rounds[round] = (clock->now_ns(clock) - began_ns) / PLANS;
    }
    qsort(rounds, round_count, sizeof rounds[0], by_value);
    return rounds;
}

static int status;

static void report(const char *what)
{
    const uint64_t *rounds = measure();
    printf("%s: fastest %llu ns, median %llu ns (%zu of 45 in order)\n", what,
           (unsigned long long)rounds[0], (unsigned long long)rounds[round_count / 2],
           f.plan.order_count);
    status |= rounds[0] > 5000 ? 1 : 0;
}

/* As long as a list may be, and as a document with it would have it. */
static struct remora_slices many(struct remora_arena *arena, size_t count)
{
    static char texts[REMORA_LIMIT_PROVIDERS_LISTED][32];
    static struct remora_slice items[REMORA_LIMIT_PROVIDERS_LISTED];
    struct remora_slices list = {.items = items, .count = count, .is_set = true};
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "somebody-%zu", i);
        items[i] = remora_slice_of(texts[i]);
    }
    if (remora_names_index(&list, arena) != REMORA_OK) {
        abort();
    }
    return list;
}

static void report_places(struct remora_preferences *service)
{
    service->regions = LIST(S("eu"));
    report("regions of one");
    service->regions = LIST(S("us"), S("gb"), S("ch"), S("eu"), S("asia"));
    report("regions of five");
    service->regions = (struct remora_slices){0};
}

static void report_lists(struct remora_preferences *service)
{
    struct remora_arena arena;
    remora_arena_init(&arena, 4096, 1 << 20);
    const struct remora_slices order = service->order;
    service->ignore = many(&arena, 8);
    report("8 ignored");
    service->ignore = many(&arena, REMORA_LIMIT_PROVIDERS_LISTED);
    report("64 ignored");
    service->ignore = (struct remora_slices){0};
    service->order = many(&arena, REMORA_LIMIT_PROVIDERS_LISTED);
    report("order of 64");
    service->order = order;
    remora_arena_fini(&arena);
}

static void report_required(struct remora_preferences *service)
{
    service->require_parameters = REMORA_YES;
    for (int i = 0; i < 12; i++) {
        remora_request_ask(&f.request, (enum remora_parameter)i);
    }
    report("require_parameters, 12 asked");
}

int main(int argc, char **argv)
{
    uint64_t wanted = 0;
    if (argc > 1 && remora_parse_u64(remora_slice_of(argv[1]), &wanted) && wanted > 0 &&
        wanted <= ROUNDS) {
        round_count = (size_t)wanted;
    }
    build_world();
    f.request.model = S("acme/echo-1");
    report("no layers");
    struct remora_policy *service = plan_layer(&f, REMORA_LAYER_SERVICE);
    narrow(&plan_layer(&f, REMORA_LAYER_MESH)->provider, &service->provider);
    plan_layer(&f, REMORA_LAYER_NAMESPACE);
    service->models_allow = LIST(S("beta/*"), S("acme/*"));
    service->provider.order = LIST(S("provider-3"), S("provider-7"));
    struct remora_slices ignore = LIST(S("provider-9"));
    plan_layer(&f, REMORA_LAYER_REQUEST)->provider.ignore = ignore;
    remora_request_ask(&f.request, REMORA_PARAMETER_TEMPERATURE);
    remora_request_ask(&f.request, REMORA_PARAMETER_TOOLS);
    report("four layers");
    report_places(&service->provider);
    report_lists(&service->provider);
    report_required(&service->provider);
    plan_fixture_fini(&f);
    return status;
}
