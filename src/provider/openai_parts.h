/* What a delta or message holds, into content events. */
#ifndef REMORA_PROVIDER_OPENAI_PARTS_H
#define REMORA_PROVIDER_OPENAI_PARTS_H

#include "openai.h"

#include "remora/json_fold.h"

/* What is left folded when an answer is parsed: openai_put_text unfolds it. */
extern const struct remora_json_fold openai_logprobs_fold;

enum remora_code openai_decode_body(struct openai_feed *feed, int32_t choice,
                                    struct remora_json body, struct remora_json logprobs);
/* A chunk that fits the mold: what the whole decoder would have put. */
enum remora_code openai_put_plain(struct openai_feed *feed, const struct openai_plain *plain);
/* Perplexity's and xAI's top-level list of URLs, as annotations. */
enum remora_code openai_decode_citations(struct openai_feed *feed, int32_t choice,
                                         struct remora_json citations);
/* Puts nothing for an empty text without logprobs. */
enum remora_code openai_put_text(struct openai_feed *feed, int32_t choice,
                                 enum remora_event_kind kind, struct remora_slice text,
                                 struct remora_json logprobs);
/* A fragment of the one unnamed block; nothing for an empty one. */
enum remora_code openai_put_reasoning(struct openai_feed *feed, int32_t choice,
                                      struct remora_slice text);

#endif
