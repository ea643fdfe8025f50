/*
 * Who calls: from what a listener received to a remora_identity (ARCHITECTURE 4 "Who calls"). One rule for both fronts.
 *
 * Without gateway keys a caller that is local or showed a client certificate is the configured service, whatever it sends. With any key in the configuration every
 * caller has to show one, local or not. Pure, any thread; slices that are given are only read, and stay their owner's.
 */
#ifndef REMORA_CALLER_H
#define REMORA_CALLER_H

#include "remora/config.h"
#include "remora/identity.h"

/* Values of headers (HTTP) or metadata (gRPC) as received; empty where there was none, or more than one. */
struct remora_caller {
    struct remora_slice authorization; /* "Bearer KEY" (RFC 6750 section 2.1) */
    struct remora_slice api_key;       /* x-api-key, heard when there is no authorization */
    bool is_local;                     /* came over loopback or a unix socket */
    bool has_certificate;              /* showed one of tls.client_ca_file in the handshake */
    enum remora_proof local_proof;     /* of a local caller that needs no key */
};

/*
 * Fills *out with slices of the snapshot. UNAUTHENTICATED: no key, or none that is known; the message never says which.
 * Takes as long for every key that is not known (all hashes are compared, CRYPTO_memcmp).
 */
REMORA_MUST_CHECK enum remora_code remora_caller_identify(const struct remora_config *config,
                                                          const struct remora_caller *caller,
                                                          struct remora_identity *out,
                                                          struct remora_fail *fail);

/* A caller as an operator names one who asks what somebody would get; empty: the configured service and namespace. */
struct remora_named_caller {
    struct remora_slice service;
    struct remora_slice namespace_name;
    struct remora_slice key; /* name of a gateway key: whose service and namespace it is */
};
/*
 * Fills *out with slices of the snapshot and of `named`. INVALID_REQUEST, with "did you mean": a key that there is not, or a
 * service or namespace that nothing in the configuration names although it names others; also a service or namespace beside
 * a key that is of another.
 */
REMORA_MUST_CHECK enum remora_code remora_caller_named(const struct remora_config *config,
                                                       const struct remora_named_caller *named,
                                                       struct remora_identity *out,
                                                       struct remora_fail *fail);

/* SHA-256 of a key, as key_hashes has it. */
void remora_key_hash(struct remora_slice key, uint8_t out[REMORA_KEY_HASH_BYTES]);

#endif
