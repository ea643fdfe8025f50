/*
 * What a call sends. The core takes one message at a time; a second one waits here.
 *
 *   1. a message leaves at once when nothing is under way, with the initial metadata when it is the first
 *   2. else it joins the queue; a text delta grows the last of its choice that waits, if that is a text delta of the same
 *      block as well: choices are independent of each other, within one the order stays
 *   3. a send that comes back lets the next one leave; the last one takes the status with it
 *   4. an empty queue is told to on_writable
 *
 * What leaves is handed to the core at the end of the loop's round, with all that leaves then: the core's code and data are
 * large, and between libcurl and our own it found the processor's caches cold for each.
 *
 * Failures: a packed message that could not be made (empty slice of length 0 is a valid message, so makers say so
 * themselves), or no memory for the queue: the call ends with its failure. A caller that is gone: everything is dropped.
 *
 * Source: reference/grpc-core.md section 4 (one outstanding send; initial metadata in the first message's batch;
 * byte buffers are emptied by a send) and section 5 (a send completes when it fits the peer's window).
 */
#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include "call.h"
#include "encode.h"
#include "remora/limits.h"

static void pending_free(struct remora_grpc_pending *pending)
{
    remora_buf_fini(&pending->text);
    grpc_slice_unref(pending->packed);
    remora_free(pending);
}

void remora_grpc_queue_clear(struct remora_grpc_call *call)
{
    for (struct remora_list *node; (node = remora_list_take(&call->queue)) != NULL;) {
        pending_free(REMORA_CONTAINER_OF(node, struct remora_grpc_pending, node));
    }
    call->queue_bytes = 0;
}

/* Allocator and, of what the core holds, its counter: what an entry takes beside its own bytes. */
enum { BLOCK_OVERHEAD_BYTES = 16, SLICE_OVERHEAD_BYTES = 32 };

static size_t held_bytes(const struct remora_grpc_pending *pending)
{
    size_t own = sizeof *pending + BLOCK_OVERHEAD_BYTES;
    return pending->is_text ? own + BLOCK_OVERHEAD_BYTES + pending->text.capacity
                            : own + SLICE_OVERHEAD_BYTES + GRPC_SLICE_LENGTH(pending->packed);
}

/* The entry is new or has grown: the queue is as large as what it takes, not as what it says. */
static void charge(struct remora_grpc_call *call, struct remora_grpc_pending *pending)
{
    size_t bytes = held_bytes(pending);
    call->queue_bytes += bytes - pending->charged_bytes;
    pending->charged_bytes = bytes;
}

static void count(struct remora_grpc_call *call, enum remora_metric metric)
{
    remora_metric_add(call->lane->worker->metrics, metric, NULL, 0, 1);
}

static grpc_op *op_head(struct remora_grpc_call *call, grpc_op *op)
{
    if (call->has_head) {
        return op;
    }
    call->has_head = true;
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    return op + 1;
}

static grpc_op *op_message(struct remora_grpc_call *call, grpc_op *op, grpc_slice packed)
{
    call->outgoing = grpc_raw_byte_buffer_create(&packed, 1);
    call->outgoing_bytes = GRPC_SLICE_LENGTH(packed);
    remora_grpc_traffic_sent(&call->lane->traffic, call->outgoing_bytes);
    grpc_slice_unref(packed);
    op->op = GRPC_OP_SEND_MESSAGE;
    op->data.send_message.send_message = call->outgoing;
    return op + 1;
}

static grpc_op *op_status(struct remora_grpc_call *call, grpc_op *op)
{
    struct remora_grpc_status *status = &call->status;
    call->has_ended = true;
    op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    op->data.send_status_from_server.status = status->code;
    op->data.send_status_from_server.status_details = &status->message;
    op->data.send_status_from_server.trailing_metadata = status->trailers;
    op->data.send_status_from_server.trailing_metadata_count = status->trailer_count;
    return op + 1;
}

static void hand_over(struct remora_grpc_call *call)
{
    remora_grpc_tag_give(&call->sent);
    grpc_call_error error =
        grpc_call_start_batch(call->call, call->ops, call->op_count, &call->sent, NULL);
    /* Only our own mistakes are reported here; a caller that left makes the batch come back without success. */
    assert(error == GRPC_CALL_OK);
    (void)error;
}

static void leave(struct remora_later *later)
{
    struct remora_grpc_lane *lane = REMORA_CONTAINER_OF(later, struct remora_grpc_lane, leave);
    for (struct remora_list *node; (node = remora_list_take(&lane->leaving)) != NULL;) {
        hand_over(REMORA_CONTAINER_OF(node, struct remora_grpc_call, leaving));
    }
}

void remora_grpc_sends_open(struct remora_grpc_lane *lane)
{
    remora_list_init(&lane->leaving);
    lane->leave.run = leave;
}

/* The batch in call->ops, up to `end`. */
static void start(struct remora_grpc_call *call, const grpc_op *end)
{
    struct remora_grpc_lane *lane = call->lane;
    call->is_sending = true;
    call->outstanding++;
    call->op_count = (size_t)(end - call->ops);
    remora_list_append(&lane->leaving, &call->leaving);
    remora_later_arm(lane->worker->loop, &lane->leave);
}

static grpc_op *begin_batch(struct remora_grpc_call *call)
{
    memset(call->ops, 0, sizeof call->ops);
    return op_head(call, call->ops);
}

/* The head of the queue, packed. */
static grpc_slice take_packed(struct remora_grpc_call *call)
{
    struct remora_grpc_pending *pending =
        REMORA_CONTAINER_OF(remora_list_take(&call->queue), struct remora_grpc_pending, node);
    grpc_slice packed;
    if (pending->is_text) {
        packed = remora_grpc_pack_text(pending->choice_index, pending->block_index,
                                       remora_buf_slice(&pending->text));
    } else {
        packed = grpc_slice_ref(pending->packed);
    }
    call->queue_bytes -= pending->charged_bytes;
    pending_free(pending);
    return packed;
}

static void send_now(struct remora_grpc_call *call, grpc_slice packed)
{
    grpc_op *op = op_message(call, begin_batch(call), packed);
    if (call->is_ending && remora_list_is_empty(&call->queue)) {
        op = op_status(call, op);
    }
    start(call, op);
}

static void pump(struct remora_grpc_call *call)
{
    if (call->is_sending || call->is_over || call->has_ended) {
        return;
    }
    if (!remora_list_is_empty(&call->queue)) {
        send_now(call, take_packed(call));
    } else if (call->is_ending) {
        start(call, op_status(call, begin_batch(call)));
    }
}

void remora_grpc_on_sent(struct remora_grpc_tag *tag, bool ok)
{
    struct remora_grpc_call *call = REMORA_CONTAINER_OF(tag, struct remora_grpc_call, sent);
    (void)ok; /* the close tells why */
    call->is_sending = false;
    if (call->outgoing != NULL) {
        grpc_byte_buffer_destroy(call->outgoing);
        call->outgoing = NULL;
        call->outgoing_bytes = 0;
    }
    pump(call);
    if (call->is_ending) {
        remora_grpc_unread_sent(call);
    }
    if (!call->is_sending && !call->is_over && !call->is_ending && call->on_writable != NULL) {
        call->on_writable(call);
    }
}

/* No memory for the queue: what was not sent cannot be made up for, so the call ends. */
static void give_up(struct remora_grpc_call *call)
{
    grpc_call_cancel_with_status(call->call, GRPC_STATUS_UNAVAILABLE,
                                 "The gateway is out of memory; try again.", NULL);
}

static struct remora_grpc_pending *pending_new(struct remora_grpc_call *call, int32_t choice_index)
{
    struct remora_grpc_pending *pending = remora_alloc(sizeof *pending);
    if (pending == NULL) {
        give_up(call);
        return NULL;
    }
    pending->choice_index = choice_index;
    pending->packed = grpc_empty_slice();
    remora_buf_init(&pending->text, REMORA_LIMIT_UPSTREAM_EVENT_BYTES);
    remora_list_append(&call->queue, &pending->node);
    return pending;
}

static bool must_wait(const struct remora_grpc_call *call)
{
    return call->is_sending || !remora_list_is_empty(&call->queue);
}

static void enqueue(struct remora_grpc_call *call, int32_t choice_index, grpc_slice packed)
{
    struct remora_grpc_pending *pending = pending_new(call, choice_index);
    if (pending == NULL) {
        grpc_slice_unref(packed);
        return;
    }
    pending->packed = packed;
    charge(call, pending);
}

void remora_grpc_send_event(struct remora_grpc_call *call, int32_t choice_index, grpc_slice packed)
{
    assert(!call->is_ending);
    if (call->is_over) {
        grpc_slice_unref(packed);
        return;
    }
    count(call, REMORA_METRIC_GRPC_MESSAGES);
    if (must_wait(call)) {
        enqueue(call, choice_index, packed);
    } else {
        send_now(call, packed);
    }
}

void remora_grpc_send(struct remora_grpc_call *call, grpc_slice packed)
{
    remora_grpc_send_event(call, REMORA_GRPC_NO_CHOICE, packed);
}

/* The last of the choice that waits, if it is a text delta of the block. What is of no choice keeps its place among all. */
static struct remora_grpc_pending *growing(struct remora_grpc_call *call, int32_t choice_index,
                                           int32_t block_index)
{
    struct remora_list *head = &call->queue;
    for (struct remora_list *node = head->previous; node != head; node = node->previous) {
        struct remora_grpc_pending *last =
            REMORA_CONTAINER_OF(node, struct remora_grpc_pending, node);
        if (last->choice_index == choice_index) {
            return last->is_text && last->block_index == block_index ? last : NULL;
        }
        if (last->choice_index == REMORA_GRPC_NO_CHOICE) {
            return NULL;
        }
    }
    return NULL;
}

static void append_text(struct remora_grpc_call *call, struct remora_grpc_pending *pending,
                        struct remora_slice text)
{
    remora_buf_append(&pending->text, text);
    if (remora_buf_code(&pending->text) != REMORA_OK) {
        give_up(call);
        return;
    }
    charge(call, pending);
}

void remora_grpc_send_text(struct remora_grpc_call *call, const struct remora_event *event)
{
    int32_t choice_index = event->choice_index;
    int32_t block_index = event->text.block_index;
    struct remora_slice text = event->text.text;
    if (call->is_over) {
        return;
    }
    if (!must_wait(call)) {
        remora_grpc_send(call, remora_grpc_pack_text(choice_index, block_index, text));
        return;
    }
    struct remora_grpc_pending *pending = growing(call, choice_index, block_index);
    if (pending != NULL) {
        count(call, REMORA_METRIC_GRPC_MERGED);
        append_text(call, pending, text);
        return;
    }
    pending = pending_new(call, choice_index);
    if (pending != NULL) {
        count(call, REMORA_METRIC_GRPC_MESSAGES);
        pending->is_text = true;
        pending->block_index = block_index;
        append_text(call, pending, text);
    }
}

void remora_grpc_finish(struct remora_grpc_call *call)
{
    call->is_ending = true;
    pump(call);
    remora_grpc_unread_begin(call);
}

/* A call that no exchange took: counted and logged here, the others by the exchange's observer. */
static void tell_refusal(const struct remora_grpc_call *call, const struct remora_fail *fail)
{
    const struct remora_slice code = remora_slice_of(remora_code_row(fail->code)->name);
    const struct remora_slice method =
        call->method == NULL ? REMORA_SLICE("other") : remora_slice_of(call->method->path);
    const struct remora_slice labels[] = {REMORA_SLICE("grpc"),  REMORA_SLICE("other"),
                                          REMORA_SLICE("other"), REMORA_SLICE("other"),
                                          REMORA_SLICE("none"),  code};
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("listener", REMORA_SLICE("grpc")),
        REMORA_LOG_TEXT("route", method),
        REMORA_LOG_NUMBER("status", remora_fail_http_status(fail)),
        REMORA_LOG_TEXT("code", code),
    };
    remora_metric_add(call->lane->worker->metrics, REMORA_METRIC_REQUESTS, labels,
                      REMORA_COUNT_OF(labels), 1);
    remora_log(REMORA_LOG_INFO, "grpc answer", fields, REMORA_COUNT_OF(fields));
}

void remora_grpc_refuse(struct remora_grpc_call *call, const struct remora_fail *fail)
{
    if (call->is_over) {
        return;
    }
    tell_refusal(call, fail);
    remora_grpc_status_fail(&call->status, fail, NULL, remora_grpc_time_left_ms(call),
                            &call->lane->scratch);
    remora_grpc_finish(call);
}

void remora_grpc_answer(struct remora_grpc_call *call, grpc_slice packed)
{
    assert(!call->is_ending && call->status.is_set);
    if (call->is_over) {
        grpc_slice_unref(packed);
        return;
    }
    if (must_wait(call)) {
        enqueue(call, REMORA_GRPC_NO_CHOICE, packed);
        call->is_ending = true;
    } else {
        call->is_ending = true;
        send_now(call, packed);
    }
    remora_grpc_unread_begin(call);
}
