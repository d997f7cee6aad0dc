#!/bin/sh
# cppcheck over our own sources, without foreign headers: it knows the usual libraries. What is
# uninitialized is left to clang-analyzer, which sees the macros of uthash expanded.
# It takes _Noreturn for a type, so that is spelt as the attribute.
set -eu
cd "${1:-$(dirname "$0")/../..}"
set --
for folder in proto shim server client; do
  [ ! -d "$folder" ] || set -- "$@" "$folder"
done
exec cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
  --error-exitcode=1 --suppress=missingIncludeSystem \
  --suppress=uninitvar --suppress=legacyUninitvar -j "${CMDMOX_JOBS:-2}" \
  -I . -I proto/include -I server/include -I client/include -D__GNUC__ "-D_Noreturn=__attribute__((noreturn))" -D__linux__ "$@"
