/* Base64, Retry-After, durations. */
#include "support.h"

#include "remora/text.h"

#include <time.h>

/* Vectors of RFC 4648 section 10. */
static void base64_encodes_and_decodes_the_rfcs_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < REMORA_COUNT_OF(pairs); i++) {
        struct remora_buf buf;
        char out[16];
        size_t length = 99;
        remora_buf_init(&buf, 100);
        remora_append_base64(&buf, remora_slice_of(pairs[i][0]));
        assert_slice_equal(remora_buf_slice(&buf), pairs[i][1]);
        assert_true(remora_base64_decode(remora_slice_of(pairs[i][1]), out, &length));
        assert_slice_equal(remora_slice(out, length), pairs[i][0]);
        remora_buf_fini(&buf);
    }
}

static void base64_carries_every_byte_there_and_back(void **state)
{
    (void)state;
    char bytes[256];
    char out[256];
    size_t length;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 167);
    }
    for (size_t size = 250; size <= 256; size++) {
        struct remora_buf buf;
        remora_buf_init(&buf, 1000);
        remora_append_base64(&buf, remora_slice(bytes, size));
        assert_true(remora_base64_is_valid(remora_buf_slice(&buf)));
        assert_true(remora_base64_decode(remora_buf_slice(&buf), out, &length));
        assert_int_equal(length, size);
        assert_memory_equal(out, bytes, size);
        remora_buf_fini(&buf);
    }
}

/* FIPS 180-4's examples, as NIST publishes them ("SHA256.pdf"), in one piece and byte by byte. */
static void sha256_gives_the_standard_s_vectors(void **state)
{
    static const char *const pairs[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(pairs); i++) {
        for (size_t piece = 1; piece <= 64; piece += 63) {
            struct remora_slice text = remora_slice_of(pairs[i][0]);
            struct remora_sha256 hash;
            uint8_t digest[REMORA_SHA256_BYTES];
            struct remora_buf hex;
            remora_sha256_begin(&hash);
            for (size_t at = 0; at < text.length; at += piece) {
                size_t left = text.length - at;
                remora_sha256_add(&hash, remora_slice(text.data + at, left < piece ? left : piece));
            }
            remora_sha256_end(&hash, digest);
            remora_buf_init(&hex, 128);
            remora_append_hex(&hex, remora_slice((const char *)digest, sizeof digest));
            assert_slice_equal(remora_buf_slice(&hex), pairs[i][1]);
            remora_buf_fini(&hex);
        }
    }
}

static void base64_decodes_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",      "Zg===", "Z===",  "====",
                                      "=Zg=", "Zg==Zg==", "Zm9v ",    "Zm9\n", " Zm9v", "Zm-_",
                                      "Zh==", "Zm9=",     "Zm9v====", "Z=g="};
    char out[16];
    size_t length = 99;
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        assert_false(remora_base64_is_valid(remora_slice_of(bad[i])));
        if (remora_base64_decode(remora_slice_of(bad[i]), out, &length)) {
            fail_msg("%s was accepted", bad[i]);
        }
    }
    assert_int_equal(length, 99);
}

/* 1994-11-06 08:49:37 GMT, the example of RFC 9110 section 5.6.7. */
static const int64_t example_ms = INT64_C(784111777000);

static void expect_retry(const char *text, int64_t now_ms, int64_t expected_ms)
{
    int64_t ms = -7;
    bool parsed =
        remora_parse_retry_after(remora_slice_of(text), REMORA_RETRY_AFTER_SECONDS, now_ms, &ms);
    if (!parsed || ms != expected_ms) {
        fail_msg("%s gave %d %lld", text, parsed, (long long)ms);
    }
}

static void retry_after_takes_seconds_and_clamps(void **state)
{
    (void)state;
    expect_retry("0", 0, 0);
    expect_retry("120", 0, 120000);
    expect_retry(" 7\t", 0, 7000);
    expect_retry("1.5", 0, 1500);
    expect_retry("0.0004", 0, 0);
    expect_retry("3600", 0, 3600000);
    expect_retry("3601", 0, 3600000);
    expect_retry("99999999999999999999999", 0, 3600000);
    int64_t ms = -7;
    assert_true(remora_parse_retry_after(REMORA_SLICE("250"), REMORA_RETRY_AFTER_MS, 0, &ms));
    assert_int_equal(ms, 250);
    assert_true(remora_parse_retry_after(REMORA_SLICE("12.5"), REMORA_RETRY_AFTER_MS, 0, &ms));
    assert_int_equal(ms, 13);
}

static void retry_after_takes_the_three_date_formats(void **state)
{
    (void)state;
    expect_retry("Sun, 06 Nov 1994 08:49:37 GMT", example_ms - 30000, 30000);
    expect_retry("Sunday, 06-Nov-94 08:49:37 GMT", example_ms - 30000, 30000);
    expect_retry("Sun Nov  6 08:49:37 1994", example_ms - 30000, 30000);
    expect_retry("Sun, 06 Nov 1994 08:49:37 GMT", example_ms + 1, 0);
    expect_retry("Sun, 06 Nov 1994 08:49:37 GMT", example_ms - 7200000, 3600000);
    expect_retry("Thu, 29 Feb 2024 23:59:60 GMT", INT64_C(1709251200000) - 5000, 5000);
    expect_retry("Fri, 01 Mar 2024 00:00:00 GMT", INT64_C(1709251200000) - 5000, 5000);
    /* In 2030, 94 is of the century before; 61 is not. */
    expect_retry("Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(1900000000000), 0);
    expect_retry("Sunday, 06-Nov-61 08:49:37 GMT", INT64_C(1900000000000), 3600000);
}

static void dates_agree_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t at = 0; at < INT64_C(8000000000); at += 86400 * 13 + 3607) {
        char text[64];
        struct tm fields;
        time_t seconds = (time_t)at;
        assert_non_null(gmtime_r(&seconds, &fields));
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &fields);
        expect_retry(text, at * 1000 - 1000, 1000);
    }
}

static void retry_after_refuses_anything_else(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "-1",
        "soon",
        "1s",
        "1e3",
        "1.2.3",
        ".",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT x",
        "Sun Nov  6 08:49:37",
        "06 Nov 1994 08:49:37 GMT",
    };
    int64_t ms = -7;
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        if (remora_parse_retry_after(remora_slice_of(bad[i]), REMORA_RETRY_AFTER_SECONDS, 0, &ms)) {
            fail_msg("%s was accepted", bad[i]);
        }
    }
    assert_false(remora_parse_retry_after(REMORA_SLICE("Sun, 06 Nov 1994 08:49:37 GMT"),
                                          REMORA_RETRY_AFTER_MS, 0, &ms));
    assert_int_equal(ms, -7);
}

static void durations_are_numbers_with_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"250ms", 250},        {"30s", 30000},   {"5m", 300000},
                 {"34.4s", 34400},      {"0s", 0},        {"0.0005s", 1},
                 {"0.123456789s", 123}, {"6m0s", 360000}, {"1h2m3.5s", 3723500},
                 {"1s500ms", 1500},     {"1.5ms", 2},     {"2h", 7200000}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "ms",
                                      "-5s",
                                      "5 s",
                                      " 5s",
                                      "5s ",
                                      "5x",
                                      "5sm",
                                      "5s5s",
                                      "5s5m",
                                      "1.2.3s",
                                      ".5s",
                                      "5.s",
                                      "1e3s",
                                      "99999999999999999999s",
                                      "9999999999999h"};
    int64_t ms = -7;
    for (size_t i = 0; i < REMORA_COUNT_OF(bad); i++) {
        if (remora_parse_duration_ms(remora_slice_of(bad[i]), &ms)) {
            fail_msg("%s was accepted", bad[i]);
        }
    }
    assert_int_equal(ms, -7);
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        if (!remora_parse_duration_ms(remora_slice_of(cases[i].text), &ms) || ms != cases[i].ms) {
            fail_msg("%s gave %lld", cases[i].text, (long long)ms);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_standard_s_vectors),
        cmocka_unit_test(base64_encodes_and_decodes_the_rfcs_vectors),
        cmocka_unit_test(base64_carries_every_byte_there_and_back),
        cmocka_unit_test(base64_decodes_strictly),
        cmocka_unit_test(retry_after_takes_seconds_and_clamps),
        cmocka_unit_test(retry_after_takes_the_three_date_formats),
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(retry_after_refuses_anything_else),
        cmocka_unit_test(durations_are_numbers_with_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
