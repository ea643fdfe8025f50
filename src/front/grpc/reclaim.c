/* See reclaim.h. */
#include "reclaim.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "remora/text.h"

enum { GROWN_BYTES = 1 << 20 };

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

void remora_grpc_reclaim(struct remora_grpc_reclaim *reclaim)
{
    uint64_t now_bytes = remora_grpc_resident_bytes();
    if (reclaim->rest_bytes > 0 && now_bytes > reclaim->rest_bytes + GROWN_BYTES) {
        malloc_trim(0);
        now_bytes = remora_grpc_resident_bytes();
        reclaim->rest_bytes = now_bytes;
    }
    bool is_less = reclaim->rest_bytes == 0 || now_bytes < reclaim->rest_bytes;
    reclaim->rest_bytes = is_less ? now_bytes : reclaim->rest_bytes;
}
