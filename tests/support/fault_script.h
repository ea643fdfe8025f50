// A script is what one answer does to its connection: a list of steps over one string of bytes.
// Behaviours write scripts (fault_behaviour.h), connections play them (fault_connection.c).
#ifndef FAULT_SCRIPT_H
#define FAULT_SCRIPT_H

#include "fault_text.h"

#include <stdint.h>

#define FAULT_FOR_EVER UINT64_MAX

enum step_kind {
    STEP_SEND,   // `length` bytes from `offset`, `times` over
    STEP_DRIP,   // the same bytes, `piece` at a time, `ms` apart
    STEP_WAIT,   // `ms`
    STEP_HOLD,   // until POST /__release
    STEP_SILENT, // until the peer leaves
    STEP_RESUME, // read the rest of the request body after all
    STEP_FIN,    // close; over TLS without close_notify
    STEP_RESET,  // close with RST
    STEP_DRAIN,  // stop sending, read and throw away until the peer leaves (at most a second)
    STEP_CLOSE,  // an orderly close; over TLS with close_notify
};

struct step {
    enum step_kind kind;
    uint32_t ms;
    size_t offset;
    size_t length;
    size_t piece;
    uint64_t times;
};

struct script {
    struct text bytes;
    struct step *steps;
    size_t count;
    size_t capacity;
    // How script_body_* write, to be set before they are called.
    const char *line_end; // of SSE, "\n" when NULL
    size_t split;         // bytes per HTTP chunk, 0: one event is one chunk
    uint32_t pace_ms;     // pause before each text chunk
    bool until_eof;       // no chunked framing
    bool one_write;       // everything that is not separated by another step leaves in one write
};

void script_free(struct script *script);
void script_step(struct script *script, struct step step);
void script_wait(struct script *script, uint32_t ms);
// One write of its own, unless one_write.
void script_send(struct script *script, const void *data, size_t length);
void script_printf(struct script *script, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The same bytes many times, without holding them many times.
void script_repeat(struct script *script, const void *data, size_t length, uint64_t times);
// Turns everything added since step `first` into drips.
void script_drip(struct script *script, size_t first, size_t piece, uint32_t ms);
// Bytes of a body in the framing of the script (chunked, split or bare).
void script_body(struct script *script, const void *data, size_t length);
void script_body_end(struct script *script);
// `data: ` and the payload as one event.
void script_event(struct script *script, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
