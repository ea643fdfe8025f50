/*
 * One document -> one immutable snapshot.
 *
 * Read the YAML into a tree, hold it against the table of keys, then build: process, files of policies, providers, models,
 * policies, gateway keys. Each part needs only those before it. The tree and what is needed on the way lie in a scratch arena
 * that goes; what the snapshot
 * keeps lies in one arena that goes with the last reference, after its secrets were wiped.
 *
 * Fails: INVALID_REQUEST (with path, line and column), UNIMPLEMENTED (a key that is not built), TOO_LARGE, SHEDDING.
 */
#include "loader.h"

#include "remora/buf.h"
#include "remora/text.h"
#include "remora/tls.h"

#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA_CHUNK_BYTES = 32 << 10, REVISION_BYTES = 6, WARNINGS_MAX = 256, WARNING_BYTES = 512 };

struct snapshot {
    struct remora_config config;
    struct remora_config_private private_part;
};

enum remora_code config_no_room(struct config_loader *loader)
{
    enum remora_code code = loader->arena->failed;
    if (code == REMORA_OK) {
        code = loader->scratch->failed;
    }
    return remora_fail_set(loader->fail, code == REMORA_OK ? REMORA_SHEDDING : code, NULL,
                           "no room for the configuration");
}

struct remora_slice config_keep(struct config_loader *loader, struct remora_slice text)
{
    return remora_arena_copy(loader->arena, text);
}

void config_note_file(struct config_loader *loader, struct remora_slice path)
{
    struct remora_config *config = loader->config;
    if (config->file_count == loader->file_capacity) {
        size_t capacity = loader->file_capacity == 0 ? 16 : loader->file_capacity * 2;
        struct remora_slice *files =
            remora_arena_resize(loader->arena, loader->files, loader->file_capacity * sizeof *files,
                                capacity * sizeof *files);
        if (files == NULL) {
            return; /* the arena remembers and fails the build */
        }
        loader->files = files;
        loader->file_capacity = capacity;
        config->files = files;
    }
    loader->files[config->file_count++] = path;
}

static struct remora_warning *add_warning(struct config_loader *loader)
{
    if (loader->warning_count == WARNINGS_MAX) {
        return NULL;
    }
    if (loader->warning_count == loader->warning_capacity) {
        size_t capacity = loader->warning_capacity == 0 ? 16 : loader->warning_capacity * 2;
        struct remora_warning *warnings = remora_arena_resize(
            loader->arena, loader->warnings, loader->warning_capacity * sizeof *warnings,
            capacity * sizeof *warnings);
        if (warnings == NULL) {
            return NULL; /* the arena remembers and fails the build */
        }
        loader->warnings = warnings;
        loader->warning_capacity = capacity;
    }
    return &loader->warnings[loader->warning_count++];
}

void config_warn_path(struct config_loader *loader, const char *path, const char *format, ...)
{
    char text[WARNING_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct remora_warning *warning = add_warning(loader);
    struct remora_slice whole = remora_slice_of(text);
    whole.length -= remora_utf8_incomplete(whole); /* where the text was cut */
    if (warning != NULL) {
        warning->path = config_keep(loader, remora_slice_of(path));
        warning->text = config_keep(loader, whole);
    }
}

void config_warn(struct config_loader *loader, const struct config_node *at, const char *format,
                 ...)
{
    char text[WARNING_BYTES];
    char path[WARNING_BYTES] = "environment";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (at != NULL) {
        config_node_path(at, path, sizeof path);
    }
    config_warn_path(loader, path, "%s", text);
}

void config_note_kept(struct config_loader *loader, unsigned part, const struct remora_fail *why,
                      const char *stays)
{
    struct remora_config *config = loader->config;
    config->kept_parts |= 1U << part;
    config_warn_path(loader, why->param, "%s; %s", why->message, stays);
    if (config->kept_why == NULL) {
        struct remora_fail *kept = remora_arena_alloc(loader->arena, sizeof *kept);
        if (kept != NULL) {
            *kept = *why;
        }
        config->kept_why = kept;
    }
}

static enum remora_code note_read(struct config_loader *loader, enum remora_code rc,
                                  struct remora_fail *why)
{
    loader->config->is_unread |= rc == REMORA_INTERNAL;
    if (rc != REMORA_OK && why->message[0] == '\0') {
        return remora_fail_set(why, rc, NULL, "the file cannot be read");
    }
    return rc;
}

enum remora_code config_read_file(struct config_loader *loader, struct remora_slice path,
                                  struct remora_arena *arena, struct remora_slice *out,
                                  struct remora_fail *why)
{
    const struct remora_config_input *input = loader->input;
    config_note_file(loader, path);
    if (path.data == NULL) {
        return config_no_room(loader);
    }
    enum remora_code rc = input->read_file == NULL
                              ? REMORA_NOT_FOUND
                              : input->read_file(input->file_context, path.data, arena, out, why);
    return note_read(loader, rc, why);
}

enum remora_code config_read_secret(struct config_loader *loader, struct remora_slice path,
                                    struct remora_secret **out, struct remora_fail *why)
{
    const struct remora_config_input *input = loader->input;
    config_note_file(loader, path);
    if (path.data == NULL) {
        return config_no_room(loader);
    }
    enum remora_code rc = input->read_secret == NULL
                              ? REMORA_INVALID_REQUEST
                              : input->read_secret(input->file_context, path.data, out, why);
    return note_read(loader, rc, why);
}

const char *config_getenv(const struct config_loader *loader, const char *name)
{
    const struct remora_config_input *input = loader->input;
    const char *value = input->getenv == NULL ? NULL : input->getenv(input->getenv_context, name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

void config_read_deadlines(const struct config_node *node, struct remora_deadlines *out)
{
    out->connect_ms = config_integer(node, CONFIG_DEADLINES_CONNECT_MS, 0);
    out->first_byte_ms = config_integer(node, CONFIG_DEADLINES_FIRST_BYTE_MS, 0);
    out->response_ms = config_integer(node, CONFIG_DEADLINES_RESPONSE_MS, 0);
    out->idle_ms = config_integer(node, CONFIG_DEADLINES_IDLE_MS, 0);
    out->total_ms = config_integer(node, CONFIG_DEADLINES_TOTAL_MS, 0);
}

enum remora_code config_read_texts(struct config_loader *loader, const struct config_node *node,
                                   struct remora_slices *out)
{
    if (node == NULL) {
        return REMORA_OK;
    }
    struct remora_slice *items = remora_arena_array(loader->arena, node->count + 1, sizeof *items);
    if (items == NULL) {
        return config_no_room(loader);
    }
    size_t count = 0;
    for (const struct config_node *item = node->first; item != NULL; item = item->next) {
        items[count++] = config_keep(loader, item->text);
    }
    *out = (struct remora_slices){.items = items, .count = count, .is_set = true};
    return REMORA_OK;
}

bool config_is_quantization(struct remora_slice text)
{
    static const char *const names[] = {"int4", "int8",  "fp4",  "mxfp4", "nvfp4", "fp6",
                                        "fp8",  "mxfp8", "fp16", "bf16",  "fp32",  "unknown"};
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_is(text, names[i])) {
            return true;
        }
    }
    return false;
}

/* Of the document; files beside it make it the digest of both digests, one after another. */
static void digest_add(unsigned char digest[SHA256_DIGEST_LENGTH], struct remora_slice content)
{
    unsigned char both[2 * SHA256_DIGEST_LENGTH];
    memcpy(both, digest, SHA256_DIGEST_LENGTH);
    SHA256((const unsigned char *)content.data, content.length, both + SHA256_DIGEST_LENGTH);
    SHA256(both, sizeof both, digest);
}

static void write_revision(struct config_loader *loader)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct remora_slice document = loader->input->document;
    struct remora_buf hex;
    SHA256((const unsigned char *)(document.data == NULL ? "" : document.data), document.length,
           digest);
    for (size_t i = 0; i < REMORA_POLICY_FILES; i++) {
        if (loader->policy_files.of[i].root != NULL) {
            digest_add(digest, loader->policy_files.of[i].content);
        }
    }
    remora_buf_init(&hex, 64);
    remora_append_hex(&hex, remora_slice((const char *)digest, REVISION_BYTES));
    loader->config->revision = config_keep(loader, remora_buf_slice(&hex));
    remora_buf_fini(&hex);
}

/*
 * A file that was emptied (a full disk, a template that failed, an editor between two writes) is valid YAML and would take keys and
 * policies away; every default is wider than what it was written for. So a file says what it is.
 */
static enum remora_code require_version(const struct config_loader *loader)
{
    if (!loader->input->needs_version ||
        config_get(loader->root, CONFIG_DOCUMENT_VERSION) != NULL) {
        return REMORA_OK;
    }
    return remora_fail_set(loader->fail, REMORA_INVALID_REQUEST, "version",
                           "1:1: `version: 1` is missing: the file is empty or cut off");
}

static enum remora_code read_tree(struct config_loader *loader)
{
    struct config_node *root = NULL;
    enum remora_code rc =
        config_tree_read(loader->input->document, loader->scratch, &root, loader->fail);
    if (rc == REMORA_OK) {
        rc = config_check(root, loader->fail);
    }
    loader->root = root;
    if (rc == REMORA_OK) {
        rc = require_version(loader);
    }
    if (rc == REMORA_OK) {
        const struct remora_config_input *input = loader->input;
        struct remora_slice name =
            remora_slice_of(input->document_name == NULL ? "" : input->document_name);
        config_note_ending(loader, name, input->document, root);
        rc = config_check_ending(loader, name, input->document, root, loader->fail);
    }
    return rc;
}

static enum remora_code fill(struct config_loader *loader)
{
    enum remora_code rc = read_tree(loader);
    if (rc == REMORA_OK) {
        config_warn_of_plain_names(loader, loader->root);
        rc = config_read_tls(loader);
    }
    if (rc == REMORA_OK) {
        rc = config_read_process(loader);
    }
    if (rc == REMORA_OK) {
        rc = config_read_policy_files(loader);
    }
    if (rc == REMORA_OK) {
        rc = config_check_settled(loader);
    }
    if (rc == REMORA_OK) {
        rc = config_read_providers(loader);
    }
    if (rc == REMORA_OK) {
        rc = config_read_models(loader);
    }
    if (rc == REMORA_OK) {
        rc = config_read_policies(loader);
    }
    if (rc == REMORA_OK) {
        rc = config_read_gateway_keys(loader);
    }
    if (rc == REMORA_OK) {
        config_look_up_endpoints(loader);
        config_keep_policy_files(loader);
        loader->config->document = config_keep(loader, loader->input->document);
        write_revision(loader);
        loader->config->warnings = loader->warnings;
        loader->config->warning_count = loader->warning_count;
        loader->config->load_unix_ms = loader->input->now_unix_ms;
    }
    if (rc == REMORA_OK) {
        rc = config_keep_effective(loader);
    }
    if (rc == REMORA_OK &&
        (loader->arena->failed != REMORA_OK || loader->scratch->failed != REMORA_OK)) {
        rc = config_no_room(loader);
    }
    if (rc == REMORA_OK) {
        config_look_up_keys(loader);
    }
    return rc;
}

enum remora_code remora_config_build(const struct remora_config_input *input,
                                     struct remora_config **out, struct remora_fail *fail)
{
    struct remora_arena scratch;
    struct remora_fail unread = REMORA_FAIL_INIT;
    struct snapshot *snapshot = remora_alloc(sizeof *snapshot);
    if (snapshot == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "no room for the configuration");
    }
    struct remora_config_private *private_part = &snapshot->private_part;
    snapshot->config.private_part = private_part;
    atomic_init(&private_part->references, 1);
    remora_arena_init(&private_part->arena, ARENA_CHUNK_BYTES, REMORA_LIMIT_CONFIG_ARENA_BYTES);
    remora_arena_init(&scratch, ARENA_CHUNK_BYTES, REMORA_LIMIT_CONFIG_ARENA_BYTES);
    struct config_loader loader = {.input = input,
                                   .fail = fail == NULL ? &unread : fail,
                                   .config = &snapshot->config,
                                   .arena = &private_part->arena,
                                   .scratch = &scratch};
    enum remora_code rc = fill(&loader);
    remora_arena_fini(&scratch);
    if (rc != REMORA_OK) {
        remora_config_release(&snapshot->config);
        return rc;
    }
    *out = &snapshot->config;
    return REMORA_OK;
}

struct remora_config *remora_config_acquire(struct remora_config *config)
{
    atomic_fetch_add_explicit(&config->private_part->references, 1, memory_order_relaxed);
    return config;
}

void remora_config_release(struct remora_config *config)
{
    if (config == NULL || atomic_fetch_sub_explicit(&config->private_part->references, 1,
                                                    memory_order_acq_rel) != 1) {
        return;
    }
    remora_tls_release(config->tls);
    remora_secret_pages_fini(&config->private_part->secrets);
    remora_arena_fini(&config->private_part->arena);
    remora_free(REMORA_CONTAINER_OF(config, struct snapshot, config));
}
