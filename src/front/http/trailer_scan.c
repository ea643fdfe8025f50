/*
 * Trailers, byte by byte: they are dropped, but what is malformed in them is refused as it is in a head (RFC 9112 sections 5, 7.1.2;
 * reference/reliability.md 3.9 rows 20 to 26): only CRLF ends a line, nothing is folded, each line is NAME ":" VALUE.
 */
#include "head.h"

enum place {
    BEGIN,    /* of a line */
    NAME,     /* behind its first byte */
    VALUE,    /* behind the colon */
    LINE_END, /* behind its CR */
    LAST_END, /* behind the CR of the blank line */
    END,      /* behind the blank line */
    BAD,
};

static enum place step(enum place place, char c)
{
    switch (place) {
    case BEGIN:
        if (c == '\r') {
            return LAST_END;
        }
        return http_is_token_byte(c) ? NAME : BAD;
    case NAME:
        if (c == ':') {
            return VALUE;
        }
        return http_is_token_byte(c) ? NAME : BAD;
    case VALUE:
        if (c == '\r') {
            return LINE_END;
        }
        return http_is_value_byte(c) ? VALUE : BAD;
    case LINE_END:
        return c == '\n' ? BEGIN : BAD;
    case LAST_END:
        return c == '\n' ? END : BAD;
    case END:
    case BAD:
        break;
    }
    return BAD;
}

enum http_scan http_trailer_scan(struct http_trailer_scan *scan, struct remora_slice bytes,
                                 size_t *used)
{
    enum place place = (enum place)scan->place;
    for (*used = 0; *used < bytes.length && place != END && place != BAD; ++*used) {
        place = step(place, bytes.data[*used]);
        scan->bytes++;
        if (scan->bytes > REMORA_LIMIT_HTTP_HEADER_BYTES) {
            place = BAD;
        }
    }
    scan->place = (uint8_t)place;
    if (place == END) {
        return HTTP_SCAN_WHOLE;
    }
    return place == BAD ? HTTP_SCAN_REFUSED : HTTP_SCAN_MORE;
}
