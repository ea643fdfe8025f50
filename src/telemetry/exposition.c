/*
 * The registry as text. Source: Prometheus documentation, "Exposition formats", text format 0.0.4 (HELP, TYPE, label
 * escaping, histogram _bucket/_sum/_count, cumulative buckets).
 */
#include "metrics_private.h"
#include "remora/decimal.h"

static void write_escaped(struct remora_buf *out, struct remora_slice value)
{
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];
        if (c == '\n') {
            remora_buf_append_text(out, "\\n");
            continue;
        }
        if (c == '"' || c == '\\') {
            remora_buf_append_byte(out, '\\');
        }
        remora_buf_append_byte(out, c);
    }
}

/* {a="x",b="y",le="0.1"}; `le` may be NULL. Nothing at all without labels. */
static void write_labels(struct remora_buf *out, const struct series *s, const char *le)
{
    struct remora_slice names = remora_slice_of(metric_rows[s->metric].labels);
    size_t at = 0;
    if (s->label_count == 0 && le == NULL) {
        return;
    }
    remora_buf_append_byte(out, '{');
    for (size_t i = 0; i < s->label_count; i++) {
        size_t end = remora_slice_find(names, ',', at);
        remora_buf_append(out, remora_slice(names.data + at, end - at));
        remora_buf_append_text(out, "=\"");
        write_escaped(out, s->labels[i]);
        remora_buf_append_text(out, i + 1 < s->label_count || le != NULL ? "\"," : "\"");
        at = end + 1;
    }
    if (le != NULL) {
        remora_buf_printf(out, "le=\"%s\"", le);
    }
    remora_buf_append_byte(out, '}');
}

static void write_scaled(struct remora_buf *out, int64_t value, unsigned scale)
{
    char text[48];
    if (value < 0) {
        remora_buf_append_byte(out, '-');
        value = -value;
    }
    size_t length = remora_decimal_format(value, scale, text);
    remora_buf_append(out, remora_slice(text, length));
    remora_buf_append_byte(out, '\n');
}

/* Inside, costs are counted in nano-USD and CPU time in nanoseconds. */
static unsigned scale_of(enum remora_metric metric)
{
    return metric == REMORA_METRIC_COST || metric == REMORA_METRIC_PROCESS_CPU ? 9 : 0;
}

static void write_histogram(struct remora_buf *out, const struct series *s)
{
    const struct metric_row *row = &metric_rows[s->metric];
    const uint64_t *bounds = metric_bounds(row->type);
    uint64_t sum = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        char le[48] = "+Inf";
        if (i < BUCKETS - 1) {
            le[remora_decimal_format((int64_t)bounds[i], 9, le)] = '\0';
        }
        sum += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        remora_buf_printf(out, "%s_bucket", row->name);
        write_labels(out, s, le);
        remora_buf_printf(out, " %llu\n", (unsigned long long)sum);
    }
    remora_buf_printf(out, "%s_sum", row->name);
    write_labels(out, s, NULL);
    remora_buf_append_byte(out, ' ');
    write_scaled(out, atomic_load_explicit(&s->value, memory_order_relaxed), 9);
    remora_buf_printf(out, "%s_count", row->name);
    write_labels(out, s, NULL);
    remora_buf_printf(out, " %llu\n", (unsigned long long)sum);
}

static void write_series(struct remora_buf *out, const struct series *s)
{
    const struct metric_row *row = &metric_rows[s->metric];
    if (metric_bounds(row->type) != NULL) {
        write_histogram(out, s);
        return;
    }
    remora_buf_append_text(out, row->name);
    write_labels(out, s, NULL);
    remora_buf_append_byte(out, ' ');
    write_scaled(out, atomic_load_explicit(&s->value, memory_order_relaxed), scale_of(s->metric));
}

static void write_head(struct remora_buf *out, const struct metric_row *row)
{
    const char *type = "histogram";
    if (row->type == METRIC_COUNTER) {
        type = "counter";
    } else if (row->type == METRIC_GAUGE) {
        type = "gauge";
    }
    remora_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, type);
}

static void write_metric(struct remora_metrics *metrics, enum remora_metric metric,
                         struct remora_buf *out)
{
    bool has_head = false;
    for (const struct series *s = metric_first(metrics, metric); s != NULL; s = s->next) {
        if (atomic_load_explicit(&s->is_hidden, memory_order_relaxed)) {
            continue;
        }
        if (!has_head) {
            write_head(out, &metric_rows[metric]);
            has_head = true;
        }
        write_series(out, s);
    }
}

void remora_metrics_write(struct remora_metrics *metrics, struct remora_buf *out)
{
    metrics_measure_process(metrics);
    remora_metric_set(metrics, REMORA_METRIC_LOG_DROPPED, NULL, 0, (int64_t)remora_log_dropped());
    for (int metric = 0; metric < REMORA_METRIC_COUNT; metric++) {
        write_metric(metrics, (enum remora_metric)metric, out);
    }
}
