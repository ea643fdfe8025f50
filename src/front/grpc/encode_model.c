/* A model and its endpoints as messages: the facts that the HTTP lists write, in typed fields. */
#include "pb.h"
#include "remora/listing.h"

static ProtobufCBinaryData *put_names(struct remora_arena *arena, const struct remora_slice *names,
                                      size_t count, size_t *written)
{
    ProtobufCBinaryData *out = remora_arena_array(arena, count + 1, sizeof *out);
    *written = out == NULL ? 0 : count;
    for (size_t i = 0; i < *written; i++) {
        out[i] = remora_pb_text(names[i]);
    }
    return out;
}

static Remora__V1__ModelEndpoint *endpoint_of(struct remora_arena *arena,
                                              const struct remora_endpoint *endpoint)
{
    const struct remora_endpoint_facts *facts = &endpoint->facts;
    Remora__V1__ModelEndpoint *out = remora_pb_new(arena, &remora__v1__model_endpoint__descriptor);
    if (out == NULL) {
        return NULL;
    }
    REMORA_PB_TEXT(out, provider, facts->provider);
    REMORA_PB_TEXT(out, endpoint_tag, facts->tag);
    REMORA_PB_TEXT(out, prompt_price, remora_pb_price(arena, endpoint, REMORA_PRICE_PROMPT));
    REMORA_PB_TEXT(out, completion_price,
                   remora_pb_price(arena, endpoint, REMORA_PRICE_COMPLETION));
    REMORA_PB_NUMBER(out, context_length, remora_listed_window(endpoint));
    REMORA_PB_NUMBER(out, max_output_tokens, facts->max_completion_tokens);
    REMORA_PB_TEXT(out, quantization, facts->quantization);
    /* As the policy's rule asks it (policy/judge.c): what is not known counts as collecting. */
    REMORA_PB_NUMBER(out, may_collect_data,
                     endpoint->provider->facts.data_policy.training != REMORA_NO);
    return out;
}

static void put_endpoints(const struct remora_listing *listing, const struct remora_listed *listed,
                          Remora__V1__Model *out)
{
    const struct remora_endpoint *const *endpoints = NULL;
    size_t count = remora_listed_endpoints(listing, listed, &endpoints);
    out->endpoints = remora_pb_list(listing->arena, count);
    for (size_t i = 0; out->endpoints != NULL && i < count; i++) {
        Remora__V1__ModelEndpoint *endpoint = endpoint_of(listing->arena, endpoints[i]);
        if (endpoint != NULL) {
            out->endpoints[out->n_endpoints++] = endpoint;
        }
    }
}

Remora__V1__Model *remora_pb_model(const struct remora_listing *listing,
                                   const struct remora_listed *listed)
{
    struct remora_arena *arena = listing->arena;
    const struct remora_model_facts *facts = &listed->model->facts;
    struct remora_slice names[REMORA_LISTED_NAMES_MOST];
    Remora__V1__Model *out = remora_pb_new(arena, &remora__v1__model__descriptor);
    if (out == NULL) {
        return NULL;
    }
    REMORA_PB_TEXT(out, id, remora_listed_id(arena, facts, listed->variant));
    REMORA_PB_TEXT(out, name, remora_listed_name(arena, facts, listed->variant));
    REMORA_PB_NUMBER(out, context_length, facts->context_length);
    size_t count = remora_listed_modalities(facts->input_modalities, names);
    out->input_modalities = put_names(arena, names, count, &out->n_input_modalities);
    count = remora_listed_modalities(facts->output_modalities, names);
    out->output_modalities = put_names(arena, names, count, &out->n_output_modalities);
    count = remora_listed_parameters(listed->supported, names);
    out->supported_parameters = put_names(arena, names, count, &out->n_supported_parameters);
    put_endpoints(listing, listed, out);
    return out;
}
