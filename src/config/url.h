/* Addresses of upstreams: strict on purpose, because a mistake here sends prompts and keys somewhere else. Pure. */
#ifndef REMORA_CONFIG_URL_H
#define REMORA_CONFIG_URL_H

#include "remora/base.h"

struct config_url {
    struct remora_slice host; /* without brackets */
    bool is_https;
    bool is_loopback;
};

/* False and *why (a sentence's end: "has user or password ...") when the text is not an address that may be called. */
REMORA_MUST_CHECK bool config_url_parse(struct remora_slice text, struct config_url *out,
                                        const char **why);
/* Whether the host may be bound or called without leaving the machine. */
bool config_host_is_loopback(struct remora_slice host);

#endif
