/* Floods: what is left over of a connection's bytes, and when it is too much. */
#include "support.h"

#include "../../src/front/grpc/flood.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remora/clock.h"
#include "remora/limits.h"

#define LOOK_NS (2 * REMORA_NS_PER_S)

static const uint64_t MIB = 1 << 20;
static const uint64_t LIMIT = REMORA_LIMIT_GRPC_STRAY_BYTES;

/* One connection, looked at every two seconds. */
struct scene {
    struct remora_grpc_flood flood;
    struct remora_grpc_look now;
    struct remora_grpc_traffic traffic;
};

static bool look(struct scene *s, uint64_t more_bytes)
{
    s->now.at_ns += LOOK_NS;
    s->now.received_bytes += more_bytes;
    s->now.explained_bytes = atomic_load(&s->traffic.bytes);
    return remora_grpc_flood_look(&s->flood, &s->now);
}

static void bytes_of_no_call_are_a_flood_at_the_second_look(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    assert_false(look(&s, 40 * MIB));
    assert_true(look(&s, 0));
}

static void what_is_explained_until_the_second_look_is_none(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    assert_false(look(&s, 40 * MIB));
    remora_grpc_traffic_call(&s.traffic);
    remora_grpc_traffic_message(&s.traffic, 30 * MIB);
    assert_false(look(&s, 0));
    assert_false(look(&s, 0));
}

static void a_trickle_runs_out(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    for (unsigned i = 0; i < 1000; i++) { /* as much in 10 s as there may be */
        assert_false(look(&s, LIMIT / 5));
    }
    for (unsigned i = 0; i < 4;
         i++) { /* 4.8 MiB of each are left, so more than the limit after the fourth */
        assert_false(look(&s, LIMIT / 2));
    }
    assert_true(look(&s, LIMIT / 2));
}

static void calls_explain_their_heads_and_messages(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned call = 0; call < 1000; call++) {
            remora_grpc_traffic_call(&s.traffic);
            remora_grpc_traffic_message(&s.traffic, MIB / 8);
        }
        /* 8 KiB of metadata each, frames of 1 KiB, and each of them in a TLS record of its own */
        assert_false(look(&s, 1000 * ((8 << 10) + MIB / 8 + MIB / 8 / 1024 * (9 + 22))));
    }
    assert_int_equal(s.flood.stray_bytes, 0);
    assert_int_equal(atomic_load(&s.traffic.awaited), 0);
}

static void further_messages_of_a_call_are_explained(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    remora_grpc_traffic_call(&s.traffic);
    remora_grpc_traffic_message(&s.traffic, 1);
    for (unsigned i = 0; i < 10; i++) {
        remora_grpc_traffic_more(&s.traffic, 20 * MIB);
        assert_false(look(&s, 20 * MIB));
    }
    assert_int_equal(atomic_load(&s.traffic.awaited), 0);
}

static void answers_explain_what_their_readers_grant(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned n = 0; n < 100000; n++) {
            remora_grpc_traffic_sent(&s.traffic, 20);
        }
        for (unsigned n = 0; n < 10; n++) {
            remora_grpc_traffic_sent(&s.traffic, 32 * MIB);
        }
        /* two WINDOW_UPDATE and a PING in TLS for each small one, the same in plaintext for each KiB of a large one */
        assert_false(look(&s, 100000 * (13 + 13 + 17 + 3 * 22) + 10 * 32 * 1024 * (13 + 13 + 17)));
    }
    assert_int_equal(s.flood.stray_bytes, 0);
}

static void messages_on_their_way_are_held(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    remora_grpc_traffic_call(&s.traffic);
    assert_int_equal(atomic_load(&s.traffic.awaited), 1);
    s.now.held_bytes = 64 * MIB;
    for (unsigned i = 0; i < 6; i++) {
        assert_false(look(&s, 12 * MIB));
    }
    s.now.held_bytes = 0;
    assert_false(look(&s, 0));
    assert_true(look(&s, 0));
}

static void a_call_without_a_message_may_have_had_all_that_fits(void **state)
{
    (void)state;
    struct scene s = {.now.at_ns = 0};
    remora_grpc_traffic_call(&s.traffic);
    remora_grpc_traffic_lost(&s.traffic);
    assert_int_equal(atomic_load(&s.traffic.awaited), 0);
    assert_false(look(&s, REMORA_LIMIT_GRPC_ARRIVING_BYTES));
    assert_false(look(&s, 0));
}

static void bytes_are_those_of_the_socket(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    uint64_t bytes = 7;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
    int server = accept(listener, NULL, NULL);
    assert_int_equal(write(client, "twelve bytes", 12), 12);
    char got[12];
    assert_int_equal(recv(server, got, sizeof got, MSG_WAITALL), 12);
    assert_true(remora_grpc_received_bytes(server, &bytes));
    assert_int_equal(bytes, 12);
    close(server);
    close(client);
    close(listener);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(remora_grpc_received_bytes(pair[0], &bytes));
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_no_call_are_a_flood_at_the_second_look),
        cmocka_unit_test(what_is_explained_until_the_second_look_is_none),
        cmocka_unit_test(a_trickle_runs_out),
        cmocka_unit_test(calls_explain_their_heads_and_messages),
        cmocka_unit_test(further_messages_of_a_call_are_explained),
        cmocka_unit_test(answers_explain_what_their_readers_grant),
        cmocka_unit_test(messages_on_their_way_are_held),
        cmocka_unit_test(a_call_without_a_message_may_have_had_all_that_fits),
        cmocka_unit_test(bytes_are_those_of_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
