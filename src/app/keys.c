/*
 * remora keys: makes a gateway key, or the hash of one that exists. The configuration holds hashes only, so the key is shown
 * once, here, and kept by whoever calls.
 *
 *   remora keys new     "key rk-..." and "hash ...", a line each: the key for the caller, the hash for keys.NAME.hash's file
 *   remora keys hash    reads a key from standard input and prints its hash alone
 *
 * Exit status 2: wrong usage, or a key that is too easy to guess for a hash without salt.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app.h"
#include "remora/caller.h"

enum { KEY_RANDOM_BYTES = 32, KEY_LEAST_BYTES = 20, KEY_MOST_BYTES = 1024 };

static const char usage[] = "usage: remora keys new\n"
                            "       remora keys hash < FILE   (a key of at least 20 characters)\n";

static void print_hex(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%02x", bytes[i]);
    }
    putchar('\n');
}

static void print_hash(struct remora_slice key)
{
    uint8_t hash[REMORA_KEY_HASH_BYTES];
    remora_key_hash(key, hash);
    print_hex(hash, sizeof hash);
}

static int new_key(void)
{
    uint8_t random[KEY_RANDOM_BYTES];
    char key[8 + 2 * KEY_RANDOM_BYTES] = "rk-";
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        fputs("remora: the kernel gives no random bytes\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(key + strlen(key), 3, "%02x", random[i]);
    }
    printf("key %s\nhash ", key);
    print_hash(remora_slice_of(key));
    explicit_bzero(random, sizeof random);
    explicit_bzero(key, sizeof key);
    return 0;
}

/* As it can stand in a header: visible ASCII (RFC 9110 section 5.5). */
static bool is_key(struct remora_slice key)
{
    for (size_t i = 0; i < key.length; i++) {
        if (key.data[i] <= ' ' || key.data[i] > '~') {
            return false;
        }
    }
    return key.length >= KEY_LEAST_BYTES && key.length <= KEY_MOST_BYTES;
}

static int hash_key(void)
{
    char text[KEY_MOST_BYTES + 2];
    size_t length = 0;
    ssize_t got = 0;
    do {
        got = read(STDIN_FILENO, text + length, sizeof text - length);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0 && length < sizeof text);
    if (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    struct remora_slice key = remora_slice(text, length);
    bool is_fine = is_key(key);
    if (is_fine) {
        print_hash(key);
    } else {
        fputs("remora: a key has 20 to 1024 visible ASCII characters, without blanks\n", stderr);
    }
    explicit_bzero(text, sizeof text);
    return is_fine ? 0 : 2;
}

int app_keys(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "new") == 0) {
        return new_key();
    }
    if (argc == 2 && strcmp(argv[1], "hash") == 0) {
        return hash_key();
    }
    fputs(usage, stderr);
    return 2;
}
