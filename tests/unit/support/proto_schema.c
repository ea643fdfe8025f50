#include "proto_schema.h"

static const struct remora_proto_message node;

static const struct remora_proto_field entry_fields[] = {
    {1, REMORA_PROTO_STRING, false, "key", NULL},
    {2, REMORA_PROTO_MESSAGE, false, "value", &node},
};

static const struct remora_proto_message entry = {"Entry", entry_fields, 2, TEST_PROTO_ENTRY_BYTES};

static const struct remora_proto_field node_fields[] = {
    {1, REMORA_PROTO_STRING, false, "text", NULL},
    {2, REMORA_PROTO_MESSAGE, false, "child", &node},
    {3, REMORA_PROTO_MESSAGE, true, "items", &node},
    {4, REMORA_PROTO_STRING, true, "tags", NULL},
    {5, REMORA_PROTO_VARINT, false, "count", NULL},
    {6, REMORA_PROTO_VARINT, true, "counts", NULL},
    {7, REMORA_PROTO_FIXED32, true, "floats", NULL},
    {8, REMORA_PROTO_FIXED64, true, "doubles", NULL},
    {9, REMORA_PROTO_BYTES, false, "blob", NULL},
    {10, REMORA_PROTO_BYTES, true, "blobs", NULL},
    {16, REMORA_PROTO_MESSAGE, true, "extra", &entry},
    {17, REMORA_PROTO_FIXED64, false, "at", NULL},
};

static const struct remora_proto_message node = {"Node", node_fields, REMORA_COUNT_OF(node_fields),
                                                 TEST_PROTO_NODE_BYTES};

const struct remora_proto_message *test_proto_schema(void)
{
    return &node;
}
