/* Builds a snapshot from text with an environment and files that a test states. */
#ifndef REMORA_TEST_CONFIG_BUILD_H
#define REMORA_TEST_CONFIG_BUILD_H

#include "remora/config.h"

/* The content of a file that is there and cannot be read now. */
#define TEST_UNREADABLE "(unreadable)"
/* In PEM, until 2126: a certificate and its key, and another certificate's key. */
extern const char test_certificate[];
extern const char test_certificate_key[];
extern const char test_other_key[];

/* Pairs of name and value, ended by a NULL name. A file's value is its content; "" is an empty one. */
struct test_world {
    const char *const *environment;
    const char *const *files;
};

/* What a build asks of its world, into an input whose other members stay as they are. The world is borrowed for the build. */
void test_world_input(const struct test_world *world, struct remora_config_input *input);

enum remora_code test_config_build(const char *yaml, const struct test_world *world,
                                   struct remora_config **out, struct remora_fail *fail);
/* As a reload: the new one is to replace `running`. */
enum remora_code test_config_rebuild(const char *yaml, const struct test_world *world,
                                     const struct remora_config *running,
                                     struct remora_config **out, struct remora_fail *fail);
/* Must succeed. Without world: no variable is set and no file exists. */
struct remora_config *test_config(const char *yaml, const struct test_world *world);
/* Whether a warning has this path and this part of a text. */
bool test_config_warns(const struct remora_config *config, const char *path, const char *part);
/* The content of a secret, NUL-terminated; the test frees it. */
char *test_secret_text(const struct remora_secret *secret);

#endif
