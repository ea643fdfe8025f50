/*
 * Which Remoras a request has passed through, so that one that comes back is refused (ARCHITECTURE 6 "a hop header refuses
 * loops").
 *
 * Every upstream call carries the header `remora-hop`: the ids of the Remoras on its way, oldest first, separated by commas.
 * A process that reads its own id in it has met its own request again; one that reads REMORA_LIMIT_HOPS ids is one too many
 * of a chain, or stands in a circle whose members change (replicas behind one name). Both are refused before anything is
 * sent on. The reasoning is that of RFC 8586 (CDN-Loop): every hop adds a name that only it recognises, and none removes
 * those of others. The name is ours and not CDN-Loop, because content networks in front of providers judge that one.
 *
 * An id is random, made anew by each process: it tells a provider neither who calls nor where from, only which requests
 * came from the same process. Pure; plain data, any thread.
 */
#ifndef REMORA_HOP_H
#define REMORA_HOP_H

#include "remora/base.h"
#include "remora/clock.h"
#include "remora/codes.h"
#include "remora/limits.h"

#define REMORA_HOP_HEADER "remora-hop"

/* 11 characters of 64 (66 random bits), NUL-terminated. Short: libcurl pays for every byte of a head. */
#define REMORA_HOP_ID_BYTES 12
struct remora_hop_id {
    char text[REMORA_HOP_ID_BYTES];
};
/* `random` must be seeded by the system (remora_random_seed_system) for an id that nobody guesses. */
void remora_hop_id_make(struct remora_random *random, struct remora_hop_id *out);

/* What a caller's header or metadata said: ids separated by commas, in their order. Zero-initialise count and length. */
struct remora_hops {
    size_t count;
    size_t length;                                                  /* of text */
    char text[REMORA_LIMIT_HOPS * (REMORA_LIMIT_HOP_ID_BYTES + 1)]; /* not terminated */
};
/*
 * Adds one header line (a list, RFC 9110 section 5.6.1: blanks and empty elements count for nothing). `own` NULL: of a
 * process without an id, which recognises nobody. INVALID_REQUEST: not ids. WRONG_ENDPOINT: a loop, or the chain is too
 * long; both name the header in fail->param.
 */
REMORA_MUST_CHECK enum remora_code remora_hops_add(struct remora_hops *hops,
                                                   struct remora_slice value,
                                                   const struct remora_hop_id *own,
                                                   struct remora_fail *fail);
/* A view of hops->text. */
static inline struct remora_slice remora_hops_text(const struct remora_hops *hops)
{
    return remora_slice(hops->text, hops->length);
}

#endif
