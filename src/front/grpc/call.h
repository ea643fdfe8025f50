/*
 * One gRPC call on the worker that serves it, and the front that it belongs to. Everything of a call runs on its worker's
 * thread; the front's own fields say who may touch them.
 */
#ifndef REMORA_GRPC_CALL_H
#define REMORA_GRPC_CALL_H

#include <grpc/grpc.h>

#include "handoff.h"
#include "remora/answer.h"
#include "remora/betas.h"
#include "remora/front.h"
#include "secure.h"
#include "status.h"

struct remora_grpc_call;

/* A method that is served. Called on the worker; the call ends with remora_grpc_finish or by the caller's leaving. */
struct remora_grpc_method {
    const char *path; /* "/remora.v1.ChatService/Chat" */
    /* The request's bytes, valid during the call. A method with `is_talk` gets one after another, each asked for. */
    void (*message)(struct remora_grpc_call *call, struct remora_slice bytes);
    /* The caller sends no more (is_talk only). */
    void (*half_closed)(struct remora_grpc_call *call);
    bool is_talk;
    bool is_open; /* served to whoever asks: no key */
};
const struct remora_grpc_method *remora_grpc_method_find(struct remora_slice path);

/* A message that waits for the one before it to leave. */
struct remora_grpc_pending {
    struct remora_list node;
    grpc_slice packed;
    bool is_text;         /* a text delta that may still grow; `packed` is unused */
    int32_t block_index;  /* of a text delta */
    int32_t choice_index; /* REMORA_GRPC_NO_CHOICE: of none */
    size_t charged_bytes; /* in queue_bytes */
    struct remora_buf text;
};
enum { REMORA_GRPC_NO_CHOICE = -1 };

/* Whose health is asked. */
struct remora_grpc_subject {
    bool is_known;
    bool is_liveness; /* else readiness, which is every service's */
};

struct remora_grpc_call {
    struct remora_grpc_front *front;
    struct remora_grpc_lane *lane;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    const struct remora_grpc_method *method;
    struct remora_grpc_tag arrived;
    struct remora_grpc_tag received;
    struct remora_grpc_tag closed;
    struct remora_grpc_tag sent;
    unsigned outstanding; /* tags that have not come back */
    grpc_byte_buffer *incoming;
    grpc_byte_buffer *surplus; /* a second message, where there may be but one */
    bool has_message; /* `incoming` is whole, and the end of the caller's side is awaited */
    grpc_byte_buffer *outgoing;
    size_t outgoing_bytes;
    int was_cancelled;
    uint64_t arrived_ns; /* by the loop's clock */
    bool has_arrived;
    bool has_brought; /* a message */
    bool is_over;     /* the caller is gone: nothing is sent any more */
    bool has_head;    /* initial metadata was sent */
    bool is_sending;  /* a send has not come back, or has yet to be handed to the core */
    grpc_op ops[3];   /* of that send */
    size_t op_count;
    struct remora_list leaving; /* in the lane's list until then */
    bool is_ending;             /* `status` is final and goes behind the last message */
    bool has_ended;             /* it was handed to the core */
    struct remora_list queue;
    size_t queue_bytes; /* memory that the queue takes */
    struct remora_grpc_status status;
    /* Told when the queue has become empty (may be NULL), and when the caller is gone (may be NULL). */
    void (*on_writable)(struct remora_grpc_call *call);
    void (*on_gone)(struct remora_grpc_call *call, enum remora_code why);

    struct remora_list receiver;  /* in the lane's list while a message is awaited */
    uint64_t awaits_ns;           /* since when */
    struct remora_timer patience; /* until that message, a Watch's old age, or its end unread */

    struct remora_list packed; /* in the lane's line while its message is decompressed (packed.c) */

    /* unread.c: the status is final and has not left */
    struct remora_list unread; /* in the lane's list until then */
    size_t unread_bytes;       /* of it, counted for the process */
    bool is_hurried;           /* half a second is enough */

    /* chat.c */
    struct remora_sink sink;
    struct remora_exchange *exchange;
    bool is_full;
    struct remora_arena answer_arena;
    struct remora_answer answer;

    /* health.c: a Watch, in its lane's list while it runs */
    struct remora_list watcher;
    struct remora_grpc_subject subject;
    int told_status; /* ServingStatus; -1: none yet */
};

struct remora_grpc_front {
    struct remora_process *process;
    grpc_server *server;
    struct remora_grpc_lane *lanes; /* one for each worker */
    unsigned lane_count;
    struct remora_grpc_poller poller;
    enum remora_grpc_way way;
    uint16_t port;
    bool is_unix;
    bool is_local;               /* loopback or unix */
    struct remora_grpc_tls *tls; /* NULL: plaintext, by our own listener */
    bool has_started;            /* the server */
    _Atomic uint32_t calls;      /* being served */
    _Atomic uint32_t slots;      /* call structs alive, armed ones included */
    _Atomic uint64_t arrived_ns; /* the newest call */
    _Atomic bool is_draining;    /* no new connection; health watches end */
    _Atomic bool is_shut;        /* the core takes no call */
    /* arriving.c */
    _Atomic uint64_t rest_bytes; /* of the process, when no message that is slow was on its way */
    _Atomic unsigned rest_tries; /* to get back to about as much */
    _Atomic uint64_t trimmed_ns;
    sem_t has_drained; /* the server's shutdown has come through */
    sem_t is_empty;    /* no slot is left */
    struct remora_grpc_tag shut_down;
    /* Worker 0's own. */
    struct remora_listener *listener;
    struct remora_grpc_connections *connections;
    struct remora_grpc_newcomers *newcomers; /* NULL with TLS */
    grpc_server_credentials *credentials;
};

/* Awaits one more call of any method on the lane. Worker's thread, or before the server has started. */
REMORA_MUST_CHECK enum remora_code remora_grpc_call_arm(struct remora_grpc_front *front,
                                                        struct remora_grpc_lane *lane);
struct remora_engine *remora_grpc_engine(const struct remora_grpc_call *call);
/* Who calls, by the worker's current snapshot (remora/caller.h). */
REMORA_MUST_CHECK enum remora_code remora_grpc_identify(const struct remora_grpc_call *call,
                                                        struct remora_identity *out,
                                                        struct remora_fail *fail);
/* A metadata value as it came, or the empty slice when it did not come exactly once. Valid as long as the call. */
struct remora_slice remora_grpc_metadata(const struct remora_grpc_call *call, const char *key);
/* The callers' hop metadata, in as many entries as it came, as remora_hops_add reads it; its codes. */
REMORA_MUST_CHECK enum remora_code remora_grpc_hops(const struct remora_grpc_call *call,
                                                    struct remora_hops *out,
                                                    struct remora_fail *fail);
/* The same of the metadata of trial features, as remora_betas_add reads it, into the request, copied into the arena. */
REMORA_MUST_CHECK enum remora_code remora_grpc_betas(const struct remora_grpc_call *call,
                                                     struct remora_arena *arena,
                                                     struct remora_request *out,
                                                     struct remora_fail *fail);
/* All entries of the key as one list, copied into the arena; empty where `is_valid` says no. */
struct remora_slice remora_grpc_metadata_list(const struct remora_grpc_call *call, const char *key,
                                              bool (*is_valid)(struct remora_slice list),
                                              struct remora_arena *arena);
/* remora_request.unbuilt_headers; values, which may be credentials, are not kept. */
uint32_t remora_grpc_unbuilt(const struct remora_grpc_call *call);
/* Asks for the next message of an is_talk method. */
void remora_grpc_receive(struct remora_grpc_call *call);
/* `fire` after so long, in place of what was set before; false: no memory. */
bool remora_grpc_wait(struct remora_grpc_call *call, uint64_t ns,
                      void (*fire)(struct remora_timer *patience));
/* Ends a call that waits for its caller: with the failure behind what was sent, or without it when the caller takes nothing
 * for half a second. Not a refusal: nothing is counted or logged. Does nothing once the call has its status. */
void remora_grpc_send_away(struct remora_grpc_call *call, const struct remora_fail *fail);
/* Sends away every call of the lane that waits for a message a second longer: the front is shut. */
void remora_grpc_receivers_drain(struct remora_grpc_lane *lane);

/* ---- messages that are on their way (arriving.c) ---- */

/* Before the lane's first call. */
void remora_grpc_arriving_open(struct remora_grpc_front *front, struct remora_grpc_lane *lane);
/* The call waits for a message from now on, until it is taken off the lane's list of receivers. */
void remora_grpc_arriving_begin(struct remora_grpc_call *call);
/* What the core may hold of all calls before it ends some of them: far above what is let come here. */
uint64_t remora_grpc_backstop_bytes(const struct remora_grpc_front *front);

/* Decompresses call->incoming in later rounds, and then calls remora_grpc_decompressed. */
void remora_grpc_decompress(struct remora_grpc_call *call);
/* With the message, or why there is none, or with neither: the call is over. It may be freed by this. */
void remora_grpc_decompressed(struct remora_grpc_call *call, const struct remora_buf *bytes,
                              const struct remora_fail *fail);
/* Milliseconds until the caller's deadline, at least 0; -1 when it has none. */
int64_t remora_grpc_time_left_ms(const struct remora_grpc_call *call);

/* ---- sending (send.c) ---- */

/* Before the lane's first call. */
void remora_grpc_sends_open(struct remora_grpc_lane *lane);
/* Sends or queues a packed message, which is the callee's from now on. */
void remora_grpc_send(struct remora_grpc_call *call, grpc_slice packed);
/* The same for what is of one choice, or of REMORA_GRPC_NO_CHOICE: what waits of other choices may be overtaken by its text. */
void remora_grpc_send_event(struct remora_grpc_call *call, int32_t choice_index, grpc_slice packed);
/* A text delta; merged into the last of the same choice that waits, if that is one of the same block. */
void remora_grpc_send_text(struct remora_grpc_call *call, const struct remora_event *event);
/* What is queued, then call->status, which the caller has filled. Nothing may be sent afterwards. */
void remora_grpc_finish(struct remora_grpc_call *call);
/* Finishes with a failure that has no outcome. */
void remora_grpc_refuse(struct remora_grpc_call *call, const struct remora_fail *fail);
/* The last message: call->status, which the caller has filled, goes behind it in one batch. */
void remora_grpc_answer(struct remora_grpc_call *call, grpc_slice packed);
/* The send that was under way has come back. */
void remora_grpc_on_sent(struct remora_grpc_tag *tag, bool ok);
/* Throws away what waits: the caller is gone. */
void remora_grpc_queue_clear(struct remora_grpc_call *call);

/* ---- an answer that its client does not read (unread.c) ---- */

/* Before the lane's first call. */
void remora_grpc_unread_open(struct remora_grpc_lane *lane);
/* Whether the process may hold more of answers that are not read: else a call that has cost nothing yet is refused. */
bool remora_grpc_unread_has_room(const struct remora_grpc_call *call);
/* The same for what has been paid for, and is let go only where it is not small. */
bool remora_grpc_unread_takes(const struct remora_grpc_call *call, grpc_slice packed);
/* The status is final: what waits for the caller has its time from now on. */
void remora_grpc_unread_begin(struct remora_grpc_call *call);
/* A send of an ending call has come back. */
void remora_grpc_unread_sent(struct remora_grpc_call *call);
/* Nothing is waited for any more. Does nothing before the beginning. */
void remora_grpc_unread_end(struct remora_grpc_call *call);
/* Half a second is enough now, for much a little more. */
void remora_grpc_unread_hurry(struct remora_grpc_call *call);
/* The same for every such call of the lane: the front drains, or there is no room left. */
void remora_grpc_unread_drain(struct remora_grpc_lane *lane);

#endif
