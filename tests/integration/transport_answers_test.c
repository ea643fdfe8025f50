/* What an answer must be to count as one, and what its end is called when it is not. */
#include "probe.h"

#include "remora/secret.h"

#include <arpa/inet.h>
#include <curl/curlver.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- watched memory: what is given back must not hold the secret ---- */

static const char SECRET[] = "sk-integration-0123456789abcdef";
static bool is_watching;
static int leaks;

void __real_remora_free(void *block);
void __wrap_remora_free(void *block);
void __wrap_remora_free(void *block)
{
    if (is_watching && block != NULL &&
        memmem(block, malloc_usable_size(block), SECRET, sizeof SECRET - 1) != NULL) {
        leaks++;
    }
    __real_remora_free(block);
}

/* ---- the scripted server says one text and closes ---- */

static const char *script;
static size_t script_bytes;
static bool script_resets;

static void say_script(struct raw_connection *c)
{
    if (!raw_read_request(c)) {
        return;
    }
    raw_write_bytes(c, script, script_bytes);
    if (script_resets) {
        usleep(50000); /* the client reads before the reset overtakes the bytes */
        raw_reset(c);
    }
}

struct fixture {
    struct client client;
    struct raw_server *server;
    struct probe probe;
};

static int setup(void **state)
{
    static struct fixture fixture;
    script_resets = false;
    client_init(&fixture.client, NULL);
    fixture.server = raw_server_start(say_script, NULL);
    probe_init(&fixture.probe, &fixture.client, fixture.server->url, "/v1/x");
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    probe_fini(&f->probe);
    client_fini(&f->client);
    raw_server_stop(f->server);
    return 0;
}

static struct probe *answer_bytes(struct fixture *f, const char *text, size_t length)
{
    script = text;
    script_bytes = length;
    probe_start(&f->probe);
    probe_finish(&f->probe);
    return &f->probe;
}

static struct probe *answer(void **state, const char *text)
{
    return answer_bytes(*state, text, strlen(text));
}

/* Where a test has more than one answer. */
static struct probe *next_answer(void **state, const char *text)
{
    struct fixture *f = *state;
    probe_fini(&f->probe);
    probe_init(&f->probe, &f->client, f->server->url, "/v1/x");
    return answer(state, text);
}

static void assert_ends(const struct probe *probe, enum remora_cause cause, bool got_head)
{
    assert_string_equal(remora_cause_name(probe->end.cause), remora_cause_name(cause));
    assert_int_equal(probe->end.got_head, got_head);
    assert_int_equal(probe->heads, got_head);
}

static void content_length_that_is_kept_is_clean(void **state)
{
    struct probe *p = answer(state, RAW_OK);
    assert_ends(p, REMORA_CAUSE_NONE, true);
    assert_int_equal(p->status, 200);
    assert_string_equal(p->content_type, "application/json");
    assert_slice_equal(remora_buf_slice(&p->body), "{}");
    assert_true(p->end.was_sent);
    assert_false(p->end.was_reused);
    assert_int_equal(p->end.body_bytes_received, 2);
    assert_true(p->end.first_byte_ns > 0);
}

static void chunks_with_their_end_are_clean(void **state)
{
    struct probe *p = answer(state, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n");
    assert_ends(p, REMORA_CAUSE_NONE, true);
    assert_slice_equal(remora_buf_slice(&p->body), "abcde");
}

static void interim_answers_are_skipped(void **state)
{
    struct probe *p = answer(state, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" RAW_OK);
    assert_ends(p, REMORA_CAUSE_NONE, true);
    assert_int_equal(p->status, 200);
}

static void status_without_a_body_is_clean(void **state)
{
    assert_ends(answer(state, "HTTP/1.1 204 No Content\r\n\r\n"), REMORA_CAUSE_NONE, true);
}

static void redirect_is_shown_and_not_followed(void **state)
{
    struct fixture *f = *state;
    struct probe *p = answer(state, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                                    "Content-Length: 0\r\n\r\n");
    assert_ends(p, REMORA_CAUSE_NONE, true);
    assert_int_equal(p->status, 302);
    assert_int_equal(atomic_load(&f->server->requests), 1);
}

static void head_cut_before_its_blank_line_is_no_answer(void **state)
{
    assert_ends(answer(state, "HTTP/1.1 200 OK\r\nServer: x\r\n"), REMORA_CAUSE_TRUNCATED, false);
}

static void body_ended_by_the_connection_is_not_clean(void **state)
{
    struct probe *p = answer(state, "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{\"id\":1}");
    assert_ends(p, REMORA_CAUSE_TRUNCATED, true);
    assert_slice_equal(remora_buf_slice(&p->body), "{\"id\":1}");
}

static void two_content_lengths_are_refused(void **state)
{
    assert_ends(
        answer(state, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\n{}"),
        REMORA_CAUSE_BAD_RESPONSE, false);
}

/* Issue 3: curl 7.88 reads past a length that it cannot count to, until the connection ends, and calls that a success. */
static void length_that_nobody_can_count_to_is_refused(void **state)
{
    assert_ends(
        next_answer(state, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}"),
        REMORA_CAUSE_BAD_RESPONSE, false);
    assert_ends(next_answer(state, "HTTP/1.1 200 OK\r\nContent-Length: 0002\r\n\r\n{}"),
                REMORA_CAUSE_NONE, true);
}

/* Issue 3: its bodies need no framing, so a line of text must not claim it. */
static void version_that_was_not_asked_for_is_refused(void **state)
{
    static const char *const versions[] = {"HTTP/2", "HTTP/3", "HTTP/1.2", "HTTP/2.0"};
    for (size_t i = 0; i < REMORA_COUNT_OF(versions); i++) {
        static char text[80]; /* the server may still be sending it */
        snprintf(text, sizeof text, "%s 200 OK\r\nServer: x\r\n\r\n{\"id\":1}", versions[i]);
        assert_ends(next_answer(state, text), REMORA_CAUSE_BAD_RESPONSE, false);
    }
}

static void blanks_in_names_and_bare_carriage_returns_are_refused(void **state)
{
    assert_ends(next_answer(state, "HTTP/1.1 200 OK\r\nf oo: b\r\nContent-Length: 2\r\n\r\n{}"),
                REMORA_CAUSE_BAD_RESPONSE, false);
    assert_ends(next_answer(state, "HTTP/1.1 200 OK\r\nfoo: a\rb\r\nContent-Length: 2\r\n\r\n{}"),
                REMORA_CAUSE_BAD_RESPONSE, false);
}

static void content_length_beside_chunked_is_refused(void **state)
{
    assert_ends(answer(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
                REMORA_CAUSE_BAD_RESPONSE, false);
}

/* From 8.18 on curl makes one line of it before it hands it out, as RFC 9112, 5.2 has it for user agents. */
static void folded_header_is_refused_or_one_line(void **state)
{
    struct probe *p = answer(state, "HTTP/1.1 200 OK\r\nContent-Type: application/json;\r\n a=b\r\n"
                                    "Content-Length: 2\r\n\r\n{}");
#if LIBCURL_VERSION_NUM >= 0x081200
    assert_ends(p, REMORA_CAUSE_NONE, true);
    assert_string_equal(p->content_type, "application/json; a=b");
#else
    assert_ends(p, REMORA_CAUSE_BAD_RESPONSE, false);
#endif
}

static void bare_line_feeds_are_refused(void **state)
{
    assert_ends(answer(state, "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"),
                REMORA_CAUSE_BAD_RESPONSE, false);
}

static void text_that_is_no_http_is_refused(void **state)
{
    assert_ends(answer(state, "hello, this is not HTTP at all\r\n\r\n"), REMORA_CAUSE_BAD_RESPONSE,
                false);
}

static void switching_protocols_is_refused(void **state)
{
    assert_ends(answer(state, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
                REMORA_CAUSE_BAD_RESPONSE, false);
}

static void encoding_that_nobody_asked_for_is_refused(void **state)
{
    struct fixture *f = *state;
    struct probe *p = answer(state, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                    "Content-Length: 4\r\n\r\n\x1f\x8b\x08\x01");
    assert_ends(p, REMORA_CAUSE_BAD_ENCODING, true);
    assert_int_equal(p->bodies, 0);
    assert_null(strcasestr(f->server->last, "accept-encoding"));
}

static void header_line_of_200_kib_is_refused(void **state)
{
    enum { LINE = 200 << 10 };
    static char
        text[LINE + 128]; /* the server's thread may still be sending when the test is over */
    size_t used = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nX-Long: ");
    memset(text + used, 'a', LINE);
    used += LINE;
    used += (size_t)sprintf(text + used, "\r\nContent-Length: 0\r\n\r\n");
    struct probe *p = answer_bytes(*state, text, used);
    assert_ends(p, REMORA_CAUSE_BAD_RESPONSE, false);
}

static void flood_of_interim_answers_is_refused(void **state)
{
    static const char HINT[] = "HTTP/1.1 103 Early Hints\r\nLink: aaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    enum { HINTS = 3000 };
    static char text[HINTS * sizeof HINT]; /* as above */
    for (size_t i = 0; i < HINTS; i++) {
        memcpy(text + i * (sizeof HINT - 1), HINT, sizeof HINT - 1);
    }
    struct probe *p = answer_bytes(*state, text, HINTS * (sizeof HINT - 1));
    assert_ends(p, REMORA_CAUSE_BAD_RESPONSE, false);
}

static void body_shorter_than_its_length_is_truncated(void **state)
{
    assert_ends(answer(state, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"),
                REMORA_CAUSE_TRUNCATED, true);
}

static void chunks_without_their_end_are_truncated(void **state)
{
    assert_ends(answer(state, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
                REMORA_CAUSE_TRUNCATED, true);
}

static void connection_closed_before_the_head_is_a_reset(void **state)
{
    assert_ends(answer(state, ""), REMORA_CAUSE_RESET, false);
}

static void reset_in_the_body_is_a_reset(void **state)
{
    script_resets = true;
    struct probe *p = answer(state, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}");
    assert_ends(p, REMORA_CAUSE_RESET, true);
    assert_int_equal(p->end.system_error, ECONNRESET);
}

static void body_beyond_its_limit_ends_the_transfer(void **state)
{
    struct fixture *f = *state;
    f->probe.body_limit_bytes = 4;
    struct probe *p = answer(state, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef");
    assert_ends(p, REMORA_CAUSE_TOO_LARGE, true);
    assert_in_range(remora_buf_slice(&p->body).length, 0, 4);
}

/* ---- what is sent ---- */

static void only_what_was_asked_for_is_sent(void **state)
{
    struct fixture *f = *state;
    f->probe.headers[0] = (struct remora_header){REMORA_SLICE("Content-Type"),
                                                 REMORA_SLICE("application/json"), NULL};
    f->probe.headers[1] = (struct remora_header){REMORA_SLICE("X-Empty"), REMORA_SLICE(""), NULL};
    f->probe.request.header_count = 2;
    probe_post(&f->probe, "{}", 2);
    answer(state, RAW_OK);
    const char *sent = f->server->last;
    assert_ptr_equal(strstr(sent, "POST /v1/x HTTP/1.1\r\n"), sent);
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Length: 2\r\n"));
    assert_null(strcasestr(sent, "\r\nexpect:"));
    assert_null(strcasestr(sent, "accept-encoding"));
    assert_null(strcasestr(sent, "x-www-form-urlencoded"));
}

static void header_that_would_split_the_head_is_refused(void **state)
{
    struct fixture *f = *state;
    f->probe.headers[0] =
        (struct remora_header){REMORA_SLICE("X-A"), REMORA_SLICE("1\r\nX-B: 2"), NULL};
    f->probe.request.header_count = 1;
    struct remora_transfer *transfer = NULL;
    const struct remora_transfer_input input = {.request = &f->probe.request,
                                                .provider = &f->probe.provider};
    assert_int_equal(f->client.transport->ops->start(f->client.transport, &input, &transfer),
                     REMORA_INTERNAL);
}

static void secret_is_sent_and_wiped_from_the_memory_that_held_it(void **state)
{
    struct fixture *f = *state;
    struct remora_secret *secret = remora_secret_new(remora_slice_of(SECRET));
    f->probe.headers[0] =
        (struct remora_header){REMORA_SLICE("Authorization"), REMORA_SLICE("Bearer "), secret};
    f->probe.request.header_count = 1;
    leaks = 0;
    is_watching = true;
    answer(state, RAW_OK);
    is_watching = false;
    assert_non_null(strstr(f->server->last, "Authorization: Bearer "));
    assert_non_null(strstr(f->server->last, SECRET));
    assert_int_equal(leaks, 0);
    remora_secret_free(secret);
}

/* Of every size that is gathered: what leaves in one write with its head, and what does not. */
static void body_is_wiped_from_the_memory_that_gathered_it(void **state)
{
    static const size_t SIZES[] = {100, 2000, 60000, 64 << 10};
    static char body[64 << 10];
    static const char ANSWER[] =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    struct fixture *f = *state;
    memset(body, 'x', sizeof body);
    for (size_t i = 0; i < REMORA_COUNT_OF(SIZES); i++) {
        struct probe p;
        script = ANSWER;
        script_bytes = sizeof ANSWER - 1;
        memcpy(body, SECRET, sizeof SECRET - 1);
        memcpy(body + SIZES[i] - sizeof SECRET, SECRET, sizeof SECRET - 1);
        probe_init(&p, &f->client, f->server->url, "/");
        probe_post(&p, body, SIZES[i]);
        leaks = 0;
        is_watching = true;
        probe_start(&p);
        probe_finish(&p);
        is_watching = false;
        assert_int_equal(p.end.cause, REMORA_CAUSE_NONE);
        assert_int_equal(leaks, 0);
        probe_fini(&p);
        memset(body, 'x', sizeof body);
    }
}

static void urls_that_could_mean_two_things_are_refused(void **state)
{
    static const char *const BAD[] = {
        "http://user@127.0.0.1/",  "http://127.1/",        "http://0177.0.0.1/", "ftp://a.test/",
        "http://0x7f.1/",          "http://0X7F000001/",   "http://a.0x1/",      "http://a.1./",
        "http://127.0.0.1:0/",     "http://a.test:99999/", "http:///x",          "http://a.test/ x",
        "http://a.test\\@b.test/", "http://a.test#@b/",    "file:///etc/passwd", "http://[::1/",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < REMORA_COUNT_OF(BAD); i++) {
        struct remora_transfer *transfer = NULL;
        f->probe.request.url = remora_slice_of(BAD[i]);
        const struct remora_transfer_input input = {.request = &f->probe.request,
                                                    .provider = &f->probe.provider};
        assert_int_equal(f->client.transport->ops->start(f->client.transport, &input, &transfer),
                         REMORA_INTERNAL);
    }
}

/* ---- no connection ---- */

static void assert_no_connection(void **state, const char *url, enum remora_cause cause)
{
    struct fixture *f = *state;
    struct probe p;
    probe_init(&p, &f->client, url, "/");
    p.connect_timeout_ms = 300;
    uint64_t before_ns = test_now_ns();
    probe_start(&p);
    probe_finish(&p);
    assert_ends(&p, cause, false);
    assert_false(p.end.was_sent);
    assert_true(test_now_ns() - before_ns < 2 * REMORA_NS_PER_S);
    probe_fini(&p);
}

static void closed_port_is_refused(void **state)
{
    assert_no_connection(state, "http://127.0.0.1:1", REMORA_CAUSE_REFUSED);
}

static void metadata_addresses_are_never_connected_to(void **state)
{
    assert_no_connection(state, "http://169.254.169.254", REMORA_CAUSE_FORBIDDEN_ADDRESS);
    assert_no_connection(state, "http://[::ffff:169.254.169.254]", REMORA_CAUSE_FORBIDDEN_ADDRESS);
    assert_no_connection(state, "http://[fd00:ec2::254]", REMORA_CAUSE_FORBIDDEN_ADDRESS);
    assert_no_connection(state, "http://[fe80::1]", REMORA_CAUSE_FORBIDDEN_ADDRESS);
}

/* A listener whose queue is full answers no SYN: the loopback's black hole. */
static void silent_address_is_a_connect_timeout(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    int full = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(full, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(full, 0), 0);
    getsockname(full, (struct sockaddr *)&address, &length);
    int fillers[4];
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    assert_no_connection(state, url, REMORA_CAUSE_CONNECT_TIMEOUT);
    for (int i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(full);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (remora_transport_global_init() != REMORA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(content_length_that_is_kept_is_clean),
        CASE(chunks_with_their_end_are_clean),
        CASE(interim_answers_are_skipped),
        CASE(status_without_a_body_is_clean),
        CASE(redirect_is_shown_and_not_followed),
        CASE(head_cut_before_its_blank_line_is_no_answer),
        CASE(body_ended_by_the_connection_is_not_clean),
        CASE(two_content_lengths_are_refused),
        CASE(length_that_nobody_can_count_to_is_refused),
        CASE(version_that_was_not_asked_for_is_refused),
        CASE(blanks_in_names_and_bare_carriage_returns_are_refused),
        CASE(content_length_beside_chunked_is_refused),
        CASE(folded_header_is_refused_or_one_line),
        CASE(bare_line_feeds_are_refused),
        CASE(text_that_is_no_http_is_refused),
        CASE(switching_protocols_is_refused),
        CASE(encoding_that_nobody_asked_for_is_refused),
        CASE(header_line_of_200_kib_is_refused),
        CASE(flood_of_interim_answers_is_refused),
        CASE(body_shorter_than_its_length_is_truncated),
        CASE(chunks_without_their_end_are_truncated),
        CASE(connection_closed_before_the_head_is_a_reset),
        CASE(reset_in_the_body_is_a_reset),
        CASE(body_beyond_its_limit_ends_the_transfer),
        CASE(only_what_was_asked_for_is_sent),
        CASE(header_that_would_split_the_head_is_refused),
        CASE(secret_is_sent_and_wiped_from_the_memory_that_held_it),
        CASE(body_is_wiped_from_the_memory_that_gathered_it),
        CASE(urls_that_could_mean_two_things_are_refused),
        CASE(closed_port_is_refused),
        CASE(metadata_addresses_are_never_connected_to),
        CASE(silent_address_is_a_connect_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
