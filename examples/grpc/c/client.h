/*
 * A small blocking gRPC client on the C core: what generated stubs do in other languages. protoc-gen-c makes messages only.
 * Threads: one client, one thread. Everything that is passed in stays the caller's.
 */
#ifndef EXAMPLE_CLIENT_H
#define EXAMPLE_CLIENT_H

#include <grpc/grpc.h>

#include "google/rpc/status.pb-c.h"

struct client;

/* What a call's on_message answers. */
enum client_next { CLIENT_GO_ON, CLIENT_CANCEL };

struct client_call {
    const char *method; /* "/remora.v1.ChatService/Chat" */
    const ProtobufCMessage *request;
    int64_t timeout_ms;
    /* Each message of the answer, one for a unary call. */
    enum client_next (*on_message)(void *context, const uint8_t *data, size_t length);
    void *context; /* of on_message */
};

struct client_status {
    grpc_status_code code;
    char message[256];
    Google__Rpc__Status *details; /* NULL: none */
};

/* Never NULL: the connection is made with the first call, which says what is wrong. */
struct client *client_open(const char *address);
void client_close(struct client *client);

/* Returns when the call has ended, whatever its status; client_status_fini frees what stands in it. */
void client_run(struct client *client, const struct client_call *call,
                struct client_status *status);
void client_status_fini(struct client_status *status);

#endif
