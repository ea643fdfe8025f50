/*
 * Trial features of Anthropic's models, which a caller asks for by name in a header of its own: `x-anthropic-beta` of
 * OpenRouter's API (openrouter.md section 11), `anthropic-beta` of Anthropic's (providers.md section 3). Bodies may hold fields
 * that are refused without the name that belongs to them. Pure; plain data, any thread.
 */
#ifndef REMORA_BETAS_H
#define REMORA_BETAS_H

#include "remora/base.h"
#include "remora/codes.h"
#include "remora/limits.h"
#include "remora/memory.h"
#include "remora/preferences.h"

#define REMORA_BETA_HEADER "x-anthropic-beta"

/* Either name of the header, in any case. */
static inline bool remora_is_beta_header(struct remora_slice name)
{
    return remora_slice_equal_nocase(name, REMORA_SLICE(REMORA_BETA_HEADER)) ||
           remora_slice_equal_nocase(name, REMORA_SLICE("anthropic-beta"));
}

/* What a caller's headers or metadata said: views of them, each name once, in their order. Zero-initialise count. */
struct remora_betas {
    size_t count;
    struct remora_slice names[REMORA_LIMIT_BETAS];
};
/*
 * Adds one header line (a list, RFC 9110 section 5.6.1: blanks and empty elements count for nothing). INVALID_REQUEST: a name
 * that is no token or longer than REMORA_LIMIT_ID_BYTES, or more than REMORA_LIMIT_BETAS of them; fail->param is
 * REMORA_BETA_HEADER, whichever of its names was used.
 */
REMORA_MUST_CHECK enum remora_code
remora_betas_add(struct remora_betas *betas, struct remora_slice value, struct remora_fail *fail);
/* A copy in the arena. NULL where there are no names, or the arena refuses, which arena->failed says. */
const struct remora_slices *remora_betas_keep(const struct remora_betas *betas,
                                              struct remora_arena *arena);
/*
 * One list of names, in the arena: `first` as it is (what an operator's header says, or empty), then those of `names` that it has not,
 * separated by commas. data is NULL where the arena refuses.
 */
struct remora_slice remora_betas_join(struct remora_slice first, const struct remora_slices *names,
                                      struct remora_arena *arena);

#endif
