/*
 * libcurl's memory: the process allocator, but what is given back is wiped first. libcurl copies the request's head, keys and
 * all, into buffers of its own and frees them as they are; so would a later core or a stray read find them.
 *
 * Any thread (libcurl's resolver threads allocate too).
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

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

static void *marking_malloc(size_t bytes)
{
    if (bytes != READ_BLOCK_BYTES) {
        return malloc(bytes);
    }
    struct read_block *block = malloc(sizeof *block);
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
    if (!take_mark(block, usable)) {
        explicit_bzero(block, usable);
    }
    free(block);
}

/* Never in place: a block that grows would leave its old copy behind. */
static void *wiping_realloc(void *block, size_t bytes)
{
    void *grown = malloc(bytes == 0 ? 1 : bytes);
    if (grown == NULL || block == NULL) {
        return grown;
    }
    size_t held = malloc_usable_size(block);
    memcpy(grown, block, held < bytes ? held : bytes);
    wiping_free(block);
    return grown;
}

static char *duplicate(const char *text)
{
    return strdup(text);
}

bool transport_init_curl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_ALL, marking_malloc, wiping_free, wiping_realloc,
                                duplicate, calloc) == CURLE_OK;
}
