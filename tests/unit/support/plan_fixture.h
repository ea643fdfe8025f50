/* A configuration as plain structs, for tests of policy and route: no document, no files, no clock. */
#ifndef REMORA_TEST_PLAN_FIXTURE_H
#define REMORA_TEST_PLAN_FIXTURE_H

#include "remora/config.h"
#include "remora/health.h"
#include "remora/memory.h"
#include "remora/route.h"

enum { PLAN_PROVIDERS = 16, PLAN_MODELS = 12, PLAN_ENDPOINTS = 64 };

#define PLAN_NOW_NS (UINT64_C(1000) * REMORA_NS_PER_S)

struct plan_fixture {
    struct remora_provider providers[PLAN_PROVIDERS];
    struct remora_credential credentials[PLAN_PROVIDERS][2];
    struct remora_model models[PLAN_MODELS];
    struct remora_endpoint endpoints[PLAN_MODELS][PLAN_ENDPOINTS];
    int64_t prices[PLAN_MODELS][PLAN_ENDPOINTS][REMORA_PRICE_COUNT]; /* of the endpoints */
    struct remora_alias aliases[8];
    struct remora_config config;
    struct remora_policy layers[REMORA_LAYER_COUNT];
    struct remora_policy_stack stack;
    struct remora_request request;
    struct remora_health *health;
    struct remora_arena arena;
    struct remora_random random;
    uint64_t now_ns;
    struct remora_plan plan;
    struct remora_fail fail;
};

/* A list for a policy; lives as long as the block that it stands in. */
#define LIST(...)                                                                   \
    ((struct remora_slices){.items = (const struct remora_slice[]){__VA_ARGS__},    \
                            .count = sizeof((struct remora_slice[]){__VA_ARGS__}) / \
                                     sizeof(struct remora_slice),                   \
                            .is_set = true})
#define S(text) REMORA_SLICE(text)

/* Nothing in it: no providers, no models, an empty request, no layers. */
void plan_fixture_init(struct plan_fixture *f);
void plan_fixture_fini(struct plan_fixture *f);
/* Speaks the wire "openai", has one key, nothing known of its data policy. */
struct remora_provider *plan_provider(struct plan_fixture *f, const char *slug);
/* Text in, text out, 8,192 tokens. To be added in order of ids, as a snapshot has them. */
struct remora_model *plan_model(struct plan_fixture *f, const char *id);
/* Takes every parameter, 1 and 2 USD per million tokens. */
struct remora_endpoint *plan_endpoint(struct plan_fixture *f, struct remora_model *model,
                                      const struct remora_provider *provider, const char *tag);
/* Sets a price of an endpoint of the fixture, which has a list of its own. */
void plan_price(struct remora_endpoint *endpoint, enum remora_price price, int64_t pico_usd);
void plan_alias(struct plan_fixture *f, const char *from, const char *to);
/* The layer, empty and in the stack. */
struct remora_policy *plan_layer(struct plan_fixture *f, enum remora_layer layer);
/* Plans f->request; a plan made before is gone. */
enum remora_code plan_build(struct plan_fixture *f);
/* The tags in order, joined by blanks. */
const char *plan_order(struct plan_fixture *f);
/* The candidate of this tag, of the first model that has one; fails the test when there is none. */
const struct remora_candidate *plan_candidate(const struct plan_fixture *f, const char *tag);

#endif
