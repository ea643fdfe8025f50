/*
 * Any bytes as what the kernel says of control groups: the table of /proc/self/cgroup, and behind each NUL one limit, of v2's
 * mount, of v1's, and of the group /a of both. The answer is the least of the limits that count, or none.
 */
#include "remora/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const FOLDERS[] = {"/proc",
                                      "/proc/self",
                                      "/sys",
                                      "/sys/fs",
                                      "/sys/fs/cgroup",
                                      "/sys/fs/cgroup/a",
                                      "/sys/fs/cgroup/memory",
                                      "/sys/fs/cgroup/memory/a"};
static const char *const FILES[] = {
    "/proc/self/cgroup", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/a/memory.max", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"};
static char root[] = "/tmp/remora-cgroup-XXXXXX";

static void path_of(char out[128], const char *below)
{
    snprintf(out, 128, "%s%s", root, below);
}

static void remove_root(void)
{
    char path[128];
    for (size_t i = 0; i < REMORA_COUNT_OF(FILES); i++) {
        path_of(path, FILES[i]);
        unlink(path);
    }
    for (size_t i = REMORA_COUNT_OF(FOLDERS); i > 0; i--) {
        path_of(path, FOLDERS[i - 1]);
        rmdir(path);
    }
    rmdir(root);
}

/* Once in the life of the program. */
static void make_root(void)
{
    static bool is_made;
    char path[128];
    if (is_made) {
        return;
    }
    is_made = true;
    if (mkdtemp(root) == NULL || atexit(remove_root) != 0) {
        abort();
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(FOLDERS); i++) {
        path_of(path, FOLDERS[i]);
        if (mkdir(path, 0700) != 0) {
            abort();
        }
    }
}

static void write_file(const char *below, struct remora_slice text)
{
    char path[128];
    path_of(path, below);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(text.data, 1, text.length, file) != text.length ||
        fclose(file) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_slice rest = remora_slice((const char *)data, size);
    make_root();
    for (size_t i = 0; i < REMORA_COUNT_OF(FILES); i++) {
        size_t end = remora_slice_find(rest, '\0', 0);
        write_file(FILES[i], remora_slice(rest.data, end));
        size_t skip = end < rest.length ? end + 1 : end;
        rest = remora_slice(rest.data + skip, rest.length - skip);
    }
    uint64_t limit = remora_cgroup_memory_limit_bytes(root);
    if (limit != remora_cgroup_memory_limit_bytes(root)) {
        abort();
    }
    write_file(FILES[0], REMORA_SLICE("")); /* in no group, no limit */
    if (remora_cgroup_memory_limit_bytes(root) != UINT64_MAX) {
        abort();
    }
    return 0;
}
