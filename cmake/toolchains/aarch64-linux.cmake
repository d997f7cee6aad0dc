# Linux on aarch64, from another machine: Debian's cross compiler and the libraries in build/sysroot-arm64, which
# cmake/sysroot.sh fetches.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

get_filename_component(top ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
get_filename_component(top ${top} DIRECTORY)
set(CMAKE_SYSROOT ${top}/build/sysroot-arm64)
if(NOT EXISTS ${CMAKE_SYSROOT}/usr)
  message(FATAL_ERROR "${CMAKE_SYSROOT} is missing: run  sh cmake/sysroot.sh arm64 build/sysroot-arm64  (./dev wheels does)")
endif()
if(CMAKE_SYSROOT MATCHES " ")
  message(FATAL_ERROR "pkg-config cannot look into ${CMAKE_SYSROOT}: work in a folder that has no space in its name")
endif()
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Programs (protoc, python) are the build machine's; headers, libraries and packages are not.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind IN ITEMS INCLUDE LIBRARY PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)

# musl for the shim: the specs of its package name places in the root of a system, here they are in the sysroot.
set(specs ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-musl/musl-gcc.specs)
if(NOT EXISTS ${specs}.moved)
  file(READ ${specs} text)
  string(REGEX REPLACE "([ L])(/usr/(include|lib)/aarch64-linux-musl)" "\\1${CMAKE_SYSROOT}\\2" text "${text}")
  file(WRITE ${specs}.moved "${text}")
endif()
set(MUSL_GCC ${CMAKE_C_COMPILER} -specs=${specs}.moved)
