/*
 * The document as a tree: what libyaml's events say, with the place of every value. Only what the format uses exists:
 * mappings with scalar keys, lists, scalars. Anchors, aliases, tags, a second document and a repeated key are refused.
 */
#ifndef REMORA_CONFIG_TREE_H
#define REMORA_CONFIG_TREE_H

#include "keys.h"

#include "remora/codes.h"
#include "remora/memory.h"
#include "remora/preferences.h"

enum config_node_kind { CONFIG_NODE_SCALAR, CONFIG_NODE_MAPPING, CONFIG_NODE_LIST };

/* Lives in the arena that the document was read into. */
struct config_node {
    enum config_node_kind kind;
    bool is_plain;           /* a scalar without quotes */
    bool is_plain_key;       /* a key without quotes */
    bool is_in_braces;       /* a mapping as JSON writes it, closed by its last byte */
    bool has_end_marker;     /* of a root: a line "..." follows */
    uint32_t line;           /* of the value, from 1 */
    uint32_t column;         /* from 1 */
    uint32_t key_line;       /* of the key, in a mapping */
    uint32_t key_column;     /* of the key */
    uint32_t depth;          /* of the root: 0 */
    uint32_t index;          /* in a list */
    struct remora_slice key; /* in a mapping; NUL-terminated */
    struct remora_slice text;
    const struct config_node *parent;
    struct config_node *first;
    struct config_node *last;
    struct config_node *next;
    size_t count;
    enum config_key id; /* set by config_check */
    int64_t integer;    /* of an INTEGER, set by config_check */
    bool boolean;       /* of a BOOLEAN, set by config_check */
};

/* *root is NULL for a document without content. Fails as remora_config_build does. */
REMORA_MUST_CHECK enum remora_code config_tree_read(struct remora_slice document,
                                                    struct remora_arena *arena,
                                                    struct config_node **root,
                                                    struct remora_fail *fail);
/*
 * Holds the tree against the table of keys: unknown and unbuilt keys, types, ranges. Fills id, integer and boolean.
 */
REMORA_MUST_CHECK enum remora_code config_check(struct config_node *root, struct remora_fail *fail);
/* The same for a document whose root is one object of the table. */
REMORA_MUST_CHECK enum remora_code
config_check_object(struct config_node *root, enum config_object object, struct remora_fail *fail);

/* Fails with code at the node's value: param is its path, the message begins with its place. */
enum remora_code config_fail_at(const struct config_node *node, enum remora_code code,
                                struct remora_fail *fail, const char *format, ...)
    REMORA_PRINTF(4, 5);
/* "services.checkout.models.allow[2]", cut at `bytes` - 1; NUL-terminated. */
void config_node_path(const struct config_node *node, char *out, size_t bytes);

/* The value of a key, NULL when it was not stated. `object` may be NULL. */
const struct config_node *config_get(const struct config_node *object, enum config_key key);
/* By spelling, for tables that share it. */
const struct config_node *config_get_named(const struct config_node *object, const char *key);
bool config_is_null(const struct config_node *node);
/* Shorthands: what was stated, else the default. */
struct remora_slice config_text(const struct config_node *object, enum config_key key);
int64_t config_integer(const struct config_node *object, enum config_key key, int64_t absent);
bool config_boolean(const struct config_node *object, enum config_key key, bool absent);
enum remora_tristate config_tristate(const struct config_node *object, enum config_key key);

#endif
