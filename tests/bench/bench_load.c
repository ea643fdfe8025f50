// bench_load: keeps N connections busy with one POST each and counts what comes back.
//
//   bench_load PORT PATH BODY-FILE CONNECTIONS SECONDS
//
// For streams: counts events that carry JSON (`data: {`), checks that each body ends with its last
// HTTP chunk and has had [DONE]. Also takes answers with Content-Length. Prints one JSON object:
// answers, events, bytes, errors, seconds, own CPU, and percentiles of the time to the first body byte and
// to the end in microseconds. An answer that is not 200, or that breaks, is an error, and its connection
// is opened again. Answers still open at the end of the time are not counted; their events are.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MOST    16384
#define SAMPLES_MOST 2000000
#define CARRY_MOST   16

struct link {
    int fd;
    uint64_t asked_ns;
    bool in_body;
    bool is_chunked;
    bool is_done; // [DONE] was there
    size_t left;  // of a Content-Length
    size_t head_length;
    char head[HEAD_MOST];
    char carry[CARRY_MOST]; // the last bytes of the body so far, for what lies across two reads
    size_t carry_length;
};

struct samples {
    uint32_t *microseconds;
    size_t count;
};

struct load {
    struct sockaddr_in address;
    char *request;
    size_t request_length;
    int epoll;
    uint64_t answers, events, bytes, errors;
    struct samples first, whole;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void sample(struct samples *samples, uint64_t since_ns)
{
    if (samples->count < SAMPLES_MOST) {
        samples->microseconds[samples->count++] = (uint32_t)((clock_ns() - since_ns) / 1000);
    }
}

static void ask(struct load *load, struct link *link)
{
    link->asked_ns = clock_ns();
    link->in_body = link->is_done = false;
    link->head_length = link->carry_length = 0;
    if (send(link->fd, load->request, load->request_length, MSG_NOSIGNAL) !=
        (ssize_t)load->request_length) {
        load->errors++;
    }
}

static void open_link(struct load *load, struct link *link)
{
    int on = 1;
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link->fd < 0 ||
        connect(link->fd, (struct sockaddr *)&load->address, sizeof load->address) != 0) {
        fail("connect");
    }
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, link->fd, &event) != 0) {
        fail("epoll");
    }
    ask(load, link);
}

static void count_error(struct load *load, struct link *link)
{
    load->errors++;
    close(link->fd);
    open_link(load, link);
}

static uint64_t occurrences(const char *data, size_t length, const char *needle)
{
    uint64_t count = 0;
    size_t needle_length = strlen(needle);
    const char *end = data + length;
    for (const char *at = data; (at = memmem(at, (size_t)(end - at), needle, needle_length));) {
        count++;
        at += needle_length;
    }
    return count;
}

// Keeps the last bytes, so that the next read is searched together with them.
static void carry_on(struct link *link, const char *data, size_t length, size_t most)
{
    size_t keep = length < most ? length : most;
    memcpy(link->carry, data + length - keep, keep);
    link->carry_length = keep;
}

enum progress { PROGRESS_MORE, PROGRESS_END, PROGRESS_BROKEN };

static enum progress take_stream(struct load *load, struct link *link, const char *data,
                                 size_t length)
{
    static const char event[] = "data: {";
    static const char last[] = "\r\n0\r\n\r\n";
    char seam[2 * CARRY_MOST];
    size_t old = link->carry_length;
    size_t fresh = length < CARRY_MOST ? length : CARRY_MOST;
    memcpy(seam, link->carry, old);
    memcpy(seam + old, data, fresh);
    // An event across the seam has its first byte among the carried ones.
    for (size_t at = 0; at < old && at + sizeof event - 1 <= old + fresh; at++) {
        bool is_across = at + sizeof event - 1 > old;
        load->events += is_across && memcmp(seam + at, event, sizeof event - 1) == 0;
    }
    load->events += occurrences(data, length, event);
    link->is_done |=
        memmem(data, length, "[DONE]", 6) != NULL || memmem(seam, old + fresh, "[DONE]", 6) != NULL;
    bool is_short = length < CARRY_MOST;
    const char *tail = is_short ? seam : data;
    size_t tail_length = is_short ? old + fresh : length;
    bool is_end = tail_length >= sizeof last - 1 &&
                  memcmp(tail + tail_length - (sizeof last - 1), last, sizeof last - 1) == 0;
    carry_on(link, tail, tail_length, CARRY_MOST);
    if (!is_end) {
        return PROGRESS_MORE;
    }
    return link->is_done ? PROGRESS_END : PROGRESS_BROKEN;
}

static enum progress take_body(struct load *load, struct link *link, const char *data,
                               size_t length)
{
    if (link->is_chunked) {
        return take_stream(load, link, data, length);
    }
    link->left -= length < link->left ? length : link->left;
    return link->left == 0 ? PROGRESS_END : PROGRESS_MORE;
}

// Looks for the end of the head; what is behind it goes to the body.
static enum progress take_head(struct load *load, struct link *link, const char *data,
                               size_t length)
{
    size_t before = link->head_length;
    size_t room = HEAD_MOST - 1 - before;
    size_t taken = length < room ? length : room;
    memcpy(link->head + before, data, taken);
    link->head_length += taken;
    link->head[link->head_length] = '\0';
    const char *end = memmem(link->head, link->head_length, "\r\n\r\n", 4);
    if (end == NULL) {
        return taken < length ? PROGRESS_BROKEN : PROGRESS_MORE;
    }
    size_t head = (size_t)(end - link->head) + 4;
    link->head[head - 1] = '\0';
    if (strncmp(link->head, "HTTP/1.1 200", 12) != 0) {
        return PROGRESS_BROKEN;
    }
    sample(&load->first, link->asked_ns);
    const char *content_length = strcasestr(link->head, "\r\ncontent-length:");
    link->is_chunked = strcasestr(link->head, "\r\ntransfer-encoding: chunked") != NULL;
    link->left = content_length ? strtoul(content_length + 17, NULL, 10) : 0;
    link->in_body = true;
    size_t used = head - before;
    // The blank line stands before an empty chunked body's last chunk, and is all of it that can.
    carry_on(link, "\r\n", 2, CARRY_MOST);
    return length > used ? take_body(load, link, data + used, length - used) : PROGRESS_MORE;
}

static void read_link(struct load *load, struct link *link)
{
    static char buffer[262144];
    ssize_t length = recv(link->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (length <= 0) {
        count_error(load, link);
        return;
    }
    load->bytes += (uint64_t)length;
    enum progress progress = link->in_body ? take_body(load, link, buffer, (size_t)length)
                                           : take_head(load, link, buffer, (size_t)length);
    if (progress == PROGRESS_BROKEN) {
        count_error(load, link);
    } else if (progress == PROGRESS_END) {
        sample(&load->whole, link->asked_ns);
        load->answers++;
        ask(load, link);
    }
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void print_percentiles(const char *name, struct samples *samples)
{
    qsort(samples->microseconds, samples->count, sizeof *samples->microseconds, compare);
    uint32_t p50 = samples->count ? samples->microseconds[samples->count / 2] : 0;
    uint32_t p99 = samples->count ? samples->microseconds[samples->count * 99 / 100] : 0;
    printf(", \"%s_p50_us\": %u, \"%s_p99_us\": %u", name, p50, name, p99);
}

static void build_request(struct load *load, const char *path, const char *file)
{
    FILE *stream = fopen(file, "rb");
    if (stream == NULL) {
        fail(file);
    }
    static char body[1 << 20];
    size_t length = fread(body, 1, sizeof body, stream);
    fclose(stream);
    load->request = malloc(length + 1024);
    if (load->request == NULL) {
        fail("request");
    }
    int head = snprintf(load->request, 1024,
                        "POST %.512s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                        "application/json\r\nContent-Length: %zu\r\n\r\n",
                        path, length);
    memcpy(load->request + head, body, length);
    load->request_length = (size_t)head + length;
}

static void run(struct load *load, uint64_t until_ns)
{
    struct epoll_event events[256];
    for (uint64_t now = clock_ns(); now < until_ns; now = clock_ns()) {
        int wait_ms = (int)((until_ns - now) / 1000000) + 1;
        int ready = epoll_wait(load->epoll, events, 256, wait_ms);
        for (int i = 0; i < ready; i++) {
            read_link(load, events[i].data.ptr);
        }
    }
}

int main(int count, char **arguments)
{
    if (count != 6) {
        fputs("bench_load PORT PATH BODY-FILE CONNECTIONS SECONDS\n", stderr);
        return 1;
    }
    struct load load = {.address = {.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)strtoul(arguments[1], NULL, 10)),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    size_t connections = strtoul(arguments[4], NULL, 10);
    double seconds = strtod(arguments[5], NULL);
    struct link *links = calloc(connections, sizeof *links);
    load.first.microseconds = calloc(SAMPLES_MOST, sizeof(uint32_t));
    load.whole.microseconds = calloc(SAMPLES_MOST, sizeof(uint32_t));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (links == NULL || load.first.microseconds == NULL || load.whole.microseconds == NULL) {
        fail("start");
    }
    signal(SIGPIPE, SIG_IGN);
    build_request(&load, arguments[2], arguments[3]);
    uint64_t start_ns = clock_ns();
    for (size_t i = 0; i < connections; i++) {
        open_link(&load, &links[i]);
    }
    run(&load, start_ns + (uint64_t)(seconds * 1e9));
    double took = (double)(clock_ns() - start_ns) / 1e9;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"answers\": %lu, \"events\": %lu, \"bytes\": %lu, \"errors\": %lu", load.answers,
           load.events, load.bytes, load.errors);
    print_percentiles("first", &load.first);
    print_percentiles("whole", &load.whole);
    printf(", \"seconds\": %.3f, \"cpu_seconds\": %.3f}\n", took, cpu);
    return 0;
}
