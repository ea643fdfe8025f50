/* The openai-chat decoder at its limits: sizes, memory, a sink that refuses, the end marker. */
#include "event_text.h"
#include "support.h"

#include <stdlib.h>

#define CHUNK                                                                                  \
    "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"    \
    "\"a\",\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]," \
    "\"reasoning\":\"r\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

struct sink {
    int events;
    size_t logprobs;
    size_t alternatives;
    int refuse_at; /* 0 never */
    enum remora_code code;
};

static enum remora_code take(void *context, const struct remora_event *event)
{
    struct sink *sink = context;
    sink->events++;
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

static void sink_that_refuses_ends_the_decoding_with_its_own_code(void **state)
{
    (void)state;
    for (int at = 1; at <= 5; at++) {
        struct fixture f;
        begin(&f, REMORA_STREAM);
        f.sink.refuse_at = at;
        f.sink.code = REMORA_TOO_LARGE;
        assert_int_equal(feed(&f, REMORA_SLICE(CHUNK)), REMORA_TOO_LARGE);
        assert_int_equal(f.fail.code, REMORA_OK);
        assert_int_equal(f.sink.events, at);
        end(&f);
    }
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
        cmocka_unit_test(end_marker_is_noticed_when_it_comes),
        cmocka_unit_test(failed_allocation_sheds_and_never_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
