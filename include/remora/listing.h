/*
 * The catalog as one caller sees it: OpenRouter's GET endpoints (openrouter.md 1.2, 15; its OpenAPI document), and only what
 * the caller may use now. A model or endpoint is there when the plan of a request that asks for nothing would try it;
 * endpoints that rest (429, open breaker) stay, with another `status`. Pure, on the thread that holds the
 * snapshot; results go to the buffer, which carries failure of memory.
 *
 * Unknown members of a query are ignored. INVALID_REQUEST names the member whose value is wrong, UNIMPLEMENTED one that
 * OpenRouter documents and we cannot answer (benchmarks, popularity, categories).
 */
#ifndef REMORA_LISTING_H
#define REMORA_LISTING_H

#include "remora/buf.h"
#include "remora/codes.h"
#include "remora/config.h"
#include "remora/health.h"
#include "remora/memory.h"
#include "remora/policy.h"

struct remora_listing {
    const struct remora_config *config;
    const struct remora_policy_stack *stack; /* of the caller, REQUEST left NULL */
    const struct remora_health *health;
    struct remora_arena *arena; /* of this answer */
    struct remora_slice base;   /* "/v1" or "/api/v1": what links begin with */
    struct remora_slice path;   /* as asked, for the link to the next page */
    struct remora_slice query;  /* behind the '?', as sent */
    uint64_t now_ns;
};

/* A model that may be used, in one variant: what both fronts write in their own fields. */
struct remora_listed {
    const struct remora_model *model;
    const struct remora_endpoint *top; /* the first that would be tried */
    remora_parameter_set supported;    /* by any that may be used */
    bool is_hosted;                    /* by a provider that the query names, if it names any */
    enum remora_variant variant;
};
/* Everything that the query asks for, in its order (without one: by id, standard before free), not paged. In the arena. */
REMORA_MUST_CHECK enum remora_code remora_listing_collect(const struct remora_listing *listing,
                                                          const struct remora_listed **out,
                                                          size_t *count, struct remora_fail *fail);
/*
 * One model. MODEL_NOT_FOUND (param "model") with "did you mean" for an unknown id, NO_ENDPOINTS, MODEL_NOT_ALLOWED or the
 * family of the first rule where nothing of it may be used.
 */
REMORA_MUST_CHECK enum remora_code remora_listing_find(const struct remora_listing *listing,
                                                       struct remora_slice asked,
                                                       struct remora_listed *out,
                                                       struct remora_fail *fail);
/* Its endpoints that may be used, in the order in which they are tried. In the arena, which carries failure. */
size_t remora_listed_endpoints(const struct remora_listing *listing,
                               const struct remora_listed *listed,
                               const struct remora_endpoint *const **out);
/* "author/slug" or "author/slug:free"; the name for people, its id where it has none. In the arena or the snapshot. */
struct remora_slice remora_listed_id(struct remora_arena *arena,
                                     const struct remora_model_facts *facts,
                                     enum remora_variant variant);
struct remora_slice remora_listed_name(struct remora_arena *arena,
                                       const struct remora_model_facts *facts,
                                       enum remora_variant variant);
/* Tokens of prompt and answer together, 0 not known: the endpoint's own or the model's. */
int64_t remora_listed_window(const struct remora_endpoint *endpoint);
/* Of a set of REMORA_MODALITY_ bits what is told: text, where nobody has said what a model reads. */
uint32_t remora_listed_set(uint32_t set);
/* Names of a set of REMORA_MODALITY_ bits or of parameters, as OpenRouter spells them; how many were written. */
#define REMORA_LISTED_NAMES_MOST (REMORA_PARAMETER_COUNT + 1)
size_t remora_listed_modalities(uint32_t set,
                                struct remora_slice names[static REMORA_LISTED_NAMES_MOST]);
size_t remora_listed_parameters(remora_parameter_set set,
                                struct remora_slice names[static REMORA_LISTED_NAMES_MOST]);

/* The shape of all calls below. `asked`: a model id as a request may spell it, where the path holds one; else empty. */
typedef enum remora_code (*remora_listing_fn)(const struct remora_listing *listing,
                                              struct remora_slice asked, struct remora_buf *out,
                                              struct remora_fail *fail);

/* GET models and models/user: sorted, filtered, paged. */
REMORA_MUST_CHECK enum remora_code remora_listing_models(const struct remora_listing *listing,
                                                         struct remora_slice asked,
                                                         struct remora_buf *out,
                                                         struct remora_fail *fail);
/* GET models/count: how many the same query lists. */
REMORA_MUST_CHECK enum remora_code remora_listing_count(const struct remora_listing *listing,
                                                        struct remora_slice asked,
                                                        struct remora_buf *out,
                                                        struct remora_fail *fail);
/*
 * GET models/{author}/{slug} (bare) and model/{author}/{slug} (data). NOT_FOUND with "did you mean" for an unknown id,
 * NO_ENDPOINTS, MODEL_NOT_ALLOWED or the family of the first rule where nothing of it may be used.
 */
REMORA_MUST_CHECK enum remora_code remora_listing_model(const struct remora_listing *listing,
                                                        struct remora_slice asked,
                                                        struct remora_buf *out,
                                                        struct remora_fail *fail);
REMORA_MUST_CHECK enum remora_code remora_listing_model_data(const struct remora_listing *listing,
                                                             struct remora_slice asked,
                                                             struct remora_buf *out,
                                                             struct remora_fail *fail);
/* GET models/{author}/{slug}/endpoints: in the order in which they are tried. Codes as above. */
REMORA_MUST_CHECK enum remora_code remora_listing_endpoints(const struct remora_listing *listing,
                                                            struct remora_slice asked,
                                                            struct remora_buf *out,
                                                            struct remora_fail *fail);
/* GET providers: those that serve something here. */
REMORA_MUST_CHECK enum remora_code remora_listing_providers(const struct remora_listing *listing,
                                                            struct remora_slice asked,
                                                            struct remora_buf *out,
                                                            struct remora_fail *fail);
/* GET endpoints/zdr: what is left when a request says `provider.zdr`. */
REMORA_MUST_CHECK enum remora_code remora_listing_zdr(const struct remora_listing *listing,
                                                      struct remora_slice asked,
                                                      struct remora_buf *out,
                                                      struct remora_fail *fail);

#endif
