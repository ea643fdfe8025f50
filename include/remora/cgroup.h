/*
 * What the kernel lets this process have, as its control groups say. Reads files, which may block for as long as procfs and
 * cgroupfs take; any thread; nothing of `root` is kept.
 *
 * Sources: cgroups(7), "/proc files"; Linux, Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files" (memory.max);
 * admin-guide/cgroup-v1/memory.rst, section 3 (memory.limit_in_bytes).
 */
#ifndef REMORA_CGROUP_H
#define REMORA_CGROUP_H

#include "remora/base.h"

/*
 * The smallest memory limit of the process's cgroup and those above it that can be seen, v2 (memory.max) and v1
 * (memory.limit_in_bytes); UINT64_MAX when there is none or none can be read. `root` stands before /proc and /sys: "" but in
 * tests.
 */
uint64_t remora_cgroup_memory_limit_bytes(const char *root);

#endif
