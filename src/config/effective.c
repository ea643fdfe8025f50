/*
 * The effective configuration without its secrets, for the admin listener: the document as it was understood, with the
 * defaults of what it leaves out, and what became of its providers.
 *
 * Secrets never stand in a document (ARCHITECTURE 8): a source is told by its name and whether there was anything behind it,
 * a header that was given literally only by its name. Everything is read from the table of keys, so that a new key is told
 * without a line here. Written once per load, because the tree goes with it.
 *
 * Cannot fail: the buffer carries failure.
 */
#include "loader.h"

#include "remora/buf.h"
#include "remora/json.h"

struct writer {
    struct remora_json_writer json;
    const struct config_loader *loader;
};

/* ---- sources ---- */

static void write_source(struct writer *w, const struct config_node *source)
{
    const struct config_node *name = config_get(source, CONFIG_SOURCE_ENV);
    const struct config_node *path = config_get(source, CONFIG_SOURCE_FILE);
    bool is_present = path != NULL ? config_held(w->loader->config, path->text) != NULL
                                   : config_getenv(w->loader, name->text.data) != NULL;
    remora_json_object_open(&w->json);
    remora_json_key(&w->json, path != NULL ? "file" : "env");
    remora_json_write_string(&w->json, path != NULL ? path->text : name->text);
    remora_json_key(&w->json, "present");
    remora_json_write_bool(&w->json, is_present);
    remora_json_object_close(&w->json);
}

static void write_sources(struct writer *w, const struct config_node *node)
{
    if (node->kind != CONFIG_NODE_LIST) {
        write_source(w, node);
        return;
    }
    remora_json_array_open(&w->json);
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        write_source(w, item);
    }
    remora_json_array_close(&w->json);
}

static void write_headers(struct writer *w, const struct config_node *node)
{
    remora_json_object_open(&w->json);
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        remora_json_key_slice(&w->json, item->key);
        if (item->kind == CONFIG_NODE_MAPPING) {
            write_source(w, item);
            continue;
        }
        remora_json_object_open(&w->json);
        remora_json_key(&w->json, "literal");
        remora_json_write_bool(&w->json, true);
        remora_json_object_close(&w->json);
    }
    remora_json_object_close(&w->json);
}

/* ---- values ---- */

static void write_object(struct writer *w, enum config_object object,
                         const struct config_node *node, bool has_defaults);

/* A list, else a mapping by names of the operator's. */
static bool open_items(struct writer *w, const struct config_node *node)
{
    bool is_list = node->kind == CONFIG_NODE_LIST;
    if (is_list) {
        remora_json_array_open(&w->json);
    } else {
        remora_json_object_open(&w->json);
    }
    return is_list;
}

static void close_items(struct writer *w, bool is_list)
{
    if (is_list) {
        remora_json_array_close(&w->json);
    } else {
        remora_json_object_close(&w->json);
    }
}

static void write_texts(struct writer *w, const struct config_node *node)
{
    bool is_list = open_items(w, node);
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        if (!is_list) {
            remora_json_key_slice(&w->json, item->key);
        }
        remora_json_write_string(&w->json, item->text);
    }
    close_items(w, is_list);
}

static void write_objects(struct writer *w, enum config_object object,
                          const struct config_node *node)
{
    bool is_list = open_items(w, node);
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        if (!is_list) {
            remora_json_key_slice(&w->json, item->key);
        }
        write_object(w, object, item, false);
    }
    close_items(w, is_list);
}

static void write_stated(struct writer *w, const struct config_key_row *row,
                         const struct config_node *node, bool has_defaults)
{
    if (config_is_null(node)) {
        remora_json_write_null(&w->json);
        return;
    }
    switch (row->type) {
    case CONFIG_TEXT:
    case CONFIG_MONEY:
    case CONFIG_OPTIONAL_MONEY:
        remora_json_write_string(&w->json, node->text);
        return;
    case CONFIG_TEXTS:
    case CONFIG_TEXT_MAP:
        write_texts(w, node);
        return;
    case CONFIG_BOOLEAN:
    case CONFIG_TRISTATE:
        remora_json_write_bool(&w->json, node->boolean);
        return;
    case CONFIG_INTEGER:
    case CONFIG_OPTIONAL_INTEGER:
        remora_json_write_i64(&w->json, node->integer);
        return;
    case CONFIG_OBJECT:
        write_object(w, row->of, node, has_defaults);
        return;
    case CONFIG_OBJECTS:
    case CONFIG_OBJECT_MAP:
        write_objects(w, row->of, node);
        return;
    case CONFIG_SOURCES:
        write_sources(w, node);
        return;
    case CONFIG_HEADERS:
        write_headers(w, node);
        return;
    case CONFIG_UNBUILT:
        remora_json_write_null(&w->json);
        return;
    }
}

/* ---- what was not stated ---- */

/* Defaults of numbers and words are written as they are; others ("by mode") are prose for the docs. */
static bool is_literal(struct remora_slice text)
{
    return text.length > 0 && remora_slice_find(text, ' ', 0) == text.length;
}

static void write_default(struct writer *w, const struct config_key_row *row)
{
    struct remora_slice text = remora_slice_of(row->default_text);
    if (row->type == CONFIG_OBJECT) {
        remora_json_key(&w->json, row->text);
        write_object(w, row->of, NULL, true);
    } else if ((row->type == CONFIG_INTEGER || row->type == CONFIG_BOOLEAN) && is_literal(text)) {
        remora_json_key(&w->json, row->text);
        remora_json_write_raw(&w->json, text);
    } else if (row->type == CONFIG_TEXT && is_literal(text)) {
        remora_json_key(&w->json, row->text);
        remora_json_write_string(&w->json, text);
    }
}

/* The environment has the last word on who is served. */
static bool write_name(struct writer *w, enum config_key key)
{
    const struct remora_config *config = w->loader->config;
    if (key != CONFIG_DOCUMENT_SERVICE && key != CONFIG_DOCUMENT_NAMESPACE) {
        return false;
    }
    remora_json_key(&w->json, config_key_row(key)->text);
    remora_json_write_string(&w->json, key == CONFIG_DOCUMENT_SERVICE ? config->service
                                                                      : config->namespace_name);
    return true;
}

/* An empty policy is no policy: its defaults would say what no layer says. */
static bool has_default(const struct config_key_row *row)
{
    return row->of != CONFIG_OBJECT_POLICY && row->type != CONFIG_UNBUILT;
}

static void write_object(struct writer *w, enum config_object object,
                         const struct config_node *node, bool has_defaults)
{
    remora_json_object_open(&w->json);
    for (int i = CONFIG_KEY_NONE + 1; i < CONFIG_KEY_COUNT; i++) {
        enum config_key key = (enum config_key)i;
        const struct config_key_row *row = config_key_row(key);
        if (row->stands_in != object || write_name(w, key)) {
            continue;
        }
        const struct config_node *stated = config_get(node, key);
        if (stated != NULL) {
            remora_json_key(&w->json, row->text);
            write_stated(w, row, stated, has_defaults);
        } else if (has_defaults && has_default(row)) {
            write_default(w, row);
        }
    }
    remora_json_object_close(&w->json);
}

/* ---- what became of it ---- */

static void write_text(struct writer *w, const char *key, struct remora_slice text)
{
    remora_json_key(&w->json, key);
    remora_json_write_string(&w->json, text);
}

static void write_number(struct writer *w, const char *key, size_t value)
{
    remora_json_key(&w->json, key);
    remora_json_write_i64(&w->json, (int64_t)value);
}

static void write_provider(struct writer *w, const struct remora_provider *provider)
{
    remora_json_object_open(&w->json);
    write_text(w, "slug", provider->facts.slug);
    write_text(w, "kind", remora_slice_of(remora_wire_name(provider->facts.wire)));
    write_text(w, "dialect", provider->facts.dialect);
    write_text(w, "base_url", provider->facts.base_url);
    remora_json_key(&w->json, "enabled");
    remora_json_write_bool(&w->json, provider->disabled_why == NULL);
    if (provider->disabled_why != NULL) {
        write_text(w, "disabled_why", remora_slice_of(provider->disabled_why));
    }
    remora_json_key(&w->json, "keys");
    remora_json_array_open(&w->json);
    for (size_t i = 0; i < provider->credential_count; i++) {
        remora_json_write_string(&w->json, provider->credentials[i].name);
    }
    remora_json_array_close(&w->json);
    remora_json_object_close(&w->json);
}

/* What the files that the document names hold; null: absent. */
static void write_policy_files(struct writer *w)
{
    static const char *const names[] = {
        [REMORA_POLICY_FILE_MESH] = "mesh",
        [REMORA_POLICY_FILE_NAMESPACE] = "namespace",
        [REMORA_POLICY_FILE_SERVICE] = "service",
    };
    remora_json_key(&w->json, "policies_from_files");
    remora_json_object_open(&w->json);
    for (size_t i = 0; i < REMORA_POLICY_FILES; i++) {
        const struct config_policy_file *file = &w->loader->policy_files.of[i];
        if (file->stated == NULL) {
            continue;
        }
        remora_json_key(&w->json, names[i]);
        if (file->root == NULL) {
            remora_json_write_null(&w->json);
        } else {
            write_object(w, CONFIG_OBJECT_POLICY, file->root, false);
        }
    }
    remora_json_object_close(&w->json);
}

static void write_outcome(struct writer *w)
{
    const struct remora_config *config = w->loader->config;
    size_t endpoints = 0;
    write_policy_files(w);
    for (size_t i = 0; i < config->model_count; i++) {
        endpoints += config->models[i].endpoint_count;
    }
    remora_json_key(&w->json, "providers");
    remora_json_array_open(&w->json);
    for (size_t i = 0; i < config->provider_count; i++) {
        write_provider(w, &config->providers[i]);
    }
    remora_json_array_close(&w->json);
    write_number(w, "model_count", config->model_count);
    write_number(w, "endpoint_count", endpoints);
    remora_json_key(&w->json, "warnings");
    remora_json_array_open(&w->json);
    for (size_t i = 0; i < config->warning_count; i++) {
        remora_json_object_open(&w->json);
        write_text(w, "path", config->warnings[i].path);
        write_text(w, "text", config->warnings[i].text);
        remora_json_object_close(&w->json);
    }
    remora_json_array_close(&w->json);
}

enum remora_code config_keep_effective(struct config_loader *loader)
{
    struct remora_buf text;
    struct writer w = {.loader = loader};
    remora_buf_init(&text, REMORA_LIMIT_CONFIG_ARENA_BYTES);
    remora_json_write_begin(&w.json, &text);
    remora_json_object_open(&w.json);
    write_text(&w, "revision", loader->config->revision);
    write_text(&w, "catalog_version", remora_slice_of(remora_catalog_version()));
    remora_json_key(&w.json, "document");
    write_object(&w, CONFIG_OBJECT_DOCUMENT, loader->root, true);
    write_outcome(&w);
    remora_json_object_close(&w.json);
    enum remora_code code = remora_buf_code(&text);
    if (code == REMORA_OK) {
        loader->config->effective_json = config_keep(loader, remora_buf_slice(&text));
        code = loader->config->effective_json.data == NULL ? REMORA_SHEDDING : REMORA_OK;
    }
    remora_buf_fini(&text);
    return code == REMORA_OK ? REMORA_OK : config_no_room(loader);
}
