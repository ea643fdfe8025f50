/* The head of a chat: see chat_head.h. Headers that only inform (ids, trace, baggage) are dropped where they are no good. */
#include "chat_head.h"

#include "remora/decimal.h"
#include "remora/text.h"

/* application/json, perhaps with charset=utf-8 (RFC 8259 section 11 knows no charset; clients send it all the same). */
static bool is_json(struct remora_slice type)
{
    size_t end = remora_slice_find(type, ';', 0);
    if (!remora_slice_equal_nocase(remora_slice_trim(remora_slice(type.data, end)),
                                   REMORA_SLICE("application/json"))) {
        return false;
    }
    if (end == type.length) {
        return true;
    }
    struct remora_slice rest =
        remora_slice_trim(remora_slice(type.data + end + 1, type.length - end - 1));
    return rest.length == 0 || remora_slice_equal_nocase(rest, REMORA_SLICE("charset=utf-8")) ||
           remora_slice_equal_nocase(rest, REMORA_SLICE("charset=\"utf-8\""));
}

static bool judge_media(const struct http_head *head, struct remora_fail *fail)
{
    if (http_head_lists_other(head, "Content-Encoding", "identity")) {
        return http_refuse(fail, 415, "Content-Encoding is not supported; send the body as it is.");
    }
    return is_json(http_head_get(head, "Content-Type"))
               ? true
               : http_refuse(fail, 415, "Content-Type must be application/json.");
}

/* All headers of that name as one list; empty when it may not be passed on. */
static struct remora_slice list_of(const struct http_head *head, struct remora_slice name,
                                   bool (*is_valid)(struct remora_slice list),
                                   struct remora_arena *arena)
{
    struct remora_slice all = {0};
    for (size_t i = 0; i < head->header_count; i++) {
        if (remora_slice_equal_nocase(head->headers[i].name, name)) {
            all = remora_header_list_add(all, head->headers[i].value, arena);
        }
    }
    return is_valid(all) ? all : remora_slice(NULL, 0);
}

static bool read_milliseconds(struct remora_slice text, int64_t *out_ms)
{
    uint64_t value = 0;
    if (!remora_parse_u64(text, &value)) {
        return false;
    }
    *out_ms = value > INT32_MAX ? INT32_MAX : (int64_t)value;
    return true;
}

/* "600", "0.5"; what is not nothing is a millisecond at least. */
static bool read_seconds(struct remora_slice text, int64_t *out_ms)
{
    enum remora_decimal_exactness exactness = REMORA_DECIMAL_EXACT;
    int64_t value = 0;
    if (!remora_decimal_parse(text, 3, &value, &exactness)) {
        return false;
    }
    if (value == 0 && exactness == REMORA_DECIMAL_ROUNDED) {
        value = 1;
    }
    *out_ms = value > INT32_MAX ? INT32_MAX : value;
    return true;
}

/* A header that is not there leaves *out_ms as it is. */
static bool read_timeout(const struct http_head *head, const char *name,
                         bool (*read)(struct remora_slice text, int64_t *out_ms), const char *cure,
                         int64_t *out_ms, struct remora_fail *fail)
{
    bool is_there = false;
    for (size_t i = 0; i < head->header_count; i++) {
        if (!remora_slice_equal_nocase(head->headers[i].name, remora_slice_of(name))) {
            continue;
        }
        if (is_there || !read(head->headers[i].value, out_ms)) {
            (void)remora_fail_set(fail, REMORA_INVALID_REQUEST, name, "The header %s must be %s.",
                                  name, cure);
            return false;
        }
        is_there = true;
    }
    return true;
}

/* The caller's own total: x-request-timeout-ms, or the seconds that OpenAI's clients send; 0 is none. False: malformed. */
static bool timeout_of(const struct http_head *head, int64_t *out_ms, struct remora_fail *fail)
{
    int64_t own_ms = 0;
    int64_t client_ms = 0;
    if (!read_timeout(head, "x-request-timeout-ms", read_milliseconds,
                      "one whole number of milliseconds such as 30000; 0 sets no deadline", &own_ms,
                      fail) ||
        !read_timeout(head, "x-stainless-timeout", read_seconds,
                      "one number of seconds such as 30 or 0.5; 0 sets no deadline", &client_ms,
                      fail)) {
        return false;
    }
    int64_t ms = own_ms > 0 ? own_ms : client_ms;
    *out_ms = ms > 0 ? ms : -1;
    return true;
}

/* Whom the request has passed through; in as many lines as it likes. False: refused, a loop for one. */
static bool hops_of(const struct http_site *site, const struct http_head *head,
                    struct remora_hops *out, struct remora_fail *fail)
{
    static const struct remora_slice name = REMORA_SLICE_INIT(REMORA_HOP_HEADER);
    const struct remora_hop_id *own = remora_engine_hop(site->worker->engine);
    out->count = 0;
    out->length = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (remora_slice_equal_nocase(header->name, name) &&
            remora_hops_add(out, header->value, own, fail) != REMORA_OK) {
            return false;
        }
    }
    return true;
}

bool chat_read_betas(const struct http_head *head, struct remora_betas *out,
                     struct remora_fail *fail)
{
    out->count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (remora_is_beta_header(header->name) &&
            remora_betas_add(out, header->value, fail) != REMORA_OK) {
            return false;
        }
    }
    return true;
}

/* The header under both of its names (openrouter.md 9.1); any other value is "disabled". */
static bool wants_route(const struct http_head *head)
{
    static const char *const names[] = {"X-OpenRouter-Metadata",
                                        "X-OpenRouter-Experimental-Metadata"};
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (http_head_lists(head, names[i], "enabled")) {
            return true;
        }
    }
    return false;
}

/* Those that ask for something. Their values, which may be credentials, are not kept. */
static uint32_t unbuilt_of(const struct http_head *head)
{
    uint32_t found = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        found |= remora_unbuilt_header_of(head->headers[i].name, head->headers[i].value);
    }
    return found;
}

bool chat_judge_head(const struct http_site *site, const struct http_head *head,
                     struct chat_head *out, struct remora_fail *fail)
{
    return judge_media(head, fail) && timeout_of(head, &out->timeout_ms, fail) &&
           hops_of(site, head, &out->hops, fail) && chat_read_betas(head, &out->betas, fail);
}

void chat_fill_request(const struct http_connection *c, const struct http_head *head,
                       const struct chat_head *judged, struct remora_exchange *exchange)
{
    struct remora_request *request = remora_exchange_request(exchange);
    request->api = remora_slice_of(c->skin->name);
    request->identity = c->site->caller;
    struct remora_slice request_id = http_head_get(head, "x-request-id");
    if (remora_request_id_is_valid(request_id)) {
        request->request_id = remora_arena_copy(remora_exchange_arena(exchange), request_id);
    }
    request->timeout_ms = judged->timeout_ms;
    if (judged->hops.count > 0) {
        request->hops =
            remora_arena_copy(remora_exchange_arena(exchange), remora_hops_text(&judged->hops));
    }
    request->betas = remora_betas_keep(&judged->betas, remora_exchange_arena(exchange));
    request->wants_route = wants_route(head);
    request->unbuilt_headers = unbuilt_of(head);
    request->session_id =
        remora_arena_copy(remora_exchange_arena(exchange), http_head_get(head, "x-session-id"));
    if (remora_trace_parse(http_head_get(head, "traceparent"), &request->trace)) {
        request->tracestate = list_of(head, REMORA_SLICE("tracestate"), remora_tracestate_is_valid,
                                      remora_exchange_arena(exchange));
    }
    request->baggage = list_of(head, REMORA_SLICE("baggage"), remora_baggage_is_valid,
                               remora_exchange_arena(exchange));
}
