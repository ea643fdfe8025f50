/* The configurations under examples/ load, and every key of the full one does what it says. */
#include "support.h"

#include "config_build.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const environment[] = {"OPENAI_API_KEY", "sk-one", NULL};
static const char *const files[] = {"/run/secrets/acme/key", "acme-key", NULL};
static const struct test_world world = {environment, files};

static struct remora_config *load(const char *name, const struct test_world *from)
{
    char path[512];
    snprintf(path, sizeof path, "%s/../examples/config/%s", REMORA_TESTS_DIR, name);
    struct remora_slice text = test_read_file(path);
    struct remora_config *config = test_config(text.data, from);
    free((char *)(uintptr_t)text.data);
    return config;
}

static void minimal_example_serves_the_catalog_of_one_provider(void **state)
{
    (void)state;
    struct remora_config *config = load("minimal.yaml", &world);
    assert_int_equal(config->provider_count, 1);
    assert_null(config->providers[0].disabled_why);
    assert_slice_equal(config->providers[0].facts.base_url, "https://api.openai.com/v1");
    assert_int_equal(config->warning_count, 0);
    const struct remora_model *model = remora_config_model(config, REMORA_SLICE("openai/gpt-4o"));
    assert_non_null(model);
    assert_ptr_equal(model->endpoints[0].provider, &config->providers[0]);
    assert_ptr_equal(model->endpoints[0].model, model);
    assert_null(remora_config_model(config, REMORA_SLICE("anthropic/claude-sonnet-4")));
    remora_config_release(config);
}

static void full_example_has_the_process_as_written(void **state)
{
    (void)state;
    struct remora_config *config = load("full.yaml", &world);
    assert_string_equal(config->http.text, "localhost:7360");
    assert_string_equal(config->grpc.host, "localhost");
    assert_int_equal(config->probe.port, 7362);
    assert_true(config->admin.is_loopback);
    assert_slice_equal(config->service, "checkout");
    assert_slice_equal(config->namespace_name, "shop");
    assert_int_equal(config->attempts_per_model, 3);
    assert_int_equal(config->attempts_per_request, 6);
    assert_int_equal(config->drain_delay_ms, 0);
    assert_int_equal(config->drain_grace_ms, 25000);
    assert_int_equal(config->deadlines.idle_ms, 60000);
    assert_int_equal(config->revision.length, 12);
    assert_int_equal(config->load_unix_ms, 1000);
    assert_int_equal(config->alias_count, 1);
    assert_slice_equal(config->aliases[0].to, "openai/gpt-4o");
    remora_config_release(config);
}

static void full_example_has_the_own_endpoint(void **state)
{
    (void)state;
    struct remora_config *config = load("full.yaml", &world);
    const struct remora_model *model = remora_config_model(config, REMORA_SLICE("acme/echo-1"));
    assert_non_null(model);
    assert_int_equal(model->endpoint_count, 1);
    const struct remora_endpoint *endpoint = &model->endpoints[0];
    assert_slice_equal(endpoint->facts.upstream_model, "echo-1");
    assert_slice_equal(endpoint->facts.tag, "acme");
    assert_int_equal(endpoint->facts.prices.pico_usd[REMORA_PRICE_PROMPT], 1000000);
    assert_int_equal(endpoint->facts.prices.pico_usd[REMORA_PRICE_COMPLETION], 2000000);
    assert_int_equal(endpoint->facts.prices.pico_usd[REMORA_PRICE_IMAGE], -1);
    assert_int_equal(endpoint->facts.context_length, 8192);
    assert_true(endpoint->facts.supported == REMORA_PARAMETERS_ALL);
    assert_true(endpoint->is_own);
    assert_int_equal(endpoint->provider->facts.data_policy.zdr, REMORA_YES);
    assert_int_equal(endpoint->provider->facts.data_policy.training, REMORA_NO);
    char *key = test_secret_text(endpoint->provider->credentials[0].secret);
    assert_string_equal(key, "acme-key");
    free(key);
    remora_config_release(config);
}

static void full_example_has_its_policies(void **state)
{
    (void)state;
    struct remora_config *config = load("full.yaml", &world);
    struct remora_identity identity = {.service = config->service,
                                       .namespace_name = config->namespace_name};
    struct remora_policy_stack stack;
    remora_config_stack(config, &identity, &stack);
    assert_int_equal(stack.layers[REMORA_LAYER_MESH]->provider.data_collection, REMORA_DATA_DENY);
    assert_null(stack.layers[REMORA_LAYER_NAMESPACE]);
    assert_null(stack.layers[REMORA_LAYER_REQUEST]);
    const struct remora_policy *service = stack.layers[REMORA_LAYER_SERVICE];
    assert_non_null(service);
    assert_int_equal(service->models_allow.count, 2);
    assert_slice_equal(service->models_allow.items[1], "acme/*");
    assert_slice_equal(service->models_default, "acme/echo-1");
    assert_slice_equal(service->provider.order.items[0], "acme");
    assert_int_equal(service->provider.allow_fallbacks, REMORA_YES);
    assert_int_equal(service->provider.max_price_pico_usd[REMORA_CAP_PROMPT], 5000000);
    assert_int_equal(service->provider.max_price_pico_usd[REMORA_CAP_COMPLETION], 20000000);
    assert_int_equal(service->provider.max_price_pico_usd[REMORA_CAP_IMAGE], -1);
    assert_int_equal(service->limits.concurrency, 64);
    assert_int_equal(service->limits.requests_per_minute, -1);
    remora_config_release(config);
}

static void full_example_without_keys_loads_with_its_providers_disabled(void **state)
{
    (void)state;
    struct remora_config *config = load("full.yaml", NULL);
    const struct remora_provider *openai = remora_config_provider(config, REMORA_SLICE("openai"));
    assert_string_equal(openai->disabled_why, "OPENAI_API_KEY is not set");
    assert_true(test_config_warns(config, "providers.openai.api_key", "OPENAI_API_KEY is not set"));
    assert_true(test_config_warns(config, "providers.acme.api_key", "does not exist"));
    assert_non_null(remora_config_model(config, REMORA_SLICE("openai/gpt-4o")));
    remora_config_release(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minimal_example_serves_the_catalog_of_one_provider),
        cmocka_unit_test(full_example_has_the_process_as_written),
        cmocka_unit_test(full_example_has_the_own_endpoint),
        cmocka_unit_test(full_example_has_its_policies),
        cmocka_unit_test(full_example_without_keys_loads_with_its_providers_disabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
