#!/bin/sh
# cppcheck over our own sources. Foreign headers are not needed: cppcheck knows the usual libraries.
set -eu
cd "${1:-$(dirname "$0")/../..}"
set --
for folder in proto shim server client; do
  [ ! -d "$folder" ] || set -- "$@" "$folder"
done
exec cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
  --error-exitcode=1 --suppress=missingIncludeSystem -j "${CMDMOX_JOBS:-2}" \
  -I . -I proto/include -I server/include -I client/include -D__GNUC__ -D__linux__ "$@"
