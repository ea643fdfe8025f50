#include "engine_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define START_NS (UINT64_C(1000) * REMORA_NS_PER_S)
#define START_MS INT64_C(1800000000000)

static const char document[] =
    "version: 1\n"
    "service: svc\n"
    "providers:\n"
    "  a: {kind: openai, base_url: \"http://127.0.0.1:9001/v1\", api_key: {env: A_KEY}}\n"
    "  b: {kind: openai, base_url: \"http://127.0.0.1:9002/v1\", api_key: {env: B_KEY}}\n"
    "models:\n"
    "  t/m:\n"
    "    context_length: 1000\n"
    "    endpoints:\n"
    "      - {provider: a, model_id: um-a, pricing: {prompt: \"0.000001\", completion: "
    "\"0.000002\"}}\n"
    "      - {provider: b, model_id: um-b, pricing: {prompt: \"0.000003\", completion: "
    "\"0.000004\"}}\n";

/* ---- clock ---- */

static uint64_t fake_now(const struct remora_clock *clock)
{
    return REMORA_CONTAINER_OF(clock, struct engine_fixture, clock)->now_ns;
}

static uint64_t fake_precise_now(const struct remora_clock *clock)
{
    const struct engine_fixture *f = REMORA_CONTAINER_OF(clock, struct engine_fixture, precise);
    return f->now_ns + f->precise_ahead_ns;
}

static int64_t fake_unix_ms(const struct remora_clock *clock)
{
    return START_MS + (int64_t)((fake_now(clock) - START_NS) / REMORA_NS_PER_MS);
}

/* ---- transport ---- */

static struct engine_fixture *fixture_of(struct remora_transport *transport)
{
    return REMORA_CONTAINER_OF(transport, struct engine_fixture, transport);
}

static char *join(const struct remora_http_request *request)
{
    char *text = calloc(1, request->body_bytes + 1);
    size_t at = 0;
    for (size_t i = 0; i < request->body_pieces; i++) {
        memcpy(text + at, request->body[i].data, request->body[i].length);
        at += request->body[i].length;
    }
    assert_int_equal(at, request->body_bytes);
    return text;
}

static enum remora_code script_start(struct remora_transport *transport,
                                     const struct remora_transfer_input *input,
                                     struct remora_transfer **out)
{
    struct engine_fixture *f = fixture_of(transport);
    if (f->next_start != REMORA_OK) {
        enum remora_code code = f->next_start;
        f->next_start = REMORA_OK;
        return code;
    }
    assert_true(f->transfer_count < FIXTURE_TRANSFERS);
    struct remora_transfer *transfer = &f->transfers[f->transfer_count++];
    transfer->input = *input;
    transfer->is_live = true;
    snprintf(transfer->provider, sizeof transfer->provider, "%.*s",
             REMORA_SLICE_ARG(input->provider->facts.slug));
    snprintf(transfer->url, sizeof transfer->url, "%.*s", REMORA_SLICE_ARG(input->request->url));
    snprintf(transfer->hops, sizeof transfer->hops, "%.*s", REMORA_SLICE_ARG(input->hops));
    transfer->body = join(input->request);
    *out = transfer;
    return REMORA_OK;
}

static void script_resume(struct remora_transport *transport, struct remora_transfer *transfer)
{
    (void)transport;
    assert_true(transfer->is_live);
    transfer->is_paused = false;
    transfer->resumed++;
}

static bool script_cancel(struct remora_transport *transport, struct remora_transfer *transfer)
{
    struct engine_fixture *f = REMORA_CONTAINER_OF(transport, struct engine_fixture, transport);
    assert_true(transfer->is_live);
    transfer->is_live = false;
    transfer->was_cancelled = true;
    return !f->is_stuck;
}

static void script_release(struct remora_transport *transport, struct remora_transfer *transfer)
{
    (void)transport;
    assert_true(transfer->is_live);
    transfer->is_live = false;
    transfer->was_released = true;
}

static const struct remora_transport_ops script_ops = {
    .start = script_start,
    .resume = script_resume,
    .cancel = script_cancel,
    .release = script_release,
};

/* ---- sink ---- */

static void say_object(struct remora_buf *said, const char *what, struct remora_slice object)
{
    if (object.length > 0) {
        remora_buf_printf(said, "%s %.*s\n", what, REMORA_SLICE_ARG(object));
    }
}

/* What only some providers tell of an answer. */
static void say_origin(struct remora_buf *said, const struct remora_event *event)
{
    if (event->started.service_tier.length > 0) {
        remora_buf_printf(said, "origin %.*s at %lld, %.*s, %.*s\n",
                          REMORA_SLICE_ARG(event->started.upstream_id),
                          (long long)event->started.created_unix_s,
                          REMORA_SLICE_ARG(event->started.system_fingerprint),
                          REMORA_SLICE_ARG(event->started.service_tier));
    }
}

static void say_event(struct remora_buf *said, const struct remora_event *event)
{
    switch (event->kind) {
    case REMORA_EVENT_ATTEMPT_FAILED:
        remora_buf_printf(said, "attempt_failed %.*s %s%s\n",
                          REMORA_SLICE_ARG(event->attempt->provider),
                          remora_code_row(event->attempt->code)->name,
                          event->attempt->is_resend ? " (re-send)" : "");
        return;
    case REMORA_EVENT_STARTED:
        remora_buf_printf(said, "started %.*s by %.*s\n", REMORA_SLICE_ARG(event->started.model),
                          REMORA_SLICE_ARG(event->started.served->facts.provider));
        say_origin(said, event);
        return;
    case REMORA_EVENT_TEXT:
        remora_buf_printf(said, "text %d %.*s\n", (int)event->choice_index,
                          REMORA_SLICE_ARG(event->text.text));
        return;
    case REMORA_EVENT_TOOL_CALL:
        remora_buf_printf(said, "tool %d %.*s %.*s\n", (int)event->tool_call.index,
                          REMORA_SLICE_ARG(event->tool_call.name),
                          REMORA_SLICE_ARG(event->tool_call.arguments));
        return;
    case REMORA_EVENT_CHOICE_FINISHED:
        remora_buf_printf(said, "finished %d %s", (int)event->choice_index,
                          remora_finish_name(event->finished.reason));
        if (event->finished.stop.length > 0) {
            remora_buf_printf(said, " at %.*s", REMORA_SLICE_ARG(event->finished.stop));
        }
        remora_buf_append_byte(said, '\n');
        return;
    case REMORA_EVENT_COMPLETED:
        remora_buf_printf(said, "completed %lld+%lld\n",
                          (long long)remora_usage_input_total(&event->outcome->usage),
                          (long long)remora_usage_output_total(&event->outcome->usage));
        say_object(said, "further", event->outcome->further);
        say_object(said, "report", event->outcome->native_usage);
        return;
    case REMORA_EVENT_ALIVE:
    case REMORA_EVENT_USAGE:
    case REMORA_EVENT_FURTHER:
    case REMORA_EVENT_REASONING:
    case REMORA_EVENT_REFUSAL:
    case REMORA_EVENT_MEDIA:
    case REMORA_EVENT_ANNOTATION:
    case REMORA_EVENT_EMBEDDING:
    case REMORA_EVENT_RAW:
        remora_buf_printf(said, "event %d\n", (int)event->kind);
        return;
    }
}

static enum remora_sink_state record_event(struct remora_sink *sink,
                                           const struct remora_event *event)
{
    struct engine_fixture *f = REMORA_CONTAINER_OF(sink, struct engine_fixture, sink);
    say_event(&f->said, event);
    f->events++;
    if (event->kind == REMORA_EVENT_COMPLETED) {
        f->exchange = NULL;
        return REMORA_SINK_READY;
    }
    bool is_content = remora_event_is_content(event->kind);
    if (is_content) {
        f->arena_bytes_at_content = remora_exchange_arena(f->exchange)->taken_bytes;
    }
    if ((is_content && f->cancels_at_content) || f->events == f->cancels_at_event) {
        struct remora_exchange *x = f->exchange;
        f->exchange = NULL;
        remora_exchange_cancel(x, REMORA_CLIENT_GONE);
    }
    return f->is_full ? REMORA_SINK_FULL : REMORA_SINK_READY;
}

static bool record_waiting(struct remora_sink *sink)
{
    struct engine_fixture *f = REMORA_CONTAINER_OF(sink, struct engine_fixture, sink);
    remora_buf_append_text(&f->said, "waiting\n");
    return f->gives_notice;
}

static void record_failed(struct remora_sink *sink, const struct remora_outcome *outcome)
{
    struct engine_fixture *f = REMORA_CONTAINER_OF(sink, struct engine_fixture, sink);
    const char *when = outcome->content_events > 0 ? " after content" : " after a notice";
    remora_buf_printf(&f->said, "failed %s%s\n", remora_code_row(outcome->fail.code)->name,
                      outcome->has_begun ? when : "");
    f->exchange = NULL;
}

static const struct remora_sink_ops record_ops = {
    .event = record_event,
    .waiting = record_waiting,
    .failed = record_failed,
};

static void observe_attempt(struct remora_observer *observer, const struct remora_outcome *outcome,
                            const struct remora_attempt *attempt)
{
    (void)outcome;
    (void)attempt;
    REMORA_CONTAINER_OF(observer, struct engine_fixture, observer)->attempts_observed++;
}

/* A copy that outlives the exchange points into itself. */
static void copy_outcome(struct remora_outcome *to, const struct remora_outcome *from)
{
    *to = *from;
    for (size_t i = 0; i < remora_skipped_kept(to->skipped_count); i++) {
        if (to->skipped[i].is_asked) {
            to->skipped[i].model.data =
                to->skipped_text + (from->skipped[i].model.data - from->skipped_text);
        }
    }
}

static void observe_settled(struct remora_observer *observer, const struct remora_outcome *outcome)
{
    struct engine_fixture *f = REMORA_CONTAINER_OF(observer, struct engine_fixture, observer);
    f->settled++;
    copy_outcome(&f->outcome, outcome);
}

/* ---- the fixture ---- */

static const char *fake_getenv(void *context, const char *name)
{
    (void)context;
    size_t length = strlen(name);
    if (strcmp(name, "CAPS_KEY") == 0) {
        return "CANARY-07";
    }
    return length > 4 && strcmp(name + length - 4, "_KEY") == 0 && length < 8 ? "secret-canary"
                                                                              : NULL;
}

static void load(struct engine_fixture *f, const char *yaml)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_config_input input = {
        .document = remora_slice_of(yaml),
        .document_name = "test",
        .getenv = fake_getenv,
        .health = f->health,
        .now_unix_ms = START_MS,
    };
    if (remora_config_build(&input, &f->config, &fail) != REMORA_OK) {
        fail_msg("the fixture's document: %s: %s", fail.param, fail.message);
    }
}

static void note_wake(void *context)
{
    ((struct engine_fixture *)context)->woken++;
}

struct engine_fixture *fixture_new_yaml(const char *yaml)
{
    struct engine_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->transport.ops = &script_ops;
    f->clock = (struct remora_clock){.now_ns = fake_now, .unix_ms = fake_unix_ms};
    f->precise = (struct remora_clock){.now_ns = fake_precise_now};
    f->now_ns = START_NS;
    f->sink.ops = &record_ops;
    f->observer = (struct remora_observer){.attempt = observe_attempt, .settled = observe_settled};
    remora_timers_init(&f->timers);
    remora_random_seed(&f->random, 1);
    remora_buf_init(&f->said, 1 << 20);
    f->health = remora_health_new();
    f->admission = remora_admission_new();
    snprintf(f->hop.text, sizeof f->hop.text, "this-engine");
    load(f, yaml);
    const struct remora_engine_input input = {
        .transport = &f->transport,
        .clock = &f->clock,
        .precise = &f->precise,
        .timers = &f->timers,
        .random = &f->random,
        .health = f->health,
        .admission = f->admission,
        .observer = &f->observer,
        .hop = &f->hop,
        .wake = note_wake,
        .wake_context = f,
    };
    f->engine = remora_engine_new(&input);
    assert_non_null(f->engine);
    remora_engine_set_config(f->engine, f->config);
    return f;
}

struct engine_fixture *fixture_new(const char *more)
{
    char yaml[8192];
    snprintf(yaml, sizeof yaml, "%s%s", document, more);
    return fixture_new_yaml(yaml);
}

void fixture_forget(struct engine_fixture *f)
{
    for (size_t i = 0; i < f->transfer_count; i++) {
        assert_false(f->transfers[i].is_live);
        free(f->transfers[i].body);
    }
    f->transfer_count = 0;
}

void fixture_free(struct engine_fixture *f)
{
    if (f->exchange != NULL) {
        remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    }
    fixture_forget(f);
    assert_int_equal(remora_engine_inflight(f->engine), 0);
    assert_int_equal(remora_admission_inflight(f->admission), 0);
    assert_int_equal(remora_admission_bytes(f->admission), 0);
    assert_int_equal(remora_timers_next_ns(&f->timers), REMORA_NEVER_NS);
    remora_engine_free(f->engine);
    remora_config_release(f->config);
    remora_admission_free(f->admission);
    remora_health_free(f->health);
    remora_timers_fini(&f->timers);
    remora_buf_fini(&f->said);
    free(f);
}

static struct remora_slices list_models(struct remora_arena *arena, const char *const *models)
{
    struct remora_slices list = {0};
    while (models != NULL && models[list.count] != NULL) {
        list.count++;
    }
    struct remora_slice *items = remora_arena_array(arena, list.count + 1, sizeof *items);
    assert_non_null(items);
    for (size_t i = 0; i < list.count; i++) {
        items[i] = remora_slice_of(models[i]);
    }
    list.items = items;
    list.is_set = list.count > 0;
    return list;
}

void fixture_start_with(struct engine_fixture *f, enum remora_delivery delivery, const char *model,
                        const char *const *models, int64_t timeout_ms)
{
    static const struct remora_part part = {.kind = REMORA_PART_TEXT,
                                            .text = REMORA_SLICE_INIT("hi")};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1, .content_is_text = true};
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(remora_exchange_new(f->engine, 64, &f->exchange, &fail), REMORA_OK);
    struct remora_request *request = remora_exchange_request(f->exchange);
    request->delivery = delivery;
    request->identity.service = f->config->service;
    request->identity.key_id = remora_slice_of(f->key_id == NULL ? "" : f->key_id);
    request->sampling.max_output_tokens =
        (struct remora_opt_i64){f->max_output_tokens, f->max_output_tokens > 0};
    request->sampling.choice_count = (struct remora_opt_i64){f->choice_count, f->choice_count > 0};
    request->reasoning.exclude_from_response = f->excludes_reasoning;
    request->wants_further = f->wants_further;
    request->api = REMORA_SLICE("test");
    request->hops = remora_slice_of(f->hops);
    request->model = remora_slice_of(model);
    request->models = list_models(remora_exchange_arena(f->exchange), models);
    request->messages = f->message == NULL ? &message : f->message;
    request->message_count = 1;
    request->web_search_options_json = remora_slice_of(f->search_options);
    request->service_tier = remora_slice_of(f->service_tier);
    request->timeout_ms = timeout_ms;
    request->body_bytes = 64;
    remora_exchange_start(f->exchange, &f->sink);
}

void fixture_start(struct engine_fixture *f, enum remora_delivery delivery, const char *model)
{
    fixture_start_with(f, delivery, model, NULL, -1);
}

void fixture_pass_ms(struct engine_fixture *f, int64_t ms)
{
    f->now_ns += (uint64_t)ms * REMORA_NS_PER_MS;
    remora_timers_run(&f->timers, f->now_ns);
}

/* ---- playing ---- */

static struct remora_transfer *live(struct engine_fixture *f, size_t index)
{
    if (index >= f->transfer_count || !f->transfers[index].is_live) {
        fail_msg("transfer %zu is not under way (%zu were started)", index, f->transfer_count);
    }
    return &f->transfers[index];
}

void play_head(struct engine_fixture *f, size_t index, int status, const char *const *headers)
{
    struct remora_transfer *transfer = live(f, index);
    struct remora_header list[8] = {0};
    struct remora_http_response head = {.status = status, .headers = list};
    for (; headers != NULL && headers[head.header_count] != NULL; head.header_count++) {
        struct remora_slice line = remora_slice_of(headers[head.header_count]);
        size_t colon = remora_slice_find(line, ':', 0);
        list[head.header_count].name = remora_slice(line.data, colon);
        list[head.header_count].value =
            remora_slice_trim(remora_slice(line.data + colon + 1, line.length - colon - 1));
    }
    transfer->has_head = true;
    transfer->input.callbacks->on_head(transfer->input.context, &head);
}

enum remora_flow play_body(struct engine_fixture *f, size_t index, const char *bytes)
{
    struct remora_transfer *transfer = live(f, index);
    /* A copy of exactly this size, gone afterwards: an event that is kept too long is found by ASan. */
    size_t length = strlen(bytes);
    char *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, bytes, length);
    enum remora_flow flow =
        transfer->input.callbacks->on_body(transfer->input.context, remora_slice(copy, length));
    free(copy);
    transfer->is_paused = flow == REMORA_FLOW_PAUSE;
    return flow;
}

void play_end(struct engine_fixture *f, size_t index, enum remora_cause cause)
{
    struct remora_transfer *transfer = live(f, index);
    const struct remora_transfer_end end = {
        .cause = cause, .was_sent = true, .got_head = transfer->has_head};
    transfer->is_live = false;
    transfer->input.callbacks->on_end(transfer->input.context, &end);
}

void play_stale(struct engine_fixture *f, size_t index)
{
    struct remora_transfer *transfer = live(f, index);
    const struct remora_transfer_end end = {
        .cause = REMORA_CAUSE_RESET, .was_reused = true, .is_free_resend = true};
    transfer->is_live = false;
    transfer->input.callbacks->on_end(transfer->input.context, &end);
}

void play_answer(struct engine_fixture *f, size_t index, int status, const char *body)
{
    play_head(f, index, status, NULL);
    if (body[0] != '\0') {
        (void)play_body(f, index, body);
    }
    if (f->transfers[index].is_live) {
        play_end(f, index, REMORA_CAUSE_NONE);
    }
}

void play_good_stream(struct engine_fixture *f, size_t index, const char *text)
{
    char chunk[1024];
    snprintf(chunk, sizeof chunk,
             "data: "
             "{\"id\":\"c1\",\"model\":\"um\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%"
             "s\"}}]}\n\n",
             text);
    play_head(f, index, 200, NULL);
    (void)play_body(f, index, CHUNK_ROLE);
    (void)play_body(f, index, chunk);
    (void)play_body(f, index, CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
}

void play_good_unary(struct engine_fixture *f, size_t index, const char *text)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"um\","
             "\"choices\":[{\"index\":0,"
             "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
             "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}",
             text);
    play_answer(f, index, 200, body);
}

void assert_said(struct engine_fixture *f, const char *expected)
{
    assert_slice_equal(remora_buf_slice(&f->said), expected);
}
