/* The registry behind struct remora_metrics. Series are made once and never freed before the registry. */
#ifndef REMORA_TELEMETRY_METRICS_PRIVATE_H
#define REMORA_TELEMETRY_METRICS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "remora/telemetry.h"

#define SERIES_SLOTS      8192 /* of the hash table, a power of two */
#define SERIES_PER_METRIC 500  /* more fold into "other" */
#define SERIES_MOST \
    6144 /* of all metrics: three quarters of the table, so that looking up stays short */
#define LABELS_MAX 8
#define BUCKETS    15

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_SECONDS, METRIC_CHUNK, METRIC_OVERHEAD };

struct metric_row {
    const char *name;
    const char *labels; /* comma separated */
    const char *help;
    enum metric_type type;
};
extern const struct metric_row metric_rows[REMORA_METRIC_COUNT];
/* Upper bounds of a histogram in nanoseconds, ascending; the last bucket is +Inf. NULL: no histogram. */
const uint64_t *metric_bounds(enum metric_type type);

struct series {
    enum remora_metric metric;
    uint64_t hash;
    size_t label_count;
    struct remora_slice labels[LABELS_MAX]; /* values, in the memory behind the struct */
    struct series *next; /* of the same metric; set before the series is published */
    _Atomic bool is_hidden;
    _Atomic int64_t value; /* counter, gauge; sum of a histogram in ns */
    _Atomic uint64_t count;
    _Atomic uint64_t buckets[BUCKETS];
};

/* The first series of a metric; the others follow by `next`. */
struct series *metric_first(struct remora_metrics *metrics, enum remora_metric metric);

struct remora_metrics {
    _Atomic(struct series *) slots[SERIES_SLOTS];
    _Atomic(struct series *) first[REMORA_METRIC_COUNT]; /* the list of a metric's series */
    uint32_t per_metric[REMORA_METRIC_COUNT];            /* guarded by lock */
    uint32_t series;                                     /* of all metrics, guarded by lock */
    pthread_mutex_t lock; /* makes series; never held across a call out */
};

/* process.c: what the kernel says of the process, into its gauges. */
void metrics_measure_process(struct remora_metrics *metrics);

#endif
