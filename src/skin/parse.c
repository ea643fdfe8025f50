/*
 * The table reader and the plain readers. Happy path of a text: it is JSON, and nothing in it is doubtful (a key twice,
 * ...). Of an object: it is one, each member finds its row, the row's reader fills the target. Fails with INVALID_REQUEST (type, range, unknown member), UNIMPLEMENTED (documented, not
 * built) or what the arena says.
 */
#include "parse.h"

#include <stdarg.h>
#include <stdio.h>

#include "remora/limits.h"
#include "remora/text.h"

enum remora_code parse_refuse(struct parse *p, enum remora_code code, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return remora_fail_set(p->fail, code, p->path, "%s%s%s",
                           p->path_length == 0 ? "The request body" : p->path, " ", text);
}

enum remora_code parse_no_room(struct parse *p)
{
    enum remora_code code = p->arena->failed == REMORA_OK ? REMORA_TOO_LARGE : p->arena->failed;
    return remora_fail_set(p->fail, code, NULL, "%s",
                           code == REMORA_TOO_LARGE ? "The request takes too much memory to read."
                                                    : "The gateway is out of memory; try again.");
}

static void path_append(struct parse *p, struct remora_slice text)
{
    size_t room = sizeof p->path - 1;
    size_t at = p->path_length < room ? p->path_length : room;
    size_t length = text.length < room - at ? text.length : room - at;
    if (length < text.length) {
        length = remora_utf8_cut(text, length);
    }
    if (length > 0) {
        memcpy(p->path + at, text.data, length);
    }
    p->path[at + length] = '\0';
    p->path_length = at + length;
}

size_t parse_enter(struct parse *p, struct remora_slice key)
{
    size_t mark = p->path_length;
    if (mark > 0) {
        path_append(p, REMORA_SLICE("."));
    }
    path_append(p, key);
    return mark;
}

size_t parse_enter_index(struct parse *p, uint32_t index)
{
    size_t mark = p->path_length;
    char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    path_append(p, REMORA_SLICE("["));
    path_append(p, remora_slice(digits + at, sizeof digits - at));
    path_append(p, REMORA_SLICE("]"));
    return mark;
}

void parse_leave(struct parse *p, size_t mark)
{
    p->path_length = mark;
    p->path[mark] = '\0';
}

/* Down to the member or element that is `node`, or whose name it is, or that holds it: one step. False: there is none. */
static bool enter_towards(struct parse *p, struct remora_json *value, uint32_t node)
{
    struct remora_json_iter it;
    for (remora_json_iter_begin(&it, *value); remora_json_iter_next(&it);) {
        struct remora_slice name = {NULL, 0};
        if (node >= remora_json_node_of(it.value)->next) {
            continue;
        }
        if (!it.is_object) {
            parse_enter_index(p, it.index);
        } else if (remora_json_string(it.key, p->arena, &name)) {
            parse_enter(p, name);
        }
        *value = it.value;
        return node > it.value.node;
    }
    return false;
}

static enum remora_code refuse_doubt(struct parse *p, struct remora_json where, const char *reason)
{
    struct remora_json value = remora_json_root(where.doc);
    while (enter_towards(p, &value, where.node)) {
    }
    return parse_refuse(p, REMORA_INVALID_REQUEST, "is not taken: %s.", reason);
}

enum remora_code parse_document(struct parse *p, struct remora_slice text,
                                struct remora_json_doc *doc)
{
    static const struct remora_json_limits limits = {.depth = REMORA_LIMIT_JSON_DEPTH,
                                                     .nodes = REMORA_LIMIT_JSON_NODES};
    struct remora_json_error error = {0};
    struct remora_json where;
    enum remora_code code = remora_json_parse(text, p->arena, &limits, doc, &error);
    if (code != REMORA_OK) {
        return parse_refuse(p, code, "is not taken: %s at byte %zu.",
                            error.reason == NULL ? "it is too large" : error.reason, error.offset);
    }
    const char *reason = remora_json_doubt(doc, p->arena, &where);
    if (reason != NULL) {
        return refuse_doubt(p, where, reason);
    }
    return p->arena->failed == REMORA_OK ? REMORA_OK : parse_no_room(p);
}

static const struct parse_field *find_field(const struct parse_table *table,
                                            struct remora_slice key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (remora_slice_equal(table->fields[i].name, key)) {
            return &table->fields[i];
        }
    }
    return NULL;
}

/* The row that a reader which tells no capitals from small letters would take the key for. */
static const struct parse_field *alike_field(const struct parse_table *table,
                                             struct remora_slice key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (remora_names_alike(key, table->fields[i].name)) {
            return &table->fields[i];
        }
    }
    return NULL;
}

enum remora_code parse_refuse_spelling(struct parse *p, struct remora_slice right)
{
    return parse_refuse(p, REMORA_INVALID_REQUEST,
                        "is spelt \"%.*s\"; send it so, because some servers take both for one.",
                        REMORA_SLICE_ARG(right));
}

/* The row whose name is nearest to a misspelt key, when it is near at all. */
static const struct parse_field *nearest_field(const struct parse_table *table,
                                               struct remora_slice key)
{
    const struct parse_field *best = NULL;
    unsigned best_distance = 3;
    for (size_t i = 0; i < table->count; i++) {
        unsigned distance = remora_edit_distance(table->fields[i].name, key, 2);
        if (distance < best_distance) {
            best_distance = distance;
            best = &table->fields[i];
        }
    }
    return best;
}

static enum remora_code refuse_unknown(struct parse *p, const struct parse_table *table,
                                       struct remora_slice key)
{
    const struct parse_field *near = nearest_field(table, key);
    if (near == NULL) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "is not a known field; remove it.");
    }
    return parse_refuse(p, REMORA_INVALID_REQUEST, "is not a known field; did you mean \"%.*s\"?",
                        REMORA_SLICE_ARG(near->name));
}

/* An empty list asks for nothing of a list that is not built; elsewhere it is a wrong value. */
static bool is_nothing(const struct parse_field *row, struct remora_json value)
{
    return row->is_list && remora_json_is(value, REMORA_JSON_ARRAY) &&
           remora_json_count(value) == 0;
}

static enum remora_code refuse_unbuilt(struct parse *p, const struct parse_field *row)
{
    static const char why[] = "is documented, but this gateway does not support it yet";
    return row->instead == NULL
               ? parse_refuse(p, REMORA_UNIMPLEMENTED, "%s; remove it.", why)
               : parse_refuse(p, REMORA_UNIMPLEMENTED, "%s; send %s instead.", why, row->instead);
}

static enum remora_code read_row(struct parse *p, const struct parse_field *row,
                                 struct remora_json value, void *target)
{
    if (remora_json_is_null(value) && row->null == PARSE_NULL_IS_ABSENT) {
        return REMORA_OK;
    }
    if (row->read == NULL) {
        return is_nothing(row, value) ? REMORA_OK : refuse_unbuilt(p, row);
    }
    p->is_neutral = false;
    p->range = row->range;
    enum remora_code code = row->read(p, value, (char *)target + row->offset);
    if (code == REMORA_OK && row->asks != PARSE_ASKS_NOTHING && !p->is_neutral) {
        remora_request_ask(p->request, row->asks);
    }
    p->is_neutral = false;
    return code;
}

enum remora_code parse_member(struct parse *p, const struct parse_table *table,
                              struct remora_json value, void *target)
{
    const struct parse_field *row = find_field(table, p->key);
    if (row != NULL) {
        return read_row(p, row, value, target);
    }
    row = alike_field(table, p->key);
    if (row != NULL) {
        return parse_refuse_spelling(p, row->name);
    }
    if (table->unknown != NULL) {
        return table->unknown(p, value, target);
    }
    return refuse_unknown(p, table, p->key);
}

static enum remora_code read_member(struct parse *p, const struct parse_table *table,
                                    const struct remora_json_iter *it, void *target)
{
    struct remora_slice key;
    if (!remora_json_string(it->key, p->arena, &key)) {
        return parse_no_room(p);
    }
    size_t mark = parse_enter(p, key);
    p->key = key;
    enum remora_code code = parse_member(p, table, it->value, target);
    parse_leave(p, mark);
    return code;
}

enum remora_code parse_object(struct parse *p, struct remora_json value,
                              const struct parse_table *table, void *target)
{
    if (!remora_json_is(value, REMORA_JSON_OBJECT)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be an object.");
    }
    struct remora_json_iter it;
    for (remora_json_iter_begin(&it, value); remora_json_iter_next(&it);) {
        enum remora_code code = read_member(p, table, &it, target);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

static enum remora_code check_spelt(struct parse *p, struct remora_slice key,
                                    const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct remora_slice name = remora_slice_of(names[i]);
        if (remora_names_alike(key, name) && !remora_slice_equal(key, name)) {
            size_t mark = parse_enter(p, key);
            enum remora_code code = parse_refuse_spelling(p, name);
            parse_leave(p, mark);
            return code;
        }
    }
    return REMORA_OK;
}

enum remora_code parse_check_spelling(struct parse *p, struct remora_json object,
                                      const char *const *names, size_t count)
{
    struct remora_json_iter it;
    enum remora_code code = REMORA_OK;
    if (!remora_json_is(object, REMORA_JSON_OBJECT)) {
        return REMORA_OK;
    }
    for (remora_json_iter_begin(&it, object); code == REMORA_OK && remora_json_iter_next(&it);) {
        struct remora_slice key;
        if (!remora_json_string(it.key, p->arena, &key)) {
            return parse_no_room(p);
        }
        code = check_spelt(p, key, names, count);
    }
    return code;
}

enum remora_code parse_array(struct parse *p, struct remora_json value, size_t bytes, parse_fn read,
                             struct parse_list *out)
{
    if (!remora_json_is(value, REMORA_JSON_ARRAY)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be an array.");
    }
    size_t count = remora_json_count(value);
    char *items = remora_arena_array(p->arena, count == 0 ? 1 : count, bytes);
    if (items == NULL) {
        return parse_no_room(p);
    }
    struct remora_json_iter it;
    uint32_t at = 0;
    for (remora_json_iter_begin(&it, value); remora_json_iter_next(&it); at++) {
        size_t mark = parse_enter_index(p, at);
        enum remora_code code = read(p, it.value, items + at * bytes);
        parse_leave(p, mark);
        if (code != REMORA_OK) {
            return code;
        }
    }
    *out = (struct parse_list){items, count};
    return REMORA_OK;
}

enum remora_code parse_slice(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice text;
    if (!remora_json_is(value, REMORA_JSON_STRING)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be a string.");
    }
    if (!remora_json_string(value, p->arena, &text)) {
        return parse_no_room(p);
    }
    *(struct remora_slice *)target = text;
    return REMORA_OK;
}

static bool has_control(struct remora_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}

enum remora_code parse_id(struct parse *p, struct remora_json value, void *target)
{
    struct remora_slice text;
    enum remora_code code = parse_slice(p, value, &text);
    if (code != REMORA_OK) {
        return code;
    }
    if (text.length > REMORA_LIMIT_ID_BYTES) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be at most %d bytes.",
                            (int)REMORA_LIMIT_ID_BYTES);
    }
    if (has_control(text)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must not hold control characters.");
    }
    p->is_neutral = text.length == 0;
    *(struct remora_slice *)target = text;
    return REMORA_OK;
}

enum remora_code parse_checked(struct parse *p, struct remora_json value, parse_check_fn check,
                               struct remora_slice *out)
{
    struct remora_slice text;
    enum remora_code code = parse_slice(p, value, &text);
    if (code != REMORA_OK) {
        return code;
    }
    const char *why = check(text);
    if (why != NULL) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "%s", why);
    }
    *out = text;
    return REMORA_OK;
}

enum remora_code parse_bool(struct parse *p, struct remora_json value, void *target)
{
    if (!remora_json_bool(value, target)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be true or false.");
    }
    return REMORA_OK;
}

enum remora_code parse_ignored_bool(struct parse *p, struct remora_json value, void *target)
{
    (void)target;
    bool ignored = false;
    return parse_bool(p, value, &ignored);
}

enum remora_code parse_tristate(struct parse *p, struct remora_json value, void *target)
{
    bool is_true = false;
    enum remora_code code = parse_bool(p, value, &is_true);
    if (code == REMORA_OK) {
        *(enum remora_tristate *)target = is_true ? REMORA_YES : REMORA_NO;
    }
    return code;
}

enum remora_code parse_raw_object(struct parse *p, struct remora_json value, void *target)
{
    if (!remora_json_is(value, REMORA_JSON_OBJECT)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be an object.");
    }
    *(struct remora_slice *)target = remora_json_raw(value);
    return REMORA_OK;
}

enum remora_code parse_slices(struct parse *p, struct remora_json value, void *target)
{
    struct parse_list list;
    enum remora_code code = parse_array(p, value, sizeof(struct remora_slice), parse_slice, &list);
    if (code == REMORA_OK) {
        *(struct remora_slices *)target =
            (struct remora_slices){.items = list.items, .count = list.count, .is_set = true};
    }
    return code;
}

enum remora_code parse_integer(struct parse *p, struct remora_json value, int64_t least,
                               int64_t most, int64_t *out)
{
    int64_t number = 0;
    if (!remora_json_is(value, REMORA_JSON_NUMBER) || !remora_json_int64(value, &number) ||
        number < least || number > most) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be an integer from %lld to %lld.",
                            (long long)least, (long long)most);
    }
    *out = number;
    return REMORA_OK;
}

enum remora_code parse_number(struct parse *p, struct remora_json value,
                              const struct parse_range *range, double *out)
{
    double number = 0;
    bool fits = remora_json_is(value, REMORA_JSON_NUMBER) && remora_json_double(value, &number) &&
                number <= range->most &&
                (range->above_least ? number > range->least : number >= range->least);
    if (!fits) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be a number %s %g and at most %g.",
                            range->above_least ? "above" : "of at least", range->least,
                            range->most);
    }
    *out = number;
    return REMORA_OK;
}

enum remora_code parse_opt_f64(struct parse *p, struct remora_json value, void *target)
{
    struct remora_opt_f64 *out = target;
    enum remora_code code = parse_number(p, value, p->range, &out->value);
    out->is_set = code == REMORA_OK;
    return code;
}

enum remora_code parse_opt_i64(struct parse *p, struct remora_json value, void *target)
{
    struct remora_opt_i64 *out = target;
    enum remora_code code =
        parse_integer(p, value, (int64_t)p->range->least, (int64_t)p->range->most, &out->value);
    out->is_set = code == REMORA_OK;
    return code;
}

/* "must be one of a, b, c." */
static enum remora_code refuse_word(struct parse *p, const char *const *words, size_t count)
{
    char listed[200] = "";
    size_t at = 0;
    for (size_t i = 0; i < count && at < sizeof listed; i++) {
        int length =
            snprintf(listed + at, sizeof listed - at, "%s%s", i == 0 ? "" : ", ", words[i]);
        at += length < 0 ? 0 : (size_t)length;
    }
    return parse_refuse(p, REMORA_INVALID_REQUEST, "must be one of %s.", listed);
}

enum remora_code parse_word(struct parse *p, struct remora_json value, const char *const *words,
                            size_t count, size_t *out)
{
    if (remora_json_is(value, REMORA_JSON_STRING)) {
        for (size_t i = 0; i < count; i++) {
            if (remora_json_equals(value, words[i])) {
                *out = i;
                return REMORA_OK;
            }
        }
    }
    return refuse_word(p, words, count);
}

enum remora_code parse_word_slice(struct parse *p, struct remora_json value,
                                  const char *const *words, size_t count, void *target)
{
    size_t index = 0;
    enum remora_code code = parse_word(p, value, words, count, &index);
    if (code == REMORA_OK) {
        *(struct remora_slice *)target = remora_slice_of(words[index]);
    }
    return code;
}
