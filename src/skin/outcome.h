/* What an outcome becomes in JSON: usage, the `remora` object, attempts and candidates. For every skin. */
#ifndef REMORA_SKIN_OUTCOME_H
#define REMORA_SKIN_OUTCOME_H

#include "remora/attempt.h"
#include "remora/json.h"
#include "remora/route.h"

/*
 * The member `usage`: OpenAI's inclusive object with OpenRouter's cost (ARCHITECTURE 7; openrouter.md 9). Nothing when neither
 * direction is known: OpenRouter's SDK refuses a null.
 */
void outcome_write_usage(struct remora_json_writer *w, const struct remora_usage *usage,
                         const struct remora_cost *cost);
/* {attempts, dropped, ...}: RouteInfo of proto/remora/v1/routing.proto in snake_case. */
void outcome_write_remora(struct remora_json_writer *w, const struct remora_outcome *outcome);
/* Arrays of Attempt and Candidate. */
void outcome_write_attempts(struct remora_json_writer *w, const struct remora_outcome *outcome);
void outcome_write_candidates(struct remora_json_writer *w, const struct remora_plan *plan);
/*
 * The members `skipped` and `skipped_total`: what was passed over without an attempt; nothing when nothing was. Names are
 * those of proto Skipped.
 */
void outcome_write_skipped(struct remora_json_writer *w, const struct remora_skipped *skipped,
                           size_t count);
/* Distinct rules that removed candidates, as an array of text. */
void outcome_write_excluded_by(struct remora_json_writer *w, const struct remora_plan *plan);
/*
 * openrouter_metadata (openrouter.md 9.1), with `candidates` as explain has them. The plan knows its first part, which is
 * written while there is a plan; `served` is NULL when nobody answered.
 */
void outcome_write_route(struct remora_buf *out, const struct remora_plan *plan,
                         const struct remora_endpoint *served);
/* The member `openrouter_metadata` of that part and how it ended; nothing when there is no such part. */
void outcome_write_metadata(struct remora_json_writer *w, const struct remora_buf *route,
                            const struct remora_outcome *outcome);
/*
 * The object `error` alone. Its `code` is the HTTP status, but 502 for whatever is told inside a stream (codes.md "JSON paths of an
 * error"): the status of the answer is spent then. Its `http_status` is the reason's own in both.
 */
enum error_place { ERROR_IN_ENVELOPE, ERROR_IN_BAND };
void error_write(struct remora_json_writer *w, const struct remora_fail *fail,
                 const struct remora_outcome *outcome, enum error_place place);

#endif
