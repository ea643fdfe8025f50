/* What a request needs of an endpoint, worked out once per plan. */
#ifndef REMORA_POLICY_NEEDS_H
#define REMORA_POLICY_NEEDS_H

#include "remora/policy.h"

/* Bits of remora_judge.said: what messages hold that not every server takes. */
enum {
    POLICY_SAID_REASONING = 1,
    POLICY_SAID_OPAQUE = 2, /* reasoning that is more than text */
    POLICY_SAID_CITATIONS = 4,
    POLICY_SAID_IMAGES = 8, /* of an assistant, as sound is */
    POLICY_SAID_SOUND = 16,
    POLICY_SAID_NAMELESS_SOUND = 32, /* without the id by which alone it is known */
    POLICY_SAID_PREFIX = 64,         /* the mark of a beginning to go on from, and nothing else */
    POLICY_SAID_PARTIAL = 128,
    POLICY_SAID_FURTHER = 256, /* other members that have no name here */
    POLICY_SAID_TOOLS = 512,   /* calls of tools, or their results */
    POLICY_SAID_RAW = 1024,    /* content of a type that is not known here: nobody gets it */
    POLICY_SAID_CALL_MARK =
        2048,                /* a mark for the cache on a call: openai-chat has no place for it */
    POLICY_SAID_NAME = 4096, /* a speaker's name without a text to say it before */
};

/* Fills input_modalities, output_modalities, asked, text_bytes, the marks and what was said. */
void policy_needs(struct remora_judge *judge);
/* Whether that much text is certainly more than `tokens` tokens (0 unknown: never). */
bool policy_is_too_long(const struct remora_judge *judge, int64_t tokens);
/* False: it takes all parameters that were asked for, and none needs a second look. */
bool policy_may_lack(const struct remora_judge *judge, const struct remora_endpoint *endpoint);
/*
 * The name of what the endpoint lacks to honour a parameter that was asked for, or NULL. A JSON Schema as response format
 * needs structured outputs besides, where any endpoint of the model has them; a grammar needs a server that knows it.
 */
const char *policy_lacks(const struct remora_judge *judge, const struct remora_endpoint *endpoint,
                         enum remora_parameter parameter);
/* The name of the first thing of the request that the endpoint would not get, or NULL. required.c. */
const char *policy_loses(const struct remora_judge *judge, const struct remora_endpoint *endpoint);
/*
 * Whether what was asked is what happens anyway, and is left out where an endpoint does not know the parameter: text is what every
 * endpoint answers, "auto" what it does when nothing is said, "none" when it is sent no tools.
 */
bool policy_is_default(const struct remora_request *request, enum remora_parameter parameter);
/* As policy_lacks, but only for parameters that must not be left out of the request (openrouter.md section 5, step 4). */
const char *policy_cannot_drop(const struct remora_judge *judge,
                               const struct remora_endpoint *endpoint,
                               enum remora_parameter parameter);

/* The countries that a layer's `regions` hold, and whether there are other words; out is zeroed. */
void policy_regions_collect(const struct remora_slices *asked, struct remora_judge_regions *out);
/* Whether a place ("eu", "DE", "us-east5"; empty: unknown) in a country (its two letters, or empty) is, or lies in, one of them. */
bool policy_regions_hold(const struct remora_slices *asked,
                         const struct remora_judge_regions *known, struct remora_slice place,
                         const char *country);

#endif
