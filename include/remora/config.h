/*
 * Configuration: one YAML document -> one immutable snapshot. Everything a request needs to know is in it; an exchange
 * holds the snapshot it began with. Building one is slow and happens on the control thread; reading one is free.
 */
#ifndef REMORA_CONFIG_H
#define REMORA_CONFIG_H

#include "remora/base.h"
#include "remora/buf.h"
#include "remora/catalog.h"
#include "remora/guess.h"
#include "remora/health.h"
#include "remora/policy.h"

struct remora_tls;

enum remora_mode { REMORA_MODE_SIDECAR, REMORA_MODE_GATEWAY };

/* "localhost:7360" (both loopback addresses), "127.0.0.1:7360", "[::1]:7360", "unix:/run/remora.sock" or "off". */
struct remora_address {
    char text[128]; /* as written, NUL-terminated */
    bool is_off;
    bool is_unix;
    bool is_loopback; /* or unix */
    bool is_tls;      /* callers speak TLS there; set by whoever read `tls` */
    char host[64];
    uint16_t port;
};
REMORA_MUST_CHECK enum remora_code remora_address_parse(struct remora_slice text,
                                                        struct remora_address *out,
                                                        struct remora_fail *fail);

/* What a listener asks of its callers. */
enum remora_entry {
    REMORA_ENTRY_FREE,
    REMORA_ENTRY_KEYS,         /* a gateway key */
    REMORA_ENTRY_CERTIFICATES, /* a client certificate, and a key where there are keys */
};
/*
 * Whether http, grpc or admin may bind it: loopback, a unix socket or off; beyond that callers have to show something (INVALID_REQUEST).
 * Loading checks the document's; the command line's --http and the like are the app's.
 */
REMORA_MUST_CHECK enum remora_code remora_address_check_data(const struct remora_address *address,
                                                             enum remora_entry entry,
                                                             const char *param,
                                                             struct remora_fail *fail);

struct remora_alias {
    struct remora_slice from;
    struct remora_slice to;
};
struct remora_named_policy {
    struct remora_slice name;
    struct remora_policy policy;
};

/* Who has a gateway key: a service, under a policy of its own. The key itself is nowhere, only its hash. */
struct remora_gateway_key {
    struct remora_slice name; /* key_id of the identity */
    struct remora_slice service;
    struct remora_slice namespace_name;
    struct remora_policy policy;
};
#define REMORA_KEY_HASH_BYTES 32
/* SHA-256 of a key (FIPS 180-4); several may lead to one name while a key is being replaced. */
struct remora_key_hash {
    uint8_t sha256[REMORA_KEY_HASH_BYTES];
    const struct remora_gateway_key *key;
};

/* Something the operator should know that does not stop the process; `check --strict` makes it an error. */
struct remora_warning {
    struct remora_slice path; /* "providers.openai.api_key" */
    struct remora_slice text;
};

/* In the order of how much of a cut it gives away. */
enum remora_file_end {
    REMORA_FILE_ENDS_ANYWHERE,
    REMORA_FILE_ENDS_WITH_LINE,   /* a line break: few cuts leave one */
    REMORA_FILE_ENDS_WITH_MARKER, /* a line "...": none does */
};
struct remora_file_ending {
    struct remora_slice path; /* NUL-terminated */
    enum remora_file_end end;
};

/* What the process carries at once, and how requests wait for a place. May change with a reload. */
struct remora_admission_settings {
    uint64_t bytes;   /* of request bodies; the memory limit of the process may say less */
    uint32_t waiting; /* requests in line for a place of one service or key */
    int64_t wait_ms;
};

/* The layers that files of policy_files may hold. */
enum {
    REMORA_POLICY_FILE_MESH,
    REMORA_POLICY_FILE_NAMESPACE,
    REMORA_POLICY_FILE_SERVICE,
    REMORA_POLICY_FILES
};
/* What else of a process that runs a load may leave as it was; bits of kept_parts behind those of the layers. */
enum {
    REMORA_KEPT_TLS =
        REMORA_POLICY_FILES, /* certificate, key and client_ca_file of the listeners */
    REMORA_KEPT_CA_FILE,     /* of a provider */
    REMORA_KEPT_SECRETS,     /* keys of providers, hashes of keys, headers */
    REMORA_KEPT_PARTS
};
struct remora_policy_text {
    struct remora_slice path;    /* empty: the document names none */
    struct remora_slice content; /* {NULL, 0}: it is absent */
};

struct remora_config {
    /* Read by the app at start; a reload that changes them is refused with a warning. */
    struct remora_address http;
    struct remora_address grpc;
    struct remora_address probe;
    struct remora_address admin;
    bool accept_old_core;
    int64_t grpc_connection_age_ms; /* 0: connections live as long as they like */
    enum remora_mode mode;
    uint32_t workers; /* 0: by mode */
    int64_t drain_delay_ms;
    int64_t drain_grace_ms;
    struct remora_admission_settings admission;
    uint8_t log_level; /* enum remora_log_level; may change with a reload */

    /* Of http and grpc beyond loopback; NULL: plaintext. A reload brings another certificate, but neither takes TLS away nor
     * begins it, nor the asking for client certificates. */
    struct remora_tls *tls;
    const uint32_t *unix_uids; /* who may connect to unix sockets, by SO_PEERCRED */
    size_t unix_uid_count;     /* 0: whoever may open the file */

    struct remora_slice service;
    struct remora_slice namespace_name;
    const struct remora_provider *providers;
    size_t provider_count;
    const struct remora_model
        *models; /* those that have an endpoint of a configured provider, by id */
    size_t model_count;
    const struct remora_alias *aliases;
    size_t alias_count;
    struct remora_policy mesh;
    const struct remora_named_policy *namespaces;
    size_t namespace_count;
    const struct remora_named_policy *services;
    size_t service_count;
    const struct remora_gateway_key *keys; /* any: every call of the data listeners needs one */
    size_t key_count;
    const struct remora_key_hash *key_hashes; /* of those keys whose hash could be read */
    size_t key_hash_count;
    struct remora_deadlines deadlines;
    int32_t attempts_per_model;
    int32_t attempts_per_request;
    const struct remora_slice *allowed_hosts; /* further Host names, beside the loopback ones */
    size_t allowed_host_count;

    /* Why no request may be served yet ("the mesh policy is absent"), or NULL: a file of policy_files is not there. */
    const char *not_ready_why;
    /* As it was given, and what the files of policy_files hold that are in force: for the snapshot that follows. */
    struct remora_slice document;
    struct remora_policy_text policy_texts[REMORA_POLICY_FILES];
    /*
     * What is as it was in the snapshot before, for its files are absent, wrong, cut off or cannot be read (bit I: policy_texts[I], or
     * REMORA_KEPT_*), and why, as a build that fails says it (of the first, if there are several); NULL: every file was taken.
     */
    unsigned kept_parts;
    const struct remora_fail *kept_why;
    /* A file could not be read for a reason that may pass (no descriptor, a sick mount): worth another load in some seconds. */
    bool is_unread;
    /*
     * Paths, NUL-terminated, beside the document's: policy files first, then those of keys, hashes and authorities. When one
     * changes, the configuration has changed. A path may stand there twice.
     */
    const struct remora_slice *files;
    size_t file_count;
    size_t policy_file_count;

    /* Of the document, and of those files of policy_files that are there. */
    struct remora_file_ending endings[4];
    size_t ending_count;

    /* First 12 hex digits of the SHA-256 of the document, and of the files of policy_files where there are any. */
    struct remora_slice revision;
    int64_t load_unix_ms;
    const struct remora_warning *warnings;
    size_t warning_count;
    size_t
        changed_credential_count; /* keys of providers that hold something else than when last loaded */
    struct remora_slice
        effective_json; /* an object: all of the above as it applies, without secrets */

    struct remora_config_private *private_part; /* arena, reference count, secrets */
};

/* What a document cannot say: read by the caller so that building stays free of the environment. */
struct remora_config_input {
    /* What the new snapshot is to replace, borrowed for the build; NULL: nothing runs yet. */
    const struct remora_config *running;
    struct remora_slice document; /* YAML text; empty: defaults and the environment only */
    const char *document_name;    /* for messages */
    /* The document is a file's that an operator named: one without `version` is refused. */
    bool needs_version;
    /* For dry runs: a provider's secret that is named and absent counts as held. */
    bool assumes_keys;
    const char *(*getenv)(void *context, const char *name); /* NULL when unset */
    void *getenv_context;
    /* Codes of remora_secret_read. */
    enum remora_code (*read_secret)(void *context, const char *path, struct remora_secret **out,
                                    struct remora_fail *fail);
    /* NOT_FOUND: there is none of this name; INVALID_REQUEST: it may not be read, or is none; INTERNAL: it could not be read now. */
    enum remora_code (*read_file)(void *context, const char *path, struct remora_arena *arena,
                                  struct remora_slice *out, struct remora_fail *fail);
    void *file_context;
    struct remora_health *health;
    int64_t now_unix_ms;
};

/*
 * The whole document or nothing. Of a process that runs, each file of policy_files that cannot be taken leaves its layer as it was,
 * a certificate of ours or a provider's authorities likewise, and a secret whose file could not be read now (kept_parts); what is settled at the start is held to (config/settled.c). On failure fail->param is the path and fail->message begins with "LINE:COLUMN: ".
 * REMORA_UNIMPLEMENTED for a key of the design that is not built yet. The new snapshot has one reference.
 */
REMORA_MUST_CHECK enum remora_code remora_config_build(const struct remora_config_input *input,
                                                       struct remora_config **out,
                                                       struct remora_fail *fail);
/*
 * JSON Schema (2020-12) of the document or of a file of policy_files, from the table that loading reads. It says what one key can say alone; what takes the
 * catalog, the environment or two keys only remora_config_build knows.
 */
enum remora_schema_root { REMORA_SCHEMA_DOCUMENT, REMORA_SCHEMA_POLICY };
void remora_config_schema(struct remora_buf *out, enum remora_schema_root root);
/*
 * A YAML document as JSON text, appended: for files beside the configuration. Plain scalars that JSON knows as a number, a
 * boolean or null are those, all others are text; anchors, tags and doubled keys are refused. Fails as remora_config_build.
 */
REMORA_MUST_CHECK enum remora_code remora_yaml_to_json(struct remora_slice yaml,
                                                       struct remora_arena *arena,
                                                       struct remora_buf *out,
                                                       struct remora_fail *fail);
/* Input as the process has it: getenv, files. Any thread. */
void remora_config_input_system(struct remora_config_input *input);

/* Reference counting is atomic: any thread. The last release wipes the secrets. */
struct remora_config *remora_config_acquire(struct remora_config *config);
void remora_config_release(struct remora_config *config);

/* Whether a listener at this address speaks TLS, and what it asks of its callers. */
bool remora_config_is_tls(const struct remora_config *config, const struct remora_address *address);
enum remora_entry remora_config_entry(const struct remora_config *config);
/* Whether a process of this user may use a unix socket of ours. */
bool remora_config_takes_uid(const struct remora_config *config, int64_t uid);

/* SHEDDING, with a time to come back, while a file of policy_files is absent: without its ceiling nobody is served or listed. */
REMORA_MUST_CHECK enum remora_code remora_config_check_ready(const struct remora_config *config,
                                                             struct remora_fail *fail);
/* NULL when there is none. Ids are compared as they are; aliases are the plan's business. */
const struct remora_model *remora_config_model(const struct remora_config *config,
                                               struct remora_slice id);
const struct remora_provider *remora_config_provider(const struct remora_config *config,
                                                     struct remora_slice slug);
/* Configured or in the catalog: a slug that may stand in `order`, `only` and `ignore`. */
bool remora_config_knows_provider(const struct remora_config *config, struct remora_slice slug);
/* "; did you mean 'openai'?" of a slug that nobody knows, from both; or "". Returns out. */
const char *remora_config_provider_hint(const struct remora_config *config,
                                        struct remora_slice slug, char out[REMORA_GUESS_BYTES]);
/* Whether an endpoint has this tag, be it of the snapshot or of the catalog. */
bool remora_config_knows_tag(const struct remora_config *config, struct remora_slice tag);
/* As the hint of a provider, from the tags of the snapshot. */
const char *remora_config_tag_hint(const struct remora_config *config, struct remora_slice tag,
                                   char out[REMORA_GUESS_BYTES]);
/* The layers that bind this identity, REQUEST left NULL. */
void remora_config_stack(const struct remora_config *config, const struct remora_identity *identity,
                         struct remora_policy_stack *out);

#endif
