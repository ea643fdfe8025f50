/*
 * What a unary call costs on this gRPC core with our hand-off and nothing else: a server that sends every message back. One
 * worker, plaintext, no quota, any method. Prints `listening PORT` and serves until it is killed; bench.py puts it beside
 * the whole front in the same run.
 */
#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h>
#endif

#include "../../src/front/grpc/handoff.h"

enum { ARMED = 64 };

struct echo {
    struct remora_worker worker;
    struct remora_grpc_lane lane;
    struct remora_grpc_poller poller;
    grpc_server *server;
};

struct echo_call {
    struct echo *echo;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    struct remora_grpc_tag arrived;
    struct remora_grpc_tag received;
    struct remora_grpc_tag closed;
    struct remora_grpc_tag sent;
    unsigned outstanding;
    int was_cancelled;
    grpc_byte_buffer *message;
};

static void arm(struct echo *echo);

static void came_back(struct echo_call *call)
{
    call->outstanding--;
    if (call->outstanding > 0) {
        return;
    }
    grpc_byte_buffer_destroy(call->message);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_details_destroy(&call->details);
    grpc_call_unref(call->call);
    free(call);
}

static void start(struct echo_call *call, const grpc_op *ops, size_t count,
                  struct remora_grpc_tag *tag)
{
    call->outstanding++;
    grpc_call_error error = grpc_call_start_batch(call->call, ops, count, tag, NULL);
    assert(error == GRPC_CALL_OK);
    (void)error;
}

static void on_end(struct remora_grpc_tag *tag, bool ok)
{
    (void)ok;
    came_back(REMORA_CONTAINER_OF(tag, struct echo_call, closed));
}

static void on_sent(struct remora_grpc_tag *tag, bool ok)
{
    (void)ok;
    came_back(REMORA_CONTAINER_OF(tag, struct echo_call, sent));
}

static void on_received(struct remora_grpc_tag *tag, bool ok)
{
    struct echo_call *call = REMORA_CONTAINER_OF(tag, struct echo_call, received);
    grpc_slice none = grpc_empty_slice();
    grpc_op ops[3] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
    ops[1].data.send_message.send_message = call->message;
    ops[2].data.send_status_from_server.status_details = &none;
    if (ok && call->message != NULL) {
        start(call, ops, 3, &call->sent);
    }
    came_back(call);
}

static void on_arrived(struct remora_grpc_tag *tag, bool ok)
{
    struct echo_call *call = REMORA_CONTAINER_OF(tag, struct echo_call, arrived);
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    grpc_op message = {.op = GRPC_OP_RECV_MESSAGE};
    assert(ok);
    (void)ok;
    arm(call->echo);
    close.data.recv_close_on_server.cancelled = &call->was_cancelled;
    message.data.recv_message.recv_message = &call->message;
    start(call, &close, 1, &call->closed);
    start(call, &message, 1, &call->received);
    came_back(call);
}

static void arm(struct echo *echo)
{
    struct echo_call *call = calloc(1, sizeof *call);
    assert(call != NULL);
    call->echo = echo;
    call->outstanding = 1;
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    remora_grpc_tag_init(&call->arrived, &echo->lane, on_arrived);
    remora_grpc_tag_init(&call->received, &echo->lane, on_received);
    remora_grpc_tag_init(&call->closed, &echo->lane, on_end);
    remora_grpc_tag_init(&call->sent, &echo->lane, on_sent);
    grpc_call_error error =
        grpc_server_request_call(echo->server, &call->call, &call->details, &call->metadata,
                                 echo->lane.queue, echo->lane.arrivals, &call->arrived);
    assert(error == GRPC_CALL_OK);
    (void)error;
}

static int listen_on(grpc_server *server)
{
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    return port;
}

int main(void)
{
    struct echo *echo = calloc(1, sizeof *echo);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (echo == NULL || remora_loop_new(&echo->worker.loop) != REMORA_OK) {
        return 1;
    }
    grpc_init();
    bool is_old = atoi(grpc_version_string()) < (int)REMORA_GRPC_OLD_CORE_BELOW;
    struct remora_grpc_poller *poller = is_old ? &echo->poller : NULL;
    echo->server = grpc_server_create(NULL, NULL);
    if ((is_old && remora_grpc_poller_open(poller) != REMORA_OK) ||
        remora_grpc_lane_open(&echo->lane, &echo->worker, poller) != REMORA_OK) {
        return 1;
    }
    grpc_server_register_completion_queue(echo->server, echo->lane.arrivals, NULL);
    int port = listen_on(echo->server);
    grpc_server_start(echo->server);
    for (int i = 0; i < ARMED; i++) {
        arm(echo);
    }
    printf("listening %d\n", port);
    fflush(stdout);
    remora_loop_run(echo->worker.loop);
    return 0;
}
