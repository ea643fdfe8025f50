#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#if defined(__has_include)
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h> /* where newer cores have them */
#endif
#endif

enum { ANSWER_BYTES = 32 << 20, PEM_BYTES = 64 << 10, KEEPALIVE_MS = 30000 };

/* A sidecar may start after the service: its first call waits for it, as long as it has time. */
#define WAIT_FOR_READY \
    (GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET)

struct client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    char authorization[256]; /* empty: no key */
};

static grpc_arg integer(const char *name, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)name, .value.integer = value};
}

/* TLS with the CA of REMORA_CA, where the gateway is not a sidecar. */
static grpc_channel_credentials *security(void)
{
    const char *path = getenv("REMORA_CA");
    char pem[PEM_BYTES] = {0};
    if (path == NULL) {
        return grpc_insecure_credentials_create();
    }
    FILE *file = fopen(path, "r");
    if (file == NULL || fread(pem, 1, sizeof pem - 1, file) == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return grpc_ssl_credentials_create(pem, NULL, NULL, NULL);
}

static grpc_channel *connect_to(const char *address)
{
    grpc_arg args[] = {
        /* The gateway asks other providers; a second call would be a second answer to pay for. */
        integer(GRPC_ARG_ENABLE_RETRIES, 0),
        /* Answers may hold pictures; the default is 4 MiB. */
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, ANSWER_BYTES),
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
    };
    grpc_channel_args all = {.num_args = sizeof args / sizeof args[0], .args = args};
    grpc_channel_credentials *credentials = security();
    grpc_channel *channel = grpc_channel_create(address, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return channel;
}

struct client *client_open(const char *address)
{
    struct client *client = calloc(1, sizeof *client);
    const char *key = getenv("REMORA_API_KEY"); /* only where the gateway has keys */
    if (client == NULL) {
        abort();
    }
    grpc_init();
    client->channel = connect_to(address);
    client->queue = grpc_completion_queue_create_for_next(NULL);
    if (key != NULL) {
        snprintf(client->authorization, sizeof client->authorization, "Bearer %s", key);
    }
    return client;
}

void client_close(struct client *client)
{
    gpr_timespec forever = gpr_inf_future(GPR_CLOCK_REALTIME);
    grpc_completion_queue_shutdown(client->queue);
    while (grpc_completion_queue_next(client->queue, forever, NULL).type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(client->queue);
    grpc_channel_destroy(client->channel);
    free(client);
    grpc_shutdown();
}

/* Runs one batch and waits for it; 0 when it did not succeed. */
static int run(grpc_call *call, grpc_completion_queue *queue, const grpc_op *ops, size_t count)
{
    if (grpc_call_start_batch(call, ops, count, NULL, NULL) != GRPC_CALL_OK) {
        return 0;
    }
    grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    return event.type == GRPC_OP_COMPLETE && event.success;
}

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static int begin(struct client *client, grpc_call *call, const ProtobufCMessage *message)
{
    grpc_byte_buffer *request = pack(message);
    grpc_metadata key = {.key = grpc_slice_from_static_string("authorization"),
                         .value = grpc_slice_from_static_string(client->authorization)};
    grpc_metadata_array initial;
    grpc_metadata_array_init(&initial);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    ops[0].flags = WAIT_FOR_READY;
    ops[0].data.send_initial_metadata.count = client->authorization[0] != '\0';
    ops[0].data.send_initial_metadata.metadata = &key;
    ops[1].data.send_message.send_message = request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial;
    int is_begun = run(call, client->queue, ops, 4);
    grpc_byte_buffer_destroy(request);
    grpc_metadata_array_destroy(&initial);
    return is_begun;
}

static enum client_next hand_over(const struct client_call *what, grpc_byte_buffer *message)
{
    enum client_next next = CLIENT_CANCEL;
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, message)) {
        grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
        next =
            what->on_message(what->context, GRPC_SLICE_START_PTR(bytes), GRPC_SLICE_LENGTH(bytes));
        grpc_slice_unref(bytes);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    return next;
}

static void read_messages(struct client *client, grpc_call *call, const struct client_call *what)
{
    for (;;) {
        grpc_byte_buffer *message = NULL;
        grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
        op.data.recv_message.recv_message = &message;
        if (!run(call, client->queue, &op, 1) || message == NULL) {
            return;
        }
        if (hand_over(what, message) == CLIENT_CANCEL) {
            grpc_call_cancel(call, NULL); /* ends this call's request to the provider, too */
        }
        grpc_byte_buffer_destroy(message);
    }
}

static Google__Rpc__Status *details_in(const grpc_metadata_array *trailers)
{
    for (size_t i = 0; i < trailers->count; i++) {
        const grpc_metadata *entry = &trailers->metadata[i];
        if (grpc_slice_str_cmp(entry->key, "grpc-status-details-bin") == 0) {
            return google__rpc__status__unpack(NULL, GRPC_SLICE_LENGTH(entry->value),
                                               GRPC_SLICE_START_PTR(entry->value));
        }
    }
    return NULL;
}

static void read_status(struct client *client, grpc_call *call, struct client_status *status)
{
    grpc_slice message = grpc_empty_slice();
    grpc_metadata_array trailers;
    grpc_metadata_array_init(&trailers);
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &trailers;
    op.data.recv_status_on_client.status = &status->code;
    op.data.recv_status_on_client.status_details = &message;
    run(call, client->queue, &op, 1);
    snprintf(status->message, sizeof status->message, "%.*s", (int)GRPC_SLICE_LENGTH(message),
             (const char *)GRPC_SLICE_START_PTR(message));
    status->details = details_in(&trailers);
    grpc_metadata_array_destroy(&trailers);
    grpc_slice_unref(message);
}

void client_run(struct client *client, const struct client_call *what, struct client_status *status)
{
    gpr_timespec limit = gpr_time_from_millis(what->timeout_ms, GPR_TIMESPAN);
    gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), limit);
    grpc_slice method = grpc_slice_from_static_string(what->method);
    grpc_call *call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               client->queue, method, NULL, deadline, NULL);
    *status = (struct client_status){.code = GRPC_STATUS_UNKNOWN};
    if (begin(client, call, what->request)) {
        read_messages(client, call, what);
    }
    read_status(client, call, status);
    grpc_call_unref(call);
}

void client_status_fini(struct client_status *status)
{
    if (status->details != NULL) {
        google__rpc__status__free_unpacked(status->details, NULL);
    }
    status->details = NULL;
}
