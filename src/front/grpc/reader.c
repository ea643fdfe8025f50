/* See reader.h. Ranges and words follow src/skin, so that both fronts refuse the same things for the same reason. */
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "remora/json.h"
#include "remora/text.h"

size_t reader_enter(struct reader *r, const char *field, long index)
{
    size_t mark = r->path_length;
    size_t room = sizeof r->path - mark;
    const char *dot = mark > 0 ? "." : "";
    int length = index < 0 ? snprintf(r->path + mark, room, "%s%s", dot, field)
                           : snprintf(r->path + mark, room, "%s%s[%ld]", dot, field, index);
    size_t added = length < 0 ? 0 : (size_t)length;
    r->path_length = mark + (added < room ? added : room - 1);
    return mark;
}

void reader_leave(struct reader *r, size_t mark)
{
    r->path_length = mark;
    r->path[mark] = '\0';
}

enum remora_code reader_refuse(struct reader *r, enum remora_code code, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return remora_fail_set(r->fail, code, r->path, "%s %s",
                           r->path_length == 0 ? "The request" : r->path, text);
}

enum remora_code reader_refuse_field(struct reader *r, enum remora_code code, const char *field,
                                     const char *text)
{
    size_t mark = reader_enter(r, field, -1);
    reader_refuse(r, code, "%s", text);
    reader_leave(r, mark);
    return code;
}

enum remora_code reader_unbuilt(struct reader *r, const char *field)
{
    return reader_refuse_field(
        r, REMORA_UNIMPLEMENTED, field,
        "is documented, but this gateway does not support it yet; remove it.");
}

enum remora_code reader_no_room(struct reader *r)
{
    enum remora_code code = r->arena->failed == REMORA_OK ? REMORA_TOO_LARGE : r->arena->failed;
    return remora_fail_set(r->fail, code, NULL, "%s",
                           code == REMORA_TOO_LARGE ? "The request takes too much memory to read."
                                                    : "The gateway is out of memory; try again.");
}

static void ask(struct reader *r, enum remora_parameter parameter)
{
    if (parameter != REMORA_PARAMETER_COUNT) {
        remora_request_ask(r->request, parameter);
    }
}

enum remora_code reader_f64(struct reader *r, const char *field, bool is_set, double value,
                            const struct reader_range *range, enum remora_parameter asks,
                            struct remora_opt_f64 *out)
{
    if (!is_set) {
        return REMORA_OK;
    }
    /* NaN fails both comparisons. */
    bool fits =
        (range->above_least ? value > range->least : value >= range->least) && value <= range->most;
    if (!fits) {
        char text[96];
        snprintf(text, sizeof text, "must be a number %s %g and at most %g.",
                 range->above_least ? "above" : "of at least", range->least, range->most);
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field, text);
    }
    *out = (struct remora_opt_f64){.value = value, .is_set = true};
    ask(r, asks);
    return REMORA_OK;
}

enum remora_code reader_i64(struct reader *r, const char *field, bool is_set, int64_t value,
                            int64_t least, int64_t most, enum remora_parameter asks,
                            struct remora_opt_i64 *out)
{
    if (!is_set) {
        return REMORA_OK;
    }
    if (value < least || value > most) {
        char text[96];
        snprintf(text, sizeof text, "must be an integer from %lld to %lld.", (long long)least,
                 (long long)most);
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field, text);
    }
    *out = (struct remora_opt_i64){.value = value, .is_set = true};
    ask(r, asks);
    return REMORA_OK;
}

static bool has_control(struct remora_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

enum remora_code reader_id(struct reader *r, const char *field, ProtobufCBinaryData value,
                           struct remora_slice *out)
{
    struct remora_slice text = remora_pb_slice(value);
    if (text.length > REMORA_LIMIT_ID_BYTES) {
        char words[48];
        snprintf(words, sizeof words, "must be at most %d bytes.", (int)REMORA_LIMIT_ID_BYTES);
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field, words);
    }
    if (has_control(text)) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field,
                                   "must not hold control characters.");
    }
    *out = text;
    return REMORA_OK;
}

enum remora_code reader_word(struct reader *r, const char *field, ProtobufCBinaryData value,
                             const char *const *words, size_t count, struct remora_slice *out)
{
    struct remora_slice text = remora_pb_slice(value);
    char listed[200] = "must be one of ";
    size_t at = strlen(listed);
    if (text.length == 0) {
        return REMORA_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (remora_slice_is(text, words[i])) {
            *out = text;
            return REMORA_OK;
        }
        int length = snprintf(listed + at, sizeof listed - at, "%s%s%s", i == 0 ? "" : ", ",
                              words[i], i + 1 == count ? "." : "");
        at += length < 0 || (size_t)length >= sizeof listed - at ? 0 : (size_t)length;
    }
    return reader_refuse_field(r, REMORA_INVALID_REQUEST, field, listed);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

enum remora_code reader_name(struct reader *r, const char *field, ProtobufCBinaryData value,
                             struct remora_slice *out)
{
    struct remora_slice name = remora_pb_slice(value);
    bool is_good = name.length >= 1 && name.length <= 64;
    for (size_t i = 0; is_good && i < name.length; i++) {
        is_good = is_name_byte(name.data[i]);
    }
    if (!is_good) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field,
                                   "must be 1 to 64 letters, digits, _, - or dots.");
    }
    *out = name;
    return REMORA_OK;
}

static enum remora_code refuse_json(struct reader *r, enum remora_code code, const char *field,
                                    const struct remora_json_error *error)
{
    char words[160];
    snprintf(words, sizeof words, "is not taken as JSON: %s at byte %zu.",
             error->reason == NULL ? "it is too large" : error->reason, error->offset);
    return reader_refuse_field(r, code, field, words);
}

/* As over HTTP: nothing that another reader may understand differently. */
static enum remora_code check_doubt(struct reader *r, const char *field,
                                    const struct remora_json_doc *doc)
{
    struct remora_json where;
    struct remora_json_error error = {.reason = remora_json_doubt(doc, r->arena, &where)};
    if (error.reason == NULL) {
        return r->arena->failed == REMORA_OK ? REMORA_OK : reader_no_room(r);
    }
    error.offset = remora_json_node_of(where)->offset;
    return refuse_json(r, REMORA_INVALID_REQUEST, field, &error);
}

enum remora_code reader_json_object(struct reader *r, const char *field, ProtobufCBinaryData value,
                                    struct remora_slice *out)
{
    static const struct remora_json_limits LIMITS = {.depth = REMORA_LIMIT_JSON_DEPTH,
                                                     .nodes = REMORA_LIMIT_JSON_NODES};
    struct remora_json_doc doc;
    struct remora_json_error error = {0};
    struct remora_slice text = remora_pb_slice(value);
    if (text.length == 0) {
        return REMORA_OK;
    }
    enum remora_code code = remora_json_parse(text, r->arena, &LIMITS, &doc, &error);
    if (code != REMORA_OK) {
        return refuse_json(r, code, field, &error);
    }
    code = check_doubt(r, field, &doc);
    if (code != REMORA_OK) {
        return code;
    }
    if (!remora_json_is(remora_json_root(&doc), REMORA_JSON_OBJECT)) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field, "must be a JSON object.");
    }
    *out = text;
    return REMORA_OK;
}

enum remora_code reader_duration(struct reader *r, const char *field,
                                 const Google__Protobuf__Duration *value, int64_t *out_ms)
{
    if (value == NULL) {
        return REMORA_OK;
    }
    enum { MOST_S = 3600, NANOS_PER_MS = 1000000 };
    bool is_good = value->seconds >= 0 && value->seconds <= MOST_S && value->nanos >= 0 &&
                   value->nanos < 1000 * NANOS_PER_MS;
    int64_t ms = is_good ? value->seconds * 1000 + value->nanos / NANOS_PER_MS : 0;
    if (ms < 1 || ms > MOST_S * 1000) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field,
                                   "must be from 1 ms to 1 hour.");
    }
    *out_ms = ms;
    return REMORA_OK;
}

enum remora_code reader_cache(struct reader *r, const Remora__V1__CacheBreakpoint *value,
                              struct remora_cache_breakpoint *out)
{
    if (value == NULL) {
        return REMORA_OK;
    }
    out->is_set = true;
    out->is_explicit = value->explicit_mode != 0;
    if (value->ttl == NULL) {
        return REMORA_OK;
    }
    if (value->ttl->nanos != 0 || (value->ttl->seconds != 300 && value->ttl->seconds != 3600)) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "cache_breakpoint.ttl",
                                   "must be 300s or 3600s.");
    }
    out->ttl_s = (int32_t)value->ttl->seconds;
    return REMORA_OK;
}

enum remora_code reader_slices(struct reader *r, const ProtobufCBinaryData *items, size_t count,
                               struct remora_slices *out)
{
    if (count == 0) {
        return REMORA_OK;
    }
    struct remora_slice *slices = remora_arena_array(r->arena, count, sizeof *slices);
    if (slices == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < count; i++) {
        slices[i] = remora_pb_slice(items[i]);
    }
    *out = (struct remora_slices){.items = slices, .count = count, .is_set = true};
    return REMORA_OK;
}
