/*
 * The request: the one noun that both fronts and every skin produce and every adapter consumes. It carries all of
 * proto/remora/v1/chat.proto, whatever is read today.
 *
 * Plain data. Everything it points to lies in the request arena (body bytes included), which the engine releases at
 * COMMITTED: nobody may read a request after its first content event has gone to the sink. Read-only once parsed:
 * adapters build from it once per attempt. It belongs to one exchange and is touched by one thread at a time: that of its
 * worker, or while a large body is built a thread of the pool, for which the worker waits before it touches or releases
 * the request, its arena and its snapshot, the cancelled exchange included.
 *
 * Text is UTF-8. `raw` slices are JSON text, byte for byte as received (schemas, arguments, opaque provider state make
 * the round trip unchanged).
 */
#ifndef REMORA_REQUEST_H
#define REMORA_REQUEST_H

#include "remora/base.h"
#include "remora/identity.h"
#include "remora/preferences.h"

enum remora_operation { REMORA_OPERATION_CHAT, REMORA_OPERATION_EMBED, REMORA_OPERATION_COUNT };
enum remora_delivery { REMORA_UNARY, REMORA_STREAM };

struct remora_opt_i64 {
    int64_t value;
    bool is_set;
};
struct remora_opt_f64 {
    double value;
    bool is_set;
};

/* Numbers are those of proto Role. */
enum remora_role {
    REMORA_ROLE_UNSET = 0,
    REMORA_ROLE_SYSTEM,
    REMORA_ROLE_DEVELOPER,
    REMORA_ROLE_USER,
    REMORA_ROLE_ASSISTANT,
    REMORA_ROLE_TOOL,
};

enum remora_media_source {
    REMORA_MEDIA_BYTES,  /* as received over gRPC */
    REMORA_MEDIA_BASE64, /* as received in a data URL or input_audio */
    REMORA_MEDIA_URI, /* http(s); fetched only by the provider, or in PREPARING where an adapter needs bytes */
    REMORA_MEDIA_FILE_ID, /* a provider's own file */
};

struct remora_media {
    enum remora_media_source source;
    struct remora_slice value; /* bytes, base64 text, URI or id */
    struct remora_slice mime_type;
    struct remora_slice filename;
    struct remora_slice detail; /* image detail; audio format */
};

/* Prompt-cache marker behind a part, a call or a tool. ttl_s 0: the provider's default. */
struct remora_cache_breakpoint {
    bool is_set;
    bool
        is_explicit; /* spelt prompt_cache_breakpoint {mode: explicit}, as OpenAI's newest models know it */
    int32_t ttl_s;
};

struct remora_annotation {
    struct remora_slice type; /* "url_citation", "file" ... */
    struct remora_slice url;
    struct remora_slice title;
    struct remora_slice content;
    /* Characters, counted in all text of the choice or message, however many blocks it is in. */
    struct remora_opt_i64 start_index;
    struct remora_opt_i64 end_index;
    int32_t text_index;      /* of an answer: which text it belongs to (event.text.block_index) */
    struct remora_slice raw; /* the whole object where it came from JSON */
};

enum remora_part_kind {
    REMORA_PART_TEXT,
    REMORA_PART_IMAGE,
    REMORA_PART_AUDIO,
    REMORA_PART_VIDEO,
    REMORA_PART_FILE,
    REMORA_PART_REFUSAL,
    REMORA_PART_RAW,
};

struct remora_part {
    enum remora_part_kind kind;
    struct remora_slice text; /* TEXT, REFUSAL; RAW: a JSON object */
    struct remora_media media;
    struct remora_cache_breakpoint cache;
    const struct remora_annotation *annotations;
    size_t annotation_count;
    int32_t position; /* see struct remora_message */
};

enum remora_reasoning_kind {
    REMORA_REASONING_TEXT,
    REMORA_REASONING_SUMMARY,
    REMORA_REASONING_ENCRYPTED,
    REMORA_REASONING_OTHER, /* a type that has no name here (reasoning.server_tool_call): all of it in `raw` */
};

/* Must make the round trip unchanged (openrouter.md section 9, reasoning_details). */
struct remora_reasoning_block {
    enum remora_reasoning_kind kind;
    struct remora_slice text; /* or summary, or opaque data; NULL: none, which empty text is not */
    struct remora_slice signature;
    struct remora_slice format;
    struct remora_slice id;
    struct remora_opt_i64 index;
    /* The whole object where it came from a caller's JSON: sent back byte for byte. OTHER: always there, a JSON object. */
    struct remora_slice raw;
    int32_t position; /* see struct remora_message; of an answer, remora/answer.h */
};
/* The format of the block that a thought signature of one of Gemini's tool calls is; its id is the call's (openrouter.md 9). */
#define REMORA_GEMINI_FORMAT "google-gemini-v1"
bool remora_reasoning_block_signs_call(const struct remora_reasoning_block *block);

struct remora_tool_call {
    struct remora_slice id;
    int32_t index;
    struct remora_slice name;
    struct remora_slice arguments_json; /* text: never trusted, never parsed here */
    /* Anthropic marks the block of a call as any other (its API reference, "Prompt caching"); openai-chat has no place for it. */
    struct remora_cache_breakpoint cache;
    int32_t position; /* see struct remora_message */
};

/*
 * Some wires have one list of blocks for what an assistant says (Anthropic's content, Gemini's parts, Responses' items), and a
 * signed block of reasoning is taken back in its own place alone. Here they are three lists, each in its order; `position` of a
 * block is its place among all of its message, from 1, and ascends within each list. 0 in all of them: the caller's format has
 * three lists, too. remora_blocks_next reads them as one.
 */
struct remora_message {
    enum remora_role role;
    const struct remora_part *parts;
    size_t part_count;    /* a text without data was not said: it only holds citations */
    bool content_is_text; /* `content` came as one string: adapters may send it back as one */
    struct remora_slice name;
    struct remora_slice model; /* ASSISTANT: who wrote it; never sent on */
    struct remora_slice tool_call_id;
    const struct remora_tool_call *tool_calls;
    size_t tool_call_count;
    const struct remora_reasoning_block *reasoning;
    size_t reasoning_count;
    bool tool_failed;
    struct remora_slice extra; /* JSON object of further fields, or empty */
};

/* One block of a message: exactly one of the three. */
struct remora_block {
    const struct remora_reasoning_block *reasoning;
    const struct remora_part *part;
    const struct remora_tool_call *call;
};
/* Where a reader of blocks stands: `message` by its owner, which it does not outlive; the rest zero-initialised. */
struct remora_blocks {
    const struct remora_message *message;
    size_t reasoning_at;
    size_t part_at;
    size_t call_at;
};
/* The next block by position; without positions reasoning, then parts, then calls. False at the end. */
bool remora_blocks_next(struct remora_blocks *blocks, struct remora_block *out);

enum remora_tool_kind { REMORA_TOOL_FUNCTION, REMORA_TOOL_NATIVE };

struct remora_tool {
    enum remora_tool_kind kind;
    struct remora_slice name;
    struct remora_slice description;
    struct remora_slice parameters_json; /* raw JSON Schema, or empty */
    enum remora_tristate strict;
    struct remora_slice native_json; /* NATIVE: the whole tool */
    struct remora_cache_breakpoint cache;
};

enum remora_tool_choice_kind {
    REMORA_TOOL_CHOICE_UNSET = 0, /* AUTO..REQUIRED have the numbers of proto ToolChoice.Mode */
    REMORA_TOOL_CHOICE_AUTO,
    REMORA_TOOL_CHOICE_NONE,
    REMORA_TOOL_CHOICE_REQUIRED,
    REMORA_TOOL_CHOICE_FUNCTION,
};

struct remora_tool_choice {
    enum remora_tool_choice_kind kind;
    struct remora_slice function_name;
};

struct remora_logit_bias {
    int32_t token;
    double bias;
};

struct remora_sampling {
    struct remora_opt_i64 max_output_tokens;
    struct remora_opt_f64 temperature;
    struct remora_opt_f64 top_p;
    struct remora_opt_i64 top_k;
    struct remora_opt_f64 min_p;
    struct remora_opt_f64 top_a;
    struct remora_opt_f64 frequency_penalty;
    struct remora_opt_f64 presence_penalty;
    struct remora_opt_f64 repetition_penalty;
    struct remora_opt_i64 seed;
    struct remora_opt_i64 choice_count;
    struct remora_slices stop;
    const struct remora_logit_bias *logit_bias;
    size_t logit_bias_count;
};

enum remora_format_kind {
    REMORA_FORMAT_UNSET = 0,
    REMORA_FORMAT_TEXT,
    REMORA_FORMAT_JSON_OBJECT,
    REMORA_FORMAT_JSON_SCHEMA,
    REMORA_FORMAT_REGEX,
    REMORA_FORMAT_GRAMMAR,
    REMORA_FORMAT_PYTHON,
};

struct remora_response_format {
    enum remora_format_kind kind;
    struct remora_slice name;
    struct remora_slice schema_json;
    struct remora_slice description;
    struct remora_slice pattern; /* REGEX, GRAMMAR */
    enum remora_tristate strict;
};

/* Numbers are those of proto ReasoningOptions.Effort. */
enum remora_effort {
    REMORA_EFFORT_UNSET = 0,
    REMORA_EFFORT_NONE,
    REMORA_EFFORT_MINIMAL,
    REMORA_EFFORT_LOW,
    REMORA_EFFORT_MEDIUM,
    REMORA_EFFORT_HIGH,
    REMORA_EFFORT_XHIGH,
    REMORA_EFFORT_MAX,
};

/* Which efforts: bit per enum remora_effort. */
typedef uint8_t remora_effort_set;
static inline remora_effort_set remora_effort_bit(enum remora_effort effort)
{
    return (remora_effort_set)(1u << (unsigned)effort);
}
/* "low"; "" for UNSET. */
const char *remora_effort_name(enum remora_effort effort);

struct remora_reasoning_options {
    enum remora_effort effort;
    bool is_shorthand; /* the effort was spelt reasoning_effort, outside the object */
    struct remora_opt_i64 max_tokens;
    bool exclude_from_response;
    enum remora_tristate enabled;
    struct remora_slice summary;
    struct remora_slice context; /* "auto", "all_turns", "current_turn" */
};
/* The wish is that the model does not reason. */
static inline bool remora_reasoning_is_off(const struct remora_reasoning_options *reasoning)
{
    return reasoning->enabled == REMORA_NO || reasoning->effort == REMORA_EFFORT_NONE;
}
/* Something is said of whether and how much the model reasons. */
static inline bool remora_reasoning_is_stated(const struct remora_reasoning_options *reasoning)
{
    return reasoning->effort != REMORA_EFFORT_UNSET || reasoning->max_tokens.is_set ||
           reasoning->enabled != REMORA_UNSET;
}
/* The wish is only that what it thinks is not shown: nothing is asked of the model. */
static inline bool remora_reasoning_only_hides(const struct remora_reasoning_options *reasoning)
{
    return reasoning->exclude_from_response && !remora_reasoning_is_stated(reasoning) &&
           reasoning->summary.length == 0 && reasoning->context.length == 0;
}
/* Both say whether the model reasons, and differ: no request that can be met. */
static inline bool remora_reasoning_contradicts(const struct remora_reasoning_options *reasoning)
{
    bool has_effort = reasoning->effort != REMORA_EFFORT_UNSET;
    bool is_none = reasoning->effort == REMORA_EFFORT_NONE;
    return has_effort && reasoning->enabled == (is_none ? REMORA_YES : REMORA_NO);
}

/* The body's `trace`: for telemetry, never for providers (openrouter.md section 2). Each at most REMORA_LIMIT_ID_BYTES. */
struct remora_trace_labels {
    struct remora_slice trace_id;
    struct remora_slice trace_name;
    struct remora_slice span_name;
    struct remora_slice generation_name;
    struct remora_slice parent_span_id;
    struct remora_slice raw; /* the whole object, its free keys included; empty: none was sent */
};

struct remora_pair {
    struct remora_slice key;
    struct remora_slice value; /* text, or raw JSON where the owner says so */
};

enum remora_embed_kind { REMORA_EMBED_TEXT, REMORA_EMBED_TOKENS, REMORA_EMBED_IMAGE };
struct remora_embed_input {
    enum remora_embed_kind kind;
    struct remora_slice text;
    const int32_t *tokens;
    size_t token_count;
    struct remora_media image;
};

/* Every request parameter that an endpoint may or may not support: bit and order for require_parameters and `dropped`. */
enum remora_parameter {
#define REMORA_PARAMETER(name, text) REMORA_PARAMETER_##name,
#include "remora/tbl/parameters.h"
#undef REMORA_PARAMETER
    REMORA_PARAMETER_COUNT
};
const char *remora_parameter_name(enum remora_parameter parameter);

/* Headers that ask for what is not done here; bits of remora_request.unbuilt_headers. */
enum remora_unbuilt_header {
#define REMORA_UNBUILT_HEADER(name, text, why) REMORA_UNBUILT_HEADER_##name,
#include "remora/tbl/unbuilt_headers.h"
#undef REMORA_UNBUILT_HEADER
    REMORA_UNBUILT_HEADER_COUNT
};
/*
 * The bit that a caller's header (in any case; a key of metadata likewise) sets in remora_request.unbuilt_headers; 0 for any other
 * one, and where its value is empty or "false", which switch off what is off.
 */
uint32_t remora_unbuilt_header_of(struct remora_slice name, struct remora_slice value);

struct remora_request {
    enum remora_operation operation;
    enum remora_delivery delivery;
    bool wants_further; /* members of the answer that have no name here are kept for the outcome */
    bool wants_route;   /* the route is part of the answer: X-OpenRouter-Metadata: enabled */
    uint32_t
        unbuilt_headers; /* bit per enum remora_unbuilt_header: the caller sent it, and it is told as dropped */
    struct remora_identity identity;
    struct remora_trace trace;
    struct remora_slice tracestate; /* W3C, as received; empty without a valid traceparent */
    struct remora_slice baggage;    /* W3C, as received */
    struct remora_slice request_id; /* caller's x-request-id or empty */
    struct remora_slice hops;       /* ids of the Remoras before this one (remora/hop.h) or empty */
    const struct remora_slices *betas; /* trial features asked for (remora/betas.h); NULL: none */
    struct remora_slice api;           /* static: "chat_completions", "grpc": the metric label */

    struct remora_slice model;   /* as sent; empty: the service's default */
    struct remora_slices models; /* fallback models as sent */
    const struct remora_message *messages;
    size_t message_count;
    struct remora_sampling sampling;
    const struct remora_tool *tools;
    size_t tool_count;
    struct remora_tool_choice tool_choice;
    enum remora_tristate parallel_tool_calls;
    struct remora_response_format response_format;
    struct remora_reasoning_options reasoning;
    enum remora_tristate logprobs;
    struct remora_opt_i64 top_logprobs;
    enum remora_tristate gateway_cache;
    int32_t gateway_cache_ttl_s;
    struct remora_slice prompt_cache_key;
    struct remora_cache_breakpoint cache; /* top-level automatic caching */
    struct remora_slice end_user_id;      /* `user`; adapters send remora_request_pseudonym of it */
    struct remora_slice safety_identifier; /* the same */
    struct remora_slice session_id;
    const struct remora_pair *tags;
    size_t tag_count;
    struct remora_slice preset;
    struct remora_slice service_tier;
    struct remora_slices output_modalities;
    struct remora_slice verbosity;
    enum remora_tristate structured_outputs;
    /* Raw JSON objects, their shape checked; empty: not sent. */
    struct remora_slice prediction_json;
    struct remora_slice audio_json; /* how audio output is to sound */
    struct remora_slice image_config_json;
    struct remora_slice web_search_options_json;
    struct remora_slice prompt_cache_options_json;
    struct remora_trace_labels trace_labels;
    const struct remora_pair *plugins; /* id, raw options */
    size_t plugin_count;
    struct remora_preferences provider;
    struct remora_slice idempotency_key;
    const struct remora_pair *extra; /* further top-level fields: name, raw JSON */
    size_t extra_count;

    const struct remora_embed_input *inputs; /* EMBED */
    size_t input_count;
    struct remora_opt_i64 dimensions;
    struct remora_slice input_type;

    int64_t
        timeout_ms; /* the caller's own total, -1 none: grpc-timeout, x-request-timeout-ms, x-stainless-timeout */
    int64_t idle_timeout_ms; /* between events, -1 none: StreamChatRequest.idle_timeout */

    uint8_t asked[REMORA_PARAMETER_COUNT]; /* enum remora_parameter, in the order of the request */
    size_t asked_count;
    size_t body_bytes; /* size as received, for estimates and the process budget */
};

/* An empty request: nothing stated, no deadlines. */
void remora_request_init(struct remora_request *request);
/* Notes that the caller stated a parameter; a second time is ignored. */
void remora_request_ask(struct remora_request *request, enum remora_parameter parameter);
bool remora_request_asks(const struct remora_request *request, enum remora_parameter parameter);

/* Whether output modalities ask for more than the text that everybody answers. */
bool remora_asks_beyond_text(const struct remora_slices *modalities);

/* Texts, names, tools, schemas, reasoning sent back: what a model reads of it, for estimates. Media are not counted. */
size_t remora_request_text_bytes(const struct remora_request *request);

/*
 * What no message can say of itself: every tool message answers a call of the assistant message before it, once, and every
 * call is answered before the conversation goes on. NULL, or why not (static text that continues the message's name), with
 * the message in *at. Messages hold at most REMORA_LIMIT_TOOL_CALLS calls.
 */
const char *remora_conversation_check(const struct remora_request *request, size_t *at);

/* Instructions are text; media come from users, tools and, as earlier answers, assistants. NULL, or why not, as above. */
const char *remora_role_refuses_part(enum remora_role role, enum remora_part_kind kind);
/* Whether its reasoning is more than text: encrypted, signed, with a format, or of a type that is not known here. */
bool remora_message_is_opaque(const struct remora_message *message);
/* Whether it has a speaker's name that only a member of its own can carry: it has no text to say it before. A tool's is none. */
bool remora_message_name_is_unspoken(const struct remora_message *message);

/* Whether tool_choice can be met by tools. NULL, or why not, as above. */
const char *remora_tool_choice_check(const struct remora_request *request);

#define REMORA_PSEUDONYM_BYTES 40
/*
 * What a provider may know of an end user instead of the id itself (openrouter.md section 2, `user`): "user-" and 32 hex
 * digits of SHA-256 over namespace, service and id. The same id gives the same text in every replica and after every
 * restart, and another one in another service. NUL-terminated; empty for an empty id.
 */
void remora_request_pseudonym(const struct remora_request *request, struct remora_slice id,
                              char out[REMORA_PSEUDONYM_BYTES]);

#endif
