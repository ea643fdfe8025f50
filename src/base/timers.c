/*
 * Timers: a binary min-heap of pointers, ordered by due time. A timer knows its place, so that moving and disarming are
 * O(log n). Timers due at the same time fire in no particular order.
 *
 * A run fires what was due when it began and is still armed. A timer that a callback arms for a time at or before the run's `now_ns` gets
 * now_ns + 1 instead and fires in the next run: whatever callbacks do, a run ends.
 * Fails: only arming a timer that was not armed, when the heap cannot grow (SHEDDING).
 */
#include "remora/clock.h"

#include "remora/memory.h"

#include <assert.h>

void remora_timers_init(struct remora_timers *timers)
{
    *timers = (struct remora_timers){0};
}

void remora_timers_fini(struct remora_timers *timers)
{
    for (size_t i = 0; i < timers->count; i++) {
        timers->heap[i]->slot = 0;
    }
    remora_free(timers->heap);
    *timers = (struct remora_timers){0};
}

static void place(struct remora_timers *timers, size_t index, struct remora_timer *timer)
{
    timers->heap[index] = timer;
    timer->slot = index + 1;
}

static void sift_up(struct remora_timers *timers, size_t index, struct remora_timer *timer)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timers->heap[parent]->due_ns <= timer->due_ns) {
            break;
        }
        place(timers, index, timers->heap[parent]);
        index = parent;
    }
    place(timers, index, timer);
}

static void sift_down(struct remora_timers *timers, size_t index, struct remora_timer *timer)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timers->count) {
            break;
        }
        if (child + 1 < timers->count &&
            timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns) {
            child++;
        }
        if (timers->heap[child]->due_ns >= timer->due_ns) {
            break;
        }
        place(timers, index, timers->heap[child]);
        index = child;
    }
    place(timers, index, timer);
}

static void sift(struct remora_timers *timers, size_t index, struct remora_timer *timer)
{
    if (index > 0 && timers->heap[(index - 1) / 2]->due_ns > timer->due_ns) {
        sift_up(timers, index, timer);
    } else {
        sift_down(timers, index, timer);
    }
}

static enum remora_code grow(struct remora_timers *timers)
{
    size_t capacity = timers->capacity == 0 ? 16 : timers->capacity * 2;
    size_t bytes;
    if (!remora_size_mul(capacity, sizeof *timers->heap, &bytes)) {
        return REMORA_SHEDDING;
    }
    struct remora_timer **heap = remora_realloc(timers->heap, bytes);
    if (heap == NULL) {
        return REMORA_SHEDDING;
    }
    timers->heap = heap;
    timers->capacity = capacity;
    return REMORA_OK;
}

enum remora_code remora_timers_arm(struct remora_timers *timers, struct remora_timer *timer,
                                   uint64_t due_ns, void (*fire)(struct remora_timer *timer))
{
    if (timer->slot == 0 && timers->count == timers->capacity) {
        enum remora_code rc = grow(timers);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    if (timers->is_running && due_ns <= timers->run_ns) {
        due_ns = timers->run_ns == REMORA_NEVER_NS ? REMORA_NEVER_NS : timers->run_ns + 1;
    }
    timer->due_ns = due_ns;
    timer->fire = fire;
    if (timer->slot == 0) {
        sift_up(timers, timers->count++, timer);
    } else {
        assert(timers->heap[timer->slot - 1] == timer);
        sift(timers, timer->slot - 1, timer);
    }
    return REMORA_OK;
}

void remora_timers_disarm(struct remora_timers *timers, struct remora_timer *timer)
{
    if (timer->slot == 0) {
        return;
    }
    size_t index = timer->slot - 1;
    assert(index < timers->count && timers->heap[index] == timer);
    timer->slot = 0;
    struct remora_timer *last = timers->heap[--timers->count];
    if (last != timer) {
        sift(timers, index, last);
    }
}

uint64_t remora_timers_next_ns(const struct remora_timers *timers)
{
    return timers->count == 0 ? REMORA_NEVER_NS : timers->heap[0]->due_ns;
}

void remora_timers_run(struct remora_timers *timers, uint64_t now_ns)
{
    assert(!timers->is_running && now_ns != REMORA_NEVER_NS);
    timers->is_running = true;
    timers->run_ns = now_ns;
    while (timers->count > 0 && timers->heap[0]->due_ns <= now_ns) {
        struct remora_timer *timer = timers->heap[0];
        remora_timers_disarm(timers, timer);
        timer->fire(timer);
    }
    timers->is_running = false;
}
