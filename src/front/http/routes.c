/*
 * The one table of routes. A path has one spelling: no trailing slash, no dots, exact case, no escapes but those of a model
 * id (ARCHITECTURE 4; reliability.md rows 116 to 118). "{model}" in a row stands for such an id, which may hold a slash; the
 * first row that matches wins. Every GET is a HEAD, too. A row's skin speaks for it from the first refusal on; what has no row, paths
 * of OpenAI's API that are not served among it, is refused in OpenAI's envelope.
 */
#include <stdio.h>

#include "http.h"

struct route {
    struct remora_slice path;
    const char *method;
    enum remora_http_role role;
    http_handler_fn handle;
    remora_listing_fn list; /* instead of handle: a list of the catalog */
    const struct remora_skin *skin;
};

#define ROW(path, method, role, handle, list, skin)                              \
    {                                                                            \
        REMORA_SLICE_INIT(path), (method), REMORA_HTTP_##role, (handle), (list), \
            &remora_skin_##skin                                                  \
    }
#define ROUTE(role, method, path, handle) ROW(path, method, role, handle, NULL, chat_completions)
#define CHAT(path, skin)                                  \
    ROW("/v1" path, "POST", DATA, http_chat, NULL, skin), \
        ROW("/api/v1" path, "POST", DATA, http_chat, NULL, skin)
#define LIST(path, list)                                        \
    ROW("/v1" path, "GET", DATA, NULL, list, chat_completions), \
        ROW("/api/v1" path, "GET", DATA, NULL, list, chat_completions)
static const struct route routes[] = {
    CHAT("/chat/completions", chat_completions),
    LIST("/models", remora_listing_models),
    LIST("/models/user", remora_listing_models),
    LIST("/models/count", remora_listing_count),
    LIST("/models/{model}/endpoints", remora_listing_endpoints),
    LIST("/models/{model}", remora_listing_model),
    LIST("/model/{model}", remora_listing_model_data),
    LIST("/providers", remora_listing_providers),
    LIST("/endpoints/zdr", remora_listing_zdr),
    ROUTE(PROBE, "GET", "/startupz", http_startupz),
    ROUTE(PROBE, "GET", "/livez", http_livez),
    ROUTE(PROBE, "GET", "/readyz", http_readyz),
    ROUTE(PROBE, "GET", "/metrics", http_metrics),
    ROUTE(ADMIN, "GET", "/config/status", http_config_status),
    ROUTE(ADMIN, "POST", "/v1/route/explain", http_route_explain),
    ROUTE(ADMIN, "GET", "/v1/config", http_config),
    ROUTE(ADMIN, "GET", "/v1/log-level", http_log_level),
    ROUTE(ADMIN, "PUT", "/v1/log-level", http_log_level_put),
    ROUTE(DEMO, "POST", "/flaky/v1/chat/completions", http_demo_flaky),
    ROUTE(DEMO, "POST", "/steady/v1/chat/completions", http_demo_steady),
};
#undef LIST
#undef CHAT
#undef ROUTE
#undef ROW

/* Whether the path is the row's; *id is what stands for "{model}". */
static bool matches(const struct route *route, struct remora_slice path, struct remora_slice *id)
{
    static const struct remora_slice hole = REMORA_SLICE_INIT("{model}");
    size_t at = remora_slice_find(route->path, '{', 0);
    *id = remora_slice(NULL, 0);
    if (at == route->path.length) {
        return remora_slice_equal(route->path, path);
    }
    struct remora_slice tail =
        remora_slice(route->path.data + at + hole.length, route->path.length - at - hole.length);
    if (path.length <= at + tail.length || memcmp(path.data, route->path.data, at) != 0 ||
        memcmp(path.data + path.length - tail.length, tail.data, tail.length) != 0) {
        return false;
    }
    *id = remora_slice(path.data + at, path.length - at - tail.length);
    return id->data[0] != '/' && id->data[id->length - 1] != '/';
}

/* First segments behind /v1 of OpenAI's API reference (read 2026-11). */
static const struct remora_slice openai_paths[] = {
    REMORA_SLICE_INIT("/audio"),
    REMORA_SLICE_INIT("/images"),
    REMORA_SLICE_INIT("/videos"),
    REMORA_SLICE_INIT("/files"),
    REMORA_SLICE_INIT("/uploads"),
    REMORA_SLICE_INIT("/batches"),
    REMORA_SLICE_INIT("/fine_tuning"),
    REMORA_SLICE_INIT("/moderations"),
    REMORA_SLICE_INIT("/vector_stores"),
    REMORA_SLICE_INIT("/assistants"),
    REMORA_SLICE_INIT("/threads"),
    REMORA_SLICE_INIT("/conversations"),
    REMORA_SLICE_INIT("/realtime"),
    REMORA_SLICE_INIT("/evals"),
    REMORA_SLICE_INIT("/containers"),
    REMORA_SLICE_INIT("/organization"),
    REMORA_SLICE_INIT("/chat/completions/"),
};

/* Those of OpenAI's and OpenRouter's (openrouter.md section 1) that will be served here. */
static const struct remora_slice unbuilt_paths[] = {
    REMORA_SLICE_INIT("/completions"), REMORA_SLICE_INIT("/responses"),
    REMORA_SLICE_INIT("/messages"),    REMORA_SLICE_INIT("/embeddings"),
    REMORA_SLICE_INIT("/key"),         REMORA_SLICE_INIT("/keys"),
    REMORA_SLICE_INIT("/credits"),     REMORA_SLICE_INIT("/generation"),
};

/* What follows /v1 or /api/v1; empty for any other path. */
static struct remora_slice behind_version(struct remora_slice path)
{
    struct remora_slice prefix = REMORA_SLICE("/api");
    if (remora_slice_starts_with(path, prefix)) {
        path = remora_slice(path.data + prefix.length, path.length - prefix.length);
    }
    prefix = REMORA_SLICE("/v1");
    return remora_slice_starts_with(path, prefix)
               ? remora_slice(path.data + prefix.length, path.length - prefix.length)
               : remora_slice(path.data, 0);
}

static bool is_among(struct remora_slice path, const struct remora_slice *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct remora_slice known = all[i];
        bool is_under = remora_slice_starts_with(path, known) &&
                        (path.length == known.length || known.data[known.length - 1] == '/' ||
                         path.data[known.length] == '/');
        if (is_under) {
            return true;
        }
    }
    return false;
}

/* The first row from `at` on of this listener and path; their number: none. *id as `matches`. */
static size_t find_row(const struct http_site *site, struct remora_slice path, size_t at,
                       struct remora_slice *id)
{
    while (at < REMORA_COUNT_OF(routes) &&
           (routes[at].role != site->role || !matches(&routes[at], path, id))) {
        at++;
    }
    return at;
}

/* A route but for a slash behind it: it has one spelling, and which one is easily said. */
static bool is_route_with_slash(const struct http_site *site, struct remora_slice path)
{
    struct remora_slice id = {0};
    if (path.length < 2 || path.data[path.length - 1] != '/') {
        return false;
    }
    path.length--;
    return find_row(site, path, 0, &id) < REMORA_COUNT_OF(routes);
}

static void answer_unknown(struct http_connection *c, const struct http_head *head)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_slice path = behind_version(head->path);
    bool is_data = c->site->role == REMORA_HTTP_DATA;
    if (is_route_with_slash(c->site, head->path)) {
        (void)remora_fail_set(&fail, REMORA_NOT_FOUND, NULL,
                              "There is no such path here: write it without the slash at its end.");
    } else if (is_data && is_among(path, unbuilt_paths, REMORA_COUNT_OF(unbuilt_paths))) {
        (void)remora_fail_set(&fail, REMORA_UNIMPLEMENTED, NULL,
                              "%.*s is not built yet; this gateway serves /v1/chat/completions and "
                              "/v1/models.",
                              REMORA_SLICE_ARG(head->path));
    } else if (is_data && is_among(path, openai_paths, REMORA_COUNT_OF(openai_paths))) {
        (void)remora_fail_set(&fail, REMORA_NOT_FOUND, NULL,
                              "This path is part of OpenAI's API, but this gateway does not serve "
                              "it; it serves /v1/chat/completions and /v1/models.");
    } else {
        (void)remora_fail_set(&fail, REMORA_NOT_FOUND, NULL, "There is no such path here.");
    }
    http_respond_fail(c, &fail, NULL, NULL);
}

/* Before anything is looked up: who has no key learns nothing of what is here. */
static void refuse_caller(struct http_connection *c, const struct remora_fail *fail)
{
    const struct remora_slice api = REMORA_SLICE("http");
    remora_metric_add(c->site->worker->metrics, REMORA_METRIC_UNAUTHENTICATED, &api, 1, 1);
    http_respond_fail(c, fail, NULL, NULL);
}

static void answer(struct http_connection *c, const struct http_head *head,
                   const struct route *route, struct remora_slice id)
{
    if (route->list != NULL) {
        http_listing(c, head, route->list, id);
    } else {
        route->handle(c, head);
    }
}

/* HEAD is GET without its content, which the answer leaves out (RFC 9110 sections 9.1, 9.3.2). */
static bool takes_method(const struct route *route, struct remora_slice method)
{
    return remora_slice_is(method, route->method) ||
           (remora_slice_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

/* "GET, HEAD, PUT": what a path takes. */
static void add_method(char *allow, size_t size, const char *method)
{
    size_t length = strlen(allow);
    if (strstr(allow, method) == NULL) {
        snprintf(allow + length, size - length, "%s%s", length > 0 ? ", " : "", method);
    }
}

void http_route(struct http_connection *c, const struct http_head *head)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_slice id = {0};
    char allow[32] = "";
    size_t at = find_row(c->site, head->path, 0, &id);
    if (at < REMORA_COUNT_OF(routes)) {
        c->skin = routes[at].skin; /* in its envelope every refusal is told, whatever its reason */
    }
    if (!http_guard(c->site, head, &fail)) {
        http_respond_fail(c, &fail, NULL, NULL);
        return;
    }
    if (c->site->role == REMORA_HTTP_DATA &&
        http_identify(c->site, head, &c->site->caller, &fail) != REMORA_OK) {
        refuse_caller(c, &fail);
        return;
    }
    for (; at < REMORA_COUNT_OF(routes); at = find_row(c->site, head->path, at + 1, &id)) {
        c->route = routes[at].path;
        if (takes_method(&routes[at], head->method)) {
            answer(c, head, &routes[at], id);
            return;
        }
        add_method(allow, sizeof allow,
                   strcmp(routes[at].method, "GET") == 0 ? "GET, HEAD" : routes[at].method);
    }
    if (allow[0] != '\0') {
        http_respond_not_allowed(c, allow);
    } else {
        answer_unknown(c, head);
    }
}
