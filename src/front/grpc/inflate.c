/*
 * Compressed messages, gzip and deflate. The core would unpack them by itself, but it looks at the limit afterwards: 1 MiB of
 * gzip took 1.6 GB of memory before it was refused. So its decompression is off (core.c) and this stops at the limit.
 *
 * Ways to fail: more bytes than the limit of `out` (TOO_LARGE), no memory (SHEDDING), bytes that are not of this compression,
 * end too early or go on behind the end (INVALID_REQUEST; INTERNAL on the wire, as gRPC has it for messages that cannot be
 * decompressed).
 *
 * Sources: grpc/grpc doc/compression.md ("deflate" is zlib's format), zlib.h for the number of window bits.
 */
#include "inflate.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <zlib.h>

#include "remora/limits.h"

enum { ROOM_BYTES = 16384, ANY_FORMAT = MAX_WBITS + 32 /* gzip or zlib, by the head */ };

bool remora_grpc_is_compressed(const grpc_byte_buffer *message)
{
    return message->data.raw.compression != GRPC_COMPRESS_NONE;
}

static enum remora_code is_broken(struct remora_fail *fail)
{
    remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL,
                    "The message is not of the compression that grpc-encoding names.");
    fail->grpc_status = GRPC_STATUS_INTERNAL;
    return REMORA_INVALID_REQUEST;
}

static enum remora_code has_no_room(const struct remora_buf *out, struct remora_fail *fail)
{
    return remora_buf_code(out) == REMORA_TOO_LARGE
               ? remora_fail_set(fail, REMORA_TOO_LARGE, NULL,
                                 "The message has more than %zu bytes once it is decompressed.",
                                 out->limit_bytes)
               : remora_fail_set(fail, REMORA_SHEDDING, NULL, "No memory to decompress.");
}

/* At the limit: the end of the compressed data may still come, a byte more may not. */
static int turn_when_full(z_stream *z, struct remora_buf *out)
{
    Bytef beyond = 0;
    z->next_out = &beyond;
    z->avail_out = 1;
    int status = inflate(z, Z_NO_FLUSH);
    bool fits = z->avail_out == 1 || remora_buf_reserve(out, 1) != NULL; /* fails, and says why */
    return fits ? status : Z_MEM_ERROR;
}

/* One turn of inflate into what `out` has room for; Z_MEM_ERROR when it has none. */
static int turn(z_stream *z, struct remora_buf *out)
{
    size_t left = out->limit_bytes - remora_buf_slice(out).length;
    size_t room = left < ROOM_BYTES ? left : ROOM_BYTES;
    if (room == 0) {
        return turn_when_full(z, out);
    }
    char *to = remora_buf_reserve(out, room);
    if (to == NULL) {
        return Z_MEM_ERROR;
    }
    z->next_out = (Bytef *)to;
    z->avail_out = (uInt)room;
    int status = inflate(z, Z_NO_FLUSH);
    out->length += room - z->avail_out;
    return status;
}

/* One piece of the input, and all that comes of it; *is_over once the end of the compressed data was seen. */
static enum remora_code feed(z_stream *z, const grpc_slice *piece, struct remora_buf *out,
                             bool *is_over, struct remora_fail *fail)
{
    z->next_in = (Bytef *)(uintptr_t)GRPC_SLICE_START_PTR(*piece);
    z->avail_in = (uInt)GRPC_SLICE_LENGTH(*piece);
    int status = *is_over && z->avail_in > 0 ? Z_DATA_ERROR : Z_OK;
    do {
        status = status == Z_OK && !*is_over ? turn(z, out) : status;
        *is_over = *is_over || status == Z_STREAM_END;
    } while (status == Z_OK && !*is_over && (z->avail_in > 0 || z->avail_out == 0));
    if (status == Z_MEM_ERROR) {
        return has_no_room(out, fail);
    }
    /* Z_BUF_ERROR: nothing more came of the bytes at hand. */
    bool is_good =
        status == Z_OK || status == Z_BUF_ERROR || (status == Z_STREAM_END && z->avail_in == 0);
    return is_good ? REMORA_OK : is_broken(fail);
}

static enum remora_code feed_all(z_stream *z, grpc_byte_buffer_reader *reader,
                                 struct remora_buf *out, struct remora_fail *fail)
{
    enum remora_code code = REMORA_OK;
    bool is_over = false;
    grpc_slice piece;
    while (code == REMORA_OK && grpc_byte_buffer_reader_next(reader, &piece) != 0) {
        code = feed(z, &piece, out, &is_over, fail);
        grpc_slice_unref(piece);
    }
    return code == REMORA_OK && !is_over ? is_broken(fail) : code;
}

enum remora_code remora_grpc_inflate(grpc_byte_buffer *message, struct remora_buf *out,
                                     struct remora_fail *fail)
{
    grpc_byte_buffer_reader reader;
    z_stream z = {0};
    if (grpc_byte_buffer_reader_init(&reader, message) == 0 ||
        inflateInit2(&z, ANY_FORMAT) != Z_OK) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "No memory to decompress.");
    }
    enum remora_code code = feed_all(&z, &reader, out, fail);
    inflateEnd(&z);
    grpc_byte_buffer_reader_destroy(&reader);
    return code;
}
