/*
 * The small readers of text from outside: what each accepts, written again, means the same. The first byte chooses one.
 */
#include "remora/buf.h"
#include "remora/clock.h"
#include "remora/decimal.h"
#include "remora/hop.h"
#include "remora/identity.h"
#include "remora/telemetry.h"
#include "remora/text.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCALE = 12, RETRY_MAX_MS = 3600000 };

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void read_decimal(struct remora_slice text)
{
    char again[48];
    int64_t value = 0;
    int64_t second = 0;
    int64_t floor = 0;
    enum remora_decimal_exactness exactness;
    if (!remora_decimal_parse(text, SCALE, &value, &exactness)) {
        return;
    }
    size_t length = remora_decimal_format(value, SCALE, again);
    require(value >= 0 && length < sizeof again, "a decimal has its place");
    require(remora_decimal_parse(remora_slice(again, length), SCALE, &second, &exactness) &&
                second == value && exactness == REMORA_DECIMAL_EXACT,
            "a decimal that was written is read as what it was");
    require(remora_decimal_floor(text, SCALE, &floor, NULL) && floor <= value && value - floor <= 1,
            "rounded down is no more, and at most one less");
}

static void read_base64(struct remora_slice text)
{
    struct remora_buf again;
    char *bytes = malloc(text.length + 1);
    size_t length = 0;
    bool is_read = remora_base64_decode(text, bytes, &length);
    require(is_read == remora_base64_is_valid(text), "valid is what can be decoded");
    remora_buf_init(&again, text.length + 4);
    if (is_read) {
        require(length <= text.length / 4 * 3, "three bytes from four characters");
        remora_append_base64(&again, remora_slice(bytes, length));
        require(remora_slice_equal(remora_buf_slice(&again), text), "one spelling of each text");
    }
    remora_buf_fini(&again);
    free(bytes);
}

static void read_times(struct remora_slice text)
{
    int64_t ms = -1;
    if (remora_parse_retry_after(text, REMORA_RETRY_AFTER_SECONDS, INT64_C(1700000000000), &ms)) {
        require(ms >= 0 && ms <= RETRY_MAX_MS, "a wait is between nothing and an hour");
    }
    if (remora_parse_retry_after(text, REMORA_RETRY_AFTER_MS, 0, &ms)) {
        require(ms >= 0 && ms <= RETRY_MAX_MS, "a wait is between nothing and an hour");
    }
    if (remora_parse_duration_ms(text, &ms)) {
        require(ms >= 0, "no time is negative");
    }
}

static void read_number(struct remora_slice text)
{
    char again[32];
    uint64_t value = 0;
    if (remora_parse_u64(text, &value)) {
        snprintf(again, sizeof again, "%llu", (unsigned long long)value);
        size_t zeros = 0;
        while (zeros + 1 < text.length && text.data[zeros] == '0') {
            zeros++;
        }
        require(remora_slice_is(remora_slice(text.data + zeros, text.length - zeros), again),
                "a number is its digits");
    }
}

static void read_trace(struct remora_slice text)
{
    struct remora_trace trace = {0};
    (void)remora_tracestate_is_valid(text);
    if (!remora_trace_parse(text, &trace)) {
        return;
    }
    char again[REMORA_TRACEPARENT_BYTES];
    struct remora_trace second = {0};
    struct remora_random random;
    remora_random_seed(&random, 7);
    remora_trace_begin(&trace, &random);
    remora_trace_text(&trace, again);
    require(remora_trace_parse(remora_slice_of(again), &second) &&
                memcmp(second.trace_id, trace.trace_id, sizeof trace.trace_id) == 0,
            "the next hop is in the same trace");
}

static void read_hops(struct remora_slice text)
{
    struct remora_hops hops = {0};
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_hop_id own = {"AbCdEfGhIjK"};
    enum remora_code code = remora_hops_add(&hops, text, &own, &fail);
    require(hops.count <= REMORA_LIMIT_HOPS && hops.length <= sizeof hops.text, "hops fit");
    require(code == REMORA_OK || (fail.code == code && fail.message[0] != '\0'), "a refusal tells");
}

static void read_utf8(struct remora_slice text)
{
    size_t at = 0;
    size_t length = 0;
    do {
        at += length;
        length = remora_utf8_length(remora_slice(text.data + at, text.length - at));
    } while (length > 0);
    require(remora_utf8_is_valid(text) == (at == text.length), "valid is all its characters");
    require(remora_utf8_incomplete(text) <= 3 && remora_utf8_cut(text, 7) <= 7, "cut in bounds");
}

static void read_names(struct remora_slice text)
{
    size_t half = text.length / 2;
    struct remora_slice left = remora_slice(text.data, half);
    struct remora_slice right = remora_slice(text.data + half, text.length - half);
    enum remora_log_level level;
    (void)!remora_log_level_by_name(text, &level);
    (void)remora_wildcard_match(left, right);
    require(remora_wildcard_match(REMORA_SLICE("*"), text), "* is anything");
    require(remora_edit_distance(left, right, 3) == remora_edit_distance(right, left, 3),
            "a distance is the same both ways");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct remora_slice text) = {
        read_decimal, read_base64, read_times, read_number,
        read_trace,   read_hops,   read_utf8,  read_names,
    };
    if (size > 0) {
        /* Ends where the text ends: a sanitizer sees what is read behind it. */
        char *text = malloc(size);
        memcpy(text, data + 1, size - 1);
        text = realloc(text, size - 1 == 0 ? 1 : size - 1);
        readers[data[0] % REMORA_COUNT_OF(readers)](remora_slice(text, size - 1));
        free(text);
    }
    return 0;
}
