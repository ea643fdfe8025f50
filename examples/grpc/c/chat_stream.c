/*
 * A gRPC client of remora.v1.ChatService in C: protobuf-c for the messages, the gRPC C core for the call. Streams one answer,
 * prints it as it arrives, tells of fallbacks and of the route that it took.
 *
 *     chat_stream 127.0.0.1:7361 demo/echo-1 "Hello there"
 *
 * The messages come from proto/remora/v1 (see cmake/proto.cmake for how protoc-gen-c is brought to take proto3 `optional`).
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "remora/v1/chat.pb-c.h"

#define METHOD     "/remora.v1.ChatService/StreamChat"
#define TIMEOUT_MS 60000

/* The twin that protobuf-c is generated from carries strings as bytes: with their length, not ended by a NUL. */
static ProtobufCBinaryData bytes_of(char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
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

static enum client_next on_event(void *context, const uint8_t *data, size_t length)
{
    Remora__V1__StreamChatResponse *event =
        remora__v1__stream_chat_response__unpack(NULL, length, data);
    (void)context;
    if (event != NULL) {
        print_event(event);
        remora__v1__stream_chat_response__free_unpacked(event, NULL);
    }
    return CLIENT_GO_ON;
}

static grpc_status_code stream(struct client *client, const Remora__V1__StreamChatRequest *request)
{
    struct client_status status;
    struct client_call call = {METHOD, &request->base, TIMEOUT_MS, on_event, NULL};
    client_run(client, &call, &status);
    if (status.code != GRPC_STATUS_OK) {
        fprintf(stderr, "status %d: %s\n", (int)status.code, status.message);
    }
    client_status_fini(&status);
    return status.code;
}

static grpc_status_code ask(struct client *client, char *model, char *text)
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
    return stream(client, &request);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST:PORT MODEL TEXT\n", argv[0]);
        return 2;
    }
    struct client *client = client_open(argv[1]);
    grpc_status_code code = ask(client, argv[2], argv[3]);
    client_close(client);
    return code == GRPC_STATUS_OK ? 0 : 1;
}
