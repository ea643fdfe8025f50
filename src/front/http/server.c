/*
 * A listener and its sites, one per worker. The socket is accepted on worker 0's loop; the connection goes to the worker with
 * the fewest by a message that carries the fd (DATA; the other roles stay with the first).
 *
 * Opening runs on the app's thread while worker 0's loop runs: the bind is sent there and waited for. Draining is sent to
 * every site by message. Freeing happens after the loops have stopped: what is still open is let go, and frees itself when
 * its loop is freed.
 */
#include "http.h"

#include <semaphore.h>
#include <unistd.h>

#include "remora/descriptors.h"
#include "remora/memory.h"
#include "remora/telemetry.h"
#include "remora/tls.h"

struct site_slot {
    struct http_site site;
    struct remora_message_node drain;
    int64_t courtesy_ms; /* that comes with it */
};

struct remora_http_front {
    struct remora_process *process;
    enum remora_http_role role;
    struct remora_address address;
    struct remora_listener *listener; /* worker 0's */
    uint16_t port;
    struct site_slot *sites;
    unsigned site_count;
    _Atomic uint32_t open;
};

void http_site_init(struct http_site *site, enum remora_http_role role,
                    struct remora_process *process, struct remora_worker *worker,
                    const struct remora_address *address)
{
    *site = (struct http_site){
        .role = role, .process = process, .worker = worker, .address = address, .date_unix_s = -1};
    remora_list_init(&site->connections);
    remora_buf_init(&site->scratch, REMORA_LIMIT_ANSWER_ARENA_BYTES);
    remora_arena_init(&site->spare, REMORA_LIMIT_SCRATCH_CHUNK_BYTES,
                      REMORA_LIMIT_ANSWER_ARENA_BYTES);
}

static struct http_connection *first_of(struct http_site *site)
{
    return REMORA_CONTAINER_OF(site->connections.next, struct http_connection, node);
}

void http_site_fini(struct http_site *site)
{
    while (!remora_list_is_empty(&site->connections)) {
        http_connection_abandon(first_of(site));
    }
    remora_buf_fini(&site->scratch);
    remora_arena_fini(&site->spare);
}

/* ---- accepting ---- */

struct handover {
    struct remora_message_node message; /* first */
    struct http_site *site;
    int fd;
};

static void release_count(struct http_site *site)
{
    atomic_fetch_sub(site->open, 1);
    atomic_fetch_sub(&site->worker->connections, 1);
}

/* With the certificate of the newest snapshot; those that are open keep theirs. */
static enum remora_code open_conn(struct http_site *site, int fd, struct http_connection *c,
                                  struct remora_conn **out)
{
    struct remora_loop *loop = site->worker->loop;
    if (!site->address->is_tls) {
        return remora_conn_adopt(loop, fd, &http_connection_callbacks, c, out);
    }
    const struct remora_config *config = remora_engine_config(site->worker->engine);
    return remora_conn_adopt_tls(loop, fd, config->tls, &http_connection_callbacks, c, out);
}

/* On the site's worker; counted already. */
static void adopt(struct http_site *site, int fd)
{
    struct remora_conn *conn = NULL;
    struct http_connection *c = site->is_draining ? NULL : http_connection_new(site);
    if (c == NULL) {
        close(fd);
        release_count(site);
        return;
    }
    if (open_conn(site, fd, c, &conn) != REMORA_OK) {
        http_connection_discard(c);
        release_count(site);
        return;
    }
    http_connection_attach(c, conn);
}

static void on_handover(struct remora_message_node *message)
{
    struct handover *handover = REMORA_CONTAINER_OF(message, struct handover, message);
    struct http_site *site = handover->site;
    int fd = handover->fd;
    remora_free(handover);
    adopt(site, fd);
}

static struct http_site *least_loaded(struct remora_http_front *front)
{
    struct http_site *best = &front->sites[0].site;
    for (unsigned i = 1; i < front->site_count; i++) {
        struct http_site *site = &front->sites[i].site;
        if (atomic_load(&site->worker->connections) < atomic_load(&best->worker->connections)) {
            best = site;
        }
    }
    return best;
}

static void hand_over(struct http_site *site, int fd)
{
    struct handover *handover = remora_alloc(sizeof *handover);
    if (handover == NULL) {
        close(fd);
        release_count(site);
        return;
    }
    *handover = (struct handover){.message = {.run = on_handover}, .site = site, .fd = fd};
    remora_loop_post(site->worker->loop, &handover->message);
}

/* Worker 0's snapshot; the demo's upstream has none and is no unix socket. */
static bool takes_peer(const struct remora_http_front *front, int64_t peer_uid)
{
    return !front->address.is_unix ||
           remora_config_takes_uid(remora_engine_config(front->process->workers[0].engine),
                                   peer_uid);
}

/* NULL: there is room. Callers leave descriptors to those who look whether we live. */
static const char *why_refused(const struct remora_http_front *front, int fd)
{
    if (atomic_load(&front->open) >= REMORA_LIMIT_CONNECTIONS) {
        return "full";
    }
    bool is_of_callers = front->role == REMORA_HTTP_DATA;
    return is_of_callers && !remora_descriptor_leaves(fd, REMORA_DESCRIPTORS_OF_CALLERS)
               ? "descriptors"
               : NULL;
}

static void count_refused(const struct remora_http_front *front, const char *why)
{
    const struct remora_slice labels[] = {REMORA_SLICE("http"), remora_slice_of(why)};
    if (front->process->metrics != NULL) {
        remora_metric_add(front->process->metrics, REMORA_METRIC_CONNECTIONS_REFUSED, labels,
                          REMORA_COUNT_OF(labels), 1);
    }
}

static void on_accept(void *context, int fd, int64_t peer_uid)
{
    struct remora_http_front *front = context;
    const char *why = why_refused(front, fd);
    if (why != NULL) {
        count_refused(front, why);
    }
    if (why != NULL || !takes_peer(front, peer_uid)) {
        close(fd); /* nothing can be said before a request was read */
        return;
    }
    struct http_site *site = least_loaded(front);
    atomic_fetch_add(&front->open, 1);
    atomic_fetch_add(&site->worker->connections, 1);
    if (site == &front->sites[0].site) {
        adopt(site, fd);
    } else {
        hand_over(site, fd);
    }
}

/* ---- opening ---- */

struct opening {
    struct remora_message_node message; /* first */
    struct remora_http_front *front;
    struct remora_fail *fail;
    enum remora_code code;
    sem_t done;
};

static void on_open(struct remora_message_node *message)
{
    struct opening *opening = REMORA_CONTAINER_OF(message, struct opening, message);
    struct remora_http_front *front = opening->front;
    opening->code = remora_listener_open(front->sites[0].site.worker->loop, &front->address,
                                         on_accept, front, &front->listener, opening->fail);
    if (opening->code == REMORA_OK) {
        front->port = remora_listener_port(front->listener);
    }
    sem_post(&opening->done);
}

static enum remora_code open_listener(struct remora_http_front *front, struct remora_fail *fail)
{
    struct opening opening = {.message = {.run = on_open}, .front = front, .fail = fail};
    sem_init(&opening.done, 0, 0);
    remora_loop_post(front->sites[0].site.worker->loop, &opening.message);
    while (sem_wait(&opening.done) != 0) {
    }
    sem_destroy(&opening.done);
    return opening.code;
}

static void init_sites(struct remora_http_front *front)
{
    for (unsigned i = 0; i < front->site_count; i++) {
        struct remora_worker *worker = &front->process->workers[i];
        struct http_site *site = &front->sites[i].site;
        http_site_init(site, front->role, front->process, worker, &front->address);
        site->clock = remora_loop_clock(worker->loop);
        site->timers = remora_loop_timers(worker->loop);
        site->open = &front->open;
    }
}

enum remora_code remora_http_front_open(struct remora_process *process, enum remora_http_role role,
                                        const struct remora_address *address,
                                        struct remora_http_front **out, struct remora_fail *fail)
{
    struct remora_http_front *front = remora_alloc(sizeof *front);
    if (front == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "out of memory");
    }
    front->process = process;
    front->role = role;
    front->address = *address;
    front->site_count = role == REMORA_HTTP_DATA ? process->worker_count : 1;
    front->sites = remora_alloc_array(front->site_count, sizeof *front->sites);
    if (front->sites == NULL) {
        remora_free(front);
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "out of memory");
    }
    init_sites(front);
    enum remora_code code = open_listener(front, fail);
    if (code != REMORA_OK) {
        remora_http_front_free(front);
        return code;
    }
    *out = front;
    return REMORA_OK;
}

uint16_t remora_http_front_port(const struct remora_http_front *front)
{
    return front->port;
}

uint32_t remora_http_front_connections(const struct remora_http_front *front)
{
    return atomic_load(&front->open);
}

/* ---- ending ---- */

/* Closing takes a connection out of the list in a later round of the loop, never in here. */
static void on_each(struct http_site *site, void (*run)(struct http_connection *c))
{
    struct remora_list *node = site->connections.next;
    while (node != &site->connections) {
        struct http_connection *c = REMORA_CONTAINER_OF(node, struct http_connection, node);
        node = node->next;
        run(c);
    }
}

static void on_drain(struct remora_message_node *message)
{
    struct site_slot *slot = REMORA_CONTAINER_OF(message, struct site_slot, drain);
    struct http_site *site = &slot->site;
    site->is_draining = true;
    site->courtesy_ns = (uint64_t)slot->courtesy_ms * REMORA_NS_PER_MS;
    on_each(site, http_connection_drain);
}

/* NULL: this listener has nothing on that worker. */
static struct http_site *site_of(struct remora_http_front *front, unsigned worker)
{
    return worker < front->site_count ? &front->sites[worker].site : NULL;
}

uint32_t remora_http_front_busy(struct remora_http_front *front, unsigned worker)
{
    struct http_site *site = site_of(front, worker);
    uint32_t busy = 0;
    if (site == NULL) {
        return 0;
    }
    for (struct remora_list *node = site->connections.next; node != &site->connections;
         node = node->next) {
        busy += http_connection_is_busy(REMORA_CONTAINER_OF(node, struct http_connection, node));
    }
    return busy;
}

static void end(struct http_site *site, void (*run)(struct http_connection *c))
{
    if (site != NULL) {
        site->is_draining = true;
        site->courtesy_ns = 0;
        on_each(site, run);
    }
}

void remora_http_front_give_up(struct remora_http_front *front, unsigned worker)
{
    end(site_of(front, worker), http_connection_give_up);
}

void remora_http_front_cut(struct remora_http_front *front, unsigned worker)
{
    end(site_of(front, worker), http_connection_cut);
}

void remora_http_front_drain(struct remora_http_front *front, int64_t courtesy_ms)
{
    if (front->listener == NULL) {
        return;
    }
    remora_listener_close(front->listener);
    front->listener = NULL;
    for (unsigned i = 0; i < front->site_count; i++) {
        front->sites[i].drain.run = on_drain;
        front->sites[i].courtesy_ms = courtesy_ms;
        remora_loop_post(front->sites[i].site.worker->loop, &front->sites[i].drain);
    }
}

void remora_http_front_free(struct remora_http_front *front)
{
    if (front == NULL) {
        return;
    }
    for (unsigned i = 0; i < front->site_count; i++) {
        http_site_fini(&front->sites[i].site);
    }
    remora_free(front->sites);
    remora_free(front);
}
