/*
 * The keys of the document as an enumeration and a table, read from tbl/config_keys.h. Pure data, any thread.
 */
#ifndef REMORA_CONFIG_KEYS_H
#define REMORA_CONFIG_KEYS_H

#include "remora/base.h"
#include "remora/limits.h"

enum config_type {
    CONFIG_TEXT,
    CONFIG_TEXTS,
    CONFIG_TEXT_MAP,
    CONFIG_BOOLEAN,
    CONFIG_TRISTATE, /* boolean or null */
    CONFIG_INTEGER,
    CONFIG_OPTIONAL_INTEGER, /* or null */
    CONFIG_MONEY,            /* a decimal, as number or text; its own characters are read */
    CONFIG_OPTIONAL_MONEY,   /* or null */
    CONFIG_OBJECT,
    CONFIG_OBJECTS,    /* a list of them */
    CONFIG_OBJECT_MAP, /* by a name that the operator chooses */
    CONFIG_SOURCES,    /* {env: NAME} or {file: PATH}, or a list of them */
    CONFIG_HEADERS,    /* name: text, or name: {env: NAME} or {file: PATH} */
    CONFIG_UNBUILT,
};

enum config_object {
    CONFIG_OBJECT_NONE,
    CONFIG_OBJECT_DOCUMENT,
    CONFIG_OBJECT_LISTEN,
    CONFIG_OBJECT_GRPC,
    CONFIG_OBJECT_TLS,
    CONFIG_OBJECT_LOG,
    CONFIG_OBJECT_ADMISSION,
    CONFIG_OBJECT_PROVIDER,
    CONFIG_OBJECT_CLIENT_CERT,
    CONFIG_OBJECT_DATA_POLICY,
    CONFIG_OBJECT_MODEL,
    CONFIG_OBJECT_MODALITIES,
    CONFIG_OBJECT_ENDPOINT,
    CONFIG_OBJECT_PRICING,
    CONFIG_OBJECT_PRICING_TIER,
    CONFIG_OBJECT_GATEWAY_KEY,
    CONFIG_OBJECT_POLICY_FILES,
    CONFIG_OBJECT_POLICY,
    CONFIG_OBJECT_POLICY_MODELS,
    CONFIG_OBJECT_PREFERENCES,
    CONFIG_OBJECT_MAX_PRICE,
    CONFIG_OBJECT_LIMITS,
    CONFIG_OBJECT_DEADLINES,
    CONFIG_OBJECT_ATTEMPTS,
    CONFIG_OBJECT_DRAIN,
    CONFIG_OBJECT_SOURCE,
};

enum config_key {
    CONFIG_KEY_NONE,
#define REMORA_CONFIG_KEY(object, id, ...) CONFIG_##object##_##id,
#include "remora/tbl/config_keys.h"
#undef REMORA_CONFIG_KEY
    CONFIG_KEY_COUNT
};

/* The longest entry of a list of texts (a model id with a pattern or two); the longest value of a header. */
enum { CONFIG_ITEM_BYTES = 512, CONFIG_HEADER_BYTES = 4096 };

struct config_key_row {
    const char *text;
    const char *default_text;
    const char *description;
    int64_t min;
    int64_t max;
    enum config_object stands_in;
    enum config_type type;
    enum config_object of;
};

/* Never NULL for a key of the enumeration but CONFIG_KEY_NONE. */
const struct config_key_row *config_key_row(enum config_key key);
/* CONFIG_KEY_NONE when the object has no such key. */
enum config_key config_key_find(enum config_object object, struct remora_slice text);
/* The key of the object that is closest to `text`, for "did you mean"; NULL when none is close. */
const char *config_key_suggest(enum config_object object, struct remora_slice text);

#endif
