/*
 * What the core counts of its connections by itself (channelz): the only way to know of calls that it ends before anybody sees
 * them, and of connections that it accepted itself. Texts in JSON, in which the few members that matter are looked for.
 *
 * Any thread; a call costs the core some ten microseconds. Cores of the old generation list no socket that was handed to them.
 * Source: grpc/grpc.h, grpc_channelz_*; grpc/grpc, src/proto/grpc/channelz/channelz.proto (ServerData, SocketRef, SocketData).
 */
#ifndef REMORA_GRPC_CHANNELZ_H
#define REMORA_GRPC_CHANNELZ_H

#include <stdint.h>

#include "remora/base.h"

/* The number of the server that was made last; 0: the core counts nothing. */
intptr_t remora_grpc_channelz_server(void);

struct remora_grpc_socket {
    intptr_t id;   /* grows with every connection of the process; never 0 */
    char peer[64]; /* as grpc_call_get_peer has it; empty: longer */
};
/* The open sockets of the server from number `from` on, in ascending order; how many were written. */
size_t remora_grpc_channelz_sockets(intptr_t server, intptr_t from, struct remora_grpc_socket *out,
                                    size_t most);
/* How many streams of the socket ended without an answer's end, those past their deadline among them. False: it has gone. */
REMORA_MUST_CHECK bool remora_grpc_channelz_failed(intptr_t id, uint64_t *out);

#endif
