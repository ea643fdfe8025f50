/*
 * IP addresses as bytes, in network order: ranges, and which addresses no provider is ever called at. One list for what a
 * configuration may name and for what a name may resolve to. Pure, any thread.
 *
 * Sources: IANA, "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry"; RFC 4291, 2.5.5
 * (IPv4-compatible, IPv4-mapped), RFC 6052, 2.1 (NAT64); the clouds' manuals, named in base/address.c.
 */
#ifndef REMORA_ADDRESS_H
#define REMORA_ADDRESS_H

#include "remora/base.h"

struct remora_range {
    uint8_t bytes[16]; /* of IPv4 the first 4 */
    unsigned bits;     /* how many of them count: at most 32, or 128 */
};
/* `bytes` are 4 or 16, as those of the ranges. */
bool remora_address_is_in(const uint8_t *bytes, const struct remora_range *ranges, size_t count);

/* The 4 bytes of IPv4 in an IPv6 address that is mapped or behind NAT64, a view; NULL: neither. */
const uint8_t *remora_address_inner_v4(const uint8_t bytes[16]);
/* Unspecified and link-local addresses, and services of a cloud on the host. An inner IPv4 address is judged as itself. */
bool remora_address_is_refused_v4(const uint8_t bytes[4]);
bool remora_address_is_refused_v6(const uint8_t bytes[16]);

#endif
