/*
 * Events as SSE, against reviewed transcripts in tests/golden/chat_sse. To write them anew: REMORA_GOLDEN=write, then read
 * the diff. Unary answers and error envelopes stand in tests/golden/chat_json.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "remora/json.h"
#include "remora/skin.h"

static const struct remora_provider provider = {
    .facts = {.slug = REMORA_SLICE_INIT("acme"), .name = REMORA_SLICE_INIT("Acme \"AI\"")}};
static const struct remora_model model = {.facts = {.id = REMORA_SLICE_INIT("acme/echo-1")}};
static const int64_t no_price[REMORA_PRICE_COUNT]; /* nothing costs anything */
static const struct remora_endpoint endpoint = {
    .facts = {.provider = REMORA_SLICE_INIT("acme"),
              .tag = REMORA_SLICE_INIT("acme/eu"),
              .upstream_model = REMORA_SLICE_INIT("echo-1"),
              .prices = {.pico_usd = no_price}},
    .provider = &provider,
    .model = &model,
};

struct talk {
    struct remora_encoder encoder; /* with room of its own, as the front gives it */
    struct remora_encoder bare;    /* without: writes every chunk anew */
    struct remora_buf bare_out;
    bool has_note; /* on a finish that was held */
    struct remora_outcome outcome;
    struct remora_buf out;
    struct remora_arena arena;
    struct remora_answer answer;
};

static void talk_init(struct talk *t, enum remora_surface surface)
{
    *t = (struct talk){.encoder = {.skin = &remora_skin_chat_completions,
                                   .surface = surface,
                                   .wants_usage_chunk = surface == REMORA_SURFACE_OPENROUTER,
                                   .created_unix_s = 1800000000}};
    snprintf(t->encoder.id, sizeof t->encoder.id, "gen-1800000000-abcdefghijklmnopqrst");
    t->bare = t->encoder;
    t->encoder.own = calloc(1, remora_skin_chat_completions.state_bytes);
    assert_non_null(t->encoder.own);
    remora_buf_init(&t->out, 1 << 20);
    remora_buf_init(&t->bare_out, 1 << 20);
    remora_arena_init(&t->arena, 4096, 1 << 20);
    remora_answer_init(&t->answer, &t->arena);
    struct remora_outcome *o = &t->outcome;
    memcpy(o->generation_id, t->encoder.id, sizeof o->generation_id);
    snprintf(o->requested_model, sizeof o->requested_model, "acme/echo-1");
    o->identity.service = REMORA_SLICE("checkout");
    o->policy_revision = REMORA_SLICE("0123456789ab");
    o->served = &endpoint;
    o->fail = (struct remora_fail)REMORA_FAIL_INIT;
    o->attempt_count = 1;
    o->attempts[0] = (struct remora_attempt){.provider = endpoint.facts.provider,
                                             .endpoint_tag = endpoint.facts.tag,
                                             .model = model.facts.id,
                                             .upstream_model = endpoint.facts.upstream_model,
                                             .http_status = 200,
                                             .elapsed_ns = 34120000,
                                             .retry_after_ms = -1};
    remora_usage_init(&o->usage);
    o->usage.certainty = REMORA_CERTAINTY_ACTUAL;
    o->usage.tokens[REMORA_USAGE_INPUT] = 10;
    o->usage.tokens[REMORA_USAGE_CACHE_READ] = 4;
    o->usage.tokens[REMORA_USAGE_OUTPUT] = 6;
    o->usage.tokens[REMORA_USAGE_REASONING] = 3;
    remora_cost_init(&o->cost);
    o->cost.total_pico_usd = 12500000;
    o->cost.input_pico_usd = 5000000;
    o->cost.cache_read_pico_usd = 500000;
    o->cost.output_pico_usd = 4000000;
    o->cost.reasoning_pico_usd = 3000000;
    o->first_content_ns = 21000000;
    o->total_ns = 98765000;
}

static void talk_fini(struct talk *t)
{
    free(t->encoder.own);
    remora_buf_fini(&t->out);
    remora_buf_fini(&t->bare_out);
    remora_arena_fini(&t->arena);
}

/* To the stream and to the collected answer alike. */
static void say(struct talk *t, const struct remora_event *event)
{
    remora_skin_chat_completions.stream_event(&t->encoder, event, &t->out);
    remora_skin_chat_completions.stream_event(&t->bare, event, &t->bare_out);
    assert_int_equal(remora_answer_add(&t->answer, event), REMORA_OK);
}

static void say_started(struct talk *t)
{
    say(t, &(struct remora_event){.kind = REMORA_EVENT_STARTED,
                                  .started = {.system_fingerprint = REMORA_SLICE("fp_1"),
                                              .service_tier = REMORA_SLICE("default"),
                                              .served = &endpoint}});
}

static void say_text(struct talk *t, int32_t choice, const char *text)
{
    say(t, &(struct remora_event){.kind = REMORA_EVENT_TEXT,
                                  .choice_index = choice,
                                  .text = {.text = remora_slice_of(text)}});
}

static void say_call(struct talk *t, int32_t index, const char *id, const char *name,
                     const char *arguments)
{
    say(t, &(struct remora_event){.kind = REMORA_EVENT_TOOL_CALL,
                                  .tool_call = {.index = index,
                                                .id = remora_slice_of(id),
                                                .name = remora_slice_of(name),
                                                .arguments = remora_slice_of(arguments)}});
}

static void say_finish(struct talk *t, int32_t choice, enum remora_finish reason,
                       const char *native)
{
    say(t,
        &(struct remora_event){.kind = REMORA_EVENT_CHOICE_FINISHED,
                               .choice_index = choice,
                               .finished = {.reason = reason, .native = remora_slice_of(native)}});
}

static void say_completed(struct talk *t)
{
    const struct remora_event event = {.kind = REMORA_EVENT_COMPLETED, .outcome = &t->outcome};
    remora_skin_chat_completions.stream_event(&t->encoder, &event, &t->out);
    remora_skin_chat_completions.stream_event(&t->bare, &event, &t->bare_out);
}

static void say_comment(struct talk *t)
{
    remora_skin_chat_completions.stream_comment(&t->encoder, &t->out);
    remora_skin_chat_completions.stream_comment(&t->bare, &t->bare_out);
}

static void say_failed(struct talk *t)
{
    remora_skin_chat_completions.stream_failed(&t->encoder, &t->outcome, &t->out);
    remora_skin_chat_completions.stream_failed(&t->bare, &t->outcome, &t->bare_out);
}

/* ---- golden files ---- */

static void assert_golden(struct remora_slice is, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/golden/%s/%s", REMORA_TESTS_DIR, folder, name);
    const char *mode = getenv("REMORA_GOLDEN");
    if (mode != NULL && strcmp(mode, "write") == 0) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(is.data, 1, is.length, file), is.length);
        fclose(file);
    }
    struct remora_slice expected = test_read_file(path);
    if (!remora_slice_equal(is, expected)) {
        print_error("%s\nis\n%.*s\nexpected\n%.*s\n", path, REMORA_SLICE_ARG(is),
                    REMORA_SLICE_ARG(expected));
    }
    assert_true(remora_slice_equal(is, expected));
    free((void *)expected.data);
}

/* Every data line but [DONE] is one JSON text. */
static void assert_is_json(struct remora_slice stream)
{
    static const struct remora_json_limits limits = {64, 10000};
    size_t at = 0;
    while (at < stream.length) {
        size_t end = remora_slice_find(stream, '\n', at);
        struct remora_slice line = remora_slice(stream.data + at, end - at);
        at = end + 1;
        if (!remora_slice_starts_with(line, REMORA_SLICE("data: {"))) {
            continue;
        }
        struct remora_arena arena;
        struct remora_json_doc doc;
        struct remora_json_error error;
        remora_arena_init(&arena, 4096, 1 << 20);
        assert_int_equal(remora_json_parse(remora_slice(line.data + 6, line.length - 6), &arena,
                                           &limits, &doc, &error),
                         REMORA_OK);
        remora_arena_fini(&arena);
    }
}

static void assert_stream(struct talk *t, const char *name)
{
    assert_int_equal(remora_buf_code(&t->out), REMORA_OK);
    assert_is_json(remora_buf_slice(&t->out));
    if (!t->has_note) { /* which goes elsewhere where nothing can be held */
        assert_true(remora_slice_equal(remora_buf_slice(&t->bare_out), remora_buf_slice(&t->out)));
    }
    assert_golden(remora_buf_slice(&t->out), "chat_sse", name);
}

static void assert_answer(struct talk *t, const char *name)
{
    struct remora_buf out;
    remora_buf_init(&out, 1 << 20);
    remora_skin_chat_completions.answer(&t->encoder, &t->answer, &t->outcome, &out);
    remora_buf_append_byte(&out, '\n');
    assert_golden(remora_buf_slice(&out), "chat_json", name);
    remora_buf_fini(&out);
}

/* ---- cases ---- */

static void plain_text(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_text(&t, 0, "Hello ");
    say_text(&t, 0, "\"w\303\266rld\"\n");
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_completed(&t);
    assert_stream(&t, "plain.sse");
    assert_answer(&t, "plain.json");
    talk_fini(&t);
}

static void usage_when_asked_for(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENROUTER);
    say_started(&t);
    say_text(&t, 0, "Hi");
    say_finish(&t, 0, REMORA_FINISH_LENGTH, "max_tokens");
    say_completed(&t);
    assert_stream(&t, "length_with_usage.sse");
    talk_fini(&t);
}

static void predicted_output_is_counted(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENROUTER);
    t.outcome.usage.accepted_prediction_tokens = 4;
    t.outcome.usage.rejected_prediction_tokens = 0;
    say_started(&t);
    say_text(&t, 0, "Hi");
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_completed(&t);
    assert_stream(&t, "predicted_output.sse");
    talk_fini(&t);
}

static bool is_said(const struct talk *t, const char *text)
{
    return memmem(t->out.data, t->out.length, text, strlen(text)) != NULL;
}

static void a_guessed_cost_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct talk t;
        talk_init(&t, REMORA_SURFACE_OPENROUTER);
        t.outcome.cost.certainty = i == 0 ? REMORA_CERTAINTY_ACTUAL : REMORA_CERTAINTY_ESTIMATED;
        t.outcome.usage.certainty = i == 2 ? REMORA_CERTAINTY_ESTIMATED : REMORA_CERTAINTY_ACTUAL;
        say_started(&t);
        say_text(&t, 0, "Hi");
        say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
        say_completed(&t);
        assert_int_equal(is_said(&t, "\"cost_certainty\":\"CERTAINTY_ESTIMATED\""), i == 1);
        assert_int_equal(is_said(&t, "\"usage_certainty\":\"CERTAINTY_ESTIMATED\""), i == 2);
        talk_fini(&t);
    }
}

/* What the provider charged stands beside our own cost, in USD; who is told nothing else is not told that either. */
static void what_the_provider_charged_is_told(void **state)
{
    static const struct {
        enum remora_certainty cost;
        int64_t reported;
        const char *told;
    } cases[] = {
        {REMORA_CERTAINTY_ESTIMATED, INT64_C(5120000000), "\"provider_reported_cost\":0.00512,"},
        {REMORA_CERTAINTY_ESTIMATED, 0, "\"provider_reported_cost\":0,"},
        {REMORA_CERTAINTY_ESTIMATED, -1, NULL},
        {REMORA_CERTAINTY_ACTUAL, INT64_C(5120000000), NULL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct talk t;
        talk_init(&t, REMORA_SURFACE_OPENROUTER);
        t.outcome.cost.certainty = cases[i].cost;
        t.outcome.usage.reported_pico_usd = cases[i].reported;
        say_started(&t);
        say_text(&t, 0, "Hi");
        say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
        say_completed(&t);
        assert_int_equal(is_said(&t, "provider_reported_cost"), cases[i].told != NULL);
        assert_true(cases[i].told == NULL || is_said(&t, cases[i].told));
        talk_fini(&t);
    }
}

static void parallel_tool_calls(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_call(&t, 0, "call_1", "weather", "");
    say_call(&t, 0, "", "", "{\"city\":");
    say_call(&t, 1, "call_2", "time", "{}");
    say_call(&t, 0, "", "", "\"Bern\"}");
    say_finish(&t, 0, REMORA_FINISH_TOOL_CALLS, "tool_calls");
    say_completed(&t);
    assert_stream(&t, "parallel_tool_calls.sse");
    assert_answer(&t, "parallel_tool_calls.json");
    talk_fini(&t);
}

static void say_reasoning(struct talk *t)
{
    struct remora_event event = {.kind = REMORA_EVENT_REASONING,
                                 .reasoning = {.block_index = 0,
                                               .block = {.kind = REMORA_REASONING_TEXT,
                                                         .text = REMORA_SLICE("Let me see.")}}};
    say(t, &event);
    event.reasoning.block_index = 1;
    event.reasoning.block = (struct remora_reasoning_block){.kind = REMORA_REASONING_ENCRYPTED,
                                                            .text = REMORA_SLICE("AAEC"),
                                                            .format = REMORA_SLICE("f-v1"),
                                                            .id = REMORA_SLICE("rs_1")};
    say(t, &event);
    event.reasoning.block_index = 2; /* a line break in it would cut the stream's line */
    event.reasoning.block = (struct remora_reasoning_block){
        .kind = REMORA_REASONING_OTHER,
        .raw = REMORA_SLICE("{\"type\":\"reasoning.server_tool_call\",\n\"result\":{\"n\":1.0}}")};
    say(t, &event);
}

static void reasoning_before_text(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_reasoning(&t);
    say_text(&t, 0, "42");
    say_finish(&t, 0, REMORA_FINISH_STOP, "end_turn");
    say_completed(&t);
    assert_stream(&t, "reasoning.sse");
    assert_answer(&t, "reasoning.json");
    talk_fini(&t);
}

static void id_and_format_of_a_block_are_told_once(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    struct remora_event event = {.kind = REMORA_EVENT_REASONING,
                                 .reasoning = {.block = {.kind = REMORA_REASONING_TEXT,
                                                         .text = REMORA_SLICE("a"),
                                                         .format = REMORA_SLICE("f-v1")}}};
    say_started(&t);
    say(&t, &event);
    event.reasoning.had_format = true;
    event.reasoning.block.id = REMORA_SLICE("rs_1"); /* comes later, and is told all the same */
    say(&t, &event);
    event.reasoning.had_id = true;
    say(&t, &event);
    event.reasoning.had_format = event.reasoning.had_id = false;
    event.reasoning.block_index = 1; /* another block has its own, and its seat as index, */
    event.reasoning.block.index = (struct remora_opt_i64){0, true}; /* whatever the provider's */
    say(&t, &event);
    event.choice_index = 1;
    say(&t, &event);
    assert_stream(&t, "reasoning_fragments.sse");
    talk_fini(&t);
}

static void a_refusal(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say(&t, &(struct remora_event){.kind = REMORA_EVENT_REFUSAL,
                                   .text = {.text = REMORA_SLICE("I will not.")}});
    say_finish(&t, 0, REMORA_FINISH_CONTENT_FILTER, "refusal");
    say_completed(&t);
    assert_stream(&t, "refusal.sse");
    assert_answer(&t, "refusal.json");
    talk_fini(&t);
}

static void several_choices(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_text(&t, 0, "a");
    say_text(&t, 1, "b");
    say_finish(&t, 1, REMORA_FINISH_STOP, "stop");
    say_text(&t, 0, "c");
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_completed(&t);
    assert_stream(&t, "several_choices.sse");
    assert_answer(&t, "several_choices.json");
    talk_fini(&t);
}

static void log_probabilities(void **state)
{
    (void)state;
    struct talk t;
    const struct remora_logprob_alternative other = {.token = REMORA_SLICE("No"), .logprob = -2.5};
    const struct remora_logprob item = {.chosen = {.token = REMORA_SLICE("Ja"),
                                                   .logprob = -0.25,
                                                   .bytes = REMORA_SLICE("Ja"),
                                                   .has_bytes = true},
                                        .alternatives = &other,
                                        .alternative_count = 1};
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say(&t, &(struct remora_event){
                .kind = REMORA_EVENT_TEXT,
                .text = {.text = REMORA_SLICE("Ja"), .logprobs = &item, .logprob_count = 1}});
    say(&t, &(struct remora_event){
                .kind = REMORA_EVENT_REFUSAL,
                .choice_index = 1,
                .text = {.text = REMORA_SLICE("Ja"), .logprobs = &item, .logprob_count = 1}});
    say_finish(&t, 1, REMORA_FINISH_STOP, "");
    say_finish(&t, 0, REMORA_FINISH_STOP, "");
    say_completed(&t);
    assert_stream(&t, "logprobs.sse");
    assert_answer(&t, "logprobs.json");
    talk_fini(&t);
}

static void say_sound(struct talk *t, enum remora_media_source source, const char *value,
                      int64_t expires_at_unix_s)
{
    struct remora_event event = {.kind = REMORA_EVENT_MEDIA};
    event.media.media.source = source;
    event.media.media.value = remora_slice_of(value);
    event.media.media.mime_type = REMORA_SLICE("audio/*");
    event.media.expires_at_unix_s = expires_at_unix_s;
    say(t, &event);
}

static void say_transcript(struct talk *t, const char *text)
{
    struct remora_event event = {.kind = REMORA_EVENT_TEXT};
    event.text.text = remora_slice_of(text);
    event.text.is_transcript = true;
    say(t, &event);
}

/* In a stream each piece as it comes; in a whole answer one object, and no text. */
static void sound_with_its_transcript(void **state)
{
    struct talk t;
    (void)state;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_sound(&t, REMORA_MEDIA_FILE_ID, "audio_1", 0);
    say_transcript(&t, "Good ");
    say_transcript(&t, "day.");
    say_sound(&t, REMORA_MEDIA_BASE64, "AAEC", 0);
    say_sound(&t, REMORA_MEDIA_BASE64, "AwQF", 0);
    say_sound(&t, REMORA_MEDIA_FILE_ID, "", 1700003600);
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_completed(&t);
    assert_stream(&t, "sound");
    assert_answer(&t, "sound");
    talk_fini(&t);
}

static void fail_first_attempt(struct talk *t)
{
    t->outcome.attempts[1] = t->outcome.attempts[0];
    t->outcome.attempts[0].provider = REMORA_SLICE("flaky");
    t->outcome.attempts[0].endpoint_tag = REMORA_SLICE("flaky");
    t->outcome.attempts[0].http_status = 503;
    t->outcome.attempts[0].code = REMORA_UPSTREAM_OVERLOADED;
    t->outcome.attempts[0].retry_after_ms = 1500;
    snprintf(t->outcome.attempts[0].upstream_request_id, 64, "req_1");
    t->outcome.attempt_count = 2;
}

static void a_fallback_is_told_with_the_last_finish(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    t.has_note = true;
    fail_first_attempt(&t);
    t.outcome.dropped[0] = (struct remora_dropped){.parameter = REMORA_PARAMETER_TOP_K,
                                                   .why = "the endpoint does not take it"};
    t.outcome.dropped_count = 1;
    say_started(&t);
    say_comment(&t);
    say_text(&t, 0, "Hi");
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_completed(&t);
    assert_stream(&t, "fallback.sse");
    assert_answer(&t, "fallback.json");
    talk_fini(&t);
}

static bool has_said(const struct talk *t, size_t from, const char *words)
{
    return memmem(t->out.data + from, t->out.length - from, words, strlen(words)) != NULL;
}

/* Clients merge elements of a streamed list by `index`; one within an element, or as a text, is none of the element's. */
static void an_element_that_came_raw_has_an_index_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *sent;
    } rows[] = {
        {"{\"type\":\"file\",\"file\":{\"index\":3}}",
         "[{\"index\":0,\"type\":\"file\",\"file\":{\"index\":3}}]"},
        {"{\"a\":[{\"index\":3}],\"b\":\"index\"}",
         "[{\"index\":1,\"a\":[{\"index\":3}],\"b\":\"index\"}]"},
        {"{\"a\":\"\\\"index\\\":\",\"b\":1}", "[{\"index\":2,\"a\":\"\\\"index\\\":\",\"b\":1}]"},
        {"{\"a\":{},\"index\" : 7}", "[{\"a\":{},\"index\" : 3}]"}, /* what others have, too */
        {"{}", "[{\"index\":4}]"},
        {"{ \n}", "[{\"index\":5  }]"},
        {"{\"index\":{\"a\":[1,2],\"b\":\"},\"},\"c\":1}", "[{\"index\":6,\"c\":1}]"},
        {"{\"index\" :\t9\n,\"index2\":8}", "[{\"index\" :\t7,\"index2\":8}]"},
        {"{\"a\":\"}\",\"index\":0}", "[{\"a\":\"}\",\"index\":8}]"},
    };
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        size_t before = t.out.length;
        say(&t, &(struct remora_event){.kind = REMORA_EVENT_ANNOTATION,
                                       .annotation = {.type = REMORA_SLICE("file"),
                                                      .raw = remora_slice_of(rows[i].raw)}});
        print_message("%.*s\n", (int)(t.out.length - before), t.out.data + before);
        assert_true(has_said(&t, before, rows[i].sent));
        before = t.out.length;
        say(&t,
            &(struct remora_event){.kind = REMORA_EVENT_RAW, .raw = remora_slice_of(rows[i].raw)});
        assert_true(has_said(&t, before, "\"raw\":["));
        assert_true(has_said(&t, before, rows[i].sent));
    }
    talk_fini(&t);
}

static void only_the_last_finish_waits_and_not_beyond_a_comment(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_text(&t, 0, "a");
    say_text(&t, 1, "b");
    size_t before = t.out.length;
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    assert_int_equal(t.out.length, before);
    say_text(&t, 1, "c");
    assert_true(has_said(&t, before, "\"finish_reason\":\"stop\""));
    before = t.out.length;
    say_finish(&t, 1, REMORA_FINISH_LENGTH, "length");
    assert_int_equal(t.out.length, before);
    say_comment(&t);
    assert_true(has_said(&t, before, "\"finish_reason\":\"length\""));
    before = t.out.length;
    say_completed(&t);
    assert_slice_equal(remora_slice(t.out.data + before, t.out.length - before),
                       "data: [DONE]\n\n");
    talk_fini(&t);
}

static void a_fallback_with_usage_is_one_chunk(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENROUTER);
    fail_first_attempt(&t);
    t.outcome.usage.certainty = REMORA_CERTAINTY_ESTIMATED;
    t.outcome.cost.total_pico_usd = -1;
    say_started(&t);
    say_text(&t, 0, "Hi");
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_completed(&t);
    assert_stream(&t, "fallback_with_usage.sse");
    talk_fini(&t);
}

static void unknown_usage_is_null(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENROUTER);
    remora_usage_init(&t.outcome.usage);
    say_started(&t);
    say_text(&t, 0, "Hi");
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_completed(&t);
    assert_stream(&t, "usage_unknown.sse");
    talk_fini(&t);
}

static void an_error_after_content_ends_the_stream_without_done(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_text(&t, 0, "Hi");
    t.outcome.has_begun = true;
    remora_fail_set(&t.outcome.fail, REMORA_STREAM_BROKEN, NULL, "The provider's stream broke.");
    say_failed(&t);
    assert_stream(&t, "error_in_band.sse");
    talk_fini(&t);
}

/* As a caller gets them: one finish reason for each choice. */
static void an_error_takes_no_finish_reason_back(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    t.encoder.state = t.bare.state = 4; /* asked for: the last of them never began */
    say_started(&t);
    for (int32_t i = 0; i < 3; i++) {
        say_text(&t, i, "Hi");
    }
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    say_finish(&t, 2, REMORA_FINISH_LENGTH, "max_tokens");
    t.outcome.has_begun = true;
    remora_fail_set(&t.outcome.fail, REMORA_STREAM_BROKEN, NULL, "The provider's stream broke.");
    say_failed(&t);
    assert_stream(&t, "error_beside_finished.sse");
    talk_fini(&t);
}

static void an_error_after_every_finish_reason_stands_alone(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_started(&t);
    say_text(&t, 0, "Hi");
    say_finish(&t, 0, REMORA_FINISH_STOP, "stop");
    t.outcome.has_begun = true;
    remora_fail_set(&t.outcome.fail, REMORA_STREAM_BROKEN, NULL, "The provider's stream broke.");
    say_failed(&t);
    assert_stream(&t, "error_after_finish.sse");
    talk_fini(&t);
}

static void an_error_after_a_comment_keeps_its_own_code(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say_comment(&t);
    fail_first_attempt(&t);
    t.outcome.served = NULL;
    t.outcome.attempt_count = 1;
    remora_fail_set(&t.outcome.fail, REMORA_UPSTREAM_OVERLOADED, NULL, "Every provider is busy.");
    t.outcome.fail.retry_after_ms = 1500;
    say_failed(&t);
    assert_stream(&t, "error_after_comment.sse");
    talk_fini(&t);
}

static void a_chunk_too_long_to_be_kept_is_written_all_the_same(void **state)
{
    (void)state;
    struct talk t;
    char name[600];
    memset(name, 'n', sizeof name);
    const struct remora_provider wordy = {.facts = {.name = {name, sizeof name}}};
    const struct remora_endpoint served = {.provider = &wordy, .model = &model};
    talk_init(&t, REMORA_SURFACE_OPENAI);
    say(&t, &(struct remora_event){.kind = REMORA_EVENT_STARTED, .started = {.served = &served}});
    say_text(&t, 0, "Hello ");
    say_text(&t, 0, "world");
    assert_int_equal(remora_buf_code(&t.out), REMORA_OK);
    assert_is_json(remora_buf_slice(&t.out));
    assert_true(remora_slice_equal(remora_buf_slice(&t.bare_out), remora_buf_slice(&t.out)));
    talk_fini(&t);
}

/* ---- error envelopes ---- */

static void assert_error(const struct remora_fail *fail, const struct remora_outcome *outcome,
                         const char *name)
{
    struct remora_buf out;
    remora_buf_init(&out, 1 << 16);
    remora_error_body(fail, outcome, &out);
    remora_buf_append_byte(&out, '\n');
    assert_golden(remora_buf_slice(&out), "chat_json", name);
    remora_buf_fini(&out);
}

static void an_error_names_its_field(void **state)
{
    (void)state;
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_INVALID_REQUEST, "messages[0].role", "It must be a role.");
    assert_error(&fail, NULL, "error_param.json");
}

static void an_internal_error_is_masked(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    fail_first_attempt(&t);
    remora_fail_set(&t.outcome.fail, REMORA_INTERNAL, NULL, "secret internals");
    assert_error(&t.outcome.fail, &t.outcome, "error_internal.json");
    talk_fini(&t);
}

static void filters_that_left_nothing_are_listed(void **state)
{
    (void)state;
    struct talk t;
    struct remora_endpoint priced = endpoint;
    static const int64_t prices[REMORA_PRICE_COUNT] = {
        [REMORA_PRICE_PROMPT] = 2500000, [REMORA_PRICE_COMPLETION] = -1};
    priced.facts.prices.pico_usd = prices;
    struct remora_plan_model models[] = {
        {.asked = REMORA_SLICE("echo"), .resolved = REMORA_SLICE("acme/echo-1"), .count = 3}};
    struct remora_candidate candidates[] = {
        {.endpoint = &priced, .exclusion = {REMORA_RULE_MAX_PRICE, REMORA_LAYER_MESH, "prompt"}},
        {.endpoint = &endpoint,
         .exclusion = {REMORA_RULE_IGNORED_PROVIDER, REMORA_LAYER_REQUEST, NULL}},
        {.endpoint = &endpoint,
         .exclusion = {REMORA_RULE_MAX_PRICE, REMORA_LAYER_SERVICE, "prompt"}},
    };
    const struct remora_plan plan = {
        .models = models, .model_count = 1, .candidates = candidates, .candidate_count = 3};
    talk_init(&t, REMORA_SURFACE_OPENAI);
    t.outcome.attempt_count = 0;
    t.outcome.served = NULL;
    t.outcome.plan = &plan;
    remora_fail_set(&t.outcome.fail, REMORA_CONSTRAINT_FILTERED, NULL, "No endpoint is left.");
    assert_error(&t.outcome.fail, &t.outcome, "error_filtered.json");
    talk_fini(&t);
}

static void all_providers_limited_says_when_to_come_back(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t, REMORA_SURFACE_OPENAI);
    fail_first_attempt(&t);
    t.outcome.attempts[0].code = REMORA_CAPACITY_EXHAUSTED;
    t.outcome.attempts[0].http_status = 429;
    t.outcome.attempt_count = 1;
    remora_fail_set(&t.outcome.fail, REMORA_CAPACITY_EXHAUSTED, NULL, "Every provider is limited.");
    t.outcome.fail.retry_after_ms = 6001;
    assert_error(&t.outcome.fail, &t.outcome, "error_limited.json");
    talk_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text),
        cmocka_unit_test(usage_when_asked_for),
        cmocka_unit_test(predicted_output_is_counted),
        cmocka_unit_test(a_guessed_cost_is_told),
        cmocka_unit_test(what_the_provider_charged_is_told),
        cmocka_unit_test(parallel_tool_calls),
        cmocka_unit_test(reasoning_before_text),
        cmocka_unit_test(id_and_format_of_a_block_are_told_once),
        cmocka_unit_test(a_refusal),
        cmocka_unit_test(several_choices),
        cmocka_unit_test(log_probabilities),
        cmocka_unit_test(sound_with_its_transcript),
        cmocka_unit_test(a_fallback_is_told_with_the_last_finish),
        cmocka_unit_test(an_element_that_came_raw_has_an_index_of_its_own),
        cmocka_unit_test(only_the_last_finish_waits_and_not_beyond_a_comment),
        cmocka_unit_test(a_fallback_with_usage_is_one_chunk),
        cmocka_unit_test(unknown_usage_is_null),
        cmocka_unit_test(an_error_after_content_ends_the_stream_without_done),
        cmocka_unit_test(an_error_takes_no_finish_reason_back),
        cmocka_unit_test(an_error_after_every_finish_reason_stands_alone),
        cmocka_unit_test(an_error_after_a_comment_keeps_its_own_code),
        cmocka_unit_test(a_chunk_too_long_to_be_kept_is_written_all_the_same),
        cmocka_unit_test(an_error_names_its_field),
        cmocka_unit_test(an_internal_error_is_masked),
        cmocka_unit_test(filters_that_left_nothing_are_listed),
        cmocka_unit_test(all_providers_limited_says_when_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
