/* The other side of HTTP/2 for a raw_server, frame by frame (RFC 9113): enough to answer, to refuse and to go away. */
#ifndef REMORA_TEST_H2_SERVER_H
#define REMORA_TEST_H2_SERVER_H

#include "raw_server.h"

enum { H2_NO_ERROR = 0, H2_INTERNAL_ERROR = 2, H2_REFUSED_STREAM = 7 };

/* Makes servers of this context speak h2 with whoever offers it, else http/1.1. */
void h2_offer(SSL_CTX *context);
/* False: the client did not choose h2. Else reads its preface and sends our settings. */
bool h2_begin(struct raw_connection *connection);
/* Reads frames until a request is whole; its stream, or 0 when the peer is gone. The count of requests goes up. */
uint32_t h2_read_request(struct raw_connection *connection);
/* 200 and the body {}. */
bool h2_answer(struct raw_connection *connection, uint32_t stream);
/* Reads frames until a stream is reset by its client, or the peer is gone. */
void h2_wait_reset(struct raw_connection *connection);
bool h2_reset(struct raw_connection *connection, uint32_t stream, uint32_t error);
bool h2_goaway(struct raw_connection *connection, uint32_t last_stream);

#endif
