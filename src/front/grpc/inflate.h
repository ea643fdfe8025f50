/* A message that its sender has compressed. On the call's worker. */
#ifndef REMORA_GRPC_INFLATE_H
#define REMORA_GRPC_INFLATE_H

#include <grpc/grpc.h>

#include "remora/buf.h"

bool remora_grpc_is_compressed(const grpc_byte_buffer *message);
/*
 * Appends what it holds to `out`, whose limit is the limit of the message. TOO_LARGE, SHEDDING, or
 * INVALID_REQUEST with the gRPC status INTERNAL when it is not of the compression that the call named.
 */
REMORA_MUST_CHECK enum remora_code
remora_grpc_inflate(grpc_byte_buffer *message, struct remora_buf *out, struct remora_fail *fail);

#endif
