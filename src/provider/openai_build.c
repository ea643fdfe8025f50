/*
 * The body of a chat completion request: model, messages, delivery, then every parameter that the caller stated.
 *
 * A parameter that the endpoint does not support or the dialect refuses is left out and listed in `dropped`. Never left
 * out because of an endpoint's list: tools, tool_choice, response_format and output modalities; endpoints without them were
 * filtered before (codes.md "supported_parameters"). A tool_choice that the dialect has no word for is dropped and told.
 * Labels, session and preset are the gateway's own and stay here.
 * Sources: providers.md sections 1 and 8 (names of fields), openrouter.md 2 and 2.1 (fields beyond OpenAI's).
 */
#include "openai_write.h"

#include <stdio.h>

void openai_note_dropped(struct openai_build *build, enum remora_parameter parameter,
                         const char *why)
{
    const struct remora_dropped one = {.parameter = parameter, .why = why};
    remora_dropped_add(build->out->dropped, &build->out->dropped_count, &one);
}

bool openai_lists(const struct openai_build *build, enum remora_parameter parameter)
{
    return remora_parameter_set_has(build->endpoint->facts.supported, parameter) &&
           !remora_parameter_set_has(build->refused, parameter);
}

bool openai_takes(struct openai_build *build, enum remora_parameter parameter)
{
    const char *why = NULL;
    if (!remora_parameter_set_has(build->endpoint->facts.supported, parameter)) {
        why = "the endpoint does not support it";
    } else if (remora_parameter_set_has(build->refused, parameter)) {
        why = "the provider does not take it";
    }
    if (why != NULL) {
        openai_note_dropped(build, parameter, why);
    }
    return why == NULL;
}

static void write_f64_as(struct openai_build *build, enum remora_parameter parameter,
                         const char *key, const struct remora_opt_f64 *value)
{
    if (value->is_set && openai_takes(build, parameter)) {
        remora_json_key(json_of(build), key);
        remora_json_write_double(json_of(build), value->value);
    }
}

static void write_f64(struct openai_build *build, enum remora_parameter parameter,
                      const struct remora_opt_f64 *value)
{
    write_f64_as(build, parameter, remora_parameter_name(parameter), value);
}

/* Where the scale ends earlier, the end of it: told like what is left out. */
static void write_temperature(struct openai_build *build, struct remora_opt_f64 value)
{
    double most = build->dialect->temperature_max;
    if (value.is_set && most > 0 && value.value > most) {
        value.value = most;
        openai_note_dropped(build, REMORA_PARAMETER_TEMPERATURE,
                            "lowered to the highest that the provider takes");
    }
    write_f64(build, REMORA_PARAMETER_TEMPERATURE, &value);
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

/* One is what everybody gives without being asked. */
static void write_choice_count(struct openai_build *build)
{
    int64_t count = build->request->sampling.choice_count.value;
    if (count > 1 && openai_takes(build, REMORA_PARAMETER_N)) {
        remora_json_key(json_of(build), "n");
        remora_json_write_i64(json_of(build), count);
        build->out->choice_count = count;
    }
}

static void write_sampling(struct openai_build *build)
{
    const struct remora_sampling *s = &build->request->sampling;
    const struct dialect *dialect = build->dialect;
    write_i64(build, REMORA_PARAMETER_MAX_TOKENS, dialect->max_tokens_field, &s->max_output_tokens);
    write_temperature(build, s->temperature);
    write_f64(build, REMORA_PARAMETER_TOP_P, &s->top_p);
    write_i64(build, REMORA_PARAMETER_TOP_K, "top_k", &s->top_k);
    write_f64(build, REMORA_PARAMETER_MIN_P, &s->min_p);
    write_f64(build, REMORA_PARAMETER_TOP_A, &s->top_a);
    write_f64(build, REMORA_PARAMETER_FREQUENCY_PENALTY, &s->frequency_penalty);
    write_f64(build, REMORA_PARAMETER_PRESENCE_PENALTY, &s->presence_penalty);
    write_f64_as(build, REMORA_PARAMETER_REPETITION_PENALTY, dialect->repetition_field,
                 &s->repetition_penalty);
    write_i64(build, REMORA_PARAMETER_SEED, dialect->seed_field, &s->seed);
    write_choice_count(build);
    if (s->stop.count > 0 && openai_takes(build, REMORA_PARAMETER_STOP)) {
        write_words(build, "stop", &s->stop);
    }
    write_logit_bias(build);
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

/* "None" to a server that has no word for it: no tools are sent. */
static bool is_none_by_silence(const struct openai_build *build)
{
    bool has_word =
        build->dialect->choice_style != CHOICE_AUTO_ONLY &&
        remora_parameter_set_has(build->endpoint->facts.supported, REMORA_PARAMETER_TOOL_CHOICE);
    return build->request->tool_choice.kind == REMORA_TOOL_CHOICE_NONE && !has_word;
}

/* Where only "auto" can be said, everything else is lost, which must be told. */
static bool can_say_choice(struct openai_build *build, enum remora_tool_choice_kind kind)
{
    bool is_lost =
        build->dialect->choice_style == CHOICE_AUTO_ONLY && kind != REMORA_TOOL_CHOICE_AUTO;
    if (is_none_by_silence(build)) {
        return false;
    }
    if (is_lost) {
        openai_note_dropped(build, REMORA_PARAMETER_TOOL_CHOICE,
                            "the provider takes no other tool_choice than auto");
    }
    return !is_lost;
}

static void write_tool_choice(struct openai_build *build)
{
    const struct remora_tool_choice *choice = &build->request->tool_choice;
    bool says_any = build->dialect->choice_style == CHOICE_ANY;
    bool says_nothing = choice->kind == REMORA_TOOL_CHOICE_AUTO &&
                        !openai_lists(build, REMORA_PARAMETER_TOOL_CHOICE);
    if (choice->kind == REMORA_TOOL_CHOICE_UNSET || says_nothing ||
        !can_say_choice(build, choice->kind)) {
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
        remora_json_write_text(json_of(build), says_any ? "any" : "required");
        break;
    case REMORA_TOOL_CHOICE_FUNCTION:
        if (says_any) {
            remora_json_write_text(json_of(build), "any");
        } else {
            write_named_choice(build, choice->function_name);
        }
        break;
    }
}

/* Some tools stay at home, so that the choice means what was asked for. */
static bool is_sent(const struct openai_build *build, const struct remora_tool *tool)
{
    const struct remora_tool_choice *choice = &build->request->tool_choice;
    bool is_alone =
        build->dialect->choice_style == CHOICE_ANY && choice->kind == REMORA_TOOL_CHOICE_FUNCTION;
    if (is_none_by_silence(build)) {
        return false;
    }
    return !is_alone || remora_slice_equal(tool->name, choice->function_name);
}

static void write_tools(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    size_t sent = 0;
    for (size_t i = 0; i < request->tool_count; i++) {
        if (is_sent(build, &request->tools[i])) {
            if (sent++ == 0) {
                remora_json_key(json_of(build), "tools");
                remora_json_array_open(json_of(build));
            }
            write_tool(build, &request->tools[i]);
        }
    }
    if (sent > 0) {
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
    case REMORA_FORMAT_PYTHON:
        return "python";
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
    bool says_nothing = format->kind == REMORA_FORMAT_TEXT &&
                        !openai_lists(build, REMORA_PARAMETER_RESPONSE_FORMAT);
    if (format->kind == REMORA_FORMAT_UNSET || says_nothing) {
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

static void write_delivery(struct openai_build *build)
{
    struct remora_json_writer *w = json_of(build);
    bool is_stream = build->delivery == REMORA_STREAM;
    remora_json_key(w, "stream");
    remora_json_write_bool(w, is_stream);
    if (!is_stream || build->dialect->usage_stream == USAGE_STREAM_ALWAYS) {
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
    openai_write_reasoning(build);
    openai_write_options(build);
    openai_write_preferences(build);
    openai_write_extra(build);
    remora_json_object_close(json_of(build));
}
