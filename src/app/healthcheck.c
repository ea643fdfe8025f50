/*
 * remora healthcheck: an exec probe for places where the kubelet cannot reach the port, and the body of a smoke test.
 *
 *   remora healthcheck [--probe ADDRESS]                           is the gateway ready?
 *   remora healthcheck --http HOST:PORT --model M [--key-file F] [--ca-file F]   does it answer a completion, and who did?
 *
 * With --ca-file the port speaks TLS, and its certificate has to be of HOST and lead to an authority of the file.
 *
 * One connection, one request, an end within a time that is known: 2 s, or 60 s for a completion. Prints one line; exit
 * status 1 when the answer is no, 2 for wrong usage.
 */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app.h"
#include "remora/buf.h"
#include "remora/json.h"
#include "remora/limits.h"
#include "remora/secret.h"
#include "remora/tls.h"

enum { PROBE_SECONDS = 2, COMPLETION_SECONDS = 60, HOST_BYTES = 254, ANSWER_BYTES = 1 << 20 };

static const char usage[] =
    "remora healthcheck [--probe ADDRESS]\n"
    "       remora healthcheck --http HOST:PORT --model MODEL [--key-file FILE] [--ca-file FILE]";

/* Whom we ask, in the clear when there is no `tls`. */
struct peer {
    int fd;
    struct remora_tls_dialled *tls;
};

static int connect_one(const struct addrinfo *address, int seconds)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = seconds};
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A name may have an address on which nobody listens: localhost is ::1, too. */
static int connect_to(const char *host, const char *port, int seconds)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next) {
        fd = connect_one(one, seconds);
    }
    freeaddrinfo(found);
    return fd;
}

static bool say(const struct peer *peer, struct remora_slice bytes)
{
    if (peer->tls != NULL) {
        return remora_tls_say(peer->tls, bytes);
    }
    return send(peer->fd, bytes.data, bytes.length, MSG_NOSIGNAL) == (ssize_t)bytes.length;
}

static bool hear(const struct peer *peer, char *room, size_t room_bytes, size_t *got)
{
    if (peer->tls != NULL) {
        return remora_tls_hear(peer->tls, room, room_bytes, got);
    }
    ssize_t length = recv(peer->fd, room, room_bytes, 0);
    *got = length < 0 ? 0 : (size_t)length;
    return length >= 0;
}

/* Sends a request and reads what comes until the peer closes. */
static bool exchange(const struct peer *peer, struct remora_slice request,
                     struct remora_buf *answer)
{
    size_t got = 1;
    bool is_good = say(peer, request);
    while (is_good && got > 0) {
        char *room = remora_buf_reserve(answer, 4096);
        is_good = room != NULL && hear(peer, room, 4096, &got);
        answer->length += is_good ? got : 0;
    }
    return is_good;
}

static void hang_up(struct peer *peer)
{
    remora_tls_hang_up(peer->tls);
    if (peer->fd >= 0) {
        close(peer->fd);
    }
}

/* ---- is it ready ---- */

static int ask_probe(const char *probe)
{
    static const struct remora_slice request =
        REMORA_SLICE_INIT("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    struct remora_address address;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_buf answer;
    char port[8];
    if (remora_address_parse(remora_slice_of(probe), &address, &fail) != REMORA_OK) {
        fprintf(stderr, "remora: %s\n", fail.message);
        return 2;
    }
    if (address.is_off || address.is_unix) {
        fputs("remora: --probe is HOST:PORT\n", stderr);
        return 2;
    }
    remora_buf_init(&answer, ANSWER_BYTES);
    snprintf(port, sizeof port, "%u", address.port);
    struct peer peer = {.fd = connect_to(address.host, port, PROBE_SECONDS)};
    bool is_answered = peer.fd >= 0 && exchange(&peer, request, &answer);
    bool is_ready = is_answered && remora_slice_starts_with(remora_buf_slice(&answer),
                                                            REMORA_SLICE("HTTP/1.1 200"));
    puts(is_ready ? "ready" : "not ready");
    remora_buf_fini(&answer);
    hang_up(&peer);
    return is_ready ? 0 : 1;
}

/* ---- does it answer ---- */

static void append_key(void *context, struct remora_slice key)
{
    struct remora_buf *request = context;
    remora_buf_append_text(request, "Authorization: Bearer ");
    remora_buf_append(request, key);
    remora_buf_append_text(request, "\r\n");
}

static void write_body(const char *model, struct remora_buf *out)
{
    struct remora_json_writer w;
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    remora_json_key(&w, "model");
    remora_json_write_text(&w, model);
    remora_json_key(&w, "messages");
    remora_json_array_open(&w);
    remora_json_object_open(&w);
    remora_json_key(&w, "role");
    remora_json_write_text(&w, "user");
    remora_json_key(&w, "content");
    remora_json_write_text(&w, "Say hello.");
    remora_json_object_close(&w);
    remora_json_array_close(&w);
    remora_json_object_close(&w);
}

static void write_request(const char *authority, const char *model, const struct remora_secret *key,
                          struct remora_buf *out)
{
    struct remora_buf body;
    remora_buf_init(&body, ANSWER_BYTES);
    write_body(model, &body);
    remora_buf_printf(out,
                      "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
                      "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      authority, body.length);
    if (key != NULL) {
        remora_secret_use(key, append_key, out);
    }
    remora_buf_append_text(out, "\r\n");
    remora_buf_append(out, remora_buf_slice(&body));
    remora_buf_fini(&body);
}

static struct remora_slice body_of(struct remora_slice answer)
{
    const char *end = answer.length == 0 ? NULL : memmem(answer.data, answer.length, "\r\n\r\n", 4);
    if (end == NULL) {
        return remora_slice(NULL, 0);
    }
    return remora_slice(end + 4, answer.length - (size_t)(end + 4 - answer.data));
}

static struct remora_slice text_at(struct remora_json object, const char *key,
                                   struct remora_arena *arena)
{
    struct remora_slice text;
    return remora_json_string(remora_json_get(object, key), arena, &text) ? text
                                                                          : remora_slice(NULL, 0);
}

/* One line of what came back. True when it is a completion with content. */
static bool report(const char *model, struct remora_json root, struct remora_arena *arena)
{
    struct remora_json choice = remora_json_at(remora_json_get(root, "choices"), 0);
    struct remora_slice content = text_at(remora_json_get(choice, "message"), "content", arena);
    struct remora_slice provider = text_at(root, "provider", arena);
    struct remora_json note = remora_json_get(root, "remora");
    uint32_t attempts = remora_json_count(remora_json_get(note, "attempts"));
    if (content.length == 0) {
        struct remora_slice why = text_at(remora_json_get(root, "error"), "message", arena);
        printf("%s: no completion: %.*s\n", model, REMORA_SLICE_ARG(why));
        return false;
    }
    printf("%s: answered by %.*s after %u attempt%s: %.*s\n", model, REMORA_SLICE_ARG(provider),
           attempts > 1 ? attempts : 1, attempts > 1 ? "s" : "", REMORA_SLICE_ARG(content));
    return true;
}

static bool read_answer(const char *model, struct remora_slice answer)
{
    static const struct remora_json_limits limits = {.depth = 32, .nodes = 10000};
    struct remora_arena arena;
    struct remora_json_doc doc;
    struct remora_json_error error;
    bool is_good = false;
    remora_arena_init(&arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES, REMORA_LIMIT_REQUEST_ARENA_BYTES);
    if (remora_json_parse(body_of(answer), &arena, &limits, &doc, &error) == REMORA_OK) {
        is_good = report(model, remora_json_root(&doc), &arena) &&
                  remora_slice_starts_with(answer, REMORA_SLICE("HTTP/1.1 200"));
    } else {
        printf("%s: no answer that can be read\n", model);
    }
    remora_arena_fini(&arena);
    return is_good;
}

struct completion {
    const char *http; /* HOST:PORT, where HOST may be a name or an IPv6 address in brackets */
    const char *model;
    const char *key_file;
    const char *ca_file; /* NULL: in the clear */
};

static bool split(const char *authority, char host[HOST_BYTES], const char **port)
{
    const char *colon = strrchr(authority, ':');
    bool is_v6 = authority[0] == '[';
    if (colon == NULL || (is_v6 && (colon == authority || colon[-1] != ']'))) {
        return false;
    }
    const char *from = authority + (is_v6 ? 1 : 0);
    size_t length = (size_t)(colon - from) - (is_v6 ? 1 : 0);
    if (length == 0 || length >= HOST_BYTES) {
        return false;
    }
    memcpy(host, from, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}

static int complete(const struct completion *ask, const struct peer *peer,
                    const struct remora_secret *key)
{
    struct remora_buf request;
    struct remora_buf answer;
    remora_buf_init_secret(&request, ANSWER_BYTES);
    remora_buf_init(&answer, ANSWER_BYTES);
    write_request(ask->http, ask->model, key, &request);
    bool is_answered = remora_buf_code(&request) == REMORA_OK &&
                       exchange(peer, remora_buf_slice(&request), &answer);
    if (!is_answered) {
        printf("%s: no whole answer from %s\n", ask->model, ask->http);
    }
    bool is_good = is_answered && read_answer(ask->model, remora_buf_slice(&answer));
    remora_buf_fini(&request);
    remora_buf_fini(&answer);
    return is_good ? 0 : 1;
}

/* With a connection, encrypted where that is asked. */
static int ask_host(const struct completion *ask, const char *host, const char *port,
                    const struct remora_secret *key)
{
    struct peer peer = {.fd = connect_to(host, port, COMPLETION_SECONDS)};
    struct remora_fail fail = REMORA_FAIL_INIT;
    int status = 1;
    if (peer.fd < 0) {
        printf("%s: nobody answers at %s\n", ask->model, ask->http);
    } else if (ask->ca_file != NULL &&
               remora_tls_dial(peer.fd, host, ask->ca_file, &peer.tls, &fail) != REMORA_OK) {
        printf("%s: %s\n", ask->model, fail.message);
    } else {
        status = complete(ask, &peer, key);
    }
    hang_up(&peer);
    return status;
}

static int ask_completion(const struct completion *ask)
{
    char host[HOST_BYTES];
    const char *port = NULL;
    struct remora_secret *key = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (strncmp(ask->http, "unix:", 5) == 0 || !split(ask->http, host, &port)) {
        fputs("remora: --http takes HOST:PORT\n", stderr);
        return 2;
    }
    if (ask->key_file != NULL && remora_secret_read(ask->key_file, &key, &fail) != REMORA_OK) {
        fprintf(stderr, "remora: %s\n", fail.message);
        return 2;
    }
    int status = ask_host(ask, host, port, key);
    remora_secret_free(key);
    return status;
}

int app_healthcheck(int argc, char **argv)
{
    const char *probe = NULL;
    struct completion ask = {0};
    const struct offline_option options[] = {
        {"--probe", &probe},           {"--http", &ask.http},       {"--model", &ask.model},
        {"--key-file", &ask.key_file}, {"--ca-file", &ask.ca_file},
    };
    int status = offline_options(options, REMORA_COUNT_OF(options), usage, argc, argv);
    if (status >= 0) {
        return status;
    }
    bool wants_completion =
        ask.http != NULL || ask.model != NULL || ask.key_file != NULL || ask.ca_file != NULL;
    if (wants_completion && (ask.http == NULL || ask.model == NULL || probe != NULL)) {
        fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    return wants_completion ? ask_completion(&ask)
                            : ask_probe(probe == NULL ? "127.0.0.1:7362" : probe);
}
