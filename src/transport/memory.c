/*
 * libcurl's memory: the process allocator, but what is given back is wiped first. libcurl copies the request's head, keys and
 * all, into buffers of its own and frees them as they are; so would a later core or a stray read find them.
 *
 * Any thread (libcurl's resolver threads allocate too).
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

/*
 * What libcurl grows begins with this much: a request's head is put together byte by byte, and each doubling on the way was an
 * allocation, a copy and a wipe.
 */
enum { GROWING_BYTES = 512 };

/*
 * The buffer that a transfer reads into holds answers only, and wiping its 16 KiB behind every request cost more than anything
 * else that libcurl's memory costs. It is known by its size when it is made and by a mark behind it when it is freed; the mark
 * is taken off with it, so that no other block can come to wear it. (What libcurl sends it grows by realloc, never by malloc.)
 */
enum { READ_BLOCK_BYTES = REMORA_READ_BYTES + 1 };

struct read_block {
    char bytes[READ_BLOCK_BYTES];
    uintptr_t mark;
};

/*
 * A few of them are kept for the next transfers of any thread: blocks of this size are the dearest to get from the allocator
 * and the ones last used are still in the processor's caches. The process's, as its heap is.
 */
enum { KEPT_BLOCKS = 8 };
static _Atomic(struct read_block *) kept[KEPT_BLOCKS];

static struct read_block *take_kept(void)
{
    for (size_t i = 0; i < KEPT_BLOCKS; i++) {
        if (atomic_load_explicit(&kept[i], memory_order_relaxed) != NULL) {
            struct read_block *block =
                atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire);
            if (block != NULL) {
                return block;
            }
        }
    }
    return malloc(sizeof(struct read_block));
}

static void keep_or_free(struct read_block *block)
{
    for (size_t i = 0; i < KEPT_BLOCKS; i++) {
        struct read_block *nobody = NULL;
        if (atomic_load_explicit(&kept[i], memory_order_relaxed) == NULL &&
            atomic_compare_exchange_strong_explicit(&kept[i], &nobody, block, memory_order_release,
                                                    memory_order_relaxed)) {
            return;
        }
    }
    free(block);
}

static void *marking_malloc(size_t bytes)
{
    if (bytes != READ_BLOCK_BYTES) {
        return malloc(bytes);
    }
    struct read_block *block = take_kept();
    if (block != NULL) {
        block->mark = ~(uintptr_t)block;
    }
    return block;
}

/* True once for a block that was made to read into. */
static bool take_mark(void *memory, size_t usable)
{
    struct read_block *block = memory;
    if (usable < sizeof *block || block->mark != ~(uintptr_t)block) {
        return false;
    }
    block->mark = 0;
    return true;
}

static void wiping_free(void *block)
{
    if (block == NULL) {
        return;
    }
    size_t usable = malloc_usable_size(block);
    if (take_mark(block, usable)) {
        keep_or_free(block);
        return;
    }
    explicit_bzero(block, usable);
    free(block);
}

/* Moved, a block would leave its old copy behind: it stays while there is room, and is wiped when there is none. */
static void *wiping_realloc(void *block, size_t bytes)
{
    size_t held = block == NULL ? 0 : malloc_usable_size(block);
    if (bytes > 0 && bytes <= held) {
        (void)take_mark(block, held); /* what grows may hold anything */
        return block;
    }
    void *grown = malloc(bytes < GROWING_BYTES ? GROWING_BYTES : bytes);
    if (grown == NULL || block == NULL) {
        return grown;
    }
    memcpy(grown, block, held < bytes ? held : bytes);
    wiping_free(block);
    return grown;
}

/* glibc's calloc never serves from a thread's own cache (before 2.41); malloc does, up to about this size. */
enum { CALLOC_BYTES = 1024 };

static void *zeroing_calloc(size_t count, size_t bytes)
{
    size_t total = 0;
    if (!remora_size_mul(count, bytes, &total) || total > CALLOC_BYTES) {
        return calloc(count, bytes);
    }
    void *block = malloc(total == 0 ? 1 : total);
    return block == NULL ? NULL : memset(block, 0, total);
}

static char *duplicate(const char *text)
{
    return strdup(text);
}

bool transport_init_curl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_ALL, marking_malloc, wiping_free, wiping_realloc,
                                duplicate, zeroing_calloc) == CURLE_OK;
}
