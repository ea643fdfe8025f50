/* The registry behind struct remora_metrics. Series are made once and never freed before the registry. */
#ifndef REMORA_TELEMETRY_METRICS_PRIVATE_H
#define REMORA_TELEMETRY_METRICS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "remora/telemetry.h"

#define SERIES_SLOTS      8192 /* of the hash table, a power of two */
#define SERIES_PER_METRIC 200  /* more fold into "other" */
#define LABELS_MAX        8
#define BUCKETS           15

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_SECONDS, METRIC_OVERHEAD };

struct metric_row {
    const char *name;
    const char *labels; /* comma separated */
    const char *help;
    enum metric_type type;
};
extern const struct metric_row metric_rows[REMORA_METRIC_COUNT];
/* Upper bounds in nanoseconds; the last bucket is +Inf. */
extern const uint64_t metric_bounds_seconds[BUCKETS - 1];
extern const uint64_t metric_bounds_overhead[BUCKETS - 1];

struct series {
    enum remora_metric metric;
    uint64_t hash;
    size_t label_count;
    struct remora_slice labels[LABELS_MAX]; /* values, in the memory behind the struct */
    _Atomic int64_t value;                  /* counter, gauge; sum of a histogram in ns */
    _Atomic uint64_t count;
    _Atomic uint64_t buckets[BUCKETS];
};

struct remora_metrics {
    _Atomic(struct series *) slots[SERIES_SLOTS];
    uint32_t per_metric[REMORA_METRIC_COUNT]; /* guarded by lock */
    pthread_mutex_t lock;                     /* makes series; never held across a call out */
};

#endif
