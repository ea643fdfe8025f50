/* Routes without a body: probes, metrics, the state of the configuration. */
#include "http.h"

#include <stdio.h>

#include "remora/json.h"

static void respond_buffer(struct http_connection *c, const char *content_type,
                           struct remora_buf *body)
{
    struct http_answer answer = {.status = 200, .content_type = content_type, .retry_after_ms = -1};
    if (remora_buf_code(body) != REMORA_OK) {
        struct remora_fail fail = REMORA_FAIL_INIT;
        (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
        http_respond_fail(c, &fail, NULL, NULL);
    } else {
        http_respond(c, &answer, remora_buf_slice(body));
    }
    remora_buf_fini(body);
}

void http_startupz(struct http_connection *c, const struct http_head *head)
{
    (void)head;
    bool is_started = atomic_load(&c->site->process->is_started);
    http_respond_text(c, is_started ? 200 : 503, is_started ? "ok\n" : "starting\n");
}

/* That this is answered is the answer. */
void http_livez(struct http_connection *c, const struct http_head *head)
{
    (void)head;
    http_respond_text(c, 200, "ok\n");
}

void http_readyz(struct http_connection *c, const struct http_head *head)
{
    (void)head;
    const struct remora_engine *engine = c->site->worker->engine;
    const char *why = remora_process_unready(c->site->process,
                                             engine == NULL ? NULL : remora_engine_config(engine));
    char text[96];
    snprintf(text, sizeof text, "not ready: %s\n", why == NULL ? "" : why);
    http_respond_text(c, why == NULL ? 200 : 503, why == NULL ? "ok\n" : text);
}

void http_metrics(struct http_connection *c, const struct http_head *head)
{
    struct remora_buf body;
    (void)head;
    remora_buf_init(&body, REMORA_LIMIT_MESSAGE_BYTES);
    remora_process_measure(c->site->process, remora_engine_config(c->site->worker->engine));
    remora_metrics_write(c->site->process->metrics, &body);
    respond_buffer(c, "text/plain; version=0.0.4; charset=utf-8", &body);
}

void http_config_status(struct http_connection *c, const struct http_head *head)
{
    struct remora_buf body;
    struct remora_json_writer w;
    struct remora_config_status status;
    (void)head;
    remora_config_status_get(c->site->process->config_status, &status);
    remora_buf_init(&body, REMORA_LIMIT_HTTP_HEAD_BYTES);
    remora_json_write_begin(&w, &body);
    remora_json_object_open(&w);
    remora_json_key(&w, "revision");
    remora_json_write_text(&w, status.revision);
    remora_json_key(&w, "load_unix_ms");
    remora_json_write_i64(&w, status.load_unix_ms);
    remora_json_key(&w, "last_error");
    remora_json_write_text(&w, status.last_error);
    remora_json_key(&w, "catalog_version");
    remora_json_write_text(&w, remora_catalog_version());
    remora_json_key(&w, "catalog_age_seconds");
    remora_json_write_i64(&w, remora_catalog_age_s(c->site->clock->unix_ms(c->site->clock)));
    remora_json_object_close(&w);
    respond_buffer(c, "application/json", &body);
}
