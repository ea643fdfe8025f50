/* What every unit test includes: cmocka in the order it wants, and readers of files. */
#ifndef REMORA_TEST_SUPPORT_H
#define REMORA_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* After the four above, which it needs and does not include. */
#include <cmocka.h>

#include "remora/base.h"

/* The whole file, NUL-terminated behind; fails the test when it cannot be read. Free with free(). */
struct remora_slice test_read_file(const char *path);

bool test_ends_with(const char *text, const char *end);

/*
 * Fails with both texts when the file holds something else. With REMORA_GOLDEN_WRITE=1 the file is written first: read the
 * difference before committing it.
 */
void test_compare_golden(const char *path, struct remora_slice is);

#define assert_slice_equal(slice, text)                                                          \
    do {                                                                                         \
        struct remora_slice assert_slice_ = (slice);                                             \
        const char *assert_text_ = (text);                                                       \
        if (!remora_slice_is(assert_slice_, assert_text_)) {                                     \
            print_error("is       \"%.*s\"\nexpected \"%s\"\n", REMORA_SLICE_ARG(assert_slice_), \
                        assert_text_);                                                           \
            fail();                                                                              \
        }                                                                                        \
    } while (0)

#endif
