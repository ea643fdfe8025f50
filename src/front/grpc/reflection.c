/*
 * Server reflection from the embedded descriptors: by file name, by symbol (whatever has a full name: messages, fields, oneofs,
 * enums and their values, services, methods), the list of services. v1 and v1alpha have the
 * same messages on the wire, so one handler serves both paths. A question is answered before the next one is taken; the
 * call ends when the caller half-closes.
 *
 * Failures: unknown names and extension questions get an error_response (codes of google.rpc.Code); a malformed question
 * ends the call with INVALID_ARGUMENT.
 *
 * Source: grpc/grpc, doc/server-reflection.md; reference/grpc-core.md section 6 for what grpcurl asks.
 */
#include <stdlib.h>

#include "descriptors.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "pb.h"
#include "schemas.h"
#include "services.h"
#include "unpack.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest question;
typedef Grpc__Reflection__V1__ServerReflectionResponse reply;

static void put_error(struct remora_arena *arena, reply *out, int32_t code, const char *message)
{
    Grpc__Reflection__V1__ErrorResponse *error =
        remora_pb_new(arena, &grpc__reflection__v1__error_response__descriptor);
    out->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    out->error_response = error;
    if (error != NULL) {
        REMORA_PB_NUMBER(error, error_code, code);
        REMORA_PB_TEXT(error, error_message, remora_slice_of(message));
    }
}

/* The file and everything that it imports, itself first. */
static void put_file(struct remora_arena *arena, reply *out, const struct remora_grpc_file *file)
{
    Grpc__Reflection__V1__FileDescriptorResponse *files =
        remora_pb_new(arena, &grpc__reflection__v1__file_descriptor_response__descriptor);
    out->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    out->file_descriptor_response = files;
    if (files == NULL) {
        return;
    }
    files->file_descriptor_proto =
        remora_arena_array(arena, file->need_count, sizeof files->file_descriptor_proto[0]);
    for (size_t i = 0; files->file_descriptor_proto != NULL && i < file->need_count; i++) {
        const struct remora_grpc_file *need = &remora_grpc_descriptors.files[file->needs[i]];
        files->file_descriptor_proto[files->n_file_descriptor_proto++] =
            remora_pb_text(remora_slice((const char *)need->bytes, need->length));
    }
}

static void put_services(struct remora_arena *arena, reply *out)
{
    Grpc__Reflection__V1__ListServiceResponse *list =
        remora_pb_new(arena, &grpc__reflection__v1__list_service_response__descriptor);
    out->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    out->list_services_response = list;
    if (list == NULL) {
        return;
    }
    list->service = remora_pb_list(arena, remora_grpc_descriptors.service_count);
    for (size_t i = 0; list->service != NULL && i < remora_grpc_descriptors.service_count; i++) {
        Grpc__Reflection__V1__ServiceResponse *one =
            remora_pb_new(arena, &grpc__reflection__v1__service_response__descriptor);
        if (one != NULL) {
            REMORA_PB_TEXT(one, name, remora_slice_of(remora_grpc_descriptors.services[i]));
            list->service[list->n_service++] = one;
        }
    }
}

static const struct remora_grpc_file *file_named(struct remora_slice name)
{
    for (size_t i = 0; i < remora_grpc_descriptors.file_count; i++) {
        if (remora_slice_is(name, remora_grpc_descriptors.files[i].name)) {
            return &remora_grpc_descriptors.files[i];
        }
    }
    return NULL;
}

static int compare_symbol(const void *key, const void *symbol)
{
    const struct remora_slice *name = key;
    struct remora_slice other = remora_slice_of(((const struct remora_grpc_symbol *)symbol)->name);
    size_t shorter = name->length < other.length ? name->length : other.length;
    int order = shorter == 0 ? 0 : memcmp(name->data, other.data, shorter);
    return order != 0 ? order : (name->length > other.length) - (name->length < other.length);
}

static const struct remora_grpc_file *file_of_symbol(struct remora_slice name)
{
    const struct remora_grpc_symbol *found =
        bsearch(&name, remora_grpc_descriptors.symbols, remora_grpc_descriptors.symbol_count,
                sizeof *found, compare_symbol);
    return found == NULL ? NULL : &remora_grpc_descriptors.files[found->file];
}

static void put_found(struct remora_arena *arena, reply *out, const struct remora_grpc_file *file)
{
    if (file == NULL) {
        put_error(arena, out, GRPC_STATUS_NOT_FOUND, "There is no such file or symbol here.");
    } else {
        put_file(arena, out, file);
    }
}

static void answer(struct remora_arena *arena, question *asked, reply *out)
{
    REMORA_PB_TEXT(out, valid_host, remora_pb_slice(asked->host));
    out->original_request = asked;
    switch ((int)asked->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        put_found(arena, out, file_named(remora_pb_slice(asked->file_by_filename)));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        put_found(arena, out, file_of_symbol(remora_pb_slice(asked->file_containing_symbol)));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        put_services(arena, out);
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        put_error(arena, out, GRPC_STATUS_NOT_FOUND, "There are no extensions here.");
        return;
    default:
        put_error(arena, out, GRPC_STATUS_INVALID_ARGUMENT, "The question is empty.");
        return;
    }
}

static void next_question(struct remora_grpc_call *call)
{
    remora_grpc_receive(call);
}

void remora_grpc_reflection(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    question *asked = NULL;
    struct remora_arena *arena = &call->lane->scratch;
    remora_arena_reset(arena);
    if (remora_grpc_unpack(bytes, &remora_schema_grpc_reflection_v1_ServerReflectionRequest,
                           &grpc__reflection__v1__server_reflection_request__descriptor, arena,
                           &asked, &fail) != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return;
    }
    reply out = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    answer(arena, asked, &out);
    call->on_writable = next_question;
    remora_grpc_send(call, remora_pb_pack(&out.base));
}

void remora_grpc_reflection_end(struct remora_grpc_call *call)
{
    remora_grpc_status_ok(&call->status, NULL);
    remora_grpc_finish(call);
}
