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
 * What libcurl grows: a request's head is put together byte by byte, and each doubling on the way was an allocation, a copy and a
 * wipe. Most of what begins so never grows, and five such texts (the URL, hosts, keys by which connections are found) stay for as long
 * as a transfer lasts: so a text begins small, and what has outgrown that goes on with room for a head.
 */
enum { FIRST_BYTES = 120, GROWING_BYTES = 512 };

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

/*
 * libcurl 8 puts a request that has a body together in a buffer that stays with its easy handle, and leaves it there as it was
 * sent until the next request. It is known by its size when it is made, by calloc, right after the transfer's PREREQFUNCTION;
 * a mark behind it says whose it is when it is freed (lib/request.c and lib/bufq.c of libcurl 8.22).
 */
enum {
    SEND_HEAD_ROOM = 87
}; /* libcurl's own head of such a buffer, with room; keeps what follows aligned */
enum { STACK_BYTES = 32 << 10 };

struct send_block {
    char bytes[REMORA_SEND_BYTES + SEND_HEAD_ROOM];
    struct remora_sent *owner;
    uintptr_t mark;
};

static _Thread_local struct remora_sent *expecting;

void transport_sent_expect(struct remora_sent *sent)
{
    expecting = sent->bytes == NULL ? sent : NULL;
}

static bool is_send_block(size_t bytes)
{
    return expecting != NULL && bytes > REMORA_SEND_BYTES &&
           bytes <= REMORA_SEND_BYTES + SEND_HEAD_ROOM;
}

static void *make_send_block(size_t bytes)
{
    struct send_block *block = calloc(1, sizeof *block);
    if (block != NULL) {
        block->owner = expecting;
        block->mark = ~(uintptr_t)block;
        expecting->bytes = block->bytes + (bytes - REMORA_SEND_BYTES);
        expecting = NULL;
    }
    return block;
}

/* The owner of a block that goes has none any more. */
static void disown(void *memory, size_t usable)
{
    struct send_block *block = memory;
    if (usable >= sizeof *block && block->mark == ~(uintptr_t)block) {
        block->owner->bytes = NULL;
        block->mark = 0;
    }
}

void transport_sent_wipe(struct remora_sent *sent, size_t bytes)
{
    if (expecting == sent) {
        expecting = NULL;
    }
    if (sent->bytes == NULL) {
        return;
    }
    explicit_bzero(sent->bytes, bytes < REMORA_SEND_BYTES ? bytes : REMORA_SEND_BYTES);
}

/* libcurl formats a head's lines there: what lies below this call is nobody's. */
__attribute__((noinline)) static void wipe_stack(void)
{
    char below[STACK_BYTES];
    explicit_bzero(below, sizeof below);
}

void transport_sent_settle(struct remora_curl *transport)
{
    if (transport->in_flight == 0 && transport->curl_keeps_sent) {
        transport->curl_keeps_sent = false;
        wipe_stack();
    }
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
    disown(block, usable);
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
    size_t least = block == NULL ? FIRST_BYTES : GROWING_BYTES;
    void *grown = malloc(bytes < least ? least : bytes);
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
        return is_send_block(total) ? make_send_block(total) : calloc(count, bytes);
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
