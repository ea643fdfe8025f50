/*
 * What an upstream sends: head, body, end -> events -> guard -> account tap -> hold-back -> sink.
 *
 * A 2xx body is fed to the adapter's decoder; anything else is kept, and classified at its end, at a limit of bytes or
 * after a few seconds (deadline.c), whichever is first: an error must not hold up the fallback. Nothing
 * reaches the sink before the first content event; from then on every event goes straight through. Reasoning that the
 * caller does not want (reasoning.exclude) stops here, so that it commits nothing. When the sink is full the transfer is
 * paused.
 *
 * Ways to fail: the decoder or the guard refuses (broken data, in-band error), the transport ends uncleanly before the
 * answer is complete, neither content for the caller nor a finish reason came, the status is an error. Each goes to
 * attempt_fail with a code and a cause.
 *
 * Sources: ARCHITECTURE 6 "Commit point", "End of stream"; reliability.md F8 to F36.
 */
#include "admission.h"
#include "exchange_private.h"
#include "remora/text.h"

static struct remora_decoder *decoder_of(struct remora_exchange *x)
{
    return (struct remora_decoder *)(void *)x->run.decoder;
}

/* ---- hold-back ---- */

static void hold_text(char *out, size_t size, struct remora_slice text)
{
    size_t length = remora_utf8_cut(text, size - 1);
    if (length > 0) {
        memcpy(out, text.data, length);
    }
    out[length] = '\0';
}

static void hold_started(struct remora_exchange *x, const struct remora_event *event)
{
    struct held_start *held = &x->started;
    hold_text(held->upstream_id, sizeof held->upstream_id, event->started.upstream_id);
    hold_text(held->model, sizeof held->model, event->started.model);
    hold_text(held->system_fingerprint, sizeof held->system_fingerprint,
              event->started.system_fingerprint);
    hold_text(held->service_tier, sizeof held->service_tier, event->started.service_tier);
    held->created_unix_s = event->started.created_unix_s;
}

static enum remora_code hold_finish(struct remora_exchange *x, const struct remora_event *event)
{
    struct held_finish *held = remora_arena_alloc(&x->arena, sizeof *held);
    struct remora_slice native = remora_arena_copy(&x->arena, event->finished.native);
    struct remora_slice stop = {0};
    if (event->finished.stop.length > 0) {
        stop = remora_arena_copy(&x->arena, event->finished.stop);
    }
    if (held == NULL || x->arena.failed != REMORA_OK) {
        return x->arena.failed;
    }
    *held = (struct held_finish){.choice_index = event->choice_index,
                                 .reason = event->finished.reason,
                                 .native = native,
                                 .stop = stop};
    if (x->last_finish == NULL) {
        x->finishes = held;
    } else {
        x->last_finish->next = held;
    }
    x->last_finish = held;
    return REMORA_OK;
}

static size_t content_bytes(const struct remora_event *event)
{
    if (event->kind == REMORA_EVENT_TEXT || event->kind == REMORA_EVENT_REFUSAL) {
        return event->text.text.length;
    }
    if (event->kind == REMORA_EVENT_REASONING) {
        return event->reasoning.block.text.length;
    }
    if (event->kind == REMORA_EVENT_TOOL_CALL) {
        return event->tool_call.name.length + event->tool_call.arguments.length;
    }
    return 0;
}

/* By the clock that is read once per round, which may stand before the precise time of the first content. */
static uint64_t content_ns(const struct remora_exchange *x)
{
    uint64_t after_ns = x->run.life_ns - x->outcome.began_ns;
    return after_ns > x->outcome.first_content_ns ? after_ns : x->outcome.first_content_ns;
}

bool decode_is_answered(const struct remora_exchange *x)
{
    return x->run.is_decoding &&
           ((const struct remora_decoder *)(const void *)x->run.decoder)->is_answered;
}

/* ---- the chain ---- */

/* The model wrote it, the caller does not want it: it is paid for and a sign of life, but nothing that was handed over. What signs a
 * call is no reasoning to read, and without it the next turn is refused. */
static bool is_withheld(const struct remora_exchange *x, const struct remora_event *event)
{
    return x->withholds_reasoning && event->kind == REMORA_EVENT_REASONING &&
           !remora_reasoning_block_signs_call(&event->reasoning.block);
}

static enum remora_code forward(struct remora_exchange *x, const struct remora_event *event)
{
    x->run.answer_bytes += content_bytes(event);
    x->run.has_citations |= event->kind == REMORA_EVENT_ANNOTATION &&
                            remora_slice_is(event->annotation.type, "url_citation");
    if (is_withheld(x, event)) {
        return REMORA_OK;
    }
    if (!x->run.is_shown) {
        exchange_show(x);
    }
    if (x->is_gone) {
        return REMORA_CLIENT_GONE;
    }
    x->run.handed_ns = x->run.life_ns;
    if (remora_event_is_content(event->kind)) {
        x->outcome.content_events++;
        x->outcome.last_content_ns = content_ns(x);
    }
    if (exchange_deliver(x, event) == REMORA_SINK_FULL) {
        x->is_paused = true;
    }
    return x->is_gone ? REMORA_CLIENT_GONE : REMORA_OK;
}

/* Guard, then by kind. */
static enum remora_code take(struct remora_exchange *x, const struct remora_event *event,
                             struct remora_fail *fail)
{
    bool pass = true;
    enum remora_code code = remora_guard_check(&x->run.guard, event, &pass, fail);
    if (code != REMORA_OK) {
        fail->cause = REMORA_CAUSE_BAD_EVENT;
        return code;
    }
    if (!decode_is_answered(x)) { /* else pings prolong nothing */
        x->run.life_ns = exchange_now(x);
    }
    if (!pass) {
        return REMORA_OK;
    }
    switch (event->kind) {
    case REMORA_EVENT_STARTED:
        if (!x->run.is_shown) {
            hold_started(x, event);
        }
        return REMORA_OK;
    case REMORA_EVENT_ALIVE:
        return REMORA_OK;
    case REMORA_EVENT_USAGE:
        remora_usage_merge(&attempt_record(x)->usage, &event->usage);
        return REMORA_OK;
    case REMORA_EVENT_FURTHER:
        further_keep(x, event);
        return REMORA_OK;
    case REMORA_EVENT_CHOICE_FINISHED:
        return x->run.is_shown ? forward(x, event) : hold_finish(x, event);
    case REMORA_EVENT_TEXT:
    case REMORA_EVENT_REASONING:
    case REMORA_EVENT_REFUSAL:
    case REMORA_EVENT_TOOL_CALL:
    case REMORA_EVENT_MEDIA:
    case REMORA_EVENT_ANNOTATION:
    case REMORA_EVENT_EMBEDDING:
    case REMORA_EVENT_RAW:
        return forward(x, event);
    case REMORA_EVENT_ATTEMPT_FAILED:
    case REMORA_EVENT_COMPLETED:
        break; /* the engine's own: an adapter must not make them */
    }
    fail->cause = REMORA_CAUSE_BAD_EVENT;
    return remora_fail_set(fail, REMORA_INTERNAL, NULL, "An adapter made an engine's event.");
}

struct put_context {
    struct remora_exchange *x;
    struct remora_fail *fail;
};

static enum remora_code put(void *context, const struct remora_event *event)
{
    struct put_context *c = context;
    return take(c->x, event, c->fail);
}

/* A decoder's or guard's refusal, as the attempt's failure. */
static void fail_decoding(struct remora_exchange *x, enum remora_code code,
                          struct remora_fail *fail)
{
    if (x->is_gone) {
        return;
    }
    if (fail->code == REMORA_OK) {
        remora_fail_set(fail, code, NULL, "%s", remora_code_row(code)->summary);
    }
    if (fail->code == REMORA_TOO_LARGE) {
        fail->cause = REMORA_CAUSE_TOO_LARGE;
        fail->code =
            REMORA_UPSTREAM_UNAVAILABLE; /* the provider's event, not the caller's request */
    }
    attempt_fail(x, fail);
}

/* The answer is whole. */
static void finish_answer(struct remora_exchange *x)
{
    struct remora_attempt *attempt = attempt_record(x);
    attempt_works(x);
    attempt->had_terminator = decoder_of(x)->had_terminator;
    attempt->lacks_finish = decoder_of(x)->lacks_finish;
    attempt->unknown_finish = decoder_of(x)->unknown_finish;
    attempt->broken_arguments = decoder_of(x)->broken_arguments;
    attempt->missing_choices = decoder_of(x)->missing_choices;
    if (!x->run.is_shown) {
        exchange_show(x); /* finishes without content are an answer, too */
        if (x->is_gone) {
            return;
        }
    }
    if (x->state != STATE_COMMITTED) {
        exchange_commit(x);
    }
    attempt_answered(x);
    exchange_complete(x);
}

/* ---- what the transport calls ---- */

/* It goes to the caller and the log: one that holds a secret of ours is left out. */
static void keep_request_id(struct remora_attempt *attempt, const struct remora_provider *provider,
                            const struct remora_http_response *head)
{
    struct remora_slice id = remora_response_header(head, "x-request-id");
    if (id.length == 0) {
        id = remora_response_header(head, "request-id");
    }
    if (remora_provider_echoes_secret(provider, id)) {
        id.length = 0;
    }
    size_t length = 0;
    for (size_t i = 0; i < id.length && length + 1 < sizeof attempt->upstream_request_id; i++) {
        unsigned char c = (unsigned char)id.data[i];
        if (c > 0x20 && c < 0x7f) {
            attempt->upstream_request_id[length++] = (char)c;
        }
    }
    attempt->upstream_request_id[length] = '\0';
}

/* The head of an error must live until its body has come. */
static void keep_error_head(struct remora_exchange *x, const struct remora_http_response *head)
{
    struct remora_header *headers =
        remora_arena_array(&x->arena, head->header_count + 1, sizeof *headers);
    x->run.error_head.status = head->status;
    if (headers == NULL) {
        return; /* classified by its status alone */
    }
    for (size_t i = 0; i < head->header_count; i++) {
        headers[i].name = remora_arena_copy(&x->arena, head->headers[i].name);
        headers[i].value = remora_arena_copy(&x->arena, head->headers[i].value);
    }
    x->run.error_head.headers = headers;
    x->run.error_head.header_count = head->header_count;
}

/* Some servers answer a unary call with a stream; the decoder takes it as one, and its silence is judged as one's. */
static bool says_events(const struct remora_http_response *head)
{
    static const struct remora_slice type = REMORA_SLICE_INIT("text/event-stream");
    struct remora_slice said = remora_response_header(head, "content-type");
    return said.length >= type.length &&
           remora_slice_equal_nocase(remora_slice(said.data, type.length), type);
}

static void on_head(void *context, const struct remora_http_response *head)
{
    struct remora_exchange *x = context;
    x->run.has_head = true;
    struct remora_attempt *attempt = attempt_record(x);
    attempt->http_status = head->status;
    attempt->first_byte_ns = exchange_now(x) - attempt->began_ns;
    attempt->possibly_billed = head->status >= 200 && head->status < 300;
    keep_request_id(attempt, x->run.endpoint->provider, head);
    x->run.is_answering = head->status >= 200 && head->status < 300;
    if (!x->run.is_answering) {
        keep_error_head(x, head);
        exchange_enter(x);
        deadline_arm(x); /* the body has its own, short time */
        exchange_leave(x);
        return;
    }
    x->run.sends_events = says_events(head);
    struct remora_decoder *decoder = decoder_of(x);
    memset(x->run.decoder, 0, x->run.adapter->decoder_bytes);
    decoder->operation = x->outcome.operation;
    decoder->delivery = x->run.delivery;
    decoder->endpoint = x->run.endpoint;
    decoder->generation_id = remora_slice_of(x->outcome.generation_id);
    decoder->choice_count = x->run.choice_count;
    x->run.adapter->decode_begin(decoder);
    x->run.is_decoding = true;
}

static void keep_error_body(struct remora_exchange *x, struct remora_slice bytes)
{
    struct remora_buf *body = &x->run.error_body;
    size_t room = body->limit_bytes - body->length;
    remora_buf_append(body, remora_slice(bytes.data, bytes.length < room ? bytes.length : room));
    if (bytes.length >= room) {
        decode_judge_error(x);
    }
}

/* Lets go of a transfer whose answer is complete, so that its connection serves again. */
static void release_transfer(struct remora_exchange *x)
{
    struct remora_transport *transport = x->engine->use.transport;
    struct remora_transfer *transfer = x->run.transfer;
    x->run.transfer = NULL;
    transport->ops->release(transport, transfer);
}

/* A stream that has begun may stay open for long, and between its chunks it holds no chunk of an arena. */
static void forget_scratch(struct remora_exchange *x)
{
    if (x->state == STATE_COMMITTED) {
        remora_arena_fini(&x->scratch);
    } else {
        remora_arena_reset(&x->scratch);
    }
}

/* Neither content for the caller nor a finish reason of the provider's: no answer, whatever the model thought meanwhile. */
static enum remora_code refuse_empty(struct remora_exchange *x, struct remora_fail *fail)
{
    if (x->run.is_shown || !decoder_of(x)->lacks_finish) {
        return REMORA_OK;
    }
    fail->cause = REMORA_CAUSE_EMPTY;
    return remora_fail_set(fail, REMORA_UPSTREAM_UNAVAILABLE, NULL,
                           "The provider's answer was empty.");
}

static enum remora_code decode_end(struct remora_exchange *x, enum remora_end end,
                                   const struct remora_event_out *out, struct remora_fail *fail)
{
    enum remora_code code = x->run.adapter->decode_end(decoder_of(x), end, &x->scratch, out, fail);
    remora_arena_reset(&x->scratch);
    return code == REMORA_OK && !x->is_gone ? refuse_empty(x, fail) : code;
}

static enum remora_flow feed(struct remora_exchange *x, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct put_context put_context = {.x = x, .fail = &fail};
    const struct remora_event_out out = {.put = put, .context = &put_context};
    const struct remora_adapter *adapter = x->run.adapter;
    bool was_answered = decode_is_answered(x);
    enum remora_code code = adapter->decode_feed(decoder_of(x), bytes, &x->scratch, &out, &fail);
    forget_scratch(x);
    if (x->is_gone) {
        return REMORA_FLOW_GO;
    }
    if (code != REMORA_OK) {
        fail_decoding(x, code, &fail);
        return REMORA_FLOW_GO;
    }
    if (decoder_of(x)->is_done && x->run.delivery == REMORA_STREAM) {
        code = decode_end(x, REMORA_END_CLEAN, &out, &fail);
        if (code != REMORA_OK || x->is_gone) {
            fail_decoding(x, code, &fail);
            return REMORA_FLOW_GO;
        }
        release_transfer(x);
        finish_answer(x);
        return REMORA_FLOW_GO;
    }
    if (decode_is_answered(x) != was_answered) {
        x->run.life_ns = exchange_now(x);
        deadline_arm(x);
    }
    return x->is_paused ? REMORA_FLOW_PAUSE : REMORA_FLOW_GO;
}

enum { UNCOUNTED_BYTES = 64 << 10 };
enum { ROOM_MS = 1000 }; /* when there may be a descriptor again */

/* Until it is told the answer lies in memory; one of usual size is not worth the counting. */
static void count_arriving(struct remora_exchange *x, size_t bytes)
{
    struct attempt_run *run = &x->run;
    if (x->outcome.delivery == REMORA_STREAM) {
        return;
    }
    run->arrived_bytes += bytes;
    if (run->arrived_bytes > UNCOUNTED_BYTES) {
        remora_admission_hold_arriving(x->engine->use.admission,
                                       run->arrived_bytes - run->arriving_bytes);
        run->arriving_bytes = run->arrived_bytes;
    }
}

static enum remora_flow on_body(void *context, struct remora_slice bytes)
{
    struct remora_exchange *x = context;
    exchange_enter(x);
    if (!x->run.is_answering) {
        keep_error_body(x, bytes);
        exchange_leave(x);
        return REMORA_FLOW_GO;
    }
    if (!x->run.has_byte) {
        x->run.has_byte = true;
        x->run.life_ns =
            exchange_now(x); /* from here on only what the decoder makes of the bytes is life */
        deadline_arm(x);     /* from first byte to idle */
    }
    count_arriving(x, bytes.length);
    enum remora_flow flow = x->is_gone ? REMORA_FLOW_GO : feed(x, bytes);
    exchange_leave(x);
    return flow;
}

static void classify(struct remora_exchange *x, struct remora_fail *fail)
{
    const struct remora_upstream_error error = {
        .status = x->run.error_head.status,
        .head = &x->run.error_head,
        .body = remora_buf_slice(&x->run.error_body),
        .now_unix_ms = x->engine->use.clock->unix_ms(x->engine->use.clock),
    };
    x->run.adapter->classify(x->run.endpoint, &error, &x->scratch, fail);
    remora_arena_reset(&x->scratch);
    if (fail->code == REMORA_OK) {
        fail->cause = REMORA_CAUSE_BAD_RESPONSE;
        remora_fail_set(fail, REMORA_UPSTREAM_UNAVAILABLE, NULL, "The provider answered badly.");
    }
    fail->upstream_status = error.status;
}

void decode_judge_error(struct remora_exchange *x)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    classify(x, &fail);
    attempt_fail(x, &fail);
}

/* Of our own making: nothing is known of the provider, and another one would fare no better. */
static void fail_of_ours(struct remora_exchange *x)
{
    struct remora_fail fail = {.cause = REMORA_CAUSE_DESCRIPTORS, .retry_after_ms = ROOM_MS};
    (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL,
                          "the gateway has no descriptor left for a connection; try again");
    attempt_fail(x, &fail);
}

/* Why a transfer without a usable answer ended, as a failure. */
static void fail_transfer(struct remora_exchange *x, const struct remora_transfer_end *end)
{
    if (end->cause == REMORA_CAUSE_DESCRIPTORS) {
        fail_of_ours(x);
        return;
    }
    struct remora_fail fail = REMORA_FAIL_INIT;
    bool is_late = end->cause == REMORA_CAUSE_CONNECT_TIMEOUT;
    fail.cause = end->cause == REMORA_CAUSE_NONE ? REMORA_CAUSE_BAD_RESPONSE : end->cause;
    fail.upstream_status = attempt_record(x)->http_status;
    attempt_record(x)->detail = end->tls_reason;
    remora_fail_set(&fail, is_late ? REMORA_UPSTREAM_TIMEOUT : REMORA_UPSTREAM_UNAVAILABLE, NULL,
                    "The provider could not be reached or answered badly (%s).",
                    remora_cause_name(fail.cause));
    if (end->is_free_resend) {
        fail.cause = REMORA_CAUSE_STALE_CONNECTION;
        if (attempt_resend(x, &fail)) {
            return;
        }
    }
    attempt_fail(x, &fail);
}

bool decode_settle(struct remora_exchange *x)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct put_context put_context = {.x = x, .fail = &fail};
    const struct remora_event_out out = {.put = put, .context = &put_context};
    if (!x->run.is_decoding || !x->run.has_byte) {
        return false;
    }
    enum remora_code code = decode_end(x, REMORA_END_CUT, &out, &fail);
    if (code == REMORA_OK && !x->is_gone) {
        finish_answer(x);
    }
    return code == REMORA_OK || x->is_gone;
}

/* The body of a 2xx answer is over: the adapter judges, with what the framing proved. */
static void end_answer(struct remora_exchange *x, const struct remora_transfer_end *end)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct put_context put_context = {.x = x, .fail = &fail};
    const struct remora_event_out out = {.put = put, .context = &put_context};
    bool is_clean = end->cause == REMORA_CAUSE_NONE;
    bool is_hard = end->cause == REMORA_CAUSE_TOO_LARGE || end->cause == REMORA_CAUSE_BAD_ENCODING;
    enum remora_code code = REMORA_UPSTREAM_UNAVAILABLE;
    if (!is_hard) {
        code = decode_end(x, is_clean ? REMORA_END_CLEAN : REMORA_END_CUT, &out, &fail);
    }
    if (x->is_gone) {
        return;
    }
    if (code == REMORA_OK) {
        finish_answer(x);
    } else if (!is_clean) {
        fail_transfer(x, end);
    } else {
        fail_decoding(x, code, &fail);
    }
}

static void on_end(void *context, const struct remora_transfer_end *end)
{
    struct remora_exchange *x = context;
    x->run.transfer = NULL;
    attempt_record(x)->was_reused = end->was_reused && end->cause != REMORA_CAUSE_NONE;
    attempt_record(x)->possibly_billed =
        attempt_record(x)->possibly_billed || (end->was_sent && !end->got_head);
    exchange_enter(x);
    if (x->run.is_answering) {
        end_answer(x, end);
    } else if (end->got_head && attempt_record(x)->http_status != 0) {
        decode_judge_error(x);
    } else {
        fail_transfer(x, end);
    }
    exchange_leave(x);
}

const struct remora_transfer_callbacks attempt_callbacks = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
};
