/*
 * What concerns the process: listeners, mode, workers, drain, attempts, log level, who is served, which Host names are taken.
 * A data listener (http, grpc) beyond loopback needs gateway keys or client certificates, else it is refused (ARCHITECTURE 4;
 * TLS that asks nothing of its clients hides what is said and lets everybody in, so it is not enough). admin asks for nothing
 * and never leaves loopback.
 */
#include "loader.h"

#include "remora/text.h"

enum { GATEWAY_DRAIN_DELAY_MS = 5000, DRAIN_GRACE_MS = 25000 };
enum { GATEWAY_CONNECTION_AGE_MS = 1800000 };
enum { ATTEMPTS_PER_MODEL = 3, ATTEMPTS_PER_REQUEST = 6 };

/* What a caller has to show on a listener. */
static enum remora_entry entry_of(const struct config_loader *loader, enum config_key listener)
{
    const struct config_node *keys = config_get(loader->root, CONFIG_DOCUMENT_KEYS);
    bool has_keys = keys != NULL && keys->count > 0;
    if (listener == CONFIG_LISTEN_ADMIN) {
        return REMORA_ENTRY_FREE;
    }
    /* Keys are read later. */
    return has_keys ? REMORA_ENTRY_KEYS : remora_config_entry(loader->config);
}

static bool is_data(enum config_key listener)
{
    return listener == CONFIG_LISTEN_HTTP || listener == CONFIG_LISTEN_GRPC;
}

static enum remora_code read_address(struct config_loader *loader, enum config_key key,
                                     struct remora_address *out)
{
    const struct config_node *node =
        config_get(config_get(loader->root, CONFIG_DOCUMENT_LISTEN), key);
    struct remora_fail why = REMORA_FAIL_INIT;
    struct remora_slice text =
        node == NULL ? remora_slice_of(config_key_row(key)->default_text) : node->text;
    enum remora_code rc = remora_address_parse(text, out, &why);
    if (rc == REMORA_OK && key != CONFIG_LISTEN_PROBE) {
        rc = remora_address_check_data(out, entry_of(loader, key), NULL, &why);
    }
    if (rc != REMORA_OK && node != NULL) {
        return config_fail_at(node, rc, loader->fail, "%s", why.message);
    }
    out->is_tls = rc == REMORA_OK && is_data(key) && remora_config_is_tls(loader->config, out);
    if (rc == REMORA_OK && is_data(key) && !out->is_loopback && !out->is_tls) {
        config_warn(loader, node,
                    "keys and prompts travel in the clear there: state tls, or put TLS in front");
    }
    return rc;
}

static bool is_any(const struct remora_address *address)
{
    return strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
}

static bool is_one_host(const char *a, const char *b)
{
    return strcmp(a, b) == 0 ||
           (strcmp(a, "localhost") == 0 && (strcmp(b, "127.0.0.1") == 0 || strcmp(b, "::1") == 0));
}

/* Two listeners that cannot both be opened. Port 0 is another one each time. */
static bool collide(const struct remora_address *a, const struct remora_address *b)
{
    if (a->is_off || b->is_off || a->is_unix != b->is_unix) {
        return false;
    }
    if (a->is_unix) {
        return strcmp(a->text, b->text) == 0;
    }
    return a->port == b->port && a->port != 0 &&
           (is_any(a) || is_any(b) || is_one_host(a->host, b->host) ||
            is_one_host(b->host, a->host));
}

/* A default counts as stated: it is what would be bound. */
static enum remora_code check_collisions(struct config_loader *loader)
{
    const struct remora_config *config = loader->config;
    const struct {
        enum config_key key;
        const struct remora_address *address;
    } all[] = {{CONFIG_LISTEN_HTTP, &config->http},
               {CONFIG_LISTEN_GRPC, &config->grpc},
               {CONFIG_LISTEN_PROBE, &config->probe},
               {CONFIG_LISTEN_ADMIN, &config->admin}};
    const struct config_node *listen = config_get(loader->root, CONFIG_DOCUMENT_LISTEN);
    for (size_t i = 0; i < REMORA_COUNT_OF(all); i++) {
        for (size_t j = 0; j < i; j++) {
            if (collide(all[i].address, all[j].address)) {
                bool later = config_get(listen, all[i].key) != NULL;
                return config_fail_at(config_get(listen, all[later ? i : j].key),
                                      REMORA_INVALID_REQUEST, loader->fail,
                                      "listen.%s (%s) and listen.%s (%s) would be bound to the "
                                      "same address: give one of them another port",
                                      config_key_row(all[j].key)->text, all[j].address->text,
                                      config_key_row(all[i].key)->text, all[i].address->text);
            }
        }
    }
    return REMORA_OK;
}

static enum remora_code read_listeners(struct config_loader *loader)
{
    struct remora_config *config = loader->config;
    enum remora_code rc = read_address(loader, CONFIG_LISTEN_HTTP, &config->http);
    if (rc == REMORA_OK) {
        rc = read_address(loader, CONFIG_LISTEN_GRPC, &config->grpc);
    }
    if (rc == REMORA_OK) {
        rc = read_address(loader, CONFIG_LISTEN_PROBE, &config->probe);
    }
    if (rc == REMORA_OK) {
        rc = read_address(loader, CONFIG_LISTEN_ADMIN, &config->admin);
    }
    return rc == REMORA_OK ? check_collisions(loader) : rc;
}

static enum remora_code read_mode(struct config_loader *loader)
{
    const struct config_node *mode = config_get(loader->root, CONFIG_DOCUMENT_MODE);
    if (mode == NULL || remora_slice_is(mode->text, "sidecar")) {
        return REMORA_OK;
    }
    if (!remora_slice_is(mode->text, "gateway")) {
        return config_fail_at(mode, REMORA_INVALID_REQUEST, loader->fail,
                              "expected sidecar or gateway");
    }
    loader->config->mode = REMORA_MODE_GATEWAY;
    return REMORA_OK;
}

static enum remora_code read_log_level(struct config_loader *loader)
{
    /* enum remora_log_level, which stands above this room, numbers them so; a test holds both together. */
    static const char *const names[] = {"error", "warn", "info", "debug"};
    enum { INFO = 2 };
    const struct config_node *level =
        config_get(config_get(loader->root, CONFIG_DOCUMENT_LOG), CONFIG_LOG_LEVEL);
    loader->config->log_level = INFO;
    if (level == NULL) {
        return REMORA_OK;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_is(level->text, names[i])) {
            loader->config->log_level = (uint8_t)i;
            return REMORA_OK;
        }
    }
    return config_fail_at(level, REMORA_INVALID_REQUEST, loader->fail,
                          "expected error, warn, info or debug");
}

/* The environment, else the document, else "default". The two saying different things is told: policies go by the name. */
static struct remora_slice read_name(struct config_loader *loader, const char *variable,
                                     enum config_key key)
{
    const char *override = config_getenv(loader, variable);
    const struct config_node *stated = config_get(loader->root, key);
    if (override != NULL) {
        if (stated != NULL && !remora_slice_is(stated->text, override)) {
            config_warn(loader, stated, "the variable %s overrides it: %s", variable, override);
        }
        return config_keep(loader, remora_slice_of(override));
    }
    return stated == NULL ? REMORA_SLICE("default") : config_keep(loader, stated->text);
}

static enum remora_code read_hosts(struct config_loader *loader)
{
    struct remora_slices hosts = {0};
    enum remora_code rc =
        config_read_texts(loader, config_get(loader->root, CONFIG_DOCUMENT_HOSTS), &hosts);
    loader->config->allowed_hosts = hosts.items;
    loader->config->allowed_host_count = hosts.count;
    return rc;
}

static enum remora_code read_uids(struct config_loader *loader)
{
    const struct config_node *list =
        config_get(config_get(loader->root, CONFIG_DOCUMENT_LISTEN), CONFIG_LISTEN_UNIX_UIDS);
    if (list == NULL) {
        return REMORA_OK;
    }
    uint32_t *uids = remora_arena_array(loader->arena, list->count, sizeof *uids);
    if (uids == NULL) {
        return config_no_room(loader);
    }
    loader->config->unix_uids = uids;
    for (const struct config_node *item = list->first; item != NULL; item = item->next) {
        uint64_t uid = 0;
        if (!remora_parse_u64(item->text, &uid) || uid >= UINT32_MAX) {
            return config_fail_at(item, REMORA_INVALID_REQUEST, loader->fail,
                                  "expected a user id, a number below 4294967295");
        }
        uids[loader->config->unix_uid_count++] = (uint32_t)uid;
    }
    return REMORA_OK;
}

static void read_numbers(struct config_loader *loader)
{
    struct remora_config *config = loader->config;
    const struct config_node *drain = config_get(loader->root, CONFIG_DOCUMENT_DRAIN);
    const struct config_node *attempts = config_get(loader->root, CONFIG_DOCUMENT_ATTEMPTS);
    int64_t delay_ms = config->mode == REMORA_MODE_GATEWAY ? GATEWAY_DRAIN_DELAY_MS : 0;
    config->workers = (uint32_t)config_integer(loader->root, CONFIG_DOCUMENT_WORKERS, 0);
    config->drain_delay_ms = config_integer(drain, CONFIG_DRAIN_DELAY_MS, delay_ms);
    config->drain_grace_ms = config_integer(drain, CONFIG_DRAIN_GRACE_MS, DRAIN_GRACE_MS);
    config->attempts_per_model =
        (int32_t)config_integer(attempts, CONFIG_ATTEMPTS_PER_MODEL, ATTEMPTS_PER_MODEL);
    config->attempts_per_request =
        (int32_t)config_integer(attempts, CONFIG_ATTEMPTS_PER_REQUEST, ATTEMPTS_PER_REQUEST);
    const struct config_node *admission = config_get(loader->root, CONFIG_DOCUMENT_ADMISSION);
    config->admission = (struct remora_admission_settings){
        .bytes =
            (uint64_t)config_integer(admission, CONFIG_ADMISSION_BYTES, REMORA_LIMIT_PROCESS_BYTES),
        .waiting =
            (uint32_t)config_integer(admission, CONFIG_ADMISSION_WAITING, REMORA_LIMIT_WAITING),
        .wait_ms = config_integer(admission, CONFIG_ADMISSION_WAIT_MS, REMORA_LIMIT_WAIT_MS),
    };
    const struct config_node *grpc = config_get(loader->root, CONFIG_DOCUMENT_GRPC);
    config->accept_old_core = config_boolean(grpc, CONFIG_GRPC_ACCEPT_OLD_CORE, false);
    int64_t age_ms = config->mode == REMORA_MODE_GATEWAY ? GATEWAY_CONNECTION_AGE_MS : 0;
    config->grpc_connection_age_ms =
        config_integer(grpc, CONFIG_GRPC_MAX_CONNECTION_AGE_MS, age_ms);
}

enum remora_code config_read_process(struct config_loader *loader)
{
    struct remora_config *config = loader->config;
    enum remora_code rc = read_listeners(loader);
    if (rc == REMORA_OK) {
        rc = read_mode(loader);
    }
    if (rc == REMORA_OK) {
        rc = read_log_level(loader);
    }
    if (rc == REMORA_OK) {
        rc = read_hosts(loader);
    }
    if (rc == REMORA_OK) {
        rc = read_uids(loader);
    }
    if (rc != REMORA_OK) {
        return rc;
    }
    read_numbers(loader);
    config->service = read_name(loader, "REMORA_SERVICE", CONFIG_DOCUMENT_SERVICE);
    config->namespace_name = read_name(loader, "REMORA_NAMESPACE", CONFIG_DOCUMENT_NAMESPACE);
    return REMORA_OK;
}
