/*
 * What callers say in the metadata of a call. Keys are in lower case: call.c refuses others before anybody asks here. What the fronts share
 * is judged by the functions that judge HTTP's headers.
 */
#include "call.h"

#include <grpc/slice.h>

#include "remora/identity.h"
#include "remora/request.h"

static struct remora_slice slice_view(const grpc_slice *slice)
{
    return remora_slice((const char *)GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

struct remora_slice remora_grpc_metadata(const struct remora_grpc_call *call, const char *key)
{
    struct remora_slice value = {NULL, 0};
    size_t count = 0;
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        if (remora_slice_is(slice_view(&entry->key), key)) {
            value = slice_view(&entry->value);
            count++;
        }
    }
    return count == 1 ? value : remora_slice(NULL, 0);
}

enum remora_code remora_grpc_hops(const struct remora_grpc_call *call, struct remora_hops *out,
                                  struct remora_fail *fail)
{
    const struct remora_hop_id *own = remora_engine_hop(remora_grpc_engine(call));
    enum remora_code code = REMORA_OK;
    out->count = 0;
    out->length = 0;
    for (size_t i = 0; i < call->metadata.count && code == REMORA_OK; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        if (remora_slice_is(slice_view(&entry->key), REMORA_HOP_HEADER)) {
            code = remora_hops_add(out, slice_view(&entry->value), own, fail);
        }
    }
    return code;
}

enum remora_code remora_grpc_betas(const struct remora_grpc_call *call, struct remora_arena *arena,
                                   struct remora_request *out, struct remora_fail *fail)
{
    REMORA_NOT_ZEROED struct remora_betas betas;
    enum remora_code code = REMORA_OK;
    betas.count = 0;
    for (size_t i = 0; i < call->metadata.count && code == REMORA_OK; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        if (remora_is_beta_header(slice_view(&entry->key))) {
            code = remora_betas_add(&betas, slice_view(&entry->value), fail);
        }
    }
    out->betas = code == REMORA_OK ? remora_betas_keep(&betas, arena) : NULL;
    return code;
}

struct remora_slice remora_grpc_metadata_list(const struct remora_grpc_call *call, const char *key,
                                              bool (*is_valid)(struct remora_slice list),
                                              struct remora_arena *arena)
{
    struct remora_slice all = {0};
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        if (remora_slice_is(slice_view(&entry->key), key)) {
            all = remora_header_list_add(all, slice_view(&entry->value), arena);
        }
    }
    return is_valid(all) ? all : remora_slice(NULL, 0);
}

uint32_t remora_grpc_unbuilt(const struct remora_grpc_call *call)
{
    uint32_t found = 0;
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        found |= remora_unbuilt_header_of(slice_view(&entry->key), slice_view(&entry->value));
    }
    return found;
}
