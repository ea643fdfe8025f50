#include "support.h"

#include <stdio.h>
#include <stdlib.h>

struct remora_slice test_read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
    }
    char *data = NULL;
    size_t length = 0;
    for (;;) {
        data = realloc(data, length + 65537);
        assert_non_null(data);
        size_t got = fread(data + length, 1, 65536, file);
        length += got;
        if (got == 0) {
            break;
        }
    }
    data[length] = '\0';
    fclose(file);
    return remora_slice(data, length);
}

bool test_ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

void test_compare_golden(const char *path, struct remora_slice is)
{
    if (getenv("REMORA_GOLDEN_WRITE") != NULL) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(is.data, 1, is.length, file), is.length);
        fclose(file);
    }
    struct remora_slice expected = test_read_file(path);
    if (!remora_slice_equal(is, expected)) {
        print_error("%s\n--- is\n%.*s--- expected\n%.*s", path, REMORA_SLICE_ARG(is),
                    REMORA_SLICE_ARG(expected));
        fail();
    }
    free((void *)(uintptr_t)expected.data);
}
