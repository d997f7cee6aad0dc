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

set(CMDMOX_NANOPB_INCLUDE ${foreign})
add_subdirectory(proto)

# What is named posix stands behind the shim's os.h; its Windows twin comes later.
file(GLOB shim_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/shim/*.c)
list(FILTER shim_sources EXCLUDE REGEX "posix")
if(shim_sources)
  cmdmox_nanopb_sources(codec)
  add_library(cmdmox_shim_objects OBJECT ${shim_sources} ${codec})
  set_source_files_properties(${codec} PROPERTIES COMPILE_OPTIONS -w)
  add_dependencies(cmdmox_shim_objects cmdmox_nanopb_gen)
  target_include_directories(cmdmox_shim_objects SYSTEM PRIVATE ${CMDMOX_NANOPB_DIR})
  target_compile_definitions(cmdmox_shim_objects PRIVATE CMDMOX_VERSION="${PROJECT_VERSION}")
  target_link_libraries(cmdmox_shim_objects PRIVATE cmdmox_options)
endif()
