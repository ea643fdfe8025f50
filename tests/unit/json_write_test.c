/* The JSON writer: commas, escapes, shortest doubles, and output that our own parser takes back. */
#include "support.h"

#include "remora/clock.h"
#include "remora/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct remora_buf buf;
static struct remora_json_writer w;

static int set_up(void **state)
{
    (void)state;
    remora_buf_init(&buf, 1 << 20);
    remora_json_write_begin(&w, &buf);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_buf_fini(&buf);
    return 0;
}

static void commas_and_colons_are_its_business(void **state)
{
    (void)state;
    remora_json_object_open(&w);
    remora_json_key(&w, "a");
    remora_json_array_open(&w);
    remora_json_write_i64(&w, INT64_MIN);
    remora_json_write_double(&w, 0.5);
    remora_json_write_double(&w, 1e300);
    remora_json_object_open(&w);
    remora_json_object_close(&w);
    remora_json_array_open(&w);
    remora_json_array_close(&w);
    remora_json_write_bool(&w, true);
    remora_json_write_bool(&w, false);
    remora_json_write_null(&w);
    remora_json_array_close(&w);
    remora_json_key_slice(&w, REMORA_SLICE("b\n"));
    remora_json_write_raw(&w, REMORA_SLICE("{\"x\": 1}"));
    remora_json_key(&w, "c");
    remora_json_write_text(&w, "");
    remora_json_object_close(&w);
    assert_slice_equal(remora_buf_slice(&buf), "{\"a\":[-9223372036854775808,0.5,1e+300,{},[],true,"
                                               "false,null],\"b\\n\":{\"x\": 1},\"c\":\"\"}");
}

static void texts_of_every_length_are_copied_whole(void **state)
{
    (void)state;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN";
    for (size_t length = 0; length < sizeof letters; length++) {
        char expected[128];
        remora_buf_reset(&buf, 0);
        remora_json_write_begin(&w, &buf);
        remora_json_object_open(&w);
        remora_json_key_slice(&w, remora_slice(letters, length));
        remora_json_write_string(&w, remora_slice(letters, length));
        remora_json_object_close(&w);
        snprintf(expected, sizeof expected, "{\"%.*s\":\"%.*s\"}", (int)length, letters,
                 (int)length, letters);
        assert_slice_equal(remora_buf_slice(&buf), expected);
    }
}

static void strings_are_escaped_minimally(void **state)
{
    (void)state;
    remora_json_write_string(&w, remora_slice("a\"\\/\b\f\n\r\t\x01\x1F\0\x7F\xC3\xA9z", 16));
    assert_slice_equal(remora_buf_slice(&buf),
                       "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000\x7F\xC3\xA9z\"");
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    (void)state;
    remora_json_write_string(&w, REMORA_SLICE("\xFF"
                                              "a\xC3\xA9\xC3\"\xED\xA0\x80"));
    assert_slice_equal(remora_buf_slice(&buf),
                       "\"\xEF\xBF\xBD"
                       "a\xC3\xA9\xEF\xBF\xBD\\\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void plain_text_is_what_the_writer_leaves_as_it_stands(void **state)
{
    (void)state;
    char text[100];
    memset(text, 'x', sizeof text);
    assert_true(remora_json_is_plain(remora_slice(NULL, 0)));
    assert_true(remora_json_is_plain(REMORA_SLICE("\x7F \xC3\xA9 \xF0\x9F\x98\x80")));
    assert_false(remora_json_is_plain(REMORA_SLICE("a\xC3")));
    for (size_t at = 0; at < sizeof text; at++) {
        static const char specials[] = {'"', '\\', '\n', '\0', '\x1F', '\xFF'};
        for (size_t i = 0; i < sizeof specials; i++) {
            text[at] = specials[i];
            assert_false(remora_json_is_plain(remora_slice(text, sizeof text)));
            assert_true(remora_json_is_plain(remora_slice(text, at)));
        }
        text[at] = 'x';
        assert_true(remora_json_is_plain(remora_slice(text, sizeof text)));
    }
}

static void doubles_are_written_short(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {0.1, "0.1"},
        {0.7, "0.7"},
        {-0.25, "-0.25"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e21, "1e+21"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        remora_buf_reset(&buf, 4096);
        remora_json_write_begin(&w, &buf);
        remora_json_write_double(&w, cases[i].value);
        assert_slice_equal(remora_buf_slice(&buf), cases[i].text);
    }
}

static double read_back(struct remora_slice text)
{
    static const struct remora_json_limits limits = {4, 4};
    struct remora_arena arena;
    struct remora_json_doc doc;
    double value = NAN;
    remora_arena_init(&arena, 1024, 1 << 16);
    assert_int_equal(remora_json_parse(text, &arena, &limits, &doc, NULL), REMORA_OK);
    assert_true(remora_json_double(remora_json_root(&doc), &value));
    remora_arena_fini(&arena);
    return value;
}

/* What people write, beside printf's shortest text that reads back. */
static void short_doubles_are_what_printf_finds(void **state)
{
    (void)state;
    struct remora_random random;
    remora_random_seed(&random, 7);
    for (int i = 0; i < 20000; i++) {
        static const double powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
        double value = (double)(int64_t)remora_random_below(&random, UINT64_C(1) << (20 + i % 24)) /
                       powers[i % REMORA_COUNT_OF(powers)];
        char text[40];
        value = i % 3 == 0 ? -value : value;
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtod(text, NULL) == value) {
                break;
            }
        }
        remora_buf_reset(&buf, 4096);
        remora_json_write_begin(&w, &buf);
        remora_json_write_double(&w, value);
        assert_slice_equal(remora_buf_slice(&buf), text);
    }
}

static void any_double_reads_back_as_itself(void **state)
{
    (void)state;
    struct remora_random random;
    remora_random_seed(&random, 3);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = remora_random_next(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        remora_buf_reset(&buf, 4096);
        remora_json_write_begin(&w, &buf);
        remora_json_write_double(&w, value);
        double again = read_back(remora_buf_slice(&buf));
        assert_memory_equal(&again, &value, sizeof value);
    }
}

/* Every string of two bytes between two blocks' worth of others is one valid JSON string. */
static void any_bytes_make_valid_json(void **state)
{
    (void)state;
    static const struct remora_json_limits limits = {4, 4};
    struct remora_arena arena;
    remora_arena_init(&arena, 1024, 1 << 16);
    for (unsigned pair = 0; pair < 0x10000; pair += 3) {
        char text[34] = "0123456789abcdef";
        struct remora_json_doc doc;
        text[pair % 16] = (char)(pair >> 8);
        text[pair % 16 + 1] = (char)pair;
        remora_buf_reset(&buf, 4096);
        remora_json_write_begin(&w, &buf);
        remora_json_write_string(&w, remora_slice(text, 17));
        remora_arena_reset(&arena);
        assert_int_equal(remora_json_parse(remora_buf_slice(&buf), &arena, &limits, &doc, NULL),
                         REMORA_OK);
    }
    remora_arena_fini(&arena);
}

static void failure_stays_in_the_buffer(void **state)
{
    (void)state;
    struct remora_buf small;
    remora_buf_init(&small, 8);
    remora_json_write_begin(&w, &small);
    remora_json_write_text(&w, "longer than eight");
    remora_json_write_null(&w);
    assert_int_equal(remora_buf_code(&small), REMORA_TOO_LARGE);
    remora_buf_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commas_and_colons_are_its_business, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_of_every_length_are_copied_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_are_escaped_minimally, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_become_replacement_characters,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_text_is_what_the_writer_leaves_as_it_stands, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(doubles_are_written_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_doubles_are_what_printf_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_double_reads_back_as_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_bytes_make_valid_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failure_stays_in_the_buffer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
