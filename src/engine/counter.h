/*
 * What is counted for one service or one gateway key: requests in flight, with those that wait for a place, and the buckets
 * of its rates. Counters belong to names and live as long as the process, so they survive a reload. Any thread; the way of
 * a request that finds room is atomics only, waiting takes a lock.
 */
#ifndef REMORA_ENGINE_COUNTER_H
#define REMORA_ENGINE_COUNTER_H

#include <pthread.h>

#include "bucket.h"
#include "remora/codes.h"
#include "remora/list.h"

/* Who is counted; a request counts for both. */
enum counter_scope { COUNTER_SERVICE, COUNTER_KEY, COUNTER_SCOPES };

struct counter {
    struct counter *next; /* in its chain */
    enum counter_scope scope;
    struct remora_slice namespace_name;
    struct remora_slice name;
    struct bucket requests;
    struct bucket tokens;
    _Atomic int64_t taken; /* requests in flight */
    _Atomic int64_t limit; /* of places, as who asked last has it, negative: none; 0: nobody has */
    _Atomic uint32_t waiting;   /* length of `waiters` */
    struct remora_list waiters; /* guarded by the table's lock */
};

/* All counters of the process. */
struct counter_table {
    _Atomic uint32_t count;
    _Atomic(struct counter *) chains[256];
    pthread_mutex_t lock; /* guards every counter's waiters */
};
/* Zero-initialised memory. False: no lock. */
REMORA_MUST_CHECK bool counter_table_init(struct counter_table *table);
void counter_table_fini(struct counter_table *table);
/*
 * The counter of a name, made when new; NULL when it cannot be counted (no memory, more than 4,095 names). No lock.
 * namespace_name is empty for keys.
 */
struct counter *counter_find(struct counter_table *table, enum counter_scope scope,
                             struct remora_slice namespace_name, struct remora_slice name);

/* A request that waits for a place. The owner's struct must stay until it was granted or has left. */
struct waiter {
    struct remora_list node;     /* guarded by the table's lock */
    uint32_t longest_line;       /* how many may wait, this one among them */
    void (*wake)(void *context); /* any thread; called without the lock, after is_granted was set */
    void *wake_context;
    _Atomic bool is_granted; /* it holds a place */
};

enum counter_place {
    COUNTER_TAKEN,
    COUNTER_WAITS,  /* wake will be called */
    COUNTER_REFUSED /* too many wait already */
};
/*
 * Takes one of `limit` places, or waits for one behind those that came before. A negative limit always has one, and counts
 * all the same, so that a limit that comes with a reload sees who is there. Whoever asks last says what the limit is: those who
 * wait already are let in by it, too, and first.
 */
REMORA_MUST_CHECK enum counter_place counter_take(struct counter_table *table,
                                                  struct counter *counter, int64_t limit,
                                                  struct waiter *waiter);
/* Takes back one successful take; who waits gets the place. */
void counter_give(struct counter_table *table, struct counter *counter);
/* Ends waiting. True: a place had been granted meanwhile and is the caller's. */
REMORA_MUST_CHECK bool counter_leave(struct counter_table *table, struct counter *counter,
                                     struct waiter *waiter);

#endif
