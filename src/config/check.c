/*
 * The document held against the table of keys (tbl/config_keys.h): what is unknown, not built, of a wrong type or out of
 * range is refused here with its place, so that everything behind reads values and no shapes. Depth is bounded by the tree.
 */
#include "tree.h"

#include "remora/decimal.h"
#include "remora/text.h"

static enum remora_code check_object(struct config_node *node, enum config_object object,
                                     struct remora_fail *fail);

static enum remora_code wrong(const struct config_node *node, struct remora_fail *fail,
                              const char *expected)
{
    return config_fail_at(node, REMORA_INVALID_REQUEST, fail, "expected %s", expected);
}

static enum remora_code check_text(const struct config_node *node, int64_t min, int64_t max,
                                   struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_SCALAR) {
        return wrong(node, fail, "text");
    }
    if (config_is_null(node)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, fail,
                              "has no value: write one or leave the key out");
    }
    for (size_t i = 0; i < node->text.length; i++) {
        unsigned char byte = (unsigned char)node->text.data[i];
        if (byte < 0x20 || byte == 0x7f) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, fail, "holds a control character");
        }
    }
    if ((int64_t)node->text.length < min || (max > 0 && (int64_t)node->text.length > max)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, fail, "must have %lld to %lld bytes",
                              (long long)min, (long long)max);
    }
    return REMORA_OK;
}

static enum remora_code check_texts(const struct config_node *node,
                                    const struct config_key_row *row, struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_LIST) {
        return wrong(node, fail, "a list of texts");
    }
    if ((int64_t)node->count < row->min || (int64_t)node->count > row->max) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, fail, "must have %lld to %lld entries",
                              (long long)row->min, (long long)row->max);
    }
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        enum remora_code rc = check_text(item, 1, CONFIG_ITEM_BYTES, fail);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code check_boolean(struct config_node *node, struct remora_fail *fail)
{
    bool is_true = remora_slice_is(node->text, "true");
    if (node->kind != CONFIG_NODE_SCALAR || !node->is_plain ||
        (!is_true && !remora_slice_is(node->text, "false"))) {
        return wrong(node, fail, "true or false");
    }
    node->boolean = is_true;
    return REMORA_OK;
}

/* A number in the spelling that YAML 1.1 calls octal: Helm would read 010 as eight, and here it would be ten. */
static bool is_octal(const struct config_node *node)
{
    struct remora_slice text = node->text;
    return node->kind == CONFIG_NODE_SCALAR && node->is_plain && text.length > 1 &&
           text.data[0] == '0' && text.data[1] >= '0' && text.data[1] <= '9';
}

/* 5_000: five thousand to YAML 1.1, and so to Helm, a text to YAML 1.2. */
static bool is_grouped(const struct config_node *node)
{
    return node->kind == CONFIG_NODE_SCALAR && node->is_plain && node->text.length > 0 &&
           node->text.data[0] >= '0' && node->text.data[0] <= '9' &&
           remora_slice_find(node->text, '_', 0) < node->text.length;
}

/* What only YAML 1.1 takes for the number that it looks like. */
static enum remora_code check_spelling(const struct config_node *node, struct remora_fail *fail)
{
    const char *why = is_octal(node)
                          ? "begins with 0, which YAML 1.1 reads as octal: leave the 0 out"
                      : is_grouped(node) ? "is a number to YAML 1.1 alone: leave the _ out"
                                         : NULL;
    return why == NULL ? REMORA_OK : config_fail_at(node, REMORA_INVALID_REQUEST, fail, "%s", why);
}

static enum remora_code check_integer(struct config_node *node, const struct config_key_row *row,
                                      struct remora_fail *fail)
{
    uint64_t value = 0;
    enum remora_code rc = check_spelling(node, fail);
    if (rc != REMORA_OK) {
        return rc;
    }
    if (node->kind != CONFIG_NODE_SCALAR || !node->is_plain ||
        !remora_parse_u64(node->text, &value) || value > INT64_MAX || (int64_t)value < row->min ||
        (int64_t)value > row->max) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, fail,
                              "expected a whole number from %lld to %lld", (long long)row->min,
                              (long long)row->max);
    }
    node->integer = (int64_t)value;
    return REMORA_OK;
}

static enum remora_code check_money(const struct config_node *node, struct remora_fail *fail)
{
    int64_t ignored = 0;
    enum remora_code rc = check_spelling(node, fail);
    if (rc != REMORA_OK) {
        return rc;
    }
    if (node->kind != CONFIG_NODE_SCALAR || !remora_decimal_parse(node->text, 12, &ignored, NULL)) {
        return wrong(node, fail, "a price in USD, such as \"0.0000025\"");
    }
    return REMORA_OK;
}

static enum remora_code check_source(struct config_node *node, struct remora_fail *fail)
{
    static const char expected[] =
        "{env: NAME} or {file: PATH}: a key never stands in the document";
    if (node->kind != CONFIG_NODE_MAPPING) {
        return wrong(node, fail, expected);
    }
    enum remora_code rc = check_object(node, CONFIG_OBJECT_SOURCE, fail);
    if (rc == REMORA_OK && node->count != 1) {
        return wrong(node, fail, expected);
    }
    return rc;
}

static enum remora_code check_sources(struct config_node *node, const struct config_key_row *row,
                                      struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_LIST) {
        return check_source(node, fail);
    }
    if (node->count == 0 || (int64_t)node->count > row->max) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, fail, "must have 1 to %lld entries",
                              (long long)row->max);
    }
    for (struct config_node *item = node->first; item != NULL; item = item->next) {
        enum remora_code rc = check_source(item, fail);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code check_headers(struct config_node *node, const struct config_key_row *row,
                                      struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_MAPPING || (int64_t)node->count > row->max) {
        return wrong(node, fail, "header names with values, at most 64");
    }
    for (struct config_node *item = node->first; item != NULL; item = item->next) {
        enum remora_code rc = item->kind == CONFIG_NODE_MAPPING
                                  ? check_source(item, fail)
                                  : check_text(item, 1, CONFIG_HEADER_BYTES, fail);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code check_text_map(struct config_node *node, const struct config_key_row *row,
                                       struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_MAPPING && !config_is_null(node)) {
        return wrong(node, fail, "names with texts");
    }
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        enum remora_code rc = check_text(item, row->min, row->max, fail);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code check_objects(struct config_node *node, const struct config_key_row *row,
                                      struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_LIST || (int64_t)node->count > row->max) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, fail,
                              "expected a list of at most %lld mappings", (long long)row->max);
    }
    for (struct config_node *item = node->first; item != NULL; item = item->next) {
        enum remora_code rc = check_object(item, row->of, fail);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code check_object_map(struct config_node *node, const struct config_key_row *row,
                                         struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_MAPPING && !config_is_null(node)) {
        return wrong(node, fail, "a mapping of names to mappings");
    }
    if (row->max > 0 && (int64_t)node->count > row->max) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, fail, "more than %lld entries",
                              (long long)row->max);
    }
    for (struct config_node *item = node->first; item != NULL; item = item->next) {
        enum remora_code rc = check_object(item, row->of, fail);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

static enum remora_code check_value(struct config_node *node, const struct config_key_row *row,
                                    struct remora_fail *fail)
{
    switch (row->type) {
    case CONFIG_TEXT:
        return check_text(node, row->min, row->max, fail);
    case CONFIG_TEXTS:
        return check_texts(node, row, fail);
    case CONFIG_TEXT_MAP:
        return check_text_map(node, row, fail);
    case CONFIG_TRISTATE:
        return config_is_null(node) ? REMORA_OK : check_boolean(node, fail);
    case CONFIG_BOOLEAN:
        return check_boolean(node, fail);
    case CONFIG_OPTIONAL_INTEGER:
        return config_is_null(node) ? REMORA_OK : check_integer(node, row, fail);
    case CONFIG_INTEGER:
        return check_integer(node, row, fail);
    case CONFIG_OPTIONAL_MONEY:
        return config_is_null(node) ? REMORA_OK : check_money(node, fail);
    case CONFIG_MONEY:
        return check_money(node, fail);
    case CONFIG_OBJECT:
        /* Not an empty one by oversight: a cap that lost its lines would be no cap. */
        return config_is_null(node) ? check_text(node, 0, 0, fail)
                                    : check_object(node, row->of, fail);
    case CONFIG_OBJECTS:
        return check_objects(node, row, fail);
    case CONFIG_OBJECT_MAP:
        return check_object_map(node, row, fail);
    case CONFIG_SOURCES:
        return check_sources(node, row, fail);
    case CONFIG_HEADERS:
        return check_headers(node, row, fail);
    case CONFIG_UNBUILT:
        return config_fail_at(node, REMORA_UNIMPLEMENTED, fail, "\"%s\" is not built yet",
                              row->text);
    }
    return REMORA_OK;
}

static enum remora_code unknown_key(const struct config_node *node, enum config_object object,
                                    struct remora_fail *fail)
{
    char path[sizeof fail->param];
    config_node_path(node, path, sizeof path);
    const char *closest = config_key_suggest(object, node->key);
    if (closest != NULL) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, path,
                               "%u:%u: unknown key \"%.*s\": did you mean \"%s\"?", node->key_line,
                               node->key_column, REMORA_SLICE_ARG(node->key), closest);
    }
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, path, "%u:%u: unknown key \"%.*s\"",
                           node->key_line, node->key_column, REMORA_SLICE_ARG(node->key));
}

static enum remora_code check_object(struct config_node *node, enum config_object object,
                                     struct remora_fail *fail)
{
    if (node->kind != CONFIG_NODE_MAPPING && !config_is_null(node)) {
        return wrong(node, fail, "a mapping");
    }
    for (struct config_node *item = node->first; item != NULL; item = item->next) {
        item->id = config_key_find(object, item->key);
        if (item->id == CONFIG_KEY_NONE) {
            return unknown_key(item, object, fail);
        }
        enum remora_code rc = check_value(item, config_key_row(item->id), fail);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}

enum remora_code config_check_object(struct config_node *root, enum config_object object,
                                     struct remora_fail *fail)
{
    return check_object(root, object, fail);
}

enum remora_code config_check(struct config_node *root, struct remora_fail *fail)
{
    return root == NULL ? REMORA_OK : check_object(root, CONFIG_OBJECT_DOCUMENT, fail);
}
