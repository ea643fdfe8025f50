/* Slices: comparing, finding, trimming. ASCII only where letters matter. */
#include "remora/base.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool remora_bytes_equal_nocase(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

int remora_slice_compare(struct remora_slice a, struct remora_slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

bool remora_slice_starts_with(struct remora_slice s, struct remora_slice prefix)
{
    return s.length >= prefix.length &&
           (prefix.length == 0 || memcmp(s.data, prefix.data, prefix.length) == 0);
}

size_t remora_slice_find(struct remora_slice s, char byte, size_t from)
{
    if (from >= s.length) {
        return s.length;
    }
    const char *found = memchr(s.data + from, byte, s.length - from);
    return found == NULL ? s.length : (size_t)(found - s.data);
}

struct remora_slice remora_slice_trim(struct remora_slice s)
{
    while (s.length > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.length--;
    }
    while (s.length > 0 && (s.data[s.length - 1] == ' ' || s.data[s.length - 1] == '\t')) {
        s.length--;
    }
    return s;
}
