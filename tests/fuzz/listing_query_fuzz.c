/*
 * Any bytes as the query of GET models, over a list of nothing: it is answered with one JSON text or refused with a member's
 * name, and never read beyond its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remora/json.h"
#include "remora/limits.h"
#include "remora/listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_json(struct remora_slice text, struct remora_arena *arena)
{
    static const struct remora_json_limits limits = {64, 10000};
    struct remora_json_doc doc;
    struct remora_json_error error;
    if (remora_json_parse(text, arena, &limits, &doc, &error) != REMORA_OK) {
        fprintf(stderr, "not JSON: %s\n", error.reason);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_config config = {0};
    struct remora_policy_stack stack = {0};
    struct remora_arena arena;
    struct remora_buf out;
    struct remora_fail fail = REMORA_FAIL_INIT;
    char *query =
        malloc(size + 1); /* ends where the query ends: a sanitizer sees what is read behind it */
    if (query == NULL || size > REMORA_LIMIT_HTTP_TARGET_BYTES) {
        free(query);
        return 0;
    }
    if (size > 0) {
        memcpy(query, data, size);
    }
    query = realloc(query, size > 0 ? size : 1);
    remora_arena_init(&arena, 256, 1 << 20);
    remora_buf_init(&out, 1 << 20);
    const struct remora_listing listing = {.config = &config,
                                           .stack = &stack,
                                           .arena = &arena,
                                           .base = REMORA_SLICE("/v1"),
                                           .path = REMORA_SLICE("/v1/models"),
                                           .query = remora_slice(query, size)};
    enum remora_code code = remora_listing_models(&listing, remora_slice(NULL, 0), &out, &fail);
    if (code == REMORA_OK) {
        require_json(remora_buf_slice(&out), &arena);
    } else if (fail.param[0] == '\0' || fail.code != code) {
        abort();
    }
    remora_buf_fini(&out);
    remora_arena_fini(&arena);
    free(query);
    return 0;
}
