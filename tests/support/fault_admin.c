// The server's own paths: /__stats, /__requests, /__last (GET), /__reset, /__release, /__close (POST).
#include "fault_connection.h"

bool admin_is(struct slice target)
{
    return target.length > 3 && target.data[0] == '/' && target.data[1] == '_' &&
           target.data[2] == '_';
}

static void release_held(struct server *server)
{
    struct connection *next = NULL;
    for (struct connection *each = server->connections; each != NULL; each = next) {
        next = each->next;
        if (each->state == CONNECTION_PLAY && each->step < each->script.count &&
            each->script.steps[each->step].kind == STEP_HOLD) {
            each->released = true;
            player_run(each);
        }
    }
}

// Closes the connections that wait for a request, as an upstream does after its idle time-out.
static void close_idle(struct server *server, const struct connection *asking)
{
    struct connection *next = NULL;
    for (struct connection *each = server->connections; each != NULL; each = next) {
        next = each->next;
        if (each != asking && each->state == CONNECTION_HEAD) {
            connection_end(each, OUTCOME_COMPLETE);
        }
    }
}

void admin_answer(struct connection *connection, struct slice target)
{
    struct server *server = connection->server;
    struct text body = {0};
    const char *status = "200 OK";
    if (slice_is(target, "/__stats")) {
        ledger_stats_json(&server->ledger, &body);
    } else if (slice_is(target, "/__requests")) {
        ledger_requests_json(&server->ledger, &body);
    } else if (slice_is(target, "/__last")) {
        ledger_last_json(&server->ledger, &body);
    } else if (slice_is(target, "/__reset")) {
        ledger_reset(&server->ledger);
        text_puts(&body, "{}\n");
    } else if (slice_is(target, "/__release")) {
        release_held(server);
        text_puts(&body, "{}\n");
    } else if (slice_is(target, "/__close")) {
        close_idle(server, connection);
        text_puts(&body, "{}\n");
    } else {
        status = "404 Not Found";
        text_puts(&body, "{}\n");
    }
    script_printf(&connection->script,
                  "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                  status, body.length);
    script_send(&connection->script, body.data, body.length);
    text_free(&body);
}
