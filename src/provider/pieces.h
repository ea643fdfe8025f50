/*
 * A request body under construction: JSON text with large values left where they are.
 *
 * Small things are written into one buffer; a value of at least PIECE_BYTES that needs no escaping becomes a piece of its
 * own, a view of the request. At the end the buffer is copied into the arena and body and views become one list.
 */
#ifndef REMORA_PROVIDER_PIECES_H
#define REMORA_PROVIDER_PIECES_H

#include "remora/json.h"
#include "remora/transport.h"

/* Below this a copy costs less than a piece; at four kilobytes, where it once stood, prompts of two were copied three times. */
#define PIECE_BYTES 256

struct piece; /* an own part of the buffer or a view */

struct pieces {
    struct remora_buf buf;
    struct remora_json_writer json;
    struct remora_arena *arena;
    struct piece *first;
    struct piece *last;
    size_t count;
    size_t cut_at; /* bytes of the buffer that earlier pieces hold */
};

void pieces_init(struct pieces *pieces, struct remora_arena *arena);
void pieces_fini(struct pieces *pieces);
/* A JSON string value, escaped; by view when it is large and needs no escaping. */
void pieces_string(struct pieces *pieces, struct remora_slice text);
/* One JSON value as it stands. */
void pieces_raw(struct pieces *pieces, struct remora_slice json);
/* The text between quotes: open, any number of parts, close. */
void pieces_text_open(struct pieces *pieces);
void pieces_text_plain(struct pieces *pieces, struct remora_slice text); /* must need no escaping */
void pieces_text_base64(struct pieces *pieces, struct remora_slice bytes);
void pieces_text_close(struct pieces *pieces);
/* Fills body, body_pieces and body_bytes; everything lies in the arena or the request. TOO_LARGE or SHEDDING. */
REMORA_MUST_CHECK enum remora_code pieces_finish(struct pieces *pieces,
                                                 struct remora_http_request *http);

#endif
