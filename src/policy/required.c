/*
 * What of a request an endpoint would lose: `require_parameters` removes it then. Whatever is told as dropped counts, be it a
 * parameter, a part of the wish for reasoning, a mark for a cache or a field that no table has. What is only brought nearer to
 * what the endpoint has (an effort, a temperature, a verbosity) is not lost. No reasoning is not near to a little.
 *
 * Parameters come first, in the request's order, then marks, trial features, further fields and members, and what an assistant
 * has said before.
 * Sources: openrouter.md section 4 "require_parameters"; codes.md. Cannot fail.
 */
#include <string.h>

#include "needs.h"
#include "remora/betas.h"

/*
 * Of an endpoint without efforts: the effort, or the whole wish where its dialect has no word but efforts. Of any: that there be no
 * reasoning, where it has no word for none.
 */
static bool loses_effort(const struct remora_request *request,
                         const struct remora_endpoint *endpoint, enum remora_dialect dialect)
{
    const struct remora_reasoning_options *r = &request->reasoning;
    bool is_off = remora_reasoning_is_off(r);
    if (is_off) {
        return !remora_dialect_says_off(dialect, &endpoint->facts);
    }
    if (!remora_endpoint_lacks_effort(&endpoint->facts) || !remora_reasoning_is_stated(r) ||
        dialect == REMORA_DIALECT_OPENROUTER) {
        return false;
    }
    bool has_degree = r->effort != REMORA_EFFORT_UNSET || r->max_tokens.is_set;
    bool takes_budget = !endpoint->facts.lacks_budget &&
                        (dialect == REMORA_DIALECT_QWEN ||
                         (dialect == REMORA_DIALECT_FIREWORKS && r->effort == REMORA_EFFORT_UNSET));
    return !remora_dialect_has_switch(dialect, false) || (has_degree && !takes_budget);
}

static const char *lost_of_reasoning(const struct remora_request *request,
                                     const struct remora_endpoint *endpoint,
                                     enum remora_dialect dialect)
{
    const struct remora_opt_i64 *asked = &request->sampling.max_output_tokens;
    int64_t answer_tokens = asked->is_set ? asked->value : endpoint->facts.max_completion_tokens;
    if (loses_effort(request, endpoint, dialect)) {
        return "reasoning.effort";
    }
    return remora_dialect_reasoning_lost(dialect, &endpoint->facts, &request->reasoning,
                                         answer_tokens);
}

static const char *lost_of_parameter(const struct remora_judge *judge,
                                     const struct remora_endpoint *endpoint,
                                     enum remora_dialect dialect, enum remora_parameter parameter)
{
    const struct remora_request *request = judge->request;
    if (policy_is_default(request, parameter)) {
        return NULL;
    }
    const char *lacks = policy_lacks(judge, endpoint, parameter);
    if (lacks == NULL && parameter == REMORA_PARAMETER_REASONING) {
        return lost_of_reasoning(request, endpoint, dialect);
    }
    bool is_bare_flag = parameter == REMORA_PARAMETER_STRUCTURED_OUTPUTS &&
                        request->response_format.kind != REMORA_FORMAT_JSON_SCHEMA;
    if (lacks == NULL && is_bare_flag && !remora_dialect_takes_structured_flag(dialect)) {
        return remora_parameter_name(parameter);
    }
    return lacks;
}

static bool loses_mark(const struct remora_judge *judge, enum remora_dialect dialect)
{
    return (judge->has_cache_mark && remora_dialect_cache_mark(dialect, false) == NULL) ||
           (judge->has_explicit_mark && remora_dialect_cache_mark(dialect, true) == NULL);
}

/* Further fields are the caller's words: that one is lost is told under this name of all. */
static bool loses_field(const struct remora_request *request,
                        const struct remora_endpoint *endpoint, enum remora_dialect dialect)
{
    bool says_reasoning = remora_reasoning_is_stated(&request->reasoning);
    for (size_t i = 0; i < request->extra_count; i++) {
        struct remora_slice name = request->extra[i].key;
        if (!remora_dialect_takes_field(dialect, endpoint->facts.supported, name) ||
            (says_reasoning && remora_is_reasoning_field(name))) {
            return true;
        }
    }
    return false;
}

static const char *lost_of_earlier(uint32_t said, const struct remora_endpoint *endpoint,
                                   const struct remora_dialect_history *history)
{
    bool is_opaque = (said & POLICY_SAID_OPAQUE) != 0;
    if ((said & POLICY_SAID_REASONING) != 0 && remora_echo_loses(history->reasoning, is_opaque)) {
        return "messages[].reasoning_details";
    }
    if ((said & POLICY_SAID_RAW) != 0) {
        return "messages[].raw";
    }
    bool has_sound = (said & (POLICY_SAID_SOUND | POLICY_SAID_NAMELESS_SOUND)) != 0;
    if ((said & POLICY_SAID_NAMELESS_SOUND) != 0 ||
        (has_sound && !remora_model_has_sound(&endpoint->model->facts))) {
        return "messages[].audio";
    }
    if ((said & POLICY_SAID_IMAGES) != 0 && !history->takes_images) {
        return "messages[].images";
    }
    bool loses = (said & POLICY_SAID_CITATIONS) != 0 && !history->takes_annotations;
    return loses ? "messages[].annotations" : NULL;
}

/* Further members of messages; the mark to go on from is one that some servers have. */
static bool loses_member(uint32_t said, const struct remora_endpoint *endpoint,
                         enum remora_dialect dialect)
{
    const char *mark = remora_dialect_history(dialect)->mark;
    bool has_prefix = mark != NULL && strcmp(mark, "prefix") == 0;
    bool has_partial = mark != NULL && strcmp(mark, "partial") == 0;
    if (remora_dialect_takes_anything(dialect, endpoint->facts.supported)) {
        return false;
    }
    return (said & POLICY_SAID_FURTHER) != 0 || ((said & POLICY_SAID_PREFIX) != 0 && !has_prefix) ||
           ((said & POLICY_SAID_PARTIAL) != 0 && !has_partial);
}

const char *policy_loses(const struct remora_judge *judge, const struct remora_endpoint *endpoint)
{
    const struct remora_request *request = judge->request;
    enum remora_dialect dialect = remora_dialect_of(&endpoint->provider->facts);
    size_t count = policy_may_lack(judge, endpoint) ? request->asked_count : 0;
    for (size_t i = 0; i < count; i++) {
        const char *lost =
            lost_of_parameter(judge, endpoint, dialect, (enum remora_parameter)request->asked[i]);
        if (lost != NULL) {
            return lost;
        }
    }
    if (loses_mark(judge, dialect)) {
        return "cache_control";
    }
    if ((judge->said & POLICY_SAID_CALL_MARK) != 0) {
        return "messages[].tool_calls[].cache_control";
    }
    if (request->betas != NULL && !remora_endpoint_takes_betas(endpoint)) {
        return REMORA_BETA_HEADER;
    }
    if (loses_field(request, endpoint, dialect) || loses_member(judge->said, endpoint, dialect)) {
        return "further_fields";
    }
    if ((judge->said & POLICY_SAID_NAME) != 0 && !remora_endpoint_takes_names(endpoint)) {
        return "messages[].name";
    }
    return lost_of_earlier(judge->said, endpoint, remora_dialect_history(dialect));
}
