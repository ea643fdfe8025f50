/*
 * The pieces of content, as messages: media, annotations, reasoning blocks, logprobs, and JSON that has no name here as a
 * Struct. Text is borrowed.
 */
#include "pb.h"
#include "remora/json.h"
#include "remora/limits.h"
#include "remora/text.h"

/* Base64 from upstream becomes bytes; text that does not decode travels as the URI that it came as. */
static void put_base64(struct remora_arena *arena, Remora__V1__Media *out, struct remora_slice text)
{
    char *bytes = remora_arena_alloc(arena, text.length / 4 * 3 + 3);
    size_t length = 0;
    if (bytes != NULL && remora_base64_decode(text, bytes, &length)) {
        out->source_case = REMORA__V1__MEDIA__SOURCE_DATA;
        out->data = remora_pb_text(remora_slice(bytes, length));
        return;
    }
    out->source_case = REMORA__V1__MEDIA__SOURCE_URI;
    out->uri =
        remora_pb_text(remora_arena_printf(arena, "data:;base64,%.*s", REMORA_SLICE_ARG(text)));
}

static void put_source(struct remora_arena *arena, Remora__V1__Media *out,
                       const struct remora_media *media)
{
    switch (media->source) {
    case REMORA_MEDIA_BYTES:
        out->source_case = REMORA__V1__MEDIA__SOURCE_DATA;
        out->data = remora_pb_text(media->value);
        return;
    case REMORA_MEDIA_BASE64:
        put_base64(arena, out, media->value);
        return;
    case REMORA_MEDIA_URI:
        out->source_case = REMORA__V1__MEDIA__SOURCE_URI;
        out->uri = remora_pb_text(media->value);
        return;
    case REMORA_MEDIA_FILE_ID:
        out->source_case = REMORA__V1__MEDIA__SOURCE_FILE_ID;
        out->file_id = remora_pb_text(media->value);
        return;
    }
}

Remora__V1__Media *remora_pb_media(struct remora_arena *arena, const struct remora_media *media,
                                   int64_t expires_at_unix_s)
{
    Remora__V1__Media *out = remora_pb_new(arena, &remora__v1__media__descriptor);
    if (out == NULL) {
        return NULL;
    }
    if (expires_at_unix_s > 0) {
        out->expire_time = remora_pb_timestamp(arena, expires_at_unix_s * 1000);
    }
    if (media->value.length > 0) {
        put_source(arena, out, media);
    }
    REMORA_PB_TEXT(out, mime_type, media->mime_type);
    REMORA_PB_TEXT(out, filename, media->filename);
    REMORA_PB_TEXT(out, detail, media->detail);
    return out;
}

Remora__V1__Annotation *remora_pb_annotation(struct remora_arena *arena,
                                             const struct remora_annotation *annotation)
{
    Remora__V1__Annotation *out = remora_pb_new(arena, &remora__v1__annotation__descriptor);
    if (out == NULL) {
        return NULL;
    }
    REMORA_PB_TEXT(out, type, annotation->type);
    REMORA_PB_TEXT(out, url, annotation->url);
    REMORA_PB_TEXT(out, title, annotation->title);
    REMORA_PB_TEXT(out, content, annotation->content);
    out->has_start_index = annotation->start_index.is_set;
    out->start_index = (int32_t)annotation->start_index.value;
    out->has_end_index = annotation->end_index.is_set;
    out->end_index = (int32_t)annotation->end_index.value;
    out->extra = remora_pb_struct(arena, annotation->raw);
    return out;
}

Remora__V1__ReasoningBlock *remora_pb_reasoning(struct remora_arena *arena,
                                                const struct remora_reasoning_block *block,
                                                struct remora_slice text)
{
    Remora__V1__ReasoningBlock *out =
        remora_pb_new(arena, &remora__v1__reasoning_block__descriptor);
    if (out == NULL) {
        return NULL;
    }
    switch (block->kind) {
    case REMORA_REASONING_TEXT:
        out->kind_case = REMORA__V1__REASONING_BLOCK__KIND_TEXT;
        break;
    case REMORA_REASONING_SUMMARY:
        out->kind_case = REMORA__V1__REASONING_BLOCK__KIND_SUMMARY;
        break;
    case REMORA_REASONING_ENCRYPTED:
        out->kind_case = REMORA__V1__REASONING_BLOCK__KIND_ENCRYPTED;
        break;
    case REMORA_REASONING_OTHER: /* its signature, format, id and index stand inside */
        out->other = remora_pb_struct(arena, block->raw);
        out->kind_case = out->other == NULL ? REMORA__V1__REASONING_BLOCK__KIND__NOT_SET
                                            : REMORA__V1__REASONING_BLOCK__KIND_OTHER;
        return out;
    }
    out->text = remora_pb_text(text); /* the members of the oneof lie in one place */
    REMORA_PB_TEXT(out, signature, block->signature);
    REMORA_PB_TEXT(out, format, block->format);
    REMORA_PB_TEXT(out, id, block->id);
    out->has_index = block->index.is_set;
    out->index = (int32_t)block->index.value;
    return out;
}

static Remora__V1__TokenLogprob__Alternative *
alternative_of(struct remora_arena *arena, const struct remora_logprob_alternative *from)
{
    Remora__V1__TokenLogprob__Alternative *out =
        remora_pb_new(arena, &remora__v1__token_logprob__alternative__descriptor);
    if (out != NULL) {
        REMORA_PB_TEXT(out, token, from->token);
        REMORA_PB_NUMBER(out, logprob, from->logprob);
        REMORA_PB_TEXT(out, token_bytes, from->bytes);
    }
    return out;
}

static Remora__V1__TokenLogprob *logprob_of(struct remora_arena *arena,
                                            const struct remora_logprob *from)
{
    Remora__V1__TokenLogprob *out = remora_pb_new(arena, &remora__v1__token_logprob__descriptor);
    if (out == NULL) {
        return NULL;
    }
    REMORA_PB_TEXT(out, token, from->chosen.token);
    REMORA_PB_NUMBER(out, logprob, from->chosen.logprob);
    REMORA_PB_TEXT(out, token_bytes, from->chosen.bytes);
    out->alternatives = remora_pb_list(arena, from->alternative_count);
    for (size_t i = 0; out->alternatives != NULL && i < from->alternative_count; i++) {
        Remora__V1__TokenLogprob__Alternative *one = alternative_of(arena, &from->alternatives[i]);
        if (one != NULL) {
            out->alternatives[out->n_alternatives++] = one;
        }
    }
    return out;
}

Remora__V1__TokenLogprob **remora_pb_logprobs(struct remora_arena *arena,
                                              const struct remora_logprob *items, size_t count)
{
    Remora__V1__TokenLogprob **out = remora_pb_list(arena, count);
    for (size_t i = 0; out != NULL && i < count; i++) {
        out[i] = logprob_of(arena, &items[i]);
        if (out[i] == NULL) {
            return NULL;
        }
    }
    return out;
}

/* ---- JSON -> Struct ---- */

/* A container whose members are being made: the tape is walked with a stack of our own, not by recursion. */
struct open_container {
    struct remora_json_iter it;
    Google__Protobuf__Struct *object; /* or NULL */
    Google__Protobuf__ListValue *list;
};

struct json_walk {
    struct remora_arena *arena;
    struct open_container stack[REMORA_LIMIT_FURTHER_DEPTH + 1];
    size_t depth;
};

static void open_struct(struct json_walk *w, struct remora_json json,
                        Google__Protobuf__Struct *object)
{
    struct open_container *open = &w->stack[w->depth++];
    *open = (struct open_container){.object = object};
    object->fields = remora_pb_list(w->arena, remora_json_count(json));
    remora_json_iter_begin(&open->it, json);
}

static void open_list(struct json_walk *w, struct remora_json json,
                      Google__Protobuf__ListValue *list)
{
    struct open_container *open = &w->stack[w->depth++];
    *open = (struct open_container){.list = list};
    list->values = remora_pb_list(w->arena, remora_json_count(json));
    remora_json_iter_begin(&open->it, json);
}

/* A number beyond a double is told as text rather than lost. */
static void put_number(struct remora_json json, Google__Protobuf__Value *out)
{
    double number = 0;
    if (remora_json_double(json, &number)) {
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
        out->number_value = number;
    } else {
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
        out->string_value = remora_pb_text(remora_json_raw(json));
    }
}

static void put_scalar(struct json_walk *w, struct remora_json json, Google__Protobuf__Value *out)
{
    bool is_true = false;
    struct remora_slice text = {0};
    if (remora_json_bool(json, &is_true)) {
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
        out->bool_value = is_true;
    } else if (remora_json_is(json, REMORA_JSON_NUMBER)) {
        put_number(json, out);
    } else if (remora_json_string(json, w->arena, &text)) {
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
        out->string_value = remora_pb_text(text);
    } else {
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
    }
}

static Google__Protobuf__Value *value_of(struct json_walk *w, struct remora_json json)
{
    Google__Protobuf__Value *out = remora_pb_new(w->arena, &google__protobuf__value__descriptor);
    if (out == NULL) {
        return NULL;
    }
    if (remora_json_is(json, REMORA_JSON_OBJECT)) {
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
        out->struct_value = remora_pb_new(w->arena, &google__protobuf__struct__descriptor);
        if (out->struct_value != NULL) {
            open_struct(w, json, out->struct_value);
        }
    } else if (remora_json_is(json, REMORA_JSON_ARRAY)) {
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
        out->list_value = remora_pb_new(w->arena, &google__protobuf__list_value__descriptor);
        if (out->list_value != NULL) {
            open_list(w, json, out->list_value);
        }
    } else {
        put_scalar(w, json, out);
    }
    return out;
}

static void add_member(struct json_walk *w, struct open_container *open)
{
    struct remora_slice key = {0};
    Google__Protobuf__Struct__FieldsEntry *entry =
        remora_pb_new(w->arena, &google__protobuf__struct__fields_entry__descriptor);
    if (entry == NULL || open->object->fields == NULL ||
        !remora_json_string(open->it.key, w->arena, &key)) {
        return;
    }
    open->object->fields[open->object->n_fields++] = entry;
    entry->has_key = true;
    entry->key = remora_pb_text(key);
    entry->value = value_of(w, open->it.value);
}

static void add_element(struct json_walk *w, struct open_container *open)
{
    Google__Protobuf__Value *value =
        open->list->values == NULL ? NULL : value_of(w, open->it.value);
    if (value != NULL) {
        open->list->values[open->list->n_values++] = value;
    }
}

Google__Protobuf__Struct *remora_pb_struct(struct remora_arena *arena, struct remora_slice json)
{
    static const struct remora_json_limits LIMITS = {.depth = REMORA_LIMIT_FURTHER_DEPTH,
                                                     .nodes = REMORA_LIMIT_JSON_NODES};
    struct remora_json_doc *doc = remora_arena_alloc(arena, sizeof *doc);
    struct remora_json_error error = {0};
    if (json.length == 0 || doc == NULL ||
        remora_json_parse(json, arena, &LIMITS, doc, &error) != REMORA_OK ||
        !remora_json_is(remora_json_root(doc), REMORA_JSON_OBJECT)) {
        return NULL;
    }
    Google__Protobuf__Struct *root = remora_pb_new(arena, &google__protobuf__struct__descriptor);
    struct json_walk *walk = remora_arena_alloc(arena, sizeof *walk);
    if (root == NULL || walk == NULL) {
        return NULL;
    }
    walk->arena = arena;
    open_struct(walk, remora_json_root(doc), root);
    while (walk->depth > 0) {
        struct open_container *open = &walk->stack[walk->depth - 1];
        if (!remora_json_iter_next(&open->it)) {
            walk->depth--;
        } else if (open->object != NULL) {
            add_member(walk, open);
        } else {
            add_element(walk, open);
        }
    }
    return root;
}
