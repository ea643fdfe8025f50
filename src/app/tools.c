/* The subcommands that do one thing and end: check, healthcheck, version. */
#include <curl/curlver.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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

static int report(const struct remora_config *config, const char *path, bool is_strict)
{
    for (size_t i = 0; i < config->warning_count; i++) {
        const struct remora_warning *warning = &config->warnings[i];
        fprintf(stderr, "%s: warning: %.*s: %.*s\n", path, REMORA_SLICE_ARG(warning->path),
                REMORA_SLICE_ARG(warning->text));
    }
    if (is_strict && config->warning_count > 0) {
        fprintf(stderr, "%s: %zu warnings are errors under --strict\n", path,
                config->warning_count);
        return 1;
    }
    printf("%s: valid: %zu providers, %zu models, %zu warnings, revision %.*s\n", path,
           config->provider_count, config->model_count, config->warning_count,
           REMORA_SLICE_ARG(config->revision));
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
        status = report(config, path, is_strict);
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

/* ---- healthcheck: an exec probe for places where the kubelet cannot reach the port ---- */

static int connect_to(const char *host, unsigned port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 2};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static bool is_ready(int fd)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200";
    char answer[sizeof expected] = "";
    if (write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1) {
        return false;
    }
    ssize_t got = recv(fd, answer, sizeof expected - 1, MSG_WAITALL);
    return got == (ssize_t)sizeof expected - 1 &&
           memcmp(answer, expected, sizeof expected - 1) == 0;
}

int app_healthcheck(int argc, char **argv)
{
    struct app_options options = {.probe = "127.0.0.1:7362"};
    struct remora_address address;
    struct remora_fail fail = REMORA_FAIL_INIT;
    int status = app_options_parse(&options, argc, argv);
    if (status >= 0) {
        return status;
    }
    if (remora_address_parse(remora_slice_of(options.probe), &address, &fail) != REMORA_OK) {
        fprintf(stderr, "remora: %s\n", fail.message);
        return 2;
    }
    int fd = connect_to(address.host, address.port);
    bool ready = fd >= 0 && is_ready(fd);
    if (fd >= 0) {
        close(fd);
    }
    puts(ready ? "ready" : "not ready");
    return ready ? 0 : 1;
}
