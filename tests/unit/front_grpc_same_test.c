/*
 * One logical request over both fronts: JSON through the skin, protobuf through the decoder. The requests are compared field
 * by field, and what an adapter makes of them byte by byte.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../src/front/grpc/decode.h"
#include "protoc.h"
#include "remora/limits.h"
#include "remora/provider.h"
#include "remora/skin.h"

struct side {
    struct remora_arena arena;
    struct remora_request request;
    struct remora_fail fail;
};

static void begin(struct side *side)
{
    remora_arena_init(&side->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                      REMORA_LIMIT_REQUEST_ARENA_BYTES);
    remora_request_init(&side->request);
    side->fail = (struct remora_fail)REMORA_FAIL_INIT;
}

static enum remora_code read_json(struct side *side, const char *body)
{
    struct remora_encoder encoder = {.skin = &remora_skin_chat_completions};
    const struct remora_skin_input input = {.body = remora_slice_of(body)};
    begin(side);
    return remora_skin_chat_completions.parse(&input, &side->arena, &side->request, &encoder,
                                              &side->fail);
}

static enum remora_code read_proto(struct side *side, struct remora_slice bytes)
{
    begin(side);
    return remora_grpc_decode_chat(bytes, REMORA_UNARY, &side->arena, &side->request, &side->fail);
}

/* ---- field by field ---- */

static void same(const char *what, struct remora_slice json, struct remora_slice proto)
{
    if (!remora_slice_equal(json, proto)) {
        fail_msg("%s: \"%.*s\" over HTTP, \"%.*s\" over gRPC", what, REMORA_SLICE_ARG(json),
                 REMORA_SLICE_ARG(proto));
    }
}
#define TEXT(member)   same(#member, a->member, b->member)
#define NUMBER(member) assert_int_equal(a->member, b->member)
#define INTEGER(member)                                       \
    do {                                                      \
        assert_int_equal(a->member.is_set, b->member.is_set); \
        assert_int_equal(a->member.value, b->member.value);   \
    } while (0)
#define REAL(member)                                          \
    do {                                                      \
        assert_int_equal(a->member.is_set, b->member.is_set); \
        assert_true(a->member.value == b->member.value);      \
    } while (0)
#define TEXTS(member)                                              \
    do {                                                           \
        assert_int_equal(a->member.count, b->member.count);        \
        for (size_t i = 0; i < a->member.count; i++) {             \
            same(#member, a->member.items[i], b->member.items[i]); \
        }                                                          \
    } while (0)

static void same_cache(const struct remora_cache_breakpoint *a,
                       const struct remora_cache_breakpoint *b)
{
    NUMBER(is_set);
    NUMBER(is_explicit);
    NUMBER(ttl_s);
}

static void same_part(const struct remora_part *a, const struct remora_part *b)
{
    NUMBER(kind);
    TEXT(text);
    NUMBER(media.source);
    TEXT(media.value);
    TEXT(media.mime_type);
    TEXT(media.filename);
    TEXT(media.detail);
    NUMBER(annotation_count);
    NUMBER(position);
    same_cache(&a->cache, &b->cache);
}

static void same_block(const struct remora_reasoning_block *a,
                       const struct remora_reasoning_block *b)
{
    NUMBER(kind);
    TEXT(text);
    TEXT(signature);
    TEXT(format);
    TEXT(id);
    INTEGER(index);
    NUMBER(position);
    if (a->kind == REMORA_REASONING_OTHER) {
        TEXT(raw);
    }
}

static void same_call(const struct remora_tool_call *a, const struct remora_tool_call *b)
{
    TEXT(id);
    NUMBER(index);
    TEXT(name);
    TEXT(arguments_json);
    NUMBER(position);
    same_cache(&a->cache, &b->cache);
}

static void same_message(const struct remora_message *a, const struct remora_message *b)
{
    NUMBER(role);
    NUMBER(content_is_text);
    NUMBER(tool_failed);
    TEXT(name);
    TEXT(tool_call_id);
    TEXT(extra);
    NUMBER(part_count);
    for (size_t i = 0; i < a->part_count; i++) {
        same_part(&a->parts[i], &b->parts[i]);
    }
    NUMBER(tool_call_count);
    for (size_t i = 0; i < a->tool_call_count; i++) {
        same_call(&a->tool_calls[i], &b->tool_calls[i]);
    }
    NUMBER(reasoning_count);
    for (size_t i = 0; i < a->reasoning_count; i++) {
        same_block(&a->reasoning[i], &b->reasoning[i]);
    }
}

static void same_tool(const struct remora_tool *a, const struct remora_tool *b)
{
    NUMBER(kind);
    TEXT(name);
    TEXT(description);
    TEXT(parameters_json);
    NUMBER(strict);
    TEXT(native_json);
    same_cache(&a->cache, &b->cache);
}

static void same_sampling(const struct remora_sampling *a, const struct remora_sampling *b)
{
    INTEGER(max_output_tokens);
    REAL(temperature);
    REAL(top_p);
    INTEGER(top_k);
    REAL(min_p);
    REAL(top_a);
    REAL(frequency_penalty);
    REAL(presence_penalty);
    REAL(repetition_penalty);
    INTEGER(seed);
    INTEGER(choice_count);
    TEXTS(stop);
    NUMBER(logit_bias_count);
    for (size_t i = 0; i < a->logit_bias_count; i++) {
        NUMBER(logit_bias[i].token);
        assert_true(a->logit_bias[i].bias == b->logit_bias[i].bias);
    }
}

static void same_preferences(const struct remora_preferences *a, const struct remora_preferences *b)
{
    TEXTS(order);
    TEXTS(only);
    TEXTS(ignore);
    TEXTS(quantizations);
    TEXTS(regions);
    NUMBER(allow_fallbacks);
    NUMBER(require_parameters);
    NUMBER(data_collection);
    NUMBER(zdr);
    NUMBER(enforce_distillable_text);
    for (size_t i = 0; i < REMORA_CAP_COUNT; i++) {
        assert_true(a->max_price_pico_usd[i] == b->max_price_pico_usd[i]);
    }
}

static void same_pairs(const char *what, const struct remora_pair *a, size_t count,
                       const struct remora_pair *b, size_t other_count)
{
    assert_int_equal(count, other_count);
    for (size_t i = 0; i < count; i++) {
        same(what, a[i].key, b[i].key);
        same(what, a[i].value, b[i].value);
    }
}

static void same_options(const struct remora_request *a, const struct remora_request *b)
{
    NUMBER(tool_choice.kind);
    TEXT(tool_choice.function_name);
    NUMBER(parallel_tool_calls);
    NUMBER(response_format.kind);
    TEXT(response_format.name);
    TEXT(response_format.schema_json);
    TEXT(response_format.description);
    TEXT(response_format.pattern);
    NUMBER(response_format.strict);
    NUMBER(reasoning.effort);
    INTEGER(reasoning.max_tokens);
    NUMBER(reasoning.exclude_from_response);
    NUMBER(reasoning.enabled);
    TEXT(reasoning.summary);
    TEXT(reasoning.context);
    NUMBER(logprobs);
    INTEGER(top_logprobs);
    NUMBER(structured_outputs);
    TEXT(prediction_json);
    TEXT(audio_json);
    TEXT(image_config_json);
    TEXT(web_search_options_json);
    TEXT(prompt_cache_options_json);
    TEXT(service_tier);
    TEXT(verbosity);
    TEXTS(output_modalities);
    same_cache(&a->cache, &b->cache);
}

static void same_identity(const struct remora_request *a, const struct remora_request *b)
{
    TEXT(prompt_cache_key);
    TEXT(end_user_id);
    TEXT(safety_identifier);
    TEXT(session_id);
    TEXT(trace_labels.trace_id);
    TEXT(trace_labels.span_name);
    TEXT(trace_labels.raw);
    same_pairs("tags", a->tags, a->tag_count, b->tags, b->tag_count);
    same_pairs("extra", a->extra, a->extra_count, b->extra, b->extra_count);
}

static void same_request(const struct remora_request *a, const struct remora_request *b)
{
    NUMBER(operation);
    NUMBER(delivery);
    TEXT(model);
    TEXTS(models);
    NUMBER(message_count);
    for (size_t i = 0; i < a->message_count; i++) {
        same_message(&a->messages[i], &b->messages[i]);
    }
    NUMBER(tool_count);
    for (size_t i = 0; i < a->tool_count; i++) {
        same_tool(&a->tools[i], &b->tools[i]);
    }
    same_sampling(&a->sampling, &b->sampling);
    same_options(a, b);
    same_identity(a, b);
    same_preferences(&a->provider, &b->provider);
    NUMBER(asked_count); /* each side in its own order */
    for (size_t i = 0; i < a->asked_count; i++) {
        assert_true(remora_request_asks(b, (enum remora_parameter)a->asked[i]));
    }
}

/* ---- the bytes ---- */

static struct remora_slice upstream(struct side *side, const char *dialect)
{
    const struct remora_provider provider = {
        .facts = {.slug = REMORA_SLICE("acme"),
                  .dialect = remora_slice_of(dialect),
                  .base_url = REMORA_SLICE("https://api.example/v1")}};
    const struct remora_endpoint endpoint = {
        .provider = &provider,
        .facts = {.upstream_model = REMORA_SLICE("echo-1"), .supported = REMORA_PARAMETERS_ALL}};
    const struct remora_build_input input = {.request = &side->request,
                                             .endpoint = &endpoint,
                                             .delivery = side->request.delivery,
                                             .max_price_pico_usd =
                                                 side->request.provider.max_price_pico_usd};
    struct remora_build_output out;
    assert_int_equal(
        remora_adapter_for(REMORA_WIRE_OPENAI)->build(&input, &side->arena, &out, &side->fail),
        REMORA_OK);
    char *body = remora_arena_alloc(&side->arena, out.http.body_bytes);
    assert_non_null(body);
    size_t at = 0;
    for (size_t i = 0; i < out.http.body_pieces; i++) {
        memcpy(body + at, out.http.body[i].data, out.http.body[i].length);
        at += out.http.body[i].length;
    }
    return remora_slice(body, at);
}

enum compare { STRUCTS_AND_BYTES, BYTES_ONLY };

static void both(const char *json, const char *proto, enum compare what)
{
    static const char *const dialects[] = {"", "openai", "openrouter", "mistral"};
    struct side http;
    struct side grpc;
    struct remora_slice bytes = test_proto_encode("remora.v1.ChatRequest", proto);
    if (read_json(&http, json) != REMORA_OK) {
        fail_msg("HTTP: %s", http.fail.message);
    }
    if (read_proto(&grpc, bytes) != REMORA_OK) {
        fail_msg("gRPC: %s", grpc.fail.message);
    }
    if (what == STRUCTS_AND_BYTES) {
        same_request(&http.request, &grpc.request);
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(dialects); i++) {
        same(dialects[i], upstream(&http, dialects[i]), upstream(&grpc, dialects[i]));
    }
    remora_arena_fini(&http.arena);
    remora_arena_fini(&grpc.arena);
    free((void *)bytes.data);
}

/* ---- the requests ---- */

static void every_parameter_is_the_same(void **state)
{
    (void)state;
    both(
        "{\"model\":\"a/b\",\"models\":[\"c/"
        "d\"],\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}"
        "],\"temperature\":0.5,\"top_p\":0.25,\"min_p\":0.1,\"frequency_penalty\":-1,"
        "\"presence_penalty\":1,\"repetition_penalty\":1.5,\"top_a\":0.2,\"max_tokens\":9,"
        "\"top_k\":3,\"seed\":-7,\"n\":2,\"stop\":[\"x\",\"y\"],\"logit_bias\":{\"3\":2,\"9\":-1.5}"
        ","
        "\"parallel_tool_calls\":false,\"logprobs\":true,\"top_logprobs\":4,\"reasoning\":{"
        "\"effort\":\"high\",\"max_tokens\":64,\"exclude\":true,\"enabled\":true,\"summary\":"
        "\"auto\",\"context\":\"all_turns\"},\"prompt_cache_key\":\"k\",\"user\":\"u\","
        "\"session_id\":\"s\",\"metadata\":{\"team\":\"pay\"},\"service_tier\":\"fast\","
        "\"verbosity\":\"low\",\"modalities\":[\"text\",\"audio\"],\"provider\":{\"order\":[\"p\"],"
        "\"only\":[\"p\",\"q\"],\"ignore\":[\"r\"],\"allow_fallbacks\":false,"
        "\"require_parameters\":true,\"data_collection\":\"deny\",\"zdr\":true,"
        "\"enforce_distillable_text\":false,\"quantizations\":[\"fp8\"],\"regions\":[\"eu\"],"
        "\"max_price\":{\"prompt\":2.5,\"request\":\"0.01\"}}}",
        "model: 'a/b' fallback_models: 'c/d' messages { role: ROLE_USER parts { text: 'hi' } } "
        "sampling { temperature: 0.5 top_p: 0.25 min_p: 0.1 frequency_penalty: -1 "
        "presence_penalty: 1 repetition_penalty: 1.5 top_a: 0.2 max_output_tokens: 9 top_k: 3 "
        "seed: -7 choice_count: 2 stop: 'x' stop: 'y' logit_bias { key: 3 value: 2 } logit_bias { "
        "key: 9 value: -1.5 } } parallel_tool_calls: false logprobs { enabled: true top_count: 4 } "
        "reasoning { effort: EFFORT_HIGH max_tokens: 64 exclude_from_response: true enabled: true "
        "summary: 'auto' context: 'all_turns' } cache { prompt_key: 'k' } end_user_id: 'u' "
        "session_id: 's' tags { key: 'team' value: 'pay' } service_tier: 'fast' verbosity: 'low' "
        "output_modalities: 'text' output_modalities: 'audio' provider { order: 'p' only: 'p' "
        "only: 'q' ignore: 'r' allow_fallbacks: false require_parameters: true data_collection: "
        "DATA_COLLECTION_DENY zero_data_retention: true enforce_distillable_text: false "
        "quantizations: 'fp8' regions: 'eu' max_price { prompt: '2.5' request: '0.01' } }",
        STRUCTS_AND_BYTES);
}

static void every_field_that_only_json_has_is_the_same(void **state)
{
    (void)state;
    both("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"audio\":{\"voice\":\"alloy"
         "\",\"format\":\"wav\"},\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"},\"i"
         "mage_config\":{\"aspect_ratio\":\"1:1\"},\"prediction\":{\"type\":\"content\",\"cont"
         "ent\":\"x\"},\"prompt_cache_options\":{\"mode\":\"explicit\"},\"safe_prompt\":true,"
         "\"safety_identifier\":\"s\",\"structured_outputs\":true,\"trace\":{\"trace_id\":\"t"
         "\"},\"web_search_options\":{\"search_context_size\":\"low\"}}",
         "messages { role: ROLE_USER parts { text: 'hi' } } extra_body { fields { key: 'audio'"
         " value { struct_value { fields { key: 'voice' value { string_value: 'alloy' } } fiel"
         "ds { key: 'format' value { string_value: 'wav' } } } } } fields { key: 'cache_contro"
         "l' value { struct_value { fields { key: 'type' value { string_value: 'ephemeral' } }"
         " fields { key: 'ttl' value { string_value: '1h' } } } } } fields { key: 'image_confi"
         "g' value { struct_value { fields { key: 'aspect_ratio' value { string_value: '1:1' }"
         " } } } } fields { key: 'prediction' value { struct_value { fields { key: 'type' valu"
         "e { string_value: 'content' } } fields { key: 'content' value { string_value: 'x' } "
         "} } } } fields { key: 'prompt_cache_options' value { struct_value { fields { key: 'm"
         "ode' value { string_value: 'explicit' } } } } } fields { key: 'safe_prompt' value { "
         "bool_value: true } } fields { key: 'safety_identifier' value { string_value: 's' } }"
         " fields { key: 'structured_outputs' value { bool_value: true } } fields { key: 'trac"
         "e' value { struct_value { fields { key: 'trace_id' value { string_value: 't' } } } }"
         " } fields { key: 'web_search_options' value { struct_value { fields { key: 'search_c"
         "ontext_size' value { string_value: 'low' } } } } } }",
         STRUCTS_AND_BYTES);
}

static void tools_and_formats_are_the_same(void **state)
{
    (void)state;
    both(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"description\":\"d\",\"strict\":true,\"parameters\":{ "
        "\"type\":\"object\"}},\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"5m\"}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}],\"tool_choice\":{\"type\":"
        "\"function\",\"function\":{\"name\":\"g\"}},\"response_format\":{\"type\":\"json_schema\","
        "\"json_schema\":{\"name\":\"n\",\"description\":\"e\",\"strict\":false,\"schema\":{\"a\":"
        "1}"
        "}}}",
        "messages { role: ROLE_USER parts { text: 'hi' } } tools { function { name: 'f' "
        "description: 'd' strict: true parameters_json: '{ \"type\":\"object\"}' } "
        "cache_breakpoint { ttl { seconds: 300 } } } tools { function { name: 'g' } } tool_choice "
        "{ function_name: 'g' } response_format { json_schema { name: 'n' description: 'e' strict: "
        "false schema_json: '{\"a\":1}' } }",
        STRUCTS_AND_BYTES);
    both("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{\"type\":"
         "\"grammar\",\"grammar\":\"a ::= b\"}}",
         "messages { role: ROLE_USER parts { text: 'hi' } } response_format { grammar: 'a ::= b' }",
         STRUCTS_AND_BYTES);
    both("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{\"type\":"
         "\"python\"}}",
         "messages { role: ROLE_USER parts { text: 'hi' } } response_format { python {} }",
         STRUCTS_AND_BYTES);
}

static void a_conversation_is_the_same(void **state)
{
    (void)state;
    both(
        "{\"messages\":[{\"role\":\"developer\",\"content\":\"d\",\"name\":\"rules\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{"
        "\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":\"b\",\"prompt_cache_breakpoint\":{"
        "\"mode\":\"explicit\"}}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}],"
        "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\",\"signature\":\"sig\","
        "\"id\":\"r\",\"format\":\"anthropic-claude-v1\",\"index\":0},{\"type\":"
        "\"reasoning.encrypted\",\"data\":\"ZZ\"},{\"type\":\"reasoning.server_tool_call\"}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"3\"},"
        "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"},"
        "{\"role\":\"user\",\"content\":\"go on\",\"k\":true},"
        "{\"role\":\"assistant\",\"content\":\"Well\"}]}",
        "messages { role: ROLE_DEVELOPER parts { text: 'd' } name: 'rules' } "
        "messages { role: ROLE_USER parts { text: 'a' cache_breakpoint {} } parts { text: 'b' "
        "cache_breakpoint { explicit_mode: true } } } "
        "messages { role: ROLE_ASSISTANT tool_calls { id: 'c1' name: 'f' arguments_json: "
        "'{\"x\":1}' } reasoning { text: 'hm' signature: 'sig' id: 'r' format: "
        "'anthropic-claude-v1' index: 0 } reasoning { encrypted: 'ZZ' } reasoning { other { fields "
        "{ "
        "key: 'type' value { string_value: 'reasoning.server_tool_call' } } } } } "
        "messages { role: ROLE_TOOL tool_call_id: 'c1' parts { text: '3' } } "
        "messages { role: ROLE_ASSISTANT parts { refusal: 'no' } } "
        "messages { role: ROLE_USER parts { text: 'go on' } extra { fields { key: 'k' value { "
        "bool_value: true } } } } messages { role: ROLE_ASSISTANT parts { text: 'Well' } }",
        STRUCTS_AND_BYTES);
}

/* In JSON it is written, in protobuf it is a oneof that is set and takes no bytes: upstream it is there. */
static void empty_texts_are_the_same(void **state)
{
    (void)state;
    both("{\"messages\":[{\"role\":\"system\",\"content\":\"\"},{\"role\":\"user\",\"content\":["
         "{\"type\":\"text\",\"text\":\"\",\"cache_control\":{\"type\":\"ephemeral\"}},"
         "{\"type\":\"text\",\"text\":\"b\"}]},"
         "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"},{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"https://a.example/i.png\"}}]},"
         "{\"role\":\"user\",\"content\":\"\",\"name\":\"Ann\"}]}",
         "messages { role: ROLE_SYSTEM parts { text: '' } } messages { role: ROLE_USER parts { "
         "text: '' cache_breakpoint {} } parts { text: 'b' } } messages { role: ROLE_USER parts { "
         "text: '' } parts { image { uri: 'https://a.example/i.png' } } } messages { role: "
         "ROLE_USER parts { text: '' } name: 'Ann' }",
         STRUCTS_AND_BYTES);
    both("{\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"content\":"
         "\"\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
         "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"\"},"
         "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"\"},{\"role\":\"assistant\","
         "\"content\":\"\"}]}",
         "messages { role: ROLE_USER parts { text: 'u' } } messages { role: ROLE_ASSISTANT parts { "
         "text: '' } tool_calls { id: 'c' name: 'f' arguments_json: '{}' } } messages { role: "
         "ROLE_TOOL parts { text: '' } tool_call_id: 'c' } messages { role: ROLE_ASSISTANT parts { "
         "refusal: '' } } messages { role: ROLE_ASSISTANT parts { text: '' } }",
         STRUCTS_AND_BYTES);
}

/* A signature may come without text, or with text that is empty: each goes back as it came. */
static void reasoning_without_text_is_the_same(void **state)
{
    (void)state;
    both("{\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"content\":"
         "\"x\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"signature\":\"s\"},{\"type\":"
         "\"reasoning.text\",\"text\":\"\",\"signature\":\"t\"}]}]}",
         "messages { role: ROLE_USER parts { text: 'u' } } messages { role: ROLE_ASSISTANT parts { "
         "text: 'x' } reasoning { signature: 's' } reasoning { text: '' signature: 't' } }",
         STRUCTS_AND_BYTES);
}

static void media_are_the_same(void **state)
{
    (void)state;
    both(
        "{\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a.example/i.png\",\"detail\":"
        "\"low\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}},"
        "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://a.example/v.mp4\"}},"
        "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":"
        "\"data:application/pdf;base64,JVBE\"}},{\"type\":\"file\",\"file\":{\"file_id\":\"f1\"}}]}"
        "]}",
        "messages { role: ROLE_USER parts { image { uri: 'https://a.example/i.png' detail: 'low' } "
        "} parts { image { uri: 'data:image/png;base64,iVBO' } } parts { video { uri: "
        "'https://a.example/v.mp4' } } parts { file { filename: 'a.pdf' uri: "
        "'data:application/pdf;base64,JVBE' } } parts { file { file_id: 'f1' } } }",
        STRUCTS_AND_BYTES);
}

/* What is base64 in JSON is bytes in protobuf: upstream it is the same again. */
static void bytes_and_base64_are_the_same_upstream(void **state)
{
    (void)state;
    both(
        "{\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}},"
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklGRg==\",\"format\":\"wav\"}},"
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"SUQz\",\"format\":\"mp3\"}},"
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"SUQz\",\"format\":\"mp3\"}},"
        "{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,JVBE\"}}]},"
        "{\"role\":\"assistant\",\"content\":\"x\",\"audio\":{\"id\":\"a1\"},\"annotations\":[{"
        "\"type\":\"url_citation\",\"url_citation\":{\"url\":\"u\",\"title\":\"t\",\"start_index\":"
        "0,\"end_index\":1}}]}]}",
        "messages { role: ROLE_USER parts { image { data: '\\211PN' mime_type: 'image/png' } } "
        "parts { audio { data: 'RIFF' detail: 'wav' } } parts { audio { data: 'ID3' mime_type: "
        "'audio/mpeg' } } parts { audio { uri: 'data:audio/mpeg;base64,SUQz' } } parts { file { "
        "data: '%PD' mime_type: 'application/pdf' } } } "
        "messages { role: ROLE_ASSISTANT parts { text: 'x' annotations { type: 'url_citation' url: "
        "'u' title: 't' start_index: 0 end_index: 1 } } parts { audio { file_id: 'a1' } } }",
        BYTES_ONLY);
}

/* ---- what both refuse ---- */

static void both_refuse_the_same_words(void **state)
{
    static const struct {
        const char *json;
        const char *proto;
        const char *words; /* NULL: the two are alike, whatever they are */
    } cases[] = {
#define ASKS(json, proto)                                              \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]," json "}", \
        "messages { role: ROLE_USER parts { text: 'x' } } " proto
        {ASKS("\"modalities\":[\"text\",\"audio\",\"text\"]",
              "output_modalities: 'text' output_modalities: 'audio' output_modalities: 'text'"),
         "modalities[2] stands there already."},
        {ASKS("\"provider\":{\"only\":[\"\"]}", "provider { only: '' }"),
         "provider.only[0] must name a provider."},
        {ASKS("\"provider\":{\"regions\":[\"eu\",\"\"]}", "provider { regions: 'eu' regions: '' }"),
         "provider.regions[1] must name a region."},
        {ASKS("\"provider\":{\"max_price\":{\"prompt\":1e300}}",
              "provider { max_price { prompt: '1e300' } }"),
         "provider.max_price.prompt must be an amount of USD from 0 to 9223372036854, as \"2.5\"."},
        {ASKS("\"provider\":{\"max_price\":{\"completion\":-1}}",
              "provider { max_price { completion: '-1' } }"),
         "provider.max_price.completion must be an amount of USD from 0 to 9223372036854, as "
         "\"2.5\"."},
        {ASKS("\"provider\":{\"max_price\":{\"request\":9223373}}",
              "provider { max_price { request: '9223373' } }"),
         "provider.max_price.request must be an amount of USD from 0 to 9223372, as \"0.01\"."},
#undef ASKS
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
         "\"url\":\"file:///x\"}}]}]}",
         "messages { role: ROLE_USER parts { image { uri: 'file:///x' } } }", NULL},
        {"{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"x\"}]}",
         "messages { role: ROLE_TOOL tool_call_id: 'c' parts { text: 'x' } }", NULL},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tool_choice\":\"required\"}",
         "messages { role: ROLE_USER parts { text: 'x' } } tool_choice { mode: MODE_REQUIRED }",
         NULL},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"api_base\":\"y\"}]}",
         "messages { role: ROLE_USER parts { text: 'x' } extra { fields { key: 'api_base' value { "
         "string_value: 'y' } } } }",
         NULL},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"a\":[{\"api_key\":\"y\"}]}]}",
         "messages { role: ROLE_USER parts { text: 'x' } extra { fields { key: 'a' value { "
         "list_value { values { struct_value { fields { key: 'api_key' value { string_value: 'y' } "
         "} } } } } } } }",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct side http;
        struct side grpc;
        struct remora_slice bytes = test_proto_encode("remora.v1.ChatRequest", cases[i].proto);
        assert_int_equal(read_json(&http, cases[i].json), REMORA_INVALID_REQUEST);
        assert_int_equal(read_proto(&grpc, bytes), REMORA_INVALID_REQUEST);
        assert_string_equal(strchr(http.fail.message, ' '), strchr(grpc.fail.message, ' '));
        if (cases[i].words != NULL) {
            assert_string_equal(http.fail.message, cases[i].words);
        }
        remora_arena_fini(&http.arena);
        remora_arena_fini(&grpc.arena);
        free((void *)bytes.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_parameter_is_the_same),
        cmocka_unit_test(every_field_that_only_json_has_is_the_same),
        cmocka_unit_test(tools_and_formats_are_the_same),
        cmocka_unit_test(a_conversation_is_the_same),
        cmocka_unit_test(empty_texts_are_the_same),
        cmocka_unit_test(reasoning_without_text_is_the_same),
        cmocka_unit_test(media_are_the_same),
        cmocka_unit_test(bytes_and_base64_are_the_same_upstream),
        cmocka_unit_test(both_refuse_the_same_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
