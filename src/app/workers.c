/*
 * Workers and their threads. A worker is made on the control thread, runs on its own, and is reached by messages.
 */
#include <semaphore.h>
#include <stdio.h>

#include "app.h"
#include "remora/memory.h"
#include "remora/telemetry.h"

/* A call that the sender waits for. */
struct call {
    struct remora_message_node message; /* first */
    void (*run)(void *context);
    void *context;
    sem_t done;
};

static void run_call(struct remora_message_node *message)
{
    struct call *call = REMORA_CONTAINER_OF(message, struct call, message);
    call->run(call->context);
    sem_post(&call->done);
}

void app_worker_call(struct remora_worker *worker, void (*run)(void *context), void *context)
{
    struct call call = {.message = {.run = run_call}, .run = run, .context = context};
    sem_init(&call.done, 0, 0);
    remora_loop_post(worker->loop, &call.message);
    while (sem_wait(&call.done) != 0) {
    }
    sem_destroy(&call.done);
}

static void flush_log(void *context)
{
    (void)context;
    remora_log_flush();
}

static void *run_worker(void *context)
{
    struct remora_worker *worker = context;
    char name[16];
    snprintf(name, sizeof name, "worker-%u", worker->index);
    pthread_setname_np(pthread_self(), name);
    remora_log_batch_begin();
    remora_loop_set_rest(worker->loop, flush_log, NULL);
    remora_loop_run(worker->loop);
    remora_loop_set_rest(worker->loop, NULL, NULL);
    remora_log_batch_end();
    return NULL;
}

static void run_turn(struct remora_message_node *message)
{
    struct app_worker *own = REMORA_CONTAINER_OF(message, struct app_worker, turn);
    atomic_store(&own->turn_is_posted,
                 false); /* before looking: what comes now is a turn of its own */
    remora_engine_admit_waiting(own->worker->engine);
}

/* Any worker's thread. */
static void post_turn(void *context)
{
    struct app_worker *own = context;
    if (!atomic_exchange(&own->turn_is_posted, true)) {
        remora_loop_post(own->worker->loop, &own->turn);
    }
}

static enum remora_code make_worker(struct app *app, unsigned index)
{
    struct remora_worker *worker = &app->process.workers[index];
    struct app_worker *own = &app->workers[index];
    own->app = app;
    own->worker = worker;
    own->turn.run = run_turn;
    worker->index = index;
    worker->metrics = app->process.metrics;
    remora_random_seed_system(&worker->random);
    enum remora_code code = remora_loop_new(&worker->loop);
    if (code != REMORA_OK) {
        return code;
    }
    code = remora_transport_new(worker->loop, app->trust, &worker->transport);
    if (code != REMORA_OK) {
        return code;
    }
    const struct remora_engine_input input = {
        .transport = worker->transport,
        .clock = remora_loop_clock(worker->loop),
        .precise = remora_clock_system(),
        .timers = remora_loop_timers(worker->loop),
        .random = &worker->random,
        .health = app->health,
        .admission = app->admission,
        .observer = app->observer,
        .hop = &app->hop,
        .wake = post_turn,
        .wake_context = own,
    };
    worker->engine = remora_engine_new(&input);
    return worker->engine == NULL ? REMORA_SHEDDING : REMORA_OK;
}

static void make_hop(struct app *app)
{
    struct remora_random random;
    remora_random_seed_system(&random);
    remora_hop_id_make(&random, &app->hop);
}

enum remora_code app_workers_start(struct app *app, unsigned count)
{
    app->workers = remora_alloc_array(count, sizeof *app->workers);
    app->process.workers = remora_alloc_array(count, sizeof *app->process.workers);
    if (app->workers == NULL || app->process.workers == NULL) {
        return REMORA_SHEDDING;
    }
    make_hop(app);
    for (unsigned i = 0; i < count; i++) {
        enum remora_code code = make_worker(app, i);
        app->process.worker_count = i + 1;
        if (code != REMORA_OK) {
            return code;
        }
        struct app_worker *own = &app->workers[i];
        if (pthread_create(&own->thread, NULL, run_worker, own->worker) != 0) {
            return REMORA_SHEDDING;
        }
        own->is_running = true;
    }
    return REMORA_OK;
}

struct publication {
    struct remora_grpc_front *grpc; /* NULL: none yet */
    struct remora_worker *worker;
    struct remora_config *config;
};

static void tell_health(void *context)
{
    const struct publication *p = context;
    if (p->grpc != NULL) {
        remora_grpc_front_health_changed(p->grpc, p->worker);
    }
}

static void publish(void *context)
{
    const struct publication *p = context;
    remora_engine_set_config(p->worker->engine, p->config);
    remora_transport_set_config(p->worker->transport, p->config);
    tell_health(context);
}

static void on_every_worker(struct app *app, struct remora_config *config,
                            void (*run)(void *context))
{
    for (unsigned i = 0; i < app->process.worker_count; i++) {
        struct publication p = {
            .grpc = app->grpc, .worker = &app->process.workers[i], .config = config};
        app_worker_call(p.worker, run, &p);
    }
}

void app_workers_publish(struct app *app, struct remora_config *config)
{
    if (app->grpc != NULL) {
        remora_grpc_front_set_tls(app->grpc, config->tls);
    }
    on_every_worker(app, config, publish);
}

void app_workers_tell_health(struct app *app)
{
    on_every_worker(app, NULL, tell_health);
}

static void stop_worker(struct app_worker *own)
{
    if (own->is_running) {
        remora_loop_stop(own->worker->loop);
        pthread_join(own->thread, NULL);
        own->is_running = false;
    }
}

static void free_worker(struct remora_worker *worker)
{
    remora_engine_free(worker->engine);
    if (worker->transport != NULL) {
        remora_transport_free(worker->transport);
    }
    if (worker->loop != NULL) {
        remora_loop_free(worker->loop);
    }
}

void app_workers_stop(struct app *app)
{
    for (unsigned i = 0; i < app->process.worker_count; i++) {
        stop_worker(&app->workers[i]);
    }
    for (unsigned i = 0; i < app->process.worker_count; i++) {
        free_worker(&app->process.workers[i]);
    }
    remora_free(app->workers);
    remora_free(app->process.workers);
}
