/*
 * TLS of the gRPC listener, which the core does itself: it asks here for the certificate of each handshake. Any thread, the
 * core's too.
 */
#ifndef REMORA_GRPC_SECURE_H
#define REMORA_GRPC_SECURE_H

#include <grpc/grpc_security.h>
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h>
#endif

#include "remora/tls.h"

struct remora_grpc_tls;
/* NULL without memory. */
struct remora_grpc_tls *remora_grpc_tls_new(struct remora_tls *tls);
/* When no server uses its credentials any more. */
void remora_grpc_tls_free(struct remora_grpc_tls *tls);
/* For the handshakes from now on. */
void remora_grpc_tls_set(struct remora_grpc_tls *tls, struct remora_tls *next);
/* Settled when it was made: the core does not change its mind. */
bool remora_grpc_tls_asks_clients(const struct remora_grpc_tls *tls);
/* NULL when the core refuses. The caller's to release; `tls` outlives them. */
grpc_server_credentials *remora_grpc_tls_credentials(struct remora_grpc_tls *tls);

#endif
