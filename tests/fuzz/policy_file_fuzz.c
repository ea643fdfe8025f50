/*
 * Any bytes as a policy file: it becomes the layer, or is refused by place. The first byte says which layer's it is. And as a
 * YAML file beside the configuration: what it becomes is JSON.
 */
#include "remora/buf.h"
#include "remora/config.h"
#include "remora/json.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const LAYERS[] = {"mesh", "namespace", "service"};

static const char *no_variable(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static enum remora_code no_secret(void *context, const char *path, struct remora_secret **out,
                                  struct remora_fail *fail)
{
    (void)context;
    (void)out;
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "no file %s", path);
}

static enum remora_code read_input(void *context, const char *path, struct remora_arena *arena,
                                   struct remora_slice *out, struct remora_fail *fail)
{
    const struct remora_slice *text = context;
    (void)path;
    (void)fail;
    *out = remora_arena_copy(arena, *text);
    return out->data == NULL && text->length > 0 ? REMORA_SHEDDING : REMORA_OK;
}

static void read_as_json(struct remora_slice text)
{
    static const struct remora_json_limits limits = {64, 100000};
    struct remora_arena arena;
    struct remora_buf json;
    struct remora_json_doc doc;
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_arena_init(&arena, 4096, 16 << 20);
    remora_buf_init(&json, 4 << 20);
    enum remora_code code = remora_yaml_to_json(text, &arena, &json, &fail);
    if (code == REMORA_OK &&
        remora_json_parse(remora_buf_slice(&json), &arena, &limits, &doc, NULL) != REMORA_OK) {
        abort();
    }
    if (code != REMORA_OK && (fail.code != code || fail.message[0] == '\0')) {
        abort();
    }
    remora_buf_fini(&json);
    remora_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char document[256];
    struct remora_slice text = remora_slice((const char *)data + 1, size - 1);
    read_as_json(text);
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    int length = snprintf(document, sizeof document,
                          "service: checkout\nnamespace: shop\npolicy_files: {%s: /p}\n"
                          "models: {a/b: {endpoints: []}}\n",
                          LAYERS[data[0] % REMORA_COUNT_OF(LAYERS)]);
    const struct remora_config_input input = {
        .document = remora_slice(document, (size_t)length),
        .getenv = no_variable,
        .read_secret = no_secret,
        .read_file = read_input,
        .file_context = &text,
    };
    enum remora_code code = remora_config_build(&input, &config, &fail);
    if (code == REMORA_OK) {
        remora_config_release(config);
    } else if (fail.code != code || fail.message[0] == '\0') {
        abort();
    }
    return 0;
}
