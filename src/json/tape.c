/* Walking the tape: members, elements, strings, duplicates. Nothing here can meet bad text: the parser has seen it all. */
#include "remora/json.h"

#include "escape.h"

static const struct remora_json absent = {NULL, 0};

static struct remora_slice text_of(struct remora_json value)
{
    const struct remora_json_node *node = remora_json_node_of(value);
    return remora_slice(value.doc->text + node->offset, node->length);
}

struct remora_json remora_json_root(const struct remora_json_doc *doc)
{
    return (struct remora_json){doc, 0};
}

struct remora_slice remora_json_raw(struct remora_json value)
{
    if (value.doc == NULL) {
        return (struct remora_slice){0};
    }
    struct remora_slice text = text_of(value);
    if (remora_json_type(value) == REMORA_JSON_STRING) {
        return remora_slice(text.data - 1, text.length + 2);
    }
    return text;
}

void remora_json_iter_begin(struct remora_json_iter *it, struct remora_json container)
{
    bool is_object = remora_json_is(container, REMORA_JSON_OBJECT);
    *it = (struct remora_json_iter){
        .key = absent,
        .value = {container.doc, 0},
        .at = container.node + 1,
        .left = is_object || remora_json_is(container, REMORA_JSON_ARRAY)
                    ? remora_json_count(container)
                    : 0,
        .index = UINT32_MAX,
        .is_object = is_object,
    };
}

bool remora_json_iter_next(struct remora_json_iter *it)
{
    if (it->left == 0) {
        return false;
    }
    it->left--;
    it->index++;
    if (it->is_object) {
        it->key = (struct remora_json){it->value.doc, it->at++};
    }
    it->value.node = it->at;
    it->at = remora_json_node_of(it->value)->next;
    return true;
}

/* Whether the unescaped string equals `text`. */
static bool equals(struct remora_json string, struct remora_slice text)
{
    struct remora_slice raw = text_of(string);
    if (!remora_json_node_of(string)->escaped) {
        return remora_slice_equal(raw, text);
    }
    struct json_unescape u;
    json_unescape_begin(&u, raw);
    for (size_t i = 0; i < text.length; i++) {
        if (json_unescape_next(&u) != (unsigned char)text.data[i]) {
            return false;
        }
    }
    return json_unescape_next(&u) == -1;
}

struct remora_json remora_json_get(struct remora_json object, const char *key)
{
    struct remora_slice wanted = remora_slice_of(key);
    struct remora_json found = absent;
    if (!remora_json_is(object, REMORA_JSON_OBJECT)) {
        return absent;
    }
    struct remora_json_iter it;
    for (remora_json_iter_begin(&it, object); remora_json_iter_next(&it);) {
        if (equals(it.key, wanted)) {
            found = it.value;
        }
    }
    return found;
}

struct remora_json remora_json_at(struct remora_json array, uint32_t index)
{
    if (!remora_json_is(array, REMORA_JSON_ARRAY) || index >= remora_json_count(array)) {
        return absent;
    }
    struct remora_json_iter it;
    remora_json_iter_begin(&it, array);
    for (uint32_t i = 0; i <= index; i++) {
        remora_json_iter_next(&it);
    }
    return it.value;
}

bool remora_json_equals(struct remora_json string, const char *text)
{
    return remora_json_is(string, REMORA_JSON_STRING) && equals(string, remora_slice_of(text));
}

bool remora_json_unescape(struct remora_slice raw, bool escaped, struct remora_arena *arena,
                          struct remora_slice *out)
{
    if (!escaped) {
        *out = raw;
        return true;
    }
    char *copy = remora_arena_alloc(arena, raw.length + 1);
    if (copy == NULL) {
        *out = (struct remora_slice){0};
        return false;
    }
    *out = remora_slice(copy, json_unescape_all(raw, copy));
    return true;
}

bool remora_json_string(struct remora_json value, struct remora_arena *arena,
                        struct remora_slice *out)
{
    if (!remora_json_is(value, REMORA_JSON_STRING)) {
        return false;
    }
    return remora_json_unescape(text_of(value), remora_json_node_of(value)->escaped, arena, out);
}

bool remora_json_bool(struct remora_json value, bool *out)
{
    if (!remora_json_is(value, REMORA_JSON_BOOL)) {
        return false;
    }
    *out = text_of(value).data[0] == 't';
    return true;
}

/* Order of two unescaped keys, byte by byte. */
static int compare_keys(const struct remora_json_doc *doc, uint32_t a, uint32_t b)
{
    struct remora_json left = {doc, a};
    struct remora_json right = {doc, b};
    struct remora_slice x = text_of(left);
    struct remora_slice y = text_of(right);
    if (!remora_json_node_of(left)->escaped && !remora_json_node_of(right)->escaped) {
        return remora_slice_compare(x, y);
    }
    struct json_unescape u;
    struct json_unescape v;
    json_unescape_begin(&u, x);
    json_unescape_begin(&v, y);
    for (;;) {
        int p = json_unescape_next(&u);
        int q = json_unescape_next(&v);
        if (p != q || p == -1) {
            return p - q;
        }
    }
}

static bool is_same_key(const struct remora_json_doc *doc, uint32_t a, uint32_t b)
{
    const struct remora_json_node *x = &doc->nodes[a];
    const struct remora_json_node *y = &doc->nodes[b];
    if (!x->escaped && !y->escaped && x->length != y->length) {
        return false; /* as most are */
    }
    return compare_keys(doc, a, b) == 0;
}

static void sift_down(const struct remora_json_doc *doc, uint32_t *keys, size_t at, size_t count)
{
    uint32_t key = keys[at];
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && compare_keys(doc, keys[child], keys[child + 1]) < 0) {
            child++;
        }
        if (compare_keys(doc, keys[child], key) <= 0) {
            break;
        }
        keys[at] = keys[child];
        at = child;
    }
    keys[at] = key;
}

/* Heapsort: no hash that a caller could aim at, no worst case beyond n log n. */
static void sort_keys(const struct remora_json_doc *doc, uint32_t *keys, size_t count)
{
    for (size_t at = count / 2; at-- > 0;) {
        sift_down(doc, keys, at, count);
    }
    for (size_t last = count; last-- > 1;) {
        uint32_t largest = keys[0];
        keys[0] = keys[last];
        keys[last] = largest;
        sift_down(doc, keys, 0, last);
    }
}

enum { FEW_KEYS = 16 };

static struct remora_json duplicate_of_few(const struct remora_json_doc *doc, const uint32_t *keys,
                                           size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (is_same_key(doc, keys[i], keys[j])) {
                return (struct remora_json){doc, keys[i]};
            }
        }
    }
    return absent;
}

static struct remora_json duplicate_of_many(const struct remora_json_doc *doc, uint32_t *keys,
                                            size_t count)
{
    sort_keys(doc, keys, count);
    for (size_t i = 1; i < count; i++) {
        if (compare_keys(doc, keys[i - 1], keys[i]) == 0) {
            return (struct remora_json){doc, keys[i]};
        }
    }
    return absent;
}

struct remora_json remora_json_duplicate(struct remora_json object, struct remora_arena *arena)
{
    uint32_t few[FEW_KEYS];
    if (!remora_json_is(object, REMORA_JSON_OBJECT)) {
        return absent;
    }
    uint32_t count = remora_json_count(object);
    uint32_t *keys = few;
    if (count > FEW_KEYS) {
        keys = remora_arena_array(arena, count, sizeof *keys);
    }
    if (keys == NULL) {
        return absent;
    }
    struct remora_json_iter it;
    for (remora_json_iter_begin(&it, object); remora_json_iter_next(&it);) {
        keys[it.index] = it.key.node;
    }
    return count > FEW_KEYS ? duplicate_of_many(object.doc, keys, count)
                            : duplicate_of_few(object.doc, keys, count);
}
