/*
 * The memory limit of the process, from the files of its control groups.
 *
 * /proc/self/cgroup says where it stands: "0::PATH" in the one hierarchy of v2, "N:...,memory,...:PATH" in v1's. A limit of any
 * group above holds too, so each is asked, up to the mount. In a container the mount usually begins at its own group, and the
 * path may be one of the host that is not there: what cannot be read says nothing.
 *
 * Sources: cgroups(7), "/proc/pid/cgroup"; Linux Documentation, admin-guide/cgroup-v2.rst section "memory.max";
 * admin-guide/cgroup-v1/memory.rst section 3 "limit_in_bytes". (Read 2026-11.)
 */
#include "remora/cgroup.h"

#include "remora/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = 4352, TABLE_BYTES = 16384, NUMBER_BYTES = 64 };

struct hierarchy {
    const char *root;
    const char *mount;
    const char *file;
};

/* As much as fits; empty when there is nothing to read. */
static struct remora_slice read_file(const char *path, char *to, size_t room)
{
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return remora_slice(to, 0);
    }
    while (length < room) {
        ssize_t got = read(fd, to + length, room - length);
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
    }
    close(fd);
    return remora_slice(to, length);
}

/* The limit of one group; UINT64_MAX for "max" and for what is no number. */
static uint64_t limit_of(const struct hierarchy *at, struct remora_slice group)
{
    char path[PATH_BYTES];
    char text[NUMBER_BYTES];
    uint64_t limit = 0;
    int length = snprintf(path, sizeof path, "%s%s%.*s/%s", at->root, at->mount,
                          REMORA_SLICE_ARG(group), at->file);
    if (length < 0 || (size_t)length >= sizeof path) {
        return UINT64_MAX;
    }
    struct remora_slice word = read_file(path, text, sizeof text);
    word.length = remora_slice_find(word, '\n', 0);
    return remora_parse_u64(word, &limit) ? limit : UINT64_MAX;
}

/* Of the group and of every one above it. */
static uint64_t limit_upwards(const struct hierarchy *at, struct remora_slice group)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        while (group.length > 0 && group.data[group.length - 1] == '/') {
            group.length--;
        }
        uint64_t limit = limit_of(at, group);
        least = limit < least ? limit : least;
        if (group.length == 0) {
            return least;
        }
        while (group.length > 0 && group.data[group.length - 1] != '/') {
            group.length--;
        }
    }
}

static bool has_memory(struct remora_slice controllers)
{
    size_t at = 0;
    while (at < controllers.length) {
        size_t end = remora_slice_find(controllers, ',', at);
        if (remora_slice_is(remora_slice(controllers.data + at, end - at), "memory")) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* A line of /proc/self/cgroup: ID:CONTROLLERS:PATH. */
static uint64_t limit_of_line(const char *root, struct remora_slice line)
{
    const struct hierarchy v2 = {root, "/sys/fs/cgroup", "memory.max"};
    const struct hierarchy v1 = {root, "/sys/fs/cgroup/memory", "memory.limit_in_bytes"};
    size_t first = remora_slice_find(line, ':', 0);
    size_t second = remora_slice_find(line, ':', first + 1);
    if (first >= line.length || second >= line.length) {
        return UINT64_MAX;
    }
    struct remora_slice controllers = remora_slice(line.data + first + 1, second - first - 1);
    struct remora_slice path = remora_slice(line.data + second + 1, line.length - second - 1);
    if (controllers.length == 0) {
        return limit_upwards(&v2, path);
    }
    return has_memory(controllers) ? limit_upwards(&v1, path) : UINT64_MAX;
}

uint64_t remora_cgroup_memory_limit_bytes(const char *root)
{
    char path[PATH_BYTES];
    char table[TABLE_BYTES];
    uint64_t least = UINT64_MAX;
    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path) {
        return UINT64_MAX;
    }
    struct remora_slice text = read_file(path, table, sizeof table);
    size_t at = 0;
    while (at < text.length) {
        size_t end = remora_slice_find(text, '\n', at);
        uint64_t limit = limit_of_line(root, remora_slice(text.data + at, end - at));
        least = limit < least ? limit : least;
        at = end + 1;
    }
    return least;
}
