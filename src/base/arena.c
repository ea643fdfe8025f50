/*
 * Arenas: bump allocation in chunks.
 *
 * The newest ordinary chunk is the head of the list and the one that `at` and `end` point into. A request that would
 * waste much of a chunk gets one of its own, linked behind the head so that the rest of the head stays in use; such a
 * chunk can be resized by the process's allocator.
 * Fails: the limit (TOO_LARGE) or no memory (SHEDDING); the first of them is remembered, later requests that fit succeed.
 * Under AddressSanitizer what is not handed out is poisoned, so that use after a reset is caught.
 */
#include "remora/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(at, bytes)   __asan_poison_memory_region((at), (bytes))
#define UNPOISON(at, bytes) __asan_unpoison_memory_region((at), (bytes))
#else
#define POISON(at, bytes)   ((void)(at), (void)(bytes))
#define UNPOISON(at, bytes) ((void)(at), (void)(bytes))
#endif

struct remora_arena_chunk {
    struct remora_arena_chunk *next;
    size_t bytes; /* of memory, behind this head */
    bool is_own;  /* holds one allocation */
    _Alignas(max_align_t) char memory[];
};

static const size_t alignment = _Alignof(max_align_t);

static void *refuse(struct remora_arena *arena, enum remora_code code)
{
    if (arena->failed == REMORA_OK) {
        arena->failed = code;
    }
    return NULL;
}

/* `bytes` rounded up to the alignment; false when that overflows. */
static bool round_up(size_t bytes, size_t *out)
{
    if (!remora_size_add(bytes == 0 ? 1 : bytes, alignment - 1, out)) {
        return false;
    }
    *out &= ~(alignment - 1);
    return true;
}

/* Bytes that one more chunk may have for memory. */
static size_t room_left(const struct remora_arena *arena)
{
    size_t left = arena->limit_bytes - arena->taken_bytes;
    size_t head = sizeof(struct remora_arena_chunk);
    return left > head ? (left - head) & ~(alignment - 1) : 0;
}

static void chunk_free(struct remora_arena *arena, struct remora_arena_chunk *chunk)
{
    arena->taken_bytes -= sizeof *chunk + chunk->bytes;
    UNPOISON(chunk->memory, chunk->bytes);
    remora_free(chunk);
}

/* `memory` comes from one of the two allocators and is bytes and a head long. */
static struct remora_arena_chunk *chunk_take(struct remora_arena *arena, void *memory, size_t bytes)
{
    struct remora_arena_chunk *chunk = memory;
    if (chunk == NULL) {
        return refuse(arena, REMORA_SHEDDING);
    }
    *chunk = (struct remora_arena_chunk){.bytes = bytes};
    arena->taken_bytes += sizeof *chunk + bytes;
    return chunk;
}

/* A chunk for this allocation alone. remora_alloc has zeroed it. */
static void *alloc_own(struct remora_arena *arena, size_t bytes)
{
    struct remora_arena_chunk *chunk =
        chunk_take(arena, remora_alloc(sizeof *chunk + bytes), bytes);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->is_own = true;
    struct remora_arena_chunk **link =
        arena->chunks == NULL || arena->at == NULL ? &arena->chunks : &arena->chunks->next;
    chunk->next = *link;
    *link = chunk;
    return chunk->memory;
}

static void enter(struct remora_arena *arena, struct remora_arena_chunk *chunk)
{
    arena->at = chunk->memory;
    arena->end = chunk->memory + chunk->bytes;
    POISON(chunk->memory, chunk->bytes);
}

/* The rare path of remora_arena_alloc: the head chunk is too full. `bytes` is rounded up. */
static void *alloc_slow(struct remora_arena *arena, size_t bytes)
{
    size_t room = room_left(arena);
    if (bytes > room) {
        return refuse(arena, REMORA_TOO_LARGE);
    }
    size_t ordinary = arena->chunk_bytes < room ? arena->chunk_bytes : room;
    if (bytes > ordinary / 2) {
        return alloc_own(arena, bytes);
    }
    /* Not zeroed: what is handed out is, piece by piece. */
    struct remora_arena_chunk *chunk =
        chunk_take(arena, remora_realloc(NULL, sizeof *chunk + ordinary), ordinary);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    enter(arena, chunk);
    void *block = arena->at;
    arena->at += bytes;
    UNPOISON(block, bytes);
    return memset(block, 0, bytes);
}

void remora_arena_init(struct remora_arena *arena, size_t chunk_bytes, size_t limit_bytes)
{
    size_t least = 16 * alignment;
    *arena = (struct remora_arena){
        .chunk_bytes = (chunk_bytes < least ? least : chunk_bytes) & ~(alignment - 1),
        .limit_bytes = limit_bytes,
    };
}

void *remora_arena_alloc(struct remora_arena *arena, size_t bytes)
{
    size_t rounded;
    if (!round_up(bytes, &rounded)) {
        return refuse(arena, REMORA_TOO_LARGE);
    }
    if (rounded > (size_t)(arena->end - arena->at)) {
        return alloc_slow(arena, rounded);
    }
    char *block = arena->at;
    arena->at += rounded;
    UNPOISON(block, rounded);
    return memset(block, 0, rounded);
}

void *remora_arena_array(struct remora_arena *arena, size_t count, size_t bytes)
{
    size_t total;
    if (!remora_size_mul(count, bytes, &total)) {
        return refuse(arena, REMORA_TOO_LARGE);
    }
    return remora_arena_alloc(arena, total);
}

/* Resizes a chunk that holds only `block`; NULL when block has none, or on failure (then arena->failed may be set). */
static void *resize_own(struct remora_arena *arena, void *block, size_t bytes, bool *found)
{
    struct remora_arena_chunk **link = &arena->chunks;
    while (*link != NULL && ((*link)->memory != (char *)block || !(*link)->is_own)) {
        link = &(*link)->next;
    }
    *found = *link != NULL;
    if (!*found) {
        return NULL;
    }
    size_t before = (*link)->bytes;
    if (bytes > before && bytes - before > arena->limit_bytes - arena->taken_bytes) {
        return refuse(arena, REMORA_TOO_LARGE);
    }
    struct remora_arena_chunk *chunk = remora_realloc(*link, sizeof *chunk + bytes);
    if (chunk == NULL) {
        return bytes <= before ? block : refuse(arena, REMORA_SHEDDING);
    }
    if (bytes > before) {
        memset(chunk->memory + before, 0, bytes - before);
    }
    arena->taken_bytes += bytes - before;
    chunk->bytes = bytes;
    *link = chunk;
    return chunk->memory;
}

/* Moves the end of the newest allocation of the head chunk; false when block is not that or there is no room. */
static bool resize_in_place(struct remora_arena *arena, char *block, size_t old, size_t bytes)
{
    if (arena->at == NULL || block + old != arena->at || bytes > (size_t)(arena->end - block)) {
        return false;
    }
    arena->at = block + bytes;
    if (bytes > old) {
        UNPOISON(block + old, bytes - old);
        memset(block + old, 0, bytes - old);
    } else {
        POISON(block + bytes, old - bytes);
    }
    return true;
}

void *remora_arena_resize(struct remora_arena *arena, void *block, size_t old_bytes, size_t bytes)
{
    size_t old;
    size_t rounded;
    if (!round_up(old_bytes, &old) || !round_up(bytes, &rounded)) {
        return refuse(arena, REMORA_TOO_LARGE);
    }
    if (block == NULL) {
        return remora_arena_alloc(arena, bytes);
    }
    if (rounded == old || resize_in_place(arena, block, old, rounded)) {
        return block;
    }
    bool is_own;
    void *resized = resize_own(arena, block, rounded, &is_own);
    if (is_own) {
        return resized;
    }
    if (rounded < old) {
        return block;
    }
    resized = remora_arena_alloc(arena, bytes);
    if (resized != NULL) {
        memcpy(resized, block, old_bytes);
    }
    return resized;
}

struct remora_slice remora_arena_copy(struct remora_arena *arena, struct remora_slice s)
{
    size_t bytes;
    if (!remora_size_add(s.length, 1, &bytes)) {
        refuse(arena, REMORA_TOO_LARGE);
        return (struct remora_slice){0};
    }
    char *copy = remora_arena_alloc(arena, bytes);
    if (copy == NULL) {
        return (struct remora_slice){0};
    }
    if (s.length > 0) {
        memcpy(copy, s.data, s.length);
    }
    return remora_slice(copy, s.length);
}

struct remora_slice remora_arena_printf(struct remora_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : remora_arena_alloc(arena, (size_t)length + 1);
    if (text == NULL) {
        return (struct remora_slice){0};
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return remora_slice(text, (size_t)length);
}

void remora_arena_reset(struct remora_arena *arena)
{
    struct remora_arena_chunk *kept = NULL;
    struct remora_arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct remora_arena_chunk *next = chunk->next;
        if (kept == NULL && !chunk->is_own && chunk->bytes == arena->chunk_bytes) {
            kept = chunk;
        } else {
            chunk_free(arena, chunk);
        }
        chunk = next;
    }
    arena->chunks = kept;
    arena->at = NULL;
    arena->end = NULL;
    arena->failed = REMORA_OK;
    if (kept != NULL) {
        kept->next = NULL;
        enter(arena, kept);
    }
}

void remora_arena_fini(struct remora_arena *arena)
{
    while (arena->chunks != NULL) {
        struct remora_arena_chunk *next = arena->chunks->next;
        chunk_free(arena, arena->chunks);
        arena->chunks = next;
    }
    remora_arena_init(arena, arena->chunk_bytes, arena->limit_bytes);
}
