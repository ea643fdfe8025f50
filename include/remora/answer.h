/*
 * Collecting: a unary reply is the same events, collected. Used by both fronts' unary sinks and by the tests of every
 * decoder. All memory lies in the arena given at the start, which must outlive the answer. An answer is its owner's alone:
 * no locks, one thread at a time.
 */
#ifndef REMORA_ANSWER_H
#define REMORA_ANSWER_H

#include "remora/event.h"
#include "remora/memory.h"

/* Text that grows by fragments, as a list of slices until it is asked for. */
struct remora_fragments {
    struct remora_fragment *first;
    struct remora_fragment *last;
    size_t length; /* bytes */
};

/*
 * `position` of texts, reasoning, calls and items: the order in which they began, from 1, all kinds of a choice together. It
 * says where a block stood for a skin that has one list of them.
 */
struct remora_answer_text { /* one of the choice's texts: bytes of them all, joined */
    int32_t index;          /* dense from 0 */
    int32_t position;
    size_t from;
    size_t length;
    struct remora_answer_text *next;
};
struct remora_answer_tool_call {
    int32_t position;
    struct remora_slice id;
    struct remora_slice name;
    struct remora_fragments arguments;
    struct remora_slice signature; /* Gemini's, or empty */
    struct remora_answer_tool_call *next;
};
struct remora_answer_block { /* a reasoning block */
    int32_t index;
    struct remora_reasoning_block block; /* text is in fragments; has the position */
    struct remora_fragments text;
    struct remora_answer_block *next;
};
struct remora_answer_item {    /* media, annotation, embedding or raw, in order of arrival */
    struct remora_event event; /* deep copy */
    int32_t position;
    struct remora_answer_item *next;
};
struct remora_answer_logprobs {
    bool is_refusal; /* of the refusal, else of the text */
    const struct remora_logprob *items;
    size_t count;
    struct remora_answer_logprobs *next;
};

struct remora_answer_choice {
    int32_t index;
    int32_t positions;                /* given so far */
    struct remora_fragments text;     /* of all texts */
    struct remora_answer_text *texts; /* in order of index */
    struct remora_answer_text *last_text;
    struct remora_fragments refusal;
    int32_t refusal_position;              /* 0: none */
    struct remora_fragments transcript;    /* what its sound says */
    bool has_text;                         /* a text event came, even if everything else is tools */
    struct remora_answer_block *reasoning; /* ascending index */
    struct remora_answer_tool_call *tool_calls; /* in order of index */
    size_t tool_call_count;
    struct remora_answer_item *items;
    struct remora_answer_item *last_item;
    struct remora_answer_logprobs *logprobs;
    struct remora_answer_logprobs *last_logprobs;
    enum remora_finish finish;
    struct remora_slice native_finish;
    struct remora_slice stop;          /* the stop text that ended it, where the provider tells */
    struct remora_answer_choice *next; /* ascending index */
};

struct remora_answer {
    struct remora_arena *arena;
    struct remora_slice upstream_model;
    struct remora_slice system_fingerprint;
    struct remora_slice service_tier;
    struct remora_answer_choice *choices;
    size_t choice_count;
    struct remora_usage usage;
};

void remora_answer_init(struct remora_answer *answer, struct remora_arena *arena);
/* Copies what it needs. TOO_LARGE or SHEDDING when the arena refuses. Any event kind is taken. */
REMORA_MUST_CHECK enum remora_code remora_answer_add(struct remora_answer *answer,
                                                     const struct remora_event *event);
/* The fragments as one slice in the arena; {NULL, 0} when it refuses or there is nothing. */
struct remora_slice remora_fragments_join(const struct remora_fragments *fragments,
                                          struct remora_arena *arena);

#endif
