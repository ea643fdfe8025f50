/*
 * Any bytes through the SSE parser, once in one feed and once in pieces whose sizes the first byte decides. Events,
 * comments and the outcome must be the same, with a limit that inputs can reach.
 */
#include "remora/sse.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_BYTES = 200 };

static enum remora_code on_event(void *context, const struct remora_sse_event *event)
{
    struct remora_buf *record = context;
    remora_buf_printf(record, "event %zu ", event->name.length);
    remora_buf_append(record, event->name);
    remora_buf_printf(record, " data %zu ", event->data.length);
    remora_buf_append(record, event->data);
    if (event->data.length > EVENT_BYTES) {
        abort();
    }
    return REMORA_OK;
}

static void on_comment(void *context, struct remora_slice text)
{
    struct remora_buf *record = context;
    remora_buf_printf(record, "comment %zu ", text.length);
    remora_buf_append(record, text);
}

/* Feeds pieces of 1 to `most` bytes, each from memory that ends with it. 0: all in one. */
static enum remora_code run(const uint8_t *data, size_t size, unsigned most,
                            struct remora_buf *record)
{
    struct remora_sse sse;
    struct remora_sse_handler handler = {on_event, on_comment, record};
    enum remora_code rc = REMORA_OK;
    remora_sse_init(&sse, EVENT_BYTES);
    for (size_t at = 0; at < size && rc == REMORA_OK;) {
        size_t piece = most == 0 ? size : 1 + data[at] % most;
        piece = piece > size - at ? size - at : piece;
        char *copy = malloc(piece);
        if (copy == NULL) {
            break;
        }
        memcpy(copy, data + at, piece);
        rc = remora_sse_feed(&sse, remora_slice(copy, piece), &handler);
        free(copy);
        at += piece;
    }
    if (rc == REMORA_OK) {
        remora_buf_printf(record, "partial %d", remora_sse_is_partial(&sse));
        rc = remora_sse_end(&sse, &handler);
    }
    remora_sse_fini(&sse);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_buf whole;
    struct remora_buf pieces;
    if (size == 0) {
        return 0;
    }
    remora_buf_init(&whole, 64 << 20);
    remora_buf_init(&pieces, 64 << 20);
    enum remora_code first = run(data + 1, size - 1, 0, &whole);
    enum remora_code second = run(data + 1, size - 1, 1 + data[0] % 64, &pieces);
    if (first != second ||
        !remora_slice_equal(remora_buf_slice(&whole), remora_buf_slice(&pieces))) {
        fprintf(stderr, "the cuts changed the events\n");
        abort();
    }
    remora_buf_fini(&whole);
    remora_buf_fini(&pieces);
    return 0;
}
