/*
 * grpc.health.v1.Health/Check. Serving is the process's readiness and that of its configuration; "liveness" always serves while we can answer. Watch is
 * not built: clients that get UNIMPLEMENTED assume that the server serves (grpc/grpc, doc/health-checking.md).
 */
#include "descriptors.h"
#include "grpc/health/v1/health.pb-c.h"
#include "pb.h"
#include "schemas.h"
#include "services.h"
#include "unpack.h"

static bool is_service(struct remora_slice name)
{
    for (size_t i = 0; i < remora_grpc_descriptors.service_count; i++) {
        if (remora_slice_is(name, remora_grpc_descriptors.services[i])) {
            return true;
        }
    }
    return name.length == 0 || remora_slice_is(name, "liveness") ||
           remora_slice_is(name, "readiness");
}

static bool is_ready(const struct remora_grpc_call *call)
{
    const struct remora_config *config = remora_engine_config(remora_grpc_engine(call));
    return atomic_load(&call->front->process->is_ready) &&
           (config == NULL || config->not_ready_why == NULL);
}

static void answer(struct remora_grpc_call *call, struct remora_slice service)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    bool serves = remora_slice_is(service, "liveness") || is_ready(call);
    response.has_status = true;
    response.status = serves ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                             : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    remora_grpc_status_ok(&call->status, NULL);
    remora_grpc_answer(call, remora_pb_pack(&response.base));
}

void remora_grpc_health_check(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    Grpc__Health__V1__HealthCheckRequest *request = NULL;
    struct remora_arena *arena = &call->lane->scratch;
    remora_arena_reset(arena);
    enum remora_code code = remora_grpc_unpack(
        bytes, &remora_schema_grpc_health_v1_HealthCheckRequest,
        &grpc__health__v1__health_check_request__descriptor, arena, &request, &fail);
    if (code == REMORA_OK && !is_service(remora_pb_slice(request->service))) {
        code =
            remora_fail_set(&fail, REMORA_NOT_FOUND, "service", "There is no such service here.");
    }
    if (code != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return;
    }
    answer(call, remora_pb_slice(request->service));
}
