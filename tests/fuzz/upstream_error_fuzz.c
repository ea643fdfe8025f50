/*
 * Any bytes as the body of a provider's refusal: it gets a code and a text that a caller may read. The first byte chooses the
 * dialect by its place in the table, the second the status.
 */
#include "remora/limits.h"
#include "remora/provider.h"
#include "remora/secret.h"
#include "remora/text.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char KEY[] = "sk-fuzz-0123456789abcdef";

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void judge(const struct remora_endpoint *endpoint, int status, struct remora_slice body)
{
    struct remora_arena scratch;
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_upstream_error error = {
        .status = status, .body = body, .now_unix_ms = INT64_C(1700000000000)};
    remora_arena_init(&scratch, 4096, 16 << 20);
    remora_adapter_for(REMORA_WIRE_OPENAI)->classify(endpoint, &error, &scratch, &fail);
    require(fail.code != REMORA_OK && fail.cause != REMORA_CAUSE_NONE, "a refusal has a code");
    require(memchr(fail.message, '\0', sizeof fail.message) != NULL && fail.message[0] != '\0' &&
                remora_utf8_is_valid(remora_slice_of(fail.message)),
            "its text is text");
    require(strstr(fail.message, KEY) == NULL, "no key is quoted");
    require(fail.retry_after_ms >= -1, "a hint is none or a time");
    remora_arena_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { STATUSES = 300, FIRST = 300 };
    if (size < 2 || size > REMORA_LIMIT_UPSTREAM_ERROR_BYTES) {
        return 0;
    }
    const char *dialect =
        remora_dialect_name((enum remora_dialect)(data[0] % REMORA_DIALECT_COUNT));
    struct remora_credential credential = {.secret = remora_secret_new(remora_slice_of(KEY))};
    const struct remora_provider provider = {
        .facts = {.slug = remora_slice_of(dialect), .dialect = remora_slice_of(dialect)},
        .credentials = &credential,
        .credential_count = 1};
    const struct remora_endpoint endpoint = {.provider = &provider};
    judge(&endpoint, FIRST + data[1] * STATUSES / 256,
          remora_slice((const char *)data + 2, size - 2));
    remora_secret_free(credential.secret);
    return 0;
}
