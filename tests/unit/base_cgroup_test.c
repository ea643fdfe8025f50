/* The memory limit of the process, from files as the kernel lays them out. */
#include "support.h"

#include "remora/cgroup.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define MIB        UINT64_C(1048576)

static char root[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/remora-cgroup-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file below the root, its folders with it. */
static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(whole, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void expect(uint64_t bytes)
{
    assert_int_equal(remora_cgroup_memory_limit_bytes(root), bytes);
}

static void nothing_to_read_is_no_limit(void **state)
{
    (void)state;
    expect(UINT64_MAX);
    put("/proc/self/cgroup", "0::/\n");
    expect(UINT64_MAX);
}

static void a_container_of_v2_sees_its_own_group_as_the_root(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "134217728\n");
    expect(128 * MIB);
    put("/sys/fs/cgroup/memory.max", "max\n");
    expect(UINT64_MAX);
}

static void the_smallest_limit_on_the_way_up_holds(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/kubepods/pod1/app\n");
    put("/sys/fs/cgroup/kubepods/pod1/app/memory.max", "max\n");
    put("/sys/fs/cgroup/kubepods/pod1/memory.max", "67108864\n");
    put("/sys/fs/cgroup/kubepods/memory.max", "1073741824\n");
    expect(64 * MIB);
    put("/sys/fs/cgroup/kubepods/pod1/app/memory.max", "33554432\n");
    expect(32 * MIB);
}

static void v1_has_the_controller_s_own_hierarchy(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "9:cpu,cpuacct:/a\n4:memory:/a/b\n1:name=systemd:/c\n0::/d\n");
    put("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "268435456\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    expect(256 * MIB);
}

static void controllers_that_are_mounted_together_are_told_apart(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:cpuset,memory,pids:/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "5242880\n");
    expect(5 * MIB);
    put("/proc/self/cgroup", "4:memoryless,hugememory:/\n");
    expect(UINT64_MAX);
}

static void a_path_of_the_host_that_is_not_there_falls_back_to_the_mount(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:memory:/kubepods/burstable/pod1/c\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "6291456\n");
    expect(6 * MIB);
    put("/proc/self/cgroup", "0::/kubepods.slice/pod1/c\n");
    put("/sys/fs/cgroup/memory.max", "4194304\n");
    expect(4 * MIB);
}

static void where_both_hierarchies_are_mounted_the_smaller_limit_holds(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:memory:/a\n1:name=systemd:/a\n0::/a\n");
    put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "8388608\n");
    expect(8 * MIB); /* the hybrid layout: v2 has no memory controller */
    put("/sys/fs/cgroup/a/memory.max", "2097152\n");
    expect(2 * MIB);
}

static void what_is_no_number_is_no_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "-1\n", "12 MB\n", "99999999999999999999999\n"};
    put("/proc/self/cgroup", "no colon\n0:half\n0::/\n");
    for (size_t i = 0; i < REMORA_COUNT_OF(texts); i++) {
        put("/sys/fs/cgroup/memory.max", texts[i]);
        expect(UINT64_MAX);
    }
    put("/sys/fs/cgroup/memory.max", "7340032"); /* without its line end */
    expect(7 * MIB);
}

static void a_path_that_is_too_long_is_passed_over(void **state)
{
    (void)state;
    static char text[6000];
    size_t length = (size_t)snprintf(text, sizeof text, "0::/");
    memset(text + length, 'a', 5000);
    put("/proc/self/cgroup", text);
    put("/sys/fs/cgroup/memory.max", "1048576\n");
    expect(MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_to_read_is_no_limit),
        CASE(a_container_of_v2_sees_its_own_group_as_the_root),
        CASE(the_smallest_limit_on_the_way_up_holds),
        CASE(v1_has_the_controller_s_own_hierarchy),
        CASE(controllers_that_are_mounted_together_are_told_apart),
        CASE(a_path_of_the_host_that_is_not_there_falls_back_to_the_mount),
        CASE(where_both_hierarchies_are_mounted_the_smaller_limit_holds),
        CASE(what_is_no_number_is_no_limit),
        CASE(a_path_that_is_too_long_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
