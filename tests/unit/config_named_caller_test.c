/* A caller as an operator names one. */
#include "support.h"

#include "config_build.h"
#include "remora/caller.h"

static const char yaml[] = "service: own\nnamespace: home\n"
                           "services: {checkout: {}}\nnamespaces: {shop: {}}\n"
                           "keys: {web: {service: front, namespace: edge, hash: {env: H}}}\n";

static struct remora_config *config;
static struct remora_identity identity;
static struct remora_fail fail;

static int set_up(void **state)
{
    (void)state;
    config = test_config(yaml, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_config_release(config);
    return 0;
}

static enum remora_code name(const char *service, const char *namespace_name, const char *key)
{
    const struct remora_named_caller named = {
        remora_slice_of(service), remora_slice_of(namespace_name), remora_slice_of(key)};
    fail = (struct remora_fail)REMORA_FAIL_INIT;
    return remora_caller_named(config, &named, &identity, &fail);
}

static void expect(const char *service, const char *namespace_name)
{
    assert_slice_equal(identity.service, service);
    assert_slice_equal(identity.namespace_name, namespace_name);
}

static void nobody_named_is_the_configured_service(void **state)
{
    (void)state;
    assert_int_equal(name(NULL, NULL, NULL), REMORA_OK);
    expect("own", "home");
    assert_int_equal(identity.key_id.length, 0);
}

static void every_name_of_the_configuration_is_known(void **state)
{
    (void)state;
    assert_int_equal(name("checkout", "shop", NULL), REMORA_OK);
    expect("checkout", "shop");
    assert_int_equal(name("front", "edge", NULL), REMORA_OK);
    expect("front", "edge");
    assert_int_equal(name("own", "home", NULL), REMORA_OK);
}

static void a_key_brings_its_service_and_namespace(void **state)
{
    (void)state;
    assert_int_equal(name(NULL, NULL, "web"), REMORA_OK);
    expect("front", "edge");
    assert_slice_equal(identity.key_id, "web");
    assert_int_equal(identity.proof, REMORA_PROOF_KEY);
    assert_int_equal(name("front", "edge", "web"), REMORA_OK);
}

static void expect_fail(const char *param, const char *message)
{
    assert_string_equal(fail.param, param);
    assert_string_equal(fail.message, message);
}

static void what_nobody_is_called_is_refused(void **state)
{
    (void)state;
    assert_int_equal(name("chekout", NULL, NULL), REMORA_INVALID_REQUEST);
    expect_fail("service", "no service is called 'chekout'; did you mean 'checkout'?");
    assert_int_equal(name(NULL, "shopp", NULL), REMORA_INVALID_REQUEST);
    expect_fail("namespace", "no namespace is called 'shopp'; did you mean 'shop'?");
    assert_int_equal(name(NULL, NULL, "webb"), REMORA_INVALID_REQUEST);
    expect_fail("key", "no key is called 'webb'; did you mean 'web'?");
    assert_int_equal(name("own", NULL, "web"), REMORA_INVALID_REQUEST);
    expect_fail("service", "the key is of another service: leave one of them out");
}

static void without_names_in_the_configuration_any_is_taken(void **state)
{
    (void)state;
    remora_config_release(config);
    config = test_config("service: own\n", NULL);
    assert_int_equal(name("whoever", "wherever", NULL), REMORA_OK);
    expect("whoever", "wherever");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_named_is_the_configured_service, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_name_of_the_configuration_is_known, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_key_brings_its_service_and_namespace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_is_called_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_names_in_the_configuration_any_is_taken, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
