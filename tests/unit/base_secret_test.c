/* Secrets: reading files with their cures, use, comparison. */
#include "support.h"

#include "remora/limits.h"
#include "remora/memory.h"
#include "remora/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/remora-secret-XXXXXX";
static char path[sizeof folder + 8];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/key", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_key(const char *bytes, size_t length, mode_t mode)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_bytes(void *context, struct remora_slice bytes)
{
    assert_slice_equal(bytes, (const char *)context);
}

static void expect_secret(const char *text)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_secret *secret = NULL;
    char expected[32];
    snprintf(expected, sizeof expected, "%s", text);
    assert_int_equal(remora_secret_read(path, &secret, &fail), REMORA_OK);
    assert_int_equal(remora_secret_length(secret), strlen(text));
    remora_secret_use(secret, expect_bytes, expected);
    remora_secret_free(secret);
}

static void expect_refusal(const char *file, enum remora_code code, const char *words)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_secret *secret = NULL;
    assert_int_equal(remora_secret_read(file, &secret, &fail), code);
    assert_null(secret);
    assert_int_equal(fail.code, code);
    assert_non_null(strstr(fail.message, file));
    if (strstr(fail.message, words) == NULL) {
        fail_msg("no \"%s\" in \"%s\"", words, fail.message);
    }
}

static void one_trailing_newline_is_stripped(void **state)
{
    (void)state;
    write_key("sk-1\n", 5, 0600);
    expect_secret("sk-1");
    write_key("sk-2\r\n", 6, 0644);
    expect_secret("sk-2");
    write_key("sk-3\n\n", 6, 0600);
    expect_secret("sk-3\n");
    write_key("sk-4 \r", 6, 0600);
    expect_secret("sk-4 \r");
}

static void what_holds_no_secret_is_refused_with_a_cure(void **state)
{
    (void)state;
    write_key("", 0, 0600);
    expect_refusal(path, REMORA_INVALID_REQUEST, "is empty: write");
    write_key("\n", 1, 0600);
    expect_refusal(path, REMORA_INVALID_REQUEST, "is empty: write");
    write_key("\r\n", 2, 0600);
    expect_refusal(path, REMORA_INVALID_REQUEST, "is empty: write");
    expect_refusal("/nonexistent/remora", REMORA_INVALID_REQUEST, "create it");
    expect_refusal(folder, REMORA_INVALID_REQUEST, "not a regular file");
}

static void a_file_that_all_may_write_is_refused(void **state)
{
    (void)state;
    write_key("sk", 2, 0602);
    expect_refusal(path, REMORA_INVALID_REQUEST, "chmod o-w");
}

static void a_file_that_all_may_read_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        bool is_exposed;
    } cases[] = {{0600, false}, {0640, false}, {0440, false}, {0644, true}, {0404, true}};
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_secret *secret = NULL;
        unlink(path);
        write_key("sk", 2, cases[i].mode);
        assert_int_equal(remora_secret_read(path, &secret, NULL), REMORA_OK);
        assert_int_equal(remora_secret_is_exposed(secret), cases[i].is_exposed);
        remora_secret_free(secret);
    }
    struct remora_secret *made = remora_secret_new(REMORA_SLICE("sk"));
    assert_false(remora_secret_is_exposed(made));
    remora_secret_free(made);
}

static void the_longest_secret_fits_and_one_byte_more_does_not(void **state)
{
    (void)state;
    static char bytes[REMORA_LIMIT_SECRET_BYTES + 3];
    struct remora_secret *secret = NULL;
    memset(bytes, 'k', sizeof bytes);
    bytes[REMORA_LIMIT_SECRET_BYTES] = '\n';
    write_key(bytes, REMORA_LIMIT_SECRET_BYTES + 1, 0600);
    assert_int_equal(remora_secret_read(path, &secret, NULL), REMORA_OK);
    assert_int_equal(remora_secret_length(secret), REMORA_LIMIT_SECRET_BYTES);
    remora_secret_free(secret);
    bytes[REMORA_LIMIT_SECRET_BYTES] = 'k';
    write_key(bytes, REMORA_LIMIT_SECRET_BYTES + 1, 0600);
    expect_refusal(path, REMORA_TOO_LARGE, "longer than 65536 bytes");
    write_key(bytes, sizeof bytes, 0600);
    expect_refusal(path, REMORA_TOO_LARGE, "longer than 65536 bytes");
    assert_null(remora_secret_new(remora_slice(bytes, sizeof bytes)));
}

static void secrets_are_equal_when_their_bytes_are(void **state)
{
    (void)state;
    struct remora_secret *a = remora_secret_new(REMORA_SLICE("one"));
    struct remora_secret *b = remora_secret_new(REMORA_SLICE("one"));
    struct remora_secret *c = remora_secret_new(REMORA_SLICE("onf"));
    struct remora_secret *d = remora_secret_new(REMORA_SLICE("onee"));
    assert_true(remora_secret_equal(a, b));
    assert_false(remora_secret_equal(a, c));
    assert_false(remora_secret_equal(a, d));
    remora_secret_free(a);
    remora_secret_free(b);
    remora_secret_free(c);
    remora_secret_free(d);
    remora_secret_free(NULL);
}

static void secrets_share_pages_and_go_together(void **state)
{
    (void)state;
    struct remora_secret_pages pages = {0};
    struct remora_secret *secrets[200];
    char text[32];
    for (size_t i = 0; i < REMORA_COUNT_OF(secrets); i++) {
        int length = snprintf(text, sizeof text, "sk-%zu", i);
        secrets[i] = remora_secret_add(&pages, remora_slice(text, (size_t)length));
        assert_non_null(secrets[i]);
    }
    /* The first ones lie in one page. */
    assert_true((const char *)secrets[9] - (const char *)secrets[0] < 4096);
    for (size_t i = 0; i < REMORA_COUNT_OF(secrets); i++) {
        int length = snprintf(text, sizeof text, "sk-%zu", i);
        struct remora_secret *same = remora_secret_new(remora_slice(text, (size_t)length));
        assert_true(remora_secret_equal(secrets[i], same));
        remora_secret_free(same);
    }
    assert_int_equal(remora_secret_length(remora_secret_add(&pages, REMORA_SLICE(""))), 0);
    remora_secret_pages_fini(&pages);
    assert_null(pages.first);
}

static void a_long_secret_has_room_among_the_others(void **state)
{
    (void)state;
    static char bytes[REMORA_LIMIT_SECRET_BYTES + 1];
    struct remora_secret_pages pages = {0};
    memset(bytes, 'k', sizeof bytes);
    assert_non_null(remora_secret_add(&pages, REMORA_SLICE("one")));
    struct remora_secret *longest =
        remora_secret_add(&pages, remora_slice(bytes, REMORA_LIMIT_SECRET_BYTES));
    assert_int_equal(remora_secret_length(longest), REMORA_LIMIT_SECRET_BYTES);
    assert_null(remora_secret_add(&pages, remora_slice(bytes, sizeof bytes)));
    assert_non_null(remora_secret_add(&pages, REMORA_SLICE("two")));
    remora_secret_pages_fini(&pages);
}

static void an_adopted_secret_is_the_same_and_as_exposed(void **state)
{
    (void)state;
    struct remora_secret_pages pages = {0};
    struct remora_secret *read = NULL;
    unlink(path);
    write_key("sk-1", 4, 0644);
    assert_int_equal(remora_secret_read(path, &read, NULL), REMORA_OK);
    struct remora_secret *adopted = remora_secret_adopt(&pages, read);
    assert_int_equal(remora_secret_length(adopted), 4);
    assert_true(remora_secret_is_exposed(adopted));
    struct remora_secret_pages none = {0};
    read = remora_secret_new(REMORA_SLICE("x"));
    remora_alloc_fail_at(1, false);
    assert_null(remora_secret_adopt(&none, read)); /* and it is freed */
    remora_alloc_fail_at(0, false);
    remora_secret_pages_fini(&pages);
}

static void no_memory_is_told_as_such(void **state)
{
    (void)state;
    write_key("sk", 2, 0600);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        remora_alloc_fail_at(nth, false);
        expect_refusal(path, REMORA_SHEDDING, "no memory");
    }
    remora_alloc_fail_at(1, false);
    assert_null(remora_secret_new(REMORA_SLICE("x")));
    remora_alloc_fail_at(0, false);
    expect_secret("sk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_trailing_newline_is_stripped),
        cmocka_unit_test(what_holds_no_secret_is_refused_with_a_cure),
        cmocka_unit_test(a_file_that_all_may_write_is_refused),
        cmocka_unit_test(a_file_that_all_may_read_is_told_apart),
        cmocka_unit_test(the_longest_secret_fits_and_one_byte_more_does_not),
        cmocka_unit_test(secrets_are_equal_when_their_bytes_are),
        cmocka_unit_test(secrets_share_pages_and_go_together),
        cmocka_unit_test(a_long_secret_has_room_among_the_others),
        cmocka_unit_test(an_adopted_secret_is_the_same_and_as_exposed),
        cmocka_unit_test(no_memory_is_told_as_such),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
