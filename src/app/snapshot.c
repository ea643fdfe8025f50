/*
 * From a file to a snapshot that every worker has; and again on SIGHUP and on the kubelet's `..data` swap. A document that is
 * invalid, a file of policy_files that is wrong or gone, a certificate of ours or a provider's authorities that cannot be taken, stay
 * as they were and say why: log line, metric, GetConfigStatus. All else is loaded: who may write one of them must not be able to hold
 * up the others', nor the rotation of a key.
 *
 * What could not be read because the machine lacked something (descriptors, memory, a mount) is read again in some seconds, without
 * anybody's change: app->is_to_load_again. What changed while it was read (seen.c) is read again before it is put in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "remora/buf.h"
#include "remora/cgroup.h"
#include "remora/limits.h"
#include "remora/memory.h"
#include "remora/telemetry.h"
#include "remora/tls.h"

enum { MOST_TRIES = 3 }; /* to read files that somebody goes on changing */

/* By errno: INTERNAL is what may pass by itself. */
static enum remora_code unread(struct remora_fail *fail, const char *verb, const char *path)
{
    bool is_wrong =
        errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == EPERM || errno == EISDIR;
    return remora_fail_set(fail, is_wrong ? REMORA_INVALID_REQUEST : REMORA_INTERNAL, NULL,
                           "Cannot %s %s: %s.", verb, path, strerrordesc_np(errno));
}

static enum remora_code read_whole(int fd, struct remora_buf *out, const char *path,
                                   struct remora_fail *fail)
{
    for (;;) {
        char *room = remora_buf_reserve(out, 16384);
        if (room == NULL) {
            return remora_fail_set(fail, REMORA_TOO_LARGE, NULL,
                                   "%s is larger than %d bytes; split it.", path,
                                   REMORA_LIMIT_CONFIG_BYTES);
        }
        ssize_t got = read(fd, room, 16384);
        if (got < 0) {
            return unread(fail, "read", path);
        }
        if (got == 0) {
            return REMORA_OK;
        }
        out->length += (size_t)got;
    }
}

/* A start may read from a pipe; a process that runs would wait for its writer, and hear no signal meanwhile. */
static enum remora_code read_document(const char *path, bool is_running, struct remora_buf *out,
                                      struct remora_fail *fail)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC | (is_running ? O_NONBLOCK : 0));
    if (fd < 0) {
        return unread(fail, "open", path);
    }
    bool is_readable = !is_running || (fstat(fd, &found) == 0 && S_ISREG(found.st_mode));
    enum remora_code code =
        is_readable ? read_whole(fd, out, path, fail)
                    : remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL,
                                      "%s is no regular file any more; put one there.", path);
    close(fd);
    return code;
}

static void log_warnings(const struct remora_config *config)
{
    for (size_t i = 0; i < config->warning_count; i++) {
        const struct remora_log_field fields[] = {
            REMORA_LOG_TEXT("path", config->warnings[i].path),
            REMORA_LOG_TEXT("warning", config->warnings[i].text),
        };
        remora_log(REMORA_LOG_WARN, "configuration warning", fields, REMORA_COUNT_OF(fields));
    }
}

static void set_certificate_end(struct app *app, const char *use, struct remora_slice provider,
                                int64_t end_unix_s)
{
    const struct remora_slice labels[] = {remora_slice_of(use), provider};
    remora_metric_set(app->process.metrics, REMORA_METRIC_CERTIFICATE_END, labels,
                      REMORA_COUNT_OF(labels), end_unix_s);
}

static bool has_certificate_of(const struct remora_config *config, struct remora_slice slug)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct remora_provider *provider = &config->providers[i];
        if (remora_slice_equal(provider->facts.slug, slug)) {
            return provider->client_certificate_end_unix_s != 0;
        }
    }
    return false;
}

/* The listeners' own, and those that providers are shown. `last` (or NULL) may have had one that is gone. */
static void note_certificates(struct app *app, const struct remora_config *last,
                              const struct remora_config *config)
{
    if (config->tls != NULL) {
        set_certificate_end(app, "listener", REMORA_SLICE(""), remora_tls_end_unix_s(config->tls));
    }
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct remora_provider *provider = &config->providers[i];
        if (provider->client_certificate_end_unix_s != 0) {
            set_certificate_end(app, "client", provider->facts.slug,
                                provider->client_certificate_end_unix_s);
        }
    }
    for (size_t i = 0; last != NULL && i < last->provider_count; i++) {
        const struct remora_provider *provider = &last->providers[i];
        if (provider->client_certificate_end_unix_s != 0 &&
            !has_certificate_of(config, provider->facts.slug)) {
            set_certificate_end(app, "client", provider->facts.slug, 0);
        }
    }
}

static void note_result(struct app *app, bool is_fine)
{
    struct remora_metrics *metrics = app->process.metrics;
    const struct remora_slice result = is_fine ? REMORA_SLICE("ok") : REMORA_SLICE("failed");
    remora_metric_add(metrics, REMORA_METRIC_CONFIG_RELOADS, &result, 1, 1);
    remora_metric_set(metrics, REMORA_METRIC_CONFIG_OK, NULL, 0, is_fine);
}

/* What a load that was not whole left as it was. */
struct kept {
    bool document;
    unsigned parts; /* kept_parts */
};

/* "everything", "service", "document, mesh and tls" */
static void name_kept(const struct kept *kept, struct remora_buf *out)
{
    static const char *const parts[REMORA_KEPT_PARTS] = {
        [REMORA_POLICY_FILE_MESH] = "mesh",       [REMORA_POLICY_FILE_NAMESPACE] = "namespace",
        [REMORA_POLICY_FILE_SERVICE] = "service", [REMORA_KEPT_TLS] = "tls",
        [REMORA_KEPT_CA_FILE] = "ca_file",        [REMORA_KEPT_SECRETS] = "keys",
    };
    const char *names[1 + REMORA_KEPT_PARTS];
    size_t count = 0;
    if (kept->document) {
        names[count++] = "document";
    }
    for (size_t i = 0; i < REMORA_KEPT_PARTS; i++) {
        if ((kept->parts & (1U << i)) != 0) {
            names[count++] = parts[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        remora_buf_append_text(out, i == 0 ? "" : i + 1 == count ? " and " : ", ");
        remora_buf_append_text(out, names[i]);
    }
    remora_buf_append_text(out, count == 0 ? "everything" : "");
}

static void note_refused(struct app *app, const struct kept *kept, const struct remora_fail *fail)
{
    struct remora_buf names;
    remora_buf_init(&names, 128);
    name_kept(kept, &names);
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("path", remora_slice_of(fail->param)),
        REMORA_LOG_TEXT("error", remora_slice_of(fail->message)),
        REMORA_LOG_TEXT("kept", remora_buf_slice(&names)),
    };
    remora_config_status_failed(app->process.config_status, fail);
    remora_log(REMORA_LOG_ERROR, "configuration refused", fields, REMORA_COUNT_OF(fields));
    remora_buf_fini(&names);
}

static void note_loaded(struct app *app, const struct remora_config *config)
{
    struct remora_metrics *metrics = app->process.metrics;
    remora_config_status_loaded(app->process.config_status, config);
    remora_log_set_level((enum remora_log_level)config->log_level);
    remora_metric_set(metrics, REMORA_METRIC_CONFIG_TIME, NULL, 0, config->load_unix_ms / 1000);
    remora_metric_set(metrics, REMORA_METRIC_CONFIG_WARNINGS, NULL, 0,
                      (int64_t)config->warning_count);
    remora_metric_add(metrics, REMORA_METRIC_CREDENTIAL_RELOADS, NULL, 0,
                      config->changed_credential_count);
    note_certificates(app, app->config, config);
    log_warnings(config);
}

/* The process's files, each noted before it is read. */
struct reader {
    struct remora_config_input system;
    struct app_seen *seen;
};

static enum remora_code read_secret(void *context, const char *path, struct remora_secret **out,
                                    struct remora_fail *fail)
{
    const struct reader *reader = context;
    app_seen_note(reader->seen, path);
    return reader->system.read_secret(reader->system.file_context, path, out, fail);
}

static enum remora_code read_file(void *context, const char *path, struct remora_arena *arena,
                                  struct remora_slice *out, struct remora_fail *fail)
{
    const struct reader *reader = context;
    app_seen_note(reader->seen, path);
    return reader->system.read_file(reader->system.file_context, path, arena, out, fail);
}

static enum remora_code build(const struct app *app, struct remora_slice document, bool is_file,
                              struct app_seen *seen, struct remora_config **out,
                              struct remora_fail *fail)
{
    const char *path = app->options.config_path;
    struct reader reader = {.seen = seen};
    remora_config_input_system(&reader.system);
    struct remora_config_input input = reader.system;
    input.read_secret = read_secret;
    input.read_file = read_file;
    input.file_context = &reader;
    input.needs_version = is_file;
    input.document = document;
    input.document_name = path != NULL ? path : "(built in)";
    input.health = app->health;
    input.running = app->config;
    return remora_config_build(&input, out, fail);
}

static enum remora_code read_all(const struct app *app, const char *document, struct app_seen *seen,
                                 struct remora_config **out, struct remora_fail *fail)
{
    const char *path = app->options.config_path;
    bool is_file = document == NULL && path != NULL;
    struct remora_buf text;
    enum remora_code code = REMORA_OK;
    remora_buf_init(&text, REMORA_LIMIT_CONFIG_BYTES + 16384);
    if (document != NULL) {
        remora_buf_append_text(&text, document);
    } else if (is_file) {
        app_seen_note(seen, path);
        code = read_document(path, app->config != NULL, &text, fail);
    }
    if (code == REMORA_OK) {
        code = build(app, remora_buf_slice(&text), is_file, seen, out, fail);
    }
    remora_buf_fini(&text);
    return code;
}

enum remora_code app_snapshot_read(const struct app *app, const char *document,
                                   struct remora_config **out, struct remora_fail *fail)
{
    struct app_seen seen = {0};
    enum remora_code code = read_all(app, document, &seen, out, fail);
    app_seen_forget(&seen);
    return code;
}

/* With the document as it was: who may write it keeps neither a ceiling nor a key from changing. False: nothing is new. */
static bool load_the_rest(struct app *app, struct remora_config **out)
{
    struct remora_fail ignored = REMORA_FAIL_INIT;
    return app->config != NULL &&
           build(app, app->config->document, false, &app->seen, out, &ignored) == REMORA_OK;
}

/* One state of the files: where one of them has changed meanwhile they are read again. */
static enum remora_code load_one_state(struct app *app, const char *document, struct kept *kept,
                                       struct remora_config **out, struct remora_fail *fail)
{
    for (int tries = 1;; tries++) {
        app_seen_forget(&app->seen);
        enum remora_code code = read_all(app, document, &app->seen, out, fail);
        kept->document = code != REMORA_OK && load_the_rest(app, out);
        bool is_mixed = app_seen_has_changed(&app->seen);
        if (!is_mixed || tries == MOST_TRIES) {
            app->is_to_load_again = is_mixed;
            return code;
        }
        if (code == REMORA_OK || kept->document) {
            remora_config_release(*out);
            *out = NULL; /* at a start this is app->config */
        }
        *fail = (struct remora_fail)REMORA_FAIL_INIT;
    }
}

enum remora_code app_snapshot_load(struct app *app, const char *document,
                                   struct remora_config **out, struct remora_fail *fail)
{
    struct kept kept = {0};
    enum remora_code code = load_one_state(app, document, &kept, out, fail);
    app->is_to_load_again |= code == REMORA_INTERNAL || code == REMORA_SHEDDING;
    if (code != REMORA_OK && !kept.document) {
        note_result(app, false);
        note_refused(app, &kept, fail);
        return code;
    }
    const struct remora_config *config = *out;
    app->is_to_load_again |= config->is_unread;
    kept.parts = config->kept_parts;
    if (!kept.document && config->kept_why != NULL) {
        *fail = *config->kept_why;
    }
    bool is_whole = !kept.document && kept.parts == 0;
    note_result(app, is_whole);
    note_loaded(app, config);
    if (!is_whole) {
        note_refused(app, &kept, fail);
    }
    return REMORA_OK;
}

/*
 * A body costs its bytes, what is parsed from it and what is sent of it, all of them the process's: so bodies have a quarter
 * of what the kernel lets it have. Asked again with each load, because a pod may be resized while it runs.
 */
void app_snapshot_apply(struct app *app, struct remora_config *config)
{
    uint64_t share = remora_cgroup_memory_limit_bytes("") / 4;
    uint64_t most = config->admission.bytes < share ? config->admission.bytes : share;
    remora_admission_set_bytes(app->admission, most);
    remora_metric_set(app->process.metrics, REMORA_METRIC_REQUEST_BYTES_LIMIT, NULL, 0,
                      (int64_t)most);
    app_workers_publish(app, config);
}

static bool same_address(const struct remora_address *a, const struct remora_address *b)
{
    return strcmp(a->text, b->text) == 0;
}

static void warn_of_fixed(const struct remora_config *old, const struct remora_config *new)
{
    if (!same_address(&old->http, &new->http) || !same_address(&old->grpc, &new->grpc) ||
        !same_address(&old->probe, &new->probe) || !same_address(&old->admin, &new->admin) ||
        old->workers != new->workers || old->mode != new->mode ||
        old->grpc_connection_age_ms != new->grpc_connection_age_ms) {
        remora_log(REMORA_LOG_WARN, "listen, workers, mode and grpc take effect at the next start",
                   NULL, 0);
    }
}

void app_snapshot_reload(struct app *app)
{
    struct remora_config *next = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (app->demo != NULL) {
        return; /* the demo's document does not change */
    }
    if (app_snapshot_load(app, NULL, &next, &fail) != REMORA_OK) {
        return;
    }
    warn_of_fixed(app->config, next);
    app_snapshot_apply(app, next);
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("revision", next->revision),
        REMORA_LOG_NUMBER("changed_keys", (int64_t)next->changed_credential_count),
    };
    bool is_whole = fail.code == REMORA_OK;
    remora_log(REMORA_LOG_INFO, is_whole ? "configuration loaded" : "configuration loaded in part",
               fields, REMORA_COUNT_OF(fields));
    remora_config_release(app->config);
    app->config = next;
}
