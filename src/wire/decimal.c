/*
 * Exact decimals: text to an integer count of 10^-scale and back. Digits are taken one by one; what stands beyond the
 * scale decides the rounding (half up, or down) and nothing else. No float anywhere.
 */
#include "remora/decimal.h"

#include <assert.h>

/* The parts of "12.5e-3": 125, of which one digit is a fraction, and the exponent. */
struct decimal {
    struct remora_slice digits; /* a point possibly among them */
    size_t count;               /* digits without the point */
    int64_t shift;              /* power of ten of the last digit */
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static size_t count_digits(struct remora_slice s, size_t from)
{
    size_t at = from;
    while (at < s.length && is_digit(s.data[at])) {
        at++;
    }
    return at - from;
}

/* "e-7" and the like; saturates far beyond what any text can hold. */
static bool read_exponent(struct remora_slice s, int64_t *out)
{
    const int64_t most = INT64_C(1) << 50;
    bool negative = s.length > 0 && s.data[0] == '-';
    size_t at = s.length > 0 && (negative || s.data[0] == '+') ? 1 : 0;
    size_t digits = count_digits(s, at);
    if (digits == 0 || at + digits != s.length) {
        return false;
    }
    int64_t value = 0;
    for (; at < s.length; at++) {
        value = value > most ? value : value * 10 + (s.data[at] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

static bool split(struct remora_slice text, struct decimal *d)
{
    size_t whole = count_digits(text, 0);
    size_t fraction = 0;
    size_t at = whole;
    int64_t exponent = 0;
    if (whole == 0) {
        return false;
    }
    if (at < text.length && text.data[at] == '.') {
        fraction = count_digits(text, at + 1);
        at += 1 + fraction;
        if (fraction == 0) {
            return false;
        }
    }
    d->digits = remora_slice(text.data, at);
    if (at < text.length) {
        bool has_exponent = (text.data[at] | 0x20) == 'e';
        struct remora_slice rest = remora_slice(text.data + at + 1, text.length - at - 1);
        if (!has_exponent || !read_exponent(rest, &exponent)) {
            return false;
        }
    }
    d->count = whole + fraction;
    d->shift = exponent - (int64_t)fraction;
    return true;
}

/* Takes the first `kept` digits into *value, the rest into *up and *rounded. */
static bool take_digits(const struct decimal *d, int64_t kept, int64_t *value, bool *up,
                        bool *rounded)
{
    int64_t index = 0;
    *up = false;
    *rounded = false;
    *value = 0;
    for (size_t at = 0; at < d->digits.length; at++) {
        int64_t digit = d->digits.data[at] - '0';
        if (d->digits.data[at] == '.') {
            continue;
        }
        if (index < kept && (__builtin_mul_overflow(*value, 10, value) ||
                             __builtin_add_overflow(*value, digit, value))) {
            return false;
        }
        if (index >= kept) {
            *up = index == kept ? digit >= 5 : *up;
            *rounded |= digit != 0;
        }
        index++;
    }
    return true;
}

static bool parse(struct remora_slice text, unsigned scale, bool goes_up, int64_t *out,
                  enum remora_decimal_exactness *exactness)
{
    struct decimal d;
    int64_t value;
    bool up;
    bool rounded;
    if (!split(text, &d)) {
        return false;
    }
    int64_t shift = d.shift + (int64_t)scale;
    int64_t kept = (int64_t)d.count + (shift < 0 ? shift : 0);
    if (!take_digits(&d, kept, &value, &up, &rounded) ||
        __builtin_add_overflow(value, goes_up && up ? 1 : 0, &value)) {
        return false;
    }
    for (int64_t i = 0; i < shift && value != 0; i++) {
        if (__builtin_mul_overflow(value, 10, &value)) {
            return false;
        }
    }
    *out = value;
    if (exactness != NULL) {
        *exactness = rounded ? REMORA_DECIMAL_ROUNDED : REMORA_DECIMAL_EXACT;
    }
    return true;
}

bool remora_decimal_parse(struct remora_slice text, unsigned scale, int64_t *out,
                          enum remora_decimal_exactness *exactness)
{
    return parse(text, scale, true, out, exactness);
}

bool remora_decimal_floor(struct remora_slice text, unsigned scale, int64_t *out,
                          enum remora_decimal_exactness *exactness)
{
    return parse(text, scale, false, out, exactness);
}

size_t remora_decimal_format(int64_t value, unsigned scale, char *out)
{
    char reversed[48];
    size_t count = 0;
    size_t length = 0;
    assert(scale <= 40);
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned left = scale; /* fraction digits still to come */
    while (left > 0 && magnitude % 10 == 0) {
        magnitude /= 10;
        left = magnitude == 0 ? 0 : left - 1;
    }
    while (left > 0) {
        reversed[count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
        left--;
        if (left == 0) {
            reversed[count++] = '.';
        }
    }
    do {
        reversed[count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0);
    if (value < 0) {
        reversed[count++] = '-';
    }
    while (count > 0) {
        out[length++] = reversed[--count];
    }
    out[length] = '\0';
    return length;
}
