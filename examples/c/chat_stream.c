/*
 * A gRPC client of remora.v1.ChatService in C: protobuf-c for the messages, the gRPC C core for the call. Streams one answer,
 * prints it as it arrives, tells of fallbacks and of the route that it took.
 *
 *     chat_stream 127.0.0.1:7361 demo/echo-1 "Hello there"
 *
 * The messages come from proto/remora/v1 (see cmake/proto.cmake for how protoc-gen-c is brought to take proto3 `optional`).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#if defined(__has_include)
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h>
#endif
#endif

#include "remora/v1/chat.pb-c.h"

#define METHOD    "/remora.v1.ChatService/StreamChat"
#define TIMEOUT_S 60

/* Runs one batch and waits for it; 0 when it did not succeed. */
static int run(grpc_call *call, grpc_completion_queue *queue, const grpc_op *ops, size_t count)
{
    if (grpc_call_start_batch(call, ops, count, NULL, NULL) != GRPC_CALL_OK) {
        return 0;
    }
    grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    return event.type == GRPC_OP_COMPLETE && event.success;
}

/* The twin that protobuf-c is generated from carries strings as bytes: with their length, not ended by a NUL. */
static ProtobufCBinaryData bytes_of(char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

static grpc_byte_buffer *pack(char *model, char *text)
{
    Remora__V1__ContentPart part = REMORA__V1__CONTENT_PART__INIT;
    part.kind_case = REMORA__V1__CONTENT_PART__KIND_TEXT;
    part.text = bytes_of(text);
    Remora__V1__ContentPart *parts[] = {&part};
    Remora__V1__Message message = REMORA__V1__MESSAGE__INIT;
    message.has_role = 1;
    message.role = REMORA__V1__ROLE__ROLE_USER;
    message.n_parts = 1;
    message.parts = parts;
    Remora__V1__Message *messages[] = {&message};
    Remora__V1__ChatRequest chat = REMORA__V1__CHAT_REQUEST__INIT;
    chat.has_model = 1;
    chat.model = bytes_of(model);
    chat.n_messages = 1;
    chat.messages = messages;
    Remora__V1__StreamChatRequest request = REMORA__V1__STREAM_CHAT_REQUEST__INIT;
    request.chat = &chat;
    grpc_slice slice =
        grpc_slice_malloc(remora__v1__stream_chat_request__get_packed_size(&request));
    remora__v1__stream_chat_request__pack(&request, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void print_attempt(const Remora__V1__Attempt *attempt)
{
    const char *reason = attempt->reason.len > 0 ? (const char *)attempt->reason.data : "answered";
    int length = attempt->reason.len > 0 ? (int)attempt->reason.len : (int)strlen(reason);
    printf("  %.*s (%.*s): %.*s", (int)attempt->provider.len, (const char *)attempt->provider.data,
           (int)attempt->model.len, (const char *)attempt->model.data, length, reason);
    if (attempt->reason.len > 0) {
        printf(", HTTP %d", (int)attempt->http_status);
    }
    printf("\n");
}

static void print_event(const Remora__V1__StreamChatResponse *event)
{
    switch (event->event_case) {
    case REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_TEXT:
        fwrite(event->text->text.data, 1, event->text->text.len, stdout);
        fflush(stdout);
        return;
    case REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_COMPLETED:
        printf("\nroute:\n");
        for (size_t i = 0;
             event->completed->route != NULL && i < event->completed->route->n_attempts; i++) {
            print_attempt(event->completed->route->attempts[i]);
        }
        return;
    default: /* started, choice_finished and what a later version adds */
        return;
    }
}

static void print_message(grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        return;
    }
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    Remora__V1__StreamChatResponse *event = remora__v1__stream_chat_response__unpack(
        NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    if (event != NULL) {
        print_event(event);
        remora__v1__stream_chat_response__free_unpacked(event, NULL);
    }
    grpc_slice_unref(bytes);
    grpc_byte_buffer_reader_destroy(&reader);
}

static void read_messages(grpc_call *call, grpc_completion_queue *queue)
{
    for (;;) {
        grpc_byte_buffer *message = NULL;
        grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
        op.data.recv_message.recv_message = &message;
        if (!run(call, queue, &op, 1) || message == NULL) {
            return;
        }
        print_message(message);
        grpc_byte_buffer_destroy(message);
    }
}

static int read_status(grpc_call *call, grpc_completion_queue *queue)
{
    grpc_status_code status = GRPC_STATUS_UNKNOWN;
    grpc_slice details = grpc_empty_slice();
    grpc_metadata_array trailers;
    grpc_metadata_array_init(&trailers);
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &trailers;
    op.data.recv_status_on_client.status = &status;
    op.data.recv_status_on_client.status_details = &details;
    run(call, queue, &op, 1);
    if (status != GRPC_STATUS_OK) {
        fprintf(stderr, "status %d: %.*s\n", (int)status, (int)GRPC_SLICE_LENGTH(details),
                (const char *)GRPC_SLICE_START_PTR(details));
    }
    grpc_metadata_array_destroy(&trailers);
    grpc_slice_unref(details);
    return status == GRPC_STATUS_OK ? 0 : 1;
}

static int stream(grpc_call *call, grpc_completion_queue *queue, char *model, char *text)
{
    grpc_byte_buffer *request = pack(model, text);
    grpc_metadata_array initial;
    grpc_metadata_array_init(&initial);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    ops[1].data.send_message.send_message = request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial;
    if (run(call, queue, ops, 4)) {
        read_messages(call, queue);
    }
    grpc_byte_buffer_destroy(request);
    grpc_metadata_array_destroy(&initial);
    return read_status(call, queue);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST:PORT MODEL TEXT\n", argv[0]);
        return 2;
    }
    grpc_init();
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(argv[1], credentials, NULL);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    grpc_slice method = grpc_slice_from_static_string(METHOD);
    grpc_call *call = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method, NULL,
        gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_seconds(TIMEOUT_S, GPR_TIMESPAN)),
        NULL);
    int status = stream(call, queue, argv[2], argv[3]);
    grpc_call_unref(call);
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(queue);
    grpc_channel_destroy(channel);
    grpc_channel_credentials_release(credentials);
    grpc_shutdown();
    return status;
}
