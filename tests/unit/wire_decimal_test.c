/* Exact decimals: parsing to a scale, rounding, refusing, and the way back. */
#include "support.h"

#include "remora/decimal.h"

static void parses_exactly_or_rounds_half_up(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scale;
        int64_t value;
        enum remora_decimal_exactness exactness;
    } cases[] = {
        {"0.0000025", 12, 2500000, REMORA_DECIMAL_EXACT},
        {"5", 12, INT64_C(5000000000000), REMORA_DECIMAL_EXACT},
        {"1.5e-7", 12, 150000, REMORA_DECIMAL_EXACT},
        {"1.5E+2", 0, 150, REMORA_DECIMAL_EXACT},
        {"0", 12, 0, REMORA_DECIMAL_EXACT},
        {"0.000", 0, 0, REMORA_DECIMAL_EXACT},
        {"0e99999999999999999999", 12, 0, REMORA_DECIMAL_EXACT},
        {"007", 0, 7, REMORA_DECIMAL_EXACT},
        {"1.50", 1, 15, REMORA_DECIMAL_EXACT},
        {"0.5", 0, 1, REMORA_DECIMAL_ROUNDED},
        {"0.4999", 0, 0, REMORA_DECIMAL_ROUNDED},
        {"2.45", 1, 25, REMORA_DECIMAL_ROUNDED},
        {"9.99", 1, 100, REMORA_DECIMAL_ROUNDED},
        {"0.05", 0, 0, REMORA_DECIMAL_ROUNDED},
        {"5e-1", 0, 1, REMORA_DECIMAL_ROUNDED},
        {"5e-2", 0, 0, REMORA_DECIMAL_ROUNDED},
        {"99e-99999999999999999999", 12, 0, REMORA_DECIMAL_ROUNDED},
        {"0.00000000000049999", 12, 0, REMORA_DECIMAL_ROUNDED},
        {"0.0000000000005", 12, 1, REMORA_DECIMAL_ROUNDED},
        {"9223372036854775807", 0, INT64_MAX, REMORA_DECIMAL_EXACT},
        {"9223372036854775806.5", 0, INT64_MAX, REMORA_DECIMAL_ROUNDED},
        {"0.000000000000000000009223372036854775807", 39, INT64_MAX, REMORA_DECIMAL_EXACT},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        int64_t value = -7;
        enum remora_decimal_exactness exactness = REMORA_DECIMAL_EXACT;
        if (!remora_decimal_parse(remora_slice_of(cases[i].text), cases[i].scale, &value,
                                  &exactness) ||
            value != cases[i].value || exactness != cases[i].exactness) {
            fail_msg("%s gave %lld", cases[i].text, (long long)value);
        }
    }
}

static void a_floor_never_rises(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
        enum remora_decimal_exactness exactness;
    } cases[] = {
        {"0.9999999", 999999, REMORA_DECIMAL_ROUNDED},
        {"0.0000009", 0, REMORA_DECIMAL_ROUNDED},
        {"9999999e-7", 999999, REMORA_DECIMAL_ROUNDED},
        {"1", 1000000, REMORA_DECIMAL_EXACT},
        {"9223372036854.7758079", INT64_MAX, REMORA_DECIMAL_ROUNDED},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        int64_t value = -7;
        enum remora_decimal_exactness exactness = REMORA_DECIMAL_EXACT;
        assert_true(remora_decimal_floor(remora_slice_of(cases[i].text), 6, &value, &exactness));
        assert_true(value == cases[i].value);
        assert_int_equal(exactness, cases[i].exactness);
    }
}

static void refuses_what_is_no_plain_number_or_too_large(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        ".5",
        "5.",
        "1..2",
        "1.2.3",
        "1e",
        "1e+",
        "1e1.5",
        "e5",
        "0x1",
        "1,5",
        "NaN",
        "1e5 ",
        "1f",
        "9223372036854775808",
        "9223372036854775807.5",
        "1e19",
        "1e99999999999999999999",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        int64_t value = -7;
        assert_false(remora_decimal_parse(remora_slice_of(bad[i]), 0, &value, NULL));
        assert_true(value == -7);
    }
    int64_t value;
    assert_false(remora_decimal_parse(REMORA_SLICE("9223373"), 12, &value, NULL));
}

static void formats_without_trailing_zeros(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        unsigned scale;
        const char *text;
    } cases[] = {
        {2500000, 12, "0.0000025"},
        {0, 12, "0"},
        {0, 0, "0"},
        {1, 12, "0.000000000001"},
        {INT64_C(5000000000000), 12, "5"},
        {120, 1, "12"},
        {125, 1, "12.5"},
        {-125, 2, "-1.25"},
        {7, 0, "7"},
        {700, 0, "700"},
        {INT64_MAX, 9, "9223372036.854775807"},
        {INT64_MIN, 40, "-0.0000000000000000000009223372036854775808"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        char text[48];
        size_t length = remora_decimal_format(cases[i].value, cases[i].scale, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(text));
    }
}

static void what_is_formatted_parses_back(void **state)
{
    (void)state;
    uint64_t x = 1;
    for (int i = 0; i < 5000; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
        int64_t value = (int64_t)(x >> (1 + i % 63));
        unsigned scale = (unsigned)i % 20;
        char text[48];
        int64_t again = -1;
        size_t length = remora_decimal_format(value, scale, text);
        assert_true(remora_decimal_parse(remora_slice(text, length), scale, &again, NULL));
        assert_true(again == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_exactly_or_rounds_half_up),
        cmocka_unit_test(a_floor_never_rises),
        cmocka_unit_test(refuses_what_is_no_plain_number_or_too_large),
        cmocka_unit_test(formats_without_trailing_zeros),
        cmocka_unit_test(what_is_formatted_parses_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
