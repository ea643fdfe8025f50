/*
 * Who calls.
 *
 *   1. no keys in the configuration: a caller that is local or has shown a client certificate is the configured service;
 *      anybody else is refused
 *   2. keys: the one that was shown is hashed and held against every hash, without stopping at a match
 *   3. the key's service, namespace and name are the identity
 *
 * A key has enough randomness of its own (remora keys new: 256 bits), so one round of SHA-256 without salt is enough: there
 * is nothing to guess. Comparing hashes instead of keys already hides where they differ; CRYPTO_memcmp leaves no doubt.
 *
 * Fails: UNAUTHENTICATED, with the same words for an absent, malformed and unknown key.
 * Sources: RFC 6750 section 2.1 (Bearer), RFC 9110 section 11.1 (the scheme's case does not matter).
 */
#include "remora/caller.h"

#include "remora/text.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

void remora_key_hash(struct remora_slice key, uint8_t out[REMORA_KEY_HASH_BYTES])
{
    SHA256((const unsigned char *)(key.data == NULL ? "" : key.data), key.length, out);
}

static enum remora_code refuse(struct remora_fail *fail)
{
    return remora_fail_set(fail, REMORA_UNAUTHENTICATED, NULL,
                           "This gateway asks for a key that it knows: send it as "
                           "\"Authorization: Bearer KEY\" or as \"x-api-key: KEY\". Whoever runs "
                           "the gateway gives keys out.");
}

/* Empty when there is none. */
static struct remora_slice shown_key(const struct remora_caller *caller)
{
    static const struct remora_slice scheme = REMORA_SLICE_INIT("Bearer ");
    struct remora_slice value = caller->authorization;
    if (value.length == 0) {
        return caller->api_key;
    }
    if (value.length < scheme.length ||
        !remora_slice_equal_nocase(remora_slice(value.data, scheme.length), scheme)) {
        return remora_slice(NULL, 0);
    }
    return remora_slice_trim(
        remora_slice(value.data + scheme.length, value.length - scheme.length));
}

static const struct remora_gateway_key *find(const struct remora_config *config,
                                             const uint8_t hash[REMORA_KEY_HASH_BYTES])
{
    const struct remora_gateway_key *found = NULL;
    for (size_t i = 0; i < config->key_hash_count; i++) {
        const struct remora_key_hash *known = &config->key_hashes[i];
        if (CRYPTO_memcmp(known->sha256, hash, REMORA_KEY_HASH_BYTES) == 0) {
            found = known->key;
        }
    }
    return found;
}

enum remora_code remora_caller_identify(const struct remora_config *config,
                                        const struct remora_caller *caller,
                                        struct remora_identity *out, struct remora_fail *fail)
{
    if (config->key_count == 0) {
        if (!caller->is_local && !caller->has_certificate) {
            return refuse(fail);
        }
        *out = (struct remora_identity){.service = config->service,
                                        .namespace_name = config->namespace_name,
                                        .proof = caller->is_local ? caller->local_proof
                                                                  : REMORA_PROOF_CERTIFICATE};
        return REMORA_OK;
    }
    uint8_t hash[REMORA_KEY_HASH_BYTES];
    remora_key_hash(shown_key(caller), hash);
    const struct remora_gateway_key *key = find(config, hash);
    if (key == NULL) {
        return refuse(fail);
    }
    *out = (struct remora_identity){.service = key->service,
                                    .namespace_name = key->namespace_name,
                                    .key_id = key->name,
                                    .proof = REMORA_PROOF_KEY};
    return REMORA_OK;
}
