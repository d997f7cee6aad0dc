# Code generated from proto/cmdmox/v1: protobuf-c for the engine and the
# clients, nanopb for the shim, a descriptor set for clients without codegen.
find_package(PkgConfig REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c>=1.4)
find_program(PROTOC_C protoc-c REQUIRED)
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_NANOPB protoc-gen-nanopb REQUIRED)

set(CMDMOX_PROTO_DIR ${PROJECT_SOURCE_DIR}/proto)
set(CMDMOX_PROTOS status frame shim matcher double control callback agent)
set(CMDMOX_SHIM_PROTOS status frame shim)
set(CMDMOX_PROTOBUF_C_DIR ${PROJECT_BINARY_DIR}/gen/protobuf-c)
set(CMDMOX_NANOPB_DIR ${PROJECT_BINARY_DIR}/gen/nanopb)
file(MAKE_DIRECTORY ${CMDMOX_PROTOBUF_C_DIR} ${CMDMOX_NANOPB_DIR})

list(TRANSFORM CMDMOX_PROTOS REPLACE "(.+)" "${CMDMOX_PROTO_DIR}/cmdmox/v1/\\1.proto" OUTPUT_VARIABLE CMDMOX_PROTO_FILES)
