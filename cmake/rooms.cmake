# remora_room(NAME [SOURCES ...] LIBRARIES ...): the room in src/NAME as the library remora_NAME.
# It sees include/ and its own folder; other rooms only through the linker. tests/lint checks the direction of includes.
function(remora_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LIBRARIES;INCLUDES" ${ARGN})
  string(REPLACE "/" "_" target remora_${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
  remora_read_profile(${target} "${sources}")
  add_library(${target} STATIC ${sources} ${ROOM_SOURCES})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/include PRIVATE ${CMAKE_SOURCE_DIR}/src/${name} ${ROOM_INCLUDES})
  target_link_libraries(${target} PUBLIC ${ROOM_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY REMORA_ROOMS ${target})
endfunction()
