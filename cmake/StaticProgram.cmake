# The program is linked statically where the system has the archives: it starts in half of the time, and the same file
# runs on any distribution. Elsewhere it is linked dynamically, and configuring says what is missing.
include(CheckCSourceCompiles)

set(CMDMOX_STATIC_PROGRAM AUTO CACHE STRING "Link the program cmdmox statically: AUTO (where possible), ON (or fail), OFF")
set_property(CACHE CMDMOX_STATIC_PROGRAM PROPERTY STRINGS AUTO ON OFF)
# No archive of any system is built for a sanitizer.
if(CMDMOX_SANITIZE OR CMDMOX_COVERAGE OR CMDMOX_FUZZ)
  set(CMDMOX_STATIC_PROGRAM OFF)
endif()

# glibc's linker warns of each function that loads libraries of the system at run time (getaddrinfo, getpwnam, dlopen, ...),
# which another system would not have: here that is an error. client/program/static/no_users.c has the two that libuv names.
set(CMDMOX_STATIC_LINK_OPTIONS -static-pie -Wl,--fatal-warnings -Wl,--wrap=getpwuid_r -Wl,--wrap=getgrgid_r)

# cmdmox_find_archives(ARCHIVES MISSING): the files to link, in the order of their need, and the names of what is not there.
function(cmdmox_find_archives archives_var missing_var)
  set(archives)
  set(missing)
  foreach(name IN ITEMS protobuf-c uv pcre2-8 jansson md)
    # Names of a version of libuv's own: on Debian and others libuv_a.a, else libuv.a.
    find_library(CMDMOX_ARCHIVE_${name} NAMES lib${name}_a.a lib${name}.a
      HINTS ${LIBUV_LIBDIR} ${PROTOBUF_C_LIBDIR} ${PCRE2_LIBDIR} ${JANSSON_LIBDIR} ${MD_LIBDIR})
    mark_as_advanced(CMDMOX_ARCHIVE_${name})
    if(CMDMOX_ARCHIVE_${name})
      list(APPEND archives ${CMDMOX_ARCHIVE_${name}})
    else()
      list(APPEND missing lib${name}.a)
    endif()
  endforeach()
  set(${archives_var} ${archives} PARENT_SCOPE)
  set(${missing_var} ${missing} PARENT_SCOPE)
endfunction()

# cmdmox_static_libraries(OUT): what a static program links, or nothing, after saying why.
function(cmdmox_static_libraries out_var)
  set(${out_var} "" PARENT_SCOPE)
  if(NOT CMDMOX_STATIC_PROGRAM)
    message(STATUS "cmdmox: linked dynamically, as the build asks for")
    return()
  endif()
  cmdmox_find_archives(archives missing)
  if(missing)
    list(JOIN missing ", " why)
    set(why "no ${why}")
  else()
    set(CMAKE_REQUIRED_QUIET TRUE)
    set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie)
    set(CMAKE_REQUIRED_LIBRARIES ${archives} Threads::Threads ${CMAKE_DL_LIBS})
    check_c_source_compiles("
      extern char protobuf_c_version[], uv_version_string[], pcre2_config_8[], json_object[], SHA256Init[];
      int main(void) {
        char *volatile used[] = {protobuf_c_version, uv_version_string, pcre2_config_8, json_object, SHA256Init};
        return !used[0];
      }" CMDMOX_STATIC_LINKS)
    if(NOT CMDMOX_STATIC_LINKS)
      set(why "the C library or an archive does not link with -static-pie")
    endif()
  endif()
  if(NOT why)
    message(STATUS "cmdmox: linked statically")
    set(${out_var} ${archives} Threads::Threads ${CMAKE_DL_LIBS} PARENT_SCOPE)
  elseif(CMDMOX_STATIC_PROGRAM STREQUAL AUTO)
    message(NOTICE "cmdmox is linked dynamically and starts slower: ${why}")
  else()
    message(FATAL_ERROR "CMDMOX_STATIC_PROGRAM=${CMDMOX_STATIC_PROGRAM}: ${why}; install what is missing, or leave the option at AUTO")
  endif()
endfunction()
