/*
 * The JSON writer: appends to a remora_buf, which carries failure. A comma is due behind every value and is written
 * before the next value or key; opening a container or writing a key takes it away.
 * Source: RFC 8259 section 7 (what must be escaped).
 */
#include "remora/json.h"

#include "remora/text.h"

#include "scan.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void remora_json_write_begin(struct remora_json_writer *w, struct remora_buf *buf)
{
    *w = (struct remora_json_writer){.buf = buf};
}

static void before_value(struct remora_json_writer *w)
{
    if (w->comma) {
        remora_buf_append_byte(w->buf, ',');
    }
    w->comma = true;
}

static void open_with(struct remora_json_writer *w, char bracket)
{
    before_value(w);
    remora_buf_append_byte(w->buf, bracket);
    w->comma = false;
}

static void close_with(struct remora_json_writer *w, char bracket)
{
    remora_buf_append_byte(w->buf, bracket);
    w->comma = true;
}

void remora_json_object_open(struct remora_json_writer *w)
{
    open_with(w, '{');
}

void remora_json_object_close(struct remora_json_writer *w)
{
    close_with(w, '}');
}

void remora_json_array_open(struct remora_json_writer *w)
{
    open_with(w, '[');
}

void remora_json_array_close(struct remora_json_writer *w)
{
    close_with(w, ']');
}

/* Bytes without anything to escape; what is not UTF-8 among them becomes U+FFFD, byte by byte. */
static void append_plain(struct remora_buf *buf, struct remora_slice run, bool high)
{
    if (!high || remora_utf8_is_valid(run)) {
        remora_buf_append(buf, run);
        return;
    }
    while (run.length > 0) {
        size_t length = remora_utf8_length(run);
        remora_buf_append(buf, length == 0 ? REMORA_SLICE("\xEF\xBF\xBD")
                                           : remora_slice(run.data, length));
        length += length == 0 ? 1 : 0;
        run.data += length;
        run.length -= length;
    }
}

static void append_escape(struct remora_buf *buf, unsigned char c)
{
    static const char short_forms[] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                       ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    static const char digits[] = "0123456789abcdef";
    char short_form = short_forms[c];
    char text[6] = {'\\', short_form, '0', '0', digits[c >> 4], digits[c & 15]};
    if (short_form != '\0') {
        remora_buf_append(buf, remora_slice(text, 2));
        return;
    }
    text[1] = 'u';
    remora_buf_append(buf, remora_slice(text, sizeof text));
}

static inline bool is_plain(struct remora_slice text)
{
    bool high = false;
    const char *end = text.length == 0 ? text.data : text.data + text.length;
    return json_scan(text.data, end, &high) == end && (!high || remora_utf8_is_valid(text));
}

bool remora_json_is_plain(struct remora_slice text)
{
    return is_plain(text);
}

/* As memcpy, and returns where the copy ends. Names and words are short: a call would cost more than their bytes. */
static inline char *put_bytes(char *to, struct remora_slice text)
{
    size_t length = text.length;
    if (length > 16) {
        memcpy(to, text.data, length);
    } else if (length >= 8) {
        memcpy(to, text.data, 8);
        memcpy(to + length - 8, text.data + length - 8, 8);
    } else if (length >= 4) {
        memcpy(to, text.data, 4);
        memcpy(to + length - 4, text.data + length - 4, 4);
    } else {
        for (size_t i = 0; i < length; i++) {
            to[i] = text.data[i];
        }
    }
    return to + length;
}

static inline char *put_quoted(char *to, struct remora_slice text)
{
    *to++ = '"';
    to = put_bytes(to, text);
    *to++ = '"';
    return to;
}

/* With the comma that is due; false, and nothing written, when something has to be escaped. */
static bool write_plain_string(struct remora_json_writer *w, struct remora_slice text)
{
    if (!is_plain(text)) {
        return false;
    }
    size_t bytes = text.length + 2 + (w->comma ? 1 : 0);
    char *to = remora_buf_reserve(w->buf, bytes);
    if (to != NULL) {
        *to = ',';
        put_quoted(to + (w->comma ? 1 : 0), text);
        w->buf->length += bytes;
    }
    w->comma = true;
    return true;
}

static void append_string(struct remora_buf *buf, struct remora_slice text)
{
    const char *at = text.data;
    const char *end = text.length == 0 ? at : at + text.length;
    remora_buf_append_byte(buf, '"');
    while (at < end) {
        bool high = false;
        const char *stop = json_scan(at, end, &high);
        append_plain(buf, remora_slice(at, (size_t)(stop - at)), high);
        if (stop < end) {
            append_escape(buf, (unsigned char)*stop++);
        }
        at = stop;
    }
    remora_buf_append_byte(buf, '"');
}

/* Comma, quotes and colon included in one piece. */
void remora_json_key_plain(struct remora_json_writer *w, struct remora_slice key)
{
    char *to = remora_buf_reserve(w->buf, key.length + 4);
    if (to != NULL) {
        *to = ',';
        char *at = put_quoted(to + (w->comma ? 1 : 0), key);
        *at++ = ':';
        w->buf->length += (size_t)(at - to);
    }
    w->comma = false;
}

void remora_json_key_slice(struct remora_json_writer *w, struct remora_slice key)
{
    remora_json_write_string(w, key);
    remora_buf_append_byte(w->buf, ':');
    w->comma = false;
}

void remora_json_write_string(struct remora_json_writer *w, struct remora_slice text)
{
    if (!write_plain_string(w, text)) {
        before_value(w);
        append_string(w->buf, text);
    }
}

void remora_json_write_raw(struct remora_json_writer *w, struct remora_slice json)
{
    before_value(w);
    remora_buf_append(w->buf, json);
}

void remora_json_write_i64(struct remora_json_writer *w, int64_t value)
{
    before_value(w);
    remora_buf_append_i64(w->buf, value);
}

/*
 * The doubles that people write (0.7, 2, 0.05): n / 10^places, where both are integers that a double holds exactly. Such a
 * division rounds correctly, so the text reads back as the value; with the least places it is the one that printf finds
 * below. False for all others.
 */
static bool write_short_double(struct remora_buf *buf, double value)
{
    static const uint64_t powers[] = {1, 10, 100, 1000, 10000};
    double magnitude = fabs(value);
    bool is_short = magnitude < 1e9 && !(value == 0 && signbit(value));
    for (unsigned places = 0; is_short && places < REMORA_COUNT_OF(powers); places++) {
        uint64_t power = powers[places];
        uint64_t units = (uint64_t)(magnitude * (double)power + 0.5);
        if ((double)units / (double)power != magnitude) {
            continue;
        }
        if (value < 0) {
            remora_buf_append_byte(buf, '-');
        }
        remora_buf_append_u64(buf, units / power);
        if (places > 0) {
            remora_buf_append_byte(buf, '.');
        }
        for (unsigned i = places; i > 0; i--) {
            remora_buf_append_byte(buf, (char)('0' + units / powers[i - 1] % 10));
        }
        return true;
    }
    return false;
}

/*
 * Any decimal of up to 15 digits survives the way to a normal double and back, so the first precision from 15 up that
 * reads back is the shortest; below DBL_MIN fewer digits may do. printf's radix character is a point because the process
 * never sets a locale.
 */
void remora_json_write_double(struct remora_json_writer *w, double value)
{
    char text[40];
    assert(isfinite(value));
    before_value(w);
    if (write_short_double(w->buf, value)) {
        return;
    }
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    remora_buf_append_text(w->buf, text);
}

void remora_json_write_bool(struct remora_json_writer *w, bool value)
{
    before_value(w);
    remora_buf_append(w->buf, value ? REMORA_SLICE("true") : REMORA_SLICE("false"));
}

void remora_json_write_null(struct remora_json_writer *w)
{
    before_value(w);
    remora_buf_append(w->buf, REMORA_SLICE("null"));
}
