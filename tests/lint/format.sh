#!/bin/sh
# The C sources are formatted as .clang-format says; ./dev format does it.
set -eu
cd "${1:-$(dirname "$0")/../..}"
find . \( -name build -o -name .git \) -prune -o -name '*.[ch]' -exec clang-format --dry-run -Werror {} +
