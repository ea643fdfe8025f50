/*
 * The process allocator behind one seam: calloc, realloc and free, and a counter by which a test makes the nth
 * allocation fail. The seam is the one piece of mutable global state of the tree: it stands in for the process's heap,
 * which is global too. While nobody uses it, it costs one relaxed load per allocation.
 */
#include "remora/memory.h"

#include "seam.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* glibc serves malloc of up to about 1 KiB from a thread's own cache, calloc never (before 2.41). */
enum { CALLOC_BYTES = 1024 };

static struct {
    atomic_bool used; /* a test has called one of the two seam functions */
    atomic_bool for_ever;
    atomic_uint_fast64_t fail_at; /* 0 = never */
    atomic_uint_fast64_t passed;  /* allocations since fail_at was set */
    atomic_uint_fast64_t count;
} seam;

bool remora_alloc_is_refused(void)
{
    if (!atomic_load_explicit(&seam.used, memory_order_relaxed)) {
        return false;
    }
    atomic_fetch_add(&seam.count, 1);
    uint64_t fail_at = atomic_load(&seam.fail_at);
    if (fail_at == 0) {
        return false;
    }
    uint64_t nth = atomic_fetch_add(&seam.passed, 1) + 1;
    return nth == fail_at || (nth > fail_at && atomic_load(&seam.for_ever));
}

void remora_alloc_fail_at(uint64_t nth, bool for_ever)
{
    atomic_store(&seam.used, true);
    atomic_store(&seam.passed, 0);
    atomic_store(&seam.for_ever, for_ever);
    atomic_store(&seam.fail_at, nth);
}

uint64_t remora_alloc_count(void)
{
    atomic_store(&seam.used, true);
    return atomic_exchange(&seam.count, 0);
}

void *remora_alloc(size_t bytes)
{
    if (remora_alloc_is_refused()) {
        return NULL;
    }
    if (bytes > CALLOC_BYTES) {
        return calloc(1, bytes);
    }
    void *block = malloc(bytes == 0 ? 1 : bytes);
    return block == NULL ? NULL : memset(block, 0, bytes);
}

void *remora_alloc_array(size_t count, size_t bytes)
{
    size_t total;
    if (!remora_size_mul(count, bytes, &total)) {
        return NULL;
    }
    return remora_alloc(total);
}

void *remora_realloc(void *block, size_t bytes)
{
    if (remora_alloc_is_refused()) {
        return NULL;
    }
    return realloc(block, bytes == 0 ? 1 : bytes);
}

void remora_free(void *block)
{
    free(block);
}

void *remora_alloc_private(size_t bytes)
{
    if (remora_alloc_is_refused()) {
        return NULL;
    }
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(block, bytes, MADV_DONTDUMP);
    return block;
}

void remora_free_private(void *block, size_t bytes)
{
    if (block != NULL) {
        explicit_bzero(block, bytes);
        munmap(block, bytes);
    }
}

char *remora_strdup(struct remora_slice s)
{
    size_t bytes;
    if (!remora_size_add(s.length, 1, &bytes)) {
        return NULL;
    }
    char *copy = remora_alloc(bytes);
    if (copy != NULL && s.length > 0) {
        memcpy(copy, s.data, s.length);
    }
    return copy;
}
