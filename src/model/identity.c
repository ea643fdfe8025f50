/*
 * Trace context and generation ids.
 * Source: W3C Trace Context level 1, section 3.2 "Traceparent Header" (lower-case hex, all-zero ids and version ff are
 * invalid, a later version may append fields behind a dash).
 */
#include "remora/identity.h"

#include "remora/buf.h"
#include "remora/clock.h"
#include "remora/limits.h"
#include "remora/memory.h"

enum {
    VERSION_AT = 0,
    TRACE_ID_AT = 3,
    PARENT_ID_AT = 36,
    FLAGS_AT = 53,
    TRACEPARENT_BYTES = 55,
    TRACESTATE_BYTES = 512, /* section 3.3.1.5 */
    BAGGAGE_BYTES = 8192,   /* W3C Baggage section 3.3.2 */
    RANDOM_DIGITS = 20,
};

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

static bool has_shape(struct remora_slice header, uint8_t version)
{
    const char *text = header.data;
    if (text[2] != '-' || text[PARENT_ID_AT - 1] != '-' || text[FLAGS_AT - 1] != '-') {
        return false;
    }
    if (version == 0xff || (version == 0 && header.length != TRACEPARENT_BYTES)) {
        return false;
    }
    return header.length == TRACEPARENT_BYTES || text[TRACEPARENT_BYTES] == '-';
}

bool remora_trace_parse(struct remora_slice header, struct remora_trace *out)
{
    struct remora_trace trace = {.is_set = true};
    uint8_t version = 0;
    header = remora_slice_trim(header);
    if (header.length < TRACEPARENT_BYTES ||
        !read_hex(header.data + VERSION_AT, &version, sizeof version) ||
        !has_shape(header, version)) {
        return false;
    }
    if (!read_hex(header.data + TRACE_ID_AT, trace.trace_id, sizeof trace.trace_id) ||
        !read_hex(header.data + PARENT_ID_AT, trace.parent_id, sizeof trace.parent_id) ||
        !read_hex(header.data + FLAGS_AT, &trace.flags, sizeof trace.flags)) {
        return false;
    }
    if (is_zero(trace.trace_id, sizeof trace.trace_id) ||
        is_zero(trace.parent_id, sizeof trace.parent_id)) {
        return false;
    }
    *out = trace;
    return true;
}

static bool may_be_passed_on(struct remora_slice value, size_t most)
{
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] < 0x20 || value.data[i] > 0x7e) {
            return false;
        }
    }
    return value.length > 0 && value.length <= most;
}

bool remora_tracestate_is_valid(struct remora_slice value)
{
    return may_be_passed_on(value, TRACESTATE_BYTES);
}

bool remora_baggage_is_valid(struct remora_slice value)
{
    return may_be_passed_on(value, BAGGAGE_BYTES);
}

bool remora_request_id_is_valid(struct remora_slice id)
{
    return may_be_passed_on(id, REMORA_LIMIT_ID_BYTES);
}

struct remora_slice remora_header_list_add(struct remora_slice list, struct remora_slice line,
                                           struct remora_arena *arena)
{
    if (line.length == 0) {
        return list;
    }
    return list.length == 0 ? remora_arena_copy(arena, line)
                            : remora_arena_printf(arena, "%.*s,%.*s", REMORA_SLICE_ARG(list),
                                                  REMORA_SLICE_ARG(line));
}

/* count: a multiple of 8. */
static void random_bytes(uint8_t *out, size_t count, struct remora_random *random)
{
    do {
        for (size_t at = 0; at < count; at += sizeof(uint64_t)) {
            uint64_t word = remora_random_next(random);
            memcpy(out + at, &word, sizeof word);
        }
    } while (is_zero(out, count));
}

void remora_trace_begin(struct remora_trace *trace, struct remora_random *random)
{
    if (!trace->is_set) {
        *trace = (struct remora_trace){0};
        random_bytes(trace->trace_id, sizeof trace->trace_id, random);
    }
    random_bytes(trace->span_id, sizeof trace->span_id, random);
}

void remora_trace_hex(const uint8_t *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * count] = '\0';
}

void remora_trace_text(const struct remora_trace *trace, char out[REMORA_TRACEPARENT_BYTES])
{
    const uint8_t version = 0;
    const uint8_t sampled = trace->flags & 1; /* version 00 defines no other flag */
    remora_trace_hex(&version, 1, out + VERSION_AT);
    remora_trace_hex(trace->trace_id, sizeof trace->trace_id, out + TRACE_ID_AT);
    remora_trace_hex(trace->span_id, sizeof trace->span_id, out + PARENT_ID_AT);
    remora_trace_hex(&sampled, 1, out + FLAGS_AT);
    out[TRACE_ID_AT - 1] = '-';
    out[PARENT_ID_AT - 1] = '-';
    out[FLAGS_AT - 1] = '-';
}

void remora_generation_id(char out[REMORA_GENERATION_ID_BYTES], int64_t unix_ms,
                          struct remora_random *random)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct remora_buf id;
    /* Eleven digits reach to the year 5138; more would not fit the field. */
    int64_t seconds = unix_ms < 0 ? 0 : unix_ms / 1000 % INT64_C(100000000000);
    remora_buf_init_over(&id, out, REMORA_GENERATION_ID_BYTES - 1);
    remora_buf_append(&id, REMORA_SLICE("gen-"));
    remora_buf_append_i64(&id, seconds);
    remora_buf_append_byte(&id, '-');
    for (int i = 0; i < RANDOM_DIGITS; i++) {
        remora_buf_append_byte(&id, digits[remora_random_below(random, sizeof digits - 1)]);
    }
    out[id.length] = '\0';
}
