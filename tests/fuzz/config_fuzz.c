/*
 * Any bytes as a configuration document, in an environment where some variables and files exist: the build must end with a
 * snapshot or a refusal that names a place, and free all that it took.
 */
#include "remora/config.h"
#include "remora/secret.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *fake_getenv(void *context, const char *name)
{
    (void)context;
    static const char *const pairs[] = {"OPENAI_API_KEY", "sk-one", "K",     "key",
                                        "ZENMUX_API_KEY", "z",      "BLANK", "a b"};
    for (size_t i = 0; i < REMORA_COUNT_OF(pairs); i += 2) {
        if (strcmp(pairs[i], name) == 0) {
            return pairs[i + 1];
        }
    }
    return NULL;
}

static enum remora_code fake_read_secret(void *context, const char *path,
                                         struct remora_secret **out, struct remora_fail *fail)
{
    (void)context;
    if (strcmp(path, "/key") != 0) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "no file %s", path);
    }
    *out = remora_secret_new(REMORA_SLICE("from-a-file"));
    return *out == NULL ? REMORA_SHEDDING : REMORA_OK;
}

static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbjCCARWgAwIBAgIUBOHvCI5UqOoIacTMnioymeYlVrwwCgYIKoZIzj0EAwIw\n"
    "DDEKMAgGA1UEAwwBYTAgFw0yNjExMzAwOTE4MDNaGA8yMTI2MTEwNjA5MTgwM1ow\n"
    "DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNC7D3SnK8wF\n"
    "JerHrFer41RArLeLgYAKGjZbjQjM9xUzTpwIvus0eBUhoQ2GJtKy/NMaqkaauqXs\n"
    "A5A6Qjydo2ijUzBRMB0GA1UdDgQWBBRiyfAcpYplSiA0DYRCoKLVJhgu2TAfBgNV\n"
    "HSMEGDAWgBRiyfAcpYplSiA0DYRCoKLVJhgu2TAPBgNVHRMBAf8EBTADAQH/MAoG\n"
    "CCqGSM49BAMCA0cAMEQCIGwj8RCrxZBGfW/IKkopmkVhRjlKPh50aU4loZYsHCP0\n"
    "AiAE7wYmewLJqRTysk9fv6ewu7vXoXEKY42wpY/9tlW+OA==\n"
    "-----END CERTIFICATE-----\n";

static enum remora_code fake_read_file(void *context, const char *path, struct remora_arena *arena,
                                       struct remora_slice *out, struct remora_fail *fail)
{
    (void)context;
    if (strcmp(path, "/ca") != 0) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "no file %s", path);
    }
    *out = remora_arena_copy(arena, REMORA_SLICE(certificate));
    return out->data == NULL ? REMORA_SHEDDING : REMORA_OK;
}

/* What others rely on without looking. */
static void check(const struct remora_config *config)
{
    for (size_t i = 0; i < config->model_count; i++) {
        const struct remora_model *model = &config->models[i];
        if (model->endpoint_count == 0 || remora_config_model(config, model->facts.id) != model) {
            abort();
        }
        for (size_t at = 0; at < model->endpoint_count; at++) {
            const struct remora_endpoint *endpoint = &model->endpoints[at];
            if (endpoint->provider == NULL || endpoint->model != model ||
                endpoint->deadlines->idle_ms <= 0 || endpoint->deadlines->total_ms <= 0) {
                abort();
            }
        }
    }
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct remora_provider *provider = &config->providers[i];
        if (provider->disabled_why == NULL && provider->facts.base_url.length == 0) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_config_input input = {
        .document = remora_slice((const char *)data, size),
        .getenv = fake_getenv,
        .read_secret = fake_read_secret,
        .read_file = fake_read_file,
    };
    enum remora_code rc = remora_config_build(&input, &config, &fail);
    if (rc == REMORA_OK) {
        check(config);
        remora_config_release(config);
    } else if (fail.code != rc || fail.message[0] == '\0') {
        abort();
    }
    return 0;
}
