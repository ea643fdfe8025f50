/*
 * What the process carries, as the exchange uses it: one enter per exchange, one leave. Atomics only, any thread, never
 * blocks. (new, free and inflight stand in remora/exchange.h.)
 */
#ifndef REMORA_ENGINE_ADMISSION_H
#define REMORA_ENGINE_ADMISSION_H

#include "counter.h"
#include "remora/base.h"
#include "remora/codes.h"

struct remora_admission;

/*
 * Counts one request and the bytes that it means to hold. SHEDDING (with a hint to retry after a second) when the process
 * is out of requests (REMORA_LIMIT_EXCHANGES) or of its bytes, TOO_LARGE when it could never hold that many; nothing is counted
 * then.
 */
REMORA_MUST_CHECK enum remora_code remora_admission_enter(struct remora_admission *admission,
                                                          size_t body_bytes,
                                                          struct remora_fail *fail);
/* Takes back one successful enter; body_bytes as given there, less what was given back since. */
void remora_admission_leave(struct remora_admission *admission, size_t body_bytes);
/* Counts further bytes of a request that was let in; fails as enter does. */
REMORA_MUST_CHECK enum remora_code remora_admission_take_bytes(struct remora_admission *admission,
                                                               size_t bytes,
                                                               struct remora_fail *fail);
/* Gives bytes back before the request ends: its body was released, or was smaller than announced. */
void remora_admission_give_bytes(struct remora_admission *admission, size_t bytes);
/* Bytes of a provider's answer that the process holds until the answer is whole. */
void remora_admission_hold_arriving(struct remora_admission *admission, size_t bytes);
void remora_admission_give_arriving(struct remora_admission *admission, size_t bytes);
/* The counters of services and keys. */
struct counter_table *remora_admission_counters(struct remora_admission *admission);

#endif
