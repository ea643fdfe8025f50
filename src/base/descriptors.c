#include "remora/descriptors.h"

#include "remora/limits.h"

#include <sys/resource.h>

enum { LISTENERS = 4, IDLE_OF_WORKER = 128, OTHERS = 256 };

static uint64_t limit_of(rlim_t limit)
{
    return limit == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit;
}

uint64_t remora_descriptors_needed(unsigned worker_count)
{
    return (uint64_t)LISTENERS * REMORA_LIMIT_CONNECTIONS + REMORA_LIMIT_EXCHANGES +
           (uint64_t)worker_count * IDLE_OF_WORKER + OTHERS;
}

uint64_t remora_descriptors_raise(uint64_t needed)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return UINT64_MAX;
    }
    uint64_t hard = limit_of(limit.rlim_max);
    struct rlimit raised = {.rlim_cur = (rlim_t)(needed < hard ? needed : hard),
                            .rlim_max = limit.rlim_max};
    if (limit_of(limit.rlim_cur) < raised.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        return raised.rlim_cur;
    }
    return limit_of(limit.rlim_cur);
}

bool remora_descriptor_leaves(int fd, uint64_t spare)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 || (uint64_t)fd + spare < limit_of(limit.rlim_cur);
}
