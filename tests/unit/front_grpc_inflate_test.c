/* Compressed messages: what is read, what is refused, and where it stops. */
#include "support.h"

#include "../../src/front/grpc/inflate.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <stdlib.h>
#include <zlib.h>

enum { GZIP = MAX_WBITS + 16, ZLIB = MAX_WBITS };

static char packed[1 << 16];

static size_t pack(const char *text, size_t length, int bits)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)length;
    z.next_out = (Bytef *)packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t count = sizeof packed - z.avail_out;
    deflateEnd(&z);
    return count;
}

/* In steps of a few bytes, and all at once: the same comes of both. */
static enum remora_code inflate_in_steps(grpc_byte_buffer *message, size_t most,
                                         struct remora_buf *out, struct remora_fail *fail)
{
    struct remora_grpc_inflation inflation;
    enum remora_code code = remora_grpc_inflate_begin(&inflation, message, fail);
    assert_int_equal(code, REMORA_OK);
    while (code == REMORA_OK && !inflation.is_done) {
        code = remora_grpc_inflate_step(&inflation, out, most, fail);
    }
    remora_grpc_inflate_end(&inflation);
    return code;
}

/* In slices of at most `piece` bytes. */
static enum remora_code inflate_pieces(size_t length, size_t piece, size_t limit,
                                       struct remora_buf *out, struct remora_fail *fail)
{
    grpc_slice slices[4096];
    size_t count = 0;
    for (size_t at = 0; at < length; at += piece) {
        size_t rest = length - at;
        assert_true(count < REMORA_COUNT_OF(slices));
        slices[count++] = grpc_slice_from_copied_buffer(packed + at, rest < piece ? rest : piece);
    }
    grpc_byte_buffer *message =
        grpc_raw_compressed_byte_buffer_create(slices, count, GRPC_COMPRESS_GZIP);
    assert_true(remora_grpc_is_compressed(message));
    remora_buf_init(out, limit);
    struct remora_fail ignored = REMORA_FAIL_INIT;
    enum remora_code in_steps = inflate_in_steps(message, 100, out, &ignored);
    remora_buf_fini(out);
    enum remora_code code = inflate_in_steps(message, SIZE_MAX / 2, out, fail);
    assert_int_equal(in_steps, code);
    grpc_byte_buffer_destroy(message);
    for (size_t i = 0; i < count; i++) {
        grpc_slice_unref(slices[i]);
    }
    return code;
}

static void both_formats_are_read_in_any_pieces(void **state)
{
    (void)state;
    static char text[3000];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)(i * 7919 >> 3);
    }
    const int formats[] = {GZIP, ZLIB};
    for (size_t f = 0; f < 2; f++) {
        size_t length = pack(text, sizeof text, formats[f]);
        for (size_t piece = 1; piece <= length; piece += 1 + piece / 2) {
            struct remora_buf out;
            struct remora_fail fail = REMORA_FAIL_INIT;
            assert_int_equal(inflate_pieces(length, piece, sizeof text, &out, &fail), REMORA_OK);
            assert_int_equal(remora_buf_slice(&out).length, sizeof text);
            assert_memory_equal(remora_buf_slice(&out).data, text, sizeof text);
            remora_buf_fini(&out);
        }
    }
}

static void an_empty_message_is_one(void **state)
{
    (void)state;
    struct remora_buf out;
    struct remora_fail fail = REMORA_FAIL_INIT;
    size_t length = pack("", 0, GZIP);
    assert_int_equal(inflate_pieces(length, length, 10, &out, &fail), REMORA_OK);
    assert_int_equal(remora_buf_slice(&out).length, 0);
    remora_buf_fini(&out);
}

static void one_byte_beyond_the_limit_is_too_large(void **state)
{
    (void)state;
    static char zeros[200000];
    size_t length = pack(zeros, sizeof zeros, GZIP);
    struct remora_buf out;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(inflate_pieces(length, length, sizeof zeros, &out, &fail), REMORA_OK);
    remora_buf_fini(&out);
    assert_int_equal(inflate_pieces(length, length, sizeof zeros - 1, &out, &fail),
                     REMORA_TOO_LARGE);
    assert_true(out.capacity < sizeof zeros);
    remora_buf_fini(&out);
}

static void refused_as_broken(size_t length)
{
    struct remora_buf out;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(inflate_pieces(length, length, 1000, &out, &fail), REMORA_INVALID_REQUEST);
    assert_int_equal(fail.grpc_status, GRPC_STATUS_INTERNAL);
    remora_buf_fini(&out);
}

static void what_is_cut_goes_on_or_is_none_is_broken(void **state)
{
    (void)state;
    size_t length = pack("hello", 5, GZIP);
    refused_as_broken(length - 1);
    packed[length] = 'x';
    refused_as_broken(length + 1);
    packed[length / 2] ^= 0x55;
    refused_as_broken(length);
    refused_as_broken(0);
    memcpy(packed, "no gzip", 7);
    refused_as_broken(7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_are_read_in_any_pieces),
        cmocka_unit_test(an_empty_message_is_one),
        cmocka_unit_test(one_byte_beyond_the_limit_is_too_large),
        cmocka_unit_test(what_is_cut_goes_on_or_is_none_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
