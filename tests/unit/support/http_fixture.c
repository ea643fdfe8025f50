#include "http_fixture.h"

#include <stdlib.h>

#include "../../../src/front/http/http.h"
#include "remora/text.h"

struct http_fixture *http_fixture_with(enum remora_http_role role, struct engine_fixture *engine)
{
    struct http_fixture *f = calloc(1, sizeof *f);
    struct http_site *site = calloc(1, sizeof *site);
    assert_non_null(f);
    assert_non_null(site);
    f->engine = engine;
    f->worker.engine = engine->engine;
    f->process.workers = &f->worker;
    f->process.worker_count = 1;
    f->process.metrics = remora_metrics_new();
    f->process.config_status = remora_config_status_store_new();
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_address_parse(REMORA_SLICE("127.0.0.1:7360"), &f->address, &fail),
                     REMORA_OK);
    http_site_init(site, role, &f->process, &f->worker, &f->address);
    site->clock = &engine->clock;
    site->timers = &engine->timers;
    f->site = site;
    http_fixture_connect(f);
    return f;
}

struct http_fixture *http_fixture_new(enum remora_http_role role)
{
    return http_fixture_with(role, fixture_new(""));
}

static void disconnect(struct http_fixture *f)
{
    if (f->is_open) {
        conn_script_gone(&f->script, REMORA_CONN_PEER_CLOSED);
        f->script.queued_bytes = 0;
        conn_script_pump(&f->script);
        assert_true(f->script.is_closed);
        conn_script_fini(&f->script);
        f->is_open = false;
    }
}

void http_fixture_free(struct http_fixture *f)
{
    disconnect(f);
    http_site_fini(f->site);
    free(f->site);
    remora_metrics_free(f->process.metrics);
    remora_config_status_store_free(f->process.config_status);
    fixture_free(f->engine);
    free(f);
}

void http_fixture_connect(struct http_fixture *f)
{
    disconnect(f);
    struct http_connection *c = http_connection_new(f->site);
    assert_non_null(c);
    conn_script_init(&f->script, &http_connection_callbacks, c);
    f->worker.connections++;
    f->is_open = true;
    http_connection_attach(c, &f->script.conn);
}

void http_fixture_send(struct http_fixture *f, struct remora_slice bytes, size_t piece)
{
    size_t step = piece == 0 ? bytes.length : piece;
    for (size_t at = 0; at < bytes.length && !f->script.is_close_called; at += step) {
        size_t length = bytes.length - at < step ? bytes.length - at : step;
        conn_script_feed(&f->script, remora_slice(bytes.data + at, length));
        conn_script_pump(&f->script);
    }
}

int http_fixture_status(const struct http_fixture *f)
{
    struct remora_slice written = conn_script_written(&f->script);
    uint64_t status = 0;
    if (written.length < 12 || !remora_slice_starts_with(written, REMORA_SLICE("HTTP/1.1 "))) {
        return 0;
    }
    return remora_parse_u64(remora_slice(written.data + 9, 3), &status) ? (int)status : 0;
}

struct remora_slice http_fixture_body(const struct http_fixture *f)
{
    struct remora_slice written = conn_script_written(&f->script);
    const char *blank = memmem(written.data, written.length, "\r\n\r\n", 4);
    assert_non_null(blank);
    size_t at = (size_t)(blank - written.data) + 4;
    return remora_slice(written.data + at, written.length - at);
}

bool http_fixture_is_closing(const struct http_fixture *f)
{
    return f->script.is_close_called;
}

void http_fixture_leave(struct http_fixture *f)
{
    http_site_fini(f->site);
}

void http_fixture_drain(struct http_fixture *f, int64_t courtesy_ms)
{
    f->site->is_draining = true;
    f->site->courtesy_ns = (uint64_t)courtesy_ms * REMORA_NS_PER_MS;
    struct remora_list *node = f->site->connections.next;
    while (node != &f->site->connections) {
        struct http_connection *c = REMORA_CONTAINER_OF(node, struct http_connection, node);
        node = node->next;
        http_connection_drain(c);
    }
}
