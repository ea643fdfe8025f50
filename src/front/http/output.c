/*
 * What a connection has to say and the kernel has not taken: how much of it waits, and whether it moves.
 *
 * Watched is the output of a call that works, and the one that the next request waits for: who takes nothing of it for
 * REMORA_LIMIT_WRITE_IDLE_MS is let go. What a closing connection has left is the loop's to watch.
 */
#include "http.h"

#define WRITE_IDLE_NS ((uint64_t)REMORA_LIMIT_WRITE_IDLE_MS * REMORA_NS_PER_MS)

uint64_t http_now_ns(const struct http_connection *c)
{
    return c->site->clock->now_ns(c->site->clock);
}

uint64_t http_output_queued(const struct http_connection *c)
{
    return c->conn->ops->queued(c->conn);
}

bool http_connection_is_full(const struct http_connection *c)
{
    return http_output_queued(c) > REMORA_LIMIT_STREAM_BUFFER_BYTES;
}

/* From now on the kernel has the time of a write to take something. */
static void begin_watch(struct http_connection *c)
{
    c->taken_bytes = c->written_bytes - http_output_queued(c);
    c->stuck_ns = http_now_ns(c);
    if (!remora_timer_is_armed(&c->timer)) {
        http_connection_arm_at(c, c->stuck_ns + WRITE_IDLE_NS);
    }
}

void http_output_watch(struct http_connection *c)
{
    bool is_watched = c->state == HTTP_STATE_BUSY || c->is_held;
    if (is_watched && !c->has_output && http_output_queued(c) > 0) {
        c->has_output = true;
        begin_watch(c);
    }
}

bool http_output_moves(struct http_connection *c)
{
    if (!c->has_output) {
        return true;
    }
    if (http_now_ns(c) - c->stuck_ns < WRITE_IDLE_NS) {
        /* It was set for output that has left since. */
        http_connection_arm_at(c, c->stuck_ns + WRITE_IDLE_NS);
        return true;
    }
    if (c->written_bytes - http_output_queued(c) == c->taken_bytes) {
        return false;
    }
    begin_watch(c);
    return true;
}

void http_connection_write(struct http_connection *c, struct remora_slice bytes)
{
    if (c->state == HTTP_STATE_CLOSED || bytes.length == 0) {
        return;
    }
    c->conn->ops->write(c->conn, bytes);
    c->written_bytes += bytes.length;
    http_output_watch(c);
}
