# The installed tree; docs/install.md shows it from the user's side. It may be moved as a whole: what is in it
# finds the rest by relative paths. Parts whose target does not exist are left out; the launcher is installed by shim/.
# `--component program` installs the program and the launcher alone.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cmdmox)
set(shim_path ${CMAKE_INSTALL_LIBEXECDIR}/cmdmox/cmdmox-shim)
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
# In what a consumer links with the archive, one name for CMake and pkg-config each.
set(static_modules "libprotobuf-c >= 1.4, libuv, libpcre2-8, jansson, libmd")

if(TARGET cmdmox)
  set_target_properties(cmdmox PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  install(TARGETS cmdmox EXPORT cmdmox-targets)
  set_target_properties(cmdmox_program PROPERTIES EXPORT_NAME program)
  install(TARGETS cmdmox_program EXPORT cmdmox-targets RUNTIME COMPONENT program)
  install(EXPORT cmdmox-targets NAMESPACE cmdmox:: DESTINATION ${package_dir})
  install(DIRECTORY client/include/ server/include/ proto/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  # Its own export: who links the shared library needs no development files of other libraries.
  install(TARGETS cmdmox_static EXPORT cmdmox-static-targets ARCHIVE)
  install(EXPORT cmdmox-static-targets NAMESPACE cmdmox:: DESTINATION ${package_dir})

  configure_package_config_file(cmake/cmdmox-config.cmake.in ${PROJECT_BINARY_DIR}/cmdmox-config.cmake
    INSTALL_DESTINATION ${package_dir} PATH_VARS shim_path)
  # Before 1.0 a minor version may break what was built against another.
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmdmox-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/cmdmox-config.cmake ${PROJECT_BINARY_DIR}/cmdmox-config-version.cmake
    DESTINATION ${package_dir})
  foreach(module IN ITEMS cmdmox cmdmox-static)
    configure_file(cmake/${module}.pc.in ${PROJECT_BINARY_DIR}/${module}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${module}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  endforeach()
endif()
install(DIRECTORY proto/cmdmox DESTINATION ${CMAKE_INSTALL_DATADIR}/cmdmox/proto FILES_MATCHING PATTERN *.proto)
install(FILES ${CMDMOX_DESCRIPTOR_SET} DESTINATION ${CMAKE_INSTALL_DATADIR}/cmdmox/proto)
