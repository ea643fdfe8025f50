/*
 * What `route explain`, `models` and `providers` share: options, one snapshot, one caller. Nothing is logged, no thread is
 * started, no health is known: what a running gateway has learnt of its providers is not seen here.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/decimal.h"
#include "remora/limits.h"

static const char **place_of(const struct offline_option *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return options[i].value;
        }
    }
    return NULL;
}

int offline_options(const struct offline_option *options, size_t count, const char *usage, int argc,
                    char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char **place = place_of(options, count, argv[i]);
        if (place == NULL) {
            fprintf(stderr, "remora: no option '%s'\nusage: %s\n", argv[i], usage);
            return 2;
        }
        if (i + 1 == argc || argv[i + 1][0] == '\0') {
            fprintf(stderr, "remora: %s takes a value\nusage: %s\n", argv[i], usage);
            return 2;
        }
        *place = argv[++i];
    }
    return -1;
}

static enum remora_code read_document(struct offline *offline, const char *path,
                                      struct remora_fail *fail)
{
    struct remora_config_input *input = &offline->input;
    remora_config_input_system(input);
    if (path == NULL) {
        input->document_name = "environment";
        return REMORA_OK;
    }
    input->document_name = path;
    return input->read_file(input->file_context, path, &offline->arena, &input->document, fail);
}

static enum remora_code build(struct offline *offline, struct remora_fail *fail)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    offline->health = remora_health_new();
    if (offline->health == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "out of memory");
    }
    offline->input.health = offline->health;
    enum remora_code code = remora_config_build(&offline->input, &offline->config, &why);
    if (code != REMORA_OK) {
        remora_fail_set(fail, code, NULL, "%s: %s%s%s", offline->input.document_name, why.param,
                        why.param[0] == '\0' ? "" : ": ", why.message);
    }
    return code;
}

bool offline_open(struct offline *offline, const char *config_path, const char *service)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    *offline = (struct offline){0};
    remora_arena_init(&offline->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    if (read_document(offline, config_path, &fail) != REMORA_OK ||
        build(offline, &fail) != REMORA_OK) {
        fprintf(stderr, "remora: %s\n", fail.message);
        return false;
    }
    offline->identity = (struct remora_identity){
        .service = service == NULL ? offline->config->service : remora_slice_of(service),
        .namespace_name = offline->config->namespace_name,
    };
    remora_config_stack(offline->config, &offline->identity, &offline->stack);
    return true;
}

void offline_close(struct offline *offline)
{
    remora_config_release(offline->config);
    remora_health_free(offline->health);
    remora_arena_fini(&offline->arena);
}

const char *offline_price(int64_t pico_usd, char *out)
{
    if (pico_usd < 0) {
        return "-";
    }
    /* pico-USD per token are micro-USD per million tokens */
    out[remora_decimal_format(pico_usd, 6, out)] = '\0';
    return out;
}
