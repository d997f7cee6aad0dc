# Our own code compiles without a warning; generated code links cmdmox_options_generated instead.
add_library(cmdmox_options INTERFACE)
target_compile_options(cmdmox_options INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wtype-limits -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Werror -fno-strict-aliasing)
target_compile_definitions(cmdmox_options INTERFACE _GNU_SOURCE)
target_include_directories(cmdmox_options INTERFACE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/proto/include ${PROJECT_SOURCE_DIR}/server/include ${PROJECT_SOURCE_DIR}/client/include)
