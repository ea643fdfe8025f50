// The OpenAI chat wire as the fault server speaks it. Source: OpenAI API reference, "Chat", "The
// chat completion object" and "The chat completion chunk object" (read 2025-11).
#ifndef FAULT_OPENAI_H
#define FAULT_OPENAI_H

#include "fault_behaviour.h"
#include "fault_script.h"

#define OPENAI_PROMPT_TOKENS 11

// Head of an event stream, in the script's framing.
void openai_head(struct script *script);
// One chunk with choice `index`; `delta` is a JSON object, `finish` a JSON value ("null").
void openai_chunk(struct script *script, const struct demand *demand, unsigned index,
                  const char *delta, const char *finish);
void openai_role(struct script *script, const struct demand *demand);
// Text chunks number `from` to `to` - 1, each after the script's pace.
void openai_words(struct script *script, const struct demand *demand, unsigned from, unsigned to);
void openai_finish(struct script *script, const struct demand *demand, const char *reason);
// The usage chunk (`choices` empty); `usage` is a JSON value.
void openai_usage_chunk(struct script *script, const struct demand *demand, const char *usage);
// The usual usage of `words` words, and only when the request asked for it.
void openai_usage_if_asked(struct script *script, const struct demand *demand, unsigned words);
void openai_done(struct script *script);
// finish "stop", usage if asked, [DONE], end of the body.
void openai_tail(struct script *script, const struct demand *demand, unsigned words);
// All of a good stream.
void openai_stream(struct script *script, const struct demand *demand, unsigned words);

// A complete unary answer with Content-Length; `body` as it is.
void openai_reply(struct script *script, const char *status, const char *headers,
                  const struct text *body);
// Body with message and finish reason given as JSON, usage as JSON or NULL for none.
void openai_body(struct text *body, const struct demand *demand, const char *message,
                 const char *finish, const char *usage);
// The body of a good unary answer of `words` words.
void openai_words_body(struct text *body, const struct demand *demand, unsigned words);
// A stream of ready-made deltas (NULL ends them) between role and tail, or a unary answer with that message.
void openai_parts(struct script *script, const struct demand *demand, const char *const *deltas,
                  const char *message, const char *finish);
// A good answer, streamed or not as the request asks.
void openai_answer(struct script *script, const struct demand *demand, unsigned words);

#endif
