/*
 * Server-sent events, as the WHATWG HTML standard parses them (section 9.2.6 "Interpreting an event stream"): BOM, CR, LF
 * and CRLF, comments, several data lines, fields with and without a space. Incremental: fed in pieces of any size.
 * One stream, one thread. An event that is not ended by a blank line is delivered by remora_sse_end alone.
 */
#ifndef REMORA_SSE_H
#define REMORA_SSE_H

#include "remora/base.h"
#include "remora/buf.h"
#include "remora/codes.h"

struct remora_sse_event {
    struct remora_slice name; /* `event:` field, empty means "message" */
    struct remora_slice data; /* lines joined by LF */
};

/* Zero bytes of memory until a line is split over two feeds or an event has two data lines. */
struct remora_sse {
    struct remora_buf line;   /* a line that has not ended yet */
    struct remora_buf data;   /* data of the event so far, when it cannot be a view */
    struct remora_slice view; /* the single data line of the event so far, while it is one */
    struct remora_buf name;
    bool has_data;
    bool after_cr;     /* the last byte was CR: a following LF belongs to it */
    bool started;      /* the BOM question is settled */
    uint8_t bom_seen;  /* bytes of the BOM matched so far */
    uint64_t comments; /* comment lines seen: a sign of life */
};

/*
 * What a feed calls. Slices are valid during the call only. on_comment may be NULL. A callback that returns anything but
 * REMORA_OK stops the feed, which returns that code.
 */
struct remora_sse_handler {
    enum remora_code (*on_event)(void *context, const struct remora_sse_event *event);
    void (*on_comment)(void *context, struct remora_slice text);
    void *context;
};

void remora_sse_init(struct remora_sse *sse, size_t event_limit_bytes);
void remora_sse_fini(struct remora_sse *sse);
/* TOO_LARGE when one event outgrows the limit; SHEDDING without memory; or the handler's code. */
REMORA_MUST_CHECK enum remora_code remora_sse_feed(struct remora_sse *sse,
                                                   struct remora_slice bytes,
                                                   const struct remora_sse_handler *handler);
/*
 * The stream is known to be whole: an event of which only the blank line is missing is delivered after all, which a browser
 * would not do. A line that has no end stays undelivered. Codes as of remora_sse_feed.
 */
REMORA_MUST_CHECK enum remora_code remora_sse_end(struct remora_sse *sse,
                                                  const struct remora_sse_handler *handler);
/* True when bytes of an unfinished line or event are left: the stream was cut inside an event. */
bool remora_sse_is_partial(const struct remora_sse *sse);

#endif
