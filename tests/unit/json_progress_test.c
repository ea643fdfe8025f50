/* Whether text in pieces is a whole value: held to the parser at every prefix and every cut. */
#include "support.h"

#include "remora/json.h"
#include "remora/limits.h"

static bool parses(struct remora_slice text)
{
    static const struct remora_json_limits limits = {REMORA_LIMIT_JSON_DEPTH, UINT32_MAX};
    struct remora_arena arena;
    struct remora_json_doc doc;
    remora_arena_init(&arena, 4096, 1 << 20);
    bool is_taken = remora_json_parse(text, &arena, &limits, &doc, NULL) == REMORA_OK;
    remora_arena_fini(&arena);
    return is_taken;
}

static bool is_whole_cut(struct remora_slice text, size_t at)
{
    struct remora_json_progress progress = {0};
    remora_json_progress_feed(&progress, remora_slice(text.data, at));
    remora_json_progress_feed(&progress, remora_slice(text.data + at, text.length - at));
    return remora_json_progress_is_whole(&progress);
}

/* Every prefix, cut at every byte. */
static void expect_as_parsed(const char *text)
{
    for (size_t length = 0; length <= strlen(text); length++) {
        struct remora_slice prefix = remora_slice(text, length);
        bool is_taken = parses(prefix);
        for (size_t at = 0; at <= length; at++) {
            if (is_whole_cut(prefix, at) != is_taken) {
                fail_msg("%.*s cut at %zu", (int)length, text, at);
            }
        }
    }
}

static void arguments_are_whole_exactly_where_the_parser_takes_them(void **state)
{
    static const char *const texts[] = {
        "{\"city\":\"Oslo\",\"days\":[1,-2.5e+3,0.1E1,0],\"deep\":{\"a\":{},\"b\":[]},\"t\":true,"
        "\"f\":false,\"n\":null}",
        " \t\r\n[ ] ",
        "\"a \\\"quoted\\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u00e4 \\uD83D\\uDE00 long enough to be "
        "skipped in one go, \xc3\xa4 too\"",
        "-0.5e-10",
        "12345",
        "[[[[{\"a\":[{}]}]]]]",
        "{} {}",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(texts); i++) {
        expect_as_parsed(texts[i]);
    }
}

static void what_is_no_json_never_becomes_whole(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "}",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "1,2",
        "[1;2]",
        "[\"a\"x\"b\"]",
        "{\"a\":1x\"b\":2}",
        "{a:1}",
        "{'a':1}",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "1.e3",
        "1e",
        "1e+",
        "1ee1",
        "1e1e1",
        "1.2.3",
        "+1",
        "tru",
        "trua",
        "nul",
        "falsey",
        "True",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "1,",
        "\"\\uD800\"",
        "\"\\uDC00\"",
        "\"\\uD800\\n\"",
        "\"\\uD800\\u0041\"",
        "\"\\uD800x\"",
        "\"a\nb\"",
        "[1]]",
        "{\"a\":1}}",
        ",",
        ":",
        "{1:2}",
        "{\"a\",\"b\"}",
        "{\"a\"::1}",
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(texts); i++) {
        struct remora_json_progress progress = {0};
        remora_json_progress_feed(&progress, remora_slice_of(texts[i]));
        assert_false(parses(remora_slice_of(texts[i])));
        if (remora_json_progress_is_whole(&progress)) {
            fail_msg("%s", texts[i]);
        }
        expect_as_parsed(texts[i]);
    }
}

static void as_deep_as_the_parser_and_no_deeper(void **state)
{
    char text[2 * (REMORA_LIMIT_JSON_DEPTH + 1) + 1];
    (void)state;
    for (size_t depth = REMORA_LIMIT_JSON_DEPTH; depth <= REMORA_LIMIT_JSON_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct remora_slice all = remora_slice(text, 2 * depth);
        assert_int_equal(parses(all), depth == REMORA_LIMIT_JSON_DEPTH);
        assert_int_equal(is_whole_cut(all, depth), depth == REMORA_LIMIT_JSON_DEPTH);
    }
}

static void nothing_and_blanks_are_empty(void **state)
{
    struct remora_json_progress progress = {0};
    (void)state;
    assert_true(remora_json_progress_is_empty(&progress));
    remora_json_progress_feed(&progress, REMORA_SLICE(" \n"));
    assert_true(remora_json_progress_is_empty(&progress));
    remora_json_progress_feed(&progress, REMORA_SLICE("[1,"));
    assert_false(remora_json_progress_is_empty(&progress));
    remora_json_progress_feed(&progress, REMORA_SLICE("2]"));
    assert_false(remora_json_progress_is_empty(&progress));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_and_blanks_are_empty),
        cmocka_unit_test(arguments_are_whole_exactly_where_the_parser_takes_them),
        cmocka_unit_test(what_is_no_json_never_becomes_whole),
        cmocka_unit_test(as_deep_as_the_parser_and_no_deeper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
