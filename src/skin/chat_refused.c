/*
 * Fields by which a caller would choose a host or a credential (codes.md; reference/reliability.md N61 to N65): names of
 * tbl/refused_fields.h, behind those of tbl/refused_vendors.h, too, and whatever is named by the words of tbl/refused_words.h,
 * wherever the skin keeps what it does not know.
 */
#include "parse.h"

#include "remora/text.h"

enum refused_where { ANYWHERE, TOP };

/* Longer than any name that is refused. */
#define PLAIN_BYTES 64

/* The letters of a name, in lower case; empty when they are more than a refused name has. */
static struct remora_slice plain_name(struct remora_slice name, char out[PLAIN_BYTES])
{
    size_t length = 0;
    for (size_t at = 0; at < name.length;) {
        char c = remora_text_letter(name, &at);
        c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (c < 'a' || c > 'z') {
            continue;
        }
        if (length == PLAIN_BYTES) {
            return remora_slice(out, 0);
        }
        out[length++] = c;
    }
    return remora_slice(out, length);
}

static bool is_refused_name(struct remora_slice plain, bool is_top)
{
    static const struct {
        struct remora_slice name;
        enum refused_where where;
    } refused[] = {
#define REMORA_REFUSED_FIELD(text, where) {REMORA_SLICE_INIT(text), where},
#include "remora/tbl/refused_fields.h"
#undef REMORA_REFUSED_FIELD
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(refused); i++) {
        char bytes[PLAIN_BYTES];
        if ((is_top || refused[i].where == ANYWHERE) &&
            remora_slice_equal(plain_name(refused[i].name, bytes), plain)) {
            return true;
        }
    }
    return false;
}

static bool chooses_host_or_credential(struct remora_slice name, bool is_top)
{
    static const struct remora_slice vendors[] = {
#define REMORA_REFUSED_VENDOR(text) REMORA_SLICE_INIT(text),
#include "remora/tbl/refused_vendors.h"
#undef REMORA_REFUSED_VENDOR
    };
    char bytes[PLAIN_BYTES];
    struct remora_slice plain = plain_name(name, bytes);
    if (is_refused_name(plain, is_top)) {
        return true;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(vendors); i++) {
        char prefix_bytes[PLAIN_BYTES];
        struct remora_slice prefix = plain_name(vendors[i], prefix_bytes);
        if (remora_slice_starts_with(plain, prefix) &&
            is_refused_name(remora_slice(plain.data + prefix.length, plain.length - prefix.length),
                            true)) {
            return true;
        }
    }
    return false;
}

/* Members of a JSON Schema whose own members are named by the caller (JSON Schema 2020-12, Core section 10.3.2, 8.2.4). */
static bool is_schema_of(struct remora_slice parent, struct remora_json value)
{
    static const char *const keys[] = {"properties", "patternProperties", "$defs", "definitions"};
    for (size_t i = 0; i < REMORA_COUNT_OF(keys); i++) {
        if (remora_slice_is(parent, keys[i])) {
            return remora_json_is(value, REMORA_JSON_OBJECT);
        }
    }
    return false;
}

/* A number or a flag is no address and no secret. */
static bool may_choose(struct remora_json value)
{
    enum remora_json_type type = remora_json_type(value);
    return type == REMORA_JSON_STRING || type == REMORA_JSON_ARRAY || type == REMORA_JSON_OBJECT;
}

/* Members of these are named by the caller's data, not by its wishes (tbl/refused_words.h). */
static bool is_data(struct remora_slice name)
{
    static const struct remora_slice names[] = {
#define REMORA_HARMLESS_INSIDE(text) REMORA_SLICE_INIT(text),
#include "remora/tbl/refused_words.h"
#undef REMORA_HARMLESS_INSIDE
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Where a value stands: its name, that of the object that holds it, and the nearest name around it, lists left out. */
struct place {
    struct remora_slice key;
    struct remora_slice parent;
    struct remora_slice around;
    bool is_top;
    bool is_data;
};

static bool chooses(struct place at, struct remora_json value)
{
    bool is_named =
        chooses_host_or_credential(at.key, at.is_top) ||
        (!at.is_data && may_choose(value) && chat_words_choose(at.key, at.around, at.is_top));
    return is_named && !is_schema_of(at.parent, value);
}

/* The value at the current path, and all that it holds (as deep as the parser let it be). */
static enum remora_code refuse_choices(struct parse *p, struct place at, struct remora_json value)
{
    if (chooses(at, value)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "would choose a host or a credential, which only the gateway's "
                            "configuration may; remove it.");
    }
    /* Clients put further fields of the request there. */
    bool wraps = at.is_top && remora_slice_equal(at.key, REMORA_SLICE("extra_body"));
    struct place inner = {
        .parent = at.key,
        .around = at.key.length > 0 ? at.key : at.around,
        .is_top = wraps,
        .is_data = at.is_data || is_data(at.key),
    };
    struct remora_json_iter it;
    enum remora_code code = REMORA_OK;
    for (remora_json_iter_begin(&it, value); code == REMORA_OK && remora_json_iter_next(&it);) {
        inner.key = REMORA_SLICE("");
        if (it.is_object && !remora_json_string(it.key, p->arena, &inner.key)) {
            return parse_no_room(p);
        }
        size_t mark = it.is_object ? parse_enter(p, inner.key) : parse_enter_index(p, it.index);
        code = refuse_choices(p, inner, it.value);
        parse_leave(p, mark);
    }
    return code;
}

enum remora_code chat_refuse_choices(struct parse *p, struct remora_json value)
{
    return refuse_choices(p, (struct place){.around = p->key}, value);
}

enum remora_code chat_refuse_choice(struct parse *p, struct remora_json value)
{
    return refuse_choices(p, (struct place){.key = p->key, .is_top = true}, value);
}
