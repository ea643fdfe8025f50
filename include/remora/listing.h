/*
 * The catalog as one caller sees it: OpenRouter's GET endpoints (openrouter.md 1.2, 15; its OpenAPI document), and only what
 * the caller may use now. A model or endpoint is there when policy judges a request that asks for nothing and leaves it;
 * endpoints that rest (429, open breaker) stay, with another `status`. Pure; results go to the buffer, which carries
 * failure of memory.
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
