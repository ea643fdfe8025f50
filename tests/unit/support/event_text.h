/* Events as text, one line each, for comparing decoders with reviewed files; and a decoder driven at any chunk size. */
#ifndef REMORA_TEST_EVENT_TEXT_H
#define REMORA_TEST_EVENT_TEXT_H

#include "remora/answer.h"
#include "remora/buf.h"
#include "remora/provider.h"

/* One line per event; signs of life that follow each other make one line. */
void event_text_append(struct remora_buf *out, const struct remora_event *event);

struct decode_input {
    const struct remora_adapter *adapter;
    enum remora_delivery delivery;
    enum remora_end end;
    struct remora_slice bytes;
    size_t chunk_bytes;   /* 0: all at once */
    uint64_t piece_seed;  /* not 0: pieces of 1 to 4096 bytes instead, drawn from this seed */
    int64_t choice_count; /* asked for, 0: not said */
    struct remora_slice generation_id;      /* ours of the request, or empty */
    const struct remora_endpoint *endpoint; /* NULL: of a provider that nobody knows */
    struct remora_answer *answer;           /* NULL, or where to collect as well */
};

/*
 * Feeds the bytes, judges each event by the grammar guard as the engine does, and appends every event and the outcome:
 * "ok terminator=yes" or "CODE cause=... status=... retry=... message=...".
 */
enum remora_code decode_to_text(const struct decode_input *input, struct remora_buf *out);

/*
 * The same stream with another number of blanks behind the opening brace of every event: JSON that means the same, but no
 * event is like the one before, so that a decoder cannot make short work of it.
 */
void append_unlike(struct remora_buf *out, struct remora_slice stream);

#endif
