# The gRPC messages in C (library remora_proto) and what is derived from the public files in proto/:
#   proto3 files -> tools/proto_twin.py twin -> proto2 twins -> protoc-gen-c -> *.pb-c.c
#   proto3 files -> protoc --descriptor_set_out -> tools/proto_twin.py tables -> reflection tables, pre-scan schemas
# tools/proto_twin.py says why there is a twin.
find_program(REMORA_PROTOC protoc REQUIRED)
find_program(REMORA_PROTOC_GEN_C protoc-gen-c REQUIRED)
find_path(REMORA_PROTOBUF_INCLUDE google/protobuf/struct.proto REQUIRED)

set(proto_dir ${CMAKE_SOURCE_DIR}/proto)
set(proto_out ${CMAKE_BINARY_DIR}/proto)
set(proto_public
  remora/v1/chat remora/v1/embedding remora/v1/gateway remora/v1/routing remora/v1/usage)
set(proto_third_party
  grpc/health/v1/health grpc/reflection/v1/reflection grpc/reflection/v1alpha/reflection
  google/rpc/status google/rpc/error_details)
set(proto_system google/protobuf/struct google/protobuf/duration google/protobuf/timestamp google/protobuf/any)
# Messages that arrive here: their schemas are made, with all that they hold.
set(proto_roots
  remora.v1.ChatRequest remora.v1.StreamChatRequest remora.v1.CountTokensRequest
  remora.v1.ListModelsRequest remora.v1.GetModelRequest remora.v1.GetConfigStatusRequest remora.v1.ExplainRouteRequest
  grpc.health.v1.HealthCheckRequest grpc.health.v1.HealthListRequest grpc.reflection.v1.ServerReflectionRequest)

set(proto_inputs)
set(proto_pairs)
set(proto_files)
set(proto_twins)
set(proto_c)
set(proto_h)
foreach(list public third_party system)
  foreach(name ${proto_${list}})
    if(list STREQUAL "public")
      set(path ${proto_dir}/${name}.proto)
      list(APPEND proto_files ${name}.proto)
    elseif(list STREQUAL "third_party")
      set(path ${proto_dir}/third_party/${name}.proto)
      list(APPEND proto_files ${name}.proto)
    else()
      set(path ${REMORA_PROTOBUF_INCLUDE}/${name}.proto)
    endif()
    list(APPEND proto_inputs ${path})
    list(APPEND proto_pairs ${name}.proto=${path})
    list(APPEND proto_twins ${name}.proto)
    list(APPEND proto_c ${proto_out}/c/${name}.pb-c.c)
    list(APPEND proto_h ${proto_out}/c/${name}.pb-c.h)
  endforeach()
endforeach()

file(MAKE_DIRECTORY ${proto_out}/twin ${proto_out}/c)
add_custom_command(
  OUTPUT ${proto_c} ${proto_h}
  COMMAND ${REMORA_PYTHON} ${CMAKE_SOURCE_DIR}/tools/proto_twin.py twin ${proto_out}/twin ${proto_pairs}
  COMMAND ${REMORA_PROTOC} --plugin=protoc-gen-c=${REMORA_PROTOC_GEN_C} -I ${proto_out}/twin
    --c_out=${proto_out}/c ${proto_twins}
  DEPENDS ${proto_inputs} ${CMAKE_SOURCE_DIR}/tools/proto_twin.py
  COMMENT "gRPC messages in C" VERBATIM)
add_custom_command(
  OUTPUT ${proto_out}/c/descriptors.c ${proto_out}/c/schemas.c ${proto_out}/c/schemas.h
  COMMAND ${REMORA_PROTOC} -I ${proto_dir} -I ${proto_dir}/third_party -I ${REMORA_PROTOBUF_INCLUDE}
    --include_imports --descriptor_set_out=${proto_out}/public.binpb ${proto_files}
  COMMAND ${REMORA_PYTHON} ${CMAKE_SOURCE_DIR}/tools/proto_twin.py tables ${proto_out}/public.binpb
    ${proto_out}/c ${proto_roots}
  DEPENDS ${proto_inputs} ${CMAKE_SOURCE_DIR}/tools/proto_twin.py
  COMMENT "gRPC reflection tables and schemas" VERBATIM)

add_library(remora_proto STATIC
  ${proto_c} ${proto_out}/c/descriptors.c ${proto_out}/c/schemas.c ${proto_h} ${proto_out}/c/schemas.h)
target_compile_options(remora_proto PRIVATE -w)
target_include_directories(remora_proto SYSTEM PUBLIC ${proto_out}/c)
target_include_directories(remora_proto PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src/front/grpc)
target_link_libraries(remora_proto PUBLIC PkgConfig::PROTOBUF_C)
