/* What the files of the engine share: the structs behind the handles. Everything belongs to the worker's thread. */
#ifndef REMORA_ENGINE_EXCHANGE_PRIVATE_H
#define REMORA_ENGINE_EXCHANGE_PRIVATE_H

#include <assert.h>

#include "counter.h"
#include "remora/buf.h"
#include "remora/exchange.h"
#include "remora/list.h"
#include "remora/provider.h"

#define ENGINE_SPARE_MAX 32

#define WAITING_NOTICE_NS (10 * REMORA_NS_PER_S) /* ARCHITECTURE 6 "HTTP status" */

enum exchange_state {
    STATE_WAITING,
    STATE_PLANNING,
    STATE_PREPARING,
    STATE_ATTEMPTING,
    STATE_COMMITTED,
    STATE_SETTLED,
};

struct remora_engine {
    struct remora_engine_input use;
    struct remora_config *config;
    struct remora_list exchanges;
    struct remora_list waiting; /* for a place, in the order in which they came */
    struct remora_list spare;   /* exchanges kept for the next request */
    size_t spare_count;
    size_t inflight;
    bool is_draining;
};

/* A finish that came before any content: held until the answer is complete, so that a failure may still fall back. */
struct held_finish {
    int32_t choice_index;
    enum remora_finish reason;
    struct remora_slice native; /* request arena, like the next */
    struct remora_slice stop;
    struct held_finish *next;
};

/* What `started` said, kept until the commit point; longer values are cut. */
struct held_start {
    char upstream_id[64];
    char model[128];
    char system_fingerprint[64];
    char service_tier[16];
    int64_t created_unix_s;
};

/* The attempt under way. */
struct attempt_run {
    struct remora_transfer *transfer; /* NULL: none */
    const struct remora_endpoint *endpoint;
    const struct remora_credential *credential;
    const struct remora_adapter *adapter;
    enum remora_delivery delivery; /* from upstream: a unary call may be answered by a stream */
    bool asks_other_tier; /* what was sent asks for a service tier that the prices are not of */
    struct remora_guard guard;
    struct remora_buf error_body;
    struct remora_buf further;              /* further.c's */
    struct remora_http_response error_head; /* request arena */
    uint64_t life_ns;   /* last sign of life of the upstream; since when its end alone is owed */
    uint64_t handed_ns; /* when the sink got its last event */
    bool is_decoding;   /* decode_begin was called, decode_fini is owed */
    bool is_answering;  /* the head was 2xx */
    bool has_head;
    bool sends_events;                 /* the head says so, whatever was asked for */
    bool has_byte;                     /* of the body of an answer */
    bool is_shown;                     /* content went to the sink */
    bool may_search;                   /* what was sent lets the provider search the web */
    bool has_citations;                /* of the web: it was searched */
    int64_t choice_count;              /* what was sent asks for so many, 0: it does not say */
    int32_t image_count;               /* pictures in what was sent */
    enum remora_cache_life cache_life; /* of the marks in what was sent */
    size_t answer_bytes;               /* text that came, for estimates */
    size_t arrived_bytes;              /* of an answer that is told in one piece */
    size_t arriving_bytes;             /* of these, counted by admission: all, or none */
    _Alignas(16) char decoder[REMORA_DECODER_BYTES];
};

/* Where a request is counted, and what it has taken there. */
struct entry_count {
    struct counter *counter; /* NULL: nowhere */
    struct remora_limits_policy limits;
    struct bucket_charge requests;
    struct bucket_charge tokens;
    bool has_place;
};

/* The way in (entry.c). */
struct entry {
    struct entry_count of[COUNTER_SCOPES];
    struct waiter waiter;
    struct remora_list node; /* in engine->waiting */
    uint64_t began_ns;
    uint64_t until_ns; /* while waiting */
    enum counter_scope waits_for;
    bool is_waiting;
};

struct remora_exchange {
    struct remora_engine *engine;
    struct remora_list node;
    enum exchange_state state;
    struct remora_sink *sink;
    struct remora_config *config;
    struct remora_arena arena;   /* body, request, plan, upstream request: released at COMMITTED */
    struct remora_arena scratch; /* reset after each feed */
    struct remora_request *request;
    struct remora_policy_stack *stack;
    struct remora_plan *plan;
    struct remora_outcome outcome;
    struct remora_timer timer;
    struct entry entry;
    struct attempt_run run;
    struct held_start started;
    struct held_finish *finishes;
    struct held_finish *last_finish;
    struct remora_fail lead; /* the failure that would be told now */
    uint64_t deadline_ns;    /* total */
    uint64_t notice_ns;      /* next waiting call */
    uint64_t precise_start_ns;
    int64_t idle_ms;                          /* the caller's own, or -1 */
    size_t held_bytes;                        /* counted by admission */
    size_t text_bytes;                        /* that the request brought, for estimates */
    size_t order_at;                          /* next place in plan->order */
    uint16_t model_at;                        /* the model being tried */
    uint16_t refusals;                        /* UPSTREAM_REFUSED_REQUEST of this model */
    int64_t window_over;                      /* context that was too small, 0 none */
    const struct remora_candidate *candidate; /* being tried; in the plan */
    struct remora_slice refused_by;           /* provider that refused the request of this model */
    int32_t attempts_of_model;
    int32_t refused_keys;      /* of the endpoint being tried */
    int64_t max_output_tokens; /* as asked, of all choices together, 0 none */
    int64_t retry_after_ms;    /* smallest hint, -1 none */
    int64_t cools_ms;          /* shortest rest that a 429 has given an endpoint, -1 none */
    unsigned busy;             /* callbacks on the stack: freeing waits for 0 */
    bool withholds_reasoning;  /* reasoning.exclude */
    bool keeps_further;        /* what has no name here is kept for the outcome */
    bool probes_endpoint;      /* of the candidate being tried: its claim is ours */
    bool probes_key;
    bool is_paused;
    bool is_resend;
    bool has_open_record; /* an attempt's record waits to be closed */
    bool is_gone;         /* cancelled or settled: free when busy is 0 */
};

/* ---- engine.c ---- */
/* A zeroed exchange, on the engine's list; NULL without memory. */
struct remora_exchange *engine_take(struct remora_engine *engine);
void engine_give(struct remora_engine *engine, struct remora_exchange *x);

/* ---- exchange.c ---- */
void exchange_fail(struct remora_exchange *x, const struct remora_fail *fail);
void exchange_complete(struct remora_exchange *x);
/*
 * The first content, or a whole answer without any: what was held goes to the sink. It is what commits a stream; of a
 * unary call the sink has shown nobody anything yet.
 */
void exchange_show(struct remora_exchange *x);
/* No way back: state, memory. */
void exchange_commit(struct remora_exchange *x);
enum remora_sink_state exchange_deliver(struct remora_exchange *x,
                                        const struct remora_event *event);
void exchange_enter(struct remora_exchange *x);
void exchange_leave(struct remora_exchange *x);
uint64_t exchange_now(const struct remora_exchange *x);
/* Since a time of exchange_now, by the precise clock: the cached one may not have moved since. */
uint64_t exchange_elapsed_ns(const struct remora_exchange *x, uint64_t began_ns);

/* Its places are held: on to the plan. */
void exchange_proceed(struct remora_exchange *x);

/* ---- entry.c ---- */
/* REMORA_OK: the request is in, or waits (entry.is_waiting). Else it has taken nothing. */
REMORA_MUST_CHECK enum remora_code entry_begin(struct remora_exchange *x, struct remora_fail *fail);
/* It has waited long enough. */
void entry_give_up(struct remora_exchange *x);
/* Gives back what was taken, at the end. The outcome has the usage. */
void entry_end(struct remora_exchange *x);

/* ---- attempt.c ---- */
/* Tries the next candidate, or ends the exchange. */
void attempt_next(struct remora_exchange *x);
/* The attempt under way failed: record it, then fall back or end. */
void attempt_fail(struct remora_exchange *x, const struct remora_fail *fail);
/* Lets go of the transfer and the decoder; no callbacks follow. */
void attempt_drop(struct remora_exchange *x);
/* The endpoint and its key do what they are for: health hears of it. */
void attempt_works(struct remora_exchange *x);
/* The exchange ends while an attempt may be under way: what it used is settled and its record closed with *why. */
void attempt_abandon(struct remora_exchange *x, const struct remora_fail *why);
/* The attempt answered: its record is closed. */
void attempt_answered(struct remora_exchange *x);
struct remora_attempt *attempt_record(struct remora_exchange *x);
/* Where nobody answered, what the attempts that were left have used is the outcome's. After the last of them. */
void attempt_sum_left(struct remora_exchange *x);
/* Estimates what was not reported, prices it, and makes it the outcome's. */
void attempt_settle_usage(struct remora_exchange *x);
/* The one free re-send at the same endpoint; false when it was used or the state forbids it. */
bool attempt_resend(struct remora_exchange *x, const struct remora_fail *why);

/* ---- decode.c ---- */
extern const struct remora_transfer_callbacks attempt_callbacks;
/* Whether the end alone of the answer is owed (remora/provider.h); life_ns says since when. */
bool decode_is_answered(const struct remora_exchange *x);
/* Nothing more is waited for, which is judged as a reset at the same place: what is whole without its end is an answer, and told.
 * False: it is none; the attempt is to be failed. */
bool decode_settle(struct remora_exchange *x);
/* The attempt fails with what has come of an error's body so far. */
void decode_judge_error(struct remora_exchange *x);

/* ---- further.c ---- */
/* Keeps what an event of kind FURTHER says. What does not fit, or holds a secret of the provider's, is left out. */
void further_keep(struct remora_exchange *x, const struct remora_event *event);
/* Makes it the outcome's, in the scratch arena. */
void further_tell(struct remora_exchange *x);

/* ---- choose.c ---- */
/* The next candidate that may be tried, or NULL. Moves the cursor past it. */
const struct remora_candidate *choose_next(struct remora_exchange *x);
/* Notes what a failure means for the candidates to come. */
void choose_after(struct remora_exchange *x, const struct remora_candidate *candidate,
                  enum remora_code code);
/* Gives back the claimed probe of an endpoint that will not be tried, or that was tried without a verdict on it. */
void choose_release(struct remora_exchange *x, const struct remora_endpoint *endpoint);
/* The same for the key. */
void choose_release_key(struct remora_exchange *x, const struct remora_credential *credential);
/*
 * The first key of its provider that may be used now, claiming a probe where one is due; false when none may: the candidate
 * is passed over then.
 */
bool choose_credential(struct remora_exchange *x, const struct remora_candidate *candidate,
                       const struct remora_credential **out);

/* ---- verdict.c ---- */
/* Notes a failed attempt in x->lead and x->retry_after_ms. */
void verdict_note(struct remora_exchange *x, const struct remora_fail *fail);
/* The failure to tell, when no candidate is left. */
void verdict_final(const struct remora_exchange *x, struct remora_fail *out);

/* ---- deadline.c ---- */
void deadline_begin(struct remora_exchange *x);
/* Arms the timer for the earliest of the deadlines that run now. */
void deadline_arm(struct remora_exchange *x);

#endif
