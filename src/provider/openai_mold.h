/*
 * What the chunks of one stream have in common. Providers write every chunk of plain text alike: the same bytes, and in
 * them another string. So the last chunk that the whole decoder read as one piece of text is kept with its strings cut
 * out; a chunk that fits into it, byte by byte, means the same with another text, and need not be parsed.
 */
#ifndef REMORA_PROVIDER_OPENAI_MOLD_H
#define REMORA_PROVIDER_OPENAI_MOLD_H

#include "remora/buf.h"
#include "remora/event.h"
#include "remora/json.h"

enum { OPENAI_MOLD_HOLES = 3, OPENAI_MOLD_BYTES = 2048 };

/* The one event that a chunk became, when its only content is a text. */
struct openai_plain {
    enum remora_event_kind kind; /* TEXT, REFUSAL, REASONING; anything else: it is not plain */
    int32_t choice;
    struct remora_slice text;
};

struct openai_mold {
    struct remora_buf fixed; /* the parts that never change, one behind the other; empty: no mold */
    uint16_t ends[OPENAI_MOLD_HOLES + 1]; /* of each part, in `fixed` */
    uint8_t holes;
    uint8_t text_hole; /* the one that holds the text */
    enum remora_event_kind kind;
    int32_t choice;
};

void openai_mold_init(struct openai_mold *mold);
void openai_mold_fini(struct openai_mold *mold);
/*
 * Makes the mold of `chunk`, whose JSON is `root`, and which became `plain` and nothing else. Padding at the top level
 * (`obfuscation`) may change as well. A text that is not a view of the chunk teaches nothing.
 */
void openai_mold_learn(struct openai_mold *mold, struct remora_slice chunk, struct remora_json root,
                       const struct openai_plain *plain);
/* True when the chunk fits and its text is not empty. *out lies in the chunk or, unescaped, in the arena. */
REMORA_MUST_CHECK bool openai_mold_match(const struct openai_mold *mold, struct remora_slice chunk,
                                         struct remora_arena *arena, struct openai_plain *out);

#endif
