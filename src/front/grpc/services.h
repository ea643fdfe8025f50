/* The methods that are served, one file for each service (chat.c, health.c, reflection.c, gateway.c). */
#ifndef REMORA_GRPC_SERVICES_H
#define REMORA_GRPC_SERVICES_H

#include <protobuf-c/protobuf-c.h>

#include "call.h"

void remora_grpc_chat(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_stream_chat(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_health_check(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_health_watch(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_health_list(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_explain_route(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_list_models(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_get_model(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_count_tokens(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_config_status(struct remora_grpc_call *call, struct remora_slice bytes);
/* v1 and v1alpha have the same messages; answers name no type. */
void remora_grpc_reflection(struct remora_grpc_call *call, struct remora_slice bytes);
void remora_grpc_reflection_end(struct remora_grpc_call *call);
/* OK with a message that was built in the arena; SHEDDING when that had no room for all of it. */
void remora_grpc_answer_built(struct remora_grpc_call *call, const struct remora_arena *arena,
                              const ProtobufCMessage *message);
/* A method of our own contract that is not built: UNIMPLEMENTED that says so. */
void remora_grpc_not_built(struct remora_grpc_call *call, struct remora_slice bytes);

#endif
