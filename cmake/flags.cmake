# Warnings, hardening (OpenSSF compiler guide; reference list in docs/security.md) and sanitizers, for all rooms and tests.
add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2
  -Wimplicit-fallthrough -Wswitch-enum -Wvla -Wpointer-arith -Wundef -Wwrite-strings -Wnull-dereference
  -fno-strict-overflow -fno-delete-null-pointer-checks -fstack-protector-strong -fno-common
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(REMORA_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wduplicated-cond -Wlogical-op -ftrivial-auto-var-init=zero)
endif()
add_compile_definitions(_GNU_SOURCE)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT REMORA_SANITIZE)
  add_compile_options(-g1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    add_compile_options(-fcf-protection=full)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
      # Locals are zeroed (above) and structs are copied on every request; `rep stos` and `rep movs` take longer to begin
      # than most of them take to clear.
      add_compile_options(-mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign
                          -mmemcpy-strategy=vector_loop:512:noalign,libcall:-1:noalign)
    endif()
  endif()
  add_link_options(-pie)
endif()
if(REMORA_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
if(REMORA_SANITIZE)
  add_compile_options(-fsanitize=${REMORA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  add_link_options(-fsanitize=${REMORA_SANITIZE})
  add_compile_definitions(REMORA_SANITIZED=1)
endif()
if(REMORA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# The rooms are libraries of their own; link-time optimisation lets the hot path cross their walls.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT REMORA_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-flto=auto -ffat-lto-objects)
  # Of the program only: the tests link the ordinary code that the objects carry, too. Unasked, the linker's plugin would
  # take the other one; and with -fno-lto on its command line gcc leaves the plugin out, whatever stands behind it.
  add_link_options($<$<NOT:$<BOOL:$<TARGET_PROPERTY:REMORA_IS_PROGRAM>>>:-fno-lto>)
  set(REMORA_LTO -flto=auto)
endif()
