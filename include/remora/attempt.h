/*
 * What happened: the attempt record and the outcome of an exchange. One struct feeds proto Attempt, the `remora` object,
 * error.metadata.attempts, the log line, metrics and (later) the ledger.
 *
 * Plain data, written by the thread of the worker that owns the exchange; whoever is handed one reads it during the call and
 * copies what must stay. The functions are pure.
 */
#ifndef REMORA_ATTEMPT_H
#define REMORA_ATTEMPT_H

#include "remora/base.h"
#include "remora/codes.h"
#include "remora/identity.h"
#include "remora/limits.h"
#include "remora/policy.h"
#include "remora/request.h"
#include "remora/usage.h"

/* Slices point into the configuration snapshot that the exchange holds. */
struct remora_attempt {
    struct remora_slice provider; /* slug */
    struct remora_slice endpoint_tag;
    struct remora_slice model;          /* canonical id */
    struct remora_slice upstream_model; /* what was asked of the provider */
    struct remora_slice credential; /* the key's variable or file, empty: none; not for callers */
    char upstream_request_id[64];   /* its x-request-id or request-id, printable ASCII, cut */
    int http_status;                /* 0: no answer */
    enum remora_code code;          /* REMORA_OK when it answered */
    enum remora_cause cause;
    int64_t retry_after_ms; /* the provider's hint, -1 none */
    bool possibly_billed;   /* something may have been processed (reliability.md 2 "Retry-free") */
    bool was_left; /* while the provider was at it: usage and cost estimate what that has cost */
    bool had_terminator;     /* the wire's own end marker came */
    bool lacks_finish;       /* a choice came without a finish reason: the one told is a guess */
    bool unknown_finish;     /* a choice came with one that nobody knows: a guess, too */
    bool broken_arguments;   /* a tool call that ended well has arguments that are no JSON text */
    int64_t missing_choices; /* how many of those asked for did not come */
    const char *detail;      /* static: more of the cause, for operators only; NULL: none */
    bool was_reused;         /* its transfer failed, on a connection that had served before */
    bool is_resend;          /* the one free re-send of the attempt before it */
    uint64_t began_ns;
    uint64_t elapsed_ns;
    uint64_t first_byte_ns;    /* after began; 0 none */
    uint64_t first_content_ns; /* after began; 0 none */
    struct remora_usage usage;
    struct remora_cost cost;
};

/* A request field that the endpoint could not take and that was left out. */
struct remora_dropped {
    enum remora_parameter
        parameter;   /* REMORA_PARAMETER_COUNT: a field that the table does not have */
    const char *why; /* static */
    struct remora_slice
        field; /* its name then: of the request in a build, of the outcome afterwards */
};
#define REMORA_DROPPED_MAX        24
#define REMORA_DROPPED_TEXT_BYTES 256
/* The name as the caller knows it. */
struct remora_slice remora_dropped_name(const struct remora_dropped *dropped);

/*
 * What stood before the endpoint that answered and was passed over without an attempt: an endpoint that rests, or one of
 * which no key may be used now, or a model of which nothing may be tried.
 */
struct remora_skipped {
    struct remora_slice model; /* canonical id; of a name that nobody knows: as asked, cut */
    const struct remora_endpoint *endpoint; /* in the snapshot; NULL: the whole model */
    enum remora_code code;                  /* what it would have been refused with */
    bool is_asked;                          /* `model` is the caller's own spelling */
    struct remora_exclusion exclusion; /* rule NONE: no one rule, the code says all that is known */
};
#define REMORA_SKIPPED_MAX        12
#define REMORA_SKIPPED_NAME_BYTES 64
#define REMORA_SKIPPED_TEXT_BYTES (REMORA_SKIPPED_NAME_BYTES * (REMORA_LIMIT_MODELS + 1))

/* Which limit of ours refused the request (RATE_LIMITED). */
enum remora_throttle {
    REMORA_THROTTLE_NONE = 0,
    REMORA_THROTTLE_CONCURRENCY,
    REMORA_THROTTLE_REQUESTS, /* per minute */
    REMORA_THROTTLE_TOKENS,   /* per minute */
};
struct remora_throttled {
    enum remora_throttle by;
    bool is_key;   /* the key's own limit, else its service's */
    int64_t limit; /* as configured */
};

/*
 * Everything that can be told about an exchange. Owned by it; valid during the terminal call to the sink and to the
 * observers. Fixed size: survives the release of the request.
 */
struct remora_outcome {
    char generation_id[REMORA_GENERATION_ID_BYTES];
    char requested_model[REMORA_LIMIT_MODEL_ID_BYTES + 1];
    char request_id[REMORA_LIMIT_ID_BYTES + 1]; /* the caller's x-request-id, or empty */
    struct remora_identity identity;
    struct remora_trace trace;
    struct remora_slice api; /* static */
    enum remora_operation operation;
    enum remora_delivery delivery;
    struct remora_fail fail;              /* code REMORA_OK: answered */
    const struct remora_endpoint *served; /* NULL: none */
    const struct remora_model *
        model; /* of a request that ended before its plan: the configured one that it named, or NULL */
    struct remora_slice policy_revision;
    enum remora_data_collection data_collection; /* effective */
    struct remora_attempt attempts[REMORA_LIMIT_ATTEMPTS];
    size_t attempt_count;
    struct remora_dropped dropped[REMORA_DROPPED_MAX]; /* by the attempt that answered */
    size_t dropped_count;
    char dropped_text[REMORA_DROPPED_TEXT_BYTES];      /* the names behind `dropped` */
    struct remora_skipped skipped[REMORA_SKIPPED_MAX]; /* before the endpoint that answered */
    size_t skipped_count; /* all of them: the list may hold fewer, see remora_skipped_kept */
    char skipped_text[REMORA_SKIPPED_TEXT_BYTES]; /* the names that nobody knows */
    const struct remora_plan
        *plan; /* candidates with their rules: set on failure before COMMITTED, else NULL */
    /* Of who answered; where nobody did, the sum of the attempts that were left. */
    struct remora_usage usage;
    struct remora_cost cost;
    /* What the provider said and nothing here has a field for: JSON objects, empty where it said nothing, where the request
     * did not ask (wants_further) and before the answer is complete. They live until the sink has taken `completed`. */
    struct remora_slice further;      /* members of its answer */
    struct remora_slice native_usage; /* its own report */
    int64_t created_unix_s;
    uint64_t began_ns;
    uint64_t total_ns;
    uint64_t first_content_ns; /* after began; says something where content_events > 0 */
    uint64_t last_content_ns;  /* after began; 0 none */
    uint64_t overhead_ns;      /* our own share: request whole to first upstream byte sent */
    uint64_t events;           /* delivered to the sink */
    uint64_t content_events;   /* of them: content */
    bool wants_route;          /* the caller asked for the route: X-OpenRouter-Metadata */
    struct remora_throttled throttled; /* by NONE: by no limit of ours */
    uint64_t waited_ns; /* for a place within limits.concurrency; no part of overhead_ns */
    bool has_begun;     /* a stream of which the caller was given something: content, or a notice */
};

/* Adds a name to a build's list, once; where the list is full its last entry becomes "others": it never silently ends. */
void remora_dropped_add(struct remora_dropped dropped[REMORA_DROPPED_MAX], size_t *count,
                        const struct remora_dropped *one);
/* Keeps what a build left out. A name that finds no room in dropped_text is told as "others". */
void remora_outcome_keep_dropped(struct remora_outcome *outcome,
                                 const struct remora_dropped *dropped, size_t count);

/* Takes over a list whose names may go with the request; `count` may be more than the list holds. */
void remora_outcome_keep_skipped(struct remora_outcome *outcome,
                                 const struct remora_skipped skipped[REMORA_SKIPPED_MAX],
                                 size_t count);
/* How many of outcome->skipped are there; skipped_count tells of the rest. */
size_t remora_skipped_kept(size_t count);

/* It was answered, and a choice came without a finish reason: by [DONE] alone, or in a whole answer. */
bool remora_outcome_lacks_finish(const struct remora_outcome *outcome);
/* The same of a finish reason that nobody knows. */
bool remora_outcome_has_unknown_finish(const struct remora_outcome *outcome);
/* It was answered, and a tool call whose choice ended well has arguments that are no JSON text. */
bool remora_outcome_has_broken_arguments(const struct remora_outcome *outcome);
/* How many choices (`n`) the attempt that answered was asked for and did not give; 0 where it was not answered. */
int64_t remora_outcome_missing_choices(const struct remora_outcome *outcome);

/*
 * True when the caller is owed a `remora` object: a fallback, something passed over, a dropped parameter, an estimate
 * (ARCHITECTURE 6), a cost that is not known, a finish reason that nobody gave or knows, arguments of a tool call that are no
 * JSON, or fewer choices than were asked for.
 */
bool remora_outcome_is_notable(const struct remora_outcome *outcome);
/* Usage is what the provider reported, and the cost is an estimate all the same: a price that it needs is not stated, or pieces that
 * the provider does not count have one (remora_cost_compute). */
bool remora_outcome_cost_is_guess(const struct remora_outcome *outcome);
/* It was answered by an endpoint that has no price for something that was used: there is no cost, which is not a cost of 0. */
bool remora_outcome_cost_is_unknown(const struct remora_outcome *outcome);

#endif
