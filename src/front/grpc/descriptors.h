/*
 * What reflection knows: the public proto files as descriptors, made at build time (tools/proto_twin.py, cmake/proto.cmake).
 * Read-only data; any thread.
 */
#ifndef REMORA_GRPC_DESCRIPTORS_H
#define REMORA_GRPC_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

struct remora_grpc_file {
    const char *name;
    const unsigned char *bytes; /* a serialised FileDescriptorProto */
    size_t length;
    const uint16_t *needs; /* itself and everything that it imports, as indexes of files */
    size_t need_count;
};

struct remora_grpc_symbol {
    const char
        *name; /* full name of a message, field, oneof, enum, enum value, service or method */
    uint16_t file;
};

struct remora_grpc_descriptors {
    const struct remora_grpc_file *files;
    size_t file_count;
    const struct remora_grpc_symbol *symbols; /* sorted by strcmp */
    size_t symbol_count;
    const char *const *services; /* full names */
    size_t service_count;
};
extern const struct remora_grpc_descriptors remora_grpc_descriptors;

#endif
