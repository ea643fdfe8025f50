/*
 * The head of an answer, line by line as curl hands it out.
 *
 * curl passes heads that no strict reader takes and reports success for answers whose end it cannot know
 * (reference/measurements.md, "Prototypes 2: answers"). So the lines are judged here:
 *   - at most REMORA_LIMIT_UPSTREAM_HEAD_BYTES, interim answers (1xx) and trailers included
 *   - HTTP/1.1 or 1.0; HTTP/2 only from a provider that was asked for it: its bodies need no framing here
 *   - CRLF, no bare CR (RFC 9112, 2.2), no folds (5.2), a name without blanks before each colon (5.1)
 *   - one Content-Length, of digits, that curl can count to (beyond 2^63 it reads to the end of the connection), and not beside
 *     Transfer-Encoding; that is "chunked", once, on HTTP/1.1 (6.1, 6.3)
 * Interim answers are skipped; 101 is never asked for and is refused.
 */
#include "inside.h"

#include "remora/catalog.h"
#include "remora/limits.h"

enum { HEADERS_LIMIT = 512, LENGTH_DIGITS = 18 /* always within int64_t */ };

struct framing {
    size_t lengths;
    size_t codings;
    bool is_chunked;
    bool is_bad;
};

void remora_head_init(struct remora_head *head)
{
    *head = (struct remora_head){0};
    remora_buf_init(&head->lines, REMORA_LIMIT_UPSTREAM_HEAD_BYTES);
    remora_buf_init(&head->headers, HEADERS_LIMIT * sizeof(struct remora_header));
}

void remora_head_shrink(struct remora_head *head)
{
    remora_buf_fini(&head->lines);
    remora_buf_fini(&head->headers);
}

void remora_head_fini(struct remora_head *head)
{
    remora_head_shrink(head);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK": 0 when it is none. */
static int status_of(struct remora_slice line)
{
    size_t space = remora_slice_find(line, ' ', 0);
    if (space + 4 > line.length) {
        return 0;
    }
    const char *digits = line.data + space + 1;
    if (!is_digit(digits[0]) || !is_digit(digits[1]) || !is_digit(digits[2])) {
        return 0;
    }
    if (space + 4 < line.length && digits[3] != ' ') {
        return 0;
    }
    int status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    return status >= 100 && status <= 599 ? status : 0;
}

static bool is_length(struct remora_slice s)
{
    size_t counting = 0; /* digits without the zeros before them */
    for (size_t i = 0; i < s.length; i++) {
        if (!is_digit(s.data[i])) {
            return false;
        }
        counting += counting > 0 || s.data[i] != '0' ? 1 : 0;
    }
    return s.length > 0 && counting <= LENGTH_DIGITS;
}

static bool is_name(struct remora_slice s)
{
    for (size_t i = 0; i < s.length; i++) {
        if (s.data[i] <= ' ' || s.data[i] > '~') { /* bytes beyond ASCII are one or the other */
            return false;
        }
    }
    return s.length > 0;
}

static void judge(struct remora_head *head, struct framing *framing,
                  const struct remora_header *header)
{
    if (remora_slice_equal_nocase(header->name, REMORA_SLICE("content-length"))) {
        framing->lengths++;
        framing->is_bad = framing->is_bad || !is_length(header->value);
    } else if (remora_slice_equal_nocase(header->name, REMORA_SLICE("transfer-encoding"))) {
        framing->codings++;
        framing->is_chunked = remora_slice_equal_nocase(header->value, REMORA_SLICE("chunked"));
    } else if (remora_slice_equal_nocase(header->name, REMORA_SLICE("content-encoding"))) {
        head->is_encoded = head->is_encoded ||
                           (header->value.length > 0 &&
                            !remora_slice_equal_nocase(header->value, REMORA_SLICE("identity")));
    }
}

static bool split(struct remora_slice line, struct remora_header *out)
{
    size_t colon = remora_slice_find(line, ':', 0);
    if (colon == line.length || !is_name(remora_slice(line.data, colon)) ||
        memchr(line.data, '\r', line.length) != NULL) {
        return false;
    }
    out->name = remora_slice(line.data, colon);
    out->value = remora_slice_trim(remora_slice(line.data + colon + 1, line.length - colon - 1));
    return true;
}

/* The next line of `text` without its CRLF. */
static struct remora_slice take_line(struct remora_slice *text)
{
    size_t end = remora_slice_find(*text, '\n', 0);
    struct remora_slice line = remora_slice(text->data, end - 1);
    *text = remora_slice(text->data + end + 1, text->length - end - 1);
    return line;
}

static bool settle_framing(struct remora_head *head, const struct framing *framing,
                           struct remora_slice version)
{
    bool is_1_1 = remora_slice_is(version, "HTTP/1.1");
    bool is_1_0 = remora_slice_is(version, "HTTP/1.0");
    bool is_2 = head->may_be_http2 && remora_slice_is(version, "HTTP/2");
    if (!(is_1_1 || is_1_0 || is_2) || framing->is_bad || framing->lengths > 1 ||
        framing->codings > 1) {
        return false;
    }
    if (framing->codings == 1 && (framing->lengths > 0 || !framing->is_chunked || !is_1_1)) {
        return false;
    }
    head->is_framed = framing->lengths == 1 || framing->codings == 1 || is_2 ||
                      head->status == 204 || head->status == 304;
    return true;
}

static enum remora_head_step finish(struct remora_head *head)
{
    struct remora_slice text = remora_buf_slice(&head->lines);
    struct remora_slice first = take_line(&text);
    struct framing framing = {0};
    while (text.length > 0) {
        struct remora_header header = {0};
        if (!split(take_line(&text), &header)) {
            return REMORA_HEAD_BAD;
        }
        judge(head, &framing, &header);
        remora_buf_append(&head->headers, remora_slice((const char *)&header, sizeof header));
    }
    if (remora_buf_code(&head->headers) == REMORA_SHEDDING) {
        return REMORA_HEAD_NO_MEMORY;
    }
    struct remora_slice version = remora_slice(first.data, remora_slice_find(first, ' ', 0));
    if (remora_buf_code(&head->headers) != REMORA_OK || !settle_framing(head, &framing, version)) {
        return REMORA_HEAD_BAD;
    }
    head->is_complete = true;
    return REMORA_HEAD_FINAL;
}

enum remora_head_step remora_head_line(struct remora_head *head, struct remora_slice line)
{
    head->bytes += line.length;
    if (head->bytes > REMORA_LIMIT_UPSTREAM_HEAD_BYTES || line.length < 2 ||
        line.data[line.length - 2] != '\r' || memchr(line.data, '\0', line.length) != NULL) {
        return REMORA_HEAD_BAD;
    }
    if (head->is_complete) {
        return REMORA_HEAD_MORE;
    }
    if (remora_buf_slice(&head->lines).length == 0) {
        head->status = status_of(remora_slice(line.data, line.length - 2));
        if (head->status == 0 || head->status == 101) {
            return REMORA_HEAD_BAD;
        }
    } else if (line.length == 2) {
        if (head->status >= 200) {
            return finish(head);
        }
        remora_buf_reset(&head->lines, 0);
        return REMORA_HEAD_MORE;
    }
    remora_buf_append(&head->lines, line);
    return remora_buf_code(&head->lines) == REMORA_OK ? REMORA_HEAD_MORE : REMORA_HEAD_NO_MEMORY;
}

struct remora_http_response remora_head_response(const struct remora_head *head)
{
    struct remora_slice all = remora_buf_slice(&head->headers);
    return (struct remora_http_response){
        .status = head->status,
        .headers = (const void *)all.data,
        .header_count = all.length / sizeof(struct remora_header),
    };
}
