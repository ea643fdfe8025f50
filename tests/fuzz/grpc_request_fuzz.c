/*
 * Bytes of a gRPC message -> pre-scan -> unpack -> request. The first byte chooses: 'c' CountTokensRequest, 'e'
 * ExplainRouteRequest, 'l', 'g' and 'h' the small requests of ModelService and Health, else StreamChatRequest (odd) or
 * ChatRequest. A request that is taken must hold what its contract promises.
 */
#include <assert.h>
#include <stdint.h>

#include "../../src/front/grpc/decode.h"
#include "../../src/front/grpc/unpack.h"
#include "remora/limits.h"
#include "remora/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const ProtobufCMessageDescriptor remora__v1__list_models_request__descriptor;
extern const ProtobufCMessageDescriptor remora__v1__get_model_request__descriptor;
extern const ProtobufCMessageDescriptor grpc__health__v1__health_check_request__descriptor;
extern const struct remora_proto_message remora_schema_remora_v1_ListModelsRequest;
extern const struct remora_proto_message remora_schema_remora_v1_GetModelRequest;
extern const struct remora_proto_message remora_schema_grpc_health_v1_HealthCheckRequest;

/* Messages that are read by themselves, without a request. */
static const struct {
    char choice;
    const struct remora_proto_message *schema;
    const ProtobufCMessageDescriptor *descriptor;
} SMALL[] = {
    {'l', &remora_schema_remora_v1_ListModelsRequest, &remora__v1__list_models_request__descriptor},
    {'g', &remora_schema_remora_v1_GetModelRequest, &remora__v1__get_model_request__descriptor},
    {'h', &remora_schema_grpc_health_v1_HealthCheckRequest,
     &grpc__health__v1__health_check_request__descriptor},
};

/* True: the message was a small one. */
static bool read_small(char choice, struct remora_slice bytes, struct remora_arena *arena,
                       struct remora_fail *fail)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(SMALL); i++) {
        ProtobufCMessage *message = NULL;
        if (SMALL[i].choice == choice) {
            enum remora_code code = remora_grpc_unpack(bytes, SMALL[i].schema, SMALL[i].descriptor,
                                                       arena, &message, fail);
            assert((code == REMORA_OK) == (message != NULL));
            assert(code == REMORA_OK || fail->message[0] != '\0');
            return true;
        }
    }
    return false;
}

static enum remora_code decode(char choice, struct remora_slice bytes, struct remora_arena *arena,
                               struct remora_request *request, struct remora_fail *fail)
{
    switch (choice) {
    case 'c':
        return remora_grpc_decode_count(bytes, arena, request, fail);
    case 'e':
        return remora_grpc_decode_explain(bytes, arena, request, fail);
    default:
        return remora_grpc_decode_chat(bytes, choice % 2 != 0 ? REMORA_STREAM : REMORA_UNARY, arena,
                                       request, fail);
    }
}

static void check(const struct remora_request *request)
{
    assert(request->message_count > 0);
    assert(remora_utf8_is_valid(request->model));
    for (size_t i = 0; i < request->message_count; i++) {
        const struct remora_message *message = &request->messages[i];
        assert(message->role != REMORA_ROLE_UNSET);
        for (size_t p = 0; p < message->part_count; p++) {
            assert(remora_utf8_is_valid(message->parts[p].text));
        }
    }
    for (size_t i = 0; i < request->extra_count; i++) {
        assert(request->extra[i].value.length > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_arena arena;
    struct remora_request request;
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (size == 0) {
        return 0;
    }
    remora_arena_init(&arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES, 32 << 20);
    remora_request_init(&request);
    const struct remora_slice bytes = remora_slice((const char *)data + 1, size - 1);
    if (read_small((char)data[0], bytes, &arena, &fail)) {
        remora_arena_fini(&arena);
        return 0;
    }
    enum remora_code code = decode((char)data[0], bytes, &arena, &request, &fail);
    if (code == REMORA_OK) {
        check(&request);
    } else {
        assert(fail.code == code && fail.message[0] != '\0');
        assert(code == REMORA_INVALID_REQUEST || code == REMORA_UNIMPLEMENTED ||
               code == REMORA_TOO_LARGE);
    }
    remora_arena_fini(&arena);
    return 0;
}
