/*
 * YAML events to a tree.
 *
 * libyaml's events are taken one by one, never its documents (they would resolve aliases). An open mapping holds the key
 * that its next value belongs to. Fails: broken YAML, anything of YAML that the format does without, more than the limits
 * of depth, entries and bytes (INVALID_REQUEST, TOO_LARGE), no memory (SHEDDING).
 *
 * Source: YAML 1.1 as libyaml 0.2 reads it (yaml.h, "The event structure").
 */
#include "tree.h"

#include "remora/limits.h"
#include "remora/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

struct reader {
    struct remora_slice document;
    struct remora_arena *arena;
    struct remora_fail *fail;
    struct config_node *root;
    struct config_node *open; /* innermost mapping or list */
    struct remora_slice key;  /* of the value to come, in a mapping */
    yaml_mark_t key_at;
    bool key_is_plain;
    bool has_key;
    bool had_document;
};

static void append(char *out, size_t bytes, size_t *at, const char *text, size_t length)
{
    size_t room = bytes - 1 - *at;
    size_t taken = length < room ? length : room;
    memcpy(out + *at, text, taken);
    *at += taken;
    out[*at] = '\0';
}

void config_node_path(const struct config_node *node, char *out, size_t bytes)
{
    const struct config_node *chain[REMORA_LIMIT_CONFIG_DEPTH + 2];
    size_t count = 0;
    size_t at = 0;
    out[0] = '\0';
    for (; node != NULL && node->parent != NULL && count < REMORA_COUNT_OF(chain);
         node = node->parent) {
        chain[count++] = node;
    }
    while (count > 0) {
        const struct config_node *part = chain[--count];
        char index[24];
        if (part->parent->kind == CONFIG_NODE_LIST) {
            int length = snprintf(index, sizeof index, "[%u]", part->index);
            append(out, bytes, &at, index, (size_t)length);
            continue;
        }
        if (at > 0) {
            append(out, bytes, &at, ".", 1);
        }
        append(out, bytes, &at, part->key.data, part->key.length);
    }
    out[at - remora_utf8_incomplete(remora_slice(out, at))] = '\0';
}

static enum remora_code fail_place(struct remora_fail *fail, enum remora_code code,
                                   const char *path, size_t line, size_t column,
                                   const char *message)
{
    return remora_fail_set(fail, code, path, "%zu:%zu: %s", line, column, message);
}

enum remora_code config_fail_at(const struct config_node *node, enum remora_code code,
                                struct remora_fail *fail, const char *format, ...)
{
    char path[sizeof fail->param];
    char message[sizeof fail->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    config_node_path(node, path, sizeof path);
    return fail_place(fail, code, path, node->line, node->column, message);
}

static enum remora_code refuse(struct reader *reader, const yaml_mark_t *at, const char *message)
{
    char path[sizeof reader->fail->param] = "";
    if (reader->open != NULL) {
        config_node_path(reader->open, path, sizeof path);
    }
    return fail_place(reader->fail, REMORA_INVALID_REQUEST, path, at->line + 1, at->column + 1,
                      message);
}

static enum remora_code no_room(struct reader *reader, const yaml_mark_t *at)
{
    enum remora_code code = reader->arena->failed;
    return fail_place(reader->fail, code == REMORA_OK ? REMORA_SHEDDING : code, NULL, at->line + 1,
                      at->column + 1, "no room for the document");
}

static bool has_key(const struct config_node *mapping, struct remora_slice key)
{
    for (const struct config_node *node = mapping->first; node != NULL; node = node->next) {
        if (remora_slice_equal(node->key, key)) {
            return true;
        }
    }
    return false;
}

static enum remora_code take_key(struct reader *reader, const yaml_event_t *event)
{
    struct remora_slice key =
        remora_slice((const char *)event->data.scalar.value, event->data.scalar.length);
    char message[160];
    if (has_key(reader->open, key)) {
        snprintf(message, sizeof message, "the key \"%.*s\" stands here twice",
                 (int)remora_utf8_cut(key, 80), key.data);
        return refuse(reader, &event->start_mark, message);
    }
    reader->key = remora_arena_copy(reader->arena, key);
    if (reader->key.data == NULL) {
        return no_room(reader, &event->start_mark);
    }
    reader->key_is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    reader->key_at = event->start_mark;
    reader->has_key = true;
    return REMORA_OK;
}

static void attach(struct reader *reader, struct config_node *node)
{
    struct config_node *parent = reader->open;
    node->parent = parent;
    if (parent == NULL) {
        reader->root = node;
        return;
    }
    node->depth = parent->depth + 1;
    node->index = (uint32_t)parent->count++;
    if (parent->kind == CONFIG_NODE_MAPPING) {
        node->key = reader->key;
        node->is_plain_key = reader->key_is_plain;
        node->key_line = (uint32_t)reader->key_at.line + 1;
        node->key_column = (uint32_t)reader->key_at.column + 1;
        reader->has_key = false;
    }
    if (parent->last == NULL) {
        parent->first = node;
    } else {
        parent->last->next = node;
    }
    parent->last = node;
}

static enum remora_code add_node(struct reader *reader, const yaml_event_t *event,
                                 enum config_node_kind kind, struct config_node **out)
{
    if (reader->open != NULL && reader->open->count >= REMORA_LIMIT_CONFIG_ENTRIES) {
        return refuse(reader, &event->start_mark, "more than 10000 entries");
    }
    if (reader->open != NULL && reader->open->depth + 1 >= REMORA_LIMIT_CONFIG_DEPTH) {
        return refuse(reader, &event->start_mark, "nested deeper than 32 levels");
    }
    struct config_node *node = remora_arena_alloc(reader->arena, sizeof *node);
    if (node == NULL) {
        return no_room(reader, &event->start_mark);
    }
    node->kind = kind;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    attach(reader, node);
    *out = node;
    return REMORA_OK;
}

static enum remora_code take_scalar(struct reader *reader, const yaml_event_t *event)
{
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL) {
        return refuse(reader, &event->start_mark, "anchors and tags are not part of this format");
    }
    if (reader->open != NULL && reader->open->kind == CONFIG_NODE_MAPPING && !reader->has_key) {
        return take_key(reader, event);
    }
    struct config_node *node = NULL;
    enum remora_code rc = add_node(reader, event, CONFIG_NODE_SCALAR, &node);
    if (rc != REMORA_OK) {
        return rc;
    }
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text =
        remora_arena_copy(reader->arena, remora_slice((const char *)event->data.scalar.value,
                                                      event->data.scalar.length));
    return node->text.data == NULL ? no_room(reader, &event->start_mark) : REMORA_OK;
}

static enum remora_code take_collection(struct reader *reader, const yaml_event_t *event,
                                        enum config_node_kind kind, bool is_marked)
{
    if (is_marked) {
        return refuse(reader, &event->start_mark, "anchors and tags are not part of this format");
    }
    if (reader->open != NULL && reader->open->kind == CONFIG_NODE_MAPPING && !reader->has_key) {
        return refuse(reader, &event->start_mark, "a key must be text");
    }
    struct config_node *node = NULL;
    enum remora_code rc = add_node(reader, event, kind, &node);
    if (rc == REMORA_OK) {
        node->is_in_braces = event->type == YAML_MAPPING_START_EVENT &&
                             event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
        reader->open = node;
    }
    return rc;
}

static enum remora_code take_document(struct reader *reader, const yaml_event_t *event)
{
    if (reader->had_document) {
        return refuse(reader, &event->start_mark, "a second document: the file holds one");
    }
    reader->had_document = true;
    return REMORA_OK;
}

static enum remora_code take(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
        return REMORA_OK;
    case YAML_DOCUMENT_END_EVENT:
        if (reader->root != NULL) {
            reader->root->has_end_marker = event->data.document_end.implicit == 0;
        }
        return REMORA_OK;
    case YAML_DOCUMENT_START_EVENT:
        return take_document(reader, event);
    case YAML_ALIAS_EVENT:
        return refuse(reader, &event->start_mark, "aliases are not part of this format");
    case YAML_SCALAR_EVENT:
        return take_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return take_collection(reader, event, CONFIG_NODE_LIST,
                               event->data.sequence_start.anchor != NULL ||
                                   event->data.sequence_start.tag != NULL);
    case YAML_MAPPING_START_EVENT:
        return take_collection(reader, event, CONFIG_NODE_MAPPING,
                               event->data.mapping_start.anchor != NULL ||
                                   event->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        /* Nodes are reached through const parents; the open ones are all ours. */
        reader->open = (struct config_node *)(uintptr_t)reader->open->parent;
        return REMORA_OK;
    }
    return REMORA_OK;
}

/* libyaml tells the byte only where it could not decode; columns are counted in bytes there. */
static yaml_mark_t mark_of(struct remora_slice document, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < document.length; i++) {
        bool is_break = document.data[i] == '\n';
        mark.line += is_break ? 1 : 0;
        mark.column = is_break ? 0 : mark.column + 1;
    }
    return mark;
}

static enum remora_code broken(struct reader *reader, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return remora_fail_set(reader->fail, REMORA_SHEDDING, NULL, "no memory for the document");
    }
    if (parser->error == YAML_READER_ERROR) {
        char message[160];
        yaml_mark_t at = mark_of(reader->document, parser->problem_offset);
        snprintf(message, sizeof message, "not UTF-8 text: %s", parser->problem);
        return refuse(reader, &at, message);
    }
    return refuse(reader, &parser->problem_mark,
                  parser->problem == NULL ? "not YAML" : parser->problem);
}

static enum remora_code read_events(struct reader *reader, yaml_parser_t *parser)
{
    for (;;) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return broken(reader, parser);
        }
        bool is_end = event.type == YAML_STREAM_END_EVENT;
        enum remora_code rc = take(reader, &event);
        yaml_event_delete(&event);
        if (rc != REMORA_OK || is_end) {
            return rc;
        }
    }
}

enum remora_code config_tree_read(struct remora_slice document, struct remora_arena *arena,
                                  struct config_node **root, struct remora_fail *fail)
{
    struct reader reader = {.document = document, .arena = arena, .fail = fail};
    yaml_parser_t parser;
    if (document.length > REMORA_LIMIT_CONFIG_BYTES) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL,
                               "1:1: the document has more than %d bytes",
                               REMORA_LIMIT_CONFIG_BYTES);
    }
    if (yaml_parser_initialize(&parser) == 0) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "no memory for the document");
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &parser, (const unsigned char *)(document.data == NULL ? "" : document.data),
        document.length);
    enum remora_code rc = read_events(&reader, &parser);
    yaml_parser_delete(&parser);
    if (rc == REMORA_OK) {
        *root = reader.root;
    }
    return rc;
}

bool config_is_null(const struct config_node *node)
{
    return node->kind == CONFIG_NODE_SCALAR && node->is_plain &&
           (node->text.length == 0 || remora_slice_is(node->text, "~") ||
            remora_slice_is(node->text, "null"));
}

const struct config_node *config_get(const struct config_node *object, enum config_key key)
{
    const struct config_node *node = object == NULL ? NULL : object->first;
    while (node != NULL && node->id != key) {
        node = node->next;
    }
    return node;
}

const struct config_node *config_get_named(const struct config_node *object, const char *key)
{
    const struct config_node *node = object == NULL ? NULL : object->first;
    while (node != NULL && !remora_slice_is(node->key, key)) {
        node = node->next;
    }
    return node;
}

struct remora_slice config_text(const struct config_node *object, enum config_key key)
{
    const struct config_node *node = config_get(object, key);
    return node == NULL ? REMORA_SLICE("") : node->text;
}

int64_t config_integer(const struct config_node *object, enum config_key key, int64_t absent)
{
    const struct config_node *node = config_get(object, key);
    return node == NULL || config_is_null(node) ? absent : node->integer;
}

bool config_boolean(const struct config_node *object, enum config_key key, bool absent)
{
    const struct config_node *node = config_get(object, key);
    return node == NULL ? absent : node->boolean;
}

enum remora_tristate config_tristate(const struct config_node *object, enum config_key key)
{
    const struct config_node *node = config_get(object, key);
    if (node == NULL || config_is_null(node)) {
        return REMORA_UNSET;
    }
    return node->boolean ? REMORA_YES : REMORA_NO;
}
