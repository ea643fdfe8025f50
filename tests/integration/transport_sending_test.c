/* How often a request is sent, over which connection, and what is held back when nobody takes the answer. */
#include "probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BIG = 3 << 20,
    HUGE_BODY = 12 << 20 /* more than the kernel takes */,
    SMALL_BUFFER = 8 << 10,
    CHUNK = 4096 + 8
};

static atomic_bool is_uploading;
static atomic_bool may_answer;

struct fixture {
    struct client client;
    struct raw_server *server;
    char *big;
};

static int setup(void **state)
{
    static struct fixture fixture;
    client_init(&fixture.client, NULL);
    fixture.server = NULL;
    fixture.big = malloc(BIG);
    for (size_t i = 0; i < BIG; i++) {
        fixture.big[i] = (char)('a' + i % 23);
    }
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    client_fini(&f->client);
    raw_server_stop(f->server);
    free(f->big);
    return 0;
}

/* One exchange from beginning to end. */
static struct remora_transfer_end exchange(struct fixture *f, size_t body_bytes, int *status)
{
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    probe_post(&p, f->big, body_bytes);
    probe_start(&p);
    probe_finish(&p);
    if (status != NULL) {
        *status = p.status;
    }
    probe_fini(&p);
    return p.end;
}

static void answer_all(struct raw_connection *c)
{
    while (raw_read_request(c) && raw_write(c, RAW_OK)) {
    }
}

static void connection_is_used_again(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    assert_false(exchange(f, 100, NULL).was_reused);
    for (int i = 0; i < 5; i++) {
        struct remora_transfer_end end = exchange(f, 100, NULL);
        assert_int_equal(end.cause, REMORA_CAUSE_NONE);
        assert_true(end.was_reused);
    }
    assert_int_equal(atomic_load(&f->server->accepted), 1);
    assert_int_equal(atomic_load(&f->server->requests), 6);
}

static void methods_are_sent_as_they_are_called(void **state)
{
    static const enum remora_method methods[] = {REMORA_POST, REMORA_PUT, REMORA_POST, REMORA_GET};
    static const char *const words[] = {"POST / ", "PUT / ", "POST / ", "GET / "};
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    for (size_t i = 0; i < REMORA_COUNT_OF(methods); i++) { /* on one pooled handle */
        struct probe p;
        probe_init(&p, &f->client, f->server->url, "/");
        if (methods[i] != REMORA_GET) {
            probe_post(&p, f->big, 10);
        }
        p.request.method = methods[i];
        probe_start(&p);
        probe_finish(&p);
        assert_memory_equal(f->server->last, words[i], strlen(words[i]));
        probe_fini(&p);
    }
}

/* Once, whatever else stands in the head; and never where nobody asked for it. */
static void hop_header_leaves_with_every_size_of_body(void **state)
{
    static const size_t lengths[] = {10, BIG}; /* in one buffer; read piece by piece */
    static const char line[] = "remora-hop: edge,AbCdEfGhIjK\r\n";
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    for (size_t i = 0; i < REMORA_COUNT_OF(lengths); i++) {
        struct probe p;
        probe_init(&p, &f->client, f->server->url, "/");
        probe_post(&p, f->big, lengths[i]);
        p.hops = REMORA_SLICE("edge,AbCdEfGhIjK");
        p.headers[p.request.header_count++] =
            (struct remora_header){REMORA_SLICE("X-Own"), REMORA_SLICE("kept"), NULL};
        probe_start(&p);
        probe_finish(&p);
        probe_fini(&p);
        const char *found = strstr(f->server->last, line);
        assert_non_null(found);
        assert_null(strstr(found + 1, "remora-hop"));
        assert_non_null(strstr(f->server->last, "X-Own: kept\r\n"));
    }
    exchange(f, 10, NULL);
    assert_null(strstr(f->server->last, "remora-hop"));
}

/* HTTP/2 is agreed on in TLS or not at all: without, libcurl 7.88 garbles what it says with prior knowledge. */
static void without_tls_no_http_2_is_spoken_nor_asked_for(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    p.provider.http2 = true;
    probe_start(&p);
    probe_finish(&p);
    assert_int_equal(p.status, 200);
    assert_non_null(strstr(f->server->last, "GET / HTTP/1.1\r\n"));
    assert_null(strcasestr(f->server->last, "upgrade"));
    probe_fini(&p);
}

/* libcurl would announce a body above 1 MiB and wait a second for servers that do not answer to that. */
static void large_body_is_not_announced(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    assert_int_equal(exchange(f, BIG, NULL).cause, REMORA_CAUSE_NONE);
    assert_null(strstr(f->server->last, "Expect"));
}

/* A pooled handle that stands as one provider needed it must stand as the next one needs it. */
static void handle_that_went_one_way_goes_another(void **state)
{
    static const char *const paths[] = {"/a", "/a", "/b?x=1", "/a"};
    static const char *const words[] = {"GET /a HTTP", "GET /a HTTP", "GET /b?x=1 HTTP",
                                        "GET /a HTTP"};
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    struct raw_server *other = raw_server_start(answer_all, NULL);
    for (size_t i = 0; i < REMORA_COUNT_OF(paths); i++) {
        struct probe p;
        struct raw_server *server = i == 2 ? other : f->server;
        probe_init(&p, &f->client, server->url, paths[i]);
        probe_start(&p);
        probe_finish(&p);
        assert_int_equal(p.status, 200);
        assert_memory_equal(server->last, words[i], strlen(words[i]));
        probe_fini(&p);
    }
    assert_int_equal(atomic_load(&f->server->requests), 3);
    raw_server_stop(other);
}

/* The same URL, now through a proxy (which is told the whole URL), then straight again. */
static void proxy_of_one_provider_is_not_that_of_the_next(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    const char *const words[] = {"GET http://provider.invalid/ HTTP", "GET / HTTP",
                                 "GET http://provider.invalid/ HTTP"};
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        struct probe p;
        bool is_proxied = i != 1;
        probe_init(&p, &f->client, is_proxied ? "http://provider.invalid" : f->server->url, "/");
        p.provider.proxy = is_proxied ? remora_slice_of(f->server->url) : remora_slice(NULL, 0);
        probe_start(&p);
        probe_finish(&p);
        assert_int_equal(p.status, 200);
        assert_memory_equal(f->server->last, words[i], strlen(words[i]));
        probe_fini(&p);
    }
}

/* ---- the silent re-send ---- */

static void answer_one_then_fin(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, RAW_OK)) {
        (void)raw_read_request(c);
    }
}

static void answer_one_then_reset(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, RAW_OK) && raw_read_request(c)) {
        raw_reset(c);
    }
}

static void assert_not_sent_again(struct fixture *f)
{
    assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
    struct remora_transfer_end end = exchange(f, 100, NULL);
    assert_int_equal(end.cause, REMORA_CAUSE_RESET);
    assert_true(end.was_reused);
    assert_true(end.was_sent);
    assert_false(end.is_free_resend);
    client_run_ms(&f->client, 50);
    assert_int_equal(atomic_load(&f->server->requests), 2);
}

static void post_taken_by_a_connection_that_is_closed_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_one_then_fin, NULL);
    assert_not_sent_again(f);
}

static void post_taken_by_a_connection_that_is_reset_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_one_then_reset, NULL);
    assert_not_sent_again(f);
}

static void large_post_taken_in_full_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_one_then_fin, NULL);
    assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
    struct remora_transfer_end end = exchange(f, 200 << 10, NULL);
    assert_int_equal(end.cause, REMORA_CAUSE_RESET);
    assert_false(end.is_free_resend);
    client_run_ms(&f->client, 50);
    assert_int_equal(atomic_load(&f->server->requests), 2);
}

static void answer_one_then_die_in_the_next(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, RAW_OK) && c->index == 0) {
        (void)raw_read_some(c, 70000);
        raw_reset(c);
    }
}

static void large_post_that_was_cut_on_a_reused_connection_is_a_free_resend(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start_small(answer_one_then_die_in_the_next, SMALL_BUFFER);
    assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
    struct remora_transfer_end end = exchange(f, BIG, NULL);
    assert_int_equal(end.cause, REMORA_CAUSE_RESET);
    assert_true(end.is_free_resend);
    assert_true(end.was_reused);
    assert_false(end.got_head);
    client_run_ms(&f->client, 50);
    assert_int_equal(atomic_load(&f->server->requests), 1);
    assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
}

static void die_at_once(struct raw_connection *c)
{
    (void)raw_read_request(c);
}

static void fresh_connection_that_dies_is_no_free_resend(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(die_at_once, NULL);
    struct remora_transfer_end end = exchange(f, 100, NULL);
    assert_int_equal(end.cause, REMORA_CAUSE_RESET);
    assert_false(end.was_reused);
    assert_false(end.is_free_resend);
    assert_int_equal(atomic_load(&f->server->requests), 1);
}

static void answer_one_and_close(struct raw_connection *c)
{
    if (raw_read_request(c)) {
        raw_write(c, RAW_OK);
    }
}

static void idle_connection_that_was_closed_is_noticed_before_sending(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_one_and_close, NULL);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
        client_run_until(&f->client, &f->server->ended, i);
        client_run_ms(&f->client, 20);
        assert_int_equal(atomic_load(&f->server->requests), i);
    }
}

static void idle_connection_that_was_closed_does_not_keep_the_loop_busy(void **state)
{
    enum { ROUND_MS = 10 };
    struct fixture *f = *state;
    f->server = raw_server_start(answer_one_and_close, NULL);
    assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
    client_run_ms(&f->client, 50);
    uint64_t before_ns = test_now_ns();
    for (int i = 0; i < ROUND_MS; i++) {
        remora_loop_run_once(f->client.loop, ROUND_MS);
    }
    assert_true(test_now_ns() - before_ns > 50 * REMORA_NS_PER_MS); /* it slept */
}

/* ---- bodies ---- */

static void assert_pieces_arrive(struct fixture *f, const size_t *lengths, size_t count)
{
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        probe_post(&p, f->big + at, lengths[i]);
        at += lengths[i];
    }
    probe_start(&p);
    probe_finish(&p);
    assert_int_equal(p.end.cause, REMORA_CAUSE_NONE);
    size_t total = atomic_load(&f->server->last_bytes);
    assert_true(total > at);
    assert_memory_equal(f->server->last + total - at, f->big, at);
    assert_null(strcasestr(f->server->last, "\r\nexpect:")); /* libcurl asks above 1 MB, if let */
    probe_fini(&p);
}

static void pieces_of_a_body_arrive_as_one(void **state)
{
    static const size_t SMALL[] = {1, 0, 1000, 7, 30000};
    static const size_t LARGE[] = {1, 70000, 0, 16384, 1 << 20, 3};
    static const size_t EDGE[] = {64 << 10};
    static const size_t ONE_MORE[] = {64 << 10, 1};
    static const size_t NONE[] = {0};
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    assert_pieces_arrive(f, SMALL, REMORA_COUNT_OF(SMALL));
    assert_pieces_arrive(f, LARGE, REMORA_COUNT_OF(LARGE));
    assert_pieces_arrive(f, EDGE, REMORA_COUNT_OF(EDGE));
    assert_pieces_arrive(f, ONE_MORE, REMORA_COUNT_OF(ONE_MORE));
    assert_pieces_arrive(f, NONE, REMORA_COUNT_OF(NONE));
    assert_int_equal(atomic_load(&f->server->accepted), 1);
}

static void refuse_early(struct raw_connection *c)
{
    if (raw_read_some(c, 1000)) {
        raw_write(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
                     "Content-Length: 2\r\n\r\n{}");
        raw_wait_closed(c);
    }
}

static void early_refusal_of_a_large_body_is_delivered(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start_small(refuse_early, SMALL_BUFFER);
    int status = 0;
    struct remora_transfer_end end = exchange(f, BIG, &status);
    assert_int_equal(end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(status, 413);
}

/*
 * The worst moment: the loop was told that there is room to send, and before curl sends, the answer and, because most of the
 * body lies unread, a reset come. Who sends into that fails, and never reads the answer.
 */
static void wait_for_reset(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < PROBE_PATIENCE_MS && (waiting.revents & (POLLERR | POLLHUP)) == 0; i++) {
        (void)poll(&waiting, 1, 0);
        usleep(1000);
    }
}

static int after_wait(const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (events[i].events == EPOLLOUT && atomic_exchange(&is_uploading, false)) {
            atomic_store(&may_answer, true);
            wait_for_reset(events[i].data.fd);
        }
    }
    return count;
}

int epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms)
{
    int (*real)(int, struct epoll_event *, int, int) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
    return after_wait(events, real(epoll_fd, events, most, timeout_ms));
}

/* What later versions of libuv call. */
int epoll_pwait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms,
                const sigset_t *mask)
{
    int (*real)(int, struct epoll_event *, int, int, const sigset_t *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "epoll_pwait");
    return after_wait(events, real(epoll_fd, events, most, timeout_ms, mask));
}

/* Reads on until there is room to send again. */
static void refuse_and_run(struct raw_connection *c)
{
    if (!raw_read_some(c, 1000)) {
        return;
    }
    atomic_store(&is_uploading, true);
    while (!atomic_load(&may_answer)) {
        char bytes[4096];
        (void)recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        usleep(100);
    }
    raw_write(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
                 "Content-Length: 2\r\n\r\n{}");
    raw_reset(c);
}

static void an_answer_that_comes_with_a_reset_is_delivered(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start_small(refuse_and_run, SMALL_BUFFER);
    int status = 0;
    atomic_store(&may_answer, false);
    free(f->big);
    f->big = calloc(1, HUGE_BODY);
    (void)exchange(f, HUGE_BODY, &status);
    assert_true(atomic_load(&may_answer));
    assert_int_equal(status, 413);
}

/* ---- release ---- */

#define SSE_HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

static void stream_then_end(struct raw_connection *c)
{
    while (raw_read_request(c) && raw_write(c, SSE_HEAD "e\r\ndata: [DONE]\n\n\r\n")) {
        usleep(20000);
        if (!raw_write(c, "0\r\n\r\n")) {
            return;
        }
    }
}

static void released_transfer_gives_its_connection_back(void **state)
{
    enum { ROUNDS = 5 };
    struct fixture *f = *state;
    f->server = raw_server_start(stream_then_end, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        struct probe p;
        probe_init(&p, &f->client, f->server->url, "/");
        p.on_body = PROBE_RELEASE;
        probe_start(&p);
        probe_finish(&p);
        client_run_ms(&f->client, 60);
        probe_fini(&p);
    }
    assert_int_equal(atomic_load(&f->server->requests), ROUNDS);
    /* One, but for a server that a busy machine keeps from ending in time. */
    assert_in_range(atomic_load(&f->server->accepted), 1, ROUNDS - 1);
}

static void stream_and_stay(struct raw_connection *c)
{
    if (raw_read_request(c) && raw_write(c, SSE_HEAD "e\r\ndata: [DONE]\n\n\r\n")) {
        raw_wait_closed(c);
    }
}

static void released_transfer_that_does_not_end_is_closed_soon(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(stream_and_stay, NULL);
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    p.on_body = PROBE_RELEASE;
    probe_start(&p);
    probe_finish(&p);
    uint64_t before_ns = test_now_ns();
    client_run_until_closed(&f->client, f->server);
    assert_in_range((test_now_ns() - before_ns) / REMORA_NS_PER_MS, 50, 400);
    probe_fini(&p);
}

static void stream_for_ever(struct raw_connection *c)
{
    static char chunk[CHUNK];
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "1000\r\n", 6);
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    if (!raw_read_request(c) || !raw_write(c, SSE_HEAD)) {
        return;
    }
    while (raw_write_bytes(c, chunk, sizeof chunk)) {
    }
    atomic_store(&c->server->closed_at_ns, 1);
}

static void released_transfer_that_floods_is_closed_after_16_kib(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start_small(stream_for_ever, SMALL_BUFFER);
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    p.on_body = PROBE_RELEASE;
    probe_start(&p);
    probe_finish(&p);
    client_run_until_closed(&f->client, f->server);
    assert_true(atomic_load(&f->server->written) < 512 << 10); /* in the 100 ms many times that would come */
    probe_fini(&p);
}

/* ---- pause ---- */

/* What the kernel holds of this stream: unsent or unacknowledged at the server, unread at the client. */
static long long kernel_bytes(struct raw_server *server)
{
    int unsent = 0;
    int unread = 0;
    ioctl(server->connections[0].fd, SIOCOUTQ, &unsent);
    struct sockaddr_in peer;
    for (int fd = 3; fd < 256; fd++) {
        socklen_t length = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == server->port) {
            ioctl(fd, FIONREAD, &unread);
        }
    }
    return (long long)unsent + unread;
}

static void paused_transfer_holds_at_most_64_kib(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start_small(stream_for_ever, SMALL_BUFFER);
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    p.on_body = PROBE_PAUSE;
    probe_start(&p);
    client_run_ms(&f->client, 300);
    assert_int_equal(p.bodies, 1);
    /* The server counts a chunk when it has left in full; the one it is stuck in is counted here. */
    long long held = atomic_load(&f->server->written) + CHUNK - kernel_bytes(f->server) -
                     (long long)remora_buf_slice(&p.body).length;
    assert_in_range(held, 0, 64 << 10);
    probe_cancel(&p);
    probe_fini(&p);
}

static void paused_transfer_delivers_everything_once_resumed(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    p.on_body = PROBE_PAUSE;
    probe_start(&p);
    client_run_until(&f->client, &f->server->requests, 1);
    client_run_ms(&f->client, 100);
    assert_int_equal(p.bodies, 1);
    assert_false(p.is_over); /* the end does not overtake the pause */
    probe_resume(&p);
    probe_finish(&p);
    assert_int_equal(p.end.cause, REMORA_CAUSE_NONE);
    assert_slice_equal(remora_buf_slice(&p.body), "{}");
    probe_fini(&p);
    /* The handle, which is pooled now, does not remember the pause. */
    assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
}

static void paused_transfer_is_cancelled_though_its_answer_has_ended(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    p.on_body = PROBE_PAUSE;
    probe_start(&p);
    client_run_ms(&f->client, 100);
    probe_resume(&p); /* not carried out yet when the cancel comes */
    probe_cancel(&p);
    client_run_ms(&f->client, 20);
    probe_fini(&p);
    assert_int_equal(exchange(f, 100, NULL).cause, REMORA_CAUSE_NONE);
}

static void send_a_megabyte(struct raw_connection *c)
{
    enum { BLOCK = 1 << 16, BLOCKS = 16 };
    static char block[BLOCK];
    memset(block, 'y', sizeof block);
    if (!raw_read_request(c) ||
        !raw_write(c, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n")) {
        return;
    }
    for (int i = 0; i < BLOCKS; i++) {
        raw_write_bytes(c, block, BLOCK);
    }
    raw_wait_closed(c);
}

static void resume_before_the_pause_takes_hold_does_not_hang(void **state)
{
    struct fixture *f = *state;
    f->server = raw_server_start(send_a_megabyte, NULL);
    struct probe p;
    probe_init(&p, &f->client, f->server->url, "/");
    p.on_body = PROBE_RESUME_AND_PAUSE; /* a sink that drains while it says it is full */
    probe_start(&p);
    probe_finish(&p);
    assert_int_equal(p.end.cause, REMORA_CAUSE_NONE);
    assert_int_equal(remora_buf_slice(&p.body).length, 1 << 20);
    probe_fini(&p);
}

static void handles_beyond_the_pool_work_and_are_given_back(void **state)
{
    enum { MANY = 100 };
    struct fixture *f = *state;
    f->server = raw_server_start(answer_all, NULL);
    static struct probe probes[MANY];
    for (int i = 0; i < MANY; i++) {
        probe_init(&probes[i], &f->client, f->server->url, "/");
        probe_start(&probes[i]);
    }
    for (int i = 0; i < MANY; i++) {
        probe_finish(&probes[i]);
        assert_int_equal(probes[i].end.cause, REMORA_CAUSE_NONE);
        probe_fini(&probes[i]);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (remora_transport_global_init() != REMORA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(connection_is_used_again),
        CASE(methods_are_sent_as_they_are_called),
        CASE(hop_header_leaves_with_every_size_of_body),
        CASE(without_tls_no_http_2_is_spoken_nor_asked_for),
        CASE(large_body_is_not_announced),
        CASE(handle_that_went_one_way_goes_another),
        CASE(proxy_of_one_provider_is_not_that_of_the_next),
        CASE(post_taken_by_a_connection_that_is_closed_is_not_sent_again),
        CASE(post_taken_by_a_connection_that_is_reset_is_not_sent_again),
        CASE(large_post_taken_in_full_is_not_sent_again),
        CASE(large_post_that_was_cut_on_a_reused_connection_is_a_free_resend),
        CASE(fresh_connection_that_dies_is_no_free_resend),
        CASE(idle_connection_that_was_closed_is_noticed_before_sending),
        CASE(idle_connection_that_was_closed_does_not_keep_the_loop_busy),
        CASE(pieces_of_a_body_arrive_as_one),
        CASE(early_refusal_of_a_large_body_is_delivered),
        CASE(an_answer_that_comes_with_a_reset_is_delivered),
        CASE(released_transfer_gives_its_connection_back),
        CASE(released_transfer_that_does_not_end_is_closed_soon),
        CASE(released_transfer_that_floods_is_closed_after_16_kib),
        CASE(paused_transfer_holds_at_most_64_kib),
        CASE(paused_transfer_delivers_everything_once_resumed),
        CASE(paused_transfer_is_cancelled_though_its_answer_has_ended),
        CASE(resume_before_the_pause_takes_hold_does_not_hang),
        CASE(handles_beyond_the_pool_work_and_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
