/*
 * JSON: a strict reader that keeps raw slices, and a writer. RFC 8259; JSONTestSuite's y_ files are accepted, n_ files
 * refused. No tree is built: one validating pass (grammar, UTF-8, depth, number of values) lays down a flat tape of
 * nodes, and reading is walking it. What two readers may understand differently passes the parser; who reads for somebody
 * else refuses it (remora_json_doubt). Pure; a doc belongs to whoever owns its text and arena: any
 * thread may read it once parsed, a writer is one thread's.
 */
#ifndef REMORA_JSON_H
#define REMORA_JSON_H

#include "remora/base.h"
#include "remora/buf.h"
#include "remora/codes.h"
#include "remora/memory.h"

#include <assert.h>

enum remora_json_type {
    REMORA_JSON_NULL,
    REMORA_JSON_BOOL,
    REMORA_JSON_NUMBER,
    REMORA_JSON_STRING,
    REMORA_JSON_ARRAY,
    REMORA_JSON_OBJECT,
};

/* One value (or key) on the tape. */
struct remora_json_node {
    uint32_t offset; /* of the raw text; for strings: behind the opening quote */
    uint32_t length; /* of the raw text; for strings: without the quotes */
    uint32_t next;   /* index of the node after this value and all it holds */
    uint32_t count;  /* members or elements */
    uint8_t type;    /* enum remora_json_type */
    bool escaped;    /* string with at least one backslash */
};

struct remora_json_doc {
    const char *text;
    const struct remora_json_node *nodes; /* node 0 is the root */
    uint32_t node_count;
    uint32_t nul_at; /* offset of a NUL's escape (\u0000), 0: none */
};

/* A value: a place on a tape. Passed by copy; valid as long as text and arena. doc == NULL means absent. */
struct remora_json {
    const struct remora_json_doc *doc;
    uint32_t node;
};

struct remora_json_limits {
    uint32_t depth; /* containers inside each other */
    uint32_t nodes; /* values; member names are not counted */
};

struct remora_json_error {
    size_t offset;      /* byte where it went wrong */
    const char *reason; /* static text, fit for a caller */
};

/*
 * Parses exactly one value with optional white space around it; a BOM or anything behind it is an error. `text` is not
 * copied and must outlive the doc; nodes come from the arena. Codes: INVALID_REQUEST, TOO_LARGE (limits, arena, text
 * over 4 GiB), SHEDDING.
 */
REMORA_MUST_CHECK enum remora_code remora_json_parse(struct remora_slice text,
                                                     struct remora_arena *arena,
                                                     const struct remora_json_limits *limits,
                                                     struct remora_json_doc *out,
                                                     struct remora_json_error *error);

struct remora_json remora_json_root(const struct remora_json_doc *doc);
static inline bool remora_json_is_absent(struct remora_json value)
{
    return value.doc == NULL;
}
/* Value must not be absent. Here, as the next four, because readers ask hundreds of times per text. */
static inline const struct remora_json_node *remora_json_node_of(struct remora_json value)
{
    assert(value.doc != NULL && value.node < value.doc->node_count);
    return &value.doc->nodes[value.node];
}
static inline enum remora_json_type remora_json_type(struct remora_json value)
{
    return (enum remora_json_type)remora_json_node_of(value)->type;
}
/* True when present and of this type. */
static inline bool remora_json_is(struct remora_json value, enum remora_json_type type)
{
    return value.doc != NULL && remora_json_type(value) == type;
}
static inline bool remora_json_is_null(struct remora_json value) /* absent counts as null */
{
    return value.doc == NULL || remora_json_type(value) == REMORA_JSON_NULL;
}
static inline uint32_t remora_json_count(struct remora_json value)
{
    return value.doc == NULL ? 0 : remora_json_node_of(value)->count;
}
/* The value's own text, quotes included for strings. */
struct remora_slice remora_json_raw(struct remora_json value);

/* Walks members or elements. for (remora_json_iter_begin(&it, v); remora_json_iter_next(&it);) { it.key, it.value } */
struct remora_json_iter {
    struct remora_json key; /* absent in arrays */
    struct remora_json value;
    uint32_t at;
    uint32_t left;
    uint32_t index; /* of value */
    bool is_object;
};
/* Of anything but an array or object it walks nothing. */
void remora_json_iter_begin(struct remora_json_iter *it, struct remora_json container);
bool remora_json_iter_next(struct remora_json_iter *it);

/* The member of this name (the last, as every parser does), or absent; also when `object` is no object. */
struct remora_json remora_json_get(struct remora_json object, const char *key);
/* Element `index`, or absent. */
struct remora_json remora_json_at(struct remora_json array, uint32_t index);
/* True when the string (or key), unescaped, equals text. */
bool remora_json_equals(struct remora_json string, const char *text);
/*
 * A key that occurs twice in this object (escapes resolved), or absent. O(n log n) whatever the keys are. Objects of more
 * than 16 members take room from the arena; when it is full the answer is absent too, and arena->failed says so.
 */
struct remora_json remora_json_duplicate(struct remora_json object, struct remora_arena *arena);
/*
 * What two readers of the text may understand differently, anywhere in it: a name that occurs twice in its object (which of
 * the two counts?), a number beyond every double (1e400), a NUL in a text or name (where does it end?). NULL when there is
 * none; else the reason, static text fit for a caller, and *where is the name, number or text. NULL also when the arena is
 * full, and then arena->failed says so.
 */
const char *remora_json_doubt(const struct remora_json_doc *doc, struct remora_arena *arena,
                              struct remora_json *where);

/*
 * Unescaped text; without a backslash a view of the input, else a copy in the arena. False when it is no string; also when
 * the arena is full, and then *out is {NULL, 0} and arena->failed says so.
 */
REMORA_MUST_CHECK bool remora_json_string(struct remora_json value, struct remora_arena *arena,
                                          struct remora_slice *out);
/*
 * For a reader that knows what stands around a string: `text` begins behind its opening quote. True when a valid string
 * and its closing quote follow; *raw is what stands between the quotes, *escaped whether a backslash is among it. What it
 * means is told by remora_json_unescape, which is false when the arena is full, as remora_json_string is.
 */
REMORA_MUST_CHECK bool remora_json_scan_string(struct remora_slice text, struct remora_slice *raw,
                                               bool *escaped);
REMORA_MUST_CHECK bool remora_json_unescape(struct remora_slice raw, bool escaped,
                                            struct remora_arena *arena, struct remora_slice *out);
/* Each is false when the value is not of that kind or out of range; *out is then untouched. */
REMORA_MUST_CHECK bool remora_json_bool(struct remora_json value, bool *out);
/* 1.0 and 1e2 are integers too; 1.5 is not. */
REMORA_MUST_CHECK bool remora_json_int64(struct remora_json value, int64_t *out);
/* Finite only. */
REMORA_MUST_CHECK bool remora_json_double(struct remora_json value, double *out);

/*
 * Whether a text that comes in pieces is one whole value so far, without keeping it: true exactly where remora_json_parse
 * would take what was fed, under a depth of REMORA_LIMIT_JSON_DEPTH and any number of values. Bytes must be UTF-8, which is
 * not looked at here. Zero-initialised: nothing was fed, which is no value.
 */
struct remora_json_progress {
    uint64_t objects; /* one bit per open container, the innermost lowest: an object */
    uint8_t depth;    /* open containers */
    uint8_t state;
    uint8_t place;         /* in a literal or a \u escape */
    uint8_t literal;       /* which */
    uint16_t unit;         /* of a \u escape */
    bool is_name;          /* the string is a member's name */
    bool is_low_surrogate; /* is due */
};
void remora_json_progress_feed(struct remora_json_progress *progress, struct remora_slice piece);
bool remora_json_progress_is_whole(const struct remora_json_progress *progress);
/* Nothing has come yet, or blanks. */
bool remora_json_progress_is_empty(const struct remora_json_progress *progress);

/*
 * The writer: appends to a remora_buf, which carries failure. Commas and colons are its business. Strings are written
 * minimally escaped; bytes that are not UTF-8 become U+FFFD, so that its output is always valid JSON.
 */
struct remora_json_writer {
    struct remora_buf *buf;
    bool comma; /* one is due before the next value */
};
void remora_json_write_begin(struct remora_json_writer *w, struct remora_buf *buf);
void remora_json_object_open(struct remora_json_writer *w);
void remora_json_object_close(struct remora_json_writer *w);
void remora_json_array_open(struct remora_json_writer *w);
void remora_json_array_close(struct remora_json_writer *w);
/* A name of ours, in which nothing needs an escape: it is written as it stands. */
void remora_json_key_plain(struct remora_json_writer *w, struct remora_slice key);
static inline void remora_json_key(struct remora_json_writer *w, const char *key)
{
    remora_json_key_plain(w, remora_slice_of(key)); /* here, so that a literal's length is known */
}
/* A name from outside. */
void remora_json_key_slice(struct remora_json_writer *w, struct remora_slice key);
void remora_json_write_string(struct remora_json_writer *w, struct remora_slice text);
/* True when the writer would put `text` between quotes as it stands: nothing to escape, all of it UTF-8. */
bool remora_json_is_plain(struct remora_slice text);
static inline void remora_json_write_text(struct remora_json_writer *w, const char *text)
{
    remora_json_write_string(w, remora_slice_of(text));
}
/* As it stands: must be one valid JSON value. */
void remora_json_write_raw(struct remora_json_writer *w, struct remora_slice json);
void remora_json_write_i64(struct remora_json_writer *w, int64_t value);
/* Shortest text that reads back as the same double; value must be finite. */
void remora_json_write_double(struct remora_json_writer *w, double value);
void remora_json_write_bool(struct remora_json_writer *w, bool value);
void remora_json_write_null(struct remora_json_writer *w);

#endif
