/*
 * The files that a load has read, and how each of them lay there just before. A volume may be swapped between the document and a key
 * that it names, or between two keys: what was read is neither the old nor the new state, and a key of the one may go to an address
 * of the other. Who finds afterwards that a file is another one, or was written, reads once more before anybody uses it.
 *
 * Only regular files count: a pipe is written while it is read, and can be read once.
 * Fails: without memory a file is not noted; its change is then the next one that the control thread is told of.
 */
#include <sys/stat.h>

#include "app.h"
#include "remora/memory.h"

struct app_seen_file {
    char *path;
    uint64_t stamp;
};

static void mix(uint64_t *stamp, uint64_t value)
{
    *stamp = (*stamp ^ value) * UINT64_C(1099511628211);
}

uint64_t app_stamp(const struct stat *found)
{
    uint64_t stamp = UINT64_C(14695981039346656037);
    mix(&stamp, (uint64_t)found->st_dev);
    mix(&stamp, (uint64_t)found->st_ino);
    mix(&stamp, (uint64_t)found->st_size);
    mix(&stamp, (uint64_t)found->st_mtim.tv_sec);
    mix(&stamp, (uint64_t)found->st_mtim.tv_nsec);
    return stamp;
}

/* 0 of all that is no file to come back to. */
static uint64_t stamp_of(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) ? app_stamp(&found) : 0;
}

static bool has_room(struct app_seen *seen)
{
    if (seen->count < seen->capacity) {
        return true;
    }
    size_t capacity = seen->capacity == 0 ? 16 : seen->capacity * 2;
    struct app_seen_file *grown = remora_realloc(seen->files, capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    seen->files = grown;
    seen->capacity = capacity;
    return true;
}

void app_seen_note(struct app_seen *seen, const char *path)
{
    char *copy = has_room(seen) ? remora_strdup(remora_slice_of(path)) : NULL;
    if (copy != NULL) {
        seen->files[seen->count++] = (struct app_seen_file){.path = copy, .stamp = stamp_of(copy)};
    }
}

bool app_seen_has_changed(const struct app_seen *seen)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (stamp_of(seen->files[i].path) != seen->files[i].stamp) {
            return true;
        }
    }
    return false;
}

void app_seen_forget(struct app_seen *seen)
{
    for (size_t i = 0; i < seen->count; i++) {
        remora_free(seen->files[i].path);
    }
    remora_free(seen->files);
    *seen = (struct app_seen){0};
}
