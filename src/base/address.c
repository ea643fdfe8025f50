/*
 * Addresses that no provider is called at, for what answers there hands out credentials or is this machine in disguise.
 *
 * Sources beside the header's: AWS, "Amazon EC2 User Guide", "Access instance metadata"; Google Cloud, "Compute Engine", "View
 * and query VM metadata"; Alibaba Cloud, "ECS", "Instance metadata"; Microsoft, "What is IP address 168.63.129.16?".
 */
#include "remora/address.h"

static const struct remora_range REFUSED_V4[] = {
    {{0}, 8},                   /* RFC 1122, "this host": Linux takes 0.0.0.0 for loopback */
    {{169, 254}, 16},           /* link-local, RFC 3927; metadata of most clouds */
    {{100, 100, 100, 200}, 32}, /* Alibaba's metadata */
    {{168, 63, 129, 16}, 32},   /* Azure's host */
};
static const struct remora_range LOOPBACK_V6[] = {{{[15] = 1}, 128}};
static const struct remora_range REFUSED_V6[] = {
    {{0}, 96},                      /* unspecified, and IPv4-compatible, which is deprecated */
    {{0xfe, 0x80}, 10},             /* link-local */
    {{0xfd, 0x00, 0x0e, 0xc2}, 32}, /* Amazon's services on the host */
    {{0xfd, 0x20, 0x00, 0xce}, 32}, /* Google's */
};
static const struct remora_range HAS_V4[] = {
    {{[10] = 0xff, 0xff}, 96},      /* mapped */
    {{0x00, 0x64, 0xff, 0x9b}, 96}, /* NAT64 */
};

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    return memcmp(bytes, prefix, whole) == 0 &&
           (rest == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

bool remora_address_is_in(const uint8_t *bytes, const struct remora_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (has_prefix(bytes, ranges[i].bytes, ranges[i].bits)) {
            return true;
        }
    }
    return false;
}

const uint8_t *remora_address_inner_v4(const uint8_t bytes[16])
{
    return remora_address_is_in(bytes, HAS_V4, REMORA_COUNT_OF(HAS_V4)) ? bytes + 12 : NULL;
}

bool remora_address_is_refused_v4(const uint8_t bytes[4])
{
    return remora_address_is_in(bytes, REFUSED_V4, REMORA_COUNT_OF(REFUSED_V4));
}

bool remora_address_is_refused_v6(const uint8_t bytes[16])
{
    const uint8_t *inner = remora_address_inner_v4(bytes);
    if (inner != NULL) {
        return remora_address_is_refused_v4(inner);
    }
    return remora_address_is_in(bytes, REFUSED_V6, REMORA_COUNT_OF(REFUSED_V6)) &&
           !remora_address_is_in(bytes, LOOPBACK_V6, REMORA_COUNT_OF(LOOPBACK_V6));
}
