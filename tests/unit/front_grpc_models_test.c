/* A model of the lists as a message, read back by protoc from the public files. */
#include <stdlib.h>

#include "../../src/front/grpc/pb.h"
#include "config_build.h"
#include "protoc.h"
#include "remora/listing.h"

static const char yaml[] =
    "version: 1\n"
    "service: checkout\n"
    "providers:\n"
    "  a: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: {env: KEY},\n"
    "      data_policy: {training: false}}\n"
    "  b: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: {env: KEY}}\n"
    "models:\n"
    "  x/m:\n"
    "    name: \"M\"\n"
    "    context_length: 9000\n"
    "    endpoints:\n"
    "      - {provider: a, model_id: m, pricing: {prompt: \"0.000001\", completion: "
    "\"0.0000025\"},\n"
    "         context_length: 4000, max_completion_tokens: 100, quantization: fp8,\n"
    "         supported_parameters: [reasoning, tools]}\n"
    "      - {provider: b, model_id: m, supported_parameters: [tools]}\n"
    "      - {provider: b, tag: b/free, model_id: m, free: true, supported_parameters: [stop]}\n";

struct fixture {
    struct remora_config *config;
    struct remora_health *health;
    struct remora_policy_stack stack;
    struct remora_arena arena;
    struct remora_listing listing;
};
static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    static const char *const environment[] = {"KEY", "sk-1", NULL};
    static const struct test_world world = {.environment = environment};
    f.config = test_config(yaml, &world);
    f.health = remora_health_new();
    const struct remora_identity identity = {.service = f.config->service};
    remora_config_stack(f.config, &identity, &f.stack);
    remora_arena_init(&f.arena, 256, 1 << 20);
    f.listing = (struct remora_listing){
        .config = f.config, .stack = &f.stack, .health = f.health, .arena = &f.arena};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_arena_fini(&f.arena);
    remora_config_release(f.config);
    remora_health_free(f.health);
    return 0;
}

static struct remora_listed found(const char *id)
{
    struct remora_listed listed;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_listing_find(&f.listing, remora_slice_of(id), &listed, &fail),
                     REMORA_OK);
    return listed;
}

static void expect(const char *id, const char *expected)
{
    struct remora_listed listed = found(id);
    Remora__V1__Model *model = remora_pb_model(&f.listing, &listed);
    assert_non_null(model);
    grpc_slice packed = remora_pb_pack(&model->base);
    struct remora_slice is = test_proto_decode(
        "remora.v1.Model",
        remora_slice((const char *)GRPC_SLICE_START_PTR(packed), GRPC_SLICE_LENGTH(packed)));
    assert_string_equal(is.data, expected);
    free((void *)is.data);
    grpc_slice_unref(packed);
}

static void every_field_has_its_fact(void **state)
{
    (void)state;
    expect("x/m", "id: \"x/m\"\n"
                  "name: \"M\"\n"
                  "context_length: 9000\n"
                  "input_modalities: \"text\"\n"
                  "output_modalities: \"text\"\n"
                  "supported_parameters: \"tools\"\n"
                  "supported_parameters: \"include_reasoning\"\n"
                  "supported_parameters: \"reasoning\"\n"
                  "endpoints {\n"
                  "  provider: \"a\"\n"
                  "  endpoint_tag: \"a\"\n"
                  "  prompt_price: \"0.000001\"\n"
                  "  completion_price: \"0.0000025\"\n"
                  "  context_length: 4000\n"
                  "  max_output_tokens: 100\n"
                  "  quantization: \"fp8\"\n"
                  "}\n"
                  "endpoints {\n"
                  "  provider: \"b\"\n"
                  "  endpoint_tag: \"b\"\n"
                  "  context_length: 9000\n"
                  "  may_collect_data: true\n"
                  "}\n");
}

static void the_free_variant_has_its_own_endpoints(void **state)
{
    (void)state;
    expect("x/m:free", "id: \"x/m:free\"\n"
                       "name: \"M (free)\"\n"
                       "context_length: 9000\n"
                       "input_modalities: \"text\"\n"
                       "output_modalities: \"text\"\n"
                       "supported_parameters: \"stop\"\n"
                       "endpoints {\n"
                       "  provider: \"b\"\n"
                       "  endpoint_tag: \"b/free\"\n"
                       "  context_length: 9000\n"
                       "  may_collect_data: true\n"
                       "}\n");
}

/* What is not there for want of memory is marked: whoever packs asks the arena. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct remora_listed listed = found("x/m");
    bool is_whole = false;
    for (size_t nth = 1; !is_whole; nth++) {
        assert_true(nth < 1000);
        remora_arena_fini(&f.arena);
        remora_arena_init(&f.arena, 256, 1 << 20);
        remora_alloc_fail_at(nth, true);
        Remora__V1__Model *model = remora_pb_model(&f.listing, &listed);
        remora_alloc_fail_at(0, false);
        is_whole = f.arena.failed == REMORA_OK;
        assert_true(!is_whole || (model != NULL && model->n_endpoints == 2));
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_field_has_its_fact),
        CASE(the_free_variant_has_its_own_endpoints),
        CASE(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
