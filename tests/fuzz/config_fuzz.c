/*
 * Any bytes as a configuration document, in an environment where some variables and files exist: the build must end with a
 * snapshot or a refusal that names a place, and free all that it took.
 */
#include "config_build.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const VARIABLES[] = {
    "OPENAI_API_KEY", "sk-one", "K", "key", "ZENMUX_API_KEY", "z", "BLANK", "a b", NULL};
static const char *const FILES[] = {"/key", "from-a-file", "/ca", test_certificate, NULL};

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
    static const struct test_world world = {VARIABLES, FILES};
    struct remora_config_input input = {.document = remora_slice((const char *)data, size)};
    test_world_input(&world, &input);
    enum remora_code rc = remora_config_build(&input, &config, &fail);
    if (rc == REMORA_OK) {
        check(config);
        remora_config_release(config);
    } else if (fail.code != rc || fail.message[0] == '\0') {
        abort();
    }
    return 0;
}
