/*
 * Any bytes as the head of an upstream's answer, handed over line by line as libcurl does (with their line ends, however
 * those look). What is taken has a status, at most one framing, and names and values without line ends.
 */
#include "../../src/transport/inside.h"
#include "remora/catalog.h"
#include "remora/limits.h"
#include "remora/provider.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static bool is_one_line(struct remora_slice text)
{
    return remora_slice_find(text, '\n', 0) == text.length &&
           remora_slice_find(text, '\0', 0) == text.length;
}

static void check(const struct remora_head *head)
{
    struct remora_http_response response = remora_head_response(head);
    size_t lengths = 0;
    require(response.status >= 200 && response.status <= 599, "a final status");
    for (size_t i = 0; i < response.header_count; i++) {
        const struct remora_header *header = &response.headers[i];
        require(header->name.length > 0 && is_one_line(header->name) && is_one_line(header->value),
                "a header is one line with a name");
        lengths += remora_slice_equal_nocase(header->name, REMORA_SLICE("content-length")) ? 1 : 0;
    }
    require(lengths <= 1, "one length");
    (void)remora_response_retry_after_ms(&response, INT64_C(1700000000000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_slice rest = remora_slice((const char *)data, size);
    struct remora_head head;
    enum remora_head_step step = REMORA_HEAD_MORE;
    remora_head_init(&head);
    while (rest.length > 0 && (step == REMORA_HEAD_MORE || step == REMORA_HEAD_FINAL)) {
        size_t end = remora_slice_find(rest, '\n', 0);
        size_t length = end < rest.length ? end + 1 : end;
        step = remora_head_line(&head, remora_slice(rest.data, length));
        rest = remora_slice(rest.data + length, rest.length - length);
        if (step == REMORA_HEAD_FINAL) {
            check(&head);
        }
    }
    require(head.bytes <= size && (step != REMORA_HEAD_FINAL || head.is_complete), "it counts");
    remora_head_fini(&head);
    return 0;
}
