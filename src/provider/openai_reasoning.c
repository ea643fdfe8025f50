/*
 * How a request asks for reasoning: one caller's wish (effort, budget, on or off, hidden) in the words of each dialect.
 *
 * Where only an effort can be said, on without a degree is medium, as OpenRouter has it (openrouter.md 2.1); a budget becomes
 * the effort whose share of the answer's tokens is nearest, and the reverse where only a budget can be said, if it is known
 * how many tokens the answer may have. A part of the wish that the dialect has no word for is told as dropped. Nothing is
 * written when nothing was asked. An endpoint of which the catalog knows a switch or a budget, and no effort, gets no effort,
 * and none without a budget in its list gets one; that is told. An effort that the endpoint does not have becomes the nearest
 * that it has, which is told, too; "none" has nothing near, and goes only where it is known.
 * Sources: providers.md section 8, each server's line, and 9 "reasoning_param"; openrouter.md 2.1.
 */
#include "openai_write.h"

static void write_flag(struct openai_build *build, const char *key, bool value)
{
    remora_json_key(json_of(build), key);
    remora_json_write_bool(json_of(build), value);
}

/* How many tokens the answer may have; 0: nobody has said. */
static int64_t output_limit(const struct openai_build *build)
{
    const struct remora_opt_i64 *asked = &build->request->sampling.max_output_tokens;
    return asked->is_set ? asked->value : build->endpoint->facts.max_completion_tokens;
}

/* As stated, or what a budget means; of the three that everybody knows. Borders lie between the shares of budget_of. */
static enum remora_effort effort_of(const struct openai_build *build,
                                    const struct remora_reasoning_options *r)
{
    double limit = (double)output_limit(build);
    if (r->effort != REMORA_EFFORT_UNSET || !r->max_tokens.is_set || limit <= 0) {
        return r->effort;
    }
    double share = (double)r->max_tokens.value / limit;
    if (share < 0.35) {
        return REMORA_EFFORT_LOW;
    }
    return share < 0.65 ? REMORA_EFFORT_MEDIUM : REMORA_EFFORT_HIGH;
}

/* As stated, or the effort's share of the answer (openrouter.md 2.1 "effort"); 0: not known. */
static int64_t budget_of(const struct openai_build *build, const struct remora_reasoning_options *r)
{
    static const int64_t percent[] = {
        [REMORA_EFFORT_UNSET] = 0,  [REMORA_EFFORT_NONE] = 0,    [REMORA_EFFORT_MINIMAL] = 10,
        [REMORA_EFFORT_LOW] = 20,   [REMORA_EFFORT_MEDIUM] = 50, [REMORA_EFFORT_HIGH] = 80,
        [REMORA_EFFORT_XHIGH] = 95, [REMORA_EFFORT_MAX] = 95,
    };
    if (r->max_tokens.is_set) {
        return r->max_tokens.value;
    }
    return output_limit(build) * percent[r->effort] / 100;
}

/* The effort that the endpoint has and that is nearest; of two as near the lower, which costs no more than was asked. Only
 * who asks for none gets none, and nobody who asks for none gets more. */
static enum remora_effort nearest_effort(remora_effort_set has, enum remora_effort asked)
{
    for (int away = 0; away <= (int)REMORA_EFFORT_MAX; away++) {
        int lower = (int)asked - away;
        int higher = (int)asked + away;
        if (lower >= (int)REMORA_EFFORT_MINIMAL &&
            (has & remora_effort_bit((enum remora_effort)lower)) != 0) {
            return (enum remora_effort)lower;
        }
        if (higher <= (int)REMORA_EFFORT_MAX &&
            (has & remora_effort_bit((enum remora_effort)higher)) != 0) {
            return (enum remora_effort)higher;
        }
    }
    return asked; /* nothing is known of its efforts */
}

static const char *const mapped_to[] = {
    [REMORA_EFFORT_UNSET] = "",
    [REMORA_EFFORT_NONE] = "",
    [REMORA_EFFORT_MINIMAL] = "the endpoint has no such effort: minimal, the nearest, was sent",
    [REMORA_EFFORT_LOW] = "the endpoint has no such effort: low, the nearest, was sent",
    [REMORA_EFFORT_MEDIUM] = "the endpoint has no such effort: medium, the nearest, was sent",
    [REMORA_EFFORT_HIGH] = "the endpoint has no such effort: high, the nearest, was sent",
    [REMORA_EFFORT_XHIGH] = "the endpoint has no such effort: xhigh, the nearest, was sent",
    [REMORA_EFFORT_MAX] = "the endpoint has no such effort: max, the nearest, was sent",
};

static bool lacks_effort(const struct openai_build *build)
{
    return remora_endpoint_lacks_effort(&build->endpoint->facts);
}

/* A router finds out by itself. */
static bool lacks_budget(const struct openai_build *build)
{
    return build->endpoint->facts.lacks_budget &&
           build->dialect->reasoning_ask != REASONING_ASK_OBJECT;
}

/* Told when it is not the one that was stated, be it by switching reasoning off; no word goes where there are no efforts. */
static void write_effort_word(struct openai_build *build, const struct remora_reasoning_options *r,
                              enum remora_effort effort)
{
    if (lacks_effort(build)) {
        openai_note_dropped(build, REMORA_PARAMETER_REASONING,
                            lacks_budget(build)
                                ? "the endpoint only switches reasoning on and off"
                                : "the endpoint has a budget of reasoning, no effort");
        return;
    }
    remora_effort_set has = build->endpoint->facts.efforts;
    if (effort == REMORA_EFFORT_NONE && has != 0 && (has & remora_effort_bit(effort)) == 0) {
        openai_note_dropped(build, REMORA_PARAMETER_REASONING,
                            "the endpoint has no word for no reasoning: nothing was sent");
        return;
    }
    enum remora_effort sent = nearest_effort(has, effort);
    if (sent != effort && r->effort == effort) {
        openai_note_dropped(build, REMORA_PARAMETER_REASONING, mapped_to[sent]);
    }
    write_text(build, "reasoning_effort", remora_slice_of(remora_effort_name(sent)));
}

static void write_effort(struct openai_build *build, const struct remora_reasoning_options *r)
{
    enum remora_effort effort = effort_of(build, r);
    if (remora_reasoning_is_off(r)) {
        effort = REMORA_EFFORT_NONE;
    } else if (effort == REMORA_EFFORT_UNSET) {
        effort = REMORA_EFFORT_MEDIUM;
    }
    write_effort_word(build, r, effort);
}

static void write_stated_effort(struct openai_build *build,
                                const struct remora_reasoning_options *r)
{
    enum remora_effort effort = effort_of(build, r);
    if (!remora_reasoning_is_off(r) && effort != REMORA_EFFORT_UNSET) {
        write_effort_word(build, r, effort);
    }
}

/* A router: it finds the nearest effort itself. */
static void write_object(struct openai_build *build, const struct remora_reasoning_options *r)
{
    struct remora_json_writer *w = json_of(build);
    remora_json_key(w, "reasoning");
    remora_json_object_open(w);
    if (r->effort != REMORA_EFFORT_UNSET) {
        write_text(build, "effort", remora_slice_of(remora_effort_name(r->effort)));
    }
    if (r->max_tokens.is_set) {
        remora_json_key(w, "max_tokens");
        remora_json_write_i64(w, r->max_tokens.value);
    }
    if (r->enabled != REMORA_UNSET) {
        write_flag(build, "enabled", r->enabled == REMORA_YES);
    }
    if (r->exclude_from_response) {
        write_flag(build, "exclude", true);
    }
    if (r->summary.length > 0) {
        write_text(build, "summary", r->summary);
    }
    if (r->context.length > 0) {
        write_text(build, "context", r->context);
    }
    remora_json_object_close(w);
}

/* An object of one flag under `key`, and the effort beside it. */
static void write_switch(struct openai_build *build, const char *key, const char *flag,
                         const struct remora_reasoning_options *r)
{
    remora_json_key(json_of(build), key);
    remora_json_object_open(json_of(build));
    write_flag(build, flag, !remora_reasoning_is_off(r));
    remora_json_object_close(json_of(build));
    write_stated_effort(build, r);
}

static void write_thinking(struct openai_build *build, const struct remora_reasoning_options *r,
                           bool takes_budget)
{
    struct remora_json_writer *w = json_of(build);
    bool is_off = remora_reasoning_is_off(r);
    remora_json_key(w, "thinking");
    remora_json_object_open(w);
    write_text(build, "type", remora_slice_of(is_off ? "disabled" : "enabled"));
    if (!is_off && takes_budget) {
        remora_json_key(w, "budget_tokens");
        remora_json_write_i64(w, r->max_tokens.value);
    }
    remora_json_object_close(w);
    if (!takes_budget) {
        write_stated_effort(build, r);
    }
}

/* Fireworks refuses a request that says both. */
static void write_either(struct openai_build *build, const struct remora_reasoning_options *r)
{
    bool is_off = remora_reasoning_is_off(r);
    bool is_budget =
        !is_off && r->max_tokens.is_set && r->effort == REMORA_EFFORT_UNSET && !lacks_budget(build);
    if (is_budget || lacks_effort(build)) {
        write_thinking(build, r, is_budget);
    } else {
        write_effort(build, r);
    }
}

static void write_budget(struct openai_build *build, const struct remora_reasoning_options *r)
{
    bool is_off = remora_reasoning_is_off(r);
    write_flag(build, "enable_thinking", !is_off);
    if (!is_off && !lacks_budget(build) && budget_of(build, r) > 0) {
        remora_json_key(json_of(build), "thinking_budget");
        remora_json_write_i64(json_of(build), budget_of(build, r));
    }
}

/* Groq: without a format reasoning may stand in the text, in tags. */
static void write_format(struct openai_build *build, const struct remora_reasoning_options *r)
{
    if (remora_reasoning_is_stated(r)) {
        write_effort(build, r);
    }
    if (!remora_reasoning_is_off(r)) {
        write_text(build, "reasoning_format",
                   remora_slice_of(r->exclude_from_response ? "hidden" : "parsed"));
    }
}

static void write_disable(struct openai_build *build, const struct remora_reasoning_options *r)
{
    if (remora_reasoning_is_off(r)) {
        write_flag(build, "disable_reasoning", true);
    } else {
        write_effort(build, r);
    }
}

/* What the words above leave unsaid of the wish. */
static void tell_lost(struct openai_build *build, const struct remora_reasoning_options *r)
{
    enum reasoning_ask ask = build->dialect->reasoning_ask;
    bool has_effort = r->effort != REMORA_EFFORT_UNSET;
    bool takes_budget = (ask == REASONING_ASK_OBJECT || ask == REASONING_ASK_BUDGET ||
                         (ask == REASONING_ASK_EITHER && !has_effort)) &&
                        !lacks_budget(build);
    if (remora_reasoning_is_off(r)) {
        return;
    }
    if (ask == REASONING_ASK_BUDGET && lacks_budget(build) &&
        (has_effort || r->max_tokens.is_set)) {
        openai_note_dropped(build, REMORA_PARAMETER_REASONING,
                            "the endpoint only switches reasoning on and off");
    } else if (r->max_tokens.is_set && !takes_budget) {
        bool takes_either = ask == REASONING_ASK_EITHER && !lacks_budget(build);
        openai_note_dropped(
            build, REMORA_PARAMETER_REASONING,
            takes_either ? "the provider takes an effort or a budget, not both: the effort counts"
                         : "the provider takes no budget of reasoning tokens");
    } else if (has_effort && ask == REASONING_ASK_BUDGET &&
               (r->max_tokens.is_set || budget_of(build, r) == 0)) {
        openai_note_dropped(build, REMORA_PARAMETER_REASONING,
                            "the provider takes no effort, only a budget");
    }
}

static void write_wish(struct openai_build *build, const struct remora_reasoning_options *r)
{
    switch (build->dialect->reasoning_ask) {
    case REASONING_ASK_EFFORT:
        write_effort(build, r);
        break;
    case REASONING_ASK_OBJECT:
        write_object(build, r);
        break;
    case REASONING_ASK_ENABLED:
        write_switch(build, "reasoning", "enabled", r);
        break;
    case REASONING_ASK_THINKING:
        write_thinking(build, r, false);
        break;
    case REASONING_ASK_EITHER:
        write_either(build, r);
        break;
    case REASONING_ASK_BUDGET:
        write_budget(build, r);
        break;
    case REASONING_ASK_FORMAT:
        write_format(build, r);
        break;
    case REASONING_ASK_DISABLE:
        write_disable(build, r);
        break;
    case REASONING_ASK_TEMPLATE:
        write_switch(build, "chat_template_kwargs", "enable_thinking", r);
        break;
    }
    tell_lost(build, r);
}

/* What only the object has a name for. */
static void tell_nameless(struct openai_build *build, const struct remora_reasoning_options *r)
{
    static const char why[] = "only providers that take the object reasoning know it";
    if (build->dialect->reasoning_ask == REASONING_ASK_OBJECT) {
        return;
    }
    if (r->summary.length > 0) {
        openai_note_field(build, REMORA_SLICE("reasoning.summary"), why);
    }
    if (r->context.length > 0) {
        openai_note_field(build, REMORA_SLICE("reasoning.context"), why);
    }
}

/* Hiding alone, or a summary or context alone, can be asked only where there are words for it; nothing is hidden where there
 * is none. */
static bool has_words_for(const struct openai_build *build,
                          const struct remora_reasoning_options *r)
{
    if (remora_reasoning_only_hides(r) &&
        !remora_parameter_set_has(build->endpoint->facts.supported, REMORA_PARAMETER_REASONING)) {
        return false;
    }
    switch (build->dialect->reasoning_ask) {
    case REASONING_ASK_OBJECT:
        return r->exclude_from_response || r->summary.length > 0 || r->context.length > 0;
    case REASONING_ASK_FORMAT:
        return r->exclude_from_response;
    case REASONING_ASK_EFFORT:
    case REASONING_ASK_ENABLED:
    case REASONING_ASK_THINKING:
    case REASONING_ASK_EITHER:
    case REASONING_ASK_BUDGET:
    case REASONING_ASK_DISABLE:
    case REASONING_ASK_TEMPLATE:
        return false;
    }
    return false;
}

/* Asked for as the model does it: nothing is written, but where there is none it is told. */
static bool is_wished_as_it_is(const struct openai_build *build,
                               const struct remora_reasoning_options *r)
{
    return remora_request_asks(build->request, REMORA_PARAMETER_REASONING) &&
           !remora_reasoning_is_stated(r) && !r->exclude_from_response && r->summary.length == 0 &&
           r->context.length == 0;
}

void openai_write_reasoning(struct openai_build *build)
{
    const struct remora_reasoning_options *r = &build->request->reasoning;
    bool has_words = remora_reasoning_is_stated(r) || has_words_for(build, r);
    if ((has_words || is_wished_as_it_is(build, r)) &&
        openai_takes(build, REMORA_PARAMETER_REASONING) && has_words) {
        write_wish(build, r);
        build->says_reasoning = true;
    }
    tell_nameless(build, r);
}
