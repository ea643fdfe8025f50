/*
 * The account: from what a provider reported, or did not, to usage and cost. Pure: any thread, nothing is kept, nothing
 * fails. (Reservation, ledger and budgets come with their issue; they hang on the observer of include/remora/exchange.h.)
 */
#ifndef REMORA_ACCOUNT_H
#define REMORA_ACCOUNT_H

#include "remora/catalog.h"
#include "remora/usage.h"

/* What an estimate is made from when usage is missing. */
struct remora_estimate_input {
    size_t request_bytes;      /* of the request as received */
    size_t answer_bytes;       /* text, reasoning and arguments that were delivered */
    int64_t max_output_tokens; /* as asked, 0 none: an estimate never exceeds it */
};

/* What an estimate says of this many bytes: about 4 a token, rounded up, at most REMORA_TOKENS_MAX. */
int64_t remora_account_estimate(size_t bytes);

/*
 * Settles an attempt's usage: absent directions are estimated (about 4 bytes a token) and mark the whole ESTIMATED; with
 * nothing to estimate from it stays UNKNOWN. Then prices it at the endpoint's rates.
 */
void remora_account_settle(struct remora_usage *usage, const struct remora_estimate_input *estimate,
                           const struct remora_endpoint *endpoint, struct remora_cost *cost);

#endif
