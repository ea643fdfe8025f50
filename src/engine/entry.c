/*
 * The way in: what the limits of a service and of a key say to a request, before anything is planned for it.
 *
 *   1. who is counted: the service, and the key if one was shown. A limit of the mesh or of a namespace holds for each of
 *      its services by itself, so a service has the smallest of the three layers; a key has its own, on top
 *   2. rates: one request and its estimated tokens are taken from the buckets, all of them or none
 *   3. places: the key's first, then the service's, so that who waits for the service occupies nothing but its own key.
 *      Without a free one the request waits in line, as long and behind as many as admission.wait_ms and waiting say
 *   4. at the end the places go back, and the tokens are corrected to what was really used
 *
 * Fails: RATE_LIMITED with the time to come back. What no provider was asked for has used up nothing, whether it was refused
 * here, by the policy, as a wrong name, or because all that could be tried rests. A request that fails later counts as a
 * request and for the tokens that its attempts used; of one that was left while the provider was at it that is an estimate.
 *
 * Tokens are estimated from the text at 4 bytes a token (reliability.md F28) and an answer of at most OUTPUT_GUESS tokens:
 * bounds as callers state them are seldom reached, and would shut a small limit after one request.
 */
#include "admission.h"
#include "exchange_private.h"

enum { BYTES_PER_TOKEN = 4, OUTPUT_GUESS = 500, PLACE_RETRY_MS = 1000 };

static struct counter_table *table_of(const struct remora_exchange *x)
{
    return remora_admission_counters(x->engine->use.admission);
}

/* ---- 1. who is counted ---- */

static void take_smaller(int64_t *into, int64_t value)
{
    if (value >= 0 && (*into < 0 || value < *into)) {
        *into = value;
    }
}

static struct remora_limits_policy limits_of(const struct remora_policy_stack *stack,
                                             enum remora_layer first, enum remora_layer last)
{
    struct remora_limits_policy limits = {-1, -1, -1};
    for (int layer = (int)first; layer <= (int)last; layer++) {
        const struct remora_policy *policy = stack->layers[layer];
        if (policy != NULL) {
            take_smaller(&limits.concurrency, policy->limits.concurrency);
            take_smaller(&limits.requests_per_minute, policy->limits.requests_per_minute);
            take_smaller(&limits.tokens_per_minute, policy->limits.tokens_per_minute);
        }
    }
    return limits;
}

static bool is_limited(const struct remora_limits_policy *limits)
{
    return limits->concurrency >= 0 || limits->requests_per_minute >= 0 ||
           limits->tokens_per_minute >= 0;
}

static void find_counters(struct remora_exchange *x)
{
    const struct remora_identity *who = &x->outcome.identity;
    struct entry_count *service = &x->entry.of[COUNTER_SERVICE];
    struct entry_count *key = &x->entry.of[COUNTER_KEY];
    service->limits = limits_of(x->stack, REMORA_LAYER_MESH, REMORA_LAYER_SERVICE);
    service->counter =
        counter_find(table_of(x), COUNTER_SERVICE, who->namespace_name, who->service);
    if (who->key_id.length > 0) {
        key->limits = limits_of(x->stack, REMORA_LAYER_KEY, REMORA_LAYER_KEY);
        key->counter = counter_find(table_of(x), COUNTER_KEY, REMORA_SLICE(""), who->key_id);
    } else {
        key->limits = limits_of(x->stack, REMORA_LAYER_UNSET, REMORA_LAYER_UNSET);
    }
}

/* ---- refusals ---- */

static const char *what_of(enum remora_throttle by)
{
    switch (by) {
    case REMORA_THROTTLE_NONE:
        break;
    case REMORA_THROTTLE_CONCURRENCY:
        return "requests in flight";
    case REMORA_THROTTLE_REQUESTS:
        return "requests per minute";
    case REMORA_THROTTLE_TOKENS:
        return "tokens per minute";
    }
    return "requests";
}

static enum remora_code refuse(struct remora_exchange *x, enum counter_scope scope,
                               enum remora_throttle by, int64_t limit, int64_t retry_ms,
                               struct remora_fail *fail)
{
    bool is_key = scope == COUNTER_KEY;
    struct remora_slice name = is_key ? x->outcome.identity.key_id : x->outcome.identity.service;
    x->outcome.throttled = (struct remora_throttled){.by = by, .is_key = is_key, .limit = limit};
    fail->retry_after_ms = retry_ms;
    return remora_fail_set(fail, REMORA_RATE_LIMITED, NULL,
                           "%s '%.*s' has reached its limit of %lld %s; try again in %lld s.",
                           is_key ? "Key" : "Service", REMORA_SLICE_ARG(name), (long long)limit,
                           what_of(by), (long long)((retry_ms + 999) / 1000));
}

/* A limit that cannot be counted is not a limit that can be ignored. */
static enum remora_code refuse_uncounted(struct remora_fail *fail)
{
    fail->retry_after_ms = PLACE_RETRY_MS;
    return remora_fail_set(fail, REMORA_SHEDDING, NULL,
                           "The gateway has no room to count this service or key; try again.");
}

/* ---- 2. rates ---- */

static int64_t estimated_tokens(const struct remora_exchange *x)
{
    struct remora_judge judge;
    remora_judge_init(&judge, x->stack, x->request);
    int64_t output = x->max_output_tokens;
    int64_t input = (int64_t)(judge.text_bytes / BYTES_PER_TOKEN);
    return input + (output > 0 && output < OUTPUT_GUESS ? output : OUTPUT_GUESS);
}

static int64_t retry_ms_of(uint64_t wait_ns)
{
    return (int64_t)((wait_ns + REMORA_NS_PER_MS - 1) / REMORA_NS_PER_MS);
}

static enum remora_code charge(struct remora_exchange *x, enum counter_scope scope, int64_t *tokens,
                               struct remora_fail *fail)
{
    struct entry_count *count = &x->entry.of[scope];
    const struct remora_limits_policy *limits = &count->limits;
    uint64_t now = exchange_now(x);
    uint64_t wait_ns = 0;
    if (count->counter == NULL) {
        return is_limited(limits) ? refuse_uncounted(fail) : REMORA_OK;
    }
    if (limits->requests_per_minute >= 0 &&
        !bucket_take(&count->counter->requests, limits->requests_per_minute, 1, now,
                     &count->requests, &wait_ns)) {
        return refuse(x, scope, REMORA_THROTTLE_REQUESTS, limits->requests_per_minute,
                      retry_ms_of(wait_ns), fail);
    }
    if (limits->tokens_per_minute < 0) {
        return REMORA_OK;
    }
    *tokens = *tokens >= 0 ? *tokens : estimated_tokens(x);
    if (!bucket_take(&count->counter->tokens, limits->tokens_per_minute, *tokens, now,
                     &count->tokens, &wait_ns)) {
        return refuse(x, scope, REMORA_THROTTLE_TOKENS, limits->tokens_per_minute,
                      retry_ms_of(wait_ns), fail);
    }
    return REMORA_OK;
}

/* The request was not let in, or has asked nobody: it has used up nothing. */
static void uncharge(struct remora_exchange *x)
{
    uint64_t now = exchange_now(x);
    for (int scope = 0; scope < COUNTER_SCOPES; scope++) {
        struct entry_count *count = &x->entry.of[scope];
        if (count->requests.cost_ns > 0) {
            bucket_correct(&count->counter->requests, count->limits.requests_per_minute, 0, now,
                           &count->requests);
        }
        if (count->tokens.cost_ns > 0) {
            bucket_correct(&count->counter->tokens, count->limits.tokens_per_minute, 0, now,
                           &count->tokens);
        }
    }
}

/* ---- 3. places ---- */

static enum remora_code take_places(struct remora_exchange *x, struct remora_fail *fail)
{
    static const enum counter_scope order[] = {COUNTER_KEY, COUNTER_SERVICE};
    for (size_t i = 0; i < REMORA_COUNT_OF(order) && !x->entry.is_waiting; i++) {
        struct entry_count *count = &x->entry.of[order[i]];
        if (count->counter == NULL || count->has_place) {
            continue;
        }
        switch (counter_take(table_of(x), count->counter, count->limits.concurrency,
                             &x->entry.waiter)) {
        case COUNTER_TAKEN:
            count->has_place = true;
            break;
        case COUNTER_WAITS:
            x->entry.is_waiting = true;
            x->entry.waits_for = order[i];
            break;
        case COUNTER_REFUSED:
            return refuse(x, order[i], REMORA_THROTTLE_CONCURRENCY, count->limits.concurrency,
                          PLACE_RETRY_MS, fail);
        }
    }
    return REMORA_OK;
}

static void join_line(struct remora_exchange *x)
{
    if (x->entry.is_waiting) {
        remora_list_append(&x->engine->waiting, &x->entry.node);
    }
}

enum remora_code entry_begin(struct remora_exchange *x, struct remora_fail *fail)
{
    int64_t tokens = -1;
    remora_list_init(&x->entry.node);
    x->entry.waiter.wake = x->engine->use.wake;
    x->entry.waiter.wake_context = x->engine->use.wake_context;
    x->entry.waiter.longest_line = x->config->admission.waiting;
    find_counters(x);
    enum remora_code code = REMORA_OK;
    for (int scope = 0; scope < COUNTER_SCOPES && code == REMORA_OK; scope++) {
        code = charge(x, (enum counter_scope)scope, &tokens, fail);
    }
    if (code == REMORA_OK) {
        code = take_places(x, fail);
    }
    if (code != REMORA_OK) {
        uncharge(x);
        return code;
    }
    join_line(x);
    x->entry.began_ns = exchange_now(x);
    x->entry.until_ns =
        x->entry.began_ns + (uint64_t)x->config->admission.wait_ms * REMORA_NS_PER_MS;
    return REMORA_OK;
}

/* Who has waited goes by the limits of now, as those do that come after a reload. */
static void use_newest_limits(struct remora_exchange *x)
{
    for (int scope = 0; scope < COUNTER_SCOPES; scope++) {
        struct entry_count *count = &x->entry.of[scope];
        int64_t newest = count->counter == NULL ? 0 : atomic_load(&count->counter->limit);
        count->limits.concurrency = newest == 0 ? count->limits.concurrency : newest;
    }
}

/* A place was granted: on to the next one, or in. */
static void move_up(struct remora_exchange *x)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    use_newest_limits(x);
    remora_list_remove(&x->entry.node);
    x->entry.is_waiting = false;
    x->entry.of[x->entry.waits_for].has_place = true;
    if (take_places(x, &fail) != REMORA_OK) {
        exchange_fail(x, &fail);
        return;
    }
    join_line(x);
    if (!x->entry.is_waiting) {
        x->outcome.waited_ns = exchange_now(x) - x->entry.began_ns;
        x->precise_start_ns +=
            x->outcome.waited_ns; /* overhead is what we do, not whom we wait for */
        exchange_proceed(x);
    }
}

/* The first of the line that holds a place now, or NULL. */
static struct remora_exchange *next_granted(struct remora_engine *engine)
{
    for (struct remora_list *node = engine->waiting.next; node != &engine->waiting;
         node = node->next) {
        struct remora_exchange *x = REMORA_CONTAINER_OF(node, struct remora_exchange, entry.node);
        if (atomic_load_explicit(&x->entry.waiter.is_granted, memory_order_acquire)) {
            return x;
        }
    }
    return NULL;
}

void remora_engine_admit_waiting(struct remora_engine *engine)
{
    for (struct remora_exchange *x = next_granted(engine); x != NULL; x = next_granted(engine)) {
        exchange_enter(x);
        move_up(x);
        exchange_leave(x);
    }
}

/* ---- 4. the end ---- */

static void stop_waiting(struct remora_exchange *x)
{
    struct entry_count *count = &x->entry.of[x->entry.waits_for];
    if (!x->entry.is_waiting) {
        return;
    }
    remora_list_remove(&x->entry.node);
    x->entry.is_waiting = false;
    x->outcome.waited_ns = exchange_now(x) - x->entry.began_ns;
    count->has_place = counter_leave(table_of(x), count->counter, &x->entry.waiter);
}

void entry_give_up(struct remora_exchange *x)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    enum counter_scope scope = x->entry.waits_for;
    stop_waiting(x);
    (void)refuse(x, scope, REMORA_THROTTLE_CONCURRENCY, x->entry.of[scope].limits.concurrency,
                 PLACE_RETRY_MS, &fail);
    exchange_fail(x, &fail);
}

/* -1: something went upstream and nobody said how much it was, so the estimate stands. */
static int64_t used_tokens(const struct remora_exchange *x)
{
    int64_t used = x->outcome.served != NULL ? -1 : 0;
    for (size_t i = 0; i < x->outcome.attempt_count; i++) {
        int64_t input = remora_usage_input_total(&x->outcome.attempts[i].usage);
        int64_t output = remora_usage_output_total(&x->outcome.attempts[i].usage);
        if (input >= 0 || output >= 0) {
            used = (used > 0 ? used : 0) + (input > 0 ? input : 0) + (output > 0 ? output : 0);
        }
    }
    return used;
}

void entry_end(struct remora_exchange *x)
{
    stop_waiting(x);
    if (x->outcome.attempt_count == 0) {
        uncharge(x);
    }
    for (int scope = 0; scope < COUNTER_SCOPES; scope++) {
        struct entry_count *count = &x->entry.of[scope];
        int64_t tokens = count->tokens.cost_ns > 0 ? used_tokens(x) : -1;
        if (tokens >= 0) {
            bucket_correct(&count->counter->tokens, count->limits.tokens_per_minute, tokens,
                           exchange_now(x), &count->tokens);
        }
        if (count->has_place) {
            count->has_place = false;
            counter_give(table_of(x), count->counter);
        }
    }
}
