/* Options of serve and demo: --name VALUE or --name=VALUE. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/text.h"

struct option_row {
    const char *name;
    size_t offset; /* of a const char * in struct app_options */
};

static const struct option_row rows[] = {
    {"--config", offsetof(struct app_options, config_path)},
    {"--http", offsetof(struct app_options, http)},
    {"--grpc", offsetof(struct app_options, grpc)},
    {"--probe", offsetof(struct app_options, probe)},
    {"--admin", offsetof(struct app_options, admin)},
    {"--providers", offsetof(struct app_options, providers)},
    {"--workers", offsetof(struct app_options, workers_text)},
};

/* Where the value goes, or NULL; *value is what stands behind '='. */
static const char **place_of(struct app_options *options, const char *argument, const char **value)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i].name);
        if (strncmp(argument, rows[i].name, length) != 0) {
            continue;
        }
        if (argument[length] == '\0' || argument[length] == '=') {
            *value = argument[length] == '=' ? argument + length + 1 : NULL;
            return (const char **)(void *)((char *)options + rows[i].offset);
        }
    }
    return NULL;
}

static int parse_workers(struct app_options *options)
{
    uint64_t count = 0;
    if (options->workers_text == NULL) {
        return -1;
    }
    if (!remora_parse_u64(remora_slice_of(options->workers_text), &count) || count < 1 ||
        count > 256) {
        fputs("remora: --workers takes a number from 1 to 256\n", stderr);
        return 2;
    }
    options->workers = (uint32_t)count;
    return -1;
}

int app_options_parse(struct app_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        const char *value = NULL;
        const char **place = place_of(options, name, &value);
        if (place == NULL) {
            fprintf(stderr, "remora: no option '%s'; see remora --help\n", name);
            return 2;
        }
        if (value == NULL && i + 1 < argc) {
            value = argv[++i];
        }
        if (value == NULL || value[0] == '\0') {
            fprintf(stderr, "remora: %s takes a value\n", name);
            return 2;
        }
        *place = value;
    }
    return parse_workers(options);
}
