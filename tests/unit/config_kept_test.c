/*
 * What a load leaves as it was in a process that runs: a certificate, authorities, secrets. Issue 3, E2 and issue 6, E1: one such
 * file kept everything from changing, or a file that could not be read for want of a descriptor revoked its key.
 */
#include "support.h"

#include "config_build.h"
#include "remora/secret.h"
#include "remora/tls.h"

#include <stdio.h>
#include <stdlib.h>

#define DOCUMENT                                                                      \
    "service: checkout\n"                                                             \
    "tls: {cert_file: /tls.crt, key_file: /tls.key, client_ca_file: /clients.pem}\n"  \
    "providers:\n"                                                                    \
    "  acme: {kind: openai, base_url: \"https://acme/v1\", api_key: {file: /acme},\n" \
    "    ca_file: /acme.pem, headers: {x-team: {file: /team}}}\n"                     \
    "models: {acme/a: {endpoints: [{provider: acme, model_id: a}]}}\n"                \
    "policy_files: {mesh: /mesh.yaml}\n"                                              \
    "keys: {ci: {service: checkout, hash: {file: /ci}}}\n"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct files {
    const char *certificate;
    const char *certificate_key;
    const char *client_ca;
    const char *acme;
    const char *acme_ca;
    const char *team;
    const char *mesh;
    const char *ci;
};

static const struct files good = {.certificate = test_certificate,
                                  .certificate_key = test_certificate_key,
                                  .client_ca = test_certificate,
                                  .acme = "sk-old",
                                  .acme_ca = test_certificate,
                                  .team = "red",
                                  .mesh = "{}\n",
                                  .ci = HASH_A};

static enum remora_code load(const char *document, const struct files *files,
                             const struct remora_config *running, struct remora_config **out,
                             struct remora_fail *fail)
{
    const char *const all[][2] = {
        {"/tls.crt", files->certificate},   {"/tls.key", files->certificate_key},
        {"/clients.pem", files->client_ca}, {"/acme", files->acme},
        {"/acme.pem", files->acme_ca},      {"/team", files->team},
        {"/mesh.yaml", files->mesh},        {"/ci", files->ci},
    };
    const char *pairs[2 * REMORA_COUNT_OF(all) + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < REMORA_COUNT_OF(all); i++) {
        if (all[i][1] != NULL) {
            pairs[count++] = all[i][0];
            pairs[count++] = all[i][1];
        }
    }
    const struct test_world world = {NULL, pairs};
    return test_config_rebuild(document, &world, running, out, fail);
}

static struct remora_config *must_load(const struct files *files,
                                       const struct remora_config *running)
{
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (load(DOCUMENT, files, running, &config, &fail) != REMORA_OK) {
        fail_msg("does not load: %s: %s", fail.param, fail.message);
    }
    return config;
}

static void assert_secret(const struct remora_secret *secret, const char *expected)
{
    char *text = test_secret_text(secret);
    assert_string_equal(text, expected);
    free(text);
}

/* The layers and keys of these files are in force, whatever was kept. */
static void assert_rest_is_new(const struct remora_config *config)
{
    assert_int_equal(config->mesh.models_deny.count, 1);
    assert_int_equal(config->key_hash_count, 0);
    assert_secret(config->providers[0].credentials[0].secret, "sk-new");
}

static struct files changed(void)
{
    struct files files = good;
    files.mesh = "models: {deny: [\"*\"]}\n";
    files.acme = "sk-new";
    files.ci = NULL;
    return files;
}

static bool names_file(const struct remora_config *config, const char *path)
{
    for (size_t i = 0; i < config->file_count; i++) {
        if (remora_slice_is(config->files[i], path)) {
            return true;
        }
    }
    return false;
}

static void a_certificate_that_cannot_be_taken_holds_up_nothing_else(void **state)
{
    (void)state;
    const struct {
        const char *certificate;
        const char *key;
        const char *client_ca;
        const char *param;
        const char *why;
    } rows[] = {
        {NULL, test_certificate_key, test_certificate, "tls.cert_file", "no such file"},
        {"", test_certificate_key, test_certificate, "tls.cert_file", "empty"},
        {"garbage\n", test_certificate_key, test_certificate, "tls", "no certificate"},
        {test_certificate, NULL, test_certificate, "tls.key_file", "does not exist"},
        {test_certificate, test_other_key, test_certificate, "tls", "not the key of cert_file"},
        {test_certificate, test_certificate_key, NULL, "tls.client_ca_file", "no such file"},
        {test_certificate, test_certificate_key, "", "tls.client_ca_file", "empty"},
        {test_certificate, test_certificate_key, "garbage\n", "tls", "client_ca_file"},
        {NULL, NULL, NULL, "tls.cert_file", "no such file"},
    };
    struct remora_config *running = must_load(&good, NULL);
    assert_null(running->kept_why);
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct files files = changed();
        files.certificate = rows[i].certificate;
        files.certificate_key = rows[i].key;
        files.client_ca = rows[i].client_ca;
        struct remora_config *next = must_load(&files, running);
        assert_ptr_equal(next->tls, running->tls);
        assert_int_equal(next->kept_parts, 1U << REMORA_KEPT_TLS);
        assert_string_equal(next->kept_why->param, rows[i].param);
        assert_non_null(strstr(next->kept_why->message, rows[i].why));
        assert_true(test_config_warns(next, rows[i].param, "tls stays as it was"));
        assert_true(names_file(next, "/tls.key") && names_file(next, "/clients.pem"));
        assert_rest_is_new(next);
        struct remora_config *mended = must_load(&good, next);
        assert_null(mended->kept_why);
        assert_ptr_not_equal(mended->tls, running->tls);
        remora_config_release(next);
        remora_config_release(mended);
    }
    remora_config_release(running);
}

static void authorities_that_cannot_be_taken_hold_up_nothing_else(void **state)
{
    (void)state;
    static const char *const contents[] = {NULL, "", "garbage\n", TEST_UNREADABLE};
    struct remora_config *running = must_load(&good, NULL);
    for (size_t i = 0; i < REMORA_COUNT_OF(contents); i++) {
        struct files files = changed();
        files.acme_ca = contents[i];
        struct remora_config *next = must_load(&files, running);
        assert_slice_equal(next->providers[0].ca_pem, test_certificate);
        assert_int_equal(next->kept_parts, 1U << REMORA_KEPT_CA_FILE);
        assert_string_equal(next->kept_why->param, "providers.acme.ca_file");
        assert_true(
            test_config_warns(next, "providers.acme.ca_file", "its authorities stay as they were"));
        assert_rest_is_new(next);
        struct remora_config *third = must_load(&files, next); /* and from what was kept */
        assert_slice_equal(third->providers[0].ca_pem, test_certificate);
        remora_config_release(next);
        remora_config_release(third);
    }
    remora_config_release(running);
}

/* Nothing runs with it: the document is wrong. */
static void authorities_that_are_named_for_the_first_time_have_to_be_there(void **state)
{
    (void)state;
    static const char other[] =
        "providers: {acme: {kind: openai, base_url: \"https://acme/v1\", ca_file: /other}}\n"
        "tls: {cert_file: /tls.crt, key_file: /tls.key, client_ca_file: /clients.pem}\n"
        "policy_files: {mesh: /mesh.yaml}\n";
    struct remora_config *next = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_config *running = must_load(&good, NULL);
    assert_int_equal(load(other, &good, running, &next, &fail), REMORA_INVALID_REQUEST);
    assert_string_equal(fail.param, "providers.acme.ca_file");
    remora_config_release(running);
}

static void a_start_takes_nothing_that_is_wrong(void **state)
{
    (void)state;
    struct files rows[] = {good, good, good, good, good};
    static const char *const params[] = {"tls.cert_file", "tls", "tls.client_ca_file",
                                         "providers.acme.ca_file", "providers.acme.ca_file"};
    rows[0].certificate = NULL;
    rows[1].certificate_key = test_other_key;
    rows[2].client_ca = NULL;
    rows[3].acme_ca = NULL;
    rows[4].acme_ca = "garbage\n";
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct remora_config *config = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        assert_int_equal(load(DOCUMENT, &rows[i], NULL, &config, &fail), REMORA_INVALID_REQUEST);
        assert_string_equal(fail.param, params[i]);
    }
}

static void what_cannot_be_read_now_revokes_nothing(void **state)
{
    (void)state;
    struct files files = good;
    struct remora_config *running = must_load(&good, NULL);
    files.acme = files.team = files.ci = TEST_UNREADABLE;
    struct remora_config *next = must_load(&files, running);
    struct remora_config *third = must_load(&files, next);
    remora_config_release(running);
    remora_config_release(next); /* nothing of what was kept is theirs */
    assert_true(third->is_unread);
    assert_int_equal(third->kept_parts, 1U << REMORA_KEPT_SECRETS);
    assert_string_equal(third->kept_why->param, "providers.acme.api_key.file");
    assert_non_null(strstr(third->kept_why->message, "too many open files"));
    assert_true(test_config_warns(third, "keys.ci.hash.file", "what it held stays in use"));
    assert_null(third->providers[0].disabled_why);
    assert_secret(third->providers[0].credentials[0].secret, "sk-old");
    assert_secret(third->providers[0].headers[0].secret, "red");
    assert_int_equal(third->key_hash_count, 1);
    assert_int_equal(third->key_hashes[0].sha256[0], 0xaa);
    assert_non_null(strstr(third->effective_json.data, "\"file\":\"/acme\",\"present\":true"));
    remora_config_release(third);
}

static void a_file_that_is_gone_still_revokes(void **state)
{
    (void)state;
    struct files files = good;
    struct remora_config *running = must_load(&good, NULL);
    files.acme = files.ci = NULL;
    struct remora_config *next = must_load(&files, running);
    assert_false(next->is_unread);
    assert_int_equal(next->kept_parts, 0);
    assert_non_null(next->providers[0].disabled_why);
    assert_int_equal(next->key_hash_count, 0);
    files.acme = files.ci = TEST_UNREADABLE; /* what was revoked does not come back by it */
    struct remora_config *third = must_load(&files, next);
    assert_true(third->is_unread);
    assert_int_equal(third->kept_parts, 0);
    assert_non_null(third->providers[0].disabled_why);
    assert_int_equal(third->key_hash_count, 0);
    remora_config_release(running);
    remora_config_release(next);
    remora_config_release(third);
}

static void a_layer_that_cannot_be_read_now_is_worth_another_load(void **state)
{
    (void)state;
    struct files files = good;
    struct remora_config *running = must_load(&good, NULL);
    assert_false(running->is_unread);
    files.mesh = TEST_UNREADABLE;
    struct remora_config *next = must_load(&files, running);
    assert_true(next->is_unread);
    assert_int_equal(next->kept_parts, 1U << REMORA_POLICY_FILE_MESH);
    remora_config_release(next);
    files = good;
    files.certificate = TEST_UNREADABLE;
    next = must_load(&files, running);
    assert_true(next->is_unread);
    assert_int_equal(next->kept_parts, 1U << REMORA_KEPT_TLS);
    remora_config_release(next);
    remora_config_release(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_that_cannot_be_taken_holds_up_nothing_else),
        cmocka_unit_test(authorities_that_cannot_be_taken_hold_up_nothing_else),
        cmocka_unit_test(authorities_that_are_named_for_the_first_time_have_to_be_there),
        cmocka_unit_test(a_start_takes_nothing_that_is_wrong),
        cmocka_unit_test(what_cannot_be_read_now_revokes_nothing),
        cmocka_unit_test(a_file_that_is_gone_still_revokes),
        cmocka_unit_test(a_layer_that_cannot_be_read_now_is_worth_another_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
