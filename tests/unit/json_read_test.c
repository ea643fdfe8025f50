/* The JSON parser: the vectors, the tape, errors, limits, and every allocation failing once. */
#include "support.h"

#include "remora/json.h"
#include "remora/json_fold.h"
#include "remora/limits.h"

#include <stdio.h>
#include <stdlib.h>

static const struct remora_json_limits usual = {REMORA_LIMIT_JSON_DEPTH, REMORA_LIMIT_JSON_NODES};

/* Parses a copy that ends where its allocation ends, so that a sanitizer sees one byte too many. */
static enum remora_code parse(struct remora_slice text, const struct remora_json_limits *limits,
                              struct remora_json_error *error)
{
    struct remora_arena arena;
    struct remora_json_doc doc;
    char *copy = malloc(text.length + (text.length == 0));
    assert_non_null(copy);
    if (text.length > 0) {
        memcpy(copy, text.data, text.length);
    }
    remora_arena_init(&arena, 4096, 64 << 20);
    enum remora_code rc =
        remora_json_parse(remora_slice(copy, text.length), &arena, limits, &doc, error);
    remora_arena_fini(&arena);
    free(copy);
    return rc;
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* %XX in place; returns the length. */
static size_t decode_line(char *line, size_t length)
{
    size_t to = 0;
    for (size_t at = 0; at < length; at++) {
        if (line[at] == '%') {
            line[to++] = (char)(hex_digit(line[at + 1]) << 4 | hex_digit(line[at + 2]));
            at += 2;
        } else {
            line[to++] = line[at];
        }
    }
    return to;
}

/* Parses every vector of a file and returns how many there are. */
static size_t check_vectors(const char *name, enum remora_code expected)
{
    char path[512];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/unit/vectors/%s", REMORA_TESTS_DIR, name);
    struct remora_slice file = test_read_file(path);
    for (size_t at = 0; at < file.length;) {
        size_t end = remora_slice_find(file, '\n', at);
        char *line = (char *)(uintptr_t)(file.data + at);
        if (line[0] != '#') {
            size_t length = decode_line(line, end - at);
            enum remora_code rc = parse(remora_slice(line, length), &usual, NULL);
            if (rc != expected) {
                fail_msg("%s: code %d for %.*s", name, (int)rc, (int)length, line);
            }
            count++;
        }
        at = end + 1;
    }
    free((void *)(uintptr_t)file.data);
    return count;
}

static void accepts_what_rfc_8259_derives(void **state)
{
    (void)state;
    assert_true(check_vectors("json_accepted.txt", REMORA_OK) >= 95);
}

static void refuses_what_rfc_8259_does_not_derive(void **state)
{
    (void)state;
    assert_true(check_vectors("json_refused.txt", REMORA_INVALID_REQUEST) >= 188);
    assert_int_equal(parse((struct remora_slice){0}, &usual, NULL), REMORA_INVALID_REQUEST);
}

/* No prefix of a whole object is a text. */
static void refuses_every_cut_of_a_text(void **state)
{
    (void)state;
    struct remora_slice text = REMORA_SLICE(
        "{\"a\":[1.5e3,true,null,\"\\ud83d\\ude00 \xE2\x82\xAC\"],\"b\":{\"c\":false}}");
    assert_int_equal(parse(text, &usual, NULL), REMORA_OK);
    for (size_t length = 0; length < text.length; length++) {
        assert_int_equal(parse(remora_slice(text.data, length), &usual, NULL),
                         REMORA_INVALID_REQUEST);
    }
}

/* The scanner works in blocks: a stop byte at every place of every length up to two blocks and more. */
static void finds_the_end_of_a_string_at_every_alignment(void **state)
{
    (void)state;
    static const struct {
        char byte;
        enum remora_code code;
    } stops[] = {{'x', REMORA_OK},
                 {'\x7F', REMORA_OK},
                 {'"', REMORA_INVALID_REQUEST},
                 {'\\', REMORA_INVALID_REQUEST},
                 {'\x1F', REMORA_INVALID_REQUEST},
                 {'\0', REMORA_INVALID_REQUEST},
                 {'\x80', REMORA_INVALID_REQUEST},
                 {'\xFF', REMORA_INVALID_REQUEST}};
    for (size_t length = 1; length < 50; length++) {
        for (size_t at = 0; at < length; at++) {
            for (size_t i = 0; i < REMORA_COUNT_OF(stops); i++) {
                char text[64];
                memset(text, '!', sizeof text);
                text[0] = '"';
                text[1 + at] = stops[i].byte;
                text[1 + length] = '"';
                assert_int_equal(parse(remora_slice(text, length + 2), &usual, NULL),
                                 stops[i].code);
            }
        }
    }
}

static void tells_where_it_went_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
        const char *reason;
    } cases[] = {
        {"{\"a\":1,}", 7, "a member name in quotes was expected"},
        {"[1 2]", 3, "a comma or ] was expected"},
        {"{\"a\" 1}", 5, "a colon was expected"},
        {"[1", 2, "the JSON text ends too early"},
        {"[01]", 2, "a number begins with a superfluous 0"},
        {"[\"\\x\"]", 3, "no such escape in a string"},
        {"[] x", 3, "something follows the JSON value"},
        {"[nule]", 4, "no such literal in JSON"},
        {"[\"good\",\"a\xff\"]", 9, "a string is not UTF-8"},
        {"{\"a\x01\":1}", 3, "a control character in a string must be escaped"},
        {"{\"a\\x\":1}", 4, "no such escape in a string"},
        {"[\"\\ud800xudc00\"]", 8, "a surrogate escape stands alone"},
        {"[\"\\ud800\\ndc00\"]", 8, "a surrogate escape stands alone"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_json_error error = {0};
        assert_int_equal(parse(remora_slice_of(cases[i].text), &usual, &error),
                         REMORA_INVALID_REQUEST);
        assert_int_equal(error.offset, cases[i].offset);
        assert_string_equal(error.reason, cases[i].reason);
    }
}

static void depth_is_limited_exactly(void **state)
{
    (void)state;
    char text[200];
    for (size_t depth = 63; depth <= 65; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(parse(remora_slice(text, 2 * depth), &usual, NULL),
                         depth <= 64 ? REMORA_OK : REMORA_TOO_LARGE);
    }
}

static void a_million_open_brackets_cost_no_stack(void **state)
{
    (void)state;
    size_t length = 1000000;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, '[', length);
    struct remora_json_limits wide = {UINT32_MAX, UINT32_MAX};
    assert_int_equal(parse(remora_slice(text, length), &wide, NULL), REMORA_INVALID_REQUEST);
    assert_int_equal(parse(remora_slice(text, length), &usual, NULL), REMORA_TOO_LARGE);
    free(text);
}

static void values_are_limited_and_names_do_not_count(void **state)
{
    (void)state;
    struct remora_json_limits four = {8, 4};
    assert_int_equal(parse(REMORA_SLICE("[1,2,3]"), &four, NULL), REMORA_OK);
    assert_int_equal(parse(REMORA_SLICE("{\"a\":1,\"b\":2,\"c\":3}"), &four, NULL), REMORA_OK);
    assert_int_equal(parse(REMORA_SLICE("[1,2,3,4]"), &four, NULL), REMORA_TOO_LARGE);
}

static void a_full_arena_is_too_large(void **state)
{
    (void)state;
    struct remora_arena arena;
    struct remora_json_doc doc;
    struct remora_json_error error;
    char text[2001];
    memset(text, '1', sizeof text);
    text[0] = '[';
    for (size_t i = 2; i < sizeof text; i += 2) {
        text[i] = ',';
    }
    text[2000] = ']';
    remora_arena_init(&arena, 1024, 8000);
    assert_int_equal(
        remora_json_parse(remora_slice(text, sizeof text), &arena, &usual, &doc, &error),
        REMORA_TOO_LARGE);
    remora_arena_fini(&arena);
}

static void survives_each_allocation_failing(void **state)
{
    (void)state;
    struct remora_slice text =
        REMORA_SLICE("[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,"
                     "1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]");
    enum remora_code rc = REMORA_SHEDDING;
    uint64_t failures = 0;
    for (uint64_t nth = 1; rc == REMORA_SHEDDING; nth++) {
        struct remora_arena arena;
        struct remora_json_doc doc = {0};
        remora_arena_init(&arena, 256, 1 << 20);
        remora_alloc_fail_at(nth, false);
        rc = remora_json_parse(text, &arena, &usual, &doc, NULL);
        remora_alloc_fail_at(0, false);
        failures += rc == REMORA_SHEDDING;
        assert_int_equal(doc.nodes == NULL, rc != REMORA_OK);
        remora_arena_fini(&arena);
    }
    assert_int_equal(rc, REMORA_OK);
    assert_true(failures >= 2);
}

static void a_tape_takes_only_what_it_needs(void **state)
{
    (void)state;
    struct remora_arena arena;
    struct remora_json_doc doc;
    remora_arena_init(&arena, 64 << 10, 1 << 20);
    char *before = remora_arena_alloc(&arena, 16);
    assert_int_equal(remora_json_parse(REMORA_SLICE("{\"a\":[1,2]}"), &arena, &usual, &doc, NULL),
                     REMORA_OK);
    assert_int_equal(doc.node_count, 5);
    char *after = remora_arena_alloc(&arena, 16);
    assert_true((size_t)(after - before) <= 16 + 5 * sizeof *doc.nodes + 16);
    remora_arena_fini(&arena);
}

static void one_string_is_read_up_to_its_closing_quote(void **state)
{
    static const struct {
        const char *text; /* behind the opening quote */
        int length;       /* of what stands between the quotes; -1: it is no string */
        bool escaped;
    } cases[] = {
        {"\"", 0, false},
        {"a\"b\"", 1, false},
        {"a word of more than sixteen bytes\"}", 33, false},
        {"a\\\"b\":", 4, true},
        {"\\ud83d\\ude00\"", 12, true},
        {"\303\244\"", 2, false},
        {"", -1, false},
        {"no end", -1, false},
        {"a\nb\"", -1, false},
        {"\\x\"", -1, false},
        {"\\ud83d\"", -1, false},
        {"\\u12\"", -1, false},
        {"\377\"", -1, false},
        {"ends in a backslash\\", -1, false},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        struct remora_slice raw = {0};
        bool escaped = false;
        bool is_one = remora_json_scan_string(remora_slice_of(cases[i].text), &raw, &escaped);
        assert_int_equal(is_one, cases[i].length >= 0);
        assert_int_equal(raw.length, cases[i].length < 0 ? 0 : cases[i].length);
        assert_int_equal(escaped, cases[i].escaped);
    }
}

static const struct remora_json_fold deep = {.member = REMORA_SLICE_INIT("deep"), .levels = 2};

static void what_is_folded_is_one_node_with_its_text(void **state)
{
    struct remora_arena arena;
    struct remora_json_doc doc;
    struct remora_json_iter it;
    struct remora_slice text = REMORA_SLICE("{\"a\":[{\"b\":[1]}],\"deep\":{\"list\":[{\"t\":[1,2],"
                                            "\"u\":{}},3,[]],\"deep\":{\"x\":[[4]]}},"
                                            "\"z\":[{\"b\":1}]}");
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(remora_json_parse_folded(text, &arena, &usual, &deep, &doc, NULL), REMORA_OK);
    struct remora_json root = remora_json_root(&doc);
    struct remora_json list = remora_json_get(remora_json_get(root, "deep"), "list");
    assert_int_equal(remora_json_count(list), 3);
    remora_json_iter_begin(&it, list);
    assert_true(remora_json_iter_next(&it));
    assert_slice_equal(remora_json_raw(it.value), "{\"t\":[1,2],\"u\":{}}");
    assert_int_equal(remora_json_count(it.value), 0);
    assert_true(remora_json_iter_next(&it));
    assert_slice_equal(remora_json_raw(it.value), "3");
    assert_true(remora_json_iter_next(&it));
    assert_slice_equal(remora_json_raw(it.value), "[]");
    assert_false(remora_json_iter_next(&it));
    struct remora_json inner = remora_json_get(remora_json_get(root, "deep"), "deep");
    assert_slice_equal(remora_json_raw(remora_json_get(inner, "x")), "[[4]]");
    /* Before it and behind it nothing is folded. */
    assert_int_equal(remora_json_count(remora_json_at(remora_json_get(root, "a"), 0)), 1);
    assert_int_equal(remora_json_count(remora_json_at(remora_json_get(root, "z"), 0)), 1);
    assert_int_equal(doc.node_count, 23);
    remora_arena_fini(&arena);
}

static void what_is_folded_is_checked_and_does_not_count(void **state)
{
    static const char *const wrong[] = {
        "{\"deep\":{\"list\":[{\"t\":[1,]}]}}", "{\"deep\":{\"list\":[{\"t\" 1}]}}",
        "{\"deep\":{\"list\":[{\"t\":\"\377\"}]}}", "{\"deep\":{\"list\":[[1}]}}"};
    const struct remora_json_limits few = {8, 12};
    struct remora_arena arena;
    struct remora_json_doc doc;
    (void)state;
    remora_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < REMORA_COUNT_OF(wrong); i++) {
        assert_int_equal(
            remora_json_parse_folded(remora_slice_of(wrong[i]), &arena, &usual, &deep, &doc, NULL),
            REMORA_INVALID_REQUEST);
    }
    struct remora_slice many = REMORA_SLICE(
        "{\"deep\":{\"list\":[{\"t\":[1,2,3]},{\"t\":[1,2,3]},{\"t\":[1,2,3]}]},\"x\":[1]}");
    assert_int_equal(remora_json_parse_folded(many, &arena, &few, &deep, &doc, NULL), REMORA_OK);
    assert_int_equal(remora_json_parse(many, &arena, &few, &doc, NULL), REMORA_TOO_LARGE);
    remora_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_rfc_8259_derives),
        cmocka_unit_test(refuses_what_rfc_8259_does_not_derive),
        cmocka_unit_test(refuses_every_cut_of_a_text),
        cmocka_unit_test(finds_the_end_of_a_string_at_every_alignment),
        cmocka_unit_test(tells_where_it_went_wrong),
        cmocka_unit_test(depth_is_limited_exactly),
        cmocka_unit_test(a_million_open_brackets_cost_no_stack),
        cmocka_unit_test(values_are_limited_and_names_do_not_count),
        cmocka_unit_test(a_full_arena_is_too_large),
        cmocka_unit_test(survives_each_allocation_failing),
        cmocka_unit_test(a_tape_takes_only_what_it_needs),
        cmocka_unit_test(one_string_is_read_up_to_its_closing_quote),
        cmocka_unit_test(what_is_folded_is_one_node_with_its_text),
        cmocka_unit_test(what_is_folded_is_checked_and_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
