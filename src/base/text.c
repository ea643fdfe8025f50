/* Small readers and writers of text: numbers, wildcards, hex, edit distance. */
#include "remora/text.h"

bool remora_parse_u64(struct remora_slice s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.length == 0) {
        return false;
    }
    for (size_t i = 0; i < s.length; i++) {
        unsigned digit = (unsigned char)s.data[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

static bool is_digits(struct remora_slice s)
{
    for (size_t i = 0; i < s.length; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
    }
    return s.length > 0;
}

/* 0x alone is one, too: as 0 (WHATWG URL standard, "IPv4 number parser"). */
static bool is_hex_number(struct remora_slice s)
{
    bool is_hex = s.length > 1 && s.data[0] == '0' && (s.data[1] == 'x' || s.data[1] == 'X');
    for (size_t i = 2; i < s.length && is_hex; i++) {
        char lower = (char)(s.data[i] | 0x20);
        is_hex = (s.data[i] >= '0' && s.data[i] <= '9') || (lower >= 'a' && lower <= 'f');
    }
    return is_hex;
}

bool remora_host_ends_in_number(struct remora_slice host)
{
    size_t end = host.length;
    if (end > 0 && host.data[end - 1] == '.') {
        end--;
    }
    size_t from = end;
    while (from > 0 && host.data[from - 1] != '.') {
        from--;
    }
    struct remora_slice label = remora_slice(host.data + from, end - from);
    return is_hex_number(label) || is_digits(label);
}

/* On a mismatch only the last star takes one byte more: what earlier stars took can stay as it is. */
bool remora_wildcard_match(struct remora_slice pattern, struct remora_slice text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX; /* place of the last star seen */
    size_t taken = 0;       /* where the text behind its run begins */
    while (t < text.length) {
        if (p < pattern.length && pattern.data[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.length && pattern.data[p] == text.data[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.data[p] == '*') {
        p++;
    }
    return p == pattern.length;
}

void remora_append_hex(struct remora_buf *buf, struct remora_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t length;
    if (!remora_size_mul(bytes.length, 2, &length)) {
        buf->failed = REMORA_TOO_LARGE;
        return;
    }
    char *to = remora_buf_reserve(buf, length);
    if (to == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        to[2 * i] = digits[byte >> 4];
        to[2 * i + 1] = digits[byte & 15];
    }
    buf->length += length;
}

enum { DISTANCE_BYTES = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* One row of the dynamic programme: row[j] is the distance between the first i bytes of a and the first j of b. */
static void distance_row(unsigned *row, unsigned i, char byte, struct remora_slice b)
{
    unsigned diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.length; j++) {
        unsigned above = row[j];
        unsigned replaced = diagonal + (byte == b.data[j - 1] ? 0 : 1);
        row[j] = least(replaced, least(above, row[j - 1]) + 1);
        diagonal = above;
    }
}

char remora_text_letter(struct remora_slice text, size_t *at)
{
    static const struct {
        struct remora_slice bytes;
        char letter;
    } others[] = {
        {REMORA_SLICE_INIT("\xC5\xBF"), 's'},     /* U+017F, long s */
        {REMORA_SLICE_INIT("\xE2\x84\xAA"), 'K'}, /* U+212A, Kelvin */
        {REMORA_SLICE_INIT("\xC4\xB0"), 'I'},     /* U+0130, with a dot */
        {REMORA_SLICE_INIT("\xC4\xB1"), 'i'},     /* U+0131, without one */
    };
    struct remora_slice rest = remora_slice(text.data + *at, text.length - *at);
    for (size_t i = 0; (unsigned char)rest.data[0] >= 0x80 && i < REMORA_COUNT_OF(others); i++) {
        if (remora_slice_starts_with(rest, others[i].bytes)) {
            *at += others[i].bytes.length;
            return others[i].letter;
        }
    }
    ++*at;
    return rest.data[0];
}

bool remora_names_alike(struct remora_slice name, struct remora_slice ascii)
{
    size_t at = 0;
    size_t matched = 0;
    while (at < name.length && matched < ascii.length) {
        char letter = remora_text_letter(name, &at);
        if (!remora_bytes_equal_nocase(&letter, ascii.data + matched, 1)) {
            return false;
        }
        matched++;
    }
    return at == name.length && matched == ascii.length;
}

unsigned remora_edit_distance(struct remora_slice a, struct remora_slice b, unsigned limit)
{
    unsigned row[DISTANCE_BYTES + 1];
    if (a.length > DISTANCE_BYTES || b.length > DISTANCE_BYTES) {
        return limit + 1;
    }
    for (unsigned j = 0; j <= b.length; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.length; i++) {
        distance_row(row, i, a.data[i - 1], b);
    }
    return least(row[b.length], limit + 1);
}
