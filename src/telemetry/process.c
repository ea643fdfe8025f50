/*
 * The process's own figures, read when somebody asks. Names as every Prometheus client library has them (Prometheus
 * documentation, "Writing client libraries", section "Process metrics"). What cannot be read is left out.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "metrics_private.h"
#include "remora/text.h"

/* Field `index` of a line of numbers, -1 when there is none. */
static int64_t number_at(struct remora_slice line, size_t index)
{
    uint64_t value = 0;
    size_t at = 0;
    for (size_t i = 0; i < index && at < line.length; i++) {
        at = remora_slice_find(line, ' ', at) + 1;
    }
    size_t end = remora_slice_find(line, ' ', at);
    bool is_number = at < line.length &&
                     remora_parse_u64(remora_slice(line.data + at, end - at), &value) &&
                     value <= INT64_MAX;
    return is_number ? (int64_t)value : -1;
}

/* proc(5), /proc/pid/statm: size and resident, in pages. */
static void measure_memory(struct remora_metrics *metrics)
{
    char text[128];
    int64_t page_bytes = sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return;
    }
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    struct remora_slice line = remora_slice(text, length);
    int64_t size = number_at(line, 0);
    int64_t resident = number_at(line, 1);
    if (size >= 0 && resident >= 0) {
        remora_metric_set(metrics, REMORA_METRIC_PROCESS_VSIZE, NULL, 0, size * page_bytes);
        remora_metric_set(metrics, REMORA_METRIC_PROCESS_RSS, NULL, 0, resident * page_bytes);
    }
}

/* By open, not opendir: ThreadSanitizer knows of descriptors only what open tells it, and takes one that had been a connection for
 * that. */
static DIR *open_fds(void)
{
    int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL && fd >= 0) {
        close(fd);
    }
    return dir;
}

static void measure_fds(struct remora_metrics *metrics)
{
    struct rlimit limit;
    DIR *dir = open_fds();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        remora_metric_set(metrics, REMORA_METRIC_PROCESS_MAX_FDS, NULL, 0, (int64_t)limit.rlim_cur);
    }
    if (dir == NULL) {
        return; /* out of descriptors, perhaps: the gauge keeps its last value */
    }
    int64_t count = -1; /* the directory's own */
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    closedir(dir);
    remora_metric_set(metrics, REMORA_METRIC_PROCESS_FDS, NULL, 0, count);
}

static void measure_cpu(struct remora_metrics *metrics)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t us = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                 usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    remora_metric_set(metrics, REMORA_METRIC_PROCESS_CPU, NULL, 0, us * 1000);
}

void metrics_measure_process(struct remora_metrics *metrics)
{
    measure_memory(metrics);
    measure_fds(metrics);
    measure_cpu(metrics);
}
