#include "conn_script.h"

#include "support.h"

enum { WRITTEN_LIMIT = 128 << 20, AHEAD_LIMIT = 64 << 10 };

static struct conn_script *script_of(struct remora_conn *conn)
{
    return REMORA_CONTAINER_OF(conn, struct conn_script, conn);
}

static void script_set_reading(struct remora_conn *conn, bool on)
{
    script_of(conn)->is_reading = on;
}

static void script_write(struct remora_conn *conn, struct remora_slice bytes)
{
    struct conn_script *script = script_of(conn);
    if (script->is_close_called) {
        return;
    }
    script->write_calls++;
    remora_buf_append(&script->written, bytes);
    assert_int_equal(remora_buf_code(&script->written), REMORA_OK);
    if (!script->is_auto_draining) {
        script->queued_bytes += bytes.length;
    }
}

static void script_close(struct remora_conn *conn, int64_t linger_ms)
{
    struct conn_script *script = script_of(conn);
    if (!script->is_close_called) {
        script->is_close_called = true;
        script->linger_ms = linger_ms;
    }
    if (linger_ms <= 0) {
        script->queued_bytes = 0;
    }
}

static size_t script_queued(const struct remora_conn *conn)
{
    return REMORA_CONTAINER_OF(conn, struct conn_script, conn)->queued_bytes;
}

void conn_script_init(struct conn_script *script, const struct remora_conn_callbacks *callbacks,
                      void *owner)
{
    static const struct remora_conn_ops OPS = {script_set_reading, script_write, script_close,
                                               script_queued};
    *script = (struct conn_script){.is_auto_draining = true, .linger_ms = -1};
    script->conn = (struct remora_conn){.ops = &OPS, .callbacks = callbacks, .owner = owner};
    remora_buf_init(&script->written, WRITTEN_LIMIT);
    remora_buf_init(&script->ahead, AHEAD_LIMIT);
}

void conn_script_fini(struct conn_script *script)
{
    remora_buf_fini(&script->written);
    remora_buf_fini(&script->ahead);
}

void conn_script_feed(struct conn_script *script, struct remora_slice bytes)
{
    if (script->is_close_called || script->is_gone) {
        return;
    }
    if (script->is_reading && remora_buf_slice(&script->ahead).length == 0) {
        script->conn.callbacks->on_read(&script->conn, bytes);
        return;
    }
    remora_buf_append(&script->ahead, bytes);
    assert_int_equal(remora_buf_code(&script->ahead), REMORA_OK);
}

void conn_script_pump(struct conn_script *script)
{
    if (script->is_reading && !script->is_close_called && !script->is_gone &&
        remora_buf_slice(&script->ahead).length > 0) {
        struct remora_buf taken = script->ahead;
        remora_buf_init(&script->ahead, AHEAD_LIMIT);
        script->conn.callbacks->on_read(&script->conn, remora_buf_slice(&taken));
        remora_buf_fini(&taken);
    }
    if (script->is_close_called && !script->is_closed && script->queued_bytes == 0) {
        script->is_closed = true;
        if (script->conn.callbacks->on_closed != NULL) {
            script->conn.callbacks->on_closed(&script->conn);
        }
    }
}

void conn_script_gone(struct conn_script *script, enum remora_conn_end end)
{
    if (!script->is_gone && !script->is_close_called) {
        script->is_gone = true;
        script->conn.callbacks->on_gone(&script->conn, end);
    }
}

void conn_script_stall(struct conn_script *script)
{
    script->is_auto_draining = false;
}

void conn_script_drain(struct conn_script *script)
{
    script->queued_bytes = 0;
    if (!script->is_close_called && script->conn.callbacks->on_drain != NULL) {
        script->conn.callbacks->on_drain(&script->conn);
    }
}

struct remora_slice conn_script_written(const struct conn_script *script)
{
    return remora_buf_slice(&script->written);
}

void conn_script_take(struct conn_script *script)
{
    remora_buf_reset(&script->written, 0);
}
