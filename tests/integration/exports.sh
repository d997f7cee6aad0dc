#!/bin/sh
# usage: exports.sh NM LIBRARY LIST: the library exports exactly what the list holds.
set -eu
"$1" -D --defined-only "$2" | awk '{print $3}' | LC_ALL=C sort | diff -u "$3" -
