/*
 * From the bytes of a message to a request or to one of the small messages. Pure: no gRPC, no clock. Everything that a
 * request points to lies in the arena.
 */
#ifndef REMORA_GRPC_DECODE_H
#define REMORA_GRPC_DECODE_H

#include "remora/codes.h"
#include "remora/memory.h"
#include "remora/request.h"

/*
 * bytes: ChatRequest (UNARY) or StreamChatRequest (STREAM). `request` is initialised. INVALID_REQUEST with fail->param the
 * path in the message ("chat.messages[2].parts[0].image"), UNIMPLEMENTED naming the field, TOO_LARGE, SHEDDING.
 */
REMORA_MUST_CHECK enum remora_code remora_grpc_decode_chat(struct remora_slice bytes,
                                                           enum remora_delivery delivery,
                                                           struct remora_arena *arena,
                                                           struct remora_request *request,
                                                           struct remora_fail *fail);
/* bytes: ExplainRouteRequest. As above; every path begins with "chat". */
REMORA_MUST_CHECK enum remora_code remora_grpc_decode_explain(struct remora_slice bytes,
                                                              struct remora_arena *arena,
                                                              struct remora_request *request,
                                                              struct remora_fail *fail);
/* bytes: CountTokensRequest. As remora_grpc_decode_explain; request->body_bytes is what Chat would take for the message. */
REMORA_MUST_CHECK enum remora_code remora_grpc_decode_count(struct remora_slice bytes,
                                                            struct remora_arena *arena,
                                                            struct remora_request *request,
                                                            struct remora_fail *fail);

#endif
