/*
 * Chunks that differ in their text only (openai_mold.h).
 *
 *   learn  the holes of a chunk, in order: the text, and top-level strings that are padding; what lies between is copied
 *   match  part, string, part, string, part: equal bytes, valid strings, nothing left over
 * A chunk that does not fit goes the long way, and becomes the next mold if it is plain. So nothing depends on what a
 * provider's chunks look like: if they never fit, each costs one comparison and one copy more.
 */
#include "openai_mold.h"

#include "openai_members.h"

void openai_mold_init(struct openai_mold *mold)
{
    *mold = (struct openai_mold){0};
    remora_buf_init(&mold->fixed, OPENAI_MOLD_BYTES);
}

void openai_mold_fini(struct openai_mold *mold)
{
    remora_buf_fini(&mold->fixed);
}

/* ---- learning ---- */

static bool lies_in(struct remora_slice inner, struct remora_slice outer)
{
    return (uintptr_t)inner.data > (uintptr_t)outer.data &&
           (uintptr_t)inner.data + inner.length < (uintptr_t)outer.data + outer.length;
}

/* What lies between the quotes. */
static struct remora_slice between_quotes(struct remora_json string)
{
    struct remora_slice raw = remora_json_raw(string);
    return remora_slice(raw.data + 1, raw.length - 2);
}

/* The strings that may change, in order; their number, or 0 when the text is not among them. */
static uint8_t find_holes(struct remora_json root, struct remora_slice text,
                          struct remora_slice holes[OPENAI_MOLD_HOLES], uint8_t *text_hole)
{
    struct remora_json_iter it;
    uint8_t count = 0;
    bool has_text = false;
    remora_json_iter_begin(&it, root);
    while (remora_json_iter_next(&it)) {
        if (lies_in(text, remora_json_raw(it.value))) {
            *text_hole = count;
            holes[count++] = text;
            has_text = true;
        } else if (count < OPENAI_MOLD_HOLES - (has_text ? 0 : 1) &&
                   remora_json_is(it.value, REMORA_JSON_STRING) && openai_is_padding(it.key)) {
            holes[count++] = between_quotes(it.value);
        }
    }
    return has_text ? count : 0;
}

static void keep_part(struct openai_mold *mold, uint8_t part, const char *from, const char *to)
{
    remora_buf_append(&mold->fixed, remora_slice(from, (size_t)(to - from)));
    mold->ends[part] = (uint16_t)mold->fixed.length;
}

void openai_mold_learn(struct openai_mold *mold, struct remora_slice chunk, struct remora_json root,
                       const struct openai_plain *plain)
{
    struct remora_slice holes[OPENAI_MOLD_HOLES];
    remora_buf_reset(&mold->fixed, OPENAI_MOLD_BYTES);
    mold->holes = 0;
    uint8_t count = find_holes(root, plain->text, holes, &mold->text_hole);
    if (count == 0 || !lies_in(plain->text, chunk)) {
        return;
    }
    const char *from = chunk.data;
    for (uint8_t i = 0; i < count; i++) {
        keep_part(mold, i, from, holes[i].data);
        from = holes[i].data + holes[i].length;
    }
    keep_part(mold, count, from, chunk.data + chunk.length);
    mold->kind = plain->kind;
    mold->choice = plain->choice;
    /* Too long for a mold, or no memory: none. */
    mold->holes = remora_buf_code(&mold->fixed) == REMORA_OK ? count : 0;
}

/* ---- matching ---- */

/* Steps over a fixed part; false when it stands otherwise. */
static bool step(const struct openai_mold *mold, uint8_t part, struct remora_slice *rest)
{
    size_t begin = part == 0 ? 0 : mold->ends[part - 1];
    size_t length = mold->ends[part] - begin;
    if (rest->length < length || memcmp(rest->data, mold->fixed.data + begin, length) != 0) {
        return false;
    }
    *rest = remora_slice(rest->data + length, rest->length - length);
    return true;
}

bool openai_mold_match(const struct openai_mold *mold, struct remora_slice chunk,
                       struct remora_arena *arena, struct openai_plain *out)
{
    struct remora_slice rest = chunk;
    struct remora_slice text = {0};
    bool text_escaped = false;
    if (mold->holes == 0) {
        return false;
    }
    for (uint8_t i = 0; i < mold->holes; i++) {
        struct remora_slice raw;
        bool escaped;
        if (!step(mold, i, &rest) || !remora_json_scan_string(rest, &raw, &escaped)) {
            return false;
        }
        if (i == mold->text_hole) {
            text = raw;
            text_escaped = escaped;
        }
        rest = remora_slice(rest.data + raw.length, rest.length - raw.length);
    }
    if (text.length == 0 || !step(mold, mold->holes, &rest) || rest.length > 0) {
        return false;
    }
    out->kind = mold->kind;
    out->choice = mold->choice;
    return remora_json_unescape(text, text_escaped, arena, &out->text);
}
