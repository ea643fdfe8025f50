/*
 * What the process will carry at once: requests, bytes of bodies, and per service the requests of its concurrency limit.
 *
 * Happy path: enter() adds one request and its bytes and looks whether the sums are within bounds; when they are not, it
 * takes them back and refuses, so two that come at once may both be refused at the edge, never both be let in.
 *
 * Services live in chains of nodes that are only ever prepended, so finding one takes no lock; a node stays until the
 * end, and there are at most 4,095 (names come from configuration, or from a listener that the operator trusts).
 *
 * Failures: SHEDDING; a limited service that cannot be counted (no memory, too many services) has no slot.
 * Sources: ARCHITECTURE 3 "One process-wide byte budget"; codes.md SHEDDING.
 */
#include "admission.h"

#include <assert.h>
#include <stdatomic.h>

#include "remora/exchange.h"
#include "remora/limits.h"
#include "remora/memory.h"

enum {
    CHAINS = 256,
    SERVICES_MAX = 4095,
    SHEDDING_RETRY_MS = 1000,
};

struct service {
    struct service *next;
    struct remora_slice name;
    _Atomic int64_t taken;
};

struct remora_admission {
    _Atomic uint64_t inflight;
    _Atomic uint64_t bytes;
    _Atomic uint32_t service_count;
    _Atomic(struct service *) chains[CHAINS];
};

struct remora_admission *remora_admission_new(void)
{
    return remora_alloc(sizeof(struct remora_admission));
}

static void service_free(struct service *service)
{
    remora_free((void *)(uintptr_t)service->name.data);
    remora_free(service);
}

void remora_admission_free(struct remora_admission *admission)
{
    if (admission == NULL) {
        return;
    }
    for (size_t i = 0; i < CHAINS; i++) {
        struct service *service = atomic_load(&admission->chains[i]);
        while (service != NULL) {
            struct service *next = service->next;
            service_free(service);
            service = next;
        }
    }
    remora_free(admission);
}

uint64_t remora_admission_inflight(const struct remora_admission *admission)
{
    return atomic_load_explicit(&admission->inflight, memory_order_relaxed);
}

/* Adds and says whether the sum stays within `limit`; adds nothing when it does not. */
static bool counter_add(_Atomic uint64_t *counter, uint64_t amount, uint64_t limit)
{
    uint64_t before = atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
    if (before <= limit && amount <= limit - before) {
        return true;
    }
    atomic_fetch_sub_explicit(counter, amount, memory_order_relaxed);
    return false;
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

enum remora_code remora_admission_enter(struct remora_admission *admission, size_t body_bytes,
                                        struct remora_fail *fail)
{
    if (!counter_add(&admission->inflight, 1, REMORA_LIMIT_EXCHANGES)) {
        return shed(fail, "requests");
    }
    if (!counter_add(&admission->bytes, body_bytes, REMORA_LIMIT_PROCESS_BYTES)) {
        counter_sub(&admission->inflight, 1);
        return shed(fail, "bytes of requests");
    }
    return REMORA_OK;
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

/* ---- services ---- */

/* FNV-1a, 32 bits (draft-eastlake-fnv, section 5). */
static _Atomic(struct service *) *chain_of(struct remora_admission *admission,
                                           struct remora_slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.length; i++) {
        hash = (hash ^ (uint8_t)name.data[i]) * 16777619u;
    }
    return &admission->chains[hash % CHAINS];
}

/* From `from` up to but not including `end`. */
static struct service *chain_find(struct service *from, const struct service *end,
                                  struct remora_slice name)
{
    for (struct service *at = from; at != end; at = at->next) {
        if (remora_slice_equal(at->name, name)) {
            return at;
        }
    }
    return NULL;
}

static struct service *service_new(struct remora_slice name)
{
    struct service *service = remora_alloc(sizeof(*service));
    if (service == NULL) {
        return NULL;
    }
    char *copy = remora_strdup(name);
    if (copy == NULL) {
        remora_free(service);
        return NULL;
    }
    service->name = remora_slice(copy, name.length);
    return service;
}

/* The service, prepended when nobody has it yet; NULL when it cannot be counted. */
static struct service *service_of(struct remora_admission *admission, struct remora_slice name)
{
    _Atomic(struct service *) *chain = chain_of(admission, name);
    struct service *head = atomic_load_explicit(chain, memory_order_acquire);
    struct service *found = chain_find(head, NULL, name);
    if (found != NULL) {
        return found;
    }
    if (atomic_fetch_add(&admission->service_count, 1) >= SERVICES_MAX) {
        atomic_fetch_sub(&admission->service_count, 1);
        return NULL;
    }
    struct service *made = service_new(name);
    while (made != NULL) {
        made->next = head;
        const struct service *seen = head;
        if (atomic_compare_exchange_weak_explicit(chain, &head, made, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            return made;
        }
        found = chain_find(head, seen, name);
        if (found != NULL) {
            service_free(made);
            break;
        }
    }
    atomic_fetch_sub(&admission->service_count, 1);
    return found;
}

bool remora_admission_slot_take(struct remora_admission *admission, struct remora_slice service,
                                int64_t limit)
{
    struct service *counted = service_of(admission, service);
    if (counted == NULL) {
        return limit < 0;
    }
    int64_t taken = atomic_load_explicit(&counted->taken, memory_order_relaxed);
    while (limit < 0 || taken < limit) {
        if (atomic_compare_exchange_weak_explicit(&counted->taken, &taken, taken + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* An unlimited take that could not be counted is given back here too, so the count stops at zero. */
void remora_admission_slot_give(struct remora_admission *admission, struct remora_slice service)
{
    _Atomic(struct service *) *chain = chain_of(admission, service);
    struct service *counted =
        chain_find(atomic_load_explicit(chain, memory_order_acquire), NULL, service);
    if (counted == NULL) {
        return;
    }
    int64_t taken = atomic_load_explicit(&counted->taken, memory_order_relaxed);
    while (taken > 0) {
        if (atomic_compare_exchange_weak_explicit(&counted->taken, &taken, taken - 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return;
        }
    }
}
