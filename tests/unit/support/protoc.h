/* Messages as text, by protoc and the public proto files: an encoder and decoder that we did not write. */
#ifndef REMORA_TEST_PROTOC_H
#define REMORA_TEST_PROTOC_H

#include "support.h"

/* Text format -> bytes; fails the test when protoc refuses. Free data with free(). */
struct remora_slice test_proto_encode(const char *type, const char *text);
/* Bytes -> text format, NUL-terminated. Free data with free(). */
struct remora_slice test_proto_decode(const char *type, struct remora_slice bytes);

#endif
