/*
 * Connections that the core accepts by itself (TLS): it leaves as many descriptors free as callers in plaintext do, and there
 * are as many at once. The core calls accept4(2), which in this process is ours (accepting.c). Any thread, the core's too.
 */
#ifndef REMORA_GRPC_ACCEPTING_H
#define REMORA_GRPC_ACCEPTING_H

#include "remora/telemetry.h"

/*
 * From now on the listener on this TCP port is the core's, the only one of the process. Before the server starts. `metrics`
 * count what is refused, and outlive the end.
 */
void remora_grpc_accepting_begin(struct remora_metrics *metrics, uint16_t port);
/* When the core listens no more. Also where nothing has begun. */
void remora_grpc_accepting_end(void);
/* One more connection of the gRPC listener that was closed when it came; `why` as in tbl/metrics.h. */
void remora_grpc_count_refused(struct remora_metrics *metrics, const char *why);

#endif
