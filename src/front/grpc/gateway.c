/* remora.v1.GatewayService/GetConfigStatus: which configuration runs, since when, and why a newer one does not. */
#include "pb.h"
#include "remora/catalog.h"
#include "schemas.h"
#include "services.h"
#include "unpack.h"

void remora_grpc_config_status(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    Remora__V1__GetConfigStatusRequest *request = NULL;
    struct remora_arena *arena = &call->lane->scratch;
    remora_arena_reset(arena);
    if (remora_grpc_unpack(bytes, &remora_schema_remora_v1_GetConfigStatusRequest,
                           &remora__v1__get_config_status_request__descriptor, arena, &request,
                           &fail) != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return;
    }
    struct remora_config_status status = {0};
    remora_config_status_get(call->front->process->config_status, &status);
    Remora__V1__GetConfigStatusResponse response = REMORA__V1__GET_CONFIG_STATUS_RESPONSE__INIT;
    REMORA_PB_TEXT(&response, revision, remora_slice_of(status.revision));
    response.load_time = remora_pb_timestamp(arena, status.load_unix_ms);
    REMORA_PB_TEXT(&response, last_error, remora_slice_of(status.last_error));
    REMORA_PB_TEXT(&response, catalog_version, remora_slice_of(remora_catalog_version()));
    const struct remora_clock *clock = remora_clock_system();
    REMORA_PB_NUMBER(&response, catalog_age_seconds, remora_catalog_age_s(clock->unix_ms(clock)));
    remora_grpc_status_ok(&call->status, NULL);
    remora_grpc_answer(call, remora_pb_pack(&response.base));
}
