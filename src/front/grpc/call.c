/*
 * A call from its arrival to its end.
 *
 *   1. a slot is armed: grpc_server_request_call for any method, so that unknown ones are answered, too
 *   2. it arrives: the next slot is armed; a method that is not served answers UNIMPLEMENTED at once
 *   3. a caller without a key that is known is refused (remora/caller.h); its close and its message are awaited, and that it
 *      sends no more than one; the message goes to the method
 *   4. the method answers (send.c), or the caller leaves: the method is told in the same round
 *   5. freed when every tag has come back
 *
 * Ways to fail: no whole message before the half-close or a compression that is none (INTERNAL), more than one message
 * (UNIMPLEMENTED: grpc/grpc, doc/statuscodes.md, "Request cardinality violation"), a compressed message that is
 * larger than it may be (inflate.c), a metadata key with a letter in upper case or two authorizations (INVALID_ARGUMENT), no room for what is
 * still coming (arriving.c), no memory (the slot is armed again by the next call
 * that ends), the caller's deadline or cancel (on_gone with DEADLINE or CLIENT_GONE).
 *
 * Source: reference/grpc-core.md section 4 (close, deadlines, order of completions), section 6 (generic calls).
 */
#include "call.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include "connections.h"
#include "inflate.h"
#include "remora/caller.h"
#include "remora/limits.h"
#include "remora/text.h"
#include "services.h"

static struct remora_slice slice_view(const grpc_slice *slice)
{
    return remora_slice((const char *)GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

struct remora_engine *remora_grpc_engine(const struct remora_grpc_call *call)
{
    return call->lane->worker->engine;
}

enum remora_code remora_grpc_identify(const struct remora_grpc_call *call,
                                      struct remora_identity *out, struct remora_fail *fail)
{
    const struct remora_caller caller = {
        .authorization = remora_grpc_metadata(call, "authorization"),
        .api_key = remora_grpc_metadata(call, "x-api-key"),
        .is_local = call->front->is_local,
        .has_certificate =
            call->front->tls != NULL && remora_grpc_tls_asks_clients(call->front->tls),
        .local_proof = call->front->is_unix ? REMORA_PROOF_PEER_UID : REMORA_PROOF_NONE,
    };
    return remora_caller_identify(remora_engine_config(remora_grpc_engine(call)), &caller, out,
                                  fail);
}

/* Compared with gpr_now only: the newer core's clock is not ours (reference/grpc-core.md section 4). */
int64_t remora_grpc_time_left_ms(const struct remora_grpc_call *call)
{
    gpr_timespec deadline = call->details.deadline;
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
        return -1;
    }
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    int64_t ms = left.tv_sec * 1000 + left.tv_nsec / 1000000;
    return ms < 0 ? 0 : ms;
}

/* ---- the end ---- */

static void release_slot(struct remora_grpc_front *front)
{
    if (atomic_fetch_sub(&front->slots, 1) == 1) {
        sem_post(&front->is_empty);
    }
}

static void call_free(struct remora_grpc_call *call)
{
    struct remora_grpc_front *front = call->front;
    struct remora_grpc_lane *lane = call->lane;
    bool had_arrived = call->has_arrived;
    if (had_arrived && !call->has_brought) {
        remora_grpc_traffic_lost(&lane->traffic);
    }
    remora_timers_disarm(remora_loop_timers(lane->worker->loop), &call->patience);
    remora_grpc_unread_end(call);
    remora_grpc_queue_clear(call);
    remora_grpc_status_fini(&call->status);
    remora_arena_fini(&call->answer_arena);
    grpc_byte_buffer_destroy(call->incoming);
    grpc_byte_buffer_destroy(call->surplus);
    grpc_byte_buffer_destroy(call->outgoing);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_details_destroy(&call->details);
    if (call->call != NULL) {
        grpc_call_unref(call->call);
    }
    remora_free(call);
    if (had_arrived) {
        atomic_fetch_sub(&front->calls, 1);
        if (lane->missing > 0 && remora_grpc_call_arm(front, lane) == REMORA_OK) {
            lane->missing--;
        }
    }
    release_slot(front);
}

/* Every tag ends here: the last one frees. */
static void came_back(struct remora_grpc_call *call)
{
    call->outstanding--;
    if (call->outstanding == 0) {
        call_free(call);
    }
}

static void on_sent(struct remora_grpc_tag *tag, bool ok)
{
    remora_grpc_on_sent(tag, ok);
    came_back(REMORA_CONTAINER_OF(tag, struct remora_grpc_call, sent));
}

/* To worker 0, which knows the connections. */
struct ended {
    struct remora_message_node message; /* first */
    struct remora_grpc_front *front;
    char *peer; /* the core's */
    struct remora_grpc_ended call;
};

static void on_ended(struct remora_message_node *message)
{
    struct ended *ended = REMORA_CONTAINER_OF(message, struct ended, message);
    if (ended->front->connections != NULL) {
        remora_grpc_connections_ended(ended->front->connections, &ended->call);
    }
    gpr_free(ended->peer);
    remora_free(ended);
}

/* Without memory it goes uncounted. */
static void count_end(struct remora_grpc_call *call, enum remora_grpc_end end)
{
    struct ended *ended = remora_alloc(sizeof *ended);
    if (ended == NULL) {
        return;
    }
    *ended = (struct ended){
        .message = {.run = on_ended}, .front = call->front, .peer = grpc_call_get_peer(call->call)};
    ended->call =
        (struct remora_grpc_ended){.peer = ended->peer, .arrived_ns = call->arrived_ns, .end = end};
    remora_loop_post(call->front->process->workers[0].loop, &ended->message);
}

static uint64_t clock_ns(const struct remora_grpc_call *call)
{
    const struct remora_clock *clock = remora_loop_clock(call->lane->worker->loop);
    return clock->now_ns(clock);
}

/* Who gives up a call that has run for a while has found nothing cheap: a person has left, a page was closed. */
static enum remora_grpc_end kind_of_end(const struct remora_grpc_call *call, int64_t left_ms)
{
    bool is_rapid =
        clock_ns(call) - call->arrived_ns < REMORA_LIMIT_GRPC_RAPID_MS * UINT64_C(1000000);
    return left_ms != 0 && is_rapid ? REMORA_GRPC_RESET : REMORA_GRPC_BLAMELESS;
}

static void on_closed(struct remora_grpc_tag *tag, bool ok)
{
    struct remora_grpc_call *call = REMORA_CONTAINER_OF(tag, struct remora_grpc_call, closed);
    (void)ok;
    if (call->was_cancelled != 0 || !call->has_ended) {
        int64_t left_ms = remora_grpc_time_left_ms(call);
        call->is_over = true;
        remora_grpc_queue_clear(call);
        remora_grpc_unread_end(call);
        if (call->on_gone != NULL) {
            call->on_gone(call, left_ms == 0 ? REMORA_DEADLINE : REMORA_CLIENT_GONE);
        }
        count_end(call, kind_of_end(call, left_ms));
    }
    came_back(call);
}

/* ---- patience ---- */

/* For a message that is under way when the front is shut. */
#define HURRIED_NS REMORA_NS_PER_S

bool remora_grpc_wait(struct remora_grpc_call *call, uint64_t ns,
                      void (*fire)(struct remora_timer *patience))
{
    struct remora_loop *loop = call->lane->worker->loop;
    const struct remora_clock *clock = remora_loop_clock(loop);
    return remora_timers_arm(remora_loop_timers(loop), &call->patience, clock->now_ns(clock) + ns,
                             fire) == REMORA_OK;
}

/* The status waits for the message before it, which a client that does not read never takes: it may not hold a drain. */
void remora_grpc_send_away(struct remora_grpc_call *call, const struct remora_fail *fail)
{
    if (call->is_over || call->is_ending) {
        return;
    }
    remora_grpc_status_fail(&call->status, fail, NULL, remora_grpc_time_left_ms(call),
                            &call->lane->scratch);
    remora_grpc_finish(call);
    remora_grpc_unread_hurry(call);
}

static void on_late(struct remora_timer *patience)
{
    struct remora_grpc_call *call =
        REMORA_CONTAINER_OF(patience, struct remora_grpc_call, patience);
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (atomic_load(&call->front->is_shut)) {
        remora_fail_set(&fail, REMORA_DRAINING, NULL, "The gateway is shutting down.");
    } else {
        remora_fail_set(&fail, REMORA_REQUEST_TIMEOUT, NULL, "No whole message came in time.");
    }
    remora_grpc_send_away(call, &fail);
}

void remora_grpc_receivers_drain(struct remora_grpc_lane *lane)
{
    struct remora_list *next = NULL;
    for (struct remora_list *node = lane->receivers.next; node != &lane->receivers; node = next) {
        struct remora_grpc_call *call =
            REMORA_CONTAINER_OF(node, struct remora_grpc_call, receiver);
        next = node->next;
        if (!call->is_ending && !remora_grpc_wait(call, HURRIED_NS, on_late)) {
            on_late(&call->patience);
        }
    }
}

/* Who may take less for the whole request has no more for its message. */
static uint64_t patience_ns(const struct remora_grpc_call *call)
{
    int64_t total_ms = remora_engine_config(remora_grpc_engine(call))->deadlines.total_ms;
    if (atomic_load(&call->front->is_shut)) {
        return HURRIED_NS;
    }
    bool is_less = total_ms > 0 && total_ms < REMORA_LIMIT_GRPC_MESSAGE_MS;
    return (is_less ? (uint64_t)total_ms : REMORA_LIMIT_GRPC_MESSAGE_MS) * REMORA_NS_PER_MS;
}

static void receive_ended(struct remora_grpc_call *call)
{
    remora_list_remove(&call->receiver);
    if (!call->is_ending) { /* else it is sent away, and may yet have to be cut off */
        remora_timers_disarm(remora_loop_timers(call->lane->worker->loop), &call->patience);
    }
}

/* ---- the message ---- */

static void start_one(struct remora_grpc_call *call, const grpc_op *op, struct remora_grpc_tag *tag)
{
    call->outstanding++;
    remora_grpc_tag_give(tag);
    grpc_call_error error = grpc_call_start_batch(call->call, op, 1, tag, NULL);
    assert(error == GRPC_CALL_OK);
    (void)error;
}

void remora_grpc_receive(struct remora_grpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->incoming;
    remora_grpc_arriving_begin(call);
    /* Without memory for a timer the caller's deadline is all that ends it. */
    (void)!remora_grpc_wait(call, patience_ns(call), on_late);
    start_one(call, &op, &call->received);
}

/* The method begins when the caller has said all: usually its end came with the message. */
static void receive_end(struct remora_grpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->surplus;
    call->has_message = true;
    start_one(call, &op, &call->received);
}

static void drop_message(struct remora_grpc_call *call)
{
    grpc_byte_buffer_destroy(call->incoming);
    call->incoming = NULL;
}

static void deliver(struct remora_grpc_call *call)
{
    grpc_byte_buffer_reader reader;
    grpc_slice *only = NULL;
    size_t length = grpc_byte_buffer_length(call->incoming);
    bool is_ready = grpc_byte_buffer_reader_init(&reader, call->incoming) != 0;
    assert(is_ready); /* fails for compressed buffers only */
    if (grpc_byte_buffer_reader_peek(&reader, &only) != 0 && GRPC_SLICE_LENGTH(*only) == length) {
        call->method->message(call, slice_view(only));
    } else {
        grpc_byte_buffer_reader_destroy(&reader);
        /* Peeking moved the reader: begin again. */
        is_ready = grpc_byte_buffer_reader_init(&reader, call->incoming) != 0;
        assert(is_ready);
        (void)is_ready;
        grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
        call->method->message(call, slice_view(&all));
        grpc_slice_unref(all);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    drop_message(call);
}

void remora_grpc_decompressed(struct remora_grpc_call *call, const struct remora_buf *bytes,
                              const struct remora_fail *fail)
{
    bool is_awaited = !call->is_over && !call->is_ending;
    receive_ended(call);
    if (is_awaited && fail != NULL) {
        remora_grpc_refuse(call, fail);
    } else if (is_awaited && bytes != NULL) {
        call->method->message(call, remora_buf_slice(bytes));
    }
    drop_message(call);
    came_back(call);
}

/*
 * The caller closed its side before one message was whole. The core tells "none" and "cut off" alike: the first is a request
 * cardinality violation, for which gRPC's table of codes (grpc/grpc, doc/statuscodes.md) has UNIMPLEMENTED, the second broken framing,
 * INTERNAL (F51). INTERNAL it is for both, as in gRPC's own servers (grpc-java: "Half-closed without a request"): who is told
 * that a method is not there asks another one, and for a cut message that would be wrong.
 */
static void refuse_absent(struct remora_grpc_call *call)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_INVALID_REQUEST, NULL,
                    "The call carries no whole message: none came, or it was cut off.");
    fail.grpc_status = GRPC_STATUS_INTERNAL;
    remora_grpc_refuse(call, &fail);
}

static void refuse_surplus(struct remora_grpc_call *call)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_INVALID_REQUEST, NULL,
                    "The call carries more than one message; send one and half-close.");
    fail.grpc_status = GRPC_STATUS_UNIMPLEMENTED;
    remora_grpc_refuse(call, &fail);
}

/* What came is no (further) message, or one of a talk's. */
static void take(struct remora_grpc_call *call, bool ok)
{
    if (call->surplus != NULL) {
        refuse_surplus(call);
    } else if (ok && call->incoming != NULL) {
        deliver(call);
    } else if (call->method->is_talk) {
        call->method->half_closed(call);
    } else {
        refuse_absent(call);
    }
}

static void account(struct remora_grpc_call *call, const grpc_byte_buffer *message)
{
    struct remora_grpc_traffic *traffic = &call->lane->traffic;
    size_t bytes = grpc_byte_buffer_length((grpc_byte_buffer *)(uintptr_t)message);
    if (call->has_brought) {
        remora_grpc_traffic_more(traffic, bytes);
    } else {
        remora_grpc_traffic_message(traffic, bytes);
    }
    call->has_brought = true;
}

/* What came with this completion; NULL: nothing. */
static const grpc_byte_buffer *newest(const struct remora_grpc_call *call)
{
    return call->has_message ? call->surplus : call->incoming;
}

static void on_received(struct remora_grpc_tag *tag, bool ok)
{
    struct remora_grpc_call *call = REMORA_CONTAINER_OF(tag, struct remora_grpc_call, received);
    if (ok && newest(call) != NULL) {
        account(call, newest(call));
    }
    bool is_awaited = !call->is_over && !call->is_ending; /* not sent away meanwhile */
    bool is_first = ok && call->incoming != NULL && !call->method->is_talk && !call->has_message;
    bool is_packed = ok && call->incoming != NULL && call->surplus == NULL &&
                     remora_grpc_is_compressed(call->incoming);
    if (is_awaited && is_first) {
        receive_end(call);
    } else if (is_awaited && is_packed) {
        remora_grpc_decompress(call); /* comes back with its message */
        return;
    } else {
        receive_ended(call);
        if (is_awaited) {
            take(call, ok);
        }
    }
    came_back(call);
}

/* ---- the arrival ---- */

static void refuse_method(struct remora_grpc_call *call)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_slice path = slice_view(&call->details.method);
    remora_fail_set(&fail, REMORA_UNIMPLEMENTED, NULL, "%.*s is not served here.",
                    (int)remora_utf8_cut(path, 200), path.data);
    remora_grpc_refuse(call, &fail);
}

/*
 * Size and keys are the core's to judge, too; what it lets through (docs/grpc.md) is judged here, on every core alike. Of two
 * authorizations nobody says which one counts, as over HTTP.
 */
static enum remora_code judge_metadata(const struct remora_grpc_call *call,
                                       struct remora_fail *fail)
{
    enum { OVERHEAD_BYTES = 32 }; /* of each entry, RFC 9113 section 6.5.2 */
    size_t bytes = 0;
    unsigned authorizations = 0;
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        bytes += GRPC_SLICE_LENGTH(entry->key) + GRPC_SLICE_LENGTH(entry->value) + OVERHEAD_BYTES;
        authorizations += remora_slice_is(slice_view(&entry->key), "authorization") ? 1 : 0;
        if (grpc_header_key_is_legal(entry->key) == 0) { /* RFC 9113 section 8.2: lower case */
            return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL,
                                   "Keys of metadata have lower-case letters, digits, '-', '_' "
                                   "and '.' only.");
        }
    }
    if (bytes > REMORA_LIMIT_GRPC_METADATA_BYTES) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL,
                               "The metadata has more than %d bytes, 32 counted for each entry.",
                               REMORA_LIMIT_GRPC_METADATA_BYTES);
    }
    return authorizations > 1
               ? remora_fail_set(fail, REMORA_INVALID_REQUEST, "authorization",
                                 "authorization stands in the metadata more than once.")
               : REMORA_OK;
}

/* False: refused. Before the method is looked at and before the message is taken. */
static bool admit(struct remora_grpc_call *call)
{
    struct remora_identity ignored;
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (judge_metadata(call, &fail) != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return false;
    }
    const struct remora_slice api = REMORA_SLICE("grpc");
    bool is_open = call->method != NULL && call->method->is_open;
    if (is_open || remora_grpc_identify(call, &ignored, &fail) == REMORA_OK) {
        return true;
    }
    remora_metric_add(call->lane->worker->metrics, REMORA_METRIC_UNAUTHENTICATED, &api, 1, 1);
    remora_grpc_refuse(call, &fail);
    return false;
}

static void begin(struct remora_grpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->was_cancelled;
    start_one(call, &op, &call->closed);
    call->method = remora_grpc_method_find(slice_view(&call->details.method));
    if (!admit(call)) {
        return;
    }
    if (call->method == NULL) {
        refuse_method(call);
    } else {
        remora_grpc_receive(call);
    }
}

static void on_arrived(struct remora_grpc_tag *tag, bool ok)
{
    struct remora_grpc_call *call = REMORA_CONTAINER_OF(tag, struct remora_grpc_call, arrived);
    struct remora_grpc_front *front = call->front;
    if (ok) {
        call->has_arrived = true;
        call->arrived_ns = clock_ns(call);
        remora_grpc_traffic_call(&call->lane->traffic);
        atomic_store_explicit(&front->arrived_ns, call->arrived_ns, memory_order_relaxed);
        atomic_fetch_add(&front->calls, 1);
        if (!atomic_load(&front->is_shut) && remora_grpc_call_arm(front, call->lane) != REMORA_OK) {
            call->lane->missing++;
        }
        begin(call);
    }
    came_back(call);
}

static struct remora_grpc_call *call_new(struct remora_grpc_front *front,
                                         struct remora_grpc_lane *lane)
{
    struct remora_grpc_call *call = remora_alloc(sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->front = front;
    call->lane = lane;
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    remora_grpc_tag_init(&call->arrived, lane, on_arrived);
    remora_grpc_tag_init(&call->received, lane, on_received);
    remora_grpc_tag_init(&call->closed, lane, on_closed);
    remora_grpc_tag_init(&call->sent, lane, on_sent);
    remora_list_init(&call->queue);
    remora_list_init(&call->watcher);
    remora_list_init(&call->receiver);
    remora_list_init(&call->unread);
    remora_list_init(&call->packed);
    remora_arena_init(&call->answer_arena, REMORA_LIMIT_SCRATCH_CHUNK_BYTES,
                      REMORA_LIMIT_ANSWER_ARENA_BYTES);
    return call;
}

enum remora_code remora_grpc_call_arm(struct remora_grpc_front *front,
                                      struct remora_grpc_lane *lane)
{
    struct remora_grpc_call *call = call_new(front, lane);
    if (call == NULL) {
        return REMORA_SHEDDING;
    }
    atomic_fetch_add(&front->slots, 1);
    call->outstanding = 1;
    remora_grpc_tag_give(&call->arrived);
    grpc_call_error error =
        grpc_server_request_call(front->server, &call->call, &call->details, &call->metadata,
                                 lane->queue, lane->arrivals, &call->arrived);
    if (error != GRPC_CALL_OK) {
        call->outstanding = 0;
        call_free(call);
        return REMORA_DRAINING;
    }
    return REMORA_OK;
}
