/*
 * Who calls, and under which ids. Filled by the listener, before a byte of the body is read (ARCHITECTURE 4 "Who calls").
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

/* W3C Trace Context level 1, sections 3.2 and 3.3; kept as received. All zero when the caller sent none. */
struct remora_trace {
    uint8_t trace_id[16];
    uint8_t parent_id[8];
    uint8_t flags;
    bool is_set;
};
/* Parses a `traceparent` header; false leaves *out untouched. */
REMORA_MUST_CHECK bool remora_trace_parse(struct remora_slice header, struct remora_trace *out);

#define REMORA_GENERATION_ID_BYTES 40

/* "gen-<unix seconds>-<20 characters>", as OpenRouter's (openrouter.md 9 "id"). NUL-terminated. Not a secret. */
struct remora_random;
void remora_generation_id(char out[REMORA_GENERATION_ID_BYTES], int64_t unix_ms,
                          struct remora_random *random);

#endif
