/*
 * Lines: only CRLF ends one, no CR stands inside, nothing is folded, and every size has its limit while it arrives, so that a
 * bad head is refused at the byte that makes it bad. RFC 9112 sections 2.2, 3, 5; limits: tbl/limits.h.
 */
#include "head.h"

bool http_refuse(struct remora_fail *fail, int http_status, const char *message)
{
    enum remora_code code = REMORA_INVALID_REQUEST;
    if (http_status == 413 || http_status == 414 || http_status == 431) {
        code = REMORA_TOO_LARGE;
    } else if (http_status == 405) {
        code = REMORA_METHOD_NOT_ALLOWED;
    } else if (http_status == 501) {
        code = REMORA_UNIMPLEMENTED;
    } else if (http_status == 403) {
        code = REMORA_PERMISSION_DENIED;
    } else if (http_status == 408) {
        code = REMORA_REQUEST_TIMEOUT;
    }
    (void)remora_fail_set(fail, code, NULL, "%s", message);
    fail->http_status = http_status;
    return false;
}

static enum http_scan refuse(struct remora_fail *fail, int http_status, const char *message)
{
    (void)http_refuse(fail, http_status, message);
    return HTTP_SCAN_REFUSED;
}

/* Of a line that has ended or not: its length and place alone. */
static bool is_size_fine(const struct http_head_scan *scan, size_t length, struct remora_fail *fail)
{
    if (scan->lines == 0 && length > REMORA_LIMIT_HTTP_TARGET_BYTES + 32) {
        return http_refuse(fail, 414, "The request target is too long.");
    }
    if (length > REMORA_LIMIT_HTTP_HEADER_BYTES + 2) {
        return http_refuse(fail, 431, "A header line is too long.");
    }
    if (scan->line_at + length > REMORA_LIMIT_HTTP_HEAD_BYTES) {
        return http_refuse(fail, 431, "The headers are too long.");
    }
    if (scan->lines > REMORA_LIMIT_HTTP_HEADERS + 1) {
        return http_refuse(fail, 431, "There are too many headers.");
    }
    return true;
}

/* The line has not ended: a CR may only be its last byte. */
static enum http_scan judge_open_line(const struct http_head_scan *scan, struct remora_slice line,
                                      struct remora_fail *fail)
{
    if (!is_size_fine(scan, line.length, fail)) {
        return HTTP_SCAN_REFUSED;
    }
    if (remora_slice_find(line, '\r', 0) + 1 < line.length) {
        return refuse(fail, 400, "A bare CR stands in the head.");
    }
    return HTTP_SCAN_MORE;
}

/* `line` ends with LF. MORE: go on with the next line. */
static enum http_scan judge_line(const struct http_head_scan *scan, struct remora_slice line,
                                 struct remora_fail *fail)
{
    size_t length = line.length - 1;
    if (length == 0 || line.data[length - 1] != '\r') {
        return refuse(fail, 400, "A line of the head ends with a bare LF.");
    }
    length--;
    if (remora_slice_find(remora_slice(line.data, length), '\r', 0) < length) {
        return refuse(fail, 400, "A bare CR stands in the head.");
    }
    if (!is_size_fine(scan, length, fail)) {
        return HTTP_SCAN_REFUSED;
    }
    if (length > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        return refuse(fail, 400, "A line of the head begins with white space.");
    }
    if (length == 0) {
        return scan->lines == 0 ? refuse(fail, 400, "The request line is empty.") : HTTP_SCAN_WHOLE;
    }
    return HTTP_SCAN_MORE;
}

enum http_scan http_head_scan(struct http_head_scan *scan, struct remora_slice bytes, size_t *end,
                              struct remora_fail *fail)
{
    for (;;) {
        struct remora_slice rest =
            remora_slice(bytes.data + scan->line_at, bytes.length - scan->line_at);
        size_t at = remora_slice_find(rest, '\n', 0);
        if (at == rest.length) {
            return judge_open_line(scan, rest, fail);
        }
        enum http_scan verdict = judge_line(scan, remora_slice(rest.data, at + 1), fail);
        if (verdict == HTTP_SCAN_REFUSED) {
            return verdict;
        }
        scan->line_at += at + 1;
        scan->lines++;
        if (verdict == HTTP_SCAN_WHOLE) {
            *end = scan->line_at;
            return verdict;
        }
    }
}
