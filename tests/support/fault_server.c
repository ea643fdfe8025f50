// fault_server: an upstream on the OpenAI chat wire that misbehaves on demand.
//
// The behaviour is the first segment of the path (/429/v1/chat/completions) or the `model` of the
// body (its part behind the last '/'); `--list` prints them all. Behind an '@' stands a tag of the
// caller's own, so that two users of one behaviour are counted apart (429@a, 429@b).
//
// Happy path: accept, read a request, write its script (fault_behaviour.h), play it
// (fault_player.c), count (fault_ledger.c), next request. One thread, one epoll.
// Fails at start only: bad options, address in use, unreadable certificate; exit code 1.
#include "fault_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct options {
    unsigned port;
    const char *unix_path;
    const char *certificate;
    const char *key;
    const char *client_ca;
    const char *text;
};

static const char usage[] =
    "fault_server [--port N] [--unix PATH] [--cert FILE --key FILE [--client-ca FILE]]\n"
    "             [--text WORDS] | --list\n"
    "Prints `listening PORT` (or the path) when it accepts; port 0 (the default) picks a free "
    "one.\n"
    "WORDS is the text of `ok`, one chunk per word, written as inside a JSON string.\n";

static void fail(const char *what)
{
    fprintf(stderr, "fault_server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct options options_read(int count, char **arguments)
{
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"unix", required_argument, NULL, 'u'},
                                          {"cert", required_argument, NULL, 'c'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"client-ca", required_argument, NULL, 'a'},
                                          {"text", required_argument, NULL, 't'},
                                          {"list", no_argument, NULL, 'l'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {0};
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case 'p':
            options.port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'u':
            options.unix_path = optarg;
            break;
        case 'c':
            options.certificate = optarg;
            break;
        case 'k':
            options.key = optarg;
            break;
        case 'a':
            options.client_ca = optarg;
            break;
        case 't':
            options.text = optarg;
            break;
        case 'l':
            behaviour_list();
            exit(0);
        default:
            fputs(usage, stderr);
            exit(1);
        }
    }
    return options;
}

static SSL_CTX *tls_open(const struct options *options)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, options->certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, options->key, SSL_FILETYPE_PEM) != 1) {
        fputs("fault_server: certificate or key cannot be used\n", stderr);
        exit(1);
    }
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (options->client_ca != NULL) {
        if (SSL_CTX_load_verify_locations(tls, options->client_ca, NULL) != 1) {
            fputs("fault_server: client CA cannot be used\n", stderr);
            exit(1);
        }
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return tls;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(address.sun_path, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 4096) != 0) {
        fail(path);
    }
    printf("listening %s\n", path);
    return fd;
}

static int listen_tcp(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        fail("listen");
    }
    printf("listening %u\n", ntohs(address.sin_port));
    return fd;
}

static void accept_all(struct server *server)
{
    for (;;) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        connection_new(server, fd);
    }
}

static void serve(struct server *server)
{
    struct epoll_event events[256];
    for (;;) {
        int wait_ms = timer_run(server);
        connection_bury_dead(server);
        int count = epoll_wait(server->epoll, events, 256, wait_ms);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == server) {
                accept_all(server);
            } else {
                connection_event(events[i].data.ptr, events[i].events);
            }
        }
        connection_bury_dead(server);
    }
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int count, char **arguments)
{
    struct options options = options_read(count, arguments);
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        fail("start");
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM); // a test that dies leaves no server behind
    raise_file_limit();
    server->text = options.text;
    server->ledger.start_ns = clock_ns();
    server->tls = options.certificate && options.key ? tls_open(&options) : NULL;
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->listener =
        options.unix_path ? listen_unix(options.unix_path) : listen_tcp(options.port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = server};
    if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &event) != 0) {
        fail("epoll");
    }
    fflush(stdout);
    serve(server);
}
