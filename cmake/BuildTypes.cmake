# What the presets switch on. No build type defines NDEBUG: the tests assert,
# and what is measured and installed is what was tested.
foreach(type IN ITEMS RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
  set(CMAKE_CXX_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}") # one test compiles the header as C++
endforeach()
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

# What asserts and tests print of __FILE__ is the same in every place, and nothing installed names ours.
add_compile_options(-fmacro-prefix-map=${PROJECT_BINARY_DIR}/= -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)

set(CMDMOX_SANITIZE "" CACHE STRING "Sanitizers for everything but the static shim: address,undefined or thread")
if(CMDMOX_SANITIZE)
  add_compile_options(-fsanitize=${CMDMOX_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CMDMOX_SANITIZE})
endif()

option(CMDMOX_COVERAGE "Count executed lines" OFF)
if(CMDMOX_COVERAGE)
  # Tests fork and run in parallel: their counters are merged atomically.
  add_compile_options(--coverage -fprofile-update=atomic -DCMDMOX_COVERAGE)
  add_link_options(--coverage)
endif()

option(CMDMOX_FUZZ "Record what code an input reaches, and link the fuzz targets with libFuzzer (Clang)" OFF)
if(CMDMOX_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
