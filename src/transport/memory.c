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

static void wiping_free(void *block)
{
    if (block != NULL) {
        explicit_bzero(block, malloc_usable_size(block));
        free(block);
    }
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
    return curl_global_init_mem(CURL_GLOBAL_ALL, malloc, wiping_free, wiping_realloc, duplicate,
                                calloc) == CURLE_OK;
}
