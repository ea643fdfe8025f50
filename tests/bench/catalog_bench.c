// catalog_bench: what the shipped catalog costs at start. Builds the configuration of a process whose environment holds one key, and
// one that holds every conventional key, as `remora serve` does without a document; prints the time of the first build (pages not yet
// read), the median of a hundred more, and the private memory that a snapshot keeps.
//
//   catalog_bench          exit status 1 when a build takes more than 2 ms (median) or keeps more than 1 MB, whatever the keys
//   catalog_bench memory   the same, whatever the time: for machines that do other things as well
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remora/clock.h"
#include "remora/config.h"
#include "remora/health.h"

enum { ROUNDS = 100 };

static uint64_t now_ns(void)
{
    const struct remora_clock *clock = remora_clock_system();
    return clock->now_ns(clock);
}

static const char *one_key(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "OPENAI_API_KEY") == 0 ? "sk-x" : NULL;
}

/* A snapshot without a provider: what OpenSSL and libyaml cost when they are first used is not the catalog's. */
static const char *no_key(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static const char *every_key(void *context, const char *name)
{
    size_t length = strlen(name);
    (void)context;
    return length > 8 && strcmp(name + length - 8, "_API_KEY") == 0 ? "sk-x" : NULL;
}

/* Private_Dirty of the whole process in KiB; -1 when it cannot be read. */
static long private_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Private_Dirty:", 14) == 0) {
            kib = strtol(line + 14, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

static struct remora_config *build(const char *(*look_up)(void *, const char *),
                                   struct remora_health *health, uint64_t *took_ns)
{
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_config_input input = {
        .document_name = "none", .getenv = look_up, .health = health, .now_unix_ms = 1};
    uint64_t began = now_ns();
    if (remora_config_build(&input, &config, &fail) != REMORA_OK) {
        fprintf(stderr, "catalog_bench: %s: %s\n", fail.param, fail.message);
        exit(2);
    }
    *took_ns = now_ns() - began;
    return config;
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int measure(const char *name, const char *(*look_up)(void *, const char *), bool is_timed)
{
    static uint64_t times[ROUNDS];
    struct remora_health *health = remora_health_new();
    uint64_t first = 0;
    long before = private_kib();
    struct remora_config *config = build(look_up, health, &first);
    long after = private_kib();
    for (size_t i = 0; i < ROUNDS; i++) {
        remora_config_release(build(look_up, health, &times[i]));
    }
    qsort(times, ROUNDS, sizeof times[0], by_time);
    printf("%-9s %4zu providers %4zu models: first %6.2f ms, then %6.2f ms; %5ld KiB private\n",
           name, config->provider_count, config->model_count, (double)first / 1e6,
           (double)times[ROUNDS / 2] / 1e6, after - before);
    remora_config_release(config);
    remora_health_free(health);
    bool is_late = is_timed && times[ROUNDS / 2] > 2 * REMORA_NS_PER_MS;
    return is_late || after - before > 1024 ? 1 : 0;
}

int main(int argc, char **argv)
{
    bool is_timed = argc < 2 || strcmp(argv[1], "memory") != 0;
    (void)measure("no key", no_key, false);
    int status = measure("one key", one_key, is_timed);
    return measure("every key", every_key, is_timed) | status;
}
