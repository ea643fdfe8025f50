/* The three ways of finding the end of plain text agree, so that a machine without SSE2 parses the same. */
#include "support.h"

#include "../../src/json/scan.h" /* private to its room: this is what is tested */

enum { TEXT_BYTES = 150 };

/* `byte` at `at` in `length` bytes of plain text; with `tail` behind it, which must not matter. */
static void check_one(unsigned byte, size_t at, size_t length, char tail)
{
    char text[TEXT_BYTES];
    bool high[3] = {false, false, false};
    memset(text, 'p', sizeof text);
    text[length - 1] = tail;
    text[at] = (char)byte;
    const char *end = text + length;
    const char *stop = json_scan_bytes(text, end, &high[0]);
    assert_ptr_equal(json_scan_words(text, end, &high[1]), stop);
    assert_ptr_equal(json_scan(text, end, &high[2]), stop);
    assert_int_equal(high[1], high[0]);
    assert_int_equal(high[2], high[0]);
    const char *word = json_scan_word(text, end); /* may always say that it does not know */
    if (word != NULL) {
        assert_ptr_equal(word, stop);
        assert_int_equal(*word, '"');
        assert_false(high[0]);
    }
}

static void all_ways_stop_at_the_same_byte(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x00, 0x1F, 0x20, '!',  '"',  '#',
                                          '[',  '\\', ']',  0x7F, 0x80, 0xFF};
    for (size_t length = 1; length <= TEXT_BYTES; length++) {
        for (size_t at = 0; at < length; at++) {
            for (size_t i = 0; i < sizeof bytes; i++) {
                unsigned byte = bytes[i];
                check_one(byte, at, length, '\xC3');
                check_one(byte, at, length, '"');
            }
        }
    }
}

static void every_byte_is_plain_or_not(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t length = 1; length <= 20; length++) {
            check_one(byte, length / 2, length, 'p');
        }
    }
}

static void the_end_of_a_word_is_found_at_once(void **state)
{
    (void)state;
#ifdef __SSE2__
    for (size_t length = 0; length < 16; length++) {
        char text[17] = "pppppppppppppppp";
        text[length] = '"';
        assert_ptr_equal(json_scan_word(text, text + 16), text + length);
        assert_null(json_scan_word(text, text + 15)); /* too near to the end of the text */
    }
#endif
}

static void plain_text_is_read_to_its_end(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    memset(text, 'p', sizeof text);
    for (size_t length = 0; length <= TEXT_BYTES; length++) {
        bool high = false;
        assert_ptr_equal(json_scan(text, text + length, &high), text + length);
        assert_ptr_equal(json_scan_words(text, text + length, &high), text + length);
        assert_false(high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_stop_at_the_same_byte),
        cmocka_unit_test(every_byte_is_plain_or_not),
        cmocka_unit_test(the_end_of_a_word_is_found_at_once),
        cmocka_unit_test(plain_text_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
