/*
 * Counters, gauges and histograms: one open-addressed table of series, read without a lock, grown under one.
 *
 * Beyond SERIES_PER_METRIC series of a metric the labels that take names fold into "other" and the rest stays, so that
 * nobody can grow the registry by inventing names and no outcome is lost.
 */
#include "metrics_private.h"
#include "remora/memory.h"

const struct metric_row metric_rows[REMORA_METRIC_COUNT] = {
#define REMORA_METRIC(id, kind, text, label_names, what) \
    [REMORA_METRIC_##                                    \
        id] = {.name = (text), .labels = (label_names), .help = (what), .type = METRIC_##kind},
#include "remora/tbl/metrics.h"
#undef REMORA_METRIC
};

#define MS REMORA_NS_PER_MS
#define US UINT64_C(1000)
const uint64_t *metric_bounds(enum metric_type type)
{
    static const uint64_t seconds[BUCKETS - 1] = {
        10 * MS,   20 * MS,   40 * MS,   80 * MS,    160 * MS,   320 * MS,   640 * MS,
        1280 * MS, 2560 * MS, 5120 * MS, 10240 * MS, 20480 * MS, 40960 * MS, 81920 * MS};
    static const uint64_t chunk[BUCKETS - 1] = {1 * MS,   2500 * US, 5 * MS,    10 * MS,  25 * MS,
                                                50 * MS,  75 * MS,   100 * MS,  150 * MS, 200 * MS,
                                                300 * MS, 500 * MS,  1000 * MS, 2500 * MS};
    static const uint64_t overhead[BUCKETS - 1] = {
        50 * US,   100 * US,  200 * US,  300 * US,   500 * US,   750 * US,   1000 * US,
        2000 * US, 3000 * US, 5000 * US, 10000 * US, 20000 * US, 30000 * US, 50000 * US};
    switch (type) {
    case METRIC_COUNTER:
    case METRIC_GAUGE:
        return NULL;
    case METRIC_SECONDS:
        return seconds;
    case METRIC_CHUNK:
        return chunk;
    case METRIC_OVERHEAD:
        return overhead;
    }
    return NULL;
}

struct remora_metrics *remora_metrics_new(void)
{
    struct remora_metrics *metrics = remora_alloc(sizeof *metrics);
    if (metrics != NULL) {
        pthread_mutex_init(&metrics->lock, NULL);
    }
    return metrics;
}

void remora_metrics_free(struct remora_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    for (size_t i = 0; i < SERIES_SLOTS; i++) {
        remora_free(atomic_load_explicit(&metrics->slots[i], memory_order_relaxed));
    }
    pthread_mutex_destroy(&metrics->lock);
    remora_free(metrics);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / the golden ratio, odd */
    return hash ^ hash >> 32;                            /* the table looks at the low bits */
}

static uint64_t word_of(const char *at, size_t bytes)
{
    uint64_t word = 0;
    uint32_t last = 0;
    if (bytes >= 8) {
        memcpy(&word, at, 8);
    } else if (bytes >= 4) {
        memcpy(&word, at, 4);
        memcpy(&last, at + bytes - 4, 4);
        word = word << 32 | last;
    } else {
        for (size_t i = 0; i < bytes; i++) {
            word = word << 8 | (unsigned char)at[i];
        }
    }
    return word;
}

/* Eight bytes at a time; those before the last eight may be in twice. */
static uint64_t mix_label(uint64_t hash, struct remora_slice label)
{
    size_t at = 0;
    for (; label.length - at > 8; at += 8) {
        hash = mix(hash, word_of(label.data + at, 8));
    }
    size_t last = label.length >= 8 ? label.length - 8 : 0;
    return mix(hash ^ label.length, word_of(label.data + last, label.length - last));
}

/* Over the metric and its label values: names of the configuration and closed sets, which no caller chooses. */
static uint64_t hash_of(enum remora_metric metric, const struct remora_slice *labels, size_t count)
{
    uint64_t hash = mix(0, (uint64_t)metric);
    for (size_t i = 0; i < count; i++) {
        hash = mix_label(hash, labels[i]);
    }
    return hash;
}

static bool is_series(const struct series *s, enum remora_metric metric, uint64_t hash,
                      const struct remora_slice *labels, size_t count)
{
    if (s->metric != metric || s->hash != hash || s->label_count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!remora_slice_equal(s->labels[i], labels[i])) {
            return false;
        }
    }
    return true;
}

/* The series, or NULL with *free_slot where it would go (SERIES_SLOTS: no room). */
static struct series *find(struct remora_metrics *metrics, enum remora_metric metric, uint64_t hash,
                           const struct remora_slice *labels, size_t count, size_t *free_slot)
{
    *free_slot = SERIES_SLOTS;
    for (size_t i = 0; i < SERIES_SLOTS; i++) {
        size_t slot = (hash + i) & (SERIES_SLOTS - 1);
        struct series *s = atomic_load_explicit(&metrics->slots[slot], memory_order_acquire);
        if (s == NULL) {
            *free_slot = slot;
            return NULL;
        }
        if (is_series(s, metric, hash, labels, count)) {
            return s;
        }
    }
    return NULL;
}

static struct series *make(enum remora_metric metric, uint64_t hash,
                           const struct remora_slice *labels, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += labels[i].length;
    }
    struct series *s = remora_alloc(sizeof *s + bytes);
    if (s == NULL) {
        return NULL;
    }
    char *at = (char *)(s + 1);
    s->metric = metric;
    s->hash = hash;
    s->label_count = count;
    for (size_t i = 0; i < count; i++) {
        if (labels[i].length > 0) {
            memcpy(at, labels[i].data, labels[i].length);
        }
        s->labels[i] = remora_slice(at, labels[i].length);
        at += labels[i].length;
    }
    return s;
}

static void publish_locked(struct remora_metrics *metrics, struct series *s, size_t slot)
{
    s->next = atomic_load_explicit(&metrics->first[s->metric], memory_order_relaxed);
    atomic_store_explicit(&metrics->first[s->metric], s, memory_order_release);
    atomic_store_explicit(&metrics->slots[slot], s, memory_order_release);
}

struct series *metric_first(struct remora_metrics *metrics, enum remora_metric metric)
{
    return atomic_load_explicit(&metrics->first[metric], memory_order_acquire);
}

static struct series *insert_locked(struct remora_metrics *metrics, enum remora_metric metric,
                                    uint64_t hash, const struct remora_slice *labels, size_t count)
{
    size_t slot;
    struct series *s = find(metrics, metric, hash, labels, count, &slot);
    if (s != NULL || slot == SERIES_SLOTS || metrics->per_metric[metric] >= SERIES_PER_METRIC ||
        metrics->series >= SERIES_MOST) {
        return s;
    }
    s = make(metric, hash, labels, count);
    if (s != NULL) {
        metrics->per_metric[metric]++;
        metrics->series++;
        publish_locked(metrics, s, slot);
    }
    return s;
}

/* Labels whose values operators or callers choose; the others are closed sets. */
static bool is_open_label(struct remora_slice name)
{
    static const char *const names[] = {"service", "model", "provider", "from", "to", "key"};
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* The overflow series takes its place beyond the cap: closed sets are small. */
static struct series *other_locked(struct remora_metrics *metrics, enum remora_metric metric,
                                   const struct remora_slice *labels, size_t count)
{
    struct remora_slice names = remora_slice_of(metric_rows[metric].labels);
    struct remora_slice folded[LABELS_MAX];
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t end = remora_slice_find(names, ',', at);
        bool is_open = is_open_label(remora_slice(names.data + at, end - at));
        folded[i] = is_open ? REMORA_SLICE("other") : labels[i];
        at = end + 1;
    }
    uint64_t hash = hash_of(metric, folded, count);
    size_t slot;
    struct series *s = find(metrics, metric, hash, folded, count, &slot);
    if (s == NULL && slot != SERIES_SLOTS) {
        s = make(metric, hash, folded, count);
        if (s != NULL) {
            publish_locked(metrics, s, slot);
        }
    }
    return s;
}

static struct series *series_of(struct remora_metrics *metrics, enum remora_metric metric,
                                const struct remora_slice *labels, size_t count)
{
    if (count > LABELS_MAX) {
        return NULL;
    }
    uint64_t hash = hash_of(metric, labels, count);
    size_t slot;
    struct series *s = find(metrics, metric, hash, labels, count, &slot);
    if (s != NULL) {
        return s;
    }
    pthread_mutex_lock(&metrics->lock);
    s = insert_locked(metrics, metric, hash, labels, count);
    if (s == NULL) {
        s = other_locked(metrics, metric, labels, count);
    }
    pthread_mutex_unlock(&metrics->lock);
    return s;
}

void remora_metric_add(struct remora_metrics *metrics, enum remora_metric metric,
                       const struct remora_slice *labels, size_t label_count, uint64_t amount)
{
    struct series *s = series_of(metrics, metric, labels, label_count);
    if (s != NULL) {
        atomic_fetch_add_explicit(&s->value, (int64_t)amount, memory_order_relaxed);
    }
}

void remora_metric_set(struct remora_metrics *metrics, enum remora_metric metric,
                       const struct remora_slice *labels, size_t label_count, int64_t value)
{
    struct series *s = series_of(metrics, metric, labels, label_count);
    if (s != NULL) {
        atomic_store_explicit(&s->value, value, memory_order_relaxed);
        atomic_store_explicit(&s->is_hidden, false, memory_order_relaxed);
    }
}

void remora_metrics_forget(struct remora_metrics *metrics, enum remora_metric metric)
{
    for (struct series *s = metric_first(metrics, metric); s != NULL; s = s->next) {
        atomic_store_explicit(&s->is_hidden, true, memory_order_relaxed);
    }
}

void remora_metric_observe_ns(struct remora_metrics *metrics, enum remora_metric metric,
                              const struct remora_slice *labels, size_t label_count, uint64_t ns)
{
    struct series *s = series_of(metrics, metric, labels, label_count);
    if (s == NULL) {
        return;
    }
    const uint64_t *bounds = metric_bounds(metric_rows[metric].type);
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && ns > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&s->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->value, (int64_t)ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
}
