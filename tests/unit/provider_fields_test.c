/*
 * No field of a chat request is lost in silence: each row of tbl/chat_fields.h is sent through the HTTP skin and built for an
 * endpoint that takes everything and for one that takes nothing. There it stands in the body or in `dropped`, or it is listed
 * here with what it does instead. A row without a sample fails.
 */
#include "support.h"

#include "remora/limits.h"
#include "remora/provider.h"
#include "remora/skin.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define TOOLS    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"

/* What becomes of a field where the endpoint takes nothing. */
enum elsewhere {
    DROPPED, /* left out and told under its name */
    ALWAYS,  /* sent: endpoints without it were out before */
    LOCAL,   /* never sent: `upstream` says what it does here */
    UNBUILT, /* refused */
};

struct sample {
    const char *field;
    const char *members;  /* of the request */
    const char *upstream; /* text of the body where all is taken */
    enum elsewhere elsewhere;
    const char *told; /* its name in `dropped`; NULL: as `field` */
};

static const struct sample samples[] = {
    {"model", "\"model\":\"a/b\"," MESSAGES, "\"model\":\"echo-1\"", ALWAYS, NULL},
    {"models", "\"models\":[\"a/b\"]," MESSAGES, "routes: the fallback models", LOCAL, NULL},
    {"messages", MESSAGES, "\"content\":\"hi\"", ALWAYS, NULL},
    {"stream", "\"stream\":true," MESSAGES, "\"stream\":true", ALWAYS, NULL},
    {"stream_options", "\"stream\":true,\"stream_options\":{\"include_usage\":false}," MESSAGES,
     "\"include_usage\":true", ALWAYS, NULL}, /* what the caller is told is the skin's */
    {"usage", "\"usage\":{\"include\":true}," MESSAGES, "no effect: usage always comes", LOCAL,
     NULL},
    {"temperature", "\"temperature\":0.5," MESSAGES, "\"temperature\":0.5", DROPPED, NULL},
    {"top_p", "\"top_p\":0.5," MESSAGES, "\"top_p\":0.5", DROPPED, NULL},
    {"top_k", "\"top_k\":4," MESSAGES, "\"top_k\":4", DROPPED, NULL},
    {"min_p", "\"min_p\":0.5," MESSAGES, "\"min_p\":0.5", DROPPED, NULL},
    {"top_a", "\"top_a\":0.5," MESSAGES, "\"top_a\":0.5", DROPPED, NULL},
    {"frequency_penalty", "\"frequency_penalty\":1," MESSAGES, "\"frequency_penalty\":1", DROPPED,
     NULL},
    {"presence_penalty", "\"presence_penalty\":1," MESSAGES, "\"presence_penalty\":1", DROPPED,
     NULL},
    {"repetition_penalty", "\"repetition_penalty\":1.5," MESSAGES, "\"repetition_penalty\":1.5",
     DROPPED, NULL},
    {"max_tokens", "\"max_tokens\":7," MESSAGES, "\"max_tokens\":7", DROPPED, NULL},
    {"max_completion_tokens", "\"max_completion_tokens\":7," MESSAGES, "\"max_tokens\":7", DROPPED,
     "max_tokens"},
    {"seed", "\"seed\":7," MESSAGES, "\"seed\":7", DROPPED, NULL},
    {"n", "\"n\":2," MESSAGES, "\"n\":2", DROPPED, NULL},
    {"stop", "\"stop\":\"x\"," MESSAGES, "\"stop\":[\"x\"]", DROPPED, NULL},
    {"logit_bias", "\"logit_bias\":{\"5\":1}," MESSAGES, "\"logit_bias\":{\"5\":1}", DROPPED, NULL},
    {"logprobs", "\"logprobs\":true," MESSAGES, "\"logprobs\":true", DROPPED, NULL},
    {"top_logprobs", "\"logprobs\":true,\"top_logprobs\":2," MESSAGES, "\"top_logprobs\":2",
     DROPPED, NULL},
    {"response_format", "\"response_format\":{\"type\":\"json_object\"}," MESSAGES,
     "\"response_format\":{\"type\":\"json_object\"}", ALWAYS, NULL},
    {"structured_outputs", "\"structured_outputs\":true," MESSAGES, "\"structured_outputs\":true",
     DROPPED, NULL},
    {"reasoning", "\"reasoning\":{\"effort\":\"low\"}," MESSAGES,
     "\"reasoning\":{\"effort\":\"low\"}", DROPPED, NULL},
    {"reasoning", "\"reasoning\":{\"max_tokens\":9}," MESSAGES, "\"reasoning\":{\"max_tokens\":9}",
     DROPPED, NULL},
    {"reasoning", "\"reasoning\":{\"enabled\":true}," MESSAGES, "\"reasoning\":{\"enabled\":true}",
     DROPPED, NULL},
    {"reasoning", "\"reasoning\":{\"exclude\":true}," MESSAGES, "\"reasoning\":{\"exclude\":true}",
     LOCAL, NULL}, /* elsewhere withheld from the caller */
    {"reasoning", "\"reasoning\":{\"summary\":\"auto\"}," MESSAGES,
     "\"reasoning\":{\"summary\":\"auto\"}", DROPPED, "reasoning.summary"},
    {"reasoning", "\"reasoning\":{\"context\":\"auto\"}," MESSAGES,
     "\"reasoning\":{\"context\":\"auto\"}", DROPPED, "reasoning.context"},
    {"reasoning_effort", "\"reasoning_effort\":\"low\"," MESSAGES,
     "\"reasoning\":{\"effort\":\"low\"}", DROPPED, "reasoning"},
    {"include_reasoning", "\"include_reasoning\":false," MESSAGES,
     "\"reasoning\":{\"exclude\":true}", LOCAL, NULL}, /* as exclude */
    {"include_reasoning", "\"include_reasoning\":true," MESSAGES, "what a model does that can",
     DROPPED, "reasoning"},
    {"tools", TOOLS "," MESSAGES, "\"tools\":[{", ALWAYS, NULL},
    {"tool_choice", TOOLS ",\"tool_choice\":\"required\"," MESSAGES, "\"tool_choice\":\"required\"",
     ALWAYS, NULL},
    {"parallel_tool_calls", TOOLS ",\"parallel_tool_calls\":false," MESSAGES,
     "\"parallel_tool_calls\":false", DROPPED, NULL},
    {"prediction", "\"prediction\":{\"type\":\"content\",\"content\":\"x\"}," MESSAGES,
     "\"prediction\":{\"type\":\"content\",\"content\":\"x\"}", DROPPED, NULL},
    {"modalities", "\"modalities\":[\"text\",\"image\"]," MESSAGES,
     "\"modalities\":[\"text\",\"image\"]", ALWAYS, NULL},
    {"audio", "\"audio\":{\"voice\":\"v\",\"format\":\"wav\"}," MESSAGES,
     "\"audio\":{\"voice\":\"v\",\"format\":\"wav\"}", DROPPED, NULL},
    {"image_config", "\"image_config\":{\"a\":1}," MESSAGES, "\"image_config\":{\"a\":1}", DROPPED,
     NULL},
    {"cache_control", "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}," MESSAGES,
     "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}", DROPPED, NULL},
    {"prompt_cache_key", "\"prompt_cache_key\":\"k\"," MESSAGES, "\"prompt_cache_key\":\"k\"",
     DROPPED, NULL},
    {"prompt_cache_options", "\"prompt_cache_options\":{\"mode\":\"explicit\"}," MESSAGES,
     "\"prompt_cache_options\":{\"mode\":\"explicit\"}", DROPPED, NULL},
    {"user", "\"user\":\"u\"," MESSAGES, "\"user\":\"user-", DROPPED, NULL},
    {"safety_identifier", "\"safety_identifier\":\"u\"," MESSAGES, "\"safety_identifier\":\"user-",
     DROPPED, NULL},
    {"session_id", "\"session_id\":\"s-17\"," MESSAGES, "kept here", LOCAL, NULL},
    {"metadata", "\"metadata\":{\"team\":\"a\"}," MESSAGES, "labels, kept here", LOCAL, NULL},
    {"trace", "\"trace\":{\"trace_id\":\"t\"}," MESSAGES, "for telemetry, kept here", LOCAL, NULL},
    {"service_tier", "\"service_tier\":\"flex\"," MESSAGES, "\"service_tier\":\"flex\"", DROPPED,
     NULL},
    {"verbosity", "\"verbosity\":\"low\"," MESSAGES, "\"verbosity\":\"low\"", DROPPED, NULL},
    {"web_search_options", "\"web_search_options\":{\"a\":1}," MESSAGES,
     "\"web_search_options\":{\"a\":1}", DROPPED, NULL},
    {"provider", "\"provider\":{\"max_price\":{\"prompt\":1}}," MESSAGES,
     "\"provider\":{\"max_price\":{\"prompt\":1", LOCAL, NULL}, /* elsewhere judged here */
    {"route", "\"route\":\"fallback\"," MESSAGES, "what happens anyway", LOCAL, NULL},
    {"debug", "\"debug\":{\"echo_upstream_body\":false}," MESSAGES, "what happens anyway", LOCAL,
     NULL},
    {"transforms", "\"transforms\":[]," MESSAGES, "what happens anyway", LOCAL, NULL},
    {"plugins", "\"plugins\":[]," MESSAGES, "what happens anyway", LOCAL, NULL},
    {"preset", "\"preset\":null," MESSAGES, "what happens anyway", LOCAL, NULL},
    {"prompt", "\"prompt\":\"x\"", NULL, UNBUILT, NULL},
    {"prompt", "\"prompt\":\"x\"," MESSAGES, NULL, UNBUILT, NULL},
    {"max_tool_calls", "\"max_tool_calls\":1," MESSAGES, NULL, UNBUILT, NULL},
    {"stop_server_tools_when", "\"stop_server_tools_when\":[1]," MESSAGES, NULL, UNBUILT, NULL},
    {"x_search_filter", "\"x_search_filter\":{}," MESSAGES, NULL, UNBUILT, NULL},
    {"functions", "\"functions\":[1]," MESSAGES, NULL, UNBUILT, NULL},
    {"function_call", "\"function_call\":\"auto\"," MESSAGES, NULL, UNBUILT, NULL},
};

struct trip {
    struct remora_arena arena;
    struct remora_request request;
    struct remora_fail fail;
    enum remora_code code;
    struct remora_provider provider;
    struct remora_endpoint endpoint;
    struct remora_build_output out;
    char body[4096];
};

static void parse(struct trip *t, const struct sample *sample)
{
    char text[1024];
    struct remora_encoder encoder;
    *t = (struct trip){.fail = REMORA_FAIL_INIT};
    remora_arena_init(&t->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    remora_request_init(&t->request);
    snprintf(text, sizeof text, "{%s}", sample->members);
    const struct remora_skin_input input = {.body =
                                                remora_arena_copy(&t->arena, remora_slice_of(text)),
                                            .surface = REMORA_SURFACE_OPENROUTER};
    t->code =
        remora_skin_chat_completions.parse(&input, &t->arena, &t->request, &encoder, &t->fail);
}

static void build(struct trip *t, const char *dialect, remora_parameter_set supported)
{
    t->provider.facts.slug = REMORA_SLICE("acme");
    t->provider.facts.dialect = remora_slice_of(dialect);
    t->provider.facts.base_url = REMORA_SLICE("https://api.example/v1");
    t->endpoint.provider = &t->provider;
    t->endpoint.facts.upstream_model = REMORA_SLICE("echo-1");
    t->endpoint.facts.supported = supported;
    const struct remora_build_input input = {.request = &t->request,
                                             .endpoint = &t->endpoint,
                                             .delivery = t->request.delivery,
                                             .max_price_pico_usd =
                                                 t->request.provider.max_price_pico_usd};
    t->code = remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &t->arena, &t->out, &t->fail);
    assert_int_equal(t->code, REMORA_OK);
    size_t at = 0;
    for (size_t i = 0; i < t->out.http.body_pieces; i++) {
        struct remora_slice piece = t->out.http.body[i];
        assert_true(at + piece.length < sizeof t->body);
        memcpy(t->body + at, piece.data, piece.length);
        at += piece.length;
    }
}

static bool is_told(const struct trip *t, const char *name)
{
    for (size_t i = 0; i < t->out.dropped_count; i++) {
        if (remora_slice_is(remora_dropped_name(&t->out.dropped[i]), name)) {
            return true;
        }
    }
    return false;
}

static void take_everything(const struct sample *sample)
{
    struct trip t;
    parse(&t, sample);
    if (t.code != REMORA_OK) {
        fail_msg("%s: %s", sample->members, t.fail.message);
    }
    build(&t, "openrouter", REMORA_PARAMETERS_ALL);
    bool is_text = sample->upstream[0] == '"';
    if (is_text && strstr(t.body, sample->upstream) == NULL) {
        fail_msg("%s is not sent: %s", sample->members, t.body);
    }
    if (t.out.dropped_count > 0) {
        fail_msg("%s is dropped", sample->members);
    }
    if (!is_text && strcmp(t.body, "{\"model\":\"echo-1\",\"messages\":[{\"role\":\"user\","
                                   "\"content\":\"hi\"}],\"stream\":false}") != 0) {
        fail_msg("%s leaves: %s", sample->members, t.body);
    }
    remora_arena_fini(&t.arena);
}

static void take_nothing(const struct sample *sample)
{
    struct trip t;
    parse(&t, sample);
    build(&t, "cloudflare", 0);
    bool is_sent = strstr(t.body, sample->upstream) != NULL;
    if (is_sent != (sample->elsewhere == ALWAYS)) {
        fail_msg("%s: %s", sample->members, t.body);
    }
    const char *told = sample->told != NULL ? sample->told : sample->field;
    if (is_told(&t, told) != (sample->elsewhere == DROPPED)) {
        fail_msg("%s: dropped says otherwise of %s", sample->members, told);
    }
    remora_arena_fini(&t.arena);
}

static void no_field_is_lost_in_silence(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(samples); i++) {
        if (samples[i].elsewhere != UNBUILT) {
            take_everything(&samples[i]);
            take_nothing(&samples[i]);
        }
    }
}

static void what_is_not_built_is_refused_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(samples); i++) {
        struct trip t;
        if (samples[i].elsewhere != UNBUILT) {
            continue;
        }
        parse(&t, &samples[i]);
        assert_int_equal(t.code, REMORA_UNIMPLEMENTED);
        assert_string_equal(t.fail.param, samples[i].field);
        remora_arena_fini(&t.arena);
    }
}

static void every_row_has_a_sample_of_its_verdict(void **state)
{
    static const struct {
        const char *name;
        bool is_unbuilt;
    } rows[] = {
#define TYPED                                              0
#define READ                                               0
#define UNBUILT                                            1
#define REMORA_CHAT_FIELD(name, verdict, type, text, grpc) {name, verdict},
#include "remora/tbl/chat_fields.h"
#undef REMORA_CHAT_FIELD
#undef TYPED
#undef READ
#undef UNBUILT
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        size_t count = 0;
        for (size_t k = 0; k < REMORA_COUNT_OF(samples); k++) {
            if (strcmp(samples[k].field, rows[i].name) == 0) {
                assert_int_equal(samples[k].elsewhere == UNBUILT, rows[i].is_unbuilt);
                count++;
            }
        }
        if (count == 0) {
            fail_msg("%s has no sample", rows[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_field_is_lost_in_silence),
        cmocka_unit_test(what_is_not_built_is_refused_by_its_name),
        cmocka_unit_test(every_row_has_a_sample_of_its_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
