/*
 * The JSON parser: one pass over the text that checks it and lays down the tape.
 *
 * Happy path: skip white space; a scalar becomes one node; an opening bracket becomes a node that is finished when its
 * closing bracket comes. There is no recursion and no stack: while a container is open, its node's `next` holds the
 * index of the container around it. A member is two nodes, key and value.
 * What is to be folded (json_fold.h) is laid down like the rest and taken back when its container closes.
 * Fails: anything that RFC 8259 does not derive, bytes in a string that are not UTF-8, a surrogate escape without its
 * partner (INVALID_REQUEST); depth, number of values, arena limit, text over 4 GiB (TOO_LARGE); no memory (SHEDDING).
 * Sources: RFC 8259 sections 2 to 8; RFC 3629 section 4.
 */
#include "remora/json.h"

#include "remora/json_fold.h"
#include "remora/text.h"

#include "scan.h"

#include <assert.h>

#define NO_CONTAINER UINT32_MAX

enum { FIRST_NODES_MOST = 1024, BYTES_PER_NODE_GUESS = 24, FIRST_NODES_LEAST = 16 };

struct parser {
    const char *text;
    const char *at;
    const char *end;
    struct remora_json_node *nodes;
    uint32_t count;
    uint32_t capacity;
    uint32_t container; /* innermost open one */
    uint32_t depth;
    uint32_t values;
    uint32_t nul_at; /* offset of an escaped NUL, 0: none yet */
    uint32_t
        fold_home; /* depth of the member that is open and holds what is to be folded, 0: none */
    const struct remora_json_fold *fold; /* NULL: nothing is folded */
    const struct remora_json_limits *limits;
    struct remora_arena *arena;
    enum remora_code code;
    const char *reason;
};

REMORA_COLD static bool fail_as(struct parser *p, enum remora_code code, const char *reason)
{
    p->code = code;
    p->reason = reason;
    return false;
}

static bool fail(struct parser *p, const char *reason)
{
    return fail_as(p, REMORA_INVALID_REQUEST, reason);
}

/* At p->at: the text is cut, or the byte there is wrong. */
static bool fail_here(struct parser *p, const char *reason)
{
    return fail(p, p->at == p->end ? "the JSON text ends too early" : reason);
}

static bool fail_for_memory(struct parser *p)
{
    if (p->arena->failed == REMORA_SHEDDING) {
        return fail_as(p, REMORA_SHEDDING, "no memory for the JSON text");
    }
    return fail_as(p, REMORA_TOO_LARGE, "the JSON text is too large");
}

static bool grow(struct parser *p)
{
    if (p->capacity > UINT32_MAX / 2) {
        return fail_as(p, REMORA_TOO_LARGE, "the JSON text is too large");
    }
    uint32_t capacity = p->capacity * 2;
    struct remora_json_node *nodes = remora_arena_resize(
        p->arena, p->nodes, p->capacity * sizeof *nodes, capacity * sizeof *nodes);
    if (nodes == NULL) {
        return fail_for_memory(p);
    }
    p->nodes = nodes;
    p->capacity = capacity;
    return true;
}

/* Lays down a node for the text from `from` (behind its quote, for strings) to `to`. */
static bool emit(struct parser *p, enum remora_json_type type, const char *from, const char *to,
                 bool escaped)
{
    if (p->count == p->capacity && !grow(p)) {
        return false;
    }
    p->nodes[p->count] = (struct remora_json_node){
        .offset = (uint32_t)(from - p->text),
        .length = (uint32_t)(to - from),
        .next = p->count + 1,
        .type = (uint8_t)type,
        .escaped = escaped,
    };
    p->count++;
    return true;
}

static inline void skip_blanks(struct parser *p)
{
    const char *at = p->at;
    /* One comparison tells that something else stands there, as nearly always. */
    while (at < p->end && (unsigned char)*at <= ' ' &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    p->at = at;
}

/* Four hex digits at p->at; the cursor moves behind them. */
static bool read_hex4(struct parser *p, unsigned *out)
{
    unsigned value = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned char c = p->at < p->end ? (unsigned char)*p->at : 0;
        unsigned letter = (c | 0x20U) - 'a';
        if (c >= '0' && c <= '9') {
            value = value << 4 | (c - (unsigned)'0');
        } else if (letter < 6) {
            value = value << 4 | (letter + 10);
        } else {
            return fail_here(p, "\\u needs four hex digits");
        }
        p->at++;
    }
    *out = value;
    return true;
}

/* Behind "\u". */
static bool read_unicode(struct parser *p)
{
    unsigned unit;
    if (!read_hex4(p, &unit)) {
        return false;
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        p->nul_at = unit == 0 ? (uint32_t)(p->at - p->text) - 1 : p->nul_at;
        return true;
    }
    if (unit > 0xDBFF || p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u') {
        return fail_here(p, "a surrogate escape stands alone");
    }
    p->at += 2;
    if (!read_hex4(p, &unit)) {
        return false;
    }
    if (unit < 0xDC00 || unit > 0xDFFF) {
        return fail(p, "a surrogate escape stands alone");
    }
    return true;
}

/* At a backslash. */
static bool read_escape(struct parser *p)
{
    p->at++;
    if (p->at == p->end) {
        return fail_here(p, "");
    }
    switch (*p->at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        p->at++;
        return true;
    case 'u':
        p->at++;
        return read_unicode(p);
    default:
        return fail(p, "no such escape in a string");
    }
}

/* Behind the opening quote; the cursor stops at the closing one. */
static bool check_string(struct parser *p, bool *escaped)
{
    const char *from = p->at;
    bool high = false;
    for (;;) {
        p->at = json_scan(p->at, p->end, &high);
        if (p->at == p->end || (unsigned char)*p->at < 0x20) {
            return fail_here(p, "a control character in a string must be escaped");
        }
        if (*p->at == '"') {
            break;
        }
        *escaped = true;
        if (!read_escape(p)) {
            return false;
        }
    }
    if (high && !remora_utf8_is_valid(remora_slice(from, (size_t)(p->at - from)))) {
        p->at = from;
        return fail(p, "a string is not UTF-8");
    }
    return true;
}

/* At the opening quote. */
static bool read_string(struct parser *p)
{
    const char *from = ++p->at;
    const char *stop = json_scan_word(from, p->end);
    if (stop != NULL) {
        p->at = stop + 1;
        return emit(p, REMORA_JSON_STRING, from, stop, false);
    }
    bool escaped = false;
    return check_string(p, &escaped) && emit(p, REMORA_JSON_STRING, from, p->at++, escaped);
}

bool remora_json_scan_string(struct remora_slice text, struct remora_slice *raw, bool *escaped)
{
    struct parser p = {.text = text.data, .at = text.data, .end = text.data + text.length};
    bool has_escape = false;
    if (text.length == 0 || !check_string(&p, &has_escape)) {
        return false;
    }
    *raw = remora_slice(text.data, (size_t)(p.at - text.data));
    *escaped = has_escape;
    return true;
}

static inline bool is_digit(const struct parser *p, const char *at)
{
    return at < p->end && (unsigned char)(*at - '0') <= 9;
}

static bool read_digits(struct parser *p)
{
    if (!is_digit(p, p->at)) {
        return fail_here(p, "a number lacks a digit");
    }
    while (is_digit(p, p->at)) {
        p->at++;
    }
    return true;
}

static bool read_number(struct parser *p)
{
    const char *from = p->at;
    if (*p->at == '-') {
        p->at++;
    }
    if (p->at < p->end && *p->at == '0') {
        p->at++;
        if (is_digit(p, p->at)) {
            return fail(p, "a number begins with a superfluous 0");
        }
    } else if (!read_digits(p)) {
        return false;
    }
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        if (!read_digits(p)) {
            return false;
        }
    }
    if (p->at < p->end && (*p->at | 0x20) == 'e') {
        p->at++;
        if (p->at < p->end && (*p->at == '+' || *p->at == '-')) {
            p->at++;
        }
        if (!read_digits(p)) {
            return false;
        }
    }
    return emit(p, REMORA_JSON_NUMBER, from, p->at, false);
}

static bool read_word(struct parser *p, const char *word, size_t length, enum remora_json_type type)
{
    const char *from = p->at;
    for (size_t i = 0; i < length; i++, p->at++) {
        if (p->at == p->end || *p->at != word[i]) {
            return fail_here(p, "no such literal in JSON");
        }
    }
    return emit(p, type, from, p->at, false);
}

/* The container at `index` is open. In an object the node before a value is its key. */
static void find_fold(struct parser *p, uint32_t index)
{
    const struct remora_json_node *key = &p->nodes[index - 1];
    uint32_t around = p->nodes[index].next;
    bool is_member = around != NO_CONTAINER && p->nodes[around].type == REMORA_JSON_OBJECT;
    if (p->fold_home == 0 && is_member &&
        remora_slice_equal(remora_slice(p->text + key->offset, key->length), p->fold->member)) {
        p->fold_home = p->depth;
    }
}

/* The container just closed was that deep: its nodes are taken back, or what it stood in is over. */
static void apply_fold(struct parser *p, struct remora_json_node *node, uint32_t depth)
{
    if (p->fold_home != 0 && depth >= p->fold_home + p->fold->levels) {
        p->values -= node->count;
        p->count = (uint32_t)(node - p->nodes) + 1;
        node->count = 0;
    } else if (depth == p->fold_home) {
        p->fold_home = 0;
    }
}

static bool open_container(struct parser *p, enum remora_json_type type)
{
    if (p->depth == p->limits->depth) {
        return fail_as(p, REMORA_TOO_LARGE, "the JSON text is nested too deeply");
    }
    uint32_t index = p->count;
    if (!emit(p, type, p->at, p->at, false)) {
        return false;
    }
    p->nodes[index].next = p->container;
    p->container = index;
    p->depth++;
    p->at++;
    if (p->fold != NULL) {
        find_fold(p, index);
    }
    return true;
}

/* At the closing bracket. */
static void close_container(struct parser *p)
{
    struct remora_json_node *node = &p->nodes[p->container];
    p->at++;
    p->container = node->next;
    if (p->fold != NULL) {
        apply_fold(p, node, p->depth);
    }
    p->depth--;
    node->next = p->count;
    node->length = (uint32_t)(p->at - p->text) - node->offset;
}

/* A scalar, or the opening of a container. */
static bool read_value(struct parser *p)
{
    skip_blanks(p);
    if (p->at == p->end) {
        return fail_here(p, "");
    }
    if (p->values == p->limits->nodes) {
        return fail_as(p, REMORA_TOO_LARGE, "the JSON text has too many values");
    }
    p->values++;
    switch (*p->at) {
    case '"':
        return read_string(p);
    case '{':
        return open_container(p, REMORA_JSON_OBJECT);
    case '[':
        return open_container(p, REMORA_JSON_ARRAY);
    case 't':
        return read_word(p, "true", 4, REMORA_JSON_BOOL);
    case 'f':
        return read_word(p, "false", 5, REMORA_JSON_BOOL);
    case 'n':
        return read_word(p, "null", 4, REMORA_JSON_NULL);
    default:
        if (*p->at == '-' || is_digit(p, p->at)) {
            return read_number(p);
        }
        return fail(p, "a JSON value was expected");
    }
}

/* A key and its colon. Counts the member. */
static bool read_key(struct parser *p)
{
    skip_blanks(p);
    if (p->at == p->end || *p->at != '"') {
        return fail_here(p, "a member name in quotes was expected");
    }
    p->nodes[p->container].count++;
    if (!read_string(p)) {
        return false;
    }
    skip_blanks(p);
    if (p->at == p->end || *p->at != ':') {
        return fail_here(p, "a colon was expected");
    }
    p->at++;
    return true;
}

/* Before the first value of the container just opened. *more is false when it is empty, and then it is closed. */
static bool enter_container(struct parser *p, bool *more)
{
    struct remora_json_node *node = &p->nodes[p->container];
    skip_blanks(p);
    bool is_object = node->type == REMORA_JSON_OBJECT;
    *more = p->at == p->end || *p->at != (is_object ? '}' : ']');
    if (!*more) {
        close_container(p);
        return true;
    }
    if (is_object) {
        return read_key(p);
    }
    node->count = 1;
    return true;
}

/* Behind a value: closes what is closed here. *more is true when another value follows. */
static bool leave_value(struct parser *p, bool *more)
{
    *more = false;
    while (p->container != NO_CONTAINER) {
        struct remora_json_node *node = &p->nodes[p->container];
        bool is_object = node->type == REMORA_JSON_OBJECT;
        skip_blanks(p);
        if (p->at < p->end && *p->at == ',') {
            p->at++;
            *more = true;
            if (is_object) {
                return read_key(p);
            }
            node->count++;
            return true;
        }
        if (p->at == p->end || *p->at != (is_object ? '}' : ']')) {
            return fail_here(p,
                             is_object ? "a comma or } was expected" : "a comma or ] was expected");
        }
        close_container(p);
    }
    return true;
}

static bool read_text(struct parser *p)
{
    bool more = true;
    while (more) {
        uint32_t around = p->container;
        if (!read_value(p)) {
            return false;
        }
        more = false;
        if (p->container != around && !enter_container(p, &more)) {
            return false;
        }
        if (!more && !leave_value(p, &more)) {
            return false;
        }
    }
    skip_blanks(p);
    return p->at == p->end ? true : fail(p, "something follows the JSON value");
}

static bool begin(struct parser *p, size_t length)
{
    if (length >= UINT32_MAX) {
        return fail_as(p, REMORA_TOO_LARGE, "the JSON text is too large");
    }
    size_t nodes = length / BYTES_PER_NODE_GUESS + FIRST_NODES_LEAST;
    nodes = nodes > FIRST_NODES_MOST ? FIRST_NODES_MOST : nodes;
    p->nodes = remora_arena_array(p->arena, nodes, sizeof *p->nodes);
    if (p->nodes == NULL) {
        return fail_for_memory(p);
    }
    p->capacity = (uint32_t)nodes;
    return true;
}

static void shrink(struct parser *p)
{
    struct remora_json_node *nodes = remora_arena_resize(
        p->arena, p->nodes, p->capacity * sizeof *nodes, p->count * sizeof *nodes);
    assert(nodes != NULL);
    p->nodes = nodes;
}

enum remora_code remora_json_parse_folded(struct remora_slice text, struct remora_arena *arena,
                                          const struct remora_json_limits *limits,
                                          const struct remora_json_fold *fold,
                                          struct remora_json_doc *out,
                                          struct remora_json_error *error)
{
    const char *data = text.data == NULL ? "" : text.data;
    struct parser p = {
        .text = data,
        .at = data,
        .end = data + text.length,
        .container = NO_CONTAINER,
        .fold = fold,
        .limits = limits,
        .arena = arena,
    };
    if (!begin(&p, text.length) || !read_text(&p)) {
        if (error != NULL) {
            *error = (struct remora_json_error){(size_t)(p.at - p.text), p.reason};
        }
        return p.code;
    }
    shrink(&p);
    *out = (struct remora_json_doc){
        .text = data, .nodes = p.nodes, .node_count = p.count, .nul_at = p.nul_at};
    return REMORA_OK;
}

enum remora_code remora_json_parse(struct remora_slice text, struct remora_arena *arena,
                                   const struct remora_json_limits *limits,
                                   struct remora_json_doc *out, struct remora_json_error *error)
{
    return remora_json_parse_folded(text, arena, limits, NULL, out, error);
}
