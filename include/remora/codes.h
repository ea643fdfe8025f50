/*
 * Outcomes. One table (tbl/codes.h, from design/codes.md) is read by the HTTP envelope, the gRPC status, the retry logic,
 * metric labels and the documentation. A fallible function returns `enum remora_code`; detail travels in
 * `struct remora_fail`, filled once, where the fact is known. First failure wins.
 *
 * Sources: design/codes.md, "One table of outcomes" (the table, and what of a failure is told where); google/rpc/code.proto of
 * googleapis (numbers of gRPC); reference/openrouter.md, section 10 (error_type, availability); RFC 9110, section 10.2.3
 * (Retry-After).
 *
 * The table is constant and may be read by any thread; a fail belongs to the caller that made it and is not shared.
 */
#ifndef REMORA_CODES_H
#define REMORA_CODES_H

#include "remora/base.h"

enum remora_code {
    REMORA_OK = 0,
#define REMORA_CODE(name, ...) REMORA_##name,
#include "remora/tbl/codes.h"
#undef REMORA_CODE
    REMORA_CODE_COUNT
};

/* What the engine does when an attempt ends with a code. */
enum remora_next_endpoint {
    REMORA_NEXT_NEVER = 0,
    REMORA_NEXT_YES,
    REMORA_NEXT_LARGER_WINDOW,  /* only to endpoints with a larger context */
    REMORA_NEXT_OTHER_PROVIDER, /* once, to another provider; a second one ends the model */
};

/* What becomes of the endpoint or its key. */
enum remora_health_effect {
    REMORA_EFFECT_NONE = 0,
    REMORA_EFFECT_COUNTS,      /* a failure for the breaker */
    REMORA_EFFECT_COOLS,       /* 429: the endpoint rests for Retry-After or a back-off */
    REMORA_EFFECT_BENCHES,     /* model gone: the endpoint rests for minutes */
    REMORA_EFFECT_BENCHES_KEY, /* our key was refused: the key rests, 5 minutes doubling to an hour */
};

/* Which class wins when candidates failed for different reasons (codes.md: transient, then lasting, then the caller's). */
enum remora_fail_class {
    REMORA_CLASS_NONE = 0, /* never the outcome of an attempt */
    REMORA_CLASS_TRANSIENT,
    REMORA_CLASS_LASTING,
    REMORA_CLASS_CALLER,
};

struct remora_code_row {
    const char *name;         /* stable: error.metadata.reason, ErrorInfo.reason, metric label */
    int http_status;          /* 200 for STREAM_BROKEN, which is told in-band */
    int grpc_status;          /* google.rpc.Code */
    const char *error_type;   /* OpenRouter's error_type */
    const char *openai_type;  /* error.type */
    const char *availability; /* availability.code or NULL */
    enum remora_next_endpoint next_endpoint;
    bool next_model; /* `models[]` moves on */
    enum remora_health_effect effect;
    enum remora_fail_class fail_class;
    const char *summary; /* one sentence for people; the default message */
};

/* Never NULL; REMORA_OK has a row of its own named "OK". */
const struct remora_code_row *remora_code_row(enum remora_code code);
/* The code with this stable name, or REMORA_CODE_COUNT. */
enum remora_code remora_code_by_name(struct remora_slice name);

/* Why an attempt failed, closer than its code: a metric label and the `kind` of the log line. */
enum remora_cause {
#define REMORA_CAUSE(name, text) REMORA_CAUSE_##name,
#include "remora/tbl/causes.h"
#undef REMORA_CAUSE
    REMORA_CAUSE_COUNT
};
const char *remora_cause_name(enum remora_cause cause);

/* Detail of one failure. Plain data, fixed size, no pointers into a request: may be copied and kept. */
struct remora_fail {
    enum remora_code code;
    enum remora_cause cause; /* of an attempt; NONE elsewhere */
    char message
        [320]; /* for the caller: never a key, prompt, upstream URL or internal name; NUL-terminated UTF-8 */
    char param
        [128]; /* the field that is wrong, as the caller spelt it ("messages[2].role"), or "" */
    int64_t retry_after_ms; /* hint, or -1 */
    /* Of an attempt: it may concern this request alone, so nothing rests for it. */
    bool spares_health;
    int upstream_status; /* HTTP status of the provider, 0 when there was none */
    int http_status; /* 0: the row's; else a framing status such as 414 or 431 (ARCHITECTURE 4) */
    int grpc_status; /* 0: the row's; else that of a broken message frame (INTERNAL) */
};

#define REMORA_FAIL_INIT                        \
    {                                           \
        .code = REMORA_OK, .retry_after_ms = -1 \
    }

/* Fills *fail (unless NULL or already filled) and returns code. `param` may be NULL. Text is cut at a UTF-8 boundary. */
enum remora_code remora_fail_set(struct remora_fail *fail, enum remora_code code, const char *param,
                                 const char *format, ...) REMORA_PRINTF(4, 5) REMORA_COLD;
/* The HTTP status to answer with. */
int remora_fail_http_status(const struct remora_fail *fail);
/* The google.rpc.Code to answer with. */
int remora_fail_grpc_status(const struct remora_fail *fail);

#endif
