/* See pb.h. The text delta is packed by hand: two nested messages of two fields, once for every token. */
#include "pb.h"

#include <assert.h>

#include "encode.h"

void *remora_pb_new(struct remora_arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = remora_arena_alloc(arena, descriptor->sizeof_message);
    if (message != NULL) {
        protobuf_c_message_init(descriptor, message);
    }
    return message;
}

void *remora_pb_list(struct remora_arena *arena, size_t count)
{
    return remora_arena_array(arena, count == 0 ? 1 : count, sizeof(void *));
}

grpc_slice remora_pb_pack(const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    grpc_slice packed = grpc_slice_malloc(length);
    size_t written = protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(packed));
    assert(written == length);
    (void)written;
    return packed;
}

Google__Protobuf__Duration *remora_pb_duration(struct remora_arena *arena, uint64_t ns)
{
    Google__Protobuf__Duration *duration =
        remora_pb_new(arena, &google__protobuf__duration__descriptor);
    if (duration != NULL) {
        REMORA_PB_NUMBER(duration, seconds, (int64_t)(ns / REMORA_NS_PER_S));
        REMORA_PB_NUMBER(duration, nanos, (int32_t)(ns % REMORA_NS_PER_S));
    }
    return duration;
}

Google__Protobuf__Timestamp *remora_pb_timestamp(struct remora_arena *arena, int64_t unix_ms)
{
    Google__Protobuf__Timestamp *time =
        remora_pb_new(arena, &google__protobuf__timestamp__descriptor);
    if (time != NULL) {
        REMORA_PB_NUMBER(time, seconds, unix_ms / 1000);
        REMORA_PB_NUMBER(time, nanos, (int32_t)(unix_ms % 1000) * 1000000);
    }
    return time;
}

/* ---- the text delta ---- */

static size_t varint_length(uint64_t value)
{
    size_t length = 1;
    while (value >= 128) {
        value >>= 7;
        length++;
    }
    return length;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 128) {
        *at++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

enum {
    TAG_EVENT_TEXT = 2 << 3 | 2,   /* StreamChatResponse.text, a message */
    TAG_CHOICE_INDEX = 1 << 3 | 0, /* TextDelta.choice_index, int32 */
    TAG_TEXT = 2 << 3 | 2,         /* TextDelta.text */
    TAG_BLOCK_INDEX = 4 << 3 | 0,  /* TextDelta.block_index, int32 */
};

static size_t number_length(int32_t value)
{
    return value != 0 ? 1 + varint_length((uint64_t)(int64_t)value) : 0;
}

static uint8_t *put_number(uint8_t *at, uint8_t tag, int32_t value)
{
    if (value != 0) {
        *at++ = tag;
        at = put_varint(at, (uint64_t)(int64_t)value);
    }
    return at;
}

grpc_slice remora_grpc_pack_text(int32_t choice_index, int32_t block_index,
                                 struct remora_slice text)
{
    size_t inner = number_length(choice_index) + number_length(block_index) +
                   (text.length > 0 ? 1 + varint_length(text.length) + text.length : 0);
    grpc_slice packed = grpc_slice_malloc(1 + varint_length(inner) + inner);
    uint8_t *at = GRPC_SLICE_START_PTR(packed);
    *at++ = TAG_EVENT_TEXT;
    at = put_varint(at, inner);
    at = put_number(at, TAG_CHOICE_INDEX, choice_index);
    if (text.length > 0) {
        *at++ = TAG_TEXT;
        at = put_varint(at, text.length);
        memcpy(at, text.data, text.length);
        at += text.length;
    }
    (void)put_number(at, TAG_BLOCK_INDEX, block_index);
    return packed;
}
