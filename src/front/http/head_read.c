/*
 * A whole head -> struct http_head. Request line, header lines, then what the headers mean for framing, each rule with the
 * status of reference/reliability.md 3.9. Rules of RFC 9110 section 5, RFC 9112 sections 3 and 6.
 */
#include "head.h"

#include "remora/text.h"

static bool is_token(struct remora_slice s)
{
    for (size_t i = 0; i < s.length; i++) {
        if (!http_is_token_byte(s.data[i])) {
            return false;
        }
    }
    return s.length > 0;
}

static struct remora_slice cut(struct remora_slice s, size_t from, size_t to)
{
    return remora_slice(s.data + from, to - from);
}

/* ---- request line ---- */

static bool read_version(struct remora_slice version, struct http_head *out,
                         struct remora_fail *fail)
{
    if (remora_slice_is(version, "HTTP/1.1") || remora_slice_is(version, "HTTP/1.0")) {
        out->minor = version.data[7] == '1' ? 1 : 0;
        return true;
    }
    bool is_http = version.length == 8 &&
                   remora_slice_starts_with(version, REMORA_SLICE("HTTP/")) &&
                   version.data[5] >= '0' && version.data[5] <= '9' && version.data[6] == '.' &&
                   version.data[7] >= '0' && version.data[7] <= '9';
    return is_http ? http_refuse(fail, 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
                   : http_refuse(fail, 400, "The request line has no HTTP version.");
}

static bool read_method(struct remora_slice method, struct http_head *out, struct remora_fail *fail)
{
    static const char *const known[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"};
    if (!is_token(method)) {
        return http_refuse(fail, 400, "The method is not a token.");
    }
    out->method = method;
    for (size_t i = 0; i < REMORA_COUNT_OF(known); i++) {
        if (remora_slice_is(method, known[i])) {
            return true;
        }
    }
    if (remora_slice_is(method, "CONNECT")) {
        return http_refuse(fail, 501, "CONNECT is not supported: this is no proxy.");
    }
    return http_refuse(fail, 405, "No path here takes this method.");
}

static bool is_target_text(struct remora_slice target)
{
    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '#') {
            return false;
        }
    }
    return target.length > 0;
}

static bool read_request_line(struct remora_slice line, struct http_head *out,
                              struct remora_fail *fail)
{
    size_t first = remora_slice_find(line, ' ', 0);
    size_t second = first == line.length ? first : remora_slice_find(line, ' ', first + 1);
    if (second == line.length || remora_slice_find(line, ' ', second + 1) != line.length) {
        return http_refuse(fail, 400, "The request line is not METHOD TARGET VERSION.");
    }
    if (!read_version(cut(line, second + 1, line.length), out, fail) ||
        !read_method(cut(line, 0, first), out, fail)) {
        return false;
    }
    out->target = cut(line, first + 1, second);
    if (out->target.length > REMORA_LIMIT_HTTP_TARGET_BYTES) {
        return http_refuse(fail, 414, "The request target is too long.");
    }
    return is_target_text(out->target) ? true
                                       : http_refuse(fail, 400, "The request target is malformed.");
}

/* ---- header lines ---- */

static bool is_value_text(struct remora_slice value)
{
    for (size_t i = 0; i < value.length; i++) {
        if (!http_is_value_byte(value.data[i])) {
            return false;
        }
    }
    return true;
}

static bool read_header(struct remora_slice line, struct http_head *out, struct remora_fail *fail)
{
    size_t colon = remora_slice_find(line, ':', 0);
    if (colon == line.length) {
        return http_refuse(fail, 400, "A header line has no colon.");
    }
    struct http_header header = {cut(line, 0, colon),
                                 remora_slice_trim(cut(line, colon + 1, line.length))};
    if (!is_token(header.name)) {
        return http_refuse(fail, 400, "A header has a malformed name.");
    }
    if (!is_value_text(header.value)) {
        return http_refuse(fail, 400, "A header has control characters in its value.");
    }
    if (out->header_count == REMORA_COUNT_OF(out->headers)) {
        return http_refuse(fail, 431, "There are too many headers.");
    }
    out->headers[out->header_count++] = header;
    return true;
}

static size_t count_headers(const struct http_head *head, const char *name,
                            struct remora_slice *value)
{
    size_t count = 0;
    struct remora_slice wanted = remora_slice_of(name);
    for (size_t i = 0; i < head->header_count; i++) {
        if (remora_slice_equal_nocase(head->headers[i].name, wanted)) {
            *value = head->headers[i].value;
            count++;
        }
    }
    return count;
}

struct remora_slice http_head_get(const struct http_head *head, const char *name)
{
    struct remora_slice value = {NULL, 0};
    return count_headers(head, name, &value) == 1 ? value : remora_slice(NULL, 0);
}

/* ---- what the headers mean ---- */

/* The next element of a comma-separated list, trimmed; false at its end. Empty elements are told as such. */
static bool next_element(struct remora_slice list, size_t *at, struct remora_slice *out)
{
    if (*at > list.length) {
        return false;
    }
    size_t comma = remora_slice_find(list, ',', *at);
    *out = remora_slice_trim(cut(list, *at, comma));
    *at = comma + 1;
    return true;
}

/* How many elements are the word, or with `is_other` how many are neither it nor empty. */
static size_t count_elements(const struct http_head *head, const char *name, const char *word,
                             bool is_other)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        size_t at = 0;
        struct remora_slice element;
        if (!remora_slice_equal_nocase(head->headers[i].name, remora_slice_of(name))) {
            continue;
        }
        while (next_element(head->headers[i].value, &at, &element)) {
            bool is_word = remora_slice_equal_nocase(element, remora_slice_of(word));
            count += element.length > 0 && is_word != is_other ? 1 : 0;
        }
    }
    return count;
}

bool http_head_lists(const struct http_head *head, const char *name, const char *word)
{
    return count_elements(head, name, word, false) > 0;
}

bool http_head_lists_other(const struct http_head *head, const char *name, const char *word)
{
    return count_elements(head, name, word, true) > 0;
}

/* Exactly one coding, exactly `chunked`; others are told apart from malformed ones (rows 12 to 17). */
static bool read_transfer_encoding(struct http_head *out, struct remora_fail *fail)
{
    struct remora_slice value = {NULL, 0};
    size_t count = count_headers(out, "Transfer-Encoding", &value);
    if (count == 0) {
        return true;
    }
    if (count > 1 || out->minor == 0) {
        return http_refuse(fail, 400, "Transfer-Encoding must occur once, in HTTP/1.1 only.");
    }
    size_t elements = 0;
    size_t chunked = 0;
    struct remora_slice element;
    for (size_t at = 0; next_element(value, &at, &element); elements++) {
        if (!is_token(element)) {
            return http_refuse(fail, 400, "Transfer-Encoding is malformed.");
        }
        chunked += remora_slice_equal_nocase(element, REMORA_SLICE("chunked")) ? 1 : 0;
    }
    out->is_chunked = elements == 1 && chunked == 1;
    if (out->is_chunked) {
        return true;
    }
    return chunked > 1 ? http_refuse(fail, 400, "Transfer-Encoding names chunked twice.")
                       : http_refuse(fail, 501, "Only the transfer coding chunked is supported.");
}

static bool read_content_length(struct http_head *out, struct remora_fail *fail)
{
    struct remora_slice value = {NULL, 0};
    uint64_t length = 0;
    size_t count = count_headers(out, "Content-Length", &value);
    out->content_length = -1;
    if (count == 0) {
        return true;
    }
    if (count > 1 || out->is_chunked) {
        return http_refuse(fail, 400, "Content-Length must occur once, without Transfer-Encoding.");
    }
    if (!remora_parse_u64(value, &length)) {
        return http_refuse(fail, 400, "Content-Length is not a number.");
    }
    if (length > REMORA_LIMIT_MESSAGE_BYTES) {
        return http_refuse(fail, 413, "The request body is too large.");
    }
    out->content_length = (int64_t)length;
    return true;
}

static bool is_host_text(struct remora_slice host)
{
    for (size_t i = 0; i < host.length; i++) {
        char c = host.data[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && strchr(".-_:[]%", c) != NULL);
        if (!is_fine) {
            return false;
        }
    }
    return host.length > 0;
}

static bool read_host(struct http_head *out, struct remora_fail *fail)
{
    struct remora_slice value = {NULL, 0};
    size_t count = count_headers(out, "Host", &value);
    if (count > 1 || (count == 0 && out->minor == 1)) {
        return http_refuse(fail, 400, "Host must occur exactly once.");
    }
    if (count == 1 && !is_host_text(value)) {
        return http_refuse(fail, 400, "Host is malformed.");
    }
    out->host = value;
    return true;
}

/* Origin form, or absolute form of the same authority (RFC 9112 section 3.2.2). */
static bool read_path(struct http_head *out, struct remora_fail *fail)
{
    struct remora_slice rest = out->target;
    struct remora_slice scheme = REMORA_SLICE("http://");
    if (remora_slice_starts_with(rest, scheme)) {
        rest = cut(rest, scheme.length, rest.length);
        size_t slash = remora_slice_find(rest, '/', 0);
        if (!remora_slice_equal_nocase(cut(rest, 0, slash), out->host)) {
            return http_refuse(fail, 400, "The request target names another host than Host.");
        }
        rest = cut(rest, slash, rest.length);
    }
    if (rest.length == 0 || rest.data[0] != '/') {
        return http_refuse(fail, 400, "The request target must be a path.");
    }
    out->path = cut(rest, 0, remora_slice_find(rest, '?', 0));
    return true;
}

static bool read_expect(struct http_head *out, struct remora_fail *fail)
{
    struct remora_slice value = {NULL, 0};
    if (count_headers(out, "Expect", &value) == 0) {
        return true;
    }
    out->expects_continue =
        out->minor == 1 && remora_slice_equal_nocase(value, REMORA_SLICE("100-continue"));
    return out->expects_continue || out->minor == 0
               ? true
               : http_refuse(fail, 417, "Only Expect: 100-continue is supported.");
}

static void read_connection(struct http_head *out)
{
    out->keeps_alive = out->minor == 1;
    bool closes = false;
    for (size_t i = 0; i < out->header_count; i++) {
        struct remora_slice element;
        if (!remora_slice_equal_nocase(out->headers[i].name, REMORA_SLICE("Connection"))) {
            continue;
        }
        for (size_t at = 0; next_element(out->headers[i].value, &at, &element);) {
            closes = closes || remora_slice_equal_nocase(element, REMORA_SLICE("close"));
            if (remora_slice_equal_nocase(element, REMORA_SLICE("keep-alive"))) {
                out->keeps_alive = true;
            }
        }
    }
    out->keeps_alive = out->keeps_alive && !closes;
}

/* The line at *at without its CRLF; *at moves behind it. */
static struct remora_slice next_line(struct remora_slice bytes, size_t *at)
{
    size_t end = remora_slice_find(bytes, '\n', *at);
    struct remora_slice line = cut(bytes, *at, end - 1);
    *at = end + 1;
    return line;
}

bool http_head_read(struct remora_slice bytes, struct http_head *out, struct remora_fail *fail)
{
    size_t at = 0;
    out->header_count = 0;
    out->is_chunked = false;
    out->expects_continue = false;
    if (!read_request_line(next_line(bytes, &at), out, fail)) {
        return false;
    }
    for (;;) {
        struct remora_slice line = next_line(bytes, &at);
        if (line.length == 0) {
            break;
        }
        if (!read_header(line, out, fail)) {
            return false;
        }
    }
    read_connection(out);
    return read_transfer_encoding(out, fail) && read_content_length(out, fail) &&
           read_host(out, fail) && read_path(out, fail) && read_expect(out, fail);
}
