/* The process as input: its real environment and files. */
#include "support.h"

#include "remora/config.h"
#include "remora/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/remora-config-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(content, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static enum remora_code build(const char *yaml, struct remora_config **out,
                              struct remora_fail *fail)
{
    struct remora_config_input input = {.document = remora_slice_of(yaml)};
    remora_config_input_system(&input);
    assert_true(input.now_unix_ms > INT64_C(1600000000000));
    return remora_config_build(&input, out, fail);
}

static enum remora_code build_file(const char *text, struct remora_config **out,
                                   struct remora_fail *fail)
{
    struct remora_config_input input = {.document = remora_slice_of(text), .needs_version = true};
    return remora_config_build(&input, out, fail);
}

/* Issue 3: what a full disk or a failed template leaves behind took keys and policies away at the next reload. */
static void a_file_without_its_version_is_refused(void **state)
{
    static const char *const texts[] = {"",     "# nothing\n", "---\n",
                                        "{}\n", "null\n",      "service: s\n"};
    struct remora_config *config = NULL;
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(texts); i++) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        assert_int_equal(build_file(texts[i], &config, &fail), REMORA_INVALID_REQUEST);
        assert_string_equal(fail.param, "version");
        assert_non_null(strstr(fail.message, "`version: 1` is missing"));
    }
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(build_file("version: 1\n", &config, &fail), REMORA_OK);
    remora_config_release(config);
    assert_int_equal(build("", &config, &fail), REMORA_OK); /* no file at all */
    remora_config_release(config);
}

static void absent_keys_are_held_where_they_are_assumed(void **state)
{
    static const char text[] =
        "providers: {a: {kind: openai, base_url: \"https://a/v1\", api_key: {env: NO_SUCH}, "
        "headers: {x: {file: /no/such}}}, openai: {}}";
    (void)state;
    for (int assumes = 0; assumes <= 1; assumes++) {
        struct remora_config *config = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        const struct remora_config_input input = {.document = REMORA_SLICE(text),
                                                  .assumes_keys = assumes == 1};
        assert_int_equal(remora_config_build(&input, &config, &fail), REMORA_OK);
        const char *slugs[] = {"a", "openai"};
        for (size_t i = 0; i < REMORA_COUNT_OF(slugs); i++) {
            const struct remora_provider *provider =
                remora_config_provider(config, remora_slice_of(slugs[i]));
            assert_int_equal(provider->disabled_why == NULL, assumes);
        }
        remora_config_release(config);
    }
}

/* Made with openssl ca -selfsign -startdate 20200101000000Z -enddate 20200102000000Z. */
static const char ended_in_2020[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIH/MIGmAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAWMwHhcNMjAwMTAxMDAw\n"
    "MDAwWhcNMjAwMTAyMDAwMDAwWjAMMQowCAYDVQQDDAFjMFkwEwYHKoZIzj0CAQYI\n"
    "KoZIzj0DAQcDQgAE0es2wdPuQ1vLWY6xmkyTcrDXoTfSLVi6Hovx5NM1Pw+/pqYm\n"
    "lAsgo3aRw37jk8yMqXZLys851XZT4GKAkC17SzAKBggqhkjOPQQDAgNIADBFAiEA\n"
    "wZ93BEJNCksRWZyZg1e9t/2vOEsx8G2cXAD4g77QtvgCIEsQ74rfre78wa87cpWA\n"
    "mmLV4YQsBrejuBjbBqVVRYSr\n"
    "-----END CERTIFICATE-----\n";

static void keys_and_authorities_come_from_files(void **state)
{
    (void)state;
    char key[128];
    char ca[128];
    char yaml[512];
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    snprintf(key, sizeof key, "%s/key", folder);
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    snprintf(yaml, sizeof yaml,
             "providers: {a: {kind: openai, base_url: \"https://a/v1\", api_key: {file: %s}, "
             "ca_file: %s}}",
             key, ca);
    write_file(key, "secret\n");
    write_file(ca, ended_in_2020);
    assert_int_equal(build(yaml, &config, &fail), REMORA_OK);
    const struct remora_provider *provider = remora_config_provider(config, REMORA_SLICE("a"));
    assert_null(provider->disabled_why);
    assert_int_equal(remora_secret_length(provider->credentials[0].secret), 6);
    assert_slice_equal(provider->ca_pem, ended_in_2020);
    remora_config_release(config);
    unlink(key);
    unlink(ca);
}

/* The warnings about files that everybody may read when the files `key` and `header` have these modes. */
static size_t exposed(mode_t key_mode, mode_t header_mode, char *paths, size_t capacity)
{
    char key[128];
    char header[128];
    char yaml[1024];
    size_t count = 0;
    struct remora_config *config = NULL;
    snprintf(key, sizeof key, "%s/key", folder);
    snprintf(header, sizeof header, "%s/header", folder);
    snprintf(yaml, sizeof yaml,
             "providers: {a: {kind: openai, base_url: \"https://a/v1\", api_key: {file: %s}, "
             "headers: {x-team: {file: %s}}, client_cert: {cert_file: /c, key_file: %s}}}\n"
             "keys: {k: {service: s, hash: {file: %s}}}",
             key, header, header, key);
    write_file(key, "secret\n");
    write_file(header, "secret\n");
    assert_int_equal(chmod(key, key_mode), 0);
    assert_int_equal(chmod(header, header_mode), 0);
    assert_int_equal(build(yaml, &config, NULL), REMORA_OK);
    paths[0] = '\0';
    for (size_t i = 0; i < config->warning_count; i++) {
        const struct remora_warning *warning = &config->warnings[i];
        if (strstr(warning->text.data, "may be read by everybody: chmod o-r") != NULL) {
            size_t used = strlen(paths);
            snprintf(paths + used, capacity - used, "%s ", warning->path.data);
            count++;
        }
    }
    remora_config_release(config);
    unlink(key);
    unlink(header);
    return count;
}

static void a_key_file_that_all_may_read_is_a_warning(void **state)
{
    (void)state;
    char paths[256];
    assert_int_equal(exposed(0600, 0440, paths, sizeof paths), 0);
    assert_int_equal(exposed(0644, 0600, paths, sizeof paths), 1);
    assert_string_equal(paths, "providers.a.api_key ");
    assert_int_equal(exposed(0600, 0644, paths, sizeof paths), 2);
    assert_string_equal(paths, "providers.a.client_cert.key_file providers.a.headers.x-team ");
}

/* End of provider a's client certificate in this file, and whether its end is a warning. */
static int64_t end_of(const char *content, bool *is_warned)
{
    char path[128];
    char yaml[512];
    struct remora_config *config = NULL;
    snprintf(path, sizeof path, "%s/cert", folder);
    snprintf(yaml, sizeof yaml,
             "providers: {a: {kind: openai, base_url: \"https://a/v1\", "
             "client_cert: {cert_file: %s, key_file: /k}}}",
             path);
    write_file(path, content);
    assert_int_equal(build(yaml, &config, NULL), REMORA_OK);
    int64_t end = remora_config_provider(config, REMORA_SLICE("a"))->client_certificate_end_unix_s;
    *is_warned = false;
    for (size_t i = 0; i < config->warning_count; i++) {
        *is_warned = *is_warned || strstr(config->warnings[i].text.data, "has ended") != NULL;
    }
    remora_config_release(config);
    unlink(path);
    return end;
}

static void a_client_certificate_that_has_ended_is_a_warning(void **state)
{
    (void)state;
    bool is_warned = false;
    assert_int_equal(end_of(ended_in_2020, &is_warned), 1577923200);
    assert_true(is_warned);
    assert_int_equal(end_of("no certificate\n", &is_warned), 0);
    assert_false(is_warned);
}

static void the_environment_is_the_process_s(void **state)
{
    (void)state;
    struct remora_config *config = NULL;
    assert_int_equal(setenv("REMORA_TEST_KEY", "k", 1), 0);
    assert_int_equal(build("providers: {groq: {api_key: {env: REMORA_TEST_KEY}}}", &config, NULL),
                     REMORA_OK);
    assert_null(remora_config_provider(config, REMORA_SLICE("groq"))->disabled_why);
    remora_config_release(config);
    unsetenv("REMORA_TEST_KEY");
}

static void files_that_cannot_be_read_are_told_by_name(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nowhere/ca.pem", "/tmp", "/dev/null"};
    for (size_t i = 0; i < REMORA_COUNT_OF(paths); i++) {
        struct remora_config *config = NULL;
        struct remora_fail fail = REMORA_FAIL_INIT;
        char yaml[128];
        snprintf(yaml, sizeof yaml, "providers: {openai: {ca_file: %s}}", paths[i]);
        assert_int_equal(build(yaml, &config, &fail), REMORA_INVALID_REQUEST);
        assert_non_null(strstr(fail.message, paths[i]));
        assert_string_equal(fail.param, "providers.openai.ca_file");
    }
}

static void addresses_are_parsed(void **state)
{
    (void)state;
    struct remora_address address;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_address_parse(REMORA_SLICE("localhost:80"), &address, NULL), REMORA_OK);
    assert_true(address.is_loopback);
    assert_int_equal(remora_address_parse(REMORA_SLICE("[::]:80"), &address, NULL), REMORA_OK);
    assert_string_equal(address.host, "::");
    assert_false(address.is_loopback);
    assert_int_equal(remora_address_check_data(&address, REMORA_ENTRY_FREE, "--http", &fail),
                     REMORA_INVALID_REQUEST);
    assert_string_equal(fail.param, "--http");
    assert_int_equal(
        remora_address_check_data(&address, REMORA_ENTRY_CERTIFICATES, "--http", &fail), REMORA_OK);
    assert_int_equal(remora_address_check_data(&address, REMORA_ENTRY_KEYS, "--http", &fail),
                     REMORA_OK);
    assert_int_equal(remora_address_parse(REMORA_SLICE(""), &address, NULL),
                     REMORA_INVALID_REQUEST);
    assert_string_equal(address.host, "::"); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_its_version_is_refused),
        cmocka_unit_test(absent_keys_are_held_where_they_are_assumed),
        cmocka_unit_test(keys_and_authorities_come_from_files),
        cmocka_unit_test(a_key_file_that_all_may_read_is_a_warning),
        cmocka_unit_test(a_client_certificate_that_has_ended_is_a_warning),
        cmocka_unit_test(the_environment_is_the_process_s),
        cmocka_unit_test(files_that_cannot_be_read_are_told_by_name),
        cmocka_unit_test(addresses_are_parsed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
