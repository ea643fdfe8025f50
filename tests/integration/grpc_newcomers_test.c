/*
 * Accepted sockets on their way to the core (src/front/grpc/newcomers.h), whatever the core is: a peer that floods from its first
 * byte, and does not end, must not hold the loop that gives its socket.
 *
 * The core reads on the thread that gave the socket where its poller hears of the first bytes in time, and goes on until there is
 * no more. Here it always hears: the core's epoll_ctl is this program's, and takes a while. So is its recvmsg, which tells
 * who reads.
 */
#include "support.h"

#include "../../src/front/grpc/handoff.h"
#include "../../src/front/grpc/newcomers.h"

#include <arpa/inet.h>
#include <grpc/grpc_security.h>
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h>
#endif
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    NONE = -1,
    LATE_US = 100000,
    FULL_BYTES = 1 << 18, /* wait in the kernel by then */
    READ_BYTES = 32 << 20,
};

static _Atomic int slow_fd = NONE;
static _Atomic unsigned reads;
static _Atomic unsigned reads_of_loop;
static _Thread_local bool is_loop;

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    int result = (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
    if (operation == EPOLL_CTL_ADD && fd == atomic_load(&slow_fd)) {
        usleep(LATE_US);
    }
    return result;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    atomic_fetch_add(&reads, 1);
    atomic_fetch_add(&reads_of_loop, is_loop ? 1 : 0);
    return syscall(SYS_recvmsg, fd, message, flags);
}

/* ---- the peer ---- */

struct flood {
    int fd;
    pthread_t thread;
    _Atomic size_t sent;
    _Atomic bool is_over;
};

static void *flood_on(void *context)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static const char update[13] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static char piece[sizeof update * 4096];
    struct flood *flood = context;
    ssize_t sent = send(flood->fd, preface, sizeof preface - 1, MSG_NOSIGNAL);
    for (size_t i = 0; i < sizeof piece; i++) {
        piece[i] = update[i % sizeof update];
    }
    for (size_t at = 0; sent > 0; at = (at + (size_t)sent) % sizeof update) {
        sent = send(flood->fd, piece + at, sizeof piece - at, MSG_NOSIGNAL);
        atomic_fetch_add(&flood->sent, sent > 0 ? (size_t)sent : 0);
    }
    atomic_store(&flood->is_over, true);
    return NULL;
}

static void wait_until_sent(struct flood *flood, size_t bytes)
{
    while (atomic_load(&flood->sent) < bytes && !atomic_load(&flood->is_over)) {
        usleep(1000);
    }
    assert_false(atomic_load(&flood->is_over));
}

/* The other side's socket, in which much waits already. */
static int begin(struct flood *flood)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &length), 0);
    flood->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(flood->fd, (struct sockaddr *)&address, length), 0);
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    close(listening);
    assert_int_equal(pthread_create(&flood->thread, NULL, flood_on, flood), 0);
    wait_until_sent(flood, FULL_BYTES);
    return fd;
}

static void end(struct flood *flood)
{
    shutdown(flood->fd, SHUT_RDWR);
    pthread_join(flood->thread, NULL);
    close(flood->fd);
}

/* ---- the gateway ---- */

struct gateway {
    struct remora_worker worker;
    struct remora_grpc_lane lane;
    struct remora_grpc_poller poller;
    grpc_server *server;
    grpc_server_credentials *credentials;
    struct remora_grpc_newcomers *newcomers;
    pthread_t thread;
    struct remora_grpc_tag shut_down;
    sem_t has_shut_down;
    _Atomic unsigned told;
};

static void *run_loop(void *context)
{
    is_loop = true;
    remora_loop_run(((struct gateway *)context)->worker.loop);
    return NULL;
}

static void on_told(void *context, const struct remora_grpc_newcomer *newcomer)
{
    assert_true(newcomer->id > 0 && newcomer->inode > 0);
    atomic_fetch_add(&((struct gateway *)context)->told, 1);
}

static void on_shut_down(struct remora_grpc_tag *tag, bool ok)
{
    (void)ok;
    sem_post(&REMORA_CONTAINER_OF(tag, struct gateway, shut_down)->has_shut_down);
}

static void open_gateway(struct gateway *g)
{
    grpc_init();
    sem_init(&g->has_shut_down, 0, 0);
    g->server = grpc_server_create(NULL, NULL);
    g->credentials = grpc_insecure_server_credentials_create();
    assert_int_equal(remora_grpc_poller_open(&g->poller), REMORA_OK);
    assert_int_equal(remora_loop_new(&g->worker.loop), REMORA_OK);
    assert_int_equal(remora_grpc_lane_open(&g->lane, &g->worker, &g->poller), REMORA_OK);
    grpc_server_register_completion_queue(g->server, g->lane.arrivals, NULL);
    assert_int_equal(pthread_create(&g->thread, NULL, run_loop, g), 0);
    grpc_server_start(g->server);
    const struct remora_grpc_newcomers_input input = {.server = g->server,
                                                      .credentials = g->credentials,
                                                      .loop = g->worker.loop,
                                                      .told = on_told,
                                                      .context = g};
    assert_int_equal(remora_grpc_newcomers_open(&input, &g->newcomers), REMORA_OK);
}

static bool has_ended_in_time(struct gateway *g)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec++;
    return sem_timedwait(&g->has_shut_down, &limit) == 0;
}

/* As the front does it: where the core does not end the connection that it reads, it is shut. */
static void close_gateway(struct gateway *g, int fd)
{
    remora_grpc_newcomers_refuse(g->newcomers);
    remora_grpc_tag_init(&g->shut_down, &g->lane, on_shut_down);
    remora_grpc_tag_give(&g->shut_down);
    grpc_server_shutdown_and_notify(g->server, g->lane.arrivals, &g->shut_down);
    grpc_server_cancel_all_calls(g->server);
    if (!has_ended_in_time(g)) {
        shutdown(fd, SHUT_RDWR);
        sem_wait(&g->has_shut_down);
    }
    remora_grpc_newcomers_join(g->newcomers);
    remora_grpc_lane_settle(&g->lane);
    remora_grpc_newcomers_free(g->newcomers);
    grpc_server_destroy(g->server);
    remora_grpc_poller_close(&g->poller);
    remora_grpc_lane_close(&g->lane);
    grpc_server_credentials_release(g->credentials);
    remora_loop_stop(g->worker.loop);
    pthread_join(g->thread, NULL);
    remora_loop_free(g->worker.loop);
    sem_destroy(&g->has_shut_down);
    grpc_shutdown();
}

struct turn {
    struct remora_message_node message;
    struct gateway *gateway;
    int fd; /* to be given; NONE: the turn alone is wanted */
    sem_t has_come;
};

static void on_turn(struct remora_message_node *message)
{
    struct turn *turn = REMORA_CONTAINER_OF(message, struct turn, message);
    if (turn->fd != NONE) {
        remora_grpc_newcomers_give(turn->gateway->newcomers, turn->fd);
    }
    sem_post(&turn->has_come);
}

/* The loop's next turn, and its end. */
static void take_turn(struct gateway *g, int fd)
{
    struct turn turn = {.message.run = on_turn, .gateway = g, .fd = fd};
    sem_init(&turn.has_come, 0, 0);
    remora_loop_post(g->worker.loop, &turn.message);
    while (sem_wait(&turn.has_come) != 0) {
    }
    sem_destroy(&turn.has_come);
}

/* ---- tests ---- */

/* Of a gateway that reads it, and there is no end of it; its socket there. */
static int flood_gateway(struct gateway *g, struct flood *flood)
{
    open_gateway(g);
    int fd = begin(flood);
    atomic_store(&slow_fd, fd);
    take_turn(g, fd);
    wait_until_sent(flood, READ_BYTES);
    return fd;
}

static void the_loop_reads_nothing_of_a_flood(void **state)
{
    static struct gateway g;
    struct flood flood = {0};
    (void)state;
    int fd = flood_gateway(&g, &flood);
    take_turn(&g, NONE);
    end(&flood);
    close_gateway(&g, fd);
    assert_true(atomic_load(&reads) > 100);
    assert_int_equal(atomic_load(&reads_of_loop), 0);
}

/* Which goes on until the server ends it. */
static void a_flood_ends_with_the_server(void **state)
{
    static struct gateway g;
    struct flood flood = {0};
    (void)state;
    int fd = flood_gateway(&g, &flood);
    close_gateway(&g, fd);
    end(&flood);
    assert_true(atomic_load(&flood.is_over));
}

static void who_comes_when_it_is_over_is_closed(void **state)
{
    static struct gateway g;
    struct flood flood = {0};
    (void)state;
    open_gateway(&g);
    int fd = begin(&flood);
    remora_grpc_newcomers_refuse(g.newcomers);
    take_turn(&g, fd);
    close_gateway(&g, fd);
    pthread_join(flood.thread, NULL); /* by itself */
    close(flood.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_reads_nothing_of_a_flood),
        cmocka_unit_test(a_flood_ends_with_the_server),
        cmocka_unit_test(who_comes_when_it_is_over_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
