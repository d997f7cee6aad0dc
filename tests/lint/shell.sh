#!/bin/sh
# Every shell script passes shellcheck: files named .sh or .bats or with a shell's first line, and libraries of bash, each
# with the parts that it is made of.
set -eu
cd "${1:-$(dirname "$0")/../..}"
find . \( -name build -o -name .git \) -prune -o -type f -exec awk '
  FNR == 1 && (FILENAME ~ /\.(sh|bats)$/ || /^#!.*[\/ ](ba|da)?sh( |$)/) { print FILENAME }' {} + |
  tr '\n' '\0' | xargs -0 shellcheck -x -P SCRIPTDIR
find . \( -name build -o -name .git -o -name src \) -prune -o -type f -name '*.bash' -print0 | xargs -0 -r shellcheck -x -a -P SCRIPTDIR
