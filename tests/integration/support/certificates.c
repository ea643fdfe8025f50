#include "certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int ok)
{
    if (!ok) {
        abort();
    }
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *make(const char *name, EVP_PKEY *key)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    must(certificate != NULL && X509_set_version(certificate, 2));
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME *subject = X509_get_subject_name(certificate);
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0));
    must(X509_set_pubkey(certificate, key));
    return certificate;
}

void test_authority_init(struct test_authority *authority, const char *name)
{
    memset(authority, 0, sizeof *authority);
    authority->key = EVP_EC_gen("P-256");
    authority->certificate = make(name, authority->key);
    X509_set_issuer_name(authority->certificate, X509_get_subject_name(authority->certificate));
    add_extension(authority->certificate, authority->certificate, NID_basic_constraints,
                  "critical,CA:TRUE");
    must(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);
    BIO *memory = BIO_new(BIO_s_mem());
    must(PEM_write_bio_X509(memory, authority->certificate));
    must(BIO_read(memory, authority->pem, sizeof authority->pem - 1) > 0);
    BIO_free(memory);
}

void test_authority_fini(struct test_authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

SSL_CTX *test_server_context(const struct test_authority *authority, const char *wrong_name)
{
    char names[128] = "DNS:localhost,IP:127.0.0.1";
    if (wrong_name != NULL) {
        snprintf(names, sizeof names, "DNS:%s", wrong_name);
    }
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = make("server", key);
    X509_set_issuer_name(leaf, X509_get_subject_name(authority->certificate));
    add_extension(leaf, authority->certificate, NID_subject_alt_name, names);
    must(X509_sign(leaf, authority->key, EVP_sha256()) > 0);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    must(context != NULL && SSL_CTX_use_certificate(context, leaf) == 1 &&
         SSL_CTX_use_PrivateKey(context, key) == 1);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return context;
}
