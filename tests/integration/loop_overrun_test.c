/*
 * More than is kept comes over TCP while reading is off: its end is noticed behind all of it, and output goes on.
 *
 * On loopback with real sockets: a socket pair tells its end past what lies in it, TCP does not.
 */
#include "support.h"

#include "remora/limits.h"
#include "remora/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUND_MS = 20, ROUNDS = 2000 };

struct fixture {
    struct remora_loop *loop;
    struct remora_conn *conn;
    int peer;
    size_t read_bytes;
    int overruns;
    bool keeps; /* answers on_overrun with no */
    int gone;
    enum remora_conn_end end;
};

static void on_read(struct remora_conn *conn, struct remora_slice bytes)
{
    struct fixture *f = conn->owner;
    f->read_bytes += bytes.length;
}

static bool on_overrun(struct remora_conn *conn)
{
    struct fixture *f = conn->owner;
    f->overruns++;
    return !f->keeps;
}

static void on_gone(struct remora_conn *conn, enum remora_conn_end end)
{
    struct fixture *f = conn->owner;
    f->gone++;
    f->end = end;
}

static const struct remora_conn_callbacks CALLBACKS = {
    .on_read = on_read, .on_overrun = on_overrun, .on_gone = on_gone};

/* Two ends of a TCP connection. */
static void connect_tcp(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&address, length), 0);
    ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(ends[1] >= 0);
    close(listener);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int ends[2];
    if (f == NULL || remora_loop_new(&f->loop) != REMORA_OK) {
        return -1;
    }
    connect_tcp(ends);
    f->peer = ends[0];
    fcntl(f->peer, F_SETFL, O_NONBLOCK);
    *state = f;
    return remora_conn_adopt(f->loop, ends[1], &CALLBACKS, f, &f->conn) == REMORA_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->peer >= 0) {
        close(f->peer);
    }
    remora_loop_free(f->loop);
    free(f);
    return 0;
}

/* Until all of it is with the kernel, or the connection is gone. */
static void send_bytes(struct fixture *f, size_t bytes)
{
    static char block[65536];
    for (int i = 0; i < ROUNDS && bytes > 0 && f->gone == 0; i++) {
        ssize_t wrote = write(f->peer, block, bytes < sizeof block ? bytes : sizeof block);
        bytes -= wrote > 0 ? (size_t)wrote : 0;
        remora_loop_run_once(f->loop, wrote > 0 ? 0 : ROUND_MS);
    }
    assert_true(bytes == 0 || f->gone > 0);
}

static void run_until(struct fixture *f, const int *count)
{
    for (int i = 0; i < ROUNDS && *count == 0; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_int_equal(*count, 1);
}

static void who_leaves_behind_more_than_is_kept_is_noticed(void **state)
{
    struct fixture *f = *state;
    int buffer = 4 << 20;
    setsockopt(f->peer, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    static char block[400000]; /* the kernel of the peer holds most of it, and the FIN behind it */
    assert_true(write(f->peer, block, sizeof block) > 4 * REMORA_LIMIT_HTTP_PIPELINE_BYTES);
    close(f->peer);
    f->peer = -1;
    run_until(f, &f->gone);
    assert_int_equal(f->end, REMORA_CONN_PEER_CLOSED);
    assert_int_equal(f->overruns, 1);
    assert_int_equal(f->read_bytes, 0);
}

static void output_goes_on_after_an_overrun_and_input_does_not(void **state)
{
    struct fixture *f = *state;
    char answer[8] = "";
    send_bytes(f, 1 << 20);
    run_until(f, &f->overruns);
    f->conn->ops->set_reading(f->conn, true);
    f->conn->ops->write(f->conn, REMORA_SLICE("answer"));
    send_bytes(f, 1 << 20);
    assert_int_equal(read(f->peer, answer, sizeof answer), 6);
    assert_string_equal(answer, "answer");
    assert_int_equal(f->read_bytes, 0);
    assert_int_equal(f->gone, 0);
    shutdown(f->peer, SHUT_WR);
    run_until(f, &f->gone);
    assert_int_equal(f->overruns, 1);
}

static void what_is_kept_is_not_lost(void **state)
{
    struct fixture *f = *state;
    send_bytes(f, REMORA_LIMIT_HTTP_PIPELINE_BYTES / 2);
    for (int i = 0; i < 3; i++) {
        remora_loop_run_once(f->loop, 100);
    }
    f->conn->ops->set_reading(f->conn, true);
    for (int i = 0; i < ROUNDS && f->read_bytes < REMORA_LIMIT_HTTP_PIPELINE_BYTES / 2; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_int_equal(f->read_bytes, REMORA_LIMIT_HTTP_PIPELINE_BYTES / 2);
    assert_int_equal(f->overruns, 0);
}

static void an_owner_who_wants_all_of_it_gets_it(void **state)
{
    struct fixture *f = *state;
    const size_t bytes = 4 * (size_t)REMORA_LIMIT_HTTP_PIPELINE_BYTES;
    f->keeps = true;
    send_bytes(f, bytes);
    for (int i = 0; i < ROUNDS && f->overruns < 2; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_true(f->overruns >= 2);
    f->conn->ops->set_reading(f->conn, true);
    for (int i = 0; i < ROUNDS && f->read_bytes < bytes; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_int_equal(f->read_bytes, bytes);
    assert_int_equal(f->gone, 0);
}

static void a_flood_without_end_is_cut_off(void **state)
{
    struct fixture *f = *state;
    send_bytes(f, (size_t)REMORA_LIMIT_MESSAGE_BYTES + (4 << 20));
    run_until(f, &f->gone);
    assert_int_equal(f->end, REMORA_CONN_RESET);
    assert_int_equal(f->read_bytes, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_leaves_behind_more_than_is_kept_is_noticed),
        CASE(output_goes_on_after_an_overrun_and_input_does_not),
        CASE(what_is_kept_is_not_lost),
        CASE(an_owner_who_wants_all_of_it_gets_it),
        CASE(a_flood_without_end_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
