/* What each key does to the snapshot, and what the environment and the catalog add. */
#include "support.h"

#include "config_build.h"

#include "remora/health.h"
#include "remora/telemetry.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const openai_key[] = {"OPENAI_API_KEY", "sk-one", NULL};
static const struct test_world with_openai = {openai_key, NULL};

#define ACME "providers:\n  acme: {kind: openai, base_url: \"http://127.0.0.1:9001/v1/\"}\n"

static void no_document_and_no_variable_gives_defaults_and_no_provider(void **state)
{
    (void)state;
    struct remora_config *config = test_config("", NULL);
    assert_string_equal(config->http.text, "localhost:7360");
    assert_string_equal(config->grpc.text, "localhost:7361");
    assert_string_equal(config->probe.text, "localhost:7362");
    assert_string_equal(config->admin.text, "localhost:7363");
    assert_int_equal(config->mode, REMORA_MODE_SIDECAR);
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->drain_delay_ms, 0);
    assert_int_equal(config->drain_grace_ms, 25000);
    assert_int_equal(config->admission.bytes, 512 << 20);
    assert_int_equal(config->admission.waiting, 100);
    assert_int_equal(config->admission.wait_ms, 5000);
    assert_int_equal(config->attempts_per_model, 3);
    assert_int_equal(config->attempts_per_request, 6);
    assert_int_equal(config->log_level, REMORA_LOG_INFO);
    assert_slice_equal(config->service, "default");
    assert_slice_equal(config->namespace_name, "default");
    assert_int_equal(config->provider_count, 0);
    assert_int_equal(config->model_count, 0);
    assert_int_equal(config->warning_count, 0);
    assert_slice_equal(config->revision, "e3b0c44298fc"); /* SHA-256 of nothing, FIPS 180-4 */
    assert_int_equal(config->mesh.provider.max_price_pico_usd[REMORA_CAP_PROMPT], -1);
    assert_int_equal(config->mesh.limits.concurrency, -1);
    assert_int_equal(config->deadlines.first_byte_ms, 30000);
    remora_config_release(config);
}

static void a_conventional_variable_switches_a_provider_on(void **state)
{
    (void)state;
    struct remora_config *config = test_config("", &with_openai);
    const struct remora_provider *openai = remora_config_provider(config, REMORA_SLICE("openai"));
    assert_int_equal(config->provider_count, 1);
    assert_non_null(openai);
    assert_null(openai->disabled_why);
    assert_true(openai->needs_credential);
    assert_int_equal(openai->credential_count, 1);
    assert_slice_equal(openai->credentials[0].name, "OPENAI_API_KEY");
    assert_non_null(remora_config_model(config, REMORA_SLICE("openai/gpt-4o")));
    remora_config_release(config);
}

static void listeners_that_do_not_collide_are_taken(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "listen: {http: \"127.0.0.1:0\", grpc: \"127.0.0.1:0\"}",
        "listen: {http: \"127.0.0.1:9\", grpc: \"[::1]:9\"}",
        "listen: {http: \"127.0.0.1:9\", grpc: \"127.0.0.2:9\"}",
        "listen: {http: \"off\", grpc: \"off\", probe: \"127.0.0.1:7360\"}",
        "listen: {http: \"unix:/r/h\", grpc: \"unix:/r/g\"}",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(documents); i++) {
        remora_config_release(test_config(documents[i], NULL));
    }
}

static void an_empty_variable_counts_as_unset(void **state)
{
    (void)state;
    static const char *const environment[] = {"OPENAI_API_KEY", "", NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config = test_config("", &world);
    assert_int_equal(config->provider_count, 0);
    remora_config_release(config);
}

static void a_kind_that_is_not_built_is_known_and_warned_of(void **state)
{
    (void)state;
    static const char *const environment[] = {"ANTHROPIC_API_KEY", "sk-ant", NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config = test_config("", &world);
    assert_int_equal(config->providers[0].facts.wire, REMORA_WIRE_ANTHROPIC);
    assert_null(config->providers[0].disabled_why);
    assert_true(test_config_warns(config, "environment", "anthropic is not built yet"));
    remora_config_release(config);
}

static void process_keys_have_effect(void **state)
{
    (void)state;
    struct remora_config *config =
        test_config("mode: gateway\nworkers: 3\nhosts: [llm.internal, b]\nlog: {level: debug}\n"
                    "grpc: {accept_old_core: true, max_connection_age_ms: 60000}\nattempts: "
                    "{per_model: 1, per_request: 2}\n"
                    "drain: {grace_ms: 7}\nservice: a\nnamespace: b\n"
                    "admission: {bytes: 1048576, waiting: 0, wait_ms: 9}\n"
                    "listen: {http: \"unix:/run/r.sock\", grpc: off, probe: \"0.0.0.0:1\", "
                    "admin: \"[::1]:0\", unix_uids: [0, 65532]}",
                    NULL);
    assert_int_equal(config->mode, REMORA_MODE_GATEWAY);
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->allowed_host_count, 2);
    assert_slice_equal(config->allowed_hosts[0], "llm.internal");
    assert_int_equal(config->log_level, REMORA_LOG_DEBUG);
    assert_true(config->accept_old_core);
    assert_int_equal(config->grpc_connection_age_ms, 60000);
    assert_true(remora_config_takes_uid(config, 0) && remora_config_takes_uid(config, 65532));
    assert_false(remora_config_takes_uid(config, 1) || remora_config_takes_uid(config, -1));
    assert_int_equal(config->attempts_per_model, 1);
    assert_int_equal(config->attempts_per_request, 2);
    assert_int_equal(config->drain_delay_ms, 5000);
    assert_int_equal(config->drain_grace_ms, 7);
    assert_int_equal(config->admission.bytes, 1048576);
    assert_int_equal(config->admission.waiting, 0);
    assert_int_equal(config->admission.wait_ms, 9);
    assert_true(config->http.is_unix && config->http.is_loopback);
    assert_true(config->grpc.is_off);
    assert_false(config->probe.is_loopback);
    assert_string_equal(config->admin.host, "::1");
    assert_int_equal(config->admin.port, 0);
    assert_slice_equal(config->service, "a");
    remora_config_release(config);
}

static void the_mode_decides_how_old_connections_become(void **state)
{
    (void)state;
    struct remora_config *sidecar = test_config("", NULL);
    struct remora_config *gateway = test_config("mode: gateway", NULL);
    assert_int_equal(sidecar->grpc_connection_age_ms, 0);
    assert_int_equal(gateway->grpc_connection_age_ms, 1800000);
    assert_true(remora_config_takes_uid(sidecar, 12345));
    remora_config_release(sidecar);
    remora_config_release(gateway);
}

static void the_environment_overrides_who_is_served(void **state)
{
    (void)state;
    static const char *const environment[] = {"REMORA_SERVICE", "cart", "REMORA_NAMESPACE", "eu",
                                              NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config =
        test_config("service: a\nnamespace: b\nservices: {cart: {limits: {concurrency: 2}}}\n"
                    "namespaces: {eu: {provider: {zdr: true}}}",
                    &world);
    struct remora_identity identity = {.service = config->service,
                                       .namespace_name = config->namespace_name};
    struct remora_policy_stack stack;
    remora_config_stack(config, &identity, &stack);
    assert_int_equal(stack.layers[REMORA_LAYER_SERVICE]->limits.concurrency, 2);
    assert_int_equal(stack.layers[REMORA_LAYER_NAMESPACE]->provider.zdr, REMORA_YES);
    assert_ptr_equal(stack.layers[REMORA_LAYER_MESH], &config->mesh);
    assert_null(stack.layers[REMORA_LAYER_KEY]);
    assert_true(test_config_warns(config, "service", "REMORA_SERVICE overrides it: cart"));
    assert_true(test_config_warns(config, "namespace", "REMORA_NAMESPACE overrides it: eu"));
    remora_config_release(config);
}

static void names_that_helm_reads_otherwise_are_warned_of(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        "services: {on: {}, \"no\": {}, No: {}, 4.10: {}, \"5\": {}, -7: {}, 0x1f: {},\n"
        "  1e3: {}, ~: {}, 4o: {}, v1.2: {}, 2025-11-01: {}, 5_000: {}, -1_0.5: {},\n"
        "  0x_f: {}, _5: {}, a_5: {}, 5_a: {}, \"6_0\": {}}",
        NULL);
    static const char *const told[] = {"on",  "No", "4.10",  "-7",     "0x1f",
                                       "1e3", "~",  "5_000", "-1_0.5", "0x_f"};
    static const char *const fine[] = {"no", "5",   "4o",  "v1.2", "2025-11-01",
                                       "_5", "a_5", "5_a", "6_0"};
    char path[32];
    for (size_t i = 0; i < REMORA_COUNT_OF(told); i++) {
        snprintf(path, sizeof path, "services.%s", told[i]);
        assert_true(test_config_warns(config, path, "put it in quotes"));
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(fine); i++) {
        snprintf(path, sizeof path, "services.%s", fine[i]);
        assert_false(test_config_warns(config, path, "put it in quotes"));
    }
    remora_config_release(config);
}

static void the_environment_that_agrees_is_nothing_to_warn_of(void **state)
{
    (void)state;
    static const char *const environment[] = {"REMORA_SERVICE", "cart", "REMORA_NAMESPACE", "eu",
                                              NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config = test_config("service: cart", &world);
    assert_slice_equal(config->namespace_name, "eu");
    assert_false(test_config_warns(config, "service", "overrides"));
    assert_false(test_config_warns(config, "namespace", "overrides"));
    remora_config_release(config);
}

static void a_provider_of_the_catalog_takes_overrides(void **state)
{
    (void)state;
    static const char *const environment[] = {"TENANT", "tenant-secret", "OPENAI_API_KEY", "k",
                                              NULL};
    static const char *const files[] = {"/ca.pem", test_certificate, NULL};
    const struct test_world world = {environment, files};
    struct remora_config *config = test_config(
        "providers:\n  openai:\n    name: Mine\n    base_url: "
        "https://proxy.example:8443/openai/v1/\n"
        "    dialect: openai\n    headers: {X-Plain: one two, X-Tenant: {env: TENANT}}\n"
        "    ca_file: /ca.pem\n    client_cert: {cert_file: /c, key_file: /k}\n"
        "    proxy: http://proxy.internal:3128\n    http2: true\n    headquarters: DE\n"
        "    data_policy: {zdr: true, retention_days: 3, training: ~}\n"
        "    deadlines: {idle_ms: 9}",
        &world);
    const struct remora_provider *p = &config->providers[0];
    assert_slice_equal(p->facts.name, "Mine");
    assert_slice_equal(p->facts.base_url, "https://proxy.example:8443/openai/v1");
    assert_int_equal(p->header_count, 2);
    assert_slice_equal(p->headers[0].value, "one two");
    assert_null(p->headers[0].secret);
    assert_slice_equal(p->headers[1].name, "X-Tenant");
    char *secret = test_secret_text(p->headers[1].secret);
    assert_string_equal(secret, "tenant-secret");
    free(secret);
    assert_slice_equal(p->ca_pem, test_certificate);
    assert_slice_equal(p->client_certificate_file, "/c");
    assert_slice_equal(p->client_key_file, "/k");
    assert_slice_equal(p->proxy, "http://proxy.internal:3128");
    assert_true(p->http2);
    assert_slice_equal(p->facts.headquarters, "DE");
    assert_int_equal(p->facts.data_policy.training, REMORA_UNSET);
    assert_int_equal(p->facts.data_policy.zdr, REMORA_YES);
    assert_int_equal(p->facts.data_policy.retention_days, 3);
    assert_int_equal(p->deadlines.idle_ms, 9);
    assert_int_equal(p->deadlines.total_ms, 0);
    remora_config_release(config);
}

/* What a dialect does not take no endpoint of it supports, whatever its list says. */
static void an_endpoint_supports_no_more_than_its_dialect(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        "providers: {acme: {kind: openai, base_url: \"http://127.0.0.1/v1\", dialect: groq}}\n"
        "models:\n  t/m:\n    endpoints:\n"
        "      - {provider: acme, model_id: a}\n"
        "      - {provider: acme, tag: acme/b, model_id: b, supported_parameters: [n, seed]}",
        NULL);
    const struct remora_model *model = remora_config_model(config, REMORA_SLICE("t/m"));
    assert_non_null(model);
    remora_parameter_set all = model->endpoints[0].facts.supported;
    remora_parameter_set stated = model->endpoints[1].facts.supported;
    assert_false(remora_parameter_set_has(all, REMORA_PARAMETER_N));
    assert_false(remora_parameter_set_has(all, REMORA_PARAMETER_LOGPROBS));
    assert_true(remora_parameter_set_has(all, REMORA_PARAMETER_SEED));
    assert_true(remora_parameter_set_has(all, REMORA_PARAMETER_TOP_K));
    assert_true(stated == UINT64_C(1) << REMORA_PARAMETER_SEED);
    remora_config_release(config);
}

static void an_own_provider_without_key_needs_none(void **state)
{
    (void)state;
    struct remora_config *config = test_config(ACME, NULL);
    const struct remora_provider *acme = &config->providers[0];
    assert_false(acme->needs_credential);
    assert_null(acme->disabled_why);
    assert_int_equal(acme->credential_count, 0);
    assert_slice_equal(acme->facts.base_url, "http://127.0.0.1:9001/v1");
    assert_slice_equal(acme->facts.dialect, "openai");
    assert_slice_equal(acme->facts.name, "acme");
    assert_int_equal(acme->facts.data_policy.training, REMORA_UNSET);
    assert_int_equal(acme->facts.data_policy.retention_days, -1);
    remora_config_release(config);
}

static void insecure_allows_clear_text_beyond_loopback(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        "providers: {acme: {kind: openai, base_url: \"http://llm.svc.cluster.local:8000/v1\", "
        "insecure: true}}",
        NULL);
    assert_int_equal(config->provider_count, 1);
    remora_config_release(config);
}

static void several_keys_stand_in_order_and_a_missing_one_is_a_warning(void **state)
{
    (void)state;
    static const char *const environment[] = {"SECOND", "two", "THIRD", "three\n", NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config = test_config(
        "providers: {openai: {api_key: [{file: /one}, {env: SECOND}, {env: THIRD}]}}", &world);
    const struct remora_provider *openai = &config->providers[0];
    assert_null(openai->disabled_why);
    assert_int_equal(openai->credential_count, 2);
    assert_slice_equal(openai->credentials[0].name, "SECOND");
    char *third = test_secret_text(openai->credentials[1].secret);
    assert_string_equal(third, "three"); /* a trailing newline is stripped */
    free(third);
    assert_true(test_config_warns(config, "providers.openai.api_key[0]", "does not exist"));
    assert_int_equal(config->file_count, 1); /* watched: it may come to be */
    assert_string_equal(config->files[0].data, "/one");
    assert_int_equal(config->policy_file_count, 0);
    remora_config_release(config);
}

static void missing_and_empty_keys_disable_the_provider(void **state)
{
    (void)state;
    static const char *const files[] = {"/empty", "", NULL};
    static const char *const environment[] = {"BLANK", "a b", NULL};
    const struct test_world world = {environment, files};
    struct remora_config *config = test_config(
        "providers:\n  openai: {api_key: {file: /empty}}\n  groq: {api_key: {env: NO}}\n"
        "  mistral:\n  xai: {api_key: {env: BLANK}}",
        &world);
    assert_non_null(strstr(config->providers[0].disabled_why, "/empty is empty"));
    assert_string_equal(config->providers[1].disabled_why, "NO is not set");
    assert_string_equal(config->providers[2].disabled_why, "MISTRAL_API_KEY is not set");
    assert_non_null(strstr(config->providers[3].disabled_why, "BLANK holds characters"));
    assert_null(strstr(config->providers[3].disabled_why, "a b"));
    assert_true(test_config_warns(config, "providers.groq.api_key", "NO is not set"));
    assert_true(test_config_warns(config, "providers.mistral", "MISTRAL_API_KEY is not set"));
    remora_config_release(config);
}

static void addresses_of_the_catalog_are_completed_from_the_environment(void **state)
{
    (void)state;
    static const char *const environment[] = {"CLOUDFLARE_API_KEY",
                                              "k",
                                              "CLOUDFLARE_ACCOUNT_ID",
                                              "acc",
                                              "DATABRICKS_TOKEN",
                                              "t",
                                              "DATABRICKS_HOST",
                                              "169.254.169.254",
                                              "AZURE_API_KEY",
                                              "z",
                                              NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config = test_config("", &world);
    const struct remora_provider *cloudflare =
        remora_config_provider(config, REMORA_SLICE("cloudflare"));
    assert_slice_equal(cloudflare->facts.base_url,
                       "https://api.cloudflare.com/client/v4/accounts/acc/ai/v1");
    assert_null(cloudflare->disabled_why);
    const struct remora_provider *databricks =
        remora_config_provider(config, REMORA_SLICE("databricks"));
    assert_non_null(strstr(databricks->disabled_why, "never called"));
    const struct remora_provider *azure = remora_config_provider(config, REMORA_SLICE("azure"));
    assert_non_null(strstr(azure->disabled_why, "AZURE_RESOURCE_NAME"));
    assert_true(test_config_warns(config, "environment", "AZURE_RESOURCE_NAME"));
    remora_config_release(config);
}

static void own_endpoints_stand_before_the_catalogs_by_price(void **state)
{
    (void)state;
    static const char *const environment[] = {"GROQ_API_KEY", "k", "NANO_GPT_API_KEY", "k", NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config =
        test_config(ACME "models:\n  meta-llama/llama-3.3-70b-instruct:\n    endpoints:\n"
                         "      - {provider: acme, model_id: big, tag: acme/b}\n"
                         "      - {provider: acme, model_id: a, pricing: {prompt: \"0\"}}\n",
                    &world);
    const struct remora_model *model =
        remora_config_model(config, REMORA_SLICE("meta-llama/llama-3.3-70b-instruct"));
    /* In the catalog groq (1.38 USD per million) stands before nano-gpt's two (0.28 and 4). */
    static const char *const tags[] = {"acme/b", "acme", "nano-gpt#2", "groq", "nano-gpt"};
    assert_int_equal(model->endpoint_count, REMORA_COUNT_OF(tags));
    assert_int_equal(model->facts.endpoint_count, REMORA_COUNT_OF(tags));
    for (size_t i = 0; i < REMORA_COUNT_OF(tags); i++) {
        assert_slice_equal(model->endpoints[i].facts.tag, tags[i]);
        assert_true(model->endpoints[i].is_own == (i < 2));
    }
    remora_config_release(config);
}

/* The author's own endpoint is as cheap, but ended. */
static void deprecated_endpoints_stand_behind_the_others(void **state)
{
    (void)state;
    static const char *const tags[] = {"openrouter", "anthropic"};
    struct remora_config *config =
        test_config("providers: {anthropic: {api_key: {env: OPENAI_API_KEY}},\n"
                    "            openrouter: {api_key: {env: OPENAI_API_KEY}}}",
                    &with_openai);
    const struct remora_model *model =
        remora_config_model(config, REMORA_SLICE("anthropic/claude-3-opus"));
    assert_int_equal(model->endpoint_count, REMORA_COUNT_OF(tags));
    for (size_t i = 0; i < REMORA_COUNT_OF(tags); i++) {
        assert_slice_equal(model->endpoints[i].facts.tag, tags[i]);
    }
    remora_config_release(config);
}

static void the_same_tag_replaces_and_replace_endpoints_forgets(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        ACME
        "models:\n  openai/gpt-4o: {endpoints: [{provider: openai, model_id: mine}]}\n"
        "  openai/gpt-5: {replace_endpoints: true, endpoints: [{provider: acme, model_id: x}]}\n"
        "  openai/gpt-4o-mini: {replace_endpoints: true}",
        &with_openai);
    const struct remora_model *model = remora_config_model(config, REMORA_SLICE("openai/gpt-4o"));
    assert_slice_equal(model->endpoints[0].facts.upstream_model, "mine");
    for (size_t i = 1; i < model->endpoint_count; i++) {
        assert_false(remora_slice_is(model->endpoints[i].facts.tag, "openai"));
    }
    model = remora_config_model(config, REMORA_SLICE("openai/gpt-5"));
    assert_int_equal(model->endpoint_count, 1);
    assert_slice_equal(model->endpoints[0].facts.provider, "acme");
    assert_null(remora_config_model(config, REMORA_SLICE("openai/gpt-4o-mini")));
    assert_true(test_config_warns(config, "models.openai/gpt-4o-mini", "it is left out"));
    remora_config_release(config);
}

static void endpoint_keys_have_effect(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        ACME "models:\n  acme/a:\n    name: A\n    context_length: 100\n"
             "    modalities: {input: [text, image], output: [embeddings]}\n    endpoints:\n"
             "      - provider: acme\n        tag: acme/eu\n        model_id: up/a\n"
             "        pricing: {prompt: 0.0000025, completion: ~, request: \"0.5\", "
             "cached_write_1h: \"1e-6\", image: \"0.0000000000004\"}\n"
             "        pricing_tiers: [{min_prompt_tokens: 10, prompt: \"2\"}, "
             "{min_prompt_tokens: 20}]\n"
             "        context_length: 50\n        max_prompt_tokens: 40\n"
             "        max_completion_tokens: ~\n        quantization: fp8\n"
             "        supported_parameters: [max_completion_tokens, include_reasoning, stream]\n"
             "        reasoning_efforts: [low, max]\n"
             "        free: true\n        stream_only: true\n"
             "      - {provider: acme, model_id: b, reasoning_efforts: [none, high],\n"
             "         pricing: {request: null, image: ~, reasoning: null}}\n",
        NULL);
    const struct remora_model *model = remora_config_model(config, REMORA_SLICE("acme/a"));
    const struct remora_endpoint_facts *facts = &model->endpoints[0].facts;
    assert_slice_equal(model->facts.name, "A");
    assert_slice_equal(model->facts.author, "acme");
    assert_int_equal(model->facts.input_modalities, REMORA_MODALITY_TEXT | REMORA_MODALITY_IMAGE);
    assert_int_equal(model->facts.output_modalities, REMORA_MODALITY_EMBEDDINGS);
    assert_slice_equal(facts->tag, "acme/eu");
    assert_int_equal(facts->prices.pico_usd[REMORA_PRICE_PROMPT], 2500000);
    assert_int_equal(facts->prices.pico_usd[REMORA_PRICE_COMPLETION], -1);
    assert_int_equal(facts->prices.pico_usd[REMORA_PRICE_REQUEST], INT64_C(500000000000));
    assert_int_equal(facts->prices.pico_usd[REMORA_PRICE_CACHED_WRITE_1H], 1000000);
    assert_int_equal(facts->prices.pico_usd[REMORA_PRICE_IMAGE], 0);
    assert_true(test_config_warns(config, "models.acme/a.endpoints[0].pricing.image", "rounded"));
    assert_int_equal(facts->prices.tier_count, 2);
    assert_int_equal(facts->prices.tiers[0].pico_usd[REMORA_PRICE_PROMPT], INT64_C(2000000000000));
    assert_int_equal(facts->prices.tiers[1].pico_usd[REMORA_PRICE_PROMPT], -1);
    /* Null is an unknown price where absence means free, and no price of its own where there is another to bill. */
    const int64_t *nulls = model->endpoints[1].facts.prices.pico_usd;
    assert_int_equal(nulls[REMORA_PRICE_REQUEST], REMORA_PRICE_UNKNOWN);
    assert_int_equal(nulls[REMORA_PRICE_IMAGE], REMORA_PRICE_UNKNOWN);
    assert_int_equal(nulls[REMORA_PRICE_WEB_SEARCH], -1);
    assert_int_equal(nulls[REMORA_PRICE_REASONING], -1);
    assert_true(
        test_config_warns(config, "models.acme/a.endpoints[1].pricing.request", "is not known"));
    assert_int_equal(facts->context_length, 50);
    assert_int_equal(facts->max_prompt_tokens, 40);
    assert_int_equal(facts->max_completion_tokens, 0);
    assert_slice_equal(facts->quantization, "fp8");
    assert_true(facts->supported == (UINT64_C(1) << REMORA_PARAMETER_MAX_TOKENS |
                                     UINT64_C(1) << REMORA_PARAMETER_REASONING));
    assert_int_equal(facts->efforts,
                     remora_effort_bit(REMORA_EFFORT_LOW) | remora_effort_bit(REMORA_EFFORT_MAX));
    assert_true(facts->always_reasons);
    assert_false(model->endpoints[1].facts.always_reasons);
    assert_true(facts->is_free);
    assert_true(facts->stream_only);
    remora_config_release(config);
}

static void deadlines_are_resolved_from_the_narrowest_scope(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        "deadlines: {connect_ms: 1, first_byte_ms: 1, response_ms: 1, idle_ms: 1}\n"
        "providers:\n  acme: {kind: openai, base_url: \"http://[::1]/v1\", "
        "deadlines: {connect_ms: 2, first_byte_ms: 2, response_ms: 2}}\n"
        "models:\n  acme/a:\n    deadlines: {connect_ms: 3, first_byte_ms: 3}\n    endpoints:\n"
        "      - {provider: acme, model_id: a, deadlines: {connect_ms: 4}}\n",
        NULL);
    const struct remora_deadlines *deadlines = config->models[0].endpoints[0].deadlines;
    assert_int_equal(deadlines->connect_ms, 4);
    assert_int_equal(deadlines->first_byte_ms, 3);
    assert_int_equal(deadlines->response_ms, 2);
    assert_int_equal(deadlines->idle_ms, 1);
    assert_int_equal(deadlines->total_ms, 600000);
    assert_int_equal(config->deadlines.connect_ms, 1);
    assert_int_equal(config->deadlines.total_ms, 600000);
    remora_config_release(config);
}

static void models_that_reason_have_longer_defaults(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        ACME "models: {openai/gpt-5: {endpoints: [{provider: acme, model_id: a}]}}", &with_openai);
    const struct remora_model *reasons = remora_config_model(config, REMORA_SLICE("openai/gpt-5"));
    for (size_t i = 0; i < reasons->endpoint_count; i++) {
        assert_int_equal(reasons->endpoints[i].deadlines->first_byte_ms, 300000);
        assert_int_equal(reasons->endpoints[i].deadlines->idle_ms, 300000);
        assert_int_equal(reasons->endpoints[i].deadlines->connect_ms, 5000);
    }
    const struct remora_model *plain = remora_config_model(config, REMORA_SLICE("openai/gpt-4o"));
    assert_int_equal(plain->endpoints[0].deadlines->first_byte_ms, 30000);
    assert_int_equal(plain->endpoints[0].deadlines->idle_ms, 60000);
    remora_config_release(config);
}

static void an_endpoint_of_another_wire_points_at_a_variant_of_its_provider(void **state)
{
    (void)state;
    static const char *const environment[] = {"ZENMUX_API_KEY", "k", NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config = test_config("", &world);
    const struct remora_model *model =
        remora_config_model(config, REMORA_SLICE("anthropic/claude-sonnet-4.5"));
    const struct remora_provider *provider = model->endpoints[0].provider;
    assert_ptr_not_equal(provider, &config->providers[0]);
    assert_slice_equal(provider->facts.slug, "zenmux");
    assert_slice_equal(provider->facts.base_url, "https://zenmux.ai/api/anthropic/v1");
    assert_int_equal(provider->facts.wire, REMORA_WIRE_ANTHROPIC);
    assert_ptr_equal(provider->credentials, config->providers[0].credentials);
    remora_config_release(config);
}

static void a_stated_address_is_never_left_for_one_of_the_catalog(void **state)
{
    (void)state;
    static const char *const environment[] = {"ZENMUX_API_KEY", "k", NULL};
    const struct test_world world = {environment, NULL};
    struct remora_config *config =
        test_config("providers: {zenmux: {base_url: \"https://proxy.example/v1\"}}", &world);
    for (size_t i = 0; i < config->model_count; i++) {
        for (size_t at = 0; at < config->models[i].endpoint_count; at++) {
            assert_slice_equal(config->models[i].endpoints[at].provider->facts.base_url,
                               "https://proxy.example/v1");
        }
    }
    assert_true(config->model_count > 20);
    remora_config_release(config);
}

static struct remora_slice region_at(const struct remora_config *config, size_t at)
{
    return remora_config_model(config, REMORA_SLICE("acme/a"))->endpoints[at].facts.region;
}

static void an_endpoint_lies_where_it_is_said_or_where_its_tag_says(void **state)
{
    (void)state;
    struct remora_config *config =
        test_config(ACME "models: {acme/a: {distillable: true, endpoints: [\n"
                         "  {provider: acme, model_id: a, tag: acme/eu, region: DE},\n"
                         "  {provider: acme, model_id: b, tag: \"acme/fast/us-east5#2\"},\n"
                         "  {provider: acme, model_id: c, tag: acme/europe-west1},\n"
                         "  {provider: acme, model_id: d, tag: acme/global},\n"
                         "  {provider: acme, model_id: e, tag: acme/turbo/fp8},\n"
                         "  {provider: acme, model_id: g, tag: acme/australia-southeast1},\n"
                         "  {provider: acme, model_id: h, tag: acme/turbo/zone9},\n"
                         "  {provider: acme, model_id: f}]}, acme/b: {endpoints: [\n"
                         "  {provider: acme, model_id: b}]}}\n",
                    NULL);
    assert_slice_equal(region_at(config, 0), "DE");
    assert_slice_equal(region_at(config, 1), "us-east5");
    assert_slice_equal(region_at(config, 2), "europe-west1");
    assert_slice_equal(region_at(config, 3), "global");
    assert_slice_equal(region_at(config, 4), "");
    assert_slice_equal(region_at(config, 5), "australia-southeast1");
    assert_slice_equal(region_at(config, 6), "zone9");
    assert_slice_equal(region_at(config, 7), "");
    const struct remora_model *model = remora_config_model(config, REMORA_SLICE("acme/a"));
    assert_string_equal(model->endpoints[0].facts.country, "DE");
    assert_string_equal(model->endpoints[5].facts.country, "AU");
    assert_string_equal(model->endpoints[6].facts.country, "");
    assert_int_equal(remora_config_model(config, REMORA_SLICE("acme/a"))->facts.distillable,
                     REMORA_YES);
    assert_int_equal(remora_config_model(config, REMORA_SLICE("acme/b"))->facts.distillable,
                     REMORA_UNSET);
    remora_config_release(config);
}

static void policy_keys_have_effect(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        ACME "policy:\n  models: {allow: [], deny: [\"a/*\"]}\n"
             "  limits: {requests_per_minute: 5, tokens_per_minute: 6}\n  provider:\n"
             "    order: [acme]\n    only: [acme, openai/x]\n    ignore: [nobody]\n"
             "    allow_fallbacks: false\n    require_parameters: true\n    zdr: false\n"
             "    enforce_distillable_text: true\n    data_collection: allow\n"
             "    quantizations: [fp8]\n    regions: [eu, us]\n    attempt_timeout_ms: 9\n"
             "    max_attempts: 2\n"
             "    max_price: {prompt: 0.1999999999, completion: \"1e1\", request: 0.01, image: 2, "
             "audio: 3}",
        NULL);
    const struct remora_policy *mesh = &config->mesh;
    assert_true(mesh->models_allow.is_set);
    assert_int_equal(mesh->models_allow.count, 0);
    assert_slice_equal(mesh->models_deny.items[0], "a/*");
    assert_int_equal(mesh->limits.requests_per_minute, 5);
    assert_int_equal(mesh->limits.tokens_per_minute, 6);
    const struct remora_preferences *p = &mesh->provider;
    assert_int_equal(p->only.count, 2);
    assert_true(p->ignore.is_set);
    assert_true(test_config_warns(config, "policy.provider.ignore[0]", "\"nobody\""));
    assert_int_equal(p->allow_fallbacks, REMORA_NO);
    assert_int_equal(p->require_parameters, REMORA_YES);
    assert_int_equal(p->zdr, REMORA_NO);
    assert_int_equal(p->enforce_distillable_text, REMORA_YES);
    assert_int_equal(p->data_collection, REMORA_DATA_ALLOW);
    assert_slice_equal(p->quantizations.items[0], "fp8");
    assert_slice_equal(p->regions.items[1], "us");
    assert_int_equal(p->attempt_timeout_ms, 9);
    assert_int_equal(p->max_attempts, 2);
    assert_int_equal(p->max_price_pico_usd[REMORA_CAP_PROMPT], 199999);
    assert_int_equal(p->max_price_pico_usd[REMORA_CAP_COMPLETION], 10000000);
    assert_int_equal(p->max_price_pico_usd[REMORA_CAP_REQUEST], INT64_C(10000000000));
    assert_int_equal(p->max_price_pico_usd[REMORA_CAP_IMAGE], INT64_C(2000000000000));
    assert_int_equal(p->max_price_pico_usd[REMORA_CAP_AUDIO], INT64_C(3000000000000));
    remora_config_release(config);
}

static void names_that_nobody_has_are_warned_of(void **state)
{
    (void)state;
    struct remora_config *config =
        test_config(ACME "models: {acme/a: {endpoints: [{provider: acme, model_id: a}]}}\n"
                         "aliases: {x: acme/b, z: acme/a}\nservice: cart\n"
                         "services:\n  s: {models: {allow: [\"b/*\", acme/*], default: acme/b}}\n"
                         "  t: {models: {allow: [acme/c], default: z}}\n",
                    NULL);
    assert_true(test_config_warns(config, "aliases.x", "acme/b"));
    assert_false(test_config_warns(config, "aliases.z", ""));
    assert_true(test_config_warns(config, "services.s.models.allow[0]", "matches"));
    assert_true(test_config_warns(config, "services.s.models.default", "no configured model"));
    assert_true(test_config_warns(config, "services.t.models.default", "not allowed"));
    assert_true(test_config_warns(config, "service", "no policy for \"cart\""));
    remora_config_release(config);
}

static void a_warning_of_a_name_offers_the_nearest(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        ACME
        "models: {acme/echo-1: {endpoints: [{provider: acme, model_id: a}]}}\n"
        "aliases: {x: acme/ecko-1, z: \"acme/echo-1:free\"}\nservice: chekout\n"
        "services:\n  checkout: {models: {allow: [echo-1], deny: [acme/echo1, \"*:free\"],\n"
        "    default: ACME/echo-1}, provider: {order: [OpenAI], only: [acne/x], ignore: [zzz]}}\n",
        NULL);
    assert_true(test_config_warns(config, "aliases.x", "did you mean 'acme/echo-1'?"));
    assert_false(test_config_warns(config, "aliases.z", ""));
    assert_true(
        test_config_warns(config, "services.checkout.models.allow[0]", "mean 'acme/echo-1'?"));
    assert_true(
        test_config_warns(config, "services.checkout.models.deny[0]", "mean 'acme/echo-1'?"));
    assert_false(test_config_warns(config, "services.checkout.models.deny[1]", ""));
    assert_true(
        test_config_warns(config, "services.checkout.models.default", "mean 'acme/echo-1'?"));
    assert_true(test_config_warns(config, "services.checkout.provider.order[0]", "mean 'openai'?"));
    assert_true(
        test_config_warns(config, "services.checkout.provider.only[0]", "\"acne\"; did you mean"));
    assert_true(
        test_config_warns(config, "services.checkout.provider.ignore[0]", "the slug \"zzz\""));
    assert_true(test_config_warns(config, "service", "did you mean 'checkout'?"));
    remora_config_release(config);
}

static void a_tag_that_no_endpoint_has_is_warned_of(void **state)
{
    (void)state;
    struct remora_config *config = test_config(
        ACME "models: {acme/a: {endpoints: [{provider: acme, model_id: a, tag: acme/turbo},\n"
             "  {provider: acme, model_id: b}]}}\n"
             "policy: {provider: {ignore: [acme/trubo, acme/turbo, acme, acme/eu, acme/turbo#2,\n"
             "  venice#2, 'acme#3', 'veince#2']}}\n",
        NULL);
    assert_true(
        test_config_warns(config, "policy.provider.ignore[0]",
                          "no endpoint has the tag \"acme/trubo\"; did you mean 'acme/turbo'?"));
    assert_false(test_config_warns(config, "policy.provider.ignore[1]", ""));
    assert_false(test_config_warns(config, "policy.provider.ignore[2]", ""));
    assert_true(test_config_warns(config, "policy.provider.ignore[3]", "\"acme/eu\""));
    assert_true(test_config_warns(config, "policy.provider.ignore[4]", "\"acme/turbo#2\""));
    assert_false(test_config_warns(config, "policy.provider.ignore[5]", ""));
    assert_true(test_config_warns(config, "policy.provider.ignore[6]",
                                  "no endpoint has the tag \"acme#3\""));
    assert_true(test_config_warns(config, "policy.provider.ignore[7]",
                                  "no provider has the slug \"veince\""));
    remora_config_release(config);
}

static void models_are_found_by_id_in_sorted_order(void **state)
{
    (void)state;
    struct remora_config *config =
        test_config(ACME "models:\n  z: {endpoints: [{provider: acme, model_id: a}]}\n"
                         "  a: {endpoints: [{provider: acme, model_id: a}]}\n",
                    &with_openai);
    assert_slice_equal(config->models[0].facts.id, "a");
    assert_slice_equal(config->models[config->model_count - 1].facts.id, "z");
    for (size_t i = 0; i < config->model_count; i++) {
        assert_ptr_equal(remora_config_model(config, config->models[i].facts.id),
                         &config->models[i]);
    }
    assert_null(remora_config_model(config, REMORA_SLICE("m")));
    remora_config_release(config);
}

static const char *any_variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "ACME_KEY") == 0 ? "sk-one" : NULL;
}

/* One provider with one endpoint; `model` upstream, `path` of its address. */
static struct remora_config *config_of_health(struct remora_health *health, const char *before,
                                              const char *model, const char *path)
{
    char text[512];
    struct remora_config *config = NULL;
    (void)snprintf(text, sizeof text,
                   "providers: {acme: {kind: openai, base_url: \"http://127.0.0.1:9001/%s\", "
                   "api_key: {env: ACME_KEY}}}\n"
                   "models: {%sacme/a: {endpoints: [{provider: acme, model_id: %s}]}}",
                   path, before, model);
    struct remora_config_input input = {
        .document = remora_slice_of(text), .getenv = any_variable, .health = health};
    assert_int_equal(remora_config_build(&input, &config, NULL), REMORA_OK);
    return config;
}

static uint32_t health_of(const struct remora_config *config)
{
    return remora_config_model(config, REMORA_SLICE("acme/a"))->endpoints[0].health;
}

static uint32_t key_health_of(const struct remora_config *config)
{
    return remora_config_provider(config, REMORA_SLICE("acme"))->credentials[0].health;
}

static void health_survives_a_reload_and_is_anew_for_what_was_mended(void **state)
{
    (void)state;
    struct remora_health *health = remora_health_new();
    struct remora_config *configs[] = {
        config_of_health(health, "", "a", "v1"),
        config_of_health(health, "acme/0: {endpoints: [{provider: acme, model_id: a}]}, ", "a",
                         "v1"),
        config_of_health(health, "", "b", "v1"),
        config_of_health(health, "", "a", "v2"),
    };
    assert_true(health_of(configs[0]) > 0);
    assert_int_equal(health_of(configs[1]), health_of(configs[0]));
    assert_int_not_equal(configs[1]->models[0].endpoints[0].health, health_of(configs[0]));
    assert_int_not_equal(health_of(configs[2]), health_of(configs[0]));
    assert_int_not_equal(health_of(configs[3]), health_of(configs[0]));
    assert_true(key_health_of(configs[0]) > 0);
    assert_int_equal(key_health_of(configs[2]), key_health_of(configs[0]));
    assert_int_not_equal(key_health_of(configs[3]), key_health_of(configs[0]));
    assert_int_equal(configs[3]->changed_credential_count, 0); /* it holds what it held */
    for (size_t i = 0; i < REMORA_COUNT_OF(configs); i++) {
        remora_config_release(configs[i]);
    }
    remora_health_free(health);
}

/* One provider with one endpoint, and a key in a file; each part may be another than in `before`. */
struct called {
    const char *provider; /* further keys of the provider */
    const char *endpoint; /* further keys of the endpoint */
    const char *document; /* further keys of all */
    const char *header;
    const char *authorities;
    const char *certificate;
    const char *certificate_key;
    const char *secret_header;
};

static struct remora_config *config_called(struct remora_health *health,
                                           const struct called *called, enum remora_code expected)
{
    static const char *const variables[] = {"ACME_KEY", "sk-one", NULL};
    const char *const files[] = {
        "/ca.pem",  called->authorities,     "/crt.pem", called->certificate,
        "/key.pem", called->certificate_key, "/team",    called->secret_header,
        NULL};
    const struct test_world world = {variables, files};
    char text[1024];
    struct remora_config *config = NULL;
    (void)snprintf(text, sizeof text,
                   "providers: {acme: {kind: openai, base_url: \"http://127.0.0.1:9001/v1\", "
                   "api_key: {env: ACME_KEY}, ca_file: /ca.pem, client_cert: {cert_file: /crt.pem, "
                   "key_file: /key.pem}, headers: {x-one: %s, x-team: {file: /team}}%s}}\n"
                   "models: {acme/a: {endpoints: [{provider: acme, model_id: a%s}]}}\n%s",
                   called->header, called->provider, called->endpoint, called->document);
    struct remora_config_input input = {.document = remora_slice_of(text), .health = health};
    test_world_input(&world, &input);
    assert_int_equal(remora_config_build(&input, &config, NULL), expected);
    return config;
}

static const struct called called_before = {.provider = "",
                                            .endpoint = "",
                                            .document = "",
                                            .header = "one",
                                            .authorities = test_certificate,
                                            .certificate = test_certificate,
                                            .certificate_key = test_certificate_key,
                                            .secret_header = "red"};

/* As before but for the parts that `mended` has. */
static struct called called_with(const struct called *mended)
{
    struct called called = called_before;
    const char **parts = (const char **)&called;
    const char *const *others = (const char *const *)mended;
    for (size_t i = 0; i < sizeof called / sizeof *parts; i++) {
        parts[i] = others[i] == NULL ? parts[i] : others[i];
    }
    return called;
}

static void assert_open(const struct remora_health *health, uint32_t slot, bool is_open)
{
    uint64_t until_ns = 0;
    enum remora_condition condition = remora_health_condition(health, slot, 1, &until_ns);
    assert_int_equal(condition, is_open ? REMORA_CONDITION_BREAKER_OPEN : REMORA_CONDITION_WELL);
}

/* The endpoint's breaker is open, its key benched; then the mended document is loaded. */
static void check_mended(const struct called *mended, bool key_is_anew)
{
    struct remora_health *health = remora_health_new();
    struct remora_config *before = config_called(health, &called_before, REMORA_OK);
    const struct called called = called_with(mended);
    uint64_t until_ns = 0;
    for (int i = 0; i < 5; i++) {
        remora_health_failure(health, health_of(before), 1);
    }
    remora_health_bench(health, key_health_of(before), 1);
    struct remora_config *same = config_called(health, &called_before, REMORA_OK);
    assert_open(health, health_of(same), true);
    struct remora_config *after = config_called(health, &called, REMORA_OK);
    assert_open(health, health_of(after), false);
    assert_int_equal(remora_health_condition(health, key_health_of(after), 1, &until_ns),
                     key_is_anew ? REMORA_CONDITION_WELL : REMORA_CONDITION_BENCHED);
    assert_int_equal(after->changed_credential_count, 0);
    remora_config_release(before);
    remora_config_release(same);
    remora_config_release(after);
    remora_health_free(health);
}

/* The certificate, in another file. */
static char other_text[4096];

/* Issue 3, F5: with a wrong ca_file or a header too few the breaker opened, and stayed so when that was mended. */
static void health_is_anew_whatever_of_a_call_was_mended(void **state)
{
    static const struct called of_provider[] = {
        {.provider = ", proxy: \"http://127.0.0.1:3128\""},
        {.provider = ", http2: true"},
        {.provider = ", trace_context: true"},
        {.header = "two"},
        {.header = "one, x-two: one"},
        {.secret_header = "blue"},
        {.authorities = other_text},
        {.certificate = other_text},
        {.certificate_key = test_other_key},
    };
    static const struct called of_endpoint[] = {
        {.provider = ", dialect: openrouter"},
        {.provider = ", deadlines: {connect_ms: 1000}"},
        {.provider = ", deadlines: {first_byte_ms: 1000}"},
        {.document = "deadlines: {idle_ms: 1000}\n"},
        {.document = "deadlines: {response_ms: 1000}\n"},
        {.document = "deadlines: {total_ms: 1000}\n"},
        {.endpoint = ", supported_parameters: [max_tokens]"},
        {.endpoint = ", stream_only: true"},
        {.endpoint = ", max_completion_tokens: 100"},
    };
    (void)state;
    (void)snprintf(other_text, sizeof other_text, "another\n%s", test_certificate);
    for (size_t i = 0; i < REMORA_COUNT_OF(of_provider); i++) {
        check_mended(&of_provider[i], true);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(of_endpoint); i++) {
        check_mended(&of_endpoint[i], false);
    }
}

static void a_document_that_is_refused_changes_no_health(void **state)
{
    (void)state;
    struct remora_health *health = remora_health_new();
    struct remora_config *config = config_called(health, &called_before, REMORA_OK);
    struct called wrong = called_before;
    wrong.header = "two";
    wrong.document = "keys: {ci: {service: checkout}}\n"; /* no hash: found at the end */
    for (int i = 0; i < 5; i++) {
        remora_health_failure(health, health_of(config), 1);
    }
    for (int i = 0; i < 2; i++) {
        wrong.header = i == 0 ? "two" : "three";
        assert_null(config_called(health, &wrong, REMORA_INVALID_REQUEST));
        assert_open(health, health_of(config), true);
    }
    remora_config_release(config);
    remora_health_free(health);
}

static void endpoints_without_health_are_told(void **state)
{
    (void)state;
    struct remora_health *health = remora_health_new();
    char name[16];
    for (int i = 0; i < 8192; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)remora_health_slot(health, remora_slice_of(name));
    }
    struct remora_config *config = config_of_health(
        health, "acme/0: {endpoints: [{provider: acme, model_id: a}]}, ", "a", "v1");
    assert_int_equal(config->warning_count, 1);
    assert_true(test_config_warns(config, "models", "no circuit breaker"));
    remora_config_release(config);
    remora_health_free(health);
}

static void a_snapshot_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct remora_config *config = test_config("service: a", NULL);
    assert_ptr_equal(remora_config_acquire(config), config);
    remora_config_release(config);
    assert_slice_equal(config->service, "a");
    remora_config_release(config);
    remora_config_release(NULL);
}

static void log_levels_are_those_of_the_log(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        enum remora_log_level level;
    } rows[] = {
        {"log: {level: error}", REMORA_LOG_ERROR},
        {"log: {level: warn}", REMORA_LOG_WARN},
        {"log: {level: info}", REMORA_LOG_INFO},
        {"log: {level: debug}", REMORA_LOG_DEBUG},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct remora_config *config = test_config(rows[i].yaml, NULL);
        assert_int_equal(config->log_level, rows[i].level);
        remora_config_release(config);
    }
}

/* The secrets of a snapshot have mappings of their own; one that is gone cannot be synchronised. */
static void the_last_release_gives_secrets_back(void **state)
{
    (void)state;
    struct remora_config *config = test_config("", &with_openai);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    void *secret = (void *)((uintptr_t)config->providers[0].credentials[0].secret & ~page);
    remora_config_acquire(config);
    remora_config_release(config);
    assert_int_equal(msync(secret, 1, MS_ASYNC), 0);
    remora_config_release(config);
    assert_int_equal(msync(secret, 1, MS_ASYNC), -1);
}

static void every_lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    static const char yaml[] =
        "providers:\n  openai: {headers: {X-A: {env: OPENAI_API_KEY}}}\n  groq: {}\n"
        "models: {a: {endpoints: [{provider: openai, model_id: a}]}}\n"
        "services: {s: {models: {allow: [a]}}}\naliases: {x: y}";
    size_t refused = 0;
    for (uint64_t nth = 1; nth < 200; nth++) {
        struct remora_config *config = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        remora_alloc_fail_at(nth, true);
        enum remora_code rc = test_config_build(yaml, &with_openai, &config, &fail);
        remora_alloc_fail_at(0, false);
        if (rc == REMORA_OK) {
            remora_config_release(config);
            break;
        }
        assert_int_equal(rc, REMORA_SHEDDING);
        assert_null(config);
        refused++;
    }
    assert_true(refused > 3 && refused < 199);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_document_and_no_variable_gives_defaults_and_no_provider),
        cmocka_unit_test(a_conventional_variable_switches_a_provider_on),
        cmocka_unit_test(listeners_that_do_not_collide_are_taken),
        cmocka_unit_test(an_empty_variable_counts_as_unset),
        cmocka_unit_test(a_kind_that_is_not_built_is_known_and_warned_of),
        cmocka_unit_test(process_keys_have_effect),
        cmocka_unit_test(the_mode_decides_how_old_connections_become),
        cmocka_unit_test(the_environment_overrides_who_is_served),
        cmocka_unit_test(the_environment_that_agrees_is_nothing_to_warn_of),
        cmocka_unit_test(names_that_helm_reads_otherwise_are_warned_of),
        cmocka_unit_test(a_provider_of_the_catalog_takes_overrides),
        cmocka_unit_test(an_endpoint_supports_no_more_than_its_dialect),
        cmocka_unit_test(an_own_provider_without_key_needs_none),
        cmocka_unit_test(insecure_allows_clear_text_beyond_loopback),
        cmocka_unit_test(several_keys_stand_in_order_and_a_missing_one_is_a_warning),
        cmocka_unit_test(missing_and_empty_keys_disable_the_provider),
        cmocka_unit_test(addresses_of_the_catalog_are_completed_from_the_environment),
        cmocka_unit_test(own_endpoints_stand_before_the_catalogs_by_price),
        cmocka_unit_test(deprecated_endpoints_stand_behind_the_others),
        cmocka_unit_test(the_same_tag_replaces_and_replace_endpoints_forgets),
        cmocka_unit_test(endpoint_keys_have_effect),
        cmocka_unit_test(deadlines_are_resolved_from_the_narrowest_scope),
        cmocka_unit_test(models_that_reason_have_longer_defaults),
        cmocka_unit_test(an_endpoint_of_another_wire_points_at_a_variant_of_its_provider),
        cmocka_unit_test(a_stated_address_is_never_left_for_one_of_the_catalog),
        cmocka_unit_test(an_endpoint_lies_where_it_is_said_or_where_its_tag_says),
        cmocka_unit_test(policy_keys_have_effect),
        cmocka_unit_test(names_that_nobody_has_are_warned_of),
        cmocka_unit_test(a_warning_of_a_name_offers_the_nearest),
        cmocka_unit_test(a_tag_that_no_endpoint_has_is_warned_of),
        cmocka_unit_test(models_are_found_by_id_in_sorted_order),
        cmocka_unit_test(health_survives_a_reload_and_is_anew_for_what_was_mended),
        cmocka_unit_test(health_is_anew_whatever_of_a_call_was_mended),
        cmocka_unit_test(a_document_that_is_refused_changes_no_health),
        cmocka_unit_test(endpoints_without_health_are_told),
        cmocka_unit_test(a_snapshot_lives_until_its_last_reference),
        cmocka_unit_test(log_levels_are_those_of_the_log),
        cmocka_unit_test(the_last_release_gives_secrets_back),
        cmocka_unit_test(every_lack_of_memory_is_told_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
