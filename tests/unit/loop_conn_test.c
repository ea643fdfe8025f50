/* Plain connections, over socket pairs: no network, no sleep. */
#include "support.h"

#include "remora/limits.h"
#include "remora/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUND_MS = 1000, ROUNDS = 200 };

struct fixture {
    struct remora_loop *loop;
    struct remora_conn *conn;
    int peer;
    size_t read_bytes;
    int read_calls;
    char first[64];
    int drained;
    int gone;
    enum remora_conn_end end;
    int closed;
    bool is_closing_on_read;
    bool is_writing_on_drain;
};

static void on_read(struct remora_conn *conn, struct remora_slice bytes)
{
    struct fixture *f = conn->owner;
    if (f->read_bytes + bytes.length < sizeof f->first) {
        memcpy(f->first + f->read_bytes, bytes.data, bytes.length);
    }
    f->read_bytes += bytes.length;
    f->read_calls++;
    if (f->is_closing_on_read) {
        conn->ops->write(conn, REMORA_SLICE("bye"));
        conn->ops->close(conn, 0);
        assert_int_equal(f->closed, 0);
    }
}

static void on_drain(struct remora_conn *conn)
{
    struct fixture *f = conn->owner;
    f->drained++;
    assert_int_equal(conn->ops->queued(conn), 0);
    if (f->is_writing_on_drain) {
        conn->ops->write(conn, REMORA_SLICE("more"));
    }
}

static void on_gone(struct remora_conn *conn, enum remora_conn_end end)
{
    struct fixture *f = conn->owner;
    f->gone++;
    f->end = end;
}

static void on_closed(struct remora_conn *conn)
{
    struct fixture *f = conn->owner;
    f->closed++;
    f->conn = NULL;
}

static const struct remora_conn_callbacks CALLBACKS = {
    .on_read = on_read, .on_drain = on_drain, .on_gone = on_gone, .on_closed = on_closed};

static int setup(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    struct fixture *f = calloc(1, sizeof *f);
    int pair[2];
    if (f == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0 ||
        remora_loop_new(&f->loop) != REMORA_OK ||
        remora_conn_adopt(f->loop, pair[0], &CALLBACKS, f, &f->conn) != REMORA_OK) {
        return -1;
    }
    f->peer = pair[1];
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    remora_loop_free(f->loop);
    if (f->peer >= 0) {
        close(f->peer);
    }
    free(f);
    return 0;
}

static void hang_up(struct fixture *f)
{
    close(f->peer);
    f->peer = -1;
}

static void send_text(struct fixture *f, const char *text)
{
    assert_int_equal(write(f->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void run_until(struct fixture *f, const int *counter)
{
    for (int i = 0; i < ROUNDS && *counter == 0; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_int_not_equal(*counter, 0);
}

static void bytes_arrive_when_reading_is_on(void **state)
{
    struct fixture *f = *state;
    f->conn->ops->set_reading(f->conn, true);
    send_text(f, "hello");
    run_until(f, &f->read_calls);
    assert_string_equal(f->first, "hello");
}

static void bytes_read_ahead_are_delivered_once_reading_is_on(void **state)
{
    struct fixture *f = *state;
    send_text(f, "first,");
    remora_loop_run_once(f->loop, ROUND_MS);
    assert_int_equal(f->read_calls, 0);
    f->conn->ops->set_reading(f->conn, true);
    assert_int_equal(f->read_calls, 0); /* never from inside */
    send_text(f, "second");
    for (int i = 0; i < ROUNDS && f->read_bytes < 12; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_string_equal(f->first, "first,second");
}

static void peer_that_leaves_is_noticed_while_reading_is_off(void **state)
{
    struct fixture *f = *state;
    send_text(f, "GET");
    hang_up(f);
    run_until(f, &f->gone);
    assert_int_equal(f->end, REMORA_CONN_PEER_CLOSED);
    assert_int_equal(f->read_calls, 0);
}

static void peer_that_leaves_is_noticed_after_reading_was_turned_off(void **state)
{
    struct fixture *f = *state;
    f->conn->ops->set_reading(f->conn, true);
    send_text(f, "GET");
    run_until(f, &f->read_calls);
    f->conn->ops->set_reading(f->conn, false);
    hang_up(f);
    run_until(f, &f->gone);
}

static void half_close_counts_as_leaving(void **state)
{
    struct fixture *f = *state;
    f->conn->ops->set_reading(f->conn, true);
    shutdown(f->peer, SHUT_WR);
    run_until(f, &f->gone);
    assert_int_equal(f->end, REMORA_CONN_PEER_CLOSED);
    remora_loop_run_once(f->loop, 0);
    assert_int_equal(f->gone, 1);
}

/* Writes until the connection's memory and the kernel's buffers are full. */
static size_t flood(struct fixture *f)
{
    static char block[16384];
    size_t sent = 0;
    for (int idle = 0; idle < 3;) {
        ssize_t wrote = write(f->peer, block, sizeof block);
        if (wrote > 0) {
            sent += (size_t)wrote;
            idle = 0;
        } else {
            idle++;
        }
        remora_loop_run_once(f->loop, 0);
    }
    return sent;
}

static void peer_that_leaves_is_noticed_while_the_read_ahead_is_full(void **state)
{
    struct fixture *f = *state;
    assert_true(flood(f) > REMORA_LIMIT_HTTP_PIPELINE_BYTES);
    assert_int_equal(f->gone, 0);
    hang_up(f);
    run_until(f, &f->gone);
}

static void nothing_is_lost_when_the_read_ahead_was_full(void **state)
{
    struct fixture *f = *state;
    size_t sent = flood(f);
    f->conn->ops->set_reading(f->conn, true);
    for (int i = 0; i < ROUNDS && f->read_bytes < sent; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_int_equal(f->read_bytes, sent);
}

static size_t receive(struct fixture *f, char *to, size_t size)
{
    ssize_t got = read(f->peer, to, size);
    return got > 0 ? (size_t)got : 0;
}

static void writes_of_one_round_leave_together_at_its_end(void **state)
{
    struct fixture *f = *state;
    char got[16];
    f->conn->ops->write(f->conn, REMORA_SLICE("one,"));
    f->conn->ops->write(f->conn, REMORA_SLICE("two"));
    assert_int_equal(receive(f, got, sizeof got), 0);
    assert_int_equal(f->conn->ops->queued(f->conn), 7);
    remora_loop_run_once(f->loop, 0);
    assert_int_equal(receive(f, got, sizeof got), 7);
    assert_memory_equal(got, "one,two", 7);
    assert_int_equal(f->drained, 1);
}

static void output_that_the_peer_does_not_take_stays_queued(void **state)
{
    struct fixture *f = *state;
    enum { BIG = 4 << 20 };
    char *block = malloc(BIG);
    memset(block, 'x', BIG);
    f->conn->ops->write(f->conn, remora_slice(block, BIG));
    remora_loop_run_once(f->loop, 0);
    f->conn->ops->write(f->conn, REMORA_SLICE("end"));
    remora_loop_run_once(f->loop, 0);
    assert_true(f->conn->ops->queued(f->conn) > BIG / 2);
    assert_int_equal(f->drained, 0);
    size_t total = 0;
    for (int i = 0; i < 100000 && total < BIG + 3; i++) {
        total += receive(f, block, BIG);
        remora_loop_run_once(f->loop, 0);
    }
    assert_int_equal(total, BIG + 3);
    assert_int_equal(f->drained, 1);
    assert_int_equal(f->conn->ops->queued(f->conn), 0);
    free(block);
}

static void endless_writes_on_drain_do_not_starve_the_loop(void **state)
{
    struct fixture *f = *state;
    f->is_writing_on_drain = true;
    f->conn->ops->write(f->conn, REMORA_SLICE("more"));
    remora_loop_run_once(f->loop, 0);
    assert_in_range(f->drained, 1, 100);
}

static void close_from_inside_on_read_is_safe(void **state)
{
    struct fixture *f = *state;
    f->is_closing_on_read = true;
    f->conn->ops->set_reading(f->conn, true);
    send_text(f, "x");
    run_until(f, &f->closed);
    char got[8];
    assert_int_equal(read(f->peer, got, sizeof got), 0); /* unsent output is lost, as asked for */
}

static void lingering_close_writes_what_is_queued_and_waits_for_the_peer(void **state)
{
    struct fixture *f = *state;
    char got[16];
    f->conn->ops->write(f->conn, REMORA_SLICE("last"));
    f->conn->ops->close(f->conn, 60000);
    remora_loop_run_once(f->loop, 0);
    assert_int_equal(f->closed, 0);
    assert_int_equal(read(f->peer, got, sizeof got), 4);
    assert_int_equal(read(f->peer, got, sizeof got), 0); /* our side is shut */
    send_text(f, "late input is thrown away");
    remora_loop_run_once(f->loop, 0);
    assert_int_equal(f->read_calls, 0);
    hang_up(f);
    run_until(f, &f->closed);
    assert_int_equal(f->gone, 0);
}

static void lingering_close_ends_when_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    f->conn->ops->close(f->conn, 5);
    assert_int_equal(f->closed, 0);
    run_until(f, &f->closed);
}

static uint64_t now_ms(const struct fixture *f)
{
    const struct remora_clock *clock = remora_loop_clock(f->loop);
    return clock->now_ns(clock) / REMORA_NS_PER_MS;
}

/* Who sends a body that was refused reads the answer when it has sent it: that may take longer than a silence. */
static void lingering_close_waits_while_the_peer_sends_and_not_for_ever(void **state)
{
    enum { LINGER_MS = 40, MOST_MS = 15 * LINGER_MS };
    struct fixture *f = *state;
    uint64_t began_ms = now_ms(f);
    f->conn->ops->close(f->conn, LINGER_MS);
    while (f->closed == 0) {
        assert_true(now_ms(f) - began_ms < 20000);
        ssize_t sent = send(f->peer, "more", 4, MSG_NOSIGNAL);
        (void)sent;
        remora_loop_run_once(f->loop, 2);
    }
    assert_true(now_ms(f) - began_ms >= MOST_MS);
    assert_int_equal(f->read_calls, 0);
}

/* An answer that closes the connection is not cut because its reader is slow. */
static void lingering_close_waits_while_the_peer_takes_output(void **state)
{
    enum { LINGER_MS = 20, PIECES = 16 };
    static char text[1 << 20];
    struct fixture *f = *state;
    size_t got = 0;
    f->conn->ops->write(f->conn, remora_slice(text, sizeof text));
    remora_loop_run_once(f->loop, 0);
    f->conn->ops->close(f->conn, LINGER_MS);
    for (int i = 0; i < 10000 && got < sizeof text; i++) {
        uint64_t until_ms = now_ms(f) + 2 * LINGER_MS;
        for (size_t most = got + sizeof text / PIECES; got < most && got < sizeof text;) {
            size_t left = most - got;
            ssize_t now = read(f->peer, text, left);
            got += now > 0 ? (size_t)now : 0;
            remora_loop_run_once(f->loop, 1);
            assert_true(now != 0); /* cut */
        }
        while (now_ms(f) < until_ms) {
            remora_loop_run_once(f->loop, 5);
        }
    }
    assert_int_equal(got, sizeof text);
    hang_up(f);
    run_until(f, &f->closed);
}

static void close_with_no_linger_is_complete_after_a_round(void **state)
{
    struct fixture *f = *state;
    f->conn->ops->close(f->conn, 0);
    assert_int_equal(f->closed, 0);
    remora_loop_run_once(f->loop, 0);
    assert_int_equal(f->closed, 1);
}

static void writing_to_a_dead_peer_is_gone_once(void **state)
{
    struct fixture *f = *state;
    hang_up(f);
    f->conn->ops->write(f->conn, REMORA_SLICE("x"));
    remora_loop_run_once(f->loop, 0);
    remora_loop_run_once(f->loop, 0);
    assert_int_equal(f->gone, 1);
    assert_non_null(f->conn);
    assert_int_equal(f->conn->ops->queued(f->conn), 0);
}

static void loop_free_closes_what_is_open(void **state)
{
    struct fixture *f = *state;
    f->conn->ops->write(f->conn, REMORA_SLICE("x"));
    remora_loop_free(f->loop);
    f->loop = NULL;
    assert_int_equal(f->closed, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bytes_arrive_when_reading_is_on),
        CASE(bytes_read_ahead_are_delivered_once_reading_is_on),
        CASE(peer_that_leaves_is_noticed_while_reading_is_off),
        CASE(peer_that_leaves_is_noticed_after_reading_was_turned_off),
        CASE(half_close_counts_as_leaving),
        CASE(peer_that_leaves_is_noticed_while_the_read_ahead_is_full),
        CASE(nothing_is_lost_when_the_read_ahead_was_full),
        CASE(writes_of_one_round_leave_together_at_its_end),
        CASE(output_that_the_peer_does_not_take_stays_queued),
        CASE(endless_writes_on_drain_do_not_starve_the_loop),
        CASE(close_from_inside_on_read_is_safe),
        CASE(lingering_close_writes_what_is_queued_and_waits_for_the_peer),
        CASE(lingering_close_ends_when_its_time_is_over),
        CASE(lingering_close_waits_while_the_peer_sends_and_not_for_ever),
        CASE(lingering_close_waits_while_the_peer_takes_output),
        CASE(close_with_no_linger_is_complete_after_a_round),
        CASE(writing_to_a_dead_peer_is_gone_once),
        CASE(loop_free_closes_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
