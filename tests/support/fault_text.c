// Byte strings and a JSON member reader for the fault server. The reader trusts the sender to write
// valid JSON; on anything else it finds nothing, it never reads past the slice.
#include "fault_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct text *text, size_t extra)
{
    if (text->capacity - text->length >= extra) {
        return;
    }
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity - text->length < extra) {
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    text->data = data;
    text->capacity = capacity;
}

void text_add(struct text *text, const void *data, size_t length)
{
    reserve(text, length);
    if (data != NULL && length > 0) {
        memcpy(text->data + text->length, data, length);
    }
    text->length += length;
}

void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    char nothing[1];
    int length = vsnprintf(nothing, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        reserve(text, (size_t)length + 1);
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void text_json_bytes(struct text *text, struct slice bytes)
{
    text_puts(text, "\"");
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        if (byte == '"' || byte == '\\') {
            text_printf(text, "\\%c", byte);
        } else if (byte < 0x20 || byte >= 0x7f) {
            text_printf(text, "\\u%04x", byte);
        } else {
            text_add(text, &bytes.data[i], 1);
        }
    }
    text_puts(text, "\"");
}

void text_drop(struct text *text, size_t length)
{
    if (length == 0) {
        return;
    }
    memmove(text->data, text->data + length, text->length - length);
    text->length -= length;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

struct slice slice_of(const char *string)
{
    return (struct slice){string, strlen(string)};
}

bool slice_is(struct slice slice, const char *string)
{
    return slice.length == strlen(string) && memcmp(slice.data, string, slice.length) == 0;
}

bool slice_has(struct slice slice, const char *needle)
{
    return slice.data != NULL && memmem(slice.data, slice.length, needle, strlen(needle)) != NULL;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
        at++;
    }
    return at;
}

// From an opening quote to just after the closing one; NULL when it is cut.
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '"') {
            return at + 1;
        }
    }
    return NULL;
}

static const char *skip_nested(const char *at, const char *end)
{
    int depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            if (at == NULL) {
                return NULL;
            }
            continue;
        }
        if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
        at++;
        if (depth == 0) {
            return at;
        }
    }
    return NULL;
}

// Just after the value that begins at `at`; NULL when it is cut.
static const char *skip_value(const char *at, const char *end)
{
    if (at >= end) {
        return NULL;
    }
    if (*at == '"') {
        return skip_string(at, end);
    }
    if (*at == '{' || *at == '[') {
        return skip_nested(at, end);
    }
    const char *start = at;
    while (at < end && strchr(",]} \t\r\n", *at) == NULL) {
        at++;
    }
    return at < end && at > start ? at : NULL;
}

struct slice json_member(struct slice object, const char *key)
{
    const struct slice none = {0};
    const char *end = object.data + object.length;
    const char *at = skip_space(object.data, end);
    if (object.data == NULL || at >= end || *at != '{') {
        return none;
    }
    for (at++; (at = skip_space(at, end)) < end && *at == '"';) {
        const char *name = at + 1;
        const char *after = skip_string(at, end);
        if (after == NULL) {
            return none;
        }
        struct slice found = {name, (size_t)(after - 1 - name)};
        at = skip_space(after, end);
        if (at >= end || *at != ':') {
            return none;
        }
        const char *value = skip_space(at + 1, end);
        at = skip_value(value, end);
        if (at == NULL) {
            return none;
        }
        if (slice_is(found, key)) {
            return (struct slice){value, (size_t)(at - value)};
        }
        at = skip_space(at, end);
        if (at < end && *at == ',') {
            at++;
        }
    }
    return none;
}

bool json_element(struct slice *rest, struct slice *element)
{
    const char *end = rest->data + rest->length;
    const char *at = skip_space(rest->data, end);
    if (rest->data == NULL || at >= end || (*at != '[' && *at != ',')) {
        return false;
    }
    const char *value = skip_space(at + 1, end);
    if (value >= end || *value == ']') {
        return false;
    }
    const char *after = skip_value(value, end);
    if (after == NULL) {
        return false;
    }
    *element = (struct slice){value, (size_t)(after - value)};
    *rest = (struct slice){after, (size_t)(end - after)};
    return true;
}

struct slice json_string_inner(struct slice value)
{
    if (value.data == NULL || value.length < 2 || value.data[0] != '"') {
        return (struct slice){0};
    }
    return (struct slice){value.data + 1, value.length - 2};
}
