/*
 * `tls`: the certificate of our listeners, its key, and the authorities of clients. The files are read here and held against
 * each other, so that `remora check` sees what a start would see, and a swap that is half done changes nothing: the document
 * is refused as a whole and the certificate that was there goes on (ARCHITECTURE 8).
 *
 * Fails: INVALID_REQUEST at the key whose file is absent, unreadable or not what it should be. Warns of a key that everybody
 * may read and of a certificate that has ended.
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
                                  struct remora_slice *out)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code rc = REMORA_INVALID_REQUEST;
    if (path == NULL) {
        return REMORA_OK;
    }
    config_note_file(loader, config_keep(loader, path->text));
    if (loader->input->read_file != NULL) {
        rc = loader->input->read_file(loader->input->file_context, path->text.data, loader->scratch,
                                      out, &why);
    }
    return rc == REMORA_OK
               ? rc
               : config_fail_at(path, REMORA_INVALID_REQUEST, loader->fail, "%s",
                                why.message[0] == '\0' ? "the file cannot be read" : why.message);
}

static enum remora_code read_key(struct config_loader *loader, const struct config_node *path,
                                 struct remora_secret **out)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct config_secret told = {.name = config_keep(loader, path->text)};
    enum remora_code rc = REMORA_INVALID_REQUEST;
    config_note_file(loader, told.name);
    if (loader->input->read_secret != NULL) {
        rc = loader->input->read_secret(loader->input->file_context, path->text.data, out, &why);
    }
    if (rc != REMORA_OK) {
        return config_fail_at(path, REMORA_INVALID_REQUEST, loader->fail, "%s",
                              why.message[0] == '\0' ? "the file cannot be read" : why.message);
    }
    told.secret = *out;
    config_warn_of_exposure(loader, path, &told);
    return config_hold_secret(loader, out);
}

static enum remora_code make(struct config_loader *loader, const struct config_node *node,
                             const struct remora_tls_input *input)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code rc = remora_tls_new(input, &loader->config->tls, &why);
    if (rc != REMORA_OK) {
        return config_fail_at(node, rc, loader->fail, "%s", why.message);
    }
    if (remora_tls_end_unix_s(loader->config->tls) < loader->input->now_unix_ms / 1000) {
        config_warn(loader, node, "the certificate has ended: clients will refuse it");
    }
    return REMORA_OK;
}

enum remora_code config_read_tls(struct config_loader *loader)
{
    const struct config_node *node = config_get(loader->root, CONFIG_DOCUMENT_TLS);
    struct tls_files files = {.client_ca = config_get(node, CONFIG_TLS_CLIENT_CA_FILE)};
    struct remora_tls_input input = {0};
    struct remora_secret *key = NULL;
    if (node == NULL) {
        return REMORA_OK;
    }
    enum remora_code rc = require(loader, node, CONFIG_TLS_CERT_FILE, &files.certificate);
    if (rc == REMORA_OK) {
        rc = require(loader, node, CONFIG_TLS_KEY_FILE, &files.key);
    }
    if (rc == REMORA_OK) {
        rc = read_text(loader, files.certificate, &input.certificate);
    }
    if (rc == REMORA_OK) {
        rc = read_text(loader, files.client_ca, &input.client_ca);
    }
    if (rc == REMORA_OK) {
        rc = read_key(loader, files.key, &key);
    }
    input.key = key;
    if (rc == REMORA_OK && files.client_ca != NULL && input.client_ca.length == 0) {
        rc = config_fail_at(files.client_ca, REMORA_INVALID_REQUEST, loader->fail,
                            "the file is empty");
    }
    return rc == REMORA_OK ? make(loader, node, &input) : rc;
}
