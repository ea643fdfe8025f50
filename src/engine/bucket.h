/*
 * A token bucket in one atomic word, shared by all workers: it holds one minute's worth of units and is filled evenly. Pure:
 * time is an argument (monotonic nanoseconds). Any thread, never blocks.
 */
#ifndef REMORA_ENGINE_BUCKET_H
#define REMORA_ENGINE_BUCKET_H

#include <stdatomic.h>

#include "remora/base.h"
#include "remora/clock.h"

/* Zero-initialised: full. */
struct bucket {
    _Atomic uint64_t full_at_ns; /* when it will be full again, if nothing is taken until then */
};

/* What was taken, for giving it back. */
struct bucket_charge {
    uint64_t cost_ns;    /* time in which as much flows in; 0: nothing was taken */
    uint64_t full_at_ns; /* just after the taking */
};

/*
 * Takes `units` (>= 0) of a bucket of `per_minute` (>= 1) and fills *charge. More than a minute's worth is let in when the
 * bucket is full and is owed afterwards. False: nothing was taken, *wait_ns is how long until it would be.
 */
REMORA_MUST_CHECK bool bucket_take(struct bucket *bucket, int64_t per_minute, int64_t units,
                                   uint64_t now_ns, struct bucket_charge *charge,
                                   uint64_t *wait_ns);
/*
 * The units turned out to be `actual`: takes the rest, whether it is there or not, or gives back what has not flowed in
 * anyway since the charge. The charge is spent.
 */
void bucket_correct(struct bucket *bucket, int64_t per_minute, int64_t actual, uint64_t now_ns,
                    struct bucket_charge *charge);

#endif
