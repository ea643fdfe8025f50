/* Listeners: unix sockets in a folder of the test, and TCP on loopback. */
#include "support.h"

#include "remora/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROUND_MS = 1000, ROUNDS = 50, KEPT = 64 };

struct fixture {
    struct remora_loop *loop;
    struct remora_listener *listener;
    struct remora_address address;
    struct remora_fail fail;
    int accepted[KEPT];
    int accepted_count;
    int64_t peer_uid;
    char folder[64];
};

/* ---- a machine as the case needs it: what the kernel says to sockets of IPv6 ---- */

static int v6_error;      /* of every socket() of IPv6 */
static int v6_taken_left; /* so many binds of IPv6 find their port taken */

/* The linker has calls of socket and bind come here, and the real ones under __real_. */
int __wrap_socket(int family, int type, int protocol);
int __real_socket(int family, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
int __real_bind(int fd, const struct sockaddr *address, socklen_t length);

int __wrap_socket(int family, int type, int protocol)
{
    if (family == AF_INET6 && v6_error != 0) {
        errno = v6_error;
        return -1;
    }
    return __real_socket(family, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    if (address->sa_family == AF_INET6 && v6_taken_left > 0) {
        v6_taken_left--;
        errno = EADDRINUSE;
        return -1;
    }
    return __real_bind(fd, address, length);
}

static void on_accept(void *context, int fd, int64_t peer_uid)
{
    struct fixture *f = context;
    f->peer_uid = peer_uid;
    f->accepted[f->accepted_count++] = fd;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || remora_loop_new(&f->loop) != REMORA_OK) {
        return -1;
    }
    f->fail = (struct remora_fail)REMORA_FAIL_INIT;
    v6_error = 0;
    v6_taken_left = 0;
    snprintf(f->folder, sizeof f->folder, "/tmp/remora-listener-XXXXXX");
    *state = f;
    return mkdtemp(f->folder) == NULL ? -1 : 0;
}

static void path_of(const struct fixture *f, char *path, size_t size)
{
    snprintf(path, size, "%s/s", f->folder);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < f->accepted_count; i++) {
        close(f->accepted[i]);
    }
    remora_loop_free(f->loop);
    char path[128];
    path_of(f, path, sizeof path);
    unlink(path);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void use_unix(struct fixture *f)
{
    f->address = (struct remora_address){.is_unix = true, .is_loopback = true};
    snprintf(f->address.text, sizeof f->address.text, "unix:%s/s", f->folder);
}

static void use_host(struct fixture *f, const char *host, uint16_t port)
{
    f->address = (struct remora_address){.is_loopback = true, .port = port};
    snprintf(f->address.host, sizeof f->address.host, "%s", host);
    snprintf(f->address.text, sizeof f->address.text, "%s:%u", host, (unsigned)port);
}

static enum remora_code open_it(struct fixture *f)
{
    return remora_listener_open(f->loop, &f->address, on_accept, f, &f->listener, &f->fail);
}

static int dial_unix(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", f->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int dial_v4(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int dial_v6(uint16_t port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    address.sin6_addr = in6addr_loopback;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void run_until_accepted(struct fixture *f, int count)
{
    for (int i = 0; i < ROUNDS && f->accepted_count < count; i++) {
        remora_loop_run_once(f->loop, ROUND_MS);
    }
    assert_int_equal(f->accepted_count, count);
}

static void unix_peer_is_known_by_its_user(void **state)
{
    struct fixture *f = *state;
    use_unix(f);
    assert_int_equal(open_it(f), REMORA_OK);
    int fd = dial_unix(f);
    run_until_accepted(f, 1);
    assert_int_equal(f->peer_uid, getuid());
    assert_true((fcntl(f->accepted[0], F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(remora_listener_port(f->listener), 0);
    close(fd);
}

static void unix_file_is_for_owner_and_group_whatever_the_umask(void **state)
{
    struct fixture *f = *state;
    use_unix(f);
    mode_t before = umask(0077);
    assert_int_equal(open_it(f), REMORA_OK);
    umask(before);
    char path[128];
    path_of(f, path, sizeof path);
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
}

static void unix_file_of_a_dead_process_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", f->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd); /* the file stays */
    use_unix(f);
    assert_int_equal(open_it(f), REMORA_OK);
}

static void unix_file_that_somebody_serves_is_left_alone(void **state)
{
    struct fixture *f = *state;
    use_unix(f);
    assert_int_equal(open_it(f), REMORA_OK);
    struct remora_listener *second = NULL;
    assert_int_equal(remora_listener_open(f->loop, &f->address, on_accept, f, &second, &f->fail),
                     REMORA_INVALID_REQUEST);
    assert_non_null(strstr(f->fail.message, "in use"));
    int fd =
        dial_unix(f); /* the first one still serves; it has also seen the probe of the second */
    run_until_accepted(f, 2);
    close(fd);
}

static void file_that_is_no_socket_is_left_alone(void **state)
{
    struct fixture *f = *state;
    char path[128];
    path_of(f, path, sizeof path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    use_unix(f);
    assert_int_equal(open_it(f), REMORA_INVALID_REQUEST);
    assert_int_equal(access(path, F_OK), 0);
}

static void close_removes_the_file(void **state)
{
    struct fixture *f = *state;
    use_unix(f);
    assert_int_equal(open_it(f), REMORA_OK);
    remora_listener_close(f->listener);
    char path[128];
    path_of(f, path, sizeof path);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(dial_unix(f), -1);
}

/* The kernel has told them that they are connected. */
static void close_accepts_those_who_wait(void **state)
{
    struct fixture *f = *state;
    use_host(f, "localhost", 0);
    assert_int_equal(open_it(f), REMORA_OK);
    uint16_t port = remora_listener_port(f->listener);
    int clients[] = {dial_v4(port), dial_v4(port), dial_v6(port)};
    int connected = clients[2] < 0 ? 2 : 3;
    remora_listener_close(f->listener);
    assert_int_equal(f->accepted_count, connected);
    for (int i = 0; i < connected; i++) {
        assert_int_equal(write(clients[i], "x", 1), 1);
        close(clients[i]);
    }
}

static void port_0_picks_one_and_nagle_is_off(void **state)
{
    struct fixture *f = *state;
    use_host(f, "127.0.0.1", 0);
    assert_int_equal(open_it(f), REMORA_OK);
    assert_int_not_equal(remora_listener_port(f->listener), 0);
    int fd = dial_v4(remora_listener_port(f->listener));
    run_until_accepted(f, 1);
    int on = 0;
    socklen_t length = sizeof on;
    getsockopt(f->accepted[0], IPPROTO_TCP, TCP_NODELAY, &on, &length);
    assert_int_equal(on, 1);
    assert_int_equal(f->peer_uid, -1);
    close(fd);
}

static void localhost_listens_on_both_families_under_one_port(void **state)
{
    struct fixture *f = *state;
    use_host(f, "localhost", 0);
    assert_int_equal(open_it(f), REMORA_OK);
    uint16_t port = remora_listener_port(f->listener);
    int v4 = dial_v4(port);
    run_until_accepted(f, 1);
    int v6 = dial_v6(port);
    if (v6 >= 0) { /* a machine without IPv6 has one socket */
        run_until_accepted(f, 2);
        close(v6);
    }
    close(v4);
}

/* Whoever holds one of the two addresses would get the calls of those who say "localhost". */
static void either_address_of_localhost_in_use_is_named(void **state)
{
    static const char *const HOSTS[] = {"127.0.0.1", "::1"};
    static const char *const SHOWN[] = {"127.0.0.1", "[::1]"};
    struct fixture *f = *state;
    for (size_t i = 0; i < REMORA_COUNT_OF(HOSTS); i++) {
        char expected[128];
        use_host(f, HOSTS[i], 0);
        assert_int_equal(open_it(f), REMORA_OK);
        struct remora_listener *stranger = f->listener;
        use_host(f, "localhost", remora_listener_port(stranger));
        f->fail = (struct remora_fail)REMORA_FAIL_INIT;
        assert_int_equal(open_it(f), REMORA_INVALID_REQUEST);
        snprintf(expected, sizeof expected, "cannot listen on %s:%u: the address is in use",
                 SHOWN[i], (unsigned)remora_listener_port(stranger));
        assert_string_equal(f->fail.message, expected);
        remora_listener_close(stranger);
    }
}

static void localhost_of_a_machine_without_ipv6_is_127_0_0_1(void **state)
{
    static const int ERRORS[] = {EAFNOSUPPORT, EADDRNOTAVAIL};
    struct fixture *f = *state;
    for (size_t i = 0; i < REMORA_COUNT_OF(ERRORS); i++) {
        v6_error = ERRORS[i];
        use_host(f, "localhost", 0);
        assert_int_equal(open_it(f), REMORA_OK);
        int fd = dial_v4(remora_listener_port(f->listener));
        run_until_accepted(f, (int)i + 1);
        close(fd);
    }
}

/* The kernel picks a port that is free for 127.0.0.1; ::1 may belong to somebody there. */
static void port_0_of_localhost_is_one_that_both_have_free(void **state)
{
    struct fixture *f = *state;
    use_host(f, "localhost", 0);
    v6_taken_left = 3;
    assert_int_equal(open_it(f), REMORA_OK);
    assert_int_equal(v6_taken_left, 0);
    int v4 = dial_v4(remora_listener_port(f->listener));
    int v6 = dial_v6(remora_listener_port(f->listener));
    run_until_accepted(f, 1 + (v6 >= 0));
    close(v4);
    close(v6);
    v6_taken_left = 1000;
    assert_int_equal(open_it(f), REMORA_INVALID_REQUEST);
    assert_true(v6_taken_left > 900); /* it gives up */
}

static void address_in_use_is_said(void **state)
{
    struct fixture *f = *state;
    use_host(f, "127.0.0.1", 0);
    assert_int_equal(open_it(f), REMORA_OK);
    use_host(f, "127.0.0.1", remora_listener_port(f->listener));
    struct remora_listener *second = NULL;
    assert_int_equal(remora_listener_open(f->loop, &f->address, on_accept, f, &second, &f->fail),
                     REMORA_INVALID_REQUEST);
    assert_non_null(strstr(f->fail.message, "in use"));
}

static void descriptors_that_run_out_neither_spin_nor_end_the_listener(void **state)
{
    struct fixture *f = *state;
    use_unix(f);
    assert_int_equal(open_it(f), REMORA_OK);
    int clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = dial_unix(f);
        assert_true(clients[i] >= 0);
    }
    int highest = dup(clients[0]);
    close(highest);
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit none_left = {.rlim_cur = (rlim_t)highest, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none_left);
    remora_loop_run_once(f->loop, 0);
    remora_loop_run_once(f->loop, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(f->accepted_count, 0);
    for (int i = 0; i < 3; i++) { /* each was told at once */
        char byte;
        assert_int_equal(read(clients[i], &byte, 1), 0);
        close(clients[i]);
    }
    int after = dial_unix(f);
    run_until_accepted(f, 1);
    close(after);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(unix_peer_is_known_by_its_user),
        CASE(unix_file_is_for_owner_and_group_whatever_the_umask),
        CASE(unix_file_of_a_dead_process_is_replaced),
        CASE(unix_file_that_somebody_serves_is_left_alone),
        CASE(file_that_is_no_socket_is_left_alone),
        CASE(close_removes_the_file),
        CASE(close_accepts_those_who_wait),
        CASE(port_0_picks_one_and_nagle_is_off),
        CASE(localhost_listens_on_both_families_under_one_port),
        CASE(either_address_of_localhost_in_use_is_named),
        CASE(localhost_of_a_machine_without_ipv6_is_127_0_0_1),
        CASE(port_0_of_localhost_is_one_that_both_have_free),
        CASE(address_in_use_is_said),
        CASE(descriptors_that_run_out_neither_spin_nor_end_the_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
