#!/bin/sh
# Every shell script passes shellcheck: files named .sh or with a shell's first line.
set -eu
cd "${1:-$(dirname "$0")/../..}"
find . \( -name build -o -name .git \) -prune -o -type f -exec awk '
  FNR == 1 && (FILENAME ~ /\.sh$/ || /^#!.*[\/ ](ba|da)?sh( |$)/) { print FILENAME }' {} + |
  tr '\n' '\0' | xargs -0 shellcheck -x
