// Timers of connections: a binary heap by due time, one timer per connection.
#include "fault_connection.h"

#include <limits.h>
#include <stdlib.h>

static void place(struct server *server, size_t at, struct connection *connection)
{
    server->heap[at] = connection;
    connection->heap_at = at;
}

static void sift_up(struct server *server, size_t at)
{
    struct connection *moving = server->heap[at];
    while (at > 0 && server->heap[(at - 1) / 2]->due_ns > moving->due_ns) {
        place(server, at, server->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(server, at, moving);
}

static void sift_down(struct server *server, size_t at)
{
    struct connection *moving = server->heap[at];
    for (size_t child = 2 * at + 1; child < server->heap_count; child = 2 * at + 1) {
        if (child + 1 < server->heap_count &&
            server->heap[child + 1]->due_ns < server->heap[child]->due_ns) {
            child++;
        }
        if (server->heap[child]->due_ns >= moving->due_ns) {
            break;
        }
        place(server, at, server->heap[child]);
        at = child;
    }
    place(server, at, moving);
}

void timer_set(struct connection *connection, uint64_t due_ns)
{
    struct server *server = connection->server;
    timer_clear(connection);
    if (server->heap_count == server->heap_capacity) {
        server->heap_capacity = server->heap_capacity ? server->heap_capacity * 2 : 64;
        server->heap = realloc(server->heap, server->heap_capacity * sizeof *server->heap);
        if (server->heap == NULL) {
            abort();
        }
    }
    connection->due_ns = due_ns;
    place(server, server->heap_count, connection);
    sift_up(server, server->heap_count++);
}

void timer_clear(struct connection *connection)
{
    struct server *server = connection->server;
    if (connection->due_ns == 0) {
        return;
    }
    connection->due_ns = 0;
    size_t at = connection->heap_at;
    struct connection *last = server->heap[--server->heap_count];
    if (last != connection) {
        place(server, at, last);
        sift_up(server, at);
        sift_down(server, last->heap_at);
    }
}

int timer_run(struct server *server)
{
    uint64_t now = clock_ns();
    while (server->heap_count > 0 && server->heap[0]->due_ns <= now) {
        struct connection *connection = server->heap[0];
        timer_clear(connection);
        connection_timer(connection);
    }
    if (server->heap_count == 0) {
        return -1;
    }
    uint64_t left_ms = (server->heap[0]->due_ns - now + 999999) / 1000000;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}
