/* Reading the text behind a string's escapes, one character at a time. The parser has checked it already. */
#ifndef REMORA_JSON_ESCAPE_H
#define REMORA_JSON_ESCAPE_H

#include "remora/base.h"

struct json_unescape {
    const char *at;
    const char *end;
    unsigned char pending[4]; /* UTF-8 of the character being given out */
    uint8_t pending_count;
    uint8_t pending_at;
};

void json_unescape_begin(struct json_unescape *u, struct remora_slice raw);
/* The next byte of the unescaped text, or -1 behind the last. */
int json_unescape_next(struct json_unescape *u);
/* Unescapes the whole; `out` holds raw.length bytes. Returns the length, which is never more than that. */
size_t json_unescape_all(struct remora_slice raw, char *out);

#endif
