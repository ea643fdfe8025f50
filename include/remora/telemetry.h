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
    const char *key;          /* NULL: the field is left out */
    struct remora_slice text; /* when data is not NULL */
    int64_t number;           /* else */
};
#define REMORA_LOG_TEXT(k, s) \
    ((struct remora_log_field){.key = (k), .text = (s).data == NULL ? REMORA_SLICE("") : (s)})
#define REMORA_LOG_NUMBER(k, n) ((struct remora_log_field){.key = (k), .number = (n)})
/*
 * Left out when there is nothing to say: an empty text, a number that is not known (-1) or a duration of nothing (0). The
 * value is evaluated twice.
 */
#define REMORA_LOG_TEXT_IF(k, s) \
    ((struct remora_log_field){.key = (s).length > 0 ? (k) : NULL, .text = (s)})
#define REMORA_LOG_KNOWN(k, n) \
    ((struct remora_log_field){.key = (n) >= 0 ? (k) : NULL, .number = (n)})
#define REMORA_LOG_US_IF(k, ns) \
    ((struct remora_log_field){.key = (ns) > 0 ? (k) : NULL, .number = (int64_t)((ns) / 1000)})

/* One JSON line on stderr: {"time":...,"level":...,"message":...,key:value...}. `message` is constant text. */
void remora_log(enum remora_log_level level, const char *message,
                const struct remora_log_field *fields, size_t count);
/*
 * For a thread with a loop: from begin to end its lines wait for remora_log_flush, so that a round of the loop costs one
 * write and no caller waits for it. They leave earlier when they fill what one write may take (a pipe 4 KiB, a file 32), and
 * with a line of level warn or above. On every other thread, and without memory, lines leave one by one.
 */
void remora_log_batch_begin(void);
void remora_log_flush(void);
void remora_log_batch_end(void);
/* At run time, any thread. */
void remora_log_set_level(enum remora_log_level level);
enum remora_log_level remora_log_level(void);
/* "info" and the like; as `log.level` of the configuration has them. */
const char *remora_log_level_name(enum remora_log_level level);
/* False when there is no such level. */
REMORA_MUST_CHECK bool remora_log_level_by_name(struct remora_slice name,
                                                enum remora_log_level *out);
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
/*
 * Label values in the order of the table's label names. A metric has at most 500 series of its own making; beyond them the
 * names that an operator or a caller chooses (model, provider, service, key ...) fold into "other", closed sets such as
 * codes stay. No lock and no allocation for a series that is there.
 */
void remora_metric_add(struct remora_metrics *metrics, enum remora_metric metric,
                       const struct remora_slice *labels, size_t label_count, uint64_t amount);
void remora_metric_set(struct remora_metrics *metrics, enum remora_metric metric,
                       const struct remora_slice *labels, size_t label_count, int64_t value);
/* Histograms of seconds: observed in nanoseconds. */
void remora_metric_observe_ns(struct remora_metrics *metrics, enum remora_metric metric,
                              const struct remora_slice *labels, size_t label_count, uint64_t ns);
/* Hides the series of a metric until each is set again: for gauges whose subjects come and go with a configuration. */
void remora_metrics_forget(struct remora_metrics *metrics, enum remora_metric metric);
/* Prometheus text exposition format 0.0.4 ("Exposition formats", section "Text-based format"). */
void remora_metrics_write(struct remora_metrics *metrics, struct remora_buf *out);

/*
 * The gauges that are read when somebody asks: requests in flight, circuits, catalog, log. On the thread whose snapshot
 * `config` is (NULL: none yet).
 */
struct remora_process;
void remora_process_measure(const struct remora_process *process,
                            const struct remora_config *config);
/* Whole seconds since the day that the shipped catalog's facts are of; 0 before it. */
int64_t remora_catalog_age_s(int64_t now_unix_ms);

/* The observer that feeds metrics and the access log from outcomes. */
struct remora_observer *remora_observer_new(struct remora_metrics *metrics);
void remora_observer_free(struct remora_observer *observer);

#endif
