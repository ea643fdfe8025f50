/* Names of causes, and what of an outcome the caller is owed. */
#include "remora/attempt.h"

static const char *const cause_names[REMORA_CAUSE_COUNT] = {
#define REMORA_CAUSE(name, text) [REMORA_CAUSE_##name] = (text),
#include "remora/tbl/causes.h"
#undef REMORA_CAUSE
};

const char *remora_cause_name(enum remora_cause cause)
{
    return (unsigned)cause < REMORA_CAUSE_COUNT ? cause_names[cause] : "";
}

bool remora_outcome_is_notable(const struct remora_outcome *outcome)
{
    return outcome->attempt_count > 1 || outcome->dropped_count > 0 ||
           outcome->usage.certainty == REMORA_CERTAINTY_ESTIMATED ||
           outcome->cost.certainty == REMORA_CERTAINTY_ESTIMATED;
}
