/*
 * Any bytes through the JSON parser. What it accepts is read in every way, written again by the writer, and must then
 * parse to as many nodes; numbers read as integers must agree with numbers read as doubles.
 */
#include "remora/json.h"
#include "remora/json_fold.h"
#include "remora/limits.h"
#include "remora/text.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 32 };

static const struct remora_json_limits limits = {DEPTH, 10000};

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void check_number(struct remora_json value)
{
    int64_t integer;
    double number;
    if (remora_json_int64(value, &integer)) {
        require(remora_json_double(value, &number), "an integer is a double");
        require(number == (double)integer, "integer and double agree");
    }
}

static void write_scalar(struct remora_json_writer *w, struct remora_json value,
                         struct remora_arena *arena)
{
    struct remora_slice text;
    if (remora_json_string(value, arena, &text)) {
        require(remora_utf8_is_valid(text), "an unescaped string is UTF-8");
        remora_json_write_string(w, text);
        return;
    }
    if (remora_json_is(value, REMORA_JSON_NUMBER)) {
        check_number(value);
    }
    remora_json_write_raw(w, remora_json_raw(value));
}

static bool is_container(struct remora_json value)
{
    return remora_json_is(value, REMORA_JSON_ARRAY) || remora_json_is(value, REMORA_JSON_OBJECT);
}

static void open_container(struct remora_json_writer *w, struct remora_json value,
                           struct remora_arena *arena)
{
    (void)remora_json_duplicate(value, arena);
    if (remora_json_is(value, REMORA_JSON_OBJECT)) {
        remora_json_object_open(w);
    } else {
        remora_json_array_open(w);
    }
}

static void close_container(struct remora_json_writer *w, bool is_object)
{
    if (is_object) {
        remora_json_object_close(w);
    } else {
        remora_json_array_close(w);
    }
}

static void rewrite(struct remora_json_writer *w, struct remora_json root,
                    struct remora_arena *arena)
{
    struct remora_json_iter open[DEPTH];
    size_t depth = 0;
    if (!is_container(root)) {
        write_scalar(w, root, arena);
        return;
    }
    open_container(w, root, arena);
    remora_json_iter_begin(&open[depth++], root);
    while (depth > 0) {
        struct remora_json_iter *it = &open[depth - 1];
        if (!remora_json_iter_next(it)) {
            close_container(w, it->is_object);
            depth--;
            continue;
        }
        if (it->is_object) {
            struct remora_slice key;
            require(remora_json_string(it->key, arena, &key), "a key is a string");
            remora_json_key_slice(w, key);
        }
        if (is_container(it->value)) {
            open_container(w, it->value, arena);
            remora_json_iter_begin(&open[depth++], it->value);
        } else {
            write_scalar(w, it->value, arena);
        }
    }
}

/* Fed byte by byte it is whole exactly where the parser takes it. */
static void check_progress(struct remora_slice text)
{
    static const struct remora_json_limits deep = {REMORA_LIMIT_JSON_DEPTH, UINT32_MAX};
    struct remora_arena arena;
    struct remora_json_doc doc;
    struct remora_json_progress whole = {0};
    struct remora_json_progress bytes = {0};
    if (!remora_utf8_is_valid(text)) {
        return;
    }
    remora_arena_init(&arena, 4096, 64 << 20);
    bool is_taken = remora_json_parse(text, &arena, &deep, &doc, NULL) == REMORA_OK;
    remora_arena_fini(&arena);
    remora_json_progress_feed(&whole, text);
    for (size_t i = 0; i < text.length; i++) {
        remora_json_progress_feed(&bytes, remora_slice(text.data + i, 1));
    }
    require(remora_json_progress_is_whole(&whole) == is_taken, "whole is what parses");
    require(remora_json_progress_is_whole(&bytes) == is_taken, "pieces make no difference");
}

/* What folds is checked all the same, and its raw text is JSON. */
static void check_folded(struct remora_slice text)
{
    static const struct remora_json_fold fold = {REMORA_SLICE_INIT("a"), 1};
    struct remora_arena arena;
    struct remora_json_doc plain;
    struct remora_json_doc folded;
    const struct remora_json_limits deep = {DEPTH, UINT32_MAX};
    remora_arena_init(&arena, 4096, 64 << 20);
    bool is_taken = remora_json_parse(text, &arena, &deep, &plain, NULL) == REMORA_OK;
    enum remora_code code = remora_json_parse_folded(text, &arena, &deep, &fold, &folded, NULL);
    require((code == REMORA_OK) == is_taken, "folding decides nothing");
    require(!is_taken || folded.node_count <= plain.node_count, "folding makes no nodes");
    remora_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_arena arena;
    struct remora_json_doc doc;
    struct remora_json_error error = {0};
    remora_arena_init(&arena, 4096, 64 << 20);
    if (remora_json_parse(remora_slice((const char *)data, size), &arena, &limits, &doc, &error) ==
        REMORA_OK) {
        struct remora_buf buf;
        struct remora_json_writer w;
        struct remora_json_doc again;
        remora_buf_init(&buf, 64 << 20);
        remora_json_write_begin(&w, &buf);
        rewrite(&w, remora_json_root(&doc), &arena);
        require(remora_json_parse(remora_buf_slice(&buf), &arena, &limits, &again, NULL) ==
                    REMORA_OK,
                "what was written parses");
        require(again.node_count == doc.node_count, "nothing was lost");
        remora_buf_fini(&buf);
    } else {
        require(error.reason != NULL && error.offset <= size, "an error says where and why");
    }
    remora_arena_fini(&arena);
    check_progress(remora_slice((const char *)data, size));
    check_folded(remora_slice((const char *)data, size));
    return 0;
}
