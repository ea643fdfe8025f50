/*
 * One attempt at one endpoint: key, build, transfer, record; and what follows when it fails.
 *
 * Happy path: choose_next -> key -> build -> transport.start -> (decode.c) -> attempt_done in decode.c.
 * Ways to fail: no key is well (skipped, not an attempt), the adapter cannot express the request, the transfer cannot
 * start, the transfer or the answer fails (decode.c, deadline.c). Every failure is recorded, told to health and to the
 * observer, and either falls back or ends the exchange; after content it always ends it (STREAM_BROKEN).
 *
 * Sources: ARCHITECTURE 6; design/codes.md columns "breaker", "moves to next endpoint".
 */
#include <stdio.h>

#include "admission.h"
#include "exchange_private.h"
#include "remora/account.h"

#define COOL_DEFAULT_MS 5000   /* 429 without a hint */
#define BENCH_MODEL_MS  120000 /* model gone: "minutes" */

struct remora_attempt *attempt_record(struct remora_exchange *x)
{
    assert(x->outcome.attempt_count > 0);
    return &x->outcome.attempts[x->outcome.attempt_count - 1];
}

/* ---- ends ---- */

void attempt_drop(struct remora_exchange *x)
{
    struct attempt_run *run = &x->run;
    if (run->transfer != NULL) {
        struct remora_transport *transport = x->engine->use.transport;
        bool was_sent = transport->ops->cancel(transport, run->transfer);
        bool is_refused = run->has_head && !run->is_answering;
        attempt_record(x)->possibly_billed |= was_sent && !is_refused;
        run->transfer = NULL;
    }
    if (run->is_decoding) {
        run->adapter->decode_fini((struct remora_decoder *)(void *)run->decoder);
        run->is_decoding = false;
    }
}

void attempt_works(struct remora_exchange *x)
{
    struct remora_health *health = x->engine->use.health;
    uint64_t now = exchange_now(x);
    remora_health_success(health, x->run.endpoint->health, now);
    if (x->run.credential != NULL) {
        remora_health_success(health, x->run.credential->health, now);
    }
}

/*
 * What breaks no rule of the breaker. An endpoint that refuses the request works, and so does one whose stream is ended by us or
 * by the caller after content. A total that is spent before that, or a drain, leaves the question open: a claimed probe ends
 * with its window.
 */
static void tell_no_effect(struct remora_exchange *x, const struct remora_fail *fail)
{
    const struct remora_endpoint *endpoint = x->run.endpoint;
    bool is_caller_s = remora_code_row(fail->code)->fail_class == REMORA_CLASS_CALLER;
    if (x->state == STATE_COMMITTED) {
        attempt_works(x);
    } else if (x->run.has_head && is_caller_s) {
        remora_health_success(x->engine->use.health, endpoint->health, exchange_now(x));
    } else if (x->state == STATE_PREPARING) {
        choose_release(x, endpoint); /* nothing was sent */
    }
}

/* It answered, and what it said is no verdict on whether it works. */
static void tell_answer(struct remora_exchange *x)
{
    remora_health_answer(x->engine->use.health, x->run.endpoint->health, exchange_now(x));
    choose_release(x, x->run.endpoint);
}

static void cool(struct remora_exchange *x, int64_t hint_ms)
{
    uint64_t jitter = remora_random_below(x->engine->use.random, COOL_DEFAULT_MS);
    uint64_t for_ms = hint_ms >= 0 ? (uint64_t)hint_ms : COOL_DEFAULT_MS / 5 + jitter;
    remora_health_cool(x->engine->use.health, x->run.endpoint->health, exchange_now(x),
                       for_ms * REMORA_NS_PER_MS);
    if (x->cools_ms < 0 || (int64_t)for_ms < x->cools_ms) {
        x->cools_ms = (int64_t)for_ms;
    }
}

static void tell_endpoint(struct remora_exchange *x, const struct remora_fail *fail)
{
    struct remora_health *health = x->engine->use.health;
    uint64_t now = exchange_now(x);
    uint32_t slot = x->run.endpoint->health;
    int64_t hint_ms = fail->retry_after_ms;
    if (fail->cause == REMORA_CAUSE_LOOP) {
        /* a fault of the configuration: told in full each time, and gone when that is mended */
        choose_release(x, x->run.endpoint);
        return;
    }
    if (fail->spares_health) {
        tell_answer(x);
        return;
    }
    switch (remora_code_row(fail->code)->effect) {
    case REMORA_EFFECT_NONE:
        tell_no_effect(x, fail);
        return;
    case REMORA_EFFECT_COUNTS:
        if (fail->cause == REMORA_CAUSE_DNS || fail->cause == REMORA_CAUSE_STALE_CONNECTION) {
            choose_release(x, x->run.endpoint);
        } else {
            remora_health_failure(health, slot, now);
        }
        return;
    case REMORA_EFFECT_COOLS:
        cool(x, hint_ms);
        tell_answer(x);
        return;
    case REMORA_EFFECT_BENCHES:
        remora_health_gone(health, slot, now, BENCH_MODEL_MS * REMORA_NS_PER_MS);
        remora_health_success(health, slot, now);
        return;
    case REMORA_EFFECT_BENCHES_KEY:
        tell_answer(x);
        return;
    }
}

static void tell_health(struct remora_exchange *x, const struct remora_fail *fail)
{
    const struct remora_credential *key = x->run.credential;
    tell_endpoint(x, fail);
    if (remora_code_row(fail->code)->effect != REMORA_EFFECT_BENCHES_KEY) {
        choose_release_key(x, key);
    } else if (key != NULL) {
        remora_health_bench(x->engine->use.health, key->health, exchange_now(x));
    }
}

static void settle(struct remora_exchange *x, struct remora_attempt *attempt)
{
    const struct remora_estimate_input estimate = {
        .text_bytes = x->text_bytes,
        .answer_bytes = x->run.answer_bytes,
        .max_output_tokens = x->max_output_tokens,
        .image_count = x->run.image_count,
        .cache_life = x->run.cache_life,
        .may_have_searched = x->run.may_search || x->run.has_citations,
        .served_tier = remora_slice_of(x->started.service_tier),
        .asked_other_tier = x->run.asks_other_tier,
    };
    remora_account_settle(&attempt->usage, &estimate, x->run.endpoint, &attempt->cost);
}

/* Its request had gone out whole and nobody waited for the end: the prompt, and what came of the answer, is to be paid for. */
static void settle_left(struct remora_exchange *x, struct remora_attempt *attempt)
{
    static const enum remora_code leaving[] = {REMORA_CLIENT_GONE, REMORA_DEADLINE, REMORA_DRAINING,
                                               REMORA_UPSTREAM_TIMEOUT};
    for (size_t i = 0; i < REMORA_COUNT_OF(leaving) && attempt->possibly_billed; i++) {
        attempt->was_left |= attempt->code == leaving[i];
    }
    if (attempt->was_left) {
        settle(x, attempt);
    }
}

static void give_arriving(struct remora_exchange *x)
{
    if (x->run.arriving_bytes > 0) {
        remora_admission_give_arriving(x->engine->use.admission, x->run.arriving_bytes);
        x->run.arriving_bytes = 0;
    }
}

static void observe_record(struct remora_exchange *x)
{
    struct remora_attempt *attempt = attempt_record(x);
    give_arriving(x);
    struct remora_observer *observer = x->engine->use.observer;
    attempt->elapsed_ns = exchange_elapsed_ns(x, attempt->began_ns);
    x->has_open_record = false;
    if (observer != NULL) {
        observer->attempt(observer, &x->outcome, attempt);
    }
}

/* Closes the record of the attempt under way and tells who wants to know. */
static void close_record(struct remora_exchange *x, const struct remora_fail *fail)
{
    struct remora_attempt *attempt = attempt_record(x);
    attempt->code = fail->code;
    attempt->cause = fail->cause;
    attempt->retry_after_ms = fail->retry_after_ms;
    if (!x->run.is_shown) {
        settle_left(x, attempt);
    }
    observe_record(x);
}

void attempt_settle_usage(struct remora_exchange *x)
{
    struct remora_attempt *attempt = attempt_record(x);
    settle(x, attempt);
    x->outcome.usage = attempt->usage;
    x->outcome.cost = attempt->cost;
}

void attempt_sum_left(struct remora_exchange *x)
{
    bool is_first = true;
    for (size_t i = 0; i < x->outcome.attempt_count && x->outcome.served == NULL; i++) {
        const struct remora_attempt *attempt = &x->outcome.attempts[i];
        if (!attempt->was_left) {
            continue;
        }
        if (is_first) {
            x->outcome.usage = attempt->usage;
            x->outcome.cost = attempt->cost;
        } else {
            remora_usage_add(&x->outcome.usage, &attempt->usage);
            remora_cost_add(&x->outcome.cost, &attempt->cost);
        }
        is_first = false;
    }
}

void attempt_answered(struct remora_exchange *x)
{
    attempt_settle_usage(x);
    observe_record(x);
}

void attempt_abandon(struct remora_exchange *x, const struct remora_fail *why)
{
    attempt_drop(x);
    if (!x->has_open_record) {
        return;
    }
    struct remora_fail fail = *why;
    if (fail.code == REMORA_CLIENT_GONE) {
        fail.cause = REMORA_CAUSE_CANCELLED;
    }
    if (x->state == STATE_COMMITTED) {
        attempt_works(x); /* it was not the provider that ended the stream */
    }
    if (x->run.is_shown) {
        attempt_settle_usage(x);
    }
    close_record(x, &fail);
}

/* After content nothing falls back: one failure, told in-band. */
static void fail_committed(struct remora_exchange *x, const struct remora_fail *why)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    if (why->code == REMORA_DEADLINE || why->code == REMORA_DRAINING) {
        fail = *why;
    } else {
        fail.cause = why->cause;
        fail.upstream_status = why->upstream_status;
        remora_fail_set(&fail, REMORA_STREAM_BROKEN, NULL,
                        "The provider's stream broke after content had been sent (%s).",
                        remora_cause_name(why->cause));
    }
    tell_health(x, &fail);
    attempt_settle_usage(x);
    close_record(x, &fail);
    exchange_fail(x, &fail);
}

/* What a unary sink has collected of the attempt is no answer, and nobody was shown it. */
static void take_back(struct remora_exchange *x)
{
    if (x->run.is_shown) {
        x->run.is_shown = false;
        x->outcome.served = NULL;
        x->outcome.first_content_ns = 0;
        x->outcome.last_content_ns = 0;
        x->outcome.content_events = 0;
    }
}

void attempt_fail(struct remora_exchange *x, const struct remora_fail *fail)
{
    if (x->is_gone) {
        return;
    }
    attempt_drop(x);
    if (x->state == STATE_COMMITTED) {
        fail_committed(x, fail);
        return;
    }
    if (x->outcome.attempt_count == 0 || x->candidate == NULL) {
        exchange_fail(x, fail); /* the total was spent before anything was tried */
        return;
    }
    take_back(x);
    tell_health(x, fail);
    close_record(x, fail);
    verdict_note(x, fail);
    choose_after(x, x->candidate, fail->code);
    if (fail->code == REMORA_DEADLINE) {
        exchange_fail(x, fail);
        return;
    }
    attempt_next(x);
}

/* ---- beginnings ---- */

/* The caller hears of a failed attempt when another one follows it. */
static void deliver_attempt_failed(struct remora_exchange *x)
{
    if (x->outcome.attempt_count == 0) {
        return;
    }
    const struct remora_event event = {.kind = REMORA_EVENT_ATTEMPT_FAILED,
                                       .attempt = attempt_record(x)};
    (void)exchange_deliver(x, &event);
}

static void open_record(struct remora_exchange *x, const struct remora_endpoint *endpoint,
                        const struct remora_credential *credential, bool is_resend)
{
    struct remora_attempt *attempt = &x->outcome.attempts[x->outcome.attempt_count++];
    *attempt = (struct remora_attempt){
        .provider = endpoint->facts.provider,
        .endpoint_tag = endpoint->facts.tag,
        .model = endpoint->model->facts.id,
        .upstream_model = endpoint->facts.upstream_model,
        .credential = credential == NULL ? REMORA_SLICE("") : credential->name,
        .code = REMORA_OK,
        .retry_after_ms = -1,
        .is_resend = is_resend,
        .began_ns = exchange_now(x),
    };
    x->has_open_record = true;
    remora_usage_init(&attempt->usage);
    remora_cost_init(&attempt->cost);
}

static void reset_run(struct remora_exchange *x, const struct remora_endpoint *endpoint,
                      const struct remora_credential *credential)
{
    struct attempt_run *run = &x->run;
    run->endpoint = endpoint;
    run->credential = credential;
    run->adapter = remora_adapter_for(endpoint->provider->facts.wire);
    run->delivery = endpoint->facts.stream_only ? REMORA_STREAM : x->outcome.delivery;
    run->transfer = NULL;
    run->error_head = (struct remora_http_response){0};
    run->life_ns = exchange_now(x);
    run->is_decoding = false;
    run->is_answering = false;
    run->has_head = false;
    run->sends_events = false;
    run->has_byte = false;
    run->is_shown = false;
    run->may_search = false;
    run->choice_count = 0;
    run->image_count = 0;
    run->asks_other_tier = false;
    run->cache_life = REMORA_CACHE_LIFE_UNSAID;
    run->has_citations = false;
    run->answer_bytes = 0;
    run->arrived_bytes = 0;
    remora_guard_init(&run->guard);
    remora_buf_reset(&run->error_body, 0);
    remora_buf_reset(&run->further, 0);
    x->started = (struct held_start){0};
    x->finishes = NULL;
    x->last_finish = NULL;
}

/* The generation's id and the number of the attempt; empty without memory. */
static struct remora_slice attempt_id(struct remora_exchange *x)
{
    struct remora_buf id;
    char *memory = remora_arena_alloc(&x->arena, REMORA_GENERATION_ID_BYTES + 4);
    if (memory == NULL) {
        return remora_slice(NULL, 0);
    }
    remora_buf_init_over(&id, memory, REMORA_GENERATION_ID_BYTES + 4);
    remora_buf_append_text(&id, x->outcome.generation_id);
    remora_buf_append_byte(&id, '-');
    remora_buf_append_u64(&id, x->outcome.attempt_count);
    return remora_buf_slice(&id);
}

static enum remora_code build(struct remora_exchange *x, struct remora_build_output *built,
                              struct remora_fail *fail)
{
    struct remora_slice id = attempt_id(x);
    char traceparent[REMORA_TRACEPARENT_BYTES] = "";
    if (x->run.endpoint->provider->sends_trace) {
        remora_trace_text(&x->outcome.trace, traceparent);
    }
    struct remora_build_input input = {
        .request = x->request,
        .endpoint = x->run.endpoint,
        .delivery = x->run.delivery,
        .credential = x->run.credential,
        .upstream_request_id = id,
        .traceparent = remora_slice_of(traceparent),
        .now_unix_ms = x->engine->use.clock->unix_ms(x->engine->use.clock),
    };
    remora_build_take_policy(&input, &x->plan->policy);
    fail->cause = REMORA_CAUSE_BUILD;
    if (x->run.adapter == NULL) {
        return remora_fail_set(fail, REMORA_INTERNAL, NULL, "No adapter speaks this wire.");
    }
    enum remora_code code = x->run.adapter->build(&input, &x->arena, built, fail);
    if (code != REMORA_OK) {
        return code;
    }
    x->run.may_search = built->may_search;
    x->run.choice_count = built->choice_count;
    x->run.image_count = built->image_count;
    x->run.asks_other_tier =
        !remora_tier_has_prices(built->service_tier, x->run.endpoint->facts.tag);
    x->run.cache_life = built->cache_life;
    remora_outcome_keep_dropped(&x->outcome, built->dropped, built->dropped_count);
    return REMORA_OK;
}

static void note_overhead(struct remora_exchange *x)
{
    if (x->outcome.overhead_ns == 0) {
        const struct remora_clock *precise = x->engine->use.precise;
        x->outcome.overhead_ns = precise->now_ns(precise) - x->precise_start_ns;
    }
}

/* Whom the request has passed through, with us as the last. */
static enum remora_code list_hops(struct remora_exchange *x, struct remora_slice *out)
{
    const struct remora_hop_id *own = x->engine->use.hop;
    if (own == NULL || x->request->hops.length == 0) {
        *out = remora_slice_of(own == NULL ? NULL : own->text);
        return REMORA_OK;
    }
    *out = remora_arena_printf(&x->arena, "%.*s,%s", REMORA_SLICE_ARG(x->request->hops), own->text);
    return x->arena.failed;
}

static enum remora_code send(struct remora_exchange *x, const struct remora_build_output *built,
                             struct remora_fail *fail)
{
    struct remora_transport *transport = x->engine->use.transport;
    struct remora_transfer_input input = {
        .request = &built->http,
        .provider = x->run.endpoint->provider,
        .connect_timeout_ms = x->run.endpoint->deadlines->connect_ms,
        .body_limit_bytes = x->run.delivery == REMORA_UNARY ? REMORA_LIMIT_UPSTREAM_BODY_BYTES : 0,
        .callbacks = &attempt_callbacks,
        .context = x,
    };
    note_overhead(x);
    enum remora_code code = list_hops(x, &input.hops);
    if (code == REMORA_OK) {
        code = transport->ops->start(transport, &input, &x->run.transfer);
    }
    if (code != REMORA_OK) {
        remora_fail_set(fail, code, NULL, "%s", remora_code_row(code)->summary);
    }
    return code;
}

/* REMORA_OK: under way. Else the attempt is recorded as failed. */
static enum remora_code begin(struct remora_exchange *x, const struct remora_endpoint *endpoint,
                              const struct remora_credential *credential, struct remora_fail *fail)
{
    x->state = STATE_PREPARING;
    reset_run(x, endpoint, credential);
    open_record(x, endpoint, credential, x->is_resend);
    struct remora_build_output *built = remora_arena_alloc(&x->arena, sizeof *built);
    if (built == NULL) {
        fail->cause = REMORA_CAUSE_MEMORY;
        return remora_fail_set(fail, x->arena.failed, NULL, "The request outgrew its memory.");
    }
    enum remora_code code = build(x, built, fail);
    if (code == REMORA_OK) {
        code = send(x, built, fail);
    }
    if (code == REMORA_OK) {
        x->state = STATE_ATTEMPTING;
        deadline_arm(x);
    }
    return code;
}

static void fail_at_once(struct remora_exchange *x, const struct remora_fail *fail)
{
    tell_health(x, fail);
    close_record(x, fail);
    verdict_note(x, fail);
    choose_after(x, x->candidate, fail->code);
}

static void give_up(struct remora_exchange *x)
{
    struct remora_fail fail;
    verdict_final(x, &fail);
    exchange_fail(x, &fail);
}

void attempt_next(struct remora_exchange *x)
{
    for (;;) {
        const struct remora_candidate *candidate = choose_next(x);
        if (candidate == NULL) {
            give_up(x);
            return;
        }
        const struct remora_credential *credential;
        if (!choose_credential(x, candidate, &credential)) {
            continue;
        }
        deliver_attempt_failed(x);
        if (x->is_gone) {
            return;
        }
        struct remora_fail fail = REMORA_FAIL_INIT;
        x->candidate = candidate;
        x->is_resend = false;
        x->attempts_of_model++;
        if (begin(x, candidate->endpoint, credential, &fail) == REMORA_OK) {
            return;
        }
        fail_at_once(x, &fail);
    }
}

bool attempt_resend(struct remora_exchange *x, const struct remora_fail *why)
{
    if (x->is_resend || x->outcome.attempt_count >= REMORA_LIMIT_ATTEMPTS ||
        x->state != STATE_ATTEMPTING) {
        return false;
    }
    const struct remora_credential *credential = x->run.credential;
    attempt_drop(x);
    close_record(x, why);
    deliver_attempt_failed(x);
    if (x->is_gone) {
        return true;
    }
    struct remora_fail fail = REMORA_FAIL_INIT;
    x->is_resend = true;
    if (begin(x, x->candidate->endpoint, credential, &fail) != REMORA_OK) {
        fail_at_once(x, &fail);
        attempt_next(x);
    }
    return true;
}
