/*
 * One request from its plan to its settlement.
 *
 * Happy path
 *   1. new      a front gets an exchange and its arena, reads the body into it, parses it           (WAITING)
 *   2. start    the policy stack, the limits (entry.c), the plan                                    (PLANNING)
 *   3. attempt.c tries the candidates in order                                       (PREPARING, ATTEMPTING)
 *   4. commit   the first content: started and content go to the sink, the request's memory goes   (COMMITTED)
 *   5. complete usage, cost, one `completed`                                                         (SETTLED)
 *
 * Ways to fail: a limit, no plan, every candidate failed, a deadline: one `failed` with the outcome. After content the
 * same call, with has_begun set. The caller going away: cancel, no call at all. All of them are observed.
 *
 * A sink may cancel from inside its own calls, so freeing waits until no callback is on the stack (`busy`).
 *
 * Source: ARCHITECTURE 3 and 6.
 */
#include "admission.h"
#include "exchange_private.h"
#include "remora/account.h"

uint64_t exchange_now(const struct remora_exchange *x)
{
    return x->engine->use.clock->now_ns(x->engine->use.clock);
}

void exchange_enter(struct remora_exchange *x)
{
    x->busy++;
}

void exchange_leave(struct remora_exchange *x)
{
    assert(x->busy > 0);
    x->busy--;
    if (x->busy == 0 && x->is_gone) {
        engine_give(x->engine, x);
    }
}

/* ---- 1. new ---- */

static enum remora_code admit(struct remora_engine *engine, size_t body_bytes,
                              struct remora_fail *fail)
{
    if (engine->is_draining) {
        return remora_fail_set(fail, REMORA_DRAINING, NULL,
                               "The gateway is shutting down; try again.");
    }
    if (engine->config == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL,
                               "The gateway has no configuration yet.");
    }
    return remora_admission_enter(engine->use.admission, body_bytes, fail);
}

static void prepare(struct remora_exchange *x, size_t body_bytes)
{
    struct remora_engine *engine = x->engine;
    x->held_bytes = body_bytes;
    x->config = remora_config_acquire(engine->config);
    x->lead = (struct remora_fail)REMORA_FAIL_INIT;
    x->retry_after_ms = -1;
    x->cools_ms = -1;
    x->idle_ms = -1;
    struct remora_outcome *outcome = &x->outcome;
    outcome->fail = (struct remora_fail)REMORA_FAIL_INIT;
    outcome->began_ns = exchange_now(x);
    int64_t unix_ms = engine->use.clock->unix_ms(engine->use.clock);
    outcome->created_unix_s = unix_ms / 1000;
    outcome->policy_revision = x->config->revision;
    remora_generation_id(outcome->generation_id, unix_ms, engine->use.random);
    remora_usage_init(&outcome->usage);
    remora_cost_init(&outcome->cost);
}

enum remora_code remora_exchange_new(struct remora_engine *engine, size_t body_bytes,
                                     struct remora_exchange **out, struct remora_fail *fail)
{
    enum remora_code code = admit(engine, body_bytes, fail);
    if (code != REMORA_OK) {
        return code;
    }
    struct remora_exchange *x = engine_take(engine);
    if (x == NULL) {
        remora_admission_leave(engine->use.admission, body_bytes);
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
    }
    prepare(x, body_bytes);
    x->request = remora_arena_alloc(&x->arena, sizeof *x->request);
    x->stack = remora_arena_alloc(&x->arena, sizeof *x->stack);
    x->plan = remora_arena_alloc(&x->arena, sizeof *x->plan);
    if (x->request == NULL || x->stack == NULL || x->plan == NULL) {
        remora_exchange_discard(x);
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
    }
    remora_request_init(x->request);
    *out = x;
    return REMORA_OK;
}

struct remora_arena *remora_exchange_arena(struct remora_exchange *exchange)
{
    return &exchange->arena;
}

struct remora_request *remora_exchange_request(struct remora_exchange *exchange)
{
    return exchange->request;
}

enum remora_code remora_exchange_hold(struct remora_exchange *exchange, size_t bytes,
                                      struct remora_fail *fail)
{
    if (bytes <= exchange->held_bytes) {
        return REMORA_OK;
    }
    enum remora_code code = remora_admission_take_bytes(exchange->engine->use.admission,
                                                        bytes - exchange->held_bytes, fail);
    if (code == REMORA_OK) {
        exchange->held_bytes = bytes;
    }
    return code;
}

const char *remora_exchange_generation_id(const struct remora_exchange *exchange)
{
    return exchange->outcome.generation_id;
}

/* Gives back what the exchange holds of others; the memory follows when nothing is on the stack. */
static void let_go(struct remora_exchange *x)
{
    struct remora_engine *engine = x->engine;
    x->is_gone = true;
    x->state = STATE_SETTLED;
    remora_timers_disarm(engine->use.timers, &x->timer);
    entry_end(x);
    remora_admission_leave(engine->use.admission, x->held_bytes);
    x->held_bytes = 0;
    remora_config_release(x->config);
    x->config = NULL;
}

void remora_exchange_whole(struct remora_exchange *exchange)
{
    const struct remora_clock *precise = exchange->engine->use.precise;
    exchange->precise_start_ns = precise->now_ns(precise);
}

void remora_exchange_discard(struct remora_exchange *exchange)
{
    assert(exchange->sink == NULL);
    exchange_enter(exchange);
    let_go(exchange);
    exchange_leave(exchange);
}

/* ---- 2. start ---- */

static void keep_text(char *out, size_t most, struct remora_slice text)
{
    size_t length = text.length < most ? text.length : most;
    if (length > 0) {
        memcpy(out, text.data, length);
    }
    out[length] = '\0';
}

/* max_tokens bounds each choice. */
static int64_t output_limit(const struct remora_sampling *sampling)
{
    int64_t each = sampling->max_output_tokens.is_set ? sampling->max_output_tokens.value : 0;
    int64_t choices = sampling->choice_count.is_set ? sampling->choice_count.value : 1;
    int64_t all = 0;
    return __builtin_mul_overflow(each, choices, &all) ? REMORA_TOKENS_MAX : all;
}

/* What must outlive the request's memory. */
static void remember_request(struct remora_exchange *x)
{
    const struct remora_request *request = x->request;
    struct remora_outcome *outcome = &x->outcome;
    outcome->identity = request->identity;
    outcome->trace = request->trace;
    outcome->api = request->api;
    outcome->operation = request->operation;
    outcome->delivery = request->delivery;
    outcome->wants_route = request->wants_route;
    remora_trace_begin(&outcome->trace, x->engine->use.random);
    keep_text(outcome->requested_model, REMORA_LIMIT_MODEL_ID_BYTES, request->model);
    keep_text(outcome->request_id, REMORA_LIMIT_ID_BYTES, request->request_id);
    x->withholds_reasoning = request->reasoning.exclude_from_response;
    x->keeps_further = request->wants_further;
    x->idle_ms = request->idle_timeout_ms;
    x->text_bytes = remora_request_text_bytes(request);
    x->max_output_tokens = output_limit(&request->sampling);
}

/* The request's own layer: its preferences under the shape that every layer has. */
static enum remora_code stack_up(struct remora_exchange *x, struct remora_fail *fail)
{
    struct remora_policy *own = remora_arena_alloc(&x->arena, sizeof *own);
    if (own == NULL) {
        return remora_fail_set(fail, x->arena.failed, NULL, "The request outgrew its memory.");
    }
    remora_policy_init(own);
    own->provider = x->request->provider;
    remora_config_stack(x->config, &x->request->identity, x->stack);
    x->stack->layers[REMORA_LAYER_REQUEST] = own;
    return REMORA_OK;
}

static enum remora_code make_plan(struct remora_exchange *x, struct remora_fail *fail)
{
    const struct remora_plan_input input = {
        .config = x->config,
        .request = x->request,
        .stack = x->stack,
        .health = x->engine->use.health,
        .random = x->engine->use.random,
        .now_ns = exchange_now(x),
    };
    x->outcome.plan = x->plan;
    enum remora_code code = remora_plan_build(&input, &x->arena, x->plan, fail);
    x->outcome.data_collection = x->plan->policy.data_collection;
    return code;
}

enum remora_code remora_exchange_plan(struct remora_exchange *exchange,
                                      const struct remora_plan **out, struct remora_fail *fail)
{
    *out = exchange->plan;
    enum remora_code code = stack_up(exchange, fail);
    return code == REMORA_OK ? make_plan(exchange, fail) : code;
}

void exchange_proceed(struct remora_exchange *x)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    x->state = STATE_PLANNING;
    if (make_plan(x, &fail) == REMORA_OK) {
        attempt_next(x);
    } else {
        exchange_fail(x, &fail);
    }
}

void remora_exchange_start(struct remora_exchange *exchange, struct remora_sink *sink)
{
    struct remora_exchange *x = exchange;
    struct remora_fail fail = REMORA_FAIL_INIT;
    x->sink = sink;
    if (x->precise_start_ns == 0) {
        remora_exchange_whole(x);
    }
    remember_request(x);
    exchange_enter(x);
    deadline_begin(x);
    enum remora_code code = stack_up(x, &fail);
    if (code == REMORA_OK) {
        code = entry_begin(x, &fail);
    }
    if (code != REMORA_OK) {
        exchange_fail(x, &fail);
    } else if (x->entry.is_waiting) {
        deadline_arm(x);
    } else {
        exchange_proceed(x);
    }
    exchange_leave(x);
}

/* ---- 4. commit ---- */

enum remora_sink_state exchange_deliver(struct remora_exchange *x, const struct remora_event *event)
{
    x->outcome.events++;
    exchange_enter(x);
    enum remora_sink_state state = x->sink->ops->event(x->sink, event);
    exchange_leave(x);
    return state;
}

static void deliver_started(struct remora_exchange *x)
{
    const struct held_start *held = &x->started;
    const struct remora_event event = {
        .kind = REMORA_EVENT_STARTED,
        .started = {.upstream_id = remora_slice_of(held->upstream_id),
                    .model = remora_slice_of(held->model),
                    .system_fingerprint = remora_slice_of(held->system_fingerprint),
                    .service_tier = remora_slice_of(held->service_tier),
                    .created_unix_s = held->created_unix_s,
                    .served = x->run.endpoint,
                    .plan = x->plan},
    };
    (void)exchange_deliver(x, &event);
}

/* Finishes that came before the content, or without any. */
static void deliver_finishes(struct remora_exchange *x)
{
    for (struct held_finish *held = x->finishes; held != NULL && !x->is_gone; held = held->next) {
        const struct remora_event event = {
            .kind = REMORA_EVENT_CHOICE_FINISHED,
            .choice_index = held->choice_index,
            .finished = {.reason = held->reason, .native = held->native, .stop = held->stop},
        };
        (void)exchange_deliver(x, &event);
    }
    x->finishes = NULL;
}

/* What was passed over before who answers, or, where nobody does, at all. While there is a plan. */
static void keep_skipped(struct remora_exchange *x, const struct remora_endpoint *served)
{
    struct remora_skipped skipped[REMORA_SKIPPED_MAX];
    size_t count = remora_plan_skipped(x->plan, served, skipped);
    remora_outcome_keep_skipped(&x->outcome, skipped, count);
}

/* Nobody answered. Without an attempt the plan's candidates tell all of it. */
static void keep_skipped_of_failure(struct remora_exchange *x)
{
    if (x->plan != NULL && x->outcome.served == NULL && x->outcome.attempt_count > 0) {
        keep_skipped(x, NULL);
    }
}

void exchange_show(struct remora_exchange *x)
{
    bool is_stream = x->outcome.delivery == REMORA_STREAM;
    x->run.is_shown = true;
    x->state = is_stream ? STATE_COMMITTED : x->state;
    x->outcome.has_begun |= is_stream;
    x->outcome.served = x->run.endpoint;
    keep_skipped(x, x->run.endpoint);
    x->outcome.first_content_ns = exchange_elapsed_ns(x, x->outcome.began_ns);
    attempt_record(x)->first_content_ns = exchange_elapsed_ns(x, attempt_record(x)->began_ns);
    exchange_enter(x);
    deliver_started(x);
    deliver_finishes(x);
    exchange_leave(x);
    if (is_stream) {
        exchange_commit(x);
    }
}

void exchange_commit(struct remora_exchange *x)
{
    x->state = STATE_COMMITTED;
    /* Nothing falls back from here on: what a next attempt would need goes. */
    x->outcome.plan = NULL;
    x->plan = NULL;
    x->stack = NULL;
    x->request = NULL;
    x->candidate = NULL;
    x->run.error_head = (struct remora_http_response){0};
    if (x->outcome.delivery == REMORA_STREAM) {
        remora_arena_fini(&x->arena);
    } else {
        remora_arena_reset(&x->arena); /* over in a moment: one chunk stays for the next request */
    }
    remora_admission_give_bytes(x->engine->use.admission, x->held_bytes);
    x->held_bytes = 0;
}

/* ---- 5. settle ---- */

uint64_t exchange_elapsed_ns(const struct remora_exchange *x, uint64_t began_ns)
{
    const struct remora_clock *precise = x->engine->use.precise;
    return precise->now_ns(precise) - began_ns;
}

/* Who was refused, or left, before there was a plan has named a model all the same. */
static void note_model(struct remora_exchange *x)
{
    bool is_planned = x->outcome.plan != NULL && x->outcome.plan->model_count > 0;
    if (is_planned || x->outcome.attempt_count > 0 || x->request == NULL) {
        return;
    }
    const struct remora_slices *models = &x->request->models;
    bool is_listed = x->request->model.length == 0 && models->count > 0;
    x->outcome.model =
        remora_model_named(x->config, is_listed ? models->items[0] : x->request->model);
}

static void observe_settled(struct remora_exchange *x)
{
    note_model(x);
    struct remora_observer *observer = x->engine->use.observer;
    x->outcome.total_ns = exchange_elapsed_ns(x, x->outcome.began_ns);
    if (observer != NULL) {
        observer->settled(observer, &x->outcome);
    }
}

void exchange_complete(struct remora_exchange *x)
{
    attempt_drop(x);
    further_tell(x);
    const struct remora_event event = {.kind = REMORA_EVENT_COMPLETED, .outcome = &x->outcome};
    observe_settled(x);
    exchange_enter(x);
    x->state = STATE_SETTLED;
    (void)x->sink->ops->event(x->sink, &event);
    let_go(x);
    exchange_leave(x);
}

void exchange_fail(struct remora_exchange *x, const struct remora_fail *fail)
{
    exchange_enter(x);
    x->outcome.fail = *fail;
    keep_skipped_of_failure(x);
    attempt_abandon(x, fail);
    attempt_sum_left(x);
    observe_settled(x);
    x->state = STATE_SETTLED;
    x->sink->ops->failed(x->sink, &x->outcome);
    let_go(x);
    exchange_leave(x);
}

void remora_exchange_refuse(struct remora_exchange *exchange, const struct remora_fail *fail,
                            struct remora_sink *sink)
{
    remember_request(exchange);
    exchange->outcome.fail = *fail;
    observe_settled(exchange);
    if (sink != NULL) {
        sink->ops->failed(sink, &exchange->outcome);
    }
    remora_exchange_discard(exchange);
}

void remora_exchange_resume(struct remora_exchange *exchange)
{
    struct remora_exchange *x = exchange;
    if (x->is_gone || !x->is_paused) {
        return;
    }
    x->is_paused = false;
    x->run.life_ns = exchange_now(x); /* the silence was ours */
    if (x->run.transfer != NULL) {
        struct remora_transport *transport = x->engine->use.transport;
        transport->ops->resume(transport, x->run.transfer);
    }
    deadline_arm(x);
}

void remora_exchange_cancel(struct remora_exchange *exchange, enum remora_code why)
{
    struct remora_exchange *x = exchange;
    if (x->is_gone) {
        return;
    }
    exchange_enter(x);
    remora_fail_set(&x->outcome.fail, why, NULL, "%s", remora_code_row(why)->summary);
    keep_skipped_of_failure(x);
    attempt_abandon(x, &x->outcome.fail);
    attempt_sum_left(x);
    observe_settled(x);
    let_go(x);
    exchange_leave(x);
}
