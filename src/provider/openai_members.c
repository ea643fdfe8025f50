/* One walk over an object for all of its known members (openai_members.h). */
#include "openai_members.h"

static const struct remora_slice chunk_names[CHUNK_MEMBERS] = {
    [CHUNK_ID] = REMORA_SLICE_INIT("id"),
    [CHUNK_MODEL] = REMORA_SLICE_INIT("model"),
    [CHUNK_CREATED] = REMORA_SLICE_INIT("created"),
    [CHUNK_CHOICES] = REMORA_SLICE_INIT("choices"),
    [CHUNK_USAGE] = REMORA_SLICE_INIT("usage"),
    [CHUNK_ERROR] = REMORA_SLICE_INIT("error"),
    [CHUNK_OBJECT] = REMORA_SLICE_INIT("object"),
    [CHUNK_SYSTEM_FINGERPRINT] = REMORA_SLICE_INIT("system_fingerprint"),
    [CHUNK_SERVICE_TIER] = REMORA_SLICE_INIT("service_tier"),
    [CHUNK_CITATIONS] = REMORA_SLICE_INIT("citations"),
    [CHUNK_X_GROQ] = REMORA_SLICE_INIT("x_groq"),
    [CHUNK_BASE_RESP] = REMORA_SLICE_INIT("base_resp"),
    [CHUNK_SUCCESS] = REMORA_SLICE_INIT("success"),
};

static const struct remora_slice choice_names[CHOICE_MEMBERS] = {
    [CHOICE_INDEX] = REMORA_SLICE_INIT("index"),
    [CHOICE_DELTA] = REMORA_SLICE_INIT("delta"),
    [CHOICE_MESSAGE] = REMORA_SLICE_INIT("message"),
    [CHOICE_LOGPROBS] = REMORA_SLICE_INIT("logprobs"),
    [CHOICE_ERROR] = REMORA_SLICE_INIT("error"),
    [CHOICE_FINISH_REASON] = REMORA_SLICE_INIT("finish_reason"),
    [CHOICE_NATIVE_FINISH_REASON] = REMORA_SLICE_INIT("native_finish_reason"),
    [CHOICE_USAGE] = REMORA_SLICE_INIT("usage"),
    [CHOICE_STOP_REASON] = REMORA_SLICE_INIT("stop_reason"),
};

static const struct remora_slice body_names[BODY_MEMBERS] = {
    [BODY_CONTENT] = REMORA_SLICE_INIT("content"),
    [BODY_REASONING] = REMORA_SLICE_INIT("reasoning"),
    [BODY_REASONING_CONTENT] = REMORA_SLICE_INIT("reasoning_content"),
    [BODY_REASONING_DETAILS] = REMORA_SLICE_INIT("reasoning_details"),
    [BODY_REFUSAL] = REMORA_SLICE_INIT("refusal"),
    [BODY_TOOL_CALLS] = REMORA_SLICE_INIT("tool_calls"),
    [BODY_FUNCTION_CALL] = REMORA_SLICE_INIT("function_call"),
    [BODY_AUDIO] = REMORA_SLICE_INIT("audio"),
    [BODY_IMAGES] = REMORA_SLICE_INIT("images"),
    [BODY_ANNOTATIONS] = REMORA_SLICE_INIT("annotations"),
};

static const struct remora_slice spent_names[SPENT_MEMBERS] = {
    [SPENT_PROMPT_TOKENS] = REMORA_SLICE_INIT("prompt_tokens"),
    [SPENT_COMPLETION_TOKENS] = REMORA_SLICE_INIT("completion_tokens"),
    [SPENT_TOTAL_TOKENS] = REMORA_SLICE_INIT("total_tokens"),
    [SPENT_PROMPT_TOKENS_DETAILS] = REMORA_SLICE_INIT("prompt_tokens_details"),
    [SPENT_COMPLETION_TOKENS_DETAILS] = REMORA_SLICE_INIT("completion_tokens_details"),
    [SPENT_PROMPT_CACHE_HIT_TOKENS] = REMORA_SLICE_INIT("prompt_cache_hit_tokens"),
    [SPENT_CACHED_TOKENS] = REMORA_SLICE_INIT("cached_tokens"),
    [SPENT_REASONING_TOKENS] = REMORA_SLICE_INIT("reasoning_tokens"),
    [SPENT_CACHE_READ_INPUT_TOKENS] = REMORA_SLICE_INIT("cache_read_input_tokens"),
    [SPENT_CACHE_CREATION_INPUT_TOKENS] = REMORA_SLICE_INIT("cache_creation_input_tokens"),
    [SPENT_CACHE_CREATION] = REMORA_SLICE_INIT("cache_creation"),
    [SPENT_COST] = REMORA_SLICE_INIT("cost"),
    [SPENT_COST_DETAILS] = REMORA_SLICE_INIT("cost_details"),
    [SPENT_COST_IN_USD_TICKS] = REMORA_SLICE_INIT("cost_in_usd_ticks"),
    [SPENT_IS_BYOK] = REMORA_SLICE_INIT("is_byok"),
    [SPENT_ESTIMATED_COST] = REMORA_SLICE_INIT("estimated_cost"),
    [SPENT_SERVER_TOOL_USE] = REMORA_SLICE_INIT("server_tool_use"),
    [SPENT_SERVER_TOOL_USE_DETAILS] = REMORA_SLICE_INIT("server_tool_use_details"),
    [SPENT_NUM_SEARCH_QUERIES] = REMORA_SLICE_INIT("num_search_queries"),
    [SPENT_NUM_SOURCES_USED] = REMORA_SLICE_INIT("num_sources_used"),
};

static const struct remora_slice detail_names[DETAIL_MEMBERS] = {
    [DETAIL_CACHED_TOKENS] = REMORA_SLICE_INIT("cached_tokens"),
    [DETAIL_CACHE_WRITE_TOKENS] = REMORA_SLICE_INIT("cache_write_tokens"),
    [DETAIL_CACHE_CREATION_INPUT_TOKENS] = REMORA_SLICE_INIT("cache_creation_input_tokens"),
    [DETAIL_CACHE_CREATION] = REMORA_SLICE_INIT("cache_creation"),
    [DETAIL_REASONING_TOKENS] = REMORA_SLICE_INIT("reasoning_tokens"),
    [DETAIL_AUDIO_TOKENS] = REMORA_SLICE_INIT("audio_tokens"),
    [DETAIL_IMAGE_TOKENS] = REMORA_SLICE_INIT("image_tokens"),
    [DETAIL_VIDEO_TOKENS] = REMORA_SLICE_INIT("video_tokens"),
    [DETAIL_ACCEPTED_PREDICTION_TOKENS] = REMORA_SLICE_INIT("accepted_prediction_tokens"),
    [DETAIL_REJECTED_PREDICTION_TOKENS] = REMORA_SLICE_INIT("rejected_prediction_tokens"),
};

/* Keys are compared raw; one with an escape in it is compared by its meaning. */
static inline bool is_key(struct remora_json key, const struct remora_json_node *node,
                          struct remora_slice name)
{
    if (node->length == name.length) {
        const char *text = key.doc->text + node->offset;
        return text[0] == name.data[0] && memcmp(text, name.data, name.length) == 0;
    }
    return node->escaped && remora_json_equals(key, name.data);
}

/* How many members have none of the names. */
static uint32_t collect(struct remora_json object, const struct remora_slice *names, size_t count,
                        struct remora_json *values)
{
    struct remora_json_iter it;
    uint32_t further = 0;
    memset(values, 0, count * sizeof *values);
    if (!remora_json_is(object, REMORA_JSON_OBJECT)) {
        return 0;
    }
    remora_json_iter_begin(&it, object);
    while (remora_json_iter_next(&it)) {
        const struct remora_json_node *node = remora_json_node_of(it.key);
        size_t i = 0;
        while (i < count && !is_key(it.key, node, names[i])) {
            i++;
        }
        if (i < count) {
            values[i] = it.value;
        } else {
            further++;
        }
    }
    return further;
}

bool openai_is_chunk_member(struct remora_json key)
{
    const struct remora_json_node *node = remora_json_node_of(key);
    for (size_t i = 0; i < CHUNK_MEMBERS; i++) {
        if (is_key(key, node, chunk_names[i])) {
            return true;
        }
    }
    return false;
}

/* OpenAI, "Create chat completion", stream_options.include_obfuscation; Cloudflare Workers AI's chunks have `p`. */
bool openai_is_padding(struct remora_json key)
{
    static const struct remora_slice names[] = {REMORA_SLICE_INIT("obfuscation"),
                                                REMORA_SLICE_INIT("p")};
    const struct remora_json_node *node = remora_json_node_of(key);
    return is_key(key, node, names[0]) || is_key(key, node, names[1]);
}

uint32_t openai_chunk_members(struct remora_json object, struct remora_json values[CHUNK_MEMBERS])
{
    return collect(object, chunk_names, CHUNK_MEMBERS, values);
}

void openai_choice_members(struct remora_json object, struct remora_json values[CHOICE_MEMBERS])
{
    (void)collect(object, choice_names, CHOICE_MEMBERS, values);
}

void openai_body_members(struct remora_json object, struct remora_json values[BODY_MEMBERS])
{
    (void)collect(object, body_names, BODY_MEMBERS, values);
}

void openai_spent_members(struct remora_json object, struct remora_json values[SPENT_MEMBERS])
{
    (void)collect(object, spent_names, SPENT_MEMBERS, values);
}

void openai_detail_members(struct remora_json object, struct remora_json values[DETAIL_MEMBERS])
{
    (void)collect(object, detail_names, DETAIL_MEMBERS, values);
}
