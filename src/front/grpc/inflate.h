/* A message that its sender has compressed. On the call's worker. */
#ifndef REMORA_GRPC_INFLATE_H
#define REMORA_GRPC_INFLATE_H

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <zlib.h>

#include "remora/buf.h"

bool remora_grpc_is_compressed(const grpc_byte_buffer *message);
struct remora_grpc_inflation {
    z_stream z;
    grpc_byte_buffer_reader reader;
    grpc_slice piece;
    bool has_piece;
    bool is_over; /* the compressed data */
    bool is_done; /* all of it is in `out` */
};
/* `message` outlives the inflation, which is to be ended. SHEDDING: it has not begun. */
REMORA_MUST_CHECK enum remora_code
remora_grpc_inflate_begin(struct remora_grpc_inflation *inflation, grpc_byte_buffer *message,
                          struct remora_fail *fail);
/*
 * Appends what the message holds to `out`, whose limit is the limit of the message, until some `most_bytes` have been read and
 * written or is_done. TOO_LARGE, SHEDDING, or INVALID_REQUEST with the gRPC status INTERNAL when it is not of the compression
 * that the call named.
 */
REMORA_MUST_CHECK enum remora_code remora_grpc_inflate_step(struct remora_grpc_inflation *inflation,
                                                            struct remora_buf *out,
                                                            size_t most_bytes,
                                                            struct remora_fail *fail);
void remora_grpc_inflate_end(struct remora_grpc_inflation *inflation);

#endif
