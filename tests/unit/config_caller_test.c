/* Gateway keys: from the document to who calls. */
#include "support.h"

#include "config_build.h"

#include "remora/caller.h"

/* SHA-256 of "rk-one", "rk-two" and "rk-three" (sha256sum). */
#define HASH_ONE   "f6ff7ab608f9919dd4cb7a192b1f9f1e3947a15ac1d870dd26ed58a9c8fcf855"
#define HASH_TWO   "edd9a086619b97617fd7d536c1cf3b89f6500fd311be2f1c9d2a99cedc7cdd92"
#define HASH_THREE "4167da177cbfee6426c53559bcdd24d4cd7bce1daf352967d2699d8839b2dcea"

static const char *const files[] = {"/one",     HASH_ONE, "/two",   HASH_TWO, "/three",
                                    HASH_THREE, "/short", "abc123", "/words", "not-a-hash-at-all",
                                    NULL};
static const struct test_world world = {NULL, files};

#define TLS "tls: {cert_file: /tls.crt, key_file: /tls.key, client_ca_file: /ca.crt}\n"

#define KEYS                                                         \
    "service: checkout\nnamespace: shop\nkeys:\n"                    \
    "  ci: {service: build, namespace: tools, hash: {file: /one}}\n" \
    "  app: {service: cart, hash: [{file: /two}, {file: /three}],\n" \
    "        limits: {concurrency: 3}, models: {deny: [\"a/*\"]},\n" \
    "        provider: {zdr: true}}\n"

static struct remora_config *config;
static struct remora_identity identity;
static struct remora_fail fail_of;

static void load(const char *yaml)
{
    config = test_config(yaml, &world);
    fail_of = (struct remora_fail)REMORA_FAIL_INIT;
}

static enum remora_code identify(const char *authorization, const char *api_key, bool is_local)
{
    const struct remora_caller caller = {
        .authorization = remora_slice_of(authorization),
        .api_key = remora_slice_of(api_key),
        .is_local = is_local,
        .local_proof = REMORA_PROOF_PEER_UID,
    };
    fail_of = (struct remora_fail)REMORA_FAIL_INIT;
    return remora_caller_identify(config, &caller, &identity, &fail_of);
}

static int tear_down(void **state)
{
    (void)state;
    remora_config_release(config);
    config = NULL;
    return 0;
}

static void without_keys_a_local_caller_is_the_configured_service(void **state)
{
    (void)state;
    load("service: checkout\nnamespace: shop\n");
    assert_int_equal(identify("Bearer whatever", "x", true), REMORA_OK);
    assert_slice_equal(identity.service, "checkout");
    assert_slice_equal(identity.namespace_name, "shop");
    assert_slice_equal(identity.key_id, "");
    assert_int_equal(identity.proof, REMORA_PROOF_PEER_UID);
}

static void without_keys_nobody_from_afar_is_served(void **state)
{
    (void)state;
    load("");
    assert_int_equal(identify("Bearer rk-one", "", false), REMORA_UNAUTHENTICATED);
}

static void without_keys_a_client_certificate_is_the_configured_service(void **state)
{
    (void)state;
    load("service: checkout\n");
    const struct remora_caller caller = {.has_certificate = true};
    assert_int_equal(remora_caller_identify(config, &caller, &identity, &fail_of), REMORA_OK);
    assert_slice_equal(identity.service, "checkout");
    assert_int_equal(identity.proof, REMORA_PROOF_CERTIFICATE);
}

static void with_keys_a_client_certificate_is_not_enough(void **state)
{
    (void)state;
    load(KEYS);
    const struct remora_caller caller = {.has_certificate = true};
    assert_int_equal(remora_caller_identify(config, &caller, &identity, &fail_of),
                     REMORA_UNAUTHENTICATED);
}

static void a_key_names_its_service_namespace_and_itself(void **state)
{
    (void)state;
    load(KEYS);
    assert_int_equal(identify("Bearer rk-one", "", true), REMORA_OK);
    assert_slice_equal(identity.service, "build");
    assert_slice_equal(identity.namespace_name, "tools");
    assert_slice_equal(identity.key_id, "ci");
    assert_int_equal(identity.proof, REMORA_PROOF_KEY);
    assert_int_equal(identify("", "rk-two", false), REMORA_OK);
    assert_slice_equal(identity.service, "cart");
    assert_slice_equal(identity.namespace_name, "shop");
    assert_int_equal(identify("bearer   rk-three ", "", false), REMORA_OK);
    assert_slice_equal(identity.key_id, "app");
}

static void what_is_wrong_with_a_key_is_never_told(void **state)
{
    (void)state;
    static const struct {
        const char *authorization;
        const char *api_key;
    } wrong[] = {{"", ""},
                 {"Bearer", ""},
                 {"Bearer ", ""},
                 {"Bearer rk-onf", ""},
                 {"Bearer rk-on", ""},
                 {"Bearer rk-onee", ""},
                 {"Bearer RK-ONE", ""},
                 {"Basic rk-one", ""},
                 {"rk-one", ""},
                 {"Bearer " HASH_ONE, ""},
                 {"", "Bearer rk-one"},
                 {"Basic eA==", "rk-one"}, /* the authorization decides */
                 {"Bearer nobody", "rk-one"}};
    char first[sizeof fail_of.message] = "";
    load(KEYS);
    for (size_t i = 0; i < REMORA_COUNT_OF(wrong); i++) {
        assert_int_equal(identify(wrong[i].authorization, wrong[i].api_key, true),
                         REMORA_UNAUTHENTICATED);
        assert_string_equal(fail_of.param, "");
        if (i == 0) {
            memcpy(first, fail_of.message, sizeof first);
            assert_non_null(strstr(first, "Authorization: Bearer KEY"));
        }
        assert_string_equal(fail_of.message, first);
    }
}

static void a_key_is_a_layer_of_policy(void **state)
{
    (void)state;
    struct remora_policy_stack stack;
    load(KEYS);
    assert_int_equal(identify("Bearer rk-two", "", true), REMORA_OK);
    remora_config_stack(config, &identity, &stack);
    const struct remora_policy *layer = stack.layers[REMORA_LAYER_KEY];
    assert_non_null(layer);
    assert_int_equal(layer->limits.concurrency, 3);
    assert_int_equal(layer->limits.requests_per_minute, -1);
    assert_slice_equal(layer->models_deny.items[0], "a/*");
    assert_int_equal(layer->provider.zdr, REMORA_YES);
    assert_int_equal(identify("Bearer rk-one", "", true), REMORA_OK);
    remora_config_stack(config, &identity, &stack);
    assert_int_equal(stack.layers[REMORA_LAYER_KEY]->limits.concurrency, -1);
    identity.key_id = remora_slice(NULL, 0);
    remora_config_stack(config, &identity, &stack);
    assert_null(stack.layers[REMORA_LAYER_KEY]);
}

static void a_hash_that_cannot_be_read_lets_nobody_in_and_opens_nothing(void **state)
{
    (void)state;
    load(
        "keys:\n  a: {service: s, hash: {file: /absent}}\n  b: {service: s, hash: {file: /short}}\n"
        "  c: {service: s, hash: {file: /words}}\n");
    assert_int_equal(config->key_count, 3);
    assert_int_equal(config->key_hash_count, 0);
    assert_true(test_config_warns(config, "keys.a.hash", "does not exist: the key lets nobody in"));
    assert_true(test_config_warns(config, "keys.b.hash", "64 hex digits"));
    assert_true(test_config_warns(config, "keys.c.hash", "64 hex digits"));
    assert_int_equal(identify("", "", true), REMORA_UNAUTHENTICATED);
    assert_int_equal(identify("Bearer abc123", "", true), REMORA_UNAUTHENTICATED);
}

static void one_key_has_one_name(void **state)
{
    (void)state;
    load("keys:\n  a: {service: s, hash: {file: /one}}\n  b: {service: t, hash: {file: /one}}\n");
    assert_true(test_config_warns(config, "keys.b.hash", "the same key as keys.a"));
    assert_int_equal(identify("Bearer rk-one", "", true), REMORA_OK);
    assert_slice_equal(identity.key_id, "a");
}

static void a_key_of_a_service_without_a_policy_is_warned_of(void **state)
{
    (void)state;
    load("services: {cart: {}}\nkeys:\n  a: {service: cratt, hash: {file: /one}}\n"
         "  b: {service: cart, hash: {file: /two}}\n");
    assert_true(test_config_warns(config, "keys.a.service", "no policy for \"cratt\""));
    assert_false(test_config_warns(config, "keys.b.service", "no policy"));
}

static void listeners_beyond_loopback_are_taken_with_keys_and_warned_of(void **state)
{
    (void)state;
    load("listen: {http: \"0.0.0.0:7360\", grpc: \"[::]:7361\"}\n"
         "keys: {a: {service: s, hash: {file: /one}}}\n");
    assert_false(config->http.is_loopback);
    assert_true(test_config_warns(config, "listen.http", "in the clear"));
    assert_true(test_config_warns(config, "listen.grpc", "in the clear"));
}

static void load_with_certificates(const char *yaml)
{
    const char *const with[] = {"/one",           HASH_ONE,         "/tls.crt",
                                test_certificate, "/tls.key",       test_certificate_key,
                                "/ca.crt",        test_certificate, NULL};
    const struct test_world there = {NULL, with};
    config = test_config(yaml, &there);
}

/* Whoever writes a policy for a service believes that callers are told apart. */
static void policies_that_bind_no_client_certificate_are_warned_of(void **state)
{
    (void)state;
    load_with_certificates(TLS "services: {default: {}, cart: {limits: {concurrency: 1}}}\n"
                               "namespaces: {tools: {limits: {concurrency: 1}}}\n");
    assert_true(test_config_warns(config, "services.cart",
                                  "binds nobody: without keys every client certificate is the "
                                  "service \"default\""));
    assert_true(test_config_warns(config, "namespaces.tools", "is the namespace \"default\""));
    assert_false(test_config_warns(config, "services.default", "binds nobody"));
}

static void policies_that_callers_can_be_of_are_not_warned_of(void **state)
{
    (void)state;
    static const char *const documents[] = {
        TLS "service: cart\nservices: {cart: {}}\n",
        TLS "services: {cart: {}}\nkeys: {a: {service: cart, hash: {file: /one}}}\n",
        "services: {cart: {}}\n",
        "tls: {cert_file: /tls.crt, key_file: /tls.key}\nservices: {cart: {}}\n"};
    for (size_t i = 0; i < REMORA_COUNT_OF(documents); i++) {
        load_with_certificates(documents[i]);
        assert_false(test_config_warns(config, "services.cart", "binds nobody"));
        remora_config_release(config);
        config = NULL;
    }
}

#define CASE(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_keys_a_local_caller_is_the_configured_service),
        CASE(without_keys_a_client_certificate_is_the_configured_service),
        CASE(with_keys_a_client_certificate_is_not_enough),
        CASE(without_keys_nobody_from_afar_is_served),
        CASE(a_key_names_its_service_namespace_and_itself),
        CASE(what_is_wrong_with_a_key_is_never_told),
        CASE(a_key_is_a_layer_of_policy),
        CASE(a_hash_that_cannot_be_read_lets_nobody_in_and_opens_nothing),
        CASE(one_key_has_one_name),
        CASE(a_key_of_a_service_without_a_policy_is_warned_of),
        CASE(listeners_beyond_loopback_are_taken_with_keys_and_warned_of),
        CASE(policies_that_bind_no_client_certificate_are_warned_of),
        CASE(policies_that_callers_can_be_of_are_not_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
