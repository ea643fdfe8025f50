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
};

void remora_buf_init(struct remora_buf *buf, size_t limit_bytes);
/* Over memory of the caller's, which outlives it: never allocates, TOO_LARGE when it is full. fini is not owed. */
void remora_buf_init_over(struct remora_buf *buf, char *memory, size_t bytes);
/* Gives the memory back; the buffer is as after init. */
void remora_buf_fini(struct remora_buf *buf);
void remora_buf_append(struct remora_buf *buf, struct remora_slice s);
void remora_buf_append_text(struct remora_buf *buf, const char *text);
void remora_buf_append_byte(struct remora_buf *buf, char byte);
void remora_buf_append_u64(struct remora_buf *buf, uint64_t value);
void remora_buf_append_i64(struct remora_buf *buf, int64_t value);
void remora_buf_printf(struct remora_buf *buf, const char *format, ...) REMORA_PRINTF(2, 3);
/* Room for `bytes` more at data + length, or NULL (and failed). Commit by adding to length. */
REMORA_MUST_CHECK char *remora_buf_reserve(struct remora_buf *buf, size_t bytes);
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
