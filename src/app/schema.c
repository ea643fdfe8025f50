/* remora schema: the JSON Schema of the configuration, on one line. */
#include <stdio.h>

#include "app.h"
#include "remora/buf.h"

enum { SCHEMA_BYTES = 1 << 20 };

int app_schema(int argc, char **argv)
{
    struct remora_buf out;
    (void)argv;
    if (argc > 1) {
        fputs("usage: remora schema\n", stderr);
        return 2;
    }
    remora_buf_init(&out, SCHEMA_BYTES);
    remora_config_schema(&out);
    bool is_whole = remora_buf_code(&out) == REMORA_OK;
    if (is_whole) {
        printf("%.*s\n", REMORA_SLICE_ARG(remora_buf_slice(&out)));
    } else {
        fputs("remora: out of memory\n", stderr);
    }
    remora_buf_fini(&out);
    return is_whole ? 0 : 1;
}
