/*
 * Replays a corpus through a libFuzzer target without libFuzzer: every file of each folder named on the command line.
 * Exit status 1 when a folder is missing or empty, or when anything in it cannot be read as a file: a replay of nothing
 * proves nothing.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_whole(FILE *file, uint8_t *data, size_t size)
{
    return fread(data, 1, size, file) == size && fgetc(file) == EOF && ferror(file) == 0;
}

static bool replay_open(FILE *file)
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    size_t size = (size_t)status.st_size;
    uint8_t *data = malloc(size == 0 ? 1 : size);
    bool is_read = data != NULL && read_whole(file, data, size);
    if (is_read) {
        LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
    return is_read;
}

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    bool is_replayed = file != NULL && replay_open(file);
    if (file != NULL) {
        fclose(file);
    }
    if (!is_replayed) {
        fprintf(stderr, "replay: cannot read %s\n", path);
    }
    return is_replayed;
}

/* -1 when the folder or anything in it cannot be read. */
static long replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return -1;
    }
    long count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL && count >= 0; entry = readdir(dir)) {
        char path[4096];
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            count = replay_file(path) ? count + 1 : -1;
        }
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        long count = replay_folder(argv[i]);
        if (count <= 0) {
            fprintf(stderr, "replay: no whole corpus in %s\n", argv[i]);
            return 1;
        }
        printf("%ld inputs replayed from %s\n", count, argv[i]);
    }
    return argc > 1 ? 0 : 1;
}
