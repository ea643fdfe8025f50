/*
 * The header of trial features: reading it, keeping what was read, and writing it.
 *
 * Happy path: no header, or a few names that go on as they came, each once. Ways to fail: something that is no name, too many
 * of them. That is refused and not ignored: the body was written for what the header asks for.
 * Sources: RFC 9110 sections 5.6.1 (lists) and 5.6.2 (tokens); openrouter.md section 11.
 */
#include "remora/betas.h"

static bool is_token_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_name(struct remora_slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (!is_token_byte(name.data[i])) {
            return false;
        }
    }
    return name.length <= REMORA_LIMIT_ID_BYTES;
}

static bool is_known(const struct remora_betas *betas, struct remora_slice name)
{
    for (size_t i = 0; i < betas->count; i++) {
        if (remora_slice_equal(betas->names[i], name)) {
            return true;
        }
    }
    return false;
}

static enum remora_code add_name(struct remora_betas *betas, struct remora_slice name,
                                 struct remora_fail *fail)
{
    if (!is_name(name)) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, REMORA_BETA_HEADER,
                               REMORA_BETA_HEADER
                               " must be names of features, separated by commas.");
    }
    if (is_known(betas, name)) {
        return REMORA_OK;
    }
    if (betas->count == REMORA_LIMIT_BETAS) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, REMORA_BETA_HEADER,
                               REMORA_BETA_HEADER " must name at most %d features.",
                               REMORA_LIMIT_BETAS);
    }
    betas->names[betas->count++] = name;
    return REMORA_OK;
}

enum remora_code remora_betas_add(struct remora_betas *betas, struct remora_slice value,
                                  struct remora_fail *fail)
{
    enum remora_code code = REMORA_OK;
    for (size_t at = 0; code == REMORA_OK && at < value.length;) {
        size_t comma = remora_slice_find(value, ',', at);
        struct remora_slice name = remora_slice_trim(remora_slice(value.data + at, comma - at));
        at = comma + 1;
        code = name.length == 0 ? REMORA_OK : add_name(betas, name, fail);
    }
    return code;
}

const struct remora_slices *remora_betas_keep(const struct remora_betas *betas,
                                              struct remora_arena *arena)
{
    if (betas->count == 0) {
        return NULL;
    }
    struct remora_slices *kept = remora_arena_alloc(arena, sizeof *kept);
    struct remora_slice *names = remora_arena_array(arena, betas->count, sizeof *names);
    if (kept == NULL || names == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < betas->count; i++) {
        names[i] = remora_arena_copy(arena, betas->names[i]);
    }
    *kept = (struct remora_slices){.items = names, .count = betas->count, .is_set = true};
    return kept;
}

/* Whether a list (RFC 9110 section 5.6.1) has this element. */
static bool lists(struct remora_slice list, struct remora_slice name)
{
    for (size_t at = 0; at < list.length;) {
        size_t comma = remora_slice_find(list, ',', at);
        if (remora_slice_equal(remora_slice_trim(remora_slice(list.data + at, comma - at)), name)) {
            return true;
        }
        at = comma + 1;
    }
    return false;
}

struct remora_slice remora_betas_join(struct remora_slice first, const struct remora_slices *names,
                                      struct remora_arena *arena)
{
    size_t most = first.length + 1;
    for (size_t i = 0; i < names->count; i++) {
        most += names->items[i].length + 1;
    }
    char *list = remora_arena_alloc(arena, most);
    if (list == NULL) {
        return remora_slice(NULL, 0);
    }
    size_t at = 0;
    for (; at < first.length; at++) {
        list[at] = first.data[at];
    }
    for (size_t i = 0; i < names->count; i++) {
        if (lists(first, names->items[i])) {
            continue;
        }
        if (at > 0) {
            list[at++] = ',';
        }
        memcpy(list + at, names->items[i].data, names->items[i].length);
        at += names->items[i].length;
    }
    return remora_slice(list, at);
}
