/* What differs between servers that all speak OpenAI's chat completions: one row each (providers.md section 8). */
#ifndef REMORA_PROVIDER_DIALECT_H
#define REMORA_PROVIDER_DIALECT_H

#include "remora/catalog.h"

/* How a request asks for reasoning. */
enum reasoning_ask {
    REASONING_ASK_EFFORT,   /* reasoning_effort: "low" */
    REASONING_ASK_OBJECT,   /* reasoning: {effort, max_tokens, exclude, enabled} */
    REASONING_ASK_THINKING, /* thinking: {type: enabled|disabled}, and reasoning_effort when stated */
    REASONING_ASK_BUDGET,   /* enable_thinking, thinking_budget */
};

/* How an assistant message carries its reasoning back. */
enum reasoning_echo {
    REASONING_ECHO_NONE,
    REASONING_ECHO_CONTENT, /* reasoning_content: text */
    REASONING_ECHO_FIELD,   /* reasoning: text */
    REASONING_ECHO_DETAILS, /* reasoning_details: blocks with signatures */
    REASONING_ECHO_ANY,     /* details where there is something opaque, else reasoning_content */
};

struct dialect {
    const char *name;
    const char *max_tokens_field;
    const char *seed_field;
    const char *required_word; /* tool_choice "required" */
    enum reasoning_ask reasoning_ask;
    enum reasoning_echo reasoning_echo;
    bool knows_developer;     /* else developer becomes system */
    bool takes_usage_option;  /* stream_options.include_usage; else usage comes by itself */
    bool takes_cache_control; /* prompt-cache markers on parts, tools and the request */
    bool takes_annotations;   /* assistant messages carry annotations back */
};

/* Never NULL: an unknown name is the generic row. */
const struct dialect *dialect_for(const struct remora_provider_facts *provider);

#endif
