/*
 * Shutting down without cutting anybody off (ARCHITECTURE 8 "Drain").
 *
 *   1. not ready any more, and who watches is told; for delay_ms everything is accepted as before (endpoints of a Service
 *      take time to change), but HTTP answers close their connections and gRPC says GOAWAY to those that are open, so that
 *      nobody is on one when they all close
 *   2. the listeners close, and health watches, which would never end, end. Nobody is refused yet: who has not been told by an
 *      answer that his HTTP connection closes (his stream began before, he has just connected) may send one more request
 *      until it has been idle for delay_ms, and gRPC callers are taken until they have read GOAWAY; then its core is shut down,
 *      which refuses
 *   3. what is running has until grace_ms; what comes after it is DRAINING
 *   4. what is still running then ends with an error, in-band after content; a request that is still arriving is answered 503
 *   5. what has not taken that within ABORT_MS is cut off by the stop that follows (serve.c)
 * HTTP clients that are idle for longer are closed at once and keep nobody. Answered ones that have not closed yet get LINGER_MS
 * at most, for what they still send must not destroy the answer on its way. A second signal goes to step 4 at once.
 */
#include "app.h"
#include "remora/telemetry.h"

enum { STEP_MS = 10, ABORT_MS = 500, LINGER_MS = 200 };

struct drain {
    struct app *app;
    bool is_grpc_shut;
};

static void say_farewell(void *context)
{
    struct app *app = context;
    if (app->grpc != NULL) {
        remora_grpc_front_farewell(app->grpc);
    }
}

static void close_listeners(void *context)
{
    struct app *app = context;
    if (app->http != NULL) {
        remora_http_front_drain(app->http, app->config->drain_delay_ms);
    }
    if (app->grpc != NULL) {
        remora_grpc_front_close(app->grpc);
    }
    say_farewell(app);
}

static void drain_grpc(void *context)
{
    struct drain *drain = context;
    if (drain->app->grpc != NULL) {
        remora_grpc_front_drain(drain->app->grpc);
    }
    drain->is_grpc_shut = true;
}

static void drain_parted_grpc(void *context)
{
    struct drain *drain = context;
    if (drain->app->grpc == NULL || remora_grpc_front_has_parted(drain->app->grpc)) {
        drain_grpc(drain);
    }
}

/* A question to one worker. */
struct visit {
    struct app *app;
    unsigned worker;
    uint64_t busy;
};

static void refuse_new(void *context)
{
    const struct visit *visit = context;
    remora_engine_drain(visit->app->process.workers[visit->worker].engine);
}

static void abort_running(void *context)
{
    const struct visit *visit = context;
    remora_engine_abort_all(visit->app->process.workers[visit->worker].engine);
    if (visit->app->http != NULL) {
        remora_http_front_give_up(visit->app->http, visit->worker);
    }
}

static void count_busy(void *context)
{
    struct visit *visit = context;
    if (visit->app->http != NULL) {
        visit->busy += remora_http_front_busy(visit->app->http, visit->worker);
    }
}

/* Visits every worker; what they counted. */
static uint64_t on_every_worker(struct app *app, void (*run)(void *context))
{
    struct visit visit = {.app = app};
    for (; visit.worker < app->process.worker_count; visit.worker++) {
        app_worker_call(&app->process.workers[visit.worker], run, &visit);
    }
    return visit.busy;
}

static bool is_idle(struct drain *drain)
{
    struct app *app = drain->app;
    uint64_t busy = remora_admission_inflight(app->admission);
    busy += app->grpc != NULL ? remora_grpc_front_calls(app->grpc) : 0;
    return busy == 0 && on_every_worker(app, count_busy) == 0;
}

/* As soon as everybody knows, or now. */
static void shut_grpc(struct drain *drain, void (*how)(void *context))
{
    if (!drain->is_grpc_shut) {
        app_worker_call(&drain->app->process.workers[0], how, drain);
        if (drain->is_grpc_shut) {
            app_workers_tell_health(drain->app);
        }
    }
}

static bool is_over(struct drain *drain)
{
    shut_grpc(drain, drain_parted_grpc);
    return drain->is_grpc_shut && is_idle(drain);
}

static bool is_alone(struct drain *drain)
{
    const struct app *app = drain->app;
    return app->http == NULL || remora_http_front_connections(app->http) == 0;
}

static bool is_never(struct drain *drain)
{
    (void)drain;
    return false;
}

/* True when a second signal came. */
static bool wait_until(struct drain *drain, bool (*is_so)(struct drain *drain),
                       struct control *control, int64_t limit_ms)
{
    const struct remora_clock *clock = remora_clock_system();
    uint64_t end_ns = clock->now_ns(clock) + (uint64_t)limit_ms * REMORA_NS_PER_MS;
    while (!is_so(drain) && clock->now_ns(clock) < end_ns) {
        if (control_wait_signal(control, STEP_MS) == CONTROL_STOP) {
            return true;
        }
    }
    return false;
}

void app_drain(struct app *app, struct control *control)
{
    struct drain drain = {.app = app};
    app->process.is_draining = true;
    app->process.is_ready = false;
    app_workers_tell_health(app);
    remora_log(REMORA_LOG_INFO, "draining", NULL, 0);
    app_worker_call(&app->process.workers[0], say_farewell, app);
    bool is_urgent = wait_until(&drain, is_never, control, app->config->drain_delay_ms);
    app_worker_call(&app->process.workers[0], close_listeners, app);
    app_workers_tell_health(app);
    if (!is_urgent) {
        is_urgent = wait_until(&drain, is_over, control, app->config->drain_grace_ms);
    }
    shut_grpc(&drain, drain_grpc);
    (void)on_every_worker(app, refuse_new);
    if (is_urgent || !is_idle(&drain)) {
        remora_log(REMORA_LOG_WARN, "grace is over: ending what still runs", NULL, 0);
        (void)on_every_worker(app, abort_running);
        (void)wait_until(&drain, is_idle, control, ABORT_MS);
    }
    if (!is_urgent) {
        (void)wait_until(&drain, is_alone, control, LINGER_MS);
    }
    remora_log(REMORA_LOG_INFO, "drained", NULL, 0);
}
