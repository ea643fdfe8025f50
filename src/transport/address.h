/* Which addresses a transfer may be connected to. Pure; any thread. */
#ifndef REMORA_TRANSPORT_ADDRESS_H
#define REMORA_TRANSPORT_ADDRESS_H

#include "remora/transport.h"

struct sockaddr;

/* An IPv4 address inside an IPv6 one (mapped, or behind NAT64) is judged as itself. */
bool transport_address_may(enum remora_reach reach, const struct sockaddr *address);
/* The same of an address as text ("10.0.0.1", "fe80::1%eth0"); false for anything else. */
bool transport_address_text_may(enum remora_reach reach, const char *text);

#endif
