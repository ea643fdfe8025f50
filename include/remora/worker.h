/*
 * A worker: one thread, one loop, one transport, one engine, and everything of the requests that it serves. The app makes
 * them; fronts use them. Fields are the worker thread's own unless marked.
 */
#ifndef REMORA_WORKER_H
#define REMORA_WORKER_H

#include <stdatomic.h>

#include "remora/clock.h"
#include "remora/exchange.h"
#include "remora/loop.h"
#include "remora/telemetry.h"
#include "remora/transport.h"

struct remora_worker {
    unsigned index;
    struct remora_loop *loop;
    struct remora_transport *transport;
    struct remora_engine *engine;
    struct remora_random random;
    struct remora_metrics *metrics; /* shared, atomics inside */
    _Atomic uint32_t connections;   /* any thread: where the next connection goes */
};

/* Newest load of the configuration, for GetConfigStatus. Text is copied under a lock. Any thread. */
struct remora_config_status {
    char revision[32];
    int64_t load_unix_ms;
    char last_error[512]; /* empty: the newest load succeeded */
};
struct remora_config_status_store;
REMORA_MUST_CHECK struct remora_config_status_store *remora_config_status_store_new(void);
void remora_config_status_store_free(struct remora_config_status_store *store);
/* A load that succeeded: the running configuration. */
void remora_config_status_loaded(struct remora_config_status_store *store,
                                 const struct remora_config *config);
/* A load that failed: revision and time stay those of the running configuration. */
void remora_config_status_failed(struct remora_config_status_store *store,
                                 const struct remora_fail *fail);
void remora_config_status_get(struct remora_config_status_store *store,
                              struct remora_config_status *out);

/* What every front may ask of the process. Any thread. */
struct remora_process {
    struct remora_worker *workers;
    unsigned worker_count;
    struct remora_metrics *metrics;
    struct remora_config_status_store *config_status;
    struct remora_health *health;       /* atomics inside */
    struct remora_admission *admission; /* atomics inside */
    _Atomic bool is_started;            /* configuration loaded, listeners bound: stays true */
    _Atomic bool is_ready;              /* started and not draining */
    _Atomic bool is_draining;
    int64_t start_unix_ms;
    uint64_t memory_limit_bytes; /* remora/cgroup.h, when it started; UINT64_MAX: none */
};
/*
 * What every probe says, HTTP or gRPC (ARCHITECTURE 4 and 5): NULL when requests are served, else why not, for people. `config`: the asking
 * thread's snapshot, NULL where there is none.
 */
const char *remora_process_unready(const struct remora_process *process,
                                   const struct remora_config *config);

#endif
