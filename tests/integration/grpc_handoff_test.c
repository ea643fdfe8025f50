/*
 * Both ways of the hand-off (src/front/grpc/handoff.h) with one worker and with four, whatever the core is: a server that only
 * answers, asked by a client of the same core. Every completion has to run on the thread of its worker, once.
 */
#include "support.h"

#include "../../src/front/grpc/handoff.h"

#include <grpc/grpc_security.h>
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h>
#endif
#include <grpc/slice.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 4, ARMED = 4, CALLS = 200, ABREAST = 8 };

struct station {
    struct remora_worker worker;
    struct remora_grpc_lane lane;
    pthread_t thread;
    struct site *site;
};

struct site {
    struct station stations[WORKERS];
    unsigned count;
    struct remora_grpc_poller poller;
    grpc_server *server;
    struct remora_grpc_tag shut_down;
    sem_t has_shut_down;
    sem_t is_empty;
    _Atomic unsigned open; /* calls armed or under way */
    _Atomic unsigned answered;
    _Atomic unsigned elsewhere; /* completions on a thread that is not their worker's */
    _Atomic bool is_ending;
};

struct answering {
    struct station *station;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    struct remora_grpc_tag arrived;
    struct remora_grpc_tag sent;
    struct remora_grpc_tag closed;
    unsigned outstanding;
    int was_cancelled;
};

static void arm(struct station *station);

static void check_thread(const struct station *station)
{
    if (pthread_equal(pthread_self(), station->thread) == 0) {
        atomic_fetch_add(&station->site->elsewhere, 1);
    }
}

static void came_back(struct answering *a)
{
    struct site *site = a->station->site;
    check_thread(a->station);
    if (--a->outstanding > 0) {
        return;
    }
    if (a->call != NULL) {
        grpc_call_unref(a->call);
    }
    grpc_call_details_destroy(&a->details);
    grpc_metadata_array_destroy(&a->metadata);
    free(a);
    if (atomic_fetch_sub(&site->open, 1) == 1) {
        sem_post(&site->is_empty);
    }
}

static void on_sent(struct remora_grpc_tag *tag, bool ok)
{
    struct answering *a = REMORA_CONTAINER_OF(tag, struct answering, sent);
    atomic_fetch_add(&a->station->site->answered, ok ? 1 : 0);
    came_back(a);
}

static void on_closed(struct remora_grpc_tag *tag, bool ok)
{
    (void)ok;
    came_back(REMORA_CONTAINER_OF(tag, struct answering, closed));
}

static void start_batch(struct answering *a, const grpc_op *ops, size_t count,
                        struct remora_grpc_tag *tag)
{
    a->outstanding++;
    remora_grpc_tag_give(tag);
    assert_int_equal(grpc_call_start_batch(a->call, ops, count, tag, NULL), GRPC_CALL_OK);
}

static void on_arrived(struct remora_grpc_tag *tag, bool ok)
{
    struct answering *a = REMORA_CONTAINER_OF(tag, struct answering, arrived);
    if (ok) {
        grpc_slice words = grpc_slice_from_static_string("good");
        grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
        grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                          {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
        close.data.recv_close_on_server.cancelled = &a->was_cancelled;
        ops[1].data.send_status_from_server.status = GRPC_STATUS_OK;
        ops[1].data.send_status_from_server.status_details = &words;
        if (!atomic_load(&a->station->site->is_ending)) {
            arm(a->station);
        }
        start_batch(a, &close, 1, &a->closed);
        start_batch(a, ops, 2, &a->sent);
    }
    came_back(a);
}

static void arm(struct station *station)
{
    struct answering *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->station = station;
    a->outstanding = 1;
    grpc_call_details_init(&a->details);
    grpc_metadata_array_init(&a->metadata);
    remora_grpc_tag_init(&a->arrived, &station->lane, on_arrived);
    remora_grpc_tag_init(&a->sent, &station->lane, on_sent);
    remora_grpc_tag_init(&a->closed, &station->lane, on_closed);
    atomic_fetch_add(&station->site->open, 1);
    remora_grpc_tag_give(&a->arrived);
    if (grpc_server_request_call(station->site->server, &a->call, &a->details, &a->metadata,
                                 station->lane.queue, station->lane.arrivals,
                                 &a->arrived) != GRPC_CALL_OK) {
        came_back(a);
    }
}

/* ---- the site ---- */

static void *run_loop(void *context)
{
    remora_loop_run(((struct station *)context)->worker.loop);
    return NULL;
}

static void on_shut_down(struct remora_grpc_tag *tag, bool ok)
{
    (void)ok;
    sem_post(&REMORA_CONTAINER_OF(tag, struct site, shut_down)->has_shut_down);
}

static int site_open(struct site *site, enum remora_grpc_way way, unsigned count)
{
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    struct remora_grpc_poller *poller = way == REMORA_GRPC_FUNCTOR ? &site->poller : NULL;
    memset(site, 0, sizeof *site);
    site->count = count;
    sem_init(&site->has_shut_down, 0, 0);
    sem_init(&site->is_empty, 0, 0);
    site->server = grpc_server_create(NULL, NULL);
    if (poller != NULL) {
        assert_int_equal(remora_grpc_poller_open(poller), REMORA_OK);
    }
    for (unsigned i = 0; i < count; i++) {
        struct station *s = &site->stations[i];
        s->site = site;
        s->worker.index = i;
        assert_int_equal(remora_loop_new(&s->worker.loop), REMORA_OK);
        assert_int_equal(remora_grpc_lane_open(&s->lane, &s->worker, poller), REMORA_OK);
        grpc_server_register_completion_queue(site->server, s->lane.arrivals, NULL);
        assert_int_equal(pthread_create(&s->thread, NULL, run_loop, s), 0);
    }
    int port = grpc_server_add_http2_port(site->server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    assert_true(port > 0);
    grpc_server_start(site->server);
    for (unsigned n = 0; n < ARMED; n++) {
        for (unsigned i = 0; i < count; i++) {
            arm(&site->stations[i]);
        }
    }
    return port;
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void site_close(struct site *site)
{
    atomic_store(&site->is_ending, true);
    remora_grpc_tag_init(&site->shut_down, &site->stations[0].lane, on_shut_down);
    remora_grpc_tag_give(&site->shut_down);
    grpc_server_shutdown_and_notify(site->server, site->stations[0].lane.arrivals,
                                    &site->shut_down);
    grpc_server_cancel_all_calls(site->server);
    wait_for(&site->has_shut_down);
    while (atomic_load(&site->open) > 0) {
        wait_for(&site->is_empty);
    }
    for (unsigned i = 0; i < site->count; i++) {
        remora_grpc_lane_settle(&site->stations[i].lane);
    }
    grpc_server_destroy(site->server);
    remora_grpc_poller_close(&site->poller);
    for (unsigned i = 0; i < site->count; i++) {
        struct station *s = &site->stations[i];
        remora_grpc_lane_close(&s->lane);
        remora_loop_stop(s->worker.loop);
        pthread_join(s->thread, NULL);
        remora_loop_free(s->worker.loop);
    }
    sem_destroy(&site->has_shut_down);
    sem_destroy(&site->is_empty);
}

/* ---- the client ---- */

struct asking {
    grpc_call *call;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice words;
};

static void ask(struct asking *a, grpc_channel *channel, grpc_completion_queue *queue)
{
    grpc_slice method = grpc_slice_from_static_string("/a.B/C");
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA},
                      {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
    memset(a, 0, sizeof *a);
    a->status = GRPC_STATUS_UNKNOWN;
    grpc_metadata_array_init(&a->initial);
    grpc_metadata_array_init(&a->trailing);
    ops[2].data.recv_initial_metadata.recv_initial_metadata = &a->initial;
    ops[3].data.recv_status_on_client.trailing_metadata = &a->trailing;
    ops[3].data.recv_status_on_client.status = &a->status;
    ops[3].data.recv_status_on_client.status_details = &a->words;
    a->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method, NULL,
                                       gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    assert_int_equal(grpc_call_start_batch(a->call, ops, 4, a, NULL), GRPC_CALL_OK);
}

static void hear(grpc_completion_queue *queue)
{
    grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    struct asking *a = event.tag;
    assert_int_equal(event.type, GRPC_OP_COMPLETE);
    assert_int_equal(a->status, GRPC_STATUS_OK);
    grpc_slice_unref(a->words);
    grpc_metadata_array_destroy(&a->initial);
    grpc_metadata_array_destroy(&a->trailing);
    grpc_call_unref(a->call);
    a->call = NULL;
}

static void ask_all(int port)
{
    static struct asking asking[ABREAST];
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(address, credentials, NULL);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    grpc_channel_credentials_release(credentials);
    for (unsigned n = 0; n < CALLS; n += ABREAST) {
        for (unsigned i = 0; i < ABREAST; i++) {
            ask(&asking[i], channel, queue);
        }
        for (unsigned i = 0; i < ABREAST; i++) {
            hear(queue);
        }
    }
    grpc_channel_destroy(channel);
    grpc_completion_queue_shutdown(queue);
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_completion_queue_destroy(queue);
}

static void serve(enum remora_grpc_way way, unsigned workers)
{
    static struct site site;
    grpc_init();
    ask_all(site_open(&site, way, workers));
    site_close(&site);
    assert_int_equal(atomic_load(&site.answered), CALLS);
    assert_int_equal(atomic_load(&site.elsewhere), 0);
    assert_int_equal(atomic_load(&site.open), 0);
    grpc_shutdown();
}

static void functors_with_one_worker(void **state)
{
    (void)state;
    serve(REMORA_GRPC_FUNCTOR, 1);
}

static void functors_with_four_workers(void **state)
{
    (void)state;
    serve(REMORA_GRPC_FUNCTOR, WORKERS);
}

static void movers_with_one_worker(void **state)
{
    (void)state;
    serve(REMORA_GRPC_MOVER, 1);
}

static void movers_with_four_workers(void **state)
{
    (void)state;
    serve(REMORA_GRPC_MOVER, WORKERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functors_with_one_worker),
        cmocka_unit_test(functors_with_four_workers),
        cmocka_unit_test(movers_with_one_worker),
        cmocka_unit_test(movers_with_four_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
