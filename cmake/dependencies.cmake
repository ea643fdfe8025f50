# Libraries come from the distribution, by pkg-config; llhttp has no library on Debian 12 and is compiled from the sources
# that its node-llhttp package installs.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_program(REMORA_PYTHON NAMES python3 REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)

find_path(REMORA_LLHTTP_SYSTEM llhttp.h)
find_library(REMORA_LLHTTP_LIBRARY llhttp)
add_library(remora_llhttp INTERFACE)
if(REMORA_LLHTTP_SYSTEM AND REMORA_LLHTTP_LIBRARY)
  target_include_directories(remora_llhttp SYSTEM INTERFACE ${REMORA_LLHTTP_SYSTEM})
  target_link_libraries(remora_llhttp INTERFACE ${REMORA_LLHTTP_LIBRARY})
else()
  find_path(REMORA_LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH REQUIRED)
  find_path(REMORA_LLHTTP_HEADERS llhttp/llhttp.h PATHS /usr/share/include NO_DEFAULT_PATH REQUIRED)
  add_library(remora_llhttp_static STATIC
    ${REMORA_LLHTTP_SOURCES}/llhttp.c ${REMORA_LLHTTP_SOURCES}/api.c ${REMORA_LLHTTP_SOURCES}/http.c)
  # Must stand on the command line of every file: llhttp.c tests it before any include.
  target_compile_definitions(remora_llhttp_static PRIVATE LLHTTP_STRICT_MODE=1)
  target_compile_options(remora_llhttp_static PRIVATE -w)
  target_include_directories(remora_llhttp_static SYSTEM PUBLIC ${REMORA_LLHTTP_HEADERS}/llhttp)
  target_link_libraries(remora_llhttp INTERFACE remora_llhttp_static)
endif()
