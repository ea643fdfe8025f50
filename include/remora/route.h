/*
 * The plan: names are resolved, policy and health are asked, what is left is put in order. Pure: time, randomness and
 * health are arguments; on the thread of the worker that owns the request. Made once per request; lies in the request arena, released at COMMITTED.
 */
#ifndef REMORA_ROUTE_H
#define REMORA_ROUTE_H

#include "remora/attempt.h"
#include "remora/base.h"
#include "remora/clock.h"
#include "remora/config.h"
#include "remora/health.h"
#include "remora/policy.h"
#include "remora/request.h"

struct remora_candidate {
    const struct remora_endpoint *endpoint;
    uint16_t model;    /* index into plan->models */
    uint16_t position; /* 1 is tried first, continuous over all models; 0: out */
    uint16_t behind; /* HEALTH exclusions: the position that it stood behind, 0: the first place */
    struct remora_exclusion exclusion;
    uint64_t until_ns; /* HEALTH exclusions: when it may be well again; else 0 */
};

struct remora_plan_model {
    struct remora_slice asked;    /* as the caller spelt it */
    struct remora_slice resolved; /* canonical id; empty when unknown */
    enum remora_code code;        /* REMORA_OK, or why no endpoint of it can be tried */
    uint16_t first;               /* its candidates: [first, first + count) */
    uint16_t count;
    uint16_t usable;
};

struct remora_plan {
    struct remora_plan_model *models;
    size_t model_count;
    struct remora_candidate *candidates; /* all that were looked at, grouped by model */
    size_t candidate_count;
    const uint16_t *order; /* indexes of candidates, in the order in which they are tried */
    size_t order_count;    /* as planned: remora_plan_pass_over takes none away */
    struct remora_policy_effective policy;
};

/* Everything a strategy may look at. Of a shortlist health and random are NULL: nobody is sent anywhere. */
struct remora_strategy_input {
    const struct remora_request *request;
    const struct remora_policy_effective *policy;
    const struct remora_candidate *candidates;
    const struct remora_health *health;
    struct remora_random *random;
    uint64_t now_ns;
};
/*
 * A way of ordering one model's usable candidates in place. Pure; one per file; adding one is a row in the table of
 * src/route/strategy.c. Today: "order" (the list, then the rest as written, then by price).
 */
struct remora_strategy {
    const char *name;
    void (*sort)(const struct remora_strategy_input *input, uint16_t *order, size_t count);
};
const struct remora_strategy *remora_strategy_for(const struct remora_policy_effective *policy);

struct remora_plan_input {
    const struct remora_config *config;
    const struct remora_request *request;
    const struct remora_policy_stack *stack; /* REQUEST included */
    const struct remora_health *health;
    struct remora_random *random;
    uint64_t now_ns;
};

/*
 * REMORA_OK with at least one in `order`; else the code of codes.md for what left nothing, with *out filled all the same
 * (its candidates say why) and fail->message naming the rules. INVALID_REQUEST when no model is named and no layer has a
 * default, when reasoning is to be off and every endpoint left always reasons, or for a provider slug or tag in the request's order, only or ignore that nobody has (with "did you mean");
 * UNIMPLEMENTED for variants that are not built; SHEDDING while a policy file of the configuration is absent; out->policy is filled even
 * then.
 *
 * Endpoints and keys in PROBE count as usable: whoever tries them claims the probe first (health.h).
 */
REMORA_MUST_CHECK enum remora_code remora_plan_build(const struct remora_plan_input *input,
                                                     struct remora_arena *arena,
                                                     struct remora_plan *out,
                                                     struct remora_fail *fail);

/* Whether a code of remora_plan_build stands for a plan, be it one that leaves nothing; false: the request itself is refused. */
bool remora_plan_is_made(enum remora_code code);

/*
 * What a caller may use of a model, whatever its health: what the plan of a request that asks for nothing would try, in its
 * order, one model after another. Borrows the stack; not to be moved or copied once it is made.
 */
struct remora_shortlist {
    struct remora_request request;
    struct remora_policy_effective policy;
    struct remora_judge judge;
    struct remora_candidate
        *candidates; /* of the model: all that were looked at, with why they are out */
    uint16_t *order; /* indexes of candidates that stay, in the order in which they are tried */
    size_t room;
    size_t count;
    size_t usable;
};
/*
 * Of the layers that the stack has (one for REQUEST narrows further). Room for models of so many endpoints, at most
 * REMORA_LIMIT_CANDIDATES. The arena's code where it is full.
 */
REMORA_MUST_CHECK enum remora_code remora_shortlist_init(struct remora_shortlist *list,
                                                         const struct remora_policy_stack *stack,
                                                         size_t room, struct remora_arena *arena);
/* Turns to a model, as it is asked for in this variant. Of more endpoints than there is room for the first. */
void remora_shortlist_model(struct remora_shortlist *list, const struct remora_model *model,
                            enum remora_variant variant);
static inline const struct remora_endpoint *remora_shortlist_at(const struct remora_shortlist *list,
                                                                size_t place)
{
    return list->candidates[list->order[place]].endpoint;
}

/* A rule by which candidates are out, and how many. */
struct remora_rule_count {
    struct remora_exclusion exclusion; /* with the layer of the first of them */
    size_t count;
};
#define REMORA_RULES_TOLD 32
/*
 * The distinct rules (with their subjects) among candidates that are out, in the order of the first by each; how many are in
 * `out`. Further ones than it holds are left out. One pass.
 */
size_t remora_plan_rules(const struct remora_candidate *candidates, size_t count,
                         struct remora_rule_count out[REMORA_RULES_TOLD]);

/* ---- a plan while it is carried out: by whoever owns it ---- */

/*
 * A candidate of the order (index into candidates) whose turn has come and that health has taken out since the plan was
 * made: it is out from now on, as if the plan had found it so, and those behind it move up.
 */
void remora_plan_pass_over(struct remora_plan *plan, size_t candidate, enum remora_rule rule,
                           uint64_t until_ns);
/* The rule by which a condition takes out; NONE for WELL and PROBE. */
enum remora_rule remora_condition_rule(enum remora_condition condition);
/* How many candidates are not out. */
size_t remora_plan_usable(const struct remora_plan *plan);
/*
 * Why a plan of which nothing is left cannot be carried out: the code and the words that remora_plan_build would find for it
 * now. Only where no model has a candidate left.
 */
enum remora_code remora_plan_verdict(const struct remora_plan *plan, uint64_t now_ns,
                                     struct remora_fail *fail);
/*
 * CAPACITY_EXHAUSTED or UPSTREAM_OVERLOADED, with the time of the first that comes back, when candidates that were not
 * tried rest and time alone brings them back; else REMORA_OK and *fail untouched.
 */
enum remora_code remora_plan_rest(const struct remora_plan *plan, uint64_t now_ns,
                                  struct remora_fail *fail);
/*
 * What was passed over before `served` (NULL: of the whole plan): candidates that health took out and models of which
 * nothing may be tried, in the order of models. Writes the first REMORA_SKIPPED_MAX, returns how many there are. What a
 * failed attempt rules out (a smaller window, the same provider, the attempts) is told by that attempt.
 */
size_t remora_plan_skipped(const struct remora_plan *plan, const struct remora_endpoint *served,
                           struct remora_skipped out[REMORA_SKIPPED_MAX]);

/*
 * A model id as the service may write it -> a model and its variant: exact id, alias, or bare id that is unique among what
 * it may use. MODEL_NOT_FOUND: unknown (with "did you mean": of what it may use, else of what the catalog has) or ambiguous (with the candidates); NO_ENDPOINTS: in the
 * catalog, but nobody configured serves it; UNIMPLEMENTED: a variant, router name or `~...-latest`, not built.
 */
REMORA_MUST_CHECK enum remora_code
remora_resolve_model(const struct remora_config *config, const struct remora_policy_stack *stack,
                     struct remora_slice asked, const struct remora_model **out,
                     enum remora_variant *variant, struct remora_fail *fail);

/* The model of the configuration that a name means whatever any policy says, for who tells of a request that is refused; or NULL. */
const struct remora_model *remora_model_named(const struct remora_config *config,
                                              struct remora_slice asked);

#endif
