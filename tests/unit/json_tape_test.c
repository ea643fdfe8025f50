/* Reading the tape: members, elements, strings, numbers, duplicates. */
#include "support.h"

#include "remora/json.h"

#include <math.h>
#include <stdio.h>

static struct remora_arena arena;
static struct remora_json_doc doc;

static int set_up(void **state)
{
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_arena_fini(&arena);
    return 0;
}

static struct remora_json parse(const char *text)
{
    static const struct remora_json_limits limits = {64, 100000};
    remora_arena_reset(&arena);
    assert_int_equal(remora_json_parse(remora_slice_of(text), &arena, &limits, &doc, NULL),
                     REMORA_OK);
    return remora_json_root(&doc);
}

static void gives_types_counts_and_raw_text(void **state)
{
    (void)state;
    struct remora_json root =
        parse(" { \"s\" : \"a\\n\", \"n\":-1.50, \"l\":[ 1, [2] ] ,\"z\":null} ");
    assert_int_equal(remora_json_type(root), REMORA_JSON_OBJECT);
    assert_int_equal(remora_json_count(root), 4);
    assert_slice_equal(remora_json_raw(remora_json_get(root, "s")), "\"a\\n\"");
    assert_slice_equal(remora_json_raw(remora_json_get(root, "n")), "-1.50");
    struct remora_json list = remora_json_get(root, "l");
    assert_slice_equal(remora_json_raw(list), "[ 1, [2] ]");
    assert_int_equal(remora_json_count(list), 2);
    assert_slice_equal(remora_json_raw(remora_json_at(list, 1)), "[2]");
    assert_true(remora_json_is_null(remora_json_get(root, "z")));
    assert_slice_equal(remora_json_raw(root),
                       "{ \"s\" : \"a\\n\", \"n\":-1.50, \"l\":[ 1, [2] ] ,\"z\":null}");
}

static void absent_things_are_absent_all_the_way(void **state)
{
    (void)state;
    struct remora_json root = parse("{\"a\":[1]}");
    struct remora_json none = remora_json_get(remora_json_get(root, "no"), "way");
    int64_t number;
    bool flag;
    struct remora_slice text;
    assert_true(remora_json_is_absent(none));
    assert_true(remora_json_is_null(none));
    assert_false(remora_json_is(none, REMORA_JSON_NULL));
    assert_int_equal(remora_json_count(none), 0);
    assert_int_equal(remora_json_raw(none).length, 0);
    assert_false(remora_json_int64(none, &number));
    assert_false(remora_json_bool(none, &flag));
    assert_false(remora_json_string(none, &arena, &text));
    assert_false(remora_json_equals(none, ""));
    assert_true(remora_json_is_absent(remora_json_at(remora_json_get(root, "a"), 1)));
    assert_true(remora_json_is_absent(remora_json_at(root, 0)));
    assert_true(remora_json_is_absent(remora_json_get(remora_json_get(root, "a"), "a")));
    struct remora_json_iter it;
    remora_json_iter_begin(&it, none);
    assert_false(remora_json_iter_next(&it));
    remora_json_iter_begin(&it, remora_json_at(remora_json_get(root, "a"), 0));
    assert_false(remora_json_iter_next(&it));
}

static void walks_members_and_elements_over_nested_values(void **state)
{
    (void)state;
    struct remora_json_iter it;
    char seen[128];
    size_t length = 0;
    remora_json_iter_begin(&it, parse("{\"a\":{\"x\":[1,{\"y\":2}]},\"b\":[[],[3]],\"c\":\"\"}"));
    while (remora_json_iter_next(&it)) {
        length += (size_t)snprintf(seen + length, sizeof seen - length, "%u%.*s=%.*s ", it.index,
                                   REMORA_SLICE_ARG(remora_json_raw(it.key)),
                                   REMORA_SLICE_ARG(remora_json_raw(it.value)));
    }
    assert_string_equal(seen, "0\"a\"={\"x\":[1,{\"y\":2}]} 1\"b\"=[[],[3]] 2\"c\"=\"\" ");
    remora_json_iter_begin(&it, parse("[true,[0],false]"));
    assert_true(remora_json_iter_next(&it));
    assert_true(remora_json_is_absent(it.key));
    assert_true(remora_json_iter_next(&it) && remora_json_iter_next(&it));
    bool flag = true;
    assert_true(remora_json_bool(it.value, &flag));
    assert_false(flag);
    assert_false(remora_json_iter_next(&it));
}

static void get_takes_the_last_of_equal_names_and_resolves_escapes(void **state)
{
    (void)state;
    struct remora_json root = parse("{\"k\":1,\"\\u006b\":2,\"kk\":3,\"\\u006bk\\n\":4}");
    assert_slice_equal(remora_json_raw(remora_json_get(root, "k")), "2");
    assert_slice_equal(remora_json_raw(remora_json_get(root, "kk")), "3");
    assert_slice_equal(remora_json_raw(remora_json_get(root, "kk\n")), "4");
    assert_true(remora_json_is_absent(remora_json_get(root, "")));
}

static void strings_are_views_without_escapes_and_copies_with(void **state)
{
    (void)state;
    const char *input =
        "[\"plain\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00z\"]";
    struct remora_json root = parse(input);
    struct remora_slice text;
    assert_true(remora_json_string(remora_json_at(root, 0), &arena, &text));
    assert_ptr_equal(text.data, input + 2);
    assert_int_equal(text.length, 5);
    assert_true(remora_json_string(remora_json_at(root, 1), &arena, &text));
    assert_slice_equal(text, "\"\\/\b\f\n\r\t");
    const char *long_input = "[\"forty bytes and more, in which nothing is escaped\"]";
    assert_true(remora_json_string(remora_json_at(parse(long_input), 0), &arena, &text));
    assert_ptr_equal(text.data, long_input + 2);
    root = parse(input);
    assert_true(remora_json_string(remora_json_at(root, 2), &arena, &text));
    assert_slice_equal(text, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z");
    assert_int_equal(text.data[text.length], '\0');
    assert_true(
        remora_json_equals(remora_json_at(root, 2), "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"));
    assert_false(
        remora_json_equals(remora_json_at(root, 2), "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
    assert_false(remora_json_string(root, &arena, &text));
}

static void a_string_that_does_not_fit_the_arena_says_so(void **state)
{
    (void)state;
    struct remora_json root = parse("\"\\n0123456789\"");
    struct remora_arena small;
    struct remora_slice text = REMORA_SLICE("untouched");
    remora_arena_init(&small, 64, 16);
    assert_false(remora_json_string(root, &small, &text));
    assert_null(text.data);
    assert_int_equal(small.failed, REMORA_TOO_LARGE);
    remora_arena_fini(&small);
}

static void integers_are_exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_integer;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"-0.0e5", true, 0},
        {"0e99999999999999999999", true, 0},
        {"1.0", true, 1},
        {"1e2", true, 100},
        {"120e-1", true, 12},
        {"1.5e1", true, 15},
        {"0.00025e5", true, 25},
        {"1200000000000000000000e-3", true, INT64_C(1200000000000000000)},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775807.000", true, INT64_MAX},
        {"0.9223372036854775807e19", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"1e19", false, 0},
        {"2e19", false, 0},
        {"99e18", false, 0},
        {"1e400", false, 0},
        {"1e99999999999999999999", false, 0},
        {"1.5", false, 0},
        {"1e-1", false, 0},
        {"1e-99999999999999999999", false, 0},
        {"9223372036854775807.5", false, 0},
        {"true", false, 0},
        {"\"1\"", false, 0},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        int64_t value = 77;
        bool is_integer = remora_json_int64(parse(cases[i].text), &value);
        if (is_integer != cases[i].is_integer || value != (is_integer ? cases[i].value : 77)) {
            fail_msg("%s gave %d %lld", cases[i].text, is_integer, (long long)value);
        }
    }
}

static void doubles_are_correctly_rounded_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0.0},
        {"1.5", 1.5},
        {"0.1", 0.1},
        {"123.456e78", 123.456e78},
        {"-2.5e-3", -2.5e-3},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000000001", 9007199254740994.0},
        {"17976931348623157e292", 1.7976931348623157e308},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"5e-324", 5e-324},
        {"2e-324", 0.0},
        {"1e-99999999999999999999", 0.0},
        {"0e99999999999999999999", 0.0},
        {"0.000001e6", 1.0},
        {"100000000000000000000000000000000000000000e-40", 10.0},
    };
    double value = 7;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_true(remora_json_double(parse(cases[i].text), &value));
        if (memcmp(&value, &cases[i].value, sizeof value) != 0) {
            fail_msg("%s gave %.17g", cases[i].text, value);
        }
    }
    assert_true(remora_json_double(parse("-0"), &value) && signbit(value));
    value = 7;
    assert_false(remora_json_double(parse("1e400"), &value));
    assert_false(remora_json_double(parse("-1.8e308"), &value));
    assert_false(remora_json_double(parse("\"1\""), &value));
    assert_true(value == 7);
}

/* 2^53 + 1 lies half-way between two doubles; what is 900 digits behind the point still decides. */
static void a_digit_far_behind_the_point_breaks_the_tie(void **state)
{
    (void)state;
    char text[1000];
    double value;
    int length = snprintf(text, sizeof text, "9007199254740993.%0900d", 0);
    assert_true(remora_json_double(parse(text), &value));
    assert_true(value == 9007199254740992.0);
    text[length - 1] = '1';
    assert_true(remora_json_double(parse(text), &value));
    assert_true(value == 9007199254740994.0);
}

static void duplicate_names_are_found_in_small_and_large_objects(void **state)
{
    (void)state;
    assert_true(remora_json_is_absent(remora_json_duplicate(parse("{\"a\":1,\"b\":1}"), &arena)));
    assert_true(remora_json_is_absent(remora_json_duplicate(parse("[1,1]"), &arena)));
    struct remora_json again =
        remora_json_duplicate(parse("{\"ab\":1,\"c\":2,\"\\u0061b\":3}"), &arena);
    assert_true(remora_json_equals(again, "ab"));
    again = remora_json_duplicate(parse("{\"a\":1,\"b\":2,\"c\":3,\"c\":4}"), &arena);
    assert_true(remora_json_equals(again, "c"));
    static const int names[] = {-1, 0, 19, 59, 99}; /* none, the first of all, ..., the last */
    for (size_t at = 0; at < REMORA_COUNT_OF(names); at++) {
        int twice = names[at];
        char text[2000] = "{";
        size_t length = 1;
        for (int i = 0; i < 100; i++) {
            length += (size_t)snprintf(text + length, sizeof text - length, "\"k%s%d\":0,",
                                       i % 3 == 0 ? "\\u0061" : "a", i * 7 % 100);
        }
        snprintf(text + length, sizeof text - length, twice < 0 ? "\"end\":0}" : "\"ka%d\":0}",
                 twice);
        again = remora_json_duplicate(parse(text), &arena);
        assert_int_equal(remora_json_is_absent(again), twice < 0);
    }
}

/* The doubt about `text`, and the raw text where it is; NULL and "" when there is none. */
static const char *doubt(const char *text, struct remora_slice *raw)
{
    struct remora_json where = {NULL, 0};
    parse(text);
    const char *reason = remora_json_doubt(&doc, &arena, &where);
    *raw = reason == NULL ? REMORA_SLICE("") : remora_json_raw(where);
    return reason;
}

static void what_two_readers_may_understand_differently_is_found_at_any_depth(void **state)
{
    static const struct {
        const char *text, *reason, *where;
    } cases[] = {
        {"{\"a\":{\"a\":{\"a\":[1,2.5,\"\",true,null]}}}", NULL, ""},
        {"[{\"a\":1},{\"a\":1}]", NULL, ""},
        {"[{},[{\"b\":0,\"\\u0062\":1}]]", "twice", "\"\\u0062\""},
        {"{\"a\":{\"b\":0},\"a\":1}", "twice", "\"a\""},
        {"[1e308,-1e308,1e-400,123456789012345678901234567890]", NULL, ""},
        {"[0,{\"a\":1e400}]", "double", "1e400"},
        {"-1E309", "double", "-1E309"},
        {"[1,\"\\\\u0000\",\"\\u0001\"]", NULL, ""},
        {"[\"a\",\"\\n\\u0000b\",\"c\"]", "NUL", "\"\\n\\u0000b\""},
        {"{\"a\":1,\"\\u0000\":2}", "NUL", "\"\\u0000\""},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_slice where;
        const char *reason = doubt(cases[i].text, &where);
        assert_int_equal(reason == NULL, cases[i].reason == NULL);
        assert_true(reason == NULL || strstr(reason, cases[i].reason) != NULL);
        assert_slice_equal(where, cases[i].where);
    }
}

/* Absent as if there were none: only the arena tells. */
static void a_full_arena_hides_no_duplicate_unsaid(void **state)
{
    (void)state;
    struct remora_arena full;
    struct remora_json where;
    struct remora_json many =
        parse("{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,"
              "\"j\":0,\"k\":0,\"l\":0,\"m\":0,\"n\":0,\"o\":0,\"p\":0,\"p\":0}");
    remora_arena_init(&full, 16, 16);
    assert_true(remora_json_is_absent(remora_json_duplicate(many, &full)));
    assert_int_equal(full.failed, REMORA_TOO_LARGE);
    assert_null(remora_json_doubt(&doc, &full, &where));
    remora_arena_fini(&full);
    assert_non_null(remora_json_doubt(&doc, &arena, &where));
}

static void names_that_are_prefixes_of_each_other_are_different(void **state)
{
    (void)state;
    char text[2000] = "{";
    size_t length = 1;
    for (int i = 0; i < 40; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "\"%.*s\":%d%s", i,
                                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", i,
                                   i < 39 ? "," : "}");
    }
    assert_true(remora_json_is_absent(remora_json_duplicate(parse(text), &arena)));
}

static void the_first_character_of_two_escapes_has_four_bytes(void **state)
{
    (void)state;
    struct remora_slice text;
    struct remora_json root = parse("{\"a\":\"\\ud800\\udc00\\uffff\\u0800\\u07ff\\u0080\"}");
    assert_true(remora_json_string(remora_json_get(root, "a"), &arena, &text));
    assert_slice_equal(text, "\xf0\x90\x80\x80\xef\xbf\xbf\xe0\xa0\x80\xdf\xbf\xc2\x80");
    /* and one of a single byte behind them leaves nothing of theirs */
    root = parse("{\"a\":\"\\u20ac\\u0041\\u00e9\\u007f.\"}");
    assert_true(remora_json_string(remora_json_get(root, "a"), &arena, &text));
    assert_slice_equal(text, "\xe2\x82\xac"
                             "A"
                             "\xc3\xa9"
                             "\x7f.");
    assert_true(remora_json_equals(remora_json_get(root, "a"), "\xe2\x82\xac"
                                                               "A"
                                                               "\xc3\xa9"
                                                               "\x7f."));
}

static void a_name_with_escapes_is_no_other_name(void **state)
{
    (void)state;
    struct remora_json root = parse("{\"b\\u0061d\":1}");
    assert_false(remora_json_is_absent(remora_json_get(root, "bad")));
    assert_true(remora_json_is_absent(remora_json_get(root, "bed")));
    assert_true(remora_json_is_absent(remora_json_get(root, "ba")));
    assert_true(remora_json_is_absent(remora_json_get(root, "badge")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_types_counts_and_raw_text),
        cmocka_unit_test(absent_things_are_absent_all_the_way),
        cmocka_unit_test(walks_members_and_elements_over_nested_values),
        cmocka_unit_test(get_takes_the_last_of_equal_names_and_resolves_escapes),
        cmocka_unit_test(strings_are_views_without_escapes_and_copies_with),
        cmocka_unit_test(a_string_that_does_not_fit_the_arena_says_so),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(doubles_are_correctly_rounded_or_refused),
        cmocka_unit_test(a_digit_far_behind_the_point_breaks_the_tie),
        cmocka_unit_test(duplicate_names_are_found_in_small_and_large_objects),
        cmocka_unit_test(a_full_arena_hides_no_duplicate_unsaid),
        cmocka_unit_test(what_two_readers_may_understand_differently_is_found_at_any_depth),
        cmocka_unit_test(names_that_are_prefixes_of_each_other_are_different),
        cmocka_unit_test(the_first_character_of_two_escapes_has_four_bytes),
        cmocka_unit_test(a_name_with_escapes_is_no_other_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
