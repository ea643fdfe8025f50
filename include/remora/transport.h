/*
 * Outgoing HTTP: the one seam through which bytes leave for a provider. src/transport implements it with libcurl; tests
 * with a script. One transport per worker; all operations and callbacks on that worker's thread (asserted); none blocks.
 *
 * Sources: RFC 9112, sections 6 and 8 (framing, and when a body is whole); RFC 9113, section 8.7 (requests that HTTP/2 refused
 * may be sent again); libcurl's CURLOPT_PROXY(3), "Environment variables"; ARCHITECTURE 3 "libcurl rules". Of addresses:
 * src/transport/address.c.
 */
#ifndef REMORA_TRANSPORT_H
#define REMORA_TRANSPORT_H

#include "remora/base.h"
#include "remora/catalog.h"
#include "remora/codes.h"

enum remora_method { REMORA_GET, REMORA_POST, REMORA_PUT };

/* The request as an adapter built it. Must stay valid until on_head, on_end or cancel, whichever is first. */
struct remora_http_request {
    enum remora_method method;
    struct remora_slice url;
    const struct remora_header *headers; /* no Host, Content-Length, Expect or Connection */
    size_t header_count;
    const struct remora_slice *body; /* pieces, sent one behind the other, never copied into one */
    size_t body_pieces;
    size_t body_bytes; /* their sum */
};

struct remora_http_response {
    int status;
    const struct remora_header *headers; /* final response only, names as received */
    size_t header_count;
};
/* The value of the first header of this name (any case), or empty. */
struct remora_slice remora_response_header(const struct remora_http_response *response,
                                           const char *name);

enum remora_flow {
    REMORA_FLOW_GO,
    REMORA_FLOW_PAUSE, /* the bytes were taken; no more until resume */
};

/* How a transfer ended. CLEAN means proven: blank line of the head seen, and Content-Length or chunked framing completed. */
struct remora_transfer_end {
    enum remora_cause cause; /* REMORA_CAUSE_NONE: clean */
    bool got_head;
    bool was_sent;   /* at least one byte of the request may have reached the provider */
    bool was_reused; /* the connection had served before */
    bool
        is_free_resend; /* dead reused connection before the request was written in full, or REFUSED_STREAM */
    int system_error; /* errno or 0 */
    const char
        *tls_reason;  /* static: what TLS failed of, for operators; NULL where cause is not TLS */
    uint64_t name_ns; /* durations from the start of the transfer */
    uint64_t connect_ns;
    uint64_t tls_ns;
    uint64_t first_byte_ns;
    uint64_t body_bytes_received;
};

/*
 * Callbacks of a transfer. Never from inside start, resume, cancel or release. on_head at most once, then on_body any
 * number of times, then on_end exactly once, unless cancelled. The transfer handle is invalid once on_end has been called.
 * A callback may call resume, release or cancel on its own transfer and start others; to pause, on_body returns so.
 */
struct remora_transfer_callbacks {
    void (*on_head)(void *context, const struct remora_http_response *response);
    enum remora_flow (*on_body)(void *context, struct remora_slice bytes);
    void (*on_end)(void *context, const struct remora_transfer_end *end);
};

/*
 * Where a transfer may be connected to. Judged for the URL's own address, for each address that a name led to just before
 * its socket is made (so a name that changes its answer gains nothing), and for the peer of a connection that served before.
 * What is refused ends with FORBIDDEN_ADDRESS, nothing sent. A redirect is never followed: whoever starts a transfer to
 * where it points gives that one its reach. An IPv4 address inside an IPv6 one (mapped, NAT64) is judged as itself.
 */
enum remora_reach {
    /* Hosts that the operator or the catalog names: anywhere but where no provider is (remora/address.h). */
    REMORA_REACH_PROVIDER,
    /* The services of a cloud on its own host that hand out credentials (169.254.169.254 and its like), and nothing else.
     * Never through a proxy. */
    REMORA_REACH_METADATA,
    /* Hosts that a caller names: globally reachable addresses only, so neither loopback nor private ones. Behind a proxy of
     * the environment, NO_PROXY or not, addresses are judged here and names are the proxy's to resolve and to refuse. */
    REMORA_REACH_PUBLIC,
};

struct remora_transfer;

struct remora_transfer_input {
    const struct remora_http_request *request;
    /* Trust (its CA, its client certificate), proxy, HTTP/2; must outlive the transfer. NULL: nobody's, so the public CAs, no
     * client certificate, the environment's proxies, HTTP/1.1. With another reach than PROVIDER it must be NULL (INTERNAL). */
    const struct remora_provider *provider;
    enum remora_reach reach;
    struct remora_slice hops; /* value of the header remora-hop, empty: none; as valid as request */
    int64_t connect_timeout_ms; /* name, TCP, TLS together */
    size_t body_limit_bytes;    /* more ends it with TOO_LARGE; 0: no limit */
    const struct remora_transfer_callbacks *callbacks;
    void *context;
};

struct remora_transport {
    const struct remora_transport_ops *ops;
};

struct remora_transport_ops {
    /* SHEDDING when there is no handle or memory; INTERNAL for a URL that cannot be parsed, and as said above. */
    enum remora_code (*start)(struct remora_transport *transport,
                              const struct remora_transfer_input *input,
                              struct remora_transfer **out);
    void (*resume)(struct remora_transport *transport, struct remora_transfer *transfer);
    /* Ends it now, in any phase, name look-up included; closes the connection unless the answer was complete, over HTTP/2 the
     * stream, and the connection too where it has no other and this libcurl would not tell the server. No callback follows; the handle is invalid. True when the request had been written in full: the provider may be at work on it. */
    bool (*cancel)(struct remora_transport *transport, struct remora_transfer *transfer);
    /* The caller has all it wants (the terminator was read): no callback follows, the handle is invalid; the transport
     * reads on for at most 100 ms and 16 KiB so that the connection can be used again, else closes it. */
    void (*release)(struct remora_transport *transport, struct remora_transfer *transfer);
};

/* ---- the libcurl transport ---- */

struct remora_config;
struct remora_loop;
struct remora_trust; /* the public CA store, loaded off the loop; shared by workers */

/* The bundle of public CAs: SSL_CERT_FILE, else the first of where distributions keep it. SSL_CERT_DIR is not read. */
struct remora_trust_found {
    const char *path; /* valid during the call; NULL: there is none */
    size_t
        certificate_count; /* 0: no server will be believed that has no CA of its own configured */
};
typedef void (*remora_trust_found_fn)(void *context, const struct remora_trust_found *found);

/* `on_found` (or NULL) is called once, by the thread that loads, before any transfer over TLS is begun. */
REMORA_MUST_CHECK struct remora_trust *remora_trust_load_begin(remora_trust_found_fn on_found,
                                                               void *context);
void remora_trust_free(struct remora_trust *trust);

/* Once per process: curl_global_init, RES_OPTIONS. INTERNAL when there are threads already, which both forbid. */
REMORA_MUST_CHECK enum remora_code remora_transport_global_init(void);
REMORA_MUST_CHECK enum remora_code remora_transport_new(struct remora_loop *loop,
                                                        struct remora_trust *trust,
                                                        struct remora_transport **out);
/* All transfers must have ended or been cancelled. */
void remora_transport_free(struct remora_transport *transport);
/* Hosts to resolve in the background and keep resolved; called when a snapshot is published. Any number of times. */
void remora_transport_set_config(struct remora_transport *transport,
                                 const struct remora_config *config);

#endif
