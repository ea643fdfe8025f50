/*
 * What a router behind this one must hear of the policy, and what it cannot.
 *
 * A router must not widen what the caller's policy allows. One that knows OpenRouter's `provider` object hears all that narrows its
 * own providers: ignore, quantizations, require_parameters, data_collection, zdr, enforce_distillable_text, max_price and, of a layer
 * without an order, allow_fallbacks. `only` and an `order` without fallbacks name providers of this gateway, of which the router is one: of
 * those behind it they can say nothing. Other routers have no word for any of it. What is not heard is told, as a parameter that is
 * left out is; what is a fact of a server that nobody here knows (training, region) has removed the endpoint before.
 * Sources: openrouter.md section 4; data/README.md, "aggregator".
 */
#include "openai_write.h"

#include "remora/decimal.h"

static const char *const cap_names[REMORA_CAP_COUNT] = {
    [REMORA_CAP_PROMPT] = "prompt",   [REMORA_CAP_COMPLETION] = "completion",
    [REMORA_CAP_REQUEST] = "request", [REMORA_CAP_IMAGE] = "image",
    [REMORA_CAP_AUDIO] = "audio",
};

/* In USD per million tokens, or per item (openrouter.md section 4 "max_price"). */
static void write_caps(struct openai_build *build, const int64_t caps[REMORA_CAP_COUNT])
{
    remora_json_key(json_of(build), "max_price");
    remora_json_object_open(json_of(build));
    for (size_t i = 0; i < REMORA_CAP_COUNT; i++) {
        char price[48];
        bool is_token = i == REMORA_CAP_PROMPT || i == REMORA_CAP_COMPLETION;
        if (caps[i] < 0) {
            continue;
        }
        size_t length = remora_decimal_format(caps[i], is_token ? 6 : 12, price);
        remora_json_key(json_of(build), cap_names[i]);
        remora_json_write_raw(json_of(build), remora_slice(price, length));
    }
    remora_json_object_close(json_of(build));
}

/* Whether an earlier list, or this one before `at`, holds the word already. */
static bool is_named_before(const struct remora_lists *lists, size_t list, size_t at)
{
    struct remora_slice word = lists->of[list]->items[at];
    for (size_t i = 0; i <= list; i++) {
        size_t count = i == list ? at : lists->of[i]->count;
        for (size_t k = 0; k < count; k++) {
            if (remora_slice_equal(lists->of[i]->items[k], word)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_in_all(const struct remora_lists *lists, struct remora_slice quantization)
{
    for (size_t i = 0; i < lists->count; i++) {
        bool is_in = false;
        for (size_t at = 0; at < lists->of[i]->count && !is_in; at++) {
            is_in = remora_quantization_is(lists->of[i]->items[at], quantization);
        }
        if (!is_in) {
            return false;
        }
    }
    return true;
}

/* Each word of any list once; of quantizations those that every layer's list covers. */
static void write_lists(struct openai_build *build, const char *key,
                        const struct remora_lists *lists, bool common)
{
    if (lists->count == 0) {
        return;
    }
    remora_json_key(json_of(build), key);
    remora_json_array_open(json_of(build));
    for (size_t list = 0; list < lists->count; list++) {
        for (size_t at = 0; at < lists->of[list]->count; at++) {
            struct remora_slice word = lists->of[list]->items[at];
            if (!is_named_before(lists, list, at) && (!common || is_in_all(lists, word))) {
                remora_json_write_string(json_of(build), word);
            }
        }
    }
    remora_json_array_close(json_of(build));
}

static void write_flag(struct openai_build *build, const char *key, bool value)
{
    remora_json_key(json_of(build), key);
    remora_json_write_bool(json_of(build), value);
}

static bool has_cap(const struct openai_build *build)
{
    for (size_t i = 0; i < REMORA_CAP_COUNT && build->caps != NULL; i++) {
        if (build->caps[i] >= 0) {
            return true;
        }
    }
    return false;
}

static void write_object(struct openai_build *build)
{
    const struct remora_build_input *input = build->input;
    remora_json_key(json_of(build), "provider");
    remora_json_object_open(json_of(build));
    write_lists(build, "ignore", &input->ignored, false);
    write_lists(build, "quantizations", &input->quantizations, true);
    if (input->is_alone) {
        write_flag(build, "allow_fallbacks", false);
    }
    if (input->require_parameters == REMORA_YES) {
        write_flag(build, "require_parameters", true);
    }
    if (build->denies_collection) {
        remora_json_key(json_of(build), "data_collection");
        remora_json_write_text(json_of(build), "deny");
    }
    if (build->wants_zdr) {
        write_flag(build, "zdr", true);
    }
    if (input->enforce_distillable_text == REMORA_YES) {
        write_flag(build, "enforce_distillable_text", true);
    }
    if (has_cap(build)) {
        write_caps(build, build->caps);
    }
    remora_json_object_close(json_of(build));
}

static bool says_something(const struct openai_build *build)
{
    const struct remora_build_input *input = build->input;
    return build->denies_collection || build->wants_zdr || has_cap(build) || input->is_alone ||
           input->require_parameters == REMORA_YES ||
           input->enforce_distillable_text == REMORA_YES || input->ignored.count > 0 ||
           input->quantizations.count > 0;
}

static bool is_of(struct remora_slice word, struct remora_slice provider)
{
    return remora_slice_starts_with(word, provider) &&
           (word.length == provider.length || word.data[provider.length] == '/');
}

/* Who names but the router itself says nothing of those behind it. */
static bool names_others(const struct openai_build *build, const struct remora_lists *lists)
{
    for (size_t list = 0; list < lists->count; list++) {
        for (size_t at = 0; at < lists->of[list]->count; at++) {
            if (!is_of(lists->of[list]->items[at], build->endpoint->provider->facts.slug)) {
                return true;
            }
        }
    }
    return false;
}

static void tell_unheard(struct openai_build *build)
{
    static const char why[] = "a router chooses among providers of its own";
    const struct remora_build_input *input = build->input;
    if (names_others(build, &input->only)) {
        openai_note_field(build, REMORA_SLICE("provider.only"), why);
    }
    if (names_others(build, &input->bound_orders)) {
        openai_note_field(build, REMORA_SLICE("provider.order"), why);
    }
    if (build->dialect->takes_preferences) {
        return;
    }
    if (names_others(build, &input->ignored)) {
        openai_note_field(build, REMORA_SLICE("provider.ignore"), why);
    }
    if (input->require_parameters == REMORA_YES) {
        openai_note_field(build, REMORA_SLICE("provider.require_parameters"), why);
    }
    if (input->is_alone) {
        openai_note_field(build, REMORA_SLICE("provider.allow_fallbacks"), why);
    }
}

void openai_write_preferences(struct openai_build *build)
{
    if (remora_routes_further(&build->endpoint->provider->facts)) {
        tell_unheard(build);
    }
    if (build->dialect->takes_preferences && says_something(build)) {
        write_object(build);
    }
}
