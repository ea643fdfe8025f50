/*
 * A YAML document of the kind that configurations are written in, as JSON text: for files beside the configuration that hold
 * what is JSON elsewhere (requests). Plain scalars that JSON knows as a number, a boolean or null are those; every other scalar
 * is text, as are all quoted ones. Anchors, tags and doubled keys are refused as in a configuration.
 *
 * Depth is bounded by the tree. Fails as config_tree_read does.
 */
#include "tree.h"

#include "remora/config.h"
#include "remora/json.h"

static bool is_json_word(struct remora_slice text, struct remora_arena *arena)
{
    const struct remora_json_limits limits = {.depth = 1, .nodes = 1};
    struct remora_json_doc doc;
    struct remora_json_error error;
    return remora_json_parse(text, arena, &limits, &doc, &error) == REMORA_OK &&
           !remora_json_is(remora_json_root(&doc), REMORA_JSON_STRING);
}

static void write_scalar(struct remora_json_writer *w, const struct config_node *node,
                         struct remora_arena *arena)
{
    if (config_is_null(node)) {
        remora_json_write_null(w);
    } else if (node->is_plain && is_json_word(node->text, arena)) {
        remora_json_write_raw(w, node->text);
    } else {
        remora_json_write_string(w, node->text);
    }
}

static void write_node(struct remora_json_writer *w, const struct config_node *node,
                       struct remora_arena *arena)
{
    bool is_list = node->kind == CONFIG_NODE_LIST;
    if (node->kind == CONFIG_NODE_SCALAR) {
        write_scalar(w, node, arena);
        return;
    }
    if (is_list) {
        remora_json_array_open(w);
    } else {
        remora_json_object_open(w);
    }
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        if (!is_list) {
            remora_json_key_slice(w, item->key);
        }
        write_node(w, item, arena);
    }
    if (is_list) {
        remora_json_array_close(w);
    } else {
        remora_json_object_close(w);
    }
}

enum remora_code remora_yaml_to_json(struct remora_slice yaml, struct remora_arena *arena,
                                     struct remora_buf *out, struct remora_fail *fail)
{
    struct config_node *root = NULL;
    struct remora_json_writer w;
    enum remora_code code = config_tree_read(yaml, arena, &root, fail);
    if (code != REMORA_OK) {
        return code;
    }
    remora_json_write_begin(&w, out);
    if (root == NULL) {
        remora_json_write_null(&w);
    } else {
        write_node(&w, root, arena);
    }
    code = arena->failed != REMORA_OK ? arena->failed : remora_buf_code(out);
    return code == REMORA_OK ? code : remora_fail_set(fail, code, NULL, "no room for the document");
}
