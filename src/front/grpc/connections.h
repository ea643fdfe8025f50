/*
 * The open connections of the core, which owns them and tells little. One that was handed to it is known by the descriptor and
 * the inode of its socket: when the number stands for something else or nothing, it has gone. One that it accepted itself (TLS)
 * is found among what it counts (channelz.h). Worker 0's.
 */
#ifndef REMORA_GRPC_CONNECTIONS_H
#define REMORA_GRPC_CONNECTIONS_H

#include "handoff.h"
#include "newcomers.h"
#include "remora/telemetry.h"
#include "remora/worker.h"

struct remora_grpc_connections;
/*
 * NULL without memory. `lanes`, one for each worker, outlive it. `server`: remora_grpc_channelz_server, 0 where the core counts
 * nothing. Any thread.
 */
struct remora_grpc_connections *remora_grpc_connections_new(struct remora_process *process,
                                                            const struct remora_grpc_lane *lanes,
                                                            intptr_t server);
/* On the worker's thread, or when its loop has stopped. */
void remora_grpc_connections_free(struct remora_grpc_connections *connections);
/* From now on those that the core accepts itself are noted, too. */
void remora_grpc_connections_adopt(struct remora_grpc_connections *connections);
/* Notes an accepted socket. False when REMORA_LIMIT_CONNECTIONS are open. */
bool remora_grpc_connections_add(struct remora_grpc_connections *connections, int fd);
/* The core has it, and a number for it. */
void remora_grpc_connections_listed(struct remora_grpc_connections *connections,
                                    const struct remora_grpc_newcomer *newcomer);

enum remora_grpc_end {
    REMORA_GRPC_RESET, /* by its caller within REMORA_LIMIT_GRPC_RAPID_MS, whatever of the answer had been sent */
    REMORA_GRPC_BLAMELESS, /* by its caller later, or by its deadline */
};
/* A call that ended before its answer did. */
struct remora_grpc_ended {
    const char *peer; /* grpc_call_get_peer */
    uint64_t
        arrived_ns; /* by a loop's clock: names of peers are given again once a connection has gone */
    enum remora_grpc_end end;
};
/* The connection that has more of these resets than REMORA_LIMIT_GRPC_RESETS in 10 s is ended. One that came after the call
 * has nothing to do with it. */
void remora_grpc_connections_ended(struct remora_grpc_connections *connections,
                                   const struct remora_grpc_ended *ended);
/*
 * Says GOAWAY with the greatest stream to every plaintext TCP connection that has not heard it, within some ticks of 10 ms
 * (RFC 9113 section 6.8): who has read it opens no call here any more; calls that are on their way are taken as ever. The
 * worker's thread.
 */
void remora_grpc_connections_farewell(struct remora_grpc_connections *connections);
/* Ends all of them, without a word. May be NULL. The worker's thread. */
void remora_grpc_connections_shut(struct remora_grpc_connections *connections);
struct remora_grpc_parting {
    size_t open;       /* connections in plaintext over TCP */
    size_t unheard;    /* of them: no answer yet to the PING behind GOAWAY (section 6.7) */
    uint64_t since_ns; /* the last answer, or the last time that farewell was asked for */
};
/* What became of the farewell. Calls beside hide an answer; it is asked for again until nothing else comes with it. */
struct remora_grpc_parting
remora_grpc_connections_parting(struct remora_grpc_connections *connections);

#endif
