/*
 * remora serve: from the command line to a gateway that is ready, and back.
 *
 * Happy path: block signals, load the configuration, start workers, open the fronts, be ready, wait for signals, drain.
 * Each step that fails says why on standard error and ends the process with status 1.
 */
#include <curl/curlver.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app.h"
#include "remora/cgroup.h"
#include "remora/clock.h"
#include "remora/descriptors.h"
#include "remora/memory.h"
#include "remora/secret.h"
#include "remora/telemetry.h"

enum { ABSENT_FILE_MS = 500 }; /* how often an absent policy file is looked for */
enum { AGAIN_MS = 2000, LONGEST_AGAIN_MS = 60000 };

static int complain(const char *what, const struct remora_fail *fail)
{
    fprintf(stderr, "remora: %s: %s%s%s\n", what, fail->param, fail->param[0] != '\0' ? ": " : "",
            fail->message);
    return 1;
}

/* ---- start ---- */

/* On the thread that loads them. A gateway that can believe no provider looks healthy from everywhere else. */
static void on_authorities(void *context, const struct remora_trust_found *found)
{
    struct remora_metrics *metrics = context;
    remora_metric_set(metrics, REMORA_METRIC_PUBLIC_CAS, NULL, 0,
                      (int64_t)found->certificate_count);
    if (found->certificate_count > 0) {
        return;
    }
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("bundle", remora_slice_of(found->path)),
        REMORA_LOG_TEXT("effect", REMORA_SLICE("providers over https without ca_file will fail")),
        REMORA_LOG_TEXT("cure", REMORA_SLICE("install ca-certificates or set SSL_CERT_FILE")),
    };
    remora_log(REMORA_LOG_WARN, "no public authorities", fields, REMORA_COUNT_OF(fields));
}

static bool make_shared(struct app *app)
{
    app->process.start_unix_ms = remora_clock_system()->unix_ms(remora_clock_system());
    app->process.memory_limit_bytes = remora_cgroup_memory_limit_bytes("");
    app->process.metrics = remora_metrics_new();
    app->process.config_status = remora_config_status_store_new();
    app->health = remora_health_new();
    app->admission = remora_admission_new();
    if (app->process.metrics == NULL || app->process.config_status == NULL || app->health == NULL ||
        app->admission == NULL) {
        return false;
    }
    app->process.health = app->health;
    app->process.admission = app->admission;
    app->observer = remora_observer_new(app->process.metrics);
    app->trust = remora_trust_load_begin(on_authorities, app->process.metrics);
    return app->observer != NULL && app->trust != NULL;
}

static unsigned worker_count(const struct app *app)
{
    if (app->options.workers > 0) {
        return app->options.workers;
    }
    if (app->config->workers > 0) {
        return app->config->workers;
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return app->config->mode == REMORA_MODE_GATEWAY && processors > 0 ? (unsigned)processors : 1;
}

/* The command line wins over the document. */
static enum remora_code address_of(const char *override, const struct remora_address *configured,
                                   struct remora_address *out, struct remora_fail *fail)
{
    *out = *configured;
    return override == NULL ? REMORA_OK
                            : remora_address_parse(remora_slice_of(override), out, fail);
}

/* The document's own addresses were judged when it was loaded; these are the command line's. */
static enum remora_entry entry_of(const struct app *app, enum remora_http_role role)
{
    return role == REMORA_HTTP_DATA ? remora_config_entry(app->config) : REMORA_ENTRY_FREE;
}

static void warn_of_plaintext(const struct remora_address *address)
{
    const struct remora_log_field field =
        REMORA_LOG_TEXT("address", remora_slice_of(address->text));
    if (!address->is_loopback && !address->is_tls) {
        remora_log(REMORA_LOG_WARN, "keys and prompts travel in the clear on this listener", &field,
                   1);
    }
}

/* A listener, as it is opened: `http` is NULL for gRPC's. */
struct opening {
    const char *name;
    const char *override; /* of the command line, or NULL */
    const struct remora_address *configured;
    enum remora_http_role role;
    struct remora_http_front **http;
};

static enum remora_code open_front(struct app *app, const struct opening *opening,
                                   struct remora_fail *fail)
{
    struct remora_address address;
    enum remora_code code = address_of(opening->override, opening->configured, &address, fail);
    if (code != REMORA_OK || address.is_off) {
        return code;
    }
    bool is_data = opening->role == REMORA_HTTP_DATA;
    address.is_tls = is_data && remora_config_is_tls(app->config, &address);
    if (opening->role != REMORA_HTTP_PROBE &&
        remora_address_check_data(&address, entry_of(app, opening->role), NULL, fail) !=
            REMORA_OK) {
        return fail->code;
    }
    if (opening->override != NULL && is_data) {
        warn_of_plaintext(&address);
    }
    return opening->http == NULL
               ? remora_grpc_front_open(&app->process, &address, app->config, &app->grpc, fail)
               : remora_http_front_open(&app->process, opening->role, &address, opening->http,
                                        fail);
}

/* The usual soft limit is 1,024 (systemd, containerd), of which a full listener takes all. */
static void find_descriptors(const struct app *app)
{
    uint64_t needed = remora_descriptors_needed(app->process.worker_count);
    uint64_t limit = remora_descriptors_raise(needed);
    const struct remora_log_field fields[] = {
        REMORA_LOG_NUMBER("limit", (int64_t)limit),
        REMORA_LOG_NUMBER("needed", (int64_t)needed),
        REMORA_LOG_TEXT("effect", REMORA_SLICE("under load callers are refused sooner than the "
                                               "limits say")),
        REMORA_LOG_TEXT("cure", REMORA_SLICE("raise the hard limit: ulimit -Hn, LimitNOFILE")),
    };
    if (limit < needed) {
        remora_log(REMORA_LOG_WARN, "few file descriptors", fields, REMORA_COUNT_OF(fields));
    }
}

/* *fail names what an operator would change: the option that was given, else the key of the document. */
static enum remora_code open_fronts(struct app *app, struct remora_fail *fail)
{
    const struct app_options *o = &app->options;
    const struct remora_config *c = app->config;
    const struct opening openings[] = {
        {"http", o->http, &c->http, REMORA_HTTP_DATA, &app->http},
        {"probe", o->probe, &c->probe, REMORA_HTTP_PROBE, &app->probe},
        {"admin", o->admin, &c->admin, REMORA_HTTP_ADMIN, &app->admin},
        {"grpc", o->grpc, &c->grpc, REMORA_HTTP_DATA, NULL},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(openings); i++) {
        struct remora_fail why = REMORA_FAIL_INIT;
        enum remora_code code = open_front(app, &openings[i], &why);
        if (code != REMORA_OK) {
            char place[32];
            snprintf(place, sizeof place, "%s%s", openings[i].override != NULL ? "--" : "listen.",
                     openings[i].name);
            return remora_fail_set(fail, code, place, "%s", why.message);
        }
    }
    return REMORA_OK;
}

static void become_ready(struct app *app)
{
    const struct remora_slice build[] = {REMORA_SLICE(REMORA_VERSION_TEXT),
                                         remora_slice_of(remora_grpc_core_version()),
                                         REMORA_SLICE(LIBCURL_VERSION)};
    remora_metric_set(app->process.metrics, REMORA_METRIC_BUILD_INFO, build, 3, 1);
    remora_metric_set(app->process.metrics, REMORA_METRIC_PROCESS_START, NULL, 0,
                      app->process.start_unix_ms / 1000);
    app->process.is_started = true;
    app->process.is_ready = true;
    app_workers_tell_health(app);
    const struct remora_log_field fields[] = {
        REMORA_LOG_NUMBER("http_port", app->http != NULL ? remora_http_front_port(app->http) : 0),
        REMORA_LOG_NUMBER("grpc_port", app->grpc != NULL ? remora_grpc_front_port(app->grpc) : 0),
        REMORA_LOG_NUMBER("probe_port",
                          app->probe != NULL ? remora_http_front_port(app->probe) : 0),
        REMORA_LOG_NUMBER("admin_port",
                          app->admin != NULL ? remora_http_front_port(app->admin) : 0),
        REMORA_LOG_TEXT("service", app->config->service),
        REMORA_LOG_TEXT("revision", app->config->revision),
        REMORA_LOG_NUMBER("providers", (int64_t)app->config->provider_count),
        REMORA_LOG_NUMBER("models", (int64_t)app->config->model_count),
        REMORA_LOG_NUMBER("workers", app->process.worker_count),
    };
    remora_log(REMORA_LOG_INFO, "ready", fields, REMORA_COUNT_OF(fields));
}

/* ---- stop ---- */

static void close_probes(void *context)
{
    struct app *app = context;
    if (app->probe != NULL) {
        remora_http_front_drain(app->probe, 0);
    }
    if (app->admin != NULL) {
        remora_http_front_drain(app->admin, 0);
    }
}

/* Whatever is still connected to a worker is no more: no call may outlive its engine. */
static void cut_off(void *context)
{
    const struct app_worker *own = context;
    struct app *app = own->app;
    struct remora_http_front *fronts[] = {app->http, app->probe, app->admin};
    for (size_t i = 0; i < REMORA_COUNT_OF(fronts); i++) {
        if (fronts[i] != NULL) {
            remora_http_front_cut(fronts[i], own->worker->index);
        }
    }
}

static void stop(struct app *app)
{
    if (app->process.worker_count > 0 && app->workers[0].is_running) {
        app_worker_call(&app->process.workers[0], close_probes, app);
    }
    if (app->grpc != NULL) {
        remora_grpc_front_free(app->grpc);
    }
    for (unsigned i = 0; i < app->process.worker_count; i++) {
        if (app->workers[i].is_running) {
            app_worker_call(&app->process.workers[i], cut_off, &app->workers[i]);
        }
    }
    app_workers_stop(app);
    remora_http_front_free(app->http);
    remora_http_front_free(app->probe);
    remora_http_front_free(app->admin);
    if (app->config != NULL) {
        remora_config_release(app->config);
    }
    demo_stop(app->demo);
    app_seen_forget(&app->seen);
    remora_observer_free(app->observer);
    remora_trust_free(app->trust);
    remora_health_free(app->health);
    remora_admission_free(app->admission);
    remora_metrics_free(app->process.metrics);
    remora_config_status_store_free(app->process.config_status);
}

/* The kernel keeps one watch per folder, however many files of it are named. */
static void watch_files(const struct app *app, struct control *control)
{
    const struct remora_config *config = app->config;
    if (app->options.config_path != NULL) {
        control_watch(control, app->options.config_path);
    }
    for (size_t i = 0; i < config->file_count; i++) {
        control_watch(control, config->files[i].data);
    }
}

/* Told when it begins: a file's change is seen all the same, but later, and other programs of this user lack them, too. */
static void tell_blindness(struct app *app, const struct control *control)
{
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("effect", REMORA_SLICE("the files are looked at every second")),
        REMORA_LOG_TEXT("cure", REMORA_SLICE("raise fs.inotify.max_user_instances or "
                                             "fs.inotify.max_user_watches of the machine")),
    };
    if (control->is_blind && !app->is_blind) {
        remora_log(REMORA_LOG_WARN, "the kernel watches no more files for this user", fields,
                   REMORA_COUNT_OF(fields));
    }
    app->is_blind = control->is_blind;
    remora_metric_set(app->process.metrics, REMORA_METRIC_CONFIG_WATCHED, NULL, 0,
                      !control->is_blind);
}

/* Nobody tells of what happened to a file between its reading and now, if it was not watched before. */
static void watch_loaded(struct app *app, struct control *control)
{
    watch_files(app, control);
    tell_blindness(app, control);
    app->is_to_load_again |= app_seen_has_changed(&app->seen);
}

/*
 * What is watched is looked for anew before the files are read, so that what comes afterwards is the next change, also in a folder
 * that has just come or taken the place of another one; and behind it for what the new configuration names. Nothing is forgotten
 * between the two: a folder may come while they are read.
 */
static void reload(struct app *app, struct control *control)
{
    control_unwatch(control);
    watch_files(app, control);
    app_snapshot_reload(app);
    watch_loaded(app, control);
}

/* Without inotify (the kernel bounds how many there are) nothing tells that an absent policy file has come. */
static bool has_all_policies(const struct remora_config *config)
{
    for (size_t i = 0; i < config->policy_file_count; i++) {
        if (access(config->files[i].data, F_OK) != 0) {
            return false;
        }
    }
    return true;
}

/* When to load again what could not be read; later and later while it stays so. */
struct again {
    uint64_t at_ms; /* 0: not at all */
    uint64_t after_ms;
};

static uint64_t now_ms(void)
{
    const struct remora_clock *clock = remora_clock_system();
    return clock->now_ns(clock) / REMORA_NS_PER_MS;
}

static void note_again(const struct app *app, struct again *again)
{
    if (!app->is_to_load_again) {
        *again = (struct again){0};
        return;
    }
    uint64_t after = again->after_ms == 0 ? AGAIN_MS : again->after_ms * 2;
    again->after_ms = after < LONGEST_AGAIN_MS ? after : LONGEST_AGAIN_MS;
    again->at_ms = now_ms() + again->after_ms;
}

/* How long to wait for signals and files; -1: for ever. */
static int patience_ms(const struct app *app, const struct again *again)
{
    uint64_t now = now_ms();
    if (app->config->not_ready_why != NULL) {
        return ABSENT_FILE_MS;
    }
    if (again->at_ms == 0) {
        return -1;
    }
    return again->at_ms > now ? (int)(again->at_ms - now) : 0;
}

/* Nothing was told: whether there is something to load all the same. *had_all: all policy files, when they were looked for last. */
static bool is_due(const struct app *app, const struct again *again, bool *had_all)
{
    bool has_come = false;
    if (app->config->not_ready_why != NULL) {
        bool has_all = has_all_policies(app->config);
        has_come = has_all && !*had_all; /* once: a file that is wrong is told once */
        *had_all = has_all;
    }
    return has_come || (again->at_ms != 0 && now_ms() >= again->at_ms);
}

static void serve_until_stopped(struct app *app, struct control *control)
{
    bool had_all = false;
    struct again again = {0};
    note_again(app, &again);
    for (;;) {
        switch (control_wait(control, patience_ms(app, &again))) {
        case CONTROL_NOTHING:
            if (is_due(app, &again, &had_all)) {
                reload(app, control);
                note_again(app, &again);
            }
            break;
        case CONTROL_RELOAD:
            if (app->demo != NULL) { /* it has nothing to read anew: its terminal is gone */
                app_drain(app, control);
                return;
            }
            had_all = has_all_policies(app->config);
            reload(app, control);
            note_again(app, &again);
            break;
        case CONTROL_STOP:
            app_drain(app, control);
            return;
        }
    }
}

static int run(struct app *app, struct control *control)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (remora_transport_global_init() != REMORA_OK || !make_shared(app)) {
        fputs("remora: out of memory\n", stderr);
        return 1;
    }
    if (app->options.is_demo &&
        demo_start(app->options.providers, &app->demo, &fail) != REMORA_OK) {
        return complain("demo", &fail);
    }
    const char *document = app->demo != NULL ? demo_document(app->demo) : NULL;
    if (app_snapshot_load(app, document, &app->config, &fail) != REMORA_OK) {
        return complain("configuration", &fail);
    }
    watch_loaded(app, control);
    if (app_workers_start(app, worker_count(app)) != REMORA_OK) {
        fputs("remora: cannot start the workers\n", stderr);
        return 1;
    }
    find_descriptors(app);
    app_snapshot_apply(app, app->config);
    if (open_fronts(app, &fail) != REMORA_OK) {
        fprintf(stderr, "remora: %s: %s\n", fail.param, fail.message);
        return 1;
    }
    become_ready(app);
    if (app->demo != NULL) {
        demo_print_help(app);
    }
    serve_until_stopped(app, control);
    return 0;
}

static int serve(struct app *app)
{
    struct control control;
    /* Few threads allocate: more arenas only spread the memory that a pod pays for. */
    mallopt(M_ARENA_MAX, 2);
    /* No core, no ptrace by others of this user: what is in use (a request on its way) lies in plain memory. */
    if (getenv("REMORA_DUMPABLE") == NULL) {
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    if (!remora_secret_hide_environment()) {
        fputs("remora: out of memory\n", stderr);
        return 1;
    }
    if (!control_open(&control)) {
        fputs("remora: cannot set up signals\n", stderr);
        return 1;
    }
    if (app->options.config_path != NULL) {
        control_watch(&control, app->options.config_path); /* a change while it is being read */
    }
    int status = run(app, &control);
    stop(app);
    control_close(&control);
    return status;
}

int app_serve(int argc, char **argv)
{
    struct app app = {0};
    int status = app_options_parse(&app.options, argc, argv);
    if (status >= 0) {
        return status;
    }
    if (app.options.providers != NULL) {
        fputs("remora: --providers is of demo\n", stderr);
        return 2;
    }
    return serve(&app);
}

int app_demo(int argc, char **argv)
{
    struct app app = {.options = {.is_demo = true}};
    int status = app_options_parse(&app.options, argc, argv);
    if (status >= 0) {
        return status;
    }
    if (app.options.config_path != NULL) {
        fputs("remora: demo brings its own configuration; use serve --config\n", stderr);
        return 2;
    }
    return serve(&app);
}
