/* Base64, RFC 4648 section 4, with padding. Decoding is strict: no blanks, no missing padding, no stray bits (3.5). */
#include "remora/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode3(const unsigned char *in, char *out)
{
    out[0] = alphabet[in[0] >> 2];
    out[1] = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
    out[2] = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
    out[3] = alphabet[in[2] & 63];
}

void remora_append_base64(struct remora_buf *buf, struct remora_slice bytes)
{
    size_t length;
    const unsigned char *in = (const unsigned char *)bytes.data;
    if (!remora_size_mul(bytes.length / 3 + (bytes.length % 3 != 0 ? 1 : 0), 4, &length)) {
        buf->failed = REMORA_TOO_LARGE;
        return;
    }
    char *out = length == 0 ? NULL : remora_buf_reserve(buf, length);
    if (out == NULL) {
        return;
    }
    buf->length += length;
    for (size_t left = bytes.length; left >= 3; left -= 3, in += 3, out += 4) {
        encode3(in, out);
    }
    size_t rest = bytes.length % 3;
    if (rest > 0) {
        unsigned char last[3] = {in[0], rest == 2 ? in[1] : 0, 0};
        encode3(last, out);
        out[3] = '=';
        out[2] = rest == 2 ? out[2] : '=';
    }
}

/* 0 to 63, or 64 for a byte outside the alphabet. */
static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool remora_base64_is_valid(struct remora_slice text)
{
    size_t padding = 0;
    if (text.length % 4 != 0) {
        return false;
    }
    while (padding < 2 && padding < text.length && text.data[text.length - 1 - padding] == '=') {
        padding++;
    }
    unsigned seen = 0;
    for (size_t i = 0; i < text.length - padding; i++) {
        seen |= value_of(text.data[i]);
    }
    unsigned last = padding == 0 ? 0 : value_of(text.data[text.length - padding - 1]);
    /* Bits of the last character that the padding leaves without a byte must be zero. */
    return seen < 64 && (last & (padding == 1 ? 3U : padding == 2 ? 15U : 0U)) == 0;
}

/* Four characters without padding. */
static bool decode4(const char *in, char *out)
{
    unsigned a = value_of(in[0]);
    unsigned b = value_of(in[1]);
    unsigned c = value_of(in[2]);
    unsigned d = value_of(in[3]);
    out[0] = (char)(a << 2 | b >> 4);
    out[1] = (char)((b & 15) << 4 | c >> 2);
    out[2] = (char)((c & 3) << 6 | (d & 63));
    return ((a | b | c | d) & 64) == 0;
}

bool remora_base64_decode(struct remora_slice text, char *out, size_t *out_length)
{
    size_t length = 0;
    size_t padding = 0;
    if (text.length % 4 != 0) {
        return false;
    }
    while (padding < 2 && padding < text.length && text.data[text.length - 1 - padding] == '=') {
        padding++;
    }
    size_t whole = padding == 0 ? text.length : text.length - 4;
    for (size_t at = 0; at < whole; at += 4, length += 3) {
        char three[3];
        if (!decode4(text.data + at, three)) {
            return false;
        }
        memcpy(out + length, three, 3);
    }
    if (padding > 0) {
        char last[4] = {text.data[whole], text.data[whole + 1],
                        padding == 2 ? 'A' : text.data[whole + 2], 'A'};
        char three[3];
        /* What the padding stands for must decode to nothing. */
        if (!decode4(last, three) || three[3 - padding] != 0) {
            return false;
        }
        memcpy(out + length, three, 3 - padding);
        length += 3 - padding;
    }
    *out_length = length;
    return true;
}
