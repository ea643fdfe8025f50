/* Names of callers: which provider slugs exist, and what they may have meant. */
#ifndef REMORA_ROUTE_NAMES_H
#define REMORA_ROUTE_NAMES_H

#include "remora/config.h"
#include "remora/route.h"

/* A name from outside, short enough for a message and not cut within a character. */
struct remora_slice route_shown(struct remora_slice name);

/* INVALID_REQUEST for a slug in the request's order, only or ignore whose provider nobody knows. */
REMORA_MUST_CHECK enum remora_code route_check_slugs(const struct remora_config *config,
                                                     const struct remora_preferences *preferences,
                                                     struct remora_fail *fail);

#endif
