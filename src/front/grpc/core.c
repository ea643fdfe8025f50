/*
 * The gRPC front: starts the core, listens, hands sockets over, drains and ends.
 *
 *   open   1. the core's generation decides how completions travel, and whether this address may be bound at all
 *          2. a server with quota and limits, a lane for each worker, ARMED calls outstanding on each
 *          3. plaintext: our own listener on worker 0's loop: connection cap, peer's user, SO_SNDBUF, then the socket is the
 *             core's (newcomers.h). TLS: the core listens, because it takes no sockets for TLS from others (secure.c, accepting.c)
 *   drain  farewell (connections.c); the listener closes, calls are still taken; when all who are connected have heard it and no
 *          more come, the server is shut down, which refuses what comes now; streams go on. TLS and unix sockets: at once
 *   free   what is left is cancelled; waits for the server, for every call, for every lane; then the core may end
 *
 * Failures at open: an old core beyond loopback (PERMISSION_DENIED), an address that cannot be bound (the listener says
 * why), no memory (SHEDDING). Later ones are single connections: closed, not told.
 *
 * Sources: ARCHITECTURE 3 and 5; reference/grpc-core.md sections 3 (fd channels), 5 (limits) and 6 (memory).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grpc/grpc.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "accepting.h"
#include "call.h"
#include "channelz.h"
#include "connections.h"
#include "remora/descriptors.h"
#include "remora/limits.h"
#include "remora/text.h"

enum {
    ARMED =
        64, /* calls awaited on each worker: one that finds none costs the poller a second turn */
    SEND_BUFFER_BYTES = 65536, /* kernel memory for a client that does not read (section 5) */
    PING_INTERVAL_MS = 5000,   /* Go clients send one every 10 s (section 5) */
    SHUTDOWN_MS = 300,         /* of the core itself, once nothing uses it */
    LAST_MS = 500,             /* for it to end what nobody waits for any more */
    SETTLE_MS = 50,            /* for calls that have come in and are not with a worker yet */
    FAREWELL_MS = 500,         /* for those who do not show that they have read it */
    IDLE_MS =
        600000, /* the missing handshake limit: a peer that says nothing is closed (section 3) */
};

const char *remora_grpc_core_version(void)
{
    return grpc_version_string();
}

static unsigned core_number(void)
{
    struct remora_slice version = remora_slice_of(grpc_version_string());
    uint64_t number = 0;
    version.length = remora_slice_find(version, '.', 0);
    return remora_parse_u64(version, &number) ? (unsigned)number : 0;
}

/* ---- a function on worker 0's thread ---- */

struct errand {
    struct remora_message_node message;
    void (*run)(struct remora_grpc_front *front, void *context);
    struct remora_grpc_front *front;
    void *context;
    sem_t is_done;
};

static void on_errand(struct remora_message_node *message)
{
    struct errand *errand = REMORA_CONTAINER_OF(message, struct errand, message);
    errand->run(errand->front, errand->context);
    sem_post(&errand->is_done);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
        /* Interrupted by a signal: wait on. */
    }
}

static void on_worker_0(struct remora_grpc_front *front,
                        void (*run)(struct remora_grpc_front *front, void *context), void *context)
{
    struct errand errand = {
        .message.run = on_errand, .run = run, .front = front, .context = context};
    sem_init(&errand.is_done, 0, 0);
    remora_loop_post(front->process->workers[0].loop, &errand.message);
    wait_for(&errand.is_done);
    sem_destroy(&errand.is_done);
}

/* ---- connections ---- */

/* Noted as open; else counted. Callers leave descriptors to those who look whether we live. */
static bool has_room(struct remora_grpc_front *front, int fd)
{
    bool is_spare = remora_descriptor_leaves(fd, REMORA_DESCRIPTORS_OF_CALLERS);
    if (is_spare && remora_grpc_connections_add(front->connections, fd)) {
        return true;
    }
    remora_grpc_count_refused(front->process->metrics, is_spare ? "full" : "descriptors");
    return false;
}

static void on_accept(void *context, int fd, int64_t peer_uid)
{
    struct remora_grpc_front *front = context;
    const struct remora_config *config = remora_engine_config(front->process->workers[0].engine);
    int bytes = SEND_BUFFER_BYTES;
    int on = 1;
    if (front->server == NULL || atomic_load(&front->is_draining) ||
        (front->is_unix && !remora_config_takes_uid(config, peer_uid)) || !has_room(front, fd)) {
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (!front->is_unix) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    remora_grpc_newcomers_give(front->newcomers, fd);
}

static void on_newcomer(void *context, const struct remora_grpc_newcomer *newcomer)
{
    const struct remora_grpc_front *front = context;
    if (front->connections != NULL) {
        remora_grpc_connections_listed(front->connections, newcomer);
    }
}

static enum remora_code expect_newcomers(struct remora_grpc_front *front, struct remora_fail *fail)
{
    const struct remora_grpc_newcomers_input input = {
        .server = front->server,
        .credentials = front->credentials,
        .listed_as = remora_grpc_channelz_server(),
        .loop = front->process->workers[0].loop,
        .told = on_newcomer,
        .context = front,
    };
    enum remora_code code = remora_grpc_newcomers_open(&input, &front->newcomers);
    return code == REMORA_OK
               ? REMORA_OK
               : remora_fail_set(fail, code, "listen.grpc", "The gRPC front found no memory.");
}

struct listening {
    const struct remora_address *address;
    enum remora_code code;
    struct remora_fail *fail;
};

static void listen_now(struct remora_grpc_front *front, void *context)
{
    struct listening *listening = context;
    struct remora_loop *loop = front->process->workers[0].loop;
    listening->code = remora_listener_open(loop, listening->address, on_accept, front,
                                           &front->listener, listening->fail);
    if (listening->code == REMORA_OK) {
        front->port = remora_listener_port(front->listener);
    }
}

static enum remora_code listen_plain(struct remora_grpc_front *front,
                                     const struct remora_address *address, struct remora_fail *fail)
{
    struct listening listening = {.address = address, .fail = fail};
    enum remora_code code = expect_newcomers(front, fail);
    if (code != REMORA_OK) {
        return code;
    }
    on_worker_0(front, listen_now, &listening);
    return listening.code;
}

/* ---- the server ---- */

static grpc_arg integer(const char *key, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_server *make_server(const struct remora_grpc_front *front,
                                const struct remora_config *config)
{
    int64_t age_ms = config->grpc_connection_age_ms;
    grpc_resource_quota *quota = grpc_resource_quota_create("remora");
    /* At its quota the core ends whatever call it meets: what is let come is bounded before (arriving.c). */
    grpc_resource_quota_resize(quota, (size_t)remora_grpc_backstop_bytes(front));
    grpc_arg args[] = {
        {.type = GRPC_ARG_POINTER,
         .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, REMORA_LIMIT_MESSAGE_BYTES),
        integer("grpc.per_message_decompression", 0), /* ours is bounded: inflate.c */
        /* Twice what we take: call.c refuses one call; the core refuses by chance or, the old one, loses the connection. */
        integer(GRPC_ARG_MAX_METADATA_SIZE, 2 * REMORA_LIMIT_GRPC_METADATA_BYTES),
        /* By its text: older headers do not name it. */
        integer("grpc.absolute_max_metadata_size", 2 * REMORA_LIMIT_GRPC_METADATA_BYTES),
        integer(GRPC_ARG_MAX_CONCURRENT_STREAMS, REMORA_LIMIT_GRPC_STREAMS),
        /* The newer core's, on by default: it counts streams that have ended and are not yet freed, and so refuses callers
         * who keep to the limit above. Storms of resets are ended by connections.c, which needs what channelz counts. */
        integer("grpc.http.overload_protection", 0),
        integer(GRPC_ARG_ENABLE_CHANNELZ, 1),
        integer("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MS),
        integer(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
        integer(GRPC_ARG_ALLOW_REUSEPORT, 0),
        /* Both for the listener of TLS, which is the core's own; an old core knows the first only. */
        integer("grpc.server_handshake_timeout_ms", REMORA_LIMIT_HTTP_HEAD_MS),
        integer("grpc.max_allowed_incoming_connections", REMORA_LIMIT_CONNECTIONS),
        integer(GRPC_ARG_MAX_CONNECTION_AGE_MS, age_ms > 0 ? (int)age_ms : INT_MAX),
        /* Calls of an old connection end by themselves: each has its time, and a Watch a tenth of this age (health.c). */
        integer("grpc.max_connection_age_grace_ms", INT_MAX),
    };
    const grpc_channel_args list = {.num_args = REMORA_COUNT_OF(args), .args = args};
    grpc_server *server = grpc_server_create(&list, NULL);
    grpc_resource_quota_unref(quota);
    return server;
}

static void on_shut_down(struct remora_grpc_tag *tag, bool ok)
{
    (void)ok;
    sem_post(&REMORA_CONTAINER_OF(tag, struct remora_grpc_front, shut_down)->has_drained);
}

static enum remora_code open_lanes(struct remora_grpc_front *front)
{
    struct remora_grpc_poller *poller = NULL;
    if (front->way == REMORA_GRPC_FUNCTOR) {
        poller = &front->poller;
        enum remora_code code = remora_grpc_poller_open(poller);
        if (code != REMORA_OK) {
            return code;
        }
    }
    for (unsigned i = 0; i < front->process->worker_count; i++) {
        struct remora_grpc_lane *lane = &front->lanes[i];
        remora_list_init(&lane->watchers);
        remora_grpc_arriving_open(front, lane);
        remora_grpc_unread_open(lane);
        remora_list_init(&lane->packed);
        remora_list_init(&lane->large);
        remora_grpc_sends_open(lane);
        remora_arena_init(&lane->scratch, REMORA_LIMIT_SCRATCH_CHUNK_BYTES,
                          REMORA_LIMIT_SCRATCH_ARENA_BYTES + REMORA_LIMIT_ANSWER_ARENA_BYTES);
        front->lane_count++;
        enum remora_code code = remora_grpc_lane_open(lane, &front->process->workers[i], poller);
        if (code != REMORA_OK) {
            return code;
        }
        /* The poller's, which all lanes share, a second time does nothing. */
        grpc_server_register_completion_queue(front->server, lane->arrivals, NULL);
    }
    return REMORA_OK;
}

static enum remora_code arm_all(struct remora_grpc_front *front)
{
    /* In turn: calls are given out in this order. */
    for (unsigned n = 0; n < ARMED; n++) {
        for (unsigned i = 0; i < front->lane_count; i++) {
            enum remora_code code = remora_grpc_call_arm(front, &front->lanes[i]);
            if (code != REMORA_OK) {
                return code;
            }
        }
    }
    return REMORA_OK;
}

/* On a core's own listener: before the server starts. */
static enum remora_code listen_tls(struct remora_grpc_front *front,
                                   const struct remora_address *address, struct remora_fail *fail)
{
    int port = grpc_server_add_http2_port(front->server, address->text, front->credentials);
    if (port == 0) { /* the server would start all the same (reference/grpc-core.md section 3) */
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, "listen.grpc",
                               "Cannot listen on %s: is the address in use, or not of this host?",
                               address->text);
    }
    front->port = (uint16_t)port;
    remora_grpc_accepting_begin(front->process->metrics, front->port);
    return REMORA_OK;
}

static enum remora_code start(struct remora_grpc_front *front, const struct remora_config *config,
                              const struct remora_address *address, struct remora_fail *fail)
{
    front->lanes = remora_alloc_array(front->process->worker_count, sizeof front->lanes[0]);
    front->server = make_server(front, config);
    front->connections =
        remora_grpc_connections_new(front->process, front->lanes, remora_grpc_channelz_server());
    enum remora_code code = REMORA_SHEDDING;
    if (front->lanes != NULL && front->connections != NULL && front->server != NULL) {
        code = open_lanes(front);
    }
    if (code == REMORA_OK && front->tls != NULL) {
        code = listen_tls(front, address, fail);
    }
    if (code == REMORA_OK) {
        grpc_server_start(front->server);
        front->has_started = true;
        code = arm_all(front);
    }
    return code == REMORA_OK
               ? REMORA_OK
               : remora_fail_set(fail, code, "listen.grpc", "The gRPC front found no memory.");
}

enum remora_code remora_grpc_front_may_listen(const struct remora_address *address,
                                              bool accept_old_core, struct remora_fail *fail)
{
    if (address->is_loopback || accept_old_core || core_number() >= REMORA_GRPC_OLD_CORE_BELOW) {
        return REMORA_OK;
    }
    return remora_fail_set(fail, REMORA_PERMISSION_DENIED, "listen.grpc",
                           "gRPC core %s has known holes and may not listen on %s; use loopback or "
                           "set grpc.accept_old_core: true.",
                           grpc_version_string(), address->text);
}

static void adopt_now(struct remora_grpc_front *front, void *context)
{
    (void)context;
    remora_grpc_connections_adopt(front->connections);
}

static enum remora_code make_credentials(struct remora_grpc_front *front, struct remora_tls *tls,
                                         struct remora_fail *fail)
{
    if (tls == NULL) {
        front->credentials = grpc_insecure_server_credentials_create();
        return REMORA_OK;
    }
    front->tls = remora_grpc_tls_new(tls);
    front->credentials = front->tls == NULL ? NULL : remora_grpc_tls_credentials(front->tls);
    return front->credentials != NULL
               ? REMORA_OK
               : remora_fail_set(fail, REMORA_SHEDDING, "tls", "The gRPC core takes no TLS.");
}

void remora_grpc_front_set_tls(struct remora_grpc_front *front, struct remora_tls *tls)
{
    if (front->tls != NULL && tls != NULL) {
        remora_grpc_tls_set(front->tls, tls);
    }
}

enum remora_code remora_grpc_front_open(struct remora_process *process,
                                        const struct remora_address *address,
                                        const struct remora_config *config,
                                        struct remora_grpc_front **out, struct remora_fail *fail)
{
    enum remora_code code = remora_grpc_front_may_listen(address, config->accept_old_core, fail);
    if (code != REMORA_OK) {
        return code;
    }
    struct remora_grpc_front *front = remora_alloc(sizeof *front);
    if (front == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "The gRPC front found no memory.");
    }
    grpc_init();
    front->process = process;
    front->is_unix = address->is_unix;
    front->is_local = address->is_loopback;
    front->way =
        core_number() < REMORA_GRPC_OLD_CORE_BELOW ? REMORA_GRPC_FUNCTOR : REMORA_GRPC_MOVER;
    sem_init(&front->has_drained, 0, 0);
    sem_init(&front->is_empty, 0, 0);
    code = make_credentials(front, address->is_tls ? config->tls : NULL, fail);
    if (code == REMORA_OK) {
        code = start(front, config, address, fail);
    }
    if (code == REMORA_OK && front->tls != NULL) {
        on_worker_0(front, adopt_now, NULL);
    } else if (code == REMORA_OK) {
        code = listen_plain(front, address, fail);
    }
    if (code != REMORA_OK) {
        remora_grpc_front_free(front);
        return code;
    }
    *out = front;
    return REMORA_OK;
}

uint16_t remora_grpc_front_port(const struct remora_grpc_front *front)
{
    return front->port;
}

uint32_t remora_grpc_front_calls(const struct remora_grpc_front *front)
{
    return atomic_load(&front->calls);
}

/* ---- the end ---- */

static bool can_say_farewell(const struct remora_grpc_front *front)
{
    return !front->is_unix && front->tls == NULL;
}

void remora_grpc_front_farewell(struct remora_grpc_front *front)
{
    if (can_say_farewell(front)) {
        remora_grpc_connections_farewell(front->connections);
    }
}

void remora_grpc_front_close(struct remora_grpc_front *front)
{
    if (front->listener != NULL) {
        remora_listener_close(front->listener);
        front->listener = NULL;
    }
    atomic_store(&front->is_draining, true);
    if (!can_say_farewell(front)) {
        remora_grpc_front_drain(front);
    }
}

bool remora_grpc_front_has_parted(struct remora_grpc_front *front)
{
    if (atomic_load(&front->is_shut)) {
        return true;
    }
    const struct remora_clock *clock = remora_loop_clock(front->process->workers[0].loop);
    struct remora_grpc_parting parting = remora_grpc_connections_parting(front->connections);
    uint64_t arrived_ns = atomic_load(&front->arrived_ns);
    uint64_t since_ns = arrived_ns > parting.since_ns ? arrived_ns : parting.since_ns;
    uint64_t quiet_ms = parting.unheard > 0 ? FAREWELL_MS : SETTLE_MS;
    return parting.open == 0 || clock->now_ns(clock) >= since_ns + quiet_ms * REMORA_NS_PER_MS;
}

void remora_grpc_front_drain(struct remora_grpc_front *front)
{
    if (atomic_exchange(&front->is_shut, true)) {
        return;
    }
    remora_grpc_front_close(front);
    remora_grpc_newcomers_refuse(front->newcomers);
    if (front->has_started) {
        remora_grpc_tag_init(&front->shut_down, &front->lanes[0], on_shut_down);
        remora_grpc_tag_give(&front->shut_down);
        grpc_server_shutdown_and_notify(front->server, front->lanes[0].arrivals, &front->shut_down);
    }
}

static void drain_now(struct remora_grpc_front *front, void *context)
{
    (void)context;
    remora_grpc_front_drain(front);
}

static void shut_connections(struct remora_grpc_front *front, void *context)
{
    (void)context;
    remora_grpc_connections_shut(front->connections);
}

static void forget_connections(struct remora_grpc_front *front, void *context)
{
    (void)context;
    remora_grpc_connections_free(front->connections);
    front->connections = NULL;
}

/* False: not within so long. */
static bool wait_in_time(sem_t *semaphore, long ms)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += ms * 1000000L;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    bool is_late = false;
    int status = 0;
    while (!is_late && (status = sem_timedwait(semaphore, &end)) != 0) {
        is_late = errno == ETIMEDOUT;
    }
    return status == 0;
}

/* The newer core ends no connection that it is reading, and it reads one for as long as there is more. */
static void wait_for_core(struct remora_grpc_front *front)
{
    grpc_server_cancel_all_calls(front->server);
    if (!wait_in_time(&front->has_drained, LAST_MS)) {
        on_worker_0(front, shut_connections, NULL);
        wait_for(&front->has_drained);
    }
    while (atomic_load(&front->slots) > 0) {
        wait_for(&front->is_empty);
    }
}

/* Of two: the thread that shuts the core down, and who waits for it. Whoever leaves last frees it. */
struct ending {
    sem_t is_done;
    _Atomic unsigned holders;
    struct remora_grpc_tls
        *tls; /* a handshake that was under way may ask for it until the core is down */
};

static void leave_ending(struct ending *ending)
{
    if (atomic_fetch_sub(&ending->holders, 1) == 1) {
        sem_destroy(&ending->is_done);
        remora_free(ending);
    }
}

static void *shut_down_core(void *context)
{
    struct ending *ending = context;
    grpc_shutdown();
    remora_grpc_tls_free(ending->tls);
    sem_post(&ending->is_done);
    leave_ending(ending);
    return NULL;
}

/*
 * The old core joins a thread of its own that may sit in epoll_wait for 10 s yet, when a client was slow to take a large answer
 * (tcp_posix.cc, its "backup poller"). Nothing of ours is left with the core: what is late ends with the process.
 */
static void shut_down_in_time(struct remora_grpc_tls *tls)
{
    pthread_t thread;
    struct ending *ending = remora_alloc(sizeof *ending);
    if (ending != NULL) {
        ending->tls = tls;
        atomic_init(&ending->holders, 2);
    }
    if (ending == NULL || sem_init(&ending->is_done, 0, 0) != 0 ||
        pthread_create(&thread, NULL, shut_down_core, ending) != 0) {
        remora_free(ending);
        grpc_shutdown();
        remora_grpc_tls_free(tls);
        return;
    }
    pthread_detach(thread);
    (void)wait_in_time(&ending->is_done, SHUTDOWN_MS);
    leave_ending(ending);
}

void remora_grpc_front_free(struct remora_grpc_front *front)
{
    on_worker_0(front, drain_now, NULL);
    if (front->has_started) {
        wait_for_core(front);
    }
    on_worker_0(front, forget_connections, NULL);
    remora_grpc_accepting_end();
    remora_grpc_newcomers_join(front->newcomers);
    for (unsigned i = 0; i < front->lane_count; i++) {
        remora_grpc_lane_settle(&front->lanes[i]);
    }
    remora_grpc_newcomers_free(front->newcomers);
    if (front->server != NULL) {
        grpc_server_destroy(front->server);
    }
    remora_grpc_poller_close(&front->poller);
    for (unsigned i = 0; i < front->lane_count; i++) {
        remora_grpc_lane_close(&front->lanes[i]);
        remora_arena_fini(&front->lanes[i].scratch);
    }
    if (front->credentials != NULL) {
        grpc_server_credentials_release(front->credentials);
    }
    struct remora_grpc_tls *tls = front->tls;
    sem_destroy(&front->has_drained);
    sem_destroy(&front->is_empty);
    remora_free(front->lanes);
    remora_free(front);
    shut_down_in_time(tls);
}
