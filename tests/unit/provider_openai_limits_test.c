/* The openai-chat decoder at its limits: sizes, memory, a sink that refuses, the end marker. */
#include "event_text.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK                                                                                  \
    "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"    \
    "\"a\",\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]," \
    "\"reasoning\":\"r\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

struct sink {
    int events;
    size_t logprobs;
    size_t alternatives;
    int further;
    int refuse_at; /* 0 never */
    enum remora_code code;
};

static enum remora_code take(void *context, const struct remora_event *event)
{
    struct sink *sink = context;
    sink->events++;
    sink->further += event->kind == REMORA_EVENT_FURTHER ? 1 : 0;
    for (size_t i = 0; event->kind == REMORA_EVENT_TEXT && i < event->text.logprob_count; i++) {
        sink->logprobs++;
        sink->alternatives += event->text.logprobs[i].alternative_count;
    }
    return sink->events == sink->refuse_at ? sink->code : REMORA_OK;
}

struct fixture {
    const struct remora_adapter *adapter;
    struct remora_decoder *decoder;
    struct remora_arena scratch;
    struct sink sink;
    struct remora_event_out out;
    struct remora_fail fail;
};

static void begin(struct fixture *f, enum remora_delivery delivery)
{
    memset(f, 0, sizeof *f);
    f->adapter = remora_adapter_for(REMORA_WIRE_OPENAI);
    f->decoder = calloc(1, f->adapter->decoder_bytes);
    assert_non_null(f->decoder);
    f->decoder->delivery = delivery;
    f->out = (struct remora_event_out){take, &f->sink};
    f->fail = (struct remora_fail)REMORA_FAIL_INIT;
    remora_arena_init(&f->scratch, REMORA_LIMIT_SCRATCH_CHUNK_BYTES,
                      REMORA_LIMIT_SCRATCH_ARENA_BYTES);
    f->adapter->decode_begin(f->decoder);
}

static void end(struct fixture *f)
{
    f->adapter->decode_fini(f->decoder);
    remora_arena_fini(&f->scratch);
    free(f->decoder);
}

static enum remora_code feed(struct fixture *f, struct remora_slice bytes)
{
    enum remora_code code =
        f->adapter->decode_feed(f->decoder, bytes, &f->scratch, &f->out, &f->fail);
    remora_arena_reset(&f->scratch);
    return code;
}

/* Feeds the same block until the decoder refuses; at most `blocks` times. */
static enum remora_code feed_many(struct fixture *f, size_t blocks)
{
    static char block[1 << 20];
    enum remora_code code = REMORA_OK;
    memset(block, 'x', sizeof block);
    for (size_t i = 0; i < blocks && code == REMORA_OK; i++) {
        code = feed(f, remora_slice(block, sizeof block));
    }
    return code;
}

static void event_without_an_end_is_refused_at_its_limit(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, REMORA_STREAM);
    assert_int_equal(feed(&f, REMORA_SLICE("data: ")), REMORA_OK);
    assert_int_equal(feed_many(&f, 8), REMORA_OK);
    assert_int_equal(feed_many(&f, 20), REMORA_UPSTREAM_UNAVAILABLE);
    assert_int_equal(f.fail.cause, REMORA_CAUSE_TOO_LARGE);
    end(&f);
}

static void unary_answer_is_refused_at_its_limit(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, REMORA_UNARY);
    assert_int_equal(feed(&f, REMORA_SLICE("{\"a\":\"")), REMORA_OK);
    assert_int_equal(feed_many(&f, 40), REMORA_UPSTREAM_UNAVAILABLE);
    assert_int_equal(f.fail.cause, REMORA_CAUSE_TOO_LARGE);
    end(&f);
}

/* 20 alternatives of each of 20,000 tokens, with their bytes: 27 MB, four million values. */
static void long_log_probabilities_fit_into_a_unary_answer(void **state)
{
    enum { TOKENS = 20000, ALTERNATIVES = 20 };
    static const char one[] =
        "{\"token\":\" tok\",\"logprob\":-12.3456789,\"bytes\":[32,116,111,107]";
    struct fixture f;
    struct remora_buf body;
    (void)state;
    remora_buf_init(&body, REMORA_LIMIT_UPSTREAM_BODY_BYTES);
    remora_buf_append_text(&body, "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"},"
                                  "\"finish_reason\":\"stop\",\"logprobs\":{\"content\":[");
    for (int token = 0; token < TOKENS; token++) {
        remora_buf_append_text(&body, token == 0 ? "" : ",");
        remora_buf_append_text(&body, one);
        remora_buf_append_text(&body, ",\"top_logprobs\":[");
        for (int i = 0; i < ALTERNATIVES; i++) {
            remora_buf_append_text(&body, i == 0 ? "" : ",");
            remora_buf_append_text(&body, one);
            remora_buf_append_text(&body, "}");
        }
        remora_buf_append_text(&body, "]}");
    }
    remora_buf_append_text(&body, "],\"refusal\":null}}]}");
    assert_int_equal(body.failed, REMORA_OK);
    begin(&f, REMORA_UNARY);
    assert_int_equal(feed(&f, remora_slice(body.data, body.length)), REMORA_OK);
    assert_int_equal(
        f.adapter->decode_end(f.decoder, REMORA_END_CLEAN, &f.scratch, &f.out, &f.fail), REMORA_OK);
    assert_int_equal(f.sink.logprobs, TOKENS);
    assert_int_equal(f.sink.alternatives, TOKENS * ALTERNATIVES);
    end(&f);
    remora_buf_fini(&body);
}

#define EVENT(choices)        "data: {\"id\":\"c\",\"choices\":[" choices "]}\n\n"
#define DELTA(index, members) "{\"index\":" #index ",\"delta\":{" members "}}"
#define STOP(index)           "{\"index\":" #index ",\"delta\":{},\"finish_reason\":\"stop\"}"
#define BLOCK(text)           "{\"type\":\"reasoning.text\",\"index\":" text ",\"text\":\"t\"}"
#define URL                   "{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\"}}"

/* Every place that puts an event, and whatever stands behind it in the same bytes. */
static const struct answer {
    const char *bytes;
    enum remora_delivery delivery;
} answers[] = {
    {CHUNK, REMORA_STREAM},
    {": a\n\n: b\n\n" EVENT(DELTA(0, "\"content\":\"a\"")) ": c\n\n", REMORA_STREAM},
    {"\n" EVENT(DELTA(0, "\"content\":\"a\"")) "data: \n\n" EVENT(STOP(0)), REMORA_STREAM},
    {EVENT(DELTA(0, "\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\"}},{\"index\":1,"
                    "\"function\":{\"name\":\"g\"}}]")) EVENT(STOP(0)) "data: [DONE]\n\n",
     REMORA_STREAM},
    {EVENT(DELTA(0, "\"content\":\"a\"") "," STOP(0) "," DELTA(1, "\"content\":\"b\"") "," STOP(1))
         EVENT(DELTA(1, "\"content\":\"c\"")) EVENT(DELTA(0, "\"role\":\"assistant\"")),
     REMORA_STREAM},
    {EVENT(DELTA(0, "\"reasoning\":\"r\",\"reasoning_details\":[" BLOCK("0") "," BLOCK(
                        "1") "],"
                             "\"content\":\"a\"")),
     REMORA_STREAM},
    {EVENT(DELTA(0, "\"reasoning\":\"r\",\"reasoning_details\":[{\"type\":\"reasoning.encrypted\","
                    "\"data\":\"d\"}],\"content\":\"a\"")),
     REMORA_STREAM},
    {EVENT(DELTA(0, "\"images\":[" URL "," URL "],\"audio\":{\"id\":\"i\",\"transcript\":\"t\","
                    "\"data\":\"d\"},\"annotations\":[{\"type\":\"x\"},{\"type\":\"y\"}]")),
     REMORA_STREAM},
    {EVENT(DELTA(0, "\"content\":[{\"type\":\"text\",\"text\":\"a\"}," URL ",{\"type\":\"refusal\","
                    "\"refusal\":\"r\"},{\"type\":\"thinking\",\"thinking\":[{\"text\":\"t\"},"
                    "{\"text\":\"u\"}]},{\"type\":\"other\"}],\"refusal\":\"r\",\"function_call\":"
                    "{\"name\":\"f\"}")),
     REMORA_STREAM},
    {"data: {\"id\":\"c\",\"choices\":[" STOP(
         0) "],\"citations\":[\"a\",\"b\"],\"more\":1,"
            "\"even_more\":2,\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
     REMORA_STREAM},
    {" {\"id\":\"c\",\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"},"
     "{\"message\":{\"content\":\"b\"}}],\"more\":1,\"usage\":{\"prompt_tokens\":1}}",
     REMORA_UNARY},
};

static enum remora_code decode_refused_at(struct fixture *f, const struct answer *answer, int at)
{
    begin(f, answer->delivery);
    f->sink.refuse_at = at;
    f->sink.code = REMORA_TOO_LARGE;
    enum remora_code code = feed(f, remora_slice_of(answer->bytes));
    return code != REMORA_OK ? code
                             : f->adapter->decode_end(f->decoder, REMORA_END_CLEAN, &f->scratch,
                                                      &f->out, &f->fail);
}

/* Nothing is put behind the refusal, and what it says is not taken for a fault of the answer. */
static void sink_that_refuses_ends_the_decoding_with_its_own_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(answers); i++) {
        struct fixture f;
        (void)decode_refused_at(&f, &answers[i], 0);
        int events = f.sink.events;
        end(&f);
        assert_true(events >= 3);
        for (int at = 1; at <= events; at++) {
            enum remora_code code = decode_refused_at(&f, &answers[i], at);
            if (code != REMORA_TOO_LARGE || f.fail.code != REMORA_OK || f.sink.events != at) {
                fail_msg("%s: refused at %d of %d: code %d, %s, %d events", answers[i].bytes, at,
                         events, (int)code, f.fail.message, f.sink.events);
            }
            end(&f);
        }
    }
}

/* What is no part of an answer is counted where it is skipped. */
static void what_is_skipped_is_counted(void **state)
{
    static const struct {
        const char *bytes;
        uint64_t ignored;
    } cases[] = {
        {EVENT(DELTA(0, "\"content\":\"a\"")), 0},
        {EVENT("7," DELTA(0, "\"content\":\"a\"") ",null"), 2},
        {EVENT(DELTA(0, "\"content\":[5,{\"type\":7},{},{\"type\":\"text\",\"text\":\"a\"}]")), 3},
        {EVENT(DELTA(0, "\"tool_calls\":[{},{\"index\":4},{\"function\":{\"name\":\"f\"}}]")), 2},
        {"data: \n\n" EVENT(DELTA(0, "\"content\":\"a\"")) "data:\n\n", 2},
        {EVENT(STOP(0)) "data: [DONE]\n\ndata: {}\n\ndata: {}\n\n", 2},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, REMORA_STREAM);
        assert_int_equal(feed(&f, remora_slice_of(cases[i].bytes)), REMORA_OK);
        assert_int_equal(f.decoder->ignored, cases[i].ignored);
        end(&f);
    }
}

/* As many calls as a choice may have, one at a time; the next one is refused. */
static void calls_of_a_choice_are_counted(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, REMORA_STREAM);
    for (int i = 0; i <= REMORA_LIMIT_TOOL_CALLS; i++) {
        char event[160];
        snprintf(event, sizeof event,
                 EVENT(DELTA(0, "\"tool_calls\":[{\"index\":%d,\"function\":{\"name\":\"f\"}}]")),
                 i);
        assert_int_equal(feed(&f, remora_slice_of(event)),
                         i < REMORA_LIMIT_TOOL_CALLS ? REMORA_OK : REMORA_UPSTREAM_UNAVAILABLE);
    }
    assert_int_equal(f.fail.cause, REMORA_CAUSE_BAD_EVENT);
    end(&f);
}

/* Choices beyond the 64th end as the first do; a whole answer has its end in itself. */
static void choice_of_any_index_ends(void **state)
{
    (void)state;
    for (int i = 0; i < REMORA_LIMIT_CHOICES; i += REMORA_LIMIT_CHOICES - 1) {
        char body[160];
        struct fixture f;
        snprintf(body, sizeof body,
                 "{\"choices\":[{\"index\":%d,\"message\":{\"content\":\"a\"},\"finish_reason\":"
                 "\"stop\"}]}",
                 i);
        begin(&f, REMORA_UNARY);
        assert_int_equal(feed(&f, remora_slice_of(body)), REMORA_OK);
        assert_false(f.decoder->is_done);
        assert_int_equal(
            f.adapter->decode_end(f.decoder, REMORA_END_CLEAN, &f.scratch, &f.out, &f.fail),
            REMORA_OK);
        assert_true(f.decoder->is_done);
        end(&f);
    }
}

/* The provider's own report goes on with its counts, and never without a report. */
static void a_report_of_usage_is_told_where_there_is_one(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, REMORA_STREAM);
    assert_int_equal(feed(&f, REMORA_SLICE(EVENT(DELTA(0, "\"content\":\"a\"")))), REMORA_OK);
    assert_int_equal(feed(&f, REMORA_SLICE("data: {\"choices\":[],\"usage\":null}\n\n")),
                     REMORA_OK);
    assert_int_equal(f.sink.further, 0);
    assert_int_equal(feed(&f, REMORA_SLICE("data: {\"choices\":[],\"usage\":{}}\n\n")), REMORA_OK);
    assert_int_equal(f.sink.further, 1);
    end(&f);
}

static void end_marker_is_noticed_when_it_comes(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, REMORA_STREAM);
    assert_int_equal(feed(&f, REMORA_SLICE(CHUNK)), REMORA_OK);
    assert_true(f.decoder->is_done);
    assert_true(f.decoder->had_terminator);
    int events = f.sink.events;
    assert_int_equal(feed(&f, REMORA_SLICE("data: {broken\n\n: x\n\n")), REMORA_OK);
    assert_int_equal(f.sink.events, events);
    assert_int_equal(f.adapter->decode_end(f.decoder, REMORA_END_CUT, &f.scratch, &f.out, &f.fail),
                     REMORA_OK);
    end(&f);
}

static void failed_allocation_sheds_and_never_lies(void **state)
{
    static const char *const bodies[] = {CHUNK,
                                         "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(bodies); i++) {
        int told = 0;
        for (uint64_t nth = 1; nth <= 12; nth++) {
            struct fixture f;
            begin(&f, i == 0 ? REMORA_STREAM : REMORA_UNARY);
            struct remora_slice body = remora_slice_of(bodies[i]);
            remora_alloc_fail_at(nth, false);
            enum remora_code code = feed(&f, remora_slice(body.data, body.length / 2));
            if (code == REMORA_OK) {
                code = feed(
                    &f, remora_slice(body.data + body.length / 2, body.length - body.length / 2));
            }
            if (code == REMORA_OK) {
                code =
                    f.adapter->decode_end(f.decoder, REMORA_END_CLEAN, &f.scratch, &f.out, &f.fail);
            }
            remora_alloc_fail_at(0, false);
            assert_true(code == REMORA_OK || code == REMORA_SHEDDING);
            assert_true(code == REMORA_OK || f.fail.cause == REMORA_CAUSE_MEMORY);
            told += code == REMORA_SHEDDING ? 1 : 0;
            end(&f);
        }
        assert_true(told >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_without_an_end_is_refused_at_its_limit),
        cmocka_unit_test(unary_answer_is_refused_at_its_limit),
        cmocka_unit_test(long_log_probabilities_fit_into_a_unary_answer),
        cmocka_unit_test(sink_that_refuses_ends_the_decoding_with_its_own_code),
        cmocka_unit_test(what_is_skipped_is_counted),
        cmocka_unit_test(calls_of_a_choice_are_counted),
        cmocka_unit_test(choice_of_any_index_ends),
        cmocka_unit_test(a_report_of_usage_is_told_where_there_is_one),
        cmocka_unit_test(end_marker_is_noticed_when_it_comes),
        cmocka_unit_test(failed_allocation_sheds_and_never_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
