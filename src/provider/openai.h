/* The openai-chat wire, in files: openai.c (request and vtable), openai_build.c, openai_message.c, openai_part.c,
 * openai_reasoning.c and openai_options.c (body), openai_decode.c (framing and ends), openai_chunk.c (one JSON object ->
 * events), openai_mold.c (chunks like the one before), openai_parts.c, openai_think.c, openai_calls.c, openai_usage.c. */
#ifndef REMORA_PROVIDER_OPENAI_H
#define REMORA_PROVIDER_OPENAI_H

#include "dialect.h"
#include "openai_mold.h"
#include "pieces.h"

#include "remora/json.h"
#include "remora/provider.h"
#include "remora/sse.h"

/* ---- building ---- */

struct openai_build {
    struct pieces pieces;
    const struct remora_request *request;
    const struct remora_endpoint *endpoint;
    enum remora_delivery delivery;
    const struct dialect *dialect;
    remora_parameter_set refused; /* by the dialect, for this model and request */
    bool model_reasons;           /* where the dialect's roles depend on it */
    bool says_reasoning;          /* the wish has been written */
    const struct remora_build_input *input;
    bool denies_collection; /* the merged policy, for a router behind this one */
    bool wants_zdr;
    const int64_t *caps; /* by enum remora_price_cap; NULL: none */
    struct remora_build_output *out;
};

/* False when the endpoint does not take the parameter, which is then listed as dropped. */
bool openai_takes(struct openai_build *build, enum remora_parameter parameter);
/* The same, told to nobody: of what says nothing where it is left out. */
bool openai_lists(const struct openai_build *build, enum remora_parameter parameter);
/* Lists it once; `why` is static, and so is a name that is no parameter's, or it is the request's. */
void openai_note_dropped(struct openai_build *build, enum remora_parameter parameter,
                         const char *why);
void openai_note_field(struct openai_build *build, struct remora_slice field, const char *why);
void openai_write_reasoning(struct openai_build *build);
void openai_write_messages(struct openai_build *build);
static inline const struct remora_dialect_history *openai_history(const struct openai_build *build)
{
    return remora_dialect_history(remora_dialect_of(&build->endpoint->provider->facts));
}

static inline bool openai_is_dialect(const struct openai_build *build, enum remora_dialect dialect)
{
    return build->dialect == dialect_row(dialect);
}
/* One content part; `name` (or empty) is the speaker's, spoken before a text. */
void openai_write_part(struct openai_build *build, const struct remora_part *part,
                       struct remora_slice name);
void openai_write_spoken(struct openai_build *build, struct remora_slice name,
                         struct remora_slice text);
/* Audio, images and citations of an assistant message. */
void openai_write_earlier(struct openai_build *build, const struct remora_message *message);
/* Whether that writes anything but citations: the message says something then, without content. */
bool openai_writes_earlier(const struct openai_build *build, const struct remora_message *message);
/* Tells all of it as dropped: of a message that becomes a part of another. */
void openai_tell_earlier(struct openai_build *build, const struct remora_message *message);
/* A prompt-cache marker in the provider's spelling; where it knows none, listed as dropped. */
void openai_write_cache(struct openai_build *build, const struct remora_cache_breakpoint *cache);
/* Whether openai_write_cache would write one. */
bool openai_has_cache_mark(const struct openai_build *build,
                           const struct remora_cache_breakpoint *cache);
/* What stands beside messages, tools, sampling and reasoning; then the further fields. */
void openai_write_options(struct openai_build *build);
void openai_write_extra(struct openai_build *build);
/* Whether fields and members that nothing here knows go on as they came. */
bool openai_takes_anything(const struct openai_build *build);
/* `provider` for a router that knows it; what a router cannot hear is listed as dropped. */
void openai_write_preferences(struct openai_build *build);
/* The whole body. Failure is asked of pieces_finish. */
void openai_write_body(struct openai_build *build);

/* ---- decoding ---- */

/* A tool call or reasoning block of a choice: what the provider calls it, and our dense index. */
struct openai_seat {
    int32_t choice;
    int32_t upstream_index; /* -1: the provider gave none */
    uint32_t id_hash;       /* 0: the provider gave none */
    uint32_t name_hash;     /* of an open tool call's name */
    int16_t dense;
    int8_t kind;      /* of a reasoning block */
    bool is_open;     /* a tool call whose first fragment has gone out */
    bool has_made_id; /* a tool call whose id is ours */
    bool is_free;     /* a tool call whose input is any text */
    bool is_signed;   /* a tool call or block whose signature has gone out */
    bool has_format;  /* a block whose format has gone out; so has its id, if there is a hash */
    struct remora_json_progress arguments; /* of a tool call, as far as they have come */
};

struct openai_seats {
    struct remora_buf buf; /* of struct openai_seat */
};

/*
 * The end of a choice of a stream, held until words of another choice or the end of the answer follow it: some servers send content
 * behind a finish reason, which ended nothing then. One at a time.
 */
struct openai_ending {
    bool is_held;
    int32_t choice;
    enum remora_finish finish; /* UNSET: a word that nobody knows */
    struct remora_buf words;   /* the provider's own, and behind it the stop text that it was */
    size_t native_length;      /* of the first */
};

struct openai_bits {
    uint64_t words[REMORA_LIMIT_CHOICES / 64];
};

enum openai_mode {
    OPENAI_MODE_UNDECIDED, /* nothing but blanks so far */
    OPENAI_MODE_EVENTS,
    OPENAI_MODE_WHOLE, /* one JSON text */
};

struct openai_decoder {
    struct remora_decoder base;
    enum openai_mode mode;
    uint8_t bom_seen;
    bool has_started;
    bool has_content;
    bool has_usage;
    bool ends_early; /* content came behind a finish reason: they prove nothing here */
    const struct dialect *dialect;
    uint8_t tags[REMORA_LIMIT_CHOICES];   /* openai_think.c's, per choice */
    uint8_t images[REMORA_LIMIT_CHOICES]; /* of the choice so far, at most 255 */
    uint64_t
        answer_hash; /* of our id and the provider's: makes ids for tool calls that have none */
    struct openai_bits seen;
    struct openai_bits finished; /* held ends are among them */
    struct openai_ending ending;
    struct openai_bits has_calls;
    struct openai_seats calls;
    struct openai_seats blocks;
    struct remora_buf held_id;        /* of the one tool call that has no name yet */
    struct remora_buf held_arguments; /* of the same */
    struct remora_sse sse;
    struct remora_buf whole;
    struct openai_mold mold;
};

/* One feed or end: what the functions below need besides the decoder. */
struct openai_feed {
    struct openai_decoder *decoder;
    struct remora_arena *scratch;
    const struct remora_event_out *out;
    struct remora_fail *fail;
    uint64_t events;           /* put so far */
    enum remora_code life;     /* what putting a sign of life returned */
    bool is_whole;             /* the object is a whole answer, not a chunk */
    bool is_proven;            /* and HTTP framing proved its end */
    bool is_stateful;          /* the object changed what later ones mean: it is no mold for them */
    struct openai_plain plain; /* the last event, if it was a text */
    bool put_failed;           /* the code is of whoever takes the events */
};

static inline bool openai_bit(const struct openai_bits *bits, int32_t at)
{
    return (bits->words[at / 64] >> (unsigned)(at % 64) & 1u) != 0;
}
static inline void openai_bit_set(struct openai_bits *bits, int32_t at)
{
    bits->words[at / 64] |= UINT64_C(1) << (unsigned)(at % 64);
}
static inline void openai_bit_clear(struct openai_bits *bits, int32_t at)
{
    bits->words[at / 64] &= ~(UINT64_C(1) << (unsigned)(at % 64));
}
/* The first choice that was seen and has not finished; -1: none. */
static inline int32_t openai_unfinished(const struct openai_decoder *decoder)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(decoder->seen.words); i++) {
        uint64_t left = decoder->seen.words[i] & ~decoder->finished.words[i];
        if (left != 0) {
            return (int32_t)(i * 64) + __builtin_ctzll(left);
        }
    }
    return -1;
}

/* Gives each tool call of the choice that came without arguments an empty object: what its caller parses must be JSON. */
enum remora_code openai_fill_arguments(struct openai_feed *feed, int32_t choice);
/* Whether the arguments of every tool call of the choice are JSON to their end. */
bool openai_calls_are_whole(const struct openai_decoder *decoder, int32_t choice);

/* A fault of the answer itself: UPSTREAM_UNAVAILABLE with this cause. */
enum remora_code openai_refuse(struct remora_fail *fail, enum remora_cause cause, const char *what);
/* Memory ran out: SHEDDING. */
enum remora_code openai_no_memory(struct remora_fail *fail);
enum remora_code openai_put(struct openai_feed *feed, const struct remora_event *event);
enum remora_code openai_put_alive(struct openai_feed *feed);
/* Decodes one JSON object: a chunk, or with is_whole an answer. */
enum remora_code openai_decode_object(struct openai_feed *feed, struct remora_slice text);
/* Puts the end that is held, if one is. */
enum remora_code openai_release_end(struct openai_feed *feed);
/* Ends every choice that was seen and has not ended: the provider's end marker came without a finish reason. */
enum remora_code openai_finish_rest(struct openai_feed *feed);
/* One element of `tool_calls`; `details` is the member reasoning_details beside them, whatever it is. */
enum remora_code openai_decode_call(struct openai_feed *feed, int32_t choice,
                                    struct remora_json call, struct remora_json details);
/* A block that signs a call, in a chunk behind the call's: told with the call, too. */
enum remora_code openai_sign_call(struct openai_feed *feed, int32_t choice,
                                  const struct remora_reasoning_block *block);
/* An element of reasoning_details. */
void openai_read_detail(struct remora_json detail, struct remora_arena *scratch,
                        struct remora_reasoning_block *out);
/* A block of reasoning or a piece of one; upstream_index: the provider's, or the block's place in its list, -1 of what has neither. */
enum remora_code openai_put_block(struct openai_feed *feed, int32_t choice, int32_t upstream_index,
                                  const struct remora_reasoning_block *block);
/* False when the object holds no valid count and no money. */
bool openai_read_usage(struct remora_json usage, enum usage_rule rule, struct remora_usage *out);
/* Text of a dialect that thinks in tags: reasoning between them, text behind them. */
enum remora_code openai_think_text(struct openai_feed *feed, int32_t choice,
                                   struct remora_slice text, struct remora_json logprobs);
/* What was held back because it might have become a tag. Before the choice finishes. */
enum remora_code openai_think_end(struct openai_feed *feed, int32_t choice);
/* Text of a member, or empty when it is absent, null or no string. */
struct remora_slice openai_text(struct remora_json object, const char *key,
                                struct remora_arena *scratch);
struct remora_slice openai_text_of(struct remora_json value, struct remora_arena *scratch);
uint64_t openai_hash(struct remora_slice text);
/* Of what was hashed to `hash` and the text behind it. */
uint64_t openai_hash_on(uint64_t hash, struct remora_slice text);

void openai_decode_begin(struct remora_decoder *base);
enum remora_code openai_decode_feed(struct remora_decoder *base, struct remora_slice bytes,
                                    struct remora_arena *scratch,
                                    const struct remora_event_out *out, struct remora_fail *fail);
enum remora_code openai_decode_end(struct remora_decoder *base, enum remora_end end,
                                   struct remora_arena *scratch, const struct remora_event_out *out,
                                   struct remora_fail *fail);
void openai_decode_fini(struct remora_decoder *base);

/* Any JSON error envelope: used by this wire and by whatever resembles it. */
void openai_classify(const struct remora_endpoint *endpoint,
                     const struct remora_upstream_error *error, struct remora_arena *scratch,
                     struct remora_fail *fail);

extern const struct remora_adapter openai_adapter;

#endif
