/*
 * ProviderPreferences -> struct remora_preferences. Rules as src/skin/chat_options.c; proto3 cannot tell an empty list from
 * none, so an empty one is absent. sort, partition and the preferred_* targets are UNIMPLEMENTED until balancing is built.
 */
#include <stdio.h>

#include "reader.h"
#include "remora/decimal.h"

static const char *const QUANTIZATIONS[] = {"int4", "int8",  "fp4",  "mxfp4", "nvfp4", "fp6",
                                            "fp8",  "mxfp8", "fp16", "bf16",  "fp32",  "unknown"};

static enum remora_code read_names(struct reader *r, const char *field, const char *cure,
                                   const ProtobufCBinaryData *items, size_t count,
                                   struct remora_slices *out)
{
    if (count > REMORA_LIMIT_PROVIDERS_LISTED) {
        char text[48];
        snprintf(text, sizeof text, "must have at most %d entries.",
                 (int)REMORA_LIMIT_PROVIDERS_LISTED);
        return reader_refuse_field(r, REMORA_TOO_LARGE, field, text);
    }
    for (size_t i = 0; i < count; i++) {
        struct remora_slice slug;
        char place[48];
        snprintf(place, sizeof place, "%s[%zu]", field, i);
        enum remora_code code = reader_id(r, place, items[i], &slug);
        if (code == REMORA_OK && slug.length == 0) {
            code = reader_refuse_field(r, REMORA_INVALID_REQUEST, place, cure);
        }
        if (code != REMORA_OK) {
            return code;
        }
    }
    enum remora_code code = reader_slices(r, items, count, out);
    if (code != REMORA_OK) {
        return code;
    }
    return remora_names_index(out, r->arena) == REMORA_OK ? REMORA_OK : reader_no_room(r);
}

static enum remora_code read_quantizations(struct reader *r,
                                           const Remora__V1__ProviderPreferences *from,
                                           struct remora_preferences *out)
{
    for (size_t i = 0; i < from->n_quantizations; i++) {
        struct remora_slice word = {NULL, 0};
        char place[40];
        snprintf(place, sizeof place, "quantizations[%zu]", i);
        enum remora_code code = reader_word(r, place, from->quantizations[i], QUANTIZATIONS,
                                            REMORA_COUNT_OF(QUANTIZATIONS), &word);
        if (code == REMORA_OK && word.length == 0) {
            code = reader_refuse_field(r, REMORA_INVALID_REQUEST, place, "must not be empty.");
        }
        if (code != REMORA_OK) {
            return code;
        }
    }
    return reader_slices(r, from->quantizations, from->n_quantizations, &out->quantizations);
}

static enum remora_code read_lists(struct reader *r, const Remora__V1__ProviderPreferences *from,
                                   struct remora_preferences *out)
{
    static const char provider[] = "must name a provider.";
    enum remora_code code =
        read_names(r, "order", provider, from->order, from->n_order, &out->order);
    if (code == REMORA_OK) {
        code = read_names(r, "only", provider, from->only, from->n_only, &out->only);
    }
    if (code == REMORA_OK) {
        code = read_names(r, "ignore", provider, from->ignore, from->n_ignore, &out->ignore);
    }
    if (code == REMORA_OK) {
        code = read_names(r, "regions", "must name a region.", from->regions, from->n_regions,
                          &out->regions);
    }
    return code == REMORA_OK ? read_quantizations(r, from, out) : code;
}

static enum remora_code read_usd(struct reader *r, const char *field, ProtobufCBinaryData value,
                                 unsigned scale, int64_t *out)
{
    struct remora_slice text = remora_pb_slice(value);
    if (text.length > 0 && !remora_decimal_floor(text, scale, out, NULL)) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, field,
                                   scale == 6 ? REMORA_TOKEN_CAP_WANTED : REMORA_ITEM_CAP_WANTED);
    }
    return REMORA_OK;
}

/* USD per million tokens is 10^12 / 10^6 pico-USD per token; the rest is per item. */
static enum remora_code read_max_price(struct reader *r, const Remora__V1__MaxPrice *from,
                                       int64_t *caps)
{
    if (from == NULL) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, "max_price", -1);
    enum remora_code code = read_usd(r, "prompt", from->prompt, 6, &caps[REMORA_CAP_PROMPT]);
    if (code == REMORA_OK) {
        code = read_usd(r, "completion", from->completion, 6, &caps[REMORA_CAP_COMPLETION]);
    }
    if (code == REMORA_OK) {
        code = read_usd(r, "request", from->request, 12, &caps[REMORA_CAP_REQUEST]);
    }
    if (code == REMORA_OK) {
        code = read_usd(r, "image", from->image, 12, &caps[REMORA_CAP_IMAGE]);
    }
    if (code == REMORA_OK) {
        code = read_usd(r, "audio", from->audio, 12, &caps[REMORA_CAP_AUDIO]);
    }
    reader_leave(r, mark);
    return code;
}

static enum remora_code refuse_unbuilt(struct reader *r,
                                       const Remora__V1__ProviderPreferences *from)
{
    if (from->sort != REMORA__V1__SORT_BY__SORT_BY_UNSPECIFIED) {
        return reader_unbuilt(r, "sort");
    }
    if (from->partition != REMORA__V1__PARTITION__PARTITION_UNSPECIFIED) {
        return reader_unbuilt(r, "partition");
    }
    if (from->preferred_min_throughput != NULL) {
        return reader_unbuilt(r, "preferred_min_throughput");
    }
    return from->preferred_max_latency == NULL ? REMORA_OK
                                               : reader_unbuilt(r, "preferred_max_latency");
}

static enum remora_code read_limits(struct reader *r, const Remora__V1__ProviderPreferences *from,
                                    struct remora_preferences *out)
{
    struct remora_opt_i64 attempts = {0};
    enum remora_code code =
        reader_duration(r, "attempt_timeout", from->attempt_timeout, &out->attempt_timeout_ms);
    if (code == REMORA_OK) {
        code = reader_i64(r, "max_attempts", from->has_max_attempts, from->max_attempts, 1,
                          REMORA_LIMIT_ATTEMPTS, REMORA_PARAMETER_COUNT, &attempts);
    }
    out->max_attempts = (int32_t)attempts.value;
    return code;
}

static enum remora_code read_all(struct reader *r, const Remora__V1__ProviderPreferences *from,
                                 struct remora_preferences *out)
{
    out->allow_fallbacks = reader_tristate(from->has_allow_fallbacks, from->allow_fallbacks);
    out->require_parameters =
        reader_tristate(from->has_require_parameters, from->require_parameters);
    out->zdr = reader_tristate(from->has_zero_data_retention, from->zero_data_retention);
    out->enforce_distillable_text =
        reader_tristate(from->has_enforce_distillable_text, from->enforce_distillable_text);
    if (from->data_collection < REMORA__V1__DATA_COLLECTION__DATA_COLLECTION_UNSPECIFIED ||
        from->data_collection > REMORA__V1__DATA_COLLECTION__DATA_COLLECTION_DENY) {
        return reader_refuse_field(r, REMORA_INVALID_REQUEST, "data_collection",
                                   "must be DATA_COLLECTION_ALLOW or DATA_COLLECTION_DENY.");
    }
    out->data_collection = (enum remora_data_collection)from->data_collection;
    enum remora_code code = refuse_unbuilt(r, from);
    if (code == REMORA_OK) {
        code = read_lists(r, from, out);
    }
    if (code == REMORA_OK) {
        code = read_max_price(r, from->max_price, out->max_price_pico_usd);
    }
    return code == REMORA_OK ? read_limits(r, from, out) : code;
}

enum remora_code reader_provider(struct reader *r, const Remora__V1__ProviderPreferences *provider)
{
    if (provider == NULL) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, "provider", -1);
    enum remora_code code = read_all(r, provider, &r->request->provider);
    reader_leave(r, mark);
    return code;
}
