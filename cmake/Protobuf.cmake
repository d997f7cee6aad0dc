# Code generated from proto/cmdmox/v1: protobuf-c for the engine and the
# clients, nanopb for the shim, a descriptor set for clients without codegen.
find_package(PkgConfig REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c>=1.4)
find_program(PROTOC_C protoc-c REQUIRED)
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_NANOPB protoc-gen-nanopb REQUIRED)

set(CMDMOX_PROTO_DIR ${PROJECT_SOURCE_DIR}/proto)
set(CMDMOX_PROTOS status frame shim matcher double control callback agent document)
set(CMDMOX_SHIM_PROTOS status frame shim)
set(CMDMOX_PROTOBUF_C_DIR ${PROJECT_BINARY_DIR}/gen/protobuf-c)
set(CMDMOX_NANOPB_DIR ${PROJECT_BINARY_DIR}/gen/nanopb)
set(CMDMOX_DESCRIPTOR_SET ${PROJECT_BINARY_DIR}/gen/cmdmox.v1.binpb)
file(MAKE_DIRECTORY ${CMDMOX_PROTOBUF_C_DIR} ${CMDMOX_NANOPB_DIR})

list(TRANSFORM CMDMOX_PROTOS REPLACE "(.+)" "${CMDMOX_PROTO_DIR}/cmdmox/v1/\\1.proto" OUTPUT_VARIABLE CMDMOX_PROTO_FILES)
list(TRANSFORM CMDMOX_SHIM_PROTOS REPLACE "(.+)" "${CMDMOX_PROTO_DIR}/cmdmox/v1/\\1.proto" OUTPUT_VARIABLE CMDMOX_SHIM_PROTO_FILES)
list(TRANSFORM CMDMOX_SHIM_PROTOS REPLACE "(.+)" "${CMDMOX_PROTO_DIR}/cmdmox/v1/\\1.options" OUTPUT_VARIABLE CMDMOX_SHIM_OPTION_FILES)

# Defines the rule that generates the nanopb code of the shim's messages, once
# per directory that asks, and sets out_var to the C files.
function(cmdmox_nanopb_sources out_var)
  set(sources)
  set(headers)
  foreach(name IN LISTS CMDMOX_SHIM_PROTOS)
    list(APPEND sources ${CMDMOX_NANOPB_DIR}/cmdmox/v1/${name}.pb.c)
    list(APPEND headers ${CMDMOX_NANOPB_DIR}/cmdmox/v1/${name}.pb.h)
  endforeach()
  if(NOT TARGET cmdmox_nanopb_gen)
    add_custom_command(OUTPUT ${sources} ${headers}
      COMMAND ${PROTOC} --plugin=protoc-gen-nanopb=${PROTOC_GEN_NANOPB}
        --nanopb_out=${CMDMOX_NANOPB_DIR} -I ${CMDMOX_PROTO_DIR} ${CMDMOX_SHIM_PROTO_FILES}
      WORKING_DIRECTORY ${CMDMOX_PROTO_DIR}
      DEPENDS ${CMDMOX_SHIM_PROTO_FILES} ${CMDMOX_SHIM_OPTION_FILES} VERBATIM)
    add_custom_target(cmdmox_nanopb_gen DEPENDS ${sources} ${headers})
  endif()
  set_source_files_properties(${sources} ${headers} PROPERTIES GENERATED TRUE)
  set(${out_var} ${sources} PARENT_SCOPE)
endfunction()
