/*
 * Shutting down without cutting anybody off (ARCHITECTURE 8 "Drain").
 *
 *   1. not ready any more, and who watches is told; for delay_ms everything is accepted as before (endpoints of a Service
 *      take time to change)
 *   2. the listeners close, idle connections close, gRPC says GOAWAY; new requests on old connections: DRAINING;
 *      health watches, which would never end, end
 *   3. what is running has until grace_ms
 *   4. what is still running then ends with an error, in-band after content
 * An idle process is done within a few milliseconds. A second signal goes to step 4 at once.
 */
#include "app.h"
#include "remora/telemetry.h"

#define STEP_MS 10

static void close_listeners(void *context)
{
    struct app *app = context;
    for (size_t i = 0; i < REMORA_COUNT_OF(app->http); i++) {
        if (app->http[i] != NULL) {
            remora_http_front_drain(app->http[i]);
        }
    }
    if (app->grpc != NULL) {
        remora_grpc_front_drain(app->grpc);
    }
}

static void refuse_new(void *context)
{
    remora_engine_drain(((struct remora_worker *)context)->engine);
}

static void abort_running(void *context)
{
    remora_engine_abort_all(((struct remora_worker *)context)->engine);
}

static void on_every_worker(struct app *app, void (*run)(void *context))
{
    for (unsigned i = 0; i < app->process.worker_count; i++) {
        app_worker_call(&app->process.workers[i], run, &app->process.workers[i]);
    }
}

static bool is_idle(const struct app *app)
{
    uint64_t busy = remora_admission_inflight(app->admission);
    for (size_t i = 0; i < REMORA_COUNT_OF(app->http); i++) {
        busy += app->http[i] != NULL ? remora_http_front_connections(app->http[i]) : 0;
    }
    busy += app->grpc != NULL ? remora_grpc_front_calls(app->grpc) : 0;
    return busy == 0;
}

/* True when a second signal came. */
static bool wait_until_idle(struct app *app, struct control *control, int64_t limit_ms)
{
    const struct remora_clock *clock = remora_clock_system();
    uint64_t end_ns = clock->now_ns(clock) + (uint64_t)limit_ms * REMORA_NS_PER_MS;
    while (!is_idle(app) && clock->now_ns(clock) < end_ns) {
        if (control_wait(control, STEP_MS) == CONTROL_STOP) {
            return true;
        }
    }
    return false;
}

static bool wait_delay(struct control *control, int64_t delay_ms)
{
    const struct remora_clock *clock = remora_clock_system();
    uint64_t end_ns = clock->now_ns(clock) + (uint64_t)delay_ms * REMORA_NS_PER_MS;
    while (clock->now_ns(clock) < end_ns) {
        if (control_wait(control, STEP_MS) == CONTROL_STOP) {
            return true;
        }
    }
    return false;
}

void app_drain(struct app *app, struct control *control)
{
    app->process.is_draining = true;
    app->process.is_ready = false;
    app_workers_tell_health(app);
    remora_log(REMORA_LOG_INFO, "draining", NULL, 0);
    bool is_urgent = wait_delay(control, app->config->drain_delay_ms);
    app_worker_call(&app->process.workers[0], close_listeners, app);
    on_every_worker(app, refuse_new);
    app_workers_tell_health(app);
    if (!is_urgent) {
        is_urgent = wait_until_idle(app, control, app->config->drain_grace_ms);
    }
    if (is_urgent || !is_idle(app)) {
        remora_log(REMORA_LOG_WARN, "grace is over: ending what still runs", NULL, 0);
        on_every_worker(app, abort_running);
        (void)wait_until_idle(app, control, 500);
    }
    remora_log(REMORA_LOG_INFO, "drained", NULL, 0);
}
