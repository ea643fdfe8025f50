/*
 * How a call ends: status, rich details and trailers. Sources: codes.md; google.aip.dev/193 (ErrorInfo first);
 * grpc/proposal A6 for grpc-retry-pushback-ms.
 */
#ifndef REMORA_GRPC_STATUS_H
#define REMORA_GRPC_STATUS_H

#include <grpc/grpc.h>

#include "remora/attempt.h"
#include "remora/memory.h"

enum { REMORA_GRPC_TRAILERS = 5 };

struct remora_grpc_status {
    grpc_status_code code;
    grpc_slice message;
    grpc_metadata trailers[REMORA_GRPC_TRAILERS];
    size_t trailer_count;
    bool is_set;
};

/* Answered. outcome may be NULL: no trailers. */
void remora_grpc_status_ok(struct remora_grpc_status *status, const struct remora_outcome *outcome);
/* Failed; outcome may be NULL (refused before an exchange). `left_ms` until the caller's deadline, -1: it has none. `scratch`
 * holds what is packed; it is reset first. */
void remora_grpc_status_fail(struct remora_grpc_status *status, const struct remora_fail *fail,
                             const struct remora_outcome *outcome, int64_t left_ms,
                             struct remora_arena *scratch);
/*
 * What the engine found wrong names the field as HTTP spells it: from now on as the message that was sent does, in which the
 * request may be the field `chat`. What a provider calls wrong is a field of its own API: none of ours is named.
 */
void remora_grpc_status_place(struct remora_fail *fail, bool is_in_chat);
/* The google.rpc.Status alone, at most REMORA_LIMIT_GRPC_DETAILS_BYTES; an empty slice when there is no room. */
grpc_slice remora_grpc_status_details(const struct remora_fail *fail,
                                      const struct remora_outcome *outcome,
                                      struct remora_arena *scratch);
/* Gives the slices back; may be called for one that was never set. */
void remora_grpc_status_fini(struct remora_grpc_status *status);

#endif
