/*
 * The fronts: where callers come in. Both turn a call into one remora_request, start an exchange on the connection's
 * worker and encode its events. Opened and closed by the app on its own thread unless said otherwise; a front is its
 * opener's until it is freed, and outlives no worker. What each takes of HTTP and gRPC: ARCHITECTURE 4 and 5.
 */
#ifndef REMORA_FRONT_H
#define REMORA_FRONT_H

#include "remora/codes.h"
#include "remora/config.h"
#include "remora/worker.h"

/* Which routes a listener serves. */
enum remora_http_role {
    REMORA_HTTP_DATA,  /* the API */
    REMORA_HTTP_PROBE, /* GET /startupz /livez /readyz /metrics */
    REMORA_HTTP_ADMIN, /* introspection; POST /reload */
    REMORA_HTTP_DEMO,  /* the built-in fake providers of `remora demo` */
};

struct remora_http_front;
/* Binds and accepts; each connection goes to the least loaded worker (the first for PROBE and ADMIN). */
REMORA_MUST_CHECK enum remora_code remora_http_front_open(struct remora_process *process,
                                                          enum remora_http_role role,
                                                          const struct remora_address *address,
                                                          struct remora_http_front **out,
                                                          struct remora_fail *fail);
uint16_t remora_http_front_port(const struct remora_http_front *front);
/*
 * Accepts no more, but for those who have connected already. A connection closes after its next answer, which says so, or when it
 * has been idle for courtesy_ms since it was accepted or answered last: without a `Connection: close` its client may be sending
 * already, and may not repeat a POST that meets the close (RFC 9112 section 9.3.1). On worker 0's thread.
 */
void remora_http_front_drain(struct remora_http_front *front, int64_t courtesy_ms);
/*
 * Of one worker, on its thread: how many connections read a request, work on one, have output that the kernel has not taken or
 * are kept open by a drain. Other idle ones, and those that only wait for their peer to close, are none.
 */
uint32_t remora_http_front_busy(struct remora_http_front *front, unsigned worker);
/* The end of grace, of one worker on its thread: a request that is still arriving is refused with DRAINING. */
void remora_http_front_give_up(struct remora_http_front *front, unsigned worker);
/* The end, of one worker on its thread: every connection closes at once, its call ends without an answer. Before the engine is
 * freed. */
void remora_http_front_cut(struct remora_http_front *front, unsigned worker);
/* Open connections; 0 means that it may be freed. Any thread. */
uint32_t remora_http_front_connections(const struct remora_http_front *front);
/* After the loops have stopped. */
void remora_http_front_free(struct remora_http_front *front);

struct remora_grpc_front;
/* PERMISSION_DENIED: not loopback on an old core that is not accepted. What open asks first; any thread, no core is started. */
REMORA_MUST_CHECK enum remora_code
remora_grpc_front_may_listen(const struct remora_address *address, bool accept_old_core,
                             struct remora_fail *fail);
/*
 * Starts the gRPC core and listens; of the configuration accept_old_core, tls and grpc_connection_age_ms are read.
 * PERMISSION_DENIED: not loopback on an old core without accept_old_core.
 */
REMORA_MUST_CHECK enum remora_code remora_grpc_front_open(struct remora_process *process,
                                                          const struct remora_address *address,
                                                          const struct remora_config *config,
                                                          struct remora_grpc_front **out,
                                                          struct remora_fail *fail);
/* Handshakes from now on use this one (NULL: none, where the listener speaks none). Any thread. */
void remora_grpc_front_set_tls(struct remora_grpc_front *front, struct remora_tls *tls);
uint16_t remora_grpc_front_port(const struct remora_grpc_front *front);
/*
 * Readiness may be another now (remora_process_unready): those who watch it are told, and sent away once the front drains.
 * On the worker's thread.
 */
void remora_grpc_front_health_changed(struct remora_grpc_front *front,
                                      const struct remora_worker *worker);
/*
 * Asks those who are connected in plaintext over TCP to open no further call here (GOAWAY), and takes calls as before. They hear
 * it within some 50 ms on a quiet machine. On worker 0's thread.
 */
void remora_grpc_front_farewell(struct remora_grpc_front *front);
/*
 * Takes no new connection, but for those who have connected already. Over plain TCP calls are still taken; TLS and unix sockets,
 * where nobody can be told before, are drained (below). On worker 0's thread.
 */
void remora_grpc_front_close(struct remora_grpc_front *front);
/*
 * Behind close and farewell: true when a drain refuses nobody who heeds GOAWAY. All who are connected have shown that they have
 * read it, or have been silent for half a second, and no call has come for a moment. On worker 0's thread.
 */
bool remora_grpc_front_has_parted(struct remora_grpc_front *front);
/* Closes; the core says GOAWAY and refuses new calls; streams go on. On worker 0's thread. */
void remora_grpc_front_drain(struct remora_grpc_front *front);
/* Calls in flight. Any thread. */
uint32_t remora_grpc_front_calls(const struct remora_grpc_front *front);
/* Cancels what is left, waits for the core. After drain. While the loops still run; not on a worker's thread. */
void remora_grpc_front_free(struct remora_grpc_front *front);
/* "29.0.0": the core's number, not the release's. */
const char *remora_grpc_core_version(void);

#endif
