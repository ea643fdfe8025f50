/*
 * Compressed messages of a worker, one after another, in steps: 32 KB may hold 32 MiB, which is 80 ms of work, and a client
 * may send a hundred of them at a time. Each round of the loop does one step, and whoever else has something to do has their turn.
 *
 *   1. a message that is compressed joins the line of those that are new; its call still counts as one whose message is not whole,
 *      with that patience, and is sent away by a drain as such
 *   2. in each round the first of the new ones is decompressed as far as FIRST_BYTES, which is enough for most. What is not whole
 *      then is dropped, to begin anew in the line of those that are large
 *   3. of these the first is decompressed by STEP_BYTES, in rounds in which nobody new waits and in every LARGE_TURN-th: large ones
 *      hold up nobody but each other, and are not held up for ever
 *   4. whole, or refused: its call goes on (remora_grpc_decompressed)
 *   5. a call that is over leaves its line when it is its turn
 *
 * Failures: those of inflate.h, and no memory for the state (SHEDDING).
 */
#include "call.h"
#include "inflate.h"
#include "remora/limits.h"
#include "remora/memory.h"

enum { FIRST_BYTES = 256 << 10, STEP_BYTES = 1 << 20, LARGE_TURN = 4 };

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

static bool is_idle(const struct remora_grpc_lane *lane)
{
    return remora_list_is_empty(&lane->packed) && remora_list_is_empty(&lane->large);
}

void remora_grpc_decompress(struct remora_grpc_call *call)
{
    struct remora_grpc_lane *lane = call->lane;
    bool is_first = is_idle(lane);
    remora_list_append(&lane->packed, &call->packed);
    if (is_first) {
        arm(lane);
    }
}

static void unpacking_free(struct remora_grpc_unpacking *unpacking)
{
    if (unpacking != NULL) {
        remora_grpc_inflate_end(&unpacking->inflation);
        remora_buf_fini(&unpacking->bytes);
        remora_free(unpacking);
    }
}

static enum remora_code unpacking_new(grpc_byte_buffer *message, struct remora_grpc_unpacking **out,
                                      struct remora_fail *fail)
{
    struct remora_grpc_unpacking *unpacking = remora_alloc(sizeof *unpacking);
    if (unpacking == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "No memory to decompress.");
    }
    remora_buf_init(&unpacking->bytes, REMORA_LIMIT_MESSAGE_BYTES);
    enum remora_code code = remora_grpc_inflate_begin(&unpacking->inflation, message, fail);
    if (code != REMORA_OK) {
        remora_free(unpacking);
        return code;
    }
    *out = unpacking;
    return REMORA_OK;
}

/* The call has its message, or a failure, or is over (neither). `unpacking` may be NULL. */
static void end(struct remora_grpc_call *call, struct remora_grpc_unpacking *unpacking,
                const struct remora_fail *fail)
{
    bool is_whole = fail == NULL && unpacking != NULL && unpacking->inflation.is_done;
    remora_list_remove(&call->packed);
    if (unpacking != NULL) {
        remora_grpc_inflate_end(&unpacking->inflation); /* before the compressed bytes go */
    }
    remora_grpc_decompressed(call, is_whole ? &unpacking->bytes : NULL, fail);
    if (unpacking != NULL) {
        remora_buf_fini(&unpacking->bytes);
        remora_free(unpacking);
    }
}

/* By so many bytes of *unpacking, which is begun where it is NULL. True: the call has gone on. */
static bool step(struct remora_grpc_call *call, struct remora_grpc_unpacking **unpacking,
                 size_t most_bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    enum remora_code code = REMORA_OK;
    if (*unpacking == NULL) {
        code = unpacking_new(call->incoming, unpacking, &fail);
    }
    if (code == REMORA_OK) {
        code = remora_grpc_inflate_step(&(*unpacking)->inflation, &(*unpacking)->bytes, most_bytes,
                                        &fail);
    }
    bool is_over = code != REMORA_OK || (*unpacking)->inflation.is_done;
    if (is_over) {
        struct remora_grpc_unpacking *last = *unpacking;
        *unpacking = NULL;
        end(call, last, code == REMORA_OK ? NULL : &fail);
    }
    return is_over;
}

static struct remora_grpc_call *first_of(const struct remora_list *line)
{
    return REMORA_CONTAINER_OF(line->next, struct remora_grpc_call, packed);
}

static bool is_gone(const struct remora_grpc_call *call)
{
    return call->is_over || call->is_ending;
}

static void turn_new(struct remora_grpc_lane *lane)
{
    struct remora_grpc_call *call = first_of(&lane->packed);
    struct remora_grpc_unpacking *unpacking = NULL;
    if (is_gone(call)) {
        end(call, NULL, NULL);
    } else if (!step(call, &unpacking, FIRST_BYTES)) {
        unpacking_free(unpacking);
        remora_list_remove(&call->packed);
        remora_list_append(&lane->large, &call->packed);
    }
}

static void turn_large(struct remora_grpc_lane *lane)
{
    struct remora_grpc_call *call = first_of(&lane->large);
    if (is_gone(call)) {
        struct remora_grpc_unpacking *unpacking = lane->unpacking;
        lane->unpacking = NULL;
        end(call, unpacking, NULL);
    } else {
        (void)step(call, &lane->unpacking, STEP_BYTES);
    }
}

static void on_turn(struct remora_message_node *message)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(message, struct remora_grpc_lane, unpack);
    bool is_large = remora_list_is_empty(&lane->packed) ||
                    (++lane->unpack_turns % LARGE_TURN == 0 && !remora_list_is_empty(&lane->large));
    if (is_large) {
        turn_large(lane);
    } else {
        turn_new(lane);
    }
    if (!is_idle(lane)) {
        arm(lane);
    }
}
