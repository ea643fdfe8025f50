/*
 * Time and randomness as arguments.
 *
 * Pure rooms take `now_ns` (monotonic) or a random source as parameters. Timers are a heap that whoever owns the clock
 * advances: the loop with CLOCK_MONOTONIC, a test with a number. Everything here belongs to one thread.
 */
#ifndef REMORA_CLOCK_H
#define REMORA_CLOCK_H

#include "remora/base.h"
#include "remora/codes.h"

#define REMORA_NS_PER_MS UINT64_C(1000000)
#define REMORA_NS_PER_S  UINT64_C(1000000000)
#define REMORA_NEVER_NS  UINT64_MAX

/* A source of time. The loop's reads each clock once per round; a test's is a pair of numbers. */
struct remora_clock {
    uint64_t (*now_ns)(const struct remora_clock *clock); /* monotonic */
    int64_t (*unix_ms)(
        const struct remora_clock *clock); /* wall clock: only for timestamps shown to people */
};

/* The system's. Any thread. */
const struct remora_clock *remora_clock_system(void);

/* Deterministic when seeded so; owned by one worker. Not for secrets. (xoshiro256**, Blackman and Vigna 2018) */
struct remora_random {
    uint64_t state[4];
};
void remora_random_seed(struct remora_random *random, uint64_t seed);
/* Seeds from the kernel: getrandom(2). */
void remora_random_seed_system(struct remora_random *random);
uint64_t remora_random_next(struct remora_random *random);
/* Uniform in [0, bound), bound > 0, without modulo bias. */
uint64_t remora_random_below(struct remora_random *random, uint64_t bound);

/* A one-shot timer inside its owner's struct. Zero-initialised means not armed. */
struct remora_timer {
    uint64_t due_ns;
    size_t slot; /* 1-based place in the heap, 0 = not armed */
    void (*fire)(struct remora_timer *timer);
};

struct remora_timers {
    struct remora_timer **heap;
    size_t count;
    size_t capacity;
    uint64_t run_ns; /* of the run under way */
    bool is_running;
};

void remora_timers_init(struct remora_timers *timers);
void remora_timers_fini(struct remora_timers *timers);
/* SHEDDING: no memory, and it is not armed. Arms or moves. `fire` runs from remora_timers_run, once, with the timer no longer armed; it may arm any timer. */
REMORA_MUST_CHECK enum remora_code remora_timers_arm(struct remora_timers *timers,
                                                     struct remora_timer *timer, uint64_t due_ns,
                                                     void (*fire)(struct remora_timer *timer));
void remora_timers_disarm(struct remora_timers *timers, struct remora_timer *timer);
static inline bool remora_timer_is_armed(const struct remora_timer *timer)
{
    return timer->slot != 0;
}
/* Due time of the earliest timer, or REMORA_NEVER_NS. */
uint64_t remora_timers_next_ns(const struct remora_timers *timers);
/*
 * Fires everything due at or before now_ns, in order of due time. A timer armed by a callback for now_ns or earlier is
 * due at now_ns + 1 instead and waits for the next run, so that a run always ends. now_ns < REMORA_NEVER_NS; not from a
 * callback.
 */
void remora_timers_run(struct remora_timers *timers, uint64_t now_ns);

#endif
