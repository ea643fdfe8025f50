/*
 * Memory that the core has freed and the allocator keeps. It reads a busy connection into as much as it brought last time, up to
 * tens of MiB of which each piece is touched once, and metadata before its limits apply takes as much; what has gone with a
 * connection lies in the heap unless somebody asks for it.
 *
 * Source: grpc/grpc, posix_endpoint.cc (MaybeMakeReadSlices, FinishEstimate), hpack_parser.cc; malloc_trim(3).
 */
#ifndef REMORA_GRPC_RECLAIM_H
#define REMORA_GRPC_RECLAIM_H

#include "remora/base.h"

/* Memory of the process that lies in RAM; 0: not known. Reads a file of the kernel's (proc(5), /proc/pid/statm). Any thread. */
uint64_t remora_grpc_resident_bytes(void);

/*
 * What is free goes back to the kernel. Under AddressSanitizer that is what lies in its quarantine, too (256 MiB unless it is told
 * otherwise), which would be taken for bytes that are held. Blocks for some milliseconds. Any thread.
 */
void remora_grpc_give_back(void);

struct remora_grpc_reclaim {
    uint64_t
        floor_bytes; /* resident at the least, or what could not be given back; 0: not known yet */
    unsigned tries;
};
/*
 * Gives it back when the process is larger than that by a MiB. True: it still is, look again soon. Blocks for some milliseconds
 * then, else for microseconds. One thread.
 */
bool remora_grpc_reclaim(struct remora_grpc_reclaim *reclaim);

#endif
