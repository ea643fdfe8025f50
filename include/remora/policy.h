/*
 * Policy: layers of one shape, narrowed from the mesh down to the request, and the rules that remove an endpoint
 * (design/codes.md "Rules that remove an endpoint"). Pure; a layer is immutable once built and belongs
 * to its snapshot or request: any thread that holds that may judge with it.
 */
#ifndef REMORA_POLICY_H
#define REMORA_POLICY_H

#include "remora/base.h"
#include "remora/catalog.h"
#include "remora/codes.h"
#include "remora/preferences.h"
#include "remora/request.h"

/* Numbers are those of proto PolicyLayer; MESH..REQUEST stand in order from the outermost. */
enum remora_layer {
    REMORA_LAYER_UNSET = 0,
    REMORA_LAYER_CATALOG,
    REMORA_LAYER_MESH,
    REMORA_LAYER_NAMESPACE,
    REMORA_LAYER_SERVICE,
    REMORA_LAYER_KEY,
    REMORA_LAYER_REQUEST,
    REMORA_LAYER_HEALTH,
    REMORA_LAYER_COUNT
};
/* "POLICY_LAYER_MESH", as protobuf's JSON has it. */
const char *remora_layer_name(enum remora_layer layer);

struct remora_limits_policy {
    int64_t concurrency;         /* -1 none */
    int64_t requests_per_minute; /* -1 none */
    int64_t tokens_per_minute;   /* -1 none */
};

/* One layer, as the document or a request states it. */
struct remora_policy {
    struct remora_slices models_allow; /* not set: all configured models */
    struct remora_slices models_deny;
    struct remora_slice models_default;
    struct remora_preferences provider;
    struct remora_limits_policy limits;
};
void remora_policy_init(struct remora_policy *policy);

/* The layers of one request, by enum remora_layer; NULL where there is none. */
struct remora_policy_stack {
    const struct remora_policy *layers[REMORA_LAYER_COUNT];
};

/* The stack merged tighten-only where merging has one answer (ARCHITECTURE 8 "Merging the layers"). */
struct remora_policy_effective {
    enum remora_data_collection data_collection; /* never unset: ALLOW unless a layer denies */
    enum remora_tristate allow_fallbacks;        /* YES unless a layer says no */
    enum remora_layer fallbacks_layer;           /* outermost that says no */
    bool keeps_first; /* a layer that says no names no order: the first endpoint and no other */
    enum remora_tristate zdr;
    enum remora_tristate require_parameters;
    enum remora_tristate enforce_distillable_text;
    /* Lists of each layer that states one, for a router behind this one. */
    const struct remora_slices *ignored[REMORA_LAYER_COUNT];
    size_t ignored_count;
    const struct remora_slices *only[REMORA_LAYER_COUNT];
    size_t only_count;
    const struct remora_slices *quantizations[REMORA_LAYER_COUNT];
    size_t quantizations_count;
    const struct remora_slices
        *bound_orders[REMORA_LAYER_COUNT]; /* `order` with allow_fallbacks: false */
    size_t bound_orders_count;
    const struct remora_slices *order; /* of the innermost layer that states it, or NULL */
    enum remora_layer order_layer;
    enum remora_sort sort;
    struct remora_slice models_default;
    struct remora_limits_policy limits;
    int64_t max_price_pico_usd[REMORA_CAP_COUNT]; /* smallest, -1 none */
    int64_t attempt_timeout_ms;                   /* smallest, 0 none */
    int32_t max_attempts;                         /* smallest, 0 none */
};
void remora_policy_merge(const struct remora_policy_stack *stack,
                         struct remora_policy_effective *out);

/* Why an endpoint is out. Order of the table = order in which rules are asked. */
enum remora_rule {
    REMORA_RULE_NONE = 0,
#define REMORA_RULE(name, text, family) REMORA_RULE_##name,
#include "remora/tbl/rules.h"
#undef REMORA_RULE
    REMORA_RULE_COUNT
};
/* "data_policy:training"; for rules with a subject the text up to and with the colon ("max_price:"). */
const char *remora_rule_name(enum remora_rule rule);
/* The code when all endpoints of a model are out by this family: NO_ENDPOINTS, CONSTRAINT_FILTERED and so on. */
enum remora_code remora_rule_family(enum remora_rule rule);

struct remora_exclusion {
    enum remora_rule rule; /* NONE: the endpoint stays */
    enum remora_layer layer;
    const char *subject; /* static: "prompt" of max_price:prompt, a parameter's name; or NULL */
};

/* What stands behind the colon of a model id. Variants that are not built have no value here. */
enum remora_variant { REMORA_VARIANT_STANDARD = 0, REMORA_VARIANT_FREE };

/* A price cap that a layer states. */
struct remora_judge_cap {
    int64_t highest_pico_usd;
    enum remora_price_cap cap;
    enum remora_layer layer;
};

/* What `regions` of one layer asks for: countries by their two letters, a bit for the second. */
struct remora_judge_regions {
    uint32_t countries[26];
    bool has_words; /* regions of clouds and what else is no country */
};

/*
 * The questions of one request, made ready once so that asking them of an endpoint costs tens of nanoseconds. Plain data
 * on the caller's stack; borrows the layers, the request and the model.
 */
struct remora_judge {
    const struct remora_request *request;
    const struct remora_policy
        *layers[REMORA_LAYER_COUNT]; /* those that are there, outermost first */
    enum remora_layer layer_names[REMORA_LAYER_COUNT];
    size_t layer_count;
    struct remora_judge_regions regions[REMORA_LAYER_COUNT]; /* beside `layers` */
    struct remora_judge_cap caps[REMORA_CAP_COUNT * REMORA_LAYER_COUNT];
    size_t cap_count;
    uint32_t rules; /* bit per enum remora_rule that may remove something */
    uint32_t input_modalities;
    uint32_t output_modalities;
    remora_parameter_set asked; /* by the request */
    uint32_t said; /* what messages hold that not every server takes; the policy room's own bits */
    bool has_cache_mark;    /* somewhere in the request, spelt cache_control */
    bool has_explicit_mark; /* spelt prompt_cache_breakpoint */
    uint64_t
        text_bytes; /* a lower bound of what the model has to read, EMBED: of the longest input */
    enum remora_variant variant;
    enum remora_layer
        refused_by; /* whose models.allow or deny refuses the model, where `rules` has that rule */
};
void remora_judge_init(struct remora_judge *judge, const struct remora_policy_stack *stack,
                       const struct remora_request *request);
/* Turns to the endpoints of one model, asked for in this variant. Before the first remora_policy_judge. */
void remora_judge_model(struct remora_judge *judge, const struct remora_model *model,
                        enum remora_variant variant);
/*
 * The first rule that removes the endpoint, over all layers, with the outermost layer that set it. Asks the rules of
 * catalog facts and policy; those that need the whole order (not_in_order) or health belong to the plan.
 */
void remora_policy_judge(const struct remora_judge *judge, const struct remora_endpoint *endpoint,
                         struct remora_exclusion *out);

/*
 * Whether the layers allow this canonical model id at all; *layer (may be NULL): the outermost that says no. A pattern that
 * ends in ":free" speaks of the free variant only, any other of all variants.
 */
bool remora_policy_allows_model(const struct remora_policy_stack *stack, struct remora_slice model,
                                enum remora_variant variant, enum remora_layer *layer);

#endif
