/*
 * Counting connections that somebody else closes: looked at again when one comes while the table is full, and every few
 * seconds while there are any, so that the gauge is true.
 *
 * A storm of resets (CVE-2023-44487) is ended here: neither core ends it, and the old one keeps 15 KiB of each.
 *   1. a call that we have seen and that is reset is told at once (_ended): its connection is found by the name of its peer
 *   2. the newer core drops what is reset at once before we see it, but counts it for each socket (channelz.h): asked for
 *      every two seconds, less what ended by its deadline, which the core counts as well
 *   3. the core cannot be asked to say GOAWAY to one connection. A plaintext one gets the frame from us, between
 *      two of the core's, and is shut down when it has had time to arrive: what comes in after a shutdown is answered by RST,
 *      and that takes with it what is not acknowledged yet. TLS is shut down without a word,
 *      and reset when the core closes it
 *
 * A flood (flood.h) ends in the same way: each connection is looked at every two seconds, and again half a second after it was
 * found to have brought too much. On TLS the descriptor of what the core accepted is looked for when it is adopted. What a
 * connection that has gone leaves in the heap is given back at the next look (reclaim.h).
 *
 * A farewell is said in the same way before the core is shut down, because what callers have sent until they read the core's own
 * GOAWAY is refused by it. This connection goes on, so the frame may not cut one of the core's in two: it is said when little
 * waits and little has gone since the last tick, that is, when there was always room for what the core had. TCP only: nobody
 * tells how much has gone through a unix socket. A PING goes with it, because what its answer looks like is known: 17 bytes,
 * neither more nor less, that came since. The core reads it and knows of no such PING; where more came, one more is asked.
 *
 * Names of peers: "fd:N" of the old core for what was handed to it, else "ipv4:ADDRESS:PORT"; "unix:" of the newer core says nothing,
 * so there is only the second way. It has forgotten the peer of a call whose deadline is over: taken off from every connection.
 *
 * Source: reference/grpc-core.md section 3 (the core owns and closes the fd; no callback; names of peers); RFC 9113 sections
 * 6.7, 6.8 and 7 (PING, GOAWAY, ENHANCE_YOUR_CALM).
 */
#include "connections.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "channelz.h"
#include "goaway.h"
#include "peers.h"
#include "reclaim.h"
#include "remora/limits.h"
#include "remora/text.h"

#define LOOK_NS   (2 * REMORA_NS_PER_S)
#define AGAIN_NS  (REMORA_NS_PER_S / 2) /* when somebody may be flooding */
#define RESETS_NS (10 * REMORA_NS_PER_S)
#define TICK_NS   (10 * REMORA_NS_PER_MS)
#define ROOM_NS   (200 * REMORA_NS_PER_MS) /* for room to say GOAWAY in */
#define ARRIVE_NS (50 * REMORA_NS_PER_MS)  /* for it to be acknowledged */

enum {
    ASKED = 64, /* sockets asked about in one look: a full table has its turn in half a minute */
    QUIET_BYTES = 32768,
    PING_BYTES = 17,
    NO_FD = -1, /* the core's own */
};

/* Resets since some time, at most RESETS_NS ago. */
struct resets {
    uint64_t since_ns;
    uint64_t count;
};

struct connection {
    int fd;         /* NO_FD: the core's own */
    int watched_fd; /* the same, or what the core's own was found to be */
    ino_t inode;    /* of watched_fd */
    uint64_t since_ns;
    struct remora_grpc_socket socket; /* id 0: the core does not list it */
    struct resets seen;
    struct resets told;
    uint64_t failed; /* of the core's count, when it was asked last */
    uint64_t late;   /* since then */
    uint64_t asked_ns;
    struct remora_grpc_flood flood;
    enum remora_grpc_word fault; /* why it is ended */
    uint64_t shut_at_ns;         /* 0: it is not */
    bool is_told;                /* GOAWAY */
    bool is_shut;
    enum { NO_FAREWELL, TO_BE_LOOKED_AT, TO_BE_SAID, SAID, HEARD } farewell;
    uint64_t sent_bytes;     /* until the last tick of a farewell */
    uint64_t received_bytes; /* when it was said */
};

struct remora_grpc_connections {
    struct remora_worker *worker;
    const struct remora_grpc_lane *lanes;
    unsigned lane_count;
    struct remora_timer timer;
    struct remora_timer ending; /* armed while one has to be shut or to hear a farewell */
    intptr_t server;
    intptr_t next_id; /* of a socket that the core will list */
    bool adopts;
    bool has_gone; /* somebody, since memory was looked at */
    struct remora_grpc_reclaim reclaim;
    bool is_wary;        /* somebody may be flooding */
    uint64_t late;       /* calls whose connection is not known, since all were asked */
    size_t asked;        /* where the last look ended */
    uint64_t parting_ns; /* since when a farewell is as it is */
    size_t count;
    struct connection open[REMORA_LIMIT_CONNECTIONS];
};

static uint64_t now_ns(const struct remora_grpc_connections *c)
{
    const struct remora_clock *clock = remora_loop_clock(c->worker->loop);
    return clock->now_ns(clock);
}

/* The number stands for its socket still. */
static bool is_of(const struct connection *connection, int fd)
{
    struct stat status;
    return fd != NO_FD && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
           status.st_ino == connection->inode;
}

static bool is_open(const struct connection *connection)
{
    uint64_t ignored;
    return connection->fd == NO_FD ? remora_grpc_channelz_failed(connection->socket.id, &ignored)
                                   : is_of(connection, connection->fd);
}

static void look(struct remora_grpc_connections *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (is_open(&c->open[i])) {
            c->open[kept++] = c->open[i];
        }
    }
    c->has_gone = c->has_gone || kept < c->count;
    c->count = kept;
}

static void tell(struct remora_grpc_connections *c)
{
    const struct remora_slice label = REMORA_SLICE("grpc");
    remora_metric_set(c->worker->metrics, REMORA_METRIC_CONNECTIONS, &label, 1, (int64_t)c->count);
}

/* ---- the end of a storm ---- */

/* False: no connection any more, and nobody to say farewell to. */
static bool get_info(struct connection *connection, struct tcp_info *info)
{
    socklen_t length = sizeof *info;
    bool is_connected = getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0;
    connection->farewell = is_connected ? connection->farewell : NO_FAREWELL;
    return is_connected;
}

/* Since it was asked last. */
static bool is_quiet(struct connection *connection, const struct tcp_info *info)
{
    uint64_t more = info->tcpi_bytes_sent - connection->sent_bytes;
    connection->sent_bytes = info->tcpi_bytes_sent;
    return more < QUIET_BYTES;
}

/* One tick of it. The first frame of a connection is the core's (RFC 9113 section 3.4). */
static void bid_farewell(struct connection *connection)
{
    struct tcp_info info = {.tcpi_state = 0};
    if (!get_info(connection, &info)) {
        return;
    }
    bool may_say = is_quiet(connection, &info) && connection->sent_bytes > 0;
    if (connection->farewell == TO_BE_LOOKED_AT) {
        connection->farewell = TO_BE_SAID;
    } else if (may_say && remora_grpc_say(connection->fd, REMORA_GRPC_FAREWELL)) {
        connection->farewell = SAID;
        connection->received_bytes = info.tcpi_bytes_received;
    }
}

/* Asks again when it cannot be told. */
static bool has_answered(struct connection *connection)
{
    struct tcp_info info = {.tcpi_state = 0};
    if (!get_info(connection, &info)) {
        return false;
    }
    uint64_t came = info.tcpi_bytes_received - connection->received_bytes;
    bool may_ask = is_quiet(connection, &info);
    if (came == PING_BYTES) {
        connection->farewell = HEARD;
    } else if (came > PING_BYTES && may_ask && remora_grpc_say(connection->fd, REMORA_GRPC_PING)) {
        connection->received_bytes = info.tcpi_bytes_received;
    }
    return connection->farewell == HEARD;
}

static const char *told_of(enum remora_grpc_word fault)
{
    return fault == REMORA_GRPC_TOO_MANY_RESETS ? "grpc connection ended: a storm of resets"
                                                : "grpc connection ended: a flood of frames";
}

/*
 * The core's own, when it closes it: RST. What a flood had sent may be read to its end by then, and its window be shut; after a FIN
 * the kernel would answer who asks for room for a minute yet, and who only writes would not hear that nobody is there.
 */
static void cut_off(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void shut(struct connection *connection)
{
    connection->is_shut = true;
    if (is_of(connection, connection->watched_fd)) {
        if (connection->fd == NO_FD) { /* no word of ours can be lost by it */
            cut_off(connection->watched_fd);
        }
        (void)shutdown(connection->watched_fd, SHUT_RDWR);
        remora_log(REMORA_LOG_WARN, told_of(connection->fault), NULL, 0);
    }
}

static bool is_leaving(const struct connection *connection)
{
    return connection->shut_at_ns != 0 && !connection->is_shut;
}

static void leave(struct connection *connection, uint64_t at_ns)
{
    if (connection->fd != NO_FD && !connection->is_told &&
        remora_grpc_say(connection->fd, connection->fault)) {
        connection->is_told = true;
        connection->shut_at_ns = at_ns + ARRIVE_NS;
    }
    if (connection->fd == NO_FD || at_ns >= connection->shut_at_ns) {
        shut(connection);
    }
}

static bool is_to_hear(const struct connection *connection)
{
    return connection->farewell == TO_BE_LOOKED_AT || connection->farewell == TO_BE_SAID;
}

static void on_ending(struct remora_timer *timer);

static bool arm_ending(struct remora_grpc_connections *c)
{
    struct remora_timers *timers = remora_loop_timers(c->worker->loop);
    return remora_timer_is_armed(&c->ending) ||
           remora_timers_arm(timers, &c->ending, now_ns(c) + TICK_NS, on_ending) == REMORA_OK;
}

static void leave_or_wait(struct remora_grpc_connections *c, struct connection *connection)
{
    leave(connection, now_ns(c));
    if (is_leaving(connection) && !arm_ending(c)) {
        shut(connection); /* without memory for the timer: now, even unheard */
    }
}

static void on_ending(struct remora_timer *timer)
{
    struct remora_grpc_connections *c =
        REMORA_CONTAINER_OF(timer, struct remora_grpc_connections, ending);
    look(c);
    for (size_t i = 0; i < c->count; i++) {
        struct connection *connection = &c->open[i];
        if (is_leaving(connection)) {
            leave_or_wait(c, connection);
        } else if (is_to_hear(connection)) {
            bid_farewell(connection);
            (void)(is_to_hear(connection) && arm_ending(c));
        }
    }
}

static void end_one(struct remora_grpc_connections *c, struct connection *connection,
                    enum remora_grpc_word fault)
{
    if (connection->shut_at_ns != 0) {
        return;
    }
    connection->fault = fault;
    connection->shut_at_ns = now_ns(c) + ROOM_NS;
    leave_or_wait(c, connection);
}

/* True when these are too many. `over_ns`: the time in which they came, where that may be longer than RESETS_NS. */
static bool is_storm(struct resets *resets, uint64_t at_ns, uint64_t more, uint64_t over_ns)
{
    uint64_t most = REMORA_LIMIT_GRPC_RESETS;
    if (at_ns - resets->since_ns > RESETS_NS) {
        *resets = (struct resets){.since_ns = at_ns};
    }
    resets->count += more;
    most = over_ns > RESETS_NS ? most * over_ns / RESETS_NS : most;
    bool is_over = resets->count > most;
    resets->count = is_over ? 0 : resets->count;
    return is_over;
}

static void ask(struct remora_grpc_connections *c, struct connection *connection, uint64_t at_ns)
{
    uint64_t failed = 0;
    if (connection->socket.id == 0 ||
        !remora_grpc_channelz_failed(connection->socket.id, &failed)) {
        return;
    }
    uint64_t late = connection->late + c->late;
    uint64_t more = failed - connection->failed;
    uint64_t over_ns = at_ns - connection->asked_ns;
    connection->failed = failed;
    connection->late = 0;
    connection->asked_ns = at_ns;
    if (is_storm(&connection->told, at_ns, more > late ? more - late : 0, over_ns)) {
        end_one(c, connection, REMORA_GRPC_TOO_MANY_RESETS);
    }
}

static void ask_in_turn(struct remora_grpc_connections *c)
{
    uint64_t at_ns = now_ns(c);
    size_t most = c->count < ASKED ? c->count : ASKED;
    for (size_t i = 0; i < most; i++) {
        c->asked = c->asked + 1 < c->count ? c->asked + 1 : 0;
        ask(c, &c->open[c->asked], at_ns);
    }
    if (most == c->count) { /* else somebody has not had it yet */
        c->late = 0;
    }
}

/* ---- floods ---- */

/* Memory in which messages that are on their way would lie. */
static uint64_t memory_bytes(void)
{
    struct rusage usage = {.ru_maxrss = 0};
    bool is_known = getrusage(RUSAGE_SELF, &usage) == 0;
    uint64_t bytes = (uint64_t)usage.ru_maxrss * 1024;
    return is_known && bytes < REMORA_LIMIT_GRPC_ARRIVING_BYTES ? bytes
                                                                : REMORA_LIMIT_GRPC_ARRIVING_BYTES;
}

static struct remora_grpc_look look_around(const struct remora_grpc_connections *c)
{
    struct remora_grpc_look look = {.at_ns = now_ns(c)};
    uint64_t awaited = 0;
    for (unsigned i = 0; i < c->lane_count; i++) {
        look.explained_bytes += atomic_load(&c->lanes[i].traffic.bytes);
        awaited += atomic_load(&c->lanes[i].traffic.awaited);
    }
    look.held_bytes = awaited > 0 ? memory_bytes() : 0;
    return look;
}

/* What callers say to a front that drains belongs to no call any more. */
static bool is_watched(const struct connection *connection)
{
    return connection->watched_fd != NO_FD && connection->farewell == NO_FAREWELL &&
           connection->shut_at_ns == 0;
}

static void look_for_floods(struct remora_grpc_connections *c)
{
    c->is_wary = false;
    struct remora_grpc_look look = look_around(c);
    for (size_t i = 0; i < c->count; i++) {
        struct connection *connection = &c->open[i];
        if (is_watched(connection) &&
            remora_grpc_received_bytes(connection->watched_fd, &look.received_bytes) &&
            is_of(connection, connection->watched_fd) && /* and was until now */
            remora_grpc_flood_look(&connection->flood, &look)) {
            end_one(c, connection, REMORA_GRPC_TOO_MANY_FRAMES);
        }
        c->is_wary = c->is_wary || connection->flood.times > 0;
    }
}

/* ---- the table ---- */

static void on_timer(struct remora_timer *timer);

static void arm(struct remora_grpc_connections *c)
{
    bool is_needed = c->count > 0 || c->adopts || c->has_gone;
    if (!is_needed || remora_timer_is_armed(&c->timer)) {
        return;
    }
    /* Without memory for the timer all of this waits for the next connection. */
    enum remora_code code =
        remora_timers_arm(remora_loop_timers(c->worker->loop), &c->timer,
                          now_ns(c) + (c->is_wary ? AGAIN_NS : LOOK_NS), on_timer);
    (void)code;
}

static struct connection *append(struct remora_grpc_connections *c, int fd)
{
    struct connection *connection = &c->open[c->count++];
    *connection = (struct connection){.fd = fd,
                                      .watched_fd = fd,
                                      .since_ns = now_ns(c),
                                      .asked_ns = now_ns(c),
                                      .flood.last = look_around(c)};
    return connection;
}

static void on_peer(void *context, int fd, const char *peer)
{
    struct remora_grpc_connections *c = context;
    struct stat status;
    for (size_t i = 0; i < c->count; i++) {
        struct connection *connection = &c->open[i];
        if (connection->watched_fd == NO_FD && strcmp(connection->socket.peer, peer) == 0 &&
            fstat(fd, &status) == 0) {
            connection->watched_fd = fd;
            connection->inode = status.st_ino;
            /* What came before is not told apart any more. */
            (void)!remora_grpc_received_bytes(fd, &connection->flood.last.received_bytes);
        }
    }
}

static void adopt_new(struct remora_grpc_connections *c)
{
    struct remora_grpc_socket found[ASKED];
    size_t room = REMORA_LIMIT_CONNECTIONS - c->count;
    size_t most = room < ASKED ? room : ASKED;
    size_t count = most == 0 ? 0 : remora_grpc_channelz_sockets(c->server, c->next_id, found, most);
    for (size_t i = 0; i < count; i++) {
        append(c, NO_FD)->socket = found[i];
        c->next_id = found[i].id + 1;
    }
    if (count > 0) {
        remora_grpc_peers_each(on_peer, c);
    }
}

static void on_timer(struct remora_timer *timer)
{
    struct remora_grpc_connections *c =
        REMORA_CONTAINER_OF(timer, struct remora_grpc_connections, timer);
    if (c->has_gone) { /* at the last look, so that the core has let go of what was theirs */
        c->has_gone = remora_grpc_reclaim(&c->reclaim);
    }
    look(c);
    if (c->adopts) {
        adopt_new(c);
    }
    ask_in_turn(c);
    look_for_floods(c);
    tell(c);
    arm(c);
}

struct remora_grpc_connections *remora_grpc_connections_new(struct remora_process *process,
                                                            const struct remora_grpc_lane *lanes,
                                                            intptr_t server)
{
    struct remora_grpc_connections *c = remora_alloc(sizeof *c);
    if (c != NULL) {
        c->worker = &process->workers[0];
        c->lanes = lanes;
        c->lane_count = process->worker_count;
        c->server = server;
    }
    return c;
}

void remora_grpc_connections_free(struct remora_grpc_connections *connections)
{
    if (connections != NULL) {
        struct remora_timers *timers = remora_loop_timers(connections->worker->loop);
        remora_timers_disarm(timers, &connections->timer);
        remora_timers_disarm(timers, &connections->ending);
        remora_free(connections);
    }
}

void remora_grpc_connections_adopt(struct remora_grpc_connections *connections)
{
    connections->adopts = connections->server != 0;
    arm(connections);
}

/* As the core will call it. It calls all on a unix socket the same, or nothing. */
static void name(const struct remora_grpc_connections *c, struct remora_grpc_socket *socket, int fd)
{
    if (c->lanes[0].way == REMORA_GRPC_FUNCTOR) {
        snprintf(socket->peer, sizeof socket->peer, "fd:%d", fd);
    } else {
        remora_grpc_peer_of(fd, socket->peer, sizeof socket->peer);
    }
}

bool remora_grpc_connections_add(struct remora_grpc_connections *connections, int fd)
{
    struct stat status;
    if (connections->count == REMORA_LIMIT_CONNECTIONS) {
        look(connections);
    }
    if (connections->count == REMORA_LIMIT_CONNECTIONS || fstat(fd, &status) != 0) {
        return false;
    }
    if (connections->count == 0) { /* how much there is without connections, or nearly */
        (void)remora_grpc_reclaim(&connections->reclaim);
    }
    struct connection *connection = append(connections, fd);
    connection->inode = status.st_ino;
    name(connections, &connection->socket, fd);
    tell(connections);
    arm(connections);
    return true;
}

void remora_grpc_connections_listed(struct remora_grpc_connections *connections,
                                    const struct remora_grpc_newcomer *newcomer)
{
    for (size_t i = 0; i < connections->count; i++) {
        struct connection *connection = &connections->open[i];
        if (connection->fd == newcomer->fd && connection->inode == newcomer->inode) {
            connection->socket.id = newcomer->id;
        }
    }
}

/* Not one that came after the call and has its number. One of the core's own is noted late; its name is its address. */
static bool may_be_of(const struct connection *c, const struct remora_grpc_ended *ended)
{
    return strcmp(c->socket.peer, ended->peer) == 0 &&
           (c->fd == NO_FD || c->since_ns <= ended->arrived_ns) && is_open(c);
}

static struct connection *find(struct remora_grpc_connections *connections,
                               const struct remora_grpc_ended *ended)
{
    for (size_t i = 0; i < connections->count; i++) {
        if (may_be_of(&connections->open[i], ended)) {
            return &connections->open[i];
        }
    }
    return NULL;
}

void remora_grpc_connections_ended(struct remora_grpc_connections *connections,
                                   const struct remora_grpc_ended *ended)
{
    struct connection *c = find(connections, ended);
    if (ended->end == REMORA_GRPC_BLAMELESS) {
        uint64_t *late = c == NULL ? &connections->late : &c->late;
        *late += 1;
    } else if (c != NULL && is_storm(&c->seen, now_ns(connections), 1, 0)) {
        end_one(connections, c, REMORA_GRPC_TOO_MANY_RESETS);
    }
}

void remora_grpc_connections_shut(struct remora_grpc_connections *connections)
{
    for (size_t i = 0; connections != NULL && i < connections->count; i++) {
        const struct connection *c = &connections->open[i];
        if (is_of(c, c->watched_fd)) {
            (void)shutdown(c->watched_fd, SHUT_RDWR);
        }
    }
}

void remora_grpc_connections_farewell(struct remora_grpc_connections *connections)
{
    connections->parting_ns = now_ns(connections);
    look(connections);
    for (size_t i = 0; i < connections->count; i++) {
        struct connection *c = &connections->open[i];
        if (c->fd != NO_FD && c->farewell == NO_FAREWELL && c->shut_at_ns == 0) {
            c->farewell = TO_BE_LOOKED_AT;
            bid_farewell(c);
        }
    }
    (void)!arm_ending(connections);
}

struct remora_grpc_parting
remora_grpc_connections_parting(struct remora_grpc_connections *connections)
{
    struct remora_grpc_parting parting = {0};
    look(connections);
    for (size_t i = 0; i < connections->count; i++) {
        struct connection *c = &connections->open[i];
        if (c->farewell == SAID && has_answered(c)) {
            connections->parting_ns = now_ns(connections);
        }
        parting.open += c->farewell != NO_FAREWELL;
        parting.unheard += c->farewell != NO_FAREWELL && c->farewell != HEARD;
    }
    parting.since_ns = connections->parting_ns;
    return parting;
}
