// Behaviours: what a name such as `429-retry-7` or `cut-after-3` makes the server do.
// The one list is fault_table.h.
#ifndef FAULT_BEHAVIOUR_H
#define FAULT_BEHAVIOUR_H

#include "fault_script.h"

#define FAULT_WORDS 3

enum fault_moment {
    FAULT_WHOLE_REQUEST, // acts when the request has been read in full
    FAULT_AT_ONCE,       // acts as soon as the name is known: at the head for a path, in mid-body
};

// What a behaviour may look at when it writes its script.
struct demand {
    struct slice name;    // as asked for, without the @tag
    unsigned number[2];   // the numbers in the name, 0 when it has none
    int argument;         // of the row in the table
    bool stream;          // "stream": true
    bool include_usage;   // "stream_options": {"include_usage": true}
    struct slice asked;   // text of the last user message, JSON escapes as they came
    uint64_t nth;         // how often this full name was asked for before, from 0
    uint64_t nth_on_link; // how many requests this connection had before, from 0
    const char *text;     // --text, or NULL for numbered words
};

struct behaviour {
    const char *pattern; // '#' stands for a number
    void (*write)(struct script *script, const struct demand *demand);
    int argument;
    enum fault_moment moment;
    const char *description;
};

// The behaviour of that name (a part behind '@' is ignored), its numbers in `number`; or NULL.
const struct behaviour *behaviour_find(struct slice name, unsigned number[2]);
// Fills name, stream, include_usage and asked from the body.
void demand_read(struct demand *demand, struct slice name, struct slice body);
// The model of a request body, also of one that is still arriving; empty if not (yet) there.
struct slice model_of(struct slice body);
void behaviour_list(void);

#endif
