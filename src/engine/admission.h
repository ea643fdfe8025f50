/*
 * Admission as the exchange uses it: one enter per exchange, one leave; one slot of its service's concurrency limit.
 * Atomics only, any thread, never blocks. (new, free and inflight stand in remora/exchange.h.)
 */
#ifndef REMORA_ENGINE_ADMISSION_H
#define REMORA_ENGINE_ADMISSION_H

#include "remora/base.h"
#include "remora/codes.h"

struct remora_admission;

/*
 * Counts one request and the bytes that it means to hold. SHEDDING (with a hint to retry after a second) when the process
 * is out of requests (REMORA_LIMIT_EXCHANGES) or bytes (REMORA_LIMIT_PROCESS_BYTES); nothing is counted then.
 */
REMORA_MUST_CHECK enum remora_code remora_admission_enter(struct remora_admission *admission,
                                                          size_t body_bytes,
                                                          struct remora_fail *fail);
/* Takes back one successful enter; body_bytes as given there, less what was given back since. */
void remora_admission_leave(struct remora_admission *admission, size_t body_bytes);
/* Gives bytes back before the request ends: its body was released, or was smaller than announced. */
void remora_admission_give_bytes(struct remora_admission *admission, size_t bytes);
/*
 * Takes one of the service's `limit` slots; a negative limit always has one, and counts all the same, so that a limit that
 * comes with a reload sees who is there. False when all are taken, or when a limited service cannot be counted (more
 * than 4,095 services, or no memory).
 */
REMORA_MUST_CHECK bool remora_admission_slot_take(struct remora_admission *admission,
                                                  struct remora_slice service, int64_t limit);
/* Takes back one successful take of the same service. */
void remora_admission_slot_give(struct remora_admission *admission, struct remora_slice service);

#endif
