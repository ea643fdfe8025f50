/*
 * What the decoders share: the message being read, the place in it, and readers that judge ranges as the HTTP skin does
 * (src/skin; the same words, with the proto's paths). A reader that refuses fills fail and returns its code.
 */
#ifndef REMORA_GRPC_READER_H
#define REMORA_GRPC_READER_H

#include "pb.h"
#include "remora/limits.h"
#include "remora/request.h"

struct reader {
    struct remora_arena *arena;
    struct remora_request *request;
    struct remora_fail *fail;
    size_t part_count;     /* over all messages */
    enum remora_role role; /* of the message being read */
    char path[128];        /* of the value being read */
    size_t path_length;
};

/* The path while a field is read; leave with what enter returned. index -1: no index. */
size_t reader_enter(struct reader *r, const char *field, long index);
void reader_leave(struct reader *r, size_t mark);
/* The message is "<path> <format...>". */
enum remora_code reader_refuse(struct reader *r, enum remora_code code, const char *format, ...)
    REMORA_PRINTF(3, 4);
/* reader_refuse at a field of the current place. */
enum remora_code reader_refuse_field(struct reader *r, enum remora_code code, const char *field,
                                     const char *text);
enum remora_code reader_unbuilt(struct reader *r, const char *field);
enum remora_code reader_no_room(struct reader *r);

struct reader_range {
    double least;
    double most;
    bool above_least; /* least itself is refused */
};
/* is_set false leaves *out as it is. `asks` REMORA_PARAMETER_COUNT: none. */
REMORA_MUST_CHECK enum remora_code reader_f64(struct reader *r, const char *field, bool is_set,
                                              double value, const struct reader_range *range,
                                              enum remora_parameter asks,
                                              struct remora_opt_f64 *out);
REMORA_MUST_CHECK enum remora_code reader_i64(struct reader *r, const char *field, bool is_set,
                                              int64_t value, int64_t least, int64_t most,
                                              enum remora_parameter asks,
                                              struct remora_opt_i64 *out);
/* Empty is absent. At most REMORA_LIMIT_ID_BYTES, no control characters. */
REMORA_MUST_CHECK enum remora_code reader_id(struct reader *r, const char *field,
                                             ProtobufCBinaryData value, struct remora_slice *out);
/* A word of a closed set; empty is absent. */
REMORA_MUST_CHECK enum remora_code reader_word(struct reader *r, const char *field,
                                               ProtobufCBinaryData value, const char *const *words,
                                               size_t count, struct remora_slice *out);
/* A tool's or schema's name: 1 to 64 letters, digits, _, - or dots. */
REMORA_MUST_CHECK enum remora_code reader_name(struct reader *r, const char *field,
                                               ProtobufCBinaryData value, struct remora_slice *out);
/* JSON text that must be one object; empty is absent. */
REMORA_MUST_CHECK enum remora_code reader_json_object(struct reader *r, const char *field,
                                                      ProtobufCBinaryData value,
                                                      struct remora_slice *out);
/* 1 ms to one hour; NULL leaves *out_ms as it is. */
REMORA_MUST_CHECK enum remora_code reader_duration(struct reader *r, const char *field,
                                                   const Google__Protobuf__Duration *value,
                                                   int64_t *out_ms);
/* 5 minutes or an hour, as everywhere (openrouter.md 12.1). */
REMORA_MUST_CHECK enum remora_code reader_cache(struct reader *r,
                                                const Remora__V1__CacheBreakpoint *value,
                                                struct remora_cache_breakpoint *out);
static inline enum remora_tristate reader_tristate(protobuf_c_boolean is_set,
                                                   protobuf_c_boolean value)
{
    return is_set ? value ? REMORA_YES : REMORA_NO : REMORA_UNSET;
}

/* ---- decode_value.c ---- */

/* A Struct as JSON text in the arena; NULL gives the empty slice. Keys that occur twice are refused. */
REMORA_MUST_CHECK enum remora_code reader_struct(struct reader *r, const char *field,
                                                 const Google__Protobuf__Struct *value,
                                                 struct remora_slice *out);
/* extra_body: each field by itself, judged by its name. */
REMORA_MUST_CHECK enum remora_code reader_extra(struct reader *r,
                                                const Google__Protobuf__Struct *value);

/* ---- decode_message.c, decode_tools.c, decode_provider.c ---- */
REMORA_MUST_CHECK enum remora_code reader_messages(struct reader *r,
                                                   const Remora__V1__ChatRequest *chat);
REMORA_MUST_CHECK enum remora_code reader_tools(struct reader *r,
                                                const Remora__V1__ChatRequest *chat);
REMORA_MUST_CHECK enum remora_code reader_response_format(struct reader *r,
                                                          const Remora__V1__ResponseFormat *format);
REMORA_MUST_CHECK enum remora_code reader_provider(struct reader *r,
                                                   const Remora__V1__ProviderPreferences *provider);
/* A list of texts into the request; an empty one is absent, as proto3 cannot tell. */
REMORA_MUST_CHECK enum remora_code reader_slices(struct reader *r, const ProtobufCBinaryData *items,
                                                 size_t count, struct remora_slices *out);

#endif
