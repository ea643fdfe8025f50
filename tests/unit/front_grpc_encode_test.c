/* Events, answers and outcomes -> messages, read back by protoc from the public files. */
#include <stdio.h>
#include <stdlib.h>

#include "../../src/front/grpc/encode.h"
#include "../../src/front/grpc/status.h"
#include "protoc.h"
#include "remora/clock.h"
#include "remora/limits.h"
#include "remora/route.h"

static struct remora_slice view(const grpc_slice *packed)
{
    return remora_slice((const char *)GRPC_SLICE_START_PTR(*packed), GRPC_SLICE_LENGTH(*packed));
}

/* Compared without regard to white space: protoc's layout is its own. */
static void assert_text(struct remora_slice text, const char *expected)
{
    const char *a = text.data;
    const char *b = expected;
    while (*a != '\0' || *b != '\0') {
        bool a_blank = *a == ' ' || *a == '\n';
        bool b_blank = *b == ' ' || *b == '\n';
        if (a_blank || b_blank) {
            a += a_blank ? 1 : 0;
            b += b_blank ? 1 : 0;
        } else if (*a++ != *b++) {
            fail_msg("is\n%s\nexpected\n%s", text.data, expected);
        }
    }
}

static void assert_decodes(const char *type, grpc_slice packed, const char *expected)
{
    struct remora_slice text = test_proto_decode(type, view(&packed));
    assert_text(text, expected);
    free((void *)text.data);
    grpc_slice_unref(packed);
}

static void assert_event(const struct remora_event *event, const char *expected)
{
    struct remora_arena scratch;
    grpc_slice packed;
    remora_arena_init(&scratch, 4096, 1 << 20);
    assert_true(remora_grpc_event_is_sent(event));
    assert_true(remora_grpc_encode_event(event, "gen-1", &scratch, &packed));
    assert_decodes("remora.v1.StreamChatResponse", packed, expected);
    remora_arena_fini(&scratch);
}

/* ---- a served endpoint and an outcome ---- */

static struct remora_model test_model = {.facts = {.id = REMORA_SLICE_INIT("acme/echo-1")}};
static const int64_t no_price[REMORA_PRICE_COUNT]; /* nothing costs anything */
static struct remora_endpoint test_endpoint = {
    .facts = {.provider = REMORA_SLICE_INIT("acme"),
              .tag = REMORA_SLICE_INIT("acme/eu"),
              .upstream_model = REMORA_SLICE_INIT("echo-1"),
              .prices = {.pico_usd = no_price}},
    .model = &test_model,
};

static void fill_attempt(struct remora_attempt *attempt, enum remora_code code, int http_status)
{
    attempt->provider = REMORA_SLICE("acme");
    attempt->code = code;
    attempt->http_status = http_status;
    attempt->elapsed_ns = 1500000000;
    remora_usage_init(&attempt->usage);
    remora_cost_init(&attempt->cost);
}

static struct remora_outcome *new_outcome(void)
{
    struct remora_outcome *outcome = calloc(1, sizeof *outcome);
    assert_non_null(outcome);
    strcpy(outcome->generation_id, "gen-1");
    outcome->identity.service = REMORA_SLICE("checkout");
    outcome->fail = (struct remora_fail)REMORA_FAIL_INIT;
    outcome->data_collection = REMORA_DATA_DENY;
    remora_usage_init(&outcome->usage);
    remora_cost_init(&outcome->cost);
    return outcome;
}

/* ---- events ---- */

static void a_text_delta_packed_by_hand_is_the_generated_one(void **state)
{
    static const int32_t indexes[] = {0, 1, 127, 128, 2147483647};
    (void)state;
    assert_decodes("remora.v1.StreamChatResponse", remora_grpc_pack_text(0, 0, REMORA_SLICE("hi")),
                   "text { text: \"hi\" }");
    assert_decodes("remora.v1.StreamChatResponse", remora_grpc_pack_text(0, 0, REMORA_SLICE("")),
                   "text { }");
    char *long_text = malloc(20000);
    assert_non_null(long_text);
    memset(long_text, 'x', 20000);
    for (size_t i = 0; i < REMORA_COUNT_OF(indexes); i++) {
        const struct remora_slice texts[] = {REMORA_SLICE("a\0b"), remora_slice(long_text, 126),
                                             remora_slice(long_text, 20000)};
        for (size_t t = 0; t < REMORA_COUNT_OF(texts); t++) {
            struct remora_event event = {.kind = REMORA_EVENT_TEXT, .choice_index = indexes[i]};
            struct remora_arena scratch;
            grpc_slice generated;
            event.text.text = texts[t];
            event.text.block_index = indexes[(i + t) % REMORA_COUNT_OF(indexes)];
            remora_arena_init(&scratch, 4096, 1 << 20);
            assert_true(remora_grpc_encode_event(&event, "", &scratch, &generated));
            grpc_slice by_hand =
                remora_grpc_pack_text(indexes[i], event.text.block_index, texts[t]);
            assert_true(grpc_slice_eq(generated, by_hand));
            grpc_slice_unref(generated);
            grpc_slice_unref(by_hand);
            remora_arena_fini(&scratch);
        }
    }
    free(long_text);
}

static void text_with_a_nul_is_not_cut(void **state)
{
    struct remora_event event = {.kind = REMORA_EVENT_TOOL_CALL};
    (void)state;
    event.tool_call.arguments = REMORA_SLICE("a\0b");
    assert_event(&event, "tool_call { arguments_json_fragment: \"a\\000b\" }");
}

static void started_names_who_serves(void **state)
{
    struct remora_event event = {.kind = REMORA_EVENT_STARTED};
    (void)state;
    event.started.served = &test_endpoint;
    event.started.created_unix_s = 7;
    assert_event(&event,
                 "started { id: \"gen-1\" model: \"acme/echo-1\" create_time { seconds: 7 } "
                 "provider: \"acme\" endpoint_tag: \"acme/eu\" }");
}

static void every_kind_of_content_has_its_message(void **state)
{
    struct remora_event event = {.kind = REMORA_EVENT_REFUSAL, .choice_index = 1};
    (void)state;
    event.text.text = REMORA_SLICE("no");
    assert_event(&event, "refusal { choice_index: 1 text: \"no\" }");

    event = (struct remora_event){.kind = REMORA_EVENT_REASONING};
    event.reasoning.block_index = 2;
    event.reasoning.block.kind = REMORA_REASONING_SUMMARY;
    event.reasoning.block.text = REMORA_SLICE("s");
    event.reasoning.block.signature = REMORA_SLICE("sig");
    event.reasoning.block.index = (struct remora_opt_i64){0, true};
    assert_event(
        &event,
        "reasoning { block_index: 2 block { summary: \"s\" signature: \"sig\" index: 0 } }");

    event = (struct remora_event){.kind = REMORA_EVENT_MEDIA};
    event.media.media.source = REMORA_MEDIA_BASE64;
    event.media.media.value = REMORA_SLICE("aGk=");
    event.media.media.mime_type = REMORA_SLICE("image/png");
    assert_event(&event, "media { media { data: \"hi\" mime_type: \"image/png\" } }");

    event.media.media.source = REMORA_MEDIA_FILE_ID;
    event.media.media.value = REMORA_SLICE("audio_1");
    event.media.media.mime_type = REMORA_SLICE("audio/*");
    event.media.expires_at_unix_s = 1700003600;
    assert_event(&event,
                 "media { media { file_id: \"audio_1\" mime_type: \"audio/*\" expire_time { "
                 "seconds: 1700003600 } } }");
    event.media.media.value = REMORA_SLICE("");
    assert_true(remora_grpc_event_is_sent(&event));
    assert_event(&event, "media { media { mime_type: \"audio/*\" expire_time { seconds: "
                         "1700003600 } } }");

    event = (struct remora_event){.kind = REMORA_EVENT_ANNOTATION};
    event.annotation.type = REMORA_SLICE("url_citation");
    event.annotation.start_index = (struct remora_opt_i64){0, true};
    assert_event(&event, "annotation { annotation { type: \"url_citation\" start_index: 0 } }");
    event.annotation.text_index = 3;
    assert_event(&event, "annotation { annotation { type: \"url_citation\" start_index: 0 } "
                         "text_block_index: 3 }");

    event = (struct remora_event){.kind = REMORA_EVENT_RAW};
    event.raw = REMORA_SLICE("{\"a\":[1,{\"b\":null},true,\"x\"]}");
    assert_event(
        &event,
        "raw { fields { key: \"a\" value { list_value { values { number_value: 1 } values { "
        "struct_value { fields { key: \"b\" value { null_value: NULL_VALUE } } } } values { "
        "bool_value: true } values { string_value: \"x\" } } } } }");

    event = (struct remora_event){.kind = REMORA_EVENT_CHOICE_FINISHED};
    event.finished.reason = REMORA_FINISH_TOOL_CALLS;
    event.finished.native = REMORA_SLICE("tool_use");
    assert_event(&event, "choice_finished { finish_reason: FINISH_REASON_TOOL_CALLS "
                         "native_finish_reason: \"tool_use\" }");
}

static void logprobs_travel_with_their_text(void **state)
{
    const struct remora_logprob_alternative other = {.token = REMORA_SLICE("b"), .logprob = -2};
    const struct remora_logprob logprob = {
        .chosen = {.token = REMORA_SLICE("a"), .logprob = -0.5, .bytes = REMORA_SLICE("a")},
        .alternatives = &other,
        .alternative_count = 1};
    struct remora_event event = {.kind = REMORA_EVENT_TEXT};
    (void)state;
    event.text.text = REMORA_SLICE("a");
    event.text.logprobs = &logprob;
    event.text.logprob_count = 1;
    assert_event(&event,
                 "text { text: \"a\" logprobs { token: \"a\" logprob: -0.5 token_bytes: \"a\" "
                 "alternatives { token: \"b\" logprob: -2 } } }");
}

static void signs_of_life_and_usage_have_no_message(void **state)
{
    (void)state;
    assert_false(remora_grpc_event_is_sent(&(struct remora_event){.kind = REMORA_EVENT_ALIVE}));
    assert_false(remora_grpc_event_is_sent(&(struct remora_event){.kind = REMORA_EVENT_USAGE}));
}

static void a_failed_attempt_tells_its_reason(void **state)
{
    struct remora_attempt attempt = {0};
    struct remora_event event = {.kind = REMORA_EVENT_ATTEMPT_FAILED, .attempt = &attempt};
    (void)state;
    fill_attempt(&attempt, REMORA_UPSTREAM_OVERLOADED, 503);
    assert_event(&event, "attempt_failed { attempt { provider: \"acme\" http_status: 503 reason: "
                         "\"UPSTREAM_OVERLOADED\" elapsed { seconds: 1 nanos: 500000000 } } }");
}

static void completed_tells_usage_inclusive_and_the_route(void **state)
{
    struct remora_outcome *outcome = new_outcome();
    struct remora_event event = {.kind = REMORA_EVENT_COMPLETED, .outcome = outcome};
    (void)state;
    outcome->served = &test_endpoint;
    outcome->usage.tokens[REMORA_USAGE_INPUT] = 10;
    outcome->usage.tokens[REMORA_USAGE_CACHE_READ] = 5;
    outcome->usage.tokens[REMORA_USAGE_OUTPUT] = 3;
    outcome->usage.tokens[REMORA_USAGE_REASONING] = 0;
    outcome->usage.accepted_prediction_tokens = 2;
    outcome->usage.rejected_prediction_tokens = 0;
    outcome->native_usage = REMORA_SLICE("{\"prompt_tokens\":15}");
    outcome->further = REMORA_SLICE("{\"x\":\"y\"}");
    outcome->usage.certainty = REMORA_CERTAINTY_ACTUAL;
    outcome->cost.total_pico_usd = 1500;
    outcome->cost.certainty = REMORA_CERTAINTY_ACTUAL;
    outcome->dropped[0] =
        (struct remora_dropped){.parameter = REMORA_PARAMETER_SEED, .why = "not supported"};
    outcome->dropped_count = 1;
    outcome->skipped[0] = (struct remora_skipped){
        .model = REMORA_SLICE("t/first"), .is_asked = true, .code = REMORA_MODEL_NOT_FOUND};
    outcome->skipped[1] = (struct remora_skipped){
        .model = REMORA_SLICE("acme/echo"),
        .endpoint = &test_endpoint,
        .code = REMORA_CAPACITY_EXHAUSTED,
        .exclusion = {.rule = REMORA_RULE_COOLING, .layer = REMORA_LAYER_HEALTH}};
    outcome->skipped_count = 2;
    fill_attempt(&outcome->attempts[0], REMORA_OK, 200);
    outcome->attempts[0].lacks_finish = true;
    outcome->attempts[0].unknown_finish = true;
    outcome->attempts[0].broken_arguments = true;
    outcome->attempts[0].missing_choices = 2;
    outcome->attempt_count = 1;
    outcome->total_ns = 2 * REMORA_NS_PER_S;
    assert_event(
        &event,
        "completed { usage { input_tokens: 15 output_tokens: 3 cache_read_input_tokens: 5 "
        "reasoning_output_tokens: 0 certainty: CERTAINTY_ACTUAL cost { total_nano_usd: 2 "
        "certainty: CERTAINTY_ACTUAL } accepted_prediction_output_tokens: 2 "
        "rejected_prediction_output_tokens: 0 native_usage { fields { key: \"prompt_tokens\" value "
        "{ "
        "number_value: 15 } } } } route { provider: \"acme\" endpoint_tag: \"acme/eu\" "
        "upstream_model: \"echo-1\" attempts { provider: \"acme\" http_status: 200 elapsed { "
        "seconds: 1 nanos: 500000000 } } dropped { field: \"seed\" why: \"not supported\" } "
        "effective_data_collection: DATA_COLLECTION_DENY total_time { seconds: 2 } service: "
        "\"checkout\" skipped { model: \"t/first\" reason: \"MODEL_NOT_FOUND\" } skipped { model: "
        "\"acme/echo\" provider: \"acme\" endpoint_tag: \"acme/eu\" reason: "
        "\"CAPACITY_EXHAUSTED\" excluded_by: \"cooling\" layer: POLICY_LAYER_HEALTH } "
        "skipped_total: 2 finish_reason_missing: true choices_missing: 2 finish_reason_unknown: "
        "true tool_arguments_invalid: true } extra { fields { "
        "key: "
        "\"x\" value { "
        "string_value: \"y\" } } } }");
    free(outcome);
}

static void no_room_makes_no_message(void **state)
{
    struct remora_event event = {.kind = REMORA_EVENT_CHOICE_FINISHED};
    struct remora_arena scratch;
    grpc_slice packed;
    (void)state;
    remora_arena_init(&scratch, 64, 64);
    assert_false(remora_grpc_encode_event(&event, "", &scratch, &packed));
    remora_arena_fini(&scratch);
}

/* ---- answers ---- */

static void put(struct remora_answer *answer, struct remora_event event)
{
    assert_int_equal(remora_answer_add(answer, &event), REMORA_OK);
}

static void a_collected_answer_becomes_one_response(void **state)
{
    struct remora_arena arena;
    struct remora_arena scratch;
    struct remora_answer answer;
    struct remora_outcome *outcome = new_outcome();
    grpc_slice packed;
    (void)state;
    outcome->served = &test_endpoint;
    outcome->created_unix_s = 9;
    remora_arena_init(&arena, 4096, 1 << 20);
    remora_arena_init(&scratch, 4096, 1 << 20);
    remora_answer_init(&answer, &arena);
    put(&answer, (struct remora_event){.kind = REMORA_EVENT_STARTED});
    put(&answer, (struct remora_event){.kind = REMORA_EVENT_TEXT, .text.text = REMORA_SLICE("he")});
    put(&answer,
        (struct remora_event){.kind = REMORA_EVENT_TEXT, .text.text = REMORA_SLICE("llo")});
    put(&answer, (struct remora_event){.kind = REMORA_EVENT_TOOL_CALL,
                                       .tool_call = {.id = REMORA_SLICE("c"),
                                                     .name = REMORA_SLICE("f"),
                                                     .arguments = REMORA_SLICE("{}")}});
    put(&answer, (struct remora_event){.kind = REMORA_EVENT_ANNOTATION,
                                       .annotation = {.type = REMORA_SLICE("file")}});
    put(&answer, (struct remora_event){.kind = REMORA_EVENT_CHOICE_FINISHED,
                                       .finished = {.reason = REMORA_FINISH_STOP}});
    assert_true(remora_grpc_encode_answer(&answer, outcome, &scratch, &packed));
    assert_decodes(
        "remora.v1.ChatResponse", packed,
        "id: \"gen-1\" create_time { seconds: 9 } model: \"acme/echo-1\" choices { message { "
        "role: ROLE_ASSISTANT parts { text: \"hello\" annotations { type: \"file\" } } "
        "tool_calls { id: \"c\" name: \"f\" arguments_json: \"{}\" } } finish_reason: "
        "FINISH_REASON_STOP } usage { certainty: CERTAINTY_UNKNOWN cost { certainty: "
        "CERTAINTY_UNKNOWN } } route { provider: \"acme\" endpoint_tag: \"acme/eu\" "
        "upstream_model: \"echo-1\" effective_data_collection: DATA_COLLECTION_DENY total_time "
        "{ } service: \"checkout\" }");
    remora_arena_fini(&arena);
    remora_arena_fini(&scratch);
    free(outcome);
}

static void assert_message(const struct remora_answer *answer, const char *expected)
{
    struct remora_arena scratch;
    struct remora_outcome *outcome = new_outcome();
    char text[1024];
    grpc_slice packed;
    remora_arena_init(&scratch, 4096, 1 << 20);
    assert_true(remora_grpc_encode_answer(answer, outcome, &scratch, &packed));
    snprintf(
        text, sizeof text,
        "id: \"gen-1\" create_time { } choices { message { role: ROLE_ASSISTANT %s } } usage { "
        "certainty: CERTAINTY_UNKNOWN cost { certainty: CERTAINTY_UNKNOWN } } route { "
        "effective_data_collection: DATA_COLLECTION_DENY total_time { } service: \"checkout\" }",
        expected);
    assert_decodes("remora.v1.ChatResponse", packed, text);
    remora_arena_fini(&scratch);
    free(outcome);
}

static void put_text(struct remora_answer *answer, int32_t block, const char *text)
{
    put(answer,
        (struct remora_event){.kind = REMORA_EVENT_TEXT,
                              .text = {.text = remora_slice_of(text), .block_index = block}});
}

static void put_citation(struct remora_answer *answer, int32_t text, const char *url)
{
    put(answer,
        (struct remora_event){.kind = REMORA_EVENT_ANNOTATION,
                              .annotation = {.url = remora_slice_of(url), .text_index = text}});
}

static void each_text_is_a_part_with_its_own_citations(void **state)
{
    struct remora_arena arena;
    struct remora_answer answer;
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    remora_answer_init(&answer, &arena);
    put_text(&answer, 0, "a");
    put_text(&answer, 0, "b");
    put_citation(&answer, 0, "u1");
    put_text(&answer, 1, "c");
    put_text(&answer, 2, "d");
    put_citation(&answer, 2, "u2");
    put_citation(&answer, 2, "u3");
    assert_message(&answer,
                   "parts { text: \"ab\" annotations { url: \"u1\" } } parts { text: \"c\" } "
                   "parts { text: \"d\" annotations { url: \"u2\" } annotations { url: "
                   "\"u3\" } }");
    remora_arena_fini(&arena);
}

static void citations_without_a_text_have_an_empty_part(void **state)
{
    struct remora_arena arena;
    struct remora_answer answer;
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    remora_answer_init(&answer, &arena);
    put_citation(&answer, 0, "u1");
    assert_message(&answer, "parts { text: \"\" annotations { url: \"u1\" } }");
    remora_answer_init(&answer, &arena);
    put_text(&answer, 0, "a");
    put_citation(&answer, 1, "u2"); /* of a text that would have come next */
    assert_message(&answer,
                   "parts { text: \"a\" } parts { text: \"\" annotations { url: \"u2\" } }");
    remora_answer_init(&answer, &arena);
    put_text(&answer, 0, ""); /* said nothing, as chunks with probabilities alone do */
    assert_message(&answer, "");
    remora_arena_fini(&arena);
}

static void put_sound(struct remora_answer *answer, enum remora_media_source source,
                      const char *value, int64_t expires_at_unix_s)
{
    struct remora_event event = {.kind = REMORA_EVENT_MEDIA};
    event.media.media = (struct remora_media){
        .source = source, .value = remora_slice_of(value), .mime_type = REMORA_SLICE("audio/*")};
    event.media.expires_at_unix_s = expires_at_unix_s;
    put(answer, event);
}

/* "aGVsbG8=" in two pieces, neither of which is base64; the end of the id's life after the id. */
static void pieces_of_sound_are_one_part(void **state)
{
    struct remora_arena arena;
    struct remora_arena scratch;
    struct remora_answer answer;
    struct remora_outcome *outcome = new_outcome();
    grpc_slice packed;
    (void)state;
    outcome->further = REMORA_SLICE("{\"x\":null}");
    remora_arena_init(&arena, 4096, 1 << 20);
    remora_arena_init(&scratch, 4096, 1 << 20);
    remora_answer_init(&answer, &arena);
    put_sound(&answer, REMORA_MEDIA_FILE_ID, "audio_1", 0);
    put_sound(&answer, REMORA_MEDIA_BASE64, "aGVsb", 0);
    put_sound(&answer, REMORA_MEDIA_FILE_ID, "", 1700003600);
    put_sound(&answer, REMORA_MEDIA_BASE64, "G8=", 0);
    put(&answer, (struct remora_event){.kind = REMORA_EVENT_CHOICE_FINISHED,
                                       .finished = {.reason = REMORA_FINISH_STOP}});
    assert_true(remora_grpc_encode_answer(&answer, outcome, &scratch, &packed));
    assert_decodes(
        "remora.v1.ChatResponse", packed,
        "id: \"gen-1\" create_time { } choices { message { role: ROLE_ASSISTANT parts { audio { "
        "file_id: \"audio_1\" mime_type: \"audio/*\" expire_time { seconds: 1700003600 } } } parts "
        "{ "
        "audio { data: \"hello\" mime_type: \"audio/*\" } } } finish_reason: FINISH_REASON_STOP } "
        "usage { certainty: CERTAINTY_UNKNOWN cost { certainty: CERTAINTY_UNKNOWN } } route { "
        "effective_data_collection: DATA_COLLECTION_DENY total_time { } service: \"checkout\" } "
        "extra { fields { key: \"x\" value { null_value: NULL_VALUE } } }");
    remora_arena_fini(&arena);
    remora_arena_fini(&scratch);
    free(outcome);
}

/* ---- statuses ---- */

static struct remora_slice details_of(const struct remora_fail *fail,
                                      const struct remora_outcome *outcome)
{
    struct remora_arena scratch;
    remora_arena_init(&scratch, 4096, 1 << 20);
    grpc_slice packed = remora_grpc_status_details(fail, outcome, &scratch);
    assert_in_range(GRPC_SLICE_LENGTH(packed), 1, REMORA_LIMIT_GRPC_DETAILS_BYTES);
    struct remora_slice text = test_proto_decode("google.rpc.Status", view(&packed));
    grpc_slice_unref(packed);
    remora_arena_fini(&scratch);
    return text;
}

static void error_info_comes_first_and_bad_request_names_the_field(void **state)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    remora_fail_set(&fail, REMORA_INVALID_REQUEST, "model", "model is bad");
    struct remora_slice text = details_of(&fail, NULL);
    assert_text(text,
                "code: 3 message: \"model is bad\" details { type_url: "
                "\"type.googleapis.com/google.rpc.ErrorInfo\" value: "
                "\"\\n\\017INVALID_REQUEST\\022\\nremora.dev\\032\\035\\n\\nerror_type\\022\\017"
                "invalid_request\" } details { type_url: "
                "\"type.googleapis.com/google.rpc.BadRequest\" value: "
                "\"\\n\\025\\n\\005model\\022\\014model is bad\" }");
    free((void *)text.data);
}

static void a_place_is_named_as_the_message_has_it(void **state)
{
    static const struct {
        const char *param;
        bool is_in_chat;
        int upstream_status;
        const char *place;
    } cases[] = {
        {"model", false, 0, "model"},
        {"model", true, 0, "chat.model"},
        {"models[1]", false, 0, "fallback_models[1]"},
        {"models[1]", true, 0, "chat.fallback_models[1]"},
        {"provider.order", true, 0, "chat.provider.order"},
        {"", true, 0, ""},
        {"messages[0].content", false, 400, ""},
        {"input", true, 400, ""},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        remora_fail_set(&fail, REMORA_INVALID_REQUEST, cases[i].param, "bad");
        fail.upstream_status = cases[i].upstream_status;
        remora_grpc_status_place(&fail, cases[i].is_in_chat);
        assert_string_equal(fail.param, cases[i].place);
    }
    struct remora_fail fail = REMORA_FAIL_INIT;
    memset(fail.param, 'x', sizeof fail.param - 1);
    remora_grpc_status_place(&fail, true);
    assert_int_equal(strlen(fail.param), sizeof fail.param - 1);
    assert_int_equal(strncmp(fail.param, "chat.xx", 7), 0);
}

static void attempts_are_listed_and_a_hint_becomes_retry_info(void **state)
{
    struct remora_outcome *outcome = new_outcome();
    (void)state;
    remora_fail_set(&outcome->fail, REMORA_CAPACITY_EXHAUSTED, NULL, "busy");
    outcome->fail.retry_after_ms = 1500;
    fill_attempt(&outcome->attempts[0], REMORA_CAPACITY_EXHAUSTED, 429);
    outcome->attempt_count = 1;
    struct remora_slice text = details_of(&outcome->fail, outcome);
    /* RetryInfo { retry_delay { seconds: 1 nanos: 500000000 } } */
    assert_non_null(strstr(text.data, "google.rpc.RetryInfo\"\n  value: "
                                      "\"\\n\\010\\010\\001\\020\\200\\312\\265\\356\\001\""));
    assert_non_null(strstr(text.data, "remora.v1.Attempt\"\n  value: \"\\n\\004acme"));
    assert_null(strstr(text.data, "truncated"));
    free((void *)text.data);
    free(outcome);
}

static void too_many_candidates_are_cut_and_marked(void **state)
{
    enum { COUNT = 400 };
    static struct remora_candidate candidates[COUNT];
    struct remora_plan plan = {.candidates = candidates, .candidate_count = COUNT};
    struct remora_outcome *outcome = new_outcome();
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        candidates[i].endpoint = &test_endpoint;
        candidates[i].exclusion.rule = REMORA_RULE_MAX_PRICE;
        candidates[i].exclusion.layer = REMORA_LAYER_SERVICE;
        candidates[i].exclusion.subject = "prompt";
    }
    outcome->plan = &plan;
    remora_fail_set(&outcome->fail, REMORA_CONSTRAINT_FILTERED, NULL, "nothing left");
    struct remora_slice text = details_of(&outcome->fail, outcome);
    assert_non_null(strstr(text.data, "truncated\\022\\004true"));
    assert_non_null(strstr(text.data, "max_price:prompt"));
    free((void *)text.data);
    free(outcome);
}

static void our_own_mistakes_are_masked(void **state)
{
    struct remora_outcome *outcome = new_outcome();
    (void)state;
    outcome->attempt_count = 1;
    outcome->attempts[0].provider = REMORA_SLICE("acme");
    remora_fail_set(&outcome->fail, REMORA_INTERNAL, NULL, "arena 7 of worker 3 is upside down");
    struct remora_slice text = details_of(&outcome->fail, outcome);
    assert_null(strstr(text.data, "upside down"));
    assert_null(strstr(text.data, "remora.v1.Attempt"));
    assert_non_null(strstr(text.data, remora_code_row(REMORA_INTERNAL)->summary));
    free((void *)text.data);
    free(outcome);
}

static void candidates_are_told_where_none_was_tried(void **state)
{
    struct remora_candidate candidate = {.endpoint = &test_endpoint};
    struct remora_plan_model model = {.usable = 1};
    struct remora_plan plan = {
        .candidates = &candidate, .candidate_count = 1, .models = &model, .model_count = 1};
    struct remora_outcome *outcome = new_outcome();
    (void)state;
    outcome->plan = &plan;
    remora_fail_set(&outcome->fail, REMORA_UPSTREAM_OVERLOADED, NULL, "busy");
    struct remora_slice text = details_of(&outcome->fail, outcome);
    assert_null(strstr(text.data, "remora.v1.Candidate"));
    free((void *)text.data);
    candidate.exclusion.rule = REMORA_RULE_MAX_PRICE;
    model.usable = 0;
    text = details_of(&outcome->fail, outcome);
    assert_non_null(strstr(text.data, "remora.v1.Candidate"));
    free((void *)text.data);
    free(outcome);
}

static struct remora_slice trailer(const struct remora_grpc_status *status, const char *key)
{
    for (size_t i = 0; i < status->trailer_count; i++) {
        if (remora_slice_is(view(&status->trailers[i].key), key)) {
            return view(&status->trailers[i].value);
        }
    }
    return remora_slice(NULL, 0);
}

static void trailers_name_generation_provider_and_attempts(void **state)
{
    struct remora_grpc_status status;
    struct remora_outcome *outcome = new_outcome();
    (void)state;
    outcome->served = &test_endpoint;
    outcome->attempt_count = 2;
    remora_grpc_status_ok(&status, outcome);
    assert_int_equal(status.code, GRPC_STATUS_OK);
    assert_slice_equal(trailer(&status, "remora-generation-id"), "gen-1");
    assert_slice_equal(trailer(&status, "remora-provider"), "acme");
    assert_slice_equal(trailer(&status, "remora-attempts"), "2");
    assert_slice_equal(trailer(&status, "grpc-retry-pushback-ms"), "");
    remora_grpc_status_fini(&status);
    free(outcome);
}

static bool has_text(struct remora_slice bytes, const char *text)
{
    return memmem(bytes.data, bytes.length, text, strlen(text)) != NULL;
}

static void error_info_names_the_callers_own_id(void **state)
{
    struct remora_grpc_status status;
    struct remora_arena scratch;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_outcome *outcome = new_outcome();
    (void)state;
    remora_arena_init(&scratch, 4096, 1 << 20);
    snprintf(outcome->request_id, sizeof outcome->request_id, "%s", "order-17");
    remora_fail_set(&fail, REMORA_UPSTREAM_UNAVAILABLE, NULL, "gone");
    remora_grpc_status_fail(&status, &fail, outcome, -1, &scratch);
    struct remora_slice details = trailer(&status, "grpc-status-details-bin");
    assert_true(has_text(details, "request_id") && has_text(details, "order-17"));
    remora_grpc_status_fini(&status);
    remora_arena_fini(&scratch);
    free(outcome);
}

static void lasting_causes_push_back_for_ever_and_hints_are_passed_on(void **state)
{
    struct remora_grpc_status status;
    struct remora_arena scratch;
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)state;
    remora_arena_init(&scratch, 4096, 1 << 20);
    remora_fail_set(&fail, REMORA_UPSTREAM_CREDENTIAL, NULL, "key refused");
    remora_grpc_status_fail(&status, &fail, NULL, -1, &scratch);
    assert_int_equal(status.code, GRPC_STATUS_FAILED_PRECONDITION);
    assert_slice_equal(trailer(&status, "grpc-retry-pushback-ms"), "-1");
    remora_grpc_status_fini(&status);

    fail = (struct remora_fail)REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_SHEDDING, NULL, "full");
    fail.retry_after_ms = 250;
    remora_grpc_status_fail(&status, &fail, NULL, -1, &scratch);
    assert_slice_equal(trailer(&status, "grpc-retry-pushback-ms"), "250");
    remora_grpc_status_fini(&status);

    fail = (struct remora_fail)REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_SHEDDING, NULL, "full, and nobody knows how long");
    remora_grpc_status_fail(&status, &fail, NULL, -1, &scratch);
    assert_slice_equal(trailer(&status, "grpc-retry-pushback-ms"), "1000");
    assert_true(has_text(trailer(&status, "grpc-status-details-bin"), "google.rpc.RetryInfo"));
    remora_grpc_status_fini(&status);

    fail = (struct remora_fail)REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_UPSTREAM_UNAVAILABLE, NULL, "gone");
    remora_grpc_status_fail(&status, &fail, NULL, -1, &scratch);
    assert_slice_equal(trailer(&status, "grpc-retry-pushback-ms"), "");
    remora_grpc_status_fini(&status);
    remora_arena_fini(&scratch);
}

/* A client that obeys would wait until its call is over and never see why it was refused. */
static void a_hint_beyond_the_deadline_pushes_back_for_ever(void **state)
{
    static const struct {
        int64_t left_ms;
        const char *pushback;
    } CALLS[] = {{-1, "30000"}, {30001, "30000"}, {30000, "-1"}, {0, "-1"}};
    struct remora_arena scratch;
    (void)state;
    remora_arena_init(&scratch, 4096, 1 << 20);
    for (size_t i = 0; i < REMORA_COUNT_OF(CALLS); i++) {
        struct remora_grpc_status status;
        struct remora_fail fail = REMORA_FAIL_INIT;
        remora_fail_set(&fail, REMORA_RATE_LIMITED, NULL, "one a minute");
        fail.retry_after_ms = 30000;
        remora_grpc_status_fail(&status, &fail, NULL, CALLS[i].left_ms, &scratch);
        assert_slice_equal(trailer(&status, "grpc-retry-pushback-ms"), CALLS[i].pushback);
        assert_true(has_text(trailer(&status, "grpc-status-details-bin"), "google.rpc.RetryInfo"));
        remora_grpc_status_fini(&status);
    }
    remora_arena_fini(&scratch);
}

/* Every row of codes.md: its gRPC number and its name as the reason. */
static void every_code_has_its_status_and_reason(void **state)
{
    struct remora_arena scratch;
    (void)state;
    remora_arena_init(&scratch, 4096, 1 << 20);
    for (int code = REMORA_OK + 1; code < REMORA_CODE_COUNT; code++) {
        struct remora_grpc_status status;
        struct remora_fail fail = REMORA_FAIL_INIT;
        const struct remora_code_row *row = remora_code_row((enum remora_code)code);
        remora_fail_set(&fail, (enum remora_code)code, NULL, "x");
        remora_grpc_status_fail(&status, &fail, NULL, -1, &scratch);
        assert_int_equal(status.code, row->grpc_status);
        struct remora_slice details = trailer(&status, "grpc-status-details-bin");
        assert_non_null(memmem(details.data, details.length, row->name, strlen(row->name)));
        remora_grpc_status_fini(&status);
    }
    remora_arena_fini(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_delta_packed_by_hand_is_the_generated_one),
        cmocka_unit_test(text_with_a_nul_is_not_cut),
        cmocka_unit_test(started_names_who_serves),
        cmocka_unit_test(every_kind_of_content_has_its_message),
        cmocka_unit_test(logprobs_travel_with_their_text),
        cmocka_unit_test(signs_of_life_and_usage_have_no_message),
        cmocka_unit_test(a_failed_attempt_tells_its_reason),
        cmocka_unit_test(completed_tells_usage_inclusive_and_the_route),
        cmocka_unit_test(no_room_makes_no_message),
        cmocka_unit_test(a_collected_answer_becomes_one_response),
        cmocka_unit_test(each_text_is_a_part_with_its_own_citations),
        cmocka_unit_test(citations_without_a_text_have_an_empty_part),
        cmocka_unit_test(pieces_of_sound_are_one_part),
        cmocka_unit_test(error_info_comes_first_and_bad_request_names_the_field),
        cmocka_unit_test(a_place_is_named_as_the_message_has_it),
        cmocka_unit_test(attempts_are_listed_and_a_hint_becomes_retry_info),
        cmocka_unit_test(too_many_candidates_are_cut_and_marked),
        cmocka_unit_test(our_own_mistakes_are_masked),
        cmocka_unit_test(candidates_are_told_where_none_was_tried),
        cmocka_unit_test(trailers_name_generation_provider_and_attempts),
        cmocka_unit_test(error_info_names_the_callers_own_id),
        cmocka_unit_test(lasting_causes_push_back_for_ever_and_hints_are_passed_on),
        cmocka_unit_test(a_hint_beyond_the_deadline_pushes_back_for_ever),
        cmocka_unit_test(every_code_has_its_status_and_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
