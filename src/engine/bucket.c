/*
 * Units are held as the time in which they flow in, so a full bucket is one minute, whatever the rate, and the state
 * survives a reload that changes the rate. `full_at - now` is what is missing.
 *
 * The generic cell rate algorithm (ITU-T I.371 annex A) with a burst of one minute: in any t seconds at most
 * per_minute * (1 + t / 60) units pass.
 *
 * What is owed is bounded: a provider that reports an absurd usage must not shut a service out for ever.
 */
#include "bucket.h"

#define MINUTE_NS    (60 * REMORA_NS_PER_S)
#define OWED_MOST_NS (10 * MINUTE_NS)

/* Rounded up; at most what may be owed. */
static uint64_t cost_of(int64_t per_minute, int64_t units)
{
    if (units <= 0) {
        return 0;
    }
    unsigned __int128 rate = (unsigned __int128)per_minute;
    unsigned __int128 ns = ((unsigned __int128)units * MINUTE_NS + rate - 1) / rate;
    return ns < OWED_MOST_NS ? (uint64_t)ns : OWED_MOST_NS;
}

/* What is missing now. */
static uint64_t missing_ns(uint64_t full_at_ns, uint64_t now_ns)
{
    return full_at_ns > now_ns ? full_at_ns - now_ns : 0;
}

bool bucket_take(struct bucket *bucket, int64_t per_minute, int64_t units, uint64_t now_ns,
                 struct bucket_charge *charge, uint64_t *wait_ns)
{
    uint64_t cost_ns = cost_of(per_minute, units);
    uint64_t needed_ns = cost_ns < MINUTE_NS ? cost_ns : MINUTE_NS;
    uint64_t full_at_ns = atomic_load_explicit(&bucket->full_at_ns, memory_order_relaxed);
    uint64_t next_ns;
    do {
        uint64_t missing = missing_ns(full_at_ns, now_ns);
        if (missing + needed_ns > MINUTE_NS) {
            *wait_ns = missing + needed_ns - MINUTE_NS;
            return false;
        }
        next_ns = now_ns + missing + cost_ns;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->full_at_ns, &full_at_ns, next_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    *charge = (struct bucket_charge){cost_ns, next_ns};
    return true;
}

static void owe(struct bucket *bucket, uint64_t more_ns, uint64_t now_ns)
{
    uint64_t full_at_ns = atomic_load_explicit(&bucket->full_at_ns, memory_order_relaxed);
    uint64_t next_ns;
    do {
        uint64_t missing = missing_ns(full_at_ns, now_ns) + more_ns;
        next_ns = now_ns + (missing < OWED_MOST_NS ? missing : OWED_MOST_NS);
    } while (!atomic_compare_exchange_weak_explicit(&bucket->full_at_ns, &full_at_ns, next_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
}

static void give_back(struct bucket *bucket, uint64_t less_ns)
{
    uint64_t full_at_ns = atomic_load_explicit(&bucket->full_at_ns, memory_order_relaxed);
    uint64_t next_ns;
    do {
        next_ns = full_at_ns > less_ns ? full_at_ns - less_ns : 0;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->full_at_ns, &full_at_ns, next_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
}

void bucket_correct(struct bucket *bucket, int64_t per_minute, int64_t actual, uint64_t now_ns,
                    struct bucket_charge *charge)
{
    uint64_t actual_ns = cost_of(per_minute, actual);
    if (actual_ns > charge->cost_ns) {
        owe(bucket, actual_ns - charge->cost_ns, now_ns);
    } else {
        uint64_t less_ns = charge->cost_ns - actual_ns;
        uint64_t left_ns = missing_ns(charge->full_at_ns, now_ns);
        give_back(bucket, less_ns < left_ns ? less_ns : left_ns);
    }
    *charge = (struct bucket_charge){0, 0};
}
