/* A chat completions body: JSON, every field, messages. A refusal must say why. */
#include <assert.h>

#include "remora/limits.h"
#include "remora/skin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_arena arena;
    struct remora_request request;
    struct remora_encoder encoder = {.skin = &remora_skin_chat_completions};
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_skin_input input = {.body = remora_slice((const char *)data, size)};
    remora_arena_init(&arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES, 16 << 20);
    remora_request_init(&request);
    enum remora_code code =
        remora_skin_chat_completions.parse(&input, &arena, &request, &encoder, &fail);
    assert(code == REMORA_OK || (fail.code == code && fail.message[0] != '\0'));
    assert(code != REMORA_OK || request.message_count > 0);
    remora_arena_fini(&arena);
    return 0;
}
