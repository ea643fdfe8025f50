/* The system's clock. */
#include "remora/clock.h"

#include <time.h>

static uint64_t system_now_ns(const struct remora_clock *clock)
{
    (void)clock;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * REMORA_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int64_t system_unix_ms(const struct remora_clock *clock)
{
    (void)clock;
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const struct remora_clock *remora_clock_system(void)
{
    static const struct remora_clock system = {system_now_ns, system_unix_ms};
    return &system;
}
