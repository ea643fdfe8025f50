/* The table of outcomes is whole, and a failure is filled once, in valid UTF-8. */
#include "support.h"

#include "remora/codes.h"
#include "remora/limits.h"
#include "remora/text.h"

static void every_code_has_a_whole_row(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REMORA_CODE_COUNT; i++) {
        const struct remora_code_row *row = remora_code_row((enum remora_code)i);
        assert_non_null(row->name);
        assert_non_null(row->error_type);
        assert_non_null(row->openai_type);
        assert_non_null(row->summary);
        assert_in_range(row->http_status, 200, 599);
        assert_in_range(row->grpc_status, 0, 16);
        assert_int_equal(remora_code_by_name(remora_slice_of(row->name)), i);
    }
    assert_string_equal(remora_code_row(REMORA_OK)->name, "OK");
    assert_string_equal(remora_code_row(REMORA_SHEDDING)->name, "SHEDDING");
    assert_int_equal(remora_code_row(REMORA_TOO_LARGE)->http_status, 413);
    assert_int_equal(remora_code_by_name(REMORA_SLICE("NO_SUCH")), REMORA_CODE_COUNT);
    assert_int_equal(remora_code_row(REMORA_CODE_COUNT)->http_status, 500);
}

static void only_codes_of_attempts_move_to_another_endpoint(void **state)
{
    (void)state;
    for (unsigned i = 1; i < REMORA_CODE_COUNT; i++) {
        const struct remora_code_row *row = remora_code_row((enum remora_code)i);
        if (row->next_endpoint != REMORA_NEXT_NEVER) {
            assert_true(row->next_model);
            assert_true(row->fail_class != REMORA_CLASS_NONE);
        }
    }
}

static void limits_are_what_the_table_says(void **state)
{
    (void)state;
    assert_int_equal(REMORA_LIMIT_MESSAGE_BYTES, 32 << 20);
    assert_int_equal(REMORA_LIMIT_JSON_DEPTH, 64);
}

static void first_failure_wins(void **state)
{
    (void)state;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_fail_set(&fail, REMORA_INVALID_REQUEST, "n", "bad %d", 1),
                     REMORA_INVALID_REQUEST);
    assert_int_equal(remora_fail_set(&fail, REMORA_INTERNAL, NULL, "later"), REMORA_INTERNAL);
    assert_int_equal(fail.code, REMORA_INVALID_REQUEST);
    assert_string_equal(fail.message, "bad 1");
    assert_string_equal(fail.param, "n");
    assert_int_equal(fail.retry_after_ms, -1);
    assert_int_equal(remora_fail_set(NULL, REMORA_SHEDDING, NULL, "x"), REMORA_SHEDDING);
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    for (int pad = 0; pad < 4; pad++) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        char text[400];
        memset(text, 'x', sizeof text);
        for (size_t i = (size_t)pad; i + 3 < sizeof text; i += 3) {
            memcpy(text + i, "\xE2\x82\xAC", 4);
        }
        remora_fail_set(&fail, REMORA_INTERNAL, text, "%s", text);
        struct remora_slice message = remora_slice_of(fail.message);
        assert_true(remora_utf8_is_valid(message));
        assert_true(message.length > 315 && message.length < 320);
        assert_true(remora_utf8_is_valid(remora_slice_of(fail.param)));
    }
}

static void text_that_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_INTERNAL, "\xFF", "a\xC3\xA9\xC3z");
    assert_string_equal(fail.message, "a\xC3\xA9?z");
    assert_string_equal(fail.param, "?");
}

static void http_status_is_the_rows_unless_framing_says_otherwise(void **state)
{
    (void)state;
    struct remora_fail fail = REMORA_FAIL_INIT;
    fail.code = REMORA_INVALID_REQUEST;
    assert_int_equal(remora_fail_http_status(&fail), 400);
    fail.http_status = 431;
    assert_int_equal(remora_fail_http_status(&fail), 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_whole_row),
        cmocka_unit_test(only_codes_of_attempts_move_to_another_endpoint),
        cmocka_unit_test(limits_are_what_the_table_says),
        cmocka_unit_test(first_failure_wins),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(text_that_is_not_utf8_is_replaced),
        cmocka_unit_test(http_status_is_the_rows_unless_framing_says_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
