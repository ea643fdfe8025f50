/*
 * The proto2 twin has the wire bytes of the public proto3 files: what protoc writes from them is the same after unpack and
 * pack through the twin (tools/proto_twin.py).
 */
#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>

#include "protoc.h"
#include "remora/protoscan.h"

#define TWIN(name) extern const ProtobufCMessageDescriptor name
TWIN(remora__v1__chat_request__descriptor);
TWIN(remora__v1__stream_chat_request__descriptor);
TWIN(remora__v1__chat_response__descriptor);
TWIN(remora__v1__stream_chat_response__descriptor);
TWIN(remora__v1__embed_request__descriptor);
TWIN(remora__v1__embed_response__descriptor);
TWIN(remora__v1__list_models_response__descriptor);
TWIN(remora__v1__explain_route_response__descriptor);
TWIN(remora__v1__get_config_status_response__descriptor);
TWIN(remora__v1__count_tokens_response__descriptor);
TWIN(grpc__health__v1__health_list_response__descriptor);
TWIN(google__rpc__error_info__descriptor);
TWIN(google__rpc__bad_request__descriptor);
TWIN(grpc__reflection__v1__server_reflection_response__descriptor);

static void same(const char *type, const ProtobufCMessageDescriptor *twin, const char *text)
{
    struct remora_slice bytes = test_proto_encode(type, text);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(twin, NULL, bytes.length, (const uint8_t *)bytes.data);
    assert_non_null(message);
    assert_int_equal(message->n_unknown_fields, 0);
    assert_int_equal(protobuf_c_message_get_packed_size(message), bytes.length);
    uint8_t *packed = malloc(bytes.length + 1);
    assert_non_null(packed);
    assert_int_equal(protobuf_c_message_pack(message, packed), bytes.length);
    if (bytes.length > 0) {
        assert_memory_equal(packed, bytes.data, bytes.length);
    }
    protobuf_c_message_free_unpacked(message, NULL);
    free(packed);
    free((void *)bytes.data);
}

static void requests_pass_unchanged(void **state)
{
    (void)state;
    same("remora.v1.ChatRequest", &remora__v1__chat_request__descriptor, "");
    same(
        "remora.v1.ChatRequest", &remora__v1__chat_request__descriptor,
        "model: \"a\\000b\" fallback_models: \"\" fallback_models: \"x\" sampling { temperature: 0 "
        "top_k: -5 seed: -1 stop: \"\" logit_bias { key: 0 value: 0 } } tags { key: \"\" value: "
        "\"\" } "
        "parallel_tool_calls: false");
    same("remora.v1.ChatRequest", &remora__v1__chat_request__descriptor,
         "messages { role: 99 parts { text: \"\" } parts { image { data: \"\\377\\000\" mime_type: "
         "\"m\" } "
         "} parts { raw { fields { key: \"k\" value { list_value { values { null_value: NULL_VALUE "
         "} "
         "values { number_value: 0 } values { bool_value: false } values { string_value: \"\" } } "
         "} } } } "
         "tool_failed: true extra {} } tools { native_tool {} cache_breakpoint { ttl { seconds: -1 "
         "nanos: "
         "-1 } } } tool_choice { mode: MODE_UNSPECIFIED }");
    same(
        "remora.v1.StreamChatRequest", &remora__v1__stream_chat_request__descriptor,
        "chat { reasoning { effort: EFFORT_MAX enabled: false } response_format { text {} } "
        "logprobs { "
        "top_count: 0 } cache { gateway_cache: false } plugins { id: \"p\" options {} } provider { "
        "allow_fallbacks: false sort: SORT_BY_EXACTO max_price { prompt: \"1\" } "
        "preferred_max_latency { p50: 0 } max_attempts: 0 } } idle_timeout {}");
    same("remora.v1.EmbedRequest", &remora__v1__embed_request__descriptor,
         "inputs { token_ids { ids: 1 ids: -2 ids: 300 } } inputs { text: \"\" } dimensions: 0");
}

static void answers_pass_unchanged(void **state)
{
    (void)state;
    same("remora.v1.ChatResponse", &remora__v1__chat_response__descriptor,
         "id: \"g\" create_time { seconds: 1 nanos: 2 } choices { index: 1 message { role: "
         "ROLE_ASSISTANT "
         "parts { text: \"x\" annotations { type: \"t\" start_index: 0 } } tool_calls { id: \"c\" "
         "} reasoning "
         "{ encrypted: \"e\" index: 0 } } finish_reason: FINISH_REASON_STOP logprobs { token: "
         "\"a\" logprob: "
         "-0.5 token_bytes: \"\\001\" alternatives { token: \"b\" } } } usage { input_tokens: 0 "
         "certainty: "
         "CERTAINTY_ACTUAL cost { total_nano_usd: 0 } native_usage {} } route { attempts { elapsed "
         "{} } "
         "dropped { field: \"f\" } skipped { model: \"m\" layer: POLICY_LAYER_KEY } skipped_total: "
         "1 finish_reason_missing: true choices_missing: 1 finish_reason_unknown: true "
         "tool_arguments_invalid: true "
         "}");
    same("remora.v1.StreamChatResponse", &remora__v1__stream_chat_response__descriptor,
         "tool_call { choice_index: 2 tool_call_index: 1 id: \"i\" arguments_json_fragment: \"{\" "
         "}");
    same("remora.v1.StreamChatResponse", &remora__v1__stream_chat_response__descriptor, "text {}");
    same("remora.v1.EmbedResponse", &remora__v1__embed_response__descriptor,
         "embeddings { index: 1 values: 0 values: 1.5 values: -2 }");
    same("remora.v1.ListModelsResponse", &remora__v1__list_models_response__descriptor,
         "models { id: \"m\" context_length: 9 endpoints { may_collect_data: true } }");
    same("remora.v1.CountTokensResponse", &remora__v1__count_tokens_response__descriptor,
         "input_tokens: 7 estimated: true");
    same("grpc.health.v1.HealthListResponse", &grpc__health__v1__health_list_response__descriptor,
         "statuses { key: \"\" value { status: SERVING } } statuses { key: \"a\" value {} }");
    same("remora.v1.ExplainRouteResponse", &remora__v1__explain_route_response__descriptor,
         "candidates { weight: 0 layer: POLICY_LAYER_HEALTH } effective_data_collection: "
         "DATA_COLLECTION_DENY");
    same("remora.v1.GetConfigStatusResponse", &remora__v1__get_config_status_response__descriptor,
         "load_time { nanos: 1 } last_error: \"e\"");
}

static void errors_and_reflection_pass_unchanged(void **state)
{
    (void)state;
    same("google.rpc.ErrorInfo", &google__rpc__error_info__descriptor,
         "reason: \"R\" metadata { key: \"a\" value: \"b\" }");
    same("google.rpc.BadRequest", &google__rpc__bad_request__descriptor,
         "field_violations { field: \"f\" }");
    same("grpc.reflection.v1.ServerReflectionResponse",
         &grpc__reflection__v1__server_reflection_response__descriptor,
         "all_extension_numbers_response { extension_number: 1 extension_number: 2 }");
}

/* ---- what unpacking takes ---- */

extern const struct remora_proto_message remora_schema_remora_v1_ChatRequest;

struct tally {
    size_t live_bytes;
};

static void *tally_alloc(void *context, size_t bytes)
{
    struct tally *tally = context;
    size_t *block = malloc(sizeof(size_t) * 2 + bytes);
    assert_non_null(block);
    block[0] = bytes;
    tally->live_bytes += bytes;
    return block + 2;
}

static void tally_free(void *context, void *memory)
{
    struct tally *tally = context;
    if (memory != NULL) {
        size_t *block = (size_t *)memory - 2;
        tally->live_bytes -= block[0];
        free(block);
    }
}

static size_t unpacked_bytes(struct remora_slice bytes)
{
    struct tally tally = {0};
    ProtobufCAllocator allocator = {tally_alloc, tally_free, &tally};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(&remora__v1__chat_request__descriptor, &allocator, bytes.length,
                                  (const uint8_t *)bytes.data);
    assert_non_null(message);
    size_t live = tally.live_bytes;
    protobuf_c_message_free_unpacked(message, &allocator);
    assert_int_equal(tally.live_bytes, 0);
    return live;
}

static enum remora_code scan(struct remora_slice bytes, size_t most)
{
    const struct remora_proto_limits limits = {.depth = 64, .unpacked_bytes = most};
    struct remora_fail fail = REMORA_FAIL_INIT;
    return remora_proto_scan(bytes, &remora_schema_remora_v1_ChatRequest, &limits, &fail);
}

/* The pre-scan lets through what protobuf-c's own count says, and not with a byte less. */
static void the_charge_is_what_unpacking_takes(void **state)
{
    static const char *const texts[] = {
        "",
        "model: \"t/m\"",
        "fallback_models: \"abc\" fallback_models: \"\" fallback_models: \"defg\"",
        "sampling { stop: \"a\" stop: \"bc\" temperature: 1 }",
        "messages { parts { text: \"hello\" } parts { image { data: \"\\001\" } } }",
        "tags { key: \"k\" value: \"value\" } tags { key: \"l\" value: \"\" }",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(texts); i++) {
        struct remora_slice bytes = test_proto_encode("remora.v1.ChatRequest", texts[i]);
        size_t taken = unpacked_bytes(bytes);
        assert_int_equal(scan(bytes, taken), REMORA_OK);
        assert_int_equal(scan(bytes, taken - 1), REMORA_TOO_LARGE);
        free((void *)bytes.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_pass_unchanged),
        cmocka_unit_test(answers_pass_unchanged),
        cmocka_unit_test(errors_and_reflection_pass_unchanged),
        cmocka_unit_test(the_charge_is_what_unpacking_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
