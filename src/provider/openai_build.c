/*
 * The body of a chat completion request: model, messages, delivery, then every parameter that the caller stated.
 *
 * A parameter that the endpoint does not support is left out and listed in `dropped`. Never left out: tools, tool_choice,
 * response_format and output modalities; endpoints without them were filtered before (codes.md "supported_parameters").
 * Labels, session and preset are the gateway's own and stay here.
 * Sources: providers.md sections 1 and 8 (names of fields), openrouter.md 2 and 2.1 (fields beyond OpenAI's).
 */
#include "openai.h"

#include <stdio.h>

static struct remora_json_writer *json_of(struct openai_build *build)
{
    return &build->pieces.json;
}

bool openai_takes(struct openai_build *build, enum remora_parameter parameter)
{
    if (remora_parameter_set_has(build->endpoint->facts.supported, parameter)) {
        return true;
    }
    struct remora_build_output *out = build->out;
    for (size_t i = 0; i < out->dropped_count; i++) {
        if (out->dropped[i].parameter == parameter) {
            return false;
        }
    }
    out->dropped[out->dropped_count++] =
        (struct remora_dropped){.parameter = parameter, .why = "the endpoint does not support it"};
    return false;
}

static void write_text(struct openai_build *build, const char *key, struct remora_slice text)
{
    remora_json_key(json_of(build), key);
    pieces_string(&build->pieces, text);
}

static void write_f64(struct openai_build *build, enum remora_parameter parameter,
                      const struct remora_opt_f64 *value)
{
    if (value->is_set && openai_takes(build, parameter)) {
        remora_json_key(json_of(build), remora_parameter_name(parameter));
        remora_json_write_double(json_of(build), value->value);
    }
}

static void write_i64(struct openai_build *build, enum remora_parameter parameter, const char *key,
                      const struct remora_opt_i64 *value)
{
    if (value->is_set && openai_takes(build, parameter)) {
        remora_json_key(json_of(build), key);
        remora_json_write_i64(json_of(build), value->value);
    }
}

static void write_tristate(struct openai_build *build, enum remora_parameter parameter,
                           enum remora_tristate value)
{
    if (value != REMORA_UNSET && openai_takes(build, parameter)) {
        remora_json_key(json_of(build), remora_parameter_name(parameter));
        remora_json_write_bool(json_of(build), value == REMORA_YES);
    }
}

static void write_word(struct openai_build *build, enum remora_parameter parameter,
                       struct remora_slice value)
{
    if (value.length > 0 && openai_takes(build, parameter)) {
        write_text(build, remora_parameter_name(parameter), value);
    }
}

static void write_words(struct openai_build *build, const char *key,
                        const struct remora_slices *words)
{
    remora_json_key(json_of(build), key);
    remora_json_array_open(json_of(build));
    for (size_t i = 0; i < words->count; i++) {
        pieces_string(&build->pieces, words->items[i]);
    }
    remora_json_array_close(json_of(build));
}

static void write_logit_bias(struct openai_build *build)
{
    const struct remora_sampling *sampling = &build->request->sampling;
    if (sampling->logit_bias_count == 0 || !openai_takes(build, REMORA_PARAMETER_LOGIT_BIAS)) {
        return;
    }
    remora_json_key(json_of(build), "logit_bias");
    remora_json_object_open(json_of(build));
    for (size_t i = 0; i < sampling->logit_bias_count; i++) {
        char token[16];
        snprintf(token, sizeof token, "%ld", (long)sampling->logit_bias[i].token);
        remora_json_key(json_of(build), token);
        remora_json_write_double(json_of(build), sampling->logit_bias[i].bias);
    }
    remora_json_object_close(json_of(build));
}

static void write_sampling(struct openai_build *build)
{
    const struct remora_sampling *s = &build->request->sampling;
    const struct dialect *dialect = build->dialect;
    write_i64(build, REMORA_PARAMETER_MAX_TOKENS, dialect->max_tokens_field, &s->max_output_tokens);
    write_f64(build, REMORA_PARAMETER_TEMPERATURE, &s->temperature);
    write_f64(build, REMORA_PARAMETER_TOP_P, &s->top_p);
    write_i64(build, REMORA_PARAMETER_TOP_K, "top_k", &s->top_k);
    write_f64(build, REMORA_PARAMETER_MIN_P, &s->min_p);
    write_f64(build, REMORA_PARAMETER_TOP_A, &s->top_a);
    write_f64(build, REMORA_PARAMETER_FREQUENCY_PENALTY, &s->frequency_penalty);
    write_f64(build, REMORA_PARAMETER_PRESENCE_PENALTY, &s->presence_penalty);
    write_f64(build, REMORA_PARAMETER_REPETITION_PENALTY, &s->repetition_penalty);
    write_i64(build, REMORA_PARAMETER_SEED, dialect->seed_field, &s->seed);
    write_i64(build, REMORA_PARAMETER_N, "n", &s->choice_count);
    if (s->stop.count > 0 && openai_takes(build, REMORA_PARAMETER_STOP)) {
        write_words(build, "stop", &s->stop);
    }
    write_logit_bias(build);
}

void openai_write_cache(struct openai_build *build, const struct remora_cache_breakpoint *cache)
{
    struct remora_json_writer *w = json_of(build);
    if (!cache->is_set || !build->dialect->takes_cache_control) {
        return;
    }
    remora_json_key(w, "cache_control");
    remora_json_object_open(w);
    remora_json_key(w, "type");
    remora_json_write_text(w, "ephemeral");
    if (cache->ttl_s > 0) {
        remora_json_key(w, "ttl");
        remora_json_write_text(w, cache->ttl_s > 300 ? "1h" : "5m");
    }
    remora_json_object_close(w);
}

static void write_strict(struct openai_build *build, enum remora_tristate strict)
{
    if (strict != REMORA_UNSET) {
        remora_json_key(json_of(build), "strict");
        remora_json_write_bool(json_of(build), strict == REMORA_YES);
    }
}

static void write_raw_member(struct openai_build *build, const char *key, struct remora_slice raw)
{
    if (raw.length > 0) {
        remora_json_key(json_of(build), key);
        pieces_raw(&build->pieces, raw);
    }
}

static void write_tool(struct openai_build *build, const struct remora_tool *tool)
{
    struct remora_json_writer *w = json_of(build);
    if (tool->kind == REMORA_TOOL_NATIVE) {
        pieces_raw(&build->pieces, tool->native_json);
        return;
    }
    remora_json_object_open(w);
    remora_json_key(w, "type");
    remora_json_write_text(w, "function");
    remora_json_key(w, "function");
    remora_json_object_open(w);
    write_text(build, "name", tool->name);
    if (tool->description.length > 0) {
        write_text(build, "description", tool->description);
    }
    write_raw_member(build, "parameters", tool->parameters_json);
    write_strict(build, tool->strict);
    remora_json_object_close(w);
    openai_write_cache(build, &tool->cache);
    remora_json_object_close(w);
}

static void write_named_choice(struct openai_build *build, struct remora_slice name)
{
    struct remora_json_writer *w = json_of(build);
    remora_json_object_open(w);
    remora_json_key(w, "type");
    remora_json_write_text(w, "function");
    remora_json_key(w, "function");
    remora_json_object_open(w);
    write_text(build, "name", name);
    remora_json_object_close(w);
    remora_json_object_close(w);
}

static void write_tool_choice(struct openai_build *build)
{
    const struct remora_tool_choice *choice = &build->request->tool_choice;
    if (choice->kind == REMORA_TOOL_CHOICE_UNSET) {
        return;
    }
    remora_json_key(json_of(build), "tool_choice");
    switch (choice->kind) {
    case REMORA_TOOL_CHOICE_UNSET:
    case REMORA_TOOL_CHOICE_AUTO:
        remora_json_write_text(json_of(build), "auto");
        break;
    case REMORA_TOOL_CHOICE_NONE:
        remora_json_write_text(json_of(build), "none");
        break;
    case REMORA_TOOL_CHOICE_REQUIRED:
        remora_json_write_text(json_of(build), build->dialect->required_word);
        break;
    case REMORA_TOOL_CHOICE_FUNCTION:
        write_named_choice(build, choice->function_name);
        break;
    }
}

static void write_tools(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    if (request->tool_count > 0) {
        remora_json_key(json_of(build), "tools");
        remora_json_array_open(json_of(build));
        for (size_t i = 0; i < request->tool_count; i++) {
            write_tool(build, &request->tools[i]);
        }
        remora_json_array_close(json_of(build));
    }
    write_tool_choice(build);
    write_tristate(build, REMORA_PARAMETER_PARALLEL_TOOL_CALLS, request->parallel_tool_calls);
}

static const char *format_word(enum remora_format_kind kind)
{
    switch (kind) {
    case REMORA_FORMAT_UNSET:
    case REMORA_FORMAT_TEXT:
        return "text";
    case REMORA_FORMAT_JSON_OBJECT:
        return "json_object";
    case REMORA_FORMAT_JSON_SCHEMA:
        return "json_schema";
    case REMORA_FORMAT_REGEX:
        return "regex";
    case REMORA_FORMAT_GRAMMAR:
        return "grammar";
    }
    return "text";
}

static void write_schema(struct openai_build *build, const struct remora_response_format *format)
{
    remora_json_key(json_of(build), "json_schema");
    remora_json_object_open(json_of(build));
    write_text(build, "name", format->name);
    if (format->description.length > 0) {
        write_text(build, "description", format->description);
    }
    write_raw_member(build, "schema", format->schema_json);
    write_strict(build, format->strict);
    remora_json_object_close(json_of(build));
}

static void write_response_format(struct openai_build *build)
{
    const struct remora_response_format *format = &build->request->response_format;
    if (format->kind == REMORA_FORMAT_UNSET) {
        return;
    }
    remora_json_key(json_of(build), "response_format");
    remora_json_object_open(json_of(build));
    write_text(build, "type", remora_slice_of(format_word(format->kind)));
    if (format->kind == REMORA_FORMAT_JSON_SCHEMA) {
        write_schema(build, format);
    } else if (format->kind == REMORA_FORMAT_REGEX) {
        write_text(build, "pattern", format->pattern);
    } else if (format->kind == REMORA_FORMAT_GRAMMAR) {
        write_text(build, "grammar", format->pattern);
    }
    remora_json_object_close(json_of(build));
}

static const char *effort_word(enum remora_effort effort)
{
    switch (effort) {
    case REMORA_EFFORT_UNSET:
        return NULL;
    case REMORA_EFFORT_NONE:
        return "none";
    case REMORA_EFFORT_MINIMAL:
        return "minimal";
    case REMORA_EFFORT_LOW:
        return "low";
    case REMORA_EFFORT_MEDIUM:
        return "medium";
    case REMORA_EFFORT_HIGH:
        return "high";
    case REMORA_EFFORT_XHIGH:
        return "xhigh";
    case REMORA_EFFORT_MAX:
        return "max";
    }
    return NULL;
}

static bool is_off(const struct remora_reasoning_options *reasoning)
{
    return reasoning->enabled == REMORA_NO || reasoning->effort == REMORA_EFFORT_NONE;
}

static bool is_stated(const struct remora_reasoning_options *reasoning)
{
    return reasoning->effort != REMORA_EFFORT_UNSET || reasoning->max_tokens.is_set ||
           reasoning->enabled != REMORA_UNSET;
}

/* Where only an effort can be said, on without a degree is medium, as OpenRouter has it (openrouter.md 2.1). */
static void write_effort(struct openai_build *build, const struct remora_reasoning_options *r)
{
    const char *word = effort_word(r->effort);
    if (is_off(r)) {
        word = "none";
    } else if (word == NULL) {
        word = "medium";
    }
    write_text(build, "reasoning_effort", remora_slice_of(word));
}

static void write_reasoning_object(struct openai_build *build,
                                   const struct remora_reasoning_options *r)
{
    struct remora_json_writer *w = json_of(build);
    remora_json_key(w, "reasoning");
    remora_json_object_open(w);
    if (r->effort != REMORA_EFFORT_UNSET) {
        write_text(build, "effort", remora_slice_of(effort_word(r->effort)));
    }
    if (r->max_tokens.is_set) {
        remora_json_key(w, "max_tokens");
        remora_json_write_i64(w, r->max_tokens.value);
    }
    if (r->enabled != REMORA_UNSET) {
        remora_json_key(w, "enabled");
        remora_json_write_bool(w, r->enabled == REMORA_YES);
    }
    if (r->exclude_from_response) {
        remora_json_key(w, "exclude");
        remora_json_write_bool(w, true);
    }
    if (r->summary.length > 0) {
        write_text(build, "summary", r->summary);
    }
    remora_json_object_close(w);
}

static void write_thinking(struct openai_build *build, const struct remora_reasoning_options *r)
{
    struct remora_json_writer *w = json_of(build);
    remora_json_key(w, "thinking");
    remora_json_object_open(w);
    write_text(build, "type", remora_slice_of(is_off(r) ? "disabled" : "enabled"));
    remora_json_object_close(w);
    if (!is_off(r) && r->effort != REMORA_EFFORT_UNSET) {
        write_text(build, "reasoning_effort", remora_slice_of(effort_word(r->effort)));
    }
}

static void write_budget(struct openai_build *build, const struct remora_reasoning_options *r)
{
    remora_json_key(json_of(build), "enable_thinking");
    remora_json_write_bool(json_of(build), !is_off(r));
    if (!is_off(r) && r->max_tokens.is_set) {
        remora_json_key(json_of(build), "thinking_budget");
        remora_json_write_i64(json_of(build), r->max_tokens.value);
    }
}

static void write_reasoning(struct openai_build *build)
{
    const struct remora_reasoning_options *r = &build->request->reasoning;
    bool is_object = build->dialect->reasoning_ask == REASONING_ASK_OBJECT;
    bool has_more = is_object && (r->exclude_from_response || r->summary.length > 0);
    if ((!is_stated(r) && !has_more) || !openai_takes(build, REMORA_PARAMETER_REASONING)) {
        return;
    }
    switch (build->dialect->reasoning_ask) {
    case REASONING_ASK_EFFORT:
        write_effort(build, r);
        break;
    case REASONING_ASK_OBJECT:
        write_reasoning_object(build, r);
        break;
    case REASONING_ASK_THINKING:
        write_thinking(build, r);
        break;
    case REASONING_ASK_BUDGET:
        write_budget(build, r);
        break;
    }
}

static void write_options(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    write_tristate(build, REMORA_PARAMETER_LOGPROBS, request->logprobs);
    write_i64(build, REMORA_PARAMETER_TOP_LOGPROBS, "top_logprobs", &request->top_logprobs);
    write_word(build, REMORA_PARAMETER_USER, request->end_user_id);
    write_word(build, REMORA_PARAMETER_SERVICE_TIER, request->service_tier);
    write_word(build, REMORA_PARAMETER_VERBOSITY, request->verbosity);
    write_word(build, REMORA_PARAMETER_PROMPT_CACHE_KEY, request->prompt_cache_key);
    if (request->output_modalities.count > 0) {
        write_words(build, "modalities", &request->output_modalities);
    }
    openai_write_cache(build, &request->cache);
}

/* Fields that this file writes itself; a further field of the same name would make the body say two things. */
static const char *const own_fields[] = {"model", "messages",    "stream",         "stream_options",
                                         "tools", "tool_choice", "response_format"};

static bool is_own_field(struct remora_slice key)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(own_fields); i++) {
        if (remora_slice_is(key, own_fields[i])) {
            return true;
        }
    }
    return false;
}

/* A further field that has a place in the table of parameters obeys the endpoint's list as any other. */
static bool takes_extra(struct openai_build *build, struct remora_slice key)
{
    for (int i = 0; i < REMORA_PARAMETER_COUNT; i++) {
        if (remora_slice_is(key, remora_parameter_name((enum remora_parameter)i))) {
            return openai_takes(build, (enum remora_parameter)i);
        }
    }
    return true;
}

static void write_extra(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    for (size_t i = 0; i < request->extra_count; i++) {
        const struct remora_pair *pair = &request->extra[i];
        if (is_own_field(pair->key) || pair->value.length == 0 || !takes_extra(build, pair->key)) {
            continue;
        }
        remora_json_key_slice(json_of(build), pair->key);
        pieces_raw(&build->pieces, pair->value);
    }
}

static void write_delivery(struct openai_build *build)
{
    struct remora_json_writer *w = json_of(build);
    bool is_stream = build->request->delivery == REMORA_STREAM;
    remora_json_key(w, "stream");
    remora_json_write_bool(w, is_stream);
    if (!is_stream || !build->dialect->takes_usage_option) {
        return;
    }
    remora_json_key(w, "stream_options");
    remora_json_object_open(w);
    remora_json_key(w, "include_usage");
    remora_json_write_bool(w, true);
    remora_json_object_close(w);
}

void openai_write_body(struct openai_build *build)
{
    remora_json_object_open(json_of(build));
    write_text(build, "model", build->endpoint->facts.upstream_model);
    openai_write_messages(build);
    write_delivery(build);
    write_sampling(build);
    write_tools(build);
    write_response_format(build);
    write_reasoning(build);
    write_options(build);
    write_extra(build);
    remora_json_object_close(json_of(build));
}
