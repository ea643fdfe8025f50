/*
 * Shutting down without cutting anybody off (ARCHITECTURE 8 "Drain").
 *
 *   1. not ready any more, and who watches is told; for delay_ms everything is accepted as before (endpoints of a Service
 *      take time to change), but HTTP answers close their connections and gRPC says GOAWAY to those that are open, so that
 *      nobody is on one when they all close
 *   2. the listeners close, idle connections close; gRPC callers who are still connected have FAREWELL_MS to read GOAWAY, during
 *      which their calls are taken. Then new requests on old connections: DRAINING; health watches, which would never end, end
 *   3. what is running has until grace_ms
 *   4. what is still running then ends with an error, in-band after content; a request that is still arriving is answered 503
 *   5. what has not taken that within ABORT_MS is cut off by the stop that follows (serve.c)
 * Clients that are idle are closed at once and keep nobody. Answered ones that have not closed yet get LINGER_MS at most, for
 * what they still send must not destroy the answer on its way. A second signal goes to step 4 at once.
 */
#include "app.h"
#include "remora/telemetry.h"

enum { STEP_MS = 10, FAREWELL_MS = 300, ABORT_MS = 500, LINGER_MS = 200 };

struct farewell {
    struct app *app;
    bool is_heard; /* by somebody, soon */
};

static void say_farewell(void *context)
{
    struct farewell *farewell = context;
    farewell->is_heard =
        farewell->app->grpc != NULL && remora_grpc_front_farewell(farewell->app->grpc);
}

static void close_listeners(void *context)
{
    struct farewell *farewell = context;
    struct app *app = farewell->app;
    if (app->http != NULL) {
        remora_http_front_drain(app->http);
    }
    if (app->grpc != NULL) {
        remora_grpc_front_close(app->grpc);
    }
    say_farewell(farewell);
}

static void drain_grpc(void *context)
{
    struct app *app = context;
    if (app->grpc != NULL) {
        remora_grpc_front_drain(app->grpc);
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

static bool is_idle(struct app *app)
{
    uint64_t busy = remora_admission_inflight(app->admission);
    busy += app->grpc != NULL ? remora_grpc_front_calls(app->grpc) : 0;
    return busy == 0 && on_every_worker(app, count_busy) == 0;
}

static bool is_alone(struct app *app)
{
    return app->http == NULL || remora_http_front_connections(app->http) == 0;
}

/* True when a second signal came. */
static bool wait_until(struct app *app, bool (*is_so)(struct app *app), struct control *control,
                       int64_t limit_ms)
{
    const struct remora_clock *clock = remora_clock_system();
    uint64_t end_ns = clock->now_ns(clock) + (uint64_t)limit_ms * REMORA_NS_PER_MS;
    while (!is_so(app) && clock->now_ns(clock) < end_ns) {
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
    struct farewell farewell = {.app = app};
    app_worker_call(&app->process.workers[0], say_farewell, &farewell);
    bool is_urgent = wait_delay(control, app->config->drain_delay_ms);
    app_worker_call(&app->process.workers[0], close_listeners, &farewell);
    if (farewell.is_heard && !is_urgent) {
        is_urgent = wait_delay(control, FAREWELL_MS);
    }
    app_worker_call(&app->process.workers[0], drain_grpc, app);
    (void)on_every_worker(app, refuse_new);
    app_workers_tell_health(app);
    if (!is_urgent) {
        is_urgent = wait_until(app, is_idle, control, app->config->drain_grace_ms);
    }
    if (is_urgent || !is_idle(app)) {
        remora_log(REMORA_LOG_WARN, "grace is over: ending what still runs", NULL, 0);
        (void)on_every_worker(app, abort_running);
        (void)wait_until(app, is_idle, control, ABORT_MS);
    }
    if (!is_urgent) {
        (void)wait_until(app, is_alone, control, LINGER_MS);
    }
    remora_log(REMORA_LOG_INFO, "drained", NULL, 0);
}
