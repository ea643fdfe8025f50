/* The pieces of the chat completions skin, one per file. Contracts: remora/skin.h. */
#ifndef REMORA_SKIN_CHAT_H
#define REMORA_SKIN_CHAT_H

#include "remora/json.h"
#include "remora/skin.h"

/*
 * encoder->own of a stream: a chunk of one text, all but the text; or the chunk of a choice that has finished, whole, until it is
 * known whether it is the last one. Made by the same functions as every chunk.
 */
enum { CHAT_FRAME_BYTES = 512 };
struct chat_frame {
    int32_t choice;
    uint16_t length;  /* 0: not made yet */
    uint16_t text_at; /* where the text's JSON string belongs */
    uint16_t held;    /* bytes of a finish that nobody has seen yet; then length is 0 */
    char bytes[CHAT_FRAME_BYTES];
};

enum remora_code chat_parse(const struct remora_skin_input *input, struct remora_arena *arena,
                            struct remora_request *request, struct remora_encoder *encoder,
                            struct remora_fail *fail);

void chat_stream_event(struct remora_encoder *encoder, const struct remora_event *event,
                       struct remora_buf *out);
void chat_stream_comment(struct remora_encoder *encoder, struct remora_buf *out);
void chat_stream_failed(struct remora_encoder *encoder, const struct remora_outcome *outcome,
                        struct remora_buf *out);
void chat_answer(struct remora_encoder *encoder, const struct remora_answer *answer,
                 const struct remora_outcome *outcome, struct remora_buf *out);

/* "object", id, provider, model, created: what an answer and every chunk begin with, the object's name apart. */
void chat_write_head(struct remora_json_writer *w, const struct remora_encoder *encoder,
                     const char *object);
/* system_fingerprint and service_tier, where the provider told them. */
void chat_write_tail(struct remora_json_writer *w, const struct remora_encoder *encoder);
/* Names and tier of who answers, from STARTED. */
void chat_encoder_start(struct remora_encoder *encoder, const struct remora_event *event);
/* A call or, with an id and a name only at first, a piece of it. */
struct chat_call {
    int32_t index;
    struct remora_slice id;
    struct remora_slice name;
    struct remora_slice arguments;
    struct remora_slice signature; /* Gemini's, or empty */
};
void chat_write_tool_call(struct remora_json_writer *w, const struct chat_call *call);
/* A JSON object as it came, on one line. */
void chat_write_object(struct remora_json_writer *w, struct remora_slice object);
/* `index`: its seat, never the provider's, which may give all its blocks one: clients add up what has the same. */
void chat_write_reasoning_block(struct remora_json_writer *w,
                                const struct remora_reasoning_block *block, int32_t index);
/* The object with this `index`, whatever its own; as it came where index is -1. */
void chat_write_indexed(struct remora_json_writer *w, struct remora_slice object, int32_t index);
/* Lists that come in pieces say where each piece belongs: `index` of a stream's, -1 in a whole list. */
void chat_write_annotation(struct remora_json_writer *w, const struct remora_annotation *annotation,
                           int32_t index);
/* finish_reason and native_finish_reason, null where there is none. */
void chat_write_finish(struct remora_json_writer *w, enum remora_finish reason,
                       struct remora_slice native);
/* The elements of logprobs.content or refusal. */
void chat_write_logprob_items(struct remora_json_writer *w, const struct remora_logprob *items,
                              size_t count);
/* logprobs of a chunk, under the name of what the event says. */
void chat_write_logprobs(struct remora_json_writer *w, const struct remora_event *event);
/* A piece of `audio`: id, transcript, data, expires_at, whichever the event holds. */
void chat_write_sound(struct remora_json_writer *w, const struct remora_event *event);
void chat_write_image(struct remora_json_writer *w, const struct remora_media *media,
                      int32_t index);

#endif
