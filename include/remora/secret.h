/*
 * A secret: bytes that no print path accepts and that are wiped when freed. It lives in memory that core dumps leave out
 * (MADV_DONTDUMP, madvise(2)) and that is locked where the limit allows (mlock(2)). Opaque on purpose: there is no accessor that returns a
 * string; the two users get what they need and nothing else.
 */
#ifndef REMORA_SECRET_H
#define REMORA_SECRET_H

#include "remora/base.h"
#include "remora/codes.h"

struct remora_secret;

/* Copies `bytes` (at most REMORA_LIMIT_SECRET_BYTES) and wipes nothing of the caller's. NULL when out of memory. */
REMORA_MUST_CHECK struct remora_secret *remora_secret_new(struct remora_slice bytes);
/* From a file: a trailing newline is stripped. INVALID_REQUEST: it is absent, empty, not to be read by us, or everybody may write it;
 * TOO_LARGE; SHEDDING: no memory; INTERNAL: it could not be read now (no descriptor, a sick mount), which says nothing of what it
 * holds. fail->message names the path and the cure, never the content. */
REMORA_MUST_CHECK enum remora_code remora_secret_read(const char *path, struct remora_secret **out,
                                                      struct remora_fail *fail);
/*
 * Secrets that are given back together, many to a page: a mapping for each would cost a page and four system calls. Zeroed
 * before the first use; one thread until it is only read.
 */
struct remora_secret_pages {
    struct remora_secret_page *first;
};
/* As remora_secret_new; lives as long as the pages, and is never freed by itself. */
REMORA_MUST_CHECK struct remora_secret *remora_secret_add(struct remora_secret_pages *pages,
                                                          struct remora_slice bytes);
/* The same with the bytes of a secret, which is freed in any case. */
REMORA_MUST_CHECK struct remora_secret *remora_secret_adopt(struct remora_secret_pages *pages,
                                                            struct remora_secret *secret);
/* The same with those of one that stays where it is; it is as exposed. */
REMORA_MUST_CHECK struct remora_secret *remora_secret_copy(struct remora_secret_pages *pages,
                                                           const struct remora_secret *secret);
/* Wipes and gives back all of them. */
void remora_secret_pages_fini(struct remora_secret_pages *pages);
/* It was read from a file that everybody on the machine may read: worth a warning (Kubernetes mounts 0644 by default: its API
 * reference, SecretVolumeSource, "defaultMode"). */
bool remora_secret_is_exposed(const struct remora_secret *secret);
void remora_secret_free(struct remora_secret *secret);
size_t remora_secret_length(const struct remora_secret *secret);
/*
 * Calls `use` with the bytes, for building one header or signature. The slice must not be kept beyond the call; whatever
 * it is copied into must be wiped by its owner (transport wipes header memory). Any thread; the secret is immutable.
 */
void remora_secret_use(const struct remora_secret *secret,
                       void (*use)(void *context, struct remora_slice bytes), void *context);
/*
 * The environment may hold keys, and its strings lie where the kernel put them: in every core and in /proc/PID/environ (proc(5)). Moves
 * them into a mapping of the kind that secrets have and wipes the originals; getenv goes on as before. Once, before there are
 * threads. False: no memory, nothing was changed.
 */
REMORA_MUST_CHECK bool remora_secret_hide_environment(void);
/* Constant time. */
bool remora_secret_equal(const struct remora_secret *a, const struct remora_secret *b);

#endif
