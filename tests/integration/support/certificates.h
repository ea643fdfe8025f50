/* Certificate authorities and server certificates made on the spot. */
#ifndef REMORA_TEST_CERTIFICATES_H
#define REMORA_TEST_CERTIFICATES_H

#include <openssl/ssl.h>

struct test_authority {
    X509 *certificate;
    EVP_PKEY *key;
    char pem[4096];
};

void test_authority_init(struct test_authority *authority, const char *name);
void test_authority_fini(struct test_authority *authority);
/* A server context whose certificate is for "localhost" and 127.0.0.1, or for `wrong_name` when that is not NULL. */
SSL_CTX *test_server_context(const struct test_authority *authority, const char *wrong_name);

#endif
