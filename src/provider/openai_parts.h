/* What a delta or message holds, into content events. */
#ifndef REMORA_PROVIDER_OPENAI_PARTS_H
#define REMORA_PROVIDER_OPENAI_PARTS_H

#include "openai.h"

enum remora_code openai_decode_body(struct openai_feed *feed, int32_t choice,
                                    struct remora_json body, struct remora_json logprobs);
/* A chunk that fits the mold: what the whole decoder would have put. */
enum remora_code openai_put_plain(struct openai_feed *feed, const struct openai_plain *plain);
/* Perplexity's and xAI's top-level list of URLs, as annotations. */
enum remora_code openai_decode_citations(struct openai_feed *feed, int32_t choice,
                                         struct remora_json citations);

#endif
