/*
 * Health of endpoints and keys, shared by all workers: structs of atomics in slots that survive a reload (a slot belongs
 * to a name, not to a snapshot). Any thread; no locks on the request path. Times are monotonic nanoseconds.
 *
 * Breaker: opens after 5 failures in a row, or at least half of at least 20 within 10 s; half-open lets one probe per
 * window through; windows of 30 s grow with each failed probe to 300 s (reliability.md F37, F38).
 */
#ifndef REMORA_HEALTH_H
#define REMORA_HEALTH_H

#include "remora/base.h"
#include "remora/codes.h"

struct remora_health;

REMORA_MUST_CHECK struct remora_health *remora_health_new(void);
void remora_health_free(struct remora_health *health);
/*
 * The slot of a name of which nothing changes, made when new. Takes a lock: for loading snapshots only. 0 is a slot that is always
 * well, given when the table is full (8,191 slots).
 */
uint32_t remora_health_slot(struct remora_health *health, struct remora_slice name);
/* Fingerprints of what stands behind a name. */
struct remora_health_content {
    uint64_t secret; /* a key's; 0: it is none */
    uint64_t
        settings; /* what else shapes the calls: address, headers, authorities, proxy, deadlines, ... */
};
/*
 * The slot of an endpoint ("tag|model|upstream model") or a key ("provider|key name|address") by its name and what stands behind it. A name that
 * comes with another content than last time gets a slot of which nothing is known yet; attempts that began with the old content end
 * in the old slot. Two slots of a name take turns. *is_changed: it holds another secret than last time. Locks and 0: as above.
 */
uint32_t remora_health_slot_of(struct remora_health *health, struct remora_slice name,
                               const struct remora_health_content *content, bool *is_changed);

enum remora_condition {
    REMORA_CONDITION_WELL = 0,
    REMORA_CONDITION_COOLING,      /* until a time: it said 429 */
    REMORA_CONDITION_GONE,         /* until a time: it has dropped the model */
    REMORA_CONDITION_BREAKER_OPEN, /* until the next probe */
    REMORA_CONDITION_BENCHED,      /* a key: until the next probe */
    REMORA_CONDITION_PROBE, /* half-open, or a bench that is over: usable by whoever claims the probe */
};
/*
 * *until_ns: when the condition may end; untouched when WELL or PROBE. Reads only: takes no probe. A plan keeps PROBE
 * endpoints in their place; the engine claims the probe just before it tries one, and skips it when it cannot.
 */
enum remora_condition remora_health_condition(const struct remora_health *health, uint32_t slot,
                                              uint64_t now_ns, uint64_t *until_ns);
/*
 * For endpoints and keys that are in PROBE. True when the way is free (no open breaker, no bench: nothing to claim), or
 * when a probe was due and this call claimed it; false when none is due or somebody else has the window's probe. The
 * claim ends with the next success, failure, bench or release of the slot; one that is never answered ends with its window.
 */
REMORA_MUST_CHECK bool remora_health_claim_probe(struct remora_health *health, uint32_t slot,
                                                 uint64_t now_ns);
/* By who claimed and has no verdict to give: the probe is due again at once. Without a claim nothing changes. */
void remora_health_release_probe(struct remora_health *health, uint32_t slot, uint64_t now_ns);
/* It works: ends a claimed probe of the breaker well, and any bench. */
void remora_health_success(struct remora_health *health, uint32_t slot, uint64_t now_ns);
/* It answers, but whether it works is not known (429, a key refused): no failure, and neither an end of a probe. */
void remora_health_answer(struct remora_health *health, uint32_t slot, uint64_t now_ns);
/* A failure that counts for the breaker. */
void remora_health_failure(struct remora_health *health, uint32_t slot, uint64_t now_ns);
/* max(existing, now + for_ns). */
void remora_health_cool(struct remora_health *health, uint32_t slot, uint64_t now_ns,
                        uint64_t for_ns);
/* The same for an endpoint whose provider no longer has the model; told before a cooling. */
void remora_health_gone(struct remora_health *health, uint32_t slot, uint64_t now_ns,
                        uint64_t for_ns);
/* A key that was refused: 5 minutes, doubling to an hour; success clears it. */
void remora_health_bench(struct remora_health *health, uint32_t slot, uint64_t now_ns);

#endif
