/*
 * The blocks of a message in the order in which they stood (see struct remora_message).
 *
 * Each list is in its order already, so the next block is the first of the three that has the lowest position. Ties fall to
 * reasoning, then parts, then calls, which is the order of a message without positions. Cannot fail.
 */
#include "remora/request.h"

bool remora_blocks_next(struct remora_blocks *blocks, struct remora_block *out)
{
    const struct remora_message *message = blocks->message;
    int64_t lowest = INT64_MAX;
    *out = (struct remora_block){0};
    if (blocks->reasoning_at < message->reasoning_count) {
        out->reasoning = &message->reasoning[blocks->reasoning_at];
        lowest = out->reasoning->position;
    }
    if (blocks->part_at < message->part_count &&
        message->parts[blocks->part_at].position < lowest) {
        *out = (struct remora_block){.part = &message->parts[blocks->part_at]};
        lowest = out->part->position;
    }
    if (blocks->call_at < message->tool_call_count &&
        message->tool_calls[blocks->call_at].position < lowest) {
        *out = (struct remora_block){.call = &message->tool_calls[blocks->call_at]};
        lowest = out->call->position;
    }
    blocks->reasoning_at += out->reasoning != NULL ? 1U : 0U;
    blocks->part_at += out->part != NULL ? 1U : 0U;
    blocks->call_at += out->call != NULL ? 1U : 0U;
    return lowest != INT64_MAX;
}
