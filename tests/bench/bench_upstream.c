// bench_upstream: the fastest upstream that the benchmark can have, so that it measures the gateway.
//
// The first letter of the path chooses: /json/... a fixed body of 1.4 KB, /paced/... 100 SSE chunks of
// about 235 bytes, one per 4 ms to all streams in step, /burst/... the same 100 chunks in one write.
// Port (0: any) and another pace in milliseconds (1 to 999) may be given: `bench_upstream 0 40`.
// A stream ends with a finish chunk, a usage chunk and [DONE], sent together with the last chunk.
// Each event is one HTTP chunk. Requests are framed by Content-Length and not looked at otherwise.
//
// One thread, epoll, no memory per request. Prints `listening PORT`. Fails at start only.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CHUNKS     100
#define PACE_MS    4
#define LINKS_MOST 20000
#define INPUT_MOST 65536

struct answers {
    char json[4096];
    size_t json_length;
    char burst[65536];
    size_t burst_length;
    size_t
        ends[CHUNKS]; // of chunk i in `burst`; the head belongs to the first, the tail to the last
};

struct link {
    bool is_open;
    uint8_t is_paced;
    uint16_t chunk; // next one of a paced stream
    size_t have;
    char *input; // INPUT_MOST bytes, kept for the next connection with this number
};

struct mock {
    struct answers answers;
    struct link links[LINKS_MOST];
    int paced[LINKS_MOST]; // the streams that the tick serves
    size_t paced_count;
    int epoll;
    int listener;
    int tick;
    long pace_ms;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void add_event(struct answers *answers, const char *payload)
{
    int length = snprintf(answers->burst + answers->burst_length,
                          sizeof answers->burst - answers->burst_length, "%zx\r\ndata: %s\n\n\r\n",
                          strlen(payload) + 8, payload);
    answers->burst_length += (size_t)length;
}

static void fill_stream(struct answers *answers)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    static const char opening[] =
        "{\"id\":\"chatcmpl-BenchBenchBenchBench01\",\"object\":\"chat.completion.chunk\","
        "\"created\":1700000000,\"model\":\"bench-1\",\"system_fingerprint\":\"fp_bench\","
        "\"choices\":[";
    char payload[512];
    memcpy(answers->burst, head, sizeof head - 1);
    answers->burst_length = sizeof head - 1;
    for (int i = 0; i < CHUNKS; i++) {
        snprintf(payload, sizeof payload,
                 "%s{\"index\":0,\"delta\":{%s\"content\":\" word%03d\"},\"finish_reason\":null}]}",
                 opening, i == 0 ? "\"role\":\"assistant\"," : "", i);
        add_event(answers, payload);
        answers->ends[i] = answers->burst_length;
    }
    snprintf(payload, sizeof payload, "%s{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}",
             opening);
    add_event(answers, payload);
    snprintf(
        payload, sizeof payload,
        "%s],\"usage\":{\"prompt_tokens\":400,\"completion_tokens\":100,\"total_tokens\":500}}",
        opening);
    add_event(answers, payload);
    add_event(answers, "[DONE]");
    memcpy(answers->burst + answers->burst_length, "0\r\n\r\n", 5);
    answers->burst_length += 5;
    answers->ends[CHUNKS - 1] = answers->burst_length;
}

static void fill_json(struct answers *answers)
{
    char text[1101];
    char body[2048];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 5; i < sizeof text - 1; i += 6) {
        text[i] = ' ';
    }
    int length = snprintf(
        body, sizeof body,
        "{\"id\":\"chatcmpl-BenchBenchBenchBench01\",\"object\":\"chat.completion\","
        "\"created\":1700000000,\"model\":\"bench-1\",\"choices\":[{\"index\":0,\"message\":"
        "{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":400,"
        "\"completion_tokens\":200,\"total_tokens\":600}}",
        text);
    length = snprintf(answers->json, sizeof answers->json,
                      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                      "%d\r\n\r\n%s",
                      length, body);
    answers->json_length = (size_t)length;
}

static void drop(struct mock *mock, int fd)
{
    struct link *link = &mock->links[fd];
    for (size_t i = 0; link->is_paced && i < mock->paced_count; i++) {
        if (mock->paced[i] == fd) {
            mock->paced[i] = mock->paced[--mock->paced_count];
            break;
        }
    }
    link->is_open = false;
    close(fd);
}

// All or nothing: an answer that does not fit into the socket's buffer at once ends the connection,
// which the load clients count as an error.
static bool send_whole(struct mock *mock, int fd, const char *data, size_t length)
{
    if (send(fd, data, length, MSG_NOSIGNAL) == (ssize_t)length) {
        return true;
    }
    drop(mock, fd);
    return false;
}

static void arm_tick(struct mock *mock, bool on)
{
    struct itimerspec pace = {{0, mock->pace_ms * 1000000L}, {0, mock->pace_ms * 1000000L}};
    struct itimerspec never = {{0, 0}, {0, 0}};
    timerfd_settime(mock->tick, 0, on ? &pace : &never, NULL);
}

static bool answer(struct mock *mock, int fd, char kind)
{
    const struct answers *answers = &mock->answers;
    if (kind == 'b') {
        return send_whole(mock, fd, answers->burst, answers->burst_length);
    }
    if (kind != 'p') {
        return send_whole(mock, fd, answers->json, answers->json_length);
    }
    mock->links[fd].is_paced = true;
    mock->links[fd].chunk = 0;
    mock->paced[mock->paced_count++] = fd;
    if (mock->paced_count == 1) {
        arm_tick(mock, true);
    }
    return true;
}

// Length of the request at the front of the input, 0 while it is incomplete.
static size_t request_length(const char *input, size_t have)
{
    const char *head_end = memmem(input, have, "\r\n\r\n", 4);
    if (head_end == NULL) {
        return 0;
    }
    size_t head = (size_t)(head_end - input) + 4;
    const char *found = memmem(input, head, "ontent-", 7); // Content-Length and content-length
    while (found != NULL && strncasecmp(found, "ontent-length:", 14) != 0) {
        found = memmem(found + 1, head - (size_t)(found + 1 - input), "ontent-", 7);
    }
    size_t body = found ? strtoul(found + 14, NULL, 10) : 0;
    return have >= head + body ? head + body : 0;
}

static void serve_input(struct mock *mock, int fd)
{
    struct link *link = &mock->links[fd];
    size_t length = 0;
    while (!link->is_paced && (length = request_length(link->input, link->have)) > 0) {
        const char *slash = memchr(link->input, '/', length);
        if (!answer(mock, fd, slash ? slash[1] : 'j')) {
            return;
        }
        link->have -= length;
        memmove(link->input, link->input + length, link->have);
    }
}

static void read_link(struct mock *mock, int fd)
{
    struct link *link = &mock->links[fd];
    if (!link->is_open) {
        return;
    }
    ssize_t length = recv(fd, link->input + link->have, INPUT_MOST - link->have, 0);
    if (length <= 0) {
        drop(mock, fd);
        return;
    }
    link->have += (size_t)length;
    serve_input(mock, fd);
}

static void accept_link(struct mock *mock)
{
    for (;;) {
        int fd = accept4(mock->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        if (fd >= LINKS_MOST) {
            close(fd);
            continue;
        }
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        char *input = mock->links[fd].input;
        input = input ? input : malloc(INPUT_MOST);
        mock->links[fd] = (struct link){.is_open = true, .input = input};
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (input == NULL || epoll_ctl(mock->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            fail("accept");
        }
    }
}

// One chunk to every paced stream.
static void run_tick(struct mock *mock)
{
    uint64_t ticks = 0;
    if (read(mock->tick, &ticks, sizeof ticks) < 0) {
        return;
    }
    const struct answers *answers = &mock->answers;
    for (size_t i = mock->paced_count; i-- > 0;) {
        int fd = mock->paced[i];
        struct link *link = &mock->links[fd];
        size_t start = link->chunk ? answers->ends[link->chunk - 1] : 0;
        size_t end = answers->ends[link->chunk++];
        if (!send_whole(mock, fd, answers->burst + start, end - start)) {
            continue;
        }
        if (link->chunk == CHUNKS) {
            link->is_paced = false;
            mock->paced[i] = mock->paced[--mock->paced_count];
            serve_input(mock, fd);
        }
    }
    if (mock->paced_count == 0) {
        arm_tick(mock, false);
    }
}

static void open_sockets(struct mock *mock, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1;
    mock->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mock->tick = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    mock->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listener = {.events = EPOLLIN, .data.fd = mock->listener};
    struct epoll_event tick = {.events = EPOLLIN, .data.fd = mock->tick};
    if (setsockopt(mock->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(mock->listener, (struct sockaddr *)&address, length) != 0 ||
        listen(mock->listener, 4096) != 0 ||
        getsockname(mock->listener, (struct sockaddr *)&address, &length) != 0 ||
        epoll_ctl(mock->epoll, EPOLL_CTL_ADD, mock->listener, &listener) != 0 ||
        epoll_ctl(mock->epoll, EPOLL_CTL_ADD, mock->tick, &tick) != 0) {
        fail("listen");
    }
    printf("listening %u\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(int count, char **arguments)
{
    struct mock *mock = calloc(1, sizeof *mock);
    struct rlimit limit;
    if (mock == NULL) {
        fail("start");
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    mock->pace_ms = count > 2 ? strtol(arguments[2], NULL, 10) : PACE_MS;
    fill_json(&mock->answers);
    fill_stream(&mock->answers);
    open_sockets(mock, count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : 0);
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(mock->epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == mock->listener) {
                accept_link(mock);
            } else if (events[i].data.fd == mock->tick) {
                run_tick(mock);
            } else {
                read_link(mock, events[i].data.fd);
            }
        }
    }
}
