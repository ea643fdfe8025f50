/*
 * The plaintext connections that were handed to the core, which owns them and tells nothing. A connection is known by the
 * descriptor and the inode of its socket: when the number stands for something else or nothing, it has gone. Worker 0's.
 */
#ifndef REMORA_GRPC_CONNECTIONS_H
#define REMORA_GRPC_CONNECTIONS_H

#include "remora/telemetry.h"
#include "remora/worker.h"

struct remora_grpc_connections;
/* NULL without memory. */
struct remora_grpc_connections *remora_grpc_connections_new(struct remora_worker *worker);
/* On the worker's thread, or when its loop has stopped. */
void remora_grpc_connections_free(struct remora_grpc_connections *connections);
/* Notes an accepted socket. False when REMORA_LIMIT_CONNECTIONS are open. */
bool remora_grpc_connections_add(struct remora_grpc_connections *connections, int fd);
/*
 * A call of this peer (grpc_call_get_peer) was given up before it was answered. The connection that has more of these than
 * REMORA_LIMIT_GRPC_RESETS in 10 s is shut down. A peer that the core does not tell apart is let be.
 */
void remora_grpc_connections_reset(struct remora_grpc_connections *connections,
                                   struct remora_slice peer);

#endif
