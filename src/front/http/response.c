/*
 * Answers: status line, headers, body; or a stream in chunks (HTTP/1.0: ended by the close). RFC 9112 section 7.1, RFC 9110
 * sections 6.6.1 (Date), 9.3.2 (HEAD: no content, whatever its length), 10.2.1 (Allow), 10.2.3 (Retry-After). `x-should-retry: false` is what OpenAI's clients read.
 */
#include "http.h"

#include <stdio.h>

/* All of our own making: an answer must not fail for want of memory for its head. A small one goes out with it in one piece. */
enum { HEAD_BYTES = 2048, SMALL_ANSWER_BYTES = 4096 };

static const char *phrase_of(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Unknown";
}

/* Days since 1970-01-01 -> civil date (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days). */
static void civil_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = days / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

/* IMF-fixdate (RFC 9110 section 5.6.7), made once per second. */
static struct remora_slice date_now(struct http_site *site)
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t now_s = site->clock->unix_ms(site->clock) / 1000;
    if (now_s != site->date_unix_s && now_s >= 0) {
        int64_t year = 0;
        unsigned month = 1;
        unsigned day = 1;
        unsigned second = (unsigned)(now_s % 86400);
        civil_of(now_s / 86400, &year, &month, &day);
        snprintf(site->date, sizeof site->date, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                 days + (size_t)(now_s / 86400 % 7) * 3, day, months + (size_t)(month - 1) * 3,
                 (unsigned)year, second / 3600, second / 60 % 60, second % 60);
        site->date_unix_s = now_s;
    }
    return remora_slice_of(site->date);
}

static void append_header(struct remora_buf *out, const char *name, struct remora_slice value)
{
    remora_buf_append_text(out, name);
    remora_buf_append(out, REMORA_SLICE(": "));
    remora_buf_append(out, value);
    remora_buf_append(out, REMORA_SLICE("\r\n"));
}

/* As OpenRouter has them, on a 429 of the gateway's own only; the reset in unix milliseconds (openrouter.md 10.2). */
static void append_rate_limit(struct remora_buf *out, const struct http_answer *answer,
                              int64_t now_unix_ms)
{
    remora_buf_append(out, REMORA_SLICE("X-RateLimit-Limit: "));
    remora_buf_append_i64(out, answer->rate_limit);
    remora_buf_append(out, REMORA_SLICE("\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: "));
    remora_buf_append_i64(out, now_unix_ms + answer->retry_after_ms);
    remora_buf_append(out, REMORA_SLICE("\r\n"));
}

static void append_optional(struct remora_buf *out, const struct http_answer *answer,
                            int64_t now_unix_ms)
{
    if (answer->content_type != NULL) {
        append_header(out, "Content-Type", remora_slice_of(answer->content_type));
    }
    if (answer->generation_id != NULL) {
        append_header(out, "X-Generation-Id", remora_slice_of(answer->generation_id));
        append_header(out, "X-Request-Id", remora_slice_of(answer->generation_id));
    }
    if (answer->allow != NULL) {
        append_header(out, "Allow", remora_slice_of(answer->allow));
    }
    if (answer->retry_after_ms >= 0) {
        remora_buf_append(out, REMORA_SLICE("Retry-After: "));
        remora_buf_append_i64(out, (answer->retry_after_ms + 999) / 1000);
        remora_buf_append(out, REMORA_SLICE("\r\n"));
    }
    if (answer->status == 401) { /* RFC 9110 section 15.5.2 asks for it */
        append_header(out, "WWW-Authenticate", REMORA_SLICE("Bearer"));
    }
    if (answer->rate_limit > 0) {
        append_rate_limit(out, answer, now_unix_ms);
    }
    if (answer->must_not_retry) {
        append_header(out, "x-should-retry", REMORA_SLICE("false"));
    }
}

/* Everything up to Content-Length or Transfer-Encoding. */
static void append_head(struct http_connection *c, const struct http_answer *answer,
                        struct remora_buf *out)
{
    remora_buf_append(out, REMORA_SLICE("HTTP/1.1 "));
    remora_buf_append_i64(out, answer->status);
    remora_buf_append_byte(out, ' ');
    remora_buf_append_text(out, phrase_of(answer->status));
    remora_buf_append(out, REMORA_SLICE("\r\n"));
    append_header(out, "Date", date_now(c->site));
    append_optional(out, answer, c->site->clock->unix_ms(c->site->clock));
    if (!c->keeps_alive) {
        append_header(out, "Connection", REMORA_SLICE("close"));
    } else if (c->minor == 0) {
        append_header(out, "Connection", REMORA_SLICE("keep-alive"));
    }
}

/* A body that will not be read to its end cannot be followed by another request. */
static void decide_connection(struct http_connection *c)
{
    if (c->body_is_pending || http_site_is_leaving(c->site)) {
        c->keeps_alive = false;
    }
}

void http_respond(struct http_connection *c, const struct http_answer *answer,
                  struct remora_slice body)
{
    REMORA_NOT_ZEROED char memory[HEAD_BYTES + SMALL_ANSWER_BYTES];
    struct remora_buf head;
    if (c->state == HTTP_STATE_CLOSED) {
        http_call_end(c);
        return;
    }
    decide_connection(c);
    remora_buf_init_over(&head, memory, sizeof memory);
    append_head(c, answer, &head);
    remora_buf_append(&head, REMORA_SLICE("Content-Length: "));
    remora_buf_append_u64(&head, body.length);
    remora_buf_append(&head, REMORA_SLICE("\r\n\r\n"));
    if (c->is_head) {
        body = REMORA_SLICE("");
    }
    if (remora_buf_code(&head) == REMORA_OK) {
        bool is_small = body.length <= sizeof memory - head.length;
        remora_buf_append(&head, is_small ? body : REMORA_SLICE(""));
        http_connection_write(c, remora_buf_slice(&head));
        http_connection_write(c, is_small ? REMORA_SLICE("") : body);
    } else {
        c->keeps_alive = false;
    }
    http_access(c, answer);
    http_call_end(c);
    http_connection_next(c);
}

static void respond_error(struct http_connection *c, struct http_answer *answer,
                          const struct remora_fail *fail, const struct remora_outcome *outcome)
{
    struct remora_buf *body = &c->site->scratch;
    remora_buf_reset(body, REMORA_LIMIT_STREAM_BUFFER_BYTES);
    c->skin->error(fail, outcome, body);
    answer->content_type = c->skin->content_type;
    answer->reason = remora_code_row(fail->code)->name;
    struct remora_slice text = remora_buf_code(body) == REMORA_OK
                                   ? remora_buf_slice(body)
                                   : REMORA_SLICE("{\"error\":{\"message\":\"The gateway is out of "
                                                  "memory; try again.\"}}");
    http_respond(c, answer, text);
}

void http_respond_fail(struct http_connection *c, const struct remora_fail *fail,
                       const struct remora_outcome *outcome, const char *generation_id)
{
    const struct remora_code_row *row = remora_code_row(fail->code);
    int status = remora_fail_http_status(fail);
    struct http_answer answer = {
        .status = status == 200 ? 502 : status,
        .generation_id = generation_id,
        .retry_after_ms = status == 429 || status == 503 ? fail->retry_after_ms : -1,
        .must_not_retry =
            row->fail_class == REMORA_CLASS_LASTING || fail->code == REMORA_UNIMPLEMENTED,
        .rate_limit = outcome != NULL && outcome->throttled.by != REMORA_THROTTLE_NONE
                          ? outcome->throttled.limit
                          : 0,
    };
    respond_error(c, &answer, fail, outcome);
}

void http_respond_not_allowed(struct http_connection *c, const char *allow)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    (void)remora_fail_set(&fail, REMORA_METHOD_NOT_ALLOWED, NULL, "This path only takes %s.",
                          allow);
    struct http_answer answer = {.status = 405, .allow = allow, .retry_after_ms = -1};
    respond_error(c, &answer, &fail, NULL);
}

void http_respond_text(struct http_connection *c, int status, const char *text)
{
    struct http_answer answer = {
        .status = status, .content_type = "text/plain; charset=utf-8", .retry_after_ms = -1};
    http_respond(c, &answer, remora_slice_of(text));
}

/* ---- streams ---- */

void http_stream_begin(struct http_connection *c, const struct http_answer *answer)
{
    REMORA_NOT_ZEROED char memory[HEAD_BYTES];
    struct remora_buf head;
    decide_connection(c);
    c->is_chunked_out = c->minor == 1;
    c->keeps_alive = c->keeps_alive && c->is_chunked_out;
    remora_buf_init_over(&head, memory, sizeof memory);
    append_head(c, answer, &head);
    append_header(&head, "Cache-Control", REMORA_SLICE("no-cache"));
    append_header(&head, "X-Accel-Buffering",
                  REMORA_SLICE("no")); /* nginx holds streams back else */
    if (c->is_chunked_out) {
        append_header(&head, "Transfer-Encoding", REMORA_SLICE("chunked"));
    }
    remora_buf_append(&head, REMORA_SLICE("\r\n"));
    http_connection_write(c, remora_buf_slice(&head));
}

enum { SIZE_LINE_BYTES = 18, SMALL_CHUNK_BYTES = 1024 };

/* The size and its CRLF, up to `end`; returns where it begins. */
static char *put_size_line(char *end, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    *--end = '\n';
    *--end = '\r';
    for (size_t left = size; left > 0; left >>= 4) {
        *--end = digits[left & 15];
    }
    return end;
}

void http_stream_write(struct http_connection *c, struct remora_slice bytes)
{
    REMORA_NOT_ZEROED char chunk[SIZE_LINE_BYTES + SMALL_CHUNK_BYTES + 2];
    char *content = chunk + SIZE_LINE_BYTES;
    if (bytes.length == 0) {
        return;
    }
    if (!c->is_chunked_out) {
        http_connection_write(c, bytes);
        return;
    }
    char *begin = put_size_line(content, bytes.length);
    if (bytes.length > SMALL_CHUNK_BYTES) {
        http_connection_write(c, remora_slice(begin, (size_t)(content - begin)));
        http_connection_write(c, bytes);
        http_connection_write(c, REMORA_SLICE("\r\n"));
        return;
    }
    memcpy(content, bytes.data, bytes.length);
    memcpy(content + bytes.length, "\r\n", 2);
    http_connection_write(c, remora_slice(begin, (size_t)(content - begin) + bytes.length + 2));
}

void http_stream_end(struct http_connection *c)
{
    if (c->is_chunked_out) {
        http_connection_write(c, REMORA_SLICE("0\r\n\r\n"));
    }
    http_call_end(c);
    http_connection_next(c);
}
