/*
 * From events, answers and outcomes to packed messages. What cannot be packed for want of memory gives false; nothing is
 * sent then. Scratch arenas are reset first.
 */
#ifndef REMORA_GRPC_ENCODE_H
#define REMORA_GRPC_ENCODE_H

#include <grpc/slice.h>

#include "remora/answer.h"
#include "remora/attempt.h"
#include "remora/memory.h"

/* StreamChatResponse with a text delta: written by hand because it is most of what is sent. */
grpc_slice remora_grpc_pack_text(int32_t choice_index, int32_t block_index,
                                 struct remora_slice text);
/* Whether the event has a message of its own: signs of life, usage (it travels in completed) and embeddings have none. */
bool remora_grpc_event_is_sent(const struct remora_event *event);
/* StreamChatResponse. `started_id` is the generation id for STARTED. */
REMORA_MUST_CHECK bool remora_grpc_encode_event(const struct remora_event *event,
                                                const char *generation_id,
                                                struct remora_arena *scratch, grpc_slice *out);
/* ChatResponse. */
REMORA_MUST_CHECK bool remora_grpc_encode_answer(const struct remora_answer *answer,
                                                 const struct remora_outcome *outcome,
                                                 struct remora_arena *scratch, grpc_slice *out);

#endif
