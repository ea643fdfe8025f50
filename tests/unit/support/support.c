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
