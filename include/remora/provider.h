/*
 * Provider adapters: one file per wire family. Pure: bytes in, bytes out, no I/O, no clock, no threads of their own, so that
 * building can be repeated for every attempt and decoding can be fuzzed. Any thread may call them, each for what is its own
 * meanwhile: nothing is kept between two calls but what the arguments hold.
 *
 * How an attempt uses one:
 *   needs?   what must be fetched before a body can be built (a token, media): the engine's PREPARING fetches it
 *   build    request + endpoint + credential + fetched material -> HTTP request
 *   feed/end bytes of a 2xx answer -> events
 *   classify anything but a 2xx answer -> a code
 */
#ifndef REMORA_PROVIDER_H
#define REMORA_PROVIDER_H

#include "remora/attempt.h"
#include "remora/catalog.h"
#include "remora/clock.h"
#include "remora/event.h"
#include "remora/memory.h"
#include "remora/policy.h"
#include "remora/request.h"
#include "remora/transport.h"

/* Something to fetch before `build`. */
enum remora_need_kind {
    REMORA_NEED_TOKEN, /* a bearer token; cached by key until it expires, shared by requests */
    REMORA_NEED_MEDIA, /* the bytes behind a URI that a caller named; bounded, public addresses only */
};
struct remora_need {
    enum remora_need_kind kind;
    /* Needs may depend on each other (a session token before a role's credentials): after each round `needs` is asked
     * again with the materials so far, and answers with what is still missing. */
    struct remora_http_request
        fetch; /* built by the adapter; sent as nobody's (remora_transfer_input) */
    enum remora_reach
        reach; /* MEDIA: PUBLIC; TOKEN: METADATA for a service of the host, else PROVIDER */
    struct remora_slice cache_key;    /* TOKEN */
    const struct remora_media *media; /* MEDIA: which one it stands for */
};
/*
 * What a TOKEN need yields: a bearer token is `secret` alone, AWS's temporary credentials are all three (the parts of struct
 * remora_credential), and a step on the way to them what the next one asks with: a token in `secret`, or the name of a role in
 * `key_id`. Whoever holds it owns the secrets; shared by requests it is read-only.
 */
struct remora_token {
    /* AWS: at most 128 characters (STS API, Credentials.AccessKeyId); NUL-terminated, empty: none */
    char key_id[129];
    struct remora_secret *secret;
    struct remora_secret *session_token; /* NULL: none */
    int64_t expires_unix_ms;             /* by wall clock */
};
/* What came back, in the order of the needs. */
struct remora_material {
    struct remora_slice bytes; /* MEDIA */
    struct remora_slice mime_type;
    const struct remora_token *token; /* TOKEN */
};

struct remora_build_input {
    const struct remora_request *request;
    const struct remora_endpoint *endpoint;
    enum remora_delivery delivery; /* what the provider is asked for: request->delivery, or more */
    const struct remora_credential *credential; /* NULL when the provider needs none */
    const struct remora_material *materials;    /* one per need */
    size_t material_count;
    struct remora_slice upstream_request_id; /* sent as x-request-id: one per attempt */
    /* To be sent, with request->tracestate, to a provider with sends_trace; valid during the call. */
    struct remora_slice traceparent;
    /* What the merged policy wants, for a provider that routes further itself. */
    enum remora_data_collection data_collection;
    enum remora_tristate zdr;
    enum remora_tristate require_parameters;
    bool is_alone; /* a layer wants the first endpoint alone: allow_fallbacks: false, no order */
    enum remora_tristate enforce_distillable_text;
    struct remora_lists ignored; /* of each layer that states one */
    struct remora_lists only;
    struct remora_lists quantizations;
    struct remora_lists bound_orders;  /* `order` with allow_fallbacks: false */
    const int64_t *max_price_pico_usd; /* by enum remora_price_cap, -1 none; NULL: no cap */
    int64_t now_unix_ms;
};
/* Fills in what the merged policy wants, for a provider that routes further itself. Borrows the policy. */
void remora_build_take_policy(struct remora_build_input *input,
                              const struct remora_policy_effective *policy);
struct remora_build_output {
    struct remora_http_request http;
    bool may_search;      /* what is sent lets the provider search the web */
    int64_t choice_count; /* how many choices what is sent asks for; 0: it does not say, one */
    enum remora_cache_life cache_life; /* of the cache marks in what is sent */
    int32_t image_count; /* pictures in what is sent: those that are dropped are not billed */
    struct remora_slice service_tier; /* that is asked for, of the request; empty: none */
    struct remora_dropped dropped[REMORA_DROPPED_MAX];
    size_t dropped_count;
};

/* First member of every adapter's decoder. */
struct remora_decoder {
    enum remora_operation operation;
    enum remora_delivery delivery; /* as build was told */
    const struct remora_endpoint *endpoint;
    /* Ours of the request, which outlives the decoder: ids that a decoder makes hold its hash, so that no two answers of a
     * conversation have the same. */
    struct remora_slice generation_id;
    int64_t
        choice_count; /* as build said; an answer that is cut before so many are finished is not whole */
    bool is_done; /* the terminator was read: nothing that follows matters */
    /* A stream as far as it has come has content, every finish reason that was asked for, and usage: only its end is owed. May turn
     * false again, where content goes on. */
    bool is_answered;
    bool had_terminator; /* the wire's own end marker came (counted: some providers omit it) */
    bool lacks_finish;   /* a choice came without a finish reason: its CHOICE_FINISHED is a guess */
    bool unknown_finish; /* or with one that nobody knows: told as `stop`, a guess, too */
    bool broken_arguments;   /* of a tool call that ended well: they are no JSON text */
    int64_t missing_choices; /* of those asked for, in an answer that decode_end judged complete */
    uint64_t ignored;        /* unknown events or fields that were skipped */
};

/* How the HTTP body ended. */
enum remora_end { REMORA_END_CLEAN, REMORA_END_CUT };

/* An answer that is not 2xx, or a 2xx whose body is an error. */
struct remora_upstream_error {
    int status;
    const struct remora_http_response *head; /* may be NULL (in-band) */
    struct remora_slice body;                /* cut at REMORA_LIMIT_UPSTREAM_ERROR_BYTES */
    int64_t now_unix_ms;
};

struct remora_adapter {
    const char *name;
    enum remora_wire wire;
    size_t decoder_bytes; /* at most REMORA_DECODER_BYTES */
    /* How many needs; *out lies in the arena. NULL: none, ever. */
    enum remora_code (*needs)(const struct remora_build_input *input, struct remora_arena *arena,
                              const struct remora_need **out, size_t *count,
                              struct remora_fail *fail);
    /*
     * The answer to a TOKEN need: its parts and when it expires. *token is zeroed, and after a failure holds no
     * secret. NULL: this wire fetches no tokens.
     */
    enum remora_code (*accept)(const struct remora_need *need,
                               const struct remora_http_response *head, struct remora_slice body,
                               int64_t now_unix_ms, struct remora_token *token,
                               struct remora_fail *fail);
    /* Idempotent. Everything in *out lies in the arena or the request. A failure ends this endpoint's turn. */
    enum remora_code (*build)(const struct remora_build_input *input, struct remora_arena *arena,
                              struct remora_build_output *out, struct remora_fail *fail);
    /* `decoder` is zeroed memory of decoder_bytes; the struct remora_decoder in it is filled. */
    void (*decode_begin)(struct remora_decoder *decoder);
    /*
     * Any piece of the body, split anywhere. Events go to `out` and are valid during the put only; scratch memory is
     * reset by the caller afterwards. A code other than REMORA_OK (with fail->cause set) ends the attempt:
     * UPSTREAM_UNAVAILABLE for broken data, or what an in-band error is classified as. After is_done it takes nothing.
     */
    enum remora_code (*decode_feed)(struct remora_decoder *decoder, struct remora_slice bytes,
                                    struct remora_arena *scratch,
                                    const struct remora_event_out *out, struct remora_fail *fail);
    /* The body is over. REMORA_OK only when the answer is judged complete (ARCHITECTURE 6 "End of stream"). */
    enum remora_code (*decode_end)(struct remora_decoder *decoder, enum remora_end end,
                                   struct remora_arena *scratch, const struct remora_event_out *out,
                                   struct remora_fail *fail);
    void (*decode_fini)(struct remora_decoder *decoder);
    /* Fills *fail: code, cause, message, retry_after_ms, upstream_status. Never REMORA_OK. */
    void (*classify)(const struct remora_endpoint *endpoint,
                     const struct remora_upstream_error *error, struct remora_arena *scratch,
                     struct remora_fail *fail);
};

#define REMORA_DECODER_BYTES 1024

/* NULL for a wire that is not built. */
const struct remora_adapter *remora_adapter_for(enum remora_wire wire);

/*
 * Whether a secret that the provider is sent (keys, session tokens, secret headers) stands in a text of its own, compared byte by
 * byte; secrets of less than 6 bytes only where no key character stands beside them. Any thread.
 */
bool remora_provider_echoes_secret(const struct remora_provider *provider,
                                   struct remora_slice text);
/* What an HTTP status means where the body says nothing better (providers.md 0.3, codes.md). */
enum remora_code remora_classify_status(int status, enum remora_cause *cause);
/* retry-after-ms, retry-after of a response; -1 none. */
int64_t remora_response_retry_after_ms(const struct remora_http_response *head,
                                       int64_t now_unix_ms);

#endif
