/*
 * Memory: the process allocator behind one seam, and arenas.
 *
 * Request code allocates from arenas only. Code that lives longer (servers, snapshots, connections) uses remora_alloc,
 * which tests make fail one allocation at a time (STYLE "Memory": the torture test). `malloc` itself is called in
 * src/base and src/transport only; the lint checks it.
 */
#ifndef REMORA_MEMORY_H
#define REMORA_MEMORY_H

#include "remora/base.h"
#include "remora/codes.h"

/* Zeroed memory, or NULL. Owned by the caller, returned with remora_free. Any thread. */
REMORA_MUST_CHECK void *remora_alloc(size_t bytes);
/* count * size, checked, zeroed. */
REMORA_MUST_CHECK void *remora_alloc_array(size_t count, size_t bytes);
/* As realloc; new bytes are not zeroed. NULL leaves the old block as it was. */
REMORA_MUST_CHECK void *remora_realloc(void *block, size_t bytes);
void remora_free(void *block);
/* A NUL-terminated copy, or NULL. */
REMORA_MUST_CHECK char *remora_strdup(struct remora_slice s);

/*
 * Zeroed memory that core dumps leave out (a mapping of its own, MADV_DONTDUMP of madvise(2)): for secrets, and for buffers that they pass
 * through. NULL: no memory. remora_free_private wipes it; `bytes` as there.
 */
REMORA_MUST_CHECK void *remora_alloc_private(size_t bytes);
void remora_free_private(void *block, size_t bytes);

/*
 * Test seam: the nth allocation from now (1 = the next) fails; with `for_ever` every one after it too. 0 switches it
 * off. remora_alloc_count is the number of allocations since the last call; counting begins with the first use
 * of either. For tests only (not thread safe).
 */
void remora_alloc_fail_at(uint64_t nth, bool for_ever);
uint64_t remora_alloc_count(void);

/*
 * An arena: bump allocation in chunks, freed whole. Owned by one thread. `limit_bytes` bounds what it may take from the
 * process; an allocation beyond it returns NULL and the arena remembers the first such code (later ones that fit succeed),
 * so a parser may check once at its end. Memory is aligned for any type and zeroed.
 */
struct remora_arena {
    struct remora_arena_chunk *chunks; /* newest first */
    char *at;
    char *end;
    size_t chunk_bytes; /* size of an ordinary chunk */
    size_t limit_bytes;
    size_t taken_bytes;      /* from the process, chunk heads included */
    enum remora_code failed; /* REMORA_OK, TOO_LARGE (limit) or SHEDDING (no memory) */
};

/* Takes nothing from the process yet. */
void remora_arena_init(struct remora_arena *arena, size_t chunk_bytes, size_t limit_bytes);
REMORA_MUST_CHECK void *remora_arena_alloc(struct remora_arena *arena, size_t bytes);
REMORA_MUST_CHECK void *remora_arena_array(struct remora_arena *arena, size_t count, size_t bytes);
/*
 * Grows (new bytes zeroed) or shrinks a block of this arena; in place when it is the newest or a large one, else moved.
 * NULL leaves the old block as it was. `block` may be NULL with old_bytes 0.
 */
REMORA_MUST_CHECK void *remora_arena_resize(struct remora_arena *arena, void *block,
                                            size_t old_bytes, size_t bytes);
/* A copy with a NUL behind it (not counted); {NULL, 0} on failure. */
REMORA_MUST_CHECK struct remora_slice remora_arena_copy(struct remora_arena *arena,
                                                        struct remora_slice s);
REMORA_MUST_CHECK struct remora_slice remora_arena_printf(struct remora_arena *arena,
                                                          const char *format, ...)
    REMORA_PRINTF(2, 3);
/* Forgets everything, keeps one ordinary chunk, clears `failed`. */
void remora_arena_reset(struct remora_arena *arena);
/* Gives everything back; the arena may be used again. */
void remora_arena_fini(struct remora_arena *arena);

#endif
