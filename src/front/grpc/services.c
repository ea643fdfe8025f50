/* The method table: every path that is served or documented. Paths are "/package.Service/Method" (gRPC over HTTP/2). */
#include "services.h"

static const struct remora_grpc_method METHODS[] = {
    {.path = "/remora.v1.ChatService/StreamChat", .message = remora_grpc_stream_chat},
    {.path = "/remora.v1.ChatService/Chat", .message = remora_grpc_chat},
    {.path = "/grpc.health.v1.Health/Check", .message = remora_grpc_health_check, .is_open = true},
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
    {.path = "/remora.v1.ChatService/CountTokens", .message = remora_grpc_not_built},
    {.path = "/remora.v1.EmbeddingService/Embed", .message = remora_grpc_not_built},
    {.path = "/remora.v1.ModelService/ListModels", .message = remora_grpc_not_built},
    {.path = "/remora.v1.ModelService/GetModel", .message = remora_grpc_not_built},
    {.path = "/remora.v1.GatewayService/GetUsage", .message = remora_grpc_not_built},
    {.path = "/grpc.health.v1.Health/Watch", .message = remora_grpc_not_built, .is_open = true},
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

void remora_grpc_not_built(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)bytes;
    remora_fail_set(&fail, REMORA_UNIMPLEMENTED, NULL,
                    "%s is documented, but this gateway does not support it yet.",
                    call->method->path + 1);
    remora_grpc_refuse(call, &fail);
}
