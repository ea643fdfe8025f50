/* The protobuf pre-scan: what it refuses, where it says so, and what it counts. */
#include "support.h"

#include "proto_schema.h"

#include <stdlib.h>

static const struct remora_proto_limits usual = {64, 1 << 20};

/* Scans a copy that ends where its allocation ends. */
static enum remora_code scan(struct remora_slice bytes, const struct remora_proto_limits *limits,
                             struct remora_fail *fail)
{
    char *copy = malloc(bytes.length + (bytes.length == 0));
    assert_non_null(copy);
    if (bytes.length > 0) {
        memcpy(copy, bytes.data, bytes.length);
    }
    enum remora_code rc =
        remora_proto_scan(remora_slice(copy, bytes.length), test_proto_schema(), limits, fail);
    free(copy);
    return rc;
}

#define GOOD(literal) assert_int_equal(scan(REMORA_SLICE(literal), &usual, NULL), REMORA_OK)

static void expect_refusal(struct remora_slice bytes, const char *param, const char *words)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(scan(bytes, &usual, &fail), REMORA_INVALID_REQUEST);
    assert_string_equal(fail.param, param);
    if (strstr(fail.message, words) == NULL) {
        fail_msg("\"%s\" instead of \"%s\"", fail.message, words);
    }
}

static void takes_every_kind_of_field(void **state)
{
    (void)state;
    GOOD("");
    GOOD("\x0A\x03"
         "abc");
    GOOD("\x0A\x00");
    GOOD("\x0A\x05"
         "a\xE2\x82\xAC"
         "b");
    GOOD("\x12\x00\x12\x02\x12\x00");
    GOOD("\x1A\x03\x0A\x01x\x22\x01y\x22\x00");
    GOOD("\x28\x00\x28\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
    GOOD("\x30\x01\x32\x03\x01\xFF\x01\x32\x00");
    GOOD("\x3D"
         "1234"
         "\x3A\x08"
         "12345678");
    GOOD("\x41"
         "12345678"
         "\x42\x08"
         "12345678");
    GOOD("\x4A\x02\xFF\x00\x52\x01\x80");
    GOOD("\x82\x01\x07\x0A\x01k\x12\x02\x28\x05");
    GOOD("\x89\x01"
         "12345678");
}

static void skips_unknown_fields_of_every_wire_type(void **state)
{
    (void)state;
    GOOD("\xA0\x06\x05");
    GOOD("\xA1\x06"
         "12345678");
    GOOD("\xA2\x06\x03\xFF\xFF\xFF");
    GOOD("\xA5\x06"
         "1234");
    GOOD("\xF8\xFF\xFF\xFF\x0F\x05");
}

static void refuses_malformed_bytes(void **state)
{
    (void)state;
    static const struct remora_slice bad[] = {
        REMORA_SLICE_INIT("\xA0\x06"),                     /* no value */
        REMORA_SLICE_INIT("\x80"),                         /* cut tag */
        REMORA_SLICE_INIT("\x00\x00"),                     /* field 0 */
        REMORA_SLICE_INIT("\x80\x80\x80\x80\x10\x00"),     /* field 2^29 */
        REMORA_SLICE_INIT("\x88\x80\x80\x80\x80\x00\x00"), /* tag of six bytes */
        REMORA_SLICE_INIT("\xA0\x06\x80"),                 /* cut varint */
        REMORA_SLICE_INIT("\xA0\x06\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), /* 11 bytes */
        REMORA_SLICE_INIT("\xA2\x06\x02x"),                                        /* too long */
        REMORA_SLICE_INIT("\xA2\x06\x81\x80\x80\x80\x80\x00x"), /* length of six bytes */
        REMORA_SLICE_INIT("\xA2\x06\xFF\xFF\xFF\xFF\x0F"),      /* 4 GiB */
        REMORA_SLICE_INIT("\xA1\x06"
                          "1234567"),
        REMORA_SLICE_INIT("\xA5\x06"
                          "123"),
        REMORA_SLICE_INIT("\xA3\x06\xA4\x06"), /* a group */
        REMORA_SLICE_INIT("\xA4\x06"),
        REMORA_SLICE_INIT("\xA6\x06\x00"),
        REMORA_SLICE_INIT("\xA7\x06\x00"),
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        expect_refusal(bad[i], "", "the message is not well-formed protobuf");
    }
    expect_refusal(REMORA_SLICE("\x28\x80"), "count", "not well-formed");
    expect_refusal(REMORA_SLICE("\x32\x02\x01\x80"), "counts", "not well-formed");
    expect_refusal(REMORA_SLICE("\x3A\x05"
                                "12345"),
                   "floats", "not well-formed");
    expect_refusal(REMORA_SLICE("\x42\x07"
                                "1234567"),
                   "doubles", "not well-formed");
}

static void a_field_may_not_reach_beyond_its_message(void **state)
{
    (void)state;
    expect_refusal(REMORA_SLICE("\x12\x03\x0A\x02x\x28\x00"), "child.text", "not well-formed");
    expect_refusal(REMORA_SLICE("\x12\x01\x28\x05"), "child.count", "not well-formed");
}

static void every_cut_inside_a_field_is_refused(void **state)
{
    (void)state;
    struct remora_slice whole = REMORA_SLICE("\x12\x12\x1A\x10\x82\x01\x0D\x0A\x01k\x12\x08\x42\x06"
                                             "123456");
    for (size_t length = 1; length < whole.length; length++) {
        assert_int_equal(scan(remora_slice(whole.data, length), &usual, NULL),
                         REMORA_INVALID_REQUEST);
    }
}

static void refuses_the_wrong_wire_type(void **state)
{
    (void)state;
    expect_refusal(REMORA_SLICE("\x08\x05"), "text", "wrong wire type");
    expect_refusal(REMORA_SLICE("\x10\x05"), "child", "wrong wire type");
    expect_refusal(REMORA_SLICE("\x2A\x01\x05"), "count", "wrong wire type");
    expect_refusal(REMORA_SLICE("\x35"
                                "1234"),
                   "counts", "wrong wire type");
    expect_refusal(REMORA_SLICE("\x38\x01"), "floats", "wrong wire type");
    expect_refusal(REMORA_SLICE("\x8A\x01\x08"
                                "12345678"),
                   "at", "wrong wire type");
    expect_refusal(REMORA_SLICE("\x20\x01"), "tags[0]", "wrong wire type");
}

static void text_is_utf8_without_nul(void **state)
{
    (void)state;
    expect_refusal(REMORA_SLICE("\x0A\x02\xC3("), "text", "is not UTF-8");
    expect_refusal(REMORA_SLICE("\x0A\x03"
                                "a\0b"),
                   "text", "holds a NUL");
    expect_refusal(REMORA_SLICE("\x82\x01\x03\x0A\x01\xFF"), "extra[0].key", "is not UTF-8");
}

static void names_the_place_in_repeated_fields(void **state)
{
    (void)state;
    expect_refusal(REMORA_SLICE("\x22\x01x\x28\x01\xA2\x06\x02\x22\x00\x22\x01y\x22\x01\xFF"),
                   "tags[2]", "tags[2] is not UTF-8");
    expect_refusal(REMORA_SLICE("\x1A\x00\x22\x01x\x1A\x08\x12\x06\x1A\x00\x1A\x02\x08\x01"),
                   "items[1].child.items[1].text", "wrong wire type");
    expect_refusal(REMORA_SLICE("\x12\x04\x12\x02\x00\x00"), "child.child", "not well-formed");
}

/* `depth` messages inside the root. Returns where the bytes begin in `out`, which they fill to its end. */
static struct remora_slice nested(char *out, size_t bytes, unsigned depth)
{
    size_t at = bytes;
    for (unsigned i = 0; i < depth; i++) {
        size_t length = bytes - at;
        if (length >= 128) {
            out[--at] = (char)(length >> 7);
            out[--at] = (char)((length & 127) | 128);
        } else {
            out[--at] = (char)length;
        }
        out[--at] = '\x12';
    }
    return remora_slice(out + at, bytes - at);
}

static void depth_is_limited_exactly(void **state)
{
    (void)state;
    char out[60000];
    struct remora_fail fail = REMORA_FAIL_INIT;
    static const struct remora_proto_limits three = {3, 1 << 20};
    assert_int_equal(scan(nested(out, sizeof out, 63), &usual, NULL), REMORA_OK);
    assert_int_equal(scan(nested(out, sizeof out, 64), &usual, NULL), REMORA_INVALID_REQUEST);
    assert_int_equal(scan(nested(out, sizeof out, 5000), &usual, NULL), REMORA_INVALID_REQUEST);
    assert_int_equal(scan(nested(out, sizeof out, 2), &three, NULL), REMORA_OK);
    assert_int_equal(scan(nested(out, sizeof out, 3), &three, &fail), REMORA_INVALID_REQUEST);
    assert_string_equal(fail.param, "child.child.child");
    assert_non_null(strstr(fail.message, "nested too deeply"));
}

/* The least limit under which these bytes pass. */
static size_t cost_of(struct remora_slice bytes)
{
    struct remora_proto_limits limits = {64, 0};
    struct remora_fail fail = REMORA_FAIL_INIT;
    while (scan(bytes, &limits, &fail) != REMORA_OK) {
        assert_int_equal(fail.code, REMORA_TOO_LARGE);
        fail.code = REMORA_OK;
        limits.unpacked_bytes++;
        assert_true(limits.unpacked_bytes < 2000);
    }
    return limits.unpacked_bytes;
}

static void counts_what_unpacking_takes(void **state)
{
    (void)state;
    static const struct {
        struct remora_slice bytes;
        size_t cost; /* beyond the root */
    } cases[] = {
        {REMORA_SLICE_INIT(""), 0},
        {REMORA_SLICE_INIT("\x0A\x03"
                           "abc"),
         3},
        {REMORA_SLICE_INIT("\x22\x03"
                           "abc"),
         3 + 16},
        {REMORA_SLICE_INIT("\x12\x00"), TEST_PROTO_NODE_BYTES},
        {REMORA_SLICE_INIT("\x1A\x00\x1A\x00"), 2 * (TEST_PROTO_NODE_BYTES + sizeof(void *))},
        {REMORA_SLICE_INIT("\x28\x01"), 0},
        {REMORA_SLICE_INIT("\x30\x01"), 8},
        {REMORA_SLICE_INIT("\x32\x03\x01\x02\x03"), 24},
        {REMORA_SLICE_INIT("\x3A\x08"
                           "12345678"),
         16},
        {REMORA_SLICE_INIT("\x4A\x02xy"), 2},
        {REMORA_SLICE_INIT("\x52\x02xy"), 18},
        {REMORA_SLICE_INIT("\xA2\x06\x03xyz"), 36},
        {REMORA_SLICE_INIT("\x82\x01\x03\x0A\x01k"), TEST_PROTO_ENTRY_BYTES + sizeof(void *) + 1},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_int_equal(cost_of(cases[i].bytes), TEST_PROTO_NODE_BYTES + cases[i].cost);
    }
}

static void a_mebibyte_of_empty_messages_is_too_large(void **state)
{
    (void)state;
    size_t length = 1 << 20;
    char *bytes = malloc(length);
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i += 2) {
        bytes[i] = '\x1A';
        bytes[i + 1] = '\0';
    }
    assert_int_equal(scan(remora_slice(bytes, length), &usual, &fail), REMORA_TOO_LARGE);
    assert_string_equal(fail.param, "items[9708]");
    free(bytes);
}

/* What comes in pieces is merged, and each merge copies what the lists of the earlier pieces hold. */
static void pieces_of_one_message_cost_their_merge(void **state)
{
    (void)state;
    static const struct {
        struct remora_slice bytes;
        size_t cost; /* beyond the root and the children with what they hold */
    } cases[] = {
        {REMORA_SLICE_INIT("\x12\x00\x12\x00"), 0},
        {REMORA_SLICE_INIT("\x12\x02\x30\x01\x12\x00"), 8 + 8 * 2},
        {REMORA_SLICE_INIT("\x12\x02\x30\x01\x12\x02\x30\x01"), 2 * 8 + 8 * 2},
        {REMORA_SLICE_INIT("\x12\x04\x12\x02\x30\x01\x12\x02\x12\x00"),
         2 * TEST_PROTO_NODE_BYTES + 8 + 8 * 4},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_int_equal(cost_of(cases[i].bytes), 3 * TEST_PROTO_NODE_BYTES + cases[i].cost);
    }
}

/* `count` pieces of the child, each with `length` bytes of `body`, through a wide limit. */
static enum remora_code scan_pieces(size_t count, const char *body, size_t length,
                                    struct remora_fail *fail)
{
    static const struct remora_proto_limits wide = {64, 160 << 20};
    char bytes[4096];
    size_t at = 0;
    assert_true(count * (length + 2) <= sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        bytes[at++] = '\x12';
        bytes[at++] = (char)length;
        memcpy(bytes + at, body, length);
        at += length;
    }
    return scan(remora_slice(bytes, at), &wide, fail);
}

static void a_message_in_many_pieces_is_too_large(void **state)
{
    (void)state;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(scan_pieces(17, "\x22\x01y", 3, NULL), REMORA_OK);
    assert_int_equal(scan_pieces(18, "\x22\x01y", 3, &fail), REMORA_TOO_LARGE);
    assert_string_equal(fail.param, "child");
    assert_non_null(strstr(fail.message, "too many pieces"));
    assert_int_equal(scan_pieces(500, "", 0, NULL), REMORA_TOO_LARGE);
    /* All pieces of the whole message count, at whatever depth they are. */
    fail = (struct remora_fail)REMORA_FAIL_INIT;
    assert_int_equal(scan_pieces(5, "\x12\x00\x12\x00\x12\x00\x12\x00", 8, &fail),
                     REMORA_TOO_LARGE);
    assert_string_equal(fail.param, "child.child");
    assert_int_equal(scan_pieces(4, "\x12\x00\x12\x00\x12\x00\x12\x00", 8, NULL), REMORA_OK);
    /* Elements of a list are no pieces. */
    assert_int_equal(scan_pieces(1, "\x1A\x00\x1A\x00\x1A\x00\x1A\x00", 8, NULL), REMORA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_kind_of_field),
        cmocka_unit_test(skips_unknown_fields_of_every_wire_type),
        cmocka_unit_test(refuses_malformed_bytes),
        cmocka_unit_test(a_field_may_not_reach_beyond_its_message),
        cmocka_unit_test(every_cut_inside_a_field_is_refused),
        cmocka_unit_test(refuses_the_wrong_wire_type),
        cmocka_unit_test(text_is_utf8_without_nul),
        cmocka_unit_test(names_the_place_in_repeated_fields),
        cmocka_unit_test(depth_is_limited_exactly),
        cmocka_unit_test(counts_what_unpacking_takes),
        cmocka_unit_test(a_mebibyte_of_empty_messages_is_too_large),
        cmocka_unit_test(pieces_of_one_message_cost_their_merge),
        cmocka_unit_test(a_message_in_many_pieces_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
