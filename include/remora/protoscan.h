/*
 * The protobuf pre-scan: reads the wire form of a message against a small schema before protobuf-c may unpack it, because
 * protobuf-c has no depth limit, keeps strings as C strings and does not check UTF-8 (reference/kubernetes.md 0.2,
 * ARCHITECTURE 5). Iterative, linear, no allocation, stack use independent of the input. Schemas are static; of a message nothing
 * is kept.
 *
 * Source of the wire format: protobuf.dev "Encoding" (tags, varints, wire types 0, 1, 2, 5; groups 3 and 4 are refused).
 */
#ifndef REMORA_PROTOSCAN_H
#define REMORA_PROTOSCAN_H

#include "remora/base.h"
#include "remora/codes.h"

enum remora_proto_kind {
    REMORA_PROTO_VARINT,
    REMORA_PROTO_FIXED32,
    REMORA_PROTO_FIXED64,
    REMORA_PROTO_STRING, /* UTF-8, no NUL */
    REMORA_PROTO_BYTES,
    REMORA_PROTO_MESSAGE,
};

struct remora_proto_message;

struct remora_proto_field {
    uint32_t number;
    uint8_t kind;     /* enum remora_proto_kind */
    bool is_repeated; /* numeric repeated fields may come packed or not */
    const char *name;
    const struct remora_proto_message *message; /* of REMORA_PROTO_MESSAGE */
};

/* At most 64 fields, in ascending order of number. `unpacked_bytes` is what one instance costs after unpacking. */
struct remora_proto_message {
    const char *name;
    const struct remora_proto_field *fields;
    size_t field_count;
    size_t unpacked_bytes;
};

struct remora_proto_limits {
    unsigned depth;        /* at most 64 */
    size_t unpacked_bytes; /* what the elements may take after unpacking */
};

/*
 * INVALID_REQUEST with fail->param = the path ("chat.messages[3].parts[0].text") for anything malformed, too deep, not
 * UTF-8 or with a NUL; TOO_LARGE when the elements would outgrow unpacked_bytes, or when there is more than 16 times a message
 * that is not repeated and comes again: protobuf merges such pieces, which copies what their lists hold each time (the copies
 * count into unpacked_bytes). Unknown fields are skipped (and counted into the bytes). Any thread.
 */
REMORA_MUST_CHECK enum remora_code remora_proto_scan(struct remora_slice bytes,
                                                     const struct remora_proto_message *message,
                                                     const struct remora_proto_limits *limits,
                                                     struct remora_fail *fail);

#endif
