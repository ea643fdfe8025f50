/*
 * What the files that build a snapshot share: one loader per build, on the control thread. Texts that the snapshot keeps are
 * copied into its arena with config_keep; an arena that ran out remembers it and fails the build at its end.
 */
#ifndef REMORA_CONFIG_LOADER_H
#define REMORA_CONFIG_LOADER_H

#include "tree.h"

#include "remora/config.h"
#include "remora/secret.h"

#include <stdatomic.h>

struct remora_config_private {
    struct remora_arena arena;
    struct remora_secret_pages secrets;
    struct config_held *held;
    atomic_uint references;
};

/* What a file held when it was read: for the snapshot that follows, should it not be readable then. */
struct config_held {
    struct remora_slice path;
    const struct remora_secret *secret; /* in `secrets` */
    struct config_held *next;
};

/* What policy_files named: the policy object of each file, NULL where none is named. */
struct config_policy_file {
    const struct config_node *stated; /* its path in the document, NULL: not named */
    struct remora_slice content;
    const struct config_node *root; /* NULL: the file is absent */
    bool is_kept;                   /* as it was in the running snapshot */
};
struct config_policy_files {
    struct config_policy_file of[REMORA_POLICY_FILES];
};

/* A provider's key whose health is looked up when nothing can fail any more. */
struct config_key_slot {
    struct remora_credential *key;
    const struct remora_provider *provider;
    struct remora_slice name; /* of the slot */
    struct config_key_slot *next;
};

/* The same of an endpoint. */
struct config_endpoint_slot {
    struct remora_endpoint *endpoint;
    struct config_endpoint_slot *next;
};

struct config_loader {
    const struct remora_config_input *input;
    struct remora_fail *fail;
    struct remora_config *config;
    struct remora_arena *arena;   /* of the snapshot */
    struct remora_arena *scratch; /* of the build: the tree and lists on the way */
    const struct config_node *root;
    const struct config_node *provider_nodes;  /* the mapping `providers`, or NULL */
    struct remora_provider *providers;         /* config->providers while they are made */
    const struct remora_provider **by_catalog; /* by index of the catalog, NULL: not configured */
    struct provider_variant *variants;         /* see models.c */
    struct shared_deadlines *deadlines;        /* see models.c */
    struct config_policy_files policy_files;
    struct config_key_slot *key_slots; /* in no order */
    struct config_endpoint_slot *endpoint_slots;
    struct config_endpoint_slot **endpoint_slots_end;
    bool has_unwatched;         /* an endpoint without a slot was told */
    struct remora_slice *files; /* config->files while they are noted */
    size_t file_capacity;
    struct remora_warning *warnings;
    size_t warning_count;
    size_t warning_capacity;
};

/* The code to end with when an allocation of the snapshot failed. */
enum remora_code config_no_room(struct config_loader *loader);
/* settled.c: INVALID_REQUEST when the document changes what is settled at the start; after tls and policy_files are known. */
REMORA_MUST_CHECK enum remora_code config_check_settled(struct config_loader *loader);
/* ending.c: INVALID_REQUEST when it has lost the end that the file of its path has in the running snapshot. */
REMORA_MUST_CHECK enum remora_code config_check_ending(const struct config_loader *loader,
                                                       struct remora_slice path,
                                                       struct remora_slice content,
                                                       const struct config_node *root,
                                                       struct remora_fail *fail);
/* ending.c: how the document (first) or a file of policy_files ends. */
void config_note_ending(struct config_loader *loader, struct remora_slice path,
                        struct remora_slice content, const struct config_node *root);
/* health_names.c: has the endpoint's health looked up by config_look_up_endpoints. After its provider, model and deadlines are known. */
void config_note_endpoint(struct config_loader *loader, struct remora_endpoint *endpoint);
/* health_names.c: when nothing of the document can fail any more. Before the warnings are counted. */
void config_look_up_endpoints(struct config_loader *loader);
/* health_names.c: adds a text, a secret, or headers, CA, proxy and the like to provider->settings. */
void config_mix_text(uint64_t *settings, struct remora_slice text);
void config_mix_secret(uint64_t *settings, const struct remora_secret *secret);
void config_mix_transport(struct remora_provider *provider);
/* A NUL-terminated copy that lives as long as the snapshot. */
struct remora_slice config_keep(struct config_loader *loader, struct remora_slice text);
/* A file that the snapshot was read from, be it absent: config->files. `path` is kept already. */
void config_note_file(struct config_loader *loader, struct remora_slice path);
void config_warn(struct config_loader *loader, const struct config_node *at, const char *format,
                 ...) REMORA_PRINTF(3, 4);
/* A warning about what the document does not name: the path is given. */
void config_warn_path(struct config_loader *loader, const char *path, const char *format, ...)
    REMORA_PRINTF(3, 4);
/*
 * A file, or a secret, by the input's function; notes the path and that it could not be read now (is_unread). `path` is kept already.
 * *why has words for every failure.
 */
REMORA_MUST_CHECK enum remora_code
config_read_file(struct config_loader *loader, struct remora_slice path, struct remora_arena *arena,
                 struct remora_slice *out, struct remora_fail *why);
REMORA_MUST_CHECK enum remora_code config_read_secret(struct config_loader *loader,
                                                      struct remora_slice path,
                                                      struct remora_secret **out,
                                                      struct remora_fail *why);
/* A part (kept_parts) is as it was, for this reason; `stays` ends the warning. The first is told as a build that fails would say it. */
void config_note_kept(struct config_loader *loader, unsigned part, const struct remora_fail *why,
                      const char *stays);
/* NULL when unset or empty. */
const char *config_getenv(const struct config_loader *loader, const char *name);
/* What was stated of five deadlines; 0 for the rest. */
void config_read_deadlines(const struct config_node *node, struct remora_deadlines *out);
/* A list of texts, kept. */
REMORA_MUST_CHECK enum remora_code config_read_texts(struct config_loader *loader,
                                                     const struct config_node *node,
                                                     struct remora_slices *out);
/* "int4" and the like; openrouter.md section 4 `quantizations`. */
bool config_is_quantization(struct remora_slice text);

/* plain_names.c: of names in `node` and below that Helm would read otherwise. `node` may be NULL. */
void config_warn_of_plain_names(struct config_loader *loader, const struct config_node *node);
/* tls.c: config->tls; before the process. */
REMORA_MUST_CHECK enum remora_code config_read_tls(struct config_loader *loader);
/* credentials.c: the snapshot's from now on, at another place; freed, and *secret NULL, when there is no room. */
REMORA_MUST_CHECK enum remora_code config_hold_secret(struct config_loader *loader,
                                                      struct remora_secret **secret);
/* credentials.c: what a file held when this snapshot was read; NULL: nothing was read from it. */
const struct remora_secret *config_held(const struct remora_config *config,
                                        struct remora_slice path);
/* credentials.c. *secret NULL and *why set when the source has nothing usable. */
struct config_secret {
    struct remora_slice name;
    struct remora_secret *secret; /* held by the snapshot */
    const char *why;
};
REMORA_MUST_CHECK enum remora_code config_read_source(struct config_loader *loader,
                                                      const struct config_node *source,
                                                      struct config_secret *out);
/* The same of a secret that a provider is shown; under input->assumes_keys one that is absent is held all the same. */
REMORA_MUST_CHECK enum remora_code config_read_outgoing(struct config_loader *loader,
                                                        const struct config_node *source,
                                                        struct config_secret *out);
/* When the file of the source may be read by everybody. Not for hashes, which are no secret. */
void config_warn_of_exposure(struct config_loader *loader, const struct config_node *source,
                             const struct config_secret *secret);
REMORA_MUST_CHECK enum remora_code config_read_env(struct config_loader *loader, const char *name,
                                                   struct config_secret *out);
/* credentials, credential_count, needs_credential, disabled_why of a provider. */
REMORA_MUST_CHECK enum remora_code config_read_credentials(struct config_loader *loader,
                                                           const struct config_node *node,
                                                           struct remora_provider *provider);
/* credentials.c: the health of all keys, and changed_credential_count: last, for a build that fails must not forget what a key was. */
void config_look_up_keys(struct config_loader *loader);
/* headers.c */
REMORA_MUST_CHECK enum remora_code config_read_headers(struct config_loader *loader,
                                                       const struct config_node *node,
                                                       struct remora_provider *provider);
/* providers.c: config->providers and by_catalog. */
REMORA_MUST_CHECK enum remora_code config_read_providers(struct config_loader *loader);
/*
 * The text with every ${NAME} replaced from the environment; {NULL, 0} and *why when one is unset or the result is no
 * address that may be called.
 */
struct remora_slice config_expand_url(struct config_loader *loader, struct remora_slice text,
                                      const char **why);
/* models.c: config->models. */
REMORA_MUST_CHECK enum remora_code config_read_models(struct config_loader *loader);
/* endpoints.c: one endpoint of the operator's. */
REMORA_MUST_CHECK enum remora_code config_read_endpoint(struct config_loader *loader,
                                                        const struct config_node *node,
                                                        const struct remora_model_facts *model,
                                                        struct remora_endpoint *out);
/*
 * policies.c: one policy object of whatever stands at `node` (NULL: nothing is stated). An object of tbl/config_keys.h that
 * holds a policy beside other keys has the keys models, provider and limits of POLICY. Needs providers and models.
 */
REMORA_MUST_CHECK enum remora_code config_read_policy(struct config_loader *loader,
                                                      const struct config_node *node,
                                                      struct remora_policy *out);
void config_policy_begin(struct remora_policy *policy);
/* policy_files.c: the policy of a file that the document names; an absent one allows nothing. */
REMORA_MUST_CHECK enum remora_code
config_read_policy_file(struct config_loader *loader, unsigned layer, struct remora_policy *out);
/* policy_files.c: policy_texts and endings, when all layers have been read. */
void config_keep_policy_files(struct config_loader *loader);
/* policy_files.c: config->files, not_ready_why, loader->policy_files; after the process is known. */
REMORA_MUST_CHECK enum remora_code config_read_policy_files(struct config_loader *loader);
/* effective.c: config->effective_json; last, because it tells of all the rest. */
REMORA_MUST_CHECK enum remora_code config_keep_effective(struct config_loader *loader);
/* policies.c: mesh, namespaces, services; needs providers and models. */
REMORA_MUST_CHECK enum remora_code config_read_policies(struct config_loader *loader);
/* gateway_keys.c: config->keys and key_hashes; needs what policies need. */
REMORA_MUST_CHECK enum remora_code config_read_gateway_keys(struct config_loader *loader);
/* process.c: addresses, mode, workers, drain, attempts, identity, hosts. */
REMORA_MUST_CHECK enum remora_code config_read_process(struct config_loader *loader);

#endif
