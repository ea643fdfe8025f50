/*
 * Allocation torture: one unary and one streaming request, each with a good provider and with one that fails first, from the
 * bytes of the head to the last byte of the answer, while every allocation on the way fails in turn, once and from then on.
 * Each time the caller gets a whole answer, a clean error or a closed connection (never a stream that only seems whole), nothing
 * leaks (ASan, and the engine's own accounts), and the next request is served.
 */
#include "http_fixture.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

enum { WRITTEN_BYTES = 256 << 10, MOST_ALLOCATIONS = 2000 };

struct flow {
    const char *name;
    bool is_stream;
    bool falls_back; /* the first provider says 503 */
};

static void send_request(struct http_fixture *f, const struct flow *flow)
{
    char text[512];
    char body[256];
    snprintf(
        body, sizeof body,
        "{\"model\":\"t/m\",\"stream\":%s,\"temperature\":0.5,\"messages\":[{\"role\":\"user\","
        "\"content\":\"say \\u00fc\"}]}",
        flow->is_stream ? "true" : "false");
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/json\r\nx-request-id: r\r\ntracestate: a=b\r\n"
             "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    http_fixture_send(f, remora_slice_of(text), 100);
}

/* Plays on only while somebody listens. */
static void feed(struct engine_fixture *f, size_t index, const char *const *pieces)
{
    for (size_t i = 0; pieces[i] != NULL && f->transfers[index].is_live; i++) {
        (void)play_body(f, index, pieces[i]);
    }
    if (f->transfers[index].is_live) {
        play_end(f, index, REMORA_CAUSE_NONE);
    }
}

static void play(struct engine_fixture *f, size_t index, const struct flow *flow)
{
    static const char *const refused[] = {"{\"error\":{\"message\":\"busy\"}}", NULL};
    static const char *const stream[] = {CHUNK_ROLE, CHUNK_TEXT("Hel"),      CHUNK_TEXT("lo"),
                                         CHUNK_STOP, CHUNK_USAGE CHUNK_DONE, NULL};
    static const char *const unary[] = {
        "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"um\",\"choices\":["
        "{"
        "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":",
        "\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}",
        NULL};
    bool fails = flow->falls_back && index == 0;
    play_head(f, index, fails ? 503 : 200, NULL);
    if (fails) {
        feed(f, index, refused);
    } else {
        feed(f, index, flow->is_stream ? stream : unary);
    }
}

static void run(struct http_fixture *f, const struct flow *flow, size_t first)
{
    send_request(f, flow);
    for (size_t i = first; i < f->engine->transfer_count; i++) {
        if (f->engine->transfers[i].is_live) {
            play(f->engine, i, flow);
        }
    }
    conn_script_pump(&f->script);
}

static bool wrote(const struct http_fixture *f, const char *what)
{
    struct remora_slice all = conn_script_written(&f->script);
    return all.length > 0 && memmem(all.data, all.length, what, strlen(what)) != NULL;
}

static bool is_whole(const struct http_fixture *f, const struct flow *flow)
{
    return flow->is_stream ? wrote(f, "data: [DONE]\n\n") && wrote(f, "\r\n0\r\n\r\n")
                           : wrote(f, "\"content\":\"Hello\"");
}

/* What the caller may be left with. */
static void judge(const struct http_fixture *f, const struct flow *flow, uint64_t nth)
{
    int status = http_fixture_status(f);
    bool has_ended = wrote(f, "\r\n0\r\n\r\n");
    bool is_cut = http_fixture_is_closing(f) && !has_ended;
    bool is_good = false;
    if (status == 0) {
        is_good = is_cut; /* not even memory for an answer */
    } else if (status == 200) {
        is_good = is_whole(f, flow) || is_cut || (wrote(f, "data: {\"") && wrote(f, "\"error\":{"));
    } else {
        is_good = status >= 500 && status < 600 && wrote(f, "{\"error\":{");
    }
    if (!is_good) {
        fail_msg("%s, allocation %llu: status %d\n%.*s", flow->name, (unsigned long long)nth,
                 status, REMORA_SLICE_ARG(conn_script_written(&f->script)));
    }
}

/* The recorder must not fail in the gateway's place. */
static void reserve(struct http_fixture *f)
{
    assert_non_null(remora_buf_reserve(&f->script.written, WRITTEN_BYTES));
    assert_non_null(remora_buf_reserve(&f->script.ahead, 4096));
}

/* False when there were fewer than nth allocations. */
static bool torture(const struct flow *flow, uint64_t nth, bool for_ever)
{
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    reserve(f);
    (void)remora_alloc_count();
    remora_alloc_fail_at(nth, for_ever);
    run(f, flow, 0);
    remora_alloc_fail_at(0, false);
    bool has_failed = remora_alloc_count() >= nth;
    judge(f, flow, nth);
    assert_true(has_failed || is_whole(f, flow));
    size_t first = f->engine->transfer_count;
    struct flow good = {.name = "afterwards", .is_stream = flow->is_stream};
    http_fixture_connect(f);
    run(f, &good, first);
    assert_true(is_whole(f, &good));
    http_fixture_free(f);
    return has_failed;
}

static void torture_flow(const struct flow *flow)
{
    uint64_t nth = 1;
    while (torture(flow, nth, false)) {
        (void)torture(flow, nth, true);
        nth++;
        assert_true(nth < MOST_ALLOCATIONS);
    }
    print_message("%s: each of %llu allocations failed, once and for ever\n", flow->name,
                  (unsigned long long)nth - 1);
    assert_true(nth > 5); /* the seam was in the way */
}

static void a_unary_request(void **state)
{
    const struct flow flow = {.name = "unary"};
    (void)state;
    torture_flow(&flow);
}

static void a_stream(void **state)
{
    const struct flow flow = {.name = "stream", .is_stream = true};
    (void)state;
    torture_flow(&flow);
}

static void a_unary_request_that_falls_back(void **state)
{
    const struct flow flow = {.name = "unary, second provider", .falls_back = true};
    (void)state;
    torture_flow(&flow);
}

static void a_stream_that_falls_back(void **state)
{
    const struct flow flow = {
        .name = "stream, second provider", .is_stream = true, .falls_back = true};
    (void)state;
    torture_flow(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_request),
        cmocka_unit_test(a_stream),
        cmocka_unit_test(a_unary_request_that_falls_back),
        cmocka_unit_test(a_stream_that_falls_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
