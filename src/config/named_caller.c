/*
 * A caller as an operator names one: `--service`, `--namespace` and `--key` of the command line, the same of the admin
 * listener and of policy tests. A name that is misspelt would explain a policy that nobody has, so names are held against
 * the configuration. Cannot be used to call anything.
 */
#include "remora/caller.h"

static enum remora_code unknown(const char *param, const struct remora_guess *guess,
                                struct remora_fail *fail)
{
    char hint[REMORA_GUESS_BYTES];
    struct remora_slice asked = guess->asked;
    asked.length = asked.length < 80 ? asked.length : 80;
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, param, "no %s is called '%.*s'%s", param,
                           REMORA_SLICE_ARG(asked), remora_guess_hint(guess, hint));
}

static enum remora_code find_key(const struct remora_config *config, struct remora_slice name,
                                 const struct remora_gateway_key **out, struct remora_fail *fail)
{
    struct remora_guess guess;
    remora_guess_begin(&guess, name);
    for (size_t i = 0; i < config->key_count; i++) {
        if (remora_slice_equal(config->keys[i].name, name)) {
            *out = &config->keys[i];
            return REMORA_OK;
        }
        remora_guess_offer(&guess, config->keys[i].name, config->keys[i].name);
    }
    return unknown("key", &guess, fail);
}

/* Policies by name, the configured name, and those that keys have. */
struct names {
    const char *param;
    const struct remora_named_policy *policies;
    size_t policy_count;
    struct remora_slice own;
    struct remora_slice (*of_key)(const struct remora_gateway_key *key);
};

static struct remora_slice service_of(const struct remora_gateway_key *key)
{
    return key->service;
}

static struct remora_slice namespace_of(const struct remora_gateway_key *key)
{
    return key->namespace_name;
}

static enum remora_code check_name(const struct remora_config *config, const struct names *names,
                                   struct remora_slice name, struct remora_fail *fail)
{
    struct remora_guess guess;
    bool is_known = remora_slice_equal(names->own, name) || names->policy_count == 0;
    remora_guess_begin(&guess, name);
    remora_guess_offer(&guess, names->own, names->own);
    for (size_t i = 0; i < names->policy_count; i++) {
        is_known = is_known || remora_slice_equal(names->policies[i].name, name);
        remora_guess_offer(&guess, names->policies[i].name, names->policies[i].name);
    }
    for (size_t i = 0; i < config->key_count; i++) {
        is_known = is_known || remora_slice_equal(names->of_key(&config->keys[i]), name);
    }
    return is_known ? REMORA_OK : unknown(names->param, &guess, fail);
}

/* The name that was given, which must be the key's where there is a key; else the key's or the configured one. */
static enum remora_code take_name(const struct remora_config *config, const struct names *names,
                                  struct remora_slice given, const struct remora_gateway_key *key,
                                  struct remora_slice *out, struct remora_fail *fail)
{
    *out = key == NULL ? names->own : names->of_key(key);
    if (given.length == 0 || remora_slice_equal(given, *out)) {
        return REMORA_OK;
    }
    if (key != NULL) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, names->param,
                               "the key is of another %s: leave one of them out", names->param);
    }
    *out = given;
    return check_name(config, names, given, fail);
}

enum remora_code remora_caller_named(const struct remora_config *config,
                                     const struct remora_named_caller *named,
                                     struct remora_identity *out, struct remora_fail *fail)
{
    const struct names services = {"service", config->services, config->service_count,
                                   config->service, service_of};
    const struct names namespaces = {"namespace", config->namespaces, config->namespace_count,
                                     config->namespace_name, namespace_of};
    const struct remora_gateway_key *key = NULL;
    enum remora_code code =
        named->key.length == 0 ? REMORA_OK : find_key(config, named->key, &key, fail);
    *out = (struct remora_identity){.proof = key == NULL ? REMORA_PROOF_NONE : REMORA_PROOF_KEY};
    if (code == REMORA_OK) {
        code = take_name(config, &services, named->service, key, &out->service, fail);
    }
    if (code == REMORA_OK) {
        code =
            take_name(config, &namespaces, named->namespace_name, key, &out->namespace_name, fail);
    }
    if (key != NULL) {
        out->key_id = key->name;
    }
    return code;
}
