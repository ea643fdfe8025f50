/*
 * A growable byte buffer that cannot exist without a maximum. Owned by one thread; contents owned by the buffer.
 *
 * Failure is sticky: after the first append that does not fit (TOO_LARGE) or finds no memory (SHEDDING) every later
 * append does nothing, so a writer checks once, with remora_buf_code, before the bytes are used.
 */
#ifndef REMORA_BUF_H
#define REMORA_BUF_H

#include "remora/base.h"
#include "remora/codes.h"

struct remora_buf {
    char *data;
    size_t length;   /* bytes used */
    size_t start;    /* bytes at the front already consumed */
    size_t capacity; /* bytes held */
    size_t limit_bytes;
    enum remora_code failed;
    bool is_borrowed; /* data is the caller's */
    bool is_secret;   /* memory is wiped before it is given back, also when the buffer grows */
};

void remora_buf_init(struct remora_buf *buf, size_t limit_bytes);
/* For what may hold a secret: no copy is left in the heap. */
void remora_buf_init_secret(struct remora_buf *buf, size_t limit_bytes);
/* Over memory of the caller's, which outlives it: never allocates, TOO_LARGE when it is full. fini is not owed. */
void remora_buf_init_over(struct remora_buf *buf, char *memory, size_t bytes);
/* Gives the memory back; the buffer is as after init. */
void remora_buf_fini(struct remora_buf *buf);
/* The rare path of remora_buf_reserve: there is no room, or the buffer has failed. */
REMORA_MUST_CHECK char *remora_buf_grow(struct remora_buf *buf, size_t bytes);
/* Room for `bytes` more at data + length, or NULL (and failed). Commit by adding to length. */
REMORA_MUST_CHECK static inline char *remora_buf_reserve(struct remora_buf *buf, size_t bytes)
{
    if (buf->data == NULL || bytes > buf->capacity - buf->length || buf->failed != REMORA_OK) {
        return remora_buf_grow(buf, bytes);
    }
    return buf->data + buf->length;
}
static inline void remora_buf_append(struct remora_buf *buf, struct remora_slice s)
{
    char *to = s.length == 0 ? NULL : remora_buf_reserve(buf, s.length);
    if (to != NULL) {
        memcpy(to, s.data, s.length);
        buf->length += s.length;
    }
}
static inline void remora_buf_append_text(struct remora_buf *buf, const char *text)
{
    remora_buf_append(buf, remora_slice_of(text));
}
static inline void remora_buf_append_byte(struct remora_buf *buf, char byte)
{
    char *to = remora_buf_reserve(buf, 1);
    if (to != NULL) {
        *to = byte;
        buf->length++;
    }
}
void remora_buf_append_u64(struct remora_buf *buf, uint64_t value);
void remora_buf_append_i64(struct remora_buf *buf, int64_t value);
void remora_buf_printf(struct remora_buf *buf, const char *format, ...) REMORA_PRINTF(2, 3);
/* Drops `bytes` from the front, without moving the rest until it pays. */
void remora_buf_consume(struct remora_buf *buf, size_t bytes);
/* Empty again, failure cleared; keeps at most `keep_bytes` of memory. */
void remora_buf_reset(struct remora_buf *buf, size_t keep_bytes);
static inline struct remora_slice remora_buf_slice(const struct remora_buf *buf)
{
    return remora_slice(buf->data == NULL ? NULL : buf->data + buf->start,
                        buf->length - buf->start);
}
static inline enum remora_code remora_buf_code(const struct remora_buf *buf)
{
    return buf->failed;
}

#endif
