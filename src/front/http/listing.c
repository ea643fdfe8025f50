/*
 * GET models, providers, endpoints: the front's half. A path gives the model id, the caller its policy; what is answered is
 * the skin's (remora/listing.h).
 */
#include "http.h"

#include "remora/listing.h"
#include "remora/memory.h"

#define LISTING_ARENA_BYTES ((size_t)8 << 20)

/* "/api/v1" or "/v1". */
static struct remora_slice base_of(struct remora_slice path)
{
    bool is_openrouter = remora_slice_starts_with(path, REMORA_SLICE("/api/"));
    return is_openrouter ? REMORA_SLICE("/api/v1") : REMORA_SLICE("/v1");
}

static struct remora_slice query_of(const struct http_head *head)
{
    size_t mark = remora_slice_find(head->target, '?', 0);
    return mark == head->target.length
               ? remora_slice(NULL, 0)
               : remora_slice(head->target.data + mark + 1, head->target.length - mark - 1);
}

/* %2F and %3A undone, as SDKs write the '/' and ':' of an id; no other escape is known (ARCHITECTURE 4). */
static bool decode_id(struct remora_slice raw, struct remora_arena *arena, struct remora_slice *out)
{
    char *id = remora_arena_alloc(arena, raw.length + 1);
    size_t length = 0;
    for (size_t i = 0; id != NULL && i < raw.length; i++) {
        struct remora_slice rest = remora_slice(raw.data + i, raw.length - i);
        bool is_slash = remora_slice_starts_with(rest, REMORA_SLICE("%2F"));
        bool is_colon = remora_slice_starts_with(rest, REMORA_SLICE("%3A"));
        if (raw.data[i] == '%' && !is_slash && !is_colon) {
            return false;
        }
        id[length++] = is_slash ? '/' : is_colon ? ':' : raw.data[i];
        i += is_slash || is_colon ? 2 : 0;
    }
    *out = remora_slice(id, length);
    return id != NULL;
}

static enum remora_code answer(struct http_connection *c, const struct http_head *head,
                               remora_listing_fn list, struct remora_slice raw_id,
                               struct remora_arena *arena, struct remora_buf *body,
                               struct remora_fail *fail)
{
    const struct remora_engine *engine = c->site->worker->engine;
    struct remora_policy_stack stack;
    struct remora_slice asked;
    if (!decode_id(raw_id, arena, &asked)) {
        return remora_fail_set(fail, REMORA_NOT_FOUND, NULL,
                               "There is no such path here: %%2F and %%3A are the only escapes.");
    }
    enum remora_code code = remora_config_check_ready(remora_engine_config(engine), fail);
    if (code != REMORA_OK) {
        return code;
    }
    remora_config_stack(remora_engine_config(engine), &c->site->caller, &stack);
    const struct remora_listing listing = {
        .config = remora_engine_config(engine),
        .stack = &stack,
        .health = remora_engine_health(engine),
        .arena = arena,
        .base = base_of(head->path),
        .path = head->path,
        .query = query_of(head),
        .now_ns = c->site->clock->now_ns(c->site->clock),
    };
    return list(&listing, asked, body, fail);
}

void http_listing(struct http_connection *c, const struct http_head *head, remora_listing_fn list,
                  struct remora_slice raw_id)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_arena arena;
    struct remora_buf body;
    remora_arena_init(&arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES, LISTING_ARENA_BYTES);
    remora_buf_init(&body, REMORA_LIMIT_MESSAGE_BYTES);
    enum remora_code code = answer(c, head, list, raw_id, &arena, &body, &fail);
    bool is_whole = arena.failed == REMORA_OK && remora_buf_code(&body) == REMORA_OK;
    if (code == REMORA_OK && is_whole) {
        struct http_answer head_out = {
            .status = 200, .content_type = "application/json", .retry_after_ms = -1};
        http_respond(c, &head_out, remora_buf_slice(&body));
    } else {
        (void)remora_fail_set(&fail, REMORA_SHEDDING, NULL, "The gateway is out of memory.");
        http_respond_fail(c, &fail, NULL, NULL);
    }
    remora_buf_fini(&body);
    remora_arena_fini(&arena);
}
