/* The pieces of the catalog's answers, one per file. Contracts: remora/listing.h. */
#ifndef REMORA_SKIN_LISTING_H
#define REMORA_SKIN_LISTING_H

#include "remora/json.h"
#include "remora/limits.h"
#include "remora/listing.h"

enum listing_sort {
    LISTING_SORT_NONE = 0, /* by id */
    LISTING_SORT_NEWEST,
    LISTING_SORT_PRICE_LOW,
    LISTING_SORT_PRICE_HIGH,
    LISTING_SORT_CONTEXT_HIGH,
};

/* A query, read. Texts are decoded and lie in the arena. */
struct listing_query {
    int64_t offset; /* -1: not stated */
    int64_t limit;  /* -1: not stated */
    enum listing_sort sort;
    uint32_t output_modalities; /* any of them; 0: all models */
    uint32_t input_modalities;  /* all of them */
    remora_parameter_set parameters;
    struct remora_slice text;      /* q */
    struct remora_slice authors;   /* comma-separated */
    struct remora_slice providers; /* comma-separated */
    struct remora_slice tokenizer; /* arch */
    int64_t context_length;
    int64_t min_pico_usd[2]; /* prompt, completion; -1 none */
    int64_t max_pico_usd[2];
    bool zdr;
};
REMORA_MUST_CHECK enum remora_code listing_query_read(struct remora_slice text,
                                                      struct remora_arena *arena,
                                                      struct listing_query *out,
                                                      struct remora_fail *fail);
/* Whether the endpoint's provider is one that the query names; true when it names none. */
bool listing_query_hosts(const struct listing_query *query, const struct remora_endpoint *endpoint);
/* Whether the entry is asked for. zdr is the judge's business. */
bool listing_query_takes(const struct listing_query *query, const struct remora_listed *entry);
/* In place; what lacks the fact that is sorted by comes last. Stable. */
void listing_sort(enum listing_sort sort, struct remora_listed *entries, size_t count,
                  struct remora_listed *scratch);

/* Openrouter.md 15.1: one Model, with OpenAI's `object` and `owned_by` beside. */
void listing_write_model(struct remora_json_writer *w, const struct remora_listing *listing,
                         const struct remora_listed *entry);
/* As it is published: "Other" where the catalog knows none. */
struct remora_slice listing_tokenizer(const struct remora_model_facts *facts);
void listing_write_slice(struct remora_json_writer *w, const char *key, struct remora_slice text);
void listing_write_architecture(struct remora_json_writer *w,
                                const struct remora_model_facts *facts);
void listing_write_pricing(struct remora_json_writer *w, const struct remora_prices *prices);
void listing_write_parameters(struct remora_json_writer *w, remora_parameter_set set);
/* 15.4: one PublicEndpoint. */
void listing_write_endpoint(struct remora_json_writer *w, const struct remora_listing *listing,
                            const struct remora_endpoint *endpoint, enum remora_variant variant);

/* The bit of a modality's name; 0 when there is none of this name. */
uint32_t listing_modality(struct remora_slice name);

#endif
