/*
 * The openai-chat decoder on any bytes, as a stream and as a unary answer, cut and not: it must not crash, and what it
 * makes of them must depend neither on how they arrive nor on a chunk being like the one before. The first byte chooses
 * delivery (1), end (2) and, from bit 2 on, the dialect by its place in the table; the rest is the body.
 */
#include "event_text.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct decode_input input, size_t chunk_bytes, struct remora_buf *out)
{
    input.chunk_bytes = chunk_bytes;
    remora_buf_init(out, 64 << 20);
    (void)decode_to_text(&input, out);
}

static void compare(const char *label, const struct remora_buf *whole, const struct remora_buf *is)
{
    if (!remora_slice_equal(remora_buf_slice(whole), remora_buf_slice(is))) {
        fprintf(stderr, "whole:\n%.*s%s:\n%.*s", REMORA_SLICE_ARG(remora_buf_slice(whole)), label,
                REMORA_SLICE_ARG(remora_buf_slice(is)));
        abort();
    }
}

static void decode_unlike(struct decode_input input, const struct remora_buf *whole)
{
    struct remora_buf bytes;
    struct remora_buf events;
    remora_buf_init(&bytes, 64 << 20);
    append_unlike(&bytes, input.bytes);
    input.bytes = remora_buf_slice(&bytes);
    decode(input, 0, &events);
    compare("unlike", whole, &events);
    remora_buf_fini(&events);
    remora_buf_fini(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {1, 3, 16};
    struct remora_buf whole;
    if (size == 0) {
        return 0;
    }
    const char *dialect =
        remora_dialect_name((enum remora_dialect)(data[0] >> 2) % REMORA_DIALECT_COUNT);
    const struct remora_provider provider = {
        .facts = {.slug = remora_slice_of(dialect), .dialect = remora_slice_of(dialect)}};
    const struct remora_endpoint endpoint = {.provider = &provider};
    const struct decode_input input = {
        .endpoint = &endpoint,
        .adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
        .delivery = (data[0] & 1) != 0 ? REMORA_STREAM : REMORA_UNARY,
        .end = (data[0] & 2) != 0 ? REMORA_END_CUT : REMORA_END_CLEAN,
        .bytes = remora_slice((const char *)data + 1, size - 1),
    };
    decode(input, 0, &whole);
    for (size_t i = 0; i < REMORA_COUNT_OF(sizes); i++) {
        struct remora_buf pieces;
        decode(input, sizes[i], &pieces);
        compare("pieces", &whole, &pieces);
        remora_buf_fini(&pieces);
    }
    decode_unlike(input, &whole);
    remora_buf_fini(&whole);
    return 0;
}
