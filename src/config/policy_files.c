/*
 * Policy layers from files of their own (ARCHITECTURE 8): a platform team mounts what it may decide, the document stays the
 * application's.
 *
 * Each named file is read, parsed and held against the table of keys as one policy object; policies.c then reads it where the
 * document's own layer would stand. A layer has one source: a document that states it too is refused.
 *
 * A file that is absent is no mistake of the document's: the snapshot is built, but it is not ready and every request is
 * refused until the file is there (its layer allows nothing meanwhile, see policies.c). A file that is there and wrong fails
 * the build, with its own name, line and column before the reason.
 */
#include "loader.h"

#include "remora/text.h"

#include <stdio.h>

static const struct {
    enum config_key key;
    const char *absent;
} layers[CONFIG_FILE_LAYER_COUNT] = {
    [CONFIG_FILE_MESH] = {CONFIG_POLICY_FILES_MESH, "the mesh policy is absent"},
    [CONFIG_FILE_NAMESPACE] = {CONFIG_POLICY_FILES_NAMESPACE, "the namespace's policy is absent"},
    [CONFIG_FILE_SERVICE] = {CONFIG_POLICY_FILES_SERVICE, "the service's policy is absent"},
};

/* The end of a long path tells more than its beginning. */
static struct remora_slice shown(struct remora_slice path)
{
    enum { SHOWN_BYTES = 120 };
    if (path.length <= SHOWN_BYTES) {
        return path;
    }
    size_t from = path.length - SHOWN_BYTES;
    while (from < path.length && ((unsigned char)path.data[from] & 0xC0) == 0x80) {
        from++;
    }
    return remora_slice(path.data + from, path.length - from);
}

/* Of a file that is not YAML only its own path is known, not where in it. */
static enum remora_code wrong_file(struct config_loader *loader, const struct config_node *stated,
                                   enum remora_code code, const struct remora_fail *why)
{
    char path[sizeof why->param];
    struct remora_slice name = shown(stated->text);
    config_node_path(stated, path, sizeof path);
    bool is_whole = strncmp(why->param, path, strlen(path)) == 0;
    return remora_fail_set(loader->fail, code, is_whole ? why->param : path, "%.*s:%s",
                           REMORA_SLICE_ARG(name), why->message);
}

/* The tree of the file stands where its path stands in the document, so that paths in messages lead there. */
static void graft(struct config_node *root, const struct config_node *stated)
{
    root->key = stated->key;
    root->parent = stated->parent;
    root->next = NULL;
}

static enum remora_code parse(struct config_loader *loader, struct config_policy_file *file)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct config_node *root = NULL;
    enum remora_code rc = config_tree_read(file->content, loader->scratch, &root, &why);
    if (rc == REMORA_OK && root == NULL) {
        /* Not an empty one by oversight: a ceiling that lost its lines would be none. */
        rc = remora_fail_set(&why, REMORA_INVALID_REQUEST, NULL,
                             "1:1: the file is empty; a policy that restricts nothing is {}");
    }
    if (rc == REMORA_OK) {
        graft(root, file->stated);
        rc = config_is_null(root)
                 ? config_fail_at(root, REMORA_INVALID_REQUEST, &why,
                                  "the file is empty; a policy that restricts nothing is {}")
                 : config_check_object(root, CONFIG_OBJECT_POLICY, &why);
    }
    file->root = root;
    return rc == REMORA_OK ? rc : wrong_file(loader, file->stated, rc, &why);
}

/* As an earlier snapshot had it. */
static enum remora_code read_earlier(const struct remora_policy_text *earlier,
                                     struct config_policy_file *file)
{
    if (!remora_slice_equal(earlier->path, file->stated->text)) {
        return REMORA_NOT_FOUND;
    }
    file->content = earlier->content;
    return REMORA_OK;
}

static enum remora_code read_content(struct config_loader *loader, enum config_file_layer layer)
{
    const struct remora_config_input *input = loader->input;
    struct config_policy_file *file = &loader->policy_files.of[layer];
    if ((input->keeps & (1U << layer)) != 0) {
        return read_earlier(&input->earlier->policy_texts[layer], file);
    }
    if (input->read_file == NULL) {
        return REMORA_NOT_FOUND;
    }
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code rc = input->read_file(input->file_context, file->stated->text.data,
                                           loader->scratch, &file->content, &why);
    if (rc == REMORA_OK || rc == REMORA_NOT_FOUND) {
        return rc;
    }
    return config_fail_at(file->stated, rc, loader->fail, "%s", why.message);
}

static enum remora_code keep_text(struct config_loader *loader, enum config_file_layer layer)
{
    const struct config_policy_file *file = &loader->policy_files.of[layer];
    struct remora_policy_text *text = &loader->config->policy_texts[layer];
    text->path = config_keep(loader, file->stated->text);
    text->content = config_keep(loader, file->content);
    return text->path.data != NULL && text->content.data != NULL ? REMORA_OK
                                                                 : config_no_room(loader);
}

static enum remora_code read_layer(struct config_loader *loader, enum config_file_layer layer)
{
    struct config_policy_file *file = &loader->policy_files.of[layer];
    file->stated =
        config_get(config_get(loader->root, CONFIG_DOCUMENT_POLICY_FILES), layers[layer].key);
    if (file->stated == NULL) {
        return REMORA_OK;
    }
    config_note_file(loader, config_keep(loader, file->stated->text));
    enum remora_code rc = read_content(loader, layer);
    if (rc == REMORA_NOT_FOUND) {
        struct remora_slice name = shown(file->stated->text);
        config_warn(loader, file->stated,
                    "%.*s is absent: not ready, and every request is refused until it is there",
                    REMORA_SLICE_ARG(name));
        if (loader->config->not_ready_why == NULL) {
            loader->config->not_ready_why = layers[layer].absent;
        }
        return REMORA_OK;
    }
    if (rc == REMORA_OK) {
        rc = parse(loader, file);
    }
    if (rc == REMORA_OK) {
        config_note_ending(loader, file->stated->text, file->content, file->root);
    }
    return rc == REMORA_OK ? keep_text(loader, layer) : rc;
}

static enum remora_code refuse_second(const struct config_loader *loader,
                                      enum config_file_layer layer, const struct config_node *other)
{
    char path[sizeof loader->fail->param];
    const struct config_node *stated = loader->policy_files.of[layer].stated;
    if (stated == NULL || other == NULL) {
        return REMORA_OK;
    }
    config_node_path(other, path, sizeof path);
    return config_fail_at(stated, REMORA_INVALID_REQUEST, loader->fail,
                          "the document states %s too: leave one of them out", path);
}

static enum remora_code refuse_doubles(const struct config_loader *loader)
{
    const struct remora_config *config = loader->config;
    const struct config_node *root = loader->root;
    enum remora_code rc =
        refuse_second(loader, CONFIG_FILE_MESH, config_get(root, CONFIG_DOCUMENT_POLICY));
    if (rc == REMORA_OK) {
        rc = refuse_second(loader, CONFIG_FILE_NAMESPACE,
                           config_get_named(config_get(root, CONFIG_DOCUMENT_NAMESPACES),
                                            config->namespace_name.data));
    }
    if (rc == REMORA_OK) {
        rc = refuse_second(
            loader, CONFIG_FILE_SERVICE,
            config_get_named(config_get(root, CONFIG_DOCUMENT_SERVICES), config->service.data));
    }
    return rc;
}

enum remora_code config_read_policy_files(struct config_loader *loader)
{
    enum remora_code rc = REMORA_OK;
    for (size_t i = 0; i < CONFIG_FILE_LAYER_COUNT && rc == REMORA_OK; i++) {
        rc = read_layer(loader, (enum config_file_layer)i);
    }
    loader->config->policy_file_count = loader->config->file_count;
    return rc == REMORA_OK ? refuse_doubles(loader) : rc;
}

enum remora_code config_read_policy_file(struct config_loader *loader,
                                         const struct config_policy_file *file,
                                         struct remora_policy *out)
{
    if (file->root == NULL) {
        config_policy_begin(out);
        out->models_allow = (struct remora_slices){.is_set = true};
        return REMORA_OK;
    }
    struct remora_fail why = REMORA_FAIL_INIT;
    struct remora_fail *outer = loader->fail;
    loader->fail = &why;
    enum remora_code rc = config_read_policy(loader, file->root, out);
    loader->fail = outer;
    return rc == REMORA_OK ? rc : wrong_file(loader, file->stated, rc, &why);
}
