/*
 * The table of keys as a JSON Schema, for editors and for tools that write configurations. What one key says by itself is
 * here: names, types, ranges, closed sets. What takes two keys, the catalog or the environment is known to remora_config_build
 * alone, so a document that fits the schema may still be refused; and one that it refuses is refused there too, but for
 * texts that YAML would read as a number or a boolean: the schema wants them in quotes.
 *
 * Cannot fail: the buffer carries failure.
 *
 * Source: JSON Schema 2020-12, "Core" section 8.2.4 ($defs) and "Validation" section 6.
 */
#include "keys.h"

#include "remora/config.h"
#include "remora/json.h"

#include <stdio.h>

/* Names of definitions, by enum config_object. */
static const char *const object_names[] = {
    [CONFIG_OBJECT_NONE] = "none",
    [CONFIG_OBJECT_DOCUMENT] = "document",
    [CONFIG_OBJECT_LISTEN] = "listen",
    [CONFIG_OBJECT_GRPC] = "grpc",
    [CONFIG_OBJECT_TLS] = "tls",
    [CONFIG_OBJECT_LOG] = "log",
    [CONFIG_OBJECT_ADMISSION] = "admission",
    [CONFIG_OBJECT_PROVIDER] = "provider",
    [CONFIG_OBJECT_CLIENT_CERT] = "client_cert",
    [CONFIG_OBJECT_DATA_POLICY] = "data_policy",
    [CONFIG_OBJECT_MODEL] = "model",
    [CONFIG_OBJECT_MODALITIES] = "modalities",
    [CONFIG_OBJECT_ENDPOINT] = "endpoint",
    [CONFIG_OBJECT_PRICING] = "pricing",
    [CONFIG_OBJECT_PRICING_TIER] = "pricing_tier",
    [CONFIG_OBJECT_GATEWAY_KEY] = "gateway_key",
    [CONFIG_OBJECT_POLICY_FILES] = "policy_files",
    [CONFIG_OBJECT_POLICY] = "policy",
    [CONFIG_OBJECT_POLICY_MODELS] = "policy_models",
    [CONFIG_OBJECT_PREFERENCES] = "preferences",
    [CONFIG_OBJECT_MAX_PRICE] = "max_price",
    [CONFIG_OBJECT_LIMITS] = "limits",
    [CONFIG_OBJECT_DEADLINES] = "deadlines",
    [CONFIG_OBJECT_ATTEMPTS] = "attempts",
    [CONFIG_OBJECT_DRAIN] = "drain",
    [CONFIG_OBJECT_SOURCE] = "source",
};

/* What the table cannot say of a key's texts. Words stand between blanks. */
struct text_rule {
    enum config_key key;
    const char *words;
    const char *pattern;
    const char *name_pattern; /* of the names of a map */
};

#define QUANTIZATIONS "int4 int8 fp4 mxfp4 nvfp4 fp6 fp8 mxfp8 fp16 bf16 fp32 unknown"
#define MODALITIES    "text image audio video file embeddings"
#define ADDRESS       "^(off|unix:/.+|(\\[[0-9A-Fa-f:.]+\\]|[^:\\[\\]]+):[0-9]{1,5})$"
#define TOKEN         "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$" /* RFC 9110 section 5.6.2 */
#define DECIMAL       "^[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$"

static const struct text_rule text_rules[] = {
    {CONFIG_DOCUMENT_MODE, .words = "sidecar gateway"},
    {CONFIG_LOG_LEVEL, .words = "error warn info debug"},
    {CONFIG_LISTEN_HTTP, .pattern = ADDRESS},
    {CONFIG_LISTEN_GRPC, .pattern = ADDRESS},
    {CONFIG_LISTEN_PROBE, .pattern = ADDRESS},
    {CONFIG_LISTEN_ADMIN, .pattern = ADDRESS},
    {CONFIG_LISTEN_UNIX_UIDS, .pattern = "^[0-9]{1,10}$"},
    {CONFIG_DOCUMENT_PROVIDERS, .name_pattern = "^[a-z0-9][a-z0-9._-]{0,63}$"},
    {CONFIG_DOCUMENT_MODELS, .name_pattern = "^[!-)+-~]{1,256}$"},
    {CONFIG_DOCUMENT_NAMESPACES, .name_pattern = "^.{1,128}$"},
    {CONFIG_DOCUMENT_SERVICES, .name_pattern = "^.{1,128}$"},
    {CONFIG_DOCUMENT_KEYS, .name_pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
    {CONFIG_PROVIDER_KIND, .words =
#define REMORA_WIRE(name, kind, built) kind " "
#include "remora/tbl/wires.h"
#undef REMORA_WIRE
    },
    {CONFIG_PROVIDER_BASE_URL, .pattern = "^https?://"},
    {CONFIG_PROVIDER_HEADERS, .name_pattern = TOKEN},
    {CONFIG_PROVIDER_HEADQUARTERS, .pattern = "^[A-Z]{2}$"},
    {CONFIG_MODALITIES_INPUT, .words = MODALITIES},
    {CONFIG_MODALITIES_OUTPUT, .words = MODALITIES},
    {CONFIG_ENDPOINT_QUANTIZATION, .words = QUANTIZATIONS},
    {CONFIG_ENDPOINT_SUPPORTED_PARAMETERS,
     .words =
#define REMORA_PARAMETER(name, text) text " "
#include "remora/tbl/parameters.h"
#undef REMORA_PARAMETER
         "max_completion_tokens include_reasoning reasoning_effort stream input encoding_format"},
    {CONFIG_ENDPOINT_REASONING_EFFORTS, .words = "none minimal low medium high xhigh max"},
    {CONFIG_PREFERENCES_QUANTIZATIONS, .words = QUANTIZATIONS},
    {CONFIG_PREFERENCES_DATA_COLLECTION, .words = "allow deny"},
    {CONFIG_SOURCE_ENV, .pattern = "^[A-Za-z0-9_]+$"},
};

static const struct text_rule *rule_of(enum config_key key)
{
    static const struct text_rule none = {.key = CONFIG_KEY_NONE};
    for (size_t i = 0; i < REMORA_COUNT_OF(text_rules); i++) {
        if (text_rules[i].key == key) {
            return &text_rules[i];
        }
    }
    return &none;
}

static bool is_required(enum config_key key)
{
    return key == CONFIG_DOCUMENT_VERSION || key == CONFIG_ENDPOINT_PROVIDER ||
           key == CONFIG_ENDPOINT_MODEL_ID || key == CONFIG_PRICING_TIER_MIN_PROMPT_TOKENS ||
           key == CONFIG_CLIENT_CERT_CERT_FILE || key == CONFIG_CLIENT_CERT_KEY_FILE ||
           key == CONFIG_TLS_CERT_FILE || key == CONFIG_TLS_KEY_FILE ||
           key == CONFIG_GATEWAY_KEY_SERVICE || key == CONFIG_GATEWAY_KEY_HASH;
}

/* ---- small writers ---- */

static void put_text(struct remora_json_writer *w, const char *key, const char *text)
{
    remora_json_key(w, key);
    remora_json_write_text(w, text);
}

static void put_number(struct remora_json_writer *w, const char *key, int64_t value)
{
    remora_json_key(w, key);
    remora_json_write_i64(w, value);
}

/* "type": one, or one of two when `other` is not NULL. */
static void put_type(struct remora_json_writer *w, const char *type, const char *other)
{
    if (other == NULL) {
        put_text(w, "type", type);
        return;
    }
    remora_json_key(w, "type");
    remora_json_array_open(w);
    remora_json_write_text(w, type);
    remora_json_write_text(w, other);
    remora_json_array_close(w);
}

static void put_bounds(struct remora_json_writer *w, const char *least_key, int64_t least,
                       const char *most_key, int64_t most)
{
    if (least > 0) {
        put_number(w, least_key, least);
    }
    if (most > 0) {
        put_number(w, most_key, most);
    }
}

static void put_words(struct remora_json_writer *w, const char *words)
{
    struct remora_slice rest = remora_slice_of(words);
    remora_json_key(w, "enum");
    remora_json_array_open(w);
    while (rest.length > 0) {
        size_t end = remora_slice_find(rest, ' ', 0);
        size_t next = end < rest.length ? end + 1 : end;
        remora_json_write_string(w, remora_slice(rest.data, end));
        rest = remora_slice(rest.data + next, rest.length - next);
    }
    remora_json_array_close(w);
}

static void put_ref_members(struct remora_json_writer *w, enum config_object object)
{
    char text[48];
    snprintf(text, sizeof text, "#/$defs/%s", object_names[object]);
    put_text(w, "$ref", text);
}

static void put_ref(struct remora_json_writer *w, enum config_object object)
{
    remora_json_object_open(w);
    put_ref_members(w, object);
    remora_json_object_close(w);
}

/* ---- types ---- */

/* Bytes bound characters from above, so no text that fits is refused. */
static void put_string(struct remora_json_writer *w, int64_t least, int64_t most,
                       const struct text_rule *rule)
{
    put_text(w, "type", "string");
    if (rule->words != NULL) {
        put_words(w, rule->words);
        return;
    }
    put_bounds(w, "minLength", least > 0 ? 1 : 0, "maxLength", most);
    if (rule->pattern != NULL) {
        put_text(w, "pattern", rule->pattern);
    }
}

static void put_texts(struct remora_json_writer *w, const struct config_key_row *row,
                      const struct text_rule *rule)
{
    put_text(w, "type", "array");
    put_bounds(w, "minItems", row->min, "maxItems", row->max);
    remora_json_key(w, "items");
    remora_json_object_open(w);
    put_string(w, 1, CONFIG_ITEM_BYTES, rule);
    remora_json_object_close(w);
}

static void put_integer(struct remora_json_writer *w, const struct config_key_row *row,
                        const char *other)
{
    put_type(w, "integer", other);
    put_number(w, "minimum", row->min);
    put_number(w, "maximum", row->max);
}

static void put_money(struct remora_json_writer *w, bool may_be_null)
{
    remora_json_key(w, "type");
    remora_json_array_open(w);
    remora_json_write_text(w, "string");
    remora_json_write_text(w, "number");
    if (may_be_null) {
        remora_json_write_text(w, "null");
    }
    remora_json_array_close(w);
    put_text(w, "pattern", DECIMAL);
    put_number(w, "minimum", 0);
}

static void put_objects(struct remora_json_writer *w, const struct config_key_row *row)
{
    put_text(w, "type", "array");
    put_number(w, "maxItems", row->max);
    remora_json_key(w, "items");
    put_ref(w, row->of);
}

/*
 * Begins the schema of a map's values. Names that have to look alike are a pattern and not "propertyNames": Helm's validator
 * tells the wrong place of those.
 */
static void open_values(struct remora_json_writer *w, const char *name_pattern)
{
    if (name_pattern == NULL) {
        remora_json_key(w, "additionalProperties");
        return;
    }
    remora_json_key(w, "additionalProperties");
    remora_json_write_bool(w, false);
    remora_json_key(w, "patternProperties");
    remora_json_object_open(w);
    remora_json_key(w, name_pattern);
}

static void close_values(struct remora_json_writer *w, const char *name_pattern)
{
    if (name_pattern != NULL) {
        remora_json_object_close(w);
    }
}

/* {...} or null: a name without a mapping behind it states nothing. */
static void put_ref_or_null(struct remora_json_writer *w, enum config_object object)
{
    remora_json_object_open(w);
    remora_json_key(w, "anyOf");
    remora_json_array_open(w);
    put_ref(w, object);
    remora_json_object_open(w);
    put_text(w, "type", "null");
    remora_json_object_close(w);
    remora_json_array_close(w);
    remora_json_object_close(w);
}

static void put_map(struct remora_json_writer *w, const struct config_key_row *row,
                    const struct text_rule *rule)
{
    put_type(w, "object", "null");
    if (row->type == CONFIG_OBJECT_MAP) {
        put_bounds(w, "minProperties", 0, "maxProperties", row->max);
    }
    open_values(w, rule->name_pattern);
    if (row->type == CONFIG_TEXT_MAP) {
        remora_json_object_open(w);
        put_string(w, row->min, row->max, rule);
        remora_json_object_close(w);
    } else {
        put_ref_or_null(w, row->of);
    }
    close_values(w, rule->name_pattern);
}

static void put_sources(struct remora_json_writer *w, const struct config_key_row *row)
{
    remora_json_key(w, "anyOf");
    remora_json_array_open(w);
    put_ref(w, CONFIG_OBJECT_SOURCE);
    remora_json_object_open(w);
    put_text(w, "type", "array");
    put_bounds(w, "minItems", row->min, "maxItems", row->max);
    remora_json_key(w, "items");
    put_ref(w, CONFIG_OBJECT_SOURCE);
    remora_json_object_close(w);
    remora_json_array_close(w);
}

static void put_headers(struct remora_json_writer *w, const struct config_key_row *row,
                        const struct text_rule *rule)
{
    put_text(w, "type", "object");
    put_bounds(w, "minProperties", 0, "maxProperties", row->max);
    open_values(w, rule->name_pattern);
    remora_json_object_open(w);
    remora_json_key(w, "anyOf");
    remora_json_array_open(w);
    remora_json_object_open(w);
    put_string(w, 1, CONFIG_HEADER_BYTES, rule);
    remora_json_object_close(w);
    put_ref(w, CONFIG_OBJECT_SOURCE);
    remora_json_array_close(w);
    remora_json_object_close(w);
    close_values(w, rule->name_pattern);
}

/* A schema that nothing fits, so that the key is known, described and refused. */
static void put_unbuilt(struct remora_json_writer *w)
{
    remora_json_key(w, "not");
    remora_json_object_open(w);
    remora_json_object_close(w);
}

static void put_value(struct remora_json_writer *w, const struct config_key_row *row,
                      const struct text_rule *rule)
{
    switch (row->type) {
    case CONFIG_TEXT:
        return put_string(w, row->min, row->max, rule);
    case CONFIG_TEXTS:
        return put_texts(w, row, rule);
    case CONFIG_BOOLEAN:
        return put_type(w, "boolean", NULL);
    case CONFIG_TRISTATE:
        return put_type(w, "boolean", "null");
    case CONFIG_INTEGER:
        return put_integer(w, row, NULL);
    case CONFIG_OPTIONAL_INTEGER:
        return put_integer(w, row, "null");
    case CONFIG_MONEY:
        return put_money(w, false);
    case CONFIG_OPTIONAL_MONEY:
        return put_money(w, true);
    case CONFIG_OBJECT:
        return put_ref_members(w, row->of);
    case CONFIG_OBJECTS:
        return put_objects(w, row);
    case CONFIG_TEXT_MAP:
    case CONFIG_OBJECT_MAP:
        return put_map(w, row, rule);
    case CONFIG_SOURCES:
        return put_sources(w, row);
    case CONFIG_HEADERS:
        return put_headers(w, row, rule);
    case CONFIG_UNBUILT:
        return put_unbuilt(w);
    }
}

/* ---- keys and objects ---- */

static void put_key(struct remora_json_writer *w, enum config_key key)
{
    const struct config_key_row *row = config_key_row(key);
    char text[512];
    const char *preset = row->default_text;
    snprintf(text, sizeof text, "%s%s%s%s%s",
             row->type == CONFIG_UNBUILT ? "Not built yet: refused. " : "", row->description,
             preset[0] == '\0' ? "" : " Default: ", preset, preset[0] == '\0' ? "" : ".");
    remora_json_key(w, row->text);
    remora_json_object_open(w);
    put_text(w, "description", text);
    put_value(w, row, rule_of(key));
    remora_json_object_close(w);
}

static void put_required(struct remora_json_writer *w, enum config_object object)
{
    bool has_any = false;
    for (int key = 1; key < CONFIG_KEY_COUNT; key++) {
        if (config_key_row((enum config_key)key)->stands_in != object ||
            !is_required((enum config_key)key)) {
            continue;
        }
        if (!has_any) {
            remora_json_key(w, "required");
            remora_json_array_open(w);
            has_any = true;
        }
        remora_json_write_text(w, config_key_row((enum config_key)key)->text);
    }
    if (has_any) {
        remora_json_array_close(w);
    }
}

static void put_object_members(struct remora_json_writer *w, enum config_object object)
{
    put_type(w, "object", NULL);
    remora_json_key(w, "additionalProperties");
    remora_json_write_bool(w, false);
    if (object == CONFIG_OBJECT_SOURCE) { /* env or file */
        put_bounds(w, "minProperties", 1, "maxProperties", 1);
    }
    put_required(w, object);
    remora_json_key(w, "properties");
    remora_json_object_open(w);
    for (int key = 1; key < CONFIG_KEY_COUNT; key++) {
        if (config_key_row((enum config_key)key)->stands_in == object) {
            put_key(w, (enum config_key)key);
        }
    }
    remora_json_object_close(w);
}

/* ---- roots ---- */

/* What a row's values are made of, or CONFIG_OBJECT_NONE. */
static enum config_object object_of(const struct config_key_row *row)
{
    bool is_source = row->type == CONFIG_SOURCES || row->type == CONFIG_HEADERS;
    return is_source ? CONFIG_OBJECT_SOURCE : row->of;
}

/* The table has no cycles: objects lead inwards only. */
static void mark_reached(enum config_object from, bool *is_reached)
{
    for (int key = 1; key < CONFIG_KEY_COUNT; key++) {
        const struct config_key_row *row = config_key_row((enum config_key)key);
        enum config_object next = object_of(row);
        if (row->stands_in == from && next != CONFIG_OBJECT_NONE && !is_reached[next]) {
            is_reached[next] = true;
            mark_reached(next, is_reached);
        }
    }
}

static void put_definitions(struct remora_json_writer *w, enum config_object root)
{
    bool is_reached[REMORA_COUNT_OF(object_names)] = {false};
    mark_reached(root, is_reached);
    remora_json_key(w, "$defs");
    remora_json_object_open(w);
    for (size_t i = 0; i < REMORA_COUNT_OF(object_names); i++) {
        if (is_reached[i]) {
            remora_json_key(w, object_names[i]);
            remora_json_object_open(w);
            put_object_members(w, (enum config_object)i);
            remora_json_object_close(w);
        }
    }
    remora_json_object_close(w);
}

void remora_config_schema(struct remora_buf *out, enum remora_schema_root root)
{
    static const struct {
        enum config_object object;
        const char *title;
    } roots[] = {
        [REMORA_SCHEMA_DOCUMENT] = {CONFIG_OBJECT_DOCUMENT, "Configuration of Remora"},
        [REMORA_SCHEMA_POLICY] = {CONFIG_OBJECT_POLICY, "Policy of Remora, in a file of its own"},
    };
    struct remora_json_writer w;
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    put_text(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    put_text(&w, "title", roots[root].title);
    put_object_members(&w, roots[root].object);
    put_definitions(&w, roots[root].object);
    remora_json_object_close(&w);
}
