/*
 * Counters by name, and the queue for a place.
 *
 * Chains of nodes are only ever prepended, so finding one takes no lock; a node stays until the end, and there are at most
 * 4,095 (names come from configuration, or from a listener that the operator trusts).
 *
 * Waiting, in order: a waiter joins the counter's list and counts itself in `waiting` before it looks once more whether a
 * place is free; who gives a place back subtracts from `taken` before he looks at `waiting`. One of the two sees the other
 * (both are sequentially consistent), so no place is left lying while somebody waits. A new request waits behind those that
 * wait already. Granting is done under the lock, one at a time; the waiter's worker is woken without it.
 *
 * Failures: no memory or no room for a name (counter_find says so); a full queue (COUNTER_REFUSED).
 */
#include "counter.h"

#include <assert.h>

#include "remora/limits.h"
#include "remora/memory.h"

enum { NAMES_MAX = 4095 };

/* ---- by name ---- */

bool counter_table_init(struct counter_table *table)
{
    return pthread_mutex_init(&table->lock, NULL) == 0;
}

static void counter_free(struct counter *counter)
{
    remora_free((void *)(uintptr_t)counter->name.data);
    remora_free((void *)(uintptr_t)counter->namespace_name.data);
    remora_free(counter);
}

void counter_table_fini(struct counter_table *table)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(table->chains); i++) {
        struct counter *counter = atomic_load(&table->chains[i]);
        while (counter != NULL) {
            struct counter *next = counter->next;
            assert(remora_list_is_empty(&counter->waiters));
            counter_free(counter);
            counter = next;
        }
    }
    pthread_mutex_destroy(&table->lock);
}

/* FNV-1a, 32 bits (draft-eastlake-fnv, section 5). */
static uint32_t hash_on(uint32_t hash, struct remora_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (uint8_t)text.data[i]) * 16777619u;
    }
    return hash;
}

/* From `from` up to but not including `end`. */
static struct counter *chain_find(struct counter *from, const struct counter *end,
                                  enum counter_scope scope, struct remora_slice namespace_name,
                                  struct remora_slice name)
{
    for (struct counter *at = from; at != end; at = at->next) {
        if (at->scope == scope && remora_slice_equal(at->name, name) &&
            remora_slice_equal(at->namespace_name, namespace_name)) {
            return at;
        }
    }
    return NULL;
}

static struct counter *counter_new(enum counter_scope scope, struct remora_slice namespace_name,
                                   struct remora_slice name)
{
    struct counter *counter = remora_alloc(sizeof *counter);
    if (counter == NULL) {
        return NULL;
    }
    counter->scope = scope;
    counter->name = remora_slice(remora_strdup(name), name.length);
    counter->namespace_name = remora_slice(remora_strdup(namespace_name), namespace_name.length);
    remora_list_init(&counter->waiters);
    if (counter->name.data == NULL || counter->namespace_name.data == NULL) {
        counter_free(counter);
        return NULL;
    }
    return counter;
}

/* Prepends, unless somebody else was faster; then his. */
static struct counter *publish(_Atomic(struct counter *) *chain, struct counter *head,
                               struct counter *made)
{
    for (;;) {
        const struct counter *seen = head;
        made->next = head;
        if (atomic_compare_exchange_weak_explicit(chain, &head, made, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            return made;
        }
        struct counter *found =
            chain_find(head, seen, made->scope, made->namespace_name, made->name);
        if (found != NULL) {
            return found;
        }
    }
}

struct counter *counter_find(struct counter_table *table, enum counter_scope scope,
                             struct remora_slice namespace_name, struct remora_slice name)
{
    uint32_t hash = hash_on(hash_on(2166136261u + (uint32_t)scope, namespace_name), name);
    _Atomic(struct counter *) *chain = &table->chains[hash % REMORA_COUNT_OF(table->chains)];
    struct counter *head = atomic_load_explicit(chain, memory_order_acquire);
    struct counter *found = chain_find(head, NULL, scope, namespace_name, name);
    if (found != NULL) {
        return found;
    }
    if (atomic_fetch_add(&table->count, 1) >= NAMES_MAX) {
        atomic_fetch_sub(&table->count, 1);
        return NULL;
    }
    struct counter *made = counter_new(scope, namespace_name, name);
    found = made == NULL ? NULL : publish(chain, head, made);
    if (found != made || made == NULL) {
        atomic_fetch_sub(&table->count, 1);
        if (made != NULL) {
            counter_free(made);
        }
    }
    return found;
}

/* ---- places ---- */

static bool try_take(struct counter *counter, int64_t limit)
{
    int64_t taken = atomic_load(&counter->taken);
    while (limit < 0 || taken < limit) {
        if (atomic_compare_exchange_weak(&counter->taken, &taken, taken + 1)) {
            return true;
        }
    }
    return false;
}

/* The first waiter, if there is a place for it; it is off the list then and holds it. */
static bool grant_locked(struct counter *counter, void (**wake)(void *context), void **context)
{
    if (remora_list_is_empty(&counter->waiters)) {
        return false;
    }
    struct waiter *first = REMORA_CONTAINER_OF(counter->waiters.next, struct waiter, node);
    if (!try_take(counter, atomic_load(&counter->limit))) {
        return false;
    }
    remora_list_remove(&first->node);
    atomic_fetch_sub(&counter->waiting, 1);
    *wake = first->wake;
    *context = first->wake_context;
    atomic_store_explicit(&first->is_granted, true, memory_order_release); /* its owner's again */
    return true;
}

static void grant_all(struct counter_table *table, struct counter *counter)
{
    for (;;) {
        void (*wake)(void *context) = NULL;
        void *context = NULL;
        pthread_mutex_lock(&table->lock);
        bool has_granted = grant_locked(counter, &wake, &context);
        pthread_mutex_unlock(&table->lock);
        if (!has_granted) {
            return;
        }
        wake(context);
    }
}

/* A reload may have changed it: the line moves by the new one before anybody new is let in. */
static void note_limit(struct counter_table *table, struct counter *counter, int64_t limit)
{
    bool is_new =
        atomic_load(&counter->limit) != limit && atomic_exchange(&counter->limit, limit) != limit;
    if (is_new && atomic_load(&counter->waiting) > 0) {
        grant_all(table, counter);
    }
}

enum counter_place counter_take(struct counter_table *table, struct counter *counter, int64_t limit,
                                struct waiter *waiter)
{
    note_limit(table, counter, limit);
    if ((limit < 0 || atomic_load(&counter->waiting) == 0) && try_take(counter, limit)) {
        return COUNTER_TAKEN;
    }
    atomic_store_explicit(&waiter->is_granted, false, memory_order_relaxed);
    pthread_mutex_lock(&table->lock);
    bool has_room = atomic_load(&counter->waiting) < waiter->longest_line;
    if (has_room) {
        remora_list_append(&counter->waiters, &waiter->node);
        atomic_fetch_add(&counter->waiting, 1);
    }
    pthread_mutex_unlock(&table->lock);
    if (!has_room) {
        return COUNTER_REFUSED;
    }
    grant_all(table, counter);
    return COUNTER_WAITS;
}

void counter_give(struct counter_table *table, struct counter *counter)
{
    int64_t before = atomic_fetch_sub(&counter->taken, 1);
    assert(before > 0);
    (void)before;
    if (atomic_load(&counter->waiting) > 0) {
        grant_all(table, counter);
    }
}

bool counter_leave(struct counter_table *table, struct counter *counter, struct waiter *waiter)
{
    pthread_mutex_lock(&table->lock);
    bool is_granted = atomic_load_explicit(&waiter->is_granted, memory_order_acquire);
    if (!is_granted) {
        remora_list_remove(&waiter->node);
        atomic_fetch_sub(&counter->waiting, 1);
    }
    pthread_mutex_unlock(&table->lock);
    return is_granted;
}
