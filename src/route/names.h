/* Names of callers: which provider slugs exist, and what they may have meant. */
#ifndef REMORA_ROUTE_NAMES_H
#define REMORA_ROUTE_NAMES_H

#include "remora/config.h"
#include "remora/route.h"

/* A name from outside, short enough for a message and not cut within a character. */
struct remora_slice route_shown(struct remora_slice name);

/* The nearest name so far; `best` is empty when nothing is near enough. */
struct route_guess {
    struct remora_slice asked;
    struct remora_slice best;
    unsigned distance; /* of best; before there is one: the largest that counts as near, plus 1 */
};
void route_guess_begin(struct route_guess *guess, struct remora_slice asked);
/* Offers a name; `written` is how the caller would have spelt it (an id without its author). */
void route_guess_offer(struct route_guess *guess, struct remora_slice name,
                       struct remora_slice written);

/* INVALID_REQUEST for a slug in the request's order, only or ignore whose provider nobody knows. */
REMORA_MUST_CHECK enum remora_code route_check_slugs(const struct remora_config *config,
                                                     const struct remora_preferences *preferences,
                                                     struct remora_fail *fail);

#endif
