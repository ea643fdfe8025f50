/*
 * Growable buffers with a maximum. The limit is on the bytes held and not yet consumed; consumed bytes at the front are
 * reclaimed by one memmove when room is needed, which keeps the memory at most at the limit. Growth doubles.
 * Fails: TOO_LARGE or SHEDDING, sticky until reset.
 */
#include "remora/buf.h"

#include "remora/memory.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_BYTES = 256 };

void remora_buf_init(struct remora_buf *buf, size_t limit_bytes)
{
    *buf = (struct remora_buf){.limit_bytes = limit_bytes};
}

void remora_buf_init_secret(struct remora_buf *buf, size_t limit_bytes)
{
    *buf = (struct remora_buf){.limit_bytes = limit_bytes, .is_secret = true};
}

void remora_buf_init_over(struct remora_buf *buf, char *memory, size_t bytes)
{
    *buf = (struct remora_buf){
        .data = memory, .capacity = bytes, .limit_bytes = bytes, .is_borrowed = true};
}

static void give_memory(struct remora_buf *buf)
{
    if (buf->is_secret && buf->data != NULL) {
        explicit_bzero(buf->data, buf->capacity);
    }
    remora_free(buf->data);
}

void remora_buf_fini(struct remora_buf *buf)
{
    if (buf->is_borrowed) {
        remora_buf_init_over(buf, buf->data, buf->capacity);
        return;
    }
    give_memory(buf);
    *buf = (struct remora_buf){.limit_bytes = buf->limit_bytes, .is_secret = buf->is_secret};
}

static void reclaim(struct remora_buf *buf)
{
    if (buf->start > 0) {
        memmove(buf->data, buf->data + buf->start, buf->length - buf->start);
        buf->length -= buf->start;
        buf->start = 0;
    }
}

static char *fail_with(struct remora_buf *buf, enum remora_code code)
{
    buf->failed = code;
    return NULL;
}

/* As realloc, but what may be secret is not left where it was. */
static char *grow(struct remora_buf *buf, size_t capacity)
{
    if (!buf->is_secret || buf->data == NULL) {
        return remora_realloc(buf->data, capacity);
    }
    char *data = remora_alloc(capacity);
    if (data != NULL) {
        memcpy(data, buf->data, buf->length);
        give_memory(buf);
    }
    return data;
}

static char *reserve_slow(struct remora_buf *buf, size_t bytes)
{
    size_t held = buf->length - buf->start;
    if (held > buf->limit_bytes || bytes > buf->limit_bytes - held) {
        return fail_with(buf, REMORA_TOO_LARGE);
    }
    size_t need = held + bytes;
    /* Moving pays when at least as much is reclaimed as is moved; beyond the limit it must. */
    if (need <= buf->capacity && (buf->start >= held || buf->capacity > buf->limit_bytes / 2)) {
        reclaim(buf);
        return buf->data + buf->length;
    }
    size_t capacity = buf->capacity < FIRST_BYTES / 2 ? FIRST_BYTES : buf->capacity * 2;
    capacity = capacity < need ? need : capacity;
    capacity = capacity > buf->limit_bytes ? buf->limit_bytes : capacity;
    reclaim(buf);
    char *data = grow(buf, capacity);
    if (data == NULL) {
        return fail_with(buf, REMORA_SHEDDING);
    }
    buf->data = data;
    buf->capacity = capacity;
    return data + buf->length;
}

char *remora_buf_grow(struct remora_buf *buf, size_t bytes)
{
    return buf->failed == REMORA_OK ? reserve_slow(buf, bytes == 0 ? 1 : bytes) : NULL;
}

/* 00 to 99: a division for every second digit only. */
static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

void remora_buf_append_u64(struct remora_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    for (; value >= 10; value /= 100) {
        const char *pair = digit_pairs + value % 100 * 2;
        digits[--at] = pair[1];
        digits[--at] = pair[0];
    }
    if (value > 0 || at == sizeof digits) {
        digits[--at] = (char)('0' + value);
    }
    remora_buf_append(buf, remora_slice(digits + at, sizeof digits - at));
}

void remora_buf_append_i64(struct remora_buf *buf, int64_t value)
{
    if (value < 0) {
        remora_buf_append_byte(buf, '-');
        remora_buf_append_u64(buf, ~(uint64_t)value + 1);
    } else {
        remora_buf_append_u64(buf, (uint64_t)value);
    }
}

void remora_buf_printf(struct remora_buf *buf, const char *format, ...)
{
    char small[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length < sizeof small) {
        remora_buf_append(buf, remora_slice(small, length < 0 ? 0 : (size_t)length));
        return;
    }
    char *to = remora_buf_reserve(buf, (size_t)length);
    if (to == NULL) {
        return;
    }
    /* vsnprintf wants room for its NUL as well, which the limit may not leave: the last byte is set apart. */
    char *text = remora_alloc((size_t)length + 1);
    if (text == NULL) {
        fail_with(buf, REMORA_SHEDDING);
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    memcpy(to, text, (size_t)length);
    buf->length += (size_t)length;
    remora_free(text);
}

void remora_buf_consume(struct remora_buf *buf, size_t bytes)
{
    size_t held = buf->length - buf->start;
    if (bytes >= held) {
        buf->start = 0;
        buf->length = 0;
    } else {
        buf->start += bytes;
    }
}

void remora_buf_reset(struct remora_buf *buf, size_t keep_bytes)
{
    if (buf->capacity > keep_bytes) {
        remora_buf_fini(buf);
        return;
    }
    buf->length = 0;
    buf->start = 0;
    buf->failed = REMORA_OK;
}
