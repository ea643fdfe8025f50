/* Slices, UTF-8 and the small readers of text in src/base. */
#include "support.h"

#include "remora/list.h"
#include "remora/text.h"

static void slices_compare_find_and_trim(void **state)
{
    (void)state;
    struct remora_slice none = {0};
    assert_true(remora_slice_equal(none, REMORA_SLICE("")));
    assert_true(remora_slice_equal_nocase(REMORA_SLICE("Host-Z"), REMORA_SLICE("hOST-z")));
    assert_false(remora_slice_equal_nocase(REMORA_SLICE("a["), REMORA_SLICE("a{")));
    assert_false(remora_slice_equal_nocase(REMORA_SLICE("a"), REMORA_SLICE("ab")));
    assert_true(remora_slice_starts_with(REMORA_SLICE("abc"), none));
    assert_false(remora_slice_starts_with(REMORA_SLICE("ab"), REMORA_SLICE("abc")));
    assert_int_equal(remora_slice_compare(none, none), 0);
    assert_true(remora_slice_compare(none, REMORA_SLICE("a")) < 0);
    assert_true(remora_slice_compare(REMORA_SLICE("ab"), REMORA_SLICE("a")) > 0);
    assert_true(remora_slice_compare(REMORA_SLICE("a\xff"), REMORA_SLICE("ab")) > 0);
    assert_int_equal(remora_slice_find(REMORA_SLICE("a:b:c"), ':', 2), 3);
    assert_int_equal(remora_slice_find(REMORA_SLICE("abc"), ':', 0), 3);
    assert_int_equal(remora_slice_find(none, ':', 5), 0);
    assert_slice_equal(remora_slice_trim(REMORA_SLICE(" \t a b\t ")), "a b");
    assert_slice_equal(remora_slice_trim(REMORA_SLICE(" \t ")), "");
}

static void utf8_accepts_exactly_the_well_formed_sequences(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "ascii only, long",
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
        ("12345678\xC3\xA9"
         "1234567\xE2\x82\xAC"),
    };
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2\x20",
        "\xE0\x9F\xBF",
        "\xE0\xA0",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xE2\x82\x20",
        "\xEF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF0\x90\x80",
        "\xFE",
        "\xFF",
        ("1234567\xC3"
         "12345678"),
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(good); i++) {
        assert_true(remora_utf8_is_valid(remora_slice_of(good[i])));
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        assert_false(remora_utf8_is_valid(remora_slice_of(bad[i])));
    }
}

/* Every two bytes and every three that begin with E0 to EF, against the rule written another way. */
static void utf8_agrees_with_decoding_for_all_short_sequences(void **state)
{
    (void)state;
    for (unsigned first = 0x80; first < 0x100; first++) {
        for (unsigned rest = 0; rest < 0x10000; rest++) {
            char text[3] = {(char)first, (char)(rest >> 8), (char)rest};
            bool two = (first & 0xE0) == 0xC0 && (rest >> 14) == 2 &&
                       ((first & 0x1F) << 6 | (rest >> 8 & 0x3F)) >= 0x80;
            unsigned rune = (first & 0xF) << 12 | (rest >> 2 & 0xFC0) | (rest & 0x3F);
            bool three = (first & 0xF0) == 0xE0 && (rest & 0xC0C0) == 0x8080 && rune >= 0x800 &&
                         (rune < 0xD800 || rune > 0xDFFF);
            size_t length = remora_utf8_length(remora_slice(text, 3));
            assert_int_equal(length, two ? 2 : three ? 3 : 0);
        }
    }
}

static void utf8_cut_never_splits_a_character(void **state)
{
    (void)state;
    struct remora_slice text = REMORA_SLICE("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z");
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t bytes = 0; bytes < REMORA_COUNT_OF(kept); bytes++) {
        assert_int_equal(remora_utf8_cut(text, bytes), kept[bytes]);
    }
    assert_int_equal(remora_utf8_cut(REMORA_SLICE("\x80\x80\x80\x80\x80"), 4), 4);
}

static void u64_takes_digits_and_nothing_else(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(remora_parse_u64(REMORA_SLICE("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    static const char *const bad[] = {"",   "18446744073709551616", "-1", "+1", " 1", "1 ",
                                      "1a", "99999999999999999999"};
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        assert_false(remora_parse_u64(remora_slice_of(bad[i]), &value));
    }
    assert_true(value == UINT64_MAX);
}

static void wildcards_match_runs_of_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"*", "", true},
        {"*", "anything/at-all", true},
        {"", "", true},
        {"", "a", false},
        {"anthropic/*", "anthropic/claude", true},
        {"anthropic/*", "anthropic", false},
        {"*-mini", "gpt-4o-mini", true},
        {"*-mini", "gpt-4o-mini2", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXcYb", false},
        {"**a**", "a", true},
        {"a*", "ba", false},
        {"*ab", "aaab", true},
        {"a?c", "abc", false},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_int_equal(remora_wildcard_match(remora_slice_of(cases[i].pattern),
                                               remora_slice_of(cases[i].text)),
                         cases[i].matches);
    }
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    struct remora_buf buf;
    remora_buf_init(&buf, 100);
    remora_append_hex(&buf, remora_slice("\x00\xAB\xff", 3));
    assert_slice_equal(remora_buf_slice(&buf), "00abff");
    remora_buf_fini(&buf);
}

static void names_alike_differ_in_capitals_only(void **state)
{
    static const struct {
        const char *name;
        const char *other;
        bool is_alike;
    } cases[] = {
        {"max_tokens", "max_tokens", true},
        {"Max_TOKENS", "max_tokens", true},
        {"max_to\u212Aen\u017f", "max_tokens", true},
        {"\u0130mage", "image", true},
        {"m\u0131n_p", "min_p", true},
        {"\u017f", "s", true},
        {"", "", true},
        {"max_token", "max_tokens", false},
        {"max_tokens_", "max_tokens", false},
        {"max_tokens\u017f", "max_tokens", false},
        {"maxtokens", "max_tokens", false},
        {"mod\u00e9l", "model", false},
        {"\xC5", "s", false},
        {"@", "`", false},
        {"", "a", false},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_int_equal(
            remora_names_alike(remora_slice_of(cases[i].name), remora_slice_of(cases[i].other)),
            cases[i].is_alike);
    }
}

static void edit_distance_counts_and_stops_at_the_limit(void **state)
{
    (void)state;
    assert_int_equal(remora_edit_distance(REMORA_SLICE("kitten"), REMORA_SLICE("sitting"), 5), 3);
    assert_int_equal(remora_edit_distance(REMORA_SLICE("kitten"), REMORA_SLICE("sitting"), 1), 2);
    assert_int_equal(remora_edit_distance(REMORA_SLICE(""), REMORA_SLICE("abc"), 9), 3);
    assert_int_equal(remora_edit_distance(REMORA_SLICE("same"), REMORA_SLICE("same"), 3), 0);
    char longer[65] = {0};
    assert_int_equal(remora_edit_distance(remora_slice(longer, 65), REMORA_SLICE(""), 2), 3);
}

static void lists_keep_order_and_forgive_a_second_removal(void **state)
{
    (void)state;
    struct remora_list head, a, b, c;
    remora_list_init(&head);
    assert_true(remora_list_is_empty(&head));
    remora_list_append(&head, &a);
    remora_list_append(&head, &b);
    remora_list_append(&head, &c);
    remora_list_remove(&b);
    remora_list_remove(&b);
    assert_ptr_equal(remora_list_take(&head), &a);
    assert_ptr_equal(remora_list_take(&head), &c);
    assert_null(remora_list_take(&head));
}

static void host_that_ends_in_a_number_is_no_name(void **state)
{
    (void)state;
    static const char *const NUMBERS[] = {"1",
                                          "127.1",
                                          "0177.0.0.1",
                                          "0x7f.1",
                                          "a.0x",
                                          "a.0X7f",
                                          "a.1.",
                                          "256.256.256.256",
                                          "a.b.42",
                                          "0xg.test.0",
                                          "99999999999999999999"};
    static const char *const NAMES[] = {"",       ".",    "a",     "a.test", "1.a",
                                        "a.1b",   "a.b1", "a.1.b", "a.1..",  "0x7f.a1",
                                        "x0.b0x", "a.-1", "::1",   "a.0xg",  "0x1g"};
    for (size_t i = 0; i < REMORA_COUNT_OF(NUMBERS); i++) {
        assert_true(remora_host_ends_in_number(remora_slice_of(NUMBERS[i])));
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(NAMES); i++) {
        assert_false(remora_host_ends_in_number(remora_slice_of(NAMES[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_find_and_trim),
        cmocka_unit_test(utf8_accepts_exactly_the_well_formed_sequences),
        cmocka_unit_test(utf8_agrees_with_decoding_for_all_short_sequences),
        cmocka_unit_test(utf8_cut_never_splits_a_character),
        cmocka_unit_test(u64_takes_digits_and_nothing_else),
        cmocka_unit_test(wildcards_match_runs_of_bytes),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(names_alike_differ_in_capitals_only),
        cmocka_unit_test(edit_distance_counts_and_stops_at_the_limit),
        cmocka_unit_test(lists_keep_order_and_forgive_a_second_removal),
        cmocka_unit_test(host_that_ends_in_a_number_is_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
