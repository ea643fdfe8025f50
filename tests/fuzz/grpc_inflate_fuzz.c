/* Bytes as a compressed message of gRPC: whatever they are, no more comes out than the limit. The first byte says how they are
 * cut into slices. */
#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <stdint.h>

#include "../../src/front/grpc/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT_BYTES = 4096, SLICES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    grpc_slice slices[SLICES];
    size_t count = 0;
    size_t piece = size == 0 ? 1 : (size_t)data[0] + 1;
    for (size_t at = 1; at < size && count < SLICES; at += piece) {
        size_t rest = size - at;
        size_t length = rest < piece ? rest : piece;
        slices[count++] = grpc_slice_from_copied_buffer((const char *)data + at, length);
    }
    grpc_byte_buffer *message =
        grpc_raw_compressed_byte_buffer_create(slices, count, GRPC_COMPRESS_DEFLATE);
    struct remora_buf out;
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_buf_init(&out, LIMIT_BYTES);
    struct remora_grpc_inflation inflation;
    enum remora_code code = remora_grpc_inflate_begin(&inflation, message, &fail);
    assert(code == REMORA_OK);
    while (code == REMORA_OK && !inflation.is_done) {
        code = remora_grpc_inflate_step(&inflation, &out, piece, &fail);
    }
    remora_grpc_inflate_end(&inflation);
    assert(remora_buf_slice(&out).length <= LIMIT_BYTES);
    assert(code == REMORA_OK || (code == fail.code && fail.message[0] != '\0'));
    remora_buf_fini(&out);
    grpc_byte_buffer_destroy(message);
    for (size_t i = 0; i < count; i++) {
        grpc_slice_unref(slices[i]);
    }
    return 0;
}
