/*
 * A flood: a connection brings bytes that are no call's, and keeps at it. SETTINGS, empty DATA, WINDOW_UPDATE and headers without
 * an end (RFC 9113 section 10.5) cost their sender little, and the core neither minds them nor tells anybody, so they are found
 * by what is left over: what the kernel has received, less what callers had a reason to send.
 *
 *   a call       its head, its message, and where none came whatever may have come of it
 *   an answer    what a reader sends for it: WINDOW_UPDATE and PING
 *   a message on its way is nobody's yet, but then it lies in this process's memory
 *
 * What is left over runs out at REMORA_LIMIT_GRPC_STRAY_BYTES in 10 s. Each of these is rather too much than too little, and
 * what is of any connection counts for all of them, so nobody is taken for a flood who is none; one that hides behind as many
 * bytes of calls, or behind calls that never bring a message, is not found.
 *
 * Source: RFC 9113 sections 6.5, 6.9 and 10.5.
 */
#ifndef REMORA_GRPC_FLOOD_H
#define REMORA_GRPC_FLOOD_H

#include <stdatomic.h>

#include "remora/base.h"

/* What the calls of one worker account for. The worker writes, anybody reads. */
struct remora_grpc_traffic {
    _Atomic uint64_t bytes;   /* callers had a reason to send, since the start */
    _Atomic uint64_t awaited; /* calls whose message has not come */
};
/* A call has come, without its message yet. */
void remora_grpc_traffic_call(struct remora_grpc_traffic *traffic);
/* Its message has, with so many bytes as they were sent. */
void remora_grpc_traffic_message(struct remora_grpc_traffic *traffic, size_t bytes);
/* A further message of the same call. */
void remora_grpc_traffic_more(struct remora_grpc_traffic *traffic, size_t bytes);
/* It has ended without one. */
void remora_grpc_traffic_lost(struct remora_grpc_traffic *traffic);
/* A message is sent to a caller. */
void remora_grpc_traffic_sent(struct remora_grpc_traffic *traffic, size_t bytes);

/* What one look finds. `explained_bytes` is read before `received_bytes`: a message that comes between the two is no stray then. */
struct remora_grpc_look {
    uint64_t at_ns;
    uint64_t explained_bytes; /* of all workers */
    uint64_t received_bytes;  /* of the connection, since it began */
    uint64_t held_bytes;      /* at most, of messages that are on their way */
};
/* Of one connection. Begins as the first look that is given to it, with nothing stray. */
struct remora_grpc_flood {
    struct remora_grpc_look last;
    uint64_t stray_bytes;
    unsigned times; /* in a row that these were too many */
};
/* True when it is one: at the second look in a row, since what has come may wait to be counted. Pure. */
bool remora_grpc_flood_look(struct remora_grpc_flood *flood, const struct remora_grpc_look *look);

/* What has come on a TCP socket. False: not a connected one. */
REMORA_MUST_CHECK bool remora_grpc_received_bytes(int fd, uint64_t *out);

#endif
