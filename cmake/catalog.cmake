# The shipped catalog: data/catalog.json -> read-only tables, made again when the data or the script changes.
set(REMORA_CATALOG_DIR ${CMAKE_BINARY_DIR}/generated/catalog)
set(REMORA_CATALOG_INC ${REMORA_CATALOG_DIR}/catalog.inc)
file(MAKE_DIRECTORY ${REMORA_CATALOG_DIR})
add_custom_command(
  OUTPUT ${REMORA_CATALOG_INC}
  COMMAND ${REMORA_PYTHON} ${CMAKE_SOURCE_DIR}/tools/catalog.py ${CMAKE_SOURCE_DIR}/data/catalog.json
    ${REMORA_CATALOG_INC}
  DEPENDS ${CMAKE_SOURCE_DIR}/tools/catalog.py ${CMAKE_SOURCE_DIR}/data/catalog.json
  COMMENT "Compiling the catalog"
  VERBATIM)
