/*
 * Addresses: what a transfer of each reach may be connected to.
 *
 *   PROVIDER   all but link-local ones and the clouds' services on the host, which hand out credentials
 *   METADATA   those services, address by address
 *   PUBLIC     what is globally reachable, and nothing else
 *
 * Sources: IANA, "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry", column "Globally
 * Reachable" (RFC 6890 and its updates); RFC 4291, 2.5.5.2 (mapped), RFC 6052, 2.1 (NAT64). Of the services: AWS, "Amazon EC2
 * User Guide", "Access instance metadata"; AWS, "AWS SDKs and Tools Reference Guide", "Container credential provider"; Google
 * Cloud, "Compute Engine", "View and query VM metadata"; read 2026-11-29.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct range_v4 {
    uint8_t bytes[4];
    unsigned bits;
};

struct range_v6 {
    uint8_t bytes[16];
    unsigned bits;
};

static const struct range_v4 LINK_LOCAL_V4[] = {{{169, 254}, 16}}; /* RFC 3927 */
static const struct range_v6 REFUSED_V6[] = {
    {{0xfe, 0x80}, 10},             /* link-local */
    {{0xfd, 0x00, 0x0e, 0xc2}, 32}, /* Amazon's services on the host */
    {{0xfd, 0x20, 0x00, 0xce}, 32}, /* Google's */
};

static const struct range_v4 METADATA_V4[] = {
    {{169, 254, 169, 254}, 32}, /* EC2, Google Cloud, Azure */
    {{169, 254, 170, 2}, 32},   /* ECS */
    {{169, 254, 170, 23}, 32},  /* EKS Pod Identity */
};
static const struct range_v6 METADATA_V6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54}, 128}, /* EC2 */
    {{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}, 128}, /* Google Cloud */
    {{0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23}, 128},       /* EKS Pod Identity */
};

static const struct range_v4 NOT_PUBLIC_V4[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared by carriers */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* IETF protocols */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays, deprecated */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, broadcast */
};
static const struct range_v6 GLOBAL_V6[] = {{{0x20}, 3}}; /* all that is given out so far */
static const struct range_v6 NOT_PUBLIC_V6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* IETF protocols: Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: an IPv4 address in disguise */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation (RFC 9637) */
};
static const struct range_v6 NAT64[] = {{{0x00, 0x64, 0xff, 0x9b}, 96}};
static const struct range_v6 MAPPED[] = {{{[10] = 0xff, 0xff}, 96}};

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    return memcmp(bytes, prefix, whole) == 0 &&
           (rest == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

#define IS_IN(bytes, ranges)    is_in(bytes, ranges, REMORA_COUNT_OF(ranges))
#define IS_IN_V4(bytes, ranges) is_in_v4(bytes, ranges, REMORA_COUNT_OF(ranges))

static bool is_in_v4(const uint8_t *bytes, const struct range_v4 *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (has_prefix(bytes, ranges[i].bytes, ranges[i].bits)) {
            return true;
        }
    }
    return false;
}

static bool is_in(const uint8_t *bytes, const struct range_v6 *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (has_prefix(bytes, ranges[i].bytes, ranges[i].bits)) {
            return true;
        }
    }
    return false;
}

static bool may_v4(enum remora_reach reach, const uint8_t *bytes)
{
    switch (reach) {
    case REMORA_REACH_PROVIDER:
        return !IS_IN_V4(bytes, LINK_LOCAL_V4);
    case REMORA_REACH_METADATA:
        return IS_IN_V4(bytes, METADATA_V4);
    case REMORA_REACH_PUBLIC:
        return !IS_IN_V4(bytes, NOT_PUBLIC_V4);
    }
    return false;
}

static bool may_v6(enum remora_reach reach, const uint8_t *bytes)
{
    if (IS_IN(bytes, MAPPED) || IS_IN(bytes, NAT64)) {
        return may_v4(reach, bytes + 12);
    }
    switch (reach) {
    case REMORA_REACH_PROVIDER:
        return !IS_IN(bytes, REFUSED_V6);
    case REMORA_REACH_METADATA:
        return IS_IN(bytes, METADATA_V6);
    case REMORA_REACH_PUBLIC:
        return IS_IN(bytes, GLOBAL_V6) && !IS_IN(bytes, NOT_PUBLIC_V6);
    }
    return false;
}

bool transport_address_may(enum remora_reach reach, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return may_v4(reach, (const void *)&v4->sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        return may_v6(reach, v6->sin6_addr.s6_addr);
    }
    return false; /* nothing else is ever meant */
}

bool transport_address_text_may(enum remora_reach reach, const char *text)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    size_t length = strcspn(text, "%"); /* a zone says which link, not who */
    if (length >= sizeof address) {
        return false;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    if (inet_pton(AF_INET, address, bytes) == 1) {
        return may_v4(reach, bytes);
    }
    return inet_pton(AF_INET6, address, bytes) == 1 && may_v6(reach, bytes);
}
