/*
 * An engine without sockets or sleep: a transport that the test plays, a sink that writes down what it is told, and a clock
 * that the test moves.
 */
#ifndef REMORA_TEST_ENGINE_FIXTURE_H
#define REMORA_TEST_ENGINE_FIXTURE_H

#include "remora/buf.h"
#include "remora/config.h"
#include "remora/exchange.h"
#include "support.h"

#define FIXTURE_TRANSFERS 16

/* One transfer that the engine has started. */
struct remora_transfer {
    struct remora_transfer_input input;
    char provider[32];
    char url[256];
    char *body; /* as one NUL-terminated text */
    bool is_live;
    bool is_paused;
    unsigned resumed;
    bool was_cancelled;
    bool was_released;
    bool has_head;
    char hops[160]; /* value of its hop header */
};

struct engine_fixture {
    struct remora_transport transport; /* first */
    struct remora_clock clock;
    uint64_t now_ns;
    struct remora_clock precise;
    uint64_t precise_ahead_ns; /* of the clock, as if that were cached */
    struct remora_timers timers;
    struct remora_random random;
    struct remora_health *health;
    struct remora_admission *admission;
    struct remora_observer observer;
    struct remora_engine *engine;
    unsigned woken;            /* calls of wake */
    const char *key_id;        /* of requests to come, or NULL */
    const char *hops;          /* of requests to come, or NULL: the Remoras before this one */
    struct remora_hop_id hop;  /* of the engine: "this-engine" */
    int64_t max_output_tokens; /* of requests to come, 0 none */
    bool excludes_reasoning;   /* requests to come say so */
    bool wants_further;        /* likewise */
    int64_t choice_count;      /* of requests to come, 0 none */
    bool is_stuck;             /* no request is written in full before it is cancelled */
    const struct remora_message *message; /* of requests to come; NULL: "hi" */
    const char *search_options;           /* of requests to come, or NULL: web_search_options */
    const char *service_tier;             /* likewise */
    struct remora_config *config;
    struct remora_transfer transfers[FIXTURE_TRANSFERS];
    size_t transfer_count;
    enum remora_code next_start; /* what the next start returns, once; REMORA_OK: as usual */

    struct remora_sink sink;
    struct remora_buf said;           /* the sink's lines */
    struct remora_exchange *exchange; /* NULL once a terminal call was made */
    bool is_full;                     /* the sink says FULL */
    bool gives_notice;                /* the sink hands on that it waits, as HTTP does */
    bool cancels_at_content;          /* the sink cancels from inside its first content event */
    unsigned cancels_at_event;        /* or from inside its nth event, 0 none */
    unsigned events;                  /* that the sink was told */
    unsigned settled;                 /* calls of the observer */
    unsigned attempts_observed;
    struct remora_outcome outcome; /* of the last settlement */
    size_t arena_bytes_at_content; /* what the request arena held after the first content event */
};

/* Two providers, a and b, both serve t/m (a first); `more` is YAML appended to the document (or ""). */
struct engine_fixture *fixture_new(const char *more);
/* Any document. */
struct engine_fixture *fixture_new_yaml(const char *yaml);
void fixture_free(struct engine_fixture *f);
/* The next transfer is number 0 again; none may be under way. */
void fixture_forget(struct engine_fixture *f);

/* Starts a request for `model` with one user message. */
void fixture_start(struct engine_fixture *f, enum remora_delivery delivery, const char *model);
/* The same with fallback models, ended by NULL, and a time-out of the caller (-1: none). */
void fixture_start_with(struct engine_fixture *f, enum remora_delivery delivery, const char *model,
                        const char *const *models, int64_t timeout_ms);
/* Moves the clock and fires what is due. */
void fixture_pass_ms(struct engine_fixture *f, int64_t ms);

/* Plays transfer `index`. Headers as "name: value" lines ended by NULL, or NULL. */
void play_head(struct engine_fixture *f, size_t index, int status, const char *const *headers);
enum remora_flow play_body(struct engine_fixture *f, size_t index, const char *bytes);
void play_end(struct engine_fixture *f, size_t index, enum remora_cause cause);
/* The end of a transfer whose connection died before the request was written in full. */
void play_stale(struct engine_fixture *f, size_t index);
/* A whole answer: status, body, clean end. */
void play_answer(struct engine_fixture *f, size_t index, int status, const char *body);
/* A good stream that says `text`, whole. */
void play_good_stream(struct engine_fixture *f, size_t index, const char *text);
/* A good unary answer that says `text`. */
void play_good_unary(struct engine_fixture *f, size_t index, const char *text);

/* What the sink was told so far equals `expected` (lines ended by \n). */
void assert_said(struct engine_fixture *f, const char *expected);

/* A chunk of the openai-chat wire with a text delta. */
#define CHUNK_TEXT(text)                                                                  \
    "data: "                                                                              \
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"um\"," \
    "\"choices\":"                                                                        \
    "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"" text                 \
    "\"},\"finish_reason\":null}]}\n\n"
#define CHUNK_REASONING(text)                                                             \
    "data: "                                                                              \
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"um\"," \
    "\"choices\":"                                                                        \
    "[{\"index\":0,\"delta\":{\"reasoning\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define CHUNK_ROLE                                                                                \
    "data: "                                                                                      \
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"um\","         \
    "\"choices\":"                                                                                \
    "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}" \
    "\n\n"
#define CHUNK_STOP                                                                        \
    "data: "                                                                              \
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"um\"," \
    "\"choices\":"                                                                        \
    "[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define CHUNK_USAGE                                                                       \
    "data: "                                                                              \
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"um\"," \
    "\"choices\":[],"                                                                     \
    "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n"
#define CHUNK_DONE "data: [DONE]\n\n"

#endif
