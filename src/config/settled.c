/*
 * What a reload may not change, because it was decided when the process started and others rely on it.
 *
 *   entry    listeners speak TLS or plaintext, and ask for client certificates or do not: a file that went away must not open
 *            what was closed
 *   mode     what a document may say beside layers from files hangs on it
 *   layers   a layer that is read from a file goes on being read from that file: who may write the document must not lift a ceiling
 *            of somebody else's under a process that runs. A layer more is taken at once, for it can only narrow
 *
 * Failures: INVALID_REQUEST, which says to restart; nothing of the document is taken then.
 */
#include "loader.h"

#include "remora/tls.h"

static enum remora_code check_entry(const struct config_loader *loader)
{
    const struct remora_tls *is = loader->input->running->tls;
    const struct remora_tls *will = loader->config->tls;
    if ((is == NULL) == (will == NULL) &&
        (is == NULL || remora_tls_asks_clients(is) == remora_tls_asks_clients(will))) {
        return REMORA_OK;
    }
    return remora_fail_set(loader->fail, REMORA_INVALID_REQUEST, "tls",
                           "whether listeners speak TLS and ask for client certificates is settled "
                           "at the start: restart to change it");
}

static enum remora_code check_mode(const struct config_loader *loader)
{
    return loader->config->mode == loader->input->running->mode
               ? REMORA_OK
               : remora_fail_set(loader->fail, REMORA_INVALID_REQUEST, "mode",
                                 "the mode is settled at the start: restart to change it");
}

static enum remora_code check_layer(const struct config_loader *loader, unsigned layer)
{
    static const char *const params[REMORA_POLICY_FILES] = {
        [REMORA_POLICY_FILE_MESH] = "policy_files.mesh",
        [REMORA_POLICY_FILE_NAMESPACE] = "policy_files.namespace",
        [REMORA_POLICY_FILE_SERVICE] = "policy_files.service",
    };
    struct remora_slice is = loader->input->running->policy_texts[layer].path;
    const struct config_node *stated = loader->policy_files.of[layer].stated;
    if (is.length == 0 || (stated != NULL && remora_slice_equal(stated->text, is))) {
        return REMORA_OK;
    }
    return remora_fail_set(
        loader->fail, REMORA_INVALID_REQUEST, params[layer],
        "that this layer is read from %.*s is settled at the start: restart to change it",
        REMORA_SLICE_ARG(is));
}

enum remora_code config_check_settled(struct config_loader *loader)
{
    if (loader->input->running == NULL) {
        return REMORA_OK;
    }
    enum remora_code rc = check_entry(loader);
    if (rc == REMORA_OK) {
        rc = check_mode(loader);
    }
    for (unsigned i = 0; i < REMORA_POLICY_FILES && rc == REMORA_OK; i++) {
        rc = check_layer(loader, i);
    }
    return rc;
}
