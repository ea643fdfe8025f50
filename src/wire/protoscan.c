/*
 * The protobuf pre-scan. See the header for what it is for.
 *
 * Happy path: a stack of at most 64 frames, one for each message being read, on our own stack; each turn reads one field
 * of the innermost frame: its tag, then its payload, which is checked, counted and skipped; a message field opens a frame.
 * A frame that is read to its end is left.
 * Fails: malformed bytes, wrong wire type, too deep, text that is not UTF-8 or holds a NUL (INVALID_REQUEST), too many
 * bytes after unpacking or too many pieces of messages (TOO_LARGE). The place in repeated fields is counted only then, by reading again.
 * Sources: protobuf.dev "Encoding". Tags and lengths of more than five bytes are refused because protobuf-c 1.4
 * (protobuf-c.c, parse_tag_and_wiretype and scan_length_prefixed_data) refuses them too.
 */
#include "remora/protoscan.h"

#include "remora/text.h"

#include <assert.h>
#include <stdio.h>

enum {
    DEPTH_MOST = 64,
    SHORT_VARINT_BYTES = 5,
    VARINT_BYTES = 10,
    FIELD_NUMBER_MOST = (1 << 29) - 1,
    NUMBER_COST = 8,   /* an element of a repeated number, at most */
    UNKNOWN_COST = 32, /* protobuf-c keeps unknown fields: a record each */
    BYTES_COST =
        16, /* ProtobufCBinaryData: length and pointer; text is one, too (tools/proto_twin.py) */
    MERGE_COST = 8, /* a merge copies the list of elements: at most this for each byte of theirs */
    MERGES_MOST = 16,
    SEEN_FIELDS = 64,
    PATH_BYTES = 256,
};

/* Wire types: protobuf.dev "Encoding", "Message Structure". */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

struct frame {
    const struct remora_proto_message *message;
    const unsigned char *start;
    const unsigned char *end;
    const unsigned char *tag_at;            /* of the field being read */
    const struct remora_proto_field *field; /* NULL while it is unknown */
    uint64_t seen;                          /* by place in the schema: single messages that came */
    size_t pieces_bytes;                    /* of all single messages that came */
};

struct scan {
    struct frame frames[DEPTH_MOST];
    size_t depth;
    const unsigned char *at;
    size_t bytes_left; /* of what unpacking may take */
    unsigned merges;
    const struct remora_proto_limits *limits;
    struct remora_fail *fail;
};

static struct frame *top(struct scan *s)
{
    return &s->frames[s->depth - 1];
}

/* A varint of at most `most` bytes; false when it is longer or cut. */
static bool read_varint(const unsigned char **at, const unsigned char *end, unsigned most,
                        uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < most && *at < end; i++) {
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* Skips a payload; *length is that of WIRE_LENGTH without its prefix, which *at is moved behind only. */
static bool skip_payload(const unsigned char **at, const unsigned char *end, unsigned wire,
                         size_t *length)
{
    uint64_t value;
    size_t fixed = wire == WIRE_FIXED64 ? 8 : 4;
    *length = 0;
    switch (wire) {
    case WIRE_VARINT:
        return read_varint(at, end, VARINT_BYTES, &value);
    case WIRE_FIXED64:
    case WIRE_FIXED32:
        if ((size_t)(end - *at) < fixed) {
            return false;
        }
        *at += fixed;
        return true;
    case WIRE_LENGTH:
        if (!read_varint(at, end, SHORT_VARINT_BYTES, &value) || value > (size_t)(end - *at)) {
            return false;
        }
        *length = (size_t)value;
        return true;
    default:
        return false;
    }
}

/* How often the frame's field occurs before the place where it is read now. All of that has been read once already. */
static size_t count_before(const struct frame *frame)
{
    size_t count = 0;
    const unsigned char *at = frame->start;
    while (at < frame->tag_at) {
        uint64_t tag = 0;
        size_t length = 0;
        if (!read_varint(&at, frame->end, SHORT_VARINT_BYTES, &tag) ||
            !skip_payload(&at, frame->end, (unsigned)(tag & 7), &length)) {
            break;
        }
        at += length;
        count += (tag >> 3) == frame->field->number ? 1 : 0;
    }
    return count;
}

static void write_path(const struct scan *s, char *out, size_t bytes)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < s->depth && s->frames[i].field != NULL; i++) {
        const struct remora_proto_field *field = s->frames[i].field;
        const char *dot = i == 0 ? "" : ".";
        bool has_index = field->is_repeated && field->kind >= REMORA_PROTO_STRING;
        int added = has_index ? snprintf(out + length, bytes - length, "%s%s[%zu]", dot,
                                         field->name, count_before(&s->frames[i]))
                              : snprintf(out + length, bytes - length, "%s%s", dot, field->name);
        if (added < 0 || (size_t)added >= bytes - length) {
            return;
        }
        length += (size_t)added;
    }
}

static enum remora_code refuse(struct scan *s, enum remora_code code, const char *why)
{
    char path[PATH_BYTES];
    if (s->fail == NULL) {
        return code;
    }
    write_path(s, path, sizeof path);
    return remora_fail_set(s->fail, code, path, "%s %s", path[0] == '\0' ? "the message" : path,
                           why);
}

static enum remora_code malformed(struct scan *s)
{
    return refuse(s, REMORA_INVALID_REQUEST, "is not well-formed protobuf");
}

static enum remora_code spend(struct scan *s, size_t bytes, size_t more)
{
    if (bytes > s->bytes_left || more > s->bytes_left - bytes) {
        return refuse(s, REMORA_TOO_LARGE, "makes the message too large when unpacked");
    }
    s->bytes_left -= bytes + more;
    return REMORA_OK;
}

static const struct remora_proto_field *find_field(const struct remora_proto_message *message,
                                                   uint64_t number)
{
    size_t low = 0;
    size_t high = message->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (message->fields[middle].number == number) {
            return &message->fields[middle];
        }
        if (message->fields[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* The wire type of one value of this kind. */
static unsigned wire_of(enum remora_proto_kind kind)
{
    switch (kind) {
    case REMORA_PROTO_VARINT:
        return WIRE_VARINT;
    case REMORA_PROTO_FIXED32:
        return WIRE_FIXED32;
    case REMORA_PROTO_FIXED64:
        return WIRE_FIXED64;
    case REMORA_PROTO_STRING:
    case REMORA_PROTO_BYTES:
    case REMORA_PROTO_MESSAGE:
        return WIRE_LENGTH;
    }
    return WIRE_LENGTH;
}

/* Numbers one behind the other, `length` bytes of them. */
static enum remora_code read_packed(struct scan *s, unsigned wire, size_t length)
{
    const unsigned char *end = s->at + length;
    while (s->at < end) {
        size_t none;
        if (!skip_payload(&s->at, end, wire, &none)) {
            return malformed(s);
        }
        enum remora_code rc = spend(s, NUMBER_COST, 0);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code read_string(struct scan *s, size_t length)
{
    struct remora_slice text = remora_slice((const char *)s->at, length);
    if (!remora_utf8_is_valid(text)) {
        return refuse(s, REMORA_INVALID_REQUEST, "is not UTF-8");
    }
    if (remora_slice_find(text, '\0', 0) != length) {
        return refuse(s, REMORA_INVALID_REQUEST, "holds a NUL character");
    }
    s->at += length;
    return spend(s, length, top(s)->field->is_repeated ? BYTES_COST : 0);
}

/*
 * A single message that comes again is merged into the one before: protobuf-c copies what its lists hold so far, each time
 * (protobuf-c.c, merge_messages), and the arena keeps every copy.
 */
static enum remora_code read_piece(struct scan *s, size_t length)
{
    struct frame *frame = top(s);
    size_t place = (size_t)(frame->field - frame->message->fields);
    assert(place < SEEN_FIELDS);
    uint64_t bit = UINT64_C(1) << place;
    size_t before = frame->pieces_bytes;
    bool is_merge = (frame->seen & bit) != 0;
    frame->seen |= bit;
    frame->pieces_bytes += length;
    if (!is_merge) {
        return REMORA_OK;
    }
    if (++s->merges > MERGES_MOST) {
        return refuse(s, REMORA_TOO_LARGE, "comes in too many pieces; send it once");
    }
    return spend(s, MERGE_COST * before, 0);
}

static enum remora_code open_frame(struct scan *s, size_t length)
{
    const struct remora_proto_field *field = top(s)->field;
    size_t pointer = field->is_repeated ? sizeof(void *) : 0;
    if (s->depth >= s->limits->depth || s->depth >= DEPTH_MOST) {
        return refuse(s, REMORA_INVALID_REQUEST, "is nested too deeply");
    }
    enum remora_code rc = spend(s, field->message->unpacked_bytes, pointer);
    if (rc == REMORA_OK && !field->is_repeated) {
        rc = read_piece(s, length);
    }
    if (rc != REMORA_OK) {
        return rc;
    }
    s->frames[s->depth++] = (struct frame){
        .message = field->message,
        .start = s->at,
        .end = s->at + length,
    };
    return REMORA_OK;
}

/* The payload of a length-delimited field that the schema knows; s->at is at its first byte. */
static enum remora_code read_delimited(struct scan *s, size_t length)
{
    const struct remora_proto_field *field = top(s)->field;
    enum remora_proto_kind kind = (enum remora_proto_kind)field->kind;
    switch (kind) {
    case REMORA_PROTO_VARINT:
    case REMORA_PROTO_FIXED32:
    case REMORA_PROTO_FIXED64:
        return read_packed(s, wire_of(kind), length);
    case REMORA_PROTO_STRING:
        return read_string(s, length);
    case REMORA_PROTO_BYTES:
        s->at += length;
        return spend(s, length, field->is_repeated ? BYTES_COST : 0);
    case REMORA_PROTO_MESSAGE:
        return open_frame(s, length);
    }
    return malformed(s);
}

static enum remora_code read_payload(struct scan *s, unsigned wire)
{
    const struct frame *frame = top(s);
    const struct remora_proto_field *field = frame->field;
    const unsigned char *begin = s->at;
    size_t length;
    if (!skip_payload(&s->at, frame->end, wire, &length)) {
        return malformed(s);
    }
    if (field == NULL) {
        s->at += length;
        return spend(s, (size_t)(s->at - begin), UNKNOWN_COST);
    }
    bool is_number = field->kind < REMORA_PROTO_STRING;
    bool is_packed = is_number && field->is_repeated && wire == WIRE_LENGTH;
    if (!is_packed && wire != wire_of((enum remora_proto_kind)field->kind)) {
        return refuse(s, REMORA_INVALID_REQUEST, "has the wrong wire type");
    }
    if (wire == WIRE_LENGTH) {
        return read_delimited(s, length);
    }
    return field->is_repeated ? spend(s, NUMBER_COST, 0) : REMORA_OK;
}

static enum remora_code read_field(struct scan *s)
{
    struct frame *frame = top(s);
    uint64_t tag;
    frame->tag_at = s->at;
    frame->field = NULL;
    if (!read_varint(&s->at, frame->end, SHORT_VARINT_BYTES, &tag) || tag >> 3 == 0 ||
        tag >> 3 > FIELD_NUMBER_MOST) {
        return malformed(s);
    }
    frame->field = find_field(frame->message, tag >> 3);
    return read_payload(s, (unsigned)(tag & 7));
}

enum remora_code remora_proto_scan(struct remora_slice bytes,
                                   const struct remora_proto_message *message,
                                   const struct remora_proto_limits *limits,
                                   struct remora_fail *fail)
{
    const unsigned char *start = (const unsigned char *)(bytes.data == NULL ? "" : bytes.data);
    struct scan s = {
        .at = start,
        .bytes_left = limits->unpacked_bytes,
        .limits = limits,
        .fail = fail,
        .depth = 1,
    };
    s.frames[0] = (struct frame){.message = message, .start = start, .end = start + bytes.length};
    assert(limits->depth >= 1 && limits->depth <= DEPTH_MOST);
    enum remora_code rc = spend(&s, message->unpacked_bytes, 0);
    while (rc == REMORA_OK && s.depth > 0) {
        if (s.at == top(&s)->end) {
            s.depth--;
        } else {
            rc = read_field(&s);
        }
    }
    return rc;
}
