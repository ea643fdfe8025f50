/* SSE: the rules of the standard, and the same events whatever the cuts between feeds. */
#include "support.h"

#include "remora/memory.h"
#include "remora/sse.h"

#include <stdlib.h>

/* Events as text: "name|data;" each, comments as "#text;". */
struct record {
    struct remora_buf text;
    enum remora_code answer; /* of on_event */
    const char *feed;        /* to tell views from copies */
    size_t feed_bytes;
    unsigned views;
};

static enum remora_code on_event(void *context, const struct remora_sse_event *event)
{
    struct record *record = context;
    remora_buf_append(&record->text, event->name);
    remora_buf_append_byte(&record->text, '|');
    remora_buf_append(&record->text, event->data);
    remora_buf_append_byte(&record->text, ';');
    record->views +=
        event->data.data >= record->feed && event->data.data < record->feed + record->feed_bytes;
    return record->answer;
}

static void on_comment(void *context, struct remora_slice text)
{
    struct record *record = context;
    remora_buf_append_byte(&record->text, '#');
    remora_buf_append(&record->text, text);
    remora_buf_append_byte(&record->text, ';');
}

/* Feeds a copy that is gone afterwards, so that a view kept too long is caught by a sanitizer. */
static enum remora_code feed(struct remora_sse *sse, struct record *record, const char *bytes,
                             size_t length)
{
    struct remora_sse_handler handler = {on_event, on_comment, record};
    char *copy = malloc(length + (length == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    record->feed = copy;
    record->feed_bytes = length;
    enum remora_code rc = remora_sse_feed(sse, remora_slice(copy, length), &handler);
    memset(copy, 'Z', length);
    free(copy);
    return rc;
}

static enum remora_code end(struct remora_sse *sse, struct record *record)
{
    struct remora_sse_handler handler = {on_event, on_comment, record};
    return remora_sse_end(sse, &handler);
}

static const struct {
    const char *stream;
    size_t length;
    const char *events;
    bool partial;
} cases[] = {
#define CASE(stream, events, partial)               \
    {                                               \
        stream, sizeof(stream) - 1, events, partial \
    }
    CASE("data: a\n\n", "|a;", false),
    CASE("data:a\n\n", "|a;", false),
    CASE("data:  a\n\n", "| a;", false),
    CASE("data:\ta\n\n", "|\ta;", false),
    CASE("data\n\n", "|;", false),
    CASE("data:\n\n", "|;", false),
    CASE("data\ndata\n\n", "|\n;", false),
    CASE("data:\ndata: x\n\n", "|\nx;", false),
    CASE("data: a\ndata: b\ndata: c\n\n", "|a\nb\nc;", false),
    CASE("data: a\n\ndata: b\n\n", "|a;|b;", false),
    CASE("\n\n\ndata: a\n\n\n\n", "|a;", false),
    CASE("event: e\ndata: a\n\ndata: b\n\n", "e|a;|b;", false),
    CASE("data: a\nevent: e\n\n", "e|a;", false),
    CASE("event: e\nevent: f\ndata: a\n\n", "f|a;", false),
    CASE("event: e\nevent\ndata: a\n\n", "|a;", false),
    CASE("event: e\n\ndata: a\n\n", "|a;", false),
    CASE("event:  e \ndata: a\n\n", " e |a;", false),
    CASE("id: 1\nretry: 10\ndata: a\n\nid\nretry: x\n\n", "|a;", false),
    CASE("unknown: 1\ndata: a\nmore\ndatax: 1\ndat: 2\n\n", "|a;", false),
    CASE("Data: a\nDATA: b\n data: c\n\n", "", false),
    CASE(": hello\n\ndata: a\n:\n:x\n\n", "#hello;#;#x;|a;", false),
    CASE("data: a\n: in between\ndata: b\n\n", "#in between;|a\nb;", false),
    CASE("data: a:b: c\n\n", "|a:b: c;", false),
    CASE("data: a\r\rdata: b\r\r", "|a;|b;", false),
    CASE("data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;", false),
    CASE("event: e\r\ndata: a\r\ndata: b\r\n\r\n", "e|a\nb;", false),
    CASE("data: a\rdata: b\r\r", "|a\nb;", false),
    CASE("data: a\n\rdata: b\r\n\ndata: c\r\n\r", "|a;|b;|c;", false),
    CASE("data: a\r\n\ndata: b\r\r\n", "|a;|b;", false),
    CASE("\xEF\xBB\xBF"
         "data: a\n\n",
         "|a;", false),
    CASE("\xEF\xBB\xBF\xEF\xBB\xBF"
         "data: a\n\n",
         "", false),
    CASE("\xEF\xBB"
         "data: a\n\ndata: b\n\n",
         "|b;", false),
    CASE("\xEF"
         "data: a\n\n",
         "", false),
    CASE("data: a\n\n\xEF\xBB\xBF"
         "data: b\n\n",
         "|a;", false),
    CASE("data: \xE2\x82\xAC\xF0\x9F\x98\x80\n\n", "|\xE2\x82\xAC\xF0\x9F\x98\x80;", false),
    CASE("data: [DONE]\n\n", "|[DONE];", false),
    CASE("data: a\n", "", true),
    CASE("data: a", "", true),
    CASE("data: a\n\ndata: b", "|a;", true),
    CASE("data: a\n\nevent: x\n", "|a;", true),
    CASE("data: a\n\n: comm", "|a;", true),
    CASE("data: a\n\n\xEF\xBB", "|a;", true),
    CASE("\xEF\xBB", "", true),
    CASE("\xEF\xBB\xBF", "", false),
    CASE("", "", false),
    CASE("\r\n\r\n", "", false),
#undef CASE
};

/* Feeds the whole case cut at `first` and `second`. */
static void check_cut(size_t index, size_t first, size_t second)
{
    struct remora_sse sse;
    struct record record = {.answer = REMORA_OK};
    const char *stream = cases[index].stream;
    remora_buf_init(&record.text, 1000);
    remora_sse_init(&sse, 100);
    assert_int_equal(feed(&sse, &record, stream, first), REMORA_OK);
    assert_int_equal(feed(&sse, &record, stream + first, second - first), REMORA_OK);
    assert_int_equal(feed(&sse, &record, stream + second, cases[index].length - second), REMORA_OK);
    if (!remora_slice_is(remora_buf_slice(&record.text), cases[index].events) ||
        remora_sse_is_partial(&sse) != cases[index].partial) {
        fail_msg("%s, cut at %zu and %zu, gave %.*s", stream, first, second,
                 REMORA_SLICE_ARG(remora_buf_slice(&record.text)));
    }
    remora_sse_fini(&sse);
    remora_buf_fini(&record.text);
}

/* What a proven end adds: an event of which only the blank line is missing, and nothing of a line without its end. */
static void a_proven_end_delivers_an_event_of_whole_lines(void **state)
{
    static const struct {
        const char *stream;
        const char *events;
    } ends[] = {
        {"data: a\n", "|a;"},
        {"data: a\r\n", "|a;"},
        {"data: a", ""},
        {"data: a\ndata: b", ""},
        {"data: a\n\ndata: b\n", "|a;|b;"},
        {"data: a\n\nevent: x\n", "|a;"},
        {"data: a\n\n", "|a;"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(ends); i++) {
        for (size_t cut = 0; cut <= strlen(ends[i].stream); cut++) {
            struct remora_sse sse;
            struct record record = {.answer = REMORA_OK};
            remora_buf_init(&record.text, 1000);
            remora_sse_init(&sse, 100);
            assert_int_equal(feed(&sse, &record, ends[i].stream, cut), REMORA_OK);
            assert_int_equal(
                feed(&sse, &record, ends[i].stream + cut, strlen(ends[i].stream) - cut), REMORA_OK);
            assert_int_equal(end(&sse, &record), REMORA_OK);
            assert_slice_equal(remora_buf_slice(&record.text), ends[i].events);
            remora_sse_fini(&sse);
            remora_buf_fini(&record.text);
        }
    }
}

static void follows_the_standard_whatever_the_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        for (size_t first = 0; first <= cases[i].length; first++) {
            for (size_t second = first; second <= cases[i].length; second++) {
                check_cut(i, first, second);
            }
        }
    }
}

static void follows_the_standard_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_sse sse;
        struct record record = {.answer = REMORA_OK};
        remora_buf_init(&record.text, 1000);
        remora_sse_init(&sse, 100);
        for (size_t at = 0; at < cases[i].length; at++) {
            assert_int_equal(feed(&sse, &record, cases[i].stream + at, 1), REMORA_OK);
        }
        assert_slice_equal(remora_buf_slice(&record.text), cases[i].events);
        assert_int_equal(remora_sse_is_partial(&sse), cases[i].partial);
        remora_sse_fini(&sse);
        remora_buf_fini(&record.text);
    }
}

static void nul_passes_through(void **state)
{
    (void)state;
    struct remora_sse sse;
    struct record record = {.answer = REMORA_OK};
    remora_buf_init(&record.text, 1000);
    remora_sse_init(&sse, 100);
    assert_int_equal(feed(&sse, &record, "data: a\0b\n\n", 11), REMORA_OK);
    struct remora_slice text = remora_buf_slice(&record.text);
    assert_int_equal(text.length, 5);
    assert_memory_equal(text.data, "|a\0b;", 5);
    remora_sse_fini(&sse);
    remora_buf_fini(&record.text);
}

static void whole_events_take_no_memory_and_no_copy(void **state)
{
    (void)state;
    struct remora_sse sse;
    struct record record = {.answer = REMORA_OK};
    remora_buf_init(&record.text, 1000);
    remora_sse_init(&sse, 100);
    assert_int_equal(feed(&sse, &record, "data: a\n\n: c\n\ndata: b\r\n\r\n", 25), REMORA_OK);
    assert_int_equal(record.views, 2);
    assert_null(sse.line.data);
    assert_null(sse.data.data);
    assert_null(sse.name.data);
    assert_int_equal(sse.comments, 1);
    remora_sse_fini(&sse);
    remora_buf_fini(&record.text);
}

/* The stream in one feed and byte by byte must come to the same end. */
static void check_limit(const char *stream, enum remora_code expected)
{
    for (int split = 0; split < 2; split++) {
        struct remora_sse sse;
        struct record record = {.answer = REMORA_OK};
        enum remora_code rc = REMORA_OK;
        size_t length = strlen(stream);
        remora_buf_init(&record.text, 1000);
        remora_sse_init(&sse, 16);
        for (size_t at = 0; at < length && rc == REMORA_OK; at += split == 0 ? length : 1) {
            rc = feed(&sse, &record, stream + at, split == 0 ? length : 1);
        }
        if (rc != expected) {
            fail_msg("%s (split %d) gave %d", stream, split, (int)rc);
        }
        assert_int_equal(feed(&sse, &record, "\n", 1), expected);
        remora_sse_fini(&sse);
        remora_buf_fini(&record.text);
    }
}

static void an_event_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    (void)state;
    check_limit("data: 0123456789\n\n", REMORA_OK);
    check_limit("data: 0123456789A\n\n", REMORA_TOO_LARGE);
    check_limit("data: 0123456789A", REMORA_TOO_LARGE);
    check_limit(": 0123456789ABCDE\n", REMORA_TOO_LARGE);
    check_limit("data:01234567\ndata:9ABCDEF\n\n", REMORA_OK);
    check_limit("data:01234567\ndata:9ABCDEFG\n\n", REMORA_TOO_LARGE);
    check_limit("data:0\ndata:1\ndata:2\ndata:3\ndata:4\ndata:5\ndata:6\ndata:7\n\n", REMORA_OK);
    check_limit("data:0\ndata:1\ndata:2\ndata:3\ndata:4\ndata:5\ndata:6\ndata:7\ndata:8\n\n",
                REMORA_TOO_LARGE);
    check_limit("data: 0123456789\n\ndata: 0123456789\n\n", REMORA_OK);
}

static void the_handlers_code_stops_the_feed(void **state)
{
    (void)state;
    struct remora_sse sse;
    struct record record = {.answer = REMORA_CLIENT_GONE};
    remora_buf_init(&record.text, 1000);
    remora_sse_init(&sse, 100);
    assert_int_equal(feed(&sse, &record, "data: a\n\ndata: b\n\n", 18), REMORA_CLIENT_GONE);
    assert_slice_equal(remora_buf_slice(&record.text), "|a;");
    remora_sse_fini(&sse);
    remora_buf_fini(&record.text);
}

static void comments_need_no_listener(void **state)
{
    (void)state;
    struct remora_sse sse;
    struct record record = {.answer = REMORA_OK};
    struct remora_sse_handler handler = {on_event, NULL, &record};
    remora_sse_init(&sse, 100);
    assert_int_equal(remora_sse_feed(&sse, REMORA_SLICE(": a\n:b\n"), &handler), REMORA_OK);
    assert_int_equal(sse.comments, 2);
    remora_sse_fini(&sse);
}

/* One feed of CRs alone must not look for an LF again at each of them: 4 MB take milliseconds, not minutes. */
static void lines_that_end_with_cr_take_linear_time(void **state)
{
    (void)state;
    struct remora_sse sse;
    struct record record = {.answer = REMORA_OK};
    struct remora_sse_handler handler = {on_event, NULL, &record};
    size_t length = 4 << 20;
    char *bytes = malloc(length);
    assert_non_null(bytes);
    memset(bytes, '\r', length);
    remora_sse_init(&sse, 100);
    assert_int_equal(remora_sse_feed(&sse, remora_slice(bytes, length), &handler), REMORA_OK);
    remora_sse_fini(&sse);
    free(bytes);
}

static void survives_each_allocation_failing(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\xEF\xBB",       "event: e\n",  "ev", "ent: f\nda",
                                         "ta: x\ndata: y", "\ndata: z\n", "\n"};
    enum remora_code rc = REMORA_SHEDDING;
    unsigned failures = 0;
    for (uint64_t nth = 1; rc == REMORA_SHEDDING; nth++) {
        struct remora_sse sse;
        struct record record = {.answer = REMORA_OK};
        remora_buf_init(&record.text, 1000);
        remora_buf_append_byte(&record.text, '>');
        remora_sse_init(&sse, 1000);
        remora_alloc_fail_at(nth, false);
        rc = REMORA_OK;
        for (size_t i = 0; i < REMORA_COUNT_OF(pieces) && rc == REMORA_OK; i++) {
            rc = feed(&sse, &record, pieces[i], strlen(pieces[i]));
        }
        remora_alloc_fail_at(0, false);
        failures += rc == REMORA_SHEDDING;
        assert_slice_equal(remora_buf_slice(&record.text), rc == REMORA_OK ? ">f|x\ny\nz;" : ">");
        remora_sse_fini(&sse);
        remora_buf_fini(&record.text);
    }
    assert_int_equal(rc, REMORA_OK);
    assert_int_equal(failures, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_standard_whatever_the_cuts),
        cmocka_unit_test(a_proven_end_delivers_an_event_of_whole_lines),
        cmocka_unit_test(follows_the_standard_byte_by_byte),
        cmocka_unit_test(nul_passes_through),
        cmocka_unit_test(whole_events_take_no_memory_and_no_copy),
        cmocka_unit_test(an_event_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(the_handlers_code_stops_the_feed),
        cmocka_unit_test(comments_need_no_listener),
        cmocka_unit_test(lines_that_end_with_cr_take_linear_time),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
