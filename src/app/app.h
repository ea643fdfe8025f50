/* What the files of the app share. */
#ifndef REMORA_APP_APP_H
#define REMORA_APP_APP_H

#include <pthread.h>

#include "remora/caller.h"
#include "remora/config.h"
#include "remora/front.h"
#include "remora/memory.h"
#include "remora/route.h"
#include "remora/worker.h"

#define REMORA_VERSION_TEXT "0.1.0"

/* Command line of serve and demo. */
struct app_options {
    const char *config_path; /* NULL: defaults and the environment */
    const char *http;        /* overrides of `listen`, or NULL */
    const char *grpc;
    const char *probe;
    const char *admin;
    const char
        *providers;   /* of the demo: where the fake providers listen; NULL: a port of their own */
    uint32_t workers; /* 0: as the configuration says */
    const char *workers_text; /* as written, or NULL */
    bool is_demo;
};
/* Exit status, or -1 to go on. Prints what is wrong. */
int app_options_parse(struct app_options *options, int argc, char **argv);

struct app;

/* One worker with its thread. */
struct app_worker {
    struct app *app;
    struct remora_worker *worker;
    struct remora_observer *observer;
    struct remora_message_node turn; /* has the engine let in those whose turn has come */
    _Atomic bool turn_is_posted;
    pthread_t thread;
    bool is_running;
};

/* ---- seen.c ---- */
/* What differs when a file was written, replaced, deleted or made. */
struct stat;
uint64_t app_stamp(const struct stat *found);
/* The files that a load has read. Zeroed: none. One thread's. */
struct app_seen {
    struct app_seen_file *files;
    size_t count;
    size_t capacity;
};
/* Before it is read. */
void app_seen_note(struct app_seen *seen, const char *path);
/* Whether one of them is no more what was read. */
bool app_seen_has_changed(const struct app_seen *seen);
void app_seen_forget(struct app_seen *seen);

/* The process, as `serve` holds it. */
struct app {
    struct app_options options;
    struct remora_process process;
    struct app_worker *workers;
    struct remora_health *health;
    struct remora_admission *admission;
    struct remora_trust *trust;
    struct remora_hop_id hop; /* set before the workers start */
    struct remora_observer *observer;
    struct remora_config *config; /* running */
    bool is_blind;                /* control's, as it was told last */
    struct app_seen seen;         /* by the newest load */
    bool is_to_load_again; /* it lacked something of the machine's, or what it read has changed */
    struct remora_http_front *http;
    struct remora_http_front *probe;
    struct remora_http_front *admin;
    struct remora_grpc_front *grpc;
    struct demo *demo; /* NULL: serve */
};

/* ---- workers.c ---- */
REMORA_MUST_CHECK enum remora_code app_workers_start(struct app *app, unsigned count);
/* Gives a snapshot to every worker; returns when all have it. */
void app_workers_publish(struct app *app, struct remora_config *config);
/* Has every worker tell those who watch its health; returns when all have. */
void app_workers_tell_health(struct app *app);
/* Runs a function on a worker's thread and waits for it. */
void app_worker_call(struct remora_worker *worker, void (*run)(void *context), void *context);
void app_workers_stop(struct app *app);

/* ---- snapshot.c ---- */
/* Reads and builds, and tells nobody. `document` NULL: from options.config_path. */
REMORA_MUST_CHECK enum remora_code app_snapshot_read(const struct app *app, const char *document,
                                                     struct remora_config **out,
                                                     struct remora_fail *fail);
/*
 * The same for a process that runs: logs and notes the failure, or the warnings, and what stays as it was. *fail says why, when
 * something does, also where the rest was loaded (REMORA_OK).
 */
REMORA_MUST_CHECK enum remora_code app_snapshot_load(struct app *app, const char *document,
                                                     struct remora_config **out,
                                                     struct remora_fail *fail);
/* Puts a snapshot in force: on every worker, and in what the process carries. */
void app_snapshot_apply(struct app *app, struct remora_config *config);
/* SIGHUP and the `..data` swap: a new snapshot for every worker, or none and the reason. */
void app_snapshot_reload(struct app *app);

/* ---- control.c ---- */
struct control {
    int signal_fd;
    int watch_fd; /* inotify on the folders of the document and of the files that it names, and the way there, or -1 */
    bool is_blind; /* something is not told of: the files are looked at instead */
    struct control_watched *watched;
    size_t watched_count;
    size_t watched_capacity;
};
/* Blocks the signals that control reads; before any thread is started. */
REMORA_MUST_CHECK bool control_open(struct control *control);
/* Watches one more file, and the way to it; asked again it changes nothing. Where its folder is not there, that one is watched for. */
void control_watch(struct control *control, const char *path);
/* Forgets what is watched, and what has happened there since the last wait. */
void control_unwatch(struct control *control);
enum control_event { CONTROL_NOTHING, CONTROL_STOP, CONTROL_RELOAD };
/*
 * Waits for at most timeout_ms (-1: for ever); what does not concern the configuration ends the wait too, as CONTROL_NOTHING.
 * A change of a file is reported once the files have been quiet for 250 ms, or after 2 s; one that somebody still writes is
 * waited for, 10 s at most, and one that is deleted or moved away is reported once it has been absent for a second.
 */
enum control_event control_wait(struct control *control, int timeout_ms);
/* For signals alone: a drain does not wait for files. */
enum control_event control_wait_signal(struct control *control, int timeout_ms);
void control_close(struct control *control);

/* ---- drain.c ---- */
/* From the first SIGTERM to the last byte: delay, no more accepting, grace. A second signal ends it at once. */
void app_drain(struct app *app, struct control *control);

/* ---- demo.c ---- */
struct demo;
/* Fake providers at 127.0.0.1:PORT (NULL: a port of their own), and the document that names them. */
REMORA_MUST_CHECK enum remora_code demo_start(const char *providers, struct demo **out,
                                              struct remora_fail *fail);
const char *demo_document(const struct demo *demo);
void demo_stop(struct demo *demo);
void demo_print_help(const struct app *app);

/* ---- offline.c: what the subcommands that read a configuration and end share ---- */
struct offline_who {
    const char *service; /* of --service, --namespace and --key; NULL: not given */
    const char *namespace_name;
    const char *key;
};
/* A chat request that is not sent. */
struct offline_request {
    struct remora_request request;
    struct remora_policy own; /* its layer */
    struct remora_plan plan;
};
struct offline {
    struct remora_arena arena; /* files and what is parsed from them */
    struct remora_config_input input;
    struct remora_health *health; /* everything is well */
    struct remora_config *config;
    struct remora_identity identity;
    struct remora_policy_stack stack; /* of that identity, REQUEST left NULL */
};
/* Options --NAME VALUE or --NAME=VALUE, in any order; a value is left as it was when its option is not given. */
struct offline_option {
    const char *name;
    const char **value;
};
/* Exit status, or -1 to go on. Says on stderr what is wrong, and then `usage`. */
int offline_options(const struct offline_option *options, size_t count, const char *usage, int argc,
                    char **argv);
/*
 * The configuration of a file (NULL: of the environment alone) and who would ask (nothing given: the configured service).
 * False when there is none, said on stderr. Either way offline_close follows.
 */
enum offline_keys {
    OFFLINE_KEYS_AS_HERE,
    OFFLINE_KEYS_ASSUMED, /* those of providers that the document names and that are not here */
};
REMORA_MUST_CHECK bool offline_open(struct offline *offline, const char *config_path,
                                    enum offline_keys keys, const struct offline_who *who);
/* Turns to another caller. */
REMORA_MUST_CHECK enum remora_code offline_become(struct offline *offline,
                                                  const struct remora_named_caller *named,
                                                  struct remora_fail *fail);
/* Reads the body of POST /v1/chat/completions and plans it; codes of the skin and of remora_plan_build. */
REMORA_MUST_CHECK enum remora_code offline_plan(struct offline *offline, struct remora_slice body,
                                                struct offline_request *out,
                                                struct remora_fail *fail);
void offline_close(struct offline *offline);
/* USD per million tokens, "-" when it is not known. Returns out, which holds >= 48. */
const char *offline_price(int64_t pico_usd, char *out);

/* ---- unserved.c: of `check` ---- */
/*
 * Says on stderr, a line each behind `path`, which models the policies of a snapshot leave without an endpoint although it has some; how
 * many lines that were, 64 at most. The snapshot is one of assumed keys, or those that are not here are no endpoints.
 */
size_t app_warn_of_unserved(const struct remora_config *config, const char *path);

/* ---- subcommands: exit status ---- */
int app_serve(int argc, char **argv);
int app_demo(int argc, char **argv);
int app_check(int argc, char **argv);
int app_healthcheck(int argc, char **argv);
int app_version(int argc, char **argv);
int app_schema(int argc, char **argv);
int app_route(int argc, char **argv);
int app_policy(int argc, char **argv);
int app_models(int argc, char **argv);
int app_providers(int argc, char **argv);
int app_keys(int argc, char **argv);

#endif
