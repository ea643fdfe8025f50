/* The schema of the configuration is JSON and has every key of the table; what it refuses is tests/scenario/test_schema.py's. */
#include "support.h"

#include "remora/buf.h"
#include "remora/config.h"
#include "remora/json.h"
#include "remora/limits.h"

static struct remora_buf out;
static struct remora_arena arena;
static struct remora_json_doc doc;

static int set_up(void **state)
{
    (void)state;
    const struct remora_json_limits limits = {.depth = 16, .nodes = 20000};
    struct remora_json_error error;
    remora_buf_init(&out, 1 << 20);
    remora_arena_init(&arena, 1 << 16, 1 << 24);
    remora_config_schema(&out, REMORA_SCHEMA_DOCUMENT);
    assert_int_equal(remora_buf_code(&out), REMORA_OK);
    assert_int_equal(remora_json_parse(remora_buf_slice(&out), &arena, &limits, &doc, &error),
                     REMORA_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_arena_fini(&arena);
    remora_buf_fini(&out);
    return 0;
}

/* The definition of an object of the table: "MAX_PRICE" is $defs.max_price, DOCUMENT the root. */
static struct remora_json definition(const char *object)
{
    char name[32] = "";
    struct remora_json root = remora_json_root(&doc);
    if (strcmp(object, "DOCUMENT") == 0) {
        return root;
    }
    for (size_t i = 0; object[i] != '\0' && i < sizeof name - 1; i++) {
        name[i] = object[i] == '_' ? '_' : (char)(object[i] | 0x20);
    }
    return remora_json_get(remora_json_get(root, "$defs"), name);
}

static void every_key_of_the_table_is_described_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *object;
        const char *key;
        int64_t max;
    } rows[] = {
#define REMORA_CONFIG_KEY(object, id, key, type, values, min, max, ...) {#object, key, max},
#include "remora/tbl/config_keys.h"
#undef REMORA_CONFIG_KEY
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct remora_json keys = remora_json_get(definition(rows[i].object), "properties");
        struct remora_json key = remora_json_get(keys, rows[i].key);
        if (!remora_json_is(remora_json_get(key, "description"), REMORA_JSON_STRING)) {
            fail_msg("%s.%s", rows[i].object, rows[i].key);
        }
        int64_t most;
        if (remora_json_int64(remora_json_get(key, "maximum"), &most)) {
            assert_int_equal(most, rows[i].max);
        }
    }
}

static void a_policy_file_has_a_schema_without_the_rest(void **state)
{
    (void)state;
    const struct remora_json_limits limits = {.depth = 16, .nodes = 20000};
    struct remora_json_error error;
    struct remora_json_doc policy;
    struct remora_buf text;
    remora_buf_init(&text, 1 << 20);
    remora_config_schema(&text, REMORA_SCHEMA_POLICY);
    assert_int_equal(remora_json_parse(remora_buf_slice(&text), &arena, &limits, &policy, &error),
                     REMORA_OK);
    struct remora_json root = remora_json_root(&policy);
    struct remora_json defs = remora_json_get(root, "$defs");
    assert_int_equal(remora_json_count(remora_json_get(root, "properties")), 3);
    assert_true(remora_json_is(remora_json_get(defs, "max_price"), REMORA_JSON_OBJECT));
    assert_true(remora_json_is_absent(remora_json_get(defs, "provider")));
    assert_int_equal(remora_json_count(defs), 4);
    remora_buf_fini(&text);
}

static void a_buffer_without_room_says_so(void **state)
{
    (void)state;
    struct remora_buf small;
    remora_buf_init(&small, 100);
    remora_config_schema(&small, REMORA_SCHEMA_DOCUMENT);
    assert_int_equal(remora_buf_code(&small), REMORA_TOO_LARGE);
    remora_buf_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_key_of_the_table_is_described_where_it_stands, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_policy_file_has_a_schema_without_the_rest, set_up,
                                        tear_down),
        cmocka_unit_test(a_buffer_without_room_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
