/*
 * The head of an HTTP/1 request, judged by our own rules before llhttp sees it: llhttp is not a validator
 * (reference/measurements.md "llhttp"; reference/reliability.md 3.9 rows 1 to 40; RFC 9112).
 */
#ifndef REMORA_HTTP_HEAD_H
#define REMORA_HTTP_HEAD_H

#include "remora/base.h"
#include "remora/codes.h"
#include "remora/limits.h"

struct http_header {
    struct remora_slice name;
    struct remora_slice value;
};

/* Slices point into the bytes that were read. */
struct http_head {
    struct remora_slice method;
    struct remora_slice target; /* as sent */
    struct remora_slice path;   /* without authority and query */
    struct remora_slice host;   /* empty: HTTP/1.0 without Host */
    unsigned minor;             /* HTTP/1.minor */
    struct http_header headers[REMORA_LIMIT_HTTP_HEADERS];
    size_t header_count;
    int64_t content_length; /* -1 none */
    bool is_chunked;
    bool expects_continue;
    bool keeps_alive;
};

/* Where the scan of a head that arrives in pieces stands. Zero-initialised at its beginning. */
struct http_head_scan {
    size_t line_at; /* first byte of the line that has not ended yet */
    uint32_t lines; /* that have */
};

enum http_scan { HTTP_SCAN_MORE, HTTP_SCAN_WHOLE, HTTP_SCAN_REFUSED };
/*
 * Looks at the lines that arrived since the last call. WHOLE: *end is behind the blank line. REFUSED: fail says why, with
 * the HTTP status of reliability.md 3.9.
 */
enum http_scan http_head_scan(struct http_head_scan *scan, struct remora_slice bytes, size_t *end,
                              struct remora_fail *fail);

/* Where the trailers behind a last chunk stand, from their first byte. Zero-initialised at its beginning. */
struct http_trailer_scan {
    uint32_t bytes; /* so far */
    uint8_t place;  /* in a line */
};
/*
 * The next bytes, of any number: lines as strict as those of a head. WHOLE: *used is behind the blank line. REFUSED: a byte makes
 * them bad, or they are longer than a header may be.
 */
enum http_scan http_trailer_scan(struct http_trailer_scan *scan, struct remora_slice bytes,
                                 size_t *used);

/* RFC 9110 section 5.6.2: a byte of a method or a field name. */
static inline bool http_is_token_byte(char c)
{
    /* A bit for each of the first 128 bytes: letters, digits and !#$%&'*+-.^_`|~ */
    static const uint64_t bits[2] = {UINT64_C(0x03ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe)};
    unsigned byte = (unsigned char)c;
    return byte < 128 && (bits[byte / 64] >> byte % 64 & 1) != 0;
}
/* A byte that a field's value may hold: no control but TAB. */
static inline bool http_is_value_byte(char c)
{
    unsigned char byte = (unsigned char)c;
    return (byte >= 0x20 || byte == '\t') && byte != 0x7f;
}

/* A whole head, blank line included. False: refused, fail says why; the connection must be closed. */
REMORA_MUST_CHECK bool http_head_read(struct remora_slice bytes, struct http_head *out,
                                      struct remora_fail *fail);
/* The value of the only header of this name; empty when there is none or more than one. */
struct remora_slice http_head_get(const struct http_head *head, const char *name);
/* Whether the word (any case), or another one, is an element of the list that all headers of this name make together (RFC 9110
 * sections 5.3 and 5.6.1). */
bool http_head_lists(const struct http_head *head, const char *name, const char *word);
bool http_head_lists_other(const struct http_head *head, const char *name, const char *word);

/* Marks a fail with a status of its own; false for returning it. */
bool http_refuse(struct remora_fail *fail, int http_status, const char *message) REMORA_COLD;

#endif
