/* Escapes of RFC 8259 section 7. Input is text that the parser has accepted, so nothing can fail here. */
#include "escape.h"

void json_unescape_begin(struct json_unescape *u, struct remora_slice raw)
{
    *u = (struct json_unescape){.at = raw.data, .end = raw.data + raw.length};
}

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        value = value << 4 | (c <= '9' ? c - (unsigned)'0' : (c | 0x20U) - 'a' + 10);
    }
    return value;
}

/* Puts the UTF-8 of `rune` (RFC 3629 section 3). */
static void put_rune(struct json_unescape *u, unsigned rune)
{
    unsigned char *out = u->pending;
    u->pending_at = 0;
    if (rune < 0x80) {
        out[0] = (unsigned char)rune;
        u->pending_count = 1;
    } else if (rune < 0x800) {
        out[0] = (unsigned char)(0xC0 | rune >> 6);
        out[1] = (unsigned char)(0x80 | (rune & 0x3F));
        u->pending_count = 2;
    } else if (rune < 0x10000) {
        out[0] = (unsigned char)(0xE0 | rune >> 12);
        out[1] = (unsigned char)(0x80 | (rune >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (rune & 0x3F));
        u->pending_count = 3;
    } else {
        out[0] = (unsigned char)(0xF0 | rune >> 18);
        out[1] = (unsigned char)(0x80 | (rune >> 12 & 0x3F));
        out[2] = (unsigned char)(0x80 | (rune >> 6 & 0x3F));
        out[3] = (unsigned char)(0x80 | (rune & 0x3F));
        u->pending_count = 4;
    }
}

/* Behind "\u". */
static void read_rune(struct json_unescape *u)
{
    unsigned rune = hex4(u->at);
    u->at += 4;
    if (rune >= 0xD800 && rune <= 0xDBFF) {
        unsigned low = hex4(u->at + 2);
        u->at += 6;
        rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
    }
    put_rune(u, rune);
}

int json_unescape_next(struct json_unescape *u)
{
    if (u->pending_at < u->pending_count) {
        return u->pending[u->pending_at++];
    }
    if (u->at == u->end) {
        return -1;
    }
    if (*u->at != '\\') {
        return (unsigned char)*u->at++;
    }
    char escape = u->at[1];
    u->at += 2;
    switch (escape) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        read_rune(u);
        return u->pending[u->pending_at++];
    default:
        return (unsigned char)escape;
    }
}

size_t json_unescape_all(struct remora_slice raw, char *out)
{
    struct json_unescape u;
    size_t length = 0;
    json_unescape_begin(&u, raw);
    while (u.at < u.end) {
        const char *backslash = memchr(u.at, '\\', (size_t)(u.end - u.at));
        const char *stop = backslash == NULL ? u.end : backslash;
        size_t run = (size_t)(stop - u.at);
        memcpy(out + length, u.at, run);
        length += run;
        u.at = stop;
        if (u.at == u.end) {
            break;
        }
        out[length++] = (char)json_unescape_next(&u);
        while (u.pending_at < u.pending_count) {
            out[length++] = (char)u.pending[u.pending_at++];
        }
    }
    return length;
}
