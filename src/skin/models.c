/*
 * GET /v1/models: OpenAI's list with OpenRouter's fields (openrouter.md 15.1), and only what this service may use now: the
 * layers allow the model and at least one endpoint stays when policy judges a request that asks for nothing.
 */
#include "remora/config.h"
#include "remora/decimal.h"
#include "remora/json.h"
#include "remora/policy.h"
#include "remora/request.h"
#include "remora/skin.h"

/* The first endpoint that may be used, or NULL. */
static const struct remora_endpoint *first_usable(struct remora_judge *judge,
                                                  const struct remora_model *model)
{
    remora_judge_model(judge, model, REMORA_VARIANT_STANDARD);
    for (size_t i = 0; i < model->endpoint_count; i++) {
        struct remora_exclusion exclusion = {.rule = REMORA_RULE_NONE};
        remora_policy_judge(judge, &model->endpoints[i], &exclusion);
        if (exclusion.rule == REMORA_RULE_NONE) {
            return &model->endpoints[i];
        }
    }
    return NULL;
}

static void write_modalities(struct remora_json_writer *w, const char *key, uint32_t set)
{
    static const struct {
        enum remora_modality modality;
        const char *name;
    } names[] = {
        {REMORA_MODALITY_TEXT, "text"},   {REMORA_MODALITY_IMAGE, "image"},
        {REMORA_MODALITY_AUDIO, "audio"}, {REMORA_MODALITY_VIDEO, "video"},
        {REMORA_MODALITY_FILE, "file"},   {REMORA_MODALITY_EMBEDDINGS, "embeddings"},
    };
    remora_json_key(w, key);
    remora_json_array_open(w);
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if ((set & (uint32_t)names[i].modality) != 0) {
            remora_json_write_text(w, names[i].name);
        }
    }
    remora_json_array_close(w);
}

/* USD per token as decimal text, left out when it is not known. */
static void write_price(struct remora_json_writer *w, const char *key, int64_t pico_usd)
{
    char text[48];
    if (pico_usd >= 0) {
        remora_json_key(w, key);
        remora_json_write_string(w, remora_slice(text, remora_decimal_format(pico_usd, 12, text)));
    }
}

static void write_pricing(struct remora_json_writer *w, const struct remora_prices *prices)
{
    remora_json_key(w, "pricing");
    remora_json_object_open(w);
    write_price(w, "prompt", prices->pico_usd[REMORA_PRICE_PROMPT]);
    write_price(w, "completion", prices->pico_usd[REMORA_PRICE_COMPLETION]);
    write_price(w, "request", prices->pico_usd[REMORA_PRICE_REQUEST]);
    write_price(w, "image", prices->pico_usd[REMORA_PRICE_IMAGE]);
    write_price(w, "input_cache_read", prices->pico_usd[REMORA_PRICE_CACHED_READ]);
    write_price(w, "input_cache_write", prices->pico_usd[REMORA_PRICE_CACHED_WRITE]);
    write_price(w, "internal_reasoning", prices->pico_usd[REMORA_PRICE_REASONING]);
    remora_json_object_close(w);
}

static void write_count_or_null(struct remora_json_writer *w, const char *key, int64_t count)
{
    remora_json_key(w, key);
    if (count > 0) {
        remora_json_write_i64(w, count);
    } else {
        remora_json_write_null(w);
    }
}

static void write_parameters(struct remora_json_writer *w, remora_parameter_set set)
{
    remora_json_key(w, "supported_parameters");
    remora_json_array_open(w);
    for (unsigned i = 0; i < REMORA_PARAMETER_COUNT; i++) {
        if (remora_parameter_set_has(set, (enum remora_parameter)i)) {
            remora_json_write_text(w, remora_parameter_name((enum remora_parameter)i));
        }
    }
    remora_json_array_close(w);
}

static int64_t window_of(const struct remora_model_facts *facts,
                         const struct remora_endpoint_facts *top)
{
    return top->context_length > 0 ? top->context_length : facts->context_length;
}

static void write_model(struct remora_json_writer *w, const struct remora_model_facts *facts,
                        const struct remora_endpoint_facts *top)
{
    remora_json_object_open(w);
    remora_json_key(w, "id");
    remora_json_write_string(w, facts->id);
    remora_json_key(w, "object");
    remora_json_write_text(w, "model");
    remora_json_key(w, "created");
    remora_json_write_i64(w, facts->created_unix_s);
    remora_json_key(w, "owned_by");
    remora_json_write_string(w, facts->author);
    remora_json_key(w, "canonical_slug");
    remora_json_write_string(w, facts->id);
    remora_json_key(w, "name");
    remora_json_write_string(w, facts->name.length > 0 ? facts->name : facts->id);
    write_count_or_null(w, "context_length", facts->context_length);
    remora_json_key(w, "architecture");
    remora_json_object_open(w);
    write_modalities(w, "input_modalities", facts->input_modalities);
    write_modalities(w, "output_modalities", facts->output_modalities);
    remora_json_object_close(w);
    write_pricing(w, &top->prices);
    remora_json_key(w, "top_provider");
    remora_json_object_open(w);
    write_count_or_null(w, "context_length", window_of(facts, top));
    write_count_or_null(w, "max_completion_tokens", top->max_completion_tokens);
    remora_json_key(w, "is_moderated");
    remora_json_write_bool(w, false);
    remora_json_object_close(w);
    write_parameters(w, top->supported);
    remora_json_object_close(w);
}

void remora_models_body(const struct remora_config *config, const struct remora_policy_stack *stack,
                        struct remora_buf *out)
{
    struct remora_json_writer w;
    struct remora_request bare;
    struct remora_judge judge;
    remora_request_init(&bare);
    remora_judge_init(&judge, stack, &bare);
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    remora_json_key(&w, "object");
    remora_json_write_text(&w, "list");
    remora_json_key(&w, "data");
    remora_json_array_open(&w);
    for (size_t i = 0; i < config->model_count; i++) {
        const struct remora_model *model = &config->models[i];
        const struct remora_endpoint *top = first_usable(&judge, model);
        if (top != NULL) {
            write_model(&w, &model->facts, &top->facts);
        }
    }
    remora_json_array_close(&w);
    remora_json_object_close(&w);
}
