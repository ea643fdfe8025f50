/*
 * Gateway keys: who callers are, by the SHA-256 of what they show (ARCHITECTURE 8 "A policy has one shape").
 *
 * A hash that cannot be read (file absent, writable by everybody, not 64 hex digits) or that two names share lets nobody in:
 * a warning, never the end of the process and never an open door, since having any key at all makes keys required.
 */
#include "loader.h"

enum { NAME_BYTES = 64 };

/* Names become labels of metrics and fields of log lines. */
static bool is_name(struct remora_slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_plain && (i == 0 || (c != '.' && c != '_' && c != '-'))) {
            return false;
        }
    }
    return name.length > 0 && name.length <= NAME_BYTES;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct decoding {
    uint8_t *to;
    bool is_hash;
};

static void decode(void *context, struct remora_slice text)
{
    struct decoding *decoding = context;
    decoding->is_hash = text.length == (size_t)2 * REMORA_KEY_HASH_BYTES;
    for (size_t i = 0; i < text.length && decoding->is_hash; i++) {
        int digit = digit_of(text.data[i]);
        uint8_t *byte = &decoding->to[i / 2];
        decoding->is_hash = digit >= 0;
        *byte = (uint8_t)(i % 2 == 0 ? digit << 4 : *byte | digit);
    }
}

static const struct remora_gateway_key *holder_of(const struct remora_key_hash *hashes,
                                                  size_t count, const uint8_t *sha256)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(hashes[i].sha256, sha256, REMORA_KEY_HASH_BYTES) == 0) {
            return hashes[i].key;
        }
    }
    return NULL;
}

/* The next of `hashes`, or a warning. */
static enum remora_code read_hash(struct config_loader *loader, const struct config_node *source,
                                  const struct remora_gateway_key *key,
                                  struct remora_key_hash *hashes)
{
    struct config_secret secret;
    size_t *count = &loader->config->key_hash_count;
    enum remora_code rc = config_read_source(loader, source, &secret);
    if (rc != REMORA_OK) {
        return rc;
    }
    struct decoding decoding = {.to = hashes[*count].sha256};
    if (secret.secret == NULL) {
        config_warn(loader, source, "%s: the key lets nobody in", secret.why);
        return REMORA_OK;
    }
    remora_secret_use(secret.secret, decode, &decoding);
    const struct remora_gateway_key *holder = holder_of(hashes, *count, decoding.to);
    if (!decoding.is_hash) {
        config_warn(loader, source,
                    "%s does not hold a SHA-256 of 64 hex digits (`remora keys hash` prints one): "
                    "the key lets nobody in",
                    secret.name.data);
    } else if (holder != NULL) {
        config_warn(loader, source, "the same key as keys.%.*s, which it stays",
                    REMORA_SLICE_ARG(holder->name));
    } else {
        hashes[(*count)++].key = key;
    }
    return REMORA_OK;
}

static enum remora_code require(struct config_loader *loader, const struct config_node *node,
                                enum config_key member)
{
    return config_get(node, member) != NULL
               ? REMORA_OK
               : config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail, "needs \"%s\"",
                                config_key_row(member)->text);
}

/* A slip of the pen would leave the key without the policy that was meant for it. */
static void warn_of_service(struct config_loader *loader, const struct config_node *service)
{
    const struct remora_config *config = loader->config;
    for (size_t i = 0; i < config->service_count; i++) {
        if (remora_slice_equal(config->services[i].name, service->text)) {
            return;
        }
    }
    if (config->service_count > 0) {
        config_warn(loader, service, "services has no policy for \"%.*s\"",
                    REMORA_SLICE_ARG(service->text));
    }
}

/* A layer that a file binds to this pod is not left by a key that the document gives another name. */
static enum remora_code check_bound(const struct config_loader *loader,
                                    const struct config_node *node, unsigned layer,
                                    struct remora_slice is, struct remora_slice bound)
{
    static const char *const params[REMORA_POLICY_FILES] = {
        [REMORA_POLICY_FILE_NAMESPACE] = "policy_files.namespace",
        [REMORA_POLICY_FILE_SERVICE] = "policy_files.service",
    };
    if (loader->config->mode != REMORA_MODE_SIDECAR ||
        loader->policy_files.of[layer].stated == NULL || remora_slice_equal(is, bound)) {
        return REMORA_OK;
    }
    return config_fail_at(
        node, REMORA_INVALID_REQUEST, loader->fail,
        "expected \"%.*s\": in mode sidecar %s binds that one, and a key of another would leave it",
        REMORA_SLICE_ARG(bound), params[layer]);
}

static enum remora_code read_identity(struct config_loader *loader, const struct config_node *node,
                                      struct remora_gateway_key *key)
{
    const struct config_node *own = config_get(node, CONFIG_GATEWAY_KEY_NAMESPACE);
    if (!is_name(node->key)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                              "the name of a key has 1 to 64 letters, digits, '.', '_' or '-', a "
                              "letter or digit first");
    }
    enum remora_code rc = require(loader, node, CONFIG_GATEWAY_KEY_SERVICE);
    if (rc == REMORA_OK) {
        rc = require(loader, node, CONFIG_GATEWAY_KEY_HASH);
    }
    if (rc == REMORA_OK) {
        key->name = config_keep(loader, node->key);
        key->service = config_keep(loader, config_text(node, CONFIG_GATEWAY_KEY_SERVICE));
        warn_of_service(loader, config_get(node, CONFIG_GATEWAY_KEY_SERVICE));
        key->namespace_name =
            own == NULL ? loader->config->namespace_name : config_keep(loader, own->text);
        rc = check_bound(loader, own == NULL ? node : own, REMORA_POLICY_FILE_NAMESPACE,
                         key->namespace_name, loader->config->namespace_name);
    }
    if (rc == REMORA_OK) {
        rc = check_bound(loader, config_get(node, CONFIG_GATEWAY_KEY_SERVICE),
                         REMORA_POLICY_FILE_SERVICE, key->service, loader->config->service);
    }
    return rc;
}

static enum remora_code read_key(struct config_loader *loader, const struct config_node *node,
                                 struct remora_gateway_key *key, struct remora_key_hash *hashes)
{
    enum remora_code rc = read_identity(loader, node, key);
    if (rc == REMORA_OK) {
        rc = config_read_policy(loader, node, &key->policy);
    }
    const struct config_node *hash = config_get(node, CONFIG_GATEWAY_KEY_HASH);
    bool is_list = hash != NULL && hash->kind == CONFIG_NODE_LIST;
    const struct config_node *source = is_list ? hash->first : hash;
    while (rc == REMORA_OK && source != NULL) {
        rc = read_hash(loader, source, key, hashes);
        source = is_list ? source->next : NULL;
    }
    return rc;
}

/* The first of `policies` that no caller can be of. */
static void warn_of_nobody(struct config_loader *loader, const struct config_node *policies,
                           const char *what, struct remora_slice own)
{
    const struct config_node *node = policies == NULL ? NULL : policies->first;
    while (node != NULL && remora_slice_equal(node->key, own)) {
        node = node->next;
    }
    if (node != NULL) {
        config_warn(loader, node,
                    "binds nobody: without keys every client certificate is the %s \"%.*s\", "
                    "whatever name is in it",
                    what, REMORA_SLICE_ARG(own));
    }
}

/* A certificate of tls.client_ca_file lets in and says nothing of who calls (caller.c). */
static void warn_of_certificates(struct config_loader *loader)
{
    const struct remora_config *config = loader->config;
    if (remora_config_entry(config) == REMORA_ENTRY_CERTIFICATES) {
        warn_of_nobody(loader, config_get(loader->root, CONFIG_DOCUMENT_SERVICES), "service",
                       config->service);
        warn_of_nobody(loader, config_get(loader->root, CONFIG_DOCUMENT_NAMESPACES), "namespace",
                       config->namespace_name);
    }
}

enum remora_code config_read_gateway_keys(struct config_loader *loader)
{
    struct remora_config *config = loader->config;
    const struct config_node *map = config_get(loader->root, CONFIG_DOCUMENT_KEYS);
    if (map == NULL || map->count == 0) {
        warn_of_certificates(loader);
        return REMORA_OK;
    }
    size_t most = map->count * (size_t)config_key_row(CONFIG_GATEWAY_KEY_HASH)->max;
    struct remora_gateway_key *keys = remora_arena_array(loader->arena, map->count, sizeof *keys);
    struct remora_key_hash *hashes = remora_arena_array(loader->arena, most, sizeof *hashes);
    if (keys == NULL || hashes == NULL) {
        return config_no_room(loader);
    }
    config->keys = keys;
    config->key_hashes = hashes;
    for (const struct config_node *node = map->first; node != NULL; node = node->next) {
        enum remora_code rc = read_key(loader, node, &keys[config->key_count++], hashes);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    return REMORA_OK;
}
