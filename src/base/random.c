/*
 * xoshiro256** 1.0 seeded by splitmix64. Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number
 * generators", 2018, and the generators' page at prng.di.unimi.it.
 */
#include "remora/clock.h"

#include <sys/random.h>
#include <time.h>

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

void remora_random_seed(struct remora_random *random, uint64_t seed)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(random->state); i++) {
        seed += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        random->state[i] = z ^ (z >> 31);
    }
}

/* A kernel that refuses leaves the time: these numbers spread load, they keep no secret. */
void remora_random_seed_system(struct remora_random *random)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        struct timespec now = {0};
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 32) ^ (uint64_t)(uintptr_t)random;
    }
    remora_random_seed(random, seed);
}

uint64_t remora_random_next(struct remora_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* D. Lemire, "Fast Random Integer Generation in an Interval" (2019): a multiplication, and a division only when it may be biased. */
uint64_t remora_random_below(struct remora_random *random, uint64_t bound)
{
    unsigned __int128 product = (unsigned __int128)remora_random_next(random) * bound;
    if ((uint64_t)product < bound) {
        uint64_t biased = (0 - bound) % bound;
        while ((uint64_t)product < biased) {
            product = (unsigned __int128)remora_random_next(random) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}
