/* What the files that write a request body share: the writer behind the build, and a member of text. */
#ifndef REMORA_PROVIDER_OPENAI_WRITE_H
#define REMORA_PROVIDER_OPENAI_WRITE_H

#include "openai.h"

static inline struct remora_json_writer *json_of(struct openai_build *build)
{
    return &build->pieces.json;
}

static inline void write_text(struct openai_build *build, const char *key, struct remora_slice text)
{
    remora_json_key(json_of(build), key);
    pieces_string(&build->pieces, text);
}

#endif
