/*
 * remora.v1.ChatService from C, with protobuf-c and the gRPC C core: unary, a stream with its fallback, typed error details, a
 * deadline, cancelling.
 *
 *     make stubs LANGUAGES=c
 *     cmake -S examples/grpc/c -B build/c-example -DREMORA_STUBS="$PWD/build/stubs/c" && cmake --build build/c-example
 *     build/c-example/examples/chat 127.0.0.1:7361
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "google/rpc/error_details.pb-c.h"
#include "remora/v1/chat.pb-c.h"

#define UNARY  "/remora.v1.ChatService/Chat"
#define STREAM "/remora.v1.ChatService/StreamChat"

enum { USUAL_MS = 30000, SHORT_MS = 200 };

/* A question with all that it points to; in one piece because messages of protobuf-c hold pointers. */
struct question {
    Remora__V1__ContentPart part, *parts[1];
    Remora__V1__Message user, *messages[1];
    Remora__V1__ChatRequest chat;
    Remora__V1__StreamChatRequest streamed;
};

/* Strings are bytes with their length here, not ended by a NUL. */
static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

static void print(const char *before, ProtobufCBinaryData text, const char *after)
{
    printf("%s%.*s%s", before, (int)text.len, (const char *)text.data, after);
}

static void ask(struct question *q, const char *model)
{
    remora__v1__content_part__init(&q->part);
    remora__v1__message__init(&q->user);
    remora__v1__chat_request__init(&q->chat);
    remora__v1__stream_chat_request__init(&q->streamed);
    q->part.kind_case = REMORA__V1__CONTENT_PART__KIND_TEXT;
    q->part.text = bytes_of("Say hello.");
    q->parts[0] = &q->part;
    q->user.has_role = 1;
    q->user.role = REMORA__V1__ROLE__ROLE_USER;
    q->user.n_parts = 1;
    q->user.parts = q->parts;
    q->messages[0] = &q->user;
    q->chat.has_model = 1;
    q->chat.model = bytes_of(model);
    q->chat.n_messages = 1;
    q->chat.messages = q->messages;
    q->streamed.chat = &q->chat;
}

/* ---- unary ---- */

static enum client_next on_answer(void *context, const uint8_t *data, size_t length)
{
    Remora__V1__ChatResponse *answer = remora__v1__chat_response__unpack(NULL, length, data);
    (void)context;
    if (answer != NULL && answer->n_choices > 0 && answer->choices[0]->message->n_parts > 0) {
        print("unary: ", answer->choices[0]->message->parts[0]->text, "\n");
    }
    if (answer != NULL) {
        remora__v1__chat_response__free_unpacked(answer, NULL);
    }
    return CLIENT_GO_ON;
}

/* ---- streams ---- */

static void print_route(const Remora__V1__RouteInfo *route)
{
    for (size_t i = 0; route != NULL && i < route->n_attempts; i++) {
        const Remora__V1__Attempt *attempt = route->attempts[i];
        print(i == 0 ? "\nroute: " : ", ", attempt->provider, " ");
        print("", attempt->reason.len > 0 ? attempt->reason : bytes_of("answered"), "");
    }
    printf("\n");
}

static enum client_next print_event(const Remora__V1__StreamChatResponse *event)
{
    switch (event->event_case) {
    case REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_TEXT:
        print("", event->text->text, "");
        return CLIENT_GO_ON;
    case REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_COMPLETED: /* without it the text is not whole */
        print_route(event->completed->route);
        return CLIENT_GO_ON;
    default: /* started, choice_finished and what a later version adds */
        return CLIENT_GO_ON;
    }
}

static enum client_next ignore_event(const Remora__V1__StreamChatResponse *event)
{
    (void)event;
    return CLIENT_GO_ON;
}

static enum client_next leave_at_text(const Remora__V1__StreamChatResponse *event)
{
    if (event->event_case != REMORA__V1__STREAM_CHAT_RESPONSE__EVENT_TEXT) {
        return CLIENT_GO_ON;
    }
    print("cancelled: after '", event->text->text, "'\n");
    return CLIENT_CANCEL;
}

/* What to do with the events of a stream. */
struct follower {
    enum client_next (*follow)(const Remora__V1__StreamChatResponse *event);
};

static enum client_next on_event(void *context, const uint8_t *data, size_t length)
{
    const struct follower *follower = context;
    Remora__V1__StreamChatResponse *event =
        remora__v1__stream_chat_response__unpack(NULL, length, data);
    if (event == NULL) {
        return CLIENT_CANCEL;
    }
    enum client_next next = follower->follow(event);
    remora__v1__stream_chat_response__free_unpacked(event, NULL);
    return next;
}

static grpc_status_code stream(struct client *client, int64_t timeout_ms,
                               enum client_next (*follow)(const Remora__V1__StreamChatResponse *))
{
    struct question q;
    struct client_status status;
    struct follower follower = {follow};
    ask(&q, "demo/echo-1");
    struct client_call call = {STREAM, &q.streamed.base, timeout_ms, on_event, &follower};
    client_run(client, &call, &status);
    client_status_fini(&status);
    return status.code;
}

/* ---- errors ---- */

static int is_a(const Google__Protobuf__Any *any, const char *name)
{
    size_t length = strlen(name);
    return any->type_url.len >= length &&
           memcmp(any->type_url.data + any->type_url.len - length, name, length) == 0;
}

static void print_detail(const Google__Protobuf__Any *any)
{
    if (is_a(any, "/google.rpc.ErrorInfo")) {
        Google__Rpc__ErrorInfo *info =
            google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
        print(" ", info != NULL ? info->reason : bytes_of("?"), "");
        google__rpc__error_info__free_unpacked(info, NULL);
    } else if (is_a(any, "/google.rpc.BadRequest")) {
        Google__Rpc__BadRequest *bad =
            google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
        if (bad != NULL && bad->n_field_violations > 0) {
            print(" in ", bad->field_violations[0]->field, "");
        }
        google__rpc__bad_request__free_unpacked(bad, NULL);
    }
}

static int answer(struct client *client, const char *model)
{
    struct question q;
    struct client_status status;
    ask(&q, model);
    struct client_call call = {UNARY, &q.chat.base, USUAL_MS, on_answer, NULL};
    client_run(client, &call, &status);
    if (status.code == GRPC_STATUS_NOT_FOUND) {
        printf("refused: NOT_FOUND");
        for (size_t i = 0; status.details != NULL && i < status.details->n_details; i++) {
            print_detail(status.details->details[i]);
        }
        printf("\n");
    } else if (status.code != GRPC_STATUS_OK) {
        fprintf(stderr, "status %d: %s\n", (int)status.code, status.message);
    }
    client_status_fini(&status);
    return status.code == GRPC_STATUS_OK;
}

int main(int argc, char **argv)
{
    struct client *client = client_open(argc > 1 ? argv[1] : "127.0.0.1:7361");
    int is_ok = answer(client, "demo/echo-1");
    if (is_ok) {
        printf("stream: ");
        is_ok = stream(client, USUAL_MS, print_event) == GRPC_STATUS_OK;
        answer(client, "nobody/has-this");
        if (stream(client, SHORT_MS, ignore_event) == GRPC_STATUS_DEADLINE_EXCEEDED) {
            printf("deadline: DEADLINE_EXCEEDED\n");
        }
        stream(client, USUAL_MS, leave_at_text);
    }
    client_close(client);
    return is_ok ? 0 : 1;
}
