/*
 * Numbers: exact integers and correctly rounded doubles from JSON's text.
 *
 * The text is first reduced to its significant digits and a power of ten (1.50e3 is 15 and 2). An integer is those
 * digits with as many zeros behind; a double with at most 2^53 and 10^22 is one exact operation (W. Clinger, "How to read
 * floating point numbers accurately", 1990); any other goes to strtod, written without a radix character, so that no
 * locale plays a part.
 */
#include "remora/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * No double needs more than 767 significant digits to be told from the half-way point of two others; what stands behind
 * them matters only by being there.
 */
enum { DIGITS_MOST = 770, WORD_DIGITS = 19 };

struct number {
    bool negative;
    const char *first; /* significant digits, a point possibly among them */
    const char *end;
    size_t digits;
    int64_t exponent; /* of the last of them */
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* An exponent beyond the length of any text is as good as one at it. */
static int64_t read_exponent(const char *at, const char *end)
{
    const int64_t most = INT64_C(1) << 40;
    bool negative = false;
    int64_t value = 0;
    if (*at == '+' || *at == '-') {
        negative = *at++ == '-';
    }
    for (; at < end; at++) {
        value = value > most ? value : value * 10 + (*at - '0');
    }
    return negative ? -value : value;
}

static void split(struct remora_slice text, struct number *n)
{
    const char *end = text.data + text.length;
    const char *at = text.data;
    const char *point = NULL;
    const char *last = NULL; /* behind the last digit that is not 0 */
    *n = (struct number){.negative = *at == '-'};
    at += n->negative ? 1 : 0;
    for (; at < end && (is_digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            point = at;
        } else if (*at != '0') {
            n->first = n->first == NULL ? at : n->first;
            last = at + 1;
        }
    }
    if (n->first == NULL) {
        return;
    }
    const char *units = point == NULL ? at : point; /* behind the digit of the ones */
    n->end = last;
    n->exponent = last > units ? -(int64_t)(last - units - 1) : units - last;
    n->digits = (size_t)(last - n->first) - (n->first < units && last > units ? 1 : 0);
    n->exponent += at < end ? read_exponent(at + 1, end) : 0;
}

/* The significant digits as one number; there are at most WORD_DIGITS. */
static uint64_t mantissa(const struct number *n)
{
    uint64_t value = 0;
    for (const char *at = n->first; at < n->end; at++) {
        if (*at != '.') {
            value = value * 10 + (uint64_t)(*at - '0');
        }
    }
    return value;
}

bool remora_json_int64(struct remora_json value, int64_t *out)
{
    struct number n;
    if (!remora_json_is(value, REMORA_JSON_NUMBER)) {
        return false;
    }
    split(remora_json_raw(value), &n);
    if (n.digits == 0) {
        *out = 0;
        return true;
    }
    if (n.exponent < 0 || n.digits > WORD_DIGITS || n.exponent > WORD_DIGITS) {
        return false;
    }
    uint64_t magnitude = mantissa(&n);
    for (int64_t i = 0; i < n.exponent; i++) {
        if (__builtin_mul_overflow(magnitude, 10, &magnitude)) {
            return false;
        }
    }
    if (magnitude > (uint64_t)INT64_MAX + (n.negative ? 1 : 0)) {
        return false;
    }
    *out = (int64_t)(n.negative ? 0 - magnitude : magnitude);
    return true;
}

/* The digits, a 1 in place of those that were left out, and the exponent. */
static double convert(const struct number *n)
{
    char text[DIGITS_MOST + 32];
    size_t length = 0;
    for (const char *at = n->first; at < n->end && length < DIGITS_MOST; at++) {
        if (*at != '.') {
            text[length++] = *at;
        }
    }
    int64_t exponent = n->exponent + (int64_t)(n->digits - length);
    if (length < n->digits) {
        text[length++] = '1';
        exponent--;
    }
    snprintf(text + length, sizeof text - length, "e%lld", (long long)exponent);
    return strtod(text, NULL);
}

static double magnitude_of(const struct number *n)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n->digits == 0) {
        return 0.0;
    }
    if (n->digits <= WORD_DIGITS && n->exponent >= -22 && n->exponent <= 22) {
        uint64_t digits = mantissa(n);
        if (digits <= UINT64_C(1) << 53) {
            return n->exponent < 0 ? (double)digits / powers[-n->exponent]
                                   : (double)digits * powers[n->exponent];
        }
    }
    return convert(n);
}

bool remora_json_double(struct remora_json value, double *out)
{
    struct number n;
    if (!remora_json_is(value, REMORA_JSON_NUMBER)) {
        return false;
    }
    split(remora_json_raw(value), &n);
    double magnitude = magnitude_of(&n);
    if (!isfinite(magnitude)) {
        return false;
    }
    *out = n.negative ? -magnitude : magnitude;
    return true;
}
