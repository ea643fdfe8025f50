/*
 * The deadlines of an exchange behind one timer. Connect is the transport's own; first byte, response, idle, the policy's
 * attempt_timeout, the endpoint's total and the request's are here, and so are the time that a request may wait for its turn and the notice that a
 * stream has been silent for 10 s.
 *
 * An answer that is whole but for its end has a second for that. What comes too late is judged as if it had been cut there. An error's
 * body has 5 s, or half of what the request has left, and is then judged by what has come. Signs of life (events, comments, pings; not bytes that make
 * none) only move `life_ns`; the timer is not touched per event. When it fires too early it is armed again.
 * Source: ARCHITECTURE 6 "Deadlines" and "HTTP status".
 */
#include "exchange_private.h"

#define ERROR_BODY_NS (5 * REMORA_NS_PER_S) /* from the head of an error to its end */
#define END_NS        REMORA_NS_PER_S       /* from the last that is owed of an answer to its end */

static uint64_t after_ms(uint64_t from_ns, int64_t ms)
{
    return ms <= 0 ? REMORA_NEVER_NS : from_ns + (uint64_t)ms * REMORA_NS_PER_MS;
}

static uint64_t wait_due(const struct remora_exchange *x)
{
    return x->entry.is_waiting ? x->entry.until_ns : REMORA_NEVER_NS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_stream(const struct remora_exchange *x)
{
    return x->outcome.delivery == REMORA_STREAM;
}

static int64_t idle_ms(const struct remora_exchange *x)
{
    int64_t own = x->run.endpoint->deadlines->idle_ms;
    return x->idle_ms > 0 && x->idle_ms < own ? x->idle_ms : own;
}

/* When all of the attempt's answer must be there: that of a unary call, and whatever the policy bounds until content. */
static uint64_t whole_due(const struct remora_exchange *x, uint64_t began)
{
    uint64_t due =
        is_stream(x) ? REMORA_NEVER_NS : after_ms(began, x->run.endpoint->deadlines->response_ms);
    return x->state == STATE_ATTEMPTING
               ? earlier(due, after_ms(began, x->plan->policy.attempt_timeout_ms))
               : due;
}

static bool is_reading_error(const struct remora_exchange *x)
{
    return x->run.has_head && !x->run.is_answering;
}

/* Another provider is to have time for an answer, too. */
static uint64_t error_due(const struct remora_exchange *x, uint64_t head_ns)
{
    uint64_t left_ns = x->deadline_ns > head_ns ? x->deadline_ns - head_ns : 0;
    return head_ns + earlier(ERROR_BODY_NS, left_ns / 2);
}

/* When the attempt under way is late, and for what cause. */
static uint64_t attempt_due(const struct remora_exchange *x, enum remora_cause *cause)
{
    *cause = REMORA_CAUSE_NONE;
    if (x->run.transfer == NULL || x->is_paused || x->outcome.attempt_count == 0) {
        return REMORA_NEVER_NS;
    }
    const struct remora_deadlines *limits = x->run.endpoint->deadlines;
    uint64_t began = x->outcome.attempts[x->outcome.attempt_count - 1].began_ns;
    uint64_t due;
    if (is_reading_error(x)) {
        uint64_t head_ns = began + x->outcome.attempts[x->outcome.attempt_count - 1].first_byte_ns;
        *cause = REMORA_CAUSE_RESPONSE_TIMEOUT;
        due = error_due(x, head_ns);
    } else if (x->run.delivery == REMORA_UNARY && !(x->run.sends_events && x->run.has_byte)) {
        *cause = REMORA_CAUSE_RESPONSE_TIMEOUT;
        due = after_ms(began, limits->response_ms);
    } else if (!x->run.has_byte) {
        *cause = REMORA_CAUSE_FIRST_BYTE_TIMEOUT;
        due = after_ms(began, limits->first_byte_ms);
    } else {
        *cause = REMORA_CAUSE_IDLE_TIMEOUT;
        due = after_ms(x->run.life_ns, idle_ms(x));
    }
    if (decode_is_answered(x)) {
        due = earlier(due, x->run.life_ns + END_NS);
    }
    uint64_t whole = whole_due(x, began);
    if (whole < due) {
        *cause = REMORA_CAUSE_RESPONSE_TIMEOUT;
        due = whole;
    }
    uint64_t total = after_ms(began, limits->total_ms);
    if (total < due) {
        *cause = REMORA_CAUSE_DEADLINE;
        due = total;
    }
    return due;
}

static void fail_late(struct remora_exchange *x, enum remora_cause cause)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    fail.cause = cause;
    remora_fail_set(&fail, REMORA_UPSTREAM_TIMEOUT, NULL,
                    "The provider did not answer in time (%s).", remora_cause_name(cause));
    attempt_fail(x, &fail);
}

static void fail_total(struct remora_exchange *x)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    fail.cause = REMORA_CAUSE_DEADLINE;
    remora_fail_set(&fail, REMORA_DEADLINE, NULL, "The request's total time is spent.");
    attempt_fail(x, &fail);
}

/* The endpoint's own total: another may be asked until there is content; from then on it is the end, and no ill health. */
static void fail_attempt(struct remora_exchange *x, enum remora_cause cause)
{
    if (cause == REMORA_CAUSE_DEADLINE && x->state == STATE_COMMITTED) {
        fail_total(x);
    } else {
        fail_late(x, cause);
    }
}

static void give_notice(struct remora_exchange *x, uint64_t now)
{
    x->notice_ns = now + WAITING_NOTICE_NS;
    exchange_enter(x);
    x->outcome.has_begun |= x->sink->ops->waiting(x->sink);
    exchange_leave(x);
}

static void fired(struct remora_timer *timer)
{
    struct remora_exchange *x = REMORA_CONTAINER_OF(timer, struct remora_exchange, timer);
    uint64_t now = exchange_now(x);
    enum remora_cause cause;
    exchange_enter(x);
    if (now >= x->deadline_ns) {
        fail_total(x);
    } else if (now >= wait_due(x)) {
        entry_give_up(x);
    } else if (now >= attempt_due(x, &cause)) {
        if (is_reading_error(x)) {
            decode_judge_error(x);
        } else if (!decode_settle(x)) {
            fail_attempt(x, cause);
        }
    } else if (now >= x->notice_ns) {
        uint64_t quiet_since = x->state == STATE_COMMITTED ? x->run.handed_ns : 0;
        if (quiet_since + WAITING_NOTICE_NS <= now) {
            give_notice(x, now);
        } else {
            x->notice_ns = quiet_since + WAITING_NOTICE_NS;
        }
    }
    if (!x->is_gone) {
        deadline_arm(x);
    }
    exchange_leave(x);
}

void deadline_begin(struct remora_exchange *x)
{
    int64_t total_ms = x->config->deadlines.total_ms;
    if (x->request->timeout_ms >= 0 && (x->request->timeout_ms < total_ms || total_ms <= 0)) {
        total_ms = x->request->timeout_ms == 0 ? 1 : x->request->timeout_ms;
    }
    x->deadline_ns = after_ms(x->outcome.began_ns, total_ms);
    x->notice_ns = is_stream(x) ? x->outcome.began_ns + WAITING_NOTICE_NS : REMORA_NEVER_NS;
}

void deadline_arm(struct remora_exchange *x)
{
    enum remora_cause cause;
    uint64_t due = earlier(earlier(x->deadline_ns, wait_due(x)),
                           earlier(x->notice_ns, attempt_due(x, &cause)));
    if (due == REMORA_NEVER_NS) {
        remora_timers_disarm(x->engine->use.timers, &x->timer);
        return;
    }
    if (remora_timers_arm(x->engine->use.timers, &x->timer, due, fired) != REMORA_OK) {
        /* Without memory for a timer a request could hang: end it. */
        struct remora_fail fail = REMORA_FAIL_INIT;
        remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
        exchange_fail(x, &fail);
    }
}
