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
        struct remora_config *to = NULL;
        enum remora_code code = test_config_rebuild(changes[i].to, NULL, from, &to, &fail);
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

/* Of a policy file: config_policy_files_test. */
static void what_was_never_loaded_may_end_anywhere(void **state)
{
    (void)state;
    struct remora_config *config = test_config("version: 1", NULL);
    assert_int_equal(config->ending_count, 1);
    remora_config_release(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_that_lost_its_end_is_not_whole),
        cmocka_unit_test(what_was_never_loaded_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
