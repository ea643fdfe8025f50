/*
 * Providers, models, endpoints: as facts of the shipped catalog and, completed by the operator's configuration, as parts
 * of a snapshot. Routing picks endpoints, not providers.
 *
 * The shipped catalog is read-only data of the program (offsets, no relocations); looking something up copies facts out.
 * Slices of facts point into that data and live for ever. Any thread.
 */
#ifndef REMORA_CATALOG_H
#define REMORA_CATALOG_H

#include "remora/base.h"
#include "remora/memory.h"
#include "remora/preferences.h"
#include "remora/request.h"
#include "remora/usage.h"

enum remora_wire {
#define REMORA_WIRE(name, kind, built) REMORA_WIRE_##name,
#include "remora/tbl/wires.h"
#undef REMORA_WIRE
    REMORA_WIRE_COUNT
};
const char *remora_wire_name(enum remora_wire wire);
bool remora_wire_is_built(enum remora_wire wire);
/* REMORA_WIRE_COUNT when there is no such kind. */
enum remora_wire remora_wire_by_name(struct remora_slice kind);

/* Three-valued: unknown counts as "may train, retains" (OpenRouter's rule; catalog README). */
struct remora_data_policy {
    enum remora_tristate training;
    enum remora_tristate retains_prompts;
    enum remora_tristate zdr;
    int32_t retention_days; /* -1 unknown */
};

/* Milliseconds; 0 inherits from the next wider scope (endpoint, model, provider, document). */
struct remora_deadlines {
    int64_t connect_ms;
    int64_t first_byte_ms;
    int64_t response_ms;
    int64_t idle_ms;
    int64_t total_ms;
};

struct remora_provider_facts {
    struct remora_slice slug;
    struct remora_slice name;
    struct remora_slice dialect; /* row of the adapter's dialect table */
    struct remora_slice
        base_url; /* with the version segment, no trailing slash; may hold ${ENV} in the catalog */
    struct remora_slice api_key_env;  /* conventional key variable, or empty */
    struct remora_slice headquarters; /* ISO 3166-1 alpha-2, or empty */
    enum remora_wire wire;
    bool is_local;  /* a server on the own machine: needs no key */
    bool is_router; /* the catalog knows that others serve behind it */
    struct remora_data_policy data_policy;
};

/* Which parameters an endpoint takes: bit per enum remora_parameter. */
typedef uint64_t remora_parameter_set;
#define REMORA_PARAMETERS_ALL UINT64_MAX
static inline bool remora_parameter_set_has(remora_parameter_set set, enum remora_parameter p)
{
    return (set >> (unsigned)p & 1u) != 0;
}

/* Servers that speak OpenAI's chat completions, each in its way. */
enum remora_dialect {
#define REMORA_DIALECT(name, ...) REMORA_DIALECT_##name,
#include "remora/tbl/dialects.h"
#undef REMORA_DIALECT
    REMORA_DIALECT_COUNT
};
const char *remora_dialect_name(enum remora_dialect dialect);
/* REMORA_DIALECT_COUNT when there is no such name. */
enum remora_dialect remora_dialect_by_name(struct remora_slice name);
/* The dialect of a provider of that wire: GENERIC for an unknown name, and for "openai" of anybody but OpenAI itself. */
enum remora_dialect remora_dialect_of(const struct remora_provider_facts *provider);
/* Whether the server that answers is another's, which nobody here knows: a router of the catalog, or one by its dialect. */
bool remora_routes_further(const struct remora_provider_facts *provider);
/* The parameters that its servers do not take, whatever the facts of an endpoint say. */
remora_parameter_set remora_dialect_refused(enum remora_dialect dialect);
/* Whether fields that no table here names go on as they came; `supported` is the endpoint's list. */
bool remora_dialect_takes_anything(enum remora_dialect dialect, remora_parameter_set supported);
/* What its servers call a mark for the prompt cache, static; NULL: they take none. `is_explicit`: spelt as a breakpoint. */
const char *remora_dialect_cache_mark(enum remora_dialect dialect, bool is_explicit);
/* Whether that one of them does; fields that the gateway writes itself do not go on from a caller. */
bool remora_dialect_takes_field(enum remora_dialect dialect, remora_parameter_set supported,
                                struct remora_slice name);
/* Those: what a body has already, so that a further field of the same name would make it say two things. */
bool remora_dialect_writes_field(enum remora_dialect dialect, struct remora_slice name);
/* Of further fields: one that says how the model is to reason, in some server's words. */
bool remora_is_reasoning_field(struct remora_slice name);
/* Whether a request can switch reasoning off and on there, or off alone, without an effort. */
bool remora_dialect_has_switch(enum remora_dialect dialect, bool is_off);
struct remora_endpoint_facts;
/* Whether a request can say that there be no reasoning, by that switch or by the effort "none" where the endpoint knows it. */
bool remora_dialect_says_off(enum remora_dialect dialect,
                             const struct remora_endpoint_facts *endpoint);
/* Whether that kind of response format has a word there; text, JSON and a JSON Schema have one everywhere. */
bool remora_dialect_takes_format(enum remora_dialect dialect, remora_parameter_set supported,
                                 enum remora_format_kind kind);
/* Whether `structured_outputs` has a word there without a JSON Schema as the response format. */
bool remora_dialect_takes_structured_flag(enum remora_dialect dialect);
/* Whether it routes further or serves what the operator says: words that few servers know go on as they came. */
bool remora_dialect_is_open(enum remora_dialect dialect, remora_parameter_set supported);
/*
 * What its servers have no word for of a wish for reasoning: "reasoning.max_tokens" and the like, static; NULL: nothing is
 * lost. `answer_tokens`: how many the answer may have, 0 unknown. An effort that an endpoint does not have is not lost, it
 * becomes the nearest.
 */
const char *remora_dialect_reasoning_lost(enum remora_dialect dialect,
                                          const struct remora_endpoint_facts *endpoint,
                                          const struct remora_reasoning_options *reasoning,
                                          int64_t answer_tokens);

/* How reasoning of earlier turns goes back. */
enum remora_echo {
    REMORA_ECHO_NONE,
    REMORA_ECHO_CONTENT, /* reasoning_content: text */
    REMORA_ECHO_FIELD,   /* reasoning: text */
    REMORA_ECHO_DETAILS, /* reasoning_details: blocks with signatures */
    REMORA_ECHO_ANY,     /* details where there is something opaque, else reasoning_content */
};
/* What of an assistant's earlier messages its servers take, besides text, refusals and calls. */
struct remora_dialect_history {
    enum remora_echo reasoning;
    bool takes_annotations; /* `annotations` and `images`, and of sound all that the answer held */
    bool takes_images;
    bool
        signs_calls; /* Gemini's signatures go on their calls, as at Google's own openai-chat wire: ECHO_ANY alone */
    const char *mark; /* the member that marks a beginning to go on from, or NULL */
};
const struct remora_dialect_history *remora_dialect_history(enum remora_dialect dialect);
/* Whether earlier reasoning is lost there, or that of it which is more than text (`is_opaque`). */
bool remora_echo_loses(enum remora_echo echo, bool is_opaque);

/* Input and output kinds, bit per value. */
enum remora_modality {
    REMORA_MODALITY_TEXT = 1,
    REMORA_MODALITY_IMAGE = 2,
    REMORA_MODALITY_AUDIO = 4,
    REMORA_MODALITY_VIDEO = 8,
    REMORA_MODALITY_FILE = 16,
    REMORA_MODALITY_EMBEDDINGS = 32,
    REMORA_MODALITY_UNSTATED =
        64, /* inputs only: nobody has said; requests of every kind go there */
};

struct remora_endpoint_facts {
    struct remora_slice provider; /* slug */
    struct remora_slice tag;      /* unique within the model: provider[/region|variant] */
    struct remora_slice upstream_model;
    struct remora_slice quantization; /* empty: unknown */
    struct remora_slice region; /* "eu", "us-east5"; empty: only the provider's country is known */
    struct remora_prices prices;
    int64_t context_length;        /* tokens, 0 unknown */
    int64_t max_prompt_tokens;     /* 0 unknown */
    int64_t max_completion_tokens; /* 0 unknown */
    remora_parameter_set supported;
    remora_effort_set
        efforts; /* of reasoning; 0: not known; NONE alone: it has a switch or a budget, and no effort */
    bool lacks_budget;   /* of reasoning tokens: its list has none */
    bool always_reasons; /* it cannot be switched off */
    bool is_free;        /* belongs to model:free only */
    bool stream_only;    /* answers no call but a stream; the catalog knows of none */
    char country[3];     /* of `region`, by remora_place_country */
};
/* Whether its reasoning has no degree that an effort could say. */
static inline bool remora_endpoint_lacks_effort(const struct remora_endpoint_facts *endpoint)
{
    return endpoint->efforts == remora_effort_bit(REMORA_EFFORT_NONE);
}

/*
 * Where an endpoint speaks another wire or lives at another address than its provider, as the catalog spells it
 * ("anthropic", "vertex-anthropic"); else empty. A snapshot resolves both: endpoint->provider is then a provider of the same
 * slug with that wire and address.
 */
struct remora_endpoint_override {
    struct remora_slice wire;
    struct remora_slice base_url;
};

struct remora_model_facts {
    struct remora_slice id; /* author/slug */
    struct remora_slice name;
    struct remora_slice author;
    struct remora_slice
        canonical_slug;            /* the permanent name (openrouter.md section 6); often the id */
    struct remora_slice tokenizer; /* OpenRouter's group name ("GPT"), or empty */
    struct remora_slice knowledge_cutoff; /* "2024-10-01" or "2024-10", or empty */
    struct remora_slice expiration_date;  /* "2026-05-15": it may be gone after that; or empty */
    int64_t created_unix_s;
    int64_t context_length;
    uint32_t input_modalities;
    uint32_t output_modalities;
    uint32_t endpoint_count;
    enum remora_tristate distillable; /* the author allows training other models on its answers */
    remora_parameter_set supported;   /* union of what its endpoints take */
};
/* Whether it may have to do with sound, heard or spoken: true where nothing is known. */
bool remora_model_has_sound(const struct remora_model_facts *model);

/*
 * The country of a place, ISO 3166-1 alpha-2 in capitals with a NUL behind it: of a region of a cloud by the table
 * (tbl/places.h, where its sources stand), of two letters themselves. Empty for all else: "global", a region that the table
 * does not know. "eu" stays "EU".
 */
void remora_place_country(struct remora_slice place, char country[3]);

/* The shipped catalog. Indexes are stable for the life of the program. */
size_t remora_catalog_provider_count(void);
void remora_catalog_provider(size_t index, struct remora_provider_facts *out);
/* False when there is none of this slug. */
bool remora_catalog_find_provider(struct remora_slice slug, struct remora_provider_facts *out);
size_t remora_catalog_model_count(void);
void remora_catalog_model(size_t index, struct remora_model_facts *out);
/* By id; *index is written only when found. */
bool remora_catalog_find_model(struct remora_slice id, size_t *index);
/* Endpoint `at` (< endpoint_count) of a model; its prices are the catalog's own, price tiers are copied into the arena, which may be
 * full (TOO_LARGE) or get no memory (SHEDDING). */
REMORA_MUST_CHECK enum remora_code remora_catalog_endpoint(size_t model_index, size_t at,
                                                           struct remora_arena *arena,
                                                           struct remora_endpoint_facts *out);
void remora_catalog_endpoint_override(size_t model_index, size_t at,
                                      struct remora_endpoint_override *out);
/* Whether its provider has ended it, or is about to. */
bool remora_catalog_endpoint_is_deprecated(size_t model_index, size_t at);
/* Its tag, without copying the rest out. */
struct remora_slice remora_catalog_endpoint_tag(size_t model_index, size_t at);
/* The provider (index) of an endpoint, without copying the rest out. */
size_t remora_catalog_endpoint_provider(size_t model_index, size_t at);
/* Whether any endpoint of any model has this tag. */
bool remora_catalog_has_tag(struct remora_slice tag);
/* How many shipped prices have more than 12 decimal places and were rounded (ARCHITECTURE 7). */
size_t remora_catalog_rounded_prices(void);
/* "2026-11-21": the day that the catalog's facts are of. */
const char *remora_catalog_version(void);
/* That day's beginning, UTC, in unix seconds. */
int64_t remora_catalog_unix_s(void);

/* ---- in a snapshot ---- */

struct remora_header {
    struct remora_slice name;
    struct remora_slice value;          /* or: what stands before the secret, as "Bearer " */
    const struct remora_secret *secret; /* NULL: value is all */
};

/* How a credential is come by: as it stands here, or from somebody who is shown what stands here (adapter->needs). */
enum remora_credential_source {
    REMORA_CREDENTIAL_STATED,
    REMORA_CREDENTIAL_SERVICE_ACCOUNT, /* `secret` signs for the account `key_id`, `url` gives a token for that */
    REMORA_CREDENTIAL_WEB_IDENTITY, /* `secret` is shown to `url`, which gives the keys of `role` */
    REMORA_CREDENTIAL_HOST, /* a service of the cloud's host, or of the container at `url` with `secret` if it wants one */
};

/* One key of a provider. Several stand in the order in which they are tried. */
struct remora_credential {
    enum remora_credential_source source;
    struct remora_slice name; /* what the operator calls it: the variable or file; never the key */
    struct remora_secret *secret;
    /* Credentials of several parts (AWS: access key id, secret key, session token): what stands beside `secret`. */
    struct remora_slice key_id;
    struct remora_secret *session_token;
    struct remora_slice url;  /* of the operator or the catalog; empty: as the wire knows it */
    struct remora_slice role; /* its ARN, or the account that is impersonated; empty: none */
    uint32_t health;          /* slot in struct remora_health */
};

struct remora_provider {
    struct remora_provider_facts facts;
    const struct remora_header *headers; /* the operator's extra ones */
    size_t header_count;
    const struct remora_credential *credentials;
    size_t credential_count;
    bool needs_credential;
    const char *disabled_why;    /* NULL: usable; else e.g. "OPENAI_API_KEY is not set" */
    struct remora_slice ca_file; /* the operator's own CA, or empty */
    struct remora_slice ca_pem;  /* what it holds */
    struct remora_slice client_certificate_file;
    struct remora_slice client_key_file;
    int64_t client_certificate_end_unix_s; /* 0: none, or the file could not be read */
    struct remora_slice proxy;
    bool http2;
    bool sends_trace; /* the W3C trace context and baggage go to this provider */
    uint64_t
        settings; /* fingerprint of the above that shapes a call, what files hold included; no part of it is `facts` */
    struct remora_deadlines deadlines;
};

struct remora_endpoint {
    struct remora_endpoint_facts facts;
    const struct remora_provider *provider;
    const struct remora_model *model;
    const struct remora_deadlines
        *deadlines;  /* resolved: nothing is 0; shared by those of equal ones */
    uint32_t health; /* slot in struct remora_health */
    bool is_own;     /* from the configuration, not the catalog */
};

/*
 * Whether the names of trial features go to its servers as REMORA_BETA_HEADER: OpenRouter takes them (openrouter.md section 11);
 * of a server of the operator's own nobody knows better, and it may be another Remora. Not where the operator has set the
 * header: that one is the provider's then.
 */
bool remora_endpoint_takes_betas(const struct remora_endpoint *endpoint);
/*
 * Whether the name of a message's speaker is a member of its own: for OpenAI's models and OpenRouter. Any other model reads it before the
 * text (openrouter.md section 3, `name`).
 */
bool remora_endpoint_takes_names(const struct remora_endpoint *endpoint);

struct remora_model {
    struct remora_model_facts facts;
    const struct remora_endpoint *endpoints; /* own ones as written, then the catalog's */
    size_t endpoint_count;
};

#endif
