# The installed tree; parts whose target does not exist are left out. The
# launcher is installed by shim/.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cmdmox)
if(TARGET cmdmox)
  set_target_properties(cmdmox PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  install(TARGETS cmdmox EXPORT cmdmox-targets)
  install(DIRECTORY client/include/ server/include/ proto/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT cmdmox-targets NAMESPACE cmdmox:: DESTINATION ${package_dir})
  configure_package_config_file(cmake/cmdmox-config.cmake.in ${PROJECT_BINARY_DIR}/cmdmox-config.cmake
    INSTALL_DESTINATION ${package_dir})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmdmox-config-version.cmake COMPATIBILITY SameMajorVersion)
  # Relative, so that the tree can be moved.
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  configure_file(cmake/cmdmox.pc.in ${PROJECT_BINARY_DIR}/cmdmox.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/cmdmox-config.cmake ${PROJECT_BINARY_DIR}/cmdmox-config-version.cmake
    DESTINATION ${package_dir})
  install(FILES ${PROJECT_BINARY_DIR}/cmdmox.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
if(TARGET cmdmox_static)
  set_target_properties(cmdmox_static PROPERTIES OUTPUT_NAME cmdmox)
  install(TARGETS cmdmox_static ARCHIVE)
endif()
if(TARGET cmdmox_program)
  set_target_properties(cmdmox_program PROPERTIES OUTPUT_NAME cmdmox)
  install(TARGETS cmdmox_program RUNTIME)
endif()
install(DIRECTORY proto/cmdmox DESTINATION ${CMAKE_INSTALL_DATADIR}/cmdmox/proto FILES_MATCHING PATTERN *.proto)
