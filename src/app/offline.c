/*
 * What `route explain`, `policy test`, `models` and `providers` share: options, one snapshot, one caller, a plan. Nothing is logged, no thread is
 * started, no health is known: what a running gateway has learnt of its providers is not seen here.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/decimal.h"
#include "remora/limits.h"
#include "remora/skin.h"

/* *value is what stands behind '=', or NULL. */
static const char **place_of(const struct offline_option *options, size_t count,
                             const char *argument, const char **value)
{
    size_t length = strcspn(argument, "=");
    *value = argument[length] == '=' ? argument + length + 1 : NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == length && strncmp(options[i].name, argument, length) == 0) {
            return options[i].value;
        }
    }
    return NULL;
}

int offline_options(const struct offline_option *options, size_t count, const char *usage, int argc,
                    char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        const char *value = NULL;
        const char **place = place_of(options, count, name, &value);
        if (place == NULL) {
            fprintf(stderr, "remora: no option '%s'\nusage: %s\n", name, usage);
            return 2;
        }
        if (value == NULL && i + 1 < argc) {
            value = argv[++i];
        }
        if (value == NULL || value[0] == '\0') {
            fprintf(stderr, "remora: %s takes a value\nusage: %s\n", name, usage);
            return 2;
        }
        *place = value;
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
    input->needs_version = true;
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

enum remora_code offline_become(struct offline *offline, const struct remora_named_caller *named,
                                struct remora_fail *fail)
{
    enum remora_code code = remora_caller_named(offline->config, named, &offline->identity, fail);
    if (code == REMORA_OK) {
        remora_config_stack(offline->config, &offline->identity, &offline->stack);
    }
    return code;
}

static enum remora_code take_who(struct offline *offline, const struct offline_who *who,
                                 struct remora_fail *fail)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    const struct remora_named_caller named = {
        .service = remora_slice_of(who->service),
        .namespace_name = remora_slice_of(who->namespace_name),
        .key = remora_slice_of(who->key),
    };
    enum remora_code code = offline_become(offline, &named, &why);
    if (code != REMORA_OK) {
        remora_fail_set(fail, code, NULL, "--%s: %s", why.param, why.message);
    }
    return code;
}

bool offline_open(struct offline *offline, const char *config_path, enum offline_keys keys,
                  const struct offline_who *who)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    *offline = (struct offline){0};
    remora_arena_init(&offline->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    enum remora_code code = read_document(offline, config_path, &fail);
    offline->input.assumes_keys = keys == OFFLINE_KEYS_ASSUMED;
    if (code != REMORA_OK || build(offline, &fail) != REMORA_OK ||
        take_who(offline, who, &fail) != REMORA_OK) {
        fprintf(stderr, "remora: %s\n", fail.message);
        return false;
    }
    return true;
}

static enum remora_code parse(struct offline *offline, struct remora_slice body,
                              struct remora_request *out, struct remora_fail *fail)
{
    const struct remora_skin_input input = {.body = body, .surface = REMORA_SURFACE_OPENROUTER};
    struct remora_encoder ignored = {.skin = &remora_skin_chat_completions};
    remora_request_init(out);
    out->identity = offline->identity;
    out->operation = REMORA_OPERATION_CHAT;
    out->body_bytes = body.length;
    return ignored.skin->parse(&input, &offline->arena, out, &ignored, fail);
}

enum remora_code offline_plan(struct offline *offline, struct remora_slice body,
                              struct offline_request *out, struct remora_fail *fail)
{
    struct remora_random random;
    const struct remora_clock *clock = remora_clock_system();
    enum remora_code code = parse(offline, body, &out->request, fail);
    if (code != REMORA_OK) {
        return code;
    }
    remora_random_seed_system(&random);
    remora_policy_init(&out->own);
    out->own.provider = out->request.provider;
    struct remora_policy_stack stack = offline->stack;
    stack.layers[REMORA_LAYER_REQUEST] = &out->own;
    const struct remora_plan_input input = {
        .config = offline->config,
        .request = &out->request,
        .stack = &stack,
        .health = offline->health,
        .random = &random,
        .now_ns = clock->now_ns(clock),
    };
    return remora_plan_build(&input, &offline->arena, &out->plan, fail);
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
