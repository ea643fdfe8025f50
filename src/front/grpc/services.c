/* The method table: every path that is served or documented. Paths are "/package.Service/Method" (gRPC over HTTP/2). */
#include "services.h"

#include "pb.h"

static const struct remora_grpc_method METHODS[] = {
    {.path = "/remora.v1.ChatService/StreamChat", .message = remora_grpc_stream_chat},
    {.path = "/remora.v1.ChatService/Chat", .message = remora_grpc_chat},
    {.path = "/remora.v1.ChatService/CountTokens", .message = remora_grpc_count_tokens},
    {.path = "/remora.v1.ModelService/ListModels", .message = remora_grpc_list_models},
    {.path = "/remora.v1.ModelService/GetModel", .message = remora_grpc_get_model},
    {.path = "/grpc.health.v1.Health/Check", .message = remora_grpc_health_check, .is_open = true},
    {.path = "/grpc.health.v1.Health/Watch", .message = remora_grpc_health_watch, .is_open = true},
    {.path = "/grpc.health.v1.Health/List", .message = remora_grpc_health_list, .is_open = true},
    {.path = "/remora.v1.GatewayService/ExplainRoute", .message = remora_grpc_explain_route},
    {.path = "/remora.v1.GatewayService/GetConfigStatus", .message = remora_grpc_config_status},
    {.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     .message = remora_grpc_reflection,
     .half_closed = remora_grpc_reflection_end,
     .is_talk = true},
    {.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     .message = remora_grpc_reflection,
     .half_closed = remora_grpc_reflection_end,
     .is_talk = true},
    {.path = "/remora.v1.EmbeddingService/Embed", .message = remora_grpc_not_built},
    {.path = "/remora.v1.GatewayService/GetUsage", .message = remora_grpc_not_built},
};

const struct remora_grpc_method *remora_grpc_method_find(struct remora_slice path)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(METHODS); i++) {
        if (remora_slice_is(path, METHODS[i].path)) {
            return &METHODS[i];
        }
    }
    return NULL;
}

void remora_grpc_answer_built(struct remora_grpc_call *call, const struct remora_arena *arena,
                              const ProtobufCMessage *message)
{
    if (arena->failed != REMORA_OK || !remora_grpc_unread_has_room(call)) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway has no room for the answer.");
        remora_grpc_refuse(call, &fail);
        return;
    }
    remora_grpc_status_ok(&call->status, NULL);
    remora_grpc_answer(call, remora_pb_pack(message));
}

void remora_grpc_not_built(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)bytes;
    remora_fail_set(&fail, REMORA_UNIMPLEMENTED, NULL,
                    "%s is documented, but this gateway does not support it yet.",
                    call->method->path + 1);
    remora_grpc_refuse(call, &fail);
}
