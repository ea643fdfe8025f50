/* A file that has lost the end it had is no whole one: how it may be replaced. */
#include "config_build.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

struct change {
    const char *from;
    const char *to;
    const char *lost; /* what the refusal says, NULL: taken */
};

static const struct change changes[] = {
    {"version: 1\n", "version: 1\nservice: a\n", NULL},
    {"version: 1\n", "version: 1", "a line break"},
    {"version: 1\n", "version: 1\nservice: checko", "a line break"},
    {"version: 1\r\n", "version: 1\r\nservice: a\r\n", NULL},
    {"version: 1", "version: 1\nservice: a", NULL},
    {"version: 1", "version: 1\n", NULL},
    {"version: 1\n...\n", "version: 1\n", "a line \"...\""},
    {"version: 1\n...\n", "version: 1", "a line \"...\""},
    {"version: 1\n...\n", "version: 1\nservice: a\n...\n", NULL},
    {"version: 1\n...\n", "version: 1\nservice: a\n...", NULL},
    {"version: 1\n...", "version: 1\n... # the end", NULL},
    {"version: 1\n", "version: 1\n...", NULL},
    {"version: 1\n", "{version: 1}", NULL},
    {"version: 1\n...\n", "{\"version\": 1}", NULL},
    {"{version: 1}\n", "version: 1", "a line break"},
    {"{version: 1}", "version: 1", NULL},
    {"version: 1\n", "version: 1\nhosts: [a.example]", "a line break"},
};

static void a_document_that_lost_its_end_is_not_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(changes); i++) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        struct remora_config *from = test_config(changes[i].from, NULL);
        struct remora_config *to = test_config(changes[i].to, NULL);
        enum remora_code code = remora_config_check_endings(from, to, &fail);
        if ((code == REMORA_OK) != (changes[i].lost == NULL)) {
            fail_msg("row %zu: %s", i, fail.message);
        }
        if (changes[i].lost != NULL) {
            assert_int_equal(code, REMORA_INVALID_REQUEST);
            assert_non_null(strstr(fail.message, "test.yaml may have been cut off"));
            assert_non_null(strstr(fail.message, changes[i].lost));
        }
        remora_config_release(from);
        remora_config_release(to);
    }
}

static struct remora_config *with_policy(const char *path, const char *policy)
{
    char document[128];
    const char *const files[] = {path, policy, NULL};
    const struct test_world world = {NULL, files};
    snprintf(document, sizeof document, "version: 1\npolicy_files: {mesh: %s}\n", path);
    return test_config(document, &world);
}

static void a_policy_file_that_lost_its_end_is_not_whole(void **state)
{
    (void)state;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_config *from = with_policy("/p/mesh", "models: {deny: [a/b]}\nprovider: {}\n");
    struct remora_config *cut = with_policy("/p/mesh", "models: {deny: [a/b]}");
    struct remora_config *other = with_policy("/p/other", "models: {deny: [a/b]}");
    struct remora_config *none = test_config("version: 1\n", NULL);
    assert_int_equal(remora_config_check_endings(from, cut, &fail), REMORA_INVALID_REQUEST);
    assert_non_null(strstr(fail.message, "/p/mesh may have been cut off"));
    assert_int_equal(remora_config_check_endings(from, other, NULL), REMORA_OK);
    assert_int_equal(remora_config_check_endings(from, none, NULL), REMORA_OK);
    assert_int_equal(remora_config_check_endings(none, cut, NULL), REMORA_OK);
    assert_int_equal(remora_config_check_endings(cut, from, NULL), REMORA_OK);
    remora_config_release(from);
    remora_config_release(cut);
    remora_config_release(other);
    remora_config_release(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_that_lost_its_end_is_not_whole),
        cmocka_unit_test(a_policy_file_that_lost_its_end_is_not_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
