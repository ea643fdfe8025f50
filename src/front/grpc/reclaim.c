/* See reclaim.h. */
#include "reclaim.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "remora/text.h"

#if defined(__SANITIZE_ADDRESS__)
#define RECLAIM_PURGES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RECLAIM_PURGES 1
#endif
#endif
#ifdef RECLAIM_PURGES
/* Of sanitizer/allocator_interface.h, which gcc does not ship. */
void __sanitizer_purge_allocator(void);
#endif

enum { GROWN_BYTES = 1 << 20, TRIES_MOST = 4 };

uint64_t remora_grpc_resident_bytes(void)
{
    char line[128];
    uint64_t pages = 0; /* the second number of the line */
    FILE *file = fopen("/proc/self/statm", "re");
    size_t length = file == NULL ? 0 : fread(line, 1, sizeof line, file);
    struct remora_slice text = remora_slice(line, length);
    size_t from = remora_slice_find(text, ' ', 0);
    if (from < length) {
        size_t to = remora_slice_find(text, ' ', from + 1);
        bool is_number = remora_parse_u64(remora_slice(line + from + 1, to - from - 1), &pages);
        pages = is_number ? pages : 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void remora_grpc_give_back(void)
{
#ifdef RECLAIM_PURGES
    __sanitizer_purge_allocator();
#else
    malloc_trim(0);
#endif
}

/* What is not free at one look may be at the next: the core lets go of a connection's buffers after the connection. */
bool remora_grpc_reclaim(struct remora_grpc_reclaim *reclaim)
{
    uint64_t now_bytes = remora_grpc_resident_bytes();
    if (reclaim->floor_bytes == 0 || now_bytes < reclaim->floor_bytes) {
        reclaim->floor_bytes = now_bytes;
    }
    if (now_bytes > reclaim->floor_bytes + GROWN_BYTES) {
        remora_grpc_give_back();
        now_bytes = remora_grpc_resident_bytes();
        reclaim->tries++;
    }
    bool is_over = now_bytes <= reclaim->floor_bytes + GROWN_BYTES;
    if (!is_over && reclaim->tries < TRIES_MOST) {
        return true;
    }
    reclaim->floor_bytes = is_over ? reclaim->floor_bytes : now_bytes; /* it is in use */
    reclaim->tries = 0;
    return false;
}
