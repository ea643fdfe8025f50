/* The HTTP front on a scripted connection: a site with the engine of engine_fixture.h behind it, no socket, no sleep. */
#ifndef REMORA_TEST_HTTP_FIXTURE_H
#define REMORA_TEST_HTTP_FIXTURE_H

#include "conn_script.h"
#include "engine_fixture.h"
#include "remora/front.h"

struct http_fixture {
    struct engine_fixture *engine;
    struct remora_worker worker;
    struct remora_process process;
    struct remora_address address;
    struct http_site *site;
    struct conn_script script; /* of the connection that is open */
    bool is_open;
};

struct http_fixture *http_fixture_new(enum remora_http_role role);
/* The same on an engine of the test's own making, or none; engine is taken over. */
struct http_fixture *http_fixture_with(enum remora_http_role role, struct engine_fixture *engine);
void http_fixture_free(struct http_fixture *f);
/* A new connection in place of the old one, which is closed. */
void http_fixture_connect(struct http_fixture *f);
/* Feeds, in pieces of `piece` bytes (0: whole), until all is fed or the front has closed. */
void http_fixture_send(struct http_fixture *f, struct remora_slice bytes, size_t piece);
/* Status of the first answer that was written, 0: none. Interim answers (100) count too. */
int http_fixture_status(const struct http_fixture *f);
/* The text of the first body (behind the first blank line), NUL-terminated by the written buffer's end. */
struct remora_slice http_fixture_body(const struct http_fixture *f);
/* Closed by us, or about to be. */
bool http_fixture_is_closing(const struct http_fixture *f);
/* As remora_http_front_drain. */
void http_fixture_drain(struct http_fixture *f, int64_t courtesy_ms);
/* The front is gone while its connection is still there. */
void http_fixture_leave(struct http_fixture *f);

#endif
