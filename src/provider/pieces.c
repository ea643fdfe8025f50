/* A body in pieces (pieces.h). It can fail only by memory: the buffer's and the arena's own codes are asked at the end. */
#include "pieces.h"

#include "remora/limits.h"
#include "remora/text.h"

enum { FIRST_BYTES = 1000 };

struct piece {
    struct piece *next;
    const char *view; /* NULL: part of the buffer, from `offset` */
    size_t offset;
    size_t length;
};

void pieces_init(struct pieces *pieces, struct remora_arena *arena)
{
    *pieces = (struct pieces){.arena = arena};
    remora_buf_init(&pieces->buf, REMORA_LIMIT_REQUEST_ARENA_BYTES);
    (void)!remora_buf_reserve(&pieces->buf, FIRST_BYTES); /* most of what is not a piece fits */
    remora_json_write_begin(&pieces->json, &pieces->buf);
}

void pieces_fini(struct pieces *pieces)
{
    remora_buf_fini(&pieces->buf);
}

static void add(struct pieces *pieces, const char *view, size_t offset, size_t length)
{
    struct piece *piece = remora_arena_alloc(pieces->arena, sizeof *piece);
    if (piece == NULL) {
        return;
    }
    *piece = (struct piece){.view = view, .offset = offset, .length = length};
    if (pieces->last == NULL) {
        pieces->first = piece;
    } else {
        pieces->last->next = piece;
    }
    pieces->last = piece;
    pieces->count++;
}

static void cut(struct pieces *pieces)
{
    size_t length = remora_buf_slice(&pieces->buf).length;
    if (length > pieces->cut_at) {
        add(pieces, NULL, pieces->cut_at, length - pieces->cut_at);
        pieces->cut_at = length;
    }
}

static void append(struct pieces *pieces, struct remora_slice text)
{
    if (text.length < PIECE_BYTES) {
        remora_buf_append(&pieces->buf, text);
        return;
    }
    cut(pieces);
    add(pieces, text.data, 0, text.length);
}

void pieces_string(struct pieces *pieces, struct remora_slice text)
{
    if (text.length < PIECE_BYTES || !remora_json_is_plain(text)) {
        remora_json_write_string(&pieces->json, text);
        return;
    }
    pieces_text_open(pieces);
    append(pieces, text);
    pieces_text_close(pieces);
}

void pieces_raw(struct pieces *pieces, struct remora_slice json)
{
    remora_json_write_raw(&pieces->json, REMORA_SLICE(""));
    append(pieces, json);
}

void pieces_text_open(struct pieces *pieces)
{
    remora_json_write_raw(&pieces->json, REMORA_SLICE("\""));
}

void pieces_text_plain(struct pieces *pieces, struct remora_slice text)
{
    append(pieces, text);
}

void pieces_text_base64(struct pieces *pieces, struct remora_slice bytes)
{
    remora_append_base64(&pieces->buf, bytes);
}

void pieces_text_close(struct pieces *pieces)
{
    remora_buf_append_byte(&pieces->buf, '"');
}

static enum remora_code failure(const struct pieces *pieces)
{
    enum remora_code code = remora_buf_code(&pieces->buf);
    return code != REMORA_OK ? code : pieces->arena->failed;
}

enum remora_code pieces_finish(struct pieces *pieces, struct remora_http_request *http)
{
    cut(pieces);
    struct remora_slice *body = remora_arena_array(pieces->arena, pieces->count + 1, sizeof *body);
    struct remora_slice text = remora_arena_copy(pieces->arena, remora_buf_slice(&pieces->buf));
    enum remora_code code = failure(pieces);
    if (code != REMORA_OK || body == NULL) {
        return code != REMORA_OK ? code : REMORA_SHEDDING;
    }
    size_t count = 0;
    http->body_bytes = 0;
    for (const struct piece *piece = pieces->first; piece != NULL; piece = piece->next) {
        const char *data = piece->view != NULL ? piece->view : text.data + piece->offset;
        body[count++] = remora_slice(data, piece->length);
        http->body_bytes += piece->length;
    }
    http->body = body;
    http->body_pieces = count;
    return REMORA_OK;
}
