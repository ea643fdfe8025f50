// The life of one connection: handshake, then head, body, answer, again and again.
// A peer that goes away is noticed by EPOLLRDHUP in every state, also while nothing is read; a
// half-close counts as going away.
#include "fault_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MOST (4U << 20)

void connection_watch(struct connection *connection, uint32_t events)
{
    events |= EPOLLRDHUP;
    if (connection->fd < 0 || connection->watched == events) {
        return;
    }
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int operation = connection->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    epoll_ctl(connection->server->epoll, operation, connection->fd, &event);
    connection->watched = events;
}

void connection_new(struct server *server, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        abort();
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->server = server;
    connection->fd = fd;
    connection->id = ++server->last_connection;
    connection->state = CONNECTION_HEAD;
    if (server->tls != NULL) {
        connection->ssl = SSL_new(server->tls);
        SSL_set_fd(connection->ssl, fd);
        SSL_set_accept_state(connection->ssl);
        connection->state = CONNECTION_HANDSHAKE;
    }
    connection->next = server->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    server->connections = connection;
    server->ledger.accepted++;
    server->ledger.open_connections++;
    connection_watch(connection, EPOLLIN);
}

static void note_outcome(struct connection *connection, enum outcome outcome)
{
    struct ledger *ledger = &connection->server->ledger;
    struct record *record = ledger_record(ledger, connection->record_id);
    if (record != NULL) {
        record->outcome = outcome;
        record->ended_ms = ledger_now_ms(ledger);
    }
    struct counter *counter = connection->counter;
    if (counter == NULL && record != NULL) {
        counter = ledger_counter(ledger, slice_of("(unclassified)"));
        counter->requests++;
        counter->open++;
    }
    if (counter == NULL) {
        return;
    }
    counter->open--;
    counter->complete += outcome == OUTCOME_COMPLETE;
    counter->cut += outcome == OUTCOME_CUT;
    counter->aborted += outcome == OUTCOME_ABORTED;
    if (outcome == OUTCOME_ABORTED) {
        counter->last_aborted_ms = ledger_now_ms(ledger);
    }
}

static void forget_request(struct connection *connection)
{
    connection->counter = NULL;
    connection->behaviour = NULL;
    connection->record_id = 0;
    connection->step = 0;
    connection->sent = 0;
    connection->rounds = 0;
    connection->waiting = connection->released = false;
    script_free(&connection->script);
}

void connection_end(struct connection *connection, enum outcome outcome)
{
    struct server *server = connection->server;
    if (connection->state == CONNECTION_DEAD) {
        return;
    }
    if (connection->state >= CONNECTION_BODY) {
        note_outcome(connection, outcome);
    }
    timer_clear(connection);
    if (connection->fd >= 0) {
        io_close(connection, STEP_CLOSE);
    }
    connection->state = CONNECTION_DEAD;
    server->ledger.open_connections--;
    *(connection->previous ? &connection->previous->next : &server->connections) = connection->next;
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    connection->next = server->dead;
    server->dead = connection;
}

void connection_bury_dead(struct server *server)
{
    while (server->dead != NULL) {
        struct connection *connection = server->dead;
        server->dead = connection->next;
        script_free(&connection->script);
        text_free(&connection->in);
        text_free(&connection->head);
        text_free(&connection->body);
        free(connection);
    }
}

static bool has_head(struct connection *connection)
{
    return connection->in.length > 0 &&
           memmem(connection->in.data, connection->in.length, "\r\n\r\n", 4) != NULL;
}

static void begin_answer(struct connection *connection)
{
    if (connection->script.count > 0) { // a script that stopped reading goes on
        request_keep_body(connection);
        connection->state = CONNECTION_PLAY;
        connection->step++;
        connection_watch(connection, 0);
        player_run(connection);
        return;
    }
    request_answer(connection);
    if (connection->state == CONNECTION_DEAD) {
        return;
    }
    connection->state = CONNECTION_PLAY;
    connection_watch(connection, 0);
    player_run(connection);
}

static void take_body(struct connection *connection)
{
    if (!request_take_body(connection)) {
        connection_end(connection, OUTCOME_CUT);
        return;
    }
    request_classify(connection);
    bool acts_at_once =
        connection->behaviour != NULL && connection->behaviour->moment == FAULT_AT_ONCE;
    if (connection->body_done || (acts_at_once && connection->script.count == 0)) {
        begin_answer(connection);
    }
}

// Goes as far as the bytes in `in` allow.
static void advance(struct connection *connection)
{
    if (connection->state == CONNECTION_HEAD && has_head(connection)) {
        connection->state = CONNECTION_BODY;
        if (!request_begin(connection)) {
            connection->state = CONNECTION_HEAD;
            connection_end(connection, OUTCOME_CUT);
            return;
        }
    }
    if (connection->state == CONNECTION_BODY) {
        take_body(connection);
    } else if (connection->in.length > HEAD_MOST) {
        connection_end(connection, OUTCOME_CUT);
    }
}

void connection_answered(struct connection *connection)
{
    note_outcome(connection, OUTCOME_COMPLETE);
    forget_request(connection);
    connection->requests++;
    connection->state = CONNECTION_HEAD;
    connection_watch(connection, EPOLLIN);
    if (connection->in.length > 0) {
        advance(connection);
    }
}

void connection_resume_body(struct connection *connection)
{
    connection->state = CONNECTION_BODY;
    connection_watch(connection, EPOLLIN);
}

enum { READ_AGAIN, READ_LATER, READ_END };

static int read_once(struct connection *connection)
{
    char buffer[65536];
    ssize_t length = io_read(connection, buffer, sizeof buffer);
    if (length == 0 || length == -2) {
        return READ_END;
    }
    if (length < 0) {
        return READ_LATER;
    }
    if (connection->state != CONNECTION_DRAIN) {
        text_add(&connection->in, buffer, (size_t)length);
        advance(connection);
    }
    // TLS keeps decrypted bytes that epoll cannot see; without it epoll calls again.
    return connection->ssl != NULL || (size_t)length == sizeof buffer ? READ_AGAIN : READ_LATER;
}

static bool is_reading(const struct connection *connection)
{
    return connection->state == CONNECTION_HEAD || connection->state == CONNECTION_BODY ||
           connection->state == CONNECTION_DRAIN;
}

static void read_some(struct connection *connection)
{
    int result = READ_AGAIN;
    for (int rounds = 0; result == READ_AGAIN && is_reading(connection); rounds++) {
        result = read_once(connection);
        if (rounds > 16 && connection->ssl == NULL) {
            break;
        }
    }
    if (result == READ_END) {
        connection_end(connection,
                       connection->state == CONNECTION_DRAIN ? OUTCOME_COMPLETE : OUTCOME_ABORTED);
    }
}

static void handshake(struct connection *connection)
{
    int result = SSL_do_handshake(connection->ssl);
    if (result == 1) {
        connection->state = CONNECTION_HEAD;
        connection_watch(connection, EPOLLIN);
        read_some(connection);
        return;
    }
    int error = SSL_get_error(connection->ssl, result);
    if (error == SSL_ERROR_WANT_READ) {
        connection_watch(connection, EPOLLIN);
    } else if (error == SSL_ERROR_WANT_WRITE) {
        connection_watch(connection, EPOLLOUT);
    } else {
        connection_end(connection, OUTCOME_ABORTED);
    }
}

void connection_event(struct connection *connection, uint32_t events)
{
    if (connection->state == CONNECTION_DEAD) {
        return;
    }
    if (connection->state == CONNECTION_HANDSHAKE) {
        handshake(connection);
        return;
    }
    if (is_reading(connection)) {
        read_some(connection);
    }
    bool is_gone = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (connection->state == CONNECTION_PLAY && is_gone) {
        connection_end(connection, OUTCOME_ABORTED);
    } else if (connection->state == CONNECTION_PLAY && (events & EPOLLOUT) != 0) {
        player_run(connection);
    }
}

void connection_timer(struct connection *connection)
{
    if (connection->state == CONNECTION_PLAY) {
        player_run(connection);
    } else if (connection->state == CONNECTION_DRAIN) {
        connection_end(connection, OUTCOME_COMPLETE);
    }
}
