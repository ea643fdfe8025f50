/* What differs between servers that all speak OpenAI's chat completions: one row each (providers.md sections 8 and 9). */
#ifndef REMORA_PROVIDER_DIALECT_H
#define REMORA_PROVIDER_DIALECT_H

#include "remora/catalog.h"

enum role_style {
    ROLE_SYSTEM,   /* developer becomes system */
    ROLE_BY_MODEL, /* a model that reasons: system becomes developer; any other: the reverse */
};

/* How tool_choice is said where it is neither absent nor "auto". */
enum choice_style {
    CHOICE_OPENAI,    /* "none", "required", or the function by name */
    CHOICE_ANY,       /* required is "any"; a named function is "any" with no other tool sent */
    CHOICE_AUTO_ONLY, /* nothing but "auto": none is said by sending no tools; the rest is filtered by policy or dropped */
};

/* How a request asks for reasoning. */
enum reasoning_ask {
    REASONING_ASK_EFFORT,  /* reasoning_effort: "low" */
    REASONING_ASK_OBJECT,  /* reasoning: {effort, max_tokens, exclude, enabled, summary} */
    REASONING_ASK_ENABLED, /* reasoning: {enabled}, and reasoning_effort when stated */
    REASONING_ASK_THINKING, /* thinking: {type: enabled|disabled}, and reasoning_effort when stated */
    REASONING_ASK_EITHER, /* reasoning_effort, or thinking {type, budget_tokens} for a budget: never both */
    REASONING_ASK_BUDGET,  /* enable_thinking, thinking_budget */
    REASONING_ASK_FORMAT,  /* reasoning_effort, and reasoning_format: parsed|hidden */
    REASONING_ASK_DISABLE, /* reasoning_effort, or disable_reasoning: true */
    REASONING_ASK_TEMPLATE, /* chat_template_kwargs: {enable_thinking}, and reasoning_effort when stated */
};

/* Where reasoning stands in an answer. */
enum reasoning_place {
    REASONING_IN_MEMBERS, /* reasoning, reasoning_content, reasoning_details, thinking parts: read everywhere */
    REASONING_IN_TAGS, /* or as <think> ... </think> before the text */
};

/* What completion_tokens means where total_tokens does not tell. */
enum usage_rule {
    USAGE_INCLUSIVE,        /* reasoning is part of it */
    USAGE_REASONING_BESIDE, /* reasoning comes on top */
};

/* How a stream is brought to tell its usage. */
enum usage_stream {
    USAGE_STREAM_ASKED,  /* stream_options.include_usage */
    USAGE_STREAM_ALWAYS, /* comes by itself; stream_options would be refused */
};

enum done_marker {
    DONE_EXPECTED, /* `[DONE]`; a stream without it is counted */
    DONE_OPTIONAL, /* the end of the body will do */
};

struct dialect {
    const char *max_tokens_field;
    const char *seed_field;
    const char *repetition_field; /* of repetition_penalty */
    const char
        *key_header; /* NULL: Authorization: Bearer KEY; else the header that holds the key alone */
    const char
        *go_on_field; /* set to true in an assistant message that ends the request, or NULL */
    const char *always_true; /* a member that every request carries as true, or NULL */
    double temperature_max;  /* 0: no lower than everybody's */
    enum role_style role_style;
    enum choice_style choice_style;
    enum reasoning_ask reasoning_ask;
    enum reasoning_place reasoning_place;
    enum usage_rule usage_rule;
    enum usage_stream usage_stream;
    enum done_marker done_marker;
    bool tells_stop_text; /* a choice's `stop_reason` is the stop text that ended it, if one did */
    uint8_t tool_id_length; /* ids of tool calls are that many letters and digits; 0: any text */
    bool alternates_roles;  /* messages of one role in a row become one */
    bool
        takes_preferences; /* routes further by `provider` preferences: privacy and price caps go on */
};

/* Never NULL: an unknown name is the generic row. */
const struct dialect *dialect_for(const struct remora_provider_facts *provider);
const struct dialect *dialect_row(enum remora_dialect dialect);

/* How a model of OpenAI's is known by its name: it reasons and refuses sampling parameters. */
bool dialect_model_reasons(struct remora_slice upstream_model);
/* What a model that reasons refuses; `is_off`: the request switches reasoning off, which newer ones honour. */
remora_parameter_set dialect_refused_by_model(struct remora_slice upstream_model, bool is_off);

#endif
