/*
 * What the process will carry at once: requests and bytes of bodies. (What services and keys may: entry.c and counter.c.)
 *
 * Happy path: enter() adds one request and its bytes when the sums stay within bounds, each by one compare-and-swap. Answers that
 * come from providers in one piece, or wait for their callers, are counted as they grow, and leave less to the bodies of new
 * requests; neither is cut short for it.
 *
 * Failures: SHEDDING; TOO_LARGE for a body that would not fit if it were alone.
 * Sources: ARCHITECTURE 3 "One process-wide byte budget"; codes.md SHEDDING.
 */
#include "admission.h"

#include <assert.h>
#include <stdatomic.h>

#include "remora/exchange.h"
#include "remora/limits.h"
#include "remora/memory.h"

enum { SHEDDING_RETRY_MS = 1000 };

struct remora_admission {
    _Atomic uint64_t inflight;
    _Atomic uint64_t bytes; /* of bodies */
    _Atomic uint64_t unread_bytes;
    _Atomic uint64_t arriving_bytes;
    _Atomic uint64_t most_bytes;
    struct counter_table counters;
};

struct remora_admission *remora_admission_new(void)
{
    struct remora_admission *admission = remora_alloc(sizeof(struct remora_admission));
    if (admission == NULL) {
        return NULL;
    }
    if (!counter_table_init(&admission->counters)) {
        remora_free(admission);
        return NULL;
    }
    atomic_init(&admission->most_bytes, REMORA_LIMIT_PROCESS_BYTES);
    return admission;
}

void remora_admission_set_bytes(struct remora_admission *admission, uint64_t most_bytes)
{
    atomic_store_explicit(&admission->most_bytes, most_bytes, memory_order_relaxed);
}

uint64_t remora_admission_bytes(const struct remora_admission *admission)
{
    return atomic_load_explicit(&admission->bytes, memory_order_relaxed);
}

void remora_admission_free(struct remora_admission *admission)
{
    if (admission != NULL) {
        counter_table_fini(&admission->counters);
        remora_free(admission);
    }
}

uint64_t remora_admission_inflight(const struct remora_admission *admission)
{
    return atomic_load_explicit(&admission->inflight, memory_order_relaxed);
}

/* Adds and says whether the sum stays within `limit`; adds nothing when it does not. */
static bool counter_add(_Atomic uint64_t *counter, uint64_t amount, uint64_t limit)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    do {
        if (before > limit || amount > limit - before) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(counter, &before, before + amount,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void counter_sub(_Atomic uint64_t *counter, uint64_t amount)
{
    uint64_t before = atomic_fetch_sub_explicit(counter, amount, memory_order_relaxed);
    assert(before >= amount);
    (void)before;
}

static enum remora_code shed(struct remora_fail *fail, const char *what)
{
    bool is_first = fail != NULL && fail->code == REMORA_OK;
    enum remora_code code = remora_fail_set(
        fail, REMORA_SHEDDING, NULL, "the gateway carries as many %s as it may; try again", what);
    if (is_first) {
        fail->retry_after_ms = SHEDDING_RETRY_MS;
    }
    return code;
}

enum remora_code remora_admission_take_bytes(struct remora_admission *admission, size_t bytes,
                                             struct remora_fail *fail)
{
    uint64_t most_bytes = atomic_load_explicit(&admission->most_bytes, memory_order_relaxed);
    if (bytes > most_bytes) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL,
                               "the request is larger than the %llu bytes that this gateway may "
                               "hold of all requests; see admission.bytes",
                               (unsigned long long)most_bytes);
    }
    uint64_t answer_bytes =
        remora_admission_unread_bytes(admission) + remora_admission_arriving_bytes(admission);
    uint64_t left_bytes = answer_bytes < most_bytes ? most_bytes - answer_bytes : 0;
    return counter_add(&admission->bytes, bytes, left_bytes)
               ? REMORA_OK
               : shed(fail,
                      answer_bytes > 0 ? "bytes of requests and answers" : "bytes of requests");
}

uint64_t remora_admission_unread_bytes(const struct remora_admission *admission)
{
    return atomic_load_explicit(&admission->unread_bytes, memory_order_relaxed);
}

bool remora_admission_hold_answer(struct remora_admission *admission, size_t bytes)
{
    uint64_t before =
        atomic_fetch_add_explicit(&admission->unread_bytes, bytes, memory_order_relaxed);
    return before + bytes < atomic_load_explicit(&admission->most_bytes, memory_order_relaxed);
}

void remora_admission_give_answer(struct remora_admission *admission, size_t bytes)
{
    counter_sub(&admission->unread_bytes, bytes);
}

bool remora_admission_has_room(const struct remora_admission *admission)
{
    return remora_admission_unread_bytes(admission) <
           atomic_load_explicit(&admission->most_bytes, memory_order_relaxed);
}

uint64_t remora_admission_arriving_bytes(const struct remora_admission *admission)
{
    return atomic_load_explicit(&admission->arriving_bytes, memory_order_relaxed);
}

void remora_admission_hold_arriving(struct remora_admission *admission, size_t bytes)
{
    atomic_fetch_add_explicit(&admission->arriving_bytes, bytes, memory_order_relaxed);
}

void remora_admission_give_arriving(struct remora_admission *admission, size_t bytes)
{
    counter_sub(&admission->arriving_bytes, bytes);
}

enum remora_code remora_admission_enter(struct remora_admission *admission, size_t body_bytes,
                                        struct remora_fail *fail)
{
    if (!counter_add(&admission->inflight, 1, REMORA_LIMIT_EXCHANGES)) {
        return shed(fail, "requests");
    }
    enum remora_code code = remora_admission_take_bytes(admission, body_bytes, fail);
    if (code != REMORA_OK) {
        counter_sub(&admission->inflight, 1);
    }
    return code;
}

void remora_admission_leave(struct remora_admission *admission, size_t body_bytes)
{
    counter_sub(&admission->bytes, body_bytes);
    counter_sub(&admission->inflight, 1);
}

void remora_admission_give_bytes(struct remora_admission *admission, size_t bytes)
{
    counter_sub(&admission->bytes, bytes);
}

struct counter_table *remora_admission_counters(struct remora_admission *admission)
{
    return &admission->counters;
}
