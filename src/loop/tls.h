/* Between tls.c and tls_conn.c. Loop's thread. */
#ifndef REMORA_LOOP_TLS_H
#define REMORA_LOOP_TLS_H

#include "remora/tls.h"

#include <openssl/ssl.h>

/* A connection's own, which keeps the context alive. NULL without memory. */
SSL *loop_tls_session(const struct remora_tls *tls);

#endif
