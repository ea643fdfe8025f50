/* Pre-scan, then unpack into an arena: the only way by which bytes from outside reach protobuf-c. */
#ifndef REMORA_GRPC_UNPACK_H
#define REMORA_GRPC_UNPACK_H

#include <protobuf-c/protobuf-c.h>

#include "remora/memory.h"
#include "remora/protoscan.h"

/* The message in *out lives in the arena and is never freed by itself. */
REMORA_MUST_CHECK enum remora_code remora_grpc_unpack(struct remora_slice bytes,
                                                      const struct remora_proto_message *schema,
                                                      const ProtobufCMessageDescriptor *descriptor,
                                                      struct remora_arena *arena, void *out,
                                                      struct remora_fail *fail);

#endif
