/*
 * The HTTP front from its first byte: scan, llhttp, header rules, framing of the body. The first byte of the input says in
 * which pieces the rest is fed. Whatever comes in, the front answers or closes, and nothing leaks.
 */
#include "http_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct http_fixture *f = http_fixture_new(REMORA_HTTP_DATA);
    http_fixture_send(f, remora_slice((const char *)data + 1, size - 1), data[0] % 64);
    http_fixture_free(f);
    return 0;
}
