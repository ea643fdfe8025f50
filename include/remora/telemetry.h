/*
 * What operators see: log lines and metrics. Nothing here blocks: a log sink that is full drops and counts. Prompts,
 * completions and keys are never passed in. Any thread.
 */
#ifndef REMORA_TELEMETRY_H
#define REMORA_TELEMETRY_H

#include "remora/base.h"
#include "remora/buf.h"
#include "remora/codes.h"
#include "remora/exchange.h"

enum remora_log_level { REMORA_LOG_ERROR, REMORA_LOG_WARN, REMORA_LOG_INFO, REMORA_LOG_DEBUG };

struct remora_log_field {
    const char *key;
    struct remora_slice text; /* when data is not NULL */
    int64_t number;           /* else */
};
#define REMORA_LOG_TEXT(k, s) \
    ((struct remora_log_field){.key = (k), .text = (s).data == NULL ? REMORA_SLICE("") : (s)})
#define REMORA_LOG_NUMBER(k, n) ((struct remora_log_field){.key = (k), .number = (n)})

/* One JSON line on stderr: {"time":...,"level":...,"message":...,key:value...}. `message` is constant text. */
void remora_log(enum remora_log_level level, const char *message,
                const struct remora_log_field *fields, size_t count);
/* At run time, any thread. */
void remora_log_set_level(enum remora_log_level level);
/* Lines that were dropped because the sink was full. */
uint64_t remora_log_dropped(void);

/* ---- metrics: one table (tbl/metrics.h), one registry per process ---- */

enum remora_metric {
#define REMORA_METRIC(name, ...) REMORA_METRIC_##name,
#include "remora/tbl/metrics.h"
#undef REMORA_METRIC
    REMORA_METRIC_COUNT
};

struct remora_metrics;
REMORA_MUST_CHECK struct remora_metrics *remora_metrics_new(void);
void remora_metrics_free(struct remora_metrics *metrics);
/* Label values in the order of the table's label names; unknown ones beyond 200 series of a metric fold into "other". */
void remora_metric_add(struct remora_metrics *metrics, enum remora_metric metric,
                       const struct remora_slice *labels, size_t label_count, uint64_t amount);
void remora_metric_set(struct remora_metrics *metrics, enum remora_metric metric,
                       const struct remora_slice *labels, size_t label_count, int64_t value);
/* Histograms of seconds: observed in nanoseconds. */
void remora_metric_observe_ns(struct remora_metrics *metrics, enum remora_metric metric,
                              const struct remora_slice *labels, size_t label_count, uint64_t ns);
/* Prometheus text exposition format 0.0.4. */
void remora_metrics_write(struct remora_metrics *metrics, struct remora_buf *out);

/* The observer that feeds metrics and the access log from outcomes. */
struct remora_observer *remora_observer_new(struct remora_metrics *metrics);
void remora_observer_free(struct remora_observer *observer);

#endif
