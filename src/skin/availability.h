/* error.availability: what could not be had, and what would have to change (openrouter.md 10.1, 10.4). */
#ifndef REMORA_SKIN_AVAILABILITY_H
#define REMORA_SKIN_AVAILABILITY_H

#include "remora/attempt.h"
#include "remora/json.h"

/* Nothing was tried, and every endpoint of the plan is out. `outcome` may be NULL. */
bool availability_filters_left_nothing(const struct remora_outcome *outcome);
/* The member `availability`; nothing for a failure that is not about having a model. `outcome` may be NULL. */
void availability_write(struct remora_json_writer *w, const struct remora_fail *fail,
                        const struct remora_outcome *outcome);

#endif
