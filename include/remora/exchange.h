/*
 * The exchange: one request from its plan to its settlement (ARCHITECTURE 3 and 6). Driven by its transport, its timers
 * and its sink; everything on one worker's thread.
 *
 *   WAITING    for a place within the concurrency limits of its key and its service
 *   PLANNING   policy and route make the ordered list of endpoints
 *   PREPARING  credentials and media that an adapter needs first
 *   ATTEMPTING an upstream works on it; nothing has been shown to the caller (held)
 *   COMMITTED  the first content event went to the sink: nothing falls back any more, nothing is silent
 *   SETTLED    one terminal call has been made
 */
#ifndef REMORA_EXCHANGE_H
#define REMORA_EXCHANGE_H

#include "remora/attempt.h"
#include "remora/clock.h"
#include "remora/config.h"
#include "remora/event.h"
#include "remora/health.h"
#include "remora/hop.h"
#include "remora/memory.h"
#include "remora/request.h"
#include "remora/route.h"
#include "remora/transport.h"

struct remora_exchange;
struct remora_engine;

enum remora_sink_state {
    REMORA_SINK_READY,
    REMORA_SINK_FULL, /* the event was taken; pause the upstream until remora_exchange_resume */
};

/*
 * Where the answer goes: a front's encoder, or a recorder. Calls come in the order
 *     attempt_failed* , [ started, content*, choice_finished+, completed ] | failed
 * with `waiting` anywhere before the terminal one, between two attempts and after content, too. Exactly one terminal (completed
 * or failed) ends them, unless the exchange is cancelled; during it the outcome is valid, after it the exchange is gone. A unary sink gets the same events and collects them; it has shown nobody anything
 * before `completed`, so for it an attempt_failed may come after content, and what it has collected is then void. The sink may
 * call resume or cancel from inside any call but the terminal one.
 */
struct remora_sink {
    const struct remora_sink_ops *ops;
};
struct remora_sink_ops {
    /* Any event up to COMPLETED. The first content event is the commit point: the request's memory goes afterwards. */
    enum remora_sink_state (*event)(struct remora_sink *sink, const struct remora_event *event);
    /*
     * Streams only: 10 s without content, and every 10 s from then on. The HTTP status is to be spent now. Whether the caller was
     * given something by it, so that what fails from here on ends an answer that has begun.
     */
    bool (*waiting)(struct remora_sink *sink);
    /* The one failure, before the answer has begun or after it (outcome->has_begun). */
    void (*failed)(struct remora_sink *sink, const struct remora_outcome *outcome);
};

/* Told of what happened: metrics, log, ledger. Called once per attempt and once per exchange (cancelled ones too). */
struct remora_observer {
    void (*attempt)(struct remora_observer *observer, const struct remora_outcome *outcome,
                    const struct remora_attempt *attempt);
    void (*settled)(struct remora_observer *observer, const struct remora_outcome *outcome);
};

/* Limits shared by all workers: atomics inside. */
struct remora_admission;
REMORA_MUST_CHECK struct remora_admission *remora_admission_new(void);
void remora_admission_free(struct remora_admission *admission);
/* Requests in flight in the process, bytes of their bodies. */
uint64_t remora_admission_inflight(const struct remora_admission *admission);
uint64_t remora_admission_bytes(const struct remora_admission *admission);
/* How many bytes of bodies there may be at once; what is there already stays. REMORA_LIMIT_PROCESS_BYTES at first. */
void remora_admission_set_bytes(struct remora_admission *admission, uint64_t most_bytes);
/*
 * For fronts: bytes of answers that their callers have yet to take, out of the same budget as bodies but by no request's leave: what
 * is answered is there. Bodies of new requests find so much less. `hold` says whether the answers alone leave room, `has_room`
 * whether they do now. Any thread.
 */
bool remora_admission_hold_answer(struct remora_admission *admission, size_t bytes);
void remora_admission_give_answer(struct remora_admission *admission, size_t bytes);
bool remora_admission_has_room(const struct remora_admission *admission);
uint64_t remora_admission_unread_bytes(const struct remora_admission *admission);
/* Bytes of answers in one piece that are still coming; out of the same budget, and they too leave only less to new requests. */
uint64_t remora_admission_arriving_bytes(const struct remora_admission *admission);

/* What an engine works with; everything outlives it. Tests give a scripted transport, a fake clock and a seeded random. */
struct remora_engine_input {
    struct remora_transport *transport;
    const struct remora_clock *clock;
    const struct remora_clock
        *precise; /* not cached per round: for what callers are told took so long; NULL: as clock */
    struct remora_timers *timers;
    struct remora_random *random;
    struct remora_health *health;
    struct remora_admission *admission;
    struct remora_observer *observer; /* may be NULL */
    const struct remora_hop_id *hop; /* of this process; NULL: upstream calls carry no hop header */
    /*
     * A request that waited may go on: have remora_engine_admit_waiting called soon, on the engine's thread. Called from any
     * thread, more than once for one call of it. NULL: whoever has to wait does so until it is refused.
     */
    void (*wake)(void *context);
    void *wake_context;
};
/* One per worker. */
REMORA_MUST_CHECK struct remora_engine *remora_engine_new(const struct remora_engine_input *input);
/* All exchanges must have ended. */
void remora_engine_free(struct remora_engine *engine);
/* Publishes a snapshot for exchanges to come; takes a reference of its own. */
void remora_engine_set_config(struct remora_engine *engine, struct remora_config *config);
/* The current snapshot, borrowed: valid until the next set_config on this thread. */
struct remora_config *remora_engine_config(const struct remora_engine *engine);
/* The health that its plans ask. */
const struct remora_health *remora_engine_health(const struct remora_engine *engine);
/* By which this process recognises its own requests, for fronts; NULL: none was given. */
const struct remora_hop_id *remora_engine_hop(const struct remora_engine *engine);
/* Lets those in whose turn has come (see wake). */
void remora_engine_admit_waiting(struct remora_engine *engine);
size_t remora_engine_inflight(const struct remora_engine *engine);
/* From now on new exchanges are refused with DRAINING. */
void remora_engine_drain(struct remora_engine *engine);
/* Ends every exchange with DRAINING (in-band after content): the grace is over. */
void remora_engine_abort_all(struct remora_engine *engine);

/*
 * A new exchange with its request arena, for a front to read the body into and a skin to parse into. SHEDDING when the
 * process is out of its budget (body_bytes is what the front means to hold), TOO_LARGE when it could never hold so much,
 * DRAINING when it shuts down. Nothing is called before start.
 */
REMORA_MUST_CHECK enum remora_code remora_exchange_new(struct remora_engine *engine,
                                                       size_t body_bytes,
                                                       struct remora_exchange **out,
                                                       struct remora_fail *fail);
struct remora_arena *remora_exchange_arena(struct remora_exchange *exchange);
/* Initialised; to be filled before start. Lies in the arena, so it goes at COMMITTED. */
struct remora_request *remora_exchange_request(struct remora_exchange *exchange);
const char *remora_exchange_generation_id(const struct remora_exchange *exchange);
/*
 * Before start: the front means to hold `bytes` of the body in all, more than it said when it began. SHEDDING or TOO_LARGE as
 * remora_exchange_new; nothing has changed then.
 */
REMORA_MUST_CHECK enum remora_code remora_exchange_hold(struct remora_exchange *exchange,
                                                        size_t bytes, struct remora_fail *fail);
/* The request has arrived whole: from here on the time is ours (overhead_ns). Without it start counts from itself. */
void remora_exchange_whole(struct remora_exchange *exchange);
/*
 * The plan that start would make now, of the request as it was filled, with nothing sent and no slot taken. *out lies in the
 * request arena and is filled as remora_plan_build says, whose codes these are. Before start or instead of it.
 */
REMORA_MUST_CHECK enum remora_code remora_exchange_plan(struct remora_exchange *exchange,
                                                        const struct remora_plan **out,
                                                        struct remora_fail *fail);
/* Never started: gives everything back; not observed. */
void remora_exchange_discard(struct remora_exchange *exchange);
/*
 * Never started, because the request is not acceptable: observed with *fail and what is known of it, then as discard. `sink`
 * (or NULL) is told by `failed`, before this returns.
 */
void remora_exchange_refuse(struct remora_exchange *exchange, const struct remora_fail *fail,
                            struct remora_sink *sink);
/*
 * Begins. The sink may be called, its terminal call included, before this returns; afterwards use the handle only if no
 * terminal call was made.
 */
void remora_exchange_start(struct remora_exchange *exchange, struct remora_sink *sink);
/* The sink has room again. */
void remora_exchange_resume(struct remora_exchange *exchange);
/* The caller is gone (or its deadline, for gRPC): upstream ends at once, no more calls to the sink, observed with `why`. */
void remora_exchange_cancel(struct remora_exchange *exchange, enum remora_code why);

#endif
