/*
 * The operator's further headers of a provider. Values are printable ASCII. Refused: names that frame the message or name the
 * host (they are the transport's), and a literal value for a header that carries a credential.
 */
#include "loader.h"

#include "remora/hop.h"

static bool is_token(struct remora_slice name)
{
    /* RFC 9110 section 5.6.2 */
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return name.length > 0 && name.length <= 128;
}

static bool is_one_of(struct remora_slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (remora_slice_equal_nocase(name, remora_slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_framing(struct remora_slice name)
{
    /* RFC 9110 sections 7.2, 7.6.1 and 8.6; RFC 9112 section 6 */
    static const char *const names[] = {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "content-type",
        "accept-encoding",
        "proxy-connection",
        REMORA_HOP_HEADER,
    };
    return is_one_of(name, names, REMORA_COUNT_OF(names));
}

static bool carries_credential(struct remora_slice name)
{
    static const char *const names[] = {"authorization", "proxy-authorization", "x-api-key",
                                        "api-key",       "x-goog-api-key",      "cookie"};
    return is_one_of(name, names, REMORA_COUNT_OF(names));
}

static enum remora_code read_value(struct config_loader *loader, const struct config_node *node,
                                   struct remora_provider *provider, struct remora_header *out)
{
    if (node->kind == CONFIG_NODE_MAPPING) {
        struct config_secret secret = {0};
        enum remora_code rc = config_read_outgoing(loader, node, &secret);
        if (rc == REMORA_OK && secret.secret == NULL) {
            provider->disabled_why = secret.why;
            config_warn(loader, node, "%s: no request reaches the provider", secret.why);
        }
        config_warn_of_exposure(loader, node, &secret);
        out->secret = secret.secret;
        return rc;
    }
    if (carries_credential(node->key)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                              "a credential never stands in the document: use api_key, or "
                              "{env: NAME} or {file: PATH} here");
    }
    for (size_t i = 0; i < node->text.length; i++) {
        if ((unsigned char)node->text.data[i] > 0x7e) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "a header value is printable ASCII");
        }
    }
    out->value = config_keep(loader, node->text);
    return REMORA_OK;
}

static enum remora_code read_header(struct config_loader *loader, const struct config_node *node,
                                    struct remora_provider *provider, struct remora_header *out)
{
    if (!is_token(node->key)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail, "not a header name");
    }
    if (is_framing(node->key)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                              "this header is the gateway's own");
    }
    for (const struct config_node *other = node->parent->first; other != node;
         other = other->next) {
        if (remora_slice_equal_nocase(other->key, node->key)) {
            return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                                  "the header stands here twice");
        }
    }
    out->name = config_keep(loader, node->key);
    return read_value(loader, node, provider, out);
}

enum remora_code config_read_headers(struct config_loader *loader, const struct config_node *node,
                                     struct remora_provider *provider)
{
    const struct config_node *headers = config_get(node, CONFIG_PROVIDER_HEADERS);
    if (headers == NULL || headers->count == 0) {
        return REMORA_OK;
    }
    struct remora_header *out = remora_arena_array(loader->arena, headers->count, sizeof *out);
    if (out == NULL) {
        return config_no_room(loader);
    }
    provider->headers = out;
    for (const struct config_node *item = headers->first; item != NULL; item = item->next) {
        enum remora_code rc = read_header(loader, item, provider, &out[provider->header_count]);
        if (rc != REMORA_OK) {
            return rc;
        }
        provider->header_count++;
    }
    return REMORA_OK;
}
