/*
 * Inside of the HTTP front. A listener has one site per worker; a site owns its connections; a connection carries one request
 * at a time, its call, which a route's handler makes.
 */
#ifndef REMORA_HTTP_HTTP_H
#define REMORA_HTTP_HTTP_H

#include "head.h"
#include "parser.h"
#include "remora/front.h"
#include "remora/list.h"
#include "remora/listing.h"
#include "remora/skin.h"

/* What the connections of one listener on one worker share. Its thread's own, but for what is atomic. */
struct http_site {
    enum remora_http_role role;
    struct remora_process *process;
    struct remora_worker *worker;
    const struct remora_clock *clock;
    struct remora_timers *timers;
    const struct remora_address *address; /* where the listener is bound */
    struct remora_identity caller; /* DATA: of the head being routed, for its handler to copy */
    _Atomic uint32_t *open;        /* connections of the whole listener, or NULL */
    struct remora_list connections;
    struct remora_buf scratch; /* what one answer or event is built in */
    struct remora_arena
        spare; /* of a collected answer that has left: its first chunk serves the next one */
    int64_t date_unix_s; /* of `date` */
    char date[48];
    bool is_draining;
    uint64_t
        courtesy_ns; /* while it drains: how long a connection that was promised to stay open does so, idle */
};
void http_site_init(struct http_site *site, enum remora_http_role role,
                    struct remora_process *process, struct remora_worker *worker,
                    const struct remora_address *address);
void http_site_fini(struct http_site *site);
/*
 * Answers say `Connection: close` from the first moment of a drain, its delay included: a client that keeps its connection
 * would send its next request into the close at the end of the delay, and no HTTP/1.1 client may repeat a POST by itself. Who
 * has no such answer yet (its stream began before, it has just connected) may send one more (courtesy_ns).
 */
static inline bool http_site_is_leaving(const struct http_site *site)
{
    return site->is_draining || atomic_load(&site->process->is_draining);
}

struct http_connection;

/* The request under way, as its handler sees it. `context` is the handler's; each but `gone` may be NULL. */
struct http_call_ops {
    /* A piece of the body. Anything but REMORA_OK refuses the request with *fail. */
    enum remora_code (*body)(void *context, struct remora_slice bytes, struct remora_fail *fail);
    /* The body is whole. */
    void (*whole)(void *context);
    /* All output has been taken by the kernel. */
    void (*drained)(void *context);
    /* The client is gone or the connection ends: give everything back, answer nothing. The last call. */
    void (*gone)(void *context);
    /* Behind a refused body: the id under which the refusal was observed, for its answer; NULL: under none. May be absent. */
    const char *(*refused_id)(const void *context);
};

enum http_state {
    HTTP_STATE_HEAD,   /* waiting for a head, or in the middle of it */
    HTTP_STATE_BODY,   /* a call reads its body */
    HTTP_STATE_BUSY,   /* a call works; input waits */
    HTTP_STATE_CLOSED, /* close was called; on_closed will come */
};

struct http_connection {
    struct remora_list node; /* in site->connections */
    struct http_site *site;  /* NULL: abandoned by a front that is gone */
    struct remora_conn *conn;
    struct remora_timer timer;
    struct remora_buf in; /* a head, or what came after a request */
    struct http_head_scan scan;
    struct http_parser parser;
    const struct http_call_ops *call; /* NULL: none under way */
    void *call_context;
    struct remora_slice
        route; /* static: of the request under way; "other" where no route is known */
    const struct remora_skin *skin; /* of the request under way */
    uint64_t written_bytes;
    uint64_t taken_bytes;   /* of written, when the output was last looked at */
    uint64_t stuck_ns;      /* since when output waits, as far as is known */
    uint64_t idle_since_ns; /* accepted, or the last answer given */
    uint64_t body_began_ns; /* the head of the request that is read was whole */
    uint64_t body_bytes;    /* of its body, so far */
    enum http_state state;
    uint8_t minor; /* of the request under way */
    bool keeps_alive;
    bool is_head;        /* the request under way asks for no content */
    bool is_chunked_out; /* the stream is chunked, else the close ends it */
    bool has_output;     /* of a call, and the kernel has not taken all of it */
    bool is_running;     /* the loop of http_connection_run is on the stack */
    bool body_is_pending;
    bool is_held;          /* the next request waits until the output has left */
    bool has_skipped_line; /* the one empty line before a request */
};

extern const struct remora_conn_callbacks http_connection_callbacks;

/* ---- connection.c ---- */
/* Owns itself until on_closed. The conn is attached by http_connection_attach. NULL when there is no memory. */
REMORA_MUST_CHECK struct http_connection *http_connection_new(struct http_site *site);
/* Begins to read. */
void http_connection_attach(struct http_connection *c, struct remora_conn *conn);
/* Never attached. */
void http_connection_discard(struct http_connection *c);
/* The site drains: closes when it has been idle for the site's courtesy, or after the next answer that says so. */
void http_connection_drain(struct http_connection *c);
/*
 * Reads, works, has output that the kernel has not taken, or is kept open for one more request of a drain; what else is idle, or
 * only waits for its peer to close, is not.
 */
bool http_connection_is_busy(const struct http_connection *c);
/* No more time to read: what still arrives is refused with DRAINING; a call that works is left to end. */
void http_connection_give_up(struct http_connection *c);
/* Ends the call without an answer and closes at once, a linger too. */
void http_connection_cut(struct http_connection *c);
/* The site goes away: ends the call, closes, touches the site no more. */
void http_connection_abandon(struct http_connection *c);
/* The call of the request whose head was just read. Its body follows, if there is one; then `whole`. */
void http_call_begin(struct http_connection *c, const struct http_call_ops *ops, void *context);
/* The call is over: the handler's context is its own again, nothing is called any more. */
void http_call_end(struct http_connection *c);
/* The whole answer was written: goes on with the next request, or closes. After http_call_end. */
void http_connection_next(struct http_connection *c);
/* Of whatever it waits for now. */
void http_connection_arm_at(struct http_connection *c, uint64_t due_ns);

/* ---- output.c ---- */
void http_connection_write(struct http_connection *c, struct remora_slice bytes);
/* More waits than a stream may have waiting. */
bool http_connection_is_full(const struct http_connection *c);
uint64_t http_output_queued(const struct http_connection *c); /* bytes */
/*
 * After output or a change of state. The timer stays when the output has left: a stream writes every few milliseconds, and a timer
 * that finds nothing, once a minute, is cheaper than one that is set and taken back each time.
 */
void http_output_watch(struct http_connection *c);
/* When its time is up. False: nothing was taken for as long as a write may take. */
bool http_output_moves(struct http_connection *c);
uint64_t http_now_ns(const struct http_connection *c);

/* ---- response.c: each ends the call and goes on ---- */
struct http_answer {
    int status;
    const char *content_type;
    const char *generation_id; /* or NULL */
    const char *allow;         /* or NULL */
    int64_t retry_after_ms;    /* -1 none */
    bool must_not_retry;       /* x-should-retry: false */
    const char *reason;        /* of a refusal: name of its code, or NULL */
    int64_t rate_limit;        /* our own that refused (X-RateLimit-*), 0 none */
};
void http_respond(struct http_connection *c, const struct http_answer *answer,
                  struct remora_slice body);
/* The envelope of `fail` in the request's skin; outcome may be NULL. */
void http_respond_fail(struct http_connection *c, const struct remora_fail *fail,
                       const struct remora_outcome *outcome, const char *generation_id);
/* As above with Allow. */
void http_respond_not_allowed(struct http_connection *c, const char *allow);
void http_respond_text(struct http_connection *c, int status, const char *text);
/* A stream: head, pieces, end. */
void http_stream_begin(struct http_connection *c, const struct http_answer *answer);
void http_stream_write(struct http_connection *c, struct remora_slice bytes);
void http_stream_end(struct http_connection *c);

/* ---- access.c ---- */
/* Counts and logs an answer that no exchange gave (those have their observer). */
void http_access(const struct http_connection *c, const struct http_answer *answer);

/* ---- guard.c ---- */
/* Whether Host and Origin are such that no foreign web page can be behind the request (ARCHITECTURE 4). */
REMORA_MUST_CHECK bool http_guard(const struct http_site *site, const struct http_head *head,
                                  struct remora_fail *fail);

/* DATA listeners: who sends this head, or UNAUTHENTICATED (remora/caller.h). The snapshot is the worker's current one. */
REMORA_MUST_CHECK enum remora_code http_identify(const struct http_site *site,
                                                 const struct http_head *head,
                                                 struct remora_identity *out,
                                                 struct remora_fail *fail);

/* ---- routes.c ---- */
/* Finds the handler and calls it; every refusal is answered. */
void http_route(struct http_connection *c, const struct http_head *head);

/* ---- listing.c ---- */
/* Answers with the catalog's list; raw_id: the model id as it stands in the path, or empty. */
void http_listing(struct http_connection *c, const struct http_head *head, remora_listing_fn list,
                  struct remora_slice raw_id);

/* ---- handlers: take the head, call http_call_begin or answer ---- */
typedef void (*http_handler_fn)(struct http_connection *c, const struct http_head *head);
void http_chat(struct http_connection *c, const struct http_head *head);
void http_startupz(struct http_connection *c, const struct http_head *head);
void http_livez(struct http_connection *c, const struct http_head *head);
void http_readyz(struct http_connection *c, const struct http_head *head);
void http_metrics(struct http_connection *c, const struct http_head *head);
void http_route_explain(struct http_connection *c, const struct http_head *head);
void http_config_status(struct http_connection *c, const struct http_head *head);
void http_config(struct http_connection *c, const struct http_head *head);
void http_log_level(struct http_connection *c, const struct http_head *head);
void http_log_level_put(struct http_connection *c, const struct http_head *head);
void http_demo_flaky(struct http_connection *c, const struct http_head *head);
void http_demo_steady(struct http_connection *c, const struct http_head *head);

#endif
