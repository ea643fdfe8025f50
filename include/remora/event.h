/*
 * Events: what an answer is made of, streamed or not, whatever the provider speaks and whatever the caller speaks.
 *
 * From an adapter:   (started | alive | usage | further)* content* choice_finished+ (usage | further)*
 * To a sink:         attempt_failed* started content* choice_finished+ completed     (or one failure instead of the rest)
 * content = text, reasoning, refusal, tool_call, media, annotation, embedding, raw
 *
 * Sources: OpenAI, "API Reference", "The chat completion chunk object" (finish reasons, log probabilities, fragments of tool
 * calls); reference/openrouter.md, section 9 (`error` as a finish reason, reasoning blocks, native finish reasons).
 *
 * Plain data. An event and all it points to are valid during the call that delivers it and no longer, on the thread of the
 * worker that owns the exchange.
 */
#ifndef REMORA_EVENT_H
#define REMORA_EVENT_H

#include "remora/base.h"
#include "remora/codes.h"
#include "remora/limits.h"
#include "remora/request.h"
#include "remora/usage.h"

struct remora_endpoint; /* catalog.h */
struct remora_attempt;  /* attempt.h */
struct remora_outcome;
struct remora_plan; /* route.h */

enum remora_event_kind {
    REMORA_EVENT_STARTED,
    REMORA_EVENT_ALIVE, /* a sign of life: comment, ping, role; never content */
    REMORA_EVENT_TEXT,
    REMORA_EVENT_REASONING,
    REMORA_EVENT_REFUSAL,
    REMORA_EVENT_TOOL_CALL,
    REMORA_EVENT_MEDIA,
    REMORA_EVENT_ANNOTATION,
    REMORA_EVENT_EMBEDDING,
    REMORA_EVENT_RAW, /* content that has no name here: a JSON object */
    REMORA_EVENT_CHOICE_FINISHED,
    REMORA_EVENT_USAGE,
    REMORA_EVENT_FURTHER, /* what the answer says and no field here has; a sink finds it in the outcome */
    REMORA_EVENT_ATTEMPT_FAILED, /* engine to sink only, like the next */
    REMORA_EVENT_COMPLETED,
};

/* Numbers are those of proto FinishReason. */
enum remora_finish {
    REMORA_FINISH_UNSET = 0,
    REMORA_FINISH_STOP,
    REMORA_FINISH_LENGTH,
    REMORA_FINISH_TOOL_CALLS,
    REMORA_FINISH_CONTENT_FILTER,
    REMORA_FINISH_ERROR,
    REMORA_FINISH_CANCELLED,
};
/* "stop", "length", ... as OpenAI spells them; "error" is OpenRouter's. */
const char *remora_finish_name(enum remora_finish finish);

struct remora_logprob_alternative {
    struct remora_slice token;
    double logprob;
    struct remora_slice bytes;
    bool has_bytes;
};
struct remora_logprob {
    struct remora_logprob_alternative chosen;
    const struct remora_logprob_alternative *alternatives;
    size_t alternative_count;
};

struct remora_event {
    enum remora_event_kind kind;
    int32_t choice_index;
    union {
        struct {
            struct remora_slice upstream_id;
            struct remora_slice model; /* what the provider calls what it serves */
            struct remora_slice system_fingerprint;
            struct remora_slice service_tier;
            int64_t created_unix_s; /* 0 unknown */
            const struct remora_endpoint
                *served; /* engine to sink only: who answers; in the snapshot */
            const struct remora_plan
                *plan; /* engine to sink only: goes with the request when the call returns */
        } started;
        struct {
            struct remora_slice text;
            const struct remora_logprob *logprobs;
            size_t logprob_count;
            /* TEXT: which text of the choice, dense from 0; one that the next has followed is closed. 0 where a wire has one, and in
             * every choice but the first: wires that have several texts answer once. */
            int32_t block_index;
            bool is_transcript; /* TEXT: what the sound of this choice says; no block */
        } text;                 /* TEXT, REFUSAL */
        struct {
            int32_t block_index;
            struct remora_reasoning_block
                block; /* text is a fragment; the other fields where they arrive */
            /* An earlier fragment of the block had one: who tells fragments to a client that adds them up leaves them out. */
            bool had_id;
            bool had_format;
        } reasoning;
        struct {
            int32_t index;                 /* dense from 0 within a choice */
            struct remora_slice id;        /* with the first fragment */
            struct remora_slice name;      /* with the first fragment */
            struct remora_slice arguments; /* a fragment */
            /* Gemini's thought signature, whole, once a call, with any fragment (which may be empty then). A block of
               reasoning with the call's id tells it as well: for callers that know no other place. */
            struct remora_slice signature;
        } tool_call;
        struct {
            int32_t index;
            struct remora_media
                media; /* sound: its type begins with "audio/"; a FILE_ID is its id */
            int64_t expires_at_unix_s; /* until when the provider knows the id; 0 unknown */
        } media;
        struct remora_annotation annotation;
        struct {
            int32_t index;
            const float *values;
            size_t count;
        } embedding;
        struct remora_slice raw;
        struct {
            enum remora_finish reason;
            struct remora_slice native;
            struct remora_slice stop; /* the stop text of the request that it was, if it is told */
        } finished;
        struct remora_usage usage;
        struct {
            struct remora_slice
                name; /* the member of the answer, a JSON string; empty: its report of usage */
            struct remora_slice
                value; /* JSON as it came; a later one of the same name replaces it */
        } further;
        const struct remora_attempt *attempt; /* ATTEMPT_FAILED */
        const struct remora_outcome *outcome; /* COMPLETED */
    };
};

/* Sound, whose pieces are joined; anything else is whole. */
bool remora_event_is_sound(const struct remora_event *event);
/* True for the kinds whose first occurrence is the commit point. Empty fragments are not made into events. */
bool remora_event_is_content(enum remora_event_kind kind);

/* Where a decoder puts its events. Anything but REMORA_OK ends the decoding, which returns that code. */
struct remora_event_out {
    enum remora_code (*put)(void *context, const struct remora_event *event);
    void *context;
};

/*
 * The grammar guard: judges what an adapter made of an upstream's bytes. It returns a code, it never asserts.
 * Refused: content of a choice after its finish, a choice, tool or text index out of range or not dense, a text that goes on
 * behind the next one, a citation of a text that cannot come next, a tool call whose first fragment has no name, an end without
 * any finish. Tolerated: a second identical finish (false in *pass: do not deliver), several started or usage events.
 */
struct remora_guard {
    uint64_t finished[REMORA_LIMIT_CHOICES / 64];
    uint8_t tool_calls[REMORA_LIMIT_CHOICES]; /* calls opened per choice */
    uint32_t choices_seen;                    /* highest index + 1 */
    uint32_t choices_finished;
    int32_t texts; /* opened in choice 0; the others have one each */
    bool has_content;
};
void remora_guard_init(struct remora_guard *guard);
/* REMORA_OK, or UPSTREAM_UNAVAILABLE with fail->message saying what was out of order. */
REMORA_MUST_CHECK enum remora_code remora_guard_check(struct remora_guard *guard,
                                                      const struct remora_event *event, bool *pass,
                                                      struct remora_fail *fail);
/* True when every choice that was seen has finished, and at least one has. */
bool remora_guard_is_complete(const struct remora_guard *guard);

#endif
