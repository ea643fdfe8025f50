/*
 * Compressed messages of a worker, one after another, in steps: 32 KB may hold 32 MiB, which is 80 ms of work, and a client
 * may send a hundred of them at a time. Each round of the loop does one step, and whoever else has something to do has their turn.
 *
 *   1. a message that is compressed joins the line; its call still counts as one whose message is not whole, with that
 *      patience, and is sent away by a drain as such
 *   2. in each round the first of the line is decompressed by STEP_BYTES; when it is whole, or refused, its call goes on
 *      (remora_grpc_decompressed), and the next one has the next round
 *   3. a call that is over leaves the line when it is its turn
 *
 * Failures: those of inflate.h, and no memory for the state (SHEDDING).
 */
#include "call.h"
#include "inflate.h"
#include "remora/limits.h"
#include "remora/memory.h"

enum { STEP_BYTES = 1 << 20 };

struct remora_grpc_unpacking {
    struct remora_grpc_inflation inflation;
    struct remora_buf bytes;
};

static void on_turn(struct remora_message_node *message);

static void arm(struct remora_grpc_lane *lane)
{
    lane->unpack.run = on_turn;
    remora_loop_post(lane->worker->loop, &lane->unpack);
}

void remora_grpc_decompress(struct remora_grpc_call *call)
{
    struct remora_grpc_lane *lane = call->lane;
    bool is_first = remora_list_is_empty(&lane->packed);
    remora_list_append(&lane->packed, &call->packed);
    if (is_first) {
        arm(lane);
    }
}

static enum remora_code begin(struct remora_grpc_call *call, struct remora_fail *fail)
{
    struct remora_grpc_unpacking *unpacking = remora_alloc(sizeof *unpacking);
    if (unpacking == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "No memory to decompress.");
    }
    remora_buf_init(&unpacking->bytes, REMORA_LIMIT_MESSAGE_BYTES);
    enum remora_code code = remora_grpc_inflate_begin(&unpacking->inflation, call->incoming, fail);
    if (code != REMORA_OK) {
        remora_free(unpacking);
        return code;
    }
    call->lane->unpacking = unpacking;
    return REMORA_OK;
}

/* The first of the line has its message, or a failure, or is over (both NULL). */
static void end(struct remora_grpc_call *call, const struct remora_buf *bytes,
                const struct remora_fail *fail)
{
    struct remora_grpc_unpacking *unpacking = call->lane->unpacking;
    call->lane->unpacking = NULL;
    remora_list_remove(&call->packed);
    if (unpacking != NULL) {
        remora_grpc_inflate_end(&unpacking->inflation);
    }
    remora_grpc_decompressed(call, bytes, fail);
    if (unpacking != NULL) {
        remora_buf_fini(&unpacking->bytes);
        remora_free(unpacking);
    }
}

static void step(struct remora_grpc_call *call)
{
    struct remora_grpc_lane *lane = call->lane;
    struct remora_fail fail = REMORA_FAIL_INIT;
    enum remora_code code = lane->unpacking == NULL ? begin(call, &fail) : REMORA_OK;
    if (code == REMORA_OK) {
        code = remora_grpc_inflate_step(&lane->unpacking->inflation, &lane->unpacking->bytes,
                                        STEP_BYTES, &fail);
    }
    if (code != REMORA_OK) {
        end(call, NULL, &fail);
    } else if (lane->unpacking->inflation.is_done) {
        end(call, &lane->unpacking->bytes, NULL);
    }
}

static void on_turn(struct remora_message_node *message)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(message, struct remora_grpc_lane, unpack);
    struct remora_grpc_call *call =
        REMORA_CONTAINER_OF(lane->packed.next, struct remora_grpc_call, packed);
    if (call->is_over || call->is_ending) {
        end(call, NULL, NULL);
    } else {
        step(call);
    }
    if (!remora_list_is_empty(&lane->packed)) {
        arm(lane);
    }
}
