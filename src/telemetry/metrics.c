/*
 * Counters, gauges and histograms: one open-addressed table of series, read without a lock, grown under one.
 *
 * Label values beyond SERIES_PER_METRIC series of a metric fold into "other", so that a caller cannot grow the registry by
 * inventing names.
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
const uint64_t metric_bounds_seconds[BUCKETS - 1] = {
    10 * MS,   20 * MS,   40 * MS,   80 * MS,    160 * MS,   320 * MS,   640 * MS,
    1280 * MS, 2560 * MS, 5120 * MS, 10240 * MS, 20480 * MS, 40960 * MS, 81920 * MS};
const uint64_t metric_bounds_overhead[BUCKETS - 1] = {
    50 * US,   100 * US,  200 * US,  300 * US,   500 * US,   750 * US,   1000 * US,
    2000 * US, 3000 * US, 5000 * US, 10000 * US, 20000 * US, 30000 * US, 50000 * US};

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

/* FNV-1a over the metric and its label values. */
static uint64_t hash_of(enum remora_metric metric, const struct remora_slice *labels, size_t count)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)metric;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < labels[i].length; k++) {
            hash = (hash ^ (unsigned char)labels[i].data[k]) * UINT64_C(1099511628211);
        }
        hash = (hash ^ 0xff) * UINT64_C(1099511628211);
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

static struct series *insert_locked(struct remora_metrics *metrics, enum remora_metric metric,
                                    uint64_t hash, const struct remora_slice *labels, size_t count)
{
    size_t slot;
    struct series *s = find(metrics, metric, hash, labels, count, &slot);
    if (s != NULL || slot == SERIES_SLOTS || metrics->per_metric[metric] >= SERIES_PER_METRIC) {
        return s;
    }
    s = make(metric, hash, labels, count);
    if (s != NULL) {
        metrics->per_metric[metric]++;
        atomic_store_explicit(&metrics->slots[slot], s, memory_order_release);
    }
    return s;
}

/* The overflow series takes its place beyond the cap: one more per metric. */
static struct series *other(struct remora_metrics *metrics, enum remora_metric metric, size_t count)
{
    struct remora_slice labels[LABELS_MAX];
    for (size_t i = 0; i < count; i++) {
        labels[i] = REMORA_SLICE("other");
    }
    uint64_t hash = hash_of(metric, labels, count);
    size_t slot;
    struct series *s = find(metrics, metric, hash, labels, count, &slot);
    if (s == NULL && slot != SERIES_SLOTS) {
        s = make(metric, hash, labels, count);
        if (s != NULL) {
            atomic_store_explicit(&metrics->slots[slot], s, memory_order_release);
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
        s = other(metrics, metric, count);
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
    }
}

void remora_metric_observe_ns(struct remora_metrics *metrics, enum remora_metric metric,
                              const struct remora_slice *labels, size_t label_count, uint64_t ns)
{
    struct series *s = series_of(metrics, metric, labels, label_count);
    if (s == NULL) {
        return;
    }
    const uint64_t *bounds = metric_rows[metric].type == METRIC_OVERHEAD ? metric_bounds_overhead
                                                                         : metric_bounds_seconds;
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && ns > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&s->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->value, (int64_t)ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
}
