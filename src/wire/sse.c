/*
 * Server-sent events. Source: WHATWG HTML standard, section 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an
 * event stream".
 *
 * Happiest path: an event of one data line that lies within one feed is stepped over at once.
 * Happy path: a line that lies within one feed is looked at where it is; a data line among them becomes the event's view;
 * the blank line delivers it without a copy. A line cut by the end of a feed is kept in `line`, data of several lines or
 * from an earlier feed in `data`.
 * Where this differs from a browser: at a proven end the last event needs no blank line (remora_sse_end), bytes are handed on as they are (no U+FFFD for what is not UTF-8), and `id` and
 * `retry` are skipped, because nobody reconnects here.
 * Fails: a line, or the data of one event, longer than the limit (TOO_LARGE), no memory (SHEDDING), the handler's code.
 * What fails is the same whatever the cuts between feeds. After a failure the stream is over; feeding it again answers
 * the same code, except that a handler's code is not remembered.
 */
#include "remora/sse.h"

/* What a line buffer may keep between events. */
enum { KEPT_BYTES = 16 << 10 };

/* One feed: where it stands, and the next LF and CR, each looked for only once. */
struct feed {
    const char *at;
    const char *end;
    const char *lf;
    const char *cr;
};

void remora_sse_init(struct remora_sse *sse, size_t event_limit_bytes)
{
    *sse = (struct remora_sse){0};
    remora_buf_init(&sse->line, event_limit_bytes);
    remora_buf_init(&sse->data, event_limit_bytes);
    remora_buf_init(&sse->name, event_limit_bytes);
}

void remora_sse_fini(struct remora_sse *sse)
{
    remora_buf_fini(&sse->line);
    remora_buf_fini(&sse->data);
    remora_buf_fini(&sse->name);
    sse->view = (struct remora_slice){0};
    sse->has_data = false;
}

static enum remora_code failure(const struct remora_sse *sse)
{
    if (sse->line.failed != REMORA_OK) {
        return sse->line.failed;
    }
    return sse->data.failed != REMORA_OK ? sse->data.failed : sse->name.failed;
}

static void forget_event(struct remora_sse *sse)
{
    remora_buf_reset(&sse->data, KEPT_BYTES);
    remora_buf_reset(&sse->name, KEPT_BYTES);
    sse->view = (struct remora_slice){0};
    sse->has_data = false;
}

/* The view is about to go: its bytes move to the data buffer. */
static void keep_view(struct remora_sse *sse)
{
    if (sse->view.data != NULL) {
        remora_buf_append(&sse->data, sse->view);
        sse->view = (struct remora_slice){0};
    }
}

static enum remora_code deliver(struct remora_sse *sse, const struct remora_sse_handler *handler)
{
    enum remora_code rc = REMORA_OK;
    if (sse->has_data) {
        struct remora_sse_event event = {
            .name = remora_buf_slice(&sse->name),
            .data = sse->view.data != NULL ? sse->view : remora_buf_slice(&sse->data),
        };
        rc = handler->on_event(handler->context, &event);
    }
    forget_event(sse);
    return rc;
}

static void add_data(struct remora_sse *sse, struct remora_slice value, bool may_view)
{
    if (!sse->has_data && may_view) {
        sse->view = value;
    } else {
        keep_view(sse);
        if (sse->has_data) {
            remora_buf_append_byte(&sse->data, '\n');
        }
        remora_buf_append(&sse->data, value);
    }
    sse->has_data = true;
}

/* One line without its end. `may_view`: its bytes live until the feed returns. */
static enum remora_code take_line(struct remora_sse *sse, struct remora_slice line, bool may_view,
                                  const struct remora_sse_handler *handler)
{
    if (line.length == 0) {
        return deliver(sse, handler);
    }
    if (line.length > sse->line.limit_bytes) {
        sse->line.failed = REMORA_TOO_LARGE;
        return REMORA_TOO_LARGE;
    }
    size_t colon = remora_slice_find(line, ':', 0);
    size_t skip = colon + (colon < line.length ? 1 : 0);
    skip += skip < line.length && line.data[skip] == ' ' ? 1 : 0;
    struct remora_slice field = remora_slice(line.data, colon);
    struct remora_slice value = remora_slice(line.data + skip, line.length - skip);
    if (colon == 0) {
        sse->comments++;
        if (handler->on_comment != NULL) {
            handler->on_comment(handler->context, value);
        }
    } else if (remora_slice_is(field, "data")) {
        add_data(sse, value, may_view);
    } else if (remora_slice_is(field, "event")) {
        remora_buf_reset(&sse->name, KEPT_BYTES);
        remora_buf_append(&sse->name, value);
    }
    return failure(sse);
}

/* The first CR or LF from feed->at on, or NULL. */
static const char *find_end(struct feed *feed)
{
    size_t left = (size_t)(feed->end - feed->at);
    if (feed->lf < feed->at) {
        const char *found = memchr(feed->at, '\n', left);
        feed->lf = found == NULL ? feed->end : found;
    }
    if (feed->cr < feed->at) {
        const char *found = memchr(feed->at, '\r', left);
        feed->cr = found == NULL ? feed->end : found;
    }
    const char *first = feed->lf < feed->cr ? feed->lf : feed->cr;
    return first == feed->end ? NULL : first;
}

/* The line that ends at `stop`, part of which may have come with earlier feeds. */
static enum remora_code end_line(struct remora_sse *sse, struct feed *feed, const char *stop,
                                 const struct remora_sse_handler *handler)
{
    struct remora_slice rest = remora_slice(feed->at, (size_t)(stop - feed->at));
    feed->at = stop + 1;
    sse->after_cr = *stop == '\r';
    if (sse->line.length == 0) {
        return take_line(sse, rest, true, handler);
    }
    remora_buf_append(&sse->line, rest);
    enum remora_code rc = remora_buf_code(&sse->line);
    if (rc == REMORA_OK) {
        rc = take_line(sse, remora_buf_slice(&sse->line), false, handler);
    }
    if (rc == REMORA_OK) {
        remora_buf_reset(&sse->line, KEPT_BYTES);
    }
    return rc;
}

/*
 * Nearly every event of nearly every provider: one line "data: ...", LF, LF, all of it in this feed. The value of such an
 * event that stands at feed->at, and the cursor behind it; false when there is something else.
 */
static bool step_plain_event(const struct remora_sse *sse, struct feed *feed,
                             struct remora_slice *value)
{
    static const char name[] = "data:";
    const size_t length = sizeof name - 1;
    bool is_fresh = sse->line.length == 0 && !sse->has_data && sse->name.length == 0;
    if (!is_fresh || (size_t)(feed->end - feed->at) <= length ||
        memcmp(feed->at, name, length) != 0) {
        return false;
    }
    const char *stop = find_end(feed);
    if (stop == NULL || feed->end - stop < 2 || stop[0] != '\n' || stop[1] != '\n' ||
        (size_t)(stop - feed->at) > sse->line.limit_bytes) {
        return false;
    }
    const char *from = feed->at + length;
    from += *from == ' ' ? 1 : 0;
    *value = remora_slice(from, (size_t)(stop - from));
    feed->at = stop + 2;
    return true;
}

static enum remora_code take_feed(struct remora_sse *sse, struct feed *feed,
                                  const struct remora_sse_handler *handler)
{
    while (feed->at < feed->end) {
        if (sse->after_cr) {
            sse->after_cr = false;
            if (*feed->at == '\n') {
                feed->at++;
                continue;
            }
        }
        struct remora_sse_event event = {0};
        if (step_plain_event(sse, feed, &event.data)) {
            enum remora_code rc = handler->on_event(handler->context, &event);
            if (rc != REMORA_OK) {
                return rc;
            }
            continue;
        }
        const char *stop = find_end(feed);
        if (stop == NULL) {
            remora_buf_append(&sse->line, remora_slice(feed->at, (size_t)(feed->end - feed->at)));
            return remora_buf_code(&sse->line);
        }
        enum remora_code rc = end_line(sse, feed, stop, handler);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

/* Skips a byte order mark at the very beginning. A part of one that turns out not to be is the start of the first line. */
static void skip_bom(struct remora_sse *sse, struct feed *feed)
{
    static const char bom[] = "\xEF\xBB\xBF";
    while (!sse->started && feed->at < feed->end) {
        if (*feed->at != bom[sse->bom_seen]) {
            sse->started = true;
            remora_buf_append(&sse->line, remora_slice(bom, sse->bom_seen));
            return;
        }
        feed->at++;
        sse->bom_seen++;
        sse->started = sse->bom_seen == sizeof bom - 1;
    }
}

enum remora_code remora_sse_feed(struct remora_sse *sse, struct remora_slice bytes,
                                 const struct remora_sse_handler *handler)
{
    if (bytes.length == 0 || failure(sse) != REMORA_OK) {
        return failure(sse);
    }
    struct feed feed = {.at = bytes.data, .end = bytes.data + bytes.length};
    skip_bom(sse, &feed);
    enum remora_code rc = failure(sse);
    if (rc == REMORA_OK) {
        rc = take_feed(sse, &feed, handler);
    }
    if (rc != REMORA_OK) {
        sse->view = (struct remora_slice){0};
        return rc;
    }
    keep_view(sse);
    return failure(sse);
}

enum remora_code remora_sse_end(struct remora_sse *sse, const struct remora_sse_handler *handler)
{
    enum remora_code rc = failure(sse);
    if (rc != REMORA_OK || sse->line.length > 0) {
        return rc;
    }
    return deliver(sse, handler);
}

bool remora_sse_is_partial(const struct remora_sse *sse)
{
    return sse->line.length > 0 || sse->has_data || sse->name.length > 0 ||
           (!sse->started && sse->bom_seen > 0);
}
