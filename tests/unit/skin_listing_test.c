/* The catalog's lists as one caller sees them: what is listed, in which order, and that no memory is needed for an answer. */
#include "support.h"

#include <stdio.h>

#include "config_build.h"
#include "remora/clock.h"
#include "remora/listing.h"

static const char yaml[] =
    "version: 1\n"
    "service: checkout\n"
    "providers:\n"
    "  a: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: {env: KEY},\n"
    "      data_policy: {training: false, retains_prompts: false, zdr: true}}\n"
    "  b: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: {env: KEY}}\n"
    "models:\n"
    "  x/cheap:\n"
    "    context_length: 1000\n"
    "    endpoints: [{provider: a, model_id: m, pricing: {prompt: \"0.000001\", completion: "
    "\"0.000001\"}}]\n"
    "  x/dear:\n"
    "    context_length: 9000\n"
    "    modalities: {input: [text, image]}\n"
    "    endpoints: [{provider: b, model_id: m, pricing: {prompt: \"0.000009\", completion: "
    "\"0.000009\"}, supported_parameters: [tools]}]\n"
    "  y/unpriced: {endpoints: [{provider: b, model_id: m}]}\n"
    "  y/free: {endpoints: [{provider: b, model_id: m, free: true}]}\n"
    "  z/denied: {endpoints: [{provider: a, model_id: m}]}\n"
    "services: {checkout: {models: {deny: [\"z/*\"]}}}\n";

struct fixture {
    struct remora_config *config;
    struct remora_health *health;
    struct remora_policy_stack stack;
    struct remora_arena arena;
    struct remora_buf out;
    struct remora_fail fail;
};
static struct fixture f;

static void set_up_with(const char *document)
{
    static const char *const environment[] = {"KEY", "sk-1", NULL};
    static const struct test_world world = {.environment = environment};
    f = (struct fixture){.fail = REMORA_FAIL_INIT};
    f.config = test_config(document, &world);
    f.health = remora_health_new();
    const struct remora_identity identity = {.service = f.config->service};
    remora_config_stack(f.config, &identity, &f.stack);
    remora_arena_init(&f.arena, 4096, 1 << 20);
    remora_buf_init(&f.out, 1 << 20);
}

static int set_up(void **state)
{
    (void)state;
    set_up_with(yaml);
    return 0;
}

/* The service insists on an order, which not all that serve are in. */
#define INSISTING(preferences)                                                        \
    "version: 1\nservice: checkout\nproviders:\n"                                     \
    "  a: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: {env: KEY}}\n" \
    "  b: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: {env: KEY}}\n" \
    "  c: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: {env: KEY}}\n" \
    "models:\n"                                                                       \
    "  x/m: {endpoints: [{provider: a, model_id: m}, {provider: b, model_id: m}, "    \
    "{provider: c, model_id: m}]}\n"                                                  \
    "  x/o: {endpoints: [{provider: c, model_id: m}]}\n"                              \
    "services: {checkout: {provider: {" preferences "}}}\n"

static int set_up_order(void **state)
{
    (void)state;
    set_up_with(INSISTING("order: [b, a], allow_fallbacks: false"));
    return 0;
}

static int set_up_first_only(void **state)
{
    (void)state;
    set_up_with(INSISTING("allow_fallbacks: false"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_buf_fini(&f.out);
    remora_arena_fini(&f.arena);
    remora_config_release(f.config);
    remora_health_free(f.health);
    return 0;
}

static enum remora_code run(remora_listing_fn list, const char *asked, const char *query)
{
    const struct remora_listing listing = {.config = f.config,
                                           .stack = &f.stack,
                                           .health = f.health,
                                           .arena = &f.arena,
                                           .base = REMORA_SLICE("/v1"),
                                           .path = REMORA_SLICE("/v1/models"),
                                           .query = remora_slice_of(query)};
    remora_buf_reset(&f.out, 1 << 20);
    f.fail = (struct remora_fail)REMORA_FAIL_INIT;
    return list(&listing, remora_slice_of(asked), &f.out, &f.fail);
}

/* The ids of the list, joined by blanks. */
static void expect_ids(const char *query, const char *expected)
{
    char ids[512] = "";
    assert_int_equal(run(remora_listing_models, "", query), REMORA_OK);
    assert_int_equal(remora_buf_code(&f.out), REMORA_OK);
    const char *at = f.out.data;
    const char *end = at + f.out.length;
    while ((at = memmem(at, (size_t)(end - at), "{\"id\":\"", 7)) != NULL) {
        at += 7;
        const char *quote = memchr(at, '"', (size_t)(end - at));
        size_t used = strlen(ids);
        snprintf(ids + used, sizeof ids - used, "%s%.*s", used == 0 ? "" : " ", (int)(quote - at),
                 at);
    }
    assert_string_equal(ids, expected);
}

static bool says(const char *what)
{
    return memmem(f.out.data, f.out.length, what, strlen(what)) != NULL;
}

static void what_the_service_may_use_is_listed_free_ids_apart(void **state)
{
    (void)state;
    expect_ids("", "x/cheap x/dear y/free:free y/unpriced");
    assert_true(says("\"total_count\":4,\"links\":{\"next\":null}"));
    expect_ids("zdr=true", "x/cheap");
    assert_int_equal(run(remora_listing_count, "", ""), REMORA_OK);
    assert_slice_equal(remora_buf_slice(&f.out), "{\"data\":{\"count\":4}}");
}

static void filters_narrow_the_list(void **state)
{
    (void)state;
    expect_ids("model_authors=x", "x/cheap x/dear");
    expect_ids("model_authors=y,+X", "x/cheap x/dear y/free:free y/unpriced");
    expect_ids("q=DEA", "x/dear");
    expect_ids("q=x%2Fch", "x/cheap");
    expect_ids("q=100%", "");
    expect_ids("context=1001", "x/dear");
    expect_ids("max_price=5", "x/cheap");
    expect_ids("min_output_price=5", "x/dear");
    /* What lies between two prices that can be is not rounded to either. */
    expect_ids("max_price=1", "x/cheap");
    expect_ids("max_price=0.9999999", "");
    expect_ids("max_output_price=0.9999995", "");
    expect_ids("min_price=1&max_price=1", "x/cheap");
    expect_ids("min_price=1.0000001", "x/dear");
    expect_ids("min_output_price=1.0000004", "x/dear");
    expect_ids("providers=a", "x/cheap");
    expect_ids("supported_parameters=max_completion_tokens&q=x", "x/cheap");
    expect_ids("arch=GPT", "");
    expect_ids("arch=Other", "x/cheap x/dear y/free:free y/unpriced"); /* as it is published */
    expect_ids("output_modalities=embeddings", "");
    expect_ids("output_modalities=all&input_modalities=text,image", "x/dear");
    /* What nobody has said is not promised, though requests of every kind go there. */
    expect_ids("input_modalities=text", "x/cheap x/dear y/free:free y/unpriced");
    expect_ids("limit=&unheard=of&&=", "x/cheap x/dear y/free:free y/unpriced");
}

static void order_puts_what_is_not_known_last(void **state)
{
    (void)state;
    expect_ids("sort=pricing-low-to-high", "x/cheap x/dear y/free:free y/unpriced");
    expect_ids("sort=pricing-high-to-low", "x/dear x/cheap y/free:free y/unpriced");
    expect_ids("sort=context-high-to-low", "x/dear x/cheap y/free:free y/unpriced");
    expect_ids("sort=newest", "x/cheap x/dear y/free:free y/unpriced");
}

static void pages_link_to_the_next(void **state)
{
    (void)state;
    expect_ids("limit=3&zdr=&sort=newest", "x/cheap x/dear y/free:free");
    assert_true(says("\"next\":\"/v1/models?offset=3&limit=3&zdr=&sort=newest\""));
    expect_ids("offset=3&limit=3", "y/unpriced");
    assert_true(says("\"next\":null"));
    expect_ids("offset=99", "");
}

static void values_that_are_wrong_are_refused_by_name(void **state)
{
    static const struct {
        const char *query;
        enum remora_code code;
        const char *param;
    } cases[] = {
        {"limit=0", REMORA_INVALID_REQUEST, "limit"},
        {"limit=1001", REMORA_INVALID_REQUEST, "limit"},
        {"limit=5&limit=6", REMORA_INVALID_REQUEST, "limit"},
        {"offset=x", REMORA_INVALID_REQUEST, "offset"},
        {"context=-1", REMORA_INVALID_REQUEST, "context"},
        {"input_modalities=smell", REMORA_INVALID_REQUEST, "input_modalities"},
        {"supported_parameters=warp", REMORA_INVALID_REQUEST, "supported_parameters"},
        {"min_price=cheap", REMORA_INVALID_REQUEST, "min_price"},
        {"zdr=false", REMORA_INVALID_REQUEST, "zdr"},
        {"sort=size", REMORA_INVALID_REQUEST, "sort"},
        {"sort=most-popular", REMORA_UNIMPLEMENTED, "sort"},
        {"category=legal", REMORA_UNIMPLEMENTED, "category"},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_int_equal(run(remora_listing_models, "", cases[i].query), cases[i].code);
        assert_string_equal(f.fail.param, cases[i].param);
    }
}

static void one_model_in_both_shapes(void **state)
{
    (void)state;
    assert_int_equal(run(remora_listing_model, "cheap", ""), REMORA_OK);
    assert_true(says("{\"id\":\"x/cheap\",\"object\":\"model\""));
    assert_true(says("\"pricing\":{\"prompt\":\"0.000001\",\"completion\":\"0.000001\"}"));
    assert_int_equal(run(remora_listing_model_data, "y/unpriced", ""), REMORA_OK);
    assert_true(says("{\"data\":{\"id\":\"y/unpriced\""));
    assert_true(says("\"pricing\":{\"prompt\":\"-1\",\"completion\":\"-1\"}"));
    assert_true(says("\"description\":\"\""));
    assert_int_equal(run(remora_listing_endpoints, "y/free:free", ""), REMORA_OK);
    assert_true(says("\"model_id\":\"y/free:free\""));
    assert_true(says("\"status\":0"));
}

static struct remora_listing plain_listing(void)
{
    return (struct remora_listing){
        .config = f.config, .stack = &f.stack, .health = f.health, .arena = &f.arena};
}

/* What the gRPC front writes of it is tested there; here that it is the same list. */
static void the_models_themselves_are_those_of_the_list(void **state)
{
    (void)state;
    const struct remora_listing listing = plain_listing();
    const struct remora_listed *listed = NULL;
    size_t count = 0;
    static const char *const ids[] = {"x/cheap", "x/dear", "y/free:free", "y/unpriced"};
    assert_int_equal(remora_listing_collect(&listing, &listed, &count, &f.fail), REMORA_OK);
    assert_int_equal(count, REMORA_COUNT_OF(ids));
    for (size_t i = 0; i < count; i++) {
        const struct remora_model_facts *facts = &listed[i].model->facts;
        assert_slice_equal(remora_listed_id(&f.arena, facts, listed[i].variant), ids[i]);
        const struct remora_endpoint *const *endpoints = NULL;
        assert_int_equal(remora_listed_endpoints(&listing, &listed[i], &endpoints), 1);
        assert_ptr_equal(endpoints[0], listed[i].top);
    }
    assert_slice_equal(remora_listed_name(&f.arena, &listed[2].model->facts, REMORA_VARIANT_FREE),
                       "y/free (free)");
}

static void one_is_found_or_refused_with_its_field(void **state)
{
    (void)state;
    const struct remora_listing listing = plain_listing();
    struct remora_listed listed;
    assert_int_equal(remora_listing_find(&listing, REMORA_SLICE("cheap"), &listed, &f.fail),
                     REMORA_OK);
    assert_slice_equal(listed.model->facts.id, "x/cheap");
    assert_int_equal(remora_listing_find(&listing, REMORA_SLICE("x/chep"), &listed, &f.fail),
                     REMORA_MODEL_NOT_FOUND);
    assert_string_equal(f.fail.param, "model");
    assert_non_null(strstr(f.fail.message, "x/cheap"));
}

static void what_may_not_be_used_says_why(void **state)
{
    (void)state;
    assert_int_equal(run(remora_listing_model, "z/denied", ""), REMORA_MODEL_NOT_ALLOWED);
    assert_non_null(strstr(f.fail.message, "POLICY_LAYER_SERVICE"));
    assert_int_equal(run(remora_listing_model, "y/free", ""), REMORA_CONSTRAINT_FILTERED);
    assert_non_null(strstr(f.fail.message, "free_variant"));
    assert_int_equal(run(remora_listing_endpoints, "x/chep", ""), REMORA_NOT_FOUND);
    assert_non_null(strstr(f.fail.message, "did you mean 'x/cheap'"));
    assert_string_equal(f.fail.param, "");
}

static void an_endpoint_that_rests_stays_with_another_status(void **state)
{
    (void)state;
    const struct remora_model *model = remora_config_model(f.config, REMORA_SLICE("x/cheap"));
    ((struct remora_endpoint *)model->endpoints)->health =
        remora_health_slot(f.health, REMORA_SLICE("one"));
    remora_health_cool(f.health, model->endpoints[0].health, 0, REMORA_NS_PER_S);
    assert_int_equal(run(remora_listing_endpoints, "x/cheap", ""), REMORA_OK);
    assert_true(says("\"status\":-1"));
}

/* Where the texts stand in what was written last: in this order, and no other of the kind. */
static void expect_in_order(const char *key, const char *const *values, size_t count)
{
    const char *at = f.out.data;
    const char *end = at + f.out.length;
    for (size_t i = 0; i <= count; i++) {
        at = memmem(at, (size_t)(end - at), key, strlen(key));
        if (i == count) {
            assert_null(at);
            return;
        }
        assert_non_null(at);
        at += strlen(key);
        assert_memory_equal(at, values[i], strlen(values[i]));
    }
}

static void what_an_order_leaves_out_is_not_listed_and_the_rest_in_that_order(void **state)
{
    static const char *const tried[] = {"\"b\"", "\"a\""};
    static const char *const serving[] = {"\"a\"", "\"b\""};
    (void)state;
    expect_ids("", "x/m");
    assert_int_equal(run(remora_listing_count, "", ""), REMORA_OK);
    assert_true(says("\"count\":1"));
    assert_int_equal(run(remora_listing_model, "x/o", ""), REMORA_CONSTRAINT_FILTERED);
    assert_non_null(strstr(f.fail.message, "not_in_order (POLICY_LAYER_SERVICE)"));
    assert_int_equal(run(remora_listing_endpoints, "x/m", ""), REMORA_OK);
    expect_in_order("\"tag\":", tried, REMORA_COUNT_OF(tried));
    assert_int_equal(run(remora_listing_providers, "", ""), REMORA_OK);
    expect_in_order("\"slug\":", serving, REMORA_COUNT_OF(serving));
}

static void where_only_the_first_is_tried_it_alone_is_listed(void **state)
{
    static const char *const first[] = {"\"a\""};
    (void)state;
    expect_ids("", "x/m x/o");
    assert_int_equal(run(remora_listing_endpoints, "x/m", ""), REMORA_OK);
    expect_in_order("\"tag\":", first, REMORA_COUNT_OF(first));
    assert_int_equal(run(remora_listing_providers, "", ""), REMORA_OK);
    assert_false(says("\"slug\":\"b\""));
}

static void providers_and_zdr_endpoints(void **state)
{
    (void)state;
    assert_int_equal(run(remora_listing_providers, "", ""), REMORA_OK);
    assert_true(says("\"slug\":\"a\"") && says("\"slug\":\"b\""));
    assert_int_equal(run(remora_listing_zdr, "", ""), REMORA_OK);
    assert_true(says("\"model_id\":\"x/cheap\"") && !says("x/dear") && !says("z/denied"));
}

static void every_allocation_may_fail(void **state)
{
    static const remora_listing_fn lists[] = {remora_listing_models, remora_listing_model,
                                              remora_listing_endpoints, remora_listing_providers,
                                              remora_listing_zdr};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(lists); i++) {
        bool is_whole = false;
        for (uint64_t nth = 1; !is_whole; nth++) {
            remora_arena_fini(&f.arena);
            remora_arena_init(&f.arena, 256, 1 << 20);
            remora_buf_fini(&f.out);
            remora_buf_init(&f.out, 1 << 20);
            remora_alloc_fail_at(nth, true);
            enum remora_code code = run(lists[i], "x/cheap", "q=%20&limit=1");
            remora_alloc_fail_at(0, false);
            is_whole = code == REMORA_OK && f.arena.failed == REMORA_OK &&
                       remora_buf_code(&f.out) == REMORA_OK;
        }
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int set_up_catalog(void **state)
{
    (void)state;
    set_up_with("version: 1\nproviders: {xai: {api_key: {env: KEY}}}\n");
    return 0;
}

static void a_model_says_when_it_may_be_gone(void **state)
{
    (void)state;
    assert_int_equal(run(remora_listing_model, "x-ai/grok-4", ""), REMORA_OK);
    assert_true(says("\"expiration_date\":\"2026-05-15\""));
    assert_int_equal(run(remora_listing_model, "x-ai/grok-4.3", ""), REMORA_OK);
    assert_true(says("\"expiration_date\":null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_the_service_may_use_is_listed_free_ids_apart),
        CASE(filters_narrow_the_list),
        CASE(order_puts_what_is_not_known_last),
        CASE(pages_link_to_the_next),
        CASE(values_that_are_wrong_are_refused_by_name),
        CASE(one_model_in_both_shapes),
        CASE(the_models_themselves_are_those_of_the_list),
        CASE(one_is_found_or_refused_with_its_field),
        CASE(what_may_not_be_used_says_why),
        CASE(an_endpoint_that_rests_stays_with_another_status),
        CASE(providers_and_zdr_endpoints),
        cmocka_unit_test_setup_teardown(
            what_an_order_leaves_out_is_not_listed_and_the_rest_in_that_order, set_up_order,
            tear_down),
        cmocka_unit_test_setup_teardown(a_model_says_when_it_may_be_gone, set_up_catalog,
                                        tear_down),
        cmocka_unit_test_setup_teardown(where_only_the_first_is_tried_it_alone_is_listed,
                                        set_up_first_only, tear_down),
        CASE(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
