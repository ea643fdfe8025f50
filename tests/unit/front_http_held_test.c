/*
 * The memory of one open stream (issue 4), our own part of it: what a connection, its exchange, its encoder and its decoder keep
 * once the first content has gone out. libcurl's part is held by transport_bounds_test, all of it with the allocator's slack by
 * tests/bench/stream_memory.py.
 */
#include "heap.h"
#include "http_fixture.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

/* 11.1 KiB are kept (November 2026, x86-64); half a kibibyte more per stream is to be noticed. */
enum { HELD_BYTES = 11776, BODY_BYTES = 4096, RECORDED_BYTES = 64 << 10 };

/* The test's own memory does not count: it is there before. */
static void reserve(struct http_fixture *f)
{
    assert_non_null(remora_buf_reserve(&f->script.written, RECORDED_BYTES));
    assert_non_null(remora_buf_reserve(&f->script.ahead, RECORDED_BYTES));
}

static void send_stream_request(struct http_fixture *f)
{
    static char text[BODY_BYTES + 512];
    static char body[BODY_BYTES + 1];
    int filler =
        BODY_BYTES -
        (int)sizeof "{'model':'t/m','stream':true,'messages':[{'role':'user','content':''}]}" + 1;
    snprintf(body, sizeof body,
             "{\"model\":\"t/"
             "m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"%0*d\"}]}",
             filler, 0);
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
             BODY_BYTES, body);
    http_fixture_send(f, remora_slice_of(text), 0);
}

static void an_open_stream_keeps_little(void **state)
{
    (void)state;
    if (!test_heap_is_counted()) {
        skip();
    }
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    reserve(f);
    size_t before = test_heap_bytes();
    send_stream_request(f);
    assert_int_equal(f->engine->transfer_count, 1);
    play_head(f->engine, 0, 200, NULL);
    play_body(f->engine, 0, CHUNK_ROLE);
    play_body(f->engine, 0, CHUNK_TEXT("w1"));
    conn_script_pump(&f->script);
    size_t recorded = strlen(f->engine->transfers[0].body) + 1;
    size_t held = test_heap_bytes() - before - recorded;
    assert_non_null(strstr(conn_script_written(&f->script).data, "w1"));
    print_message("one open stream keeps %zu bytes\n", held);
    assert_in_range(held, 1, HELD_BYTES);
    http_fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_open_stream_keeps_little)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
