/*
 * Any bytes through the protobuf pre-scan with a recursive schema. What passes under a small limit passes under a large
 * one; a refusal names its place in UTF-8.
 */
#include "proto_schema.h"

#include "remora/text.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct remora_proto_limits small = {8, 2000};
    static const struct remora_proto_limits large = {64, 16 << 20};
    struct remora_slice bytes = remora_slice((const char *)data, size);
    struct remora_fail fail = REMORA_FAIL_INIT;
    enum remora_code strict = remora_proto_scan(bytes, test_proto_schema(), &small, &fail);
    enum remora_code wide = remora_proto_scan(bytes, test_proto_schema(), &large, NULL);
    require(fail.code == strict, "the failure carries the code");
    require(strict != REMORA_OK || wide == REMORA_OK, "a larger limit refuses nothing more");
    require(remora_utf8_is_valid(remora_slice_of(fail.param)), "a path is UTF-8");
    require((fail.message[0] != '\0') == (strict != REMORA_OK), "a refusal says why");
    return 0;
}
