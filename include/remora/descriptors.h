/*
 * File descriptors of the process. The kernel hands out the lowest that is free, so the number of one tells how many are left
 * (POSIX.1-2017, "File Descriptor Allocation"). Any thread; nothing here blocks.
 */
#ifndef REMORA_DESCRIPTORS_H
#define REMORA_DESCRIPTORS_H

#include "remora/base.h"

/* What stays free for those behind: callers leave the first for upstreams, probes, the admin listener and files, upstreams the second. */
enum { REMORA_DESCRIPTORS_OF_CALLERS = 96, REMORA_DESCRIPTORS_OF_UPSTREAMS = 32 };

/* As many as all listeners and requests may have at once, and what else is open. */
uint64_t remora_descriptors_needed(unsigned worker_count);
/* Raises the soft limit (RLIMIT_NOFILE, getrlimit(2)) to so many, as far as the hard one goes; never lowers it. Returns the limit. */
uint64_t remora_descriptors_raise(uint64_t needed);
/* Whether at least so many are free beside this one, which was opened last. */
bool remora_descriptor_leaves(int fd, uint64_t spare);

#endif
