/*
 * What an answer says and nothing here has a field for: members of its object that no adapter reads, and the provider's own
 * report of usage. Kept while the answer comes, each name as it was said last, and handed over with `completed`; only where the
 * front asked (wants_further).
 *
 * Left out: a value that holds a secret of the provider's, however JSON spells it, that is nested deeper than a client could read,
 * or that finds no room (REMORA_LIMIT_FURTHER_BYTES and _NAMES; never an error: the answer is whole without it).
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

/* An answer may have a million members, and each looks for its like. */
static bool has_room_for_name(const struct remora_buf *buf)
{
    struct further_entry entry;
    size_t at = 0;
    size_t count = 0;
    while (next_entry(buf, &at, &entry)) {
        count += entry.head.name_bytes > 0 ? 1 : 0;
    }
    return count < REMORA_LIMIT_FURTHER_NAMES;
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

static unsigned hex_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* Of valid JSON: ASCII that is escaped (\/, \u002d) as it is meant, all else as it stands. Empty without memory. */
static struct remora_slice unescaped(struct remora_arena *arena, struct remora_slice json)
{
    char *out = remora_arena_alloc(arena, json.length);
    size_t length = 0;
    for (size_t i = 0; out != NULL && i < json.length; i++) {
        const char *c = json.data + i;
        bool is_escape = *c == '\\';
        bool is_ascii = is_escape && c[1] == 'u' && c[2] == '0' && c[3] == '0' && c[4] < '8';
        if (is_ascii) {
            out[length++] = (char)(hex_value(c[4]) << 4 | hex_value(c[5]));
        } else {
            out[length++] = is_escape ? c[1] : *c;
        }
        i += is_ascii ? 5 : is_escape;
    }
    return remora_slice(out, length);
}

static bool holds_secret(struct remora_exchange *x, struct remora_slice json)
{
    const struct remora_provider *provider = x->run.endpoint->provider;
    bool is_plain = memchr(json.data, '\\', json.length) == NULL;
    struct remora_slice meant = is_plain ? json : unescaped(&x->scratch, json);
    return meant.length == 0 || remora_provider_echoes_secret(provider, meant);
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
    size_t room = REMORA_LIMIT_FURTHER_BYTES - buf->length;
    bool fits = value.length < room && name.length < room - value.length &&
                sizeof(struct further_head) <= room - value.length - name.length;
    bool may_stand =
        fits && (name.length == 0 || (has_room_for_name(buf) && !holds_secret(x, name)));
    if (may_stand && !is_too_deep(value) && !holds_secret(x, value)) {
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
