/*
 * The account: from what a provider reported, or did not, to usage and cost. Pure: any thread, nothing is kept, nothing
 * fails. (Reservation, ledger and budgets come with their issue; they hang on the observer of include/remora/exchange.h.)
 */
#ifndef REMORA_ACCOUNT_H
#define REMORA_ACCOUNT_H

#include "remora/catalog.h"
#include "remora/usage.h"

/* What an estimate is made from when usage is missing, and what no provider reports. */
struct remora_estimate_input {
    size_t text_bytes;   /* that the model had to read, media not counted */
    size_t answer_bytes; /* text, reasoning and arguments that came, of all choices */
    int64_t
        max_output_tokens; /* as asked, of all choices together, 0 none: an estimate never exceeds it */
    int64_t image_count;               /* that were sent */
    enum remora_cache_life cache_life; /* of what was written to a cache, as it was asked for */
    bool may_have_searched;            /* on the web: without, an absent count of searches is 0 */
    struct remora_slice served_tier;   /* as the provider says; empty: it does not */
    bool asked_other_tier; /* than the prices are of; counts where the provider is silent */
};

/* What an estimate says of this many bytes: about 4 a token, rounded up, at most REMORA_TOKENS_MAX. */
int64_t remora_account_estimate(size_t bytes);

/*
 * Settles an attempt's usage: absent directions are estimated (about 4 bytes a token) and mark the whole ESTIMATED; with
 * nothing to estimate from it stays UNKNOWN. Images and searches are counted. Cache writes of which the provider does not say
 * how long they live have the life that was asked for; where the marks differ, the short one, and the whole is ESTIMATED. Then
 * prices it at the endpoint's rates; where another service tier served than the one whose rates they are, or the provider says that it
 * charged something else, the cost is ESTIMATED.
 */
void remora_account_settle(struct remora_usage *usage, const struct remora_estimate_input *estimate,
                           const struct remora_endpoint *endpoint, struct remora_cost *cost);

#endif
