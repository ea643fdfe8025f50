/*
 * Who calls, and under which ids. Filled by the listener, before a byte of the body is read (ARCHITECTURE 4 "Who calls").
 * Plain data, unchanged once filled: any thread may read it.
 */
#ifndef REMORA_IDENTITY_H
#define REMORA_IDENTITY_H

#include "remora/base.h"

enum remora_proof {
    REMORA_PROOF_NONE = 0, /* loopback without keys: always the configured service */
    REMORA_PROOF_PEER_UID, /* unix socket, SO_PEERCRED */
    REMORA_PROOF_KEY,      /* a gateway key */
    REMORA_PROOF_CERTIFICATE,
    REMORA_PROOF_HEADER, /* named by a header on a listener marked trusted */
};

/* Slices point into the configuration snapshot or the listener; both outlive every request. */
struct remora_identity {
    struct remora_slice service;
    struct remora_slice namespace_name;
    struct remora_slice key_id; /* name of the gateway key, never the key; empty without one */
    enum remora_proof proof;
};

/*
 * W3C Trace Context level 1, sections 3.2 and 3.3. What the caller sent is kept as received; a request without it begins a
 * trace of its own (section 4.3), not sampled.
 */
struct remora_trace {
    uint8_t trace_id[16];
    uint8_t parent_id[8]; /* the caller's span; all zero when the trace begins here */
    uint8_t span_id[8];   /* our own span: what a provider would see as its parent */
    uint8_t flags;
    bool is_set; /* the caller sent it */
};
/* Parses a `traceparent` header; false leaves *out untouched. */
REMORA_MUST_CHECK bool remora_trace_parse(struct remora_slice header, struct remora_trace *out);
/* Whether a `tracestate` value may be passed on: 1 to 512 bytes of printable ASCII. */
bool remora_tracestate_is_valid(struct remora_slice value);
/* The same of `baggage` (W3C Baggage section 3.3.2): 1 to 8,192 bytes. */
bool remora_baggage_is_valid(struct remora_slice value);
/* Whether a caller's `x-request-id` is kept: 1 to REMORA_LIMIT_ID_BYTES bytes of printable ASCII. */
bool remora_request_id_is_valid(struct remora_slice id);
struct remora_arena;
/*
 * `list` and one more header line of the same name as one list (RFC 9110 section 5.3; W3C Trace Context section 3.3.1), a copy in the
 * arena; an empty line adds nothing. Empty where the arena refuses, which arena->failed says. Any thread, where the arena is its own.
 */
struct remora_slice remora_header_list_add(struct remora_slice list, struct remora_slice line,
                                           struct remora_arena *arena);
struct remora_random;
/* Gives the trace our span, and an id where the caller sent none. Once per request. */
void remora_trace_begin(struct remora_trace *trace, struct remora_random *random);
#define REMORA_TRACEPARENT_BYTES 56
/* The header for the next hop: the trace, our span as the parent, the sampled flag. NUL-terminated. */
void remora_trace_text(const struct remora_trace *trace, char out[REMORA_TRACEPARENT_BYTES]);
/* Lower-case hex of `count` bytes, NUL-terminated; out holds 2 * count + 1. */
void remora_trace_hex(const uint8_t *bytes, size_t count, char *out);

#define REMORA_GENERATION_ID_BYTES 40

/* "gen-<unix seconds>-<20 characters>", as OpenRouter's (openrouter.md 9 "id"). NUL-terminated. Not a secret. */
void remora_generation_id(char out[REMORA_GENERATION_ID_BYTES], int64_t unix_ms,
                          struct remora_random *random);

#endif
