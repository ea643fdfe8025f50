// One connection of the fault server: reading requests, playing their scripts.
#ifndef FAULT_CONNECTION_H
#define FAULT_CONNECTION_H

#include "fault_behaviour.h"
#include "fault_ledger.h"

#include <openssl/ssl.h>

enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_HEAD,
    CONNECTION_BODY,
    CONNECTION_PLAY,
    CONNECTION_DRAIN,
    CONNECTION_DEAD, // closed; freed after the round
};

enum body_framing { BODY_LENGTH, BODY_CHUNK_SIZE, BODY_CHUNK_DATA, BODY_CHUNK_CRLF, BODY_TRAILER };

struct server;

struct connection {
    struct server *server;
    int fd;
    SSL *ssl;
    enum connection_state state;
    uint32_t watched; // epoll events
    uint64_t id;
    uint64_t requests;

    struct text in;
    struct text head; // of the current request, with its blank line
    struct text body;
    enum body_framing framing;
    size_t body_left; // of the length or of the chunk
    bool body_done;
    bool is_admin;

    uint64_t record_id;
    struct counter *counter; // NULL until the behaviour is known
    const struct behaviour *behaviour;
    struct demand demand;

    struct script script;
    size_t step;
    size_t sent;     // of this step's bytes
    uint64_t rounds; // of a repeated step
    bool released;
    bool waiting; // the step's pause has begun

    uint64_t due_ns; // 0: no timer
    size_t heap_at;
    struct connection *next, *previous;
};

struct server {
    int epoll;
    int listener;
    SSL_CTX *tls;
    const char *text;
    struct ledger ledger;
    uint64_t last_connection;
    struct connection *connections;
    struct connection *dead;
    struct connection **heap;
    size_t heap_count;
    size_t heap_capacity;
};

// fault_connection.c
void connection_new(struct server *server, int fd);
void connection_event(struct connection *connection, uint32_t events);
void connection_timer(struct connection *connection);
void connection_watch(struct connection *connection, uint32_t events);
// Ends the current request with that outcome, if there is one, and the connection.
void connection_end(struct connection *connection, enum outcome outcome);
// The answer is complete: goes on to the next request.
void connection_answered(struct connection *connection);
void connection_resume_body(struct connection *connection);
void connection_bury_dead(struct server *server);

// fault_request.c
// Takes the head at the front of `in` apart; false when it is no request.
bool request_begin(struct connection *connection);
// Moves what has arrived of the body from `in` to `body`; false when its framing is broken.
bool request_take_body(struct connection *connection);
// Finds the behaviour, from the path or the body as far as it is there.
void request_classify(struct connection *connection);
// Puts the body, as far as it came, on record.
void request_keep_body(struct connection *connection);
// Writes the script of the answer.
void request_answer(struct connection *connection);

// fault_player.c
void player_run(struct connection *connection);

// fault_io.c: bytes read or written; 0: peer's end; -1: try again later; -2: the connection is gone
ssize_t io_read(struct connection *connection, void *data, size_t length);
ssize_t io_write(struct connection *connection, const void *data, size_t length);
void io_close(struct connection *connection, enum step_kind how);

// fault_timer.c
void timer_set(struct connection *connection, uint64_t due_ns);
void timer_clear(struct connection *connection);
// Runs what is due; milliseconds until the next one, -1 for none.
int timer_run(struct server *server);

// fault_admin.c
bool admin_is(struct slice target);
void admin_answer(struct connection *connection, struct slice target);

#endif
