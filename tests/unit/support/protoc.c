#include "protoc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char FILES[] =
    "remora/v1/chat.proto remora/v1/embedding.proto remora/v1/gateway.proto "
    "google/rpc/status.proto google/rpc/error_details.proto "
    "grpc/health/v1/health.proto grpc/reflection/v1/reflection.proto";

static void write_file(const char *path, struct remora_slice bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.length, file), bytes.length);
    fclose(file);
}

static struct remora_slice run(const char *option, const char *type, struct remora_slice input)
{
    char in_path[] = "/tmp/remora-protoc-in-XXXXXX";
    char out_path[] = "/tmp/remora-protoc-out-XXXXXX";
    char command[1024];
    int in = mkstemp(in_path);
    int out = mkstemp(out_path);
    assert_true(in >= 0 && out >= 0);
    write_file(in_path, input);
    snprintf(command, sizeof command,
             "protoc -I %s/../proto -I %s/../proto/third_party --%s=%s %s < %s > %s",
             REMORA_TESTS_DIR, REMORA_TESTS_DIR, option, type, FILES, in_path, out_path);
    int status = system(command);
    struct remora_slice result = test_read_file(out_path);
    close(in);
    close(out);
    unlink(in_path);
    unlink(out_path);
    if (status != 0) {
        fail_msg("protoc --%s=%s refused its input", option, type);
    }
    return result;
}

struct remora_slice test_proto_encode(const char *type, const char *text)
{
    return run("encode", type, remora_slice_of(text));
}

struct remora_slice test_proto_decode(const char *type, struct remora_slice bytes)
{
    return run("decode", type, bytes);
}
