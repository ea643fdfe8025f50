/*
 * The access log of what is answered without an exchange: lists, probes, introspection, heads that are refused. Chat requests
 * that got as far as an exchange are told by its observer, once; their answers carry a generation id.
 */
#include "http.h"

#include <stdio.h>

static struct remora_slice listener_of(const struct http_site *site)
{
    switch (site->role) {
    case REMORA_HTTP_DATA:
        return REMORA_SLICE("http");
    case REMORA_HTTP_PROBE:
        return REMORA_SLICE("probe");
    case REMORA_HTTP_ADMIN:
        return REMORA_SLICE("admin");
    case REMORA_HTTP_DEMO:
        return REMORA_SLICE("demo");
    }
    return REMORA_SLICE("other");
}

void http_access(const struct http_connection *c, const struct http_answer *answer)
{
    char status[12];
    if (answer->generation_id != NULL || c->site->role == REMORA_HTTP_DEMO) {
        return;
    }
    snprintf(status, sizeof status, "%d", answer->status);
    const struct remora_slice labels[] = {listener_of(c->site), c->route, remora_slice_of(status)};
    remora_metric_add(c->site->process->metrics, REMORA_METRIC_HTTP_RESPONSES, labels,
                      REMORA_COUNT_OF(labels), 1);
    const char *reason = answer->reason == NULL ? "OK" : answer->reason;
    const struct remora_log_field fields[] = {
        REMORA_LOG_TEXT("listener", labels[0]),
        REMORA_LOG_TEXT("route", c->route),
        REMORA_LOG_NUMBER("status", answer->status),
        REMORA_LOG_TEXT("code", remora_slice_of(reason)),
    };
    /* Probes come every few seconds: they are told only to who looks for them. */
    bool is_probe = c->site->role == REMORA_HTTP_PROBE;
    remora_log(is_probe ? REMORA_LOG_DEBUG : REMORA_LOG_INFO, "http answer", fields,
               REMORA_COUNT_OF(fields));
}
