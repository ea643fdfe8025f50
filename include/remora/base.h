/*
 * The words that every other header uses: attributes, slices, checked sizes.
 *
 * A slice is a view: it never owns. Whoever hands one out says how long it lives. Its bytes may hold NUL and are not
 * terminated. All functions here are pure and may be called from any thread.
 */
#ifndef REMORA_BASE_H
#define REMORA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REMORA_MUST_CHECK                  __attribute__((warn_unused_result))
#define REMORA_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define REMORA_COUNT_OF(array)             (sizeof(array) / sizeof((array)[0]))
/* Tells the failure path from the other: what leads to a call of it is laid out apart, so that the usual way lies together. */
#define REMORA_COLD __attribute__((cold))
/* The build zeroes every local; of a large one on the way of every request that is felt. What is read must be written before. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define REMORA_NOT_ZEROED __attribute__((uninitialized))
#endif
#endif
#ifndef REMORA_NOT_ZEROED
#define REMORA_NOT_ZEROED
#endif
/* The struct that holds `member`, from a pointer to that member. */
#define REMORA_CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct remora_slice {
    const char *data; /* may be NULL when length is 0 */
    size_t length;    /* bytes */
};

/* For static initialisers; REMORA_SLICE for expressions. */
#define REMORA_SLICE_INIT(literal)     \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }
#define REMORA_SLICE(literal) ((struct remora_slice)REMORA_SLICE_INIT(literal))
/* printf("%.*s", REMORA_SLICE_ARG(s)) */
#define REMORA_SLICE_ARG(slice) (int)(slice).length, ((slice).data == NULL ? "" : (slice).data)

static inline struct remora_slice remora_slice(const char *data, size_t length)
{
    return (struct remora_slice){data, length};
}

/* A view of a C string; NULL gives the empty slice. */
static inline struct remora_slice remora_slice_of(const char *text)
{
    return (struct remora_slice){text, text == NULL ? 0 : strlen(text)};
}

static inline bool remora_slice_is_empty(struct remora_slice s)
{
    return s.length == 0;
}

static inline bool remora_slice_equal(struct remora_slice a, struct remora_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool remora_slice_is(struct remora_slice a, const char *text)
{
    return remora_slice_equal(a, remora_slice_of(text));
}

/* ASCII only: locale plays no part. Most names that are compared differ in length already. */
REMORA_MUST_CHECK bool remora_bytes_equal_nocase(const char *a, const char *b, size_t length);
static inline bool remora_slice_equal_nocase(struct remora_slice a, struct remora_slice b)
{
    return a.length == b.length && remora_bytes_equal_nocase(a.data, b.data, a.length);
}
/* Below, at or above 0 as strcmp: by unsigned bytes, a prefix first. */
int remora_slice_compare(struct remora_slice a, struct remora_slice b);
bool remora_slice_starts_with(struct remora_slice s, struct remora_slice prefix);
/* Offset of the first `byte` at or after `from`, or s.length. */
size_t remora_slice_find(struct remora_slice s, char byte, size_t from);
/* Without spaces and tabs at both ends. */
struct remora_slice remora_slice_trim(struct remora_slice s);

/* False when the product does not fit; *out is written only on success. */
REMORA_MUST_CHECK static inline bool remora_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

REMORA_MUST_CHECK static inline bool remora_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
