/* UTF-8 (RFC 3629 section 4: the table of well-formed sequences). ASCII is skipped eight bytes at a time. */
#include "remora/text.h"

static bool is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t remora_utf8_length(struct remora_slice s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    if (s.length == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xC2 || p[0] > 0xF4) {
        return 0;
    }
    if (p[0] < 0xE0) {
        return s.length >= 2 && is_tail(p[1]) ? 2 : 0;
    }
    if (p[0] < 0xF0) {
        unsigned char low = p[0] == 0xE0 ? 0xA0 : 0x80;
        unsigned char high = p[0] == 0xED ? 0x9F : 0xBF;
        return s.length >= 3 && p[1] >= low && p[1] <= high && is_tail(p[2]) ? 3 : 0;
    }
    unsigned char low = p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xF4 ? 0x8F : 0xBF;
    return s.length >= 4 && p[1] >= low && p[1] <= high && is_tail(p[2]) && is_tail(p[3]) ? 4 : 0;
}

bool remora_utf8_is_valid(struct remora_slice s)
{
    size_t at = 0;
    while (at < s.length) {
        uint64_t word;
        if (s.length - at >= sizeof word) {
            memcpy(&word, s.data + at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                continue;
            }
        }
        size_t length = remora_utf8_length(remora_slice(s.data + at, s.length - at));
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

/* Bytes that a sequence with this first byte has. */
static size_t announced(unsigned char first)
{
    return first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
}

size_t remora_utf8_incomplete(struct remora_slice s)
{
    for (size_t back = 1; back <= 3 && back <= s.length; back++) {
        unsigned char byte = (unsigned char)s.data[s.length - back];
        if (!is_tail(byte)) {
            return announced(byte) > back ? back : 0;
        }
    }
    return 0;
}

size_t remora_utf8_cut(struct remora_slice s, size_t bytes)
{
    if (bytes >= s.length) {
        return s.length;
    }
    return bytes - remora_utf8_incomplete(remora_slice(s.data, bytes));
}
