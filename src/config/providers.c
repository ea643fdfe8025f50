/*
 * Providers of a snapshot: those of the document, then those of the catalog whose conventional key variable is set.
 *
 * A slug of the catalog brings its facts and any stated key overrides them; another one needs kind and base_url. What lacks
 * something from the environment (a key, a part of its address) is disabled with a warning. What is written wrongly fails.
 */
#include "loader.h"

#include "url.h"

#include "remora/text.h"
#include "remora/tls.h"

enum { SLUG_BYTES = 64 };

static bool is_slug(struct remora_slice slug)
{
    for (size_t i = 0; i < slug.length; i++) {
        char c = slug.data[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_word && (i == 0 || (c != '-' && c != '_' && c != '.'))) {
            return false;
        }
    }
    return slug.length > 0 && slug.length <= SLUG_BYTES;
}

static enum remora_code unknown_provider(struct config_loader *loader,
                                         const struct config_node *node, const char *lacks)
{
    char hint[REMORA_GUESS_BYTES];
    return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                          "\"%.*s\" is not in the catalog and has no %s: a provider of your own "
                          "needs kind and base_url%s",
                          REMORA_SLICE_ARG(node->key), lacks,
                          remora_config_provider_hint(loader->config, node->key, hint));
}

/* The other wires have no dialects, so that their name is the only one. */
static enum remora_code check_dialect(struct config_loader *loader, const struct config_node *node,
                                      enum remora_wire wire)
{
    struct remora_guess guess;
    char hint[REMORA_GUESS_BYTES];
    bool has_dialects = wire == REMORA_WIRE_OPENAI || wire == REMORA_WIRE_AZURE;
    if (!has_dialects || remora_dialect_by_name(node->text) != REMORA_DIALECT_COUNT) {
        return REMORA_OK;
    }
    remora_guess_begin(&guess, node->text);
    for (int i = 0; i < REMORA_DIALECT_COUNT; i++) {
        struct remora_slice name = remora_slice_of(remora_dialect_name((enum remora_dialect)i));
        remora_guess_offer(&guess, name, name);
    }
    return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                          "no such dialect: docs/providers.md lists them%s",
                          remora_guess_hint(&guess, hint));
}

static enum remora_code read_kind(struct config_loader *loader, const struct config_node *node,
                                  bool is_known, struct remora_provider_facts *facts)
{
    const struct config_node *kind = config_get(node, CONFIG_PROVIDER_KIND);
    const struct config_node *dialect = config_get(node, CONFIG_PROVIDER_DIALECT);
    if (kind == NULL && !is_known) {
        return unknown_provider(loader, node, "kind");
    }
    if (kind != NULL) {
        enum remora_wire wire = remora_wire_by_name(kind->text);
        if (wire == REMORA_WIRE_COUNT) {
            return config_fail_at(kind, REMORA_INVALID_REQUEST, loader->fail,
                                  "no such kind: openai, openai-responses, anthropic, gemini, "
                                  "vertex, bedrock, azure, cohere or ollama");
        }
        if (!is_known || wire != facts->wire) {
            facts->dialect = remora_slice_of(remora_wire_name(wire));
        }
        facts->wire = wire;
    }
    if (dialect != NULL) {
        facts->dialect = config_keep(loader, dialect->text);
        return check_dialect(loader, dialect, facts->wire);
    }
    return REMORA_OK;
}

static struct remora_slice without_slash(struct remora_slice url)
{
    while (url.length > 0 && url.data[url.length - 1] == '/') {
        url.length--;
    }
    return url;
}

static enum remora_code read_base_url(struct config_loader *loader, const struct config_node *node,
                                      struct remora_provider_facts *facts)
{
    const struct config_node *stated = config_get(node, CONFIG_PROVIDER_BASE_URL);
    const char *why = NULL;
    struct config_url url;
    if (stated == NULL) {
        return unknown_provider(loader, node, "base_url");
    }
    if (!config_url_parse(stated->text, &url, &why)) {
        return config_fail_at(stated, REMORA_INVALID_REQUEST, loader->fail, "the address %s", why);
    }
    if (!url.is_https && !url.is_loopback &&
        !config_boolean(node, CONFIG_PROVIDER_INSECURE, false)) {
        return config_fail_at(stated, REMORA_INVALID_REQUEST, loader->fail,
                              "http:// beyond loopback would send keys and prompts in the clear: "
                              "use https:// or state insecure: true");
    }
    facts->base_url = config_keep(loader, without_slash(stated->text));
    return REMORA_OK;
}

struct remora_slice config_expand_url(struct config_loader *loader, struct remora_slice text,
                                      const char **why)
{
    struct remora_slice out = REMORA_SLICE("");
    struct config_url url;
    size_t at = 0;
    while (at < text.length) {
        size_t open = remora_slice_find(text, '$', at);
        struct remora_slice literal = remora_slice(text.data + at, open - at);
        const char *value = "";
        at = open;
        if (open < text.length) {
            size_t close = remora_slice_find(text, '}', open);
            /* The catalog writes ${NAME} only; a test holds it to that. */
            struct remora_slice name = remora_arena_copy(
                loader->arena, remora_slice(text.data + open + 2, close - open - 2));
            value = name.data == NULL ? NULL : config_getenv(loader, name.data);
            if (value == NULL) {
                *why = remora_arena_printf(loader->arena, "%s, a part of the address, is not set",
                                           name.data == NULL ? "" : name.data)
                           .data;
                return remora_slice(NULL, 0);
            }
            at = close + 1;
        }
        out = remora_arena_printf(loader->arena, "%.*s%.*s%s", REMORA_SLICE_ARG(out),
                                  REMORA_SLICE_ARG(literal), value);
    }
    if (!config_url_parse(out, &url, why)) {
        *why = remora_arena_printf(loader->arena,
                                   "its address, as the environment completes it, %s", *why)
                   .data;
        return remora_slice(NULL, 0);
    }
    return out;
}

static void complete_catalog_url(struct config_loader *loader, const struct config_node *node,
                                 struct remora_provider *provider)
{
    struct remora_provider_facts *facts = &provider->facts;
    const char *why = NULL;
    if (remora_slice_find(facts->base_url, '$', 0) == facts->base_url.length) {
        return;
    }
    struct remora_slice url = config_expand_url(loader, facts->base_url, &why);
    if (url.data != NULL) {
        facts->base_url = url;
        return;
    }
    provider->disabled_why = why;
    if (why != NULL) {
        config_warn(loader, node, "%s: no request reaches %.*s", why,
                    REMORA_SLICE_ARG(facts->slug));
    }
}

static void read_data_policy(const struct config_node *node, struct remora_data_policy *out)
{
    const struct config_node *policy = config_get(node, CONFIG_PROVIDER_DATA_POLICY);
    if (policy == NULL) {
        return;
    }
    out->training = config_tristate(policy, CONFIG_DATA_POLICY_TRAINING);
    out->retains_prompts = config_tristate(policy, CONFIG_DATA_POLICY_RETAINS_PROMPTS);
    out->zdr = config_tristate(policy, CONFIG_DATA_POLICY_ZDR);
    out->retention_days = (int32_t)config_integer(policy, CONFIG_DATA_POLICY_RETENTION_DAYS, -1);
}

static enum remora_code read_headquarters(struct config_loader *loader,
                                          const struct config_node *node,
                                          struct remora_provider_facts *facts)
{
    const struct config_node *country = config_get(node, CONFIG_PROVIDER_HEADQUARTERS);
    if (country == NULL) {
        return REMORA_OK;
    }
    for (size_t i = 0; i < country->text.length; i++) {
        if (country->text.data[i] < 'A' || country->text.data[i] > 'Z') {
            return config_fail_at(country, REMORA_INVALID_REQUEST, loader->fail,
                                  "expected a country code such as DE");
        }
    }
    facts->headquarters = config_keep(loader, country->text);
    return REMORA_OK;
}

static enum remora_code read_facts(struct config_loader *loader, const struct config_node *node,
                                   struct remora_provider_facts *facts)
{
    bool is_known = remora_catalog_find_provider(node->key, facts);
    if (!is_slug(node->key)) {
        return config_fail_at(node, REMORA_INVALID_REQUEST, loader->fail,
                              "a slug has lower-case letters, digits, \"-\", \"_\" and \".\", at "
                              "most 64");
    }
    if (!is_known) {
        *facts = (struct remora_provider_facts){.slug = config_keep(loader, node->key),
                                                .data_policy.retention_days = -1};
        facts->name = facts->slug;
    }
    enum remora_code rc = read_kind(loader, node, is_known, facts);
    if (rc != REMORA_OK) {
        return rc;
    }
    if (!is_known || config_get(node, CONFIG_PROVIDER_BASE_URL) != NULL) {
        rc = read_base_url(loader, node, facts);
        if (rc != REMORA_OK) {
            return rc;
        }
    }
    const struct config_node *name = config_get(node, CONFIG_PROVIDER_NAME);
    if (name != NULL) {
        facts->name = config_keep(loader, name->text);
    }
    read_data_policy(node, &facts->data_policy);
    return read_headquarters(loader, node, facts);
}

/* Into the snapshot's arena. A text that holds no certificate would fail each handshake, at the provider's door. */
static enum remora_code read_ca_file(struct config_loader *loader, const struct config_node *file,
                                     struct remora_provider *out, struct remora_fail *fail)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct remora_slice pem = {NULL, 0};
    if (config_read_file(loader, out->ca_file, loader->arena, &pem, &why) != REMORA_OK) {
        return config_fail_at(file, REMORA_INVALID_REQUEST, fail, "%s", why.message);
    }
    if (!remora_certificate_is_in(pem)) {
        return config_fail_at(file, REMORA_INVALID_REQUEST, fail, "%s",
                              pem.length == 0 ? "the file is empty"
                                              : "the file holds no certificate in PEM");
    }
    out->ca_pem = pem;
    return REMORA_OK;
}

/* The same file of the same provider, as the running snapshot read it; {NULL, 0}: it did not. */
static struct remora_slice ca_before(const struct config_loader *loader,
                                     const struct remora_provider *provider)
{
    const struct remora_config *running = loader->input->running;
    const struct remora_provider *before =
        running == NULL ? NULL : remora_config_provider(running, provider->facts.slug);
    return before != NULL && remora_slice_equal(before->ca_file, provider->ca_file)
               ? before->ca_pem
               : remora_slice(NULL, 0);
}

/* In a process that runs, a file that cannot be taken leaves the authorities as they are, and holds up nothing else. */
static enum remora_code read_ca(struct config_loader *loader, const struct config_node *node,
                                struct remora_provider *out)
{
    const struct config_node *file = config_get(node, CONFIG_PROVIDER_CA_FILE);
    struct remora_fail why = REMORA_FAIL_INIT;
    if (file == NULL) {
        return REMORA_OK;
    }
    out->ca_file = config_keep(loader, file->text);
    if (read_ca_file(loader, file, out, &why) == REMORA_OK) {
        return REMORA_OK;
    }
    struct remora_slice before = ca_before(loader, out);
    if (before.length == 0) {
        *loader->fail = why;
        return why.code;
    }
    out->ca_pem = config_keep(loader, before);
    config_note_kept(loader, REMORA_KEPT_CA_FILE, &why, "its authorities stay as they were");
    return REMORA_OK;
}

/* libcurl reads the key when it connects; what is wrong with its file is told now. */
static void judge_key_file(struct config_loader *loader, const struct config_node *at,
                           struct remora_provider *provider)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct remora_secret *key = NULL;
    struct remora_slice path = provider->client_key_file;
    if (loader->input->read_secret == NULL || path.data == NULL) {
        return;
    }
    if (loader->input->read_secret(loader->input->file_context, path.data, &key, &why) !=
        REMORA_OK) {
        config_warn(loader, at, "%s", why.message);
        return;
    }
    const struct config_secret file = {.name = path, .secret = key};
    config_warn_of_exposure(loader, at, &file);
    config_mix_secret(&provider->settings, key);
    remora_secret_free(key);
}

/* For those who watch it: what cannot be read here fails when it is used, as before. */
static void note_client_certificate_end(struct config_loader *loader, const struct config_node *at,
                                        struct remora_provider *out)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct remora_slice pem = {NULL, 0};
    if (loader->input->read_file == NULL ||
        loader->input->read_file(loader->input->file_context, out->client_certificate_file.data,
                                 loader->scratch, &pem, &why) != REMORA_OK) {
        return;
    }
    config_mix_text(&out->settings, pem);
    if (!remora_certificate_end(pem, &out->client_certificate_end_unix_s)) {
        return;
    }
    if (out->client_certificate_end_unix_s < loader->input->now_unix_ms / 1000) {
        config_warn(loader, at, "the certificate has ended: the provider will refuse it");
    }
}

static enum remora_code read_client_certificate(struct config_loader *loader,
                                                const struct config_node *node,
                                                struct remora_provider *out)
{
    const struct config_node *both = config_get(node, CONFIG_PROVIDER_CLIENT_CERT);
    if (both == NULL) {
        return REMORA_OK;
    }
    struct remora_slice certificate = config_text(both, CONFIG_CLIENT_CERT_CERT_FILE);
    struct remora_slice key = config_text(both, CONFIG_CLIENT_CERT_KEY_FILE);
    if (certificate.length == 0 || key.length == 0) {
        return config_fail_at(both, REMORA_INVALID_REQUEST, loader->fail,
                              "needs cert_file and key_file");
    }
    out->client_certificate_file = config_keep(loader, certificate);
    out->client_key_file = config_keep(loader, key);
    config_note_file(loader, out->client_certificate_file);
    config_note_file(loader, out->client_key_file);
    note_client_certificate_end(loader, config_get(both, CONFIG_CLIENT_CERT_CERT_FILE), out);
    judge_key_file(loader, config_get(both, CONFIG_CLIENT_CERT_KEY_FILE), out);
    return REMORA_OK;
}

static enum remora_code read_proxy(struct config_loader *loader, const struct config_node *node,
                                   struct remora_provider *out)
{
    const struct config_node *proxy = config_get(node, CONFIG_PROVIDER_PROXY);
    const char *why = NULL;
    struct config_url url;
    if (proxy == NULL) {
        return REMORA_OK;
    }
    if (!config_url_parse(proxy->text, &url, &why)) {
        return config_fail_at(proxy, REMORA_INVALID_REQUEST, loader->fail, "the proxy %s", why);
    }
    out->proxy = config_keep(loader, without_slash(proxy->text));
    return REMORA_OK;
}

static enum remora_code read_transport(struct config_loader *loader, const struct config_node *node,
                                       struct remora_provider *out)
{
    config_read_deadlines(config_get(node, CONFIG_PROVIDER_DEADLINES), &out->deadlines);
    out->http2 = config_boolean(node, CONFIG_PROVIDER_HTTP2, false);
    out->sends_trace = config_boolean(node, CONFIG_PROVIDER_TRACE_CONTEXT, false);
    enum remora_code rc = read_ca(loader, node, out);
    if (rc == REMORA_OK) {
        rc = read_client_certificate(loader, node, out);
    }
    if (rc == REMORA_OK) {
        rc = read_proxy(loader, node, out);
    }
    if (rc == REMORA_OK) {
        rc = config_read_headers(loader, node, out);
    }
    if (rc == REMORA_OK) {
        config_mix_transport(out);
    }
    return rc;
}

static void warn_of_wire(struct config_loader *loader, const struct config_node *node,
                         const struct remora_provider_facts *facts)
{
    if (!remora_wire_is_built(facts->wire)) {
        config_warn(loader, node, "kind %s is not built yet: no request reaches %.*s",
                    remora_wire_name(facts->wire), REMORA_SLICE_ARG(facts->slug));
    }
}

static enum remora_code read_provider(struct config_loader *loader, const struct config_node *node,
                                      struct remora_provider *out)
{
    struct remora_provider_facts in_catalog;
    enum remora_code rc = read_facts(loader, node, &out->facts);
    if (rc != REMORA_OK) {
        return rc;
    }
    bool is_known = remora_catalog_find_provider(node->key, &in_catalog);
    out->needs_credential = is_known && !out->facts.is_local;
    rc = config_read_credentials(loader, node, out);
    if (rc == REMORA_OK) {
        rc = read_transport(loader, node, out);
    }
    if (rc == REMORA_OK) {
        complete_catalog_url(loader, node, out);
        warn_of_wire(loader, node, &out->facts);
    }
    return rc;
}

/* Index in the catalog, or the count. */
static size_t index_in_catalog(struct remora_slice slug)
{
    struct remora_provider_facts facts;
    size_t at = 0;
    for (; at < remora_catalog_provider_count(); at++) {
        remora_catalog_provider(at, &facts);
        if (remora_slice_equal(facts.slug, slug)) {
            break;
        }
    }
    return at;
}

static bool is_switched_on(const struct config_loader *loader, size_t index)
{
    struct remora_provider_facts facts;
    remora_catalog_provider(index, &facts);
    if (config_get_named(loader->provider_nodes, facts.slug.data) != NULL) {
        return false;
    }
    return facts.api_key_env.length > 0 && config_getenv(loader, facts.api_key_env.data) != NULL;
}

static enum remora_code read_from_environment(struct config_loader *loader, size_t index,
                                              struct remora_provider *out)
{
    remora_catalog_provider(index, &out->facts);
    out->needs_credential = !out->facts.is_local;
    enum remora_code rc = config_read_credentials(loader, NULL, out);
    if (rc == REMORA_OK) {
        complete_catalog_url(loader, NULL, out);
        warn_of_wire(loader, NULL, &out->facts);
    }
    return rc;
}

static enum remora_code read_all(struct config_loader *loader)
{
    struct remora_config *config = loader->config;
    const struct config_node *node =
        loader->provider_nodes == NULL ? NULL : loader->provider_nodes->first;
    for (; node != NULL; node = node->next) {
        struct remora_provider *provider = &loader->providers[config->provider_count++];
        enum remora_code rc = read_provider(loader, node, provider);
        if (rc != REMORA_OK) {
            return rc;
        }
        size_t index = index_in_catalog(node->key);
        if (index < remora_catalog_provider_count()) {
            loader->by_catalog[index] = provider;
        }
    }
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        if (!is_switched_on(loader, i)) {
            continue;
        }
        struct remora_provider *provider = &loader->providers[config->provider_count++];
        enum remora_code rc = read_from_environment(loader, i, provider);
        if (rc != REMORA_OK) {
            return rc;
        }
        loader->by_catalog[i] = provider;
    }
    return REMORA_OK;
}

enum remora_code config_read_providers(struct config_loader *loader)
{
    size_t catalog_count = remora_catalog_provider_count();
    loader->provider_nodes = config_get(loader->root, CONFIG_DOCUMENT_PROVIDERS);
    size_t count = loader->provider_nodes == NULL ? 0 : loader->provider_nodes->count;
    for (size_t i = 0; i < catalog_count; i++) {
        count += is_switched_on(loader, i) ? 1 : 0;
    }
    loader->providers = remora_arena_array(loader->arena, count + 1, sizeof *loader->providers);
    loader->by_catalog =
        remora_arena_array(loader->scratch, catalog_count, sizeof *loader->by_catalog);
    if (loader->providers == NULL || loader->by_catalog == NULL) {
        return config_no_room(loader);
    }
    loader->config->providers = loader->providers;
    return read_all(loader);
}
