/* remora schema [config|policy]: the JSON Schema of the configuration, or of a file of policy_files, on one line. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/buf.h"

enum { SCHEMA_BYTES = 1 << 20 };

int app_schema(int argc, char **argv)
{
    struct remora_buf out;
    const char *of = argc > 1 ? argv[1] : "config";
    bool is_policy = strcmp(of, "policy") == 0;
    if (argc > 2 || (!is_policy && strcmp(of, "config") != 0)) {
        fputs("usage: remora schema [config|policy]\n", stderr);
        return 2;
    }
    remora_buf_init(&out, SCHEMA_BYTES);
    remora_config_schema(&out, is_policy ? REMORA_SCHEMA_POLICY : REMORA_SCHEMA_DOCUMENT);
    bool is_whole = remora_buf_code(&out) == REMORA_OK;
    if (is_whole) {
        printf("%.*s\n", REMORA_SLICE_ARG(remora_buf_slice(&out)));
    } else {
        fputs("remora: out of memory\n", stderr);
    }
    remora_buf_fini(&out);
    return is_whole ? 0 : 1;
}
