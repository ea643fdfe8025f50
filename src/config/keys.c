/* See keys.h. */
#include "keys.h"

#include "remora/text.h"

/* How many edits a misspelt name may be away from the one that is suggested. */
enum { SUGGEST_EDITS = 2 };

static const struct config_key_row rows[CONFIG_KEY_COUNT] = {
#define REMORA_CONFIG_KEY(object, id, key, kind, values, least, most, preset, about) \
    [CONFIG_##object##_##id] = {.text = key,                                         \
                                .default_text = preset,                              \
                                .description = about,                                \
                                .min = least,                                        \
                                .max = most,                                         \
                                .stands_in = CONFIG_OBJECT_##object,                 \
                                .type = CONFIG_##kind,                               \
                                .of = CONFIG_OBJECT_##values},
#include "remora/tbl/config_keys.h"
#undef REMORA_CONFIG_KEY
};

const struct config_key_row *config_key_row(enum config_key key)
{
    return &rows[key];
}

enum config_key config_key_find(enum config_object object, struct remora_slice text)
{
    for (size_t i = 1; i < CONFIG_KEY_COUNT; i++) {
        if (rows[i].stands_in == object && remora_slice_is(text, rows[i].text)) {
            return (enum config_key)i;
        }
    }
    return CONFIG_KEY_NONE;
}

const char *config_key_suggest(enum config_object object, struct remora_slice text)
{
    const char *best = NULL;
    unsigned best_edits = SUGGEST_EDITS + 1;
    for (size_t i = 1; i < CONFIG_KEY_COUNT; i++) {
        if (rows[i].stands_in != object) {
            continue;
        }
        unsigned edits = remora_edit_distance(text, remora_slice_of(rows[i].text), SUGGEST_EDITS);
        if (edits < best_edits) {
            best_edits = edits;
            best = rows[i].text;
        }
    }
    return best;
}
