/*
 * Addresses: what a transfer of each reach may be connected to.
 *
 *   PROVIDER   all but unspecified and link-local ones and the clouds' services on the host (remora/address.h)
 *   METADATA   those services, address by address
 *   PUBLIC     what is globally reachable, and nothing else
 *
 * Sources: IANA, "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry", column "Globally
 * Reachable" (RFC 6890 and its updates). Of the services: those of base/address.c; AWS,
 * "Amazon EC2 User Guide", "Access instance metadata"; AWS, "AWS SDKs and Tools Reference Guide", "Container credential
 * provider"; Google Cloud, "Compute Engine", "View and query VM metadata"; read 2026-11-29.
 */
#include "address.h"

#include "remora/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const struct remora_range METADATA_V4[] = {
    {{169, 254, 169, 254}, 32}, /* EC2, Google Cloud, Azure */
    {{169, 254, 170, 2}, 32},   /* ECS */
    {{169, 254, 170, 23}, 32},  /* EKS Pod Identity */
    {{100, 100, 100, 200}, 32}, /* Alibaba */
    {{168, 63, 129, 16}, 32},   /* Azure's host */
};
static const struct remora_range METADATA_V6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54}, 128}, /* EC2 */
    {{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}, 128}, /* Google Cloud */
    {{0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23}, 128},       /* EKS Pod Identity */
};

static const struct remora_range NOT_PUBLIC_V4[] = {
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
static const struct remora_range GLOBAL_V6[] = {{{0x20}, 3}}; /* all that is given out so far */
static const struct remora_range NOT_PUBLIC_V6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* IETF protocols: Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: an IPv4 address in disguise */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation (RFC 9637) */
};
#define IS_IN(bytes, ranges) remora_address_is_in(bytes, ranges, REMORA_COUNT_OF(ranges))

static bool may_v4(enum remora_reach reach, const uint8_t *bytes)
{
    switch (reach) {
    case REMORA_REACH_PROVIDER:
        return !remora_address_is_refused_v4(bytes);
    case REMORA_REACH_METADATA:
        return IS_IN(bytes, METADATA_V4);
    case REMORA_REACH_PUBLIC:
        return !remora_address_is_refused_v4(bytes) && !IS_IN(bytes, NOT_PUBLIC_V4);
    }
    return false;
}

static bool may_v6(enum remora_reach reach, const uint8_t *bytes)
{
    const uint8_t *inner = remora_address_inner_v4(bytes);
    if (inner != NULL) {
        return may_v4(reach, inner);
    }
    switch (reach) {
    case REMORA_REACH_PROVIDER:
        return !remora_address_is_refused_v6(bytes);
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
