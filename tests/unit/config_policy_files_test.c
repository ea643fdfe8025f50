/* Policy layers from files of their own: they stand where the document's would, are told of by name, and are waited for. */
#include "support.h"

#include "config_build.h"

#include <stdio.h>

#define DOCUMENT                                                            \
    "service: checkout\nnamespace: shop\n"                                  \
    "providers: {acme: {kind: openai, base_url: \"http://127.0.0.1:1\"}}\n" \
    "models: {acme/a: {endpoints: [{provider: acme, model_id: a}]}}\n"

static const char *const files[] = {"/p/mesh.yaml",
                                    "provider: {data_collection: deny}\n",
                                    "/p/namespace.yaml",
                                    "models: {deny: [\"b/*\"]}\n",
                                    "/p/service.yaml",
                                    "# the service's own\nlimits: {concurrency: 3}\n",
                                    "/p/empty.yaml",
                                    "",
                                    "/p/comment.yaml",
                                    "# nothing\n",
                                    "/p/null.yaml",
                                    "~\n",
                                    "/p/open.yaml",
                                    "{}\n",
                                    "/p/broken.yaml",
                                    "provider: {zdr: true\n",
                                    "/p/unknown.yaml",
                                    "provider:\n  zrd: true\n",
                                    "/p/wrong.yaml",
                                    "provider:\n  quantizations: [fp5]\n",
                                    "/p/warns.yaml",
                                    "provider:\n  ignore: [acmee]\n",
                                    NULL};
static const struct test_world world = {NULL, files};

static struct remora_config *load(const char *policy_files)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml, DOCUMENT "policy_files: {%s}\n", policy_files);
    return test_config(yaml, &world);
}

static void stack_of(const struct remora_config *config, struct remora_policy_stack *stack)
{
    const struct remora_identity identity = {.service = config->service,
                                             .namespace_name = config->namespace_name};
    remora_config_stack(config, &identity, stack);
}

static void every_layer_may_come_from_a_file(void **state)
{
    (void)state;
    struct remora_policy_stack stack;
    struct remora_config *config =
        load("mesh: /p/mesh.yaml, namespace: /p/namespace.yaml, service: /p/service.yaml");
    stack_of(config, &stack);
    assert_int_equal(stack.layers[REMORA_LAYER_MESH]->provider.data_collection, REMORA_DATA_DENY);
    assert_slice_equal(stack.layers[REMORA_LAYER_NAMESPACE]->models_deny.items[0], "b/*");
    assert_int_equal(stack.layers[REMORA_LAYER_SERVICE]->limits.concurrency, 3);
    assert_null(config->not_ready_why);
    assert_int_equal(config->file_count, 3);
    assert_int_equal(config->policy_file_count, 3);
    assert_string_equal(config->files[1].data, "/p/namespace.yaml");
    remora_config_release(config);
}

static void layers_of_the_document_and_of_files_stand_beside_each_other(void **state)
{
    (void)state;
    struct remora_policy_stack stack;
    struct remora_config *config = test_config(
        DOCUMENT "policy: {provider: {zdr: true}}\nservices: {other: {limits: {concurrency: 9}}}\n"
                 "policy_files: {service: /p/service.yaml}\n",
        &world);
    stack_of(config, &stack);
    assert_int_equal(stack.layers[REMORA_LAYER_MESH]->provider.zdr, REMORA_YES);
    assert_int_equal(stack.layers[REMORA_LAYER_SERVICE]->limits.concurrency, 3);
    assert_int_equal(config->service_count, 2);
    remora_config_release(config);
}

static void an_absent_file_allows_nothing_and_is_not_ready(void **state)
{
    (void)state;
    static const struct {
        const char *policy_files;
        const char *path;
        const char *why;
        enum remora_layer layer;
    } rows[] = {
        {"mesh: /p/none", "policy_files.mesh", "the mesh policy is absent", REMORA_LAYER_MESH},
        {"namespace: /p/none", "policy_files.namespace", "the namespace's policy is absent",
         REMORA_LAYER_NAMESPACE},
        {"service: /p/none", "policy_files.service", "the service's policy is absent",
         REMORA_LAYER_SERVICE},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct remora_policy_stack stack;
        struct remora_config *config = load(rows[i].policy_files);
        assert_string_equal(config->not_ready_why, rows[i].why);
        assert_true(test_config_warns(config, rows[i].path, "/p/none is absent"));
        stack_of(config, &stack);
        assert_true(stack.layers[rows[i].layer]->models_allow.is_set);
        assert_int_equal(stack.layers[rows[i].layer]->models_allow.count, 0);
        assert_int_equal(config->file_count, 1);
        remora_config_release(config);
    }
}

static void an_explicit_nothing_restricts_nothing(void **state)
{
    (void)state;
    struct remora_config *config = load("mesh: /p/open.yaml");
    assert_null(config->not_ready_why);
    assert_false(config->mesh.models_allow.is_set);
    remora_config_release(config);
}

static void what_is_wrong_in_a_file_is_told_with_its_name_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *param;
        const char *message;
    } rows[] = {
        {"/p/empty.yaml", "policy_files.mesh", "/p/empty.yaml:1:1: the file is empty"},
        {"/p/comment.yaml", "policy_files.mesh", "/p/comment.yaml:1:1: the file is empty"},
        {"/p/null.yaml", "policy_files.mesh", "/p/null.yaml:1:1: the file is empty"},
        {"/p/broken.yaml", "policy_files.mesh", "/p/broken.yaml:2:1: "},
        {"/p/unknown.yaml", "policy_files.mesh.provider.zrd",
         "/p/unknown.yaml:2:3: unknown key \"zrd\": did you mean \"zdr\"?"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        char yaml[1024];
        struct remora_config *config = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        snprintf(yaml, sizeof yaml, DOCUMENT "policy_files: {mesh: %s}\n", rows[i].file);
        assert_int_equal(test_config_build(yaml, &world, &config, &fail), REMORA_INVALID_REQUEST);
        assert_string_equal(fail.param, rows[i].param);
        if (strncmp(fail.message, rows[i].message, strlen(rows[i].message)) != 0) {
            fail_msg("\"%s\" does not begin with \"%s\"", fail.message, rows[i].message);
        }
    }
}

static void what_is_wrong_in_the_meaning_is_told_the_same(void **state)
{
    (void)state;
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(test_config_build(DOCUMENT "policy_files: {service: /p/wrong.yaml}\n", &world,
                                       &config, &fail),
                     REMORA_INVALID_REQUEST);
    assert_string_equal(fail.param, "policy_files.service.provider.quantizations[0]");
    assert_string_equal(fail.message, "/p/wrong.yaml:2:19: no such quantization");
    config = load("namespace: /p/warns.yaml");
    assert_true(test_config_warns(config, "policy_files.namespace.provider.ignore[0]", "'acme'?"));
    remora_config_release(config);
}

static void a_layer_has_one_source(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        const char *param;
        const char *other;
    } rows[] = {
        {"policy: {}\npolicy_files: {mesh: /p/open.yaml}\n", "policy_files.mesh", "states policy"},
        {"namespaces: {shop: {}}\npolicy_files: {namespace: /p/open.yaml}\n",
         "policy_files.namespace", "states namespaces.shop"},
        {"services: {checkout: {}}\npolicy_files: {service: /p/none}\n", "policy_files.service",
         "states services.checkout"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        char yaml[1024];
        struct remora_config *config = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        snprintf(yaml, sizeof yaml, "%s%s", DOCUMENT, rows[i].more);
        assert_int_equal(test_config_build(yaml, &world, &config, &fail), REMORA_INVALID_REQUEST);
        assert_string_equal(fail.param, rows[i].param);
        assert_non_null(strstr(fail.message, rows[i].other));
    }
}

static void the_revision_is_of_the_document_and_its_files(void **state)
{
    (void)state;
    static const char *const other[] = {"/p/mesh.yaml", "provider: {data_collection: allow}\n",
                                        NULL};
    static const struct test_world changed = {NULL, other};
    struct remora_config *one = load("mesh: /p/mesh.yaml");
    struct remora_config *same = load("mesh: /p/mesh.yaml");
    struct remora_config *two =
        test_config(DOCUMENT "policy_files: {mesh: /p/mesh.yaml}\n", &changed);
    assert_int_equal(one->revision.length, 12);
    assert_slice_equal(same->revision, one->revision.data);
    assert_false(remora_slice_equal(one->revision, two->revision));
    remora_config_release(one);
    remora_config_release(same);
    remora_config_release(two);
}

/* ---- a reload ---- */

#define LAYERS DOCUMENT "policy_files: {mesh: /p/mesh.yaml, service: /p/service.yaml}\n"

static struct remora_config *reload(const struct remora_config *running, const char *document,
                                    const char *mesh, const char *service)
{
    const char *const now[] = {service == NULL ? NULL : "/p/service.yaml", service,
                               mesh == NULL ? NULL : "/p/mesh.yaml", mesh, NULL};
    const struct test_world changed = {NULL, service == NULL ? now + 2 : now};
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (test_config_rebuild(document, &changed, running, &config, &fail) != REMORA_OK) {
        fail_msg("does not load: %s: %s", fail.param, fail.message);
    }
    return config;
}

static void what_one_layer_lost_keeps_no_other_from_changing(void **state)
{
    (void)state;
    static const struct {
        const char *service;
        const char *param;
        const char *why;
    } rows[] = {
        {NULL, "policy_files.service", "/p/service.yaml is absent"},
        {"", "policy_files.service", "the file is empty"},
        {"limits: {concurency: 1}\n", "policy_files.service.limits.concurency", "unknown key"},
        {"provider: {quantizations: [fp5]}\n", "policy_files.service.provider.quantizations[0]",
         "no such quantization"},
        {"limits: {concurrency: 9}", "policy_files.service", "may have been cut off"},
    };
    struct remora_config *running = load("mesh: /p/mesh.yaml, service: /p/service.yaml");
    assert_null(running->kept_why);
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct remora_policy_stack stack;
        struct remora_config *next =
            reload(running, LAYERS, "models: {deny: [\"*\"]}\n", rows[i].service);
        stack_of(next, &stack);
        assert_int_equal(stack.layers[REMORA_LAYER_MESH]->models_deny.count, 1);
        assert_int_equal(stack.layers[REMORA_LAYER_SERVICE]->limits.concurrency, 3);
        assert_null(next->not_ready_why);
        assert_string_equal(next->kept_why->param, rows[i].param);
        assert_non_null(strstr(next->kept_why->message, rows[i].why));
        assert_true(test_config_warns(next, rows[i].param, "the layer stays as it was"));
        /* And again, from the one that lives on what it took over. */
        struct remora_config *third = reload(next, LAYERS, "{}\n", rows[i].service);
        stack_of(third, &stack);
        assert_int_equal(stack.layers[REMORA_LAYER_SERVICE]->limits.concurrency, 3);
        remora_config_release(third);
        remora_config_release(next);
    }
    remora_config_release(running);
}

static void both_layers_may_stay_and_the_first_is_told(void **state)
{
    (void)state;
    struct remora_config *running = load("mesh: /p/mesh.yaml, service: /p/service.yaml");
    struct remora_config *next = reload(running, LAYERS, NULL, NULL);
    assert_string_equal(next->kept_why->param, "policy_files.mesh");
    assert_true(test_config_warns(next, "policy_files.service", "absent"));
    assert_slice_equal(next->revision, running->revision.data);
    struct remora_config *mended = reload(next, LAYERS, "{}\n", "{}\n");
    assert_null(mended->kept_why);
    assert_int_equal(mended->mesh.provider.data_collection, REMORA_DATA_UNSET);
    remora_config_release(mended);
    remora_config_release(next);
    remora_config_release(running);
}

static void a_layer_that_is_named_for_the_first_time_holds_up_nothing(void **state)
{
    (void)state;
    static const char *const named[] = {"service: /p/none", "service: /p/broken.yaml",
                                        "service: /p/wrong.yaml"};
    struct remora_config *running = load("mesh: /p/mesh.yaml");
    for (size_t i = 0; i < REMORA_COUNT_OF(named); i++) {
        char yaml[1024];
        struct remora_config *next = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        snprintf(yaml, sizeof yaml, DOCUMENT "policy_files: {mesh: /p/mesh.yaml, %s}\n", named[i]);
        assert_int_equal(test_config_rebuild(yaml, &world, running, &next, &fail), REMORA_OK);
        assert_null(next->not_ready_why);
        assert_int_equal(next->kept_parts, 1 << REMORA_POLICY_FILE_SERVICE);
        assert_int_equal(next->policy_texts[REMORA_POLICY_FILE_SERVICE].path.length, 0);
        struct remora_policy_stack stack;
        stack_of(next, &stack);
        const struct remora_policy *service = stack.layers[REMORA_LAYER_SERVICE];
        assert_true(service == NULL || !service->models_allow.is_set);
        assert_int_equal(next->mesh.provider.data_collection, REMORA_DATA_DENY);
        remora_config_release(next);
    }
    remora_config_release(running);
}

/* What waits for its file goes on waiting. */
static void a_layer_that_was_absent_stays_so(void **state)
{
    (void)state;
    struct remora_config *next = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_config *running = load("mesh: /p/none");
    assert_int_equal(test_config_rebuild(DOCUMENT "policy_files: {mesh: /p/none}\n", &world,
                                         running, &next, &fail),
                     REMORA_OK);
    assert_string_equal(next->not_ready_why, "the mesh policy is absent");
    assert_int_equal(next->kept_parts, 0);
    remora_config_release(next);
    remora_config_release(running);
}

static void a_document_does_not_lift_a_layer_of_a_process_that_runs(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
    } rows[] = {
        {"mesh: /p/mesh.yaml", ""},
        {"mesh: /p/mesh.yaml", "mesh: /p/open.yaml"},
        {"mesh: /p/none", ""},
        {"mesh: /p/none", "mesh: /p/open.yaml"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        char yaml[1024];
        struct remora_config *next = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        struct remora_config *running = load(rows[i].from);
        snprintf(yaml, sizeof yaml, DOCUMENT "policy_files: {%s}\n", rows[i].to);
        assert_int_equal(test_config_rebuild(yaml, &world, running, &next, &fail),
                         REMORA_INVALID_REQUEST);
        assert_string_equal(fail.param, "policy_files.mesh");
        assert_non_null(strstr(fail.message, "restart to change it"));
        assert_non_null(strstr(fail.message, rows[i].from + strlen("mesh: ")));
        remora_config_release(running);
    }
}

static void the_mode_is_settled_at_the_start(void **state)
{
    (void)state;
    struct remora_config *next = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_config *running = load("mesh: /p/mesh.yaml");
    assert_int_equal(test_config_rebuild(DOCUMENT
                                         "policy_files: {mesh: /p/mesh.yaml}\nmode: gateway\n",
                                         &world, running, &next, &fail),
                     REMORA_INVALID_REQUEST);
    assert_string_equal(fail.param, "mode");
    remora_config_release(running);
}

/* `keys` of the document beside `layers` in `mode`; the path of what is refused, or NULL. */
static const char *refused_key(const char *mode, const char *layers, const char *key)
{
    static struct remora_fail fail;
    char yaml[1024];
    struct remora_config *config = NULL;
    fail = (struct remora_fail)REMORA_FAIL_INIT;
    snprintf(yaml, sizeof yaml,
             DOCUMENT "mode: %s\npolicy_files: {%s}\nkeys: {me: {%s, hash: {file: /absent}}}\n",
             mode, layers, key);
    enum remora_code code = test_config_build(yaml, &world, &config, &fail);
    remora_config_release(config);
    return code == REMORA_OK ? NULL : fail.param;
}

static void a_key_of_another_name_leaves_no_layer_that_a_file_binds(void **state)
{
    (void)state;
    const char *of_namespace = "namespace: /p/namespace.yaml";
    const char *of_service = "service: /p/service.yaml";
    assert_null(refused_key("sidecar", of_namespace, "service: other"));
    assert_null(refused_key("sidecar", of_namespace, "service: other, namespace: shop"));
    assert_string_equal(refused_key("sidecar", of_namespace, "service: checkout, namespace: x"),
                        "keys.me.namespace");
    assert_null(refused_key("sidecar", of_service, "service: checkout"));
    assert_string_equal(refused_key("sidecar", of_service, "service: other"), "keys.me.service");
    assert_null(refused_key("sidecar", "mesh: /p/mesh.yaml", "service: other, namespace: x"));
    assert_null(refused_key("gateway", of_namespace, "service: other, namespace: x"));
    assert_null(refused_key("gateway", of_service, "service: other"));
}

static void a_mistake_of_the_document_still_fails_the_load(void **state)
{
    (void)state;
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_config *running = load("service: /p/service.yaml");
    static const char *const now[] = {"/p/service.yaml", "limits: {concurency: 1}\n", NULL};
    const struct test_world changed = {NULL, now};
    assert_int_equal(test_config_rebuild(DOCUMENT "policy_files: {service: /p/service.yaml}\n"
                                                  "services: {checkout: {models: {deny: [x]}}}\n",
                                         &changed, running, &config, &fail),
                     REMORA_INVALID_REQUEST);
    assert_non_null(strstr(fail.message, "the document states services.checkout too"));
    remora_config_release(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_may_come_from_a_file),
        cmocka_unit_test(layers_of_the_document_and_of_files_stand_beside_each_other),
        cmocka_unit_test(an_absent_file_allows_nothing_and_is_not_ready),
        cmocka_unit_test(an_explicit_nothing_restricts_nothing),
        cmocka_unit_test(what_is_wrong_in_a_file_is_told_with_its_name_line_and_column),
        cmocka_unit_test(what_is_wrong_in_the_meaning_is_told_the_same),
        cmocka_unit_test(a_layer_has_one_source),
        cmocka_unit_test(the_revision_is_of_the_document_and_its_files),
        cmocka_unit_test(what_one_layer_lost_keeps_no_other_from_changing),
        cmocka_unit_test(both_layers_may_stay_and_the_first_is_told),
        cmocka_unit_test(a_layer_that_is_named_for_the_first_time_holds_up_nothing),
        cmocka_unit_test(a_layer_that_was_absent_stays_so),
        cmocka_unit_test(a_document_does_not_lift_a_layer_of_a_process_that_runs),
        cmocka_unit_test(the_mode_is_settled_at_the_start),
        cmocka_unit_test(a_key_of_another_name_leaves_no_layer_that_a_file_binds),
        cmocka_unit_test(a_mistake_of_the_document_still_fails_the_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
