/* YAML beside the configuration as JSON text. */
#include "support.h"

#include "remora/config.h"

static struct remora_arena arena;
static struct remora_buf out;

static enum remora_code convert(const char *yaml, struct remora_fail *fail)
{
    remora_arena_init(&arena, 4096, 1 << 20);
    remora_buf_init(&out, 1 << 16);
    return remora_yaml_to_json(remora_slice_of(yaml), &arena, &out, fail);
}

static void let_go(void)
{
    remora_buf_fini(&out);
    remora_arena_fini(&arena);
}

static void expect(const char *yaml, const char *json)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(convert(yaml, &fail), REMORA_OK);
    assert_slice_equal(remora_buf_slice(&out), json);
    let_go();
}

static void plain_words_of_json_are_what_they_say(void **state)
{
    (void)state;
    expect("[1, -2.5, 1e3, true, false, null, ~, ]", "[1,-2.5,1e3,true,false,null,null]");
    expect("a:\n", "{\"a\":null}");
}

static void everything_else_is_text(void **state)
{
    (void)state;
    expect("[yes, 01, .5, 0x10, +1, True, 1 2, \"1\", 'true', \"null\", a/b:free]",
           "[\"yes\",\"01\",\".5\",\"0x10\",\"+1\",\"True\",\"1 "
           "2\",\"1\",\"true\",\"null\",\"a/b:free\"]");
}

static void mappings_and_lists_stay_what_they_are(void **state)
{
    (void)state;
    expect("a: {b: [x, {}], \"c d\": []}\n1: two\n",
           "{\"a\":{\"b\":[\"x\",{}],\"c d\":[]},\"1\":\"two\"}");
    expect("", "null");
    expect("t: \"a\\n\\\"b\"", "{\"t\":\"a\\n\\\"b\"}");
}

static void what_configurations_refuse_is_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"a: &x 1",      "a: *x", "a: !t 1",
                                          "{a: 1, a: 2}", "[1",    "? [a]\n: b"};
    for (size_t i = 0; i < REMORA_COUNT_OF(refused); i++) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        assert_int_equal(convert(refused[i], &fail), REMORA_INVALID_REQUEST);
        assert_true(fail.message[0] >= '1' && fail.message[0] <= '9'); /* line:column */
        let_go();
    }
}

static void a_lack_of_room_is_told(void **state)
{
    (void)state;
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_arena_init(&arena, 4096, 1 << 20);
    remora_buf_init(&out, 4);
    assert_int_equal(remora_yaml_to_json(REMORA_SLICE("[1, 2, 3]"), &arena, &out, &fail),
                     REMORA_TOO_LARGE);
    let_go();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_words_of_json_are_what_they_say),
        cmocka_unit_test(everything_else_is_text),
        cmocka_unit_test(mappings_and_lists_stay_what_they_are),
        cmocka_unit_test(what_configurations_refuse_is_refused),
        cmocka_unit_test(a_lack_of_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
