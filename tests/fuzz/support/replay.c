/*
 * Replays a corpus through a libFuzzer target without libFuzzer: every file of each folder named on the command line.
 * Exit status 1 when a folder is missing or empty: a replay of nothing proves nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        return -1;
    }
    size_t size = (size_t)status.st_size;
    uint8_t *data = malloc(size == 0 ? 1 : size);
    if (data != NULL && fread(data, 1, size, file) == size) {
        LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
    fclose(file);
    return 0;
}

static long replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return -1;
    }
    long count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[4096];
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            count += replay_file(path) == 0 ? 1 : 0;
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
            fprintf(stderr, "replay: no corpus in %s\n", argv[i]);
            return 1;
        }
        printf("%ld inputs replayed from %s\n", count, argv[i]);
    }
    return argc > 1 ? 0 : 1;
}
