/*
 * The engine of one worker: makes and keeps exchanges, holds the snapshot for those to come.
 *
 * Exchanges are pooled with their arenas' first chunks, so that a request costs no allocation in the usual case.
 */
#include "admission.h"
#include "exchange_private.h"

static void wake_nobody(void *context)
{
    (void)context;
}

struct remora_engine *remora_engine_new(const struct remora_engine_input *input)
{
    struct remora_engine *engine = remora_alloc(sizeof *engine);
    if (engine == NULL) {
        return NULL;
    }
    engine->use = *input;
    if (engine->use.precise == NULL) {
        engine->use.precise = engine->use.clock;
    }
    if (engine->use.wake == NULL) {
        engine->use.wake = wake_nobody;
    }
    remora_list_init(&engine->exchanges);
    remora_list_init(&engine->waiting);
    remora_list_init(&engine->spare);
    return engine;
}

static void exchange_free(struct remora_exchange *x)
{
    remora_arena_fini(&x->arena);
    remora_arena_fini(&x->scratch);
    remora_buf_fini(&x->run.error_body);
    remora_buf_fini(&x->run.further);
    remora_free(x);
}

void remora_engine_free(struct remora_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    assert(engine->inflight == 0);
    for (struct remora_list *node = remora_list_take(&engine->spare); node != NULL;
         node = remora_list_take(&engine->spare)) {
        exchange_free(REMORA_CONTAINER_OF(node, struct remora_exchange, node));
    }
    if (engine->config != NULL) {
        remora_config_release(engine->config);
    }
    remora_free(engine);
}

void remora_engine_set_config(struct remora_engine *engine, struct remora_config *config)
{
    struct remora_config *old = engine->config;
    engine->config = remora_config_acquire(config);
    if (old != NULL) {
        remora_config_release(old);
    }
}

struct remora_config *remora_engine_config(const struct remora_engine *engine)
{
    return engine->config;
}

const struct remora_health *remora_engine_health(const struct remora_engine *engine)
{
    return engine->use.health;
}

const struct remora_hop_id *remora_engine_hop(const struct remora_engine *engine)
{
    return engine->use.hop;
}

size_t remora_engine_inflight(const struct remora_engine *engine)
{
    return engine->inflight;
}

void remora_engine_drain(struct remora_engine *engine)
{
    engine->is_draining = true;
}

void remora_engine_abort_all(struct remora_engine *engine)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    remora_fail_set(&fail, REMORA_DRAINING, NULL,
                    "The gateway is shutting down and its grace period is over; try again.");
    struct remora_list aborted;
    remora_list_init(&aborted);
    /* A sink may discard others from inside its failed call: take them one by one. */
    while (!remora_list_is_empty(&engine->exchanges)) {
        struct remora_list *node = remora_list_take(&engine->exchanges);
        remora_list_append(&aborted, node);
        struct remora_exchange *x = REMORA_CONTAINER_OF(node, struct remora_exchange, node);
        if (x->sink != NULL && !x->is_gone) {
            exchange_fail(x, &fail);
        }
    }
    /* Those that were never started belong to their fronts still. */
    for (struct remora_list *node = remora_list_take(&aborted); node != NULL;
         node = remora_list_take(&aborted)) {
        remora_list_append(&engine->exchanges, node);
    }
}

struct remora_exchange *engine_take(struct remora_engine *engine)
{
    struct remora_list *node = remora_list_take(&engine->spare);
    struct remora_exchange *x = NULL;
    if (node != NULL) {
        engine->spare_count--;
        x = REMORA_CONTAINER_OF(node, struct remora_exchange, node);
    } else {
        x = remora_alloc(sizeof *x);
        if (x == NULL) {
            return NULL;
        }
        remora_arena_init(&x->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES,
                          REMORA_LIMIT_REQUEST_ARENA_BYTES);
        remora_arena_init(&x->scratch, REMORA_LIMIT_SCRATCH_CHUNK_BYTES,
                          REMORA_LIMIT_SCRATCH_ARENA_BYTES);
        remora_buf_init(&x->run.error_body, REMORA_LIMIT_UPSTREAM_ERROR_BYTES);
        remora_buf_init(&x->run.further, REMORA_LIMIT_FURTHER_BYTES);
    }
    x->engine = engine;
    remora_list_init(&x->node);
    remora_list_append(&engine->exchanges, &x->node);
    engine->inflight++;
    return x;
}

static void zero_between(char *from, char *to)
{
    memset(from, 0, (size_t)(to - from));
}

/*
 * Zeroes everything but the memory that is kept for the next request, and two large arrays that are written before they are
 * read: attempts when one is opened, the decoder when its answer begins. They are two thirds of the struct.
 */
static void exchange_clear(struct remora_exchange *x)
{
    struct remora_arena arena = x->arena;
    struct remora_arena scratch = x->scratch;
    struct remora_buf error_body = x->run.error_body;
    struct remora_buf further = x->run.further;
    zero_between((char *)x, (char *)x->outcome.attempts);
    zero_between((char *)(x->outcome.attempts + REMORA_LIMIT_ATTEMPTS), x->run.decoder);
    zero_between(x->run.decoder + sizeof x->run.decoder, (char *)(x + 1));
    x->arena = arena;
    x->scratch = scratch;
    x->run.error_body = error_body;
    x->run.further = further;
}

void engine_give(struct remora_engine *engine, struct remora_exchange *x)
{
    remora_list_remove(&x->node);
    engine->inflight--;
    remora_arena_reset(&x->arena);
    remora_arena_reset(&x->scratch);
    remora_buf_reset(&x->run.error_body, 0);
    remora_buf_reset(&x->run.further, 0);
    if (engine->spare_count >= ENGINE_SPARE_MAX) {
        exchange_free(x);
        return;
    }
    exchange_clear(x);
    /* To the front: what was used last is still in the processor's caches. */
    remora_list_append(engine->spare.next, &x->node);
    engine->spare_count++;
}
