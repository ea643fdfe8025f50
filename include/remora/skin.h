/*
 * A skin: one public wire format. Bytes <-> request, events <-> bytes. Pure; an encoder belongs to one call and is used by the
 * thread of its worker alone. Adding one is a file and a row in the route table of the HTTP front. (gRPC is not a skin: protobuf
 * stays in front/grpc, which fills the same request.)
 */
#ifndef REMORA_SKIN_H
#define REMORA_SKIN_H

#include "remora/answer.h"
#include "remora/attempt.h"
#include "remora/buf.h"
#include "remora/codes.h"
#include "remora/event.h"
#include "remora/memory.h"
#include "remora/request.h"
#include "remora/route.h"

/*
 * Which base URL the caller uses: /v1 is OpenAI's contract (a usage chunk only when asked for), /api/v1 OpenRouter's (usage
 * always, openrouter.md section 8).
 */
enum remora_surface { REMORA_SURFACE_OPENAI, REMORA_SURFACE_OPENROUTER };

struct remora_skin_input {
    struct remora_slice body; /* in the request arena */
    enum remora_surface surface;
};

struct remora_skin;

/* What an encoder keeps between calls: no pointers into the request. At most a few hundred bytes per open
 * stream, what `own` owns apart. */
struct remora_encoder {
    const struct remora_skin *skin;
    enum remora_surface surface;
    bool wants_usage_chunk;
    bool has_started;
    /*
     * The plan's part of openrouter_metadata, written at STARTED because the plan goes then. In memory of the front; NULL when
     * the caller did not ask for it.
     */
    struct remora_buf *route;
    char id[REMORA_GENERATION_ID_BYTES];
    int64_t created_unix_s;
    struct remora_slice model;    /* served model's id: in the snapshot */
    struct remora_slice provider; /* display name: in the snapshot */
    char system_fingerprint[64];
    char service_tier[16];
    /* Of a stream, a bit per choice: its role was told, its finish reason was. */
    uint64_t begun[REMORA_LIMIT_CHOICES / 64];
    uint64_t finished[REMORA_LIMIT_CHOICES / 64];
    int32_t annotations; /* that a stream has told of, all choices together; so the next */
    int32_t images;
    int32_t raws;
    uint32_t state; /* the skin's own */
    /*
     * skin->state_bytes more of it, zeroed before `parse`; NULL when the skin wants none, and where a request is only
     * explained and nothing will be written. What lies in it may own memory: encoder_fini gives that back.
     */
    void *own;
};

struct remora_skin {
    const char *name;         /* "chat_completions": metric label `api` */
    const char *content_type; /* of a unary answer */
    const char *stream_content_type;
    /* What its encoder keeps beyond `state`: open items, sequence numbers, what an answer echoes of the request. */
    size_t state_bytes;
    /*
     * Fills the request (initialised by the caller, identity and ids already set, x-session-id as its session, betas read) and the encoder's options. Slices point
     * into input->body or the arena. What the answer tells of the request is copied into encoder->own (bounded): request and arena are
     * gone at the first content. INVALID_REQUEST with fail->param, TOO_LARGE, UNIMPLEMENTED naming the field.
     */
    enum remora_code (*parse)(const struct remora_skin_input *input, struct remora_arena *arena,
                              struct remora_request *request, struct remora_encoder *encoder,
                              struct remora_fail *fail);
    /*
     * One event of a stream as bytes (perhaps none); where `out` fails, the exchange is cancelled and the stream cut.
     * COMPLETED writes usage, the `remora` object and the terminator. STARTED of a unary answer comes here, too, for what the encoder
     * keeps of it; bytes are thrown away then.
     */
    void (*stream_event)(struct remora_encoder *encoder, const struct remora_event *event,
                         struct remora_buf *out);
    void (*stream_comment)(struct remora_encoder *encoder, struct remora_buf *out);
    /* The in-band error after the status was spent: one error event, no terminator. */
    void (*stream_failed)(struct remora_encoder *encoder, const struct remora_outcome *outcome,
                          struct remora_buf *out);
    /* A whole unary answer. */
    void (*answer)(struct remora_encoder *encoder, const struct remora_answer *answer,
                   const struct remora_outcome *outcome, struct remora_buf *out);
    /*
     * Gives back what encoder->own owns, once, however the call ended (a refused parse too); never `own` itself. NULL: it owns
     * nothing.
     */
    void (*encoder_fini)(struct remora_encoder *encoder);
    /* The error envelope, of `content_type`: all that is refused on its routes. outcome may be NULL (refused before an exchange). */
    void (*error)(const struct remora_fail *fail, const struct remora_outcome *outcome,
                  struct remora_buf *out);
};

extern const struct remora_skin remora_skin_chat_completions;

/* `own` of an encoder whose skin is set, before `parse`. SHEDDING when there is no memory. */
REMORA_MUST_CHECK enum remora_code remora_encoder_begin(struct remora_encoder *encoder);
/* Gives it back, and what it owns. Any number of times, begun or not. */
void remora_encoder_end(struct remora_encoder *encoder);

/*
 * One field of a chat request that the proto lacks (READ in tbl/chat_fields.h), from JSON text that lies in the arena: how
 * the gRPC front reads extra_body. `path` names the place for messages. Anything else is kept as a further field or
 * refused, as in a body. Codes as `parse`.
 */
REMORA_MUST_CHECK enum remora_code
remora_chat_read_field(struct remora_slice name, struct remora_slice json, const char *path,
                       struct remora_arena *arena, struct remora_request *request,
                       struct remora_fail *fail);
/*
 * The further members of one message, as JSON text of an object that lies in the arena: how the gRPC front judges
 * Message.extra. Refused at path + "." + name: a member that a message has by itself, and what would choose a host or a
 * credential, as in a body. Codes as `parse`.
 */
REMORA_MUST_CHECK enum remora_code remora_chat_check_members(struct remora_slice json,
                                                             const char *path,
                                                             struct remora_arena *arena,
                                                             struct remora_fail *fail);
/* The envelope of openrouter.md 10.1: that of chat completions, and of what no skin stands for. */
void remora_error_body(const struct remora_fail *fail, const struct remora_outcome *outcome,
                       struct remora_buf *out);
/* What is explained: a plan, whose it is, and why nothing is left of it (code REMORA_OK: something is). */
struct remora_explanation {
    const struct remora_plan *plan;
    struct remora_slice service;
    struct remora_slice policy_revision;
    const struct remora_fail *fail;
};
/* As ExplainRouteResponse (proto/remora/v1/gateway.proto) in protobuf's JSON mapping with proto field names. */
void remora_explain_body(const struct remora_explanation *explanation, struct remora_buf *out);

#endif
