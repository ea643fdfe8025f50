/*
 * google.protobuf.Struct -> JSON text. Written with a stack of our own: the pre-scan bounds the depth at 64, the stack
 * holds that many.
 *
 * Refused: a number that JSON does not have (NaN, infinity), a value without a kind, a key that occurs twice (a map on the
 * wire may hold one twice; which one counts would be a guess upstream).
 *
 * Source: google/protobuf/struct.proto (Value: "absence of any variant indicates an error"; NaN and infinities "cannot be
 * represented").
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "reader.h"
#include "remora/json.h"
#include "remora/skin.h"
#include "remora/text.h"

struct open_value {
    const Google__Protobuf__Struct *object; /* or NULL */
    const Google__Protobuf__ListValue *list;
    size_t at;
};

struct value_walk {
    struct reader *reader;
    struct remora_json_writer writer;
    struct open_value stack[REMORA_LIMIT_JSON_DEPTH];
    size_t depth;
};

static int compare_keys(const void *a, const void *b)
{
    const struct remora_slice *x = a;
    const struct remora_slice *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = shorter == 0 ? 0 : memcmp(x->data, y->data, shorter);
    if (order != 0) {
        return order;
    }
    return x->length < y->length ? -1 : x->length > y->length ? 1 : 0;
}

static enum remora_code check_keys(struct reader *r, const Google__Protobuf__Struct *object)
{
    if (object->n_fields < 2) {
        return REMORA_OK;
    }
    struct remora_slice *keys = remora_arena_array(r->arena, object->n_fields, sizeof *keys);
    if (keys == NULL) {
        return reader_no_room(r);
    }
    for (size_t i = 0; i < object->n_fields; i++) {
        keys[i] = remora_pb_slice(object->fields[i]->key);
    }
    qsort(keys, object->n_fields, sizeof *keys, compare_keys);
    for (size_t i = 1; i < object->n_fields; i++) {
        if (remora_slice_equal(keys[i - 1], keys[i])) {
            return reader_refuse(r, REMORA_INVALID_REQUEST, "holds the key \"%.*s\" twice.",
                                 keys[i].length > 64 ? 64 : (int)keys[i].length, keys[i].data);
        }
    }
    return REMORA_OK;
}

static enum remora_code open_object(struct value_walk *w, const Google__Protobuf__Struct *object)
{
    enum remora_code code = check_keys(w->reader, object);
    if (code != REMORA_OK) {
        return code;
    }
    if (w->depth == REMORA_COUNT_OF(w->stack)) {
        return reader_refuse(w->reader, REMORA_INVALID_REQUEST, "is nested too deep.");
    }
    w->stack[w->depth++] = (struct open_value){.object = object};
    remora_json_object_open(&w->writer);
    return REMORA_OK;
}

static enum remora_code open_list(struct value_walk *w, const Google__Protobuf__ListValue *list)
{
    if (w->depth == REMORA_COUNT_OF(w->stack)) {
        return reader_refuse(w->reader, REMORA_INVALID_REQUEST, "is nested too deep.");
    }
    w->stack[w->depth++] = (struct open_value){.list = list};
    remora_json_array_open(&w->writer);
    return REMORA_OK;
}

static enum remora_code write_number(struct value_walk *w, double number)
{
    if (!isfinite(number)) {
        return reader_refuse(w->reader, REMORA_INVALID_REQUEST,
                             "holds a number that JSON does not have.");
    }
    remora_json_write_double(&w->writer, number);
    return REMORA_OK;
}

static enum remora_code write_value(struct value_walk *w, const Google__Protobuf__Value *value)
{
    switch (value == NULL ? 0 : (int)value->kind_case) {
    case GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE:
        remora_json_write_null(&w->writer);
        return REMORA_OK;
    case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
        return write_number(w, value->number_value);
    case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
        remora_json_write_string(&w->writer, remora_pb_slice(value->string_value));
        return REMORA_OK;
    case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
        remora_json_write_bool(&w->writer, value->bool_value != 0);
        return REMORA_OK;
    case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
        return open_object(w, value->struct_value);
    case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
        return open_list(w, value->list_value);
    default:
        return reader_refuse(w->reader, REMORA_INVALID_REQUEST, "holds a value without a kind.");
    }
}

/* The next member of the innermost container, or its end. */
static enum remora_code step(struct value_walk *w)
{
    struct open_value *open = &w->stack[w->depth - 1];
    if (open->object != NULL && open->at < open->object->n_fields) {
        const Google__Protobuf__Struct__FieldsEntry *entry = open->object->fields[open->at++];
        remora_json_key_slice(&w->writer, remora_pb_slice(entry->key));
        return write_value(w, entry->value);
    }
    if (open->list != NULL && open->at < open->list->n_values) {
        return write_value(w, open->list->values[open->at++]);
    }
    w->depth--;
    if (open->object != NULL) {
        remora_json_object_close(&w->writer);
    } else {
        remora_json_array_close(&w->writer);
    }
    return REMORA_OK;
}

static enum remora_code keep(struct reader *r, const struct remora_buf *buf,
                             struct remora_slice *out)
{
    if (remora_buf_code(buf) != REMORA_OK) {
        return remora_fail_set(r->fail, remora_buf_code(buf), NULL,
                               "The request takes too much memory to read.");
    }
    *out = remora_arena_copy(r->arena, remora_buf_slice(buf));
    return out->data == NULL ? reader_no_room(r) : REMORA_OK;
}

/* One value: exactly one of object and value is given. */
static enum remora_code to_json(struct reader *r, const Google__Protobuf__Struct *object,
                                const Google__Protobuf__Value *value, struct remora_slice *out)
{
    struct value_walk walk = {.reader = r};
    struct remora_buf buf;
    remora_buf_init(&buf, REMORA_LIMIT_MESSAGE_BYTES * 2);
    remora_json_write_begin(&walk.writer, &buf);
    enum remora_code code = object != NULL ? open_object(&walk, object) : write_value(&walk, value);
    while (code == REMORA_OK && walk.depth > 0) {
        code = step(&walk);
    }
    if (code == REMORA_OK) {
        code = keep(r, &buf, out);
    }
    remora_buf_fini(&buf);
    return code;
}

enum remora_code reader_struct(struct reader *r, const char *field,
                               const Google__Protobuf__Struct *value, struct remora_slice *out)
{
    if (value == NULL) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, field, -1);
    enum remora_code code = to_json(r, value, NULL, out);
    reader_leave(r, mark);
    return code;
}

/* ---- extra_body ---- */

enum verdict { TYPED, READ, UNBUILT };
struct chat_field {
    struct remora_slice name;
    enum verdict verdict;
};
static const struct chat_field CHAT_FIELDS[] = {
#define REMORA_CHAT_FIELD(name, verdict, ...) {REMORA_SLICE_INIT(name), verdict},
#include "remora/tbl/chat_fields.h"
#undef REMORA_CHAT_FIELD
};

/* What the proto has is read there. The rest, what nobody has built among it, is read as the skin reads it. */
static enum remora_code judge(struct reader *r, struct remora_slice name)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(CHAT_FIELDS); i++) {
        if (CHAT_FIELDS[i].verdict == TYPED && remora_names_alike(name, CHAT_FIELDS[i].name)) {
            return reader_refuse(r, REMORA_INVALID_REQUEST,
                                 "has a field of its own in the message; set it there.");
        }
    }
    return REMORA_OK;
}

static enum remora_code extra_one(struct reader *r,
                                  const Google__Protobuf__Struct__FieldsEntry *entry)
{
    struct remora_slice name = remora_pb_slice(entry->key);
    struct remora_slice json;
    char field[64];
    snprintf(field, sizeof field, "%.*s",
             (int)(name.length < sizeof field ? name.length : sizeof field - 1), name.data);
    size_t mark = reader_enter(r, field, -1);
    enum remora_code code = judge(r, name);
    if (code == REMORA_OK) {
        code = to_json(r, NULL, entry->value, &json);
    }
    if (code == REMORA_OK) {
        code = remora_chat_read_field(name, json, r->path, r->arena, r->request, r->fail);
    }
    reader_leave(r, mark);
    return code;
}

static int compare_entries(const void *a, const void *b)
{
    const Google__Protobuf__Struct__FieldsEntry *x =
        *(Google__Protobuf__Struct__FieldsEntry *const *)a;
    const Google__Protobuf__Struct__FieldsEntry *y =
        *(Google__Protobuf__Struct__FieldsEntry *const *)b;
    const struct remora_slice keys[] = {remora_pb_slice(x->key), remora_pb_slice(y->key)};
    return compare_keys(&keys[0], &keys[1]);
}

/* In the order of their names: a map has no order of its own, and the same request shall give the same bytes upstream. */
enum remora_code reader_extra(struct reader *r, const Google__Protobuf__Struct *value)
{
    if (value == NULL || value->n_fields == 0) {
        return REMORA_OK;
    }
    size_t mark = reader_enter(r, "extra_body", -1);
    enum remora_code code = check_keys(r, value);
    qsort(value->fields, value->n_fields, sizeof value->fields[0], compare_entries);
    for (size_t i = 0; code == REMORA_OK && i < value->n_fields; i++) {
        code = extra_one(r, value->fields[i]);
    }
    reader_leave(r, mark);
    return code;
}
