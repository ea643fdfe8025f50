/* The subcommands that do one thing and end: check, version. */
#include <curl/curlver.h>
#include <stdio.h>
#include <string.h>

#include "app.h"

int app_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("remora %s (gRPC core %s, libcurl %s, catalog %s)\n", REMORA_VERSION_TEXT,
           remora_grpc_core_version(), LIBCURL_VERSION, remora_catalog_version());
    return 0;
}

/* ---- check ---- */

static void keep_count(void *context, const struct remora_trust_found *found)
{
    size_t *count = context;
    *count = found->certificate_count;
}

/* Of the bundle that a process started here and now would read. */
static bool has_authorities(void)
{
    size_t count = 0;
    struct remora_trust *trust = remora_trust_load_begin(keep_count, &count);
    remora_trust_free(trust); /* waits for the load */
    return trust == NULL || count > 0;
}

/* A provider that has to be believed and can not be; NULL: none. */
static const struct remora_provider *find_unbelieved(const struct remora_config *config)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct remora_provider *provider = &config->providers[i];
        if (provider->disabled_why == NULL && provider->ca_pem.length == 0 &&
            remora_slice_starts_with(provider->facts.base_url, REMORA_SLICE("https://"))) {
            return has_authorities() ? NULL : provider;
        }
    }
    return NULL;
}

static size_t warn_of_authorities(const struct remora_config *config, const char *path)
{
    const struct remora_provider *unbelieved = find_unbelieved(config);
    if (unbelieved == NULL) {
        return 0;
    }
    fprintf(stderr,
            "%s: warning: providers.%.*s: no public authorities here: https without ca_file will "
            "fail (install ca-certificates or set SSL_CERT_FILE)\n",
            path, REMORA_SLICE_ARG(unbelieved->facts.slug));
    return 1;
}

/* That of this machine: where the document will run there may be another. */
static size_t warn_of_old_core(const struct remora_config *config, const char *path)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (config->grpc.is_off ||
        remora_grpc_front_may_listen(&config->grpc, config->accept_old_core, &fail) == REMORA_OK) {
        return 0;
    }
    fprintf(stderr, "%s: warning: listen.grpc: here `serve` would refuse it: %s\n", path,
            fail.message);
    return 1;
}

static size_t warn_of_loading(const struct remora_config *config, const char *path)
{
    for (size_t i = 0; i < config->warning_count; i++) {
        const struct remora_warning *warning = &config->warnings[i];
        fprintf(stderr, "%s: warning: %.*s: %.*s\n", path, REMORA_SLICE_ARG(warning->path),
                REMORA_SLICE_ARG(warning->text));
    }
    return config->warning_count;
}

/* Of the same document with all its keys: those of providers may be where it will run, and not here. */
static size_t warn_of_unserved(const struct app *app, const struct remora_config *config)
{
    struct remora_config_input input = {0};
    struct remora_config *whole = NULL;
    struct remora_fail ignored = REMORA_FAIL_INIT;
    remora_config_input_system(&input);
    input.document = config->document;
    input.assumes_keys = true;
    input.health = app->health;
    if (remora_config_build(&input, &whole, &ignored) != REMORA_OK) {
        return 0; /* a file has changed since */
    }
    size_t count = app_warn_of_unserved(whole, app->options.config_path);
    remora_config_release(whole);
    return count;
}

static int report(const struct app *app, const struct remora_config *config, bool is_strict)
{
    const char *path = app->options.config_path;
    size_t count = warn_of_authorities(config, path);
    count += warn_of_old_core(config, path);
    count += warn_of_loading(config, path);
    count += warn_of_unserved(app, config);
    if (is_strict && count > 0) {
        fprintf(stderr, "%s: %zu warnings are errors under --strict\n", path, count);
        return 1;
    }
    printf("%s: valid: %zu providers, %zu models, %zu warnings, revision %.*s\n", path,
           config->provider_count, config->model_count, count, REMORA_SLICE_ARG(config->revision));
    return 0;
}

static int check(const char *path, bool is_strict)
{
    struct app app = {.options = {.config_path = path}};
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    int status = 1;
    app.health = remora_health_new();
    if (app.health == NULL) {
        fputs("remora: out of memory\n", stderr);
        return 1;
    }
    if (app_snapshot_read(&app, NULL, &config, &fail) == REMORA_OK) {
        status = report(&app, config, is_strict);
        remora_config_release(config);
    } else {
        fprintf(stderr, "%s: %s%s%s\n", path, fail.param, fail.param[0] != '\0' ? ": " : "",
                fail.message);
    }
    remora_health_free(app.health);
    return status;
}

int app_check(int argc, char **argv)
{
    bool is_strict = false;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--strict") == 0) {
            is_strict = true;
        } else if (path == NULL && argv[i][0] != '-') {
            path = argv[i];
        } else {
            path = NULL;
            break;
        }
    }
    if (path == NULL) {
        fputs("usage: remora check FILE [--strict]\n", stderr);
        return 2;
    }
    return check(path, is_strict);
}
