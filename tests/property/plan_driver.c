/*
 * Plans by the thousand: reads cases as JSON lines from standard input and prints what the program makes of each, one JSON
 * line, so that a reference in another language can be held against it without a process per case.
 *
 *   in   {"document": {...}, "environment": {"NAME": "value"}, "request": {...}, "service": "s", "namespace": "n", "key": "k",
 *         "health": {"provider/tag|model": "cooling" | "breaker_open", "provider|NAME of a key": "credential_benched"}}
 *        service, namespace, key, environment and health may be absent; the document is the configuration
 *   out  {"explained": ExplainRouteResponse as `remora route explain -o json` prints it, with "reason" whenever nothing is left,
 *         "heard": [{"model": "m", "endpoint_tag": "t", "provider": the object that a router in the order is sent, or null,
 *                    "dropped": ["provider.only"]}]};
 *        {"refused": "CODE: param: message"} for a document or a request that is refused as such
 *
 * The whole way is the program's own: the document is read as a configuration, the request by the skin, the plan is encoded as
 * explain does and the body of a router built by its adapter. Anything wrong with a line ends the driver with status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remora/caller.h"
#include "remora/clock.h"
#include "remora/health.h"
#include "remora/json.h"
#include "remora/provider.h"
#include "remora/skin.h"

enum { LINE_BYTES = 1 << 20 };

static const uint64_t now_ns = UINT64_C(1000) * REMORA_NS_PER_S;

struct driver {
    struct remora_arena arena; /* of one case */
    struct remora_json_doc doc;
    struct remora_health *health;
    struct remora_config *config;
    struct remora_request request;
    struct remora_policy own;
    struct remora_policy_stack stack;
    struct remora_plan plan;
    struct remora_fail fail;
};

static struct remora_slice text_of(struct driver *d, struct remora_json object, const char *key)
{
    struct remora_slice text = {NULL, 0};
    (void)!remora_json_string(remora_json_get(object, key), &d->arena, &text);
    return text;
}

static const char *look_up(void *context, const char *name)
{
    struct driver *d = context;
    struct remora_json root = remora_json_root(&d->doc);
    struct remora_slice value = text_of(d, remora_json_get(root, "environment"), name);
    return value.length == 0 ? NULL : remora_arena_copy(&d->arena, value).data;
}

static enum remora_code build(struct driver *d)
{
    const struct remora_config_input input = {
        .document = remora_json_raw(remora_json_get(remora_json_root(&d->doc), "document")),
        .document_name = "case",
        .getenv = look_up,
        .getenv_context = d,
        .health = d->health,
    };
    return remora_config_build(&input, &d->config, &d->fail);
}

/* Until the breaker opens; a bench is one call. */
static void make_ill(struct remora_health *health, uint32_t slot, struct remora_json how)
{
    if (remora_json_equals(how, "cooling")) {
        remora_health_cool(health, slot, now_ns, 60 * REMORA_NS_PER_S);
    } else if (remora_json_equals(how, "model_gone")) {
        remora_health_gone(health, slot, now_ns, 60 * REMORA_NS_PER_S);
    } else if (remora_json_equals(how, "credential_benched")) {
        remora_health_bench(health, slot, now_ns);
    }
    for (int i = 0; remora_json_equals(how, "breaker_open") && i < 5; i++) {
        remora_health_failure(health, slot, now_ns);
    }
}

/* "a|b" */
static bool is_pair(struct remora_slice name, struct remora_slice a, struct remora_slice b)
{
    return name.length == a.length + 1 + b.length && memcmp(name.data, a.data, a.length) == 0 &&
           name.data[a.length] == '|' &&
           memcmp(name.data + a.length + 1, b.data, b.length) == 0;
}

static void make_endpoints_ill(struct driver *d, struct remora_slice name, struct remora_json how)
{
    for (size_t i = 0; i < d->config->model_count; i++) {
        const struct remora_model *model = &d->config->models[i];
        for (size_t k = 0; k < model->endpoint_count; k++) {
            const struct remora_endpoint *endpoint = &model->endpoints[k];
            if (is_pair(name, endpoint->facts.tag, model->facts.id)) {
                make_ill(d->health, endpoint->health, how);
            }
        }
    }
}

static void make_keys_ill(struct driver *d, struct remora_slice name, struct remora_json how)
{
    for (size_t i = 0; i < d->config->provider_count; i++) {
        const struct remora_provider *provider = &d->config->providers[i];
        for (size_t k = 0; k < provider->credential_count; k++) {
            if (is_pair(name, provider->facts.slug, provider->credentials[k].name)) {
                make_ill(d->health, provider->credentials[k].health, how);
            }
        }
    }
}

static void apply_health(struct driver *d)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, remora_json_get(remora_json_root(&d->doc), "health"));
    while (remora_json_iter_next(&it)) {
        struct remora_slice name;
        if (!remora_json_string(it.key, &d->arena, &name)) {
            exit(1);
        }
        make_endpoints_ill(d, name, it.value);
        make_keys_ill(d, name, it.value);
    }
}

static enum remora_code read_request(struct driver *d)
{
    struct remora_json root = remora_json_root(&d->doc);
    const struct remora_named_caller named = {.service = text_of(d, root, "service"),
                                              .namespace_name = text_of(d, root, "namespace"),
                                              .key = text_of(d, root, "key")};
    struct remora_encoder ignored = {.skin = &remora_skin_chat_completions};
    const struct remora_skin_input input = {.body =
                                                remora_json_raw(remora_json_get(root, "request")),
                                            .surface = REMORA_SURFACE_OPENROUTER};
    remora_request_init(&d->request);
    d->request.operation = REMORA_OPERATION_CHAT;
    enum remora_code code = remora_caller_named(d->config, &named, &d->request.identity, &d->fail);
    return code == REMORA_OK
               ? ignored.skin->parse(&input, &d->arena, &d->request, &ignored, &d->fail)
               : code;
}

static enum remora_code plan(struct driver *d)
{
    struct remora_random random;
    remora_random_seed(&random, 1);
    remora_config_stack(d->config, &d->request.identity, &d->stack);
    remora_policy_init(&d->own);
    d->own.provider = d->request.provider;
    d->stack.layers[REMORA_LAYER_REQUEST] = &d->own;
    const struct remora_plan_input input = {.config = d->config,
                                            .request = &d->request,
                                            .stack = &d->stack,
                                            .health = d->health,
                                            .random = &random,
                                            .now_ns = now_ns};
    return remora_plan_build(&input, &d->arena, &d->plan, &d->fail);
}

static void print_refused(const struct driver *d)
{
    char text[640];
    struct remora_buf out;
    struct remora_json_writer w;
    snprintf(text, sizeof text, "%s: %s: %s", remora_code_row(d->fail.code)->name, d->fail.param,
             d->fail.message);
    remora_buf_init(&out, LINE_BYTES);
    remora_json_write_begin(&w, &out);
    remora_json_object_open(&w);
    remora_json_key(&w, "refused");
    remora_json_write_text(&w, text);
    remora_json_object_close(&w);
    printf("%.*s\n", REMORA_SLICE_ARG(remora_buf_slice(&out)));
    remora_buf_fini(&out);
}

/* ---- what a router hears ---- */

static void write_name(struct remora_json_writer *w, const char *key, struct remora_slice name)
{
    remora_json_key(w, key);
    remora_json_write_string(w, name);
}

static struct remora_slice body_of(struct driver *d, const struct remora_http_request *http)
{
    char *body = remora_arena_alloc(&d->arena, http->body_bytes + 1);
    size_t at = 0;
    for (size_t i = 0; i < http->body_pieces && body != NULL; i++) {
        memcpy(body + at, http->body[i].data, http->body[i].length);
        at += http->body[i].length;
    }
    return remora_slice(body, at);
}

/* The member of the body that would be sent. */
static void write_sent(struct driver *d, const struct remora_build_output *built,
                       struct remora_json_writer *w)
{
    const struct remora_json_limits limits = {.depth = 64, .nodes = 200000};
    struct remora_json_doc doc;
    struct remora_json_error error;
    if (remora_json_parse(body_of(d, &built->http), &d->arena, &limits, &doc, &error) !=
        REMORA_OK) {
        exit(1);
    }
    struct remora_json sent = remora_json_get(remora_json_root(&doc), "provider");
    remora_json_key(w, "provider");
    if (remora_json_is_absent(sent)) {
        remora_json_write_null(w);
    } else {
        remora_json_write_raw(w, remora_json_raw(sent));
    }
}

static void write_dropped(const struct remora_build_output *built, struct remora_json_writer *w)
{
    remora_json_key(w, "dropped");
    remora_json_array_open(w);
    for (size_t i = 0; i < built->dropped_count; i++) {
        struct remora_slice name = remora_dropped_name(&built->dropped[i]);
        if (remora_slice_starts_with(name, REMORA_SLICE("provider."))) {
            remora_json_write_string(w, name);
        }
    }
    remora_json_array_close(w);
}

static void write_router(struct driver *d, const struct remora_endpoint *endpoint,
                         struct remora_json_writer *w)
{
    static struct remora_build_output built;
    const struct remora_adapter *adapter = remora_adapter_for(endpoint->provider->facts.wire);
    struct remora_build_input input = {.request = &d->request, .endpoint = endpoint};
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_build_take_policy(&input, &d->plan.policy);
    if (adapter->build(&input, &d->arena, &built, &fail) != REMORA_OK) {
        exit(1);
    }
    remora_json_object_open(w);
    write_name(w, "model", endpoint->model->facts.id);
    write_name(w, "endpoint_tag", endpoint->facts.tag);
    write_sent(d, &built, w);
    write_dropped(&built, w);
    remora_json_object_close(w);
}

static void write_heard(struct driver *d, struct remora_json_writer *w)
{
    remora_json_key(w, "heard");
    remora_json_array_open(w);
    for (size_t i = 0; i < d->plan.order_count; i++) {
        const struct remora_endpoint *endpoint =
            d->plan.candidates[d->plan.order[i]].endpoint;
        if (remora_routes_further(&endpoint->provider->facts)) {
            write_router(d, endpoint, w);
        }
    }
    remora_json_array_close(w);
}

static void print_plan(struct driver *d)
{
    struct remora_buf explained;
    struct remora_buf out;
    struct remora_json_writer w;
    const struct remora_explanation explanation = {.plan = &d->plan,
                                                   .service = d->request.identity.service,
                                                   .policy_revision = d->config->revision,
                                                   .fail = &d->fail};
    remora_buf_init(&explained, LINE_BYTES);
    remora_explain_body(&explanation, &explained);
    remora_buf_init(&out, 2 * LINE_BYTES);
    remora_json_write_begin(&w, &out);
    remora_json_object_open(&w);
    remora_json_key(&w, "explained");
    remora_json_write_raw(&w, remora_buf_slice(&explained));
    write_heard(d, &w);
    remora_json_object_close(&w);
    if (remora_buf_code(&explained) != REMORA_OK || remora_buf_code(&out) != REMORA_OK) {
        exit(1);
    }
    printf("%.*s\n", REMORA_SLICE_ARG(remora_buf_slice(&out)));
    remora_buf_fini(&explained);
    remora_buf_fini(&out);
}

static void run_case(struct driver *d)
{
    d->fail = (struct remora_fail)REMORA_FAIL_INIT;
    d->config = NULL;
    d->health = remora_health_new();
    if (d->health == NULL) {
        exit(1);
    }
    enum remora_code code = build(d);
    if (code == REMORA_OK) {
        apply_health(d);
        code = read_request(d);
    }
    bool is_planned = code == REMORA_OK;
    if (is_planned) {
        code = plan(d);
    }
    if (is_planned && remora_plan_is_made(code)) {
        print_plan(d);
    } else {
        print_refused(d);
    }
    remora_config_release(d->config);
    remora_health_free(d->health);
}

int main(void)
{
    static struct driver d;
    static char line[LINE_BYTES];
    const struct remora_json_limits limits = {.depth = 64, .nodes = 200000};
    remora_arena_init(&d.arena, 1 << 16, 1 << 26);
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct remora_json_error error;
        remora_arena_reset(&d.arena);
        if (remora_json_parse(remora_slice(line, strlen(line)), &d.arena, &limits, &d.doc,
                              &error) != REMORA_OK) {
            fprintf(stderr, "not JSON at %zu: %s\n", error.offset, error.reason);
            return 1;
        }
        run_case(&d);
    }
    remora_arena_fini(&d.arena);
    return 0;
}
