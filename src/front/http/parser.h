/*
 * Framing by llhttp: the second judge of the head and the only reader of bodies. llhttp.h is seen by parser.c alone, so its
 * state is kept here as bytes.
 */
#ifndef REMORA_HTTP_PARSER_H
#define REMORA_HTTP_PARSER_H

#include "head.h"

#define HTTP_PARSER_BYTES 128 /* checked against llhttp's in parser.c */

struct http_parser {
    union {
        void *align;
        unsigned char bytes[HTTP_PARSER_BYTES];
    } state;
    /* Body bytes, during a feed. Anything but REMORA_OK ends it. */
    enum remora_code (*on_body)(void *context, struct remora_slice bytes);
    void *context;
    enum remora_code refused; /* by on_body */
    const char *feed_begin;   /* of the feed under way */
    uint64_t fed_bytes;       /* of the message, before the feed under way */
    uint64_t data_end;        /* offset in the message behind the last body byte */
    uint64_t head_bytes;
    bool has_extension; /* of the chunk under way */
    bool is_last_chunk; /* its trailers follow: `trailers` reads them, llhttp does not */
    struct http_trailer_scan trailers;
    bool is_bad; /* by a rule of ours */
    bool is_complete;
};

/* Before each message. */
void http_parser_begin(struct http_parser *parser,
                       enum remora_code (*on_body)(void *context, struct remora_slice bytes),
                       void *context);
/*
 * The next bytes of the message, the head first and in one piece. *used: how many belong to this message; what is left is
 * the next one's once is_complete. INVALID_REQUEST with fail (400), or what on_body returned.
 */
REMORA_MUST_CHECK enum remora_code http_parser_feed(struct http_parser *parser,
                                                    struct remora_slice bytes, size_t *used,
                                                    struct remora_fail *fail);

#endif
