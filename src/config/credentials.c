/*
 * Keys: from named environment variables and files, several in the order in which they are tried. What is missing disables
 * its provider loudly (disabled_why, a warning) and never stops the process (ARCHITECTURE 8 "Keys"); only the lack of memory
 * does. Names of variables and files are told, content never.
 *
 * Of a process that runs, a file that is there and cannot be read now (no descriptor left, a mount that is sick) leaves in use what it
 * held: whoever uses up descriptors must not be able to revoke keys.
 */
#include "loader.h"

#include <openssl/sha.h>
#include <string.h>

static struct remora_secret_pages *pages_of(struct config_loader *loader)
{
    return &loader->config->private_part->secrets;
}

enum remora_code config_hold_secret(struct config_loader *loader, struct remora_secret **secret)
{
    *secret = remora_secret_adopt(pages_of(loader), *secret);
    return *secret == NULL ? config_no_room(loader) : REMORA_OK;
}

static void look_at_bytes(void *context, struct remora_slice bytes)
{
    bool *is_printable = context;
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        *is_printable = *is_printable && byte > 0x20 && byte < 0x7f;
    }
}

/* Takes the snapshot's secret, or says why it cannot stand in a header (RFC 9110 section 5.5). */
static enum remora_code take(struct config_loader *loader, struct remora_secret *secret,
                             struct config_secret *out)
{
    bool is_printable = true;
    remora_secret_use(secret, look_at_bytes, &is_printable);
    if (!is_printable) {
        out->why = remora_arena_printf(loader->arena,
                                       "%s holds characters that a key cannot have (blank, line "
                                       "break or not ASCII)",
                                       out->name.data)
                       .data;
        return out->why == NULL ? config_no_room(loader) : REMORA_OK;
    }
    out->secret = secret;
    return REMORA_OK;
}

enum remora_code config_read_env(struct config_loader *loader, const char *name,
                                 struct config_secret *out)
{
    const char *value = config_getenv(loader, name);
    *out = (struct config_secret){.name = config_keep(loader, remora_slice_of(name))};
    if (out->name.data == NULL) {
        return config_no_room(loader);
    }
    if (value == NULL) {
        out->why = remora_arena_printf(loader->arena, "%s is not set", name).data;
        return out->why == NULL ? config_no_room(loader) : REMORA_OK;
    }
    struct remora_slice bytes = remora_slice_of(value);
    if (bytes.data[bytes.length - 1] == '\n') {
        bytes.length--;
    }
    struct remora_secret *secret = remora_secret_add(pages_of(loader), bytes);
    if (secret == NULL) {
        return remora_fail_set(loader->fail, REMORA_SHEDDING, name,
                               "the variable is longer than %d bytes, or there is no memory",
                               REMORA_LIMIT_SECRET_BYTES);
    }
    return take(loader, secret, out);
}

const struct remora_secret *config_held(const struct remora_config *config,
                                        struct remora_slice path)
{
    const struct config_held *held = config->private_part->held;
    while (held != NULL && !remora_slice_equal(held->path, path)) {
        held = held->next;
    }
    return held == NULL ? NULL : held->secret;
}

static const struct remora_secret *held_before(const struct config_loader *loader,
                                               struct remora_slice path)
{
    const struct remora_config *running = loader->input->running;
    return running == NULL ? NULL : config_held(running, path);
}

static enum remora_code hold(struct config_loader *loader, struct remora_secret *secret,
                             struct config_secret *out)
{
    struct config_held *held = remora_arena_alloc(loader->arena, sizeof *held);
    if (secret == NULL || held == NULL) {
        return config_no_room(loader);
    }
    struct remora_config_private *private_part = loader->config->private_part;
    *held = (struct config_held){.path = out->name, .secret = secret, .next = private_part->held};
    private_part->held = held;
    return take(loader, secret, out);
}

/* Only a file that is not there takes its key away: one that cannot be read now says nothing of it. */
static enum remora_code keep_held(struct config_loader *loader, const struct config_node *path,
                                  const struct remora_secret *before, const struct remora_fail *why,
                                  struct config_secret *out)
{
    struct remora_fail at = REMORA_FAIL_INIT;
    (void)config_fail_at(path, why->code, &at, "%s", why->message);
    config_note_kept(loader, REMORA_KEPT_SECRETS, &at, "what it held stays in use");
    return hold(loader, remora_secret_copy(pages_of(loader), before), out);
}

static enum remora_code read_file_source(struct config_loader *loader,
                                         const struct config_node *path, struct config_secret *out)
{
    struct remora_fail why = REMORA_FAIL_INIT;
    struct remora_secret *secret = NULL;
    *out = (struct config_secret){.name = config_keep(loader, path->text)};
    enum remora_code rc = config_read_secret(loader, out->name, &secret, &why);
    if (rc == REMORA_OK) {
        rc = config_hold_secret(loader, &secret);
        return rc == REMORA_OK ? hold(loader, secret, out) : rc;
    }
    if (rc == REMORA_SHEDDING) {
        return config_no_room(loader);
    }
    const struct remora_secret *before =
        rc == REMORA_INTERNAL ? held_before(loader, out->name) : NULL;
    if (before != NULL) {
        return keep_held(loader, path, before, &why, out);
    }
    out->why = config_keep(loader, remora_slice_of(why.message)).data;
    return out->why == NULL ? config_no_room(loader) : REMORA_OK;
}

/* As shells and the kubelet have them; a first digit is allowed because the catalog has one (302AI_API_KEY). */
static bool is_variable_name(struct remora_slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '_') {
            return false;
        }
    }
    return true;
}

enum remora_code config_read_source(struct config_loader *loader, const struct config_node *source,
                                    struct config_secret *out)
{
    const struct config_node *file = config_get(source, CONFIG_SOURCE_FILE);
    if (file != NULL) {
        return read_file_source(loader, file, out);
    }
    const struct config_node *name = config_get(source, CONFIG_SOURCE_ENV);
    if (!is_variable_name(name->text)) {
        return config_fail_at(name, REMORA_INVALID_REQUEST, loader->fail,
                              "expected the name of an environment variable, not its value");
    }
    return config_read_env(loader, name->text.data, out);
}

/* Nothing is sent where keys are assumed: what stands in for one is never seen. */
static enum remora_code assume(struct config_loader *loader, struct config_secret *out)
{
    if (out->secret != NULL || !loader->input->assumes_keys) {
        return REMORA_OK;
    }
    out->secret = remora_secret_add(pages_of(loader), REMORA_SLICE("assumed"));
    return out->secret == NULL ? config_no_room(loader) : REMORA_OK;
}

enum remora_code config_read_outgoing(struct config_loader *loader,
                                      const struct config_node *source, struct config_secret *out)
{
    enum remora_code rc = config_read_source(loader, source, out);
    return rc == REMORA_OK ? assume(loader, out) : rc;
}

void config_warn_of_exposure(struct config_loader *loader, const struct config_node *source,
                             const struct config_secret *secret)
{
    if (secret->secret != NULL && remora_secret_is_exposed(secret->secret)) {
        config_warn(loader, source,
                    "%s may be read by everybody: chmod o-r it (a Kubernetes volume: defaultMode "
                    "0440)",
                    secret->name.data);
    }
}

/* A key that was refused and then replaced is a new key, and so is one that is sent with other headers or another way. */
void config_look_up_keys(struct config_loader *loader)
{
    for (struct config_key_slot *slot = loader->key_slots; slot != NULL; slot = slot->next) {
        struct remora_health_content content = {.settings = slot->provider->settings};
        bool is_changed = false;
        config_mix_secret(&content.secret, slot->key->secret);
        slot->key->health =
            remora_health_slot_of(loader->input->health, slot->name, &content, &is_changed);
        loader->config->changed_credential_count += is_changed ? 1 : 0;
    }
}

static void add_credential(struct config_loader *loader, const struct remora_provider *provider,
                           struct remora_credential *to, const struct config_secret *secret)
{
    struct config_key_slot *slot = remora_arena_alloc(loader->scratch, sizeof *slot);
    to->name = secret->name;
    to->secret = secret->secret;
    if (loader->input->health == NULL || slot == NULL) {
        return; /* the arena remembers and fails the build */
    }
    slot->key = to;
    slot->provider = provider;
    /* What another address has said of a key says nothing of it here. */
    slot->name =
        remora_arena_printf(loader->scratch, "%.*s|%s|%.*s", REMORA_SLICE_ARG(provider->facts.slug),
                            secret->name.data, REMORA_SLICE_ARG(provider->facts.base_url));
    slot->next = loader->key_slots;
    loader->key_slots = slot;
}

static void disable(struct config_loader *loader, const struct config_node *node,
                    struct remora_provider *provider, const char *why)
{
    if (provider->disabled_why == NULL) {
        provider->disabled_why = why;
    }
    config_warn(loader, node, "%s: no request reaches the provider by this key", why);
}

/* One of the catalog whose key the document does not name: its conventional variable. */
static enum remora_code read_conventional(struct config_loader *loader,
                                          const struct config_node *node,
                                          struct remora_provider *provider,
                                          struct remora_credential *to)
{
    struct config_secret secret;
    if (provider->facts.api_key_env.length == 0) {
        return REMORA_OK;
    }
    enum remora_code rc = config_read_env(loader, provider->facts.api_key_env.data, &secret);
    if (rc == REMORA_OK && node != NULL) {
        rc = assume(loader, &secret);
    }
    if (rc != REMORA_OK) {
        return rc;
    }
    if (secret.secret != NULL) {
        add_credential(loader, provider, to, &secret);
        provider->credential_count = 1;
    } else if (provider->needs_credential) {
        disable(loader, node, provider, secret.why);
    }
    return REMORA_OK;
}

static enum remora_code read_stated(struct config_loader *loader, const struct config_node *keys,
                                    struct remora_provider *provider, struct remora_credential *to)
{
    const struct config_node *source = keys->kind == CONFIG_NODE_LIST ? keys->first : keys;
    while (source != NULL) {
        struct config_secret secret;
        enum remora_code rc = config_read_outgoing(loader, source, &secret);
        if (rc != REMORA_OK) {
            return rc;
        }
        config_warn_of_exposure(loader, source, &secret);
        if (secret.secret != NULL) {
            add_credential(loader, provider, &to[provider->credential_count++], &secret);
        } else {
            disable(loader, source, provider, secret.why);
        }
        source = keys->kind == CONFIG_NODE_LIST ? source->next : NULL;
    }
    if (provider->credential_count > 0) {
        provider->disabled_why = NULL;
    }
    return REMORA_OK;
}

enum remora_code config_read_credentials(struct config_loader *loader,
                                         const struct config_node *node,
                                         struct remora_provider *provider)
{
    const struct config_node *keys = config_get(node, CONFIG_PROVIDER_API_KEY);
    size_t most = keys != NULL && keys->kind == CONFIG_NODE_LIST ? keys->count : 1;
    struct remora_credential *to = remora_arena_array(loader->arena, most, sizeof *to);
    if (to == NULL) {
        return config_no_room(loader);
    }
    provider->credentials = to;
    if (keys == NULL) {
        return read_conventional(loader, node, provider, to);
    }
    provider->needs_credential = true;
    return read_stated(loader, keys, provider, to);
}
