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
 *
 * Both hold at the start. In a process that runs, a layer whose file cannot be taken stays as it is in the running snapshot, and all
 * else is taken: each layer has its own owner, and what one of them breaks must not keep another's new ceiling, or a
 * provider's new key, from taking effect. As it is may be: not there, where the document names the layer for the first time.
 */
#include "loader.h"

#include "remora/text.h"

#include <stdio.h>

static const struct {
    enum config_key key;
    const char *absent;
} layers[REMORA_POLICY_FILES] = {
    [REMORA_POLICY_FILE_MESH] = {CONFIG_POLICY_FILES_MESH, "the mesh policy is absent"},
    [REMORA_POLICY_FILE_NAMESPACE] = {CONFIG_POLICY_FILES_NAMESPACE,
                                      "the namespace's policy is absent"},
    [REMORA_POLICY_FILE_SERVICE] = {CONFIG_POLICY_FILES_SERVICE, "the service's policy is absent"},
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

static enum remora_code read_content(struct config_loader *loader, struct config_policy_file *file)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code rc = config_read_file(loader, config_keep(loader, file->stated->text),
                                           loader->scratch, &file->content, &why);
    if (rc == REMORA_OK || rc == REMORA_NOT_FOUND) {
        return rc;
    }
    return config_fail_at(file->stated, rc, loader->fail, "%s", why.message);
}

/* ---- as it was ---- */

/* False: nothing runs, the layer is absent there too, or what it said fits this document no more. */
static bool parse_before(struct config_loader *loader, unsigned layer)
{
    struct config_policy_file *file = &loader->policy_files.of[layer];
    const struct remora_config *running = loader->input->running;
    if (running == NULL || file->is_kept) {
        return false;
    }
    const struct remora_policy_text *before = &running->policy_texts[layer];
    file->is_kept = true;
    if (before->path.length == 0) { /* not named there */
        *file = (struct config_policy_file){.is_kept = true};
        return true;
    }
    file->content = before->content;
    struct remora_fail unread = REMORA_FAIL_INIT;
    struct remora_fail *outer = loader->fail;
    loader->fail = &unread;
    bool is_good = before->content.data != NULL && parse(loader, file) == REMORA_OK;
    loader->fail = outer;
    return is_good;
}

/* Instead of a file that cannot be taken; where that fails too, its own fault is told. */
static enum remora_code keep_layer(struct config_loader *loader, unsigned layer,
                                   const struct remora_fail *why)
{
    if (!parse_before(loader, layer)) {
        *loader->fail = *why;
        return why->code;
    }
    *loader->fail = (struct remora_fail)REMORA_FAIL_INIT;
    config_note_kept(loader, layer, why, "the layer stays as it was");
    return REMORA_OK;
}

/* ---- one layer ---- */

static enum remora_code absent(struct config_loader *loader, unsigned layer)
{
    const struct config_node *stated = loader->policy_files.of[layer].stated;
    struct remora_slice name = shown(stated->text);
    struct remora_fail why = REMORA_FAIL_INIT;
    (void)config_fail_at(stated, REMORA_NOT_FOUND, &why, "%.*s is absent", REMORA_SLICE_ARG(name));
    if (keep_layer(loader, layer, &why) == REMORA_OK) {
        return REMORA_OK;
    }
    *loader->fail = (struct remora_fail)REMORA_FAIL_INIT;
    loader->policy_files.of[layer].root = NULL;
    config_warn(loader, stated,
                "%.*s is absent: not ready, and every request is refused until it is there",
                REMORA_SLICE_ARG(name));
    if (loader->config->not_ready_why == NULL) {
        loader->config->not_ready_why = layers[layer].absent;
    }
    return REMORA_OK;
}

static enum remora_code check_whole(struct config_loader *loader,
                                    const struct config_policy_file *file)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code rc =
        config_check_ending(loader, file->stated->text, file->content, file->root, &why);
    return rc == REMORA_OK ? rc : config_fail_at(file->stated, rc, loader->fail, "%s", why.message);
}

static enum remora_code read_layer(struct config_loader *loader, unsigned layer)
{
    struct config_policy_file *file = &loader->policy_files.of[layer];
    file->stated =
        config_get(config_get(loader->root, CONFIG_DOCUMENT_POLICY_FILES), layers[layer].key);
    if (file->stated == NULL) {
        return REMORA_OK;
    }
    enum remora_code rc = read_content(loader, file);
    if (rc == REMORA_NOT_FOUND) {
        return absent(loader, layer);
    }
    if (rc == REMORA_OK) {
        rc = parse(loader, file);
    }
    if (rc == REMORA_OK) {
        rc = check_whole(loader, file);
    }
    const struct remora_fail why = *loader->fail;
    return rc == REMORA_OK ? rc : keep_layer(loader, layer, &why);
}

static enum remora_code refuse_second(const struct config_loader *loader, unsigned layer,
                                      const struct config_node *other)
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
        refuse_second(loader, REMORA_POLICY_FILE_MESH, config_get(root, CONFIG_DOCUMENT_POLICY));
    if (rc == REMORA_OK) {
        rc = refuse_second(loader, REMORA_POLICY_FILE_NAMESPACE,
                           config_get_named(config_get(root, CONFIG_DOCUMENT_NAMESPACES),
                                            config->namespace_name.data));
    }
    if (rc == REMORA_OK) {
        rc = refuse_second(
            loader, REMORA_POLICY_FILE_SERVICE,
            config_get_named(config_get(root, CONFIG_DOCUMENT_SERVICES), config->service.data));
    }
    return rc;
}

enum remora_code config_read_policy_files(struct config_loader *loader)
{
    enum remora_code rc = REMORA_OK;
    for (unsigned i = 0; i < REMORA_POLICY_FILES && rc == REMORA_OK; i++) {
        rc = read_layer(loader, i);
    }
    loader->config->policy_file_count = loader->config->file_count;
    return rc == REMORA_OK ? refuse_doubles(loader) : rc;
}

static enum remora_code read_policy(struct config_loader *loader,
                                    const struct config_policy_file *file,
                                    struct remora_policy *out)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct remora_fail *outer = loader->fail;
    loader->fail = &why;
    enum remora_code rc = config_read_policy(loader, file->root, out);
    loader->fail = outer;
    return rc == REMORA_OK ? rc : wrong_file(loader, file->stated, rc, &why);
}

enum remora_code config_read_policy_file(struct config_loader *loader, unsigned layer,
                                         struct remora_policy *out)
{
    const struct config_policy_file *file = &loader->policy_files.of[layer];
    if (file->root == NULL) {
        config_policy_begin(out);
        out->models_allow = (struct remora_slices){.is_set = true};
        return REMORA_OK;
    }
    enum remora_code rc = read_policy(loader, file, out);
    if (rc == REMORA_OK) {
        return rc;
    }
    const struct remora_fail why = *loader->fail;
    rc = keep_layer(loader, layer, &why);
    if (rc == REMORA_OK && file->stated == NULL) {
        config_policy_begin(out); /* it was not there */
    } else if (rc == REMORA_OK && read_policy(loader, file, out) != REMORA_OK) {
        *loader->fail = why; /* what was in force does not fit this document either */
        rc = why.code;
    }
    return rc;
}

void config_keep_policy_files(struct config_loader *loader)
{
    for (size_t i = 0; i < REMORA_POLICY_FILES; i++) {
        const struct config_policy_file *file = &loader->policy_files.of[i];
        struct remora_policy_text *text = &loader->config->policy_texts[i];
        if (file->stated != NULL) {
            text->path = config_keep(loader, file->stated->text);
        }
        if (file->root != NULL) {
            text->content = config_keep(loader, file->content);
            config_note_ending(loader, file->stated->text, file->content, file->root);
        }
    }
}
