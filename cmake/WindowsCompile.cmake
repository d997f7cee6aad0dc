# The mingw preset: proto/ and the portable part of shim/ compile; nothing is
# linked, because the foreign libraries exist for this machine only.

# A cross build may not see /usr/include, yet the headers of protobuf-c and
# nanopb there are portable: they are copied out.
set(foreign ${PROJECT_BINARY_DIR}/foreign-headers)
foreach(header IN ITEMS protobuf-c/protobuf-c.h pb.h pb_common.h pb_encode.h pb_decode.h)
  find_path(dir NAMES ${header} PATHS /usr/include /usr/include/nanopb /usr/local/include /opt/homebrew/include
    NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH NO_CACHE REQUIRED)
  get_filename_component(folder ${header} DIRECTORY)
  file(COPY ${dir}/${header} DESTINATION ${foreign}/${folder})
  unset(dir)
endforeach()
include_directories(SYSTEM ${foreign})

add_subdirectory(proto)

# shim/*_posix.c stands behind the shim's os.h; its Windows twin comes later.
file(GLOB shim_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/shim/*.c)
list(FILTER shim_sources EXCLUDE REGEX "_posix\\.c$")
if(shim_sources)
  # The codec is generated here too, as shim/CMakeLists.txt does for the launcher.
  set(codec)
  foreach(name IN LISTS CMDMOX_SHIM_PROTOS)
    list(APPEND codec ${CMDMOX_NANOPB_DIR}/cmdmox/v1/${name}.pb.c ${CMDMOX_NANOPB_DIR}/cmdmox/v1/${name}.pb.h)
    list(APPEND codec_protos ${CMDMOX_PROTO_DIR}/cmdmox/v1/${name}.proto)
  endforeach()
  add_custom_command(OUTPUT ${codec}
    COMMAND ${PROTOC} -I ${CMDMOX_PROTO_DIR} --nanopb_out=-I${CMDMOX_PROTO_DIR}:${CMDMOX_NANOPB_DIR} ${codec_protos}
    DEPENDS ${codec_protos} VERBATIM)
  add_library(cmdmox_shim_objects OBJECT ${shim_sources} ${codec})
  set_source_files_properties(${codec} PROPERTIES COMPILE_OPTIONS -w)
  target_include_directories(cmdmox_shim_objects SYSTEM PRIVATE ${CMDMOX_NANOPB_DIR})
  target_link_libraries(cmdmox_shim_objects PRIVATE cmdmox_options)
endif()
