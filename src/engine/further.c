/*
 * What an answer says and nothing here has a field for: members of its object that no adapter reads, and the provider's own
 * report of usage. Kept while the answer comes, each name as it was said last, and handed over with `completed`; only where the
 * front asked (wants_further).
 *
 * Left out: a value that holds a secret of the provider's, that is nested deeper than a client could read, or that finds no
 * room (REMORA_LIMIT_FURTHER_BYTES; never an error: the answer is whole without it).
 *
 * In the buffer: entries of a head, the name and the value, one behind the other.
 */
#include "exchange_private.h"

struct further_head {
    uint32_t name_bytes; /* 0: the report of usage */
    uint32_t value_bytes;
};

struct further_entry {
    struct further_head head;
    size_t at;    /* of the head */
    size_t bytes; /* with the head */
};

/* Steps to the entry at *at; false at the end. */
static bool next_entry(const struct remora_buf *buf, size_t *at, struct further_entry *out)
{
    if (*at >= buf->length) {
        return false;
    }
    memcpy(&out->head, buf->data + *at, sizeof out->head);
    out->at = *at;
    out->bytes = sizeof out->head + out->head.name_bytes + out->head.value_bytes;
    *at += out->bytes;
    return true;
}

static struct remora_slice name_of(const struct remora_buf *buf, const struct further_entry *entry)
{
    return remora_slice(buf->data + entry->at + sizeof entry->head, entry->head.name_bytes);
}

static struct remora_slice value_of(const struct remora_buf *buf, const struct further_entry *entry)
{
    return remora_slice(buf->data + entry->at + sizeof entry->head + entry->head.name_bytes,
                        entry->head.value_bytes);
}

static bool find(const struct remora_buf *buf, struct remora_slice name, struct further_entry *out)
{
    size_t at = 0;
    while (next_entry(buf, &at, out)) {
        if (remora_slice_equal(name_of(buf, out), name)) {
            return true;
        }
    }
    return false;
}

static void take_out(struct remora_buf *buf, const struct further_entry *entry)
{
    size_t behind = entry->at + entry->bytes;
    memmove(buf->data + entry->at, buf->data + behind, buf->length - behind);
    buf->length -= entry->bytes;
}

/* Of valid JSON. */
static bool is_too_deep(struct remora_slice json)
{
    size_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < json.length; i++) {
        char c = json.data[i];
        if (in_text) {
            i += c == '\\' ? 1 : 0;
            in_text = c != '"';
            continue;
        }
        in_text = c == '"';
        depth += c == '{' || c == '[' ? 1 : 0;
        depth -= c == '}' || c == ']' ? 1 : 0;
        if (depth >= REMORA_LIMIT_FURTHER_DEPTH) {
            return true;
        }
    }
    return false;
}

static void append(struct remora_buf *buf, struct remora_slice name, struct remora_slice value)
{
    const struct further_head head = {.name_bytes = (uint32_t)name.length,
                                      .value_bytes = (uint32_t)value.length};
    size_t bytes = sizeof head + name.length + value.length;
    if (remora_buf_reserve(buf, bytes) == NULL) { /* a failure is for good: what is kept stays */
        return;
    }
    remora_buf_append(buf, remora_slice((const char *)&head, sizeof head));
    remora_buf_append(buf, name);
    remora_buf_append(buf, value);
}

void further_keep(struct remora_exchange *x, const struct remora_event *event)
{
    struct remora_buf *buf = &x->run.further;
    struct remora_slice name = event->further.name;
    struct remora_slice value = event->further.value;
    struct further_entry old;
    bool is_known = x->keeps_further && find(buf, name, &old);
    if (!x->keeps_further || (is_known && remora_slice_equal(value_of(buf, &old), value))) {
        return;
    }
    if (is_known) {
        take_out(buf, &old);
    }
    const struct remora_provider *provider = x->run.endpoint->provider;
    size_t room = REMORA_LIMIT_FURTHER_BYTES - buf->length;
    bool fits = value.length < room && name.length < room - value.length &&
                sizeof(struct further_head) <= room - value.length - name.length;
    if (fits && !is_too_deep(value) && !remora_provider_echoes_secret(provider, value) &&
        !remora_provider_echoes_secret(provider, name)) {
        append(buf, name, value);
    }
}

/* ---- telling ---- */

static struct remora_slice usage_of(struct remora_exchange *x)
{
    struct further_entry entry;
    return find(&x->run.further, remora_slice(NULL, 0), &entry)
               ? remora_arena_copy(&x->scratch, value_of(&x->run.further, &entry))
               : remora_slice(NULL, 0);
}

/* As one object; empty without a member and without memory. */
static struct remora_slice object_of(struct remora_exchange *x)
{
    const struct remora_buf *buf = &x->run.further;
    struct further_entry entry;
    struct remora_buf out;
    size_t at = 0;
    size_t most =
        buf->length + 2; /* a head is longer than the colon and the comma that it becomes */
    char *memory = remora_arena_alloc(&x->scratch, most);
    if (memory == NULL) {
        return remora_slice(NULL, 0);
    }
    remora_buf_init_over(&out, memory, most);
    while (next_entry(buf, &at, &entry)) {
        if (entry.head.name_bytes > 0) {
            remora_buf_append_byte(&out, out.length == 0 ? '{' : ',');
            remora_buf_append(&out, name_of(buf, &entry));
            remora_buf_append_byte(&out, ':');
            remora_buf_append(&out, value_of(buf, &entry));
        }
    }
    if (out.length > 0) {
        remora_buf_append_byte(&out, '}');
    }
    return remora_buf_slice(&out);
}

void further_tell(struct remora_exchange *x)
{
    if (x->run.further.length > 0) {
        x->outcome.native_usage = usage_of(x);
        x->outcome.further = object_of(x);
    }
}
