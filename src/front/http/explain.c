/*
 * POST /v1/route/explain on the admin listener: who would be tried for a chat request that is not sent, and why not the
 * others, as things stand now (health included).
 *
 *   1. the head names whose policy: ?service=, ?namespace= and ?key= (the name of a gateway key, never a key), or the headers
 *      x-remora-service, x-remora-namespace, x-remora-key; without any it is the configured service. Its trial features
 *      (remora/betas.h) are read as a chat's: endpoints may be out for them
 *   2. the body is that of POST /v1/chat/completions, read by the skin that serves it
 *   3. an exchange makes the plan that its start would make, and is given back
 *
 * A plan that leaves nothing is an answer (200, with `reason`); a request that would be refused as such is refused the same.
 */
#include "chat_head.h"
#include "remora/caller.h"
#include "remora/memory.h"

struct explain {
    struct http_connection *c;
    struct remora_arena arena; /* what the head says */
    struct remora_buf body;
    struct remora_named_caller named;
    const struct remora_slices *betas; /* trial features, as for a chat; NULL: none */
};

enum { NAMES_BYTES = 4096 };

static void explain_free(struct explain *e)
{
    remora_arena_fini(&e->arena);
    remora_buf_fini(&e->body);
    remora_free(e);
}

/* ---- 1. whose policy ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded in the arena (RFC 3986 section 2.1); a '%' without two digits stays what it is. */
static struct remora_slice decode(struct remora_arena *arena, struct remora_slice text)
{
    char *out = remora_arena_alloc(arena, text.length + 1);
    size_t length = 0;
    if (out == NULL) {
        return remora_slice(NULL, 0);
    }
    for (size_t i = 0; i < text.length; i++) {
        int high = text.data[i] == '%' && i + 2 < text.length ? digit_of(text.data[i + 1]) : -1;
        int low = high >= 0 ? digit_of(text.data[i + 2]) : -1;
        out[length++] = low >= 0 ? (char)(high * 16 + low) : text.data[i];
        i += low >= 0 ? 2 : 0;
    }
    return remora_slice(out, length);
}

static struct remora_slice *place_of(struct explain *e, struct remora_slice name)
{
    if (remora_slice_is(name, "service")) {
        return &e->named.service;
    }
    if (remora_slice_is(name, "namespace")) {
        return &e->named.namespace_name;
    }
    return remora_slice_is(name, "key") ? &e->named.key : NULL;
}

static bool read_pair(struct explain *e, struct remora_slice pair, struct remora_fail *fail)
{
    size_t equals = remora_slice_find(pair, '=', 0);
    struct remora_slice *place = place_of(e, remora_slice(pair.data, equals));
    if (place == NULL || equals == pair.length) {
        (void)remora_fail_set(fail, REMORA_INVALID_REQUEST, "query",
                              "takes service=, namespace= and key= only");
        return false;
    }
    *place = decode(&e->arena, remora_slice(pair.data + equals + 1, pair.length - equals - 1));
    return true;
}

static bool read_query(struct explain *e, const struct http_head *head, struct remora_fail *fail)
{
    struct remora_slice target = head->target;
    size_t at = remora_slice_find(target, '?', 0);
    while (at < target.length) {
        size_t end = remora_slice_find(target, '&', at + 1);
        if (!read_pair(e, remora_slice(target.data + at + 1, end - at - 1), fail)) {
            return false;
        }
        at = end;
    }
    return true;
}

static bool read_names(struct explain *e, const struct http_head *head, struct remora_fail *fail)
{
    e->named = (struct remora_named_caller){
        .service = remora_arena_copy(&e->arena, http_head_get(head, "x-remora-service")),
        .namespace_name = remora_arena_copy(&e->arena, http_head_get(head, "x-remora-namespace")),
        .key = remora_arena_copy(&e->arena, http_head_get(head, "x-remora-key")),
    };
    REMORA_NOT_ZEROED struct remora_betas betas;
    if (!read_query(e, head, fail) || !chat_read_betas(head, &betas, fail)) {
        return false;
    }
    e->betas = remora_betas_keep(&betas, &e->arena);
    if (e->arena.failed != REMORA_OK) {
        (void)remora_fail_set(fail, REMORA_TOO_LARGE, "query", "names are too long");
        return false;
    }
    return true;
}

/* ---- 2. and 3. ---- */

static enum remora_code make_plan(struct explain *e, struct remora_exchange *exchange,
                                  const struct remora_plan **plan, struct remora_fail *fail)
{
    struct remora_request *request = remora_exchange_request(exchange);
    struct remora_encoder ignored = {.skin = &remora_skin_chat_completions};
    const struct remora_skin_input input = {.body = remora_buf_slice(&e->body),
                                            .surface = REMORA_SURFACE_OPENROUTER};
    const struct remora_config *config = remora_engine_config(e->c->site->worker->engine);
    enum remora_code code = remora_caller_named(config, &e->named, &request->identity, fail);
    if (code == REMORA_OK) {
        request->operation = REMORA_OPERATION_CHAT;
        request->betas = e->betas;
        request->body_bytes = input.body.length;
        code =
            ignored.skin->parse(&input, remora_exchange_arena(exchange), request, &ignored, fail);
    }
    return code == REMORA_OK ? remora_exchange_plan(exchange, plan, fail) : code;
}

static void respond_plan(struct explain *e, const struct remora_explanation *explanation)
{
    struct http_connection *c = e->c;
    struct http_answer answer = {
        .status = 200, .content_type = "application/json", .retry_after_ms = -1};
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_buf out;
    remora_buf_init(&out, REMORA_LIMIT_MESSAGE_BYTES);
    remora_explain_body(explanation, &out);
    explain_free(e);
    if (remora_buf_code(&out) == REMORA_OK) {
        http_respond(c, &answer, remora_buf_slice(&out));
    } else {
        (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
        http_respond_fail(c, &fail, NULL, NULL);
    }
    remora_buf_fini(&out);
}

static void refuse(struct explain *e, const struct remora_fail *fail)
{
    struct http_connection *c = e->c;
    explain_free(e);
    http_respond_fail(c, fail, NULL, NULL);
}

static void on_whole(void *context)
{
    struct explain *e = context;
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_exchange *exchange = NULL;
    const struct remora_plan *plan = NULL;
    struct remora_engine *engine = e->c->site->worker->engine;
    if (remora_exchange_new(engine, remora_buf_slice(&e->body).length, &exchange, &fail) !=
        REMORA_OK) {
        refuse(e, &fail);
        return;
    }
    enum remora_code code = make_plan(e, exchange, &plan, &fail);
    if (plan == NULL || !remora_plan_is_made(code)) {
        refuse(e, &fail);
    } else {
        const struct remora_explanation explanation = {
            .plan = plan,
            .service = remora_exchange_request(exchange)->identity.service,
            .policy_revision = remora_engine_config(engine)->revision,
            .fail = &fail};
        respond_plan(e, &explanation);
    }
    remora_exchange_discard(exchange);
}

/* ---- the call ---- */

static enum remora_code on_body(void *context, struct remora_slice bytes, struct remora_fail *fail)
{
    struct explain *e = context;
    remora_buf_append(&e->body, bytes);
    enum remora_code code = remora_buf_code(&e->body);
    return code == REMORA_OK ? code
                             : remora_fail_set(fail, code, NULL, "The request body is too large.");
}

static void on_gone(void *context)
{
    explain_free(context);
}

static const struct http_call_ops call_ops = {.body = on_body, .whole = on_whole, .gone = on_gone};

void http_route_explain(struct http_connection *c, const struct http_head *head)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct explain *e = remora_alloc(sizeof *e);
    if (e == NULL) {
        (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    e->c = c;
    remora_arena_init(&e->arena, NAMES_BYTES, 4 * NAMES_BYTES);
    remora_buf_init(&e->body, REMORA_LIMIT_MESSAGE_BYTES);
    if (!read_names(e, head, &fail)) {
        refuse(e, &fail);
        return;
    }
    http_call_begin(c, &call_ops, e);
}
