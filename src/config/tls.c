/*
 * `tls`: the certificate of our listeners, its key, and the authorities of clients. The files are read here and held against
 * each other, so that `remora check` sees what a start would see.
 *
 * Fails: INVALID_REQUEST at the key whose file is absent, unreadable or not what it should be. In a process that runs, such files (a
 * swap that is half done, a pair that does not fit) leave the certificate, its key and the authorities of clients as they are, and
 * all else is loaded: who renews a certificate must not hold up the revocation of a key. Warns of a key that everybody may read and
 * of a certificate that has ended.
 */
#include "loader.h"

#include "remora/tls.h"

struct tls_files {
    const struct config_node *certificate;
    const struct config_node *key;
    const struct config_node *client_ca;
};

static enum remora_code require(struct config_loader *loader, const struct config_node *node,
                                enum config_key key, const struct config_node **out)
{
    *out = config_get(node, key);
    return *out != NULL ? REMORA_OK
                        : config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail, "needs %s",
                                         config_key_row(key)->text);
}

static enum remora_code read_text(struct config_loader *loader, const struct config_node *path,
                                  struct remora_slice *out, struct remora_fail *fail)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    if (path == NULL) {
        return REMORA_OK;
    }
    if (config_read_file(loader, config_keep(loader, path->text), loader->scratch, out, &why) !=
        REMORA_OK) {
        return config_fail_at(path, REMORA_INVALID_REQUEST, fail, "%s", why.message);
    }
    return out->length > 0
               ? REMORA_OK
               : config_fail_at(path, REMORA_INVALID_REQUEST, fail, "the file is empty");
}

static enum remora_code read_key(struct config_loader *loader, const struct config_node *path,
                                 struct remora_secret **out, struct remora_fail *fail)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct config_secret told = {.name = config_keep(loader, path->text)};
    if (config_read_secret(loader, told.name, out, &why) != REMORA_OK) {
        return config_fail_at(path, REMORA_INVALID_REQUEST, fail, "%s", why.message);
    }
    told.secret = *out;
    config_warn_of_exposure(loader, path, &told);
    return config_hold_secret(loader, out);
}

static enum remora_code make(struct config_loader *loader, const struct config_node *node,
                             const struct remora_tls_input *input, struct remora_fail *fail)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code rc = remora_tls_new(input, &loader->config->tls, &why);
    return rc == REMORA_OK ? rc : config_fail_at(node, rc, fail, "%s", why.message);
}

/* All files are read, also behind one that cannot be: whichever is mended is a change. */
static enum remora_code read_files(struct config_loader *loader, const struct config_node *node,
                                   const struct tls_files *files, struct remora_fail *fail)
{
    struct remora_tls_input input = {0};
    struct remora_secret *key = NULL;
    struct remora_fail later = REMORA_FAIL_INIT;
    enum remora_code rc = read_text(loader, files->certificate, &input.certificate, fail);
    enum remora_code next =
        read_text(loader, files->client_ca, &input.client_ca, rc == REMORA_OK ? fail : &later);
    rc = rc == REMORA_OK ? next : rc;
    next = read_key(loader, files->key, &key, rc == REMORA_OK ? fail : &later);
    rc = rc == REMORA_OK ? next : rc;
    input.key = key;
    return rc == REMORA_OK ? make(loader, node, &input, fail) : rc;
}

static enum remora_code keep(struct config_loader *loader, const struct remora_fail *why)
{
    const struct remora_config *running = loader->input->running;
    if (running == NULL || running->tls == NULL) {
        *loader->fail = *why;
        return why->code;
    }
    loader->config->tls = remora_tls_acquire(running->tls);
    loader->config->is_unread |= why->code == REMORA_SHEDDING;
    config_note_kept(loader, REMORA_KEPT_TLS, why, "tls stays as it was");
    return REMORA_OK;
}

enum remora_code config_read_tls(struct config_loader *loader)
{
    const struct config_node *node = config_get(loader->root, CONFIG_DOCUMENT_TLS);
    struct tls_files files = {.client_ca = config_get(node, CONFIG_TLS_CLIENT_CA_FILE)};
    struct remora_fail why = REMORA_FAIL_INIT;
    if (node == NULL) {
        return REMORA_OK;
    }
    enum remora_code rc = require(loader, node, CONFIG_TLS_CERT_FILE, &files.certificate);
    if (rc == REMORA_OK) {
        rc = require(loader, node, CONFIG_TLS_KEY_FILE, &files.key);
    }
    if (rc != REMORA_OK) {
        return rc;
    }
    rc = read_files(loader, node, &files, &why);
    if (rc != REMORA_OK && why.code != REMORA_OK) { /* else there was no room, which is told */
        rc = keep(loader, &why);
    }
    if (rc == REMORA_OK &&
        remora_tls_end_unix_s(loader->config->tls) < loader->input->now_unix_ms / 1000) {
        config_warn(loader, node, "the certificate has ended: clients will refuse it");
    }
    return rc;
}
