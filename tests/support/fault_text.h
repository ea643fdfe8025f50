// Growing byte strings, slices and a reader for the few JSON members that the fault server looks at.
#ifndef FAULT_TEXT_H
#define FAULT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
    const char *data;
    size_t length;
};

// Bytes owned by the holder; out of memory ends the process (this is a test tool).
struct text {
    char *data;
    size_t length;
    size_t capacity;
};

// `data` may be NULL to make room only; the new bytes are then undefined.
void text_add(struct text *text, const void *data, size_t length);
void text_puts(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
// As a JSON string with its quotes. Bytes from 0x80 become \u00XX each, so that any bytes survive:
// the reader gets them back by encoding the string as Latin-1.
void text_json_bytes(struct text *text, struct slice bytes);
// Removes the first `length` bytes.
void text_drop(struct text *text, size_t length);
void text_free(struct text *text);

struct slice slice_of(const char *string);
bool slice_is(struct slice slice, const char *string);
bool slice_has(struct slice slice, const char *needle);

// The raw value of a member of the object in `object`; empty (data NULL) when absent or cut short.
struct slice json_member(struct slice object, const char *key);
// Walks an array: `rest` starts as the whole array; false at its end.
bool json_element(struct slice *rest, struct slice *element);
// What stands between the quotes, escapes as they are; empty when it is no string.
struct slice json_string_inner(struct slice value);

#endif
