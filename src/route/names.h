/* Names of callers: which provider slugs exist, and what they may have meant. */
#ifndef REMORA_ROUTE_NAMES_H
#define REMORA_ROUTE_NAMES_H

#include "remora/config.h"
#include "remora/route.h"

enum { ROUTE_SHOWN_BYTES = 81 };
/*
 * A name from outside as a message shows it: at most 80 bytes, not cut within a character; control characters, which would
 * end or break the message, are shown as '?'. NUL-terminated. Returns out.
 */
const char *route_shown(struct remora_slice name, char out[ROUTE_SHOWN_BYTES]);

/* INVALID_REQUEST for a slug in the request's order, only or ignore whose provider nobody knows. */
REMORA_MUST_CHECK enum remora_code route_check_slugs(const struct remora_config *config,
                                                     const struct remora_preferences *preferences,
                                                     struct remora_fail *fail);

#endif
