/* See flood.h. */
#include "flood.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "remora/clock.h"
#include "remora/limits.h"

enum {
    HEAD_BYTES = 2 * REMORA_LIMIT_GRPC_METADATA_BYTES, /* all that the core takes (core.c) */
    /* Of a message: heads of frames and of TLS records, as an eighth, and for those of its end. */
    FRAME_PART = 8,
    FRAME_BYTES = 64,
    /* Of an answer, for which a reader grants room again (13 bytes for the stream, 13 for the connection) and measures (17),
     * each of them in a TLS record of its own; a large one in pieces of a KiB. */
    GRANT_BYTES = 128,
    GRANT_PART = 8,
    TIMES = 2,
};
#define PERIOD_NS (10 * REMORA_NS_PER_S)

static void grow(struct remora_grpc_traffic *traffic, uint64_t bytes)
{
    uint64_t before = atomic_load_explicit(&traffic->bytes, memory_order_relaxed);
    atomic_store_explicit(&traffic->bytes, before + bytes, memory_order_relaxed);
}

static void await(struct remora_grpc_traffic *traffic, int more)
{
    uint64_t before = atomic_load_explicit(&traffic->awaited, memory_order_relaxed);
    atomic_store_explicit(&traffic->awaited, before + (uint64_t)more, memory_order_relaxed);
}

void remora_grpc_traffic_call(struct remora_grpc_traffic *traffic)
{
    grow(traffic, HEAD_BYTES);
    await(traffic, 1);
}

void remora_grpc_traffic_more(struct remora_grpc_traffic *traffic, size_t bytes)
{
    grow(traffic, bytes + bytes / FRAME_PART + FRAME_BYTES);
}

void remora_grpc_traffic_message(struct remora_grpc_traffic *traffic, size_t bytes)
{
    remora_grpc_traffic_more(traffic, bytes);
    await(traffic, -1);
}

/* The core may have had as much of it as it has memory for. */
void remora_grpc_traffic_lost(struct remora_grpc_traffic *traffic)
{
    remora_grpc_traffic_more(traffic, REMORA_LIMIT_GRPC_ARRIVING_BYTES);
    await(traffic, -1);
}

void remora_grpc_traffic_sent(struct remora_grpc_traffic *traffic, size_t bytes)
{
    grow(traffic, bytes / GRANT_PART + GRANT_BYTES);
}

/* What may stray meanwhile. */
static uint64_t spare_bytes(uint64_t ns)
{
    uint64_t ms = ns / REMORA_NS_PER_MS;
    return ms * REMORA_LIMIT_GRPC_STRAY_BYTES / (PERIOD_NS / REMORA_NS_PER_MS);
}

bool remora_grpc_flood_look(struct remora_grpc_flood *flood, const struct remora_grpc_look *look)
{
    uint64_t less = look->explained_bytes - flood->last.explained_bytes +
                    spare_bytes(look->at_ns - flood->last.at_ns);
    uint64_t all = flood->stray_bytes + look->received_bytes - flood->last.received_bytes;
    flood->stray_bytes = all > less ? all - less : 0;
    flood->last = *look;
    bool is_over = flood->stray_bytes > REMORA_LIMIT_GRPC_STRAY_BYTES + look->held_bytes;
    flood->times = is_over ? flood->times + 1 : 0;
    return flood->times >= TIMES;
}

bool remora_grpc_received_bytes(int fd, uint64_t *out)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t length = sizeof info;
    bool is_connected = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0;
    if (is_connected) {
        *out = info.tcpi_bytes_received;
    }
    return is_connected;
}
