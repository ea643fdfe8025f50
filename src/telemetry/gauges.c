/* The gauges that are read when somebody asks for the metrics. Cheap: atomics, and one look at every endpoint's breaker. */
#include "remora/catalog.h"
#include "remora/clock.h"
#include "remora/health.h"
#include "remora/worker.h"

enum { CIRCUIT_CLOSED, CIRCUIT_HALF_OPEN, CIRCUIT_OPEN };
enum { MS_PER_S = 1000 };

static int64_t circuit_of(const struct remora_health *health, uint32_t slot, uint64_t now_ns)
{
    uint64_t until_ns = 0;
    switch (remora_health_condition(health, slot, now_ns, &until_ns)) {
    case REMORA_CONDITION_WELL:
    case REMORA_CONDITION_COOLING:
    case REMORA_CONDITION_GONE:
    case REMORA_CONDITION_BENCHED:
        return CIRCUIT_CLOSED;
    case REMORA_CONDITION_PROBE:
        return CIRCUIT_HALF_OPEN;
    case REMORA_CONDITION_BREAKER_OPEN:
        return CIRCUIT_OPEN;
    }
    return CIRCUIT_CLOSED;
}

/* Every provider with an endpoint in that state. Most have none, so that the look-up is rare. */
static void mark_circuits(const struct remora_process *process, const struct remora_config *config,
                          uint64_t now_ns, int64_t state)
{
    for (size_t m = 0; m < config->model_count; m++) {
        const struct remora_model *model = &config->models[m];
        for (size_t e = 0; e < model->endpoint_count; e++) {
            const struct remora_endpoint *endpoint = &model->endpoints[e];
            if (circuit_of(process->health, endpoint->health, now_ns) == state) {
                remora_metric_set(process->metrics, REMORA_METRIC_CIRCUIT_STATE,
                                  &endpoint->facts.provider, 1, state);
            }
        }
    }
}

static void measure_circuits(const struct remora_process *process,
                             const struct remora_config *config)
{
    const struct remora_clock *clock = remora_clock_system();
    uint64_t now_ns = clock->now_ns(clock);
    remora_metrics_forget(process->metrics, REMORA_METRIC_CIRCUIT_STATE);
    for (size_t i = 0; i < config->provider_count; i++) {
        if (config->providers[i].disabled_why == NULL) {
            remora_metric_set(process->metrics, REMORA_METRIC_CIRCUIT_STATE,
                              &config->providers[i].facts.slug, 1, CIRCUIT_CLOSED);
        }
    }
    mark_circuits(process, config, now_ns, CIRCUIT_HALF_OPEN);
    mark_circuits(process, config, now_ns, CIRCUIT_OPEN);
}

int64_t remora_catalog_age_s(int64_t now_unix_ms)
{
    int64_t age_s = now_unix_ms / MS_PER_S - remora_catalog_unix_s();
    return age_s > 0 ? age_s : 0;
}

static void measure_catalog(struct remora_metrics *metrics)
{
    const struct remora_clock *clock = remora_clock_system();
    const struct remora_slice version = remora_slice_of(remora_catalog_version());
    remora_metric_set(metrics, REMORA_METRIC_CATALOG_INFO, &version, 1, 1);
    remora_metric_set(metrics, REMORA_METRIC_CATALOG_AGE, NULL, 0,
                      remora_catalog_age_s(clock->unix_ms(clock)));
    remora_metric_set(metrics, REMORA_METRIC_CATALOG_ROUNDED, NULL, 0,
                      (int64_t)remora_catalog_rounded_prices());
}

/* Connections of all HTTP listeners; the gRPC front tells its own. */
static void measure_connections(const struct remora_process *process)
{
    const struct remora_slice listener = REMORA_SLICE("http");
    int64_t open = 0;
    for (unsigned i = 0; i < process->worker_count; i++) {
        open += atomic_load_explicit(&process->workers[i].connections, memory_order_relaxed);
    }
    remora_metric_set(process->metrics, REMORA_METRIC_CONNECTIONS, &listener, 1, open);
}

void remora_process_measure(const struct remora_process *process,
                            const struct remora_config *config)
{
    measure_catalog(process->metrics);
    measure_connections(process);
    if (process->admission != NULL) {
        remora_metric_set(process->metrics, REMORA_METRIC_INFLIGHT, NULL, 0,
                          (int64_t)remora_admission_inflight(process->admission));
        remora_metric_set(process->metrics, REMORA_METRIC_REQUEST_BYTES, NULL, 0,
                          (int64_t)remora_admission_bytes(process->admission));
        remora_metric_set(process->metrics, REMORA_METRIC_UNREAD_BYTES, NULL, 0,
                          (int64_t)remora_admission_unread_bytes(process->admission));
        remora_metric_set(process->metrics, REMORA_METRIC_ARRIVING_BYTES, NULL, 0,
                          (int64_t)remora_admission_arriving_bytes(process->admission));
    }
    if (process->health != NULL && config != NULL) {
        measure_circuits(process, config);
    }
}
