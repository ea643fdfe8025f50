/*
 * Bytes of a gRPC message -> pre-scan -> unpack -> request. The first byte chooses StreamChatRequest (odd) or ChatRequest.
 * A request that is taken must hold what its contract promises.
 */
#include <assert.h>
#include <stdint.h>

#include "../../src/front/grpc/decode.h"
#include "remora/limits.h"
#include "remora/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    enum remora_code code = remora_grpc_decode_chat(remora_slice((const char *)data + 1, size - 1),
                                                    data[0] % 2 == 1 ? REMORA_STREAM : REMORA_UNARY,
                                                    &arena, &request, &fail);
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
