/*
 * Helpers around the generated messages. Messages are built in an arena and packed straight into a grpc_slice; text is
 * borrowed, never copied (the twin has bytes for string: tools/proto_twin.py). A builder that finds no room returns NULL,
 * which is an absent message; the arena remembers, and whoever packs asks it once.
 */
#ifndef REMORA_GRPC_PB_H
#define REMORA_GRPC_PB_H

#include <grpc/slice.h>

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "remora/attempt.h"
#include "remora/clock.h"
#include "remora/event.h"
#include "remora/memory.h"
#include "remora/route.h"
#include "remora/v1/chat.pb-c.h"
#include "remora/v1/gateway.pb-c.h"
#include "remora/v1/routing.pb-c.h"
#include "remora/v1/usage.pb-c.h"

/* A message of this type in the arena, initialised, or NULL. */
void *remora_pb_new(struct remora_arena *arena, const ProtobufCMessageDescriptor *descriptor);
/* An array of pointers to messages. */
void *remora_pb_list(struct remora_arena *arena, size_t count);
/* Packed; the caller owns the slice. */
grpc_slice remora_pb_pack(const ProtobufCMessage *message);

static inline ProtobufCBinaryData remora_pb_text(struct remora_slice text)
{
    return (ProtobufCBinaryData){text.length, (uint8_t *)(uintptr_t)text.data};
}
static inline struct remora_slice remora_pb_slice(ProtobufCBinaryData data)
{
    return remora_slice((const char *)data.data, data.len);
}

/*
 * Fields without `optional` in the published files are sent only when they are not empty or zero: proto3's rule, which the
 * twin cannot know.
 */
#define REMORA_PB_TEXT(message, field, value)          \
    do {                                               \
        struct remora_slice pb_value_ = (value);       \
        (message)->has_##field = pb_value_.length > 0; \
        (message)->field = remora_pb_text(pb_value_);  \
    } while (0)
#define REMORA_PB_NUMBER(message, field, value)         \
    do {                                                \
        (message)->field = (value);                     \
        (message)->has_##field = (message)->field != 0; \
    } while (0)
/* Fields with `optional`: -1 is absent. */
#define REMORA_PB_COUNT(message, field, value)             \
    do {                                                   \
        int64_t pb_value_ = (value);                       \
        (message)->has_##field = pb_value_ >= 0;           \
        (message)->field = pb_value_ >= 0 ? pb_value_ : 0; \
    } while (0)

Google__Protobuf__Duration *remora_pb_duration(struct remora_arena *arena, uint64_t ns);
Google__Protobuf__Timestamp *remora_pb_timestamp(struct remora_arena *arena, int64_t unix_ms);
/* `native`: the provider's own report, or empty. */
Remora__V1__Usage *remora_pb_usage(struct remora_arena *arena, const struct remora_usage *usage,
                                   const struct remora_cost *cost, struct remora_slice native);
Remora__V1__Attempt *remora_pb_attempt(struct remora_arena *arena,
                                       const struct remora_attempt *attempt);
Remora__V1__Candidate *remora_pb_candidate(struct remora_arena *arena,
                                           const struct remora_candidate *candidate);
/* The list for an outcome's or a plan's; *used: how many are in it. */
Remora__V1__Skipped **remora_pb_skipped_list(struct remora_arena *arena,
                                             const struct remora_skipped *skipped, size_t count,
                                             size_t *used);
/* USD per token, decimal text; empty when it is not known. */
struct remora_slice remora_pb_price(struct remora_arena *arena,
                                    const struct remora_endpoint *endpoint,
                                    enum remora_price price);
struct remora_listing;
struct remora_listed;
/* One model of the lists with the endpoints that may be used (remora/listing.h). In listing->arena. */
Remora__V1__Model *remora_pb_model(const struct remora_listing *listing,
                                   const struct remora_listed *listed);
Remora__V1__RouteInfo *remora_pb_route(struct remora_arena *arena,
                                       const struct remora_outcome *outcome);

/* `expires_at_unix_s`: until when its id is known; 0 not told. */
Remora__V1__Media *remora_pb_media(struct remora_arena *arena, const struct remora_media *media,
                                   int64_t expires_at_unix_s);
Remora__V1__Annotation *remora_pb_annotation(struct remora_arena *arena,
                                             const struct remora_annotation *annotation);
Remora__V1__ReasoningBlock *remora_pb_reasoning(struct remora_arena *arena,
                                                const struct remora_reasoning_block *block,
                                                struct remora_slice text);
Remora__V1__TokenLogprob **remora_pb_logprobs(struct remora_arena *arena,
                                              const struct remora_logprob *items, size_t count);
/* A JSON object as a Struct; NULL when it is none (or nothing), or nested deeper than REMORA_LIMIT_FURTHER_DEPTH. */
Google__Protobuf__Struct *remora_pb_struct(struct remora_arena *arena, struct remora_slice json);

#endif
