/*
 * Health of endpoints and keys: 8,191 slots of atomics, found by name when a snapshot is loaded and by number afterwards.
 *
 * Happy path: condition() reads two or three words and says WELL; success() writes nothing but the window's count.
 *
 * A trip (breaker or bench) is one 64-bit word, so that every transition is one compare-and-swap:
 *     bits 0..47   until, monotonic milliseconds: before it nobody tries; from then on one probe may be claimed
 *     bits 48..55  step: how many windows in a row have failed; 0 is a closed breaker, a key in use
 *     bit  63      a probe of this window is claimed
 * Claiming moves `until` one window on, so that a probe that is never answered (its caller left) blocks nobody for ever.
 * While the window of an open breaker runs, only the answer of the probe moves it: attempts that began earlier still end,
 * well or badly, and say nothing new. (An old attempt that ends between claim and answer is taken for the probe, and a
 * failure after the window for the next one: both are answers of the same endpoint.)
 *
 * The window of 10 s is ten cells of one second, each one word: second (32 bits), attempts (16), failures (16).
 *
 * Numbers: reliability.md F37 and F38; the bench: ARCHITECTURE 6 "Classes".
 * Failures: no memory for the table (new returns NULL) or for a name (slot 0: always well, nothing is remembered).
 */
#include "remora/health.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "remora/clock.h"
#include "remora/memory.h"

enum {
    SLOTS = 8192,        /* slot 0 included */
    INDEX_CELLS = 16384, /* at most half full; a power of two */
    WINDOW_CELLS = 10,
    FAILURES_IN_A_ROW = 5,
    WINDOW_SAMPLES_MIN = 20,
    CELL_COUNT_MAX = 0xffff,
    STEP_MAX = 255,
};
#define BREAKER_WINDOW_MS     UINT64_C(30000)
#define BREAKER_WINDOW_MAX_MS UINT64_C(300000)
#define BENCH_WINDOW_MS       UINT64_C(300000)
#define BENCH_WINDOW_MAX_MS   UINT64_C(3600000)

#define TRIP_UNTIL_MASK ((UINT64_C(1) << 48) - 1)
#define TRIP_STEP_SHIFT 48
#define TRIP_PROBED     (UINT64_C(1) << 63)

struct slot {
    _Atomic uint64_t breaker; /* a trip */
    _Atomic uint64_t bench;   /* a trip */
    _Atomic uint64_t cool_until_ns;
    _Atomic uint64_t gone_until_ns;
    _Atomic uint32_t failures_in_a_row;
    _Atomic uint64_t cells[WINDOW_CELLS];
};

/*
 * A key and an endpoint have two slots that take turns: when what stands behind the name changes the other one is wiped and given
 * out, so that a request which still carries the old key and is refused for it benches the old slot.
 */
struct key {
    struct remora_health_content content; /* of the slot in use */
    uint16_t in_use;
    uint16_t other; /* 0: not needed yet */
};

struct remora_health {
    pthread_mutex_t lock;        /* guards names, keys, index and count */
    uint64_t names[SLOTS];       /* their hashes */
    struct key keys[SLOTS];      /* by the slot of the name; in_use 0: nothing changes */
    uint16_t index[INDEX_CELLS]; /* by hash of the name: slot, 0 empty */
    uint32_t count;              /* slots given, slot 0 included */
    struct slot slots[SLOTS];
};

typedef uint64_t (*window_fn)(uint64_t step);

static uint64_t breaker_window_ms(uint64_t step)
{
    uint64_t window_ms = BREAKER_WINDOW_MS * step;
    return window_ms < BREAKER_WINDOW_MAX_MS ? window_ms : BREAKER_WINDOW_MAX_MS;
}

static uint64_t bench_window_ms(uint64_t step)
{
    uint64_t window_ms = BENCH_WINDOW_MS;
    for (uint64_t i = 1; i < step && window_ms < BENCH_WINDOW_MAX_MS; i++) {
        window_ms *= 2;
    }
    return window_ms < BENCH_WINDOW_MAX_MS ? window_ms : BENCH_WINDOW_MAX_MS;
}

static uint64_t trip_step(uint64_t trip)
{
    return trip >> TRIP_STEP_SHIFT & STEP_MAX;
}

static uint64_t trip_until_ns(uint64_t trip)
{
    return (trip & TRIP_UNTIL_MASK) * REMORA_NS_PER_MS;
}

static uint64_t trip_make(uint64_t step, uint64_t now_ns, uint64_t window_ms, uint64_t flags)
{
    uint64_t until_ms = (now_ns + REMORA_NS_PER_MS - 1) / REMORA_NS_PER_MS + window_ms;
    return (until_ms & TRIP_UNTIL_MASK) | step << TRIP_STEP_SHIFT | flags;
}

/* A failure, a refused key: the first one trips, that of a probe or after the window takes the next step. */
static void trip_worsen(_Atomic uint64_t *word, window_fn window, uint64_t now_ns)
{
    uint64_t trip = atomic_load_explicit(word, memory_order_acquire);
    for (;;) {
        bool waits =
            trip_step(trip) != 0 && (trip & TRIP_PROBED) == 0 && now_ns < trip_until_ns(trip);
        if (waits) {
            return;
        }
        uint64_t step = trip_step(trip) < STEP_MAX ? trip_step(trip) + 1 : STEP_MAX;
        uint64_t next = trip_make(step, now_ns, window(step), 0);
        if (atomic_compare_exchange_weak_explicit(word, &trip, next, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            return;
        }
    }
}

/* True when there is nothing to claim or this call claimed the probe. */
static bool trip_claim(_Atomic uint64_t *word, window_fn window, uint64_t now_ns)
{
    uint64_t trip = atomic_load_explicit(word, memory_order_acquire);
    while (trip_step(trip) != 0) {
        if (now_ns < trip_until_ns(trip)) {
            return false;
        }
        uint64_t step = trip_step(trip);
        uint64_t next = trip_make(step, now_ns, window(step), TRIP_PROBED);
        if (atomic_compare_exchange_weak_explicit(word, &trip, next, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            return true;
        }
    }
    return true;
}

/* The window that claiming began is taken back. In whole milliseconds that are over: the next claim may come at once. */
static void trip_release(_Atomic uint64_t *word, uint64_t now_ns)
{
    uint64_t trip = atomic_load_explicit(word, memory_order_acquire);
    while ((trip & TRIP_PROBED) != 0) {
        uint64_t until_ms = now_ns / REMORA_NS_PER_MS & TRIP_UNTIL_MASK;
        uint64_t next = until_ms | trip_step(trip) << TRIP_STEP_SHIFT;
        if (atomic_compare_exchange_weak_explicit(word, &trip, next, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            return;
        }
    }
}

/* ---- the window of 10 s ---- */

static uint64_t cell_make(uint32_t second, uint64_t attempts, uint64_t failures)
{
    return (uint64_t)second << 32 | attempts << 16 | failures;
}

static void window_count(struct slot *slot, uint64_t now_ns, uint64_t failures)
{
    uint32_t second = (uint32_t)(now_ns / REMORA_NS_PER_S);
    _Atomic uint64_t *word = &slot->cells[second % WINDOW_CELLS];
    uint64_t cell = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t next;
    do {
        uint64_t base = (uint32_t)(cell >> 32) == second ? cell : cell_make(second, 0, 0);
        uint64_t attempts = base >> 16 & CELL_COUNT_MAX;
        if (attempts == CELL_COUNT_MAX) {
            return; /* 65,535 attempts in one second: the share is known well enough */
        }
        next = cell_make(second, attempts + 1, (base & CELL_COUNT_MAX) + failures);
    } while (!atomic_compare_exchange_weak_explicit(word, &cell, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

/* At least half of at least 20. */
static bool window_is_bad(const struct slot *slot, uint64_t now_ns)
{
    uint32_t second = (uint32_t)(now_ns / REMORA_NS_PER_S);
    uint64_t attempts = 0;
    uint64_t failures = 0;
    for (size_t i = 0; i < WINDOW_CELLS; i++) {
        uint64_t cell = atomic_load_explicit(&slot->cells[i], memory_order_relaxed);
        if (second - (uint32_t)(cell >> 32) < WINDOW_CELLS) {
            attempts += cell >> 16 & CELL_COUNT_MAX;
            failures += cell & CELL_COUNT_MAX;
        }
    }
    return attempts >= WINDOW_SAMPLES_MIN && failures * 2 >= attempts;
}

/* ---- slots ---- */

struct remora_health *remora_health_new(void)
{
    struct remora_health *health = remora_alloc(sizeof(*health));
    if (health == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&health->lock, NULL) != 0) {
        remora_free(health);
        return NULL;
    }
    health->count = 1;
    return health;
}

void remora_health_free(struct remora_health *health)
{
    if (health == NULL) {
        return;
    }
    pthread_mutex_destroy(&health->lock);
    remora_free(health);
}

/*
 * FNV-1a, 64 bits (draft-eastlake-fnv, section 5). It stands for the name, so that no copy of every name is held: names come
 * from the operator, not from callers, and that two of 8,191 have the same is less likely than 1 in 10^12.
 */
static uint64_t name_hash(struct remora_slice name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < name.length; i++) {
        hash = (hash ^ (uint8_t)name.data[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static uint32_t slot_add_locked(struct remora_health *health, uint64_t name, size_t cell)
{
    if (health->count == SLOTS) {
        return 0;
    }
    uint32_t slot = health->count++;
    health->names[slot] = name;
    health->index[cell] = (uint16_t)slot;
    return slot;
}

static uint32_t slot_of_locked(struct remora_health *health, struct remora_slice text)
{
    uint64_t name = name_hash(text);
    size_t cell = name % INDEX_CELLS;
    uint32_t slot = health->index[cell];
    while (slot != 0 && health->names[slot] != name) {
        cell = (cell + 1) % INDEX_CELLS;
        slot = health->index[cell];
    }
    return slot == 0 ? slot_add_locked(health, name, cell) : slot;
}

uint32_t remora_health_slot(struct remora_health *health, struct remora_slice name)
{
    pthread_mutex_lock(&health->lock);
    uint32_t slot = slot_of_locked(health, name);
    pthread_mutex_unlock(&health->lock);
    return slot;
}

static void slot_wipe(struct slot *slot)
{
    atomic_store_explicit(&slot->breaker, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->bench, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->cool_until_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->gone_until_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->failures_in_a_row, 0, memory_order_relaxed);
    for (size_t i = 0; i < WINDOW_CELLS; i++) {
        atomic_store_explicit(&slot->cells[i], 0, memory_order_relaxed);
    }
}

/* In a full table a key has its first slot only, wiped under whoever still writes to it. */
static void key_turn_locked(struct remora_health *health, struct key *key)
{
    if (key->other == 0) {
        key->other = health->count < SLOTS ? (uint16_t)health->count++ : key->in_use;
    }
    uint16_t next = key->other;
    key->other = key->in_use;
    key->in_use = next;
    slot_wipe(&health->slots[next]);
}

static bool is_same(const struct remora_health_content *a, const struct remora_health_content *b)
{
    return a->secret == b->secret && a->settings == b->settings;
}

uint32_t remora_health_slot_of(struct remora_health *health, struct remora_slice name,
                               const struct remora_health_content *content, bool *is_changed)
{
    *is_changed = false;
    pthread_mutex_lock(&health->lock);
    uint32_t slot = slot_of_locked(health, name);
    struct key *key = &health->keys[slot];
    if (slot != 0 && key->in_use == 0) {
        *key = (struct key){.content = *content, .in_use = (uint16_t)slot};
    } else if (slot != 0 && !is_same(&key->content, content)) {
        *is_changed = key->content.secret != content->secret;
        key->content = *content;
        key_turn_locked(health, key);
    }
    slot = key->in_use;
    pthread_mutex_unlock(&health->lock);
    return slot;
}

/* ---- conditions ---- */

enum remora_condition remora_health_condition(const struct remora_health *health, uint32_t slot,
                                              uint64_t now_ns, uint64_t *until_ns)
{
    assert(slot < SLOTS);
    const struct slot *s = &health->slots[slot];
    uint64_t gone_until_ns = atomic_load_explicit(&s->gone_until_ns, memory_order_relaxed);
    if (now_ns < gone_until_ns) {
        *until_ns = gone_until_ns;
        return REMORA_CONDITION_GONE;
    }
    uint64_t cool_until_ns = atomic_load_explicit(&s->cool_until_ns, memory_order_relaxed);
    if (now_ns < cool_until_ns) {
        *until_ns = cool_until_ns;
        return REMORA_CONDITION_COOLING;
    }
    uint64_t breaker = atomic_load_explicit(&s->breaker, memory_order_relaxed);
    uint64_t bench = atomic_load_explicit(&s->bench, memory_order_relaxed);
    if (now_ns < trip_until_ns(breaker)) {
        *until_ns = trip_until_ns(breaker);
        return REMORA_CONDITION_BREAKER_OPEN;
    }
    if (now_ns < trip_until_ns(bench)) {
        *until_ns = trip_until_ns(bench);
        return REMORA_CONDITION_BENCHED;
    }
    return (breaker | bench) == 0 ? REMORA_CONDITION_WELL : REMORA_CONDITION_PROBE;
}

bool remora_health_claim_probe(struct remora_health *health, uint32_t slot, uint64_t now_ns)
{
    assert(slot < SLOTS);
    struct slot *s = &health->slots[slot];
    return trip_claim(&s->breaker, breaker_window_ms, now_ns) &&
           trip_claim(&s->bench, bench_window_ms, now_ns);
}

void remora_health_release_probe(struct remora_health *health, uint32_t slot, uint64_t now_ns)
{
    assert(slot < SLOTS);
    struct slot *s = &health->slots[slot];
    trip_release(&s->breaker, now_ns);
    trip_release(&s->bench, now_ns);
}

void remora_health_answer(struct remora_health *health, uint32_t slot, uint64_t now_ns)
{
    assert(slot < SLOTS);
    if (slot == 0) {
        return;
    }
    struct slot *s = &health->slots[slot];
    window_count(s, now_ns, 0);
    if (atomic_load_explicit(&s->failures_in_a_row, memory_order_relaxed) != 0) {
        atomic_store_explicit(&s->failures_in_a_row, 0, memory_order_relaxed);
    }
}

void remora_health_success(struct remora_health *health, uint32_t slot, uint64_t now_ns)
{
    assert(slot < SLOTS);
    if (slot == 0) {
        return;
    }
    struct slot *s = &health->slots[slot];
    remora_health_answer(health, slot, now_ns);
    uint64_t breaker = atomic_load_explicit(&s->breaker, memory_order_acquire);
    while ((breaker & TRIP_PROBED) != 0) {
        if (atomic_compare_exchange_weak_explicit(&s->breaker, &breaker, 0, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            break;
        }
    }
    if (atomic_load_explicit(&s->bench, memory_order_relaxed) != 0) {
        atomic_store_explicit(&s->bench, 0, memory_order_release);
    }
}

void remora_health_failure(struct remora_health *health, uint32_t slot, uint64_t now_ns)
{
    assert(slot < SLOTS);
    if (slot == 0) {
        return;
    }
    struct slot *s = &health->slots[slot];
    window_count(s, now_ns, 1);
    uint32_t in_a_row =
        1 + atomic_fetch_add_explicit(&s->failures_in_a_row, 1, memory_order_relaxed);
    bool is_probe = (atomic_load_explicit(&s->breaker, memory_order_acquire) & TRIP_PROBED) != 0;
    if (is_probe || in_a_row >= FAILURES_IN_A_ROW || window_is_bad(s, now_ns)) {
        trip_worsen(&s->breaker, breaker_window_ms, now_ns);
    }
}

/* max(existing, now + for_ns) */
static void rest_until(_Atomic uint64_t *word, uint64_t now_ns, uint64_t for_ns)
{
    uint64_t until_ns = for_ns < REMORA_NEVER_NS - now_ns ? now_ns + for_ns : REMORA_NEVER_NS;
    uint64_t existing_ns = atomic_load_explicit(word, memory_order_relaxed);
    while (existing_ns < until_ns) {
        if (atomic_compare_exchange_weak_explicit(word, &existing_ns, until_ns,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return;
        }
    }
}

void remora_health_cool(struct remora_health *health, uint32_t slot, uint64_t now_ns,
                        uint64_t for_ns)
{
    assert(slot < SLOTS);
    if (slot != 0) {
        rest_until(&health->slots[slot].cool_until_ns, now_ns, for_ns);
    }
}

void remora_health_gone(struct remora_health *health, uint32_t slot, uint64_t now_ns,
                        uint64_t for_ns)
{
    assert(slot < SLOTS);
    if (slot != 0) {
        rest_until(&health->slots[slot].gone_until_ns, now_ns, for_ns);
    }
}

void remora_health_bench(struct remora_health *health, uint32_t slot, uint64_t now_ns)
{
    assert(slot < SLOTS);
    if (slot != 0) {
        trip_worsen(&health->slots[slot].bench, bench_window_ms, now_ns);
    }
}
