/*
 * The admin listener's own routes: the effective configuration without its secrets, and the log level at run time.
 *
 * A level that is set here holds until the next load of a configuration, which brings its own (`log.level`).
 */
#include "http.h"

#include "remora/json.h"
#include "remora/memory.h"
#include "remora/text.h"

enum { LEVEL_BODY_BYTES = 256 };

static void respond_json(struct http_connection *c, struct remora_slice body)
{
    const struct http_answer answer = {
        .status = 200, .content_type = "application/json", .retry_after_ms = -1};
    http_respond(c, &answer, body);
}

void http_config(struct http_connection *c, const struct http_head *head)
{
    (void)head;
    respond_json(c, remora_engine_config(c->site->worker->engine)->effective_json);
}

static void respond_level(struct http_connection *c)
{
    char text[64];
    struct remora_buf body;
    struct remora_json_writer w;
    remora_buf_init_over(&body, text, sizeof text);
    remora_json_write_begin(&w, &body);
    remora_json_object_open(&w);
    remora_json_key(&w, "level");
    remora_json_write_text(&w, remora_log_level_name(remora_log_level()));
    remora_json_object_close(&w);
    respond_json(c, remora_buf_slice(&body));
}

void http_log_level(struct http_connection *c, const struct http_head *head)
{
    (void)head;
    respond_level(c);
}

/* ---- PUT ---- */

struct level_call {
    struct http_connection *c;
    size_t length;
    char body[LEVEL_BODY_BYTES];
};

static enum remora_code on_body(void *context, struct remora_slice bytes, struct remora_fail *fail)
{
    struct level_call *call = context;
    if (bytes.length > sizeof call->body - call->length) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL, "The request body is too large.");
    }
    memcpy(call->body + call->length, bytes.data, bytes.length);
    call->length += bytes.length;
    return REMORA_OK;
}

/* {"level": "debug"} */
static enum remora_code read_level(struct remora_slice body, enum remora_log_level *out,
                                   struct remora_fail *fail)
{
    static const struct remora_json_limits limits = {.depth = 2, .nodes = 8};
    struct remora_json_doc doc;
    struct remora_json_error error = {0};
    struct remora_slice name = {0};
    struct remora_arena arena;
    remora_arena_init(&arena, 1024, 4096);
    bool is_level =
        remora_json_parse(body, &arena, &limits, &doc, &error) == REMORA_OK &&
        remora_json_string(remora_json_get(remora_json_root(&doc), "level"), &arena, &name) &&
        remora_log_level_by_name(name, out);
    remora_arena_fini(&arena);
    return is_level ? REMORA_OK
                    : remora_fail_set(fail, REMORA_INVALID_REQUEST, "level",
                                      "Send {\"level\": \"error\"}, or warn, info or debug.");
}

static void on_whole(void *context)
{
    struct level_call *call = context;
    struct http_connection *c = call->c;
    struct remora_fail fail = REMORA_FAIL_INIT;
    enum remora_log_level level = REMORA_LOG_INFO;
    enum remora_code code = read_level(remora_slice(call->body, call->length), &level, &fail);
    remora_free(call);
    if (code != REMORA_OK) {
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    remora_log_set_level(level);
    const struct remora_log_field field =
        REMORA_LOG_TEXT("log_level", remora_slice_of(remora_log_level_name(level)));
    remora_log(REMORA_LOG_WARN, "log level set", &field, 1);
    respond_level(c);
}

static void on_gone(void *context)
{
    remora_free(context);
}

void http_log_level_put(struct http_connection *c, const struct http_head *head)
{
    static const struct http_call_ops ops = {.body = on_body, .whole = on_whole, .gone = on_gone};
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct level_call *call = remora_alloc(sizeof *call);
    (void)head;
    if (call == NULL) {
        (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    call->c = c;
    http_call_begin(c, &ops, call);
}
