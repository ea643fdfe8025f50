// Plays the script of an answer as far as the peer, the clock and the next release allow.
#include "fault_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#define PLAYER_FAIR_SHARE (1U << 20)

enum progress { PROGRESS_NEXT_STEP, PROGRESS_WAIT, PROGRESS_GONE };

static void count_sent(struct connection *connection, size_t length)
{
    struct record *record = ledger_record(&connection->server->ledger, connection->record_id);
    if (record != NULL) {
        if (record->first_byte_ms < 0) {
            record->first_byte_ms = ledger_now_ms(&connection->server->ledger);
        }
        record->bytes_sent += length;
    }
    if (connection->counter != NULL) {
        connection->counter->bytes_sent += length;
    }
}

static enum progress send_some(struct connection *connection, const struct step *step, size_t most)
{
    const char *from = connection->script.bytes.data + step->offset + connection->sent;
    ssize_t sent = io_write(connection, from, most);
    if (sent == -1) {
        connection_watch(connection, EPOLLOUT);
        return PROGRESS_WAIT;
    }
    if (sent < 0) {
        return PROGRESS_GONE;
    }
    count_sent(connection, (size_t)sent);
    connection->sent += (size_t)sent;
    if (connection->sent == step->length) {
        connection->sent = 0;
        connection->rounds++;
    }
    return PROGRESS_NEXT_STEP;
}

static bool is_sent(const struct connection *connection, const struct step *step)
{
    return step->length == 0 ||
           (step->times != FAULT_FOR_EVER && connection->rounds >= step->times);
}

static enum progress play_send(struct connection *connection, const struct step *step)
{
    size_t share = 0;
    while (!is_sent(connection, step)) {
        if (share > PLAYER_FAIR_SHARE) {
            connection_watch(connection, EPOLLOUT);
            return PROGRESS_WAIT;
        }
        size_t most = step->length - connection->sent;
        enum progress progress = send_some(connection, step, most);
        if (progress != PROGRESS_NEXT_STEP) {
            return progress;
        }
        share += most;
    }
    return PROGRESS_NEXT_STEP;
}

// True once the step's pause is over; begins it on the first call.
static bool is_pause_over(struct connection *connection, uint32_t ms)
{
    if (!connection->waiting) {
        connection->waiting = true;
        timer_set(connection, clock_ns() + (uint64_t)ms * 1000000U);
        connection_watch(connection, 0);
        return false;
    }
    if (connection->due_ns != 0) {
        return false;
    }
    connection->waiting = false;
    return true;
}

static enum progress play_drip(struct connection *connection, const struct step *step)
{
    while (!is_sent(connection, step)) {
        if (connection->waiting && !is_pause_over(connection, step->ms)) {
            return PROGRESS_WAIT;
        }
        size_t left = step->length - connection->sent;
        enum progress progress =
            send_some(connection, step, left < step->piece ? left : step->piece);
        if (progress != PROGRESS_NEXT_STEP) {
            return progress;
        }
        if (step->ms > 0 && !is_sent(connection, step)) {
            is_pause_over(connection, step->ms);
        }
    }
    return PROGRESS_NEXT_STEP;
}

static void begin_drain(struct connection *connection)
{
    if (connection->ssl != NULL) {
        SSL_shutdown(connection->ssl);
    }
    shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_DRAIN;
    connection_watch(connection, EPOLLIN);
    timer_set(connection, clock_ns() + 1000000000U);
}

static enum progress play_step(struct connection *connection, const struct step *step)
{
    switch (step->kind) {
    case STEP_SEND:
        return play_send(connection, step);
    case STEP_DRIP:
        return play_drip(connection, step);
    case STEP_WAIT:
        return is_pause_over(connection, step->ms) ? PROGRESS_NEXT_STEP : PROGRESS_WAIT;
    case STEP_HOLD:
        connection_watch(connection, 0);
        return connection->released ? PROGRESS_NEXT_STEP : PROGRESS_WAIT;
    case STEP_SILENT:
        connection_watch(connection, 0);
        return PROGRESS_WAIT;
    case STEP_RESUME:
        if (connection->body_done) {
            return PROGRESS_NEXT_STEP;
        }
        connection_resume_body(connection);
        return PROGRESS_WAIT;
    case STEP_DRAIN:
        begin_drain(connection);
        return PROGRESS_WAIT;
    case STEP_FIN:
    case STEP_RESET:
    case STEP_CLOSE:
        io_close(connection, step->kind);
        connection_end(connection, step->kind == STEP_CLOSE ? OUTCOME_COMPLETE : OUTCOME_CUT);
        return PROGRESS_WAIT;
    }
    return PROGRESS_WAIT;
}

void player_run(struct connection *connection)
{
    while (connection->step < connection->script.count) {
        enum progress progress = play_step(connection, &connection->script.steps[connection->step]);
        if (progress == PROGRESS_GONE) {
            connection_end(connection, OUTCOME_ABORTED);
            return;
        }
        if (progress == PROGRESS_WAIT) {
            return;
        }
        connection->step++;
        connection->sent = 0;
        connection->rounds = 0;
        connection->waiting = false;
        connection->released = false;
    }
    connection_answered(connection);
}
