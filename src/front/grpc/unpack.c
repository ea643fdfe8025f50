/*
 * protobuf-c has no limit of depth or memory and does not check text, so the pre-scan judges first and the arena's cap
 * bounds what unpacking takes (reference/grpc-core.md section 7; include/remora/protoscan.h).
 */
#include "unpack.h"

#include "remora/limits.h"

static void *arena_alloc(void *arena, size_t bytes)
{
    return remora_arena_alloc(arena, bytes);
}

/* The arena is given back whole. */
static void arena_free(void *arena, void *block)
{
    (void)arena;
    (void)block;
}

static enum remora_code refuse(const struct remora_arena *arena, struct remora_fail *fail)
{
    if (arena->failed == REMORA_TOO_LARGE) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL,
                               "The request takes too much memory to read.");
    }
    if (arena->failed != REMORA_OK) {
        return remora_fail_set(fail, arena->failed, NULL,
                               "The gateway is out of memory; try again.");
    }
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "The message is malformed.");
}

enum remora_code remora_grpc_unpack(struct remora_slice bytes,
                                    const struct remora_proto_message *schema,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    struct remora_arena *arena, void *out, struct remora_fail *fail)
{
    static const struct remora_proto_limits LIMITS = {
        .depth = REMORA_LIMIT_JSON_DEPTH, .unpacked_bytes = REMORA_LIMIT_REQUEST_ARENA_BYTES / 2};
    enum remora_code code = remora_proto_scan(bytes, schema, &LIMITS, fail);
    if (code != REMORA_OK) {
        return code;
    }
    ProtobufCAllocator allocator = {arena_alloc, arena_free, arena};
    static const uint8_t NOTHING = 0;
    const uint8_t *data = bytes.data == NULL ? &NOTHING : (const uint8_t *)bytes.data;
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, bytes.length, data);
    if (message == NULL) {
        return refuse(arena, fail);
    }
    *(ProtobufCMessage **)out = message;
    return REMORA_OK;
}
