#include "config_build.h"

#include "support.h"

#include "remora/health.h"
#include "remora/secret.h"

#include <stdlib.h>

const char test_certificate[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBbjCCARWgAwIBAgIUBOHvCI5UqOoIacTMnioymeYlVrwwCgYIKoZIzj0EAwIw\n"
                                "DDEKMAgGA1UEAwwBYTAgFw0yNjExMzAwOTE4MDNaGA8yMTI2MTEwNjA5MTgwM1ow\n"
                                "DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNC7D3SnK8wF\n"
                                "JerHrFer41RArLeLgYAKGjZbjQjM9xUzTpwIvus0eBUhoQ2GJtKy/NMaqkaauqXs\n"
                                "A5A6Qjydo2ijUzBRMB0GA1UdDgQWBBRiyfAcpYplSiA0DYRCoKLVJhgu2TAfBgNV\n"
                                "HSMEGDAWgBRiyfAcpYplSiA0DYRCoKLVJhgu2TAPBgNVHRMBAf8EBTADAQH/MAoG\n"
                                "CCqGSM49BAMCA0cAMEQCIGwj8RCrxZBGfW/IKkopmkVhRjlKPh50aU4loZYsHCP0\n"
                                "AiAE7wYmewLJqRTysk9fv6ewu7vXoXEKY42wpY/9tlW+OA==\n"
                                "-----END CERTIFICATE-----\n";

const char test_certificate_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHShYa45qe5uMUWPn\n"
    "B4dxw5uNWZNhDn+IO0DloQBjYkOhRANCAATQuw90pyvMBSXqx6xXq+NUQKy3i4GA\n"
    "Cho2W40IzPcVM06cCL7rNHgVIaENhibSsvzTGqpGmrql7AOQOkI8naNo\n"
    "-----END PRIVATE KEY-----\n";

const char test_other_key[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgW7IYU6NU5zvtMvZ7\n"
                              "ngVxSUxaXYTRv8729mJgH99QYv6hRANCAATXcckJoN+70Dp90k5/B1rn/T7cuOvx\n"
                              "Rod1Sz1Efps0YsifC+o/V0gRV4ouTXJXlkn9qudgh5IrIpN3s8SXgGSt\n"
                              "-----END PRIVATE KEY-----\n";

static bool is_unreadable(const char *content)
{
    return content != NULL && strcmp(content, TEST_UNREADABLE) == 0;
}

static const char *look_up(const char *const *pairs, const char *name)
{
    for (size_t i = 0; pairs != NULL && pairs[i] != NULL; i += 2) {
        if (strcmp(pairs[i], name) == 0) {
            return pairs[i + 1];
        }
    }
    return NULL;
}

static const char *fake_getenv(void *context, const char *name)
{
    const struct test_world *world = context;
    return look_up(world->environment, name);
}

static enum remora_code fake_read_secret(void *context, const char *path,
                                         struct remora_secret **out, struct remora_fail *fail)
{
    const struct test_world *world = context;
    const char *content = look_up(world->files, path);
    if (is_unreadable(content)) {
        return remora_fail_set(fail, REMORA_INTERNAL, NULL, "%s: too many open files", path);
    }
    if (content == NULL || content[0] == '\0') {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "secret file %s %s", path,
                               content == NULL ? "does not exist" : "is empty");
    }
    *out = remora_secret_new(remora_slice_of(content));
    return *out == NULL ? REMORA_SHEDDING : REMORA_OK;
}

static enum remora_code fake_read_file(void *context, const char *path, struct remora_arena *arena,
                                       struct remora_slice *out, struct remora_fail *fail)
{
    const struct test_world *world = context;
    const char *content = look_up(world->files, path);
    if (is_unreadable(content)) {
        return remora_fail_set(fail, REMORA_INTERNAL, NULL, "%s: too many open files", path);
    }
    if (content == NULL) {
        return remora_fail_set(fail, REMORA_NOT_FOUND, NULL, "%s: no such file", path);
    }
    *out = remora_arena_copy(arena, remora_slice_of(content));
    return out->data == NULL ? REMORA_SHEDDING : REMORA_OK;
}

void test_world_input(const struct test_world *world, struct remora_config_input *input)
{
    input->getenv = fake_getenv;
    input->getenv_context = (void *)(uintptr_t)world;
    input->read_secret = fake_read_secret;
    input->read_file = fake_read_file;
    input->file_context = (void *)(uintptr_t)world;
}

enum remora_code test_config_build(const char *yaml, const struct test_world *world,
                                   struct remora_config **out, struct remora_fail *fail)
{
    return test_config_rebuild(yaml, world, NULL, out, fail);
}

enum remora_code test_config_rebuild(const char *yaml, const struct test_world *world,
                                     const struct remora_config *running,
                                     struct remora_config **out, struct remora_fail *fail)
{
    struct test_world nothing = {NULL, NULL};
    struct test_world here = world == NULL ? nothing : *world;
    struct remora_config_input input = {
        .document = remora_slice_of(yaml),
        .document_name = "test.yaml",
        .now_unix_ms = 1000,
        .running = running,
    };
    test_world_input(&here, &input);
    return remora_config_build(&input, out, fail);
}

struct remora_config *test_config(const char *yaml, const struct test_world *world)
{
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    enum remora_code rc = test_config_build(yaml, world, &config, &fail);
    if (rc != REMORA_OK) {
        fail_msg("does not load: %s: %s", fail.param, fail.message);
    }
    return config;
}

bool test_config_warns(const struct remora_config *config, const char *path, const char *part)
{
    for (size_t i = 0; i < config->warning_count; i++) {
        const struct remora_warning *warning = &config->warnings[i];
        if (remora_slice_is(warning->path, path) && strstr(warning->text.data, part) != NULL) {
            return true;
        }
    }
    return false;
}

static void copy_out(void *context, struct remora_slice bytes)
{
    char **out = context;
    *out = calloc(1, bytes.length + 1);
    if (*out != NULL && bytes.length > 0) {
        memcpy(*out, bytes.data, bytes.length);
    }
}

char *test_secret_text(const struct remora_secret *secret)
{
    char *text = NULL;
    remora_secret_use(secret, copy_out, &text);
    return text;
}
