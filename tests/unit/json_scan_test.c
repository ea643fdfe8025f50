/* The three ways of finding the end of plain text agree, so that a machine without SSE2 parses the same. */
#include "support.h"

#include "../../src/json/scan.h" /* private to its room: this is what is tested */

static void all_ways_stop_at_the_same_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 40; at++) {
            char text[40];
            bool high[3] = {false, false, false};
            memset(text, 'p', sizeof text);
            text[39] = '\xC3';
            text[at] = (char)byte;
            const char *end = text + sizeof text;
            const char *stop = json_scan_bytes(text, end, &high[0]);
            assert_ptr_equal(json_scan_words(text, end, &high[1]), stop);
            assert_ptr_equal(json_scan(text, end, &high[2]), stop);
            assert_int_equal(high[1], high[0]);
            assert_int_equal(high[2], high[0]);
            assert_ptr_equal(stop, json_is_plain((unsigned char)byte) ? end : text + at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_stop_at_the_same_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
