/* A caller of the transport that writes down what it is told. */
#ifndef REMORA_TEST_PROBE_H
#define REMORA_TEST_PROBE_H

#include "support.h"

#include "raw_server.h"
#include "remora/buf.h"
#include "remora/clock.h"
#include "remora/limits.h"
#include "remora/loop.h"
#include "remora/transport.h"

#include <stdlib.h>

enum { PROBE_PATIENCE_MS = 15000 };

enum probe_act { PROBE_NOTHING, PROBE_CANCEL, PROBE_RELEASE, PROBE_PAUSE, PROBE_RESUME_AND_PAUSE };

struct client {
    struct remora_loop *loop;
    struct remora_transport *transport;
};
void client_init(struct client *client, struct remora_trust *trust);
void client_fini(struct client *client);

struct probe {
    struct client *client;
    struct remora_transfer *transfer; /* NULL once it is over */
    struct remora_provider provider;
    struct remora_http_request request;
    struct remora_header headers[8];
    struct remora_slice pieces[8];
    char url[256];
    struct remora_slice hops;
    enum remora_reach reach; /* another than PROVIDER: nobody's transfer */
    bool is_nobodys;
    int64_t connect_timeout_ms;
    size_t body_limit_bytes;
    enum probe_act on_head;
    enum probe_act on_body;
    /* what came */
    bool is_in_call; /* an operation is on the stack: no callback may come */
    int heads;
    int status;
    char content_type[64];
    int bodies;
    struct remora_buf body;
    bool is_over;
    bool was_sent; /* as cancel said */
    struct remora_transfer_end end;
};

/* GET url + path, nothing started yet. */
void probe_init(struct probe *probe, struct client *client, const char *url, const char *path);
void probe_fini(struct probe *probe);
void probe_post(struct probe *probe, const char *body, size_t length);
void probe_start(struct probe *probe);
void probe_cancel(struct probe *probe);
void probe_release(struct probe *probe);
void probe_resume(struct probe *probe);
/* Runs the loop until the transfer is over; fails the test when that takes PROBE_PATIENCE_MS. */
void probe_finish(struct probe *probe);
/* The loop turns until *counter is at least `wanted`. */
void client_run_until(struct client *client, const atomic_int *counter, int wanted);
void client_run_ms(struct client *client, int ms);
void client_run_until_closed(struct client *client, struct raw_server *server);
uint64_t test_now_ns(void);

#endif
