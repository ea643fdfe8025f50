/*
 * Accepted sockets on their way to the core, which are given to it on a thread of their own. The call that gives one reads what the
 * connection has brought by then and goes on for as long as there is more: on a worker nobody else would have a turn until a peer
 * that floods from its first byte has ended. So that call holds up new connections alone, until the flood is found (flood.h).
 *
 * Source: grpc/grpc, src/core/lib/iomgr/combiner.cc (grpc_combiner_continue_exec_ctx) and tcp_posix.cc (tcp_handle_read): what one
 * thread begins it goes on with unless another one has asked for the same connection.
 */
#ifndef REMORA_GRPC_NEWCOMERS_H
#define REMORA_GRPC_NEWCOMERS_H

#include <grpc/grpc.h>
#include <sys/types.h>

#include "remora/loop.h"

/* One that the core has. */
struct remora_grpc_newcomer {
    int fd;
    ino_t inode; /* which socket the number stood for */
    intptr_t id; /* the core's number for it (channelz.h); 0: it does not say */
};

struct remora_grpc_newcomers;
struct remora_grpc_newcomers_input { /* all of it outlives them */
    grpc_server *server;
    grpc_server_credentials *credentials;
    intptr_t listed_as; /* remora_grpc_channelz_server; 0: the core counts nothing */
    struct remora_loop *loop;
    /* On the loop's thread, in the order in which they were given. */
    void (*told)(void *context, const struct remora_grpc_newcomer *newcomer);
    void *context;
};
/* Any thread; the server has started. SHEDDING: no memory, or no thread. */
REMORA_MUST_CHECK enum remora_code
remora_grpc_newcomers_open(const struct remora_grpc_newcomers_input *input,
                           struct remora_grpc_newcomers **out);
/* The socket is theirs, and later the core's. At most REMORA_LIMIT_CONNECTIONS are on their way. The loop's thread. */
void remora_grpc_newcomers_give(struct remora_grpc_newcomers *newcomers, int fd);
/* Who is on the way still is closed, and who is given from now on. Before the server is shut down; any thread; may be NULL. */
void remora_grpc_newcomers_refuse(struct remora_grpc_newcomers *newcomers);
/* Waits until the last call into the core is over: once its server has ended every connection. Not the loop's thread; may be NULL. */
void remora_grpc_newcomers_join(struct remora_grpc_newcomers *newcomers);
/* After _join, when everything that was posted to the loop until then has run; may be NULL. */
void remora_grpc_newcomers_free(struct remora_grpc_newcomers *newcomers);

#endif
