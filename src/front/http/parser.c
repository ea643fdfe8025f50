/*
 * The only file that knows llhttp. Strict mode, no lenient flag (reference/measurements.md "llhttp" lists what even strict
 * 8.1 accepts; the head is judged before by head_scan.c and head_read.c). What is left for this file to refuse in bodies:
 *   - a chunk-size line longer than 16 digits (row 30), or than 256 bytes with extensions
 *     (bounded by the distance between two pieces of body data, so no byte is looked at twice)
 *   - trailers, of which llhttp forgives bare LF, folds and empty names: it stops behind the last chunk, the rest is
 *     trailer_scan.c's. They are dropped, whatever their names (row 33)
 */
#include "parser.h"

#include <assert.h>
#include <llhttp.h>
#include <stdio.h>

#include "remora/limits.h"

static_assert(sizeof(llhttp_t) <= HTTP_PARSER_BYTES, "llhttp_t outgrew its place");

enum {
    CHUNK_LINE_BYTES = 2 + 16 + 2, /* CRLF of the chunk before, digits, CRLF */
    EXTENSION_BYTES = 256,
};

static llhttp_t *inner(struct http_parser *parser)
{
    return (llhttp_t *)(void *)parser->state.bytes;
}

static struct http_parser *outer(llhttp_t *inside)
{
    return inside->data;
}

static uint64_t gap_limit(const struct http_parser *parser)
{
    return parser->has_extension ? CHUNK_LINE_BYTES + EXTENSION_BYTES : CHUNK_LINE_BYTES;
}

static int on_body(llhttp_t *inside, const char *at, size_t length)
{
    struct http_parser *parser = outer(inside);
    uint64_t offset = parser->fed_bytes + (uint64_t)(at - parser->feed_begin);
    if (offset - parser->data_end > gap_limit(parser)) {
        parser->is_bad = true;
        return HPE_USER;
    }
    parser->data_end = offset + length;
    parser->has_extension = false;
    parser->refused = parser->on_body(parser->context, remora_slice(at, length));
    return parser->refused == REMORA_OK ? 0 : HPE_USER;
}

static int on_extension(llhttp_t *inside, const char *at, size_t length)
{
    (void)at;
    (void)length;
    outer(inside)->has_extension = true;
    return 0;
}

static int on_chunk_header(llhttp_t *inside)
{
    struct http_parser *parser = outer(inside);
    parser->is_last_chunk = inside->content_length == 0;
    return parser->is_last_chunk ? HPE_PAUSED : 0;
}

static int on_complete(llhttp_t *inside)
{
    outer(inside)->is_complete = true;
    return HPE_PAUSED; /* what follows is the next message's */
}

static const llhttp_settings_t settings = {
    .on_body = on_body,
    .on_chunk_extension_name = on_extension,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_complete,
};

void http_parser_begin(struct http_parser *parser,
                       enum remora_code (*body)(void *context, struct remora_slice bytes),
                       void *context)
{
    *parser = (struct http_parser){.on_body = body, .context = context};
    llhttp_init(inner(parser), HTTP_REQUEST, &settings);
    inner(parser)->data = parser;
}

static enum remora_code refuse(struct http_parser *parser, struct remora_fail *fail)
{
    if (parser->refused != REMORA_OK) {
        return parser->refused;
    }
    (void)http_refuse(fail, 400, "The request is not framed as HTTP/1.1 frames it.");
    return REMORA_INVALID_REQUEST;
}

/* `bytes` are behind the line of the last chunk. */
static enum remora_code feed_trailers(struct http_parser *parser, struct remora_slice bytes,
                                      size_t *used, struct remora_fail *fail)
{
    enum http_scan verdict = http_trailer_scan(&parser->trailers, bytes, used);
    parser->is_complete = verdict == HTTP_SCAN_WHOLE;
    return verdict == HTTP_SCAN_REFUSED ? refuse(parser, fail) : REMORA_OK;
}

/* Where llhttp stopped. */
static size_t stopped_at(struct http_parser *parser, struct remora_slice bytes)
{
    const char *at = llhttp_get_error_pos(inner(parser));
    return at == NULL ? bytes.length : (size_t)(at - bytes.data);
}

enum remora_code http_parser_feed(struct http_parser *parser, struct remora_slice bytes,
                                  size_t *used, struct remora_fail *fail)
{
    if (parser->is_last_chunk) {
        return feed_trailers(parser, bytes, used, fail);
    }
    parser->feed_begin = bytes.data;
    llhttp_errno_t error = llhttp_execute(inner(parser), bytes.data, bytes.length);
    *used = bytes.length;
    if (parser->is_complete) {
        *used = stopped_at(parser, bytes);
        return REMORA_OK;
    }
    if (error == HPE_PAUSED && parser->is_last_chunk) {
        size_t begin = stopped_at(parser, bytes);
        if (parser->fed_bytes + begin - parser->data_end > gap_limit(parser)) {
            return refuse(parser, fail);
        }
        enum remora_code code = feed_trailers(
            parser, remora_slice(bytes.data + begin, bytes.length - begin), used, fail);
        *used += begin;
        return code;
    }
    if (error != HPE_OK || parser->is_bad) {
        return refuse(parser, fail);
    }
    parser->fed_bytes += bytes.length;
    if (parser->head_bytes == 0) {
        parser->head_bytes = bytes.length;
        parser->data_end = bytes.length - 2; /* as if the CRLF of a chunk before stood there */
    } else if (parser->fed_bytes - parser->data_end > gap_limit(parser)) {
        return refuse(parser, fail);
    }
    return REMORA_OK;
}
