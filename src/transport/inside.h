/*
 * What the files of this room share.
 *
 *   transport.c  the four operations and the pass at the end of a round that carries out what must not be done inside curl
 *   pool.c       easy handles between two transfers
 *   transfer.c   one transfer: curl's callbacks, and how its end is told
 *   setup.c      easy handles and their options; request headers and bodies
 *   proxy.c      which transfers go through a proxy
 *   head.c       the head of an answer
 *   ends.c       curl's result codes as causes
 *   sockets.c    curl's sockets and timer on the loop
 *   names.c      host names, resolved in the background
 *   trust.c      the public CAs, loaded in the background
 *   url.c        what we accept as a URL
 *   address.c    whom a transfer may be connected to
 */
#ifndef REMORA_TRANSPORT_INSIDE_H
#define REMORA_TRANSPORT_INSIDE_H

#include "address.h"
#include "remora/buf.h"
#include "remora/clock.h"
#include "remora/list.h"
#include "remora/loop.h"
#include "remora/transport.h"

#include <curl/curl.h>
#include <openssl/types.h>
#include <pthread.h>
#include <sys/socket.h>

enum {
    REMORA_READ_BYTES = 16 << 10,   /* what a transfer reads into at most at once */
    REMORA_GATHER_BYTES = 64 << 10, /* bodies up to here leave as one buffer */
    REMORA_SEND_BYTES = 65521, /* libcurl's buffer to send from: a size that nothing else has */
    REMORA_RELEASE_BYTES = 16 << 10, /* what a released transfer may still read ... */
    REMORA_RELEASE_MS = 100,         /* ... and for how long */
    REMORA_HOST_BYTES = 256,
};

/* ---- url.c ---- */

struct remora_url {
    char host[REMORA_HOST_BYTES]; /* without brackets, NUL-terminated */
    uint16_t port;
    bool is_tls;
    bool is_loopback;
    bool is_literal; /* an address, or localhost: nothing to resolve */
};
/* False for anything but http(s)://host[:port][/...] in printable ASCII without user information. */
REMORA_MUST_CHECK bool remora_url_parse(struct remora_slice text, struct remora_url *out);

/* ---- head.c ---- */

struct remora_head {
    struct remora_buf lines;   /* of the head under way, each with CRLF */
    struct remora_buf headers; /* struct remora_header, made at the blank line */
    size_t bytes;              /* of all heads and trailers so far */
    int status;
    bool may_be_http2; /* the provider was asked for it: set after init */
    bool is_complete;  /* the blank line of the final head was seen */
    bool is_framed;    /* Content-Length, chunked, HTTP/2, or a status without a body */
    bool is_encoded;   /* a Content-Encoding that nobody asked for */
};

enum remora_head_step {
    REMORA_HEAD_MORE,
    REMORA_HEAD_FINAL, /* status and headers stand; lines are kept until the next call */
    REMORA_HEAD_BAD,
    REMORA_HEAD_NO_MEMORY,
};
void remora_head_init(struct remora_head *head);
void remora_head_fini(struct remora_head *head);
/* One line as curl hands it out, its line end included. Lines behind the final head are trailers: counted, not kept. */
enum remora_head_step remora_head_line(struct remora_head *head, struct remora_slice line);
struct remora_http_response remora_head_response(const struct remora_head *head);
/* Gives the memory of the head back; what it found out stays. */
void remora_head_shrink(struct remora_head *head);

/* ---- a transfer ---- */

enum remora_transfer_state {
    REMORA_TRANSFER_FREE,
    REMORA_TRANSFER_STARTING, /* on transport->starting */
    REMORA_TRANSFER_WAITING,  /* on transport->waiting: for a name or the CAs */
    REMORA_TRANSFER_RUNNING,  /* in the multi handle */
    REMORA_TRANSFER_RELEASED, /* running, for the connection's sake only */
    REMORA_TRANSFER_LEAVING,  /* on transport->leaving: cancelled inside curl */
    REMORA_TRANSFER_ENDED,    /* curl is done, its user has paused: told when it resumes */
};

/* Why we stopped curl ourselves: every abort of a callback looks the same from outside. */
enum remora_veto {
    REMORA_VETO_NONE,
    REMORA_VETO_RESEND,   /* libcurl was about to send the request again */
    REMORA_VETO_HEAD,     /* the head is not one */
    REMORA_VETO_ENCODING, /* a body in an encoding that nobody asked for */
    REMORA_VETO_TOO_LARGE,
    REMORA_VETO_MEMORY,
    REMORA_VETO_ADDRESS, /* the transfer must not be connected to that address */
    REMORA_VETO_UPLOAD,  /* a final answer came before the request was sent in full */
    REMORA_VETO_STALE, /* nothing is sent yet, and the idle connection is dead: once more on a new one */
};

struct remora_curl;

/*
 * What an easy handle was last set up for. Most transfers go where the one before went: then nothing of it is set again, and
 * curl takes the URL as it was parsed (CURLOPT_CURLU(3)). Compared by content: a snapshot's addresses may come back.
 */
enum { REMORA_ROUTE_PARTS = 5 };
struct remora_route {
    char *
        text; /* URL, proxy, client certificate, its key, own CA, one behind the other; NULL: set up for nothing */
    size_t lengths[REMORA_ROUTE_PARTS];
    bool is_http2;
    enum remora_reach reach;
    struct remora_url url;
    CURLU *parsed;
};

/* The buffer that an easy handle of libcurl 8 sends from and keeps: memory.c finds it. */
struct remora_sent {
    char *bytes; /* NULL: none yet */
};

struct remora_transfer {
    struct remora_list node; /* in the list of its state, or among the pooled */
    struct remora_curl *transport;
    CURL *easy;
    struct remora_route route; /* of the handle; outlives the transfer */
    bool is_post;              /* the handle is set to POST */
    struct remora_sent sent;   /* of the handle, too */
    enum remora_transfer_state state;
    const struct remora_transfer_callbacks *callbacks;
    void *context;
    const struct remora_provider *provider;
    const struct remora_http_request *request; /* NULL once the answer began */
    char *head_block;                          /* curl_slist nodes and header lines; wiped */
    size_t head_block_bytes;
    char *body; /* gathered, or NULL */
    size_t body_bytes;
    size_t piece; /* where READFUNCTION stands */
    size_t piece_at;
    size_t handed_bytes;
    struct curl_slist *resolve;
    bool lacks_descriptor; /* there was none for a connection */
    bool awaits_name;      /* nobody has said yet where it is */
    bool has_begun;        /* curl has read its options, `resolve` among them */
    struct remora_head head;
    struct remora_timer timer; /* connect while waiting, then release */
    uint64_t start_ns;
    uint64_t waited_ns; /* before curl had it */
    int64_t connect_timeout_ms;
    size_t body_limit_bytes;
    uint64_t received_bytes;
    size_t released_bytes;
    unsigned send_calls; /* of PREREQFUNCTION */
    uint32_t stream;     /* over HTTP/2, where libcurl says so, else 0 */
    bool was_refused;    /* the HTTP/2 server has not taken the request and will not */
    enum remora_veto veto;
    bool was_reused;
    bool is_fresh; /* the handle is set to CURLOPT_FRESH_CONNECT */
    int fd;        /* of its connection once curl has waited for it, else -1 */
    SSL *
        tls; /* of its connection once an answer has begun; NULL: none. As long as its socket is open */
    bool is_held; /* the upload, for one round: there is something to read first */
    bool is_paused;
    struct remora_transfer_end end; /* of an ENDED one */
    struct remora_list resume;      /* in transport->resuming */
};

/* Options that never change; NULL easy when there is no memory. */
CURL *remora_easy_new(struct remora_curl *transport);
/* True when the handle stands as this request needs it. */
bool remora_route_is(const struct remora_route *route, const struct remora_transfer_input *input);
void remora_route_fini(struct remora_route *route);
/* Options of this request. SHEDDING, or INTERNAL for a URL or header bytes that HTTP cannot carry. */
REMORA_MUST_CHECK enum remora_code
remora_transfer_set_up(struct remora_transfer *transfer, const struct remora_transfer_input *input);
/* Just before curl gets it: time left to connect, addresses. */
REMORA_MUST_CHECK enum remora_code remora_transfer_set_connect(struct remora_transfer *transfer,
                                                               int64_t left_ms);
/* Forgets the request: secrets wiped, memory given back, no pointer of the caller left in the easy handle. */
void remora_transfer_tear_down(struct remora_transfer *transfer);
/* Whether the request was written in full; of one that curl has. */
bool remora_transfer_is_sent(const struct remora_transfer *transfer);
/* The gathered body is given back once it was sent in full and an answer has begun (no re-send is possible then). */
void remora_transfer_drop_body(struct remora_transfer *transfer);

/* The provider of a transfer, or one that is nobody: public CAs, the environment's proxies, HTTP/1.1. */
const struct remora_provider *transport_provider_of(const struct remora_transfer_input *input);
/* False when the URL itself names an address that the transfer must not reach, through a proxy or not. */
bool transport_url_may(const struct remora_transfer *transfer);

/* ---- proxy.c ---- */

/* Which proxies the environment names, and whom it exempts. SHEDDING: no memory. */
REMORA_MUST_CHECK enum remora_code remora_curl_read_environment(struct remora_curl *transport);
/* The environment names a proxy for a provider there that has none of its own. */
bool transport_has_proxy(const struct remora_curl *transport, const struct remora_url *url);
/* No proxy stands between us and the provider. */
bool remora_transfer_is_direct(const struct remora_transfer *transfer);
/* Of the next hop: a proxy's address is the operator's choice. */
enum remora_reach transport_reach_of_hop(const struct remora_transfer *transfer);
/* For CURLOPT_NOPROXY; static text, or NULL: the environment's. */
const char *transport_no_proxy_of(const struct remora_transfer *transfer);

/* Sets curl's callbacks on a new easy handle. */
void remora_transfer_hook(struct remora_transfer *transfer);
/* No descriptor is left for a connection to a provider, or for asking where it is; now. Any thread. */
bool transport_lacks_descriptor(void);
/* What curl and our own flags say about the end. */
void remora_transfer_end(const struct remora_transfer *transfer, CURLcode result,
                         struct remora_transfer_end *out);

/* ---- removal.c ---- */

/* Takes a transfer that is over out of curl. */
void transport_remove(struct remora_transfer *transfer);
/* One that is not. */
void transport_remove_early(struct remora_transfer *transfer);

/* ---- sockets.c ---- */

struct remora_socket_slot;
struct remora_sockets {
    struct remora_socket_slot **slots; /* by fd */
    size_t count;
};
int remora_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *slot);
/* The transfer has its connection no longer: what comes on it from now on is nobody's, until the next transfer wants it. */
void remora_socket_leave(const struct remora_transfer *transfer);
int remora_socket_close(void *context, curl_socket_t fd);
int remora_curl_timer(CURLM *multi, long timeout_ms, void *context);
/* Stops watching whatever is left; curl must be gone. */
void remora_sockets_fini(struct remora_curl *transport);
/* Lets curl act on a socket, or on time-outs with CURL_SOCKET_TIMEOUT; transfers that end are told at the end of the round. */
void remora_curl_act(struct remora_curl *transport, curl_socket_t fd, int events);

/* ---- names.c ---- */

enum remora_name_answer {
    REMORA_NAME_READY,
    REMORA_NAME_PENDING,
    REMORA_NAME_FAILED,
    REMORA_NAME_SHORT, /* nobody was asked: the resolver had no descriptor */
};
struct remora_names;
REMORA_MUST_CHECK struct remora_names *remora_names_new(struct remora_curl *transport);
void remora_names_free(struct remora_names *names);
/*
 * READY: *resolve is a list for CURLOPT_RESOLVE, or NULL when curl has these addresses already; the caller frees it.
 * PENDING: remora_curl_advance_waiting is called when that changes.
 */
enum remora_name_answer remora_names_ask(struct remora_names *names, const struct remora_url *url,
                                         struct curl_slist **resolve);
/* curl has read that list: it is not handed out again while the addresses stay. */
void remora_names_took(struct remora_names *names, const struct remora_url *url,
                       const struct curl_slist *list);
/* A connection to it could not be made: it is asked for again, at most once a second, for those who come later. */
void remora_names_doubt(struct remora_names *names, const struct remora_url *url);
/* Takes a list back that curl has not read, or NULL. */
void remora_names_return(struct remora_names *names, struct curl_slist *list);
/* Keeps this host resolved until the next remora_names_forget. */
void remora_names_keep(struct remora_names *names, const struct remora_url *url);
/* Before the hosts of a new configuration are named. */
void remora_names_forget(struct remora_names *names);

/* ---- trust.c ---- */

struct remora_trust_ticket;
bool remora_trust_is_ready(const struct remora_trust *trust);
/* remora_curl_advance_waiting is called once when ready, unless withdrawn. NULL when there is no memory. */
struct remora_trust_ticket *remora_trust_wait(struct remora_trust *trust,
                                              struct remora_curl *transport);
void remora_trust_withdraw(struct remora_trust *trust, struct remora_trust_ticket *ticket);
/* CURLOPT_SSL_CTX_FUNCTION; the context is a struct remora_trust. */
CURLcode remora_trust_use(CURL *easy, void *ssl_context, void *trust);

/* ---- the transport ---- */

struct remora_curl {
    struct remora_transport base; /* first */
    struct remora_loop *loop;
    pthread_t thread; /* the loop's, once it has called */
    bool has_thread;
    struct remora_trust *trust;
    struct remora_trust_ticket *ticket;
    struct remora_names *names;
    CURLM *multi;
    struct remora_sockets sockets;
    struct remora_timer timer; /* as curl wants it */
    bool is_timeout_due;       /* curl asked for 0 ms: this round */
    unsigned inside;           /* curl's calls on the stack; it must not be called again */
    struct remora_later later;
    struct remora_list starting;
    struct remora_list waiting;
    struct remora_list running;
    struct remora_list leaving;
    struct remora_list resuming;
    struct remora_list pool;
    size_t pooled;
    size_t in_flight;
    size_t peak; /* of in_flight since it was last 0 */
    bool has_http_proxy;
    bool has_https_proxy;
    char *no_proxy; /* whom the environment exempts, NULL: nobody */
    bool
        curl_keeps_sent; /* it has kept what it sent, or worded it: the stack is wiped when all is over */
    bool
        curl_trusts_idle; /* this libcurl looks at an idle connection once a second, not before each use */
};

uint64_t remora_curl_now_ns(struct remora_curl *transport);
/* Lets curl go on with a transfer at the end of the round. */
void remora_curl_resume(struct remora_transfer *transfer);
/* Looks again at the transfers that wait. Not from inside curl. */
void remora_curl_advance_waiting(struct remora_curl *transport);

/* ---- pool.c ---- */
/* From the pool or made; NULL when there is no memory. */
struct remora_transfer *transport_pool_take(struct remora_curl *transport,
                                            const struct remora_transfer_input *input);
/* The transfer is over, its node in no list, its handle with curl no more. */
void transport_pool_put(struct remora_transfer *transfer);
void transport_pool_fini(struct remora_curl *transport);

/* ---- memory.c ---- */
/* curl_global_init with an allocator that wipes what is given back. */
REMORA_MUST_CHECK bool transport_init_curl(void);
/* The next buffer to send from that libcurl makes on this thread is this one's, if it has none. */
void transport_sent_expect(struct remora_sent *sent);
/* The request is over: wipes its first `bytes` where libcurl still has them. */
void transport_sent_wipe(struct remora_sent *sent, size_t bytes);
/* At the end of a round: when all requests are over, wipes what calls that have returned left on this thread's stack. */
void transport_sent_settle(struct remora_curl *transport);

#endif
