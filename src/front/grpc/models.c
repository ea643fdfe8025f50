/*
 * remora.v1.ModelService: what the calling service may use now, from the same lists as GET /v1/models (remora/listing.h).
 *
 * A page's token names the last model that was listed, so that a configuration which changes between two pages makes
 * nothing appear twice. Refused: a page_size below 0, a token that no page gave; for GetModel what remora_listing_find
 * says, with "did you mean" for an id that is not known.
 */
#include <stdio.h>

#include "pb.h"
#include "remora/caller.h"
#include "remora/limits.h"
#include "remora/listing.h"
#include "schemas.h"
#include "services.h"
#include "unpack.h"

#define LISTING_ARENA_BYTES ((size_t)16 << 20)
#define PAGE_MOST           500
/* What a page's token begins with; the id of its last model follows. */
static const char *const TOKENS[] = {
    [REMORA_VARIANT_STANDARD] = "after=", [REMORA_VARIANT_FREE] = "after-free="};

/* One call: the listing of the caller, with all that it borrows. */
struct asked {
    struct remora_arena arena;
    struct remora_identity identity;
    struct remora_policy_stack stack;
    struct remora_listing listing;
    struct remora_fail fail;
};

static enum remora_code begin(struct asked *asked, struct remora_grpc_call *call)
{
    const struct remora_engine *engine = remora_grpc_engine(call);
    *asked = (struct asked){.fail = REMORA_FAIL_INIT};
    remora_arena_init(&asked->arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES, LISTING_ARENA_BYTES);
    enum remora_code code = remora_grpc_identify(call, &asked->identity, &asked->fail);
    if (code == REMORA_OK) {
        code = remora_config_check_ready(remora_engine_config(engine), &asked->fail);
    }
    if (code != REMORA_OK) {
        return code;
    }
    remora_config_stack(remora_engine_config(engine), &asked->identity, &asked->stack);
    asked->listing = (struct remora_listing){.config = remora_engine_config(engine),
                                             .stack = &asked->stack,
                                             .health = remora_engine_health(engine),
                                             .arena = &asked->arena};
    return REMORA_OK;
}

static void end(struct asked *asked, struct remora_grpc_call *call, enum remora_code code,
                const ProtobufCMessage *response)
{
    if (code != REMORA_OK) {
        remora_grpc_refuse(call, &asked->fail);
    } else {
        remora_grpc_answer_built(call, &asked->arena, response);
    }
    remora_arena_fini(&asked->arena);
}

/* ---- ListModels ---- */

/* Where a page begins: behind this model and variant. */
struct place {
    struct remora_slice id;
    enum remora_variant variant;
};

static enum remora_code read_token(struct remora_slice token, struct place *out,
                                   struct remora_fail *fail)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(TOKENS); i++) {
        struct remora_slice prefix = remora_slice_of(TOKENS[i]);
        if (remora_slice_starts_with(token, prefix)) {
            out->variant = (enum remora_variant)i;
            out->id = remora_slice(token.data + prefix.length, token.length - prefix.length);
            return REMORA_OK;
        }
    }
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, "page_token",
                           "page_token must be the next_page_token of the page before.");
}

static bool is_behind(const struct remora_listed *listed, const struct place *place)
{
    int order = remora_slice_compare(listed->model->facts.id, place->id);
    return order > 0 || (order == 0 && listed->variant > place->variant);
}

static enum remora_code read_page(const Remora__V1__ListModelsRequest *request, struct place *from,
                                  size_t *size, struct remora_fail *fail)
{
    if (request->page_size < 0) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, "page_size",
                               "page_size must be at least 0; 0 means %d.", PAGE_MOST);
    }
    bool is_stated = request->page_size > 0 && request->page_size < PAGE_MOST;
    *size = is_stated ? (size_t)request->page_size : PAGE_MOST;
    struct remora_slice token = remora_pb_slice(request->page_token);
    return token.length == 0 ? REMORA_OK : read_token(token, from, fail);
}

static void put_page(struct asked *asked, const struct remora_listed *listed, size_t count,
                     size_t size, Remora__V1__ListModelsResponse *out)
{
    size_t used = count < size ? count : size;
    out->models = remora_pb_list(&asked->arena, used);
    for (size_t i = 0; out->models != NULL && i < used; i++) {
        Remora__V1__Model *model = remora_pb_model(&asked->listing, &listed[i]);
        if (model != NULL) {
            out->models[out->n_models++] = model;
        }
    }
    if (count > used) {
        const struct remora_listed *last = &listed[used - 1];
        REMORA_PB_TEXT(out, next_page_token,
                       remora_arena_printf(&asked->arena, "%s%.*s", TOKENS[last->variant],
                                           REMORA_SLICE_ARG(last->model->facts.id)));
    }
}

void remora_grpc_list_models(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct asked asked;
    struct place from = {.variant = REMORA_VARIANT_STANDARD};
    const struct remora_listed *listed = NULL;
    size_t count = 0;
    size_t size = 0;
    Remora__V1__ListModelsRequest *request = NULL;
    Remora__V1__ListModelsResponse response = REMORA__V1__LIST_MODELS_RESPONSE__INIT;
    enum remora_code code = begin(&asked, call);
    if (code == REMORA_OK) {
        code = remora_grpc_unpack(bytes, &remora_schema_remora_v1_ListModelsRequest,
                                  &remora__v1__list_models_request__descriptor, &asked.arena,
                                  &request, &asked.fail);
    }
    if (code == REMORA_OK) {
        code = read_page(request, &from, &size, &asked.fail);
    }
    if (code == REMORA_OK) {
        code = remora_listing_collect(&asked.listing, &listed, &count, &asked.fail);
    }
    if (code == REMORA_OK) {
        size_t first = 0;
        while (first < count && !is_behind(&listed[first], &from)) {
            first++;
        }
        put_page(&asked, listed + first, count - first, size, &response);
    }
    end(&asked, call, code, &response.base);
}

/* ---- GetModel ---- */

static enum remora_code find(struct asked *asked, struct remora_slice id, struct remora_listed *out)
{
    if (id.length == 0) {
        return remora_fail_set(&asked->fail, REMORA_INVALID_REQUEST, "id",
                               "id is missing: the model's id, as ListModels gives it.");
    }
    enum remora_code code = remora_listing_find(&asked->listing, id, out, &asked->fail);
    if (asked->fail.param[0] != '\0') {
        snprintf(asked->fail.param, sizeof asked->fail.param, "id");
    }
    return code;
}

void remora_grpc_get_model(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct asked asked;
    struct remora_listed listed;
    Remora__V1__GetModelRequest *request = NULL;
    Remora__V1__GetModelResponse response = REMORA__V1__GET_MODEL_RESPONSE__INIT;
    enum remora_code code = begin(&asked, call);
    if (code == REMORA_OK) {
        code = remora_grpc_unpack(bytes, &remora_schema_remora_v1_GetModelRequest,
                                  &remora__v1__get_model_request__descriptor, &asked.arena,
                                  &request, &asked.fail);
    }
    if (code == REMORA_OK) {
        code = find(&asked, remora_pb_slice(request->id), &listed);
    }
    if (code == REMORA_OK) {
        response.model = remora_pb_model(&asked.listing, &listed);
    }
    end(&asked, call, code, &response.base);
}
