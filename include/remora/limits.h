/* Every maximum of the process by name: REMORA_LIMIT_X (see tbl/limits.h). Values are compile-time constants, the
 * same for every thread; the table states the unit of each. */
#ifndef REMORA_LIMITS_H
#define REMORA_LIMITS_H

enum remora_limit {
#define REMORA_LIMIT(name, value, unit, what) REMORA_LIMIT_##name = (value),
#include "remora/tbl/limits.h"
#undef REMORA_LIMIT
};

#endif
