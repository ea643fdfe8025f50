/*
 * Sockets that the core accepted itself (TLS) and tells by the name of their peer only (grpc_call_get_peer): found among all that
 * the process has open. Any thread.
 */
#ifndef REMORA_GRPC_PEERS_H
#define REMORA_GRPC_PEERS_H

#include "remora/base.h"

/* The core's name for what a socket is connected to; empty: no address of the internet. */
void remora_grpc_peer_of(int fd, char *out, size_t bytes);
/* Tells of each socket that has such a name; about a microsecond for each. */
void remora_grpc_peers_each(void (*found)(void *context, int fd, const char *peer), void *context);

#endif
