#!/bin/sh
# usage: coverage.sh BUILD [FLOOR]
# The lines of the product that the tests of BUILD executed: the sums on stdout, a row for each file in
# BUILD/coverage.txt, and in BUILD/uncovered.txt the lines that were not, as "file: 12,20-31". With FLOOR (per cent),
# fewer is a failure that names the lowest files. client/program is left out: its verbs are tested as a process, by what
# they print.
set -eu
build=$1
floor=${2:-}
CDPATH='' cd -- "$(dirname -- "$0")/../.."

status=0
gcovr -r . --object-directory "$build" -f '(proto|shim|server|client/lib)/' -s -o "$build/coverage.txt" \
  ${floor:+--fail-under-line "$floor"} || status=$?
awk '$4 ~ /%$/ && NF == 5 && $1 != "TOTAL" { print $1 ": " $5 }' "$build/coverage.txt" >"$build/uncovered.txt"
[ "$status" -ne 0 ] || exit 0
echo "cmdmox: fewer than $floor % of the lines were executed; the lowest files (all: $build/coverage.txt):" >&2
awk '$4 ~ /%$/ && $1 != "TOTAL"' "$build/coverage.txt" | sort -n -k 4 | head -n 10 >&2
exit "$status"
