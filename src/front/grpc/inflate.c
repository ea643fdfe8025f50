/*
 * Compressed messages, gzip and deflate. The core would unpack them by itself, but it looks at the limit afterwards: 1 MiB of
 * gzip took 1.6 GB of memory before it was refused. So its decompression is off (core.c) and this stops at the limit. It goes in
 * steps, because 32 KB may be 80 ms of work (packed.c).
 *
 * Ways to fail: more bytes than the limit of `out` (TOO_LARGE), no memory (SHEDDING), bytes that are not of this compression,
 * end too early or go on behind the end (INVALID_REQUEST; INTERNAL on the wire, as gRPC has it for messages that cannot be
 * decompressed).
 *
 * Sources: grpc/grpc doc/compression.md ("deflate" is zlib's format), zlib.h for the number of window bits.
 */
#include "inflate.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

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

/* False: there is none. */
static bool take_piece(struct remora_grpc_inflation *i)
{
    if (!i->has_piece && grpc_byte_buffer_reader_next(&i->reader, &i->piece) != 0) {
        i->has_piece = true;
        i->z.next_in = (Bytef *)(uintptr_t)GRPC_SLICE_START_PTR(i->piece);
        i->z.avail_in = (uInt)GRPC_SLICE_LENGTH(i->piece);
    }
    return i->has_piece;
}

static void drop_piece(struct remora_grpc_inflation *i)
{
    if (i->has_piece) {
        grpc_slice_unref(i->piece);
        i->has_piece = false;
    }
}

/* Of the piece at hand; it is dropped when nothing more comes of it. */
static enum remora_code feed(struct remora_grpc_inflation *i, struct remora_buf *out,
                             struct remora_fail *fail)
{
    z_stream *z = &i->z;
    if (i->is_over) { /* the end of the compressed data was seen */
        enum remora_code code = z->avail_in > 0 ? is_broken(fail) : REMORA_OK;
        drop_piece(i);
        return code;
    }
    int status = turn(z, out);
    i->is_over = status == Z_STREAM_END;
    if (status == Z_MEM_ERROR) {
        return has_no_room(out, fail);
    }
    if (status != Z_OK || (z->avail_in == 0 && z->avail_out > 0)) {
        bool has_rest = z->avail_in > 0;
        drop_piece(i);
        /* Z_BUF_ERROR: nothing more came of the bytes at hand. */
        bool is_good = status == Z_OK || status == Z_BUF_ERROR || (i->is_over && !has_rest);
        return is_good ? REMORA_OK : is_broken(fail);
    }
    return REMORA_OK;
}

enum remora_code remora_grpc_inflate_begin(struct remora_grpc_inflation *inflation,
                                           grpc_byte_buffer *message, struct remora_fail *fail)
{
    *inflation = (struct remora_grpc_inflation){0};
    if (grpc_byte_buffer_reader_init(&inflation->reader, message) == 0) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "No memory to decompress.");
    }
    if (inflateInit2(&inflation->z, ANY_FORMAT) != Z_OK) {
        grpc_byte_buffer_reader_destroy(&inflation->reader);
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "No memory to decompress.");
    }
    return REMORA_OK;
}

enum remora_code remora_grpc_inflate_step(struct remora_grpc_inflation *inflation,
                                          struct remora_buf *out, size_t most_bytes,
                                          struct remora_fail *fail)
{
    enum remora_code code = REMORA_OK;
    const z_stream *z = &inflation->z;
    uint64_t until = z->total_in + z->total_out + most_bytes;
    while (code == REMORA_OK && !inflation->is_done && z->total_in + z->total_out < until) {
        if (take_piece(inflation)) {
            code = feed(inflation, out, fail);
        } else {
            inflation->is_done = true;
            code = inflation->is_over ? REMORA_OK : is_broken(fail);
        }
    }
    return code;
}

void remora_grpc_inflate_end(struct remora_grpc_inflation *inflation)
{
    drop_piece(inflation);
    inflateEnd(&inflation->z);
    grpc_byte_buffer_reader_destroy(&inflation->reader);
}
