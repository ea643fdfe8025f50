/* A schema of our own for the protobuf pre-scan: every kind, repeated and single, a map, and a message in itself. */
#ifndef REMORA_TEST_PROTO_SCHEMA_H
#define REMORA_TEST_PROTO_SCHEMA_H

#include "remora/protoscan.h"

/* Costs of the test schema after unpacking. */
enum { TEST_PROTO_NODE_BYTES = 100, TEST_PROTO_ENTRY_BYTES = 50 };

const struct remora_proto_message *test_proto_schema(void);

#endif
